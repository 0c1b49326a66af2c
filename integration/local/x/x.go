// Package x is X on a laptop: an in-process stand-in for the part of X's API
// that the bots call, for local runs and for tests. It is strict where X is
// strict, so that what works here has a fair chance of working there.
//
// The one idea: an [X] is a small world, with accounts, posts, apps and a bill,
// and every answer follows from it. A test puts posts in with [X.Add], runs a
// real client against the handler, and looks at what the account posted with
// [X.Posts]. What a world cannot bring about by itself, such as an outage, is
// switched on with [X.Fault].
//
// # Endpoints
//
//   - v2: GET /2/tweets/search/recent, POST /2/tweets, GET /2/users/me,
//     GET /2/users/:id/tweets
//   - v1.1: GET /1.1/search/tweets.json, POST /1.1/statuses/update.json,
//     GET /1.1/statuses/user_timeline.json, GET /1.1/account/verify_credentials.json
//   - PIN flow: POST /oauth/request_token, GET /oauth/authorize, POST /oauth/access_token
//   - of its own, on a loopback Host only: /local/faults and GET /local/posts
//
// Every request of the first three kinds, but the page at /oauth/authorize, must
// carry a valid OAuth 1.0a signature in its Authorization header (HMAC-SHA1,
// RFC 5849) with a time within five minutes and a nonce not seen before.
//
// # Search
//
// Of X's query language this subset is evaluated; anything else is refused with
// the place that is at fault:
//
//	serverless           a token of the text; case does not matter
//	"big data"           these tokens in a row
//	#tag @name from:name an entity; the author, by name or id
//	lang:en              the language
//	is:retweet is:reply is:quote -is:nullcast
//	has:links has:mentions has:hashtags has:media
//	a b, a OR b, (a), -a and, or, group, not; "and" binds tighter; no -( )
//
// Tokens are runs of letters and digits of the text as it was written, with its
// links in full, so a post can match whose served text does not say the word.
// At least one positive word, phrase, tag, mention or from: must stand beside
// the other operators, in every branch of an OR. v1.1 has filter:retweets,
// filter:replies, filter:quote and filter:links in place of is: and has:.
//
// Search looks back seven days, newest first. Fields that X documents and this
// world has no data for are accepted and left out; expansions are not served.
//
// # Text
//
// Posts are served as X serves them: &, < and > escaped once, every link (also a
// bare domain that X would link) replaced by a t.co link, a link to attached
// media or a quoted post at the end, and more than 280 weighted characters cut,
// with the whole text in note_tweet. Entity positions count code points of the
// served text. In a world with an edited post both versions are found; their
// edit history lists both.
package x

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An X is a world of accounts and posts, and the http.Handler that serves it.
// Serve it on 127.0.0.1. All methods may be called at any time from any number
// of goroutines; set the fields before the first request.
//
// X reads time.Now. Its ids are snowflakes, which begin in November 2010; a
// clock before that (as at the start of a testing/synctest bubble) gets the first ids.
type X struct {
	// IndexDelay is how old a post must be before search finds it. It is zero
	// here, so that a local run sees its posts at once; at X it is 30 seconds.
	IndexDelay time.Duration
	// Old makes X answer as it did before mid 2026: problem types under
	// api.twitter.com, and the older of the two 402 bodies.
	Old bool
	// Limits are X's documented ones; a test may lower them.
	Limits Limits

	mux *http.ServeMux

	mu       sync.Mutex // guards what follows
	apps     map[string]*app
	tokens   map[string]*token
	requests map[string]*requestToken
	accounts []*Account
	posts    []*post // by id, oldest first
	nonces   nonces
	windows  map[string]*window
	faults   []*Fault
	calls    map[string]int
}

// Limits says how many requests X allows.
// Source: docs.x.com/x-api/fundamentals/rate-limits, 2026-08-22.
type Limits struct {
	Search, Create, Me, Timeline int // of one account in 15 minutes
	CreateApp                    int // of one app in 24 hours
}

// An Account is one user of this X.
type Account struct {
	ID   uint64 `json:"id,string"`
	Name string `json:"name"` // the screen name, without @
}

// A Token is an access token and its secret, as an account gave them to an app.
type Token struct{ Token, Secret string }

