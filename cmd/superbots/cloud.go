package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"example.com/superbots/functions"
	"example.com/superbots/integration/local"
	"example.com/superbots/pkg/config"
)

// place is the stage that a command works on, and where it is.
type place struct {
	Stage  string `required:"" help:"Stage, one of those that serverless.yml lists under params." placeholder:"STAGE"`
	Region string `help:"AWS region (default: the one that the AWS SDK is configured for)." placeholder:"REGION"`
}

// A cloud is one stage of one account and region, with the operator's own
// credentials.
type cloud struct {
	stage  string
	aws    aws.Config
	params *ssm.Client
	stacks *cloudformation.Client
}

// open checks that there is such a stage, a region and credentials.
func (p place) open(ctx context.Context) (cloud, error) {
	root, err := local.Root()
	if err != nil {
		return cloud{}, err
	}
	stages, err := stagesOf(root)
	if err != nil {
		return cloud{}, err
	}
	if !slices.Contains(stages, p.Stage) {
		return cloud{}, fmt.Errorf("there is no stage %q: serverless.yml lists %s under params", p.Stage, strings.Join(stages, ", "))
	}
	var options []func(*awsconfig.LoadOptions) error
	if p.Region != "" {
		options = append(options, awsconfig.WithRegion(p.Region))
	}
	c, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cloud{}, fmt.Errorf("configuring the AWS SDK: %w", err)
	}
	if c.Region == "" {
		return cloud{}, errors.New("no AWS region is set: give --region, or set AWS_REGION")
	}
	if _, err := c.Credentials.Retrieve(ctx); err != nil {
		return cloud{}, errors.New("no AWS credentials were found: set AWS_PROFILE to a profile of yours, and log in with aws sso login if it asks for that")
	}
	return cloud{p.Stage, c, ssm.NewFromConfig(c), cloudformation.NewFromConfig(c)}, nil
}

// account returns the variables by which Lambda would let a function reach AWS,
// with the operator's own keys.
func (c cloud) account(ctx context.Context) (map[string]string, error) {
	keys, err := c.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS credentials: %w", err)
	}
	variables := map[string]string{
		"AWS_REGION": c.aws.Region, "AWS_ACCESS_KEY_ID": keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": keys.SecretAccessKey, "AWS_SESSION_TOKEN": keys.SessionToken,
	}
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_DYNAMODB"} {
		variables[name] = os.Getenv(name)
	}
	return variables, nil
}

var paramsKey = regexp.MustCompile(`(?m)^  ([A-Za-z][A-Za-z0-9-]*):`)

// stagesOf returns the stages that serverless.yml lists, in its order.
func stagesOf(root string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "serverless.yml"))
	if err != nil {
		return nil, err
	}
	_, block, found := strings.Cut("\n"+string(text), "\nparams:\n")
	if !found {
		return nil, errors.New("serverless.yml has no params: it lists the stages there")
	}
	if end := regexp.MustCompile(`(?m)^[^ #\n]`).FindStringIndex(block); end != nil {
		block = block[:end[0]]
	}
	var stages []string
	for _, key := range paramsKey.FindAllStringSubmatch(block, -1) {
		if key[1] != "default" {
			stages = append(stages, key[1])
		}
	}
	return stages, nil
}

// parameter returns the full name of one of the stage's parameters.
func (c cloud) parameter(name string) string { return "/superbots/" + c.stage + "/" + name }

// stack is the name that the Serverless Framework gives the stage's stack.
func (c cloud) stack() string { return "superbots-" + c.stage }

// explain says what went wrong with a call to AWS. Of what AWS wrote it shows
// the code alone: a message may quote the value that was sent.
func (c cloud) explain(doing string, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s: %w", doing, context.Canceled)
		}
		return fmt.Errorf("%s: no answer from AWS in %s: is that the region, and is there a network?", doing, c.aws.Region)
	}
	switch code := api.ErrorCode(); code {
	case "AccessDeniedException", "AccessDenied":
		return fmt.Errorf("%s: AWS denies it to these credentials: is AWS_PROFILE the one of the deployer?", doing)
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId":
		return fmt.Errorf("%s: AWS does not accept these credentials (%s): log in again", doing, code)
	case "InvalidKeyId":
		return fmt.Errorf("%s: the key that encrypts it does not exist, is disabled or may not be used: name another one with --key-id", doing)
	default:
		return fmt.Errorf("%s: AWS answers %s", doing, code)
	}
}

func hasCode(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// A parameter is one version of a parameter, decrypted.
type parameter struct {
	name    string // in full
	kind    ssmtypes.ParameterType
	value   config.Secret
	version int64
}

// read returns the newest version of a parameter, and nil if there is none.
// The selector is a version such as ":3", or empty.
func (c cloud) read(ctx context.Context, name, selector string) (*parameter, error) {
	out, err := c.params.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name + selector), WithDecryption: aws.Bool(true)})
	if hasCode(err, "ParameterNotFound", "ParameterVersionNotFound") {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain("reading "+name, err)
	}
	return &parameter{name, out.Parameter.Type, config.NewSecret(aws.ToString(out.Parameter.Value)), out.Parameter.Version}, nil
}

