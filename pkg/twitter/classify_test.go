package twitter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// api is what both clients do.
type api interface {
	Search(ctx context.Context, query string, since, until uint64, max int) (Page, error)
	Timeline(ctx context.Context, user string, since, until uint64, max int) (Page, error)
	Create(ctx context.Context, text string) (uint64, error)
	Me(ctx context.Context) (User, error)
}

// callAll makes each call of a once and returns their errors by name.
func callAll(ctx context.Context, a api) map[string]error {
	errs := map[string]error{}
	_, errs["search"] = a.Search(ctx, "serverless", 1, 0, 10)
	_, errs["timeline"] = a.Timeline(ctx, "2116", 0, 0, 10)
	_, errs["me"] = a.Me(ctx)
	_, errs["create"] = a.Create(ctx, "Superman")
	return errs
}

// asError returns err as an *Error, which every error must be.
func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T), want an *Error", err, err)
	}
	return e
}

// answers are bodies of X and of what stands before it. T is the host of the
// problem types, which X changed in 2026.
var answers = []struct {
	name         string
	status       int
	body         string
	read, create Class
	reason       string
}{
	{"duplicate v2", 403, `{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}`, Forbidden, Duplicate, ""},
	{"duplicate, posts", 403, `{"type":"about:blank","status":403,"title":"Forbidden","detail":"You are not allowed to create a Post with DUPLICATE CONTENT."}`, Forbidden, Duplicate, ""},
	{"duplicate v1.1", 403, `{"errors":[{"code":187,"message":"Status is a duplicate."}]}`, Forbidden, Duplicate, ""},
	{"duplicate, code as text", 403, `{"errors":[{"code":"187","message":"?"}]}`, Forbidden, Duplicate, ""},
	{"unauthorized", 401, `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`, Unauthorized, Unauthorized, ""},
	{"v1.1 32", 401, `{"errors":[{"code":32,"message":"Could not authenticate you."}]}`, Unauthorized, Unauthorized, ""},
	{"v1.1 89", 401, `{"errors":[{"code":89,"message":"Invalid or expired token."}]}`, Unauthorized, Unauthorized, ""},
	{"v1.1 135", 401, `{"errors":[{"code":135,"message":"Timestamp out of bounds."}]}`, Unauthorized, Unauthorized, ""},
	{"v1.1 215", 400, `{"errors":[{"code":215,"message":"Bad Authentication data."}]}`, Unauthorized, Unauthorized, ""},
	{"401 page", 401, `<html>401</html>`, Unauthorized, Unauthorized, ""},
	{"read-only token", 403, `{"title":"Forbidden","status":403,"detail":"Your client app is not configured with the appropriate oauth1 app permissions for this endpoint.","type":"T/oauth1-permissions"}`, Forbidden, Forbidden, "read-only"},
	{"not enrolled", 403, `{"client_id":"1","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project. You can create a project via the developer portal.","registration_url":"https://developer.twitter.com/en/docs/projects/overview","title":"Client Forbidden","required_enrollment":"Appropriate Level of API Access","reason":"client-not-enrolled","type":"T/client-forbidden"}`, Forbidden, Forbidden, "not enrolled"},
	{"unsupported authentication", 403, `{"title":"Unsupported Authentication","detail":"Authenticating with Unknown is forbidden for this endpoint.","type":"T/unsupported-authentication","status":403}`, Forbidden, Forbidden, "authentication"},
	{"quote refused", 403, `{"detail":"You can only reply to or quote posts where you are mentioned or are the author.","status":403,"title":"Authorization Error","type":"T/not-authorized-for-resource"}`, Forbidden, Refused, "reply or quote"},
	{"reply refused", 403, `{"detail":"Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author of the post you are replying to.","type":"about:blank","title":"Forbidden","status":403}`, Forbidden, Refused, "reply or quote"},
	{"reply refused v1.1", 403, `{"errors":[{"code":433,"message":"The original Tweet author restricted who can reply to this Tweet."}]}`, Forbidden, Refused, "reply or quote"},
	{"cashtags", 403, `{"detail":"You are not allowed to create a post with more than one cashtag.","type":"about:blank","title":"Forbidden","status":403}`, Forbidden, Refused, "cashtags"},
	{"some other 403", 403, `{"detail":"You are not permitted to perform this action.","type":"about:blank","title":"Forbidden","status":403}`, Forbidden, Refused, ""},
	{"suspended", 403, `{"detail":"The user used for authentication is suspended","title":"Forbidden","status":403,"type":"T/user-suspended"}`, Forbidden, Forbidden, "suspended"},
	{"suspended, plain type", 403, `{"detail":"Your account is suspended.","title":"Forbidden","status":403,"type":"about:blank"}`, Forbidden, Forbidden, "suspended"},
	{"suspended v1.1", 403, `{"errors":[{"code":64,"message":"Your account is suspended and is not permitted to access this feature."}]}`, Forbidden, Forbidden, "suspended"},
	{"locked", 403, `{"errors":[{"code":326,"message":"To protect our users from spam and other malicious activity, this account is temporarily locked. Please log in to https://twitter.com to unlock your account."}]}`, Forbidden, Forbidden, "locked"},
	{"locked v2", 403, `{"detail":"To protect our users from spam and other malicious activity, this account is temporarily locked.","type":"about:blank","title":"Forbidden","status":403}`, Forbidden, Forbidden, "locked"},
	{"automated", 403, `{"errors":[{"code":226,"message":"This request looks like it might be automated. To protect our users from spam and other malicious activity, we can't complete this action right now."}]}`, Forbidden, Forbidden, "automated"},
	{"automated v2", 403, `{"detail":"This request looks like it might be automated.","type":"about:blank","title":"Forbidden","status":403}`, Forbidden, Forbidden, "automated"},
	{"write-blocked", 403, `{"errors":[{"code":261,"message":"Application cannot perform write actions. Contact Twitter Platform Operations."}]}`, Forbidden, Forbidden, "write-blocked"},
	{"too long v2", 400, `{"errors":[{"parameters":{},"message":"Your Tweet text is too long. For more information on how Twitter determines text length see https://github.com/twitter/twitter-text."}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"T/invalid-request"}`, BadRequest, Refused, "too long"},
	{"too long v2 as 403", 403, `{"detail":"Your Tweet text is too long.","type":"about:blank","title":"Forbidden","status":403}`, Forbidden, Refused, "too long"},
	{"too long v1.1", 403, `{"errors":[{"code":186,"message":"Tweet needs to be a bit shorter."}]}`, Forbidden, Refused, "too long"},
	{"stale since_id", 400, `{"errors":[{"parameters":{"since_id":["2075200933194039668"]},"message":"'since_id' must be a tweet id created after 2026-07-31T11:45Z. Please use a 'since_id' that is larger than 2083157183716917248"}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"T/invalid-request"}`, StaleSince, Refused, ""},
	{"since_id and start_time", 400, `{"errors":[{"parameters":{"since_id":["1"]},"message":"Invalid use of 'since_id' or 'until_id' in conjunction with 'start_time' or 'end_time'."}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"T/invalid-request"}`, BadRequest, Refused, ""},
	{"no credits, old", 402, `{"account_id":1553086854915936256,"title":"CreditsDepleted","detail":"Your enrolled account [1553086854915936256] does not have any credits to fulfill this request.","type":"T/credits"}`, NoCredits, NoCredits, ""},
	{"no credits, new", 402, `{"detail":"credits depleted","status":402,"title":"Payment Required","type":"T/credits-depleted"}`, NoCredits, NoCredits, ""},
	{"no credits as 403", 403, `{"title":"CreditsDepleted","detail":"Your enrolled account [1] does not have any credits to fulfill this request.","type":"T/credits"}`, NoCredits, NoCredits, ""},
	{"402 page", 402, ``, NoCredits, NoCredits, ""},
	{"usage cap", 429, `{"account_id":1,"product_name":"standard-basic","title":"UsageCapExceeded","period":"Monthly","scope":"Product","detail":"Usage cap exceeded: Monthly product cap","type":"T/usage-capped"}`, UsageCapped, UsageCapped, ""},
	{"rate limit", 429, `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`, RateLimited, RateLimited, ""},
	{"rate limit, documented", 429, `{"errors":[{"code":88,"message":"Rate limit exceeded"}]}`, RateLimited, RateLimited, ""},
	{"rate limit page", 429, `<html>slow down</html>`, RateLimited, RateLimited, ""},
	{"daily limit v1.1", 403, `{"errors":[{"code":185,"message":"User is over daily status update limit."}]}`, RateLimited, RateLimited, ""},
	{"v1.1 closed", 403, `{"errors":[{"message":"You currently have access to a subset of X API V2 endpoints and limited v1.1 endpoints (e.g. media post, oauth) only. If you need access to this endpoint, you may need a different access level. You can learn more here: https://developer.x.com/en/portal/product","code":453}]}`, Forbidden, Forbidden, "not enrolled"},
	{"no such endpoint", 404, `{"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}`, Forbidden, Forbidden, "no such endpoint"},
	{"no such method", 405, ``, Forbidden, Forbidden, "no such endpoint"},
	{"gone", 410, `{"errors":[{"code":251,"message":"This endpoint has been retired and should not be used."}]}`, Forbidden, Forbidden, "no such endpoint"},
	{"unavailable", 503, `{"title":"Service Unavailable","detail":"Service Unavailable","type":"about:blank","status":503}`, Unavailable, Unknown, ""},
	{"over capacity v1.1", 503, `{"errors":[{"code":130,"message":"Over capacity"}]}`, Unavailable, Unknown, ""},
	{"internal error", 500, `{"title":"Internal Error","type":"T/internal-error"}`, Unavailable, Unknown, ""},
	{"5xx that says duplicate", 500, `{"errors":[{"code":187,"message":"Status is a duplicate."}]}`, Unavailable, Unknown, ""},
	{"edge 502", 502, `<!DOCTYPE html><title>Bad gateway</title>`, Unavailable, Unknown, ""},
	{"edge 504, empty", 504, ``, Unavailable, Unknown, ""},
	{"edge 403", 403, `<!DOCTYPE html><title>Attention required</title> suspended duplicate content`, Forbidden, Forbidden, "not from X"},
	{"edge 403, empty", 403, ``, Forbidden, Forbidden, "not from X"},
	{"edge 400", 400, `400 Bad Request`, Forbidden, Forbidden, "not from X"},
	{"408", 408, ``, Unavailable, Unknown, ""},
	{"400", 400, `{"title":"Invalid Request","type":"T/invalid-request"}`, BadRequest, Refused, ""},
	{"415", 415, `{"title":"Unsupported Media Type"}`, BadRequest, BadRequest, ""},
	{"422", 422, ``, BadRequest, BadRequest, ""},
	{"broken 403", 403, `{"detail":"You are not allowed to create a Tweet with dup`, Forbidden, Forbidden, "not from X"},
	{"403 of other types", 403, `{"type":7,"title":null,"status":"403","errors":{"a":1}}`, Forbidden, Refused, ""},
	{"403 null", 403, `null`, Forbidden, Forbidden, "not from X"},
	{"403 array", 403, `[{"code":187}]`, Forbidden, Forbidden, "not from X"},
	{"403 of 5 MB", 403, `{"detail":"` + strings.Repeat("duplicate content", 5<<20/17) + `"}`, Forbidden, Forbidden, "not from X"},

	{"2xx empty", 200, ``, Unavailable, Unknown, ""},
	{"2xx null", 200, `null`, Unavailable, Unknown, ""},
	{"2xx array", 200, `[3]`, Unavailable, Unknown, ""},
	{"2xx page", 200, `<!DOCTYPE html><title>X</title>`, Unavailable, Unknown, ""},
	{"2xx broken", 201, `{"data":{"id":"2116`, Unavailable, Unknown, ""},
	{"2xx of 5 MB", 200, `{"data":{"id":"2116"},"x":"` + strings.Repeat("a", 5<<20) + `"}`, Unavailable, Unknown, ""},
	{"2xx without data", 201, `{"data":{}}`, Unavailable, Unknown, ""},
	{"2xx no object", 200, `{}`, Unavailable, Unknown, ""},
	{"2xx zero id", 200, `{"data":{"id":"0"}}`, Unavailable, Unknown, ""},
	{"2xx id that is none", 200, `{"data":{"id":"2116e3"}}`, Unavailable, Unknown, ""},
	{"2xx problem", 200, `{"errors":[{"title":"Not Found Error","detail":"Could not find user with id: [2116].","type":"T/resource-not-found"}]}`, Unavailable, Unknown, ""},
	{"204", 204, ``, Unavailable, Unknown, ""},
}

