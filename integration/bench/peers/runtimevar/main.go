// Runtimevar is a Lambda function that has its two parameters watched by the Go
// CDK: both are opened before the first invocation and from then on read every
// 30 seconds, each by a goroutine of its own
// (https://gocloud.dev/howto/runtimevar/,
// https://pkg.go.dev/gocloud.dev/runtimevar/awsparamstore#example-OpenVariable).
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/awsparamstore"
)

type answer struct {
	Values int    `json:"values"`
	Sum    string `json:"sum"`
}

type sharedKeys struct {
	ConsumerKey    string `json:"consumer_key"`
	ConsumerSecret string `json:"consumer_secret"`
}

type ownKeys struct {
	AccessToken  string `json:"access_token"`
	AccessSecret string `json:"access_secret"`
}

// patience is how long an invocation waits for a first good value: Latest
// itself waits until its context ends, which would be Lambda's three seconds.
const patience = 2 * time.Second

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	client := ssm.NewFromConfig(cfg)
	shared, err := awsparamstore.OpenVariable(client, os.Getenv("BENCH_SHARED"), runtimevar.NewDecoder(sharedKeys{}, runtimevar.JSONDecode), nil)
	if err != nil {
		log.Fatal(err)
	}
	own, err := awsparamstore.OpenVariable(client, os.Getenv("BENCH_OWN"), runtimevar.NewDecoder(ownKeys{}, runtimevar.JSONDecode), nil)
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(func(ctx context.Context) (answer, error) { return handle(ctx, shared, own) })
}

func handle(ctx context.Context, sharedVar, ownVar *runtimevar.Variable) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	snapshot, err := sharedVar.Latest(ctx)
	if err != nil {
		return answer{}, err
	}
	shared := snapshot.Value.(sharedKeys)
	if snapshot, err = ownVar.Latest(ctx); err != nil {
		return answer{}, err
	}
	own := snapshot.Value.(ownKeys)
	values := []string{shared.ConsumerKey, shared.ConsumerSecret, own.AccessToken, own.AccessSecret}
	if slices.Contains(values, "") {
		return answer{}, errors.New("a parameter lacks a field")
	}
	return answer{len(values), fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(values, "\n"))))}, nil
}
