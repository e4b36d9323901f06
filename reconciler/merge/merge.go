// Package merge joins two developments of an object, field by field.
//
// It says what both sides want together, or under which paths they contradict
// each other. It must not know which side is Git, who is right, or what happens next.
package merge

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/driftback/driftback/gitstore/diff3"
	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// A Conflict is a place that both sides changed, to different values. Values
// are canonical; nil stands for absence, except that a field with a declared default
// has that.
type Conflict struct {
	Path               diff.Path
	Base, Ours, Theirs any
	Reason             string // one sentence for people, without the values
}

// A Result is what Specs found. Spec means something only without Conflicts.
type Result struct {
	Spec      resource.Spec // nil where the object is to be absent
	Conflicts []Conflict    // in path order
	// Text says that some text was merged line by line, and that nobody has seen the outcome.
	Text bool
}

// Specs applies to base what each side changed in it. A nil spec is an absent
// object. All three must be canonical and normalized by s, and so is the result;
// it shares parts with them.
//
// What one side left as it was is the other's to decide, and the same change on both
// sides is one change. Maps are merged name by name, sets by element, keyed lists by
// key, texts of several lines line by line; lists without a key and everything else
// are taken whole. An absent field counts as its declared default, or else as an empty
// set, keyed list or map where both sides added one. Objects are not put together that
// way: created on both sides differently, or deleted on one and changed on the other,
// they conflict under the empty path.
func Specs(s *resource.Schema, base, ours, theirs resource.Spec) Result {
	switch {
	case equal(whole(ours), whole(theirs)), equal(whole(base), whole(theirs)):
		return Result{Spec: ours}
	case equal(whole(base), whole(ours)):
		return Result{Spec: theirs}
	}
	var m merger
	if base == nil || ours == nil || theirs == nil {
		m.conflict(three{whole(base), whole(ours), whole(theirs)}, rootReason(base))
		return m.result
	}
	merged := m.maps(s.Root(), base, ours, theirs)
	if len(m.result.Conflicts) == 0 {
		m.result.Spec = s.Normalize(merged)
	}
	return m.result
}

func rootReason(base resource.Spec) string {
	if base == nil {
		return "created on both sides with different values"
	}
	return "deleted on one side and changed on the other"
}

// whole is the spec as a canonical value, nil where it is absent.
func whole(s resource.Spec) any {
	if s == nil {
		return nil
	}
	return map[string]any(s)
}

// equal is equality where nil is absence.
func equal(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return resource.Equal(a, b)
}

// three are the versions of one value; nil where it is absent.
type three struct{ base, ours, theirs any }

// trivial returns the outcome where at most one side changed, or both did the same.
func (v three) trivial() (any, bool) {
	switch {
	case equal(v.ours, v.theirs), equal(v.base, v.theirs):
		return v.ours, true
	case equal(v.base, v.ours):
		return v.theirs, true
	}
	return nil, false
}

// or returns v with x in place of what is absent.
func (v three) or(x any) three {
	for _, p := range []*any{&v.base, &v.ours, &v.theirs} {
		if *p == nil {
			*p = x
		}
	}
	return v
}

// all converts the three to one type, and reports whether all are of it.
func all[T any](v three) (base, ours, theirs T, ok bool) {
	base, okB := v.base.(T)
	ours, okO := v.ours.(T)
	theirs, okT := v.theirs.(T)
	return base, ours, theirs, okB && okO && okT
}

type merger struct {
	path   diff.Path
	result Result
}

func (m *merger) conflict(v three, reason string) {
	m.result.Conflicts = append(m.result.Conflicts, Conflict{
		Path: slices.Clone(m.path), Base: v.base, Ours: v.ours, Theirs: v.theirs, Reason: reason,
	})
}

// in merges what stands at the step below the present path.
func (m *merger) in(step diff.Step, at resource.At, v three) any {
	if d := at.Field().Default; d != nil {
		v = v.or(d)
	}
	if x, ok := v.trivial(); ok {
		return x
	}
	m.path = append(m.path, step)
	defer func() { m.path = m.path[:len(m.path)-1] }()
	return m.values(at, v)
}

// values merges a value that the sides changed differently.
func (m *merger) values(at resource.At, v three) any {
	filled := v
	if filled.base == nil {
		switch filled.ours.(type) {
		case map[string]any:
			filled.base = map[string]any{}
		case []any:
			filled.base = []any{}
		}
	}
	if b, o, t, ok := all[map[string]any](filled); ok {
		return m.maps(at, b, o, t)
	}
	if b, o, t, ok := all[[]any](filled); ok {
		if list, ok := m.lists(at, b, o, t); ok {
			return list
		}
	}
	if b, o, t, ok := all[string](v); ok {
		return m.text(b, o, t)
	}
	m.conflict(v, reason(v))
	return nil
}

func reason(v three) string {
	switch {
	case v.base == nil:
		return "added on both sides with different values"
	case v.ours == nil, v.theirs == nil:
		return "removed on one side and changed on the other"
	}
	return "changed on both sides to different values"
}

func (m *merger) maps(at resource.At, base, ours, theirs map[string]any) map[string]any {
	names := slices.Collect(maps.Keys(base))
	names = slices.AppendSeq(names, maps.Keys(ours))
	names = slices.AppendSeq(names, maps.Keys(theirs))
	slices.Sort(names)
	out := make(map[string]any, len(names))
	for _, k := range slices.Compact(names) {
		if x := m.in(diff.Name(k), at.Key(k), three{base[k], ours[k], theirs[k]}); x != nil {
			out[k] = x
		}
	}
	return out
}

// lists reports whether the lists can be merged element by element.
func (m *merger) lists(at resource.At, base, ours, theirs []any) ([]any, bool) {
	f := at.Field()
	if !f.Set && f.ListKey == "" {
		return nil, false
	}
	var versions [3]map[string]any
	steps := map[string]diff.Step{}
	for i, list := range [][]any{base, ours, theirs} {
		elements, ok := diff.Elements(f, list)
		if !ok {
			return nil, false
		}
		versions[i] = make(map[string]any, len(elements))
		for _, e := range elements {
			versions[i][e.ID], steps[e.ID] = e.Value, e.Step
		}
	}
	out := []any{}
	for _, id := range slices.Sorted(maps.Keys(steps)) {
		v := three{versions[0][id], versions[1][id], versions[2][id]}
		if x := m.in(steps[id], at.Elem(), v); x != nil {
			out = append(out, x)
		}
	}
	return out, true
}

// text merges two texts line by line where all three have several lines.
func (m *merger) text(base, ours, theirs string) any {
	v := three{base, ours, theirs}
	if !lines(base) || !lines(ours) || !lines(theirs) {
		m.conflict(v, reason(v))
		return nil
	}
	merged, conflicts := diff3.Merge(base, ours, theirs)
	if conflicts {
		m.conflict(v, "changed on both sides in the same lines")
		return nil
	}
	m.result.Text = true
	return merged
}

// lines reports whether s is text of several lines.
func lines(s string) bool {
	return strings.Contains(s, "\n") && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}
