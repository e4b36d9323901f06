package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/driftback/driftback/vendors/resource"
)

// Kind is the one kind of this vendor. Names are paths relative to the root.
const Kind resource.Kind = "file"

// maxName bounds a part of a name, in bytes: what Git holds of a raw kind, and
// what leaves room for the name of a temporary file beside it.
const maxName = 200

// ours begins the names of temporary files; they are no configuration.
const ours = ".driftback-"

// isOurs reports whether a part of a name is a temporary file's of this package.
func isOurs(base string) bool { return strings.HasPrefix(base, ours) }

// refuseName says why a name cannot be a key, because Git would not hold it; empty where it can.
func refuseName(name string) string {
	switch {
	case name == "":
		return "an empty name"
	case !utf8.ValidString(name):
		return "the name is not UTF-8, which Git's trees have to be"
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return "the name has a part that is empty or leads elsewhere"
		case len(part) > maxName:
			return "a part of the name is longer than 200 bytes"
		case gitKeeps(part):
			return "Git keeps a part of the name for itself"
		}
	}
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == '\\' }) {
		return "the name has a control character or a backslash"
	}
	return ""
}

// gitKeeps reports whether Git, or a file system that it is checked out on, takes
// the part of a name for .git or one of its own files.
func gitKeeps(part string) bool {
	s := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // HFS+ ignores these
			return -1
		}
		return r
	}, part)
	s, _, _ = strings.Cut(s, ":") // NTFS: a stream
	switch strings.ToLower(strings.TrimRight(s, ". ")) {
	case ".git", "git~1", ".gitmodules":
		return true
	}
	return false
}

// mayContain reports whether the glob can match a name below the folder dir.
func mayContain(glob, dir string) bool {
	g, d := strings.Split(glob, "/"), strings.Split(dir, "/")
	for i, part := range d {
		if i < len(g) && g[i] == "**" {
			return true
		}
		if i >= len(g)-1 || !resource.Match(g[i], part) {
			return false
		}
	}
	return true
}

// gitFolder is where Git keeps its own, in a tree that is also a checkout.
const gitFolder = ".git"

// cover is what is looked at: what the configuration says, without what is never configuration, Git's own
// folder and temporary files of ours, of which there are so many globs at the beginning of exclude.
type cover struct {
	include, exclude []string
	never            int
}

func (c *Config) cover() cover {
	never := []string{"**/" + gitFolder + "/**", "**/" + ours + "*"}
	return cover{include: c.Include, exclude: append(never, c.Exclude...), never: len(never)}
}

// configured is covers for names of which no part is Git's folder or ours.
func (c cover) configured(name string) bool {
	return resource.Cover{Include: c.include, Exclude: c.exclude[c.never:]}.Covers(name)
}

func (c cover) covers(name string) bool {
	return resource.Cover{Include: c.include, Exclude: c.exclude}.Covers(name)
}

// descend reports whether something below the folder may be covered.
func (c cover) descend(dir string) bool {
	for _, g := range c.exclude {
		if strings.HasSuffix(g, "/**") && resource.Match(g, dir) {
			return false
		}
	}
	if len(c.include) == 0 {
		return true
	}
	for _, g := range c.include {
		if mayContain(g, dir) {
			return true
		}
	}
	return false
}
