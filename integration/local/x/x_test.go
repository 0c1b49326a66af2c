package x_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dghubble/oauth1"

	"example.com/superbots/integration/local/x"
)

const key, secret = "consumer", "consumer & secret"

// A world is an X with one app and one bot's account, and a client that signs
// for it.
type world struct {
	*x.X
	t      *testing.T
	base   string
	bot    x.Account
	token  x.Token
	client *http.Client
}

// serve starts a world on loopback.
func serve(t *testing.T) *world {
	w := newWorld(t)
	server := httptest.NewServer(w.X)
	t.Cleanup(server.Close)
	w.base = server.URL
	w.client = w.signer(w.token)
	return w
}

// inMemory makes a world without a network, for a testing/synctest bubble, and
// lets the bubble's clock reach 2026.
func inMemory(t *testing.T) *world {
	<-time.After(time.Until(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)))
	w := newWorld(t)
	w.base = "http://x.test"
	ctx := context.WithValue(t.Context(), oauth1.HTTPClient, &http.Client{Transport: direct{w.X}})
	w.client = oauth1.NewConfig(key, secret).Client(ctx, oauth1.NewToken(w.token.Token, w.token.Secret))
	return w
}

func newWorld(t *testing.T) *world {
	w := &world{X: x.New(), t: t}
	w.AddApp(key, secret)
	w.bot = w.AddAccount("superman")
	w.token = w.Issue(w.bot.ID, key)
	return w
}

type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.Host, in.RequestURI = r.URL.Host, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, in)
	return w.Result(), nil
}

func (w *world) signer(token x.Token) *http.Client {
	return oauth1.NewConfig(key, secret).Client(w.t.Context(), oauth1.NewToken(token.Token, token.Secret))
}

// A reply is a whole answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func read(t *testing.T, resp *http.Response, err error) reply {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSpace(string(body))}
}

func (w *world) get(path string, query ...string) reply {
	w.t.Helper()
	v := url.Values{}
	for i := 0; i < len(query); i += 2 {
		v.Add(query[i], query[i+1])
	}
	resp, err := w.client.Get(w.base + path + "?" + v.Encode())
	return read(w.t, resp, err)
}

func (w *world) find(query string, more ...string) page {
	w.t.Helper()
	return w.page(w.get("/2/tweets/search/recent", append([]string{"query", query}, more...)...))
}

func (w *world) timeline(more ...string) page {
	w.t.Helper()
	return w.page(w.get(fmt.Sprintf("/2/users/%d/tweets", w.bot.ID), more...))
}

func (w *world) send(text string) reply {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"text": text})
	return w.post(string(body))
}

func (w *world) post(body string) reply {
	w.t.Helper()
	resp, err := w.client.Post(w.base+"/2/tweets", "application/json", strings.NewReader(body))
	return read(w.t, resp, err)
}

// texts is what the bot has posted.
func (w *world) texts() []string {
	var texts []string
	for _, p := range w.Posts(w.bot.ID) {
		texts = append(texts, p.Text)
	}
	return texts
}

type page struct {
	Data []map[string]any
	Meta struct {
		Count  int    `json:"result_count"`
		Newest string `json:"newest_id"`
		Oldest string `json:"oldest_id"`
		Next   string `json:"next_token"`
	}
	Errors []map[string]any
}

func (w *world) page(r reply) page {
	w.t.Helper()
	var p page
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || r.status != 200 {
		w.t.Fatalf("status %d, %v: %s", r.status, err, r.body)
	}
	return p
}

func (p page) ids() []string {
	ids := []string{}
	for _, post := range p.Data {
		ids = append(ids, post["id"].(string))
	}
	return ids
}

func text(id uint64) string { return strconv.FormatUint(id, 10) }

func (r reply) want(t *testing.T, status int, parts ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d: %s", r.status, status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			t.Errorf("the answer lacks %s\n%s", part, r.body)
		}
	}
}

