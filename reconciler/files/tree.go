package files

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// A Tree is an environment as the files of one commit describe it. It is
// immutable and safe for concurrent use if its Reader is. It keeps paths, ids and
// hashes, no bodies.
type Tree struct {
	*folders
	read   Reader
	cache  *Cache
	tables [2][]leaf                  // the files of both sides, by path
	odd    map[resource.Key][]string  // paths of objects that do not stand where Encode puts them
	notes  map[string]*note           // by path: what few files have
	faults map[resource.Key][]Problem // of objects whose files are well and do not fit together
	snap   *resource.Snapshot
}

// A note is what few files have.
type note struct {
	name        string // full name, where the file's own name does not hold it
	renamedFrom string
	marks       marks // of a sidecar
	broken      bool  // a sidecar that cannot be read
	problems    []Problem
}

// Load reads the files of one commit: those below Prefixes, in any order; others
// are ignored. What is wrong with a file is told by Problems. The error is that of
// read where it does not concern one file, such as a missing object: then nothing
// is known. A nil cache remembers nothing from one Load to the next.
func (l Layout) Load(fs []File, read Reader, c *Cache) (*Tree, error) {
	if c == nil {
		c = NewCache()
	}
	t := &Tree{folders: newFolders(l), read: read, cache: c,
		odd: map[resource.Key][]string{}, notes: map[string]*note{}, faults: map[resource.Key][]Problem{}}
	c.begin()
	defer c.end(true)
	leaves := make([]leaf, 0, len(fs))
	for _, f := range fs {
		if t.locate(f.Path).class != outside {
			leaves = append(leaves, newLeaf(f))
		}
	}
	byPath := func(a, b leaf) int { return strings.Compare(a.path, b.path) }
	if !slices.IsSortedFunc(leaves, byPath) {
		slices.SortFunc(leaves, byPath)
	}
	parts, err := t.partsOf(leaves)
	if err != nil {
		return nil, err
	}
	var count [2]int
	for i := range parts {
		count[parts[i].place.side]++
	}
	var bySide [2][]*part
	for s, n := range count {
		bySide[s], t.tables[s] = make([]*part, 0, n), make([]leaf, 0, n)
	}
	for i := range parts {
		p := &parts[i]
		s := p.place.side
		t.tables[s] = append(t.tables[s], p.leaf)
		t.note(p)
		if !p.key().IsZero() {
			bySide[s] = append(bySide[s], p)
		}
		bySide[s] = append(bySide[s], p.markParts()...)
	}
	entries, unknown, err := t.renderAll(bySide)
	if err != nil {
		return nil, err
	}
	var b resource.Builder
	for _, e := range entries {
		b.Known(e)
	}
	t.snap, _ = b.Snapshot(t.options(unknown))
	return t, nil
}

func (t *Tree) options(unknown map[resource.Key]string) resource.Options {
	kinds := map[resource.Kind]resource.Cover{}
	for _, k := range t.layout.Kinds {
		if !k.ReferenceOnly {
			kinds[k.Kind] = resource.Cover{}
		}
	}
	return resource.Options{Scope: resource.Scope{Kinds: kinds, Unknown: unknown}, Load: t.body}
}

// note keeps what is unusual about a file.
func (t *Tree) note(p *part) {
	if p.note != nil {
		t.notes[p.leaf.path] = p.note
	}
	if k := p.key(); !k.IsZero() && !p.atHome {
		t.odd[k] = append(slices.Clip(t.odd[k]), p.leaf.path)
	}
}

// Snapshot returns the environment as the files describe it, overlays applied
// and descriptors' defaults left out. Bodies are read when asked for. The scope
// covers every managed kind; what cannot be read is unknown there, with the reason.
func (t *Tree) Snapshot() *resource.Snapshot { return t.snap }

// Sharing returns the tree with what its index has in common with s taken from there, so
// that it is in memory once.
func (t *Tree) Sharing(s *resource.Snapshot) *Tree {
	snap := t.snap.Sharing(s)
	if snap == t.snap {
		return t
	}
	out := *t
	out.snap = snap.WithOptions(resource.Options{Load: out.body})
	return &out
}

// Problems returns what is wrong, by path and position.
func (t *Tree) Problems() []Problem {
	var out []Problem
	for _, n := range t.notes {
		out = append(out, n.problems...)
	}
	for _, ps := range t.faults {
		out = append(out, ps...)
	}
	slices.SortFunc(out, Problem.compare)
	return slices.CompactFunc(out, func(a, b Problem) bool { return a.compare(b) == 0 })
}

// Broken reports whether a file of the kind cannot be read. Then it may be the
// one of an object that seems not to be there, and no deletion is safe.
func (t *Tree) Broken(k resource.Kind) bool {
	has := func(ps []Problem) bool {
		return slices.ContainsFunc(ps, func(p Problem) bool { return p.Kind == k })
	}
	for _, n := range t.notes {
		if has(n.problems) {
			return true
		}
	}
	for _, ps := range t.faults {
		if has(ps) {
			return true
		}
	}
	return false
}

