package operate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/moto"
)

// healthy has a stage in which all is well, as far as AWS goes: moto, with
// what it leaves out of a stack, and an IAM that answers as it should.
func healthy(t *testing.T) *desk {
	d := sit(t)
	d.deployed()
	d.ready()
	behind, err := url.Parse(moto.Start(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ModifyResponse = addAlarms
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	d.env["AWS_ENDPOINT_URL_CLOUDFORMATION"] = front.URL
	d.policies(func(bot, parameter string) bool {
		return strings.HasPrefix(parameter, "/superbots/dev/shared/") || strings.HasPrefix(parameter, "/superbots/dev/"+bot+"/")
	})
	return d
}

// addAlarms puts the alarms, of which moto's CloudFormation knows nothing, into
// its list of a stack's resources.
func addAlarms(r *http.Response) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var alarms strings.Builder
	for _, name := range []string{"FailedEvents", "SupermanErrors", "SupermanIdle", "SupermanUnknown", "SupermanConfig", "BatmanErrors", "BatmanIdle", "BatmanUnknown", "BatmanConfig"} {
		fmt.Fprintf(&alarms, "<member><ResourceStatus>CREATE_COMPLETE</ResourceStatus><LogicalResourceId>%[1]sAlarm</LogicalResourceId>"+
			"<PhysicalResourceId>%[1]s</PhysicalResourceId><ResourceType>AWS::CloudWatch::Alarm</ResourceType>"+
			"<LastUpdatedTimestamp>2026-11-23T10:00:00Z</LastUpdatedTimestamp></member>", name)
	}
	const end = "</StackResourceSummaries>"
	text = bytes.Replace(text, []byte(end), []byte(alarms.String()+end), 1)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Set("Content-Length", fmt.Sprint(len(text)))
	return nil
}

// policies puts up an IAM that answers GetRole and SimulatePrincipalPolicy in
// the form of the service's documentation,
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html.
// moto has no such answer.
func (d *desk) policies(may func(bot, parameter string) bool) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		w.Header().Set("Content-Type", "text/xml")
		const ns = `xmlns="https://iam.amazonaws.com/doc/2010-05-08/"`
		switch r.Form.Get("Action") {
		case "GetRole":
			fmt.Fprintf(w, `<GetRoleResponse %s><GetRoleResult><Role><Path>/</Path><Arn>arn:aws:iam::123456789012:role/%s</Arn><RoleName>%[2]s</RoleName>`+
				`<RoleId>AIDA</RoleId><CreateDate>2026-11-23T10:00:00Z</CreateDate></Role></GetRoleResult></GetRoleResponse>`, ns, r.Form.Get("RoleName"))
		case "SimulatePrincipalPolicy":
			bot := "superman"
			if strings.Contains(r.Form.Get("PolicySourceArn"), "Batman") {
				bot = "batman"
			}
			fmt.Fprintf(w, `<SimulatePrincipalPolicyResponse %s><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>`, ns)
			for i := 1; r.Form.Has(fmt.Sprintf("ResourceArns.member.%d", i)); i++ {
				arn := r.Form.Get(fmt.Sprintf("ResourceArns.member.%d", i))
				decision := "implicitDeny"
				if may(bot, strings.TrimPrefix(arn, "arn:aws:ssm:us-east-1:123456789012:parameter")) {
					decision = "allowed"
				}
				fmt.Fprintf(w, `<member><MatchedStatements/><MissingContextValues/><EvalActionName>%s</EvalActionName><EvalResourceName>%s</EvalResourceName>`+
					`<EvalDecision>%s</EvalDecision></member>`, r.Form.Get("ActionNames.member.1"), arn, decision)
			}
			fmt.Fprint(w, `</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse %s><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`, ns)
		}
	}))
	d.t.Cleanup(server.Close)
	d.env["AWS_ENDPOINT_URL_IAM"] = server.URL
}

