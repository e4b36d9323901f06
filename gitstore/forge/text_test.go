package forge_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

func TestCleanTitle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain":        {"Drift of prod", "Drift of prod"},
		"lines":        {"one\r\ntwo\tthree\n", "one two three"},
		"escape":       {"a\x1b[31mred\x00", "a [31mred"},
		"direction":    {"gpj\u202eexe", "gpjexe"},
		"line mark":    {"a\u2028b", "a b"},
		"broken UTF-8": {"a\xffb", "a\uFFFDb"},
		"emoji kept":   {"👩‍👩‍👧 queue", "👩‍👩‍👧 queue"},
		"nothing":      {" \n\t", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, forge.CleanTitle(c.in))
		})
	}
	long := forge.CleanTitle(strings.Repeat("ü", 1000))
	require.Equal(t, forge.MaxTitle, utf8.RuneCountInString(long))
	require.True(t, strings.HasSuffix(long, "ü…"))
	require.Equal(t, long, forge.CleanTitle(long), "cleaning twice is cleaning once")
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"none":             {"looks good", nil},
		"one":              {"/drift accept queue/Support", []string{"/drift accept queue/Support"}},
		"several, CRLF":    {"hi\r\n/drift accept a \r\n\r\n/drift ignore b\t\n", []string{"/drift accept a", "/drift ignore b"}},
		"indented":         {"  /drift accept a", nil},
		"quoted":           {"> /drift accept a", nil},
		"slashes":          {"// no\n/ no\n/1\n/", nil},
		"in a fence":       {"```\n/drift accept a\n```\n/drift accept b", []string{"/drift accept b"}},
		"shorter inside":   {"````\n```\n/drift accept a\n````\n/b", []string{"/b"}},
		"other inside":     {"~~~ text\n```\n/a\n~~~\n/b", []string{"/b"}},
		"info on closing":  {"```\n``` go\n/a\n```\n/b", []string{"/b"}},
		"never closed":     {"```\n/a", nil},
		"in a comment":     {"<!--\n/a\n```\n-->\n/b\n <!-- x -->\n/c", []string{"/b", "/c"}},
		"in one unclosed":  {"/a\n  <!-- /b\n\n/c", []string{"/a"}},
		"in one within":    {"see <!--\n/a -->\n/b\nand `<!--`\n/c -->\n", []string{"/b", "/c -->"}},
		"in none":          {"see <!-- there\n/a\n\n-->\n    <!--\n/b\n\n```\n<!--\n```\n/c", []string{"/a", "/b", "/c"}},
		"code in the line": {"```x``` is code\n/a", []string{"/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, forge.CommandLines(c.in))
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("/drift accept a\n```\n/b\n~~~\n\x00\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		title := forge.CleanTitle(s)
		require.Equal(t, title, forge.CleanTitle(title), "cleaning twice is cleaning once")
		require.LessOrEqual(t, utf8.RuneCountInString(title), forge.MaxTitle)
		require.True(t, utf8.ValidString(title))
		require.NotContains(t, title, "\n")
		for _, line := range forge.CommandLines(s) {
			require.True(t, strings.HasPrefix(line, "/"))
			require.Contains(t, s, line)
			require.NotContains(t, line, "\n")
		}
	})
}
