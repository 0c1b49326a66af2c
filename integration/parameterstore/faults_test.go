package parameterstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	. "example.com/superbots/integration/faultproxy"
)

// through returns a client that calls the proxy, up to attempts times for one
// call of its user.
func through(p *Proxy, attempts int) *ssm.Client {
	return ssm.New(ssm.Options{
		Region:       "us-east-1",
		BaseEndpoint: &p.URL,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:   p.Client(),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.MaxBackoff = time.Millisecond
		}),
	})
}

// eachProxy runs test behind a proxy to each stand-in that has what seed makes.
// Where it says so, test is in a bubble of package synctest: the network works
// in there, and the clock stands still meanwhile.
func eachProxy(t *testing.T, bubble bool, test func(t *testing.T, s *script, p *Proxy)) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		s := newScript(t, b)
		s.seed()
		p := New(b.url, nil)
		defer p.Close()
		if !bubble {
			test(t, s, p)
			return
		}
		synctest.Test(t, func(t *testing.T) {
			inside := *s
			inside.T, inside.Client = t, b.client()
			test(t, &inside, p)
		})
	})
}

// reasons are what pkg/config says of each fault that is there at every
// attempt.
var reasons = map[Fault]string{
	Refuse:   "no answer: no connection or no credentials",
	Reset:    "no answer: no connection or no credentials",
	Truncate: "the answer is broken",
	Throttle: "throttled",
	Fail:     "the call failed (InternalServerError)",
}

// attempts is how often the SDK makes a call that meets a fault each time. It
// takes half an answer for an answer.
func attempts(fault Fault) int {
	if fault == Truncate {
		return 1
	}
	return 3
}

const (
	firstPair  = "first token, first secret, 3, [1 2 3]"
	secondPair = "second token, second secret, 3, [1 2 3]"
)

func TestTheSDKTriesAgain(t *testing.T) {
	eachProxy(t, false, func(t *testing.T, s *script, p *Proxy) {
		for _, fault := range Quick {
			if attempts(fault) == 1 {
				continue
			}
			before := p.Calls()
			p.Then(fault, fault)
			l := load[settings](t, through(p, 3), s.environ()...)
			if got := reveal(get(t, l).Value); got != firstPair {
				t.Errorf("%s: got %s", fault, got)
			}
			if calls, status := p.Calls()-before, l.Status(); calls != 3 || status.Calls != 1 || status.Reads != 1 {
				t.Errorf("%s: %d calls on the wire, %d in %d reads by the status; want 3, and 1 in 1", fault, calls, status.Calls, status.Reads)
			}
		}
	})
}

func TestNoSnapshotAndNoAnswer(t *testing.T) {
	eachProxy(t, false, func(t *testing.T, s *script, p *Proxy) {
		for _, fault := range Quick {
			l := load[settings](t, through(p, 3), s.environ()...)
			before := p.Calls()
			p.Then(slices.Repeat([]Fault{fault}, attempts(fault))...)
			_, err := l.Get(t.Context())
			if err == nil || strings.Count(err.Error(), reasons[fault]) != 3 {
				t.Errorf("%s: got the error %v, want %q for each of three variables", fault, err, reasons[fault])
			}
			if calls := p.Calls() - before; calls != attempts(fault) {
				t.Errorf("%s: %d calls, want %d", fault, calls, attempts(fault))
			}
			if got := reveal(get(t, l).Value); got != firstPair {
				t.Errorf("%s: the next Get: got %s", fault, got)
			}
			if status := l.Status(); status.Reads != 2 || status.LastError != nil {
				t.Errorf("%s: got %d reads and the last error %v, want 2 and none", fault, status.Reads, status.LastError)
			}
		}
	})
}

func TestAnOldSnapshotServesAndIsReplaced(t *testing.T) {
	eachProxy(t, true, func(t *testing.T, s *script, p *Proxy) {
		l := load[settings](t, through(p, 1), s.environ("CONFIG_TTL=15m", "CONFIG_MAX_STALE=6h")...)
		get(t, l)
		for i, fault := range Quick {
			s.rotate(fmt.Sprint(fault))
			old := reveal(get(t, l).Value)

			time.Sleep(15 * time.Minute)
			before := p.Calls()
			p.Then(fault)
			if got := reveal(get(t, l).Value); got != old {
				t.Errorf("%s: got %s, want the old %s", fault, got, old)
			}
			status := l.Status()
			if !status.Stale || status.LastError == nil || !strings.Contains(status.LastError.Error(), reasons[fault]) {
				t.Errorf("%s: stale %t, last error %v; want true and %q", fault, status.Stale, status.LastError, reasons[fault])
			}
			time.Sleep(29 * time.Second)
			get(t, l)
			if calls := p.Calls() - before; calls != 1 {
				t.Errorf("%s: %d calls within 29 s, want only the one that failed", fault, calls)
			}

			time.Sleep(11 * time.Second)
			fresh := get(t, l)
			if got, want := fresh.Value.Token.Reveal(), string(fault)+" token"; got != want || fresh.Generation != uint64(i+2) {
				t.Errorf("%s: 40 s later, got %q, generation %d; want %q, %d", fault, got, fresh.Generation, want, i+2)
			}
			if status := l.Status(); status.Stale || status.LastError != nil {
				t.Errorf("%s: 40 s later, stale %t, last error %v", fault, status.Stale, status.LastError)
			}
		}
	})
}

