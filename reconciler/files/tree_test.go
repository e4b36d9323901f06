package files

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestOverlaysAndAbsence(t *testing.T) {
	t.Parallel()
	tree := load(t, map[string]string{
		"shared/queue/A.yaml":                    "size: 1\nkeep: x\nenabled: false\ndeep: {a: 1, b: 2}\n",
		"shared/queue/B.yaml":                    "size: 2\n",
		"shared/queue/C.yaml":                    "size: 3\n",
		"shared/queue/D.yaml":                    "size: 4\n",
		"environments/prod/queue/A.yaml":         "$overlay: true\nsize: 10\nenabled: null\ndeep: {b: null, c: 3}\n",
		"environments/prod/queue/B.yaml":         "$absent: true\n",
		"environments/prod/queue/C.yaml":         "tags: [b, a, b]\nenabled: true\nversion: 9\n",
		"environments/prod/queue/E.yaml":         "skill: {$ref: skill/Billing}\npin: {$secret: PIN}\n$$odd: 1\n",
		"environments/test/queue/Other.yaml":     "size: 1\n",
		"environments/prod/file/rules/a.yml":     "own",
		"shared/file/rules/a.yml":                "shared",
		"shared/file/rules/b.yml":                "b",
		"shared/file/rules/c.yml":                "c",
		"environments/prod/file/.driftback.yaml": "rules/c.yml: {$absent: true}\nkey.pem: {$secret: TLS}\nrules/a.yml: {$renamedFrom: x.yml}\n",
	})
	require.Empty(t, messages(tree))
	require.Equal(t, map[string]resource.Spec{
		"queue/A":          {"size": num("10"), "keep": "x", "deep": map[string]any{"a": num("1"), "c": num("3")}},
		"queue/C":          {"tags": []any{"a", "b"}},
		"queue/D":          {"size": num("4")},
		"queue/E":          {"skill": resource.Ref{Key: key("skill/Billing")}, "pin": resource.Secret{Name: "PIN"}, "$odd": num("1")},
		"file/rules/a.yml": {"content": "own"},
		"file/rules/b.yml": {"content": "b"},
		"file/key.pem":     {"content": resource.Secret{Name: "TLS"}},
	}, bodies(t, tree))
	require.Equal(t, map[resource.Key]resource.Key{key("file/rules/a.yml"): key("file/x.yml")}, tree.Renames())
	require.Equal(t, []string{"environments/prod/queue/A.yaml", "shared/queue/A.yaml"}, tree.Paths(key("queue/A")))
	require.Equal(t, []string{"environments/prod/file/rules/a.yml", "environments/prod/file/.driftback.yaml", "shared/file/rules/a.yml"}, tree.Paths(key("file/rules/a.yml")))
	require.Equal(t, []resource.Key{key("queue/D")}, tree.Keys("shared/queue/D.yaml"))
	require.Equal(t, []resource.Key{key("file/key.pem"), key("file/rules/a.yml"), key("file/rules/c.yml")}, tree.Keys("environments/prod/file/.driftback.yaml"))
	require.Empty(t, tree.Masked("shared/queue/D.yaml"))
	require.Equal(t, []resource.Key{key("queue/B")}, tree.Masked("shared/queue/B.yaml"))
	require.Equal(t, []resource.Key{key("file/rules/c.yml")}, tree.Masked("shared/file/rules/c.yml"))
	require.Empty(t, tree.Masked("environments/prod/queue/A.yaml"))
	require.True(t, tree.Snapshot().Covers(key("skill/Nobody")))
	require.False(t, tree.Snapshot().Covers(key("division/Home")))
}

func num(s string) any {
	n, err := resource.CanonicalNumber(s)
	if err != nil {
		panic(err)
	}
	return n
}

func TestProblemsLeaveOthersAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path, content string
		message             string
		unknown             string // key
		broken              bool
	}{
		{"syntax", "environments/prod/queue/X.yaml", "a: 1\nb: [1\nc: 2\n", "environments/prod/queue/X.yaml:3:1: did not find expected ',' or ']'", "queue/X", true},
		{"duplicate", "environments/prod/queue/X.yaml", "a: 1\n\"a\": 2\n", `environments/prod/queue/X.yaml:2:1: the field "a" is there twice`, "queue/X", true},
		{"alias", "environments/prod/queue/X.yaml", "a: &x [1]\nb: *x\n", "environments/prod/queue/X.yaml:2:4: aliases are not read; write the value out", "queue/X", true},
		{"alias key", "environments/prod/queue/X.yaml", "a: &x q\n*x : 1\n", "environments/prod/queue/X.yaml:2:1: aliases are not read; write the value out", "queue/X", true},
		{"merge", "environments/prod/queue/X.yaml", "<<: {a: 1}\n", "environments/prod/queue/X.yaml:1:1: merge keys are not read; write the fields out", "queue/X", true},
		{"null", "environments/prod/queue/X.yaml", "a:\n", `environments/prod/queue/X.yaml:1:3: the field "a" has no value; remove it (only an overlay deletes with null)`, "queue/X", true},
		{"null in list", "environments/prod/queue/X.yaml", "a: [~]\n", "environments/prod/queue/X.yaml:1:5: null in a list has no meaning; remove it", "queue/X", true},
		{"null inside a list", "environments/prod/queue/X.yaml", "$overlay: true\na: [{b: null}]\n", `environments/prod/queue/X.yaml:2:9: the field "b" has no value; remove it (only an overlay deletes with null)`, "queue/X", true},
		{"key", "environments/prod/queue/X.yaml", "1: a\n", "environments/prod/queue/X.yaml:1:1: the key 1 is not a string; quote it", "queue/X", true},
		{"map key", "environments/prod/queue/X.yaml", "? {a: b}\n: c\n", "environments/prod/queue/X.yaml:1:3: a key must be a string", "queue/X", true},
		{"hex", "environments/prod/queue/X.yaml", "a: 0x1F\n", "environments/prod/queue/X.yaml:1:4: is this a number or a text? Write the number in decimal, or quote the text", "queue/X", true},
		{"octal", "environments/prod/queue/X.yaml", "a: 0777\n", "environments/prod/queue/X.yaml:1:4: is this a number or a text? Write the number in decimal, or quote the text", "queue/X", true},
		{"zeros", "environments/prod/queue/X.yaml", "a: 0089\n", "environments/prod/queue/X.yaml:1:4: is this a number or a text? Write the number without leading zeros, or quote the text", "queue/X", true},
		{"underscore", "environments/prod/queue/X.yaml", "a: 1_000\n", "environments/prod/queue/X.yaml:1:4: is this a number or a text? Write the number in decimal, or quote the text", "queue/X", true},
		{"nan", "environments/prod/queue/X.yaml", "a: .nan\n", "environments/prod/queue/X.yaml:1:4: is this a number or a text? Write the number in decimal, or quote the text", "queue/X", true},
		{"exponent", "environments/prod/queue/X.yaml", "a: 1e9999\n", "environments/prod/queue/X.yaml:1:4: the number is too long, or its exponent too large; quote it if it is a text", "queue/X", true},
		{"tag", "environments/prod/queue/X.yaml", "a: !!binary aGk=\n", "environments/prod/queue/X.yaml:1:4: the tag !!binary is not read", "queue/X", true},
		{"map tag", "environments/prod/queue/X.yaml", "a: !x {}\n", "environments/prod/queue/X.yaml:1:4: the tag !x is not read", "queue/X", true},
		{"root tag", "environments/prod/queue/X.yaml", "!x {}\n", "environments/prod/queue/X.yaml:1:1: the tag !x is not read", "queue/X", true},
		{"documents", "environments/prod/queue/X.yaml", "a: 1\n---\nb: 2\n", "environments/prod/queue/X.yaml:2:1: a second document in the file, want one", "queue/X", true},
		{"document after garbage", "environments/prod/queue/X.yaml", "a: 1\n--- [\n", "environments/prod/queue/X.yaml:2:1: did not find expected node content", "queue/X", true},
		{"empty", "environments/prod/queue/X.yaml", "# nothing\n", "environments/prod/queue/X.yaml:1:1: the file is empty; an object without fields is {}", "queue/X", true},
		{"list", "environments/prod/queue/X.yaml", "- a\n", "environments/prod/queue/X.yaml:1:1: want a map of fields", "queue/X", true},
		{"utf8", "environments/prod/queue/X.yaml", "a: é\nb: \xff\n", "environments/prod/queue/X.yaml:2:4: not valid UTF-8", "queue/X", true},
		{"deep", "environments/prod/queue/X.yaml", "a: " + strings.Repeat("[", 101) + strings.Repeat("]", 101), "environments/prod/queue/X.yaml:1:104: nested deeper than 100 levels", "queue/X", true},
		{"directive", "environments/prod/queue/X.yaml", "a: 1\n$overlays: true\n", `environments/prod/queue/X.yaml:2:1: unknown directive "$overlays"; a field of that name is written with $$`, "queue/X", true},
		{"directive inside", "environments/prod/queue/X.yaml", "a: {$absent: true}\n", `environments/prod/queue/X.yaml:1:5: unknown directive "$absent" here; a field of that name is written with $$`, "queue/X", true},
		{"directive twice", "environments/prod/queue/X.yaml", "$absent: true\n$absent: true\n", "environments/prod/queue/X.yaml:2:1: $absent is there twice", "queue/X", true},
		{"directive false", "environments/prod/queue/X.yaml", "$absent: false\n", "environments/prod/queue/X.yaml:1:10: $absent can only be true", "queue/X", true},
		{"absent with fields", "environments/prod/queue/X.yaml", "a: 1\n$absent: true\n", "environments/prod/queue/X.yaml:2:1: $absent says that there is no object, but the file has fields", "queue/X", true},
		{"name", "environments/prod/queue/X.yaml", "$name: Y\n", `environments/prod/queue/X.yaml:1:1: $name is "Y", but the file is that of "X"`, "queue/X", true},
		{"name number", "environments/prod/queue/X.yaml", "$name: 5\n", "environments/prod/queue/X.yaml:1:8: $name is a number; quote it", "queue/X", true},
		{"name list", "environments/prod/queue/X.yaml", "$renamedFrom: []\n", "environments/prod/queue/X.yaml:1:15: $renamedFrom wants a name", "queue/X", true},
		{"name hex", "environments/prod/queue/X.yaml", "$renamedFrom: 0x1\n", "environments/prod/queue/X.yaml:1:15: is this a number or a text? Write the number in decimal, or quote the text", "queue/X", true},
		{"ref", "environments/prod/queue/X.yaml", "a: {$ref: Billing}\n", "environments/prod/queue/X.yaml:1:11: $ref wants kind/name, such as {$ref: queue/Support}", "queue/X", true},
		{"ref number", "environments/prod/queue/X.yaml", "a: {$ref: 5}\n", "environments/prod/queue/X.yaml:1:11: $ref is a number; quote it", "queue/X", true},
		{"ref and more", "environments/prod/queue/X.yaml", "a: {$ref: skill/a, b: 1}\n", "environments/prod/queue/X.yaml:1:5: $ref stands alone in its map", "queue/X", true},
		{"overlay in the air", "environments/prod/queue/X.yaml", "# why\n$overlay: true\na: 1\n", "environments/prod/queue/X.yaml:2:1: an overlay without a shared object to lie on", "queue/X", true},
		{"overlay in shared", "shared/queue/X.yaml", "$overlay: true\na: 1\n", "shared/queue/X.yaml:1:1: there is no shared object below this file for an overlay or $absent to change", "queue/X", true},
		{"too large", "environments/prod/queue/X.yaml", "a: " + strings.Repeat("x", 1<<20), "environments/prod/queue/X.yaml: the file is over the limit of 1048576 bytes", "queue/X", true},
		{"raw too large", "environments/prod/file/x", strings.Repeat("x", 1001), "environments/prod/file/x: the file is over the limit of 1000 bytes", "file/x", true},
		{"yml", "environments/prod/queue/X.yml", "a: 1\n", "environments/prod/queue/X.yml: the name of the file must end in .yaml", "queue/X", true},
		{"json", "environments/prod/queue/X.json", "{}", "environments/prod/queue/X.json: the name of the file must end in .yaml", "", true},
		{"folder", "environments/prod/queue/a/X.yaml", "a: 1\n", "environments/prod/queue/a/X.yaml: objects stand directly in the folder of their kind; a slash in a name is written %2F", "", true},
		{"percent", "environments/prod/queue/100%.yaml", "a: 1\n", "environments/prod/queue/100%.yaml: file name: % is not followed by two hexadecimal digits; write %25 for a percent sign", "", true},
		{"percent z", "environments/prod/queue/%zz.yaml", "a: 1\n", "environments/prod/queue/%zz.yaml: file name: % is not followed by two hexadecimal digits; write %25 for a percent sign", "", true},
		{"note", "environments/prod/queue/X.txt", "a: 1\n", "environments/prod/queue/X.txt: not an object, whose file would end in .yaml", "", false},
		{"kind", "environments/prod/flow/X.yaml", "a: 1\n", `environments/prod/flow: "flow" is no kind that is managed here`, "", false},
		{"reference only", "shared/division/X.yaml", "a: 1\n", "shared/division: objects of kind division are looked up by name and not managed here", "", false},
		{"no folder", "environments/prod/X.yaml", "a: 1\n", "environments/prod/X.yaml: objects stand in a folder of their kind, such as queue/Support.yaml", "", false},
		{"long", "environments/prod/queue/X%-00.yaml", "$name: Xy\n", "environments/prod/queue/X%-00.yaml:1:1: the file's name stands for a long one, which $name must hold, and does not", "", true},
		{"raw name", "environments/prod/file/a\x01b", "x", "environments/prod/file/a\x01b: the name holds the control character U+0001, which a path in Git must not", "", true},
		{"sidecar", "environments/prod/file/.driftback.yaml", "- a\n", "environments/prod/file/.driftback.yaml:1:1: want a map from names to directives", "file/shared", true},
		{"sidecar syntax", "environments/prod/file/.driftback.yaml", "a: [\n", "environments/prod/file/.driftback.yaml:1:1: did not find expected node content", "file/shared", true},
		{"sidecar twice", "environments/prod/file/.driftback.yaml", "a: {$absent: true}\na: {$absent: true}\n", `environments/prod/file/.driftback.yaml:2:1: the name "a" is there twice`, "file/shared", true},
		{"sidecar key", "environments/prod/file/.driftback.yaml", "[a]: {$absent: true}\n", "environments/prod/file/.driftback.yaml:1:1: a key must be a string", "file/shared", true},
		{"sidecar directive", "environments/prod/file/.driftback.yaml", "x: {$overlay: true}\n", `environments/prod/file/.driftback.yaml:1:5: unknown directive "$overlay"; there are $absent, $renamedFrom and $secret`, "file/x", true},
		{"sidecar directive twice", "environments/prod/file/.driftback.yaml", "x: {$absent: true, $absent: true}\n", `environments/prod/file/.driftback.yaml:1:20: "$absent" is there twice`, "file/x", true},
		{"sidecar scalar", "environments/prod/file/.driftback.yaml", "x: absent\n", "environments/prod/file/.driftback.yaml:1:4: want directives, such as {$absent: true}", "file/x", true},
		{"sidecar false", "environments/prod/file/.driftback.yaml", "x: {$absent: no}\n", "environments/prod/file/.driftback.yaml:1:14: $absent can only be true", "file/x", true},
		{"sidecar both", "environments/prod/file/.driftback.yaml", "x: {$absent: true, $secret: S}\n", "environments/prod/file/.driftback.yaml:1:1: $absent and $secret exclude each other", "file/x", true},
		{"sidecar shared", "shared/file/.driftback.yaml", "x: {$absent: true}\n", "shared/file/.driftback.yaml:1:1: $absent has no meaning in the shared folder", "file/x", true},
		{"sidecar over content", "environments/prod/file/.driftback.yaml", "good: {$absent: true}\n", `environments/prod/file/.driftback.yaml:1:1: "good" has a file of content here; remove that or this entry`, "file/good", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tree := load(t, map[string]string{
				c.path:                              c.content,
				"environments/prod/queue/Good.yaml": "a: 1\n",
				"environments/prod/file/good":       "good",
				"shared/file/shared":                "shared",
				"environments/prod/queue/README.md": "hello",
				"environments/prod/queue/.gitkeep":  "",
				"environments/prod/README.md":       "hello",
				"environments/prod/.x/y.yaml":       "hello",
				"environments/prod/queue/doc/a.md":  "hello",
			})
			require.Equal(t, []string{c.message}, messages(tree))
			require.Equal(t, c.message, tree.Problems()[0].String())
			require.ErrorContains(t, tree.Problems()[0].Unwrap(), tree.Problems()[0].Err.Error())
			require.Equal(t, c.broken, tree.Broken("queue") || tree.Broken("file"))
			require.False(t, tree.Broken("skill"))
			got := bodies(t, tree)
			require.Contains(t, got, "queue/Good")
			if c.unknown == "" {
				require.LessOrEqual(t, len(tree.Snapshot().Scope().Unknown), 1)
				return
			}
			require.NotContains(t, got, c.unknown)
			require.False(t, tree.Snapshot().Covers(key(c.unknown)))
			require.Contains(t, tree.Snapshot().Scope().Unknown[key(c.unknown)], ":")
		})
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	r := newRepo(map[string]string{"environments/prod/queue/A.yaml": "a: 1\n", "environments/prod/queue/B.yaml": "b: 1\n",
		"environments/prod/queue/C.yaml": "c: 1\n", "environments/prod/file/x": "#!", "environments/prod/file/.driftback.yaml": "a", "shared/file/z": "z"})
	r.modes["environments/prod/queue/A.yaml"] = 0o120000
	r.modes["environments/prod/queue/B.yaml"] = 0o160000
	r.modes["environments/prod/queue/C.yaml"] = 0o010000
	r.modes["environments/prod/file/.driftback.yaml"] = 0o120000
	r.modes["environments/prod/file/x"] = 0o100755
	tree := r.load(t, testLayout)
	require.Equal(t, []string{
		"environments/prod/file/.driftback.yaml: a symbolic link is not followed; put the file itself here",
		"environments/prod/queue/A.yaml: a symbolic link is not followed; put the file itself here",
		"environments/prod/queue/B.yaml: a submodule is not read; put the files themselves here",
		"environments/prod/queue/C.yaml: not an ordinary file",
	}, messages(tree))
	require.Equal(t, map[string]resource.Spec{"file/x": {"content": "#!"}}, bodies(t, tree))
	require.Contains(t, tree.Snapshot().Scope().Unknown, key("file/z"))

	_, err := tree.Write(resource.Overlay{key("queue/A"): {Key: key("queue/A"), Spec: resource.Spec{"a": "b"}}})
	require.EqualError(t, err, "write queue/A: environments/prod/queue/A.yaml: a symbolic link is not followed; put the file itself here")
}

