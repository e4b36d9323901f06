package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/driftback/driftback/vendors/resource"
)

// A Path leads from a spec to a place in it. The empty Path is the whole object.
type Path []Step

// A Step leads from a map or list into it. Make one with Name, Index or Elem.
type Step struct {
	kind  stepKind
	name  string // of the field; of the key of a keyed list
	index int
	value any // of the key; the element of a set itself
}

type stepKind uint8

const (
	stepName stepKind = iota
	stepIndex
	stepElem
)

// Name steps to a field of a map.
func Name(field string) Step { return Step{kind: stepName, name: field} }

// Index steps to a position in a list, from 0.
func Index(i int) Step { return Step{kind: stepIndex, index: i} }

// Elem steps to the element of a keyed list whose field key has the value; with
// an empty key, to the element of a set that is the value.
func Elem(key string, value any) Step { return Step{kind: stepElem, name: key, value: value} }

// Field returns the name of the field that the step leads to, if it leads to one.
func (s Step) Field() (string, bool) { return s.name, s.kind == stepName }

// Compare orders steps as Fields lists them.
func (s Step) Compare(o Step) int {
	if c := cmp.Or(cmp.Compare(s.kind, o.kind), cmp.Compare(s.name, o.name), cmp.Compare(s.index, o.index)); c != 0 || s.kind != stepElem {
		return c
	}
	return cmp.Compare(resource.Text(s.value), resource.Text(o.value))
}

// Compare orders paths as Fields lists them; one comes before those below it.
func (p Path) Compare(o Path) int { return slices.CompareFunc(p, o, Step.Compare) }

// HasPrefix reports whether p is o or lies below it.
func (p Path) HasPrefix(o Path) bool { return len(p) >= len(o) && p[:len(o)].Compare(o) == 0 }

// At returns the place in the schema that the path leads to.
func (p Path) At(s *resource.Schema) resource.At {
	at := s.Root()
	for _, step := range p {
		at = step.at(at)
	}
	return at
}

func (s Step) at(at resource.At) resource.At {
	if s.kind == stepName {
		return at.Key(s.name)
	}
	return at.Elem()
}

// In returns what stands at the path in the spec, and whether anything does.
func (p Path) In(s resource.Spec) (any, bool) {
	v := object(s)
	for _, step := range p {
		v = step.in(v)
	}
	return v, v != nil
}

// in returns what stands at the step; nil where nothing does.
func (s Step) in(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if s.kind == stepName {
			return v[s.name]
		}
	case []any:
		if i := s.find(v); i >= 0 {
			return v[i]
		}
	}
	return nil
}

// find returns the position in the list that the step leads to, -1 if there is none.
func (s Step) find(list []any) int {
	switch s.kind {
	case stepIndex:
		if s.index >= 0 && s.index < len(list) {
			return s.index
		}
	case stepElem:
		return slices.IndexFunc(list, func(v any) bool {
			if s.name != "" {
				m, _ := v.(map[string]any)
				v = m[s.name]
			}
			return v != nil && resource.Equal(v, s.value)
		})
	}
	return -1
}

// String prints the path: members[user=user/Ann].ring, hours[2].open,
// tags[=vip], attributes."odd.key". ParsePath is the inverse.
func (p Path) String() string {
	var b []byte
	for i, s := range p {
		switch s.kind {
		case stepName:
			if i > 0 {
				b = append(b, '.')
			}
			b = appendWord(b, s.name)
		case stepIndex:
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(s.index), 10)
			b = append(b, ']')
		case stepElem:
			b = append(b, '[')
			if s.name != "" {
				b = appendWord(b, s.name)
			}
			b = append(b, '=')
			b = appendValue(b, s.value)
			b = append(b, ']')
		}
	}
	return string(b)
}

// MarshalText prints the path.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePath.
func (p *Path) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePath(string(b))
	return err
}

// Text prints a canonical value on one line, as paths name elements: words as
// they are, other strings quoted, references as kind/name, secrets as $NAME.
func Text(v any) string { return string(appendValue(nil, v)) }

// inWord reports whether r may stand in a word without quotes.
func inWord(r rune) bool {
	return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// appendWord writes a name, quoted where it is not a plain word.
func appendWord(b []byte, s string) []byte {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !inWord(r) }) || !utf8.ValidString(s) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

// inScalar reports whether r may stand in a string value, or the name in a reference, without quotes.
func inScalar(r rune) bool { return inWord(r) || strings.ContainsRune(".@+?%#*", r) }

func appendScalar(b []byte, s string, also string) []byte {
	odd := func(r rune) bool { return !inScalar(r) && !strings.ContainsRune(also, r) }
	if s == "" || strings.ContainsFunc(s, odd) || !utf8.ValidString(s) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

// isLiteral reports whether the word would be read as something else than a string.
func isLiteral(s string) bool {
	return s == "true" || s == "false" || s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case json.Number:
		return append(b, v...)
	case string:
		if isLiteral(v) {
			return strconv.AppendQuote(b, v)
		}
		return appendScalar(b, v, "")
	case resource.Ref:
		b = appendWord(b, string(v.Kind))
		b = append(b, '/')
		return appendScalar(b, v.Name, "/")
	case resource.Secret:
		return appendWord(append(b, '$'), v.Name)
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendValue(b, x)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendWord(b, k)
			b = append(b, ": "...)
			b = appendValue(b, v[k])
		}
		return append(b, '}')
	case nil:
		return append(b, "absent"...)
	}
	return fmt.Appendf(b, "%v", v)
}
