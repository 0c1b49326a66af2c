package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/config"
)

type paramsCommand struct {
	List     paramsList     `cmd:"" help:"Show the stage's parameters, and which deployed functions refer to them."`
	Get      paramsGet      `cmd:"" help:"Show one parameter."`
	Set      paramsSet      `cmd:"" help:"Write a new version of a parameter."`
	History  paramsHistory  `cmd:"" help:"Show all versions of a parameter, the newest first."`
	Rollback paramsRollback `cmd:"" help:"Make the value of an earlier version the newest one."`
	Check    paramsCheck    `cmd:"" help:"Read the parameters as each deployed function does."`
}

// Help follows the flags on -h.
func (paramsCommand) Help() string {
	return `Examples:
  superbots params list --stage dev
  superbots params set --stage dev shared/ignore < ids
  superbots params history --stage dev superman/twitter
  superbots params rollback --stage dev superman/twitter --to 3
  superbots params check --stage dev

A parameter is named within its stage: superman/twitter of the stage dev is
/superbots/dev/superman/twitter. A function reads a new version when CONFIG_TTL
has gone by, or at once when X refuses its keys.`
}

// named is one parameter.
type named struct {
	Name string `arg:"" help:"Name within the stage, such as superman/twitter."`
}

// full checks the name and returns it in full.
func (n named) full(c cloud) (string, error) {
	if err := known(n.Name); err != nil {
		return "", err
	}
	return c.parameter(n.Name), nil
}

func (c cloud) missing(name string) error {
	return fmt.Errorf("there is no %s in %s: superbots params list --stage %s shows what there is", name, c.aws.Region, c.stage)
}

// A revision is one version of a parameter, and one line of the JSON output.
type revision struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Version  int64     `json:"version"`
	Labels   []string  `json:"labels"`
	Modified time.Time `json:"modified"`
	By       string    `json:"modified_by"` // an ARN
	Key      string    `json:"key,omitempty"`
	UsedBy   []string  `json:"used_by,omitempty"` // of the list, if the stage is deployed
	Value    *string   `json:"value,omitempty"`   // with --reveal
}

// revisions returns all versions of a parameter, the newest first.
func (c cloud) revisions(ctx context.Context, name string, reveal bool) ([]revision, error) {
	var all []revision
	pages := ssm.NewGetParameterHistoryPaginator(c.params, &ssm.GetParameterHistoryInput{Name: &name, WithDecryption: &reveal})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if hasCode(err, "ParameterNotFound") {
			return nil, c.missing(name)
		}
		if err != nil {
			return nil, c.explain("reading the versions of "+name, err)
		}
		for _, p := range page.Parameters {
			r := revision{
				Name: name, Type: string(p.Type), Version: p.Version, Labels: append([]string{}, p.Labels...),
				Modified: aws.ToTime(p.LastModifiedDate).UTC(), By: aws.ToString(p.LastModifiedUser), Key: aws.ToString(p.KeyId),
			}
			if reveal {
				r.Value = p.Value
			}
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b revision) int { return int(b.Version - a.Version) })
	return all, nil
}

