package simulation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// A mutant is one rule of the design broken, around the real code.
type mutant struct {
	rows     func([]ledger.Row) []ledger.Row // what a run reads
	apply    func(s store, ctx context.Context, name string, rows []ledger.Row) error
	x        func(*run, bot.X) bot.X
	settings func(*bot.Settings)
}

// mutants are what the design guards against. Each breaks the invariants
// named, at the seed given or soon after it: a change of the code under test
// changes what a seed stands for.
var mutants = []struct {
	name   string
	breaks string // one of these
	seed   uint64
	mutant mutant
}{
	{"posts are written whatever their revision", "I1 I12 I15", 164, mutant{apply: anyRevision(func(ledger.Post) bool { return true })}},
	{"a late undo is written whatever the revision", "I5", 107, mutant{apply: anyRevision(func(p ledger.Post) bool { return p.State == ledger.Pending })}},
	{"a lease that is over frees the post", "I1 I12", 2, mutant{rows: freed}},
	{"the cursor is written before the rows of its page", "I6", 13, mutant{apply: inTwo(true)}},
	{"the day is counted after the post", "I9", 979, mutant{apply: inTwo(false)}},
	{"the text is not reserved", "I12", 4, mutant{apply: withoutTexts}},
	{"the newest own post is not remembered", "I1 I12", 193, mutant{rows: forgetful}},
	{"reads are not charged", "I9", 20, mutant{rows: readsFree}},
	{"an unknown outcome counts as refused", "I4", 2, mutant{x: as(twitter.Unknown, twitter.Refused)}},
	{"an unknown outcome counts as not sent", "I1 I12", 2, mutant{x: as(twitter.Unknown, twitter.NotSent)}},
	{"absence is concluded at once", "I1 I12", 11, mutant{settings: func(s *bot.Settings) { s.Settle = 0 }}},
	{"the first page is the whole timeline", "I1 I12", 160, mutant{x: func(_ *run, x bot.X) bot.X { return firstPage{x} }}},
	{"a timeline that failed is an empty one", "I1 I12", 6, mutant{x: func(_ *run, x bot.X) bot.X { return emptyIfFailed{x} }}},
	{"windows do not overlap", "I6", 7, mutant{x: func(_ *run, x bot.X) bot.X { return noOverlap{x} }}},
}

func TestMutants(t *testing.T) {
	const tries = 2_000
	off := false
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			opt := options{mutant: m.mutant, refuses: &off, resend: bot.ResendOnce}
			for seed := m.seed; seed < m.seed+tries; seed++ {
				h := simulate(t, seed, opt)
				for _, broken := range h.broken {
					invariant, _, _ := strings.Cut(broken, ":")
					if !strings.Contains(" "+m.breaks+" ", " "+invariant+" ") {
						continue
					}
					t.Logf("seed %d: %s", seed, broken)
					real := simulate(t, seed, options{refuses: opt.refuses, resend: opt.resend})
					for _, broken := range real.broken {
						t.Errorf("the real design breaks %s", broken)
					}
					return
				}
			}
			t.Errorf("%d histories from seed %d on break none of %s", tries, m.seed, m.breaks)
		})
	}
}

// anyRevision writes the posts that match over whatever is there.
func anyRevision(match func(ledger.Post) bool) func(store, context.Context, string, []ledger.Row) error {
	return func(s store, ctx context.Context, name string, rows []ledger.Row) error {
		for range 3 {
			for i, r := range rows {
				if r.Post == nil || r.Rev == 0 || !match(*r.Post) {
					continue
				}
				stored, err := s.r.h.mem.Rows(ctx, name, []string{r.Key})
				if err == nil && len(stored) == 1 {
					rows[i].Rev = stored[0].Rev
				}
			}
			if err := s.apply(ctx, name, rows); !errors.Is(err, ledger.ErrConflict) {
				return err
			}
			for i, r := range rows { // another run has written the control row: count on top of it
				if r.Control == nil {
					continue
				}
				if stored, err := s.r.h.mem.Rows(ctx, name, []string{r.Key}); err == nil && len(stored) == 1 {
					rows[i] = stored[0]
					rows[i].By = r.By
				}
			}
		}
		return ledger.ErrConflict
	}
}

