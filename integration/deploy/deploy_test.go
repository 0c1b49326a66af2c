package deploy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/local/runtime"
	"example.com/superbots/integration/local/x"
	"example.com/superbots/integration/moto"
	"example.com/superbots/pkg/bot"
)

// A cloud is moto's account, seen through a proxy that keeps what is sent to
// it, and a world of X.
type cloud struct {
	moto *moto.Server
	url  string // of the proxy, an IP address: with a name, S3 would put buckets before it
	x    *x.X
	xURL string

	accounts map[string]x.Account // by bot
	secrets  []string             // planted in Parameter Store
	values   map[string]string    // by parameter

	mu   sync.Mutex
	sent []byte // guarded by mu: every request
}

func newCloud(t *testing.T, stage string) *cloud {
	t.Helper()
	c := &cloud{moto: moto.Start(t), x: x.New(), accounts: make(map[string]x.Account)}
	target, err := url.Parse(c.moto.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.mu.Lock()
		c.sent = append(c.sent, r.URL.String()+"\n"+string(body)+"\n"...)
		c.mu.Unlock()
		// moto answers this call with the first warning of cfn-lint as an
		// error, be it W3005 or W8003; AWS only looks at the syntax here.
		if bytes.Contains(body, []byte("Action=ValidateTemplate")) {
			w.Header().Set("Content-Type", "text/xml")
			io.WriteString(w, `<ValidateTemplateResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><ValidateTemplateResult/></ValidateTemplateResponse>`)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	world := httptest.NewServer(c.x)
	t.Cleanup(world.Close)
	c.url, c.xURL = proxy.URL, world.URL

	consumer, consumerSecret := rand.Text(), rand.Text()
	c.x.AddApp(consumer, consumerSecret)
	c.secrets = append(c.secrets, consumer, consumerSecret)
	c.values = map[string]string{
		"/superbots/" + stage + "/shared/twitter": fmt.Sprintf(`{"consumer_key": %q, "consumer_secret": %q}`, consumer, consumerSecret),
		"/superbots/" + stage + "/shared/ignore":  "1,2",
	}
	for _, b := range functions.All {
		a := c.x.AddAccount(b.Name)
		token := c.x.Issue(a.ID, consumer)
		c.accounts[b.Name] = a
		c.secrets = append(c.secrets, token.Token, token.Secret)
		c.values["/superbots/"+stage+"/"+b.Name+"/twitter"] = fmt.Sprintf(
			`{"access_token": %q, "access_secret": %q, "user_id": "%d", "screen_name": %q}`, token.Token, token.Secret, a.ID, a.Name)
	}
	return c
}

// put writes all parameters, and takes them away when the test ends.
func (c *cloud) put(t *testing.T) {
	t.Helper()
	client := ssm.NewFromConfig(c.moto.Config)
	for name, value := range c.values {
		typ := types.ParameterTypeSecureString
		if strings.HasSuffix(name, "/ignore") {
			typ = types.ParameterTypeString
		}
		if _, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: &value, Type: typ}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := client.DeleteParameter(context.Background(), &ssm.DeleteParameterInput{Name: &name}); err != nil {
				t.Error(err)
			}
		})
	}
}

// env is what osls and the AWS command line are told, and nothing else.
func (c *cloud) env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
	}
}

// An inventory is what account.py prints.
type inventory struct {
	Resources []string
	Stacks    map[string][]string
	Functions map[string]struct {
		Environment map[string]string
		SHA256      string
	}
}

var suffix = regexp.MustCompile(`-([0-9A-Z]{12}|[0-9a-z]{12})$`)

// inventory returns what the account has, without what is random in names.
func (c *cloud) inventory(t *testing.T) inventory {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "integration/moto/.venv/bin/python"), filepath.Join(root, "integration/deploy/account.py"))
	cmd.Env = append(c.env(), "AWS_ENDPOINT_URL="+c.moto.URL)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("account.py: %v\n%s", err, stderr.String())
	}
	var i inventory
	if err := json.Unmarshal(out, &i); err != nil {
		t.Fatal(err)
	}
	for n, r := range i.Resources {
		r = strings.ReplaceAll(r, c.moto.URL, "")
		i.Resources[n] = suffix.ReplaceAllString(r, "")
	}
	slices.Sort(i.Resources)
	return i
}

