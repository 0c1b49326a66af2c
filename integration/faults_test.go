package integration_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// Each answer that X was seen to give instead of the right one, while three
// posts are to be found and posted. Whatever it was, no post is made twice, and
// all is well again some hours after it has ended.
func TestFaults(t *testing.T) {
	t.Parallel()
	const all, once = 0, 1
	for _, test := range []struct {
		op, answer string
		times      int
		when       string
		old        bool // X's older backend

		stopped string // the report's
		state   string // of the oldest of the three; "" is not in the ledger
		posted  int    // by then
		finally int
	}{
		{op: "search", answer: "unauthorized", times: all, stopped: "credentials refused", finally: 3},
		{op: "search", answer: "no-credits-old", times: all, old: true, stopped: "no credits", finally: 3},
		{op: "search", answer: "no-credits-new", times: all, stopped: "no credits", finally: 3},
		{op: "search", answer: "usage-cap", times: all, stopped: "usage capped", finally: 3},
		{op: "search", answer: "rate-limit", times: all, stopped: "rate limited", finally: 3},
		{op: "search", answer: "suspended", times: all, stopped: "account: suspended", finally: 3},
		{op: "search", answer: "locked", times: all, stopped: "account: locked", finally: 3},
		{op: "search", answer: "not-enrolled", times: all, old: true, stopped: "account: not enrolled", finally: 3},
		{op: "search", answer: "unavailable", times: all, stopped: "search unavailable", finally: 3},
		{op: "search", answer: "edge-html", times: all, stopped: "search unavailable", finally: 3},
		{op: "search", answer: "reset", times: all, stopped: "search unavailable", finally: 3},
		{op: "search", answer: "reset", times: all, when: "after", stopped: "search unavailable", finally: 3},
		{op: "search", answer: "empty", times: all, stopped: "search unavailable", finally: 3},
		{op: "search", answer: "broken-json", times: all, stopped: "search unavailable", finally: 3},
		{op: "search", answer: "huge", times: all, stopped: "search unavailable", finally: 3},
		{op: "search", answer: "partial", times: all, state: "posted", posted: 3, finally: 3},
		{op: "search", answer: "stale-since", times: once, state: "posted", posted: 3, finally: 3},
		{op: "search", answer: "stale-since", times: once, old: true, state: "posted", posted: 3, finally: 3},

		{op: "create", answer: "unauthorized", times: all, stopped: "credentials refused", state: "pending unauthorized", finally: 3},
		{op: "create", answer: "no-credits-old", times: all, old: true, stopped: "no credits", state: "pending no credits", finally: 3},
		{op: "create", answer: "no-credits-new", times: all, stopped: "no credits", state: "pending no credits", finally: 3},
		{op: "create", answer: "usage-cap", times: all, stopped: "usage capped", state: "pending usage capped", finally: 3},
		{op: "create", answer: "rate-limit", times: all, stopped: "rate limited", state: "pending rate limited", finally: 3},
		{op: "create", answer: "suspended", times: all, stopped: "account: suspended", state: "pending forbidden", finally: 3},
		{op: "create", answer: "locked", times: all, stopped: "account: locked", state: "pending forbidden", finally: 3},
		{op: "create", answer: "automated", times: all, stopped: "account: automated", state: "pending forbidden", finally: 3},
		{op: "create", answer: "write-blocked", times: all, stopped: "account: write-blocked", state: "pending forbidden", finally: 3},
		{op: "create", answer: "read-only", times: all, stopped: "account: read-only", state: "pending forbidden", finally: 3},
		{op: "create", answer: "v1-closed", times: all, stopped: "account: not enrolled", state: "pending forbidden", finally: 3},

		{op: "create", answer: "duplicate", times: once, state: "skipped duplicate-text", posted: 2, finally: 2},
		{op: "create", answer: "duplicate", times: once, when: "after", state: "posted looked up", posted: 3, finally: 3},
		{op: "create", answer: "too-long", times: once, state: "dead refused", posted: 2, finally: 2},
		{op: "create", answer: "cashtags", times: once, state: "dead refused", posted: 2, finally: 2},
		{op: "create", answer: "not-engaged", times: once, state: "dead refused", posted: 2, finally: 2},
		{op: "create", answer: "too-long", times: all, stopped: "posts refused", state: "dead refused", finally: 1},

		{op: "create", answer: "unavailable", times: once, stopped: "unknown outcome", state: "posting", finally: 3},
		{op: "create", answer: "unavailable", times: once, when: "after", stopped: "unknown outcome", state: "posting", posted: 1, finally: 3},
		{op: "create", answer: "edge-html", times: once, stopped: "unknown outcome", state: "posting", finally: 3},
		{op: "create", answer: "edge-html", times: once, when: "after", stopped: "unknown outcome", state: "posting", posted: 1, finally: 3},
		{op: "create", answer: "reset", times: once, stopped: "unknown outcome", state: "posting", finally: 3},
		{op: "create", answer: "reset", times: once, when: "after", stopped: "unknown outcome", state: "posting", posted: 1, finally: 3},
		{op: "create", answer: "timeout", times: once, when: "after", stopped: "unknown outcome", state: "posting", posted: 1, finally: 3},
		{op: "create", answer: "empty", times: once, stopped: "unknown outcome", state: "posting", finally: 3},
		{op: "create", answer: "empty", times: once, when: "after", stopped: "unknown outcome", state: "posting", posted: 1, finally: 3},
		{op: "create", answer: "broken-json", times: once, when: "after", stopped: "unknown outcome", state: "posting", posted: 1, finally: 3},
		{op: "create", answer: "huge", times: once, when: "after", stopped: "unknown outcome", state: "posting", posted: 1, finally: 3},
		{op: "create", answer: "partial", times: all, state: "posted", posted: 3, finally: 3},
	} {
		t.Run(fmt.Sprint(test.op, " ", test.answer, " ", test.when, " ", test.times, " ", test.old), func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.X.Old = test.old
			oldest := w.sayMany(3)[0]
			w.X.Fault(x.Fault{Op: test.op, Case: test.answer, Times: test.times, When: test.when, ContentType: "problem"})

			report := w.tick(superman)
			if report.Stopped != test.stopped {
				t.Errorf("stopped %q, want %q", report.Stopped, test.stopped)
			}
			if got := w.states(superman)[oldest]; got != test.state {
				t.Errorf("the oldest is %q in the ledger, want %q", got, test.state)
			}
			if got := w.posted(superman); len(got) != test.posted {
				t.Errorf("posted %q, want %d", got, test.posted)
			}
			w.X.ClearFaults()
			w.finish(superman)
			got := w.posted(superman)
			slices.Sort(got)
			if diff := cmp.Diff(supermen(3)[3-test.finally:], got); diff != "" {
				t.Errorf("posted in the end (-want +got):\n%s", diff)
			}
		})
	}
}

