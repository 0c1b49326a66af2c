package page

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/bot"
)

func serve(t *testing.T) (*Playground, *httptest.Server) {
	t.Helper()
	p := New(Options{Bots: functions.All, Every: time.Minute})
	s := httptest.NewServer(p)
	t.Cleanup(func() { p.feed.close(); s.Close() })
	return p, s
}

func ask(t *testing.T, method, url string, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// Only the page itself changes anything: it alone knows the token, and the
// browser says where a request comes from.
func TestChangesComeFromThePage(t *testing.T) {
	p, s := serve(t)
	_, html := ask(t, "GET", s.URL, func(*http.Request) {})
	token := regexp.MustCompile(`name="page-token" content="([^"]+)"`).FindStringSubmatch(html)
	if token == nil {
		t.Fatalf("no token in\n%s", html)
	}
	right := func(r *http.Request) {
		r.Header.Set("Origin", s.URL)
		r.Header.Set("X-Page-Token", token[1])
	}
	for name, test := range map[string]struct {
		method, path string
		change       func(*http.Request)
		status       int
	}{
		"by GET":               {"GET", "/pause", func(*http.Request) {}, 405},
		"by HEAD":              {"HEAD", "/rotate/superman", func(*http.Request) {}, 405},
		"without a token":      {"POST", "/pause", func(r *http.Request) { r.Header.Del("X-Page-Token") }, 403},
		"with another token":   {"POST", "/pause", func(r *http.Request) { r.Header.Set("X-Page-Token", "x") }, 403},
		"without an origin":    {"POST", "/pause", func(r *http.Request) { r.Header.Del("Origin") }, 403},
		"from another page":    {"POST", "/pause", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		"from a file":          {"POST", "/pause", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"too slow":             {"POST", "/every/601", func(*http.Request) {}, 400},
		"too fast":             {"POST", "/every/0", func(*http.Request) {}, 400},
		"no number":            {"POST", "/every/fast", func(*http.Request) {}, 400},
		"a number's overflow":  {"POST", "/every/99999999999", func(*http.Request) {}, 400},
		"no such bot":          {"POST", "/rotate/nobody", func(*http.Request) {}, 400},
		"no such fault":        {"POST", "/break/everything", func(*http.Request) {}, 400},
		"no such path":         {"POST", "/run", func(*http.Request) {}, 404},
		"a log that is no run": {"GET", "/runs/1/log", func(*http.Request) {}, 404},
	} {
		status, _ := ask(t, test.method, s.URL+test.path, func(r *http.Request) { right(r); test.change(r) })
		if status != test.status {
			t.Errorf("%s: %d, want %d", name, status, test.status)
		}
	}
	if p.paused || p.every != time.Minute {
		t.Errorf("paused %v, every %v, want nothing changed", p.paused, p.every)
	}
	if status, body := ask(t, "POST", s.URL+"/pause", right); status != 204 || !p.paused {
		t.Errorf("from the page: %d %q, paused %v", status, body, p.paused)
	}
}

// A name that somebody points at 127.0.0.1 gets nothing.
func TestHost(t *testing.T) {
	_, s := serve(t)
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for host, want := range map[string]int{
		"127.0.0.1" + port: 200, "localhost" + port: 200,
		"example.com": 403, "example.com" + port: 403, "127.0.0.1": 403, "127.0.0.1:1": 403, "localhost.example.com" + port: 403,
	} {
		for _, path := range []string{"/", "/page.js", "/style.css"} {
			if got, _ := ask(t, "GET", s.URL+path, func(r *http.Request) { r.Host = host }); got != want {
				t.Errorf("%s of host %q: %d, want %d", path, host, got, want)
			}
		}
	}
	if got, _ := ask(t, "GET", s.URL+"/events", func(r *http.Request) { r.Host = "example.com" }); got != 403 {
		t.Errorf("events of host example.com: %d, want 403", got)
	}
}

// What the page may load is said with every answer.
func TestPolicy(t *testing.T) {
	_, s := serve(t)
	answer, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if got := answer.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy %q, want %q", got, want)
	}
}

// watch reads n events of the stream, as "event data" lines, and the last id.
func watch(t *testing.T, url, last string, n int) (events []string, id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	kind := ""
	for len(events) < n && lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			events = append(events, kind+" "+value)
		}
	}
	return events, id
}

