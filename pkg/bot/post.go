package bot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"html"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/rewrite"
	"example.com/superbots/pkg/twitter"
)

// hash identifies words that were posted, or are about to be.
func hash(text string) string {
	sum := sha256.Sum256([]byte(plain(text)))
	return hex.EncodeToString(sum[:])
}

// plain is what stays the same of a text on its way through X, which shortens
// its links and may normalise it.
func plain(text string) string {
	words := rewrite.WithoutLinks(norm.NFC.String(text))
	return strings.Join(strings.Fields(words), " ")
}

func price(p ledger.Post) Dollars {
	if p.Link {
		return USD(twitter.PriceCreateWithLink)
	}
	return USD(twitter.PriceCreate)
}

// errEnough ends a run's posting; the report says why.
var errEnough = errors.New("this run posts no more")

// post sends what is pending, oldest first, as far as the limits allow.
func (r *Run) post(ctx context.Context) error {
	for _, p := range r.Ledger.Open(ledger.Pending) {
		if reason := r.lapsed(p); reason != "" {
			if err := r.skip(ctx, p, reason); err != nil {
				return err
			}
			continue
		}
		if err := r.send(ctx, p); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// lapsed returns the reason, if any, for which p must not be sent any more.
func (r *Run) lapsed(p ledger.Post) string {
	switch {
	case time.Since(twitter.Time(p.ID)) > staleAfter:
		return "stale"
	case r.Settings.Ignore[p.Author]:
		return "ignored"
	}
	return ""
}

// skip ends p, unless another run has taken it over.
func (r *Run) skip(ctx context.Context, p ledger.Post, reason string) error {
	err := r.Ledger.End(ctx, p, ledger.Skipped, reason)
	if errors.Is(err, ledger.ErrTaken) {
		return nil
	}
	if err == nil {
		r.skipped(p.ID, reason)
	}
	return err
}

// send writes p down as about to be sent, sends it once and writes down what
// came of it. It returns errEnough when the run must send nothing more.
func (r *Run) send(ctx context.Context, p ledger.Post) error {
	deadline, _ := ctx.Deadline()
	lease := deadline.Add(leaseMargin)
	enough := func() bool { return time.Until(deadline) >= sendTime+confirmTime }
	switch {
	case r.over, r.Settings.Mode == DryRun, r.stopped(stopPost), r.stopped(stopAll):
		return errEnough
	case r.sent >= r.Settings.PostsPerRun:
		return errEnough
	case !enough():
		r.report.stop(stoppedTime)
		return errEnough
	}
	cost := price(p)
	limits := ledger.Limits{PostsPerDay: int(r.Settings.PostsPerDay), Micros: int64(r.Settings.DailyBudget)}
	begun, err := r.Ledger.Begin(ctx, p, lease, limits, int64(cost))
	switch {
	case errors.Is(err, ledger.ErrTaken):
		return nil
	case errors.Is(err, ledger.ErrText) && p.Sends == 0:
		return r.skip(ctx, p, "duplicate-text")
	case errors.Is(err, ledger.ErrPerDay):
		r.report.stop(stoppedPerDay)
		return errEnough
	case errors.Is(err, ledger.ErrBudget):
		r.report.stop(stoppedBudget)
		return errEnough
	case err != nil:
		return err
	}
	r.sent++

	undo := func(state ledger.State, reason string) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTime)
		defer cancel()
		err := r.Ledger.Undo(ctx, begun, int64(cost), state, reason)
		if errors.Is(err, ledger.ErrTaken) {
			return nil
		}
		return err
	}
	var id uint64
	late := false
	failed := r.call(ctx, func() (err error) {
		// The process may have been frozen since the lease was written.
		if late = !enough(); late {
			return &twitter.Error{Class: twitter.NotSent, Op: "create", Err: context.DeadlineExceeded}
		}
		id, err = r.X.Create(ctx, begun.Text)
		return err
	})
	if failed == nil {
		r.refused = 0
		r.Log.InfoContext(ctx, "posted", "source", id2s(p.ID), "post", id2s(id))
		confirm, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTime)
		defer cancel()
		if err := r.Ledger.Posted(confirm, p.ID, id, ""); err != nil {
			return err
		}
		r.posted(p.ID, id)
		return nil
	}
	switch failed.Class {
	case twitter.Unknown:
		r.report.stop(failed.Class.String())
		return errEnough // it stays posting, and is looked up when it has settled
	case twitter.Duplicate:
		return r.duplicate(ctx, begun, undo)
	case twitter.Refused:
		if err := r.dead(ctx, begun, undo, "refused"); err != nil {
			return err
		}
		if r.refused++; r.refused < 2 {
			return nil
		}
		// Two in a row are no longer about the posts.
		if err := r.stopFor(ctx, stopPost, "posts refused", time.Now().Add(accountStop)); err != nil {
			return err
		}
		return errEnough
	}
	if err := undo(ledger.Pending, failed.Class.String()); err != nil {
		return err
	}
	if late {
		r.report.stop(stoppedTime)
		return errEnough
	}
	if err := r.failed(ctx, stopPost, failed); err != nil {
		return err
	}
	return errEnough
}

