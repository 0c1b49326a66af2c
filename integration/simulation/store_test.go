package simulation

import (
	"context"
	"errors"
	"time"

	"example.com/superbots/pkg/ledger"
)

// A store is one run's way to the ledger: it fails, and it watches.
type store struct{ r *run }

var (
	errThrottled = errors.New("throttled")
	errOutage    = errors.New("store is down")
	errLost      = errors.New("no answer to the write")
)

func (s store) before(ctx context.Context) error {
	r := s.r
	r.latency(crashBeforeStore)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.h.storeDown.holds(time.Now()):
		r.h.hit(storeOutage)
		return errOutage
	case r.strikes(storeThrottled):
		return errThrottled
	}
	return nil
}

func (s store) after() { s.r.latency(crashAfterStore) }

// Open implements ledger.Store.
func (s store) Open(ctx context.Context, bot string) ([]ledger.Row, error) {
	return s.read(ctx, bot, func() ([]ledger.Row, error) { return s.r.h.mem.Open(ctx, bot) })
}

// Rows implements ledger.Store.
func (s store) Rows(ctx context.Context, bot string, keys []string) ([]ledger.Row, error) {
	return s.read(ctx, bot, func() ([]ledger.Row, error) { return s.r.h.mem.Rows(ctx, bot, keys) })
}

// All implements ledger.Store.
func (s store) All(ctx context.Context, bot string) ([]ledger.Row, error) {
	return s.read(ctx, bot, func() ([]ledger.Row, error) { return s.r.h.mem.All(ctx, bot) })
}

func (s store) read(ctx context.Context, bot string, do func() ([]ledger.Row, error)) ([]ledger.Row, error) {
	if err := s.before(ctx); err != nil {
		return nil, err
	}
	rows, err := do()
	s.r.h.mu.Lock()
	s.r.read(bot, rows)
	s.r.h.mu.Unlock()
	s.after()
	if s.r.h.opt.mutant.rows != nil {
		rows = s.r.h.opt.mutant.rows(rows)
	}
	return rows, err
}

// Apply implements ledger.Store.
func (s store) Apply(ctx context.Context, bot string, rows []ledger.Row) error {
	if split := s.r.h.opt.mutant.apply; split != nil {
		return split(s, ctx, bot, rows)
	}
	return s.apply(ctx, bot, rows)
}

func (s store) apply(ctx context.Context, bot string, rows []ledger.Row) error {
	if err := s.before(ctx); err != nil {
		return err
	}
	h := s.r.h
	h.mu.Lock()
	err := h.mem.Apply(ctx, bot, rows)
	if err == nil {
		s.r.wrote(bot, rows)
	}
	h.mu.Unlock()
	lost := err == nil && s.r.strikes(writeAnswerLost)
	s.after()
	if lost {
		return errLost
	}
	return err
}
