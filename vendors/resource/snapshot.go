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
	scope   Scope
	tenant  string
	entries []Entry // sorted by key, unique
	bodies  map[Key]Spec
	load    func(Entry) (Spec, error)
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
type Builder struct {
	entries []Entry
	bodies  map[Key]Spec
}

// Add puts an object with its body.
func (b *Builder) Add(r Resource) {
	if b.bodies == nil {
		b.bodies = map[Key]Spec{}
	}
	b.bodies[r.Key] = r.Spec
	b.entries = append(b.entries, Entry{Key: r.Key, Hash: r.Spec.Hash(), Origin: r.Origin})
}

// Known puts an object by its hash alone.
func (b *Builder) Known(e Entry) { b.entries = append(b.entries, e) }

// Snapshot returns what was collected and the keys that were put more than
// once. Those are left out, and are to be marked Unknown in the scope.
func (b *Builder) Snapshot(o Options) (s *Snapshot, twice []Key) {
	slices.SortStableFunc(b.entries, func(x, y Entry) int { return x.Key.Compare(y.Key) })
	out := make([]Entry, 0, len(b.entries))
	for i := 0; i < len(b.entries); {
		j := i + 1
		for j < len(b.entries) && b.entries[j].Key == b.entries[i].Key {
			j++
		}
		if j == i+1 {
			out = append(out, b.entries[i])
		} else {
			twice = append(twice, b.entries[i].Key)
		}
		i = j
	}
	return &Snapshot{scope: o.Scope, tenant: o.Tenant, entries: out, bodies: b.bodies, load: o.Load}, twice
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
	return len(s.entries)
}

// At returns the i-th entry in key order, 0 ≤ i < Len.
func (s *Snapshot) At(i int) Entry { return s.entries[i] }

// Entries yields the index in key order.
func (s *Snapshot) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if s == nil {
			return
		}
		for _, e := range s.entries {
			if !yield(e) {
				return
			}
		}
	}
}

// Entry returns what the index holds of k, and whether it is there.
func (s *Snapshot) Entry(k Key) (Entry, bool) {
	if s == nil {
		return Entry{Key: k}, false
	}
	i, ok := sort.Find(len(s.entries), func(i int) int { return k.Compare(s.entries[i].Key) })
	if !ok {
		return Entry{Key: k}, false
	}
	return s.entries[i], true
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
	e, ok := s.Entry(k)
	if !ok {
		return nil, nil
	}
	if b, ok := s.bodies[k]; ok {
		return b, nil
	}
	if s.load == nil {
		return nil, fmt.Errorf("%s: %w", k, ErrNoBody)
	}
	return s.load(e)
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

// With returns a snapshot with the overlay laid over s, sharing bodies. The cost
// is one copy of the index.
func (s *Snapshot) With(o Overlay) *Snapshot {
	if len(o) == 0 {
		return s
	}
	keys := make([]Key, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, Key.Compare)
	out := &Snapshot{bodies: make(map[Key]Spec, len(o))}
	var old []Entry
	if s != nil {
		out.scope, out.tenant, old = s.scope, s.tenant, s.entries
		for k, b := range s.bodies {
			if _, replaced := o[k]; !replaced {
				out.bodies[k] = b
			}
		}
		out.load = s.load
	}
	out.entries = make([]Entry, 0, len(old)+len(keys))
	for _, k := range keys {
		i, found := sort.Find(len(old), func(i int) int { return k.Compare(old[i].Key) })
		out.entries = append(out.entries, old[:i]...)
		if old = old[i:]; found {
			old = old[1:]
		}
		if r := o[k]; r != nil {
			out.bodies[k] = r.Spec
			out.entries = append(out.entries, Entry{Key: k, Hash: r.Spec.Hash(), Origin: r.Origin})
		}
	}
	out.entries = append(out.entries, old...)
	return out
}

// WithKnown returns a snapshot with the entries laid over s by hash alone; a zero
// hash removes. Bodies that s holds of them are dropped. The cost is one copy of the index.
func (s *Snapshot) WithKnown(es []Entry) *Snapshot {
	put := make(map[Key]Entry, len(es))
	o := make(Overlay, len(es))
	for _, e := range es {
		put[e.Key] = e
		o[e.Key] = nil
		if !e.Hash.IsZero() {
			o[e.Key] = &Resource{Key: e.Key}
		}
	}
	if len(o) == 0 {
		return s
	}
	out := s.With(o)
	for k := range put {
		delete(out.bodies, k)
		if i, ok := sort.Find(len(out.entries), func(i int) int { return k.Compare(out.entries[i].Key) }); ok {
			out.entries[i] = put[k]
		}
	}
	return out
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
