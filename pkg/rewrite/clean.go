package rewrite

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean returns a post's text as a reader sees it: X's HTML escapes undone once,
// in NFC, without the characters that show nothing. It comes before everything
// else, so that none of those can keep a mention or a link from being seen.
func clean(text string) string {
	text = html.UnescapeString(text)
	if strings.IndexFunc(text, isUnusual) >= 0 {
		text = strings.ReplaceAll(compose(visible(text)), "\u034f", "")
	}
	return strings.TrimSpace(text)
}

func isUnusual(r rune) bool { return (r < ' ' || r > '~') && r != '\n' }

const (
	zwnj      = 0x200C
	zwj       = 0x200D
	keycap    = 0x20E3
	blackFlag = 0x1F3F4
)

// visible drops the characters of text that show nothing, and makes every line
// end "\n" and every tab a space. What shapes its neighbours stays beside them.
// What parts a link from its neighbours becomes a space, so that it still does.
func visible(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	ahead := links(text)
	out := make([]byte, 0, len(text))
	last := rune(0)
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		rest := text[at+size:]
		at += size
		switch {
		case r == '\t':
			r = ' '
		case r == '\r', r == '\v', r == '\f', r == 0x85, r == 0x2028, r == 0x2029:
			r = '\n'
		case r == '\n':
		case unicode.IsControl(r), isHidden(r) && !shapes(r, last, rest):
			for len(ahead) > 0 && ahead[0].end < at-size {
				ahead = ahead[1:]
			}
			if len(ahead) == 0 || ahead[0].end != at-size && ahead[0].start != at {
				continue
			}
			r = ' '
		}
		out = utf8.AppendRune(out, r)
		if r == blackFlag {
			n := flagTags(rest)
			out = append(out, rest[:n]...)
			at += n
		}
		last = r
	}
	return string(out)
}

// isHidden reports whether r shows nothing of its own: the format characters and
// Unicode's Default_Ignorable_Code_Point, and what is no character at all.
func isHidden(r rune) bool {
	if r < 0xAD {
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.Noncharacter_Code_Point) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// shapes reports whether r, which shows nothing, changes how last looks or joins
// it to what rest starts with: in an emoji, and in the scripts that need it.
func shapes(r, last rune, rest string) bool {
	next, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == zwj && (isPictograph(last) || last == 0xFE0F):
		return isPictograph(next)
	case r == zwj, r == zwnj:
		// From Arabic to the Vedic extensions.
		return 0x0600 <= last && last <= 0x1CFF && unicode.In(last, unicode.L, unicode.M)
	case r == 0xFE0E, r == 0xFE0F:
		return isPictograph(last) || next == keycap && strings.ContainsRune("#*0123456789", last)
	case unicode.Is(unicode.Mongolian, last):
		return 0x180B <= r && r <= 0x180F && r != 0x180E
	case unicode.Is(unicode.Han, last):
		return unicode.Is(unicode.Variation_Selector, r)
	}
	return false
}

// isPictograph reports whether r lies where Unicode has its emoji, keycaps aside.
func isPictograph(r rune) bool {
	switch r {
	case 0xA9, 0xAE, 0x203C, 0x2049, 0x3030, 0x303D, 0x3297, 0x3299:
		return true
	}
	return 0x2100 <= r && r <= 0x2BFF || 0x1F000 <= r && r <= 0x1FAFF
}

// flagTags returns the length of the tags that make a black flag the flag of a
// region, or 0: letters and digits, and an end (UTS 51, ED-14a).
func flagTags(rest string) int {
	n := countFunc(rest, func(r rune) bool {
		return 0xE0030 <= r && r <= 0xE0039 || 0xE0061 <= r && r <= 0xE007A
	})
	const end = "\U000E007F"
	if n == 0 || n > 6*len(end) || !strings.HasPrefix(rest[n:], end) {
		return 0
	}
	return n + len(end)
}
