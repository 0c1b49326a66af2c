package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
)

func TestGetReads(t *testing.T) {
	const arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/shared"
	type refs struct {
		A    string `env:"A"`
		B    string `env:"B"`
		Same string `env:"SAME"`
		V1   string `env:"V1"`
		Live string `env:"LIVE"`
		SM   string `env:"SM"`
		ARN  string `env:"ARN"`
	}
	store := newStore("/x", `{"a":"1","b":"2"}`, "/x:1", "old", "/x:live", "alive", arn, "shared")
	store.values["/aws/reference/secretsmanager/db:AWSCURRENT"] = parameter{NewSecret("pw"), 0}
	store.put("/x", `{"a":"3","b":"4"}`)
	l := mustNew[refs](t, store, "A=ssm:/x#a", "B=ssm:/x#b", "SAME=ssm:/x#a", "V1=ssm:/x:1", "LIVE=ssm:/x:live",
		"SM=ssm:/aws/reference/secretsmanager/db:AWSCURRENT", "ARN=ssm:"+arn)

	got := mustGet(t, l)
	want := &Snapshot[refs]{
		Value:      refs{"3", "4", "3", "old", "alive", "pw", "shared"},
		Generation: 1,
		Versions:   map[string]int64{"/x": 2, "/x:1": 1, "/x:live": 1, "/aws/reference/secretsmanager/db:AWSCURRENT": 0, arn: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	asked := [][]string{{"/aws/reference/secretsmanager/db:AWSCURRENT", "/x", "/x:1", "/x:live", arn}}
	if !reflect.DeepEqual(store.asked, asked) {
		t.Errorf("asked for %q, want %q: each name once, in order", store.asked, asked)
	}
	if s := l.Status(); s.Reads != 1 || s.Calls != 1 || s.Generation != 1 || s.Stale || s.LastError != nil || !reflect.DeepEqual(s.Versions, want.Versions) {
		t.Errorf("Status = %+v, want one read of one call", s)
	}
}

func TestBatches(t *testing.T) {
	for _, test := range []struct{ names, calls, seconds int }{{1, 1, 1}, {4, 1, 1}, {10, 1, 1}, {11, 2, 1}, {35, 4, 2}, {100, 10, 4}} {
		t.Run(fmt.Sprint(test.names), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, bindings := manyParameters(test.names)
				store.delay = time.Second
				l := newLoader(store, bindings, func(resolved map[string]string) (int, []Problem) { return len(resolved), nil })
				begin := time.Now()
				got := mustGet(t, l)
				if got.Value != test.names || store.calls() != test.calls {
					t.Errorf("read %d values with %d calls, want %d with %d", got.Value, store.calls(), test.names, test.calls)
				}
				if took := time.Since(begin); took != time.Duration(test.seconds)*time.Second {
					t.Errorf("took %v, want %d s: three calls of a second at a time", took, test.seconds)
				}
			})
		})
	}
}

func manyParameters(n int) (*memoryStore, []binding) {
	store := newStore()
	var bindings []binding
	for i := range n {
		name := fmt.Sprintf("/p/%03d", i)
		store.put(name, "value")
		bindings = append(bindings, binding{name, reference{name, ""}})
	}
	return store, bindings
}

func TestFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const loaders = 200
		var early int // loaders that read again at nine tenths of the TTL
		for range loaders {
			store := newStore("/pair", pair("t", "s"))
			l := mustNew[settings](t, store, pairEnviron("CONFIG_TTL=1000s")...)
			first := mustGet(t, l)

			time.Sleep(799 * time.Second)
			mustGet(t, l)
			if got := store.calls(); got != 1 {
				t.Fatalf("%d calls before 0.8 TTL, want 1", got)
			}
			time.Sleep(101 * time.Second)
			mustGet(t, l)
			early += store.calls() - 1
			if store.calls() == 1 {
				time.Sleep(100 * time.Second)
			}
			if again := mustGet(t, l); again != first {
				t.Fatal("a read that found nothing new replaced the snapshot")
			}
			if got := store.calls(); got != 2 {
				t.Fatalf("%d calls at the TTL, want 2", got)
			}
		}
		if early < loaders/4 || early > loaders*3/4 {
			t.Errorf("%d of %d loaders read again before 0.9 TTL, want about half", early, loaders)
		}
	})
}

