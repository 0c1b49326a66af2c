// Package integration_test runs the bots as they are deployed, the same
// binaries with the same variables, against stand-ins for all that they talk
// to.
//
// The one idea: every run goes through [world.invoke], which keeps all that a
// function says. When a test ends, whatever its functions said or wrote is
// searched for every secret that was ever in its Parameter Store.
package integration_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/runtime"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

// bin has a folder for each bot with its bootstrap, and the operator's command.
var bin string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	root, err := local.Root()
	if err != nil {
		log.Fatal(err)
	}
	if bin, err = os.MkdirTemp("", "superbots-"); err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(bin)
	err = local.Build(context.Background(), root, bin, functions.All)
	if err == nil {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, "command"), "./cmd/superbots")
		cmd.Dir = root
		cmd.Stderr = os.Stderr
		err = cmd.Run()
	}
	if err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

const superman, batman = "superman", "batman"

type vars map[string]string

// A world is one cloud, and all that its functions said.
type world struct {
	*local.Cloud
	t       *testing.T
	secrets []string // those that never were in Parameter Store

	mu   sync.Mutex
	said []byte // guarded by mu
}

// start puts up a world for one test. All its functions get env in addition to
// the usual variables.
func start(t *testing.T, env vars) *world {
	t.Helper()
	cloud, err := local.Start(local.Options{Bots: functions.All, Bin: bin, Dir: t.TempDir(), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Cloud: cloud, t: t}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		for _, secret := range append(stored(t, w.ParametersURL), w.secrets...) {
			if form := leak(w.everything(), secret); form != "" {
				t.Errorf("a secret stands in what the functions said or wrote, %s", form)
			}
		}
	})
	return w
}

// deploy puts a function with the environment env in a bot's place.
func (w *world) deploy(name string, env map[string]string) {
	w.t.Helper()
	w.Functions[name].Close()
	f, err := runtime.Start(runtime.Function{
		Name: name, Bootstrap: filepath.Join(bin, name, "bootstrap"), Env: env, Timeout: local.Timeout,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Functions[name] = f
}

// redeploy gives a bot's function the usual variables, and change over them.
func (w *world) redeploy(name string, change vars) {
	w.t.Helper()
	env := w.Environment(name)
	maps.Copy(env, change)
	w.deploy(name, env)
}

// tick does one scheduled run, which must not fail.
func (w *world) tick(name string) bot.Report {
	w.t.Helper()
	run := w.invoke(name, runtime.ScheduledEvent(time.Now()))
	if run.FunctionError != "" {
		w.t.Errorf("%s: %s: %s\n%s", name, run.ErrorType, run.ErrorMessage, strings.Join(run.Log, "\n"))
	}
	return run.Report
}

// fail does one scheduled run, which must fail.
func (w *world) fail(name, errorType string) local.Run {
	w.t.Helper()
	run := w.invoke(name, runtime.ScheduledEvent(time.Now()))
	if run.FunctionError != "Unhandled" || run.ErrorType != errorType {
		w.t.Errorf("%s: got %q, error type %q, want %q\n%s", name, run.FunctionError, run.ErrorType, errorType, strings.Join(run.Log, "\n"))
	}
	return run
}

// invoke does one run, and checks what holds of each: its answer is the report
// of its last log line.
func (w *world) invoke(name string, event []byte) local.Run {
	w.t.Helper()
	result, err := w.Functions[name].Invoke(w.t.Context(), event)
	if err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	w.said = fmt.Appendf(w.said, "%s\n%s\n", strings.Join(result.Log, "\n"), result.Payload)
	w.mu.Unlock()
	run := local.Run{Result: result}
	if result.FunctionError != "" {
		return run
	}
	if err := json.Unmarshal(result.Payload, &run.Report); err != nil {
		w.t.Errorf("%s answered %s: %v", name, result.Payload, err)
	}
	if len(result.Log) == 0 {
		w.t.Errorf("%s logged nothing", name)
		return run
	}
	var line struct{ Report, Answer any }
	last := result.Log[len(result.Log)-1]
	if err := json.Unmarshal([]byte(last), &line); err != nil {
		w.t.Errorf("last log line %q: %v", last, err)
	}
	if err := json.Unmarshal(result.Payload, &line.Answer); err != nil {
		w.t.Error(err)
	}
	if diff := cmp.Diff(line.Answer, line.Report); diff != "" {
		w.t.Errorf("answer (-) and the report of the last log line (+) differ:\n%s", diff)
	}
	return run
}

// say puts a post into X that is as old as ago.
func (w *world) say(author, text string, ago time.Duration) uint64 {
	return w.X.Add(x.Post{Author: author, Text: text, CreatedAt: time.Now().Add(-ago)})
}

// sayMany puts n posts about serverless into X and returns their ids, oldest
// first. The oldest is n minutes old and says "serverless 1".
func (w *world) sayMany(n int) []uint64 {
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = w.say("ana", fmt.Sprintf("serverless %d", i+1), time.Duration(n-i)*time.Minute)
	}
	return ids
}

// supermen is what Superman makes of the posts of sayMany.
func supermen(n int) []string {
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprintf("Superman %d", i+1))
	}
	return texts
}

