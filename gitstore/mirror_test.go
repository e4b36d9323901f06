package gitstore

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A hosted is a repository behind a server that counts what is fetched from it.
type hosted struct {
	bare, url, dir string
	fetches        atomic.Int32
}

func newHosted(t testing.TB) *hosted {
	t.Helper()
	h := &hosted{bare: newBare(t), dir: filepath.Join(t.TempDir(), "mirror")}
	h.url = serve(t, h.bare, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
				h.fetches.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	})
	return h
}

func (h *hosted) options() Options {
	return Options{URL: h.url, Auth: token(goodToken), Dir: h.dir, Now: clock(), Committer: Signature{Name: "driftback"}}
}

// store opens the mirror without closing it with the test.
func (h *hosted) store(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), h.options())
	require.NoError(t, err)
	return s
}

// fill makes a first commit with files.
func (h *hosted) fill(t testing.TB) ID {
	t.Helper()
	s := open(t, Options{URL: h.bare})
	e := Edit{}
	for i := range 50 {
		e[fmt.Sprintf("d%d/f%d", i%3, i)] = fmt.Append(nil, "content ", i)
	}
	c, err := s.Commit(t.Context(), mainRef, ID{}, e, ann, "first")
	require.NoError(t, err)
	return c.ID
}

func TestMirrorIsKept(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHosted(t)
	first := h.fill(t)
	s := h.store(t)
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	c, err := s.Commit(ctx, mainRef, first, Edit{"d0/f0": []byte("new")}, ann, "second")
	require.NoError(t, err)
	_, err = Open(ctx, h.options())
	require.ErrorContains(t, err, "in use by another process")
	require.NoError(t, s.Close())
	fsck(t, h.dir)
	require.Equal(t, c.ID.String(), git(t, h.dir, "rev-parse", mainRef))

	s = h.store(t)
	require.Equal(t, Refs{mainRef: c.ID}, s.Refs(), "known before the first Sync")
	require.Equal(t, "new", listing(t, s, c.ID)["d0/f0"])
	_, err = s.Sync(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.EqualValues(t, 1, h.fetches.Load())
}

// A process that dies loses what was not promised, and fetches it again.
func TestMirrorAfterCrash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHosted(t)
	first := h.fill(t)
	s := h.store(t)
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	mine, err := s.Commit(ctx, mainRef, first, Edit{"mine": []byte("1")}, ann, "mine")
	require.NoError(t, err)
	other := open(t, Options{URL: h.bare})
	_, err = other.Sync(ctx)
	require.NoError(t, err)
	theirs, err := other.Commit(ctx, mainRef, mine.ID, Edit{"theirs": []byte("2")}, ann, "theirs")
	require.NoError(t, err)
	_, err = s.Sync(ctx) // a pack that rests on objects in memory
	require.NoError(t, err)
	require.NoError(t, s.mirror.close(), "the process dies: nothing is flushed")
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "objects", "pack", "tmp_pack_1"), []byte("half"), 0o600))

	s = h.store(t)
	refs, err := s.Sync(ctx)
	require.NoError(t, err)
	require.Equal(t, theirs.ID, refs[mainRef])
	require.Len(t, listing(t, s, theirs.ID), 52)
	require.NoError(t, s.Close())
	fsck(t, h.dir)
	require.NoFileExists(t, filepath.Join(h.dir, "objects", "pack", "tmp_pack_1"))
}

func TestDamagedMirrorIsFetchedAgain(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, dir string){
		"refs": func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "packed-refs"), []byte("garbage"), 0o600))
		},
		"no packs": func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "objects", "pack")))
		},
		"no index": func(t *testing.T, dir string) {
			for _, idx := range globbed(t, dir, "*.idx") {
				require.NoError(t, os.Remove(idx))
			}
		},
		"short pack": func(t *testing.T, dir string) {
			for _, pack := range globbed(t, dir, "*.pack") {
				require.NoError(t, os.Chmod(pack, 0o600))
				require.NoError(t, os.Truncate(pack, 100))
			}
		},
		"another repository": func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, mirrorMark), []byte("https://elsewhere/\n"), 0o600))
		},
		"cut off while made": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, mirrorMark)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHosted(t)
			first := h.fill(t)
			s := h.store(t)
			_, err := s.Sync(t.Context())
			require.NoError(t, err)
			require.NoError(t, s.Close())
			damage(t, h.dir)
			s = h.store(t)
			require.Empty(t, s.Refs())
			_, err = s.Sync(t.Context())
			require.NoError(t, err)
			require.Len(t, listing(t, s, first), 50)
			require.NoError(t, s.Close())
			fsck(t, h.dir)
			require.EqualValues(t, 2, h.fetches.Load())
		})
	}
}

