// Package simulation proves the bots' protocol by living through it: the real
// runs and the real ledger, in a world where everything goes wrong that a seed
// can draw.
//
// The one idea: a history is a function of its seed. Clock, X, store and every
// crash are drawn from it, so a history that breaks an invariant breaks it
// again, with a trace to read:
//
//	go test ./integration/simulation -run Simulation -seed 4711
package simulation

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedsFlag = flag.Int("seeds", 0, "how many histories TestSimulation lives through; 0: 20,000, or 2,000 with -race")
	seedFlag  = flag.Int("seed", -1, "the one history that TestSimulation lives through, with its trace")
)

// each calls f for every seed below n, on all CPUs.
func each(t *testing.T, n int, f func(t *testing.T, seed uint64)) {
	var next atomic.Uint64
	t.Run("all", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for !t.Failed() {
					seed := next.Add(1) - 1
					if seed >= uint64(n) {
						return
					}
					f(t, seed)
				}
			})
		}
	})
}

// The first seeds stand guard over rules that were once wrong in pkg/bot: an
// unknown outcome ends a run's sending also while it looks up others (seed 0),
// refused keys end its searching (15), and what is older than a day (1) or by
// an author who has opted out (16) is not sent a second time.
func TestSimulation(t *testing.T) {
	if *seedFlag >= 0 {
		h := simulate(t, uint64(*seedFlag), options{trace: true})
		fmt.Println(strings.Join(h.trace, "\n"))
		if len(h.broken) > 0 {
			t.Errorf("seed %d:\n%s", *seedFlag, strings.Join(h.broken, "\n"))
		}
		return
	}
	n := *seedsFlag
	if n == 0 {
		n = 20_000
		if raceDetector {
			n = 2_000
		}
	}
	var mu sync.Mutex
	var hits [faults]int
	runs, posts := 0, 0
	start := time.Now()
	each(t, n, func(t *testing.T, seed uint64) {
		h := simulate(t, seed, options{})
		if len(h.broken) > 0 {
			t.Errorf("seed %d:\n%s\nreplay: go test ./integration/simulation -run Simulation -seed %d", seed, strings.Join(h.broken, "\n"), seed)
		}
		mu.Lock()
		defer mu.Unlock()
		for f := range faults {
			hits[f] += h.hits[f]
		}
		runs += h.runs
		posts += len(h.x.own[0]) + len(h.x.own[1])
	})
	if t.Failed() {
		return
	}
	t.Logf("%d histories, %.0f a second; %d runs, %d posts", n, float64(n)/time.Since(start).Seconds(), runs, posts)
	for f := range faults {
		t.Logf("%8d %s", hits[f], faultNames[f])
		if n >= 2_000 && hits[f] < 100 {
			t.Errorf("%s: struck %d times, want 100", faultNames[f], hits[f])
		}
	}
}

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // a history leaves much behind and keeps nothing
	m.Run()
}

func TestSameSeedSameHistory(t *testing.T) {
	each(t, 200, func(t *testing.T, seed uint64) {
		a, b := simulate(t, seed, options{}), simulate(t, seed, options{})
		if a.hash != b.hash {
			t.Errorf("seed %d: two histories", seed)
		}
	})
}
