// Package rewrite makes a bot's post of somebody's: it replaces the bot's words,
// takes the @ from mentions, leaves links and handles alone, and fits the
// result into X's 280 weighted characters. It knows text only, no network and no
// bot.
//
// The one idea: what a text means is decided by what X will make of it. So this
// package finds links, counts characters and knows mentions as X's own library
// twitter-text does, and looks for them in the text that a reader sees: escapes
// undone, invisible characters gone.
//
// All functions may be called by several goroutines at once, and take time in
// proportion to the length of the text.
package rewrite

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Words is what a bot looks for and what it says instead.
type Words struct {
	// Find matches the words, in whatever case.
	Find *regexp.Regexp
	// Replace is plain text, taken as it stands, or in capitals where the
	// words stand in capitals. It holds no mention and no link.
	Replace string
}

// Links says what becomes of the links of a post. The zero value is [Drop].
type Links int

const (
	Drop Links = iota // they are taken out
	Keep              // they stay as they are
)

// String returns "drop" or "keep".
func (l Links) String() string {
	if l == Keep {
		return "keep"
	}
	return "drop"
}

// UnmarshalText takes "drop" or "keep". Its error has a method Reason() string,
// and does not hold the text.
func (l *Links) UnmarshalText(text []byte) error {
	switch string(text) {
	case "drop":
		*l = Drop
	case "keep":
		*l = Keep
	default:
		return invalid("must be drop or keep")
	}
	return nil
}

// An invalid error says what is wrong with a value without the value, so that
// pkg/config may show it.
type invalid string

func (e invalid) Error() string  { return string(e) }
func (e invalid) Reason() string { return string(e) }

// A Reason says why no text came of a post. The values are stable: reports and
// the ledger hold them.
type Reason string

const (
	NoWord      Reason = "no-word"      // it says the word at most in links and handles
	TooLong     Reason = "too-long"     // it says the word behind what fits in a post
	Cashtags    Reason = "cashtags"     // it has more than one cashtag, which X refuses
	TooLarge    Reason = "too-large"    // it has more than 128 KiB, more than X's longest post can
	InvalidText Reason = "invalid-text" // it is not UTF-8, so what its author wrote is not known
	Empty       Reason = "empty"        // nothing of it fits in a post
)

// maxInput is room for a post of 25,000 characters, X's longest, of which each
// takes four bytes, or five as "&amp;".
const maxInput = 128 << 10

// Rewrite returns the text that w makes of a post's text as X's API gives it, or
// the reason why it makes none; one of the two is empty.
//
// The words are replaced wherever they stand, but not in links, domains, e-mail
// addresses and handles. The result mentions nobody: a handle loses its @ and
// keeps its name, while the @ of an address or of "serverless@latest", which X
// takes for no mention, stays. It has no character that shows nothing, save those
// that shape emoji and letters, and none of X's HTML escapes.
//
// With [Drop] it has no link. A domain without a protocol, as "serverless.com"
// or "ASP.NET", is a link to X and goes as well; "Node.js" is none. With [Keep]
// each link is what it was in the text, once X's escapes are undone and it is in
// NFC; one that does not fit is gone as a whole.
func (w Words) Rewrite(text string, links Links) (out string, skip Reason) {
	if len(text) > maxInput {
		return "", TooLarge
	}
	if !utf8.ValidString(text) {
		return "", InvalidText
	}
	out, said := w.say(clean(text))
	if !said {
		return "", NoWord
	}
	if links == Drop {
		out = dropLinks(out)
	}
	if cashtags(out) > 1 {
		return "", Cashtags
	}
	switch out = Fit(out); {
	case out == "", out == ellipsis:
		return "", Empty
	case !strings.Contains(out, w.Replace) && !strings.Contains(out, strings.ToUpper(w.Replace)):
		return "", TooLong
	}
	return out, ""
}

// say replaces the words of text and takes the @ from its mentions. It reports
// whether there was a word to replace.
func (w Words) say(text string) (out string, said bool) {
	s := speech{words: w}
	at := 0
	for _, l := range links(text) {
		s.between(text[at:l.start])
		if isWord(text[l.start]) {
			s.disarm(" ")
		}
		if bytes.HasSuffix(s.out, []byte("＃")) {
			// X would take it for a hashtag, and what is behind for no link.
			s.out = append(s.out, ' ')
		}
		s.link(text[l.start:l.end])
		at = l.end
	}
	s.between(text[at:])
	return strings.TrimSpace(string(s.out)), s.said
}

// A speech is a text in the making.
type speech struct {
	words Words
	out   []byte
	from  int // what stands before this offset of out ends in a link
	said  bool
}

func (s *speech) link(text string) {
	s.out = append(s.out, text...)
	s.from = len(s.out)
}

