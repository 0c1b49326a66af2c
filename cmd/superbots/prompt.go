package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"example.com/superbots/pkg/config"
)

// terminal reports whether f is one, and not a file or a pipe.
func terminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && file.Name() != os.DevNull
}

// ansi reports whether f understands more than text: a terminal that is not dumb.
func ansi(f any) bool { return terminal(f) && os.Getenv("TERM") != "dumb" }

// A prompter asks for one line at a time. What it asks goes to standard error,
// so that standard output has results alone.
type prompter struct {
	lines *bufio.Reader
	c     console
}

func (c console) prompter() prompter { return prompter{bufio.NewReader(c.in), c} }

// ask returns the next line without the space around it. It waits for the line
// until ctx ends; the read that it then leaves behind ends with the process.
func (p prompter) ask(ctx context.Context, question string) (string, error) {
	if terminal(p.c.in) {
		fmt.Fprint(p.c.err, question+": ")
	}
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		line, err := p.lines.ReadString('\n')
		read <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-read:
		if a.line == "" && (a.err == nil || errors.Is(a.err, io.EOF)) {
			return "", fmt.Errorf("no %s was given", question)
		}
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("reading the %s: %w", question, a.err)
		}
		return a.line, nil
	}
}

// secret is ask without an echo on the terminal.
func (p prompter) secret(ctx context.Context, question string) (config.Secret, error) {
	if terminal(p.c.in) && stty(ctx, "-echo") == nil {
		defer func() {
			stty(context.WithoutCancel(ctx), "echo")
			fmt.Fprintln(p.c.err)
		}()
	}
	line, err := p.ask(ctx, question)
	return config.NewSecret(line), err
}

// stty changes the terminal that is standard input. Where there is no such
// program what is typed can be seen.
func stty(ctx context.Context, setting string) error {
	cmd := exec.CommandContext(ctx, "stty", setting)
	cmd.Stdin = os.Stdin
	return cmd.Run()
}

// browse opens a page in the operator's browser, as far as there is one.
func browse(ctx context.Context, page string) {
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	exec.CommandContext(ctx, opener, page).Run()
}
