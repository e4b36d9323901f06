package rules_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/rules"
	"github.com/driftback/driftback/vendors/resource"
)

func parse(t testing.TB, text string) rules.Rules {
	t.Helper()
	r, err := rules.Parse([]byte(text))
	require.NoError(t, err)
	return r
}

func spec(t testing.TB, text string) resource.Spec {
	t.Helper()
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&m))
	s, err := resource.CanonicalSpec(m)
	require.NoError(t, err)
	return s
}

var support = resource.Key{Kind: "queue", Name: "Support"}

func Example() {
	r, err := rules.Parse([]byte("ignore:\n  - objects: ['queue/*']\n    fields: [description]\nprotect: ['queue/Emergency']\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	queue := resource.Key{Kind: "queue", Name: "Support"}
	git := resource.Spec{"description": "from Git", "timeout": json.Number("30")}
	live := resource.Spec{"description": "typed by hand", "timeout": json.Number("20")}
	fmt.Println(r.Strip(queue, live))
	fmt.Println(r.Restore(queue, git, live))
	fmt.Println(r.Protected(resource.Key{Kind: "queue", Name: "Emergency"}))
	// Output:
	// map[timeout:20]
	// map[description:typed by hand timeout:30]
	// true
}

func ExampleParse_error() {
	_, err := rules.Parse([]byte("ignore:\n  - object: queue/*\n"))
	fmt.Println("driftback.rules.yaml:" + err.Error())
	// Output: driftback.rules.yaml:2:5: unknown field "object"
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"owners: {a: b}":                                 `1:1: unknown field "owners"`,
		"policies: []":                                   `1:1: unknown field "policies"`,
		"ignore:\n  - objects: [queue]\n":                `2:15: "queue" is no glob over kind/name`,
		"ignore:\n  - objects: ['queue/[']\n":            `2:15: "queue/[" is no glob`,
		"ignore:\n  - fields: [a]":                       "2:5: an ignore rule needs objects or kinds",
		"ignore:\n  - kinds: [a]\n    fields: []":        "2:5: an empty list of fields",
		"ignore:\n  - kinds: [a]\n    fields:":           "2:5: an empty list of fields",
		"ignore:\n  - kinds: [a]\n    fields: ['']":      "3:14: an empty field",
		"ignore:\n  - kinds: ['a/b']":                    `2:13: "a/b" is no kind`,
		"ignore:\n - kinds: [a]\n   fields: ['a..b']":    `3:13: field "a..b": want names joined by dots`,
		"ignore:\n - kinds: [a]\n   fields: ['a[0]']":    `3:13: field "a[0]": want names`,
		"ignore:\n - kinds: [a]\n   fields: ['a*']":      `3:13: field "a*": want names`,
		"ignore:\n - kinds: [a]\n   fields: ['tags[]']":  "to ignore all elements, name the list",
		"ignore:\n - kinds: [a]\n   fields: ['[].tags']": "want names",
		"manage:\n  - fields: [a]":                       "2:5: a manage rule needs objects or kinds",
		"manage:\n  - kinds: [a]\n    fields: []":        "2:5: an empty list of fields; to manage all operational fields",
		"manage:\n  - kinds: [a]\n    fields: ['a..b']":  `3:14: field "a..b": want names`,
		"ignore: [":                               "1:9: ",
		"ignore: x":                               "1:9: ",
		"a: &x [1]\nb: *x":                        "1:4: anchors, aliases and tags are not accepted",
		"protect: [!!str a/b]":                    "anchors, aliases and tags are not accepted",
		"protect: [a/b]\nprotect: [a/c]":          `2:1: mapping key "protect" already defined`,
		"---\nprotect: [a/b]\n---\nprotect: [a]":  "4:1: a second document",
		"protect: [1]":                            "1:11: want text, not int",
		"protect: [null]":                         "1:11: an empty element",
		"protect:\n  - |\n    a/b\n":              "2:5: want one line of text",
		"- a":                                     "1:1: ",
		"protect: " + strings.Repeat("[", 200):    "nested deeper than 100 levels",
		"protect:\n" + strings.Repeat("- ", 200):  "2:201: nested deeper",
		"# " + strings.Repeat("x", rules.MaxSize): "more than the",
	} {
		_, err := rules.Parse([]byte(text))
		require.ErrorContains(t, err, want, "%.100s", text)
		var e *rules.Error
		require.ErrorAs(t, err, &e)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestWhichObjects(t *testing.T) {
	t.Parallel()
	for text, empty := range map[string]bool{"": true, "# nothing\n": true, "---\n": true, "ignore: []": true, "ignore:\nprotect:\n": true, "protect: ['**']": false} {
		require.Equal(t, empty, parse(t, text).Empty(), "%q", text)
	}
	r := parse(t, `
ignore:
  - objects: ["queue/Test*", "file/tmp/**"]
  - kinds: [user]
  - kinds: [ivr]
    objects: ["*/Old"]
  - objects: ["queue/*"]
    fields: [description]
protect: ["queue/Emergency", "ivr/**"]
`)
	for key, want := range map[string][3]bool{ // ignored, touched, protected
		"queue/Test 1": {true, true, false}, "queue/Support": {false, true, false}, "queue/Emergency": {false, true, true},
		"user/Ann": {true, true, false}, "ivr/Old": {true, true, true}, "ivr/New": {false, false, true}, "queue/Old": {false, true, false},
		"file/tmp/a/b": {true, true, false}, "file/rules.yml": {false, false, false},
	} {
		k, err := resource.ParseKey(key)
		require.NoError(t, err)
		require.Equal(t, want, [3]bool{r.Ignored(k), r.Touches(k), r.Protected(k)}, key)
	}
	require.Nil(t, r.Strip(support, nil), "an absent object stays absent")
	require.Nil(t, r.Restore(support, nil, resource.Spec{}))
	ann := resource.Key{Kind: "user", Name: "Ann"}
	require.Equal(t, resource.Spec{}, r.Strip(ann, resource.Spec{"a": "b"}))
	require.Equal(t, resource.Spec{"a": "live"}, r.Restore(ann, resource.Spec{"a": "want"}, resource.Spec{"a": "live"}))
	require.Equal(t, resource.Spec{"a": "want"}, r.Restore(ann, resource.Spec{"a": "want"}, nil))
	rule := resource.Key{Kind: "file", Name: "rules.yml"}
	require.Equal(t, resource.Spec{"a": "want"}, r.Strip(rule, resource.Spec{"a": "want"}))
	require.Equal(t, resource.Spec{"a": "want"}, r.Restore(rule, resource.Spec{"a": "want"}, resource.Spec{"a": "live"}))
}

func TestStripAndRestore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ fields, want, live, stripped, restored string }{
		"a field":                    {"a", `{"a":1,"b":2}`, `{"a":3,"b":4}`, `{"b":2}`, `{"a":3,"b":2}`},
		"only in Git":                {"a", `{"a":1,"b":2}`, `{"b":4}`, `{"b":2}`, `{"b":2}`},
		"only on the platform":       {"a", `{"b":2}`, `{"a":3}`, `{"b":2}`, `{"a":3,"b":2}`},
		"nothing else":               {"a", `{"a":1}`, `{"b":1}`, `{}`, `{}`},
		"below":                      {"a.b", `{"a":{"b":1,"c":2}}`, `{"a":{"b":3,"c":4}}`, `{"a":{"c":2}}`, `{"a":{"b":3,"c":2}}`},
		"a map that holds it only":   {"a.b", `{"x":1}`, `{"a":{"b":3},"x":1}`, `{"x":1}`, `{"a":{"b":3},"x":1}`},
		"an empty map beside it":     {"a.b", `{"a":{}}`, `{"a":{"b":3}}`, `{}`, `{"a":{"b":3}}`},
		"emptied":                    {"a.b", `{"a":{"b":1},"x":1}`, `{"x":2}`, `{"x":1}`, `{"x":1}`},
		"a scalar where a map was":   {"a.b", `{"a":7}`, `{"a":{"b":3}}`, `{"a":7}`, `{"a":7}`},
		"a map where a scalar was":   {"a.b", `{"a":{"b":3,"c":1}}`, `{"a":7}`, `{"a":{"c":1}}`, `{"a":{"b":3,"c":1}}`},
		"a scalar that went":         {"a.b", `{"x":1}`, `{"a":7}`, `{"x":1}`, `{"x":1}`},
		"any key":                    {"a.*", `{"a":{"b":1}}`, `{"a":{"c":3}}`, `{}`, `{"a":{"c":3}}`},
		"a field of any key":         {"a.*.x", `{"a":{"b":{"x":1,"y":2}}}`, `{"a":{"b":{"x":3},"c":{"x":4}}}`, `{"a":{"b":{"y":2}}}`, `{"a":{"b":{"x":3,"y":2},"c":{"x":4}}}`},
		"a key called as our syntax": {"a.*.x", `{"a":{"[]":{"x":1,"y":2},"*":{"x":1,"y":1}}}`, `{}`, `{"a":{"[]":{"y":2},"*":{"y":1}}}`, `{"a":{"[]":{"y":2},"*":{"y":1}}}`},
		"a key and any key":          {"a.*.x, a.b.y", `{"a":{"b":{"x":1,"y":2,"z":3}}}`, `{}`, `{"a":{"b":{"z":3}}}`, `{"a":{"b":{"z":3}}}`},
		"a field and all of it":      {"a.b, a", `{"a":{"b":1,"c":2},"x":1}`, `{"a":4}`, `{"x":1}`, `{"a":4,"x":1}`},
		"in a list, equal otherwise": {"m[].r", `{"m":[{"u":"A","r":1},{"u":"B","r":2}]}`, `{"m":[{"u":"B","r":7},{"u":"A","r":8}]}`, `{"m":[{"u":"A"},{"u":"B"}]}`, `{"m":[{"u":"A","r":8},{"u":"B","r":7}]}`},
		"in a list, by position":     {"m[].r", `{"m":[{"u":"A","r":1}]}`, `{"m":[{"u":"B","r":7}]}`, `{"m":[{"u":"A"}]}`, `{"m":[{"u":"A","r":7}]}`},
		"in a list, no partner":      {"m[].r", `{"m":[{"u":"A","r":1},{"u":"B"}]}`, `{"m":[{"u":"B","r":7}]}`, `{"m":[{"u":"A"},{"u":"B"}]}`, `{"m":[{"u":"A","r":1},{"u":"B","r":7}]}`},
		"in a list, partner taken":   {"m[].r", `{"m":[{"u":"A","r":1},{"u":"B","r":2}]}`, `{"m":[{"u":"B","r":7},{"u":"C","r":8}]}`, `{"m":[{"u":"A"},{"u":"B"}]}`, `{"m":[{"u":"A","r":1},{"u":"B","r":7}]}`},
		"a map that looks as a list": {"m[].r", `{"m":{"[]":{"r":1}}}`, `{"m":{"[]":{"r":2}}}`, `{"m":{"[]":{"r":1}}}`, `{"m":{"[]":{"r":1}}}`},
		"an element of it only":      {"m[].r", `{"m":[{"r":1},"x"]}`, `{"m":[{"r":2},"y"]}`, `{"m":[{},"x"]}`, `{"m":[{"r":2},"x"]}`},
		"an element without it":      {"m[].r", `{"m":[{"r":1}]}`, `{"m":[{}]}`, `{"m":[{}]}`, `{"m":[{}]}`},
		"a list of no interest":      {"m.r", `{"m":[{"r":1}]}`, `{"m":[{"r":2}]}`, `{"m":[{"r":1}]}`, `{"m":[{"r":1}]}`},
		"a list gone":                {"m[].r", `{"x":1}`, `{"m":[{"r":2}]}`, `{"x":1}`, `{"x":1}`},
		"lists in lists":             {"m[].n[].r", `{"m":[{"n":[{"r":1,"s":2}]}]}`, `{"m":[{"n":[{"r":7,"s":2}]}]}`, `{"m":[{"n":[{"s":2}]}]}`, `{"m":[{"n":[{"r":7,"s":2}]}]}`},
	} {
		r := parse(t, `ignore: [{kinds: [queue], fields: [`+quote(c.fields)+`]}]`)
		want, live := spec(t, c.want), spec(t, c.live)
		wantCopy, liveCopy := want.Clone(), live.Clone()
		require.Equal(t, spec(t, c.stripped), r.Strip(support, want), name)
		restored := r.Restore(support, want, live)
		require.Equal(t, spec(t, c.restored), restored, name)
		require.Equal(t, r.Strip(support, want), r.Strip(support, restored), name)
		require.Equal(t, wantCopy, want, name)
		require.Equal(t, liveCopy, live, name)
	}
}

func quote(list string) string { return `"` + strings.ReplaceAll(list, ", ", `", "`) + `"` }

func TestKeyedListsAndSets(t *testing.T) {
	t.Parallel()
	schema := resource.KindInfo{Kind: "queue", Fields: []resource.Field{{Path: "m", Set: true, ListKey: "u"}, {Path: "s", Set: true}}}.Schema()
	r := parse(t, `ignore: [{objects: ["queue/*"], fields: ["m[].r", "s[].a"]}]`).WithSchemas(map[resource.Kind]*resource.Schema{"queue": schema})
	want := spec(t, `{"m":[{"u":"A","x":1,"r":1},{"u":"C","r":3}]}`)
	live := spec(t, `{"m":[{"u":"A","x":2,"r":7},{"u":"B","r":9}]}`)
	require.Equal(t, spec(t, `{"m":[{"u":"A","x":1,"r":7},{"u":"C","r":3}]}`), r.Restore(support, want, live), "by key, never by position")
	// The order of a set must not tell what was ignored.
	a := schema.Normalize(spec(t, `{"s":[{"a":1,"b":2},{"a":2,"b":1}]}`))
	b := schema.Normalize(spec(t, `{"s":[{"a":2,"b":2},{"a":1,"b":1}]}`))
	require.NotEqual(t, a, b)
	require.Equal(t, r.Strip(support, a), r.Strip(support, b))
}

func FuzzParse(f *testing.F) {
	f.Add("ignore:\n  - objects: ['queue/*']\n    fields: [description, 'members[].ring']\nprotect: ['**']\n")
	f.Add("a: &x [1]\nb: *x")
	f.Add("? - - {a: [b, \"c\\n\"]}\n: |\n x")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := rules.Parse([]byte(text))
		if err != nil {
			require.True(t, r.Empty())
			return
		}
		r.Strip(support, resource.Spec{"description": "x"})
	})
}

