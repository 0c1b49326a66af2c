package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// A stage is a calm history: nothing goes wrong but what its story brings about.
// The invariants are watched as in all others. Hooks that are nil let the
// calls through; they run on the goroutine of the run that calls.
type stage struct {
	*history
	t *testing.T

	search   func(call func() (twitter.Page, error)) (twitter.Page, error)
	timeline func(call func() (twitter.Page, error)) (twitter.Page, error)
	create   func(r *run, text string, call func() (uint64, error)) (uint64, error)
	write    func(r *run, rows []ledger.Row, write func() error) error

	calls map[string]int // to X; guarded by mu
	twice bool           // the story is about the one case in which two posts are possible
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, calls: make(map[string]int)}
	far := time.Now().Add(1000 * time.Hour)
	s.history = &history{
		rng: rand.New(rand.NewPCG(1, 0)), quiet: far, optOut: far, horizon: 7 * 24 * time.Hour,
		settings: bot.Settings{
			Mode: bot.PostMode, PostsPerRun: 3, PostsPerDay: 20, DailyBudget: bot.USD(2), Settle: 20 * time.Minute, Resend: bot.ResendOnce,
		},
		opt: options{trace: true, mutant: mutant{
			x: func(r *run, x bot.X) bot.X { return scripted{x, s, r} },
			apply: func(st store, ctx context.Context, name string, rows []ledger.Row) error {
				write := func() error { return st.apply(ctx, name, rows) }
				if s.write != nil {
					return s.write(st.r, rows, write)
				}
				return write()
			},
		}},
	}
	s.x = &world{h: s.history, ids: make(map[uint64]bool)}
	for b := range bots {
		s.rows[b] = make(map[uint64]ledger.Post)
		s.texts[b] = make(map[string]uint64)
		s.bytes[b] = make(map[uint64]string)
		s.meant[b] = make(map[string]int)
		s.days[b] = make(map[string]*day)
		s.returned[b] = make(map[uint64]bool)
	}
	return s
}

type scripted struct {
	bot.X
	s *stage
	r *run
}

func (x scripted) count(call string) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.calls[call]++
}

func (x scripted) Search(ctx context.Context, query string, since, until uint64, max int) (twitter.Page, error) {
	x.count("search")
	call := func() (twitter.Page, error) { return x.X.Search(ctx, query, since, until, max) }
	if x.s.search != nil {
		return x.s.search(call)
	}
	return call()
}

func (x scripted) Timeline(ctx context.Context, user string, since, until uint64, max int) (twitter.Page, error) {
	x.count("timeline")
	call := func() (twitter.Page, error) { return x.X.Timeline(ctx, user, since, until, max) }
	if x.s.timeline != nil {
		return x.s.timeline(call)
	}
	return call()
}

func (x scripted) Create(ctx context.Context, text string) (uint64, error) {
	x.count("create")
	call := func() (uint64, error) { return x.X.Create(ctx, text) }
	if x.s.create != nil {
		return x.s.create(x.r, text, call)
	}
	return call()
}

// say lets somebody post a text at a time. It may be one that was posted before.
func (s *stage) say(at time.Time, text string) *source {
	n := slices.IndexFunc(s.x.sources, func(p *source) bool { return p.Text == text })
	if n >= 0 {
		n = s.x.sources[n].index
	} else {
		n = len(s.group)
		s.group = append(s.group, 0)
	}
	s.group[n]++
	for b, bot := range bots {
		s.meant[b][bot.Find.ReplaceAllString(text, bot.Replace)] = n
		s.posts[b] = append(s.posts[b], make([][]uint64, len(s.group)-len(s.posts[b]))...)
	}
	p := &source{index: n, Post: twitter.Post{Author: "100", Text: text}}
	s.publish(p, at, 0)
	return p
}

// sayMany lets somebody post n texts, "serverless 0" first, over the last n
// minutes.
func (s *stage) sayMany(n int) []*source {
	var posts []*source
	for i := range n {
		posts = append(posts, s.say(time.Now().Add(-time.Duration(n-i)*time.Minute), fmt.Sprint("serverless ", i)))
	}
	return posts
}

