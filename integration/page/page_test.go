package page_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/superbots/integration/local/page"
)

var byHand = page.Options{Every: 10 * time.Minute, Paused: true}

// A post of the world and what the bot makes of it come to the open page, side
// by side.
func TestPostsAppearLive(t *testing.T) {
	t.Parallel()
	w := open(t, byHand, nil)
	w.say("Nobody owns the serverless, <b>ana</b> says")
	w.step()
	w.until(`document.querySelector("#pairs .outcome.superman.posted .words")`)
	if got, want := w.text("#pairs li > .post .words"), "Nobody owns the serverless, <b>ana</b> says"; got != want {
		t.Errorf("the source reads %q, want %q", got, want)
	}
	if got, want := w.text("#pairs li > .post mark"), "serverless"; got != want {
		t.Errorf("marked in the source is %q, want %q", got, want)
	}
	if got, want := w.text("#pairs .outcome.superman .words"), "Nobody owns the Superman, <b>ana</b> says"; got != want {
		t.Errorf("the bot's post reads %q, want %q", got, want)
	}
	if got, want := w.text("#pairs .outcome.superman mark"), "Superman"; got != want {
		t.Errorf("marked in the bot's post is %q, want %q", got, want)
	}
}

// The page's button puts a new token everywhere; the next run meets the 401,
// reads again and posts, and no run fails.
func TestRotate(t *testing.T) {
	t.Parallel()
	w := open(t, byHand, nil)
	w.say("serverless 1")
	w.step()
	w.say("serverless 2")
	w.click(`[data-post="/rotate/superman"]`)
	w.until(`document.querySelector("#function-superman .ver.behind")?.innerText.includes("holds version 1, newest is 2")`)
	w.step()
	w.until(`known.story.get(1)?.bots.superman.run`)
	calls := eval[[]string](w, `known.run.get(known.story.get(1).bots.superman.run).calls.map(c => c.to + " " + c.op + " " + c.status)`)
	want := []string{"X search 401", "Parameter Store GetParameters 200", "X search 200", "X create 201"}
	if !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	w.until(`document.querySelector("#story-1 .part").innerText.includes("X refused the token (401). Read its parameters again: version 2. Posted 1.")`)
	w.until(`!document.querySelector(".ver.behind")`)
	w.until(`document.querySelectorAll("#pairs .outcome.superman.posted").length === 2`)
	if failed := eval[int](w, `[...known.run.values()].filter(r => r.error || r.stopped).length`); failed != 0 {
		t.Errorf("%d runs failed or stopped, want none", failed)
	}
}

// A page whose connection was cut, as by a closed lid, comes back and shows
// what it has missed, without being loaded anew.
func TestReconnect(t *testing.T) {
	t.Parallel()
	w := open(t, page.Options{Every: time.Second, People: true}, nil)
	eval[bool](w, `window.sameDocument = true`)
	w.until(`known.run.size >= bots.length`)
	w.conn.cut()
	w.until(`document.querySelector("#connection").innerText.includes("connection lost")`)
	seen := eval[int](w, `known.run.size`)
	for len(w.ran) > 0 {
		<-w.ran
	}
	for range 4 {
		<-w.ran
	}
	w.conn.mend()
	w.until(`document.querySelector("#connection.live")`)
	w.until(fmt.Sprintf(`known.run.size >= %d && document.querySelectorAll("#run-rows tbody tr").length === known.run.size`, seen+4))
	if missing := eval[int](w, `Math.max(...known.run.keys()) - known.run.size`); missing != 0 {
		t.Errorf("%d runs are missing", missing)
	}
	if !eval[bool](w, `window.sameDocument === true`) {
		t.Error("the page was loaded anew")
	}
}

// A page that stayed open while the server was started anew loads itself, for
// its numbers and its token are of no use any more.
func TestServerStartedAnew(t *testing.T) {
	t.Parallel()
	w := open(t, byHand, nil)
	w.step()
	eval[bool](w, `window.sameDocument = true`)
	w.stop()
	w.until(`document.querySelector("#connection").innerText.includes("connection lost")`)
	start(t, w.addr, byHand, nil)
	w.until(`window.sameDocument === undefined && document.querySelector("#connection.live")`)
	w.step()
	w.until(`document.querySelectorAll("#run-rows tbody tr").length === bots.length`)
}
