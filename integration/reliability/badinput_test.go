package reliability_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.etcd.io/bbolt"

	"example.com/superbots/pkg/ledger"
)

// fails does a run whose ledger cannot be trusted: it says so and posts nothing.
// It asks X for nothing, either, unless the rows show only when they are found.
func (w *world) fails(found bool, says ...string) {
	w.t.Helper()
	run := w.fail("LedgerError")
	for _, want := range says {
		if !strings.Contains(run.ErrorMessage, want) {
			w.t.Errorf("error %q lacks %q", run.ErrorMessage, want)
		}
	}
	calls := w.X.Calls()
	if calls["create"] > 0 || calls["timeline"] > 0 || !found && len(calls) > 0 {
		w.t.Errorf("calls to X %v", calls)
	}
}

func TestTableOfAnotherMake(t *testing.T) {
	t.Parallel()
	t.Run("other keys", func(t *testing.T) {
		t.Parallel()
		w := startWith(t, nil, "pk", 0, 0)
		w.sayMany(1)
		w.fails(false, w.table, "key schema")
	})
	t.Run("none of that name", func(t *testing.T) {
		t.Parallel()
		w := start(t, vars{"LEDGER": "dynamodb:no-such-table"})
		w.sayMany(1)
		w.fails(false, "no-such-table", "ResourceNotFoundException")
	})
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }

func object(fields map[string]types.AttributeValue) types.AttributeValue {
	return &types.AttributeValueMemberM{Value: fields}
}

type item = map[string]types.AttributeValue

// Items that somebody has written into the table by hand. Nothing is posted, and
// they are left as they are.
func TestItemsByHand(t *testing.T) {
	t.Parallel()
	post := func(state string) types.AttributeValue {
		return object(item{"id": num("1"), "author": str("1"), "state": str(state), "history": &types.AttributeValueMemberL{}})
	}
	for name, test := range map[string]struct {
		key   string
		item  item
		found bool // it is read when the search finds its post
		says  string
	}{
		"an unknown state":       {"post#1", item{"rev": num("1"), "open": str("post#1"), "post": post("sent")}, false, `unknown state "sent"`},
		"no revision":            {"post#1", item{"open": str("post#1"), "post": post("pending")}, false, `"post#1"`},
		"a text for a number":    {"control", item{"rev": str("one"), "open": str("control")}, false, `"control"`},
		"a note":                 {"note", item{"rev": num("1"), "open": str("note"), "text": str("do not touch")}, false, `"note"`},
		"a kind under a new key": {"memo#1", item{"rev": num("1"), "open": str("memo#1"), "post": post("pending")}, false, `"memo#1"`},
		"an ended post, no kind": {"", item{"rev": num("1"), "state": str("posted")}, true, "none that this program wrote"},
		"an ended post, a list":  {"", item{"rev": num("1"), "post": &types.AttributeValueMemberL{}}, true, "post#"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			source := w.sayMany(1)[0]
			if test.key == "" {
				test.key = fmt.Sprintf("post#%020d", source)
			}
			test.item["bot"], test.item["key"] = str(superman), str(test.key)
			if _, err := w.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.table, Item: test.item}); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				w.fails(test.found, superman, test.says)
			}
			out, err := w.db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.table})
			if err != nil || len(out.Items) != 1 {
				t.Errorf("%d items, error %v, want the one that was there", len(out.Items), err)
			}
		})
	}
}

// The rows of the other bot are no business of this one, whatever they are.
func TestOtherBotsItems(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.sayMany(1)
	bad := item{"bot": str(batman), "key": str("control"), "open": str("control"), "rev": str("one")}
	if _, err := w.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.table, Item: bad}); err != nil {
		t.Fatal(err)
	}
	if got := w.tick(); got.Posted != 1 {
		t.Errorf("report %+v, want 1 posted", got)
	}
}

// A function that knows an older ledger file does not start, and leaves the file
// as it is.
func TestNewerFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	if _, err := ledger.OpenFile(path); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("\x00superbots")).Put([]byte("version"), []byte("2"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, vars{"LEDGER": "file:" + path})
	w.sayMany(1)
	run := w.fail("Runtime.ExitError")
	if said := strings.Join(run.Log, "\n"); !strings.Contains(said, path) || !strings.Contains(said, `version "2"`) {
		t.Errorf("log %q names neither the file nor its version", said)
	}
	if got := w.seen(); len(got) > 0 {
		t.Errorf("it called %q", got)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("the file was changed, or cannot be read: %v", err)
	}
}
