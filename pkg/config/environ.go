package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caarlos0/env/v11"
)

const (
	ttlVariable      = "CONFIG_TTL"
	maxStaleVariable = "CONFIG_MAX_STALE"
)

// A binding is a variable that holds a reference.
type binding struct {
	variable string
	reference
}

// An environment turns variables into a T. It never changes once built.
type environment[T any] struct {
	fields   []env.FieldParams // what T names, in its order
	literals map[string]string // the whole environment, references included
	bindings map[string]reference
}

// readEnvironment looks at the variables that T names. The error is about T
// itself; what is wrong with the variables is in the problems.
func readEnvironment[T any](literals map[string]string) (environment[T], []Problem, error) {
	fields, err := env.GetFieldParamsWithOptions(new(T), env.Options{Environment: literals})
	if err != nil {
		return environment[T]{}, nil, fmt.Errorf("config: read the env tags of %T: %w", *new(T), err)
	}
	e := environment[T]{fields, literals, map[string]reference{}}
	var problems []Problem
	for _, f := range fields {
		if !isReference(literals[f.Key]) {
			continue
		}
		ref, err := parseReference(literals[f.Key])
		if err != nil {
			problems = append(problems, Problem{Variable: f.Key, Reason: "is not a valid reference: it " + err.Error()})
		}
		e.bindings[f.Key] = ref
	}
	return e, problems, nil
}

// order returns the bindings in the order in which T names them.
func (e environment[T]) order() []binding {
	var bound []binding
	for _, f := range e.fields {
		if ref, ok := e.bindings[f.Key]; ok {
			bound = append(bound, binding{f.Key, ref})
		}
	}
	return bound
}

// decode returns the settings: what the environment itself holds, and what
// resolved holds for its references. A field whose reference is not in resolved
// is zero, and no problem of it is reported.
func (e environment[T]) decode(resolved map[string]string) (T, []Problem) {
	unknown := func(variable string) bool {
		_, bound := e.bindings[variable]
		_, known := resolved[variable]
		return bound && !known
	}
	values := maps.Clone(e.literals)
	maps.Copy(values, resolved)
	for _, f := range e.fields {
		if unknown(f.Key) {
			delete(values, f.Key)
		} else if values[f.Key] == "" && f.HasDefaultValue {
			values[f.Key] = f.DefaultValue
		}
	}

	var t T
	problems := e.explain(parse(&t, values), values)
	if c, ok := any(&t).(interface{ Check() []Problem }); ok {
		problems = append(problems, c.Check()...)
	}
	problems = slices.DeleteFunc(problems, func(p Problem) bool { return unknown(p.Variable) })
	for i, p := range problems {
		if ref, bound := e.bindings[p.Variable]; bound {
			problems[i].Reference = ref.String()
		}
	}
	return t, problems
}

// parse decodes values and nothing else: decode has put the defaults in.
func parse[T any](t *T, values map[string]string) []error {
	var all env.AggregateError
	errors.As(env.ParseWithOptions(t, env.Options{Environment: values, DefaultValueTagName: "-"}), &all)
	return all.Errors
}

// explain says which variable each error is about. The errors of package env
// are looked at and never passed on, since most of them quote the value. Those
// of a value that does not decode name only the field, so the variables are
// decoded one by one, with all others empty.
func (e environment[T]) explain(errs []error, values map[string]string) []Problem {
	var problems []Problem
	var undecoded error
	for _, err := range errs {
		switch err := err.(type) {
		case env.VarIsNotSetError:
			problems = append(problems, Problem{Variable: err.Key, Reason: "is not set"})
		case env.EmptyVarError:
			problems = append(problems, Problem{Variable: err.Key, Reason: "is empty"})
		default:
			undecoded = err
		}
	}
	if undecoded == nil {
		return problems
	}
	missing := len(problems)
	for _, f := range e.fields {
		alone := maps.Clone(values)
		for _, other := range e.fields {
			if other.Key != f.Key {
				alone[other.Key] = ""
			}
		}
		for _, err := range parse(new(T), alone) {
			if r := reason(err); r != "" {
				problems = append(problems, Problem{Variable: f.Key, Reason: r})
			}
		}
	}
	if len(problems) == missing { // the value is made of several variables, by the tag option "expand"
		problems = append(problems, Problem{Reason: "a value made of several variables " + reason(undecoded)})
	}
	return problems
}

// reason returns why a value does not decode, or "" for an error that is about
// a missing one.
func reason(err error) string {
	switch err := err.(type) {
	case env.ParseError:
		var told interface{ Reason() string }
		if errors.As(err.Err, &told) {
			return told.Reason()
		}
		return fmt.Sprintf("is not a valid %v", err.Type)
	case env.NoParserError:
		return fmt.Sprintf("cannot be decoded into a %v", err.Type)
	case env.LoadFileContentError:
		return "names a file that cannot be read"
	}
	return ""
}

// pick returns the value itself, or one string field of the JSON object that
// it holds. Its errors never quote the value.
func pick(value, field string) (string, error) {
	if field == "" {
		return value, nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(value), &object) != nil || object == nil {
		return "", errors.New("is not a JSON object")
	}
	raw, ok := object[field]
	if !ok {
		return "", fmt.Errorf("has no field %q", field)
	}
	var text *string // stays nil for null
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", fmt.Errorf("field %q is not a string", field)
	}
	return *text, nil
}

// duration reads one of the loader's own settings.
func duration(literals map[string]string, variable string, standard time.Duration) (time.Duration, []Problem) {
	value := literals[variable]
	switch {
	case value == "":
		return standard, nil
	case isReference(value):
		return 0, []Problem{{Variable: variable, Reason: "must hold the value itself, not a reference"}}
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, []Problem{{Variable: variable, Reason: "is not a positive duration such as 15m or 6h"}}
	}
	return d, nil
}
