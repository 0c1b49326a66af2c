package paramstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"example.com/superbots/integration/local/paramstore"
)

const pair = "/superbots/dev/superman/twitter"

func serve(t *testing.T) (*paramstore.Store, *httptest.Server) {
	t.Helper()
	store := paramstore.New()
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	return store, server
}

// client is what a function has, but for the SDK's retries.
func client(server *httptest.Server, accessKeyID string) *ssm.Client {
	return ssm.New(ssm.Options{
		BaseEndpoint: aws.String(server.URL),
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider(accessKeyID, "dummy", ""),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   server.Client(),
	})
}

func open(t *testing.T) (*paramstore.Store, *ssm.Client) {
	t.Helper()
	store, server := serve(t)
	return store, client(server, "superman")
}

func getMany(t *testing.T, c *ssm.Client, decrypt bool, names ...string) *ssm.GetParametersOutput {
	t.Helper()
	out, err := c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: names, WithDecryption: &decrypt})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// values lists NAME[:SELECTOR]=VALUE@VERSION in the order of the reply.
func values(out *ssm.GetParametersOutput) []string {
	var list []string
	for _, p := range out.Parameters {
		list = append(list, fmt.Sprintf("%s%s=%s@%d", aws.ToString(p.Name), aws.ToString(p.Selector), aws.ToString(p.Value), p.Version))
	}
	return list
}

func checkList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// checkCode wants an AWS error with a code, and a message that has some words.
func checkCode(t *testing.T, err error, code, words string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), words) {
		t.Errorf("got %v, want %s with %q", err, code, words)
	}
}

func put(t *testing.T, c *ssm.Client, name string, typ types.ParameterType, value string) (int64, error) {
	t.Helper()
	out, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Type: typ, Value: &value, Overwrite: aws.Bool(true)})
	if err != nil {
		return 0, err
	}
	return out.Version, nil
}

func TestGetParameters(t *testing.T) {
	store, c := open(t)
	store.Put(pair, "SecureString", "old")
	store.Put(pair, "SecureString", "new")
	store.Put("/superbots/dev/shared/ignore", "StringList", "7,8")
	store.Put("plain", "String", "v")
	if _, err := c.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{
		Name: aws.String(pair), ParameterVersion: aws.Int64(1), Labels: []string{"stable"}}); err != nil {
		t.Fatal(err)
	}

	t.Run("selectors and order", func(t *testing.T) {
		out := getMany(t, c, true, pair+":stable", "plain", pair+":2", "/superbots/dev/shared/ignore", pair, pair+":1")
		checkList(t, "parameters", values(out),
			"/superbots/dev/shared/ignore=7,8@1", pair+"=new@2", pair+":1=old@1", pair+":2=new@2", pair+":stable=old@1", "plain=v@1")
		checkList(t, "invalid", out.InvalidParameters)
		p := out.Parameters[1]
		if got, want := aws.ToString(p.ARN), "arn:aws:ssm:eu-west-1:123456789012:parameter"+pair; got != want {
			t.Errorf("ARN %q, want %q", got, want)
		}
		if p.Type != types.ParameterTypeSecureString || aws.ToString(p.DataType) != "text" || p.LastModifiedDate.IsZero() {
			t.Errorf("type %q, data type %q, modified %v", p.Type, aws.ToString(p.DataType), p.LastModifiedDate)
		}
	})

	t.Run("what is not there", func(t *testing.T) {
		out := getMany(t, c, true, "/none", pair+":3", "plain", pair+":canary", "arn:aws:ssm:eu-west-1:999999999999:parameter/plain")
		checkList(t, "parameters", values(out), "plain=v@1")
		checkList(t, "invalid", out.InvalidParameters, "/none", pair+":3", pair+":canary", "arn:aws:ssm:eu-west-1:999999999999:parameter/plain")
	})

	t.Run("names asked for twice", func(t *testing.T) {
		out := getMany(t, c, true, "plain", "/none", "plain", "/none")
		checkList(t, "parameters", values(out), "plain=v@1")
		checkList(t, "invalid", out.InvalidParameters, "/none")
	})

	t.Run("ARNs", func(t *testing.T) {
		const arn = "arn:aws:ssm:eu-west-1:123456789012:parameter"
		checkList(t, "parameters", values(getMany(t, c, true, arn+pair+":1", arn+"/plain")), pair+":1=old@1", "plain=v@1")
	})

	t.Run("without decryption", func(t *testing.T) {
		out := getMany(t, c, false, pair, "plain")
		first, second := aws.ToString(out.Parameters[0].Value), aws.ToString(out.Parameters[1].Value)
		if strings.Contains(first, "new") || len(first) < 100 {
			t.Errorf("a SecureString came as %q", first)
		}
		if second != "v" {
			t.Errorf("a String came as %q", second)
		}
		if again := aws.ToString(getMany(t, c, false, pair).Parameters[0].Value); again != first {
			t.Errorf("the ciphertext changed")
		}
	})

	t.Run("refused batches", func(t *testing.T) {
		for _, names := range [][]string{{}, strings.Split("a b c d e f g h i j k", " "), {"with space"}, {"plain:"}, {"plain:1:2"}, {"plain", "ä"}} {
			_, err := c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: names})
			checkCode(t, err, "ValidationException", "")
		}
	})
}

