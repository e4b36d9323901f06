package gitstore

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto/sha1" // #nosec G505 -- Git's object names and packs are SHA-1
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

const (
	refDelta = 7  // kind of a pack entry: a delta against an object named by its id
	maxDepth = 40 // of deltas on deltas; readers go down one by one
	// bigTree is the size from which speed counts more than a few per cent of space: ids do not compress anyway.
	bigTree = 64 << 10
)

// A packed is where an object stands in a pack.
type packed struct {
	id     ID
	offset uint64
	crc    uint32
}

// writePack writes the objects as a pack, trees as deltas where a base is known. A thin pack may use bases that
// it does not hold: only a server's receiving end can take it.
func writePack(w io.Writer, out *Outgoing, thin bool) (sum ID, entries []packed, err error) {
	p := packWriter{w: w, sum: sha1.New(), depth: map[ID]int{}} // #nosec G401 -- Git's object names and packs are SHA-1
	if p.slow, err = zlib.NewWriterLevel(nil, zlib.DefaultCompression); err != nil {
		return ID{}, nil, err
	}
	if p.fast, err = zlib.NewWriterLevel(nil, zlib.BestSpeed); err != nil {
		return ID{}, nil, err
	}
	p.write(append([]byte("PACK\x00\x00\x00\x02"), binary.BigEndian.AppendUint32(nil, uint32(len(out.IDs)))...)) // #nosec G115 -- counts of objects and bytes in memory, below 2^31
	for _, id := range out.IDs {
		if err := p.object(out, id, thin); err != nil {
			return ID{}, nil, fmt.Errorf("write pack: %w", err)
		}
	}
	p.sum.Sum(sum[:0])
	p.write(sum[:])
	if p.err != nil {
		return ID{}, nil, fmt.Errorf("write pack: %w", p.err)
	}
	return sum, p.entries, nil
}

// A packWriter writes one pack. Its first error stays.
type packWriter struct {
	w          io.Writer
	sum        hash.Hash
	at         uint64
	buf        bytes.Buffer // of one entry
	slow, fast *zlib.Writer
	entries    []packed
	depth      map[ID]int // of what was written
	err        error
}

func (p *packWriter) write(b []byte) {
	if p.err != nil {
		return
	}
	p.sum.Write(b)
	p.at += uint64(len(b))
	_, p.err = p.w.Write(b)
}

// object writes one entry.
func (p *packWriter) object(out *Outgoing, id ID, thin bool) error {
	o, err := out.Object(id)
	if err != nil {
		return err
	}
	kind, data, base := int(o.Kind), o.Data, ID{}
	if old := out.Base[id]; o.Kind == KindTree && !old.IsZero() {
		depth, here := p.depth[old]
		if (here && depth < maxDepth) || (thin && !here) {
			b, err := out.Object(old)
			if err != nil {
				return err
			}
			if delta, ok := treeDelta(b.Data, o.Data); ok {
				kind, data, base = refDelta, delta, old
				p.depth[id] = depth + 1
			}
		}
	}
	if base.IsZero() {
		p.depth[id] = 0
	}
	p.buf.Reset()
	n := len(data)
	first := byte(kind)<<4 | byte(n&15)
	if n >>= 4; n > 0 {
		p.buf.WriteByte(first | 0x80)
		p.buf.Write(appendSize(nil, n))
	} else {
		p.buf.WriteByte(first)
	}
	if !base.IsZero() {
		p.buf.Write(base[:])
	}
	z := p.slow
	if kind == int(KindTree) && len(data) >= bigTree {
		z = p.fast
	}
	z.Reset(&p.buf)
	if _, err := z.Write(data); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	p.entries = append(p.entries, packed{id, p.at, crc32.ChecksumIEEE(p.buf.Bytes())})
	p.write(p.buf.Bytes())
	return p.err
}

