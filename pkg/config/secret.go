package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[secret]"

// A Secret holds a string that no print path shows: fmt's verbs, JSON, text
// encoders and slog all write "[secret]" instead. The value sits behind a
// pointer, because fmt and reflection reach unexported fields of other structs
// without calling any method; what they find there is an address.
//
// The zero Secret reveals the empty string. A Secret may be copied and used by
// many goroutines at once.
type Secret struct {
	value *string
}

// NewSecret returns a Secret that holds value.
func NewSecret(value string) Secret {
	return Secret{&value}
}

// Reveal returns the value. Call it where the value is used, and nowhere else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Format writes "[secret]" for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// String returns "[secret]".
func (s Secret) String() string { return redacted }

// LogValue returns "[secret]" to every slog handler.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[secret]", for JSON, XML and map keys alike.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText makes s hold a copy of text.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
