package operate_test

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
)

// say puts a post into X that is an hour old, and returns its id.
func (d *desk) say(text string) string {
	return strconv.FormatUint(d.x.Add(x.Post{Author: "ana", Text: text, CreatedAt: time.Now().Add(-time.Hour)}), 10)
}

func (d *desk) posted(bot string) []string {
	var texts []string
	for _, p := range d.x.Posts(d.bots[bot].ID) {
		texts = append(texts, p.Text)
	}
	return texts
}

// A dry run shows what would be posted, and leaves no trace; a real one posts
// once, and shares its ledger with the deployed function.
func TestRun(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.env["AWS_REGION"] = "eu-north-1" // a ledger of its own
	d.deployed()
	d.ready()
	said := d.say("I love serverless")

	want := `superman   dry-run
found      1
posted     0
skipped    1
  dry-run  1
pending    0
unknown    0
dead       0
cost       $0.005

` + said + `  dry-run  I love Superman
`
	out := d.must("", "run", "superman", "--stage", stage)
	if diff := cmp.Diff(unspaced(want), unspaced(out)); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	if got := d.posted("superman"); got != nil {
		t.Errorf("a dry run posted %q", got)
	}

	var report bot.Report
	out = d.must("", "run", "superman", "--stage", stage, "--dry-run=false", "--output", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Posted != 1 || report.Mode != bot.PostMode {
		t.Errorf("run: %v\n%s", err, out)
	}
	if out := d.must("", "run", "superman", "--stage", stage, "--dry-run=false"); !regexp.MustCompile(`found +0\n`).MatchString(out) {
		t.Errorf("a second run finds something:\n%s", out)
	}
	if diff := cmp.Diff([]string{"I love Superman"}, d.posted("superman")); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
}

// unspaced makes the width of columns not matter: ids differ in theirs.
func unspaced(s string) string { return regexp.MustCompile(` +`).ReplaceAllString(s, " ") }

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(d *desk)
		args   []string
		want   []string
	}{
		"no stack to share a ledger with": {
			args: []string{"--dry-run=false", "--region", "eu-west-1"},
			want: []string{"superbots-dev is not deployed in eu-west-1", "make deploy STAGE=dev"},
		},
		"no parameters": {
			change: func(d *desk) { d.delete("/superbots/dev/superman/twitter") },
			want:   []string{"TWITTER_ACCESS_TOKEN (ssm:/superbots/dev/superman/twitter#access_token): parameter not found", "superbots params check --stage dev"},
		},
		"keys that were revoked": {
			change: func(d *desk) {
				var fields map[string]string
				json.Unmarshal([]byte(d.versions("superman/twitter")[0]), &fields)
				d.x.Revoke(fields["access_token"])
			},
			want: []string{"the run did not do its work: credentials"},
		},
		"a ledger that is none": {
			args: []string{"--ledger", "dynamodb:nowhere"},
			want: []string{"--ledger names another"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sit(t)
			d.ready()
			d.say("I love serverless")
			if test.change != nil {
				test.change(d)
			}
			d.do("", append([]string{"run", "superman", "--stage", stage}, test.args...)...).refused(t, name, test.want...)
			if got := d.posted("superman"); got != nil {
				t.Errorf("posted %q", got)
			}
		})
	}
	d := sit(t)
	if r := d.do("", "run", "superman", "--stage", stage, "--ledger", "sesame"); r.code != 2 || !strings.Contains(r.err, "--ledger") {
		t.Errorf("a ledger that is none: exit %d, %s", r.code, r.err)
	}
}
