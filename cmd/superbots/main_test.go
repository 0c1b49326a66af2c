package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/x"
)

// ask runs the command with in as its standard input.
func ask(t *testing.T, in string, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, console{strings.NewReader(in), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "posts.jsonl")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const three = `{"id":"1","author":"ana","text":"I love serverless &amp; <tea>"}
{"id":"2","author":"bob","text":"nothing of the kind"}

{"id":"3","text":"SERVERLESS, see https://example.com/serverless"}
`

func TestPreview(t *testing.T) {
	file := write(t, three)
	const inJSON = `{"id":"1","action":"post","reason":"","text":"I love Superman & <tea>","weighted_length":23}
{"id":"2","action":"skip","reason":"no-word","text":"","weighted_length":0}
{"id":"3","action":"post","reason":"","text":"SUPERMAN, see","weighted_length":13}
`
	const inText = `1   23  I love Superman & <tea>
2  skipped: no-word
3   13  SUPERMAN, see
`
	for name, test := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"JSON of standard input":   {three, []string{"preview", "superman", "--output", "json"}, inJSON},
		"JSON of a dash":           {three, []string{"preview", "superman", "-", "--output=json"}, inJSON},
		"JSON of a file":           {"", []string{"preview", "--output", "json", "superman", file}, inJSON},
		"text of a file":           {"", []string{"preview", "superman", file}, inText},
		"lines that end as in DOS": {strings.ReplaceAll(three, "\n", "\r\n"), []string{"preview", "superman"}, inText},
		"no last line end":         {strings.TrimSpace(three), []string{"preview", "superman"}, inText},
		"nothing":                  {"", []string{"preview", "superman", "--output", "json"}, ""},
		"the other bot":            {three, []string{"preview", "batman"}, "1  skipped: no-word\n2  skipped: no-word\n3  skipped: no-word\n"},
		"links kept": {
			`{"id":"3","text":"SERVERLESS, see https://example.com/serverless"}`, []string{"preview", "superman", "--links", "keep"},
			"3   37  SUPERMAN, see https://example.com/serverless\n",
		},
	} {
		code, out, errs := ask(t, test.in, test.args...)
		if code != 0 || errs != "" {
			t.Errorf("%s: exit %d, says %q", name, code, errs)
		}
		if diff := cmp.Diff(test.want, out); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is no post is told by its line; the others are shown.
func TestPreviewOfJunk(t *testing.T) {
	lines := []string{
		`{"id":"1","text":"serverless"}`,
		`{"id":"2","text":`,
		`[]`,
		``,
		`{"id":"5"}`,
		`{"text":"serverless"}`,
		`{"id":7,"text":"serverless"}`,
		`{"id":"8","text":"` + strings.Repeat("serverless ", 200_000) + `"}`,
		`null`,
		"\x00\xff",
		`{"id":"11","text":"serverless again"}`,
	}
	code, out, errs := ask(t, strings.Join(lines, "\n"), "preview", "superman")
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	if want := "1    8  Superman\n11   14  Superman again\n"; out != want {
		t.Errorf("shown %q, want %q", out, want)
	}
	for _, n := range []string{"2", "3", "5", "6", "7", "8", "9", "10"} {
		if strings.Count("\n"+errs, "\nline "+n+": ") != 1 {
			t.Errorf("line %s is not told once in\n%s", n, errs)
		}
	}
	if !strings.Contains(errs, "\nsuperbots: 8 lines are no posts\n") {
		t.Errorf("no summary in\n%s", errs)
	}
}

func TestExitCodes(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		code int
		says string // on either output
	}{
		"help":              {[]string{"-h"}, 0, "preview"},
		"help of preview":   {[]string{"preview", "-h"}, 0, "--output"},
		"help of dev":       {[]string{"dev", "--help"}, 0, "--posts"},
		"no command":        {nil, 2, "superbots -h"},
		"unknown command":   {[]string{"fly"}, 2, "fly"},
		"unknown bot":       {[]string{"preview", "no-bot"}, 2, "no such bot"},
		"no bot":            {[]string{"preview"}, 2, "<bot>"},
		"unknown flag":      {[]string{"preview", "superman", "--loud"}, 2, "--loud"},
		"unknown output":    {[]string{"preview", "superman", "--output", "xml"}, 2, "--output"},
		"unknown links":     {[]string{"preview", "superman", "--links", "some"}, 2, "--links"},
		"no duration":       {[]string{"dev", "--every", "soon"}, 2, "--every"},
		"no time at all":    {[]string{"dev", "--every", "0s"}, 2, "--every"},
		"no such file":      {[]string{"preview", "superman", "/nowhere/posts"}, 1, "/nowhere/posts"},
		"no posts to run":   {[]string{"dev", "--posts", "/nowhere/posts"}, 1, "/nowhere/posts"},
		"preview of folder": {[]string{"preview", "superman", "."}, 1, "line 1"},
	} {
		code, out, errs := ask(t, "", test.args...)
		if code != test.code {
			t.Errorf("%s: exit %d, want %d; says\n%s%s", name, code, test.code, out, errs)
		}
		said := out
		if test.code != 0 {
			said = errs
		}
		if !strings.Contains(said, test.says) {
			t.Errorf("%s: %q lacks %q", name, said, test.says)
		}
	}
}

// The posts of a replay: what can be read, with the lines of the rest; of the
// last day, in their order, under new ids.
func TestPostsOfAReplay(t *testing.T) {
	file := write(t, strings.Join([]string{
		`{"id":"9","author":"Ana María","text":"one"}`,
		`{"id":"8","author":"bob","text":`,
		`{"id":"not a number","author":"bob","text":"two","created_at":"2001-01-01T00:00:00Z","possibly_sensitive":true}`,
		`{"author":"bob","text":"no id"}`,
		`{"id":"6","text":"` + strings.Repeat("long ", 300_000) + `"}`,
		`{"id":"5","text":"three"}`,
	}, "\n"))
	var errs bytes.Buffer
	posts, err := dev{Posts: file}.posts(&errs)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"2", "4", "5"} {
		if strings.Count(errs.String(), file+", line "+n+": ") != 1 {
			t.Errorf("line %s is not told once in\n%s", n, errs.String())
		}
	}
	if n := strings.Count(errs.String(), "\n"); n != 3 {
		t.Errorf("%d lines told, want 3:\n%s", n, errs.String())
	}
	last := time.Now().Add(-24 * time.Hour)
	for i, p := range posts {
		if !p.CreatedAt.After(last) || p.CreatedAt.After(time.Now()) || p.ID != 0 {
			t.Errorf("post %d has id %d and is of %v, want a new id and a time of the last day, in order", i, p.ID, p.CreatedAt)
		}
		last = p.CreatedAt
		posts[i].CreatedAt = time.Time{}
	}
	want := []x.Post{{Author: "AnaMara", Text: "one"}, {Author: "bob", Text: "two", Sensitive: true}, {Author: "everyone", Text: "three"}}
	if diff := cmp.Diff(want, posts); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
	if got, want := queryFor(posts), "from:AnaMara OR from:bob OR from:everyone"; got != want {
		t.Errorf("query %q, want %q", got, want)
	}
}

