package credential

import (
	"regexp"
	"slices"
	"strings"
)

// endLine is called at the end of a line at i.
func (s *scanner) endLine(i int) {
	line := s.text[s.line:i]
	trimmed := strings.TrimSpace(line[max(0, len(line)-maxValue):])
	switch {
	case s.brace > 0 && strings.HasSuffix(trimmed, "{") && s.opensSelector(s.brace-1):
		s.selector = true
	case s.selector && !matcherLine(strings.TrimSpace(line[:min(len(line), maxValue)])):
		s.selector = false
	}
	s.brace = 0
	s.directive(line)
}

// directive looks at a line of a name and a value without anything between, such as requirepass WORD.
func (s *scanner) directive(line string) {
	if len(line) > maxName+maxValue {
		return
	}
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	word, rest, ok := strings.Cut(line[indent:], " ")
	if !ok || !slices.Contains(directives, strings.ToLower(word)) {
		return
	}
	rest = strings.TrimRight(strings.TrimSpace(rest), ";")
	if bare := strings.Trim(rest, "\"'"); !strings.ContainsAny(bare, " :=") && password.literal(bare, plain) {
		s.add(s.line+indent+len(word)+1, Assignment)
	}
}

var directives = []string{"requirepass", "masterauth", "password", "passwd", "passphrase", "secret"}

// matcherLine reports whether a line can stand within the braces of a PromQL selector: name="value",
func matcherLine(l string) bool {
	name := strings.IndexAny(l, "=!")
	return name > 0 && strings.Trim(strings.TrimSpace(l[:name]), base62us) == "" && strings.HasSuffix(strings.TrimRight(l, ", "), `"`)
}

// opensSelector reports whether the brace at i begins the label matchers of a
// PromQL selector: metric{…} or '{…}', while other languages put a space before it.
func (s *scanner) opensSelector(i int) bool {
	before := s.text[s.line:i]
	if strings.TrimSpace(before) == "" {
		return true
	}
	c := before[len(before)-1]
	return isAlnum(c) || strings.IndexByte("_:(\"'`)", c) >= 0
}

// separator looks at the =, : or > at i between a name and a value.
func (s *scanner) separator(i int) {
	switch s.text[i] {
	case '{':
		s.brace = i + 1
	case '}':
		s.brace = 0
		s.selector = false
	case '=', ':':
		s.assignment(i)
	case '>':
		s.element(i)
	}
}

// element looks at <name>value< with the > at i.
func (s *scanner) element(i int) {
	from := max(s.line, i-maxName)
	open := strings.LastIndexByte(s.text[from:i], '<')
	if open < 0 {
		return
	}
	name, _, _ := strings.Cut(s.text[from+open+1:i], " ")
	if strings.HasPrefix(name, "/") {
		return
	}
	c := classify(name)
	if c == none {
		return
	}
	value, _, ok := strings.Cut(s.text[i+1:min(len(s.text), i+1+maxValue)], "</")
	if ok && !strings.Contains(value, "\n") && c.literal(value, quoted) {
		s.add(i+1, c.rule())
	}
}

// A name as it stands before a separator.
type name struct {
	text   string
	begin  int  // offset of the name itself
	opened bool // a quote stands before it
	closed bool // and one after it
}

// assignment looks at name: value, name = value, "name": "value" and their like with the separator at i.
func (s *scanner) assignment(i int) {
	n := s.nameBefore(i)
	if n.text == "" {
		return
	}
	c := s.classOf(n)
	remember := strings.EqualFold(n.text, "name") || strings.EqualFold(n.text, "key")
	if c == none && !remember || c != none && s.full(c.rule()) {
		return
	}
	if !s.assigns(i, n) {
		return
	}
	v, ok := s.valueAfter(i, n)
	if remember && ok {
		s.name, s.nameEnd = v.text, v.end
	}
	if c != none && ok && s.fits(i, n, v, c) && c.literal(v.text, v.style) {
		s.add(v.begin, c.rule())
	}
}

