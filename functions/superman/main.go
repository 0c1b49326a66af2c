// Superman posts what others say about serverless, about Superman.
package main

import (
	"context"
	"log"
	"os"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/app"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	superman, err := app.New(context.Background(), functions.Superman, os.Environ())
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(superman.Handle)
}
