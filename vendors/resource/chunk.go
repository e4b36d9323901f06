package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"sort"
)

// A chunk is a run of an index. Where a run ends is told by its last key alone, so
// that two indexes have equal chunks wherever they say the same, however they
// came about: what is equal is passed over by its sum. It is immutable.
type chunk struct {
	entries []Entry // never empty
	specs   []Spec  // bodies by position; nil where the chunk holds none
	plain   bool    // no bodies and no origins: the sum tells all
	sum     [sha256.Size]byte
	ids     [sha256.Size]byte // of the sum and the origins' ids; zero where there are none
}

// chunkSize is how many entries a chunk has on average; a power of two.
const chunkSize = 128

// ends reports whether k is the last key of its chunk (FNV-1a, both halves).
func (k Key) ends() bool {
	h := uint32(2166136261)
	for i := range len(k.Name) {
		h = (h ^ uint32(k.Name[i])) * 16777619
	}
	return (h^h>>16)&(chunkSize-1) == 0
}

func (c *chunk) last() Key { return c.entries[len(c.entries)-1].Key }

func (c *chunk) spec(i int) Spec {
	if c.specs == nil {
		return nil
	}
	return c.specs[i]
}

func (c *chunk) find(k Key) (int, bool) {
	return sort.Find(len(c.entries), func(i int) int { return k.Compare(c.entries[i].Key) })
}

// An indexer makes chunks of entries that come in key order.
type indexer struct {
	chunks  []*chunk
	entries []Entry
	specs   []Spec
	n       int
	buf     []byte
}

func (x *indexer) add(e Entry, body Spec) {
	x.entries, x.specs = append(x.entries, e), append(x.specs, body)
	if e.Key.ends() {
		x.cut()
	}
}

// keep takes a chunk of another index that belongs here as it is.
func (x *indexer) keep(c *chunk) {
	if len(x.entries) == 0 {
		x.chunks = append(x.chunks, c)
		x.n += len(c.entries)
		return
	}
	for i, e := range c.entries {
		x.add(e, c.spec(i))
	}
}

// cut ends the chunk.
func (x *indexer) cut() {
	if len(x.entries) == 0 {
		return
	}
	c := &chunk{entries: append(make([]Entry, 0, len(x.entries)), x.entries...), plain: true}
	x.buf = x.buf[:0]
	held := false
	for i := range c.entries {
		e := &c.entries[i]
		x.buf = binary.AppendUvarint(x.buf, uint64(len(e.Key.Kind)))
		x.buf = append(x.buf, e.Key.Kind...)
		x.buf = binary.AppendUvarint(x.buf, uint64(len(e.Key.Name)))
		x.buf = append(x.buf, e.Key.Name...)
		x.buf = append(x.buf, e.Hash[:]...)
		held = held || x.specs[i] != nil
		c.plain = c.plain && e.Origin == nil
	}
	c.sum = sha256.Sum256(x.buf)
	c.identify(x)
	if held {
		c.specs, c.plain = append(make([]Spec, 0, len(x.specs)), x.specs...), false
	}
	x.n += len(c.entries)
	x.chunks = append(x.chunks, c)
	clear(x.specs)
	x.entries, x.specs = x.entries[:0], x.specs[:0]
}

func (c *chunk) identify(x *indexer) {
	x.buf = append(x.buf[:0], c.sum[:]...)
	found := false
	for i := range c.entries {
		id := ""
		if o := c.entries[i].Origin; o != nil {
			id, found = o.ID, found || o.ID != ""
		}
		x.buf = append(binary.AppendUvarint(x.buf, uint64(len(id))), id...)
	}
	if found {
		c.ids = sha256.Sum256(x.buf)
	}
}

// Identities says which ids a snapshot had under which keys, in brief.
type Identities map[[sha256.Size]byte]struct{}

// Identities returns those of s, and the entries among which are all whose id or key is not as old
// says; the others cost next to nothing.
func (s *Snapshot) Identities(old Identities) (now Identities, fresh []Entry) {
	now = Identities{}
	for _, c := range s.cursor().chunks {
		if c.ids == ([sha256.Size]byte{}) {
			continue
		}
		now[c.ids] = struct{}{}
		if _, known := old[c.ids]; !known {
			fresh = append(fresh, c.entries...)
		}
	}
	return now, fresh
}

