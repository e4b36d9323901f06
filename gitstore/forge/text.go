package forge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What every forge takes. GitHub's own limits are a little wider.
const (
	MaxTitle       = 250    // characters of a title
	MaxDescription = 140    // characters of a status' or deployment's description
	MaxBody        = 65_000 // bytes of a body, comment or summary
	MaxMessage     = 4_000  // characters of an annotation's message
	MaxAnnotations = 500    // of a status: those after them are left out
)

// CleanTitle returns s as the one line that a title is: what a terminal or a
// page could be led astray by (control characters, marks that change the
// direction of writing) is taken out, and what is over MaxTitle cut.
func CleanTitle(s string) string { return oneLine(s, MaxTitle) }

// CleanDescription returns s as one line of at most MaxDescription characters.
func CleanDescription(s string) string { return oneLine(s, MaxDescription) }

func oneLine(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	return cut(s, limit)
}

// cut shortens s to at most limit characters and says so.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:limit-1])) + "…"
}

// CommandLines returns the lines of a comment that are commands: those that
// begin with a slash and a letter, outside fenced code and comments of HTML, without
// white space at their end. A path that somebody quotes as code is therefore none, and
// neither is what nobody can see.
func CommandLines(body string) []string {
	var lines []string
	fence, hidden := "", false
	all := strings.Split(body, "\n")
	for i, line := range all {
		if hidden {
			hidden = !strings.Contains(line, "-->")
			continue
		}
		hidden = fence == "" && opensComment(line, all[i+1:])
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if mark := fenceMark(line); mark != "" {
			switch {
			case fence == "":
				fence = mark
			case mark[0] == fence[0] && len(mark) >= len(fence) && strings.TrimLeft(line, " ") == mark:
				fence = ""
			}
			continue
		}
		if fence != "" || len(line) < 2 || line[0] != '/' {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(line[1:]); unicode.IsLetter(r) {
			lines = append(lines, line)
		}
	}
	return lines
}

// opensComment reports whether a comment of HTML begins in a line and goes on in the next: as a block of its own, or within a
// paragraph, in which it must end (CommonMark 0.31, sections 4.6 and 6.6).
func opensComment(line string, next []string) bool {
	at := strings.LastIndex(line, "<!--")
	if at < 0 || strings.Contains(line[at+len("<!--"):], "-->") || strings.Count(line[:at], "`")%2 == 1 {
		return false
	}
	if indent := strings.TrimLeft(line[:at], " "); indent == "" && at <= 3 {
		return true
	}
	for _, l := range next {
		if strings.TrimSpace(l) == "" {
			return false
		}
		if strings.Contains(l, "-->") {
			return true
		}
	}
	return false
}

// fenceMark returns the run of backquotes or tildes that opens or closes a
// fenced code block (CommonMark 0.31, section 4.5), and "" for another line.
func fenceMark(line string) string {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 || text == "" || text[0] != '`' && text[0] != '~' {
		return ""
	}
	rest := strings.TrimLeft(text, text[:1])
	mark := text[:len(text)-len(rest)]
	if len(mark) < 3 || mark[0] == '`' && strings.Contains(rest, "`") {
		return ""
	}
	return mark
}

// SameText reports whether two texts are the same but for the ends of lines and white space around them, which a
// forge may change.
func SameText(a, b string) bool { return a == b || plainText(a) == plainText(b) }

func plainText(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
