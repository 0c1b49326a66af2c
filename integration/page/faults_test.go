package page_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/superbots/integration/local/page"
)

// Each button breaks what it says, and the page tells what became of the post:
// in the end it stands on X once, whatever happened on the way.
func TestBreak(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault         string
		says          string // the story
		state, reason string // then, of the post
		stopped       bool
	}{
		{fault: "x-429", says: "X answered 429 to the post. Stopped: rate limited.", state: "pending", reason: "rate limited", stopped: true},
		{fault: "x-503", says: "X answered 503 to the post. 1 of unknown outcome, to be looked up.", state: "posting"},
		{fault: "x-timeout", says: "X did not answer to the post. 1 of unknown outcome, to be looked up.", state: "posting"},
		{fault: "kill", says: "X took the post, but the run did not live to hear of it. The run failed: Runtime.ExitError.", state: "posting"},
		{fault: "twice", says: "Ran beside another run of the same bot. The calls are those of both, which nothing tells apart.", state: "posted"},
	} {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			w := open(t, byHand, nil)
			w.step() // so that the functions are warm
			w.say("serverless 1")
			w.click(fmt.Sprintf(`[data-fault=%q]`, test.fault))
			w.until(`known.story.size === 1`)
			w.step()
			w.until(fmt.Sprintf(`document.querySelector("#story-1 .superman").innerText.includes(%q)`, test.says))
			w.until(rowSays(superman, test.state, test.reason))
			if test.fault == "twice" {
				w.until(`document.querySelector("#run-rows").textContent.includes("1 in both")`)
			}
			if test.stopped {
				w.until(`document.querySelector("#function-superman .stops").innerText.includes("Stopped (post)")`)
			}

			w.click(`#mend`)
			w.until(`!document.querySelector("#function-superman .stops").innerText`)
			w.later()
			w.step()
			w.until(`[...known.row.values()].every(r => r.state === "posted")`)
			w.until(`document.querySelector("#pairs .outcome.superman.posted .words").innerText === "Superman 1"`)
			w.step()
			if got, want := w.posted(superman), []string{"Superman 1"}; !slices.Equal(got, want) {
				t.Errorf("X has %q, want %q", got, want)
			}
		})
	}
}

// While Parameter Store is down a cold function fails and says so, and its post
// waits until all is mended.
func TestBreakParametersOfColdFunction(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"parameters-down", "parameters-throttled"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := open(t, byHand, nil)
			w.say("serverless 1")
			w.click(fmt.Sprintf(`[data-fault=%q]`, fault))
			w.until(fmt.Sprintf(`document.querySelector('[data-fault=%q][aria-pressed="true"]')`, fault))
			w.step()
			w.until(`document.querySelector("#story-1 .superman").innerText.includes("Could not read Parameter Store. The run failed: ConfigError.")`)
			w.until(`document.querySelector("#run-rows .failed").textContent.includes("ConfigError")`)
			if got := w.posted(superman); len(got) > 0 {
				t.Errorf("posted %q without settings", got)
			}
			w.click(`#mend`)
			w.until(`!document.querySelector('[aria-pressed="true"]')`)
			w.Functions[superman].Kill() // a warm one rests for a while after a failure
			w.step()
			w.until(rowSays(superman, "posted", ""))
		})
	}
}

// A warm function works on with what it holds.
func TestBreakParametersOfWarmFunction(t *testing.T) {
	t.Parallel()
	w := open(t, page.Options{Every: time.Second, People: true}, nil)
	w.until(`[...known.run.values()].some(r => r.posted)`)
	w.click(`[data-fault="parameters-throttled"]`)
	w.until(`document.querySelector("#story-1 .superman").innerText.includes("Worked on with settings that are ")`)
	w.until(`document.querySelector("#function-superman .holds").innerText.includes("stale")`)
	if failed := eval[int](w, `[...known.run.values()].filter(r => r.error).length`); failed > 0 {
		t.Errorf("%d runs failed, want none", failed)
	}
}

// A frozen function is thawed with settings that are too old, and reads them
// before it asks X.
func TestFreeze(t *testing.T) {
	t.Parallel()
	w := open(t, page.Options{Every: time.Second, People: true}, nil)
	w.until(`known.run.size >= bots.length`)
	w.click(`[data-fault="freeze"]`)
	w.until(`document.querySelector("#function-superman .stops").innerText.includes("Frozen until")`)
	w.until(`document.querySelector("#story-1 .superman").innerText.includes("Read its parameters before it asked X, because CONFIG_TTL had passed: version 1.")`)
	if cold := eval[bool](w, `known.run.get(known.story.get(1).bots.superman.run).cold`); cold {
		t.Error("the run after the thaw was a cold one")
	}
	w.until(`!document.querySelector("#function-superman .stops").innerText`)
}

// Another speed is another deployment, with times to suit.
func TestSpeed(t *testing.T) {
	t.Parallel()
	w := open(t, byHand, nil)
	w.step()
	w.until(`document.querySelector("#every").value === "600"`)
	eval[bool](w, `(document.querySelector("#every").value = 30, true)`)
	w.step() // does not take back what was typed
	w.click(`#schedule [type="submit"]`)
	w.until(`known.function.get("batman").vars.some(v => v.name === "CONFIG_TTL" && v.value === "360s")`)
	w.until(`known.function.get("batman").vars.some(v => v.name === "BOT_SETTLE" && v.value === "120s")`)
	w.until(`document.querySelector("#function-batman .holds").innerText.includes("the next run is cold")`)
	w.step()
	if cold := eval[bool](w, `[...known.run.values()].pop().cold`); !cold {
		t.Error("the first run at another speed was a warm one")
	}
	eval[bool](w, `(press("/every/601"), true)`)
	w.until(`document.querySelector("#problem").innerText.includes("every 1 to 600 seconds")`)
}
