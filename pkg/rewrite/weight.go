package rewrite

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

// MaxWeight is the weight of the longest post.
const MaxWeight = 280

const linkWeight = 23

// Weight returns the weighted length of text as X counts it: what parseTweet of
// twitter-text 3.1.0 makes of it with its version 3 configuration. After
// normalisation to NFC, a link weighs 23, an emoji 2, a character of Latin,
// Greek, Cyrillic, the scripts up to Georgian and most punctuation 1, and any
// other 2. A byte that is not UTF-8 weighs what U+FFFD does.
//
// https://github.com/twitter/twitter-text/blob/master/config/v3.json
func Weight(text string) int {
	text = compose(text)
	weight, at, plain := 0, 0, 0
	for _, l := range links(text) {
		weight += weigh(text, at, l.start, plain) + linkWeight
		at = l.end
		if l.unpaid > 0 {
			at, plain = unpaid(text, l)
		}
	}
	return weight + weigh(text, at, len(text), plain)
}

// weigh returns the weight of text[at:end], in which no link stands, and before
// plain no emoji.
func weigh(text string, at, end, plain int) int {
	weight := 0
	for at < end {
		if text[at] < utf8.RuneSelf && (at+1 == len(text) || text[at+1] < utf8.RuneSelf) {
			weight++
			at++
			continue
		}
		if n := emojiLen(text[at:]); n > 0 && at >= plain {
			weight += 2
			at += n
			continue
		}
		r, size := utf8.DecodeRuneInString(text[at:])
		weight += runeWeight(r)
		at += size
	}
	return weight
}

// runeWeight is the table "ranges" of the configuration.
func runeWeight(r rune) int {
	switch {
	case r <= 0x10FF, 0x2000 <= r && r <= 0x200D, 0x2010 <= r && r <= 0x201F, 0x2032 <= r && r <= 0x2037:
		return 1
	}
	return 2
}

// unpaid returns where counting goes on in l, and up to where the emoji in it are
// taken: X finds emoji before it counts, and passes over one that starts in what
// it takes for the link.
func unpaid(text string, l link) (at, plain int) {
	at = l.end
	units := l.unpaid
	for units > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
		units -= utf16Len(string(r))
	}
	paid := at - units // one byte into a character of which X pays half
	for plain = l.start; plain < paid; {
		n := emojiLen(text[plain:])
		if n == 0 {
			_, n = utf8.DecodeRuneInString(text[plain:])
		}
		plain += n
	}
	return at, plain
}

// emojiLen returns the length of the longest emoji that text starts with, or 0.
func emojiLen(text string) int {
	// Keycaps aside, emoji start with U+00A9, U+00AE or a character above U+2000.
	if c := text[0]; c >= utf8.RuneSelf && c != 0xC2 && c < 0xE2 {
		return 0
	}
	text = text[:min(len(text), longestEmoji)]
	for len(text) > 0 {
		i, ok := slices.BinarySearch(emoji, text)
		if ok {
			return len(text)
		}
		if i == 0 {
			return 0
		}
		// What text starts with sorts before it, and everything in between
		// starts with that too.
		text = text[:commonPrefix(text, emoji[i-1])]
	}
	return 0
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// compose returns text in NFC. Unlike norm.NFC it puts no U+034F into a pile of
// more than 30 combining marks.
func compose(text string) string {
	if norm.NFC.IsNormalString(text) {
		return text
	}
	const joiner = "\u034f"
	var b strings.Builder
	for i, part := range strings.Split(text, joiner) {
		if i > 0 {
			b.WriteString(joiner)
		}
		b.WriteString(strings.ReplaceAll(norm.NFC.String(part), joiner, ""))
	}
	return b.String()
}

const ellipsis = "…"

// Fit returns text if its weight is at most [MaxWeight]. If not, it returns the
// start of text, in NFC, with "…" behind, which is within that weight. It cuts
// behind a word; if that would give away more than half, as in a script without
// spaces, it cuts between two grapheme clusters. It cuts no link and no hashtag
// in two, and no link comes into being by the cut: what does not fit goes whole.
func Fit(text string) string {
	if Weight(text) <= MaxWeight {
		return text
	}
	text = compose(text)
	whole := links(text)
	ends := cuts(text, whole)
	try := func(end int) (string, bool) {
		out := strings.TrimRight(text[:end], " \n,;:") + ellipsis
		return out, Weight(out) <= MaxWeight && startsWith(whole, links(out))
	}
	half := 0
	if len(ends) > 0 {
		half = ends[len(ends)-1] / 2
	}
	for _, end := range slices.Backward(ends) {
		if end < half {
			break
		}
		if r, _ := utf8.DecodeRuneInString(text[end:]); unicode.IsSpace(r) {
			if out, ok := try(end); ok {
				return out
			}
		}
	}
	for _, end := range slices.Backward(ends) {
		if out, ok := try(end); ok {
			return out
		}
	}
	return ellipsis
}

// cuts returns the offsets at which text can be cut, up to about MaxWeight.
func cuts(text string, whole []link) []int {
	var ends []int
	weight := 0
	for at := 0; at < len(text); {
		n := 0
		if len(whole) > 0 && whole[0].start == at {
			n = whole[0].end - at
			weight += linkWeight
			whole = whole[1:]
		} else {
			limit := len(text)
			if len(whole) > 0 {
				limit = whole[0].start
			}
			if n = hashtagLen(text[at:limit]); n == 0 {
				cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(text[at:limit], -1)
				n = len(cluster)
			}
			weight += weigh(text, at, at+n, 0)
		}
		if weight > MaxWeight {
			break
		}
		at += n
		ends = append(ends, at)
	}
	return ends
}

// hashtagLen returns the length of the hashtag that text starts with, or 0. It
// may take in more than X does, never less.
func hashtagLen(text string) int {
	r, size := utf8.DecodeRuneInString(text)
	if r != '#' && r != '＃' {
		return 0
	}
	n := countFunc(text[size:], func(r rune) bool {
		return unicode.In(r, unicode.L, unicode.M, unicode.Nd) || strings.ContainsRune("_\u200c\u200d·׳״་༌々〃〜゛゜゠・～", r)
	})
	if n == 0 {
		return 0
	}
	return size + n
}

func startsWith(all, first []link) bool {
	return len(first) <= len(all) && slices.Equal(all[:len(first)], first)
}
