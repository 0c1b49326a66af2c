package twitter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// impatient returns a client that gives up after 100 ms instead of 10 s.
func impatient(t *testing.T, h http.HandlerFunc) *Client {
	c := New(serve(t, h), testKeys)
	c.wire.http.Timeout = 100 * time.Millisecond
	return c
}

// checkAll makes each call of a, and wants class read of the reads and class
// create of Create.
func checkAll(t *testing.T, a api, read, create Class) {
	t.Helper()
	for name, err := range callAll(t.Context(), a) {
		want := read
		if name == "create" {
			want = create
		}
		if got := asError(t, err).Class; got != want {
			t.Errorf("%s: %v, want class %q", name, err, want)
		}
	}
}

func TestSilentServer(t *testing.T) {
	checkAll(t, impatient(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not notice that the client has gone
		<-r.Context().Done()
	}), Unavailable, Unknown)
}

func TestDripping(t *testing.T) {
	checkAll(t, impatient(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"data":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}), Unavailable, Unknown)
}

func TestEveryCallHasATimeout(t *testing.T) {
	if got := New(parseURL(t, "https://api.x.com"), testKeys).wire.http.Timeout; got != 10*time.Second {
		t.Errorf("a call may take %v, want 10s", got)
	}
}

func TestContextEndsCalls(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("enough")
	c := New(serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel(gone)
		<-r.Context().Done()
	}), testKeys)
	_, err := c.Create(ctx, "Superman")
	if e := asError(t, err); e.Class != Unknown || !errors.Is(err, gone) && !errors.Is(err, context.Canceled) {
		t.Errorf("over while waiting: %v, want an unknown outcome that wraps the cause", err)
	}
	// From here on ctx is over before anything is written.
	_, err = c.Create(ctx, "Superman")
	if e := asError(t, err); e.Class != NotSent {
		t.Errorf("over before: %v, want class %q", err, NotSent)
	}
	_, err = c.Search(ctx, "serverless", 0, 0, 10)
	if e := asError(t, err); e.Class != Unavailable {
		t.Errorf("over before: %v, want class %q", err, Unavailable)
	}
}

func TestEndlessBody(t *testing.T) {
	for _, status := range []int{200, 403} {
		var sent atomic.Int64
		c := New(serve(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			chunk := bytes.Repeat([]byte(" "), 64<<10)
			for {
				n, err := w.Write(chunk)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		}), testKeys)
		if status == 200 {
			checkAll(t, c, Unavailable, Unknown)
		} else {
			checkAll(t, c, Forbidden, Forbidden)
		}
		// Four calls of 4 MiB, and what the kernel buffers for each.
		if got := sent.Load(); got > 64<<20 {
			t.Errorf("status %d: the server could send %d MiB", status, got>>20)
		}
	}
}