func TestGetParameter(t *testing.T) {
	store, c := open(t)
	store.Put(pair, "SecureString", "old")
	get := func(name string) (*ssm.GetParameterOutput, error) {
		return c.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	}
	out, err := get(pair + ":1")
	if err != nil {
		t.Fatal(err)
	}
	if p := out.Parameter; aws.ToString(p.Name) != pair || aws.ToString(p.Selector) != ":1" || aws.ToString(p.Value) != "old" {
		t.Errorf("got %q %q", aws.ToString(p.Name), aws.ToString(p.Selector))
	}
	_, err = get("/none")
	var notFound *types.ParameterNotFound
	if !errors.As(err, &notFound) {
		t.Errorf("a missing name: %v", err)
	}
	for _, selector := range []string{":2", ":stable"} {
		_, err = get(pair + selector)
		var noVersion *types.ParameterVersionNotFound
		if !errors.As(err, &noVersion) {
			t.Errorf("a missing version: %v", err)
		}
	}
}

func TestPutParameter(t *testing.T) {
	_, c := open(t)
	for want := int64(1); want <= 2; want++ {
		if got, err := put(t, c, pair, types.ParameterTypeSecureString, "v"); err != nil || got != want {
			t.Errorf("version %d, want %d (%v)", got, want, err)
		}
	}
	if got, err := put(t, c, pair, "", "v"); err != nil || got != 3 {
		t.Errorf("without a type: version %d, want 3 (%v)", got, err)
	}
	_, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String(pair), Type: types.ParameterTypeSecureString, Value: aws.String("v")})
	checkCode(t, err, "ParameterAlreadyExists", "")

	deep := strings.Repeat("/x", 16)
	for _, tt := range []struct {
		name, typ, value string
		code, words      string
	}{
		{"/a", "String", strings.Repeat("x", 4097), "ValidationException", "4096"},
		{"/a", "String", "", "ValidationException", "'value'"},
		{"/a", "Text", "v", "ValidationException", "'type'"},
		{"/a", "", "v", "ValidationException", "type is required"},
		{pair, "String", "v", "HierarchyTypeMismatchException", pair},
		{"/aws/a", "String", "v", "AccessDeniedException", "reserved"},
		{"SSMa", "String", "v", "ValidationException", "prefixed"},
		{"/a b", "String", "v", "ValidationException", "prefixed"},
		{"/a:b", "String", "v", "ValidationException", "prefixed"},
		{"/a//b", "String", "v", "ValidationException", "prefixed"},
		{"/a/", "String", "v", "ValidationException", "prefixed"},
		{"a/b", "String", "v", "ValidationException", "fully qualified"},
		{"/" + strings.Repeat("n", 1011), "String", "v", "ValidationException", "1011"},
		{deep, "String", "v", "HierarchyLevelLimitExceededException", "15"},
	} {
		_, err := put(t, c, tt.name, types.ParameterType(tt.typ), tt.value)
		checkCode(t, err, tt.code, tt.words)
	}
	for _, name := range []string{deep[2:], "/a.b-c_D", "a", "/my/aws/ssm"} {
		if _, err := put(t, c, name, types.ParameterTypeString, strings.Repeat("x", 4096)); err != nil {
			t.Errorf("put %q: %v", name, err)
		}
	}
}