// What concerns the account or the money stops all: the next run asks X nothing.
func TestStoppedBotAsksNothing(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"search", "create"} {
		for _, answer := range []string{"no-credits-new", "usage-cap", "suspended", "locked", "read-only", "not-enrolled"} {
			t.Run(op+" "+answer, func(t *testing.T) {
				t.Parallel()
				w := start(t, nil)
				w.sayMany(1)
				w.X.Fault(x.Fault{Op: op, Case: answer})
				first := w.tick(superman)
				calls := w.X.Calls()
				w.Functions[superman].Kill()
				if next := w.tick(superman); next.Stopped == "" || next.Stopped != first.Stopped {
					t.Errorf("stopped %q, then %q, want the same again", first.Stopped, next.Stopped)
				}
				if diff := cmp.Diff(calls, w.X.Calls()); diff != "" {
					t.Errorf("calls to X of a stopped bot (-before +after):\n%s", diff)
				}
				w.say("ana", "big data", time.Second)
				w.X.ClearFaults()
				if got := w.tick(batman); got.Posted != 1 {
					t.Errorf("the other bot: %+v, want 1 posted", got)
				}
			})
		}
	}
}

// A rate limit stops only what it limits, until it ends.
func TestRateLimitOfSearch(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_POSTS_PER_RUN": "1"})
	w.X.Limits.Search = 1
	w.sayMany(3)
	w.tick(superman)
	w.say("ana", "serverless 4", 0)
	for n := 2; n <= 3; n++ {
		if got := w.tick(superman); got.Posted != 1 || got.Found != 0 || got.Stopped != "rate limited" {
			t.Errorf("run %d: %+v, want 1 posted and nothing found", n, got)
		}
	}
	if got := w.X.Calls()["search"]; got != 2 {
		t.Errorf("%d searches, want 2: none while the limit lasts", got)
	}
	w.later(superman, 16*time.Minute)
	w.tick(superman)
	if got := w.X.Calls()["search"]; got != 3 {
		t.Errorf("%d searches, want one more after the limit has ended", got)
	}
}

