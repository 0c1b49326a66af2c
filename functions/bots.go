// Package functions says who the bots are. Each has a function of its own in a
// folder of its name.
package functions

import (
	"regexp"

	"example.com/superbots/pkg/bot"
)

// Superman finds serverless.
var Superman = bot.Bot{
	Name:    "superman",
	Find:    regexp.MustCompile(`(?i)serverless`),
	Replace: "Superman",
	Search:  `("serverless" OR #serverless)`,
	Never:   regexp.MustCompile(`(?i)batman`),
}

// Batman finds big data.
var Batman = bot.Bot{
	Name:    "batman",
	Find:    regexp.MustCompile(`(?i)big[ -]?data`),
	Replace: "Batman",
	Search:  `("big data" OR #bigdata)`,
	Never:   regexp.MustCompile(`(?i)superman`),
}

// All has every bot.
var All = []bot.Bot{Superman, Batman}