// A browser gets the newest of each thing, in the order of the changes; one that
// was away gets what it has missed, and one of another process is sent off.
func TestStream(t *testing.T) {
	p, s := serve(t)
	p.feed.put("said", "1", "one")
	p.feed.put("said", "2", "two")
	p.feed.put("said", "1", "one, changed")
	p.feed.put("said", "2", "two") // as it was
	all, id := watch(t, s.URL, "", 2)
	if diff := cmp.Diff([]string{`said "two"`, `said "one, changed"`}, all); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	p.feed.put("run", "1", "a run")
	p.feed.put("said", "2", "two\nlines")
	missed, _ := watch(t, s.URL, id, 2)
	if diff := cmp.Diff([]string{`run "a run"`, `said "two\nlines"`}, missed); diff != "" {
		t.Errorf("missed events (-want +got):\n%s", diff)
	}
	for _, last := range []string{"another-3", "3", p.feed.epoch + "-x"} {
		if got, _ := watch(t, s.URL, last, 1); len(got) != 1 || got[0] != "reload {}" {
			t.Errorf("after event %q: %q, want a reload", last, got)
		}
	}
}

// The feed holds no more after an hour of ticks than after some minutes.
func TestFeedIsBounded(t *testing.T) {
	p, _ := serve(t)
	for n := range 3600 {
		key := fmt.Sprint(n)
		p.feed.put("said", key, key)
		p.feed.put("run", key, key)
		p.feed.put("world", "", n)
		p.calls.begin(&call{})(200, "")
	}
	count := map[string]int{}
	for _, e := range p.feed.after(0) {
		count[e.kind]++
	}
	if diff := cmp.Diff(map[string]int{"said": 1000, "run": 500, "world": 1}, count); diff != "" {
		t.Errorf("events kept (-want +got):\n%s", diff)
	}
	if last := p.feed.after(p.feed.last - 1); string(last[0].data) != "3599" {
		t.Errorf("the newest event is %s, want the last", last[0].data)
	}
	if len(p.feed.things) != p.feed.log.Len() || len(p.feed.made["said"]) != 1000 || len(p.calls.all) > maxCalls {
		t.Errorf("%d things, %d events, %d keys, %d calls", len(p.feed.things), p.feed.log.Len(), len(p.feed.made["said"]), len(p.calls.all))
	}
}

// Words are marked where they stand, and long texts are cut.
func TestPieces(t *testing.T) {
	find := map[string]func(string) [][]int{
		"superman": func(s string) [][]int { return functions.Superman.Find.FindAllStringIndex(s, -1) },
		"batman":   func(s string) [][]int { return functions.Batman.Find.FindAllStringIndex(s, -1) },
	}
	for text, want := range map[string][]piece{
		"":                              {{}},
		"ServerlessConf and big-data!":  {{"Serverless", "superman"}, {Text: "Conf and "}, {"big-data", "batman"}, {Text: "!"}},
		strings.Repeat("é", 600):        {{Text: strings.Repeat("é", 500) + "…"}},
		"é" + strings.Repeat("xé", 400): {{Text: "é" + strings.Repeat("xé", 332) + "x…"}},
	} {
		if diff := cmp.Diff(want, pieces(text, find)); diff != "" {
			t.Errorf("pieces of %.40q (-want +got):\n%s", text, diff)
		}
	}
	if diff := cmp.Diff([][]int{{0, 6}, {7, 13}}, indexFold("BATMAN batmanbat", "Batman")); diff != "" {
		t.Errorf("places of the word (-want +got):\n%s", diff)
	}
}

// The people do not repeat themselves for the first thousand posts about a
// word, and what they say is about that word alone, also if the bot was added
// since.
func TestPeople(t *testing.T) {
	added := bot.Bot{Name: "condorman", Find: regexp.MustCompile(`(?i)condor[ -]?watching`), Search: `("condor watching" OR #condorwatching)`}
	for _, b := range append(slices.Clone(functions.All), added) {
		seen := map[string]bool{}
		for n := range 1000 {
			text := sentence(b, n)
			if seen[text] || !b.Find.MatchString(text) {
				t.Fatalf("%s, %d: %q is said again, or is not about the word", b.Name, n, text)
			}
			seen[text] = true
			for _, other := range functions.All {
				if other.Name != b.Name && other.Find.MatchString(text) {
					t.Fatalf("%q is about both words", text)
				}
			}
		}
	}
}