// Paths returns the files that make an object or would if they could be read,
// the environment's own first, with the sidecar where it says something of it.
func (t *Tree) Paths(k resource.Key) []string {
	var out []string
	for _, s := range []side{own, shared} {
		for _, l := range t.leavesOf(s, k) {
			out = append(out, l.path)
		}
		if path := t.sidecarPath(s, k.Kind); path != "" {
			if n := t.notes[path]; n != nil {
				if _, ok := n.marks[k.Name]; ok {
					out = append(out, path)
				}
			}
		}
	}
	return out
}

// Keys returns the objects that a path contributes to, whether or not there is
// such a file: the one of its name, or all that a sidecar names.
func (t *Tree) Keys(path string) []resource.Key {
	p := t.locate(path)
	if p.class == sidecar {
		var out []resource.Key
		if n := t.notes[path]; n != nil {
			for _, name := range slices.Sorted(maps.Keys(n.marks)) {
				out = append(out, resource.Key{Kind: p.kind.Kind, Name: name})
			}
		}
		return out
	}
	if k := t.keyAt(path, &p); !k.IsZero() {
		return []resource.Key{k}
	}
	return nil
}

// Masked returns the objects of a shared path that the environment's own files
// cover in whole or in part, so that an edit there may not arrive.
func (t *Tree) Masked(path string) []resource.Key {
	if t.locate(path).side != shared {
		return nil
	}
	return slices.DeleteFunc(t.Keys(path), func(k resource.Key) bool {
		if len(t.leavesOf(own, k)) > 0 {
			return false
		}
		_, marked := t.mark(own, k)
		return !marked
	})
}

// Renames returns what $renamedFrom says: the new key → the former one.
func (t *Tree) Renames() map[resource.Key]resource.Key {
	out := map[resource.Key]resource.Key{}
	for _, s := range []side{shared, own} { // own has the last word
		for path, n := range t.notes {
			p := t.locate(path)
			if p.side != s || p.kind == nil || len(n.problems) > 0 && n.marks == nil {
				continue
			}
			if n.renamedFrom != "" {
				out[t.keyAt(path, &p)] = resource.Key{Kind: p.kind.Kind, Name: n.renamedFrom}
			}
			for name, m := range n.marks {
				if m.renamedFrom != "" && m.fault == nil {
					out[resource.Key{Kind: p.kind.Kind, Name: name}] = resource.Key{Kind: p.kind.Kind, Name: m.renamedFrom}
				}
			}
		}
	}
	return out
}

// keyAt returns the object of a path that was located.
func (t *Tree) keyAt(path string, p *place) resource.Key {
	if p.class == sidecar || p.kind == nil {
		return resource.Key{}
	}
	if k := p.key(); !k.IsZero() {
		return k
	}
	if n := t.notes[path]; n != nil && n.name != "" {
		return resource.Key{Kind: p.kind.Kind, Name: n.name}
	}
	return resource.Key{}
}

// find returns the file at a path.
func (t *Tree) find(s side, path string) (leaf, bool) {
	table := t.tables[s]
	i, ok := sort.Find(len(table), func(i int) int { return strings.Compare(path, table[i].path) })
	if !ok {
		return leaf{}, false
	}
	return table[i], true
}

// leavesOf returns the files of an object on one side, by path.
func (t *Tree) leavesOf(s side, k resource.Key) []leaf {
	var out []leaf
	if home := t.path(s, k); home != "" {
		l, ok := t.find(s, home)
		if ok && t.keyAt(home, new(t.locate(home))) == k {
			out = append(out, l)
		}
	}
	for _, path := range t.odd[k] {
		if l, ok := t.find(s, path); ok {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b leaf) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(out)
}

// sidecarPath returns where the sidecar of a raw kind stands; empty for other kinds.
func (t *Tree) sidecarPath(s side, k resource.Kind) string {
	info := t.kinds[string(k)]
	if info == nil || !info.Raw || s == shared && t.layout.Shared == "" {
		return ""
	}
	return t.prefix[s] + string(k) + "/" + sidecarName
}

// mark returns what the sidecar of one side says of an object.
func (t *Tree) mark(s side, k resource.Key) (mark, bool) {
	path := t.sidecarPath(s, k.Kind)
	if path == "" {
		return mark{}, false
	}
	n := t.notes[path]
	if n == nil {
		return mark{}, false
	}
	m, ok := n.marks[k.Name]
	return m, ok
}

// problem makes a Problem of a file.
func (p *part) problem(line, column int, err error) Problem {
	out := Problem{Path: cmp.Or(p.place.at, p.leaf.path), Line: line, Column: column, Key: p.key(), Err: err}
	if p.place.kind != nil {
		out.Kind = p.place.kind.Kind
	}
	return out
}