func TestSecondFileOfAKey(t *testing.T) {
	t.Parallel()
	r := newRepo(map[string]string{"environments/prod/queue/A.yaml": "a: 1\n", "environments/prod/queue/%41.yaml": "a: 2\n", "shared/queue/A.yaml": "a: 3\n"})
	tree := r.load(t, testLayout)
	require.Equal(t, []string{"environments/prod/queue/A.yaml: a second file of queue/A, which is environments/prod/queue/%41.yaml already"}, messages(tree))
	require.Empty(t, bodies(t, tree))
	edit, err := tree.Write(resource.Overlay{key("queue/A"): {Key: key("queue/A"), Spec: resource.Spec{"a": num("2")}}})
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"environments/prod/queue/A.yaml": nil, "environments/prod/queue/%41.yaml": []byte("$overlay: true\na: 2\n")}, edit)
}

func TestReadErrorsAreNotProblems(t *testing.T) {
	t.Parallel()
	r := newRepo(map[string]string{"environments/prod/queue/A.yaml": "a: 1\n", "shared/queue/A.yaml": "a: 1\n", "environments/prod/queue/B.yaml": "a: 2\n"})
	r.fail = errors.New("disk gone")
	_, err := testLayout.Load(r.list(), r.read, nil)
	require.ErrorContains(t, err, "disk gone")
	r.fail = nil
	tree := r.load(t, testLayout)
	r.fail = errors.New("disk gone")
	_, err = tree.Update([]Delta{{Path: "environments/prod/queue/C.yaml", New: File{ID: [20]byte{1}, Mode: 0o100644}}}, r.read)
	require.ErrorContains(t, err, "disk gone")
	_, err = tree.Snapshot().Spec(key("queue/A"))
	require.ErrorContains(t, err, "disk gone")
	_, err = testLayout.Load(r.list(), func(id [20]byte, _ int64) ([]byte, error) { return nil, errors.New("gone") }, nil)
	require.Error(t, err)
}

