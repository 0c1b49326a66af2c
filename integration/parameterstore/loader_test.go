package parameterstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/faultproxy"
	"example.com/superbots/pkg/config"
)

// settings are what the tests load.
type settings struct {
	Token  config.Secret `env:"TOKEN,required"`
	Secret config.Secret `env:"SECRET,required"`
	Limit  int           `env:"LIMIT" envDefault:"3"`
	Ignore []string      `env:"IGNORE"`
}

// environ refers to the parameters that seed makes.
func (s *script) environ(more ...string) []string {
	return append([]string{
		"TOKEN=ssm:" + s.path + "twitter#token",
		"SECRET=ssm:" + s.path + "twitter#secret",
		"IGNORE=ssm:" + s.path + "ignore",
	}, more...)
}

func (s *script) seed() {
	s.rotate("first")
	s.put("ignore", plain, "1,2,3")
}

// rotate writes the pair anew.
func (s *script) rotate(value string) {
	s.put("twitter", secure, fmt.Sprintf(`{"token":"%[1]s token","secret":"%[1]s secret"}`, value))
}

func reveal(v settings) string {
	return fmt.Sprintf("%s, %s, %d, %s", v.Token.Reveal(), v.Secret.Reveal(), v.Limit, v.Ignore)
}

func load[T any](t *testing.T, client *ssm.Client, environ ...string) *config.Loader[T] {
	t.Helper()
	l, err := config.New[T](environ, client)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func get[T any](t *testing.T, l *config.Loader[T]) *config.Snapshot[T] {
	t.Helper()
	snapshot, err := l.Get(t.Context())
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return snapshot
}

func TestLoaderReads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		s := newScript(t, b)
		s.seed()
		got := get(t, load[settings](t, s.Client, s.environ("LIMIT=7")...))
		if got, want := reveal(got.Value), "first token, first secret, 7, [1 2 3]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if diff := cmp.Diff(map[string]int64{s.path + "twitter": 1, s.path + "ignore": 1}, got.Versions); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
	})
}

func TestReferencesOfEveryKind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		s := newScript(t, b)
		s.put("a", plain, "old")
		s.label("a", 1, "live")
		s.put("a", plain, "new")
		s.put("list", list, "x,y")
		s.put("sealed", secure, "v")
		s.put("object", secure, `{"user":"u","password":"p"}`)
		id := strings.Trim(s.path, "/")
		s.secret(t, id, `{"password":"old"}`)
		s.secret(t, id, `{"password":"new"}`)
		out, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &s.full("a")[0]})
		if err != nil {
			t.Fatal(err)
		}

		for _, test := range []struct {
			reference string
			want      string
			because   string // moto differs: the parameter is not found
		}{
			{s.path + "a", "new", ""},
			{"ssm:" + s.path + "a", "new", ""},
			{"ssm:" + *out.Parameter.ARN, "new", ""},
			{"ssm:" + s.path + "list", "x,y", ""},
			{"ssm:" + s.path + "sealed", "v", ""},
			{"ssm:" + s.path + "object#password", "p", ""},
			{"ssm:" + s.path + "a:1", "old", noSelector},
			{"ssm:" + s.path + "a:2", "new", noSelector},
			{"ssm:" + s.path + "a:live", "old", noSelector},
			{"ssm:" + *out.Parameter.ARN + ":1", "old", noSelector},
			{"ssm:/aws/reference/secretsmanager/" + id + "#password", "new", secretName},
			{"ssm:/aws/reference/secretsmanager/" + id + ":AWSPREVIOUS#password", "old", secretName},
		} {
			value, err := config.Parameter(s.Client, test.reference).Get(t.Context())
			if b.name == "moto" && test.because != "" {
				if err == nil || !strings.Contains(err.Error(), "parameter not found") {
					t.Errorf("%s: got the error %v, want none found with moto: take out %q if it does as AWS now", test.reference, err, test.because)
				}
				continue
			}
			if err != nil || value.Reveal() != test.want {
				t.Errorf("%s: got %q and the error %v, want %q", test.reference, value.Reveal(), err, test.want)
			}
		}
	})
}

