package twitter

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// A Class says what a failed call means for the bot.
type Class int

const (
	// Unauthorized: X refuses the keys. The run reads its settings again; when
	// they are unchanged, the bot stops. Not proof of a bad token: X has
	// answered good ones so during incidents.
	Unauthorized Class = iota + 1
	// NoCredits: the developer account has no money left. The bot stops until
	// the next UTC day.
	NoCredits
	// UsageCapped: the monthly cap is used up. The bot stops until the next
	// UTC day; waiting minutes does not help.
	UsageCapped
	// Forbidden: the app or the account may not do this, whatever the post;
	// Error.Reason says more where X did. The bot stops for an hour and an
	// operator must act.
	Forbidden
	// RateLimited: too many calls. Nothing was done; later, from Error.Reset.
	RateLimited
	// Duplicate: X has this text from this account already. The run looks for
	// it on the own timeline.
	Duplicate
	// Refused: X refuses this post and certainly did not create it. The post
	// is given up; the next one may go through.
	Refused
	// StaleSince: since is older than X searches. Ask again with a later one,
	// Error.MinSince where X said which.
	StaleSince
	// BadRequest: the request is wrong. A mistake in this program or its
	// settings; asking again does not help.
	BadRequest
	// Unavailable: a read brought no answer that can be used. Later.
	Unavailable
	// Unknown: Create may or may not have made the post. Never create it
	// again before the own timeline has been read.
	Unknown
	// NotSent: nothing of the Create request was written to the network, so
	// there is certainly no post. The post waits for another try.
	NotSent
)

var classNames = [...]string{
	Unauthorized: "unauthorized",
	NoCredits:    "no credits",
	UsageCapped:  "usage capped",
	Forbidden:    "forbidden",
	RateLimited:  "rate limited",
	Duplicate:    "duplicate",
	Refused:      "refused",
	StaleSince:   "stale since",
	BadRequest:   "bad request",
	Unavailable:  "unavailable",
	Unknown:      "unknown outcome",
	NotSent:      "not sent",
}

// String returns the class in lower-case words.
func (c Class) String() string { return classNames[c] }

// An Error is what X answered, or why there was no answer. All its texts are
// X's own or this package's; none holds a key.
type Error struct {
	Class  Class
	Op     string // "POST /2/tweets"
	Reason string // of Forbidden and Refused, where known: "suspended", "read-only", "too long", ...

	Status int   // HTTP status, 0 when there was no answer
	Codes  []int // X's error codes, in its order
	// Type, Title and Detail are those of X's problem body; messages of older
	// forms are part of Detail. Each is cut at 500 bytes.
	Type, Title, Detail string

	// Reset is when the limit ends, of RateLimited, as X said it: it may be
	// past or absurdly far. Zero when X did not say.
	Reset time.Time
	// MinSince is the id that since must exceed, of StaleSince, or 0.
	MinSince uint64

	Err error // why there is no answer, or none that can be read; else nil
}

// Error describes the call and its end in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.Class)
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if text := cmp.Or(e.Detail, e.Title, e.Type); text != "" {
		fmt.Fprintf(&b, " %q", text)
	}
	if len(e.Codes) > 0 {
		fmt.Fprintf(&b, " codes %d", e.Codes)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
