package page

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
)

// People of the world, what they begin with, what they say of a bot's word, and
// what they make of it. The lengths have no common divisor, so that the first
// thousand posts about a word are all different.
var (
	people = []string{"ana_codes", "jo_ops", "mira_builds", "kenji_dev", "lea_data", "tomas_cloud", "priya_sre"}
	begins = []string{
		"Today I learned:", "Overheard at lunch:", "Note to self:", "From the retrospective:", "Unpopular opinion:", "Friday thought:",
		"Our new motto:", "My manager asks:", "Week three:", "In one sentence:", "Seen on a whiteboard:",
	}
	middles = map[string][]string{
		"superman": {
			"serverless does not mean that nobody is on call", "a serverless cron job never forgets", "serverless is a bill that sleeps when you do",
			"SERVERLESS is written on the mug of our sysadmin", "the #serverless team has a server after all", "I trust serverless more than my alarm clock",
			"going serverless took an afternoon", "nobody misses the old server room like the serverless people", "serverless functions are small on purpose",
		},
		"batman": {
			"big data fits into one spreadsheet if you believe in it", "our big data is mostly logs about big data", "big-data queries are slow by tradition",
			"#BigData starts with one careless join", "BIG DATA was last year's budget", "you cannot grep big data twice", "big data asks no questions by itself",
			"behind big data there is a small CSV file", "somebody has to name the big data columns",
		},
	}
	ends = []string{
		"and I am fine with that.", "as far as I can tell.", "- discuss!", "said the consultant.", "and that is a good thing.", "or so they say.",
		"🙂", "(we have graphs).", "before the first coffee.", "in every region.", "on a Monday.", "with one exception.", "and it shows.",
	}
)

// anything is what they say of the word of a bot that was added since.
var anything = []string{
	"%s is on every slide this year", "nobody asked for %s and here we are", "the %s team has cake", "%s, they say, will be simple", "I dreamt of %s again",
	"my neighbour sells %s now", "%s has its own channel", "%s before lunch was a mistake", "there is a book about %s on my desk",
}

// searched finds the first word that a bot's search has.
var searched = regexp.MustCompile(`"[^"]+"`)

// sentence is the n-th thing that is said about a bot's word.
func sentence(b bot.Bot, n int) string {
	about := middles[b.Name]
	if about == nil {
		about = slices.Clone(anything)
		for i := range about {
			about[i] = strings.ReplaceAll(about[i], "%s", strings.Trim(searched.FindString(b.Search), `"`))
		}
	}
	return begins[n%len(begins)] + " " + about[n%len(about)] + " " + ends[n%len(ends)]
}

// somebody says something that b looks for.
func (p *Playground) somebody(b bot.Bot) {
	n := p.talk[b.Name]
	p.talk[b.Name]++
	p.say(x.Post{Author: people[n%len(people)], Text: sentence(b, n), CreatedAt: time.Now()})
}
