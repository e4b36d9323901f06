package gitstore

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// written is what one Write made.
type written struct {
	base ID // commit whose tree was edited
	ids  []ID
	// older names for a tree the one that it replaces.
	older map[ID]ID
}

// A draft is what an edit makes, before anybody keeps it.
type draft struct {
	objects []Object
	older   map[ID]ID
}

func (d *draft) add(o Object) { d.objects = append(d.objects, o) }

// keep adds a draft to the store.
func (s *Store) keep(d *draft) []ID {
	ids := make([]ID, len(d.objects))
	for i, o := range d.objects {
		ids[i] = o.ID
		s.fresh.put(o)
	}
	if s.disk != nil {
		s.mu.Lock()
		maps.Copy(s.older, d.older)
		s.mu.Unlock()
	}
	return ids
}

// Write makes a commit: the tree of base with the edit, on top of parents. Nothing is pushed and no ref moves.
// A zero base is empty. The same arguments at the same time give the same commit. An author without name and address is
// the committer; one without a time has the committer's.
func (s *Store) Write(base ID, parents []ID, e Edit, author Signature, msg string) (Commit, error) {
	tree, d, err := s.draft(base, e)
	if err != nil {
		return Commit{}, err
	}
	return s.write(base, parents, tree, d, author, msg)
}

// WriteTree returns the tree of base with the edit, equal to base's tree if the edit changes nothing. The tree is named
// and not kept: Write makes it when it is wanted.
func (s *Store) WriteTree(base ID, e Edit) (ID, error) {
	tree, _, err := s.draft(base, e)
	return tree, err
}

// CommitTree makes a commit of a tree that the store has, such as Merge returns, as Write does of an edit.
func (s *Store) CommitTree(tree ID, parents []ID, author Signature, msg string) (Commit, error) {
	if _, err := s.tree(tree); err != nil {
		return Commit{}, fmt.Errorf("commit tree: %w", err)
	}
	c, o, err := s.encode(tree, parents, author, msg)
	if err != nil {
		return Commit{}, fmt.Errorf("commit tree: %w", err)
	}
	s.fresh.put(o)
	return c, s.spill()
}

// write keeps a draft and a commit of its tree.
func (s *Store) write(base ID, parents []ID, tree ID, d *draft, author Signature, msg string) (Commit, error) {
	c, o, err := s.encode(tree, parents, author, msg)
	if err != nil {
		return Commit{}, err
	}
	d.add(o)
	w := written{base: base, ids: s.keep(d), older: d.older}
	s.mu.Lock()
	if len(s.written) > maxWritten { // what is lost is only the quick way to know what a push must send
		clear(s.written)
	}
	s.written[c.ID] = w
	s.mu.Unlock()
	return c, s.spill()
}

// maxWritten is how many commits that were not pushed are remembered.
const maxWritten = 4096

// encode makes the object of a commit, signed where the store signs.
func (s *Store) encode(tree ID, parents []ID, author Signature, msg string) (Commit, Object, error) {
	if author.Name == "" && author.Email == "" {
		author.Name, author.Email = s.opt.Committer.Name, s.opt.Committer.Email
	}
	c := Commit{Tree: tree, Parents: slices.Clone(parents), Author: author, Committer: s.opt.Committer, Message: cleanMessage(msg)}
	c.Committer.When = s.opt.Now()
	if c.Author.When.IsZero() {
		c.Author.When = c.Committer.When
	}
	c.Author, c.Committer = c.Author.cleaned(), c.Committer.cleaned()
	o := encodeCommit(c)
	if s.opt.Signer != nil {
		signature, err := s.opt.Signer.Sign(o.Data)
		if err != nil {
			return Commit{}, Object{}, err
		}
		o = newObject(KindCommit, signed(o.Data, signature))
	}
	c.ID = o.ID
	return c, o, nil
}

// draft makes the tree of base with the edit.
func (s *Store) draft(base ID, e Edit) (ID, *draft, error) {
	root, err := s.treeOf(base)
	if err != nil {
		return ID{}, nil, err
	}
	d := &draft{older: map[ID]ID{}}
	tree, err := s.writeTree(root, e, d)
	return tree, d, err
}

