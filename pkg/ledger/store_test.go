package ledger_test

import (
	"path/filepath"
	"testing"

	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/ledger/ledgertest"
)

func TestMemory(t *testing.T) {
	ledgertest.TestStore(t, func(*testing.T) ledger.Store { return new(ledger.Memory) })
}

func TestFile(t *testing.T) {
	ledgertest.TestStore(t, func(t *testing.T) ledger.Store { return openFile(t, newPath(t)) })
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "ledger") }

func openFile(t *testing.T, path string) *ledger.File {
	t.Helper()
	f, err := ledger.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
