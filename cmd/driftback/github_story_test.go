package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// A hub is a world whose repository and pull requests live on a stand-in for GitHub, with driftback signed in as an App.
type hub struct {
	*world
	server *githubtest.Server
	repo   *githubtest.Repo
	app    *githubtest.App
	ann    string // token of a person who may write
}

const hubEnvironments = `environments:
  prod:
    vendor: directory
    directory: {root: %s}
    mode: sync
    every: 1s
`

func newHub(t *testing.T, o githubtest.Options) *hub {
	t.Helper()
	tool(t, "git")
	dir := t.TempDir()
	h := &hub{
		world:  &world{t: t, dir: dir, live: filepath.Join(dir, "live"), conf: filepath.Join(dir, "driftback.yaml")},
		server: githubtest.New(t, o),
	}
	require.NoError(t, os.MkdirAll(h.live, 0o755))
	h.server.Org("acme", "ann")
	h.server.User("ann", "Ann Lee", "ann@example.org")
	h.repo = h.server.Repo("acme/config")
	h.repo.Grant("ann", "write")
	h.app = h.server.App("driftback", "acme", nil)
	h.app.Install("acme", nil)
	h.ann = h.server.Token("ann")
	h.repo.Push(t, "main", map[string]string{"README.md": "Configuration of our platforms.\n"})
	h.bare = h.repo.Dir
	h.write(filepath.Join(dir, "app.pem"), string(h.app.Key()))
	h.setUp("", "")
	return h
}

// setUp writes driftback.yaml, with more of repository and forge.github.
func (h *hub) setUp(repository, forge string) {
	h.t.Helper()
	h.write(h.conf, fmt.Sprintf(`listen: "off"
repository:
  url: %s
  mirror: %s
%sforge:
  github:
    app: {id: %d, key: "file:%s"}
%s`+hubEnvironments, h.repo.GitURL(), filepath.Join(h.dir, "mirror"), repository, h.app.ID, filepath.Join(h.dir, "app.pem"), forge, h.live))
}

// call makes a request as ann.
func (h *hub) call(method, path string, in, out any) {
	h.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		require.NoError(h.t, err)
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, h.server.API()+"repos/acme/config"+path, body)
	require.NoError(h.t, err)
	req.Header.Set("Authorization", "Bearer "+h.ann)
	res, err := http.DefaultClient.Do(req)
	require.NoError(h.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(h.t, err)
	require.Less(h.t, res.StatusCode, 300, "%s %s: %s", method, path, answer)
	if out != nil {
		require.NoError(h.t, json.Unmarshal(answer, out))
	}
}

type hubPull struct {
	Number      int
	Title, Body string
	Head        struct{ Ref, SHA string }
	User        struct{ Login string }
	Labels      []struct{ Name string }
}

func (h *hub) open() []hubPull {
	h.t.Helper()
	var pulls []hubPull
	h.call("GET", "/pulls?state=open&per_page=100", nil, &pulls)
	return pulls
}

func (h *hub) mergeBy(n int, method string) {
	h.t.Helper()
	h.call("PUT", fmt.Sprintf("/pulls/%d/merge", n), map[string]string{"merge_method": method}, nil)
}

// still requires that passes write nothing to GitHub and move no ref.
func (h *hub) still() {
	h.t.Helper()
	before, writes := h.picture(), h.server.Writes()
	for range 3 {
		h.pass()
	}
	require.Equal(h.t, before, h.picture(), "no ref and no file changed")
	require.Equal(h.t, writes, h.server.Writes(), "nothing was written on GitHub")
	require.Empty(h.t, h.open())
}

