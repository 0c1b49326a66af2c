package deploy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	region  = "us-east-1"
	account = "123456789012"
)

// A template is what the framework hands to CloudFormation.
type template struct {
	Resources  map[string]resource
	Conditions map[string]any
	Outputs    map[string]struct{ Value any }
}

type resource struct {
	Type           string
	Condition      string
	DeletionPolicy string
	Properties     map[string]any
}

// ofType returns the names of the resources of a type, in order.
func (t template) ofType(typ string) []string {
	var names []string
	for name, r := range t.Resources {
		if r.Type == typ {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// noValue stands for what CloudFormation leaves out.
var noValue = new(int)

// value returns v with its functions replaced by what CloudFormation would make
// of them, in an account in which every resource is named after its place in
// the template.
func (t template) value(v any) any {
	switch v := v.(type) {
	case []any:
		var list []any
		for _, e := range v {
			if e := t.value(e); e != noValue {
				list = append(list, e)
			}
		}
		return list
	case map[string]any:
		if len(v) == 1 {
			for f, arg := range v {
				if f == "Ref" || strings.HasPrefix(f, "Fn::") {
					return t.call(f, arg)
				}
			}
		}
		object := make(map[string]any)
		for k, e := range v {
			if e := t.value(e); e != noValue {
				object[k] = e
			}
		}
		return object
	}
	return v
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z:]+)\}`)

func (t template) call(function string, arg any) any {
	switch function {
	case "Ref":
		return t.ref(arg.(string))
	case "Fn::GetAtt":
		return t.attribute(arg.([]any)[0].(string), arg.([]any)[1].(string))
	case "Fn::Sub":
		return placeholder.ReplaceAllStringFunc(arg.(string), func(s string) string { return t.ref(s[2 : len(s)-1]).(string) })
	case "Fn::Join":
		var parts []string
		for _, p := range t.value(arg.([]any)[1]).([]any) {
			parts = append(parts, p.(string))
		}
		return strings.Join(parts, arg.([]any)[0].(string))
	case "Fn::If":
		args := arg.([]any)
		if t.holds(args[0].(string)) {
			return t.value(args[1])
		}
		return t.value(args[2])
	case "Fn::Equals":
		args := arg.([]any)
		return fmt.Sprint(args[0]) == fmt.Sprint(args[1])
	case "Fn::Not":
		return !t.value(arg.([]any)[0]).(bool)
	}
	panic("unreachable unless the template uses " + function)
}

// holds reports whether a condition holds; the empty one does.
func (t template) holds(condition string) bool {
	return condition == "" || t.value(t.Conditions[condition]).(bool)
}

func (t template) ref(name string) any {
	switch name {
	case "AWS::Region":
		return region
	case "AWS::AccountId":
		return account
	case "AWS::Partition":
		return "aws"
	case "AWS::NoValue":
		return noValue
	}
	if function := t.Resources[name].Properties["FunctionName"]; t.Resources[name].Type == "AWS::Lambda::Function" {
		return function
	}
	return name
}

func (t template) attribute(name, attribute string) string {
	r := t.Resources[name]
	switch r.Type + "." + attribute {
	case "AWS::DynamoDB::Table.Arn":
		return arn("dynamodb", "table/"+name)
	case "AWS::KMS::Key.Arn":
		return arn("kms", "key/"+name)
	case "AWS::Lambda::Function.Arn":
		return arn("lambda", "function:"+r.Properties["FunctionName"].(string))
	case "AWS::Logs::LogGroup.Arn":
		return arn("logs", "log-group:"+r.Properties["LogGroupName"].(string)+":*")
	case "AWS::SQS::Queue.Arn":
		return arn("sqs", name)
	case "AWS::IAM::Role.Arn":
		return "arn:aws:iam::" + account + ":role/" + name
	}
	return name + "." + attribute
}

func arn(service, resource string) string {
	return "arn:aws:" + service + ":" + region + ":" + account + ":" + resource
}

// environment returns the variables of a bot's function.
func (t template) environment(function string) map[string]string {
	variables := t.value(t.Resources[function].Properties["Environment"]).(map[string]any)["Variables"].(map[string]any)
	env := make(map[string]string)
	for name, v := range variables {
		env[name] = v.(string)
	}
	return env
}
