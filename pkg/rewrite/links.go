package rewrite

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A link is a part of a text that X makes a link of: a URL, or a domain with a
// known top level that stands without a protocol. Offsets are in bytes.
type link struct {
	start, end int
	// unpaid is how many UTF-16 units at the end X weighs on top of the link:
	// where it links only the first part of a domain, and yet the path behind
	// the domain, it loses count of what lies between.
	unpaid int
}

const (
	maxLink  = 4096 // UTF-16 units, protocol included
	maxLabel = 63   // octets between two dots of a domain (RFC 1035, section 2.3.4)
	maxSlug  = 40   // characters of a t.co link
)

// links returns the links of text in order: what twitter-text 3.1.0 finds with
// its regular expression extractUrl, quirks included. The expression is taken
// apart here into loops that visit no part of the text more than a few times.
func links(text string) []link {
	if !hasTopLevel(text) {
		return nil
	}
	var found []link
	s := scanner{text: text}
	for s.next() {
		found = s.appendLinks(found)
	}
	return found
}

// WithoutLinks returns text without what X makes links of, and otherwise as it
// is. Since X puts links of its own in their place, it is what stays the same of
// a text that was posted; it is text itself if there is no link in it.
func WithoutLinks(text string) string {
	var b strings.Builder
	at := 0
	for _, l := range links(text) {
		b.WriteString(text[at:l.start])
		at = l.end
	}
	b.WriteString(text[at:])
	return b.String()
}

// hasTopLevel reports whether a top-level domain stands behind a dot of text.
// Without one there is no link, and most texts have none.
func hasTopLevel(text string) bool {
	for at := 0; ; {
		dot := strings.IndexByte(text[at:], '.')
		if dot < 0 {
			return false
		}
		at += dot + 1
		if topLevelEnd(text, at) > 0 {
			return true
		}
	}
}

// A scanner goes through a text from match to match of the link pattern.
type scanner struct {
	text string
	at   int // where the search goes on

	// The last match.
	before        byte // last byte in front of it, or 0 at the start of the text
	half          bool // the host begins with the second half of a surrogate pair
	start, end    int
	host, hostEnd int // host is start if there is no protocol
	path          int // 0 if there is none

	dead   int // no host starts before this offset
	walked int // no host that starts before this offset has more than one label
}

// next finds the next match. The pattern takes one character in front of the
// link, or the start of the text. It sees UTF-16, so one half of a character
// beyond the Basic Multilingual Plane may be in front and the other in the host.
func (s *scanner) next() bool {
	for s.at < len(s.text) {
		at := s.at
		r, size := utf8.DecodeRuneInString(s.text[at:])
		s.before = s.text[at]
		if s.half = r > 0xFFFF; s.half && s.match(at) {
			return true
		}
		if s.half = false; mayPrecede(r) && s.match(at+size) {
			return true
		}
		if at == 0 && s.match(0) {
			s.before = 0
			return true
		}
		s.at += size
	}
	return false
}

func mayPrecede(r rune) bool {
	switch r {
	case '@', '＠', '$', '#', '＃', 0xFFFE, 0xFEFF, 0xFFFF:
		return false
	}
	return !isAlnum(r)
}

// match reports whether the pattern matches at start; if so, the search goes on
// behind the match, whether or not a link comes of it.
func (s *scanner) match(start int) bool {
	host := start + protocolLen(s.text[start:])
	hostEnd := s.hostFrom(host)
	if hostEnd < 0 {
		return false
	}
	s.start, s.host, s.hostEnd = start, host, hostEnd
	s.end, s.path = hostEnd, 0
	if digits := portDigits(s.text[hostEnd:]); digits > 0 {
		s.end += 1 + digits
	}
	if strings.HasPrefix(s.text[s.end:], "/") {
		s.path = s.end
		s.end += 1 + pathLen(s.text[s.end+1:])
	}
	s.end += queryLen(s.text[s.end:])
	s.at = s.end
	return true
}

