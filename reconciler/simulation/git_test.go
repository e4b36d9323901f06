package simulation

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/resource"
)

// tree is what some files say: each object as its value, and as the text of it. Nobody may change it.
type tree struct {
	spec    map[resource.Key]resource.Spec
	text    map[resource.Key]string
	unknown map[resource.Key]bool // files that say nothing: their objects are neither there nor gone
}

// textOf is a value as it is compared: without the field that an older version of the program does not know, and without what is operational.
func textOf(s resource.Spec) string {
	if s["c"] != nil || s["busy"] != nil {
		s = s.Clone()
		delete(s, "c")
		delete(s, "busy")
	}
	return resource.Text(s)
}

func newTree() *tree {
	return &tree{map[resource.Key]resource.Spec{}, map[resource.Key]string{}, map[resource.Key]bool{}}
}

func (t *tree) set(k resource.Key, s resource.Spec) {
	t.spec[k], t.text[k] = s, textOf(s)
}

// reader reads Git with a YAML library and a rendering of overlays of its own. It shares no code with what
// is checked but the object store, and remembers what it read.
type reader struct {
	folders map[treeKey]*tree
	wants   map[treeKey]*tree
	docs    map[gitstore.ID]map[string]any
}

type treeKey struct {
	commit gitstore.ID
	folder string
}

func newReader() reader {
	return reader{map[treeKey]*tree{}, map[treeKey]*tree{}, map[gitstore.ID]map[string]any{}}
}

// refs asks the remote, and takes note of where main is.
func (w *world) refs() gitstore.Refs {
	r, err := w.store.Sync(context.Background())
	must(err)
	if m := w.mains; !r[mainRef].IsZero() && (len(m) == 0 || m[len(m)-1].id != r[mainRef]) {
		w.mains = append(m, mainTip{r[mainRef], w.now})
	}
	return r
}

// doc parses a file; nil where it does not parse.
func (w *world) doc(id gitstore.ID) map[string]any {
	if m, ok := w.git.docs[id]; ok {
		return m
	}
	b, err := w.store.Blob(id, 0)
	must(err)
	m := map[string]any{}
	if yaml.Unmarshal(b, &m) != nil {
		m = nil // see commitBroken
	}
	w.git.docs[id] = m
	return m
}

// files yields the objects' files below a folder.
func (w *world) files(commit gitstore.ID, folder string, yield func(resource.Key, map[string]any)) {
	for _, kind := range []resource.Kind{skillKind, thingKind} {
		must(w.store.Files(commit, strings.TrimPrefix(folder+"/"+string(kind), "/"), func(f gitstore.File) error {
			if m := w.doc(f.ID); m != nil {
				yield(keyOf(f.Path), m)
			}
			return nil
		}))
	}
}

func keyOf(p string) resource.Key {
	return resource.Key{Kind: resource.Kind(path.Base(path.Dir(p))), Name: strings.TrimSuffix(path.Base(p), ".yaml")}
}

// tree reads the objects below a folder of a commit.
func (w *world) tree(commit gitstore.ID, folder string) *tree {
	at := treeKey{commit, folder}
	if out, ok := w.git.folders[at]; ok {
		return out
	}
	out := newTree()
	if !commit.IsZero() {
		w.files(commit, folder, func(k resource.Key, m map[string]any) { out.set(k, specOf(m)) })
	}
	w.git.folders[at] = out
	return out
}

// want renders what a commit says for an environment: whole files, overlays as JSON Merge Patches on shared ones.
func (w *world) want(commit gitstore.ID, e *env) *tree {
	at := treeKey{commit, e.name}
	if out, ok := w.git.wants[at]; ok {
		return out
	}
	out := newTree()
	if !commit.IsZero() {
		shared := map[resource.Key]map[string]any{}
		w.files(commit, "shared", func(k resource.Key, m map[string]any) { shared[k] = m })
		for k, m := range shared {
			out.set(k, specOf(m))
		}
		w.files(commit, e.folder(), func(k resource.Key, m map[string]any) {
			switch {
			case m["$absent"] == true:
				delete(out.spec, k)
				delete(out.text, k)
			case m["$overlay"] == true && shared[k] == nil:
				out.unknown[k] = true // an overlay that lies on nothing is an error
			case m["$overlay"] == true:
				out.set(k, specOf(patched(shared[k], m)))
			default:
				out.set(k, specOf(m))
			}
		})
	}
	w.git.wants[at] = out
	return out
}

// patched is RFC 7396.
func patched(on, by map[string]any) map[string]any {
	out := maps.Clone(on)
	if out == nil {
		out = map[string]any{}
	}
	for f, v := range by {
		sub, nested := v.(map[string]any)
		switch {
		case v == nil:
			delete(out, f)
		case nested:
			was, _ := out[f].(map[string]any)
			out[f] = patched(was, sub)
		default:
			out[f] = v
		}
	}
	return out
}

// specOf is the value that a parsed file says.
func specOf(m map[string]any) resource.Spec {
	out := resource.Spec{}
	for f, v := range m {
		if !strings.HasPrefix(f, "$") {
			out[f] = valueOf(v)
		}
	}
	return out
}

func valueOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if r, ok := v["$ref"].(string); ok {
			k, err := resource.ParseKey(r)
			must(err)
			return resource.Ref{Key: k}
		}
		out := map[string]any{}
		for f, x := range v {
			out[f] = valueOf(x)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			out = append(out, valueOf(x))
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(resource.Text(a), resource.Text(b)) }) // all lists here are sets
		return out
	}
	return v
}

// yamlOf is a value as people write it.
func yamlOf(s resource.Spec) []byte {
	var b strings.Builder
	for _, f := range slices.Sorted(maps.Keys(s)) {
		switch v := s[f].(type) {
		case resource.Ref:
			fmt.Fprintf(&b, "%s: {$ref: %s}\n", f, v.Key)
		case []any:
			if len(v) == 0 {
				fmt.Fprintf(&b, "%s: []\n", f)
				break
			}
			fmt.Fprintf(&b, "%s:\n", f)
			for _, x := range v {
				fmt.Fprintf(&b, "  - {$ref: %s}\n", x.(resource.Ref).Key)
			}
		default:
			fmt.Fprintf(&b, "%s: %v\n", f, v)
		}
	}
	if b.Len() == 0 {
		return []byte("{}\n")
	}
	return []byte(b.String())
}

// rules is the text of the rules of a commit; empty where it has none.
func (w *world) rules(commit gitstore.ID) string {
	f, ok, err := w.store.File(commit, rulesPath)
	if err != nil || !ok {
		return ""
	}
	b, err := w.store.Blob(f.ID, 0)
	must(err)
	return string(b)
}

func (e *env) path(k resource.Key) string {
	return e.folder() + "/" + string(k.Kind) + "/" + k.Name + ".yaml"
}

func sharedPath(k resource.Key) string { return "shared/" + string(k.Kind) + "/" + k.Name + ".yaml" }

// ancestor reports whether a is in b's history; what is gone is not.
func (w *world) ancestor(a, b gitstore.ID) bool {
	ok, err := w.store.IsAncestor(a, b)
	return err == nil && ok
}

// head is the newest commit of main.
func (w *world) head() gitstore.ID { return w.refs()[mainRef] }

// mainAt is where main was at a moment.
func (w *world) mainAt(at interface{ Unix() int64 }) gitstore.ID {
	var id gitstore.ID
	for _, m := range w.mains {
		if m.since.Unix() <= at.Unix() {
			id = m.id
		}
	}
	return id
}
