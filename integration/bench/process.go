package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/awsparamstore"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/pkg/config"
)

const runs = 21 // of each measurement

type (
	four struct {
		A string `env:"V0"`
		B string `env:"V1"`
		C string `env:"V2"`
		D string `env:"V3"`
	}
	ten struct {
		A string `env:"V0"`
		B string `env:"V1"`
		C string `env:"V2"`
		D string `env:"V3"`
		E string `env:"V4"`
		F string `env:"V5"`
		G string `env:"V6"`
		H string `env:"V7"`
		I string `env:"V8"`
		J string `env:"V9"`
	}
	hundred struct {
		A ten `envPrefix:"N0_"`
		B ten `envPrefix:"N1_"`
		C ten `envPrefix:"N2_"`
		D ten `envPrefix:"N3_"`
		E ten `envPrefix:"N4_"`
		F ten `envPrefix:"N5_"`
		G ten `envPrefix:"N6_"`
		H ten `envPrefix:"N7_"`
		I ten `envPrefix:"N8_"`
		J ten `envPrefix:"N9_"`
	}
)

func parameter(i int) string { return fmt.Sprintf("/bench/p%03d", i) }

// environ has n variables, each of which refers to a parameter of its own.
func environ(n int) []string {
	var list []string
	for i := range n {
		name := fmt.Sprintf("V%d", i)
		if n == 100 {
			name = fmt.Sprintf("N%d_V%d", i/10, i%10)
		}
		list = append(list, name+"=ssm:"+parameter(i))
	}
	return list
}

func loadAll[T any](ctx context.Context, client *ssm.Client, n int) {
	l, err := config.New[T](environ(n), client)
	check(err)
	snapshot, err := l.Get(ctx)
	check(err)
	if len(snapshot.Versions) != n {
		log.Fatalf("read %d parameters of %d", len(snapshot.Versions), n)
	}
}

// The ways to read n parameters, as a function does that has just started.
var ways = []struct {
	name string
	read func(ctx context.Context, client *ssm.Client, n int)
}{
	{"pkg/config", func(ctx context.Context, client *ssm.Client, n int) {
		switch n {
		case 4:
			loadAll[four](ctx, client, n)
		case 10:
			loadAll[ten](ctx, client, n)
		case 100:
			loadAll[hundred](ctx, client, n)
		}
	}},
	{"runtimevar", func(ctx context.Context, client *ssm.Client, n int) {
		vars := openAll(client, n)
		for _, v := range vars {
			_, err := v.Latest(ctx)
			check(err)
		}
		closeAll(vars)
	}},
	{"GetParameter each", func(ctx context.Context, client *ssm.Client, n int) {
		for i := range n {
			name, decrypt := parameter(i), true
			_, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
			check(err)
		}
	}},
}

func openAll(client *ssm.Client, n int) []*runtimevar.Variable {
	var vars []*runtimevar.Variable
	for i := range n {
		v, err := awsparamstore.OpenVariable(client, parameter(i), runtimevar.StringDecoder, nil)
		check(err)
		vars = append(vars, v)
	}
	return vars
}

func closeAll(vars []*runtimevar.Variable) {
	for _, v := range vars {
		check(v.Close())
	}
}

// newClient returns a client without a connection, as at a cold start.
func newClient(url string) (client *ssm.Client, done func()) {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	return ssm.New(ssm.Options{
		Region:       "eu-west-1",
		BaseEndpoint: &url,
		Credentials:  credentials.NewStaticCredentialsProvider("bench", "dummy", ""),
		HTTPClient:   &http.Client{Transport: transport},
	}), transport.CloseIdleConnections
}

// A reading is how long one way takes to read n parameters at its start.
type reading struct {
	Name       string
	Parameters int
	Calls      int64
	Time       spread[time.Duration]
}

// A lookup is one use of four settings that have been read already.
type lookup struct {
	Name        string
	Nanoseconds float64
	Allocations float64
}

// inProcess compares the ways to read Parameter Store without the processes
// around them.
func inProcess(ctx context.Context, _ string, p *page) error {
	store := paramstore.New()
	for i := range 100 {
		store.Put(parameter(i), "SecureString", fmt.Sprint("value ", i))
	}
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		time.Sleep(delay)
		store.ServeHTTP(w, r)
	}))
	defer server.Close()

	for _, n := range []int{4, 10, 100} {
		times := make([][]time.Duration, len(ways))
		counts := make([]int64, len(ways))
		for range runs {
			for i, w := range ways {
				before := calls.Load()
				client, done := newClient(server.URL)
				start := time.Now()
				w.read(ctx, client, n)
				times[i] = append(times[i], time.Since(start))
				done()
				counts[i] += calls.Load() - before
			}
		}
		for i, w := range ways {
			p.Readings = append(p.Readings, reading{w.name, n, counts[i] / runs, spreadOf(times[i])})
		}
	}

	client, done := newClient(server.URL)
	defer done()
	l, err := config.New[four](environ(4), client)
	check(err)
	_, err = l.Get(ctx)
	check(err)
	vars := openAll(client, 4)
	defer closeAll(vars)
	latest := func() {
		for _, v := range vars {
			_, err := v.Latest(ctx)
			check(err)
		}
	}
	latest()
	for _, way := range []struct {
		name string
		read func()
	}{{"pkg/config", func() { l.Get(ctx) }}, {"runtimevar", latest}} {
		p.Lookups = append(p.Lookups, lookup{way.name, nanoseconds(way.read, 100_000), testing.AllocsPerRun(1000, way.read)})
	}
	return nil
}

// nanoseconds returns what a call of f takes while nothing else disturbs it.
func nanoseconds(f func(), calls int) float64 {

	best := time.Duration(math.MaxInt64)
	for range runs {
		start := time.Now()
		for range calls {
			f()
		}
		best = min(best, time.Since(start))
	}
	return float64(best) / float64(calls)
}