func TestPutPanicsWhereTheServiceRefuses(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "/aws/x") || strings.Contains(got, "s3cr3t") {
			t.Errorf("panic %q, want the name without the value", got)
		}
	}()
	paramstore.New().Put("/aws/x", "String", "s3cr3t")
}

func TestHundredVersionsAreKept(t *testing.T) {
	store, c := open(t)
	for i := range 101 {
		store.Put("/a", "String", fmt.Sprint("value ", i+1))
	}
	out := getMany(t, c, true, "/a:1", "/a:2", "/a")
	checkList(t, "parameters", values(out), "/a=value 101@101", "/a:2=value 2@2")
	checkList(t, "invalid", out.InvalidParameters, "/a:1")

	if _, err := c.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{
		Name: aws.String("/a"), ParameterVersion: aws.Int64(2), Labels: []string{"stable"}}); err != nil {
		t.Fatal(err)
	}
	_, err := put(t, c, "/a", types.ParameterTypeString, "v")
	checkCode(t, err, "ParameterMaxVersionLimitExceeded", "Version 2")
}

func TestLabels(t *testing.T) {
	store, c := open(t)
	store.Put("/a", "String", "one")
	store.Put("/a", "String", "two")
	label := func(version int64, labels ...string) (*ssm.LabelParameterVersionOutput, error) {
		in := &ssm.LabelParameterVersionInput{Name: aws.String("/a"), Labels: labels}
		if version != 0 {
			in.ParameterVersion = &version
		}
		return c.LabelParameterVersion(t.Context(), in)
	}

	out, err := label(1, "stable", "1st", "AWSlabel", "ssm", "a b", "stable")
	if err != nil {
		t.Fatal(err)
	}
	checkList(t, "invalid labels", out.InvalidLabels, "1st", "AWSlabel", "ssm", "a b")
	checkList(t, "labelled", values(getMany(t, c, true, "/a:stable")), "/a:stable=one@1")

	if out, err = label(0, "stable"); err != nil || out.ParameterVersion != 2 {
		t.Fatalf("label the latest: version %d, %v", out.ParameterVersion, err)
	}
	checkList(t, "moved", values(getMany(t, c, true, "/a:stable")), "/a:stable=two@2")

	if _, err = label(2, "b", "c", "d", "e", "f", "g", "h", "i", "j", "stable"); err != nil {
		t.Errorf("ten labels: %v", err)
	}
	_, err = label(2, "k")
	checkCode(t, err, "ParameterVersionLabelLimitExceeded", "10")
	_, err = label(1, strings.Repeat("x", 101))
	checkCode(t, err, "ValidationException", "100")
	_, err = label(3, "k")
	checkCode(t, err, "ParameterVersionNotFound", "3")
}

