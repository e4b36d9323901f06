package gitstore

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxPath = 4096 // bytes of a whole path, as Linux has it
	maxName = 255  // bytes of one component
)

// checkPath reports why a file of this path may not stand in a tree: whoever checks the tree out, on any
// system, must find it below the folder and must not have their .git changed.
func checkPath(path string) error {
	bad := func(why string) error { return fmt.Errorf("path %q: %s: %w", path, why, ErrPath) }
	switch {
	case path == "":
		return bad("is empty")
	case len(path) > maxPath:
		return bad("is too long")
	case !utf8.ValidString(path):
		return bad("is not UTF-8")
	}
	for name := range strings.SplitSeq(path, "/") {
		if why := refuseName(name); why != "" {
			return bad(why)
		}
	}
	return nil
}

// refuseName says why a path may not have this component, or "".
func refuseName(name string) string {
	switch {
	case name == "":
		return "has an empty component"
	case name == "." || name == "..":
		return "has a component . or .."
	case len(name) > maxName:
		return "has a component over 255 bytes"
	case isDotGit(name):
		return "has a component that a file system may take for .git"
	}
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c == 0x7f || c == '\\' {
			return "has a control character or backslash"
		}
	}
	return ""
}

// isDotGit reports whether some file system takes name for .git, or Git refuses it as such: case is ignored, as are
// code points that HFS+ drops, and what NTFS drops at the end or takes for a stream or a short name.
func isDotGit(name string) bool {
	folded := strings.ToLower(strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, name))
	folded, _, _ = strings.Cut(folded, ":")
	folded = strings.TrimRight(folded, ". ")
	return folded == ".git" || folded == "git~1"
}

// checkRef reports why ref cannot be the name of a ref, by the rules of git check-ref-format.
func checkRef(ref string) error {
	bad := func(why string) error { return fmt.Errorf("ref %q: %s", ref, why) }
	if !strings.HasPrefix(ref, "refs/") || strings.Count(ref, "/") < 2 {
		return bad("is not a full name such as refs/heads/main")
	}
	if strings.Contains(ref, "..") || strings.Contains(ref, "@{") || strings.HasSuffix(ref, ".") || len(ref) > maxPath {
		return bad("is not a name that Git accepts")
	}
	for i := range len(ref) {
		if c := ref[i]; c <= ' ' || c == 0x7f || strings.IndexByte("~^:?*[\\", c) >= 0 {
			return bad("has a character that Git refuses")
		}
	}
	for name := range strings.SplitSeq(ref, "/") {
		if name == "" || name[0] == '.' || strings.HasSuffix(name, ".lock") || len(name) > maxName {
			return bad("has a component that Git refuses")
		}
	}
	return nil
}
