package files

import (
	"fmt"
	"slices"
)

// placeNew finds paths for objects without a file, so that no two paths differ in case only.
func (w *writing) placeNew() {
	seats := newSeats(w.tree.tables[own], len(w.fresh), w.edit)
	for _, f := range w.fresh {
		folder := w.tree.prefix[own] + string(f.key.Kind) + "/"
		path := folder + encodeName(f.key.Name) + ext
		for _, encode := range []func(string) string{caseName, fullName} {
			if !seats.taken(path) {
				break
			}
			path = folder + encode(f.key.Name) + ext
		}
		if l, there := w.tree.find(own, path); there && modeError(l.bits) != nil {
			w.refuse(f.key, fmt.Errorf("%s: %w", path, modeError(l.bits)))
			continue
		}
		seats.take(path)
		w.edit[path] = f.content
	}
}

// seats knows which paths are taken where case does not count.
type seats struct {
	table  []leaf
	byHash map[uint32][]int // nil while looking through the table is cheaper
	edit   map[string][]byte
	added  map[string]bool
}

func newSeats(table []leaf, n int, edit map[string][]byte) *seats {
	s := &seats{table: table, edit: edit, added: map[string]bool{}}
	if n > 16 {
		s.byHash = make(map[uint32][]int, len(table))
		for i, l := range table {
			s.byHash[l.bits>>8] = append(s.byHash[l.bits>>8], i)
		}
	}
	return s
}

func (s *seats) take(path string) { s.added[foldName(path)] = true }

func (s *seats) taken(path string) bool {
	folded, hash := foldName(path), foldHash(path)<<8>>8
	if s.added[folded] {
		return true
	}
	same := func(l leaf) bool {
		content, edited := s.edit[l.path]
		return (!edited || content != nil) && l.path != path && foldName(l.path) == folded
	}
	if s.byHash != nil {
		return slices.ContainsFunc(s.byHash[hash], func(i int) bool { return same(s.table[i]) })
	}
	return slices.ContainsFunc(s.table, func(l leaf) bool { return l.bits>>8 == hash && same(l) })
}
