package rewrite_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/superbots/pkg/rewrite"
)

var (
	superman = rewrite.Words{Find: regexp.MustCompile(`(?i)serverless`), Replace: "Superman"}
	batman   = rewrite.Words{Find: regexp.MustCompile(`(?i)big[ -]?data`), Replace: "Batman"}
)

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		words    rewrite.Words
		in, want string
	}{
		{superman, "Serverless is here", "Superman is here"},
		{superman, "I went to ServerlessConf", "I went to SupermanConf"},
		{superman, "a serverlessly written #serverless app", "a Supermanly written #Superman app"},
		{superman, "SERVERLESS! SeRvErLeSs! #SERVERLESSDAYS", "SUPERMAN! Superman! #SUPERMANDAYS"},
		{superman, "日本語serverless日本語", "日本語Superman日本語"},
		{superman, "Node.js, Next.js and serverless.", "Node.js, Next.js and Superman."},
		{superman, "file serverless.yml, not serverless.ts", "file Superman.yml, not Superman.ts"},
		{batman, "big data, Big-Data, bigdata, BIG DATA, #BigData", "Batman, Batman, Batman, BATMAN, #Batman"},
		{batman, "big databases and BIGDATA", "Batmanbases and BATMAN"},
		{batman, "big  data is no word, big data is", "big  data is no word, Batman is"},
	} {
		got, skip := tt.words.Rewrite(tt.in, rewrite.Drop)
		if got != tt.want || skip != "" {
			t.Errorf("Rewrite(%q) = %q, %q; want %q", tt.in, got, skip, tt.want)
		}
	}
}

func TestLinksAndHandles(t *testing.T) {
	for _, tt := range []struct {
		in, drop, keep string
	}{
		{
			"Serverless at https://serverless.com/serverless?q=serverless#serverless now",
			"Superman at now",
			"Superman at https://serverless.com/serverless?q=serverless#serverless now",
		},
		{"serverless.com does serverless", "does Superman", "serverless.com does Superman"},
		{"Serverless on www.Serverless.com/x and ASP.NET", "Superman on and", "Superman on www.Serverless.com/x and ASP.NET"},
		{"serverless http://t.co/abc?x=1&amp;y=2", "Superman", "Superman http://t.co/abc?x=1&y=2"},
		{"serverless https://medium.com/@serverless/x", "Superman", "Superman https://medium.com/@serverless/x"},
		{"serverless中http://serverless.com/中serverless", "Superman中 中Superman", "Superman中http://serverless.com/中Superman"},
		{"serverless\nhttps://t.co/a\n#cloud", "Superman\n#cloud", "Superman\nhttps://t.co/a\n#cloud"},

		{"serverless https://a.com/b\u200bserverless", "Superman Superman", "Superman https://a.com/b Superman"},
		{"serverless a\u200b\x00https://serverless.com.", "Superman a.", "Superman a https://serverless.com."},
		{"serverless cafe\u0301.com/e\u0301?x=1&amp;y=2", "Superman", "Superman café.com/é?x=1&y=2"},

		// What led to a link goes with it; what did not, stays.
		{"Serverless, explained: https://t.co/a", "Superman, explained", "Superman, explained: https://t.co/a"},
		{"serverless is up → https://t.co/a!", "Superman is up!", "Superman is up → https://t.co/a!"},
		{"serverless (https://t.co/a) rocks", "Superman rocks", "Superman (https://t.co/a) rocks"},
		{"serverless (see https://t.co/a) rocks", "Superman (see) rocks", "Superman (see https://t.co/a) rocks"},
		{"serverless: https://t.co/a https://t.co/b.", "Superman.", "Superman: https://t.co/a https://t.co/b."},

		{"thanks @serverlessinc for serverless", "thanks serverlessinc for Superman", "thanks serverlessinc for Superman"},
		{"RT @serverless: serverless", "RT serverless: Superman", "RT serverless: Superman"},
		{"serverless by @serverless/aws-team", "Superman by serverless/aws-team", "Superman by serverless/aws-team"},
		{"serverless by ＠serverless, @@serverless", "Superman by serverless, serverless", "Superman by serverless, serverless"},
		{"serverless cc @a@b @", "Superman cc a@b @", "Superman cc a@b @"},
		{"RT@a rt:@b art@c serverless", "RTa rt:b art@c Superman", "RTa rt:b art@c Superman"},
		{"serverless by @serverless.com/serverless!", "Superman by!", "Superman by serverless.com/serverless!"},
		{"serverless by @x.com＠serverless", "Superman by serverless", "Superman by x.com serverless"},
		{"serverless ;＠t.co/a x", "Superman ; x", "Superman ; t.co/a x"},
		{"serverless t.co/a＠serverless é＠t.co/b", "Superman serverless é", "Superman t.co/a serverless é t.co/b"},
		{"serverless x.com/＠xn--p1ai＠abc", "Superman xn--p1ai＠abc", "Superman x.com/ xn--p1ai＠abc"},
		{"serverless ＃t.co/ы@serverless", "Superman ＃", "Superman ＃ t.co/ы@serverless"},
		{".@serverless likes serverless", ".serverless likes Superman", ".serverless likes Superman"},
		{"serverless a.@com", "Superman a. com", "Superman a. com"},
		{"npm i serverless@latest", "npm i Superman@latest", "npm i Superman@latest"},
		{"serverless? serverless@serverless.com", "Superman? serverless@serverless.com", "Superman? serverless@serverless.com"},
	} {
		for links, want := range map[rewrite.Links]string{rewrite.Drop: tt.drop, rewrite.Keep: tt.keep} {
			if got, skip := superman.Rewrite(tt.in, links); got != want || skip != "" {
				t.Errorf("Rewrite(%q, %v) = %q, %q; want %q", tt.in, links, got, skip, want)
			}
		}
	}
}

