// Package rules holds the content rules that reviewers own: what of an object
// driftback leaves alone, and what is protected.
//
// They stand in driftback.rules.yaml on the tracked branch, and are read from
// nowhere else, so that a pull request changes them only by being merged. The
// package knows field paths and keys; it must not know where the file came from.
// Everything in it is pure, and Rules are safe for concurrent use.
package rules

import (
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// Rules are the compiled content of a rules file, and what the kinds' descriptors add to
// it. The zero Rules ignore and protect nothing.
type Rules struct {
	ignore  []ignore
	protect []string
	manage  []manage
	// operational are the paths of the kinds' operational fields.
	operational map[resource.Kind][]string
	schemas     map[resource.Kind]*resource.Schema
}

// ignore is one entry: fields of the objects that match, or these objects whole.
type ignore struct {
	objects []string // globs over keys; none means every name
	kinds   []resource.Kind
	fields  *fields // nil means the whole object
}

func (i ignore) matches(k resource.Key) bool {
	if len(i.kinds) > 0 && !slices.Contains(i.kinds, k.Kind) {
		return false
	}
	return len(i.objects) == 0 || matches(i.objects, k)
}

func matches(globs []string, k resource.Key) bool {
	key := k.String()
	return slices.ContainsFunc(globs, func(glob string) bool { return resource.Match(glob, key) })
}

// WithSchemas returns rules that know the kinds' descriptors: elements of keyed
// lists are then told apart by their key, and sets stay sorted without their
// ignored fields. Without it, elements pair up as Restore says.
func (r Rules) WithSchemas(s map[resource.Kind]*resource.Schema) Rules {
	r.schemas = s
	return r
}

// Empty reports whether the rules file says nothing at all.
func (r Rules) Empty() bool { return len(r.ignore)+len(r.protect)+len(r.manage) == 0 }

// Ignored reports whether the object is to be left alone as a whole.
func (r Rules) Ignored(k resource.Key) bool {
	return slices.ContainsFunc(r.ignore, func(i ignore) bool { return i.fields == nil && i.matches(k) })
}

// Touches reports whether any field of the object, or all of it, is left alone: if
// not, Strip and Restore return what they are given.
func (r Rules) Touches(k resource.Key) bool {
	return slices.ContainsFunc(r.ignore, func(i ignore) bool { return i.matches(k) }) || r.operationalOf(k) != nil
}

// Protected reports whether the object may be changed only with a word of its own.
func (r Rules) Protected(k resource.Key) bool { return matches(r.protect, k) }

// fieldsOf merges what is left alone of k; nil when nothing is.
func (r Rules) fieldsOf(k resource.Key) *fields {
	all := r.operationalOf(k)
	for _, i := range r.ignore {
		if i.fields == nil || !i.matches(k) {
			continue
		}
		if all == nil {
			all = i.fields
		} else {
			all = all.merge(i.fields)
		}
	}
	return all
}

// Strip returns the spec without what is ignored of object k; of one that is
// ignored as a whole, the empty spec. Maps that have nothing else than ignored fields are
// left out too, so that an ignored field makes no difference by being there alone. An
// absent object stays absent. The result shares unchanged parts with s.
func (r Rules) Strip(k resource.Key, s resource.Spec) resource.Spec {
	if s == nil {
		return nil
	}
	if r.Ignored(k) {
		return resource.Spec{}
	}
	return r.strip(k, r.fieldsOf(k), s)
}

// strip returns s without the fields; nil ones are none.
func (r Rules) strip(k resource.Key, f *fields, s resource.Spec) resource.Spec {
	if f == nil {
		return s
	}
	out := f.stripMap(s)
	if out == nil {
		out = map[string]any{}
	}
	return r.schemas[k.Kind].Normalize(out)
}

// Restore returns want with what is ignored of object k as it stands in live: a
// write changes nothing there. An object that is ignored as a whole is as in live.
// Where live is absent, want is returned without operational fields, and where want
// is, it stays so. Its Strip is that of want.
//
// Elements of a list pair up by their key where the descriptor has one, else with the
// element that is equal but for ignored fields, else, in lists of one length, by
// position; one that finds no partner keeps what want says, but for operational
// fields. The result shares parts with both.
func (r Rules) Restore(k resource.Key, want, live resource.Spec) resource.Spec {
	if want == nil {
		return nil
	}
	if live != nil && r.Ignored(k) {
		return live
	}
	want = r.strip(k, r.operationalOf(k), want)
	f := r.fieldsOf(k)
	if f == nil || live == nil {
		return want
	}
	return r.restore(k, f, want, live)
}

// restore returns want with the fields as they stand in live.
func (r Rules) restore(k resource.Key, f *fields, want, live resource.Spec) resource.Spec {
	schema := r.schemas[k.Kind]
	out := f.restoreMap(want, live, schema.Root())
	if out == nil {
		out = map[string]any{}
	}
	return schema.Normalize(out)
}
