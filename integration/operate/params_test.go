package operate_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/moto"
)

// lines decodes JSON lines.
func lines(t *testing.T, out string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v in line %q", err, line)
		}
		all = append(all, one)
	}
	return all
}

// ages makes the ages in a table the same each time.
var ages = regexp.MustCompile(`\d+ (second|minute)s? old`)

func table(out string) string { return ages.ReplaceAllString(out, "AGE old") }

func TestParamsList(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.deployed()
	d.ready()
	d.params.Put("/superbots/dev/superman/note", "String", "nobody reads this")
	d.params.Put("/superbots/prod/superman/twitter", "SecureString", "{}")

	want := `/superbots/dev/batman/twitter    SecureString  version 1  AGE old, by operator  read by batman
/superbots/dev/shared/ignore     String        version 2  AGE old, by operator  read by batman, superman
/superbots/dev/shared/twitter    SecureString  version 1  AGE old, by operator  read by batman, superman
/superbots/dev/superman/note     String        version 1  AGE old, by root      read by no function
/superbots/dev/superman/twitter  SecureString  version 1  AGE old, by operator  read by superman
`
	if diff := cmp.Diff(want, table(d.must("", "params", "list", "--stage", stage))); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	got := lines(t, d.must("", "params", "list", "--stage", stage, "--output", "json"))
	if len(got) != 5 || got[1]["name"] != "/superbots/dev/shared/ignore" || got[1]["version"] != 2.0 ||
		!cmp.Equal(got[1]["used_by"], []any{"batman", "superman"}) || !strings.HasSuffix(got[1]["modified_by"].(string), "/operator") {
		t.Errorf("list in JSON: %v", got)
	}

	// A stage that is not deployed has parameters all the same.
	out := d.must("", "params", "list", "--stage", "prod")
	if want := "/superbots/prod/superman/twitter  SecureString  version 1  AGE old, by root\n"; table(out) != want {
		t.Errorf("list of prod: %q, want %q", out, want)
	}
}

func TestParamsSet(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.ready()

	said := d.must("12,34\n", "params", "set", "--stage", stage, "shared/ignore")
	if want := "/superbots/dev/shared/ignore is stored as version 3\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	said = d.must("12,34\n", "params", "set", "--stage", stage, "shared/ignore", "--output", "json")
	if want := `{"name":"/superbots/dev/shared/ignore","version":3,"changed":false}` + "\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	d.must("a note", "params", "set", "--stage", stage, "superman/note")
	out, err := d.client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/superbots/dev/superman/note")})
	if err != nil || out.Parameter.Type != "SecureString" || *out.Parameter.Value == "a note" {
		t.Errorf("a new parameter: %v, want a SecureString", err)
	}

	secret := `{"access_token":"1-hidden","access_secret":"hidden"}`
	before := [][]string{d.versions("shared/ignore"), d.versions("superman/twitter"), d.versions("shared/twitter")}
	for name, test := range map[string]struct {
		in, name string
		want     string
	}{
		"nothing":              {"", "shared/ignore", "no value was given"},
		"ids that are none":    {"@ana", "shared/ignore", "must be user ids"},
		"keys that lack some":  {secret, "superman/twitter", "has no field"},
		"keys that are text":   {"hidden", "shared/twitter", "does not hold a JSON object"},
		"the name of no bot":   {"x", "no-bot/twitter", `"no-bot/twitter" is no parameter of a stage`},
		"a name in full":       {"x", "/superbots/dev/superman/twitter", "is no parameter of a stage"},
		"a name with nothing":  {"x", "superman/", "is no parameter of a stage"},
		"more than fits there": {strings.Repeat("hidden", 1000), "superman/note", "writing /superbots/dev/superman/note: AWS answers ValidationException"},
	} {
		r := d.do(test.in, "params", "set", "--stage", stage, test.name)
		r.refused(t, name, test.want)
		if strings.Contains(r.err, "hidden") {
			t.Errorf("%s: says the value: %s", name, r.err)
		}
	}
	after := [][]string{d.versions("shared/ignore"), d.versions("superman/twitter"), d.versions("shared/twitter")}
	if !slices.EqualFunc(before, after, slices.Equal) {
		t.Error("something was written")
	}
	if r := d.do("", "params", "set", "--stage", stage, "shared/ignore", "12"); r.code != 2 {
		t.Errorf("a value as an argument: exit %d, want 2", r.code)
	}
}

