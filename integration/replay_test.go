package integration_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/rewrite"
)

// What each bot makes of a text, told in another way than the bots' own: links,
// bare domains and handles are cut out, and what is left is searched for the
// words.
var (
	link   = regexp.MustCompile(`https?://[^\s)]+[^\s).,;:!?]|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|io|net|dev)\b(?:/\S*)?`)
	handle = regexp.MustCompile(`@(\w+)`)
	tco    = regexp.MustCompile(`https://t\.co/[0-9A-Za-z]{10}`)

	words = map[string]struct {
		find    *regexp.Regexp
		replace string
	}{
		superman: {regexp.MustCompile(`(?i)serverless`), "Superman"},
		batman:   {regexp.MustCompile(`(?i)big[ -]?data`), "Batman"},
	}
)

// expect returns what a bot should post of a source's text, with "<>" for each
// link, or "" if it does not say the bot's word.
func expect(name, text string) string {
	text = link.ReplaceAllString(text, "<>")
	said := false
	word := words[name]
	rewritten := word.find.ReplaceAllStringFunc(text, func(found string) string {
		said = true
		if found == strings.ToUpper(found) {
			return strings.ToUpper(word.replace)
		}
		return word.replace
	})
	if !said || !word.find.MatchString(handle.ReplaceAllString(text, "")) {
		return ""
	}
	return handle.ReplaceAllString(rewritten, "$1")
}

// A ran is one line of what the command says of its runs.
type ran struct {
	Bot    string
	Report bot.Report
	Error  string
	Posted []x.Post
}

// stateDir returns a folder for the command's --state, with what it would build.
func stateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "bin"), os.DirFS(bin)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// dev runs the operator's command to its end.
func dev(t *testing.T, args ...string) []ran {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "command"), append([]string{"dev", "--once", "--output", "json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("dev %q: %v\n%s", args, err, stderr.String())
	}
	var lines []ran
	for d := json.NewDecoder(&stdout); ; {
		var line ran
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		if line.Error != "" || line.Report.Stopped != "" {
			t.Errorf("%s: error %q, stopped %q", line.Bot, line.Error, line.Report.Stopped)
		}
		lines = append(lines, line)
	}
}

func TestReplayOfRealPosts(t *testing.T) {
	t.Parallel()
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "..", "shared", "corpus", "posts.jsonl")
	corpus, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the real posts are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}

	want := make(map[string][]string) // by bot
	links := make(map[string]string)  // of a text with "<>", the links that stood there
	for line := range bytes.Lines(corpus) {
		var source struct{ Text string }
		if err := json.Unmarshal(line, &source); err != nil {
			t.Fatal(err)
		}
		for name := range words {
			if text := expect(name, source.Text); text != "" {
				want[name] = append(want[name], text)
				links[name+text] = strings.Join(link.FindAllString(source.Text, -1), " ")
			}
		}
	}

	state := stateDir(t)
	got := make(map[string][]string)
	shortOf, longOf := make(map[string]string), make(map[string]string)
	for _, run := range dev(t, "--posts", file, "--state", state) {
		for _, p := range run.Posted {
			if w := rewrite.Weight(p.Text); w > 280 {
				t.Errorf("%s posted %q, which weighs %d", run.Bot, p.Text, w)
			}
			text := tco.ReplaceAllString(p.Text, "<>")
			got[run.Bot] = append(got[run.Bot], text)

			// X shows each link as one of its own, so each of those must stand
			// for one link everywhere.
			short := strings.Join(tco.FindAllString(p.Text, -1), " ")
			long := links[run.Bot+text]
			if first, ok := longOf[short]; ok && first != long {
				t.Errorf("%q stands for the links %q and %q", short, first, long)
			}
			if first, ok := shortOf[long]; ok && first != short {
				t.Errorf("the links %q became %q and %q", long, first, short)
			}
			shortOf[long], longOf[short] = short, long
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
	if len(want[superman]) < 30 || len(want[batman]) < 5 {
		t.Errorf("the real posts say the words %d and %d times, too few to show anything", len(want[superman]), len(want[batman]))
	}

	for _, run := range dev(t, "--posts", file, "--state", state) {
		if run.Report.Posted != 0 || len(run.Posted) != 0 {
			t.Errorf("a second replay posted %+v", run.Posted)
		}
	}
}

func TestSampleWorld(t *testing.T) {
	t.Parallel()
	posted, skipped := make(map[string]int), make(map[string]int)
	for _, run := range dev(t, "--state", stateDir(t)) {
		for _, p := range run.Posted {
			posted[run.Bot]++
			if word := words[run.Bot]; !strings.Contains(strings.ToLower(p.Text), strings.ToLower(word.replace)) {
				t.Errorf("%s posted %q without %s", run.Bot, p.Text, word.replace)
			}
		}
		for reason, n := range run.Report.Skipped {
			skipped[reason] += n
		}
	}
	if posted[superman] < 10 || posted[batman] < 10 {
		t.Errorf("posted %v, want ten of each bot at least", posted)
	}
	if skipped["cashtags"] == 0 {
		t.Errorf("skipped %v, want some for their cashtags", skipped)
	}
}
