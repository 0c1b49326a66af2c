package parameterstore_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/paramstore"
)

// command runs the aws command against url, with nothing of this machine's own
// credentials and settings, and returns what it prints, or what it prints of
// its error.
func command(t *testing.T, url string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join("..", "moto", ".venv", "bin", "aws"), append(args, "--region", "eu-west-1", "--output", "text")...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"AWS_ENDPOINT_URL_SSM=" + url,
		"AWS_ACCESS_KEY_ID=operator", "AWS_SECRET_ACCESS_KEY=dummy",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatalf("%v; from the repository's root:\npython3 -m venv integration/moto/.venv && "+
			"integration/moto/.venv/bin/pip install --require-hashes -r integration/moto/requirements.txt", err)
	}
	return strings.TrimSpace(string(out))
}

// TestAWSCommand does with the real command what docs and people do with it.
func TestAWSCommand(t *testing.T) {
	t.Parallel()
	store := paramstore.New()
	server := httptest.NewServer(store)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "pair.json")
	if err := os.WriteFile(file, []byte(`{"token":"t","secret":"s"}`), 0o600); err != nil {
		t.Fatal(err)
	}

	const name = "/superbots/dev/superman/twitter"
	put := []string{"ssm", "put-parameter", "--name", name, "--value", "file://" + file}
	for _, step := range []struct {
		args []string
		want string // a part of what it prints
	}{
		{append(put, "--type", "SecureString"), "Standard\t1"},
		{append(put, "--overwrite"), "Standard\t2"},
		{[]string{"ssm", "label-parameter-version", "--name", name, "--parameter-version", "1", "--labels", "live"}, "1"},
		{[]string{"ssm", "get-parameters", "--names", name + ":live", "/none", "--with-decryption",
			"--query", "[Parameters[0].[Name,Selector,Value,Version],InvalidParameters]"},
			name + "\t:live\t" + `{"token":"t","secret":"s"}` + "\t1\n/none"},
		{[]string{"ssm", "get-parameter-history", "--name", name, "--query", "Parameters[].[Version,LastModifiedUser,Labels[0]]"},
			"1\tarn:aws:iam::123456789012:user/operator\tlive\n2\tarn:aws:iam::123456789012:user/operator\tNone"},
		{[]string{"ssm", "describe-parameters", "--parameter-filters", "Key=Path,Option=Recursive,Values=/superbots/dev", "--query", "Parameters[].[Name,Type]"},
			name + "\tSecureString"},
		{[]string{"ssm", "delete-parameter", "--name", name}, ""},
		{[]string{"ssm", "get-parameter", "--name", name}, "ParameterNotFound"},
	} {
		if got := command(t, server.URL, step.args...); !strings.Contains(got, step.want) || step.want == "" && got != "" {
			t.Errorf("aws %q printed (-want +got):\n%s", step.args, cmp.Diff(step.want, got))
		}
	}
}
