package twitter

import (
	"math"
	"testing"
	"time"
)

// The first post is the example of X's data dictionary, created at 19:26:16.
// The second id is what X asked for in place of a since_id that was too old,
// "a tweet id created after 2026-07-31T11:45Z".
func TestTime(t *testing.T) {
	for _, tt := range []struct {
		id   uint64
		want string
	}{
		{1212092628029698048, "2019-12-31T19:26:16Z"},
		{2083157183716917248, "2026-07-31T11:45:50Z"},
		{0, "2010-11-04T01:42:54Z"},
	} {
		if got := Time(tt.id).Format(time.RFC3339); got != tt.want {
			t.Errorf("Time(%d) = %s, want %s", tt.id, got, tt.want)
		}
	}
}

func TestFirstID(t *testing.T) {
	at := time.Date(2026, 7, 31, 11, 45, 0, 0, time.UTC)
	if got := Time(FirstID(at)); !got.Equal(at) {
		t.Errorf("FirstID(%v) is of %v", at, got)
	}
	if got := Time(FirstID(at) - 1); !got.Before(at) {
		t.Errorf("the id before FirstID(%v) is of %v", at, got)
	}
	if got := FirstID(at.In(time.FixedZone("", 3600))); got != FirstID(at) {
		t.Errorf("FirstID depends on the zone: %d", got)
	}
	if got := FirstID(time.Date(2006, 3, 21, 0, 0, 0, 0, time.UTC)); got != 0 {
		t.Errorf("FirstID before the epoch = %d, want 0", got)
	}
	if got := FirstID(time.Time{}); got != 0 {
		t.Errorf("FirstID of the zero time = %d, want 0", got)
	}
	if got := FirstID(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)); got != math.MaxInt64-1<<22+1 {
		t.Errorf("FirstID of year 9999 = %d, want the largest of 63 bits with 22 of zero", got)
	}
}
