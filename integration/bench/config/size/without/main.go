// Command without reads one parameter, with what Lambda sets in the environment
// and nothing else of the SDK's default configuration.
package main

import (
	"context"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"example.com/superbots/pkg/config"
)

func main() {
	client := ssm.New(ssm.Options{
		Region: os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
	})
	value, err := config.Parameter(client, os.Args[1]).Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.WriteString(value.Reveal())
}