// write writes a new version of a parameter. Key encrypts a SecureString and
// has no meaning for other types.
func (c cloud) write(ctx context.Context, name string, kind ssmtypes.ParameterType, value config.Secret, key string) (version int64, err error) {
	in := &ssm.PutParameterInput{Name: &name, Type: kind, Value: aws.String(value.Reveal()), Overwrite: aws.Bool(true)}
	if kind == ssmtypes.ParameterTypeSecureString {
		in.KeyId = &key
	}
	out, err := c.params.PutParameter(ctx, in)
	if err != nil {
		return 0, c.explain("writing "+name, err)
	}
	return out.Version, nil
}

// accountKey is the key that AWS keeps for all parameters of an account.
const accountKey = "alias/aws/ssm"

// key returns what encrypts the stage's parameters: the key of its stack where
// that has one of its own.
func (c cloud) key(ctx context.Context) (string, error) {
	resources, err := c.resources(ctx)
	if errors.Is(err, errNoStack) {
		return accountKey, nil
	}
	if err != nil {
		return "", err
	}
	for _, r := range resources {
		if r.kind == "AWS::KMS::Alias" {
			return r.id, nil
		}
	}
	return accountKey, nil
}

// errNoStack says that the stage is not deployed in this region.
var errNoStack = errors.New("no stack")

func (c cloud) noStack() error {
	return fmt.Errorf("%w: %s is not deployed in %s: make deploy STAGE=%s, or name the region that has it with --region",
		errNoStack, c.stack(), c.aws.Region, c.stage)
}

// A resource is one thing of the deployed stack.
type resource struct{ logical, id, kind, status string }

// resources returns what the deployed stack consists of.
func (c cloud) resources(ctx context.Context) ([]resource, error) {
	var all []resource
	pages := cloudformation.NewListStackResourcesPaginator(c.stacks, &cloudformation.ListStackResourcesInput{StackName: aws.String(c.stack())})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, c.stackProblem(err)
		}
		for _, r := range page.StackResourceSummaries {
			all = append(all, resource{aws.ToString(r.LogicalResourceId), aws.ToString(r.PhysicalResourceId), aws.ToString(r.ResourceType), string(r.ResourceStatus)})
		}
	}
	return all, nil
}

// stackProblem tells a stack that is not there, which CloudFormation reports as
// a request that is not valid, from everything else.
func (c cloud) stackProblem(err error) error {
	if hasCode(err, "ValidationError", "ValidationException", "StackDoesNotExist") {
		return c.noStack()
	}
	return c.explain("reading the stack "+c.stack(), err)
}

// An environment is a function's variables. All values are texts but those
// that CloudFormation fills in, such as LEDGER.
type environment map[string]any

// deployed returns the environments of the functions as they are deployed.
func (c cloud) deployed(ctx context.Context) (map[string]environment, error) {
	out, err := c.stacks.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: aws.String(c.stack())})
	if err != nil {
		return nil, c.stackProblem(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				FunctionName any
				Environment  struct{ Variables environment }
			}
		}
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.TemplateBody)), &template); err != nil {
		return nil, fmt.Errorf("the template of %s is not what the Serverless Framework writes", c.stack())
	}
	found := make(map[string]environment)
	for _, r := range template.Resources {
		name, _ := r.Properties.FunctionName.(string)
		if bot, ok := strings.CutPrefix(name, c.stack()+"-"); ok && r.Type == "AWS::Lambda::Function" {
			found[bot] = r.Properties.Environment.Variables
		}
	}
	return found, nil
}

// ledger returns what the deployed functions have as LEDGER.
func (c cloud) ledger(ctx context.Context) (string, error) {
	out, err := c.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(c.stack())})
	if err != nil {
		return "", c.stackProblem(err)
	}
	for _, stack := range out.Stacks {
		for _, o := range stack.Outputs {
			if aws.ToString(o.OutputKey) == "LedgerTable" {
				return aws.ToString(o.OutputValue), nil
			}
		}
	}
	return "", fmt.Errorf("the stack %s has no output LedgerTable: make deploy STAGE=%s", c.stack(), c.stage)
}

// environ returns e as a process has it, with change over it.
func (e environment) environ(change map[string]string) []string {
	all := make(map[string]string)
	for name, value := range e {
		if text, ok := value.(string); ok {
			all[name] = text
		}
	}
	maps.Copy(all, change)
	var list []string
	for name, value := range all {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// references returns the full names of the parameters that e refers to, each
// with the variables that do.
func (e environment) references() map[string][]string {
	names := make(map[string][]string)
	for _, variable := range slices.Sorted(maps.Keys(e)) {
		text, _ := e[variable].(string)
		reference, ok := strings.CutPrefix(text, "ssm:")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(reference, "#")
		if _, path, isARN := strings.Cut(name, ":parameter/"); isARN {
			name = "/" + path
		}
		name, _, _ = strings.Cut(name, ":")
		names[name] = append(names[name], variable)
	}
	return names
}

// known checks that name is one that the functions of a stage may refer to:
// below shared/ or below the name of a bot.
func known(name string) error {
	first, rest, _ := strings.Cut(name, "/")
	names := []string{"shared"}
	for _, b := range functions.All {
		names = append(names, b.Name)
	}
	if rest == "" || !slices.Contains(names, first) {
		return fmt.Errorf("%q is no parameter of a stage: its name begins with %s/", name, strings.Join(names, "/ or "))
	}
	return nil
}
