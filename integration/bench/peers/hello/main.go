// Hello is a Lambda function that needs no value: what Go and aws-lambda-go cost
// by themselves, and so the floor under every other peer
// (https://docs.aws.amazon.com/lambda/latest/dg/golang-handler.html).
package main

import "github.com/aws/aws-lambda-go/lambda"

type answer struct {
	Values int `json:"values"`
}

func main() {
	lambda.Start(func() (answer, error) { return answer{}, nil })
}
