package x

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A query is a parsed search query.
type query struct {
	match    func(*post) bool
	standing bool // has a positive part that may stand alone, in every branch
}

// A queryError says what is wrong with a query and where, counted in code
// points from 1.
type queryError struct {
	what string
	at   int
}

func (e *queryError) Error() string {
	return fmt.Sprintf("There were errors processing your request: %s (at position %d)", e.what, e.at)
}

// operators are the is:, has: and filter: values of each version of the API and
// what they ask of a post.
var operators = map[string]func(*post) bool{
	"is:retweet":   func(p *post) bool { return p.RetweetOf != 0 },
	"is:reply":     func(p *post) bool { return p.ReplyTo != 0 },
	"is:quote":     func(p *post) bool { return p.QuoteOf != 0 },
	"is:nullcast":  func(p *post) bool { return false },
	"has:links":    func(p *post) bool { return p.has("url") },
	"has:mentions": func(p *post) bool { return p.has("mention") },
	"has:hashtags": func(p *post) bool { return p.has("hashtag") },
	"has:media":    func(p *post) bool { return p.Media },
}

// filters are v1.1's names for them.
var filters = map[string]string{
	"filter:retweets":       "is:retweet",
	"filter:nativeretweets": "is:retweet",
	"filter:replies":        "is:reply",
	"filter:quote":          "is:quote",
	"filter:links":          "has:links",
	"filter:media":          "has:media",
}

func (p *post) has(kind string) bool {
	return slices.ContainsFunc(p.found, func(e entity) bool { return e.kind == kind })
}

func (p *post) names(kind, value string) bool {
	return slices.ContainsFunc(p.found, func(e entity) bool { return e.kind == kind && strings.EqualFold(e.value, value) })
}

// says reports whether these tokens stand in a row in the text.
func (p *post) says(tokens []string) bool {
	for i := range p.tokens {
		if end := i + len(tokens); end <= len(p.tokens) && slices.Equal(p.tokens[i:end], tokens) {
			return true
		}
	}
	return false
}

// parseQuery parses the subset of X's query language that the package comment
// states. In v1.1 filter: takes the place of is: and has:, and every operator
// may stand alone.
func parseQuery(text string, v1 bool) (match func(*post) bool, err error) {
	p := &parser{text: text, v1: v1}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *queryError:
			match, err = nil, e
		default:
			panic(e)
		}
	}()
	q := p.or()
	if p.skip(); p.pos < len(p.text) {
		p.fail(p.pos, "unexpected %q", p.rest())
	}
	if !q.standing && !v1 {
		p.fail(0, "at least one positive word, phrase, #tag, @mention or from: must stand beside the other operators")
	}
	return q.match, nil
}

type parser struct {
	text string
	pos  int
	v1   bool
}

// fail leaves the parser, to be caught by parseQuery alone.
func (p *parser) fail(pos int, format string, args ...any) {
	panic(&queryError{fmt.Sprintf(format, args...), utf8.RuneCountInString(p.text[:pos]) + 1})
}

func (p *parser) skip() {
	p.pos += len(p.text[p.pos:]) - len(strings.TrimLeftFunc(p.text[p.pos:], unicode.IsSpace))
}

