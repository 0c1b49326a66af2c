package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"time"
)

// A Change is one that was made for what it measures, with the function before
// it and after.
type Change struct {
	Date, What    string
	Commit        string // the last one that is in After, empty for a tree not committed
	Before, After side
}

type side struct {
	Cold   spread[time.Duration] // until the first answer
	Init   inits                 // before main
	Memory int64
	Zip    int64
}

// inits is what Go's package initializers allocate.
type inits struct{ Bytes, Allocations int64 }

const changesFile = "changes.jsonl"

func changes(_ context.Context, _ string, p *page) error {
	recorded, err := os.ReadFile(changesFile)
	if err != nil {
		return err
	}
	for decoder := json.NewDecoder(bytes.NewReader(recorded)); ; {
		var c Change
		if err := decoder.Decode(&c); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", changesFile, err)
		}
		p.Changes = append(p.Changes, c)
	}
}

// change measures superman as it was and as it is, in turns, and keeps the
// result.
func change(ctx context.Context, dir, before, after, what string) error {
	c := Change{Date: time.Now().UTC().Format(time.DateOnly), What: what}
	var both []contender
	for i, commit := range []string{before, after} {
		tree := root
		if commit != "" {
			tree = filepath.Join(dir, fmt.Sprint("tree", i))
			if _, err := command(ctx, root, nil, "git", "worktree", "add", "--detach", tree, commit); err != nil {
				return err
			}
			defer command(ctx, root, nil, "git", "worktree", "remove", "--force", tree)
		}
		s := []*side{&c.Before, &c.After}[i]
		b, err := zipped(ctx, tree, filepath.Join(dir, fmt.Sprint("zip", i)), "arm64", "superman")
		if err != nil {
			return err
		}
		s.Zip = b.Zip
		bootstrap := filepath.Join(dir, fmt.Sprint("bootstrap", i))
		if err := build(ctx, tree, goruntime.GOARCH, stripped, bootstrap, "./functions/superman"); err != nil {
			return err
		}
		if s.Init, err = initsOf(ctx, bootstrap); err != nil {
			return err
		}
		both = append(both, contender{cmp.Or(commit, "now"), "", bootstrap, superbotsEnv(), hasSettings})
	}
	if after != "" {
		hash, err := command(ctx, root, nil, "git", "rev-parse", "--short", after)
		if err != nil {
			return err
		}
		c.Commit = strings.TrimSpace(hash)
	}
	starts, err := race(ctx, both, rounds)
	if err != nil {
		return err
	}
	for i, s := range []*side{&c.Before, &c.After} {
		s.Cold, s.Memory = starts[i].Total, starts[i].Memory.Median
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	log.Printf("%s", line)
	file, err := os.OpenFile(changesFile, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}

// initsOf adds up what GODEBUG=inittrace=1 says of a function that finds no
// Lambda and ends.
func initsOf(ctx context.Context, bootstrap string) (sum inits, err error) {
	cmd := exec.CommandContext(ctx, bootstrap)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, _ := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, figures, ok := strings.Cut(line, " clock, "); ok && strings.HasPrefix(line, "init ") {
			var bytes, allocations int64
			if _, err := fmt.Sscanf(figures, "%d bytes, %d allocs", &bytes, &allocations); err != nil {
				return inits{}, fmt.Errorf("inittrace: %q: %w", line, err)
			}
			sum.Bytes += bytes
			sum.Allocations += allocations
		}
	}
	if sum.Allocations == 0 {
		return inits{}, fmt.Errorf("inittrace says nothing:\n%s", out)
	}
	return sum, nil
}
