package rewrite

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var bots = []Words{
	{Find: regexp.MustCompile(`(?i)serverless`), Replace: "Superman"},
	{Find: regexp.MustCompile(`(?i)big[ -]?data`), Replace: "Batman"},
}

// pieces is what links, mentions, tags and emoji are made of, and what gets in
// their way.
var pieces = []string{
	" ", " ", "\n", ".", ".", ",", ":", "/", "?", "!", "-", "_", "(", ")", "&", "'", "\"", "+", "%",
	"@", "@", "＠", "#", "$", "a", "b1", "rt", "RT:", "com", "co.uk", "みんな", "xn--", "data", "word",
	"http://", "https://", "t.co/", "x.com", "serverless.com", "serverless", "Serverless", "SERVERLESS", "big data", "BigData", "&amp;", "&#64;", "&#x202e;",
	"é", "e\u0301", "\u0301", "中", "。", "ا", "क्", "\u200b", "\u200c", "\u200d", "\u202e", "\u00ad", "\u034f", "\ufe0f", "\u20e3", "\u2028", "\x00", "\x1b", "\U000e0067",
	"👩", "🏽", "❤", "🏴", "🇩", "…", "abcdefghijklmnopqrstuvwxyzabcdefghij",
}

// texts makes texts of up to most pieces, long ones as often as short ones.
func texts(most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, most).Draw(t, "n")
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), n, n).Draw(t, "pieces"), "")
	})
}

// mention is what twitter-text 3.1.0 takes for one (regexp/validMentionOrList), and
// more, since it does not look at what follows.
var mention = regexp.MustCompile(`(?:^|[^a-zA-Z0-9_!#$%&*@＠]|(?:^|[^a-zA-Z0-9_+~.-])[rR][tT]:?)[@＠][a-zA-Z0-9_]`)

func TestRewriteProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SampledFrom(bots).Draw(t, "words")
		links := rapid.SampledFrom([]Links{Drop, Keep}).Draw(t, "links")
		text := texts(120).Draw(t, "text")
		checkOutput(t, words, text, links)
	})
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkOutput checks what is true of every result.
func checkOutput(t failer, words Words, text string, how Links) {
	t.Helper()
	out, skip := words.Rewrite(text, how)
	if (out == "") == (skip == "") {
		t.Fatalf("Rewrite(%+q, %v) = %+q, %q: one of them is to be empty", text, how, out, skip)
	}
	if w := Weight(out); w > MaxWeight {
		t.Fatalf("Rewrite(%+q, %v) = %+q weighs %d", text, how, out, w)
	}
	if !utf8.ValidString(out) || out != compose(out) || out != strings.TrimSpace(out) {
		t.Fatalf("Rewrite(%+q, %v) = %+q is not UTF-8, in NFC, without space around", text, how, out)
	}
	for _, r := range out {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			t.Fatalf("Rewrite(%+q, %v) = %+q has %U", text, how, out, r)
		}
	}
	plain := out
	for _, l := range slices.Backward(links(out)) {
		if how == Drop {
			t.Fatalf("Rewrite(%+q, %v) = %+q links %q", text, how, out, out[l.start:l.end])
		}
		plain = plain[:l.start] + " " + plain[l.end:] // in a link nobody is mentioned
	}
	if at := mention.FindString(plain); at != "" {
		t.Fatalf("Rewrite(%+q, %v) = %+q mentions %q", text, how, out, at)
	}
	if n := cashtags(out); n > 1 {
		t.Fatalf("Rewrite(%+q, %v) = %+q has %d cashtags", text, how, out, n)
	}
	if skip == "" && !strings.Contains(strings.ToUpper(out), strings.ToUpper(words.Replace)) {
		t.Fatalf("Rewrite(%+q, %v) = %+q says no %q", text, how, out, words.Replace)
	}
}

// TestAgainProperty says how far a second rewriting, of what X would make of the
// result, finds nothing to do. With links or handles it is not so: what they kept
// from being the word may be gone. Nor for "big data", which a link taken from
// between big and data leaves behind.
func TestAgainProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.NewReplacer("@", "", "＠", "", "&#64;", "").Replace(texts(60).Draw(t, "text"))
		out, skip := bots[0].Rewrite("serverless "+text, Drop)
		if skip != "" {
			return
		}
		if again, skip := bots[0].Rewrite(html.EscapeString(out), Drop); skip != NoWord {
			t.Fatalf("%+q became %+q, and that %+q, %q", text, out, again, skip)
		}
	})
}

// TestKeepProperty says that every link of the result was one before, in the same
// order. Two kinds of domain become one: that in "@serverless.com", without its @,
// and one with a label too long for DNS until its word is replaced.
func TestKeepProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.NewReplacer("@", "", "＠", "", "&#64;", "").Replace(texts(60).Draw(t, "text"))
		out, skip := bots[0].Rewrite("serverless "+text, Keep)
		if skip != "" {
			return
		}
		before := clean("serverless " + text)
		for label := range strings.FieldsFuncSeq(before, func(r rune) bool { return labelAt(string(r), 0).end == 0 && r != '-' && r != '_' }) {
			if !fitsLabel(label, false) {
				return
			}
		}
		all, at := links(before), 0
		for _, l := range links(out) {
			for at < len(all) && before[all[at].start:all[at].end] != out[l.start:l.end] {
				at++
			}
			if at == len(all) {
				t.Fatalf("%+q became %+q, which links %q", before, out, out[l.start:l.end])
			}
			at++
		}
	})
}

