package resource

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"*", "a", true}, {"*", "a/b", false}, {"**", "a/b/c", true}, {"**/*.yml", "a.yml", true}, {"**/*.yml", "x/y/a.yml", true}, {"rules/**", "rules/a", true},
		{"rules/**", "rules", true}, {"rules/*", "rules", false}, {"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "a/x/b/c", false},
		{"a/**/**/b/**", "a/b", true}, {"?", "é", true}, {"[a-c]", "b", true}, {"[", "[", false}, {"**/[", "[", false}, {`\*`, "*", true}, {"a**", "abc", true},
		{"**/a/**/b", "a/x/a/c/b", true}, {"", "", true}, {"a", "", false},
	} {
		require.Equal(t, c.want, Match(c.glob, c.name), "%s %s", c.glob, c.name)
	}
	require.False(t, Match(strings.Repeat("**/a/", 60)+"b", strings.Repeat("a/", 400)+"c"), "and soon")
	for glob, ok := range map[string]bool{"a/*": true, "**": true, "": false, "a//b": false, "[": false, "a/[b": false} {
		require.Equal(t, ok, ValidGlob(glob), glob)
	}
}

// slowMatch tries everything.
func slowMatch(glob, name []string) bool {
	if len(glob) == 0 {
		return len(name) == 0
	}
	if glob[0] == "**" {
		return slowMatch(glob[1:], name) || len(name) > 0 && slowMatch(glob, name[1:])
	}
	if len(name) == 0 {
		return false
	}
	ok, err := path.Match(glob[0], name[0])
	return err == nil && ok && slowMatch(glob[1:], name[1:])
}

func FuzzMatch(f *testing.F) {
	f.Add("a/**/b/*", "a/x/b/c")
	f.Add("**/**/a", "a/a/a")
	f.Add("**/a/**/b/**", "b/a/a/b/b")
	f.Fuzz(func(t *testing.T, glob, name string) {
		if strings.Count(glob, "**") > 6 || strings.Count(name, "/") > 12 {
			return
		}
		require.Equal(t, slowMatch(strings.Split(glob, "/"), strings.Split(name, "/")), Match(glob, name))
	})
}

func TestScope(t *testing.T) {
	t.Parallel()
	s := Scope{
		Kinds:   map[Kind]Cover{"queue": {}, "file": {Include: []string{"**/*.yml"}, Exclude: []string{"tmp/**"}, Partition: "/etc"}},
		Unknown: map[Key]string{{"queue", "Bad"}: "unreadable"},
	}
	for name, want := range map[string]bool{"queue/A": true, "queue/Bad": false, "skill/A": false, "file/a.yml": true, "file/x/a.yml": true, "file/a.txt": false, "file/tmp/a.yml": false} {
		k, err := ParseKey(name)
		require.NoError(t, err)
		require.Equal(t, want, s.Covers(k), name)
	}
	other := Scope{Kinds: map[Kind]Cover{"file": {Partition: "/opt"}, "queue": {}}}
	require.True(t, s.SamePartition(other, "queue"))
	require.False(t, s.SamePartition(other, "file"))
	require.False(t, s.SamePartition(other, "skill"))
	require.False(t, s.SamePartition(Scope{}, "queue"))
	require.True(t, s.Equal(s))
	require.False(t, s.Equal(other))
	require.False(t, s.Equal(Scope{Kinds: s.Kinds}))
}
