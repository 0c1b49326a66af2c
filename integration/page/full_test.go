package page_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"example.com/superbots/integration/local/page"
)

// openFull opens a page that holds as much as it ever does: 1,000 posts with
// what the bots made of them, 500 runs and 20 stories. oneTick in the page is
// what comes with a tick: a post, its row, the bot's post and a run of each bot.
// update, a promise, is one tick as the browser lives it: the milliseconds from
// the events until all is painted.
func openFull(t testing.TB) *world {
	w := open(t, page.Options{Every: 10 * time.Minute, Paused: true}, nil)
	w.scheme("light") // and nothing moves
	eval[bool](w, `(() => {
		let serial = 0, runs = 0;
		const send = (kind, thing) => note(kind, { data: JSON.stringify(thing) });
		window.oneTick = () => {
			const bot = bots[serial % bots.length], id = String(10 ** 15 + ++serial), at = new Date().toISOString();
			const text = [{ text: "Everybody at our place likes " }, { text: "serverless", bot }, { text: " more than the coffee, as far as I can tell" }];
			const history = ["pending", "posting", "posted"].map((state) => ({ at, state }));
			const calls = ["search", "create"].map((op) => ({ to: "X", op, status: 201, at_ms: 1, ms: 1 }));
			send("said", { id, at, author: "ana", text });
			send("row", { bot, source: id, state: "posted", post: "9" + id, sends: 1, history });
			send("sent", { id: "9" + id, at, bot, source: id, text });
			for (const bot of bots) send("run", { n: ++runs, bot, at, ms: 30, init_ms: 0, calls, reads: 0, found: 1, posted: 1, skipped: {}, age: 1, tells: ["Posted 1."] });
			if (serial <= 20) send("story", { n: serial, at, title: "Rotated", expect: "It goes on.", bots: { [bot]: { run: runs, tells: [], posts: [id] } } });
		};
		const frame = () => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
		window.update = async () => {
			await frame();
			return new Promise((painted) => {
				let begin;
				requestAnimationFrame(() => begin = performance.now());
				oneTick(); // asks to draw in the same frame
				const after = new MessageChannel(); // tells when this frame is painted
				after.port1.onmessage = () => painted(performance.now() - begin);
				requestAnimationFrame(() => after.port2.postMessage(null));
			});
		};
		for (let i = 0; i < 1000; i++) oneTick();
		draw();
		return frame().then(() => true);
	})()`)
	if got := eval[[]int](w, `["#pairs li", "#run-rows tbody tr", "#ledger-rows tbody tr", "#stories > li"].map((s) => document.querySelectorAll(s).length)`); !slices.Equal(got, []int{1000, 500, 1000, 20}) {
		t.Fatalf("the page has %d posts, runs, rows and stories", got)
	}
	return w
}

// However much a page holds, an update costs what is on the screen: the rest is
// not laid out, and nothing in the script asks for a layout half-way.
func TestFullPageLaysOutWhatIsOnTheScreen(t *testing.T) {
	t.Parallel()
	w := openFull(t)
	const updates = 20
	before := w.count()
	eval[bool](w, fmt.Sprintf(`(async () => { for (let i = 0; i < %d; i++) await update(); return true; })()`, updates))
	after := w.count()
	for _, what := range []string{"LayoutCount", "RecalcStyleCount"} {
		if got := after[what] - before[what]; got > 1.5*updates {
			t.Errorf("%s: %.0f in %d updates, want about one in each", what, got, updates)
		}
	}
	all := eval[int](w, `document.querySelectorAll("main *").length`)
	laidOut := eval[int](w, `[...document.querySelectorAll("main *")].filter((e) => e.checkVisibility({ contentVisibilityAuto: true })).length`)
	if laidOut > all/10 {
		t.Errorf("%d of %d elements are laid out", laidOut, all)
	}
}

// What is read stays where it is while posts come in above it, near the top and
// far down.
func TestReadingPlace(t *testing.T) {
	t.Parallel()
	w := openFull(t)
	for _, top := range []int{500, 40000} {
		eval[bool](w, fmt.Sprintf(`(async () => {
			pairs.scrollTop = %d;
			await update();
			window.read = document.elementFromPoint(pairs.getBoundingClientRect().left + 60, pairs.getBoundingClientRect().top + 200).closest("li");
			window.readAt = () => read.getBoundingClientRect().top - pairs.getBoundingClientRect().top;
			return true;
		})()`, top))
		before := eval[float64](w, `readAt()`)
		eval[bool](w, `(async () => { for (let i = 0; i < 30; i++) await update(); return true; })()`)
		if after := eval[float64](w, `readAt()`); math.Abs(after-before) > 1 {
			t.Errorf("scrolled to %d: what was read at %.0f is now at %.0f", top, before, after)
		}
	}
}

// The ledger's link leads to the oldest post, which was not laid out before.
func TestLinkToTheOldestPost(t *testing.T) {
	t.Parallel()
	w := openFull(t)
	eval[bool](w, `([...document.querySelectorAll("#ledger-rows a")].at(-1).click(), true)`)
	w.until(`(() => {
		const at = document.querySelector("li:target").getBoundingClientRect(), list = pairs.getBoundingClientRect();
		return at.top >= list.top - 1 && at.bottom <= list.bottom + 1 && at.top >= 0 && at.bottom <= innerHeight;
	})()`)
}

// count returns what Chromium counts of a page: layouts, style calculations,
// seconds of the main thread, and more.
func (w *world) count() map[string]float64 {
	w.t.Helper()
	counts := map[string]float64{}
	w.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}); err != nil {
			return err
		}
		got, err := cdp.Call(ctx, t, performance.GetMetrics, cdp.Empty{})
		for _, m := range got.Metrics {
			counts[m.Name] = m.Value
		}
		return err
	}))
	return counts
}

// What one tick costs the browser on a full page, until it is painted.
func BenchmarkUpdate(b *testing.B) {
	w := openFull(b)
	before := w.count()
	var took []float64
	for b.Loop() {
		took = append(took, eval[float64](w, `update()`))
	}
	busy := w.count()["TaskDuration"] - before["TaskDuration"]
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms/update")
	b.ReportMetric(took[len(took)-1], "ms-worst")
	b.ReportMetric(1000*busy/float64(len(took)), "cpu-ms/update")
}