func TestGenerationCountsContents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t1", "s1"))
		l := mustNew[settings](t, store, pairEnviron()...)
		first := mustGet(t, l)
		time.Sleep(15 * time.Minute)
		if got := mustGet(t, l); got != first || l.Status().Age != 0 {
			t.Errorf("unchanged content: generation %d, age %v; want the same snapshot, young again", got.Generation, l.Status().Age)
		}
		store.put("/pair", pair("t2", "s2"))
		time.Sleep(15 * time.Minute)
		got := mustGet(t, l)
		if got.Generation != 2 || got.Versions["/pair"] != 2 || got.Value.Token.Reveal() != "t2" {
			t.Errorf("new content: %+v, want generation 2 with version 2", got)
		}
		if first.Value.Token.Reveal() != "t1" || first.Versions["/pair"] != 1 {
			t.Error("the old snapshot has changed under its holder")
		}
		// A secret of Secrets Manager changes without a version.
		store.values["/pair"] = parameter{NewSecret(pair("t3", "s3")), 2}
		time.Sleep(15 * time.Minute)
		if got := mustGet(t, l); got.Generation != 3 || got.Value.Token.Reveal() != "t3" {
			t.Errorf("new value of the same version: %+v, want generation 3", got)
		}
		store.put("/pair", pair("t3", "s3"))
		store.delay = time.Second
		time.Sleep(15 * time.Minute)
		if got := mustGet(t, l); got.Generation != 4 || got.Versions["/pair"] != 3 {
			t.Errorf("new version of the same value: %+v, want generation 4", got)
		}
		if got := l.Status().Age; got != time.Second {
			t.Errorf("age %v after a read of a second, want it to count from the beginning", got)
		}
	})
}

func TestOneReadInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, bindings := manyParameters(25)
		store.delay = time.Second
		l := newLoader(store, bindings, func(map[string]string) (int, []Problem) { return 0, nil })
		for round := 1; round <= 2; round++ {
			var callers sync.WaitGroup
			for range 64 {
				callers.Go(func() { tryGet(t, l) })
			}
			callers.Wait()
			if got := store.calls(); got != 3*round {
				t.Errorf("%d calls after %d rounds of 64 callers, want 3 a round for 25 names", got, round)
			}
			time.Sleep(15 * time.Minute)
		}
	})
}

func TestNoCallerSeesHalfAPair(t *testing.T) {
	store := newStore("/pair", pair("0", "0"))
	l := mustNew[settings](t, store, pairEnviron("CONFIG_TTL=1ns")...) // always due
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for i := range 100 {
				store.put("/pair", pair(fmt.Sprint(i), fmt.Sprint(i)))
				s, err := l.Get(t.Context())
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				if s.Value.Token.Reveal() != s.Value.Secret.Reveal() {
					t.Errorf("token %q with secret %q, want both of one read", s.Value.Token.Reveal(), s.Value.Secret.Reveal())
				}
				if _, err := l.Refresh(t.Context(), s.Generation); err != nil {
					t.Errorf("Refresh: %v", err)
				}
				if got := l.Status().Generation; got < s.Generation {
					t.Errorf("generation %d after %d, want it never to fall", got, s.Generation)
				}
			}
		})
	}
	callers.Wait()
}

func TestWaiterLeavesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t", "s"))
		store.delay = 4 * time.Second
		l := mustNew[settings](t, store, pairEnviron()...)
		go tryGet(t, l)
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := l.Get(ctx)
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("waiter returned %v after %v, want its deadline after 1 s", err, took)
		}
		mustGet(t, l)
		if got := store.calls(); got != 1 {
			t.Errorf("%d calls, want the one of the first caller", got)
		}
	})
}

func TestNextWaiterLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t", "s"))
		store.delay = 2 * time.Second
		l := mustNew[settings](t, store, pairEnviron()...)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := l.Get(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("leader got %v, want its cancellation", err)
			}
		})
		synctest.Wait()
		for range 10 {
			callers.Go(func() { tryGet(t, l) })
		}
		synctest.Wait()
		cancel()
		callers.Wait()
		if got := store.calls(); got != 2 {
			t.Errorf("%d calls, want one of the leader who left and one of the next", got)
		}
		if s := l.Status(); s.LastError != nil {
			t.Errorf("a caller that left counts as the failure %v", s.LastError)
		}
		if _, err := l.Get(ctx); err != nil {
			t.Errorf("a fresh snapshot was not handed to a caller whose ctx has ended: %v", err)
		}
	})
}

func TestPanicLetsWaitersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t", "s"))
		var broken atomic.Bool
		broken.Store(true)
		bindings := []binding{{"X", reference{"/pair", ""}}}
		l := newLoader(store, bindings, func(map[string]string) (int, []Problem) {
			if broken.Swap(false) {
				panic("a bug in T")
			}
			return 7, nil
		})
		func() {
			defer func() { recover() }()
			l.Get(t.Context())
			t.Error("the panic was swallowed")
		}()
		if got := mustGet(t, l).Value; got != 7 {
			t.Errorf("got %d after the panic, want 7", got)
		}
	})
}

// passing are failures that may pass, or that nobody has heard of.
var passing = map[string]error{
	"throttled":  errThrottled,
	"server":     &smithy.GenericAPIError{Code: "InternalServerError"},
	"unknown":    &smithy.GenericAPIError{Code: "SomethingNew"},
	"connection": errors.New("connection reset"),
	"time-out":   context.DeadlineExceeded,
}

func TestPassingFailure(t *testing.T) {
	for name, failure := range passing {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore("/pair", pair("t", "s"))
				l := mustNew[settings](t, store, pairEnviron("CONFIG_TTL=10m", "CONFIG_MAX_STALE=1h")...)
				first := mustGet(t, l)
				begin := time.Now()
				store.failWith(failure)

				time.Sleep(10 * time.Minute)
				if got := mustGet(t, l); got != first {
					t.Error("the old snapshot was not served")
				}
				if s := l.Status(); !s.Stale || !errors.Is(s.LastError, failure) || s.Age != 10*time.Minute || s.Generation != 1 || s.Reads != 2 {
					t.Errorf("Status = %+v, want a stale snapshot of ten minutes and the reason", s)
				}

				calls := store.calls()
				time.Sleep(pause - 1)
				mustGet(t, l)
				if got := store.calls(); got != calls {
					t.Errorf("read again within the pause")
				}
				time.Sleep(pause/3 + 1)
				mustGet(t, l)
				if got := store.calls(); got != calls+1 {
					t.Errorf("%d reads after the pause, want 1", got-calls)
				}

				time.Sleep(time.Until(begin.Add(time.Hour)))
				if got := mustGet(t, l); got != first {
					t.Error("the old snapshot was not served at CONFIG_MAX_STALE")
				}
				time.Sleep(time.Nanosecond)
				calls = store.calls()
				for range 2 {
					if s, err := l.Get(t.Context()); s != nil || !errors.Is(err, failure) {
						t.Errorf("Get = %v, %v past CONFIG_MAX_STALE, want the error alone", s, err)
					}
				}
				if got := store.calls() - calls; got != 2 {
					t.Errorf("%d reads past CONFIG_MAX_STALE, want one for each Get", got)
				}

				store.failWith(nil)
				if got := mustGet(t, l); got != first {
					t.Error("the same content came back as another snapshot")
				}
				if s := l.Status(); s.Stale || s.LastError != nil || s.Age != 0 {
					t.Errorf("Status = %+v after recovery, want fresh", s)
				}
			})
		})
	}
}

