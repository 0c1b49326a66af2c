package config

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caarlos0/env/v11"
)

const (
	standardTTL      = 15 * time.Minute
	standardMaxStale = 6 * time.Hour

	// fetchLimit ends a read, the retries of the SDK included. A call takes
	// 40 to 220 ms; the rest is for two retries, and for a connection that
	// died while the function was frozen.
	fetchLimit = 5 * time.Second

	// minRest is what a caller must have left for a read to begin while an old
	// snapshot would do. The read gets half of it.
	minRest = time.Second

	// pause and up to a third of it more go by between a failed read and the
	// next one, while an old snapshot serves.
	pause = 30 * time.Second

	// coolDown is the time between two reads that Refresh forces: a key that
	// is really revoked costs one read a minute, however many callers notice.
	coolDown = time.Minute
)

// A Snapshot is what one read found. All callers share it: it never changes,
// and nobody may change what Value refers to.
type Snapshot[T any] struct {
	Value T

	// Generation counts the distinct contents of one Loader, from 1. A read
	// that finds the same versions and values keeps the snapshot, and only
	// makes it young again.
	Generation uint64

	// Versions has the version of each parameter, by the name that its
	// reference gives, with the selector and without the field. What comes
	// from Secrets Manager has version 0.
	Versions map[string]int64
}

// Status is what a Loader knows of itself, for logs and reports. It holds no
// value of a setting.
type Status struct {
	Age        time.Duration    // since the read that found or confirmed the snapshot began; 0 without one, or without references
	Generation uint64           // of the snapshot; 0 without one
	Versions   map[string]int64 // of the snapshot; read-only
	Stale      bool             // there is a snapshot, but the last read failed or CONFIG_TTL has gone by
	Reads      int              // reads of all parameters, failed ones included
	Calls      int              // GetParameters calls that the reads took
	LastError  error            // of the last read; nil if it succeeded
}

// A Loader reads the settings T and keeps them fresh. Its methods may be called
// by many goroutines at once. It starts no goroutine that outlives a call.
type Loader[T any] struct {
	store    ParameterStore
	bindings []binding
	names    []string // of the parameters, sorted, each once
	decode   func(resolved map[string]string) (T, []Problem)
	fixed    *T // by address, so that printing a Loader shows none of it
	ttl      time.Duration
	maxStale time.Duration
	clock    func() instant

	current atomic.Pointer[state[T]] // nil until the first read has ended
	reads   atomic.Int64
	calls   atomic.Int64

	mu     sync.Mutex
	flight *flight[T] // guarded by mu; the read under way, if any
	forced *instant   // guarded by mu; when Refresh last made a read that ended, or nil
}

// A state is what is known after a read. It never changes.
type state[T any] struct {
	snapshot *Snapshot[T]         // of the last read that succeeded, or nil
	dropped  bool                 // a lasting failure has put the snapshot out of use
	content  map[string]parameter // of the snapshot
	read     instant              // when that read began
	due      time.Duration        // the age at which Get reads again
	err      error                // of the last read
}

// A flight is a read that its callers share. The leader makes it; the others
// wait for done.
type flight[T any] struct {
	done     chan struct{}
	ended    bool // false: the leader gave up first, so another one must lead
	snapshot *Snapshot[T]
	err      error
}

// New checks environ, a list like that of os.Environ, against T and makes no
// call. T is a struct whose fields have the tags of
// github.com/caarlos0/env; variables that it does not name are not looked at.
//
// If T or *T has a method Check() []Problem, New calls it on the settings that
// Fixed returns, and each read calls it on what the read found. Of what it
// reports, problems of a variable that already has one are dropped, and in New
// those of variables that hold references. A rule across several fields must
// take a zero field for one that is not known yet. Its reasons must not quote
// values.
//
// What is wrong with the variables comes in one *Error; an error of another
// type means that T itself cannot be used. store may be nil if environ holds
// no references.
func New[T any](environ []string, store ParameterStore) (*Loader[T], error) {
	literals := env.ToMap(environ)
	ttl, problems := duration(literals, ttlVariable, standardTTL)
	maxStale, wrong := duration(literals, maxStaleVariable, standardMaxStale)
	problems = append(problems, wrong...)
	settings, wrong, err := readEnvironment[T](literals)
	if err != nil {
		return nil, err
	}
	problems = append(problems, wrong...)
	fixed, wrong := settings.decode(nil)
	problems = append(problems, wrong...)
	bindings := settings.order()
	if store == nil {
		for _, b := range bindings {
			problems = append(problems, Problem{Variable: b.variable, Reference: b.String(), Reason: "there is no parameter store"})
		}
	}
	if len(problems) > 0 {
		return nil, newError(problems)
	}

	l := newLoader(store, bindings, settings.decode)
	l.fixed, l.ttl, l.maxStale = &fixed, ttl, maxStale
	if len(l.names) == 0 {
		l.current.Store(&state[T]{snapshot: &Snapshot[T]{fixed, 1, map[string]int64{}}, read: l.clock(), due: math.MaxInt64})
	}
	return l, nil
}

