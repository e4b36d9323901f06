package local_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/local"
)

func TestForge(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) site{
		"memory":                    func(t *testing.T) site { return memory(t, true) },
		"memory, one ref at a time": func(t *testing.T) site { return memory(t, false) },
		"path":                      onPath,
		"http":                      onServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forgetest.Run(t, func(t *testing.T) forgetest.Fixture { return open(t).fixture(t) })
		})
	}
}

// started returns a site with main and topic, and a client with a clock that stands still.
func started(t *testing.T) (site, *local.Forge) {
	t.Helper()
	s := memory(t, true)
	root := s.git.Push(t, forgetest.Main, map[string]string{"README": "read me\n"})
	s.git.Push(t, "topic", map[string]string{"topic.txt": "t\n"}, root)
	at := time.Date(2026, 3, 1, 12, 0, 0, 123, time.FixedZone("", 3600))
	return s, s.client(t, local.Options{User: "Ann Lee <ann@example.org>", Now: func() time.Time { return at }})
}

func TestOpenRef(t *testing.T) {
	t.Parallel()
	s := memory(t, true)
	for _, ref := range []string{"forge", "refs/", "refs/driftback/a..b", "refs/driftback/a b", "refs/driftback/"} {
		_, err := local.Open(s.store(t), local.Options{Ref: ref})
		require.ErrorIs(t, err, forge.ErrInvalid, ref)
	}
}

// Two forges live in one repository, and each leaves the other alone.
func TestOtherRef(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	second := s.client(t, local.Options{Ref: "refs/driftback/second"})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	pulls, err := second.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	require.Empty(t, pulls)
}

// The ref's log says who did what.
func TestLog(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	_, err = f.Comment(t.Context(), 1, "hello")
	require.NoError(t, err)
	_, err = f.Close(t.Context(), 1)
	require.NoError(t, err)
	store := s.store(t)
	refs, err := store.Sync(t.Context())
	require.NoError(t, err)
	var said []string
	require.NoError(t, store.Log(refs[local.DefaultRef], nil, func(c gitstore.Commit) error {
		require.Equal(t, "Ann Lee", c.Author.Name)
		require.Equal(t, "ann@example.org", c.Author.Email)
		said = append(said, strings.TrimSpace(c.Message))
		return nil
	}))
	require.ElementsMatch(t, []string{"#1 closed: Topic", "#1 comment", "#1 opened: Topic"}, said)
}

func TestRecorded(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	when := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	require.Equal(t, forge.Pull{
		Number: 1, Head: "topic", Base: "main", HeadID: s.git.Tip(t, "topic"), Title: "Topic",
		State: forge.Open, Author: "Ann Lee", Created: when, Updated: when,
		HeadRef: "refs/heads/topic", BaseID: s.git.Tip(t, "main"),
	}, p)
	closed, err := f.Close(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "Ann Lee", closed.ClosedBy)
	c, err := f.Comment(t.Context(), 1, "x")
	require.NoError(t, err)
	require.Equal(t, forge.Comment{ID: "1", Author: "Ann Lee", Body: "x", Created: when}, c)
	_, err = f.Comment(t.Context(), 1, "")
	require.ErrorIs(t, err, forge.ErrInvalid)
	_, err = f.Comment(t.Context(), 2, "x")
	require.ErrorIs(t, err, forge.ErrNotFound)
}