func TestHistory(t *testing.T) {
	store, c := open(t)
	store.Put(pair, "SecureString", "first")
	if _, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String(pair), Value: aws.String("second"),
		Overwrite: aws.Bool(true), KeyId: aws.String("alias/superbots")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{Name: aws.String(pair), Labels: []string{"stable"}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	pages := ssm.NewGetParameterHistoryPaginator(c, &ssm.GetParameterHistoryInput{Name: aws.String(pair), WithDecryption: aws.Bool(true), MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Parameters {
			got = append(got, fmt.Sprint(p.Version, aws.ToString(p.Value), p.Labels, aws.ToString(p.KeyId), aws.ToString(p.LastModifiedUser)))
		}
	}
	checkList(t, "history", got,
		"1first[]alias/aws/ssmarn:aws:iam::123456789012:root",
		"2second[stable]alias/superbotsarn:aws:iam::123456789012:user/superman")

	out, err := c.GetParameterHistory(t.Context(), &ssm.GetParameterHistoryInput{Name: aws.String(pair)})
	if err != nil {
		t.Fatal(err)
	}
	if v := aws.ToString(out.Parameters[0].Value); strings.Contains(v, "first") {
		t.Errorf("the history without decryption has %q", v)
	}
}

func TestDescribe(t *testing.T) {
	store, c := open(t)
	for i := range 60 {
		store.Put(fmt.Sprintf("/many/%02d", i), "String", "v")
	}
	store.Put(pair, "SecureString", "v")
	store.Put(pair, "SecureString", "w")
	store.Put("/superbots/dev/flag", "String", "v")
	list := func(filters ...types.ParameterStringFilter) []string {
		t.Helper()
		names := []string{}
		pages := ssm.NewDescribeParametersPaginator(c, &ssm.DescribeParametersInput{ParameterFilters: filters})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Parameters) > 50 {
				t.Errorf("a page of %d", len(page.Parameters))
			}
			for _, p := range page.Parameters {
				names = append(names, aws.ToString(p.Name))
			}
		}
		return names
	}
	filter := func(key, option string, values ...string) types.ParameterStringFilter {
		f := types.ParameterStringFilter{Key: &key, Values: values}
		if option != "" {
			f.Option = &option
		}
		return f
	}

	if got := list(); len(got) != 62 {
		t.Errorf("%d parameters in all pages, want 62", len(got))
	}
	checkList(t, "one level", list(filter("Path", "", "/superbots/dev")), "/superbots/dev/flag")
	checkList(t, "recursive", list(filter("Path", "Recursive", "/superbots")), "/superbots/dev/flag", pair)
	checkList(t, "begins", list(filter("Name", "BeginsWith", "/superbots/dev/s")), pair)
	checkList(t, "equals, or", list(filter("Name", "", "/many/07", "/many/08", "/many")), "/many/07", "/many/08")
	checkList(t, "both", list(filter("Path", "Recursive", "/superbots"), filter("Type", "", "String")), "/superbots/dev/flag")

	out, err := c.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{filter("Name", "", pair)}})
	if err != nil {
		t.Fatal(err)
	}
	p := out.Parameters[0]
	if p.Version != 2 || p.Type != types.ParameterTypeSecureString || aws.ToString(p.KeyId) != "alias/aws/ssm" || p.LastModifiedDate == nil || aws.ToString(p.LastModifiedUser) == "" {
		t.Errorf("version %d, type %s, key %q, modified %v by %q", p.Version, p.Type, aws.ToString(p.KeyId), p.LastModifiedDate, aws.ToString(p.LastModifiedUser))
	}
	_, err = c.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{filter("Colour", "", "red")}})
	checkCode(t, err, "ValidationException", "Colour")
	_, err = c.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{filter("Type", "Contains", "String")}})
	checkCode(t, err, "InvalidFilterOption", "Contains")
	_, err = c.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{NextToken: aws.String("far")})
	checkCode(t, err, "InvalidNextToken", "not valid")
}

func TestDelete(t *testing.T) {
	store, c := open(t)
	for _, name := range []string{"/a", "/b", "/c"} {
		store.Put(name, "String", "v")
	}
	if _, err := c.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/a")}); err != nil {
		t.Fatal(err)
	}
	_, err := c.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/a")})
	checkCode(t, err, "ParameterNotFound", "/a")
	out, err := c.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: []string{"/a", "/b"}})
	if err != nil {
		t.Fatal(err)
	}
	checkList(t, "deleted", out.DeletedParameters, "/b")
	checkList(t, "invalid", out.InvalidParameters, "/a")
	checkList(t, "left", values(getMany(t, c, true, "/a", "/b", "/c")), "/c=v@1")
	if n := store.Put("/a", "String", "v"); n != 1 {
		t.Errorf("a parameter made anew has version %d, want 1", n)
	}
}

func TestSecretsManagerReference(t *testing.T) {
	const name = "/aws/reference/secretsmanager/superbots/twitter"
	store, c := open(t)
	old := store.SetSecret("superbots/twitter", "old")
	store.SetSecret("superbots/twitter", "new")

	out := getMany(t, c, true, name, name+":AWSPREVIOUS", name+":"+old, name+":OTHER", "/aws/reference/secretsmanager/none")
	got := values(out)
	slices.Sort(got) // the id may come before or after the word
	want := []string{name + "=new@0", name + ":" + old + "=old@0", name + ":AWSPREVIOUS=old@0"}
	slices.Sort(want)
	checkList(t, "parameters", got, want...)
	checkList(t, "invalid", out.InvalidParameters, name+":OTHER", "/aws/reference/secretsmanager/none")
	p := out.Parameters[0]
	if p.Type != types.ParameterTypeSecureString || !strings.Contains(aws.ToString(p.SourceResult), `"secretString":"new"`) {
		t.Errorf("type %s, source result %q", p.Type, aws.ToString(p.SourceResult))
	}

	_, err := c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{name}})
	checkCode(t, err, "ValidationException", "WithDecryption")
}

