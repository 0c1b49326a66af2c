package x

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/superbots/pkg/rewrite"
)

// An entity is a link, mention, hashtag or cashtag of a text.
type entity struct {
	kind       string // "url", "mention", "hashtag", "cashtag"
	value      string // the link as written, the name, the tag
	start, end int
}

// served is a post as X shows it.
type served struct {
	found    []entity // of the text as written, in bytes
	text     string
	entities []entity // of text, in code points
	note     string   // the whole text of a long post, else empty
	noted    []entity // of note
}

// What may be an entity. Whether a link is one, X's text library decides.
var (
	links    = regexp.MustCompile(`(?i)https?://[^\s<>"]+|[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+(?:/[^\s<>"]*)?`)
	mentions = regexp.MustCompile(`(?:^|[^A-Za-z0-9_!#$%&*@＠/])[@＠]([A-Za-z0-9_]{1,20})`)
	hashtags = regexp.MustCompile(`(?:^|[^\pL\pM\pN_&/])[#＃]([\pL\pM\pN_]*[\pL\pM][\pL\pM\pN_]*)`)
	cashtags = regexp.MustCompile(`(?:^|\s)\$([A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?)\b`)
)

// scan finds the entities of a text, in order.
func scan(text string) []entity {
	var found []entity
	for _, at := range links.FindAllStringIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
		if at[0] > 0 && (unicode.IsLetter(before) || unicode.IsDigit(before) || strings.ContainsRune("@＠$#_-./", before)) {
			continue
		}
		if link := linked(text[at[0]:at[1]]); link != "" {
			found = append(found, entity{"url", link, at[0], at[0] + len(link)})
		}
	}
	urls := found
	for _, s := range []struct {
		kind string
		re   *regexp.Regexp
	}{{"mention", mentions}, {"hashtag", hashtags}, {"cashtag", cashtags}} {
		for _, at := range s.re.FindAllStringSubmatchIndex(text, -1) {
			_, sign := utf8.DecodeLastRuneInString(text[:at[2]])
			e := entity{s.kind, text[at[2]:at[3]], at[2] - sign, at[3]}
			if !slices.ContainsFunc(urls, func(u entity) bool { return e.start < u.end && u.start < e.end }) {
				found = append(found, e)
			}
		}
	}
	slices.SortFunc(found, func(a, b entity) int { return a.start - b.start })
	return found
}

// linkWeight is what X counts for a link, however long it is.
const linkWeight = 23

// linked returns the longest beginning of s, less trailing punctuation, that X
// links, or nothing. A link is what weighs as much as one.
func linked(s string) string {
	for s != "" {
		if rewrite.WithoutLinks(s) == "" {
			return s
		}
		last, size := utf8.DecodeLastRuneInString(s)
		if unicode.IsLetter(last) || unicode.IsDigit(last) {
			return ""
		}
		s = s[:len(s)-size]
	}
	return ""
}

// shorten returns the t.co link of a URL, always the same one.
func shorten(url string) string {
	sum := sha256.Sum256([]byte(url))
	return "https://t.co/" + new(big.Int).SetBytes(sum[:]).Text(62)[:10]
}

// serve makes of a post what X serves.
func serve(p *post) served {
	s := served{found: scan(p.Text)}
	full, entities := render(p.Text, s.found)
	page := fmt.Sprintf("https://x.com/%s/status/%d", p.author.Name, p.ID)
	s.text, s.entities = full, entities
	if rewrite.Weight(p.Text) > rewrite.MaxWeight {
		s.note, s.noted = full, entities
		s.text, s.entities = cut(full, entities)
		s.text, s.entities = attach(s.text+"…", s.entities, page)
	}
	if p.Media {
		s.text, s.entities = attach(s.text, s.entities, page+"/photo/1")
	}
	if p.QuoteOf != 0 {
		s.text, s.entities = attach(s.text, s.entities, fmt.Sprintf("https://x.com/i/status/%d", p.QuoteOf))
	}
	return s
}

// render escapes a text and replaces its links.
func render(text string, found []entity) (string, []entity) {
	var b strings.Builder
	var moved []entity
	points, last := 0, 0
	write := func(s string) {
		b.WriteString(s)
		points += utf8.RuneCountInString(s)
	}
	for _, e := range found {
		write(escapeHTML(text[last:e.start]))
		start, shown := points, text[e.start:e.end]
		if e.kind == "url" {
			shown = shorten(e.value)
		}
		write(shown)
		moved = append(moved, entity{e.kind, e.value, start, points})
		last = e.end
	}
	write(escapeHTML(text[last:]))
	return b.String(), moved
}

// escapeHTML escapes what X escapes, which is less than package html does.
func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// attach adds a link to the end of a served text.
func attach(text string, entities []entity, url string) (string, []entity) {
	text += " "
	start := utf8.RuneCountInString(text)
	text += shorten(url)
	return text, append(slices.Clip(entities), entity{"url", url, start, utf8.RuneCountInString(text)})
}

// cut shortens a served text so that an ellipsis and a link still fit, at a
// space where there is one and never inside an entity or an escape.
func cut(text string, entities []entity) (string, []entity) {
	const room = rewrite.MaxWeight - linkWeight - 3
	runes := []rune(text)
	end := min(room, len(runes))
	for i := end; i > 0; i-- {
		if runes[i-1] == ' ' {
			end = i - 1
			break
		}
	}
	if i := slices.IndexFunc(entities, func(e entity) bool { return e.start < end && end < e.end }); i >= 0 {
		end = entities[i].start
	}
	for i := end - 1; i >= max(0, end-len("&amp")) && runes[i] != ';'; i-- {
		if runes[i] == '&' {
			end = i
			break
		}
	}
	i := slices.IndexFunc(entities, func(e entity) bool { return e.end > end })
	if i < 0 {
		i = len(entities)
	}
	return string(runes[:end]), entities[:i]
}

// tokenize splits a text into what search compares: runs of letters, marks and
// digits, in lower case.
func tokenize(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
	})
}

// display is how a link is shown to people.
func display(url string) string {
	_, shown, _ := strings.Cut(expand(url), "://")
	r := []rune(strings.TrimPrefix(shown, "www."))
	if len(r) > 27 {
		return string(r[:26]) + "…"
	}
	return string(r)
}

// entitiesV2 is the entities field of v2.
func (x *X) entitiesV2(list []entity) map[string][]any {
	out := map[string][]any{}
	for _, e := range list {
		m := map[string]any{"start": e.start, "end": e.end}
		switch e.kind {
		case "url":
			m["url"], m["expanded_url"], m["display_url"] = shorten(e.value), expand(e.value), display(e.value)
		case "mention":
			m["username"] = e.value
			if a := x.account(e.value); a != nil {
				m["id"] = fmt.Sprint(a.ID)
			}
		default:
			m["tag"] = e.value
		}
		out[e.kind+"s"] = append(out[e.kind+"s"], m)
	}
	return out
}

// expand gives a bare domain its scheme.
func expand(url string) string {
	if !strings.Contains(url, "://") {
		return "http://" + url
	}
	return url
}