// authorization signs a request by hand, so that a test can get each part wrong.
func authorization(method, base string, values url.Values, o map[string]string, consumerSecret, tokenSecret string) string {
	enc := func(s string) string {
		return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	var pairs, header []string
	for k, list := range values {
		for _, v := range list {
			pairs = append(pairs, enc(k)+"="+enc(v))
		}
	}
	for k, v := range o {
		pairs = append(pairs, enc(k)+"="+enc(v))
		header = append(header, enc(k)+`="`+enc(v)+`"`)
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(enc(consumerSecret)+"&"+enc(tokenSecret)))
	io.WriteString(mac, method+"&"+enc(base)+"&"+enc(strings.Join(pairs, "&")))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return "OAuth " + strings.Join(header, ", ") + `, oauth_signature="` + enc(signature) + `"`
}

func TestSignature(t *testing.T) {
	w := serve(t)
	revoked := w.Issue(w.bot.ID, key)
	w.Revoke(revoked.Token)
	w.AddApp("other", "other secret")
	others := w.Issue(w.bot.ID, "other")

	at := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	type request struct {
		o                           map[string]string
		consumerSecret, tokenSecret string
		signed, sent                url.Values
		header                      func(string) string
	}
	for i, test := range []struct {
		name   string
		change func(*request)
		v1     string // v1.1's answer; empty means that the request is good
	}{
		{"good", func(r *request) {}, ""},
		{"without a version", func(r *request) { delete(r.o, "oauth_version") }, ""},
		{"with a realm", func(r *request) {
			r.header = func(h string) string { return strings.Replace(h, "OAuth ", `OAuth realm="x", `, 1) }
		}, ""},
		{"four minutes late", func(r *request) { r.o["oauth_timestamp"] = at(-4 * time.Minute) }, ""},
		{"six minutes late", func(r *request) { r.o["oauth_timestamp"] = at(-6 * time.Minute) }, `{"errors":[{"code":135,"message":"Timestamp out of bounds."}]}`},
		{"six minutes early", func(r *request) { r.o["oauth_timestamp"] = at(6 * time.Minute) }, `"code":135`},
		{"no timestamp", func(r *request) { delete(r.o, "oauth_timestamp") }, `"code":135`},
		{"wrong consumer secret", func(r *request) { r.consumerSecret = "guess" }, `{"errors":[{"code":32,"message":"Could not authenticate you."}]}`},
		{"wrong token secret", func(r *request) { r.tokenSecret = "guess" }, `"code":32`},
		{"unknown consumer", func(r *request) { r.o["oauth_consumer_key"] = "guess" }, `"code":32`},
		{"unknown token", func(r *request) { r.o["oauth_token"] = "guess" }, `{"errors":[{"code":89,"message":"Invalid or expired token."}]}`},
		{"no token", func(r *request) { delete(r.o, "oauth_token") }, `"code":89`},
		{"revoked token", func(r *request) { r.o["oauth_token"], r.tokenSecret = revoked.Token, revoked.Secret }, `"code":89`},
		{"another app's token", func(r *request) { r.o["oauth_token"], r.tokenSecret = others.Token, others.Secret }, `"code":89`},
		{"another query", func(r *request) { r.sent = url.Values{"q": {"more"}} }, `"code":32`},
		{"no signature", func(r *request) {
			r.header = func(h string) string { return h[:strings.Index(h, ", oauth_signature=")] }
		}, `"code":32`},
		{"another method", func(r *request) { r.o["oauth_signature_method"] = "PLAINTEXT" }, `{"errors":[{"code":215,"message":"Bad Authentication data."}]}`},
		{"another version", func(r *request) { r.o["oauth_version"] = "2.0" }, `"code":215`},
		{"no nonce", func(r *request) { delete(r.o, "oauth_nonce") }, `"code":215`},
		{"bearer", func(r *request) { r.header = func(string) string { return "Bearer abc" } }, `"code":215`},
		{"nothing", func(r *request) { r.header = func(string) string { return "" } }, `"code":215`},
		{"replayed nonce", func(r *request) { r.o["oauth_nonce"], r.o["oauth_timestamp"] = "twice", "" }, `"code":32`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range []string{"/2/users/me", "/1.1/account/verify_credentials.json"} {
				values := url.Values{}
				if strings.HasPrefix(path, "/1.1") {
					values = url.Values{"q": {`a b+c&"(ü~`, "twice"}, "empty": {""}}
				}
				r := request{
					o: map[string]string{
						"oauth_consumer_key": key, "oauth_token": w.token.Token, "oauth_signature_method": "HMAC-SHA1",
						"oauth_timestamp": at(0), "oauth_nonce": fmt.Sprint(path, i), "oauth_version": "1.0",
					},
					consumerSecret: secret, tokenSecret: w.token.Secret, signed: values, sent: values,
					header: func(h string) string { return h },
				}
				test.change(&r)
				times := 1
				if r.o["oauth_nonce"] == "twice" {
					r.o["oauth_timestamp"], times = at(0), 2
				}
				var got reply
				for range times {
					req, _ := http.NewRequest("GET", w.base+path+"?"+r.sent.Encode(), nil)
					req.Header.Set("Authorization", r.header(authorization("GET", w.base+path, r.signed, r.o, r.consumerSecret, r.tokenSecret)))
					resp, err := http.DefaultClient.Do(req)
					got = read(t, resp, err)
				}
				switch {
				case test.v1 == "":
					got.want(t, 200, "superman")
				case strings.HasPrefix(path, "/1.1"):
					status := 401
					if strings.Contains(test.v1, "215") {
						status = 400
					}
					got.want(t, status, test.v1)
				default:
					got.want(t, 401)
					if want := `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`; got.body != want {
						t.Errorf("got %s\nwant %s", got.body, want)
					}
				}
				if limit := got.header.Get("x-rate-limit-limit"); (limit == "") != (test.v1 != "") {
					t.Errorf("status %d with x-rate-limit-limit %q", got.status, limit)
				}
			}
		})
	}
}

