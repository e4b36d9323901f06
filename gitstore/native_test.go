package gitstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// randomText makes a text of a few lines.
func randomText(r *rand.Rand) []byte {
	var b strings.Builder
	for range 1 + r.IntN(12) {
		fmt.Fprintf(&b, "key%d: %d\n", r.IntN(40), r.IntN(3))
	}
	return []byte(b.String())
}

// randomPath picks one of few paths, some of which are folders of others.
func randomPath(r *rand.Rand) string {
	parts := []string{"a", "a.b", "b", "a-b", "c"}
	path := parts[r.IntN(len(parts))]
	for range r.IntN(3) {
		path += "/" + parts[r.IntN(len(parts))]
	}
	return path
}

// randomEdit changes some of the files, line by line or whole. What clashes is left to the caller to find out.
func randomEdit(r *rand.Rand, files map[string]string) Edit {
	e := Edit{}
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for range 1 + r.IntN(4) {
		if len(paths) > 0 && r.IntN(3) > 0 {
			p := paths[r.IntN(len(paths))]
			lines := strings.SplitAfter(files[p], "\n")
			switch at := r.IntN(len(lines)); r.IntN(5) {
			case 0:
				e[p] = nil
			case 1:
				e[p] = []byte(strings.Join(slices.Insert(slices.Clone(lines), at, "new: "+fmt.Sprint(r.IntN(9))+"\n"), ""))
			case 2:
				e[p] = []byte(files[p] + "bin\x00ary" + fmt.Sprint(r.IntN(2)))
			default:
				lines[at] = fmt.Sprintf("changed: %d\n", r.IntN(3))
				e[p] = []byte(strings.Join(lines, ""))
			}
			continue
		}
		e[randomPath(r)] = randomText(r)
	}
	return e
}

// randomCommit writes a commit with a random edit that is possible.
func randomCommit(t *testing.T, s *Store, r *rand.Rand, parents ...ID) Commit {
	t.Helper()
	for {
		var base ID
		if len(parents) > 0 {
			base = parents[0]
		}
		c, err := s.Write(base, parents, randomEdit(r, listing(t, s, base)), ann, fmt.Sprint("commit ", r.IntN(1000)))
		if errors.Is(err, ErrPath) { // a file where a folder is
			continue
		}
		require.NoError(t, err)
		return c
	}
}

// pushed makes commits visible to native git.
func pushed(t *testing.T, s *Store, ids ...ID) {
	t.Helper()
	_, err := s.Sync(t.Context()) // learns that pushes are atomic
	require.NoError(t, err)
	var ups []Update
	for _, id := range ids {
		ups = append(ups, Update{"refs/heads/" + id.String(), ID{}, id})
	}
	require.NoError(t, s.Push(t.Context(), ups...))
}

// The trees that edits make are those that native git makes.
func TestTreesAreThoseOfGit(t *testing.T) {
	t.Parallel()
	bare := newBare(t)
	s := open(t, Options{URL: bare})
	var head ID
	want := map[string]string{}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := randomEdit(r, want)
		c, err := s.Write(head, nil, e, ann, "x")
		if errors.Is(err, ErrPath) {
			continue
		}
		require.NoError(t, err)
		for p, content := range e {
			if content == nil {
				delete(want, p)
			} else {
				want[p] = string(content)
			}
		}
		head = c.ID
		require.Equal(t, want, listing(t, s, head), "seed %d", seed)
		pushed(t, s, head)
		var index bytes.Buffer
		for p, content := range want {
			hash := gitCommand(bare, "hash-object", "-w", "--stdin")
			hash.Stdin = strings.NewReader(content)
			id, err := hash.Output()
			require.NoError(t, err)
			fmt.Fprintf(&index, "100644 %s\t%s\n", bytes.TrimSpace(id), p)
		}
		file := fmt.Sprint(t.TempDir(), "/index")
		update := gitCommand(bare, "update-index", "--index-info")
		update.Env = append(update.Env, "GIT_INDEX_FILE="+file)
		update.Stdin = &index
		require.NoError(t, update.Run())
		tree := gitCommand(bare, "write-tree")
		tree.Env = append(tree.Env, "GIT_INDEX_FILE="+file)
		out, err := tree.Output()
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(string(out)), c.Tree.String(), "seed %d", seed)
	}
	fsck(t, bare)
}