// The story of GitHub from outside: a change by hand becomes a pull request, which people merge in each of the ways that
// GitHub has, also after editing it, and then all is quiet; what is merged by developers is deployed.
func TestGitHubStory(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.write(filepath.Join(h.dir, "sign"), string(newSigningKey(t)))
	h.setUp("  state: branch\n  signingKey: \"file:"+filepath.Join(h.dir, "sign")+"\"\n", "")
	h.repo.Protect("live/*", githubtest.Protection{Signed: true})
	h.edit("web.yml", "port: 80\n")
	h.edit("queue.yml", "length: 20\n")
	require.Contains(t, h.driftback(exitDone, "init", "prod"), "pull request #1")
	pull := h.open()[0]
	require.Equal(t, "driftback[bot]", pull.User.Login)
	require.Equal(t, "driftback/drift/prod", pull.Head.Ref)
	h.mergeBy(1, "merge")
	h.pass()
	h.still()

	for i, method := range []string{"squash", "rebase", "merge"} {
		h.edit("web.yml", fmt.Sprintf("port: %d\n", 8000+i))
		h.pass()
		pulls := h.open()
		require.Len(t, pulls, 1)
		require.Contains(t, pulls[0].Body, "web.yml")
		h.mergeBy(pulls[0].Number, method)
		h.pass()
		require.Equal(t, fmt.Sprintf("port: %d\n", 8000+i), h.inGit("main", "environments/prod/file/web.yml"), method)
		h.still()
	}

	// A reviewer changes what was proposed: that is what is deployed.
	for i, method := range []string{"squash", "rebase", "merge"} {
		h.edit("web.yml", fmt.Sprintf("port: %d\n", 9000+i))
		h.pass()
		pulls := h.open()
		meant := fmt.Sprintf("port: %d\n", 9443+i)
		h.repo.PushAs(t, hubAnn, pulls[0].Head.Ref, map[string]string{"environments/prod/file/web.yml": meant}, pulls[0].Head.SHA)
		h.mergeBy(pulls[0].Number, method)
		h.pass()
		require.Equal(t, meant, h.read(h.liveFile("web.yml")), method)
		h.pass()
		h.still()
	}

	// A developer's change is deployed, and GitHub knows of it.
	h.repo.PushAs(t, githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}, "main",
		map[string]string{"environments/prod/file/queue.yml": "length: 50\n"}, h.repo.Tip(t, "main"))
	h.pass()
	require.Equal(t, "length: 50\n", h.read(h.liveFile("queue.yml")))
	var deployments []struct{ Environment, SHA string }
	h.call("GET", "/deployments?environment=prod", nil, &deployments)
	require.NotEmpty(t, deployments)
	require.Equal(t, h.repo.Tip(t, "main"), deployments[0].SHA)
	h.still()

	for _, branch := range []string{"live/prod", "driftback/state/prod"} {
		commit := h.git("", "--git-dir", h.bare, "cat-file", "commit", branch)
		require.Contains(t, commit, "[skip ci]", branch)
		require.Contains(t, commit, "gpgsig -----BEGIN SSH SIGNATURE-----", branch)
	}
	require.NotContains(t, h.git("", "--git-dir", h.bare, "for-each-ref"), "refs/driftback/")
	h.fsck()
}

// doctor says what is permitted and what is not, and leaves no trace.
func TestDoctorOnGitHub(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.edit("web.yml", "port: 80\n")
	before, writes := h.picture(), h.server.Writes()
	out := h.driftback(exitDone, "doctor")
	require.Contains(t, out, "ok    pushes: would be taken below refs/heads/live/, refs/heads/driftback/drift/")
	require.Contains(t, out, "signed in as driftback[bot] with every permission")
	require.Contains(t, out, "no webhookSecret")

	h.repo.Protect("live/*", githubtest.Protection{NoPush: true, Ruleset: true})
	out = h.driftback(exitError, "doctor")
	require.Contains(t, out, "fail  pushes to refs/heads/live/")
	require.Contains(t, out, "Changes must be made through a pull request")
	require.Contains(t, out, "Rules: pull_request")
	require.Contains(t, out, "note  branch live/prod: a rule that can refuse pushes")
	h.repo.Protect("live/*", githubtest.Protection{})

	h.setUp("  state: branch\n", "")
	h.repo.Protect("driftback/state/*", githubtest.Protection{Signed: true})
	out = h.driftback(exitError, "doctor")
	require.Contains(t, out, "fail  pushes to refs/heads/driftback/state/")
	require.Contains(t, out, "Commits must have verified signatures")
	h.write(filepath.Join(h.dir, "sign"), string(newSigningKey(t)))
	h.setUp("  state: branch\n  signingKey: \"file:"+filepath.Join(h.dir, "sign")+"\"\n", "")
	require.Contains(t, h.driftback(exitDone, "doctor"), "refs/heads/driftback/state/")
	require.Equal(t, before, h.picture())
	require.Equal(t, writes, h.server.Writes())

	poor := h.server.App("poor", "acme", map[string]string{"contents": "write", "pull_requests": "read", "metadata": "read"})
	poor.Install("acme", nil)
	h.app = poor
	h.write(filepath.Join(h.dir, "app.pem"), string(poor.Key()))
	h.setUp("", "")
	out = h.driftback(exitError, "doctor")
	for _, missing := range []string{"pull requests: write", "checks: write", "deployments: write"} {
		require.Contains(t, out, "the app lacks the permission "+missing)
	}
	require.NotContains(t, out, "permission contents")
	require.True(t, strings.HasPrefix(h.driftback(exitError, "pulls", "list")+"-", "-"))
}

// comment writes one as ann.
func (h *hub) comment(n int, body string) {
	h.t.Helper()
	h.call("POST", fmt.Sprintf("/issues/%d/comments", n), map[string]string{"body": body}, nil)
}

// comments are the texts on a pull request.
func (h *hub) comments(n int) string {
	h.t.Helper()
	var list []struct{ Body string }
	h.call("GET", fmt.Sprintf("/issues/%d/comments?per_page=100", n), nil, &list)
	var all []string
	for _, c := range list {
		all = append(all, c.Body)
	}
	return strings.Join(all, "\n---\n")
}

