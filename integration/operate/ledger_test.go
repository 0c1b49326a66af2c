package operate_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The ledger of a stage is the table that its functions write to.
func TestLedgerOfAStage(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.env["AWS_REGION"] = "eu-west-2" // a ledger of its own
	d.deployed()
	d.ready()
	source := d.say("I love serverless")
	d.must("", "run", "superman", "--stage", stage, "--dry-run=false")
	changing := regexp.MustCompile(`\d{4}-\d\d-\d\d(T[\d:]+Z)?|as \d+`)
	shown := func() string {
		t.Helper()
		return unspaced(changing.ReplaceAllString(d.must("", "ledger", "show", "superman", "--stage", stage), "…"))
	}
	const day = "day …: 1 posts, $0.02\n"
	post := source + " posted … … \n"
	if diff := cmp.Diff(day+post, shown()); diff != "" {
		t.Errorf("show (-want +got):\n%s", diff)
	}

	d.must("", "ledger", "pause", "superman", "--stage", stage)
	if diff := cmp.Diff(day+"stop paused until …: paused\n"+post, shown()); diff != "" {
		t.Errorf("show when paused (-want +got):\n%s", diff)
	}
	second := d.say("serverless once more")
	d.do("", "run", "superman", "--stage", stage, "--dry-run=false").refused(t, "paused", "the run did not do its work: paused")
	d.must("", "ledger", "resume", "superman", "--stage", stage)
	d.must("", "run", "superman", "--stage", stage, "--dry-run=false")
	if diff := cmp.Diff([]string{"I love Superman", "Superman once more"}, d.posted("superman")); diff != "" {
		t.Errorf("posted after resume (-want +got):\n%s", diff)
	}

	d.do("", "ledger", "redrive", "superman", "--stage", stage, second).refused(t, "redrive of what was posted", second+" is posted, not dead")
	d.do("", "ledger", "pause", "superman", "--stage", "prod").refused(t, "not deployed", "superbots-prod is not deployed in eu-west-2", "make deploy STAGE=prod")
	d.do("", "ledger", "show", "superman", "--stage", stage, "--region", "eu-west-1").refused(t, "elsewhere", "superbots-dev is not deployed in eu-west-1")
	d.env["LEDGER"] = "file:ledger.db"
	if r := d.do("", "ledger", "show", "superman", "--stage", stage); r.code != 2 || !strings.Contains(r.err, "LEDGER in the environment counts") {
		t.Errorf("with LEDGER in the environment, and a stage: exit %d, says %q", r.code, r.err)
	}
}
