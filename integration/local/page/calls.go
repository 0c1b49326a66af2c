package page

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A call is one request that a function made during a run.
type call struct {
	who    string // an account's id at X, an access key id at Parameter Store
	begun  time.Time
	AtMS   float64 `json:"at_ms"` // since the run began
	MS     float64 `json:"ms"`
	To     string  `json:"to"` // "X" or "Parameter Store"
	Op     string  `json:"op"`
	Status int     `json:"status"`          // 0: no answer
	Error  string  `json:"error,omitempty"` // of Parameter Store
}

// calls are the newest requests to the stand-ins.
type calls struct {
	mu  sync.Mutex // guards all and what it points to
	all []*call    // by begin
}

const maxCalls = 1000

// begin notes a call, which has no answer yet, and returns what notes its end.
func (c *calls) begin(one *call) (end func(status int, code string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all = append(c.all, one); len(c.all) > maxCalls {
		c.all = append([]*call(nil), c.all[maxCalls/2:]...)
	}
	return func(status int, code string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		one.Status, one.Error, one.MS = status, code, ms(time.Since(one.begun))
	}
}

// between returns the calls of any of who that began in a span of time.
func (c *calls) between(begin, end time.Time, who ...string) []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := []call{}
	for _, one := range c.all {
		for _, w := range who {
			if one.who == w && !one.begun.Before(begin) && !one.begun.After(end) {
				copied := *one
				copied.AtMS = ms(one.begun.Sub(begin))
				found = append(found, copied)
			}
		}
	}
	return found
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()/10) / 100 }

// Wrap is for [local.Options]: it notes the calls that functions make, and ends
// a function at its send where that was asked for.
func (p *Playground) Wrap(service string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := &call{begun: time.Now()}
		authorization := r.Header.Get("Authorization")
		victim := ""
		if service == "x" {
			one.To, one.Op = "X", operation(r)
			_, token, _ := strings.Cut(authorization, `oauth_token="`)
			one.who, _, _ = strings.Cut(token, "-")
			if one.Op == "create" {
				victim = p.victim(one.who)
			}
		} else {
			one.To, one.Op = "Parameter Store", strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM.")
			_, credential, _ := strings.Cut(authorization, "Credential=")
			one.who, _, _ = strings.Cut(credential, "/")
		}
		end := p.calls.begin(one)
		seen := &seen{ResponseWriter: w, keep: service != "x", swallow: victim != ""}
		answered := false
		defer func() {
			if !answered {
				seen.status = 0 // the answer was cut off
			}
			end(seen.status, seen.code())
			if victim != "" {
				p.cloud.Functions[victim].Kill()
			}
		}()
		h.ServeHTTP(seen, r)
		answered = true
	})
}

// victim returns the bot of an account whose function is to be killed now,
// after X got what it sends and before it hears of it.
func (p *Playground) victim(account string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := p.killing[account]
	delete(p.killing, account)
	return name
}

// operation names what r asks X for.
func operation(r *http.Request) string {
	switch {
	case strings.HasPrefix(r.URL.Path, "/2/tweets/search/"):
		return "search"
	case r.Method == http.MethodPost:
		return "create"
	case strings.HasSuffix(r.URL.Path, "/tweets"):
		return "timeline"
	}
	return "me"
}

// seen is what a handler answers.
type seen struct {
	http.ResponseWriter
	status  int
	keep    bool // the beginning of an error's body, which names it
	body    []byte
	swallow bool // nothing gets through
}

func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *seen) WriteHeader(status int) {
	s.status = status
	if !s.swallow {
		s.ResponseWriter.WriteHeader(status)
	}
}

func (s *seen) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	if s.keep && s.status >= 400 && len(s.body) < 1<<10 {
		s.body = append(s.body, b...)
	}
	if s.swallow {
		return len(b), nil
	}
	return s.ResponseWriter.Write(b)
}

func (s *seen) code() string {
	var e struct {
		Type string `json:"__type"`
	}
	json.Unmarshal(s.body, &e) // without a code the status says enough
	return e.Type[strings.LastIndexByte(e.Type, '#')+1:]
}