// checks are the newest check runs of a commit by name: their status or conclusion.
func (h *hub) checks(commit string) map[string]string {
	h.t.Helper()
	var list struct {
		Runs []struct {
			Name, Status, Conclusion string
		} `json:"check_runs"`
	}
	h.call("GET", "/commits/"+commit+"/check-runs?filter=latest&per_page=100", nil, &list)
	out := map[string]string{}
	for _, r := range list.Runs {
		if out[r.Name] = r.Conclusion; r.Status != "completed" {
			out[r.Name] = r.Status
		}
	}
	return out
}

// Commands in comments, and what a developer's pull request is told: two of five objects are accepted and merged through
// GitHub, by the pull request that it is said on, the rest is put back by a second one; a pull request gets its plan as a check, a word when production changes under it, and
// is deployed once it is merged.
func TestGitHubCommandsAndPlans(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	names := []string{"a.yml", "b.yml", "c.yml", "d.yml", "e.yml"}
	for _, n := range names {
		h.edit(n, "value: 1\nother: 1\n")
	}
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	h.pass()
	h.still()
	for _, n := range names {
		h.edit(n, "value: 2\nother: 1\n")
	}
	h.pass()
	drift := h.open()[0]
	h.comment(drift.Number, "Two of them were meant.\n\n/drift accept file/a.yml file/b.yml")
	h.pass()
	h.pass()
	for i, n := range names {
		want := "value: 1\nother: 1\n"
		if i < 2 {
			want = "value: 2\nother: 1\n"
		}
		require.Equal(t, want, h.inGit("main", "environments/prod/file/"+n), n)
	}
	pulls := h.open()
	require.Len(t, pulls, 1, "the rest is still proposed")
	require.NotEqual(t, drift.Number, pulls[0].Number, "in a second one: that which it was said on is merged")
	require.Contains(t, h.comments(drift.Number), fmt.Sprintf("Accepted into Git: #%d is merged. What was changed by hand besides these is proposed in #%d.", drift.Number, pulls[0].Number))
	var reactions []struct{ Content string }
	var list []struct {
		ID   int64
		User struct{ Login string }
	}
	h.call("GET", fmt.Sprintf("/issues/%d/comments", drift.Number), nil, &list)
	for _, c := range list {
		if c.User.Login == "ann" {
			h.call("GET", fmt.Sprintf("/issues/comments/%d/reactions", c.ID), nil, &reactions)
		}
	}
	require.NotEmpty(t, reactions, "the command was acknowledged")
	h.comment(pulls[0].Number, "/drift revert")
	h.pass()
	h.pass()
	for _, n := range names[2:] {
		require.Equal(t, "value: 1\nother: 1\n", h.read(h.liveFile(n)), "put back")
	}
	h.still()

	// A developer's pull request.
	ann := githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}
	head := h.repo.PushAs(t, ann, "more", map[string]string{"environments/prod/file/a.yml": "value: 2\nother: 5\n"}, h.repo.Tip(t, "main"))
	var mine hubPull
	h.call("POST", "/pulls", map[string]string{"title": "More of a", "head": "more", "base": "main"}, &mine)
	h.pass()
	require.Contains(t, h.comments(mine.Number), "a.yml", "the plan is told")
	plan := h.checks(head)
	require.NotEmpty(t, plan)
	require.Contains(t, fmt.Sprint(plan), "success", "%v", plan)
	h.edit("a.yml", "value: 3\nother: 7\n")
	h.pass()
	require.Contains(t, fmt.Sprint(h.checks(head)), "failure", "production changed under it: %v", h.checks(head))
	h.edit("a.yml", "value: 2\nother: 1\n")
	h.pass()
	require.NotContains(t, fmt.Sprint(h.checks(head)), "failure", "it clears itself: %v", h.checks(head))
	h.mergeBy(mine.Number, "squash")
	h.pass()
	require.Equal(t, "value: 2\nother: 5\n", h.read(h.liveFile("a.yml")))
	h.pass()
	h.still()
	h.fsck()
}

// An App's token that ends before its time, at any point, is replaced: for git and for the API.
func TestTokenEndsInMidPass(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.edit("web.yml", "port: 80\n")
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	r, _ := h.startHub()
	h.poked(r, "settle")
	before := h.server.Count()["apps/create-installation-access-token"]
	for i, op := range []string{"git", "pulls/list", "pulls/create"} {
		h.server.Fail(githubtest.Fault{Op: op, Pass: true, Before: func() { h.server.Revoke("") }})
		h.edit("web.yml", fmt.Sprintf("port: %d\n", 8000+i))
		eventually(t, "the pull request to say what is live", func() bool {
			pulls := h.open()
			return len(pulls) == 1 && strings.Contains(pulls[0].Body, fmt.Sprintf("port: %d", 8000+i))
		})
		h.mergeBy(h.open()[0].Number, "squash")
		require.Zero(t, h.server.Heal(), "the token was ended at %s", op)
	}
	require.Greater(t, h.server.Count()["apps/create-installation-access-token"], before)
	require.NotContains(t, r.out.String(), "authentication refused")
	r.end()
}
