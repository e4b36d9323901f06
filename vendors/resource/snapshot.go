package resource

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
)

// An Entry is what an index holds of one object.
type Entry struct {
	Key    Key
	Hash   Hash
	Origin *Origin
}

// A Snapshot is an immutable reading: an index of keys and hashes in key order,
// the scope inside which absence means something, and bodies on demand. It is
// safe for concurrent use if its body source is. The zero Snapshot has seen nothing.
type Snapshot struct {
	scope  Scope
	tenant string
	chunks []*chunk // by key, unique
	n      int      // entries
	load   func(Entry) (Spec, error)
}

// ErrNoBody says that a snapshot was asked for a body that it neither holds nor can load.
var ErrNoBody = errors.New("body not available")

// Options complete a snapshot.
type Options struct {
	Scope  Scope
	Tenant string // identity of the tenant that was read
	// Load returns the body of an entry that the snapshot does not hold itself; called lazily.
	Load func(Entry) (Spec, error)
}

// A Builder collects a snapshot. The zero Builder is ready; it is for one goroutine.
type Builder struct{ rows []row }

// A row is an entry with its body, where there is one.
type row struct {
	Entry
	spec Spec
}

// Add puts an object with its body.
func (b *Builder) Add(r Resource) {
	b.rows = append(b.rows, row{Entry{Key: r.Key, Hash: r.Spec.Hash(), Origin: r.Origin}, r.Spec})
}

// Known puts an object by its hash alone.
func (b *Builder) Known(e Entry) { b.rows = append(b.rows, row{Entry: e}) }

// Snapshot returns what was collected and the keys that were put more than
// once. Those are left out, and are to be marked Unknown in the scope.
func (b *Builder) Snapshot(o Options) (s *Snapshot, twice []Key) {
	byKey := func(x, y row) int { return x.Key.Compare(y.Key) }
	if !slices.IsSortedFunc(b.rows, byKey) {
		slices.SortStableFunc(b.rows, byKey)
	}
	var x indexer
	for i := 0; i < len(b.rows); {
		j := i + 1
		for j < len(b.rows) && b.rows[j].Key == b.rows[i].Key {
			j++
		}
		if j == i+1 {
			x.add(b.rows[i].Entry, b.rows[i].spec)
		} else {
			twice = append(twice, b.rows[i].Key)
		}
		i = j
	}
	x.cut()
	return &Snapshot{scope: o.Scope, tenant: o.Tenant, chunks: x.chunks, n: x.n, load: o.Load}, twice
}

// SnapshotOf returns a snapshot of the resources, with bodies. Keys must be unique.
func SnapshotOf(o Options, rs ...Resource) *Snapshot {
	var b Builder
	for _, r := range rs {
		b.Add(r)
	}
	s, twice := b.Snapshot(o)
	if len(twice) > 0 {
		panic(fmt.Sprintf("resource: %v put twice", twice))
	}
	return s
}

// Scope says what the reading could have seen.
func (s *Snapshot) Scope() Scope {
	if s == nil {
		return Scope{}
	}
	return s.scope
}

// Tenant identifies the tenant that was read; empty when it is not known.
func (s *Snapshot) Tenant() string {
	if s == nil {
		return ""
	}
	return s.tenant
}

// Len is the number of objects.
func (s *Snapshot) Len() int {
	if s == nil {
		return 0
	}
	return s.n
}

// At returns the i-th entry in key order, 0 ≤ i < Len. Whoever wants all takes Entries.
func (s *Snapshot) At(i int) Entry {
	at := 0
	for i >= len(s.chunks[at].entries) {
		i -= len(s.chunks[at].entries)
		at++
	}
	return s.chunks[at].entries[i]
}

