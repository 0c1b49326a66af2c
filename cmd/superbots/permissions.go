package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"example.com/superbots/pkg/bot"
)

// permissions asks IAM whether each role may read what its function refers to, and
// nothing else of the stage, and the same of decrypting.
func (e *examination) permissions(ctx context.Context) error {
	names := make(map[string]bool)
	for _, b := range e.service.bots() {
		for name := range e.service.environment(b.Name).references() {
			names[name] = true
		}
	}
	all := slices.Sorted(maps.Keys(names))
	encrypted, err := e.encrypted(ctx, all)
	if err != nil {
		return err
	}
	client := iam.NewFromConfig(e.cloud.aws)
	for _, b := range e.service.bots() {
		name := e.roles[b.Name]
		if name == "" {
			continue
		}
		role, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		if err != nil {
			return e.cloud.explain("reading the role "+name, err)
		}
		asks := simulator{client, e.cloud.aws.Region, role.Role.Arn}
		read, err := asks.read(ctx, all)
		var decrypt map[string]bool
		if err == nil {
			decrypt, err = asks.decrypt(ctx, e.key.id, encrypted)
		}
		switch {
		case hasCode(err, "AccessDenied", "AccessDeniedException"):
			e.found.unknown(b.Name, "these credentials may not ask what its role may do", "allow yourself iam:SimulatePrincipalPolicy")
			continue
		case err != nil:
			return e.cloud.explain("asking what the role "+name+" may do", err)
		}
		e.may(b, "read", fmt.Sprintf("the stage's %d parameters", len(read)), read)
		if len(encrypted) > 0 {
			e.may(b, "decrypt", fmt.Sprintf("the %d that %s encrypts", len(decrypt), e.alias), decrypt)
		}
	}
	return nil
}

// encrypted returns those of the parameters that are encrypted with the stage's
// own key.
func (e *examination) encrypted(ctx context.Context, names []string) ([]string, error) {
	if len(e.roles) == 0 {
		return nil, nil // said already: the stage is not deployed
	}
	var under []string
	for chunk := range slices.Chunk(names, 50) { // the most that a filter takes
		pages := ssm.NewDescribeParametersPaginator(e.cloud.params, &ssm.DescribeParametersInput{
			ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Values: chunk}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, e.cloud.explain("listing the parameters", err)
			}
			for _, p := range page.Parameters {
				// A key is named by its id, its alias, or the ARN of either.
				switch key := aws.ToString(p.KeyId); {
				case key == "" || strings.HasSuffix(key, accountKey) && e.key.id == "":
				case strings.HasSuffix(key, accountKey):
					e.found.problem("stack", *p.Name+" is encrypted with "+accountKey+", with which all who may read it decrypt it, and the stage has a key of its own",
						"write it again, without --key-id")
				case e.key.id != "" && e.alias != "" && (strings.HasSuffix(key, e.key.id) || strings.HasSuffix(key, e.alias)):
					under = append(under, *p.Name)
				default:
					e.found.unknown("stack", *p.Name+" is encrypted with "+key+", of which the stack knows nothing",
						"see that the roles may decrypt it, or write it again without --key-id")
				}
			}
		}
	}
	slices.Sort(under)
	return under, nil
}

// may compares what a bot's role may do with what its function needs. Each
// parameter that was asked about is in allowed; of says what they are.
func (e *examination) may(b bot.Bot, do, of string, allowed map[string]bool) {
	own := e.service.environment(b.Name).references()
	var lacks, exceeds []string
	needs := 0
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		_, needed := own[name]
		switch {
		case needed:
			needs++
			if !allowed[name] {
				lacks = append(lacks, name)
			}
		case allowed[name]:
			exceeds = append(exceeds, name)
		}
	}
	see := "see resources/" + b.Name + ".yml"
	if len(lacks) > 0 {
		e.found.problem(b.Name, "its role may not "+do+" "+strings.Join(lacks, ", "), see)
	}
	if len(exceeds) > 0 {
		e.found.problem(b.Name, "its role may "+do+" "+strings.Join(exceeds, ", ")+", which its function does not need", see)
	}
	if len(lacks)+len(exceeds) == 0 {
		e.found.ok(b.Name, fmt.Sprintf("its role may %s these %d of %s", do, needs, of))
	}
}

// A simulator asks IAM what one role may do.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
type simulator struct {
	client *iam.Client
	region string
	role   *string // its ARN
}

// arn is one of a resource in the role's account.
func (s simulator) arn(service, resource string) string {
	role := strings.Split(*s.role, ":") // arn:aws:iam::123456789012:role/name
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", role[1], service, s.region, role[4], resource)
}

func (s simulator) parameter(name string) string { return s.arn("ssm", "parameter"+name) }

// read returns for each parameter whether the role may read it.
func (s simulator) read(ctx context.Context, names []string) (map[string]bool, error) {
	allowed, arns := make(map[string]bool), make(map[string]string) // names by ARN
	for _, name := range names {
		arns[s.parameter(name)] = name
	}
	out, err := s.client.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: s.role, ActionNames: []string{"ssm:GetParameters"}, ResourceArns: slices.Sorted(maps.Keys(arns)),
	})
	if err != nil {
		return nil, err
	}
	for _, r := range out.EvaluationResults {
		allowed[arns[aws.ToString(r.EvalResourceName)]] = r.EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed
	}
	return allowed, nil
}

// decrypt returns for each parameter whether the role may decrypt it with the
// key. It asks what KMS is told when Parameter Store decrypts for the role:
// https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
func (s simulator) decrypt(ctx context.Context, key string, names []string) (map[string]bool, error) {
	allowed := make(map[string]bool)
	is := func(key, value string) iamtypes.ContextEntry {
		return iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{value}}
	}
	for _, name := range names {
		out, err := s.client.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: s.role, ActionNames: []string{"kms:Decrypt"}, ResourceArns: []string{s.arn("kms", "key/"+key)},
			ContextEntries: []iamtypes.ContextEntry{
				is("kms:ViaService", "ssm."+s.region+".amazonaws.com"),
				is("kms:EncryptionContext:PARAMETER_ARN", s.parameter(name)),
			},
		})
		if err != nil {
			return nil, err
		}
		for _, r := range out.EvaluationResults {
			allowed[name] = r.EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed
		}
	}
	return allowed, nil
}
