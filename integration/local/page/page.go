// Package page is the playground as one page in a browser: two bots on a
// schedule, what they find and post, where their settings come from, and
// buttons that rotate a token or break something.
//
// The one idea: the page holds no state of its own. Whatever happens becomes
// an event with a number, and of each thing only its newest event is kept. A
// browser that was away asks for what came after the last number that it has
// seen, and then shows what it would have shown had it never been away.
package page

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strconv"
	"time"

	"example.com/superbots/pkg/bot"
)

//go:embed page.html style.css page.js icon.svg
var assets embed.FS

var shell = template.Must(template.ParseFS(assets, "page.html"))

// policy lets the page load what this server serves, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// routes is called once, by New.
func (p *Playground) routes() {
	p.token = rand.Text()
	p.mux = http.NewServeMux()
	p.mux.HandleFunc("GET /{$}", p.index)
	p.mux.HandleFunc("GET /style.css", asset("style.css"))
	p.mux.HandleFunc("GET /page.js", asset("page.js"))
	p.mux.HandleFunc("GET /icon.svg", asset("icon.svg"))
	p.mux.HandleFunc("GET /events", p.feed.serve)
	p.mux.HandleFunc("GET /runs/{n}/log", p.log)
	for pattern, do := range map[string]func(*http.Request) error{
		"/rotate/{bot}":    func(r *http.Request) error { return p.rotate(r.PathValue("bot")) },
		"/break/{fault}":   func(r *http.Request) error { return p.breakIt(r.PathValue("fault")) },
		"/mend":            func(r *http.Request) error { return p.mend(r.Context()) },
		"/pause":           func(*http.Request) error { p.pause(true); return nil },
		"/resume":          func(*http.Request) error { p.pause(false); return nil },
		"/step":            func(*http.Request) error { p.step(); return nil },
		"/every/{seconds}": func(r *http.Request) error { return p.setEvery(r.PathValue("seconds")) },
	} {
		p.mux.HandleFunc("POST "+pattern, p.act(do))
	}
}

// ServeHTTP serves the page. It answers only requests to the address that it
// listens on, by number or as localhost, so that no name of somebody else's can
// be pointed at it.
func (p *Playground) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !ownHost(r) {
		http.Error(w, "this page is served to its own address only", http.StatusForbidden)
		return
	}
	p.mux.ServeHTTP(w, r)
}

func ownHost(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	_, port, err := net.SplitHostPort(addr.String())
	return err == nil && (r.Host == net.JoinHostPort("127.0.0.1", port) || r.Host == net.JoinHostPort("localhost", port))
}

func asset(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, assets, name) }
}

func (p *Playground) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	shell.Execute(w, struct {
		Token  string
		Bots   []bot.Bot
		Faults []fault
	}{p.token, p.bots, faults})
}

// tokenHeader has the token of this process, which only its own page knows.
const tokenHeader = "X-Page-Token"

// act wraps what changes something.
func (p *Playground) act(do func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sent := []byte(r.Header.Get(tokenHeader))
		if r.Header.Get("Origin") != "http://"+r.Host || subtle.ConstantTimeCompare(sent, []byte(p.token)) != 1 {
			http.Error(w, "this was not asked for by the page", http.StatusForbidden)
			return
		}
		if err := do(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (p *Playground) log(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	p.mu.Lock()
	text, ok := p.logs[n]
	p.mu.Unlock()
	if err != nil || !ok {
		http.Error(w, "the log of this run is no longer kept", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, text)
}

// Serve answers requests on l until ctx ends, and then waits until all have
// been let go. l must listen on loopback. It is called once.
func (p *Playground) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving the page: %w", err)
	case <-ctx.Done():
	}
	p.feed.close()
	err := s.Close()
	<-ended
	return err
}
