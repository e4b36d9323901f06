package gitstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// One object changed in a folder of 50,000 costs a few hundred bytes on the wire.
func TestPushOfOneObjectIsSmall(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	var sent atomic.Int64
	url := serve(t, bare, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				sent.Add(int64(len(body)))
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			h.ServeHTTP(w, r)
		})
	})
	local := open(t, Options{URL: bare})
	const n = 50_000
	e := make(Edit, n)
	for i := range n {
		e[fmt.Sprintf("environments/prod/queue/queue-%06d.yaml", i)] = []byte("name: x\n")
	}
	first, err := local.Commit(ctx, mainRef, ID{}, e, ann, "import")
	require.NoError(t, err)
	s := open(t, Options{URL: url, Auth: token(goodToken), Dir: filepath.Join(t.TempDir(), "mirror")})
	_, err = s.Sync(ctx)
	require.NoError(t, err)
	head := first.ID
	for i := range 3 {
		sent.Store(0)
		c, err := s.Commit(ctx, mainRef, head, Edit{fmt.Sprintf("environments/prod/queue/queue-%06d.yaml", 777*i): fmt.Append(nil, i)}, ann, "one")
		require.NoError(t, err)
		head = c.ID
		require.Less(t, sent.Load(), int64(4096))
	}
	t.Logf("%d bytes for one object", sent.Load())
	// a revert sends what the remote once had but may not have any more
	sent.Store(0)
	res, err := s.Revert(head, head, 0)
	require.NoError(t, err)
	c, err := s.CommitTree(res.Tree, []ID{head}, ann, "revert")
	require.NoError(t, err)
	require.NoError(t, s.Push(ctx, Update{mainRef, head, c.ID}))
	require.Less(t, sent.Load(), int64(4096))
	fsck(t, bare)
}

// What other branches have is not sent; what no branch has any more is.
func TestPushAfterForcePush(t *testing.T) {
	t.Parallel()
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			bare := newBare(t)
			s := p.open(t, bare)
			_, err := s.Sync(ctx)
			require.NoError(t, err)
			a, err := s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1"), "d/x": []byte("x")}, ann, "a")
			require.NoError(t, err)
			b, err := s.Commit(ctx, mainRef, a.ID, Edit{"b": []byte("2"), "d/y": []byte("y")}, ann, "b")
			require.NoError(t, err)
			// the remote goes back to a and forgets b
			git(t, bare, "update-ref", mainRef, a.ID.String())
			git(t, bare, "reflog", "expire", "--expire=now", "--all")
			git(t, bare, "gc", "-q", "--prune=now")
			require.Error(t, gitCommand(bare, "cat-file", "-e", b.ID.String()).Run())
			refs, err := s.Sync(ctx)
			require.NoError(t, err)
			require.Equal(t, a.ID, refs[mainRef])
			if p.name == "path" { // what is read in place is gone with it
				_, err := s.Write(b.ID, []ID{b.ID}, Edit{"c": []byte("3")}, ann, "c")
				require.ErrorIs(t, err, ErrMissing)
				return
			}
			c, err := s.Write(b.ID, []ID{b.ID}, Edit{"c": []byte("3")}, ann, "c")
			require.NoError(t, err)
			require.NoError(t, s.Push(ctx, Update{mainRef, a.ID, c.ID}))
			require.Equal(t, "a\nb\nc\nd/x\nd/y", git(t, bare, "ls-tree", "-r", "--name-only", mainRef))
			fsck(t, bare)
		})
	}
}

// A commit whose tree comes from elsewhere than its parents brings what it needs.
func TestPushOfForeignTrees(t *testing.T) {
	t.Parallel()
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			bare := newBare(t)
			s := p.open(t, bare)
			_, err := s.Sync(ctx)
			require.NoError(t, err)
			a, err := s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "a")
			require.NoError(t, err)
			x, err := s.Write(ID{}, nil, Edit{"x/y/z": []byte("z"), "x/w": []byte("w")}, ann, "never pushed")
			require.NoError(t, err)
			b, err := s.Write(x.ID, []ID{a.ID}, Edit{"b": []byte("2")}, ann, "b")
			require.NoError(t, err)
			require.NoError(t, s.Push(ctx, Update{mainRef, a.ID, b.ID}))
			require.NoError(t, s.Push(ctx, Update{"refs/heads/x", ID{}, x.ID}))
			require.NoError(t, s.Push(ctx, Update{"refs/heads/old", ID{}, a.ID}))
			require.Equal(t, "b\nx/w\nx/y/z", git(t, bare, "ls-tree", "-r", "--name-only", mainRef))
			fsck(t, bare)
		})
	}
}