func TestEachNameIsAskedForOnce(t *testing.T) {
	t.Parallel()
	type many struct {
		A string `env:"A"`
		B string `env:"B"`
		C string `env:"C"`
		D string `env:"D"`
		E string `env:"E"`
		F string `env:"F"`
		G string `env:"G"`
		H string `env:"H"`
		I string `env:"I"`
		J string `env:"J"`
		L string `env:"L"` // two fields of one parameter
		R string `env:"R"`
		M string `env:"M"` // A again
		N string `env:"N"` // L again
	}
	each(t, func(t *testing.T, b backend) {
		s := newScript(t, b)
		var environ []string
		for v := range strings.SplitSeq("JABCDEFGHI", "") {
			s.put(v, plain, "value of "+v)
			environ = append(environ, v+"=ssm:"+s.path+v)
		}
		s.put("both", secure, `{"l":"left","r":"right"}`)
		both := "=ssm:" + s.path + "both"
		environ = append(environ, "L"+both+"#l", "R"+both+"#r", "M=ssm:"+s.path+"A", "N"+both+"#l")

		for _, test := range []struct {
			environ []string
			j       string
			calls   int
		}{
			{environ[1:], "", 1}, // ten names in thirteen references
			{environ, "value of J", 2},
		} {
			proxy := faultproxy.New(b.url, nil)
			defer proxy.Close()
			l := load[many](t, through(proxy, 1), test.environ...)
			var got many
			for range 3 {
				got = get(t, l).Value
			}
			if got.I != "value of I" || got.J != test.j || got.L != "left" || got.R != "right" || got.M != "value of A" || got.N != "left" {
				t.Errorf("got %+v", got)
			}
			if status := l.Status(); proxy.Calls() != test.calls || status.Calls != test.calls || status.Reads != 1 {
				t.Errorf("%d calls, and %d in %d reads by its status; want %d in one", proxy.Calls(), status.Calls, status.Reads, test.calls)
			}
		}
	})
}

func TestRotation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		s := newScript(t, b)
		s.seed()
		patient := load[settings](t, s.Client, s.environ()...)
		eager := load[settings](t, s.Client, s.environ("CONFIG_TTL=1ns")...)
		first := get(t, patient)
		get(t, eager)
		s.rotate("second")

		const want = "second token, second secret, 3, [1 2 3]"
		if got := reveal(get(t, patient).Value); got != reveal(first.Value) {
			t.Errorf("within its TTL, got %s, want the first values", got)
		}
		if got := reveal(get(t, eager).Value); got != want {
			t.Errorf("past its TTL, got %s, want %s", got, want)
		}
		fresh, err := patient.Refresh(t.Context(), first.Generation)
		if err != nil {
			t.Fatal(err)
		}
		if got := reveal(fresh.Value); got != want || fresh.Generation != 2 || fresh.Versions[s.path+"twitter"] != 2 {
			t.Errorf("refreshed, got %s, generation %d, versions %v; want %s, 2, and the pair's 2", got, fresh.Generation, fresh.Versions, want)
		}
		if again, err := patient.Refresh(t.Context(), fresh.Generation); err != nil || again != fresh {
			t.Errorf("refreshed again, got %p and %v, want the same snapshot %p", again, err, fresh)
		}
		if status := patient.Status(); status.Calls != 2 {
			t.Errorf("%d calls, want 2: none within a minute of the last refresh", status.Calls)
		}
	})
}

func TestWhatIsWrongIsListed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		s := newScript(t, b)
		s.put("twitter", secure, `{"token":"s3cr3t"}`)
		s.put("limit", plain, "s3cr3t")
		l := load[settings](t, s.Client, s.environ("LIMIT=ssm:"+s.path+"limit")...)
		_, err := l.Get(t.Context())
		var problems *config.Error
		if !errors.As(err, &problems) {
			t.Fatalf("got %v, want an *Error", err)
		}
		var got []string
		for _, p := range problems.Problems {
			got = append(got, strings.ReplaceAll(p.Error(), s.path, "/"))
		}
		slices.Sort(got)
		want := []string{
			"IGNORE (ssm:/ignore): parameter not found",
			"LIMIT (ssm:/limit): is not a valid int",
			`SECRET (ssm:/twitter#secret): has no field "secret"`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}

		s.seed()
		s.write(&ssm.PutParameterInput{Name: aws.String("limit"), Value: aws.String("5"), Overwrite: aws.Bool(true)})
		if got, want := reveal(get(t, l).Value), "first token, first secret, 5, [1 2 3]"; got != want {
			t.Errorf("once all is right, got %s, want %s", got, want)
		}
	})
}
