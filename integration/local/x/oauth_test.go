package x

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The published examples: RFC 5849 sections 3.4.1.1 and 3.4.1.3.1 (the signature
// is of errata 2550's secrets), and X's "Creating a signature".
func TestPublishedVectors(t *testing.T) {
	const ladies = "status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21"
	xHeader := `OAuth oauth_consumer_key="xvz1evFS4wEEPTGEFPHBog", oauth_nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", ` +
		`oauth_signature="unused", oauth_signature_method="HMAC-SHA1", oauth_timestamp="1318622958", ` +
		`oauth_token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", oauth_version="1.0"`
	for _, test := range []struct {
		name, url, header, body     string
		consumerSecret, tokenSecret string
		base, signature             string
	}{
		{
			name: "RFC 5849",
			url:  "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
			header: `OAuth realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7", ` +
				`oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a", oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"`,
			body: "c2&a3=2+q",
			base: "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26" +
				"oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26" +
				"oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7",
			consumerSecret: "j49sk3j29djd",
			tokenSecret:    "dh893hdasih9",
			signature:      "r6/TJjbCOr97/+UU0NsvSne7s5g=",
		},
		{
			name:           "X, version 1",
			url:            "https://api.twitter.com/1/statuses/update.json?include_entities=true",
			header:         xHeader,
			body:           ladies,
			consumerSecret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
			tokenSecret:    "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
			base: "POST&https%3A%2F%2Fapi.twitter.com%2F1%2Fstatuses%2Fupdate.json&include_entities%3Dtrue%26oauth_consumer_key%3Dxvz1evFS4wEEPTGEFPHBog%26" +
				"oauth_nonce%3DkYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1318622958%26" +
				"oauth_token%3D370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb%26oauth_version%3D1.0%26" +
				"status%3DHello%2520Ladies%2520%252B%2520Gentlemen%252C%2520a%2520signed%2520OAuth%2520request%2521",
			signature: "tnnArxj06cWHq44gCs1OSKk/jLY=",
		},
		{
			name:           "X, version 1.1",
			url:            "https://api.twitter.com:443/1.1/statuses/update.json?include_entities=true",
			header:         xHeader,
			body:           ladies,
			consumerSecret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
			tokenSecret:    "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
			signature:      "hCtSmYh+iHYCEqBWrE7C7hYmtUk=",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", test.url, strings.NewReader(test.body))
			if strings.HasPrefix(test.url, "https:") {
				r.TLS = &tls.ConnectionState{}
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			params, ok := parseAuthorization(test.header)
			if !ok {
				t.Fatalf("the header %q is not understood", test.header)
			}
			values, err := requestValues(r, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			base := baseString(r, values, params)
			if test.base != "" && base != test.base {
				t.Errorf("base string\n got %s\nwant %s", base, test.base)
			}
			if got := sign(base, test.consumerSecret, test.tokenSecret); got != test.signature {
				t.Errorf("signature %s, want %s", got, test.signature)
			}
		})
	}
}

func TestParametersAreSortedByNameFirst(t *testing.T) {
	r := httptest.NewRequest("GET", "http://h/?a=2&a=10&a-b=1&aa=0&%E2%82%AC=1", nil)
	values, _ := requestValues(r, nil)
	const want = "GET&http%3A%2F%2Fh%2F&%25E2%2582%25AC%3D1%26a%3D10%26a%3D2%26a-b%3D1%26aa%3D0"
	if got := baseString(r, values, nil); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestOnlyAFormIsSigned(t *testing.T) {
	for contentType, want := range map[string]string{
		"application/x-www-form-urlencoded": "POST&http%3A%2F%2Fh%2F&a%3D1",
		"application/json":                  "POST&http%3A%2F%2Fh%2F&",
		"":                                  "POST&http%3A%2F%2Fh%2F&",
	} {
		r := httptest.NewRequest(http.MethodPost, "http://h/", nil)
		r.Header.Set("Content-Type", contentType)
		values, _ := requestValues(r, []byte("a=1"))
		if got := baseString(r, values, nil); got != want {
			t.Errorf("%q: got %s, want %s", contentType, got, want)
		}
	}
}

func TestMalformedAuthorization(t *testing.T) {
	for _, header := range []string{
		"", "OAuth", "Bearer abc", `OAuth a`, `OAuth a=b`, `OAuth a="`, `OAuth a="%zz"`, `OAuth a="1", a="2"`,
	} {
		if params, ok := parseAuthorization(header); ok {
			t.Errorf("%q is accepted as %v", header, params)
		}
	}
}
