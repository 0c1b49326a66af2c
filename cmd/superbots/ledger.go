package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

type ledgerCommand struct {
	Show    ledgerShow    `cmd:"" help:"Show what became of every source post, and why."`
	Redrive ledgerRedrive `cmd:"" help:"Send a dead post on its way again. One of unknown outcome is looked up first."`
	Pause   ledgerPause   `cmd:"" help:"Keep a bot from doing anything, from its next run on, without a deployment."`
	Resume  ledgerResume  `cmd:"" help:"Let a paused or stopped bot go on."`
}

// where is the ledger of a bot.
type where struct {
	Bot    botName         `arg:"" help:"${bots}."`
	Stage  string          `help:"Stage whose deployed ledger it is." placeholder:"STAGE"`
	Ledger ledger.Location `env:"LEDGER" help:"dynamodb:TABLE or file:PATH, in the place of a stage's." placeholder:"LEDGER"`
	Region string          `help:"AWS region (default: the one that the AWS SDK is configured for)." placeholder:"REGION"`
}

func (w where) store(ctx context.Context) (ledger.Store, error) {
	if (w.Stage == "") == w.Ledger.IsZero() {
		return nil, used("which ledger? Give exactly one of --stage and --ledger; LEDGER in the environment counts as the latter")
	}
	if w.Stage != "" {
		cloud, err := place{w.Stage, w.Region}.open(ctx)
		if err != nil {
			return nil, err
		}
		deployed, err := cloud.ledger(ctx)
		if err != nil {
			return nil, err
		}
		if err := w.Ledger.UnmarshalText([]byte(deployed)); err != nil {
			return nil, fmt.Errorf("the output LedgerTable of the stack %s: %w", cloud.stack(), err)
		}
		return w.open(cloud.aws)
	}
	if path, ok := strings.CutPrefix(w.Ledger.String(), "file:"); ok {
		if _, err := os.Stat(path); err != nil { // opening it would make a new one
			return nil, err
		}
	}
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(w.Region))
	if err != nil {
		return nil, fmt.Errorf("configuring the AWS SDK: %w", err)
	}
	return w.open(config)
}

func (w where) open(config aws.Config) (ledger.Store, error) {
	return w.Ledger.Open(func() ledger.DynamoDB { return dynamodb.NewFromConfig(config) })
}

func (w where) load(ctx context.Context) (*ledger.Ledger, error) {
	store, err := w.store(ctx)
	if err != nil {
		return nil, err
	}
	return ledger.Load(ctx, store, w.Bot.Name, "operator/"+rand.Text())
}

type ledgerShow struct {
	where
	State ledger.State `help:"Only the posts in this state: pending, posting, posted, skipped or dead." enum:",pending,posting,posted,skipped,dead" default:"" placeholder:"STATE"`
	output
}

// Help follows the flags on -h.
func (ledgerShow) Help() string {
	return `Examples:
  superbots ledger show superman --stage prod --state dead
  superbots ledger show superman --ledger file:.local/dev/ledger.db`
}

func (l ledgerShow) Run(ctx context.Context, c console) error {
	store, err := l.store(ctx)
	if err != nil {
		return err
	}
	rows, err := store.All(ctx, l.Bot.Name)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r ledger.Row) bool {
		return r.Text != nil || l.State != "" && (r.Post == nil || r.Post.State != l.State)
	})
	if l.Output == "json" {
		out := json.NewEncoder(c.out)
		for _, r := range rows {
			if err := out.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		switch {
		case r.Control != nil:
			showControl(w, *r.Control)
		case r.Gap != nil:
			fmt.Fprintf(w, "gap\t%s to %s was never searched\n", r.Gap.From.Format(time.RFC3339), r.Gap.To.Format(time.RFC3339))
		case r.Post != nil:
			p := r.Post
			end := p.Reason
			if p.PostedID != 0 {
				end = "as " + strconv.FormatUint(p.PostedID, 10) + " " + end
			}
			changed := ""
			if n := len(p.History); n > 0 {
				changed = p.History[n-1].At.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", p.ID, p.State, changed, end, p.Text)
		}
	}
	return w.Flush()
}

func showControl(w *tabwriter.Writer, c ledger.Control) {
	fmt.Fprintf(w, "day\t%s: %d posts, %s\n", c.Day.Date, c.Day.Posts, bot.Dollars(c.Day.Micros))
	for _, what := range slices.Sorted(maps.Keys(c.Stops)) {
		if s := c.Stops[what]; time.Now().Before(s.Until) {
			fmt.Fprintf(w, "stop\t%s until %s: %s\n", what, s.Until.Format(time.RFC3339), s.Why)
		}
	}
}

type ledgerRedrive struct {
	where
	ID uint64 `arg:"" help:"Id of the source post."`
}

func (l ledgerRedrive) Run(ctx context.Context) error {
	book, err := l.load(ctx)
	if err != nil {
		return err
	}
	return book.Redrive(ctx, l.ID)
}

type ledgerPause struct{ where }

// pauseTime is long enough to mean: until somebody says resume.
const pauseTime = 100 * 365 * 24 * time.Hour

func (l ledgerPause) Run(ctx context.Context) error {
	book, err := l.load(ctx)
	if err != nil {
		return err
	}
	return book.Stop(ctx, bot.StopPaused, ledger.Stop{Why: "paused", Until: time.Now().Add(pauseTime).UTC()})
}

type ledgerResume struct{ where }

func (l ledgerResume) Run(ctx context.Context) error {
	book, err := l.load(ctx)
	if err != nil {
		return err
	}
	for what := range book.Control().Stops {
		if err := book.Resume(ctx, what); err != nil {
			return err
		}
	}
	return nil
}
