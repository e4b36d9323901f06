package local_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
)

// BenchmarkForge times the calls of a pass on a forge with many pull requests behind it.
func BenchmarkForge(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		remote := gitstore.NewMemoryRemote()
		open := func() (*gitstore.Store, *local.Forge) {
			s, err := gitstore.Open(context.Background(), gitstore.Options{Remote: remote, Committer: gitstore.Signature{Name: "driftback"}})
			require.NoError(b, err)
			f, err := local.Open(s, local.Options{})
			require.NoError(b, err)
			return s, f
		}
		s, f := open()
		ben := gitstore.Signature{Name: "Ben"}
		root, err := s.Commit(b.Context(), "refs/heads/main", gitstore.ID{}, gitstore.Edit{"README": []byte("r")}, ben, "root\n")
		require.NoError(b, err)
		head, err := s.Write(root.ID, []gitstore.ID{root.ID}, gitstore.Edit{"a": []byte("a")}, ben, "a\n")
		require.NoError(b, err)
		require.NoError(b, s.Push(b.Context(), gitstore.Update{Ref: "refs/heads/topic", New: head.ID}))
		edit := gitstore.Edit{"forge.json": fmt.Appendf(nil, `{"version":1,"pulls":%d}`, n)}
		for i := 1; i <= n; i++ {
			edit[fmt.Sprintf("pulls/%03d/%d.json", i/1000, i)] = fmt.Appendf(nil,
				`{"number":%d,"head":"topic","base":"main","headId":"%s","title":"An old one","body":"%0500d","state":"closed"}`, i, head.ID, 0)
		}
		_, err = s.Commit(b.Context(), local.DefaultRef, gitstore.ID{}, edit, ben, "many\n")
		require.NoError(b, err)
		want := forge.Pull{Head: "topic", Base: "main", Title: "Topic"}
		p, err := f.EnsurePull(b.Context(), want)
		require.NoError(b, err)

		b.Run(fmt.Sprintf("open pulls, first time/%d", n), func(b *testing.B) {
			for b.Loop() {
				_, f := open()
				_, err := f.Pulls(b.Context(), forge.Filter{State: forge.Open})
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("open pulls/%d", n), func(b *testing.B) {
			for b.Loop() {
				_, err := f.Pulls(b.Context(), forge.Filter{State: forge.Open})
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("nothing to ensure/%d", n), func(b *testing.B) {
			for b.Loop() {
				_, err := f.EnsurePull(b.Context(), want)
				require.NoError(b, err)
			}
		})
		i := 0
		b.Run(fmt.Sprintf("comment changed/%d", n), func(b *testing.B) {
			for b.Loop() {
				i++
				require.NoError(b, f.EnsureComment(b.Context(), p.Number, "key", fmt.Sprint(i)))
			}
		})
		b.Run(fmt.Sprintf("pull changed/%d", n), func(b *testing.B) {
			for b.Loop() {
				i++
				want.Body = fmt.Sprint(i)
				_, err := f.EnsurePull(b.Context(), want)
				require.NoError(b, err)
			}
		})
	}
}
