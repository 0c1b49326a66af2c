// Package reliability_test kills the bots' functions, cuts them off from what
// they call, and counts their calls: the binaries that are deployed, with their
// ledger in moto's DynamoDB.
//
// The one idea: a function does nothing that matters between two calls. So a
// [wire] under all of its calls can bring about, exactly and without waiting,
// every moment at which a process may die. Where time must pass, the times in
// the ledger are moved back instead.
package reliability_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/runtime"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/integration/moto"
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

// A world is one cloud with a table of its own.
type world struct {
	*local.Cloud
	*wire
	t     testing.TB
	db    *dynamodb.Client
	table string
	store *ledger.Table
	said  []string // all that the functions logged
}

// start puts up a world for one test. All its functions get env in addition to
// the usual variables.
func start(t testing.TB, env vars) *world {
	t.Helper()
	return startWith(t, env, "bot", 0, 0)
}

// startWith is start with a table whose hash key has that name, and calls to AWS
// and X that take at least so long.
func startWith(t testing.TB, env vars, hash string, aws, x time.Duration) *world {
	t.Helper()
	server := moto.Start(t)
	cloud, err := local.Start(local.Options{Bots: functions.All, Bin: bin, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Cloud: cloud, wire: &wire{t: t}, t: t, db: dynamodb.NewFromConfig(server.Config), table: "ledger-" + rand.Text()}
	w.store = ledger.NewTable(w.db, w.table)
	w.createTable(hash)
	all := vars{
		"LEDGER":                    "dynamodb:" + w.table,
		"AWS_ENDPOINT_URL_DYNAMODB": w.gate(server.URL, aws),
		"AWS_ENDPOINT_URL_SSM":      w.gate(cloud.ParametersURL, aws),
		"TWITTER_BASE_URL":          w.gate(cloud.XURL, x),
	}
	maps.Copy(all, env)
	for _, b := range functions.All {
		w.redeploy(b.Name, all)
	}
	// Before the servers are closed, which wait for their callers.
	t.Cleanup(func() {
		for _, f := range w.Functions {
			f.Close()
		}
	})
	return w
}

func (w *world) createTable(hash string) {
	w.t.Helper()
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	var attributes []types.AttributeDefinition
	for _, name := range []string{hash, "key", "open"} {
		attributes = append(attributes, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
	}
	index := ledger.OpenIndex
	_, err := w.db.CreateTable(w.t.Context(), &dynamodb.CreateTableInput{
		TableName: &w.table, BillingMode: types.BillingModePayPerRequest, AttributeDefinitions: attributes,
		KeySchema: []types.KeySchemaElement{key(hash, types.KeyTypeHash), key("key", types.KeyTypeRange)},
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{
			IndexName:  &index,
			KeySchema:  []types.KeySchemaElement{key(hash, types.KeyTypeHash), key("open", types.KeyTypeRange)},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// redeploy puts a function with the usual variables, and change over them, in a
// bot's place.
func (w *world) redeploy(name string, change vars) {
	w.t.Helper()
	w.Functions[name].Close()
	env := w.Environment(name)
	maps.Copy(env, change)
	f, err := runtime.Start(runtime.Function{
		Name: name, Bootstrap: filepath.Join(bin, name, "bootstrap"), Env: env, Timeout: local.Timeout,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Functions[name] = f
}

// invoke does one run of Superman for a tick of some time.
func (w *world) invoke(tick time.Time) local.Run {
	w.t.Helper()
	result, err := w.Functions[superman].Invoke(w.t.Context(), runtime.ScheduledEvent(tick))
	if err != nil {
		w.t.Fatal(err)
	}
	w.said = append(w.said, result.Log...)
	run := local.Run{Result: result}
	if result.FunctionError == "" {
		if err := json.Unmarshal(result.Payload, &run.Report); err != nil {
			w.t.Fatalf("answer %s: %v", result.Payload, err)
		}
	}
	return run
}

// tick does one run, which must not fail.
func (w *world) tick() bot.Report {
	w.t.Helper()
	run := w.invoke(time.Now())
	if run.FunctionError != "" {
		w.t.Errorf("%s: %s\n%s", run.ErrorType, run.ErrorMessage, strings.Join(run.Log, "\n"))
	}
	return run.Report
}

// fail does one run, which must fail.
func (w *world) fail(errorType string) local.Run {
	w.t.Helper()
	run := w.invoke(time.Now())
	if run.ErrorType != errorType {
		w.t.Errorf("error type %q, want %q\n%s", run.ErrorType, errorType, strings.Join(run.Log, "\n"))
	}
	return run
}

// kill is a hook that kills the function with SIGKILL, and waits until it is gone.
func (w *world) kill(http.ResponseWriter, []byte) bool {
	w.Functions[superman].Kill()
	return false
}

// say puts a post into X that is as old as ago.
func (w *world) say(text string, ago time.Duration) uint64 {
	return w.X.Add(x.Post{Author: "ana", Text: text, CreatedAt: time.Now().Add(-ago)})
}

// sayMany puts n posts into X and returns their ids, oldest first. The oldest
// is n minutes old and says "serverless 1".
func (w *world) sayMany(n int) []uint64 {
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = w.say(fmt.Sprintf("serverless %d", i+1), time.Duration(n-i)*time.Minute)
	}
	return ids
}

// wantPosted checks what Superman has posted, in any order: of sayMany(n), each
// once.
func (w *world) wantPosted(n int) {
	w.t.Helper()
	var got, want []string
	for _, p := range w.X.Posts(w.Accounts[superman].ID) {
		got = append(got, p.Text)
	}
	slices.Sort(got)
	for i := range n {
		want = append(want, fmt.Sprintf("Superman %d", i+1))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("posted (-want +got):\n%s", diff)
	}
}

// states returns what the ledger says of each source, such as "posted looked up".
func (w *world) states() map[uint64]string {
	w.t.Helper()
	states := make(map[uint64]string)
	for _, r := range w.rows() {
		if r.Post != nil {
			states[r.Post.ID] = strings.TrimSpace(string(r.Post.State) + " " + r.Post.Reason)
		}
	}
	return states
}

func (w *world) wantState(id uint64, want string) {
	w.t.Helper()
	if got := w.states()[id]; got != want {
		w.t.Errorf("source %d is %q, want %q", id, got, want)
	}
}

func (w *world) rows() []ledger.Row {
	w.t.Helper()
	rows, err := w.store.All(w.t.Context(), superman)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// later makes the ledger look as if d had gone by: stops and leases end and what
// was sent is that much older. Days and ids stay what they are.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	rows := w.rows()
	if len(rows) == 0 {
		return
	}
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
	if err := w.store.Apply(w.t.Context(), superman, rows); err != nil {
		w.t.Fatal(err)
	}
}

// finish ticks, hours apart, until nothing is owed any more, and checks that
// every row has come to an end.
func (w *world) finish() {
	w.t.Helper()
	for range 6 {
		w.later(2 * time.Hour)
		if r := w.tick(); r.Pending == 0 && r.Unknown == 0 && r.Stopped == "" {
			return
		}
	}
	w.t.Errorf("posts are still owed: %v", w.states())
}

// operate runs the operator's command and returns what it says.
func (w *world) operate(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), filepath.Join(bin, "command"), args...)
	cmd.Env = []string{
		"LEDGER=dynamodb:" + w.table, "AWS_ENDPOINT_URL_DYNAMODB=" + moto.Start(w.t).URL,
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=operator", "AWS_SECRET_ACCESS_KEY=not-a-secret",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Errorf("superbots %q: %v\n%s", args, err, out)
	}
	return string(out)
}
