package bot

// A Report is a run's answer.
type Report struct {
	Bot     string         `json:"bot"`
	Mode    Mode           `json:"mode"`
	Found   int            `json:"found"`   // posts that X returned and the ledger did not know
	Posted  int            `json:"posted"`  // by this run, or found to be posted
	Skipped map[string]int `json:"skipped"` // by this run, by reason
	Pending int            `json:"pending"` // waiting when the run ended
	Unknown int            `json:"unknown"` // of unknown outcome when the run ended
	Dead    int            `json:"dead"`    // given up by this run
	Posts   []Outcome      `json:"posts"`   // what this run brought to an end, the first hundred
	CostUSD float64        `json:"cost_usd"`
	Config  Config         `json:"config"`
	Stopped string         `json:"stopped"` // why the run did less than it might have; "" if it did all
}

// An Outcome is what became of one source post: the id it was posted as, or
// the reason why it was not.
type Outcome struct {
	Source uint64 `json:"source,string"`
	Post   uint64 `json:"post,string,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Config says how old the settings were that the run worked with.
type Config struct {
	AgeSeconds float64          `json:"age_seconds"`
	Versions   map[string]int64 `json:"versions"`
	Stale      bool             `json:"stale"`
	Refreshes  int              `json:"refreshes"` // reads of Parameter Store during this run
}

// Worked reports whether the run did its work, as far as the operator's limits
// let it.
func (r Report) Worked() bool {
	switch r.Stopped {
	case "", stoppedPerDay, stoppedBudget, stoppedTime:
		return true
	}
	return false
}

// The limits that may end a run's work for now.
const (
	stoppedPerDay = "posts per day"
	stoppedBudget = "budget"
	stoppedTime   = "time"
)

const maxOutcomes = 100

func (r *Report) add(o Outcome) {
	if len(r.Posts) < maxOutcomes {
		r.Posts = append(r.Posts, o)
	}
}

// stop keeps the first reason: what follows mostly follows from it.
func (r *Report) stop(why string) {
	if r.Stopped == "" {
		r.Stopped = why
	}
}
