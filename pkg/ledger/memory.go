package ledger

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Memory is a Store that is gone with the process. The zero Memory is empty.
type Memory struct {
	mu   sync.Mutex
	rows map[[2]string]Row // by bot and key
}

func (m *Memory) find(bot string, match func(Row) bool) []Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Row
	for k, r := range m.rows {
		if k[0] == bot && match(r) {
			found = append(found, r.clone())
		}
	}
	slices.SortFunc(found, func(a, b Row) int { return strings.Compare(a.Key, b.Key) })
	return found
}

// Open implements Store.
func (m *Memory) Open(_ context.Context, bot string) ([]Row, error) {
	return m.find(bot, func(r Row) bool { return r.Open }), nil
}

// All implements Store.
func (m *Memory) All(_ context.Context, bot string) ([]Row, error) {
	return m.find(bot, func(Row) bool { return true }), nil
}

// Rows implements Store.
func (m *Memory) Rows(_ context.Context, bot string, keys []string) ([]Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Row
	for _, key := range keys {
		if r, ok := m.rows[[2]string{bot, key}]; ok {
			found = append(found, r.clone())
		}
	}
	return found, nil
}

// Apply implements Store.
func (m *Memory) Apply(_ context.Context, bot string, rows []Row) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	conflict := false
	for _, r := range rows {
		switch old := m.rows[[2]string{bot, r.Key}]; {
		case old.By == r.By:
			return nil
		case old.Rev != r.Rev:
			conflict = true
		}
	}
	if conflict {
		return ErrConflict
	}
	if m.rows == nil {
		m.rows = make(map[[2]string]Row)
	}
	for _, r := range rows {
		r = r.clone()
		r.Rev++
		m.rows[[2]string{bot, r.Key}] = r
	}
	return nil
}
