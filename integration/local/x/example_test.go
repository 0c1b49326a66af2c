package x_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/dghubble/oauth1"

	"example.com/superbots/integration/local/x"
)

// A bot's view of X: an app, an account, something to find, and a signed post.
func Example() {
	world := x.New()
	world.AddApp("consumer key", "consumer secret")
	bot := world.AddAccount("superman")
	token := world.Issue(bot.ID, "consumer key")
	world.Add(x.Post{Author: "ann", Text: "Serverless is fun"})

	server := httptest.NewServer(world)
	defer server.Close()
	client := oauth1.NewConfig("consumer key", "consumer secret").
		Client(context.Background(), oauth1.NewToken(token.Token, token.Secret))
	resp, err := client.Post(server.URL+"/2/tweets", "application/json", strings.NewReader(`{"text":"Superman is fun"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	fmt.Println(resp.Status)
	for _, p := range world.Posts(bot.ID) {
		fmt.Println(p.Text)
	}
	// Output:
	// 201 Created
	// Superman is fun
}
