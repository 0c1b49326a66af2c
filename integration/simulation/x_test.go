package simulation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/twitter"
)

// A source is a post that a search can find.
type source struct {
	twitter.Post
	indexed time.Time // from when on search has it
	index   int       // its number among those that may share a text
}

// A created post is one that X accepted from a bot.
type created struct {
	id   uint64
	text string
	at   time.Time // when it landed
}

// An effect is a create that X has not come to yet.
type effect struct {
	at   time.Time
	run  *run
	text string
}

// A world is X: what anybody posted, and what X lets the bots know of it.
type world struct {
	h       *history
	ids     map[uint64]bool
	sources []*source // newest id first
	own     [2][]created
	effects []effect
	clock   []shift // oldest first
	keys    [2]int  // the version of each bot's keys that X takes
	param   [2]int  // the version that Renew reads
}

// A shift is by how much X's clock is ahead of ours from some moment on.
type shift struct {
	from time.Time
	by   time.Duration
}

func (w *world) ahead(t time.Time) time.Duration {
	by := time.Duration(0)
	for _, s := range w.clock {
		if !t.Before(s.from) {
			by = s.by
		}
	}
	return by
}

// id returns a new id for a post made at t.
func (w *world) id(t time.Time) uint64 {
	id := twitter.FirstID(t.Add(w.ahead(t)))
	for w.ids[id] {
		id++
	}
	w.ids[id] = true
	return id
}

func (w *world) add(s *source) {
	i, _ := slices.BinarySearchFunc(w.sources, s.ID, func(s *source, id uint64) int { return cmp.Compare(id, s.ID) })
	w.sources = slices.Insert(w.sources, i, s)
}

func says(b int, text string) bool {
	return strings.Contains(text, []string{"serverless", "big data"}[b])
}

// land makes a post, unless X refuses the same text a second time.
func (w *world) land(r *run, text string, at time.Time) (uint64, bool) {
	h := w.h
	if h.refuses && slices.ContainsFunc(w.own[r.bot], func(c created) bool { return c.text == text }) {
		h.hits[duplicateRefused]++
		return 0, false
	}
	id := w.id(at)
	w.own[r.bot] = append(w.own[r.bot], created{id, text, at})
	w.add(&source{Post: twitter.Post{ID: id, FirstID: id, Author: accounts[r.bot], Text: text}, indexed: at.Add(30 * time.Second), index: -1})
	h.note("landed "+text, id)
	h.accepted(r, text, id)
	return id, true
}

// settle brings about the effects that were due until now.
func (w *world) settle() {
	now := time.Now()
	slices.SortStableFunc(w.effects, func(a, b effect) int { return a.at.Compare(b.at) })
	for len(w.effects) > 0 && !w.effects[0].at.After(now) {
		e := w.effects[0]
		w.effects = w.effects[1:]
		w.land(e.run, e.text, e.at)
	}
}

// An x is one run's way to X with one version of its keys. It is the fake at
// bot.X: the wire is proven elsewhere, and here a call costs microseconds.
type x struct {
	r       *run
	version int
}

// errOldSignature is X's answer to a request that was signed and then kept from
// being sent. It is what stops a run that is frozen after its last look at the
// clock.
var errOldSignature = fail(twitter.Unauthorized)

func fail(c twitter.Class) error { return &twitter.Error{Class: c, Op: "simulated"} }

