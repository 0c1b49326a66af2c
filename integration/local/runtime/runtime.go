// Package runtime runs Lambda functions on a laptop: it starts the binary that
// is deployed, speaks the Lambda Runtime API to it, and hands it events
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
//
// An instance is one process with a Runtime API of its own. It deals with one
// invocation at a time and stays warm for the next; an invocation that finds
// every instance busy gets a new one. An instance whose process has ended is
// thrown away, so the next invocation starts cold.
//
// It works on Linux and macOS.
package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A Function is one deployed function.
type Function struct {
	Name      string
	Bootstrap string            // the binary; it is run without arguments
	Env       map[string]string // the whole environment, but for the variables that Lambda sets
	Timeout   time.Duration     // of one invocation; 0 means Lambda's default, 3 seconds
	Memory    int               // in MB, told to the function but not enforced; 0 means 128
	Dir       string            // the working directory; empty means the bootstrap's
}

// A Result is what became of one invocation.
type Result struct {
	RequestID string
	Payload   []byte // the function's answer, or its error as JSON

	// FunctionError is "Unhandled" if the function failed, and empty if it
	// answered. ErrorType and ErrorMessage are then what it reported, or
	// Sandbox.Timedout, Runtime.ExitError or Function.ResponseSizeTooLarge.
	FunctionError, ErrorType, ErrorMessage string

	// Log has the lines that the process wrote to standard output and standard
	// error since its last invocation. Of more than 1 MiB the end is kept, and
	// of a line the first 256 KiB.
	Log []string

	Cold     bool          // the process was started for this invocation
	Init     time.Duration // of a cold start: until the process first asked for an event
	Duration time.Duration // until the process had dealt with the event

	// MaxMemory is the most memory in bytes that the process has had until now,
	// Lambda's "Max Memory Used". It is 0 on macOS and if the process has ended.
	MaxMemory int64
}

// A Lambda runs one function. Its methods may be called concurrently.
type Lambda struct {
	f       Function
	invokes sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	all    []*instance
	idle   []*instance // the part of all that is warm and free; the last is used first
	closed bool
}

// ErrClosed is what Invoke returns after Close.
var ErrClosed = errors.New("closed")

// Start makes a function ready to be invoked; its first process starts with the
// first invocation. The caller must Close the Lambda.
func Start(f Function) (*Lambda, error) {
	path, err := filepath.Abs(f.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("start function %q: %w", f.Name, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("start function %q: %w", f.Name, err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("start function %q: %s is not an executable file", f.Name, path)
	}
	f.Bootstrap = path
	f.Timeout = cmp.Or(f.Timeout, 3*time.Second)
	f.Memory = cmp.Or(f.Memory, 128)
	f.Dir = cmp.Or(f.Dir, filepath.Dir(path))
	return &Lambda{f: f}, nil
}

// Invoke hands the function one event, which is JSON, and waits until the
// function has dealt with it: it asked for another event, or ended, or was
// killed for taking longer than its timeout. A function's failure is told in
// the Result, not by the error. If ctx ends first, Invoke kills the process and
// returns ctx's error with a Result that has the log so far.
func (l *Lambda) Invoke(ctx context.Context, event []byte) (Result, error) {
	in, cold, err := l.take()
	if err != nil {
		return Result{}, fmt.Errorf("invoke function %q: %w", l.f.Name, err)
	}
	defer l.invokes.Done()

	res := Result{RequestID: newUUID(), Cold: cold}
	if cold {
		err = in.awaitInit(ctx, &res)
	}
	if err == nil && res.FunctionError == "" {
		err = in.invoke(ctx, event, &res)
	}
	if l.put(in, &res); err != nil {
		return res, fmt.Errorf("invoke function %q: %w", l.f.Name, err)
	}
	return res, nil
}

// take returns an idle instance, thawed, or a new one.
func (l *Lambda) take() (in *instance, cold bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, false, ErrClosed
	}
	for len(l.idle) > 0 && in == nil {
		last := len(l.idle) - 1
		in, l.idle = l.idle[last], l.idle[:last]
		if in.ended() {
			l.remove(in)
			in = nil
		}
	}
	if in == nil {
		if in, err = startInstance(l.f); err != nil {
			return nil, false, err
		}
		l.all = append(l.all, in)
		cold = true
	}
	in.signal(syscall.SIGCONT)
	l.invokes.Add(1)
	return in, cold, nil
}

// put takes an instance back after an invocation, and its log.
func (l *Lambda) put(in *instance, res *Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if in.unfit {
		in.kill()
	} else {
		res.MaxMemory = maxMemory(in.pid)
	}
	res.Log = in.readLog()
	if in.ended() {
		l.remove(in)
	} else {
		l.idle = append(l.idle, in)
	}
}

func (l *Lambda) remove(in *instance) {
	in.close()
	l.all = slices.DeleteFunc(l.all, func(other *instance) bool { return other == in })
}

// Freeze stops every process of the function where it stands, as Lambda does
// between invocations; time passes without it. Invoke thaws the instance that
// it uses, but an invocation that is under way stays frozen until Thaw or until
// its timeout. On Linux, Freeze returns when the processes stand still.
func (l *Lambda) Freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.all {
		in.signal(syscall.SIGSTOP)
		for !in.ended() && !standsStill(in.pid) {
			goruntime.Gosched()
		}
	}
}

// Thaw lets every process of the function go on.
func (l *Lambda) Thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.all {
		in.signal(syscall.SIGCONT)
	}
}

// Kill ends every process of the function with SIGKILL and waits until they are
// gone. Invocations under way end with Runtime.ExitError; the next one starts
// cold.
func (l *Lambda) Kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.all {
		in.kill()
	}
	for _, in := range l.idle {
		l.remove(in)
	}
	l.idle = nil
}

// Close kills every process of the function, and waits until they and the
// invocations under way have ended. It may be called more than once.
func (l *Lambda) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.Kill()
	l.invokes.Wait()
}