// A cursor is a place in an index.
type cursor struct {
	chunks []*chunk // from the current one on
	at     int      // in the current one
}

func (s *Snapshot) cursor() cursor {
	if s == nil {
		return cursor{}
	}
	return cursor{chunks: s.chunks}
}

func (c *cursor) entry() *Entry {
	if len(c.chunks) == 0 {
		return nil
	}
	return &c.chunks[0].entries[c.at]
}

func (c *cursor) next() {
	if c.at++; c.at == len(c.chunks[0].entries) {
		c.chunks, c.at = c.chunks[1:], 0
	}
}

// Differing yields, in key order, the keys on which three indexes do not have one
// hash, with the hashes; zero where a key is not listed. What the indexes have in
// common costs next to nothing. Scopes play no part.
func Differing(a, b, c *Snapshot) iter.Seq2[Key, [3]Hash] {
	return func(yield func(Key, [3]Hash) bool) {
		at := [3]cursor{a.cursor(), b.cursor(), c.cursor()}
		for {
			skipEqual(&at)
			var least *Entry
			for i := range at {
				if e := at[i].entry(); e != nil && (least == nil || e.Key.Compare(least.Key) < 0) {
					least = e
				}
			}
			if least == nil {
				return
			}
			var h [3]Hash
			for i := range at {
				if e := at[i].entry(); e != nil && e.Key == least.Key {
					h[i] = e.Hash
					at[i].next()
				}
			}
			if (h[0] != h[1] || h[1] != h[2]) && !yield(least.Key, h) {
				return
			}
		}
	}
}

// skipEqual passes over chunks that are the same in all three.
func skipEqual(at *[3]cursor) {
	for {
		for i := range at {
			if at[i].at != 0 || len(at[i].chunks) == 0 {
				return
			}
		}
		x, y, z := at[0].chunks[0], at[1].chunks[0], at[2].chunks[0]
		if x != y && x.sum != y.sum || y != z && y.sum != z.sum {
			return
		}
		for i := range at {
			at[i].chunks = at[i].chunks[1:]
		}
	}
}

// Sharing returns s with those parts of its index that o has too taken from o, so
// that they are in memory once. Parts with bodies or origins stay.
func (s *Snapshot) Sharing(o *Snapshot) *Snapshot {
	return s.replace(o, false)
}

// Plain returns the index of s without bodies and origins, sharing with o what o has too.
func (s *Snapshot) Plain(o *Snapshot) *Snapshot {
	out := s.replace(o, true)
	if out == nil {
		return nil
	}
	return &Snapshot{scope: out.scope, tenant: out.tenant, chunks: out.chunks, n: out.n}
}

// replace returns s with o's chunks where they are equal; s itself where there are none.
func (s *Snapshot) replace(o *Snapshot, strip bool) *Snapshot {
	if s == nil || s == o {
		return s
	}
	theirs := o.cursor().chunks
	chunks := make([]*chunk, len(s.chunks))
	same := true
	for i, c := range s.chunks {
		k := c.last()
		for len(theirs) > 0 && theirs[0] != c && theirs[0].last().Compare(k) < 0 {
			theirs = theirs[1:]
		}
		if len(theirs) > 0 && theirs[0].plain && theirs[0].sum == c.sum && (c.plain || strip) {
			chunks[i] = theirs[0]
		} else if chunks[i] = c; strip {
			chunks[i] = c.stripped()
		}
		same = same && chunks[i] == c
	}
	if same {
		return s
	}
	out := *s
	out.chunks = chunks
	return &out
}

// stripped returns the chunk without bodies and origins.
func (c *chunk) stripped() *chunk {
	if c.plain {
		return c
	}
	out := &chunk{entries: make([]Entry, len(c.entries)), plain: true, sum: c.sum}
	for i, e := range c.entries {
		out.entries[i] = Entry{Key: e.Key, Hash: e.Hash}
	}
	return out
}
