package gitstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPathsThatCannotStandInATree(t *testing.T) {
	t.Parallel()
	s := openMemory(t, NewMemoryRemote())
	for _, path := range []string{
		"", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/./b", ".git", ".GIT/config", "a/.Git/b", "git~1", "GIT~1/x",
		".git ", ".git.", ".git::$INDEX_ALLOCATION", ".git:x", ".g\u200cit", "\ufeff.git", "a\x00b", "a\nb", "a\x7f", `a\b`, `..\a`,
		"a\xffb", strings.Repeat("x", 256), strings.Repeat("long/", 900) + "x",
	} {
		_, err := s.Write(ID{}, nil, Edit{path: []byte("x")}, ann, "x")
		require.ErrorIs(t, err, ErrPath, "%q", path)
		require.ErrorContains(t, err, fmt.Sprintf("%q", path))
		_, err = s.Write(ID{}, nil, Edit{path: nil}, ann, "deleting what cannot be there")
		require.NoError(t, err, "%q", path)
	}
	for _, path := range []string{".gitignore", "a b", "é/ü.yaml", "x/.github/y", "git~10", "-", "a:b", "😀", strings.Repeat("x", 255)} {
		_, err := s.Write(ID{}, nil, Edit{path: []byte("x")}, ann, "x")
		require.NoError(t, err, "%q", path)
	}
}

func TestFilesAndFoldersThatClash(t *testing.T) {
	t.Parallel()
	s := openMemory(t, NewMemoryRemote())
	base, err := s.Write(ID{}, nil, Edit{"file": []byte("1"), "dir/a": []byte("2"), "dir/b": []byte("3"), "dir.x": []byte("4")}, ann, "base")
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		edit Edit
		path string // that the error names; "" if there is none
		want []string
	}{
		{"both new", Edit{"x": []byte("1"), "x/y": []byte("2")}, "x", nil},
		{"below a file", Edit{"file/x": []byte("1")}, "file", nil},
		{"over a folder", Edit{"dir": []byte("1")}, "dir", nil},
		{"over what is left of a folder", Edit{"dir": []byte("1"), "dir/a": nil}, "dir", nil},
		{"file becomes folder", Edit{"file": nil, "file/x": []byte("1")}, "", []string{"dir.x", "dir/a", "dir/b", "file/x"}},
		{"folder becomes file", Edit{"dir": []byte("1"), "dir/a": nil, "dir/b": nil}, "", []string{"dir", "dir.x", "file"}},
		{"deletes below a file", Edit{"file/x": nil}, "", []string{"dir.x", "dir/a", "dir/b", "file"}},
		{"deletes a folder as a file", Edit{"dir": nil}, "", []string{"dir.x", "dir/a", "dir/b", "file"}},
		{"empties a folder", Edit{"dir/a": nil, "dir/b": nil}, "", []string{"dir.x", "file"}},
	} {
		got, err := s.Write(base.ID, nil, c.edit, ann, "x")
		if c.path != "" {
			require.ErrorIs(t, err, ErrPath, c.name)
			require.ErrorContains(t, err, fmt.Sprintf("%q", c.path), c.name)
			continue
		}
		require.NoError(t, err, c.name)
		var paths []string
		require.NoError(t, s.Files(got.ID, "", func(f File) error { paths = append(paths, f.Path); return nil }))
		require.Equal(t, c.want, paths, c.name)
	}
}