// inTwo writes a control row and the rest in two transactions.
func inTwo(controlFirst bool) func(store, context.Context, string, []ledger.Row) error {
	return func(s store, ctx context.Context, name string, rows []ledger.Row) error {
		var control, rest []ledger.Row
		for _, r := range rows {
			if r.Control != nil {
				control = append(control, r)
			} else {
				rest = append(rest, r)
			}
		}
		parts := [][]ledger.Row{rest, control}
		if controlFirst {
			parts = [][]ledger.Row{control, rest}
		}
		for i, part := range parts {
			if len(part) == 0 {
				continue
			}
			err := s.apply(ctx, name, part)
			if err != nil && !(i == 1 && errors.Is(err, ledger.ErrConflict)) {
				return err
			}
		}
		return nil
	}
}

func withoutTexts(s store, ctx context.Context, name string, rows []ledger.Row) error {
	var kept []ledger.Row
	for _, r := range rows {
		if r.Text == nil {
			kept = append(kept, r)
		}
	}
	return s.apply(ctx, name, kept)
}

// freed shows posts that nobody owns any more as pending.
func freed(rows []ledger.Row) []ledger.Row {
	for i, r := range rows {
		if r.Post != nil && r.Post.State == ledger.Posting && r.Post.Lease.Before(time.Now()) {
			p := *r.Post
			p.State, p.Sends = ledger.Pending, 0
			rows[i].Post = &p
		}
	}
	return rows
}

func forgetful(rows []ledger.Row) []ledger.Row {
	for i, r := range rows {
		if r.Control != nil {
			c := *r.Control
			c.Last = 0
			rows[i].Control = &c
		}
	}
	return rows
}

// readsFree leaves of what a day has cost the price of its posts.
func readsFree(rows []ledger.Row) []ledger.Row {
	for i, r := range rows {
		if r.Control != nil {
			c := *r.Control
			c.Day.Micros = int64(c.Day.Posts) * int64(bot.USD(twitter.PriceCreate))
			rows[i].Control = &c
		}
	}
	return rows
}

type classAs struct {
	bot.X
	from, to twitter.Class
}

func as(from, to twitter.Class) func(*run, bot.X) bot.X {
	return func(_ *run, x bot.X) bot.X { return classAs{x, from, to} }
}

func (x classAs) Create(ctx context.Context, text string) (uint64, error) {
	id, err := x.X.Create(ctx, text)
	var refused *twitter.Error
	if errors.As(err, &refused) && refused.Class == x.from {
		refused.Class = x.to
	}
	return id, err
}

type firstPage struct{ bot.X }

func (x firstPage) Timeline(ctx context.Context, user string, since, until uint64, max int) (twitter.Page, error) {
	p, err := x.X.Timeline(ctx, user, since, until, max)
	p.More = false
	return p, err
}

type emptyIfFailed struct{ bot.X }

func (x emptyIfFailed) Timeline(ctx context.Context, user string, since, until uint64, max int) (twitter.Page, error) {
	p, err := x.X.Timeline(ctx, user, since, until, max)
	if err != nil {
		return twitter.Page{}, nil
	}
	return p, nil
}

type noOverlap struct{ bot.X }

func (x noOverlap) Search(ctx context.Context, query string, since, until uint64, max int) (twitter.Page, error) {
	return x.X.Search(ctx, query, twitter.FirstID(twitter.Time(since).Add(30*time.Minute)), until, max)
}

// What lands after the settle time is beyond what a run can know. Then X's
// refusal of duplicates keeps a text from being posted twice, or never sending
// again does; with neither, two posts are possible.
func TestAfterSettle(t *testing.T) {
	yes, no := true, false
	seeds := uint64(500)
	if raceDetector {
		seeds = 100
	}
	for _, test := range []struct {
		name    string
		refuses *bool
		resend  bot.Resend
		twice   bool
	}{
		{"X refuses duplicates", &yes, bot.ResendOnce, false},
		{"never sent again", &no, bot.ResendNever, false},
		{"neither", &no, bot.ResendOnce, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var twice []uint64
			for seed := range seeds {
				h := simulate(t, seed, options{afterSettle: true, refuses: test.refuses, resend: test.resend})
				for _, broken := range h.broken {
					switch {
					case !test.twice:
						t.Errorf("seed %d: %s", seed, broken)
					case strings.HasPrefix(broken, "I1:"), strings.HasPrefix(broken, "I12:"):
						twice = append(twice, seed)
					}
				}
			}
			if test.twice && len(twice) == 0 {
				t.Error("no history posts a source twice")
			} else if test.twice {
				t.Logf("%d sources posted twice, the first in seed %d", len(twice), twice[0])
			}
		})
	}
}
