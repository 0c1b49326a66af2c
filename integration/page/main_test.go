// Package page_test drives the playground's page in real Chromium, with the
// functions that are deployed behind it.
package page_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/page"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

var (
	bin     string          // a folder for each bot with its bootstrap
	browser context.Context // of one Chromium for all tests; nil if there is none
)

func TestMain(m *testing.M) { os.Exit(prepareAndRun(m)) }

func prepareAndRun(m *testing.M) int {
	root, err := local.Root()
	if err != nil {
		log.Fatal(err)
	}
	if bin, err = os.MkdirTemp("", "superbots-"); err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(bin)
	if err := local.Build(context.Background(), root, bin, functions.All); err != nil {
		log.Print(err)
		return 1
	}
	if chromium := find("chromium", "chromium-browser", "google-chrome"); chromium != "" {
		allocator, stop := chromedp.NewExecAllocator(context.Background(),
			chromedp.ExecPath(chromium), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
			chromedp.UserDataDir(filepath.Join(bin, "profile")), chromedp.Flag("disable-quic", true),
			chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
			chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
			// Many tabs are open at once, and each is to be drawn.
			chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-backgrounding-occluded-windows", true),
			chromedp.Flag("disable-background-timer-throttling", true),
		)
		defer stop()
		var end context.CancelFunc
		browser, end = chromedp.NewContext(allocator)
		defer end()
		if err := chromedp.Do(browser); err != nil {
			log.Printf("starting %s: %v", chromium, err)
			return 1
		}
	}
	return m.Run()
}

func find(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

const superman = "superman"

// A world is a playground with a page that is open in a browser.
type world struct {
	*local.Cloud
	*page.Playground
	t    testing.TB
	tab  context.Context
	addr string
	conn *connections
	ran  chan bot.Bot // by each run that has ended
	stop func()       // ends playground and server
}

// open starts a playground and opens its page.
func open(t testing.TB, o page.Options, env map[string]string) *world {
	t.Helper()
	w := start(t, "127.0.0.1:0", o, env)
	w.browse()
	return w
}

// start starts a playground and serves its page at addr.
func start(t testing.TB, addr string, o page.Options, env map[string]string) *world {
	t.Helper()
	o.Bots = functions.All
	play := page.New(o)
	cloud, err := local.Start(local.Options{Bots: functions.All, Bin: bin, Dir: t.TempDir(), Wrap: play.Wrap, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	cloud.X.Limits = x.Limits{Search: 1e6, Create: 1e6, Me: 1e6, Timeline: 1e6, CreateApp: 1e6}
	if err := play.Attach(cloud); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn := &connections{Listener: l}
	w := &world{Cloud: cloud, Playground: play, t: t, addr: l.Addr().String(), conn: conn, ran: make(chan bot.Bot, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- play.Serve(ctx, conn) }()
	go func() { ended <- play.Run(ctx, func(b bot.Bot, _ local.Run) error { w.ran <- b; return nil }) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// browse opens the page in a tab of its own and waits until it is live.
func (w *world) browse() {
	w.t.Helper()
	if browser == nil {
		w.t.Fatal("these tests need Chromium: apt-get install chromium")
	}
	tab, closeTab := chromedp.NewContext(browser)
	tab, cancel := context.WithTimeout(tab, 2*time.Minute)
	w.t.Cleanup(func() { cancel(); closeTab() })
	w.tab = tab
	w.size(1280, 900)
	w.do(chromedp.Navigate("http://" + w.addr))
	w.until(`document.querySelector("#connection.live")`)
}

func (w *world) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.tab, steps...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) size(width, height int64) {
	w.t.Helper()
	w.do(chromedp.EmulateViewport(width, height))
}

// until waits until an expression in the page is true.
func (w *world) until(condition string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.tab, 40*time.Second)
	defer cancel()
	look := fmt.Sprintf(`new Promise(done => {
		const holds = () => { try { return %s; } catch { return false; } };
		const look = () => holds() ? done(true) : setTimeout(look, 30);
		look();
	})`, condition)
	for {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](look, chromedp.EvalAwaitPromise))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("waiting for %s: %v\nThe page says:\n%s", condition, err, w.text("main"))
		}
		// The page was loaded anew meanwhile.
	}
}

func eval[T any](w *world, expression string) T {
	w.t.Helper()
	value, err := chromedp.Run(w.tab, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("evaluating %.200s: %v", expression, err)
	}
	return value
}

// text returns what a reader sees of an element.
func (w *world) text(selector string) string {
	w.t.Helper()
	return eval[string](w, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

func (w *world) click(selector string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.CSS(selector)))
}

// step presses "One step" and waits until all bots have run.
func (w *world) step() {
	w.t.Helper()
	runs := eval[int](w, `known.run.size`)
	w.click("#step")
	w.until(fmt.Sprintf(`known.run.size >= %d`, runs+len(functions.All)))
}

func (w *world) say(text string) {
	w.Say(x.Post{Author: "ana", Text: text, CreatedAt: time.Now().Add(-time.Second)})
}

// posted returns what a bot has posted, oldest first.
func (w *world) posted(name string) []string {
	var texts []string
	for _, p := range w.X.Posts(w.Accounts[name].ID) {
		texts = append(texts, p.Text)
	}
	return texts
}

// later makes the ledger of all bots look as if an hour had gone by for what
// is of unknown outcome.
func (w *world) later() {
	w.t.Helper()
	file, err := ledger.OpenFile(strings.TrimPrefix(w.Ledger, "file:"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range functions.All {
		rows, err := file.All(w.t.Context(), b.Name)
		if err != nil {
			w.t.Fatal(err)
		}
		for i, r := range rows {
			rows[i].By = rand.Text()
			if r.Post != nil && r.Post.State == ledger.Posting {
				for _, at := range []*time.Time{&r.Post.Lease, &r.Post.Sent, &r.Post.Resent} {
					*at = at.Add(-time.Hour)
				}
			}
		}
		if err := file.Apply(w.t.Context(), b.Name, rows); err != nil {
			w.t.Fatal(err)
		}
	}
}

// rowSays is true once a bot's only row is in a state, for a reason.
func rowSays(name, state, reason string) string {
	return fmt.Sprintf(`[...known.row.values()].some(r => r.bot === %q && r.state === %q && (r.reason ?? "") === %q)`, name, state, reason)
}
