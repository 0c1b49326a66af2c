package x

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockSkew is how far a request's oauth_timestamp may be from X's clock.
const clockSkew = 5 * time.Minute

// A credential is what a signed request proves: an app and, when it names a
// token, that token.
type credential struct {
	app    *app
	token  string
	params map[string]string // the OAuth parameters
	values url.Values        // of the query and, for a form, of the body
}

// verify checks the signature of a request. secret returns the secret of a
// token and the app it belongs to; it is asked for the empty token where the
// request names none. What is wrong is returned as the case of bodies.go that
// v1.1 answers with; v2 makes no difference between them.
func (x *X) verify(r *http.Request, body []byte, now time.Time, secret func(token string, app *app) (string, bool)) (credential, string) {
	params, ok := parseAuthorization(r.Header.Get("Authorization"))
	if !ok || params["oauth_signature_method"] != "HMAC-SHA1" || params["oauth_nonce"] == "" {
		return credential{}, "bad-auth"
	}
	if v, given := params["oauth_version"]; given && v != "1.0" {
		return credential{}, "bad-auth"
	}
	seconds, err := strconv.ParseInt(params["oauth_timestamp"], 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > clockSkew {
		return credential{}, "clock"
	}
	app, ok := x.apps[params["oauth_consumer_key"]]
	if !ok {
		return credential{}, "auth-v1"
	}
	name := params["oauth_token"]
	tokenSecret, ok := secret(name, app)
	if !ok {
		return credential{}, "invalid-token"
	}
	values, err := requestValues(r, body)
	if err != nil {
		return credential{}, "bad-auth"
	}
	want := sign(baseString(r, values, params), app.secret, tokenSecret)
	if !hmac.Equal([]byte(want), []byte(params["oauth_signature"])) {
		return credential{}, "auth-v1"
	}
	if !x.nonces.fresh(strings.Join([]string{app.key, name, params["oauth_timestamp"], params["oauth_nonce"]}, " "), now) {
		return credential{}, "auth-v1"
	}
	return credential{app, name, params, values}, ""
}

// nonces are the nonces seen lately, in two generations.
type nonces struct {
	began         time.Time // when recent began
	recent, older map[string]struct{}
}

// fresh notes a nonce and says whether it is new. It is remembered at least
// until its timestamp alone would be refused.
func (n *nonces) fresh(nonce string, now time.Time) bool {
	if n.recent == nil || now.Sub(n.began) > 2*clockSkew {
		n.began, n.recent, n.older = now, map[string]struct{}{}, n.recent
	}
	_, recent := n.recent[nonce]
	_, older := n.older[nonce]
	n.recent[nonce] = struct{}{}
	return !recent && !older
}

// parseAuthorization reads the protocol parameters from an Authorization header
// (RFC 5849, section 3.5.1). A parameter given twice is refused.
func parseAuthorization(header string) (map[string]string, bool) {
	scheme, list, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "OAuth") {
		return nil, false
	}
	params := map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		name, quoted, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' {
			return nil, false
		}
		value, err := url.PathUnescape(quoted[1 : len(quoted)-1])
		if _, twice := params[name]; err != nil || twice {
			return nil, false
		}
		params[name] = value
	}
	return params, true
}

// requestValues are the parameters of the query and, for a form only, of the body.
func requestValues(r *http.Request, body []byte) (url.Values, error) {
	query := r.URL.RawQuery
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t == "application/x-www-form-urlencoded" {
		query += "&" + string(body)
	}
	return url.ParseQuery(query)
}

// baseString is the signature base string (RFC 5849, section 3.4.1) of a request
// as the server sees it: scheme and host as called, its values and the OAuth
// parameters.
func baseString(r *http.Request, values url.Values, oauth map[string]string) string {
	var pairs []string
	for name, list := range values {
		for _, value := range list {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	for name, value := range oauth {
		if name != "oauth_signature" && name != "realm" {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	// Section 3.4.1.3.2 sorts by name, then by value. "=" sorts after "-", "."
	// and "%", so whole pairs would not do.
	slices.SortFunc(pairs, func(a, b string) int {
		an, av, _ := strings.Cut(a, "=")
		bn, bv, _ := strings.Cut(b, "=")
		if an != bn {
			return strings.Compare(an, bn)
		}
		return strings.Compare(av, bv)
	})

	scheme, host := "http", strings.ToLower(r.Host)
	if r.TLS != nil {
		scheme = "https"
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	uri := scheme + "://" + host + r.URL.EscapedPath()
	return r.Method + "&" + escape(uri) + "&" + escape(strings.Join(pairs, "&"))
}

// sign is HMAC-SHA1 of RFC 5849, section 3.4.2.
func sign(base, consumerSecret, tokenSecret string) string {
	mac := hmac.New(sha1.New, []byte(escape(consumerSecret)+"&"+escape(tokenSecret)))
	mac.Write([]byte(base))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// escape is the percent-encoding of RFC 5849, section 3.6.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
