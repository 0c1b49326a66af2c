package twitter

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A BaseURL says where X is. It is either X itself, over https, or a loopback
// address, so that no setting can send signed requests anywhere else. The zero
// BaseURL says nothing.
type BaseURL struct {
	scheme, host string
	loopback     bool
}

// invalid is a reason that never holds the value it speaks of.
type invalid string

func (e invalid) Error() string  { return string(e) }
func (e invalid) Reason() string { return string(e) }

const errBaseURL invalid = "must be https://api.x.com or https://api.twitter.com, " +
	"or http or https on a loopback address (127.0.0.0/8 or [::1], any port), " +
	"with no user, path, query or fragment"

// UnmarshalText accepts https on api.x.com or api.twitter.com, in any case and
// with no port but 443, and http or https on a loopback address with any port.
// The host "localhost" is refused: it is a name, and what it stands for is up
// to the machine's resolver. The error states this rule and never the text.
func (b *BaseURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil {
		return errBaseURL
	}
	// What is left of the URL when only scheme and host are kept must be all
	// of it. The comparison ignores case in scheme and host.
	bare := url.URL{Scheme: u.Scheme, Host: u.Host}
	if !strings.EqualFold(bare.String(), string(text)) {
		return errBaseURL
	}
	host := strings.ToLower(u.Host)
	switch host {
	case "api.x.com", "api.x.com:443", "api.twitter.com", "api.twitter.com:443":
		if u.Scheme != "https" {
			return errBaseURL
		}
		*b = BaseURL{scheme: u.Scheme, host: strings.TrimSuffix(host, ":443")}
		return nil
	}
	if u.Scheme != "http" && u.Scheme != "https" || strings.HasSuffix(host, ":") {
		return errBaseURL
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil || !(addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback()) {
		return errBaseURL
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return errBaseURL
		}
	}
	*b = BaseURL{scheme: u.Scheme, host: host, loopback: true}
	return nil
}

// Loopback reports whether b is an address of this machine.
func (b BaseURL) Loopback() bool { return b.loopback }

// URL returns b as a URL of the caller's own, or nil for the zero BaseURL.
func (b BaseURL) URL() *url.URL {
	if b == (BaseURL{}) {
		return nil
	}
	return &url.URL{Scheme: b.scheme, Host: b.host}
}
