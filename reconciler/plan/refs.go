package plan

import (
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// refs returns the keys that the spec refers to, sorted and each once.
func refs(s resource.Spec) []resource.Key {
	var out []resource.Key
	s.Refs(func(r resource.Ref) { out = append(out, r.Key) })
	slices.SortFunc(out, resource.Key.Compare)
	return slices.Compact(out)
}

// renamed returns the spec with references under new names, also where a text has them.
func renamed(k kind, s resource.Spec, now map[resource.Key]resource.Key) resource.Spec {
	affected := func(r resource.Key) bool { _, ok := now[r]; return ok }
	if len(now) > 0 && s != nil && k.Mentions != nil && slices.ContainsFunc(k.Mentions.In(s), affected) {
		s = k.Mentions.Renamed(s, now)
	}
	if len(now) == 0 || !slices.ContainsFunc(refs(s), affected) {
		return s
	}
	// Sets and keyed lists are sorted by what they hold, so that they have to be sorted again.
	return k.schema.Normalize(renameIn(map[string]any(s), now).(map[string]any))
}

func renameIn(v any, now map[resource.Key]resource.Key) any {
	switch v := v.(type) {
	case resource.Ref:
		if k, ok := now[v.Key]; ok {
			return resource.Ref{Key: k}
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = renameIn(x, now)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = renameIn(x, now)
		}
		return out
	}
	return v
}

// strip returns the spec without references to the keys (sorted). What cannot stand
// without one goes with it: the element of a list, or else the field. It reports
// false where an update could not complete the spec again.
func strip(k kind, s resource.Spec, keys []resource.Key) (resource.Spec, bool) {
	bare, _ := stripValue(map[string]any(s), keys)
	out := k.schema.Normalize(bare.(map[string]any))
	_, fixed := frozen(k.schema, out, s)
	return out, !fixed
}

// stripValue returns v without the references, and whether the list that v is an element of shall lose it.
func stripValue(v any, keys []resource.Key) (out any, lost bool) {
	switch v := v.(type) {
	case resource.Ref:
		_, lost = slices.BinarySearchFunc(keys, v.Key, resource.Key.Compare)
		return v, lost
	case map[string]any:
		kept := make(map[string]any, len(v))
		for k, x := range v {
			y, gone := stripValue(x, keys)
			if _, isMap := x.(map[string]any); isMap || !gone {
				kept[k] = y
			}
			lost = lost || gone
		}
		return kept, lost
	case []any:
		kept := make([]any, 0, len(v))
		for _, x := range v {
			if y, gone := stripValue(x, keys); !gone {
				kept = append(kept, y)
			}
		}
		return kept, false
	}
	return v, false
}
