package scale

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// A table is a DynamoDB table with the local index of the ledger, as far as a
// ledger.Table speaks to it. It counts the units that DynamoDB bills.
//
// Reads, all of them consistent: 1 for each 4 KB, of a whole page of a query and
// of each item of a batch, and 1 where nothing is found
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
// Writes: 1 for each KB of the larger of the old and the new item, twice in a
// transaction; and 1 for each KB of the index's entry if that is put, changed or
// removed (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html),
// which a transaction does not double (measured by others at AWS in 2026-08:
// https://github.com/nubo-db/dynoxide/pull/188).
type table struct {
	items map[string]item // by bot and key
	calls map[string]int  // by operation
	units Units
}

type item map[string]map[string]any

func (t *table) clear() { t.calls, t.units = make(map[string]int), Units{} }

func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	type put struct {
		ConditionExpression       string
		ExpressionAttributeValues item
		Item                      item
	}
	var ask struct {
		IndexName                 string
		ConsistentRead            bool
		ExpressionAttributeValues item
		RequestItems              map[string]struct {
			ConsistentRead bool
			Keys           []item
		}
		TransactItems []struct{ Put put }
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		panic(err) // unreachable: the SDK writes JSON
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	t.calls[op]++
	answer := make(map[string]any)
	switch op {
	case "Query":
		var found []item
		size := 0
		for _, it := range t.items {
			if it["bot"]["S"] == ask.ExpressionAttributeValues[":bot"]["S"] && (ask.IndexName == "" || it["open"] != nil) {
				found = append(found, it)
				size += it.size()
			}
		}
		t.read(size, ask.ConsistentRead)
		answer["Items"] = found
	case "BatchGetItem":
		found := make(map[string][]item)
		for name, batch := range ask.RequestItems {
			for _, key := range batch.Keys {
				it, ok := t.items[key.key()]
				if ok {
					found[name] = append(found[name], it)
				}
				t.read(it.size(), batch.ConsistentRead)
			}
		}
		answer["Responses"] = found
	case "TransactWriteItems":
		for _, w := range ask.TransactItems {
			old := t.items[w.Put.Item.key()]
			rev, _ := old["rev"]["N"].(string)
			if asked, _ := w.Put.ExpressionAttributeValues[":rev"]["N"].(string); asked != rev {
				panic(fmt.Sprintf("%s has revision %q and not %q", w.Put.Item.key(), rev, asked)) // unreachable: one run at a time
			}
			t.write(old, w.Put.Item)
			t.items[w.Put.Item.key()] = w.Put.Item
		}
	default:
		panic("no operation " + op) // unreachable: a ledger.Table makes these three
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err) // unreachable: what was JSON is JSON
	}
}

func (t *table) read(size int, consistent bool) {
	if !consistent {
		panic("not a consistent read") // the ledger's promise, and twice the price of another one
	}
	t.units.Reads += max(1, (size+4095)/4096)
}

func (t *table) write(old, new item) {
	kilobytes := (max(old.size(), new.size()) + 1023) / 1024
	t.units.Writes += 2 * kilobytes
	if old["open"] != nil || new["open"] != nil {
		t.units.Writes += kilobytes
	}
}

func (it item) key() string { return fmt.Sprint(it["bot"]["S"], "/", it["key"]["S"]) }

// size returns an item's size in bytes, by
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
func (it item) size() int {
	n := 0
	for name, value := range it {
		n += len(name) + sizeOf(value)
	}
	return n
}

func sizeOf(value any) int {
	for kind, v := range value.(map[string]any) {
		switch kind {
		case "S":
			return len(v.(string))
		case "N":
			return (len(strings.Trim(v.(string), "-0"))+1)/2 + 1
		case "BOOL", "NULL":
			return 1
		case "L":
			n := 3
			for _, element := range v.([]any) {
				n += 1 + sizeOf(element)
			}
			return n
		case "M":
			n := 3
			for name, element := range v.(map[string]any) {
				n += 1 + len(name) + sizeOf(element)
			}
			return n
		}
	}
	panic(fmt.Sprintf("an attribute like %v", value)) // unreachable: the ledger has no others
}

// RoundTrip lets a client call the table without a network, which a synctest
// bubble needs.
func (t *table) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.ServeHTTP(w, r)
	return w.Result(), nil
}
