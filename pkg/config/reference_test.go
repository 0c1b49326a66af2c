package config

import (
	"strings"
	"testing"
)

func TestParseReference(t *testing.T) {
	const arn = "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/team/key"
	const sm = "/aws/reference/secretsmanager/prod/db+key=1@x"
	for text, want := range map[string]reference{
		"ssm:key":                            {"key", ""},
		"ssm:/a/b.c-d_e":                     {"/a/b.c-d_e", ""},
		"ssm:/a#x":                           {"/a", "x"},
		"ssm:/a:12":                          {"/a:12", ""},
		"ssm:/a:live#x#y z":                  {"/a:live", "x#y z"},
		"ssm:" + arn:                         {arn, ""},
		"ssm:" + arn + ":7":                  {arn + ":7", ""},
		"ssm:" + arn + ":live#x":             {arn + ":live", "x"},
		"ssm:" + sm:                          {sm, ""},
		"ssm:" + sm + ":AWSPREVIOUS#pw":      {sm + ":AWSPREVIOUS", "pw"},
		"ssm:" + sm + ":0a1b-2c#pw":          {sm + ":0a1b-2c", "pw"},
		"ssm:/a:" + strings.Repeat("l", 100): {"/a:" + strings.Repeat("l", 100), ""},
	} {
		got, err := parseReference(text)
		if err != nil || got != want {
			t.Errorf("parseReference(%q) = %+v, %v; want %+v", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("parseReference(%q).String() = %q", text, got)
		}
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	const (
		name     = "has no valid parameter name"
		selector = "has no valid version or label after the parameter name"
		notARN   = "is not the ARN of a parameter"
	)
	for text, want := range map[string]string{
		"/a":                                     `must begin with "ssm:"`,
		"ssm:":                                   name,
		"ssm:#x":                                 name,
		"ssm:/":                                  name,
		"ssm:/a/":                                name,
		"ssm:/a b":                               name,
		"ssm:/a=b":                               name,
		"ssm://host/å":                           name,
		"ssm:a/b":                                "has a parameter name with a / that does not begin with one",
		"ssm:/a#":                                "names no field after #",
		"ssm:/a:":                                selector,
		"ssm:/a:0":                               selector,
		"ssm:/a:007":                             selector,
		"ssm:/a:1234567890123456789":             selector,
		"ssm:/a:1st":                             selector,
		"ssm:/a:AWSlabel":                        selector,
		"ssm:/a:ssm-x":                           selector,
		"ssm:/a:one:two":                         selector,
		"ssm:/a:" + strings.Repeat("l", 101):     selector,
		"ssm:/" + strings.Repeat("n", 2048):      "has a parameter name of more than 2048 characters",
		"ssm:arn:aws:ssm:eu-west-1:1":            notARN,
		"ssm:arn:aws:s3:::bucket/key":            notARN,
		"ssm:arn:aws:ssm:eu-west-1:1:document/x": notARN,
		"ssm:arn:aws:ssm:eu-west-1:1:parameter/": name,
		"ssm:arn:aws:ssm:eu-west-1:1:parameter/x:": selector,
		"ssm:/aws/reference/secretsmanager/x:":     selector,
		"ssm:/aws/reference/secretsmanager/x:a b":  selector,
	} {
		if got, err := parseReference(text); err == nil || err.Error() != want {
			t.Errorf("parseReference(%q) = %+v, %v; want the error %q", text, got, err, want)
		}
	}
}

func FuzzReference(f *testing.F) {
	for _, seed := range []string{
		"ssm:/a:1#x", "ssm:arn:aws:ssm:eu-west-1:123456789012:parameter/a:live#x", "ssm:arn::ssm:::parameter/:",
		"ssm:/aws/reference/secretsmanager/x:AWSCURRENT", "ssm:s3cr3t value", "ssm:#", "ssm:::", "",
	} {
		f.Add(seed)
	}
	reasons := map[string]bool{}
	for _, bad := range []string{"", "ssm:", "ssm:a/b", "ssm:/a#", "ssm:/a:", "ssm:arn:", "ssm:" + strings.Repeat("n", 2049)} {
		_, err := parseReference(bad)
		reasons[err.Error()] = true
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := parseReference(text)
		if err != nil {
			if !reasons[err.Error()] {
				t.Errorf("parseReference(%q): unexpected error %q", text, err)
			}
			return
		}
		if got := ref.String(); got != text {
			t.Errorf("parseReference(%q).String() = %q", text, got)
		}
		if again, err := parseReference(ref.String()); err != nil || again != ref {
			t.Errorf("parseReference(%q) = %+v, %v; want %+v", ref, again, err, ref)
		}
	})
}
