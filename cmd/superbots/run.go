package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

type runCommand struct {
	Bot    botName         `arg:"" help:"Name of the bot."`
	DryRun bool            `default:"true" negatable:"" help:"Do everything but send. --dry-run=false posts."`
	Ledger ledger.Location `help:"dynamodb:TABLE or file:PATH (default: memory for a dry run, which leaves the deployed bot's alone, and else the stack's table)." placeholder:"LEDGER"`
	place
	xAddress
	output
}

// Help follows the flags on -h.
func (runCommand) Help() string {
	return `Examples:
  superbots run superman --stage dev
  superbots run superman --stage prod --dry-run=false

The function's environment is that of serverless.yml, its AWS credentials are
your own. A search costs what it costs the deployed bot: half a cent a post.
A post is sent by this run and by no other, because both share one ledger.`
}

func (r runCommand) Run(ctx context.Context, c console) error {
	cloud, err := r.open(ctx)
	if err != nil {
		return err
	}
	change := map[string]string{"BOT_MODE": string(bot.DryRun), "LEDGER": r.Ledger.String()}
	if r.Ledger.IsZero() {
		change["LEDGER"] = "memory:"
	}
	if !r.DryRun {
		change["BOT_MODE"] = string(bot.PostMode)
		if r.Ledger.IsZero() {
			if change["LEDGER"], err = cloud.ledger(ctx); err != nil {
				return err
			}
		}
	}
	service, err := cloud.service(ctx)
	if err != nil {
		return err
	}
	if at := r.BaseURL.URL(); r.BaseURL.Loopback() {
		change["TWITTER_BASE_URL"] = at.String()
	}
	os.Setenv("AWS_REGION", cloud.aws.Region) // the function makes its own clients, as in Lambda

	watch, err := watchLog(c)
	if err != nil {
		return err
	}
	report, err := func() (bot.Report, error) {
		defer watch.end()
		function, err := watch.start(ctx, r.Bot.Bot, service.environment(r.Bot.Name).environ(change))
		if err != nil {
			return bot.Report{}, err
		}
		return function.Handle(ctx, app.Event{})
	}()
	if err != nil {
		return cloud.runProblem(r.Bot.Name, err)
	}
	if r.Output == "json" {
		out := json.NewEncoder(c.out)
		out.SetEscapeHTML(false)
		err = out.Encode(report)
	} else {
		err = showReport(c.out, report, watch.texts)
	}
	if err == nil && !report.Worked() {
		err = fmt.Errorf("the run did not do its work: %s", report.Stopped)
	}
	return err
}

// runProblem adds to what a run could not do what to do about it.
func (c cloud) runProblem(name string, err error) error {
	if _, ok := errors.AsType[*app.ConfigError](err); ok {
		return fmt.Errorf("%w\nsuperbots params check --stage %s says what to do", err, c.stage)
	}
	if _, ok := errors.AsType[*app.LedgerError](err); ok {
		return fmt.Errorf("%w\nIs the ledger that of %s? --ledger names another", err, c.stack())
	}
	return fmt.Errorf("%s: %w", name, err)
}

// A watcher turns what a function logs into a line on the terminal that says
// how far the run is, and keeps the texts that it made.
type watcher struct {
	texts map[string]string // by source post

	c       console
	log     *os.File // the function's side
	reading sync.WaitGroup
}

func watchLog(c console) (*watcher, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	watch := &watcher{texts: make(map[string]string), c: c, log: w}
	watch.reading.Go(func() {
		defer r.Close()
		watch.read(r)
	})
	return watch, nil
}

// start makes the function, with the watcher where Lambda reads a function's
// log: at standard output.
func (w *watcher) start(ctx context.Context, b bot.Bot, environ []string) (*app.App, error) {
	w.progress(b.Name + ": starting")
	out := os.Stdout
	os.Stdout = w.log
	defer func() { os.Stdout = out }()
	function, err := app.New(ctx, b, environ)
	w.progress(b.Name + ": reading its settings, and searching")
	return function, err
}

// end waits until all that was logged is read.
func (w *watcher) end() {
	w.log.Close()
	w.reading.Wait()
	w.progress("")
}

func (w *watcher) read(log io.Reader) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var line struct{ Level, Msg, Bot, Source, Text, Err, What, Why string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Msg == "run" {
			continue
		}
		if line.Text != "" {
			w.texts[line.Source] = line.Text
		}
		said := line.Bot + ": " + line.Msg
		for _, detail := range []string{line.Source, line.Why, line.Err} {
			if detail != "" {
				said += ", " + detail
			}
		}
		if line.Level == "WARN" || line.Level == "ERROR" {
			w.progress("")
			fmt.Fprintln(w.c.err, said)
			continue
		}
		w.progress(said)
	}
	io.Copy(io.Discard, log) // after a line that is too long
}

// progress replaces the line on the terminal. Elsewhere it writes nothing.
func (w *watcher) progress(said string) {
	if terminal(w.c.err) {
		fmt.Fprint(w.c.err, "\r\x1b[K"+said)
	}
}

func showReport(out io.Writer, r bot.Report, texts map[string]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\n", r.Bot, r.Mode)
	fmt.Fprintf(w, "found\t%d\n", r.Found)
	fmt.Fprintf(w, "posted\t%d\n", r.Posted)
	fmt.Fprintf(w, "skipped\t%d\n", total(r.Skipped))
	for _, reason := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(w, "  %s\t%d\n", reason, r.Skipped[reason])
	}
	fmt.Fprintf(w, "pending\t%d\n", r.Pending)
	fmt.Fprintf(w, "unknown\t%d\n", r.Unknown)
	fmt.Fprintf(w, "dead\t%d\n", r.Dead)
	fmt.Fprintf(w, "cost\t%v\n", bot.USD(r.CostUSD))
	if r.Stopped != "" {
		fmt.Fprintf(w, "stopped\t%s\n", r.Stopped)
	}
	if len(r.Posts) > 0 {
		fmt.Fprintln(w)
	}
	for _, p := range r.Posts {
		end := p.Reason
		if p.Post != 0 {
			end = "posted as " + strconv.FormatUint(p.Post, 10)
		}
		text := texts[strconv.FormatUint(p.Source, 10)]
		fmt.Fprintf(w, "%d\t%s\t%s\n", p.Source, end, strings.ReplaceAll(cmp.Or(text, "-"), "\n", " / "))
	}
	return w.Flush()
}
