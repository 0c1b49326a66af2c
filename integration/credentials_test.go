package integration_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/x"
)

var ownParameter = parameter(superman + "/twitter")

// A warm function learns of a rotation by X's refusal, and goes on in the same
// run.
func TestTokenRotatedWhileWarm(t *testing.T) {
	t.Parallel()
	for name, rotate := range map[string]func(w *world){
		"refused at the search": func(w *world) { w.Rotate(superman) },
		"refused at the post": func(w *world) {
			w.issue(superman) // and the old one is valid until just before the post
			w.X.Fault(x.Fault{Op: "create", Case: "unauthorized", Times: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			w.sayMany(2)
			w.tick(superman)
			rotate(w)
			w.say("ana", "serverless 3", time.Second)
			w.say("ana", "serverless 4", 0)

			got := w.tick(superman)
			if got.Posted != 2 || got.Stopped != "" || got.Unknown != 0 {
				t.Errorf("report %+v, want 2 posted", got)
			}
			if got.Config.Versions[ownParameter] != 2 || got.Config.Refreshes != 1 {
				t.Errorf("config %+v, want version 2 of the token, by one read", got.Config)
			}
			if diff := cmp.Diff(supermen(4), w.posted(superman)); diff != "" {
				t.Errorf("posted (-want +got):\n%s", diff)
			}
			for id, state := range w.states(superman) {
				if state != "posted" {
					t.Errorf("source %d: %s", id, state)
				}
			}
			if got := w.tick(superman); got.Stopped != "" || got.Config.Refreshes != 0 {
				t.Errorf("the run after: %+v, want no more reads", got)
			}
		})
	}
}

// A refused credential that is still the current one stops the bot, which then
// asks nobody in vain.
func TestTokenRevokedAndUnchanged(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.sayMany(4)
	w.tick(superman)
	w.X.Revoke(w.credential(superman+"/twitter", "access_token"))

	if got := w.tick(superman); got.Stopped != "credentials refused" || got.Posted != 0 || got.Config.Refreshes != 1 {
		t.Errorf("report %+v, want it stopped by refused credentials after one more read", got)
	}
	calls, reads := w.X.Calls(), w.Parameters.Calls()["GetParameters"]
	for range 3 {
		if got := w.tick(superman); got.Stopped != "credentials refused" || got.Pending != 1 {
			t.Errorf("report %+v, want it stopped still, with 1 pending", got)
		}
	}
	if diff := cmp.Diff(calls, w.X.Calls()); diff != "" {
		t.Errorf("calls to X of a stopped bot (-before +after):\n%s", diff)
	}
	if got := w.Parameters.Calls()["GetParameters"]; got != reads {
		t.Errorf("a stopped bot read Parameter Store %d times", got-reads)
	}
	w.Functions[superman].Kill()
	if got := w.tick(superman); got.Stopped != "credentials refused" || w.X.Calls()["search"] != calls["search"] {
		t.Errorf("after a cold start: %+v, want it stopped, without asking X", got)
	}

	w.Rotate(superman)
	w.Functions[superman].Kill()
	if got := w.tick(superman); got.Stopped != "" || got.Posted != 1 || got.Config.Versions[ownParameter] != 2 {
		t.Errorf("with a new version: %+v, want the pending one posted", got)
	}
	if diff := cmp.Diff(supermen(4), w.posted(superman)); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
}

// The other ways on from a refused credential: a new version that a warm
// function comes across, and time.
func TestStoppedBotGoesOn(t *testing.T) {
	t.Parallel()
	for name, mend := range map[string]func(w *world){
		"a new version, read when the settings are due": func(w *world) { w.Rotate(superman) },
		"X accepts the token again, an hour later":      func(w *world) { w.X.ClearFaults(); w.later(superman, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, vars{"CONFIG_TTL": "1ms"})
			w.sayMany(1)
			w.X.Fault(x.Fault{Case: "unauthorized", Times: 1})
			if got := w.tick(superman); got.Stopped != "credentials refused" {
				t.Fatalf("report %+v, want it stopped", got)
			}
			if got := w.tick(superman); got.Stopped != "credentials refused" {
				t.Fatalf("report %+v, want it stopped still", got)
			}
			mend(w)
			if got := w.tick(superman); got.Stopped != "" || got.Posted != 1 {
				t.Errorf("report %+v, want 1 posted", got)
			}
		})
	}
}

// One bot's credentials are no other bot's matter.
func TestRevokedTokenStopsItsBotAlone(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.say("ana", "serverless big data", time.Minute)
	w.X.Revoke(w.credential(superman+"/twitter", "access_token"))
	w.tick(superman)
	if got := w.tick(batman); got.Posted != 1 {
		t.Errorf("batman: %+v, want 1 posted", got)
	}
	for _, read := range w.Parameters.Reads() {
		for _, name := range read.Names {
			if name != parameter("shared/twitter") && name != parameter("shared/ignore") && name != parameter(read.AccessKeyID+"/twitter") {
				t.Errorf("%s has read %s", read.AccessKeyID, name)
			}
		}
	}
}
