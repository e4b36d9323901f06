package github_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/github"
	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// A login that was configured in other letters than GitHub shows is the same account: what is ours is found again.
func TestLoginInOtherLetters(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	o := s.options(false)
	o.Login = "Driftback-Robot"
	f := s.client(t, o)
	p := s.topic(t, f, forge.Pull{})
	_, cursor, err := f.Commands(t.Context(), "")
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, f.EnsureComment(t.Context(), p.Number, "plan/prod", fmt.Sprintf("/plan is said in version %d", i)))
		require.NoError(t, f.EnsureDeployment(t.Context(), forge.Deployment{ID: "d", Environment: "prod", Commit: p.HeadID, State: "in_progress", Description: fmt.Sprint(i)}))
	}
	all, err := f.Comments(t.Context(), p.Number)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "/plan is said in version 2", all[0].Body)
	require.Len(t, s.deployments(t, "prod"), 1)
	got, _, err := f.Commands(t.Context(), cursor)
	require.NoError(t, err)
	require.Empty(t, got)
	require.True(t, f.Own("driftback-robot"))
	writes := s.Writes()
	for range 2 {
		require.NoError(t, f.Answer(t.Context(), forge.Command{ID: all[0].ID + ".1", Pull: p.Number}, forge.Eyes, ""))
	}
	require.Equal(t, writes+1, s.Writes())
}

// topic opens a pull request of a new branch.
func (s *site) topic(t *testing.T, f forge.Forge, p forge.Pull) forge.Pull {
	t.Helper()
	s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
	p.Head, p.Base, p.Title = "topic", forgetest.Main, "T"
	p, err := f.EnsurePull(t.Context(), p)
	require.NoError(t, err)
	return p
}

// GitHub refuses to search for some words. Then nobody is known by them, and the pull request is there all the same.
func TestNobodyIsFoundByWhatCannotBeSearched(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	s.Fail(githubtest.Fault{Op: "search/users", Status: 422, Message: "Validation Failed"})
	s.topic(t, s.client(t, s.options(true)), forge.Pull{Reviewers: []string{"someone@example.net"}})
	require.Zero(t, s.Heal())
}

// An app that was taken off the repository and installed again has another installation, which a client finds that was not told one.
func TestAppInstalledAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	f := s.client(t, s.options(true))
	_, err := f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	s.inst.Uninstall()
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.ErrorIs(t, err, github.ErrSignIn)
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.ErrorIs(t, err, forge.ErrNotFound, "it is not installed on the repository")
	s.app.Install(owner, nil)
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
}

// A check that somebody asks for again is made again, once, also where it says the same and where GitHub left the run as it was.
func TestChecksAskedForAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	f := s.client(t, s.options(true))
	head := s.topic(t, f, forge.Pull{}).HeadID
	say := func() int {
		before := s.Writes()
		for _, name := range []string{"driftback/plan (prod)", "driftback/plan (test)"} {
			require.NoError(t, f.SetStatus(t.Context(), head, forge.Status{Context: name, State: "success", Description: "nothing to deploy"}))
		}
		return s.Writes() - before
	}
	require.Equal(t, 2, say())
	require.Zero(t, say())
	for range 2 {
		f.Again(head)
		s.Fail(githubtest.Fault{Op: "checks/create", Status: 500})
		require.Error(t, f.SetStatus(t.Context(), head, forge.Status{Context: "driftback/plan (prod)", State: "success", Description: "nothing to deploy"}))
		require.Equal(t, 2, say())
		require.Zero(t, say())
	}
}