func TestEachTokenIsOneAccount(t *testing.T) {
	w := serve(t)
	batman := w.AddAccount("batman")
	if again := w.AddAccount("Batman"); again != batman {
		t.Errorf("the same name in other letters is %v, want %v", again, batman)
	}
	token := w.Issue(batman.ID, key)
	if account, _, _ := strings.Cut(token.Token, "-"); account != text(batman.ID) {
		t.Errorf("token of %s, want of %d", account, batman.ID)
	}
	resp, err := w.signer(token).Get(w.base + "/2/users/me")
	read(t, resp, err).want(t, 200, fmt.Sprintf(`{"data":{"id":"%d","name":"batman","username":"batman"}}`, batman.ID))
	w.get("/2/users/me").want(t, 200, fmt.Sprintf(`"id":"%d"`, w.bot.ID))
}

func TestSearch(t *testing.T) {
	w := serve(t)
	if got := w.get("/2/tweets/search/recent", "query", "serverless"); got.body != `{"meta":{"result_count":0}}` {
		t.Errorf("nothing found is %s", got.body)
	}
	now := time.Now()
	var ids []string
	for i := range 25 {
		created := now.Add(-time.Hour + time.Duration(i/5)*time.Second) // five each of the same millisecond
		ids = append(ids, text(w.Add(x.Post{Author: "ann", Text: fmt.Sprint("Serverless ", i), CreatedAt: created})))
	}
	w.Add(x.Post{Author: "ann", Text: "something else"})
	w.Add(x.Post{Author: "ann", Text: "serverless last week", CreatedAt: now.Add(-7*24*time.Hour - time.Minute)})
	w.Add(x.Post{Author: "ann", Text: "serverless tomorrow", CreatedAt: now.Add(time.Hour)})
	slices.Reverse(ids)

	first := w.find("serverless")
	if got := first.ids(); !slices.Equal(got, ids[:10]) {
		t.Errorf("first page %v\nwant %v", got, ids[:10])
	}
	if m := first.Meta; m.Count != 10 || m.Newest != ids[0] || m.Oldest != ids[9] || m.Next == "" {
		t.Errorf("meta %+v", m)
	}

	for _, parameter := range []string{"next_token", "pagination_token"} {
		all, p := first.ids(), first
		for p.Meta.Next != "" {
			w.Add(x.Post{Author: "ann", Text: "serverless meanwhile"})
			p = w.find("serverless", parameter, p.Meta.Next)
			all = append(all, p.ids()...)
		}
		if !slices.Equal(all, ids) {
			t.Errorf("pages by %s hold %v\nwant %v", parameter, all, ids)
		}
	}

	for _, test := range []struct {
		name string
		more []string
		want []string
	}{
		{"since_id and until_id are exclusive", []string{"since_id", ids[7], "until_id", ids[2]}, ids[3:7]},
		{"max_results", []string{"max_results", "100", "until_id", ids[0]}, ids[1:]},
		{"start_time and end_time", []string{"start_time", now.Add(-time.Hour).Add(time.Second).Format(time.RFC3339), "end_time", now.Add(-time.Hour + 3*time.Second).Format(time.RFC3339)}, nil},
	} {
		p := w.find("serverless", test.more...)
		if test.want != nil && !slices.Equal(p.ids(), test.want) {
			t.Errorf("%s: got %v\nwant %v", test.name, p.ids(), test.want)
		}
		if test.want == nil {
			for _, post := range p.Data {
				if id := post["id"].(string); slices.Index(ids, id) < 5 {
					t.Errorf("%s: found %s", test.name, id)
				}
			}
			if p.Meta.Count == 0 {
				t.Errorf("%s: found nothing", test.name)
			}
		}
	}
}

