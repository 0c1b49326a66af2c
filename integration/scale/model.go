// Package scale says what the bots ask of AWS and what they cost a month, as
// they grow from two to ten thousand.
//
// The one idea: it is arithmetic that anybody can do again, and its tests hold
// it against the code itself. They let real loaders and real runs live through
// simulated days, and count.
package scale

import (
	"math"
	"time"

	"example.com/superbots/pkg/twitter"
)

// Month is a twelfth of a year.
const Month = 365 * 24 * time.Hour / 12

// A Fleet is a number of functions that read their settings with package
// config, each in execution environments that Lambda keeps between runs. A
// scheduled bot has one of them. Where Lambda does not keep it, each run is the
// first of a new one and reads the settings: set TTL to Every for that.
//
// A rule of EventBridge ticks within its minute, at no certain second
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html),
// and rate() counts from when the rule was made
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html).
type Fleet struct {
	Functions  int
	Containers int           // of each function
	Every      time.Duration // between two runs in one container
	Spread     time.Duration // at most Every; over it the containers' runs of one period are spread. Up to a second: all run at once
	TTL        time.Duration // CONFIG_TTL
	Parameters int           // that a function refers to
	Encrypted  int           // of them, those that KMS decrypts

	OwnKey           bool // the parameters have a key of their own
	HigherThroughput bool // Parameter Store's setting, which costs
}

func (f Fleet) containers() int { return f.Functions * f.Containers }

// calls returns how many GetParameters calls a read takes.
func (f Fleet) calls() int { return (f.Parameters + 9) / 10 }

// due returns how likely it is that the kth run after a read is the next one
// that reads, by k. The snapshot is due at an age between 0.8 and 1 times TTL,
// each as likely as the other, and is read by the first run from then on.
func (f Fleet) due() []float64 {
	low, high := 0.8*f.TTL.Seconds()/f.Every.Seconds(), f.TTL.Seconds()/f.Every.Seconds()
	p := make([]float64, int(math.Ceil(high))+1)
	for k := 1; k < len(p); k++ {
		p[k] = max(0, min(high, float64(k))-max(low, float64(k-1))) / (high - low)
	}
	return p
}

// ReadEvery returns the mean time between two reads of one container.
func (f Fleet) ReadEvery() time.Duration {
	runs := 0.0
	for k, p := range f.due() {
		runs += float64(k) * p
	}
	return time.Duration(runs * float64(f.Every))
}

// CallsPerSecond returns the mean number of GetParameters calls.
func (f Fleet) CallsPerSecond() float64 {
	return float64(f.containers()*f.calls()) / f.ReadEvery().Seconds()
}

// InStep returns the share of the containers that read at the same run, the
// largest of any run after the first. That is all of them, whatever the jitter, if
// the time between two runs has no multiple between 0.8 and 1 times TTL.
func (f Fleet) InStep() float64 {
	p := f.due()
	share := make([]float64, 3*len(p)) // at each run
	share[0] = 1
	most := 0.0
	for n := 1; n < len(share); n++ {
		for k := 1; k < len(p) && k <= n; k++ {
			share[n] += p[k] * share[n-k]
		}
		most = max(most, share[n])
	}
	return most
}

// ColdSecond returns how many GetParameters calls a second has at most when all
// containers are new, as after a deployment. Without jitter it would be so at every
// read.
func (f Fleet) ColdSecond() int { return f.second(1) }

// WorstSecond returns how many calls a later second has at most.
func (f Fleet) WorstSecond() int { return f.second(f.InStep()) }

func (f Fleet) second(share float64) int {
	mean := float64(f.containers()) * share / max(f.Spread.Seconds(), 1)
	return f.calls() * min(f.containers(), atMost(mean))
}

// atMost returns how many of many independent events fall into one second, if
// mean of them do in the mean. On less than one day in a million some second has
// more, by Chernoff's bound on the Poisson distribution.
func atMost(mean float64) int {
	n := math.Ceil(mean)
	for n*math.Log(n/mean)-n+mean < math.Log(24*60*60*1e6) {
		n++
	}
	return int(n) - 1
}

// Units are what DynamoDB bills.
type Units struct{ Reads, Writes int }

// A Run is one run of a bot whose search returns one page, with no more waiting
// than 4 KB hold, some five posts, and with texts of up to 400 bytes: no row
// then exceeds a kilobyte.
type Run struct {
	Returned int // posts that the search returns, known and new
	Skipped  int // of them, new and not to be posted
	Posted   int // of them, new and posted by this run
}

// What is written, all in transactions: twice for the row, and once for its
// entry in the index of what is open.
const (
	closedRow = 2
	openRow   = 2 + 1
	newPosts  = openRow                                                 // a page with news: the bot's own row, beside those of the posts
	posted    = openRow + (openRow + openRow + closedRow) + 2*(openRow) // found; begun, with the row of its text; confirmed
)

