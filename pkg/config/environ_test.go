package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A mode refuses with a reason of its own, as a caller's type does.
type mode string

func (m *mode) UnmarshalText(text []byte) error {
	if s := string(text); s != "dry-run" && s != "post" {
		return fmt.Errorf("mode: %w", Invalid(`is neither "dry-run" nor "post"`))
	}
	*m = mode(text)
	return nil
}

// A hostile type quotes the value, as strconv and many others do.
type hostile string

func (*hostile) UnmarshalText(text []byte) error { return fmt.Errorf("cannot use %q", text) }

type everything struct {
	Name    string        `env:"NAME,required"`
	Key     Secret        `env:"KEY,notEmpty"`
	Port    int           `env:"PORT" envDefault:"8080"`
	Timeout time.Duration `env:"TIMEOUT"`
	Mode    mode          `env:"MODE" envDefault:"dry-run"`
	Hostile hostile       `env:"HOSTILE"`
	Ratios  []float64     `env:"RATIOS"`
	Nested  struct {
		Deep uint8 `env:"DEEP"`
	} `envPrefix:"NESTED_"`
	Cert string `env:"CERT,file"`
	Sum  int    `env:"SUM,expand"`
	A    string `env:"A"`
	B    string `env:"B"`
}

func (e everything) Check() []Problem {
	if e.Name == "bad" {
		return []Problem{{Variable: "NAME", Reason: "is a bad name"}}
	}
	if e.Port < 1 {
		return []Problem{{Variable: "PORT", Reason: "is not above 0"}}
	}
	return nil
}

