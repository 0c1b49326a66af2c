// Naive is a Lambda function that reads its two parameters as the first page of
// the SDK's guide does: one GetParameter after the other, in each invocation. As
// Lambda's guide advises, the client is made before the first one
// (https://docs.aws.amazon.com/sdk-for-go/v2/developer-guide/configure-gosdk.html,
// https://docs.aws.amazon.com/lambda/latest/dg/golang-handler.html).
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

type answer struct {
	Values int    `json:"values"`
	Sum    string `json:"sum"`
}

var client *ssm.Client

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	client = ssm.NewFromConfig(cfg)
	lambda.Start(handle)
}

func handle(ctx context.Context) (answer, error) {
	var shared struct {
		ConsumerKey    string `json:"consumer_key"`
		ConsumerSecret string `json:"consumer_secret"`
	}
	if err := read(ctx, os.Getenv("BENCH_SHARED"), &shared); err != nil {
		return answer{}, err
	}
	var own struct {
		AccessToken  string `json:"access_token"`
		AccessSecret string `json:"access_secret"`
	}
	if err := read(ctx, os.Getenv("BENCH_OWN"), &own); err != nil {
		return answer{}, err
	}
	values := []string{shared.ConsumerKey, shared.ConsumerSecret, own.AccessToken, own.AccessSecret}
	if slices.Contains(values, "") {
		return answer{}, errors.New("a parameter lacks a field")
	}
	return answer{len(values), fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(values, "\n"))))}, nil
}

// read decodes the parameter into v. Its error does not say what
// encoding/json found, which may be a part of the value.
func read(ctx context.Context, name string, v any) error {
	out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("read parameter %q: %w", name, err)
	}
	if json.Unmarshal([]byte(*out.Parameter.Value), v) != nil {
		return fmt.Errorf("parameter %q is not a JSON object of strings", name)
	}
	return nil
}
