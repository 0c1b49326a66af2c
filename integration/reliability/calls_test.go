package reliability_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// count returns how often each call is in a list.
func count(calls []string) map[string]int {
	n := make(map[string]int)
	for _, call := range calls {
		n[call]++
	}
	return n
}

// The calls of a run are counted, since each is a round trip and some cost money.
func TestCallsOfARun(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"BOT_POSTS_PER_RUN": "10"})
	w.tick()
	if diff := cmp.Diff(map[string]int{getParameters: 1, query: 1, search: 1}, count(w.seen())); diff != "" {
		t.Errorf("an empty run, cold (-want +got):\n%s", diff)
	}
	w.clear()
	w.tick()
	if diff := cmp.Diff(map[string]int{query: 1, search: 1}, count(w.seen())); diff != "" {
		t.Errorf("an empty run, warm (-want +got):\n%s", diff)
	}
	for _, posts := range []int{1, 5} {
		for n := range posts {
			w.say(fmt.Sprintf("serverless %d of %d", n, posts), 0)
		}
		w.clear()
		if got := w.tick(); got.Posted != posts {
			t.Errorf("report %+v, want %d posted", got, posts)
		}
		want := map[string]int{query: 1, search: 1, batchGet: 1, transact: 1 + 2*posts, create: posts}
		if diff := cmp.Diff(want, count(w.seen())); diff != "" {
			t.Errorf("a run that posts %d (-want +got):\n%s", posts, diff)
		}
	}
}

// Settings and ledger are read side by side: each read is answered only once the
// other has arrived.
func TestReadsSideBySide(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	arrived := map[string]chan struct{}{getParameters: make(chan struct{}), query: make(chan struct{})}
	for call, other := range map[string]string{getParameters: query, query: getParameters} {
		w.at(call, 1, false, func(http.ResponseWriter, []byte) bool {
			close(arrived[call])
			select {
			case <-arrived[other]:
			case <-ctx.Done():
			}
			return true
		})
	}
	run, err := w.Tick(ctx, superman)
	if err != nil || run.FunctionError != "" {
		t.Errorf("error %v, %s", err, run.ErrorMessage)
	}
}

// BenchmarkRun prints how long a run takes, divided by the sum of the round trips
// that it cannot do without, with 10 ms for each call to AWS and 50 ms for each
// to X, and what the run logs and holds. What the stand-ins take beyond that is
// left out of the run's time: moto needs more than 10 ms for most transactions.
func BenchmarkRun(b *testing.B) {
	const aws, x = 10 * time.Millisecond, 50 * time.Millisecond
	for _, posts := range []int{0, 1, 5} {
		b.Run(fmt.Sprintf("posts=%d", posts), func(b *testing.B) {
			unavoidable := aws + x // settings and ledger side by side, then a search
			if posts > 0 {
				unavoidable += 2*aws + time.Duration(posts)*(2*aws+x)
			}
			var w *world
			var own time.Duration
			said, calls, logged, memory := 0, 0, 0, int64(0)
			for b.Loop() {
				b.StopTimer()
				if w == nil || said+posts > 50 { // a search shows all again, and a page has fifty
					w = startWith(b, vars{"CONFIG_TTL": "1ms", "BOT_POSTS_PER_RUN": "50", "BOT_POSTS_PER_DAY": "50", "BOT_DAILY_BUDGET": "50"}, "bot", aws, x)
					w.tick() // the cold start
					said = 0
				}
				for range posts {
					said++
					w.say(fmt.Sprintf("serverless %d", said), 0)
				}
				w.clear()
				b.StartTimer()
				run := w.invoke(time.Now())
				b.StopTimer()
				if run.Report.Posted != posts {
					b.Fatalf("report %+v, want %d posted", run.Report, posts)
				}
				own += run.Duration - w.took()
				calls += len(w.seen())
				memory = max(memory, run.MaxMemory)
				for _, line := range run.Log {
					logged += len(line) + 1
				}
				b.StartTimer()
			}
			own /= time.Duration(b.N)
			b.ReportMetric(float64(own+unavoidable)/float64(unavoidable), "of-unavoidable")
			b.ReportMetric(float64((own+unavoidable).Microseconds())/1000, "ms/run")
			b.ReportMetric(float64(calls)/float64(b.N), "round-trips/run")
			b.ReportMetric(float64(logged)/float64(b.N), "log-bytes/run")
			b.ReportMetric(float64(memory), "max-memory-bytes")
			if posts > 0 {
				b.ReportMetric(float64(calls)/float64(b.N*posts), "round-trips/post")
			}
		})
	}
}
