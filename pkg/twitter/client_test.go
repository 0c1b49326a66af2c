package twitter

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A seen is what a server saw of one request.
type seen struct {
	method, path, body string
	params             map[string]string
	header             http.Header
}

// record starts a server that answers every request with body, after checking
// its signature, and returns a client of it and the requests so far.
func record(t *testing.T, status int, answer string) (*Client, *[]seen) {
	var all []seen
	nonces := map[string]bool{}
	return New(serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		nonce := verify(t, r, string(body))
		if nonces[nonce] {
			t.Errorf("nonce %q is used twice", nonce)
		}
		nonces[nonce] = true
		params := map[string]string{}
		for k, v := range r.URL.Query() {
			params[k] = strings.Join(v, " AND ")
		}
		all = append(all, seen{r.Method, r.URL.Path, string(body), params, r.Header})
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}), testKeys), &all
}

func TestRequests(t *testing.T) {
	const query = `("big  data" OR #bigdata) lang:en -is:retweet -from:2116 a+b 100% ä é~_.-!*'()`
	c, all := record(t, 200, `{"meta":{"result_count":0}}`)
	for _, call := range []func() (Page, error){
		func() (Page, error) { return c.Search(t.Context(), query, 1<<62, 1<<62+1, 10) },
		func() (Page, error) { return c.Search(t.Context(), "serverless", 0, 0, 100) },
		func() (Page, error) { return c.Timeline(t.Context(), "2116", 5, 0, 5) },
		func() (Page, error) { return c.Timeline(t.Context(), "2116", 0, 7, 100) },
	} {
		page, err := call()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Page{}, page); diff != "" {
			t.Errorf("empty page (-want +got):\n%s", diff)
		}
	}
	const fields = "author_id,created_at,lang,possibly_sensitive,referenced_tweets,edit_history_tweet_ids,note_tweet"
	for i, want := range []struct {
		path   string
		params map[string]string
	}{
		{"/2/tweets/search/recent", map[string]string{"query": query, "since_id": "4611686018427387904", "until_id": "4611686018427387905", "max_results": "10", "tweet.fields": fields}},
		{"/2/tweets/search/recent", map[string]string{"query": "serverless", "max_results": "100", "tweet.fields": fields}},
		{"/2/users/2116/tweets", map[string]string{"since_id": "5", "max_results": "5", "tweet.fields": fields}},
		{"/2/users/2116/tweets", map[string]string{"until_id": "7", "max_results": "100", "tweet.fields": fields}},
	} {
		got := (*all)[i]
		if got.method != "GET" || got.path != want.path || got.body != "" {
			t.Errorf("%s %s %q, want GET %s", got.method, got.path, got.body, want.path)
		}
		if diff := cmp.Diff(want.params, got.params); diff != "" {
			t.Errorf("parameters of %s (-want +got):\n%s", want.path, diff)
		}
	}
}

func TestMe(t *testing.T) {
	c, all := record(t, 200, `{"data":{"id":"2244994945","name":"Superman, Serverless","username":"serverlesssuper"}}`)
	got, err := c.Me(t.Context())
	if want := (User{2244994945, "serverlesssuper"}); err != nil || got != want {
		t.Errorf("Me = %v, %v; want %v", got, err, want)
	}
	if r := (*all)[0]; r.method != "GET" || r.path != "/2/users/me" || len(r.params) != 0 {
		t.Errorf("request %+v", r)
	}
}

func TestCreate(t *testing.T) {
	c, all := record(t, 201, `{"data":{"id":"1445880548472328192","text":"Hello","edit_history_tweet_ids":["1445880548472328192"]}}`)
	text := "Superman & <Batman>\n\"it\u2019s\" \u2028 é 😀 100% + \\"
	id, err := c.Create(t.Context(), text)
	if err != nil || id != 1445880548472328192 {
		t.Errorf("Create = %d, %v", id, err)
	}
	r := (*all)[0]
	if r.method != "POST" || r.path != "/2/tweets" || len(r.params) != 0 {
		t.Errorf("request %s %s %v", r.method, r.path, r.params)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"text": text}, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	for name := range r.header {
		if strings.Contains(name, "Idempotency") {
			t.Errorf("header %s would make net/http send a POST again", name)
		}
	}
}

