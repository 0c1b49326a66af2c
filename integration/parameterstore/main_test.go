// Package parameterstore_test holds the stand-ins for Parameter Store, moto and
// the local one, against one contract, and pkg/config against both, through the
// client of the AWS SDK.
//
// The one idea: what a case does is written down as a text, a line for each
// answer, and the text is compared. Where moto is known to answer otherwise than
// AWS, the case has that answer too, with the reason, and fails on the day that
// moto changes.
package parameterstore_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"example.com/superbots/integration/local/paramstore"
	"example.com/superbots/integration/moto"
)

// A backend is a running stand-in.
type backend struct {
	name   string
	url    string
	secret func(t *testing.T, id, value string) // a new version of a Secrets Manager secret
}

// each runs test against both stand-ins.
func each(t *testing.T, test func(t *testing.T, b backend)) {
	t.Run("moto", func(t *testing.T) {
		t.Parallel()
		url := moto.Start(t).URL
		test(t, backend{"moto", url, func(t *testing.T, id, value string) { putMotoSecret(t, url, id, value) }})
	})
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		store := paramstore.New()
		server := httptest.NewServer(store)
		t.Cleanup(server.Close)
		test(t, backend{"local", server.URL, func(t *testing.T, id, value string) { store.SetSecret(id, value) }})
	})
}

// putMotoSecret speaks to Secrets Manager by hand, in the protocol that
// Parameter Store has too. moto finds the service by the credential's scope and
// checks no signature.
func putMotoSecret(t *testing.T, url, id, value string) {
	t.Helper()
	call := func(operation, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "secretsmanager."+operation)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if call("PutSecretValue", fmt.Sprintf(`{"SecretId":%q,"SecretString":%q}`, id, value)) == http.StatusOK {
		return
	}
	if status := call("CreateSecret", fmt.Sprintf(`{"Name":%q,"SecretString":%q}`, id, value)); status != http.StatusOK {
		t.Fatalf("moto: CreateSecret %q: status %d", id, status)
	}
}

// client returns a client of the backend that tries each call once. It keeps no
// connection, so that it may be made and used in a bubble of package synctest.
func (b backend) client() *ssm.Client {
	return ssm.New(ssm.Options{
		Region:       "us-east-1",
		BaseEndpoint: &b.url,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:   &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Retryer:      aws.NopRetryer{},
	})
}

// A script calls a backend and writes down the answers. Names are relative to
// a path that no other script uses, and that no line shows.
type script struct {
	*testing.T
	backend
	*ssm.Client
	path  string
	lines []string
}

func newScript(t *testing.T, b backend) *script {
	return &script{T: t, backend: b, Client: b.client(), path: "/t" + rand.Text() + "/"}
}

// full makes the names absolute, but for those that are so already.
func (s *script) full(names ...string) []string {
	all := append([]string{}, names...)
	for i, name := range all {
		if !strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "arn:") {
			all[i] = s.path + name
		}
	}
	return all
}

func (s *script) say(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), s.path, "")
	s.lines = append(s.lines, strings.ReplaceAll(line, strings.Trim(s.path, "/"), "…"))
}

// fails says the code of an error, and reports whether there was one.
func (s *script) fails(err error) bool {
	s.Helper()
	var api smithy.APIError
	switch {
	case err == nil:
		return false
	case !errors.As(err, &api):
		s.Fatal(err)
	}
	s.say("%s", api.ErrorCode())
	return true
}

// put writes a parameter, which may exist, and says its version.
func (s *script) put(name string, typ types.ParameterType, value string) {
	s.Helper()
	s.write(&ssm.PutParameterInput{Name: &name, Type: typ, Value: &value, Overwrite: aws.Bool(true)})
}

func (s *script) write(in *ssm.PutParameterInput) {
	s.Helper()
	in.Name = &s.full(*in.Name)[0]
	out, err := s.PutParameter(s.Context(), in)
	if !s.fails(err) {
		s.say("version %d", out.Version)
	}
}

func show(p types.Parameter) string {
	return fmt.Sprintf("%s%s=%s@%d", aws.ToString(p.Name), aws.ToString(p.Selector), aws.ToString(p.Value), p.Version)
}

// get reads names with GetParameters, decrypted, and says what came, sorted.
func (s *script) get(names ...string) {
	s.Helper()
	out, err := s.GetParameters(s.Context(), &ssm.GetParametersInput{Names: s.full(names...), WithDecryption: aws.Bool(true)})
	if s.fails(err) {
		return
	}
	var found []string
	for _, p := range out.Parameters {
		found = append(found, show(p))
	}
	slices.Sort(found)
	slices.Sort(out.InvalidParameters)
	s.say("found %s invalid %s", found, out.InvalidParameters)
}

// one reads a name with GetParameter, decrypted.
func (s *script) one(name string) {
	s.Helper()
	out, err := s.GetParameter(s.Context(), &ssm.GetParameterInput{Name: &s.full(name)[0], WithDecryption: aws.Bool(true)})
	if !s.fails(err) {
		s.say("%s", show(*out.Parameter))
	}
}

// label labels a version; 0 means the latest.
func (s *script) label(name string, version int64, labels ...string) {
	s.Helper()
	in := &ssm.LabelParameterVersionInput{Name: &s.full(name)[0], Labels: labels}
	if version > 0 {
		in.ParameterVersion = &version
	}
	out, err := s.LabelParameterVersion(s.Context(), in)
	if !s.fails(err) {
		s.say("labelled %d, invalid %q", out.ParameterVersion, out.InvalidLabels)
	}
}

// history says all versions, a line for each page.
func (s *script) history(name string, decrypt bool, pageSize int32) {
	s.Helper()
	pages := ssm.NewGetParameterHistoryPaginator(s, &ssm.GetParameterHistoryInput{
		Name: &s.full(name)[0], WithDecryption: &decrypt, MaxResults: &pageSize,
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(s.Context())
		if s.fails(err) {
			return
		}
		var page []string
		for _, p := range out.Parameters {
			page = append(page, fmt.Sprintf("%d=%s%s", p.Version, aws.ToString(p.Value), p.Labels))
		}
		s.say("%s", page)
	}
}

// describe says what the filters leave of this script's parameters, sorted, a
// line for each page. A filter by path takes the place of that by the script's
// own: there may be only one.
func (s *script) describe(pageSize int32, filters ...types.ParameterStringFilter) {
	s.Helper()
	if !slices.ContainsFunc(filters, func(f types.ParameterStringFilter) bool { return *f.Key == "Path" }) {
		filters = append(filters, filter("Path", "Recursive", strings.TrimSuffix(s.path, "/")))
	}
	pages := ssm.NewDescribeParametersPaginator(s, &ssm.DescribeParametersInput{ParameterFilters: filters, MaxResults: &pageSize})
	for pages.HasMorePages() {
		out, err := pages.NextPage(s.Context())
		if s.fails(err) {
			return
		}
		var names []string
		for _, p := range out.Parameters {
			names = append(names, fmt.Sprintf("%s:%s@%d", aws.ToString(p.Name), p.Type, p.Version))
		}
		slices.Sort(names)
		s.say("%s", names)
	}
}

func filter(key, option string, values ...string) types.ParameterStringFilter {
	return types.ParameterStringFilter{Key: &key, Option: &option, Values: values}
}

func (s *script) delete(names ...string) {
	s.Helper()
	out, err := s.DeleteParameters(s.Context(), &ssm.DeleteParametersInput{Names: s.full(names...)})
	if !s.fails(err) {
		s.say("deleted %s invalid %s", out.DeletedParameters, out.InvalidParameters)
	}
}
