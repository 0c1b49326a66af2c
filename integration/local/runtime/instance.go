package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Lambda's own limits, from
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html and
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	initLimit        = 10 * time.Second
	maxResponseBytes = 6<<20 + 100
)

const (
	maxLogBytes  = 1 << 20
	maxLineBytes = 256 << 10
)

// An instance is one process and the Runtime API that it calls. At most one
// invocation uses it at a time, and is the other end of its channels.
type instance struct {
	f       Function
	arn     string
	started time.Time
	pid     int
	unfit   bool // for another invocation

	// The process writes its output to a file that has no name any more. So it
	// never waits for a reader, nothing is left behind, and whatever it wrote
	// before it asked for the next event is there to be read.
	log     *os.File
	logRead int64

	polled  chan struct{} // the process asks for an event
	events  chan event
	reports chan report
	exited  chan struct{} // closed when the process has ended
	exit    error         // why; set before exited is closed

	server *http.Server
	work   sync.WaitGroup // serving, and waiting for the process

	mu      sync.Mutex
	pending string // guarded by mu: the id of the event that the process has and did not answer
}

type event struct {
	id       string
	deadline time.Time
	payload  []byte
}

// A report is how the process answered an event, or that it could not start.
type report struct {
	payload            []byte
	failed             bool
	errType, errReason string
}

func startInstance(f Function) (*instance, error) {
	log, err := openLog()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Close()
		return nil, err
	}
	in := &instance{
		f: f, arn: "arn:aws:lambda:" + region(f) + ":" + account + ":function:" + f.Name,
		started: time.Now(), log: log,
		polled: make(chan struct{}), events: make(chan event), reports: make(chan report), exited: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", in.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", in.serveResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", in.serveError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", in.serveInitError)
	in.server = &http.Server{Handler: mux, ReadHeaderTimeout: initLimit}
	in.work.Go(func() { in.server.Serve(listener) })

	cmd := exec.Command(f.Bootstrap)
	cmd.Dir = f.Dir
	cmd.Env = environment(f, listener.Addr().String(), in.started)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = processAttributes()
	up := make(chan error)
	in.work.Go(func() {
		// On Linux the process dies with the thread that started it, so that
		// thread must live as long.
		goruntime.LockOSThread()
		defer goruntime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			in.pid = cmd.Process.Pid
		}
		up <- err
		if err == nil {
			in.exit = cmd.Wait()
			syscall.Kill(-in.pid, syscall.SIGKILL) // what it started and left behind
		}
		close(in.exited)
	})
	if err := <-up; err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func region(f Function) string {
	if r := f.Env["AWS_REGION"]; r != "" {
		return r
	}
	return "us-east-1"
}

