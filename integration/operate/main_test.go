// Package operate_test does what an operator does, with the operator's command
// itself, against stand-ins for X and AWS.
//
// The one idea: nothing is called but the command. A test is the operator at the
// keyboard and, where X shows a page, the browser. Parameter Store is the local
// one, and what the deployment leaves in AWS is in moto, put there by the
// Serverless Framework from the repository's own serverless.yml, with the two
// bots of README.md in it, whichever there are besides.
package operate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/integration/moto"
)

var (
	root    string // the repository
	command string // built from it
	project string // its folder with a serverless.yml, as far as that is about the bots of README.md
)

// bots are those of README.md.
var bots = []string{"superman", "batman"}

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	var err error
	if root, err = local.Root(); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "superbots-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	command, project = filepath.Join(dir, "superbots"), filepath.Join(dir, "project")
	if err := errors.Join(build(root, command), startProject()); err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

func build(root, to string) error {
	cmd := exec.Command("go", "build", "-o", to, "./cmd/superbots")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w\n%s", err, out)
	}
	return nil
}

// startProject makes the folder. It has no code: the command is built already.
func startProject() error {
	service, err := os.ReadFile(filepath.Join(root, "serverless.yml"))
	if err != nil {
		return err
	}
	if err := put(filepath.Join(project, "serverless.yml"), withoutOthers(string(service))); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "resources/shared.yml", "resources/watch.yml", "resources/superman.yml", "resources/batman.yml"} {
		if err := copyFile(filepath.Join(root, name), filepath.Join(project, name)); err != nil {
			return err
		}
	}
	return link("integration/deploy/node_modules", project)
}

// link puts a link to a part of the repository in the same place below dir.
func link(part, dir string) error {
	at := filepath.Join(dir, part)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(root, part), at)
}

// withoutOthers takes out of serverless.yml what superbots new puts there for a
// bot that is none of README.md's.
func withoutOthers(service string) string {
	for _, b := range functions.All {
		if !slices.Contains(bots, b.Name) {
			service = regexp.MustCompile(`(?m)^    `+b.Name+`Query: .*\n|^  - \$\{file\(resources/`+b.Name+`\.yml\)\}\n`).ReplaceAllString(service, "")
			service = regexp.MustCompile(`(?ms)^  `+b.Name+`:\n.*?\n\n`).ReplaceAllString(service, "")
		}
	}
	return service
}

const (
	appKey, appSecret = "the-app-key", "the-app-secret"
	stage             = "dev"
)

// A desk is an operator with an X, an empty Parameter Store and the AWS of moto.
type desk struct {
	t          *testing.T
	command    string   // what is run
	dir        string   // where
	names      []string // of the bots
	stage      string
	x          *x.X
	xURL       string
	params     *paramstore.Store
	client     *ssm.Client
	env        map[string]string
	bots       map[string]x.Account
	everything bytes.Buffer // that the command has said
}

func sit(t *testing.T) *desk {
	t.Helper()
	d := &desk{
		t: t, command: command, dir: project, names: bots, stage: stage,
		x: x.New(), params: paramstore.New(), bots: make(map[string]x.Account),
	}
	xServer, store := httptest.NewServer(d.x), httptest.NewServer(d.params)
	t.Cleanup(xServer.Close)
	t.Cleanup(store.Close)
	d.xURL = xServer.URL
	d.x.AddApp(appKey, appSecret)
	for _, name := range d.names {
		d.bots[name] = d.x.AddAccount(name + "bot")
	}
	none := filepath.Join(t.TempDir(), "none")
	d.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "GOCACHE": goCache(t),
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "operator", "AWS_SECRET_ACCESS_KEY": "not-a-secret",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": moto.Start(t).URL, "AWS_ENDPOINT_URL_SSM": store.URL,
		"TWITTER_BASE_URL": d.xURL,
	}
	d.client = ssm.New(ssm.Options{
		BaseEndpoint: &store.URL, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("auditor", "not-a-secret", ""),
	})
	t.Cleanup(d.nothingLeaks)
	return d
}

