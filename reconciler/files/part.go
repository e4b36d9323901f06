package files

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/driftback/driftback/vendors/resource"
)

// A part is one file, or one entry of a sidecar, as far as it makes an object.
type part struct {
	leaf   leaf
	place  place
	atHome bool // stands where Encode puts it
	name   string
	flags  uint32
	hash   resource.Hash // where the file is whole
	note   *note
	line   int // of $overlay or $absent
	column int
	mark   *mark // of a sidecar's entry; there is no leaf then
}

func (p *part) key() resource.Key {
	if p.name == "" || p.place.kind == nil {
		return resource.Key{}
	}
	return resource.Key{Kind: p.place.kind.Kind, Name: p.name}
}

func (p *part) broken() bool { return p.note != nil && len(p.note.problems) > 0 }

func (p *part) addNote() *note {
	if p.note == nil {
		p.note = &note{}
	}
	return p.note
}

func (p *part) fail(line, column int, err error) {
	n := p.addNote()
	n.problems = append(n.problems, p.problem(line, column, err))
	p.flags |= isBroken
}

// partsOf reads files, from the cache where it can.
func (t *Tree) partsOf(leaves []leaf) ([]part, error) {
	parts := make([]part, len(leaves))
	var missing []*part
	for i, l := range leaves {
		p := &parts[i]
		*p = part{leaf: l, place: t.locate(l.path)}
		p.name = p.place.name
		p.atHome = p.place.class != misplaced && p.name != "" && plainHome(p.name, &p.place, l.path)
		if !t.recall(p) {
			missing = append(missing, p)
		}
	}
	err := each(len(missing), func(i int) error { return t.parse(missing[i]) })
	if err != nil {
		return nil, err
	}
	for i := range parts {
		if p := &parts[i]; !p.atHome && p.name != "" && p.place.class != misplaced {
			p.atHome = t.path(p.place.side, p.key()) == p.leaf.path
		}
	}
	return parts, nil
}

// plainHome reports, without building the path, that it is the ordinary one. It
// may be wrong only where it says no.
func plainHome(name string, p *place, path string) bool {
	if p.class == raw {
		return true
	}
	return plainName(name) && len(path) >= len(name)+len(ext) && path[len(path)-len(ext)-len(name):len(path)-len(ext)] == name
}

// cacheKey returns where the cache has a blob of the kind.
func (k *kind) cacheKey(id [20]byte) cacheKey {
	out := k.mask
	for i := range out {
		out[i] ^= id[i]
	}
	return out
}

// pairKey returns where the cache has an overlay rendered over a shared object.
func (k *kind) pairKey(patch, base [20]byte) cacheKey {
	b := append(append(append(make([]byte, 0, 60), k.mask[:]...), patch[:]...), base[:]...)
	sum := sha256.Sum256(b)
	return cacheKey(sum[:20])
}

// recall completes a part without reading it, if that is possible.
func (t *Tree) recall(p *part) bool {
	if p.place.class == misplaced {
		p.fail(0, 0, p.place.err)
		return true
	}
	if err := modeError(p.leaf.bits); err != nil {
		p.fail(0, 0, err)
		if p.place.class == sidecar {
			p.note.broken = true
		}
		return true
	}
	if p.place.class == sidecar {
		return false
	}
	r, x, ok := t.cache.find(p.place.kind.cacheKey(p.leaf.id))
	if ok {
		t.complete(p, r, x)
	}
	return ok
}

// parse reads a file and remembers what it says. The error does not concern the file.
func (t *Tree) parse(p *part) error {
	k := p.place.kind
	data, f, err := t.fetch(k, p.leaf.id)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.leaf.path, err)
	}
	if p.place.class == sidecar {
		n := p.addNote()
		if f == nil {
			n.marks, f = decodeMarks(data)
		}
		if f != nil {
			n.broken = true
			p.fail(f.line, f.column, f.err)
		}
		return nil
	}
	r, x := record{key: k.cacheKey(p.leaf.id)}, (*extra)(nil)
	switch {
	case f != nil:
	case k.Raw:
		r.hash = resource.RawSpec(data).Hash()
	default:
		var d *document
		if d, f = decodeDocument(data); f == nil {
			f = k.literalSecret(d.body)
		}
		if f == nil {
			r.hash, r.bits, x = k.summary(d)
		}
	}
	if f != nil {
		r.bits, x = isBroken, &extra{line: f.line, column: f.column, fault: f.err.Error()}
	}
	t.cache.put(r, x)
	t.complete(p, r, x)
	return nil
}

// fetch reads a blob within the limit of its kind.
func (t *Tree) fetch(k *kind, id [20]byte) ([]byte, *fault, error) {
	limit := maxSize(k.KindInfo)
	data, err := t.read(id, limit)
	if errors.Is(err, ErrTooLarge) || err == nil && int64(len(data)) > limit {
		return nil, faultAt(0, 0, "the file is over the limit of %d bytes", limit), nil
	}
	return data, nil, err
}

// summary is what the cache keeps of a document.
func (k *kind) summary(d *document) (h resource.Hash, flags uint32, x *extra) {
	switch {
	case d.absent:
		flags = isAbsent
	case d.overlay:
		flags = isOverlay
	default:
		h = k.schema.Normalize(d.body).Hash()
	}
	if flags != 0 || d.name != "" || d.renamedFrom != "" {
		x = &extra{name: d.name, renamedFrom: d.renamedFrom, line: d.line, column: d.column}
	}
	return h, flags, x
}

// complete gives a part what its blob says, and checks that it fits the path.
func (t *Tree) complete(p *part, r record, x *extra) {
	p.hash, p.flags = r.hash, r.bits&(isOverlay|isAbsent|isBroken)
	if x == nil {
		x = &extra{}
	}
	p.line, p.column = x.line, x.column
	if p.flags&isBroken != 0 {
		p.fail(x.line, x.column, errors.New(x.fault))
		return
	}
	if x.renamedFrom != "" {
		p.addNote().renamedFrom = x.renamedFrom
	}
	switch {
	case p.place.class == raw:
	case p.place.hash != "" && !holdsName(p.place.hash, x.name):
		p.fail(1, 1, errors.New("the file's name stands for a long one, which $name must hold, and does not"))
	case p.place.hash != "":
		p.name = x.name
		p.addNote().name = x.name
	case x.name != "" && x.name != p.name:
		p.fail(1, 1, fmt.Errorf("$name is %.60q, but the file is that of %.60q", x.name, p.name))
	}
	if p.flags&(isOverlay|isAbsent) != 0 && (p.place.side == shared || t.layout.Shared == "") {
		p.fail(x.line, x.column, errors.New("there is no shared object below this file for an overlay or $absent to change"))
	}
}

// markParts returns the parts that a sidecar's entries are.
func (p *part) markParts() []*part {
	if p.note == nil || p.note.marks == nil {
		return nil
	}
	var out []*part
	for _, name := range slices.Sorted(maps.Keys(p.note.marks)) {
		m := p.note.marks[name]
		out = append(out, &part{leaf: leaf{path: p.leaf.path}, place: p.place, name: name, mark: &m})
	}
	return out
}

// each calls f for 0 to n-1 on all processors and returns the first error of a
// call. After an error no new calls begin.
func each(n int, f func(int) error) error {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers < 2 {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[w] = f(i); errs[w] != nil {
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
