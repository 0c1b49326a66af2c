package ledger_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/superbots/pkg/ledger"
)

// A request is what a Table sends, as far as these tests look at it.
type request struct {
	operation                 string
	IndexName                 string
	ConsistentRead            bool
	ClientRequestToken        string
	ExclusiveStartKey         map[string]any
	ExpressionAttributeValues map[string]any
	RequestItems              map[string]struct {
		Keys           []map[string]any
		ConsistentRead bool
	}
	TransactItems []struct {
		Put struct {
			Item                                map[string]any
			ConditionExpression                 string
			ExpressionAttributeValues           map[string]any
			ReturnValuesOnConditionCheckFailure string
		}
	}
}

// An answer is what DynamoDB says to one request.
type answer struct {
	status int // 0: the connection is cut before the answer
	body   string
}

// table returns the Table "ledger" in a DynamoDB that gives these answers, one
// after the other, and what it was asked.
func table(t *testing.T, answers ...answer) (*ledger.Table, *[]request) {
	t.Helper()
	asked := new([]request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		req := request{operation: operation}
		body, err := io.ReadAll(r.Body)
		if err := errors.Join(err, json.Unmarshal(body, &req)); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, req)
		if len(*asked) > len(answers) {
			t.Errorf("one %s too many", operation)
			http.Error(w, `{"__type":"ValidationException"}`, http.StatusBadRequest)
			return
		}
		a := answers[len(*asked)-1]
		if a.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if len(*asked) != len(answers) {
			t.Errorf("%d requests, want %d", len(*asked), len(answers))
		}
	})
	return ledger.NewTable(dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer:      retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond),
	}), "ledger"), asked
}

func ok(body string) answer { return answer{http.StatusOK, body} }

func cancelled(reasons string) answer {
	return answer{http.StatusBadRequest, `{
		"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
		"Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
		"CancellationReasons": [` + reasons + `]}`}
}

// textItem is the item of a row as DynamoDB returns it.
func textItem(key, by string) string {
	return `{"bot":{"S":"superman"},"key":{"S":"` + key + `"},"rev":{"N":"1"},"by":{"S":"` + by + `"},"text":{"M":{"source":{"N":"9007199254740993"}}}}`
}

func textRow(key, by string) ledger.Row {
	return ledger.Row{Key: key, Rev: 1, By: by, Text: &ledger.Text{Source: 9007199254740993}}
}

func TestTableUnprocessedKeys(t *testing.T) {
	table, asked := table(t,
		ok(`{"Responses":{"ledger":[`+textItem("b", "x")+`]},"UnprocessedKeys":{"ledger":{"Keys":[{"bot":{"S":"superman"},"key":{"S":"a"}}]}}}`),
		ok(`{"Responses":{"ledger":[`+textItem("a", "x")+`]},"UnprocessedKeys":{}}`),
	)
	rows, err := table.Rows(t.Context(), "superman", []string{"a", "b"})
	must(t, err)
	equal(t, "rows", rows, []ledger.Row{textRow("b", "x"), textRow("a", "x")})
	for i, keys := range []int{2, 1} {
		got := (*asked)[i]
		items := got.RequestItems["ledger"]
		if got.operation != "BatchGetItem" || len(items.Keys) != keys || !items.ConsistentRead {
			t.Errorf("request %d: got %+v, want a consistent BatchGetItem of %d keys", i, got, keys)
		}
	}
	equal(t, "what is asked for again", (*asked)[1].RequestItems["ledger"].Keys[0]["key"], any(map[string]any{"S": "a"}))
}

func TestTablePages(t *testing.T) {
	pages := []answer{
		ok(`{"Items":[` + textItem("a", "x") + `],"LastEvaluatedKey":{"bot":{"S":"superman"},"key":{"S":"a"}}}`),
		ok(`{"Items":[` + textItem("b", "x") + `]}`),
	}
	for index, read := range map[string]func(*ledger.Table) ([]ledger.Row, error){
		"":     func(table *ledger.Table) ([]ledger.Row, error) { return table.All(t.Context(), "superman") },
		"open": func(table *ledger.Table) ([]ledger.Row, error) { return table.Open(t.Context(), "superman") },
	} {
		table, asked := table(t, pages...)
		rows, err := read(table)
		must(t, err)
		equal(t, "rows", rows, []ledger.Row{textRow("a", "x"), textRow("b", "x")})
		for _, got := range *asked {
			if got.operation != "Query" || got.IndexName != index || !got.ConsistentRead {
				t.Errorf("got %+v, want a consistent Query of the index %q", got, index)
			}
			equal(t, "the bot", got.ExpressionAttributeValues[":bot"], any(map[string]any{"S": "superman"}))
		}
		equal(t, "where the second page starts", (*asked)[1].ExclusiveStartKey["key"], any(map[string]any{"S": "a"}))
	}
}

