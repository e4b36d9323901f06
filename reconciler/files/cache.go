package files

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
	"sync"

	"github.com/driftback/driftback/vendors/resource"
)

// A Cache remembers what blobs say, so that a file that did not change is never
// parsed again: blob id, kind and the version of its descriptor → hash of the
// spec and what the file says besides. It holds no content. Trees of several
// environments may share one; it is safe for concurrent use. What sixteen Loads in
// a row did not ask for is dropped, and so is what Updates added beyond twice the size of a Load.
type Cache struct {
	mu     sync.Mutex
	flat   []record // sorted by key
	index  []uint32 // where in flat the keys begin that have these first bits
	fresh  map[cacheKey]record
	extras map[cacheKey]*extra
	load   uint32 // number of the Load under way, or of the last one
	loads  int    // Loads under way
	used   int    // records that the last Load asked for or added
}

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{fresh: map[cacheKey]record{}, extras: map[cacheKey]*extra{}}
}

// A cacheKey is a blob id mixed with a mask of its kind, or a hash of the two
// blob ids that an overlay is rendered from.
type cacheKey [20]byte

// A record is what is remembered of one blob.
type record struct {
	key  cacheKey
	hash resource.Hash // of the spec, where the file is whole
	bits uint32        // the flags; above them the number of the last Load that asked
}

// The flags of a file. They stand in the low byte of a word.
const (
	isOverlay uint32 = 1 << iota
	isAbsent
	isBroken
	hasExtra
	flagMask  = 1<<8 - 1
	keepLoads = 16
)

// An extra is what few files have.
type extra struct {
	name, renamedFrom string
	line, column      int // of the fault, or of $overlay or $absent
	fault             string
}

// begin starts a Load.
func (c *Cache) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load = (c.load + 1) & (1<<24 - 1)
	c.used = 0
	c.loads++
}

// find looks a record up and notes that it is in use.
func (c *Cache) find(k cacheKey) (record, *extra, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.lookup(k)
	if !ok {
		return record{}, nil, false
	}
	if r.bits&hasExtra == 0 {
		return *r, nil, true
	}
	x := c.extras[k]
	return *r, x, x != nil
}

func (c *Cache) lookup(k cacheKey) (*record, bool) {
	if len(c.flat) > 0 {
		b := c.bucket(k)
		part := c.flat[c.index[b]:c.index[b+1]]
		if i, ok := slices.BinarySearchFunc(part, k, record.compare); ok {
			r := &part[i]
			if r.bits>>8 != c.load {
				r.bits = r.bits&flagMask | c.load<<8
				c.count()
			}
			return r, true
		}
	}
	r, ok := c.fresh[k]
	return &r, ok
}

func (r record) compare(k cacheKey) int { return bytes.Compare(r.key[:], k[:]) }

// bucket returns the first bits of a key, as many as the index has.
func (c *Cache) bucket(k cacheKey) int {
	return int(binary.BigEndian.Uint32(k[:4]) >> (32 - (bits.Len(uint(len(c.index)-1)) - 1)))
}

// put remembers a record.
func (c *Cache) put(r record, x *extra) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.bits = r.bits&flagMask | c.load<<8
	if x != nil {
		r.bits |= hasExtra
		c.extras[r.key] = x
	}
	c.fresh[r.key] = r
	c.count()
}

func (c *Cache) count() {
	if c.loads > 0 {
		c.used++
	}
}

// end ends a Load or an Update, and makes room. An Update merges only now and then.
func (c *Cache) end(load bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if load {
		c.loads--
	}
	if len(c.fresh) == 0 || !load && len(c.fresh) < 1024+len(c.flat)/4 {
		return
	}
	if !load && len(c.flat)+len(c.fresh) > 2*c.used+65536 {
		for k := range c.fresh {
			delete(c.extras, k)
		}
		c.fresh = map[cacheKey]record{}
		return
	}
	c.merge()
}

// merge moves the fresh records into the flat table and drops the unused.
func (c *Cache) merge() {
	add := slices.SortedFunc(maps.Values(c.fresh), func(a, b record) int { return a.compare(b.key) })
	out := make([]record, 0, len(c.flat)+len(add))
	old := c.flat
	for len(old) > 0 || len(add) > 0 {
		var r record
		if len(add) == 0 || len(old) > 0 && old[0].compare(add[0].key) < 0 {
			r, old = old[0], old[1:]
		} else {
			r = add[0]
			if len(old) > 0 && old[0].key == r.key {
				old = old[1:]
			}
			add = add[1:]
		}
		if (c.load-r.bits>>8)&(1<<24-1) >= keepLoads {
			delete(c.extras, r.key)
			continue
		}
		out = append(out, r)
	}
	c.flat = out
	c.fresh = map[cacheKey]record{} // not cleared, which would keep its room
	c.reindex()
}