// tick does one run of Superman, and returns why it stopped, its error, or
// "died".
func (s *stage) tick() string {
	from := len(s.trace)
	s.start(0, time.Now())
	s.running.Wait()
	for _, line := range s.trace[from:] {
		for _, end := range []string{"report of run: ", "error of run: "} {
			if _, why, ok := strings.Cut(line, end); ok {
				return strings.TrimSpace(why[:strings.LastIndex(why, " ")])
			}
		}
	}
	return "died"
}

// wait lets time pass, and X do what is due.
func (s *stage) wait(d time.Duration) {
	time.Sleep(d)
	s.x.settle()
}

// finish ticks until nothing is left to do.
func (s *stage) finish() {
	for range 200 {
		open, lost := s.open()
		if len(open)+len(lost) == 0 {
			return
		}
		s.wait(period)
		s.tick()
	}
}

// want checks what became of a source in Superman's ledger.
func (s *stage) want(p *source, state string) {
	s.t.Helper()
	row := s.rows[0][p.FirstID]
	if got := strings.TrimSpace(string(row.State) + " " + row.Reason); got != state {
		s.t.Errorf("%q is %q, want %q", p.Text, got, state)
	}
}

func (s *stage) wantCalls(call string, n int) {
	s.t.Helper()
	if got := s.calls[call]; got != n {
		s.t.Errorf("%d calls to %s, want %d", got, call, n)
	}
}

func (s *stage) wantStop(got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("the run ended with %q, want %q", got, want)
	}
}

// arrives brings a create to X, which does nothing with it for now.
func (s *stage) arrives(r *run, text string) {
	s.mu.Lock()
	s.sending(r, text, false)
	s.mu.Unlock()
}

// noAnswer is what the client makes of an answer that never comes.
func noAnswer(r *run) (uint64, error) {
	r.unknown()
	time.Sleep(sendMost)
	return 0, fail(twitter.Unknown)
}

// begins reports whether a write says that a post is about to be sent.
func begins(rows []ledger.Row) bool {
	return slices.ContainsFunc(rows, func(r ledger.Row) bool { return r.Post != nil && r.Post.State == ledger.Posting })
}

