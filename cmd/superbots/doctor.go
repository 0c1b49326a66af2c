package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/superbots/integration/scale"
	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/bot"
)

type doctor struct {
	place
	xAddress
	output
}

// Help follows the flags on -h.
func (doctor) Help() string {
	return `Example:
  superbots doctor --stage dev

It reads serverless.yml as the Serverless Framework resolves it, and holds
against it what is in AWS and what X says. It changes nothing. Asking X whose
keys they are costs a cent for each bot. Exit 1 means that a line says problem.`
}

func (d doctor) Run(ctx context.Context, c console) error {
	cloud, err := d.open(ctx)
	if err != nil {
		return err
	}
	service, err := cloud.service(ctx)
	if err != nil {
		return err
	}
	e := examination{cloud: cloud, service: service, base: d.BaseURL.URL(), roles: make(map[string]string), settings: make(map[string]*app.Settings)}
	for _, step := range []func(context.Context) error{e.stack, e.parameters, e.permissions, e.accounts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	month := e.month()
	if d.Output == "json" {
		err := e.found.show(c, d.output)
		return errors.Join(err, json.NewEncoder(c.out).Encode(map[string]any{"month": month}))
	}
	err = e.found.show(c, d.output)
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nA month at these settings, if scheduled, before any free tier, at the prices of %s:\n", scale.LookedUp)
	sum := 0.0
	for _, m := range month {
		fmt.Fprintf(w, "  %s\t$%.2f\t  %s\n", m.What, m.USD, m.Why)
		sum += m.USD
	}
	fmt.Fprintf(w, "  at most\t$%.2f\t\n", sum)
	return errors.Join(err, w.Flush())
}

// An examination is one doctor's visit.
type examination struct {
	cloud    cloud
	service  service
	base     *url.URL
	found    findings
	roles    map[string]string        // names of the functions' roles, by bot; none if the stage is not deployed
	key      resource                 // the stage's own, if it has one
	alias    string                   // of the key
	settings map[string]*app.Settings // by bot, of those that can be read
}

// stack looks whether the stage is deployed, as serverless.yml has it now.
func (e *examination) stack(ctx context.Context) error {
	resources, err := e.cloud.resources(ctx)
	if errors.Is(err, errNoStack) {
		e.found.problem("stack", e.cloud.stack()+" is not deployed in "+e.cloud.aws.Region, "make deploy STAGE="+e.cloud.stage+", or name its region with --region")
		return nil
	}
	if err != nil {
		return err
	}
	deploy := "make deploy STAGE=" + e.cloud.stage
	there := make(map[string]resource)
	for _, r := range resources {
		there[r.logical] = r
		switch r.kind {
		case "AWS::KMS::Key":
			e.key = r
		case "AWS::KMS::Alias":
			e.alias = r.id
		}
	}
	var missing []string
	kinds := make(map[string]int)
	for logical, kind := range e.expected() {
		r, ok := there[logical]
		if !ok || !strings.HasSuffix(r.status, "_COMPLETE") || strings.HasPrefix(r.status, "DELETE") {
			missing = append(missing, logical)
		}
		kinds[kind]++
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		e.found.problem("stack", "it lacks "+strings.Join(missing, ", "), deploy)
	} else {
		e.found.ok("stack", fmt.Sprintf("the table, %d schedules and %d alarms are there", kinds["AWS::Events::Rule"], kinds["AWS::CloudWatch::Alarm"]))
	}
	if err := e.table(ctx, there["Ledger"].id); err != nil {
		return err
	}
	deployed, err := e.cloud.deployed(ctx)
	if err != nil {
		return err
	}
	for _, b := range e.service.bots() {
		e.roles[b.Name] = there[title(b.Name)+"Role"].id
		want, got := e.service.environment(b.Name), deployed[b.Name]
		var differ []string
		for _, variable := range slices.Sorted(maps.Keys(merged(want, got))) {
			w, isText := want[variable].(string)
			g, isTextToo := got[variable].(string)
			if w != g || isText != isTextToo {
				differ = append(differ, variable)
			}
		}
		if len(differ) > 0 {
			e.found.problem(b.Name, "the deployed function has not what serverless.yml says of "+strings.Join(differ, ", "), deploy)
		}
		for _, event := range e.service.Functions[b.Name].Events {
			how := "on"
			if !event.Schedule.Enabled {
				how = "off: set scheduled under params in serverless.yml when all is well"
			}
			e.found.ok(b.Name, "its schedule, "+strings.Join(event.Schedule.Rate, ", ")+", is "+how)
		}
	}
	return nil
}

func merged(a, b environment) environment {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// expected returns the kinds of what the stage must have, by logical name.
func (e *examination) expected() map[string]string {
	all := make(map[string]string)
	for logical, r := range e.service.Resources.Resources {
		if r.Condition == "" && (r.Type == "AWS::DynamoDB::Table" || r.Type == "AWS::CloudWatch::Alarm") {
			all[logical] = r.Type
		}
	}
	for _, b := range e.service.bots() {
		for i := range e.service.Functions[b.Name].Events {
			all[fmt.Sprintf("%sEventsRuleSchedule%d", title(b.Name), i+1)] = "AWS::Events::Rule"
		}
	}
	return all
}

// table asks for the ledger itself: it may have been deleted by hand.
func (e *examination) table(ctx context.Context, name string) error {
	if name == "" {
		return nil // said already
	}
	_, err := dynamodb.NewFromConfig(e.cloud.aws).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	switch {
	case hasCode(err, "ResourceNotFoundException"):
		e.found.problem("stack", "its table "+name+" was deleted", "restore it from a backup, or make remove and make deploy: the bots then begin anew")
	case err != nil:
		return e.cloud.explain("reading the table "+name, err)
	}
	return nil
}

// parameters reads what serverless.yml refers to.
func (e *examination) parameters(ctx context.Context) error {
	for _, b := range e.service.bots() {
		settings, err := e.cloud.checkReferences(ctx, &e.found, b, e.service.environment(b.Name), "dynamodb:any")
		if err != nil {
			return err
		}
		if settings != nil {
			e.settings[b.Name] = settings
		}
	}
	names := slices.Sorted(maps.Keys(e.settings))
	for _, name := range names {
		for _, other := range names {
			if !e.settings[name].Ignore[e.settings[other].Account()] {
				e.found.problem(name, "it does not ignore "+other+", so that they feed on each other",
					fmt.Sprintf("superbots authorize %s --stage %s --account NAME", other, e.cloud.stage))
			}
		}
	}
	return nil
}

// maxSkew is how far this clock may be from X's, which takes requests of five
// minutes at most.
const maxSkew = 2 * time.Minute

// accounts asks X about each bot's keys.
func (e *examination) accounts(ctx context.Context) error {
	bots := make(map[uint64]string) // by account
	skew := time.Duration(0)
	for _, b := range e.service.bots() {
		s, ok := e.settings[b.Name]
		if !ok {
			continue
		}
		again := fmt.Sprintf("superbots authorize %s --stage %s --account NAME", b.Name, e.cloud.stage)
		is, err := whoIs(ctx, e.base, s.Keys())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case errors.Is(err, errUnauthorized):
			e.found.problem(b.Name, "X does not accept its keys", again)
			continue
		case errors.Is(err, errNoCredits):
			e.noCredits(b)
			continue
		case err != nil:
			e.found.problem(b.Name, err.Error(), "")
			continue
		case fmt.Sprint(is.id) != s.Account():
			e.found.problem(b.Name, fmt.Sprintf("its keys are those of @%s, user %d, and not of user %s", is.name, is.id, s.Account()), again)
		case bots[is.id] != "":
			e.found.problem(b.Name, fmt.Sprintf("its account @%s is also that of %s", is.name, bots[is.id]), again)
		case is.readOnly:
			e.found.problem(b.Name, "its keys may only read", "set the app's permissions to Read and write at https://console.x.com, then "+again)
		default:
			e.found.ok(b.Name, fmt.Sprintf("its keys are those of @%s, and may write", is.name))
		}
		bots[is.id] = b.Name
		if !is.clock.IsZero() {
			skew = max(skew, time.Since(is.clock).Abs())
		}
		e.search(ctx, b, s)
	}
	switch {
	case len(bots) == 0:
	case skew > maxSkew:
		e.found.problem("clock", "this machine's is "+skew.Round(time.Second).String()+" away from X's", "set it: X refuses what is signed at another time")
	default:
		e.found.ok("clock", "this machine's agrees with X's")
	}
	return nil
}

// search asks X for posts that nobody has written, which costs nothing and is
// refused when there is no credit.
func (e *examination) search(ctx context.Context, b bot.Bot, s *app.Settings) {
	query := url.Values{"query": {"from:" + s.Account() + " " + strings.ToLower(rand.Text())}, "max_results": {"10"}}
	header, err := getX(ctx, e.base, s.Keys(), "/2/tweets/search/recent", query, new(any))
	switch {
	case errors.Is(err, errNoCredits):
		e.noCredits(b)
	case err != nil:
		e.found.problem(b.Name, "a search fails: "+err.Error(), "")
	default:
		e.found.ok(b.Name, fmt.Sprintf("X lets it search, %s of %s more times within this quarter of an hour", header.Get("x-rate-limit-remaining"), header.Get("x-rate-limit-limit")))
		e.found.unknown(b.Name, "how many credits are left, X does not say", "see https://console.x.com")
	}
}

func (e *examination) noCredits(b bot.Bot) {
	e.found.problem(b.Name, "the X app has no credits left", "buy some at https://console.x.com")
}

// A charge is one line of what a month costs.
type charge struct {
	What string  `json:"what"`
	USD  float64 `json:"usd"`
	Why  string  `json:"why"`
}

const (
	perRun        = 2.0 // seconds that a run takes at most when all is well
	metricsPerBot = 6   // those of each run, and about one of the skipped
)

// month returns, at the prices of package scale, what a month costs at most. What a bot spends at X is bounded
// by its budget, whatever it finds.
func (e *examination) month() []charge {
	var all []charge
	runs := 0.0
	for _, b := range e.service.bots() {
		variables := e.service.environment(b.Name)
		budget, _ := variables["BOT_DAILY_BUDGET"].(string)
		var daily bot.Dollars
		if daily.UnmarshalText([]byte(budget)) != nil {
			daily = bot.USD(1) // the default, and what a reference most likely holds
		}
		all = append(all, charge{"X, " + b.Name, daily.Float() * scale.Month.Hours() / 24, fmt.Sprintf("BOT_DAILY_BUDGET, %v a day, for posts read and written", daily)})
		for _, event := range e.service.Functions[b.Name].Events {
			for _, rate := range event.Schedule.Rate {
				runs += perMonth(rate)
			}
		}
	}
	kinds, keys := make(map[string]int), 0
	for _, r := range e.service.Resources.Resources {
		kinds[r.Type]++
	}
	alarms, dashboards := kinds["AWS::CloudWatch::Alarm"], kinds["AWS::CloudWatch::Dashboard"]
	if e.service.Resources.Conditions["OwnKey"].holds() {
		keys = 1
	}
	memory := float64(e.service.Provider.MemorySize) / 1024
	metrics := metricsPerBot * len(e.service.bots())
	return append(all,
		charge{"AWS, metrics", float64(metrics) * scale.CloudWatchMetric, fmt.Sprintf("about %d", metrics)},
		charge{"AWS, alarms", float64(alarms) * scale.CloudWatchAlarm, fmt.Sprint(alarms)},
		charge{"AWS, dashboard", float64(dashboards) * scale.CloudWatchDashboard, fmt.Sprint(dashboards)},
		charge{"AWS, keys", float64(keys) * scale.KMSKey, fmt.Sprint(keys)},
		charge{"AWS, functions", runs * (scale.LambdaRequest + perRun*memory*scale.LambdaGBSecond), fmt.Sprintf("%.0f runs of about %v seconds", runs, perRun)},
	)
}

// perMonth returns how often a schedule like rate(10 minutes) comes in a month,
// and 0 for one that is not of this form.
func perMonth(rate string) float64 {
	var n float64
	var unit string
	if _, err := fmt.Sscanf(rate, "rate(%f %s", &n, &unit); err != nil || n <= 0 {
		return 0
	}
	minutes := map[string]float64{"minute": 1, "hour": 60, "day": 24 * 60}[strings.TrimSuffix(strings.TrimSuffix(unit, ")"), "s")]
	if minutes == 0 {
		return 0
	}
	return scale.Month.Minutes() / (n * minutes)
}