// Whatever a platform calls people and things, the commit is one that native git accepts.
func TestNamesAndMessagesOfAllKinds(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	s := open(t, Options{URL: bare})
	_, err := s.Sync(ctx)
	require.NoError(t, err)
	var head ID
	for i, c := range []struct{ name, email, want string }{
		{"Ann", "ann@example.com", "Ann <ann@example.com>"},
		{"Eve\nparent 0000000000000000000000000000000000000000", "e\n@x", "Eve parent 0000000000000000000000000000000000000000 <e@x>"},
		{"<b>Bob</b>", "<bob@x>", "bBob/b <bob@x>"},
		{"", "", "driftback <driftback@example.com>"},
		{"<>", " ", "unknown <>"},
		{"", "joe@x", "joe <joe@x>"},
		{"nul\x00byte", "a\x00b", "nul byte <ab>"},
		{" .,;\"'", "x y@z", "xy <xy@z>"},
		{"bad\xffutf8 \u2028 😀", "é@ü", "bad utf8   😀 <é@ü>"},
		{"\u202e\ufffd", "", "\u202e <>"},
	} {
		author := Signature{Name: c.name, Email: c.email}
		commit, err := s.Commit(ctx, mainRef, head, Edit{"n": fmt.Append(nil, i)}, author, "x\x00y\xff\n\n\n")
		require.NoError(t, err)
		head = commit.ID
		require.Equal(t, c.want, commit.Author.Name+" <"+commit.Author.Email+">")
		require.Equal(t, c.want, git(t, bare, "log", "-1", "--format=%an <%ae>", mainRef))
		require.Equal(t, "x\uFFFDy\uFFFD\n", commit.Message)
		read, err := s.CommitAt(head)
		require.NoError(t, err)
		require.Equal(t, commit.Author.Name, read.Author.Name)
		require.True(t, commit.Author.When.Equal(read.Author.When))
	}
	when := time.Date(2026, 5, 6, 7, 8, 9, 10, time.FixedZone("", -(3*3600+1800)))
	c, err := s.Commit(ctx, mainRef, head, Edit{"n": []byte("zone")}, Signature{Name: "a", When: when}, "")
	require.NoError(t, err)
	require.Equal(t, "2026-05-06T07:08:09-03:30", git(t, bare, "log", "-1", "--format=%aI", mainRef))
	read, err := s.CommitAt(c.ID)
	require.NoError(t, err)
	require.True(t, read.Author.When.Equal(when.Truncate(time.Second)))
	_, off := read.Author.When.Zone()
	require.Equal(t, -12600, off)
	_, err = s.Commit(ctx, mainRef, c.ID, Edit{"n": []byte("old")}, Signature{Name: "a", When: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}, "m")
	require.NoError(t, err)
	fsck(t, bare)
}

func TestRefsThatAreNoNames(t *testing.T) {
	t.Parallel()
	s := openMemory(t, NewMemoryRemote())
	c, err := s.Write(ID{}, nil, Edit{"a": []byte("1")}, ann, "x")
	require.NoError(t, err)
	for _, ref := range []string{"", "main", "refs/main", "refs/heads/", "refs/heads//x", "refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock",
		"refs/heads/../../config", "refs/heads/a b", "refs/heads/a\n", "refs/heads/a~1", "refs/heads/@{1}", "refs/heads/a.lock/b", "HEAD", "refs/heads/a."} {
		require.Error(t, s.Push(t.Context(), Update{ref, ID{}, c.ID}), "%q", ref)
	}
	require.Error(t, s.Push(t.Context(), Update{mainRef, ID{}, c.ID}, Update{mainRef, ID{}, c.ID}), "twice")
	require.Error(t, s.Push(t.Context(), Update{mainRef, ID{}, ID{}}), "neither")
}

func TestBlobLimits(t *testing.T) {
	t.Parallel()
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			bare := newBare(t)
			w := open(t, Options{URL: bare})
			c, err := w.Commit(t.Context(), mainRef, ID{}, Edit{"big": make([]byte, 2000)}, ann, "x")
			require.NoError(t, err)
			s := p.open(t, bare)
			_, err = s.Sync(t.Context())
			require.NoError(t, err)
			f, ok, err := s.File(c.ID, "big")
			require.NoError(t, err)
			require.True(t, ok)
			_, err = s.Blob(f.ID, 1999)
			require.ErrorIs(t, err, ErrTooLarge)
			b, err := s.Blob(f.ID, 2000)
			require.NoError(t, err)
			require.Len(t, b, 2000)
			_, err = s.Blob(c.Tree, 0)
			require.ErrorContains(t, err, "is a tree, not a blob")
			_, err = s.Blob(ID{1}, 0)
			require.ErrorIs(t, err, ErrMissing)
			_, err = s.CommitAt(f.ID)
			require.ErrorContains(t, err, "not a commit")
			_, ok, err = s.File(c.ID, "none/at/all")
			require.NoError(t, err)
			require.False(t, ok)
			require.NoError(t, s.Files(c.ID, "none", func(File) error { t.Error("there is nothing"); return nil }))
			require.NoError(t, s.Files(ID{}, "", func(File) error { t.Error("there is nothing"); return nil }))
		})
	}
}
