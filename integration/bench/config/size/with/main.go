// Command with reads one parameter, with the SDK's default configuration.
package main

import (
	"context"
	"log"
	"os"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"example.com/superbots/pkg/config"
)

func main() {
	ctx := context.Background()
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	value, err := config.Parameter(ssm.NewFromConfig(aws), os.Args[1]).Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.WriteString(value.Reveal())
}
