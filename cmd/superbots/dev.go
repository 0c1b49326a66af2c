package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/page"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
)

// samples are the posts of the world when no others are given, the awkward
// cases among them.
//
//go:embed posts.jsonl
var samples []byte

type dev struct {
	Posts string        `help:"Replay the posts of this file (JSON lines with id, author and text) instead of the sample world." placeholder:"FILE"`
	Once  bool          `help:"Run until nothing is left to do, and end."`
	Every time.Duration `default:"5s" help:"Time between two ticks of the schedule; the page can change it."`
	// Listen is the same each time, so that a page left open finds its way back.
	Listen string `default:"127.0.0.1:7878" help:"Where the page is served, on loopback; port 0 takes a free one." placeholder:"ADDRESS"`
	State  string `help:"Folder for binaries and ledger (default .local/dev, begun anew each time; with --posts .local/replay, kept)." placeholder:"DIR"`
	output
}

// Help follows the flags on -h.
func (dev) Help() string {
	return `Examples:
  superbots dev                                both bots in a world of sample posts, until Ctrl-C
  superbots dev --posts posts.jsonl --once     replay real posts until all are dealt with

The functions are compiled first and run as they would in AWS: the same
binaries, told by environment variables where everything is. Without --once a
page shows all that happens; its address is printed.`
}