func (r *Run) posted(source, id uint64) {
	r.report.Posted++
	r.report.add(Outcome{Source: source, Post: id})
}

// dead gives up a post that this send certainly did not create. An earlier send
// of it may have.
func (r *Run) dead(ctx context.Context, begun ledger.Post, undo func(ledger.State, string) error, reason string) error {
	if begun.Sends > 1 {
		reason = "unknown"
	}
	if err := undo(ledger.Dead, reason); err != nil {
		return err
	}
	r.died(ctx, begun.ID, reason)
	return nil
}

// duplicate handles X's word that this account has posted the text before: by
// an earlier send of ours, or long ago.
func (r *Run) duplicate(ctx context.Context, begun ledger.Post, undo func(ledger.State, string) error) error {
	timeline, err := r.timeline(ctx, begun.Sent)
	if err != nil {
		return err
	}
	if timeline == nil {
		return errEnough // it stays posting, and is looked up later
	}
	if id := match(timeline, begun); id != 0 {
		if err := r.Ledger.Posted(ctx, begun.ID, id, "looked up"); err != nil {
			return err
		}
		r.posted(begun.ID, id)
		return nil
	}
	if begun.Sends > 1 {
		return r.dead(ctx, begun, undo, "unknown")
	}
	if err := undo(ledger.Skipped, "duplicate-text"); err != nil {
		return err
	}
	r.skipped(begun.ID, "duplicate-text")
	return nil
}

// lookUp finds out what became of texts that were sent without an answer, once
// X has had time to show them.
func (r *Run) lookUp(ctx context.Context) error {
	now := time.Now()
	due := slices.DeleteFunc(r.Ledger.Open(ledger.Posting), func(p ledger.Post) bool {
		return now.Before(p.Lease) || now.Before(p.Resent.Add(r.Settings.Settle))
	})
	if len(due) == 0 || r.stopped(stopLookup) {
		return nil
	}
	first := due[0].Sent
	for _, p := range due {
		if p.Sent.Before(first) {
			first = p.Sent
		}
	}
	timeline, err := r.timeline(ctx, first)
	if timeline == nil || err != nil {
		return err
	}
	for _, p := range due {
		if id := match(timeline, p); id != 0 {
			if err := r.Ledger.Posted(ctx, p.ID, id, "looked up"); err != nil {
				return err
			}
			r.posted(p.ID, id)
			continue
		}
		if r.Settings.Resend == ResendOnce && p.Sends < maxSends && r.lapsed(p) == "" {
			if err := r.send(ctx, p); errors.Is(err, errEnough) {
				r.over = true // what was found out about the others still counts
			} else if err != nil {
				return err
			}
			continue
		}
		err := r.Ledger.End(ctx, p, ledger.Dead, "unknown")
		if errors.Is(err, ledger.ErrTaken) {
			continue
		}
		if err != nil {
			return err
		}
		r.died(ctx, p.ID, "unknown")
	}
	return nil
}

// timeline returns all that the account has posted since shortly before t, or
// nil if that could not be read as a whole: absence is never concluded from an
// error or from an old copy.
func (r *Run) timeline(ctx context.Context, t time.Time) ([]twitter.Post, error) {
	since := twitter.FirstID(t.Add(-timelineSlop))
	posts := []twitter.Post{}
	var until uint64
	for {
		affordable := int((r.Settings.DailyBudget - r.spent()) / USD(twitter.PricePostRead))
		if affordable < minPage {
			r.report.stop(stoppedBudget)
			return nil, nil
		}
		var page twitter.Page
		failed := r.call(ctx, func() (err error) {
			page, err = r.X.Timeline(ctx, r.UserID, since, until, min(affordable, 100))
			return err
		})
		if failed != nil {
			return nil, r.failed(ctx, stopLookup, failed)
		}
		if len(page.Posts) > 0 {
			ids := make([]uint64, len(page.Posts))
			for i, p := range page.Posts {
				ids[i] = p.ID
			}
			to := page.Newest
			if until != 0 {
				to = until - 1
			}
			if err := r.Ledger.Read(ctx, page.Oldest, to, ids, int64(USD(twitter.PricePostRead))); err != nil {
				return nil, err
			}
		}
		posts = append(posts, page.Posts...)
		if !page.More {
			break
		}
		until = page.Oldest
	}
	last := r.Ledger.Control().Last
	shown := slices.ContainsFunc(posts, func(p twitter.Post) bool { return p.ID == last })
	if last > since && !shown {
		r.report.stop("own timeline out of date")
		return nil, nil
	}
	return posts, nil
}

// match returns the id under which p's text stands on the timeline since p was
// first sent, or 0.
func match(timeline []twitter.Post, p ledger.Post) uint64 {
	since, want := p.Sent.Add(-timelineSlop), plain(p.Text)
	for _, own := range timeline {
		// X escapes what it shows; what was sent may hold an escape of its own.
		if twitter.Time(own.ID).After(since) && plain(html.UnescapeString(own.Text)) == want {
			return own.ID
		}
	}
	return 0
}
