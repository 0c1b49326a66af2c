package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/runtime"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

func TestPostsOldestFirstAndTheRestNextTime(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"v2", "v1.1"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			w := start(t, vars{"TWITTER_API": api})
			sources := w.sayMany(5)

			first := w.tick(superman)
			if first.Found != 5 || first.Posted != 3 || first.Pending != 2 || first.Stopped != "" {
				t.Errorf("first run: %+v, want 5 found, 3 posted, 2 pending", first)
			}
			if diff := cmp.Diff(supermen(3), w.posted(superman)); diff != "" {
				t.Errorf("after the first run (-want +got):\n%s", diff)
			}
			var want []bot.Outcome
			for i, p := range w.X.Posts(w.Accounts[superman].ID) {
				want = append(want, bot.Outcome{Source: sources[i], Post: p.ID})
			}
			if diff := cmp.Diff(want, first.Posts); diff != "" {
				t.Errorf("posts of the report (-want +got):\n%s", diff)
			}

			second := w.tick(superman)
			if second.Found != 0 || second.Posted != 2 || second.Pending != 0 {
				t.Errorf("second run: %+v, want 2 posted", second)
			}
			if diff := cmp.Diff(supermen(5), w.posted(superman)); diff != "" {
				t.Errorf("after the second run (-want +got):\n%s", diff)
			}
			for id, state := range w.states(superman) {
				if state != "posted" {
					t.Errorf("source %d: %s, want posted", id, state)
				}
			}
			if got := w.posted(batman); got != nil {
				t.Errorf("the other account has posted %q", got)
			}
		})
	}
}

func TestNothingTwice(t *testing.T) {
	t.Parallel()
	const posts = 12
	for name, round := range map[string]func(w *world){
		"one run after the other": func(w *world) { w.tick(superman) },
		"a cold start each time":  func(w *world) { w.tick(superman); w.Functions[superman].Kill() },
		"frozen in between":       func(w *world) { w.tick(superman); w.Functions[superman].Freeze() },
		"three runs at once": func(w *world) {
			var runs sync.WaitGroup
			for range 3 {
				runs.Go(func() { w.tick(superman) })
			}
			runs.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.sayMany(posts)
			for range 6 {
				round(w)
			}
			got := w.posted(superman)
			slices.Sort(got)
			want := supermen(posts)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("posted (-want +got):\n%s", diff)
			}
			if got := w.X.Calls()["create"]; got != posts {
				t.Errorf("%d calls to create a post, want %d", got, posts)
			}
		})
	}
}