func TestBodiesMustBeWhatTheIndexSays(t *testing.T) {
	t.Parallel()
	r := newRepo(map[string]string{"environments/prod/queue/A.yaml": "a: 1\n", "environments/prod/queue/B.yaml": "b: 1\n"})
	other := "a: 2\n"
	tree, err := testLayout.Load(r.list(), func(id [20]byte, limit int64) ([]byte, error) {
		if b, err := r.read(id, limit); err != nil || string(b) != "a: 1\n" || r.reads[id] < 2 {
			return b, err
		}
		return []byte(other), nil
	}, nil)
	require.NoError(t, err)
	_, err = tree.Snapshot().Spec(key("queue/A"))
	require.EqualError(t, err, "read environments/prod/queue/A.yaml: the file does not say what was remembered of it")
	other = "a: ["
	_, err = tree.Snapshot().Spec(key("queue/A"))
	require.EqualError(t, err, "read environments/prod/queue/A.yaml: 1:1: did not find expected node content")
	_, err = tree.Snapshot().Spec(key("queue/B"))
	require.NoError(t, err)
}

// Random histories: every Update equals a fresh Load, every Write renders to what was asked for.
func TestHistories(t *testing.T) {
	t.Parallel()
	n := 300
	for seed := range n {
		history(t, uint64(seed), 12)
	}
}

