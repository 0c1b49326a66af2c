// Superman posts what others say about serverless, about Superman.
package main

import (
	"log"
	"os"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/app"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	superman, err := app.New(functions.Superman, os.Environ(), os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(superman.Handle)
}