func TestFieldsInBothVocabularies(t *testing.T) {
	w := serve(t)
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	target := w.Add(x.Post{Author: "bob", Text: "hello"})
	long := "serverless & " + strings.Repeat("more ", 100) + "end"
	id := w.Add(x.Post{Author: "ann", Text: long, CreatedAt: at, Lang: "de", Sensitive: true, ReplyTo: target, QuoteOf: 99})

	bare := w.find("serverless").Data[0]
	if got := keys(bare); got != "edit_history_tweet_ids id text" {
		t.Errorf("without fields: %s", got)
	}
	const fields = "author_id,created_at,lang,possibly_sensitive,referenced_tweets,edit_history_tweet_ids,note_tweet,entities"
	post := w.find("serverless", "tweet.fields", fields).Data[0]
	if got := keys(post); got != "author_id created_at edit_history_tweet_ids entities id lang note_tweet possibly_sensitive referenced_tweets text" {
		t.Errorf("tweet.fields: %s", got)
	}
	want := map[string]any{
		"id": text(id), "author_id": text(w.AddAccount("ann").ID), "created_at": at.Format("2006-01-02T15:04:05.000Z"),
		"lang": "de", "possibly_sensitive": true,
	}
	for name, v := range want {
		if post[name] != v {
			t.Errorf("%s is %v, want %v", name, post[name], v)
		}
	}
	if got := post["note_tweet"].(map[string]any)["text"]; got != strings.Replace(long, "&", "&amp;", 1) {
		t.Errorf("note_tweet.text is %q", got)
	}
	if got, want := fmt.Sprint(post["referenced_tweets"]), fmt.Sprintf("[map[id:99 type:quoted] map[id:%d type:replied_to]]", target); got != want {
		t.Errorf("referenced_tweets %s, want %s", got, want)
	}

	renamed := strings.NewReplacer("edit_history_tweet_ids", "edit_history_post_ids", "_tweet", "_post").Replace(fields)
	found := w.find("serverless", "post.fields", renamed)
	if got := keys(found.Data[0]); got != "author_id created_at edit_history_post_ids entities id lang note_post possibly_sensitive referenced_posts text" {
		t.Errorf("post.fields: %s", got)
	}
}

func keys(m map[string]any) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }

