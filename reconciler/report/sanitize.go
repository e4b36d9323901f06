package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden reports whether r is better shown by its number: control characters, which move
// cursors and end lines, and those that turn the direction of writing or have no width.
func hidden(r rune) bool {
	switch r {
	case '\u200c', '\u200d': // parts of words and of emoji
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// visible returns s on one line, with what is hidden written as an escape and
// bytes that are no text as \xNN. Tabs are hidden unless keepTabs.
func visible(s string, keepTabs bool) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || hidden(r) && !(keepTabs && r == '\t') {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\t' && keepTabs || !hidden(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return b.String()
}

// clip cuts s to at most n bytes at the border of a character and says so.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(0, n-len("…"))
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// longestRun returns the length of the longest run of c in s.
func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// code is s as a code span of Markdown: nothing in it means anything.
func code(s string) string {
	s = visible(s, false)
	if s == "" {
		return "(empty)"
	}
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// cell is s as a code span within a table, where pipes separate even inside code.
// A pipe after a backslash, which dialects disagree about, is written as its number.
func cell(s string) string { return unpiped(code(s)) }

func unpiped(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, `\|`, `\u007c`), "|", `\|`)
}

// fence wraps lines in a fenced block that none of them can end.
func fence(lang, content string) string {
	f := strings.Repeat("`", max(3, longestRun(content, '`')+1, longestRun(content, '~')+1))
	return f + lang + "\n" + strings.TrimSuffix(content, "\n") + "\n" + f + "\n"
}

// harmless text has no character that any Markdown dialect or forge gives a meaning.
var harmless = regexp.MustCompile(`^(?:[A-Za-z]|[0-9]+ )[A-Za-z0-9 ,;:.'()%-]*$`)

// linked is what a forge links although it looks harmless: hosts, issues, commits.
var linked = regexp.MustCompile(`(?i)www\.|\bgh-\d|\b[0-9a-f]{7,}\b`)

// remark is s as running text where it is harmless, else as code.
func remark(s string) string {
	if s = clip(s, maxRemark); harmless.MatchString(s) && !linked.MatchString(s) {
		return s
	}
	return code(s)
}

const maxRemark = 300

// subject is s for the titles of pull requests and the lines of commit messages,
// which forges search for orders: @ becomes "at", # is dropped, the brackets of
// [skip ci] become round, links come apart, and words such as fixes lose what they could close.
func subject(s string) string {
	s = visible(clip(s, 4000), false) // more than any line shows, and less than what takes long
	s = strings.NewReplacer("[", "(", "]", ")", "#", "", "`", "'", "***", "*", "://", ":/ /", "<", "(", ">", ")").Replace(s)
	s = mention.ReplaceAllString(s, "$1 at ")
	s = orders.ReplaceAllString(s, "${1}_$2")
	return strings.Join(strings.Fields(s), " ")
}

var (
	mention = regexp.MustCompile(`(^|[^@ ])? *@+ *`)
	// orders refer to an issue without #, with or without a word that closes it.
	orders = regexp.MustCompile(`(?i)\b(gh|close[sd]?|fix(?:e[sd])?|resolve[sd]?|implement(?:s|ed)?)[\s:-]+(\d)`)
)

// person is a name for one line: without what could pass for an address or an order.
func person(s string) string {
	if a := address(s); a != "" {
		return a
	}
	return clip(strings.TrimSpace(subject(s)), 120)
}

var addresses = regexp.MustCompile(`^[A-Za-z0-9.!$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?$`)

// address returns s where it is an e-mail address, else nothing.
func address(s string) string {
	if addresses.MatchString(s) {
		return s
	}
	return ""
}
