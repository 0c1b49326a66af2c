package config

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

// serve answers each GetParameters call of a real client with a status and a
// body in the protocol of AWS, and notes the names that were asked for.
func serve(t *testing.T, answer func(names []string) (int, string)) (client *ssm.Client, asked func() [][]string) {
	var mu sync.Mutex
	var all [][]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Names          []string
			WithDecryption bool
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &in); err != nil || !in.WithDecryption || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameters" {
			t.Errorf("got the request %s %s, want GetParameters with decryption", r.Header.Get("X-Amz-Target"), body)
		}
		mu.Lock()
		all = append(all, in.Names)
		mu.Unlock()
		status, reply := answer(in.Names)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	client = ssm.New(ssm.Options{
		Region:       "eu-west-1",
		BaseEndpoint: aws.String(server.URL),
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	return client, func() [][]string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func TestRepliesAreMatchedByNameAndSelector(t *testing.T) {
	const arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/other"
	type refs struct {
		Plain string `env:"PLAIN"`
		V2    string `env:"V2"`
		V3    string `env:"V3"`
		Live  string `env:"LIVE"`
		ARN   string `env:"ARN"`
		ARN4  string `env:"ARN4"`
		DB    string `env:"DB"`
	}
	environ := []string{"PLAIN=ssm:/x", "V2=ssm:/x:2", "V3=ssm:/x:3", "LIVE=ssm:/x:live", "ARN=ssm:" + arn, "ARN4=ssm:" + arn + ":4",
		"DB=ssm:/aws/reference/secretsmanager/db:AWSCURRENT#password"}
	client, asked := serve(t, func([]string) (int, string) {
		return 200, `{"InvalidParameters":[],"Parameters":[
			{"Name":"/x","Selector":":live","Value":"x-live","Version":9,"ARN":"arn:aws:ssm:eu-west-1:1:parameter/x"},
			{"Name":"/x","Value":"x-newest","Version":10},
			{"Name":"/aws/reference/secretsmanager/db","Selector":":AWSCURRENT","Value":"{\"password\":\"pw\"}","Version":0,
				"SourceResult":"{\"SecretString\":\"{\\\"password\\\":\\\"pw\\\"}\"}"},
			{"Name":"/x","Selector":":3","Value":"x-3","Version":3},
			{"Name":"/other","ARN":"` + arn + `","Selector":":4","Value":"other-4","Version":4},
			{"Name":"/x","Selector":":2","Value":"x-2","Version":2},
			{"Name":"/other","ARN":"` + arn + `","Value":"other-newest","Version":5}]}`
	})
	got := mustGet(t, mustNew[refs](t, client, environ...))
	want := &Snapshot[refs]{
		Value:      refs{"x-newest", "x-2", "x-3", "x-live", "other-newest", "other-4", "pw"},
		Generation: 1,
		Versions:   map[string]int64{"/x": 10, "/x:2": 2, "/x:3": 3, "/x:live": 9, arn: 5, arn + ":4": 4, "/aws/reference/secretsmanager/db:AWSCURRENT": 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(asked()) != 1 {
		t.Errorf("asked %q, want one call", asked())
	}
}

func TestASelectorIsNeverMatchedByNameAlone(t *testing.T) {
	client, _ := serve(t, func([]string) (int, string) {
		return 200, `{"InvalidParameters":["/x:2"],"Parameters":[{"Name":"/x","Value":"newest","Version":3}]}`
	})
	_, err := Parameter(client, "/x:2").Get(t.Context())
	if got, want := problemsOf(t, err), "ssm:/x:2: parameter not found"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDeniedNamesAreFound(t *testing.T) {
	denied := []string{"/secret"}
	client, asked := serve(t, func(names []string) (int, string) {
		if slices.ContainsFunc(names, func(n string) bool { return slices.Contains(denied, n) }) {
			return 400, `{"__type":"AccessDeniedException","message":"not authorized to perform: ssm:GetParameters"}`
		}
		var out struct{ Parameters []map[string]string }
		for _, n := range names {
			out.Parameters = append(out.Parameters, map[string]string{"Name": n, "Value": "v"})
		}
		body, _ := json.Marshal(out)
		return 200, string(body)
	})
	l := mustNew[settings](t, client, "TOKEN=ssm:/token", "SECRET=ssm:/secret", "IGNORE=ssm:/secret")
	_, err := l.Get(t.Context())
	if got, want := problemsOf(t, err), "SECRET (ssm:/secret): access denied\nIGNORE (ssm:/secret): access denied"; got != want {
		t.Errorf("problems:\n%s\nwant:\n%s", got, want)
	}
	if got, want := asked(), [][]string{{"/secret", "/token"}, {"/secret"}, {"/token"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
	if s := l.Status(); s.Reads != 1 || s.Calls != 3 {
		t.Errorf("Status = %+v, want one read of three calls", s)
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" {
		t.Errorf("errors.As finds %v, want the error of AWS", api)
	}
	denied = nil
	mustGet(t, l)
}

func TestReasons(t *testing.T) {
	for _, test := range []struct {
		status       int
		body, reason string
	}{
		{400, `{"__type":"AccessDeniedException"}`, "access denied"},
		{400, `{"__type":"InvalidKeyId","message":"key is disabled"}`, "key is disabled or cannot be used"},
		{400, `{"__type":"com.amazonaws.ssm#ParameterVersionNotFound"}`, "parameter not found"},
		{400, `{"__type":"ValidationException"}`, "refused as not valid"},
		{200, `{"InvalidParameters":["/x"],"Parameters":[]}`, "parameter not found"},
		{400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, "throttled"},
		{500, `{"__type":"InternalServerError"}`, "the call failed (InternalServerError)"},
		{200, `{"InvalidParameters":[],"Parameters":[{"Na`, "the answer is broken"},
		{400, `{"__type":"ExpiredTokenException"}`, "the call failed (ExpiredTokenException)"},
	} {
		client, _ := serve(t, func([]string) (int, string) { return test.status, test.body })
		_, err := Parameter(client, "/x").Get(t.Context())
		if got, want := problemsOf(t, err), "ssm:/x: "+test.reason; got != want {
			t.Errorf("%d %s: got %q, want %q", test.status, test.body, got, want)
		}
	}

	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, _ := serve(t, nil)
	gone := ssm.New(client.Options(), func(o *ssm.Options) { o.BaseEndpoint = &server.URL })
	_, err := Parameter(gone, "/x").Get(t.Context())
	if got, want := problemsOf(t, err), "ssm:/x: no answer: no connection or no credentials"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
