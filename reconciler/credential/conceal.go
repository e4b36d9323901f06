package credential

import "strings"

// Conceal returns a text in which every token of a known shape, every private key and every password in a URL is replaced by
// the name of its rule in brackets. The rest stays as it is. It is for texts that must be shown whatever they hold, such as log
// lines and pull requests; what must not be shown at all is told by Find.
func Conceal(text string) string {
	var b strings.Builder
	s := scanner{text: text}
	kept := 0
	for i := 0; i < len(text); {
		from, to, rule := s.tokenAt(i)
		if rule == "" {
			i++
			continue
		}
		b.WriteString(text[kept:from] + "[" + rule + "]")
		i, kept = to, to
	}
	if kept == 0 {
		return text
	}
	return b.String() + text[kept:]
}

// tokenAt returns what is to be concealed of a token that begins at i, and its rule; none where no token does.
func (s *scanner) tokenAt(i int) (from, to int, rule string) {
	for _, sh := range byFirst[s.text[i]] {
		if sh.rule == Assignment || sh.rule == Kubernetes || !strings.HasPrefix(s.text[i:], sh.prefix) {
			continue
		}
		if (sh.inside || s.wordBegins(i)) && sh.follows(s.text, i, i+len(sh.prefix)) {
			return i, i + tokenLength(s.text[i:], sh.rule), sh.rule
		}
	}
	if !strings.HasPrefix(s.text[i:], "://") {
		return 0, 0, ""
	}
	user, rest, ok := strings.Cut(s.text[i+3:min(len(s.text), i+3+maxValue)], ":")
	if !ok || strings.ContainsAny(user, "/?#@ \t\r\n`") {
		return 0, 0, ""
	}
	end := strings.IndexAny(rest, "/?#@ \t\r\n`")
	if end < 1 || rest[end] != '@' {
		return 0, 0, ""
	}
	from = i + 3 + len(user) + 1
	return from, from + end, URLPassword
}

// tokenLength is how much of a text belongs to the token that it begins with.
func tokenLength(text, rule string) int {
	if rule == PrivateKey && strings.HasPrefix(text, "-----BEGIN ") {
		end := strings.Index(text, "-----END ")
		if end < 0 {
			return len(text)
		}
		rest := strings.Index(text[end+len("-----END "):], "-----")
		if rest < 0 {
			return len(text)
		}
		return end + len("-----END ") + rest + len("-----")
	}
	for i := range len(text) {
		if !tokens[text[i]] {
			return max(i, 1)
		}
	}
	return len(text)
}

// tokens are the characters that go on a token, also those between its parts.
var tokens = setOf(base64std + "_-.$:@")
