package page

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"example.com/superbots/pkg/ledger"
)

// forget keeps a world that never ends from growing: what is older than the
// posts of the page leaves X, and the ledger when it has ended. So X's search
// goes back as far as the page does, and who says the same thing later is posted
// again. As long as a bot does not know whether a post is out, everything since
// is kept, for the bot will look it up. A world that ends, a replay, is kept whole.
//
// It works in batches. p.mu is held, and no run is under way.
func (p *Playground) forget() error {
	shown := p.feed.limits["said"]
	if !p.people || len(p.said) < shown+shown/10 {
		return nil
	}
	p.said = slices.Clone(p.said[len(p.said)-shown:])
	before := p.said[0]
	for _, b := range p.bots {
		if unsure := p.unsure[b.Name]; unsure != 0 {
			before = min(before, unsure)
		}
	}
	p.cloud.X.Forget(before)
	for _, b := range p.bots {
		if err := expire(strings.TrimPrefix(p.cloud.Ledger, "file:"), b.Name, before); err != nil {
			return fmt.Errorf("forgetting what %s has done: %w", b.Name, err)
		}
	}
	return nil
}

// expire deletes a bot's ended rows, and the texts that they hold, from a ledger
// file: those of whose source and post neither has an id from before on. In AWS
// the table deletes ended rows by itself after 35 days; a [ledger.File] keeps all.
func expire(path, bot string, before uint64) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(t *bbolt.Tx) error {
		b := t.Bucket([]byte(bot))
		if b == nil {
			return nil
		}
		var old [][]byte
		sources := make(map[uint64]bool) // of old rows; texts come after posts
		err := b.ForEach(func(key, value []byte) error {
			var r ledger.Row
			if err := json.Unmarshal(value, &r); err != nil {
				return fmt.Errorf("row %q: %w", key, err)
			}
			switch {
			case r.Post != nil && !r.Open && max(r.Post.ID, r.Post.PostedID) < before:
				old, sources[r.Post.ID] = append(old, key), true
			case r.Text != nil && sources[r.Text.Source]:
				old = append(old, key)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, key := range old {
			if err := b.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}
