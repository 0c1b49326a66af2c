package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/rewrite"
)

// A benchmark is one line of go test -bench: its name without the number of
// processors, and its figures by unit.
type benchmark struct {
	Name string
	Per  map[string]float64
}

// goBench runs the benchmarks of a package whose names match.
func goBench(ctx context.Context, pkg, pattern, time string) ([]benchmark, error) {
	out, err := command(ctx, root, nil, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", time, pkg)
	if err != nil {
		return nil, err
	}
	var all []benchmark
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if dash := strings.LastIndexByte(name, '-'); dash > 0 {
			name = name[:dash]
		}
		b := benchmark{name, make(map[string]float64)}
		for i := 2; i+1 < len(f); i += 2 {
			if b.Per[f[i+1]], err = strconv.ParseFloat(f[i], 64); err != nil {
				return nil, err
			}
		}
		all = append(all, b)
		log.Print(lines.Text())
	}
	return all, nil
}

// wholeRun takes runs of the real binary against moto and the local X. Without
// moto, which make setup installs, there are none.
func wholeRun(ctx context.Context, _ string, p *page) (err error) {
	if _, err := os.Stat(filepath.Join(root, "integration/moto/.venv")); err != nil {
		log.Print("moto is not installed (make setup), so there are no whole runs")
		p.Missing = append(p.Missing, "moto")
		return nil
	}
	p.Runs, err = goBench(ctx, "./integration/reliability", "^BenchmarkRun$", "30x")
	return err
}

// localPage takes the page of make run in Chromium. Without it there is nothing.
func localPage(ctx context.Context, _ string, p *page) (err error) {
	installed := func(name string) bool { _, err := exec.LookPath(name); return err == nil }
	if !slices.ContainsFunc([]string{"chromium", "chromium-browser", "google-chrome"}, installed) {
		log.Print("Chromium is not installed, so the page is not measured")
		p.Missing = append(p.Missing, "Chromium")
		return nil
	}
	p.Page, err = goBench(ctx, "./integration/page", ".", "20x")
	return err
}

func benchmarks(ctx context.Context, _ string, p *page) error {
	for _, b := range []struct{ pkg, pattern string }{
		{"./pkg/config", "."},
		{"./pkg/twitter", "."},
		{"./pkg/rewrite", "."},
	} {
		list, err := goBench(ctx, b.pkg, b.pattern, "1s")
		if err != nil {
			return err
		}
		p.Benchmarks = append(p.Benchmarks, list...)
	}
	return corpus(p)
}

// A corpusRate is how fast Superman rewrites the posts that dev replays.
type corpusRate struct {
	Posts, Rewritten int
	MBPerSecond      float64
	PerPost          time.Duration
	Allocations      float64 // for each post
}

func corpus(p *page) error {
	file, err := os.Open(filepath.Join(root, "cmd/superbots/posts.jsonl"))
	if err != nil {
		return err
	}
	defer file.Close()
	var texts []string
	bytes := 0
	for decoder := json.NewDecoder(file); decoder.More(); {
		var post struct{ Text string }
		if err := decoder.Decode(&post); err != nil {
			return err
		}
		texts = append(texts, post.Text)
		bytes += len(post.Text)
	}
	rewritten := 0
	for _, text := range texts {
		if _, reason := functions.Superman.Rewrite(text, rewrite.Drop); reason == "" {
			rewritten++
		}
	}
	everyPost := func() {
		for _, text := range texts {
			functions.Superman.Rewrite(text, rewrite.Drop)
		}
	}
	all, posts := nanoseconds(everyPost, 100), float64(len(texts))
	p.Corpus = corpusRate{len(texts), rewritten, float64(bytes) / all * 1e3, time.Duration(all / posts), testing.AllocsPerRun(10, everyPost) / posts}
	return nil
}
