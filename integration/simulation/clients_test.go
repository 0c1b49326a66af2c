package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/superbots/functions"
	localx "example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// A table is DynamoDB as far as a ledger.Table speaks to it, at the wire. Some
// of its answers are lost and some calls throttled.
type table struct {
	mu     sync.Mutex
	rng    *rand.Rand
	faulty bool
	items  map[string]item // by key; the tables of these tests have one bot
	tokens map[string]bool
}

type item map[string]json.RawMessage

type answer struct {
	Type    string   `json:"__type,omitempty"`
	Reasons []reason `json:"CancellationReasons,omitempty"`

	Items     []item            `json:"Items,omitempty"`
	Responses map[string][]item `json:"Responses,omitempty"`
}

type reason struct {
	Code string
	Item item `json:",omitempty"`
}

var errAnswerLost = errors.New("connection reset by peer")

// RoundTrip implements http.RoundTripper.
func (t *table) RoundTrip(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	a := answer{Type: "ThrottlingException"}
	if !t.faulty || t.rng.IntN(20) > 0 {
		a = t.serve(req.Header.Get("X-Amz-Target"), body)
	}
	if t.faulty && t.rng.IntN(20) == 0 {
		return nil, errAnswerLost
	}
	status := http.StatusOK
	if a.Type != "" {
		status = http.StatusBadRequest
	}
	out, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(out)), Request: req}, nil
}

func (t *table) serve(target string, body []byte) answer {
	var ask struct {
		IndexName          string
		RequestItems       map[string]struct{ Keys []item }
		ClientRequestToken string
		TransactItems      []struct {
			Put struct {
				ConditionExpression       string
				ExpressionAttributeValues map[string]json.RawMessage
				Item                      item
			}
		}
	}
	if err := json.Unmarshal(body, &ask); err != nil {
		return answer{Type: "SerializationException"}
	}
	switch _, op, _ := strings.Cut(target, "."); op {
	case "Query":
		var found []item
		for _, it := range t.items {
			if ask.IndexName == "" || it["open"] != nil {
				found = append(found, it)
			}
		}
		return answer{Items: found}
	case "BatchGetItem":
		found := make(map[string][]item)
		for name, keys := range ask.RequestItems {
			for _, key := range keys.Keys {
				if it, ok := t.items[string(key["key"])]; ok {
					found[name] = append(found[name], it)
				}
			}
		}
		return answer{Responses: found}
	case "TransactWriteItems":
		// The token is good for ten minutes; at times they are over.
		if t.tokens[ask.ClientRequestToken] && t.rng.IntN(2) == 0 {
			return answer{}
		}
		cancelled := answer{Type: "TransactionCanceledException"}
		failed := false
		for _, w := range ask.TransactItems {
			old, exists := t.items[string(w.Put.Item["key"])]
			ok := !exists
			if w.Put.ConditionExpression != "attribute_not_exists(rev)" {
				ok = exists && bytes.Equal(old["rev"], w.Put.ExpressionAttributeValues[":rev"])
			}
			if ok {
				cancelled.Reasons = append(cancelled.Reasons, reason{Code: "None"})
			} else {
				failed = true
				cancelled.Reasons = append(cancelled.Reasons, reason{"ConditionalCheckFailed", old})
			}
		}
		if failed {
			return cancelled
		}
		for _, w := range ask.TransactItems {
			t.items[string(w.Put.Item["key"])] = w.Put.Item
		}
		t.tokens[ask.ClientRequestToken] = true
		return answer{}
	}
	return answer{Type: "UnknownOperationException"}
}

// age makes every time in the table older by d, which is how time passes in a
// test that has real sockets.
func (t *table) age(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, it := range t.items {
		for name, value := range it {
			var v any
			if json.Unmarshal(value, &v) == nil {
				it[name], _ = json.Marshal(older(v, d))
			}
		}
	}
}

func older(v any, d time.Duration) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = older(inner, d)
		}
	case []any:
		for i, inner := range v {
			v[i] = older(inner, d)
		}
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at.Add(-d).Format(time.RFC3339Nano)
		}
	}
	return v
}

// TestRealClients lives through histories with the clients that the functions
// have, against the local X and a DynamoDB at the wire. Runs overlap as the
// machine has them, so a seed draws the faults and not the whole history.
func TestRealClients(t *testing.T) {
	n := 500
	if raceDetector {
		n = 100
	}
	each(t, n, func(t *testing.T, seed uint64) {
		for _, broken := range liveWithClients(t, seed) {
			t.Errorf("seed %d: %s", seed, broken)
		}
	})
}

