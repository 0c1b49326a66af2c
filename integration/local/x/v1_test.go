package x_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	//lint:ignore SA1019 the client of v1.1 that the bots use
	"github.com/dghubble/go-twitter/twitter"

	"example.com/superbots/integration/local/x"
)

// toward sends go-twitter's requests, whose host is fixed, to another server
// before they are signed.
type toward struct {
	base *url.URL
	next http.RoundTripper
}

func (t toward) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = t.base.Scheme, t.base.Host, ""
	return t.next.RoundTrip(r)
}

func v1(w *world) *twitter.Client {
	base, _ := url.Parse(w.base)
	return twitter.NewClient(&http.Client{Transport: toward{base, w.client.Transport}})
}

func code(err error) int {
	var e twitter.APIError
	if errors.As(err, &e) && len(e.Errors) > 0 {
		return e.Errors[0].Code
	}
	return 0
}

func TestV1Client(t *testing.T) {
	w := serve(t)
	client := v1(w)
	me, _, err := client.Accounts.VerifyCredentials(nil)
	if err != nil || me.ScreenName != "superman" || uint64(me.ID) != w.bot.ID || me.IDStr != text(w.bot.ID) {
		t.Fatalf("verify_credentials: %+v, %v", me, err)
	}

	created := time.Now().Add(-time.Minute).Truncate(time.Second)
	target := w.Add(x.Post{Author: "bob", Text: "a serverless start", CreatedAt: created.Add(-time.Second)})
	reply := w.Add(x.Post{Author: "ann", Text: "serverless & #cloud, see https://example.com/x @bob", CreatedAt: created, ReplyTo: target, Sensitive: true, Lang: "de"})
	retweet := w.Add(x.Post{Author: "ann", Text: "RT @bob: a serverless start", CreatedAt: created.Add(time.Second), RetweetOf: target})
	quote := w.Add(x.Post{Author: "ann", Text: "serverless indeed", CreatedAt: created.Add(2 * time.Second), QuoteOf: target})

	found := func(p *twitter.SearchTweetParams) ([]uint64, *twitter.Search) {
		t.Helper()
		p.TweetMode = "extended"
		s, _, err := client.Search.Tweets(p)
		if err != nil {
			t.Fatalf("search %+v: %v", p, err)
		}
		ids := []uint64{}
		for _, status := range s.Statuses {
			ids = append(ids, uint64(status.ID))
		}
		return ids, s
	}
	ids, s := found(&twitter.SearchTweetParams{Query: "serverless"})
	if want := []uint64{quote, retweet, reply, target}; !slices.Equal(ids, want) {
		t.Fatalf("found %v, want %v", ids, want)
	}
	q, rt, re := s.Statuses[0], s.Statuses[1], s.Statuses[2]
	if q.QuotedStatusIDStr != text(target) || rt.RetweetedStatus == nil || rt.RetweetedStatus.IDStr != text(target) {
		t.Errorf("quote %+v, retweet %+v", q, rt)
	}
	if at, err := re.CreatedAtTime(); err != nil || !at.Equal(created) {
		t.Errorf("created_at %q", re.CreatedAt)
	}
	if re.Text != "" || re.FullText[:26] != "serverless &amp; #cloud, s" || re.Lang != "de" || !re.PossiblySensitive ||
		re.InReplyToStatusIDStr != text(target) || re.InReplyToScreenName != "bob" || re.User.ScreenName != "ann" || re.IDStr != text(reply) {
		t.Errorf("reply %+v", re)
	}
	if len(re.Entities.Urls) != 1 || re.Entities.Urls[0].ExpandedURL != "https://example.com/x" || re.Entities.Hashtags[0].Text != "cloud" ||
		re.Entities.UserMentions[0].ScreenName != "bob" {
		t.Errorf("entities %+v", re.Entities)
	}
	if s.Metadata.MaxIDStr != text(quote) || s.Metadata.NextResults != "" {
		t.Errorf("metadata %+v", s.Metadata)
	}

	_, s = found(&twitter.SearchTweetParams{Query: "serverless", Count: 1})
	if want := fmt.Sprintf("?max_id=%d&q=serverless", quote-1); s.Metadata.NextResults != want {
		t.Errorf("next_results %q, want %q", s.Metadata.NextResults, want)
	}

	for _, test := range []struct {
		params twitter.SearchTweetParams
		want   []uint64
	}{
		{twitter.SearchTweetParams{Query: "serverless", MaxID: int64(retweet), SinceID: int64(target)}, []uint64{retweet, reply}},
		{twitter.SearchTweetParams{Query: "serverless", Count: 1}, []uint64{quote}},
		{twitter.SearchTweetParams{Query: "serverless", Lang: "de"}, []uint64{reply}},
		{twitter.SearchTweetParams{Query: "serverless -filter:retweets -filter:replies -filter:quote"}, []uint64{target}},
		{twitter.SearchTweetParams{Query: "serverless filter:links"}, []uint64{reply}},
	} {
		if got, _ := found(&test.params); !slices.Equal(got, test.want) {
			t.Errorf("%+v: found %v, want %v", test.params, got, test.want)
		}
	}

	status, _, err := client.Statuses.Update("Superman & co.", &twitter.StatusUpdateParams{TweetMode: "extended"})
	if err != nil || status.FullText != "Superman &amp; co." {
		t.Fatalf("update: %+v, %v", status, err)
	}
	if want := []string{"Superman & co."}; !slices.Equal(w.texts(), want) {
		t.Errorf("posted %q", w.texts())
	}
	timeline, _, err := client.Timelines.UserTimeline(&twitter.UserTimelineParams{UserID: int64(w.bot.ID), Count: 5})
	if err != nil || len(timeline) != 1 || timeline[0].IDStr != status.IDStr || timeline[0].Text == "" {
		t.Errorf("timeline %+v, %v", timeline, err)
	}
	timeline, _, err = client.Timelines.UserTimeline(&twitter.UserTimelineParams{ScreenName: "ann", ExcludeReplies: twitter.Bool(true)})
	if err != nil || len(timeline) != 2 {
		t.Errorf("timeline of ann: %d, %v", len(timeline), err)
	}
}

func TestV1Errors(t *testing.T) {
	w := serve(t)
	client := v1(w)
	update := func(text string) error {
		_, _, err := client.Statuses.Update(text, nil)
		return err
	}
	search := func(q string) error {
		_, _, err := client.Search.Tweets(&twitter.SearchTweetParams{Query: q})
		return err
	}
	if err := update("Superman"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		err  error
		want int
	}{
		{"duplicate", update("Superman"), 187},
		{"too long", update(strings.Repeat("x", 281)), 186},
		{"no status", update(" "), 170},
		{"no query", search(""), 25},
		{"bad query", search("(serverless"), 195},
	} {
		if got := code(test.err); got != test.want {
			t.Errorf("%s: code %d of %v, want %d", test.name, got, test.err, test.want)
		}
	}
	w.Fault(x.Fault{Case: "v1-closed"})
	if got := code(search("serverless")); got != 453 {
		t.Errorf("closed: code %d", got)
	}
}