// TestDeploy deploys to moto with osls, runs what was deployed against that
// moto and a local X, and removes it.
func TestDeploy(t *testing.T) {
	c := newCloud(t, "dev")
	c.put(t)
	s := service{build(t)}
	var said bytes.Buffer
	osls := func(args ...string) {
		t.Helper()
		out, err := s.osls(t, c.env(), append(args, "--stage", "dev", "--param", "mode=post")...)
		said.WriteString(out)
		if err != nil {
			t.Fatalf("osls %s: %v\n%s", args[0], err, out)
		}
	}

	osls("deploy", "--verbose")
	osls("print")
	there := c.inventory(t)
	parameters := slices.Sorted(slices.Values(append(ofEachBot("parameter /superbots/dev/{bot}/twitter"),
		"parameter /superbots/dev/shared/ignore", "parameter /superbots/dev/shared/twitter")))
	want := slices.Sorted(slices.Values(slices.Concat([]string{
		"bucket superbots-dev-serverlessdeploymentbucket",
		"dashboard superbots-dev",
		"queue /" + account + "/superbots-dev-FailedEvents",
		"stack superbots-dev",
		"table superbots-dev-Ledger",
		"topic " + arn("sns", "superbots-dev-AlarmTopic"),
	}, ofEachBot("function superbots-dev-{bot}"), ofEachBot("log group /aws/lambda/superbots-dev-{bot}"),
		ofEachBot("role superbots-dev-{Bot}Role"), ofEachBot("rule superbots-dev-{Bot}EventsRuleSchedule1"), parameters)))
	if diff := cmp.Diff(want, there.Resources); diff != "" {
		t.Errorf("deployed (-want +got):\n%s", diff)
	}

	// What moto leaves out, and so no test here has seen being made.
	made := s.template(t)
	left := make(map[string]bool)
	for name, r := range made.Resources {
		if made.holds(r.Condition) && !slices.Contains(there.Stacks["superbots-dev"], name) {
			left[r.Type] = true
		}
	}
	if diff := cmp.Diff(map[string]bool{
		"AWS::CloudWatch::Alarm": true, "AWS::Lambda::EventInvokeConfig": true, "AWS::S3::BucketPolicy": true,
	}, left); diff != "" {
		t.Errorf("types that moto does not make (-want +got):\n%s", diff)
	}

	// What was uploaded is for Lambda. For this machine the same is built again.
	for _, b := range functions.All {
		hash := sum(t, s.dir, "dist", b.Name+".zip")
		if got, want := there.Functions["superbots-dev-"+b.Name].SHA256, base64.StdEncoding.EncodeToString(hash[:]); got != want {
			t.Errorf("the code of %s has the hash %s, its zip %s", b.Name, got, want)
		}
	}
	bin := t.TempDir()
	if err := local.Build(t.Context(), root, bin, functions.All); err != nil {
		t.Fatal(err)
	}
	c.x.Add(x.Post{Author: "ana", Text: "I love serverless", CreatedAt: time.Now().Add(-time.Hour)})
	c.x.Add(x.Post{Author: "ana", Text: "big data is big", CreatedAt: time.Now().Add(-time.Hour)})
	for name, want := range map[string]string{"superman": "I love Superman", "batman": "Batman is big"} {
		env := there.Functions["superbots-dev-"+name].Environment
		// As deployed, the functions would not go to moto. The rest stays.
		delete(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
		env["AWS_ENDPOINT_URL"], env["AWS_REGION"] = c.moto.URL, region
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = "test", "test"
		env["TWITTER_BASE_URL"] = c.xURL
		f, err := runtime.Start(runtime.Function{
			Name: "superbots-dev-" + name, Bootstrap: filepath.Join(bin, name, "bootstrap"), Env: env, Timeout: local.Timeout, Memory: 256,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for run := range 2 {
			result, err := f.Invoke(t.Context(), runtime.ScheduledEvent(time.Now()))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&said, "%s\n%s\n", result.Payload, strings.Join(result.Log, "\n"))
			watched(t, made, "superbots-dev-"+name, result.Log)
			var report bot.Report
			if err := json.Unmarshal(result.Payload, &report); err != nil || report.Posted != 1-run {
				t.Errorf("run %d of %s: %s\n%s", run, name, result.Payload, strings.Join(result.Log, "\n"))
			}
		}
		var posted []string
		for _, p := range c.x.Posts(c.accounts[name].ID) {
			posted = append(posted, p.Text)
		}
		if diff := cmp.Diff([]string{want}, posted); diff != "" {
			t.Errorf("%s posted (-want +got):\n%s", name, diff)
		}
	}

	osls("remove")
	if diff := cmp.Diff(parameters, c.inventory(t).Resources); diff != "" {
		t.Errorf("left over (-want +got):\n%s", diff)
	}

	said.Write(everything(t, s.dir))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range c.secrets {
		if form := leak(append(said.Bytes(), c.sent...), secret); form != "" {
			t.Errorf("a secret stands in what was said, packaged or sent: %s", form)
		}
	}
}

var metricName = regexp.MustCompile(`MetricName="(\w+)"`)

// watched checks that a run logs every metric that the alarms of its function
// and the dashboard look at.
func watched(t *testing.T, made template, function string, log []string) {
	t.Helper()
	logged := make(map[string]bool)
	for _, line := range log {
		var embedded struct {
			FunctionName string
			AWS          struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name string }
				}
			} `json:"_aws"`
		}
		if json.Unmarshal([]byte(line), &embedded) != nil || embedded.FunctionName != function {
			continue
		}
		for _, m := range embedded.AWS.CloudWatchMetrics {
			for _, metric := range m.Metrics {
				logged[metric.Name] = m.Namespace == "Superbots" && cmp.Equal(m.Dimensions, [][]string{{"FunctionName"}})
			}
		}
	}
	want := make(map[string]bool)
	for _, alarm := range made.ofType("AWS::CloudWatch::Alarm") {
		p := made.value(made.Resources[alarm].Properties).(map[string]any)
		dimension := map[string]any{"Name": "FunctionName", "Value": function}
		if p["Namespace"] == "Superbots" && cmp.Equal(p["Dimensions"], []any{dimension}) {
			want[p["MetricName"].(string)] = true
		}
	}
	dashboard := made.Resources["Dashboard"].Properties["DashboardBody"].(map[string]any)["Fn::Sub"].(string)
	var body struct {
		Widgets []struct {
			Properties struct {
				Metrics [][]struct{ Expression string }
			}
		}
	}
	if err := json.Unmarshal([]byte(dashboard), &body); err != nil {
		t.Fatal(err)
	}
	for _, w := range body.Widgets {
		for _, name := range metricName.FindAllStringSubmatch(w.Properties.Metrics[0][0].Expression, -1) {
			want[name[1]] = true
		}
	}
	if len(want) != 5 {
		t.Errorf("alarms and dashboard look at %v, want five metrics", want)
	}
	for name := range want {
		if !logged[name] {
			t.Errorf("nothing logs the metric %s of %s; there are %v", name, function, logged)
		}
	}
}

