package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/dghubble/oauth1"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/twitter"
)

type authorize struct {
	Who     string `arg:"" help:"shared for the X app's own keys, or the bot whose account lets the app in."`
	Account string `help:"The bot's account on X, its screen name. Needed for a bot." placeholder:"NAME"`
	KeyID   string `help:"Key that encrypts the parameter (default: the one of the stack, or else ${account_key})." placeholder:"KEY"`
	place
	xAddress
}

// xAddress says where X is.
type xAddress struct {
	BaseURL twitter.BaseURL `env:"TWITTER_BASE_URL" default:"https://api.x.com" help:"Where X is: itself, or a stand-in on a loopback address." placeholder:"URL"`
}

// Help follows the flags on -h.
func (authorize) Help() string {
	return `Examples:
  superbots authorize shared --stage dev
  superbots authorize superman --stage dev --account supermanbot

First the app's keys, from its page at https://console.x.com: they are asked
for, or read from two lines of standard input. Then each bot: a link is shown,
and opened if there is a browser. Log in there as the bot's account, and type
the PIN that X shows. The keys go into Parameter Store and nowhere else.`
}

func (a authorize) Run(ctx context.Context, c console) error {
	if a.Who == "shared" {
		return a.shared(ctx, c)
	}
	b, err := find(a.Who)
	if err != nil {
		return used("%q is neither shared nor a bot", a.Who)
	}
	if a.Account == "" {
		return used("--account is missing: which account on X is %s's?", a.Who)
	}
	return a.bot(ctx, c, b)
}

// Names of parameters within a stage, and what is in them.
const (
	sharedTwitter = "shared/twitter"
	sharedIgnore  = "shared/ignore"
)

type consumer struct {
	Key    string `json:"consumer_key"`
	Secret string `json:"consumer_secret"`
}

type account struct {
	AccessToken  string `json:"access_token"`
	AccessSecret string `json:"access_secret"`
	UserID       string `json:"user_id"`
	ScreenName   string `json:"screen_name"`
}

func ownTwitter(b bot.Bot) string { return b.Name + "/twitter" }

// decode fills a consumer or an account from a parameter, which must be
// encrypted and have every field.
func decode(p *parameter, fields any) error {
	if p.kind != ssmtypes.ParameterTypeSecureString {
		return fmt.Errorf("%s is a plain %s, not a SecureString: whoever may list parameters can read it. "+
			"Delete it (aws ssm delete-parameter --name %[1]s) and store new keys", p.name, p.kind)
	}
	if json.Unmarshal([]byte(p.value.Reveal()), fields) != nil {
		return fmt.Errorf("%s does not hold a JSON object of texts", p.name)
	}
	var all map[string]string
	text, _ := json.Marshal(fields)
	json.Unmarshal(text, &all)
	for field, value := range all {
		if value == "" {
			return fmt.Errorf("%s has no field %q", p.name, field)
		}
	}
	return nil
}

func encode(fields any) config.Secret {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // unreachable: they are texts
	}
	return config.NewSecret(string(text))
}

func (a authorize) shared(ctx context.Context, c console) error {
	cloud, err := a.open(ctx)
	if err != nil {
		return err
	}
	name := cloud.parameter(sharedTwitter)
	old, err := cloud.read(ctx, name, "")
	if err != nil {
		return err
	}
	if old != nil && old.kind != ssmtypes.ParameterTypeSecureString {
		return decode(old, &consumer{})
	}
	ask := c.prompter()
	key, err := ask.secret(ctx, "consumer key")
	if err != nil {
		return err
	}
	secret, err := ask.secret(ctx, "consumer secret")
	if err != nil {
		return err
	}
	app := consumer{key.Reveal(), secret.Reveal()}
	if _, _, err := a.flow(ctx, app).RequestToken(); err != nil {
		return flowProblem(ctx, err)
	}
	return a.store(ctx, c, cloud, name, old, encode(app))
}

func (a authorize) bot(ctx context.Context, c console, b bot.Bot) error {
	cloud, err := a.open(ctx)
	if err != nil {
		return err
	}
	var app consumer
	pair, err := cloud.read(ctx, cloud.parameter(sharedTwitter), "")
	if err != nil {
		return err
	}
	if pair == nil {
		return fmt.Errorf("there is no %s in %s: superbots authorize shared --stage %s stores the app's keys there first",
			cloud.parameter(sharedTwitter), cloud.aws.Region, cloud.stage)
	}
	if err := decode(pair, &app); err != nil {
		return err
	}
	name := cloud.parameter(ownTwitter(b))
	old, err := cloud.read(ctx, name, "")
	if err != nil {
		return err
	}
	if old != nil && old.kind != ssmtypes.ParameterTypeSecureString {
		return decode(old, &account{})
	}

	granted, err := a.grant(ctx, c, app)
	if err != nil {
		return err
	}
	// The list first: an id too many in it does no harm, one too few would let
	// the bots feed on each other.
	if err := ignore(ctx, c, cloud, granted.UserID); err != nil {
		return err
	}
	return a.store(ctx, c, cloud, name, old, encode(granted))
}

