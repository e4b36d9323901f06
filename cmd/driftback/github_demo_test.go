package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
)

// onGitHub is the demo's repository on the stand-in for GitHub, where everybody has an account.
type onGitHub struct {
	*hub
	tokens map[string]string
}

func (g *onGitHub) repository(dir string) (at gitstore.Options, config string, err error) {
	at.URL = g.repo.GitURL()
	at.Auth.Token = func(context.Context) (string, error) { return g.tokenOf(developer), nil }
	return at, fmt.Sprintf("repository:\n  url: %s\n  mirror: %q\nforge:\n  github:\n    app: {id: %d, key: %q}\n",
		g.repo.GitURL(), filepath.Join(dir, "mirror"), g.app.ID, "file:"+filepath.Join(g.dir, "app.pem")), nil
}

// tokenOf is the token of a person, who may write.
func (g *onGitHub) tokenOf(person string) string {
	if g.tokens[person] == "" {
		login := strings.ToLower(strings.ReplaceAll(person, " ", "-"))
		g.server.User(login, person, addressOf(person))
		g.repo.Grant(login, "write")
		g.tokens[person] = g.server.Token(login)
	}
	return g.tokens[person]
}

// as makes a request as a person.
func (g *onGitHub) as(person, method, path string, in, out any) {
	g.t.Helper()
	ann := g.ann
	defer func() { g.ann = ann }()
	g.ann = g.tokenOf(person)
	g.call(method, path, in, out)
}

func (g *onGitHub) open(_ context.Context, person string, p forge.Pull) (forge.Pull, error) {
	var made hubPull
	g.as(person, http.MethodPost, "/pulls", map[string]string{"title": p.Title, "head": p.Head, "base": p.Base, "body": p.Body}, &made)
	p.Number = made.Number
	return p, nil
}

func (g *onGitHub) show(_ context.Context, n int) (d local.Details, _ error) {
	var pull struct {
		hubPull
		Base struct{ SHA string }
	}
	g.call(http.MethodGet, fmt.Sprintf("/pulls/%d", n), nil, &pull)
	d.Number, d.Title, d.Body = n, pull.Title, pull.Body
	for _, path := range g.changes(n) {
		d.Files = append(d.Files, gitstore.Delta{Path: path})
	}
	d.Diff = g.git("", "--git-dir", g.bare, "diff", pull.Base.SHA+"..."+pull.Head.SHA)
	return d, nil
}

func (g *onGitHub) merge(_ context.Context, person string, n int) (forge.Pull, error) {
	var merged struct{ SHA string }
	g.as(person, http.MethodPut, fmt.Sprintf("/pulls/%d/merge", n), map[string]string{"merge_method": "merge"}, &merged)
	var pull hubPull
	g.call(http.MethodGet, fmt.Sprintf("/pulls/%d", n), nil, &pull)
	return forge.Pull{Number: n, Title: pull.Title, MergeCommit: merged.SHA}, nil
}

// The whole story of the demo, with three organisations of the simulated platform, whose repository and pull requests are on GitHub:
// every step holds, people see the same there, and at rest nothing is written to GitHub either.
func TestDemoStoryOnGitHub(t *testing.T) {
	t.Parallel()
	g := &onGitHub{hub: newHub(t, githubtest.Options{}), tokens: map[string]string{}}
	dir := t.TempDir()
	var out, errs bytes.Buffer
	c := &cli{stdout: &out, stderr: &errs, redact: &redactor{}}
	d, err := c.openDemo(t.Context(), demoOptions{dir: dir, listen: "127.0.0.1:0", hosting: g})
	require.NoError(t, err)
	err = tell(t.Context(), d, &out)
	log, _ := os.ReadFile(filepath.Join(dir, "driftback.log"))
	require.NoError(t, err, "%s\n%s", out.String(), log)
	require.Contains(t, out.String(), "names Nora Keller and has the difference")
	require.Contains(t, out.String(), "Every step held")

	writes := g.server.Writes()
	for _, env := range d.environments {
		n := 0
		_, err := d.await(t.Context(), env, "passes", func(reconciler.Report) bool { n++; return n > 2 })
		require.NoError(t, err)
	}
	require.Equal(t, writes, g.server.Writes(), "nothing was written on GitHub")
	require.NoError(t, d.close())
	require.Empty(t, g.hub.open())

	// What people see there of the change that was deployed and of the one that was refused.
	var pulls []hubPull
	g.call(http.MethodGet, "/pulls?state=closed&per_page=100", nil, &pulls)
	told := map[string]string{}
	for _, p := range pulls {
		told[p.Title] = g.remarks(p.Number)
	}
	require.Contains(t, told["Sales answers until eight"], "### Deployed to `prod`")
	require.Contains(t, told["Less after-call work"], "takes it back in Git")
	require.NotContains(t, string(log), "ghs_")
	g.fsck()
}
