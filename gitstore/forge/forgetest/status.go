package forgetest

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

const missingCommit = "0123456789abcdef0123456789abcdef01234567"

func (s *suite) statuses() {
	commit := s.branch("topic", "a", "one\n")
	set := func(st forge.Status) {
		s.t.Helper()
		require.NoError(s.t, s.Forge.SetStatus(s.ctx(), commit, st))
	}
	prod := forge.Status{Context: "driftback/prod ü", State: "pending", Description: "planning", URL: "https://example.org/x?a=1&b=2"}
	test := forge.Status{Context: "driftback/test", State: "success"}
	set(prod)
	set(test)
	s.quiet(func() { set(prod) })
	for _, state := range []string{"failure", "error", "success", "pending"} {
		prod.State = state
		set(prod)
	}
	long := prod
	long.Description = "3 changes\n" + strings.Repeat("世", 200)
	set(long)
	s.quiet(func() { set(long) })
	require.ErrorIs(s.t, s.Forge.SetStatus(s.ctx(), commit, forge.Status{Context: "c", State: "fine"}), forge.ErrInvalid)

	s.needs("Statuses", s.Statuses != nil)
	long.Description = forge.CleanDescription(long.Description)
	require.Equal(s.t, forge.MaxDescription, utf8.RuneCountInString(long.Description))
	require.ElementsMatch(s.t, []forge.Status{long, test}, s.Statuses(s.t, commit), "the newest of each context")
	require.Empty(s.t, s.Statuses(s.t, s.Git.Tip(s.t, Main)))
}

func (s *suite) statusPage() {
	commit := s.branch("topic", "a", "one\n")
	page := forge.Status{
		Context: "driftback/plan (prod)", State: "failure", Title: "2 changes", Summary: hostile,
		Annotations: []forge.Annotation{
			{Path: "a", Line: 1, EndLine: 1, Level: "failure", Message: "a: not `known`"},
			{Path: "shared/queue/Süd %2F.yaml", Line: 3, EndLine: 4, Level: "warning", Message: "two\nlines"},
		},
	}
	set := func(st forge.Status) {
		s.t.Helper()
		require.NoError(s.t, s.Forge.SetStatus(s.ctx(), commit, st))
	}
	set(page)
	s.quiet(func() { set(page) })
	page.Annotations = page.Annotations[:1]
	set(page)
	page.Summary = "nothing is wrong any more"
	page.State, page.Annotations = "success", nil
	set(page)
	s.quiet(func() { set(page) })
	many := page
	for i := range forge.MaxAnnotations + 1 {
		many.Annotations = append(many.Annotations, forge.Annotation{Path: "a", Line: i + 1, Level: "notice", Message: "m"})
	}
	set(many)
	s.quiet(func() { set(many) })
	for name, spoil := range map[string]func(*forge.Status){
		"a summary over the limit": func(st *forge.Status) { st.Summary = strings.Repeat("x", forge.MaxBody+1) },
		"a level not known":        func(st *forge.Status) { st.Annotations = []forge.Annotation{{Path: "a", Level: "bad", Message: "m"}} },
		"no path":                  func(st *forge.Status) { st.Annotations = []forge.Annotation{{Level: "notice", Message: "m"}} },
		"no message":               func(st *forge.Status) { st.Annotations = []forge.Annotation{{Path: "a", Level: "notice"}} },
	} {
		bad := page
		spoil(&bad)
		require.ErrorIs(s.t, s.Forge.SetStatus(s.ctx(), commit, bad), forge.ErrInvalid, name)
	}
}

func (s *suite) deployments() {
	one, two := s.branch("topic", "a", "one\n"), s.Git.Tip(s.t, Main)
	set := func(d forge.Deployment) {
		s.t.Helper()
		require.NoError(s.t, s.Forge.EnsureDeployment(s.ctx(), d))
	}
	first := forge.Deployment{ID: "prod/1", Environment: "prod", Commit: one, State: "queued", Description: "3 changes"}
	second := forge.Deployment{ID: "prod/2", Environment: "prod", Commit: two, State: "failure"}
	other := forge.Deployment{ID: "prod/1", Environment: "Test Süd/2", Commit: one, State: "success"}
	for _, d := range []forge.Deployment{first, second, other} {
		set(d)
		s.quiet(func() { set(d) })
	}
	for _, state := range []string{"in_progress", "success", "inactive"} {
		first.State = state
		set(first)
		s.quiet(func() { set(first) })
	}
	bad := first
	bad.State = "fine"
	require.ErrorIs(s.t, s.Forge.EnsureDeployment(s.ctx(), bad), forge.ErrInvalid)

	s.needs("Deployments", s.Deployments != nil)
	require.ElementsMatch(s.t, []forge.Deployment{first, second}, s.Deployments(s.t, "prod"), "each once, as it is now")
	require.ElementsMatch(s.t, []forge.Deployment{other}, s.Deployments(s.t, "Test Süd/2"))
	require.Empty(s.t, s.Deployments(s.t, "none"))
}

func (s *suite) statusMissing() {
	ok := forge.Status{Context: "driftback/prod", State: "success"}
	require.ErrorIs(s.t, s.Forge.SetStatus(s.ctx(), missingCommit, ok), forge.ErrNotFound)
	require.ErrorIs(s.t, s.Forge.SetStatus(s.ctx(), "main", ok), forge.ErrNotFound, "commits are told by full id")
	d := forge.Deployment{ID: "1", Environment: "prod", Commit: missingCommit, State: "queued"}
	require.ErrorIs(s.t, s.Forge.EnsureDeployment(s.ctx(), d), forge.ErrNotFound)
}

func (s *suite) cancelled() {
	p := s.opened("topic")
	tip := s.Git.Tip(s.t, Main)
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	calls := map[string]func() error{
		"EnsurePull": func() error {
			_, err := s.Forge.EnsurePull(ctx, forge.Pull{Head: "topic", State: forge.Closed})
			return err
		},
		"Pulls":         func() error { _, err := s.Forge.Pulls(ctx, forge.Filter{}); return err },
		"EnsureComment": func() error { return s.Forge.EnsureComment(ctx, p.Number, "k", "text") },
		"Comments":      func() error { _, err := s.Forge.Comments(ctx, p.Number); return err },
		"SetStatus":     func() error { return s.Forge.SetStatus(ctx, tip, forge.Status{Context: "c", State: "success"}) },
		"EnsureDeployment": func() error {
			return s.Forge.EnsureDeployment(ctx, forge.Deployment{ID: "1", Environment: "e", Commit: tip, State: "queued"})
		},
		"Merge":    func() error { _, err := s.Forge.Merge(ctx, p.Number, p.HeadID, ""); return err },
		"Commands": func() error { _, _, err := s.Forge.Commands(ctx, ""); return err },
		"Answer": func() error {
			return s.Forge.Answer(ctx, forge.Command{ID: "1.1", Pull: p.Number}, forge.Eyes, "text")
		},
	}
	s.quiet(func() {
		for name, call := range calls {
			require.ErrorIs(s.t, call(), context.Canceled, name)
		}
	})
	require.Equal(s.t, p, s.pull(p.Number))
	require.Equal(s.t, tip, s.Git.Tip(s.t, Main))
	require.Empty(s.t, s.comments(p.Number))
}
