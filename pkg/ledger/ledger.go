// Package ledger keeps what became of every source post, so that none is
// posted twice and none is lost, whatever happens to the run that handles it.
//
// The one idea: a row is written only on top of the revision that was read.
// Two runs that overlap, or one that wakes up after a long sleep, cannot undo
// each other; the later writer reads again and decides anew. All transitions
// stand in this file; a [Store] knows none of them.
//
//	pending ──► posting ──► posted
//	   │ ▲         │
//	   │ └─────────┤ certainly not posted
//	   ▼           ▼
//	skipped      dead
//
// A row is posting from just before its text is sent until the outcome is
// known. A run that dies in between leaves it posting, and a later run looks
// the text up.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// State is where a source post stands.
type State string

// Posted, Skipped and Dead are ends. Nothing leaves them but a dead post that
// turns out to have been posted, or that an operator sends on its way again.
const (
	Pending State = "pending" // to be posted; certainly not yet
	Posting State = "posting" // its text may have been sent; nobody knows yet
	Posted  State = "posted"  // posted once
	Skipped State = "skipped" // never posted, for the reason given
	Dead    State = "dead"    // given up; unless the reason is "unknown", never posted
)

var states = []State{Pending, Posting, Posted, Skipped, Dead}

// keep is how long an ended row stays: well over the seven days in which X's
// search can return the source post again.
const keep = 35 * 24 * time.Hour

// A Post is the row of one source post.
type Post struct {
	ID       uint64    `dynamodbav:"id" json:"id,string"` // the source's first id: an edit has the same one
	Author   string    `dynamodbav:"author" json:"author"`
	State    State     `dynamodbav:"state" json:"state"`
	Reason   string    `dynamodbav:"reason,omitempty" json:"reason,omitempty"`
	Text     string    `dynamodbav:"text,omitempty" json:"text,omitempty"`     // exactly what is sent; dropped when posted or skipped
	Hash     string    `dynamodbav:"hash,omitempty" json:"hash,omitempty"`     // of the words in Text; no two sources are posted with the same one
	Link     bool      `dynamodbav:"link,omitempty" json:"link,omitempty"`     // the text has a link, which X bills higher
	Billed   string    `dynamodbav:"billed,omitempty" json:"billed,omitempty"` // the UTC date on which reading it was last paid for
	Owner    string    `dynamodbav:"owner,omitempty" json:"owner,omitempty"`   // the run that may send it
	Lease    time.Time `dynamodbav:"lease" json:"lease,omitzero"`              // and until when
	Sends    int       `dynamodbav:"sends,omitempty" json:"sends,omitempty"`   // sends begun, less those that certainly posted nothing
	Sent     time.Time `dynamodbav:"sent" json:"sent,omitzero"`                // when the first of them began
	Resent   time.Time `dynamodbav:"resent" json:"resent,omitzero"`            // when the last of them began
	PostedID uint64    `dynamodbav:"posted_id,omitempty" json:"posted_id,omitempty,string"`
	History  []Step    `dynamodbav:"history" json:"history"`
}

// A Step is one change of a post's state.
type Step struct {
	At     time.Time `dynamodbav:"at" json:"at"`
	State  State     `dynamodbav:"state" json:"state"`
	Reason string    `dynamodbav:"reason,omitempty" json:"reason,omitempty"`
}

func (p *Post) enter(s State, reason string) {
	p.State, p.Reason = s, reason
	p.History = append(p.History, Step{time.Now().UTC(), s, reason})
	if s == Posted || s == Skipped {
		p.Text = ""
	}
}

// A Control is the row of the bot itself.
type Control struct {
	Cursor Cursor          `dynamodbav:"cursor" json:"cursor"`
	Day    Day             `dynamodbav:"day" json:"day"`
	Stops  map[string]Stop `dynamodbav:"stops,omitempty" json:"stops,omitempty"`      // by what they stop
	Last   uint64          `dynamodbav:"last,omitempty" json:"last,omitempty,string"` // the newest of our own posts that we know of
}

// A Cursor says how far the search has come. Everything up to Low is in the
// ledger. While High is set, a window is being read from the newest post down:
// High is its newest id and Until the oldest one read so far.
type Cursor struct {
	Low   uint64 `dynamodbav:"low" json:"low,string"`
	High  uint64 `dynamodbav:"high,omitempty" json:"high,omitempty,string"`
	Until uint64 `dynamodbav:"until,omitempty" json:"until,omitempty,string"`
}

// A Day counts what one UTC day has used up.
type Day struct {
	Date   string `dynamodbav:"date" json:"date"`
	Posts  int    `dynamodbav:"posts" json:"posts"`
	Micros int64  `dynamodbav:"micros" json:"micros"` // millionths of a US dollar, reads and posts
	// Own timeline that was read, and so paid for, from id to id.
	From uint64 `dynamodbav:"from,omitempty" json:"from,omitempty,string"`
	To   uint64 `dynamodbav:"to,omitempty" json:"to,omitempty,string"`
}

