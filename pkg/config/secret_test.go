package config

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
)

const canary = "s3cr3t/canary+value="

// traces are the forms in which a printed canary could be recognised.
var traces = func() []string {
	all := []string{canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString([]byte(canary)),
		strings.ToUpper(hex.EncodeToString([]byte(canary))), strings.Trim(fmt.Sprint([]byte(canary)), "[]")}
	for shift := range 3 { // the bytes before it decide how base64 falls
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := enc.EncodeToString([]byte(strings.Repeat("-", shift) + canary))
			all = append(all, text[shift+1:len(text)-2])
		}
	}
	return all
}()

// printed returns v in every form in which Go prints it unasked.
func printed(v any) map[string]string {
	texts := map[string]string{}
	for _, verb := range "vsqxXdTpteEfFgGbcoOUw" {
		for _, flag := range []string{"", "+", "#", "030"} {
			format := "%" + flag + string(verb)
			texts[format] = fmt.Sprintf(format, v)
		}
	}
	texts["Print"] = fmt.Sprint(v)
	texts["Errorf"] = fmt.Errorf("wrapped: %w", fmt.Errorf("%v", v)).Error()
	if b, err := json.Marshal(v); err == nil {
		texts["JSON"] = string(b)
	} else {
		texts["JSON error"] = err.Error()
	}
	if b, err := xml.Marshal(v); err == nil {
		texts["XML"] = string(b)
	} else {
		texts["XML error"] = err.Error()
	}
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	texts["slog text"], texts["slog JSON"] = text.String(), js.String()
	return texts
}

// checkPrints fails the test if a print of v, or of anything that holds v,
// shows a trace of the canary.
func checkPrints(t *testing.T, name string, v any) {
	t.Helper()
	type exported struct{ V any }
	type unexported struct{ v any }
	for in, holder := range map[string]any{
		"alone": v, "exported": exported{v}, "unexported": unexported{v}, "pointer": &exported{v}, "hidden pointer": &unexported{&v},
		"map": map[string]any{"k": v}, "slice": []any{v}, "array": [1]any{v},
	} {
		for form, text := range printed(holder) {
			for _, trace := range traces {
				if strings.Contains(text, trace) {
					t.Fatalf("%s (%s) shows the value in %s: %s", name, in, form, text)
				}
			}
		}
	}
}

func TestCanaryIsFound(t *testing.T) {
	// Were these not recognised, the tests below could not fail.
	for _, v := range []any{canary, []byte(canary), errors.New("x" + canary), struct{ s string }{canary}, &smithy.GenericAPIError{Message: canary}} {
		found := map[string]bool{}
		for form, text := range printed(v) {
			for _, trace := range traces {
				if strings.Contains(text, trace) {
					found[form] = true
				}
			}
		}
		if !found["%v"] && !found["%s"] {
			t.Errorf("no trace of the canary in a %T", v)
		}
	}
}

func TestSecretShowsNothing(t *testing.T) {
	s := NewSecret(canary)
	type holder struct {
		Exported Secret
		hidden   Secret
		pointer  *Secret
		list     []Secret
		byName   map[string]Secret
		byKey    map[Secret]string
	}
	h := holder{s, s, &s, []Secret{s}, map[string]Secret{"k": s}, map[Secret]string{s: "k"}}
	for name, v := range map[string]any{"secret": s, "pointer": &s, "list": h.list, "map": h.byName, "holder": h, "to holder": &h} {
		checkPrints(t, name, v)
	}
	if got := fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s); got != strings.TrimSpace(strings.Repeat("[secret] ", 7)) {
		t.Errorf("printed as %q, want [secret] for each verb", got)
	}
	if got := s.String(); got != "[secret]" {
		t.Errorf("String() = %q, want [secret]", got)
	}
	if got, err := json.Marshal(h.byName); string(got) != `{"k":"[secret]"}` || err != nil {
		t.Errorf("as JSON: %s, %v; want [secret]", got, err)
	}
	if got := slog.AnyValue(s).Resolve(); got.Kind() != slog.KindString || got.String() != "[secret]" {
		t.Errorf("a slog handler gets %v of kind %v, want the string [secret]", got, got.Kind())
	}
	if got := s.Reveal(); got != canary {
		t.Errorf("Reveal() = %q, want the value", got)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("the zero Secret reveals %q", got)
	}
}

