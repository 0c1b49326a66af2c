package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"time"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/integration/local/runtime"
)

// A contender is a function that needs four values out of two parameters.
type contender struct {
	Name, What string
	bootstrap  string
	env        map[string]string
	answer     func(payload []byte) error // what is wrong with it
}

// environment is what the function finds, beside what Lambda sets.
func (c contender) environment(s *store) map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL_SSM": s.url, "AWS_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "dummy", "AWS_SESSION_TOKEN": "dummy",
		"BENCH_SHARED": shared, "BENCH_OWN": own,
	}
	maps.Copy(env, c.env)
	return env
}

// A start is what a contender's starts came to: until its first answer, until
// it asked for the first event, and the answer of the same process after that.
type start struct {
	contender
	Total, Init, Warm spread[time.Duration]
	Memory            spread[int64]
	Calls             float64 // to Parameter Store until the first answer
	Connections       int64   // made for the second
	GC                float64 // collections until the first answer
}

// A store is a Parameter Store that takes its time.
type store struct {
	url                string
	calls, connections atomic.Int64
}

const shared, own = "/bench/shared", "/bench/superman"

var values = []string{"consumer key", "consumer secret", "4711-access token", "access secret"}

func startStore() (s *store, stop func()) {
	parameters := paramstore.New()
	put := func(name string, value map[string]string) {
		text, err := json.Marshal(value)
		check(err)
		parameters.Put(name, "SecureString", string(text))
	}
	put(shared, map[string]string{"consumer_key": values[0], "consumer_secret": values[1]})
	put(own, map[string]string{"access_token": values[2], "access_secret": values[3]})
	s = new(store)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		time.Sleep(delay)
		parameters.ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	server.Start()
	s.url = server.URL
	return s, server.Close
}

// superbotsEnv is superman's environment, but for a budget that is spent: the
// run ends when it has its settings and the ledger's row.
func superbotsEnv() map[string]string {
	return map[string]string{
		"TWITTER_CONSUMER_KEY": "ssm:" + shared + "#consumer_key", "TWITTER_CONSUMER_SECRET": "ssm:" + shared + "#consumer_secret",
		"TWITTER_ACCESS_TOKEN": "ssm:" + own + "#access_token", "TWITTER_ACCESS_SECRET": "ssm:" + own + "#access_secret",
		"TWITTER_BASE_URL": "http://127.0.0.1:9", "LEDGER": "memory:", "BOT_DAILY_BUDGET": "0",
	}
}

func hasSettings(payload []byte) error {
	var report struct {
		Stopped string
		Config  struct{ Versions map[string]int64 }
	}
	if err := json.Unmarshal(payload, &report); err != nil {
		return err
	}
	if report.Stopped != "budget" || !maps.Equal(report.Config.Versions, map[string]int64{shared: 1, own: 1}) {
		return fmt.Errorf("the report says %s", payload)
	}
	return nil
}

func hasValues(payload []byte) error {
	var got struct {
		Values int
		Sum    string
	}
	if err := json.Unmarshal(payload, &got); err != nil {
		return err
	}
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(values, "\n")))); got.Values != 4 || got.Sum != want {
		return fmt.Errorf("it answered %s", payload)
	}
	return nil
}

func anything([]byte) error { return nil }

// contenders builds those in Go, and takes of the others those that are
// installed.
func contenders(ctx context.Context, dir string, p *page) ([]contender, error) {
	arch := goruntime.GOARCH
	all := []contender{
		{"bare", "aws-lambda-go alone: reads nothing", "", nil, anything},
		{"superbots", "superman's binary, up to its settings", "", superbotsEnv(), hasSettings},
		{"naive", "Go: LoadDefaultConfig, GetParameter for each name", "", nil, hasValues},
		{"runtimevar", "Go: gocloud.dev/runtimevar", "", nil, hasValues},
		{"powertools-node", "TypeScript: Powertools' parameters, in an optimized bundle", "", nil, hasValues},
		{"powertools-node/default", "the same, in esbuild's default bundle", "", nil, hasValues},
		{"powertools-python", "Python: Powertools' parameters", "", nil, hasValues},
	}
	pkg := map[string]string{"bare": "./peers/hello", "superbots": "./functions/superman", "naive": "./peers/naive", "runtimevar": "./peers/runtimevar"}
	in := map[string]string{"superbots": root}
	var here []contender
	for _, c := range all {
		peer, bundle, _ := strings.Cut(c.Name, "/")
		c.bootstrap = filepath.Join("peers", peer, "dist", bundle, "bootstrap")
		if pkg[c.Name] != "" {
			c.bootstrap = filepath.Join(dir, c.Name)
			if err := build(ctx, cmp.Or(in[c.Name], "."), arch, stripped, c.bootstrap, pkg[c.Name]); err != nil {
				return nil, err
			}
		} else if _, err := os.Stat(c.bootstrap); errors.Is(err, fs.ErrNotExist) {
			p.Missing = append(p.Missing, c.Name)
			log.Printf("%s is not installed, and left out", c.Name)
			continue
		}
		if versions, err := os.ReadFile(filepath.Join(filepath.Dir(c.bootstrap), "versions.txt")); err == nil {
			p.Versions = append(p.Versions, strings.TrimSpace(string(versions)))
		}
		here = append(here, c)
	}
	return here, nil
}

