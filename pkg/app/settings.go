package app

import (
	"strconv"
	"strings"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// Settings are all that a function reads from its environment. Each variable
// holds a value, or the name of a parameter that holds it; only LEDGER holds
// the value itself.
type Settings struct {
	ConsumerKey    config.Secret   `env:"TWITTER_CONSUMER_KEY,required,notEmpty"`
	ConsumerSecret config.Secret   `env:"TWITTER_CONSUMER_SECRET,required,notEmpty"`
	AccessToken    config.Secret   `env:"TWITTER_ACCESS_TOKEN,required,notEmpty"`
	AccessSecret   config.Secret   `env:"TWITTER_ACCESS_SECRET,required,notEmpty"`
	UserID         string          `env:"TWITTER_USER_ID"` // see Account
	API            API             `env:"TWITTER_API" envDefault:"v2"`
	BaseURL        twitter.BaseURL `env:"TWITTER_BASE_URL" envDefault:"https://api.x.com"`
	Ledger         ledger.Location `env:"LEDGER,required"`
	bot.Settings
}

// API is the version of X's API that a bot speaks.
type API string

// The versions. V11 needs a server that still speaks it: X's own does not, for
// new apps.
const (
	V2  API = "v2"
	V11 API = "v1.1"
)

// UnmarshalText reads an API.
func (a *API) UnmarshalText(text []byte) error {
	switch API(text) {
	case V2, V11:
		*a = API(text)
		return nil
	}
	return config.Invalid("must be v2 or v1.1")
}

// Account returns the id of the bot's own account: TWITTER_USER_ID, or else the
// number with which X begins an access token.
func (s Settings) Account() string {
	if s.UserID != "" {
		return s.UserID
	}
	id, _, _ := strings.Cut(s.AccessToken.Reveal(), "-")
	return id
}

// Check returns what is wrong with settings that are right each by itself.
func (s Settings) Check() []config.Problem {
	var problems []config.Problem
	add := func(variable, reason string) {
		problems = append(problems, config.Problem{Variable: variable, Reason: reason})
	}
	if _, err := strconv.ParseUint(s.Account(), 10, 64); err != nil {
		if s.UserID != "" {
			add("TWITTER_USER_ID", "is not a user id (a number)")
		} else if s.AccessToken.Reveal() != "" {
			add("TWITTER_USER_ID", "is not set, and the access token does not begin with a user id")
		}
	}
	if s.Mode == bot.PostMode && !s.Ledger.IsZero() && !s.Ledger.Deployed() && s.BaseURL != (twitter.BaseURL{}) && !s.BaseURL.Loopback() {
		add("LEDGER", "must be dynamodb:TABLE, because BOT_MODE is post and TWITTER_BASE_URL is not a loopback address")
	}
	if s.Settle < 0 {
		add("BOT_SETTLE", "must not be negative")
	}
	return problems
}

// Keys returns what signs the bot's requests.
func (s Settings) Keys() twitter.Keys {
	return twitter.Keys{
		ConsumerKey: s.ConsumerKey, ConsumerSecret: s.ConsumerSecret,
		AccessToken: s.AccessToken, AccessSecret: s.AccessSecret,
	}
}