// valueError is an error that keeps its message where fmt finds it.
type valueError struct{ Message string }

func (e valueError) Error() string { return e.Message }

func TestNoErrorShowsAValue(t *testing.T) {
	ok := []string{"NAME=n", "KEY=k"}
	for _, bad := range []string{
		"PORT=" + canary, "TIMEOUT=" + canary, "MODE=" + canary, "HOSTILE=" + canary, "RATIOS=1," + canary, "NESTED_DEEP=" + canary,
		"CERT=/" + canary, "A=ssm:" + canary, "A=ssm:/a:" + canary, "A=ssm:arn:" + canary, "CONFIG_TTL=" + canary, "CONFIG_MAX_STALE=ssm:" + canary,
		"SUM=" + canary, "SUM=${A}" + canary,
	} {
		_, err := New[everything](append(ok, bad), newStore())
		if err == nil {
			t.Errorf("New accepts %s", bad)
		}
		checkPrints(t, bad, err)
	}

	for _, value := range []string{canary, `{"a":` + canary, `{"a":["` + canary + `"]}`, `{"` + canary + `":null}`, `["` + canary + `"]`, `"` + canary + `"`} {
		store := newStore("/port", value, "/mode", value, "/hostile", value, "/a", value)
		l := mustNew[everything](t, store, append(ok, "PORT=ssm:/port", "MODE=ssm:/mode", "HOSTILE=ssm:/hostile", "A=ssm:/a#a")...)
		_, err := l.Get(t.Context())
		if err == nil {
			t.Errorf("Get accepts %s", value)
		}
		checkPrints(t, value, err)
		for _, p := range err.(*Error).Problems {
			checkPrints(t, value, p)
		}
		checkPrints(t, value, l.Status())
		checkPrints(t, value, l)
	}

	_, syntax := strconv.Atoi(canary)
	for _, failure := range []error{
		&smithy.GenericAPIError{Code: "AccessDeniedException", Message: canary},
		&smithy.GenericAPIError{Code: "InternalServerError", Message: canary},
		&smithy.OperationError{ServiceID: "SSM", OperationName: "GetParameters", Err: &smithy.GenericAPIError{Code: "ThrottlingException", Message: canary}},
		errors.New(canary), syntax, valueError{canary}, &valueError{canary},
	} {
		store := newStore()
		store.failWith(failure)
		l := mustNew[settings](t, store, pairEnviron()...)
		_, err := l.Get(t.Context())
		if !errors.Is(err, failure) {
			t.Errorf("errors.Is does not find %T", failure)
		}
		checkPrints(t, "AWS error", err)
		checkPrints(t, "AWS error", *err.(*Error))
		for _, p := range err.(*Error).Problems {
			checkPrints(t, "problem", p)
			checkPrints(t, "pointer to problem", &p)
			checkPrints(t, "Problem.Err", p.Err)
		}
		checkPrints(t, "status", l.Status())
		checkPrints(t, "loader", l)
	}
}

func TestWhatHoldsSecretsShowsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("/pair", pair(canary, canary))
		l := mustNew[settings](t, store, "TOKEN=ssm:/pair#token", "SECRET="+canary)
		snapshot := mustGet(t, l)
		if snapshot.Value.Token.Reveal() != canary || snapshot.Value.Secret.Reveal() != canary {
			t.Fatal("the canary was not loaded")
		}
		store.put("/pair", canary)
		time.Sleep(time.Hour)
		mustGet(t, l) // an old snapshot and an error

		value := Parameter(store, "/pair")
		if got, err := value.Get(t.Context()); err != nil || got.Reveal() != canary {
			t.Fatalf("the canary was not loaded: %v", err)
		}
		for name, v := range map[string]any{
			"snapshot": snapshot, "*snapshot": *snapshot, "settings": snapshot.Value, "fixed": l.Fixed(), "status": l.Status(),
			"loader": l, "state": l.current.Load(), "*state": *l.current.Load(), "value": value, "*value": *value, "value's loader": value.loader,
		} {
			checkPrints(t, name, v)
		}
	})
}
