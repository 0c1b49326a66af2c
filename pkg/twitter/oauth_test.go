package twitter

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/superbots/pkg/config"
)

const (
	consumerKey    = "canary-consumer-key"
	consumerSecret = "canary-consumer-secret&%"
	accessToken    = "2116-canary-access-token"
	accessSecret   = "canary access+secret"
)

var testKeys = Keys{
	ConsumerKey:    config.NewSecret(consumerKey),
	ConsumerSecret: config.NewSecret(consumerSecret),
	AccessToken:    config.NewSecret(accessToken),
	AccessSecret:   config.NewSecret(accessSecret),
}

// percent encodes s as RFC 3986 and RFC 5849, section 3.6, ask.
func percent(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// signatureOf computes the HMAC-SHA1 signature that r should carry, and returns
// it with the parameters of its Authorization header, after RFC 5849,
// sections 3.4 and 3.5.1. It sees r as a server does.
func signatureOf(t *testing.T, r *http.Request, body, consumerSecret, tokenSecret string) (want string, oauth map[string]string) {
	t.Helper()
	oauth = map[string]string{}
	var pairs []string
	list, ok := strings.CutPrefix(r.Header.Get("Authorization"), "OAuth ")
	if !ok {
		t.Fatalf("Authorization is not OAuth's")
	}
	for part := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		value, err := url.PathUnescape(strings.Trim(value, `"`))
		if err != nil {
			t.Fatal(err)
		}
		oauth[name] = value
		if name != "oauth_signature" && name != "realm" {
			pairs = append(pairs, percent(name)+"="+percent(value))
		}
	}
	queries := []string{r.URL.RawQuery}
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		queries = append(queries, body)
	}
	for _, q := range queries {
		for part := range strings.SplitSeq(q, "&") {
			if part == "" {
				continue
			}
			name, value, _ := strings.Cut(part, "=")
			name, err1 := url.QueryUnescape(name)
			value, err2 := url.QueryUnescape(value)
			if err1 != nil || err2 != nil {
				t.Fatalf("query %q", q)
			}
			pairs = append(pairs, percent(name)+"="+percent(value))
		}
	}
	slices.Sort(pairs)
	scheme := "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	base := r.Method + "&" + percent(scheme+"://"+strings.ToLower(r.Host)+r.URL.EscapedPath()) + "&" + percent(strings.Join(pairs, "&"))
	mac := hmac.New(sha1.New, []byte(percent(consumerSecret)+"&"+percent(tokenSecret)))
	io.WriteString(mac, base)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)), oauth
}

// X's documented example, as it stands in its guide "Creating a signature" (the
// edition for api.twitter.com/1), proves signatureOf itself.
func TestSignatureOfPublishedExample(t *testing.T) {
	body := "status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21"
	r := httptest.NewRequest("POST", "https://api.twitter.com/1/statuses/update.json?include_entities=true", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", `OAuth oauth_consumer_key="xvz1evFS4wEEPTGEFPHBog", `+
		`oauth_nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", oauth_signature="tnnArxj06cWHq44gCs1OSKk%2FjLY%3D", `+
		`oauth_signature_method="HMAC-SHA1", oauth_timestamp="1318622958", `+
		`oauth_token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", oauth_version="1.0"`)
	got, oauth := signatureOf(t, r, body,
		"kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE")
	if want := oauth["oauth_signature"]; got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
}

// verify fails the test unless r is signed with testKeys, and returns its nonce.
func verify(t *testing.T, r *http.Request, body string) (nonce string) {
	t.Helper()
	want, oauth := signatureOf(t, r, body, consumerSecret, accessSecret)
	if oauth["oauth_signature"] != want {
		t.Errorf("%s %s: signature %q, want %q", r.Method, r.URL, oauth["oauth_signature"], want)
	}
	if oauth["oauth_consumer_key"] != consumerKey || oauth["oauth_token"] != accessToken {
		t.Errorf("%s %s: signed by %q with %q", r.Method, r.URL, oauth["oauth_consumer_key"], oauth["oauth_token"])
	}
	return oauth["oauth_nonce"]
}

// serve starts a server on loopback and returns its address.
func serve(t *testing.T, h http.HandlerFunc) *url.URL {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return parseURL(t, srv.URL)
}

func parseURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
