package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// A fault is one kind of thing that goes wrong, or just happens.
type fault int

const (
	crashBeforeStore fault = iota
	crashAfterStore
	crashBeforeX
	crashAfterX
	crashAtRenew
	killedAtDeadline
	stall
	freeze
	storeThrottled
	storeOutage
	writeAnswerLost
	xOutage
	searchUnavailable
	searchCapped
	searchFailsLater
	timelineUnavailable
	timelineCapped
	timelineFailsLater
	timelineCopy
	timelineOldCopy
	createLost
	createLostNoPost
	createLandsLate
	createNotSent
	createRefused
	createDuplicate
	duplicateRefused
	limitNoReset
	limitPast
	limitSoon
	limitAbsurd
	oldKeys
	goodKeysRefused
	renewFails
	noCredits
	suspended
	staleSince
	tickTwice
	tickLate
	tickTooLate
	tickLost
	handStart
	indexedLate
	edited
	sameText
	sameMillisecond
	clockJump
	perDayReached
	budgetReached
	sisterFound
	ownFound
	replyFound
	optedOut
	faults
)

var faultNames = [faults]string{
	crashBeforeStore:    "crash before a call of the store",
	crashAfterStore:     "crash after a call of the store",
	crashBeforeX:        "crash before a call of X",
	crashAfterX:         "crash after a call of X",
	crashAtRenew:        "crash at Renew",
	killedAtDeadline:    "killed at the deadline",
	stall:               "stall of seconds to minutes",
	freeze:              "freeze of 15 to 40 minutes",
	storeThrottled:      "store throttled",
	storeOutage:         "store outage",
	writeAnswerLost:     "write done, its answer lost",
	xOutage:             "X outage",
	searchUnavailable:   "search unavailable",
	searchCapped:        "search page capped",
	searchFailsLater:    "search fails on a later page",
	timelineUnavailable: "timeline unavailable",
	timelineCapped:      "timeline page capped",
	timelineFailsLater:  "timeline fails on a later page",
	timelineCopy:        "timeline some minutes old",
	timelineOldCopy:     "timeline without the newest known post",
	createLost:          "created, the answer lost",
	createLostNoPost:    "not created, the answer lost",
	createLandsLate:     "created late, no answer",
	createNotSent:       "create not sent",
	createRefused:       "create refused",
	createDuplicate:     "duplicate of something long ago",
	duplicateRefused:    "second create refused as a duplicate",
	limitNoReset:        "rate limit without a reset",
	limitPast:           "rate limit with a past reset",
	limitSoon:           "rate limit of minutes",
	limitAbsurd:         "rate limit of ages",
	oldKeys:             "keys replaced under the run",
	goodKeysRefused:     "good keys refused",
	renewFails:          "Renew fails",
	noCredits:           "no credits",
	suspended:           "suspended",
	staleSince:          "since too old",
	tickTwice:           "tick twice",
	tickLate:            "tick late",
	tickTooLate:         "tick too late",
	tickLost:            "tick lost",
	handStart:           "run started by hand",
	indexedLate:         "post indexed late",
	edited:              "post edited",
	sameText:            "same text twice",
	sameMillisecond:     "ids of one millisecond",
	clockJump:           "X's clock jumps",
	perDayReached:       "posts of the day used up",
	budgetReached:       "budget used up",
	sisterFound:         "sister's post found",
	ownFound:            "own post found",
	replyFound:          "reply found",
	optedOut:            "author opted out",
}

// rates draws how often each fault strikes in one history. Most are off in any
// one history, so that what needs a calm world beside one fault gets it.
func rates(rng *rand.Rand) (r [faults]float64) {
	if rng.IntN(20) == 0 {
		return r // a calm history
	}
	for f := range faults {
		off, rate := 5, .05
		switch {
		case f == killedAtDeadline || f == crashAtRenew || f == renewFails || f == timelineCapped || f == timelineFailsLater || f == createLandsLate: // rare occasions
			off, rate = 3, .2
		case f <= writeAnswerLost || f == oldKeys: // at every call
			off, rate = 4, .01
		case limitNoReset <= f && f <= suspended: // each may end all posting for hours
			off, rate = 12, .02
		case searchUnavailable <= f && f <= createDuplicate:
			off, rate = 3, .1
		}
		if rng.IntN(off) < 2 {
			r[f] = rate * []float64{.5, 1, 2, 5}[rng.IntN(4)]
		}
	}
	return r
}

// A crash is what a run's goroutine is unwound with. Nothing of the run goes on
// after it, as nothing goes on in a process that is gone.
type crash struct{}

// A window is a span of time in which a service is down.
type window struct{ from, to time.Time }

func (w window) holds(t time.Time) bool { return !t.Before(w.from) && t.Before(w.to) }

// between returns a duration of whole milliseconds and one microsecond. The
// nanoseconds tell the actors of a history apart, so that no two of them ever
// wake at the same moment, and no sleep ends with a deadline.
func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	ms := low.Milliseconds() + rng.Int64N((high-low).Milliseconds()+1)
	return time.Duration(ms)*time.Millisecond + time.Microsecond
}

// strikes reports whether f strikes now.
func (r *run) strikes(f fault) bool {
	h := r.h
	if h.rate[f] == 0 || r.rng.Float64() >= h.rate[f] || !time.Now().Before(h.quiet) {
		return false
	}
	h.hit(f)
	return true
}

func (h *history) hit(f fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hits[f]++
	h.note("fault "+faultNames[f], 0)
}

// note adds a line to the trace, of which a hash is always kept.
func (h *history) note(what string, n uint64) {
	t := time.Now()
	for i := range len(what) {
		h.hash = (h.hash ^ uint64(what[i])) * 1099511628211
	}
	h.hash = (h.hash ^ uint64(t.UnixNano())) * 1099511628211
	h.hash = (h.hash ^ n) * 1099511628211
	if h.opt.trace {
		h.trace = append(h.trace, fmt.Sprintf("%s %s %d", t.Format("02 15:04:05.000000000"), what, n))
	}
}

// A clock is the context of a run. Like the timers of a function that Lambda
// has frozen, it does not see the time that the run was frozen for; its
// deadline, which Lambda gives as a date, stays.
type clock struct {
	context.Context
	r *run
}

func (c clock) Deadline() (time.Time, bool) { return c.r.deadline, true }

func (c clock) Err() error {
	if time.Now().Add(-c.r.frozen).Before(c.r.deadline) {
		return nil
	}
	return context.DeadlineExceeded
}

// latency is what every call takes. A run may also stall here, for as long as
// its container is starved or frozen.
func (r *run) latency(crashes fault) {
	d := between(r.rng, 5*time.Millisecond, 200*time.Millisecond)
	switch {
	case r.strikes(stall):
		d = between(r.rng, time.Second, 5*time.Minute)
	case r.frozen == 0 && r.strikes(freeze):
		d = between(r.rng, 15*time.Minute, 40*time.Minute)
		r.frozen = d
	}
	time.Sleep(d)
	if r.strikes(crashes) {
		panic(crash{})
	}
	if time.Now().After(r.deadline) && r.strikes(killedAtDeadline) {
		panic(crash{})
	}
}
