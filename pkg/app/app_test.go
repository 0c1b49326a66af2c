package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// alone keeps the AWS SDK from what this machine has configured.
func alone(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_PROFILE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
	} {
		t.Setenv(name, value)
	}
}

// environ is an environment with nothing wrong, and change over it. An empty value
// takes a variable away.
func environ(change map[string]string) []string {
	env := map[string]string{
		"TWITTER_CONSUMER_KEY": "key", "TWITTER_CONSUMER_SECRET": "key-secret",
		"TWITTER_ACCESS_TOKEN": "12-token", "TWITTER_ACCESS_SECRET": "token-secret",
		"LEDGER": "memory:",
	}
	for name, value := range change {
		env[name] = value
	}
	var list []string
	for name, value := range env {
		if value != "" {
			list = append(list, name+"="+value)
		}
	}
	return list
}

func text[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](t *testing.T, s string) (v T) {
	t.Helper()
	if err := P(&v).UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCheck(t *testing.T) {
	loopback := text[twitter.BaseURL](t, "http://127.0.0.1:8080")
	x := text[twitter.BaseURL](t, "https://api.x.com")
	table := text[ledger.Location](t, "dynamodb:superbots")
	file := text[ledger.Location](t, "file:ledger.db")
	memory := text[ledger.Location](t, "memory:")
	post, dry := bot.Settings{Mode: bot.PostMode}, bot.Settings{Mode: bot.DryRun}
	token := config.NewSecret("12-token")

	for name, test := range map[string]struct {
		settings app.Settings
		want     []string // the variables that are wrong
	}{
		"posting from a table":        {app.Settings{AccessToken: token, Ledger: table, Settings: post}, nil},
		"posting to a stand-in":       {app.Settings{AccessToken: token, Ledger: file, BaseURL: loopback, Settings: post}, nil},
		"posting from memory":         {app.Settings{AccessToken: token, Ledger: memory, BaseURL: x, Settings: post}, []string{"LEDGER"}},
		"where X is not known yet":    {app.Settings{AccessToken: token, Ledger: memory, Settings: post}, nil},
		"posting from a file":         {app.Settings{AccessToken: token, Ledger: file, BaseURL: x, Settings: post}, []string{"LEDGER"}},
		"a dry run from a file":       {app.Settings{AccessToken: token, Ledger: file, BaseURL: x, Settings: dry}, nil},
		"a user id":                   {app.Settings{UserID: "12", Ledger: table}, nil},
		"a user id of letters":        {app.Settings{UserID: "ana", AccessToken: token, Ledger: table}, []string{"TWITTER_USER_ID"}},
		"a token without one":         {app.Settings{AccessToken: config.NewSecret("token"), Ledger: table}, []string{"TWITTER_USER_ID"}},
		"a token not known yet":       {app.Settings{Ledger: table}, nil},
		"a settle time below nothing": {app.Settings{AccessToken: token, Ledger: table, Settings: bot.Settings{Settle: -time.Second}}, []string{"BOT_SETTLE"}},
		"much at once": {
			app.Settings{AccessToken: config.NewSecret("token"), Ledger: memory, BaseURL: x, Settings: bot.Settings{Mode: bot.PostMode, Settle: -1}},
			[]string{"TWITTER_USER_ID", "LEDGER", "BOT_SETTLE"},
		},
	} {
		var got []string
		for _, p := range test.settings.Check() {
			got = append(got, p.Variable)
			if strings.Contains(p.Error(), "ana") || strings.HasSuffix(p.Reason, "token") {
				t.Errorf("%s: problem %q quotes a value", name, p)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: variables (-want +got):\n%s", name, diff)
		}
	}
}

func TestAccount(t *testing.T) {
	for _, test := range []struct{ id, token, want string }{
		{"", "12-abc-def", "12"},
		{"34", "12-abc", "34"},
	} {
		s := app.Settings{UserID: test.id, AccessToken: config.NewSecret(test.token)}
		if got := s.Account(); got != test.want {
			t.Errorf("with id %q and token %q the account is %q, want %q", test.id, test.token, got, test.want)
		}
	}
}

func TestNewReportsAllAtOnce(t *testing.T) {
	alone(t)
	_, err := app.New(functions.Superman, []string{
		"TWITTER_ACCESS_TOKEN=sesame", "TWITTER_ACCESS_SECRET=ssm:", "TWITTER_API=sesame", "BOT_POSTS_PER_RUN=sesame", "LEDGER=ssm:/x",
	}, io.Discard)
	if err == nil {
		t.Fatal("New took it all")
	}
	for _, name := range []string{
		"TWITTER_CONSUMER_KEY", "TWITTER_CONSUMER_SECRET", "TWITTER_ACCESS_SECRET", "TWITTER_USER_ID", "TWITTER_API", "BOT_POSTS_PER_RUN", "LEDGER",
	} {
		if n := strings.Count(err.Error(), name+": "); n != 1 {
			t.Errorf("error %q names %s %d times, want once", err, name, n)
		}
	}
	if strings.Contains(err.Error(), "sesame") {
		t.Errorf("error %q quotes a value", err)
	}
}

// What a function gets for nothing is what the contract says.
func TestDefaults(t *testing.T) {
	loader, err := config.New[app.Settings](environ(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := loader.Fixed()
	want := bot.Settings{
		Mode: bot.DryRun, PostsPerRun: 3, PostsPerDay: 20, DailyBudget: bot.USD(1), Settle: 20 * time.Minute, Resend: bot.ResendOnce,
	}
	if diff := cmp.Diff(want, got.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got.API != app.V2 || got.BaseURL != text[twitter.BaseURL](t, "https://api.x.com") || got.Account() != "12" {
		t.Errorf("API %q, base URL %v, account %q, want v2, X itself and the number of the token", got.API, got.BaseURL.URL(), got.Account())
	}
}

func TestHandleLateEvent(t *testing.T) {
	alone(t)
	calls := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- r.Method + " " + r.URL.Path
		fmt.Fprint(w, `{"meta":{"result_count":0}}`)
	}))
	defer server.Close()
	superman, err := app.New(functions.Superman, environ(map[string]string{"TWITTER_BASE_URL": server.URL}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}

	late, err := superman.Handle(t.Context(), app.Event{Time: time.Now().Add(-15*time.Minute - time.Second)})
	want := bot.Report{
		Bot: "superman", Mode: bot.DryRun, Stopped: "late event",
		Skipped: map[string]int{}, Posts: []bot.Outcome{}, Config: bot.Config{Versions: map[string]int64{}},
	}
	if diff := cmp.Diff(want, late); err != nil || diff != "" {
		t.Errorf("late event: error %v, report (-want +got):\n%s", err, diff)
	}
	if len(calls) > 0 {
		t.Errorf("a late event asked X for %s", <-calls)
	}
	for name, event := range map[string]app.Event{
		"in time":      {Time: time.Now().Add(-14 * time.Minute)},
		"ahead of us":  {Time: time.Now().Add(time.Hour)},
		"without time": {},
	} {
		report, err := superman.Handle(t.Context(), event)
		if err != nil || report.Stopped != "" {
			t.Errorf("%s: report %+v, error %v, want a run", name, report, err)
		}
		select {
		case <-calls:
		default:
			t.Errorf("%s: X was not asked", name)
		}
	}
}

// What a run logs goes where it was told to, as JSON lines. The last one has the
// report that is answered; in Lambda the metrics stand before it.
func TestHandleLogs(t *testing.T) {
	alone(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"meta":{"result_count":0}}`)
	}))
	defer server.Close()
	defer func(name string) { lambdacontext.FunctionName = name }(lambdacontext.FunctionName)
	lambdacontext.FunctionName = "superbots-dev-superman"
	var out bytes.Buffer
	superman, err := app.New(functions.Superman, environ(map[string]string{"TWITTER_BASE_URL": server.URL}), &out)
	if err != nil {
		t.Fatal(err)
	}
	report, err := superman.Handle(t.Context(), app.Event{})
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Message, Bot, FunctionName string
		Report                     bot.Report
	}
	var logged []entry
	for line := range strings.Lines(out.String()) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		logged = append(logged, e)
	}
	if len(logged) < 2 {
		t.Fatalf("logged\n%s\nwant metrics and the run", out.String())
	}
	metrics, last := logged[len(logged)-2], logged[len(logged)-1]
	if metrics.FunctionName != "superbots-dev-superman" {
		t.Errorf("the line before the last has no metrics:\n%s", out.String())
	}
	if diff := cmp.Diff(report, last.Report); last.Message != "run" || last.Bot != "superman" || diff != "" {
		t.Errorf("the last line is %q of %q, with the report (-answered +logged):\n%s", last.Message, last.Bot, diff)
	}
}

func TestEventOfASchedule(t *testing.T) {
	var event app.Event
	const scheduled = `{"version":"0","id":"a","detail-type":"Scheduled Event","source":"aws.events","time":"2026-11-23T10:00:00Z","detail":{}}`
	if err := json.Unmarshal([]byte(scheduled), &event); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC); !event.Time.Equal(want) {
		t.Errorf("time %v, want %v", event.Time, want)
	}
}