func liveWithClients(t *testing.T, seed uint64) (broken []string) {
	wrong := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	rng := rand.New(rand.NewPCG(seed, 1))
	ctx := t.Context()

	world := localx.New()
	server := httptest.NewServer(world)
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	const consumer, secret = "consumer-key", "consumer-secret"
	world.AddApp(consumer, secret)
	account := world.AddAccount("superman").ID
	token := world.Issue(account, consumer)
	keys := twitter.Keys{
		ConsumerKey: config.NewSecret(consumer), ConsumerSecret: config.NewSecret(secret),
		AccessToken: config.NewSecret(token.Token), AccessSecret: config.NewSecret(token.Secret),
	}
	db := &table{rng: rand.New(rand.NewPCG(seed, 2)), faulty: true, items: make(map[string]item), tokens: make(map[string]bool)}
	store := ledger.NewTable(dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("id", "secret", ""),
		BaseEndpoint: aws.String("http://127.0.0.1:1"),
		HTTPClient:   &http.Client{Transport: db},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	}), "ledger")

	runs := 0
	start := func(running *sync.WaitGroup, killed time.Duration) {
		runs++
		name := fmt.Sprint("run ", runs)
		running.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			if killed > 0 {
				stop := time.AfterFunc(killed, cancel)
				defer stop.Stop()
			}
			book, err := ledger.Load(ctx, store, functions.Superman.Name, name)
			if err != nil {
				return // the next run goes on
			}
			run := &bot.Run{
				Bot: functions.Superman,
				Settings: bot.Settings{Mode: bot.PostMode, PostsPerRun: 10, PostsPerDay: 1000, DailyBudget: bot.USD(100),
					Settle: 20 * time.Minute, Resend: bot.ResendOnce},
				UserID:      strconv.FormatUint(account, 10),
				Credentials: bot.Credentials{X: twitter.New(base, keys)},
				Renew: func(context.Context) (bot.Credentials, bool, error) {
					return bot.Credentials{}, false, nil
				},
				Ledger: book,
				Log:    slog.New(slog.DiscardHandler),
			}
			_, _ = run.Do(ctx) // whatever it says, the ledger decides
		})
	}

	want := make(map[string]bool)
	for tick := range 9 {
		quiet := tick >= 5
		if quiet {
			world.ClearFaults()
			db.mu.Lock()
			db.faulty = false
			db.mu.Unlock()
		} else {
			for range 1 + rng.IntN(3) {
				n := len(want)
				world.Add(localx.Post{Author: "someone", Text: fmt.Sprintf("my serverless app, day %d", n)})
				want[fmt.Sprintf("my Superman app, day %d", n)] = true
			}
			for range rng.IntN(4) {
				world.Fault(localx.Fault{
					Op:    []string{"search", "create", "create", "create", "timeline"}[rng.IntN(5)],
					Case:  []string{"unavailable", "reset", "reset", "rate-limit", "unauthorized"}[rng.IntN(5)],
					When:  []string{"before", "after"}[rng.IntN(2)],
					Times: 1,
				})
			}
		}
		var running sync.WaitGroup
		killed := time.Duration(0)
		if !quiet && rng.IntN(2) == 0 {
			killed = time.Duration(1+rng.IntN(10_000)) * time.Microsecond
		}
		start(&running, killed)
		if rng.IntN(2) == 0 {
			start(&running, 0)
		}
		running.Wait()
		db.age(time.Hour)
	}

	posts := make(map[string]int)
	for _, p := range world.Posts(account) {
		posts[p.Text]++
		if !want[p.Text] {
			wrong("I11: %q is no rewriting of a source", p.Text)
		}
		if posts[p.Text] > 1 {
			wrong("I1: %q is posted %d times", p.Text, posts[p.Text])
		}
	}
	rows, err := store.All(ctx, functions.Superman.Name)
	if err != nil {
		t.Fatal(err)
	}
	sources, posted := 0, 0
	for _, r := range rows {
		if r.Post == nil {
			continue
		}
		sources++
		switch r.Post.State {
		case ledger.Pending, ledger.Posting:
			wrong("I8: row %d is %s (%s)", r.Post.ID, r.Post.State, r.Post.Reason)
		case ledger.Posted:
			posted++
		}
	}
	if sources != len(want) {
		wrong("I6: %d rows, want %d", sources, len(want))
	}
	if posted != len(posts) {
		wrong("I2: %d rows are posted, and X has %d posts", posted, len(posts))
	}
	return broken
}