// checkAnswers has a server give each answer to each call of the client that
// dial returns for it.
func checkAnswers(t *testing.T, dial func(host http.HandlerFunc) api) {
	var status int
	var body, contentType string
	a := dial(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("x-rate-limit-limit", "40000") // says nothing
		w.WriteHeader(status)
		w.Write([]byte(body))
	})
	for _, answer := range answers {
		hosts := []string{"https://api.twitter.com/2/problems", "https://api.x.com/2/problems"}
		contentTypes := []string{"application/json; charset=utf-8", "application/problem+json"}
		if !strings.Contains(answer.body, "T/") {
			hosts = hosts[:1]
		}
		for _, host := range hosts {
			for _, contentType = range contentTypes {
				status, body = answer.status, strings.ReplaceAll(answer.body, "T/", host+"/")
				for name, err := range callAll(t.Context(), a) {
					want, op := answer.read, "GET "
					if name == "create" {
						want, op = answer.create, "POST "
					}
					if err == nil {
						t.Errorf("%s, %s: no error", answer.name, name)
						continue
					}
					e := asError(t, err)
					if e.Class != want {
						t.Errorf("%s, %s: %v, want class %q", answer.name, name, e, want)
					}
					if name == "create" && e.Reason != answer.reason {
						t.Errorf("%s, %s: reason %q, want %q", answer.name, name, e.Reason, answer.reason)
					}
					if e.Status != answer.status && answer.status/100 != 2 || !strings.HasPrefix(e.Op, op) {
						t.Errorf("%s, %s: status %d of %q", answer.name, name, e.Status, e.Op)
					}
					if len(e.Error()) > 2000 {
						t.Errorf("%s, %s: an error of %d bytes", answer.name, name, len(e.Error()))
					}
				}
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	checkAnswers(t, func(h http.HandlerFunc) api { return New(serve(t, h), testKeys) })
}

func TestStaleSinceSaysFromWhere(t *testing.T) {
	for body, want := range map[string]uint64{
		`{"errors":[{"message":"'since_id' must be a tweet id created after 2026-07-31T11:45Z. Please use a 'since_id' that is larger than 2083157183716917248"}]}`: 2083157183716917248,
		`{"errors":[{"message":"since_id must be a post id created after 2026-07-31T11:45Z."}]}`:                                                                    0,
		`{"errors":[{"message":"since_id must be larger than 99999999999999999999999999"}]}`:                                                                        0,
	} {
		e := classify(read, "", 400, nil, []byte(body))
		if e.Class != StaleSince || e.MinSince != want {
			t.Errorf("%s: %v from %d, want from %d", body, e.Class, e.MinSince, want)
		}
	}
}

func TestErrorSaysWhatXSaid(t *testing.T) {
	e := classify(create, "POST /2/tweets", 403, nil, []byte(`{"errors":[{"code":326,"message":"this account is temporarily locked\n"}]}`))
	want := `POST /2/tweets: forbidden (locked): status 403 "this account is temporarily locked\n" codes [326]`
	if e.Error() != want {
		t.Errorf("got  %s\nwant %s", e, want)
	}
}

func TestReset(t *testing.T) {
	at := func(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
	for _, tt := range []struct {
		name   string
		header map[string]string
		want   time.Time
	}{
		{"none", nil, time.Time{}},
		{"15 minutes", map[string]string{"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1795000000"}, at(1795000000)},
		{"reset alone", map[string]string{"x-rate-limit-reset": "1795000000"}, at(1795000000)},
		{"app's day", map[string]string{"x-rate-limit-remaining": "7", "x-rate-limit-reset": "1795000000",
			"x-app-limit-24hour-remaining": "0", "x-app-limit-24hour-reset": "1795080000",
			"x-user-limit-24hour-remaining": "5", "x-user-limit-24hour-reset": "1795090000"}, at(1795080000)},
		{"user's day and 15 minutes", map[string]string{"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1795000000",
			"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": "1795080000"}, at(1795080000)},
		{"past", map[string]string{"x-rate-limit-reset": "1000"}, at(1000)},
		{"far", map[string]string{"x-rate-limit-reset": "1000000000000"}, at(1000000000000)},
		{"nonsense", map[string]string{"x-rate-limit-reset": "soon"}, time.Time{}},
		{"negative", map[string]string{"x-rate-limit-reset": "-5"}, time.Time{}},
		{"beyond time", map[string]string{"x-rate-limit-reset": "9000000000000000000"}, time.Time{}},
		{"overflow", map[string]string{"x-rate-limit-reset": "99999999999999999999"}, time.Time{}},
	} {
		h := http.Header{}
		for k, v := range tt.header {
			h.Set(k, v)
		}
		e := classify(create, "POST /2/tweets", 429, h, nil)
		if e.Class != RateLimited || !e.Reset.Equal(tt.want) {
			t.Errorf("%s: %v until %v, want %v", tt.name, e.Class, e.Reset, tt.want)
		}
		if e := classify(create, "POST /2/tweets", 403, h, []byte(`{}`)); !e.Reset.IsZero() {
			t.Errorf("%s: a 403 has reset %v", tt.name, e.Reset)
		}
	}
}

// docs/x.md is for operators: it must explain whatever an Error can say.
func TestDocsNameEveryClassAndReason(t *testing.T) {
	b, err := os.ReadFile("../../docs/x.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for c := Unauthorized; c <= NotSent; c++ {
		if !strings.Contains(doc, fmt.Sprintf("(%q)", c)) {
			t.Errorf("docs/x.md does not explain class %q", c)
		}
	}
	for _, r := range rules {
		if r.reason != "" && !strings.Contains(doc, "`"+r.reason+"`") {
			t.Errorf("docs/x.md does not explain reason %q", r.reason)
		}
	}
	for _, price := range []float64{PricePostRead, PriceUserRead, PriceCreate, PriceCreateWithLink} {
		if !strings.Contains(doc, fmt.Sprintf("$%.3f", price)) {
			t.Errorf("docs/x.md does not name the price $%.3f", price)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, answer := range answers {
		if len(answer.body) < 1000 {
			f.Add(answer.status, []byte(answer.body), "1795000000", true)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, reset string, post bool) {
		on := read
		if post {
			on = create
		}
		e := classify(on, "OP", status, http.Header{"X-Rate-Limit-Reset": {reset}}, body)
		if e.Class < Unauthorized || e.Class > NotSent || e.Class == NotSent {
			t.Errorf("class %d", e.Class)
		}
		if !post && (e.Class == Unknown || e.Class == Duplicate || e.Class == Refused) || post && (e.Class == Unavailable || e.Class == StaleSince) {
			t.Errorf("class %v on post %t", e.Class, post)
		}
		if s := status / 100; post && s == 5 && e.Class != Unknown {
			t.Errorf("status %d of a create is %v", status, e.Class)
		}
		if s := e.Error(); strings.ContainsAny(s, "\n\x00\x1b") {
			t.Errorf("error of more than a line: %q", s)
		}
	})
}
