package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/superbots/pkg/ledger"
)

const (
	read  = 5_000  // what a test's posts cost to read
	price = 15_000 // and to send
)

var (
	start  = ledger.Cursor{Low: 10}
	limits = ledger.Limits{PostsPerDay: 20, Micros: 1_000_000}
)

func load(t *testing.T, s ledger.Store, run string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Load(t.Context(), s, "superman", run)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func pending(id uint64) ledger.Post {
	return ledger.Post{ID: id, Author: "7", State: ledger.Pending, Text: fmt.Sprintf("Superman %d", id), Hash: fmt.Sprintf("hash %d", id)}
}

// with returns a Store in which the posts were found, at no cost.
func with(t *testing.T, posts ...ledger.Post) *ledger.Memory {
	t.Helper()
	s := new(ledger.Memory)
	if _, _, err := load(t, s, "finder").Found(t.Context(), posts, ledger.Cursor{}, start, 0); err != nil {
		t.Fatal(err)
	}
	return s
}

func all(t *testing.T, s ledger.Store) []ledger.Row {
	t.Helper()
	rows, err := s.All(t.Context(), "superman")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func row(t *testing.T, s ledger.Store, match func(ledger.Row) bool) ledger.Row {
	t.Helper()
	rows := all(t, s)
	i := slices.IndexFunc(rows, match)
	if i < 0 {
		t.Fatalf("no such row among %d", len(rows))
	}
	return rows[i]
}

// control and post return what is stored.
func control(t *testing.T, s ledger.Store) ledger.Control {
	t.Helper()
	return *row(t, s, func(r ledger.Row) bool { return r.Control != nil }).Control
}

func post(t *testing.T, s ledger.Store, id uint64) ledger.Post {
	t.Helper()
	r := row(t, s, func(r ledger.Row) bool { return r.Post != nil && r.Post.ID == id })
	ended := r.Post.State != ledger.Pending && r.Post.State != ledger.Posting
	if r.Open == ended || (r.Expires == 0) == ended {
		t.Errorf("post %d is %s: got Open %t, Expires %d", id, r.Post.State, r.Open, r.Expires)
	}
	if posted := r.Post.State == ledger.Posted || r.Post.State == ledger.Skipped; posted && r.Post.Text != "" {
		t.Errorf("post %d is %s, and its text is still there", id, r.Post.State)
	}
	return *r.Post
}

func begin(t *testing.T, l *ledger.Ledger, seen ledger.Post) ledger.Post {
	t.Helper()
	begun, err := l.Begin(t.Context(), seen, time.Now().Add(time.Minute), limits, price)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return begun
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got the error %v, want %v", err, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(ledger.Day{}, "From", "To")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// unchanged calls f, and checks that it wrote nothing.
func unchanged(t *testing.T, s ledger.Store, f func()) {
	t.Helper()
	before := all(t, s)
	f()
	equal(t, "the rows", all(t, s), before)
}

func ids(posts []ledger.Post) (ids []uint64) {
	for _, p := range posts {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestLoad(t *testing.T) {
	s := with(t, pending(3), pending(1), pending(2), ledger.Post{ID: 4, State: ledger.Skipped, Reason: "reply"})
	begin(t, load(t, s, "one"), pending(2))
	l := load(t, s, "two")
	equal(t, "pending, oldest first", ids(l.Open(ledger.Pending)), []uint64{1, 3})
	equal(t, "posting", ids(l.Open(ledger.Posting)), []uint64{2})
	equal(t, "the cursor", l.Control().Cursor, start)

	known, err := l.Known(t.Context(), []uint64{4, 5, 1})
	must(t, err)
	equal(t, "known", known, map[uint64]ledger.Post{1: post(t, s, 1), 4: post(t, s, 4)})

	empty := load(t, new(ledger.Memory), "one")
	equal(t, "the control row of a new bot", empty.Control(), ledger.Control{})
}

func TestFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(ledger.Memory)
		l := load(t, s, "one")
		to := ledger.Cursor{Low: 10, High: 30, Until: 20}
		skipped := ledger.Post{ID: 21, State: ledger.Skipped, Reason: "reply", Text: "dropped"}
		added, charged, err := l.Found(t.Context(), []ledger.Post{pending(20), skipped}, ledger.Cursor{}, to, read)
		must(t, err)
		equal(t, "added", ids(added), []uint64{20, 21})
		equal(t, "charged", charged, int64(2*read))
		equal(t, "control", control(t, s), ledger.Control{Cursor: to, Day: ledger.Day{Date: "2000-01-01", Micros: 2 * read}})
		want := pending(20)
		want.Billed = "2000-01-01"
		want.History = []ledger.Step{{At: time.Now(), State: ledger.Pending}}
		equal(t, "a new post", post(t, s, 20), want)
		equal(t, "why it was skipped", post(t, s, 21).Reason, "reply")

		// Later that day it is found again, edited, by a run that knows of none.
		time.Sleep(time.Hour)
		edited := pending(20)
		edited.Text, edited.Hash = "Superman, edited", "another hash"
		later := ledger.Cursor{Low: 30}
		added, charged, err = load(t, s, "two").Found(t.Context(), []ledger.Post{skipped, edited, pending(31)}, to, later, read)
		must(t, err)
		equal(t, "added", ids(added), []uint64{31})
		equal(t, "charged", charged, int64(read))
		equal(t, "the edited post", post(t, s, 20), want)
		equal(t, "control", control(t, s), ledger.Control{Cursor: later, Day: ledger.Day{Date: "2000-01-01", Micros: 3 * read}})

		// The first run still has the cursor of before: what it found counts, and
		// its cursor does not.
		added, charged, err = l.Found(t.Context(), []ledger.Post{pending(20), pending(22)}, to, ledger.Cursor{Low: 22}, read)
		must(t, err)
		equal(t, "added", ids(added), []uint64{22})
		equal(t, "charged", charged, int64(read))
		equal(t, "the cursor", control(t, s).Cursor, later)

		// Nothing new and nowhere to go: nothing to write.
		unchanged(t, s, func() {
			_, _, err := load(t, s, "three").Found(t.Context(), []ledger.Post{pending(20)}, later, later, read)
			must(t, err)
		})

		// X bills a post once a UTC day.
		must(t, load(t, s, "four").End(t.Context(), post(t, s, 22), ledger.Skipped, "stale"))
		time.Sleep(23*time.Hour - 1)
		added, charged, err = load(t, s, "five").Found(t.Context(), []ledger.Post{pending(20)}, later, later, read)
		must(t, err)
		equal(t, "added just before midnight", len(added), 0)
		equal(t, "charged just before midnight", charged, int64(0))
		time.Sleep(time.Nanosecond)
		added, charged, err = load(t, s, "six").Found(t.Context(), []ledger.Post{pending(20), pending(22)}, later, later, read)
		must(t, err)
		equal(t, "added after midnight", len(added), 0)
		equal(t, "charged after midnight", charged, int64(2*read))
		equal(t, "the new day", control(t, s).Day, ledger.Day{Date: "2000-01-02", Micros: 2 * read})
		want.Billed = "2000-01-02"
		equal(t, "the post billed again", post(t, s, 20), want)
		equal(t, "the skipped post billed again", post(t, s, 22).State, ledger.Skipped)
	})
}

func TestFoundLargestPage(t *testing.T) {
	var page []ledger.Post
	for id := range uint64(ledger.MaxRows - 1) {
		page = append(page, pending(100+id))
	}
	s := with(t, page...)
	equal(t, "pending", len(load(t, s, "one").Open(ledger.Pending)), len(page))
}

func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, pending(1))
		began := time.Now()
		lease := began.Add(time.Minute)
		got, err := load(t, s, "one").Begin(t.Context(), pending(1), lease.In(time.FixedZone("", 3600)), limits, price)
		must(t, err)
		want := pending(1)
		want.State, want.Owner, want.Lease, want.Sends, want.Sent, want.Resent = ledger.Posting, "one", lease, 1, began, began
		want.Billed = "2000-01-01"
		want.History = []ledger.Step{{At: began, State: ledger.Pending}, {At: began, State: ledger.Posting}}
		equal(t, "begun", got, want)
		equal(t, "stored", post(t, s, 1), want)
		equal(t, "the day", control(t, s).Day, ledger.Day{Date: "2000-01-01", Posts: 1, Micros: price})
		if zone := got.Lease.Location(); zone != time.UTC {
			t.Errorf("got a lease in the zone %v, want UTC", zone)
		}

		// Looked up in vain, it is sent again by another run: the same text.
		time.Sleep(25 * time.Hour)
		two := load(t, s, "two")
		got = begin(t, two, two.Open(ledger.Posting)[0])
		want.Owner, want.Lease, want.Sends, want.Resent = "two", time.Now().Add(time.Minute), 2, time.Now()
		want.History = append(want.History, ledger.Step{At: time.Now(), State: ledger.Posting})
		equal(t, "begun again", got, want)
		equal(t, "the next day", control(t, s).Day, ledger.Day{Date: "2000-01-02", Posts: 1, Micros: price})
	})
}

