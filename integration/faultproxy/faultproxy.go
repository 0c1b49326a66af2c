// Package faultproxy stands between an AWS client and a server, and makes the
// calls that a plan names go wrong on the wire.
//
// The one idea: a fault belongs to the number of a call, so that the same plan
// gives the same run. Each call has a connection of its own, and is numbered
// when it asks for one.
package faultproxy

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
)

// A Fault is a way in which a call goes wrong.
type Fault string

// The target sees a call that passes and one that is truncated, and no other.
const (
	Pass     Fault = ""
	Refuse   Fault = "refuse"   // the port is closed
	Reset    Fault = "reset"    // the connection is reset when the request has been read
	Slow     Fault = "slow"     // no answer until the caller gives up
	Throttle Fault = "throttle" // 400 ThrottlingException
	Fail     Fault = "fail"     // 500 InternalServerError
	Truncate Fault = "truncate" // the target's answer ends in the middle
)

// Quick are the faults that end by themselves.
var Quick = []Fault{Refuse, Reset, Throttle, Fail, Truncate}

// A Plan has the fault of each call, the first one's first. Later calls pass.
type Plan []Fault

// Random returns a plan in which about half of the calls meet one of Quick. It
// depends on its arguments alone.
func Random(seed uint64, calls int) Plan {
	random := rand.New(rand.NewPCG(seed, 0))
	plan := make(Plan, calls)
	for i := range plan {
		if random.IntN(2) == 0 {
			plan[i] = Quick[random.IntN(len(Quick))]
		}
	}
	return plan
}

// A Proxy is a running proxy. It may be used by many goroutines at once.
type Proxy struct {
	URL string // of the proxy, http://127.0.0.1:PORT

	target *httputil.ReverseProxy
	server *httptest.Server
	faults sync.Map // of Fault, by the client's end of each connection

	mu    sync.Mutex // guards what follows
	plan  Plan       // of the calls to come
	calls int        // so far
}

// New starts a proxy to target, such as http://127.0.0.1:5000, on a free
// loopback port. Whoever starts it closes it.
func New(target string, plan Plan) *Proxy {
	to, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	p := &Proxy{plan: plan}
	p.target = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	return p
}

// Close ends the proxy, and waits for the calls under way.
func (p *Proxy) Close() { p.server.Close() }

// Calls returns how many calls there were, refused ones included.
func (p *Proxy) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// Then replaces the plan. The new one starts with the next call.
func (p *Proxy) Then(plan ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
}

// Client returns a client for URL. The calls of others pass, and do not count.
func (p *Proxy) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true}}
}

func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	fault := Pass
	if len(p.plan) > 0 {
		fault, p.plan = p.plan[0], p.plan[1:]
	}
	if fault == Refuse {
		address = "127.0.0.1:1" // tcpmux, RFC 1078: nobody listens there
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		p.faults.Store(conn.LocalAddr().String(), fault)
	}
	return conn, err
}

// ServeHTTP is the server's side of one call.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch fault, _ := p.faults.Load(r.RemoteAddr); fault {
	case Reset, Slow:
		io.Copy(io.Discard, r.Body)
		if fault == Slow {
			<-r.Context().Done()
		}
		conn, _, _ := http.NewResponseController(w).Hijack() // the server speaks HTTP/1.1
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	case Throttle:
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"ThrottlingException"}`)
	case Fail:
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, `{"__type":"InternalServerError"}`)
	case Truncate:
		cut := *p.target
		cut.ModifyResponse = func(resp *http.Response) error {
			resp.Body = io.NopCloser(io.LimitReader(resp.Body, resp.ContentLength/2))
			return nil
		}
		cut.ServeHTTP(w, r)
	default:
		p.target.ServeHTTP(w, r)
	}
}
