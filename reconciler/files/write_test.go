package files

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func write(t *testing.T, tree *Tree, k string, spec resource.Spec) map[string]string {
	t.Helper()
	var r *resource.Resource
	if spec != nil {
		r = &resource.Resource{Key: key(k), Spec: spec}
	}
	edit, err := tree.Write(resource.Overlay{key(k): r})
	require.NoError(t, err)
	out := map[string]string{}
	for path, content := range edit {
		if out[path] = string(content); content == nil {
			out[path] = "(deleted)"
		}
	}
	return out
}

func TestWriteTyped(t *testing.T) {
	t.Parallel()
	big := "description: a text that is long enough for an overlay to be worth it\n"
	tree := load(t, map[string]string{
		"shared/queue/A.yaml":             big + "deep: {a: 1, b: 2}\nsize: 1\n",
		"environments/prod/queue/A.yaml":  "$overlay: true\nsize: 2\n",
		"shared/queue/B.yaml":             "size: 1\n",
		"environments/prod/queue/C.yaml":  "#style of its own\n'size' : 0001.0e0\n",
		"environments/prod/queue/D.yaml":  "{size: 1.0, tags: [b, a]}\n",
		"environments/prod/queue/S.yaml":  "size: 1\n",
		"shared/queue/Broken.yaml":        "size: [\n",
		"environments/prod/queue/Yml.yml": "size: 1\n",
	})
	text := strings.TrimSuffix(strings.TrimPrefix(big, "description: "), "\n")
	one, two := num("1"), num("2")
	spec := func(size any) resource.Spec {
		return resource.Spec{"description": text, "deep": map[string]any{"a": one, "b": two}, "size": size}
	}
	for _, c := range []struct {
		name string
		key  string
		spec resource.Spec
		want map[string]string
	}{
		{"nothing to do", "queue/A", spec(two), map[string]string{}},
		{"smallest overlay", "queue/A", resource.Spec{"description": text, "deep": map[string]any{"a": one}, "size": one, "new": "x"},
			map[string]string{"environments/prod/queue/A.yaml": "$overlay: true\ndeep:\n  b: null\nnew: x\n"}},
		{"as shared", "queue/A", spec(one), map[string]string{"environments/prod/queue/A.yaml": "(deleted)"}},
		{"gone, but shared", "queue/A", nil, map[string]string{"environments/prod/queue/A.yaml": "$absent: true\n"}},
		{"an overlay though longer", "queue/B", resource.Spec{"size": two}, map[string]string{"environments/prod/queue/B.yaml": "$overlay: true\nsize: 2\n"}},
		{"another style, same value", "queue/D", resource.Spec{"size": one, "tags": []any{"b", "a"}}, map[string]string{}},
		{"changed", "queue/D", resource.Spec{"size": two, "enabled": true}, map[string]string{"environments/prod/queue/D.yaml": "size: 2\n"}},
		{"broken is replaced", "queue/C", resource.Spec{"size": two}, map[string]string{"environments/prod/queue/C.yaml": "size: 2\n"}},
		{"gone", "queue/D", nil, map[string]string{"environments/prod/queue/D.yaml": "(deleted)"}},
		{"never was", "queue/None", nil, map[string]string{}},
		{"case", "queue/s", resource.Spec{}, map[string]string{"environments/prod/queue/%73.yaml": "{}\n"}},
		{"over broken shared", "queue/Broken", resource.Spec{"size": one}, map[string]string{"environments/prod/queue/Broken.yaml": "size: 1\n"}},
		{"no broken shared", "queue/Broken", nil, map[string]string{"environments/prod/queue/Broken.yaml": "$absent: true\n"}},
		{"yml", "queue/Yml", resource.Spec{"size": two}, map[string]string{"environments/prod/queue/Yml.yml": "(deleted)", "environments/prod/queue/Yml.yaml": "size: 2\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, write(t, tree, c.key, c.spec))
		})
	}

	edit, err := tree.WriteRenamed(resource.Overlay{key("queue/S"): nil, key("queue/s"): {Spec: resource.Spec{"size": one}}}, map[resource.Key]resource.Key{key("queue/s"): key("queue/S")})
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"environments/prod/queue/S.yaml": nil, "environments/prod/queue/s.yaml": []byte("$renamedFrom: S\nsize: 1\n")}, edit, "a rename frees its path")

	edit, err = tree.Write(resource.Overlay{key("queue/Good"): {Spec: resource.Spec{"size": one}}, key("queue/Bad"): {Spec: resource.Spec{"x": "\xff"}},
		key("division/D"): {Spec: resource.Spec{}}, key("flow/F"): nil})
	require.EqualError(t, err, "write division/D: kind division is not managed here\nwrite flow/F: kind flow is not managed here\nwrite queue/Bad: the field \"x\" holds bytes that are no UTF-8")
	require.Equal(t, map[string][]byte{"environments/prod/queue/Good.yaml": []byte("size: 1\n")}, edit)
	var ke *KeyError
	require.ErrorAs(t, err, &ke)
	require.Error(t, ke.Unwrap())
}

