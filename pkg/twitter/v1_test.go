package twitter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestV1Answers(t *testing.T) {
	checkAnswers(t, func(h http.HandlerFunc) api { return NewV1(serve(t, h), testKeys) })
}

// recordV1 is record for a V1: parameters are those of query and form.
func recordV1(t *testing.T, answer string) (*V1, *[]seen) {
	var all []seen
	return NewV1(serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		verify(t, r, string(body)) // for the host that is called, not go-twitter's
		form, err := url.ParseQuery(r.URL.RawQuery + "&" + string(body))
		if err != nil {
			t.Error(err)
		}
		params := map[string]string{}
		for k, v := range form {
			params[k] = strings.Join(v, " AND ")
		}
		all = append(all, seen{method: r.Method, path: r.URL.Path, params: params})
		io.WriteString(w, answer)
	}), testKeys), &all
}

const v1Statuses = `[
	{"id":2099999999999999999,"id_str":"2099999999999999999","full_text":"whole &amp; text","user":{"id":7,"id_str":"7","screen_name":"seven"},
	 "created_at":"Tue Sep 15 21:12:04 +0000 2026","lang":"en","possibly_sensitive":true,"in_reply_to_status_id":5,"retweeted_status":{"id":1}},
	{"id":2099999999999999997,"text":"old form","user":null,"created_at":"","quoted_status_id":6}]`

func TestV1Requests(t *testing.T) {
	const query = `("big  data" OR #bigdata) lang:en -is:retweet -is:reply -is:quote -has:links -has:mentions a+b 100% ä`
	const query1 = `("big  data" OR #bigdata) lang:en -filter:retweets -filter:replies -filter:quote -filter:links  a+b 100% ä`
	posts := []Post{
		{ID: 2099999999999999999, FirstID: 2099999999999999999, Author: "7", Text: "whole &amp; text",
			CreatedAt: time.Date(2026, 9, 15, 21, 12, 4, 0, time.UTC), Lang: "en", Sensitive: true, Reply: true, Retweet: true},
		{ID: 2099999999999999997, FirstID: 2099999999999999997, Text: "old form", CreatedAt: Time(2099999999999999997), Quote: true},
	}
	for _, tt := range []struct {
		name, answer string
		call         func(*V1) (any, error)
		request      seen
		want         any
	}{
		{"search", `{"statuses":` + v1Statuses + `,"search_metadata":{"next_results":"?max_id=2099999999999999996"}}`,
			func(v *V1) (any, error) { return v.Search(t.Context(), query, 4, 2099999999999999998, 10) },
			seen{method: "GET", path: "/1.1/search/tweets.json", params: map[string]string{"q": query1, "result_type": "recent",
				"tweet_mode": "extended", "since_id": "4", "max_id": "2099999999999999997", "count": "10"}},
			Page{posts, true, 2099999999999999999, 2099999999999999997}},
		{"search, none", `{"statuses":[],"search_metadata":{}}`,
			func(v *V1) (any, error) { return v.Search(t.Context(), "x", 0, 0, 10) },
			seen{method: "GET", path: "/1.1/search/tweets.json", params: map[string]string{"q": "x", "result_type": "recent",
				"tweet_mode": "extended", "count": "10"}},
			Page{}},
		{"timeline", v1Statuses,
			func(v *V1) (any, error) { return v.Timeline(t.Context(), "2116", 0, 9, 200) },
			seen{method: "GET", path: "/1.1/statuses/user_timeline.json", params: map[string]string{"user_id": "2116",
				"tweet_mode": "extended", "max_id": "8", "count": "200"}},
			Page{posts, true, 2099999999999999999, 2099999999999999997}},
		{"timeline, none", `[]`,
			func(v *V1) (any, error) { return v.Timeline(t.Context(), "2116", 3, 0, 200) },
			seen{method: "GET", path: "/1.1/statuses/user_timeline.json", params: map[string]string{"user_id": "2116",
				"tweet_mode": "extended", "since_id": "3", "count": "200"}},
			Page{}},
		{"create", `{"id":1445880548472328192,"id_str":"1445880548472328192"}`,
			func(v *V1) (any, error) { return v.Create(t.Context(), "Superman & 100% + é 😀") },
			seen{method: "POST", path: "/1.1/statuses/update.json", params: map[string]string{"status": "Superman & 100% + é 😀"}},
			uint64(1445880548472328192)},
		{"me", `{"id":2116,"id_str":"2116","screen_name":"superman"}`,
			func(v *V1) (any, error) { return v.Me(t.Context()) },
			seen{method: "GET", path: "/1.1/account/verify_credentials.json", params: map[string]string{}},
			User{2116, "superman"}},
	} {
		v, all := recordV1(t, tt.answer)
		got, err := tt.call(v)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff([]seen{tt.request}, *all, cmp.AllowUnexported(seen{})); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What go-twitter does not offer must hold for it all the same: a deadline, no
// second POST, no redirect, no key in an error.
func TestV1OnTheWire(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewV1(serve(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s although the context was over", r.Method, r.URL)
	}), testKeys).Create(over, "Superman"); asError(t, err).Class != NotSent || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want class %q for a canceled context", err, NotSent)
	}

	closed := NewV1(parseURL(t, "https://api.twitter.com"), testKeys)
	checkNotReplayable(t, closed, &closed.wire)

	var requests, elsewhere atomic.Int64
	v := NewV1(serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}), testKeys)
	v.wire.http.Timeout = 100 * time.Millisecond
	checkAll(t, v, Unavailable, Unknown)

	checkAll(t, NewV1(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			requests.Add(1)
		}
		hangUp(t, w, r)
	}), testKeys), Unavailable, Unknown)
	if got := requests.Load(); got != 1 {
		t.Errorf("the server saw %d POSTs for one call", got)
	}

	other := serve(t, func(w http.ResponseWriter, r *http.Request) { elsewhere.Add(1) })
	checkAll(t, NewV1(serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.String(), http.StatusTemporaryRedirect)
	}), testKeys), Forbidden, Forbidden)
	if got := elsewhere.Load(); got != 0 {
		t.Errorf("the other host saw %d requests", got)
	}

	echo := NewV1(serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"errors":[{"code":64,"message":"`+strings.ReplaceAll(r.Header.Get("Authorization"), `"`, "'")+`"}]}`)
	}), testKeys)
	for name, err := range callAll(t.Context(), echo) {
		if s := err.Error(); strings.Contains(s, consumerKey) || strings.Contains(s, accessToken) || !strings.Contains(s, "[secret]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
