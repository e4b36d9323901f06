package rest

import (
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"

	"github.com/driftback/driftback/vendors/resource"
)

// An ident is an id in 16 bytes: a UUID's own, or the beginning of a SHA-256.
type ident [16]byte

// identOf returns the ident of an id.
func identOf(id []byte) (out ident) {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		at := 0
		for i := 0; i < 36; i += 2 {
			if id[i] == '-' {
				i++
			}
			hi, lo := unhex(id[i]), unhex(id[i+1])
			if hi|lo > 15 {
				at = -1
				break
			}
			out[at] = hi<<4 | lo
			at++
		}
		if at == 16 {
			return out
		}
	}
	sum := sha256.Sum256(id)
	copy(out[:], sum[:])
	return out
}

// unhex returns the value of a small hexadecimal digit; above 15 for every other byte.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// A digest tells objects of a listing apart, in this process only: 64 bits under a secret seed. Equal digests are equal
// objects but for a chance of 2^-64 a change; unequal ones may be equal objects that are written otherwise.
type digest uint64

// seeds are the secret of one driver's digests.
type seeds struct {
	text maphash.Seed
	a, b uint64
}

func newSeeds() seeds {
	// Not hashes under the same seed: a key that is what was hashed would make every product zero.
	return seeds{text: maphash.MakeSeed(), a: rand.Uint64(), b: rand.Uint64()} // #nosec G404 -- math/rand/v2 is ChaCha8 with a seed of the system, and nobody sees a digest
}

// fold mixes two words into one; their order matters.
func (s *seeds) fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x^s.a, y^s.b)
	return hi ^ lo
}

// A target is an object that is referred to.
type target struct {
	kind resource.Kind
	id   ident
}

// A walker goes over the objects of one kind in a listing, once, and makes their digests: the order of
// keys and of sets plays no part, nor does what is volatile, nor what a reference holds besides the id.
type walker struct {
	k     *kind
	s     scanner
	seeds seeds
	// moved are the objects that bear another name than when the objects of this kind were read last.
	moved map[target]string
	each  func(target) // hears of every reference; may be nil
	// What is said of the object that was walked last:
	id   []byte // of the platform; empty where it has none
	hit  bool   // it refers to a moved object
	open []target
}

// object takes an object and returns its digest.
func (w *walker) object() (digest, error) {
	w.id, w.hit, w.open = w.id[:0], false, w.open[:0]
	if w.s.peek() != '{' {
		return 0, w.s.fail()
	}
	d, err := w.value(w.k.root, 0)
	return digest(d), err
}

// Marks that keep values of different types apart.
const (
	markObject = 0x9e3779b97f4a7c15
	markList   = 0xc2b2ae3d27d4eb4f
	markSet    = 0x165667b19e3779f9
	markRef    = 0x27d4eb2f165667c5
)

func (w *walker) value(n *node, depth int) (uint64, error) {
	if depth > resource.MaxDepth {
		return 0, fmt.Errorf("nested deeper than %d levels", resource.MaxDepth)
	}
	if n != nil && n.ref && n.field.Form != IDKeys {
		return w.reference(n, depth)
	}
	switch w.s.peek() {
	case '{':
		if n != nil && n.field.Form == IDKeys {
			return w.keyed(n, depth)
		}
		return w.fields(n, depth)
	case '[':
		return w.list(n, depth)
	case '"':
		raw, _, err := w.s.text()
		if err != nil {
			return 0, err
		}
		if n != nil && n.field.Form == Text && n.inner {
			if err := w.inside(n, raw, depth); err != nil {
				return 0, err
			}
		}
		return maphash.Bytes(w.seeds.text, raw), nil
	}
	raw, err := w.s.scalar()
	return maphash.Bytes(w.seeds.text, raw), err
}

// fields takes an object. Members that are null are none.
func (w *walker) fields(n *node, depth int) (uint64, error) {
	sum, count := uint64(markObject), uint64(0)
	err := w.s.members(func(key []byte) error {
		if w.s.null() {
			return nil
		}
		var at *node
		if n != nil {
			if at = n.children[string(key)]; at == nil {
				at = n.any
			}
		}
		if at != nil && at.drop && !at.track {
			if at.id && depth == 0 {
				return w.identity()
			}
			return w.s.skip(depth + 1)
		}
		h := maphash.Bytes(w.seeds.text, key)
		v, err := w.value(at, depth+1)
		sum += w.seeds.fold(h, v)
		count++
		return err
	})
	return w.seeds.fold(sum, count), err
}

