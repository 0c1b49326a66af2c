package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

type runCommand struct {
	Bot    botName         `arg:"" help:"${bots}."`
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
	account, err := cloud.account(ctx)
	if err != nil {
		return err
	}
	maps.Copy(change, account)

	watch := &watcher{make(map[string]string), c}
	watch.progress(r.Bot.Name + ": starting")
	var report bot.Report
	function, err := app.New(r.Bot.Bot, service.environment(r.Bot.Name).environ(change), watch)
	if err == nil {
		watch.progress(r.Bot.Name + ": reading its settings, and searching")
		report, err = function.Handle(ctx, app.Event{})
	}
	watch.progress("")
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
	c     console
}

// Write takes one line of the log.
func (w *watcher) Write(text []byte) (int, error) {
	var line struct{ Level, Message, Bot, Source, Text, Err, Reason, Why string }
	if json.Unmarshal(text, &line) != nil || line.Message == "run" {
		return len(text), nil
	}
	if line.Text != "" {
		w.texts[line.Source] = line.Text
	}
	said := line.Bot + ": " + line.Message
	for _, detail := range []string{line.Source, line.Reason, line.Why, line.Err} {
		if detail != "" {
			said += ", " + detail
		}
	}
	if line.Level == "WARN" || line.Level == "ERROR" {
		w.progress("")
		fmt.Fprintln(w.c.err, said)
	} else {
		w.progress(said)
	}
	return len(text), nil
}

// progress replaces the line on the terminal. Elsewhere it writes nothing.
func (w *watcher) progress(said string) {
	if ansi(w.c.err) {
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