func FuzzHistory(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { history(t, seed, 12) })
}

var names = []string{"A", "a", "Ä", "ä", "A b", "con", "Con", "x/y", "x", strings.Repeat("N", 250), strings.Repeat("n", 250), "é", "e\u0301", " lead", "dot.", "100%", "CON.txt"}

func history(t *testing.T, seed uint64, steps int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	repo := newRepo(nil)
	layout := testLayout
	if r.IntN(4) == 0 {
		layout.Shared = ""
	}
	cache := NewCache()
	tree, err := layout.Load(repo.list(), repo.read, cache)
	require.NoError(t, err)
	for step := range steps {
		var deltas []Delta
		if r.IntN(2) == 0 {
			deltas = repo.apply(randomEdit(r))
		} else {
			o := randomOverlay(r, tree)
			edit, err := tree.Write(o)
			refused := map[resource.Key]bool{}
			for _, e := range keyErrors(t, err) {
				refused[e.Key] = true
			}
			deltas = repo.apply(edit)
			after := repo.load(t, layout)
			for k, res := range o {
				if refused[k] {
					continue
				}
				require.NotContains(t, after.Snapshot().Scope().Unknown, k, "seed %d step %d", seed, step)
				got, err := after.Snapshot().Spec(k)
				require.NoError(t, err)
				want := resource.Spec(nil)
				if res != nil {
					want = res.Spec
				}
				require.True(t, resource.Equal(want, got) || want == nil && got == nil, "seed %d step %d %s: want %v got %v", seed, step, k, want, got)
			}
			for e := range tree.Snapshot().Entries() {
				if _, asked := o[e.Key]; !asked {
					require.Equal(t, e.Hash, after.Snapshot().Hash(e.Key), "seed %d step %d: %s changed", seed, step, e.Key)
				}
			}
			again, _ := after.Write(o)
			for path := range again {
				require.Fail(t, "a second write does something", "seed %d step %d: %s", seed, step, path)
			}
			noFoldedTwins(t, tree, after, edit)
		}
		before := bodies(t, tree)
		next, err := tree.Update(deltas, repo.read)
		require.NoError(t, err)
		require.Equal(t, before, bodies(t, tree), "the old tree changed")
		tree = next
		equalTrees(t, repo.load(t, layout), tree, fmt.Sprintf("seed %d step %d", seed, step))
		if r.IntN(3) == 0 {
			b, err := cache.MarshalBinary()
			require.NoError(t, err)
			cache = NewCache()
			require.NoError(t, cache.UnmarshalBinary(b))
			tree, err = layout.Load(repo.list(), repo.read, cache)
			require.NoError(t, err)
			equalTrees(t, repo.load(t, layout), tree, fmt.Sprintf("seed %d step %d from cache", seed, step))
		}
	}
}

