package config

import (
	"errors"
	"strings"
)

const (
	referencePrefix = "ssm:"

	// Names below this path are not parameters: Parameter Store hands them on
	// to Secrets Manager, whose secret names, stages and version ids follow
	// rules of their own.
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
	secretsManagerPath = "/aws/reference/secretsmanager/"

	maxNameLength  = 2048 // of one name in GetParameters, selector included
	maxLabelLength = 100
	maxStageLength = 256 // of a Secrets Manager stage or version id
)

// A reference says where a value is kept. Its zero value refers to nothing.
type reference struct {
	name  string // parameter name or ARN, with ":selector" if it has one: what GetParameters is asked for
	field string // the field of a JSON object, or "" for the whole value
}

func isReference(value string) bool { return strings.HasPrefix(value, referencePrefix) }

// parseReference reads ssm:NAME, ssm:NAME:VERSION and ssm:NAME:LABEL, each with
// an optional #field. Its errors never quote text: a variable that happens to
// begin with "ssm:" may still hold a secret.
//
// What the name, version and label may look like:
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html
func parseReference(text string) (reference, error) {
	text, ok := strings.CutPrefix(text, referencePrefix)
	if !ok {
		return reference{}, errors.New(`must begin with "ssm:"`)
	}
	full, field, hasField := strings.Cut(text, "#")
	if hasField && field == "" {
		return reference{}, errors.New("names no field after #")
	}
	if len(full) > maxNameLength {
		return reference{}, errors.New("has a parameter name of more than 2048 characters")
	}

	path, selector, hasSelector := full, "", false
	if strings.HasPrefix(full, "arn:") {
		// arn:aws:ssm:eu-west-1:123456789012:parameter/name[:selector]
		parts := strings.SplitN(full, ":", 7)
		if len(parts) < 6 || parts[2] != "ssm" || !strings.HasPrefix(parts[5], "parameter/") ||
			!consistsOf(parts[1]+parts[3]+parts[4], "-") {
			return reference{}, errors.New("is not the ARN of a parameter")
		}
		path = strings.TrimPrefix(parts[5], "parameter")
		if len(parts) == 7 {
			selector, hasSelector = parts[6], true
		}
	} else {
		path, selector, hasSelector = strings.Cut(full, ":")
		if strings.Contains(path, "/") && !strings.HasPrefix(path, "/") {
			return reference{}, errors.New("has a parameter name with a / that does not begin with one")
		}
	}

	fromSecretsManager := strings.HasPrefix(path, secretsManagerPath)
	punctuation := "/_.-"
	if fromSecretsManager {
		punctuation = "/_.-+=@"
	}
	if strings.HasSuffix(path, "/") || path == "" || !consistsOf(path, punctuation) {
		return reference{}, errors.New("has no valid parameter name")
	}
	if hasSelector {
		valid := isVersion(selector) || isLabel(selector)
		if fromSecretsManager {
			valid = selector != "" && len(selector) <= maxStageLength && consistsOf(selector, punctuation)
		}
		if !valid {
			return reference{}, errors.New("has no valid version or label after the parameter name")
		}
	}
	return reference{full, field}, nil
}

// String returns the text that parseReference read.
func (r reference) String() string {
	if r.field == "" {
		return referencePrefix + r.name
	}
	return referencePrefix + r.name + "#" + r.field
}

func isVersion(s string) bool {
	return s != "" && len(s) <= 18 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

func isLabel(s string) bool {
	if s == "" || len(s) > maxLabelLength || !consistsOf(s, "_.-") || '0' <= s[0] && s[0] <= '9' {
		return false
	}
	s = strings.ToLower(s)
	return !strings.HasPrefix(s, "aws") && !strings.HasPrefix(s, "ssm")
}

// consistsOf reports whether s holds only ASCII letters, digits and the given
// punctuation.
func consistsOf(s, punctuation string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(punctuation, c) >= 0:
		default:
			return false
		}
	}
	return true
}
