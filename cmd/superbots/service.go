package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/pkg/bot"
)

// A service is serverless.yml as the Serverless Framework resolves it for a
// stage.
type service struct {
	Functions map[string]struct {
		Environment environment
		Events      []struct {
			Schedule struct {
				Rate    []string
				Enabled bool
			}
		}
		MemorySize int
	}
	Provider struct {
		Environment environment
		MemorySize  int
	}
	Resources struct {
		Conditions map[string]condition
		Resources  map[string]struct {
			Type      string
			Condition string
		}
	}
}

// A condition is one of the template. Of those, this command knows the form that
// compares two texts.
type condition struct {
	Equals []any `json:"Fn::Equals"`
}

func (c condition) holds() bool {
	return len(c.Equals) == 2 && fmt.Sprint(c.Equals[0]) == fmt.Sprint(c.Equals[1])
}

// environment returns the variables that a bot's function gets.
func (s service) environment(bot string) environment {
	e := maps.Clone(s.Provider.Environment)
	maps.Copy(e, s.Functions[bot].Environment)
	return e
}

// bots returns the bots that serverless.yml has a function for.
func (s service) bots() []bot.Bot {
	return slices.DeleteFunc(slices.Clone(functions.All), func(b bot.Bot) bool {
		_, ok := s.Functions[b.Name]
		return !ok
	})
}

// service resolves serverless.yml, with the Serverless Framework that the
// repository's tests use. It needs Node, and no network.
func (c cloud) service(ctx context.Context) (service, error) {
	root, err := local.Root()
	if err != nil {
		return service{}, err
	}
	const folder = "integration/deploy"
	framework := filepath.Join(root, folder, "node_modules/osls/bin/serverless.js")
	if _, err := os.Stat(framework); err != nil {
		return service{}, errors.New("the Serverless Framework, which reads serverless.yml, is not installed: npm ci --ignore-scripts --prefix " + folder)
	}
	cmd := exec.CommandContext(ctx, "node", framework, "print", "--format", "json", "--stage", c.stage, "--region", c.aws.Region)
	cmd.Dir = root
	var says bytes.Buffer
	cmd.Stderr = &says
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return service{}, ctx.Err()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return service{}, errors.New("node, which runs the Serverless Framework, is not installed: apt-get install nodejs npm, or https://nodejs.org/")
	}
	if err != nil {
		return service{}, fmt.Errorf("the Serverless Framework does not take serverless.yml:\n%s", strings.TrimSpace(says.String()))
	}
	var s service
	if err := json.Unmarshal(out, &s); err != nil {
		return service{}, fmt.Errorf("serverless.yml as the Serverless Framework prints it: %w", err)
	}
	return s, nil
}