// TestScenario plays the faults of docs/reliability.md in which time matters.
// Those in which a process dies are in integration/reliability, under the same name.
func TestScenario(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(s *stage)
	}{
		{"01_same_tick_twice", func(s *stage) {
			s.settings.PostsPerRun = 2
			s.sayMany(6)
			for range 3 {
				tick := time.Now()
				s.start(0, tick)
				s.start(0, tick)
				s.wait(time.Second)
				s.start(0, tick)
				s.running.Wait()
				s.wait(period)
			}
			s.wantCalls("create", 6)
		}},
		{"03_ticks_lost", func(s *stage) {
			s.settings.PostsPerRun, s.settings.PostsPerDay, s.settings.DailyBudget = 100, 100, bot.USD(50)
			s.tick()
			s.wait(22 * period)
			posts := s.sayMany(60)
			s.wait(time.Minute)
			s.tick()
			for _, p := range posts {
				s.want(p, "posted")
			}
			s.wantCalls("create", 60)
		}},
		{"04_crash_before_the_page_is_written", func(s *stage) {
			s.settings.PostsPerRun, s.settings.PostsPerDay, s.settings.DailyBudget = 200, 200, bot.USD(50)
			s.tick()
			s.wait(3 * time.Hour)
			s.sayMany(120)
			s.wait(time.Minute)
			before := s.control[0]
			s.write = func(*run, []ledger.Row, func() error) error { panic(crash{}) }
			s.wantStop(s.tick(), "died")
			if s.control[0].Cursor != before.Cursor || len(s.rows[0]) != 0 {
				s.t.Errorf("the cursor went to %+v, and there are %d rows", s.control[0].Cursor, len(s.rows[0]))
			}
			s.write = nil
			s.finish()
			s.wantCalls("create", 120)
		}},
		{"05_crash_after_the_page_is_written", func(s *stage) {
			s.settings.PostsPerRun, s.settings.PostsPerDay, s.settings.DailyBudget = 200, 200, bot.USD(50)
			s.sayMany(120)
			s.wait(time.Minute)
			s.write = func(_ *run, _ []ledger.Row, write func() error) error { _ = write(); panic(crash{}) }
			s.wantStop(s.tick(), "died")
			if c := s.control[0].Cursor; len(s.rows[0]) != 50 || c.Until == 0 || c.Low != 0 {
				s.t.Errorf("%d rows and the cursor %+v, want the page and an open window", len(s.rows[0]), c)
			}
			s.write = nil
			s.finish()
			s.wantCalls("create", 120)
		}},
		{"09_lands_seconds_after_the_timeout", func(s *stage) {
			p := s.sayMany(1)[0]
			s.create = func(r *run, text string, _ func() (uint64, error)) (uint64, error) {
				s.arrives(r, text)
				s.x.effects = append(s.x.effects, effect{time.Now().Add(sendMost + 5*time.Second), r, text})
				return noAnswer(r)
			}
			s.wait(time.Minute)
			s.wantStop(s.tick(), "unknown outcome")
			s.want(p, "posting")
			s.finish()
			s.want(p, "posted looked up")
			s.wantCalls("create", 1)
		}},
		{"10_lands_after_the_settle_time_X_refuses_duplicates", func(s *stage) {
			s.refuses, s.afterSettle = true, true
			s.settings.PostsPerRun = 1
			late, between := s.sayMany(2)[0], s.x.sources[0]
			s.wait(time.Minute)
			// The one lands when the text has been sent again, the other just before.
			s.create = func(r *run, text string, call func() (uint64, error)) (uint64, error) {
				if s.rows[0][late.ID].Text == text && s.rows[0][late.ID].Sends == 1 {
					s.arrives(r, text)
					s.x.effects = append(s.x.effects, effect{time.Now().Add(25 * time.Minute), r, text})
					return noAnswer(r)
				}
				if p := s.rows[0][between.ID]; p.Text == text && p.Sends == 1 {
					s.arrives(r, text)
					return noAnswer(r)
				} else if p.Text == text {
					s.mu.Lock()
					s.x.land(r, text, time.Now())
					s.mu.Unlock()
				}
				return call()
			}
			s.tick()
			s.wait(time.Minute)
			s.tick()
			for range 2 {
				s.wait(21 * time.Minute)
				s.tick()
			}
			s.want(late, "posted")
			s.want(between, "posted looked up")
			s.wantCalls("create", 4)
			if got := s.hits[duplicateRefused]; got != 2 {
				s.t.Errorf("X refused %d duplicates, want 2", got)
			}
		}},
		{"11_lands_after_the_settle_time_once", landsLate(bot.ResendOnce)},
		{"11_lands_after_the_settle_time_never", landsLate(bot.ResendNever)},
		{"12_no_post_goes_through_for_half_an_hour", func(s *stage) {
			posts := s.sayMany(5)
			s.wait(time.Minute)
			s.create = func(r *run, text string, _ func() (uint64, error)) (uint64, error) {
				s.arrives(r, text)
				r.unknown()
				return 0, fail(twitter.Unknown)
			}
			for n := 1; n <= 4; n++ {
				s.wantStop(s.tick(), "unknown outcome")
				s.wantCalls("create", n)
				s.wait(period)
			}
			s.want(posts[4], "pending")
			s.create = nil
			s.finish()
			for _, p := range posts[:2] { // whose second send met the outage too
				s.want(p, "dead unknown")
			}
			for _, p := range posts[2:] {
				s.want(p, "posted")
			}
		}},
		{"13_unavailable_and_posted", func(s *stage) {
			p := s.sayMany(1)[0]
			s.wait(time.Minute)
			s.create = func(r *run, _ string, call func() (uint64, error)) (uint64, error) {
				call()
				r.unknown()
				return 0, fail(twitter.Unknown)
			}
			s.wantStop(s.tick(), "unknown outcome")
			s.finish()
			s.want(p, "posted looked up")
			s.wantCalls("create", 1)
		}},
		{"14_rate_limit_of_minutes", limited(14*time.Minute, 14*time.Minute, "posted")},
		{"14_rate_limit_without_a_reset", limited(0, 15*time.Minute, "posted")},
		{"14_rate_limit_with_a_past_reset", limited(-time.Hour, time.Minute, "posted")},
		{"14_rate_limit_of_ages", limited(30_000*time.Hour, 24*time.Hour, "skipped stale")},
		{"15_the_text_of_another_source", func(s *stage) {
			first := s.say(time.Now().Add(-3*time.Minute), "serverless it is")
			second := s.say(time.Now().Add(-2*time.Minute), "serverless it is")
			s.wait(time.Minute)
			s.tick()
			s.want(first, "posted")
			s.want(second, "skipped duplicate-text")
			s.wantCalls("create", 1)

			// X knows a text that the ledger does not.
			third := s.say(time.Now(), "serverless, as I said last year")
			s.create = func(r *run, text string, _ func() (uint64, error)) (uint64, error) {
				s.arrives(r, text)
				return 0, fail(twitter.Duplicate)
			}
			s.wait(time.Minute)
			s.tick()
			s.want(third, "skipped duplicate-text")
			s.wantCalls("timeline", 1)
		}},
		{"17_keys_refused_for_two_hours", func(s *stage) {
			p := s.sayMany(1)[0]
			s.wait(time.Minute)
			s.x.keys[0] = 1
			for range 12 {
				s.wantStop(s.tick(), "credentials refused")
				s.wait(period)
			}
			s.wantCalls("search", 2) // one an hour
			s.x.keys[0] = 0
			s.finish()
			s.want(p, "posted")
		}},
		{"21_stalled_before_the_send", func(s *stage) {
			s.settings.Settle = time.Second // so that the other run need not wait longer than the stall
			p := s.sayMany(1)[0]
			s.wait(time.Minute)
			s.write = func(r *run, rows []ledger.Row, write func() error) error {
				err := write()
				if r.number == 1 && begins(rows) {
					time.Sleep(2 * time.Minute)
				}
				return err
			}
			s.start(0, time.Now())
			s.wait(100 * time.Second)
			s.start(0, time.Now())
			s.running.Wait()
			s.want(p, "posted")
			if got := s.rows[0][p.ID].Sends; got != 2 {
				s.t.Errorf("%d sends begun, want 2: the second run took the post over", got)
			}
			s.wantCalls("create", 1)
		}},
		{"22_dies_at_the_same_post_each_time", func(s *stage) {
			posts := s.sayMany(3)
			s.wait(time.Minute)
			tries := 0
			s.write = func(_ *run, rows []ledger.Row, write func() error) error {
				err := write()
				for _, r := range rows {
					if err == nil && r.Post != nil && r.Post.ID == posts[0].ID && r.Post.State == ledger.Posting {
						tries++
						panic(crash{})
					}
				}
				return err
			}
			s.finish()
			s.want(posts[0], "dead unknown")
			s.want(posts[1], "posted")
			s.want(posts[2], "posted")
			s.wantCalls("create", 2)
			if tries != 2 {
				s.t.Errorf("%d tries, want 2", tries)
			}
		}},
		{"23_indexed_late_and_out_of_order", func(s *stage) {
			s.settings.PostsPerRun, s.settings.PostsPerDay, s.settings.DailyBudget = 200, 200, bot.USD(50)
			s.tick()
			// The first goes into the index in twenty minutes.
			s.say(time.Now(), "serverless, much later").indexed = time.Now().Add(indexMost)
			// More than a page of one millisecond.
			for n := range 60 {
				s.say(time.Now().Add(time.Minute), fmt.Sprint("serverless at once ", n))
			}
			s.wait(period)
			// The last is found before one that has a lower id.
			s.say(time.Now(), "serverless 2").indexed = time.Now()
			s.say(time.Now().Add(-time.Second), "serverless 1").indexed = time.Now().Add(time.Second)
			s.tick()
			s.finish()
			s.wantCalls("create", 63)
		}},
		{"24_the_bots_find_each_other", func(s *stage) {
			s.settings.PostsPerDay = 100
			for n := range 1000 {
				if n%10 == 0 && n < 900 {
					s.say(time.Now(), fmt.Sprint("serverless big data ", n))
				}
				s.start(0, time.Now())
				s.start(1, time.Now())
				s.running.Wait()
				s.wait(period)
			}
			for b, bot := range bots {
				if got := len(s.x.own[b]); got != 90 {
					s.t.Errorf("%s posted %d times, want 90", bot.Name, got)
				}
			}
			if got := s.hits[sisterFound]; got != 180 {
				s.t.Errorf("they found %d posts of each other, want 180", got)
			}
		}},
		{"25_cursor_too_old", func(s *stage) {
			s.horizon -= time.Hour // X is stricter than it says
			s.awayForAWeek(time.Now())
			p := s.sayMany(1)[0]
			s.wait(time.Minute)
			s.wantStop(s.tick(), "")
			s.want(p, "posted")
			if s.hits[staleSince] == 0 {
				s.t.Error("X never refused the cursor")
			}
			rows, err := s.mem.All(s.t.Context(), bots[0].Name)
			if err != nil {
				s.t.Fatal(err)
			}
			if !slices.ContainsFunc(rows, func(r ledger.Row) bool { return r.Gap != nil }) {
				s.t.Error("no record of the gap")
			}
		}},
		{"28_frozen_before_the_send", func(s *stage) {
			p := s.sayMany(1)[0]
			s.wait(time.Minute)
			s.write = freezes
			s.start(0, time.Now())
			s.wait(41 * time.Minute)
			s.running.Wait()
			s.want(p, "pending not sent")
			s.wantCalls("create", 0)
			s.finish()
			s.want(p, "posted")
		}},
		{"28_frozen_while_others_run", func(s *stage) {
			p := s.sayMany(1)[0]
			s.wait(time.Minute)
			s.write = freezes
			s.start(0, time.Now())
			for range 5 {
				s.wait(period)
				s.start(0, time.Now())
			}
			s.running.Wait()
			s.want(p, "posted")
			s.wantCalls("create", 1)
		}},
		{"28_the_clock_of_X_is_behind", func(s *stage) {
			s.x.clock = []shift{{by: -clockMost}}
			p := s.sayMany(1)[0]
			s.wait(5 * time.Minute)
			s.create = func(r *run, _ string, call func() (uint64, error)) (uint64, error) {
				call()
				return noAnswer(r)
			}
			s.tick()
			s.finish()
			s.want(p, "posted looked up")
			s.wantCalls("create", 1)
		}},
		{"29_timeline_unavailable", noProof("lookup unavailable", func(n int, call func() (twitter.Page, error)) (twitter.Page, error) {
			return twitter.Page{}, fail(twitter.Unavailable)
		})},
		{"29_timeline_truncated", noProof("lookup unavailable", func(n int, call func() (twitter.Page, error)) (twitter.Page, error) {
			if n%2 == 0 {
				return twitter.Page{}, fail(twitter.Unavailable)
			}
			p, err := call()
			return twitter.Page{Posts: p.Posts[:1], More: true, Newest: p.Newest, Oldest: p.Posts[0].ID}, err
		})},
		{"29_timeline_without_the_newest_post", noProof("own timeline out of date", func(n int, call func() (twitter.Page, error)) (twitter.Page, error) {
			return twitter.Page{}, nil
		})},
		{"30_two_runs_and_one_post_left_today", func(s *stage) {
			s.settings.PostsPerDay = 1
			posts := s.sayMany(2)
			s.wait(time.Minute)
			s.start(0, time.Now())
			s.start(0, time.Now())
			s.running.Wait()
			s.wantCalls("create", 1)
			s.want(posts[1], "pending")
			s.finish()
			s.want(posts[1], "posted")
			own := s.x.own[0]
			if len(own) != 2 || today(own[0].at) == today(own[1].at) {
				s.t.Errorf("posted %+v, want one on each of two days", own)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)))
				s := newStage(t)
				test.play(s)
				s.running.Wait()
				s.x.settle()
				s.atEnd()
				second := false
				for _, broken := range s.broken {
					switch {
					case s.twice && strings.HasPrefix(broken, "I1:"):
						second = true
					case s.twice && (strings.HasPrefix(broken, "I2:") || strings.HasPrefix(broken, "I3:")): // what follows from it
					default:
						t.Error(broken)
					}
				}
				if second != s.twice {
					t.Errorf("posted twice: %v, want %v", second, s.twice)
				}
				if t.Failed() {
					t.Log(strings.Join(s.trace, "\n"))
				}
			})
		})
	}
}

