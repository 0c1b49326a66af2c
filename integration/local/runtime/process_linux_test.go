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