func (d dev) Run(ctx context.Context, c console) error {
	if d.Every <= 0 {
		return used("--every must be longer than nothing, not %s", d.Every)
	}
	root, err := local.Root()
	if err != nil {
		return err
	}
	posts, err := d.posts(c.err)
	if err != nil {
		return err
	}
	state := d.State
	if state == "" {
		state = filepath.Join(root, ".local", "replay")
		if d.Posts == "" {
			state = filepath.Join(root, ".local", "dev")
		}
	}
	if err := os.MkdirAll(state, 0o755); err != nil {
		return err
	}
	held, err := lock(state)
	if err != nil {
		return err
	}
	defer held.Close()
	if d.State == "" && d.Posts == "" {
		if err := os.Remove(filepath.Join(state, "ledger.db")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	var listener net.Listener
	if !d.Once {
		if listener, err = d.listen(); err != nil {
			return err
		}
		defer listener.Close()
	}
	bin := filepath.Join(state, "bin")
	fmt.Fprintln(c.err, "building the functions ...")
	if err := local.Build(ctx, root, bin, functions.All); err != nil {
		return err
	}
	options := local.Options{Bots: functions.All, Bin: bin, Dir: state, Env: d.env(posts)}
	if d.Once {
		cloud, err := d.start(options, c)
		if err != nil {
			return err
		}
		defer cloud.Close()
		for _, p := range posts {
			cloud.X.Add(p)
		}
		return d.once(ctx, screen{c.out, d.Output == "json", cloud})
	}
	return d.play(ctx, options, posts, listener, c)
}

// lock makes sure that nobody else uses the state folder. It holds until the
// file is closed, or the process has ended however it did.
func lock(state string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(state, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("superbots dev runs already with the state in %s: end it first, or choose another folder with --state", state)
		}
		return nil, fmt.Errorf("locking %s: %w", state, err)
	}
	return f, nil
}

func (d dev) start(o local.Options, c console) (*local.Cloud, error) {
	cloud, err := local.Start(o)
	if err != nil {
		return nil, err
	}
	// X's own limits are made for a tick every quarter of an hour.
	cloud.X.Limits = x.Limits{Search: 1e6, Create: 1e6, Me: 1e6, Timeline: 1e6, CreateApp: 1e6}
	fmt.Fprintf(c.err, "X is at %s, Parameter Store at %s, the ledger in %s\n", cloud.XURL, cloud.ParametersURL, o.Dir)
	return cloud, nil
}

// play runs the schedule, on this screen and on the page, until ctx ends.
func (d dev) play(ctx context.Context, o local.Options, posts []x.Post, l net.Listener, c console) error {
	play := page.New(page.Options{Bots: functions.All, Every: d.Every, People: d.Posts == ""})
	o.Wrap = play.Wrap
	cloud, err := d.start(o, c)
	if err != nil {
		return err
	}
	defer cloud.Close()
	if err := play.Attach(cloud); err != nil {
		return err
	}
	for _, p := range posts {
		play.Say(p)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- play.Serve(ctx, l)
		cancel()
	}()
	fmt.Fprintf(c.err, "open http://%s\n", l.Addr())
	s := screen{c.out, d.Output == "json", cloud}
	err = play.Run(ctx, s.show)
	cancel()
	return errors.Join(err, <-served)
}

func (d dev) listen() (net.Listener, error) {
	host, _, err := net.SplitHostPort(d.Listen)
	if err != nil || host != "127.0.0.1" && host != "localhost" {
		return nil, used("--listen must be 127.0.0.1:PORT, not %q", d.Listen)
	}
	l, err := net.Listen("tcp4", d.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another program uses %s: choose another port with --listen 127.0.0.1:PORT", d.Listen)
	}
	return l, err
}

// env is what a function gets besides the usual variables.
func (d dev) env(posts []x.Post) map[string]string {
	env := map[string]string{"CONFIG_TTL": "1m", "BOT_SETTLE": "20s", "BOT_POSTS_PER_DAY": "1000000", "BOT_DAILY_BUDGET": "1000000"}
	if d.Posts != "" {
		env["BOT_QUERY"] = queryFor(posts)
		env["BOT_LINKS"] = "keep"
		env["BOT_POSTS_PER_RUN"] = "1000"
	}
	return env
}

// queryFor returns a query that finds all posts: X matches whole words, and the
// bots' words stand in longer ones as well.
func queryFor(posts []x.Post) string {
	var from []string
	for _, p := range posts {
		from = append(from, "from:"+p.Author)
	}
	slices.Sort(from)
	return strings.Join(slices.Compact(from), " OR ")
}

// everyone is the author of all posts whose authors together do not fit a query.
const everyone = "everyone"

const maxQuery = 512 // characters, X's limit

// posts returns the posts of the world, with ids and times of the last day.
func (d dev) posts(complain io.Writer) ([]x.Post, error) {
	name, lines := "sample posts", samples
	if d.Posts != "" {
		var err error
		if lines, err = os.ReadFile(d.Posts); err != nil {
			return nil, err
		}
		name = d.Posts
	}
	var posts []x.Post
	err := eachLine(bytes.NewReader(lines), func(n int, line []byte) error {
		var p struct {
			x.Post
			ID string `json:"id"` // any text: the post gets a fresh one
		}
		if err := unmarshalPost(line, &p); err != nil {
			fmt.Fprintf(complain, "%s, line %d: %v\n", name, n, err)
			return nil
		}
		p.Author = cmp.Or(handle(p.Author), everyone)
		posts = append(posts, p.Post)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if d.Posts != "" && len(queryFor(posts)) > maxQuery {
		for i := range posts {
			posts[i].Author = everyone
		}
	}
	// The replay stands in the last 20 hours. Of the sample world two thirds
	// are there when it begins, and the rest come while one watches.
	now, old, step := time.Now(), len(posts), 20*time.Hour/time.Duration(len(posts)+1)
	if d.Posts == "" {
		old = len(posts) * 2 / 3
	}
	for i := range posts {
		posts[i].ID = 0
		posts[i].CreatedAt = now.Add(time.Duration(i-old) * step)
		if i >= old {
			posts[i].CreatedAt = now.Add(time.Duration(i-old+1) * 4 * time.Second)
		}
	}
	return posts, nil
}

// handle leaves of a name what can stand in a query.
func handle(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, name)
}

// once ticks until no bot finds, posts or owes anything any more.
func (d dev) once(ctx context.Context, s screen) error {
	for _, b := range functions.All {
		stuck := 0
		for {
			run, err := s.tick(ctx, b)
			if err != nil {
				return err
			}
			r := run.Report
			if run.FunctionError != "" {
				return fmt.Errorf("%s failed: %s: %s", b.Name, run.ErrorType, run.ErrorMessage)
			}
			if r.Found == 0 && r.Pending == 0 && r.Unknown == 0 && r.Stopped == "" {
				break
			}
			if stuck++; r.Found+r.Posted > 0 {
				stuck = 0
			}
			if stuck == 10 {
				return fmt.Errorf("%s does not get on: stopped by %q, %d pending, %d unknown", b.Name, r.Stopped, r.Pending, r.Unknown)
			}
		}
	}
	return nil
}

// A screen shows runs as they end.
type screen struct {
	out   io.Writer
	json  bool
	cloud *local.Cloud
}

func (s screen) tick(ctx context.Context, b bot.Bot) (local.Run, error) {
	run, err := s.cloud.Tick(ctx, b.Name)
	if err != nil {
		return run, err
	}
	return run, s.show(b, run)
}

func (s screen) show(b bot.Bot, run local.Run) error {
	byThisRun := make(map[uint64]bool)
	for _, o := range run.Report.Posts {
		byThisRun[o.Post] = true
	}
	posted := slices.DeleteFunc(s.cloud.X.Posts(s.cloud.Accounts[b.Name].ID), func(p x.Post) bool { return !byThisRun[p.ID] })
	if s.json {
		return s.line(b, run, posted)
	}
	return s.text(b, run, posted)
}

// A ran line is one line of dev's JSON output.
type ran struct {
	Bot        string      `json:"bot"`
	Cold       bool        `json:"cold"`
	DurationMS int64       `json:"duration_ms"`
	Report     *bot.Report `json:"report,omitempty"`
	Error      string      `json:"error,omitempty"`
	Posted     []x.Post    `json:"posted,omitempty"`
}

func (s screen) line(b bot.Bot, run local.Run, posted []x.Post) error {
	line := ran{Bot: b.Name, Cold: run.Cold, DurationMS: run.Duration.Milliseconds(), Posted: posted}
	if run.FunctionError == "" {
		line.Report = &run.Report
	} else {
		line.Error = run.ErrorType + ": " + run.ErrorMessage
	}
	return json.NewEncoder(s.out).Encode(line)
}

func (s screen) text(b bot.Bot, run local.Run, posted []x.Post) error {
	start := "warm"
	if run.Cold {
		start = "cold"
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%s  %-8s  %s %4d ms", time.Now().Format(time.TimeOnly), b.Name, start, run.Duration.Milliseconds())
	if run.FunctionError != "" {
		fmt.Fprintf(&line, "  failed: %s: %s", run.ErrorType, run.ErrorMessage)
	}
	r := run.Report
	if run.FunctionError == "" {
		fmt.Fprintf(&line, "  found %d, posted %d, skipped %d, pending %d", r.Found, r.Posted, total(r.Skipped), r.Pending)
		if len(r.Skipped) > 0 {
			var reasons []string
			for _, reason := range slices.Sorted(maps.Keys(r.Skipped)) {
				reasons = append(reasons, fmt.Sprintf("%s %d", reason, r.Skipped[reason]))
			}
			fmt.Fprintf(&line, " (%s)", strings.Join(reasons, ", "))
		}
		if r.Unknown+r.Dead > 0 {
			fmt.Fprintf(&line, ", unknown %d, dead %d", r.Unknown, r.Dead)
		}
		if r.Stopped != "" {
			fmt.Fprintf(&line, ", stopped: %s", r.Stopped)
		}
	}
	line.WriteByte('\n')
	for _, p := range posted {
		fmt.Fprintf(&line, "            @%s: %s\n", b.Name, strings.ReplaceAll(p.Text, "\n", " / "))
	}
	_, err := io.WriteString(s.out, line.String())
	return err
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