// rest is the text up to the next space, for messages.
func (p *parser) rest() string {
	rest := p.text[p.pos:]
	if i := strings.IndexFunc(rest, unicode.IsSpace); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

func (p *parser) or() query {
	q := p.and()
	for p.skip(); p.word() == "OR"; p.skip() {
		p.pos += len("OR")
		left, right := q, p.and()
		q = query{
			func(post *post) bool { return left.match(post) || right.match(post) },
			left.standing && right.standing,
		}
	}
	return q
}

func (p *parser) and() query {
	q := p.unary()
	for {
		p.skip()
		if p.pos == len(p.text) || p.text[p.pos] == ')' || p.word() == "OR" {
			return q
		}
		left, right := q, p.unary()
		q = query{
			func(post *post) bool { return left.match(post) && right.match(post) },
			left.standing || right.standing,
		}
	}
}

func (p *parser) unary() query {
	p.skip()
	if p.pos == len(p.text) {
		p.fail(p.pos, "the query ends where an operand should be")
	}
	if p.text[p.pos] != '-' {
		return p.atom(false)
	}
	p.pos++
	if p.pos < len(p.text) && p.text[p.pos] == '(' {
		p.fail(p.pos, "a group cannot be negated; negate each of its operators")
	}
	q := p.atom(true)
	return query{func(post *post) bool { return !q.match(post) }, false}
}

func (p *parser) atom(negated bool) query {
	if p.pos == len(p.text) {
		p.fail(p.pos, "the query ends where an operand should be")
	}
	start := p.pos
	switch p.text[p.pos] {
	case '(':
		p.pos++
		q := p.or()
		if p.skip(); p.pos == len(p.text) {
			p.fail(p.pos, "missing ')'")
		}
		p.pos++ // or stops at ')' and at the end only
		p.ends()
		return q
	case '"':
		end := strings.IndexByte(p.text[p.pos+1:], '"')
		if end < 0 {
			p.fail(start, "missing the closing '\"'")
		}
		tokens := tokenize(p.text[p.pos+1 : p.pos+1+end])
		if len(tokens) == 0 {
			p.fail(start, "a phrase without a word")
		}
		p.pos += end + 2
		p.ends()
		return query{func(post *post) bool { return post.says(tokens) }, true}
	}
	word := p.word()
	if word == "" {
		p.fail(start, "unexpected %q", p.rest())
	}
	p.pos += len(word)
	p.ends()
	name, value, isOperator := strings.Cut(word, ":")
	op := word
	if p.v1 {
		op = filters[word]
	}
	switch match := operators[op]; {
	case match != nil && op == "is:nullcast" && !negated:
		p.fail(start, "is:nullcast must be negated")
	case match != nil:
		return query{match, false}
	case isOperator && name == "lang" && value != "":
		return query{func(post *post) bool { return strings.EqualFold(post.Lang, value) }, false}
	case isOperator && name == "from" && value != "":
		value = strings.TrimPrefix(value, "@")
		return query{func(post *post) bool {
			return strings.EqualFold(post.author.Name, value) || strconv.FormatUint(post.author.ID, 10) == value
		}, true}
	case isOperator:
		p.fail(start, "unknown operator or value %q", word)
	case len(word) > 1 && word[0] == '#' && isWord(word[1:]):
		return query{func(post *post) bool { return post.names("hashtag", word[1:]) }, true}
	case len(word) > 1 && word[0] == '@' && isWord(word[1:]):
		return query{func(post *post) bool { return post.names("mention", word[1:]) }, true}
	case strings.EqualFold(word, "and") || strings.EqualFold(word, "or"):
		p.fail(start, "ambiguous %q: use a space or OR to join, or quote the word", word)
	case !isWord(word) || strings.Contains(word, "_"):
		p.fail(start, "%q must stand in double quotes", word)
	}
	tokens := []string{strings.ToLower(word)}
	return query{func(post *post) bool { return post.says(tokens) }, true}
}

// word is the text up to the next space, quote or parenthesis.
func (p *parser) word() string {
	word := p.text[p.pos:]
	if i := strings.IndexFunc(word, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`()"`, r) }); i >= 0 {
		word = word[:i]
	}
	return word
}

// ends checks that an operand is followed by a space, a closing parenthesis or
// the end.
func (p *parser) ends() {
	if p.pos == len(p.text) || p.text[p.pos] == ')' {
		return
	}
	if next, _ := utf8.DecodeRuneInString(p.text[p.pos:]); !unicode.IsSpace(next) {
		p.fail(p.pos, "missing space before %q", p.rest())
	}
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '_'
	})
}
