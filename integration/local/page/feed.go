package page

import (
	"bytes"
	"container/list"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kinds of events, and how many things of each the page shows; the oldest go
// first. page.js keeps as many.
var limits = map[string]int{
	"said":     1000, // a post of the world
	"sent":     1000, // a post of a bot
	"row":      2000, // of the ledger
	"run":      500,
	"story":    20, // what came of a button
	"function": 10,
	"world":    1,
}

// A feed is a log of events of which only the newest of each thing is kept. Its
// methods may be called by many goroutines.
type feed struct {
	epoch  string         // this process; numbers mean nothing to another
	limits map[string]int // things kept, by kind

	mu     sync.Mutex // guards the fields below
	last   uint64
	log    *list.List // of *event, by number
	things map[string]*list.Element
	made   map[string][]string // keys by kind, in the order of their first event
	awake  map[chan struct{}]bool
	closed chan struct{}
}

type event struct {
	number uint64
	kind   string
	data   []byte // JSON, on one line
}

func newFeed() *feed {
	return &feed{
		epoch: rand.Text(), limits: limits, log: list.New(), things: map[string]*list.Element{}, made: map[string][]string{},
		awake: map[chan struct{}]bool{}, closed: make(chan struct{}),
	}
}

// put makes it known what a thing is like now. Nothing happens if it is what
// was last known.
func (f *feed) put(kind, key string, thing any) {
	data, err := json.Marshal(thing)
	if err != nil {
		panic(err) // unreachable: the things are structs of plain fields
	}
	id := kind + "/" + key
	f.mu.Lock()
	defer f.mu.Unlock()
	if old, ok := f.things[id]; !ok {
		f.made[kind] = append(f.made[kind], id)
	} else if bytes.Equal(old.Value.(*event).data, data) {
		return
	} else {
		f.log.Remove(old)
	}
	f.last++
	f.things[id] = f.log.PushBack(&event{f.last, kind, data})
	if keys := f.made[kind]; len(keys) > f.limits[kind] {
		f.log.Remove(f.things[keys[0]])
		delete(f.things, keys[0])
		f.made[kind] = slices.Clone(keys[1:])
	}
	for wake := range f.awake {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// after returns all events that are newer than a number, oldest first.
func (f *feed) after(number uint64) []*event {
	f.mu.Lock()
	defer f.mu.Unlock()
	var newer []*event
	for e := f.log.Back(); e != nil && e.Value.(*event).number > number; e = e.Prev() {
		newer = append(newer, e.Value.(*event))
	}
	slices.Reverse(newer)
	return newer
}

func (f *feed) watch() (wake chan struct{}, stop func()) {
	wake = make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awake[wake] = true
	return wake, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.awake, wake)
	}
}

// close lets all watchers go. It is called once.
func (f *feed) close() { close(f.closed) }

const (
	beat      = 15 * time.Second // so that both sides notice a dead connection
	writeTime = 10 * time.Second // for a batch; a browser that is slower reconnects
)

// serve sends events as they come
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), beginning
// after the one that the browser says it saw last. A browser that watched
// another process is told to load the page anew.
func (f *feed) serve(w http.ResponseWriter, r *http.Request) {
	var seen uint64
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		epoch, number, _ := strings.Cut(id, "-")
		n, err := strconv.ParseUint(number, 10, 64)
		if err == nil && epoch == f.epoch {
			seen = n
		} else {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "event: reload\ndata: {}\n\n")
			return
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	wake, stop := f.watch()
	defer stop()
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	if !f.send(w, out, []byte("retry: 500\n\n")) {
		return
	}
	for {
		var batch bytes.Buffer
		for _, e := range f.after(seen) {
			fmt.Fprintf(&batch, "id: %s-%d\nevent: %s\ndata: %s\n\n", f.epoch, e.number, e.kind, e.data)
			seen = e.number
		}
		if batch.Len() > 0 && !f.send(w, out, batch.Bytes()) {
			return
		}
		select {
		case <-wake:
		case <-pulse.C:
			if !f.send(w, out, []byte(":\n\n")) {
				return
			}
		case <-r.Context().Done():
			return
		case <-f.closed:
			return
		}
	}
}

func (f *feed) send(w http.ResponseWriter, out *http.ResponseController, data []byte) bool {
	out.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := w.Write(data)
	return err == nil && out.Flush() == nil
}
