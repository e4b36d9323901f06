package local_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
)

func TestMergeMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    local.MergeOptions
		want string
	}{
		{local.MergeOptions{}, "Merge pull request #1: Topic\n"},
		{local.MergeOptions{Message: "Why.\n\nAccepted-by: ann\n\n"}, "Merge pull request #1: Topic\n\nWhy.\n\nAccepted-by: ann\n"},
		{local.MergeOptions{Method: local.BySquash}, "Topic (#1)\n\nChange topic\n\nof 1 files\n\nChange topic\n\nof 2 files\n"},
		{local.MergeOptions{Method: local.BySquash, Message: "Why."}, "Topic (#1)\n\nWhy.\n"},
		{local.MergeOptions{Method: local.ByRebase, Message: "Why."}, "Change topic\n\nof 2 files\n"},
	} {
		t.Run(fmt.Sprint(c.o), func(t *testing.T) {
			t.Parallel()
			s, f := started(t)
			s.git.Push(t, "topic", map[string]string{"b": "b\n", "c": "c\n"}, s.git.Tip(t, "topic"))
			s.git.Push(t, "main", map[string]string{"later": "l\n"}, s.git.Tip(t, "main"))
			_, err := f.EnsurePull(t.Context(), topic)
			require.NoError(t, err)
			got, err := f.MergeWith(t.Context(), 1, c.o)
			require.NoError(t, err)
			require.Equal(t, c.want, s.git.Message(t, got.MergeCommit))
		})
	}
}

func TestMergeAuthor(t *testing.T) {
	t.Parallel()
	for method, author := range map[local.Method]string{local.ByMerge: "Ann Lee", local.BySquash: "Ben", local.ByRebase: "Ben"} {
		s, f := started(t)
		_, err := f.EnsurePull(t.Context(), topic)
		require.NoError(t, err)
		got, err := f.MergeWith(t.Context(), 1, local.MergeOptions{Method: method})
		require.NoError(t, err)
		store := s.store(t)
		_, err = store.Sync(t.Context())
		require.NoError(t, err)
		c, err := store.CommitAt(parse(t, got.MergeCommit))
		require.NoError(t, err)
		require.Equal(t, author, c.Author.Name, method)
		require.Equal(t, "driftback", c.Committer.Name, method)
	}
}

func TestMergeConflictNamed(t *testing.T) {
	t.Parallel()
	for _, method := range []local.Method{local.ByMerge, local.BySquash, local.ByRebase} {
		t.Run(string(method), func(t *testing.T) {
			t.Parallel()
			s, f := started(t)
			ours, theirs := map[string]string{}, map[string]string{}
			for i := range 12 {
				name := fmt.Sprintf("environments/prod/queue/%02d.yaml", i)
				ours[name], theirs[name] = "ours\n", "theirs\n"
			}
			at := s.git.Push(t, "topic", theirs, s.git.Tip(t, "topic"))
			s.git.Push(t, "main", ours, s.git.Tip(t, "main"))
			_, err := f.EnsurePull(t.Context(), topic)
			require.NoError(t, err)
			_, err = f.MergeWith(t.Context(), 1, local.MergeOptions{Method: method})
			require.ErrorIs(t, err, forge.ErrConflict)
			var conflict *local.ConflictError
			require.ErrorAs(t, err, &conflict)
			require.Len(t, conflict.Conflicts, 12)
			require.Equal(t, "environments/prod/queue/00.yaml", conflict.Conflicts[0].Path)
			require.ErrorContains(t, err, "merge pull request #1: ")
			require.ErrorContains(t, err, "environments/prod/queue/09.yaml (both sides added it), and 2 more: does not merge cleanly")
			if method == local.ByRebase {
				require.Equal(t, at, conflict.Commit)
			}
		})
	}
}

