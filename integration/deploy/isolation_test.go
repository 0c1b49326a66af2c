package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
)

// allowed returns all that the role of a bot may do, of the whole matrix that
// requests makes.
func allowed(stage, bot string) []string {
	may := []string{
		"dynamodb:BatchGetItem Ledger, rows of " + bot,
		"dynamodb:PutItem Ledger, rows of " + bot,
		"dynamodb:Query Ledger, rows of " + bot,
		"dynamodb:Query Ledger/index/open, rows of " + bot,
		"logs:CreateLogStream /aws/lambda/superbots-" + stage + "-" + bot,
		"logs:PutLogEvents /aws/lambda/superbots-" + stage + "-" + bot,
		"sqs:SendMessage FailedEvents",
	}
	for _, name := range []string{"shared/ignore", "shared/twitter", bot + "/twitter"} {
		name = "/superbots/" + stage + "/" + name
		may = append(may, "ssm:GetParameters "+name)
		if stage == "prod" {
			may = append(may, "kms:Decrypt ParametersKey, by ssm, of "+name)
		}
	}
	slices.Sort(may)
	return may
}

func TestRolesAllowThisAndNoMore(t *testing.T) {
	for _, stage := range []string{"dev", "prod"} {
		for _, bot := range functions.All {
			got := may(t, stage, bot.Name, packaged(t, stage))[0]
			if diff := cmp.Diff(allowed(stage, bot.Name), got); diff != "" {
				t.Errorf("what %s may do in %s (-want +got):\n%s", bot.Name, stage, diff)
			}
		}
	}
}

// A role that is a little too wide is noticed.
func TestWideningIsNoticed(t *testing.T) {
	// In the place of a condition that is taken away, one that always holds.
	const always = `IfExists":{"aws:RequestTag/none"`
	changes := [][2]string{
		{"parameter/superbots/prod/superman/*", "parameter/superbots/prod/*"},
		{"parameter/superbots/prod/superman/*", "parameter/superbots/prod/superman*"},
		{"parameter/superbots/prod/superman/*", "parameter/superbots/*/superman/*"},
		{`"ssm:GetParameters"`, `["ssm:GetParameters","ssm:GetParametersByPath"]`},
		{`"ssm:GetParameters"`, `["ssm:GetParameters","ssm:PutParameter"]`},
		{`"dynamodb:LeadingKeys":"superman"`, `"dynamodb:LeadingKeys":["superman","batman"]`},
		{`"dynamodb:PutItem"`, `"dynamodb:PutItem","dynamodb:DeleteItem"`},
		{`"dynamodb:PutItem"`, `"dynamodb:PutItem","dynamodb:Scan"`},
		{`"Fn::GetAtt":["SupermanLogGroup","Arn"]`, `"Fn::Sub":"*"`},
		{`"sqs:SendMessage"`, `"sqs:*"`},
		{`"sqs:SendMessage"`, `"*"`},
		{`"kms:Decrypt"`, `"kms:*"`},
		{`"StringEquals":{"kms:ViaService"`, `"StringEquals` + always},
		{`"StringLike":{"kms:EncryptionContext:PARAMETER_ARN"`, `"StringLike` + always},
	}
	role, err := json.Marshal(packaged(t, "prod").Resources["SupermanRole"])
	if err != nil {
		t.Fatal(err)
	}
	var wide []template
	for _, change := range changes {
		text := strings.ReplaceAll(string(role), change[0], change[1])
		if text == string(role) {
			t.Fatalf("the role does not have %s:\n%s", change[0], role)
		}
		var changed resource
		if err := json.Unmarshal([]byte(text), &changed); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		made := packaged(t, "prod")
		made.Resources = maps.Clone(made.Resources)
		made.Resources["SupermanRole"] = changed
		wide = append(wide, made)
	}
	for i, got := range may(t, "prod", "superman", wide...) {
		if cmp.Equal(allowed("prod", "superman"), got) {
			t.Errorf("%s in the place of %s: the role may do more, and nothing of the matrix tells", changes[i][1], changes[i][0])
		}
	}
}

