package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Store keeps rows by bot and key. Its three reads are strongly consistent,
// and all its methods may be called by many goroutines and processes at once.
//
// Apply writes all rows or none. A row is written only if the stored row has
// the revision that the new one names (0: there is no such row yet), and is
// stored with the next one. Otherwise the error is ErrConflict, unless what is
// stored was written by this same call (the same By): then an earlier try has
// succeeded, and only its answer was lost.
type Store interface {
	Open(ctx context.Context, bot string) ([]Row, error)                // the rows marked Open, in no order
	Rows(ctx context.Context, bot string, keys []string) ([]Row, error) // those of the keys that exist, in no order
	All(ctx context.Context, bot string) ([]Row, error)                 // everything, by key
	Apply(ctx context.Context, bot string, rows []Row) error
}

// MaxRows is the most rows that one Apply takes: DynamoDB's limit for a
// transaction
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
const MaxRows = 100

// ErrConflict says that somebody else wrote a row since it was read.
var ErrConflict = errors.New("the row was changed by another run")

// A Row is what a Store keeps under one key. Just one of Control, Post, Text
// and Gap is set.
type Row struct {
	Key     string `dynamodbav:"key" json:"key"`
	Rev     int64  `dynamodbav:"rev" json:"rev"`                             // what was read; the store counts on from it
	By      string `dynamodbav:"by" json:"by"`                               // the Apply that wrote it
	Open    bool   `dynamodbav:"-" json:"open,omitempty"`                    // something is still to be done with it
	Expires int64  `dynamodbav:"expires,omitempty" json:"expires,omitempty"` // Unix seconds after which it may be deleted; 0: never

	Control *Control `dynamodbav:"control,omitempty" json:"control,omitempty"`
	Post    *Post    `dynamodbav:"post,omitempty" json:"post,omitempty"`
	Text    *Text    `dynamodbav:"text,omitempty" json:"text,omitempty"`
	Gap     *Gap     `dynamodbav:"gap,omitempty" json:"gap,omitempty"`
}

// check refuses a row that no version of this package has written.
func (r Row) check() error {
	kind, _, _ := strings.Cut(r.Key, "#")
	has := map[string]bool{controlKey: r.Control != nil, "post": r.Post != nil, "text": r.Text != nil, "gap": r.Gap != nil}
	n := 0
	for _, set := range has {
		if set {
			n++
		}
	}
	switch {
	case n != 1 || !has[kind] || r.Rev < 1:
		return fmt.Errorf("row %q is none that this program wrote", r.Key)
	case r.Post != nil && !slices.Contains(states, r.Post.State):
		return fmt.Errorf("row %q has the unknown state %q", r.Key, r.Post.State)
	}
	return nil
}

func (r Row) clone() Row {
	if r.Control != nil {
		c := *r.Control
		c.Stops = maps.Clone(c.Stops)
		r.Control = &c
	}
	if r.Post != nil {
		p := *r.Post
		p.History = slices.Clip(p.History)
		r.Post = &p
	}
	return r
}

// A Text row holds a text for the one source post that may be posted as it.
type Text struct {
	Source uint64 `dynamodbav:"source" json:"source,string"`
}

// A Gap is a span of time that was never searched, because X no longer
// searches that far back.
type Gap struct {
	From time.Time `dynamodbav:"from" json:"from"`
	To   time.Time `dynamodbav:"to" json:"to"`
}
