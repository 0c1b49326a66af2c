package operate_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/bot"
)

// fork copies the repository, without what is built or installed.
func fork(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch entry.Name() {
		case ".git", ".local", ".serverless", "dist":
			return filepath.SkipDir
		case "node_modules", ".venv":
			if err := link(name, dir); err != nil {
				return err
			}
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return copyFile(path, filepath.Join(dir, name))
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents returns the text of every file below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
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

// inDir runs another program where the desk's command runs.
func (d *desk) inDir(name string, args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), name, args...)
	cmd.Dir = d.dir
	cmd.Env = os.Environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A third bot is there at once: it is run, deployed and examined with the
// others, and every test still passes. Here those are run that go through all
// bots and take no long time. Its name is one that nobody gives a bot.
func TestNew(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.dir = fork(t)
	before := contents(t, d.dir)
	d.must("", "new", "condorman", "--find", "punch card", "--replace", "Condorman")

	after := contents(t, d.dir)
	var touched []string
	for name, text := range after {
		if before[name] != text {
			touched = append(touched, name)
		}
	}
	slices.Sort(touched)
	want := []string{"functions/bots.go", "functions/condorman/main.go", "resources/condorman.yml", "serverless.yml"}
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
	named := strings.NewReplacer("Superman", "Condorman", "superman", "condorman")
	if diff := cmp.Diff(named.Replace(before["resources/superman.yml"]), after["resources/condorman.yml"]); diff != "" {
		t.Errorf("resources/condorman.yml differs from Superman's in more than names:\n%s", diff)
	}
	if n := strings.Count(after["functions/condorman/main.go"], "\n"); n > 20 {
		t.Errorf("its main has %d lines, want 20 at most", n)
	}

	if got := d.inDir("gofmt", "-l", "functions"); got != "" {
		t.Errorf("gofmt would change %s", got)
	}
	d.inDir("go", "vet", "./functions/...")
	d.inDir("go", "test", "./functions/...", "./cmd/...", "./pkg/app/...")
	d.inDir("go", "test", "./integration/deploy", "-run", "^(TestRolesAllowThisAndNoMore|TestOnly.*|TestBotsFiles.*|TestFunctions.*)$")
	d.inDir("go", "test", "./integration/operate", "-run", "^(TestAuthorize|TestParams.*|TestDoctorIsContent|TestTranscript)$")

	posts := filepath.Join(d.dir, "posts.jsonl")
	if err := put(posts, `{"id":"1","author":"ana","text":"punch card and PUNCH-CARD"}`+"\n"+
		`{"id":"2","author":"ana","text":"Batman likes a punch card"}`+"\n"+`{"id":"3","author":"ana","text":"serverless for Condorman"}`); err != nil {
		t.Fatal(err)
	}
	d.command = filepath.Join(d.dir, "superbots")
	if err := build(d.dir, d.command); err != nil {
		t.Fatal(err)
	}
	out := d.inDir(d.command, "dev", "--posts", posts, "--once")
	if !strings.Contains(out, "@condorman: Condorman and CONDORMAN\n") || strings.Count(out, "@") != 1 {
		t.Errorf("dev does not show that condorman posts, and condorman alone:\n%s", out)
	}

	// The doctor examines it like the others.
	d.names = nil
	for _, b := range append(functions.All, bot.Bot{Name: "condorman"}) {
		d.names = append(d.names, b.Name)
		d.bots[b.Name] = d.x.AddAccount(b.Name + "bot")
	}
	d.env["AWS_REGION"] = "ca-central-1" // its own
	d.heal()
	out = d.must("", "doctor", "--stage", stage)
	for _, name := range d.names {
		for _, want := range []string{"its schedule, ", "all 3 parameters can be read", "its role may read these 3 of the stage's ", "its keys are those of @" + name + "bot"} {
			if line := fmt.Sprintf("ok       %-8s  %s", name, want); !strings.Contains(out, line) {
				t.Errorf("the doctor says no %q:\n%s", line, out)
			}
		}
	}

	// A fourth knows all the others.
	d.must("", "new", "bananaman", "--find", "core memory", "--replace", "Bananaman")
	d.inDir("go", "test", "./functions/...")
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.dir = fork(t)
	before := contents(t, d.dir)
	for name, args := range map[string][]string{
		"a bot that exists":       {"superman", "--find", "edge", "--replace", "Condorman"},
		"a folder that exists":    {"Batman", "--find", "edge", "--replace", "Condorman"},
		"no identifier":           {"the-condorman", "--find", "edge", "--replace", "Condorman"},
		"an identifier in use":    {"lambda", "--find", "edge", "--replace", "Condorman"},
		"a word of Go":            {"range", "--find", "edge", "--replace", "Condorman"},
		"a parameter's name":      {"shared", "--find", "edge", "--replace", "Condorman"},
		"out of the folder":       {"../condorman", "--find", "edge", "--replace", "Condorman"},
		"no words":                {"condorman", "--find", "", "--replace", "Condorman"},
		"words that are none":     {"condorman", "--find", "c++`", "--replace", "Condorman"},
		"what a sister says":      {"condorman", "--find", "edge", "--replace", "batMAN"},
		"part of what one says":   {"condorman", "--find", "edge", "--replace", "Bat"},
		"itself":                  {"condorman", "--find", "edge", "--replace", "Edgeman"},
		"two words to be said":    {"condorman", "--find", "edge", "--replace", "Condor Man"},
		"nothing to be said":      {"condorman", "--find", "edge", "--replace", ""},
		"a mention to be said":    {"condorman", "--find", "edge", "--replace", "@condorman"},
		"a quote in what is said": {"condorman", "--find", "edge", "--replace", `Condor"man`},
	} {
		if r := d.do("", append([]string{"new"}, args...)...); r.code != 1 || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: exit %d, says %q, want 1 and one sentence", name, r.code, r.err)
		}
	}
	if diff := cmp.Diff(before, contents(t, d.dir)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}
