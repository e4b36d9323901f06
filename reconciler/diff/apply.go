package diff

import (
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// Apply returns before with the fields changed: Apply(s, a, Fields(s, a, b)) is
// b. It shares unchanged parts with before, which it leaves as it is. Where a place
// does not hold what its Field has as Before, nothing is applied and the error names
// the path. The result is nil where the object is removed as a whole.
func Apply(s *resource.Schema, before resource.Spec, fs []Field) (resource.Spec, error) {
	v := object(before)
	for _, f := range fs {
		out, err := set(s.Root(), v, f.Path, f)
		if err != nil {
			return nil, fmt.Errorf("apply %s: %w", f.Path, err)
		}
		v = out
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return resource.Spec(v), nil
	}
	return nil, fmt.Errorf("apply: the object became %s", Text(v))
}

// set returns v with f done at the end of the path, which starts at v.
func set(at resource.At, v any, path Path, f Field) (any, error) {
	if len(path) == 0 {
		if !same(v, f.Before) {
			return nil, fmt.Errorf("is %s, want %s", Text(v), Text(f.Before))
		}
		return f.After, nil
	}
	step := path[0]
	switch v := v.(type) {
	case map[string]any:
		if step.kind != stepName {
			break
		}
		x, err := set(step.at(at), v[step.name], path[1:], f)
		if err != nil {
			return nil, err
		}
		return withField(v, step.name, x), nil
	case []any:
		if step.kind == stepName {
			break
		}
		i := step.find(v)
		var old any
		if i >= 0 {
			old = v[i]
		}
		x, err := set(step.at(at), old, path[1:], f)
		if err != nil {
			return nil, err
		}
		return withElement(at.Field(), v, i, x), nil
	}
	return nil, fmt.Errorf("no %s in %s", Path{step}, Text(v))
}

// same is equality where nil is absence.
func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return resource.Equal(a, b)
}

func withField(m map[string]any, name string, x any) map[string]any {
	out := maps.Clone(m)
	if x == nil {
		delete(out, name)
	} else {
		out[name] = x
	}
	return out
}

// withElement returns the list with x in place of element i; a negative i inserts where it belongs.
func withElement(f resource.Field, list []any, i int, x any) []any {
	out := slices.Clone(list)
	switch {
	case i < 0 && x == nil:
		return out
	case i < 0:
		i = slices.IndexFunc(out, func(v any) bool { return f.CompareElements(v, x) > 0 })
		if i < 0 {
			i = len(out)
		}
		return slices.Insert(out, i, x)
	case x == nil:
		return slices.Delete(out, i, i+1)
	}
	out[i] = x
	return out
}