// landsLate is the story of a post that lands when X should long have shown it,
// and X takes a text twice. Then sending again makes two posts.
func landsLate(resend bot.Resend) func(*stage) {
	return func(s *stage) {
		s.afterSettle, s.settings.Resend, s.twice = true, resend, resend == bot.ResendOnce
		p := s.sayMany(1)[0]
		s.wait(time.Minute)
		s.create = func(r *run, text string, _ func() (uint64, error)) (uint64, error) {
			s.arrives(r, text)
			s.x.effects = append(s.x.effects, effect{time.Now().Add(25 * time.Minute), r, text})
			return noAnswer(r)
		}
		s.tick()
		s.create = nil
		s.wait(21 * time.Minute)
		s.tick()
		s.wait(period)
		if resend == bot.ResendNever {
			s.want(p, "dead unknown")
			s.wantCalls("create", 1)
		} else {
			s.want(p, "posted")
			s.wantCalls("create", 2)
		}
	}
}

// limited is the story of a rate limit that X says ends at reset from now, or
// does not say when (0). The bot posts nothing for the time of stop.
func limited(reset, stop time.Duration, end string) func(*stage) {
	return func(s *stage) {
		p := s.sayMany(1)[0]
		s.wait(time.Minute)
		s.create = func(*run, string, func() (uint64, error)) (uint64, error) {
			x := &twitter.Error{Class: twitter.RateLimited, Op: "simulated"}
			if reset != 0 {
				x.Reset = time.Now().Add(reset)
			}
			return 0, x
		}
		began := time.Now()
		s.wantStop(s.tick(), "rate limited")
		s.want(p, "pending rate limited")
		if got := s.control[0].Stops["post"].Until.Sub(began).Round(10 * time.Second); got != stop {
			s.t.Errorf("no posts for %v, want %v", got, stop)
		}
		if got := s.control[0].Day.Posts; got != 0 {
			s.t.Errorf("the day counts %d posts, want none", got)
		}
		s.create = nil
		s.finish()
		s.want(p, end)
	}
}