func TestBeginRefused(t *testing.T) {
	sameText := pending(3)
	sameText.Hash = pending(1).Hash
	for name, test := range map[string]struct {
		seen   ledger.Post
		limits ledger.Limits
		want   error
	}{
		"the last post, the last cent": {pending(2), ledger.Limits{PostsPerDay: 2, Micros: 2 * price}, nil},
		"the day's posts":              {pending(2), ledger.Limits{PostsPerDay: 1, Micros: 1_000_000}, ledger.ErrPerDay},
		"the day's budget":             {pending(2), ledger.Limits{PostsPerDay: 20, Micros: 2*price - 1}, ledger.ErrBudget},
		"another source's text":        {sameText, limits, ledger.ErrText},
		"begun by another run":         {pending(1), limits, ledger.ErrTaken},
		"not in the ledger":            {pending(4), limits, ledger.ErrUnknown},
		"another state":                {ledger.Post{ID: 2, State: ledger.Posting}, limits, ledger.ErrTaken},
		"another number of sends":      {ledger.Post{ID: 1, State: ledger.Posting, Sends: 2, Owner: "one"}, limits, ledger.ErrTaken},
		"another owner":                {ledger.Post{ID: 1, State: ledger.Posting, Sends: 1, Owner: "two"}, limits, ledger.ErrTaken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := with(t, pending(1), pending(2), sameText)
				begin(t, load(t, s, "one"), pending(1))
				before := all(t, s)
				_, err := load(t, s, "two").Begin(t.Context(), test.seen, time.Now(), test.limits, price)
				is(t, err, test.want)
				if test.want != nil {
					equal(t, "the rows", all(t, s), before)
				}
			})
		})
	}
}

func TestUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, pending(1))
		before := post(t, s, 1)
		one := load(t, s, "one")
		begun := begin(t, one, pending(1))

		unchanged(t, s, func() {
			is(t, load(t, s, "two").Undo(t.Context(), begun, price, ledger.Pending, ""), ledger.ErrTaken)
		})

		must(t, one.Undo(t.Context(), begun, price, ledger.Pending, "rate limited"))
		equal(t, "the day", control(t, s).Day, ledger.Day{Date: "2000-01-01"})
		after := post(t, s, 1)
		equal(t, "its history", after.History[1:], []ledger.Step{{At: time.Now(), State: ledger.Posting}, {At: time.Now(), State: ledger.Pending, Reason: "rate limited"}})
		before.Reason, before.History = after.Reason, after.History
		equal(t, "as before", after, before)
		unchanged(t, s, func() {
			is(t, one.Undo(t.Context(), begun, price, ledger.Pending, ""), ledger.ErrTaken)
		})

		// The earlier send is still unaccounted for.
		first := begin(t, one, after)
		time.Sleep(time.Hour)
		two := load(t, s, "two")
		second := begin(t, two, first)
		unchanged(t, s, func() {
			is(t, one.Undo(t.Context(), first, price, ledger.Pending, ""), ledger.ErrTaken)
		})
		must(t, two.Undo(t.Context(), second, price, ledger.Pending, "not sent"))
		got := post(t, s, 1)
		equal(t, "state", got.State, ledger.Posting)
		equal(t, "sends", got.Sends, 1)
		equal(t, "the first send", []time.Time{got.Sent, got.Resent}, []time.Time{first.Sent, first.Sent})
		equal(t, "owner", got.Owner, "")
		equal(t, "lease", got.Lease, time.Time{})
		equal(t, "the day", control(t, s).Day, ledger.Day{Date: "2000-01-01", Posts: 1, Micros: price})
		unchanged(t, s, func() { // a third run has sent it since, in vain
			is(t, load(t, s, "late").End(t.Context(), first, ledger.Dead, "unknown"), ledger.ErrTaken)
		})
		third := begin(t, two, got)
		unchanged(t, s, func() { // of its own sends, a run takes back the last one only
			is(t, two.Undo(t.Context(), got, price, ledger.Pending, ""), ledger.ErrTaken)
		})
		must(t, two.Undo(t.Context(), third, price, ledger.Dead, "unknown"))
		equal(t, "given up", post(t, s, 1).State, ledger.Dead)
		equal(t, "the day", control(t, s).Day, ledger.Day{Date: "2000-01-01", Posts: 1, Micros: price})
	})
}

func TestUndoEnds(t *testing.T) {
	for state, text := range map[ledger.State]string{ledger.Skipped: "", ledger.Dead: pending(1).Text} {
		s := with(t, pending(1))
		one := load(t, s, "one")
		must(t, one.Undo(t.Context(), begin(t, one, pending(1)), price, state, "why"))
		got := post(t, s, 1)
		equal(t, "state and reason", fmt.Sprintf("%s %s", got.State, got.Reason), string(state)+" why")
		equal(t, "text", got.Text, text)
		equal(t, "sends", got.Sends, 0)
	}
}

func TestUndoAcrossMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, pending(1), pending(2))
		one := load(t, s, "one")
		time.Sleep(24*time.Hour - 1)
		begun := begin(t, one, pending(1))
		other := begin(t, one, pending(2))
		must(t, one.Undo(t.Context(), other, price, ledger.Pending, ""))
		equal(t, "the day before", control(t, s).Day, ledger.Day{Date: "2000-01-01", Posts: 1, Micros: price})
		time.Sleep(time.Nanosecond)
		begin(t, one, post(t, s, 2))
		must(t, one.Undo(t.Context(), begun, price, ledger.Pending, ""))
		equal(t, "the day after", control(t, s).Day, ledger.Day{Date: "2000-01-02", Posts: 1, Micros: price})
	})
}