func TestSkips(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want rewrite.Reason
	}{
		{"", "no-word"},
		{"no servers", "no-word"},
		{"see https://serverless.com, serverless.com and @serverless or a@serverless.com", "no-word"},
		{"server\u0301less", "no-word"},
		{"$AMZN and $MSFT on serverless", "cashtags"},
		{"$AMZN.A, serverless\n$msft", "cashtags"},
		{"serverless $@amzn $&#64;msft", "cashtags"},
		{"serverless \xff", "invalid-text"},
		{"serverless " + strings.Repeat("x", 128<<10), "too-large"},
		{"#serverless" + strings.Repeat("x", 300), "empty"},
		{strings.Repeat("more ", 60) + "serverless", "too-long"},
	} {
		got, skip := superman.Rewrite(tt.in, rewrite.Drop)
		if skip != tt.want || got != "" {
			t.Errorf("Rewrite(%.60q) = %q, %q; want skip %q", tt.in, got, skip, tt.want)
		}
	}
	for _, text := range []string{"$AMZN on serverless", "serverless for $5 or $5000", "serverless $AMZN $toolong $a1 a$b $"} {
		if _, skip := superman.Rewrite(text, rewrite.Drop); skip != "" {
			t.Errorf("Rewrite(%q) skips: %q", text, skip)
		}
	}
}

// TestCleans holds what is not shown against what shapes what is.
func TestCleans(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"serverless &lt;3 &amp; R&amp;D", "Superman <3 & R&D"},
		{"serverless &amp;amp; &amp;lt;", "Superman &amp; &lt;"},
		{"  serverless\ta\r\nb\rc\u2028d\n", "Superman a\nb\nc\nd"},
		{"serverless\x00 \x1b[31mred\x1b[0m\u009f", "Superman [31mred[0m"},
		{"ser\u00adver\u200bless \u202egnol\u202c \u2066x\u2069\u200e\u200f\u061c\ufeff", "Superman gnol x"},
		{"serverless e\u0301", "Superman é"},
		{"serverless a" + strings.Repeat("\u0316", 40), "Superman a" + strings.Repeat("\u0316", 40)},
		{"serverless می\u200cخواهم क\u094d\u200dष", "Superman می\u200cخواهم क\u094d\u200dष"},
		{"serverless x\u200cy x\u200dy", "Superman xy xy"},
		{"serverless 👩\u200d💻 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3 ❤\ufe0f a\ufe0f", "Superman 👩\u200d💻 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3 ❤\ufe0f a"},
		{"serverless 👩\u200dx", "Superman 👩x"},
		{"serverless 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "Superman 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"},
		{"serverless 🏴\U000e0067 x\U000e0067\U000e007f", "Superman 🏴 x"},
		{"serverless 🏴" + strings.Repeat("\U000e0067", 7) + "\U000e007f", "Superman 🏴"},
		{"serverless 葛\U000e0100 \U000e0100", "Superman 葛\U000e0100"},

		{"serverless &#64;name &commat;name", "Superman name name"},
		{"serverless &amp;#64;name", "Superman &#64;name"},
		{"serverless @\u200bname ＠\u034fname @\ufe0fname @\U000e0061name", "Superman name name name name"},
		{"serverless \u202e@name &#x202e;@name &#27;@name", "Superman name name name"},
		{"serverless a.c\u200bom http\u2060://b.com &#104;ttp://c.com", "Superman"},
	} {
		if got, skip := superman.Rewrite(tt.in, rewrite.Drop); got != tt.want || skip != "" {
			t.Errorf("Rewrite(%+q) = %+q, %q; want %+q", tt.in, got, skip, tt.want)
		}
	}
}