func TestCloseReopen(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	for _, call := range []func() error{
		func() error { _, err := f.Close(t.Context(), 1); return err },
		func() error { _, err := f.Reopen(t.Context(), 1); return err },
		func() error { _, err := f.Pull(t.Context(), 1); return err },
		func() error { _, err := f.Show(t.Context(), 1); return err },
	} {
		require.ErrorIs(t, call(), forge.ErrNotFound)
	}
	first, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	same, err := f.Reopen(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, first, same, "reopening what is open")
	closed, err := f.Close(t.Context(), 1)
	require.NoError(t, err)
	again, err := f.Close(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, closed, again, "closing what is closed")

	_, err = f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	_, err = f.Reopen(t.Context(), 1)
	require.ErrorIs(t, err, forge.ErrNotAllowed)
	require.ErrorContains(t, err, "#2 is open")
	_, err = f.Close(t.Context(), 2)
	require.NoError(t, err)

	moved := s.git.Push(t, "topic", map[string]string{"more": "m\n"}, first.HeadID)
	open, err := f.Reopen(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Open, open.State)
	require.Equal(t, moved, open.HeadID)
	require.Empty(t, open.ClosedBy)
	_, err = f.Close(t.Context(), 1)
	require.NoError(t, err)

	s.git.Set(t, "topic", s.git.Tip(t, "main"))
	_, err = f.Reopen(t.Context(), 1)
	require.ErrorIs(t, err, forge.ErrEmpty)
	s.git.Set(t, "topic", "")
	_, err = f.Reopen(t.Context(), 1)
	require.ErrorIs(t, err, forge.ErrNotFound)

	s.git.Set(t, "topic", moved)
	_, err = f.Reopen(t.Context(), 1)
	require.NoError(t, err)
	s.git.Set(t, "main", moved)
	for name, call := range map[string]func() (forge.Pull, error){
		"close":  func() (forge.Pull, error) { return f.Close(t.Context(), 1) },
		"reopen": func() (forge.Pull, error) { return f.Reopen(t.Context(), 1) },
	} {
		_, err = call()
		require.ErrorIs(t, err, forge.ErrNotAllowed, "%s what git merged", name)
	}
}

// A branch that was emptied has not been merged, though its base has all of it.
func TestEmptied(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	root := s.git.Tip(t, "main")
	s.git.Set(t, "topic", root)
	got, err := f.Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Open, got.State)
	require.Equal(t, root, got.HeadID)
	_, err = f.Merge(t.Context(), 1, root, "")
	require.ErrorIs(t, err, forge.ErrEmpty)
	_, err = f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	s.git.Push(t, "main", map[string]string{"later": "l\n"}, root)
	got, err = f.Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Open, got.State, "nor when the base goes on")
	s.git.Set(t, "topic", p.HeadID)
	got, err = f.Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, p.HeadID, got.HeadID)
}

// What Git says stays said: a merge that was seen survives the base being forced back once something was written.
func TestMergedIsWrittenDown(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	root := s.git.Tip(t, "main")
	merge := s.git.Push(t, "main", map[string]string{"topic.txt": "t\n"}, root, p.HeadID)
	s.git.Set(t, "topic", s.git.Push(t, "scratch", map[string]string{"new": "n\n"}, merge))
	next, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	require.Equal(t, 2, next.Number)
	s.git.Set(t, "main", root)
	got, err := s.client(t, local.Options{}).Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Merged, got.State)
	require.Equal(t, merge, got.MergeCommit)
	require.Equal(t, "Ben", got.ClosedBy, "the merge's author")
}

