// Command bench measures what a scheduled function pays for, beside what
// people use instead, in one run on this machine, and writes what it measured
// to docs/performance.md and docs/performance.svg. From the repository's root:
//
//	make bench
//
// With -before it measures one change instead and keeps the result: the
// function as it was at a commit, and as it is now (or was at -after).
//
//	cd integration/bench && go run . -before main~1 -what "one sentence"
//
// Everything is on loopback without TLS, so that what tells is the number of
// calls that wait for each other, and what each program does around them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	delay  = 10 * time.Millisecond // of each call to Parameter Store: a near Region, at best
	rounds = 41                    // of each cold start, taking turns
)

func main() {
	log.SetFlags(0)
	before := flag.String("before", "", "measure a change: the function at this `commit` ...")
	after := flag.String("after", "", "... and at this one, instead of now")
	what := flag.String("what", "", "the change, in a sentence")
	flag.Parse()
	if flag.NArg() > 0 || (*before == "") != (*what == "") {
		flag.Usage()
		os.Exit(2)
	}
	likeLambda()
	dir, err := os.MkdirTemp("", "superbots-bench-")
	check(err)
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if *before != "" {
		check(change(ctx, dir, *before, *after, *what))
		return
	}
	check(measure(ctx, dir))
}

// measure fills the page, from one section to the next.
func measure(ctx context.Context, dir string) error {
	p := page{
		Date: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(),
		Machine: fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()), Load: load(),
		Delay: delay, Rounds: rounds,
	}
	for _, section := range []struct {
		name string
		fill func(ctx context.Context, dir string, p *page) error
	}{
		{"size", size},
		{"cold start", cold},
		{"reading in one process", inProcess},
		{"whole run", wholeRun},
		{"the local page", localPage},
		{"benchmarks", benchmarks},
		{"changes", changes},
	} {
		log.Printf("== %s", section.name)
		if err := section.fill(ctx, dir, &p); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	return p.write(filepath.Join(root, "docs"))
}

const root = "../.."

// load is how busy the machine is, as Linux tells it; empty elsewhere.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// likeLambda leaves of the AWS variables of this machine none, and sets those
// that a function finds.
func likeLambda() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		os.Setenv(name, "dummy")
	}
	os.Setenv("AWS_REGION", "eu-west-1")
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// command runs a program in dir and returns what it wrote.
func command(ctx context.Context, dir string, environ []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return string(out), nil
}

// build compiles a package the way make build does.
func build(ctx context.Context, dir, arch, ldflags, out, pkg string) error {
	_, err := command(ctx, dir, []string{"GOOS=linux", "GOARCH=" + arch, "CGO_ENABLED=0"}, "go", "build",
		"-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", ldflags, "-o", out, pkg)
	return err
}

const stripped = "-s -w -buildid="

// A spread is what repeated measurements came to.
type spread[T ~int64] struct{ Median, P10, P90 T }

func spreadOf[T ~int64](all []T) spread[T] {
	all = slices.Sorted(slices.Values(all))
	return spread[T]{all[len(all)/2], all[len(all)/10], all[len(all)-1-len(all)/10]}
}