// On returns the count for the UTC day of t, empty if d is an earlier day's. A
// clock that is behind does not bring a day back.
func (d Day) On(t time.Time) Day {
	if date := t.UTC().Format(time.DateOnly); d.Date < date {
		return Day{Date: date}
	}
	return d
}

// A Stop keeps a bot from doing something for a while.
type Stop struct {
	Why      string           `dynamodbav:"why" json:"why"`
	Until    time.Time        `dynamodbav:"until" json:"until"`
	Versions map[string]int64 `dynamodbav:"versions,omitempty" json:"versions,omitempty"` // the parameters whose credentials were refused
}

// Errors on which a run decides how to go on.
var (
	ErrTaken   = errors.New("another run has taken the post over")
	ErrText    = errors.New("the same text belongs to another source post")
	ErrPerDay  = errors.New("the day's posts are used up")
	ErrBudget  = errors.New("the day's budget is used up")
	ErrUnknown = errors.New("no such post in the ledger")
)

// A Ledger is one run's view of its bot's rows. It is for one goroutine.
type Ledger struct {
	store Store
	bot   string
	run   string
	rows  map[string]Row
}

const controlKey = "control"

func postKey(id uint64) string { return fmt.Sprintf("post#%020d", id) }

func textKey(hash string) string { return "text#" + hash }

// Load reads, in one consistent read, the bot's control row and all posts that
// have not ended. Run names the caller, which owns what it sends; no two invocations
// may have the same name.
func Load(ctx context.Context, store Store, bot, run string) (*Ledger, error) {
	rows, err := store.Open(ctx, bot)
	if err != nil {
		return nil, fmt.Errorf("reading the open rows of %q: %w", bot, err)
	}
	l := &Ledger{store: store, bot: bot, run: run, rows: make(map[string]Row)}
	return l, l.see(rows)
}

func (l *Ledger) see(rows []Row) error {
	for _, r := range rows {
		if err := r.check(); err != nil {
			return fmt.Errorf("ledger of %q: %w", l.bot, err)
		}
		l.rows[r.Key] = r
	}
	return nil
}

// Control returns the bot's own row as last read or written.
func (l *Ledger) Control() Control {
	if c := l.rows[controlKey].Control; c != nil {
		return *c
	}
	return Control{}
}

// Open returns the posts in state s, Pending or Posting, oldest first.
func (l *Ledger) Open(s State) []Post {
	var posts []Post
	for _, r := range l.rows {
		if r.Post != nil && r.Post.State == s {
			posts = append(posts, *r.Post)
		}
	}
	slices.SortFunc(posts, func(a, b Post) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return posts
}

// Known reads the posts with these ids that are in the ledger, in one batch.
func (l *Ledger) Known(ctx context.Context, ids []uint64) (map[uint64]Post, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = postKey(id)
	}
	rows, err := l.store.Rows(ctx, l.bot, keys)
	if err != nil {
		return nil, fmt.Errorf("reading %d posts of %q: %w", len(ids), l.bot, err)
	}
	if err := l.see(rows); err != nil {
		return nil, err
	}
	known := make(map[uint64]Post)
	for _, r := range rows {
		known[r.Post.ID] = *r.Post
	}
	return known, nil
}

// tx is one attempt at a transition: the rows as they are now, and those that
// it puts in their place.
type tx struct {
	now  time.Time
	rows map[string]Row
	puts []Row
}

func (t *tx) control() *Control {
	r := t.rows[controlKey].clone()
	if r.Control == nil {
		r = Row{Key: controlKey, Control: &Control{}}
	}
	r.Open = true
	r.Control.Day = r.Control.Day.On(t.now)
	if r.Control.Stops == nil {
		r.Control.Stops = make(map[string]Stop)
	}
	t.puts = append(t.puts, r)
	return r.Control
}

func (t *tx) post(id uint64) (*Post, error) {
	r := t.rows[postKey(id)].clone()
	if r.Post == nil {
		return nil, fmt.Errorf("post %d: %w", id, ErrUnknown)
	}
	t.puts = append(t.puts, r)
	return r.Post, nil
}

