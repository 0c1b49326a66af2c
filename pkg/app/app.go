// Package app makes a function out of a bot and its environment.
//
// The one idea: this is the only place that knows all the parts. Each of them
// is given what it needs and never asks where it came from.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// An App is a bot's function. Handle may be called by many goroutines at once.
type App struct {
	bot    bot.Bot
	config *config.Loader[Settings]
	store  ledger.Store
	log    *slog.Logger
	out    io.Writer

	mu     sync.Mutex
	client client // guarded by mu
}

// client is kept between runs, for its connections.
type client struct {
	generation uint64
	x          bot.X
}

// New gathers what b's function needs from environ, and from nowhere else, and
// checks all that can be checked without a call to AWS or X. Its error lists
// everything that is wrong. The log and the metrics go to out, in Lambda
// os.Stdout: a line of JSON with each Write, of which there may be several at once
// if there are several runs.
func New(b bot.Bot, environ []string, out io.Writer) (*App, error) {
	aws := accountOf(environ)
	settings, err := config.New[Settings](environ, aws.ssm())
	if slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "LEDGER=ssm:") }) {
		// The ledger is opened here, before anything is read.
		err = errors.Join(err, config.Problem{Variable: "LEDGER", Reason: "must hold the value itself, not a reference"})
	}
	if err != nil {
		return nil, err
	}
	store, err := settings.Fixed().Ledger.Open(func() ledger.DynamoDB { return aws.dynamodb() })
	if err != nil {
		return nil, err
	}
	// Always JSON: the report is the last line of each run, for programs.
	handler := slog.NewJSONHandler(out, &slog.HandlerOptions{ReplaceAttr: lambdacontext.ReplaceAttr})
	return &App{bot: b, config: settings, store: store, log: slog.New(handler).With("bot", b.Name), out: out}, nil
}

// An Event is what starts a run. EventBridge's scheduled events have a time; an
// invocation by hand without one means now.
type Event struct {
	Time time.Time `json:"time"`
}

// tooLate is the age at which an event is answered and nothing is done: a newer
// one has come since.
const tooLate = 15 * time.Minute

// A ConfigError says that there are no settings to work with. Lambda reports
// the name of its type.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns the error of package config.
func (e *ConfigError) Unwrap() error { return e.Err }

// A LedgerError says that the ledger could not be read or written. Lambda
// reports the name of its type.
type LedgerError struct{ Err error }

func (e *LedgerError) Error() string { return e.Err.Error() }

// Unwrap returns the error of package ledger.
func (e *LedgerError) Unwrap() error { return e.Err }

// Handle does one run and answers with its report, which is also the last line
// that it logs. Its errors are a *ConfigError, a *LedgerError and a
// *bot.QueryError; nothing is posted after any of them.
func (a *App) Handle(ctx context.Context, event Event) (bot.Report, error) {
	log, run := a.log, rand.Text()
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		log = log.With("requestId", lc.AwsRequestID)
		run = lc.AwsRequestID + "/" + run // the same event may be delivered twice
	}
	if !event.Time.IsZero() && time.Since(event.Time) > tooLate {
		report := bot.Report{
			Bot: a.bot.Name, Mode: a.config.Fixed().Mode, Stopped: "late event",
			Skipped: map[string]int{}, Posts: []bot.Outcome{}, Config: bot.Config{Versions: map[string]int64{}},
		}
		log.WarnContext(ctx, "run", "report", report)
		return report, nil
	}
	report, err := a.run(ctx, log, run)
	if lambdacontext.FunctionName != "" {
		writeMetrics(a.out, lambdacontext.FunctionName, time.Now(), report, err)
	}
	if err != nil {
		log.ErrorContext(ctx, "run", "err", err, "report", report)
		return report, err
	}
	log.InfoContext(ctx, "run", "report", report)
	return report, nil
}

func (a *App) run(ctx context.Context, log *slog.Logger, name string) (report bot.Report, err error) {
	reads := a.config.Status().Reads
	defer func() {
		s := a.config.Status()
		report.Config = bot.Config{AgeSeconds: s.Age.Seconds(), Versions: s.Versions, Stale: s.Stale, Refreshes: s.Reads - reads}
		if s.LastError != nil {
			log.WarnContext(ctx, "settings could not be read again", "err", s.LastError)
		}
	}()

	// The two reads do not need each other, and each is a round trip.
	var book *ledger.Ledger
	var bookErr error
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		book, bookErr = ledger.Load(ctx, a.store, a.bot.Name, name)
	}()
	snapshot, err := a.config.Get(ctx)
	<-loaded
	if err != nil {
		return bot.Report{Bot: a.bot.Name}, &ConfigError{err}
	}
	if bookErr != nil {
		return bot.Report{Bot: a.bot.Name}, &LedgerError{bookErr}
	}

	generation := snapshot.Generation
	r := &bot.Run{
		Bot:         a.bot,
		Settings:    snapshot.Value.Settings,
		UserID:      snapshot.Value.Account(),
		Credentials: bot.Credentials{X: a.x(snapshot), Versions: snapshot.Versions},
		Renew: func(ctx context.Context) (bot.Credentials, bool, error) {
			s, err := a.config.Refresh(ctx, generation)
			if err != nil {
				return bot.Credentials{}, false, err
			}
			changed := s.Generation != generation
			generation = s.Generation
			return bot.Credentials{X: a.x(s), Versions: s.Versions}, changed, nil
		},
		Ledger: book,
		Log:    log,
	}
	report, err = r.Do(ctx)
	if _, ok := err.(*bot.QueryError); err != nil && !ok {
		err = &LedgerError{err}
	}
	return report, err
}

func (a *App) x(s *config.Snapshot[Settings]) bot.X {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client.generation != s.Generation {
		a.client = client{s.Generation, NewX(s.Value)}
	}
	return a.client.x
}

// NewX returns the client for X that the settings ask for.
func NewX(s Settings) bot.X {
	base := s.BaseURL.URL()
	if s.API == V2 {
		return twitter.New(base, s.Keys())
	}
	if base.Host == "api.x.com" {
		base.Host = "api.twitter.com" // where v1.1 was
	}
	return twitter.NewV1(base, s.Keys())
}
