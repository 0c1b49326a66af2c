package x

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxRequest is more than any request of the API needs.
const maxRequest = 1 << 20

// A call is a request to an endpoint of X, and who makes it.
type call struct {
	*http.Request
	op      string
	v1      bool
	now     time.Time
	values  url.Values // of the query and, for a form, of the body
	body    []byte
	app     *app
	token   *token
	account *Account
}

// endpoint serves one operation.
func (x *X) endpoint(method, op string, serve func(*call) answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, op: op, v1: strings.HasPrefix(r.URL.Path, "/1.1/")}
		var err error
		switch c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)); {
		case err != nil:
			x.body("too-large").write(w, r)
		case r.Method != method:
			x.body("method-not-allowed").write(w, r)
		default:
			x.answer(c, serve).write(w, r)
		}
	})
}

// answer proves who calls, then counts the request against the limits, then
// lets a fault or a refusal answer, and only then asks serve.
func (x *X) answer(c *call, serve func(*call) answer) answer {
	x.mu.Lock()
	defer x.mu.Unlock()
	c.now = time.Now() // under the lock, so that ids follow the order of creation
	x.calls[c.op]++
	if wrong := x.admit(c); wrong != "" {
		return x.body(wrong)
	}
	header, exhausted := x.limit(c)
	fault, faulty := x.fault(c)
	refusal := x.refusal(c, exhausted)
	var a answer
	switch {
	case faulty && fault.instead():
		a = x.change(answer{status: c.success()}, fault)
	case refusal != "":
		a = x.body(refusal)
	default:
		a = serve(c)
		if faulty {
			a = x.change(a, fault)
		}
	}
	if a.status == http.StatusUnauthorized {
		return a // X sends no rate headers with it
	}
	if a.status == http.StatusPaymentRequired || fault.Case == "not-enrolled" {
		header["x-rate-limit-limit"], header["x-rate-limit-remaining"] = "40000", "39999" // as X does, whatever the limit
	}
	header["x-access-level"] = "read-write"
	if c.token.readOnly {
		header["x-access-level"] = "read"
	}
	header["x-transaction-id"] = strings.ToLower(rand.Text()[:16])
	header["api-version"] = "2.167"
	a.header = header
	return a
}

// admit finds out who calls, or names the body that refuses the request.
func (x *X) admit(c *call) string {
	who, wrong := x.verify(c.Request, c.body, c.now, func(name string, app *app) (string, bool) {
		t, ok := x.tokens[name]
		if !ok || t.app != app {
			return "", false
		}
		return t.secret, true
	})
	if wrong != "" && !c.v1 {
		return "unauthorized"
	}
	if wrong == "" {
		c.app, c.token, c.values = who.app, x.tokens[who.token], who.values
		c.account = c.token.account
	}
	return wrong
}

// refusal names the body that refuses a request whatever it asks, if one does.
func (x *X) refusal(c *call, exhausted bool) string {
	switch {
	case exhausted && c.v1:
		return "rate-limit-v1"
	case exhausted:
		return "rate-limit"
	case c.app.broke() && x.Old:
		return "no-credits-old"
	case c.app.broke():
		return "no-credits-new"
	case c.op == "create" && c.token.readOnly:
		return "read-only"
	}
	return ""
}

// success is the status of a request that went well.
func (c *call) success() int {
	if c.op == "create" && !c.v1 {
		return http.StatusCreated
	}
	return http.StatusOK
}

// An answer is what a request gets: doc as JSON or, without one, body.
type answer struct {
	status      int
	header      map[string]string
	doc         any
	body        string
	contentType string
	how         string        // "", or the case that is more than a body
	wait        time.Duration // of "slow"
}

// hugeBody is far more than a client should be ready to read.
const hugeBody = 64 << 20

func (a answer) write(w http.ResponseWriter, r *http.Request) {
	switch a.how {
	case "timeout":
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case "reset":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // the peer sees a reset, not an end
		}
		conn.Close()
		return
	case "slow":
		select {
		case <-time.After(a.wait):
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.Header().Set("Content-Type", cmp.Or(a.contentType, "application/json; charset=utf-8"))
	w.WriteHeader(a.status)
	if a.doc != nil {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.Encode(a.doc)
		return
	}
	io.WriteString(w, a.body)
	if a.how == "huge" {
		chunk := strings.Repeat("serverless ", 1<<12)
		for sent := 0; sent < hugeBody; sent += len(chunk) {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	}
}
