package twitter

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A rule gives the class of the answers it matches. Zero fields match all;
// where a rule has both codes and words, one of them is enough.
type rule struct {
	on     call
	status int   // 3, 4, 5 stand for the whole hundred
	codes  []int // errors[].code
	words  words // in the body's type, title, reason, detail and messages, in lower case
	class  Class
	reason string
}

// words are phrases, one of which is enough. An ellipsis stands for anything.
type words []string

// in reports whether text has one of them. No regular expressions: compiling
// thirty is what a cold start would do first.
func (w words) in(text string) bool {
	return slices.ContainsFunc(w, func(phrase string) bool {
		rest := text
		for part := range strings.SplitSeq(phrase, "…") {
			var ok bool
			if _, rest, ok = strings.Cut(rest, part); !ok {
				return false
			}
		}
		return true
	})
}

type call int

const (
	anyCall call = iota
	read
	create
)

// notJSON stands for the text of a body that is no JSON object. X's own
// servers always answer with one; what has none comes from something in front
// of them and says nothing about the post.
const notJSON = "(not json)"

// rules decide the class of every answer but 2xx; the first that matches
// holds. Status, type, words and codes count together, since X words the same
// refusal in several ways: "https://api.twitter.com/2/problems/..." and
// "https://api.x.com/2/problems/...", v2 problem bodies and v1.1 codes. Types
// and codes, which are exact, come before words. docs/x.md lists the bodies
// behind each row and their sources.
var rules = []rule{
	// The run writes the post down as unknown and looks it up later; a read is
	// made again later. Whatever the body says: a 5xx proves nothing.
	{create, 5, nil, nil, Unknown, ""},
	{create, 408, nil, nil, Unknown, ""},
	{read, 5, nil, nil, Unavailable, ""},
	{read, 408, nil, nil, Unavailable, ""},

	// The bot stops until the next UTC day.
	{anyCall, 402, nil, nil, NoCredits, ""},
	{anyCall, 4, nil, words{"problems/credits", "credits depleted", "creditsdepleted", "any credits"}, NoCredits, ""},
	{anyCall, 4, nil, words{"problems/usage-capped", "usage cap", "usagecap"}, UsageCapped, ""},

	// The bot waits until the limit ends.
	{anyCall, 429, nil, nil, RateLimited, ""},
	{anyCall, 4, []int{88, 185}, nil, RateLimited, ""},

	// The bot stops for an hour and an operator must act.
	{anyCall, 4, []int{64}, words{"problems/user-suspended"}, Forbidden, "suspended"},
	{anyCall, 4, []int{326}, nil, Forbidden, "locked"},
	{anyCall, 4, []int{226}, nil, Forbidden, "automated"},
	{anyCall, 4, []int{261}, nil, Forbidden, "write-blocked"},
	{anyCall, 4, []int{453}, words{"problems/client-forbidden", "client-not-enrolled"}, Forbidden, "not enrolled"},
	{anyCall, 4, nil, words{"problems/oauth1-permissions"}, Forbidden, "read-only"},
	{anyCall, 4, nil, words{"problems/unsupported-authentication"}, Forbidden, "authentication"},

	// The settings are read again; unchanged, the bot stops.
	{anyCall, 401, nil, nil, Unauthorized, ""},
	{anyCall, 4, []int{32, 89, 135, 215}, nil, Unauthorized, ""},

	// The run looks at the own timeline.
	{create, 4, []int{187}, words{"duplicate content", "is a duplicate"}, Duplicate, ""},

	// This post is given up, the next is tried.
	{create, 4, []int{186}, words{"too long", "needs to be a bit shorter"}, Refused, "too long"},
	{create, 403, []int{433}, words{"not-authorized-for-resource", "reply to", "quote", "been mentioned"}, Refused, "reply or quote"},
	{create, 403, nil, words{"cashtag"}, Refused, "cashtags"},

	// As above: account and app, where only the words tell.
	{anyCall, 403, nil, words{"suspended"}, Forbidden, "suspended"},
	{anyCall, 403, nil, words{"temporarily locked", "account is locked", "account has been locked", "unlock your account"}, Forbidden, "locked"},
	{anyCall, 403, nil, words{"might be automated", "looks automated"}, Forbidden, "automated"},
	{anyCall, 403, nil, words{"write actions"}, Forbidden, "write-blocked"},
	{anyCall, 403, nil, words{"oauth1 app permissions", "read-only app"}, Forbidden, "read-only"},
	{anyCall, 403, nil, words{"attached to a project", "different access level"}, Forbidden, "not enrolled"},
	{anyCall, 400, nil, words{notJSON}, Forbidden, "not from X"},
	{anyCall, 403, nil, words{notJSON}, Forbidden, "not from X"},
	{anyCall, 404, nil, nil, Forbidden, "no such endpoint"},
	{anyCall, 405, nil, nil, Forbidden, "no such endpoint"},
	{anyCall, 410, nil, nil, Forbidden, "no such endpoint"},
	{anyCall, 3, nil, nil, Forbidden, "redirect"},
	{read, 403, nil, nil, Forbidden, ""},

	// The search moves its start and goes on.
	{read, 400, nil, words{"since_id…created after", "since_id…larger than"}, StaleSince, ""},

	// What is left: on Create this post is given up, elsewhere it is a mistake
	// of this program, which is reported.
	{create, 400, nil, nil, Refused, ""},
	{create, 403, nil, nil, Refused, ""},
	{anyCall, 4, nil, nil, BadRequest, ""},
}

