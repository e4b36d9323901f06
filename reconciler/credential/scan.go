package credential

import (
	"slices"
	"strings"
)

// A hit is a finding by its offset.
type hit struct {
	at   int
	rule string
}

// scan returns the hits in text by offset, at most one at each. Assignments are
// looked for where the text is laid out like a configuration.
func scan(text string, config bool) []hit {
	s := scanner{text: text}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if marks[c] == 0 {
			continue
		}
		if c == '\n' {
			if config {
				s.endLine(i)
			}
			s.line = i + 1
			continue
		}
		if len(byFirst[c]) > 0 {
			s.shapes(i)
		}
		if c == ':' && strings.HasPrefix(text[i:], "://") {
			s.url(i)
		} else if c == '@' {
			s.dataSource(i)
		} else if config {
			s.separator(i)
		}
	}
	if config {
		s.endLine(len(text))
	}
	return s.hits()
}

// marks are the bytes at which something may begin.
var marks = func() (t [256]byte) {
	for c := range byFirst {
		if len(byFirst[c]) > 0 {
			t[c] = 1
		}
	}
	for _, c := range []byte("\n:=>@{}") {
		t[c] = 1
	}
	return t
}()

type scanner struct {
	text  string
	found []hit
	count map[string]int // of the hits by rule
	line  int            // offset at which the line begins
	brace int            // offset after the last open brace of this line, 0 when there is none
	// selector says that the lines since the last { are label matchers of PromQL.
	selector bool
	// name and nameEnd are the last value of a field called name, and where it ended.
	name    string
	nameEnd int
}

// enough bounds the hits of one rule that are kept, well above what is reported: a
// text of nothing else takes no longer than any other.
const enough = 4 * perRule

func (s *scanner) add(at int, rule string) {
	if s.full(rule) {
		return
	}
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[rule]++
	s.found = append(s.found, hit{at, rule})
}

func (s *scanner) full(rule string) bool { return s.count[rule] >= enough }

func (s *scanner) hits() []hit {
	if len(s.found) > 0 && !strings.Contains(s.text, "\ndata:") && !strings.Contains(s.text, "stringData") && !strings.Contains(s.text, `"data"`) {
		s.found = slices.DeleteFunc(s.found, func(h hit) bool { return h.rule == Kubernetes }) // it only refers to one
	}
	// A token is named by its own rule rather than by the assignment that it stands in.
	slices.SortStableFunc(s.found, func(a, b hit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return rank(a.rule) - rank(b.rule)
	})
	return slices.CompactFunc(s.found, func(a, b hit) bool { return a.at == b.at })
}

func rank(rule string) int {
	if rule == Assignment || rule == HighEntropy {
		return 1
	}
	return 0
}

func (s *scanner) shapes(i int) {
	for _, sh := range byFirst[s.text[i]] {
		if strings.HasPrefix(s.text[i:], sh.prefix) && (sh.inside || s.wordBegins(i)) && sh.follows(s.text, i, i+len(sh.prefix)) {
			s.add(i, sh.rule)
			return
		}
	}
}

// wordBegins reports whether no word runs into i. The n of an escaped newline belongs to none.
func (s *scanner) wordBegins(i int) bool {
	if i == 0 || !isAlnum(s.text[i-1]) && s.text[i-1] != '_' {
		return true
	}
	return i > 1 && s.text[i-2] == '\\' && strings.IndexByte("nrt", s.text[i-1]) >= 0
}

// maxAuthority bounds the part of a URL that is looked at.
const maxAuthority = 300

// url looks at the user and password after the :// at i.
func (s *scanner) url(i int) {
	if s.full(URLPassword) {
		return
	}
	begin := i + len("://")
	rest := s.text[begin:min(len(s.text), begin+maxAuthority)]
	if end := strings.IndexAny(rest, "/?# \t\r\n\"'<>`\\|,;()"); end >= 0 {
		// A password may hold what a URL should have escaped, but an @ must follow before the host.
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return
	}
	user, pass, ok := strings.Cut(rest[:at], ":")
	if ok && password.literal(pass, quoted) || !ok && random(user) {
		s.add(begin, URLPassword)
	}
}

// dataSource looks at user:password@tcp(host) as Go's MySQL driver writes it.
func (s *scanner) dataSource(i int) {
	if rest := s.text[i+1:]; s.full(URLPassword) || !strings.HasPrefix(rest, "tcp(") && !strings.HasPrefix(rest, "unix(") {
		return
	}
	begin := max(s.line, i-maxValue)
	begin += strings.LastIndexAny(s.text[begin:i], " \t\"'=") + 1
	if _, pass, ok := strings.Cut(s.text[begin:i], ":"); ok && password.literal(pass, quoted) {
		s.add(begin, URLPassword)
	}
}