// writeIndex writes the index of a pack, version 2. It sorts the entries.
func writeIndex(w io.Writer, pack ID, entries []packed) error {
	slices.SortFunc(entries, func(a, b packed) int {
		return cmp.Or(bytes.Compare(a.id[:], b.id[:]), cmp.Compare(a.offset, b.offset))
	})
	out := make([]byte, 0, 1100+28*len(entries))
	out = append(out, "\xfftOc\x00\x00\x00\x02"...)
	n := 0
	for first := range 256 {
		for n < len(entries) && int(entries[n].id[0]) == first {
			n++
		}
		out = binary.BigEndian.AppendUint32(out, uint32(n))
	}
	for _, e := range entries {
		out = append(out, e.id[:]...)
	}
	for _, e := range entries {
		out = binary.BigEndian.AppendUint32(out, e.crc)
	}
	var far []uint64 // places that 31 bits do not hold
	for _, e := range entries {
		if e.offset < 1<<31 {
			out = binary.BigEndian.AppendUint32(out, uint32(e.offset))
			continue
		}
		out = binary.BigEndian.AppendUint32(out, 1<<31|uint32(len(far))) // #nosec G115 -- counts of objects and bytes in memory, below 2^31
		far = append(far, e.offset)
	}
	for _, offset := range far {
		out = binary.BigEndian.AppendUint64(out, offset)
	}
	out = append(out, pack[:]...)
	sum := sha1.Sum(out) // #nosec G401 -- Git's object names and packs are SHA-1
	_, err := w.Write(append(out, sum[:]...))
	return err
}

// readIndex reads the entries of a pack's index, version 2.
func readIndex(raw []byte) ([]packed, error) {
	const head = 8 + 256*4
	if len(raw) < head+40 || !bytes.HasPrefix(raw, []byte("\xfftOc\x00\x00\x00\x02")) {
		return nil, fmt.Errorf("pack index: is not of version 2")
	}
	if sum := sha1.Sum(raw[:len(raw)-20]); !bytes.Equal(sum[:], raw[len(raw)-20:]) { // #nosec G401 -- Git's object names and packs are SHA-1
		return nil, fmt.Errorf("pack index: is damaged")
	}
	n := int(binary.BigEndian.Uint32(raw[head-4:]))
	if len(raw) < head+28*n+40 {
		return nil, fmt.Errorf("pack index: is too short")
	}
	ids, crcs, places := raw[head:], raw[head+20*n:], raw[head+24*n:]
	far := raw[head+28*n : len(raw)-40]
	out := make([]packed, n)
	for i := range out {
		copy(out[i].id[:], ids[20*i:])
		out[i].crc = binary.BigEndian.Uint32(crcs[4*i:])
		out[i].offset = uint64(binary.BigEndian.Uint32(places[4*i:]))
		if out[i].offset >= 1<<31 {
			at := int(out[i].offset&(1<<31-1)) * 8
			if at+8 > len(far) {
				return nil, fmt.Errorf("pack index: is damaged")
			}
			out[i].offset = binary.BigEndian.Uint64(far[at:])
		}
	}
	return out, nil
}

// joinPacks writes one pack with the entries of several, and says where they stand in it. An object that several hold
// stands there several times.
func joinPacks(w io.Writer, packs []packName) (sum ID, all []packed, err error) {
	const head, trailer = 12, 20
	shift := int64(head)
	for _, p := range packs {
		raw, err := os.ReadFile(p.path(".idx"))
		if err != nil {
			return ID{}, nil, err
		}
		entries, err := readIndex(raw)
		if err != nil {
			return ID{}, nil, fmt.Errorf("%s: %w", p.path(".idx"), err)
		}
		for _, e := range entries {
			e.offset += uint64(shift - head)
			all = append(all, e)
		}
		shift += p.size - head - trailer
	}
	h := sha1.New() // #nosec G401 -- Git's object names and packs are SHA-1
	w = io.MultiWriter(w, h)
	if _, err := w.Write(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(all)))); err != nil { // #nosec G115 -- counts of objects and bytes in memory, below 2^31
		return ID{}, nil, err
	}
	for _, p := range packs {
		if err := copyEntries(w, p, head, trailer); err != nil {
			return ID{}, nil, err
		}
	}
	h.Sum(sum[:0])
	_, err = w.Write(sum[:])
	return sum, all, err
}

// copyEntries writes a pack without its head and trailer.
func copyEntries(w io.Writer, p packName, head, trailer int64) (err error) {
	f, err := os.Open(p.path(".pack"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n := p.size - head - trailer
	_, err = io.Copy(w, io.NewSectionReader(f, head, n))
	return err
}
