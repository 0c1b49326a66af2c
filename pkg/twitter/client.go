package twitter

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Client speaks X's API v2 (https://docs.x.com/x-api). It is safe for
// concurrent use. Every call blocks until X has answered, at most 10 seconds
// or until ctx is over, and makes exactly one request.
type Client struct {
	base *url.URL
	wire wire
}

// New returns a Client of the X at base, which is the URL of a [BaseURL].
func New(base *url.URL, keys Keys) *Client {
	return &Client{base, newWire(keys)}
}

// Search returns one page of at most max (10 to 100) posts of the last seven
// days that match query, in X's query language, with ids between since and
// until, both exclusive; 0 means no bound. X charges [PricePostRead] for each.
// It costs one of 300 calls per 15 minutes and account, 450 per app.
func (c *Client) Search(ctx context.Context, query string, since, until uint64, max int) (Page, error) {
	params := pageParams(since, until, max)
	params.Set("query", query)
	return c.page(ctx, "GET /2/tweets/search/recent", "/2/tweets/search/recent", params)
}

// Timeline returns one page of at most max (5 to 100) posts of the account
// with the numeric id user, with ids between since and until, both exclusive;
// 0 means no bound. X goes back 3,200 posts. An empty page means that X has
// said there are no such posts. It costs one of 900 calls per 15 minutes.
func (c *Client) Timeline(ctx context.Context, user string, since, until uint64, max int) (Page, error) {
	return c.page(ctx, "GET /2/users/{id}/tweets", "/2/users/"+user+"/tweets", pageParams(since, until, max))
}

// Create posts text and returns the new post's id. It costs [PriceCreate], or
// [PriceCreateWithLink], and one of 100 calls per 15 minutes, 10,000 per day
// and app.
func (c *Client) Create(ctx context.Context, text string) (uint64, error) {
	body, err := json.Marshal(struct {
		Text string `json:"text"`
	}{text})
	if err != nil {
		panic(err) // unreachable: a string always encodes
	}
	var id uint64
	err = c.call(ctx, http.MethodPost, "POST /2/tweets", "/2/tweets", nil, body, func(b []byte) error {
		var answer struct{ Data struct{ ID jsonID } }
		if err := json.Unmarshal(b, &answer); err != nil {
			return err
		}
		if answer.Data.ID == 0 {
			return errIncomplete
		}
		id = uint64(answer.Data.ID)
		return nil
	})
	return id, err
}

// Me returns the account whose keys sign. It costs [PriceUserRead] and one of
// 75 calls per 15 minutes.
func (c *Client) Me(ctx context.Context) (User, error) {
	var user User
	err := c.call(ctx, http.MethodGet, "GET /2/users/me", "/2/users/me", nil, nil, func(b []byte) error {
		var answer struct {
			Data struct {
				ID       jsonID
				Username string
			}
		}
		if err := json.Unmarshal(b, &answer); err != nil {
			return err
		}
		if answer.Data.ID == 0 {
			return errIncomplete
		}
		user = User{uint64(answer.Data.ID), answer.Data.Username}
		return nil
	})
	return user, err
}

// postFields are asked for in the vocabulary of tweets, as X's guides do, and
// understood in that of posts too: its OpenAPI description lists only those
// since 2.167. Fields cost nothing.
const postFields = "author_id,created_at,lang,possibly_sensitive,referenced_tweets,edit_history_tweet_ids,note_tweet"

func pageParams(since, until uint64, max int) url.Values {
	params := url.Values{
		"max_results":  {strconv.Itoa(max)},
		"tweet.fields": {postFields},
	}
	if since != 0 {
		params.Set("since_id", strconv.FormatUint(since, 10))
	}
	if until != 0 {
		params.Set("until_id", strconv.FormatUint(until, 10))
	}
	return params
}

func (c *Client) page(ctx context.Context, op, path string, params url.Values) (page Page, err error) {
	err = c.call(ctx, http.MethodGet, op, path, params, nil, func(b []byte) (err error) {
		page, err = decodePage(b)
		return err
	})
	return page, err
}

