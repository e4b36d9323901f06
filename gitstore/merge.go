package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/gitstore/diff3"
)

// ErrUnrelated says that two commits have no common ancestor, so that nothing says who changed what.
var ErrUnrelated = errors.New("histories have no common ancestor")

// maxMerge is the size in bytes up to which texts are merged line by line.
const maxMerge = 32 << 20

// A MergeResult is what a merge comes to.
type MergeResult struct {
	// Tree is the merged tree, with its modes; zero if there are conflicts. CommitTree makes a commit of it.
	Tree ID
	// Edit leads from ours to the merged tree but for what an Edit cannot say: changes of modes and submodules. Paths in
	// conflict are not in it: they stay as they are in ours.
	Edit      Edit
	Conflicts []MergeConflict // in order of paths
}

// A MergeConflict is a path that people must decide on.
type MergeConflict struct {
	Path   string
	Reason string // a sentence's end: "both sides changed the same lines"
}

// The reasons of conflicts.
const (
	reasonLines   = "both sides changed the same lines"
	reasonBinary  = "both sides changed it, and it is not text"
	reasonLarge   = "both sides changed it, and it is too large to merge"
	reasonAdded   = "both sides added it"
	reasonDeleted = "one side deleted it, the other changed it"
	reasonMode    = "both sides changed what kind of file it is"
	reasonClash   = "one side has a file where the other has a folder"
)

// Merge merges theirs into ours: three-way from their MergeBase, texts line by line, without looking for
// renames. Nothing is committed. ErrUnrelated if there is no base.
func (s *Store) Merge(ours, theirs ID) (MergeResult, error) {
	fail := func(err error) (MergeResult, error) {
		return MergeResult{}, fmt.Errorf("merge %s into %s: %w", theirs, ours, err)
	}
	base, err := s.MergeBase(ours, theirs)
	if err != nil {
		return fail(err)
	}
	if base.IsZero() {
		return fail(ErrUnrelated)
	}
	var trees [3]ID
	for i, id := range []ID{base, ours, theirs} {
		if trees[i], err = s.treeOf(id); err != nil {
			return fail(err)
		}
	}
	res, err := s.mergeTrees(trees[0], trees[1], trees[2])
	if err != nil {
		return fail(err)
	}
	return res, nil
}

// A merging is a three-way merge under way.
type merging struct {
	s     *Store
	ours  ID
	list  []change
	res   MergeResult
	draft draft
	clash map[string]bool // paths that theirs has and ours may block
}

// mergeTrees merges trees.
func (s *Store) mergeTrees(base, ours, theirs ID) (MergeResult, error) {
	m := merging{s: s, ours: ours, res: MergeResult{Edit: Edit{}}, draft: draft{older: map[ID]ID{}}, clash: map[string]bool{}}
	mine := map[string]Delta{}
	if err := s.diffTrees(base, ours, "", func(d Delta) error { mine[d.Path] = d; return nil }); err != nil {
		return MergeResult{}, err
	}
	err := s.diffTrees(base, theirs, "", func(d Delta) error {
		o, both := mine[d.Path]
		if !both {
			return m.take(d)
		}
		return m.both(d.Old, o.New, d.New)
	})
	if err != nil {
		return MergeResult{}, err
	}
	if err := m.clashes(); err != nil {
		return MergeResult{}, err
	}
	slices.SortFunc(m.res.Conflicts, func(a, b MergeConflict) int { return strings.Compare(a.Path, b.Path) })
	if len(m.res.Conflicts) == 0 {
		slices.SortFunc(m.list, func(a, b change) int { return comparePaths(a.path, b.path) })
		if m.res.Tree, err = s.rootTree(ours, m.list, &m.draft); err != nil {
			return MergeResult{}, err
		}
		s.keep(&m.draft)
	}
	return m.res, s.spill()
}

// take does what only theirs did.
func (m *merging) take(d Delta) error {
	if d.New.ID.IsZero() {
		m.set(change{path: d.Path}, nil)
		return nil
	}
	if d.Old.ID.IsZero() {
		m.clash[d.Path] = true
	}
	return m.leaf(d.New)
}

