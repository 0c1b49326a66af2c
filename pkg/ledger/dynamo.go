package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// OpenIndex is the table's local index on what is still open: its sort key is
// an attribute that only open rows have.
const OpenIndex = "open"

// DynamoDB is the part of *dynamodb.Client that a Table calls.
type DynamoDB interface {
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Table is a Store in a DynamoDB table with the keys "bot" and "key", both
// strings, and the local index [OpenIndex] on "bot" and "open". A row's fields
// are its attributes; "expires" is the table's time to live, for cleaning only.
type Table struct {
	db   DynamoDB
	name string
}

// NewTable returns the Store in the table of that name. It makes no call.
func NewTable(db DynamoDB, name string) *Table {
	return &Table{db, name}
}

type item map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func unmarshal(items []map[string]types.AttributeValue) ([]Row, error) {
	rows := make([]Row, len(items))
	for i, it := range items {
		if err := attributevalue.UnmarshalMap(it, &rows[i]); err != nil {
			var key string
			_ = attributevalue.Unmarshal(it["key"], &key) // a table's keys are strings
			return nil, fmt.Errorf("row %q: %w", key, err)
		}
		_, rows[i].Open = it["open"]
	}
	return rows, nil
}

func (t *Table) query(ctx context.Context, bot string, index *string) ([]Row, error) {
	pages := dynamodb.NewQueryPaginator(t.db, &dynamodb.QueryInput{
		TableName:                 &t.name,
		IndexName:                 index,
		ConsistentRead:            aws.Bool(true),
		KeyConditionExpression:    aws.String("bot = :bot"),
		ExpressionAttributeValues: item{":bot": str(bot)},
	})
	var rows []Row
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", t.name, err)
		}
		more, err := unmarshal(page.Items)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", t.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// Open implements Store.
func (t *Table) Open(ctx context.Context, bot string) ([]Row, error) {
	return t.query(ctx, bot, aws.String(OpenIndex))
}

// All implements Store.
func (t *Table) All(ctx context.Context, bot string) ([]Row, error) {
	return t.query(ctx, bot, nil)
}

// Rows implements Store. It takes at most 100 keys, DynamoDB's limit for one batch.
func (t *Table) Rows(ctx context.Context, bot string, keys []string) ([]Row, error) {
	var rows []Row
	ask := make([]map[string]types.AttributeValue, len(keys))
	for i, key := range keys {
		ask[i] = item{"bot": str(bot), "key": str(key)}
	}
	for len(ask) > 0 {
		out, err := t.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			t.name: {Keys: ask, ConsistentRead: aws.Bool(true)},
		}})
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", t.name, err)
		}
		more, err := unmarshal(out.Responses[t.name])
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", t.name, err)
		}
		rows = append(rows, more...)
		ask = out.UnprocessedKeys[t.name].Keys
	}
	return rows, nil
}

// Apply implements Store.
func (t *Table) Apply(ctx context.Context, bot string, rows []Row) error {
	writes := make([]types.TransactWriteItem, len(rows))
	for i, r := range rows {
		put := types.Put{TableName: &t.name, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
		if r.Rev == 0 {
			put.ConditionExpression = aws.String("attribute_not_exists(rev)")
		} else {
			put.ConditionExpression = aws.String("rev = :rev")
			put.ExpressionAttributeValues = item{":rev": &types.AttributeValueMemberN{Value: strconv.FormatInt(r.Rev, 10)}}
		}
		r.Rev++
		it, err := attributevalue.MarshalMap(r)
		if err != nil {
			return fmt.Errorf("row %q: %w", r.Key, err)
		}
		it["bot"] = str(bot)
		if r.Open {
			it["open"] = str(r.Key)
		}
		put.Item = it
		writes[i] = types.TransactWriteItem{Put: &put}
	}
	_, err := t.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes, ClientRequestToken: &rows[0].By})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		if err != nil {
			return fmt.Errorf("table %q: %w", t.name, err)
		}
		return nil
	}
	conflict, other := false, false
	for _, reason := range cancelled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "None", "":
		case "ConditionalCheckFailed", "TransactionConflict":
			var old Row
			if err := attributevalue.UnmarshalMap(reason.Item, &old); err == nil && old.By == rows[0].By {
				return nil
			}
			conflict = true
		default:
			other = true
		}
	}
	if conflict && !other {
		return ErrConflict
	}
	return fmt.Errorf("table %q: %w", t.name, err)
}
