package parameterstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
)

const (
	plain  = types.ParameterTypeString
	list   = types.ParameterTypeStringList
	secure = types.ParameterTypeSecureString
)

// A rule is what a stand-in must do in one case.
type rule struct {
	name string
	do   func(s *script)
	want string // AWS's answers, a line each

	// moto differs: its answers, and the reason, which is a place in moto 5.2.5
	// or, where it is AWS that nobody has shown to do so, a page of its manual.
	moto, because string
}

const (
	noSelector = "moto/ssm/models.py, Parameter.response_object: no Selector"
	noRules    = "moto/ssm/models.py, put_parameter: names are checked for reserved prefixes only"
	noKMS      = "moto/ssm/models.py, Parameter.encrypt: KMS is not called"
	secretName = "moto/ssm/models.py, _get_secretsmanager_parameter: the name is the secret's own"
)

var contract = []rule{
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
	{
		name: "each write is a version",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.put("a", plain, "2")
			s.put("b", list, "x,y")
			s.get("a", "b")
		},
		want: "version 1|version 2|version 1|found [a=2@2 b=x,y@1] invalid []",
	},
	{
		name: "without Overwrite the old value stays",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.write(&ssm.PutParameterInput{Name: aws.String("a"), Type: plain, Value: aws.String("2")})
			s.one("a")
		},
		want: "version 1|ParameterAlreadyExists|a=1@1",
	},
	{
		name: "a new parameter needs a type",
		do:   func(s *script) { s.write(&ssm.PutParameterInput{Name: aws.String("a"), Value: aws.String("1")}) },
		want: "ValidationException",
	},
	{
		name: "an old one keeps its type",
		do: func(s *script) {
			s.put("a", secure, "1")
			s.write(&ssm.PutParameterInput{Name: aws.String("a"), Value: aws.String("2"), Overwrite: aws.Bool(true)})
			s.describe(50)
		},
		want: "version 1|version 2|[a:SecureString@2]",
	},
	{
		name: "the type never changes",
		do:   func(s *script) { s.put("a", plain, "1"); s.put("a", secure, "2") },
		want: "version 1|HierarchyTypeMismatchException",
		moto: "version 1|version 2", because: "moto/ssm/models.py, put_parameter: no check",
	},
	{
		name: "no empty value",
		do:   func(s *script) { s.put("a", plain, "") },
		want: "ValidationException",
	},
	{
		name: "4 KB and no more",
		do: func(s *script) {
			s.put("a", plain, strings.Repeat("x", 4096))
			s.put("b", plain, strings.Repeat("x", 4097))
		},
		want: "version 1|ValidationException",
		moto: "version 1|version 1", because: "moto/ssm/models.py, put_parameter: no check",
	},
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
	{
		name: "ssm begins no name",
		do:   func(s *script) { s.put("/ssm/a", plain, "1"); s.put("/SSM", plain, "1") },
		want: "ValidationException|ValidationException",
	},
	{
		name: "aws begins no name",
		do:   func(s *script) { s.put("/aws/a", plain, "1"); s.put("/AWS/a", plain, "1") },
		want: "AccessDeniedException|AccessDeniedException",
	},
	{
		name: "aws begins no plain name either",
		do:   func(s *script) { s.put("/awslimit", plain, "1") },
		want: "AccessDeniedException",
		moto: "ValidationException", because: "moto/ssm/models.py, put_parameter; AWS: aws-solutions/quota-monitor-for-aws#30",
	},
	{
		name: "names have a form",
		do:   func(s *script) { s.put("a b", plain, "1"); s.put("a//b", plain, "1"); s.put("a/", plain, "1") },
		want: "ValidationException|ValidationException|ValidationException",
		moto: "version 1|version 1|version 1", because: noRules,
	},
	{
		name: "names have fifteen levels",
		do: func(s *script) {
			s.put("b"+strings.Repeat("/b", 13), plain, "1")
			s.put("b"+strings.Repeat("/b", 14), plain, "1")
		},
		want: "version 1|HierarchyLevelLimitExceededException",
		moto: "version 1|version 1", because: noRules,
	},

	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
	{
		name: "what is not there is no error",
		do:   func(s *script) { s.put("a", plain, "1"); s.get("a", "none", "a:2", "a:live"); s.get("none") },
		want: "version 1|found [a=1@1] invalid [a:2 a:live none]|found [] invalid [none]",
	},
	{
		name: "versions",
		do: func(s *script) {
			s.put("a", secure, "1")
			s.put("a", secure, "2")
			s.get("a", "a:1")
			s.one("a:1")
		},
		want: "version 1|version 2|found [a:1=1@1 a=2@2] invalid []|a:1=1@1",
		moto: "version 1|version 2|found [a=1@1 a=2@2] invalid []|a=1@1", because: noSelector,
	},
	{
		name: "labels",
		do: func(s *script) {
			s.put("a", secure, "1")
			s.label("a", 1, "live")
			s.put("a", secure, "2")
			s.get("a", "a:live")
			s.one("a:live")
		},
		want: "version 1|labelled 1, invalid []|version 2|found [a:live=1@1 a=2@2] invalid []|a:live=1@1",
		moto: "version 1|labelled 1, invalid []|version 2|found [a=1@1 a=2@2] invalid []|a=1@1", because: noSelector,
	},
	{
		name: "one name is there or an error",
		do:   func(s *script) { s.put("a", plain, "1"); s.one("none"); s.one("a:2") },
		want: "version 1|ParameterNotFound|ParameterVersionNotFound",
	},
	{
		name: "ten names and no more",
		do: func(s *script) {
			names := slices.Repeat([]string{"x"}, 11)
			for i := range names {
				names[i] = fmt.Sprint("n", i)
			}
			s.get(names[:10]...)
			s.get(names...)
		},
		want: "found [] invalid [n0 n1 n2 n3 n4 n5 n6 n7 n8 n9]|ValidationException",
	},
	{
		name: "one name at least",
		do:   func(s *script) { s.get() },
		want: "ValidationException",
		moto: "found [] invalid []", because: "moto/ssm/models.py, get_parameters: no check",
	},
	{
		name: "ARNs are names",
		do: func(s *script) {
			s.put("a", plain, "1")
			out, err := s.GetParameter(s.Context(), &ssm.GetParameterInput{Name: &s.full("a")[0]})
			if err != nil {
				s.Fatal(err)
			}
			s.get(*out.Parameter.ARN)
			s.get("arn:aws:ssm:us-east-1:999999999999:parameter/x")
		},
		want: "version 1|found [a=1@1] invalid []|found [] invalid [arn:aws:ssm:us-east-1:999999999999:parameter/x]",
	},
	{
		name: "a SecureString is sealed until decryption is asked for",
		do: func(s *script) {
			s.put("a", secure, "open sesame")
			s.put("b", plain, "open sesame")
			for _, decrypt := range []*bool{nil, aws.Bool(false), aws.Bool(true)} {
				out, err := s.GetParameters(s.Context(), &ssm.GetParametersInput{Names: s.full("a", "b"), WithDecryption: decrypt})
				if err != nil {
					s.Fatal(err)
				}
				for _, p := range out.Parameters {
					if p.Type == secure {
						s.say("same %t", *p.Value == "open sesame")
					} else if *p.Value != "open sesame" {
						s.say("a String as %q", *p.Value)
					}
				}
			}
		},
		want: "version 1|version 1|same false|same false|same true",
	},
	{
		name: "the sealed value does not show the open one",
		do: func(s *script) {
			s.put("a", secure, "open sesame")
			out, err := s.GetParameter(s.Context(), &ssm.GetParameterInput{Name: &s.full("a")[0]})
			if err != nil {
				s.Fatal(err)
			}
			s.say("shows %t", strings.Contains(*out.Parameter.Value, "open sesame"))
		},
		want: "version 1|shows false",
		moto: "version 1|shows true", because: noKMS,
	},

	// https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
	{
		name: "Secrets Manager through Parameter Store",
		do: func(s *script) {
			id := strings.Trim(s.path, "/")
			s.secret(s.T, id, "old")
			s.secret(s.T, id, "new")
			ref := "/aws/reference/secretsmanager/" + id
			s.get(ref, ref+":AWSPREVIOUS")
			s.one(ref + ":AWSCURRENT")
		},
		want: "found [/aws/reference/secretsmanager/…:AWSPREVIOUS=old@0 /aws/reference/secretsmanager/…=new@0] invalid []|/aws/reference/secretsmanager/…:AWSCURRENT=new@0",
		moto: "found […=new@0 …=old@0] invalid []|…=new@0", because: secretName,
	},
	{
		name: "a secret is never sealed",
		do: func(s *script) {
			id := strings.Trim(s.path, "/")
			s.secret(s.T, id, "v")
			ref := "/aws/reference/secretsmanager/" + id
			_, err := s.GetParameter(s.Context(), &ssm.GetParameterInput{Name: &ref})
			s.fails(err)
		},
		want: "ValidationException",
	},
	{
		name: "a secret that is not there",
		do:   func(s *script) { s.get("/aws/reference/secretsmanager/none") },
		want: "found [] invalid [/aws/reference/secretsmanager/none]",
		moto: "ParameterNotFound", because: "moto/ssm/models.py, ParameterDict.__contains__; what AWS does is not written down",
	},

	// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
	{
		name: "history",
		do: func(s *script) {
			s.put("a", secure, "1")
			s.put("a", secure, "2")
			s.put("a", secure, "3")
			s.label("a", 2, "live")
			s.history("a", true, 50)
			s.history("a", true, 2)
			s.history("none", true, 2)
		},
		want: "version 1|version 2|version 3|labelled 2, invalid []|[1=1[] 2=2[live] 3=3[]]|[1=1[] 2=2[live]]|[3=3[]]|ParameterNotFound",
	},
	{
		name: "a hundred versions are kept",
		do: func(s *script) {
			for range 99 {
				s.put("a", plain, "v")
			}
			s.lines = nil
			s.put("a", plain, "v")
			s.get("a:1")
			s.put("a", plain, "v")
			s.get("a:1")
			s.label("a", 2, "live")
			s.put("a", plain, "v")
		},
		want: "version 100|found [a:1=v@1] invalid []|version 101|found [] invalid [a:1]|labelled 2, invalid []|ParameterMaxVersionLimitExceeded",
		moto: "version 100|found [a=v@1] invalid []|version 101|found [] invalid [a:1]|labelled 2, invalid []|ParameterMaxVersionLimitExceeded", because: noSelector,
	},

	// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html
	{
		name: "a label is on one version",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.put("a", plain, "2")
			s.label("a", 1, "live", "old")
			s.label("a", 0, "live")
			s.history("a", true, 50)
		},
		want: "version 1|version 2|labelled 1, invalid []|labelled 2, invalid []|[1=1[old] 2=2[live]]",
	},
	{
		name: "labels have a form",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.label("a", 0, "1st", "ssmlabel", "a b", "fine")
			s.label("a", 0, strings.Repeat("x", 101))
			s.history("a", true, 50)
		},
		want: `version 1|labelled 1, invalid ["1st" "ssmlabel" "a b"]|ValidationException|[1=1[fine]]`,
	},
	{
		name: "reserved labels in capitals",
		do:   func(s *script) { s.put("a", plain, "1"); s.label("a", 0, "AWSlabel") },
		want: `version 1|labelled 1, invalid ["AWSlabel"]`,
		moto: "version 1|labelled 1, invalid []", because: "moto/ssm/models.py, label_parameter_version: the case counts",
	},
	{
		name: "ten labels and no more",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.label("a", 0, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
			s.label("a", 0, "k")
			s.label("a", 0, "j")
		},
		want: "version 1|labelled 1, invalid []|ParameterVersionLabelLimitExceeded|labelled 1, invalid []",
	},
	{
		name: "labels of what is not there",
		do:   func(s *script) { s.put("a", plain, "1"); s.label("a", 2, "x") },
		want: "version 1|ParameterVersionNotFound",
	},
	{
		name: "no label makes a parameter",
		do:   func(s *script) { s.label("none", 0, "x"); s.delete("none") },
		want: "ParameterNotFound|deleted [] invalid [none]",
		moto: "ParameterNotFound|deleted [none] invalid []",
		// Until it is deleted, each DescribeParameters of moto ends with 500.
		because: "moto/ssm/models.py, label_parameter_version: reading a defaultdict makes an entry",
	},

	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html
	{
		name: "what is deleted starts again",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.put("a", plain, "2")
			_, err := s.DeleteParameter(s.Context(), &ssm.DeleteParameterInput{Name: &s.full("a")[0]})
			s.fails(err)
			s.get("a")
			_, err = s.DeleteParameter(s.Context(), &ssm.DeleteParameterInput{Name: &s.full("a")[0]})
			s.fails(err)
			s.put("a", plain, "3")
		},
		want: "version 1|version 2|found [] invalid [a]|ParameterNotFound|version 1",
	},
	{
		name: "several are deleted",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.put("b", plain, "1")
			s.delete("b", "none")
			s.get("a", "b")
		},
		want: "version 1|version 1|deleted [b] invalid [none]|found [a=1@1] invalid [b]",
	},
	{
		name: "ten are deleted and no more",
		do:   func(s *script) { s.delete("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11") },
		want: "ValidationException",
		moto: "deleted [] invalid [1 2 3 4 5 6 7 8 9 10 11]", because: "moto/ssm/models.py, delete_parameters: no check",
	},

	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
	{
		name: "filters",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.put("ab", secure, "1")
			s.put("b/a", list, "1")
			s.lines = nil
			s.describe(50)
			s.describe(50, filter("Name", "Equals", s.path+"a"))
			s.describe(50, filter("Name", "BeginsWith", s.path+"a"))
			s.describe(50, filter("Name", "Contains", "b"))
			s.describe(50, filter("Type", "Equals", "SecureString", "StringList"))
			s.describe(50, filter("Path", "OneLevel", strings.TrimSuffix(s.path, "/")))
			s.describe(50, filter("Path", "Recursive", s.path+"b"))
		},
		want: "[a:String@1 ab:SecureString@1 b/a:StringList@1]|[a:String@1]|[a:String@1 ab:SecureString@1]|[ab:SecureString@1 b/a:StringList@1]|" +
			"[ab:SecureString@1 b/a:StringList@1]|[a:String@1 ab:SecureString@1]|[b/a:StringList@1]",
	},
	{
		name: "pages",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.put("b", plain, "1")
			s.put("c", plain, "1")
			s.describe(2)
		},
		want: "version 1|version 1|version 1|[a:String@1 b:String@1]|[c:String@1]",
		moto: "version 1|version 1|version 1|[a:String@1 b:String@1 c:String@1]", because: "moto/ssm/responses.py, describe_parameters: pages of ten",
	},
	{
		name: "unknown filters",
		do: func(s *script) {
			s.put("a", plain, "1")
			s.describe(50, filter("Colour", "Equals", "red"))
			s.describe(50, filter("Type", "Contains", "String"))
		},
		want: "version 1|ValidationException|InvalidFilterOption",
	},
}

func TestContract(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		for _, rule := range contract {
			t.Run(rule.name, func(t *testing.T) {
				s := newScript(t, b)
				rule.do(s)
				got := strings.Join(s.lines, "|")
				want := rule.want
				if b.name == "moto" && rule.because != "" {
					want = rule.moto
					if got == rule.want {
						t.Errorf("moto does as AWS now: take out %q", rule.because)
					}
				}
				if diff := cmp.Diff(strings.Split(want, "|"), strings.Split(got, "|")); diff != "" {
					t.Errorf("answers (-want +got):\n%s", diff)
				}
			})
		}
	})
}
