package x

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/superbots/pkg/rewrite"
)

// searchPeriod is how far recent search looks back.
const searchPeriod = 7 * 24 * time.Hour

// A param is a parameter of a v2 endpoint; check returns what is wrong with a value.
type param struct {
	name  string
	check func(name, value string) string
}

func number(low, high int) func(string, string) string {
	return func(name, v string) string {
		if n, err := strconv.Atoi(v); err != nil || n < low || n > high {
			return fmt.Sprintf("The `%s` query parameter value [%s] is not between %d and %d", name, v, low, high)
		}
		return ""
	}
}

func isID(s string) bool {
	digits := strings.Trim(s, "0123456789") == ""
	return digits && 1 <= len(s) && len(s) <= 19
}

func id(name, v string) string {
	if !isID(v) {
		return fmt.Sprintf("The `%s` query parameter value [%s] does not match ^[0-9]{1,19}$", name, v)
	}
	return ""
}

func instant(name, v string) string {
	if _, err := time.Parse(time.RFC3339, v); err != nil {
		return fmt.Sprintf("The `%s` query parameter value [%s] is not a valid RFC 3339 date-time", name, v)
	}
	return ""
}

func pageToken(name, v string) string {
	if _, ok := parsePage(v); !ok {
		return fmt.Sprintf("The `%s` query parameter value [%s] is not a token of this endpoint", name, v)
	}
	return ""
}

func oneOf(allowed ...string) func(string, string) string {
	return func(name, v string) string {
		for field := range strings.SplitSeq(v, ",") {
			if !slices.Contains(allowed, field) {
				return fmt.Sprintf("The `%s` query parameter value [%s] is not one of [%s]", name, field, strings.Join(allowed, ","))
			}
		}
		return ""
	}
}

func queryText(name, v string) string {
	if n := utf8.RuneCountInString(v); n < 1 || n > 512 {
		return fmt.Sprintf("The `%s` query parameter value must be between 1 and 512 characters long, not %d", name, n)
	}
	return ""
}

// Fields of a post in both vocabularies. Those without data here are accepted
// and left out.
var (
	tweetFields = []string{"attachments", "author_id", "context_annotations", "conversation_id", "created_at", "display_text_range",
		"edit_controls", "edit_history_tweet_ids", "entities", "geo", "id", "in_reply_to_user_id", "lang", "note_tweet",
		"possibly_sensitive", "public_metrics", "referenced_tweets", "reply_settings", "source", "text", "withheld"}
	postFields = strings.Split(postNames.Replace(strings.Join(tweetFields, ",")), ",")
	userFields = []string{"created_at", "description", "id", "name", "protected", "public_metrics", "url", "username", "verified"}
)

var postNames = strings.NewReplacer("edit_history_tweet_ids", "edit_history_post_ids", "note_tweet", "note_post", "referenced_tweets", "referenced_posts")

var pageParams = []param{
	{"since_id", id}, {"until_id", id},
	{"start_time", instant}, {"end_time", instant},
	{"pagination_token", pageToken},
	{"tweet.fields", oneOf(tweetFields...)}, {"post.fields", oneOf(postFields...)},
}

var (
	searchParams = append([]param{
		{"query", queryText}, {"max_results", number(10, 100)}, {"next_token", pageToken},
	}, pageParams...)
	timelineParams = append([]param{
		{"max_results", number(5, 100)}, {"exclude", oneOf("replies", "retweets")},
	}, pageParams...)
	meParams = []param{{"user.fields", oneOf(userFields...)}}
)

// check returns what is wrong with the parameters of a request.
func check(values url.Values, params []param) []invalid {
	var wrong []invalid
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.name
		list, given := values[p.name]
		if !given {
			continue
		}
		if message := p.check(p.name, list[0]); message != "" {
			wrong = append(wrong, invalid{map[string][]string{p.name: list}, message})
		}
	}
	slices.Sort(names)
	for name, list := range values {
		if !slices.Contains(names, name) {
			wrong = append(wrong, invalid{map[string][]string{name: list},
				fmt.Sprintf("The query parameter [%s] is not one of [%s]", name, strings.Join(names, ","))})
		}
	}
	for _, pair := range [][2]string{{"since_id", "start_time"}, {"until_id", "end_time"}} {
		if values.Has(pair[0]) && values.Has(pair[1]) {
			wrong = append(wrong, invalid{map[string][]string{pair[0]: values[pair[0]], pair[1]: values[pair[1]]},
				"Invalid use of 'since_id' or 'until_id' in conjunction with 'start_time' or 'end_time'."})
		}
	}
	return wrong
}

// A page token is the id of the last post of the page before.
const pagePrefix = "b26v"

func pageAfter(p *post) string { return pagePrefix + strconv.FormatUint(p.ID, 36) }

