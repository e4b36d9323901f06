package files

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// Write returns the smallest edit after which the tree renders to the change:
// path → new content, nil deletes. A file of its own goes where shared already
// says it, an overlay holds only what differs, $absent takes a shared object out,
// and where nothing is shared the file is whole. Nothing is written for objects
// that are as they shall be.
//
// Objects that no file can hold are left out of the edit, and the error joins the
// reasons, each a KeyError; the edit is good for all others. Other errors are those of the Reader.
func (t *Tree) Write(o resource.Overlay) (map[string][]byte, error) { return t.WriteRenamed(o, nil) }

// WriteRenamed is Write with hints for objects that are new in the change: the
// new key → the former one, written as $renamedFrom.
func (t *Tree) WriteRenamed(o resource.Overlay, from map[resource.Key]resource.Key) (map[string][]byte, error) {
	w := &writing{tree: t, from: from, edit: map[string][]byte{}, marks: map[resource.Kind]marks{}}
	for _, k := range slices.SortedFunc(maps.Keys(o), resource.Key.Compare) {
		var spec resource.Spec
		if o[k] != nil {
			spec = o[k].Spec
		}
		if err := w.object(k, spec); err != nil {
			return nil, err
		}
	}
	w.placeNew()
	w.sidecars()
	w.collisions()
	return w.edit, errors.Join(w.refused...)
}

// A KeyError says why an object cannot be written to a file.
type KeyError struct {
	Key resource.Key
	Err error
}

func (e *KeyError) Error() string { return fmt.Sprintf("write %s: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// A writing is the work of one Write.
type writing struct {
	tree    *Tree
	from    map[resource.Key]resource.Key
	edit    map[string][]byte
	fresh   []freshFile             // typed files that have no path yet
	marks   map[resource.Kind]marks // sidecars that change
	touched map[string]resource.Key // raw paths written
	refused []error
}

type freshFile struct {
	key     resource.Key
	content []byte
}

func (w *writing) refuse(k resource.Key, err error) {
	w.refused = append(w.refused, &KeyError{k, err})
}

// A standing is how an object stands before the change.
type standing struct {
	key    resource.Key
	kind   *kind
	files  []leaf // own
	shared making
	below  bool // something shared has its name, readable or not
}

func (w *writing) object(k resource.Key, spec resource.Spec) error {
	t := w.tree
	info := t.kinds[string(k.Kind)]
	if info == nil || info.ReferenceOnly {
		w.refuse(k, fmt.Errorf("kind %s is not managed here", k.Kind))
		return nil
	}
	if spec != nil && !info.Raw {
		spec = info.schema.Normalize(spec)
	}
	if t.says(k, spec) {
		return nil
	}
	group, err := t.group(k, nil)
	if err != nil {
		return err
	}
	s := standing{key: k, kind: info, files: t.leavesOf(own, k)}
	group = slices.DeleteFunc(group, func(p *part) bool { return p.place.side == own })
	s.below = len(group) > 0
	var halves making
	if h := halves.half(group, shared); h.broken != "" {
		s.shared.unknown = h.broken
	} else if h.mark != nil && h.mark.secret != "" {
		s.shared.secret = h.mark.secret
	} else {
		s.shared.base = h.file
	}
	if info.Raw {
		return w.raw(&s, spec)
	}
	return w.typed(&s, spec)
}

// says reports whether the tree renders to the spec already.
func (t *Tree) says(k resource.Key, spec resource.Spec) bool {
	if _, unknown := t.snap.Scope().Unknown[k]; unknown {
		return false
	}
	return t.snap.Hash(k) == spec.Hash()
}

func (w *writing) typed(s *standing, spec resource.Spec) error {
	var doc document
	switch {
	case spec == nil && !s.below:
		w.remove(s.files)
		return nil
	case spec == nil:
		doc.absent = true
	default:
		doc.body = spec
		if from := w.from[s.key]; from.Kind == s.key.Kind {
			doc.renamedFrom = from.Name
		}
	}
	if _, err := relPath(s.kind.KindInfo, s.key.Name); err != nil {
		w.refuse(s.key, err)
		return nil
	}
	var content []byte
	var err error
	if spec != nil && s.shared.base != nil {
		base, err := w.tree.spec(&s.shared)
		if err != nil {
			return err
		}
		if resource.Equal(base, spec) {
			w.remove(s.files)
			return nil
		}
		content = s.overlay(base, doc)
	}
	if content == nil {
		if content, err = s.encode(doc); err != nil {
			w.refuse(s.key, err)
			return nil
		}
	}
	w.put(s, content)
	return nil
}

// overlay returns the smallest overlay, or nil where none renders to the spec. A whole file would be
// shorter at times, and is not written: it would hide what is shared from then on.
func (s *standing) overlay(base resource.Spec, doc document) []byte {
	patch := doc
	patch.overlay, patch.body = true, smallest(base, doc.body)
	content, err := s.encode(patch)
	if err != nil {
		return nil
	}
	got := s.kind.schema.Normalize(patched(map[string]any(base), patch.body).(map[string]any))
	if !resource.Equal(got, resource.Spec(doc.body)) {
		return nil
	}
	return content
}

// encode writes the file of the object, with $name where its path needs that.
func (s *standing) encode(doc document) ([]byte, error) {
	if _, long := longName(encodeName(s.key.Name)); long {
		doc.name = s.key.Name
	}
	return encodeDocument(s.kind.KindInfo, doc)
}

func (w *writing) remove(ls []leaf) {
	for _, l := range ls {
		w.edit[l.path] = nil
	}
}

// put gives the object's first well-named file the content and removes its others.
func (w *writing) put(s *standing, content []byte) {
	i := slices.IndexFunc(s.files, func(l leaf) bool { return w.tree.locate(l.path).class == typed })
	if i < 0 {
		w.remove(s.files)
		w.fresh = append(w.fresh, freshFile{s.key, content})
		return
	}
	at := s.files[i]
	if err := modeError(at.bits); err != nil {
		w.refuse(s.key, fmt.Errorf("%s: %w", at.path, err))
		return
	}
	w.remove(s.files)
	w.edit[at.path] = content
}
