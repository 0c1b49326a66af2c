package x_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dghubble/oauth1"

	"example.com/superbots/integration/local/x"
)

// The bodies that were seen at X are kept with their evidence beside this
// repository; every whole one of that table must be served byte for byte.
func TestBodiesAreThoseSeen(t *testing.T) {
	facts, err := os.ReadFile("../../../../shared/facts/x-api.md")
	if err != nil {
		t.Skip("the collected facts are not beside this repository")
	}
	w := serve(t)
	w.Limits.Create = 1000
	served := map[string]bool{}
	for _, name := range []string{
		"unauthorized", "no-credits-old", "no-credits-new", "duplicate", "duplicate-v1", "read-only", "suspended", "locked",
		"not-engaged", "reply-refused", "too-long", "too-long-v1", "stale-since", "usage-cap", "rate-limit", "rate-limit-v1",
		"v1-closed", "unavailable", "auth-v1",
	} {
		w.Fault(x.Fault{Case: name, Times: 1})
		served[w.send("Superman").body] = true
	}
	rows := 0
	_, table, _ := strings.Cut(string(facts), "### Bodies for the simulator")
	table, _, _ = strings.Cut(table, "| spec schemas |")
	for _, quoted := range regexp.MustCompile("`([{][^`]*[}])`").FindAllStringSubmatch(table, -1) {
		body := strings.ReplaceAll(quoted[1], `"T/`, `"https://api.x.com/2/problems/`)
		if strings.Contains(body, "…") && !strings.Contains(body, `"account_id":…`) || strings.HasPrefix(body, `{"data"`) || strings.HasPrefix(body, `{"meta"`) {
			continue
		}
		body = strings.Replace(body, `"account_id":…`, `"account_id":1553086854915936256`, 1)
		if rows++; !served[body] {
			t.Errorf("no case answers %s", body)
		}
	}
	if rows < 19 {
		t.Errorf("only %d bodies found in the table", rows)
	}
}

func TestEveryCaseAnswers(t *testing.T) {
	for name, want := range map[string]struct {
		status int
		part   string
	}{
		"unauthorized": {401, "Unauthorized"}, "no-credits-old": {402, "CreditsDepleted"}, "no-credits-new": {402, "credits depleted"},
		"duplicate": {403, "duplicate content"}, "read-only": {403, "oauth1-permissions"}, "not-enrolled": {403, "client-not-enrolled"},
		"suspended": {403, "user-suspended"}, "locked": {403, "temporarily locked"}, "automated": {403, `"code":226`},
		"write-blocked": {403, `"code":261`}, "v1-closed": {403, `"code":453`}, "suspended-v1": {403, `"code":64`},
		"too-long": {400, "too long"}, "stale-since": {400, "since_id"}, "usage-cap": {429, "UsageCapExceeded"},
		"rate-limit": {429, "Too Many Requests"}, "rate-limit-v1": {429, `"code":88`}, "unavailable": {503, "Service Unavailable"},
		"over-capacity": {503, `"code":130`}, "edge-html": {503, "<html>"}, "empty": {201, ""}, "broken-json": {201, `{"data":[{"id":"14`},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t)
			w.Fault(x.Fault{Case: name})
			got := w.send("Superman")
			got.want(t, want.status, want.part)
			kind := got.header.Get("Content-Type")
			if html := strings.HasPrefix(kind, "text/html"); html != (name == "edge-html") || !html && kind != "application/json; charset=utf-8" {
				t.Errorf("content type %q", kind)
			}
			if valid := json.Valid([]byte(got.body)); valid != (name != "edge-html" && name != "empty" && name != "broken-json") {
				t.Errorf("valid JSON: %v: %s", valid, got.body)
			}
			if limit := got.header.Get("x-rate-limit-limit"); (limit == "") != (want.status == 401) {
				t.Errorf("x-rate-limit-limit %q", limit)
			}
			if n := len(w.texts()); n != 0 {
				t.Errorf("%d posts", n)
			}

			w.ClearFaults()
			w.Fault(x.Fault{Case: name, When: "after", ContentType: "problem"})
			after := w.send("Superman")
			if after.status != got.status || after.body != got.body || after.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("after the effect: %d %q %s", after.status, after.header.Get("Content-Type"), after.body)
			}
			if n := len(w.texts()); n != 1 {
				t.Errorf("%d posts after the effect", n)
			}
		})
	}
}

func TestFaultsByAccountOperationAndCount(t *testing.T) {
	w := serve(t)
	batman := w.AddAccount("batman")
	other := *w
	other.client = w.signer(w.Issue(batman.ID, key))

	w.Fault(x.Fault{Account: "Superman", Op: "search", Case: "unavailable", Times: 2})
	w.Fault(x.Fault{Account: text(batman.ID), Op: "*", Case: "locked"})
	w.Fault(x.Fault{Account: "nobody", Case: "suspended"})
	for _, status := range []int{503, 503, 200, 200} {
		w.get("/2/users/me").want(t, 200)
		w.search("serverless").want(t, status)
		other.search("serverless").want(t, 403, "temporarily locked")
		other.get("/2/users/me").want(t, 403)
	}
	w.ClearFaults()
	other.get("/2/users/me").want(t, 200)

	w = serve(t)
	w.Old = true
	w.Fault(x.Fault{Case: "read-only"})
	w.get("/2/users/me").want(t, 403, `"type":"https://api.twitter.com/2/problems/oauth1-permissions"`)
}

