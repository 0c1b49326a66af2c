package bot

import (
	"encoding"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/rewrite"
	"example.com/superbots/pkg/twitter"
)

func TestSettingsTexts(t *testing.T) {
	for _, test := range []struct {
		into encoding.TextUnmarshaler
		text string
		want any // nil: refused
	}{
		{new(Mode), "dry-run", DryRun},
		{new(Mode), "post", PostMode},
		{new(Mode), "Post", nil},
		{new(Mode), "", nil},
		{new(Resend), "once", ResendOnce},
		{new(Resend), "never", ResendNever},
		{new(Resend), "twice", nil},
		{new(IDs), "12,34", IDs{"12": true, "34": true}},
		{new(IDs), " 12 ,\n34,", IDs{"12": true, "34": true}},
		{new(IDs), "", IDs{}},
		{new(IDs), "12,@ana", nil},
		{new(IDs), "-1", nil},
		{new(Dollars), "1.00", USD(1)},
		{new(Dollars), "0", USD(0)},
		{new(Dollars), "0.005", Dollars(5000)},
		{new(Dollars), "-1", nil},
		{new(Dollars), "NaN", nil},
		{new(Dollars), "Inf", nil},
		{new(Dollars), "1e9", nil},
		{new(Dollars), "$1", nil},
	} {
		err := test.into.UnmarshalText([]byte(test.text))
		if test.want == nil {
			var told interface{ Reason() string }
			if !errors.As(err, &told) {
				t.Errorf("%T took %q, or gave no reason: %v", test.into, test.text, err)
			} else if test.text != "" && strings.Contains(told.Reason(), test.text) {
				t.Errorf("%T: the reason %q quotes the value", test.into, told.Reason())
			}
			continue
		}
		var got any
		switch v := test.into.(type) {
		case *Mode:
			got = *v
		case *Resend:
			got = *v
		case *IDs:
			got = *v
		case *Dollars:
			got = *v
		}
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%T of %q: error %v (-want +got):\n%s", test.into, test.text, err, diff)
		}
	}
}

// Two hundred reads cost a dollar to the cent, which floats would not say.
func TestDollarsAreExact(t *testing.T) {
	sum := Dollars(0)
	for range 200 {
		sum += USD(0.005)
	}
	if sum != USD(1) || sum.String() != "$1" || USD(0.075).String() != "$0.075" {
		t.Errorf("200 reads cost %v, a run of twelve and a post %v", sum, USD(0.075))
	}
}

func TestQuery(t *testing.T) {
	b := Bot{Search: "(a OR #a)"}
	for links, want := range map[rewrite.Links]string{
		rewrite.Drop: "(a OR #a) lang:en -is:retweet -is:reply -is:quote -has:links -has:mentions",
		rewrite.Keep: "(a OR #a) lang:en -is:retweet -is:reply -is:quote -has:mentions",
	} {
		if got := b.query(links); got != want {
			t.Errorf("links %v: query %q, want %q", links, got, want)
		}
	}
}

// X escapes a text, shortens its links and may normalise it; it is the same
// text for all that. What was sent may hold an escape itself.
func TestMatch(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		sent, shown string
		want        bool
	}{
		{"Café & Superman  https://example.com/a", "Cafe\u0301 &amp; Superman https://t.co/abcdefghij", true},
		{"Café & Superman", "Café &amp; Superman", true},
		{"Café & Superman", "Café &amp; Batman", false},
		{"Café & Superman", "Café &amp;amp; Superman", false},
		{"Superman &amp; proud", "Superman &amp;amp; proud", true},
		{"Superman &amp; proud", "Superman &amp; proud", false},
		{"Superman &#64;home", "Superman &amp;#64;home", true},
	} {
		own := twitter.Post{ID: twitter.FirstID(now.Add(time.Second)), Text: test.shown}
		if got := match([]twitter.Post{own}, ledger.Post{Text: test.sent, Sent: now}) == own.ID; got != test.want {
			t.Errorf("sent %q, shown %q: found %v, want %v", test.sent, test.shown, got, test.want)
		}
		own.ID = twitter.FirstID(now.Add(-time.Hour))
		if match([]twitter.Post{own}, ledger.Post{Text: test.sent, Sent: now}) != 0 {
			t.Errorf("sent %q: a post from before counts as it", test.sent)
		}
	}
}