func TestOnlyLambdaTakesARole(t *testing.T) {
	want := map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
		}},
	}
	for _, stage := range []string{"dev", "prod"} {
		made := packaged(t, stage)
		roles := made.ofType("AWS::IAM::Role")
		if diff := cmp.Diff(ofEachBot("{Bot}Role"), roles); diff != "" {
			t.Errorf("%s: roles (-want +got):\n%s", stage, diff)
		}
		for _, role := range roles {
			p := made.Resources[role].Properties
			if diff := cmp.Diff(want, p["AssumeRolePolicyDocument"]); diff != "" {
				t.Errorf("%s: who takes %s (-want +got):\n%s", stage, role, diff)
			}
			if p["ManagedPolicyArns"] != nil {
				t.Errorf("%s: %s has policies of AWS's: %v", stage, role, p["ManagedPolicyArns"])
			}
		}
	}
}

// Each function can be started by its own rule alone.
func TestOnlyItsRuleStartsAFunction(t *testing.T) {
	made := packaged(t, "prod")
	permissions := made.ofType("AWS::Lambda::Permission")
	if diff := cmp.Diff(ofEachBot("{Bot}LambdaPermissionEventsRuleSchedule1"), permissions); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
	for _, name := range permissions {
		p := made.value(made.Resources[name].Properties).(map[string]any)
		bot, _, _ := strings.Cut(name, "Lambda")
		want := map[string]any{
			"FunctionName": arn("lambda", "function:superbots-prod-"+strings.ToLower(bot)),
			"Action":       "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
			"SourceArn": bot + "EventsRuleSchedule1.Arn",
		}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The simulator loses this key of a request, and the allowed looks denied. So
// may gives it another name, in policies and requests alike. Once this test
// fails, that can go.
func TestSimulatorLosesEncryptionContext(t *testing.T) {
	answers := simulate(t, []simulation{newSimulation(
		map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
			"Condition": map[string]any{"StringEquals": map[string]any{"kms:EncryptionContext:PARAMETER_ARN": "x"}},
		}}},
		keyPolicy(packaged(t, "prod")),
		request{action: "kms:Decrypt", arn: arn("kms", "key/k"), context: map[string]any{"kms:EncryptionContext:PARAMETER_ARN": "x"}},
	)})
	if want := []string{"kms:EncryptionContext:PARAMETER_ARN"}; answers[0].Allowed || !slices.Equal(answers[0].Ignored, want) {
		t.Errorf("got %+v, want a denial that ignores %v", answers[0], want)
	}
}

// A request is one call that somebody with a bot's role might try.
type request struct {
	action, arn string
	context     map[string]any
	label       string
}

