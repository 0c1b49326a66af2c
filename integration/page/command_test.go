package page_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// build compiles the command.
func build(t testing.TB) (command string) {
	t.Helper()
	command = filepath.Join(t.TempDir(), "superbots")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", command, "./cmd/superbots")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return command
}

// dev starts the command and reads until it says where its page is.
func dev(t testing.TB, command, state string) (running *exec.Cmd, addr string) {
	t.Helper()
	running = exec.CommandContext(t.Context(), command, "dev", "--state", state, "--listen", "127.0.0.1:0", "--every", "1s")
	says, err := running.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(says); lines.Scan(); {
		if addr, found := strings.CutPrefix(lines.Text(), "open http://"); found {
			return running, addr
		}
	}
	t.Fatal("no address was printed")
	return nil, ""
}

// end ends the command as Ctrl-C does.
func end(t testing.TB, running *exec.Cmd) {
	t.Helper()
	if err := running.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := running.Wait(); err != nil {
		t.Errorf("ended by Ctrl-C: %v, want exit 0", err)
	}
}

// The command prints where the page is, ends on Ctrl-C, and refuses a port or a
// folder that is taken in words that say what to do.
func TestCommand(t *testing.T) {
	t.Parallel()
	command, state := build(t), t.TempDir()
	running, addr := dev(t, command, state)
	w := &world{t: t, addr: addr}
	w.browse()
	w.until(`known.run.size >= bots.length && document.querySelector("#pairs .posted")`)

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
		{[]string{"--every", "0s"}, "--every must be longer than nothing, not 0s", 2},
		{[]string{"--state", t.TempDir(), "--listen", "7878"}, "--listen must be 127.0.0.1:PORT", 2},
	} {
		second := exec.CommandContext(t.Context(), command, append([]string{"dev"}, test.args...)...)
		out, _ := second.CombinedOutput()
		if code := second.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.says) {
			t.Errorf("dev %q: exit %d, says %q; want exit %d and %q", test.args, code, out, test.code, test.says)
		}
	}
	w.until(fmt.Sprintf(`known.run.size > %d`, eval[int](w, `known.run.size`))) // the first one goes on

	end(t, running)
}

// How long it takes from the address that is printed until the page shows a
// post, and until one of its buttons has had an effect, in a browser that runs
// already.
func BenchmarkStart(b *testing.B) {
	command, state := build(b), b.TempDir()
	var post, button []float64
	for b.Loop() {
		running, addr := dev(b, command, state)
		printed := time.Now()
		w := &world{t: b, addr: addr}
		w.browse()
		w.until(`document.querySelector("#pairs li .words").innerText`)
		post = append(post, float64(time.Since(printed).Milliseconds()))
		w.click("#pause")
		w.until(`document.querySelector("#pause").innerText === "Go on"`)
		button = append(button, float64(time.Since(printed).Milliseconds()))
		w.do(chromedp.Navigate("about:blank")) // else the page would go on asking for its server
		end(b, running)
	}
	b.ReportMetric(slices.Max(post), "ms-to-post-worst")
	b.ReportMetric(slices.Max(button), "ms-to-button-worst")
	slices.Sort(post)
	slices.Sort(button)
	b.ReportMetric(post[len(post)/2], "ms-to-post")
	b.ReportMetric(button[len(button)/2], "ms-to-button")
}
