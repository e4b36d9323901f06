package gitstore

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// What is in memory is written to disk when there is this much of it.
const (
	maxFreshBytes   = 64 << 20
	maxFreshObjects = 50_000
)

// A sink takes what a remote brings into a store.
type sink struct{ s *Store }

func (k sink) Has(id ID) bool {
	_, ok := k.s.fresh.get(id)
	return ok
}

func (k sink) Put(o Object) { k.s.fresh.put(o) }

func (k sink) Pack(r io.Reader) error {
	if k.s.mirror != nil {
		k.s.disking.Lock()
		defer k.s.disking.Unlock()
		return k.s.mirror.receive(r)
	}
	st := memory.NewStorage()
	if err := packfile.UpdateObjectStorage(st, r); err != nil {
		return err
	}
	for id, e := range st.Objects {
		body, err := e.Reader()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		k.s.fresh.put(Object{ID: ID(id), Kind: Kind(e.Type()), Data: data}) // #nosec G115 -- go-git's kinds of objects are these eight
	}
	return nil
}

// spill writes what is in memory to disk if it is much.
func (s *Store) spill() error {
	if s.disk == nil {
		return nil
	}
	if n, bytes := s.fresh.size(); n < maxFreshObjects && bytes < maxFreshBytes {
		return nil
	}
	return s.flush()
}

// flush writes what is in memory to disk as one pack, and then the promise that the refs are there.
func (s *Store) flush() error {
	s.disking.Lock()
	defer s.disking.Unlock()
	s.mu.Lock()
	older, refs := maps.Clone(s.older), maps.Clone(s.refs)
	s.mu.Unlock()
	ids := s.fresh.ids()
	if len(ids) > 0 {
		out := &Outgoing{IDs: inOrder(ids, older), Base: older, get: s.object}
		err := s.disk.addPack(func(w io.Writer) (ID, []packed, error) { return writePack(w, out, false) })
		if err != nil {
			return fmt.Errorf("write to %s: %w", s.disk.dir, err)
		}
		s.fresh.remove(ids)
		s.mu.Lock()
		for id := range older {
			delete(s.older, id)
		}
		s.mu.Unlock()
	}
	if s.mirror == nil {
		return nil
	}
	packs, err := s.mirror.list()
	if err != nil {
		return err
	}
	if err := s.mirror.tidy(packs); err != nil {
		return err
	}
	return s.mirror.promise(refs)
}

// inOrder sorts objects so that the base of each comes before it; else by name, so that equal objects give equal packs.
func inOrder(ids []ID, base map[ID]ID) []ID {
	sortIDs(ids)
	todo := make(map[ID]bool, len(ids))
	for _, id := range ids {
		todo[id] = true
	}
	out := make([]ID, 0, len(ids))
	var chain []ID
	for _, id := range ids {
		for ; todo[id]; id = base[id] {
			todo[id] = false
			chain = append(chain, id)
		}
		slices.Reverse(chain)
		out, chain = append(out, chain...), chain[:0]
	}
	return out
}

// note records that a fetch is complete. While there are objects in memory that what was fetched may rest on, the promise
// waits for them: after a crash the last promise is true, and the rest is fetched again.
func (s *Store) note() error {
	const enough = 8 << 20
	if n, bytes := s.fresh.size(); n > 0 && bytes < enough && n < manyObjects {
		return nil
	}
	return s.flush()
}

// suspect notes that the mirror is not what it promises.
func (s *Store) suspect(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mirror != nil && s.broken == nil {
		s.broken = err
		s.log.Error("the local copy of the repository is damaged and will be fetched again", "error", err)
	}
}

// lost notes that something could not be read which another object refers to. As callers too may ask for what never
// was, that is believed once an hour.
func (s *Store) lost(err error) {
	if s.mirror == nil || !errors.Is(err, ErrMissing) {
		return
	}
	s.mu.Lock()
	again := s.opt.Now().Sub(s.healed) < time.Hour
	s.mu.Unlock()
	if !again {
		s.suspect(err)
	}
}

// heal empties a mirror that is suspect, so that everything is fetched again. The caller holds the wire.
func (s *Store) heal() error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken == nil {
		return nil
	}
	s.disking.Lock()
	defer s.disking.Unlock()
	if err := s.mirror.empty(); err != nil {
		return fmt.Errorf("make the copy in %s anew: %w", s.mirror.dir, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken, s.refs, s.healed = nil, Refs{}, s.opt.Now()
	return nil
}
