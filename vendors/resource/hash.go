package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"sync"
)

// A Hash is the SHA-256 of a canonical spec's structure. Equal specs have equal
// hashes however they are written; the zero Hash stands for an absent object.
type Hash [sha256.Size]byte

// IsZero reports whether h stands for an absent object.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes hexadecimal; an absent object is the empty text.
func (h Hash) MarshalText() ([]byte, error) {
	if h.IsZero() {
		return nil, nil
	}
	return hex.AppendEncode(nil, h[:]), nil
}

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*h = Hash{}
		return nil
	}
	if len(b) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("hash of %d digits, want %d", len(b), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// Tags keep values of different types apart; every string is preceded by its
// length, so that no two structures write the same bytes.
const (
	tagFalse byte = iota + 1
	tagTrue
	tagString
	tagNumber
	tagList
	tagMap
	tagRef
	tagSecret
)

type hasher struct {
	h    hash.Hash
	buf  []byte
	keys []string
}

var hashers = sync.Pool{New: func() any { return &hasher{h: sha256.New()} }}

// Hash returns the structural hash in one pass over the spec. A nil spec is an
// absent object and hashes to zero; an empty one does not. The spec must be
// canonical: a value of another type panics, as it is a programming error.
func (s Spec) Hash() Hash {
	if s == nil {
		return Hash{}
	}
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.h.Reset()
	h.buf = h.buf[:0]
	h.value(map[string]any(s))
	h.h.Write(h.buf)
	var out Hash
	h.h.Sum(out[:0])
	return out
}

func (h *hasher) value(v any) {
	switch v := v.(type) {
	case bool:
		if v {
			h.buf = append(h.buf, tagTrue)
		} else {
			h.buf = append(h.buf, tagFalse)
		}
	case string:
		h.text(tagString, v)
	case json.Number:
		h.text(tagNumber, string(v))
	case Ref:
		h.text(tagRef, string(v.Kind))
		h.text(tagRef, v.Name)
	case Secret:
		h.text(tagSecret, v.Name)
	case []any:
		h.size(tagList, len(v))
		for _, x := range v {
			h.value(x)
		}
	case map[string]any:
		h.size(tagMap, len(v))
		// One stack of keys serves all levels of nesting.
		low := len(h.keys)
		for k := range v {
			h.keys = append(h.keys, k)
		}
		high := len(h.keys)
		slices.Sort(h.keys[low:high])
		for i := low; i < high; i++ {
			k := h.keys[i]
			h.text(tagString, k)
			h.value(v[k])
		}
		h.keys = h.keys[:low]
	default:
		panic(fmt.Sprintf("resource: hash of a %T, which no canonical spec holds", v))
	}
}

func (h *hasher) size(tag byte, n int) {
	h.buf = binary.AppendUvarint(append(h.buf, tag), uint64(n)) // #nosec G115 -- a length
	h.flush()
}

func (h *hasher) text(tag byte, s string) {
	h.size(tag, len(s))
	h.buf = append(h.buf, s...)
}

func (h *hasher) flush() {
	if len(h.buf) >= 4096 {
		h.h.Write(h.buf)
		h.buf = h.buf[:0]
	}
}
