package x

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/superbots/pkg/rewrite"
)

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func TestScan(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"nothing here, Node.js neither", ""},
		{"see https://example.com/a?b=c#d.", "url:https://example.com/a?b=c#d"},
		{"(https://en.wikipedia.org/wiki/Serverless_(a))", "url:https://en.wikipedia.org/wiki/Serverless_(a)"},
		{"read serverless.com, or http://example.org", "url:serverless.com url:http://example.org"},
		{"streamsx.topology: a library", ""},
		{"abcdefghijk.lmnopqrstuv", ""}, // as long as a link weighs
		{"abcdefghijk-lmnopqr.com", "url:abcdefghijk-lmnopqr.com"},
		{"mail me@example.com", ""},
		{"@serverless.com", "mention:serverless"},
		{"hi @joe and .@ann, not a@b", "mention:joe mention:ann"},
		{"#one #2 a#four #fünf", "hashtag:one hashtag:fünf"},
		{"$AAPL $GOOG, $10 US$5", "cashtag:AAPL cashtag:GOOG"},
		{"https://example.com/@joe/#x", "url:https://example.com/@joe/#x"},
	} {
		var got []string
		for _, e := range scan(test.text) {
			got = append(got, e.kind+":"+e.value)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q\n got %s\nwant %s", test.text, strings.Join(got, " "), test.want)
		}
	}
}

func TestServedText(t *testing.T) {
	const url = "https://example.com/serverless"
	p := New().add(Post{Author: "ann", Text: "<b> & é #tag " + url + " bare.com @joe " + url}, time.Now())
	short, bare := shorten(url), shorten("bare.com")
	if want := "&lt;b&gt; &amp; é #tag " + short + " " + bare + " @joe " + short; p.text != want {
		t.Errorf("got %s\nwant %s", p.text, want)
	}
	if ok := strings.HasPrefix(short, "https://t.co/") && len(short) == linkWeight && short != bare; !ok {
		t.Errorf("links %s and %s", short, bare)
	}
	var got []string
	for _, e := range p.entities {
		got = append(got, string([]rune(p.text)[e.start:e.end]))
	}
	if want := []string{"#tag", short, bare, "@joe", short}; !slices.Equal(got, want) {
		t.Errorf("entities stand at %q, want %q", got, want)
	}
}

func TestLongPost(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("serverless & more ", 30),
		strings.Repeat("x", 1000),
		strings.Repeat("https://example.com/serverless ", 15),
		strings.Repeat("#tag", 1) + strings.Repeat(" 大数据", 120),
	} {
		p := New().add(Post{Author: "ann", Text: text}, time.Now())
		if !strings.HasPrefix(p.note, p.text[:20]) || !strings.HasSuffix(escapeHTML(text), p.note[len(p.note)-1:]) {
			t.Errorf("note %q of %q", p.note, text)
		}
		head, link, ok := strings.Cut(p.text, "… https://t.co/")
		if !ok || len(link) != 10 || !strings.HasPrefix(p.note, head) || utf8.RuneCountInString(p.text) > rewrite.MaxWeight {
			t.Errorf("text %q (%d)", p.text, utf8.RuneCountInString(p.text))
		}
		last := p.entities[len(p.entities)-1]
		if got := string([]rune(p.text)[last.start:last.end]); got != "https://t.co/"+link {
			t.Errorf("the last entity is %q", got)
		}
	}
	if p := New().add(Post{Author: "ann", Text: strings.Repeat("x", 280)}, time.Now()); p.note != "" || p.text != p.Text {
		t.Errorf("280 characters are cut to %q", p.text)
	}
}

func TestLongPostIsCutBetweenParts(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{strings.Repeat("x", 245) + ":https://example.com/a\"" + strings.Repeat("y", 99), strings.Repeat("x", 245) + ":"},
		{strings.Repeat("x", 251) + "&" + strings.Repeat("y", 99), strings.Repeat("x", 251)},
		{strings.Repeat("x", 249) + "&" + strings.Repeat("y", 99), strings.Repeat("x", 249) + "&amp;"},
	} {
		p := New().add(Post{Author: "ann", Text: test.text}, time.Now())
		if head, _, _ := strings.Cut(p.text, "…"); head != test.want {
			t.Errorf("%.30s… is cut to …%s (%d)", test.text, head[len(head)-10:], len(head))
		}
	}
}

func TestMediaAndQuotesAreLinks(t *testing.T) {
	p := New().add(Post{Author: "ann", Text: "look", Media: true, QuoteOf: 12}, time.Now())
	words := strings.Fields(p.text)
	if len(words) != 3 || words[0] != "look" || words[1] == words[2] || len(p.entities) != 2 {
		t.Errorf("text %q, entities %v", p.text, p.entities)
	}
}
