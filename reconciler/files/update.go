package files

import (
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// Update returns the tree after the deltas, which must lead from the commit that
// t was made of. It costs what changed, and one copy of the index. t stays as it
// is. The error is as for Load.
func (t *Tree) Update(ds []Delta, read Reader) (*Tree, error) {
	n := &Tree{folders: t.folders, read: read, cache: t.cache, tables: t.tables,
		odd: maps.Clone(t.odd), notes: maps.Clone(t.notes), faults: maps.Clone(t.faults)}
	u := update{old: t, tree: n, keys: map[resource.Key]bool{}}
	defer t.cache.end(false)
	for _, d := range ds {
		u.take(d)
	}
	for s := range u.gone {
		n.tables[s] = merged(t.tables[s], u.gone[s], u.come[s])
	}
	parts, err := n.partsOf(append(slices.Clone(u.come[own]), u.come[shared]...))
	if err != nil {
		return nil, err
	}
	known := make(map[string]*part, len(parts))
	for i := range parts {
		u.put(&parts[i])
		known[parts[i].leaf.path] = &parts[i]
	}
	return n, u.render(known)
}

// An update is the work of one Update.
type update struct {
	old, tree *Tree
	keys      map[resource.Key]bool // to be rendered anew
	gone      [2]map[string]bool    // paths whose former leaf goes
	come      [2][]leaf
}

// take notes one delta and forgets the file that was there.
func (u *update) take(d Delta) {
	p := u.old.locate(d.Path)
	if p.class == outside {
		return
	}
	if u.gone[p.side] == nil {
		u.gone[p.side] = map[string]bool{}
	}
	u.gone[p.side][d.Path] = true
	if d.New.ID != ([20]byte{}) {
		f := d.New
		f.Path = d.Path
		u.come[p.side] = append(u.come[p.side], newLeaf(f))
	}
	if k := u.old.keyAt(d.Path, &p); !k.IsZero() {
		u.keys[k] = true
		u.tree.forgetOdd(k, d.Path)
	}
	if p.class == sidecar {
		u.sidecar(&p, u.old.notes[d.Path])
	}
	delete(u.tree.notes, d.Path)
}

// put adds a file that is new.
func (u *update) put(p *part) {
	u.tree.note(p)
	if k := p.key(); !k.IsZero() {
		u.keys[k] = true
	}
	if p.place.class == sidecar {
		u.sidecar(&p.place, p.note)
	}
}

// sidecar notes that all that a sidecar speaks of is to be rendered anew. One
// that cannot be read may speak of every shared object of its kind.
func (u *update) sidecar(p *place, n *note) {
	if n == nil {
		return
	}
	for name := range n.marks {
		u.keys[resource.Key{Kind: p.kind.Kind, Name: name}] = true
	}
	if !n.broken {
		return
	}
	for _, t := range []*Tree{u.old, u.tree} {
		for _, l := range t.below(shared, p.kind.Kind) {
			if at := t.locate(l.path); at.class == raw {
				u.keys[at.key()] = true
			}
		}
		if n := t.notes[t.sidecarPath(shared, p.kind.Kind)]; n != nil {
			for name := range n.marks {
				u.keys[resource.Key{Kind: p.kind.Kind, Name: name}] = true
			}
		}
	}
}

// below returns the files of a kind on one side.
func (t *Tree) below(s side, k resource.Kind) []leaf {
	prefix := t.prefix[s] + string(k) + "/"
	table := t.tables[s]
	from, _ := slices.BinarySearchFunc(table, prefix, func(l leaf, p string) int { return strings.Compare(l.path, p) })
	to := from
	for to < len(table) && strings.HasPrefix(table[to].path, prefix) {
		to++
	}
	return table[from:to]
}

func (t *Tree) forgetOdd(k resource.Key, path string) {
	left := slices.DeleteFunc(slices.Clone(t.odd[k]), func(p string) bool { return p == path })
	if t.odd[k] = left; len(left) == 0 {
		delete(t.odd, k)
	}
}

// render renders the touched objects anew and lays them over the old index.
func (u *update) render(known map[string]*part) error {
	t := u.tree
	r := rendering{tree: t, unknown: maps.Clone(u.old.snap.Scope().Unknown)}
	if r.unknown == nil {
		r.unknown = map[resource.Key]string{}
	}
	for k := range u.keys {
		delete(t.faults, k)
		delete(r.unknown, k)
		group, err := t.group(k, known)
		if err != nil {
			return err
		}
		r.add(k, group)
	}
	if err := r.finish(); err != nil {
		return err
	}
	for _, e := range r.entries {
		delete(u.keys, e.Key)
	}
	for k := range u.keys { // what was not rendered is not there
		r.entries = append(r.entries, resource.Entry{Key: k})
	}
	t.snap = u.old.snap.WithKnown(r.entries).WithOptions(t.options(r.unknown))
	return nil
}

// merged returns a table without the paths that are gone and with those that come.
func merged(table []leaf, gone map[string]bool, come []leaf) []leaf {
	if len(gone) == 0 {
		return table
	}
	come = slices.Clone(come)
	slices.SortFunc(come, compareLeaf)
	paths := slices.Sorted(maps.Keys(gone))
	out := make([]leaf, 0, len(table)+len(come))
	for _, path := range paths {
		i, found := slices.BinarySearchFunc(table, path, func(l leaf, p string) int { return strings.Compare(l.path, p) })
		out = append(out, table[:i]...)
		if table = table[i:]; found {
			table = table[1:]
		}
		for len(come) > 0 && come[0].path <= path {
			out = append(out, come[0])
			come = come[1:]
		}
	}
	return append(out, table...)
}
