package mem

import (
	"fmt"
	"strings"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

func refersTo(s resource.Spec, k resource.Key) bool {
	found := false
	s.Refs(func(r resource.Ref) { found = found || r.Key == k })
	return found
}

// dangling returns a reference of s that leads nowhere, if there is one. p.mu is held.
func (p *Platform) dangling(self resource.Key, s resource.Spec) (bad resource.Key, found bool) {
	s.Refs(func(r resource.Ref) {
		if r.Key != self && p.objects[r.Key] == nil && (!found || r.Key.Compare(bad) < 0) {
			bad, found = r.Key, true
		}
	})
	return bad, found
}

// replaceRef returns the spec with references to one key leading to another.
func replaceRef(s resource.Spec, from, to resource.Key) (resource.Spec, bool) {
	if !refersTo(s, from) {
		return s, false
	}
	v := edit(map[string]any(s), func(v any) (any, bool) {
		if v == (resource.Ref{Key: from}) {
			return resource.Ref{Key: to}, true
		}
		return v, true
	})
	return resource.Spec(v.(map[string]any)), true
}

// edit rebuilds a canonical value leaf by leaf; leaves for which keep is false are left out.
func edit(v any, leaf func(any) (any, bool)) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			if x = edit(x, leaf); x != nil {
				out[k] = x
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			if x = edit(x, leaf); x != nil {
				out = append(out, x)
			}
		}
		return out
	}
	if x, keep := leaf(v); keep {
		return x
	}
	return nil
}

// cascade strips references to k from the referrers of the kinds that its descriptor names,
// and returns them. ErrInvalid where something else refers to k. p.mu is held.
func (p *Platform) cascade(k resource.Key) (map[resource.Key]resource.Spec, error) {
	out := map[resource.Key]resource.Spec{}
	for _, r := range p.referrers(k) {
		spec := p.objects[r].spec
		for _, c := range p.info[k.Kind].Cascades {
			if c.Kind == r.Kind {
				spec = strip(spec, strings.Split(c.Path, "."), k)
			}
		}
		if refersTo(spec, k) {
			return nil, fmt.Errorf("%s refers to it: %w", r, vendors.ErrInvalid)
		}
		out[r] = spec
	}
	return out, nil
}

// strip removes references to k from what stands at the path.
func strip(s resource.Spec, path []string, k resource.Key) resource.Spec {
	v, ok := s[path[0]]
	if !ok {
		return s
	}
	out := make(resource.Spec, len(s))
	for f, x := range s {
		out[f] = x
	}
	if sub, ok := v.(map[string]any); ok && len(path) > 1 {
		out[path[0]] = map[string]any(strip(sub, path[1:], k))
		return out
	}
	x := edit(v, func(v any) (any, bool) { return v, v != (resource.Ref{Key: k}) })
	if x == nil {
		delete(out, path[0])
	} else {
		out[path[0]] = x
	}
	return out
}

// split parts a spec into what can be read again and the secrets, by path. A Secret
// that nobody resolved is ErrInvalid.
func (p *Platform) split(k resource.Key, s resource.Spec) (resource.Spec, map[string]string, error) {
	var secrets map[string]string
	var bad error
	var walk func(v any, at resource.At, path string) any
	walk = func(v any, at resource.At, path string) any {
		if at.Field().Secret {
			switch x := v.(type) {
			case string:
				if secrets == nil {
					secrets = map[string]string{}
				}
				secrets[path] = x
			case resource.Secret:
				bad = fmt.Errorf("%s: secret %s is not resolved: %w", path, x.Name, vendors.ErrInvalid)
			}
			return nil
		}
		switch v := v.(type) {
		case resource.Secret:
			bad = fmt.Errorf("%s: secret %s is not resolved: %w", path, v.Name, vendors.ErrInvalid)
		case map[string]any:
			out := make(map[string]any, len(v))
			for f, x := range v {
				if x = walk(x, at.Key(f), strings.TrimPrefix(path+"."+f, ".")); x != nil {
					out[f] = x
				}
			}
			return out
		case []any:
			out := make([]any, 0, len(v))
			for i, x := range v {
				if x = walk(x, at.Elem(), fmt.Sprintf("%s[%d]", path, i)); x != nil {
					out = append(out, x)
				}
			}
			return out
		}
		return v
	}
	out := walk(map[string]any(s), p.schemas[k.Kind].Root(), "").(map[string]any)
	return resource.Spec(out), secrets, bad
}
