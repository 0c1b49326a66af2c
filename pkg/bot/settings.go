package bot

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"example.com/superbots/pkg/rewrite"
)

// A Bot says who a bot is. Everything else about it is a setting.
type Bot struct {
	Name    string         // of its parameters, its part of the ledger and its function
	Find    *regexp.Regexp // the words it looks for
	Replace string         // what it says instead
	Search  string         // the same words as X's search knows them
	// Never matches what the bot must not say: a text that does is skipped as
	// "denied". It has at least what the sister bots say instead, so that no
	// two accounts ever post the same text, which X forbids
	// (https://docs.x.com/developer-guidelines). Add words here to deny more.
	Never *regexp.Regexp
}

// Rewrite returns the text that b makes of a post's text, or the reason why it
// makes none. It depends on its arguments alone.
func (b Bot) Rewrite(text string, links rewrite.Links) (out, reason string) {
	out, skip := rewrite.Words{Find: b.Find, Replace: b.Replace}.Rewrite(text, links)
	if skip == "" && b.Never != nil && b.Never.MatchString(out) {
		return "", "denied"
	}
	return out, string(skip)
}

// query leaves out in X what would only be skipped here: X bills each post
// that it returns.
func (b Bot) query(links rewrite.Links) string {
	q := b.Search + " lang:en -is:retweet -is:reply -is:quote"
	if links == rewrite.Drop {
		q += " -has:links"
	}
	return q + " -has:mentions"
}

// Settings are what an operator may choose about a run.
type Settings struct {
	Mode        Mode          `env:"BOT_MODE" envDefault:"dry-run"`
	Query       string        `env:"BOT_QUERY"` // empty: made from Bot.Search
	Links       rewrite.Links `env:"BOT_LINKS" envDefault:"drop"`
	Ignore      IDs           `env:"BOT_IGNORE"`
	PostsPerRun uint          `env:"BOT_POSTS_PER_RUN" envDefault:"3"`
	PostsPerDay uint          `env:"BOT_POSTS_PER_DAY" envDefault:"20"`
	DailyBudget Dollars       `env:"BOT_DAILY_BUDGET" envDefault:"1.00"`
	Settle      time.Duration `env:"BOT_SETTLE" envDefault:"20m"`
	Resend      Resend        `env:"BOT_RESEND" envDefault:"once"`
}

// invalid is a reason that never holds the value it speaks of.
type invalid string

func (e invalid) Error() string  { return string(e) }
func (e invalid) Reason() string { return string(e) }

// Mode says whether a run has an effect.
type Mode string

const (
	DryRun   Mode = "dry-run" // everything but sending
	PostMode Mode = "post"
)

// UnmarshalText reads a Mode.
func (m *Mode) UnmarshalText(text []byte) error {
	switch Mode(text) {
	case DryRun, PostMode:
		*m = Mode(text)
		return nil
	}
	return invalid("must be dry-run or post")
}

// Resend says what becomes of a text whose outcome stays unknown: it was sent,
// no answer came, and the own timeline does not show it.
type Resend string

const (
	ResendOnce  Resend = "once"  // the same bytes are sent one more time
	ResendNever Resend = "never" // it is given up
)

// UnmarshalText reads a Resend.
func (r *Resend) UnmarshalText(text []byte) error {
	switch Resend(text) {
	case ResendOnce, ResendNever:
		*r = Resend(text)
		return nil
	}
	return invalid("must be once or never")
}

// IDs is a set of user ids.
type IDs map[string]bool

// UnmarshalText reads user ids with commas between them. Spaces do not count.
func (ids *IDs) UnmarshalText(text []byte) error {
	*ids = make(IDs)
	for id := range strings.SplitSeq(string(text), ",") {
		id = strings.TrimSpace(id)
		if id == "" {
			continue
		}
		if _, err := strconv.ParseUint(id, 10, 64); err != nil {
			return invalid("must be user ids (numbers), comma-separated")
		}
		(*ids)[id] = true
	}
	return nil
}

// Dollars is an amount of US dollars, in millionths: sums of X's prices are
// exact in it.
type Dollars int64

// USD returns d dollars.
func USD(d float64) Dollars { return Dollars(math.Round(d * 1e6)) }

// Float returns the amount in dollars.
func (d Dollars) Float() float64 { return float64(d) / 1e6 }

// String returns the amount like "$0.075".
func (d Dollars) String() string { return fmt.Sprintf("$%v", d.Float()) }

// UnmarshalText reads an amount like "1.00".
func (d *Dollars) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		return invalid("must be an amount of US dollars, such as 1.00")
	}
	*d = USD(f)
	return nil
}
