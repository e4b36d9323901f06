package githubtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var person = signature{"N", "n@example.org", newClock().Now()}

// clone is native git working over HTTP with a token.
type clone struct {
	t   *testing.T
	dir string
	url string
}

func (x site) clone(t *testing.T, token string) clone {
	t.Helper()
	c := clone{t, t.TempDir(), strings.Replace(x.repo.GitURL(), "http://", "http://x-access-token:"+token+"@", 1)}
	c.git("clone", "-q", c.url, ".")
	return c
}

func (c clone) git(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	require.NoError(c.t, err)
	return out
}

func (c clone) try(args ...string) (string, error) {
	cmd := gitCommand(c.dir, args...)
	cmd.Env = append(cmd.Env, person.env("AUTHOR")...)
	cmd.Env = append(cmd.Env, person.env("COMMITTER")...)
	return run(cmd, "")
}

func (c clone) change(file, content string) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, file), []byte(content), 0o644))
	c.git("add", ".")
	c.git("commit", "-qm", "Change "+file)
}

func TestGit(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	_, err := run(gitCommand("", "ls-remote", x.repo.GitURL()), "")
	require.Error(t, err, "nobody")
	c := x.clone(t, x.bot.token)
	c.git("switch", "-qc", "topic")
	c.change("a", "1\n")
	c.git("push", "-q", "origin", "topic")
	require.Equal(t, strings.TrimSpace(c.git("rev-parse", "topic")), x.ann.get(repoPath+"/git/ref/heads/topic").is(200).at("object.sha"))
	x.ann.post(repoPath+"/pulls", obj{"title": "t", "head": "topic", "base": "main"}).is(201)
	require.Contains(t, c.git("ls-remote", "origin"), "refs/pull/1/head")

	x.repo.Protect("main", Protection{NoPush: true})
	c.git("switch", "-q", "main")
	c.change("b", "1\n")
	_, err = c.try("push", "origin", "main")
	require.ErrorContains(t, err, "GH006")
	x.repo.Protect("main", Protection{Signed: true})
	_, err = c.try("push", "origin", "main")
	require.ErrorContains(t, err, "verified signatures")
	x.repo.Protect("main", Protection{})
	c.git("push", "-q", "origin", "main")

	bob := x.clone(t, x.Token("bob"))
	bob.change("c", "1\n")
	_, err = bob.try("push", "origin", "main")
	require.ErrorContains(t, err, "403")

	x.Fail(Fault{Op: "git", Status: 503})
	_, err = c.try("fetch", "origin")
	require.ErrorContains(t, err, "503")
	c.git("fetch", "-q", "origin")
}