func TestAnOldSnapshotServesNoLongerThanItMay(t *testing.T) {
	eachProxy(t, true, func(t *testing.T, s *script, p *Proxy) {
		l := load[settings](t, through(p, 1), s.environ("CONFIG_TTL=15m", "CONFIG_MAX_STALE=1h")...)
		get(t, l)
		p.Then(Throttle, Reset, Refuse)
		time.Sleep(time.Hour)
		if got := reveal(get(t, l).Value); got != firstPair {
			t.Errorf("after an hour, got %s, want the old %s", got, firstPair)
		}
		for range 2 {
			time.Sleep(time.Nanosecond)
			if snapshot, err := l.Get(t.Context()); snapshot != nil || err == nil {
				t.Errorf("after more than an hour, got %v and %v, want an error", snapshot, err)
			}
		}
		if got := reveal(get(t, l).Value); got != firstPair {
			t.Errorf("with Parameter Store back, got %s", got)
		}
	})
}

func TestARefreshThatFails(t *testing.T) {
	eachProxy(t, true, func(t *testing.T, s *script, p *Proxy) {
		l := load[settings](t, through(p, 1), s.environ()...)
		old := get(t, l)
		s.rotate("second")
		for _, fault := range Quick {
			p.Then(fault)
			snapshot, err := l.Refresh(t.Context(), old.Generation)
			if snapshot != old || err == nil || !strings.Contains(err.Error(), reasons[fault]) {
				t.Errorf("%s: got the old snapshot %t and the error %v; want both, with %q", fault, snapshot == old, err, reasons[fault])
			}
			time.Sleep(time.Minute)
		}
		fresh, err := l.Refresh(t.Context(), old.Generation)
		if err != nil {
			t.Fatal(err)
		}
		if got := reveal(fresh.Value); got != secondPair {
			t.Errorf("in the end, got %s, want %s", got, secondPair)
		}
	})
}

func TestSlownessEndsWithTheCaller(t *testing.T) {
	eachProxy(t, false, func(t *testing.T, s *script, p *Proxy) {
		l := load[settings](t, through(p, 3), s.environ("CONFIG_TTL=1ns")...)
		p.Then(Slow, Pass, Slow)
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if snapshot, err := l.Get(short); snapshot != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a snapshot, got %v and %v, want an error with the deadline's", snapshot, err)
		}

		get(t, l)
		s.rotate("second")
		// A read may have half of what is left: the caller is not cut off.
		long, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		snapshot, err := l.Get(long)
		if err != nil || reveal(snapshot.Value) != firstPair || long.Err() != nil {
			t.Errorf("with a snapshot, got %v and %v, the caller %v; want the old one in time", snapshot, err, long.Err())
		}
		if reason := l.Status().LastError; reason == nil || !strings.Contains(reason.Error(), "no answer in time") {
			t.Errorf("the last error is %v, want no answer in time", reason)
		}
		if calls := p.Calls(); calls != 3 {
			t.Errorf("%d calls, want 3: one that is cut is not made again", calls)
		}
	})
}

// TestStorm loads again and again through random faults. Whatever comes is a
// whole pair or an error, and the same seed gives the same story.
func TestStorm(t *testing.T) {
	eachProxy(t, false, func(t *testing.T, s *script, p *Proxy) {
		story := func(seed uint64) string {
			var told strings.Builder
			before := p.Calls()
			p.Then(Random(seed, 60)...)
			for p.Calls()-before < 60 {
				l := load[settings](t, through(p, 2), s.environ()...)
				snapshot, err := l.Get(t.Context())
				switch {
				case err != nil:
					fmt.Fprintln(&told, p.Calls()-before, err)
				case reveal(snapshot.Value) != firstPair:
					t.Fatalf("seed %d: got %s", seed, reveal(snapshot.Value))
				default:
					fmt.Fprintln(&told, p.Calls()-before, "all")
				}
			}
			return told.String()
		}
		for seed := range uint64(2) {
			first := story(seed)
			if again := story(seed); again != first {
				t.Errorf("seed %d: got first\n%sand then\n%s", seed, first, again)
			}
			if !strings.Contains(first, "all") || !strings.Contains(first, "throttled") {
				t.Errorf("seed %d: no storm:\n%s", seed, first)
			}
		}
	})
}