func parsePage(token string) (uint64, bool) {
	digits, ok := strings.CutPrefix(token, pagePrefix)
	id, err := strconv.ParseUint(digits, 36, 64)
	return id, ok && err == nil
}

// A span is what part of the posts a checked v2 request asks for.
type span struct {
	since, until uint64
	from, to     time.Time
	limit        int
}

func (c *call) span() span {
	s := span{to: c.now, limit: 10}
	s.since, _ = strconv.ParseUint(c.values.Get("since_id"), 10, 64)
	s.until, _ = strconv.ParseUint(c.values.Get("until_id"), 10, 64)
	if v := c.values.Get("max_results"); v != "" {
		s.limit, _ = strconv.Atoi(v)
	}
	for _, name := range []string{"next_token", "pagination_token"} {
		if before, ok := parsePage(c.values.Get(name)); ok {
			s.until = before
		}
	}
	if t, err := time.Parse(time.RFC3339, c.values.Get("start_time")); err == nil {
		s.from = t
	}
	if t, err := time.Parse(time.RFC3339, c.values.Get("end_time")); err == nil && t.Before(s.to) {
		s.to = t
	}
	return s
}

func (s span) contains(p *post) bool { return !p.CreatedAt.Before(s.from) && !p.CreatedAt.After(s.to) }

func (x *X) searchV2(c *call) answer {
	wrong := check(c.values, searchParams)
	if !c.values.Has("query") {
		wrong = append(wrong, invalid{map[string][]string{"query": {""}}, "The `query` query parameter can not be empty"})
	}
	if len(wrong) > 0 {
		return x.refuse(wrong...)
	}
	s := c.span()
	oldest := c.now.Add(-searchPeriod)
	if bound := snowflake(oldest); c.values.Has("since_id") && s.since < bound {
		return x.refuse(invalid{map[string][]string{"since_id": c.values["since_id"]},
			fmt.Sprintf("'since_id' must be a tweet id created after %s. Please use a 'since_id' that is larger than %d",
				oldest.UTC().Format("2006-01-02T15:04Z"), bound)})
	}
	if c.values.Has("start_time") && s.from.Before(oldest) {
		return x.refuse(invalid{map[string][]string{"start_time": c.values["start_time"]},
			fmt.Sprintf("'start_time' must be on or after %s.", oldest.UTC().Format("2006-01-02T15:04Z"))})
	}
	text := c.values.Get("query")
	match, err := parseQuery(text, false)
	if err != nil {
		return x.refuse(invalid{map[string][]string{"query": {text}}, err.Error()})
	}
	return x.page(c, s, func(p *post) bool { return x.indexed(p, c.now) && s.contains(p) && match(p) })
}

// indexed reports whether search knows a post.
func (x *X) indexed(p *post, now time.Time) bool {
	return !p.CreatedAt.Before(now.Add(-searchPeriod)) && !p.CreatedAt.After(now.Add(-x.IndexDelay)) && !p.indexed.After(now)
}

func (x *X) timelineV2(c *call) answer {
	wrong := check(c.values, timelineParams)
	user := c.PathValue("id")
	if !isID(user) {
		wrong = append(wrong, invalid{map[string][]string{"id": {user}}, id("id", user)})
	}
	if len(wrong) > 0 {
		return x.refuse(wrong...)
	}
	s := c.span()
	i := slices.IndexFunc(x.accounts, func(a *Account) bool { return strconv.FormatUint(a.ID, 10) == user })
	if i < 0 {
		return answer{status: 200, doc: map[string]any{"errors": []any{x.notFound("user", "id", user)}}}
	}
	noReplies := strings.Contains(c.values.Get("exclude"), "replies")
	noRetweets := strings.Contains(c.values.Get("exclude"), "retweets")
	return x.page(c, s, func(p *post) bool {
		return p.author == x.accounts[i] && s.contains(p) && !(noReplies && p.ReplyTo != 0) && !(noRetweets && p.RetweetOf != 0)
	})
}

// page answers with the newest posts of a span, and bills them.
func (x *X) page(c *call, s span, match func(*post) bool) answer {
	found, more := x.find(s.since, s.until, s.limit, match)
	meta := map[string]any{"result_count": len(found)}
	doc := map[string]any{"meta": meta}
	if len(found) == 0 {
		return answer{status: 200, doc: doc}
	}
	meta["newest_id"], meta["oldest_id"] = fmt.Sprint(found[0].ID), fmt.Sprint(found[len(found)-1].ID)
	if more {
		meta["next_token"] = pageAfter(found[len(found)-1])
	}
	data := []any{}
	for _, p := range found {
		data = append(data, x.postV2(c, p))
		c.app.payRead(p, c.now)
	}
	doc["data"] = data
	return answer{status: 200, doc: doc}
}

// millis is how v2 writes a time.
const millis = "2006-01-02T15:04:05.000Z"

