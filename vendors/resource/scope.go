package resource

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// A Scope is what a reading could have seen. Only inside it does not being
// listed mean not being there; outside, nothing is known.
type Scope struct {
	// Kinds that were read completely, each within its cover.
	Kinds map[Kind]Cover `json:"kinds,omitempty"`
	// Unknown are keys inside the covers about which this reading says nothing,
	// with the reason: unreadable, two objects of one name, withheld.
	Unknown map[Key]string `json:"unknown,omitempty"`
}

// A Cover says which names of a kind were looked at.
type Cover struct {
	// Include and Exclude are globs over names: * and ? stay within a segment between slashes, ** crosses them.
	// No include means every name.
	Include []string `json:"include,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
	// Partition identifies what a name cannot say: divisions, permissions, the root folder. Absence
	// is comparable only between readings of one partition.
	Partition string `json:"partition,omitempty"`
}

// Covers reports whether a reading with this scope would have seen the object
// if it were there.
func (s Scope) Covers(k Key) bool {
	c, ok := s.Kinds[k.Kind]
	if !ok {
		return false
	}
	if _, unknown := s.Unknown[k]; unknown {
		return false
	}
	return c.Covers(k.Name)
}

// Covers reports whether the name is inside.
func (c Cover) Covers(name string) bool {
	match := func(glob string) bool { return Match(glob, name) }
	return (len(c.Include) == 0 || slices.ContainsFunc(c.Include, match)) && !slices.ContainsFunc(c.Exclude, match)
}

// SamePartition reports whether both scopes read kind k of the same part of the platform.
func (s Scope) SamePartition(o Scope, k Kind) bool {
	a, inA := s.Kinds[k]
	b, inB := o.Kinds[k]
	return inA && inB && a.Partition == b.Partition
}

// Equal reports whether both scopes cover the same.
func (s Scope) Equal(o Scope) bool {
	return maps.EqualFunc(s.Kinds, o.Kinds, func(a, b Cover) bool {
		return slices.Equal(a.Include, b.Include) && slices.Equal(a.Exclude, b.Exclude) && a.Partition == b.Partition
	}) && maps.Equal(s.Unknown, o.Unknown)
}

// Match reports whether name matches the glob. ** as a whole segment matches any
// number of segments, also none; otherwise the rules are those of path.Match. A
// malformed glob matches nothing; ValidGlob tells.
func Match(glob, name string) bool {
	return matchSegments(strings.Split(glob, "/"), strings.Split(name, "/"))
}

// matchSegments tries ** with no segment first and lengthens the last one seen
// when what follows does not match. Lengthening an earlier one cannot help, so
// that the cost is at most the product of both lengths.
func matchSegments(glob, name []string) bool {
	g, n := 0, 0
	star, from := -1, 0 // the last ** in glob, and where in name what follows it was tried
	for n < len(name) {
		if g < len(glob) && glob[g] == "**" {
			star, from = g, n
			g++
			continue
		}
		if g < len(glob) {
			if ok, err := path.Match(glob[g], name[n]); err == nil && ok {
				g, n = g+1, n+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		g, n = star+1, from
	}
	for g < len(glob) && glob[g] == "**" {
		g++
	}
	return g == len(glob)
}

// ValidGlob reports whether the glob is well formed.
func ValidGlob(glob string) bool {
	for s := range strings.SplitSeq(glob, "/") {
		if _, err := path.Match(s, ""); err != nil || s == "" {
			return false
		}
	}
	return true
}

var quoteGlob = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// QuoteGlob returns the glob that matches this name and no other.
func QuoteGlob(name string) string { return quoteGlob.Replace(name) }