// A Post is what its author wrote, with its links in full and nothing escaped.
// Its JSON form is the one of a line of posts in a file.
type Post struct {
	ID        uint64    `json:"id,string,omitempty"`
	Author    string    `json:"author"`              // screen name
	CreatedAt time.Time `json:"created_at,omitzero"` // zero: the time of the ID or, without one, now
	Text      string    `json:"text"`
	Lang      string    `json:"lang,omitempty"` // zero means "en"
	Sensitive bool      `json:"possibly_sensitive,omitempty"`
	Media     bool      `json:"media,omitempty"` // has a picture

	ReplyTo   uint64 `json:"reply_to,string,omitempty"`
	RetweetOf uint64 `json:"retweet_of,string,omitempty"`
	QuoteOf   uint64 `json:"quote_of,string,omitempty"`
	EditOf    uint64 `json:"edit_of,string,omitempty"` // a post of this world, or zero

	// Late is how long after Add search begins to find it.
	Late time.Duration `json:"-"`
}

// A post is a Post with what follows from it.
type post struct {
	Post
	author  *Account
	indexed time.Time
	history *[]uint64 // shared by all versions, oldest first
	tokens  []string
	served
}

type app struct {
	key, secret string
	readOnly    bool
	prepaid     bool  // calls are paid from balance
	balance     int64 // thousandths of a dollar
	spent       int64
	day         string              // the UTC day of read
	read        map[uint64]struct{} // the posts read on that day
}

type token struct {
	secret   string
	app      *app
	account  *Account
	readOnly bool // as the app was when the token was issued
}

// New returns an X without apps, accounts and posts.
func New() *X {
	x := &X{
		Limits:   Limits{Search: 300, Create: 100, Me: 75, Timeline: 900, CreateApp: 10_000},
		mux:      http.NewServeMux(),
		apps:     map[string]*app{},
		tokens:   map[string]*token{},
		requests: map[string]*requestToken{},
		windows:  map[string]*window{},
		calls:    map[string]int{},
	}
	x.mux.Handle("/2/tweets/search/recent", x.endpoint("GET", "search", x.searchV2))
	x.mux.Handle("/2/tweets", x.endpoint("POST", "create", x.createV2))
	x.mux.Handle("/2/users/me", x.endpoint("GET", "me", x.meV2))
	x.mux.Handle("/2/users/{id}/tweets", x.endpoint("GET", "timeline", x.timelineV2))
	x.mux.Handle("/1.1/search/tweets.json", x.endpoint("GET", "search", x.searchV1))
	x.mux.Handle("/1.1/statuses/update.json", x.endpoint("POST", "create", x.createV1))
	x.mux.Handle("/1.1/account/verify_credentials.json", x.endpoint("GET", "me", x.meV1))
	x.mux.Handle("/1.1/statuses/user_timeline.json", x.endpoint("GET", "timeline", x.timelineV1))
	x.mux.HandleFunc("POST /oauth/request_token", x.requestToken)
	x.mux.HandleFunc("GET /oauth/authorize", x.authorize)
	x.mux.HandleFunc("POST /oauth/access_token", x.accessToken)
	x.mux.Handle("/local/", x.local())
	x.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { x.body("not-found").write(w, r) })
	return x
}

// ServeHTTP answers as X would.
func (x *X) ServeHTTP(w http.ResponseWriter, r *http.Request) { x.mux.ServeHTTP(w, r) }

// AddApp registers a consumer pair with read and write permission.
func (x *X) AddApp(key, secret string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.apps[key] = &app{key: key, secret: secret}
}

// SetReadOnly changes the permission of an app. As at X, a token keeps the
// permission that its app had when the token was issued.
func (x *X) SetReadOnly(consumerKey string, readOnly bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.app(consumerKey).readOnly = readOnly
}

// SetCredits makes an app pay for its calls from a balance in US dollars. Calls
// are refused once it is used up; the call that uses it up is still served.
func (x *X) SetCredits(consumerKey string, dollars float64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	a := x.app(consumerKey)
	a.prepaid, a.balance = true, int64(dollars*1000+0.5)
}

// Spent returns what an app's calls have cost so far in US dollars, with or
// without a balance.
func (x *X) Spent(consumerKey string) float64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return float64(x.app(consumerKey).spent) / 1000
}

// AddAccount creates an account, or returns the one that has this name in any
// letter case.
func (x *X) AddAccount(name string) Account {
	x.mu.Lock()
	defer x.mu.Unlock()
	return *x.addAccount(name)
}

// firstAccount makes ids of 19 digits, which a float64 cannot hold.
const firstAccount = 1_700_000_000_000_000_001

func (x *X) addAccount(name string) *Account {
	if a := x.account(name); a != nil {
		return a
	}
	a := &Account{ID: firstAccount + uint64(len(x.accounts)), Name: name}
	x.accounts = append(x.accounts, a)
	return a
}

