package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// pulls sets what pull requests are told.
func (h *hub) pulls(setting string) {
	h.t.Helper()
	h.write(h.conf, strings.Replace(h.read(h.conf), "every: 1s", "every: 1s\n    pulls: {"+setting+"}", 1))
}

// Where a branch requires the plan, as docs/github.md says, every pull request has it: that of the first import, of drift as GitHub is asked to
// merge it by a comment, and what takes back; and nothing is written once that is said.
func TestGitHubRequiresThePlan(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.pulls("untouched: true")
	h.repo.Protect("main", githubtest.Protection{Checks: []string{"driftback/plan (prod)"}})
	for _, name := range []string{"a.yml", "b.yml"} {
		h.edit(name, "value: 1\n")
	}
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	h.pass()
	h.still()
	first := h.repo.Tip(t, "main")

	h.edit("a.yml", "value: 2\n")
	h.edit("b.yml", "value: 2\n")
	h.pass()
	require.Equal(t, map[string]string{"driftback/plan (prod)": "success"}, h.checks(h.open()[0].Head.SHA))
	h.comment(h.open()[0].Number, "/drift accept file/a.yml")
	h.pass()
	h.pass()
	require.Equal(t, "value: 2\n", h.inGit("main", "environments/prod/file/a.yml"), "merged with the head of just now")
	require.Len(t, h.open(), 1)
	h.mergeBy(h.open()[0].Number, "squash")
	h.pass()
	h.still()

	ann := githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}
	h.repo.PushAs(t, ann, "readme", map[string]string{"README.md": "More.\n"}, h.repo.Tip(t, "main"))
	var mine hubPull
	h.call("POST", "/pulls", map[string]string{"title": "More", "head": "readme", "base": "main"}, &mine)
	h.pass()
	h.mergeBy(mine.Number, "rebase")
	h.repo.PushAs(t, ann, "three", map[string]string{"environments/prod/file/a.yml": "value: 3\n"}, h.repo.Tip(t, "main"))
	h.call("POST", "/pulls", map[string]string{"title": "Three", "head": "three", "base": "main"}, &mine)
	h.pass()
	h.mergeBy(mine.Number, "merge")
	h.pass()
	require.Equal(t, "value: 3\n", h.read(h.liveFile("a.yml")))
	h.driftback(exitDone, "rollback", "prod", "--to", first, "--reason", "no good")
	h.pass()
	i := slices.IndexFunc(h.open(), func(p hubPull) bool { return strings.HasPrefix(p.Head.Ref, "driftback/revert/") })
	require.GreaterOrEqual(t, i, 0, "%v", h.open())
	h.mergeBy(h.open()[i].Number, "merge")
	h.pass()
	require.Equal(t, "value: 2\n", h.read(h.liveFile("a.yml")), "what was accepted stays")
	h.pass()
	h.still()
	h.fsck()
}

// A pull request from a fork is left alone; where the operator says so it is planned and told what became of it, and nobody is heard there.
func TestGitHubForks(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.edit("web.yml", "port: 80\n")
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	h.pass()
	fork := h.repo.Fork("ann")
	fork.PushAs(t, githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}, "topic",
		map[string]string{"environments/prod/file/web.yml": "port: 8080\n"}, h.repo.Tip(t, "main"))
	var pull hubPull
	h.call("POST", "/pulls", map[string]string{"title": "Another port", "head": "ann:topic", "base": "main"}, &pull)
	h.comment(pull.Number, "/plan")
	h.pass()
	require.Equal(t, "/plan", strings.TrimSpace(h.remarks(pull.Number)))
	h.pulls("forks: true")
	h.comment(pull.Number, "/hold")
	h.pass()
	require.Contains(t, h.remarks(pull.Number), "Merging this would deploy 1 object: 1 changed.")
	require.NotContains(t, h.remarks(pull.Number), "held")
	h.mergeBy(pull.Number, "squash")
	h.pass()
	require.Equal(t, "port: 8080\n", h.read(h.liveFile("web.yml")))
	require.Contains(t, h.remarks(pull.Number), "### Deployed to `prod`", fmt.Sprint(pull.Number))
	h.pass()
	h.still()
}

// The longest name of an environment is longer than a label may be.
func TestGitHubLongEnvironment(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	long := strings.Repeat("prod", 15) + "tau"
	h.write(h.conf, strings.Replace(h.read(h.conf), "  prod:", "  "+long+":", 1))
	h.edit("web.yml", "port: 80\n")
	h.driftback(exitDone, "init", long)
	h.mergeBy(1, "merge")
	h.driftback(exitDone, "run", "--once")
	h.edit("web.yml", "port: 81\n")
	h.driftback(exitDone, "run", "--once")
	require.Equal(t, []struct{ Name string }{{"drift"}, {("env/" + long)[:50]}}, h.open()[0].Labels)
	h.mergeBy(h.open()[0].Number, "rebase")
	h.driftback(exitDone, "run", "--once")
	require.Empty(t, h.open())
}

// Somebody presses "re-run" on a check, which GitHub then shows as queued: it is made again, with the same verdict.
func TestGitHubRunsChecksAgain(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.edit("web.yml", "port: 80\n")
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	r, _ := h.startHub()
	ann := githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}
	head := h.repo.PushAs(t, ann, "topic", map[string]string{"environments/prod/file/web.yml": "port: 8080\n"}, h.repo.Tip(t, "main"))
	var pull hubPull
	h.call("POST", "/pulls", map[string]string{"title": "Another port", "head": "topic", "base": "main"}, &pull)
	const plan = "driftback/plan (prod)"
	eventually(t, "the plan", func() bool { return h.checks(head)[plan] == "success" })
	for range 2 {
		h.repo.Rerequest("ann", plan, head)
		require.Equal(t, "queued", h.checks(head)[plan])
		eventually(t, "the plan again", func() bool { return h.checks(head)[plan] == "success" })
	}
	h.poked(r, "quiet")
	writes := h.server.Writes()
	h.poked(r, "quiet still")
	require.Equal(t, writes, h.server.Writes())
	require.Equal(t, 1, strings.Count(h.remarks(pull.Number), "### Plan for"))
	r.end()
}

// An App that may do nothing with issues goes on without: what it cannot acknowledge it answers, and then it is quiet.
func TestGitHubWithoutIssues(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	has := githubtest.DefaultPermissions()
	delete(has, "issues")
	h.app.Permissions = has
	h.edit("web.yml", "port: 80\n")
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	h.pass()
	h.edit("web.yml", "port: 81\n")
	h.pass()
	h.comment(2, "/help")
	h.pass()
	require.Contains(t, h.remarks(2), "`/rollback COMMIT`")
	h.pass()
	before, refs := len(h.server.Requests()), h.picture()
	h.pass()
	require.Equal(t, refs, h.picture())
	for op := range h.asked(before) {
		require.NotContains(t, op, "reactions/", "it is not tried again")
		require.NotContains(t, op, "issues/create-comment")
	}
}
