package page_test

import (
	"testing"
	"time"

	"example.com/superbots/integration/local/page"
)

// What one tick costs the browser on a page that is full: a new post, its row
// in three states, the bot's post and a run come in, and all is laid out.
func BenchmarkUpdate(b *testing.B) {
	w := open(b, page.Options{Every: 10 * time.Minute, Paused: true}, nil)
	eval[bool](w, `(() => {
		window.serial = 0;
		window.send = (kind, thing) => note(kind, { data: JSON.stringify(thing) });
		window.oneTick = () => {
			const n = String(10 ** 15 + ++serial), at = new Date().toISOString(), text = [{ text: "Everybody likes " }, { text: "serverless", bot: "superman" }];
			const history = ["pending", "posting", "posted"].map((state) => ({ at, state }));
			send("said", { id: n, at, author: "ana", text });
			send("row", { bot: "superman", source: n, state: "posted", post: "9" + n, sends: 1, history });
			send("sent", { id: "9" + n, at, bot: "superman", source: n, text });
			send("run", { n: serial, bot: "superman", at, ms: 30, init_ms: 0, calls: [], reads: 0, found: 1, posted: 1, skipped: {}, age: 1, tells: [] });
		};
		for (let i = 0; i < 1000; i++) oneTick();
		draw();
		return document.body.offsetHeight > 0;
	})()`)
	if full := eval[bool](w, `document.querySelectorAll("#pairs > li").length === 1000 && document.querySelectorAll("#run-rows tr").length === 500`); !full {
		b.Fatal("the page is not full")
	}
	total := 0.0
	for b.Loop() {
		total += eval[float64](w, `(() => { const begin = performance.now(); oneTick(); draw(); document.body.offsetHeight; return performance.now() - begin; })()`)
	}
	b.ReportMetric(total/float64(b.N), "ms/update")
}