// hostFrom returns where the longest host that starts at start ends, or -1. A
// host is labels with a dot behind each, and a top-level domain behind the last;
// that last label may not hold an underscore.
func (s *scanner) hostFrom(start int) int {
	if start < s.dead {
		return -1
	}
	first := labelAt(s.text, start)
	if !first.ok {
		if first.end > start {
			s.dead = first.end
		}
		return -1
	}
	end := first.topLevelEnd(s.text)
	if at := first.end + 1; at > s.walked {
		for {
			l := labelAt(s.text, at)
			if !l.ok {
				break
			}
			if e := l.topLevelEnd(s.text); e > 0 {
				end = e
			}
			at = l.end + 1
		}
		s.walked = at
	}
	if end < 0 {
		s.dead = first.end
		if first.underscore >= 0 {
			s.dead = first.underscore + 1
		}
	}
	return end
}

// A label is what stands between two dots of a host.
type label struct {
	end        int
	underscore int  // offset of the last one, or -1
	ok         bool // it begins and ends as a label must, with a dot behind
}

// labelAt returns the label that starts at start. If the first character cannot
// begin a label, it ends where it starts.
func labelAt(text string, start int) label {
	l := label{end: start, underscore: -1}
	for i, r := range text[start:] {
		switch {
		case in(r, inLabel, nil) || r >= utf8.RuneSelf && !unicode.Is(notLabel, r):
			l.ok = true
		case (r == '-' || r == '_') && i > 0:
			l.ok = false
			if r == '_' {
				l.underscore = start + i
			}
		default:
			l.end = start + i
			l.ok = l.ok && r == '.'
			return l
		}
	}
	l.end = len(text)
	l.ok = false
	return l
}

// topLevelEnd returns where the top-level domain behind l ends, or -1.
func (l label) topLevelEnd(text string) int {
	if l.underscore >= 0 {
		return -1
	}
	return topLevelEnd(text, l.end+1)
}

// topLevelEnd returns where the top-level domain that starts at start ends, or
// -1 if none does. What follows may not continue the word.
func topLevelEnd(text string, start int) int {
	var folded [utf8.UTFMax * longestTopLevel]byte
	var ends [longestTopLevel]struct{ folded, text int }
	name, chars := folded[:0], 0
	for at := start; at < len(text) && chars < longestTopLevel; chars++ {
		r, size := utf8.DecodeRuneInString(text[at:])
		if r < utf8.RuneSelf && !isLetter(r) {
			break
		}
		at += size
		name = utf8.AppendRune(name, fold(r))
		ends[chars].folded, ends[chars].text = len(name), at
	}
	for _, end := range slices.Backward(ends[:chars]) {
		next, _ := utf8.DecodeRuneInString(text[end.text:])
		if isAlnum(next) || next == '@' || next == '+' || next == '-' {
			continue
		}
		if _, ok := slices.BinarySearch(topLevel, string(name[:end.folded])); ok {
			return end.text
		}
	}
	const punycode = "xn--"
	if rest := text[start:]; len(rest) > len(punycode) && strings.EqualFold(rest[:len(punycode)], punycode) {
		n := countFunc(rest[len(punycode):], func(r rune) bool { return r == '-' || isAlnum(r) })
		if n > 0 {
			return start + len(punycode) + n
		}
	}
	return -1
}

// fold returns the lower case of r as JavaScript's case-insensitive expressions
// see it: no character beyond ASCII equals one within.
func fold(r rune) rune {
	lower := unicode.ToLower(unicode.ToUpper(r))
	if r >= utf8.RuneSelf && lower < utf8.RuneSelf {
		return r
	}
	return lower
}

func protocolLen(text string) int {
	for _, p := range [...]string{"http://", "https://"} {
		if len(text) >= len(p) && strings.EqualFold(text[:len(p)], p) {
			return len(p)
		}
	}
	return 0
}

