// Package ways_test packages the five ways with the Serverless Framework, shows
// of each what a reader should learn, and checks README.md against it.
package ways_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/integration/moto"
	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/bot"
)

var update = flag.Bool("update", false, "write the table of both README.md")

// The secrets, by the name that they have in Parameter Store.
var secrets = map[string]string{
	"/ways/shared/key":      "the-consumer-key",
	"/ways/shared/secret":   "the-consumer-secret",
	"/ways/superman/token":  "1-the-token-of-superman",
	"/ways/superman/secret": "the-secret-of-superman",
	"/ways/batman/token":    "1-the-token-of-batman",
	"/ways/batman/secret":   "the-secret-of-batman",
}

// A way is what the test found out about one of the files.
type way struct {
	name       string
	inFile     bool // somebody who reads the repository has the secrets
	inTemplate bool // somebody who may look at the function or its stack has them
	needsAWS   bool // whoever packages must be allowed to read them
	redeploy   bool // a new secret takes effect only with a deployment
	shared     bool // a bot could use the other's
}

var home string // of osls, for what it keeps between its runs

func TestWays(t *testing.T) {
	home = t.TempDir()
	var ways []way
	for _, name := range []string{
		"1-shared-environment", "2-function-environment", "3-stage-parameter", "4-ssm-at-deployment", "5-ssm-at-run",
	} {
		ways = append(ways, look(t, name))
	}
	check(t, "README.md", table(ways))
	check(t, "../../README.md", strings.ReplaceAll(table(ways), "](", "](integration/ways/"))
}

// check compares the table in the file at path with what the test found, or
// writes it there.
func check(t *testing.T, path, table string) {
	t.Helper()
	const start, end = "<!-- table -->\n", "<!-- end of table -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), start)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	want := before + start + table + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s is not what the test found; go test ./integration/ways -update writes it (-want +got):\n%s", path, diff)
	}
}

func table(ways []way) string {
	word := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	var b strings.Builder
	b.WriteString("| way | the secret stands in the file | in the template, the bucket and the console | to package, AWS is | a new secret takes effect by | the other bot has it too |\n")
	b.WriteString("|---|---|---|---|---|---|\n")
	for _, w := range ways {
		fmt.Fprintf(&b, "| [%s](%s/serverless.yml) | %s | %s | %s | %s | %s |\n", strings.ReplaceAll(w.name[2:], "-", " "), w.name,
			word(w.inFile, "yes", "no"), word(w.inTemplate, "yes", "no"), word(w.needsAWS, "needed", "not needed"),
			word(w.redeploy, "a deployment", "writing the parameter"), word(w.shared, "yes", "no"))
	}
	return b.String()
}

// look packages one of the files with the secrets, and again with others.
func look(t *testing.T, name string) way {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(name, "serverless.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w := way{name: name, inFile: contains(string(source))}
	made, asked := packaged(t, name, string(source), "")
	changed, _ := packaged(t, name, string(source), "-changed")
	w.needsAWS, w.redeploy, w.inTemplate = asked, made != changed, contains(made)

	var template struct {
		Resources map[string]struct {
			Properties struct {
				Environment struct{ Variables map[string]string }
				Policies    json.RawMessage
			}
		}
	}
	if err := json.Unmarshal([]byte(made), &template); err != nil {
		t.Fatal(err)
	}
	for _, bot := range []bot.Bot{functions.Superman, functions.Batman} {
		title := strings.ToUpper(bot.Name[:1]) + bot.Name[1:]
		var environ []string
		for name, value := range template.Resources[title+"LambdaFunction"].Properties.Environment.Variables {
			environ = append(environ, name+"="+value)
		}
		if _, err := app.New(bot, environ, io.Discard); err != nil {
			t.Errorf("%s: %s would not start: %v", name, bot.Name, err)
		}
		if bot.Name != "batman" {
			continue
		}
		has := strings.Join(environ, "\n") + string(template.Resources[title+"Role"].Properties.Policies)
		for name, secret := range secrets {
			folder, _ := filepath.Split(name)
			if strings.Contains(name, "superman") && (strings.Contains(has, secret) || strings.Contains(has, folder)) {
				w.shared = true
			}
		}
	}
	return w
}

func contains(text string) bool {
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			return true
		}
	}
	return false
}

// packaged returns the template of a way, with all secrets ending in suffix,
// and whether it took AWS to make it.
func packaged(t *testing.T, name, source, suffix string) (template string, asked bool) {
	t.Helper()
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	osls := filepath.Join(root, "integration/deploy/node_modules/.bin/osls")
	if _, err := os.Stat(osls); err != nil {
		t.Fatal("osls is not installed; from the repository's root:\nnpm ci --ignore-scripts --prefix integration/deploy")
	}
	server := moto.Start(t)
	client := ssm.NewFromConfig(server.Config)
	overwrite := true
	var params []string
	for parameter, secret := range secrets {
		value := secret + suffix
		if _, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: &parameter, Value: &value, Type: types.ParameterTypeSecureString, Overwrite: &overwrite,
		}); err != nil {
			t.Fatal(err)
		}
		source = strings.ReplaceAll(source, secret, value)
		who, what := filepath.Split(strings.TrimPrefix(parameter, "/ways/"))
		who = strings.NewReplacer("shared", "consumer", "/", "").Replace(who)
		params = append(params, "--param", who+strings.ToUpper(what[:1])+what[1:]+"="+value)
	}
	dir := filepath.Join(t.TempDir(), "integration/ways", name)
	for path, text := range map[string]string{
		"serverless.yml": source, "../../../dist/superman.zip": "", "../../../dist/batman.zip": "",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	try := func(endpoint string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), osls, append([]string{"package"}, params...)...)
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home,
			"AWS_ENDPOINT_URL=" + endpoint, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		}
		return cmd.CombinedOutput()
	}
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	out, err := try(nothing.URL)
	if asked = err != nil; asked {
		out, err = try(server.URL)
	}
	if err != nil {
		t.Fatalf("%s: osls package: %v\n%s", name, err, out)
	}
	made, err := os.ReadFile(filepath.Join(dir, ".serverless/cloudformation-template-update-stack.json"))
	if err != nil {
		t.Fatal(err)
	}
	return withoutTime(string(made)), asked
}

// withoutTime leaves out of a template the folder of the zips, named after now.
func withoutTime(template string) string {
	lines := strings.Split(template, "\n")
	for i, line := range lines {
		if strings.Contains(line, `"S3Key"`) {
			lines[i] = `"S3Key": ""`
			if strings.HasSuffix(line, ",") {
				lines[i] += ","
			}
		}
	}
	return strings.Join(lines, "\n")
}
