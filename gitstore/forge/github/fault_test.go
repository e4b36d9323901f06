package github_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/github"
	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// story is what a pass does on the forge, from the beginning, as often as it takes.
func (s *site) story(t *testing.T, f *github.Forge, commit string) error {
	t.Helper()
	ctx := t.Context()
	p, err := f.EnsurePull(ctx, forge.Pull{
		Head: "topic", Base: forgetest.Main, Title: "Drift of prod", Body: "what changed", Labels: []string{"drift", "env/prod"}, Reviewers: []string{"bob"}, Draft: true,
	})
	if err != nil {
		return err
	}
	return errors.Join(
		f.EnsureComment(ctx, p.Number, "plan", "the plan"),
		f.SetStatus(ctx, commit, forge.Status{Context: "driftback/prod", State: "success", Summary: "fine"}),
		f.EnsureDeployment(ctx, forge.Deployment{ID: "prod/1", Environment: "prod", Commit: commit, State: "success"}),
	)
}

// After every fault there is one pull request, one comment, one check and one deployment, as wanted, and then quiet.
func TestFaults(t *testing.T) {
	t.Parallel()
	ops := []string{"pulls/create", "issues/add-labels", "pulls/request-reviewers", "pulls/update", "issues/create-comment", "checks/create",
		"repos/create-deployment", "repos/create-deployment-status", "pulls/list", "issues/list-comments"}
	faults := map[string]func(op string) githubtest.Fault{
		"lost before":        func(op string) githubtest.Fault { return githubtest.Fault{Op: op} },
		"the answer is lost": func(op string) githubtest.Fault { return githubtest.Fault{Op: op, Late: true} },
		"502 after doing it": func(op string) githubtest.Fault { return githubtest.Fault{Op: op, Late: true, Status: 502} },
		"500":                func(op string) githubtest.Fault { return githubtest.Fault{Op: op, Status: 500} },
		"429": func(op string) githubtest.Fault {
			f := githubtest.SecondaryLimit(429, time.Second)
			f.Op = op
			return f
		},
		"a secondary limit": func(op string) githubtest.Fault {
			f := githubtest.SecondaryLimit(403, 2*time.Second)
			f.Op = op
			return f
		},
		"the token ends here": func(op string) githubtest.Fault { return githubtest.Fault{Op: op, Pass: true} },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, githubtest.Options{})
			o := s.options(true)
			o.Wait = func(ctx contextContext, _ time.Duration) error { return ctx.Err() }
			o.MaxWait = time.Minute
			commit := s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
			var last string
			o.OnToken = func(token string) { last = token }
			f := s.client(t, o)
			for _, op := range ops {
				x := fault(op)
				if x.Pass {
					x.Before = func() { s.Revoke(last) }
				}
				s.Fail(x)
			}
			for try := 0; ; try++ {
				err := s.story(t, f, commit)
				if err == nil && s.Heal() == 0 {
					break
				}
				require.Less(t, try, 3*len(ops), "it does not come to an end: %v", err)
			}
			s.one(t, f, commit)
			writes := s.Writes()
			require.NoError(t, s.story(t, f, commit))
			require.Equal(t, writes, s.Writes(), "and then it is quiet")
		})
	}
}

// one requires one of each, as wanted.
func (s *site) one(t *testing.T, f *github.Forge, commit string) {
	t.Helper()
	pulls, err := f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	require.Len(t, pulls, 1)
	p := pulls[0]
	require.Equal(t, []any{"Drift of prod", "what changed", []string{"drift", "env/prod"}, []string{"bob"}, true},
		[]any{p.Title, p.Body, p.Labels, p.Reviewers, p.Draft})
	comments, err := f.Comments(t.Context(), p.Number)
	require.NoError(t, err)
	require.Len(t, comments, 1)
	require.Equal(t, "the plan", comments[0].Body)
	require.Equal(t, []forge.Deployment{{ID: "prod/1", Environment: "prod", Commit: commit, State: "success"}}, s.deployments(t, "prod"))
	checks := s.checks(t, commit)
	require.Len(t, checks, 1)
	require.Equal(t, "success", checks[0].State)
}

// A quota that is used up is an error with its end, nothing is asked before that, and then it goes on.
func TestQuotaUsedUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	o := s.options(false)
	now := time.Now()
	o.Now = func() time.Time { return now }
	var limits []github.Limit
	o.OnLimit = func(l github.Limit) { limits = append(limits, l) }
	f := s.client(t, o)
	_, err := f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	require.Equal(t, "core", limits[0].Resource)
	require.Positive(t, limits[0].Remaining)
	s.Exhaust("driftback-robot", 0)
	before := len(s.Requests())
	for range 3 {
		_, err = f.Pulls(t.Context(), forge.Filter{State: forge.Open})
		require.ErrorIs(t, err, github.ErrLimited)
	}
	require.Len(t, s.Requests(), before+1)
}

