package ledger_test

import (
	"runtime"
	"syscall"
	"testing"

	"example.com/superbots/pkg/ledger"
)

func TestFileWithoutPermission(t *testing.T) {
	path := newPath(t)
	openFile(t, path)
	if err := syscall.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error)
	go func() {
		// Root may open everything, so that this thread stops being root where it
		// is. It ends with the goroutine.
		runtime.LockOSThread()
		_ = syscall.Setfsuid(65534)
		_, err := ledger.OpenFile(path)
		opened <- err
	}()
	says(t, <-opened, path, "permission denied")
}
