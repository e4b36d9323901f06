package files

import (
	"errors"
	"strings"
)

// A leaf is a file that is ours. The low byte of bits is the mode's class, the
// rest a hash of the path without regard to case.
type leaf struct {
	path string
	id   [20]byte
	bits uint32
}

// The classes of modes.
const (
	regular uint32 = iota
	symlink
	submodule
	otherMode
)

func newLeaf(f File) leaf {
	m := otherMode
	switch f.Mode {
	case 0o100644, 0o100755, 0o100664:
		m = regular
	case 0o120000:
		m = symlink
	case 0o160000:
		m = submodule
	}
	return leaf{path: f.Path, id: f.ID, bits: m | foldHash(f.Path)<<8}
}

// foldHash is equal for paths that differ in case only (FNV-1a over foldName).
func foldHash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			return foldHashSlow(s)
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

func foldHashSlow(s string) uint32 {
	h := uint32(2166136261)
	for _, r := range foldName(s) {
		h = (h ^ uint32(r)) * 16777619 // #nosec G115 -- a hash: every bit pattern is as good
	}
	return h
}

func compareLeaf(a, b leaf) int { return strings.Compare(a.path, b.path) }

func modeError(bits uint32) error {
	switch bits & flagMask {
	case regular:
		return nil
	case symlink:
		return errors.New("a symbolic link is not followed; put the file itself here")
	case submodule:
		return errors.New("a submodule is not read; put the files themselves here")
	}
	return errors.New("not an ordinary file")
}
