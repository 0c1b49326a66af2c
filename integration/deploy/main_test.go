// Package deploy_test packages, checks and deploys the service as a user would,
// with the Serverless Framework itself, and no AWS.
//
// The one idea: what is tested is the template that comes out, not the file
// that went in. Every test works on a copy of the repository's files in a
// folder of its own, with an environment that has no credentials.
package deploy_test

import (
	"encoding/json"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
)

var (
	root string // of the repository
	home string // of the tools: no file of the user's plays a part, and they share what they keep
)

func TestMain(m *testing.M) {
	var err error
	if root, err = local.Root(); err != nil {
		log.Fatal(err)
	}
	if home, err = os.MkdirTemp("", "superbots-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	os.RemoveAll(home)
	os.Exit(code)
}

// A service is a folder with a copy of serverless.yml and what it names.
type service struct{ dir string }

// newService copies serverless.yml and resources. Its zips hold nothing; see
// build for real ones. The strings are pairs of old and new text, as for
// strings.NewReplacer, for all of its files; each old one must occur.
func newService(t *testing.T, oldnew ...string) service {
	t.Helper()
	s := service{t.TempDir()}
	found := make(map[string]bool)
	for _, name := range append(glob(t, "resources/*.yml"), "serverless.yml") {
		text := read(t, filepath.Join(root, name))
		for i := 0; i < len(oldnew); i += 2 {
			found[oldnew[i]] = found[oldnew[i]] || strings.Contains(text, oldnew[i])
		}
		s.write(t, name, strings.NewReplacer(oldnew...).Replace(text))
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !found[oldnew[i]] {
			t.Fatalf("no file has the text %q", oldnew[i])
		}
	}
	for _, bot := range functions.All {
		s.write(t, "dist/"+bot.Name+".zip", "")
	}
	return s
}

func (s service) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// osls runs the Serverless Framework in s and returns all that it says.
func (s service) osls(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	return s.node(t, env, append([]string{tool(t, "osls/bin/serverless.js")}, args...)...)
}

// check runs check.mjs in s and returns what it says.
func (s service) check(t *testing.T, args ...string) (string, error) {
	t.Helper()
	tool(t, "@aws/cloudformation-validate")
	return s.node(t, nil, append([]string{filepath.Join(root, "integration/deploy/check.mjs"), ".serverless"}, args...)...)
}

func (s service) node(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// template returns the template that the last osls of s has made.
func (s service) template(t *testing.T) template {
	t.Helper()
	var made template
	text := read(t, filepath.Join(s.dir, ".serverless/cloudformation-template-update-stack.json"))
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// tool returns the path of a file of the pinned node packages.
func tool(t *testing.T, name string) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("node is not installed: apt-get install nodejs npm, or https://nodejs.org/")
	}
	path := filepath.Join(root, "integration/deploy/node_modules", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatal("the deployment's tools are not installed; from the repository's root:\nnpm ci --ignore-scripts --prefix integration/deploy")
	}
	return path
}

// packages has the stages that are packaged already.
var packages = struct {
	sync.Mutex
	stages map[string]template
}{stages: make(map[string]template)}

// packaged returns the template of a stage, as it is in the repository.
func packaged(t *testing.T, stage string) template {
	t.Helper()
	packages.Lock()
	defer packages.Unlock()
	if _, ok := packages.stages[stage]; !ok {
		s := newService(t)
		if out, err := s.osls(t, nil, "package", "--stage", stage); err != nil {
			t.Fatalf("osls package --stage %s: %v\n%s", stage, err, out)
		}
		packages.stages[stage] = s.template(t)
	}
	return packages.stages[stage]
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	for i, path := range paths {
		if paths[i], err = filepath.Rel(root, path); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
