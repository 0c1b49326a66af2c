package scale

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
)

// Bots returns that many bots as serverless.yml deploys them: one container
// each, every ten minutes, with three parameters of which two are encrypted, and
// a key for them. Their rules tick at the same minute, as those of one
// deployment do.
func Bots(n int) Fleet {
	return Fleet{
		Functions: n, Containers: 1, Every: 10 * time.Minute, Spread: time.Minute, TTL: 15 * time.Minute,
		Parameters: 3, Encrypted: 2, OwnKey: true,
	}
}

var sizes = []int{2, 10, 100, 1_000, 10_000}

// Tables writes what the model says for bots that have such days and such runs,
// as sections of a page in Markdown. The same input gives the same bytes.
func Tables(w io.Writer, d Day, m Measured) error {
	b := bufio.NewWriter(w)
	for _, section := range []func(io.Writer){
		intervals, schedules, busy,
		func(w io.Writer) { first(w, d) },
		ways,
		units,
		func(w io.Writer) { dollars(w, d, m) },
		prices,
	} {
		section(b)
	}
	return b.Flush()
}

// head writes a heading, a paragraph and the head of a table.
func head(w io.Writer, title, text string, columns ...string) {
	fmt.Fprintf(w, "### %s\n\n%s\n\n", title, text)
	row(w, columns...)
	fmt.Fprintln(w, "|"+strings.Repeat("---|", len(columns)))
}

func row(w io.Writer, cells ...string) {
	fmt.Fprintln(w, "| "+strings.Join(cells, " | ")+" |")
}

// number writes n with commas, and what is over the limit in bold. Without a
// limit (0), nothing is.
func number(n, limit int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if limit > 0 && n > limit {
		s = "**" + s + "**"
	}
	return s
}

func rate(perSecond float64) string {
	s := fmt.Sprintf("%.3g", perSecond)
	if perSecond > ParameterCalls {
		s = "**" + s + "**"
	}
	return s
}

func minutes(d time.Duration) string { return fmt.Sprintf("%g min", d.Minutes()) }

// largest returns the largest n for which ok is true, if it is so for all smaller ones.
func largest(ok func(n int) bool) int {
	return sort.Search(100_000_000, func(n int) bool { return n > 0 && !ok(n) }) - 1
}

func intervals(w io.Writer) {
	ttls := []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, time.Hour}
	columns := []string{"a run every"}
	for _, ttl := range ttls {
		columns = append(columns, "CONFIG_TTL "+minutes(ttl))
	}
	head(w, "How often one bot reads its settings",
		"Reads an hour of one container; a read is one call for up to ten parameters. No bot reads more than once a run, which is what it comes to\n"+
			"when Lambda does not keep the container between two runs: AWS promises neither that it does nor for how long.", columns...)
	for _, every := range []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, time.Hour} {
		cells := []string{minutes(every)}
		for _, ttl := range ttls {
			f := Bots(1)
			f.Every, f.TTL = every, ttl
			cells = append(cells, fmt.Sprintf("%.2f", float64(time.Hour)/float64(f.ReadEvery())))
		}
		row(w, cells...)
	}
	fmt.Fprintln(w)
}

func schedules(w io.Writer) {
	f := Bots(1)
	head(w, "Bots on a schedule",
		fmt.Sprintf("Calls of Parameter Store a second, one container for each bot, at `rate(10 minutes)` and a `CONFIG_TTL` of %s. AWS takes %d; what is\n"+
			"over that is bold. The worst second has at most so many but for one day in a million. The jitter of `CONFIG_TTL` is of no use here: its three\n"+
			"minutes have no run in them, so %.0f %% of the bots read at the same tick, as they do at the first run after a deployment. What counts is how\n"+
			"far the ticks are apart. A rule's ticks count from when it was made, so that rules of one deployment tick at about the same minute; AWS promises the minute\n"+
			"and not the second.",
			minutes(f.TTL), ParameterCalls, 100*f.InStep()),
		"bots", "mean", "worst: ticks in one second", "worst: over their minute", "worst: over the ten minutes")
	for _, n := range sizes {
		f.Functions = n
		cells := []string{number(n, 0), rate(f.CallsPerSecond())}
		for _, spread := range []time.Duration{time.Second, time.Minute, f.Every} {
			f.Spread = spread
			cells = append(cells, number(max(f.ColdSecond(), f.WorstSecond()), ParameterCalls))
		}
		row(w, cells...)
	}
	fmt.Fprintln(w)
}

// always returns functions that run without a pause.
func always(functions, containers int) Fleet {
	f := Bots(functions)
	f.Containers, f.Every, f.Spread = containers, time.Second, time.Second
	return f
}