func TestEdits(t *testing.T) {
	w := serve(t)
	first := w.Add(x.Post{Author: "ann", Text: "serverles is fun", CreatedAt: time.Now().Add(-time.Minute)})
	second := w.Add(x.Post{Author: "ann", Text: "serverless is fun", EditOf: first})
	w.Add(x.Post{Author: "ann", Text: "Serverless is fun!", EditOf: second})
	for _, p := range w.find("fun").Data {
		if h := p["edit_history_tweet_ids"].([]any); len(h) != 3 || h[0] != text(first) || h[1] != text(second) {
			t.Errorf("history of %s: %v", p["id"], h)
		}
	}
}

func TestSearchIndexesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		w.IndexDelay = 30 * time.Second
		w.send("Superman serverless")
		w.Add(x.Post{Author: "ann", Text: "serverless", Late: time.Minute})
		for _, step := range []struct {
			after  time.Duration
			search int
		}{{0, 0}, {29 * time.Second, 0}, {time.Second, 1}, {29 * time.Second, 1}, {time.Second, 2}, {7 * 24 * time.Hour, 0}} {
			<-time.After(step.after)
			if got := w.find("serverless").Meta.Count; got != step.search {
				t.Errorf("after %v more: search finds %d, want %d", step.after, got, step.search)
			}
			if got := w.timeline().Meta.Count; got != 1 {
				t.Errorf("after %v more: the timeline has %d, want 1", step.after, got)
			}
		}
	})
}

func TestStaleSinceID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		// 2026-11-23 10:00 less seven days, in the clock of X's ids.
		const bound = (1794823200000 - 1288834974657) << 22
		if got := w.find("serverless", "since_id", text(bound)); got.Meta.Count != 0 {
			t.Errorf("found %d", got.Meta.Count)
		}
		got := w.get("/2/tweets/search/recent", "query", "serverless", "since_id", text(bound-1))
		got.want(t, 400)
		want := fmt.Sprintf(`{"detail":"One or more parameters to your request was invalid.","errors":[{"parameters":{"since_id":["%d"]},`+
			`"message":"'since_id' must be a tweet id created after 2026-11-16T10:00Z. Please use a 'since_id' that is larger than %d"}],`+
			`"title":"Invalid Request","type":"https://api.x.com/2/problems/invalid-request"}`, uint64(bound-1), uint64(bound))
		if got.body != want {
			t.Errorf("got %s\nwant %s", got.body, want)
		}
		w.timeline("since_id", "1") // the own timeline goes back further
	})
}

