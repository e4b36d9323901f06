package files

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Support": "Support", "Support & Sales (EU)": "Support & Sales (EU)", "a.b": "a.b", "x/y": "x%2Fy", "50%": "50%25", "a\nb": "a%0Ab", "a\\b": "a%5Cb",
		".hidden": "%2Ehidden", "end.": "end%2E", " a ": "%20a%20", "..": "%2E%2E", ".": "%2E", "a:b*?": "a%3Ab%2A%3F", "con": "%63on", "CON.txt": "%43ON.txt", "Lpt1": "%4Cpt1",
		"lpt10": "lpt10", "confirm": "confirm", "Überlauf": "Überlauf", "é": "é", "e\u0301": "e%CC%81", "日本": "日本", "👍": "👍", "a\u200db": "a%E2%80%8Db", "\xff": "%FF",
		"\u212b": "%E2%84%AB", "Å": "Å", "\x7f": "%7F", "a\u202eb": "a%E2%80%AEb", "nul ": "%6Eul%20", "\u1112\u1161": "ᄒ%E1%85%A1", "\u00a0": "%C2%A0",
	} {
		require.Equal(t, want, encodeName(name), "%q", name)
	}
	for name, want := range map[string]string{"Support": "%53upport", "support": "%73upport", "SUP": "%53%55%50", "Äb": "%C3%84b", "ä": "%C3%A4", "1a": "1%61", "1": "1", ".a": "%2E%61", "a/b": "%61%2Fb"} {
		require.Equal(t, want, caseName(name), name)
	}
	require.Equal(t, "%61%2D", fullName("a-"))
	long := encodeName(strings.Repeat("x/", 80))
	require.Regexp(t, `^(x%2F)+x?%-[0-9a-f]{32}$`, long)
	require.NotEqual(t, long, encodeName(strings.Repeat("x/", 81)))
}

func FuzzNames(f *testing.F) {
	for _, s := range weird {
		f.Add(s, s+"x")
	}
	f.Add("Support", "support")
	f.Add(strings.Repeat("👍/", 40), strings.Repeat("%", 99))
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, encode := range []func(string) string{encodeName, caseName, fullName} {
			s := encode(a)
			require.LessOrEqual(t, len(s), maxName)
			require.True(t, utf8.ValidString(s))
			require.False(t, strings.ContainsAny(s, forbidden[:8]+"\x00\n"))
			if hash, long := longName(s); long {
				require.True(t, holdsName(hash, a))
				continue
			}
			back, err := decodeName(s)
			require.NoError(t, err)
			require.Equal(t, a, back)
			if a != "" {
				require.NotContains(t, " .", s[:1])
				require.NotContains(t, " .", s[len(s)-1:])
			}
		}
		if a != b {
			require.NotEqual(t, encodeName(a), encodeName(b))
			require.NotEqual(t, foldName(fullName(a)), foldName(fullName(b)))
		}
	})
}

func TestRawNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "rules/alerts.yml", ".hidden", "sub/.driftback.yaml", "a b/ü", "gitx", ".gitattributes", ".gitkeep", strings.Repeat("x", 200) + "/" + strings.Repeat("y", 200)} {
		require.NoError(t, checkRawName(good), good)
	}
	for bad, why := range map[string]string{
		`a\b`: "backslash", strings.Repeat("long/", 800) + "x": "limit", "": "empty", "a//b": "empty part", "/a": "empty part", "a/": "empty part", "..": "leaves", "a/../b": "leaves", "./a": "leaves", ".git": "kept by Git", "a/.GIT/config": "kept by Git",
		".git .": "kept by Git", "git~1": "kept by Git", ".g\u200cit": "kept by Git", ".git::$INDEX": "kept by Git", ".gitmodules": "kept by Git", "gitmod~1": "kept by Git", sidecarName: "taken",
		"a\nb": "control", "a\x00": "control", "\xff": "UTF-8", strings.Repeat("x", 201): "201 bytes",
	} {
		require.ErrorContains(t, checkRawName(bad), why, "%q", bad)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	queue, file := testKinds[1], testKinds[3]
	for _, c := range []struct {
		kind resource.KindInfo
		name string
		spec resource.Spec
		want string
	}{
		{queue, "", resource.Spec{}, "encode queue/: the name is empty"},
		{queue, "a", nil, "encode queue/a: there is no object"},
		{queue, "a", resource.Spec{"x": "\xff"}, `encode queue/a: the field "x" holds bytes that are no UTF-8`},
		{queue, "a", resource.Spec{"x\xff": "a"}, `encode queue/a: the field "x\xff" holds bytes that are no UTF-8`},
		{queue, "a", resource.Spec{"x": resource.Ref{}}, `encode queue/a: a reference to "/", which is not kind/name`},
		{queue, "a", resource.Spec{"x": resource.Ref{Key: resource.Key{Kind: "a/b", Name: "c"}}}, `encode queue/a: a reference to "a/b/c", which is not kind/name`},
		{queue, "a", resource.Spec{"x": resource.Secret{}}, "encode queue/a: a secret without a name"},
		{queue, "a", resource.Spec{"x": 1.5}, "encode queue/a: a value of type float64, which no canonical spec holds"},
		{queue, "a", resource.Spec{"x": strings.Repeat("x", 1<<20)}, "encode queue/a: 1048580 bytes are over the limit of 1048576 for files of kind queue"},
		{queue, strings.Repeat("\xff", 200), resource.Spec{}, "too long for a file name, and not valid UTF-8"},
		{file, "../x", resource.RawSpec(nil), `encode file/../x: the name leaves its folder with ".."`},
		{file, "x", resource.Spec{"a": "b"}, "encode file/x: an object of a raw kind has the one field content, a text"},
		{file, "x", resource.RawSpec(make([]byte, 1001)), "encode file/x: 1001 bytes are over the limit of 1000 for files of kind file"},
	} {
		_, _, err := Encode(c.kind, resource.Resource{Key: resource.Key{Kind: c.kind.Kind, Name: c.name}, Spec: c.spec})
		require.ErrorContains(t, err, c.want)
	}
	deep := func(n int) resource.Spec {
		v := any("x")
		for i := range n {
			if v = any([]any{v}); i%2 == 1 {
				v = map[string]any{"m": v.([]any)[0]}
			}
		}
		return resource.Spec{"d": v}
	}
	_, b, err := Encode(queue, resource.Resource{Key: key("queue/a"), Spec: deep(99)})
	require.NoError(t, err)
	_, f := decodeDocument(b)
	require.Nil(t, f)
	_, _, err = Encode(queue, resource.Resource{Key: key("queue/a"), Spec: deep(100)})
	require.ErrorContains(t, err, "nested deeper than 100 levels")
}

func TestEncode(t *testing.T) {
	t.Parallel()
	path, b, err := Encode(testKinds[1], resource.Resource{Key: key("queue/Support/EU"), Spec: resource.Spec{
		"enabled": true, "tags": []any{"b", "a", "b"}, "version": num("9"), "skill": resource.Ref{Key: key("skill/Billing: new")}, "pin": resource.Secret{Name: "PIN"},
		"yes": "no", "1": "2024-01-01", "number": num("1.50"), "big": num("123456789012345678901234567890"), "script": "#!/bin/sh\necho hi\n", "keep": "a\n\n", "strip": "a\nb", "indented": "  a\nb\n",
		"tab\r": "x\r\n", "empty": map[string]any{}, "none": []any{}, "text": "it's plain, really", "$overlay": "literal", "deep": []any{map[string]any{"a": "x", "b": []any{[]any{"p", "q"}, "r"}}},
		"members": []any{map[string]any{"user": "z"}, map[string]any{"user": "a"}},
	}})
	require.NoError(t, err)
	require.Equal(t, "queue/Support%2FEU.yaml", path)
	require.Equal(t, `"$$overlay": literal
"1": "2024-01-01"
big: 123456789012345678901234567890
deep:
  - a: x
    b:
      - - p
        - q
      - r
empty: {}
indented: |2
    a
  b
keep: |+
  a

members:
  - user: a
  - user: z
none: []
number: 1.5
pin: {$secret: PIN}
script: |
  #!/bin/sh
  echo hi
skill: {$ref: "skill/Billing: new"}
strip: |-
  a
  b
"tab\r": "x\r\n"
tags:
  - a
  - b
text: it's plain, really
"yes": "no"
`, string(b))
	path, b, err = Encode(testKinds[3], resource.Resource{Key: key("file/rules/a.yml"), Spec: resource.RawSpec([]byte("x\xff"))})
	require.NoError(t, err)
	require.Equal(t, "file/rules/a.yml", path)
	require.Equal(t, "x\xff", string(b))
}