func TestOneDeniedNameFailsTheBatch(t *testing.T) {
	store, server := serve(t)
	store.Put(pair, "SecureString", "v")
	store.Put("/superbots/dev/batman/twitter", "SecureString", "v")
	store.Deny("superman", "/superbots/dev/batman/")
	names := []string{pair, "/superbots/dev/batman/twitter", "/superbots/dev/batman/none"}

	superman := client(server, "superman")
	_, err := superman.GetParameters(t.Context(), &ssm.GetParametersInput{Names: names})
	checkCode(t, err, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/superman is not authorized to perform: ssm:GetParameters "+
		"on resource: arn:aws:ssm:eu-west-1:123456789012:parameter/superbots/dev/batman/twitter")
	_, err = superman.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &names[1], Value: aws.String("w"), Overwrite: aws.Bool(true)})
	checkCode(t, err, "AccessDeniedException", "ssm:PutParameter")
	_, err = superman.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"arn:aws:ssm:eu-west-1:123456789012:parameter/superbots/dev/batman/twitter:1"}})
	checkCode(t, err, "AccessDeniedException", "")

	checkList(t, "own name", values(getMany(t, superman, true, pair))[:1], pair+"=v@1")
	if out := getMany(t, client(server, "batman"), true, names...); len(out.Parameters) != 2 {
		t.Errorf("batman got %q", values(out))
	}
}

func TestUnsignedRequestIsRefused(t *testing.T) {
	store, server := serve(t)
	store.Put("/a", "String", "v")
	for auth, want := range map[string]string{"": "MissingAuthenticationTokenException", "Bearer x": "IncompleteSignatureException"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(`{"Names":["/a"]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "AmazonSSM.GetParameters")
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body struct {
			Type string `json:"__type"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 400 || body.Type != want || resp.Header.Get("X-Amzn-ErrorType") != want {
			t.Errorf("%d %q %q, want 400 %s", resp.StatusCode, body.Type, resp.Header.Get("X-Amzn-ErrorType"), want)
		}
	}
	if n := store.Calls()["GetParameters"]; n != 0 {
		t.Errorf("%d calls counted, want 0", n)
	}
}

func TestUnknownOperation(t *testing.T) {
	_, c := open(t)
	_, err := c.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/")})
	checkCode(t, err, "UnknownOperationException", "GetParametersByPath")
}

func TestCallsAndReads(t *testing.T) {
	store, c := open(t)
	store.Put("/a", "String", "v")
	getMany(t, c, true, "/a:1", "/b")
	store.Fail(paramstore.Fault{Op: "GetParameters", Case: paramstore.Throttle, Times: 1})
	c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a"}})
	c.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a")})

	if got := store.Calls(); got["GetParameters"] != 2 || got["GetParameter"] != 1 || len(got) != 2 {
		t.Errorf("calls %v", got)
	}
	reads := store.Reads()
	if len(reads) != 2 {
		t.Fatalf("reads %+v", reads)
	}
	checkList(t, "names", reads[0].Names, "/a:1", "/b")
	if r := reads[0]; r.AccessKeyID != "superman" || r.Error != "" || r.Time.IsZero() {
		t.Errorf("first read %+v", r)
	}
	if r := reads[1]; r.Error != "ThrottlingException" {
		t.Errorf("second read %+v", r)
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		fault paramstore.Case
		check func(*testing.T, error)
	}{
		{paramstore.Throttle, func(t *testing.T, err error) { checkCode(t, err, "ThrottlingException", "Rate exceeded") }},
		{paramstore.Denied, func(t *testing.T, err error) { checkCode(t, err, "AccessDeniedException", "not authorized") }},
		{paramstore.KMSDisabled, func(t *testing.T, err error) { checkCode(t, err, "InvalidKeyId", "DisabledException") }},
		{paramstore.Unavailable, func(t *testing.T, err error) {
			checkCode(t, err, "InternalServerError", "server side")
			var status interface{ HTTPStatusCode() int }
			if !errors.As(err, &status) || status.HTTPStatusCode() != 500 {
				t.Errorf("got %v, want status 500", err)
			}
		}},
		{paramstore.Reset, func(t *testing.T, err error) {
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a reset connection", err)
			}
		}},
		{paramstore.Truncated, func(t *testing.T, err error) {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v, want an unexpected end", err)
			}
		}},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			store, c := open(t)
			store.Put(pair, "SecureString", "s3cr3t")
			store.Fail(paramstore.Fault{Op: "GetParameters", Case: tt.fault, Times: 2})
			for range 2 {
				_, err := c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{pair}, WithDecryption: aws.Bool(true)})
				tt.check(t, err)
				if strings.Contains(fmt.Sprint(err), "s3cr3t") {
					t.Errorf("the error has the value: %v", err)
				}
			}
			checkList(t, "afterwards", values(getMany(t, c, true, pair)), pair+"=s3cr3t@1")
		})
	}
}