func TestMergeRebase(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	root, one := s.git.Tip(t, "main"), s.git.Tip(t, "topic")
	// topic: one, then main merged into it, then one that main has too, then three.
	main := s.git.Push(t, "main", map[string]string{"both": "same\n"}, root)
	merged := s.git.Push(t, "topic", map[string]string{"both": "same\n", "slipped into the merge": "s\n"}, one, main)
	s.git.Push(t, "topic", map[string]string{"three": "3\n"}, merged)
	s.git.Push(t, "main", map[string]string{"three": "3\n", "more": "m\n"}, main) // and the third came to main meanwhile
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	base := s.git.Tip(t, "main")
	got, err := f.MergeWith(t.Context(), 1, local.MergeOptions{Method: local.ByRebase})
	require.NoError(t, err)
	require.Equal(t, []string{base}, s.git.Parents(t, got.MergeCommit), "neither the merge nor what changes nothing")
	require.Equal(t, "t\n", s.git.File(t, got.MergeCommit, "topic.txt"))
	require.Empty(t, s.git.File(t, got.MergeCommit, "slipped into the merge"))

	s.git.Set(t, "again", s.git.Push(t, "scratch", map[string]string{"three": "3\n"}, root))
	_, err = f.EnsurePull(t.Context(), forge.Pull{Head: "again", Base: "main", Title: "Again"})
	require.NoError(t, err)
	_, err = f.MergeWith(t.Context(), 2, local.MergeOptions{Method: local.ByRebase})
	require.ErrorIs(t, err, forge.ErrEmpty)
	_, err = f.MergeWith(t.Context(), 2, local.MergeOptions{Method: "octopus"})
	require.ErrorIs(t, err, forge.ErrInvalid)
}

func TestMergeUnrelated(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	s.git.Push(t, "topic", map[string]string{"a": "b\n"})
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	for _, method := range []local.Method{local.ByMerge, local.BySquash, local.ByRebase} {
		_, err = f.MergeWith(t.Context(), 1, local.MergeOptions{Method: method})
		require.ErrorIs(t, err, forge.ErrConflict, method)
	}
}

func TestMergeNeedsHead(t *testing.T) {
	t.Parallel()
	_, f := started(t)
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	_, err = f.Merge(t.Context(), 1, "", "")
	require.ErrorIs(t, err, forge.ErrMoved)
	_, err = f.MergeWith(t.Context(), 1, local.MergeOptions{Message: strings.Repeat("x", forge.MaxBody+1)})
	require.ErrorIs(t, err, forge.ErrInvalid)
}

func TestShow(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	main := s.git.Push(t, "main", map[string]string{
		"changed": "one\ntwo\nthree\n", "gone": "g\n", "no newline": "x", "big": strings.Repeat("a\n", 200_000), "binary": "\x00\x01",
	}, s.git.Tip(t, "main"))
	s.git.Push(t, "topic", map[string]string{
		"changed": "one\nTWO\nthree\n", "gone": "", "no newline": "y", "new/esc\u202e": "n\n",
		"big": strings.Repeat("b\n", 200_000), "binary": "\x00\x02",
	}, main)
	s.git.Push(t, "main", map[string]string{"changed": "elsewhere\n"}, main)
	p, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	_, err = f.Comment(t.Context(), 1, "hello")
	require.NoError(t, err)
	status := forge.Status{Context: "driftback/prod", State: "success"}
	require.NoError(t, f.SetStatus(t.Context(), p.HeadID, status))

	d, err := f.Show(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, p, d.Pull)
	require.Equal(t, "hello", d.Comments[0].Body)
	require.Equal(t, []forge.Status{status}, d.Statuses)
	require.False(t, d.Truncated)
	require.Len(t, d.Files, 6)
	require.Equal(t, strings.Join([]string{
		`diff --git a/big b/big`,
		`a/big and b/big differ (large)`,
		`diff --git a/binary b/binary`,
		`a/binary and b/binary differ (not text)`,
		`diff --git a/changed b/changed`,
		`--- a/changed`,
		`+++ b/changed`,
		`@@ -1,3 +1,3 @@`,
		` one`,
		`-two`,
		`+TWO`,
		` three`,
		`diff --git a/gone b/gone`,
		`deleted file mode 100644`,
		`--- a/gone`,
		`+++ /dev/null`,
		`@@ -1 +0,0 @@`,
		`-g`,
		`diff --git "a/new/esc\u202e" "b/new/esc\u202e"`,
		`new file mode 100644`,
		`--- /dev/null`,
		`+++ "b/new/esc\u202e"`,
		`@@ -0,0 +1 @@`,
		`+n`,
		`diff --git a/no newline b/no newline`,
		`--- a/no newline`,
		`+++ b/no newline`,
		`@@ -1 +1 @@`,
		`-x`,
		`\ No newline at end of file`,
		`+y`,
		`\ No newline at end of file`,
		``}, "\n"), d.Diff)

	s.git.Push(t, "main", map[string]string{"changed": "one\ntwo\nthree\n"}, s.git.Tip(t, "main"))
	_, err = f.MergeWith(t.Context(), 1, local.MergeOptions{Method: local.BySquash})
	require.NoError(t, err)
	after, err := f.Show(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, d.Diff, after.Diff, "what it changed then")

	// A clone made after the branch was tidied away does not have the head.
	s.git.Set(t, "topic", "")
	fresh, err := s.client(t, local.Options{}).Show(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, fresh.Files, 6)
	require.Equal(t, d.Diff, fresh.Diff)
}

