package simulation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

const (
	period    = 10 * time.Minute
	runTime   = time.Minute      // a function's time-out
	sendMost  = 10 * time.Second // the client's own time-out
	lateMost  = 4 * time.Minute  // assumption A: after this nothing lands any more
	clockMost = 90 * time.Second
	indexMost = 20 * time.Minute
	quietMost = 27 * time.Hour // the longest that anything may stay open without faults
)

var (
	bots     = [2]bot.Bot{functions.Superman, functions.Batman}
	accounts = [2]string{"1", "2"}
)

// Options say what is other than usual in a history.
type options struct {
	trace       bool
	afterSettle bool  // see history
	refuses     *bool // if not nil, what else would be drawn
	resend      bot.Resend
	mutant      mutant
}

// A history is some hours of two bots in one world.
type history struct {
	seed  uint64
	opt   options
	rng   *rand.Rand
	rate  [faults]float64
	quiet time.Time // when faults end

	storeDown, xDown window
	horizon          time.Duration // how far back X searches
	refuses          bool          // assumption D: X refuses duplicates
	afterSettle      bool          // assumption A is broken: some creates land when nobody expects them any more
	settings         bot.Settings
	optOut           time.Time // from when on the settings ignore one more author

	mem     ledger.Memory
	x       *world
	runs    int
	running sync.WaitGroup

	mu    sync.Mutex // only one goroutine is ever awake; it shows the race detector so
	hits  [faults]int
	trace []string
	hash  uint64

	// The record, by bot.
	broken     []string
	control    [2]ledger.Control
	rev        [2]int64     // of control
	lastSet    [2]time.Time // when control.Last changed
	rows       [2]map[uint64]ledger.Post
	texts      [2]map[string]uint64 // by the key of the row
	bytes      [2]map[uint64]string // what was sent, by source
	meant      [2]map[string]int    // the source, by its rewritten text
	posts      [2][][]uint64        // accepted creates, by source
	group      []int                // how many posts share the text of a source
	days       [2]map[string]*day
	unrecorded [2]int64 // cost of pages that runs have read and not yet written down
	returned   [2]map[uint64]bool
	firstSince [2]uint64
}

// A run is one start of a function.
type run struct {
	h        *history
	bot      int
	number   int
	name     string
	rng      *rand.Rand
	settings bot.Settings
	deadline time.Time
	frozen   time.Duration // at most once

	seen       int64  // revision of the control row
	readOn     string // the UTC day of unrecorded
	unrecorded int64
	begun      ledger.Post
	sends      uint
	unknowns   int
	refusedAll bool
}

// simulate lives through the history of a seed.
func simulate(t *testing.T, seed uint64, opt options) (h *history) {
	synctest.Test(t, func(*testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)))
		h = newHistory(seed, opt)
		h.live()
		h.atEnd()
	})
	return h
}

func newHistory(seed uint64, opt options) *history {
	rng := rand.New(rand.NewPCG(seed, 0))
	h := &history{seed: seed, opt: opt, rng: rng, rate: rates(rng), hash: 14695981039346656037}
	phase := between(rng, 0, 24*time.Hour).Truncate(time.Second)
	if rng.IntN(3) == 0 { // midnight falls among the faults, and into a run
		phase = 23*time.Hour - time.Duration(1+rng.IntN(3))*time.Second
	}
	time.Sleep(phase)
	start := time.Now()
	h.quiet = start.Add(between(rng, 90*time.Minute, 3*time.Hour).Truncate(time.Second))
	hours := h.quiet.Sub(start)
	h.storeDown, h.xDown = h.outage(storeOutage, hours), h.outage(xOutage, hours)
	h.horizon = 7 * 24 * time.Hour
	h.refuses = rng.IntN(3) > 0
	if opt.refuses != nil {
		h.refuses = *opt.refuses
	}
	h.settings = bot.Settings{
		Mode:        bot.PostMode,
		PostsPerRun: uint(1 + rng.IntN(3)),
		PostsPerDay: 20,
		DailyBudget: bot.USD(2),
		Settle:      []time.Duration{10 * time.Minute, 20 * time.Minute}[rng.IntN(2)],
		Resend:      bot.ResendOnce,
	}
	if rng.IntN(4) == 0 {
		h.settings.Resend = bot.ResendNever
	}
	if opt.resend != "" {
		h.settings.Resend = opt.resend
	}
	h.afterSettle = (h.refuses || h.settings.Resend == bot.ResendNever) && rng.IntN(4) > 0 || opt.afterSettle
	if h.rate[perDayReached] > 0 {
		h.settings.PostsPerDay = uint(2 + rng.IntN(6))
	}
	if h.rate[budgetReached] > 0 {
		h.settings.DailyBudget = bot.USD(0.05 + 0.005*float64(rng.IntN(80)))
	}
	for b := range bots {
		h.rows[b] = make(map[uint64]ledger.Post)
		h.texts[b] = make(map[string]uint64)
		h.bytes[b] = make(map[uint64]string)
		h.meant[b] = make(map[string]int)
		h.days[b] = make(map[string]*day)
		h.returned[b] = make(map[uint64]bool)
	}
	h.optOut = h.quiet.Add(100 * time.Hour)
	if h.rate[optedOut] > 0 {
		h.optOut = start.Add(between(rng, 0, hours))
	}
	h.x = &world{h: h, ids: make(map[uint64]bool)}
	if h.rate[clockJump] > 0 {
		for t := start.Add(-24 * time.Hour); t.Before(h.quiet); t = t.Add(between(rng, time.Minute, 2*time.Hour)) {
			h.x.clock = append(h.x.clock, shift{t, between(rng, 0, 2*clockMost) - clockMost})
			h.hits[clockJump]++
		}
	}
	h.populate(start, hours)
	if rng.IntN(20) == 0 {
		h.awayForAWeek(start)
	}
	return h
}

