package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A writer turns specs into what is sent.
type writer struct {
	k   *kind
	ids func(resource.Key) (string, bool)
}

// content is the part of a body that the name and the spec make; parts apart. live is nil for a creation.
func (w *writer) content(a resource.Action, name string, spec resource.Spec, live Object) (Object, error) {
	k, out := w.k, Object{}
	for key, v := range spec {
		if key == k.Parent.Field && key != "" || k.isPart(key) {
			continue
		}
		if err := w.field(a, key, v, out); err != nil {
			return nil, err
		}
	}
	if err := w.naming(a, name, spec, out); err != nil {
		return nil, err
	}
	// Absence means the default, which some platforms take for no wish at all.
	for _, f := range k.Fields {
		_, said := spec[f.Path]
		old, has := live[f.Path]
		if f.Default == nil || said || !has || resource.Equal(old, f.Default) || strings.ContainsAny(f.Path, ".[*") || k.isPart(f.Path) {
			continue
		}
		if err := w.field(a, f.Path, f.Default, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// field puts one field of the spec's top.
func (w *writer) field(a resource.Action, key string, v any, out Object) error {
	n := w.k.root.step(key)
	as, form, omit := key, Plain, false
	if n != nil {
		sent := n.field.Update
		if a == resource.Create {
			sent = n.field.Create
		}
		form, omit = n.field.Form, sent.Omit
		if sent.As != "" {
			as, form = sent.As, sent.Form
		}
	}
	if omit {
		return nil
	}
	x, err := w.encode(v, n, form)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	out[as] = x
	return nil
}

// naming puts the fields that the name is made of.
func (w *writer) naming(a resource.Action, name string, spec resource.Spec, out Object) error {
	k := w.k
	if k.Name.Singleton != "" {
		if name != k.Name.Singleton {
			return fmt.Errorf("the only %s is %s: %w", k.Kind.Kind, k.Name.Singleton, vendors.ErrInvalid)
		}
		return nil
	}
	parts, ok := splitName(name, len(k.names))
	if !ok {
		return fmt.Errorf("the name is not made of %s: %w", strings.Join(k.names, "/"), vendors.ErrInvalid)
	}
	for i, path := range k.names {
		if v, inSpec := at(map[string]any(spec), path); inSpec {
			if l, isList := v.([]any); isList && len(l) > 0 {
				v = l[0]
			}
			if r, isRef := v.(resource.Ref); isRef {
				v = r.Name
			}
			if v != parts[i] {
				return fmt.Errorf("%s is %v, and the name says %s: %w", path, v, parts[i], vendors.ErrInvalid)
			}
			continue
		}
		if path == k.Parent.Field {
			return fmt.Errorf("%s is missing: %w", path, vendors.ErrInvalid)
		}
		n := k.root.step(path)
		if n != nil && (a == resource.Create && n.field.Create.Omit || a != resource.Create && n.field.Update.Omit) {
			continue
		}
		put(out, path, parts[i])
	}
	return nil
}

// encode returns the value as it is sent, in the form where it is a reference or a text.
func (w *writer) encode(v any, n *node, form Form) (any, error) {
	if form == Text {
		in := *n
		in.field.Form = Plain
		if s, isText := v.(string); isText {
			return s, nil // it held no JSON when it was read
		}
		x, err := w.encode(v, &in, Plain)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err = e.Encode(x)
		return strings.TrimSuffix(b.String(), "\n"), err
	}
	switch v := v.(type) {
	case resource.Ref:
		return w.reference(v, n, form)
	case resource.Secret:
		return nil, fmt.Errorf("secret %s was not resolved: %w", v.Name, vendors.ErrInvalid)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			y, err := w.encodeAt(x, n.step(key))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out[key] = y
		}
		return out, nil
	case []any:
		if form == IDKeys {
			return w.keyed(v, n)
		}
		out := make([]any, len(v))
		for i, x := range v {
			at := n.element()
			f := form
			if at != nil && form == Plain {
				f = at.field.Form
			}
			y, err := w.encode(x, at, f)
			if err != nil {
				return nil, err
			}
			out[i] = y
		}
		return out, nil
	}
	return v, nil
}

func (w *writer) encodeAt(v any, n *node) (any, error) {
	if n == nil {
		return w.encode(v, nil, Plain)
	}
	return w.encode(v, n, n.field.Form)
}

func (w *writer) reference(r resource.Ref, n *node, form Form) (any, error) {
	if n == nil || !n.ref && form == Plain {
		return nil, fmt.Errorf("the platform takes no reference here, and %s is one: %w", r, vendors.ErrInvalid)
	}
	if form == ByName {
		return r.Name, nil
	}
	id, ok := w.ids(r.Key)
	if !ok {
		return nil, fmt.Errorf("refers to %s, which is not there: %w", r, vendors.ErrInvalid)
	}
	if form == ID || form == IDKeys {
		return id, nil
	}
	out := map[string]any{w.k.p.refID(): id}
	if n.field.By != "" {
		by := ""
		for value, kind := range n.field.Kinds {
			if kind == r.Kind && (by == "" || value < by) {
				by = value
			}
		}
		if by == "" {
			return nil, fmt.Errorf("the platform takes no reference to a %s here: %w", r.Kind, vendors.ErrInvalid)
		}
		out[n.field.By] = by
	}
	return out, nil
}

func (w *writer) keyed(list []any, n *node) (any, error) {
	out := make(map[string]any, len(list))
	for _, x := range list {
		e, ok := x.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("want a list of key and value: %w", vendors.ErrInvalid)
		}
		key, err := w.encode(e["key"], n, ID)
		if err != nil {
			return nil, err
		}
		id, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("a key is no reference: %w", vendors.ErrInvalid)
		}
		if out[id], err = w.encodeAt(e["value"], n.element().step("value")); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// body is what a creation or an update sends. live is what the object is now, liveSpec as a spec; both nil for a creation.
func (w *writer) body(a resource.Action, after resource.Resource, live Object, liveSpec resource.Spec) (Object, error) {
	k, o := w.k, w.k.Update
	if a == resource.Create {
		o = k.Create
	}
	out, err := w.content(a, after.Key.Name, after.Spec, live)
	if err != nil {
		return nil, err
	}
	if o.Only != nil {
		for key := range out {
			if !slices.Contains(o.Only, key) {
				delete(out, key)
			}
		}
	}
	required := w.required(o, after.Spec, out)
	if a != resource.Create && k.Style == Patch {
		if err := w.difference(out, live, liveSpec, o.Only); err != nil {
			return nil, err
		}
	}
	if a == resource.Create || k.Style != Patch || len(out) > 0 { // a Patch that says nothing is not sent
		maps.Copy(out, required)
	}
	for key, v := range o.Add {
		out[key] = v
	}
	if live != nil {
		for _, path := range o.Echo {
			if _, said := at(out, path); !said {
				carry(out, live, []string{path})
			}
		}
		carry(out, live, []string{k.Guard.Body})
	}
	if k.Hooks.Body != nil {
		if err := k.Hooks.Body(a, live, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// required is what a body must have, of all that could be sent or of the defaults.
func (w *writer) required(o Operation, spec resource.Spec, all Object) Object {
	out := Object{}
	for _, f := range o.Requires {
		if v, said := all[f]; said {
			out[f] = v
			continue
		}
		if n := w.k.root.step(f); n != nil && n.field.Default != nil && spec[f] == nil {
			out[f] = n.field.Default
		}
	}
	return out
}

// difference leaves in out what differs from live, and null for what is gone.
func (w *writer) difference(out, live Object, liveSpec resource.Spec, only []string) error {
	name, err := w.k.nameOf(live, liveSpec)
	if err != nil {
		return err
	}
	lenient := &writer{k: w.k, ids: func(key resource.Key) (string, bool) {
		if id, ok := w.ids(key); ok {
			return id, true
		}
		return resource.Unresolved, true // it is compared only
	}}
	old, err := lenient.content(resource.Update, name, liveSpec, nil)
	if err != nil {
		return err
	}
	for key, v := range old {
		x, stays := out[key]
		switch {
		case stays && resource.Equal(x, v):
			delete(out, key)
		case !stays && (only == nil || slices.Contains(only, key)):
			out[key] = nil
		}
	}
	return nil
}

func (k *kind) isPart(field string) bool {
	return slices.ContainsFunc(k.Parts, func(p Part) bool { return p.Field == field })
}

// missing are the references of a spec that lead nowhere, sorted.
func missing(spec resource.Spec, ids func(resource.Key) (string, bool)) []resource.Key {
	var out []resource.Key
	spec.Refs(func(r resource.Ref) {
		if _, ok := ids(r.Key); !ok {
			out = append(out, r.Key)
		}
	})
	slices.SortFunc(out, resource.Key.Compare)
	return slices.Compact(out)
}

// errMissing names both ends of references that lead nowhere.
func errMissing(keys []resource.Key) error {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.String()
	}
	return fmt.Errorf("refers to %s, which is not there: %w", strings.Join(names, ", "), vendors.ErrInvalid)
}

var errHalf = errors.New("written in part")