func TestDiffIsThatOfGit(t *testing.T) {
	t.Parallel()
	bare := newBare(t)
	s := open(t, Options{URL: bare})
	var pairs [][2]ID
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 2))
		a := randomCommit(t, s, r)
		for range 4 {
			a = randomCommit(t, s, r, a.ID)
		}
		b := a
		for range 1 + r.IntN(5) {
			b = randomCommit(t, s, r, b.ID)
		}
		pairs = append(pairs, [2]ID{a.ID, b.ID})
	}
	pushed(t, s, slices.Concat(flat(pairs)...)...)
	for seed, p := range pairs {
		a, b := p[0], p[1]
		for _, prefix := range []string{"", "a", "a/b", "none"} {
			var got []string
			require.NoError(t, s.Diff(a, b, prefix, func(d Delta) error {
				got = append(got, fmt.Sprintf("%s %s %s", fullHex(d.Old.ID), fullHex(d.New.ID), d.Path))
				return nil
			}))
			args := []string{"diff-tree", "-r", "--raw", "--no-renames", "--abbrev=40", a.String(), b.String()}
			if prefix != "" {
				args = append(args, "--", prefix)
			}
			var want []string
			for line := range strings.Lines(git(t, bare, args...) + "\n") {
				if f := strings.Fields(line); len(f) == 6 {
					want = append(want, strings.Join([]string{f[2], f[3], f[5]}, " "))
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			require.Equal(t, want, got, "seed %d prefix %q", seed, prefix)
		}
	}
}

func fullHex(id ID) string { return fmt.Sprintf("%x", id[:]) }

// Merges come to the trees and the conflicts of native git.
func TestMergeIsThatOfGit(t *testing.T) {
	t.Parallel()
	bare := newBare(t)
	git(t, bare, "config", "merge.renames", "false")
	s := open(t, Options{URL: bare})
	var pairs [][2]ID
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 3))
		base := randomCommit(t, s, r)
		for range 5 {
			base = randomCommit(t, s, r, base.ID)
		}
		ours, theirs := randomCommit(t, s, r, base.ID), randomCommit(t, s, r, base.ID)
		if r.IntN(2) == 0 {
			ours = randomCommit(t, s, r, ours.ID)
		}
		pairs = append(pairs, [2]ID{ours.ID, theirs.ID})
	}
	pushed(t, s, slices.Concat(flat(pairs)...)...)
	var merges []ID
	clean, conflicts := 0, 0
	for seed, p := range pairs {
		ours, theirs := p[0], p[1]
		res, err := s.Merge(ours, theirs)
		require.NoError(t, err)
		out, err := gitCommand(bare, "merge-tree", "--write-tree", ours.String(), theirs.String()).Output()
		tree, _, _ := strings.Cut(string(out), "\n")
		if err != nil {
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 1, exit.ExitCode())
			require.NotEmpty(t, res.Conflicts, "seed %d: git says\n%s", seed, out)
			require.True(t, res.Tree.IsZero())
			conflicts++
			continue
		}
		require.Empty(t, res.Conflicts, "seed %d: git says\n%s", seed, out)
		require.Equal(t, tree, res.Tree.String(), "seed %d", seed)
		again, err := s.WriteTree(ours, res.Edit)
		require.NoError(t, err)
		require.Equal(t, res.Tree, again, "seed %d: the edit leads to another tree", seed)
		c, err := s.CommitTree(res.Tree, []ID{ours, theirs}, ann, "merge")
		require.NoError(t, err)
		merges = append(merges, c.ID)
		clean++
	}
	pushed(t, s, merges...)
	t.Logf("%d clean, %d conflicts", clean, conflicts)
	require.Greater(t, clean, 20)
	require.Greater(t, conflicts, 20)
	fsck(t, bare)
}

func flat(pairs [][2]ID) (out [][]ID) {
	for _, p := range pairs {
		out = append(out, p[:])
	}
	return out
}

