//go:build !race

// The race detector allocates too.

package guard_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/app"
	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/rewrite"
)

// store answers at once, and allocates once for an answer it has made before.
type store struct{ output *ssm.GetParametersOutput }

func (s store) GetParameters(context.Context, *ssm.GetParametersInput, ...func(*ssm.Options)) (*ssm.GetParametersOutput, error) {
	return s.output, nil
}

func parameter(name, value string) types.Parameter {
	return types.Parameter{Name: aws.String(name), Value: aws.String(value), Type: types.ParameterTypeSecureString, Version: 1}
}

func TestAllocations(t *testing.T) {
	environ := []string{
		"TWITTER_CONSUMER_KEY=ssm:/s#consumer_key", "TWITTER_CONSUMER_SECRET=ssm:/s#consumer_secret",
		"TWITTER_ACCESS_TOKEN=ssm:/o#access_token", "TWITTER_ACCESS_SECRET=ssm:/o#access_secret", "LEDGER=memory:",
	}
	parameters := store{&ssm.GetParametersOutput{Parameters: []types.Parameter{
		parameter("/s", `{"consumer_key":"k","consumer_secret":"s"}`), parameter("/o", `{"access_token":"1-t","access_secret":"s"}`),
	}}}
	load := func() *config.Loader[app.Settings] {
		l, err := config.New[app.Settings](environ, parameters)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	get := func(l *config.Loader[app.Settings]) {
		if _, err := l.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	warm := load()
	get(warm)

	file, err := os.Open("../../cmd/superbots/posts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var texts []string
	for decoder := json.NewDecoder(file); decoder.More(); {
		var post struct{ Text string }
		if err := decoder.Decode(&post); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, post.Text)
	}

	for _, c := range []struct {
		what string
		held float64
		do   func()
	}{
		{"settings that are fresh", 0, func() { get(warm) }},
		{"checking the environment", maxNew, func() { load() }},
		{"checking it and the first reading", maxFirst, func() { get(load()) }},
		{"rewriting all posts", maxRewrite * float64(len(texts)), func() {
			for _, text := range texts {
				functions.Superman.Rewrite(text, rewrite.Drop)
			}
		}},
	} {
		if got := testing.AllocsPerRun(100, c.do); got > c.held {
			t.Errorf("%s: %v allocations, held to %v", c.what, got, c.held)
		}
	}
}
