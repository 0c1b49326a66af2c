// Package local puts the bots' functions on this machine, with stand-ins on
// loopback for all that they talk to: the Lambda runtime, Parameter Store and
// X, each a package of its own below this one.
//
// The one idea: the functions are the binaries that are deployed. They are told
// by the same variables as in AWS where everything is, and get nothing else
// from this machine: no credentials, no profile, no proxy.
package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/integration/local/runtime"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
)

// Stage is the stage whose parameters the functions read.
const Stage = "dev"

// Timeout is the functions' time limit, the one that serverless.yml gives them.
const Timeout = time.Minute

// Options say what Start puts up.
type Options struct {
	Bots []bot.Bot
	// Bin has a folder for each bot with its bootstrap; see Build.
	Bin string
	// Dir is an existing folder for the ledger file.
	Dir string
	// Env has variables that all functions get in addition to, or instead of,
	// the usual ones.
	Env map[string]string
	// Wrap, if not nil, is put around "x" and around "parameters", to watch the
	// calls that they get or to meddle with them.
	Wrap func(service string, h http.Handler) http.Handler
}

// A Cloud is the functions and what is around them. Nothing of it listens on
// anything but 127.0.0.1.
type Cloud struct {
	X             *x.X
	XURL          string
	Parameters    *paramstore.Store
	ParametersURL string
	Ledger        string // as the variable LEDGER has it
	Functions     map[string]*runtime.Lambda
	Accounts      map[string]x.Account

	options     Options
	consumerKey string
	tokens      map[string]string            // by bot
	deployed    map[string]map[string]string // by bot, the environment
	servers     []*http.Server
}

// Build compiles the functions of the module at root for this machine into
// bin, a folder for each, the way make build does for Lambda. It needs only Go.
func Build(ctx context.Context, root, bin string, bots []bot.Bot) error {
	for _, b := range bots {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=",
			"-o", filepath.Join(bin, b.Name, "bootstrap"), "./functions/"+b.Name)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", b.Name, err, out)
		}
	}
	return nil
}