func TestDoctorIsContent(t *testing.T) {
	t.Parallel()
	d := healthy(t)
	want := `ok       stack     the table, 2 schedules and 9 alarms are there
ok       superman  its schedule, rate(10 minutes), is off: set scheduled under params in serverless.yml when all is well
ok       batman    its schedule, rate(10 minutes), is off: set scheduled under params in serverless.yml when all is well
ok       superman  all 3 parameters can be read, and have every field
ok       batman    all 3 parameters can be read, and have every field
ok       superman  its role may read these 3 of the stage's 4 parameters
ok       batman    its role may read these 3 of the stage's 4 parameters
ok       superman  its keys are those of @supermanbot, and may write
ok       superman  X lets it search, 299 of 300 more times within this quarter of an hour
unknown  superman  how many credits are left, X does not say
                   -> see https://console.x.com
ok       batman    its keys are those of @batmanbot, and may write
ok       batman    X lets it search, 299 of 300 more times within this quarter of an hour
unknown  batman    how many credits are left, X does not say
                   -> see https://console.x.com
ok       clock     this machine's agrees with X's

A month at these settings, if scheduled, before any free tier:
       X, superman  $30.40  BOT_DAILY_BUDGET, $1 a day, for posts read and written
         X, batman  $30.40  BOT_DAILY_BUDGET, $1 a day, for posts read and written
      AWS, metrics   $3.60  about 12
       AWS, alarms   $0.90  9
         AWS, keys   $0.00  0
    AWS, functions   $0.06  8755 runs of about 2 seconds
           at most  $65.36
`
	r := d.do("", "doctor", "--stage", stage)
	if diff := cmp.Diff(want, r.out); r.code != 0 || diff != "" {
		t.Errorf("exit %d, says %q (-want +got):\n%s", r.code, r.err, diff)
	}
	got := lines(t, d.must("", "doctor", "--stage", stage, "--output", "json"))
	if last := got[len(got)-1]["month"]; len(got) != 15 || last == nil || got[0]["status"] != "ok" {
		t.Errorf("in JSON: %v", got)
	}
	if spent := d.x.Spent(appKey); spent > 0.08 {
		t.Errorf("the doctor cost $%v, and the two authorizations before, more than 8 times $0.01", spent)
	}
}

// Each thing that is wrong has a line that says problem, and what to do.
func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(d *desk)
		args   []string
		want   []string
	}{
		"another region, and revoked keys": {
			change: func(d *desk) {
				values := lines(d.t, d.versions("batman/twitter")[0])
				d.x.Revoke(values[0]["access_token"].(string))
			},
			args: []string{"--region", "eu-west-1"},
			want: []string{"superbots-dev is not deployed in eu-west-1", "make deploy STAGE=dev", "batman    X does not accept its keys"},
		},
		"no alarms, and roles that may too little and too much": {
			change: func(d *desk) {
				d.env["AWS_ENDPOINT_URL_CLOUDFORMATION"] = d.env["AWS_ENDPOINT_URL"]
				d.policies(func(bot, parameter string) bool { return bot == "superman" })
			},
			want: []string{
				"it lacks BatmanConfigAlarm, BatmanErrorsAlarm", "make deploy STAGE=dev",
				"superman  its role may read /superbots/dev/batman/twitter, which its function does not need",
				"batman    its role may not read /superbots/dev/batman/twitter, /superbots/dev/shared/ignore, /superbots/dev/shared/twitter",
			},
		},
		"the keys of another account, which is not ignored, and may only read": {
			change: func(d *desk) {
				d.params.Put("/superbots/dev/shared/ignore", "String", id(d.bots["superman"]))
				d.hold("batman", "superman")
				d.x.SetReadOnly(appKey, true)
				d.hold("superman", "superman")
			},
			want: []string{
				"superman  it does not ignore batman, so that they feed on each other",
				"superman  its keys may only read", "Read and write",
				"batman    its keys are those of @supermanbot, user ", "superbots authorize batman --stage dev --account NAME",
			},
		},
		"no credits": {
			change: func(d *desk) { d.x.SetCredits(appKey, 0) },
			want:   []string{"superman  the X app has no credits left", "batman    the X app has no credits left"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := healthy(t)
			if test.change != nil {
				test.change(d)
			}
			r := d.do("", append([]string{"doctor", "--stage", stage}, test.args...)...)
			if r.code != 1 || r.err != "" || !strings.Contains(r.out, "problem  ") {
				t.Errorf("exit %d, says %q, want 1 and a problem in\n%s", r.code, r.err, r.out)
			}
			for _, want := range test.want {
				if !strings.Contains(r.out, want) {
					t.Errorf("no %q in\n%s", want, r.out)
				}
			}
		})
	}
}

// hold gives a bot new keys of the account of holder.
func (d *desk) hold(bot, holder string) {
	d.t.Helper()
	token := d.x.Issue(d.bots[holder].ID, appKey)
	value, err := json.Marshal(map[string]string{
		"access_token": token.Token, "access_secret": token.Secret, "user_id": id(d.bots[bot]), "screen_name": d.bots[bot].Name,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.params.Put("/superbots/dev/"+bot+"/twitter", "SecureString", string(value))
}