func TestFaultPanicsOnASlip(t *testing.T) {
	for _, f := range []x.Fault{{}, {Case: "unathorized"}, {Case: "empty", Op: "post"}, {Case: "empty", When: "during"}, {Case: "empty", Times: -1}, {Case: "empty", ContentType: "text"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is accepted", f)
				}
			}()
			x.New().Fault(f)
		}()
	}
}

func TestPartial(t *testing.T) {
	w := serve(t)
	w.Add(x.Post{Author: "ann", Text: "serverless"})
	w.Fault(x.Fault{Case: "partial"})
	p := w.find("serverless")
	if len(p.Data) != 1 || len(p.Errors) != 1 || p.Errors[0]["type"] != "https://api.x.com/2/problems/resource-not-found" {
		t.Errorf("data %v, errors %v", p.Data, p.Errors)
	}
}

// try posts, and returns what the transport says.
func (w *world) try(ctx context.Context) error {
	r, _ := http.NewRequestWithContext(ctx, "POST", w.base+"/2/tweets", strings.NewReader(`{"text":"Superman"}`))
	r.Header.Set("Content-Type", "application/json")
	resp, err := w.client.Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return err
}

func TestTimeoutHoldsTheConnection(t *testing.T) {
	for when, posts := range map[string]int{"before": 0, "after": 1} {
		w := serve(t)
		w.Fault(x.Fault{Op: "create", Case: "timeout", When: when})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for w.Calls()["create"] == 0 { // until the request has come in
				runtime.Gosched()
			}
			cancel()
		}()
		if err := w.try(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", when, err)
		}
		if n := len(w.texts()); n != posts {
			t.Errorf("%s: %d posts, want %d", when, n, posts)
		}
	}
}

func TestResetClosesTheConnection(t *testing.T) {
	for when, posts := range map[string]int{"before": 0, "after": 1} {
		w := serve(t)
		w.Fault(x.Fault{Op: "create", Case: "reset", When: when})
		if err := w.try(t.Context()); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", when, err)
		}
		if n := len(w.texts()); n != posts {
			t.Errorf("%s: %d posts, want %d", when, n, posts)
		}
	}
}

func TestHugeStopsWhenTheClientDoes(t *testing.T) {
	w := serve(t)
	w.Fault(x.Fault{Case: "huge"})
	resp, err := w.client.Get(w.base + "/2/users/me")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 8<<20)); n != 8<<20 {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		w.Fault(x.Fault{Op: "me", Case: "slow", Seconds: 90})
		began := time.Now()
		w.get("/2/users/me").want(t, 200, "superman")
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestFaultsOverHTTP(t *testing.T) {
	w := serve(t)
	do := func(method, path, body string, change func(*http.Request)) reply {
		t.Helper()
		r, _ := http.NewRequest(method, w.base+path, strings.NewReader(body))
		change(r)
		resp, err := http.DefaultClient.Do(r)
		return read(t, resp, err)
	}
	plain := func(*http.Request) {}

	do("POST", "/local/faults", `{"account":"superman","op":"create","case":"duplicate","times":2,"when":"after"}`, plain).want(t, 204)
	w.send("Superman").want(t, 403, "duplicate")
	do("GET", "/local/faults", "", plain).want(t, 200, `[{"account":"superman","op":"create","case":"duplicate","times":1,"when":"after"}]`)
	do("DELETE", "/local/faults", "", plain).want(t, 204)
	do("GET", "/local/faults", "", plain).want(t, 200, `[]`)

	for _, account := range []string{"superman", text(w.bot.ID)} {
		do("GET", "/local/posts?account="+account, "", plain).want(t, 200, `[{"id":"`, `"author":"superman"`, `"text":"Superman"`)
	}
	do("GET", "/local/posts?account=nobody", "", plain).want(t, 404, `unknown account "nobody"`)

	do("POST", "/local/faults", `{"case":"wrong"}`, plain).want(t, 400, `unknown case "wrong"`)
	do("POST", "/local/faults", `{"case":"empty","typo":1}`, plain).want(t, 400, "typo")
	for _, host := range []string{"x.example", "127.0.0.1.example:80", "10.0.0.1", ""} {
		r := httptest.NewRequest("GET", "/local/posts?account=superman", nil)
		r.Host = host
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != 403 {
			t.Errorf("host %q: status %d", host, rec.Code)
		}
	}
	do("GET", "/local/posts?account=superman", "", func(r *http.Request) { r.Host = "[::1]:80" }).want(t, 200)
	do("DELETE", "/local/faults", "", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }).want(t, 403)
}

// A loopback server over TLS has its signatures checked for https.
func TestTLS(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewTLSServer(w.X)
	defer server.Close()
	if host, _, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "https://")); err != nil || host != "127.0.0.1" {
		t.Fatalf("server at %s", server.URL)
	}
	ctx := context.WithValue(t.Context(), oauth1.HTTPClient, server.Client())
	w.base, w.client = server.URL, oauth1.NewConfig(key, secret).Client(ctx, oauth1.NewToken(w.token.Token, w.token.Secret))
	w.get("/2/users/me").want(t, 200)
}
