package files

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func roundTrip(t *testing.T, body map[string]any) {
	t.Helper()
	info := resource.KindInfo{Kind: "queue", MaxSize: 1 << 24}
	b, err := encodeDocument(info, document{body: body})
	require.NoError(t, err)
	d, f := decodeDocument(b)
	if f != nil {
		t.Fatalf("%v\n%s", f, b)
	}
	if !resource.Equal(body, d.body) {
		t.Fatalf("%#v\nbecame\n%#v\nthrough\n%s", body, d.body, b)
	}
	again, err := encodeDocument(info, document{body: d.body})
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))
}

var weird = []string{
	"", " ", "  ", "a", " a", "a ", "\ta", "a\t", "\t", "\n", "\n\n", "a\n", "a\n\n", "a\nb", "a\nb\n", "\na", "\n a", " \na", " \n", "a\n \n",
	"a\n  ", "a\n\n  b\n", "  a\nb\n", "\ta\nb", "a\n\tb\n", "a\r\nb", "\r", "a\u0085b\n", "\ufeffa\nb", "\u2028\n", "\x00", "\x7f", "a\x01\nb",
	"yes", "No", "on", "OFF", "y", "N", "true", "TRUE", "False", "null", "~", "Null", "0x1f", "0o17", "017", "1e3", "1_000", ".inf", "-.INF", ".nan",
	"2024-01-01", "2024-01-01T00:00:00Z", "12:30:45", "1:2", "+1", "-1", "1.", ".5", "-", "--", "---", "...", "- a", "? a", ": a", "a: b", "a:", ":a", "a:b",
	"#", "a #b", "a#b", "&a", "*a", "!a", "!!str a", "|", ">", "%a", "@a", "`a", "'a'", "\"a\"", "a\\b", "[a]", "{a}", "a, b", "<<", "=", "$a", "$$a", "$ref",
	"--- a\nb", "# a\n# b", "é", "e\u0301", "👍", "👨‍👩‍👧", "日本\n語\n", "\U0010ffff", "\ue000", "\u00a0", "a\u00a0b", "<a href=\"x\">\n</a>\n",
	"a\n...\nb\n", "a\n---\nb\n", "  \n  a", "\n\n\na\n\n\n",
}

func TestRoundTripWeirdStrings(t *testing.T) {
	t.Parallel()
	for _, s := range weird {
		roundTrip(t, map[string]any{"a": s, "z": "end"})
		roundTrip(t, map[string]any{"a": []any{s, s, []any{s, "end"}, map[string]any{"k": s, "z": true}}})
		roundTrip(t, map[string]any{s: "value", "z": map[string]any{s: map[string]any{s: []any{s}}}})
		if s != "" {
			roundTrip(t, map[string]any{"a": resource.Secret{Name: s}, "l": []any{resource.Ref{Key: resource.Key{Kind: "skill", Name: s}}}})
		}
	}
	roundTrip(t, map[string]any{strings.Repeat("k", 3000): strings.Repeat("v\n", 3000), strings.Repeat("\"", 600): map[string]any{"x": []any{"y"}}})
	roundTrip(t, map[string]any{strings.Repeat("k", 3000): []any{map[string]any{strings.Repeat("m", 3000): "a\nb", "n": resource.Secret{Name: "x"}}}})
}

func FuzzRoundTrip(f *testing.F) {
	for _, s := range weird {
		b, _ := json.Marshal(map[string]any{s: []any{s, map[string]any{"a": s}}, "n": 1.5e3, "b": true, "m": map[string]any{}, "l": []any{}})
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dec := json.NewDecoder(strings.NewReader(string(b)))
		dec.UseNumber()
		var m map[string]any
		if dec.Decode(&m) != nil || m == nil {
			return
		}
		spec, err := resource.CanonicalSpec(m)
		if err != nil {
			return
		}
		roundTrip(t, spec)
	})
}

// Whatever people write is either refused with a place, or reads the same after it was rewritten.
func FuzzDecode(f *testing.F) {
	for _, s := range weird {
		f.Add([]byte("a: " + s + "\n"))
	}
	f.Add([]byte("$overlay: true\na: {$ref: skill/x}\nb: [1, {$secret: y}]\nc: |2-\n   x\nd: >\n  y\n  z\n? e\n: - f\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, fault := decodeDocument(b)
		if fault != nil {
			require.Positive(t, fault.line)
			require.Positive(t, fault.column)
			return
		}
		info := resource.KindInfo{Kind: "queue", MaxSize: 1 << 24}
		out, err := encodeDocument(info, *d)
		if err != nil { // a reference or name that only quotes could hold is refused with its reason
			t.Fatalf("%v\n%s", err, b)
		}
		again, fault := decodeDocument(out)
		if fault != nil {
			t.Fatalf("%v\n%q\n%s", fault, b, out)
		}
		again.line, again.column = d.line, d.column
		require.Equal(t, d, again)
	})
}