// Units returns what the run reads and writes: consistent reads of what is open
// and of each post that the search returned, and transactions.
func (r Run) Units() Units {
	u := Units{Reads: 1 + r.Returned}
	if r.Skipped+r.Posted > 0 {
		u.Writes = newPosts + r.Skipped*closedRow + r.Posted*posted
	}
	return u
}

// A Day is what a bot meets on a mean UTC day.
type Day struct {
	Found   int // posts that X returns and the ledger does not know, at any time of the day
	Posted  int // of them
	Reasons int // to skip a post that occur, each of which is a metric
}

// again returns how many posts each search returns that are known already: it
// begins half an hour before the newest one.
func (d Day) again() float64 {
	if d.Found == 0 {
		return 0
	}
	return 1 + float64(d.Found)/48
}

// Units returns what a bot reads and writes on the day, with a run every so
// often. X bills what a search returns again after midnight once more, which is
// written down.
func (d Day) Units(every time.Duration) (reads, writes float64) {
	runs := 24 * time.Hour.Seconds() / every.Seconds()
	found, out := float64(d.Found), float64(d.Posted)
	reads = runs*(1+d.again()) + found
	if d.Found == 0 {
		return reads, 0
	}
	withNews := runs * (1 - math.Exp(-found/runs))
	midnight := newPosts + closedRow*d.again()
	return reads, newPosts*withNews + posted*out + closedRow*(found-out) + midnight
}

// X returns what X charges for the day, in US dollars, for texts without links.
func (d Day) X() float64 {
	return (float64(d.Found)+d.again())*twitter.PricePostRead + float64(d.Posted)*twitter.PriceCreate
}

// Measured are what the runs of a bot were measured to take.
type Measured struct {
	Memory          int           // MB of a function
	Run, Post       time.Duration // billed for a run that finds nothing, and for each post more
	RunLog, PostLog int           // bytes logged by such a run, with Lambda's own lines, and for each post more
}

// A Bill is what a month costs all bots together, in US dollars, before any
// free tier. AWS also bills what comes to less than a cent for a bot and is left
// out: queues, the recovery of the ledger, the storage of logs and zips.
type Bill struct {
	Lambda, DynamoDB, Logs, Metrics, Alarms, Dashboard float64

	Parameters float64 // Parameter Store: what is beyond the free ones and the free calls
	KMS        float64
	X          float64
}

// AWS returns the sum without X.
func (b Bill) AWS() float64 {
	return b.Lambda + b.DynamoDB + b.Logs + b.Metrics + b.Alarms + b.Dashboard + b.Parameters + b.KMS
}

// What a bot's function logs as metrics at each run (pkg/app), and the alarms of
// each bot and of all (resources/).
const (
	metrics      = 5
	alarms       = 4
	sharedAlarms = 1
)

// Month returns what a month costs bots with one container each, if each of them
// has such days. A bot has one parameter of its own, and shares the others.
func (f Fleet) Month(d Day, m Measured) Bill {
	bots := float64(f.Functions)
	days := Month.Hours() / 24
	runs := Month.Seconds() / f.Every.Seconds()
	out := float64(d.Posted) * days // posts
	reads, writes := d.Units(f.Every)
	// A row of a post stays 35 days, and one of a text 70.
	stored := float64(d.Found*35*700 + d.Posted*70*253)
	names := bots + float64(f.Parameters-1)
	settings := bots * Month.Seconds() / f.ReadEvery().Seconds() // reads of them

	var b Bill
	seconds := runs*m.Run.Seconds() + out*m.Post.Seconds()
	b.Lambda = bots * (runs*LambdaRequest + seconds*float64(m.Memory)/1024*LambdaGBSecond)
	b.DynamoDB = bots * (days*(reads*DynamoDBRead+writes*DynamoDBWrite) + stored/1e9*DynamoDBGBMonth)
	b.Logs = bots * (runs*float64(m.RunLog) + out*float64(m.PostLog)) / 1e9 * CloudWatchLogGB
	all := bots * float64(metrics+d.Reasons)
	b.Metrics = min(all, CloudWatchMetrics)*CloudWatchMetric + max(0, all-CloudWatchMetrics)*CloudWatchMetricMore
	b.Alarms = (bots*alarms + sharedAlarms) * CloudWatchAlarm
	b.Dashboard = CloudWatchDashboard
	b.KMS = settings * float64(f.Encrypted) * KMSCall
	if f.OwnKey {
		b.KMS += KMSKey
	}
	b.Parameters = max(0, names-StandardParameters) * ParameterAdvanced
	if f.HigherThroughput {
		b.Parameters += settings * float64(f.Parameters) * ParameterInteraction
	}
	b.X = bots * days * d.X()
	return b
}