// show writes revisions as a table or as JSON lines.
func show(c console, o output, all []revision, deployed bool) error {
	if o.Output == "json" {
		out := json.NewEncoder(c.out)
		out.SetEscapeHTML(false)
		for _, r := range all {
			if err := out.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, r := range all {
		by := r.By[strings.LastIndexAny(r.By, "/:")+1:]
		labels := ""
		if len(r.Labels) > 0 {
			labels = " (" + strings.Join(r.Labels, ", ") + ")"
		}
		fmt.Fprintf(w, "%s\t%s\tversion %d%s\t%s old, by %s", r.Name, r.Type, r.Version, labels, age(time.Since(r.Modified)), by)
		switch {
		case deployed && len(r.UsedBy) > 0:
			fmt.Fprintf(w, "\tread by %s", strings.Join(r.UsedBy, ", "))
		case deployed:
			fmt.Fprint(w, "\tread by no function")
		}
		if r.Value != nil {
			fmt.Fprintf(w, "\t%s", *r.Value)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	count := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return strconv.Itoa(n) + " " + unit + "s"
	}
	switch {
	case d < time.Minute:
		return count(int(d.Seconds()), "second")
	case d < time.Hour:
		return count(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return count(int(d.Hours()), "hour")
	}
	return count(int(d.Hours()/24), "day")
}

type paramsList struct {
	place
	output
}

func (p paramsList) Run(ctx context.Context, c console) error {
	cloud, err := p.open(ctx)
	if err != nil {
		return err
	}
	var all []revision
	pages := ssm.NewDescribeParametersPaginator(cloud.params, &ssm.DescribeParametersInput{ParameterFilters: []ssmtypes.ParameterStringFilter{
		{Key: aws.String("Path"), Option: aws.String("Recursive"), Values: []string{"/superbots/" + cloud.stage}},
	}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return cloud.explain("listing the parameters", err)
		}
		for _, p := range page.Parameters {
			versions, err := cloud.revisions(ctx, *p.Name, false)
			if err != nil {
				return err
			}
			all = append(all, versions[0])
		}
	}
	slices.SortFunc(all, func(a, b revision) int { return strings.Compare(a.Name, b.Name) })

	environments, err := cloud.deployed(ctx)
	deployed := !errors.Is(err, errNoStack)
	if deployed && err != nil {
		return err
	}
	readers := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(environments)) {
		for parameter := range environments[name].references() {
			readers[parameter] = append(readers[parameter], name)
		}
	}
	for i := range all {
		all[i].UsedBy = readers[all[i].Name]
	}
	if len(all) == 0 {
		fmt.Fprintf(c.err, "There are none in %s: superbots authorize shared --stage %s stores the first.\n", cloud.aws.Region, cloud.stage)
	}
	return show(c, p.output, all, deployed)
}

// past is a parameter with all that it has been.
type past struct {
	named
	Reveal bool `help:"Show what it holds as well."`
	place
	output
}

// read returns the parameter's versions, the newest first.
func (p past) read(ctx context.Context) ([]revision, error) {
	cloud, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	name, err := p.full(cloud)
	if err != nil {
		return nil, err
	}
	return cloud.revisions(ctx, name, p.Reveal)
}

type paramsGet struct{ past }

func (p paramsGet) Run(ctx context.Context, c console) error {
	all, err := p.read(ctx)
	if err != nil {
		return err
	}
	return show(c, p.output, all[:1], false)
}

type paramsHistory struct{ past }

func (p paramsHistory) Run(ctx context.Context, c console) error {
	all, err := p.read(ctx)
	if err != nil {
		return err
	}
	return show(c, p.output, all, false)
}

type paramsSet struct {
	named
	KeyID string `help:"Key that encrypts it (default: the one of the stack, or else ${account_key})." placeholder:"KEY"`
	place
	output
}

// Help follows the flags on -h.
func (paramsSet) Help() string {
	return `Example:
  superbots params set --stage dev shared/ignore < ids

The value is read from standard input, or asked for on a terminal; never give
it as an argument. It is written only if it is a new one. A new parameter is a
SecureString, but for shared/ignore; an existing one keeps its type.`
}

func (p paramsSet) Run(ctx context.Context, c console) error {
	cloud, err := p.open(ctx)
	if err != nil {
		return err
	}
	name, err := p.full(cloud)
	if err != nil {
		return err
	}
	old, err := cloud.read(ctx, name, "")
	if err != nil {
		return err
	}
	value, err := p.value(ctx, c)
	if err != nil {
		return err
	}
	new := &parameter{name: name, kind: ssmtypes.ParameterTypeSecureString, value: value}
	if p.Name == sharedIgnore {
		new.kind = ssmtypes.ParameterTypeString
	}
	if old != nil {
		new.kind = old.kind
	}
	if err := sensible(p.Name, new); err != nil {
		return err
	}
	return change(ctx, c, p.output, cloud, old, new, p.KeyID)
}

func (p paramsSet) value(ctx context.Context, c console) (config.Secret, error) {
	if terminal(c.in) {
		return c.prompter().secret(ctx, "value")
	}
	text, err := io.ReadAll(io.LimitReader(c.in, 1<<20))
	if err != nil {
		return config.Secret{}, fmt.Errorf("reading the value: %w", err)
	}
	if value := strings.TrimSpace(string(text)); value != "" {
		return config.NewSecret(value), nil
	}
	return config.Secret{}, errors.New("no value was given on standard input")
}

// sensible refuses a value that no function could use.
func sensible(name string, p *parameter) error {
	switch {
	case name == sharedTwitter:
		return decode(p, &consumer{})
	case strings.HasSuffix(name, "/twitter"):
		return decode(p, &account{})
	case name == sharedIgnore:
		if err := new(bot.IDs).UnmarshalText([]byte(p.value.Reveal())); err != nil {
			return fmt.Errorf("%s %w", p.name, err)
		}
	}
	return nil
}

// A changed parameter is one line of the JSON output.
type changed struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
	Changed bool   `json:"changed"`
}

// change writes new over old, unless they have the same value. The key is the
// stack's if none is named.
func change(ctx context.Context, c console, o output, cloud cloud, old, new *parameter, key string) (err error) {
	done := changed{Name: new.name, Changed: old == nil || old.value.Reveal() != new.value.Reveal()}
	if !done.Changed {
		done.Version = old.version
	} else {
		if key == "" && new.kind == ssmtypes.ParameterTypeSecureString {
			if key, err = cloud.key(ctx); err != nil {
				return err
			}
		}
		if done.Version, err = cloud.write(ctx, new.name, new.kind, new.value, key); err != nil {
			return err
		}
	}
	if o.Output == "json" {
		return json.NewEncoder(c.out).Encode(done)
	}
	said := "%s is stored as version %d\n"
	if !done.Changed {
		said = "%s has this value already, as version %d\n"
	}
	_, err = fmt.Fprintf(c.out, said, done.Name, done.Version)
	return err
}

type paramsRollback struct {
	named
	To int64 `required:"" help:"Version whose value becomes the newest one." placeholder:"VERSION"`
	place
	output
}

// Help follows the flags on -h.
func (paramsRollback) Help() string {
	return `Example:
  superbots params rollback --stage dev superman/twitter --to 3

The earlier value is written as a new version, under the same key: Parameter
Store cannot take versions back. A second time changes nothing.`
}

func (p paramsRollback) Run(ctx context.Context, c console) error {
	cloud, err := p.open(ctx)
	if err != nil {
		return err
	}
	name, err := p.full(cloud)
	if err != nil {
		return err
	}
	versions, err := cloud.revisions(ctx, name, false)
	if err != nil {
		return err
	}
	newest, err := cloud.read(ctx, name, "")
	if err != nil {
		return err
	}
	target, err := cloud.read(ctx, name, fmt.Sprintf(":%d", p.To))
	if err != nil {
		return err
	}
	if newest == nil || target == nil {
		return fmt.Errorf("%s has no version %d: superbots params history --stage %s %s shows those that there are", name, p.To, cloud.stage, p.Name)
	}
	return change(ctx, c, p.output, cloud, newest, target, versions[0].Key)
}

type paramsCheck struct {
	place
	output
}

// Help follows the flags on -h.
func (paramsCheck) Help() string {
	return `Example:
  superbots params check --stage dev

It reads with your own credentials; superbots doctor looks at what the
functions' roles may read.`
}

func (p paramsCheck) Run(ctx context.Context, c console) error {
	cloud, err := p.open(ctx)
	if err != nil {
		return err
	}
	environments, err := cloud.deployed(ctx)
	if err != nil {
		return err
	}
	ledger, err := cloud.ledger(ctx)
	if err != nil {
		return err
	}
	var all findings
	for _, b := range functions.All {
		e, ok := environments[b.Name]
		if !ok {
			continue
		}
		if _, err := cloud.checkReferences(ctx, &all, b, e, ledger); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		all.problem("stack", cloud.stack()+" has no function of a bot", "make deploy STAGE="+cloud.stage)
	}
	return all.show(c, p.output)
}

// checkReferences reads what a function's environment refers to, as the
// function itself does. It returns the settings, or nil if any is wrong.
func (c cloud) checkReferences(ctx context.Context, all *findings, b bot.Bot, e environment, ledger string) (*app.Settings, error) {
	refers := e.references()
	sound := true
	for _, name := range slices.Sorted(maps.Keys(refers)) {
		if !slices.ContainsFunc(refers[name], func(v string) bool { return secretVariables[v] }) {
			continue
		}
		p, err := c.read(ctx, name, "")
		if err != nil {
			return nil, err
		}
		if p != nil && p.kind != ssmtypes.ParameterTypeSecureString {
			sound = false
			all.problem(b.Name, name+" is a plain "+string(p.kind)+", which anyone who may list parameters can read",
				"aws ssm delete-parameter --name "+name+", then "+c.cure(name))
		}
	}
	loader, err := config.New[app.Settings](e.environ(map[string]string{"LEDGER": ledger}), c.params)
	var snapshot *config.Snapshot[app.Settings]
	if err == nil {
		snapshot, err = loader.Get(ctx)
	}
	var wrong *config.Error
	if errors.As(err, &wrong) {
		for _, p := range wrong.Problems {
			name, _, _ := strings.Cut(strings.TrimPrefix(p.Reference, "ssm:"), "#")
			all.problem(b.Name, p.Error(), c.cure(name))
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !sound {
		return nil, nil
	}
	all.ok(b.Name, fmt.Sprintf("all %d parameters can be read, and have every field", len(refers)))
	return &snapshot.Value, nil
}

// secretVariables hold what nobody else may see.
var secretVariables = map[string]bool{
	"TWITTER_CONSUMER_KEY": true, "TWITTER_CONSUMER_SECRET": true, "TWITTER_ACCESS_TOKEN": true, "TWITTER_ACCESS_SECRET": true,
}

// cure is the command that puts a parameter right.
func (c cloud) cure(name string) string {
	within, ok := strings.CutPrefix(name, c.parameter(""))
	who, isTwitter := strings.CutSuffix(within, "/twitter")
	switch {
	case !ok:
		return "see serverless.yml"
	case isTwitter && who != "shared":
		return fmt.Sprintf("superbots authorize %s --stage %s --account NAME", who, c.stage)
	case isTwitter:
		return "superbots authorize shared --stage " + c.stage
	}
	return fmt.Sprintf("superbots params set --stage %s %s", c.stage, within)
}
