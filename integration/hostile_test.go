package integration_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/rewrite"
)

// Whatever strangers write, a run ends well: each post is skipped with a reason,
// or becomes a text that cannot hurt anybody.
func TestHostilePosts(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_QUERY": "from:mallory", "BOT_POSTS_PER_RUN": "100", "BOT_POSTS_PER_DAY": "100"})
	for i, text := range []string{
		strings.Repeat("serverless ", 10_000),
		"serverless " + strings.Repeat("a", 100_000),
		"serverless " + strings.Repeat("https://example.com/ ", 5_000),
		"serverless " + strings.Repeat("@ana ", 5_000),
		"serverless " + strings.Repeat("👨‍👩‍👧‍👦", 3_000),
		"serverless " + strings.Repeat("e\u0301\u0302\u0303", 9_000),
		strings.Repeat("(", 50_000) + "serverless" + strings.Repeat(")", 50_000),
		"broken \xff\xfe UTF-8 serverless",
		"\u202eesrever\u202c serverless \u2066hidden\u2069",
		"\x1b]0;title\x07\x1b[2Jserverless\x00",
		"serverless @ana ＠ana @\u200bana &#64;ana &#x40;ana",
		"serverless <script>alert(1)</script><img src=x onerror=alert(1)>",
		`serverless {{.}} ${jndi:ldap://127.0.0.1/a} %s%n $(reboot) '; DROP TABLE posts; --`,
		"serverless \r\nHTTP/1.1 200 OK\r\n\r\n",
		"serverless hxxp example.com/login examp\u200ble.com 。com",
		"serverless $AMZN $MSFT $GOOG",
	} {
		w.X.Add(x.Post{Author: "mallory", Text: text, CreatedAt: time.Now().Add(-time.Duration(i+1) * time.Minute)})
	}
	report := w.tick(superman)
	if n := report.Posted + total(report.Skipped); report.Found != 16 || n != 16 || report.Posted == 0 || report.Dead+report.Pending+report.Unknown > 0 {
		t.Errorf("report %+v, want all 16 posted or skipped", report)
	}
	for _, text := range w.posted(superman) {
		if rewrite.Weight(text) > rewrite.MaxWeight {
			t.Errorf("%q weighs %d", text, rewrite.Weight(text))
		}
		if rewrite.WithoutLinks(text) != text {
			t.Errorf("%q has a link", text)
		}
		if strings.ContainsAny(text, "@＠") {
			t.Errorf("%q has an @", text)
		}
		for _, r := range text {
			if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%q has %U", text, r)
			}
		}
	}
	if again := w.tick(superman); again.Found+again.Posted > 0 {
		t.Errorf("the next run %+v, want nothing left", again)
	}
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