// portDigits returns the number of digits of the port that text starts with.
func portDigits(text string) int {
	if !strings.HasPrefix(text, ":") {
		return 0
	}
	return countFunc(text[1:], func(r rune) bool { return '0' <= r && r <= '9' })
}

// pathLen returns the length of the path that text starts with, without its
// first slash. Punctuation at the end does not belong to it; balanced
// parentheses do.
func pathLen(text string) int {
	end := 0
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case in(r, endsPath, pathEndLetters):
			end = at + size
		case isPath(r):
		case r == '(':
			if size = parenthesesLen(text[at:]); size == 0 {
				return end
			}
			end = at + size
		default:
			return end
		}
		at += size
	}
	return end
}

// parenthesesLen returns the length of the parentheses that text, a path from
// its "(" on, starts with: (a) or (a(b)c), where only b must not be empty.
func parenthesesLen(text string) int {
	at := 1 + countFunc(text[1:], isPath)
	if strings.HasPrefix(text[at:], "(") {
		inner := countFunc(text[at+1:], isPath)
		at += 1 + inner
		if inner == 0 || !strings.HasPrefix(text[at:], ")") {
			return 0
		}
		at += 1 + countFunc(text[at+1:], isPath)
	} else if at == 1 {
		return 0
	}
	if !strings.HasPrefix(text[at:], ")") {
		return 0
	}
	return at + 1
}

// queryLen returns the length of the query that text starts with, "?" included.
func queryLen(text string) int {
	if !strings.HasPrefix(text, "?") {
		return 0
	}
	end := 0
	for i := 1; i < len(text) && in(rune(text[i]), inQuery, nil); i++ {
		if in(rune(text[i]), endsQuery, nil) {
			end = i + 1
		}
	}
	return end
}

// appendLinks appends what X makes of the last match: nothing, a link, or several
// in one chain of labels, since without a protocol only Latin ones are linked.
func (s *scanner) appendLinks(found []link) []link {
	host := s.text[s.host:s.hostEnd]
	if s.tooLong() || !validHost(host, s.half) {
		return found
	}
	if s.host > s.start {
		end := s.end
		if slug, ok := slugLen(s.text[s.host:s.end]); ok {
			if slug > maxSlug {
				return found
			}
			end = s.host + len(tco) + slug
			end += queryLen(s.text[end:s.end])
		}
		return append(found, link{start: s.start, end: end})
	}
	switch s.before {
	case '-', '_', '.', '/':
		return found
	}
	known := len(found)
	for at := 0; ; {
		start, end := latinHost(host, at)
		if end < 0 {
			break
		}
		found = append(found, link{start: s.host + start, end: s.host + end})
		at = end
	}
	if len(found) > known && s.path > 0 {
		last := &found[len(found)-1]
		last.unpaid = utf16Len(s.text[last.end:s.hostEnd])
		last.end = s.end
	}
	return found
}

func (s *scanner) tooLong() bool {
	protocol := s.host - s.start
	if protocol == 0 {
		protocol = len("https://")
	}
	// X counts a protocol that is there twice.
	units := protocol + utf16Len(s.text[s.start:s.end])
	if s.half {
		units--
	}
	return units > maxLink
}

const tco = "t.co/"

// slugLen returns the length of the slug of url, a t.co link without its
// protocol, and whether it is one.
func slugLen(url string) (n int, ok bool) {
	if len(url) < len(tco) || !strings.EqualFold(url[:len(tco)], tco) {
		return 0, false
	}
	n = countFunc(url[len(tco):], isAlnum)
	return n, n > 0
}