func TestWriteRaw(t *testing.T) {
	t.Parallel()
	const side = "environments/prod/file/.driftback.yaml"
	tree := load(t, map[string]string{
		"shared/file/a": "A", "shared/file/b": "B", "shared/file/.driftback.yaml": "s: {$secret: S}\n",
		"environments/prod/file/a": "mine", "environments/prod/file/dir/x": "x", side: "b: {$absent: true}\nk: {$secret: K}\n",
	})
	raw := func(s string) resource.Spec { return resource.RawSpec([]byte(s)) }
	for _, c := range []struct {
		name string
		key  string
		spec resource.Spec
		want map[string]string
	}{
		{"as shared", "file/a", raw("A"), map[string]string{"environments/prod/file/a": "(deleted)"}},
		{"changed", "file/a", raw("new"), map[string]string{"environments/prod/file/a": "new"}},
		{"emptied", "file/a", raw(""), map[string]string{"environments/prod/file/a": ""}},
		{"gone", "file/a", nil, map[string]string{"environments/prod/file/a": "(deleted)", side: "a:\n  $absent: true\nb:\n  $absent: true\nk:\n  $secret: K\n"}},
		{"back as shared", "file/b", raw("B"), map[string]string{side: "k:\n  $secret: K\n"}},
		{"back as another", "file/b", raw("other"), map[string]string{side: "k:\n  $secret: K\n", "environments/prod/file/b": "other"}},
		{"secret shared", "file/s", secretSpec("S"), map[string]string{}},
		{"secret of its own", "file/s", secretSpec("T"), map[string]string{side: "b:\n  $absent: true\nk:\n  $secret: K\ns:\n  $secret: T\n"}},
		{"secret becomes text", "file/k", raw("text"), map[string]string{side: "b:\n  $absent: true\n", "environments/prod/file/k": "text"}},
		{"secret gone", "file/k", nil, map[string]string{side: "b:\n  $absent: true\n"}},
		{"folder", "file/dir/y/z", raw("z"), map[string]string{"environments/prod/file/dir/y/z": "z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, write(t, tree, c.key, c.spec))
		})
	}
	for name, why := range map[string]string{
		"dir": "environments/prod/file/dir/x is in the way", "a/b": "environments/prod/file/a is in the way", "../x": "leaves its folder", sidecarName: "taken", "x\n": "control character",
	} {
		k := resource.Key{Kind: "file", Name: name}
		edit, err := tree.Write(resource.Overlay{k: {Key: k, Spec: raw("x")}})
		require.ErrorContains(t, err, why)
		require.Empty(t, edit)
	}
	edit, err := tree.Write(resource.Overlay{key("file/dir/x"): nil, key("file/dir"): {Spec: raw("x")}})
	require.NoError(t, err, "the folder goes with the same change")
	require.Len(t, edit, 2)
	edit, err = tree.WriteRenamed(resource.Overlay{key("file/n"): {Spec: raw("x")}}, map[resource.Key]resource.Key{key("file/n"): key("file/o")})
	require.NoError(t, err)
	require.Equal(t, "b:\n  $absent: true\nk:\n  $secret: K\n\"n\":\n  $renamedFrom: o\n", string(edit[side]))
	for _, spec := range []resource.Spec{{"content": resource.Secret{}}, {"a": "b"}, raw(strings.Repeat("x", 1001))} {
		_, err = tree.Write(resource.Overlay{key("file/x"): {Spec: spec}})
		require.Error(t, err)
	}
}

func TestWriteLeavesUnreadableSidecarsAlone(t *testing.T) {
	t.Parallel()
	const side = "environments/prod/file/.driftback.yaml"
	files := map[string]string{"shared/file/a": "A", side: "a: [\n"}
	_, err := load(t, files).Write(resource.Overlay{key("file/a"): nil})
	require.EqualError(t, err, "write file/a: environments/prod/file/.driftback.yaml cannot be read, and has to say something of it")
	require.Equal(t, map[string]string{"environments/prod/file/c": "c"}, write(t, load(t, files), "file/c", resource.RawSpec([]byte("c"))))

	files[side] = "b: {$nonsense: true}\n"
	_, err = load(t, files).Write(resource.Overlay{key("file/a"): nil})
	require.ErrorContains(t, err, "write file/a: environments/prod/file/.driftback.yaml cannot be rewritten: 1:5: unknown directive \"$nonsense\"")
	require.Equal(t, map[string]string{"environments/prod/file/c": "c"}, write(t, load(t, files), "file/c", resource.RawSpec([]byte("c"))))
}

