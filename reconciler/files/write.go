package files

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// overlay returns the smallest overlay, or nil where a whole file is smaller or the overlay does not render to the spec.
func (s *standing) overlay(base resource.Spec, doc document) []byte {
	whole, err := s.encode(doc)
	patch := doc
	patch.overlay, patch.body = true, smallest(base, doc.body)
	content, patchErr := s.encode(patch)
	if patchErr != nil || err == nil && len(whole) <= len(content) {
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

// placeNew finds paths for objects without a file, so that no two paths differ in case only.
func (w *writing) placeNew() {
	seats := newSeats(w.tree.tables[own], len(w.fresh), w.edit)
	for _, f := range w.fresh {
		folder := w.tree.prefix[own] + string(f.key.Kind) + "/"
		path := folder + encodeName(f.key.Name) + ext
		for _, encode := range []func(string) string{caseName, fullName} {
			if !seats.taken(path) {
				break
			}
			path = folder + encode(f.key.Name) + ext
		}
		if l, there := w.tree.find(own, path); there && modeError(l.bits) != nil {
			w.refuse(f.key, fmt.Errorf("%s: %w", path, modeError(l.bits)))
			continue
		}
		seats.take(path)
		w.edit[path] = f.content
	}
}

// seats knows which paths are taken where case does not count.
type seats struct {
	table  []leaf
	byHash map[uint32][]int // nil while looking through the table is cheaper
	edit   map[string][]byte
	added  map[string]bool
}

func newSeats(table []leaf, n int, edit map[string][]byte) *seats {
	s := &seats{table: table, edit: edit, added: map[string]bool{}}
	if n > 16 {
		s.byHash = make(map[uint32][]int, len(table))
		for i, l := range table {
			s.byHash[l.bits>>8] = append(s.byHash[l.bits>>8], i)
		}
	}
	return s
}

func (s *seats) take(path string) { s.added[foldName(path)] = true }

func (s *seats) taken(path string) bool {
	folded, hash := foldName(path), foldHash(path)<<8>>8
	if s.added[folded] {
		return true
	}
	same := func(l leaf) bool {
		content, edited := s.edit[l.path]
		return (!edited || content != nil) && l.path != path && foldName(l.path) == folded
	}
	if s.byHash != nil {
		return slices.ContainsFunc(s.byHash[hash], func(i int) bool { return same(s.table[i]) })
	}
	return slices.ContainsFunc(s.table, func(l leaf) bool { return l.bits>>8 == hash && same(l) })
}

// raw writes an object whose file is its content.
func (w *writing) raw(s *standing, spec resource.Spec) error {
	var m mark
	var content []byte
	if spec == nil {
		m.absent = s.below
	} else {
		var err error
		secret, isSecret := spec[resource.Content].(resource.Secret)
		if isSecret && len(spec) == 1 && secret.Name != "" {
			m.secret = secret.Name
			err = checkRawName(s.key.Name)
		} else if content, err = rawContent(s.kind.KindInfo, spec); err == nil {
			err = checkRawName(s.key.Name)
		}
		if err != nil {
			w.refuse(s.key, err)
			return nil
		}
		if from := w.from[s.key]; from.Kind == s.key.Kind {
			m.renamedFrom = from.Name
		}
		if s.sharedSays(spec) {
			m, content = mark{}, nil
		}
	}
	if !w.setMark(s.key, m) {
		return nil
	}
	w.remove(s.files)
	if content == nil {
		return nil
	}
	path := w.tree.path(own, s.key)
	if l, there := w.tree.find(own, path); there && modeError(l.bits) != nil {
		w.refuse(s.key, fmt.Errorf("%s: %w", path, modeError(l.bits)))
		delete(w.edit, path)
		return nil
	}
	if w.touched == nil {
		w.touched = map[string]resource.Key{}
	}
	w.touched[path] = s.key
	w.edit[path] = content
	return nil
}

// sharedSays reports whether the shared file alone gives the spec.
func (s *standing) sharedSays(spec resource.Spec) bool {
	switch {
	case s.shared.secret != "":
		return resource.Equal(secretSpec(s.shared.secret), spec)
	case s.shared.base != nil:
		return s.shared.base.hash == spec.Hash()
	}
	return false
}

// setMark makes the environment's sidecar say m of the object, and nothing if m is empty.
func (w *writing) setMark(k resource.Key, m mark) bool {
	ms, begun := w.marks[k.Kind]
	path := w.tree.sidecarPath(own, k.Kind)
	if !begun {
		n := w.tree.notes[path]
		if n != nil && n.broken {
			if m == (mark{}) {
				return true
			}
			w.refuse(k, fmt.Errorf("%s cannot be read, and has to say something of it", path))
			return false
		}
		if n != nil {
			ms = maps.Clone(n.marks)
		}
	}
	for name, other := range ms {
		if other.fault != nil && name != k.Name && (m != (mark{}) || ms[k.Name] != (mark{})) {
			w.refuse(k, fmt.Errorf("%s cannot be rewritten: %w", path, other.fault))
			return false
		}
	}
	_, there := ms[k.Name]
	if m == (mark{}) && !there {
		return true
	}
	if ms == nil {
		ms = marks{}
	}
	if m == (mark{}) {
		delete(ms, k.Name)
	} else {
		ms[k.Name] = m
	}
	w.marks[k.Kind] = ms
	return true
}

// sidecars writes those that change.
func (w *writing) sidecars() {
	for kind, ms := range w.marks {
		path := w.tree.sidecarPath(own, kind)
		content, err := encodeMarks(ms)
		if err != nil {
			w.refuse(resource.Key{Kind: kind, Name: sidecarName}, err)
			continue
		}
		w.edit[path] = content
	}
}

// collisions takes out of the edit raw files that would stand where a folder has to be, or the reverse.
func (w *writing) collisions() {
	stands := func(path string) bool {
		if content, edited := w.edit[path]; edited {
			return content != nil
		}
		_, there := w.tree.find(own, path)
		return there
	}
	for _, path := range slices.Sorted(maps.Keys(w.touched)) {
		k := w.touched[path]
		top := len(path) - len(k.Name)
		blocked := ""
		for i := top; i < len(path); i++ {
			if path[i] == '/' && stands(path[:i]) {
				blocked = path[:i]
			}
		}
		table := w.tree.tables[own]
		i, _ := slices.BinarySearchFunc(table, path+"/", func(l leaf, p string) int { return strings.Compare(l.path, p) })
		for ; i < len(table) && strings.HasPrefix(table[i].path, path+"/") && blocked == ""; i++ {
			if stands(table[i].path) {
				blocked = table[i].path
			}
		}
		if blocked != "" {
			delete(w.edit, path)
			w.refuse(k, fmt.Errorf("%s is in the way: a path cannot be a file and a folder", blocked))
		}
	}
}
