package config

import (
	"context"
	"strings"
)

// A Value is one parameter, read when it is first asked for and kept fresh. Its
// methods may be called by many goroutines at once.
type Value struct {
	loader *Loader[Secret]
	err    error
}

// Parameter returns the value that reference names: a parameter's plain name,
// or anything that a variable may hold, such as "ssm:/x:3#field". It makes no
// call; what is wrong with the reference is the error of every Get.
func Parameter(store ParameterStore, reference string) *Value {
	if !strings.HasPrefix(reference, referencePrefix) {
		reference = referencePrefix + reference
	}
	ref, err := parseReference(reference)
	if err != nil {
		return &Value{err: newError([]Problem{{Reason: "the reference " + err.Error()}})}
	}
	return &Value{loader: newLoader(store, []binding{{"", ref}}, func(resolved map[string]string) (Secret, []Problem) {
		return NewSecret(resolved[""]), nil
	})}
}

// Get returns the value. It is read, kept and refreshed by the rules of
// Loader.Get, with the standard 15 minutes and six hours.
func (v *Value) Get(ctx context.Context) (Secret, error) {
	if v.err != nil {
		return Secret{}, v.err
	}
	snapshot, err := v.loader.Get(ctx)
	if err != nil {
		return Secret{}, err
	}
	return snapshot.Value, nil
}
