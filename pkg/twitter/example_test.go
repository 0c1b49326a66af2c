package twitter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"example.com/superbots/pkg/config"
	"example.com/superbots/pkg/twitter"
)

// fakeX answers a search with one post, and a create with a refusal.
func fakeX() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"title":"Forbidden","status":403,"type":"about:blank","detail":"You are not allowed to create a Tweet with duplicate content."}`)
			return
		}
		io.WriteString(w, `{"data":[{"id":"1212092628029698048","text":"Is it a bird? It is serverless!"}],"meta":{"result_count":1}}`)
	}))
}

var keys = twitter.Keys{
	ConsumerKey: config.NewSecret("app"), ConsumerSecret: config.NewSecret("app's secret"),
	AccessToken: config.NewSecret("2116-bot"), AccessSecret: config.NewSecret("bot's secret"),
}

func ExampleClient_Search() {
	x := fakeX()
	defer x.Close()
	var base twitter.BaseURL
	if err := base.UnmarshalText([]byte(x.URL)); err != nil {
		fmt.Println(err)
		return
	}
	client := twitter.New(base.URL(), keys)

	yesterday := twitter.FirstID(time.Now().Add(-24 * time.Hour))
	page, err := client.Search(context.Background(), "serverless lang:en -is:retweet", yesterday, 0, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, post := range page.Posts {
		fmt.Println(post.ID, post.CreatedAt.Format(time.DateOnly), post.Text)
	}
	// Output: 1212092628029698048 2019-12-31 Is it a bird? It is serverless!
}

func ExampleError() {
	x := fakeX()
	defer x.Close()
	var base twitter.BaseURL
	if err := base.UnmarshalText([]byte(x.URL)); err != nil {
		fmt.Println(err)
		return
	}

	_, err := twitter.New(base.URL(), keys).Create(context.Background(), "It is Superman!")
	fmt.Println(err)
	var e *twitter.Error
	if errors.As(err, &e) {
		switch e.Class {
		case twitter.Duplicate:
			fmt.Println("X has it already: look at the own timeline")
		case twitter.Unknown:
			fmt.Println("X may have it: wait, then look at the own timeline")
		case twitter.NotSent:
			fmt.Println("X has not seen it: try again")
		}
	}
	// Output:
	// POST /2/tweets: duplicate: status 403 "You are not allowed to create a Tweet with duplicate content."
	// X has it already: look at the own timeline
}

func ExampleBaseURL() {
	var base twitter.BaseURL
	fmt.Println(base.UnmarshalText([]byte("http://127.0.0.1:8080")), base.URL(), base.Loopback())
	fmt.Println(base.UnmarshalText([]byte("https://api.x.com")), base.URL(), base.Loopback())
	// Output:
	// <nil> http://127.0.0.1:8080 true
	// <nil> https://api.x.com false
}
