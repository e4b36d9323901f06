package resource

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A KindInfo describes a kind of object: which of its fields mean what, and what
// the platform can do with it. It is data, so that one walker serves every kind.
type KindInfo struct {
	Kind Kind
	// Raw kinds are files of bytes: Git holds the content itself, under its own name.
	Raw bool
	// ReferenceOnly kinds are looked up by name and never managed.
	ReferenceOnly bool
	Fields        []Field
	// Cascades lists what the platform strips from referrers when an object of this kind is deleted.
	Cascades []Cascade
	// Settle is how long after a write of ours a reading may still show what was there before.
	Settle time.Duration
	// MaxSize bounds the file of one object, in bytes; 0 means 1 MiB.
	MaxSize int64
	Can     Capabilities
	// Mentions knows what texts of the kind name; nil where they name nothing.
	Mentions Mentions `json:"-"`
}

// Mentions are objects that a text names by their names, as a flow's text names the queue to which it leads: no Ref, and still what a rename
// takes along. How such a text is written is code, as no table can say it.
type Mentions interface {
	// In returns what the texts of a spec name, in no order.
	In(s Spec) []Key
	// Renamed returns the spec as the platform has it once each key is renamed to its value.
	Renamed(s Spec, now map[Key]Key) Spec
}

// Capabilities are what the platform can do with a kind. The zero value can be observed only.
type Capabilities struct {
	Create, Update, Delete, Rename bool
	// Guard says that the platform itself refuses a write whose Before is stale. Without it the
	// driver reads immediately before and after writing, and a window remains.
	Guard bool
	// StableID says that an object keeps its id through edits and renames.
	StableID bool
}

// A Cascade says that deleting an object strips the reference at Path from objects of Kind.
type Cascade struct {
	Kind Kind
	Path string
}

// A Field gives the meaning of what stands at Path: names joined by dots, "[]"
// for the elements of a list, "*" for any key of a map. "members[].user" is the
// user of each member.
type Field struct {
	Path     string
	Ref      Kind   // the platform has an id here; the spec has a Ref to this kind
	Set      bool   // a list whose order means nothing
	ListKey  string // a list of objects that are told apart by this field
	Default  any    // what absence means; canonical; left out of specs
	Volatile bool   // computed by the platform: dropped
	Secret   bool   // never read, written from a Secret
	// Resent secrets must be part of every write, because the platform forgets one that is left out.
	Resent bool
	// Immutable fields can be set on creation only.
	Immutable bool
	// Operational fields are observed and alerted on, never deployed unless asked.
	Operational bool
	// EnvironmentSpecific fields are expected to differ from environment to environment.
	EnvironmentSpecific bool
}

// A Schema is the compiled form of a descriptor's fields. The zero and the nil
// Schema know no field.
type Schema struct{ root *node }

type node struct {
	field    Field
	has      bool
	children map[string]*node
}

// Schema compiles the fields for look-up while walking a spec.
func (k KindInfo) Schema() *Schema {
	root := &node{}
	for _, f := range k.Fields {
		n := root
		for _, step := range splitPath(f.Path) {
			if n.children == nil {
				n.children = map[string]*node{}
			}
			if n.children[step] == nil {
				n.children[step] = &node{}
			}
			n = n.children[step]
		}
		n.field, n.has = f, true
	}
	return &Schema{root: root}
}

func splitPath(p string) []string {
	return strings.Split(strings.ReplaceAll(p, "[]", ".[]"), ".")
}

// At is a place in a Schema, reached by walking down beside a value.
type At struct{ n *node }

// Root is the place of the whole spec.
func (s *Schema) Root() At {
	if s == nil {
		return At{}
	}
	return At{s.root}
}

// Field returns the meaning of this place; the zero Field where nothing is declared.
func (a At) Field() Field {
	if a.n == nil {
		return Field{}
	}
	return a.n.field
}

// Key steps into a map.
func (a At) Key(k string) At {
	if a.n == nil {
		return At{}
	}
	if c := a.n.children[k]; c != nil {
		return At{c}
	}
	return At{a.n.children["*"]}
}

// Elem steps into a list.
func (a At) Elem() At { return a.Key("[]") }

// Normalize returns the spec as the descriptor wants it: volatile fields and
// values equal to their default dropped, sets and keyed lists sorted, sets
// without duplicates. It shares unchanged parts with spec, which must be canonical; a nil
// spec, an absent object, stays nil.
func (s *Schema) Normalize(spec Spec) Spec {
	if spec == nil || s == nil || s.root == nil || len(s.root.children) == 0 {
		return spec
	}
	return Spec(normalize(map[string]any(spec), s.Root()).(map[string]any))
}

func normalize(v any, at At) any {
	if at.n == nil {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			sub := at.Key(k)
			f := sub.Field()
			if f.Volatile {
				continue
			}
			x = normalize(x, sub)
			if f.Default != nil && Equal(x, f.Default) {
				continue
			}
			out[k] = x
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = normalize(x, at.Elem())
		}
		f := at.Field()
		if f.Set || f.ListKey != "" {
			// What looks equal has no order worth keeping, so a stable sort by text is canonical.
			slices.SortStableFunc(out, f.CompareElements)
		}
		if f.Set {
			out = slices.CompactFunc(out, Equal)
		}
		return out
	}
	return v
}

// CompareElements orders two elements of the set or keyed list that f describes
// as Normalize does. It is zero for equal elements only.
func (f Field) CompareElements(a, b any) int {
	return strings.Compare(sortKey(a, f.ListKey), sortKey(b, f.ListKey))
}

// sortKey is a text that orders the elements of a set: the declared key's value
// first, then everything else, so that the order is total.
func sortKey(v any, key string) string {
	if m, ok := v.(map[string]any); ok && key != "" {
		return Text(m[key]) + "\x00" + Text(v)
	}
	return Text(v)
}

// Text returns a deterministic, injective text of a canonical value, for sorting
// and for naming the elements of sets. It is not the encoding of files.
func Text(v any) string {
	b, err := json.Marshal(plain(v))
	if err != nil {
		panic("resource: " + err.Error()) // canonical values always marshal
	}
	return string(b)
}

// plain makes a canonical value one that JSON can tell from every other: a literal $ at
// the beginning of a key is doubled, and bytes that are no text are written in hexadecimal.
func plain(v any) any {
	switch v := v.(type) {
	case Spec:
		return plain(map[string]any(v))
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			switch {
			case !utf8.ValidString(k):
				k = "$bytes:" + hex.EncodeToString([]byte(k))
			case strings.HasPrefix(k, "$"):
				k = "$" + k
			}
			out[k] = plain(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plain(x)
		}
		return out
	case string:
		if !utf8.ValidString(v) {
			return map[string]any{"$bytes": hex.EncodeToString([]byte(v))}
		}
	case Ref:
		if strings.Contains(string(v.Kind), "/") { // never in a valid one
			return map[string]any{"$ref": []any{plain(string(v.Kind)), plain(v.Name)}}
		}
		return map[string]any{"$ref": plain(v.String())}
	case Secret:
		return map[string]any{"$secret": plain(v.Name)}
	}
	return v
}
