package runtime

import (
	"os"
	"os/exec"
	"testing"
)

func TestProcessDiesWithItsParent(t *testing.T) {
	h := newHost(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "PARENT_OF=visit", "EVENT="+h.event())
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	g := h.accept(t)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	g.left()
}

func TestMostMemoryThatWasUsed(t *testing.T) {
	l := start(t, Function{Name: "use"})
	small := invoke(t, l, `1`).MaxMemory
	large := invoke(t, l, `64`).MaxMemory
	after := invoke(t, l, `1`).MaxMemory
	if small <= 1<<20 || small >= 64<<20 {
		t.Errorf("%d bytes for 1 MB", small)
	}
	if large <= 64<<20 || after < large {
		t.Errorf("%d bytes for 64 MB, then %d", large, after)
	}
}
