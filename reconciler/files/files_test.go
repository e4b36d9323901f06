package files

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

// The kinds that the tests speak of.
var testKinds = []resource.KindInfo{
	{Kind: "division", ReferenceOnly: true},
	{Kind: "queue", Fields: []resource.Field{
		{Path: "skill", Ref: "skill"}, {Path: "enabled", Default: true}, {Path: "tags", Set: true},
		{Path: "members", ListKey: "user"}, {Path: "version", Volatile: true},
	}},
	{Kind: "skill"},
	{Kind: "file", Raw: true, MaxSize: 1000},
}

var testLayout = Layout{Root: "environments/prod", Shared: "shared", Kinds: testKinds}

// A repo is a tree of files in memory that counts what is read.
type repo struct {
	mu    sync.Mutex
	files map[string]string
	modes map[string]uint32
	blobs map[[20]byte]string
	reads map[[20]byte]int
	fail  error
}

func newRepo(files map[string]string) *repo {
	r := &repo{files: map[string]string{}, modes: map[string]uint32{}, blobs: map[[20]byte]string{}, reads: map[[20]byte]int{}}
	maps.Copy(r.files, files)
	return r
}

func (r *repo) file(path string) File {
	content, ok := r.files[path]
	if !ok {
		return File{Path: path}
	}
	id := sha1.Sum([]byte(content))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blobs[id] = content
	mode := uint32(0o100644)
	if m := r.modes[path]; m != 0 {
		mode = m
	}
	return File{Path: path, ID: id, Mode: mode}
}

func (r *repo) list() []File {
	var out []File
	for _, path := range slices.Sorted(maps.Keys(r.files)) {
		out = append(out, r.file(path))
	}
	return out
}

func (r *repo) read(id [20]byte, limit int64) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return nil, r.fail
	}
	s, ok := r.blobs[id]
	if !ok {
		return nil, errors.New("object missing")
	}
	if int64(len(s)) > limit {
		return nil, fmt.Errorf("blob: %w", ErrTooLarge)
	}
	r.reads[id]++
	return []byte(s), nil
}

// apply makes an edit and returns the deltas.
func (r *repo) apply(edit map[string][]byte) []Delta {
	var out []Delta
	for _, path := range slices.Sorted(maps.Keys(edit)) {
		old := r.file(path)
		if edit[path] == nil {
			delete(r.files, path)
		} else {
			r.files[path] = string(edit[path])
		}
		if now := r.file(path); now.ID != old.ID {
			out = append(out, Delta{Path: path, Old: old, New: now})
		}
	}
	return out
}

func (r *repo) load(t testing.TB, l Layout) *Tree {
	t.Helper()
	tree, err := l.Load(r.list(), r.read, nil)
	require.NoError(t, err)
	return tree
}

func load(t testing.TB, files map[string]string) *Tree {
	t.Helper()
	return newRepo(files).load(t, testLayout)
}

func key(s string) resource.Key {
	k, err := resource.ParseKey(s)
	if err != nil {
		panic(err)
	}
	return k
}

// bodies reads the whole snapshot.
func bodies(t testing.TB, tree *Tree) map[string]resource.Spec {
	t.Helper()
	out := map[string]resource.Spec{}
	for e := range tree.Snapshot().Entries() {
		spec, err := tree.Snapshot().Spec(e.Key)
		require.NoError(t, err, e.Key)
		require.Equal(t, e.Hash, spec.Hash())
		out[e.Key.String()] = spec
	}
	return out
}

func messages(tree *Tree) []string {
	var out []string
	for _, p := range tree.Problems() {
		out = append(out, p.Error())
	}
	return out
}
