package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// decode reads one object; numbers stay exact.
func decode(raw []byte) (Object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var o Object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errors.New("null is no object")
	}
	return o, nil
}

// A namer tells the name of an object by its id. found false: there is none; pending: it cannot be
// told yet, as its kind is still to be listed.
type namer func(k resource.Kind, id string) (name string, found, pending bool, err error)

// A reading is an object turned into a spec.
type reading struct {
	name    string
	spec    resource.Spec
	pending bool // a reference could not be resolved yet; spec has it as unresolved
}

// A reader turns objects of a kind into specs.
type reader struct {
	k       *kind
	name    namer
	pending bool
}

// read turns an object of the platform, with its parts, into name and spec. parent is its parent's name.
func (k *kind) read(o Object, parent string, n namer) (reading, error) {
	r := &reader{k: k, name: n}
	v, err := r.convert(o, k.root, 0)
	if err != nil {
		return reading{}, err
	}
	m := v.(map[string]any)
	if k.Parent.Field != "" {
		if _, taken := m[k.Parent.Field]; taken && k.Verbatim {
			return reading{}, fmt.Errorf("has a field of its own that is called %s", k.Parent.Field)
		}
		m[k.Parent.Field] = resource.Ref{Key: resource.Key{Kind: k.Parent.Kind, Name: parent}}
	}
	spec, err := resource.CanonicalSpec(m)
	if err != nil {
		return reading{}, err
	}
	spec = k.schema.Normalize(spec)
	name, err := k.nameOf(o, spec)
	return reading{name: name, spec: spec, pending: r.pending}, err
}

// convert returns the value as a spec has it; nil where it has none.
func (r *reader) convert(v any, n *node, depth int) (any, error) {
	if v == nil || n != nil && n.drop {
		return nil, nil
	}
	if depth > resource.MaxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", resource.MaxDepth)
	}
	if n != nil && n.ref && n.field.Form != IDKeys {
		return r.reference(v, n)
	}
	switch v := v.(type) {
	case string:
		if n != nil && n.field.Form == Text {
			return r.text(v, n, depth)
		}
	case map[string]any:
		if n != nil && n.field.Form == IDKeys {
			return r.keyed(v, n, depth)
		}
		out := make(map[string]any, len(v))
		for key, x := range v {
			y, err := r.convert(x, n.step(key), depth+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			if y != nil {
				out[key] = y
			}
		}
		return out, nil
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			y, err := r.convert(x, n.element(), depth+1)
			if err != nil {
				return nil, err
			}
			if y != nil {
				out = append(out, y)
			}
		}
		return out, nil
	}
	return v, nil
}

// text opens a string that holds JSON. One that does not is a string like others.
func (r *reader) text(s string, n *node, depth int) (any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() || v == nil {
		return s, nil
	}
	if _, isText := v.(string); isText {
		return s, nil
	}
	in := *n
	in.field.Form = Plain
	return r.convert(v, &in, depth+1)
}

func (r *reader) reference(v any, n *node) (any, error) {
	kind := n.field.Ref
	id, ok := idText(v)
	if m, isMap := v.(map[string]any); isMap {
		id, ok = idText(m[r.k.p.refID()])
		if n.field.By != "" {
			by, _ := idText(m[n.field.By])
			if kind = n.field.Kinds[by]; kind == "" && ok {
				return nil, fmt.Errorf("a reference to the unknown type %q", by)
			}
		}
	}
	if !ok || id == "" {
		return nil, nil
	}
	return r.resolve(kind, id, n)
}

// resolve returns the reference to the object with the id.
func (r *reader) resolve(kind resource.Kind, id string, n *node) (any, error) {
	if slices.Contains(n.field.Literals, id) {
		return id, nil
	}
	if n.field.Form == ByName {
		return resource.Ref{Key: resource.Key{Kind: kind, Name: id}}, nil
	}
	name, found, pending, err := r.name(kind, id)
	if err != nil {
		return nil, err
	}
	r.pending = r.pending || pending
	if !found {
		name = resource.Unresolved
	}
	return resource.Ref{Key: resource.Key{Kind: kind, Name: name}}, nil
}

// keyed turns a map by id into a list.
func (r *reader) keyed(m map[string]any, n *node, depth int) (any, error) {
	at := n.element().step("value")
	out := make([]any, 0, len(m))
	for id, x := range m {
		key, err := r.resolve(n.field.Ref, id, n)
		if err != nil {
			return nil, err
		}
		y, err := r.convert(x, at, depth+1)
		if err != nil {
			return nil, err
		}
		e := map[string]any{"key": key}
		if y != nil {
			e["value"] = y
		}
		out = append(out, e)
	}
	// Normalize sorts them.
	return out, nil
}

