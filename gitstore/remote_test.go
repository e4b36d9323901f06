package gitstore

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var ann = Signature{Name: "Ann", Email: "ann@example.com"}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			bare := newBare(t)
			a := p.open(t, bare)
			refs, err := a.Sync(ctx)
			require.NoError(t, err)
			require.Empty(t, refs)
			require.True(t, a.Atomic())

			files := Edit{"a/b/c.yaml": []byte("one\n"), "a/b.yaml": []byte("two\n"), "a.b": []byte("three\n"), "empty": {}}
			c1, err := a.Commit(ctx, mainRef, ID{}, files, ann, "first")
			require.NoError(t, err)
			require.Equal(t, c1.ID.String(), git(t, bare, "rev-parse", mainRef))
			require.Equal(t, "a.b\na/b.yaml\na/b/c.yaml\nempty", git(t, bare, "ls-tree", "-r", "--name-only", mainRef))

			b := p.open(t, bare)
			refs, err = b.Sync(ctx)
			require.NoError(t, err)
			require.Equal(t, Refs{mainRef: c1.ID}, refs)
			require.Equal(t, map[string]string{"a/b/c.yaml": "one\n", "a/b.yaml": "two\n", "a.b": "three\n", "empty": ""}, listing(t, b, c1.ID))

			c2, err := b.Commit(ctx, mainRef, c1.ID, Edit{"a/b/c.yaml": nil, "a/d": []byte("four\n")}, ann, "second")
			require.NoError(t, err)
			_, err = a.Commit(ctx, mainRef, c1.ID, Edit{"late": []byte("x")}, ann, "late")
			require.ErrorIs(t, err, ErrStale)
			_, err = a.Sync(ctx)
			require.NoError(t, err)
			require.Equal(t, map[string]string{"a/b.yaml": "two\n", "a.b": "three\n", "empty": "", "a/d": "four\n"}, listing(t, a, c2.ID))
			got, err := a.CommitAt(c2.ID)
			require.NoError(t, err)
			require.Equal(t, "second\n", got.Message)
			require.Equal(t, c2.ID, encodeCommit(got).ID)

			// a native commit, a deleted ref and a force-push are followed
			tree := git(t, bare, "rev-parse", c1.ID.String()+"^{tree}")
			native := git(t, bare, "commit-tree", "-p", c1.ID.String(), "-m", "native", tree)
			git(t, bare, "update-ref", mainRef, native)
			git(t, bare, "update-ref", "refs/heads/topic", c2.ID.String())
			git(t, bare, "pack-refs", "--all")
			refs, err = a.Sync(ctx)
			require.NoError(t, err)
			require.Equal(t, native, refs[mainRef].String())
			require.Equal(t, c2.ID, refs["refs/heads/topic"])
			require.Len(t, listing(t, a, refs[mainRef]), 4)
			require.NoError(t, a.Push(ctx, Update{Ref: "refs/heads/topic", Old: c2.ID}))
			require.NotContains(t, git(t, bare, "for-each-ref"), "topic")
			refs, err = b.Sync(ctx)
			require.NoError(t, err)
			require.Len(t, refs, 1)
			fsck(t, bare)
		})
	}
}

func TestAtomicPush(t *testing.T) {
	t.Parallel()
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			bare := newBare(t)
			s := p.open(t, bare)
			_, err := s.Sync(ctx)
			require.NoError(t, err)
			c1, err := s.Write(ID{}, nil, Edit{"a": []byte("1")}, ann, "one")
			require.NoError(t, err)
			c2, err := s.Write(c1.ID, []ID{c1.ID}, Edit{"a": []byte("2")}, ann, "two")
			require.NoError(t, err)
			state := "refs/driftback/state/prod"
			require.NoError(t, s.Push(ctx, Update{mainRef, ID{}, c2.ID}, Update{state, ID{}, c1.ID}))
			require.Equal(t, Refs{mainRef: c2.ID, state: c1.ID}, s.Refs())

			// one stale of two: neither moves, whichever it is
			err = s.Push(ctx, Update{mainRef, c1.ID, c1.ID}, Update{state, c1.ID, c2.ID})
			require.ErrorIs(t, err, ErrStale)
			err = s.Push(ctx, Update{mainRef, c2.ID, c1.ID}, Update{state, c2.ID, c2.ID})
			require.ErrorIs(t, err, ErrStale)
			err = s.Push(ctx, Update{mainRef, c2.ID, c1.ID}, Update{"refs/heads/new", c2.ID, c2.ID})
			require.ErrorIs(t, err, ErrStale)
			require.Equal(t, c2.ID.String(), git(t, bare, "rev-parse", mainRef))
			require.Equal(t, c1.ID.String(), git(t, bare, "rev-parse", state))
			// must be absent, but is there
			require.ErrorIs(t, s.Push(ctx, Update{mainRef, ID{}, c1.ID}), ErrStale)
			// back, and away, together
			require.NoError(t, s.Push(ctx, Update{mainRef, c2.ID, c1.ID}, Update{state, c1.ID, ID{}}))
			require.Equal(t, Refs{mainRef: c1.ID}, s.Refs())
			require.Equal(t, c1.ID.String()+" commit\trefs/heads/main", git(t, bare, "for-each-ref"))
			fsck(t, bare)
		})
	}
}