func TestMergeKeepsModes(t *testing.T) {
	t.Parallel()
	bare := newBare(t)
	work := t.TempDir()
	run := func(script string) string {
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir, cmd.Env = work, gitCommand(work).Env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return git(t, work, "rev-parse", "HEAD")
	}
	base := run(`git init -q -b main . ; echo a >a; echo b >b; git add .; git commit -qm base`)
	theirs := run(`echo x >run; chmod +x run a; ln -s a link; git add .; git commit -qm theirs`)
	ours := run(`git checkout -q -b other main~1; echo bb >b; git commit -qam ours`)
	run("git push -q " + bare + " main other")
	want, _, _ := strings.Cut(git(t, work, "merge-tree", "--write-tree", ours, theirs), "\n")
	s := open(t, Options{URL: bare})
	refs, err := s.Sync(t.Context())
	require.NoError(t, err)
	res, err := s.Merge(refs["refs/heads/other"], refs[mainRef])
	require.NoError(t, err)
	require.Empty(t, res.Conflicts)
	require.Equal(t, want, res.Tree.String())
	got, err := s.MergeBase(refs["refs/heads/other"], refs[mainRef])
	require.NoError(t, err)
	require.Equal(t, base, got.String())

	// an edit keeps the mode of what it changes
	c, err := s.Commit(t.Context(), mainRef, refs[mainRef], Edit{"run": []byte("y\n"), "new": []byte("n\n")}, ann, "edit")
	require.NoError(t, err)
	require.Contains(t, git(t, bare, "ls-tree", c.ID.String()), "100755 blob "+git(t, bare, "rev-parse", c.ID.String()+":run"))

	_, err = s.Revert(c.ID, c.ID, 2)
	require.ErrorContains(t, err, "has no parent number 2")
	m, err := s.CommitTree(res.Tree, []ID{refs["refs/heads/other"], refs[mainRef]}, ann, "merge")
	require.NoError(t, err)
	_, err = s.Revert(m.ID, m.ID, 0)
	require.ErrorContains(t, err, "is a merge")
	back, err := s.Revert(m.ID, m.ID, 1)
	require.NoError(t, err)
	other, err := s.CommitAt(refs["refs/heads/other"])
	require.NoError(t, err)
	require.Equal(t, other.Tree, back.Tree)
	orphan, err := s.Write(ID{}, nil, Edit{"z": []byte("z")}, ann, "orphan")
	require.NoError(t, err)
	_, err = s.Merge(orphan.ID, m.ID)
	require.ErrorIs(t, err, ErrUnrelated)
}

// Walks of random histories with merges and skewed clocks give what native git gives.
func TestHistoryIsThatOfGit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 5))
		bare := newBare(t)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		s := open(t, Options{URL: bare, Now: func() time.Time {
			now = now.Add(10 * time.Minute)
			return now.Add(time.Duration(r.IntN(24*3600)-12*3600) * time.Second)
		}})
		tree, err := s.Write(ID{}, nil, Edit{"f": []byte("f")}, ann, "tree")
		require.NoError(t, err)
		var all []ID
		for i := range 40 {
			var parents []ID
			for range r.IntN(3) {
				if len(all) > 0 {
					if p := all[max(0, len(all)-1-r.IntN(8))]; !slices.Contains(parents, p) {
						parents = append(parents, p)
					}
				}
			}
			c, err := s.CommitTree(tree.Tree, parents, ann, fmt.Sprint(i))
			require.NoError(t, err)
			all = append(all, c.ID)
		}
		pushed(t, s, all...)
		for range 15 {
			a, b, c := all[r.IntN(len(all))], all[r.IntN(len(all))], all[r.IntN(len(all))]
			var got []string
			seen := map[ID]bool{}
			require.NoError(t, s.Log(a, []ID{b, c}, func(c Commit) error {
				for _, p := range c.Parents {
					require.False(t, seen[p], "a parent before its child")
				}
				seen[c.ID] = true
				got = append(got, c.ID.String())
				return nil
			}))
			want := strings.Fields(git(t, bare, "rev-list", a.String(), "^"+b.String(), "^"+c.String()))
			slices.Sort(got)
			slices.Sort(want)
			if len(want) == 0 {
				require.Empty(t, got)
			} else {
				require.Equal(t, want, got, "seed %d", seed)
			}
			ok, err := s.IsAncestor(a, b)
			require.NoError(t, err)
			require.Equal(t, gitCommand(bare, "merge-base", "--is-ancestor", a.String(), b.String()).Run() == nil, ok)
			base, err := s.MergeBase(a, b)
			require.NoError(t, err)
			out, _ := gitCommand(bare, "merge-base", "--all", a.String(), b.String()).Output()
			if base.IsZero() {
				require.Empty(t, out)
			} else {
				require.Contains(t, string(out), base.String(), "seed %d", seed)
			}
		}
	}
}
