// Package ledgertest checks that a ledger.Store keeps the promises of that
// interface.
//
// The one idea: every Store passes the same tests, so that what is tested on
// one in memory holds on the one in AWS.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/pkg/ledger"
)

// TestStore tests the Store that open returns, which must be a new and empty
// one at every call.
func TestStore(t *testing.T, open func(t *testing.T) ledger.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, ledger.Store)
	}{
		{"empty", testEmpty},
		{"revisions", testRevisions},
		{"all or nothing", testAllOrNothing},
		{"lost answer", testLostAnswer},
		{"open rows", testOpen},
		{"rows by key", testRows},
		{"all rows", testAll},
		{"bots", testBots},
		{"round trip", testRoundTrip},
		{"most rows", testMostRows},
		{"one winner", testOneWinner},
		{"no lost update", testNoLostUpdate},
		{"fresh reads", testFreshReads},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

const bot = "superman"

// text returns a row of the smallest kind: written by by on top of rev, and
// telling by source what was written last.
func text(key string, rev int64, by string, source uint64) ledger.Row {
	return ledger.Row{Key: key, Rev: rev, By: by, Text: &ledger.Text{Source: source}}
}

func apply(t *testing.T, s ledger.Store, rows ...ledger.Row) {
	t.Helper()
	applyTo(t, s, bot, rows...)
}

func applyTo(t *testing.T, s ledger.Store, bot string, rows ...ledger.Row) {
	t.Helper()
	if err := s.Apply(t.Context(), bot, rows); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func conflict(t *testing.T, s ledger.Store, rows ...ledger.Row) {
	t.Helper()
	if err := s.Apply(t.Context(), bot, rows); !errors.Is(err, ledger.ErrConflict) {
		t.Fatalf("Apply: got %v, want %v", err, ledger.ErrConflict)
	}
}

func byKey(rows []ledger.Row) []ledger.Row {
	return slices.SortedFunc(slices.Values(rows), func(a, b ledger.Row) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
}

// stored checks that all that is stored for bot is want, as it was given to
// Apply, each row with the next revision.
func stored(t *testing.T, s ledger.Store, want ...ledger.Row) {
	t.Helper()
	got, err := s.All(t.Context(), bot)
	if err != nil {
		t.Fatalf("All: %v", err)
	}
	same(t, "All", got, want...)
}

// same checks that got is want with the next revisions, in any order.
func same(t *testing.T, what string, got []ledger.Row, want ...ledger.Row) {
	t.Helper()
	want = byKey(want)
	for i := range want {
		want[i].Rev++
	}
	exactly := cmp.Comparer(func(a, b time.Time) bool { return a == b }) // zone included
	if diff := cmp.Diff(want, byKey(got), exactly); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func testEmpty(t *testing.T, s ledger.Store) {
	for name, read := range map[string]func() ([]ledger.Row, error){
		"Open":         func() ([]ledger.Row, error) { return s.Open(t.Context(), bot) },
		"All":          func() ([]ledger.Row, error) { return s.All(t.Context(), bot) },
		"Rows":         func() ([]ledger.Row, error) { return s.Rows(t.Context(), bot, []string{"a", "b"}) },
		"Rows of none": func() ([]ledger.Row, error) { return s.Rows(t.Context(), bot, nil) },
	} {
		if rows, err := read(); err != nil || len(rows) != 0 {
			t.Errorf("%s of an empty store: got %v, %v, want nothing", name, rows, err)
		}
	}
}

func testRevisions(t *testing.T, s ledger.Store) {
	conflict(t, s, text("a", 1, "early", 0))
	apply(t, s, text("a", 0, "first", 1))
	stored(t, s, text("a", 0, "first", 1))

	conflict(t, s, text("a", 0, "again", 2))
	conflict(t, s, text("a", 2, "ahead", 2))
	stored(t, s, text("a", 0, "first", 1))

	apply(t, s, text("a", 1, "second", 2))
	conflict(t, s, text("a", 1, "behind", 3))
	apply(t, s, text("a", 2, "third", 3))
	stored(t, s, text("a", 2, "third", 3))
}

func testAllOrNothing(t *testing.T, s ledger.Store) {
	apply(t, s, text("a", 0, "one", 1), text("b", 0, "one", 1), text("c", 0, "one", 1))
	apply(t, s, text("b", 1, "two", 2))

	// Whichever row it is that changed, none of the others is written.
	b, others := text("b", 1, "three", 3), []ledger.Row{text("a", 1, "three", 3), text("c", 1, "three", 3), text("new", 0, "three", 3)}
	for i := range len(others) + 1 {
		conflict(t, s, slices.Insert(slices.Clone(others), i, b)...)
		stored(t, s, text("a", 0, "one", 1), text("b", 1, "two", 2), text("c", 0, "one", 1))
	}

	b.Rev = 2
	apply(t, s, append(others, b)...)
	stored(t, s, append(others, b)...)
}

func testLostAnswer(t *testing.T, s ledger.Store) {
	apply(t, s, text("a", 0, "before", 0))
	call := []ledger.Row{text("a", 1, "call", 1), text("b", 0, "call", 1)}
	apply(t, s, call...)
	apply(t, s, call...)
	stored(t, s, call...)
	conflict(t, s, text("a", 1, "other", 1), text("b", 0, "other", 1))

	// Another run has written one of the two rows since.
	other := text("b", 1, "other", 2)
	apply(t, s, other)
	apply(t, s, call[0], call[1])
	apply(t, s, call[1], call[0])
	stored(t, s, call[0], other)

	// And now both: nothing tells any more that the call succeeded.
	both := []ledger.Row{text("a", 2, "both", 3), text("b", 2, "both", 3)}
	apply(t, s, both...)
	conflict(t, s, call...)
	stored(t, s, both...)
}

func post(id uint64, state ledger.State) ledger.Row {
	return ledger.Row{
		Key: fmt.Sprintf("post#%d", id), By: fmt.Sprintf("%s %d", state, id),
		Open: state == ledger.Pending || state == ledger.Posting,
		Post: &ledger.Post{ID: id, State: state},
	}
}

func testOpen(t *testing.T, s ledger.Store) {
	check := func(want ...ledger.Row) {
		t.Helper()
		got, err := s.Open(t.Context(), bot)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		same(t, "Open", got, want...)
	}
	pending, posting, skipped := post(1, ledger.Pending), post(2, ledger.Posting), post(3, ledger.Skipped)
	apply(t, s, pending)
	apply(t, s, posting)
	apply(t, s, skipped)
	check(pending, posting)

	posted := post(1, ledger.Posted)
	posted.Rev = 1
	apply(t, s, posted)
	check(posting)
	stored(t, s, posted, posting, skipped)

	again := post(1, ledger.Posting)
	again.Rev = 2
	apply(t, s, again)
	check(again, posting)
}

func testRows(t *testing.T, s ledger.Store) {
	a, b, c := text("a", 0, "abc", 1), text("b", 0, "abc", 2), text("c", 0, "abc", 3)
	apply(t, s, a, b, c)
	got, err := s.Rows(t.Context(), bot, []string{"c", "no such", "a", "ab"})
	if err != nil {
		t.Fatalf("Rows: %v", err)
	}
	same(t, "Rows", got, a, c)
}

func testAll(t *testing.T, s ledger.Store) {
	for _, key := range []string{"text#b", "control", "text#a", "post#2", "post#10"} {
		apply(t, s, text(key, 0, "by "+key, 0))
	}
	rows, err := s.All(t.Context(), bot)
	if err != nil {
		t.Fatalf("All: %v", err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.Key)
	}
	if want := []string{"control", "post#10", "post#2", "text#a", "text#b"}; !slices.Equal(got, want) {
		t.Errorf("All: got %q, want %q", got, want)
	}
}

func testBots(t *testing.T, s ledger.Store) {
	bots := []string{"superman", "super", "superman2", "batman"}
	own := func(i int) ledger.Row {
		r := text("a", 0, "first of "+bots[i], uint64(i))
		r.Open = true
		return r
	}
	for i, bot := range bots {
		applyTo(t, s, bot, own(i))
	}
	for i, bot := range bots {
		for name, read := range map[string]func() ([]ledger.Row, error){
			"Open": func() ([]ledger.Row, error) { return s.Open(t.Context(), bot) },
			"All":  func() ([]ledger.Row, error) { return s.All(t.Context(), bot) },
			"Rows": func() ([]ledger.Row, error) { return s.Rows(t.Context(), bot, []string{"a"}) },
		} {
			rows, err := read()
			if err != nil {
				t.Fatalf("%s of %q: %v", name, bot, err)
			}
			same(t, name+" of "+bot, rows, own(i))
		}
	}

	applyTo(t, s, "super", text("a", 1, "second", 9))
	stored(t, s, own(0))
}

// full returns a row of each kind, with every field set to a value that is
// easily lost: an id that no float64 holds, nanoseconds, the end of a range.
func full() []ledger.Row {
	at := time.Date(2026, 11, 23, 23, 59, 59, 123456789, time.UTC)
	const id = 1<<53 + 1
	return []ledger.Row{
		{
			Key: "control", By: "full", Open: true,
			Control: &ledger.Control{
				Cursor: ledger.Cursor{Low: id, High: math.MaxUint64, Until: math.MaxInt64},
				Day:    ledger.Day{Date: "2026-11-23", Posts: 20, Micros: math.MaxInt64},
				Stops: map[string]ledger.Stop{
					"all":    {Why: "credentials refused", Until: at, Versions: map[string]int64{"/superbots/dev/superman/twitter": 3}},
					"search": {Why: `rate "limited"`, Until: at.Add(1)},
				},
				Last: id + 2,
			},
		},
		{
			Key: "post#1", By: "full", Open: true, Expires: math.MaxInt32 + 1,
			Post: &ledger.Post{
				ID: id, Author: "18446744073709551615", State: ledger.Posting, Reason: "redrive",
				Text: "Superman <&> “ü”\n\u200d🦸 \\ \"", Hash: "00ff", Link: true, Billed: "2026-11-23",
				Owner: "run/1", Lease: at.Add(time.Minute), Sends: 2, Sent: at, Resent: at.Add(1),
				PostedID: math.MaxUint64,
				History:  []ledger.Step{{At: at, State: ledger.Pending}, {At: at.Add(1), State: ledger.Posting, Reason: "redrive"}},
			},
		},
		{Key: "text#1", By: "full", Text: &ledger.Text{Source: id}},
		{Key: "gap#1", By: "full", Gap: &ledger.Gap{From: at, To: at.Add(time.Hour)}},
	}
}

func testRoundTrip(t *testing.T, s ledger.Store) {
	// A row with nothing in it is still a row of its kind.
	bare := []ledger.Row{
		{Key: "bare control", By: "bare", Control: &ledger.Control{}},
		{Key: "bare post", By: "bare", Post: &ledger.Post{}},
		{Key: "bare text", By: "bare", Text: &ledger.Text{}},
		{Key: "bare gap", By: "bare", Gap: &ledger.Gap{}},
	}
	apply(t, s, full()...)
	apply(t, s, bare...)
	all := append(full(), bare...)
	stored(t, s, all...)

	var keys []string
	for _, r := range all {
		keys = append(keys, r.Key)
	}
	rows, err := s.Rows(t.Context(), bot, keys)
	if err != nil {
		t.Fatalf("Rows: %v", err)
	}
	same(t, "Rows", rows, all...)
	open, err := s.Open(t.Context(), bot)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	same(t, "Open", open, full()[:2]...)

	// The next revision has nothing left of the one before.
	for i := range bare {
		bare[i].Key, bare[i].Rev, bare[i].By = all[i].Key, 1, "emptied"
	}
	apply(t, s, bare...)
	rows, err = s.Rows(t.Context(), bot, keys[:4])
	if err != nil {
		t.Fatalf("Rows: %v", err)
	}
	same(t, "Rows after emptying", rows, bare...)
}

func testMostRows(t *testing.T, s ledger.Store) {
	rows := make([]ledger.Row, ledger.MaxRows)
	keys := make([]string, len(rows))
	for i := range rows {
		rows[i] = post(uint64(1000+i), ledger.Pending)
		rows[i].By = "most"
		keys[i] = rows[i].Key
	}
	apply(t, s, rows...)
	got, err := s.Rows(t.Context(), bot, keys)
	if err != nil {
		t.Fatalf("Rows: %v", err)
	}
	same(t, "Rows", got, rows...)

	next := slices.Clone(rows)
	for i := range next {
		next[i].Rev, next[i].By = 1, "most again"
	}
	next[len(next)-1].Rev = 0
	conflict(t, s, next...)
	stored(t, s, rows...)
}

const writers = 16

// together calls f in a goroutine for each writer, at the same time.
func together(f func(i int) error) []error {
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}

func testOneWinner(t *testing.T, s ledger.Store) {
	for rev := range int64(3) {
		errs := together(func(i int) error {
			by := fmt.Sprintf("writer %d on %d", i, rev)
			return s.Apply(t.Context(), bot, []ledger.Row{text("a", rev, by, uint64(i)), text("b", rev, by, uint64(i))})
		})
		winner := slices.Index(errs, nil)
		for i, err := range errs {
			if i != winner && !errors.Is(err, ledger.ErrConflict) {
				t.Errorf("revision %d, writer %d of %d: got %v, want one winner (%d), and %v for the others", rev, i, writers, err, winner, ledger.ErrConflict)
			}
		}
		if winner < 0 {
			t.Fatalf("revision %d: nobody wrote it", rev)
		}
		by := fmt.Sprintf("writer %d on %d", winner, rev)
		stored(t, s, text("a", rev, by, uint64(winner)), text("b", rev, by, uint64(winner)))
	}
}

// increment adds one to the numbers in rows "a" and "b", on top of what is
// stored by then.
func increment(ctx context.Context, s ledger.Store, by string) error {
	for try := 0; ; try++ {
		found, err := s.Rows(ctx, bot, []string{"a", "b"})
		if err != nil {
			return err
		}
		rows := map[string]ledger.Row{"a": text("a", 0, "", 0), "b": text("b", 0, "", 0)}
		for _, r := range found {
			rows[r.Key] = r
		}
		a, b := rows["a"], rows["b"]
		by := fmt.Sprintf("%s, try %d", by, try)
		err = s.Apply(ctx, bot, []ledger.Row{text("a", a.Rev, by, a.Text.Source+1), text("b", b.Rev, by, b.Text.Source+1)})
		if !errors.Is(err, ledger.ErrConflict) {
			return err
		}
	}
}

func testNoLostUpdate(t *testing.T, s ledger.Store) {
	errs := together(func(i int) error { return increment(t.Context(), s, fmt.Sprintf("writer %d", i)) })
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	rows, err := s.All(t.Context(), bot)
	if err != nil {
		t.Fatalf("All: %v", err)
	}
	if len(rows) != 2 {
		t.Fatalf("got %d rows, want 2", len(rows))
	}
	for _, r := range rows {
		if r.Rev != writers || r.Text.Source != writers {
			t.Errorf("row %q after %d increments: got revision %d and %d", r.Key, writers, r.Rev, r.Text.Source)
		}
	}
}

// testFreshReads writes again and again, and reads beside it: what Apply has
// answered for must be there.
func testFreshReads(t *testing.T, s ledger.Store) {
	const last = 20
	written := make(chan error, last)
	go func() {
		defer close(written)
		for i := range int64(last) {
			by := fmt.Sprintf("number %d", i)
			a, b := text("a", i, by, uint64(i)), text("b", i, by, uint64(i))
			a.Open, b.Open = true, true
			written <- s.Apply(t.Context(), bot, []ledger.Row{a, b})
		}
	}()
	var n int64
	for err := range written {
		if err != nil {
			t.Errorf("Apply: %v", err)
			continue
		}
		n++
		rows, err := s.Open(t.Context(), bot)
		if err != nil {
			t.Errorf("Open: %v", err)
			continue
		}
		if len(rows) != 2 || rows[0].Rev < n || rows[1].Rev < n {
			t.Errorf("after %d writes: got %v, want both rows as written or newer", n, rows)
		}
	}
}
