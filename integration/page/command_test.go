package page_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/superbots/integration/local"
)

// The command prints where the page is, ends on Ctrl-C, and refuses a port or a
// folder that is taken in words that say what to do.
func TestCommand(t *testing.T) {
	t.Parallel()
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(t.TempDir(), "superbots")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", command, "./cmd/superbots")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	state := t.TempDir()
	dev := exec.CommandContext(t.Context(), command, "dev", "--state", state, "--listen", "127.0.0.1:0", "--every", "1s")
	dev.Dir = root
	says, err := dev.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	addr := ""
	for lines := bufio.NewScanner(says); addr == "" && lines.Scan(); {
		addr, _ = strings.CutPrefix(lines.Text(), "open http://")
		if addr == lines.Text() {
			addr = ""
		}
	}
	if addr == "" {
		t.Fatal("no address was printed")
	}
	w := &world{t: t, addr: addr}
	w.browse()
	w.until(`known.run.size >= 2 && document.querySelector("#pairs .posted")`)

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		args []string
		says string
		code int
	}{
		{[]string{"--state", state, "--listen", "127.0.0.1:0"}, "runs already with the state in " + state, 1},
		{[]string{"--state", t.TempDir(), "--listen", taken.Addr().String()}, "another program uses " + taken.Addr().String() + ": choose another port with --listen", 1},
		{[]string{"--state", t.TempDir(), "--listen", "0.0.0.0:0"}, "--listen must be 127.0.0.1:PORT", 2},
		{[]string{"--state", t.TempDir(), "--listen", "7878"}, "--listen must be 127.0.0.1:PORT", 2},
	} {
		second := exec.CommandContext(t.Context(), command, append([]string{"dev"}, test.args...)...)
		second.Dir = root
		out, _ := second.CombinedOutput()
		if code := second.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.says) {
			t.Errorf("dev %q: exit %d, says %q; want exit %d and %q", test.args, code, out, test.code, test.says)
		}
	}
	w.until(fmt.Sprintf(`known.run.size > %d`, eval[int](w, `known.run.size`))) // the first one goes on

	if err := dev.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := dev.Wait(); err != nil {
		t.Errorf("ended by Ctrl-C: %v, want exit 0", err)
	}
}