// A process that dies between its call and the answer has either posted or not:
// nobody knows, until the timeline is looked at.
func TestKilledWhilePosting(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]x.Fault{
		"after the effect":  {Op: "create", Case: "slow", Seconds: 60, Times: 1},
		"before the effect": {Op: "create", Case: "timeout", Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.sayMany(3)
			w.X.Fault(fault)
			var running sync.WaitGroup
			running.Go(func() { w.fail(superman, "Runtime.ExitError") })
			for range time.Tick(5 * time.Millisecond) {
				if w.X.Calls()["create"] == 1 {
					break
				}
			}
			w.Functions[superman].Kill()
			running.Wait()

			creates := w.X.Calls()["create"]
			if got := w.tick(superman); got.Unknown != 1 || got.Posted != 2 {
				t.Errorf("the run after: %+v, want 1 unknown, 2 posted", got)
			}
			if got := w.X.Calls()["create"]; got != creates+2 {
				t.Errorf("%d calls to create, want %d: none for the unknown one", got, creates+2)
			}
			w.finish(superman)
			got := w.posted(superman)
			slices.Sort(got)
			if diff := cmp.Diff(supermen(3), got); diff != "" {
				t.Errorf("posted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSkipsWithReason(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_QUERY": "serverless", "BOT_POSTS_PER_RUN": "10"})
	// The bot has last run two days ago.
	cursor := ledger.Cursor{Low: twitter.FirstID(time.Now().Add(-48 * time.Hour))}
	book, err := ledger.Load(t.Context(), w.store(), superman, "the run before")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := book.Found(t.Context(), nil, ledger.Cursor{}, cursor, 0); err != nil {
		t.Fatal(err)
	}

	other := w.say("bob", "hello", 3*time.Hour)
	hour := time.Now().Add(-time.Hour)
	want := map[uint64]string{
		w.say(superman, "I am serverless", time.Hour):                                                    "own",
		w.say(batman, "Batman is serverless", time.Hour):                                                 "ignored",
		w.X.Add(x.Post{Author: "ana", Text: "RT serverless", RetweetOf: other, CreatedAt: hour}):         "retweet",
		w.X.Add(x.Post{Author: "ana", Text: "no, serverless", ReplyTo: other, CreatedAt: hour}):          "reply",
		w.X.Add(x.Post{Author: "ana", Text: "this: serverless", QuoteOf: other, CreatedAt: hour}):        "quote",
		w.X.Add(x.Post{Author: "ana", Text: "naked serverless", Sensitive: true, CreatedAt: hour}):       "sensitive",
		w.say("ana", "serverless yesterday morning", 25*time.Hour):                                       "stale",
		w.say("ana", "only in https://example.com/serverless", time.Hour):                                "no-word",
		w.say("ana", "serverless $AMZN and $MSFT", time.Hour):                                            "cashtags",
		w.say("ana", strings.Repeat("much to say ", 30)+"serverless", time.Hour):                         "too-long",
		w.say("ana", "Batman prefers serverless", time.Hour):                                             "denied",
		w.say("ana", "serverless is fine", 2*time.Hour):                                                  "",
		w.say("bob", "serverless   is fine", time.Hour):                                                  "duplicate-text",
		w.say("cleo", "serverless is fine https://example.com/here", 30*time.Minute):                     "duplicate-text",
		w.X.Add(x.Post{Author: "ana", Text: "serverless in French", Lang: "fr", CreatedAt: hour}):        "",
		w.X.Add(x.Post{Author: "ana", Text: "serverless, with a picture", Media: true, CreatedAt: hour}): "",
	}
	report := w.tick(superman)

	got := make(map[uint64]string)
	for _, o := range report.Posts {
		got[o.Source] = o.Reason
		if (o.Post == 0) != (o.Reason != "") {
			t.Errorf("outcome %+v, want a post or a reason", o)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons of the report (-want +got):\n%s", diff)
	}
	counts := make(map[string]int)
	for id, reason := range want {
		state := "posted"
		if reason != "" {
			counts[reason]++
			state = "skipped " + reason
		}
		if got := w.states(superman)[id]; got != state {
			t.Errorf("ledger of %d: %q, want %q", id, got, state)
		}
	}
	if diff := cmp.Diff(counts, report.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	texts := w.posted(superman)
	slices.Sort(texts)
	if diff := cmp.Diff([]string{"I am serverless", "Superman in French", "Superman is fine", "Superman, with a picture"}, texts); diff != "" {
		t.Errorf("on the account (-want +got):\n%s", diff)
	}
}

// The bot's own query keeps from being billed what would only be skipped.
func TestOwnQueryReadsNoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	other := w.say("bob", "hello", 3*time.Hour)
	w.say("ana", "see https://example.com about serverless", time.Hour)
	w.say("ana", "@bob serverless?", time.Hour)
	w.X.Add(x.Post{Author: "ana", Text: "no, serverless", ReplyTo: other})
	w.X.Add(x.Post{Author: "ana", Text: "RT serverless", RetweetOf: other})
	w.X.Add(x.Post{Author: "ana", Text: "this: serverless", QuoteOf: other})
	w.X.Add(x.Post{Author: "ana", Text: "le serverless", Lang: "fr"})
	w.say("ana", "#Serverless it is", time.Hour)
	if got := w.tick(superman); got.Found != 1 || got.Posted != 1 || got.CostUSD != 0.02 {
		t.Errorf("report %+v, want 1 found, 1 posted, for 0.02", got)
	}
}

func TestPendingGrowsStale(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	id := twitter.FirstID(time.Now().Add(-25 * time.Hour))
	book, err := ledger.Load(t.Context(), w.store(), superman, "the run before")
	if err != nil {
		t.Fatal(err)
	}
	waiting := ledger.Post{ID: id, Author: "1", State: ledger.Pending, Text: "Superman", Hash: "h"}
	if _, _, err := book.Found(t.Context(), []ledger.Post{waiting}, ledger.Cursor{}, ledger.Cursor{Low: id}, 0); err != nil {
		t.Fatal(err)
	}
	got := w.tick(superman)
	if diff := cmp.Diff([]bot.Outcome{{Source: id, Reason: "stale"}}, got.Posts); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
	if got := w.posted(superman); got != nil {
		t.Errorf("posted %q", got)
	}
}

func TestIgnoreListChanges(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"CONFIG_TTL": "1ms", "BOT_POSTS_PER_RUN": "1"})
	sources := w.sayMany(2)
	w.tick(superman)

	ana := w.X.AddAccount("ana")
	w.Parameters.Put(parameter("shared/ignore"), "String", " 12, "+strconv.FormatUint(ana.ID, 10)+",")
	next := w.say("ana", "serverless once more", time.Second)
	want := []bot.Outcome{{Source: next, Reason: "ignored"}, {Source: sources[1], Reason: "ignored"}}
	got := w.tick(superman)
	if diff := cmp.Diff(want, got.Posts); diff != "" {
		t.Errorf("after the author was put on the list (-want +got):\n%s", diff)
	}
	if got.Config.Versions[parameter("shared/ignore")] != 2 {
		t.Errorf("config %+v, want version 2 of the list", got.Config)
	}
	if diff := cmp.Diff(supermen(1), w.posted(superman)); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
}

