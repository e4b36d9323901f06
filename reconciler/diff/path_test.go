package diff

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestPathText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path Path
		want string
	}{
		{nil, ""},
		{Path{Name("")}, `""`},
		{Path{Name("a"), Name("b")}, "a.b"},
		{Path{Name("odd.key"), Name("2")}, `"odd.key".2`},
		{Path{Name("hours"), Index(2), Name("open")}, "hours[2].open"},
		{Path{Index(0), Index(1)}, "[0][1]"},
		{Path{Name("members"), Elem("user", user("Ann")), Name("ring")}, "members[user=user/Ann].ring"},
		{Path{Name("members"), Elem("the user", user("Ann Lee"))}, `members["the user"=user/"Ann Lee"]`},
		{Path{Name("tags"), Elem("", "vip")}, "tags[=vip]"},
		{Path{Name("tags"), Elem("", json.Number("2"))}, "tags[=2]"},
		{Path{Name("tags"), Elem("", "2")}, `tags[="2"]`},
		{Path{Name("tags"), Elem("", "")}, `tags[=""]`},
		{Path{Name("tags"), Elem("", "a/b")}, `tags[="a/b"]`},
		{Path{Name("tags"), Elem("", true)}, "tags[=true]"},
		{Path{Name("tags"), Elem("", "true")}, `tags[="true"]`},
		{Path{Name("tags"), Elem("", "10.0.0.1")}, "tags[=10.0.0.1]"},
		{Path{Name("tags"), Elem("", "ann@example.com")}, "tags[=ann@example.com]"},
		{Path{Name("tags"), Elem("", "]")}, `tags[="]"]`},
		{Path{Name("tags"), Elem("", "\xff")}, `tags[="\xff"]`},
		{Path{Name("tags"), Elem("", resource.Secret{Name: "KEY"})}, "tags[=$KEY]"},
		{Path{Name("tags"), Elem("", user("?"))}, "tags[=user/?]"},
		{Path{Name("files"), Elem("", resource.Ref{Key: resource.Key{Kind: "file", Name: "rules/a.yml"}})}, "files[=file/rules/a.yml]"},
		{Path{Name("groups"), Elem("", map[string]any{"b": []any{user("Ann"), false}, "a b": "x"})}, `groups[={"a b": x, b: [user/Ann, false]}]`},
		{Path{Name("groups"), Elem("", map[string]any{})}, `groups[={}]`},
		{Path{Name("groups"), Elem("", []any{})}, `groups[=[]]`},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tt.path.String())
		got, err := ParsePath(tt.want)
		require.NoError(t, err, tt.want)
		require.Equal(t, tt.path, got, tt.want)
	}
}

func TestParsePathErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		".":                              `path ".": want a name at offset 0`,
		"a.":                             "want a name at offset 2",
		"a b":                            `want "." at offset 1`,
		"a[":                             "want an index or key=value at offset 2",
		"a[01]":                          "want an index",
		"a[-1]":                          "want an index",
		"a[1":                            `want "]" at offset 3`,
		"a[=":                            "want a value",
		"a[=x":                           `want "]"`,
		"a[b=":                           "want a value",
		`a["b"]`:                         `want "="`,
		`"a`:                             "want the end of a quoted string that starts at offset 0",
		"a[=user/]":                      "want a name",
		"a[={b}]":                        `want ": "`,
		"a[=[1,2]]":                      `want "]"`,
		"a[=$]":                          "want a name",
		"a\xff":                          `want "."`,
		"a[=" + strings.Repeat("[", 200): "want less nesting",
	} {
		_, err := ParsePath(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestPathOrder(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "a", "a.b", "a[0]", "a[1].x", "a[2]", "a[10]", "a[=1]", "a[=2]", "a[k=1]", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			p, err := ParsePath(a)
			require.NoError(t, err)
			q, err := ParsePath(b)
			require.NoError(t, err)
			switch {
			case i < j:
				require.Negative(t, p.Compare(q), "%s < %s", a, b)
			case i > j:
				require.Positive(t, p.Compare(q), "%s > %s", a, b)
			default:
				require.Zero(t, p.Compare(q))
			}
		}
	}
}

func TestPathIn(t *testing.T) {
	t.Parallel()
	spec := resource.Spec{"members": []any{member("Ann", 1)}, "hours": []any{"8"}, "tags": []any{"a"}}
	for text, want := range map[string]any{
		"members[user=user/Ann].ring": json.Number("1"),
		"members[user=user/Bob].ring": nil,
		"members[user=user/Bob]":      nil,
		"members.ring":                nil,
		"hours[0]":                    "8",
		"hours[1]":                    nil,
		"hours[0].x":                  nil,
		"tags[=a]":                    "a",
		"tags[k=a]":                   nil,
		"[0]":                         nil,
	} {
		p, err := ParsePath(text)
		require.NoError(t, err)
		got, ok := p.In(spec)
		require.Equal(t, want, got, text)
		require.Equal(t, want != nil, ok, text)
	}
	whole, ok := Path{}.In(spec)
	require.True(t, ok)
	require.Equal(t, map[string]any(spec), whole)
	_, ok = Path{}.In(nil)
	require.False(t, ok)
}

func TestPathAt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"tags": true, "members[user=user/Ann].skills": true, "groups[2].tags": true, "members": false, "x": false} {
		p, err := ParsePath(text)
		require.NoError(t, err)
		require.Equal(t, want, p.At(kinds.Schema()).Field().Set, text)
	}
}

func TestHasPrefix(t *testing.T) {
	t.Parallel()
	p, err := ParsePath("members[user=user/Ann].ring")
	require.NoError(t, err)
	require.True(t, p.HasPrefix(nil))
	require.True(t, p.HasPrefix(p))
	require.True(t, p.HasPrefix(Path{Name("members"), Elem("user", user("Ann"))}))
	require.False(t, p.HasPrefix(Path{Name("members"), Elem("user", user("Bob"))}))
	require.False(t, p[:1].HasPrefix(p))
	name, ok := p[2].Field()
	require.True(t, ok)
	require.Equal(t, "ring", name)
	_, ok = p[1].Field()
	require.False(t, ok)
}

func TestTextOfWhatIsNotCanonical(t *testing.T) {
	t.Parallel()
	require.Equal(t, "absent", Text(nil))
	require.Equal(t, "1.5", Text(1.5))
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"", "a.b", "members[user=user/Ann].ring", "hours[2].open", `"odd.key"`, `a[={"a b": x, b: [user/Ann, false]}]`, `a[="\xff"]`, "a[=$K]", "a[=-]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			require.Nil(t, p)
			return
		}
		again, err := ParsePath(p.String())
		require.NoError(t, err, "%s", p)
		require.Equal(t, p, again)
	})
}
