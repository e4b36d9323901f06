package simulator

import (
	"encoding/json"
	"reflect"
	"slices"
)

// clone copies a JSON value.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

func cloneMap(m map[string]any) map[string]any { return clone(m).(map[string]any) }

// withoutNull removes fields that are null: the platform does not tell them from absent ones.
func withoutNull(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil {
				delete(v, k)
				continue
			}
			v[k] = withoutNull(e)
		}
	case []any:
		for i, e := range v {
			v[i] = withoutNull(e)
		}
	}
	return v
}

// fill adds what body lacks of defaults, at any depth of objects.
func fill(body, defaults map[string]any) {
	for k, d := range defaults {
		have, ok := body[k]
		if !ok {
			body[k] = clone(d)
			continue
		}
		inner, isMap := have.(map[string]any)
		if dm, ok := d.(map[string]any); ok && isMap {
			fill(inner, dm)
		}
	}
}

// visit calls f with every value at the path and puts in its place what f returns;
// nil removes it. A step "[]" is every element of a list, "{}" every value of an object.
func visit(v any, path []string, f func(any) any) any {
	if len(path) == 0 {
		return f(v)
	}
	switch step, rest := path[0], path[1:]; {
	case step == "[]":
		list, ok := v.([]any)
		if !ok {
			return v
		}
		kept := make([]any, 0, len(list))
		for _, e := range list {
			if e = visit(e, rest, f); e != nil {
				kept = append(kept, e)
			}
		}
		return kept
	default:
		m, ok := v.(map[string]any)
		if !ok {
			return v
		}
		for _, k := range fields(m, step) {
			if e := visit(m[k], rest, f); e != nil {
				m[k] = e
			} else {
				delete(m, k)
			}
		}
		return m
	}
}

func fields(m map[string]any, step string) []string {
	if step == "{}" {
		out := make([]string, 0, len(m))
		for k := range m {
			out = append(out, k)
		}
		slices.Sort(out)
		return out
	}
	if _, ok := m[step]; ok {
		return []string{step}
	}
	return nil
}

// refID is the id that a reference's value holds.
func refID(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		s, _ := v["id"].(string)
		return s
	}
	return ""
}

func text(body map[string]any, field string) string {
	s, _ := body[field].(string)
	return s
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// number reads a JSON number; ok is false where there is none.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}

// equal compares JSON values; numbers by what they say, not by how they are written.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	}
	return reflect.DeepEqual(a, b)
}

// plain makes a value of Go's own types what decoding its JSON gives.
func plain(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic("simulator: not a JSON value: " + err.Error())
	}
	var out any
	if err := decode(b, &out); err != nil {
		panic("simulator: " + err.Error())
	}
	return out
}
