// Package diff tells how two specs of an object differ, field by field, under
// paths that stay the same while the object is edited around them.
//
// The same fields are the verdict (are they equal?), what people read, and what
// can be applied again, so that no second notion of equality exists. It knows
// canonical specs and their descriptors; it must not know who is right, or Git.
package diff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// An Op says what happened to a field.
type Op string

// The three things that can happen to a field.
const (
	Added   Op = "added"   // Before is nil
	Removed Op = "removed" // After is nil
	Changed Op = "changed"
)

// A Field is one difference. Before and After are canonical values, shared with
// the specs they came from; nil stands for absence.
type Field struct {
	Path   Path
	Op     Op
	Before any
	After  any
}

func field(p Path, before, after any) Field {
	f := Field{Path: slices.Clone(p), Op: Changed, Before: before, After: after}
	switch {
	case before == nil:
		f.Op = Added
	case after == nil:
		f.Op = Removed
	}
	return f
}

// Invert returns the difference in the other direction.
func (f Field) Invert() Field { return field(f.Path, f.After, f.Before) }

// String prints the difference on one line: timeout: 20 → 30.
func (f Field) String() string {
	switch f.Op {
	case Added:
		return fmt.Sprintf("%s: + %s", f.Path, Text(f.After))
	case Removed:
		return fmt.Sprintf("%s: - %s", f.Path, Text(f.Before))
	}
	return fmt.Sprintf("%s: %s → %s", f.Path, Text(f.Before), Text(f.After))
}

// Fields returns how after differs from before, in path order. It is empty
// exactly where both are absent, or both are there and resource.Equal. A nil spec
// is an absent object: it differs from one that is there by a single Field of
// empty path.
//
// Sets are compared by element and keyed lists element by key and then field by
// field, provided both sides are normalized; another list is one changed value, or,
// where it keeps its length and its elements did not merely move, compared index by
// index. The specs must be canonical. A nil schema knows no sets and keys.
func Fields(s *resource.Schema, before, after resource.Spec) []Field {
	if before == nil || after == nil {
		if before == nil && after == nil {
			return nil
		}
		return []Field{field(nil, object(before), object(after))}
	}
	if resource.Equal(before, after) {
		return nil
	}
	var w walk
	w.maps(s.Root(), before, after)
	return w.fields
}

// object is the spec as a canonical value, nil where it is absent.
func object(s resource.Spec) any {
	if s == nil {
		return nil
	}
	return map[string]any(s)
}

type walk struct {
	path   Path
	fields []Field
}

func (w *walk) emit(before, after any) { w.fields = append(w.fields, field(w.path, before, after)) }

// in compares what stands at the step below the present path; either may be absent, not both.
func (w *walk) in(step Step, at resource.At, before, after any) {
	if resource.Equal(before, after) {
		return
	}
	w.path = append(w.path, step)
	w.values(at, before, after)
	w.path = w.path[:len(w.path)-1]
}

// values compares two values that are known to differ.
func (w *walk) values(at resource.At, before, after any) {
	switch b := before.(type) {
	case map[string]any:
		if a, ok := after.(map[string]any); ok {
			w.maps(at, b, a)
			return
		}
	case []any:
		if a, ok := after.([]any); ok && w.lists(at, b, a) {
			return
		}
	}
	w.emit(before, after)
}

func (w *walk) maps(at resource.At, before, after map[string]any) {
	names := make([]string, 0, max(len(before), len(after)))
	names = slices.AppendSeq(names, maps.Keys(before))
	for k := range after {
		if _, both := before[k]; !both {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	for _, k := range names {
		w.in(Name(k), at.Key(k), before[k], after[k])
	}
}

// lists reports whether it could say the difference inside the lists; if not, they differ as a whole.
func (w *walk) lists(at resource.At, before, after []any) bool {
	f := at.Field()
	if f.Set || f.ListKey != "" {
		b, okB := Elements(f, before)
		a, okA := Elements(f, after)
		if okB && okA {
			w.elements(at, b, a)
		}
		return okB && okA
	}
	if len(before) != len(after) || moved(before, after) {
		return false
	}
	for i := range before {
		w.in(Index(i), at.Elem(), before[i], after[i])
	}
	return true
}

// elements merges two lists of elements that are in the same order.
func (w *walk) elements(at resource.At, before, after []Element) {
	for len(before) > 0 || len(after) > 0 {
		var c int
		switch {
		case len(before) == 0:
			c = 1
		case len(after) == 0:
			c = -1
		default:
			c = strings.Compare(before[0].ID, after[0].ID)
		}
		switch {
		case c < 0:
			w.in(before[0].Step, at.Elem(), before[0].Value, nil)
			before = before[1:]
		case c > 0:
			w.in(after[0].Step, at.Elem(), nil, after[0].Value)
			after = after[1:]
		default:
			w.in(before[0].Step, at.Elem(), before[0].Value, after[0].Value)
			before, after = before[1:], after[1:]
		}
	}
}

// moved reports whether both lists hold the same elements in another order.
func moved(before, after []any) bool {
	texts := func(l []any) []string {
		out := make([]string, len(l))
		for i, v := range l {
			out[i] = resource.Text(v)
		}
		slices.Sort(out)
		return out
	}
	return len(before) > 1 && slices.Equal(texts(before), texts(after))
}

// An Element is a member of a set or of a keyed list.
type Element struct {
	ID    string // tells it apart from the others of its list, and orders them
	Step  Step   // leads to it
	Value any
}

// Elements returns the members of the list that f describes, in the list's
// order, which is that of their IDs. It reports false where the list is not what f
// says: a set out of order or with duplicates, a keyed list whose elements lack the
// key or share one. Such a list can be compared as a whole only.
func Elements(f resource.Field, list []any) ([]Element, bool) {
	out := make([]Element, len(list))
	for i, v := range list {
		id := v
		if f.ListKey != "" {
			m, _ := v.(map[string]any)
			if id = m[f.ListKey]; id == nil {
				return nil, false
			}
		}
		out[i] = Element{ID: resource.Text(id), Step: Elem(f.ListKey, id), Value: v}
		if i > 0 && out[i-1].ID >= out[i].ID {
			return nil, false
		}
	}
	return out, true
}
