package bot

import (
	"context"
	"slices"
	"time"

	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/rewrite"
	"example.com/superbots/pkg/twitter"
)

// search reads what is new, a page at a time, into the ledger. The cursor moves
// together with the rows of the page, so nothing that X returned is lost.
func (r *Run) search(ctx context.Context) error {
	query := r.Settings.Query
	if query == "" {
		query = r.Bot.query(r.Settings.Links)
	}
	price := USD(twitter.PricePostRead)
	for range pagesPerRun {
		if r.stopped(stopAll) || r.stopped(stopSearch) {
			return nil
		}
		affordable := int((r.Settings.DailyBudget - r.spent()) / price)
		if affordable < minPage {
			r.report.stop(stoppedBudget)
			return nil
		}
		since, err := r.since(ctx)
		if err != nil {
			return err
		}
		from := r.Ledger.Control().Cursor
		var page twitter.Page
		failed := r.call(ctx, func() (err error) {
			page, err = r.X.Search(ctx, query, since, from.Until, min(affordable, pageSize))
			return err
		})
		switch {
		case failed == nil:
		case failed.Class == twitter.StaleSince:
			oldest := twitter.FirstID(time.Now().Add(-searchable))
			if failed.MinSince != 0 { // the next search starts before the cursor by the overlap
				oldest = twitter.FirstID(twitter.Time(failed.MinSince).Add(overlap + time.Minute))
			}
			if err := r.gap(ctx, oldest); err != nil {
				return err
			}
		case failed.Class == twitter.BadRequest:
			return &QueryError{failed}
		default:
			return r.failed(ctx, stopSearch, failed)
		}
		if failed == nil {
			if err := r.found(ctx, page, from, int64(price)); err != nil {
				return err
			}
			if !page.More {
				return nil
			}
		}
	}
	return nil
}

// since returns the id after which to search: before the cursor by the overlap,
// and no further back than X searches.
func (r *Run) since(ctx context.Context) (uint64, error) {
	c := r.Ledger.Control().Cursor
	if c.Low == 0 {
		return twitter.FirstID(time.Now().Add(-staleAfter)), nil
	}
	oldest := twitter.FirstID(time.Now().Add(-searchable))
	if c.Low < oldest {
		return oldest, r.gap(ctx, oldest)
	}
	return max(oldest, twitter.FirstID(twitter.Time(c.Low).Add(-overlap))), nil
}

// gap moves the cursor up to oldest, before which X searches no more.
func (r *Run) gap(ctx context.Context, oldest uint64) error {
	from := r.Ledger.Control().Cursor
	to := from
	to.Low = max(from.Low, oldest)
	if to.Until != 0 && to.Until <= to.Low {
		to = ledger.Cursor{Low: max(to.Low, to.High)}
	}
	gap := ledger.Gap{From: twitter.Time(from.Low), To: twitter.Time(to.Low)}
	if from.Low == 0 {
		gap.From = gap.To
	}
	r.Log.WarnContext(ctx, "the search goes no further back", "from", gap.From, "to", gap.To)
	return r.Ledger.Gap(ctx, from, to, gap)
}

// found puts a page into the ledger, each new post with what is to become of it.
func (r *Run) found(ctx context.Context, page twitter.Page, from ledger.Cursor, price int64) error {
	to := from
	if page.More {
		if to.High == 0 {
			to.High = page.Newest
		}
		to.Until = page.Oldest
	} else {
		to = ledger.Cursor{Low: max(from.Low, from.High, page.Newest)}
	}
	posts := firsts(page.Posts)
	if len(posts) == 0 && to == from {
		return nil
	}
	ids := make([]uint64, len(posts))
	for i, p := range posts {
		ids[i] = p.FirstID
	}
	known, err := r.Ledger.Known(ctx, ids)
	if err != nil {
		return err
	}
	rows := make([]ledger.Post, len(posts))
	for i, p := range posts {
		row, ok := known[p.FirstID]
		if !ok {
			row = r.judge(ctx, p)
		}
		rows[i] = row
	}
	added, _, err := r.Ledger.Found(ctx, rows, from, to, price)
	if err != nil {
		return err
	}
	r.report.Found += len(added)
	for _, p := range added {
		switch p.State {
		case ledger.Skipped:
			r.skipped(p.ID, p.Reason)
		case ledger.Dead:
			r.died(ctx, p.ID, p.Reason)
		}
	}
	return nil
}

// firsts returns posts without those that are edits of one before: an edit has
// an id of its own, and the same first id.
func firsts(posts []twitter.Post) []twitter.Post {
	seen := make(map[uint64]bool)
	return slices.DeleteFunc(slices.Clone(posts), func(p twitter.Post) bool {
		again := seen[p.FirstID]
		seen[p.FirstID] = true
		return again
	})
}

// judge decides what is to become of a post that was found.
func (r *Run) judge(ctx context.Context, p twitter.Post) (row ledger.Post) {
	row = ledger.Post{ID: p.FirstID, Author: p.Author, State: ledger.Skipped}
	// Whatever a stranger's text does to the rewriter, the other posts go on.
	defer func() {
		if v := recover(); v != nil {
			r.Log.ErrorContext(ctx, "rewriting panicked", "source", id2s(p.ID), "panic", v)
			row.State, row.Reason = ledger.Dead, "poison"
		}
	}()
	if row.Reason = r.unwanted(p); row.Reason != "" {
		return row
	}
	text, reason := r.Bot.Rewrite(p.Text, r.Settings.Links)
	if row.Reason = reason; reason != "" {
		return row
	}
	if r.Settings.Mode == DryRun {
		r.Log.InfoContext(ctx, "would post", "source", id2s(p.ID), "text", text)
		row.Reason = "dry-run"
		return row
	}
	row.State, row.Text = ledger.Pending, text
	row.Hash, row.Link = hash(text), rewrite.WithoutLinks(text) != text
	return row
}

// unwanted returns the reason, if any, for which a post is never rewritten.
func (r *Run) unwanted(p twitter.Post) string {
	switch {
	case p.Author == r.UserID:
		return "own"
	case r.Settings.Ignore[p.Author]:
		return "ignored"
	case p.Retweet:
		return "retweet"
	case p.Reply:
		return "reply"
	case p.Quote:
		return "quote"
	case p.Sensitive:
		return "sensitive"
	case time.Since(twitter.Time(p.ID)) > staleAfter:
		return "stale"
	}
	return ""
}
