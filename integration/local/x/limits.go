package x

import (
	"strconv"
	"time"
)

// A window counts requests until it ends.
type window struct {
	ends time.Time
	used int
}

// count notes one request in a window of some length and returns the state of
// its limit for headers, and whether the request is one too many.
func (x *X) count(key string, limit int, length time.Duration, now time.Time) (state [3]string, exhausted bool) {
	w := x.windows[key]
	if w == nil || !now.Before(w.ends) {
		w = &window{ends: now.Add(length)}
		x.windows[key] = w
	}
	if exhausted = w.used >= limit; !exhausted {
		w.used++
	}
	return [3]string{strconv.Itoa(limit), strconv.Itoa(limit - w.used), strconv.FormatInt(w.ends.Unix(), 10)}, exhausted
}

// limit counts a request against the limits and returns the rate headers of its
// answer. Every request with a good signature counts, whatever comes of it.
func (x *X) limit(c *call) (header map[string]string, exhausted bool) {
	limit := map[string]int{
		"search": x.Limits.Search, "create": x.Limits.Create, "me": x.Limits.Me, "timeline": x.Limits.Timeline,
	}[c.op]
	header = map[string]string{}
	set := func(prefix string, state [3]string) {
		header[prefix+"-limit"], header[prefix+"-remaining"], header[prefix+"-reset"] = state[0], state[1], state[2]
	}
	state, exhausted := x.count(c.op+" "+strconv.FormatUint(c.account.ID, 10), limit, 15*time.Minute, c.now)
	set("x-rate-limit", state)
	if c.op == "create" {
		state, over := x.count("create by "+c.app.key, x.Limits.CreateApp, 24*time.Hour, c.now)
		set("x-app-limit-24hour", state)
		exhausted = exhausted || over
	}
	return header, exhausted
}

// What calls cost, in thousandths of a US dollar. Asking who one is is taken to
// be free: X's price page does not say.
// Source: docs.x.com/x-api/getting-started/pricing, 2026-08-22.
const (
	priceRead           = 5 // each post returned
	priceCreate         = 15
	priceCreateWithLink = 200
)

// pay charges an app.
func (a *app) pay(amount int64) {
	a.spent += amount
	a.balance -= amount
}

// payRead charges an app for a post that it has not read yet this UTC day.
func (a *app) payRead(p *post, now time.Time) {
	if day := now.UTC().Format(time.DateOnly); day != a.day {
		a.day, a.read = day, map[uint64]struct{}{}
	}
	if _, paid := a.read[p.ID]; !paid {
		a.read[p.ID] = struct{}{}
		a.pay(priceRead)
	}
}

func (a *app) broke() bool { return a.prepaid && a.balance <= 0 }