func TestPosted(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, s ledger.Store){
		"pending": func(*testing.T, ledger.Store) {},
		"posting": func(t *testing.T, s ledger.Store) { begin(t, load(t, s, "one"), pending(1)) },
		"skipped": func(t *testing.T, s ledger.Store) {
			must(t, load(t, s, "one").End(t.Context(), pending(1), ledger.Skipped, "stale"))
		},
		"dead": func(t *testing.T, s ledger.Store) {
			must(t, load(t, s, "one").End(t.Context(), pending(1), ledger.Dead, "unknown"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := with(t, pending(1), pending(2))
			late := load(t, s, "late")
			before(t, s)
			micros := control(t, s).Day.Micros
			must(t, late.Posted(t.Context(), 2, 99, ""))
			must(t, late.Posted(t.Context(), 1, 90, "looked up"))
			got := post(t, s, 1)
			equal(t, "state, reason and id", fmt.Sprintf("%s, %s, %d", got.State, got.Reason, got.PostedID), "posted, looked up, 90")
			equal(t, "the newest of our own", control(t, s).Last, uint64(99))
			equal(t, "what the day has cost", control(t, s).Day.Micros, micros)
			unchanged(t, s, func() { must(t, late.Posted(t.Context(), 1, 90, "")) })
			is(t, late.Posted(t.Context(), 3, 91, ""), ledger.ErrUnknown)
		})
	}
}

func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, pending(1), pending(2))
		one, two := load(t, s, "one"), load(t, s, "two")
		must(t, one.End(t.Context(), pending(1), ledger.Skipped, "stale"))
		equal(t, "state and reason", fmt.Sprintf("%s %s", post(t, s, 1).State, post(t, s, 1).Reason), "skipped stale")
		kept := time.Unix(row(t, s, func(r ledger.Row) bool { return r.Post != nil && r.Post.ID == 1 }).Expires, 0)
		if week := time.Now().AddDate(0, 0, 7); !kept.After(week) {
			t.Errorf("an ended post is kept until %v, within X's search window", kept)
		}
		unchanged(t, s, func() { must(t, two.End(t.Context(), pending(1), ledger.Skipped, "stale")) })
		unchanged(t, s, func() { is(t, two.End(t.Context(), pending(1), ledger.Dead, "unknown"), ledger.ErrTaken) })

		begin(t, one, pending(2))
		unchanged(t, s, func() { is(t, two.End(t.Context(), pending(2), ledger.Skipped, "stale"), ledger.ErrTaken) })
		is(t, one.End(t.Context(), pending(3), ledger.Skipped, "stale"), ledger.ErrUnknown)
	})
}

func TestStops(t *testing.T) {
	s := with(t)
	one, two := load(t, s, "one"), load(t, s, "two")
	until := time.Now().UTC()
	first := ledger.Stop{Why: "rate limited", Until: until}
	second := ledger.Stop{Why: "credentials refused", Until: until.Add(time.Hour), Versions: map[string]int64{"/a": 1}}
	must(t, one.Stop(t.Context(), "search", first))
	must(t, two.Stop(t.Context(), "post", first))
	must(t, two.Stop(t.Context(), "search", second))
	equal(t, "stops", control(t, s).Stops, map[string]ledger.Stop{"post": first, "search": second})
	must(t, one.Resume(t.Context(), "post"))
	must(t, one.Resume(t.Context(), "never stopped"))
	equal(t, "stops", control(t, s).Stops, map[string]ledger.Stop{"search": second})
	equal(t, "stops as one knows them", one.Control().Stops, control(t, s).Stops)
	equal(t, "the cursor", control(t, s).Cursor, start)
}

