package operate_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fork copies the part of the repository that new changes, and that runs.
func fork(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "serverless.yml", "resources", "functions", "pkg", "cmd", "integration/local"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			return copyFile(path, filepath.Join(dir, name))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// contents returns the text of every file below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (d *desk) inDir(dir, name string, args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A third bot is there at once: it is run, deployed and tested with the others.
func TestNew(t *testing.T) {
	t.Parallel()
	d := sit(t)
	dir := fork(t)
	before := contents(t, dir)
	if r := d.talk(dir, "", nil, "new", "robin", "--find", "edge computing", "--replace", "Robin"); r.code != 0 {
		t.Fatalf("new: exit %d\n%s", r.code, r.err)
	}

	after := contents(t, dir)
	var touched []string
	for name, text := range after {
		if before[name] != text {
			touched = append(touched, name)
		}
	}
	slices.Sort(touched)
	want := []string{"functions/bots.go", "functions/robin/main.go", "resources/robin.yml", "serverless.yml"}
	if diff := cmp.Diff(want, touched); diff != "" {
		t.Errorf("files that changed (-want +got):\n%s", diff)
	}
	left := strings.Split(after["serverless.yml"], "\n")
	for line := range strings.SplitSeq(before["serverless.yml"], "\n") {
		at := slices.Index(left, line)
		if at < 0 {
			t.Fatalf("serverless.yml lost the line %q, or its order", line)
		}
		left = left[at+1:]
	}
	named := strings.NewReplacer("Superman", "Robin", "superman", "robin")
	if diff := cmp.Diff(named.Replace(before["resources/superman.yml"]), after["resources/robin.yml"]); diff != "" {
		t.Errorf("resources/robin.yml differs from Superman's in more than names:\n%s", diff)
	}

	d.inDir(dir, "go", "vet", "./functions/...", "./cmd/...")
	d.inDir(dir, "go", "test", "./functions/...")
	if got := d.inDir(dir, "gofmt", "-l", "functions"); got != "" {
		t.Errorf("gofmt would change %s", got)
	}
	posts := filepath.Join(dir, "posts.jsonl")
	if err := put(posts, `{"id":"1","author":"ana","text":"edge computing and EDGE-COMPUTING"}`+"\n"+
		`{"id":"2","author":"ana","text":"Batman likes edge computing"}`+"\n"+`{"id":"3","author":"ana","text":"serverless for Robin"}`); err != nil {
		t.Fatal(err)
	}
	out := d.inDir(dir, "go", "run", "./cmd/superbots", "dev", "--posts", posts, "--once")
	if !strings.Contains(out, "@robin: Robin and ROBIN\n") || strings.Count(out, "@") != 1 {
		t.Errorf("dev does not show that robin posts, and robin alone:\n%s", out)
	}
	out = d.inDir(dir, "node", filepath.Join(root, "integration/deploy/node_modules/osls/bin/serverless.js"), "print", "--stage", "prod")
	for _, part := range []string{"name: superbots-prod-robin", "RobinRole:", "RobinIdleAlarm:", "ssm:/superbots/prod/robin/twitter#access_token"} {
		if !strings.Contains(out, part) {
			t.Errorf("the Serverless Framework prints no %q:\n%s", part, out)
		}
	}

	// A fourth knows all three.
	if err := build(dir, filepath.Join(dir, "superbots")); err != nil {
		t.Fatal(err)
	}
	d.inDir(dir, filepath.Join(dir, "superbots"), "new", "flash", "--find", "streaming", "--replace", "Flash")
	d.inDir(dir, "go", "test", "./functions/...")
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	d := sit(t)
	dir := fork(t)
	before := contents(t, dir)
	for name, args := range map[string][]string{
		"a bot that exists":       {"superman", "--find", "edge", "--replace", "Robin"},
		"a folder that exists":    {"Batman", "--find", "edge", "--replace", "Robin"},
		"no identifier":           {"the-robin", "--find", "edge", "--replace", "Robin"},
		"an identifier in use":    {"lambda", "--find", "edge", "--replace", "Robin"},
		"a word of Go":            {"range", "--find", "edge", "--replace", "Robin"},
		"a parameter's name":      {"shared", "--find", "edge", "--replace", "Robin"},
		"out of the folder":       {"../robin", "--find", "edge", "--replace", "Robin"},
		"no words":                {"robin", "--find", "", "--replace", "Robin"},
		"words that are none":     {"robin", "--find", "c++`", "--replace", "Robin"},
		"what a sister says":      {"robin", "--find", "edge", "--replace", "batMAN"},
		"part of what one says":   {"robin", "--find", "edge", "--replace", "Bat"},
		"itself":                  {"robin", "--find", "edge", "--replace", "Edgeman"},
		"two words to be said":    {"robin", "--find", "edge", "--replace", "Robin Hood"},
		"nothing to be said":      {"robin", "--find", "edge", "--replace", ""},
		"a mention to be said":    {"robin", "--find", "edge", "--replace", "@robin"},
		"a quote in what is said": {"robin", "--find", "edge", "--replace", `Rob"in`},
	} {
		if r := d.talk(dir, "", nil, append([]string{"new"}, args...)...); r.code != 1 || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: exit %d, says %q, want 1 and one sentence", name, r.code, r.err)
		}
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}
