package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

// The posts of book, by their state.
const (
	pendingID = 2116000000000000000 + iota
	postingID
	postedID
	skippedID
	refusedID // dead
	unknownID // dead
	poisonID  // dead, without a text
)

// book makes a ledger file with a post in every state, and returns its location.
func book(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := load(t, "file:"+path)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var posts []ledger.Post
	for id := uint64(pendingID); id < poisonID; id++ {
		posts = append(posts, ledger.Post{
			ID: id, Author: "7", State: ledger.Pending, Text: fmt.Sprintf("Superman %d", id-pendingID), Hash: fmt.Sprint(id),
		})
	}
	posts[3].State, posts[3].Reason, posts[3].Text = ledger.Skipped, "reply", ""
	posts = append(posts, ledger.Post{ID: poisonID, Author: "7", State: ledger.Dead, Reason: "poison"})
	_, _, err := l.Found(t.Context(), posts, ledger.Cursor{}, ledger.Cursor{Low: poisonID}, 5000)
	must(err)
	begun, err := l.Known(t.Context(), []uint64{postingID, postedID, refusedID, unknownID})
	must(err)
	for id, p := range begun {
		begun[id], err = l.Begin(t.Context(), p, time.Now().Add(time.Minute), ledger.Limits{PostsPerDay: 20, Micros: 1e9}, 15000)
		must(err)
	}
	must(l.Posted(t.Context(), postedID, 99, ""))
	must(l.Undo(t.Context(), begun[refusedID], 15000, ledger.Dead, "refused"))
	must(l.End(t.Context(), begun[unknownID], ledger.Dead, "unknown"))
	gap := ledger.Gap{From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}
	must(l.Gap(t.Context(), ledger.Cursor{Low: poisonID}, ledger.Cursor{Low: poisonID + 1}, gap))
	must(l.Stop(t.Context(), "post", ledger.Stop{Why: "rate limited", Until: time.Now().Add(time.Hour)}))
	must(l.Stop(t.Context(), "search", ledger.Stop{Why: "rate limited", Until: time.Now().Add(-time.Hour)}))
	return "file:" + path
}

