// Package paramstore stands in for AWS Systems Manager Parameter Store on a
// laptop and in tests: an http.Handler that the AWS SDKs and the aws command
// reach through an endpoint URL.
//
// It is meant to be as unhelpful as the service: a SecureString comes back
// encrypted unless decryption is asked for, one denied name fails a whole
// batch, a missing name is no HTTP error, and the order of a reply is not the
// order of the request. Where the service's behaviour is not documented, the
// comment at that place says what was chosen.
//
// Everything is kept in memory. No value is logged or put into an error.
package paramstore

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The service's limits, from
// https://docs.aws.amazon.com/general/latest/gr/ssm.html and
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html.
const (
	maxValueBytes = 4096
	maxNameLength = 1011
	maxLevels     = 15
	maxVersions   = 100 // kept of one parameter
	maxLabels     = 10  // on one version
	maxBatch      = 10  // names in GetParameters and DeleteParameters
	maxReads      = 1000
)

const (
	account    = "123456789012"
	seedUser   = "arn:aws:iam::" + account + ":root"
	defaultKey = "alias/aws/ssm"
	secretRef  = "/aws/reference/secretsmanager/"
)

// A Store holds parameters, and secrets that are read through them. It serves
// the AWS JSON 1.1 protocol at / and its own switches at /local/faults. It is
// safe for concurrent use.
type Store struct {
	mu      sync.Mutex // guards the fields below
	params  map[string]*parameter
	secrets map[string][]secretVersion // by secret id, oldest first
	denied  []denial
	faults  []Fault
	calls   map[string]int
	reads   []Read
}

type parameter struct {
	name, typ string
	versions  []*version // oldest first, never empty
}

type version struct {
	number        int64
	value, cipher string
	keyID         string // of a SecureString
	user          string
	modified      time.Time
	labels        []string
}

type secretVersion struct {
	id, value string
	created   time.Time
}

type denial struct{ accessKeyID, prefix string }

// A Read is one GetParameters call that reached the store, refused ones
// included.
type Read struct {
	Time        time.Time
	AccessKeyID string
	Names       []string // as asked for, with selectors
	Error       string   // the error code or fault it met; empty for an answer
}

// New returns an empty store.
func New() *Store {
	return &Store{
		params:  map[string]*parameter{},
		secrets: map[string][]secretVersion{},
		calls:   map[string]int{},
	}
}

// Put writes a new version of a parameter, making the parameter if need be,
// and returns the version's number. The type is String, StringList or
// SecureString. Put is for seeds written in code: it panics where the service
// would refuse.
func (s *Store) Put(name, typ, value string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.put(putInput{Name: name, Type: typ, Value: value, Overwrite: true}, seedUser)
	if err != nil {
		panic(fmt.Sprintf("paramstore: put %q: %v", name, err))
	}
	return n
}

// SetSecret gives the Secrets Manager secret id a new current value and
// returns the version's id. The value before it becomes AWSPREVIOUS. Secrets
// are read as the parameter /aws/reference/secretsmanager/<id>.
func (s *Store) SetSecret(id, value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := secretVersion{id: newUUID(), value: value, created: time.Now()}
	s.secrets[id] = append(s.secrets[id], v)
	return v.id
}

// Deny refuses every operation of the caller with this access key id on the
// names that begin with prefix.
func (s *Store) Deny(accessKeyID, prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = append(s.denied, denial{accessKeyID, prefix})
}

// Calls returns how often each operation was called, refused and faulty calls
// included. An SDK's retries are calls of their own.
func (s *Store) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make(map[string]int, len(s.calls))
	for op, n := range s.calls {
		calls[op] = n
	}
	return calls
}

// Reads returns the last thousand GetParameters calls, oldest first. The
// caller may keep and change the slice, but not the names in it.
func (s *Store) Reads() []Read {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reads)
}

func (s *Store) record(r Read) {
	if len(s.reads) == maxReads {
		s.reads = slices.Delete(s.reads, 0, 1)
	}
	s.reads = append(s.reads, r)
}

var (
	namePattern   = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)
	secretPattern = regexp.MustCompile(`^[a-zA-Z0-9_.\-/+=@]+$`)
	labelPattern  = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)
)

// reserved reports whether s begins with a prefix that AWS keeps for itself.
func reserved(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "aws") || strings.HasPrefix(s, "ssm")
}

// checkName applies the naming rules of
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html.
func checkName(name string) error {
	path := strings.TrimPrefix(name, "/")
	switch {
	case strings.HasPrefix(strings.ToLower(path), "aws"):
		return refuse("AccessDeniedException", "No access to reserved parameter name: %s.", path)
	case len(name) > maxNameLength:
		return invalid("Parameter name must not be longer than %d characters.", maxNameLength)
	case strings.Contains(path, "/") && path == name:
		return invalid("Parameter name must be a fully qualified name.")
	case !namePattern.MatchString(name), strings.Contains(name, "//"), path == "", strings.HasSuffix(path, "/"), reserved(path):
		return invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). " +
			"If formed as a path, it can consist of sub-paths divided by slash symbol; " +
			"each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.Count(path, "/") >= maxLevels:
		return refuse("HierarchyLevelLimitExceededException", "Parameter name must not exceed %d levels.", maxLevels)
	}
	return nil
}