func (r rule) match(on call, status int, codes []int, text string) bool {
	if r.on != anyCall && r.on != on || r.status != status && r.status != status/100 {
		return false
	}
	if r.codes == nil && r.words == nil {
		return true
	}
	return slices.ContainsFunc(codes, func(c int) bool { return slices.Contains(r.codes, c) }) ||
		r.words.in(text)
}

// A problem is the union of X's error bodies: RFC 9457 problems, the
// errors[].message of v2's invalid requests and the errors[].code of v1.1.
type problem struct {
	Type, Title, Detail, Reason string

	Errors []struct {
		Type, Title, Detail, Message string
		Code                         jsonID
	}
}

// classify makes the Error of an answer whose status is not 2xx. It reads no
// more than the body's first few texts and always returns a class.
func classify(on call, op string, status int, header http.Header, body []byte) *Error {
	e := &Error{Op: op, Status: status}
	text := notJSON
	var p problem
	if err := json.Unmarshal(body, &p); isObject(body, err) {
		e.Codes = p.codes()
		e.Type, e.Title, e.Detail = clip(p.Type, 500), clip(p.Title, 500), clip(p.detail(), 500)
		text = strings.ToLower(clip(p.Type+"\n"+p.Title+"\n"+p.Reason+"\n"+p.detail(), 8<<10))
	}
	i := slices.IndexFunc(rules, func(r rule) bool { return r.match(on, status, e.Codes, text) })
	if i < 0 { // 1xx, 6xx and up: not HTTP
		e.Class = unreadable(on)
		return e
	}
	e.Class, e.Reason = rules[i].class, rules[i].reason
	switch e.Class {
	case RateLimited:
		e.Reset = reset(header)
	case StaleSince:
		e.MinSince = minSince(text)
	}
	return e
}

// minSince returns the id in "Please use a 'since_id' that is larger than ID",
// or 0.
func minSince(text string) uint64 {
	_, id, _ := strings.Cut(text, "larger than ")
	id = strings.TrimPrefix(id, "'")
	end := strings.IndexFunc(id, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		id = id[:end]
	}
	return parseID(id)
}

// unreadable is the class of an answer that cannot be understood.
func unreadable(on call) Class {
	if on == create {
		return Unknown
	}
	return Unavailable
}

// isObject reports whether body was a JSON object, given the error that
// decoding it into a struct brought. A field of another type than expected
// leaves the other fields decoded.
func isObject(body []byte, err error) bool {
	var wrongType *json.UnmarshalTypeError
	return err == nil && string(body) != "null" || errors.As(err, &wrongType) && wrongType.Field != ""
}

func (p problem) codes() []int {
	var codes []int
	for _, e := range p.Errors {
		if e.Code != 0 {
			codes = append(codes, int(e.Code))
		}
	}
	return codes
}

// detail returns the problem's detail and those of its errors, once each.
func (p problem) detail() string {
	var all []string
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	add(p.Detail)
	for _, e := range p.Errors[:min(len(p.Errors), 10)] {
		add(e.Type)
		add(e.Message)
		add(e.Detail)
	}
	return strings.Join(all, "; ")
}

func clip(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}

// reset returns when the exhausted limit ends: the latest of those with
// nothing remaining, else the one of 15 minutes, else zero.
// See https://docs.x.com/x-api/fundamentals/rate-limits.
func reset(h http.Header) time.Time {
	var end int64
	for _, limit := range []string{"x-rate-limit-", "x-app-limit-24hour-", "x-user-limit-24hour-"} {
		if h.Get(limit+"remaining") == "0" {
			end = max(end, seconds(h.Get(limit+"reset")))
		}
	}
	if end == 0 {
		end = seconds(h.Get("x-rate-limit-reset"))
	}
	if end == 0 {
		return time.Time{}
	}
	return time.Unix(end, 0).UTC()
}

func seconds(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 48) // far beyond any date, and safe to compute with
	if err != nil {
		return 0
	}
	return max(n, 0)
}
