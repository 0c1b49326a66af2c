package twitter

import (
	"fmt"
	"testing"
)

func TestBaseURL(t *testing.T) {
	const rule = "must be https://api.x.com or https://api.twitter.com, or http or https on a loopback address " +
		"(127.0.0.0/8 or [::1], any port), with no user, path, query or fragment"
	for _, tt := range []struct {
		in, want string // want "" means refused
		loopback bool
	}{
		{"https://api.x.com", "https://api.x.com", false},
		{"https://api.twitter.com", "https://api.twitter.com", false},
		{"https://api.x.com:443", "https://api.x.com", false},
		{"HTTPS://API.X.com", "https://api.x.com", false},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080", true},
		{"https://127.0.0.1:8443", "https://127.0.0.1:8443", true},
		{"http://127.9.8.7", "http://127.9.8.7", true},
		{"http://[::1]:9", "http://[::1]:9", true},
		{"http://[::1]", "http://[::1]", true},

		{in: ""},
		{in: "api.x.com"},
		{in: "//api.x.com"},
		{in: "http://api.x.com"},
		{in: "http://api.x.com:443"},
		{in: "https://api.x.com:8443"},
		{in: "https://api.x.com:"},
		{in: "https://api.x.com/"},
		{in: "https://api.x.com/2"},
		{in: "https://api.x.com?"},
		{in: "https://api.x.com?a=b"},
		{in: "https://api.x.com#"},
		{in: "https://api.x.com#f"},
		{in: "https://api.x.com."},
		{in: "https://user@api.x.com"},
		{in: "https://user:hunter2@api.x.com"},
		{in: "https://@api.x.com"},
		{in: "https://api.x.com@evil.example"},
		{in: "https://api.x.com:443@evil.example"},
		{in: "https://api.x.com\\@evil.example"},
		{in: "https://api.x.com.evil.example"},
		{in: "https://evilapi.x.com"},
		{in: "https://x.com"},
		{in: "https://ap\u0456.x.com"}, // Cyrillic i
		{in: "https://api.x\u3002com"}, // ideographic full stop
		{in: "https://ap\u0130.x.com"}, // lower-cases to i
		{in: "https://xn--ap-6ja.x.com"},
		{in: "https://api%2Ex.com"},
		{in: " https://api.x.com"},
		{in: "https://api.x.com\n"},
		{in: "ftp://127.0.0.1"},
		{in: "http:127.0.0.1"},
		{in: "http://localhost:8080"},
		{in: "http://localhost.evil.example"},
		{in: "http://127.0.0.1.evil.example"},
		{in: "http://10.0.0.1"},
		{in: "http://0.0.0.0:80"},
		{in: "http://169.254.169.254"},
		{in: "http://2130706433"},
		{in: "http://0177.0.0.1"},
		{in: "http://127.1"},
		{in: "http://127.0.0.1:"},
		{in: "http://127.0.0.1:0"},
		{in: "http://127.0.0.1:65536"},
		{in: "http://127.0.0.1/"},
		{in: "http://u@127.0.0.1"},
		{in: "http://[::1%25lo]:80"},
		{in: "http://[::ffff:127.0.0.1]:80"},
		{in: "http://[::]:80"},
	} {
		var b BaseURL
		err := b.UnmarshalText([]byte(tt.in))
		if tt.want == "" {
			if err == nil {
				t.Errorf("%q: accepted as %v", tt.in, b.URL())
			} else if err.Error() != rule {
				t.Errorf("%q: error %q, want the rule and nothing else: %q", tt.in, err, rule)
			}
			if b != (BaseURL{}) {
				t.Errorf("%q: refused, but set", tt.in)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if got := b.URL().String(); got != tt.want || b.Loopback() != tt.loopback {
			t.Errorf("%q: %s, loopback %t; want %s, %t", tt.in, got, b.Loopback(), tt.want, tt.loopback)
		}
	}
}

func TestBaseURLZeroAndCopy(t *testing.T) {
	var b BaseURL
	if b.URL() != nil || b.Loopback() {
		t.Errorf("zero BaseURL is %v, loopback %t", b.URL(), b.Loopback())
	}
	if err := b.UnmarshalText([]byte("https://api.x.com")); err != nil {
		t.Fatal(err)
	}
	b.URL().Host = "evil.example"
	if got := fmt.Sprint(b.URL()); got != "https://api.x.com" {
		t.Errorf("after changing a returned URL: %s", got)
	}
}