func globbed(t *testing.T, dir, pattern string) []string {
	names, err := filepath.Glob(filepath.Join(dir, "objects", "pack", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names
}

// What breaks while the mirror is open is an error, never an absent file, and is mended by the next Sync.
func TestMirrorDamagedWhileOpen(t *testing.T) {
	t.Parallel()
	h := newHosted(t)
	first := h.fill(t)
	s := h.store(t)
	defer func() { require.NoError(t, s.Close()) }()
	_, err := s.Sync(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "objects", "pack")))
	s.disk.recent = newCache(1 << 20)
	s.disk.refresh()
	err = s.Files(first, "", func(File) error { return nil })
	require.ErrorIs(t, err, ErrMissing)
	_, _, err = s.File(first, "d0/f0")
	require.ErrorIs(t, err, ErrMissing)
	_, err = s.WriteTree(first, Edit{"d0/f0": nil})
	require.ErrorIs(t, err, ErrMissing)
	_, err = s.Sync(t.Context())
	require.NoError(t, err)
	_, err = s.Sync(t.Context())
	require.NoError(t, err)
	require.Len(t, listing(t, s, first), 50)
}

func TestMirrorRefusesForeignFolder(t *testing.T) {
	t.Parallel()
	h := newHosted(t)
	require.NoError(t, os.MkdirAll(h.dir, 0o700))
	precious := filepath.Join(h.dir, "precious")
	require.NoError(t, os.WriteFile(precious, []byte("x"), 0o600))
	_, err := Open(t.Context(), h.options())
	require.ErrorContains(t, err, "is not empty and not a mirror")
	require.FileExists(t, precious)
}

// Packs do not pile up, and joining them loses nothing.
func TestPacksAreJoined(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHosted(t)
	head := h.fill(t)
	other := open(t, Options{URL: h.bare})
	_, err := other.Sync(ctx)
	require.NoError(t, err)
	s := h.store(t)
	for i := range maxPacks + 10 {
		c, err := other.Commit(ctx, mainRef, head, Edit{fmt.Sprintf("d%d/f%d", i%3, i): fmt.Append(nil, "again ", i)}, ann, "change")
		require.NoError(t, err)
		head = c.ID
		_, err = s.Sync(ctx)
		require.NoError(t, err)
	}
	packs, err := s.mirror.list()
	require.NoError(t, err)
	require.LessOrEqual(t, len(packs), maxPacks)
	require.Len(t, listing(t, s, head), maxPacks+10)
	count := 0
	require.NoError(t, s.Log(head, nil, func(c Commit) error {
		count++
		return s.Files(c.ID, "", func(f File) error { _, err := s.Blob(f.ID, 0); return err })
	}))
	require.Equal(t, maxPacks+11, count)
	require.NoError(t, s.Close())
	fsck(t, h.dir)
}

// Many objects become one pack, in which the versions of a large folder are deltas.
func TestManyVersionsOfALargeFolder(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHosted(t)
	s := h.store(t)
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	e := Edit{}
	for i := range 5000 {
		e[fmt.Sprintf("queue/queue-%05d.yaml", i)] = fmt.Appendf(nil, "name: %d\n", i)
	}
	c, err := s.Commit(ctx, mainRef, ID{}, e, ann, "import")
	require.NoError(t, err)
	for i := range 100 {
		c, err = s.Write(c.ID, []ID{c.ID}, Edit{
			fmt.Sprintf("queue/queue-%05d.yaml", i*31): fmt.Appendf(nil, "changed: %d\n", i),
			fmt.Sprintf("queue/queue-%05d.yaml", i*7):  nil,
			fmt.Sprintf("queue/added-%05d.yaml", i):    fmt.Appendf(nil, "new: %d\n", i),
		}, ann, "change")
		require.NoError(t, err)
	}
	require.NoError(t, s.Push(ctx, Update{mainRef, s.Refs()[mainRef], c.ID}))
	require.NoError(t, s.Close())
	fsck(t, h.bare)
	fsck(t, h.dir)
	size := int64(0)
	for _, pack := range globbed(t, h.dir, "*.pack") {
		info, err := os.Stat(pack)
		require.NoError(t, err)
		size += info.Size()
	}
	require.Less(t, size, int64(1<<20), "100 versions of a tree of 275 kB")
	s = h.store(t)
	require.Len(t, listing(t, s, c.ID), len(strings.Fields(git(t, h.bare, "ls-tree", "-r", "--name-only", mainRef))))
	require.NoError(t, s.Close())
}