// leaf sets a path to a leaf that exists.
func (m *merging) leaf(f File) error {
	c := change{path: f.Path, leaf: entry{mode: f.Mode, id: f.ID}}
	if f.Mode == ModeSubmodule {
		m.list = append(m.list, c)
		return nil
	}
	content, err := m.s.Blob(f.ID, 0)
	if err != nil {
		return err
	}
	m.set(c, content)
	return nil
}

func (m *merging) set(c change, content []byte) {
	m.list = append(m.list, c)
	if content == nil && c.leaf.mode != 0 {
		content = []byte{}
	}
	m.res.Edit[c.path] = content
}

func (m *merging) conflict(path, reason string) error {
	m.res.Conflicts = append(m.res.Conflicts, MergeConflict{path, reason})
	return nil
}

// both merges a path that both sides changed.
func (m *merging) both(base, ours, theirs File) error {
	switch {
	case ours.ID == theirs.ID && ours.Mode == theirs.Mode:
		return nil
	case ours.ID.IsZero() || theirs.ID.IsZero():
		return m.conflict(base.Path, reasonDeleted)
	case base.ID.IsZero() && ours.ID != theirs.ID:
		return m.conflict(base.Path, reasonAdded)
	}
	mode, ok := pick(base.Mode, ours.Mode, theirs.Mode)
	if !ok {
		return m.conflict(base.Path, reasonMode)
	}
	if id, ok := pick(base.ID, ours.ID, theirs.ID); ok {
		if id == ours.ID && mode == ours.Mode {
			return nil
		}
		return m.leaf(File{base.Path, id, mode})
	}
	for _, f := range []File{base, ours, theirs} {
		if f.Mode != ModeFile && f.Mode != ModeExecutable {
			return m.conflict(base.Path, reasonBinary)
		}
	}
	return m.texts(mode, base, ours, theirs)
}

// pick merges one value three-way.
func pick[T comparable](base, ours, theirs T) (T, bool) {
	switch {
	case ours == theirs || theirs == base:
		return ours, true
	case ours == base:
		return theirs, true
	}
	return ours, false
}

// texts merges a file line by line.
func (m *merging) texts(mode Mode, files ...File) error {
	path := files[0].Path
	var texts [3]string
	for i, f := range files {
		b, err := m.s.Blob(f.ID, maxMerge)
		switch {
		case errors.Is(err, ErrTooLarge):
			return m.conflict(path, reasonLarge)
		case err != nil:
			return err
		case bytes.IndexByte(b[:min(len(b), 8000)], 0) >= 0: // as Git tells text from binary
			return m.conflict(path, reasonBinary)
		}
		texts[i] = string(b)
	}
	merged, conflicts := diff3.Merge(texts[0], texts[1], texts[2])
	if conflicts {
		return m.conflict(path, reasonLines)
	}
	o := newObject(KindBlob, []byte(merged))
	m.draft.add(o)
	m.set(change{path: path, leaf: entry{mode: mode, id: o.ID}}, o.Data)
	return nil
}

// clashes finds added files that ours has a folder for, and folders that ours has a file for.
func (m *merging) clashes() error {
	gone := func(path string) bool { content, ok := m.res.Edit[path]; return ok && content == nil }
	for path := range m.clash {
		blocked := false
		for i := range len(path) {
			if path[i] != '/' {
				continue
			}
			e, ok, err := m.s.lookup(m.ours, path[:i])
			if err != nil {
				return err
			}
			blocked = blocked || ok && !e.isDir() && !gone(path[:i])
		}
		e, ok, err := m.s.lookup(m.ours, path)
		if err != nil {
			return err
		}
		if ok && e.isDir() {
			err := m.s.leaves(path, e, func(f File) error { blocked = blocked || !gone(f.Path); return nil })
			if err != nil {
				return err
			}
		}
		if blocked {
			delete(m.res.Edit, path)
			if err := m.conflict(path, reasonClash); err != nil {
				return err
			}
		}
	}
	return nil
}