func TestResetMidBody(t *testing.T) {
	checkAll(t, New(serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"data":{"id":"2116"}}`) // and then the connection ends
	}), testKeys), Unavailable, Unknown)
}

// hangUp reads a request and closes the connection without an answer.
func hangUp(t *testing.T, w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	conn.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
	conn.Close()
}

// The server closes a connection that it has kept alive just when a POST comes
// in on it, which is when net/http would send some requests once more.
func TestPostIsSentOnce(t *testing.T) {
	var posts atomic.Int64
	c := New(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			hangUp(t, w, r)
			return
		}
		io.WriteString(w, `{"data":{"id":"2116","username":"superman"}}`)
	}), testKeys)
	for i := range int64(5) {
		if _, err := c.Me(t.Context()); err != nil { // leaves an idle connection behind
			t.Fatal(err)
		}
		_, err := c.Create(t.Context(), "Superman")
		if e := asError(t, err); e.Class != Unknown {
			t.Errorf("%v, want class %q", e, Unknown)
		}
		if got := posts.Load(); got != i+1 {
			t.Fatalf("the server saw %d POSTs for %d calls", got, i+1)
		}
	}
}

// Nor is a GET: its nonce would be used, and X would refuse the credentials.
func TestReadIsSentOnce(t *testing.T) {
	var reads atomic.Int64
	c := New(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/2/users/me") {
			io.WriteString(w, `{"data":{"id":"2116","username":"superman"}}`)
			return
		}
		reads.Add(1)
		hangUp(t, w, r)
	}), testKeys)
	for i := range int64(5) {
		if _, err := c.Me(t.Context()); err != nil { // leaves an idle connection behind
			t.Fatal(err)
		}
		_, err := c.Timeline(t.Context(), "2116", 0, 0, 10)
		if e := asError(t, err); e.Class != Unavailable {
			t.Errorf("%v, want class %q", e, Unavailable)
		}
		if got := reads.Load(); got != i+1 {
			t.Fatalf("the server saw %d reads for %d calls", got, i+1)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// net/http sends a POST again, where it thinks that is safe, if it can get its
// body again or the request says that it is idempotent.
func checkNotReplayable(t *testing.T, a api, w *wire) {
	t.Helper()
	posts := 0
	w.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			posts++
			if r.GetBody != nil || r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil {
				t.Errorf("%s %s may be sent again", r.Method, r.URL)
			}
		}
		return nil, io.ErrUnexpectedEOF
	})
	checkAll(t, a, Unavailable, NotSent)
	if posts != 1 {
		t.Errorf("%d POSTs, want 1", posts)
	}
}

func TestPostIsNotReplayable(t *testing.T) {
	c := New(parseURL(t, "https://api.x.com"), testKeys)
	checkNotReplayable(t, c, &c.wire)
}

func TestConnectionIsReused(t *testing.T) {
	peers := map[string]bool{}
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		io.WriteString(w, `{"data":{"id":"2116","username":"superman"}}`)
	})
	for range 3 {
		if _, err := New(base, testKeys).Me(t.Context()); err != nil { // as after new keys
			t.Fatal(err)
		}
	}
	if len(peers) != 1 {
		t.Errorf("3 calls used %d connections, want 1", len(peers))
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { elsewhere.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		checkAll(t, New(serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.String()+r.URL.Path, status)
		}), testKeys), Forbidden, Forbidden)
	}
	if got := elsewhere.Load(); got != 0 {
		t.Errorf("the other host saw %d requests", got)
	}
}

func TestNothingSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := parseURL(t, "http://"+listener.Addr().String())
	listener.Close()
	checkAll(t, New(closed, testKeys), Unavailable, NotSent)

	var requests atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	defer srv.Close()
	checkAll(t, New(parseURL(t, srv.URL), testKeys), Unavailable, NotSent)
	if got := requests.Load(); got != 0 {
		t.Errorf("a server with a certificate of its own saw %d requests", got)
	}

	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	plain.Scheme = "https"
	checkAll(t, New(plain, testKeys), Unavailable, NotSent)
}

// The environment's proxy is read once in a process, so a second one calls a
// name that only a proxy could answer for.
func TestNoProxy(t *testing.T) {
	if os.Getenv("TWITTER_TEST_PROXIED") != "" {
		checkAll(t, New(parseURL(t, "http://superbots.invalid"), testKeys), Unavailable, NotSent)
		return
	}
	var requests atomic.Int64
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoProxy$")
	child.Env = append(os.Environ(), "TWITTER_TEST_PROXIED=1", "HTTP_PROXY="+proxy.String(), "NO_PROXY=")
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if got := requests.Load(); got != 0 {
		t.Errorf("the proxy saw %d requests", got)
	}
}

// A server that quotes whatever it is sent must not bring the keys into errors.
func TestNoKeyInErrors(t *testing.T) {
	canaries := []string{consumerKey, consumerSecret, accessToken, accessSecret, percent(consumerSecret), percent(accessSecret)}
	check := func(what string, v any) {
		t.Helper()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			got := fmt.Sprintf(verb, v)
			for _, c := range canaries {
				if strings.Contains(got, c) {
					t.Errorf("%s printed with %s shows %q: %.300s", what, verb, c, got)
				}
			}
		}
	}
	for _, status := range []int{200, 400, 401, 402, 403, 404, 429, 500} {
		c := New(serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"title":%q,"type":%[1]q,"detail":%[1]q,"errors":[{"message":%[1]q}]}`, r.Header.Get("Authorization"))
		}), testKeys)
		for name, err := range callAll(t.Context(), c) {
			check(name, err)
			check(name, *asError(t, err))
		}
		check("client", c)
		check("client", *c)
	}
	c := New(serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(conn, "%s\r\n\r\n", r.Header.Get("Authorization"))
		conn.Close()
	}), testKeys)
	for name, err := range callAll(t.Context(), c) {
		check(name, err)
		check(name, *asError(t, err))
	}
}

// quiet takes the log lines of servers that are called wrongly on purpose.
var quiet = log.New(io.Discard, "", 0)