var goCache = func() func(*testing.T) string {
	read := sync.OnceValues(func() ([]byte, error) { return exec.Command("go", "env", "GOCACHE").Output() })
	return func(t *testing.T) string {
		out, err := read()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
}()

// A result is how the command ended, and what it said.
type result struct {
	code     int
	out, err string
}

// talk runs the command. While it runs, reply is called with each line that it
// writes to standard error, and returns what to type then, if anything.
func (d *desk) talk(in string, reply func(line string) string, args ...string) result {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.command, args...)
	cmd.Dir = d.dir
	for name, value := range d.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, said bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	io.WriteString(stdin, in) // the command may have ended already
	if reply == nil {
		stdin.Close()
	}
	var line bytes.Buffer
	for b := make([]byte, 1); ; {
		if _, err := stderr.Read(b); err != nil {
			break
		}
		said.WriteByte(b[0])
		line.WriteByte(b[0])
		if b[0] == '\n' && reply != nil {
			if text := reply(strings.TrimSpace(line.String())); text != "" {
				io.WriteString(stdin, text)
				stdin.Close()
			}
			line.Reset()
		}
	}
	cmd.Wait()
	d.everything.Write(out.Bytes())
	d.everything.Write(said.Bytes())
	return result{cmd.ProcessState.ExitCode(), out.String(), said.String()}
}

// do runs the command with in as its standard input.
func (d *desk) do(in string, args ...string) result {
	d.t.Helper()
	return d.talk(in, nil, args...)
}

