package page

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

// A fault is what one button breaks. It concerns all bots.
type fault struct {
	Key, Name string
	Expect    string // what then happens
	lasts     bool   // until it is mended
	begin     func(p *Playground)
	// shows reports whether a run met the fault.
	shows func(r *ran) bool
}

var faults = []fault{
	{
		Key: "parameters-throttled", Name: "Parameter Store throttles", lasts: true,
		Expect: "Warm functions work on with the settings they hold, and try again when CONFIG_TTL has passed. A cold one has none, says ConfigError and posts nothing.",
		begin: func(p *Playground) {
			p.cloud.Parameters.Fail(paramstore.Fault{Op: "GetParameters", Case: paramstore.Throttle})
		},
		shows: noParameters,
	}, {
		Key: "parameters-down", Name: "Parameter Store is down", lasts: true,
		Expect: "The same as throttling, for as long as CONFIG_MAX_STALE.",
		begin: func(p *Playground) {
			p.cloud.Parameters.Fail(paramstore.Fault{Op: "GetParameters", Case: paramstore.Unavailable})
		},
		shows: noParameters,
	}, {
		Key: "x-429", Name: "X says 429 to a post",
		Expect: "Nothing was posted, so the post waits as pending. The bot sends nothing until X's limit ends; it still searches.",
		begin:  create(x.Fault{Case: "rate-limit"}),
		shows:  func(r *ran) bool { return r.answered("create", 429) },
	}, {
		Key: "x-503", Name: "X says 503 to a post",
		Expect: "It may be out or not. The post is kept as posting, looked up once its lease has ended, and sent a second time only if X does not show it.",
		begin:  create(x.Fault{Case: "unavailable"}),
		shows:  func(r *ran) bool { return r.answered("create", 503) },
	}, {
		Key: "x-timeout", Name: "X posts, but does not answer",
		Expect: "The post is out and nobody knows. It is looked up once its lease has ended, found, and never sent twice.",
		begin:  create(x.Fault{Case: "timeout", When: "after"}),
		shows:  func(r *ran) bool { return r.answered("create", 0) },
	}, {
		Key: "twice", Name: "The tick comes twice",
		Expect: "Two runs at once, the second one cold. Only one of them can write down a post as its own, so each is posted once.",
		begin:  func(p *Playground) { p.twice = true },
		shows:  func(r *ran) bool { return r.Twin },
	}, {
		Key: "kill", Name: "Kill it while it posts",
		Expect: "The run fails with the post written down as posting. The next run starts cold; the post is looked up once its lease has ended, found, and never sent twice.",
		begin: func(p *Playground) {
			for name, account := range p.cloud.Accounts {
				p.killing[id(account.ID)] = name
			}
		},
		shows: func(r *ran) bool { return r.Error != "" && r.answered("create", 201) },
	}, {
		Key: "freeze", Name: "Freeze it past its TTL",
		Expect: "No ticks while it is frozen. When it thaws its settings are too old, so it reads them before it asks X anything.",
		begin:  func(p *Playground) { p.freeze = true },
		shows:  func(*ran) bool { return true },
	},
}

// create breaks the next post of each bot.
func create(f x.Fault) func(*Playground) {
	return func(p *Playground) {
		f.Op, f.Times = "create", 1
		for name := range p.cloud.Accounts {
			f.Account = name
			p.cloud.X.Fault(f)
		}
	}
}

func noParameters(r *ran) bool {
	return slices.ContainsFunc(r.Calls, func(c call) bool { return c.To != "X" && c.Status != 200 })
}

// A story is a button that was pressed, and what came of it.
type story struct {
	N      int              `json:"n"`
	At     time.Time        `json:"at"`
	Title  string           `json:"title"`
	Expect string           `json:"expect"`
	Bots   map[string]*part `json:"bots"`
	shows  func(*ran) bool
}

// A part is one bot's part of a story.
type part struct {
	Run   int      `json:"run"` // the run that met it; 0 if none has yet
	Tells []string `json:"tells"`
	Posts []string `json:"posts"` // sources whose rows changed in that run
}

func (p *Playground) rotate(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.bots, func(b bot.Bot) bool { return b.Name == name })
	if i < 0 {
		return fmt.Errorf("there is no bot %q", name)
	}
	version := p.cloud.Rotate(name)
	p.newest[parameter(name)] = version
	if p.people {
		p.somebody(p.bots[i])
	}
	p.tell(&story{
		Title:  fmt.Sprintf("Rotated the token of %s: version %d", name, version),
		Expect: "X refuses the old token (401). The function reads its parameters again in the same run and goes on with the new token; no run fails.",
		Bots:   map[string]*part{name: {}},
		shows:  func(*ran) bool { return true },
	})
	p.show()
	return nil
}

func parameter(name string) string { return "/superbots/" + local.Stage + "/" + name + "/twitter" }

func (p *Playground) breakIt(key string) error {
	i := slices.IndexFunc(faults, func(f fault) bool { return f.Key == key })
	if i < 0 {
		return fmt.Errorf("there is no fault %q", key)
	}
	f := faults[i]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken[key] {
		return errors.New("this is broken already")
	}
	p.broken[key] = f.lasts
	f.begin(p)
	s := &story{Title: f.Name, Expect: f.Expect, Bots: map[string]*part{}, shows: f.shows}
	for _, b := range p.bots {
		s.Bots[b.Name] = &part{}
		if p.people {
			p.somebody(b)
		}
	}
	p.tell(s)
	p.show()
	return nil
}

func (p *Playground) tell(s *story) {
	s.At = time.Now()
	s.N = 1
	if n := len(p.stories); n > 0 {
		s.N = p.stories[n-1].N + 1
	}
	if p.stories = append(p.stories, s); len(p.stories) > p.feed.limits["story"] {
		p.stories = slices.Clone(p.stories[1:])
	}
	p.feed.put("story", strconv.Itoa(s.N), s)
}

// mend ends all faults and lets the bots go on that were stopped by them, as an
// operator does with the command ledger resume.
func (p *Playground) mend(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cloud.X.ClearFaults()
	p.cloud.Parameters.ClearFaults()
	p.twice, p.freeze = false, false
	clear(p.killing)
	clear(p.frozen)
	clear(p.broken)
	for _, b := range p.bots {
		book, err := ledger.Load(ctx, p.store, b.Name, "page/"+rand.Text())
		if err != nil {
			return err
		}
		for what := range maps.Clone(book.Control().Stops) {
			if err := book.Resume(ctx, what); err != nil {
				return err
			}
		}
		if _, err := p.read(b); err != nil {
			return err
		}
	}
	p.show()
	return nil
}
