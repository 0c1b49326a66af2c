package twitter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	//lint:ignore SA1019 that it is deprecated is what the package comment says
	gotwitter "github.com/dghubble/go-twitter/twitter"
)

// A V1 speaks X's API v1.1 through go-twitter, with the methods and the errors
// of [Client]. X has retired v1.1 search for everyone and closed posting by it
// to new apps, and go-twitter is no longer developed: a V1 works only against
// a server that still speaks v1.1, such as a local stand-in. It stands here as
// the second client behind one interface. It is safe for concurrent use.
//
// v1.1 tells nothing of edits: FirstID is always the post's own id.
type V1 struct {
	base *url.URL
	wire wire
}

// NewV1 returns a V1 of the server at base, which is the URL of a [BaseURL].
func NewV1(base *url.URL, keys Keys) *V1 {
	return &V1{base, newWire(keys)}
}

// v1Query translates the operators of v2 that v1.1 spells differently, wherever
// they stand. v1.1 has none for mentions.
var v1Query = strings.NewReplacer(
	"is:retweet", "filter:retweets", "is:reply", "filter:replies", "is:quote", "filter:quote",
	"has:links", "filter:links", "-has:mentions", "", "has:mentions", "",
)

// Search is [Client.Search] for a query of v2, of which is:retweet, is:reply,
// is:quote and has:links are translated, has:mentions is dropped, and all else
// is passed on as it is; max is 1 to 100.
func (v *V1) Search(ctx context.Context, query string, since, until uint64, max int) (Page, error) {
	found, _, err := v.client(ctx).Search.Tweets(&gotwitter.SearchTweetParams{
		Query: v1Query.Replace(query), ResultType: "recent", TweetMode: "extended",
		SinceID: int64(since), MaxID: maxID(until), Count: max,
	})
	if err != nil || found.Statuses == nil {
		return Page{}, v1Error("GET /1.1/search/tweets.json", read, err)
	}
	return v1Page(found.Statuses, found.Metadata != nil && found.Metadata.NextResults != ""), nil
}

// Timeline is [Client.Timeline]; max is 1 to 200. v1.1 does not say where a
// timeline ends, so More holds for every page that is not empty.
func (v *V1) Timeline(ctx context.Context, user string, since, until uint64, max int) (Page, error) {
	tweets, _, err := v.client(ctx).Timelines.UserTimeline(&gotwitter.UserTimelineParams{
		UserID: int64(parseID(user)), TweetMode: "extended",
		SinceID: int64(since), MaxID: maxID(until), Count: max,
	})
	if err != nil || tweets == nil {
		return Page{}, v1Error("GET /1.1/statuses/user_timeline.json", read, err)
	}
	return v1Page(tweets, len(tweets) > 0), nil
}

// Create is [Client.Create].
func (v *V1) Create(ctx context.Context, text string) (uint64, error) {
	tweet, _, err := v.client(ctx).Statuses.Update(text, nil)
	if err != nil || tweet.ID <= 0 {
		return 0, v1Error("POST /1.1/statuses/update.json", create, err)
	}
	return uint64(tweet.ID), nil
}

// Me is [Client.Me].
func (v *V1) Me(ctx context.Context) (User, error) {
	user, _, err := v.client(ctx).Accounts.VerifyCredentials(nil)
	if err != nil || user.ID <= 0 {
		return User{}, v1Error("GET /1.1/account/verify_credentials.json", read, err)
	}
	return User{uint64(user.ID), user.ScreenName}, nil
}

// v1Error returns the *Error that send made, or one for a 2xx answer that
// go-twitter could not decode, or that lacks what was asked for (err is nil).
func v1Error(op string, on call, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: unreadable(on), Op: op, Status: http.StatusOK, Err: cmp.Or(err, errIncomplete)}
}

// client returns a go-twitter client for one call. Its methods take no context
// and its base URL is fixed, so both are put in by the transport below it.
func (v *V1) client(ctx context.Context) *gotwitter.Client {
	return gotwitter.NewClient(&http.Client{Transport: v1Transport{v, ctx}})
}

// A v1Transport sends the requests of one call to v.base. It stands above the
// signing client, so that what is signed is the URL that is called. It hands
// go-twitter none but whole 2xx answers; all else is an *Error already.
type v1Transport struct {
	v   *V1
	ctx context.Context
}

func (t v1Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(t.ctx)
	req.URL.Scheme, req.URL.Host, req.Host = t.v.base.Scheme, t.v.base.Host, ""
	res := &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Request: req}
	err := t.v.wire.send(req.Method+" "+req.URL.Path, req, func(body []byte) error {
		res.Body = io.NopCloser(bytes.NewReader(body))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

// maxID turns an exclusive bound into v1.1's inclusive one; 0 stays no bound.
func maxID(until uint64) int64 { return int64(until - min(until, 1)) }

func v1Page(tweets []gotwitter.Tweet, more bool) Page {
	var posts []Post
	for _, t := range tweets {
		at, err := t.CreatedAtTime()
		if err != nil {
			at = Time(uint64(t.ID))
		}
		post := Post{
			ID: uint64(t.ID), FirstID: uint64(t.ID), Text: cmp.Or(t.FullText, t.Text),
			CreatedAt: at.UTC(), Lang: t.Lang, Sensitive: t.PossiblySensitive,
			Reply: t.InReplyToStatusID != 0, Retweet: t.RetweetedStatus != nil, Quote: t.QuotedStatusID != 0,
		}
		if t.User != nil {
			post.Author = t.User.IDStr
		}
		if t.ID > 0 {
			posts = append(posts, post)
		}
	}
	return newPage(posts, more)
}
