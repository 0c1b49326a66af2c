// Package guard_test holds what docs/performance.md measures and what does not
// depend on the machine: what is linked into the functions, how many bytes they
// are, what they allocate, and what they call. Whoever raises a number here does
// so knowingly.
package guard_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
)

var update = flag.Bool("update", false, "write linked.txt anew")

const root = "../.."

func output(t *testing.T, environ []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), environ...)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, problem.String())
	}
	return string(out)
}

// linked.txt lists what a function consists of beside Go's own packages.
func TestLinkedPackages(t *testing.T) {
	var all []string
	for _, bot := range functions.All {
		list := strings.Fields(output(t, []string{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"}, "go", "list", "-deps", "-tags", "lambda.norpc",
			"-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./functions/"+bot.Name))
		list = slices.DeleteFunc(list, func(path string) bool { return path == "example.com/superbots/functions/"+bot.Name })
		slices.Sort(list)
		if all == nil {
			all = list
		}
		if !slices.Equal(list, all) {
			t.Errorf("%s has other packages than %s", bot.Name, functions.All[0].Name)
		}
	}
	if *update {
		if err := os.WriteFile("linked.txt", []byte(strings.Join(all, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("linked.txt")
	if err != nil {
		t.Fatal(err)
	}
	held := strings.Fields(string(text))
	for _, path := range all {
		if !slices.Contains(held, path) {
			t.Errorf("%s is linked in and not in linked.txt: go test ./integration/guard -update", path)
		}
	}
	for _, path := range held {
		if !slices.Contains(all, path) {
			t.Errorf("%s is in linked.txt and no longer linked in: go test ./integration/guard -update", path)
		}
	}
}

func TestBytes(t *testing.T) {
	for _, arch := range []string{"arm64", "amd64"} {
		t.Run(arch, func(t *testing.T) {
			dist := t.TempDir()
			output(t, nil, "make", "-s", "build", "GOARCH="+arch, "DIST="+dist)
			for _, bot := range functions.All {
				if n := bytes(t, dist, bot.Name, "bootstrap"); n > maxBinary {
					t.Errorf("%s: a binary of %d bytes, held to %d", bot.Name, n, maxBinary)
				}
				if n := bytes(t, dist, bot.Name+".zip"); n > maxZip {
					t.Errorf("%s: a zip of %d bytes, held to %d", bot.Name, n, maxZip)
				}
			}
		})
	}
}

func bytes(t *testing.T, path ...string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// What package initializers allocate is paid at every cold start, before main.
func TestBeforeMain(t *testing.T) {
	bin := t.TempDir()
	if err := local.Build(t.Context(), root, bin, functions.All[:1]); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, functions.All[0].Name, "bootstrap"))
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, _ := cmd.CombinedOutput() // it finds no settings, and ends
	sum := 0
	for line := range strings.Lines(string(out)) {
		_, figures, ok := strings.Cut(line, " clock, ")
		n := 0
		if _, err := fmt.Sscanf(figures, "%d bytes", &n); ok && err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if sum += n; n > maxPackageInit {
			t.Errorf("one package allocates more than %d bytes: %s", maxPackageInit, line)
		}
	}
	if sum == 0 || sum > maxInit {
		t.Errorf("%d bytes are allocated before main, held to %d", sum, maxInit)
	}
}

// A start reads all parameters in one call; what follows reads none and opens
// no connection.
func TestCallsAndConnections(t *testing.T) {
	dir := t.TempDir()
	bots := functions.All[:1]
	if err := local.Build(t.Context(), root, dir, bots); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	calls, connections := make(map[string]int), make(map[string]map[string]bool)
	cloud, err := local.Start(local.Options{
		Bots: bots, Bin: dir, Dir: dir,
		Wrap: func(service string, h http.Handler) http.Handler {
			connections[service] = make(map[string]bool)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				calls[service]++
				connections[service][r.RemoteAddr] = true
				mu.Unlock()
				h.ServeHTTP(w, r)
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	const runs = 5
	for range runs {
		run, err := cloud.Tick(t.Context(), bots[0].Name)
		if err != nil || run.FunctionError != "" {
			t.Fatalf("error %v, %s", err, run.ErrorMessage)
		}
	}
	for service, want := range map[string]int{"parameters": 1, "x": runs} {
		if calls[service] != want || len(connections[service]) != 1 {
			t.Errorf("%d runs: %d calls to %s on %d connections, want %d calls on one", runs, calls[service], service, len(connections[service]), want)
		}
	}
}
