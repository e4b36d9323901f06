package diff

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/driftback/driftback/vendors/resource"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// ParsePath reads what Path.String prints. The error names the byte offset.
func ParsePath(s string) (Path, error) {
	p := &parser{text: s}
	var path Path
	for p.err == nil && p.pos < len(s) {
		path = append(path, p.step(len(path) == 0))
	}
	if p.err != nil {
		return nil, fmt.Errorf("path %q: %w", s, p.err)
	}
	return path, nil
}

// A parser is a cursor that stops at its first error; from then on every method returns zero values.
type parser struct {
	text  string
	pos   int
	depth int
	err   error
}

func (p *parser) fail(want string) {
	if p.err == nil {
		p.err = fmt.Errorf("want %s at offset %d", want, p.pos)
		p.pos = len(p.text)
	}
}

// take consumes tok if it comes next.
func (p *parser) take(tok string) bool {
	ok := p.err == nil && strings.HasPrefix(p.text[p.pos:], tok)
	if ok {
		p.pos += len(tok)
	}
	return ok
}

func (p *parser) want(tok string) {
	if !p.take(tok) {
		p.fail(strconv.Quote(tok))
	}
}

// while consumes the longest run of runes that are in.
func (p *parser) while(in func(rune) bool) string {
	start := p.pos
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if r == utf8.RuneError && n <= 1 || !in(r) {
			break
		}
		p.pos += n
	}
	return p.text[start:p.pos]
}

// quoted consumes a quoted string if one comes next.
func (p *parser) quoted() (string, bool) {
	if p.err != nil || !strings.HasPrefix(p.text[p.pos:], `"`) {
		return "", false
	}
	q, err := strconv.QuotedPrefix(p.text[p.pos:])
	if err != nil {
		p.fail("the end of a quoted string that starts")
		return "", true
	}
	p.pos += len(q)
	s, _ := strconv.Unquote(q)
	return s, true
}

func (p *parser) word() string {
	if s, ok := p.quoted(); ok {
		return s
	}
	s := p.while(inWord)
	if s == "" {
		p.fail("a name")
	}
	return s
}

func (p *parser) step(first bool) Step {
	if !p.take("[") {
		if !first {
			p.want(".")
		}
		return Name(p.word())
	}
	defer p.want("]")
	if p.take("=") {
		return Elem("", p.value())
	}
	if q, ok := p.quoted(); ok {
		p.want("=")
		return Elem(q, p.value())
	}
	w := p.while(inWord)
	if p.take("=") {
		return Elem(w, p.value())
	}
	i, err := strconv.Atoi(w)
	if err != nil || i < 0 || strconv.Itoa(i) != w {
		p.fail("an index or key=value")
	}
	return Index(i)
}

func (p *parser) value() any {
	if p.depth++; p.depth > resource.MaxDepth {
		p.fail("less nesting")
	}
	defer func() { p.depth-- }()
	switch {
	case p.err != nil:
		return nil
	case p.take("$"):
		return resource.Secret{Name: p.word()}
	case p.take("["):
		out := []any{}
		p.items("]", func() { out = append(out, p.value()) })
		return out
	case p.take("{"):
		out := map[string]any{}
		p.items("}", func() {
			k := p.word()
			p.want(": ")
			out[k] = p.value()
		})
		return out
	}
	s, quoted := p.quoted()
	if !quoted {
		s = p.while(inScalar)
	}
	switch {
	case p.take("/"):
		return resource.Ref{Key: resource.Key{Kind: resource.Kind(s), Name: p.refName()}}
	case quoted:
		return s
	case s == "true", s == "false":
		return s == "true"
	case isLiteral(s):
		return json.Number(s)
	case s == "":
		p.fail("a value")
	}
	return s
}

// items calls item for each of a list separated by commas, up to the closing token.
func (p *parser) items(closing string, item func()) {
	if p.take(closing) {
		return
	}
	for item(); p.take(", "); {
		item()
	}
	p.want(closing)
}

func (p *parser) refName() string {
	if s, ok := p.quoted(); ok {
		return s
	}
	s := p.while(func(r rune) bool { return r == '/' || inScalar(r) })
	if s == "" {
		p.fail("a name")
	}
	return s
}
