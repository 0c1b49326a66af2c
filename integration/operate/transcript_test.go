package operate_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The transcript of README.md is what an operator sees who does a first
// set-up: each command is run, and says what stands there. An ellipsis there
// stands for any text.
func TestTranscript(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```console\n")
	transcript, _, closed := strings.Cut(rest, "```")
	if !closed {
		t.Fatal("README.md has no transcript")
	}
	d := healthy(t)
	d.delete("/superbots/dev/superman/twitter")
	d.delete("/superbots/dev/batman/twitter")
	d.delete("/superbots/dev/shared/twitter")
	d.delete("/superbots/dev/shared/ignore")
	d.say("I love serverless")

	steps := strings.Split("\n"+transcript, "\n$ superbots ")[1:]
	for _, step := range steps {
		command, want, _ := strings.Cut(strings.TrimSuffix(step, "\n"), "\n")
		args := strings.Fields(command)
		var r result
		switch {
		case command == "authorize shared --stage dev":
			r = d.do(appKey+"\n"+appSecret+"\n", args...)
		case args[0] == "authorize":
			r = d.talk("", func(line string) string {
				if strings.HasPrefix(line, d.xURL+"/oauth/authorize?") {
					return d.login(line, "") + "\n"
				}
				return ""
			}, args...)
		default:
			r = d.do("", args...)
		}
		if r.code != 0 {
			t.Errorf("%s: exit %d\n%s", command, r.code, r.err)
		}
		typed := regexp.MustCompile(`(?m)^(consumer key|consumer secret|PIN):.*\n`)
		pattern := strings.ReplaceAll(regexp.QuoteMeta(unspaced(typed.ReplaceAllString(want+"\n", ""))), "…", ".+")
		if got := unspaced(r.err + r.out); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			t.Errorf("%s says\n%s\nwant\n%s", command, got, want)
		}
	}
	if got := d.posted("superman"); len(steps) != 6 || len(got) != 1 || got[0] != "I love Superman" {
		t.Errorf("after %d steps superman has posted %q, want one post after 6", len(steps), got)
	}
}