// posted returns what a bot has posted, oldest first.
func (w *world) posted(name string) []string {
	var texts []string
	for _, p := range w.X.Posts(w.Accounts[name].ID) {
		texts = append(texts, p.Text)
	}
	return texts
}

func (w *world) store() *ledger.File {
	w.t.Helper()
	f, err := ledger.OpenFile(strings.TrimPrefix(w.Ledger, "file:"))
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) rows(name string) []ledger.Row {
	w.t.Helper()
	rows, err := w.store().All(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// states returns what the ledger says of each source post, such as "posted" or
// "skipped reply".
func (w *world) states(name string) map[uint64]string {
	w.t.Helper()
	states := make(map[uint64]string)
	for _, r := range w.rows(name) {
		if r.Post != nil {
			states[r.Post.ID] = strings.TrimSpace(string(r.Post.State) + " " + r.Post.Reason)
		}
	}
	return states
}

// later makes the ledger of a bot look as if d had gone by: stops and leases end
// and what was sent is that much older. Days and ids stay what they are.
func (w *world) later(name string, d time.Duration) {
	w.t.Helper()
	rows := w.rows(name)
	for i, r := range rows {
		rows[i].By = rand.Text()
		if r.Control != nil {
			for what, s := range r.Control.Stops {
				s.Until = s.Until.Add(-d)
				r.Control.Stops[what] = s
			}
		}
		if r.Post != nil && r.Post.State == ledger.Posting {
			for _, t := range []*time.Time{&r.Post.Lease, &r.Post.Sent, &r.Post.Resent} {
				*t = t.Add(-d)
			}
		}
	}
	if err := w.store().Apply(w.t.Context(), name, rows); err != nil {
		w.t.Fatal(err)
	}
}

// finish ticks a bot, hours apart, until it owes nothing any more.
func (w *world) finish(name string) {
	w.t.Helper()
	for range 10 {
		w.later(name, 25*time.Hour)
		if r := w.tick(name); r.Pending == 0 && r.Unknown == 0 && r.Stopped == "" {
			return
		}
	}
	w.t.Errorf("%s still owes posts: %v", name, w.states(name))
}

func parameter(name string) string { return "/superbots/" + local.Stage + "/" + name }

// history returns all versions that a parameter ever had, oldest first.
func history(t *testing.T, parametersURL, name string) []string {
	t.Helper()
	client := ssm.New(ssm.Options{
		BaseEndpoint: &parametersURL, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("auditor", "not-a-secret", ""),
	})
	out, err := client.GetParameterHistory(context.Background(),
		&ssm.GetParameterHistoryInput{Name: aws.String(parameter(name)), WithDecryption: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, p := range out.Parameters {
		values = append(values, *p.Value)
	}
	return values
}

// stored returns every secret that a Parameter Store has or had.
func stored(t *testing.T, parametersURL string) []string {
	t.Helper()
	var secrets []string
	for _, name := range []string{"shared/twitter", superman + "/twitter", batman + "/twitter"} {
		for _, value := range history(t, parametersURL, name) {
			var fields map[string]string
			if json.Unmarshal([]byte(value), &fields) != nil {
				secrets = append(secrets, value)
			}
			for field, v := range fields {
				if field != "user_id" && field != "screen_name" {
					secrets = append(secrets, v)
				}
			}
		}
	}
	return secrets
}

// credential returns one field of the newest version of a parameter.
func (w *world) credential(name, field string) string {
	w.t.Helper()
	values := history(w.t, w.ParametersURL, name)
	var fields map[string]string
	if err := json.Unmarshal([]byte(values[len(values)-1]), &fields); err != nil {
		w.t.Fatal(err)
	}
	return fields[field]
}

// everything returns all that the functions said, and what is on the disk.
func (w *world) everything() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	file, err := os.ReadFile(strings.TrimPrefix(w.Ledger, "file:"))
	if err != nil && !os.IsNotExist(err) {
		w.t.Error(err)
	}
	return bytes.Join([][]byte{w.said, file}, nil)
}

// issue gives a bot a parameter with a new token and leaves the old one valid.
func (w *world) issue(name string) {
	w.t.Helper()
	account := w.Accounts[name]
	token := w.X.Issue(account.ID, w.credential("shared/twitter", "consumer_key"))
	value, err := json.Marshal(map[string]string{
		"access_token": token.Token, "access_secret": token.Secret,
		"user_id": strconv.FormatUint(account.ID, 10), "screen_name": account.Name,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Parameters.Put(parameter(name+"/twitter"), "SecureString", string(value))
}
