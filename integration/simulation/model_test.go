package simulation

import (
	"fmt"
	"slices"
	"testing"
)

// The model has one source post, three runs at a time that overlap in every
// way, and an environment that does whatever it likes whenever it likes: a run
// stalls or crashes between any two steps and another starts in its place, a
// lease and the settle time end at any moment, answers are lost, and X refuses,
// accepts, accepts and says nothing, or accepts later. There is no clock but for
// what the assumptions say. Every state that can be reached is visited.
//
// The steps are those of pkg/ledger and pkg/bot: a run reads the row, and
// writes only if the row's state, owner and sends are what it read.
const modelRuns = 3

// A design is what a protocol does and what it may rely on. The zero design is
// the one that is built, in a world that promises nothing.
type design struct {
	settles  bool // assumption A: what lands, lands before the settle time is over
	deadline bool // G: a run looks at its deadline before it sends, and its lease outlives that
	refuses  bool // assumption D: X refuses a text that it has
	never    bool // an unknown outcome is not sent again

	rerun    bool // mutant: a lease that is over makes the row pending
	unfenced bool // mutant: writes do not look at what is there
	unwarned bool // mutant: nothing is written down before the send
}

func (d design) mutant() bool { return d.rerun || d.unfenced || d.unwarned }

func (d design) String() string {
	s := ""
	for _, part := range []struct {
		on   bool
		name string
	}{{d.settles, "A"}, {d.deadline, "G"}, {d.refuses, "D"}, {d.never, "never"}, {d.rerun, "rerun"}, {d.unfenced, "unfenced"}, {d.unwarned, "unwarned"}} {
		if part.on {
			s += part.name + " "
		}
	}
	return fmt.Sprintf("%-22s", s)
}

type rowState uint8

const (
	mPending rowState = iota
	mPosting
	mPosted
	mSkipped
	mRefused // dead
	mUnknown // dead
)

type row struct {
	state rowState
	owner uint8 // 0: none; 1 to modelRuns: a run; more: one that is over
	sends uint8
}

type step uint8

const (
	atStart   step = iota
	atLoaded       // the row was read
	atAbsent       // the whole timeline was read, and the text is not there
	atShown        // the text is there
	atBegun        // the send is written down
	atChecked      // the deadline was looked at
	atSent         // X has the request, or will have it
	atCreated      // X said so
	atRefused      // X said so
	atUnsent       // certainly nothing was posted, for no fault of the post
	atTwin         // X says that it has this text already
	atOver
)

type process struct {
	at  step
	row row  // as read or written last
	due bool // its settle time was over by then
}

type state struct {
	row       row
	leaseOver bool // of the row's owner
	settled   bool // the settle time since the last send is over
	effects   uint8
	posts     uint8
	runs      [modelRuns]process
}

// next returns all that can happen in s.
func (d design) next(s state) (next []state) {
	may := func(f func(*state)) {
		n := s
		f(&n)
		for i := range n.runs {
			if n.runs[i].at == atOver {
				n.replace(i)
			}
		}
		next = append(next, n)
	}
	land := func(n *state) (ok bool) {
		if d.refuses && n.posts > 0 {
			return false
		}
		n.posts = min(n.posts+1, 2)
		return true
	}
	if s.effects > 0 {
		may(func(n *state) { n.effects--; land(n) })
		may(func(n *state) { n.effects-- })
	}
	if s.row.state == mPosting && !s.leaseOver {
		may(func(n *state) {
			n.leaseOver = true
			if d.deadline { // its owner has sent by now, or does not
				for i := range n.runs {
					if p := &n.runs[i]; p.at == atChecked && int(n.row.owner) == i+1 {
						p.at = atUnsent
					}
				}
			}
		})
	}
	waiting := s.effects > 0 || slices.ContainsFunc(s.runs[:], func(p process) bool { return p.at == atSent })
	if s.row.state == mPosting && s.leaseOver && !s.settled && !(d.settles && waiting) {
		may(func(n *state) { n.settled = true })
	}
	for i, p := range s.runs {
		me := uint8(i + 1)
		run := func(f func(*state, *process)) {
			may(func(n *state) { f(n, &n.runs[i]) })
		}
		goTo := func(at step) { run(func(_ *state, p *process) { p.at = at }) }
		// swap writes if the row is what the run knows; its answer may be lost.
		swap := func(write func(*state, *process)) {
			if s.row != p.row && !d.unfenced {
				goTo(atOver)
				return
			}
			run(write)
			run(func(n *state, p *process) { write(n, p); p.at = atOver })
		}
		begin := func() {
			swap(func(n *state, p *process) {
				n.row = row{mPosting, me, p.row.sends + 1}
				n.leaseOver, n.settled = false, false
				p.at, p.row = atBegun, n.row
			})
		}
		end := func(to rowState) { swap(func(n *state, p *process) { n.row.state, p.at = to, atOver }) }
		posted := func() { run(func(n *state, p *process) { n.row.state, p.at = mPosted, atOver }) }

		if p.at != atStart {
			run(func(n *state, p *process) {
				if p.at == atSent {
					n.effects = min(n.effects+1, 3)
				}
				p.at = atOver
			})
		}
		switch p.at {
		case atStart:
			run(func(n *state, p *process) {
				*p = process{atLoaded, n.row, n.row.state == mPosting && (n.settled || d.rerun && n.leaseOver)}
			})
		case atLoaded:
			switch {
			case p.row.state == mPending && d.unwarned:
				goTo(atBegun)
			case p.row.state == mPending:
				begin()
			case p.due && d.rerun:
				goTo(atAbsent)
			case p.due && s.posts > 0:
				goTo(atShown)
			case p.due:
				goTo(atAbsent)
			default:
				goTo(atOver)
			}
		case atShown:
			posted()
		case atAbsent:
			if !d.never && p.row.sends < 2 {
				begin()
			} else {
				end(mUnknown)
			}
		case atBegun:
			if late := s.row.owner != me || s.leaseOver; d.deadline && late && !d.unwarned {
				goTo(atUnsent)
			} else {
				goTo(atChecked)
			}
		case atChecked:
			goTo(atSent)
			goTo(atUnsent)
			goTo(atRefused)
			goTo(atTwin) // of something long ago
		case atSent:
			run(func(n *state, p *process) {
				if p.at = atCreated; !land(n) {
					p.at = atTwin
				}
			})
			goTo(atOver) // nothing arrived at X
		case atCreated:
			posted()
		case atRefused, atUnsent, atTwin:
			if p.at == atTwin && s.posts > 0 {
				posted()
			}
			swap(func(n *state, p *process) { // back to before Begin, and then to its end
				n.row, n.row.owner = p.row, 0
				n.row.sends = max(n.row.sends, 1) - 1
				n.leaseOver, n.settled = true, true
				switch again := n.row.sends > 0; {
				case p.at == atUnsent && !again:
					n.row.state = mPending
				case p.at == atUnsent:
				case again:
					n.row.state = mUnknown
				case p.at == atRefused:
					n.row.state = mRefused
				default:
					n.row.state = mSkipped
				}
				p.at = atOver
			})
		}
	}
	return next
}