func TestParametersAreChecked(t *testing.T) {
	w := serve(t)
	search, timeline := "/2/tweets/search/recent", fmt.Sprintf("/2/users/%d/tweets", w.bot.ID)
	now := time.Now().Format(time.RFC3339)
	for _, test := range []struct {
		path  string
		query []string
		want  string
	}{
		{search, nil, "The `query` query parameter can not be empty"},
		{search, []string{"query", ""}, "between 1 and 512"},
		{search, []string{"query", "a" + strings.Repeat(" a", 256)}, "between 1 and 512"},
		{search, []string{"query", "lang:en"}, "(at position 1)"},
		{search, []string{"query", "a", "max_results", "9"}, `{"parameters":{"max_results":["9"]},"message":"The ` + "`max_results`" + ` query parameter value [9] is not between 10 and 100"}`},
		{search, []string{"query", "a", "max_results", "101"}, "not between 10 and 100"},
		{search, []string{"query", "a", "max_result", "10"}, "The query parameter [max_result] is not one of [end_time,max_results,"},
		{search, []string{"query", "a", "since_id", "x"}, "does not match ^[0-9]{1,19}$"},
		{search, []string{"query", "a", "since_id", ""}, "does not match"},
		{search, []string{"query", "a", "until_id", "12345678901234567890"}, "does not match"},
		{search, []string{"query", "a", "start_time", "yesterday"}, "RFC 3339"},
		{search, []string{"query", "a", "start_time", "2020-01-01T00:00:00Z"}, "'start_time' must be on or after"},
		{search, []string{"query", "a", "next_token", "zzz"}, "not a token"},
		{search, []string{"query", "a", "tweet.fields", "id,likes"}, "[likes] is not one of [attachments,"},
		{search, []string{"query", "a", "tweet.fields", "note_post"}, "[note_post] is not one of"},
		{search, []string{"query", "a", "post.fields", "note_tweet"}, "[note_tweet] is not one of"},
		{search, []string{"query", "a", "expansions", "author_id"}, "The query parameter [expansions] is not one of [end_time,max_results,"},
		{search, []string{"query", "a", "since_id", "1", "start_time", now}, "Invalid use of 'since_id' or 'until_id' in conjunction with 'start_time' or 'end_time'."},
		{timeline, []string{"max_results", "4"}, "not between 5 and 100"},
		{timeline, []string{"next_token", "b26v1"}, "[next_token] is not one of"},
		{timeline, []string{"query", "a"}, "[query] is not one of"},
		{"/2/users/superman/tweets", nil, "does not match"},
		{"/2/users/me", []string{"max_results", "5"}, "[max_results] is not one of [user.fields]"},
	} {
		got := w.get(test.path, test.query...)
		got.want(t, 400, test.want, `"title":"Invalid Request","type":"https://api.x.com/2/problems/invalid-request"`)
	}
	w.get("/2/users/12/tweets").want(t, 200, `{"errors":[{"detail":"Could not find user with id: [12]."`, "/2/problems/resource-not-found")
	w.get("/2/tweets/search/all").want(t, 404, `"status":404`)
	w.get("/2/tweets").want(t, 405, `"status":405`)
}

func TestCreate(t *testing.T) {
	w := serve(t)
	got := w.send("Superman & <friends>")
	got.want(t, 201)
	var created struct {
		Data struct {
			ID, Text string
			History  []string `json:"edit_history_tweet_ids"`
		}
	}
	if err := json.Unmarshal([]byte(got.body), &created); err != nil {
		t.Fatal(err)
	}
	id := created.Data.ID
	if created.Data.Text != "Superman &amp; &lt;friends&gt;" || !slices.Equal(created.Data.History, []string{id}) {
		t.Errorf("created %+v", created.Data)
	}
	if want := []string{"Superman & <friends>"}; !slices.Equal(w.texts(), want) {
		t.Errorf("posted %q, want %q", w.texts(), want)
	}
	if got := w.timeline().ids(); !slices.Equal(got, []string{id}) {
		t.Errorf("timeline %v", got)
	}
	if got := w.find("friends").ids(); !slices.Equal(got, []string{id}) {
		t.Errorf("search %v", got)
	}
	n, _ := strconv.ParseUint(id, 10, 64)
	if age := time.Since(time.UnixMilli(int64(n>>22) + 1288834974657)); age < -time.Second || age > time.Minute {
		t.Errorf("the id is %v old", age)
	}
}

func TestCreateIsRefused(t *testing.T) {
	w := serve(t)
	w.send("the same")
	for _, test := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"duplicate", `{"text":"the same"}`, 403, `{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}`},
		{"duplicate but for space", `{"text":" the same\n"}`, 403, "duplicate content"},
		{"too long", `{"text":"` + strings.Repeat("x", 281) + `"}`, 400, "Your Tweet text is too long."},
		{"too long by weight", `{"text":"` + strings.Repeat("大", 141) + `"}`, 400, "Your Tweet text is too long."},
		{"cashtags", `{"text":"$AAPL or $GOOG"}`, 403, "cashtag"},
		{"reply", `{"text":"a","reply":{"in_reply_to_tweet_id":"1"}}`, 403, `"detail":"Reply to this conversation is not allowed`},
		{"quote", `{"text":"a","quote_tweet_id":"1"}`, 403, `"detail":"You can only reply to or quote posts where you are mentioned or are the author."`},
		{"unknown field", `{"text":"a","status":"b"}`, 400, "$.status: is not defined in the schema"},
		{"empty", `{"text":""}`, 400, "$.text:"},
		{"no text", `{}`, 400, "$.text:"},
		{"no string", `{"text":1}`, 400, "$.text:"},
		{"no JSON", `text=a`, 400, "not a JSON object"},
		{"two values", `{"text":"a"}{"text":"b"}`, 400, "not a JSON object"},
		{"broken UTF-8", "{\"text\":\"\xff\"}", 400, "not a JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) { w.post(test.body).want(t, test.status, test.want) })
	}
	resp, err := w.client.Post(w.base+"/2/tweets", "application/x-www-form-urlencoded", strings.NewReader("text=a"))
	read(t, resp, err).want(t, 400, "Requests with bodies must have content-type of application/json.")
	w.send(strings.Repeat("x", 280)).want(t, 201)
	w.send("$AAPL only").want(t, 201)
	another := *w
	another.client = w.signer(w.Issue(w.AddAccount("batman").ID, key))
	another.send("the same").want(t, 201)
	if n := len(w.texts()); n != 3 {
		t.Errorf("%d posts: %q", n, w.texts())
	}
}

func TestDuplicatesAreRefusedForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		w.send("Superman").want(t, 201)
		<-time.After(24*time.Hour - time.Second)
		w.send("Superman").want(t, 403, "duplicate content")
		<-time.After(time.Second)
		w.send("Superman").want(t, 201)
	})
}

func TestReadOnlyTokensStayReadOnly(t *testing.T) {
	w := serve(t)
	w.SetReadOnly(key, true)
	w.send("still allowed").want(t, 201)
	token := w.Issue(w.bot.ID, key)
	w.SetReadOnly(key, false)
	w.client = w.signer(token)
	w.send("refused").want(t, 403, `"type":"https://api.x.com/2/problems/oauth1-permissions"`)
	got := w.get("/2/users/me")
	if level := got.header.Get("x-access-level"); got.status != 200 || level != "read" {
		t.Errorf("status %d, access level %q", got.status, level)
	}
}

func TestRateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		w.Limits.Me, w.Limits.CreateApp = 2, 3
		reset := strconv.FormatInt(time.Now().Add(15*time.Minute).Unix(), 10)
		check := func(r reply, status int, prefix, limit, remaining, reset string) {
			t.Helper()
			r.want(t, status)
			for name, want := range map[string]string{"limit": limit, "remaining": remaining, "reset": reset} {
				if got := r.header.Get(prefix + name); got != want {
					t.Errorf("%s%s is %q, want %q", prefix, name, got, want)
				}
			}
		}
		check(w.get("/2/users/me"), 200, "x-rate-limit-", "2", "1", reset)
		<-time.After(time.Minute)
		check(w.get("/2/users/me"), 200, "x-rate-limit-", "2", "0", reset)
		exhausted := w.get("/2/users/me")
		check(exhausted, 429, "x-rate-limit-", "2", "0", reset)
		if want := `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`; exhausted.body != want {
			t.Errorf("got %s", exhausted.body)
		}
		w.get("/1.1/account/verify_credentials.json").want(t, 429, `{"errors":[{"code":88,"message":"Rate limit exceeded"}]}`)
		check(w.search("serverless"), 200, "x-rate-limit-", "300", "299", strconv.FormatInt(time.Now().Add(15*time.Minute).Unix(), 10))
		<-time.After(14 * time.Minute)
		check(w.get("/2/users/me"), 200, "x-rate-limit-", "2", "1", strconv.FormatInt(time.Now().Add(15*time.Minute).Unix(), 10))

		day := strconv.FormatInt(time.Now().Add(24*time.Hour).Unix(), 10)
		check(w.send("one"), 201, "x-app-limit-24hour-", "3", "2", day)
		w.send("two")
		w.send("three")
		four := w.send("four")
		check(four, 429, "x-app-limit-24hour-", "3", "0", day)
		check(four, 429, "x-rate-limit-", "100", "96", strconv.FormatInt(time.Now().Add(15*time.Minute).Unix(), 10))
		if n := len(w.texts()); n != 3 {
			t.Errorf("%d posts", n)
		}
	})
}

