// Batman posts what others say about big data, about Batman.
package main

import (
	"log"
	"os"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/app"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	batman, err := app.New(functions.Batman, os.Environ(), os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(batman.Handle)
}
