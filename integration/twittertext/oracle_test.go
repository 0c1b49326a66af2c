// Package twittertext_test holds pkg/rewrite against twitter-text, X's own
// library, run by Node.
package twittertext_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"example.com/superbots/pkg/rewrite"
)

var bots = []rewrite.Words{
	{Find: regexp.MustCompile(`(?i)serverless`), Replace: "Superman"},
	{Find: regexp.MustCompile(`(?i)big[ -]?data`), Replace: "Batman"},
}

// seen is what twitter-text makes of a text.
type seen struct {
	Weight   int
	Links    []string
	Rest     string // the text without its links
	Mentions []string
	Cashtags []string
	Hashtags []string
}

func node(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("this test needs Node 20 or later: apt-get install nodejs npm, or https://nodejs.org/")
	}
	if _, err := os.Stat("node_modules/twitter-text"); err != nil {
		t.Fatal("twitter-text is not installed: npm ci --prefix integration/twittertext")
	}
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node %s: %v\n%s", args[0], err, stderr.Bytes())
	}
	return out
}

func ask(t *testing.T, texts []string) []seen {
	t.Helper()
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	var answers []seen
	if err := json.Unmarshal(node(t, in, "oracle.mjs"), &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(texts) {
		t.Fatalf("twitter-text answered %d of %d texts", len(answers), len(texts))
	}
	return answers
}

// TestTables reports tables that are not what the installed packages hold.
func TestTables(t *testing.T) {
	const file = "../../pkg/rewrite/tables.go"
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := node(t, nil, "generate.mjs"); !bytes.Equal(got, want) {
		t.Errorf("%s is not what the generator prints: node integration/twittertext/generate.mjs > pkg/rewrite/tables.go", file)
	}
}

func TestWeightAndLinks(t *testing.T) {
	texts := slices.Concat(corpus(t), awkward(), generated(6000))
	wrong := 0
	for i, want := range ask(t, texts) {
		text := texts[i]
		if got := rewrite.Weight(text); got != want.Weight {
			t.Errorf("Weight(%+q) = %d, twitter-text counts %d", text, got, want.Weight)
			wrong++
		}
		if got := rewrite.WithoutLinks(text); got != want.Rest && !ambiguous(text, want.Links) {
			t.Errorf("WithoutLinks(%+q) = %+q, twitter-text leaves %+q and links %+q", text, got, want.Rest, want.Links)
			wrong++
		}
		if wrong >= 20 {
			t.Fatal("and so on")
		}
	}
}

// ambiguous reports whether a domain without a protocol also stands where it is no
// link, as in "x.comic中x.com": twitter-text looks for it once more after it has
// matched, and takes the first it finds.
func ambiguous(text string, links []string) bool {
	return slices.ContainsFunc(links, func(link string) bool {
		domain, _, _ := strings.Cut(link, "/")
		return !strings.HasSuffix(domain, ":") && strings.Count(text, domain) > 1
	})
}

// TestOutputs rewrites every text by both bots, for both ways with links, and
// looks at what would be posted.
func TestOutputs(t *testing.T) {
	type output struct {
		source, text string
		links        rewrite.Links
	}
	var outputs []output
	var texts []string
	for _, source := range slices.Concat(corpus(t), awkward(), generated(6000)) {
		for _, bot := range bots {
			for _, links := range []rewrite.Links{rewrite.Drop, rewrite.Keep} {
				text, skip := bot.Rewrite(source, links)
				if skip != "" {
					continue
				}
				outputs = append(outputs, output{source, text, links})
				texts = append(texts, text)
			}
		}
	}
	if len(outputs) < 1000 {
		t.Fatalf("only %d texts were rewritten", len(outputs))
	}
	for i, seen := range ask(t, texts) {
		out := outputs[i]
		if seen.Weight > rewrite.MaxWeight {
			t.Errorf("%+q became %+q, which weighs %d", out.source, out.text, seen.Weight)
		}
		if len(seen.Mentions) > 0 {
			t.Errorf("%+q became %+q, which mentions %q", out.source, out.text, seen.Mentions)
		}
		if len(seen.Cashtags) > 1 {
			t.Errorf("%+q became %+q, which has the cashtags %q", out.source, out.text, seen.Cashtags)
		}
		if out.links == rewrite.Drop && len(seen.Links) > 0 {
			t.Errorf("%+q became %+q, which links %q", out.source, out.text, seen.Links)
		}
	}
}

// TestFit cuts long texts and holds the links and hashtags of the result against
// those of the whole.
func TestFit(t *testing.T) {
	var long []string
	texts := slices.Concat(awkward(), generated(3000))
	for i := 0; i+12 <= len(texts); i += 12 {
		for _, glue := range []string{" ", ""} {
			long = append(long, norm.NFC.String(strings.Join(texts[i:i+12], glue)))
		}
	}
	var fits []string
	for _, text := range long {
		fits = append(fits, rewrite.Fit(text))
	}
	whole, cut := ask(t, long), ask(t, fits)
	for i := range long {
		if cut[i].Weight > rewrite.MaxWeight {
			t.Errorf("Fit(%+q) = %+q, which weighs %d", long[i], fits[i], cut[i].Weight)
		}
		for _, tag := range cut[i].Hashtags {
			if !slices.Contains(whole[i].Hashtags, tag) {
				t.Errorf("Fit(%+q) = %+q, which has a new hashtag %q", long[i], fits[i], tag)
			}
		}
		for _, link := range cut[i].Links {
			if !slices.Contains(whole[i].Links, link) {
				t.Errorf("Fit(%+q) = %+q, which has a new link %q", long[i], fits[i], link)
			}
		}
	}
}

// corpus returns real posts, if the machine has them.
func corpus(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("../../../shared/corpus/posts.jsonl")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var post struct{ Text string }
		if err := json.Unmarshal(lines.Bytes(), &post); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, post.Text)
	}
	return texts
}