func newLoader[T any](store ParameterStore, bindings []binding, decode func(map[string]string) (T, []Problem)) *Loader[T] {
	l := &Loader[T]{store: store, bindings: bindings, decode: decode, ttl: standardTTL, maxStale: standardMaxStale, clock: newClock()}
	for _, b := range bindings {
		l.names = append(l.names, b.name)
	}
	slices.Sort(l.names)
	l.names = slices.Compact(l.names)
	return l
}

// Fixed returns the settings that the environment itself holds, without a call.
// A field whose variable holds a reference is zero, even if it has a default.
// All callers share what the settings refer to: it is read-only.
func (l *Loader[T]) Fixed() T { return *l.fixed }

// Get returns the settings. While the snapshot is fresh that takes no lock and
// allocates nothing.
//
// A snapshot is due at the age of CONFIG_TTL × (0.8 + 0.2·u), with u drawn
// from [0,1) at each read, so that functions that started together do not ask
// together, and none is ever later than CONFIG_TTL. Get then reads all
// parameters, within five seconds; concurrent callers wait for that one read,
// each until its own ctx ends. Where an old snapshot may serve, the read takes
// at most half of the time that the ctx of its caller leaves, and a caller with
// less than a second left gets the old snapshot at once.
//
// What a failed read does depends on its reason:
//
//   - AWS throttles, fails or does not answer, or anything unknown happens: it
//     may pass. Get returns the old snapshot, up to CONFIG_MAX_STALE after its
//     read began, and reads again after a pause of 30 to 40 seconds.
//   - A value no longer decodes, or T's Check refuses it: somebody mistyped,
//     and the same holds.
//   - A parameter does not exist, or access or its key is denied: that is a
//     decision. Get returns the error, the old snapshot is put out of use, and
//     each next Get reads again.
//
// Without a snapshot that may serve, Get returns an *Error with all problems,
// and the next Get reads again at once. If ctx ends first, Get returns an error
// that wraps ctx.Err(). The snapshot is nil only if the error is not.
func (l *Loader[T]) Get(ctx context.Context) (*Snapshot[T], error) {
	if s := l.current.Load(); s != nil && l.clock().since(s.read) < s.due {
		return s.snapshot, nil
	}
	snapshot, err := l.read(ctx, false, func(s *state[T], now instant) bool {
		return now.since(s.read) < s.due || rest(ctx) < minRest
	})
	if snapshot != nil {
		return snapshot, nil
	}
	return nil, err
}

// Refresh reads again because the settings of generation failed do not work,
// as when a credential in them was refused. If the Generation of the snapshot
// it returns is another one, they have changed; if it is the same, they have
// not, and there is no point in another attempt with them.
//
// Refresh makes no call if the settings have already changed, or within a
// minute of the last read that a Refresh made. Concurrent callers share one
// read, and join one that Get has begun.
//
// After a failure that may pass, Refresh returns both the unchanged snapshot
// and the error: whether the settings have changed is not known. After one
// that lasts, or with no snapshot that may serve, it returns the error alone.
// Parameter Store promises no strong consistency: a read within seconds of a
// change may still find the old value.
func (l *Loader[T]) Refresh(ctx context.Context, failed uint64) (*Snapshot[T], error) {
	snapshot, err := l.read(ctx, true, func(s *state[T], now instant) bool {
		return s.snapshot.Generation != failed || len(l.names) == 0 ||
			l.forced != nil && now.since(*l.forced) < coolDown
	})
	if snapshot != nil && snapshot.Generation != failed {
		return snapshot, nil
	}
	return snapshot, err
}

// Status returns what is known now, and does not wait for a read under way.
func (l *Loader[T]) Status() Status {
	status := Status{Reads: int(l.reads.Load()), Calls: int(l.calls.Load())}
	s := l.current.Load()
	if s == nil {
		return status
	}
	status.LastError = s.err
	if s.snapshot == nil || s.dropped {
		return status
	}
	status.Generation = s.snapshot.Generation
	status.Versions = s.snapshot.Versions
	if len(l.names) > 0 {
		status.Age = l.clock().since(s.read)
		status.Stale = s.err != nil || status.Age >= l.ttl
	}
	return status
}