func equalTrees(t *testing.T, want, got *Tree, at string) {
	t.Helper()
	require.Equal(t, slices.Collect(want.Snapshot().Entries()), slices.Collect(got.Snapshot().Entries()), at)
	require.Equal(t, len(want.Snapshot().Scope().Unknown), len(got.Snapshot().Scope().Unknown), at)
	require.True(t, want.Snapshot().Scope().Equal(got.Snapshot().Scope()), at)
	require.Equal(t, messages(want), messages(got), at)
	require.True(t, slices.Equal(want.tables[own], got.tables[own]) && slices.Equal(want.tables[shared], got.tables[shared]), at)
	require.Equal(t, want.notes, got.notes, at)
	require.Equal(t, want.Renames(), got.Renames(), at)
	require.Equal(t, len(want.odd), len(got.odd), at)
	require.Equal(t, bodies(t, want), bodies(t, got), at)
	for e := range want.Snapshot().Entries() {
		require.Equal(t, want.Paths(e.Key), got.Paths(e.Key), at)
	}
}

func keyErrors(t *testing.T, err error) []*KeyError {
	t.Helper()
	if err == nil {
		return nil
	}
	var out []*KeyError
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var k *KeyError
		require.ErrorAs(t, e, &k)
		out = append(out, k)
	}
	return out
}