// Three stores at a time push to the same ref, with native git among them: one wins each round.
func TestRacersHaveOneWinner(t *testing.T) {
	t.Parallel()
	for _, p := range places()[:2] {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			bare := newBare(t)
			var stores []*Store
			for range 3 {
				stores = append(stores, p.open(t, bare))
			}
			_, err := stores[0].Sync(ctx)
			require.NoError(t, err)
			tip, err := stores[0].Commit(ctx, mainRef, ID{}, Edit{"n": []byte("0")}, ann, "first")
			require.NoError(t, err)
			head := tip.ID
			const rounds = 15
			for round := range rounds {
				if round%3 == 1 {
					git(t, bare, "pack-refs", "--all")
				}
				var winners atomic.Int32
				var wg sync.WaitGroup
				for i, s := range stores {
					_, err := s.Sync(ctx)
					require.NoError(t, err)
					c, err := s.Write(head, []ID{head}, Edit{"n": fmt.Append(nil, round, i)}, ann, "race")
					require.NoError(t, err)
					wg.Go(func() {
						err := s.Push(ctx, Update{mainRef, head, c.ID})
						if err == nil {
							winners.Add(1)
							return
						}
						if !strings.Contains(err.Error(), ErrStale.Error()) {
							t.Errorf("round %d: %v", round, err)
						}
					})
				}
				tree := git(t, bare, "rev-parse", head.String()+"^{tree}")
				native := git(t, bare, "commit-tree", "-p", head.String(), "-m", fmt.Sprint("native ", round), tree)
				wg.Go(func() {
					if gitCommand(bare, "update-ref", mainRef, native, head.String()).Run() == nil {
						winners.Add(1)
					}
				})
				wg.Wait()
				require.EqualValues(t, 1, winners.Load(), "round %d", round)
				next, err := ParseID(git(t, bare, "rev-parse", mainRef))
				require.NoError(t, err)
				require.Equal(t, head.String(), git(t, bare, "rev-parse", next.String()+"^"))
				head = next
			}
			fsck(t, bare)
		})
	}
}

func TestWrongToken(t *testing.T) {
	t.Parallel()
	bare := newBare(t)
	s := open(t, Options{URL: serve(t, bare, nil), Auth: token("wrong")})
	_, err := s.Sync(t.Context())
	require.ErrorIs(t, err, ErrAuth)
	require.NotContains(t, err.Error(), "wrong")
	_, err = s.Commit(t.Context(), mainRef, ID{}, Edit{"a": []byte("1")}, ann, "x")
	require.ErrorIs(t, err, ErrAuth)
	require.NotErrorIs(t, err, ErrUnknownOutcome)

	u := strings.Replace(serve(t, bare, nil), "http://", "http://ann:"+goodToken+"@", 1)
	s = open(t, Options{URL: u})
	_, err = s.Sync(t.Context())
	require.NoError(t, err, "the password of the URL is used")
	s = open(t, Options{URL: strings.Replace(u, goodToken, "hidden", 1)})
	_, err = s.Sync(t.Context())
	require.ErrorIs(t, err, ErrAuth)
	require.NotContains(t, err.Error(), "hidden")
}

// What a server answers may be a page of anything, such as the request with its Authorization.
func TestRemoteAnswersAreCut(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("no\x1b[31m\nsuch\u202e\t" + strings.Repeat("very ", 1000) + "long"))
	}))
	defer srv.Close()
	s := open(t, Options{URL: srv.URL + "/r.git"})
	_, err := s.Sync(t.Context())
	require.ErrorContains(t, err, "no [31m such very very")
	require.NotContains(t, err.Error(), "long")
	require.Less(t, len(err.Error()), 700)
	require.NotContains(t, err.Error(), "\n")
}

func TestRemoteGone(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	s := open(t, Options{URL: srv.URL + "/r.git"})
	_, err := s.Sync(t.Context())
	require.ErrorContains(t, err, "repository not found")
	srv.Close()
	_, err = s.Sync(t.Context())
	require.ErrorContains(t, err, "connection refused")
	_, err = s.Commit(t.Context(), mainRef, ID{}, Edit{"a": []byte("1")}, ann, "x")
	require.ErrorContains(t, err, "connection refused")
	require.NotErrorIs(t, err, ErrUnknownOutcome, "nothing was sent")

	_, err = Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "none")})
	require.ErrorContains(t, err, "is not a bare Git repository")
	_, err = Open(t.Context(), Options{URL: "gopher://x/y"})
	require.ErrorContains(t, err, "no such kind of URL")
}

