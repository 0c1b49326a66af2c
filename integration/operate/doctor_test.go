package operate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/moto"
)

// healthy is a desk with a stage in which all is well.
func healthy(t *testing.T) *desk {
	d := sit(t)
	d.heal()
	return d
}

// heal makes all well in the desk's stage, as far as AWS goes: moto, with what it
// leaves out of a stack, and an IAM that answers as it should.
func (d *desk) heal() {
	d.t.Helper()
	d.deployed()
	d.ready()
	behind, err := url.Parse(moto.Start(d.t).URL)
	if err != nil {
		d.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ModifyResponse = d.addAlarms
	front := httptest.NewServer(proxy)
	d.t.Cleanup(front.Close)
	d.env["AWS_ENDPOINT_URL_CLOUDFORMATION"] = front.URL
	d.policies(d.asMeant)
}

// addAlarms puts the alarms, of which moto's CloudFormation knows nothing, into
// its list of a stack's resources.
func (d *desk) addAlarms(r *http.Response) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	names := []string{"FailedEvents"}
	for _, bot := range d.names {
		for _, about := range []string{"Errors", "Idle", "Unknown", "Config"} {
			names = append(names, title(bot)+about)
		}
	}
	var alarms strings.Builder
	for _, name := range names {
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

// title returns a bot's name as the template begins its names.
func title(bot string) string { return strings.ToUpper(bot[:1]) + bot[1:] }

// asMeant is what the roles may: read and decrypt what is their bot's, and what is
// shared.
func (d *desk) asMeant(bot, action, parameter string) bool {
	within := strings.TrimPrefix(parameter, "/superbots/"+d.stage+"/")
	return strings.HasPrefix(within, "shared/") || strings.HasPrefix(within, bot+"/")
}

var contextKey = regexp.MustCompile(`(?m)^ +(kms:[\w:]+):`)

// policies puts up an IAM that answers GetRole and SimulatePrincipalPolicy in
// the form of the service's documentation,
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html.
// moto has no such answer. Whatever may says, a role decrypts only with the
// stage's key, through Parameter Store, and when every key of the context is
// given that the conditions of resources/superman.yml name.
func (d *desk) policies(may func(bot, action, parameter string) bool) {
	text, err := os.ReadFile(filepath.Join(d.dir, "resources/superman.yml"))
	if err != nil {
		d.t.Fatal(err)
	}
	conditions := contextKey.FindAllStringSubmatch(string(text), -1)
	if len(conditions) == 0 {
		d.t.Fatal("resources/superman.yml has no conditions of KMS")
	}
	region, key := d.env["AWS_REGION"], d.resource("ParametersKey")
	arn := func(service string) string { return "arn:aws:" + service + ":" + region + ":123456789012:" }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		w.Header().Set("Content-Type", "text/xml")
		const ns = `xmlns="https://iam.amazonaws.com/doc/2010-05-08/"`
		switch r.Form.Get("Action") {
		case "GetRole":
			fmt.Fprintf(w, `<GetRoleResponse %s><GetRoleResult><Role><Path>/</Path><Arn>arn:aws:iam::123456789012:role/%s</Arn><RoleName>%[2]s</RoleName>`+
				`<RoleId>AIDA</RoleId><CreateDate>2026-11-23T10:00:00Z</CreateDate></Role></GetRoleResult></GetRoleResponse>`, ns, r.Form.Get("RoleName"))
		case "SimulatePrincipalPolicy":
			var bot string
			for _, name := range d.names {
				if strings.Contains(r.Form.Get("PolicySourceArn"), title(name)+"Role") {
					bot = name
				}
			}
			context := make(map[string]string)
			for i := 1; r.Form.Has(fmt.Sprintf("ContextEntries.member.%d.ContextKeyName", i)); i++ {
				entry := fmt.Sprintf("ContextEntries.member.%d.", i)
				if r.Form.Get(entry+"ContextKeyType") == "string" {
					context[r.Form.Get(entry+"ContextKeyName")] = r.Form.Get(entry + "ContextKeyValues.member.1")
				}
			}
			action := r.Form.Get("ActionNames.member.1")
			fmt.Fprintf(w, `<SimulatePrincipalPolicyResponse %s><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>`, ns)
			for i := 1; r.Form.Has(fmt.Sprintf("ResourceArns.member.%d", i)); i++ {
				resource := r.Form.Get(fmt.Sprintf("ResourceArns.member.%d", i))
				parameter, isParameter := strings.CutPrefix(resource, arn("ssm")+"parameter")
				allowed, missing := action == "ssm:GetParameters" && isParameter, ""
				if action == "kms:Decrypt" {
					parameter = strings.TrimPrefix(context["kms:EncryptionContext:PARAMETER_ARN"], arn("ssm")+"parameter")
					allowed = resource == arn("kms")+"key/"+key && context["kms:ViaService"] == "ssm."+region+".amazonaws.com"
					for _, key := range conditions {
						if context[key[1]] == "" {
							allowed = false
							missing += "<member>" + key[1] + "</member>"
						}
					}
				}
				decision := "implicitDeny"
				if allowed && may(bot, action, parameter) {
					decision = "allowed"
				}
				fmt.Fprintf(w, `<member><MatchedStatements/><MissingContextValues>%s</MissingContextValues><EvalActionName>%s</EvalActionName>`+
					`<EvalResourceName>%s</EvalResourceName><EvalDecision>%s</EvalDecision></member>`, missing, action, resource, decision)
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

// resource returns the id of a resource of the desk's stack, or none, by its name
// in the template.
func (d *desk) resource(name string) string {
	config := moto.Start(d.t).Config
	config.Region = d.env["AWS_REGION"]
	out, err := cloudformation.NewFromConfig(config).ListStackResources(context.Background(), &cloudformation.ListStackResourcesInput{
		StackName: aws.String("superbots-" + d.stage),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range out.StackResourceSummaries {
		if aws.ToString(r.LogicalResourceId) == name {
			return aws.ToString(r.PhysicalResourceId)
		}
	}
	return "none"
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

A month at these settings, if scheduled, before any free tier, at the prices of 2026-11-23:
       X, superman  $30.42  BOT_DAILY_BUDGET, $1 a day, for posts read and written
         X, batman  $30.42  BOT_DAILY_BUDGET, $1 a day, for posts read and written
      AWS, metrics   $3.60  about 12
       AWS, alarms   $0.90  9
    AWS, dashboard   $3.00  1
         AWS, keys   $0.00  0
    AWS, functions   $0.06  8760 runs of about 2 seconds
           at most  $68.39
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
				d.policies(func(bot, action, parameter string) bool { return bot == "superman" })
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

// Where the stage has a key of its own, to read is not enough.
func TestDoctorLooksAtDecryption(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.stage, d.env["AWS_REGION"] = "prod", "us-west-2"
	d.heal()
	says := func(code int, want ...string) {
		t.Helper()
		r := d.do("", "doctor", "--stage", d.stage)
		if r.code != code || r.err != "" {
			t.Errorf("exit %d, says %q, want %d and\n%s", r.code, r.err, code, r.out)
		}
		var got []string
		for line := range strings.Lines(r.out) {
			if strings.Contains(line, "role") || strings.Contains(line, "is encrypted") {
				got = append(got, strings.TrimSuffix(line, "\n"))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of the roles (-want +got):\n%s", diff)
		}
		if !strings.Contains(r.out, "AWS, keys   $1.00  1\n") {
			t.Errorf("the key costs nothing in\n%s", r.out)
		}
	}
	says(0,
		"ok       superman  its role may read these 3 of the stage's 4 parameters",
		"ok       superman  its role may decrypt these 2 of the 3 that alias/superbots-prod encrypts",
		"ok       batman    its role may read these 3 of the stage's 4 parameters",
		"ok       batman    its role may decrypt these 2 of the 3 that alias/superbots-prod encrypts",
	)

	// Superman's role may use the key for everything, Batman's for nothing, and
	// one of his parameters has another key.
	d.policies(func(bot, action, parameter string) bool {
		return action == "kms:Decrypt" && bot == "superman" || action != "kms:Decrypt" && d.asMeant(bot, action, parameter)
	})
	if r := d.authorize("batman", d.asAsked, "--key-id", "alias/other"); r.code != 0 {
		t.Fatal(r.err)
	}
	says(1,
		"unknown  stack     /superbots/prod/batman/twitter is encrypted with alias/other, of which the stack knows nothing",
		"                   -> see that the roles may decrypt it, or write it again without --key-id",
		"ok       superman  its role may read these 3 of the stage's 4 parameters",
		"ok       superman  its role may decrypt these 2 of the 2 that alias/superbots-prod encrypts",
		"ok       batman    its role may read these 3 of the stage's 4 parameters",
		"problem  batman    its role may not decrypt /superbots/prod/shared/twitter",
	)
	if r := d.authorize("batman", d.asAsked, "--key-id", "alias/aws/ssm"); r.code != 0 {
		t.Fatal(r.err)
	}
	says(1,
		"problem  stack     /superbots/prod/batman/twitter is encrypted with alias/aws/ssm, with which all who may read it decrypt it, and the stage has a key of its own",
		"ok       superman  its role may read these 3 of the stage's 4 parameters",
		"ok       superman  its role may decrypt these 2 of the 2 that alias/superbots-prod encrypts",
		"ok       batman    its role may read these 3 of the stage's 4 parameters",
		"problem  batman    its role may not decrypt /superbots/prod/shared/twitter",
	)
	if r := d.authorize("batman", d.asAsked); r.code != 0 {
		t.Fatal(r.err)
	}
	says(1,
		"ok       superman  its role may read these 3 of the stage's 4 parameters",
		"problem  superman  its role may decrypt /superbots/prod/batman/twitter, which its function does not need",
		"ok       batman    its role may read these 3 of the stage's 4 parameters",
		"problem  batman    its role may not decrypt /superbots/prod/batman/twitter, /superbots/prod/shared/twitter",
	)
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
