package page

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/superbots/integration/local"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
)

// id is how ids travel: JavaScript's numbers cannot hold them.
func id(n uint64) string { return strconv.FormatUint(n, 10) }

// A piece of a text is plain, or marked as a word of a bot.
type piece struct {
	Text string `json:"text"`
	Bot  string `json:"bot,omitempty"`
}

const maxShown = 1000 // bytes of a post's text, cut between characters

// pieces marks what find matches.
func pieces(text string, find map[string]func(string) [][]int) []piece {
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	type match struct {
		at, end int
		bot     string
	}
	var matches []match
	for name, f := range find {
		for _, m := range f(text) {
			matches = append(matches, match{m[0], m[1], name})
		}
	}
	slices.SortFunc(matches, func(a, b match) int { return cmp.Compare(a.at, b.at) })
	cut := []piece{}
	at := 0
	for _, m := range matches {
		if m.at < at {
			continue
		}
		if m.at > at {
			cut = append(cut, piece{Text: text[at:m.at]})
		}
		cut = append(cut, piece{text[m.at:m.end], m.bot})
		at = m.end
	}
	return append(cut, piece{Text: text[at:]})
}

type said struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Text   []piece   `json:"text"`
}

type sent struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Bot    string    `json:"bot"`
	Source string    `json:"source"` // empty while no row says
	Text   []piece   `json:"text"`
}

type row struct {
	Bot     string        `json:"bot"`
	Source  string        `json:"source"`
	State   ledger.State  `json:"state"`
	Reason  string        `json:"reason,omitempty"`
	Post    string        `json:"post,omitempty"`
	Sends   int           `json:"sends"`
	Due     time.Time     `json:"due,omitzero"` // of an unknown outcome: when it is looked up
	History []ledger.Step `json:"history"`
}

// A ran is one run.
type ran struct {
	N         int              `json:"n"`
	Bot       string           `json:"bot"`
	At        time.Time        `json:"at"`
	Cold      bool             `json:"cold"`
	Twin      bool             `json:"twin"` // another run of this bot was under way
	MS        float64          `json:"ms"`
	InitMS    float64          `json:"init_ms"`
	Calls     []call           `json:"calls"` // of a twin: those of both, which carry nothing that tells them apart
	Reads     int              `json:"reads"` // those to Parameter Store
	Found     int              `json:"found"`
	Posted    int              `json:"posted"`
	Skipped   map[string]int   `json:"skipped"`
	Pending   int              `json:"pending"`
	Unknown   int              `json:"unknown"`
	Dead      int              `json:"dead"`
	Stopped   string           `json:"stopped"`
	Error     string           `json:"error"`
	Age       float64          `json:"age"` // seconds
	Stale     bool             `json:"stale"`
	Refreshes int              `json:"refreshes"`
	Versions  map[string]int64 `json:"versions"`
	Tells     []string         `json:"tells"`
}

// answered reports whether X answered an operation with a status.
func (r *ran) answered(op string, status int) bool {
	return slices.ContainsFunc(r.Calls, func(c call) bool { return c.To == "X" && c.Op == op && c.Status == status })
}

// tells says in words what is worth a word about a run.
func (r *ran) tells(own string) []string {
	say := []string{}
	add := func(format string, args ...any) { say = append(say, fmt.Sprintf(format, args...)) }
	refused := slices.IndexFunc(r.Calls, func(c call) bool { return c.To == "X" && c.Status == 401 })
	read := slices.IndexFunc(r.Calls, func(c call) bool { return c.To != "X" && c.Status == 200 })
	if r.Twin {
		add("Ran beside another run of the same bot. The calls are those of both, which nothing tells apart.")
	}
	if refused >= 0 {
		add("X refused the token (401).")
	}
	switch {
	case r.Refreshes > 0 && refused >= 0 && read > refused:
		add("Read its parameters again: version %d.", r.Versions[own])
	case r.Refreshes > 0 && read >= 0 && !r.Cold:
		add("Read its parameters before it asked X, because CONFIG_TTL had passed: version %d.", r.Versions[own])
	case noParameters(r):
		add("Could not read Parameter Store.")
	}
	if r.Stale {
		add("Worked on with settings that are %.0f s old.", r.Age)
	}
	for _, c := range r.Calls {
		switch {
		case c.Op != "create" || c.Status == 201 && r.Error == "":
		case c.Status == 201:
			add("X took the post, but the run did not live to hear of it.")
		case c.Status == 0:
			add("X did not answer to the post.")
		default:
			add("X answered %d to the post.", c.Status)
		}
	}
	switch {
	case r.Error != "":
		add("The run failed: %s.", r.Error)
	case r.Posted > 0:
		add("Posted %d.", r.Posted)
	}
	if r.Unknown > 0 {
		add("%d of unknown outcome, to be looked up.", r.Unknown)
	}
	if r.Stopped != "" {
		add("Stopped: %s.", r.Stopped)
	}
	return say
}