// call does what all three calls have in common, before X has an effect.
func (c x) call(ctx context.Context, what string) error {
	r, h := c.r, c.r.h
	signed := time.Now()
	r.latency(crashBeforeX)
	if ctx.Err() != nil { // as net/http: nothing is written under a context that is over
		if what == "create" {
			return fail(twitter.NotSent)
		}
		return fail(twitter.Unavailable)
	}
	if time.Since(signed) > 5*time.Minute {
		return errOldSignature
	}
	h.mu.Lock()
	h.x.settle()
	h.note("X "+what, uint64(r.number))
	if r.refusedAll {
		h.wrong("I13", "run %d calls X (%s) after X refused its account", r.number, what)
	}
	keys := h.x.keys[r.bot]
	if h.rate[oldKeys] > 0 && r.rng.Float64() < h.rate[oldKeys]/3 && time.Now().Before(h.quiet) {
		h.x.keys[r.bot]++ // the account's owner replaces the keys; the parameter follows at once or later
		keys = h.x.keys[r.bot]
		if r.rng.IntN(2) == 0 {
			h.x.param[r.bot] = keys
		}
	}
	h.mu.Unlock()
	if h.xDown.holds(time.Now()) {
		h.hit(xOutage)
		if what == "create" {
			return fail(twitter.Unknown)
		}
		return fail(twitter.Unavailable)
	}
	if c.version != keys {
		h.hit(oldKeys)
		return fail(twitter.Unauthorized)
	}
	limited := func(d time.Duration) error {
		return &twitter.Error{Class: twitter.RateLimited, Op: "simulated", Reset: time.Now().Add(d)}
	}
	switch {
	case r.strikes(goodKeysRefused):
		return fail(twitter.Unauthorized)
	case r.strikes(noCredits):
		r.refusedAll = true
		return fail(twitter.NoCredits)
	case r.strikes(suspended):
		r.refusedAll = true
		return &twitter.Error{Class: twitter.Forbidden, Op: "simulated", Reason: "suspended"}
	case r.strikes(limitNoReset):
		return fail(twitter.RateLimited)
	case r.strikes(limitPast):
		return limited(-time.Hour)
	case r.strikes(limitSoon):
		return limited(between(r.rng, time.Second, 20*time.Minute))
	case r.strikes(limitAbsurd):
		return limited(between(r.rng, 24*time.Hour, 30_000*time.Hour))
	}
	return nil
}

// page cuts posts, newest first, to what the request asks for.
func page(posts []twitter.Post, since, until uint64, max int) (p twitter.Page) {
	for _, post := range posts {
		if post.ID <= since || until != 0 && post.ID >= until {
			continue
		}
		if len(p.Posts) == max {
			p.More = true
			break
		}
		p.Posts = append(p.Posts, post)
	}
	if n := len(p.Posts); n > 0 {
		p.Newest, p.Oldest = p.Posts[0].ID, p.Posts[n-1].ID
	}
	return p
}

// Search implements bot.X.
func (c x) Search(ctx context.Context, _ string, since, until uint64, max int) (twitter.Page, error) {
	r, h := c.r, c.r.h
	if err := c.call(ctx, "search"); err != nil {
		return twitter.Page{}, err
	}
	if r.strikes(searchUnavailable) || until != 0 && r.strikes(searchFailsLater) {
		return twitter.Page{}, fail(twitter.Unavailable)
	}
	if r.strikes(searchCapped) {
		max = 1 + r.rng.IntN(min(max, 5))
	}
	h.mu.Lock()
	now := time.Now()
	if oldest := twitter.FirstID(now.Add(h.x.ahead(now) - h.horizon)); since < oldest {
		h.hits[staleSince]++
		h.mu.Unlock()
		return twitter.Page{}, &twitter.Error{Class: twitter.StaleSince, Op: "simulated", MinSince: oldest}
	}
	var posts []twitter.Post
	for _, s := range h.x.sources {
		if s.ID <= since {
			break
		}
		if says(r.bot, s.Text) && !now.Before(s.indexed) {
			posts = append(posts, s.Post)
		}
	}
	p := page(posts, since, until, max)
	h.searched(r, since, p)
	h.mu.Unlock()
	r.latency(crashAfterX)
	return p, nil
}