// pageBody is a page in the vocabulary of tweets. The ids do not fit a float.
const pageBody = `{
	"data": [
		{"id":"2099999999999999999","text":"short &amp; …","author_id":"7","created_at":"2026-09-15T21:12:04.123Z","lang":"en",
		 "edit_history_tweet_ids":["2099999999999999999"],
		 "note_tweet":{"text":"the whole &amp; long text","entities":{}}},
		{"id":"2099999999999999997","text":"edited","author_id":"8","created_at":"2026-09-15T21:12:03.000Z","lang":"und","possibly_sensitive":true,
		 "edit_history_tweet_ids":["2099999999999999001","2099999999999999997"],
		 "referenced_tweets":[{"type":"replied_to","id":"1"},{"type":"quoted","id":"2"}]},
		{"id":"not a number","text":"dropped"},
		{"id":"99999999999999999999","text":"dropped"},
		{"id":null,"text":"dropped"},
		{"id":2099999999999999995,"text":"RT","referenced_tweets":[{"type":"retweeted","id":"3"}]}
	],
	"includes": {"tweets":[]},
	"errors": [{"resource_id":"456","resource_type":"tweet","title":"Not Found Error","detail":"Could not find tweet with id: [456].","type":"https://api.x.com/2/problems/resource-not-found"}],
	"meta": {"newest_id":"2099999999999999999","oldest_id":"2099999999999999990","result_count":6,"next_token":"b26v89c19zqg8o3f"}
}`