// A lock that a dead process of ours left behind is removed; git's own is respected.
func TestLocksOfTheDead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	s := open(t, Options{URL: bare})
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	l, err := openLocal(bare)
	require.NoError(t, err)
	k, err := l.locks()
	require.NoError(t, err)
	require.NoError(t, k.take(ctx, mainRef))
	require.NoError(t, k.ledge.Close(), "the process dies: its flock ends, its lock file stays")
	lock := filepath.Join(bare, filepath.FromSlash(mainRef)+".lock")
	require.FileExists(t, lock)
	c, err := s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "one")
	require.NoError(t, err)
	require.NoFileExists(t, lock)

	require.NoError(t, os.WriteFile(lock, nil, 0o600))
	_, err = s.Commit(ctx, mainRef, c.ID, Edit{"a": []byte("2")}, ann, "two")
	require.ErrorContains(t, err, "if no git is at work there, remove")
	require.NotErrorIs(t, err, ErrUnknownOutcome)
	require.FileExists(t, lock)
	require.NoError(t, os.Remove(lock))
	_, err = s.Commit(ctx, mainRef, c.ID, Edit{"a": []byte("2")}, ann, "two")
	require.NoError(t, err)

	// refs that would be folders of one another
	for _, packed := range []bool{false, true} {
		if packed {
			git(t, bare, "pack-refs", "--all")
		}
		head := s.Refs()[mainRef]
		require.ErrorIs(t, s.Push(ctx, Update{"refs/heads/main/x", ID{}, head}), ErrRefused)
		require.ErrorContains(t, s.Push(ctx, Update{"refs/heads", ID{}, head}), "is not a full name")
	}
	require.NoError(t, s.Push(ctx, Update{"refs/heads/x/y", ID{}, c.ID}))
	require.ErrorIs(t, s.Push(ctx, Update{"refs/heads/x", ID{}, c.ID}), ErrRefused)
	require.NoError(t, s.Push(ctx, Update{"refs/heads/x/y", c.ID, ID{}}))
	require.NoError(t, s.Push(ctx, Update{"refs/heads/x", ID{}, c.ID}), "an empty folder is in nobody's way")
	fsck(t, bare)
}

// Reading goes on while native git repacks the repository.
func TestRepackedMeanwhile(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	s := open(t, Options{URL: bare})
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	var head ID
	for i := range 5 {
		e := Edit{}
		for j := range 60 {
			e[fmt.Sprintf("d%d/%d-%d", j%4, i, j)] = fmt.Append(nil, i, j)
		}
		c, err := s.Commit(ctx, mainRef, head, e, ann, "more")
		require.NoError(t, err)
		head = c.ID
		s.disk.recent = newCache(1 << 20)
		git(t, bare, "repack", "-q", "-a", "-d")
		git(t, bare, "prune-packed")
		require.Len(t, listing(t, s, head), 60*(i+1))
	}
	fsck(t, bare)
}

// A repository may borrow objects of another.
func TestAlternates(t *testing.T) {
	t.Parallel()
	h := newHosted(t)
	first := h.fill(t)
	fork := filepath.Join(t.TempDir(), "fork.git")
	git(t, t.TempDir(), "clone", "-q", "--bare", "--shared", h.bare, fork)
	s := open(t, Options{URL: fork})
	_, err := s.Sync(t.Context())
	require.NoError(t, err)
	require.Len(t, listing(t, s, first), 50)
	_, err = s.Commit(t.Context(), mainRef, first, Edit{"d0/f0": nil}, ann, "less")
	require.NoError(t, err)
	fsck(t, fork)
}

// A pack whose index is not in place yet is in nobody's way, in the repository itself and in one that it borrows from.
func TestPackThatArrives(t *testing.T) {
	t.Parallel()
	h := newHosted(t)
	first := h.fill(t)
	git(t, h.bare, "repack", "-q", "-a", "-d")
	fork := filepath.Join(t.TempDir(), "fork.git")
	git(t, t.TempDir(), "clone", "-q", "--bare", "--shared", h.bare, fork)
	half := filepath.Join(h.bare, "objects", "pack", "pack-"+strings.Repeat("1", 40)+".pack")
	require.NoError(t, os.WriteFile(half, []byte("PACK"), 0o444))
	for _, bare := range []string{h.bare, fork} {
		s := open(t, Options{URL: bare})
		_, err := s.Sync(t.Context())
		require.NoError(t, err)
		require.Len(t, listing(t, s, first), 50)
	}
}
