package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"example.com/superbots/pkg/ledger"
)

// The test binary started again with this variable is a process that writes to
// the ledger file it names.
const writerEnv = "LEDGER_TEST_WRITER"

func TestMain(m *testing.M) {
	path := os.Getenv(writerEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	if err := write(path, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write adds one to the control row's count, and a post and a text with the new
// number, times times. It says each number on standard output once it is stored.
func write(path, times string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	f, err := ledger.OpenFile(path)
	if err != nil {
		return err
	}
	for done := 0; done < n; {
		found, err := f.Rows(context.Background(), "superman", []string{"control"})
		if err != nil {
			return err
		}
		control := ledger.Row{Key: "control", Control: &ledger.Control{}}
		if len(found) > 0 {
			control = found[0]
		}
		control.Control.Day.Posts++
		number := control.Control.Day.Posts
		control.By = fmt.Sprintf("process %d, number %d", os.Getpid(), number)
		err = f.Apply(context.Background(), "superman", []ledger.Row{
			control,
			{Key: fmt.Sprintf("post#%d", number), By: control.By, Post: &ledger.Post{ID: uint64(number), Text: strings.Repeat("Superman ", 30)}},
			{Key: fmt.Sprintf("text#%d", number), By: control.By, Text: &ledger.Text{Source: uint64(number)}},
		})
		switch {
		case errors.Is(err, ledger.ErrConflict):
			continue
		case err != nil:
			return err
		}
		fmt.Println(number)
		done++
	}
	return nil
}

// startWriter starts a process that writes so many times. The channel has the
// numbers that it says, and is closed when it has ended.
func startWriter(t *testing.T, path string, times int) (*exec.Cmd, <-chan int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], strconv.Itoa(times))
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan int)
	go func() {
		defer close(said)
		for {
			var n int
			if _, err := fmt.Fscan(out, &n); err != nil {
				return
			}
			said <- n
		}
	}()
	return cmd, said
}

// written checks that the file holds whole transactions only, and returns how
// many.
func written(t *testing.T, f *ledger.File) int {
	t.Helper()
	rows, err := f.All(t.Context(), "superman")
	if err != nil {
		t.Fatal(err)
	}
	count, posts, texts := 0, 0, 0
	for _, r := range rows {
		switch {
		case r.Control != nil:
			count = r.Control.Day.Posts
		case r.Post != nil:
			posts++
		case r.Text != nil:
			texts++
		}
	}
	if posts != count || texts != count {
		t.Fatalf("a torn transaction: the control row counts %d, and there are %d posts and %d texts", count, posts, texts)
	}
	return count
}

func TestFileSurvivesKill(t *testing.T) {
	var path string
	var last, heard int
	for round := range 18 {
		if round%6 == 0 { // the kill may also hit the making of the file
			path, last = newPath(t), 0
		}
		cmd, said := startWriter(t, path, 1_000_000)
		time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = cmd.Process.Kill() })
		for n := range said {
			last = n
			heard++
		}
		if err := cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatalf("round %d: the writer ended by itself: %v", round, err)
		}
		// One more may be stored than was said.
		got := written(t, openFile(t, path))
		if got != last && got != last+1 {
			t.Fatalf("round %d: the writer said %d, and the file holds %d", round, last, got)
		}
		last = got
	}
	if heard == 0 {
		t.Error("no writer lived long enough to write")
	}
}

func TestFileSharedByProcesses(t *testing.T) {
	path, times := newPath(t), 10
	reader := openFile(t, path)
	one, saidOne := startWriter(t, path, times)
	two, saidTwo := startWriter(t, path, times)
	said := 0
	for saidOne != nil || saidTwo != nil {
		var n int
		var ok bool
		select {
		case n, ok = <-saidOne:
			if !ok {
				saidOne = nil
			}
		case n, ok = <-saidTwo:
			if !ok {
				saidTwo = nil
			}
		}
		if !ok {
			continue
		}
		said++
		if got := written(t, reader); got < n {
			t.Errorf("a writer said %d, and a reader saw %d", n, got)
		}
	}
	if err := errors.Join(one.Wait(), two.Wait()); err != nil {
		t.Fatal(err)
	}
	if got := written(t, reader); said != 2*times || got != 2*times {
		t.Errorf("two writers wrote %d times each: they said %d numbers, and the file holds %d", times, said, got)
	}
}

// says checks that err is there and says all of want.
func says(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got the error %q, want it to say %q", err, w)
		}
	}
}

// edit changes the file by hand.
func edit(t *testing.T, path string, do func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(do), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestFileRefused(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, path string) error
		want string
	}{
		"a directory": {func(t *testing.T, path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		"some text": {func(t *testing.T, path string) error {
			return os.WriteFile(path, []byte("id,state\n1,posted\n"), 0o600)
		}, "invalid"},
		"64 kB of text": {func(t *testing.T, path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("id,state\n", 8<<10)), 0o600)
		}, "invalid"},
		"a newer version": {func(t *testing.T, path string) error {
			openFile(t, path)
			edit(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("\x00superbots")).Put([]byte("version"), []byte("2"))
			})
			return nil
		}, `version "2"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			if err := test.make(t, path); err != nil {
				t.Fatal(err)
			}
			_, err := ledger.OpenFile(path)
			says(t, err, path, test.want)
		})
	}
	path := filepath.Join(t.TempDir(), "no", "folder")
	_, err := ledger.OpenFile(path)
	says(t, err, path, "no such file or directory")
}

func TestFileGone(t *testing.T) {
	path := newPath(t)
	f := openFile(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := f.Open(t.Context(), "superman")
	says(t, err, path, "no such file or directory")
}

func TestFileLocked(t *testing.T) {
	path := newPath(t)
	f := openFile(t, path)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err = f.Open(ctx, "superman")
	says(t, err, path, "timeout")
	says(t, f.Apply(ctx, "superman", []ledger.Row{{Key: "a", By: "a", Text: &ledger.Text{}}}), path, "timeout")
}

// Rows that were written by hand, or by another program.
func TestLoadRefusesForeignRows(t *testing.T) {
	for name, test := range map[string]struct{ row, want string }{
		"broken JSON":      {`{"key":"post#1","rev":1,"open":true,"post":{`, "unexpected end of JSON input"},
		"another type":     {`{"key":"post#1","rev":1,"open":true,"post":"posted"}`, "cannot unmarshal"},
		"an unknown state": {`{"key":"post#1","rev":1,"open":true,"post":{"id":"1","state":"sent"}}`, `unknown state "sent"`},
		"no state":         {`{"key":"post#1","rev":1,"open":true,"post":{"id":"1"}}`, `unknown state ""`},
		"no kind":          {`{"key":"post#1","rev":1,"open":true}`, "none that this program wrote"},
		"two kinds":        {`{"key":"post#1","rev":1,"open":true,"post":{"id":"1","state":"posted"},"text":{"source":"1"}}`, "none that this program wrote"},
		"no revision":      {`{"key":"post#1","open":true,"post":{"id":"1","state":"posted"}}`, "none that this program wrote"},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			f := openFile(t, path)
			edit(t, path, func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte("superman"))
				if err != nil {
					return err
				}
				return b.Put([]byte("post#1"), []byte(test.row))
			})
			_, err := ledger.Load(t.Context(), f, "superman", "run")
			says(t, err, "superman", `"post#1"`, test.want)

			// What is broken is not written over.
			if !json.Valid([]byte(test.row)) {
				err := f.Apply(t.Context(), "superman", []ledger.Row{{Key: "post#1", By: "b", Text: &ledger.Text{}}})
				says(t, err, path, `"post#1"`)
			}
		})
	}
}
