package deploy_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/pkg/app"
)

func TestPackagesWithoutCredentialsOrWarning(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"dev", "prod"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			out, err := s.osls(t, nil, "package", "--stage", stage)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			time := regexp.MustCompile(`\(\d+s\)`)
			want := "\nPackaging superbots for stage " + stage + " (us-east-1)\n\n✔ Service packaged (0s)\n"
			if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(time.ReplaceAllString(out, "(0s)"))); diff != "" {
				t.Errorf("osls said (-want +got):\n%s", diff)
			}
			if out, err := s.check(t); err != nil || out != "" {
				t.Errorf("the check: %v\n%s", err, out)
			}
		})
	}
}

func TestBotsFilesDifferInNamesOnly(t *testing.T) {
	pattern := func(bot string) string {
		text := read(t, filepath.Join(root, "resources", bot+".yml"))
		return strings.NewReplacer(bot, "{bot}", title(bot), "{Bot}").Replace(text)
	}
	for _, bot := range functions.All {
		if diff := cmp.Diff(pattern("superman"), pattern(bot.Name)); diff != "" {
			t.Errorf("superman.yml (-) and %s.yml (+) differ:\n%s", bot.Name, diff)
		}
	}
}

// What the template says is what the code reads: all that it needs, nothing
// that it does not know, and nothing that it would refuse at start.
func TestFunctionsGetTheSettingsThatTheyRead(t *testing.T) {
	fields, err := env.GetFieldParamsWithOptions(new(app.Settings), env.Options{Environment: map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"CONFIG_TTL", "CONFIG_MAX_STALE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
	for _, f := range fields {
		known = append(known, f.Key)
	}
	for _, stage := range []string{"dev", "prod"} {
		made := packaged(t, stage)
		for _, bot := range functions.All {
			variables := made.environment(title(bot.Name) + "LambdaFunction")
			environ := []string{}
			for name, value := range variables {
				environ = append(environ, name+"="+value)
				if !slices.Contains(known, name) {
					t.Errorf("%s %s: nothing reads the variable %s", stage, bot.Name, name)
				}
				if strings.HasPrefix(name, "TWITTER_") && !strings.HasPrefix(value, "ssm:/superbots/"+stage+"/") {
					t.Errorf("%s %s: %s is %q, not the name of a parameter of the stage", stage, bot.Name, name, value)
				}
			}
			for _, f := range fields {
				if _, ok := variables[f.Key]; f.Required && !ok {
					t.Errorf("%s %s: the variable %s is not set", stage, bot.Name, f.Key)
				}
			}
			if _, err := app.New(bot, environ, io.Discard); err != nil {
				t.Errorf("%s %s would not start: %v", stage, bot.Name, err)
			}
			// What the operator's command looks for.
			if got, want := made.value(made.Outputs["LedgerTable"].Value), variables["LEDGER"]; got != want {
				t.Errorf("%s: the output LedgerTable is %v, LEDGER of %s is %s", stage, got, bot.Name, want)
			}
			if variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] != "true" {
				t.Errorf("%s %s may be led to other endpoints", stage, bot.Name)
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	for stage, wantState := range map[string]string{"dev": "DISABLED", "prod": "DISABLED"} {
		made := packaged(t, stage)
		for _, bot := range ofEachBot("{bot}") {
			p := made.value(made.Resources[title(bot)+"LambdaFunction"].Properties).(map[string]any)
			key := p["Code"].(map[string]any)["S3Key"].(string)
			delete(p, "Code")
			delete(p, "Description")
			delete(p, "Environment")
			want := map[string]any{
				"FunctionName": "superbots-" + stage + "-" + bot, "Handler": "bootstrap", "Runtime": "provided.al2023",
				"Architectures": []any{"arm64"}, "MemorySize": 256.0, "Timeout": local.Timeout.Seconds(),
				"Role":          "arn:aws:iam::" + account + ":role/" + title(bot) + "Role",
				"LoggingConfig": map[string]any{"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"},
			}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", stage, bot, diff)
			}
			if filepath.Base(key) != bot+".zip" {
				t.Errorf("%s %s: its code is %s", stage, bot, key)
			}

			failed := made.value(made.Resources[title(bot)+"LambdaEvConf"].Properties).(map[string]any)
			want = map[string]any{
				"FunctionName": "superbots-" + stage + "-" + bot, "Qualifier": "$LATEST",
				"MaximumRetryAttempts": 0.0, "MaximumEventAgeInSeconds": 300.0,
				"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": arn("sqs", "FailedEvents")}},
			}
			if diff := cmp.Diff(want, failed); diff != "" {
				t.Errorf("%s %s: events that fail (-want +got):\n%s", stage, bot, diff)
			}

			rule := made.Resources[title(bot)+"EventsRuleSchedule1"].Properties
			if rule["ScheduleExpression"] != "rate(10 minutes)" || rule["State"] != wantState {
				t.Errorf("%s %s: the schedule is %v, %v, want rate(10 minutes), %s", stage, bot, rule["ScheduleExpression"], rule["State"], wantState)
			}
		}
	}
}

// What prod has that dev does not: its data outlive it, and have a key.
func TestStagesDiffer(t *testing.T) {
	type differences struct {
		Mode, Retention, Ledger, Recovery, Key string
	}
	want := map[string]differences{
		"dev":  {"dry-run", "14", "Delete", "false", "none"},
		"prod": {"post", "90", "Retain", "true", "Retain"},
	}
	for stage, want := range want {
		made := packaged(t, stage)
		ledger, key := made.Resources["Ledger"], made.Resources["ParametersKey"]
		got := differences{
			made.environment("SupermanLambdaFunction")["BOT_MODE"],
			fmt.Sprint(made.Resources["SupermanLogGroup"].Properties["RetentionInDays"]),
			ledger.DeletionPolicy,
			fmt.Sprint(ledger.Properties["PointInTimeRecoverySpecification"].(map[string]any)["PointInTimeRecoveryEnabled"]),
			"none",
		}
		if made.holds(key.Condition) {
			got.Key = key.DeletionPolicy
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", stage, diff)
		}
	}
}

// The stage that an operator has switched on, with an address for alarms.
func TestScheduleOn(t *testing.T) {
	t.Parallel()
	s := newService(t, "scheduled: false", "scheduled: true", "alarmEmail: none", "alarmEmail: ops@example.com")
	if out, err := s.osls(t, nil, "package"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	on := s.template(t)
	for _, rule := range on.ofType("AWS::Events::Rule") {
		if got := on.Resources[rule].Properties["State"]; got != "ENABLED" {
			t.Errorf("%s is %v", rule, got)
		}
	}
	off := packaged(t, "dev")
	for _, alarm := range on.ofType("AWS::CloudWatch::Alarm") {
		acts := func(made template) bool {
			p := made.value(made.Resources[alarm].Properties).(map[string]any)
			return p["ActionsEnabled"] != false && cmp.Equal(p["AlarmActions"], []any{"AlarmTopic"})
		}
		if got, want := acts(off), !strings.HasSuffix(alarm, "IdleAlarm"); got != want {
			t.Errorf("with the schedule off, %s acts: %v, want %v", alarm, got, want)
		}
		if !acts(on) {
			t.Errorf("with the schedule on, %s does not act", alarm)
		}
	}
	email := on.Resources["AlarmEmail"]
	if email.Properties["Endpoint"] != "ops@example.com" || !on.holds(email.Condition) || off.holds(email.Condition) {
		t.Errorf("alarms go to %v, %v; without an address: %v", email.Properties["Endpoint"], on.holds(email.Condition), off.holds(email.Condition))
	}
}

// The bytes of the zips depend on the sources alone.
func TestBuildTwice(t *testing.T) {
	t.Parallel()
	one, two := build(t), build(t)
	for _, bot := range ofEachBot("{bot}") {
		a, b := sum(t, one, "dist/"+bot+".zip"), sum(t, two, "dist/"+bot+".zip")
		if a != b {
			t.Errorf("%s.zip is %x when built in %s, and %x in %s", bot, a, one, b, two)
		}
	}
}

func sum(t *testing.T, path ...string) [sha256.Size]byte {
	t.Helper()
	return sha256.Sum256([]byte(read(t, filepath.Join(path...))))
}

var builds sync.Mutex

// build returns a new folder with a copy of all that a deployment needs, and
// both zips.
func build(t *testing.T) string {
	t.Helper()
	builds.Lock() // one at a time: the compiler uses every core by itself
	defer builds.Unlock()
	dir := t.TempDir()
	for _, name := range []string{"functions", "pkg", "resources", "integration/tools", "go.mod", "go.sum", "Makefile", "serverless.yml"} {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
			t.Fatalf("copying %s: %v\n%s", name, err, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), "make", "build")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return dir
}