func (c *Client) call(ctx context.Context, method, op, path string, params url.Values, body []byte, decode func([]byte) error) error {
	u := *c.base
	u.Path = path
	u.RawQuery = params.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return &Error{Class: BadRequest, Op: op, Err: c.wire.cause(err)}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.wire.send(op, req, decode)
}

// A jsonID decodes an id, or a code, from a JSON string or number of at most 19
// digits, and anything else to 0. No id passes through a float.
type jsonID uint64

func (id *jsonID) UnmarshalJSON(b []byte) error {
	*id = jsonID(parseID(strings.Trim(string(b), `"`)))
	return nil
}

// parseID returns the id that s writes in at most 19 digits, or 0.
func parseID(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

type v2Post struct {
	ID                jsonID
	Text              string
	AuthorID          string `json:"author_id"`
	CreatedAt         string `json:"created_at"`
	Lang              string
	PossiblySensitive bool `json:"possibly_sensitive"`

	EditHistoryTweetIDs []jsonID `json:"edit_history_tweet_ids"`
	EditHistoryPostIDs  []jsonID `json:"edit_history_post_ids"`

	ReferencedTweets []reference `json:"referenced_tweets"`
	ReferencedPosts  []reference `json:"referenced_posts"`

	NoteTweet note `json:"note_tweet"`
	NotePost  note `json:"note_post"`
}

type reference struct{ Type string }

type note struct{ Text string }

func (p v2Post) post() Post {
	id := uint64(p.ID)
	post := Post{
		ID:        id,
		FirstID:   id,
		Author:    p.AuthorID,
		Text:      cmp.Or(p.NoteTweet.Text, p.NotePost.Text, p.Text),
		CreatedAt: Time(id),
		Lang:      p.Lang,
		Sensitive: p.PossiblySensitive,
	}
	if t, err := time.Parse(time.RFC3339, p.CreatedAt); err == nil {
		post.CreatedAt = t.UTC()
	}
	for _, h := range slices.Concat(p.EditHistoryTweetIDs, p.EditHistoryPostIDs) {
		if h != 0 {
			post.FirstID = min(post.FirstID, uint64(h))
		}
	}
	for _, r := range slices.Concat(p.ReferencedTweets, p.ReferencedPosts) {
		switch r.Type {
		case "replied_to":
			post.Reply = true
		case "retweeted":
			post.Retweet = true
		case "quoted":
			post.Quote = true
		}
	}
	return post
}

// decodePage decodes an answer that is a page of posts. Errors beside the data
// are X's notes about single objects and change nothing. An answer without
// data is an empty page only when it says so itself.
func decodePage(body []byte) (Page, error) {
	var answer struct {
		Data []v2Post
		Meta struct {
			ResultCount *int   `json:"result_count"`
			NewestID    jsonID `json:"newest_id"`
			OldestID    jsonID `json:"oldest_id"`
			NextToken   string `json:"next_token"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Page{}, err
	}
	meta := answer.Meta
	if answer.Data == nil && (meta.ResultCount == nil || *meta.ResultCount != 0) {
		var p problem
		json.Unmarshal(body, &p) // for its texts, if any
		return Page{}, fmt.Errorf("answer without posts or their count: %q", clip(p.detail(), 500))
	}
	var posts []Post
	for _, p := range answer.Data {
		if p.ID != 0 {
			posts = append(posts, p.post())
		}
	}
	page := newPage(posts, meta.NextToken != "")
	page.Newest = cmp.Or(uint64(meta.NewestID), page.Newest)
	page.Oldest = cmp.Or(uint64(meta.OldestID), page.Oldest)
	if page.More && page.Oldest == 0 {
		return Page{}, errors.New("empty page that says there are more")
	}
	return page, nil
}

// newPage sorts posts newest first and spans the page over them.
func newPage(posts []Post, more bool) Page {
	slices.SortFunc(posts, func(a, b Post) int { return cmp.Compare(b.ID, a.ID) })
	page := Page{Posts: posts, More: more}
	if n := len(posts); n > 0 {
		page.Newest, page.Oldest = posts[0].ID, posts[n-1].ID
	}
	return page
}
