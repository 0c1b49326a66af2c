package page_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/superbots/integration/local/x"
)

// What strangers write is text and nothing else: the page has the same elements
// as with harmless posts, and none of their scripts has run.
func TestHostilePosts(t *testing.T) {
	t.Parallel()
	elements := func(texts []string, author string) map[string]int {
		w := open(t, byHand, map[string]string{"BOT_POSTS_PER_RUN": "100"})
		eval[bool](w, `(window.hurt = 0, true)`)
		for i, text := range texts {
			w.Say(x.Post{Author: author, Text: text, CreatedAt: time.Now().Add(-time.Duration(i+1) * time.Second)})
		}
		w.step()
		w.until(fmt.Sprintf(`document.querySelectorAll("#pairs li").length === %d`, len(texts)))
		w.until(`known.run.size === bots.length`)
		if hurt := eval[int](w, `window.hurt`); hurt > 0 {
			t.Errorf("%d scripts of posts have run", hurt)
		}
		if wide := eval[int](w, `document.documentElement.scrollWidth`); wide > 1280 {
			t.Errorf("the page is %d pixels wide", wide)
		}
		if title := eval[string](w, `document.title`); title != "Superbots on this machine" {
			t.Errorf("the title is %q", title)
		}
		return eval[map[string]int](w, `(() => {
			const count = {};
			for (const e of document.querySelectorAll("#pairs li > .post *")) if (e.tagName !== "MARK") count[e.tagName] = (count[e.tagName] ?? 0) + 1;
			for (const tag of ["script", "img", "svg", "iframe", "style", "link", "meta", "base", "object", "form", "video"])
				count["all " + tag] = document.querySelectorAll(tag).length;
			return count;
		})()`)
	}
	hostile := hostilePosts()
	harmless := make([]string, len(hostile))
	for i := range harmless {
		harmless[i] = fmt.Sprintf("serverless %d", i)
	}
	want, got := elements(harmless, "ana"), elements(hostile, `<img src=x onerror=hurt++>`)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("elements with hostile posts %v, want %v", got, want)
	}
}

func hostilePosts() []string {
	var posts []string
	for _, attack := range []string{
		`<script>hurt++</script>`, `<img src=x onerror=hurt++>`, `<svg onload=hurt++>`, `<svg><script>hurt++</script></svg>`,
		`<iframe srcdoc="<script>parent.hurt++</script>">`, `<body onload=hurt++>`, `<style>*{display:none}</style>`,
		`</p></li></ol></main><h1>gone</h1>`, `<base href="https://example.com/">`, `<meta http-equiv=refresh content=0>`,
		`<link rel=stylesheet href=//example.com/x.css>`, `<form action=/break/kill method=post><button>OK</button></form>`,
		`<a href="javascript:hurt++">x</a>`, `javascript:hurt++`, `" onmouseover="hurt++`, `' onfocus='hurt++' autofocus='`,
		`{{.Token}}`, "${hurt++}", "`${hurt++}`", `\u003cscript\u003ehurt++\u003c/script\u003e`, `&lt;script&gt;hurt++&lt;/script&gt;`,
		`]]></script><script>hurt++</script>`, `<!-- --><script>hurt++</script>`, "\u2028hurt++\u2029", "\r\n\r\ndata: {}\r\n\r\nevent: reload\r\n\r\n",
		"\n\nevent: reload\ndata: {}\n\n", "\x00<script>hurt++</script>", "\x1b]0;title\x07", "broken \xff\xfe<script>hurt++</script>",
		"\u202egnirts desrever\u202c", "\u2066\u2067\u2068", strings.Repeat("\u200d", 100), "a" + strings.Repeat("\u0301", 2000),
		strings.Repeat("W", 5000), strings.Repeat("👨‍👩‍👧‍👦", 500), strings.Repeat("\n", 500), strings.Repeat("\t", 500), strings.Repeat("<b>", 1000),
		`<math><mi xlink:href="data:x,<script>hurt++</script>">`, `<object data="data:text/html,<script>parent.hurt++</script>">`,
		`<video><source onerror=hurt++></video>`, `<details open ontoggle=hurt++>`, `<input autofocus onfocus=hurt++>`,
		`<template><script>hurt++</script></template>`, `<noscript><p title="</noscript><img src=x onerror=hurt++>">`,
		`<div id=pairs>`, `<img name=getElementById>`, `__proto__`, `constructor`, `<marquee onstart=hurt++>`,
	} {
		posts = append(posts, "serverless "+attack)
	}
	return posts
}