// postV2 is a post with the asked fields, in the vocabulary they were asked in.
func (x *X) postV2(c *call, p *post) map[string]any {
	asked := strings.Split(c.values.Get("tweet.fields"), ",")
	name := func(s string) string { return s }
	if c.values.Has("post.fields") {
		asked, name = strings.Split(c.values.Get("post.fields"), ","), postNames.Replace
	}
	all := map[string]any{
		"author_id":          fmt.Sprint(p.author.ID),
		"created_at":         p.CreatedAt.UTC().Format(millis),
		"lang":               p.Lang,
		"possibly_sensitive": p.Sensitive,
	}
	if len(p.entities) > 0 {
		all["entities"] = x.entitiesV2(p.entities)
	}
	if p.note != "" {
		note := map[string]any{"text": p.note}
		if len(p.noted) > 0 {
			note["entities"] = x.entitiesV2(p.noted)
		}
		all[name("note_tweet")] = note
	}
	var references []any
	for _, r := range []struct {
		kind string
		id   uint64
	}{{"retweeted", p.RetweetOf}, {"quoted", p.QuoteOf}, {"replied_to", p.ReplyTo}} {
		if r.id != 0 {
			references = append(references, map[string]any{"type": r.kind, "id": fmt.Sprint(r.id)})
		}
	}
	if references != nil {
		all[name("referenced_tweets")] = references
	}
	if target := x.post(p.ReplyTo); target != nil {
		all["in_reply_to_user_id"] = fmt.Sprint(target.author.ID)
	}
	history := []string{}
	for _, id := range *p.history {
		history = append(history, fmt.Sprint(id))
	}
	doc := map[string]any{"id": fmt.Sprint(p.ID), "text": p.text, name("edit_history_tweet_ids"): history}
	for _, field := range asked {
		if v, ok := all[field]; ok {
			doc[field] = v
		}
	}
	return doc
}

func userV2(a *Account) map[string]any {
	return map[string]any{"id": fmt.Sprint(a.ID), "name": a.Name, "username": a.Name}
}

func (x *X) meV2(c *call) answer {
	if wrong := check(c.values, meParams); wrong != nil {
		return x.refuse(wrong...)
	}
	return answer{status: 200, doc: map[string]any{"data": userV2(c.account)}}
}

func (x *X) createV2(c *call) answer {
	if t, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); t != "application/json" {
		return x.refuse(invalid{map[string][]string{}, "Requests with bodies must have content-type of application/json."})
	}
	if wrong := check(c.values, nil); wrong != nil {
		return x.refuse(wrong...)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &fields); err != nil || !utf8.Valid(c.body) {
		return x.refuse(invalid{map[string][]string{}, "The body is not a JSON object."})
	}
	var wrong []invalid
	for name := range fields {
		switch name {
		case "text":
		case "quote_tweet_id":
			return x.body("not-engaged")
		case "reply":
			return x.body("reply-refused")
		default:
			wrong = append(wrong, invalid{map[string][]string{name: {string(fields[name])}},
				fmt.Sprintf("$.%s: is not defined in the schema and the schema does not allow additional properties", name)})
		}
	}
	var text string
	if err := json.Unmarshal(fields["text"], &text); err != nil || strings.TrimSpace(text) == "" {
		wrong = append(wrong, invalid{map[string][]string{"text": {string(fields["text"])}}, "$.text: must be a string of at least 1 character"})
	}
	if wrong != nil {
		return x.refuse(wrong...)
	}
	p, refused := x.create(c, text, 0)
	if refused != "" {
		return x.body(refused)
	}
	return answer{status: 201, doc: map[string]any{"data": x.postV2(c, p)}}
}

// duplicateWindow is how long the same text of the same account is refused. How
// long X does is not known.
const duplicateWindow = 24 * time.Hour

// create posts a text, or names the body that refuses it.
func (x *X) create(c *call, text string, replyTo uint64) (*post, string) {
	if rewrite.Weight(text) > rewrite.MaxWeight {
		return nil, "too-long"
	}
	for _, p := range slices.Backward(x.posts) {
		if p.author == c.account && strings.TrimSpace(p.Text) == strings.TrimSpace(text) && c.now.Sub(p.CreatedAt).Abs() < duplicateWindow {
			return nil, "duplicate"
		}
	}
	p := Post{Author: c.account.Name, Text: text, CreatedAt: c.now, ReplyTo: replyTo}
	entities := scan(text)
	count := func(kind string) (n int) {
		for _, e := range entities {
			if e.kind == kind {
				n++
			}
		}
		return n
	}
	if count("cashtag") > 1 {
		return nil, "cashtags"
	}
	price := int64(priceCreate)
	if count("url") > 0 {
		price = priceCreateWithLink
	}
	c.app.pay(price)
	return x.add(p, c.now), ""
}
