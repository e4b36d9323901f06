package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// fields is a tree of field patterns: under names, "*" for any key and "[]" for
// the elements of a list. A leaf is ignored with everything below it.
type fields struct {
	leaf bool
	sub  map[string]*fields
}

// add puts a pattern in the syntax of resource.Field.Path.
func (f *fields) add(pattern string) error {
	if pattern == "" {
		return fmt.Errorf("an empty field; to ignore whole objects, leave fields out")
	}
	at := f
	steps := strings.Split(strings.ReplaceAll(pattern, "[]", ".[]"), ".")
	for _, step := range steps {
		if step == "" || step != "[]" && strings.ContainsAny(step, "[]") || step != "*" && strings.Contains(step, "*") {
			return fmt.Errorf("field %q: want names joined by dots, [] for the elements of a list and * for any key, such as members[].ring", pattern)
		}
	}
	if steps[0] == "[]" {
		return fmt.Errorf("field %q: an object is no list", pattern)
	}
	if steps[len(steps)-1] == "[]" {
		return fmt.Errorf("field %q: to ignore all elements, name the list", pattern)
	}
	for _, step := range steps {
		if at.sub == nil {
			at.sub = map[string]*fields{}
		}
		if at.sub[step] == nil {
			at.sub[step] = &fields{}
		}
		at = at.sub[step]
	}
	at.leaf = true
	return nil
}

// merge returns the union; either may be nil.
func (f *fields) merge(o *fields) *fields {
	if f == nil || o == nil || f.leaf || o.leaf {
		switch {
		case f == nil:
			return o
		case o == nil || f.leaf:
			return f
		}
		return o
	}
	out := &fields{sub: maps.Clone(f.sub)}
	if out.sub == nil {
		out.sub = map[string]*fields{}
	}
	for k, v := range o.sub {
		out.sub[k] = out.sub[k].merge(v)
	}
	return out
}

// key returns what is ignored below a key of a map; nil when nothing is.
func (f *fields) key(k string) *fields {
	if k == "[]" { // a key that people chose, not our syntax
		return f.sub["*"]
	}
	return f.sub[k].merge(f.sub["*"])
}

// strip returns v without what is ignored below it.
func (f *fields) strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return f.stripMap(v)
	case []any:
		elem := f.sub["[]"]
		if elem == nil {
			return v
		}
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = elem.strip(x)
			if m, ok := out[i].(map[string]any); ok && m == nil {
				out[i] = map[string]any{} // the element is still there
			}
		}
		return out
	}
	return v
}

// stripMap returns nil where nothing is left.
func (f *fields) stripMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		sub := f.key(k)
		if sub == nil {
			out[k] = v
			continue
		}
		if sub.leaf {
			continue
		}
		v = sub.strip(v)
		if below, ok := v.(map[string]any); ok && below == nil {
			continue
		}
		out[k] = v
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// restoreMap returns want with the ignored fields of live; nil where nothing is left.
func (f *fields) restoreMap(want, live map[string]any, at resource.At) map[string]any {
	out := make(map[string]any, len(want))
	for k := range union(want, live) {
		w, inWant := want[k]
		l, inLive := live[k]
		sub := f.key(k)
		switch {
		case sub == nil:
			if inWant {
				out[k] = w
			}
		case sub.leaf:
			if inLive {
				out[k] = l
			}
		default:
			if v := sub.restore(w, l, inWant, inLive, at.Key(k)); v != nil {
				out[k] = v
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func union(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, b)
	return out
}

// restore returns the value for a field that has ignored fields below it; nil for absence.
func (f *fields) restore(want, live any, inWant, inLive bool, at resource.At) any {
	w, wantMap := want.(map[string]any)
	l, liveMap := live.(map[string]any)
	if (wantMap || !inWant) && (liveMap || !inLive) {
		if m := f.restoreMap(w, l, at); m != nil {
			return m
		}
		return nil
	}
	wl, wantList := want.([]any)
	ll, liveList := live.([]any)
	if wantList && liveList && f.sub["[]"] != nil {
		return f.sub["[]"].restoreList(wl, ll, at)
	}
	if !inWant {
		return nil
	}
	return want
}

func (f *fields) restoreList(want, live []any, at resource.At) []any {
	partner := f.partners(want, live, at.Field().ListKey)
	out := slices.Clone(want)
	for i, w := range want {
		m, ok := w.(map[string]any)
		if partner[i] < 0 {
			continue
		}
		l, both := live[partner[i]].(map[string]any)
		if !ok || !both {
			continue
		}
		if m = f.restoreMap(m, l, at.Elem()); m == nil {
			m = map[string]any{}
		}
		out[i] = m
	}
	return out
}

// partners returns for each element of want the index of its partner in live, -1 for none.
func (f *fields) partners(want, live []any, key string) []int {
	byText := map[string][]int{}
	for i, l := range live {
		t := f.identity(l, key)
		byText[t] = append(byText[t], i)
	}
	out := make([]int, len(want))
	taken := make([]bool, len(live))
	for i, w := range want {
		t := f.identity(w, key)
		out[i] = -1
		if same := byText[t]; len(same) > 0 {
			out[i], byText[t] = same[0], same[1:]
			taken[same[0]] = true
		}
	}
	if key == "" && len(want) == len(live) {
		for i := range out {
			if out[i] < 0 && !taken[i] {
				out[i] = i
			}
		}
	}
	return out
}

// identity is a text that partners have in common.
func (f *fields) identity(v any, key string) string {
	if m, ok := v.(map[string]any); ok && key != "" && m[key] != nil {
		return resource.Text(m[key])
	}
	return resource.Text(f.strip(v))
}