// requests returns the matrix for one stage: every call of the services that
// the bots use, and some of others, on what is theirs and what only looks so.
func requests(stage string) []request {
	var all []request
	add := func(actions, label, arn string, context map[string]any) {
		for action := range strings.FieldsSeq(actions) {
			all = append(all, request{action, arn, context, strings.TrimSuffix(action+" "+label, " ")})
		}
	}
	other := map[string]string{"dev": "prod", "prod": "dev"}[stage]

	parameters := append(ofEachBot("/superbots/"+stage+"/{bot}/twitter"),
		"/superbots/"+stage+"/shared/twitter",
		"/superbots/"+stage+"/shared/ignore",
		"/superbots/"+stage,
		"/superbots/"+stage+"/superman",
		"/superbots/"+stage+"/superman2/twitter",
		"/superbots/"+stage+"/superman-other/twitter",
		"/superbots/"+stage+"/supermantwitter",
		"/superbots/"+stage+"/shared2/twitter",
		"/superbots/"+stage+"2/superman/twitter",
		"/superbots/"+other+"/superman/twitter",
		"/superbots/"+other+"/shared/twitter",
		"/superbots2/"+stage+"/superman/twitter",
		"/x/superbots/"+stage+"/superman/twitter",
		"/other",
	)
	for _, name := range parameters {
		add(`ssm:GetParameters ssm:GetParameter ssm:GetParametersByPath ssm:GetParameterHistory ssm:PutParameter
			ssm:DeleteParameter ssm:DeleteParameters ssm:LabelParameterVersion`, name, arn("ssm", "parameter"+name), nil)
	}

	for _, key := range []string{"ParametersKey", "OtherKey"} {
		for _, via := range []string{"ssm", "secretsmanager", ""} {
			for _, name := range append(parameters, "") {
				label, context := key, map[string]any{}
				if via != "" {
					label += ", by " + via
					context["kms:ViaService"] = via + "." + region + ".amazonaws.com"
				}
				if name != "" {
					label += ", of " + name
					context["kms:EncryptionContext:PARAMETER_ARN"] = arn("ssm", "parameter"+name)
				}
				add("kms:Decrypt", label, arn("kms", "key/"+key), context)
			}
		}
		name := "/superbots/" + stage + "/superman/twitter"
		add("kms:Encrypt kms:GenerateDataKey kms:ReEncryptFrom", key+", by ssm, of "+name, arn("kms", "key/"+key), map[string]any{
			"kms:ViaService": "ssm." + region + ".amazonaws.com", "kms:EncryptionContext:PARAMETER_ARN": arn("ssm", "parameter"+name),
		})
		add("kms:DescribeKey kms:CreateGrant kms:PutKeyPolicy kms:DisableKey kms:ScheduleKeyDeletion", key, arn("kms", "key/"+key), nil)
	}

	for _, table := range []string{"Ledger", "Ledger2", "superbots-" + other + "-Ledger"} {
		rows := [][]string{{"superman", "batman"}, {"superman2"}}
		for _, bot := range functions.All {
			rows = append(rows, []string{bot.Name})
		}
		for _, rows := range rows {
			label, context := ", rows of "+strings.Join(rows, " and "), map[string]any{"dynamodb:LeadingKeys": rows}
			add(`dynamodb:BatchGetItem dynamodb:GetItem dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem
				dynamodb:BatchWriteItem dynamodb:ConditionCheckItem`, table+label, arn("dynamodb", "table/"+table), context)
			for _, index := range []string{"open", "open2", "other"} {
				name := table + "/index/" + index
				add("dynamodb:Query", name+label, arn("dynamodb", "table/"+name), context)
			}
		}
		add(`dynamodb:Scan dynamodb:DescribeTable dynamodb:UpdateTable dynamodb:DeleteTable dynamodb:UpdateTimeToLive
			dynamodb:CreateBackup dynamodb:ExportTableToPointInTime`, table, arn("dynamodb", "table/"+table), nil)
	}

	for _, group := range append(ofEachBot("/aws/lambda/superbots-"+stage+"-{bot}"),
		"/aws/lambda/superbots-"+stage+"-superman2",
		"/aws/lambda/superbots-"+other+"-superman",
		"/other",
	) {
		stream := arn("logs", "log-group:"+group+":log-stream:2026/11/23/[$LATEST]0")
		add("logs:CreateLogStream logs:PutLogEvents logs:GetLogEvents logs:DeleteLogStream", group, stream, nil)
		add("logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy logs:FilterLogEvents", group, arn("logs", "log-group:"+group), nil)
	}

	for _, queue := range []string{"FailedEvents", "FailedEvents2"} {
		add("sqs:SendMessage sqs:ReceiveMessage sqs:DeleteMessage sqs:PurgeQueue sqs:DeleteQueue", queue, arn("sqs", queue), nil)
	}

	for _, name := range ofEachBot("superbots-" + stage + "-{bot}") {
		add("lambda:InvokeFunction lambda:GetFunction lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration", name, arn("lambda", "function:"+name), nil)
	}
	add("iam:PassRole iam:PutRolePolicy sts:AssumeRole", "BatmanRole", "arn:aws:iam::"+account+":role/BatmanRole", nil)
	add("secretsmanager:GetSecretValue", "secret", arn("secretsmanager", "secret:x-abcdef"), nil)
	add("sns:Publish", "AlarmTopic", arn("sns", "AlarmTopic"), nil)
	add("s3:GetObject", "bucket", "arn:aws:s3:::bucket/key", nil)
	add(`ssm:DescribeParameters dynamodb:ListTables kms:ListKeys logs:DescribeLogGroups cloudwatch:PutMetricData
		xray:PutTraceSegments`, "", "*", nil)
	return all
}