func awkward() []string {
	long := strings.Repeat
	return []string{
		"", " ", "a", "é", "e\u0301", "中", "…", "“quoted” – dash", "€5", "\u200d\u200e\u202e", "\ufeff\ufffe\uffff", "\ufffd",
		"a" + long("\u0301", 35) + "b", "ﬁ", "각", "각", "क्\u200dष", "\u034f", "a\u034f\u0301",
		"serverless.com", "Serverless.Com", "see serverless.com.", "serverless.community", "serverless.comm", "node.js asp.net",
		"http://serverless.com/a_(b)_c", "http://x.com/(a(b)c)d", "http://x.com/((a))", "http://x.com/()a", "http://x.com/(a", "http://x.com/a.",
		"http://x.com?", "http://x.com?a=b&", "http://x.com?a.", "http://x.com/?a,b", "x.com:80", "x.com:80/a", "x.com:/a", "x.com?q=1", "http://x.com:80?q",
		"-x.com", "_x.com", ".x.com", "/x.com", "a_b.com", "a_b.c.com", "a.b_c.com", "a_中b.com", "a-.com", "a.-b.com", "é-a.com", "éa.com", "中a.com", "a中.com",
		"http://中.com", "http://a_b.com", "中.みんな", "a.みんな", "example.comは.みんな", "example.comは.みんな/path", "example.com🙂.みんな/", "example.com🙂🙂.みんな/p", "example.com👩\u200d👩\u200d👧.みんな/", "example.com👩\u200d👩\u200d👧.みんな/abc",
		"🙂x.com", "a🙂x.com", "x.com🙂", "http://🙂.com", "x.com中", "x.com.", "x.com..", "x.com.au", "x.co.x", "x.com@y", "x.com+y", "x.com-y", "x@y.com", "x.com,y.com", "a.com/b.com c.com",
		"http://t.co/abc", "https://t.co/abcdef?x=1", "http://t.co/abcé.com", "http://t.co/abc(foo.com)", "http://t.co/" + long("a", 40), "http://t.co/" + long("a", 41), "t.co/abc", "http://t.co/", "http://T.CO/abc/def", "http://t.co/abc@foo", "http://t.co/abc,foo.com",
		"xn--a.com", "http://xn--é.com", "http://xn--中.com", "XN--中.com", "x.xn--p1ai", "x.xn--p1ai@y", "x.xn--", "x.XN--P1AI", "x.РФ", "x.рф", "x.ვგე", "x.გე", "x.ᲒᲔ", "x.ελ", "x.ΕΛ", "ſ.com", "httpſ://x.com", "x.ıt", "x.vermögensberatung", "x.VERMÖGENSBERATER",
		long("a", 63) + ".com", long("a", 64) + ".com", long("é", 50) + ".com", "http://" + long("é", 63) + ".com", "http://" + long("中", 20) + ".com", "http://" + long("中", 50) + ".com",
		"a。b.com", "http://a。b.com", "http://" + long("a", 31) + "。" + long("a", 31) + ".com", "http://" + long("a", 31) + "。" + long("a", 32) + ".com", "http://。.com", "\x01a.com", "http://\x01a.com",
		"http://x.com/" + long("a", 4076), "http://x.com/" + long("a", 4077), "http://x.com/" + long("a", 4083), "x.com/" + long("a", 4082), "x.com/" + long("a", 4083), "🙂x.com/" + long("a", 4083),
		"x.com/ι", "x.com/ß–", "x.com/ы", "xι.com", "x\u0345.com", "x.com/\u0345", "ⱥ.com",
		"👍", "👍🏽", "👩\u200d👩\u200d👧\u200d👦", "👩\u200d💻", "🏳️\u200d🌈", "🏴\u200d☠️", "🇩🇪", "🇩🇪🇫🇷", "🇩", "🇽🇽", "1⃣", "1️⃣", "#️⃣", "*⃣", "1️", "©", "©️", "™", "™️", "☎︎", "❤", "❤️", "\ufe0f", "\ufe0f\ufe0f", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🧑\u200d🚀", "🫠", "👁\u200d🗨", "👁️\u200d🗨️", "⛹🏽\u200d♀️", "⛹️\u200d♀️", "\ue50a", "〽️",
		"x.com/1⃣", "x.com/#️⃣", "1⃣.com", "http://1⃣.com",
		"@name serverless", "@@name serverless", "serverless@@name", "＠name serverless", "a@name serverless", "RT@name serverless", "xrt@name serverless", "-rt@serverless serverless", "rt:@name serverless", "rt@serverless.com serverless",
		"serverless &#64;name", "serverless &amp;#64;name", "serverless @\u200bname", "serverless @\u034fname", "serverless @\ufe0fname", "serverless @\u202ename", "serverless @\u00adname", "serverless @\U000e0061name", "@serverless.com/x?y serverless", "@https://x.com serverless", "#@name serverless", "$@ab $@cd serverless",
		"serverless http&#58;//x.com x\u200b.com x.\u2060com", "serverless rt (http://x.com)@name", "serverless rt(http://x.com)@name", "serverless a@(http://x.com)name", "@rt@serverless serverless", "serverless john.co.jane@x.com", "serverless@latest", "serverless@serverless.com a@serverless",
		"$serverless $bigdata", "$bigdata $a", "$BIG-DATA\n$b", "serverless $a,$b $c", "serverless $abcdef. $abcdefg $a.b", "serverless $a\u2028$b", "serverless $a\u0085$b",
		"big http://x.com data big data", "#big data#bigdata", "http://big data.com big data", long("a", 54) + "serverless.com", "x" + long("-serverless", 6) + ".com serverless",
		"serverless" + long("x", 300), "serverless " + long("中", 300), "serverless #" + long("x", 300), "#" + long("serverless", 40), "serverless " + long("a.co ", 300), "serverless " + long("y", 255) + ".com" + long("munity", 20), "serverless " + long("a\u0301", 400), "serverless " + long("👩\u200d👩\u200d👧\u200d👦", 200), "serverless " + long("http://x.com/a ", 30) + "end", "serverless x" + long("\u0301", 2000),
		"serverless " + long(".com", 200), "serverless " + long("a.com/", 200), "serverless " + long("a@", 200), "serverless " + long("@a", 200), "serverless " + long("@a.co ", 200),
	}
}