func TestGap(t *testing.T) {
	s := with(t)
	one, two := load(t, s, "one"), load(t, s, "two")
	from := time.Date(2026, 11, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	gap := ledger.Gap{From: from, To: from.Add(time.Hour)}
	to := ledger.Cursor{Low: 50}
	must(t, one.Gap(t.Context(), start, to, gap))
	equal(t, "the cursor", control(t, s).Cursor, to)
	equal(t, "the record", *row(t, s, func(r ledger.Row) bool { return r.Gap != nil }).Gap, gap)
	unchanged(t, s, func() { must(t, two.Gap(t.Context(), start, ledger.Cursor{Low: 60}, gap)) })
}

func TestRedrive(t *testing.T) {
	s := with(t, pending(1), pending(2), pending(3), ledger.Post{ID: 4, State: ledger.Dead, Reason: "poison"})
	one := load(t, s, "one")
	must(t, one.End(t.Context(), begin(t, one, pending(1)), ledger.Dead, "unknown"))
	must(t, one.Undo(t.Context(), begin(t, one, pending(2)), price, ledger.Dead, "refused"))

	operator := load(t, s, "operator")
	must(t, operator.Redrive(t.Context(), 1))
	must(t, operator.Redrive(t.Context(), 2))
	equal(t, "one whose outcome is unknown", post(t, s, 1).State, ledger.Posting)
	equal(t, "one that was never sent", post(t, s, 2).State, ledger.Pending)
	for _, p := range []ledger.Post{post(t, s, 1), post(t, s, 2)} {
		equal(t, "the text", p.Text, pending(p.ID).Text)
		equal(t, "the reason", p.Reason, "redrive")
		begin(t, load(t, s, "two"), p)
	}
	unchanged(t, s, func() {
		says(t, operator.Redrive(t.Context(), 3), "3", "pending, not dead")
		says(t, operator.Redrive(t.Context(), 4), "4", "no text", "poison")
		is(t, operator.Redrive(t.Context(), 5), ledger.ErrUnknown)
	})
}

func TestRedriveAllowsOneMoreSend(t *testing.T) {
	s := with(t, pending(1))
	one := load(t, s, "one")
	twice := begin(t, one, begin(t, one, pending(1)))
	must(t, one.End(t.Context(), twice, ledger.Dead, "unknown"))
	must(t, load(t, s, "operator").Redrive(t.Context(), 1))
	equal(t, "sends", post(t, s, 1).Sends, 1)
}

var lastRead atomic.Uint64

// charge reads a post of the own timeline that was not read before.
func charge(ctx context.Context, l *ledger.Ledger, micros int64) error {
	id := lastRead.Add(2)
	return l.Read(ctx, id, id, []uint64{id}, micros)
}

// What X shows again the same day, it does not bill again.
func TestRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := load(t, new(ledger.Memory), "one")
		for _, test := range []struct {
			from, to uint64
			ids      []uint64
			want     int64 // charged in all
		}{
			{50, 60, []uint64{60, 55, 50}, 3},
			{50, 60, []uint64{60, 55, 50}, 3},
			{55, 70, []uint64{70, 60, 55}, 4},
			{40, 49, []uint64{45, 40}, 6}, // the page below
			{40, 70, []uint64{70, 45}, 6}, // inside what was read
			{90, 99, []uint64{95}, 7},     // a gap between: what was read before is forgotten
			{60, 80, []uint64{80, 70}, 9}, // and paid for again, rather than not at all
		} {
			must(t, l.Read(t.Context(), test.from, test.to, test.ids, 1))
			if got := l.Control().Day.Micros; got != test.want {
				t.Fatalf("after reading %d to %d, charged %d, want %d", test.from, test.to, got, test.want)
			}
		}
		time.Sleep(24 * time.Hour)
		must(t, l.Read(t.Context(), 60, 80, []uint64{80, 70}, 1))
		if got := l.Control().Day.Micros; got != 2 {
			t.Errorf("the next day charged %d, want 2", got)
		}
	})
}

// A host whose clock is behind at midnight must not bring yesterday's row back.
func TestDayDoesNotGoBack(t *testing.T) {
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	today := ledger.Day{Date: "2026-11-24", Posts: 3}
	if got := today.On(midnight.Add(-time.Millisecond)); got != today {
		t.Errorf("a clock behind makes %+v of %+v", got, today)
	}
	if got := today.On(midnight.Add(24 * time.Hour)); got.Posts != 0 || got.Date != "2026-11-25" {
		t.Errorf("the next day begins with %+v", got)
	}
}

func TestCharge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t)
		one, two := load(t, s, "one"), load(t, s, "two")
		time.Sleep(24*time.Hour - 1)
		must(t, charge(t.Context(), one, 3))
		must(t, charge(t.Context(), two, 4))
		equal(t, "the day", control(t, s).Day, ledger.Day{Date: "2000-01-01", Micros: 7})
		time.Sleep(time.Nanosecond)
		equal(t, "the new day, before anything", one.Control().Day.On(time.Now()), ledger.Day{Date: "2000-01-02"})
		must(t, charge(t.Context(), one, 5))
		equal(t, "the new day", control(t, s).Day, ledger.Day{Date: "2000-01-02", Micros: 5})
		abroad := time.Now().In(time.FixedZone("", -3600)) // still the day before, there
		equal(t, "the day of another zone", one.Control().Day.On(abroad), control(t, s).Day)
	})
}

// A transition, as a run calls it on post 1, and what it adds to the day.
type transition struct {
	name string
	do   func(ctx context.Context, l *ledger.Ledger, seen ledger.Post) (posts int, micros int64, err error)
	// takes says that it is for the post as seen only.
	takes bool
}

