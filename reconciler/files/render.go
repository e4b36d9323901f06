package files

import (
	"errors"
	"fmt"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// A making says how an object comes about. It exists if there is a base or a secret.
type making struct {
	base     *part  // the whole file, own or shared
	patch    *part  // the overlay on base
	secret   string // a raw object's content is this secret
	unknown  string // why nothing can be said; the rest is empty then
	problems []Problem
}

func (m *making) exists() bool { return m.base != nil || m.secret != "" }

// A half is what one side says of an object.
type half struct {
	file   *part
	mark   *mark
	broken string // why it cannot be told
}

// make decides what the files of one object amount to. parts are in order of side and path.
func (t *Tree) make(k resource.Key, parts []*part) making {
	var m making
	o := m.half(parts, own)
	s := m.half(parts, shared)
	if n := t.notes[t.sidecarPath(own, k.Kind)]; o.file == nil && n != nil && n.broken && (s.file != nil || s.mark != nil) {
		o.broken = n.problems[0].Error()
	}
	switch {
	case o.broken != "":
		m.unknown = o.broken
	case o.mark != nil && o.mark.absent || o.file != nil && o.file.flags&isAbsent != 0:
	case o.mark != nil && o.mark.secret != "":
		m.secret = o.mark.secret
	case o.file != nil && o.file.flags&isOverlay == 0:
		m.base = o.file
	case s.broken != "":
		m.unknown = s.broken
	case o.file == nil && s.mark != nil && s.mark.secret != "":
		m.secret = s.mark.secret
	case o.file == nil:
		m.base = s.file
	case s.file == nil:
		m.problems = append(m.problems, o.file.problem(o.file.line, o.file.column, errors.New("an overlay without a shared object to lie on")))
		m.unknown = m.problems[len(m.problems)-1].Error()
	default:
		m.base, m.patch = s.file, o.file
	}
	return m
}

// half collects what one side says, and what contradicts itself there.
func (m *making) half(parts []*part, s side) half {
	var h half
	for _, p := range parts {
		switch {
		case p.place.side != s:
			continue
		case p.mark != nil:
			h.mark = p.mark
			if f := m.checkMark(p, h.file != nil); f != nil {
				problem := p.problem(f.line, f.column, f.err)
				m.problems = append(m.problems, problem)
				h.broken = problem.Error()
			}
			continue
		case h.file != nil:
			problem := p.problem(0, 0, fmt.Errorf("a second file of %s, which is %s already", p.key(), h.file.leaf.path))
			m.problems = append(m.problems, problem)
			h.broken = problem.Error()
		case p.broken():
			h.broken = p.note.problems[0].Error()
		}
		if h.file == nil {
			h.file = p
		}
	}
	return h
}

// checkMark reports what is wrong with an entry of a sidecar.
func (m *making) checkMark(p *part, hasFile bool) *fault {
	k := p.mark
	switch {
	case k.fault != nil:
		return k.fault
	case k.absent && p.place.side == shared:
		return faultAt(k.line, k.column, "%s has no meaning in the shared folder", dirAbsent)
	case hasFile && (k.absent || k.secret != ""):
		return faultAt(k.line, k.column, "%q has a file of content here; remove that or this entry", p.name)
	}
	return nil
}

// renderAll renders every object that the parts of both sides make, and returns the index in order of keys.
func (t *Tree) renderAll(lists [2][]*part) (entries []resource.Entry, unknown map[resource.Key]string, err error) {
	for _, list := range lists {
		if !slices.IsSortedFunc(list, comparePart) {
			slices.SortFunc(list, comparePart)
		}
	}
	r := rendering{tree: t, unknown: map[resource.Key]string{}}
	r.entries = make([]resource.Entry, 0, max(len(lists[own]), len(lists[shared])))
	var group []*part
	for len(lists[own]) > 0 || len(lists[shared]) > 0 {
		k := firstKey(lists)
		group = group[:0]
		for s := range lists {
			for len(lists[s]) > 0 && lists[s][0].key() == k {
				group = append(group, lists[s][0])
				lists[s] = lists[s][1:]
			}
		}
		r.add(k, group)
	}
	if err := r.finish(); err != nil {
		return nil, nil, err
	}
	return r.entries, r.unknown, nil
}

func firstKey(lists [2][]*part) resource.Key {
	switch {
	case len(lists[own]) == 0:
		return lists[shared][0].key()
	case len(lists[shared]) == 0:
		return lists[own][0].key()
	}
	a, b := lists[own][0].key(), lists[shared][0].key()
	if b.Compare(a) < 0 {
		return b
	}
	return a
}

// comparePart orders by key, files before marks, then by path.
func comparePart(a, b *part) int {
	if c := a.key().Compare(b.key()); c != 0 {
		return c
	}
	if (a.mark != nil) != (b.mark != nil) {
		if a.mark != nil {
			return 1
		}
		return -1
	}
	return compareLeaf(a.leaf, b.leaf)
}

// A rendering collects the index. Overlays that the cache does not know are rendered last, all at once.
type rendering struct {
	tree    *Tree
	entries []resource.Entry
	unknown map[resource.Key]string
	pending []pair
}

type pair struct {
	entry int // index into entries
	making
}

func (r *rendering) add(k resource.Key, group []*part) {
	m := r.tree.make(k, group)
	if len(m.problems) > 0 {
		r.tree.faults[k] = m.problems
	}
	if m.unknown != "" {
		r.unknown[k] = m.unknown
		return
	}
	if !m.exists() {
		return
	}
	e := resource.Entry{Key: k}
	switch {
	case m.secret != "":
		e.Hash = secretSpec(m.secret).Hash()
	case m.patch == nil:
		e.Hash = m.base.hash
	default:
		rec, _, ok := r.tree.cache.find(m.base.place.kind.pairKey(m.patch.leaf.id, m.base.leaf.id))
		if e.Hash = rec.hash; !ok {
			r.pending = append(r.pending, pair{len(r.entries), m})
		}
	}
	r.entries = append(r.entries, e)
}

func (r *rendering) finish() error {
	return each(len(r.pending), func(i int) error {
		p := &r.pending[i]
		spec, err := r.tree.spec(&p.making)
		if err != nil {
			return err
		}
		h := spec.Hash()
		r.entries[p.entry].Hash = h
		r.tree.cache.put(record{key: p.base.place.kind.pairKey(p.patch.leaf.id, p.base.leaf.id), hash: h}, nil)
		return nil
	})
}

func secretSpec(name string) resource.Spec {
	return resource.Spec{resource.Content: resource.Secret{Name: name}}
}

// spec reads the body of what a making says. Its files are known to be readable.
func (t *Tree) spec(m *making) (resource.Spec, error) {
	if m.secret != "" {
		return secretSpec(m.secret), nil
	}
	k := m.base.place.kind
	if k.Raw {
		data, f, err := t.fetch(k, m.base.leaf.id)
		if err = errOf(f, err); err != nil {
			return nil, fmt.Errorf("read %s: %w", m.base.leaf.path, err)
		}
		return resource.RawSpec(data), nil
	}
	d, err := t.document(m.base)
	if err != nil {
		return nil, err
	}
	spec := k.schema.Normalize(d.body)
	if m.patch == nil {
		return spec, nil
	}
	patch, err := t.document(m.patch)
	if err != nil {
		return nil, err
	}
	return k.schema.Normalize(patched(map[string]any(spec), patch.body).(map[string]any)), nil
}

func (t *Tree) document(p *part) (*document, error) {
	data, f, err := t.fetch(p.place.kind, p.leaf.id)
	var d *document
	if f == nil && err == nil {
		d, f = decodeDocument(data)
	}
	if err = errOf(f, err); err != nil {
		return nil, fmt.Errorf("read %s: %w", p.leaf.path, err)
	}
	return d, nil
}

func errOf(f *fault, err error) error {
	if err == nil && f != nil {
		return f
	}
	return err
}

// making works out how an object comes about, reading what the cache does not know.
func (t *Tree) making(k resource.Key) (making, error) {
	parts, err := t.group(k, nil)
	if err != nil {
		return making{}, err
	}
	return t.make(k, parts), nil
}

// group returns the parts of an object in the order that make wants. known are parts read already, by path.
func (t *Tree) group(k resource.Key, known map[string]*part) ([]*part, error) {
	var out []*part
	for _, s := range []side{own, shared} {
		for _, l := range t.leavesOf(s, k) {
			if p := known[l.path]; p != nil {
				out = append(out, p)
				continue
			}
			ps, err := t.partsOf([]leaf{l})
			if err != nil {
				return nil, err
			}
			out = append(out, &ps[0])
		}
		if m, ok := t.mark(s, k); ok {
			path := t.sidecarPath(s, k.Kind)
			out = append(out, &part{leaf: leaf{path: path}, place: t.locate(path), name: k.Name, mark: &m})
		}
	}
	return out, nil
}

// body is the source of bodies of the tree's snapshot.
func (t *Tree) body(e resource.Entry) (resource.Spec, error) {
	m, err := t.making(e.Key)
	if err != nil {
		return nil, err
	}
	if !m.exists() {
		return nil, fmt.Errorf("%s: %w", e.Key, resource.ErrNoBody)
	}
	spec, err := t.spec(&m)
	if err != nil {
		return nil, err
	}
	if spec.Hash() != e.Hash {
		return nil, fmt.Errorf("read %s: the file does not say what was remembered of it", m.base.leaf.path)
	}
	return spec, nil
}
