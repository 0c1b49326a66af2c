// Package bot is one scheduled run of a bot: find posts, rewrite them, write
// each text down, send it once, confirm.
//
// The one idea: the ledger decides, and the tick that started the run is only
// a hint. Ticks may come twice, late or not at all, and a run may end between
// any two lines here. Whatever was not written down as finished, a later run
// takes up where the ledger says it stands.
package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// X is what a run asks of X; *twitter.Client has it. Since and until are
// exclusive ids, 0 for none; posts come newest first. Errors are
// *twitter.Error.
type X interface {
	Search(ctx context.Context, query string, since, until uint64, max int) (twitter.Page, error)
	Timeline(ctx context.Context, user string, since, until uint64, max int) (twitter.Page, error)
	Create(ctx context.Context, text string) (uint64, error)
}

// Credentials are a client for X, and the parameters and versions that its keys
// came from.
type Credentials struct {
	X        X
	Versions map[string]int64
}

// A Run is one run of a bot. It is used once, by one goroutine.
type Run struct {
	Bot      Bot
	Settings Settings
	UserID   string // of the bot's own account
	Credentials
	// Renew reads the settings again after X refused the credentials. It
	// reports whether they are others now.
	Renew  func(context.Context) (c Credentials, changed bool, err error)
	Ledger *ledger.Ledger
	Log    *slog.Logger

	report  Report
	sent    uint // by this run
	refused int  // in a row
	over    bool // this run sends nothing more
}

// A QueryError says that X does not understand the search query.
type QueryError struct{ Err error }

func (e *QueryError) Error() string { return fmt.Sprintf("search query: %v", e.Err) }

// Unwrap returns X's answer.
func (e *QueryError) Unwrap() error { return e.Err }

const (
	pageSize    = 50                              // posts a search page; with the bot's own row they fit one transaction
	minPage     = 10                              // the smallest page that X returns
	pagesPerRun = 2                               // bounds what one run may read; the next one goes on where it ended
	overlap     = 30 * time.Minute                // searched again each time: X indexes some posts late
	staleAfter  = 24 * time.Hour                  // how old a post may be and still be posted; also what a first run looks back
	searchable  = 7*24*time.Hour - 10*time.Minute // how far X's search goes back, less a margin

	sendTime     = 10 * time.Second // what one POST may take, the client's own limit
	confirmTime  = 5 * time.Second  // for the write that follows it
	leaseMargin  = 30 * time.Second // Lambda's time-out is not exact; the lease outlives the run
	defaultTime  = time.Minute      // for a run whose context has no deadline
	maxSends     = 2
	timelineSlop = 2 * time.Minute // X's clock and ours differ

	accountStop = time.Hour        // how long a refused account or credential is left alone
	limitStop   = 15 * time.Minute // a rate limit whose end X does not say
)

// What a ledger.Stop stops.
const (
	stopAll    = "all"
	stopSearch = "search"
	stopPost   = "post"
	stopLookup = "lookup"
)

// StopPaused is the name of the stop that an operator sets; it stops all.
const StopPaused = "paused"

const whyCredentials = "credentials refused"

// Do does the run. X's failures are part of the report: the run did what it
// could, and the next one goes on. An error is a ledger that cannot be read or
// written, or a *QueryError.
func (r *Run) Do(ctx context.Context) (Report, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTime)
		defer cancel()
	}
	r.report = Report{Bot: r.Bot.Name, Mode: r.Settings.Mode, Skipped: map[string]int{}, Posts: []Outcome{}}
	before := r.spent()
	err := r.steps(ctx)
	r.report.Pending = len(r.Ledger.Open(ledger.Pending))
	r.report.Unknown = len(r.Ledger.Open(ledger.Posting))
	r.report.CostUSD = max(r.spent()-before, 0).Float()
	return r.report, err
}

func (r *Run) steps(ctx context.Context) error {
	if stopped, err := r.stoppedAll(ctx); stopped || err != nil {
		return err
	}
	if err := r.lookUp(ctx); err != nil {
		return err
	}
	if err := r.search(ctx); err != nil {
		return err
	}
	return r.post(ctx)
}

func (r *Run) spent() Dollars {
	return Dollars(r.Ledger.Control().Day.On(time.Now()).Micros)
}