// writeTree writes the blobs and trees of an edit, of changed folders only.
func (s *Store) writeTree(root ID, e Edit, d *draft) (ID, error) {
	list := make([]change, 0, len(e))
	for path, content := range e {
		if content != nil {
			if err := checkPath(path); err != nil {
				return ID{}, fmt.Errorf("write: %w", err)
			}
		}
		list = append(list, change{path: path, content: content})
	}
	slices.SortFunc(list, func(a, b change) int { return comparePaths(a.path, b.path) })
	return s.rootTree(root, list, d)
}

// rootTree is editTree for a whole commit.
func (s *Store) rootTree(root ID, list []change, d *draft) (ID, error) {
	id, err := s.editTree(root, list, 0, d)
	if err != nil {
		return ID{}, err
	}
	if id.IsZero() { // a commit without files has the empty tree
		o := newObject(KindTree, nil)
		d.add(o)
		return o.ID, nil
	}
	return id, nil
}

// A change is one line of an edit. Without content and leaf it deletes.
type change struct {
	path    string
	content []byte
	leaf    entry // used instead of content: a mode and a blob that exists
}

func (c change) sets() bool { return c.content != nil || c.leaf.mode != 0 }

// comparePaths orders paths so that everything below a folder is together, beside a file of its name.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			switch {
			case a[i] == '/':
				return -1
			case b[i] == '/':
				return 1
			}
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// A slot is what an edit says about one name in one folder.
type slot struct {
	name string
	file *change  // what it says of a file of this name
	sub  []change // of what is below a folder of this name
	// where the name stands in the old tree: its entry and the bytes of it; none if to is zero
	old      entry
	from, to int
}

// slots groups the changes of one folder, whose paths begin at depth, by name.
func slots(list []change, depth int) []slot {
	var out []slot
	for i := range list {
		name, _, below := strings.Cut(list[i].path[depth:], "/")
		if n := len(out); n == 0 || out[n-1].name != name {
			out = append(out, slot{name: name})
		}
		last := &out[len(out)-1]
		if below {
			start := i - len(last.sub)
			last.sub = list[start : i+1]
		} else {
			last.file = &list[i]
		}
	}
	return out
}

// editTree returns the tree with the changes, whose paths begin at depth; zero if nothing is left in it.
func (s *Store) editTree(base ID, list []change, depth int, d *draft) (ID, error) {
	raw, err := s.tree(base)
	if err != nil {
		return ID{}, err
	}
	edits := slots(list, depth)
	if err := locate(raw, edits); err != nil {
		return ID{}, wrap(err, "tree", base)
	}
	fresh := make([]entry, len(edits))
	same := true
	for i := range edits {
		if fresh[i], err = s.editSlot(&edits[i], depth, d); err != nil {
			return ID{}, err
		}
		same = same && fresh[i].id == edits[i].old.id && fresh[i].mode == edits[i].old.mode
	}
	if same {
		return base, nil
	}
	out, err := splice(raw, edits, fresh)
	if err != nil {
		return ID{}, wrap(err, "tree", base)
	}
	if len(out) == 0 {
		return ID{}, nil
	}
	o := newObject(KindTree, out)
	d.add(o)
	if !base.IsZero() {
		d.older[o.ID] = base
	}
	return o.ID, nil
}

// locate finds the names of the edits in a tree's content.
func locate(raw []byte, edits []slot) error {
	at := make(map[string]*slot, len(edits))
	for i := range edits {
		at[edits[i].name] = &edits[i]
	}
	for pos := 0; pos < len(raw); {
		e, rest, err := nextEntry(raw[pos:])
		if err != nil {
			return err
		}
		end := len(raw) - len(rest)
		if sl := at[string(e.name)]; sl != nil {
			sl.old, sl.from, sl.to = e, pos, end
		}
		pos = end
	}
	return nil
}