func TestFailureBeforeTheFirstSnapshot(t *testing.T) {
	store := newStore("/pair", pair("t", "s"))
	store.failWith(errThrottled)
	l := mustNew[settings](t, store, pairEnviron()...)
	if s := l.Status(); !reflect.DeepEqual(s, Status{}) {
		t.Errorf("Status = %+v before any read, want zero", s)
	}
	for range 2 {
		_, err := l.Get(t.Context())
		if got, want := problemsOf(t, err), "TOKEN (ssm:/pair#token): throttled\nSECRET (ssm:/pair#secret): throttled"; got != want {
			t.Errorf("problems:\n%s\nwant:\n%s", got, want)
		}
	}
	if s := l.Status(); s.Reads != 2 || s.LastError == nil || s.Stale || s.Generation != 0 {
		t.Errorf("Status = %+v, want two failed reads and nothing to be stale", s)
	}
	store.failWith(nil)
	mustGet(t, l)
}

func TestLastingFailure(t *testing.T) {
	gone := errors.New("stands for a parameter that is gone")
	for reason, failure := range map[string]error{
		"access denied":                     errDenied,
		"key is disabled or cannot be used": &smithy.GenericAPIError{Code: "InvalidKeyId"},
		"parameter not found":               gone,
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore("/pair", pair("t", "s"), "/limit", "5")
				l := mustNew[settings](t, store, pairEnviron("LIMIT=ssm:/limit")...)
				first := mustGet(t, l)

				kept := store.values["/pair"]
				if failure == gone {
					delete(store.values, "/pair")
				} else {
					store.fail = func(names []string) error {
						if slices.Contains(names, "/pair") {
							return failure
						}
						return nil
					}
				}
				time.Sleep(15 * time.Minute)
				for range 2 {
					s, err := l.Get(t.Context())
					want := "TOKEN (ssm:/pair#token): " + reason + "\nSECRET (ssm:/pair#secret): " + reason
					if got := problemsOf(t, err); s != nil || got != want {
						t.Errorf("Get = %v with problems:\n%s\nwant none of the snapshot, and:\n%s", s, got, want)
					}
				}
				if s := l.Status(); s.Reads != 3 || s.Generation != 0 || s.Stale || s.LastError == nil {
					t.Errorf("Status = %+v, want a read for each Get and no snapshot", s)
				}

				// A passing failure afterwards brings nothing back.
				store.failWith(errThrottled)
				if s, err := l.Get(t.Context()); s != nil || !strings.Contains(fmt.Sprint(err), "throttled") {
					t.Errorf("Get = %v, %v; want the error alone", s, err)
				}
				store.failWith(nil)
				store.values["/pair"] = kept
				if got := mustGet(t, l); got != first {
					t.Error("the same content came back as another snapshot")
				}
			})
		})
	}
}

func TestSlipKeepsTheOldSnapshotWhole(t *testing.T) {
	for name, slip := range map[string][2]string{
		"bad JSON":        {"/pair", `{"token":"t2","secret":"s2`},
		"a missing field": {"/pair", `{"token":"t2"}`},
		"a bad number":    {"/limit", "many"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore("/pair", pair("t1", "s1"), "/limit", "1", "/ignore", "1")
				l := mustNew[settings](t, store, pairEnviron("LIMIT=ssm:/limit", "IGNORE=ssm:/ignore")...)
				first := mustGet(t, l)

				store.put("/ignore", "1,2")
				store.put(slip[0], slip[1])
				time.Sleep(15 * time.Minute)
				if got := mustGet(t, l); got != first {
					t.Errorf("got %+v, want the old snapshot whole", got)
				}
				var all *Error
				if s := l.Status(); !s.Stale || !errors.As(s.LastError, &all) || s.Versions["/ignore"] != 1 {
					t.Errorf("Status = %+v, want a stale snapshot with its own versions and the reason", s)
				}
				mustGet(t, l)
				if got := store.calls(); got != 2 {
					t.Errorf("%d calls, want none within the pause", got)
				}
				time.Sleep(6 * time.Hour)
				if s, err := l.Get(t.Context()); s != nil || err == nil {
					t.Errorf("Get = %v, %v past CONFIG_MAX_STALE, want the error alone", s, err)
				}
				store.put("/pair", pair("t3", "s3"))
				store.put("/limit", "3")
				got := mustGet(t, l).Value
				want := settings{NewSecret("t3"), NewSecret("s3"), 3, []string{"1", "2"}}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		})
	}
}

func TestReadHasItsOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t", "s"))
		l := mustNew[settings](t, store, pairEnviron()...)
		first := mustGet(t, l)
		store.delay = time.Hour
		time.Sleep(15 * time.Minute)
		begin := time.Now()
		if got := mustGet(t, l); got != first || time.Since(begin) != fetchLimit {
			t.Errorf("got generation %d after %v, want the old snapshot after %v", got.Generation, time.Since(begin), fetchLimit)
		}
		if err := l.Status().LastError; !strings.Contains(fmt.Sprint(err), "no answer in time") {
			t.Errorf("LastError = %v, want no answer in time", err)
		}
	})
}

func TestReadTakesHalfOfTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t", "s"))
		l := mustNew[settings](t, store, pairEnviron()...)
		get := func() (*Snapshot[settings], time.Duration, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			begin := time.Now()
			s, err := l.Get(ctx)
			return s, time.Since(begin), err
		}
		store.delay = 2 * time.Second
		first, took, err := get()
		if err != nil || took != 2*time.Second {
			t.Errorf("without a snapshot: %v after %v, want the read of 2 s", err, took)
		}
		time.Sleep(15 * time.Minute)
		if got, took, err := get(); got != first || err != nil || took != 1500*time.Millisecond {
			t.Errorf("got %v, %v after %v; want the old snapshot after half of 3 s", got, err, took)
		}
		if got, took, err := get(); got != first || err != nil || took != 0 {
			t.Errorf("got %v, %v after %v; want the old snapshot at once, within the pause", got, err, took)
		}
	})
}

func TestShortDeadlineServesTheOldSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t", "s"))
		store.delay = minRest / 4
		l := mustNew[settings](t, store, pairEnviron("CONFIG_MAX_STALE=1h")...)
		get := func(left time.Duration) (*Snapshot[settings], error) {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			return l.Get(ctx)
		}
		first, err := get(minRest - 1)
		if err != nil {
			t.Fatalf("without a snapshot: %v, want a read", err)
		}
		time.Sleep(30 * time.Minute)
		if got, err := get(minRest - 1); got != first || err != nil || store.calls() != 1 {
			t.Errorf("got %v, %v with %d calls; want the old snapshot and no call", got, err, store.calls()-1)
		}
		if s := l.Status(); !s.Stale {
			t.Errorf("Status = %+v, want Stale past the TTL", s)
		}
		if _, err := get(minRest); err != nil || store.calls() != 2 {
			t.Errorf("with enough time: %v and %d calls, want a read", err, store.calls()-1)
		}
		time.Sleep(time.Hour + 1)
		if _, err := get(minRest - 1); err != nil || store.calls() != 3 {
			t.Errorf("past CONFIG_MAX_STALE: %v and %d calls, want a read", err, store.calls()-2)
		}
	})
}