func TestSistersDoNotFeedEachOther(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	const posts = 5
	for i := range posts {
		w.say("ana", fmt.Sprintf("serverless big data %d", i), time.Duration(posts-i)*time.Minute)
	}
	ignored := 0
	for range 12 {
		for _, name := range []string{superman, batman} {
			ignored += w.tick(name).Skipped["ignored"]
		}
	}
	for name, format := range map[string]string{superman: "Superman big data %d", batman: "serverless Batman %d"} {
		var want []string
		for i := range posts {
			want = append(want, fmt.Sprintf(format, i))
		}
		if diff := cmp.Diff(want, w.posted(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if ignored != 2*posts {
		t.Errorf("%d posts of the sister ignored, want %d: each found the other's", ignored, 2*posts)
	}
}

func TestDryRunThenPost(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_MODE": "ssm:" + parameter("mode"), "CONFIG_TTL": "1ms"})
	w.Parameters.Put(parameter("mode"), "String", "dry-run")
	sources := w.sayMany(5)

	got := w.tick(superman)
	if got.Mode != bot.DryRun || got.Found != 5 || got.Posted != 0 || got.Pending != 0 || got.Skipped["dry-run"] != 5 {
		t.Errorf("dry run: %+v, want 5 found and skipped", got)
	}
	if got := w.tick(superman); got.Found != 0 {
		t.Errorf("second dry run: %+v, want nothing found: the first one moved on", got)
	}
	if calls := w.X.Calls(); calls["create"] != 0 || calls["search"] != 2 {
		t.Errorf("calls %v, want two searches and nothing sent", calls)
	}
	for _, r := range w.rows(superman) {
		if r.Text != nil || r.Post != nil && (r.Post.Text != "" || r.Post.Sends != 0) {
			t.Errorf("row %s holds a text or a send", r.Key)
		}
	}

	w.Parameters.Put(parameter("mode"), "String", "post")
	w.say("ana", "serverless in earnest", time.Second)
	if got := w.tick(superman); got.Mode != bot.PostMode || got.Found != 1 || got.Posted != 1 {
		t.Errorf("in post mode: %+v, want the new post found and posted", got)
	}
	if diff := cmp.Diff([]string{"Superman in earnest"}, w.posted(superman)); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
	if got := w.states(superman)[sources[0]]; got != "skipped dry-run" {
		t.Errorf("a post of the dry run is %q now", got)
	}
}

func TestDryRunIsTheDefault(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	env := w.Environment(superman)
	delete(env, "BOT_MODE")
	w.deploy(superman, env)
	w.sayMany(1)
	if got := w.tick(superman); got.Mode != bot.DryRun || got.Skipped["dry-run"] != 1 || w.X.Calls()["create"] != 0 {
		t.Errorf("without BOT_MODE: %+v and calls %v, want a dry run", got, w.X.Calls())
	}
}

func TestDayLimit(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_POSTS_PER_DAY": "4"})
	w.sayMany(6)
	if got := w.tick(superman); got.Posted != 3 || got.Stopped != "" {
		t.Errorf("first run: %+v, want 3 posted", got)
	}
	for range 2 {
		w.tick(superman)
	}
	got := w.tick(superman)
	if got.Posted != 0 || got.Pending != 2 || got.Stopped != "posts per day" {
		t.Errorf("last run: %+v, want 2 pending, stopped by posts per day", got)
	}
	if diff := cmp.Diff(supermen(4), w.posted(superman)); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_DAILY_BUDGET": "0.075"})
	w.sayMany(12)
	got := w.tick(superman)
	if got.Found != 12 || got.Posted != 1 || got.Pending != 11 || got.CostUSD != 0.075 || got.Stopped != "budget" {
		t.Errorf("report %+v, want 12 found, 1 posted for 0.075, stopped by the budget", got)
	}
	calls := w.X.Calls()
	if got := w.tick(superman); got.CostUSD != 0 || got.Posted != 0 || got.Stopped != "budget" {
		t.Errorf("next run: %+v, want nothing spent, stopped by the budget", got)
	}
	if diff := cmp.Diff(calls, w.X.Calls()); diff != "" {
		t.Errorf("calls with nothing left (-before +after):\n%s", diff)
	}
}

// What the reports say was spent is what X charges.
func TestCostIsWhatXCharges(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_LINKS": "keep", "BOT_QUERY": `serverless OR "big data"`})
	w.sayMany(4)
	w.say("ana", "serverless and big data", 30*time.Second)
	w.say("ana", "serverless, see https://example.com/1", 20*time.Second)
	w.say("ana", "big data, see example.com", 10*time.Second)
	w.say("ana", "big data", 10*time.Second)
	key := w.credential("shared/twitter", "consumer_key")
	for range 4 {
		before := w.X.Spent(key)
		got := w.tick(superman)
		if spent := w.X.Spent(key) - before; math.Abs(spent-got.CostUSD) > 1e-9 {
			t.Errorf("report %+v says %v dollars, X charged %v", got, got.CostUSD, spent)
		}
		w.later(superman, time.Hour)
	}
	if got, want := w.X.Spent(key), 9*0.005+5*0.015+0.20; math.Abs(got-want) > 1e-9 {
		t.Errorf("X charged %v, want %v: eight posts and one of its own read, five posted without a link and one with", got, want)
	}
}

func TestLateEvent(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.sayMany(1)
	got := w.invoke(superman, runtime.ScheduledEvent(time.Now().Add(-16*time.Minute))).Report
	want := bot.Report{
		Bot: superman, Mode: bot.PostMode, Stopped: "late event",
		Skipped: map[string]int{}, Posts: []bot.Outcome{}, Config: bot.Config{Versions: map[string]int64{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if x, p := w.X.Calls(), w.Parameters.Calls(); len(x) > 0 || len(p) > 0 {
		t.Errorf("calls to X %v, to Parameter Store %v, want none", x, p)
	}
	if got := w.invoke(superman, runtime.ScheduledEvent(time.Now().Add(-14*time.Minute))).Report; got.Posted != 1 {
		t.Errorf("an event of 14 minutes ago: %+v, want 1 posted", got)
	}
}

func TestEventWithoutTimeMeansNow(t *testing.T) {
	t.Parallel()
	for _, event := range []string{`{}`, `{"by": "hand"}`, `null`} {
		w := start(t, nil)
		w.sayMany(1)
		if got := w.invoke(superman, []byte(event)).Report; got.Posted != 1 {
			t.Errorf("event %s: %+v, want 1 posted", event, got)
		}
	}
}

func TestReportShape(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_POSTS_PER_RUN": "1", "BOT_QUERY": "serverless"})
	sources := w.sayMany(2)
	reply := w.X.Add(x.Post{Author: "ana", Text: "no, serverless", ReplyTo: sources[0]})
	payload := w.invoke(superman, runtime.ScheduledEvent(time.Now())).Payload
	var got map[string]any
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	config, ok := got["config"].(map[string]any)
	if age, isNumber := config["age_seconds"].(float64); !ok || !isNumber || age <= 0 || age > 60 {
		t.Errorf("config %v, want an age in seconds", config)
	}
	delete(config, "age_seconds")
	id := func(id uint64) string { return strconv.FormatUint(id, 10) }
	want := map[string]any{
		"bot": superman, "mode": "post",
		"found": 3.0, "posted": 1.0, "pending": 1.0, "unknown": 0.0, "dead": 0.0,
		"skipped": map[string]any{"reply": 1.0},
		"posts": []any{
			map[string]any{"source": id(reply), "reason": "reply"},
			map[string]any{"source": id(sources[0]), "post": id(w.X.Posts(w.Accounts[superman].ID)[0].ID)},
		},
		"cost_usd": 0.03,
		"config": map[string]any{
			"versions": map[string]any{parameter("shared/ignore"): 1.0, parameter("shared/twitter"): 1.0, parameter("superman/twitter"): 1.0},
			"stale":    false, "refreshes": 1.0,
		},
		"stopped": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}

	var empty map[string]any
	w = start(t, nil)
	if err := json.Unmarshal(w.invoke(superman, []byte(`{}`)).Payload, &empty); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(empty))); diff != "" {
		t.Errorf("fields of a run that found nothing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{}, empty["posts"]); diff != "" {
		t.Errorf("its posts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{}, empty["skipped"]); diff != "" {
		t.Errorf("its skipped (-want +got):\n%s", diff)
	}
}

func TestReportListsAtMostAHundred(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"CONFIG_TTL": "1ms", "BOT_POSTS_PER_RUN": "0"})
	w.sayMany(110)
	if got := w.tick(superman); got.Found != 100 || got.Pending != 100 {
		t.Errorf("first run: found %d, pending %d, want 100: two pages", got.Found, got.Pending)
	}
	w.Parameters.Put(parameter("shared/ignore"), "String", strconv.FormatUint(w.X.AddAccount("ana").ID, 10))
	got := w.tick(superman)
	if len(got.Posts) != 100 || got.Skipped["ignored"] != 110 {
		t.Errorf("second run: %d posts listed, %d ignored, want 100 and 110", len(got.Posts), got.Skipped["ignored"])
	}
}

// Two pages a run are read from the newest post down; the oldest are neither
// lost nor late.
func TestFindsAllOfABusyDay(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_POSTS_PER_RUN": "500", "BOT_POSTS_PER_DAY": "500", "BOT_DAILY_BUDGET": "50"})
	w.X.Limits.Create = 500
	const posts = 230
	w.sayMany(posts)
	for range 4 {
		w.tick(superman)
		w.Functions[superman].Kill()
	}
	got := w.posted(superman)
	slices.Sort(got)
	want := supermen(posts)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
}