// latinHost returns where the first host of Latin labels at or behind from starts
// and ends; end is -1 if there is none.
func latinHost(host string, from int) (start, end int) {
	isLatin := func(r rune) bool { return in(r, inHost, hostLetters) }
	for start = from; start < len(host); {
		at, end := start, -1
		for {
			n := countFunc(host[at:], isLatin)
			if n == 0 || !strings.HasPrefix(host[at+n:], ".") {
				at += n
				break
			}
			at += n + 1
			if e := topLevelEnd(host, at); e > 0 {
				end = e
			}
		}
		if end > 0 {
			return start, end
		}
		_, size := utf8.DecodeRuneInString(host[at:])
		start = at + size
	}
	return 0, -1
}

// validHost reports whether each label of host, encoded as DNS has it, fits. If
// half, the first character of host stands for the second half of its surrogate
// pair.
func validHost(host string, half bool) bool {
	if strings.HasPrefix(host, "xn--") {
		if _, end := latinHost(host, 0); end < 0 {
			return false
		}
	}
	for name := range strings.SplitSeq(host, ".") {
		if !fitsLabel(name, half) {
			return false
		}
		half = false
	}
	return true
}

// fitsLabel reports whether name has at most 63 octets. The other dots that
// RFC 3490, section 3.1 knows divide it, but X measures the parts as one.
func fitsLabel(name string, half bool) bool {
	octets := 0
	var part []rune
	for _, r := range name {
		if len(part) > maxLabel {
			return false
		}
		switch r {
		case '。', '．', '｡':
			octets += punycodeLen(part) + 1
			part = part[:0]
			continue
		}
		if half {
			r, half = 0xDC00+(r-0x10000)&0x3FF, false
		}
		part = append(part, r)
	}
	return octets+punycodeLen(part) <= maxLabel
}

// punycodeLen returns the length of name as ToASCII of RFC 3490 makes it, which
// is by RFC 3492, section 6.3.
func punycodeLen(name []rune) int {
	const base, tMin, tMax, skew, damp = 36, 1, 26, 38, 700
	isPrintable := func(r rune) bool { return ' ' <= r && r <= '~' }
	basic, printable := 0, 0
	for _, r := range name {
		if r < utf8.RuneSelf {
			basic++
		}
		if isPrintable(r) {
			printable++
		}
	}
	if printable == len(name) {
		return len(name)
	}
	length := len("xn--") + basic
	if basic > 0 {
		length++
	}
	n, delta, bias := rune(utf8.RuneSelf), 0, 72
	for done := basic; done < len(name); {
		next := rune(unicode.MaxRune)
		for _, r := range name {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range name {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			for q, k := delta, base; ; k += base {
				length++
				t := min(max(k-bias, tMin), tMax)
				if q < t {
					break
				}
				q = (q - t) / (base - t)
			}
			if done == basic {
				delta /= damp
			} else {
				delta /= 2
			}
			delta += delta / (done + 1)
			bias = 0
			for ; delta > (base-tMin)*tMax/2; delta /= base - tMin {
				bias += base
			}
			bias += (base - tMin + 1) * delta / (delta + skew)
			delta = 0
			done++
		}
		delta++
		n++
	}
	return length
}

// in reports whether r can stand in a part of a link: by the flag if it is
// ASCII, by the table if not. A nil table is empty.
func in(r rune, part uint8, beyond *unicode.RangeTable) bool {
	if r < utf8.RuneSelf {
		return ascii[r]&part != 0
	}
	return beyond != nil && unicode.Is(beyond, r)
}

func isPath(r rune) bool { return in(r, inPath, pathLetters) }

func isLetter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }

func isAlnum(r rune) bool { return isLetter(r) || '0' <= r && r <= '9' }

// countFunc returns how many bytes at the start of text are characters that
// satisfy is.
func countFunc(text string, is func(rune) bool) int {
	n := strings.IndexFunc(text, func(r rune) bool { return !is(r) })
	if n < 0 {
		return len(text)
	}
	return n
}

func utf16Len(text string) int {
	units := 0
	for _, r := range text {
		units++
		if r > 0xFFFF {
			units++
		}
	}
	return units
}
