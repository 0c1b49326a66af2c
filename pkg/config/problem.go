package config

import (
	"fmt"
	"strings"
)

// An Error lists every setting that is wrong, each variable once. Neither its text nor any other printed form holds a value, and never
// the message of an AWS error, which may quote one.
type Error struct {
	Problems []Problem
}

// newError keeps the first problem of each variable.
func newError(problems []Problem) *Error {
	e := &Error{}
	seen := map[string]bool{}
	for _, p := range problems {
		if p.Variable == "" || !seen[p.Variable] {
			e.Problems = append(e.Problems, p)
			seen[p.Variable] = true
		}
	}
	return e
}

// Error returns all problems on one line.
func (e *Error) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Error()
	}
	return "config: " + strings.Join(texts, "; ")
}

// Unwrap returns each problem, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		errs[i] = p
	}
	return errs
}

// A Problem is one setting that is wrong. It is an error itself.
type Problem struct {
	Variable  string // the environment variable; "" for the value of Parameter
	Reference string // what the variable refers to; "" where it holds the value itself or no valid reference
	Reason    string // a short sentence; the same fault always has the same one

	// Err has the AWS error in its chain, for errors.As; nil where no call
	// failed. Its own text is the reason: only the error found by errors.As
	// shows what AWS wrote.
	Err error `json:"-"`
}

// Error returns the variable, the reference and the reason.
func (p Problem) Error() string {
	switch {
	case p.Variable == "" && p.Reference == "":
		return p.Reason
	case p.Variable == "":
		return p.Reference + ": " + p.Reason
	case p.Reference == "":
		return p.Variable + ": " + p.Reason
	default:
		return fmt.Sprintf("%s (%s): %s", p.Variable, p.Reference, p.Reason)
	}
}

// Unwrap returns p.Err.
func (p Problem) Unwrap() error { return p.Err }

// Invalid is the reason for which an UnmarshalText method refuses a value. It
// is shown as it is, so it must not quote the value. The same holds for any
// error with a method Reason() string, so that a type need not import this
// package; every other error is reduced to "is not a valid TYPE".
type Invalid string

func (i Invalid) Error() string { return string(i) }

// Reason returns what Error returns.
func (i Invalid) Reason() string { return string(i) }

// A cause keeps an AWS error for errors.As and hides what it says. fmt finds
// an address in it, as in a Secret.
type cause struct {
	reason string
	err    *error
}

func (c cause) Error() string { return c.reason }
func (c cause) Unwrap() error { return *c.err }
