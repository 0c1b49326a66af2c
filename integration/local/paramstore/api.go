package paramstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An apiError is an answer that the service gives instead of a result.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(code, format string, args ...any) error {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return refuse("ValidationException", format, args...)
}

// A caller is who signed a request. The signature itself is not checked.
type caller struct{ accessKeyID, region string }

func (c caller) userARN() string { return "arn:aws:iam::" + account + ":user/" + c.accessKeyID }

// parameterARN works for a name with its leading slash and one without, as the
// service's ARNs do: both have exactly one slash after "parameter".
func (c caller) parameterARN(name string) string {
	return fmt.Sprintf("arn:aws:ssm:%s:%s:parameter/%s", c.region, account, strings.TrimPrefix(name, "/"))
}

type operation func(s *Store, c caller, body []byte) (any, error)

var operations = map[string]operation{
	"PutParameter":          decoded((*Store).putParameter),
	"GetParameter":          decoded((*Store).getParameter),
	"GetParameters":         decoded((*Store).getParameters),
	"GetParameterHistory":   decoded((*Store).getParameterHistory),
	"LabelParameterVersion": decoded((*Store).labelParameterVersion),
	"DeleteParameter":       decoded((*Store).deleteParameter),
	"DeleteParameters":      decoded((*Store).deleteParameters),
	"DescribeParameters":    decoded((*Store).describeParameters),
}

func decoded[In any](do func(*Store, caller, In) (any, error)) operation {
	return func(s *Store, c caller, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, refuse("SerializationException", "The request is not valid JSON of the expected shape.")
		}
		return do(s, c, in)
	}
}

// ServeHTTP answers one request.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/local/faults" {
		s.serveFaults(w, r)
		return
	}
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM.")
	do, ok := operations[name]
	if !ok || r.Method != http.MethodPost {
		reply(w, nil, refuse("UnknownOperationException", "The operation %q is not known here.", name))
		return
	}
	c, err := callerOf(r)
	if err != nil {
		reply(w, nil, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		reply(w, nil, refuse("SerializationException", "The request could not be read."))
		return
	}

	out, fault, err := s.call(c, name, do, body)
	switch fault {
	case Timeout:
		<-r.Context().Done()
	case Reset:
		reset(w)
	case Truncated:
		truncate(w, out, err)
	default:
		reply(w, out, err)
	}
}

// call runs one operation under the lock and writes down that it came. It
// returns the fault that the connection still has to suffer, if any.
func (s *Store) call(c caller, name string, do operation, body []byte) (out any, fault Case, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[name]++
	fault = s.takeFault(name)
	if err = fault.refusal(c, name); err == nil {
		out, err = do(s, c, body)
	}
	if name == "GetParameters" {
		read := Read{Time: time.Now(), AccessKeyID: c.accessKeyID, Error: string(fault)}
		var in getManyInput
		if json.Unmarshal(body, &in) == nil {
			read.Names = in.Names
		}
		if e, ok := errors.AsType[*apiError](err); ok {
			read.Error = e.code
		}
		s.record(read)
	}
	return out, fault, err
}

var credential = regexp.MustCompile(`^AWS4-HMAC-SHA256 .*\bCredential=([^/, ]+)/[^/]*/([^/]+)/`)

func callerOf(r *http.Request) (caller, error) {
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return caller{}, refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	m := credential.FindStringSubmatch(auth)
	if m == nil {
		return caller{}, refuse("IncompleteSignatureException", "Authorization header requires 'Credential' parameter.")
	}
	return caller{accessKeyID: m[1], region: m[2]}, nil
}

// reply writes a result or an error the way AWS JSON 1.1 does:
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
func reply(w http.ResponseWriter, out any, err error) {
	status, body := encode(w.Header(), out, err)
	w.WriteHeader(status)
	w.Write(body)
}