// editSlot returns what stands under one name after the edit; the zero entry if nothing.
func (s *Store) editSlot(sl *slot, depth int, d *draft) (entry, error) {
	old := sl.old
	clash := func(what string) error {
		path := sl.sub0()[:depth+len(sl.name)]
		return fmt.Errorf("write: path %q: %s: %w", path, what, ErrPath)
	}
	var dir ID
	if old.isDir() {
		dir = old.id
	}
	if len(sl.sub) > 0 {
		blocked := !old.id.IsZero() && !old.isDir() && sl.file == nil
		for _, c := range sl.sub {
			if blocked && c.sets() {
				return entry{}, clash("is a file and cannot be a folder too")
			}
		}
		var err error
		if dir, err = s.editTree(dir, sl.sub, depth+len(sl.name)+1, d); err != nil {
			return entry{}, err
		}
		if blocked {
			return old, nil
		}
	}
	name := []byte(sl.name)
	switch {
	case sl.file != nil && sl.file.sets():
		if !dir.IsZero() {
			return entry{}, clash("is a folder and cannot be a file too")
		}
		if leaf := sl.file.leaf; leaf.mode != 0 {
			return entry{leaf.mode, name, leaf.id}, nil
		}
		mode := ModeFile
		if !old.id.IsZero() && !old.isDir() && old.mode != ModeSubmodule {
			mode = old.mode
		}
		o := newObject(KindBlob, sl.file.content)
		if o.ID != old.id {
			o.Data = bytes.Clone(o.Data) // the caller's may change
			d.add(o)
		}
		return entry{mode, name, o.ID}, nil
	case !dir.IsZero():
		return entry{ModeDir, name, dir}, nil
	case sl.file == nil && !old.isDir():
		return old, nil
	}
	return entry{}, nil
}

// sub0 returns a path that the slot is about.
func (sl *slot) sub0() string {
	if sl.file != nil {
		return sl.file.path
	}
	return sl.sub[0].path
}

// splice returns a tree's content with the slots' entries replaced by the fresh ones.
func splice(raw []byte, edits []slot, fresh []entry) ([]byte, error) {
	var cuts []slot // by position
	var add []entry
	size := len(raw)
	for i, sl := range edits {
		f := fresh[i]
		if sl.to > 0 {
			cuts = append(cuts, sl)
		}
		if !f.id.IsZero() {
			add = append(add, f)
			size += len(f.name) + 28
		}
	}
	slices.SortFunc(cuts, func(a, b slot) int { return cmp.Compare(a.from, b.from) })
	slices.SortFunc(add, func(a, b entry) int { return compareNames(a.name, a.isDir(), b.name, b.isDir()) })
	out := make([]byte, 0, size)
	pos := 0
	for len(cuts) > 0 || len(add) > 0 {
		if len(add) == 0 {
			out, pos, cuts = append(out, raw[pos:cuts[0].from]...), cuts[0].to, cuts[1:]
			continue
		}
		if len(cuts) > 0 && compareNames(cuts[0].old.name, cuts[0].old.isDir(), add[0].name, add[0].isDir()) <= 0 {
			out, pos, cuts = append(out, raw[pos:cuts[0].from]...), cuts[0].to, cuts[1:]
			continue
		}
		limit := len(raw)
		if len(cuts) > 0 {
			limit = cuts[0].from
		}
		end, err := before(raw, pos, limit, add[0])
		if err != nil {
			return nil, err
		}
		out = append(out, raw[pos:end]...)
		out, pos, add = appendEntry(out, add[0].mode, string(add[0].name), add[0].id), end, add[1:]
	}
	return append(out, raw[pos:]...), nil
}

// before returns where in raw[pos:limit] an entry belongs.
func before(raw []byte, pos, limit int, e entry) (int, error) {
	for pos < limit {
		at, rest, err := nextEntry(raw[pos:])
		if err != nil {
			return 0, err
		}
		if compareNames(at.name, at.isDir(), e.name, e.isDir()) > 0 {
			break
		}
		pos = len(raw) - len(rest)
	}
	return pos, nil
}
