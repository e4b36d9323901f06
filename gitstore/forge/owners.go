package forge

import (
	"regexp"
	"slices"
	"strings"
)

// OwnersFiles are where a CODEOWNERS file stands in a repository; the first that is there counts.
// It is to be read from the tracked branch, where a pull request cannot change it.
var OwnersFiles = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

// MaxOwners bounds a CODEOWNERS file, in bytes: GitHub reads none that is larger.
const MaxOwners = 3 << 20

// An Owners is a CODEOWNERS file: who is to review changes of which files. The zero Owners has no rules.
// Source: docs.github.com, "About code owners".
type Owners struct{ rules []ownerRule }

type ownerRule struct {
	pattern *regexp.Regexp
	owners  []string
}

// ParseOwners reads a file. A line that GitHub would not take, such as one with ! or [ in its pattern, is
// left out, as GitHub does; so is everything of a file over MaxOwners.
func ParseOwners(src []byte) Owners {
	var o Owners
	if len(src) > MaxOwners {
		return o
	}
	for line := range strings.Lines(string(src)) {
		fields := ownerFields(line)
		if len(fields) == 0 {
			continue
		}
		if re := ownerPattern(fields[0]); re != nil {
			r := ownerRule{pattern: re}
			for _, f := range fields[1:] {
				if name, isLogin := strings.CutPrefix(f, "@"); isLogin && name != "" || strings.Contains(f, "@") {
					r.owners = append(r.owners, name)
				}
			}
			o.rules = append(o.rules, r)
		}
	}
	return o
}

// Of returns the owners of a file, by the last rule that matches it: logins, ORGANISATION/TEAM, or
// e-mail addresses. nil for a file that nobody owns.
func (o Owners) Of(path string) []string {
	for _, r := range slices.Backward(o.rules) {
		if r.pattern.MatchString(path) {
			return slices.Clone(r.owners)
		}
	}
	return nil
}

// OfAll returns the owners of several files, sorted, each once.
func (o Owners) OfAll(paths []string) []string {
	var all []string
	for _, p := range paths {
		all = append(all, o.Of(p)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ownerFields takes a line apart at blanks that no backslash precedes, up to a comment.
func ownerFields(line string) []string {
	var fields []string
	var field strings.Builder
	flush := func() {
		if field.Len() > 0 {
			fields = append(fields, field.String())
			field.Reset()
		}
	}
	runes := []rune(strings.TrimSpace(line))
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\\' && i+1 < len(runes):
			i++
			field.WriteRune(runes[i])
		case r == '#' && field.Len() == 0:
			return fields
		case r == ' ' || r == '\t':
			flush()
		default:
			field.WriteRune(r)
		}
	}
	flush()
	return fields
}

const maxOwnerPattern = 1000 // bytes

// ownerPattern returns what a pattern matches; nil for one that GitHub does not take.
func ownerPattern(p string) *regexp.Regexp {
	if len(p) > maxOwnerPattern || strings.ContainsAny(p, "![]") || strings.Contains(p, "***") || p == "/" {
		return nil
	}
	folder := strings.HasSuffix(p, "/")
	body := strings.TrimSuffix(p, "/")
	anchored := strings.Contains(body, "/")
	parts := strings.Split(strings.TrimPrefix(body, "/"), "/")
	var re strings.Builder
	re.WriteString("^")
	if !anchored {
		re.WriteString("(?:.*/)?")
	}
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "**" {
			if last {
				re.WriteString(".+")
			} else {
				re.WriteString("(?:.*/)?")
			}
			continue
		}
		for _, r := range part {
			switch r {
			case '*':
				re.WriteString("[^/]*")
			case '?':
				re.WriteString("[^/]")
			default:
				re.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		if !last {
			re.WriteString("/")
		}
	}
	switch end := parts[len(parts)-1]; {
	case folder:
		re.WriteString("/.+")
	case end != "*" && end != "**": // a name may be a folder's
		re.WriteString("(?:/.+)?")
	}
	re.WriteString("$")
	out, err := regexp.Compile(re.String())
	if err != nil {
		return nil
	}
	return out
}
