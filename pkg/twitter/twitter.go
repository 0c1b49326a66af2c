// Package twitter speaks X's API as the bots need it: search recent posts, read
// an account's own timeline, create a post, say whose account it is.
//
// The one idea to hold: a call either returns an answer that was read whole, or
// an [*Error] whose [Class] says what the caller may conclude from it. For
// Create that is above all whether the post certainly does not exist
// ([Refused], [NotSent], ...) or may exist ([Unknown]). No call is ever made
// twice: when to ask again is the caller's decision.
//
// [Client] speaks v2, [V1] the retired v1.1; both have the same methods. The
// four requests, the bodies that X answers and the class of each are listed in
// docs/x.md.
package twitter

import (
	"time"

	"example.com/superbots/pkg/config"
)

// Prices in US dollars per resource or request, from X's price page
// (https://docs.x.com/x-api/getting-started/pricing) as of 2026-08-22. X bills
// a post or user that is returned again on the same UTC day once, and failed
// requests and empty pages not at all.
const (
	PricePostRead       = 0.005 // each post that a search or timeline returns
	PriceUserRead       = 0.010 // Me
	PriceCreate         = 0.015 // Create, text without a link
	PriceCreateWithLink = 0.20  // Create, text that X finds a link in
)

// Keys sign every request: the app's pair and the account's pair
// (OAuth 1.0a, RFC 5849).
type Keys struct {
	ConsumerKey, ConsumerSecret config.Secret
	AccessToken, AccessSecret   config.Secret
}

// A Post is one post as X returned it.
type Post struct {
	ID        uint64
	FirstID   uint64    // the first id of its edit history: ID when never edited
	Author    string    // user id
	Text      string    // the whole text, also of a long post; HTML-escaped, as X sends it
	CreatedAt time.Time // UTC
	Lang      string    // BCP 47 tag; "" or "und" when X could not tell
	Sensitive bool      // X marks it as possibly sensitive

	Reply, Retweet, Quote bool
}

// A Page is one answer to Search or Timeline.
type Page struct {
	Posts []Post // newest first

	// More says that X has older posts between since and the oldest one here:
	// ask again with until = Oldest. X may still answer that with no posts.
	More bool

	// Newest and Oldest are the ids that X says the page spans, or those of its
	// first and last post; both zero when there are none. A post whose id is
	// not a number of at most 19 digits is dropped from Posts.
	Newest, Oldest uint64
}

// A User is an account.
type User struct {
	ID   uint64
	Name string // screen name, without @
}

// epoch is the millisecond at which X's ids start
// (https://docs.x.com/fundamentals/x-ids): the upper bits of an id count
// milliseconds since then, the lower 22 tell apart ids of one millisecond.
const epoch = 1288834974657

// Time returns when the id was made, to the millisecond, in UTC.
func Time(id uint64) time.Time {
	return time.UnixMilli(epoch + int64(id>>22)).UTC()
}

// FirstID returns the smallest id that can have been made at t: 0 for a time
// before ids began, and the largest such id of 63 bits for one after they end.
func FirstID(t time.Time) uint64 {
	ms := t.UnixMilli() - epoch
	return uint64(min(max(ms, 0), 1<<41-1)) << 22
}
