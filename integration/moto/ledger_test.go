package moto_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/superbots/integration/moto"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/ledger/ledgertest"
)

func TestTable(t *testing.T) {
	db := dynamodb.NewFromConfig(moto.Start(t).Config)
	ledgertest.TestStore(t, func(t *testing.T) ledger.Store {
		return ledger.NewTable(db, createTable(t, db, "bot", "key", ledger.OpenIndex))
	})
}

// createTable creates an empty table with the keys hash and sort, both strings,
// and an index on hash and the attribute "open", and returns its name.
func createTable(t *testing.T, db *dynamodb.Client, hash, sort, index string) string {
	t.Helper()
	name := "ledger-" + rand.Text()
	var attributes []types.AttributeDefinition
	for _, attribute := range []string{hash, sort, "open"} {
		attributes = append(attributes, types.AttributeDefinition{
			AttributeName: &attribute, AttributeType: types.ScalarAttributeTypeS,
		})
	}
	keys := func(sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: &hash, KeyType: types.KeyTypeHash},
			{AttributeName: &sort, KeyType: types.KeyTypeRange},
		}
	}
	_, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            &name,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: attributes,
		KeySchema:            keys(sort),
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{
			IndexName:  &index,
			KeySchema:  keys("open"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTableOfAnotherMake(t *testing.T) {
	db := dynamodb.NewFromConfig(moto.Start(t).Config)
	for name, test := range map[string]struct {
		table string
		want  string
	}{
		"no table":      {"no-such-table", "ResourceNotFoundException"},
		"other keys":    {createTable(t, db, "pk", "sk", ledger.OpenIndex), "key schema"},
		"no open index": {createTable(t, db, "bot", "key", "by-time"), "index: open"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ledger.Load(t.Context(), ledger.NewTable(db, test.table), "superman", "run")
			if err == nil {
				t.Fatal("Load: no error")
			}
			for _, want := range []string{"superman", test.table, test.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Load: got %v, want it to say %q", err, want)
				}
			}
		})
	}
}

// TestLostAnswerReason shows what a Table relies on: a transaction that is
// cancelled tells what is stored in the place of each row.
func TestLostAnswerReason(t *testing.T) {
	db := dynamodb.NewFromConfig(moto.Start(t).Config)
	name := createTable(t, db, "bot", "key", ledger.OpenIndex)
	table := ledger.NewTable(db, name)
	row := ledger.Row{Key: "a", By: "first", Text: &ledger.Text{Source: 1}}
	if err := table.Apply(t.Context(), "superman", []ledger.Row{row}); err != nil {
		t.Fatal(err)
	}

	seen := &lastTransaction{Client: db}
	row.By = "second"
	if err := ledger.NewTable(seen, name).Apply(t.Context(), "superman", []ledger.Row{row}); !errors.Is(err, ledger.ErrConflict) {
		t.Fatalf("Apply: got %v, want %v", err, ledger.ErrConflict)
	}
	var cancelled *types.TransactionCanceledException
	if !errors.As(seen.err, &cancelled) || len(cancelled.CancellationReasons) != 1 {
		t.Fatalf("got %v, want a cancelled transaction with one reason", seen.err)
	}
	reason := cancelled.CancellationReasons[0]
	if code := aws.ToString(reason.Code); code != "ConditionalCheckFailed" {
		t.Errorf("got the reason %q, want ConditionalCheckFailed", code)
	}
	if by, ok := reason.Item["by"].(*types.AttributeValueMemberS); !ok || by.Value != "first" {
		t.Errorf("got the item %v, want the one written by %q", reason.Item, "first")
	}
}

// lastTransaction keeps the error of the last transaction.
type lastTransaction struct {
	*dynamodb.Client
	err error
}

func (l *lastTransaction) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	out, err := l.Client.TransactWriteItems(ctx, in, opts...)
	l.err = err
	return out, err
}
