package reliability_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Calls as a wire names them.
const (
	getParameters = "GetParameters"
	query         = "Query"
	batchGet      = "BatchGetItem"
	transact      = "TransactWriteItems"
	search        = "GET /2/tweets/search/recent"
	create        = "POST /2/tweets"
	timeline      = "GET /2/users/ID/tweets"
)

// A wire is all that a function's calls go over: a proxy in front of each
// server. It notes every call, and what a test hooks to one happens while the
// caller waits for the answer.
type wire struct {
	t testing.TB

	mu    sync.Mutex // guards what follows
	calls []string   // oldest first
	hooks []*hook

	under int           // how many calls are under way
	since time.Time     // when under became 1
	busy  time.Duration // how long it was not 0
}

// A hook is what happens at the nth call of a name from when it was set, or at
// every one (0).
type hook struct {
	call     string
	n        int
	answered bool // when the server has answered, and not when the call arrives
	do       doer

	seen int
}

// A doer returns whether the call goes on to the server or, if the server has
// given its answer, whether that goes on to the caller. If not, the doer has
// answered in its place or, if it did not touch w, the connection is reset.
type doer func(w http.ResponseWriter, answer []byte) (pass bool)

// at hooks do to the nth call.
func (wi *wire) at(call string, n int, answered bool, do doer) {
	wi.mu.Lock()
	defer wi.mu.Unlock()
	wi.hooks = append(wi.hooks, &hook{call: call, n: n, answered: answered, do: do})
}

// clear takes all hooks away, and forgets the calls so far and their time.
func (wi *wire) clear() {
	wi.mu.Lock()
	defer wi.mu.Unlock()
	wi.hooks, wi.calls, wi.busy = nil, nil, 0
}

// seen returns the calls since clear, oldest first.
func (wi *wire) seen() []string {
	wi.mu.Lock()
	defer wi.mu.Unlock()
	return slices.Clone(wi.calls)
}

// took returns how long at least one call has been under way since clear.
func (wi *wire) took() time.Duration {
	wi.mu.Lock()
	defer wi.mu.Unlock()
	return wi.busy
}

func (wi *wire) count(call string) int {
	n := 0
	for _, c := range wi.seen() {
		if c == call {
			n++
		}
	}
	return n
}

func (wi *wire) arrives(call string) (before, after []doer) {
	wi.mu.Lock()
	defer wi.mu.Unlock()
	wi.calls = append(wi.calls, call)
	for _, h := range wi.hooks {
		if h.call != call {
			continue
		}
		h.seen++
		switch {
		case h.n != 0 && h.n != h.seen:
		case h.answered:
			after = append(after, h.do)
		default:
			before = append(before, h.do)
		}
	}
	return before, after
}

// underWay counts calls that arrive (1) and that have been answered (-1).
func (wi *wire) underWay(n int) {
	wi.mu.Lock()
	defer wi.mu.Unlock()
	if wi.under == 0 {
		wi.since = time.Now()
	}
	if wi.under += n; wi.under == 0 {
		wi.busy += time.Since(wi.since)
	}
}

// name returns what a request is called here.
func name(r *http.Request) string {
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return op
	}
	path := r.URL.Path
	if strings.HasPrefix(path, "/2/users/") {
		path = "/2/users/ID/tweets"
	}
	return r.Method + " " + path
}

// gate puts a proxy in front of the server at target. Each call through it takes
// at least delay. The host that the caller names goes on to the server, which X
// needs for the signature.
func (wi *wire) gate(target string, delay time.Duration) (gateURL string) {
	to, err := url.Parse(target)
	if err != nil {
		wi.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			panic(http.ErrAbortHandler) // the caller is gone, or the server is: there is no answer
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		wi.underWay(1)
		defer wi.underWay(-1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the caller is gone
		}
		before, after := wi.arrives(name(r))
		answer := &touched{ResponseWriter: w}
		for _, do := range before {
			if !do(answer, nil) {
				answer.end()
				return
			}
		}
		// What has arrived has its effect, though its sender may be dead by now.
		r = r.WithContext(wi.t.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		got := httptest.NewRecorder()
		proxy.ServeHTTP(got, r)
		maps.Copy(w.Header(), got.Header())
		w.Header().Del("Content-Length") // a hook may change the body
		for _, do := range after {
			if !do(answer, got.Body.Bytes()) {
				answer.end()
				return
			}
		}
		if delay > 0 {
			<-time.After(delay - time.Since(began))
		}
		w.WriteHeader(got.Code)
		w.Write(got.Body.Bytes())
	}))
	wi.t.Cleanup(server.Close)
	return server.URL
}

// touched knows whether somebody has answered.
type touched struct {
	http.ResponseWriter
	yes bool
}

func (w *touched) WriteHeader(status int) {
	w.yes = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *touched) Write(b []byte) (int, error) {
	w.yes = true
	return w.ResponseWriter.Write(b)
}

// end resets the connection of a call that nobody has answered.
func (w *touched) end() {
	if w.yes {
		return
	}
	conn, _, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		panic(fmt.Errorf("unreachable: the server speaks HTTP/1.1: %w", err))
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// lose resets the connection.
func lose(http.ResponseWriter, []byte) bool { return false }
