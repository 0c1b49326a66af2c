package paramstore

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
)

// A Case is a way in which a call goes wrong.
type Case string

// The first four are refusals: the operation does not happen. In the others it
// happens, and its answer is lost on the way.
const (
	Throttle    Case = "throttle"     // 400 ThrottlingException
	Unavailable Case = "unavailable"  // 500 InternalServerError
	Denied      Case = "denied"       // 400 AccessDeniedException
	KMSDisabled Case = "kms-disabled" // 400 InvalidKeyId, with KMS's DisabledException in the message
	Timeout     Case = "timeout"      // no answer until the caller gives up
	Reset       Case = "reset"        // the connection is reset
	Truncated   Case = "truncated"    // the connection ends in the middle of the answer
)

var cases = []Case{Throttle, Unavailable, Denied, KMSDisabled, Timeout, Reset, Truncated}

// A Fault makes an operation go wrong for a number of calls.
type Fault struct {
	Op    string `json:"op"` // such as GetParameters
	Case  Case   `json:"case"`
	Times int    `json:"times"` // 0 means until ClearFaults
}

func (f Fault) check() error {
	if operations[f.Op] == nil {
		return fmt.Errorf("no operation %q", f.Op)
	}
	if !slices.Contains(cases, f.Case) {
		return fmt.Errorf("no case %q; there are %q", f.Case, cases)
	}
	if f.Times < 0 {
		return fmt.Errorf("times %d is negative", f.Times)
	}
	return nil
}

// Fail adds a fault. Faults of one operation come one after the other, in the
// order they were added. Fail panics on an operation or case that is not known.
func (s *Store) Fail(f Fault) {
	if err := f.check(); err != nil {
		panic("paramstore: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// ClearFaults ends all faults. A call that hangs in a Timeout stays there.
func (s *Store) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Store) takeFault(op string) Case {
	i := slices.IndexFunc(s.faults, func(f Fault) bool { return f.Op == op })
	if i < 0 {
		return ""
	}
	f := s.faults[i]
	switch f.Times {
	case 0:
	case 1:
		s.faults = slices.Delete(s.faults, i, i+1)
	default:
		s.faults[i].Times--
	}
	return f.Case
}

func (c Case) refusal(who caller, op string) error {
	switch c {
	case Throttle:
		return refuse("ThrottlingException", "Rate exceeded")
	case Unavailable:
		return &apiError{http.StatusInternalServerError, "InternalServerError", "An error occurred on the server side."}
	case Denied:
		return notAuthorized(who, op, who.parameterARN("*"))
	case KMSDisabled:
		key := fmt.Sprintf("arn:aws:kms:%s:%s:key/00000000-0000-4000-8000-000000000000", who.region, account)
		return refuse("InvalidKeyId", "%s is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException)", key)
	}
	return nil
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not a plain HTTP/1 connection: end it the way there is
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func truncate(w http.ResponseWriter, out any, err error) {
	status, body := encode(w.Header(), out, err)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body[:len(body)/2])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// serveFaults is the switchboard: POST a Fault, DELETE them all. It insists on
// JSON, which a web page of another origin cannot send without asking first.
func (s *Store) serveFaults(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodDelete:
		s.ClearFaults()
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST, DELETE")
		http.Error(w, "POST a fault or DELETE them all", http.StatusMethodNotAllowed)
		return
	case r.Header.Get("Content-Type") != "application/json":
		http.Error(w, "send application/json", http.StatusUnsupportedMediaType)
		return
	default:
		var f Fault
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<12)).Decode(&f)
		if err == nil {
			err = f.check()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.Fail(f)
	}
	w.WriteHeader(http.StatusNoContent)
}
