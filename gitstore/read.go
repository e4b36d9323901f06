package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// CommitAt reads a commit. An annotated tag stands for the commit that it names.
func (s *Store) CommitAt(id ID) (Commit, error) {
	for range 8 { // tags of tags
		o, err := s.object(id)
		if err != nil {
			if s.isTip(id) {
				s.lost(err)
			}
			return Commit{}, fmt.Errorf("read commit: %w", err)
		}
		if o.Kind != KindTag {
			return parseCommit(o)
		}
		if id, err = tagTarget(o); err != nil {
			return Commit{}, err
		}
	}
	return Commit{}, fmt.Errorf("object %s: too many tags of tags", id)
}

// tagTarget returns what an annotated tag names.
func tagTarget(o Object) (ID, error) {
	line, _, _ := bytes.Cut(o.Data, []byte("\n"))
	id, ok := bytes.CutPrefix(line, []byte("object "))
	if !ok {
		return ID{}, fmt.Errorf("tag %s: names no object", o.ID)
	}
	return ParseID(string(id))
}

// Files yields the leaves of a commit at or below prefix ("" is all) in tree order, with paths from the root of the
// repository. A zero commit has none, and neither has a prefix that is not there.
func (s *Store) Files(commit ID, prefix string, yield func(File) error) error {
	root, err := s.treeOf(commit)
	if err != nil || root.IsZero() {
		return err
	}
	prefix = strings.Trim(prefix, "/")
	top := entry{mode: ModeDir, id: root}
	if prefix != "" {
		var ok bool
		if top, ok, err = s.lookup(root, prefix); err != nil || !ok {
			return err
		}
	}
	return ended(s.leaves(prefix, top, yield))
}

