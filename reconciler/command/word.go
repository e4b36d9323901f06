package command

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A word is one of a line. A quoted one is never a keyword.
type word struct {
	text   string
	quoted bool
}

// split takes a line apart. Between quotes everything stands for itself, but for the quote's own mark: a name that
// holds double quotes can stand between backquotes, and the other way round.
func split(s string) ([]word, error) {
	if len(s) > maxLine {
		return nil, &Error{Reason: fmt.Sprintf("the line is longer than %d bytes", maxLine)}
	}
	if !utf8.ValidString(s) {
		return nil, &Error{Reason: "the line is not UTF-8"}
	}
	var out []word
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeftFunc(s, unicode.IsSpace) {
		mark := ""
		if s[0] == '"' || s[0] == '`' {
			mark = s[:len(s)-len(strings.TrimLeft(s, s[:1]))]
		}
		if mark == "" {
			end := strings.IndexFunc(s, unicode.IsSpace)
			if end < 0 {
				end = len(s)
			}
			out, s = append(out, word{text: s[:end]}), s[end:]
			continue
		}
		if mark[0] == '"' {
			mark = `"`
		}
		text, rest, closed := strings.Cut(s[len(mark):], mark)
		if !closed {
			return nil, &Error{Reason: "a quote is not closed"}
		}
		if len(mark) > 1 { // as Markdown has it, with the blanks that keep two backquotes apart
			text = strings.TrimSuffix(strings.TrimPrefix(text, " "), " ")
		}
		out, s = append(out, word{text: text, quoted: true}), rest
	}
	return out, nil
}

// quote writes a word so that split reads it back, where it can be: one that holds both marks is written as well as can be.
func quote(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, unicode.IsSpace) && s[0] != '"' && s[0] != '`' &&
		!strings.EqualFold(s, "until") && !strings.EqualFold(s, "at")
	switch {
	case plain:
		return s
	case !strings.Contains(s, `"`):
		return `"` + s + `"`
	}
	return "`" + s + "`"
}

// line joins words again from the i-th on.
func line(words []word, i int) string {
	var out []string
	for ; i < len(words); i++ {
		out = append(out, quote(words[i].text))
	}
	return strings.Join(out, " ")
}

// oneLine is a remark without what could lead a terminal or a page astray.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxReason {
		s = strings.TrimSpace(string([]rune(s)[:maxReason-1])) + "…"
	}
	return s
}

// written lists what may have been written for a command: its own words, and those of people who know other programs.
var written = []struct{ word, command string }{
	{"drift accept", "drift accept"}, {"drift revert", "drift revert"}, {"drift ignore", "drift ignore"}, {"drift", "drift"},
	{"plan", "plan"}, {"apply", "apply"}, {"cancel", "cancel"}, {"hold", "hold"}, {"rollback", "rollback"}, {"why", "why"}, {"help", "help"},
	{"accept", "drift accept"}, {"adopt", "drift accept"}, {"revert", "drift revert"}, {"ignore", "drift ignore"}, {"mute", "drift ignore"},
	{"replan", "plan"}, {"deploy", "apply"}, {"unhold", "cancel"}, {"unlock", "cancel"}, {"undo", "cancel"}, {"pause", "hold"}, {"freeze", "hold"}, {"blame", "why"},
}

// nearest returns the command that was most likely meant, with its arguments; "" where none is near.
func nearest(said, rest string) string {
	if len(said) > 20 {
		return ""
	}
	best, least := "", 99
	for _, w := range written {
		if d := distance(said, w.word); d <= mistakes(w.word) && d < least {
			best, least = w.command, d
		}
	}
	if best == "" {
		return ""
	}
	return strings.TrimSpace("/" + best + " " + rest)
}

// mistakes is how many a word may have and still be known.
func mistakes(word string) int {
	if len(word) >= 8 {
		return 2
	}
	return 1
}

// Near reports whether a name was most likely meant by what somebody wrote: that is another one, or written in other letters.
func Near(said, name string) bool {
	return said != name && len(said) <= 100 && distance(strings.ToLower(said), strings.ToLower(name)) <= mistakes(name)
}

// distance counts the letters to add, drop, change or swap with their neighbour that lead from one word to the other.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		now := make([]int, len(y)+1)
		now[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			now[j+1] = min(last[j+1]+1, now[j]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last = last, now
	}
	return last[len(y)]
}