var (
	foundCursor, gapCursor = ledger.Cursor{Low: 20}, ledger.Cursor{Low: 30}
	someStop               = ledger.Stop{Why: "rate limited", Until: time.Unix(2e9, 0).UTC()}

	transitions = []transition{
		{name: "Found", do: func(ctx context.Context, l *ledger.Ledger, _ ledger.Post) (int, int64, error) {
			_, charged, err := l.Found(ctx, []ledger.Post{pending(1), pending(2)}, start, foundCursor, read)
			return 0, charged, err
		}},
		{name: "Begin", takes: true, do: func(ctx context.Context, l *ledger.Ledger, seen ledger.Post) (int, int64, error) {
			_, err := l.Begin(ctx, seen, time.Unix(2e9, 0), limits, price)
			return 1, price, err
		}},
		{name: "Undo", takes: true, do: func(ctx context.Context, l *ledger.Ledger, seen ledger.Post) (int, int64, error) {
			return -1, -price, l.Undo(ctx, seen, price, ledger.Pending, "rate limited")
		}},
		{name: "Posted", do: func(ctx context.Context, l *ledger.Ledger, _ ledger.Post) (int, int64, error) {
			return 0, 0, l.Posted(ctx, 1, 90, "")
		}},
		{name: "End skipped", takes: true, do: func(ctx context.Context, l *ledger.Ledger, seen ledger.Post) (int, int64, error) {
			return 0, 0, l.End(ctx, seen, ledger.Skipped, "stale")
		}},
		{name: "End dead", takes: true, do: func(ctx context.Context, l *ledger.Ledger, seen ledger.Post) (int, int64, error) {
			return 0, 0, l.End(ctx, seen, ledger.Dead, "unknown")
		}},
		{name: "Redrive", do: func(ctx context.Context, l *ledger.Ledger, _ ledger.Post) (int, int64, error) {
			return 0, 0, l.Redrive(ctx, 1)
		}},
		{name: "Charge", do: func(ctx context.Context, l *ledger.Ledger, _ ledger.Post) (int, int64, error) {
			return 0, 7, charge(ctx, l, 7)
		}},
		{name: "Stop", do: func(ctx context.Context, l *ledger.Ledger, _ ledger.Post) (int, int64, error) {
			return 0, 0, l.Stop(ctx, "post", someStop)
		}},
		{name: "Resume", do: func(ctx context.Context, l *ledger.Ledger, _ ledger.Post) (int, int64, error) {
			return 0, 0, l.Resume(ctx, "post")
		}},
		{name: "Gap", do: func(ctx context.Context, l *ledger.Ledger, _ ledger.Post) (int, int64, error) {
			return 0, 0, l.Gap(ctx, start, gapCursor, ledger.Gap{From: time.Unix(1e9, 0), To: time.Unix(2e9, 0)})
		}},
	}
)

// situations set up post 1 and return the runs "one" and "two", each of which
// knows it as it is then. Both look before either of them acts.
var situations = map[string]func(t *testing.T, s ledger.Store) (one, two *ledger.Ledger){
	"pending": func(t *testing.T, s ledger.Store) (one, two *ledger.Ledger) {
		return load(t, s, "one"), load(t, s, "two")
	},
	"begun by the first": func(t *testing.T, s ledger.Store) (one, two *ledger.Ledger) {
		one = load(t, s, "one")
		begin(t, one, pending(1))
		return one, load(t, s, "two")
	},
	"begun by the second": func(t *testing.T, s ledger.Store) (one, two *ledger.Ledger) {
		two = load(t, s, "two")
		begin(t, two, pending(1))
		return load(t, s, "one"), two
	},
	"begun by a run that died": func(t *testing.T, s ledger.Store) (one, two *ledger.Ledger) {
		begin(t, load(t, s, "dead"), pending(1))
		return load(t, s, "one"), load(t, s, "two")
	},
	"sent twice": func(t *testing.T, s ledger.Store) (one, two *ledger.Ledger) {
		first := begin(t, load(t, s, "dead"), pending(1))
		one = load(t, s, "one")
		begin(t, one, first)
		return one, load(t, s, "two")
	},
}

// standing is what a run compares with what it has seen.
func standing(p ledger.Post) string { return fmt.Sprintf("%s %d %q", p.State, p.Sends, p.Owner) }

func TestTwoRuns(t *testing.T) {
	for name, situation := range situations {
		for _, first := range transitions {
			for _, second := range transitions {
				t.Run(fmt.Sprintf("%s: %s, then %s", name, first.name, second.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := with(t, pending(1))
						one, two := situation(t, s)
						twoRuns(t, s, one, two, first, second)
					})
				})
			}
		}
	}
}

func twoRuns(t *testing.T, s ledger.Store, one, two *ledger.Ledger, first, second transition) {
	seen := post(t, s, 1)
	day := control(t, s).Day
	do := func(l *ledger.Ledger, run string, tr transition) error {
		before := post(t, s, 1)
		rows := all(t, s)
		posts, micros, err := tr.do(t.Context(), l, seen)
		if err == nil {
			day.Posts += posts
			day.Micros += micros
		} else {
			equal(t, fmt.Sprintf("the rows after %s answered %v", tr.name, err), all(t, s), rows)
		}
		after := post(t, s, 1)
		switch {
		case tr.name == "Posted" && (err != nil || after.State != ledger.Posted):
			t.Errorf("Posted: got %v, and the post is %s", err, after.State)
		case tr.name == "Redrive" && (err == nil) != (before.State == ledger.Dead):
			t.Errorf("Redrive of a post that is %s: got %v", before.State, err)
		case tr.name == "Redrive", tr.name == "Posted":
		case !tr.takes:
			must(t, err)
			equal(t, "a post that is not concerned", standing(after), standing(before))
		case standing(before) == standing(seen) && (tr.name != "Undo" || seen.Owner == run && seen.State == ledger.Posting):
			must(t, err)
		default:
			if err != nil {
				is(t, err, ledger.ErrTaken)
			}
			equal(t, "a post that was taken over", after, before)
		}
		return err
	}
	errFirst := do(one, "one", first)
	errSecond := do(two, "two", second)

	got := control(t, s)
	equal(t, "the day", got.Day, day)
	if begins := first.name == "Begin" && second.name == "Begin"; begins && (errFirst == nil) == (errSecond == nil) {
		t.Errorf("two runs begin: got %v and %v, want one of them to be refused", errFirst, errSecond)
	}
	if posted := first.name == "Posted" || second.name == "Posted"; posted && post(t, s, 1).State != ledger.Posted {
		t.Errorf("posted, and the post is %s", post(t, s, 1).State)
	}
	cursor, stopped := start, false
	for _, tr := range []transition{second, first} {
		switch tr.name {
		case "Found":
			cursor = foundCursor
		case "Gap":
			cursor = gapCursor
		}
	}
	for _, tr := range []transition{first, second} {
		switch tr.name {
		case "Stop":
			stopped = true
		case "Resume":
			stopped = false
		}
	}
	equal(t, "the cursor, which the first one moves", got.Cursor, cursor)
	if _, ok := got.Stops["post"]; ok != stopped {
		t.Errorf("got the stops %v, want the last word to count", got.Stops)
	}
	for name, l := range map[string]*ledger.Ledger{"one": one, "two": two} {
		must(t, charge(t.Context(), l, 1))
		day.Micros++
		equal(t, "the day as "+name+" knows it", l.Control().Day, day)
	}
}

