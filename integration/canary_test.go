package integration_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/integration/local/x"
)

// leak returns the form in which text has the secret, or "". What is shorter
// than eight bytes may stand anywhere by chance.
func leak(text []byte, secret string) string {
	if len(secret) < 8 {
		return ""
	}
	text = bytes.ToLower(text)
	for form, forms := range map[string][]string{
		"plain":       {secret},
		"in hex":      {hex.EncodeToString([]byte(secret))},
		"URL-escaped": {url.QueryEscape(secret), percentEncoded(secret), (&url.URL{Path: secret}).EscapedPath()},
		"in JSON":     {inJSON(secret)},
		"in base64":   inBase64(secret),
	} {
		for _, s := range forms {
			if bytes.Contains(text, []byte(strings.ToLower(s))) {
				return form
			}
		}
	}
	return ""
}

func inJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // unreachable: a string always encodes
	}
	return string(b[1 : len(b)-1])
}

// percentEncoded encodes as OAuth does (RFC 5849, section 3.6).
func percentEncoded(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// inBase64 returns what stays the same of s in base64, wherever it stands in
// the text that is encoded.
func inBase64(s string) []string {
	var forms []string
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := e.EncodeToString(append(make([]byte, before), s...))
			forms = append(forms, text[(before*8+5)/6:len(text)-1])
		}
	}
	return forms
}

func TestLeakFindsEveryForm(t *testing.T) {
	const secret = `9+a/"b c=d&e`
	for name, text := range map[string]string{
		"plain":      "token=" + secret + ";",
		"upper case": strings.ToUpper(secret),
		"in JSON":    `{"t":` + string(mustJSON(t, secret)) + `}`,
		"in hex":     hex.EncodeToString([]byte("a" + secret + "b")),
		"in base64":  base64.StdEncoding.EncodeToString([]byte(secret)),
		"basic auth": base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		"for URLs":   base64.URLEncoding.EncodeToString([]byte("ab" + secret + "c")),
		"in a query": "?" + url.Values{"t": {secret}}.Encode(),
		"in a path":  (&url.URL{Path: secret}).EscapedPath(),
		"for OAuth":  "9%2Ba%2F%22b%20c%3Dd%26e",
	} {
		if got := leak([]byte(text), secret); got == "" {
			t.Errorf("%s: leak(%q) found nothing", name, text)
		}
	}
	if got := leak([]byte("nothing of the kind"), secret); got != "" {
		t.Errorf("leak of a clean text: got %q", got)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Secrets that have to be escaped everywhere: what a run says of them in good
// and bad days is checked when the test ends, as in all tests here.
func TestSecretsThatNeedEscaping(t *testing.T) {
	t.Parallel()
	w := start(t, vars{"CONFIG_TTL": "1ms"})
	const key, secret = `canary key +/=&%"<1>`, `canary secret +/=&%"<2>`
	w.X.AddApp(key, secret)
	w.Parameters.Put(parameter("shared/twitter"), "SecureString",
		string(mustJSON(t, map[string]string{"consumer_key": key, "consumer_secret": secret})))
	w.issue(superman)
	w.sayMany(3)
	if got := w.tick(superman); got.Posted != 3 {
		t.Fatalf("posted %d with keys that need escaping, want 3", got.Posted)
	}

	for _, name := range []string{"unauthorized", "read-only", "unavailable", "reset", "huge"} {
		w.X.Fault(x.Fault{Case: name, Times: 2})
		w.tick(superman)
		w.finish(superman)
	}
	w.Parameters.Fail(paramstore.Fault{Op: "GetParameters", Case: paramstore.Truncated})
	if got := w.tick(superman); !got.Config.Stale {
		t.Errorf("report %+v, want stale settings", got)
	}
	w.Parameters.ClearFaults()
	w.Parameters.Put(parameter(superman+"/twitter"), "SecureString", `{"access_token": "canary +/=&% 3"`)
	w.Functions[superman].Kill()
	w.fail(superman, "ConfigError")
}

// The command holds the secrets of the world that it makes itself; its
// Parameter Store tells them.
func TestDevSaysNoSecret(t *testing.T) {
	t.Parallel()
	state := stateDir(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "command"), "dev", "--state", state, "--every", "200ms", "--listen", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	out, errs := bufio.NewReader(io.TeeReader(stdout, &said)), bufio.NewReader(io.TeeReader(stderr, &said))
	var address []string
	for address == nil {
		line, err := errs.ReadString('\n')
		if err != nil {
			t.Fatalf("%v before the address of Parameter Store; the command said:\n%s", err, said.String())
		}
		address = regexp.MustCompile(`Parameter Store at (http://127\.0\.0\.1:\d+)`).FindStringSubmatch(line)
	}
	for range 4 {
		if _, err := out.ReadString('\n'); err != nil {
			t.Fatalf("%v before four lines; the command said:\n%s", err, said.String())
		}
	}
	secrets := stored(t, address[1])
	if len(secrets) != 6 {
		t.Errorf("the command's Parameter Store has %d secrets, want the app's pair and each bot's", len(secrets))
	}
	var page []string
	for page == nil {
		line, err := errs.ReadString('\n')
		if err != nil {
			t.Fatalf("%v before the address of the page", err)
		}
		page = regexp.MustCompile(`open (http://127\.0\.0\.1:\d+)`).FindStringSubmatch(line)
	}
	shown := watch(t, page[1])
	secrets = append(secrets, stored(t, address[1])...)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for _, r := range []io.Reader{out, errs} {
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v, want exit 0", err)
	}
	file, err := os.ReadFile(filepath.Join(state, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if form := leak(append(file, said.Bytes()...), secret); form != "" {
			t.Errorf("a secret stands in the command's output or ledger, %s", form)
		}
		if form := leak(shown, secret); form != "" {
			t.Errorf("a secret stands on the page, %s", form)
		}
	}
}

// watch returns all that the page at url is sent until it has told of
// everything that it tells of: its text, its events, the log of a run. It
// rotates a token on the way, which the page makes a story of.
func watch(t *testing.T, url string) []byte {
	t.Helper()
	var shown bytes.Buffer
	get := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s", path, answer.Status)
		}
		return answer
	}
	for _, path := range []string{"/", "/runs/1/log"} {
		if _, err := io.Copy(&shown, get(path).Body); err != nil {
			t.Fatal(err)
		}
	}
	token := regexp.MustCompile(`name="page-token" content="([^"]+)"`).FindStringSubmatch(shown.String())
	if token == nil {
		t.Fatal("the page has no token for its buttons")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/rotate/"+superman, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", url)
	r.Header.Set("X-Page-Token", token[1])
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		t.Fatalf("rotate: %s", answer.Status)
	}

	untold := map[string]bool{"said": true, "sent": true, "row": true, "run": true, "story": true, "function": true, "world": true}
	events := get("/events")
	lines := bufio.NewReader(io.TeeReader(events.Body, &shown))
	for len(untold) > 0 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%v before the page told of %v", err, untold)
		}
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			delete(untold, strings.TrimSpace(kind))
		}
	}
	events.Body.Close()
	return shown.Bytes()
}