// generated returns n texts made of the pieces that links, mentions and emoji are
// made of, always the same ones.
func generated(n int) []string {
	pieces := []string{
		" ", " ", " ", "\n", "\t", "\r\n", ".", ".", ".", ",", ":", ";", "/", "//", "?", "!", "-", "_", "(", ")", "[", "]", "'", "\"", "`", "&", "=", "%", "+", "~", "|", "<", ">", "^", "\\",
		"@", "@", "＠", "#", "#", "＃", "$", "$", "a", "b1", "X", "abc", "7", "rt", "RT", "Rt:", "com", "com", "COM", "co", "uk", "io", "net", "みんな", "рф", "РФ", "xn--", "xn--p1ai", "js", "data",
		"http://", "https://", "HTTP://", "t.co/", "x.com", "x.com/", "serverless.com", "www.", "serverless", "Serverless", "SERVERLESS", "big data", "Big-Data", "bigdata", "big", "&amp;", "&lt;", "&#64;", "&#x202e;",
		"é", "e\u0301", "\u0301", "ι", "ß", "ы", "中", "文", "。", "א", "ا", "क्", "ไทย", "각", "ſ", "K", "µ",
		"\u200b", "\u200c", "\u200d", "\u200e", "\u202e", "\u2066", "\u00ad", "\u034f", "\u2060", "\ufeff", "\ufe0e", "\ufe0f", "\u20e3", "\u00a0", "\u3000", "\u2028", "\u0085", "\x00", "\x1b", "\U000e0061", "\U000e007f",
		"🙂", "👩", "👧", "👍", "🏽", "❤", "☎", "🏳", "🏴", "🌈", "🇩", "🇪", "©", "™", "…", "–", "€", "“",
		strings.Repeat("l", 30), strings.Repeat("é", 20), strings.Repeat("中", 9),
	}
	random := rand.New(rand.NewPCG(2017, 5))
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for range 1 + random.IntN(14) {
			if random.IntN(40) == 0 {
				if r := rune(random.IntN(0x20000)); r < 0xD800 || r > 0xDFFF {
					b.WriteRune(r)
				}
				continue
			}
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		if i%3 == 0 {
			b.WriteString([]string{" serverless", " big data"}[i%2])
		}
		texts[i] = b.String()
	}
	return texts
}