// A gone Store loses its rows, as DynamoDB does when they have expired.
type gone struct{ ledger.Store }

func TestRowsThatAreGone(t *testing.T) {
	s := &gone{with(t, pending(1))}
	l := load(t, s, "one")
	s.Store = new(ledger.Memory)
	is(t, l.End(t.Context(), pending(1), ledger.Skipped, "stale"), ledger.ErrUnknown)
	must(t, l.Stop(t.Context(), "post", someStop))
	equal(t, "the control row", control(t, s).Stops, map[string]ledger.Stop{"post": someStop})
}

// A run that nobody disturbs reads nothing but what it asks for.
func TestRunAlone(t *testing.T) {
	s := &failing{Store: with(t)}
	l := load(t, s, "one")
	s.rows = errors.New("not asked for")
	_, _, err := l.Found(t.Context(), []ledger.Post{pending(1), pending(2)}, start, foundCursor, read)
	must(t, err)
	must(t, l.Posted(t.Context(), 1, 90, begin(t, l, pending(1)).Reason))
	must(t, l.Undo(t.Context(), begin(t, l, pending(2)), price, ledger.Skipped, "duplicate-text"))
	must(t, charge(t.Context(), l, 1))
}

// What a run does in vain leaves no trace in what another one wrote.
func TestHistory(t *testing.T) {
	s := with(t, pending(1))
	one := load(t, s, "one")
	must(t, one.Undo(t.Context(), begin(t, one, pending(1)), price, ledger.Pending, "not sent"))
	two := load(t, s, "two")
	must(t, one.End(t.Context(), pending(1), ledger.Skipped, "stale"))
	_, err := two.Begin(t.Context(), pending(1), time.Now(), limits, price)
	is(t, err, ledger.ErrTaken)
	var got []ledger.State
	for _, step := range post(t, s, 1).History {
		got = append(got, step.State)
	}
	equal(t, "history", got, []ledger.State{ledger.Pending, ledger.Posting, ledger.Pending, ledger.Skipped})
}

// Runs that overlap for real.
func TestRivals(t *testing.T) { synctest.Test(t, testRivals) }

func testRivals(t *testing.T) {
	const runs = 8
	s := new(ledger.Memory)
	page := []ledger.Post{pending(100)}
	for id := range uint64(runs) {
		page = append(page, pending(id))
	}
	_, _, err := load(t, s, "finder").Found(t.Context(), page, ledger.Cursor{}, start, 0)
	must(t, err)

	// rivals returns how many of the runs began the post that each one is given.
	rivals := func(seen func(i int) ledger.Post, limits ledger.Limits, refused error) (began int) {
		var wg sync.WaitGroup
		errs := make([]error, runs)
		for i := range runs {
			l := load(t, s, fmt.Sprintf("run %d", i))
			wg.Go(func() { _, errs[i] = l.Begin(t.Context(), seen(i), time.Now(), limits, price) })
		}
		wg.Wait()
		for _, err := range errs {
			if err == nil {
				began++
			} else {
				is(t, err, refused)
			}
		}
		return began
	}
	equal(t, "runs that began the same post", rivals(func(int) ledger.Post { return pending(100) }, limits, ledger.ErrTaken), 1)
	few := ledger.Limits{PostsPerDay: 4, Micros: 1_000_000}
	equal(t, "runs that got one of three posts left", rivals(func(i int) ledger.Post { return pending(uint64(i)) }, few, ledger.ErrPerDay), 3)
	equal(t, "the day", control(t, s).Day.Posts, 4)
}

var errLost = errors.New("connection reset")

// A lossy Store loses the answer of the first Apply that it obeys.
type lossy struct {
	ledger.Store
	lost bool
}

func (s *lossy) Apply(ctx context.Context, bot string, rows []ledger.Row) error {
	err := s.Store.Apply(ctx, bot, rows)
	if err == nil && !s.lost {
		s.lost = true
		return errLost
	}
	return err
}