func load(t *testing.T, location string) *ledger.Ledger {
	t.Helper()
	store, err := ledger.OpenFile(strings.TrimPrefix(location, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Load(t.Context(), store, "superman", "test")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// done runs the command, which must succeed and complain of nothing.
func done(t *testing.T, args ...string) (out string) {
	t.Helper()
	code, out, errs := ask(t, "", args...)
	if code != 0 || errs != "" {
		t.Errorf("%q: exit %d, says %q", args, code, errs)
	}
	return out
}

func TestLedgerShow(t *testing.T) {
	location := book(t)
	// Times change from one run to the next, and with them the width of nothing.
	moment := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	date := regexp.MustCompile(`\d{4}-\d\d-\d\d:`)
	text := func(args ...string) string {
		out := done(t, append([]string{"ledger", "show", "superman", "--ledger", location}, args...)...)
		out = date.ReplaceAllString(moment.ReplaceAllString(out, "TIME"), "TODAY:")
		return regexp.MustCompile(`  +|\t`).ReplaceAllString(regexp.MustCompile(` +\n`).ReplaceAllString(out, "\n"), " | ")
	}
	const all = `day | TODAY: 3 posts, $0.08
stop | post until TIME: rate limited
gap | TIME to TIME was never searched
2116000000000000000 | pending | TIME | Superman 0
2116000000000000001 | posting | TIME | Superman 1
2116000000000000002 | posted | TIME | as 99
2116000000000000003 | skipped | TIME | reply
2116000000000000004 | dead | TIME | refused | Superman 4
2116000000000000005 | dead | TIME | unknown | Superman 5
2116000000000000006 | dead | TIME | poison
`
	if diff := cmp.Diff(all, text()); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	const dead = `2116000000000000004 | dead | TIME | refused | Superman 4
2116000000000000005 | dead | TIME | unknown | Superman 5
2116000000000000006 | dead | TIME | poison
`
	if diff := cmp.Diff(dead, text("--state", "dead")); diff != "" {
		t.Errorf("dead ones (-want +got):\n%s", diff)
	}
	if got := done(t, "ledger", "show", "batman", "--ledger", location); got != "" {
		t.Errorf("the other bot has %q, want nothing", got)
	}
}

func TestLedgerShowJSON(t *testing.T) {
	location := book(t)
	states := make(map[string]string)
	for line := range strings.Lines(done(t, "ledger", "show", "superman", "--ledger", location, "--state", "dead", "--output", "json")) {
		var row struct {
			Key  string
			Post struct{ ID, State, Reason, Text string }
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if row.Key != "post#0"+row.Post.ID {
			t.Errorf("row %q is of the post %s", row.Key, row.Post.ID)
		}
		states[row.Post.ID] = row.Post.State + " " + row.Post.Reason + " " + row.Post.Text
	}
	want := map[string]string{
		"2116000000000000004": "dead refused Superman 4", "2116000000000000005": "dead unknown Superman 5", "2116000000000000006": "dead poison ",
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("dead posts (-want +got):\n%s", diff)
	}
	n := strings.Count(done(t, "ledger", "show", "superman", "--ledger", location, "--output", "json"), "\n")
	if n != 9 { // the bot's own row, a gap, seven posts
		t.Errorf("%d rows, want 9", n)
	}
}

// A dead post goes on its way again: one that was certainly never posted at
// once, another only when it has been looked up.
func TestLedgerRedrive(t *testing.T) {
	location := book(t)
	for _, id := range []uint64{refusedID, unknownID} {
		if out := done(t, "ledger", "redrive", "superman", fmt.Sprint(id), "--ledger", location); out != "" {
			t.Errorf("redrive says %q, want nothing", out)
		}
	}
	l := load(t, location)
	known, err := l.Known(t.Context(), []uint64{refusedID, unknownID})
	if err != nil {
		t.Fatal(err)
	}
	if p := known[refusedID]; p.State != ledger.Pending || p.Reason != "redrive" || p.Text != "Superman 4" {
		t.Errorf("the refused post is %s (%s) with %q, want it pending with its text", p.State, p.Reason, p.Text)
	}
	if p := known[unknownID]; p.State != ledger.Posting || p.Sends != 1 || p.Text != "Superman 5" {
		t.Errorf("the unknown post is %s after %d sends with %q, want it posting", p.State, p.Sends, p.Text)
	}
}

func TestLedgerPauseAndResume(t *testing.T) {
	location := book(t)
	done(t, "ledger", "pause", "superman", "--ledger", location)
	if s := load(t, location).Control().Stops[bot.StopPaused]; s.Why != "paused" || time.Until(s.Until) < 24*365*time.Hour {
		t.Errorf("the stop is %+v, want one for good", s)
	}
	if got := done(t, "ledger", "show", "superman", "--ledger", location); !strings.Contains(got, "paused until ") {
		t.Errorf("shown as %q, want it paused", got)
	}
	// Whatever else stopped it is over, too.
	done(t, "ledger", "resume", "superman", "--ledger", location)
	if got := load(t, location).Control().Stops; len(got) != 0 {
		t.Errorf("stops %v after resume, want none", got)
	}
}

func TestLedgerUsedWrongly(t *testing.T) {
	location := book(t)
	before := done(t, "ledger", "show", "superman", "--ledger", location, "--output", "json")
	nowhere := filepath.Join(t.TempDir(), "none.db")
	junk := write(t, strings.Repeat("no ledger\n", 10_000))
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no ledger":               {[]string{"show", "superman"}, 2, "exactly one of --stage and --ledger"},
		"two ledgers":             {[]string{"pause", "superman", "--ledger", location, "--stage", "dev"}, 2, "exactly one of --stage and --ledger"},
		"no such stage":           {[]string{"pause", "superman", "--stage", "prdo"}, 1, `no stage "prdo"`},
		"no kind of ledger":       {[]string{"show", "superman", "--ledger", nowhere}, 2, "dynamodb:TABLE"},
		"no such file":            {[]string{"show", "superman", "--ledger", "file:" + nowhere}, 1, nowhere},
		"pause, no such file":     {[]string{"pause", "superman", "--ledger", "file:" + nowhere}, 1, nowhere},
		"a file that is none":     {[]string{"show", "superman", "--ledger", "file:" + junk}, 1, junk},
		"unknown bot":             {[]string{"pause", "no-bot", "--ledger", location}, 2, "no such bot"},
		"unknown state":           {[]string{"show", "superman", "--ledger", location, "--state", "lost"}, 2, "--state"},
		"no id":                   {[]string{"redrive", "superman", "--ledger", location}, 2, "<id>"},
		"an id of letters":        {[]string{"redrive", "superman", "last", "--ledger", location}, 2, "id"},
		"unknown id":              {[]string{"redrive", "superman", "1", "--ledger", location}, 1, "post 1: no such post in the ledger"},
		"redrive of the posted":   {[]string{"redrive", "superman", fmt.Sprint(postedID), "--ledger", location}, 1, "is posted, not dead"},
		"redrive without a text":  {[]string{"redrive", "superman", fmt.Sprint(poisonID), "--ledger", location}, 1, "no text to post: poison"},
		"redrive, the wrong bot":  {[]string{"redrive", "batman", fmt.Sprint(refusedID), "--ledger", location}, 1, "no such post"},
		"nothing of these":        {[]string{"erase", "superman", "--ledger", location}, 2, "erase"},
		"nothing to do in ledger": {nil, 2, "superbots"},
	} {
		code, out, errs := ask(t, "", append([]string{"ledger"}, test.args...)...)
		if code != test.code || out != "" || !strings.Contains(errs, test.says) {
			t.Errorf("%s: exit %d, says %q and %q, want exit %d and %q", name, code, out, errs, test.code, test.says)
		}
	}
	if _, err := os.Stat(nowhere); !os.IsNotExist(err) {
		t.Errorf("a ledger was made where there was none: %v", err)
	}
	after := done(t, "ledger", "show", "superman", "--ledger", location, "--output", "json")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the ledger was changed (-before +after):\n%s", diff)
	}
}