// Entries yields the index in key order.
func (s *Snapshot) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if s == nil {
			return
		}
		for _, c := range s.chunks {
			for _, e := range c.entries {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// find returns the chunk that k is in, or would be in, and its place there. Beyond the
// last chunk it is that one.
func (s *Snapshot) find(k Key) (c, i int, ok bool) {
	c = sort.Search(len(s.chunks), func(i int) bool { return k.Compare(s.chunks[i].last()) <= 0 })
	if c == len(s.chunks) {
		return max(0, c-1), 0, false
	}
	i, ok = s.chunks[c].find(k)
	return c, i, ok
}

// Entry returns what the index holds of k, and whether it is there.
func (s *Snapshot) Entry(k Key) (Entry, bool) {
	if s == nil {
		return Entry{Key: k}, false
	}
	c, i, ok := s.find(k)
	if !ok {
		return Entry{Key: k}, false
	}
	return s.chunks[c].entries[i], true
}

// Hash returns the hash of k; zero where it is not listed.
func (s *Snapshot) Hash(k Key) Hash {
	e, _ := s.Entry(k)
	return e.Hash
}

// Covers reports whether not being listed would mean that k is not there.
func (s *Snapshot) Covers(k Key) bool { return s != nil && s.scope.Covers(k) }

// Spec returns the body of k, which is nil where k is not listed. The result
// must not be modified. ErrNoBody says that only its hash is known.
func (s *Snapshot) Spec(k Key) (Spec, error) {
	if s == nil {
		return nil, nil
	}
	c, i, ok := s.find(k)
	if !ok {
		return nil, nil
	}
	if b := s.chunks[c].spec(i); b != nil {
		return b, nil
	}
	if s.load == nil {
		return nil, fmt.Errorf("%s: %w", k, ErrNoBody)
	}
	return s.load(s.chunks[c].entries[i])
}

// Resource returns the object with its body; nil where k is not listed.
func (s *Snapshot) Resource(k Key) (*Resource, error) {
	e, ok := s.Entry(k)
	if !ok {
		return nil, nil
	}
	spec, err := s.Spec(k)
	if err != nil {
		return nil, err
	}
	return &Resource{Key: k, Spec: spec, Origin: e.Origin}, nil
}

// An Overlay is a difference to a snapshot: a Resource puts one, nil removes.
type Overlay map[Key]*Resource

// With returns a snapshot with the overlay laid over s, sharing bodies. It costs
// what the overlay touches.
func (s *Snapshot) With(o Overlay) *Snapshot {
	if len(o) == 0 {
		return s
	}
	rows := make([]row, 0, len(o))
	for k, r := range o {
		w := row{Entry: Entry{Key: k}}
		if r != nil {
			w = row{Entry{Key: k, Hash: r.Spec.Hash(), Origin: r.Origin}, r.Spec}
		}
		rows = append(rows, w)
	}
	return s.with(rows)
}

// WithKnown returns a snapshot with the entries laid over s by hash alone; a zero
// hash removes. Bodies that s holds of them are dropped. Keys must be unique.
func (s *Snapshot) WithKnown(es []Entry) *Snapshot {
	if len(es) == 0 {
		return s
	}
	rows := make([]row, 0, len(es))
	for _, e := range es {
		rows = append(rows, row{Entry: e})
	}
	return s.with(rows)
}

// with lays rows over s; a zero hash removes.
func (s *Snapshot) with(rows []row) *Snapshot {
	slices.SortFunc(rows, func(a, b row) int { return a.Key.Compare(b.Key) })
	out := &Snapshot{}
	if s != nil {
		*out = *s
	}
	x := indexer{chunks: make([]*chunk, 0, len(out.chunks)+1)}
	for i, c := range out.chunks {
		n := len(rows) // of the rows that belong into this chunk
		if i < len(out.chunks)-1 {
			last := c.last()
			n = sort.Search(n, func(i int) bool { return rows[i].Key.Compare(last) > 0 })
		}
		if n == 0 {
			x.keep(c)
			continue
		}
		x.merge(c, rows[:n])
		rows = rows[n:]
	}
	x.merge(&chunk{}, rows)
	x.cut()
	out.chunks, out.n = x.chunks, x.n
	return out
}

// merge adds a chunk with rows laid over it.
func (x *indexer) merge(c *chunk, rows []row) {
	for i, e := range c.entries {
		for len(rows) > 0 && rows[0].Key.Compare(e.Key) < 0 {
			x.put(rows[0])
			rows = rows[1:]
		}
		if len(rows) > 0 && rows[0].Key == e.Key {
			x.put(rows[0])
			rows = rows[1:]
			continue
		}
		x.add(e, c.spec(i))
	}
	for _, r := range rows {
		x.put(r)
	}
}

func (x *indexer) put(r row) {
	if !r.Hash.IsZero() {
		x.add(r.Entry, r.spec)
	}
}

// WithOptions returns the same index under another scope, tenant or source of bodies.
// Fields of o that are zero keep what s has.
func (s *Snapshot) WithOptions(o Options) *Snapshot {
	c := Snapshot{}
	if s != nil {
		c = *s
	}
	if o.Scope.Kinds != nil {
		c.scope = o.Scope
	}
	if o.Tenant != "" {
		c.tenant = o.Tenant
	}
	if o.Load != nil {
		c.load = o.Load
	}
	return &c
}
