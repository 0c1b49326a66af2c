package runtime

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

func start(t *testing.T, f Function) *Lambda {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f.Bootstrap = self
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	l, err := Start(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func invoke(t *testing.T, l *Lambda, event string) Result {
	t.Helper()
	res, err := l.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// A host is whom the visiting functions visit.
type host struct{ net.Listener }

type guest struct {
	net.Conn
	t *testing.T
}

func newHost(t *testing.T) host {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	return host{l}
}

func (h host) event() string { return fmt.Sprintf("%q", h.Addr()) }

// accept waits for a function that has said "here".
func (h host) accept(t *testing.T) guest {
	t.Helper()
	conn, err := h.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "here\n" {
		t.Fatalf("the function said %q: %v", line, err)
	}
	return guest{conn, t}
}

func (g guest) release() { fmt.Fprintln(g, "go on") }

// left waits until the process is gone: the system then closes its end.
func (g guest) left() {
	g.t.Helper()
	var timeout interface{ Timeout() bool }
	if _, err := g.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		g.t.Errorf("the process still runs: %v", err)
	}
}

type invocation struct {
	Result
	err error
}

func invokeLater(ctx context.Context, l *Lambda, event string) <-chan invocation {
	done := make(chan invocation, 1)
	go func() {
		res, err := l.Invoke(ctx, []byte(event))
		done <- invocation{res, err}
	}()
	return done
}

func checkFailure(t *testing.T, res Result, errType, message string) {
	t.Helper()
	message = strings.ReplaceAll(message, "ID", res.RequestID)
	if res.FunctionError != "Unhandled" || res.ErrorType != errType || res.ErrorMessage != message {
		t.Errorf("got %q %q %q, want Unhandled %q %q", res.FunctionError, res.ErrorType, res.ErrorMessage, errType, message)
	}
	var body struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(res.Payload, &body); err != nil || body.ErrorType != errType || body.ErrorMessage != message {
		t.Errorf("payload %s, want the same: %v", res.Payload, err)
	}
}

func TestWarmProcessServesTheNextEvent(t *testing.T) {
	l := start(t, Function{Name: "echo"})

	first := invoke(t, l, `{"n":1}`)
	if string(first.Payload) != `{"n":1}` || first.FunctionError != "" || !first.Cold || first.Init <= 0 {
		t.Errorf("first: %s, cold %v, init %v, %s", first.Payload, first.Cold, first.Init, first.FunctionError)
	}
	second := invoke(t, l, `{"n":2}`)
	if string(second.Payload) != `{"n":2}` || second.Cold || second.Init != 0 {
		t.Errorf("second: %s, cold %v, init %v", second.Payload, second.Cold, second.Init)
	}
	if first.RequestID == second.RequestID {
		t.Errorf("two invocations with the id %s", first.RequestID)
	}
	l.Kill()
	if third := invoke(t, l, `3`); !third.Cold || string(third.Payload) != "3" {
		t.Errorf("after Kill: %s, cold %v", third.Payload, third.Cold)
	}
}

func TestLogBelongsToItsInvocation(t *testing.T) {
	l := start(t, Function{Name: "echo"})
	want := [][]string{
		{"starting", "event 1 on stdout", "event 1 on stderr, unfinished"},
		{"event 2 on stdout", "event 2 on stderr, unfinished"},
	}
	for i, want := range want {
		if got := invoke(t, l, `1`).Log; !slices.Equal(got, want) {
			t.Errorf("log of invocation %d: %q, want %q", i+1, got, want)
		}
	}
}

func TestLongLogIsCutAtItsStart(t *testing.T) {
	l := start(t, Function{Name: "noisy"})
	for range 2 {
		got := invoke(t, l, `{}`).Log
		size := 0
		for _, line := range got {
			size += len(line)
		}
		if size > maxLogBytes+100 {
			t.Errorf("the log has %d bytes", size)
		}
		if !strings.HasSuffix(got[0], "bytes of log left out)") || slices.Contains(got, "the first line") {
			t.Errorf("the log begins with %q", got[0])
		}
		if last := got[len(got)-1]; last != "the last line" {
			t.Errorf("the log ends with %q", last)
		}
		if wide := got[len(got)-2]; len(wide) != maxLineBytes {
			t.Errorf("the wide line has %d bytes, want %d", len(wide), maxLineBytes)
		}
	}
}

func TestEnvironmentIsBuiltFromNothing(t *testing.T) {
	t.Setenv("AWS_PROFILE", "work")
	t.Setenv("HTTPS_PROXY", "http://proxy.invalid")
	dir := t.TempDir()
	begin := time.Now()
	res := invoke(t, start(t, Function{
		Name: "surroundings", Dir: dir, Timeout: time.Hour, Memory: 256,
		Env: map[string]string{"BOT_MODE": "dry-run", "AWS_REGION": "eu-west-1"},
	}), `{}`)
	var got surroundings
	if err := json.Unmarshal(res.Payload, &got); err != nil {
		t.Fatal(err)
	}

	env := map[string]string{}
	for _, v := range got.Env {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for _, name := range []string{"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT"} {
		if env[name] == "" {
			t.Errorf("%s is not set", name)
		}
		delete(env, name)
	}
	// aws-lambda-go sets this one itself.
	delete(env, "_X_AMZN_TRACE_ID")
	want := map[string]string{
		"BOT_MODE": "dry-run", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_LAMBDA_FUNCTION_NAME": "surroundings", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/surroundings",
		"_HANDLER": "bootstrap", "TZ": ":UTC",
	}
	if !maps.Equal(env, want) {
		t.Errorf("environment %v, want %v", env, want)
	}
	if len(got.Args) != 0 {
		t.Errorf("arguments %q, want none", got.Args)
	}
	if resolved, err := filepath.EvalSymlinks(dir); err != nil || got.Dir != resolved {
		t.Errorf("working directory %q, want %q (%v)", got.Dir, resolved, err)
	}
	if got.ID != res.RequestID {
		t.Errorf("request id %q, want %q", got.ID, res.RequestID)
	}
	if want := "arn:aws:lambda:eu-west-1:123456789012:function:surroundings"; got.ARN != want {
		t.Errorf("ARN %q, want %q", got.ARN, want)
	}
	if d := got.Deadline.Sub(begin); d < time.Hour-time.Second || d > time.Hour+time.Minute {
		t.Errorf("the deadline is %v after the start, want an hour", d)
	}
}

func TestErrorHasItsGoTypeAndLeavesTheProcessWarm(t *testing.T) {
	l := start(t, Function{Name: "error"})
	checkFailure(t, invoke(t, l, `{}`), "inkError", "out of black ink")
	if res := invoke(t, l, `{}`); res.Cold {
		t.Error("cold after an error")
	}
}

func TestPanicEndsTheProcess(t *testing.T) {
	l := start(t, Function{Name: "panic"})
	for range 2 {
		res := invoke(t, l, `{}`)
		if res.ErrorType != "string" || res.ErrorMessage != "on purpose" || !res.Cold {
			t.Errorf("got %q %q, cold %v", res.ErrorType, res.ErrorMessage, res.Cold)
		}
	}
}

func TestExitInTheMiddle(t *testing.T) {
	l := start(t, Function{Name: "exit"})
	for range 2 {
		res := invoke(t, l, `{}`)
		checkFailure(t, res, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 3")
		if !res.Cold || !slices.Equal(res.Log, []string{"leaving"}) {
			t.Errorf("cold %v, log %q", res.Cold, res.Log)
		}
	}
	checkFailure(t, invoke(t, start(t, Function{Name: "quiet exit"}), `{}`),
		"Runtime.ExitError", "RequestId: ID Error: Runtime exited without providing a reason")
}

func TestFailedInitIsTriedAgain(t *testing.T) {
	l := start(t, Function{Name: "starts at second try", Dir: t.TempDir()})
	res := invoke(t, l, `{}`)
	checkFailure(t, res, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 1")
	if len(res.Log) != 1 || !strings.HasSuffix(res.Log[0], "no settings") {
		t.Errorf("log %q", res.Log)
	}
	if res := invoke(t, l, `{}`); string(res.Payload) != `"ready"` || !res.Cold {
		t.Errorf("second try: %s, cold %v", res.Payload, res.Cold)
	}
}

func TestReportedInitError(t *testing.T) {
	l := start(t, Function{Name: "init error"})
	for range 2 {
		res := invoke(t, l, `{}`)
		checkFailure(t, res, "ConfigError", "TWITTER_ACCESS_TOKEN is missing")
		if !res.Cold || res.Duration != 0 {
			t.Errorf("cold %v, duration %v", res.Cold, res.Duration)
		}
	}
}

func TestOverrunIsKilled(t *testing.T) {
	h := newHost(t)
	l := start(t, Function{Name: "hang", Timeout: 250 * time.Millisecond, Env: map[string]string{"ADDRESS": h.Addr().String()}})
	for range 2 {
		res := invoke(t, l, `{}`)
		checkFailure(t, res, "Sandbox.Timedout", "RequestId: ID Error: Task timed out after 0.25 seconds")
		if !res.Cold {
			t.Error("warm after a timeout")
		}
		h.accept(t).left()
	}
}

func TestKillReachesWhateverTheProcessStarted(t *testing.T) {
	h := newHost(t)
	l := start(t, Function{Name: "nest", Env: map[string]string{"ADDRESS": h.Addr().String()}})
	done := invokeLater(t.Context(), l, `{}`)
	g := h.accept(t)
	l.Kill()
	g.left()
	<-done
}

func TestResponseTooLarge(t *testing.T) {
	res := invoke(t, start(t, Function{Name: "large"}), `{}`)
	checkFailure(t, res, "Function.ResponseSizeTooLarge",
		"Response payload size exceeded maximum allowed payload size (6291556 bytes).")
}

func TestEachEventIsAnsweredOnce(t *testing.T) {
	res := invoke(t, start(t, Function{Name: "bare"}), `{}`)
	if string(res.Payload) != "2" || res.FunctionError != "" {
		t.Errorf("answer %s, error %q", res.Payload, res.FunctionError)
	}
	want := []string{"another id 400", "this id 202", "twice 400"}
	if len(res.Log) != 4 || !slices.Equal(res.Log[1:], want) || !strings.HasPrefix(res.Log[0], "trace Root=1-") {
		t.Errorf("log %q, want a trace and %q", res.Log, want)
	}
}

func TestOverlappingInvocationsHaveProcessesOfTheirOwn(t *testing.T) {
	h := newHost(t)
	l := start(t, Function{Name: "visit"})
	a, b := invokeLater(t.Context(), l, h.event()), invokeLater(t.Context(), l, h.event())
	for _, g := range []guest{h.accept(t), h.accept(t)} {
		g.release()
	}
	for _, done := range []<-chan invocation{a, b} {
		if got := <-done; got.err != nil || got.FunctionError != "" || !got.Cold || !slices.Equal(got.Log, []string{"here"}) {
			t.Errorf("overlapping invocation: %+v", got)
		}
	}
	again := invokeLater(t.Context(), l, h.event())
	h.accept(t).release()
	if got := <-again; got.err != nil || got.Cold {
		t.Errorf("afterwards: cold %v, %v", got.Cold, got.err)
	}
}

func TestFrozenProcessMissesTheTime(t *testing.T) {
	const pause = 100 * time.Millisecond
	h := newHost(t)
	l := start(t, Function{Name: "visit"})
	done := invokeLater(t.Context(), l, h.event())
	g := h.accept(t)
	l.Freeze()
	g.release()
	// Meanwhile another function uses up its time.
	other := newHost(t)
	invoke(t, start(t, Function{Name: "visit", Timeout: pause}), other.event())
	select {
	case got := <-done:
		t.Fatalf("a frozen process answered %s", got.Payload)
	default:
	}
	l.Thaw()
	got := <-done
	var waited time.Duration
	if err := json.Unmarshal(got.Payload, &waited); err != nil || waited < pause {
		t.Errorf("it waited %s, want %v or more (%v)", got.Payload, pause, err)
	}
}

func TestKillReachesAFrozenProcess(t *testing.T) {
	h := newHost(t)
	l := start(t, Function{Name: "visit"})
	done := invokeLater(t.Context(), l, h.event())
	g := h.accept(t)
	l.Freeze()
	l.Kill()
	g.left()
	<-done
}

func TestInvokeThaws(t *testing.T) {
	l := start(t, Function{Name: "echo"})
	invoke(t, l, `1`)
	l.Freeze()
	if res := invoke(t, l, `2`); string(res.Payload) != "2" || res.Cold {
		t.Errorf("got %s %q, cold %v", res.Payload, res.ErrorMessage, res.Cold)
	}
}

func TestKillInTheMiddle(t *testing.T) {
	h := newHost(t)
	l := start(t, Function{Name: "visit"})
	done := invokeLater(t.Context(), l, h.event())
	g := h.accept(t)
	l.Kill()
	g.left()
	got := <-done
	if got.err != nil {
		t.Error(got.err)
	}
	checkFailure(t, got.Result, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: signal: killed")

	next := invokeLater(t.Context(), l, h.event())
	h.accept(t).release()
	if got := <-next; got.err != nil || !got.Cold || got.FunctionError != "" {
		t.Errorf("the next: %+v", got)
	}
}

func TestCallerGivesUp(t *testing.T) {
	h := newHost(t)
	l := start(t, Function{Name: "visit"})
	ctx, cancel := context.WithCancel(t.Context())
	done := invokeLater(ctx, l, h.event())
	g := h.accept(t)
	cancel()
	g.left()
	if got := <-done; !errors.Is(got.err, context.Canceled) || !slices.Equal(got.Log, []string{"here"}) {
		t.Errorf("got %v with log %q", got.err, got.Log)
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	h := newHost(t)
	l := start(t, Function{Name: "visit"})
	a, b := invokeLater(t.Context(), l, h.event()), invokeLater(t.Context(), l, h.event())
	g1, g2 := h.accept(t), h.accept(t)
	g1.release()
	var busy <-chan invocation
	select {
	case <-a:
		busy = b
	case <-b:
		busy = a
	}
	l.Close()
	g1.left()
	g2.left()
	if got := <-busy; got.ErrorType != "Runtime.ExitError" {
		t.Errorf("the busy invocation ended with %+v", got)
	}
	if _, err := l.Invoke(t.Context(), []byte(`1`)); !errors.Is(err, ErrClosed) {
		t.Errorf("Invoke after Close: %v", err)
	}
	l.Close()
}

func TestStartNeedsAnExecutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bootstrap")
	if _, err := Start(Function{Name: "f", Bootstrap: path}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(Function{Name: "f", Bootstrap: path}); err == nil || !strings.Contains(err.Error(), "not an executable file") {
		t.Errorf("no execute bit: %v", err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := Start(Function{Name: "f", Bootstrap: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Invoke(t.Context(), nil); err == nil {
		t.Error("Invoke ran a text file")
	}
}

func TestScheduledEvent(t *testing.T) {
	at := time.Date(2026, 11, 23, 11, 0, 0, 5e8, time.FixedZone("CET", 3600))
	raw := ScheduledEvent(at)
	var e events.EventBridgeEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	if e.Version != "0" || e.DetailType != "Scheduled Event" || e.Source != "aws.events" || !e.Time.Equal(at.Truncate(time.Second)) {
		t.Errorf("event %s", raw)
	}
	if !strings.Contains(string(raw), `"time":"2026-11-23T10:00:00Z"`) || !strings.Contains(string(raw), `"detail":{}`) {
		t.Errorf("event %s", raw)
	}
	var other events.EventBridgeEvent
	if err := json.Unmarshal(ScheduledEvent(at), &other); err != nil || other.ID == e.ID || len(e.ID) != 36 {
		t.Errorf("ids %q and %q (%v)", e.ID, other.ID, err)
	}
}