// environment lists what
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html says
// of a function without a managed runtime. Nothing comes from this process.
func environment(f Function, api string, now time.Time) []string {
	vars := map[string]string{}
	for name, value := range f.Env {
		vars[name] = value
	}
	vars["AWS_LAMBDA_RUNTIME_API"] = api
	vars["AWS_LAMBDA_FUNCTION_NAME"] = f.Name
	vars["AWS_LAMBDA_FUNCTION_VERSION"] = "$LATEST"
	vars["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = strconv.Itoa(f.Memory)
	vars["AWS_LAMBDA_LOG_GROUP_NAME"] = "/aws/lambda/" + f.Name
	vars["AWS_LAMBDA_LOG_STREAM_NAME"] = now.UTC().Format("2006/01/02/") + "[$LATEST]" + randomHex(16)
	vars["AWS_REGION"] = region(f)
	vars["AWS_DEFAULT_REGION"] = region(f)
	vars["LAMBDA_TASK_ROOT"] = filepath.Dir(f.Bootstrap)
	vars["_HANDLER"] = "bootstrap"
	vars["TZ"] = ":UTC"
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

func (in *instance) awaitInit(ctx context.Context, res *Result) error {
	defer func() { res.Init = time.Since(in.started) }()
	return in.await(ctx, initLimit, nil, res)
}

func (in *instance) invoke(ctx context.Context, payload []byte, res *Result) error {
	begin := time.Now()
	defer func() { res.Duration = time.Since(begin) }()
	ev := &event{id: res.RequestID, deadline: begin.Add(in.f.Timeout), payload: payload}
	return in.await(ctx, in.f.Timeout, ev, res)
}

// await hands over the event, if there is one, and waits until the process asks
// for another. It fills in res. Unless all went well, the instance is unfit.
func (in *instance) await(ctx context.Context, limit time.Duration, ev *event, res *Result) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var events chan event
	var next event
	answered := ev == nil
	if ev != nil {
		events, next = in.events, *ev
	}
	in.unfit = true
	for {
		select {
		case events <- next:
			events = nil
		case r := <-in.reports:
			answered = true
			res.Payload = r.payload
			if r.failed {
				res.FunctionError, res.ErrorType, res.ErrorMessage = "Unhandled", r.errType, r.errReason
			}
			if ev == nil { // it could not start
				return nil
			}
		case <-in.polled:
			if answered {
				in.unfit = false
				return nil
			}
		case <-in.exited:
			if ev == nil || !answered {
				reason := "exited without providing a reason"
				if in.exit != nil {
					reason = "exited with error: " + in.exit.Error()
				}
				res.fail("Runtime.ExitError", "Runtime "+reason)
			}
			return nil
		case <-timer.C:
			res.fail("Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds()))
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fail words an error of Lambda's own as Lambda does.
func (res *Result) fail(errType, reason string) {
	res.FunctionError, res.ErrorType = "Unhandled", errType
	res.ErrorMessage = "RequestId: " + res.RequestID + " Error: " + reason
	res.Payload = errorJSON(res.ErrorType, res.ErrorMessage)
}

func errorJSON(errType, message string) []byte {
	b, err := json.Marshal(map[string]string{"errorType": errType, "errorMessage": message})
	if err != nil {
		panic(err) // unreachable: only strings
	}
	return b
}

func (in *instance) serveNext(w http.ResponseWriter, r *http.Request) {
	polled := in.polled
	for {
		select {
		case polled <- struct{}{}:
			polled = nil
		case ev := <-in.events:
			in.mu.Lock()
			in.pending = ev.id
			in.mu.Unlock()
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Lambda-Runtime-Aws-Request-Id", ev.id)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(ev.deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", in.arn)
			h.Set("Lambda-Runtime-Trace-Id", fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", time.Now().Unix(), randomHex(12), randomHex(8)))
			w.Write(ev.payload)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (in *instance) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, ok := in.answer(w, r)
	if !ok {
		return
	}
	if len(body) > maxResponseBytes {
		message := fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponseBytes)
		refused := errorJSON("Function.ResponseSizeTooLarge", message)
		in.report(r, report{refused, true, "Function.ResponseSizeTooLarge", message})
		say(w, http.StatusRequestEntityTooLarge, errorJSON("RequestEntityTooLarge", message))
		return
	}
	in.report(r, report{payload: body})
	say(w, http.StatusAccepted, statusOK)
}

func (in *instance) serveError(w http.ResponseWriter, r *http.Request) {
	if body, ok := in.answer(w, r); ok {
		in.report(r, failure(r, body))
		say(w, http.StatusAccepted, statusOK)
	}
}

func (in *instance) serveInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponseBytes))
	if err != nil {
		return
	}
	in.report(r, failure(r, body))
	say(w, http.StatusAccepted, statusOK)
}

// answer reads the process's answer to the pending event, up to one byte more
// than is allowed. Each event is answered once.
func (in *instance) answer(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	in.mu.Lock()
	ok = in.pending != "" && in.pending == r.PathValue("id")
	if ok {
		in.pending = ""
	}
	in.mu.Unlock()
	if !ok {
		say(w, http.StatusBadRequest, errorJSON("InvalidRequestID", "Invalid request ID"))
		return nil, false
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponseBytes+1))
	return body, err == nil // on an error the process is gone, or soon times out
}

func failure(r *http.Request, body []byte) report {
	var e struct{ ErrorType, ErrorMessage string }
	json.Unmarshal(body, &e) // a body of another shape is still the payload
	if e.ErrorType == "" {
		e.ErrorType = r.Header.Get("Lambda-Runtime-Function-Error-Type")
	}
	return report{body, true, e.ErrorType, e.ErrorMessage}
}

func (in *instance) report(r *http.Request, rep report) {
	select {
	case in.reports <- rep:
	case <-r.Context().Done():
	}
}

var statusOK = []byte(`{"status":"OK"}`)

func say(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

func (in *instance) ended() bool {
	select {
	case <-in.exited:
		return true
	default:
		return false
	}
}

// signal reaches the process and whatever it started.
func (in *instance) signal(sig syscall.Signal) {
	if !in.ended() {
		syscall.Kill(-in.pid, sig)
	}
}

func (in *instance) kill() {
	in.signal(syscall.SIGKILL)
	<-in.exited
}

// close frees what an instance without a process still holds.
func (in *instance) close() {
	// With the process gone its calls end by themselves; a second is for other
	// callers, which there should be none of.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := in.server.Shutdown(ctx); err != nil {
		in.server.Close()
	}
	in.work.Wait()
	in.log.Close()
}

func openLog() (*os.File, error) {
	path := filepath.Join(os.TempDir(), "lambda-log-"+randomHex(16))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readLog returns the lines written since it was last called.
func (in *instance) readLog() []string {
	info, err := in.log.Stat()
	if err != nil {
		return []string{"the log cannot be read: " + err.Error()}
	}
	size := info.Size()
	from := max(in.logRead, size-maxLogBytes)
	text := make([]byte, size-from)
	if _, err := in.log.ReadAt(text, from); err != nil && err != io.EOF {
		return []string{"the log cannot be read: " + err.Error()}
	}
	var lines []string
	if from > in.logRead {
		lines = append(lines, fmt.Sprintf("(%d bytes of log left out)", from-in.logRead))
	}
	in.logRead = size
	if size > maxLogBytes && in.log.Truncate(0) == nil {
		in.logRead = 0
	}
	if text = bytes.TrimSuffix(text, []byte("\n")); len(text) > 0 {
		for line := range strings.SplitSeq(string(text), "\n") {
			lines = append(lines, line[:min(len(line), maxLineBytes)])
		}
	}
	return lines
}
