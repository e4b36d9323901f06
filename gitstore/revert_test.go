package gitstore

import (
	"flag"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var reverts = flag.Int("reverts", 150, "random histories in which reverts are compared with those of native git")

// A revertCase is what to revert in one random history.
type revertCase struct {
	onto, tree ID
	commits    []ID // newest first
	mainline   int
	args       []string // of git revert
}

// randomRevert makes a history of seven commits with a merge at times, and picks a commit, a range or the merge.
func randomRevert(t *testing.T, s *Store, seed int) revertCase {
	r := rand.New(rand.NewPCG(uint64(seed), 4))
	chain := []Commit{randomCommit(t, s, r)}
	last := func() Commit { return chain[len(chain)-1] }
	merge := -1
	for len(chain) < 7 {
		from := last()
		c := randomCommit(t, s, r, from.ID)
		if seed%3 == 2 && merge < 0 && len(chain) > 1 {
			other := randomCommit(t, s, r, from.ID)
			m, err := s.Merge(c.ID, other.ID)
			require.NoError(t, err)
			if len(m.Conflicts) == 0 {
				c, err = s.CommitTree(m.Tree, []ID{from.ID, other.ID}, ann, "merge")
				require.NoError(t, err)
				merge = len(chain)
			}
		}
		chain = append(chain, c)
	}
	out := revertCase{onto: last().ID, tree: last().Tree}
	at := 1 + r.IntN(len(chain)-1)
	switch {
	case merge > 0: // against its mainline
		out.commits, out.mainline = []ID{chain[merge].ID}, 1
		out.args = []string{"-m", "1", chain[merge].ID.String()}
	case seed%3 == 1:
		from := r.IntN(at)
		for i := at; i > from; i-- {
			out.commits = append(out.commits, chain[i].ID)
		}
		out.args = []string{chain[from].ID.String() + ".." + chain[at].ID.String()}
	default:
		out.commits = []ID{chain[at].ID}
		out.args = []string{chain[at].ID.String()}
	}
	return out
}

// Reverts of a commit, of a range and of a merge come to the trees and the conflicts of native git.
// `go test ./gitstore -run TestRevertIsThatOfGit -reverts 1000` looks at more of them.
func TestRevertIsThatOfGit(t *testing.T) {
	t.Parallel()
	bare := newBare(t)
	s := open(t, Options{URL: bare})
	tree := t.TempDir()
	git(t, tree, "init", "-q")
	git(t, tree, "config", "merge.renames", "false")
	git(t, tree, "config", "core.fsync", "none")
	git(t, tree, "config", "gc.auto", "0")
	git(t, tree, "remote", "add", "origin", bare)
	var cases []revertCase
	var heads []ID
	for seed := range *reverts {
		cases = append(cases, randomRevert(t, s, seed))
		heads = append(heads, cases[seed].onto)
	}
	pushed(t, s, heads...)
	git(t, tree, "fetch", "-q", "origin")
	clean, conflicts := 0, 0
	for seed, c := range cases {
		res, err := s.RevertAll(c.onto, c.commits, c.mainline)
		require.NoError(t, err)
		want, ok := nativeRevert(t, tree, c)
		if !ok {
			require.NotEmpty(t, res.Conflicts, "seed %d: git revert %s is in conflict", seed, c.args)
			conflicts++
			continue
		}
		require.Empty(t, res.Conflicts, "seed %d: git revert %s", seed, c.args)
		require.Len(t, res.Steps, len(c.commits))
		require.Equal(t, want, res.Steps[len(res.Steps)-1].Tree.String(), "seed %d: git revert %s", seed, c.args)
		if len(c.commits) == 1 {
			one, err := s.Revert(c.onto, c.commits[0], c.mainline)
			require.NoError(t, err)
			require.Equal(t, want, one.Tree.String())
		}
		clean++
	}
	t.Logf("%d clean, %d conflicts", clean, conflicts)
	require.Greater(t, clean, *reverts/10)
	require.Greater(t, conflicts, *reverts/10)
}

// nativeRevert returns the tree that git revert leads to; false for a conflict. Git stops at a revert that changes
// nothing, which is passed over.
func nativeRevert(t *testing.T, dir string, c revertCase) (tree string, clean bool) {
	t.Helper()
	git(t, dir, "checkout", "-q", "-f", "--detach", c.onto.String())
	out, err := gitCommand(dir, append([]string{"revert", "--no-edit"}, c.args...)...).CombinedOutput()
	for err != nil && strings.Contains(string(out), "nothing to commit") {
		if out, err = gitCommand(dir, "revert", "--skip").CombinedOutput(); strings.Contains(string(out), "no revert in progress") {
			err = nil // it was the only one, or the last
		}
	}
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 1, exit.ExitCode(), "%s", out)
		git(t, dir, "reset", "-q", "--hard", "HEAD")
		gitCommand(dir, "revert", "--quit").Run()
		git(t, dir, "clean", "-q", "-f", "-d", "-x")
		return "", false
	}
	return git(t, dir, "rev-parse", "HEAD^{tree}"), true
}

func TestRevertAllSaysWhatIsInConflict(t *testing.T) {
	t.Parallel()
	s := openMemory(t, NewMemoryRemote())
	write := func(parent ID, content string) ID {
		var parents []ID
		if !parent.IsZero() {
			parents = []ID{parent}
		}
		c, err := s.Write(parent, parents, Edit{"a": []byte(content)}, ann, content)
		require.NoError(t, err)
		return c.ID
	}
	one := write(ID{}, "1\n")
	two := write(one, "2\n")
	three := write(two, "3\n")
	res, err := s.RevertAll(three, []ID{two}, 0)
	require.NoError(t, err)
	require.Equal(t, two, res.Commit)
	require.Equal(t, []MergeConflict{{"a", reasonLines}}, res.Conflicts)
	require.Empty(t, res.Steps)
	res, err = s.RevertAll(three, []ID{three, two}, 1)
	require.NoError(t, err)
	require.Empty(t, res.Conflicts)
	require.Equal(t, Edit{"a": []byte("1\n")}, res.Steps[1].Edit)
	_, err = s.RevertAll(three, []ID{three, {9}}, 1)
	require.ErrorIs(t, err, ErrMissing)
}
