package gitstore

import "bytes"

// treeDelta says how to make a tree's content from that of an older one, in Git's delta format; ok is false where that
// saves nothing. Lines that both have are copied, so the delta of a change is as long as what changed.
func treeDelta(base, target []byte) (delta []byte, ok bool) {
	d := deltaWriter{out: appendSize(appendSize(nil, len(base)), len(target)), target: target}
	a, b := 0, 0
	var ea, eb entry
	for b < len(target) {
		if a == len(base) {
			d.insert(b, len(target))
			break
		}
		var restA, restB []byte
		var err error
		if ea, restA, err = nextEntry(base[a:]); err != nil {
			return nil, false
		}
		endA := len(base) - len(restA)
		if n := endA - a; bytes.HasPrefix(target[b:], base[a:endA]) {
			d.copy(a, n)
			a, b = endA, b+n
			continue
		}
		if eb, restB, err = nextEntry(target[b:]); err != nil {
			return nil, false
		}
		endB := len(target) - len(restB)
		switch c := compareNames(ea.name, ea.isDir(), eb.name, eb.isDir()); {
		case c < 0:
			a = endA
		case c > 0:
			d.insert(b, endB)
			b = endB
		default:
			d.insert(b, endB)
			a, b = endA, endB
		}
		if len(d.out) > len(target)/2 {
			return nil, false
		}
	}
	d.flush()
	return d.out, len(d.out) <= len(target)/2
}

// A deltaWriter joins neighbouring instructions.
type deltaWriter struct {
	out      []byte
	target   []byte
	from, to int // pending copy, of the base
	ins, end int // pending insert, of the target
}

func (d *deltaWriter) copy(at, n int) {
	if d.ins < d.end || d.to != at {
		d.flush()
	}
	if d.from == d.to {
		d.from = at
	}
	d.to = at + n
}

func (d *deltaWriter) insert(from, to int) {
	if d.from < d.to || d.end != from {
		d.flush()
	}
	if d.ins == d.end {
		d.ins = from
	}
	d.end = to
}

func (d *deltaWriter) flush() {
	const maxCopy, maxInsert = 0xffffff, 127
	for d.from < d.to {
		n := min(d.to-d.from, maxCopy)
		d.out = appendCopy(d.out, d.from, n)
		d.from += n
	}
	for d.ins < d.end {
		n := min(d.end-d.ins, maxInsert)
		d.out = append(d.out, byte(n)) // #nosec G115 -- the byte at this place of a varying length
		d.out = append(d.out, d.target[d.ins:d.ins+n]...)
		d.ins += n
	}
	d.from, d.to, d.ins, d.end = 0, 0, 0, 0
}

// appendCopy adds an instruction to copy: a bit for each byte of place and length that is not zero.
func appendCopy(out []byte, at, n int) []byte {
	head := len(out)
	op := byte(0x80)
	out = append(out, op)
	for i := range 4 {
		if b := byte(at >> (8 * i)); b != 0 { // #nosec G115 -- the byte at this place of a varying length
			out = append(out, b)
			op |= 1 << i
		}
	}
	for i := range 3 {
		if b := byte(n >> (8 * i)); b != 0 { // #nosec G115 -- the byte at this place of a varying length
			out = append(out, b)
			op |= 0x10 << i
		}
	}
	out[head] = op
	return out
}

// appendSize adds a length, seven bits a byte, the lowest first.
func appendSize(out []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n)) // #nosec G115 -- the byte at this place of a varying length
}