func TestParamsHistoryAndRollback(t *testing.T) {
	t.Parallel()
	d := sit(t)
	for _, ids := range []string{"1", "2", "3"} {
		d.must(ids, "params", "set", "--stage", stage, "shared/ignore")
	}
	for range 2 { // the second time changes nothing
		if said, want := d.must("", "params", "rollback", "--stage", stage, "shared/ignore", "--to", "1"), "as version 4\n"; !strings.HasSuffix(said, want) {
			t.Errorf("rollback says %q, want %q", said, want)
		}
	}
	if diff := cmp.Diff([]string{"1", "2", "3", "1"}, d.versions("shared/ignore")); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if _, err := d.client.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{
		Name: aws.String("/superbots/dev/shared/ignore"), ParameterVersion: aws.Int64(2), Labels: []string{"live"},
	}); err != nil {
		t.Fatal(err)
	}
	want := `/superbots/dev/shared/ignore  String  version 4         AGE old, by operator  1
/superbots/dev/shared/ignore  String  version 3         AGE old, by operator  3
/superbots/dev/shared/ignore  String  version 2 (live)  AGE old, by operator  2
/superbots/dev/shared/ignore  String  version 1         AGE old, by operator  1
`
	if diff := cmp.Diff(want, table(d.must("", "params", "history", "--stage", stage, "shared/ignore", "--reveal"))); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if got := lines(t, d.must("", "params", "get", "--stage", stage, "shared/ignore", "--output", "json")); len(got) != 1 || got[0]["version"] != 4.0 || got[0]["value"] != nil {
		t.Errorf("get: %v, want version 4 without its value", got)
	}
	d.do("", "params", "rollback", "--stage", stage, "shared/ignore", "--to", "9").refused(t, "no such version", "has no version 9", "params history")
	d.do("", "params", "get", "--stage", stage, "superman/twitter").refused(t, "no such parameter", "there is no /superbots/dev/superman/twitter in us-east-1", "params list")
}

func TestRollbackOfKeysKeepsThemSecret(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.ready()
	if r := d.authorize("superman", d.asAsked, "--key-id", "alias/other"); r.code != 0 {
		t.Fatal(r.err)
	}
	d.must("", "params", "rollback", "--stage", stage, "superman/twitter", "--to", "1")
	values := d.versions("superman/twitter")
	if len(values) != 3 || values[2] != values[0] || values[1] == values[0] {
		t.Fatalf("%d versions, want the first again as the third", len(values))
	}
	got := lines(t, d.must("", "params", "history", "--stage", stage, "superman/twitter", "--output", "json"))
	if got[0]["type"] != "SecureString" || got[0]["key"] != "alias/other" {
		t.Errorf("the newest version is %v, want a SecureString under the key of the one before", got[0])
	}
	if out := d.must("", "params", "get", "--stage", stage, "shared/ignore", "--reveal"); !strings.Contains(out, id(d.bots["batman"])) {
		t.Errorf("get --reveal: %q", out)
	}
}