// stopped reports whether what is stopped, and says so in the report.
func (r *Run) stopped(what string) bool {
	s, ok := r.Ledger.Control().Stops[what]
	if !ok || !time.Now().Before(s.Until) {
		return false
	}
	r.report.stop(s.Why)
	return true
}

func (r *Run) stoppedAll(ctx context.Context) (bool, error) {
	if r.stopped(StopPaused) {
		return true, nil
	}
	if s := r.Ledger.Control().Stops[stopAll]; s.Why == whyCredentials && !maps.Equal(s.Versions, r.Versions) {
		return false, r.Ledger.Resume(ctx, stopAll)
	}
	return r.stopped(stopAll), nil
}

func (r *Run) stopFor(ctx context.Context, what, why string, until time.Time) error {
	r.report.stop(why)
	r.Log.WarnContext(ctx, "stopped", "what", what, "why", why, "until", until)
	return r.Ledger.Stop(ctx, what, ledger.Stop{Why: why, Until: until})
}

// failed does what an answer of X means for the bot as a whole; what is the
// part that a rate limit stops. How each class is treated stands here and in
// docs/x.md.
func (r *Run) failed(ctx context.Context, what string, err *twitter.Error) error {
	now := time.Now().UTC()
	switch err.Class {
	case twitter.Unauthorized:
		until := now.Add(accountStop)
		r.report.stop(whyCredentials)
		r.Log.WarnContext(ctx, "stopped", "what", stopAll, "why", whyCredentials, "until", until)
		return r.Ledger.Stop(ctx, stopAll, ledger.Stop{Why: whyCredentials, Until: until, Versions: r.Versions})
	case twitter.NoCredits, twitter.UsageCapped:
		return r.stopFor(ctx, stopAll, err.Class.String(), now.Truncate(24*time.Hour).Add(24*time.Hour))
	case twitter.Forbidden:
		return r.stopFor(ctx, stopAll, "account: "+err.Reason, now.Add(accountStop))
	case twitter.RateLimited:
		until := err.Reset
		if until.IsZero() {
			until = now.Add(limitStop)
		}
		until = clamp(until, now.Add(time.Minute), now.Add(24*time.Hour))
		return r.stopFor(ctx, what, err.Class.String(), until)
	default:
		r.report.stop(what + " " + err.Class.String())
		return nil
	}
}

func clamp(t, low, high time.Time) time.Time {
	if t.Before(low) {
		return low
	}
	if t.After(high) {
		return high
	}
	return t
}

// renewed reports whether the credentials that X refused have been replaced.
func (r *Run) renewed(ctx context.Context) bool {
	c, changed, err := r.Renew(ctx)
	switch {
	case err != nil:
		r.Log.WarnContext(ctx, "credentials refused, and reading them again went wrong", "err", err)
	case changed:
		r.Log.InfoContext(ctx, "credentials refused, new ones read", "versions", c.Versions)
		r.Credentials = c
	}
	return err == nil && changed
}

// call calls X, and once more if the credentials were refused and there are
// new ones. It takes apart what went wrong.
func (r *Run) call(ctx context.Context, do func() error) *twitter.Error {
	var x *twitter.Error
	err := do()
	if errors.As(err, &x) && x.Class == twitter.Unauthorized && r.renewed(ctx) {
		err, x = do(), nil
	}
	if err != nil && !errors.As(err, &x) {
		panic(fmt.Sprintf("X client returned %T, want *twitter.Error", err)) // unreachable unless program bug
	}
	if x != nil {
		r.Log.WarnContext(ctx, "X refused", "err", x)
	}
	return x
}

// skipped notes what the run decided not to post.
func (r *Run) skipped(id uint64, reason string) {
	r.report.Skipped[reason]++
	r.report.add(Outcome{Source: id, Reason: reason})
}

func (r *Run) died(ctx context.Context, id uint64, reason string) {
	r.report.Dead++
	r.report.add(Outcome{Source: id, Reason: reason})
	r.Log.WarnContext(ctx, "given up", "source", id2s(id), "reason", reason)
}

func id2s(id uint64) string { return strconv.FormatUint(id, 10) }