// change applies f, and again to what is stored by then whenever another run
// wrote in between. It writes what f asked for through t, in one transaction.
func (l *Ledger) change(ctx context.Context, keys []string, f func(t *tx) error) error {
	for range 8 {
		t := &tx{now: time.Now().UTC(), rows: l.rows}
		if err := f(t); err != nil {
			return err
		}
		if len(t.puts) == 0 {
			return nil
		}
		by := rand.Text()
		for i := range t.puts {
			r := &t.puts[i]
			r.By = by
			if r.Post != nil {
				r.Open = r.Post.State == Pending || r.Post.State == Posting
				if r.Expires = 0; !r.Open {
					r.Expires = t.now.Add(keep).Unix()
				}
			}
		}
		err := l.store.Apply(ctx, l.bot, t.puts)
		if err == nil {
			for _, r := range t.puts {
				r.Rev++
				l.rows[r.Key] = r
			}
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("writing %d rows of %q: %w", len(t.puts), l.bot, err)
		}
		rows, err := l.store.Rows(ctx, l.bot, keys)
		if err != nil {
			return fmt.Errorf("reading %d rows of %q: %w", len(keys), l.bot, err)
		}
		for _, key := range keys {
			delete(l.rows, key)
		}
		if err := l.see(rows); err != nil {
			return err
		}
	}
	return fmt.Errorf("writing rows of %q: %w", l.bot, ErrConflict)
}

// Found adds a page of search results, at most [MaxRows] less one, moves the
// cursor from one place to the next, and charges micros for each post that was
// not billed today yet. Posts that are in the ledger already stay as they are,
// and a cursor that another run has moved since stays where it is. It returns
// the posts that were new, and what was charged.
func (l *Ledger) Found(ctx context.Context, page []Post, from, to Cursor, micros int64) (added []Post, charged int64, err error) {
	keys := []string{controlKey}
	for _, p := range page {
		keys = append(keys, postKey(p.ID))
	}
	err = l.change(ctx, keys, func(t *tx) error {
		added, charged = nil, 0
		today := Day{}.On(t.now).Date
		for _, p := range page {
			p.Billed = today
			r, ok := t.rows[postKey(p.ID)]
			switch {
			case !ok:
				p.enter(p.State, p.Reason)
				t.puts = append(t.puts, Row{Key: postKey(p.ID), Post: &p})
				added = append(added, p)
			case r.Post.Billed != today:
				r = r.clone()
				r.Post.Billed = today
				t.puts = append(t.puts, r)
			default:
				continue
			}
			charged += micros
		}
		if cursor := l.Control().Cursor; charged == 0 && (to == from || cursor != from) {
			return nil
		}
		c := t.control()
		c.Day.Micros += charged
		if c.Cursor == from {
			c.Cursor = to
		}
		return nil
	})
	return added, charged, err
}

// Limits are what a day may use up.
type Limits struct {
	PostsPerDay int
	Micros      int64 // budget, reads and posts together
}

// Begin writes down that seen is about to be sent by this run, before lease
// ends, and counts it and its price against the day. From here on the text may
// be out. Seen is the post as the caller knows it: pending, or posting and
// looked up in vain. If it is no longer that, the error is ErrTaken. ErrText,
// ErrPerDay and ErrBudget say why it must not be sent; nothing is written then.
func (l *Ledger) Begin(ctx context.Context, seen Post, lease time.Time, limits Limits, micros int64) (Post, error) {
	text := textKey(seen.Hash)
	var begun Post
	err := l.change(ctx, []string{controlKey, postKey(seen.ID), text}, func(t *tx) error {
		p, err := t.post(seen.ID)
		if err != nil {
			return err
		}
		if p.State == Posting && p.Owner == l.run && p.Sends == seen.Sends+1 {
			begun, t.puts = *p, nil // an earlier try was written, its answer lost
			return nil
		}
		if p.State != seen.State || p.Sends != seen.Sends || p.Owner != seen.Owner {
			return ErrTaken
		}
		c := t.control()
		c.Day.Posts++
		c.Day.Micros += micros
		switch held := t.rows[text].Text; {
		case c.Day.Posts > limits.PostsPerDay:
			return ErrPerDay
		case c.Day.Micros > limits.Micros:
			return ErrBudget
		case held == nil:
			t.puts = append(t.puts, Row{Key: text, Text: &Text{seen.ID}, Expires: t.now.Add(2 * keep).Unix()})
		case held.Source != seen.ID:
			return ErrText
		}
		p.Owner, p.Lease = l.run, lease.UTC()
		p.Sends++
		p.Resent = t.now
		if p.Sent.IsZero() {
			p.Sent = t.now
		}
		p.enter(Posting, "")
		begun = *p
		return nil
	})
	return begun, err
}

// Posted writes down that the source id was posted as postedID. Such evidence
// wins over every other state; charged micros stay charged.
func (l *Ledger) Posted(ctx context.Context, id, postedID uint64, reason string) error {
	return l.change(ctx, []string{controlKey, postKey(id)}, func(t *tx) error {
		p, err := t.post(id)
		if err != nil {
			return err
		}
		if p.State == Posted {
			t.puts = nil
			return nil
		}
		p.PostedID = postedID
		p.enter(Posted, reason)
		c := t.control()
		c.Last = max(c.Last, postedID)
		return nil
	})
}