// What was merged is shown as it was, although the base has it now.
func TestShowMerged(t *testing.T) {
	t.Parallel()
	for name, merge := range map[string]func(s site, f *local.Forge){
		"by merge": func(_ site, f *local.Forge) {
			_, err := f.MergeWith(t.Context(), 1, local.MergeOptions{})
			require.NoError(t, err)
		},
		"with git alone": func(s site, _ *local.Forge) {
			s.git.Push(t, "main", map[string]string{"topic.txt": "t\n"}, s.git.Tip(t, "main"), s.git.Tip(t, "topic"))
		},
		"by fast-forward": func(s site, f *local.Forge) {
			s.git.Set(t, "main", s.git.Tip(t, "topic"))
			p, err := f.Pull(t.Context(), 1)
			require.NoError(t, err)
			require.Empty(t, p.ClosedBy, "nobody knows")
		},
	} {
		s, f := started(t)
		_, err := f.EnsurePull(t.Context(), topic)
		require.NoError(t, err)
		before, err := f.Show(t.Context(), 1)
		require.NoError(t, err)
		merge(s, f)
		after, err := f.Show(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, forge.Merged, after.State, name)
		require.NotEmpty(t, after.Diff)
		require.Equal(t, before.Diff, after.Diff, name)
	}
}

// A diff is cut at the end of a file.
func TestShowTruncated(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	files := map[string]string{}
	for i := range 10 {
		files[fmt.Sprintf("f%d", i)] = strings.Repeat("0123456789\n", 20_000)
	}
	files["small, but after the cut"] = "x\n"
	s.git.Push(t, "topic", files, s.git.Tip(t, "main"))
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	d, err := f.Show(t.Context(), 1)
	require.NoError(t, err)
	require.True(t, d.Truncated)
	require.Len(t, d.Files, 11)
	require.LessOrEqual(t, len(d.Diff), 1<<20)
	require.Equal(t, 4, strings.Count(d.Diff, "diff --git"))
	require.True(t, strings.HasSuffix(d.Diff, "+0123456789\n"))
}

// A pull request whose head nobody has any more can still be looked at.
func TestShowVanished(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	_, err := f.EnsurePull(t.Context(), topic)
	require.NoError(t, err)
	s.git.Set(t, "topic", "")
	d, err := s.client(t, local.Options{}).Show(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Open, d.State)
	require.Empty(t, d.Files)
	require.Empty(t, d.Diff)
}

func TestShowEmptyFile(t *testing.T) {
	t.Parallel()
	s, f := started(t)
	store := s.store(t)
	_, err := store.Sync(t.Context())
	require.NoError(t, err)
	main := parse(t, s.git.Tip(t, "main"))
	c, err := store.Write(main, []gitstore.ID{main}, gitstore.Edit{"empty": {}}, gitstore.Signature{Name: "Ben"}, "x\n")
	require.NoError(t, err)
	require.NoError(t, store.Push(t.Context(), gitstore.Update{Ref: "refs/heads/empty", New: c.ID}))
	_, err = f.EnsurePull(t.Context(), forge.Pull{Head: "empty", Base: "main", Title: "T"})
	require.NoError(t, err)
	d, err := f.Show(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "diff --git a/empty b/empty\nnew file mode 100644\n", d.Diff)
}
