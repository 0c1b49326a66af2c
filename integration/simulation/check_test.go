package simulation

import (
	"fmt"
	"time"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// The invariants. What they are judged by is kept here: what X was asked, what
// it answered and accepted, and what was written to the store.
//
//	I1  X accepts at most one create for a source.
//	I2  A posted row has just the one post that it names.
//	I3  A skipped row has none.
//	I4  A dead row has none. Only where assumption A is broken may one whose reason
//	    is "unknown" have one.
//	I5  Ends are final, but that a dead row of unknown outcome may turn out posted.
//	I6  At the end every post that any search returned has a row, and so has every
//	    post that X had indexed, found or not. Only as long as not one page is in the
//	    ledger do posts older than a day drop out: each run is a first run until then.
//	I7  The cursor's low end never falls.
//	I8  Once faults stop, every row ends, within 27 hours.
//	I9  A run sends no more than its limit and has at most one unknown outcome.
//	    Posts begun on a UTC day stay within its limit, and so does what they and all reads
//	    have cost, save for pages whose price another run could not know yet.
//	I10 A bot writes its own rows only, and reposts no bot.
//	I11 All sends of a source have the same bytes, those of its row.
//	I12 No text is accepted twice from a bot, and none belongs to two sources.
//	I13 A run whose account X has refused calls X no more.
//	I14 Nothing is sent that is older than a day, or whose author has opted out.
//	I15 A send starts within its lease, on a row that is still the run's own.

func (h *history) wrong(invariant, format string, args ...any) {
	h.broken = append(h.broken, invariant+": "+fmt.Sprintf(format, args...))
	h.note("BROKEN "+invariant, 0)
}

// read notes which control row the run has seen.
func (r *run) read(name string, rows []ledger.Row) {
	r.touch(name)
	for _, row := range rows {
		if row.Control != nil {
			r.seen = row.Rev
		}
	}
}

func (r *run) touch(name string) {
	if name != bots[r.bot].Name {
		r.h.wrong("I10", "run %d of %s touches rows of %s", r.number, bots[r.bot].Name, name)
	}
}

// wrote watches what a write changed.
func (r *run) wrote(name string, rows []ledger.Row) {
	h, b := r.h, r.bot
	r.touch(name)
	for _, row := range rows {
		switch {
		case row.Control != nil:
			old, now := h.control[b], *row.Control
			if now.Cursor.Low < old.Cursor.Low {
				h.wrong("I7", "low falls from %d to %d", old.Cursor.Low, now.Cursor.Low)
			}
			if now.Last != old.Last {
				h.lastSet[b] = time.Now()
			}
			h.control[b], h.rev[b], r.seen = now, row.Rev+1, row.Rev+1
			if now.Day.Date == r.readOn {
				h.unrecorded[b] -= r.unrecorded
				r.unrecorded = 0
			}
		case row.Text != nil:
			if old, ok := h.texts[b][row.Key]; ok && old != row.Text.Source {
				h.wrong("I12", "text of %d goes over to %d", old, row.Text.Source)
			}
			h.texts[b][row.Key] = row.Text.Source
		case row.Post != nil:
			h.changed(r, *row.Post)
		}
	}
}

func (h *history) changed(r *run, p ledger.Post) {
	old, known := h.rows[r.bot][p.ID]
	h.rows[r.bot][p.ID] = p
	h.note("row "+string(p.State)+" "+p.Reason, p.ID)
	if known && (old.State == ledger.Posted || old.State == ledger.Skipped || old.State == ledger.Dead) {
		late := old.State == ledger.Dead && old.Reason == "unknown" && p.State == ledger.Posted
		if !late && (p.State != old.State || p.Reason != old.Reason || p.PostedID != old.PostedID) {
			h.wrong("I5", "row %d goes from %s (%s) to %s", p.ID, old.State, old.Reason, p.State)
		}
	}
	if p.State == ledger.Posting && p.Owner == r.name && p.Sends > old.Sends {
		r.begun = p
	}
	switch {
	case known:
	case p.Reason == "own":
		h.hits[ownFound]++
	case p.Reason == "reply":
		h.hits[replyFound]++
	case p.Author == accounts[1-r.bot]:
		h.hits[sisterFound]++
	}
	if (p.Author == accounts[0] || p.Author == accounts[1]) && p.State != ledger.Skipped {
		h.wrong("I10", "row %d of %s, a bot, is %s", p.ID, p.Author, p.State)
	}
	if known && p.Reason == "ignored" {
		h.hits[optedOut]++
	}
}

// sending is called when a request to create has reached X, whatever X makes of it.
func (h *history) sending(r *run, text string, unauthorized bool) {
	p := h.rows[r.bot][r.begun.ID]
	h.note("send "+text, p.ID)
	if p.State != ledger.Posting || p.Owner != r.name || time.Now().After(r.begun.Lease) {
		h.wrong("I15", "run %d sends %q on row %d: %s, owner %s, lease over %v", r.number, text, p.ID, p.State, p.Owner, time.Now().After(r.begun.Lease))
	}
	if first, ok := h.bytes[r.bot][p.ID]; ok && first != text || p.Text != text {
		h.wrong("I11", "row %d is sent as %q, says %q, was sent as %q", p.ID, text, p.Text, first)
	}
	h.bytes[r.bot][p.ID] = text
	if r.settings.Ignore[p.Author] {
		h.wrong("I14", "row %d is sent, though its author has opted out", p.ID)
	}
	if age := time.Since(twitter.Time(p.ID)); age > 24*time.Hour+2*time.Minute+clockMost {
		h.wrong("I14", "row %d is sent at an age of %v", p.ID, age)
	}
	if unauthorized {
		return // the same bytes may be sent once more
	}
	if r.sends++; r.sends > r.settings.PostsPerRun {
		h.wrong("I9", "run %d sends %d posts", r.number, r.sends)
	}
}

// unknown notes that the run is about to be told nothing of a create.
func (r *run) unknown() {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if r.unknowns++; r.unknowns > 1 {
		r.h.wrong("I9", "run %d has %d unknown outcomes", r.number, r.unknowns)
	}
}

func today(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// accepted is called when X makes a post, at once or late.
func (h *history) accepted(r *run, text string, id uint64) {
	n, meant := h.meant[r.bot][text]
	if !meant {
		h.wrong("I11", "%q is no rewriting of a source", text)
		return
	}
	h.posts[r.bot][n] = append(h.posts[r.bot][n], id)
	if posts := h.posts[r.bot][n]; len(posts) > 1 {
		if h.group[n] > 1 {
			h.wrong("I12", "text %q is posted %d times", text, len(posts))
		} else {
			h.wrong("I1", "source %d is posted as %d", n, posts)
		}
	}
	// It counts for the day on which it was begun.
	day := today(r.begunFor(text))
	d := h.day(r.bot, day)
	d.posts++
	d.micros += int64(bot.USD(twitter.PriceCreate))
	if d.posts > h.settings.PostsPerDay {
		h.wrong("I9", "%d posts on %s", d.posts, day)
	}
	h.withinBudget(r, day, 0)
}

// begunFor returns when the ledger was told of the send.
func (r *run) begunFor(text string) time.Time {
	if r.begun.Text == text {
		return r.begun.Resent
	}
	for _, p := range r.h.rows[r.bot] { // a late effect of a run that has begun another since
		if p.Text == text && !p.Resent.IsZero() {
			return p.Resent
		}
	}
	return time.Now()
}

// A day is X's bill to one bot for one UTC day.
type day struct {
	posts  uint
	micros int64
	read   map[uint64]bool
	slack  int64 // cost of pages that were asked for in ignorance of another run's spending
}

func (h *history) day(b int, date string) *day {
	d := h.days[b][date]
	if d == nil {
		d = &day{read: make(map[uint64]bool)}
		h.days[b][date] = d
	}
	return d
}

// billed bills a page. A post read again on the same UTC day costs nothing, and
// an edit of a post is that post.
func (h *history) billed(r *run, p twitter.Page) {
	date := today(time.Now())
	d := h.day(r.bot, date)
	var cost int64
	for _, post := range p.Posts {
		if !d.read[post.FirstID] {
			d.read[post.FirstID] = true
			cost += int64(bot.USD(twitter.PricePostRead))
		}
	}
	d.micros += cost
	if r.readOn != date { // what the day before could not record, it never will
		if old := h.days[r.bot][r.readOn]; old != nil {
			old.slack += r.unrecorded
		}
		h.unrecorded[r.bot] -= r.unrecorded
		r.unrecorded, r.readOn = 0, date
	}
	if r.seen != h.rev[r.bot] {
		d.slack += cost
	}
	h.withinBudget(r, date, cost)
	r.unrecorded += cost
	h.unrecorded[r.bot] += cost
}

func (h *history) withinBudget(r *run, date string, page int64) {
	d := h.days[r.bot][date]
	if limit := int64(h.settings.DailyBudget); d.micros > limit+d.slack+h.unrecorded[r.bot] {
		h.wrong("I9", "%s has cost %d of %d (slack %d, not yet written down %d, page %d)", date, d.micros, limit, d.slack, h.unrecorded[r.bot], page)
	}
}

// searched is called with every page that a search returns.
func (h *history) searched(r *run, since uint64, p twitter.Page) {
	h.billed(r, p)
	if h.control[r.bot].Cursor.Low == 0 {
		h.firstSince[r.bot] = max(h.firstSince[r.bot], since)
	}
	for _, post := range p.Posts {
		h.returned[r.bot][post.FirstID] = true
	}
}

// open returns the rows that have not ended, and the posts without a row.
func (h *history) open() (open, lost []string) {
	for b := range bots {
		for _, s := range h.x.sources {
			row, ok := h.rows[b][s.FirstID]
			switch {
			case ok && (row.State == ledger.Pending || row.State == ledger.Posting):
				open = append(open, fmt.Sprintf("%s: row %d is %s (%s)", bots[b].Name, row.ID, row.State, row.Reason))
			case ok, s.ID <= h.firstSince[b]:
			case h.returned[b][s.FirstID]:
				lost = append(lost, fmt.Sprintf("%s: post %d (%q) was returned and has no row", bots[b].Name, s.ID, s.Text))
			case says(b, s.Text) && !time.Now().Before(s.indexed):
				lost = append(lost, fmt.Sprintf("%s: post %d (%q) was never found", bots[b].Name, s.ID, s.Text))
			}
		}
		if h.control[b].Cursor.High != 0 {
			open = append(open, bots[b].Name+": a window is open")
		}
	}
	return open, lost
}

// atEnd judges how everything ended.
func (h *history) atEnd() {
	open, lost := h.open()
	for _, s := range open {
		h.wrong("I8", "%s", s)
	}
	for _, s := range lost {
		h.wrong("I6", "%s", s)
	}
	for b := range bots {
		ended := make([]map[ledger.State]int, len(h.group))
		unknown := make([]int, len(h.group))
		for _, s := range h.x.sources {
			row, ok := h.rows[b][s.FirstID]
			if !ok || s.index < 0 || s.ID != s.FirstID {
				continue
			}
			if ended[s.index] == nil {
				ended[s.index] = make(map[ledger.State]int)
			}
			ended[s.index][row.State]++
			if row.State == ledger.Dead && row.Reason == "unknown" {
				if h.afterSettle {
					unknown[s.index]++
				}
			}
			if posts := h.posts[b][s.index]; row.State == ledger.Posted && (len(posts) != 1 || posts[0] != row.PostedID) {
				h.wrong("I2", "row %d is posted as %d, and X has %d", row.ID, row.PostedID, posts)
			}
		}
		for n, states := range ended {
			if rest := len(h.posts[b][n]) - states[ledger.Posted]; rest > unknown[n] {
				invariant := "I3"
				if states[ledger.Dead] > 0 {
					invariant = "I4"
				}
				h.wrong(invariant, "%s: source %d was posted as %d, and its rows are %v", bots[b].Name, n, h.posts[b][n], states)
			}
		}
	}
}
