package operate_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a pseudo-terminal: what the command has at its side is one to it,
// and the test sits at the other side.
type terminal struct {
	t     *testing.T
	user  *os.File // reads what is on the screen, and types
	tty   *os.File // the command's
	shown bytes.Buffer
}

// newTerminal opens one, in its usual setting: it echoes what is typed.
// https://man7.org/linux/man-pages/man4/pts.4.html
func newTerminal(t *testing.T) *terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return &terminal{t: t, user: user, tty: tty}
}

// echoes reports whether the screen shows what is typed.
func (m *terminal) echoes() bool {
	m.t.Helper()
	settings, err := unix.IoctlGetTermios(int(m.tty.Fd()), unix.TCGETS)
	if err != nil {
		m.t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// at runs the desk's command at the terminal, and returns its exit code and what
// the screen has shown. Its standard output is the terminal if out is nil. Where
// the screen ends in a key of typed, what that one returns is typed.
func (m *terminal) at(d *desk, out io.Writer, typed map[string]func() string, args ...string) (int, string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.command, args...)
	cmd.Dir = d.dir
	for name, value := range d.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = m.tty, out, m.tty
	if out == nil {
		cmd.Stdout = m.tty
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		m.tty.Write([]byte{end})
		close(ended)
	}()
	for b := make([]byte, 1); ; {
		if _, err := m.user.Read(b); err != nil || b[0] == end {
			break
		}
		m.shown.WriteByte(b[0])
		for prompt, answer := range typed {
			if bytes.HasSuffix(m.shown.Bytes(), []byte(prompt)) {
				io.WriteString(m.user, answer())
			}
		}
	}
	<-ended
	d.everything.Write(m.shown.Bytes())
	return cmd.ProcessState.ExitCode(), m.shown.String()
}

// end is what no command writes to a terminal.
const end = 0

func TestColourOnATerminalOnly(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.deployed()
	d.ready()
	const green = "\x1b[32mok     \x1b[0m  superman  all 3 parameters"
	check := []string{"params", "check", "--stage", stage}
	for name, test := range map[string]struct {
		env    map[string]string
		colour bool
	}{
		"a terminal":                  {map[string]string{"TERM": "xterm"}, true},
		"a terminal without a name":   {nil, true},
		"NO_COLOR without a value":    {map[string]string{"NO_COLOR": ""}, true},
		"NO_COLOR":                    {map[string]string{"NO_COLOR": "1"}, false},
		"a terminal that cannot":      {map[string]string{"TERM": "dumb"}, false},
		"a terminal, but no colour":   {map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		"a dumb one that is asked to": {map[string]string{"TERM": "dumb", "NO_COLOR": ""}, false},
	} {
		delete(d.env, "TERM")
		delete(d.env, "NO_COLOR")
		for variable, value := range test.env {
			d.env[variable] = value
		}
		code, screen := newTerminal(t).at(d, nil, nil, check...)
		if code != 0 || strings.Contains(screen, green) != test.colour || strings.Contains(screen, "\x1b") != test.colour ||
			!strings.Contains(screen, "superman  all 3 parameters") {
			t.Errorf("%s: exit %d, colour %v is wanted; the screen shows %q", name, code, test.colour, screen)
		}
	}
	delete(d.env, "NO_COLOR")
	d.env["TERM"] = "xterm"
	var pipe bytes.Buffer
	code, screen := newTerminal(t).at(d, &pipe, nil, check...)
	if code != 0 || !strings.HasPrefix(pipe.String(), "ok       superman  all 3 parameters") || strings.Contains(pipe.String(), "\x1b") || screen != "" {
		t.Errorf("in a pipe: exit %d, %q, and the screen shows %q", code, pipe.String(), screen)
	}
}

// What is typed at a prompt that asks for a secret is not shown, and the terminal
// shows again what is typed when the command has ended, however it did.
func TestSecretsAreTypedUnseen(t *testing.T) {
	t.Parallel()
	d := sit(t)
	m := newTerminal(t)
	var out bytes.Buffer // no terminal, or a browser would be opened
	code, screen := m.at(d, &out, map[string]func() string{
		"consumer key: ":    func() string { return appKey + "\n" },
		"consumer secret: ": func() string { return appSecret + "\n" },
	}, "authorize", "shared", "--stage", stage)
	if code != 0 || screen != "consumer key: \r\nconsumer secret: \r\n" || !m.echoes() {
		t.Errorf("the app's keys: exit %d, echo afterwards %v, the screen shows\n%s", code, m.echoes(), screen)
	}

	m = newTerminal(t)
	var pin string
	code, screen = m.at(d, &out, map[string]func() string{
		"PIN: ": func() string {
			_, link, _ := strings.Cut(m.shown.String(), "\n\r\n  ")
			link, _, _ = strings.Cut(link, "\r\n")
			pin = d.login(link, "")
			return pin + "\n"
		},
	}, "authorize", "superman", "--stage", stage, "--account", "supermanbot")
	if code != 0 || pin == "" || strings.Contains(screen, pin) || !strings.Contains(screen, "PIN: \r\nThis is @supermanbot") || !m.echoes() {
		t.Errorf("a PIN: exit %d, echo afterwards %v, the screen shows\n%s", code, m.echoes(), screen)
	}
	if got := d.versions("superman/twitter"); len(got) != 1 {
		t.Errorf("%d versions of superman/twitter, want one", len(got))
	}

	m = newTerminal(t)
	code, screen = m.at(d, &out, map[string]func() string{
		"value: ": func() string { return "half a secr\x03" }, // and Ctrl-C
	}, "params", "set", "--stage", stage, "superman/note")
	if code != 1 || screen != "value: \r\nsuperbots: interrupted\r\n" || !m.echoes() {
		t.Errorf("interrupted: exit %d, echo afterwards %v, the screen shows\n%s", code, m.echoes(), screen)
	}
}

// A run says on the terminal how far it is, in one line that is gone at the end;
// what went wrong stays.
func TestRunShowsProgress(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.ready()
	d.say("I love serverless")
	d.env["TERM"] = "xterm"
	var out bytes.Buffer
	code, screen := newTerminal(t).at(d, &out, nil, "run", "superman", "--stage", stage)
	const line = "\r\x1b[K"
	if code != 0 || !strings.HasPrefix(screen, line+"superman: starting"+line+"superman: reading its settings, and searching") ||
		!strings.Contains(screen, line+"superman: would post, ") || !strings.HasSuffix(screen, line) {
		t.Errorf("exit %d, the screen shows %q", code, screen)
	}
	d.env["TERM"] = "dumb"
	if code, screen := newTerminal(t).at(d, &out, nil, "run", "superman", "--stage", stage); code != 0 || screen != "" {
		t.Errorf("on a dumb terminal: exit %d, it shows %q", code, screen)
	}
	d.x.SetCredits(appKey, 0)
	r := d.do("", "run", "superman", "--stage", stage)
	r.refused(t, "no credits", "superman: stopped, no credits\n")
	if strings.Contains(r.err, "\x1b") {
		t.Errorf("without a terminal it says %q", r.err)
	}
}