// replace starts another run in the place of one that is over. What the old one
// owned gets an owner of its own, so that the new one is not taken for it.
func (n *state) replace(i int) {
	n.runs[i] = process{}
	old := uint8(i + 1)
	gone := uint8(modelRuns + 1)
	for n.knows(gone) {
		gone++
	}
	if n.row.owner == old {
		n.row.owner = gone
	}
	for j := range n.runs {
		if n.runs[j].row.owner == old {
			n.runs[j].row.owner = gone
		}
	}
}

func (n *state) knows(owner uint8) bool {
	return n.row.owner == owner || slices.ContainsFunc(n.runs[:], func(p process) bool { return p.row.owner == owner })
}

// explored is what a search of all states found; a mutant's ends with the first
// state that has two posts.
type explored struct {
	states, edges int
	broken        map[string]string // an example of each invariant that is broken
}

func (d design) explore() explored {
	x := explored{broken: make(map[string]string)}
	wrong := func(invariant string, s state) {
		if x.broken[invariant] == "" {
			x.broken[invariant] = fmt.Sprintf("%+v", s)
		}
	}
	number := map[state]int32{{}: 0}
	queue := []state{{}}
	from := [][]int32{nil} // by state, those that lead to it
	for i := 0; i < len(queue) && !(d.mutant() && x.broken["I1"] != ""); i++ {
		s := queue[i]
		switch at := s.row.state; {
		case s.posts > 1:
			wrong("I1", s)
		case at == mPosted && s.posts == 0:
			wrong("I2", s)
		case at == mSkipped && s.posts > 0:
			wrong("I3", s)
		case at == mRefused && s.posts > 0:
			wrong("I4", s)
		}
		for _, n := range d.next(s) {
			x.edges++
			if was, is := s.row.state, n.row.state; was >= mPosted && is != was && !(was == mUnknown && is == mPosted) {
				wrong("I5", n)
			}
			j, ok := number[n]
			if !ok {
				j = int32(len(queue))
				number[n] = j
				queue = append(queue, n)
				from = append(from, nil)
			}
			from[j] = append(from[j], int32(i))
		}
	}
	x.states = len(queue)
	if d.mutant() {
		return x
	}

	// Back from the ends, to see that every state leads to one.
	ends := make([]bool, len(queue))
	var todo []int32
	for i, s := range queue {
		if s.row.state >= mPosted {
			ends[i] = true
			todo = append(todo, int32(i))
		}
	}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, j := range from[i] {
			if !ends[j] {
				ends[j] = true
				todo = append(todo, j)
			}
		}
	}
	if i := slices.Index(ends, false); i >= 0 {
		wrong("I8", queue[i])
	}
	return x
}

// Sending again is safe if X settles and runs keep their deadline, or if X
// refuses duplicates. Never sending again is always safe.
func TestModel(t *testing.T) {
	for _, never := range []bool{false, true} {
		for bits := range 8 {
			d := design{settles: bits&1 != 0, deadline: bits&2 != 0, refuses: bits&4 != 0, never: never}
			safe := never || d.refuses || d.settles && d.deadline
			if raceDetector && bits != 3 {
				continue // it takes long, and has one goroutine
			}
			x := d.explore()
			t.Logf("%v %7d states %8d edges, posted twice: %v", d, x.states, x.edges, x.broken["I1"] != "")
			for invariant, s := range x.broken {
				if safe || invariant != "I1" {
					t.Errorf("%v breaks %s: %s", d, invariant, s)
				}
			}
			if !safe && x.broken["I1"] == "" {
				t.Errorf("%v: no state has two posts", d)
			}
		}
	}
}

func TestModelMutants(t *testing.T) {
	world := design{settles: true, deadline: true}
	for _, change := range []func(*design){
		func(d *design) { d.rerun = true },
		func(d *design) { d.unfenced = true },
		func(d *design) { d.unwarned = true },
	} {
		d := world
		change(&d)
		if x := d.explore(); x.broken["I1"] == "" {
			t.Errorf("%v: no state has two posts in %d", d, x.states)
		} else {
			t.Logf("%v %7d states, two posts: %s", d, x.states, x.broken["I1"])
		}
	}
}
