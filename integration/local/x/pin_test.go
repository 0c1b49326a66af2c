package x_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dghubble/oauth1"

	"example.com/superbots/integration/local/x"
)

func flow(w *world) *oauth1.Config {
	return &oauth1.Config{ConsumerKey: key, ConsumerSecret: secret, CallbackURL: "oob", Endpoint: oauth1.Endpoint{
		RequestTokenURL: w.base + "/oauth/request_token",
		AuthorizeURL:    w.base + "/oauth/authorize",
		AccessTokenURL:  w.base + "/oauth/access_token",
	}}
}

func TestPINFlow(t *testing.T) {
	w := serve(t)
	config := flow(w)
	token, tokenSecret, err := config.RequestToken()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.AccessToken(token, tokenSecret, ""); err == nil {
		t.Error("an access token without the account's consent")
	}
	page, err := config.AuthorizationURL(token)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(page.String() + "&force_login=true")
	read(t, resp, err).want(t, 200, `name="screen_name"`)
	resp, err = http.Get(page.String() + "&force_login=true&screen_name=nobody")
	read(t, resp, err).want(t, 403, "no account &#34;nobody&#34;")
	resp, err = http.Get(page.String() + "&force_login=true&screen_name=superman")
	shown := read(t, resp, err)
	shown.want(t, 200, "@superman")
	pin := regexp.MustCompile(`<code id="oauth_pin">([0-9]{7})</code>`).FindStringSubmatch(shown.body)
	if pin == nil {
		t.Fatalf("no PIN on the page:\n%s", shown.body)
	}

	const refused = "401: Error processing your OAuth request: Invalid oauth_verifier parameter"
	if _, _, err := config.AccessToken(token, tokenSecret, "0000000"); err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("a wrong PIN: %v", err)
	}
	if _, _, err := config.AccessToken(token, "guess", pin[1]); err == nil || !strings.Contains(err.Error(), `"code":32`) {
		t.Errorf("a wrong secret: %v", err)
	}
	access, accessSecret, err := config.AccessToken(token, tokenSecret, pin[1])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(access, text(w.bot.ID)+"-") {
		t.Errorf("the access token is %.20s…, want it to begin with %d-", access, w.bot.ID)
	}
	w.client = w.signer(x.Token{Token: access, Secret: accessSecret})
	w.get("/2/users/me").want(t, 200, `"username":"superman"`)
	if _, _, err := config.AccessToken(token, tokenSecret, pin[1]); err == nil {
		t.Error("the PIN is good twice")
	}
}

func TestAccessTokenNamesTheAccount(t *testing.T) {
	w := serve(t)
	config := flow(w)
	token, tokenSecret, err := config.RequestToken()
	if err != nil {
		t.Fatal(err)
	}
	pin, err := w.Authorize(token, w.bot.ID)
	if err != nil {
		t.Fatal(err)
	}
	// The verifier may also stand in the form, as X's documentation shows it.
	client := config.Client(t.Context(), oauth1.NewToken(token, tokenSecret))
	resp, err := client.Post(w.base+"/oauth/access_token", "application/x-www-form-urlencoded", strings.NewReader("oauth_verifier="+pin))
	read(t, resp, err).want(t, 200, "user_id="+text(w.bot.ID), "screen_name=superman", "oauth_token_secret=")
}

func TestRequestTokenIsRefused(t *testing.T) {
	w := serve(t)
	for change, want := range map[string]func(*oauth1.Config){
		`"code":415`: func(c *oauth1.Config) { c.CallbackURL = "https://example.com/" },
		`"code":32`:  func(c *oauth1.Config) { c.ConsumerSecret = "guess" },
	} {
		config := flow(w)
		want(config)
		if _, _, err := config.RequestToken(); err == nil || !strings.Contains(err.Error(), change) {
			t.Errorf("got %v, want %s", err, change)
		}
	}
	if _, err := w.Authorize("guess", w.bot.ID); err == nil {
		t.Error("an unknown request token is authorized")
	}
}

func TestRequestTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		config := flow(w)
		config.HTTPClient = &http.Client{Transport: direct{w.X}}
		token, tokenSecret, err := config.RequestToken()
		if err != nil {
			t.Fatal(err)
		}
		pin, err := w.Authorize(token, w.bot.ID)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(16 * time.Minute)
		if _, _, err := config.AccessToken(token, tokenSecret, pin); err == nil {
			t.Error("an expired request token is exchanged")
		}
		if _, err := w.Authorize(token, w.bot.ID); err == nil {
			t.Error("an expired request token is authorized")
		}
	})
}
