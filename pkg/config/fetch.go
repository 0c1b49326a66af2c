package config

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

const (
	// maxNames is what one GetParameters call may ask for.
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
	maxNames = 10

	// maxCalls run at the same time: 30 parameters take the time of one call,
	// and a cold start with more of them stays far below the 40 calls a second
	// that all functions of an account share.
	maxCalls = 3
)

// A ParameterStore is the one call that this package makes. *ssm.Client has
// it; so may any other source of named values. A reply holds every name that
// was asked for, except those that do not exist.
type ParameterStore interface {
	GetParameters(context.Context, *ssm.GetParametersInput, ...func(*ssm.Options)) (*ssm.GetParametersOutput, error)
}

type parameter struct {
	value   Secret
	version int64
}

func (p parameter) equal(q parameter) bool {
	return p.version == q.version && p.value.Reveal() == q.value.Reveal()
}

// A failure is why one name could not be read.
type failure struct {
	reason  string
	lasting bool  // somebody's decision: asking again gives the same answer
	err     error // nil where the reply merely lacks the name
}

// A reading is what one fetch found: each name ends in exactly one of the maps.
type reading struct {
	mu     sync.Mutex // guards all below
	found  map[string]parameter
	failed map[string]failure
	calls  int
}

// fetch reads all names, ten a call, and returns when every call has ended.
func fetch(ctx context.Context, store ParameterStore, names []string) *reading {
	r := &reading{found: map[string]parameter{}, failed: map[string]failure{}}
	var running sync.WaitGroup
	slots := make(chan struct{}, maxCalls)
	for batch := range slices.Chunk(names, maxNames) {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			r.call(ctx, store, batch)
		})
	}
	running.Wait()
	return r
}

// call reads up to ten names. One name that is denied fails the call for all,
// so that each is then asked for alone.
func (r *reading) call(ctx context.Context, store ParameterStore, names []string) {
	out, err := store.GetParameters(ctx, &ssm.GetParametersInput{Names: names, WithDecryption: aws.Bool(true)})
	why := failure{reason: notFound, lasting: true}
	if err != nil {
		why = classify(err)
		out = &ssm.GetParametersOutput{}
	}
	alone := err != nil && why.lasting && len(names) > 1

	r.mu.Lock()
	r.calls++
	if !alone {
		r.sort(names, out, why)
	}
	r.mu.Unlock()

	if alone {
		for _, name := range names {
			r.call(ctx, store, []string{name})
		}
	}
}

// sort files each name under found or, as why, under failed. A reply comes in
// any order, and has the name and the selector that was asked for in two
// fields, the latter with its colon.
func (r *reading) sort(names []string, out *ssm.GetParametersOutput, why failure) {
	replies := map[string]parameter{}
	for _, p := range out.Parameters {
		one := parameter{NewSecret(aws.ToString(p.Value)), p.Version}
		replies[aws.ToString(p.Name)+aws.ToString(p.Selector)] = one
		replies[aws.ToString(p.ARN)+aws.ToString(p.Selector)] = one
	}
	for _, name := range names {
		if p, ok := replies[name]; ok {
			r.found[name] = p
		} else {
			r.failed[name] = why
		}
	}
}

const notFound = "parameter not found"

// lastingReasons has the error codes that are decisions. Everything else, what
// is not known included, may pass.
var lastingReasons = map[string]string{
	"AccessDeniedException":    "access denied",
	"AccessDenied":             "access denied",
	"ParameterNotFound":        notFound,
	"ParameterVersionNotFound": notFound,
	"InvalidKeyId":             "key is disabled or cannot be used",
	"DisabledException":        "key is disabled or cannot be used",
	"KMSInvalidStateException": "key is disabled or cannot be used",
	"InvalidKeyUsageException": "key is disabled or cannot be used",
	"ValidationException":      "refused as not valid",
}

func classify(err error) failure {
	reason, lasting := "no answer: no connection or no credentials", false
	var api smithy.APIError
	var unreadable *smithy.DeserializationError
	switch {
	case errors.As(err, &api):
		code := api.ErrorCode()
		if reason, lasting = lastingReasons[code]; lasting {
			break
		}
		if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
			reason = "throttled"
		} else {
			reason = "the call failed (" + code + ")"
		}
	case errors.Is(err, context.DeadlineExceeded):
		reason = "no answer in time"
	case errors.As(err, &unreadable):
		reason = "the answer is broken"
	}
	return failure{reason, lasting, cause{reason, &err}}
}