// grant goes through the PIN flow until the right account has let the app in.
// https://docs.x.com/fundamentals/authentication/oauth-1-0a/pin-based-oauth
func (a authorize) grant(ctx context.Context, c console, app consumer) (account, error) {
	flow := a.flow(ctx, app)
	request, requestSecret, err := flow.RequestToken()
	if err != nil {
		return account{}, flowProblem(ctx, err)
	}
	page, err := flow.AuthorizationURL(request)
	if err != nil {
		return account{}, err
	}
	query := page.Query()
	query.Set("force_login", "true")
	query.Set("screen_name", a.Account)
	page.RawQuery = query.Encode()
	fmt.Fprintf(c.err, "Log in as @%s at this address, and let the app in:\n\n  %s\n\n", a.Account, page)
	if terminal(c.out) {
		browse(ctx, page.String())
	}
	pin, err := c.prompter().secret(ctx, "PIN")
	if err != nil {
		return account{}, err
	}
	token, secret, err := flow.AccessToken(request, requestSecret, pin.Reveal())
	if err != nil {
		return account{}, flowProblem(ctx, err)
	}
	keys := twitter.Keys{
		ConsumerKey: config.NewSecret(app.Key), ConsumerSecret: config.NewSecret(app.Secret),
		AccessToken: config.NewSecret(token), AccessSecret: config.NewSecret(secret),
	}
	is, err := whoIs(ctx, a.BaseURL.URL(), keys)
	if err != nil {
		return account{}, err
	}
	if !strings.EqualFold(is.name, strings.TrimPrefix(a.Account, "@")) {
		return account{}, fmt.Errorf("@%s let the app in, not @%s, and nothing was stored: log out of X as @%[1]s, and begin again", is.name, a.Account)
	}
	if is.readOnly {
		return account{}, errors.New("the app may only read, so nothing was stored: set its permissions to Read and write at https://console.x.com, and begin again")
	}
	fmt.Fprintf(c.err, "This is @%s, user %d.\n", is.name, is.id)
	return account{token, secret, strconv.FormatUint(is.id, 10), is.name}, nil
}

// store writes a parameter if its value is a new one, and says so.
func (a authorize) store(ctx context.Context, c console, cloud cloud, name string, old *parameter, value config.Secret) error {
	if old != nil && old.value.Reveal() == value.Reveal() {
		_, err := fmt.Fprintf(c.out, "%s has had this value since version %d\n", name, old.version)
		return err
	}
	key := a.KeyID
	if key == "" {
		var err error
		if key, err = cloud.key(ctx); err != nil {
			return err
		}
	}
	version, err := cloud.write(ctx, name, ssmtypes.ParameterTypeSecureString, value, key)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s is stored as version %d, encrypted with %s\n", name, version, key)
	return err
}

// ignore adds a user id to those that no bot of the stage uses.
func ignore(ctx context.Context, c console, cloud cloud, id string) error {
	name := cloud.parameter(sharedIgnore)
	list, err := cloud.read(ctx, name, "")
	if err != nil {
		return err
	}
	kind, value := ssmtypes.ParameterTypeString, id
	if list != nil {
		var ids bot.IDs
		if err := ids.UnmarshalText([]byte(list.value.Reveal())); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
		if ids[id] {
			return nil
		}
		kind, value = list.kind, list.value.Reveal()+","+id
	}
	key, err := accountKey, error(nil)
	if kind == ssmtypes.ParameterTypeSecureString {
		if key, err = cloud.key(ctx); err != nil {
			return err
		}
	}
	version, err := cloud.write(ctx, name, kind, config.NewSecret(value), key)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s is stored as version %d, with user %s\n", name, version, id)
	return err
}