func TestTimeoutLastsUntilTheCallerGivesUp(t *testing.T) {
	store, c := open(t)
	store.Put("/a", "String", "v")
	store.Fail(paramstore.Fault{Op: "GetParameters", Case: paramstore.Timeout, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := c.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{"/a"}})
		done <- err
	}()
	for len(store.Reads()) == 0 {
		select {
		case err := <-done:
			t.Fatalf("the call ended with %v", err)
		default:
			runtime.Gosched()
		}
	}
	// The store is not held up by it.
	checkList(t, "meanwhile", values(getMany(t, c, true, "/a")), "/a=v@1")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRefusedPutHasNoEffectAndALostAnswerHas(t *testing.T) {
	store, c := open(t)
	for fault, want := range map[paramstore.Case]int64{paramstore.Throttle: 1, paramstore.Reset: 2} {
		name := "/" + string(fault)
		store.Fail(paramstore.Fault{Op: "PutParameter", Case: fault, Times: 1})
		if _, err := put(t, c, name, types.ParameterTypeString, "v"); err == nil {
			t.Errorf("%s: no error", fault)
		}
		if got, err := put(t, c, name, types.ParameterTypeString, "v"); err != nil || got != want {
			t.Errorf("after %s: version %d, want %d (%v)", fault, got, want, err)
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	store, server := serve(t)
	store.Put("/a", "String", "v")
	send := func(method, contentType, body string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/local/faults", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	read := func() error {
		_, err := client(server, "superman").GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a"}})
		return err
	}

	if got := send("POST", "application/json", `{"op":"GetParameters","case":"throttle"}`); got != 204 {
		t.Fatalf("POST answered %d", got)
	}
	for range 3 {
		checkCode(t, read(), "ThrottlingException", "")
	}
	if got := send("DELETE", "", ""); got != 204 {
		t.Fatalf("DELETE answered %d", got)
	}
	for want, request := range map[int][]string{
		415: {"POST", "text/plain", `{"op":"GetParameters","case":"throttle"}`},
		405: {"GET", "", ""},
	} {
		if got := send(request[0], request[1], request[2]); got != want {
			t.Errorf("%q answered %d, want %d", request, got, want)
		}
	}
	for _, body := range []string{`{"op":"Get","case":"throttle"}`, `{"op":"GetParameters","case":"fire"}`, `{"op":"GetParameters","case":"reset","times":-1}`, `[`} {
		if got := send("POST", "application/json", body); got != 400 {
			t.Errorf("%s answered %d, want 400", body, got)
		}
	}
	if err := read(); err != nil {
		t.Errorf("after refused faults: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	store, c := open(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				store.Put("/a", "SecureString", "v")
				if _, err := c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a"}}); err != nil {
					t.Error(err)
				}
				store.Calls()
				store.Reads()
			}
		})
	}
	wg.Wait()
	if n := store.Put("/a", "SecureString", "v"); n != 161 {
		t.Errorf("version %d, want 161", n)
	}
}