// Start puts everything up. Each bot has an account and tokens of its own,
// made new, and the shared list of ignored ids has all of them. The caller must
// Close the Cloud.
func Start(o Options) (_ *Cloud, err error) {
	c := &Cloud{
		X:           x.New(),
		Parameters:  paramstore.New(),
		Ledger:      "file:" + filepath.Join(o.Dir, "ledger.db"),
		Functions:   make(map[string]*runtime.Lambda),
		Accounts:    make(map[string]x.Account),
		options:     o,
		consumerKey: rand.Text(),
		tokens:      make(map[string]string),
		deployed:    make(map[string]map[string]string),
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.XURL, err = c.serve("x", c.X); err != nil {
		return nil, err
	}
	if c.ParametersURL, err = c.serve("parameters", c.Parameters); err != nil {
		return nil, err
	}

	consumerSecret := rand.Text()
	c.X.AddApp(c.consumerKey, consumerSecret)
	c.put("shared/twitter", "SecureString", map[string]string{"consumer_key": c.consumerKey, "consumer_secret": consumerSecret})
	var ids []string
	for _, b := range o.Bots {
		c.Accounts[b.Name] = c.X.AddAccount(b.Name)
		ids = append(ids, strconv.FormatUint(c.Accounts[b.Name].ID, 10))
		c.Rotate(b.Name)
	}
	c.Parameters.Put(parameter("shared/ignore"), "String", strings.Join(ids, ","))

	for _, b := range o.Bots {
		if err := c.Deploy(b.Name, nil); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Deploy puts a bot's function in the place of the one that is there, with the
// usual variables, those of Options.Env, and change over both. The next run is
// a cold one. No run of the bot may be under way.
func (c *Cloud) Deploy(name string, change map[string]string) error {
	env := c.Environment(name)
	maps.Copy(env, c.options.Env)
	maps.Copy(env, change)
	f, err := runtime.Start(runtime.Function{
		Name: "superbots-" + Stage + "-" + name, Bootstrap: filepath.Join(c.options.Bin, name, "bootstrap"),
		Env: env, Timeout: Timeout, Memory: 128,
	})
	if err != nil {
		return err
	}
	if old := c.Functions[name]; old != nil {
		old.Close()
	}
	c.Functions[name], c.deployed[name] = f, env
	return nil
}

// Deployed returns the environment of a bot's function since it was last put
// in place by Start or Deploy. The caller must not change it.
func (c *Cloud) Deployed(name string) map[string]string { return c.deployed[name] }

func (c *Cloud) serve(service string, h http.Handler) (url string, err error) {
	if c.options.Wrap != nil {
		h = c.options.Wrap(service, h)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening on loopback: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	c.servers = append(c.servers, s)
	go s.Serve(l)
	return "http://" + l.Addr().String(), nil
}

func parameter(name string) string { return "/superbots/" + Stage + "/" + name }

func (c *Cloud) put(name, typ string, value map[string]string) (version int64) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // unreachable: strings always encode
	}
	return c.Parameters.Put(parameter(name), typ, string(text))
}

// Environment returns the variables of a bot's function, as serverless.yml sets
// them, and those that lead it to the stand-ins.
func (c *Cloud) Environment(name string) map[string]string {
	shared, own := "ssm:"+parameter("shared/twitter"), "ssm:"+parameter(name+"/twitter")
	return map[string]string{
		"TWITTER_CONSUMER_KEY":    shared + "#consumer_key",
		"TWITTER_CONSUMER_SECRET": shared + "#consumer_secret",
		"TWITTER_ACCESS_TOKEN":    own + "#access_token",
		"TWITTER_ACCESS_SECRET":   own + "#access_secret",
		"TWITTER_USER_ID":         own + "#user_id",
		"TWITTER_BASE_URL":        c.XURL,
		"BOT_MODE":                "post",
		"BOT_IGNORE":              "ssm:" + parameter("shared/ignore"),
		"LEDGER":                  c.Ledger,
		"AWS_ENDPOINT_URL_SSM":    c.ParametersURL,
		"AWS_REGION":              "us-east-1",
		"AWS_ACCESS_KEY_ID":       name,
		"AWS_SECRET_ACCESS_KEY":   "not-a-secret",
	}
}

// Rotate gives a bot a new access token, in X and in Parameter Store. X refuses
// the old one from then on. It returns the new version of the bot's parameter.
func (c *Cloud) Rotate(name string) (version int64) {
	account := c.Accounts[name]
	if old := c.tokens[name]; old != "" {
		c.X.Revoke(old)
	}
	t := c.X.Issue(account.ID, c.consumerKey)
	c.tokens[name] = t.Token
	return c.put(name+"/twitter", "SecureString", map[string]string{
		"access_token": t.Token, "access_secret": t.Secret,
		"user_id": strconv.FormatUint(account.ID, 10), "screen_name": account.Name,
	})
}

// A Run is what one invocation of a bot's function came to.
type Run struct {
	runtime.Result
	Report bot.Report // zero if the function failed
}

// Tick sends a bot's function the event of a schedule and waits for its answer.
func (c *Cloud) Tick(ctx context.Context, name string) (Run, error) {
	result, err := c.Functions[name].Invoke(ctx, runtime.ScheduledEvent(time.Now()))
	run := Run{Result: result}
	if err != nil || result.FunctionError != "" {
		return run, err
	}
	if err := json.Unmarshal(result.Payload, &run.Report); err != nil {
		return run, fmt.Errorf("report of %s: %w", name, err)
	}
	return run, nil
}

// Close ends the functions' processes, then the servers, and waits for them.
func (c *Cloud) Close() error {
	var errs []error
	for _, f := range c.Functions {
		if f != nil {
			f.Close()
		}
	}
	for _, s := range c.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Root returns the root of the module that holds the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod here or above: run this inside the repository")
		}
	}
}