// flow is the PIN flow of an app. Every call of it ends with ctx.
func (a authorize) flow(ctx context.Context, app consumer) *oauth1.Config {
	at := func(path string) string { return a.BaseURL.URL().JoinPath(path).String() }
	return &oauth1.Config{
		ConsumerKey: app.Key, ConsumerSecret: app.Secret, CallbackURL: "oob",
		Endpoint: oauth1.Endpoint{
			RequestTokenURL: at("/oauth/request_token"), AuthorizeURL: at("/oauth/authorize"), AccessTokenURL: at("/oauth/access_token"),
		},
		HTTPClient: &http.Client{Transport: within{ctx}, Timeout: xTimeout},
	}
}

const xTimeout = 10 * time.Second

// within gives a context to requests of a library that has none.
type within struct{ ctx context.Context }

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	return http.DefaultTransport.RoundTrip(r.WithContext(w.ctx))
}

// flowProblem says what X's refusal within the PIN flow means. X's own words
// and codes are those that clients have met; they are documented nowhere.
func flowProblem(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said := err.Error()
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) })
	}
	var noAnswer *url.Error
	switch {
	case errors.As(err, &noAnswer):
		return errors.New("no answer from X: is there a network?")
	case has("oauth_verifier"):
		return errors.New("the PIN is none that X gave, and nothing was stored: begin again, each PIN is good for one try")
	case has(`"code":89`, `"code": 89`, "Invalid request token", "Reverse auth"):
		return errors.New("the link has expired at X, and nothing was stored: begin again, and type the PIN within a quarter of an hour")
	case has(`"code":135`, `"code": 135`):
		return errors.New("this machine's clock is wrong, X says: set it, and begin again")
	case has(`"code":415`, `"code": 415`, `"code":417`, `"code": 417`):
		return errors.New("the X app has no callback URL, which X wants even for a PIN: set one, any, at https://console.x.com")
	case has(`"code":416`, `"code": 416`):
		return errors.New("the app is suspended: see https://console.x.com")
	case has(`"code":32`, `"code": 32`, `"code":215`, `"code": 215`, "status 401"):
		return errors.New("the app's keys are none that X knows: copy the consumer key and secret from https://console.x.com, and run superbots authorize shared")
	}
	status, _, _ := strings.Cut(strings.TrimPrefix(said, "oauth1: "), ":")
	return fmt.Errorf("refused by X: %s", status)
}

// identity is the account that an access token is for.
type identity struct {
	id       uint64
	name     string
	readOnly bool
	clock    time.Time // X's
}

// whoIs asks X whose keys these are, and what they may do.
func whoIs(ctx context.Context, base *url.URL, keys twitter.Keys) (identity, error) {
	var me struct {
		Data struct {
			ID       uint64 `json:"id,string"`
			Username string
		}
	}
	header, err := getX(ctx, base, keys, "/2/users/me", nil, &me)
	if err != nil {
		return identity{}, err
	}
	if me.Data.ID == 0 {
		return identity{}, errors.New("no account is in what X answers")
	}
	clock, _ := http.ParseTime(header.Get("Date"))
	return identity{me.Data.ID, me.Data.Username, header.Get("x-access-level") == "read", clock}, nil
}

// getX does one signed GET whose headers matter, which a [twitter.Client] does
// not show.
func getX(ctx context.Context, base *url.URL, keys twitter.Keys, path string, query url.Values, answer any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, xTimeout)
	defer cancel()
	app := oauth1.NewConfig(keys.ConsumerKey.Reveal(), keys.ConsumerSecret.Reveal())
	client := app.Client(ctx, oauth1.NewToken(keys.AccessToken.Reveal(), keys.AccessSecret.Reveal()))
	at := base.JoinPath(path)
	at.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, context.Canceled
		}
		return nil, errors.New("no answer from X: is there a network?")
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, errors.New("the answer from X broke off")
	}
	switch response.StatusCode {
	case http.StatusOK:
		if json.Unmarshal(body, answer) != nil {
			return nil, fmt.Errorf("GET %s: X's answer cannot be read", path)
		}
		return response.Header, nil
	case http.StatusUnauthorized:
		return nil, errUnauthorized
	case http.StatusPaymentRequired:
		return nil, errNoCredits
	}
	var problem struct{ Title, Detail string }
	json.Unmarshal(body, &problem)
	return nil, fmt.Errorf("GET %s: X answers %d %q", path, response.StatusCode, cmp.Or(problem.Detail, problem.Title))
}

var (
	errUnauthorized = errors.New("the keys are none that X accepts: were they revoked?")
	errNoCredits    = errors.New("the X app has no credits left: buy some at https://console.x.com")
)

// botNames are the names of all bots.
func botNames() []string {
	var names []string
	for _, b := range functions.All {
		names = append(names, b.Name)
	}
	return names
}
