package page

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/rewrite"
	"example.com/superbots/pkg/twitter"
)

// An endless is a playground of one bot whose world never ends, ticked by hand
// as fast as it goes, with a stand-in in this process for the function.
type endless struct {
	*Playground
	t          testing.TB
	cloud      *local.Cloud
	parameters *ssm.Client
	client     *twitter.Client
	seen       uint64 // the newest source
}

// superman is the bot of an endless world.
var superman = functions.Superman

func startEndless(t testing.TB, limits map[string]int) *endless {
	bots := []bot.Bot{superman}
	p := New(Options{Bots: bots, Every: time.Second, People: true})
	p.feed.limits = limits
	bin := t.TempDir()
	if err := os.Mkdir(filepath.Join(bin, superman.Name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, superman.Name, "bootstrap"), nil, 0o755); err != nil { // is never started
		t.Fatal(err)
	}
	cloud, err := local.Start(local.Options{Bots: bots, Bin: bin, Dir: t.TempDir(), Wrap: p.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	cloud.X.Limits = x.Limits{Search: 1e6, Create: 1e6, Me: 1e6, Timeline: 1e6, CreateApp: 1e6}
	if err := p.Attach(cloud); err != nil {
		t.Fatal(err)
	}
	e := &endless{Playground: p, t: t, cloud: cloud}
	e.parameters = ssm.New(ssm.Options{
		Region: "us-east-1", BaseEndpoint: &cloud.ParametersURL, Credentials: credentials.NewStaticCredentialsProvider("test", "not-a-secret", ""),
	})
	if err := e.login(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.tick = e.run
	if err := p.deploy(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *endless) rotateToken() {
	e.t.Helper()
	if err := e.rotate(superman.Name); err != nil {
		e.t.Fatal(err)
	}
}

// ticks does n ticks. Every tenth time the token is rotated.
func (e *endless) ticks(n int) {
	e.t.Helper()
	for range n {
		if e.rounds%10 == 0 {
			e.rotateToken()
		}
		if err := e.round(e.t.Context(), func(bot.Bot, local.Run) error { return nil }); err != nil {
			e.t.Fatal(err)
		}
	}
}

// run does to X, to Parameter Store and to the ledger what the function's runs
// do: every fifth time it searches, writes down what it finds and posts the
// oldest. It reads its token again when X refuses it.
func (e *endless) run(ctx context.Context, name string) (local.Run, error) {
	if e.rounds%5 > 0 {
		return local.Run{}, nil
	}
	page, err := e.search(ctx)
	if refused := (*twitter.Error)(nil); errors.As(err, &refused) && refused.Class == twitter.Unauthorized {
		if err := e.login(ctx); err != nil {
			return local.Run{}, err
		}
		page, err = e.search(ctx)
	}
	if err != nil {
		return local.Run{}, err
	}
	book, err := ledger.Load(ctx, e.store, name, rand.Text())
	if err != nil {
		return local.Run{}, err
	}
	found := make([]ledger.Post, len(page.Posts))
	for i, p := range page.Posts {
		found[i] = ledger.Post{ID: p.ID, State: ledger.Skipped, Reason: "not now"}
	}
	oldest := len(found) - 1
	text, _ := superman.Rewrite(page.Posts[oldest].Text, rewrite.Drop)
	found[oldest] = ledger.Post{ID: page.Oldest, State: ledger.Pending, Text: text, Hash: text}
	if _, _, err := book.Found(ctx, found, book.Control().Cursor, ledger.Cursor{Low: page.Newest}, 1); err != nil {
		return local.Run{}, err
	}
	e.seen = page.Newest
	if _, err := book.Begin(ctx, found[oldest], time.Now().Add(time.Minute), ledger.Limits{PostsPerDay: 1e6, Micros: 1e12}, 1); err != nil {
		return local.Run{}, err
	}
	id, err := e.client.Create(ctx, text)
	if err != nil {
		return local.Run{}, err
	}
	return local.Run{Report: bot.Report{Bot: name, Posted: 1}}, book.Posted(ctx, page.Oldest, id, "")
}

func (e *endless) search(ctx context.Context) (twitter.Page, error) {
	return e.client.Search(ctx, superman.Search, e.seen, 0, 50)
}

// login makes a client with the credentials that are in Parameter Store now.
func (e *endless) login(ctx context.Context) error {
	var keys struct {
		ConsumerKey    config.Secret `json:"consumer_key"`
		ConsumerSecret config.Secret `json:"consumer_secret"`
		AccessToken    config.Secret `json:"access_token"`
		AccessSecret   config.Secret `json:"access_secret"`
	}
	for _, name := range []string{"/superbots/" + local.Stage + "/shared/twitter", parameter(superman.Name)} {
		got, err := e.parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(*got.Parameter.Value), &keys); err != nil {
			return err
		}
	}
	base, err := url.Parse(e.cloud.XURL)
	if err != nil {
		return err
	}
	e.client = twitter.New(base, twitter.Keys(keys))
	return nil
}

// most returns how many things of each kind were held at most during n ticks.
func (e *endless) most(n int) map[string]int {
	e.t.Helper()
	most := map[string]int{}
	note := func(what string, n int) { most[what] = max(most[what], n) }
	for range n {
		e.ticks(1)
		for _, name := range append([]string{superman.Name}, people...) {
			note("posts of "+name, len(e.cloud.X.Posts(e.cloud.X.AddAccount(name).ID)))
		}
		rows, err := e.store.All(e.t.Context(), superman.Name)
		if err != nil {
			e.t.Fatal(err)
		}
		note("rows", len(rows))
		note("events", e.feed.log.Len())
		note("keys of events", len(e.feed.things))
		note("ids of posts", len(e.said))
		note("logs", len(e.logs))
		note("stories", len(e.stories))
	}
	history := ssm.NewGetParameterHistoryPaginator(e.parameters, &ssm.GetParameterHistoryInput{Name: aws.String(parameter(superman.Name))})
	for history.HasMorePages() {
		page, err := history.NextPage(e.t.Context())
		if err != nil {
			e.t.Fatal(err)
		}
		most["versions"] += len(page.Parameters)
	}
	return most
}

// A world that has gone on for an hour of ticks holds no more than one of ten
// minutes. The limits are a small part of the real ones, so that all are reached.
func TestMemoryStaysFlat(t *testing.T) {
	e := startEndless(t, map[string]int{"said": 25, "sent": 25, "row": 50, "run": 25, "story": 20, "function": 10, "world": 1})
	for range 100 { // as many versions as Parameter Store keeps
		e.rotateToken()
	}
	e.ticks(450)
	early := e.most(150)
	e.ticks(2850)
	late := e.most(150)
	for what, n := range late {
		if early[what] == 0 || n > early[what]*11/10 {
			t.Errorf("%s: %d after 3,600 ticks, %d after 600", what, n, early[what])
		}
	}
	for _, event := range e.feed.after(0) {
		if event.kind == "sent" && bytes.Contains(event.data, []byte(`"source":""`)) {
			t.Errorf("a post lost its source: %s", event.data)
		}
	}
}

// What a bot has not done with is kept however old it is: a post that waits, and
// one of unknown outcome with all that it may be looked up by.
func TestForgetKeepsWhatIsNotDone(t *testing.T) {
	e := startEndless(t, map[string]int{"said": 10, "sent": 25, "row": 50, "run": 25, "story": 20, "function": 10, "world": 1})
	account := e.cloud.Accounts[superman.Name]
	book, err := ledger.Load(t.Context(), e.store, superman.Name, "a run")
	if err != nil {
		t.Fatal(err)
	}
	waits := ledger.Post{ID: e.cloud.X.Add(x.Post{Author: "ana", Text: "1"}), State: ledger.Pending, Text: "one", Hash: "one"}
	unknown := ledger.Post{ID: e.cloud.X.Add(x.Post{Author: "ana", Text: "2"}), State: ledger.Pending, Text: "two", Hash: "two"}
	if _, _, err := book.Found(t.Context(), []ledger.Post{waits, unknown}, ledger.Cursor{}, ledger.Cursor{Low: unknown.ID}, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := book.Begin(t.Context(), unknown, time.Now().Add(time.Minute), ledger.Limits{PostsPerDay: 10, Micros: 10}, 1); err != nil {
		t.Fatal(err)
	}
	sent := e.cloud.X.Add(x.Post{Author: superman.Name, Text: "two"})
	held := func() (found []bool) {
		t.Helper()
		found = append(found, slices.ContainsFunc(e.cloud.X.Posts(account.ID), func(p x.Post) bool { return p.ID == sent }))
		rows, err := e.store.All(t.Context(), superman.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []uint64{unknown.ID, waits.ID} {
			found = append(found, slices.ContainsFunc(rows, func(r ledger.Row) bool { return r.Post != nil && r.Post.ID == id }))
		}
		return found
	}
	e.ticks(60)
	if got := held(); !slices.Equal(got, []bool{true, true, true}) {
		t.Errorf("kept: the post in X %v, its row %v, the row of one that waits %v; want all", got[0], got[1], got[2])
	}
	if err := book.Posted(t.Context(), unknown.ID, sent, ""); err != nil {
		t.Fatal(err)
	}
	e.ticks(60)
	if got := held(); !slices.Equal(got, []bool{false, false, true}) {
		t.Errorf("kept after it was posted: the post in X %v, its row %v, the row of one that waits %v; want only the last", got[0], got[1], got[2])
	}
}

// What the process holds in its heap while a world goes on for an hour of ticks.
// From about 1,100 ticks on, all that has a limit has reached it.
func BenchmarkHour(b *testing.B) {
	for b.Loop() {
		e := startEndless(b, limits)
		for _, ticks := range []int{600, 1200, 3600} {
			e.ticks(ticks - e.rounds)
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/1e6, fmt.Sprintf("MB-at-%d", ticks))
		}
		runtime.KeepAlive(e)
	}
}