func TestTheFurtherClockCounts(t *testing.T) {
	const ttl = 15 * time.Minute
	for _, test := range []struct {
		name       string
		wall, mono time.Duration // that go by after the first read
		age        time.Duration
		reads      int
	}{
		{"neither", 0, 0, 0, 1},
		{"both", ttl, ttl, 0, 2},
		{"frozen: the monotonic clock stood still", ttl, time.Second, 0, 2},
		{"restored: the wall clock stood still", time.Second, ttl, 0, 2},
		{"wall clock set back", -time.Hour, time.Minute, time.Minute, 1},
		{"wall clock set back, and due", -time.Hour, ttl, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := newStore("/pair", pair("t", "s"))
			l := mustNew[settings](t, store, pairEnviron()...)
			now := instant{20000 * 24 * time.Hour, 0}
			l.clock = func() instant { return now }
			mustGet(t, l)
			now.wall += test.wall
			now.mono += test.mono
			mustGet(t, l)
			if s := l.Status(); s.Age != test.age || s.Reads != test.reads {
				t.Errorf("age %v after %d reads, want %v after %d", s.Age, s.Reads, test.age, test.reads)
			}
		})
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newClock()
		first := clock()
		time.Sleep(90 * time.Second)
		second := clock()
		if got := second.wall - first.wall; got != 90*time.Second {
			t.Errorf("the wall clock went on by %v, want 90 s", got)
		}
		if got := second.mono - first.mono; got != 90*time.Second {
			t.Errorf("the monotonic clock went on by %v, want 90 s", got)
		}
	})
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t1", "s1"))
		l := mustNew[settings](t, store, pairEnviron()...)
		first := mustGet(t, l)
		refresh := func(failed, generation uint64, calls int) {
			t.Helper()
			before := store.calls()
			s, err := l.Refresh(t.Context(), failed)
			if err != nil {
				t.Fatalf("Refresh: %v", err)
			}
			if got := store.calls() - before; s.Generation != generation || got != calls {
				t.Errorf("Refresh(%d) = generation %d with %d calls, want generation %d with %d", failed, s.Generation, got, generation, calls)
			}
		}
		refresh(1, 1, 1) // nothing new
		store.put("/pair", pair("t2", "s2"))
		time.Sleep(coolDown - 1)
		refresh(1, 1, 0) // too soon
		time.Sleep(time.Nanosecond)
		refresh(1, 2, 1) // the new pair
		refresh(1, 2, 0) // known to others already
		refresh(2, 2, 0) // too soon
		if first.Value.Token.Reveal() != "t1" || mustGet(t, l).Value.Token.Reveal() != "t2" {
			t.Error("want t1 in the old snapshot and t2 in the new")
		}
		time.Sleep(10 * time.Minute)
		refresh(1, 2, 0) // known to others, though not fresh
		if _, err := l.Get(t.Context()); err != nil || store.calls() != 3 {
			t.Errorf("Get: %v with %d calls, want the snapshot that Refresh made young", err, store.calls())
		}
	})
}

func TestRefreshIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t1", "s1"))
		l := mustNew[settings](t, store, pairEnviron()...)
		mustGet(t, l)
		store.put("/pair", pair("t2", "s2"))
		store.delay = time.Second
		var callers sync.WaitGroup
		for range 64 {
			callers.Go(func() {
				if s, err := l.Refresh(t.Context(), 1); err != nil || s.Generation != 2 {
					t.Errorf("Refresh = %v, %v; want generation 2", s, err)
				}
			})
		}
		callers.Wait()
		if got := store.calls(); got != 2 {
			t.Errorf("%d calls, want one for 64 callers", got-1)
		}

		time.Sleep(15 * time.Minute)
		go tryGet(t, l)
		synctest.Wait()
		if s, err := l.Refresh(t.Context(), 2); err != nil || s.Generation != 2 || store.calls() != 3 {
			t.Errorf("Refresh = %v, %v with %d calls; want the outcome of the read of Get", s, err, store.calls()-2)
		}
	})
}

func TestRefreshFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t1", "s1"))
		l := mustNew[settings](t, store, pairEnviron("CONFIG_MAX_STALE=1h")...)
		if s, err := l.Refresh(t.Context(), 0); err != nil || s.Generation != 1 {
			t.Fatalf("Refresh before the first read = %v, %v; want generation 1", s, err)
		}
		first := mustGet(t, l)
		time.Sleep(coolDown)

		store.failWith(errThrottled)
		for range 2 { // the second within the cool-down, without a call
			if s, err := l.Refresh(t.Context(), 1); s != first || !errors.Is(err, errThrottled) {
				t.Errorf("Refresh = %v, %v; want the unchanged snapshot and the failure", s, err)
			}
		}
		if got := store.calls(); got != 2 {
			t.Errorf("%d calls, want one Refresh", got-1)
		}
		if s := l.Status(); !s.Stale || s.Age != coolDown {
			t.Errorf("Status = %+v, want a young snapshot that is stale, as nobody could confirm it", s)
		}
		time.Sleep(2 * pause)
		if got := mustGet(t, l); got != first || store.calls() != 2 {
			t.Error("Get does not serve the snapshot that is still fresh, or reads again")
		}
		if s, err := l.Refresh(t.Context(), 0); s != first || err != nil {
			t.Errorf("Refresh of another generation = %v, %v; want the snapshot alone", s, err)
		}
		time.Sleep(time.Hour)
		if s, err := l.Refresh(t.Context(), 0); s != nil || err == nil {
			t.Errorf("Refresh past CONFIG_MAX_STALE = %v, %v; want the error alone", s, err)
		}

		store.failWith(errDenied)
		if s, err := l.Refresh(t.Context(), 1); s != nil || !errors.Is(err, errDenied) {
			t.Errorf("Refresh = %v, %v; want the denial alone", s, err)
		}
		if s, err := l.Get(t.Context()); s != nil || err == nil {
			t.Errorf("Get = %v, %v after a denial, want the error alone", s, err)
		}
	})
}

func TestDenialAtTheInstantOfTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t", "s"))
		l := mustNew[settings](t, store, pairEnviron()...)
		mustGet(t, l)
		store.failWith(errDenied)
		l.Refresh(t.Context(), 1)
		if s, err := l.Get(t.Context()); s != nil || !errors.Is(err, errDenied) {
			t.Errorf("Get = %v, %v; want the denial alone", s, err)
		}
	})
}

func TestEndedContextMakesNoCall(t *testing.T) {
	store := newStore("/pair", pair("t", "s"))
	l := mustNew[settings](t, store, pairEnviron()...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Get(ctx); !errors.Is(err, context.Canceled) || store.calls() != 0 {
		t.Errorf("Get = %v with %d calls, want the cancellation and none", err, store.calls())
	}
}

func TestRefreshIgnoresTheLimitOnRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair("t1", "s1"))
		l := mustNew[settings](t, store, pairEnviron()...)
		mustGet(t, l)
		store.put("/pair", pair("t2", "s2"))
		ctx, cancel := context.WithTimeout(t.Context(), minRest/2)
		defer cancel()
		if s, err := l.Refresh(ctx, 1); err != nil || s.Generation != 2 {
			t.Errorf("Refresh = %v, %v; want generation 2: saying unchanged would be a guess", s, err)
		}
	})
}

func TestHitAllocatesNothing(t *testing.T) {
	l := mustNew[settings](t, newStore("/pair", pair("t", "s")), pairEnviron()...)
	mustGet(t, l)
	if got := testing.AllocsPerRun(100, func() { l.Get(t.Context()) }); got != 0 {
		t.Errorf("%v allocations for a hit, want 0", got)
	}
}

func TestParameter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/plain", "p1", "/pair:3", pair("t", "s"))
		for reference, want := range map[string]string{"/plain": "p1", "ssm:/plain": "p1", "/pair:3#secret": "s"} {
			if got, err := Parameter(store, reference).Get(t.Context()); err != nil || got.Reveal() != want {
				t.Errorf("Parameter(%q) = %q, %v; want %q", reference, got.Reveal(), err, want)
			}
		}
		v := Parameter(store, "/plain")
		v.Get(t.Context())
		store.put("/plain", "p2")
		time.Sleep(10 * time.Minute)
		if got, _ := v.Get(t.Context()); got.Reveal() != "p1" {
			t.Errorf("got %q after ten minutes, want p1", got.Reveal())
		}
		time.Sleep(5 * time.Minute)
		if got, _ := v.Get(t.Context()); got.Reveal() != "p2" {
			t.Errorf("got %q after 15 minutes, want p2", got.Reveal())
		}
		for reference, want := range map[string]string{
			"/none":    "config: ssm:/none: parameter not found",
			"/plain#x": "config: ssm:/plain#x: is not a JSON object",
			"/a b":     "config: the reference has no valid parameter name",
		} {
			if got, err := Parameter(store, reference).Get(t.Context()); err == nil || err.Error() != want || got.Reveal() != "" {
				t.Errorf("Parameter(%q) = %v; want %q", reference, err, want)
			}
		}
	})
}