func TestLongestPostIsAccepted(t *testing.T) {
	for _, text := range []string{
		"serverless" + strings.Repeat("a", 24990),
		"serverless " + strings.Repeat("𝔘", 24989),
		"serverless " + strings.Repeat("&amp;", 24989),
	} {
		if got, skip := superman.Rewrite(text, rewrite.Drop); skip != "" || rewrite.Weight(got) < 270 {
			t.Errorf("Rewrite(%.30q…) = %q, %q", text, got, skip)
		}
	}
}

// TestHostile gives long inputs that are made to be slow: any of these takes many
// seconds as soon as one step for each character looks at the rest of the text.
func TestHostile(t *testing.T) {
	for _, unit := range []string{
		"a", "中", "a.", "_.", "a_.com.", "a.com.x_y.com.", "@", "@a", "＠x", "@a.co ", "a.b.c@", "a@b.com ", "rt@", "\u0301", "x\u0301", "(", "http://x.com/((",
		"x.co/(a", "x.co?!", "http://t.co/a@b", "http://" + strings.Repeat("é", 70) + ".com ", "(http://x.com)", "#a", "$a ", "&amp;", "\u202e", "\x1b[0m", "1\ufe0f\u20e3",
		"👩\u200d", "🏴\U000e0067", "中。", "a.xn--", ".com", "-", "serverless", "serverless.com ",
	} {
		text := "serverless " + strings.Repeat(unit, (60<<10)/len(unit))
		for _, links := range []rewrite.Links{rewrite.Drop, rewrite.Keep} {
			got, _ := superman.Rewrite(text, links)
			if w := rewrite.Weight(got); w > rewrite.MaxWeight {
				t.Errorf("Rewrite(%q and so on, %v) weighs %d", unit, links, w)
			}
		}
	}
}

func TestLinksText(t *testing.T) {
	var settings struct{ A, B rewrite.Links }
	settings.A = rewrite.Keep
	if err := json.Unmarshal([]byte(`{"A":"drop","B":"keep"}`), &settings); err != nil {
		t.Fatal(err)
	}
	if settings.A != rewrite.Drop || settings.B != rewrite.Keep {
		t.Errorf("drop, keep = %v, %v", settings.A, settings.B)
	}
	if got := settings.A.String() + settings.B.String(); got != "dropkeep" {
		t.Errorf("they print as %q", got)
	}
	err := new(rewrite.Links).UnmarshalText([]byte("Keep"))
	if told, ok := err.(interface{ Reason() string }); !ok || told.Reason() != "must be drop or keep" {
		t.Errorf(`the reason that "Keep" is refused: %v`, err)
	}
}

