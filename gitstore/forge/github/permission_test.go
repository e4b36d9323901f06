package github_test

import (
	"bytes"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
	"github.com/driftback/driftback/gitstore/forge/github"
	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// used are the permissions that some test of this process needed.
var used sync.Map

// asksForNoMore requires that all that our own accounts asked for stands in the table of endpoints, with the permission that GitHub's
// documentation names.
func (s *site) asksForNoMore(t *testing.T) {
	for _, r := range s.Requests() {
		if !strings.HasPrefix(r.Who, "driftback") || strings.HasPrefix(r.Op, "apps/") || r.Op == "git" || r.Op == "" {
			continue
		}
		n, known := github.NeedOf(r.Method, strings.TrimPrefix(r.Path, "/api"))
		if !known {
			t.Errorf("%s %s (%s) is not in the table of endpoints", r.Method, r.Path, r.Op)
			continue
		}
		said := githubtest.Permission(r.Op)
		if n.Name == "" {
			if said != "" {
				t.Errorf("%s: the table says that it needs nothing, GitHub %s", r.Op, said)
			}
			continue
		}
		name, level := n.Manifest()
		if !slices.Contains(strings.Split(said, "; "), name+"="+level) {
			t.Errorf("%s: the table says %s=%s, GitHub %s", r.Op, name, level, said)
		}
		used.Store(n.String(), true)
	}
}

// unused are the permissions that are asked for and that no test needed.
func unused() (out []string) {
	for _, n := range append(github.Needs(true, true), github.Needs(false, true)...) {
		if _, ok := used.Load(n.String()); !ok {
			out = append(out, n.String())
		}
	}
	return out
}

// What the stand-in's App has is what driftback asks for.
func TestNeedsAreThoseOfTheApp(t *testing.T) {
	t.Parallel()
	asked := map[string]string{}
	for _, n := range github.Needs(true, true) {
		name, level := n.Manifest()
		asked[name] = level
	}
	require.Equal(t, githubtest.DefaultPermissions(), asked)
	require.NotContains(t, github.Needs(true, false), github.Needs(true, true)[len(asked)-1], "members only with teams")
}

// Each permission that an App lacks is named where it is missed.
func TestMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	commit := strings.Repeat("a", 40)
	for lacks, ask := range map[string]func(*testing.T, *github.Forge) error{
		"contents": func(t *testing.T, f *github.Forge) error {
			_, err := f.Protected(t.Context(), forgetest.Main)
			return err
		},
		"pull_requests": func(t *testing.T, f *github.Forge) error { _, err := f.Pulls(t.Context(), forge.Filter{}); return err },
		"checks": func(t *testing.T, f *github.Forge) error {
			return f.SetStatus(t.Context(), commit, forge.Status{Context: "c", State: "success"})
		},
		"deployments": func(t *testing.T, f *github.Forge) error {
			return f.EnsureDeployment(t.Context(), forge.Deployment{ID: "1", Environment: "prod", Commit: commit, State: "queued"})
		},
	} {
		s := newSite(t, githubtest.Options{})
		has := githubtest.DefaultPermissions()
		delete(has, lacks)
		s.inst.Permissions = has
		err := ask(t, s.client(t, s.options(true)))
		require.ErrorIs(t, err, github.ErrPermission, lacks)
		require.ErrorContains(t, err, "needs "+strings.ReplaceAll(lacks, "_", " ")+": ")
		missing, err := s.client(t, s.options(true)).Missing(t.Context())
		require.NoError(t, err)
		require.Len(t, missing, 1)
		name, _ := missing[0].Manifest()
		require.Equal(t, lacks, name)
	}
}

// Without the permission for issues commands are answered, without a reaction, and nobody knows who closed what. That is told, once.
func TestWithoutIssues(t *testing.T) {
	t.Parallel()
	s := newSite(t, githubtest.Options{})
	has := githubtest.DefaultPermissions()
	delete(has, "issues")
	s.inst.Permissions = has
	o := s.options(true)
	var log bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	f := s.client(t, o)
	s.repo.Push(t, "topic", map[string]string{"a": "1\n"}, s.repo.Tip(t, forgetest.Main))
	p, err := f.EnsurePull(t.Context(), forge.Pull{Head: "topic", Base: forgetest.Main, Title: "T"})
	require.NoError(t, err)
	_, cursor, err := f.Commands(t.Context(), "")
	require.NoError(t, err)
	s.comment(t, p.Number, "/help")
	commands, _, err := f.Commands(t.Context(), cursor)
	require.NoError(t, err)
	require.Len(t, commands, 1)
	for range 2 {
		require.NoError(t, f.Answer(t.Context(), commands[0], forge.Rocket, "This is how."))
	}
	comments, err := f.Comments(t.Context(), p.Number)
	require.NoError(t, err)
	require.Equal(t, "This is how.", comments[len(comments)-1].Body)
	s.state(t, p.Number, "closed")
	pulls, err := f.Pulls(t.Context(), forge.Filter{State: forge.Closed})
	require.NoError(t, err)
	require.Equal(t, []string{"closed", ""}, []string{string(pulls[0].State), pulls[0].ClosedBy})
	asked := s.Count()["issues/get"]
	_, err = f.Pulls(t.Context(), forge.Filter{})
	require.NoError(t, err)
	require.Equal(t, asked, s.Count()["issues/get"], "it is not asked again soon")
	require.Equal(t, 1, strings.Count(log.String(), "acknowledge a command: permission denied: needs issues: "), log.String())
	require.Equal(t, 1, strings.Count(log.String(), "ask who closed a pull request: permission denied: needs issues: read"), log.String())
	missing, err := f.Missing(t.Context())
	require.NoError(t, err)
	require.Equal(t, "issues: write", github.Join(missing))
}

// everything reports whether this process runs all tests of the package.
func everything() bool {
	return !slices.ContainsFunc(os.Args, func(a string) bool {
		return strings.HasPrefix(a, "-test.run=") || a == "-test.run" || strings.HasPrefix(a, "-test.skip") || strings.HasPrefix(a, "-test.list")
	})
}
