package x

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"html/template"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// requestLife is how long a request token may be exchanged.
const requestLife = 15 * time.Minute

// A requestToken is a PIN flow under way.
type requestToken struct {
	secret  string
	app     *app
	expires time.Time
	account *Account // nil until authorized
	pin     string
}

// requestToken starts a PIN flow: it answers a request token for an app that
// asks with oauth_callback=oob.
func (x *X) requestToken(w http.ResponseWriter, r *http.Request) {
	x.signed(w, r, func(who credential, now time.Time) answer {
		if who.params["oauth_callback"] != "oob" {
			return x.body("callback")
		}
		name, secret := rand.Text(), rand.Text()
		x.requests[name] = &requestToken{secret: secret, app: who.app, expires: now.Add(requestLife)}
		return form(url.Values{"oauth_token": {name}, "oauth_token_secret": {secret}, "oauth_callback_confirmed": {"true"}})
	}, func(string, *app) (string, bool) { return "", true })
}

// Authorize lets an account grant what a request token asks for, as its owner
// would on X's page, and returns the PIN that X shows.
func (x *X) Authorize(requestToken string, account uint64) (pin string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.grant(requestToken, strconv.FormatUint(account, 10), time.Now())
}

func (x *X) grant(requestToken, account string, now time.Time) (string, error) {
	t, ok := x.requests[requestToken]
	if !ok || now.After(t.expires) {
		return "", fmt.Errorf("authorize: the request token is unknown, used or expired")
	}
	a := x.account(account)
	if a == nil {
		return "", fmt.Errorf("authorize: no account %q", account)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(9_000_000))
	if err != nil {
		return "", fmt.Errorf("authorize: %w", err)
	}
	t.account, t.pin = a, strconv.FormatInt(1_000_000+n.Int64(), 10)
	return t.pin, nil
}

var page = template.Must(template.New("authorize").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Local X: authorize</title></head><body>
{{if .PIN}}<p>@{{.Account}} lets the app in. Go back to it and enter this PIN:</p>
<p><code id="oauth_pin">{{.PIN}}</code></p>
{{else}}<p>{{.Problem}}</p>
<form><input type="hidden" name="oauth_token" value="{{.Token}}">
<label>Account: @<input name="screen_name" required></label> <button>Authorize</button></form>
{{end}}</body></html>
`))

// authorize is the page that an account's owner sees. screen_name says who is
// logged in; without it, the page asks.
func (x *X) authorize(w http.ResponseWriter, r *http.Request) {
	token, account := r.FormValue("oauth_token"), r.FormValue("screen_name")
	data := struct{ Token, Account, PIN, Problem string }{Token: token, Account: account, Problem: "Which account lets the app in?"}
	status := http.StatusOK
	if account != "" {
		x.mu.Lock()
		pin, err := x.grant(token, account, time.Now())
		x.mu.Unlock()
		data.PIN = pin
		if err != nil {
			status, data.Problem = http.StatusForbidden, err.Error()
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	page.Execute(w, data)
}

// accessToken ends a PIN flow: the signature proves the request token's secret,
// the PIN that the account agreed. Both are good once.
func (x *X) accessToken(w http.ResponseWriter, r *http.Request) {
	x.signed(w, r, func(who credential, now time.Time) answer {
		t := x.requests[who.token]
		verifier := cmp.Or(who.params["oauth_verifier"], who.values.Get("oauth_verifier"))
		if t.pin == "" || verifier != t.pin {
			return x.body("invalid-verifier")
		}
		delete(x.requests, who.token)
		access := x.issue(t.account, t.app)
		return form(url.Values{"oauth_token": {access.Token}, "oauth_token_secret": {access.Secret},
			"user_id": {strconv.FormatUint(t.account.ID, 10)}, "screen_name": {t.account.Name}})
	}, func(name string, app *app) (string, bool) {
		t, ok := x.requests[name]
		if !ok || t.app != app || time.Now().After(t.expires) {
			return "", false
		}
		return t.secret, true
	})
}

// signed answers a request of the PIN flow whose signature is good.
func (x *X) signed(w http.ResponseWriter, r *http.Request, serve func(credential, time.Time) answer, secret func(string, *app) (string, bool)) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		x.body("too-large").write(w, r)
		return
	}
	x.mu.Lock()
	now := time.Now()
	who, wrong := x.verify(r, body, now, secret)
	a := x.body("auth-v1")
	if wrong == "" {
		a = serve(who, now)
	}
	x.mu.Unlock()
	a.write(w, r)
}

// form is an answer as the PIN flow gives it.
func form(v url.Values) answer {
	return answer{status: http.StatusOK, body: v.Encode(), contentType: "text/html;charset=utf-8"}
}
