package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An entry is one line of a tree. Name aliases the tree's content.
type entry struct {
	mode Mode
	name []byte
	id   ID
}

func (e entry) isDir() bool { return e.mode == ModeDir }

var errTree = errors.New("tree is damaged")

// nextEntry reads the first entry of a tree's content.
func nextEntry(raw []byte) (e entry, rest []byte, err error) {
	i := 0
	for ; i < len(raw) && raw[i] != ' '; i++ {
		if raw[i] < '0' || raw[i] > '7' {
			return e, nil, errTree
		}
		e.mode = e.mode<<3 | Mode(raw[i]-'0')
	}
	if i >= len(raw) {
		return e, nil, errTree
	}
	raw = raw[i+1:]
	n := bytes.IndexByte(raw, 0)
	if n <= 0 || len(raw) < n+21 {
		return e, nil, errTree
	}
	e.name = raw[:n]
	copy(e.id[:], raw[n+1:])
	switch e.mode { // modes that old Gits wrote
	case 0o100664:
		e.mode = ModeFile
	}
	return e, raw[n+21:], nil
}

// appendEntry adds one line to a tree's content.
func appendEntry(b []byte, mode Mode, name string, id ID) []byte {
	b = strconv.AppendUint(b, uint64(mode), 8)
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, 0)
	return append(b, id[:]...)
}

// compareNames orders entries as trees do: a directory as if its name ended in a slash.
func compareNames(a []byte, aDir bool, b []byte, bDir bool) int {
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	return int(tail(a, n, aDir)) - int(tail(b, n, bDir))
}

// tail is the byte at n of a name as trees order it.
func tail(name []byte, n int, dir bool) byte {
	switch {
	case n < len(name):
		return name[n]
	case dir && n == len(name):
		return '/'
	}
	return 0
}

// findEntry looks name up in a tree's content.
func findEntry(raw []byte, name string) (entry, bool, error) {
	for len(raw) > 0 {
		e, rest, err := nextEntry(raw)
		if err != nil {
			return entry{}, false, err
		}
		if string(e.name) == name {
			return e, true, nil
		}
		raw = rest
	}
	return entry{}, false, nil
}

// tree returns the content of a tree; the zero ID is the empty one.
func (s *Store) tree(id ID) ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	o, err := s.object(id)
	if err != nil {
		s.lost(err)
		return nil, err
	}
	if o.Kind != KindTree {
		return nil, fmt.Errorf("object %s: is a %s, not a tree", id, o.Kind)
	}
	return o.Data, nil
}

// treeOf returns the tree of a commit; the zero ID has the empty tree.
func (s *Store) treeOf(commit ID) (ID, error) {
	if commit.IsZero() {
		return ID{}, nil
	}
	c, err := s.CommitAt(commit)
	return c.Tree, err
}

// lookup finds a path below a tree.
func (s *Store) lookup(tree ID, path string) (entry, bool, error) {
	e := entry{mode: ModeDir, id: tree}
	for name := range strings.SplitSeq(path, "/") {
		if !e.isDir() {
			return entry{}, false, nil
		}
		raw, err := s.tree(e.id)
		if err != nil {
			return entry{}, false, err
		}
		var ok bool
		if e, ok, err = findEntry(raw, name); err != nil || !ok {
			return entry{}, false, wrap(err, "tree", e.id)
		}
	}
	return e, true, nil
}

// wrap says on which object an operation stumbled; nil stays nil.
func wrap(err error, what string, id ID) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, id, err)
}