// noFoldedTwins checks the paths that a Write chose.
func noFoldedTwins(t *testing.T, before, after *Tree, edit map[string][]byte) {
	t.Helper()
	for path := range edit {
		if _, old := before.find(own, path); old || edit[path] == nil || !strings.Contains(path, "/queue/") {
			continue
		}
		for _, l := range after.tables[own] {
			require.False(t, l.path != path && foldName(l.path) == foldName(path), "%s and %s", path, l.path)
		}
	}
}

func randomEdit(r *rand.Rand) map[string][]byte {
	edit := map[string][]byte{}
	for range 1 + r.IntN(4) {
		prefix := []string{"environments/prod/", "shared/", "elsewhere/"}[r.IntN(3)]
		path := prefix
		switch r.IntN(8) {
		case 0:
			path += "file/.driftback.yaml"
		case 1, 2:
			path += "file/" + []string{"a", "b", "c"}[r.IntN(3)]
		case 3:
			path += []string{"queue/A.yml", "queue/hand/x.yaml", "flow/a.yaml", "queue/x.txt", "queue/bad%.yaml", "queue/hand%-1.yaml", "x.yaml"}[r.IntN(7)]
		default:
			encode := []func(string) string{encodeName, caseName, fullName}[0]
			if prefix == "shared/" {
				encode = []func(string) string{encodeName, caseName, fullName}[r.IntN(3)]
			}
			path += "queue/" + encode(names[r.IntN(3)]) + ext
			if prefix != "shared/" {
				path = prefix + "queue/A.yaml"
			}
		}
		content := []string{"a: 1\n", "b: {x: 1, y: 2}\ntags: [b, a]\n", "$overlay: true\na: 5\nb: null\n", "$absent: true\n", "broken: [\n",
			"a: {$absent: true}\n", "b: {$secret: X}\nc: {$renamedFrom: d}\n", "a: {$nonsense: 1}\n", "$renamedFrom: Old\na: 2\n"}[r.IntN(9)]
		edit[path] = []byte(content)
		if r.IntN(4) == 0 {
			edit[path] = nil
		}
	}
	return edit
}

func randomOverlay(r *rand.Rand, tree *Tree) resource.Overlay {
	o := resource.Overlay{}
	for range 1 + r.IntN(4) {
		k := resource.Key{Kind: "queue", Name: names[r.IntN(len(names))]}
		spec := resource.Spec{"text": weird[r.IntN(len(weird))], "n": num(fmt.Sprint(r.IntN(3)))}
		if r.IntN(2) == 0 {
			spec["b"] = map[string]any{"x": num("1"), "y": num(fmt.Sprint(r.IntN(3)))}
		}
		if r.IntN(3) == 0 {
			k = resource.Key{Kind: "file", Name: []string{"a", "b", "c", "b/c", "d", "../x"}[r.IntN(6)]}
			spec = resource.RawSpec([]byte(weird[r.IntN(len(weird))]))
			if r.IntN(5) == 0 {
				spec = resource.Spec{resource.Content: resource.Secret{Name: "S"}}
			}
		}
		o[k] = &resource.Resource{Key: k, Spec: spec}
		if r.IntN(4) == 0 {
			o[k] = nil
		}
	}
	for e := range tree.Snapshot().Entries() {
		if r.IntN(6) == 0 {
			o[e.Key] = nil
		}
	}
	return o
}