// cutter breaks the connection of answers whose path ends in what it is told to.
type cutter struct {
	mu     sync.Mutex
	suffix string
	before bool // the request does not reach the server either
	down   bool // and nothing does after it
	half   bool // half of the answer comes through
}

func (c *cutter) set(next *cutter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suffix, c.before, c.down, c.half = next.suffix, next.before, next.down, next.half
}

func (c *cutter) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		suffix, before, down, half := c.suffix, c.before, c.down, c.half
		hit := suffix != "" && strings.HasSuffix(r.URL.RequestURI(), suffix)
		if hit && down {
			c.suffix, c.before = "/", true
		}
		c.mu.Unlock()
		if suffix == "/" {
			panic(http.ErrAbortHandler)
		}
		if !hit {
			h.ServeHTTP(w, r)
			return
		}
		if before {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if half {
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	})
}

func TestCutConnections(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	cut := &cutter{}
	s := open(t, Options{URL: serve(t, bare, cut.wrap), Auth: token(goodToken)})
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	c1, err := s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "one")
	require.NoError(t, err)

	// the answer is lost: it was a success
	cut.set(&cutter{suffix: "/git-receive-pack"})
	c2, err := s.Commit(ctx, mainRef, c1.ID, Edit{"a": []byte("2")}, ann, "two")
	require.NoError(t, err)
	require.Equal(t, c2.ID.String(), git(t, bare, "rev-parse", mainRef))
	require.Equal(t, c2.ID, s.Refs()[mainRef])

	// the request is lost: it was none, and may be tried again
	cut.set(&cutter{suffix: "/git-receive-pack", before: true})
	c3, err := s.Write(c2.ID, []ID{c2.ID}, Edit{"a": []byte("3")}, ann, "three")
	require.NoError(t, err)
	err = s.Push(ctx, Update{mainRef, c2.ID, c3.ID})
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrUnknownOutcome)
	require.NotErrorIs(t, err, ErrStale)
	require.Equal(t, c2.ID, s.Refs()[mainRef])
	cut.set(&cutter{})
	require.NoError(t, s.Push(ctx, Update{mainRef, c2.ID, c3.ID}))

	// the answer is lost and the remote is gone: nobody knows
	cut.set(&cutter{suffix: "/git-receive-pack", down: true})
	c4, err := s.Commit(ctx, mainRef, c3.ID, Edit{"a": []byte("4")}, ann, "four")
	require.ErrorIs(t, err, ErrUnknownOutcome)
	require.Equal(t, c3.ID, s.Refs()[mainRef])
	cut.set(&cutter{})
	refs, err := s.Sync(ctx)
	require.NoError(t, err)
	require.Equal(t, c4.ID, refs[mainRef], "Sync tells")

	// half a list of refs is none
	for i := range 20 {
		git(t, bare, "update-ref", fmt.Sprintf("refs/heads/topic-%d", i), c1.ID.String())
	}
	cut.set(&cutter{suffix: "/info/refs?service=git-upload-pack", half: true})
	_, err = s.Sync(ctx)
	require.Error(t, err)
	require.Len(t, s.Refs(), 1)

	// half a pack is none
	cut.set(&cutter{suffix: "/git-upload-pack", half: true})
	fresh := open(t, Options{URL: serve(t, bare, cut.wrap), Auth: token(goodToken), Dir: filepath.Join(t.TempDir(), "mirror")})
	_, err = fresh.Sync(ctx)
	require.Error(t, err)
	require.Empty(t, fresh.Refs())
	cut.set(&cutter{})
	refs, err = fresh.Sync(ctx)
	require.NoError(t, err)
	require.Len(t, refs, 21)
	require.Equal(t, map[string]string{"a": "4"}, listing(t, fresh, c4.ID))
}

func TestServerThatStandsStill(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	bare := newBare(t)
	var still atomic.Bool
	url := serve(t, bare, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if still.Load() {
				_, _ = io.Copy(io.Discard, r.Body)
				<-hang
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	t.Cleanup(func() { close(hang) }) // before the server waits for it
	s := open(t, Options{URL: url, Auth: token(goodToken), Timeout: 300 * time.Millisecond})
	for !s.Atomic() { // on a busy machine the server may be too slow even for the first
		_, _ = s.Sync(t.Context())
		require.NoError(t, t.Context().Err())
	}
	still.Store(true)
	_, err := s.Sync(t.Context())
	require.ErrorContains(t, err, "deadline exceeded")
	_, err = s.Commit(t.Context(), mainRef, ID{}, Edit{"a": []byte("1")}, ann, "one")
	require.ErrorIs(t, err, ErrUnknownOutcome)
	require.ErrorContains(t, err, "no progress for 300ms")
}

func TestServerRefuses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	hook := "#!/bin/sh\necho this branch is protected >&2\nexit 1\n"
	require.NoError(t, os.WriteFile(filepath.Join(bare, "hooks", "update"), []byte(hook), 0o755))
	s := open(t, Options{URL: serve(t, bare, nil), Auth: token(goodToken)})
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	_, err = s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "one")
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "this branch is protected")
}
