package x_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/superbots/integration/local/x"
)

// A spec is X's published OpenAPI document.
type spec map[string]any

func openapi(t *testing.T) spec {
	data, err := os.ReadFile("../../../../shared/x/openapi.json")
	if err != nil {
		t.Skip("X's openapi.json is not beside this repository")
	}
	var s spec
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s spec) at(path ...string) map[string]any {
	var v any = map[string]any(s)
	for _, name := range path {
		v = v.(map[string]any)[name]
	}
	return s.resolve(v)
}

func (s spec) resolve(v any) map[string]any {
	m := v.(map[string]any)
	if ref, ok := m["$ref"].(string); ok {
		return s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return m
}

// check says where a value differs from its schema. A property that the schema
// does not name is a difference.
func (s spec) check(where string, v any, schema map[string]any) (wrong []string) {
	schema = s.resolve(schema)
	if v == nil && schema["nullable"] == true {
		return nil
	}
	if list, ok := schema["oneOf"].([]any); ok {
		var all []string
		for _, one := range list {
			w := s.check(where, v, one.(map[string]any))
			if len(w) == 0 {
				return nil
			}
			all = append(all, w...)
		}
		return all
	}
	bad := func(format string, args ...any) {
		wrong = append(wrong, where+": "+fmt.Sprintf(format, args...))
	}
	switch v := v.(type) {
	case map[string]any:
		if schema["type"] != "object" {
			bad("an object, want %v", schema["type"])
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				bad("lacks %v", name)
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		for name, value := range v {
			if p, ok := properties[name]; ok {
				wrong = append(wrong, s.check(where+"."+name, value, p.(map[string]any))...)
			} else {
				bad("has %s, which the schema does not name", name)
			}
		}
	case []any:
		if schema["type"] != "array" {
			bad("an array, want %v", schema["type"])
			return wrong
		}
		for i, item := range v {
			wrong = append(wrong, s.check(fmt.Sprintf("%s[%d]", where, i), item, schema["items"].(map[string]any))...)
		}
	case string:
		if schema["type"] != "string" {
			bad("a string, want %v", schema["type"])
		}
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
			bad("%q does not match %s", v, pattern)
		}
		if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, any(v)) {
			bad("%q is none of %v", v, enum)
		}
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				bad("%q is no date-time", v)
			}
		}
	case float64:
		if t := schema["type"]; t != "number" && !(t == "integer" && v == float64(int64(v))) {
			bad("%v, want %v", v, t)
		}
	case bool:
		if schema["type"] != "boolean" {
			bad("%v, want %v", v, schema["type"])
		}
	}
	return wrong
}

