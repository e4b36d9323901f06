package gitstore

import (
	"crypto/sha1" // #nosec G505 -- Git's object names and packs are SHA-1
	"fmt"
	"strconv"
	"sync"
)

// A Kind is the type of an object, numbered as pack files number them.
type Kind uint8

// The kinds of objects.
const (
	KindCommit Kind = 1
	KindTree   Kind = 2
	KindBlob   Kind = 3
	KindTag    Kind = 4
)

// String returns the kind as object headers spell it.
func (k Kind) String() string {
	switch k {
	case KindCommit:
		return "commit"
	case KindTree:
		return "tree"
	case KindBlob:
		return "blob"
	case KindTag:
		return "tag"
	}
	return "kind " + strconv.Itoa(int(k))
}

// An Object is one Git object. Data is its content without the header; nobody may change it.
type Object struct {
	ID   ID
	Kind Kind
	Data []byte
}

// newObject names the content. It keeps data.
func newObject(kind Kind, data []byte) Object {
	var buf [32]byte
	head := append(buf[:0], kind.String()...)
	head = append(head, ' ')
	head = strconv.AppendInt(head, int64(len(data)), 10)
	head = append(head, 0)
	h := sha1.New() // #nosec G401 -- Git's object names and packs are SHA-1
	h.Write(head)
	h.Write(data)
	o := Object{Kind: kind, Data: data}
	h.Sum(o.ID[:0])
	return o
}

// errMissing names the object that could not be read.
func errMissing(id ID) error { return fmt.Errorf("object %s: %w", id, ErrMissing) }

// An objectMap holds objects by name. It is safe for concurrent use.
type objectMap struct {
	mu sync.RWMutex
	m  map[ID]Object
	n  int64 // bytes of content
}

func newObjectMap() *objectMap { return &objectMap{m: map[ID]Object{}} }

func (s *objectMap) get(id ID) (Object, bool) {
	s.mu.RLock()
	o, ok := s.m[id]
	s.mu.RUnlock()
	return o, ok
}

// put adds o and reports whether it was not there before.
func (s *objectMap) put(o Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.m[o.ID]; ok {
		return false
	}
	s.m[o.ID] = o
	s.n += int64(len(o.Data))
	return true
}

// size returns how many objects there are, and their bytes.
func (s *objectMap) size() (int, int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.m), s.n
}

// ids returns the names of what there is.
func (s *objectMap) ids() []ID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := make([]ID, 0, len(s.m))
	for id := range s.m {
		ids = append(ids, id)
	}
	return ids
}

// remove drops objects.
func (s *objectMap) remove(ids []ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if o, ok := s.m[id]; ok {
			s.n -= int64(len(o.Data))
			delete(s.m, id)
		}
	}
}
