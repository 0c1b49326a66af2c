package config_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"example.com/superbots/pkg/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

type Settings struct {
	Key   config.Secret `env:"API_KEY,required"`
	Limit int           `env:"LIMIT" envDefault:"20"`
}

// Tests pass literals: the variables hold the values, and no store is needed.
func Example() {
	loader, err := config.New[Settings]([]string{"API_KEY=k-123", "LIMIT=5"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := loader.Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(snapshot.Value.Limit, snapshot.Value.Key, len(snapshot.Value.Key.Reveal()))
	// Output: 5 [secret] 5
}

// A function makes its loader once and asks it at each invocation. With
// API_KEY=ssm:/shop/prod/api#key in the environment, the same code reads
// Parameter Store.
func Example_lambda() {
	awsConfig, err := awsconfig.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	loader, err := config.New[Settings](os.Environ(), ssm.NewFromConfig(awsConfig))
	if err != nil {
		log.Fatal(err) // names every variable that is wrong
	}

	handler := func(ctx context.Context) error {
		snapshot, err := loader.Get(ctx)
		if err != nil {
			return err
		}
		return use(snapshot.Value)
	}
	_ = handler // lambda.Start(handler)
}

var errRefused = errors.New("401 Unauthorized")

func use(Settings) error { return nil }

// When a credential is refused, ask whether there is a newer one before giving
// up, and never try the same one twice.
func ExampleLoader_Refresh() {
	store := named{"/shop/key": "first"}
	loader, err := config.New[Settings]([]string{"API_KEY=ssm:/shop/key"}, store)
	if err != nil {
		log.Fatal(err)
	}
	login := func(s Settings) error {
		if s.Key.Reveal() != "second" {
			return errRefused
		}
		return nil
	}

	ctx := context.Background()
	snapshot, err := loader.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	store["/shop/key"] = "second" // somebody rotates the key
	err = login(snapshot.Value)
	if errors.Is(err, errRefused) {
		fresh, refreshErr := loader.Refresh(ctx, snapshot.Generation)
		switch {
		case refreshErr != nil:
			err = errors.Join(err, refreshErr)
		case fresh.Generation != snapshot.Generation:
			err = login(fresh.Value)
		}
	}
	fmt.Println(err)
	// Output: <nil>
}

// named is a source of its own, such as a file for a laptop: whatever answers
// GetParameters will do.
type named map[string]string

func (n named) GetParameters(_ context.Context, in *ssm.GetParametersInput, _ ...func(*ssm.Options)) (*ssm.GetParametersOutput, error) {
	out := &ssm.GetParametersOutput{}
	for _, name := range in.Names {
		if value, ok := n[name]; ok {
			out.Parameters = append(out.Parameters, types.Parameter{Name: aws.String(name), Value: aws.String(value)})
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

func ExampleParameterStore() {
	store := named{"/shop/limit": "7"}
	loader, err := config.New[Settings]([]string{"API_KEY=ssm:/shop/key", "LIMIT=ssm:/shop/limit"}, store)
	if err != nil {
		log.Fatal(err)
	}
	_, err = loader.Get(context.Background())
	fmt.Println(err)
	// Output: config: API_KEY (ssm:/shop/key): parameter not found
}

func ExampleParameter() {
	key := config.Parameter(named{"/shop/api": `{"key":"k-123"}`}, "/shop/api#key")
	secret, err := key.Get(context.Background())
	fmt.Println(secret, len(secret.Reveal()), err)
	// Output: [secret] 5 <nil>
}

type Window struct {
	From int `env:"FROM_HOUR" envDefault:"8"`
	To   int `env:"TO_HOUR" envDefault:"18"`
}

// Check has the rule that no single field can state.
func (w Window) Check() []config.Problem {
	if w.To <= w.From {
		return []config.Problem{{Variable: "TO_HOUR", Reason: "is not after FROM_HOUR"}}
	}
	return nil
}

func ExampleNew_check() {
	_, err := config.New[Window]([]string{"FROM_HOUR=20"}, nil)
	fmt.Println(err)
	// Output: config: TO_HOUR: is not after FROM_HOUR
}
