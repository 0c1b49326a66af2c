package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// The page in each of its states, at both widths: nothing is wider than the
// window, and the accessibility check finds nothing serious. The pictures are
// kept where go test -artifacts puts them.
func TestLooks(t *testing.T) {
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("%v\nThe accessibility check comes with: npm ci --ignore-scripts --prefix integration/page", err)
	}
	o := byHand
	o.People = true
	w := open(t, o, nil)
	// The pictures and the check take in what is off the screen as well.
	eval[bool](w, `(() => {
		const all = new CSSStyleSheet();
		all.replaceSync("* { content-visibility: visible !important }");
		document.adoptedStyleSheets.push(all);
		return true;
	})()`)
	look := func(state string) {
		w.t.Helper()
		for _, scheme := range []string{"light", "dark"} {
			w.scheme(scheme)
			for _, width := range []int64{1280, 390} {
				w.size(width, 900)
				eval[bool](w, `(scrollTo(0, 0), true)`)
				name := fmt.Sprintf("%s-%s-%d", state, scheme, width)
				w.save(filepath.Join(t.ArtifactDir(), name+".png"), chromedp.FullScreenshot(100))
				if wide := eval[int](w, `document.documentElement.scrollWidth`); wide > int(width) {
					t.Errorf("%s: the page is %d pixels wide", name, wide)
				}
				for _, finding := range w.axe(string(axe)) {
					t.Errorf("%s: %s", name, finding)
				}
			}
		}
		w.scheme("light")
		w.size(1280, 900)
	}

	look("empty")
	for _, text := range []string{
		"Serverless is like a taxi, big data is like the traffic. 🚕", "Thanks @jo_ops for the serverless talk: https://example.com/slides",
		"I moved a cron job to serverless on Friday. On Monday I had forgotten that it existed.", "serverless $AMZN $MSFT",
	} {
		w.say(text)
	}
	w.step()
	w.step()
	look("running")
	w.click(`[data-post="/rotate/superman"]`)
	w.until(`known.story.size === 1`)
	look("rotated")
	w.step()
	w.until(`known.story.get(1).bots.superman.run`)
	w.step()
	look("posted-with-the-new-token")
	w.readme()
	w.click(`[data-post="/break/parameters-down"]`)
	w.click(`[data-post="/break/x-429"]`)
	w.click(`[data-post="/break/kill"]`)
	w.step()
	w.step()
	w.until(`known.story.get(3).bots.batman.run`)
	w.click(`#run-rows button`)
	w.until(`document.querySelector("pre")?.innerText.includes("report")`)
	look("broken")
	w.conn.cut()
	w.until(`document.querySelector("#connection").innerText.includes("connection lost")`)
	look("connection-lost")
}

// readme takes the two pictures of the README.
func (w *world) readme() {
	w.t.Helper()
	for name, size := range map[string][2]int64{"page-wide.png": {1280, 820}, "page-narrow.png": {390, 820}} {
		w.size(size[0], size[1])
		w.save(filepath.Join(w.t.ArtifactDir(), name), chromedp.CaptureScreenshot())
	}
	w.size(1280, 900)
}

func (w *world) scheme(name string) {
	w.t.Helper()
	w.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

func (w *world) save(name string, shot chromedp.Action[[]byte]) {
	w.t.Helper()
	png, err := chromedp.Run(w.tab, shot)
	if err == nil { // the first one makes the browser draw what was not on the screen
		png, err = chromedp.Run(w.tab, shot)
	}
	if err == nil {
		err = os.WriteFile(name, png, 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// axe returns the serious and critical findings of axe-core.
func (w *world) axe(source string) (findings []string) {
	w.t.Helper()
	w.do(chromedp.Evaluate[chromedp.Void](source))
	text := eval[string](w, `axe.run({ resultTypes: ["violations"] }).then(r => JSON.stringify(r.violations))`)
	var violations []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	if err := json.Unmarshal([]byte(text), &violations); err != nil {
		w.t.Fatal(err)
	}
	for _, v := range violations {
		if v.Impact == "serious" || v.Impact == "critical" {
			findings = append(findings, fmt.Sprintf("%s, %s: %s\n%.300s\n%s", v.Impact, v.ID, v.Help, v.Nodes[0].HTML, v.Nodes[0].FailureSummary))
		}
	}
	return findings
}