// freezes freezes the first run when it has written down that it is about to
// send.
func freezes(r *run, rows []ledger.Row, write func() error) error {
	err := write()
	if r.number == 1 && begins(rows) && r.frozen == 0 {
		r.frozen = 40 * time.Minute
		time.Sleep(r.frozen)
	}
	return err
}

// noProof is the story of a post that X made without an answer, and whose
// lookup goes wrong: that proves nothing.
func noProof(stopped string, timeline func(n int, call func() (twitter.Page, error)) (twitter.Page, error)) func(*stage) {
	return func(s *stage) {
		posts := s.sayMany(2)
		s.wait(time.Minute)
		s.create = func(r *run, _ string, call func() (uint64, error)) (uint64, error) {
			s.create = nil
			call()
			return noAnswer(r)
		}
		s.tick()
		s.wait(period)
		s.tick()
		s.want(posts[1], "posted")
		n := 0
		s.timeline = func(call func() (twitter.Page, error)) (twitter.Page, error) {
			n++
			return timeline(n, call)
		}
		for range 3 {
			s.wait(period + 5*time.Minute)
			s.tick()
		}
		s.wantStop(s.tick(), stopped)
		s.want(posts[0], "posting")
		s.wantCalls("create", 2)
		s.timeline = nil
		s.finish()
		s.want(posts[0], "posted looked up")
		s.wantCalls("create", 2)
	}
}