// The search for secrets finds them.
func TestLeakIsFound(t *testing.T) {
	const secret = "s/cr+t value"
	for _, text := range []string{
		secret, "x" + base64.StdEncoding.EncodeToString([]byte("a"+secret+"b")), base64.URLEncoding.EncodeToString([]byte("ab" + secret)),
		hex.EncodeToString([]byte(secret)), url.QueryEscape(secret), strconv.Quote(`{"a":"` + secret + `"}`),
	} {
		if leak([]byte("before "+text+" after"), secret) == "" {
			t.Errorf("not found in %s", text)
		}
	}
}

// leak returns the form in which text has the secret, or "".
func leak(text []byte, secret string) string {
	forms := map[string]string{
		"plain": secret, "in hex": hex.EncodeToString([]byte(secret)), "URL-escaped": url.QueryEscape(secret),
	}
	for before := range 3 { // wherever it stands in what is encoded
		for name, e := range map[string]*base64.Encoding{"in base64": base64.RawStdEncoding, "in base64url": base64.RawURLEncoding} {
			encoded := e.EncodeToString(append(make([]byte, before), secret...))
			forms[name+strconv.Itoa(before)] = encoded[(before*8+5)/6 : len(encoded)-1]
		}
	}
	for name, form := range forms {
		if bytes.Contains(text, []byte(form)) {
			return name
		}
	}
	return ""
}

// everything returns the text of all that a deployment made: the files of
// .serverless, and what is in the zips.
func everything(t *testing.T, dir string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, part := range []string{".serverless", "dist"} {
		err := filepath.WalkDir(filepath.Join(dir, part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if filepath.Ext(path) != ".zip" {
				b, err := os.ReadFile(path)
				all.Write(b)
				return err
			}
			z, err := zip.OpenReader(path)
			if err != nil {
				return err
			}
			defer z.Close()
			for _, f := range z.File {
				r, err := f.Open()
				if err != nil {
					return err
				}
				if _, err := io.Copy(&all, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.Bytes()
}
