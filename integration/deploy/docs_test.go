package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/superbots/functions"
)

var fence = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestCommandsOfTheDocs does what docs/deploy.md says, against moto, from an
// empty account to an empty account.
func TestCommandsOfTheDocs(t *testing.T) {
	c := newCloud(t, "docs")
	dir := build(t)
	folder := "integration/deploy"
	modules := filepath.Dir(tool(t, "osls"))
	copied := filepath.Join(dir, folder, "node_modules")
	if err := os.MkdirAll(copied, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package-lock.json", "check.mjs"} {
		service{dir}.write(t, filepath.Join(folder, name), read(t, filepath.Join(root, folder, name)))
	}
	entries, err := os.ReadDir(modules)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == ".installed" {
			continue
		}
		if err := os.Symlink(filepath.Join(modules, e.Name()), filepath.Join(copied, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	service{dir}.write(t, filepath.Join(folder, "node_modules/.installed"), "")

	run := 0
	for _, block := range fence.FindAllStringSubmatch(read(t, filepath.Join(root, "docs/deploy.md")), -1) {
		commands := block[1]
		if strings.HasPrefix(commands, "# Not run: ") {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), c.env()...)
		cmd.Env = append(cmd.Env, "PATH="+filepath.Join(root, "integration/moto/.venv/bin")+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", commands, err, out)
		}
		run++
		if strings.Contains(commands, "scheduled=true") && strings.Count(string(out), "rate(10 minutes)\tENABLED") != len(functions.All) {
			t.Errorf("%s\n%s\nwant every bot's rule to be ENABLED", commands, out)
		}
	}
	if run < 8 {
		t.Errorf("only %d blocks of commands were run", run)
	}
	if left := c.inventory(t).Resources; len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// The workflow can do no more than it must, and what it runs is pinned.
func TestWorkflow(t *testing.T) {
	text := read(t, filepath.Join(root, ".github/workflows/ci.yml"))
	uses := regexp.MustCompile(`(?m)^ *- uses: (.*)$`).FindAllStringSubmatch(text, -1)
	if len(uses) == 0 {
		t.Error("it uses no action")
	}
	for _, u := range uses {
		if !regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`).MatchString(u[1]) {
			t.Errorf("%s is not pinned by commit, with its version beside it", u[1])
		}
	}
	if strings.Contains(text, "secrets.") {
		t.Error("it has a stored secret")
	}
	before, deploy, _ := strings.Cut(text, "\n  deploy:\n")
	if !strings.Contains(before, "\npermissions:\n  contents: read\n\njobs:") || strings.Contains(before, "write") {
		t.Error("the jobs but deploy may do more than read")
	}
	if got := strings.Count(deploy, ": write"); got != 1 || !strings.Contains(deploy, "id-token: write") {
		t.Errorf("the job deploy may write %d things, want only its identity's token", got)
	}
	if !strings.Contains(deploy, "if: startsWith(github.ref, 'refs/tags/v')") {
		t.Error("the job deploy is not for tags alone")
	}
}