func TestParamsCheck(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.deployed()
	d.ready()
	const fine = "all 3 parameters can be read, and have every field\n"
	if got, want := d.must("", "params", "check", "--stage", stage), "ok       superman  "+fine+"ok       batman    "+fine; got != want {
		t.Errorf("check: %q, want %q", got, want)
	}

	d.params.Put("/superbots/dev/superman/twitter", "SecureString", `{"access_token":"1-hidden"}`)
	d.delete("/superbots/dev/batman/twitter")
	d.params.Put("/superbots/dev/batman/twitter", "String", d.versions("superman/twitter")[0])
	r := d.do("", "params", "check", "--stage", stage)
	for _, want := range []string{
		"problem  superman  TWITTER_ACCESS_SECRET (ssm:/superbots/dev/superman/twitter#access_secret): ",
		"problem  superman  TWITTER_USER_ID (ssm:/superbots/dev/superman/twitter#user_id): ",
		"-> superbots authorize superman --stage dev --account NAME\n",
		"problem  batman    /superbots/dev/batman/twitter is a plain String, which anyone who may list parameters can read\n",
		"-> aws ssm delete-parameter --name /superbots/dev/batman/twitter, then superbots authorize batman --stage dev --account NAME\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("check says no %q in\n%s", want, r.out)
		}
	}
	if r.code != 1 || r.err != "" {
		t.Errorf("check: exit %d, says %q, want 1 and nothing more", r.code, r.err)
	}
	r = d.do("", "params", "check", "--stage", stage, "--output", "json")
	if got := lines(t, r.out); r.code != 1 || len(got) != 3 || got[0]["status"] != "problem" || got[0]["do"] == "" {
		t.Errorf("check in JSON: exit %d, %v", r.code, got)
	}
	d.do("", "params", "check", "--stage", "prod").refused(t, "not deployed", "superbots-prod is not deployed in us-east-1", "make deploy STAGE=prod", "--region")
	d.do("", "params", "check", "--stage", stage, "--region", "eu-west-1").refused(t, "elsewhere", "superbots-dev is not deployed in eu-west-1")
}

// The same against moto, which was made from what AWS answers by others.
func TestParamsAgainstMoto(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.env["AWS_ENDPOINT_URL_SSM"] = moto.Start(t).URL
	d.env["AWS_REGION"] = "eu-central-1" // nobody else's
	d.must(appKey+"\n"+appSecret, "authorize", "shared", "--stage", stage)
	for _, bot := range []string{"superman", "batman"} {
		if r := d.authorize(bot, d.asAsked); r.code != 0 {
			t.Fatalf("authorize %s: %s", bot, r.err)
		}
	}
	d.must("1,2", "params", "set", "--stage", stage, "shared/ignore")
	d.must("1,2", "params", "set", "--stage", stage, "shared/ignore")
	d.must("", "params", "rollback", "--stage", stage, "shared/ignore", "--to", "1")
	d.must("", "params", "rollback", "--stage", stage, "shared/ignore", "--to", "1")
	got := lines(t, d.must("", "params", "history", "--stage", stage, "shared/ignore", "--reveal", "--output", "json"))
	if len(got) != 4 || got[0]["value"] != id(d.bots["superman"]) || got[1]["value"] != "1,2" {
		t.Errorf("history: %v", got)
	}
	var names []any
	for _, one := range lines(t, d.must("", "params", "list", "--stage", stage, "--output", "json")) {
		names = append(names, one["name"])
	}
	want := []any{"/superbots/dev/batman/twitter", "/superbots/dev/shared/ignore", "/superbots/dev/shared/twitter", "/superbots/dev/superman/twitter"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// A stage with a key of its own has its parameters encrypted with that one.
func TestKeyOfTheStack(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.stage, d.env["AWS_REGION"] = "prod", "us-west-2"
	d.deployed()
	out := d.must(appKey+"\n"+appSecret, "authorize", "shared", "--stage", "prod")
	if want := "encrypted with alias/superbots-prod\n"; !strings.HasSuffix(out, want) {
		t.Errorf("says %q, want it to end with %q", out, want)
	}
	got := lines(t, d.must("", "params", "get", "--stage", "prod", "shared/twitter", "--output", "json"))
	if got[0]["key"] != "alias/superbots-prod" {
		t.Errorf("the parameter is %v, want it under alias/superbots-prod", got[0])
	}
}
