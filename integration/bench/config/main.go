// Command config compares pkg/config with other ways to read Parameter Store,
// on this machine and in one run. From its folder:
//
//	go run .
//
// The store is the local one with 10 ms added to each call, which is what a
// near Region takes at best. The network is loopback without TLS, so that only
// the number of calls that wait for each other tells, and what each library
// does around them.
package main

import (
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/awsparamstore"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/pkg/config"
)

const (
	delay = 10 * time.Millisecond // of each call
	runs  = 21                    // of each cold start; the median is shown
)

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

// The contenders read n parameters as a function does that has just started.
var contenders = []struct {
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

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// likeLambda leaves of the AWS variables of this machine none, and sets those
// that a function finds.
func likeLambda() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		os.Setenv(name, "dummy")
	}
	os.Setenv("AWS_REGION", "eu-west-1")
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

func main() {
	likeLambda()
	first := time.Now()
	loadDefaultConfig(context.Background())
	firstLoad := time.Since(first)

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

	fmt.Printf("%s, %s/%s, %d CPUs, %v\n", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	cold(server.URL, &calls)
	hit(server.URL)
	load(firstLoad)
	sizes()
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

func cold(url string, calls *atomic.Int64) {
	fmt.Printf("\nCold start, %v added to each call (median of %d):\n", delay, runs)
	fmt.Printf("%-20s %10s %8s %10s %8s\n", "", "parameters", "calls", "ms", "ratio")
	for _, n := range []int{4, 10, 100} {
		var best time.Duration
		for _, c := range contenders {
			times := make([]time.Duration, runs)
			before := calls.Load()
			for i := range times {
				client, done := newClient(url)
				start := time.Now()
				c.read(context.Background(), client, n)
				times[i] = time.Since(start)
				done()
			}
			slices.Sort(times)
			median := times[runs/2]
			best = cmp.Or(best, median) // pkg/config is the first
			fmt.Printf("%-20s %10d %8d %10.1f %8.1f\n", c.name, n, (calls.Load()-before)/runs,
				float64(median.Microseconds())/1000, float64(median)/float64(best))
		}
	}
}

func hit(url string) {
	ctx := context.Background()
	client, done := newClient(url)
	defer done()
	l, err := config.New[four](environ(4), client)
	check(err)
	_, err = l.Get(ctx)
	check(err)
	vars := openAll(client, 4)
	defer closeAll(vars)
	for _, v := range vars {
		_, err := v.Latest(ctx)
		check(err)
	}

	fmt.Printf("\nFour settings that have been read already (best of %d):\n", runs)
	var best float64
	for _, c := range []struct {
		name string
		read func()
	}{
		{"pkg/config", func() { l.Get(ctx) }},
		{"runtimevar", func() {
			for _, v := range vars {
				v.Latest(ctx)
			}
		}},
	} {
		each := nanoseconds(c.read)
		best = cmp.Or(best, each)
		fmt.Printf("%-20s %10.1f ns %2.0f allocations %8.1f\n", c.name, each, testing.AllocsPerRun(1000, c.read), each/best)
	}
}

// nanoseconds returns what a call of f takes while nothing else disturbs it.
func nanoseconds(f func()) float64 {
	const calls = 100_000
	best := time.Duration(math.MaxInt64)
	for range runs {
		start := time.Now()
		for range calls {
			f()
		}
		best = min(best, time.Since(start))
	}
	return float64(best) / calls
}

func loadDefaultConfig(ctx context.Context) {
	_, err := awsconfig.LoadDefaultConfig(ctx)
	check(err)
}

func load(first time.Duration) {
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			loadDefaultConfig(context.Background())
		}
	})
	fmt.Printf("\nLoadDefaultConfig: %.2f ms the first time, then %.2f ms, %d kB in %d allocations\n",
		float64(first.Microseconds())/1000, float64(result.NsPerOp())/1e6, result.AllocedBytesPerOp()/1000, result.AllocsPerOp())
}

// sizes builds the same function with the default configuration of the SDK and
// without, the way make build does.
func sizes() {
	dir, err := os.MkdirTemp("", "bench-config-")
	check(err)
	defer os.RemoveAll(dir)
	fmt.Printf("\nlinux/arm64 binary:\n")
	var raws, zips [2]int64
	for i, name := range []string{"without", "with"} {
		out := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", out, "./size/"+name)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		check(cmd.Run())
		raws[i], zips[i] = size(out)
		fmt.Printf("%-8s LoadDefaultConfig %6.2f MB, %5.2f MB compressed\n", name, float64(raws[i])/1e6, float64(zips[i])/1e6)
	}
	fmt.Printf("difference                %6.2f MB, %5.2f MB compressed\n", float64(raws[1]-raws[0])/1e6, float64(zips[1]-zips[0])/1e6)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func size(path string) (raw, compressed int64) {
	f, err := os.Open(path)
	check(err)
	defer f.Close()
	var c counter
	zip, err := gzip.NewWriterLevel(&c, gzip.BestCompression)
	check(err)
	raw, err = io.Copy(zip, f)
	check(err)
	check(zip.Close())
	return raw, int64(c)
}