func TestPage(t *testing.T) {
	want := Page{
		Posts: []Post{
			{ID: 2099999999999999999, FirstID: 2099999999999999999, Author: "7", Text: "the whole &amp; long text",
				CreatedAt: time.Date(2026, 9, 15, 21, 12, 4, 123e6, time.UTC), Lang: "en"},
			{ID: 2099999999999999997, FirstID: 2099999999999999001, Author: "8", Text: "edited",
				CreatedAt: time.Date(2026, 9, 15, 21, 12, 3, 0, time.UTC), Lang: "und", Sensitive: true, Reply: true, Quote: true},
			{ID: 2099999999999999995, FirstID: 2099999999999999995, Text: "RT", CreatedAt: Time(2099999999999999995), Retweet: true},
		},
		More:   true,
		Newest: 2099999999999999999,
		Oldest: 2099999999999999990,
	}
	posts := strings.NewReplacer("edit_history_tweet_ids", "edit_history_post_ids", "referenced_tweets", "referenced_posts",
		"note_tweet", "note_post", `"tweets"`, `"posts"`).Replace(pageBody)
	for name, body := range map[string]string{"tweets": pageBody, "posts": posts} {
		c, _ := record(t, 200, body)
		got, err := c.Search(t.Context(), "serverless", 0, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("vocabulary of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPageBounds(t *testing.T) {
	for _, tt := range []struct {
		body           string
		n              int
		more           bool
		newest, oldest uint64
	}{
		{`{"data":[{"id":"20"},{"id":"10"}],"meta":{"result_count":2}}`, 2, false, 20, 10},
		{`{"data":[{"id":"9"},{"id":"10"}]}`, 2, false, 10, 9},
		{`{"data":[{"id":"9"},{"id":"10"}],"meta":{"newest_id":"","oldest_id":null,"next_token":"x"}}`, 2, true, 10, 9},
		{`{"data":[],"meta":{"result_count":0}}`, 0, false, 0, 0},
		{`{"data":[],"meta":{"result_count":0,"oldest_id":"5","next_token":"x"}}`, 0, true, 0, 5},
		{`{"data":[{"id":"20"}],"errors":{"not":"a list"},"meta":{"result_count":1}}`, 1, false, 20, 20},
	} {
		got, err := decodePage([]byte(tt.body))
		if err != nil || len(got.Posts) != tt.n || got.More != tt.more || got.Newest != tt.newest || got.Oldest != tt.oldest {
			t.Errorf("%s: %+v, %v", tt.body, got, err)
		}
	}
}

// Absence of posts must be X's word, not a reading of a strange answer: a post
// that is thought absent is sent again.
func TestPageIsNeverTakenForEmpty(t *testing.T) {
	for _, body := range []string{
		`{}`,
		`null`,
		`{"meta":{}}`,
		`{"meta":{"result_count":3}}`,
		`{"data":null}`,
		`{"data":{"id":"1"},"meta":{"result_count":0}}`,
		`{"errors":[{"title":"Not Found Error","detail":"Could not find user with id: [2116].","type":"about:blank"}]}`,
		`{"meta":{"result_count":0,"next_token":"x"}}`,
		`{"meta":{"result_count":0}`,
	} {
		c, _ := record(t, 200, body)
		_, err := c.Timeline(t.Context(), "2116", 0, 0, 10)
		if err == nil || asError(t, err).Class != Unavailable {
			t.Errorf("%s: %v, want class %q", body, err, Unavailable)
		}
	}
}

func FuzzDecodePage(f *testing.F) {
	f.Add([]byte(pageBody))
	f.Add([]byte(`{"meta":{"result_count":0}}`))
	f.Add([]byte(`{"data":[{"id":"1","referenced_posts":null,"note_post":null,"created_at":7}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := decodePage(body)
		if err != nil {
			return
		}
		for i, p := range page.Posts {
			if p.ID == 0 || p.FirstID == 0 || p.FirstID > p.ID {
				t.Errorf("post %d has the ids %d and %d", i, p.ID, p.FirstID)
			}
			if i > 0 && p.ID > page.Posts[i-1].ID {
				t.Errorf("post %d is newer than the one before", i)
			}
		}
		if page.More && page.Oldest == 0 {
			t.Error("there is more, but from nowhere")
		}
	})
}

// TestOpenAPI holds the requests and the names that are decoded against X's
// own description of its API, where a copy lies beside the repository.
func TestOpenAPI(t *testing.T) {
	b, err := os.ReadFile("../../../shared/x/openapi.json")
	if err != nil {
		t.Skip(err)
	}
	type schema struct {
		Properties map[string]struct {
			Properties map[string]any
		}
	}
	var spec struct {
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			Parameters []map[string]any
			Responses  map[string]any
		}
		Components struct {
			Parameters map[string]struct{ Name string }
			Schemas    map[string]schema
		}
	}
	if err := json.Unmarshal(b, &spec); err != nil {
		t.Fatal(err)
	}
	var base BaseURL
	if err := base.UnmarshalText([]byte(spec.Servers[0].URL)); err != nil {
		t.Errorf("X's server is not a BaseURL: %v", err)
	}

	c, all := record(t, 200, `{"meta":{"result_count":0},"data":[]}`)
	c.Search(t.Context(), "serverless", 1, 2, 10)
	c.Timeline(t.Context(), "2116", 1, 2, 10)
	c.Me(t.Context())
	c.Create(t.Context(), "Superman")
	for _, r := range *all {
		path := strings.Replace(r.path, "2116", "{id}", 1)
		op, ok := spec.Paths[path][strings.ToLower(r.method)]
		if !ok {
			t.Errorf("the description has no %s %s", r.method, path)
			continue
		}
		names := map[string]bool{}
		for _, p := range op.Parameters {
			if ref, ok := p["$ref"].(string); ok {
				names[spec.Components.Parameters[ref[strings.LastIndex(ref, "/")+1:]].Name] = true
			} else {
				names[p["name"].(string)] = true
			}
		}
		for name := range r.params {
			// Since 2.167 the description has post.fields only; X takes both.
			if !names[name] && !(name == "tweet.fields" && names["post.fields"]) {
				t.Errorf("%s %s has no parameter %s", r.method, path, name)
			}
		}
	}

	posts := strings.NewReplacer("tweet", "post")
	for field := range strings.SplitSeq(postFields, ",") {
		if _, ok := spec.Components.Schemas["Post"].Properties[posts.Replace(field)]; !ok {
			t.Errorf("a Post has no %s", posts.Replace(field))
		}
	}
	decoded := reflect.TypeFor[v2Post]()
	for i := range decoded.NumField() {
		name := decoded.Field(i).Tag.Get("json")
		if name == "" {
			name = strings.ToLower(decoded.Field(i).Name)
		}
		if _, ok := spec.Components.Schemas["Post"].Properties[posts.Replace(name)]; !ok {
			t.Errorf("a Post has no %s", posts.Replace(name))
		}
	}
	for _, name := range []string{"newest_id", "oldest_id", "result_count", "next_token"} {
		for _, answer := range []string{"SearchPostsRecentResponse", "GetUsersPostsResponse"} {
			if _, ok := spec.Components.Schemas[answer].Properties["meta"].Properties[name]; !ok {
				t.Errorf("the meta of %s has no %s", answer, name)
			}
		}
	}
	if _, ok := spec.Components.Schemas["CreatePostsRequest"].Properties["text"]; !ok {
		t.Error("the request of POST /2/tweets has no text")
	}
	for _, name := range []string{"id", "username"} {
		if _, ok := spec.Components.Schemas["User"].Properties[name]; !ok {
			t.Errorf("a User has no %s", name)
		}
	}
}