// A transition whose answer was lost has happened, just once, also when the run
// tries it again.
func TestLostAnswer(t *testing.T) {
	again := map[string]error{"Undo": ledger.ErrTaken} // what the second try answers, if anything
	for _, tr := range transitions {
		if tr.name == "Charge" || tr.name == "Redrive" {
			continue // below
		}
		for _, behind := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, behind %t", tr.name, behind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { lostAnswer(t, tr, behind, again[tr.name]) })
			})
		}
	}
}

// lostAnswer does tr with one answer lost, and again, and compares with doing it
// undisturbed. A run that is behind meets a conflict first.
func lostAnswer(t *testing.T, tr transition, behind bool, again error) {
	setUp := func() (*lossy, *ledger.Ledger, ledger.Post) {
		s := &lossy{with(t, pending(1)), true}
		l := load(t, s, "one")
		seen := pending(1)
		if tr.name == "Undo" {
			seen = begin(t, l, seen)
		}
		if behind {
			other := load(t, s, "other")
			must(t, charge(t.Context(), other, 1))
			_, _, err := other.Found(t.Context(), []ledger.Post{pending(9)}, start, start, read)
			must(t, err)
		}
		return s, l, seen
	}
	want, l, seen := setUp()
	_, _, err := tr.do(t.Context(), l, seen)
	must(t, err)

	got, l, seen := setUp()
	got.lost = false
	_, _, err = tr.do(t.Context(), l, seen)
	is(t, err, errLost)
	_, _, err = tr.do(t.Context(), l, seen)
	is(t, err, again)

	equal(t, "the control row", control(t, got), control(t, want))
	equal(t, "the post", post(t, got, 1), post(t, want, 1))
	equal(t, "the number of rows", len(all(t, got)), len(all(t, want)))
}

func TestLostAnswerOfRedrive(t *testing.T) {
	s := with(t, pending(1))
	one := load(t, s, "one")
	must(t, one.End(t.Context(), begin(t, one, pending(1)), ledger.Dead, "unknown"))
	l := load(t, &lossy{Store: s}, "operator")
	is(t, l.Redrive(t.Context(), 1), errLost)
	unchanged(t, s, func() { says(t, l.Redrive(t.Context(), 1), "posting, not dead") })
}

// A Store may try again by itself, as the AWS SDK does.
type twice struct{ ledger.Store }

func (s twice) Apply(ctx context.Context, bot string, rows []ledger.Row) error {
	return errors.Join(s.Store.Apply(ctx, bot, rows), s.Store.Apply(ctx, bot, rows))
}

func TestStoreTriesAgain(t *testing.T) { synctest.Test(t, testStoreTriesAgain) }

func testStoreTriesAgain(t *testing.T) {
	s := twice{new(ledger.Memory)}
	l := load(t, s, "one")
	_, charged, err := l.Found(t.Context(), []ledger.Post{pending(1)}, ledger.Cursor{}, start, read)
	must(t, err)
	equal(t, "charged", charged, int64(read))
	begin(t, l, pending(1))
	must(t, l.Posted(t.Context(), 1, 90, ""))
	equal(t, "state", post(t, s, 1).State, ledger.Posted)
	equal(t, "the day", control(t, s).Day, ledger.Day{Date: "2000-01-01", Posts: 1, Micros: read + price})
}

// A failing Store answers with an error, to everything or to Rows alone.
type failing struct {
	ledger.Store
	all, rows error
}

func (s *failing) Open(ctx context.Context, bot string) ([]ledger.Row, error) {
	if s.all != nil {
		return nil, s.all
	}
	return s.Store.Open(ctx, bot)
}

func (s *failing) Rows(ctx context.Context, bot string, keys []string) ([]ledger.Row, error) {
	if err := errors.Join(s.all, s.rows); err != nil {
		return nil, err
	}
	return s.Store.Rows(ctx, bot, keys)
}

func (s *failing) Apply(ctx context.Context, bot string, rows []ledger.Row) error {
	if s.all != nil {
		return s.all
	}
	return s.Store.Apply(ctx, bot, rows)
}

func TestStoreFails(t *testing.T) {
	s := &failing{Store: with(t, pending(1))}
	l := load(t, s, "one")
	must(t, l.Stop(t.Context(), "search", someStop))
	s.all = errors.New("no route to host")
	_, errLoad := ledger.Load(t.Context(), s, "superman", "one")
	_, errKnown := l.Known(t.Context(), []uint64{1})
	for _, err := range []error{errLoad, errKnown, l.Stop(t.Context(), "post", someStop)} {
		is(t, err, s.all)
		says(t, err, `"superman"`)
	}
	equal(t, "what the run knows", l.Control().Stops, map[string]ledger.Stop{"search": someStop})
	equal(t, "what is stored", control(t, s.Store).Stops, l.Control().Stops)
}

// A busy Store has always just been written to by somebody else.
type busy struct{ ledger.Store }

func (busy) Apply(context.Context, string, []ledger.Row) error { return ledger.ErrConflict }

func TestStoreBusy(t *testing.T) {
	err := charge(t.Context(), load(t, busy{with(t)}, "one"), 1)
	is(t, err, ledger.ErrConflict)
	says(t, err, `"superman"`)
}