// Many new names at once, each of which differs from another in case only.
func TestWriteManyNames(t *testing.T) {
	t.Parallel()
	r := newRepo(map[string]string{"environments/prod/queue/name1.yaml": "{}\n"})
	tree := r.load(t, testLayout)
	o := resource.Overlay{}
	for i := range 30 {
		for _, form := range []string{"name%d", "Name%d", "NAME%d", "nÄme%d", "näme%d"} {
			k := resource.Key{Kind: "queue", Name: fmt.Sprintf(form, i)}
			o[k] = &resource.Resource{Key: k, Spec: resource.Spec{"n": k.Name}}
		}
	}
	edit, err := tree.Write(o)
	require.NoError(t, err)
	r.apply(edit)
	after := r.load(t, testLayout)
	require.Empty(t, messages(after))
	require.Equal(t, 150, after.Snapshot().Len())
	noFoldedTwins(t, tree, after, edit)
}

func TestLiveBranchLayout(t *testing.T) {
	t.Parallel()
	l := Layout{Kinds: testKinds}
	require.Equal(t, []string{"queue", "skill", "file"}, l.Prefixes())
	require.Equal(t, []string{"environments/prod", "shared"}, testLayout.Prefixes())
	r := newRepo(map[string]string{"README.md": "x", "running/queue/A.yaml": "a: 1\n", "queue/A.yaml": "a: 1\n", "file/x/y": "y", "top.yaml": "{}"})
	tree := r.load(t, l)
	require.Empty(t, messages(tree))
	require.Equal(t, map[string]resource.Spec{"queue/A": {"a": num("1")}, "file/x/y": {"content": "y"}}, bodies(t, tree))
	require.Equal(t, map[string]string{"queue/B.yaml": "b: 1\n"}, write(t, tree, "queue/B", resource.Spec{"b": num("1")}))
	require.Equal(t, map[string]string{"file/x/y": "(deleted)"}, write(t, tree, "file/x/y", nil))
	r.apply(map[string][]byte{"queue/O.yaml": []byte("$overlay: true\n"), "queue/N.yaml": []byte("$absent: true\n")})
	require.Equal(t, []string{
		"queue/N.yaml:1:1: there is no shared object below this file for an overlay or $absent to change",
		"queue/O.yaml:1:1: there is no shared object below this file for an overlay or $absent to change",
	}, messages(r.load(t, l)))
}

// randomMap is a small canonical map; two of them often share fields.
func randomMap(r *rand.Rand, depth int) map[string]any {
	out := map[string]any{}
	for range r.IntN(5) {
		k := string(rune('a' + r.IntN(4)))
		switch {
		case depth > 0 && r.IntN(2) == 0:
			out[k] = randomMap(r, depth-1)
		case r.IntN(4) == 0:
			out[k] = []any{randomMap(r, 0), num(fmt.Sprint(r.IntN(3)))}
		case r.IntN(4) == 0:
			out[k] = resource.Ref{Key: key("skill/x")}
		default:
			out[k] = num(fmt.Sprint(r.IntN(3)))
		}
	}
	return out
}

func checkSmallest(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	shared, live := randomMap(r, 3), randomMap(r, 3)
	before := resource.Spec(shared).Clone()
	patch := smallest(shared, live)
	require.True(t, resource.Equal(live, patched(shared, patch)), "seed %d", seed)
	require.True(t, resource.Equal(before, resource.Spec(shared)), "seed %d: shared was changed", seed)
	require.Equal(t, resource.Equal(shared, live), len(patch) == 0, "seed %d", seed)
	// Without any one of its fields the patch would not do.
	for k, v := range patch {
		delete(patch, k)
		require.False(t, resource.Equal(live, patched(shared, patch)), "seed %d: %s is needless", seed, k)
		patch[k] = v
	}
	// It survives being written and read.
	info := resource.KindInfo{Kind: "queue"}
	b, err := encodeDocument(info, document{overlay: true, body: patch})
	require.NoError(t, err)
	d, f := decodeDocument(b)
	require.Nil(t, f)
	require.True(t, resource.Equal(live, patched(shared, d.body)), "seed %d\n%s", seed, b)
}

func TestSmallestOverlay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		checkSmallest(t, seed)
	}
}

func FuzzSmallestOverlay(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkSmallest(t, seed) })
}

// RFC 7396, appendix A, as far as it can be said without null in results.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	m := func(kv ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1]
		}
		return out
	}
	for _, c := range [][3]any{
		{m("a", "b"), m("a", "c"), m("a", "c")}, {m("a", "b"), m("b", "c"), m("a", "b", "b", "c")}, {m("a", "b"), m("a", nil), m()}, {m("a", "b", "b", "c"), m("a", nil), m("b", "c")},
		{m("a", []any{"b"}), m("a", "c"), m("a", "c")}, {m("a", "c"), m("a", []any{"b"}), m("a", []any{"b"})}, {m("a", m("b", "c")), m("a", m("b", "d", "c", nil)), m("a", m("b", "d"))},
		{[]any{"a"}, m("a", "b"), m("a", "b")}, {m(), m("a", m("bb", m("ccc", nil))), m("a", m("bb", m()))}, {m("a", "foo"), "bar", "bar"},
	} {
		require.Equal(t, c[2], patched(c[0], c[1]))
	}
}