const maxLog = 16 << 10 // bytes kept of a run's log; its end counts

// record shows a run that has ended.
func (p *Playground) record(b bot.Bot, run local.Run, begin time.Time, twin bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs++
	report := run.Report
	r := &ran{
		N: p.runs, Bot: b.Name, At: begin, Cold: run.Cold, Twin: twin, MS: ms(run.Duration), InitMS: ms(run.Init),
		Calls: p.calls.between(begin, time.Now(), b.Name, id(p.cloud.Accounts[b.Name].ID)),
		Found: report.Found, Posted: report.Posted, Skipped: report.Skipped, Pending: report.Pending, Unknown: report.Unknown, Dead: report.Dead,
		Stopped: report.Stopped, Error: run.ErrorType, Age: report.Config.AgeSeconds, Stale: report.Config.Stale,
		Refreshes: report.Config.Refreshes, Versions: report.Config.Versions,
	}
	for _, c := range r.Calls {
		if c.To != "X" {
			r.Reads++
		}
	}
	r.Tells = r.tells(parameter(b.Name))
	log := strings.Join(run.Log, "\n")
	if run.FunctionError != "" {
		log += "\n" + run.ErrorType + ": " + run.ErrorMessage
	}
	if len(log) > maxLog {
		log = "…" + log[len(log)-maxLog:]
	}
	p.logs[r.N] = log
	delete(p.logs, r.N-p.feed.limits["run"])
	if run.FunctionError == "" {
		p.held[b.Name] = held{time.Now(), report.Config}
	} else {
		delete(p.held, b.Name) // a function that failed may be gone
	}
	p.feed.put("run", strconv.Itoa(r.N), r)
	posts, err := p.read(b)
	if err != nil {
		return err
	}
	p.show()
	p.continueStories(r, posts)
	return nil
}

// continueStories adds a run, after which the ledger has posts, to the stories
// that wait for it.
func (p *Playground) continueStories(r *ran, posts []*ledger.Post) {
	for _, s := range p.stories {
		part := s.Bots[r.Bot]
		if part == nil || part.Run != 0 || r.At.Before(s.At) || !s.shows(r) {
			continue
		}
		part.Run, part.Tells = r.N, r.Tells
		for _, post := range posts {
			if len(part.Posts) < 5 && !post.History[len(post.History)-1].At.Before(r.At) {
				part.Posts = append(part.Posts, id(post.ID))
			}
		}
		p.feed.put("story", strconv.Itoa(s.N), s)
	}
}

// show makes known whatever has changed in the world, the functions and the
// schedule. p.mu is held.
func (p *Playground) show() {
	now := time.Now()
	find := map[string]func(string) [][]int{}
	for _, b := range p.bots {
		find[b.Name] = func(text string) [][]int { return b.Find.FindAllStringIndex(text, -1) }
	}
	for len(p.waiting) > 0 && !p.waiting[0].CreatedAt.After(now) {
		post := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.feed.put("said", id(post.ID), said{id(post.ID), post.CreatedAt, post.Author, pieces(post.Text, find)})
		p.said = append(p.said, post.ID)
	}
	for _, b := range p.bots {
		p.showFunction(b, now)
	}
	p.showWorld()
}

// read makes known whatever has changed in a bot's ledger and in what it has
// posted, and returns the posts of the ledger, oldest first. p.mu is held.
func (p *Playground) read(b bot.Bot) ([]*ledger.Post, error) {
	rows, err := p.store.All(context.Background(), b.Name)
	if err != nil {
		return nil, fmt.Errorf("ledger of %s: %w", b.Name, err)
	}
	p.stops[b.Name], p.unsure[b.Name] = nil, 0
	byPost, byText := map[uint64]uint64{}, map[string]uint64{}
	var posts []*ledger.Post
	for _, r := range rows {
		switch {
		case r.Control != nil:
			for _, what := range slices.Sorted(maps.Keys(r.Control.Stops)) {
				s := r.Control.Stops[what]
				p.stops[b.Name] = append(p.stops[b.Name], stop{what, s.Why, s.Until})
			}
		case r.Post != nil:
			posts = append(posts, r.Post)
			byPost[r.Post.PostedID] = r.Post.ID
			if r.Post.State == ledger.Posting {
				byText[r.Post.Text] = r.Post.ID
				p.unsure[b.Name] = cmp.Or(p.unsure[b.Name], r.Post.ID) // rows come by id
			}
		}
	}
	replaced := map[string]func(string) [][]int{b.Name: func(text string) [][]int { return indexFold(text, b.Replace) }}
	out := p.cloud.X.Posts(p.cloud.Accounts[b.Name].ID)
	for _, post := range out[max(0, len(out)-p.feed.limits["sent"]/len(p.bots)):] {
		source := cmp.Or(byPost[post.ID], byText[post.Text])
		p.feed.put("sent", id(post.ID), sent{id(post.ID), post.CreatedAt, b.Name, orNone(source), pieces(post.Text, replaced)})
	}
	slices.SortFunc(posts, func(a, b *ledger.Post) int { return cmp.Compare(a.ID, b.ID) })
	settle, _ := time.ParseDuration(p.cloud.Deployed(b.Name)["BOT_SETTLE"])
	for _, post := range posts[max(0, len(posts)-p.feed.limits["row"]/len(p.bots)):] {
		one := row{b.Name, id(post.ID), post.State, post.Reason, orNone(post.PostedID), post.Sends, time.Time{}, post.History}
		if post.State == ledger.Posting {
			one.Due = post.Resent.Add(settle)
			if post.Lease.After(one.Due) {
				one.Due = post.Lease
			}
		}
		p.feed.put("row", b.Name+"/"+one.Source, one)
	}
	return posts, nil
}