// Undo takes this run's Begin back, because the send certainly posted nothing:
// the day gets its count and micros again, and the post ends in state with
// reason. With state Pending it is as it was before Begin, which is Posting if
// an earlier send is still unaccounted for.
func (l *Ledger) Undo(ctx context.Context, begun Post, micros int64, state State, reason string) error {
	return l.change(ctx, []string{controlKey, postKey(begun.ID)}, func(t *tx) error {
		p, err := t.post(begun.ID)
		if err != nil {
			return err
		}
		if p.State != Posting || p.Owner != l.run || p.Sends != begun.Sends {
			return ErrTaken
		}
		p.Sends--
		p.Owner, p.Lease, p.Resent = "", time.Time{}, p.Sent
		if p.Sends == 0 {
			p.Sent, p.Resent = time.Time{}, time.Time{}
		} else if state == Pending {
			state = Posting
		}
		p.enter(state, reason)
		if begun.Resent.Format(time.DateOnly) == t.now.Format(time.DateOnly) {
			c := t.control()
			c.Day.Posts--
			c.Day.Micros -= micros
		}
		return nil
	})
}

// End gives seen up as Skipped or Dead, unless it has changed since the caller
// saw it: then the error is ErrTaken.
func (l *Ledger) End(ctx context.Context, seen Post, state State, reason string) error {
	return l.change(ctx, []string{postKey(seen.ID)}, func(t *tx) error {
		p, err := t.post(seen.ID)
		if err != nil {
			return err
		}
		if p.State == state && p.Reason == reason {
			t.puts = nil
			return nil
		}
		if p.State != seen.State || p.Sends != seen.Sends || p.Owner != seen.Owner {
			return ErrTaken
		}
		p.enter(state, reason)
		return nil
	})
}

// Read writes down that the own timeline was read between two ids, both
// included, and charges micros for each of the posts there, ids, that was not
// read today yet.
func (l *Ledger) Read(ctx context.Context, from, to uint64, ids []uint64, micros int64) error {
	return l.change(ctx, []string{controlKey}, func(t *tx) error {
		d := &t.control().Day
		if d.From <= from && to <= d.To {
			t.puts = nil
			return nil
		}
		for _, id := range ids {
			if id < d.From || id > d.To {
				d.Micros += micros
			}
		}
		if from <= d.To+1 && d.From <= to+1 { // the spans touch
			from, to = min(from, d.From), max(to, d.To)
		}
		d.From, d.To = from, to
		return nil
	})
}

// Stop keeps the bot from doing what until s ends. A stop that is there
// already is replaced.
func (l *Ledger) Stop(ctx context.Context, what string, s Stop) error {
	return l.control(ctx, func(c *Control) { c.Stops[what] = s })
}

// Resume takes a stop away.
func (l *Ledger) Resume(ctx context.Context, what string) error {
	return l.control(ctx, func(c *Control) { delete(c.Stops, what) })
}

func (l *Ledger) control(ctx context.Context, f func(*Control)) error {
	return l.change(ctx, []string{controlKey}, func(t *tx) error {
		f(t.control())
		return nil
	})
}

// Gap moves the cursor, which X no longer accepts, and leaves a record of the
// time in between.
func (l *Ledger) Gap(ctx context.Context, from, to Cursor, gap Gap) error {
	key := "gap#" + gap.From.UTC().Format(time.RFC3339)
	return l.change(ctx, []string{controlKey, key}, func(t *tx) error {
		if l.Control().Cursor != from {
			return nil
		}
		t.control().Cursor = to
		if _, ok := t.rows[key]; !ok {
			t.puts = append(t.puts, Row{Key: key, Gap: &gap})
		}
		return nil
	})
}

// Redrive sends a dead post on its way again, at an operator's word: one whose
// outcome is unknown is looked up first.
func (l *Ledger) Redrive(ctx context.Context, id uint64) error {
	if _, err := l.Known(ctx, []uint64{id}); err != nil {
		return err
	}
	return l.change(ctx, []string{postKey(id)}, func(t *tx) error {
		p, err := t.post(id)
		if err != nil {
			return err
		}
		if p.State != Dead {
			return fmt.Errorf("post %d is %s, not dead", id, p.State)
		}
		if p.Text == "" {
			return fmt.Errorf("post %d has no text to post: %s", id, p.Reason)
		}
		if p.Sends > 0 {
			p.Sends = 1 // one more send is allowed
			p.enter(Posting, "redrive")
		} else {
			p.enter(Pending, "redrive")
		}
		return nil
	})
}
