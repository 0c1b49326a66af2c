package integration_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/pkg/bot"
)

// wrong stands for a value that somebody typed into the wrong place, which may
// be a secret.
const wrong = "hunter2hunter2"

// A function whose environment is wrong does not start. It names all that is
// wrong at once, and asks neither Parameter Store nor X.
func TestDoesNotStart(t *testing.T) {
	t.Parallel()
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, bytes.Repeat([]byte("no ledger "), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	own := "ssm:" + parameter(superman+"/twitter")
	for name, test := range map[string]struct {
		without []string
		change  vars
		want    []string
	}{
		"missing variables": {
			without: []string{"TWITTER_CONSUMER_KEY", "TWITTER_CONSUMER_SECRET", "TWITTER_ACCESS_TOKEN", "TWITTER_ACCESS_SECRET", "LEDGER"},
			want: []string{
				"TWITTER_CONSUMER_KEY: is not set", "TWITTER_CONSUMER_SECRET: is not set",
				"TWITTER_ACCESS_TOKEN: is not set", "TWITTER_ACCESS_SECRET: is not set", "LEDGER: is not set",
			},
		},
		"empty variables": {
			change: vars{"TWITTER_CONSUMER_KEY": "", "TWITTER_ACCESS_SECRET": ""},
			want:   []string{"TWITTER_CONSUMER_KEY: is empty", "TWITTER_ACCESS_SECRET: is empty"},
		},
		"malformed references": {
			change: vars{"TWITTER_ACCESS_TOKEN": "ssm:", "TWITTER_ACCESS_SECRET": own + "#", "BOT_MODE": "ssm:/a b", "BOT_QUERY": "ssm:/x:1:2"},
			want: []string{
				"TWITTER_ACCESS_TOKEN: is not a valid reference", "TWITTER_ACCESS_SECRET: is not a valid reference",
				"BOT_MODE: is not a valid reference", "BOT_QUERY: is not a valid reference",
			},
		},
		"bad settings": {
			change: vars{
				"BOT_MODE": wrong, "BOT_LINKS": wrong, "BOT_IGNORE": "12," + wrong, "BOT_POSTS_PER_RUN": "-1", "BOT_POSTS_PER_DAY": wrong,
				"BOT_DAILY_BUDGET": wrong, "BOT_SETTLE": wrong, "BOT_RESEND": wrong, "TWITTER_API": wrong, "TWITTER_BASE_URL": wrong,
				"CONFIG_TTL": wrong, "CONFIG_MAX_STALE": own + "#ttl",
			},
			want: []string{
				"BOT_MODE: must be dry-run or post", "BOT_LINKS: ", "BOT_IGNORE: must be user ids", "BOT_POSTS_PER_RUN: ", "BOT_POSTS_PER_DAY: ",
				"BOT_DAILY_BUDGET: must be an amount of US dollars", "BOT_SETTLE: ", "BOT_RESEND: must be once or never",
				"TWITTER_API: must be v2 or v1.1", "TWITTER_BASE_URL: ",
				"CONFIG_TTL: ", "CONFIG_MAX_STALE: must hold the value itself",
			},
		},
		"a budget below nothing":       {change: vars{"BOT_DAILY_BUDGET": "-0.01"}, want: []string{"BOT_DAILY_BUDGET: "}},
		"a settle time below nothing":  {change: vars{"BOT_SETTLE": "-1s"}, want: []string{"BOT_SETTLE: must not be negative"}},
		"a user id that is none":       {change: vars{"TWITTER_USER_ID": wrong}, want: []string{"TWITTER_USER_ID: is not a user id"}},
		"a token without a user id":    {without: []string{"TWITTER_USER_ID"}, change: vars{"TWITTER_ACCESS_TOKEN": wrong}, want: []string{"TWITTER_USER_ID: is not set"}},
		"another host":                 {change: vars{"TWITTER_BASE_URL": "https://api.x.com.example.com"}, want: []string{"TWITTER_BASE_URL: "}},
		"X without encryption":         {change: vars{"TWITTER_BASE_URL": "http://api.x.com"}, want: []string{"TWITTER_BASE_URL: "}},
		"a user in the base URL":       {change: vars{"TWITTER_BASE_URL": "https://" + wrong + "@api.x.com"}, want: []string{"TWITTER_BASE_URL: "}},
		"a ledger by reference":        {change: vars{"LEDGER": own + "#ledger"}, want: []string{"LEDGER: must hold the value itself"}},
		"no kind of ledger":            {change: vars{"LEDGER": wrong}, want: []string{"LEDGER: "}},
		"a table without a name":       {change: vars{"LEDGER": "dynamodb:"}, want: []string{"LEDGER: "}},
		"a ledger that is forgotten":   {change: vars{"LEDGER": "memory:", "TWITTER_BASE_URL": "https://api.x.com"}, want: []string{"LEDGER: must be dynamodb:TABLE"}},
		"a ledger on a laptop, X real": {without: []string{"TWITTER_BASE_URL"}, want: []string{"LEDGER: must be dynamodb:TABLE"}},
		"a ledger in no folder":        {change: vars{"LEDGER": "file:/nowhere/ledger.db"}, want: []string{`ledger file "/nowhere/ledger.db"`}},
		"a file that is no ledger":     {change: vars{"LEDGER": "file:" + junk}, want: []string{"ledger file ", "junk"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.secrets = append(w.secrets, wrong)
			w.sayMany(1)
			env := w.Environment(superman)
			for _, name := range test.without {
				delete(env, name)
			}
			maps.Copy(env, test.change)
			w.deploy(superman, env)

			run := w.fail(superman, "Runtime.ExitError")
			if len(run.Log) != 1 {
				t.Errorf("log %q, want one line", run.Log)
			}
			for _, want := range test.want {
				if !strings.Contains(strings.Join(run.Log, "\n"), want) {
					t.Errorf("log %q\nlacks %q", run.Log, want)
				}
			}
			if x, p := w.X.Calls(), w.Parameters.Calls(); len(x) > 0 || len(p) > 0 {
				t.Errorf("calls to X %v, to Parameter Store %v, want none", x, p)
			}
		})
	}
}

// What only shows when Parameter Store is read is the run's error. Nothing is
// asked of X, and nothing is written down.
func TestNoSettings(t *testing.T) {
	t.Parallel()
	own := parameter(superman + "/twitter")
	put := func(value string) func(w *world) {
		return func(w *world) { w.Parameters.Put(own, "SecureString", value) }
	}
	other := func(value string) func(w *world) {
		return func(w *world) { w.Parameters.Put(parameter("other"), "String", value) }
	}
	fail := func(c paramstore.Case) func(w *world) {
		return func(w *world) { w.Parameters.Fail(paramstore.Fault{Op: "GetParameters", Case: c}) }
	}
	at := "ssm:" + parameter("other")
	for name, test := range map[string]struct {
		change  vars
		prepare func(w *world)
		want    []string
	}{
		"no such parameter": {
			change: vars{"TWITTER_ACCESS_TOKEN": at, "TWITTER_ACCESS_SECRET": at + "#secret"},
			want:   []string{"TWITTER_ACCESS_TOKEN (" + at + "): parameter not found", "TWITTER_ACCESS_SECRET (" + at + "#secret): parameter not found"},
		},
		"no such version": {change: vars{"TWITTER_ACCESS_TOKEN": "ssm:" + own + ":7#access_token"}, want: []string{"TWITTER_ACCESS_TOKEN", "parameter not found"}},
		"no such field": {
			change: vars{"TWITTER_ACCESS_TOKEN": "ssm:" + own + "#acces_token"},
			want:   []string{"TWITTER_ACCESS_TOKEN (ssm:" + own + `#acces_token): has no field "acces_token"`},
		},
		"no JSON":             {prepare: put(wrong + " {"), want: []string{"TWITTER_ACCESS_TOKEN", "TWITTER_ACCESS_SECRET", "TWITTER_USER_ID", "is not a JSON object"}},
		"a list":              {prepare: put(`["` + wrong + `"]`), want: []string{"TWITTER_ACCESS_TOKEN", "is not a JSON object"}},
		"a field of no text":  {prepare: put(`{"access_token": 12345678, "access_secret": "` + wrong + `", "user_id": "1"}`), want: []string{`field "access_token" is not a string`}},
		"an empty secret":     {prepare: put(`{"access_token": "1-` + wrong + `", "access_secret": "", "user_id": "1"}`), want: []string{"TWITTER_ACCESS_SECRET (ssm:" + own + "#access_secret): is empty"}},
		"a user id of words":  {prepare: put(`{"access_token": "1-a", "access_secret": "` + wrong + `", "user_id": "` + wrong + `"}`), want: []string{"TWITTER_USER_ID", "is not a user id"}},
		"access denied":       {prepare: func(w *world) { w.Parameters.Deny(superman, own) }, want: []string{"TWITTER_ACCESS_TOKEN", "access denied"}},
		"a disabled key":      {prepare: fail(paramstore.KMSDisabled), want: []string{"TWITTER_ACCESS_TOKEN", "key is disabled"}},
		"store unavailable":   {prepare: fail(paramstore.Unavailable), want: []string{"TWITTER_ACCESS_TOKEN", "InternalServerError"}},
		"store throttles":     {prepare: fail(paramstore.Throttle), want: []string{"TWITTER_ACCESS_TOKEN", "throttled"}},
		"store cut off":       {prepare: fail(paramstore.Reset), want: []string{"TWITTER_ACCESS_TOKEN", "no answer"}},
		"another host":        {change: vars{"BOT_MODE": "dry-run", "TWITTER_BASE_URL": at}, prepare: other("https://" + wrong + ".example.com"), want: []string{"TWITTER_BASE_URL (" + at + ")"}},
		"a mode that is none": {change: vars{"BOT_MODE": at}, prepare: other(wrong), want: []string{"BOT_MODE (" + at + "): must be dry-run or post"}},
		"post mode, X real, a ledger on a laptop": {
			change: vars{"BOT_MODE": at, "TWITTER_BASE_URL": "https://api.x.com"}, prepare: other("post"),
			want: []string{"LEDGER: must be dynamodb:TABLE"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.secrets = append(w.secrets, wrong)
			w.sayMany(1)
			w.redeploy(superman, test.change)
			if test.prepare != nil {
				test.prepare(w)
			}
			run := w.fail(superman, "ConfigError")
			for _, want := range test.want {
				if !strings.Contains(run.ErrorMessage, want) {
					t.Errorf("error %q\nlacks %q", run.ErrorMessage, want)
				}
			}
			if got := w.X.Calls(); len(got) > 0 {
				t.Errorf("calls to X %v, want none", got)
			}
			if got := w.rows(superman); len(got) > 0 {
				t.Errorf("the ledger has %d rows, want none", len(got))
			}
		})
	}
}

// A cold start without settings is mended by the next run that finds them.
func TestSettingsComeBack(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.sayMany(1)
	w.Parameters.Fail(paramstore.Fault{Op: "GetParameters", Case: paramstore.Unavailable})
	w.fail(superman, "ConfigError")
	w.Parameters.ClearFaults()
	if got := w.tick(superman); got.Posted != 1 || got.Config.Stale {
		t.Errorf("report %+v, want 1 posted", got)
	}
}

// Parameter Store fails while the function is warm: the old settings serve on,
// and the report says so.
func TestGoesOnWithOldSettings(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"unavailable": func(w *world) {
			w.Parameters.Fail(paramstore.Fault{Op: "GetParameters", Case: paramstore.Unavailable})
		},
		"a value mistyped": func(w *world) {
			w.Parameters.Put(parameter(superman+"/twitter"), "SecureString", `{"access_token": "`+wrong+`"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, vars{"CONFIG_TTL": "1ms"})
			w.secrets = append(w.secrets, wrong)
			w.tick(superman)
			spoil(w)
			w.sayMany(1)
			got := w.tick(superman)
			if got.Posted != 1 || !got.Config.Stale || got.Config.Versions[ownParameter] != 1 || got.Config.AgeSeconds <= 0 {
				t.Errorf("report %+v, want 1 posted with stale settings", got)
			}
		})
	}
}

// That access is taken away is a decision: nothing is posted with what was read
// before.
func TestAccessTakenAway(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"CONFIG_TTL": "1ms"})
	w.tick(superman)
	w.sayMany(1)
	w.Parameters.Deny(superman, parameter(superman+"/"))
	calls := w.X.Calls()
	for range 2 {
		if run := w.fail(superman, "ConfigError"); !strings.Contains(run.ErrorMessage, "access denied") {
			t.Errorf("error %q, want access denied", run.ErrorMessage)
		}
	}
	if diff := cmp.Diff(calls, w.X.Calls()); diff != "" {
		t.Errorf("calls to X (-before +after):\n%s", diff)
	}
	w.say("ana", "big data", time.Second)
	if got := w.tick(batman); got.Posted != 1 {
		t.Errorf("the other bot: %+v, want 1 posted", got)
	}
}

// A ledger that cannot be read is the run's error, and nothing is posted: no row
// would say that it was.
func TestLedgerGone(t *testing.T) {
	t.Parallel()
	t.Run("a file overwritten", func(t *testing.T) {
		t.Parallel()
		w := start(t, nil)
		w.tick(superman)
		w.sayMany(1)
		path := strings.TrimPrefix(w.Ledger, "file:")
		if err := os.WriteFile(path, bytes.Repeat([]byte("no ledger "), 10_000), 0o600); err != nil {
			t.Fatal(err)
		}
		calls := w.X.Calls()
		if run := w.fail(superman, "LedgerError"); !strings.Contains(run.ErrorMessage, path) {
			t.Errorf("error %q, want it to name the file", run.ErrorMessage)
		}
		if diff := cmp.Diff(calls, w.X.Calls()); diff != "" {
			t.Errorf("calls to X (-before +after):\n%s", diff)
		}
	})
	t.Run("a table out of reach", func(t *testing.T) {
		t.Parallel()
		w := start(t, nil)
		w.sayMany(1)
		w.redeploy(superman, vars{"LEDGER": "dynamodb:superbots", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"})
		w.fail(superman, "LedgerError")
		if got := w.X.Calls(); len(got) > 0 {
			t.Errorf("calls to X %v, want none", got)
		}
	})
}

// A query that X does not understand is an operator's mistake, told by each run.
func TestQueryThatXRefuses(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_QUERY": "-is:retweet"})
	for range 2 {
		if run := w.fail(superman, "QueryError"); !strings.Contains(run.ErrorMessage, "positive") {
			t.Errorf("error %q, want X's explanation", run.ErrorMessage)
		}
	}
	w.redeploy(superman, vars{"BOT_QUERY": ""})
	if got := w.tick(superman); got.Stopped != "" || got.Mode != bot.PostMode {
		t.Errorf("with the bot's own query: %+v", got)
	}
}