// read returns the current snapshot and the error of the last read if the
// snapshot is good enough, and else the outcome of a read that it makes or
// shares. It calls enough under l.mu, with a state that serves.
func (l *Loader[T]) read(ctx context.Context, forced bool, enough func(*state[T], instant) bool) (*Snapshot[T], error) {
	for {
		l.mu.Lock()
		s := l.current.Load()
		if now := l.clock(); l.serves(s, now) && enough(s, now) {
			l.mu.Unlock()
			return s.snapshot, s.err
		}
		if ctx.Err() != nil {
			l.mu.Unlock()
			return nil, gaveUp(ctx)
		}
		f := l.flight
		if f == nil {
			f = &flight[T]{done: make(chan struct{})}
			l.flight = f
			l.mu.Unlock()
			l.lead(ctx, forced, f)
			return f.snapshot, f.err
		}
		l.mu.Unlock()

		select {
		case <-ctx.Done():
			return nil, gaveUp(ctx)
		case <-f.done:
			if f.ended {
				return f.snapshot, f.err
			}
		}
	}
}

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("config: read parameters: %w", ctx.Err())
}

// lead makes the read of flight f, and lets the waiters go even if a method of
// T panics.
func (l *Loader[T]) lead(ctx context.Context, forced bool, f *flight[T]) {
	defer func() {
		l.mu.Lock()
		l.flight = nil
		if f.ended && forced {
			now := l.clock()
			l.forced = &now
		}
		l.mu.Unlock()
		close(f.done)
	}()

	began := l.clock()
	old := l.current.Load()
	limit := fetchLimit
	if l.serves(old, began) {
		limit = min(limit, rest(ctx)/2)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := fetch(limited, l.store, l.names)
	l.reads.Add(1)
	l.calls.Add(int64(r.calls))
	if len(r.failed) > 0 && ctx.Err() != nil {
		f.err = gaveUp(ctx)
		return
	}

	if old == nil {
		old = &state[T]{}
	}
	snapshot, err := l.build(r, old)
	if err == nil {
		due := time.Duration(float64(l.ttl) * (0.8 + 0.2*rand.Float64()))
		l.current.Store(&state[T]{snapshot: snapshot, content: r.found, read: began, due: due})
		f.snapshot, f.ended = snapshot, true
		return
	}
	f.snapshot, f.err = l.keep(r, old, err)
	f.ended = true
}

// build turns what was read into a snapshot, which is the old one if nothing
// has changed.
func (l *Loader[T]) build(r *reading, old *state[T]) (*Snapshot[T], error) {
	if maps.EqualFunc(r.found, old.content, parameter.equal) && len(r.failed) == 0 {
		return old.snapshot, nil
	}
	var problems []Problem
	resolved := map[string]string{}
	for _, b := range l.bindings {
		problem := Problem{Variable: b.variable, Reference: b.String()}
		if why, failed := r.failed[b.name]; failed {
			problem.Reason, problem.Err = why.reason, why.err
			problems = append(problems, problem)
			continue
		}
		value, err := pick(r.found[b.name].value.Reveal(), b.field)
		if err != nil {
			problem.Reason = err.Error()
			problems = append(problems, problem)
			continue
		}
		resolved[b.variable] = value
	}
	value, wrong := l.decode(resolved)
	if problems = append(problems, wrong...); len(problems) > 0 {
		return nil, newError(problems)
	}

	next := &Snapshot[T]{Value: value, Generation: 1, Versions: map[string]int64{}}
	if old.snapshot != nil {
		next.Generation = old.snapshot.Generation + 1
	}
	for name, p := range r.found {
		next.Versions[name] = p.version
	}
	return next, nil
}

// keep notes a failed read, and returns the old snapshot if it may still serve.
func (l *Loader[T]) keep(r *reading, old *state[T], err error) (*Snapshot[T], error) {
	next := *old
	next.err = err
	for _, why := range r.failed {
		next.dropped = next.dropped || why.lasting
	}
	now := l.clock()
	if next.dropped || next.snapshot == nil {
		next.due = 0
	} else {
		next.due = max(old.due, min(now.since(old.read)+pause+rand.N(pause/3), l.maxStale))
	}
	l.current.Store(&next)
	if !l.serves(&next, now) {
		return nil, err
	}
	return next.snapshot, err
}

// serves reports whether callers may have the snapshot of s, fresh or old.
func (l *Loader[T]) serves(s *state[T], now instant) bool {
	if s == nil || s.snapshot == nil || s.dropped {
		return false
	}
	age := now.since(s.read)
	return age < s.due || age <= l.maxStale
}

// rest returns the time that ctx leaves.
func rest(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return time.Until(deadline)
}

// An instant is one moment on two clocks. In a container that was frozen or
// restored either of them may be behind: the monotonic one may have stood
// still meanwhile, and the wall clock may have been set back.
type instant struct {
	wall time.Duration // since 1970
	mono time.Duration // since the clock was made
}

func newClock() func() instant {
	base := time.Now()
	return func() instant {
		now := time.Now()
		return instant{time.Duration(now.UnixNano()), now.Sub(base)}
	}
}

// since returns the time since earlier, by the clock that ran further.
func (i instant) since(earlier instant) time.Duration {
	return max(i.wall-earlier.wall, i.mono-earlier.mono)
}