func encode(h http.Header, out any, err error) (status int, body []byte) {
	h.Set("Content-Type", "application/x-amz-json-1.1")
	h.Set("X-Amzn-Requestid", newUUID())
	status = http.StatusOK
	if e, ok := errors.AsType[*apiError](err); ok {
		status = e.status
		h.Set("X-Amzn-Errortype", e.code)
		key := "message"
		if e.code == "InternalServerError" || e.code == "InvalidNextToken" {
			key = "Message" // so the service's model spells these two
		}
		out = map[string]string{"__type": e.code, key: e.message}
	}
	body, err = json.Marshal(out)
	if err != nil {
		panic(err) // unreachable: only strings, numbers, and maps and slices of these
	}
	return status, body
}

func (s *Store) authorize(c caller, op string, names ...string) error {
	for _, name := range names {
		for _, d := range s.denied {
			if d.accessKeyID == c.accessKeyID && strings.HasPrefix(name, d.prefix) {
				return notAuthorized(c, op, c.parameterARN(name))
			}
		}
	}
	return nil
}

func notAuthorized(c caller, op, resource string) error {
	return refuse("AccessDeniedException", "User: %s is not authorized to perform: ssm:%s on resource: %s because no identity-based policy allows the ssm:%s action",
		c.userARN(), op, resource, op)
}

// A reference is a parsed name: NAME, NAME:VERSION, NAME:LABEL or an ARN of
// these.
type reference struct{ raw, name, selector string }