func TestWeight(t *testing.T) {
	long := strings.Repeat
	for _, tt := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"Superman", 8},
		{"é", 1},
		{"e\u0301", 1},
		{"ა", 1}, // U+10D0, in the last block that weighs 1
		{"ᄀ", 2}, // U+1100
		{"한", 2},
		{"“q” – ’", 7},
		{"′″", 2},
		{"…", 2},
		{"€", 2},
		{"\u200d", 1},
		{"\u200e", 2},
		{"\u202e", 2},
		{"\ufeff", 2},
		{"\xff", 2},
		{"a" + long("\u0316", 40), 41},

		{"https://example.com/" + long("x", 100), 23},
		{"http://a.de", 23},
		{"a.de", 23},
		{"see serverless.com.", 4 + 23 + 1},
		{"Node.js", 7},
		{"a@example.com", 13},
		{"@example.com", 12},
		{"foo_example.com", 15},
		{"x.com@y", 7},
		{"@a🙂-x.com", 1 + 1 + 2 + 23},
		{"(https://example.com/a_(b))", 1 + 23 + 1},
		{"https://example.com/a?b=c&d,", 23 + 1},
		{"example.com:80", 23 + 3},
		{"example.com:80/a", 23},
		{"中example.com", 2 + 23},
		{"例え.テスト", 11},
		{"http://例え.みんな", 23},
		{"例え.みんな", 2*5 + 1},
		{"example.comは.みんな/path", 23 + 5}, // the link is taken for "example.com/path"
		{"example.com👩‍👩‍👧.みんな/", 23 + 16},
		{"example.みんな", 23},
		{"x.xn--p1ai", 23},
		{"https://t.co/abc", 23},
		{"https://t.co/abc.de", 23 + 3},
		{"https://t.co/" + long("a", 41), 13 + 41},
		{long("a", 63) + ".com", 23},
		{long("a", 64) + ".com", 68},
		{"http://" + long("é", 57) + ".com", 23},
		{"http://" + long("é", 58) + ".com", 7 + 58 + 4},
		{"http://" + long("мир", 18) + ".com", 23},
		{"http://" + long("мир", 19) + ".com", 7 + 57 + 4},
		{"http://" + long("ü中", 25) + ".com", 23},
		{"http://" + long("ü中", 26) + ".com", 7 + 78 + 4},
		{"http://" + long("aé", 28) + ".com", 23},
		{"http://" + long("aé", 29) + ".com", 7 + 58 + 4},
		{"http://" + long("🙂a", 26) + ".com", 23},
		{"http://" + long("🙂a", 27) + ".com", 7 + 81 + 4},
		{"http://x.com/" + long("a", 4076), 23},
		{"http://x.com/" + long("a", 4077), 13 + 4077},

		{"👍", 2},
		{"👍🏽", 2},
		{"👩‍👩‍👧‍👦", 2},
		{"👩‍💻", 2},
		{"🏳️‍🌈", 2},
		{"🇩🇪🇫🇷", 4},
		{"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 2},
		{"1⃣", 2},
		{"1️⃣", 2},
		{"12", 2},
		{"©", 1},
		{"©️", 2},
		{"❤️", 2},
		{"🧑‍🚀", 5}, // younger than the library's list: person, joiner, rocket
		{"🫠", 2},
	} {
		if got := rewrite.Weight(tt.text); got != tt.want {
			t.Errorf("Weight(%.40q) = %d, want %d", tt.text, got, tt.want)
		}
	}
}

func TestWithoutLinks(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"no link. None", "no link. None"},
		{"see https://a.com/b?c, then d.com.", "see , then ."},
		{"中a.com中.b.com/c中", "中中.中"},
		{"http://t.co/abc/def", "/def"},
	} {
		if got := rewrite.WithoutLinks(tt.text); got != tt.want {
			t.Errorf("WithoutLinks(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestFit(t *testing.T) {
	long := strings.Repeat
	for _, tt := range []struct{ name, text, want string }{
		{"fits", long("a", 280), long("a", 280)},
		{"fits, not normal", long("e\u0301", 280), long("e\u0301", 280)},
		{"behind a word", long("word ", 55) + "words words", long("word ", 54) + "word…"},
		{"without a comma", long("a", 270) + ", and so on and on", long("a", 270) + ", and so…"},
		{"behind a comma", long("a", 272) + ", andsoon", long("a", 272) + "…"},
		{"a word too long", long("a", 281), long("a", 278) + "…"},
		{"no spaces", "第一 " + long("字", 200), "第一 " + long("字", 136) + "…"},
		{"clusters", long("👩‍👩‍👧‍👦", 141), long("👩‍👩‍👧‍👦", 139) + "…"},
		{"marks", long("x\u0316\u0316", 100), long("x\u0316\u0316", 92) + "…"},
		{"no link in two", long("a", 250) + " https://example.com/abc defghi", long("a", 250) + " https://example.com/abc…"},
		{"a link too many", long("a", 260) + " https://example.com/abc", long("a", 260) + "…"},
		{"links weigh 23", long("https://example.com/abc ", 12), strings.TrimSpace(long("https://example.com/abc ", 11)) + "…"},
		{"no hashtag in two", long("a", 270) + " #superman #batman", long("a", 270) + "…"},
		{"not even alone", "#" + long("a", 280), "…"},
		{"no link by the cut", long("a ", 130) + "superman.community.html", strings.TrimSpace(long("a ", 130)) + "…"},
		{"no link by the cut in a host", long("ab,", 77) + long("s", 44) + ".debut", long("ab,", 77) + long("s", 44) + ".d…"},
		{"no link by the cut in a word", long("ab,", 90) + "super.debut", long("ab,", 90) + "super.d…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := rewrite.Fit(tt.text)
			if got != tt.want {
				t.Errorf("Fit(%q) =\n%q, want\n%q", tt.text, got, tt.want)
			}
			if w := rewrite.Weight(got); w > rewrite.MaxWeight {
				t.Errorf("it weighs %d", w)
			}
			if !utf8.ValidString(got) {
				t.Error("it is not UTF-8")
			}
		})
	}
}