// GitHub computes whether a merge is possible in the background: it is waited for.
func TestMergeabilityIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{Unknown: 3})
	o := s.options(true)
	var waited []time.Duration
	o.Wait = func(ctx contextContext, d time.Duration) error { waited = append(waited, d); return ctx.Err() }
	f := s.client(t, o)
	s.repo.Push(t, "topic", map[string]string{"README": "theirs\n"}, s.repo.Tip(t, forgetest.Main))
	p, err := f.EnsurePull(t.Context(), forge.Pull{Head: "topic", Base: forgetest.Main, Title: "T"})
	require.NoError(t, err)
	s.repo.Push(t, forgetest.Main, map[string]string{"README": "ours\n"}, s.repo.Tip(t, forgetest.Main))
	_, err = f.Merge(t.Context(), p.Number, p.HeadID, "")
	require.ErrorIs(t, err, forge.ErrConflict)
	require.NotEmpty(t, waited)

	s.repo.Push(t, "clean", map[string]string{"other": "1\n"}, s.repo.Tip(t, forgetest.Main))
	p, err = f.EnsurePull(t.Context(), forge.Pull{Head: "clean", Base: forgetest.Main, Title: "T"})
	require.NoError(t, err)
	s.Fail(githubtest.Fault{Op: "pulls/merge", Status: 405, Message: "Pull Request is not mergeable"})
	merged, err := f.Merge(t.Context(), p.Number, p.HeadID, "")
	require.NoError(t, err, "not known yet is not no")
	require.Equal(t, forge.Merged, merged.State)
}

// Where merge commits are turned off, the method that is configured is taken; else it is left for people, with the reason.
func TestMergeMethods(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	s.repo.Forbid("merge")
	o := s.options(true)
	o.Wait = func(ctx contextContext, _ time.Duration) error { return ctx.Err() }
	f := s.client(t, o)
	for _, head := range []string{"one", "two"} {
		s.repo.Push(t, head, map[string]string{head: "x\n"}, s.repo.Tip(t, forgetest.Main))
	}
	p, err := f.EnsurePull(t.Context(), forge.Pull{Head: "one", Base: forgetest.Main, Title: "T"})
	require.NoError(t, err)
	_, err = f.Merge(t.Context(), p.Number, p.HeadID, "")
	require.ErrorIs(t, err, forge.ErrNotAllowed)
	o.MergeMethod = "squash"
	merged, err := s.client(t, o).Merge(t.Context(), p.Number, p.HeadID, "Accepted-by: ann")
	require.NoError(t, err)
	require.Equal(t, forge.Merged, merged.State)
	require.Len(t, s.repo.Parents(t, merged.MergeCommit), 1)
	require.Contains(t, s.repo.Message(t, merged.MergeCommit), "Accepted-by: ann")
	o.MergeMethod = "octopus"
	_, err = github.New(o)
	require.ErrorContains(t, err, "want merge, squash or rebase")
}

// A merge whose answer is lost has happened, once.
func TestMergeWithLostAnswer(t *testing.T) {
	t.Parallel()
	for _, fault := range []githubtest.Fault{{Op: "pulls/merge", Late: true}, {Op: "pulls/merge", Late: true, Status: 502}, {Op: "pulls/merge", Status: 503}} {
		t.Run(fmt.Sprintf("%+v", fault.Status), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, githubtest.Options{})
			o := s.options(true)
			o.Wait = func(ctx contextContext, _ time.Duration) error { return ctx.Err() }
			f := s.client(t, o)
			s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
			p, err := f.EnsurePull(t.Context(), forge.Pull{Head: "topic", Base: forgetest.Main, Title: "T"})
			require.NoError(t, err)
			before := s.repo.Tip(t, forgetest.Main)
			s.Fail(fault)
			merged, err := f.Merge(t.Context(), p.Number, p.HeadID, "")
			if err != nil { // the next pass looks again
				merged, err = f.Merge(t.Context(), p.Number, p.HeadID, "")
			}
			require.NoError(t, err)
			require.Equal(t, s.repo.Tip(t, forgetest.Main), merged.MergeCommit)
			require.Equal(t, before, s.repo.Parents(t, merged.MergeCommit)[0])
		})
	}
}