func TestRateLimitOfCreate(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.X.Limits.Create = 1
	w.sayMany(3)
	if got := w.tick(superman); got.Posted != 1 || got.Pending != 2 || got.Stopped != "rate limited" {
		t.Errorf("first run: %+v, want 1 posted, 2 pending, rate limited", got)
	}
	w.say("ana", "serverless 4", 0)
	if got := w.tick(superman); got.Posted != 0 || got.Found != 1 || got.Pending != 3 || got.Stopped != "rate limited" {
		t.Errorf("second run: %+v, want 1 found, 3 pending, rate limited", got)
	}
	if got := w.X.Calls()["create"]; got != 2 {
		t.Errorf("%d calls to create, want 2: none while the limit lasts", got)
	}
	for id, state := range w.states(superman) {
		if state == "dead" {
			t.Errorf("source %d is dead", id)
		}
	}
}

// Money that runs out at X itself stops the bot; nothing is given up for it.
func TestCreditsRunOut(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.X.SetCredits(w.credential("shared/twitter", "consumer_key"), 0.025)
	w.sayMany(3)
	if got := w.tick(superman); got.Posted != 1 || got.Pending != 2 || got.Dead != 0 || got.Stopped != "no credits" {
		t.Errorf("report %+v, want 1 posted, 2 pending, no credits", got)
	}
}

// A lookup that goes wrong proves nothing: the post stays where it is, and is
// looked up again.
func TestLookupGoesWrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ answer, stopped string }{
		{"unavailable", "lookup unavailable"},
		{"rate-limit", "rate limited"},
		{"reset", "lookup unavailable"},
		{"empty", "lookup unavailable"},
		{"broken-json", "lookup unavailable"},
		{"unauthorized", "credentials refused"},
		{"suspended", "account: suspended"},
	} {
		t.Run(test.answer, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			oldest := w.sayMany(1)[0]
			w.X.Fault(x.Fault{Op: "create", Case: "unavailable", When: "after", Times: 1})
			w.tick(superman)

			w.X.Fault(x.Fault{Op: "timeline", Case: test.answer})
			w.later(superman, time.Hour)
			if got := w.tick(superman); got.Unknown != 1 || got.Dead != 0 || got.Stopped != test.stopped {
				t.Errorf("report %+v, want 1 unknown, stopped %q", got, test.stopped)
			}
			if got := w.X.Calls()["create"]; got != 1 {
				t.Errorf("%d calls to create, want 1", got)
			}
			w.X.ClearFaults()
			w.finish(superman)
			if got := w.states(superman)[oldest]; got != "posted looked up" {
				t.Errorf("in the end %q, want it looked up", got)
			}
			if diff := cmp.Diff(supermen(1), w.posted(superman)); diff != "" {
				t.Errorf("posted (-want +got):\n%s", diff)
			}
		})
	}
}