func (h *history) outage(f fault, hours time.Duration) window {
	if h.rate[f] == 0 {
		return window{}
	}
	from := time.Now().Add(between(h.rng, 0, hours))
	return window{from, from.Add(between(h.rng, time.Minute, 90*time.Minute))}
}

// chance draws for what is part of the world and not of a call.
func (h *history) chance(f fault) bool {
	if h.rate[f] == 0 || h.rng.Float64() > 2*h.rate[f] {
		return false
	}
	h.hits[f]++
	return true
}

// populate draws what other people post: most of it while faults strike, some before.
func (h *history) populate(start time.Time, hours time.Duration) {
	rng := h.rng
	many := 5 + rng.IntN(40)
	if rng.IntN(10) == 0 {
		many = 80 + rng.IntN(80)
	}
	burst := start.Add(between(rng, 0, hours))
	times := make([]time.Time, many)
	for i := range times {
		switch rng.IntN(8) {
		case 0:
			times[i] = start.Add(-between(rng, 0, 15*time.Hour))
		case 1, 2:
			times[i] = burst.Add(between(rng, 0, time.Minute))
		default:
			times[i] = start.Add(between(rng, 0, hours))
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	var last *source // the newest that was not edited
	for i, at := range times {
		if i > 0 && h.chance(sameMillisecond) {
			at = times[i-1]
			times[i] = at
		}
		n := len(h.group)
		word := []string{"serverless", "big data", "serverless big data"}[min(rng.IntN(5), 4)/2]
		s := &source{index: n, Post: twitter.Post{
			Author: fmt.Sprint(100 + rng.IntN(8)),
			Text:   fmt.Sprintf("%s %d", word, n),
			Reply:  rng.IntN(20) == 0,
		}}
		if rng.IntN(20) == 0 {
			s.Author = accounts[rng.IntN(2)]
		}
		if last != nil && h.chance(sameText) {
			s.index, s.Text = last.index, last.Text
		}
		if s.index == n {
			h.group = append(h.group, 0)
		}
		h.group[s.index]++
		for b, bot := range bots {
			h.meant[b][bot.Find.ReplaceAllString(s.Text, bot.Replace)] = s.index
		}
		h.publish(s, at, 0)
		if s.index == n && !h.chance(edited) {
			last = s
		} else if s.index == n {
			e := *s
			e.Text += " again"
			h.publish(&e, at.Add(between(rng, time.Second, time.Hour)), s.ID)
			for b, bot := range bots {
				h.meant[b][bot.Find.ReplaceAllString(e.Text, bot.Replace)] = e.index
			}
		}
	}
	for b := range bots {
		h.posts[b] = make([][]uint64, len(h.group))
	}
}

func (h *history) publish(s *source, at time.Time, first uint64) {
	s.ID, s.indexed = h.x.id(at), at.Add(30*time.Second)
	if s.FirstID = s.ID; first != 0 {
		s.FirstID = first
	}
	if h.chance(indexedLate) {
		s.indexed = at.Add(between(h.rng, 0, indexMost))
	}
	h.x.add(s)
}

// awayForAWeek lets the bots come back to a cursor that X searches no more.
func (h *history) awayForAWeek(start time.Time) {
	h.horizon -= time.Duration(h.rng.IntN(2)) * time.Hour
	for b := range bots {
		r := &run{h: h, bot: b}
		rows := []ledger.Row{{Key: "control", By: "before", Open: true, Control: &ledger.Control{
			Cursor: ledger.Cursor{Low: twitter.FirstID(start.Add(-9 * 24 * time.Hour))},
		}}}
		if err := h.mem.Apply(context.Background(), bots[b].Name, rows); err != nil {
			panic(err) // unreachable: the ledger is empty
		}
		r.wrote(bots[b].Name, rows)
	}
}

// live starts runs until faults have ended and nothing is left to do.
func (h *history) live() {
	type start struct {
		at, event time.Time
		bot       int
	}
	var starts []start
	tick := time.Now()
	for ; tick.Before(h.quiet); tick = tick.Add(period) {
		for b := range bots {
			if h.chance(tickLost) {
				continue
			}
			at := tick
			if h.chance(tickLate) {
				at = at.Add(between(h.rng, time.Second, 15*time.Minute).Truncate(time.Second))
			} else if h.chance(tickTooLate) {
				at = at.Add(between(h.rng, 16*time.Minute, 3*time.Hour).Truncate(time.Second))
			}
			starts = append(starts, start{at, tick, b})
			if h.chance(tickTwice) {
				starts = append(starts, start{at.Add(time.Duration(h.rng.IntN(2000)) * time.Millisecond), tick, b})
			}
			if h.chance(handStart) {
				at = at.Add(between(h.rng, time.Second, time.Minute).Truncate(time.Second))
				starts = append(starts, start{at, at, b})
			}
		}
	}
	slices.SortStableFunc(starts, func(a, b start) int { return a.at.Compare(b.at) })
	for _, s := range starts {
		time.Sleep(time.Until(s.at))
		h.start(s.bot, s.event)
	}

	// An operator raises the limits.
	h.mu.Lock()
	h.settings.PostsPerRun, h.settings.PostsPerDay, h.settings.DailyBudget = 10, 1000, bot.USD(50)
	h.mu.Unlock()
	for time.Since(h.quiet) < quietMost {
		next := period
		if calm := time.Since(h.quiet); calm > 2*time.Hour && calm < 25*time.Hour {
			next = 4 * time.Hour
		}
		time.Sleep(next)
		for b := range bots {
			h.start(b, time.Now())
		}
		if time.Since(h.quiet) < indexMost+period {
			continue
		}
		h.mu.Lock()
		open, lost := h.open()
		h.mu.Unlock()
		if len(open)+len(lost) == 0 {
			break
		}
	}
	h.running.Wait()
	h.x.settle()
}

// start starts a run, as the function would that gets the event.
func (h *history) start(b int, event time.Time) {
	h.runs++
	r := &run{h: h, bot: b, number: h.runs, name: fmt.Sprintf("%s/%d", bots[b].Name, h.runs), rng: rand.New(rand.NewPCG(h.seed, uint64(h.runs)))}
	r.settings = h.settings
	r.settings.Ignore = bot.IDs{accounts[0]: true, accounts[1]: true}
	if !time.Now().Before(h.optOut) {
		r.settings.Ignore["100"] = true
	}
	h.mu.Lock()
	if !time.Now().Before(h.quiet) {
		h.x.param[b] = h.x.keys[b]
	}
	keys := h.x.param[b]
	h.mu.Unlock()
	h.running.Go(func() {
		time.Sleep(time.Duration(r.number)) // see between
		defer func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.note("end of run", uint64(r.number))
			if v := recover(); v != nil && v != (crash{}) {
				h.wrong("panic", "%v", v)
			}
		}()
		if time.Since(event) > 15*time.Minute {
			return
		}
		r.deadline = time.Now().Add(runTime)
		r.do(clock{context.Background(), r}, keys)
	})
}

var errParameters = errors.New("parameters cannot be read")

func (r *run) do(ctx context.Context, keys int) {
	h := r.h
	h.mu.Lock()
	h.note("run of "+bots[r.bot].Name, uint64(r.number))
	h.mu.Unlock()
	book, err := ledger.Load(ctx, store{r}, bots[r.bot].Name, r.name)
	if err != nil {
		return
	}
	real := &bot.Run{
		Bot:         bots[r.bot],
		Settings:    r.settings,
		UserID:      accounts[r.bot],
		Credentials: r.credentials(keys),
		Ledger:      book,
		Log:         slog.New(slog.DiscardHandler),
		Renew: func(context.Context) (bot.Credentials, bool, error) {
			r.latency(crashAtRenew)
			if r.strikes(renewFails) {
				r.refusedAll = true
				return bot.Credentials{}, false, errParameters
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			now := h.x.param[r.bot]
			changed := now != keys
			keys = now
			r.refusedAll = !changed
			return r.credentials(now), changed, nil
		},
	}
	if h.opt.mutant.settings != nil {
		h.opt.mutant.settings(&real.Settings)
	}
	report, err := real.Do(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch report.Stopped {
	case "posts per day":
		h.hits[perDayReached]++
	case "budget":
		h.hits[budgetReached]++
	}
	if err != nil {
		h.note("error of run: "+err.Error(), uint64(r.number))
	} else {
		h.note("report of run: "+report.Stopped, uint64(r.number))
	}
}

func (r *run) credentials(version int) bot.Credentials {
	c := bot.Credentials{X: x{r, version}, Versions: map[string]int64{"keys": int64(version)}}
	if r.h.opt.mutant.x != nil {
		c.X = r.h.opt.mutant.x(r, c.X)
	}
	return c
}