// idText returns an id as text; false for what is none.
func idText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	}
	return "", false
}

var errNameless = errors.New("has no")

// nameOf returns the name under which the object is known.
func (k *kind) nameOf(o Object, spec resource.Spec) (string, error) {
	if k.Name.Singleton != "" {
		return k.Name.Singleton, nil
	}
	parts := make([]string, len(k.names))
	for i, path := range k.names {
		v, inSpec := at(map[string]any(spec), path)
		if !inSpec {
			v, _ = at(o, path)
		}
		if l, isList := v.([]any); isList && len(l) > 0 {
			v = l[0]
		}
		switch v := v.(type) {
		case resource.Ref:
			parts[i] = v.Name
		case string:
			parts[i] = v
		case json.Number:
			parts[i] = string(v)
		case bool:
			parts[i] = fmt.Sprint(v)
		}
		if parts[i] == "" {
			return "", fmt.Errorf("%w %s to be named by", errNameless, path)
		}
	}
	return joinName(parts), nil
}

// nameless reports whether an object lacks something that its name is made of, which its parent does not give.
func (k *kind) nameless(o Object) bool {
	for _, path := range k.names {
		if v, _ := at(o, path); (v == nil || v == "") && path != k.Parent.Field {
			return true
		}
	}
	return false
}

// joinName makes one name of several; splitName is its inverse.
func joinName(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = strings.ReplaceAll(strings.ReplaceAll(p, "%", "%25"), "/", "%2F")
	}
	return strings.Join(out, "/")
}

func splitName(name string, n int) ([]string, bool) {
	if n == 1 {
		return []string{name}, name != ""
	}
	parts := strings.Split(name, "/")
	if len(parts) != n {
		return nil, false
	}
	for i, p := range parts {
		if p == "" {
			return nil, false
		}
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "%2F", "/"), "%25", "%")
	}
	return parts, joinName(parts) == name
}

// at returns what stands at a path of names.
func at(m map[string]any, path string) (any, bool) {
	var v any = m
	for step := range strings.SplitSeq(path, ".") {
		in, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = in[step]; !ok {
			return nil, false
		}
	}
	return v, true
}

// put sets what stands at a path of names.
func put(m map[string]any, path string, v any) {
	for {
		step, rest, more := strings.Cut(path, ".")
		if !more {
			m[step] = v
			return
		}
		in, ok := m[step].(map[string]any)
		if !ok {
			in = map[string]any{}
			m[step] = in
		}
		m, path = in, rest
	}
}

// isGone reports whether the object is deleted, or none of ours.
func (k *kind) isGone(o Object) bool {
	for _, g := range k.gone {
		v, _ := at(o, strings.Join(g.path, "."))
		if v == nil {
			v = ""
		}
		text := fmt.Sprint(v)
		if slices.Contains(g.Values, text) || slices.ContainsFunc(g.Prefixes, func(p string) bool { return strings.HasPrefix(text, p) }) {
			return true
		}
	}
	return false
}

// origin says where the object came from.
func (k *kind) origin(o Object, id string, etag string, n namer) *resource.Origin {
	out := &resource.Origin{ID: id, Version: etag}
	if k.Guard.Body != "" {
		v, _ := at(o, k.Guard.Body)
		out.Version, _ = idText(v)
	}
	if v, ok := at(o, k.When); ok {
		out.When = moment(v)
	}
	if v, ok := at(o, k.Who); ok {
		out.Who = k.who(v, n)
	}
	return out
}

// moment reads a time as RFC 3339 writes it, or in milliseconds since 1970; the zero time where it is neither.
func moment(v any) time.Time {
	s, _ := idText(v)
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC()
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms > 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

func (k *kind) who(v any, n namer) string {
	id, isID := idText(v)
	if m, isMap := v.(map[string]any); isMap {
		if name, ok := m[k.p.refName()].(string); ok && name != "" {
			return name
		}
		id, isID = idText(m[k.p.refID()])
	}
	if !isID || k.WhoKind == "" {
		return ""
	}
	name, found, _, err := n(k.WhoKind, id)
	if err != nil || !found {
		return ""
	}
	return name
}

func (p *Platform) refName() string {
	if p.RefName == "" {
		return "name"
	}
	return p.RefName
}