// ended returns the error of a walk: ErrStop is none.
func ended(err error) error {
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// leaves yields what is at or below e, whose path is given.
func (s *Store) leaves(path string, e entry, yield func(File) error) error {
	if !e.isDir() {
		return yield(File{Path: path, ID: e.id, Mode: e.mode})
	}
	raw, err := s.tree(e.id)
	if err != nil {
		return fmt.Errorf("read folder %q: %w", path, err)
	}
	for len(raw) > 0 {
		var sub entry
		if sub, raw, err = nextEntry(raw); err != nil {
			return wrap(err, "tree", e.id)
		}
		if err := s.leaves(join(path, sub.name), sub, yield); err != nil {
			return err
		}
	}
	return nil
}

func join(dir string, name []byte) string {
	if dir == "" {
		return string(name)
	}
	return dir + "/" + string(name)
}

// File returns the leaf at path, and whether there is one.
func (s *Store) File(commit ID, path string) (File, bool, error) {
	root, err := s.treeOf(commit)
	if err != nil || root.IsZero() {
		return File{}, false, err
	}
	e, ok, err := s.lookup(root, path)
	if err != nil || !ok || e.isDir() {
		return File{}, false, err
	}
	return File{Path: path, ID: e.id, Mode: e.mode}, true, nil
}

// Blob returns a blob's content, which the caller must not change. A blob over limit bytes is ErrTooLarge and is
// not read; a limit of zero or less is none.
func (s *Store) Blob(id ID, limit int64) ([]byte, error) {
	if _, ok := s.fresh.get(id); limit > 0 && s.disk != nil && !ok {
		if n, err := s.disk.size(id); err == nil && n > limit { // other errors come again
			return nil, tooLarge(id, n, limit)
		}
	}
	o, err := s.object(id)
	switch {
	case err != nil:
		s.lost(err)
		return nil, fmt.Errorf("read blob: %w", err)
	case o.Kind != KindBlob:
		return nil, fmt.Errorf("object %s: is a %s, not a blob", id, o.Kind)
	case limit > 0 && int64(len(o.Data)) > limit:
		return nil, tooLarge(id, int64(len(o.Data)), limit)
	}
	return o.Data, nil
}

func tooLarge(id ID, n, limit int64) error {
	return fmt.Errorf("blob %s: %d bytes, limit %d: %w", id, n, limit, ErrTooLarge)
}

// Diff yields the leaves at or below prefix that differ between two commits, in tree order. A zero commit is empty.
func (s *Store) Diff(a, b ID, prefix string, yield func(Delta) error) error {
	ta, err := s.treeOf(a)
	if err != nil {
		return err
	}
	tb, err := s.treeOf(b)
	if err != nil {
		return err
	}
	return s.diffTrees(ta, tb, prefix, yield)
}

// diffTrees is Diff of two trees.
func (s *Store) diffTrees(a, b ID, prefix string, yield func(Delta) error) error {
	prefix = strings.Trim(prefix, "/")
	ea, eb := entry{mode: ModeDir, id: a}, entry{mode: ModeDir, id: b}
	if prefix != "" && a != b {
		for _, e := range []*entry{&ea, &eb} {
			var err error
			if *e, _, err = s.lookup(e.id, prefix); err != nil {
				return err
			}
		}
	}
	return ended(s.diffEntries(prefix, ea, eb, yield))
}

// diffEntries compares what has one path on both sides; a zero ID has nothing.
func (s *Store) diffEntries(path string, a, b entry, yield func(Delta) error) error {
	if a.id == b.id && a.mode == b.mode {
		return nil
	}
	switch {
	case a.isDir() && b.isDir():
		return s.diffFolders(path, a.id, b.id, yield)
	case !a.isDir() && !b.isDir():
		d := Delta{Path: path, Old: File{Path: path}, New: File{Path: path}}
		if !a.id.IsZero() {
			d.Old = File{path, a.id, a.mode}
		}
		if !b.id.IsZero() {
			d.New = File{path, b.id, b.mode}
		}
		return yield(d)
	}
	gone := func(f File) error { return yield(Delta{f.Path, f, File{Path: f.Path}}) }
	born := func(f File) error { return yield(Delta{f.Path, File{Path: f.Path}, f}) }
	if !a.id.IsZero() {
		if err := s.leaves(path, a, gone); err != nil {
			return err
		}
	}
	if b.id.IsZero() {
		return nil
	}
	return s.leaves(path, b, born)
}

// diffFolders walks two trees side by side and goes into what differs only.
func (s *Store) diffFolders(path string, a, b ID, yield func(Delta) error) error {
	ra, err := s.tree(a)
	if err != nil {
		return fmt.Errorf("read folder %q: %w", path, err)
	}
	rb, err := s.tree(b)
	if err != nil {
		return fmt.Errorf("read folder %q: %w", path, err)
	}
	return walkTrees(ra, rb, func(ea, eb entry) error {
		name := ea.name
		if name == nil {
			name = eb.name
		}
		return s.diffEntries(join(path, name), ea, eb, yield)
	})
}

// walkTrees yields the entries in which two trees' contents differ, in tree order. What is on one side only has the
// zero entry on the other; a file that became a folder is two.
func walkTrees(a, b []byte, yield func(a, b entry) error) error {
	var ea, eb entry
	var nextA, nextB []byte
	var err error
	for len(a) > 0 || len(b) > 0 {
		if len(a) > 0 {
			if ea, nextA, err = nextEntry(a); err != nil {
				return err
			}
			if line := a[:len(a)-len(nextA)]; bytes.HasPrefix(b, line) { // equal lines are the rule
				a, b = nextA, b[len(line):]
				continue
			}
		}
		if len(b) > 0 {
			if eb, nextB, err = nextEntry(b); err != nil {
				return err
			}
		}
		c := 0
		switch {
		case len(a) == 0:
			c = 1
		case len(b) == 0:
			c = -1
		default:
			c = compareNames(ea.name, ea.isDir(), eb.name, eb.isDir())
		}
		switch {
		case c < 0:
			err, a = yield(ea, entry{}), nextA
		case c > 0:
			err, b = yield(entry{}, eb), nextB
		default:
			err, a, b = yield(ea, eb), nextA, nextB
		}
		if err != nil {
			return err
		}
	}
	return nil
}