// nameBefore returns the name that ends before the separator at i.
func (s *scanner) nameBefore(i int) name {
	end := i
	if end > s.line && s.text[i] == '=' && s.text[end-1] == ':' {
		end-- // :=
	}
	low := max(s.line, i-2*maxName)
	for end > low && (s.text[end-1] == ' ' || s.text[end-1] == '\t') {
		end--
	}
	for end > low && (s.text[end-1] == ']' || s.text[end-1] == ')') {
		end--
	}
	var n name
	for end > low && strings.IndexByte("\"'`\\", s.text[end-1]) >= 0 {
		n.closed = true
		end--
	}
	begin := end
	for begin > low && begin > end-maxName && isIdent(s.text[begin-1]) {
		begin--
	}
	begin += len(s.text[begin:end]) - len(strings.TrimLeft(s.text[begin:end], "-."))
	n.text, n.begin = s.text[begin:end], begin
	n.opened = begin > s.line && strings.IndexByte("\"'`", s.text[begin-1]) >= 0
	return n
}

// classOf classifies a name; a field called value has the class of the name beside it.
func (s *scanner) classOf(n name) class {
	if c := classify(n.text); c != none {
		return c
	}
	switch strings.ToLower(n.text) {
	case "value", "val", "default":
		if s.nameEnd > 0 && n.begin-s.nameEnd < maxName && n.begin >= s.nameEnd && strings.Trim(s.text[s.nameEnd:n.begin], " \t\r\n,\"'") == "" {
			return classify(s.name)
		}
	}
	return none
}

// assigns reports whether the separator at i, after the name n, is that of an assignment
// rather than of prose, a comparison or a label matcher.
func (s *scanner) assigns(i int, n name) bool {
	if s.text[i] == '=' {
		if i > 0 && strings.IndexByte("!<>=~+-", s.text[i-1]) >= 0 || i+1 < len(s.text) && strings.IndexByte("=~", s.text[i+1]) >= 0 {
			return false
		}
		inBraces := s.brace > s.line && s.brace <= n.begin && s.opensSelector(s.brace-1)
		return !s.selector && (!inBraces || strings.HasPrefix(s.text[i+1:], " "))
	}
	if n.closed {
		return true
	}
	before := strings.TrimRight(s.text[s.line:n.begin], " \t-")
	return before == "" || strings.IndexByte("{,[(#/;*\"'`&?<", before[len(before)-1]) >= 0 // else in the middle of a sentence
}

// fits reports whether the value v can be meant by the separator at i and the name n of class c.
func (s *scanner) fits(i int, n name, v value, c class) bool {
	spaces := strings.Contains(v.text, " ")
	switch {
	case spaces && s.comment():
		return false
	case s.text[i] == '=':
		return !(strings.HasPrefix(s.text[i+1:], ">") && pairs.MatchString(v.text)) // token=>size=8;… is a table of Kamailio
	case n.closed:
		return true
	case n.opened && spaces && !strings.EqualFold(n.text, "authorization"):
		return false // "Password: ask the manager"
	}
	return !v.joined || c == password // name:value
}

var pairs = regexp.MustCompile(`^[a-z_]+=[^;]*;`)

// comment reports whether the line is one.
func (s *scanner) comment() bool {
	l := strings.TrimLeft(s.text[s.line:min(len(s.text), s.line+maxName)], " \t")
	return strings.HasPrefix(l, "#") && !strings.HasPrefix(l, "#!") || strings.HasPrefix(l, "//") || strings.HasPrefix(l, ";") || strings.HasPrefix(l, "* ")
}

// hashed is how LDAP writes a password: {SSHA}….
var hashed = regexp.MustCompile(`^\{[A-Za-z0-9-]{2,20}\}[A-Za-z0-9+/$]`)

// A value as it stands after a separator.
type value struct {
	text       string
	begin, end int
	style      style
	joined     bool // it follows a colon without a space
}