func busy(w io.Writer) {
	head(w, "Functions that are always busy",
		"Two functions with package config that ask for their settings at least once a second, all containers started at the same moment. Without jitter\n"+
			"every read would be like the first.",
		"containers of each", "mean", "worst: the first read, or without jitter", "worst: later, with jitter")
	for _, n := range []int{1, 10, 100, 1_000, 10_000} {
		f := always(2, n)
		row(w, number(n, 0), rate(f.CallsPerSecond()), number(f.ColdSecond(), ParameterCalls), number(f.WorstSecond(), ParameterCalls))
	}
	mean := int(ParameterCalls / always(1, 1).CallsPerSecond())
	share := always(1, 1).InStep()
	worst := largest(func(n int) bool { return always(1, n).second(share) <= ParameterCalls })
	fmt.Fprintf(w, "\nThe mean reaches %d calls a second at %s containers in all, and the worst second with jitter at %s. Of containers that start together only\n"+
		"%d get their first read in that second. The SDK asks the others' again, until the read ends after five seconds: no more than %d can succeed.\n"+
		"The rest answer with an error, and read at their next run.\n\n",
		ParameterCalls, number(mean, 0), number(worst, 0), ParameterCalls, 5*ParameterCalls)
}

// first writes which limit ends growth first.
func first(w io.Writer, d Day) {
	quiet := Run{Returned: int(math.Ceil(d.again()))}.Units()
	news := Run{Returned: 1, Posted: 1}.Units()
	spread := func(over time.Duration) int {
		return largest(func(n int) bool {
			f := Bots(n)
			f.Spread = over
			return max(f.ColdSecond(), f.WorstSecond()) <= ParameterCalls
		})
	}
	every := Bots(1).Every
	type limit struct {
		bots       int
		what, then string
	}
	limits := []limit{
		{int(float64(XSearches) * every.Minutes() / 15), fmt.Sprintf("X: %d searches in 15 minutes by one app", XSearches), "a slower rate, or another app"},
		{XPosts / max(d.Posted, 1), fmt.Sprintf("X: %s posts in 24 hours by one app", number(XPosts, 0)), "another app"},
		{spread(time.Second), fmt.Sprintf("Parameter Store: %d calls a second, if all ticks fall into one", ParameterCalls), "below"},
		{spread(time.Minute), "Parameter Store: the same, if they are spread over their minute", "below"},
		{spread(every), "Parameter Store: the same, if they are spread over the ten minutes", "below"},
		{ScheduledRules, fmt.Sprintf("EventBridge: %d rules of an event bus", ScheduledRules), "ask AWS for more, or use its Scheduler"},
		{ConcurrentRuns, fmt.Sprintf("Lambda: %s runs at a time, if all ticks fall into one second", number(ConcurrentRuns, 0)), "the rest waits in Lambda's queue; ask AWS for more"},
		{StandardParameters - Bots(1).Parameters + 1, fmt.Sprintf("Parameter Store: %s standard parameters", number(StandardParameters, 0)), "advanced ones, which cost"},
		{NewTableReads / quiet.Reads, fmt.Sprintf("DynamoDB: %s reads a second of a new table, %d by each bot in the same second", number(NewTableReads, 0), quiet.Reads), "spread the ticks; the table grows with use"},
		{NewTableWrites / news.Writes, fmt.Sprintf("DynamoDB: %s writes a second of a new table, if each bot finds and posts one in the same second", number(NewTableWrites, 0)), "the same; a run takes longer than that"},
	}
	slices.SortStableFunc(limits, func(a, b limit) int { return cmp.Compare(a.bots, b.bots) })
	head(w, "What gives way first", "At `rate(10 minutes)`, in one account and Region and with one app at X.", "bots", "limit", "then")
	for _, l := range limits {
		row(w, number(l.bots, 0), l.what, l.then)
	}
	full := Run{Returned: 50, Posted: 3, Skipped: 47}.Units()
	fmt.Fprintf(w, "\nOne bot's rows are in one partition, which takes %s writes a second. A run with a full page of news and three posts writes %d in all.\n\n",
		number(PartitionWrites, 0), full.Writes)
}