func (s *Store) parse(c caller, raw string) (reference, error) {
	name := raw
	if arnPath, ok := strings.CutPrefix(raw, c.parameterARN("")); ok {
		name = "/" + arnPath
		if bare, _, _ := strings.Cut(arnPath, ":"); s.params["/"+bare] == nil && s.params[bare] != nil {
			name = arnPath
		}
	} else if strings.HasPrefix(raw, "arn:") {
		return reference{raw: raw, name: raw}, nil // another account's or Region's: never found
	}
	name, selector, has := strings.Cut(name, ":")
	pattern := namePattern
	if strings.HasPrefix(name, secretRef) {
		pattern = secretPattern
	}
	if !pattern.MatchString(name) || has && (selector == "" || strings.ContainsAny(selector, ": ")) {
		return reference{}, invalid("Parameter name: can't be prefixed with \"ssm\" (case-insensitive). " +
			"If formed as a path, it can consist of sub-paths divided by slash symbol; " +
			"each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	}
	return reference{raw, name, selector}, nil
}

func (s *Store) parameter(name string) (*parameter, error) {
	p := s.params[name]
	if p == nil {
		return nil, refuse("ParameterNotFound", "Parameter %s not found.", name)
	}
	return p, nil
}

type wireParameter struct {
	ARN              string
	DataType         string `json:",omitempty"`
	LastModifiedDate float64
	Name             string
	Selector         string `json:",omitempty"` // with its leading colon
	SourceResult     string `json:",omitempty"`
	Type             string
	Value            string
	Version          int64
}

func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func withColon(selector string) string {
	if selector == "" {
		return ""
	}
	return ":" + selector
}

func (v *version) text(decrypt bool) string {
	if v.cipher != "" && !decrypt {
		return v.cipher
	}
	return v.value
}

func (s *Store) get(c caller, ref reference, decrypt bool) (wireParameter, error) {
	if strings.HasPrefix(ref.name, secretRef) {
		if !decrypt {
			return wireParameter{}, invalid("WithDecryption flag must be True for retrieving a Secret Manager secret.")
		}
		return s.secret(c, ref.name, ref.selector)
	}
	p, err := s.parameter(ref.name)
	if err != nil {
		return wireParameter{}, err
	}
	v, err := p.find(ref.selector)
	if err != nil {
		return wireParameter{}, err
	}
	return wireParameter{
		ARN: c.parameterARN(p.name), DataType: "text", LastModifiedDate: epoch(v.modified), Name: p.name,
		Selector: withColon(ref.selector), Type: p.typ, Value: v.text(decrypt), Version: v.number,
	}, nil
}

type getInput struct {
	Name           string
	WithDecryption bool
}

func (s *Store) getParameter(c caller, in getInput) (any, error) {
	ref, err := s.parse(c, in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(c, "GetParameter", ref.name); err != nil {
		return nil, err
	}
	p, err := s.get(c, ref, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Parameter": p}, nil
}

type getManyInput struct {
	Names          []string
	WithDecryption bool
}

func checkBatch(names []string) error {
	if n := len(names); n < 1 || n > maxBatch {
		return invalid("1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and %d, it has %d", maxBatch, n)
	}
	return nil
}

// getParameters answers a name that is asked for twice once: what the service
// does is not documented. Likewise a secret that is not there is among the
// invalid names, as a missing parameter is.
func (s *Store) getParameters(c caller, in getManyInput) (any, error) {
	if err := checkBatch(in.Names); err != nil {
		return nil, err
	}
	var refs []reference
	for _, raw := range in.Names {
		ref, err := s.parse(c, raw)
		if err != nil {
			return nil, err
		}
		if err := s.authorize(c, "GetParameters", ref.name); err != nil {
			return nil, err
		}
		if !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	found, missing := []wireParameter{}, []string{}
	for _, ref := range refs {
		p, err := s.get(c, ref, in.WithDecryption)
		if e, ok := errors.AsType[*apiError](err); ok && (e.code == "ParameterNotFound" || e.code == "ParameterVersionNotFound") {
			missing = append(missing, ref.raw)
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b wireParameter) int {
		return strings.Compare(a.Name+a.Selector, b.Name+b.Selector)
	})
	return map[string]any{"Parameters": found, "InvalidParameters": missing}, nil
}

type putInput struct {
	Name, Type, Value string
	KeyID             string `json:"KeyId"`
	Overwrite         bool
}

func (s *Store) putParameter(c caller, in putInput) (any, error) {
	if err := s.authorize(c, "PutParameter", in.Name); err != nil {
		return nil, err
	}
	n, err := s.put(in, c.userARN())
	if err != nil {
		return nil, err
	}
	return map[string]any{"Version": n, "Tier": "Standard"}, nil
}

type labelInput struct {
	Name             string
	ParameterVersion int64 // 0 means the latest
	Labels           []string
}

func (s *Store) labelParameterVersion(c caller, in labelInput) (any, error) {
	if err := s.authorize(c, "LabelParameterVersion", in.Name); err != nil {
		return nil, err
	}
	p, err := s.parameter(in.Name)
	if err != nil {
		return nil, err
	}
	v := p.latest()
	if in.ParameterVersion != 0 {
		if v, err = p.find(strconv.FormatInt(in.ParameterVersion, 10)); err != nil {
			return nil, err
		}
	}
	bad, err := p.label(v, in.Labels)
	if err != nil {
		return nil, err
	}
	return map[string]any{"InvalidLabels": bad, "ParameterVersion": v.number}, nil
}

func (s *Store) deleteParameter(c caller, in getInput) (any, error) {
	if err := s.authorize(c, "DeleteParameter", in.Name); err != nil {
		return nil, err
	}
	if _, err := s.parameter(in.Name); err != nil {
		return nil, err
	}
	delete(s.params, in.Name)
	return struct{}{}, nil
}

func (s *Store) deleteParameters(c caller, in getManyInput) (any, error) {
	if err := checkBatch(in.Names); err != nil {
		return nil, err
	}
	if err := s.authorize(c, "DeleteParameters", in.Names...); err != nil {
		return nil, err
	}
	deleted, missing := []string{}, []string{}
	for _, name := range in.Names {
		if s.params[name] == nil {
			missing = append(missing, name)
			continue
		}
		delete(s.params, name)
		deleted = append(deleted, name)
	}
	return map[string]any{"DeletedParameters": deleted, "InvalidParameters": missing}, nil
}

// wireVersion is an entry of GetParameterHistory, and without Value and Labels
// one of DescribeParameters.
type wireVersion struct {
	ARN              string `json:",omitempty"`
	DataType         string
	KeyID            string   `json:"KeyId,omitempty"`
	Labels           []string `json:",omitempty"`
	LastModifiedDate float64
	LastModifiedUser string
	Name             string
	Tier             string
	Type             string
	Value            string `json:",omitempty"`
	Version          int64
}

func (p *parameter) describe(v *version) wireVersion {
	return wireVersion{
		DataType: "text", KeyID: v.keyID, LastModifiedDate: epoch(v.modified), LastModifiedUser: v.user,
		Name: p.name, Tier: "Standard", Type: p.typ, Version: v.number,
	}
}

type historyInput struct {
	Name           string
	WithDecryption bool
	MaxResults     int
	NextToken      string
}

func (s *Store) getParameterHistory(c caller, in historyInput) (any, error) {
	ref, err := s.parse(c, in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(c, "GetParameterHistory", ref.name); err != nil {
		return nil, err
	}
	p, err := s.parameter(ref.name)
	if err != nil {
		return nil, err
	}
	var all []wireVersion
	for _, v := range p.versions {
		w := p.describe(v)
		w.Value, w.Labels = v.text(in.WithDecryption), slices.Clone(v.labels)
		all = append(all, w)
	}
	return page(all, in.MaxResults, in.NextToken)
}

type describeInput struct {
	ParameterFilters []filter
	MaxResults       int
	NextToken        string
}

type filter struct {
	Key, Option string
	Values      []string
}

// describeParameters is authorised on no name in particular, as the service's
// is, so Deny does not concern it.
func (s *Store) describeParameters(c caller, in describeInput) (any, error) {
	all := []wireVersion{}
	for _, name := range slices.Sorted(maps.Keys(s.params)) {
		p := s.params[name]
		keep := true
		for _, f := range in.ParameterFilters {
			ok, err := f.matches(p)
			if err != nil {
				return nil, err
			}
			keep = keep && ok
		}
		if keep {
			w := p.describe(p.latest())
			w.ARN = c.parameterARN(name)
			all = append(all, w)
		}
	}
	return page(all, in.MaxResults, in.NextToken)
}

// matches follows
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
// for the keys Name, Path and Type.
func (f filter) matches(p *parameter) (bool, error) {
	var match func(value string) bool
	switch f.Key + " " + f.Option {
	case "Name ", "Name Equals":
		match = func(v string) bool { return p.name == v }
	case "Name BeginsWith":
		match = func(v string) bool { return strings.HasPrefix(p.name, v) }
	case "Name Contains":
		match = func(v string) bool { return strings.Contains(p.name, v) }
	case "Type ", "Type Equals":
		match = func(v string) bool { return p.typ == v }
	case "Path ", "Path OneLevel":
		match = func(v string) bool {
			rest, ok := strings.CutPrefix(p.name, strings.TrimSuffix(v, "/")+"/")
			return ok && !strings.Contains(rest, "/")
		}
	case "Path Recursive":
		match = func(v string) bool { return strings.HasPrefix(p.name, strings.TrimSuffix(v, "/")+"/") }
	default:
		if slices.Contains([]string{"Name", "Path", "Type"}, f.Key) {
			return false, refuse("InvalidFilterOption", "The option %q of the filter key %q is not valid.", f.Option, f.Key)
		}
		return false, invalid("1 validation error detected: Value '%s' at 'parameterFilters' failed to satisfy constraint: Member must be one of Name, Path and Type here", f.Key)
	}
	return slices.ContainsFunc(f.Values, match), nil
}

// page cuts one page of at most 50 entries; the token is the place of the next.
func page(all []wireVersion, size int, token string) (any, error) {
	if size == 0 {
		size = 50
	}
	if size < 1 || size > 50 {
		return nil, invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 50", size)
	}
	from := 0
	if token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(all) {
			return nil, refuse("InvalidNextToken", "The specified token is not valid.")
		}
		from = n
	}
	to := min(from+size, len(all))
	out := map[string]any{"Parameters": all[from:to]}
	if to < len(all) {
		out["NextToken"] = strconv.Itoa(to)
	}
	return out, nil
}
