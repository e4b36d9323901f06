package forgetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

// Main is the branch that every fixture has, with the file README.
const Main = "main"

// A Fixture is a forge to be tested, with what people have to work on it.
type Fixture struct {
	// Forge is the client under test, Other opens a second one of the same forge and account, as another
	// process would.
	Forge forge.Forge
	Other func(t *testing.T) forge.Forge
	Git   Git

	// Comment adds a person's comment to a pull request.
	Comment func(t *testing.T, n int, body string)
	// Write says that the person of Comment may write to the repository; Teams are theirs among those that the
	// client looks up, sorted.
	Write bool
	Teams []string
	// Reviewer is the login of somebody whose review can be asked for.
	Reviewer string
	// Reactions reads the reactions of the client's account to a person's comment, sorted. Optional.
	Reactions func(t *testing.T, n int, comment string) []string
	// Close closes a pull request as a person does. Reopen opens it again. Optional.
	Close, Reopen func(t *testing.T, n int)
	// MergeBy merges a pull request as a person does: by "merge", "squash" or "rebase". Optional.
	MergeBy func(t *testing.T, n int, method string)
	// Protected is a branch, with the content of Main, onto which the client may not merge. Optional.
	Protected string
	// Writes counts what was written on the forge until now: commits, or requests that are no reads.
	// It is how a case sees that nothing was done. Optional.
	Writes func(t *testing.T) int
	// Statuses and Deployments read what the client wrote: of a commit, to an environment. Optional.
	Statuses    func(t *testing.T, commit string) []forge.Status
	Deployments func(t *testing.T, environment string) []forge.Deployment
}

// Git is the repository as a person with git sees it. Commits are told by their full ids.
type Git interface {
	// Push makes branch, by force, a new commit with these files changed (an empty content deletes) on
	// top of the commits on: the first one's files are changed, several make a merge. It returns the commit.
	Push(t *testing.T, branch string, files map[string]string, on ...string) string
	// Set makes branch be at commit, by force; "" deletes it.
	Set(t *testing.T, branch, commit string)
	// Tip returns where a branch is, "" if there is none.
	Tip(t *testing.T, branch string) string
	// Parents returns a commit's parents.
	Parents(t *testing.T, commit string) []string
	// Message returns a commit's message.
	Message(t *testing.T, commit string) string
	// File returns the content of a file of a commit, "" if there is none.
	File(t *testing.T, commit, path string) string
}

// suite is one case's fixture and what cases do all the time.
type suite struct {
	Fixture
	t *testing.T
}

func (s *suite) ctx() context.Context { return s.t.Context() }

// branch makes a branch off main with one changed file, and returns its commit.
func (s *suite) branch(name, file, content string) string {
	s.t.Helper()
	return s.Git.Push(s.t, name, map[string]string{file: content}, s.Git.Tip(s.t, Main))
}

// ensure is EnsurePull of what must succeed.
func (s *suite) ensure(p forge.Pull) forge.Pull {
	s.t.Helper()
	got, err := s.Forge.EnsurePull(s.ctx(), p)
	require.NoError(s.t, err)
	return got
}

// opened makes a branch with one commit and a pull request of it onto main.
func (s *suite) opened(branch string) forge.Pull {
	s.t.Helper()
	s.branch(branch, branch+".txt", "from "+branch+"\n")
	return s.ensure(forge.Pull{Head: branch, Base: Main, Title: "Change of " + branch})
}

// pulls is Pulls of what must succeed.
func (s *suite) pulls(f forge.Filter) []forge.Pull {
	s.t.Helper()
	got, err := s.Forge.Pulls(s.ctx(), f)
	require.NoError(s.t, err)
	return got
}

// pull returns pull request n as listed now, seen by another client alike.
func (s *suite) pull(n int) forge.Pull {
	s.t.Helper()
	var found []forge.Pull
	for _, client := range []forge.Forge{s.Forge, s.Other(s.t)} {
		all, err := client.Pulls(s.ctx(), forge.Filter{})
		require.NoError(s.t, err)
		for _, p := range all {
			if p.Number == n {
				found = append(found, p)
			}
		}
	}
	require.Len(s.t, found, 2, "pull request #%d is seen by both clients, once", n)
	require.Equal(s.t, found[0], found[1], "both clients see the same")
	return found[0]
}

func (s *suite) comments(n int) []forge.Comment {
	s.t.Helper()
	got, err := s.Forge.Comments(s.ctx(), n)
	require.NoError(s.t, err)
	return got
}

// quiet runs f and requires that it writes nothing, where that can be seen.
func (s *suite) quiet(f func()) {
	s.t.Helper()
	if s.Writes == nil {
		f()
		return
	}
	before := s.Writes(s.t)
	f()
	require.Equal(s.t, before, s.Writes(s.t), "nothing is written the second time")
}

func (s *suite) needs(means string, has bool) {
	s.t.Helper()
	if !has {
		s.t.Skipf("this forge's fixture has no %s", means)
	}
}

func numbers(pulls []forge.Pull) []int {
	var n []int
	for _, p := range pulls {
		n = append(n, p.Number)
	}
	return n
}