// X takes queries of 512 characters, so a replay of many authors has one.
func TestReplayOfManyAuthors(t *testing.T) {
	var lines strings.Builder
	for i := range 100 {
		json.NewEncoder(&lines).Encode(map[string]string{"id": "1", "author": "author" + strings.Repeat("x", i%15), "text": "serverless"})
	}
	posts, err := dev{Posts: write(t, lines.String())}.posts(&bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(queryFor(posts)); got > 512 || len(posts) != 100 {
		t.Errorf("%d posts with a query of %d characters, want 100 with 512 at most", len(posts), got)
	}
}

// The sample world is all posts, and each bot finds its word in some.
func TestSamplePosts(t *testing.T) {
	var errs bytes.Buffer
	posts, err := dev{}.posts(&errs)
	if err != nil || errs.Len() > 0 {
		t.Fatalf("error %v, complaints %q", err, errs.String())
	}
	now := time.Now()
	there := 0
	for _, p := range posts {
		if p.CreatedAt.Before(now) {
			there++
		}
		if p.CreatedAt.Before(now.Add(-24 * time.Hour)) {
			t.Errorf("%q is of %v, which no first run finds", p.Text, p.CreatedAt)
		}
	}
	if there == 0 || there == len(posts) {
		t.Errorf("%d of %d posts are there when the world begins, want some to come later", there, len(posts))
	}
	for _, name := range []string{"superman", "batman"} {
		code, out, errs := ask(t, string(samples), "preview", name, "--output", "json")
		if code != 0 || strings.Count(out, `"action":"post"`) < 10 || strings.Count(out, `"action":"skip"`) < 10 {
			t.Errorf("preview %s of the samples: exit %d, %s\n%s", name, code, errs, out)
		}
	}
}