func TestLabels(t *testing.T) {
	t.Parallel()
	_, f := started(t)
	p := topic
	p.Labels = []string{"z", "a\nb", "z"}
	got, err := f.EnsurePull(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, []string{"a b", "z"}, got.Labels)
	got.Labels[0] = "scribble"
	seen, err := f.Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a b", "z"}, seen.Labels, "what is returned is the caller's")
	many := make([]string, 51)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	for _, labels := range [][]string{{""}, {strings.Repeat("x", 51)}, many} {
		p.Labels = labels
		_, err = f.EnsurePull(t.Context(), p)
		require.ErrorIs(t, err, forge.ErrInvalid)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	commit := s.git.Tip(t, "main")
	long := strings.Repeat("x", 256)
	for name, call := range map[string]func(s string) error{
		"key": func(s string) error { return f.EnsureComment(t.Context(), 1, s, "text") },
		"context": func(s string) error {
			return f.SetStatus(t.Context(), commit, forge.Status{Context: s, State: "success"})
		},
		"environment": func(s string) error {
			return f.EnsureDeployment(t.Context(), forge.Deployment{ID: "1", Environment: s, Commit: commit, State: "queued"})
		},
		"id": func(s string) error {
			return f.EnsureDeployment(t.Context(), forge.Deployment{ID: s, Environment: "e", Commit: commit, State: "queued"})
		},
	} {
		for _, bad := range []string{"", long, "a\xff"} {
			require.ErrorIs(t, call(bad), forge.ErrInvalid, "%s %q", name, bad)
		}
		for _, odd := range []string{"..", ".git", "a/b", "=x", "CON", " ", "\n", "ü", strings.Repeat("x", 255)} {
			require.NoError(t, call(odd), "%s %q", name, odd)
		}
	}
	for _, e := range []string{"..", ".git", "a/b", "=x", "CON", " ", "\n", "ü", strings.Repeat("x", 255)} {
		list, err := f.Deployments(t.Context(), e)
		require.NoError(t, err)
		require.Len(t, list, 1, "environments do not run into each other")
		require.Equal(t, e, list[0].Environment)
	}
	list, err := f.Deployments(t.Context(), "e")
	require.NoError(t, err)
	require.Len(t, list, 9)
	require.ErrorIs(t, f.SetStatus(t.Context(), commit, forge.Status{Context: "c", State: "success", URL: "http://a\nb"}), forge.ErrInvalid)
}

// Numbers of comments run on across the folders that they are in.
func TestManyComments(t *testing.T) {
	t.Parallel()
	_, f := started(t)
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	for i := range 998 {
		require.NoError(t, f.EnsureComment(t.Context(), 1, "key", fmt.Sprint(i)))
		require.NoError(t, f.EnsureComment(t.Context(), 1, "key", ""))
	}
	_, cursor, err := f.Commands(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, "998", cursor)
	var want, got []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("/say %d", i))
		_, err := f.Comment(t.Context(), 1, want[i])
		require.NoError(t, err)
	}
	commands, next, err := f.Commands(t.Context(), cursor)
	require.NoError(t, err)
	for _, c := range commands {
		got = append(got, c.Text)
	}
	require.Equal(t, want, got)
	require.Equal(t, "1003", next)
	commands, next, err = f.Commands(t.Context(), "4711")
	require.NoError(t, err)
	require.Empty(t, commands, "a cursor of a forge that was started anew")
	require.Equal(t, "1003", next)
	_, _, err = f.Commands(t.Context(), "-1")
	require.ErrorIs(t, err, forge.ErrInvalid)
}

// Whatever stands under the ref, it is told and not written over.
func TestForeignContent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, content, says string }{
		"a newer layout":    {"forge.json", `{"version": 99}`, "newer version"},
		"no JSON":           {"pulls/000/1.json", "hello", "pulls/000/1.json in refs/driftback/forge"},
		"another number":    {"pulls/000/1.json", `{"number": 2}`, "says it is pull request #2"},
		"a file over limit": {"pulls/000/1.json", strings.Repeat(" ", 1<<20+1), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f := started(t)
			store := s.store(t)
			_, err := store.Sync(t.Context())
			require.NoError(t, err)
			commit, err := store.Commit(t.Context(), local.DefaultRef, gitstore.ID{}, gitstore.Edit{c.path: []byte(c.content)}, gitstore.Signature{Name: "x"}, "x\n")
			require.NoError(t, err)
			_, err = f.Pulls(t.Context(), forge.Filter{})
			require.ErrorContains(t, err, c.says)
			_, err = f.EnsurePull(t.Context(), topic)
			require.ErrorContains(t, err, c.says)
			refs, err := store.Sync(t.Context())
			require.NoError(t, err)
			require.Equal(t, commit.ID, refs[local.DefaultRef])
		})
	}
	t.Run("other files", func(t *testing.T) {
		t.Parallel()
		s, f := started(t)
		store := s.store(t)
		_, err := store.Sync(t.Context())
		require.NoError(t, err)
		_, err = store.Commit(t.Context(), local.DefaultRef, gitstore.ID{}, gitstore.Edit{"README": []byte("x"), "pulls/x": []byte("x"), "comments/000/1/note": []byte("x")}, gitstore.Signature{Name: "x"}, "x\n")
		require.NoError(t, err)
		_, err = f.EnsurePull(t.Context(), topic)
		require.NoError(t, err)
		comments, err := f.Comments(t.Context(), 1)
		require.NoError(t, err)
		require.Empty(t, comments)
	})
}

// Where a head was when it was last ensured is remembered when its branch is gone.
func TestHeadIsWrittenDown(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	second := s.git.Push(t, "topic", map[string]string{"more": "m\n"}, p.HeadID)
	_, err = f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	s.git.Push(t, "main", map[string]string{"topic.txt": "t\n", "more": "m\n"}, s.git.Tip(t, "main"), second)
	s.git.Set(t, "topic", "")
	got, err := f.Pull(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Merged, got.State)
	require.Equal(t, second, got.HeadID)
}
