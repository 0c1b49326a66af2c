package ledger

import (
	"fmt"
	"strings"
)

// A Location says where a ledger is: "dynamodb:TABLE", "file:PATH" or
// "memory:".
type Location struct {
	kind, name string
}

// invalid is a reason that never holds the value it speaks of.
type invalid string

func (e invalid) Error() string  { return string(e) }
func (e invalid) Reason() string { return string(e) }

// UnmarshalText reads a Location.
func (l *Location) UnmarshalText(text []byte) error {
	kind, name, _ := strings.Cut(string(text), ":")
	if ok := (kind == "dynamodb" || kind == "file") && name != "" || string(text) == "memory:"; !ok {
		return invalid("must be dynamodb:TABLE, file:PATH or memory:")
	}
	*l = Location{kind, name}
	return nil
}

// String returns the Location as it is written.
func (l Location) String() string { return l.kind + ":" + l.name }

// IsZero reports whether l is unset.
func (l Location) IsZero() bool { return l.kind == "" }

// Deployed reports whether the ledger outlives the machine and is shared by
// all that run the bot.
func (l Location) Deployed() bool { return l.kind == "dynamodb" }

// Open returns the Store at l. It calls db, which only a DynamoDB location
// needs, for no table; a file is made if there is none.
func (l Location) Open(db func() DynamoDB) (Store, error) {
	switch l.kind {
	case "dynamodb":
		return NewTable(db(), l.name), nil
	case "file":
		return OpenFile(l.name)
	case "memory":
		return new(Memory), nil
	}
	return nil, fmt.Errorf("no ledger at %q", l)
}