// A rewriter that panics takes down neither the run nor the posts that it does
// not see.
func TestScenarioRewriterPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)))
		s := newStage(t)
		s.settings.PostsPerRun = 1
		posts := s.sayMany(2)
		s.wait(time.Minute)
		s.tick()
		poison := s.say(time.Now(), "serverless poison")
		s.wait(time.Minute)

		r := &run{h: s.history, number: 99, name: "99", rng: s.rng, settings: s.settings, deadline: time.Now().Add(runTime)}
		ctx := clock{t.Context(), r}
		book, err := ledger.Load(ctx, store{r}, bots[0].Name, r.name)
		if err != nil {
			t.Fatal(err)
		}
		broken := functions.Superman
		broken.Find = nil // which no text survives
		report, err := (&bot.Run{
			Bot: broken, Settings: s.settings, UserID: accounts[0], Credentials: r.credentials(0),
			Ledger: book, Log: slog.New(slog.DiscardHandler),
		}).Do(ctx)
		if err != nil || report.Dead != 1 || report.Posted != 1 {
			t.Errorf("report %+v and error %v, want 1 dead and 1 posted", report, err)
		}
		s.want(poison, "dead poison")
		s.want(posts[1], "posted")
		s.wantCalls("create", 2)
		s.atEnd()
		for _, broken := range s.broken {
			t.Error(broken)
		}
	})
}