func problemsOf(t *testing.T, err error) string {
	t.Helper()
	var all *Error
	if !errors.As(err, &all) {
		t.Fatalf("got error %T %v, want *Error", err, err)
	}
	lines := make([]string, len(all.Problems))
	for i, p := range all.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func TestNewNamesEveryProblem(t *testing.T) {
	ok := []string{"NAME=n", "KEY=k"}
	for _, test := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"missing and empty", []string{"KEY="}, "NAME: is not set\nKEY: is empty"},
		{"number", append(ok, "PORT=eighty"), "PORT: is not a valid int"},
		{"duration", append(ok, "TIMEOUT=soon"), "TIMEOUT: is not a valid time.Duration"},
		{"list", append(ok, "RATIOS=0.5,half"), "RATIOS: is not a valid []float64"},
		{"nested", append(ok, "NESTED_DEEP=256"), "NESTED_DEEP: is not a valid uint8"},
		{"own reason", append(ok, "MODE=loud"), `MODE: is neither "dry-run" nor "post"`},
		{"foreign reason", append(ok, "HOSTILE=x"), "HOSTILE: is not a valid config.hostile"},
		{"file", append(ok, "CERT=/does/not/exist"), "CERT: names a file that cannot be read"},
		{"made of several", append(ok, "A=1", "B=x", "SUM=${A}${B}"), "a value made of several variables is not a valid int"},
		{"check", []string{"NAME=bad", "KEY=k"}, "NAME: is a bad name"},
		{"check of a reported variable", append(ok, "PORT=0x"), "PORT: is not a valid int"},
		{"reference", append(ok, "A=ssm:", "B=ssm:/x#"), "A: is not a valid reference: it has no valid parameter name\nB: is not a valid reference: it names no field after #"},
		{"own settings", append(ok, "CONFIG_TTL=ssm:/ttl", "CONFIG_MAX_STALE=-1h"), "CONFIG_TTL: must hold the value itself, not a reference\nCONFIG_MAX_STALE: is not a positive duration such as 15m or 6h"},
		{"own settings, no duration", append(ok, "CONFIG_TTL=15"), "CONFIG_TTL: is not a positive duration such as 15m or 6h"},
		{"no store", append(ok, "A=ssm:/a"), "A (ssm:/a): there is no parameter store"},
		{"all at once", []string{"PORT=x", "TIMEOUT=y", "A=ssm:a b", "CONFIG_TTL=0"},
			"CONFIG_TTL: is not a positive duration such as 15m or 6h\nA: is not a valid reference: it has no valid parameter name\nNAME: is not set\nKEY: is empty\nPORT: is not a valid int\nTIMEOUT: is not a valid time.Duration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New[everything](test.environ, nil)
			if got := problemsOf(t, err); got != test.want {
				t.Errorf("problems:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestOwnSettingsMayBeNamed(t *testing.T) {
	type named struct {
		TTL time.Duration `env:"CONFIG_TTL" envDefault:"1m"`
	}
	if got := mustNew[named](t, nil, "CONFIG_TTL=5m").Fixed().TTL; got != 5*time.Minute {
		t.Errorf("CONFIG_TTL = %v, want 5m", got)
	}
	_, err := New[named]([]string{"CONFIG_TTL=ssm:"}, nil)
	if got, want := problemsOf(t, err), "CONFIG_TTL: must hold the value itself, not a reference"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProblemAsJSON(t *testing.T) {
	got, err := json.Marshal(Error{[]Problem{{"A", "ssm:/a", "access denied", errDenied}}})
	want := `{"Problems":[{"Variable":"A","Reference":"ssm:/a","Reason":"access denied"}]}`
	if string(got) != want || err != nil {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestNewRefusesTypes(t *testing.T) {
	for want, err := range map[string]error{
		"config: read the env tags of int": third(New[int](nil, nil)),
		"config: read the env tags of struct { A string": third(New[struct {
			A string `env:"A,requird"`
		}](nil, nil)),
		"config: A: cannot be decoded into a chan int": third(New[struct {
			A chan int `env:"A"`
		}]([]string{"A=x"}, nil)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
}

func third[T any](_ *Loader[T], err error) error { return err }

func TestFixed(t *testing.T) {
	store := newStore()
	l := mustNew[everything](t, store, "NAME=n", "KEY=ssm:/key", "PORT=ssm:/port", "MODE=ssm:/mode", "TIMEOUT=2s", "OTHER=ssm:not looked at")
	want := everything{Name: "n", Timeout: 2 * time.Second}
	if got := l.Fixed(); !reflect.DeepEqual(got, want) {
		t.Errorf("Fixed() = %+v, want %+v: nothing for KEY, PORT and MODE, which are references", got, want)
	}
	if got := store.calls(); got != 0 {
		t.Errorf("New and Fixed made %d calls, want none", got)
	}
}

func TestLiteralsNeedNoStore(t *testing.T) {
	l := mustNew[everything](t, nil, "NAME=n", "KEY=k", "SUM=${A}${B}", "A=1", "B=2")
	got := mustGet(t, l)
	want := everything{Name: "n", Key: NewSecret("k"), Port: 8080, Mode: "dry-run", A: "1", B: "2", Sum: 12}
	if !reflect.DeepEqual(got.Value, want) || got.Generation != 1 {
		t.Errorf("got %+v of generation %d, want %+v of generation 1", got.Value, got.Generation, want)
	}
	again, err := l.Refresh(t.Context(), 1)
	if again != got || err != nil {
		t.Errorf("Refresh = %p, %v; want the snapshot %p: nothing can change", again, err, got)
	}
	if s := l.Status(); s.Generation != 1 || s.Age != 0 || s.Stale || s.Reads != 0 {
		t.Errorf("Status = %+v, want generation 1 without age or reads", s)
	}
}

func TestReferencesAreCheckedWhenRead(t *testing.T) {
	store := newStore("/name", "bad", "/port", "many", "/key", "", "/mode", "loud")
	l := mustNew[everything](t, store, "NAME=ssm:/name", "KEY=ssm:/key", "PORT=ssm:/port", "MODE=ssm:/mode", "A=ssm:/none", "B=ssm:/name#b")
	_, err := l.Get(t.Context())
	want := `A (ssm:/none): parameter not found
B (ssm:/name#b): is not a JSON object
KEY (ssm:/key): is empty
PORT (ssm:/port): is not a valid int
MODE (ssm:/mode): is neither "dry-run" nor "post"
NAME (ssm:/name): is a bad name`
	if got := problemsOf(t, err); got != want {
		t.Errorf("problems:\n%s\nwant:\n%s", got, want)
	}
}

func TestDefaultStandsInForAnEmptyParameter(t *testing.T) {
	store := newStore("/port", "")
	l := mustNew[everything](t, store, "NAME=n", "KEY=k", "PORT=ssm:/port")
	if got := mustGet(t, l).Value.Port; got != 8080 {
		t.Errorf("port = %d, want the default 8080", got)
	}
}

func TestPick(t *testing.T) {
	for _, test := range []struct{ value, field, want, reason string }{
		{"plain", "", "plain", ""},
		{`{"a":"x","b":"y"}`, "b", "y", ""},
		{`{"a":""}`, "a", "", ""},
		{`{"a":"x","a":"y"}`, "a", "y", ""},
		{`{"a":"\u00e9"}`, "a", "é", ""},
		{`{"A":"x"}`, "a", "", `has no field "a"`},
		{`{"a":null}`, "a", "", `field "a" is not a string`},
		{`{"a":7}`, "a", "", `field "a" is not a string`},
		{`{"a":{"b":"c"}}`, "a", "", `field "a" is not a string`},
		{`null`, "a", "", "is not a JSON object"},
		{`["a"]`, "a", "", "is not a JSON object"},
		{`{"a":"x"} y`, "a", "", "is not a JSON object"},
		{`{"a":"x`, "a", "", "is not a JSON object"},
		{``, "a", "", "is not a JSON object"},
	} {
		got, err := pick(test.value, test.field)
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		if got != test.want || reason != test.reason {
			t.Errorf("pick(%q, %q) = %q, %q; want %q, %q", test.value, test.field, got, reason, test.want, test.reason)
		}
	}
}

func FuzzField(f *testing.F) {
	f.Add(`{"token":"s3cr3t-value"}`, "token")
	f.Add(`{"token":{"s3cr3t-value":null}}`, "token")
	f.Add(`s3cr3t-value`, "x")
	f.Add(`{"\ud800":"x"}`, "\xff")
	f.Add(`{"a":`, "")
	f.Fuzz(func(t *testing.T, value, field string) {
		got, err := pick(value, field)
		if err == nil {
			return
		}
		if got != "" {
			t.Errorf("pick returned a value along with the error %v", err)
		}
		switch err.Error() { // what an error may say depends on the field alone
		case "is not a JSON object", fmt.Sprintf("has no field %q", field), fmt.Sprintf("field %q is not a string", field):
		default:
			t.Errorf("unexpected error %q", err)
		}
	})
}
