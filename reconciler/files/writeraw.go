package files

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

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