func TestTableWrites(t *testing.T) {
	table, asked := table(t, ok(`{}`))
	open := ledger.Row{Key: "post#1", By: "call", Open: true, Expires: 5, Post: &ledger.Post{ID: 9007199254740993, State: ledger.Pending}}
	must(t, table.Apply(t.Context(), "superman", []ledger.Row{open, textRow("a", "call")}))
	got := (*asked)[0]
	equal(t, "operation and token", got.operation+" "+got.ClientRequestToken, "TransactWriteItems call")
	post, text := got.TransactItems[0].Put, got.TransactItems[1].Put
	for name, want := range map[string]any{
		"bot": map[string]any{"S": "superman"}, "key": map[string]any{"S": "post#1"}, "open": map[string]any{"S": "post#1"},
		"rev": map[string]any{"N": "1"}, "expires": map[string]any{"N": "5"},
	} {
		equal(t, name, post.Item[name], want)
	}
	id := post.Item["post"].(map[string]any)["M"].(map[string]any)["id"]
	equal(t, "a number that no float64 holds", id, any(map[string]any{"N": "9007199254740993"}))
	equal(t, "the condition of a new row", post.ConditionExpression, "attribute_not_exists(rev)")
	equal(t, "the condition of an old row", text.ConditionExpression, "rev = :rev")
	equal(t, "its revision", text.ExpressionAttributeValues[":rev"], any(map[string]any{"N": "1"}))
	equal(t, "its next revision", text.Item["rev"], any(map[string]any{"N": "2"}))
	for _, name := range []string{"open", "expires"} {
		if v, ok := text.Item[name]; ok {
			t.Errorf("a row that has no %q is written with %v", name, v)
		}
	}
	for _, put := range got.TransactItems {
		equal(t, "what a refusal returns", put.Put.ReturnValuesOnConditionCheckFailure, "ALL_OLD")
	}
}

func TestTableCancelled(t *testing.T) {
	const none = `{"Code":"None"}`
	refused := func(by string) string {
		return `{"Code":"ConditionalCheckFailed","Message":"The conditional request failed","Item":` + textItem("a", by) + `}`
	}
	const gone = `{"Code":"ConditionalCheckFailed","Message":"The conditional request failed"}`
	const busy = `{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"}`
	const slow = `{"Code":"ThrottlingError","Message":"Throughput exceeds the current capacity"}`
	other := errors.New("another error")
	for name, test := range map[string]struct {
		reasons string
		want    error
	}{
		"somebody else wrote a row":            {none + "," + refused("somebody"), ledger.ErrConflict},
		"a row is gone":                        {gone + "," + none, ledger.ErrConflict},
		"somebody else is writing a row":       {none + "," + busy, ledger.ErrConflict},
		"this call was obeyed before":          {none + "," + refused("call"), nil},
		"obeyed, and somebody wrote since":     {refused("somebody") + "," + refused("call"), nil},
		"obeyed, and somebody is writing now":  {busy + "," + refused("call"), nil},
		"obeyed, and there is no capacity now": {slow + "," + refused("call"), nil},
		"no capacity":                          {none + "," + slow, other},
		"no capacity, and somebody else wrote": {refused("somebody") + "," + slow, other},
		"no reason":                            {none + "," + none, other},
	} {
		t.Run(name, func(t *testing.T) {
			table, _ := table(t, cancelled(test.reasons))
			err := table.Apply(t.Context(), "superman", []ledger.Row{textRow("a", "call"), textRow("b", "call")})
			switch {
			case test.want != other:
				is(t, err, test.want)
			case errors.Is(err, ledger.ErrConflict):
				t.Errorf("got %v, want an error that is no conflict", err)
			default:
				says(t, err, `"ledger"`, "TransactionCanceledException")
			}
		})
	}
}

// The SDK tries again when an answer is lost, and DynamoDB knows the call again
// by its token.
func TestTableTriesAgain(t *testing.T) {
	table, asked := table(t, answer{}, ok(`{}`))
	must(t, table.Apply(t.Context(), "superman", []ledger.Row{textRow("a", "call")}))
	equal(t, "the token of the second request", (*asked)[1].ClientRequestToken, "call")
}

func TestTableForeignItem(t *testing.T) {
	table, _ := table(t, ok(`{"Items":[{"bot":{"S":"superman"},"key":{"S":"post#1"},"post":{"S":"posted"}}]}`))
	_, err := ledger.Load(t.Context(), table, "superman", "run")
	says(t, err, `"superman"`, `"ledger"`, `"post#1"`)
}