func (w *world) search(query string) reply {
	return w.get("/2/tweets/search/recent", "query", query)
}

func TestCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		for i := range 3 {
			w.Add(x.Post{Author: "ann", Text: fmt.Sprint("serverless ", i)})
		}
		spent := func(want float64) {
			t.Helper()
			if got := w.Spent(key); math.Abs(got-want) > 1e-9 {
				t.Errorf("spent %v, want %v", got, want)
			}
		}
		w.get("/2/users/me")
		w.find("nothing")
		spent(0)
		w.find("serverless")
		w.find("serverless")
		spent(0.015) // a post is paid once a UTC day
		w.send("Superman")
		spent(0.030)
		w.send("Superman https://example.com")
		spent(0.230)
		<-time.After(24 * time.Hour)
		w.find("serverless")
		spent(0.245)

		w.SetCredits(key, 0.02)
		w.send("Batman").want(t, 201)
		w.send("Batman again").want(t, 201) // a little below nothing
		got := w.send("Batman at last")
		got.want(t, 402, `{"detail":"credits depleted","status":402,"title":"Payment Required","type":"https://api.x.com/2/problems/credits-depleted"}`)
		if limit := got.header.Get("x-rate-limit-limit"); limit != "40000" {
			t.Errorf("x-rate-limit-limit %q", limit)
		}
		w.Old = true
		w.search("serverless").want(t, 402, `"title":"CreditsDepleted"`, `"type":"https://api.twitter.com/2/problems/credits"`)
		w.SetCredits(key, 1)
		w.search("serverless").want(t, 200)
	})
}

func TestConcurrentPostsHaveRisingIDs(t *testing.T) {
	w := serve(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 5 {
				body := fmt.Sprintf(`{"text":"post %d of %d"}`, j, i)
				resp, err := w.client.Post(w.base+"/2/tweets", "application/json", strings.NewReader(body))
				if err != nil || resp.StatusCode != 201 {
					t.Errorf("create: %v", err)
					return
				}
				resp.Body.Close()
			}
		})
	}
	group.Wait()
	posts := w.Posts(w.bot.ID)
	if len(posts) != 40 || w.Calls()["create"] != 40 {
		t.Errorf("%d posts of %d calls, want 40", len(posts), w.Calls()["create"])
	}
	for i := 1; i < len(posts); i++ {
		if posts[i].ID <= posts[i-1].ID || posts[i].CreatedAt.Before(posts[i-1].CreatedAt) {
			t.Errorf("post %d: id %d at %v after id %d at %v", i, posts[i].ID, posts[i].CreatedAt, posts[i-1].ID, posts[i-1].CreatedAt)
		}
	}
}

func TestIDsAndTimesGoTogether(t *testing.T) {
	w := x.New()
	at := time.Date(2026, 11, 1, 0, 8, 15, 0, time.UTC)
	id := w.Add(x.Post{Author: "ann", Text: "a", CreatedAt: at})
	if want := uint64(at.UnixMilli()-1288834974657) << 22; id != want {
		t.Errorf("id %d, want %d", id, want)
	}
	if next := w.Add(x.Post{Author: "ann", Text: "b", CreatedAt: at}); next != id+1 {
		t.Errorf("the second of that millisecond is %d, want %d", next, id+1)
	}
	w.Add(x.Post{ID: id + 2, Author: "ann", Text: "c"})
	if got := w.Posts(w.AddAccount("ann").ID)[2].CreatedAt; !got.Equal(at) {
		t.Errorf("an id alone is of %v, want %v", got, at)
	}
}

func TestPostsReadFromAFile(t *testing.T) {
	var p x.Post
	line := `{"id": "2116683700763480388", "author": "ann", "created_at": "2026-11-01T00:08:15Z", "text": "serverless"}`
	if err := json.Unmarshal([]byte(line), &p); err != nil || p.ID != 2116683700763480388 || p.CreatedAt.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
}
