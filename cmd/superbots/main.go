// Superbots is the operator's command: it sets a stage up, looks after its
// parameters, and runs the bots on this machine. Run it with -h for what it can
// do.
//
// It exits with 0 when all was done, 1 when something went wrong, and 2 when it
// was used wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/bot"
)

type command struct {
	Dev       dev           `cmd:"" help:"Run the bots on this machine, in a local Lambda runtime, against a local Parameter Store and a local X."`
	Preview   preview       `cmd:"" help:"Show what a bot would make of posts, by their text alone."`
	Authorize authorize     `cmd:"" help:"Let an account on X in, and store its keys in Parameter Store."`
	Params    paramsCommand `cmd:"" help:"Look after the parameters of a stage."`
	Doctor    doctor        `cmd:"" help:"Look whether all that the bots of a stage need is there and right."`
	Run       runCommand    `cmd:"" help:"Do one real run of a bot from this machine."`
	New       newCommand    `cmd:"" help:"Add a bot to the repository."`
	Ledger    ledgerCommand `cmd:"" help:"Look into the ledger of a bot, and put it right."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// exit is what kong panics with after -h, so that run returns.
type exit int

func run(ctx context.Context, args []string, c console) (code int) {
	defer func() {
		if e, ok := recover().(exit); ok {
			code = int(e)
		}
	}()
	parser, err := kong.New(&command{},
		kong.Name("superbots"),
		kong.Description("Serverless Superman and Big Data Batman, the operator's side."),
		kong.Writers(c.out, c.err),
		kong.Vars{"account_key": accountKey, "bots": strings.Join(botNames(), " or ")},
		kong.Exit(func(n int) { panic(exit(n)) }),
	)
	if err != nil {
		panic(err) // unreachable: the commands are fixed
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(c.err, "superbots: %v\nsuperbots -h says how it is used.\n", err)
		return 2
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(c)
	var wrongly usage
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(c.err, "superbots: interrupted")
	default:
		fmt.Fprintf(c.err, "superbots: %v\n", err)
	}
	if errors.As(err, &wrongly) {
		return 2
	}
	return 1
}

// errSaid ends a command that has said on its output what is wrong.
var errSaid = errors.New("said already")

// usage is how a command was used wrongly.
type usage string

func (u usage) Error() string { return string(u) }

func used(format string, args ...any) error { return usage(fmt.Sprintf(format, args...)) }

// output is how a command writes what it has to say.
type output struct {
	Output string `enum:"text,json" default:"text" help:"For people (text) or for programs (json)." placeholder:"text|json"`
}

func find(name string) (bot.Bot, error) {
	for _, b := range functions.All {
		if b.Name == name {
			return b, nil
		}
	}
	return bot.Bot{}, errors.New("no such bot")
}
