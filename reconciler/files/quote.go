package files

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scalar writes a string plainly where no reader of YAML could take it for
// anything else, in double quotes otherwise.
func (e *encoder) scalar(s string, inFlow bool) {
	if !utf8.ValidString(s) {
		e.fail("the field %.60q holds bytes that are no UTF-8", e.field)
		return
	}
	if plainScalar(s, inFlow) {
		e.b = append(e.b, s...)
		return
	}
	e.b = append(e.b, '"')
	for _, r := range s {
		e.b = appendQuoted(e.b, r)
	}
	e.b = append(e.b, '"')
}

func appendQuoted(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	switch {
	case unicode.IsPrint(r):
		return utf8.AppendRune(b, r)
	case r < 0x100:
		return fmt.Appendf(b, `\x%02x`, r)
	case r < 0x10000:
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return fmt.Appendf(b, `\U%08x`, r)
}

// plainScalar reports whether a string may stand without quotes: it begins with
// a letter, _ or /, and reads as nothing but a string in YAML 1.1 and 1.2 alike.
func plainScalar(s string, inFlow bool) bool {
	first, _ := utf8.DecodeRuneInString(s)
	if !unicode.IsLetter(first) && first != '_' && first != '/' {
		return false
	}
	prev := ' '
	for _, r := range s {
		switch {
		case !unicode.IsPrint(r), r == '#' && prev == ' ', prev == ':' && r == ' ':
			return false
		case inFlow && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" _-./@+", r):
			return false
		}
		prev = r
	}
	return prev != ' ' && prev != ':' && !reservedWord(s)
}

func reservedWord(s string) bool {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}

// blockable reports whether a text of several lines can be a literal block.
func blockable(s string) bool {
	if !strings.Contains(s, "\n") || strings.Trim(s, "\n \t") == "" || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// block writes a literal block scalar below a parent at indent columns.
func (e *encoder) block(s string, indent int) {
	e.b = append(e.b, '|')
	if strings.ContainsRune(" \t\n", rune(s[0])) {
		e.b = append(e.b, '2') // the indentation cannot be told from the first line
	}
	switch {
	case !strings.HasSuffix(s, "\n"):
		e.b = append(e.b, '-')
	case strings.HasSuffix(s, "\n\n"):
		e.b = append(e.b, '+')
	}
	e.b = append(e.b, '\n')
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		if line != "" {
			e.spaces(indent + 2)
			e.b = append(e.b, line...)
		}
		e.b = append(e.b, '\n')
	}
}