// ways writes where 40 calls a second end, and what moves that.
func ways(w io.Writer) {
	head(w, fmt.Sprintf("Where %d calls a second end", ParameterCalls),
		"How many bots there may be at `rate(10 minutes)` before a second has more calls than that, after a deployment and later.",
		"setting", "bots, after a deployment", "bots, later", "reads an hour of each", "costs")
	add := func(name, costs string, limit int, change func(*Fleet)) {
		bots := func(n int) Fleet {
			f := Bots(n)
			change(&f)
			return f
		}
		row(w, name,
			number(largest(func(n int) bool { return bots(n).ColdSecond() <= limit }), 0),
			number(largest(func(n int) bool { return bots(n).WorstSecond() <= limit }), 0),
			fmt.Sprintf("%.2f", float64(time.Hour)/float64(bots(1).ReadEvery())), costs)
	}
	higher := Bots(10_000)
	before := higher.Month(Day{}, Measured{}).Parameters
	higher.HigherThroughput = true
	after := higher.Month(Day{}, Measured{}).Parameters

	add("as deployed, the ticks spread over their minute", "", ParameterCalls, func(*Fleet) {})
	add("all ticks in one second", "", ParameterCalls, func(f *Fleet) { f.Spread = time.Second })
	add("ticks spread over the ten minutes: `cron` at minutes of their own, or EventBridge Scheduler with a flexible window", "nothing for `cron`",
		ParameterCalls, func(f *Fleet) { f.Spread = f.Every })
	add("the same, and `CONFIG_TTL` 1h", "a changed value comes up to an hour late", ParameterCalls,
		func(f *Fleet) { f.Spread, f.TTL = f.Every, time.Hour })
	add("`CONFIG_TTL` 1h alone", "the same", ParameterCalls, func(f *Fleet) { f.TTL = time.Hour })
	add("eleven parameters in place of three", "", ParameterCalls, func(f *Fleet) { f.Parameters = 11 })
	add(fmt.Sprintf("the higher throughput, %s a second", number(HigherParameterCalls, 0)),
		fmt.Sprintf("$%.3f a bot and month, if each parameter of a reply is billed", (after-before)/float64(higher.Functions)),
		HigherParameterCalls, func(*Fleet) {})
	fmt.Fprint(w, "\nUp to ten parameters take one call, so that to put several into one saves no calls; it saves interactions, if those are paid for.\n\n")
}

func units(w io.Writer) {
	head(w, "What a run asks of DynamoDB",
		"Units on demand. Each run reads what is open; each post that the search returns is looked up, those of the half hour before the newest one\n"+
			"again and again. Writes are transactions, which count twice, and keep an index, which does not.",
		"run", "read units", "write units")
	for _, r := range []struct {
		what string
		run  Run
	}{
		{"the search returns nothing", Run{}},
		{"it returns one post that is known", Run{Returned: 1}},
		{"one new post, skipped", Run{Returned: 1, Skipped: 1}},
		{"one new post, posted", Run{Returned: 1, Posted: 1}},
		{"three new posts, posted", Run{Returned: 3, Posted: 3}},
		{"a full page of 50, three of them posted", Run{Returned: 50, Skipped: 47, Posted: 3}},
	} {
		u := r.run.Units()
		row(w, r.what, number(u.Reads, 0), number(u.Writes, 0))
	}
	fmt.Fprintln(w)
}

func dollars(w io.Writer, d Day, m Measured) {
	reads, writes := d.Units(Bots(1).Every)
	days := Month.Hours() / 24
	head(w, "US dollars for a bot and month",
		fmt.Sprintf("At `rate(10 minutes)`, in us-east-1, before any free tier, in a stage with a key of its own, at prices as published and looked up on %s. A bot\n"+
			"that finds %d posts a day, posts %d of them and skips for %d kinds of reasons; %d MB; %v for a run and %v more for each post; %s bytes of logs a\n"+
			"run and %s more for each post; %s read and %s write units a month.",
			LookedUp, d.Found, d.Posted, d.Reasons, m.Memory, m.Run, m.Post, number(m.RunLog, 0), number(m.PostLog, 0), number(int(reads*days), 0), number(int(writes*days), 0)),
		"bots", "Lambda", "DynamoDB", "logs", "metrics", "alarms", "dashboard", "KMS", "Parameter Store", "AWS", "X")
	for _, n := range sizes {
		b := Bots(n).Month(d, m)
		cells := []string{number(n, 0)}
		for _, usd := range []float64{b.Lambda, b.DynamoDB, b.Logs, b.Metrics, b.Alarms, b.Dashboard, b.KMS, b.Parameters} {
			cells = append(cells, fmt.Sprintf("%.4f", usd/float64(n)))
		}
		row(w, append(cells, fmt.Sprintf("**%.2f**", b.AWS()/float64(n)), fmt.Sprintf("**%.2f**", b.X/float64(n)))...)
	}
	fmt.Fprintf(w, "\n`BOT_DAILY_BUDGET` bounds what X costs, whatever a bot finds: 1.00, unless it is set, comes to %.2f. From the 10,000th metric of an account\n"+
		"on, CloudWatch is cheaper.\n\n", days)
}

func prices(w io.Writer) {
	head(w, "Prices", fmt.Sprintf("Of AWS, in US dollars, us-east-1, looked up on %s. X's are in [docs/x.md](x.md).", LookedUp), "what", "price", "published", "seen")
	for _, p := range Prices {
		row(w, p.What, p.USD, p.Published, p.Seen)
	}
	fmt.Fprintln(w)
}