// account finds an account by name or id.
func (x *X) account(name string) *Account {
	for _, a := range x.accounts {
		if strings.EqualFold(a.Name, name) || strconv.FormatUint(a.ID, 10) == name {
			return a
		}
	}
	return nil
}

// app panics where there is no such app: a slip in the calling program.
func (x *X) app(consumerKey string) *app {
	a, ok := x.apps[consumerKey]
	if !ok {
		panic(fmt.Sprintf("x: no app %q", consumerKey))
	}
	return a
}

// Issue returns a new access token of an account for an app. Both must exist.
// Earlier tokens stay valid.
func (x *X) Issue(account uint64, consumerKey string) Token {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.issue(x.account(strconv.FormatUint(account, 10)), x.app(consumerKey))
}

func (x *X) issue(account *Account, app *app) Token {
	t := Token{fmt.Sprintf("%d-%s", account.ID, rand.Text()), rand.Text()}
	x.tokens[t.Token] = &token{secret: t.Secret, app: app, account: account, readOnly: app.readOnly}
	return t
}

// Revoke makes X refuse an access token from now on.
func (x *X) Revoke(accessToken string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.tokens, accessToken)
}

// Add puts a post into the world and returns its id: the given one, which must
// be new, or a snowflake of CreatedAt. A post of the future is served once its
// time has come. The author is created where there is none of that name.
func (x *X) Add(p Post) uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.add(p, time.Now()).ID
}

func (x *X) add(p Post, now time.Time) *post {
	if p.CreatedAt.IsZero() {
		p.CreatedAt = now
		if p.ID != 0 {
			p.CreatedAt = snowflakeTime(p.ID)
		}
	}
	if p.ID == 0 {
		p.ID = max(snowflake(p.CreatedAt), 1)
		for x.post(p.ID) != nil {
			p.ID++
		}
	}
	p.Lang = cmp.Or(p.Lang, "en")
	n := &post{
		Post:    p,
		author:  x.addAccount(p.Author),
		indexed: now.Add(p.Late),
		history: &[]uint64{},
		tokens:  tokenize(p.Text),
	}
	if p.EditOf != 0 {
		n.history = x.post(p.EditOf).history
	}
	*n.history = append(*n.history, p.ID)
	n.served = serve(n)

	i, taken := x.search(p.ID)
	if taken {
		panic(fmt.Sprintf("x: a second post with id %d", p.ID))
	}
	x.posts = slices.Insert(x.posts, i, n)
	return n
}

func (x *X) search(id uint64) (int, bool) {
	return slices.BinarySearchFunc(x.posts, id, func(p *post, id uint64) int { return cmp.Compare(p.ID, id) })
}

func (x *X) post(id uint64) *post {
	if i, ok := x.search(id); ok {
		return x.posts[i]
	}
	return nil
}

// Posts returns the posts of an account, oldest first, with the text as it was sent.
func (x *X) Posts(account uint64) []Post {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []Post
	for _, p := range x.posts {
		if p.author.ID == account {
			found = append(found, p.Post)
		}
	}
	return found
}

// Forget takes all posts with ids below before out of the world, for one that
// goes on for days and must not grow. Search and timelines do not find them any
// more, their texts may be posted again, and that they were read is forgotten
// with them. None of them may be edited later.
func (x *X) Forget(before uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i, _ := x.search(before)
	x.posts = slices.Clone(x.posts[i:])
	for _, a := range x.apps {
		maps.DeleteFunc(a.read, func(id uint64, _ struct{}) bool { return id < before })
	}
}

// Calls returns how many requests each operation has received, whatever the
// answer was: "search", "create", "me", "timeline", v2 and v1.1 together.
func (x *X) Calls() map[string]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.calls)
}

// epoch is the first millisecond of X's snowflakes.
const epoch = 1288834974657

func snowflake(t time.Time) uint64 { return uint64(max(t.UnixMilli()-epoch, 0)) << 22 }

func snowflakeTime(id uint64) time.Time { return time.UnixMilli(int64(id>>22) + epoch).UTC() }

// find returns the newest posts, at most limit, that match, and whether there
// are older ones. Both ends are exclusive; a zero until is no end.
func (x *X) find(since, until uint64, limit int, match func(*post) bool) (found []*post, more bool) {
	end := len(x.posts)
	if until != 0 {
		end, _ = x.search(until)
	}
	for _, p := range slices.Backward(x.posts[:end]) {
		if p.ID <= since {
			break
		}
		if !match(p) {
			continue
		}
		if len(found) == limit {
			return found, true
		}
		found = append(found, p)
	}
	return found, false
}
