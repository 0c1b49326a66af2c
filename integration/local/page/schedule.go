package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

// A function's environment is fixed when it is deployed. So another speed means
// another deployment, whose first runs are cold, with these many ticks for what
// is minutes in AWS.
const (
	ticksPerTTL    = 12
	ticksPerSettle = 4
)

// The slowest and the fastest that the page can set. A program may start with
// any interval.
const (
	minEvery = time.Second
	maxEvery = 600 * time.Second
)

// Options say what a Playground is.
type Options struct {
	Bots  []bot.Bot
	Every time.Duration // between two ticks
	// People makes the world go on for ever: somebody says something for one of
	// the bots at each tick and at each button. What the page does not show any
	// more is then taken out of X and out of the ledger.
	People bool
	// Paused waits for the first step.
	Paused bool
}

// A Playground runs bots on a schedule and is the http.Handler of the page that
// shows it. Call New, Start the cloud with Wrap, then Run. ServeHTTP and Say
// may be called at any time by many goroutines.
type Playground struct {
	bots   []bot.Bot
	people bool
	feed   *feed
	calls  calls
	poke   chan struct{}
	token  string
	mux    *http.ServeMux

	mu      sync.Mutex // guards the fields below
	cloud   *local.Cloud
	tick    func(ctx context.Context, bot string) (local.Run, error) // one run
	store   ledger.Store
	every   time.Duration
	paused  bool
	steps   int
	next    time.Time // the next tick
	twice   bool      // the next tick comes twice
	frozen  map[string]time.Time
	killing map[string]string // bot by account: killed when it next sends
	broken  map[string]bool   // faults that last until they are mended
	waiting []x.Post          // said, but of a later time, oldest first
	said    []uint64          // ids of the posts that were shown, oldest first
	runs    int
	logs    map[int]string
	held    map[string]held   // by bot
	stops   map[string][]stop // by bot, as the ledger last had them
	unsure  map[string]uint64 // by bot, the oldest source of an unknown outcome; 0 if there is none
	newest  map[string]int64
	stories []*story
	rounds  int
	talk    map[string]int // posts of the people, by bot
	freeze  bool           // at the next tick
}

// New returns a Playground that does nothing yet.
func New(o Options) *Playground {
	p := &Playground{
		bots: o.Bots, people: o.People, every: o.Every, paused: o.Paused, feed: newFeed(), poke: make(chan struct{}, 1),
		frozen: map[string]time.Time{}, killing: map[string]string{}, broken: map[string]bool{}, logs: map[int]string{},
		held: map[string]held{}, stops: map[string][]stop{}, unsure: map[string]uint64{}, newest: map[string]int64{}, talk: map[string]int{},
	}
	p.routes()
	return p
}

// scaled returns the variables whose values follow the speed of the schedule.
func (p *Playground) scaled() map[string]string {
	every := max(p.every, minEvery)
	return map[string]string{
		"CONFIG_TTL": fmt.Sprintf("%gs", (ticksPerTTL * every).Seconds()),
		"BOT_SETTLE": fmt.Sprintf("%gs", (ticksPerSettle * every).Seconds()),
	}
}

// Attach shows a cloud that was started with p's Wrap. Say and Run come after.
func (p *Playground) Attach(cloud *local.Cloud) error {
	store, err := ledger.OpenFile(strings.TrimPrefix(cloud.Ledger, "file:"))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cloud, p.tick, p.store = cloud, cloud.Tick, store
	return nil
}

// Say puts a post into the world. Only posts that were said are shown.
func (p *Playground) Say(post x.Post) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say(post)
}

func (p *Playground) say(post x.Post) {
	if post.CreatedAt.IsZero() {
		post.CreatedAt = time.Now()
	}
	post.ID = p.cloud.X.Add(post)
	i, _ := slices.BinarySearchFunc(p.waiting, post, func(a, b x.Post) int { return a.CreatedAt.Compare(b.CreatedAt) })
	p.waiting = slices.Insert(p.waiting, i, post)
}

// Run ticks the bots until ctx ends or something fails that is no run of a
// bot. After each run it calls ran, for one run at a time; an error of ran ends
// Run.
func (p *Playground) Run(ctx context.Context, ran func(bot.Bot, local.Run) error) error {
	var deployed time.Duration
	for {
		if every := p.now(); every != deployed {
			if err := p.deploy(); err != nil {
				return err
			}
			deployed = every
		}
		if p.wait(ctx) {
			continue // at another speed
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := p.round(ctx, ran); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

func (p *Playground) now() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.every
}

func (p *Playground) deploy() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.bots {
		if err := p.cloud.Deploy(b.Name, p.scaled()); err != nil {
			return err
		}
		delete(p.held, b.Name)
		delete(p.frozen, b.Name)
		if _, err := p.read(b); err != nil {
			return err
		}
	}
	p.show()
	return nil
}

// wait returns when the next tick is due or ctx ends, or with true when the
// speed was changed.
func (p *Playground) wait(ctx context.Context) (changed bool) {
	every := p.now()
	for {
		p.mu.Lock()
		if p.every != every {
			p.mu.Unlock()
			return true
		}
		if p.steps > 0 {
			p.steps--
			p.mu.Unlock()
			return false
		}
		timer := time.NewTimer(time.Until(p.next))
		if p.paused {
			timer.Stop()
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
			return false
		case <-p.poke:
			timer.Stop()
		}
	}
}

// round sends each bot one tick and waits for their answers.
func (p *Playground) round(ctx context.Context, ran func(bot.Bot, local.Run) error) error {
	p.mu.Lock()
	p.next = time.Now().Add(p.every)
	if p.people {
		p.somebody(p.bots[p.rounds%len(p.bots)])
	}
	p.rounds++
	if p.freeze {
		p.freeze = false
		for _, b := range p.bots {
			p.cloud.Functions[b.Name].Freeze()
			p.frozen[b.Name] = time.Now().Add((ticksPerTTL + 1) * max(p.every, minEvery))
		}
	}
	ticks := 1
	if p.twice {
		p.twice, ticks = false, 2
	}
	var due []bot.Bot
	for _, b := range p.bots {
		if time.Now().After(p.frozen[b.Name]) {
			due = append(due, b)
		}
	}
	p.show()
	err := p.forget()
	p.mu.Unlock()
	if err != nil {
		return err
	}

	var wg sync.WaitGroup
	var one sync.Mutex // guards errs and calls of ran
	var errs []error
	for _, b := range due {
		for range ticks {
			wg.Go(func() {
				begin := time.Now()
				run, err := p.tick(ctx, b.Name)
				one.Lock()
				defer one.Unlock()
				if err == nil {
					err = errors.Join(p.record(b, run, begin, ticks > 1), ran(b, run))
				}
				errs = append(errs, err)
			})
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p *Playground) poked() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

func (p *Playground) pause(paused bool) {
	p.mu.Lock()
	p.paused = paused
	p.showWorld()
	p.mu.Unlock()
	p.poked()
}

func (p *Playground) step() {
	p.mu.Lock()
	p.steps = min(p.steps+1, 10)
	p.mu.Unlock()
	p.poked()
}

func (p *Playground) setEvery(seconds string) error {
	n, err := strconv.Atoi(seconds)
	every := time.Duration(n) * time.Second
	if err != nil || every < minEvery || every > maxEvery {
		return errors.New("a tick comes every 1 to 600 seconds")
	}
	p.mu.Lock()
	p.every = every
	p.next = time.Now().Add(every)
	p.showWorld()
	p.mu.Unlock()
	p.poked()
	return nil
}