// between writes text, in which no link stands.
func (s *speech) between(text string) {
	for {
		at := atSign(text)
		if at == len(text) {
			s.plain(text)
			return
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		before, sign, after := text[:at], text[at:at+size], text[at+size:]
		next := after[:atSign(after)]
		// Once the @ is gone, X makes a link of a domain behind it; if it
		// stays, the two belong to an address.
		domain, handle, local := linkLen(next), handleLen(next), 0
		if domain > 0 {
			local = localLen(before)
		}
		s.plain(before[:at-local])
		s.out = append(s.out, before[at-local:]...)
		s.out = append(s.out, sign...)
		switch disarmed := domain+handle > 0 && s.disarm(""); {
		case !disarmed:
			s.out = append(s.out, after[:domain]...)
			text = after[domain:]
		case domain > 0:
			s.link(after[:domain])
			text = after[domain:]
		default:
			s.out = append(s.out, after[:handle]...)
			text = after[handle:]
		}
	}
}

// atSign returns where the first @ of text stands, or its length.
func atSign(text string) int {
	at := len(text)
	for _, sign := range [...]string{"@", "＠"} {
		if i := strings.Index(text[:at], sign); i >= 0 {
			at = i
		}
	}
	return at
}

// disarm takes away the @ signs at the end, unless they mention nobody whatever
// follows: in a word, and not behind a retweet's "RT". It puts instead in their
// place, or a space if what follows would else belong to a link before them, or
// be the top level of a domain. It reports whether they are gone.
func (s *speech) disarm(instead string) bool {
	bare := bytes.TrimRight(s.out[s.from:], "@＠")
	if isAttached(bare) {
		return false
	}
	end := s.from + len(bare)
	if end == len(s.out) {
		return true
	}
	inHost := len(bare) > 1 && bare[len(bare)-1] == '.' && bare[len(bare)-2] > ' '
	if inHost || s.from > 0 && !bytes.ContainsAny(bare, " \n") {
		instead = " "
	}
	s.out = append(s.out[:end], instead...)
	return true
}

// plain writes text with its words replaced.
func (s *speech) plain(text string) {
	at := 0
	for _, m := range s.words.Find.FindAllStringIndex(text, -1) {
		replace := s.words.Replace
		if found := text[m[0]:m[1]]; found == strings.ToUpper(found) {
			replace = strings.ToUpper(replace)
		}
		s.out = append(s.out, text[at:m[0]]...)
		s.out = append(s.out, replace...)
		s.said = true
		at = m[1]
	}
	s.out = append(s.out, text[at:]...)
}

// linkLen returns the length of what X makes a link of if text starts with it
// and stands alone, or 0.
func linkLen(text string) int {
	s := scanner{text: text}
	if !s.match(0) {
		return 0
	}
	return s.end
}

// localLen returns the length of the local part of an e-mail address that text
// ends with, or 0.
func localLen(text string) int {
	start := len(text)
	for start > 0 && (isWord(text[start-1]) || strings.IndexByte(".%+-", text[start-1]) >= 0) {
		start--
	}
	return len(text) - start
}

// handleLen returns the length of the handle that text, behind an @, starts with,
// with the name of a list if one follows, or 0.
func handleLen(text string) int {
	n := 0
	for n < len(text) && isWord(text[n]) {
		n++
	}
	if n == 0 || n+1 >= len(text) || text[n] != '/' || !isLetter(rune(text[n+1])) {
		return n
	}
	for n++; n < len(text) && (isWord(text[n]) || text[n] == '-'); n++ {
	}
	return n
}

// isAttached reports whether text ends in a word that is no retweet's "RT".
func isAttached(text []byte) bool {
	n := len(text)
	if n == 0 || !isWord(text[n-1]) {
		return false
	}
	if n < 2 || !bytes.EqualFold(text[n-2:], []byte("rt")) {
		return true
	}
	return n > 2 && (isWord(text[n-3]) || strings.IndexByte("+~.-", text[n-3]) >= 0)
}

func isWord(c byte) bool { return c == '_' || isAlnum(rune(c)) }

// dropLinks takes the links out of text. The loop is for what only then, or only
// without its word or its @, turns out to be one.
func dropLinks(text string) string {
	for {
		found := links(text)
		if len(found) == 0 {
			return text
		}
		out, at := make([]byte, 0, len(text)), 0
		for i, l := range found {
			if i == 0 {
				out = append(out, text[:l.start]...)
			} else {
				out = closeGap(out, text[at:l.start])
			}
			at = l.end
		}
		text = string(bytes.TrimSpace(closeGap(out, text[at:])))
	}
}

// closeGap appends rest to out, between which a link stood: without the brackets
// around it, the colon or dash that led to it at the end of a sentence, and the
// space and the line it had to itself.
func closeGap(out []byte, rest string) []byte {
	out, rest = bytes.TrimRight(out, " "), strings.TrimLeft(rest, " ")
	for len(out) > 0 && len(rest) > 0 && inBrackets(out[len(out)-1], rest[0]) {
		out, rest = bytes.TrimRight(out[:len(out)-1], " "), strings.TrimLeft(rest[1:], " ")
	}
	if rest == "" || strings.IndexByte("\n.,;!?)]", rest[0]) >= 0 {
		out = bytes.TrimRight(out, " :-–—→|")
		if len(out) == 0 || out[len(out)-1] == '\n' {
			rest = strings.TrimPrefix(rest, "\n")
		}
	} else if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, ' ')
	}
	return append(out, rest...)
}

func inBrackets(left, right byte) bool {
	switch left {
	case '(':
		return right == ')'
	case '[':
		return right == ']'
	case '<':
		return right == '>'
	}
	return false
}

// cashtags returns the number of cashtags in text: "$", behind a space or at the
// start, and up to six letters.
func cashtags(text string) int {
	n := 0
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '$')
		if i < 0 {
			return n
		}
		at += i + 1
		if last, _ := utf8.DecodeLastRuneInString(text[:at-1]); at > 1 && !unicode.IsSpace(last) {
			continue
		}
		letters := countFunc(text[at:], isLetter)
		next, size := utf8.DecodeRuneInString(text[at+letters:])
		if 1 <= letters && letters <= 6 && (size == 0 || unicode.IsSpace(next) || strings.ContainsRune("!'#%&()*+,\\-./:;<=>?@[]^_{|}~$", next)) {
			n++
		}
	}
}
