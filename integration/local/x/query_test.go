package x

import (
	"strings"
	"testing"
	"time"
)

// Each query is asked of these posts; the answer names those found.
var queried = map[string]Post{
	"plain":    {Author: "ann", Text: "Serverless is fun"},
	"inside":   {Author: "ann", Text: "ServerlessConf was fun"},
	"big":      {Author: "bob", Text: "Big, big DATA!"},
	"apart":    {Author: "bob", Text: "big heaps of data"},
	"tag":      {Author: "bob", Text: "all about #Serverless"},
	"mention":  {Author: "cleo", Text: "thanks @ServerlessInc for that"},
	"link":     {Author: "cleo", Text: "see https://example.com/serverless-big-data"},
	"german":   {Author: "dora", Text: "Serverless macht Spaß", Lang: "de"},
	"reply":    {Author: "dora", Text: "serverless, yes", ReplyTo: 7},
	"retweet":  {Author: "dora", Text: "RT @ann: Serverless is fun", RetweetOf: 8},
	"quote":    {Author: "dora", Text: "serverless indeed", QuoteOf: 9},
	"picture":  {Author: "dora", Text: "my serverless cat", Media: true},
	"dont":     {Author: "emil", Text: "don't think: under_score"},
	"nothing":  {Author: "emil", Text: "¯\\_(ツ)_/¯ —"},
	"combined": {Author: "emil", Text: "Big data goes serverless #cloud"},
}

func TestQuery(t *testing.T) {
	world := New()
	added := map[string]*post{}
	for name, p := range queried {
		added[name] = world.add(p, time.Now())
	}
	for _, test := range []struct{ query, want string }{
		{`serverless`, "combined german link picture plain quote reply retweet tag"},
		{`SERVERLESS fun`, "plain retweet"},
		{`"serverless"`, "combined german link picture plain quote reply retweet tag"},
		{`"big data"`, "big combined link"},
		{`"data big"`, ""},
		{`big data`, "apart big combined link"},
		{`"big, data"`, "big combined link"},
		{`"under score"`, "dont"},
		{`"don't"`, "dont"},
		{`serverlessconf`, "inside"},
		{`serverless "big data"`, "combined link"},
		{`fun OR "big data"`, "big combined inside link plain retweet"},
		{`fun serverless OR "big data" cloud`, "combined plain retweet"},
		{`fun (serverless OR "big data")`, "plain retweet"},
		{`(fun OR (heaps of))`, "apart inside plain retweet"},
		{`serverless -fun -is:reply -"big data" -lang:de`, "picture quote tag"},
		{`#serverless`, "tag"},
		{`#SERVERLESS OR #cloud`, "combined tag"},
		{`@serverlessinc`, "mention"},
		{`from:ANN`, "inside plain"},
		{`from:@ann -serverless`, "inside"},
		{`from:1700000000000000001 OR @serverlessinc`, "*"},
		{`serverless lang:de`, "german"},
		{`serverless is:reply`, "reply"},
		{`serverless is:retweet`, "retweet"},
		{`serverless is:quote`, "quote"},
		{`serverless has:links`, "link"},
		{`fun has:mentions`, "retweet"},
		{`serverless has:hashtags`, "combined tag"},
		{`serverless has:media`, "picture"},
		{`serverless -is:nullcast fun`, "plain retweet"},
		{`("serverless" OR #serverless) lang:en -is:retweet -is:reply -is:quote -has:links -has:mentions -from:emil`, "picture plain tag"},
		{`  serverless   fun  `, "plain retweet"},
		{`Spaß`, "german"},
		{`(lang:de OR is:reply) serverless`, "german reply"},
	} {
		match, err := parseQuery(test.query, false)
		if err != nil {
			t.Errorf("%s: %v", test.query, err)
			continue
		}
		if test.want == "*" {
			continue // the id of the author depends on the order of a map: it is enough that it is understood
		}
		if got := names(added, match); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.query, got, test.want)
		}
	}
}

func names(posts map[string]*post, match func(*post) bool) string {
	var found []string
	for name, p := range posts {
		if match(p) {
			found = append(found, name)
		}
	}
	return strings.Join(sorted(found), " ")
}

func TestQueryIsRefused(t *testing.T) {
	const alone = "at least one positive word"
	for _, test := range []struct{ query, want string }{
		{``, "ends where an operand should be (at position 1)"},
		{`lang:en`, alone},
		{`-serverless`, alone},
		{`-serverless -is:retweet`, alone},
		{`has:links is:reply`, alone},
		{`serverless OR lang:en`, alone},
		{`(serverless OR is:reply) -data`, alone},
		{`serverless is:nullcast`, "is:nullcast must be negated (at position 12)"},
		{`(serverless`, "missing ')' (at position 12)"},
		{`serverless)`, `unexpected ")" (at position 11)`},
		{`()`, `unexpected ")" (at position 2)`},
		{`"serverless`, "missing the closing '\"' (at position 1)"},
		{`""`, "a phrase without a word (at position 1)"},
		{`serverless OR`, "ends where an operand should be (at position 14)"},
		{`OR serverless`, `ambiguous "OR"`},
		{`serverless and fun`, `ambiguous "and": use a space or OR to join, or quote the word (at position 12)`},
		{`serverless or fun`, `ambiguous "or"`},
		{`fun -(serverless)`, "a group cannot be negated"},
		{`fun -`, "ends where an operand should be (at position 6)"},
		{`big-data`, `"big-data" must stand in double quotes (at position 1)`},
		{`under_score`, "must stand in double quotes"},
		{`ünï big-data`, "(at position 5)"},
		{`serverless min_faves:10`, `unknown operator or value "min_faves:10" (at position 12)`},
		{`serverless is:funny`, `unknown operator or value "is:funny"`},
		{`serverless filter:links`, `unknown operator or value "filter:links"`},
		{`serverless from:`, `unknown operator or value "from:"`},
		{`"big""data"`, "missing space before"},
		{`(big)data`, "missing space before"},
		{`#`, "must stand in double quotes"},
		{`@`, "must stand in double quotes"},
	} {
		_, err := parseQuery(test.query, false)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\n got %v\nwant %s", test.query, err, test.want)
		}
	}
}

func TestQueryV1(t *testing.T) {
	world := New()
	added := map[string]*post{}
	for name, p := range queried {
		added[name] = world.add(p, time.Now())
	}
	for query, want := range map[string]string{
		`serverless -filter:retweets -filter:replies -filter:links -filter:quote lang:en`: "combined picture plain tag",
		`filter:retweets`:         "retweet",
		`serverless filter:quote`: "quote",
	} {
		match, err := parseQuery(query, true)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := names(added, match); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
	if _, err := parseQuery("serverless is:retweet", true); err == nil {
		t.Error("v1.1 accepts v2's is:retweet")
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{`("serverless" OR #serverless) -is:retweet`, `-(`, `"`, `a"b`, "\xff", `OR OR`, `((((`} {
		f.Add(q, false)
	}
	p := New().add(Post{Author: "ann", Text: "Serverless is #fun"}, time.Now())
	f.Fuzz(func(t *testing.T, q string, v1 bool) {
		match, err := parseQuery(q, v1)
		if err == nil {
			match(p)
		} else if match != nil {
			t.Errorf("%q: both a query and %v", q, err)
		}
	})
}