// must is do for what must end well.
func (d *desk) must(in string, args ...string) string {
	d.t.Helper()
	r := d.do(in, args...)
	if r.code != 0 {
		d.t.Fatalf("superbots %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// refused wants the command to end with exit 1 and one sentence.
func (r result) refused(t *testing.T, name string, sentence ...string) {
	t.Helper()
	if r.code != 1 {
		t.Errorf("%s: exit %d, want 1\n%s%s", name, r.code, r.out, r.err)
	}
	for _, s := range sentence {
		if !strings.Contains(r.err, s) {
			t.Errorf("%s: says %q, want %q in it", name, r.err, s)
		}
	}
}

var pinOnPage = regexp.MustCompile(`<code id="oauth_pin">([0-9]{7})</code>`)

// login is the browser: it opens the link as whoever is logged in, and returns
// the PIN. An empty name is the account that the link asks for.
func (d *desk) login(link, as string) string {
	d.t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		d.t.Fatal(err)
	}
	q := u.Query()
	if q.Get("force_login") != "true" {
		d.t.Errorf("the link %s does not force a login", link)
	}
	if as != "" {
		q.Set("screen_name", as)
	}
	u.RawQuery = q.Encode()
	response, err := http.Get(u.String())
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	pin := pinOnPage.FindSubmatch(page)
	if pin == nil {
		d.t.Fatalf("no PIN on the page of %s:\n%s", link, page)
	}
	return string(pin[1])
}

// authorize runs authorize for a bot; pin makes the PIN out of the link.
func (d *desk) authorize(bot string, pin func(link string) string, more ...string) result {
	d.t.Helper()
	args := append([]string{"authorize", bot, "--stage", d.stage, "--account", d.bots[bot].Name}, more...)
	return d.talk("", func(line string) string {
		if !strings.HasPrefix(line, d.xURL+"/oauth/authorize?") {
			return ""
		}
		return pin(line) + "\n"
	}, args...)
}

func (d *desk) asAsked(link string) string { return d.login(link, "") }

// ready has the app's keys and all bots' in the stage.
func (d *desk) ready() {
	d.t.Helper()
	d.must(appKey+"\n"+appSecret+"\n", "authorize", "shared", "--stage", d.stage)
	for _, name := range d.names {
		if r := d.authorize(name, d.asAsked); r.code != 0 {
			d.t.Fatalf("authorize %s: exit %d\n%s", name, r.code, r.err)
		}
	}
}

// versions returns the values that a parameter ever had, oldest first; none if
// there is no such parameter.
func (d *desk) versions(name string) []string {
	d.t.Helper()
	out, err := d.client.GetParameterHistory(context.Background(), &ssm.GetParameterHistoryInput{
		Name: aws.String("/superbots/" + d.stage + "/" + name), WithDecryption: aws.Bool(true),
	})
	if err != nil {
		if strings.Contains(err.Error(), "ParameterNotFound") {
			return nil
		}
		d.t.Fatal(err)
	}
	var values []string
	for _, p := range out.Parameters {
		values = append(values, *p.Value)
	}
	return values
}

// nothingLeaks looks for every secret of Parameter Store in all that was said.
func (d *desk) nothingLeaks() {
	secrets := []string{appKey, appSecret}
	for _, name := range d.names {
		for _, value := range d.versions(name + "/twitter") {
			var fields map[string]string
			json.Unmarshal([]byte(value), &fields)
			secrets = append(secrets, fields["access_token"], fields["access_secret"])
		}
	}
	for _, secret := range secrets {
		if secret != "" && bytes.Contains(d.everything.Bytes(), []byte(secret)) {
			d.t.Errorf("a secret was said:\n%s", d.everything.String())
		}
	}
}

// deployed puts the desk's stage into its region of moto, once for all tests
// there: they share its ledger.
func (d *desk) deployed() {
	d.t.Helper()
	config := moto.Start(d.t).Config
	config.Region = d.env["AWS_REGION"]
	once, _ := stacks.LoadOrStore(config.Region, sync.OnceValue(func() error { return deploy(config, d.dir, d.stage, d.names) }))
	if err := once.(func() error)(); err != nil {
		d.t.Fatal(err)
	}
}

var stacks sync.Map // a func() error by region

// deploy makes the stack of a stage in moto, from the template that the
// Serverless Framework makes of the project's files. Only the code is not what it
// would be: nobody invokes it here.
func deploy(config aws.Config, project, stage string, bots []string) error {
	dir, err := os.MkdirTemp("", "superbots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := filepath.Glob(filepath.Join(project, "resources", "*.yml"))
	if err != nil {
		return err
	}
	for _, file := range append(files, filepath.Join(project, "serverless.yml")) {
		name, err := filepath.Rel(project, file)
		if err != nil {
			return err
		}
		if err := copyFile(file, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, name := range bots {
		if err := put(filepath.Join(dir, "dist", name+".zip"), "not a zip"); err != nil {
			return err
		}
	}
	cmd := exec.Command("node", filepath.Join(root, "integration/deploy/node_modules/osls/bin/serverless.js"), "package", "--stage", stage, "--region", config.Region)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("packaging: %w (is it installed? npm ci --ignore-scripts --prefix integration/deploy)\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, ".serverless/cloudformation-template-update-stack.json"))
	if err != nil {
		return err
	}
	if text, err = forMoto(text); err != nil {
		return err
	}
	_, err = cloudformation.NewFromConfig(config).CreateStack(context.Background(), &cloudformation.CreateStackInput{
		StackName: aws.String("superbots-" + stage), TemplateBody: aws.String(string(text)),
	})
	return err
}

// forMoto takes out of a template what moto's CloudFormation does not know, and
// gives the functions a code that is in no bucket.
func forMoto(text []byte) ([]byte, error) {
	var template map[string]any
	if err := json.Unmarshal(text, &template); err != nil {
		return nil, err
	}
	resources := template["Resources"].(map[string]any)
	for name, r := range resources {
		switch r := r.(map[string]any); r["Type"] {
		case "AWS::S3::BucketPolicy", "AWS::Lambda::EventInvokeConfig", "AWS::CloudWatch::Alarm":
			delete(resources, name)
		case "AWS::Lambda::Function":
			r["Properties"].(map[string]any)["Code"] = map[string]string{"ZipFile": "none"}
		}
	}
	// CloudFormation compares texts: true equals "true". For moto it does not.
	for _, c := range template["Conditions"].(map[string]any) {
		if values, ok := c.(map[string]any)["Fn::Equals"].([]any); ok {
			for i, v := range values {
				values[i] = fmt.Sprint(v)
			}
		}
	}
	return json.Marshal(template)
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return put(to, string(text))
}

func put(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}