// race starts the contenders in turn, again and again, each in a process of its
// own that is asked twice.
func race(ctx context.Context, all []contender, rounds int) ([]start, error) {
	s, stop := startStore()
	defer stop()
	type times struct {
		total, init, warm      []time.Duration
		memory                 []int64
		calls, connections, gc int64
	}
	taken := make([]times, len(all))
	for range rounds {
		for i, c := range all {
			t := &taken[i]
			function, err := runtime.Start(runtime.Function{Name: c.Name, Bootstrap: c.bootstrap, Env: c.environment(s), Timeout: time.Minute})
			if err != nil {
				return nil, err
			}
			calls := s.calls.Load()
			first, err := invoke(ctx, function, c)
			t.calls += s.calls.Load() - calls
			connections := s.connections.Load()
			var second runtime.Result
			if err == nil {
				second, err = invoke(ctx, function, c)
			}
			t.connections += s.connections.Load() - connections
			function.Close()
			if err != nil {
				return nil, err
			}
			t.total = append(t.total, first.Init+first.Duration)
			t.init = append(t.init, first.Init)
			t.warm = append(t.warm, second.Duration)
			t.memory = append(t.memory, second.MaxMemory)
			for _, line := range first.Log {
				if strings.HasPrefix(line, "gc ") { // GODEBUG=gctrace=1
					t.gc++
				}
			}
		}
	}
	starts := make([]start, len(all))
	for i, t := range taken {
		starts[i] = start{
			all[i], spreadOf(t.total), spreadOf(t.init), spreadOf(t.warm), spreadOf(t.memory),
			float64(t.calls) / float64(rounds), t.connections / int64(rounds), float64(t.gc) / float64(rounds),
		}
		log.Printf("%-18s %v", all[i].Name, starts[i].Total)
	}
	return starts, nil
}

func invoke(ctx context.Context, function *runtime.Lambda, c contender) (runtime.Result, error) {
	result, err := function.Invoke(ctx, runtime.ScheduledEvent(time.Now()))
	if err == nil && result.FunctionError != "" {
		err = fmt.Errorf("%s\n%s", result.ErrorMessage, strings.Join(result.Log, "\n"))
	}
	if err == nil {
		err = c.answer(bytes.TrimSpace(result.Payload))
	}
	if err != nil {
		return result, fmt.Errorf("%s: %w", c.Name, err)
	}
	return result, nil
}

// roundTrip is one call to the store over a connection that is there, without a
// library around it.
func roundTrip(ctx context.Context) (spread[time.Duration], error) {
	s, stop := startStore()
	defer stop()
	body := fmt.Sprintf(`{"Names":[%q,%q],"WithDecryption":true}`, shared, own)
	var all []time.Duration
	for i := range rounds + 1 {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(body))
		if err != nil {
			return spread[time.Duration]{}, err
		}
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
		request.Header.Set("X-Amz-Target", "AmazonSSM.GetParameters")
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=bench/20261123/eu-west-1/ssm/aws4_request, SignedHeaders=host, Signature=0")
		begin := time.Now()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return spread[time.Duration]{}, err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			return spread[time.Duration]{}, fmt.Errorf("one call: %s, %s: %w", response.Status, text, err)
		}
		if i > 0 { // the first one connects
			all = append(all, time.Since(begin))
		}
	}
	return spreadOf(all), nil
}

func cold(ctx context.Context, dir string, p *page) error {
	all, err := contenders(ctx, dir, p)
	if err != nil {
		return err
	}
	if p.RoundTrip, err = roundTrip(ctx); err != nil {
		return err
	}
	if p.Cold, err = race(ctx, all, rounds); err != nil {
		return err
	}
	if p.BareLater, err = later(ctx, all[0]); err != nil {
		return err
	}
	if p.OursLater, err = later(ctx, all[1]); err != nil {
		return err
	}
	return collector(ctx, all[1], p)
}

const manyRuns = 1000

// later returns the most memory that one process has used after many runs, when
// what it leaves for the garbage collector has reached its usual size.
func later(ctx context.Context, c contender) (int64, error) {
	s, stop := startStore()
	defer stop()
	function, err := runtime.Start(runtime.Function{Name: c.Name, Bootstrap: c.bootstrap, Env: c.environment(s), Timeout: time.Minute})
	if err != nil {
		return 0, err
	}
	defer function.Close()
	most := int64(0)
	for range manyRuns {
		result, err := invoke(ctx, function, c)
		if err != nil {
			return 0, err
		}
		most = max(most, result.MaxMemory)
	}
	return most, nil
}

// collector starts superman with other settings of Go's garbage collector.
func collector(ctx context.Context, superbots contender, p *page) (err error) {
	var all []contender
	for _, c := range []contender{
		{Name: "as deployed", What: "Go's defaults"},
		{Name: "limit", What: "GOMEMLIMIT=100MiB", env: map[string]string{"GOMEMLIMIT": "100MiB"}},
		{Name: "limit, rarely", What: "GOMEMLIMIT=100MiB GOGC=400", env: map[string]string{"GOMEMLIMIT": "100MiB", "GOGC": "400"}},
		{Name: "limit, only then", What: "GOMEMLIMIT=100MiB GOGC=off", env: map[string]string{"GOMEMLIMIT": "100MiB", "GOGC": "off"}},
	} {
		env := maps.Clone(superbots.env)
		maps.Copy(env, c.env)
		env["GODEBUG"] = "gctrace=1"
		all = append(all, contender{c.Name, c.What, superbots.bootstrap, env, superbots.answer})
	}
	p.Collector, err = race(ctx, all, rounds/2)
	return err
}
