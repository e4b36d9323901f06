package gitstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock returns a time source that moves one second with every call.
func clock() func() time.Time {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var ticks atomic.Int64
	return func() time.Time { return start.Add(time.Duration(ticks.Add(1)) * time.Second) }
}

func openMemory(t testing.TB, r Remote) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Remote: r, Now: clock(), Committer: Signature{Name: "driftback", Email: "d@example.com"}})
	require.NoError(t, err)
	return s
}

// listing returns a commit's files as path → content.
func listing(t testing.TB, s *Store, commit ID) map[string]string {
	t.Helper()
	m := map[string]string{}
	require.NoError(t, s.Files(commit, "", func(f File) error {
		b, err := s.Blob(f.ID, 0)
		m[f.Path] = string(b)
		return err
	}))
	return m
}

const mainRef = "refs/heads/main"

func TestTwoStoresShareAMemoryRemote(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	remote := NewMemoryRemote()
	a, b := openMemory(t, remote), openMemory(t, remote)
	for _, s := range []*Store{a, b} {
		refs, err := s.Sync(ctx)
		require.NoError(t, err)
		require.Empty(t, refs)
		require.True(t, s.Atomic())
	}
	who := Signature{Name: "Ann", Email: "ann@example.com"}
	c1, err := a.Commit(ctx, mainRef, ID{}, Edit{"x/a.yaml": []byte("1\n"), "x/b.yaml": []byte("2\n"), "c": []byte("3\n")}, who, "first")
	require.NoError(t, err)

	_, err = b.Commit(ctx, mainRef, ID{}, Edit{"y": []byte("1\n")}, who, "loser")
	require.ErrorIs(t, err, ErrStale)
	_, err = b.CommitAt(c1.ID)
	require.ErrorIs(t, err, ErrMissing)

	refs, err := b.Sync(ctx)
	require.NoError(t, err)
	require.Equal(t, Refs{mainRef: c1.ID}, refs)
	require.Equal(t, map[string]string{"x/a.yaml": "1\n", "x/b.yaml": "2\n", "c": "3\n"}, listing(t, b, c1.ID))

	c2, err := b.Commit(ctx, mainRef, c1.ID, Edit{"x/a.yaml": []byte("one\n"), "x/b.yaml": nil, "never": nil}, who, "second")
	require.NoError(t, err)
	again, err := b.Commit(ctx, mainRef, c2.ID, Edit{"x/a.yaml": []byte("one\n")}, who, "nothing")
	require.NoError(t, err)
	require.Equal(t, c2.ID, again.ID)

	_, err = a.Sync(ctx)
	require.NoError(t, err)
	var got []string
	require.NoError(t, a.Diff(c1.ID, c2.ID, "", func(d Delta) error {
		got = append(got, fmt.Sprint(d.Path, " ", d.Old.ID.IsZero(), d.New.ID.IsZero()))
		return nil
	}))
	require.Equal(t, []string{"x/a.yaml false false", "x/b.yaml false true"}, got)
	ok, err := a.IsAncestor(c1.ID, c2.ID)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = a.IsAncestor(c2.ID, c1.ID)
	require.NoError(t, err)
	require.False(t, ok)
	var log []string
	require.NoError(t, a.Log(c2.ID, nil, func(c Commit) error { log = append(log, c.Message); return nil }))
	require.Equal(t, []string{"second\n", "first\n"}, log)
	log = nil
	require.NoError(t, a.Log(c2.ID, []ID{c1.ID}, func(c Commit) error { log = append(log, c.Message); return nil }))
	require.Equal(t, []string{"second\n"}, log)
}

func BenchmarkMemoryPass(b *testing.B) {
	ctx := context.Background()
	s := openMemory(b, NewMemoryRemote())
	e := Edit{}
	for i := range 20 {
		e[fmt.Sprintf("environments/prod/queue/q%d.yaml", i)] = []byte("name: x\n")
	}
	c, err := s.Commit(ctx, mainRef, ID{}, e, Signature{Name: "a"}, "m")
	require.NoError(b, err)
	i := 0
	for b.Loop() {
		i++
		_, err := s.Sync(ctx)
		require.NoError(b, err)
		c, err = s.Commit(ctx, mainRef, c.ID, Edit{"environments/prod/queue/q3.yaml": fmt.Append(nil, i)}, Signature{Name: "a"}, "m")
		require.NoError(b, err)
		require.NoError(b, s.Files(c.ID, "environments/prod", func(File) error { return nil }))
	}
}

// One change in a folder of 50,000, without disk and network.
func BenchmarkWriteInLargeFolder(b *testing.B) {
	s := openMemory(b, NewMemoryRemote())
	e := Edit{}
	for i := range 50_000 {
		e[fmt.Sprintf("environments/prod/queue/queue-%06d.yaml", i)] = []byte("x")
	}
	c, err := s.Write(ID{}, nil, e, ann, "m")
	require.NoError(b, err)
	i := 0
	for b.Loop() {
		i++
		_, err := s.WriteTree(c.ID, Edit{fmt.Sprintf("environments/prod/queue/queue-%06d.yaml", i*7919%50_000): fmt.Append(nil, i)})
		require.NoError(b, err)
	}
}