func orNone(n uint64) string {
	if n == 0 {
		return ""
	}
	return id(n)
}

// indexFold finds word, which is ASCII, in any letter case.
func indexFold(text, word string) (found [][]int) {
	for at := 0; at+len(word) <= len(text); at++ {
		if strings.EqualFold(text[at:at+len(word)], word) {
			found = append(found, []int{at, at + len(word)})
			at += len(word) - 1
		}
	}
	return found
}

// held is what a running function holds, as of the end of its last run.
type held struct {
	at     time.Time
	config bot.Config
}

type stop struct {
	What  string    `json:"what"`
	Why   string    `json:"why"`
	Until time.Time `json:"until"`
}

type function struct {
	Bot    string     `json:"bot"`
	Vars   []variable `json:"vars"`
	Read   time.Time  `json:"read,omitzero"` // when what it holds was read; zero if it holds nothing
	Stale  bool       `json:"stale"`
	Stops  []stop     `json:"stops"`
	Frozen time.Time  `json:"frozen,omitzero"` // until then
}

// A variable is one of a function's environment, as deployed.
type variable struct {
	Name      string `json:"name"`
	Value     string `json:"value"` // masked if it is a secret or comes from a parameter
	Parameter string `json:"parameter,omitempty"`
	Field     string `json:"field,omitempty"`
	Held      int64  `json:"held,omitempty"`
	Newest    int64  `json:"newest,omitempty"`
}

const mask = "••••••••"

func (p *Playground) showFunction(b bot.Bot, now time.Time) {
	h := p.held[b.Name]
	f := function{Bot: b.Name, Stale: h.config.Stale, Stops: []stop{}}
	for _, s := range p.stops[b.Name] {
		if s.Until.After(now) {
			f.Stops = append(f.Stops, s)
		}
	}
	if !h.at.IsZero() {
		f.Read = h.at.Add(-time.Duration(h.config.AgeSeconds * float64(time.Second))).Truncate(time.Second)
	}
	if until := p.frozen[b.Name]; until.After(now) {
		f.Frozen = until
	}
	env := p.cloud.Deployed(b.Name)
	names := slices.SortedFunc(maps.Keys(env), func(a, b string) int { return cmp.Or(cmp.Compare(group(a), group(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		v := variable{Name: name, Value: env[name]}
		if reference, ok := strings.CutPrefix(env[name], "ssm:"); ok {
			v.Parameter, v.Field, _ = strings.Cut(reference, "#")
			v.Value, v.Held, v.Newest = mask, h.config.Versions[v.Parameter], max(p.newest[v.Parameter], 1)
		}
		if strings.HasPrefix(name, "AWS_") && strings.Contains(name, "KEY") {
			v.Value = mask
		}
		f.Vars = append(f.Vars, v)
	}
	p.feed.put("function", b.Name, f)
}

// group orders variables: what the project is about comes first.
func group(name string) int {
	return slices.IndexFunc([]string{"TWITTER_", "BOT_", "CONFIG_", "LEDGER", ""}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

type world struct {
	EveryMS int64     `json:"every_ms"`
	Paused  bool      `json:"paused"`
	Next    time.Time `json:"next,omitzero"`
	Runs    int       `json:"runs"`
	Broken  []string  `json:"broken"` // keys of faults that last
}

func (p *Playground) showWorld() {
	w := world{EveryMS: p.every.Milliseconds(), Paused: p.paused, Next: p.next, Runs: p.runs, Broken: []string{}}
	for key, broken := range p.broken {
		if broken {
			w.Broken = append(w.Broken, key)
		}
	}
	slices.Sort(w.Broken)
	p.feed.put("world", "", w)
}
