package x

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// rubyDate is how v1.1 writes a time.
const rubyDate = "Mon Jan 02 15:04:05 -0700 2006"

// spanV1 reads the paging parameters that v1.1's endpoints share. v1.1 ignores
// parameters that it does not know.
func (c *call) spanV1(count, highest int) (span, bool) {
	s := span{to: c.now, limit: count}
	ok := true
	read := func(name string) uint64 {
		v := c.values.Get(name)
		n, err := strconv.ParseUint(v, 10, 63)
		ok = ok && (v == "" || err == nil)
		return n
	}
	s.since = read("since_id")
	if last := read("max_id"); last != 0 {
		s.until = last + 1 // max_id is inclusive
	}
	if n := read("count"); n != 0 {
		s.limit = int(min(n, uint64(highest)))
	}
	return s, ok
}

func (x *X) searchV1(c *call) answer {
	text := c.values.Get("q")
	if text == "" {
		return x.body("no-query-v1")
	}
	s, ok := c.spanV1(15, 100)
	match, err := parseQuery(text, true)
	if !ok || err != nil || len(text) > 500 {
		return x.body("bad-parameter-v1")
	}
	lang := c.values.Get("lang")
	found, more := x.find(s.since, s.until, s.limit, func(p *post) bool {
		return x.indexed(p, c.now) && match(p) && (lang == "" || strings.EqualFold(lang, p.Lang))
	})
	meta := map[string]any{
		"completed_in": 0.01, "count": s.limit, "query": url.QueryEscape(text),
		"since_id": s.since, "since_id_str": fmt.Sprint(s.since),
		"max_id": 0, "max_id_str": "0",
	}
	if len(found) > 0 {
		meta["max_id"], meta["max_id_str"] = found[0].ID, fmt.Sprint(found[0].ID)
		meta["refresh_url"] = fmt.Sprintf("?since_id=%d&q=%s", found[0].ID, url.QueryEscape(text))
	}
	if more {
		meta["next_results"] = fmt.Sprintf("?max_id=%d&q=%s", found[len(found)-1].ID-1, url.QueryEscape(text))
	}
	return answer{status: 200, doc: map[string]any{"statuses": x.statuses(c, found), "search_metadata": meta}}
}

func (x *X) timelineV1(c *call) answer {
	s, ok := c.spanV1(20, 200)
	if !ok {
		return x.body("bad-parameter-v1")
	}
	account := c.account
	for _, name := range []string{"user_id", "screen_name"} {
		if v := c.values.Get(name); v != "" {
			if account = x.account(v); account == nil {
				return x.body("no-page-v1")
			}
		}
	}
	noReplies, noRetweets := c.values.Get("exclude_replies") == "true", c.values.Get("include_rts") == "false"
	found, _ := x.find(s.since, s.until, s.limit, func(p *post) bool {
		return p.author == account && s.contains(p) && !(noReplies && p.ReplyTo != 0) && !(noRetweets && p.RetweetOf != 0)
	})
	return answer{status: 200, doc: x.statuses(c, found)}
}

func (x *X) meV1(c *call) answer { return answer{status: 200, doc: userV1(c.account)} }

func (x *X) createV1(c *call) answer {
	text := c.values.Get("status")
	if strings.TrimSpace(text) == "" {
		return x.body("no-status-v1")
	}
	replyTo, _ := strconv.ParseUint(c.values.Get("in_reply_to_status_id"), 10, 64)
	p, refused := x.create(c, text, replyTo)
	switch refused {
	case "":
		return answer{status: 200, doc: x.status(c, p)}
	case "cashtags":
		return x.body(refused)
	}
	return x.body(refused + "-v1")
}

func (x *X) statuses(c *call, posts []*post) []any {
	list := []any{}
	for _, p := range posts {
		list = append(list, x.status(c, p))
		c.app.payRead(p, c.now)
	}
	return list
}

func (x *X) status(c *call, p *post) map[string]any {
	doc := map[string]any{
		"id":                      p.ID,
		"id_str":                  fmt.Sprint(p.ID),
		"created_at":              p.CreatedAt.UTC().Format(rubyDate),
		"user":                    userV1(p.author),
		"lang":                    p.Lang,
		"is_quote_status":         p.QuoteOf != 0,
		"in_reply_to_status_id":   nil,
		"in_reply_to_user_id":     nil,
		"in_reply_to_screen_name": nil,
		"entities":                x.entitiesV1(p.entities),
		"truncated":               false,
	}
	if p.has("url") {
		doc["possibly_sensitive"] = p.Sensitive // v1.1 says so of posts with a link only
	}
	if c.values.Get("tweet_mode") == "extended" {
		doc["full_text"] = p.text
	} else {
		doc["text"] = p.text
	}
	if p.ReplyTo != 0 {
		doc["in_reply_to_status_id"], doc["in_reply_to_status_id_str"] = p.ReplyTo, fmt.Sprint(p.ReplyTo)
		if target := x.post(p.ReplyTo); target != nil {
			doc["in_reply_to_user_id"], doc["in_reply_to_screen_name"] = target.author.ID, target.author.Name
		}
	}
	if p.RetweetOf != 0 {
		doc["retweeted_status"] = x.reference(c, p.RetweetOf)
	}
	if p.QuoteOf != 0 {
		doc["quoted_status_id"], doc["quoted_status_id_str"] = p.QuoteOf, fmt.Sprint(p.QuoteOf)
	}
	return doc
}

// reference is a status inside another, as much as this world knows of it.
func (x *X) reference(c *call, id uint64) map[string]any {
	if p := x.post(id); p != nil {
		return x.status(c, p)
	}
	return map[string]any{"id": id, "id_str": fmt.Sprint(id)}
}

func userV1(a *Account) map[string]any {
	return map[string]any{"id": a.ID, "id_str": fmt.Sprint(a.ID), "name": a.Name, "screen_name": a.Name}
}

func (x *X) entitiesV1(list []entity) map[string]any {
	urls, mentions, hashtags, symbols := []any{}, []any{}, []any{}, []any{}
	for _, e := range list {
		m := map[string]any{"indices": []int{e.start, e.end}}
		switch e.kind {
		case "url":
			m["url"], m["expanded_url"], m["display_url"] = shorten(e.value), expand(e.value), display(e.value)
			urls = append(urls, m)
		case "mention":
			m["screen_name"] = e.value
			if a := x.account(e.value); a != nil {
				m["id"], m["id_str"] = a.ID, fmt.Sprint(a.ID)
			}
			mentions = append(mentions, m)
		case "hashtag":
			m["text"] = e.value
			hashtags = append(hashtags, m)
		case "cashtag":
			m["text"] = e.value
			symbols = append(symbols, m)
		}
	}
	return map[string]any{"urls": urls, "user_mentions": mentions, "hashtags": hashtags, "symbols": symbols}
}
