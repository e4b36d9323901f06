package diff

import (
	"encoding/json"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// kinds has every meaning that a list can have, at the top and nested.
var kinds = resource.KindInfo{Kind: "queue", Fields: []resource.Field{
	{Path: "tags", Set: true},
	{Path: "members", ListKey: "user"},
	{Path: "members[].skills", Set: true},
	{Path: "levels", ListKey: "n"},
	{Path: "groups", Set: true},
	{Path: "groups[].tags", Set: true},
	{Path: "ring", Default: json.Number("3")},
}}

// A tape makes specs out of a fuzzer's bytes; an empty one gives the simplest.
type tape struct{ bytes []byte }

func (t *tape) n(below int) int {
	if len(t.bytes) == 0 {
		return 0
	}
	b := t.bytes[0]
	t.bytes = t.bytes[1:]
	return int(b) % below
}

func (t *tape) text() string {
	return []string{
		"a", "b", "", "Ann", "user/Ann", "7", "-0", "1e3", "true", "absent", "odd.key", "a b", `"`, "[", "\n", "two\nlines\n",
		"é", "🎉", "\xff", "\x00", "$ref", "*", "[]", "$", "a,b", "{", "\u2028", "\ufffd", "null", ".", "=", "<&>",
	}[t.n(32)]
}

// name is valid UTF-8, as all names that come from JSON and YAML.
func (t *tape) name() string { return strings.ToValidUTF8(t.text(), "_") }

func (t *tape) ref() resource.Ref {
	name := []string{"Ann", "Bob", "?", "a/b", "two words", "\"", "é"}[t.n(7)]
	return resource.Ref{Key: resource.Key{Kind: []resource.Kind{"user", "skill", "odd kind"}[t.n(3)], Name: name}}
}

func (t *tape) value(depth int) any {
	leaves := 6
	if depth > 3 {
		leaves = 4
	}
	switch t.n(leaves) {
	case 0:
		return t.text()
	case 1:
		return t.n(2) == 1
	case 2:
		return []json.Number{"0", "1", "-2", "3.25", "12345678901234567890", "3"}[t.n(6)]
	case 3:
		if t.n(4) == 1 {
			return resource.Secret{Name: t.name()}
		}
		return t.ref()
	case 4:
		return t.list(func() any { return t.value(depth + 1) })
	}
	return t.object(depth + 1)
}

func (t *tape) list(elem func() any) []any {
	out := []any{}
	for range t.n(4) {
		out = append(out, elem())
	}
	return out
}

func (t *tape) object(depth int) map[string]any {
	out := map[string]any{}
	for range t.n(4) {
		out[t.name()] = t.value(depth)
	}
	return out
}

// spec is canonical and normalized.
func (t *tape) spec() resource.Spec {
	s := resource.Spec(t.object(0))
	member := func() any {
		m := t.object(2)
		m["user"] = t.ref()
		if t.n(8) == 1 {
			delete(m, "user")
		}
		m["skills"] = t.list(func() any { return t.ref() })
		return m
	}
	if t.n(2) == 1 {
		s["tags"] = t.list(func() any { return t.text() })
	}
	if t.n(2) == 1 {
		s["members"] = t.list(member)
	}
	if t.n(2) == 1 {
		s["levels"] = t.list(func() any { return map[string]any{"n": t.value(3), "x": t.value(1)} })
	}
	if t.n(2) == 1 {
		s["groups"] = t.list(func() any { return map[string]any{"tags": t.list(func() any { return t.text() })} })
	}
	if t.n(2) == 1 {
		s["ring"] = t.value(3)
	}
	return kinds.Schema().Normalize(s)
}
