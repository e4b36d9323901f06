package rest

import (
	"encoding/json"
	"hash/maphash"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// A change that leaves a part of its object alone neither writes that nor needs to know what it is by now: nothing of it can be
// overwritten. What is read of the object for the change is read without it, and the object is taken to have what the change was decided
// on. The next reading of everything shows what it really is.

// A spare says what of an object is not read for a change. The nil one spares nothing.
type spare struct {
	parts   map[string]any // parts that the change leaves alone, by field; nil for absent
	written map[string]any // documents as the platform answered when they were written, under a guard
	before  resource.Spec  // normal
}

// spares returns what the change leaves alone.
func (k *kind) spares(c resource.Change) *spare {
	if c.Before == nil || c.After == nil || k.Style == Replace || !k.reads {
		return nil
	}
	before, after := k.schema.Normalize(k.readable(c.Before.Spec)), k.schema.Normalize(k.readable(c.After.Spec))
	but := &spare{parts: map[string]any{}, written: map[string]any{}, before: before}
	for _, part := range k.Parts {
		if part.Get != nil && c.Action() == resource.Rename {
			continue // the name may stand in the document
		}
		if resource.Equal(before[part.Field], after[part.Field]) {
			but.parts[part.Field] = before[part.Field]
		}
	}
	return but
}

func (s *spare) has(field string) bool {
	if s == nil {
		return false
	}
	_, spared := s.parts[field]
	return spared
}

func (s *spare) raw(field string) (doc any, written bool) {
	if s == nil {
		return nil, false
	}
	doc, written = s.written[field]
	return doc, written
}

func (s *spare) some() bool { return s != nil && len(s.parts) > 0 }

// fill returns the spec with what was spared.
func (s *spare) fill(spec resource.Spec) resource.Spec {
	if !s.some() || spec == nil {
		return spec
	}
	for field, v := range s.parts {
		if delete(spec, field); v != nil {
			spec[field] = v
		}
	}
	return spec
}

// own reports whether the change is about more than parts: about what the object's own operation writes.
func (w *change) own() bool {
	if w.but == nil || len(w.k.Parts) == 0 || w.Action() != resource.Update || w.secret {
		return true
	}
	for _, spec := range []resource.Spec{w.but.before, w.after} {
		for field := range spec {
			part := slices.ContainsFunc(w.k.Parts, func(p Part) bool { return p.Field == field })
			if !part && !resource.Equal(w.but.before[field], w.after[field]) {
				return true
			}
		}
	}
	return false
}

// versionOf is a digest of what an object says of its version, for kinds of which more is to be read where that moves; else 0.
func (d *Driver) versionOf(k *kind, o Object) digest {
	if !k.Detail || len(k.Moved) == 0 {
		return 0
	}
	says := map[string]any{}
	for _, path := range k.Moved {
		if v, there := at(o, path); there {
			says[path] = v
		}
	}
	b, err := json.Marshal(says)
	if err != nil || len(says) == 0 {
		return 0
	}
	return digest(maphash.Bytes(d.seeds.text, b))
}

// versioned notes the version at which the object at the place was read. The index's mutex is held.
func (t *table) versioned(i int32, v digest) {
	if v == 0 {
		return
	}
	if n := len(t.entries) - len(t.versions); n > 0 {
		t.versions = append(t.versions, make([]digest, n)...)
	}
	t.versions[i] = v
}

// asBefore gives an object what a hook would read of it, where its version is still the one at which it was read and was what the change was
// decided on.
func (d *Driver) asBefore(k *kind, id string, o Object, but *spare) bool {
	v := d.versionOf(k, o)
	if but == nil || v == 0 || len(k.Derived) == 0 {
		return false
	}
	d.x.mu.Lock()
	t := d.x.tables[k.Kind.Kind]
	i, there := t.byID[identOf([]byte(id))]
	same := there && int(i) < len(t.versions) && t.versions[i] == v && t.entries[i].hash == but.before.Hash() && !t.follows(i, d.seeds.marks(t.moved))
	d.x.mu.Unlock()
	if !same {
		return false
	}
	for _, field := range k.Derived {
		o[field] = but.before[field]
	}
	return true
}

// union returns what either has, sorted.
func union(a, b []mark) []mark {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