// Timeline implements bot.X.
func (c x) Timeline(ctx context.Context, user string, since, until uint64, max int) (twitter.Page, error) {
	r, h := c.r, c.r.h
	if err := c.call(ctx, "timeline"); err != nil {
		return twitter.Page{}, err
	}
	if r.strikes(timelineUnavailable) || until != 0 && r.strikes(timelineFailsLater) {
		return twitter.Page{}, fail(twitter.Unavailable)
	}
	if r.strikes(timelineCapped) {
		max = 1 + r.rng.IntN(2)
	}
	h.mu.Lock()
	if user != accounts[r.bot] {
		h.wrong("I10", "%s reads the timeline of %s", r.name, user)
	}
	as := time.Now()
	last, ok := h.x.known(r.bot, h.control[r.bot].Last)
	ok = ok && last.id > since && (until == 0 || last.id < until) && as.Sub(h.lastSet[r.bot]) > 3*time.Minute
	h.mu.Unlock()
	switch {
	case r.strikes(timelineCopy):
		// Assumption: what landed is shown before the settle time is over.
		as = as.Add(-between(r.rng, time.Second, r.settings.Settle-lateMost-90*time.Second))
	case ok && r.strikes(timelineOldCopy):
		// A copy of any age, but it lacks a post that the ledger knows of. It is only
		// this page that is judged by that: pages of two copies look like one timeline.
		as = last.at.Add(-between(r.rng, time.Second, time.Hour))
	}
	h.mu.Lock()
	var posts []twitter.Post
	for _, own := range slices.Backward(h.x.own[r.bot]) {
		if !own.at.After(as) {
			posts = append(posts, twitter.Post{ID: own.id, FirstID: own.id, Author: user, Text: own.text})
		}
	}
	for _, s := range h.x.sources {
		if s.Author == user && s.index >= 0 && !as.Before(s.indexed) {
			posts = append(posts, s.Post)
		}
	}
	slices.SortFunc(posts, func(a, b twitter.Post) int { return cmp.Compare(b.ID, a.ID) })
	p := page(posts, since, until, max)
	h.billed(r, p)
	h.mu.Unlock()
	r.latency(crashAfterX)
	return p, nil
}

// known returns the own post with that id.
func (w *world) known(b int, id uint64) (created, bool) {
	i := slices.IndexFunc(w.own[b], func(c created) bool { return c.id == id })
	if i < 0 {
		return created{}, false
	}
	return w.own[b][i], true
}

// Create implements bot.X.
func (c x) Create(ctx context.Context, text string) (uint64, error) {
	r, h := c.r, c.r.h
	err := c.call(ctx, "create")
	var refused *twitter.Error
	if errors.As(err, &refused) && (refused.Class == twitter.NotSent || err == errOldSignature) {
		return 0, err
	}
	h.mu.Lock()
	h.sending(r, text, refused != nil && refused.Class == twitter.Unauthorized)
	h.mu.Unlock()
	if err != nil {
		if refused.Class == twitter.Unknown { // in an outage
			r.unknown()
			if r.rng.IntN(2) == 0 {
				h.mu.Lock()
				h.x.land(r, text, time.Now())
				h.mu.Unlock()
			}
		}
		return 0, err
	}
	switch {
	case r.strikes(createNotSent):
		return 0, fail(twitter.NotSent)
	case r.strikes(createRefused):
		return 0, fail(twitter.Refused)
	case r.strikes(createDuplicate):
		return 0, fail(twitter.Duplicate)
	case r.strikes(createLostNoPost):
		r.unknown()
		time.Sleep(between(r.rng, time.Millisecond, sendMost))
		return 0, fail(twitter.Unknown)
	case r.strikes(createLandsLate):
		r.unknown()
		late := between(r.rng, time.Second, lateMost)
		if h.afterSettle && r.rng.IntN(4) > 0 {
			late = r.settings.Settle + between(r.rng, time.Minute, 30*time.Minute)
		}
		h.mu.Lock()
		h.x.effects = append(h.x.effects, effect{time.Now().Add(late), r, text})
		h.mu.Unlock()
		time.Sleep(between(r.rng, time.Millisecond, sendMost))
		return 0, fail(twitter.Unknown)
	}
	h.mu.Lock()
	id, ok := h.x.land(r, text, time.Now())
	h.mu.Unlock()
	if !ok {
		return 0, fail(twitter.Duplicate)
	}
	lost := r.strikes(createLost)
	if lost {
		r.unknown()
	}
	r.latency(crashAfterX)
	if lost {
		return 0, fail(twitter.Unknown)
	}
	return id, nil
}

var _ bot.X = x{}