// The check itself must be able to fail.
func TestSchemaCheckFindsDifferences(t *testing.T) {
	s := openapi(t)
	schema := s.at("components", "schemas", "CreatePostsResponse")
	for body, want := range map[string]string{
		`{"data":{"id":"1","text":"a"}}`:                                "",
		`{"data":{"id":"1"}}`:                                           "lacks text",
		`{"data":{"id":"x","text":"a"}}`:                                "does not match",
		`{"data":{"id":1,"text":"a"}}`:                                  "want string",
		`{"data":{"id":"1","text":"a","edit_history_tweet_ids":["1"]}}`: "does not name",
		`{"data":[]}`: "want object",
	} {
		var v any
		json.Unmarshal([]byte(body), &v)
		if got := strings.Join(s.check("", v, schema), "; "); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestAnswersAreAsPublished(t *testing.T) {
	s := openapi(t)
	w := serve(t)
	w.Limits.Me = 1000
	w.Limits.Create = 1000
	root := w.Add(x.Post{Author: "superman", Text: "a serverless start"})
	w.Add(x.Post{Author: "superman", Text: "serverless @ann @nobody #tag $AAPL https://example.com and serverless.com " + strings.Repeat("& more ", 60),
		ReplyTo: root, QuoteOf: root, Sensitive: true, Media: true})
	w.Add(x.Post{Author: "superman", Text: "RT @superman: a serverless start", RetweetOf: root})
	const fields = "created_at,entities,note_post,lang,possibly_sensitive,author_id,referenced_posts,in_reply_to_user_id,edit_history_post_ids"
	timeline := fmt.Sprintf("/2/users/%d/tweets", w.bot.ID)

	check := func(name string, r reply, status int, schema map[string]any) {
		t.Helper()
		var v any
		if err := json.Unmarshal([]byte(r.body), &v); err != nil || r.status != status {
			t.Errorf("%s: status %d, %v: %s", name, r.status, err, r.body)
		}
		for _, wrong := range s.check(name, v, schema) {
			t.Error(wrong)
		}
	}
	response := func(method, path, status string) map[string]any {
		return s.resolve(s.at("paths", path, method, "responses", status, "content", "application/json")["schema"])
	}
	problem := s.at("components", "schemas", "Problem")
	check("search", w.get("/2/tweets/search/recent", "query", "serverless", "post.fields", fields, "max_results", "10"),
		200, response("get", "/2/tweets/search/recent", "200"))
	check("search, none", w.search("nothing"), 200, response("get", "/2/tweets/search/recent", "200"))
	check("timeline", w.get(timeline, "post.fields", fields), 200, response("get", "/2/users/{id}/tweets", "200"))
	check("timeline, unknown", w.get("/2/users/1/tweets"), 200, response("get", "/2/users/{id}/tweets", "200"))
	check("me", w.get("/2/users/me"), 200, response("get", "/2/users/me", "200"))
	created := w.send("Superman")
	created.body = strings.Replace(created.body, "edit_history_tweet_ids", "edit_history_post_ids", 1) // the document has post names only
	check("create", created, 201, response("post", "/2/tweets", "201"))

	// An error is a Problem, or v1.1's list of Errors. Some that X sends are
	// neither: about:blank and the types that the document does not list.
	invalid := func(r reply) reply {
		var v map[string]any
		json.Unmarshal([]byte(r.body), &v)
		if list, ok := v["errors"].([]any); !ok || len(list) == 0 {
			t.Errorf("no errors in %s", r.body)
		}
		delete(v, "errors") // sent by X, not in the document
		body, _ := json.Marshal(v)
		return reply{r.status, r.header, string(body)}
	}
	check("invalid search", invalid(w.get("/2/tweets/search/recent", "query", "(")), 400, problem)
	check("invalid timeline", invalid(w.get(timeline, "max_results", "1")), 400, problem)
	check("invalid me", invalid(w.get("/2/users/me", "a", "b")), 400, problem)
	check("invalid create", invalid(w.post(`{"text":""}`)), 400, problem)
	check("too long", invalid(w.send(strings.Repeat("x", 281))), 400, problem)
	w.Fault(x.Fault{Case: "partial"})
	check("partial", w.get("/2/users/me"), 200, response("get", "/2/users/me", "200"))
	w.ClearFaults()
	for _, name := range []string{"locked", "automated", "write-blocked", "rate-limit-v1", "over-capacity", "v1-closed"} {
		w.Fault(x.Fault{Case: name, Times: 1})
		var v struct{ Errors []any }
		json.Unmarshal([]byte(w.get("/2/users/me").body), &v)
		if len(v.Errors) != 1 {
			t.Errorf("%s: %d errors", name, len(v.Errors))
		}
		for _, e := range v.Errors {
			for _, wrong := range s.check(name, e, s.at("components", "schemas", "Error")) {
				t.Error(wrong)
			}
		}
	}
}

// Whatever parameter X's document does not have, this X must refuse; the old
// name of post.fields and the fields of v2 before the document changed apart.
func TestParametersAreAsPublished(t *testing.T) {
	s := openapi(t)
	w := serve(t)
	example := map[string]string{"query": "serverless", "max_results": "10", "start_time": time.Now().Add(-time.Hour).Format(time.RFC3339),
		"since_id": "2116683700763480388", "until_id": "2116683700763480388", "end_time": time.Now().Format(time.RFC3339),
		"exclude": "replies", "post.fields": "id", "user.fields": "id",
		"next_token": "b26v1", "pagination_token": "b26v1"}
	for path, at := range map[string]string{
		"/2/tweets/search/recent": "/2/tweets/search/recent",
		"/2/users/{id}/tweets":    fmt.Sprintf("/2/users/%d/tweets", w.bot.ID),
		"/2/users/me":             "/2/users/me",
	} {
		published := []string{"tweet.fields"}
		for _, p := range s.at("paths", path, "get")["parameters"].([]any) {
			published = append(published, s.resolve(p)["name"].(string))
		}
		r := w.get(at, "no_such_parameter", "1")
		_, list, _ := strings.Cut(r.body, "is not one of [")
		list, _, ok := strings.Cut(list, "]")
		if !ok {
			t.Fatalf("%s: %s", path, r.body)
		}
		for name := range strings.SplitSeq(list, ",") {
			if !slices.Contains(published, name) {
				t.Errorf("%s accepts %s, which is not published", path, name)
			}
			if v, ok := example[name]; ok && name != "since_id" && name != "until_id" {
				query := url.Values{name: {v}}
				if path == "/2/tweets/search/recent" {
					query.Set("query", "serverless")
				}
				resp, err := w.client.Get(w.base + at + "?" + query.Encode())
				if got := read(t, resp, err); got.status != http.StatusOK {
					t.Errorf("%s refuses %s=%s: %s", path, name, v, got.body)
				}
			}
		}
	}
}