// may returns, for each of the templates, what the role of a bot may do of the
// whole matrix, sorted.
func may(t *testing.T, stage, bot string, templates ...template) [][]string {
	t.Helper()
	all := requests(stage)
	var simulations []simulation
	for _, made := range templates {
		policies := made.value(made.Resources[title(bot)+"Role"].Properties["Policies"]).([]any)
		if len(policies) != 1 {
			t.Fatalf("the role of %s has %d policies", bot, len(policies))
		}
		policy := policies[0].(map[string]any)["PolicyDocument"]
		for _, r := range all {
			var key any
			if strings.HasPrefix(r.action, "kms:") {
				key = keyPolicy(made)
			}
			s := newSimulation(policy, key, r)
			s.rename("kms:EncryptionContext:PARAMETER_ARN", "aws:RequestTag/PARAMETER_ARN")
			simulations = append(simulations, s)
		}
	}
	may := make([][]string, len(templates))
	for i, a := range simulate(t, simulations) {
		label := all[i%len(all)].label
		if len(a.Ignored) > 0 {
			t.Errorf("%s: the simulator ignored %v", label, a.Ignored)
		}
		if a.Allowed {
			may[i/len(all)] = append(may[i/len(all)], label)
		}
	}
	for _, labels := range may {
		slices.Sort(labels)
	}
	return may
}

// ofEachBot returns the pattern once for each bot, sorted, with the bot's name
// as {bot}, or as the template begins its names with it as {Bot}.
func ofEachBot(pattern string) []string {
	var all []string
	for _, bot := range functions.All {
		all = append(all, strings.NewReplacer("{bot}", bot.Name, "{Bot}", title(bot.Name)).Replace(pattern))
	}
	slices.Sort(all)
	return all
}

// title returns a bot's name as the template begins its names.
func title(bot string) string { return strings.ToUpper(bot[:1]) + bot[1:] }

func keyPolicy(made template) any {
	return made.value(made.Resources["ParametersKey"].Properties["KeyPolicy"])
}

// A simulation is one question to @cloud-copilot/iam-simulate.
type simulation map[string]any

func newSimulation(policy, resourcePolicy any, r request) simulation {
	if r.context == nil {
		r.context = map[string]any{}
	}
	s := simulation{
		"identityPolicies":        []any{map[string]any{"name": "role", "policy": policy}},
		"serviceControlPolicies":  []any{},
		"resourceControlPolicies": []any{},
		"request": map[string]any{
			"action":           r.action,
			"principal":        "arn:aws:sts::" + account + ":assumed-role/role/session",
			"resource":         map[string]any{"resource": r.arn, "accountId": account},
			"contextVariables": r.context,
		},
	}
	if resourcePolicy != nil {
		s["resourcePolicy"] = resourcePolicy
	}
	return s
}

// rename gives a condition key another name everywhere.
func (s simulation) rename(from, to string) {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // unreachable: it was JSON
	}
	text = []byte(strings.ReplaceAll(string(text), from, to))
	clear(s)
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err) // unreachable: names need no quoting
	}
}

type answer struct {
	Allowed bool
	Ignored []string
}

func simulate(t *testing.T, simulations []simulation) []answer {
	t.Helper()
	tool(t, "@cloud-copilot/iam-simulate")
	questions, err := json.Marshal(simulations)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(root, "integration/deploy/simulate.mjs"))
	cmd.Stdin = strings.NewReader(string(questions))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, out))
	}
	return answers
}
