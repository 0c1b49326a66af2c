package x

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault makes X answer otherwise than its world would. It meets requests whose
// signature is good, in the order in which faults were set.
type Fault struct {
	// Account is the account it is for, by name or id; empty means all.
	Account string `json:"account,omitempty"`
	// Op is "search", "create", "me", "timeline", or "*" (or empty) for all.
	Op string `json:"op,omitempty"`
	// Case names the answer: a key of the table in bodies.go, "partial" (the right answer with
	// an errors list beside the data) or "slow" (the right answer after Seconds).
	// "timeout" answers nothing until the client gives up, "reset" closes the
	// connection instead of an answer, "huge" answers 64 MiB.
	Case string `json:"case"`
	// ContentType "problem" sends application/problem+json.
	ContentType string `json:"content_type,omitempty"`
	// Times is how many requests it meets; zero means all until it is cleared,
	// which is how an account is suspended or locked.
	Times int `json:"times,omitempty"`
	// When is "before" (or empty): the request has no effect; or "after": it has
	// its effect, such as a new post, although the answer says otherwise.
	When string `json:"when,omitempty"`
	// Seconds is how long "slow" waits; zero means 5.
	Seconds float64 `json:"seconds,omitempty"`
}

// partialError stands beside the data in the answer of the case "partial".
var partialError = map[string]any{"resource_id": "456", "resource_type": "tweet", "title": "Not Found Error",
	"detail": "Could not find tweet with id: [456]."}

func (f Fault) check() error {
	if _, ok := bodies[f.Case]; !ok && f.Case != "partial" && f.Case != "slow" {
		return fmt.Errorf("unknown case %q", f.Case)
	}
	if !slices.Contains([]string{"", "*", "search", "create", "me", "timeline"}, f.Op) {
		return fmt.Errorf("unknown op %q", f.Op)
	}
	if !slices.Contains([]string{"", "before", "after"}, f.When) {
		return fmt.Errorf("unknown when %q", f.When)
	}
	if f.ContentType != "" && f.ContentType != "problem" {
		return fmt.Errorf("unknown content_type %q", f.ContentType)
	}
	if f.Times < 0 || f.Seconds < 0 {
		return fmt.Errorf("times and seconds may not be negative")
	}
	return nil
}

// Fault adds a fault. It panics on one that does not exist.
func (x *X) Fault(f Fault) {
	if err := f.check(); err != nil {
		panic("x: " + err.Error())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults = append(x.faults, &f)
}

// ClearFaults removes all faults.
func (x *X) ClearFaults() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults = nil
}

// fault takes the first fault that meets a request, if there is one.
func (x *X) fault(c *call) (Fault, bool) {
	for i, f := range x.faults {
		if f.Op != "" && f.Op != "*" && f.Op != c.op {
			continue
		}
		if f.Account != "" && x.account(f.Account) != c.account {
			continue
		}
		if f.Times == 1 {
			x.faults = slices.Delete(x.faults, i, i+1)
		} else if f.Times > 1 {
			f.Times--
		}
		return *f, true
	}
	return Fault{}, false
}

// instead reports whether the request has no effect.
func (f Fault) instead() bool { return f.When != "after" && f.Case != "partial" && f.Case != "slow" }

// change turns the right answer into the one of the fault.
func (x *X) change(right answer, f Fault) answer {
	a := right
	switch f.Case {
	case "partial":
		if doc, ok := right.doc.(map[string]any); ok {
			problem := map[string]any{"type": x.problems() + "resource-not-found"}
			for k, v := range partialError {
				problem[k] = v
			}
			doc["errors"] = []any{problem}
		}
	case "slow":
		a.how, a.wait = "slow", time.Duration(cmp.Or(f.Seconds, 5)*float64(time.Second))
	default:
		a = x.body(f.Case)
		a.status = cmp.Or(a.status, right.status)
	}
	if f.ContentType == "problem" {
		a.contentType = "application/problem+json"
	}
	return a
}

// local serves what belongs to the stand-in and not to X. Only a request to a
// loopback Host is answered, and none that a browser sends for a foreign page.
func (x *X) local() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /local/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		d.DisallowUnknownFields()
		err := d.Decode(&f)
		if err == nil {
			err = f.check()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		x.Fault(f)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /local/faults", func(w http.ResponseWriter, r *http.Request) {
		x.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /local/faults", func(w http.ResponseWriter, r *http.Request) {
		list := []Fault{}
		x.mu.Lock()
		for _, f := range x.faults {
			list = append(list, *f)
		}
		x.mu.Unlock()
		answer{status: 200, doc: list}.write(w, r)
	})
	mux.HandleFunc("GET /local/posts", func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		account := x.account(r.FormValue("account"))
		x.mu.Unlock()
		if account == nil {
			http.Error(w, "unknown account "+strconv.Quote(r.FormValue("account")), http.StatusNotFound)
			return
		}
		posts := x.Posts(account.ID)
		if posts == nil {
			posts = []Post{}
		}
		answer{status: 200, doc: posts}.write(w, r)
	})
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.Host) {
			http.Error(w, "only for requests to a loopback host", http.StatusForbidden)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
