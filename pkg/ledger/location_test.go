package ledger_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/superbots/pkg/ledger"
)

func TestLocation(t *testing.T) {
	for text, deployed := range map[string]bool{
		"dynamodb:ledger": true,
		"dynamodb:arn:aws:dynamodb:us-east-1:123456789012:table/ledger": true,
		"file:ledger.db":     false,
		"file:/tmp/a:b c.db": false,
		"memory:":            false,
	} {
		var l ledger.Location
		if err := l.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := l.String(); got != text {
			t.Errorf("String: got %q, want %q", got, text)
		}
		if l.Deployed() != deployed || l.IsZero() {
			t.Errorf("%q: got Deployed %t, IsZero %t, want %t, false", text, l.Deployed(), l.IsZero(), deployed)
		}
	}
	if !(ledger.Location{}).IsZero() {
		t.Error("an unset Location: got IsZero false")
	}
}

func TestLocationRefused(t *testing.T) {
	for _, text := range []string{
		"", ":", "dynamodb", "dynamodb:", "DynamoDB:ledger", " dynamodb:ledger", "file", "file:",
		"memory", "memory:canary", "s3:canary", "canary", "/tmp/canary", "ssm:/canary",
	} {
		l := ledger.Location{}
		err := l.UnmarshalText([]byte(text))
		reason, ok := err.(interface{ Reason() string })
		switch {
		case err == nil:
			t.Errorf("%q: no error", text)
		case !ok:
			t.Errorf("%q: got %T, want an error with a Reason", text, err)
		case !strings.Contains(reason.Reason(), "dynamodb:TABLE"):
			t.Errorf("%q: got %q, want it to say what a location looks like", text, reason.Reason())
		case strings.Contains(err.Error()+reason.Reason(), "canary"):
			t.Errorf("%q: the error repeats the value: %v", text, err)
		}
		if !l.IsZero() {
			t.Errorf("%q: refused, and still set to %q", text, l)
		}
	}
}

func TestLocationOpen(t *testing.T) {
	path := newPath(t)
	for text, want := range map[string]string{
		"dynamodb:ledger": "*ledger.Table",
		"file:" + path:    "*ledger.File",
		"memory:":         "*ledger.Memory",
	} {
		var l ledger.Location
		if err := l.UnmarshalText([]byte(text)); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		asked := 0
		store, err := l.Open(func() ledger.DynamoDB { asked++; return nil })
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := fmt.Sprintf("%T", store); got != want {
			t.Errorf("%q: got a %s, want a %s", text, got, want)
		}
		if wantAsked := l.Deployed(); (asked == 1) != wantAsked || asked > 1 {
			t.Errorf("%q: DynamoDB was asked for %d times", text, asked)
		}
	}
	if _, err := (ledger.Location{}).Open(nil); err == nil {
		t.Error("an unset Location: no error")
	}
}