// A faulty remote loses requests or answers.
type faulty struct {
	Remote
	before, after error
}

func (f *faulty) Push(ctx context.Context, ups []Update, out *Outgoing) error {
	if f.before != nil {
		return f.before
	}
	if err := f.Remote.Push(ctx, ups, out); err != nil {
		return err
	}
	return f.after
}

func TestLostRequestsAndAnswers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	memory := NewMemoryRemote()
	f := &faulty{Remote: memory}
	s := openMemory(t, f)
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	lost := errors.New("connection reset")
	f.before = lost
	_, err = s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "x")
	require.ErrorIs(t, err, lost)
	require.NotErrorIs(t, err, ErrUnknownOutcome)
	f.before, f.after = nil, lost
	c, err := s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "x")
	require.NoError(t, err)
	require.Equal(t, Refs{mainRef: c.ID}, s.Refs())
}

// A silent remote brings nothing and says that all is well.
type silent struct{ Remote }

func (silent) Fetch(context.Context, Sink, []ID, []ID) error { return nil }

func TestFetchThatBringsNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	memory := NewMemoryRemote()
	a := openMemory(t, memory)
	_, err := a.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "x")
	require.NoError(t, err)
	b := openMemory(t, silent{memory})
	_, err = b.Sync(ctx)
	require.ErrorIs(t, err, ErrMissing)
	require.Empty(t, b.Refs())
}

func TestPushesOneByOneWhereNotAtomic(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	memory := NewMemoryRemote()
	memory.SetAtomic(false)
	s := openMemory(t, memory)
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	require.False(t, s.Atomic())
	c, err := s.Write(ID{}, nil, Edit{"a": []byte("1")}, ann, "x")
	require.NoError(t, err)
	err = s.Push(ctx, Update{"refs/heads/1", ID{}, c.ID}, Update{"refs/heads/2", c.ID, ID{}}, Update{"refs/heads/3", ID{}, c.ID})
	require.ErrorIs(t, err, ErrStale)
	require.Equal(t, Refs{"refs/heads/1": c.ID}, s.Refs(), "in order, up to the first refusal")
}

// One store, many goroutines.
func TestStoreIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	for _, p := range places()[:2] {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			bare := newBare(t)
			s := p.open(t, bare)
			_, err := s.Sync(ctx)
			require.NoError(t, err)
			first, err := s.Commit(ctx, mainRef, ID{}, Edit{"a/a": []byte("1"), "b": []byte("2")}, ann, "first")
			require.NoError(t, err)
			var wg sync.WaitGroup
			for i := range 4 {
				ref := fmt.Sprintf("refs/heads/%d", i)
				wg.Go(func() {
					head := ID{}
					for j := range 4 {
						c, err := s.Write(first.ID, nil, Edit{fmt.Sprint("n", i): fmt.Append(nil, j)}, ann, "x")
						if err == nil {
							err = s.Push(ctx, Update{ref, head, c.ID})
						}
						if err != nil {
							t.Error(err)
							return
						}
						head = c.ID
					}
				})
				wg.Go(func() {
					for range 4 {
						refs, err := s.Sync(ctx)
						if err != nil {
							t.Error(err)
							return
						}
						for _, id := range refs {
							if err := s.Files(id, "", func(f File) error { _, err := s.Blob(f.ID, 10); return err }); err != nil {
								t.Error(err)
							}
							if err := s.Log(id, []ID{first.ID}, func(Commit) error { return nil }); err != nil {
								t.Error(err)
							}
						}
						if err := s.flush(); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			require.Len(t, s.Refs(), 5)
			fsck(t, bare)
		})
	}
}
