package files

import (
	"crypto/sha1"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/vendors/resource"
)

// manyFiles is a repository of n objects, half of them in one folder.
func manyFiles(n int) ([]File, Reader) {
	blobs := make(map[[20]byte][]byte, n)
	fs := make([]File, n)
	for i := range n {
		content := fmt.Appendf(nil, "description: number %d\nenabled: true\nlimits:\n  high: %d\n  low: 1.5\nmembers:\n  - user: anna\n  - user: bert\nskill: {$ref: skill/Billing}\ntags:\n  - a\n  - b\n", i, i)
		id := sha1.Sum(content)
		blobs[id] = content
		folder := "queue"
		if i >= n/2 {
			folder = "skill"
		}
		fs[i] = File{Path: fmt.Sprintf("environments/prod/%s/Object number %06d.yaml", folder, i), ID: id, Mode: 0o100644}
	}
	return fs, func(id [20]byte, _ int64) ([]byte, error) { return blobs[id], nil }
}

func BenchmarkLoadWarm(b *testing.B) {
	for _, n := range []int{1000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fs, read := manyFiles(n)
			c := NewCache()
			_, err := testLayout.Load(fs, read, c)
			require.NoError(b, err)
			flat, err := c.MarshalBinary()
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				c := NewCache()
				require.NoError(b, c.UnmarshalBinary(flat))
				_, err = testLayout.Load(fs, read, c)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkLoadCold(b *testing.B) {
	fs, read := manyFiles(10000)
	b.ReportAllocs()
	for b.Loop() {
		_, err := testLayout.Load(fs, read, nil)
		require.NoError(b, err)
	}
}

func BenchmarkUpdateOne(b *testing.B) {
	for _, n := range []int{1000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fs, read := manyFiles(n)
			tree, err := testLayout.Load(fs, read, nil)
			require.NoError(b, err)
			d := []Delta{{Path: fs[0].Path, Old: fs[0], New: File{ID: fs[1].ID, Mode: 0o100644}}}
			b.ReportAllocs()
			for b.Loop() {
				_, err = tree.Update(d, read)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkWriteOne(b *testing.B) {
	for _, n := range []int{1000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fs, read := manyFiles(n)
			tree, err := testLayout.Load(fs, read, nil)
			require.NoError(b, err)
			k := resource.Key{Kind: "queue", Name: "New"}
			o := resource.Overlay{k: {Key: k, Spec: resource.Spec{"a": "b"}}}
			b.ReportAllocs()
			for b.Loop() {
				_, err = tree.Write(o)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkHeap reports the live heap of a tree and its cache for each object, the paths counted too.
func BenchmarkHeap(b *testing.B) {
	const n = 100000
	fs, read := manyFiles(n)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := NewCache()
		tree, err := testLayout.Load(fs, read, c)
		require.NoError(b, err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/object")
		runtime.KeepAlive(tree)
		runtime.KeepAlive(c)
	}
}

func BenchmarkDecode(b *testing.B) {
	fs, read := manyFiles(1)
	data, err := read(fs[0].ID, 0)
	require.NoError(b, err)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			_, f := decodeDocument(data)
			if f != nil {
				b.Fatal(f)
			}
		}
	})
	b.Run("reference", func(b *testing.B) {
		for b.Loop() {
			var m map[string]any
			require.NoError(b, yaml.Unmarshal(data, &m))
		}
	})
}
