package config

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

// A memoryStore answers as Parameter Store does: in an order of its own, with
// name and selector apart, and with a list of what it does not have.
type memoryStore struct {
	mu     sync.Mutex
	values map[string]parameter // by name, with the selector
	asked  [][]string           // the names of each call

	delay time.Duration              // that a call takes
	fail  func(names []string) error // the error of a call, or nil
	enter func(ctx context.Context)  // called first, without mu
}

func newStore(values ...string) *memoryStore {
	s := &memoryStore{values: map[string]parameter{}}
	for i := 0; i < len(values); i += 2 {
		s.put(values[i], values[i+1])
	}
	return s
}

func (s *memoryStore) put(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = parameter{NewSecret(value), s.values[name].version + 1}
}

func (s *memoryStore) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = func([]string) error { return err }
}

func (s *memoryStore) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *memoryStore) GetParameters(ctx context.Context, in *ssm.GetParametersInput, _ ...func(*ssm.Options)) (*ssm.GetParametersOutput, error) {
	s.mu.Lock()
	s.asked = append(s.asked, slices.Clone(in.Names))
	delay, enter := s.delay, s.enter
	s.mu.Unlock()
	if enter != nil {
		enter(ctx)
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(in.Names); err != nil {
			return nil, err
		}
	}
	out := &ssm.GetParametersOutput{}
	for _, asked := range slices.Backward(in.Names) {
		p, ok := s.values[asked]
		if !ok {
			out.InvalidParameters = append(out.InvalidParameters, asked)
			continue
		}
		reply := types.Parameter{Value: aws.String(p.value.Reveal()), Version: p.version}
		if name, selector, found := strings.Cut(asked, ":"); found && name != "arn" {
			reply.Name, reply.Selector = aws.String(name), aws.String(":"+selector)
		} else {
			reply.Name = aws.String(asked)
		}
		out.Parameters = append(out.Parameters, reply)
	}
	return out, nil
}

var (
	errThrottled = &smithy.GenericAPIError{Code: "ThrottlingException"}
	errDenied    = &smithy.GenericAPIError{Code: "AccessDeniedException"}
)

// settings are what most tests load.
type settings struct {
	Token  Secret   `env:"TOKEN,required"`
	Secret Secret   `env:"SECRET,required"`
	Limit  int      `env:"LIMIT" envDefault:"3"`
	Ignore []string `env:"IGNORE"`
}

// pairEnviron takes a pair from one parameter, /pair.
func pairEnviron(more ...string) []string {
	return append([]string{"TOKEN=ssm:/pair#token", "SECRET=ssm:/pair#secret"}, more...)
}

func pair(token, secret string) string {
	return `{"token":"` + token + `","secret":"` + secret + `"}`
}

func mustNew[T any](t testing.TB, store ParameterStore, environ ...string) *Loader[T] {
	t.Helper()
	l, err := New[T](environ, store)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustGet[T any](t testing.TB, l *Loader[T]) *Snapshot[T] {
	t.Helper()
	s, err := l.Get(t.Context())
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return s
}

// tryGet is mustGet for goroutines of a test.
func tryGet[T any](t *testing.T, l *Loader[T]) {
	if _, err := l.Get(t.Context()); err != nil {
		t.Errorf("Get: %v", err)
	}
}