// valueAfter reads the value after the separator at i; it is not ok where none can follow.
func (s *scanner) valueAfter(i int, n name) (value, bool) {
	v := value{begin: i + 1}
	eq := s.text[i] == '='
	if eq && strings.HasPrefix(s.text[v.begin:], ">") {
		v.begin++ // =>
	}
	limit := min(len(s.text), v.begin+2*maxValue)
	from := v.begin
	for v.begin < limit && (s.text[v.begin] == ' ' || s.text[v.begin] == '\t') {
		v.begin++
	}
	v.joined = !eq && !n.closed && v.begin == from
	if v.begin < limit && !eq {
		v.begin = s.skipYAML(v.begin, limit)
	}
	if v.begin >= limit {
		return v, false
	}
	if s.text[v.begin] == '[' {
		v.begin++
	}
	if v.begin >= limit {
		return v, false
	}
	rest := s.text[v.begin:limit]
	if rest[0] == '{' && !hashed.MatchString(rest) {
		return v, false // a map, or a placeholder
	}
	rest = strings.TrimPrefix(rest, `\`)
	if len(rest) > 0 && strings.IndexByte("\"'`", rest[0]) >= 0 {
		v.begin += len(s.text[v.begin:limit]) - len(rest) + 1
		end := strings.IndexAny(rest[1:], rest[:1]+"\n")
		if end < 0 {
			end = len(rest) - 1
		}
		v.text = strings.TrimSuffix(rest[1:1+end], `\`)
		v.style, v.end = quoted, v.begin+end
		return v, true
	}
	if n.opened && !n.closed { // "X-Api-Key: …": the quote before the name ends the value
		rest, _, _ = strings.Cut(rest, s.text[n.begin-1:n.begin])
	}
	return s.bare(v, rest, eq), true
}

// bare completes v with the text up to where a bare value ends.
func (s *scanner) bare(v value, rest string, eq bool) value {
	end := strings.IndexAny(rest, "\r\n")
	if end < 0 {
		end = len(rest)
	}
	if c := strings.Index(rest[:end], " #"); c >= 0 {
		end = c
	}
	if flow := s.brace > s.line; flow || eq {
		// Within braces, and in lists such as a=b&c=d or a=b,c=d, a value is one word.
		stop := ",}&\"'`<)"
		if eq {
			stop += " \t"
		}
		if strings.HasPrefix(rest, "$") {
			stop = " \t,&\"'`<"
		}
		if e := strings.IndexAny(rest[:end], stop); e >= 0 && !(e == 0) {
			end = e
		}
	}
	v.text = strings.TrimRight(rest[:end], " \t")
	v.end = v.begin + len(v.text)
	if eq && v.begin > 1 && s.text[v.begin-1] == ' ' {
		v.style = code
	}
	return v
}

// skipYAML steps over what YAML may put between a colon and a scalar: a block
// indicator or a line break before an indented line, a tag, an anchor.
func (s *scanner) skipYAML(at, limit int) int {
	rest := s.text[at:limit]
	if strings.HasPrefix(rest, "!!") || strings.HasPrefix(rest, "&") {
		if sp := strings.IndexAny(rest, " \n"); sp >= 0 {
			at += sp
			rest = strings.TrimLeft(rest[sp:], " ")
			at = limit - len(rest)
		}
	}
	first, next, ok := strings.Cut(rest, "\n")
	if !ok || strings.Trim(first, "|>+-0123456789 \r\t") != "" || strings.Trim(first, "0123456789 \r\t") == "" && strings.TrimSpace(first) != "" {
		return at
	}
	body := strings.TrimLeft(next, " \t")
	indent := len(next) - len(body)
	own := s.text[s.line:]
	own = own[:len(own)-len(strings.TrimLeft(own[:min(len(own), maxName)], " "))]
	if indent <= len(own) && body != "" || body == "" {
		return at
	}
	if strings.TrimSpace(first) == "" {
		if l, _, _ := strings.Cut(body, "\n"); strings.HasPrefix(l, "- ") || strings.Contains(l, ": ") || strings.HasSuffix(strings.TrimSpace(l), ":") {
			return at // a list or a map of its own
		}
	}
	return limit - len(body)
}
