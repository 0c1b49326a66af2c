package scale

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/config"
)

// settings have one variable more than a call takes names.
type settings struct {
	P0  string `env:"P0"`
	P1  string `env:"P1"`
	P2  string `env:"P2"`
	P3  string `env:"P3"`
	P4  string `env:"P4"`
	P5  string `env:"P5"`
	P6  string `env:"P6"`
	P7  string `env:"P7"`
	P8  string `env:"P8"`
	P9  string `env:"P9"`
	P10 string `env:"P10"`
}

// A counter is a Parameter Store that has everything, and counts its calls by
// the second.
type counter struct {
	start time.Time

	mu    sync.Mutex // guards calls: a loader makes up to three at the same time
	calls []int
}

func (c *counter) GetParameters(_ context.Context, in *ssm.GetParametersInput, _ ...func(*ssm.Options)) (*ssm.GetParametersOutput, error) {
	c.mu.Lock()
	c.calls[int(time.Since(c.start)/time.Second)]++
	c.mu.Unlock()
	out := new(ssm.GetParametersOutput)
	for _, name := range in.Names {
		out.Parameters = append(out.Parameters, types.Parameter{Name: &name, Value: aws.String("value"), Version: 1})
	}
	return out, nil
}

// live lets the loaders of a fleet live for so many periods of its schedule, and
// returns the calls of each second. All are new at the first run.
func live(t *testing.T, f Fleet, periods int) (calls []int) {
	synctest.Test(t, func(t *testing.T) {
		store := &counter{start: time.Now(), calls: make([]int, int(time.Duration(periods)*f.Every/time.Second))}
		calls = store.calls
		var environ []string
		for i := range f.Parameters {
			environ = append(environ, fmt.Sprintf("P%d=ssm:/scale/%d", i, i))
		}
		environ = append(environ, "CONFIG_TTL="+f.TTL.String())
		rng := rand.New(rand.NewPCG(1, 2))
		loaders := make([]*config.Loader[settings], f.containers())
		after := make([]time.Duration, len(loaders)) // how long after the tick each runs
		for i := range loaders {
			var err error
			if loaders[i], err = config.New[settings](environ, store); err != nil {
				t.Fatal(err)
			}
			if f.Spread > time.Second {
				after[i] = time.Duration(rng.Int64N(int64(f.Spread)))
			}
		}
		slices.Sort(after)
		for period := range periods {
			tick := store.start.Add(time.Duration(period) * f.Every)
			for i, l := range loaders {
				if wait := time.Until(tick.Add(after[i])); wait > 0 {
					time.Sleep(wait)
				}
				if _, err := l.Get(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	return calls
}

func TestCallsPerSecond(t *testing.T) {
	fleet := func(functions int, every, spread, ttl time.Duration) Fleet {
		f := Bots(functions)
		f.Every, f.Spread, f.TTL = every, spread, ttl
		return f
	}
	eleven := fleet(200, 10*time.Minute, time.Minute, time.Hour)
	eleven.Parameters = 11
	halfDay := func(every time.Duration) int { return int(12 * time.Hour / every) }
	for _, test := range []struct {
		what    string
		fleet   Fleet
		periods int
	}{
		{"the two bots", Bots(2), 145},
		{"all ticks in one second", fleet(500, 10*time.Minute, time.Second, 15*time.Minute), halfDay(10 * time.Minute)},
		{"within their minute", fleet(500, 10*time.Minute, time.Minute, 15*time.Minute), halfDay(10 * time.Minute)},
		{"over the period", fleet(500, 10*time.Minute, 10*time.Minute, 15*time.Minute), halfDay(10 * time.Minute)},
		{"every minute", fleet(200, time.Minute, time.Minute, 15*time.Minute), halfDay(time.Minute)},
		{"two runs in the jitter", fleet(500, 10*time.Minute, time.Minute, time.Hour), halfDay(10 * time.Minute)},
		{"a run more often than due", fleet(500, time.Hour, time.Hour, 15*time.Minute), halfDay(time.Hour)},
		{"read at one run or at the next", fleet(300, 9*time.Minute, time.Second, 10*time.Minute), halfDay(9 * time.Minute)},
		{"ten thousand", fleet(10_000, 10*time.Minute, time.Minute, 15*time.Minute), 3},
		{"always busy", always(2, 100), 60 * 60},
		{"eleven parameters", eleven, halfDay(10 * time.Minute)},
	} {
		t.Run(test.what, func(t *testing.T) {
			f := test.fleet
			calls := live(t, f, test.periods)
			first := min(int(max(f.Spread, time.Second)/time.Second), len(calls))
			cold, later := calls[:first], calls[first:]

			total := 0
			for _, n := range later {
				total += n
			}
			// Each container's last read is, in the mean, half an interval before the end.
			mean := float64(total) / (float64(len(calls)) - f.ReadEvery().Seconds()/2)
			if want := f.CallsPerSecond(); math.Abs(mean-want) > 0.05*want {
				t.Errorf("%.4g calls a second, and the model has %.4g", mean, want)
			}
			for _, peak := range []struct {
				what  string
				calls []int
				share float64
				most  int
			}{
				{"the first runs", cold, 1, f.ColdSecond()},
				{"later", later, f.InStep(), f.WorstSecond()},
			} {
				got := slices.Max(peak.calls)
				least := 0.8 * float64(f.containers()*f.calls()) * peak.share / float64(first)
				if got > peak.most || float64(got) < least {
					t.Errorf("%s: %d calls in the worst second, want at least %.4g and at most %d", peak.what, got, least, peak.most)
				}
			}
		})
	}
}

func TestReadsOfABot(t *testing.T) {
	for _, test := range []struct {
		every, ttl time.Duration
		want       float64 // reads an hour
	}{
		{10 * time.Minute, 10 * time.Minute, 6}, // at each run
		{10 * time.Minute, 15 * time.Minute, 3}, // at each second one
		{time.Hour, 15 * time.Minute, 1},
		{time.Minute, 15 * time.Minute, 60. / 14}, // after 13, 14 or 15
	} {
		f := Bots(1)
		f.Every, f.TTL = test.every, test.ttl
		if got := float64(time.Hour) / float64(f.ReadEvery()); math.Abs(got-test.want) > 1e-6 {
			t.Errorf("every %v with a TTL of %v: %v reads an hour, want %v", f.Every, f.TTL, got, test.want)
		}
	}
}

// A month of one bot and of ten thousand, added up by hand.
func TestMonth(t *testing.T) {
	day := Day{Found: 48, Posted: 20, Reasons: 3}
	m := Measured{Memory: 512, Run: time.Second, Post: 500 * time.Millisecond, RunLog: 2000, PostLog: 1000}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.005*want {
			t.Errorf("%s: %.5f dollars, want %.5f", what, got, want)
		}
	}
	// 730 hours: 4,380 runs, 30.42 days, 608.3 posts, 2,190 reads of three
	// parameters, two of them encrypted.
	b := Bots(1).Month(day, m)
	near("functions", b.Lambda, 4380*0.2e-6+(4380+304.2)*0.5*0.0000133334)
	near("logs", b.Logs, (4380*2000+608.3*1000)*0.5e-9)
	near("metrics", b.Metrics, 8*0.30)
	near("alarms", b.Alarms, 5*0.10)
	near("key", b.KMS, 1+4380*0.03/10_000)
	near("parameters", b.Parameters, 0)
	near("X", b.X, 30.42*(50*0.005+20*0.015))
	if got, want := b.AWS(), b.Lambda+b.DynamoDB+b.Logs+2.4+0.5+3+b.KMS; math.Abs(got-want) > 1e-9 { // no part is too small to be missed
		t.Errorf("AWS: %.5f dollars, want %.5f", got, want)
	}

	f := Bots(10_000)
	f.HigherThroughput = true
	b = f.Month(day, m)
	near("metrics of ten thousand", b.Metrics, 10_000*0.30+70_000*0.10)
	near("parameters of ten thousand", b.Parameters, 2*0.05+10_000*2190*3*0.05/10_000)
}

// The alarms of the model are those that are deployed.
func TestAlarms(t *testing.T) {
	files, err := filepath.Glob("../../resources/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	bots, all := 0, 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all += bytes.Count(b, []byte("Type: AWS::CloudWatch::Alarm\n"))
		if bytes.Contains(b, []byte("Type: AWS::IAM::Role\n")) {
			bots++
		}
	}
	if want := bots*alarms + sharedAlarms; all != want || bots < 2 {
		t.Errorf("%d bots have %d alarms, and the model %d", bots, all, want)
	}
}

func TestTables(t *testing.T) {
	write := func() string {
		var b strings.Builder
		if err := Tables(&b, Day{Found: 20, Posted: 10, Reasons: 3}, Measured{128, time.Second, time.Second, 2000, 500}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	page := write()
	if page != write() {
		t.Error("the same input gives another page")
	}
	for _, want := range []string{
		"| 10 min | 6.00 | 6.00 | 3.00 | 1.03 |",
		"| 10,000 | 8.33 | **10,000** | **266** | **53** |",
		"| all ticks in one second | 40 | 40 |",
		"| one new post, posted | 2 | 20 |",
		"| 300 | X: 450 searches in 15 minutes by one app |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no line with %q in\n%s", want, page)
		}
	}
	columns := 0
	for line := range strings.Lines(page) {
		switch n := strings.Count(line, "|"); {
		case n > 0 && columns > 0 && n != columns:
			t.Errorf("%d separators and not %d in %s", n, columns, line)
		default:
			columns = n
		}
		if strings.Contains(line, "NaN") || strings.Contains(line, "Inf") || strings.Contains(line, "%!") {
			t.Errorf("no number in %s", line)
		}
	}
}

// The metrics of the model are those that a run logs.
func TestMetrics(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_PROFILE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
	} {
		t.Setenv(name, value)
	}
	x := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"meta":{"result_count":0}}`)
	}))
	defer x.Close()
	defer func(name string) { lambdacontext.FunctionName = name }(lambdacontext.FunctionName)
	lambdacontext.FunctionName = "superbots-dev-superman"

	var log bytes.Buffer
	superman, err := app.New(functions.Superman, []string{
		"TWITTER_CONSUMER_KEY=key", "TWITTER_CONSUMER_SECRET=key-secret", "TWITTER_ACCESS_TOKEN=12-token", "TWITTER_ACCESS_SECRET=token-secret",
		"TWITTER_BASE_URL=" + x.URL, "LEDGER=memory:",
	}, &log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := superman.Handle(t.Context(), app.Event{}); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(log.Bytes()) {
		if bytes.Contains(line, []byte(`"CloudWatchMetrics"`)) {
			if got := bytes.Count(line, []byte(`"Unit"`)); got != metrics {
				t.Errorf("a run logs %d metrics, and the model has %d: %s", got, metrics, line)
			}
			return
		}
	}
	t.Errorf("no metrics in %s", &log)
}
