package x_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"example.com/superbots/integration/local/x"
)

// What is forgotten is found nowhere, and its text may be said again; what is
// newer stays as it was, paid for and all.
func TestForget(t *testing.T) {
	w := serve(t)
	old := x.Post{Author: "ann", Text: "serverless 1", CreatedAt: time.Now().Add(-time.Hour)}
	old.ID = w.Add(old)
	w.send("Superman 1").want(t, 201)
	kept := w.Add(x.Post{Author: "ann", Text: "serverless 2"})
	w.send("Superman 2").want(t, 201)
	w.find("serverless")
	w.timeline()
	spent := w.Spent(key)

	w.Forget(kept)
	if got, want := w.find("serverless").ids(), []string{text(kept)}; !slices.Equal(got, want) {
		t.Errorf("search finds %q, want %q", got, want)
	}
	if got, want := w.texts(), []string{"Superman 2"}; !slices.Equal(got, want) {
		t.Errorf("the account has %q, want %q", got, want)
	}
	if got := len(w.timeline().Data); got != 1 {
		t.Errorf("%d posts in the timeline, want 1", got)
	}
	if got := w.Spent(key); got != spent {
		t.Errorf("reading again what was kept cost %v", got-spent)
	}
	w.send("Superman 1").want(t, 201)
	w.send("Superman 2").want(t, 403, "duplicate content")
	w.Add(old)
	w.find("serverless")
	if got, want := w.Spent(key)-spent, 0.015+0.005; math.Abs(got-want) > 1e-9 {
		t.Errorf("a post, and one read that was forgotten, cost %v, want %v", got, want)
	}
	w.Forget(kept)
	w.Forget(0)
	if got, want := w.texts(), []string{"Superman 2", "Superman 1"}; !slices.Equal(got, want) {
		t.Errorf("the account has %q, want %q", got, want)
	}
}