// identity takes the object's id.
func (w *walker) identity() error {
	id, ok, err := w.token()
	if ok {
		w.id = append(w.id[:0], id...)
	}
	return err
}

// token takes an id, a string or a number. Whatever else is there is skipped, and is none.
func (w *walker) token() (id []byte, ok bool, err error) {
	switch c := w.s.peek(); {
	case c == '"':
		raw, escaped, err := w.s.text()
		if err != nil {
			return nil, false, err
		}
		if escaped {
			id, err = unquote(raw)
			return id, err == nil, err
		}
		return raw[1 : len(raw)-1], true, nil
	case c == '-' || c >= '0' && c <= '9':
		id, err = w.s.scalar()
		return id, err == nil, err
	}
	return nil, false, w.s.skip(0)
}

func (w *walker) list(n *node, depth int) (uint64, error) {
	at := n.element()
	set := n != nil && (n.field.Set || n.field.ListKey != "")
	sum, count := uint64(markList), uint64(0)
	err := w.s.elements(func() error {
		v, err := w.value(at, depth+1)
		if count++; set {
			sum += w.seeds.fold(v, markSet)
		} else {
			sum = w.seeds.fold(sum, v)
		}
		return err
	})
	return w.seeds.fold(sum, count), err
}

// reference takes what refers to an object: its id, or an object that holds it.
func (w *walker) reference(n *node, depth int) (uint64, error) {
	by, kind := uint64(0), n.field.Ref
	var id []byte
	var ok bool
	var err error
	if w.s.peek() == '{' {
		refID := w.k.p.refID()
		err = w.s.members(func(key []byte) (err error) {
			switch {
			case string(key) == refID:
				id, ok, err = w.token()
			case n.field.By != "" && string(key) == n.field.By:
				var t []byte
				t, _, err = w.token()
				by, kind = maphash.Bytes(w.seeds.text, t), n.field.Kinds[string(t)]
			default:
				err = w.s.skip(depth + 1)
			}
			return err
		})
	} else {
		id, ok, err = w.token()
	}
	if err != nil {
		return 0, err
	}
	if ok && n.field.Form != ByName {
		w.refers(target{kind, identOf(id)})
	}
	return w.seeds.fold(markRef^by, maphash.Bytes(w.seeds.text, id)), nil
}

// refers notes a reference. Nothing is looked up where no name has moved.
func (w *walker) refers(to target) {
	if len(w.moved) > 0 && !w.hit {
		_, w.hit = w.moved[to]
	}
	if w.each != nil {
		w.each(to)
	}
	if w.k.open[to.kind] {
		w.open = append(w.open, to)
	}
}

// keyed takes a map whose keys are ids.
func (w *walker) keyed(n *node, depth int) (uint64, error) {
	var at *node
	if n.elem != nil {
		at = n.elem.children["value"]
	}
	sum, count := uint64(markRef), uint64(0)
	err := w.s.members(func(key []byte) error {
		w.refers(target{n.field.Ref, identOf(key)})
		h := maphash.Bytes(w.seeds.text, key)
		v, err := w.value(at, depth+1)
		sum += w.seeds.fold(h, v)
		count++
		return err
	})
	return w.seeds.fold(sum, count), err
}

// inside goes over the JSON in a string for the references that it holds.
func (w *walker) inside(n *node, raw []byte, depth int) error {
	text, err := unquote(raw)
	if err != nil {
		return err
	}
	outer := w.s
	defer func() { w.s = outer }()
	w.s = scanner{b: text}
	in := *n
	in.field.Form = Plain
	if _, err := w.value(&in, depth+1); err != nil {
		return nil // no JSON: a string like others
	}
	return nil
}

func (p *Platform) refID() string {
	if p.RefID == "" {
		return "id"
	}
	return p.RefID
}