func (s *Store) put(in putInput, user string) (int64, error) {
	if err := checkName(in.Name); err != nil {
		return 0, err
	}
	p := s.params[in.Name]
	typ := in.Type
	if typ == "" && p != nil {
		typ = p.typ
	}
	switch {
	case p != nil && !in.Overwrite:
		return 0, refuse("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case typ == "":
		return 0, invalid("A parameter type is required when you create a parameter.")
	case typ != "String" && typ != "StringList" && typ != "SecureString":
		return 0, invalid("1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]", typ)
	case p != nil && typ != p.typ:
		return 0, refuse("HierarchyTypeMismatchException", "The parameter %s is a %s and can't become a %s. Create a new parameter.", in.Name, p.typ, typ)
	case in.Value == "":
		return 0, invalid("1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(in.Value) > maxValueBytes:
		return 0, invalid("Standard tier parameters support a maximum parameter value of %d characters.", maxValueBytes)
	}

	v := &version{number: 1, value: in.Value, user: user, modified: time.Now()}
	if typ == "SecureString" {
		v.cipher = newCiphertext()
		v.keyID = cmp.Or(in.KeyID, defaultKey)
	}
	if p == nil {
		s.params[in.Name] = &parameter{name: in.Name, typ: typ, versions: []*version{v}}
		return v.number, nil
	}
	if len(p.versions) == maxVersions {
		if oldest := p.versions[0]; len(oldest.labels) > 0 {
			return 0, refuse("ParameterMaxVersionLimitExceeded", "Version %d of %s, the oldest version, can't be deleted because it has a label. Move the label to another version and try again.", oldest.number, in.Name)
		}
		p.versions = slices.Delete(p.versions, 0, 1)
	}
	v.number = p.latest().number + 1
	p.versions = append(p.versions, v)
	return v.number, nil
}

func (p *parameter) latest() *version { return p.versions[len(p.versions)-1] }

// find returns the version that a selector (without its colon) names.
func (p *parameter) find(selector string) (*version, error) {
	if selector == "" {
		return p.latest(), nil
	}
	number, err := strconv.ParseInt(selector, 10, 64)
	isNumber := err == nil
	for _, v := range p.versions {
		if isNumber && v.number == number || !isNumber && slices.Contains(v.labels, selector) {
			return v, nil
		}
	}
	what := "label"
	if isNumber {
		what = "version"
	}
	return nil, refuse("ParameterVersionNotFound", "Systems Manager could not find %s %s of %s. Verify it and try again.", what, selector, p.name)
}

// label moves labels to a version and returns those that break the rules of
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html;
// these are left out, the others are set.
func (p *parameter) label(v *version, labels []string) (bad []string, err error) {
	bad = []string{}
	var good []string
	for _, l := range labels {
		switch {
		case len(l) > 100:
			return nil, invalid("1 validation error detected: Value at 'labels' failed to satisfy constraint: Member must have length less than or equal to 100")
		case !labelPattern.MatchString(l) || reserved(l):
			bad = append(bad, l)
		case !slices.Contains(v.labels, l) && !slices.Contains(good, l):
			good = append(good, l)
		}
	}
	if len(v.labels)+len(good) > maxLabels {
		return nil, refuse("ParameterVersionLabelLimitExceeded", "A version of %s can have at most %d labels.", p.name, maxLabels)
	}
	for _, other := range p.versions {
		other.labels = slices.DeleteFunc(other.labels, func(l string) bool { return slices.Contains(good, l) })
	}
	v.labels = append(v.labels, good...)
	return bad, nil
}

// secret answers a reference to Secrets Manager. The shape is that of
// https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html:
// version 0, and a SourceResult that holds the value a second time.
func (s *Store) secret(c caller, name, selector string) (wireParameter, error) {
	id := strings.TrimPrefix(name, secretRef)
	versions := s.secrets[id]
	for i, v := range versions {
		stages := []string{}
		switch i {
		case len(versions) - 1:
			stages = append(stages, "AWSCURRENT")
		case len(versions) - 2:
			stages = append(stages, "AWSPREVIOUS")
		}
		if want := cmp.Or(selector, "AWSCURRENT"); want != v.id && !slices.Contains(stages, want) {
			continue
		}
		arn := fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-AbCdEf", c.region, account, id)
		source, err := json.Marshal(map[string]any{
			"aRN": arn, "createdDate": v.created.UTC().Format(time.RFC3339), "name": id,
			"secretString": v.value, "versionId": v.id, "versionStages": stages,
		})
		if err != nil {
			panic(err) // unreachable: only strings
		}
		return wireParameter{
			ARN: arn, Name: name, Selector: withColon(selector), Type: "SecureString", Value: v.value,
			LastModifiedDate: epoch(v.created), SourceResult: string(source),
		}, nil
	}
	return wireParameter{}, refuse("ParameterNotFound", "Secret %s not found.", name)
}

// newCiphertext returns text as unlike the plaintext as KMS's would be, and of
// a length that does not tell the plaintext's.
func newCiphertext() string {
	var b [120]byte
	rand.Read(b[:])
	return "AQICAH" + base64.StdEncoding.EncodeToString(b[:])
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
