package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	texttemplate "text/template"
	"time"

	"example.com/superbots/integration/scale"
)

// A page is all that was measured.
type page struct {
	Date, Go, Machine, Load string
	Delay                   time.Duration
	Rounds                  int

	Missing  []string // what is not installed
	Versions []string

	RoundTrip       spread[time.Duration] // of one call to Parameter Store, with nothing around it
	Cold, Collector []start
	BareLater       int64 // bytes
	OursLater       int64
	Readings        []reading
	Lookups         []lookup
	Runs            []benchmark
	Page            []benchmark
	Benchmarks      []benchmark
	Corpus          corpusRate
	Binaries        []binary
	Parts           []part
	Unattributed    int64
	Changes         []Change
}

//go:embed performance.md.tmpl
var pageText string

//go:embed performance.svg.tmpl
var chartText string

// pageFigures are the page's, with the units that its benchmarks report them in.
var pageFigures = []struct{ Unit, What string }{
	{"ms-to-post", "from the printed address to the first post"},
	{"ms-to-post-worst", "the worst of all"},
	{"ms-to-button", "from the printed address to a button that answers"},
	{"ms-to-button-worst", "the worst of all"},
	{"ms/update", "an update of a full page, until it is painted"},
	{"ms-worst", "the worst of all"},
	{"cpu-ms/update", "an update of a full page, time of the main thread"},
}

// A figure is one line of a table.
type figure struct {
	What string
	N    float64
}

// PageFigures are those of the local page, in their order.
func (p *page) PageFigures() []figure {
	var all []figure
	for _, f := range pageFigures {
		for _, b := range p.Page {
			if n, ok := b.Per[f.Unit]; ok {
				all = append(all, figure{f.What, n})
			}
		}
	}
	return all
}

var formats = map[string]any{
	"posts":     func(name string) string { return strings.TrimPrefix(name, "Run/posts=") },
	"ms":        func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) },
	"mb":        func(n int64) string { return fmt.Sprintf("%.2f", float64(n)/1e6) },
	"kb":        func(n int64) string { return fmt.Sprintf("%.0f", float64(n)/1e3) },
	"code":      func(s string) string { return "`" + s + "`" },
	"join":      strings.Join,
	"float":     func(n int64) float64 { return float64(n) },
	"megabytes": func(f float64) float64 { return f / 1e6 },
}

// write puts the page and its chart into a folder.
func (p *page) write(docs string) error {
	var text, chart bytes.Buffer
	if err := texttemplate.Must(texttemplate.New("page").Funcs(formats).Parse(pageText)).Execute(&text, p); err != nil {
		return err
	}
	if err := template.Must(template.New("chart").Funcs(formats).Parse(chartText)).Execute(&chart, p.chart()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(docs, "performance.md"), text.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "performance.svg"), chart.Bytes(), 0o644)
}

// Start returns what was measured of a contender, nil if it is not there.
func (p *page) Start(name string) *start {
	for i := range p.Cold {
		if p.Cold[i].Name == name {
			return &p.Cold[i]
		}
	}
	return nil
}

// OfBare is superman's start over the bare function's, less the one round trip
// that reads its settings.
func (p *page) OfBare() string {
	return fmt.Sprintf("%.2f", float64(p.Start("superbots").Total.Median-p.RoundTrip.Median)/float64(p.Start("bare").Total.Median))
}

// OfSum is superman's start over the bare function's and one round trip.
func (p *page) OfSum() string {
	return fmt.Sprintf("%.2f", float64(p.Start("superbots").Total.Median)/float64(p.Start("bare").Total.Median+p.RoundTrip.Median))
}

// Times is how many times as long as superman's a contender's start takes.
func (p *page) Times(s start) string {
	return fmt.Sprintf("%.1f", float64(s.Total.Median)/float64(p.Start("superbots").Total.Median))
}

// MemoryOfBare is an amount of memory over what the bare function uses in the end.
func (p *page) MemoryOfBare(bytes float64) string {
	return fmt.Sprintf("%.2f", bytes/float64(p.BareLater))
}

// ManyRuns is how many runs BareLater and OursLater are measured after.
func (*page) ManyRuns() int { return manyRuns }

// lambdaLines is about what Lambda itself logs of a run: platform.start and
// platform.report, as JSON.
const lambdaLines = 350

// Scale is the model of many bots, for what a run was measured to take.
func (p *page) Scale() (string, error) {
	if len(p.Runs) == 0 {
		return "", nil
	}
	none, one := p.Runs[0].Per, p.Runs[1].Per
	ms := func(f float64) time.Duration { return time.Duration(f * 1e6) }
	var b strings.Builder
	err := scale.Tables(&b, scale.Day{Found: 50, Posted: 10, Reasons: 3}, scale.Measured{
		Memory: 256, // as in serverless.yml
		Run:    ms(none["ms/run"]), Post: ms(one["ms/run"] - none["ms/run"]),
		RunLog: int(none["log-bytes/run"]) + lambdaLines, PostLog: int(one["log-bytes/run"] - none["log-bytes/run"]),
	})
	return b.String(), err
}

// A bar of the chart, in its units: 600 for the longest.
type bar struct {
	Name, What, Label string
	Y, Text, Width    int
	From, To, Middle  int // of the line between the tenth and the ninetieth percentile
	Ours              bool
}

type chart struct {
	Height int
	Bars   []bar
	Delay  time.Duration
}

func (p *page) chart() chart {
	longest := p.Cold[0].Total.P90
	for _, s := range p.Cold {
		longest = max(longest, s.Total.P90)
	}
	units := func(d time.Duration) int { return int(600 * d / longest) }
	c := chart{Delay: p.Delay}
	for i, s := range p.Cold {
		y := 40 + 48*i
		c.Bars = append(c.Bars, bar{
			s.Name, s.What, fmt.Sprintf("%.1f ms", float64(s.Total.Median.Microseconds())/1000),
			y, y + 15, max(units(s.Total.Median), 1),
			units(s.Total.P10), units(s.Total.P90), y + 10, s.Name == "superbots",
		})
	}
	c.Height = 40 + 48*len(p.Cold) + 10
	return c
}