func FuzzRestore(f *testing.F) {
	f.Add("a.b", "m[].r", `{"a":{"b":1},"m":[{"r":1,"u":2}]}`, `{"a":{"b":2},"m":[{"r":2,"u":2},{}]}`)
	f.Add("a.*", "*.b", `{"a":[1]}`, `{"b":{"b":{}}}`)
	f.Fuzz(func(t *testing.T, one, two, want, live string) {
		list, err := json.Marshal([]string{one, two})
		require.NoError(t, err)
		r, err := rules.Parse([]byte(`ignore: [{kinds: [queue], fields: ` + string(list) + `}]`))
		if err != nil {
			t.Skip()
		}
		var sides [2]resource.Spec
		for i, text := range []string{want, live} {
			var m map[string]any
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if d.Decode(&m) != nil {
				t.Skip()
			}
			if sides[i], err = resource.CanonicalSpec(m); err != nil || m == nil {
				t.Skip()
			}
		}
		stripped := r.Strip(support, sides[0])
		require.True(t, resource.Equal(stripped, r.Strip(support, stripped)), "twice is once")
		restored := r.Restore(support, sides[0], sides[1])
		require.True(t, resource.Equal(stripped, r.Strip(support, restored)), "%v: %v", restored, stripped)
		require.True(t, resource.Equal(restored, r.Restore(support, restored, sides[1])), "restoring twice is once")
	})
}