func (c *Cache) reindex() {
	n := min(bits.Len(uint(len(c.flat))), 24)
	c.index = make([]uint32, 1<<n+1)
	at := 0
	for b := range c.index {
		for at < len(c.flat) && c.bucket(c.flat[at].key) < b {
			at++
		}
		c.index[b] = uint32(at)
	}
}

// The flat form: magic, counts, records, extras, and the SHA-256 of all that.
const (
	cacheMagic = "driftback files cache 1\n"
	recordSize = 20 + 32 + 4
)

// MarshalBinary returns the flat form of what the cache holds.
func (c *Cache) MarshalBinary() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.merge()
	b := make([]byte, 0, len(cacheMagic)+32+len(c.flat)*recordSize+sha256.Size)
	b = append(b, cacheMagic...)
	b = binary.LittleEndian.AppendUint32(b, c.load)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(c.flat)))   // #nosec G115 -- counted here, from 0 and far below the limit
	b = binary.LittleEndian.AppendUint32(b, uint32(len(c.extras))) // #nosec G115 -- counted here, from 0 and far below the limit
	for i := range c.flat {
		r := &c.flat[i]
		b = append(append(b, r.key[:]...), r.hash[:]...)
		b = binary.LittleEndian.AppendUint32(b, r.bits)
	}
	for _, k := range slices.SortedFunc(maps.Keys(c.extras), func(a, b cacheKey) int { return bytes.Compare(a[:], b[:]) }) {
		x := c.extras[k]
		b = append(b, k[:]...)
		b = binary.AppendUvarint(b, uint64(x.line))   // #nosec G115 -- counted here, from 0 and far below the limit
		b = binary.AppendUvarint(b, uint64(x.column)) // #nosec G115 -- counted here, from 0 and far below the limit
		for _, s := range []string{x.name, x.renamedFrom, x.fault} {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Anything odd, such as a cut
// file or one of another version, makes an empty cache and no error: it costs time only.
func (c *Cache) UnmarshalBinary(data []byte) error {
	d := NewCache()
	if !d.read(data) {
		d = NewCache()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flat, c.index, c.fresh, c.extras, c.load, c.used = d.flat, d.index, d.fresh, d.extras, d.load, d.used
	return nil
}

func (c *Cache) read(data []byte) bool {
	n := len(data) - sha256.Size
	if n < len(cacheMagic)+12 || string(data[:len(cacheMagic)]) != cacheMagic {
		return false
	}
	if sum := sha256.Sum256(data[:n]); !bytes.Equal(sum[:], data[n:]) {
		return false
	}
	data = data[len(cacheMagic):n]
	c.load = binary.LittleEndian.Uint32(data)
	records, extras := int(binary.LittleEndian.Uint32(data[4:])), int(binary.LittleEndian.Uint32(data[8:]))
	if data = data[12:]; len(data)/recordSize < records {
		return false
	}
	c.flat = make([]record, records)
	for i := range c.flat {
		r := &c.flat[i]
		copy(r.key[:], data)
		copy(r.hash[:], data[20:])
		r.bits = binary.LittleEndian.Uint32(data[52:])
		data = data[recordSize:]
	}
	if !slices.IsSortedFunc(c.flat, func(a, b record) int { return cmp.Or(a.compare(b.key), -1) }) {
		return false
	}
	c.reindex()
	return c.readExtras(data, extras)
}

func (c *Cache) readExtras(data []byte, n int) bool {
	ok := true
	number := func() int {
		v, size := binary.Uvarint(data)
		if size <= 0 || v > 1<<31 {
			ok, data = false, nil
			return 0
		}
		data = data[size:]
		return int(v)
	}
	text := func() string {
		n := number()
		if n > len(data) {
			ok, data = false, nil
			return ""
		}
		s := string(data[:n])
		data = data[n:]
		return s
	}
	for range n {
		if len(data) < 20 {
			return false
		}
		k := cacheKey(data[:20])
		data = data[20:]
		x := &extra{line: number(), column: number()}
		x.name, x.renamedFrom, x.fault = text(), text(), text()
		c.extras[k] = x
	}
	return ok && len(data) == 0
}
