package twitter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"example.com/superbots/pkg/config"
	"github.com/dghubble/oauth1"
)

const (
	// timeout bounds one call, from dialling to the last byte of the answer.
	// X answers in well under a second; a run of 60 s fits three posts and
	// their search even when each takes this long.
	timeout = 10 * time.Second

	// maxBody is the largest answer that is read. A page of ten long posts
	// (25,000 characters each, at worst 6 bytes a character) is 1.5 MB.
	maxBody = 4 << 20
)

// transport is shared by all clients, so that a client with new keys uses the
// connections of the one before. It reads no proxy from the environment, since
// Lambda has none, and speaks HTTP/1 only, where one request at a time makes
// it plain what was written. A frozen function's connections are too old to
// be used when it thaws.
var transport = &http.Transport{
	DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	TLSHandshakeTimeout:    5 * time.Second,
	IdleConnTimeout:        15 * time.Second,
	MaxResponseHeaderBytes: 64 << 10,
	Protocols:              http1(),
}

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// errIncomplete is a 2xx answer that lacks what was asked for.
var errIncomplete = errors.New("answer is incomplete")

// A wire carries signed requests.
type wire struct {
	http *http.Client // signs, follows no redirect, gives up after timeout
	hide *strings.Replacer
}

func newWire(keys Keys) wire {
	ctx := context.WithValue(context.Background(), oauth1.HTTPClient, &http.Client{Transport: transport})
	app := oauth1.NewConfig(keys.ConsumerKey.Reveal(), keys.ConsumerSecret.Reveal())
	c := app.Client(ctx, oauth1.NewToken(keys.AccessToken.Reveal(), keys.AccessSecret.Reveal()))
	c.Timeout = timeout // oauth1 takes over the transport only
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	var hide []string
	for _, key := range []config.Secret{keys.ConsumerKey, keys.ConsumerSecret, keys.AccessToken, keys.AccessSecret} {
		if s := key.Reveal(); len(s) >= 8 { // a shorter one is a word; X's have 25 and more
			hide = append(hide, s, key.String())
		}
	}
	return wire{c, strings.NewReplacer(hide...)}
}

// send makes one call and decodes a 2xx answer, which it has read whole. Every
// error is an *Error. POST is Create, all else reads.
func (w wire) send(op string, req *http.Request, decode func(body []byte) error) error {
	on := read
	if req.Method == http.MethodPost {
		on = create
	}
	// A space as %20 is one to every server, and so is its signature (RFC 5849,
	// section 3.6); url.Values writes it as "+", and a real plus as %2B.
	req.URL.RawQuery = strings.ReplaceAll(req.URL.RawQuery, "+", "%20")
	// With a body, even an empty one, without GetBody and without an
	// Idempotency-Key header, net/http never sends a request a second time on
	// its own. Nor may it send a GET: X would see the same nonce again, and
	// refuse the credentials.
	if req.Body == nil || req.Body == http.NoBody {
		req.Body = io.NopCloser(strings.NewReader(""))
	}
	req.GetBody = nil
	// The headers go through a buffer that is flushed after WroteHeaders, and a
	// failed RoundTrip waits for its writer: when this was not called by then,
	// no byte left this machine.
	var wrote atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		WroteHeaders: func() { wrote.Store(true) },
	}))

	res, err := w.http.Do(req)
	if err != nil {
		class := unreadable(on)
		if on == create && !wrote.Load() {
			class = NotSent
		}
		return &Error{Class: class, Op: op, Err: w.cause(err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if len(body) > maxBody {
		body, err = nil, fmt.Errorf("answer of more than %d bytes", maxBody)
	}
	// A server may quote the request, and with it the public halves of the keys.
	body = []byte(w.hide.Replace(string(body)))
	if res.StatusCode/100 != 2 {
		e := classify(on, op, res.StatusCode, res.Header, body)
		e.Err = err
		return e
	}
	if err == nil {
		err = decode(body)
	}
	if err != nil {
		return &Error{Class: unreadable(on), Op: op, Status: res.StatusCode, Err: err}
	}
	return nil
}

// cause takes the URL, which may be long and is known, off an error of
// net/http, and the keys off a malformed answer that it quotes.
func (w wire) cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if s := w.hide.Replace(err.Error()); s != err.Error() {
		return errors.New(s)
	}
	return err
}
