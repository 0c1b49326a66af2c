package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// File is a Store in one file: a bucket for each bot, a JSON object for each
// row. Every call opens the file, holds its lock for one transaction and closes
// it again, so that functions that overlap, and a reader, share it. bbolt makes
// each transaction whole or nothing, also for a process that is killed.
//
// A call waits for the lock until its context's deadline, five seconds at most.
type File struct {
	path string
}

const (
	fileVersion = "1"
	lockWait    = 5 * time.Second
)

var versionBucket, versionKey = []byte("\x00superbots"), []byte("version")

// OpenFile checks the file at path, and makes it if there is none. Its folder
// must exist.
func OpenFile(path string) (*File, error) {
	f := &File{path}
	err := f.with(context.Background(), false, func(t *bbolt.Tx) error {
		meta, err := t.CreateBucketIfNotExists(versionBucket)
		if err != nil {
			return err
		}
		switch v := meta.Get(versionKey); string(v) {
		case fileVersion:
			return nil
		case "":
			return meta.Put(versionKey, []byte(fileVersion))
		default:
			return fmt.Errorf("it has version %q, and this program knows version %s", v, fileVersion)
		}
	})
	return f, err
}

func (f *File) with(ctx context.Context, read bool, do func(*bbolt.Tx) error) (err error) {
	wait := lockWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(deadline)), time.Millisecond)
	}
	defer func() {
		if err != nil && !errors.Is(err, ErrConflict) {
			err = fmt.Errorf("ledger file %q: %w", f.path, err)
		}
	}()
	db, err := bbolt.Open(f.path, 0o600, &bbolt.Options{Timeout: wait, ReadOnly: read})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if read {
		return db.View(do)
	}
	return db.Update(do)
}

// find returns the rows that match; keys nil stands for all.
func (f *File) find(ctx context.Context, bot string, keys []string, match func(Row) bool) (found []Row, err error) {
	err = f.with(ctx, true, func(t *bbolt.Tx) error {
		b := t.Bucket([]byte(bot))
		if b == nil {
			return nil
		}
		add := func(k, v []byte) error {
			if v == nil {
				return nil
			}
			var r Row
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("row %q: %w", k, err)
			}
			if match(r) {
				found = append(found, r)
			}
			return nil
		}
		if keys == nil {
			return b.ForEach(add)
		}
		for _, key := range keys {
			if err := add([]byte(key), b.Get([]byte(key))); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// Open implements Store.
func (f *File) Open(ctx context.Context, bot string) ([]Row, error) {
	return f.find(ctx, bot, nil, func(r Row) bool { return r.Open })
}

// All implements Store.
func (f *File) All(ctx context.Context, bot string) ([]Row, error) {
	return f.find(ctx, bot, nil, func(Row) bool { return true })
}

// Rows implements Store.
func (f *File) Rows(ctx context.Context, bot string, keys []string) ([]Row, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	return f.find(ctx, bot, keys, func(Row) bool { return true })
}

// Apply implements Store.
func (f *File) Apply(ctx context.Context, bot string, rows []Row) error {
	return f.with(ctx, false, func(t *bbolt.Tx) error {
		b, err := t.CreateBucketIfNotExists([]byte(bot))
		if err != nil {
			return err
		}
		conflict := false
		for _, r := range rows {
			var old Row
			if v := b.Get([]byte(r.Key)); v != nil {
				if err := json.Unmarshal(v, &old); err != nil {
					return fmt.Errorf("row %q: %w", r.Key, err)
				}
			}
			switch {
			case old.By == r.By:
				return nil
			case old.Rev != r.Rev:
				conflict = true
			}
		}
		if conflict {
			return ErrConflict
		}
		for _, r := range rows {
			r.Rev++
			v, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("row %q: %w", r.Key, err)
			}
			if err := b.Put([]byte(r.Key), v); err != nil {
				return fmt.Errorf("row %q: %w", r.Key, err)
			}
		}
		return nil
	})
}