// TestVerbatimProperty says that a text keeps every link, whatever stands around
// it. In "@a.com/,b.com" there would be one link instead of another; and "＠" is to
// X a character that a domain can start with.
func TestVerbatimProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := clean(strings.ReplaceAll(texts(60).Draw(t, "text"), "＠", "@"))
		for i, r := range before {
			if r == '@' && linkLen(before[i+1:]) > 0 {
				return
			}
		}
		after, _ := bots[0].say(before)
		all, at := links(after), 0
		for _, l := range links(before) {
			for at < len(all) && after[all[at].start:all[at].end] != before[l.start:l.end] {
				at++
			}
			if at == len(all) {
				t.Fatalf("%+q became %+q, without the link %q", before, after, before[l.start:l.end])
			}
			at++
		}
	})
}

func TestFitProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := texts(150).Draw(t, "text")
		out := Fit(text)
		if w := Weight(out); w > MaxWeight {
			t.Fatalf("Fit(%+q) = %+q weighs %d", text, out, w)
		}
		if again := Fit(out); again != out {
			t.Fatalf("Fit(%+q) = %+q, and of that %+q", text, out, again)
		}
		if out == text {
			return
		}
		if Weight(text) <= MaxWeight {
			t.Fatalf("Fit(%+q) = %+q, though it fits", text, out)
		}
		kept, ok := strings.CutSuffix(out, "…")
		if whole := compose(text); !ok || !strings.HasPrefix(whole, kept) || !startsWith(links(whole), links(out)) {
			t.Fatalf("Fit(%+q) = %+q is not its start with the links of its start", text, out)
		}
	})
}

// TestWeightProperties says what does not depend on the library's tables. That a
// text without one of its characters weighs no more is not among it: without its
// space, "a. de" is a link.
func TestWeightProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := texts(40).Draw(t, "a"), "x"+texts(40).Draw(t, "b")
		if got, want := Weight(a+"\n"+b), Weight(a)+1+Weight(b); got != want {
			t.Fatalf("two lines weigh %d, together %d: %+q, %+q", want, got, a, b)
		}
		if got, want := Weight(compose(a)), Weight(a); got != want {
			t.Fatalf("Weight(%+q) = %d, %d in NFC", a, want, got)
		}
		if got, most := Weight(a), 2*utf8.RuneCountInString(compose(a))+linkWeight*strings.Count(a, "."); got > most {
			t.Fatalf("Weight(%+q) = %d, more than %d", a, got, most)
		}
	})
}

// TestPunycode takes its samples from RFC 3492, section 7.1.
func TestPunycode(t *testing.T) {
	for name, encoded := range map[string]string{
		"ليهمابتكلموشعربي؟":      "egbpdaj6bu4bxfgehfvwxn",
		"他们为什么不说中文":              "ihqwcrb4cv8a8dqg056pqjye",
		"他們爲什麽不說中文":              "ihqwctvzc91f659drss3x8bo0yb",
		"Pročprostěnemluvíčesky": "Proprostnemluvesky-uyb24dma41a",
		"3年B組金八先生":               "3B-ww4c5e180e575a65lsy2b",
		"ひとつ屋根の下2":               "2-u9tlzr9756bt3uc0v",
		"そのスピードで":                "d9juau41awczczp",
	} {
		if got, want := punycodeLen([]rune(name)), len("xn--"+encoded); got != want {
			t.Errorf("punycodeLen(%q) = %d, want %d", name, got, want)
		}
	}
}

func FuzzRewrite(f *testing.F) {
	for _, text := range []string{
		"Serverless &amp; #bigdata by @serverless.com: https://t.co/abc (x.com) $ab",
		"@\u200bname ＠name RT@name serverless@latest big data \u202e",
		"serverless 👩\u200d💻 1\ufe0f\u20e3 🏴\U000e0067\U000e007f a\u0316\u0316 http://x.com/((a)b)c",
		"\xff\xfe serverless",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, keep bool) {
		links := Drop
		if keep {
			links = Keep
		}
		for _, words := range bots {
			checkOutput(t, words, text, links)
		}
	})
}

func FuzzWeight(f *testing.F) {
	for _, text := range []string{"a.com/b.c", "éa.中.みんな/x", "http://t.co/a(b)?c.", "🙂x.com", "e\u0301\xff\u034f", "x.xn--a_b.com", "👩\u200d👩\u200d👧"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := 0
		for _, l := range links(text) {
			if l.start < at || l.end <= l.start || l.end > len(text) || l.unpaid < 0 || l.unpaid > l.end-l.start {
				t.Fatalf("links of %+q: %+v behind %d", text, l, at)
			}
			at = l.end
		}
		if w := Weight(text); w < 0 || (w == 0) != (text == "") {
			t.Fatalf("Weight(%+q) = %d", text, w)
		}
		if w := Weight(Fit(text)); w > MaxWeight {
			t.Fatalf("Fit(%+q) weighs %d", text, w)
		}
	})
}
