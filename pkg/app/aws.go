package app

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// An account is what Lambda's variables say of AWS: the Region and the role's
// keys (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html),
// and endpoints, if they are others than the Region's
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
//
// The SDK's LoadDefaultConfig would find the same, and look for profiles, single
// sign-on and a metadata service as well, none of which a function has. What that
// costs a start, docs/performance.md says.
type account struct {
	region    string
	keys      aws.CredentialsProvider
	variables map[string]string
}

func accountOf(environ []string) account {
	v := make(map[string]string)
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			v[name] = value
		}
	}
	keys := credentials.NewStaticCredentialsProvider(v["AWS_ACCESS_KEY_ID"], v["AWS_SECRET_ACCESS_KEY"], v["AWS_SESSION_TOKEN"])
	return account{v["AWS_REGION"], keys, v}
}

// endpoint returns nil for the Region's own.
func (a account) endpoint(service string) *string {
	for _, name := range []string{"AWS_ENDPOINT_URL_" + service, "AWS_ENDPOINT_URL"} {
		if url := a.variables[name]; url != "" {
			return &url
		}
	}
	return nil
}

func (a account) ssm() *ssm.Client {
	return ssm.New(ssm.Options{Region: a.region, Credentials: a.keys, BaseEndpoint: a.endpoint("SSM")})
}

func (a account) dynamodb() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{Region: a.region, Credentials: a.keys, BaseEndpoint: a.endpoint("DYNAMODB")})
}
