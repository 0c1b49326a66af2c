package functions_test

import (
	"testing"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/rewrite"
)

// X forbids the same text on two accounts. A bot's text always says its own
// name, and never a sister's, so no two bots can post the same one.
func TestNoTwoBotsSayTheSame(t *testing.T) {
	for _, b := range functions.All {
		for _, sister := range functions.All {
			if got, want := b.Never.MatchString(sister.Replace), b.Name != sister.Name; got != want {
				t.Errorf("%s refuses to say %q: %v, want %v", b.Name, sister.Replace, got, want)
			}
		}
	}
}

func TestBots(t *testing.T) {
	for _, tt := range []struct{ text, superman, batman string }{
		{"I run serverless.", "I run Superman.", ""},
		{"SERVERLESSCONF is on", "SUPERMANCONF is on", ""},
		{"#serverless", "#Superman", ""},
		{"Big data, big-data and bigdata", "", "Batman, Batman and Batman"},
		{"a big database", "", "a Batmanbase"},
		{"BIG DATA", "", "BATMAN"},
		{"serverless for big data", "Superman for big data", "serverless for Batman"},
		{"Batman goes serverless", "", ""},
		{"Superman has big data", "", ""},
		{"nothing to see", "", ""},
	} {
		if got, _ := functions.Superman.Rewrite(tt.text, rewrite.Drop); got != tt.superman {
			t.Errorf("Superman makes %q of %q, want %q", got, tt.text, tt.superman)
		}
		if got, _ := functions.Batman.Rewrite(tt.text, rewrite.Drop); got != tt.batman {
			t.Errorf("Batman makes %q of %q, want %q", got, tt.text, tt.batman)
		}
	}
}
