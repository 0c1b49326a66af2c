package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local"
)

// Every command of an operator explains itself with an example that can be
// typed as it stands.
func TestHelpHasExamples(t *testing.T) {
	for _, command := range []string{
		"authorize", "params", "params set", "params rollback", "params check", "doctor", "run", "preview", "new", "dev", "ledger show",
	} {
		code, out, _ := ask(t, "", append(strings.Fields(command), "-h")...)
		if code != 0 || !strings.Contains(out, "Example") {
			t.Errorf("%s -h: exit %d, no example in\n%s", command, code, out)
			continue
		}
		_, examples, _ := strings.Cut(out, "Example")
		if !strings.Contains(examples, "superbots "+command+" ") {
			t.Errorf("%s -h: the example is of something else:\n%s", command, examples)
		}
	}
}

func TestUsedWrongly(t *testing.T) {
	t.Setenv("TWITTER_BASE_URL", "")
	for name, args := range map[string][]string{
		"no stage":               {"params", "list"},
		"no version to go to":    {"params", "rollback", "--stage", "dev", "superman/twitter"},
		"a value as an argument": {"params", "set", "--stage", "dev", "shared/ignore", "12"},
		"no account":             {"authorize", "superman", "--stage", "dev"},
		"nobody's account":       {"authorize", "no-bot", "--stage", "dev", "--account", "nobody"},
		"an X of somebody's":     {"authorize", "shared", "--stage", "dev", "--base-url", "https://x.example.com"},
		"nothing to find":        {"new", "robin", "--replace", "Robin"},
		"no such ledger":         {"run", "superman", "--stage", "dev", "--ledger", "sesame"},
	} {
		if code, out, errs := ask(t, "", args...); code != 2 || errs == "" || out != "" {
			t.Errorf("%s: exit %d, says %q and %q, want 2 and a reason", name, code, errs, out)
		}
	}
}

func TestStages(t *testing.T) {
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	got, err := stagesOf(root)
	if diff := cmp.Diff([]string{"dev", "prod"}, got); err != nil || diff != "" {
		t.Errorf("error %v, stages (-want +got):\n%s", err, diff)
	}
	if _, err := stagesOf(filepath.Join(root, "cmd")); err == nil {
		t.Error("there are stages where no serverless.yml is")
	}
}

func TestReferences(t *testing.T) {
	e := environment{
		"A": "ssm:/bots/dev/a#x", "B": "ssm:/bots/dev/a:3#y", "C": "ssm:plain:live", "D": "a value", "E": map[string]any{"Ref": "Table"},
		"F": "ssm:arn:aws:ssm:us-east-1:123456789012:parameter/bots/f:2",
	}
	want := map[string][]string{"/bots/dev/a": {"A", "B"}, "plain": {"C"}, "/bots/f": {"F"}}
	if diff := cmp.Diff(want, e.references()); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A=b", "D=a value", "G=g"}, environment{"A": "a", "D": "a value", "E": 1}.environ(map[string]string{"A": "b", "G": "g"})); diff != "" {
		t.Errorf("environ (-want +got):\n%s", diff)
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 59*time.Minute + 59*time.Second: "59 minutes", time.Hour: "1 hour",
		47 * time.Hour: "47 hours", 48 * time.Hour: "2 days", 400 * 24 * time.Hour: "400 days",
	} {
		if got := age(d); got != want {
			t.Errorf("age of %v is %q, want %q", d, got, want)
		}
	}
}

func TestPerMonth(t *testing.T) {
	for rate, want := range map[string]float64{
		"rate(10 minutes)": 4380, "rate(1 minute)": 43800, "rate(1 hour)": 730, "rate(2 days)": 15.21,
		"cron(0 12 * * ? *)": 0, "rate(0 minutes)": 0, "rate(1 fortnight)": 0,
	} {
		if got := perMonth(rate); math.Abs(got-want) > 0.01 {
			t.Errorf("%s comes %v times a month, want %v", rate, got, want)
		}
	}
}