// An unknown outcome is left alone until it has settled and its sender's lease
// is over.
func TestUnknownWaits(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]vars{
		"for the settle time": {"BOT_SETTLE": "20m"},
		"for the lease":       {"BOT_SETTLE": "1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, env)
			w.sayMany(1)
			w.X.Fault(x.Fault{Op: "create", Case: "unavailable", Times: 1})
			w.tick(superman)
			wait := 2 * time.Minute
			if env["BOT_SETTLE"] == "20m" {
				w.later(superman, wait) // the lease is over
				wait = 19 * time.Minute
			}
			for range 2 {
				w.tick(superman)
			}
			if calls := w.X.Calls(); calls["timeline"] != 0 || calls["create"] != 1 {
				t.Errorf("calls %v before it has settled, want neither a lookup nor a post", calls)
			}
			w.later(superman, wait)
			if got := w.tick(superman); got.Posted != 1 {
				t.Errorf("report %+v, want 1 posted", got)
			}
		})
	}
}

// X is down for posts: each run sends one at most, each post is sent twice at
// most, and never again when the answer stays out.
func TestStaysUnknown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		resend string
		sends  int
	}{{"once", 2}, {"never", 1}} {
		t.Run(test.resend, func(t *testing.T) {
			t.Parallel()
			w := start(t, vars{"BOT_RESEND": test.resend})
			sources := w.sayMany(3)
			w.X.Fault(x.Fault{Op: "create", Case: "unavailable"})
			sent := 0
			for range 12 {
				w.tick(superman)
				now := w.X.Calls()["create"]
				if now > sent+1 {
					t.Errorf("%d posts sent by a run after an unknown outcome, want 1", now-sent)
				}
				sent = now
				w.later(superman, time.Hour)
			}
			w.X.ClearFaults()
			w.finish(superman)
			for _, id := range sources {
				if got := w.states(superman)[id]; got != "dead unknown" {
					t.Errorf("source %d is %q, want dead unknown", id, got)
				}
			}
			if want := test.sends * len(sources); w.X.Calls()["create"] != want {
				t.Errorf("%d calls to create, want %d", w.X.Calls()["create"], want)
			}
			if got := w.posted(superman); got != nil {
				t.Errorf("posted %q", got)
			}
		})
	}
}

// A bot that slept for longer than X searches back goes on, and leaves a note of
// what it has missed.
func TestSleptTooLong(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	low := twitter.FirstID(time.Now().Add(-8 * 24 * time.Hour))
	book, err := ledger.Load(t.Context(), w.store(), superman, "the run before")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := book.Found(t.Context(), nil, ledger.Cursor{}, ledger.Cursor{Low: low}, 0); err != nil {
		t.Fatal(err)
	}
	w.sayMany(2)
	if got := w.tick(superman); got.Posted != 2 || got.Stopped != "" {
		t.Errorf("report %+v, want 2 posted", got)
	}
	var gaps []ledger.Gap
	for _, r := range w.rows(superman) {
		if r.Gap != nil {
			gaps = append(gaps, *r.Gap)
		}
	}
	if len(gaps) != 1 || !gaps[0].From.Equal(twitter.Time(low)) || time.Since(gaps[0].To) > 7*24*time.Hour {
		t.Errorf("gaps %v, want one from %v to within seven days", gaps, twitter.Time(low))
	}
}

// What its author wrote like an escape is found again as well, and not sent twice.
func TestLookupOfEscapes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	source := w.say("ana", "serverless &amp; proud, &#64;home", time.Minute)
	w.X.Fault(x.Fault{Op: "create", Case: "unavailable", When: "after", Times: 1})
	w.tick(superman)
	w.later(superman, time.Hour)
	w.finish(superman)
	if got := w.states(superman)[source]; got != "posted looked up" {
		t.Errorf("in the end %q, want it looked up", got)
	}
	if got := w.X.Calls()["create"]; got != 1 {
		t.Errorf("%d calls to create, want 1", got)
	}
	if diff := cmp.Diff([]string{"Superman &amp; proud, &#64;home"}, w.posted(superman)); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
}
