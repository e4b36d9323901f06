package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// approve is ann's review of a pull request.
func (h *hub) approve(n int) {
	h.t.Helper()
	h.call("POST", fmt.Sprintf("/pulls/%d/reviews", n), map[string]string{"event": "APPROVE", "body": "As meant."}, nil)
}

// changes are the files that a pull request changes, as GitHub has it.
func (h *hub) changes(n int) (paths []string) {
	h.t.Helper()
	var out []struct{ Filename string }
	h.call("GET", fmt.Sprintf("/pulls/%d/files?per_page=100", n), nil, &out)
	for _, f := range out {
		paths = append(paths, f.Filename)
	}
	return paths
}

// stays requires that passes write nothing to GitHub and move no ref, while pull requests are open.
func (h *hub) stays() {
	h.t.Helper()
	before, writes := h.picture(), h.server.Writes()
	for range 3 {
		h.goes()
	}
	require.Equal(h.t, before, h.picture(), "no ref and no file changed")
	require.Equal(h.t, writes, h.server.Writes(), "nothing was written on GitHub")
}

// Where the tracked branch wants a review, the pull request is narrowed to the two of five objects that somebody accepts and left for a
// reviewer, who is told so, and so is who asked; the rest moves to a second one. Nothing is pushed past the rule, and nothing is said
// twice. Once they are reviewed and merged, and the rest is put back, it is quiet.
func TestGitHubAcceptIsLeftForAReviewer(t *testing.T) {
	t.Parallel()
	names := []string{"a.yml", "b.yml", "c.yml", "d.yml", "e.yml"}
	files := map[string]string{}
	for _, n := range names {
		files[n] = "value: 1\n"
	}
	h := begun(t, githubtest.Options{}, files)
	h.repo.Protect("main", githubtest.Protection{Approvals: 1})
	before := h.repo.Tip(t, "main")
	for _, n := range names {
		h.edit(n, "value: 2\n")
	}
	h.pass()
	drift := h.open()[0]
	told := h.ask(drift.Number, "/drift accept file/a.yml file/b.yml")
	require.Equal(t, before, h.repo.Tip(t, "main"), "nothing gets past the rule")
	pulls := h.open()
	require.Len(t, pulls, 2)
	var two, rest hubPull
	for _, p := range pulls {
		if strings.Contains(p.Body, "file/a.yml") {
			two = p
		} else {
			rest = p
		}
	}
	require.Equal(t, drift.Number, two.Number, "the one that it was said on")
	require.Equal(t, drift.Head.Ref, two.Head.Ref)
	require.Equal(t, drift.Head.Ref+"-2", rest.Head.Ref)
	require.Equal(t, []string{"environments/prod/file/a.yml", "environments/prod/file/b.yml"}, h.changes(two.Number))
	require.Equal(t, []string{"environments/prod/file/c.yml", "environments/prod/file/d.yml", "environments/prod/file/e.yml"}, h.changes(rest.Number))
	require.NotContains(t, two.Body, "file/c.yml")
	require.NotContains(t, rest.Body, "file/b.yml")
	require.Contains(t, told, fmt.Sprintf("left for a reviewer: the rules of this repository do not let driftback merge #%d. What was changed by hand besides these is proposed in #%d.", two.Number, rest.Number))
	require.ElementsMatch(t, []string{"eyes", "rocket"}, h.reactions(drift.Number))
	reason := h.remarks(two.Number)
	require.Contains(t, reason, "Accepted, and left for a reviewer to merge")
	require.Contains(t, reason, "At least 1 approving review is required")
	h.stays()

	h.approve(two.Number)
	h.stays() // who reviews it merges it
	h.mergeBy(two.Number, "squash")
	h.pass()
	for i, n := range names {
		require.Equal(t, []string{"value: 2\n", "value: 1\n"}[min(i/2, 1)], h.inGit("main", "environments/prod/file/"+n), n)
	}
	require.Len(t, h.open(), 1)
	require.Contains(t, h.ask(rest.Number, "/drift revert"), "Git is right")
	for i, n := range names {
		require.Equal(t, []string{"value: 2\n", "value: 1\n"}[min(i/2, 1)], h.read(h.liveFile(n)), n)
	}
	require.Equal(t, 1, strings.Count(h.remarks(two.Number), "left for a reviewer to merge"), "it is said once")
	h.still()
	h.fsck()
}

// A developer's pull request that production changes under: it is planned, hears of the change by hand and of the pull request
// that proposes it, does not merge any more once that is merged, and is clear again when it is rebased. Merged, its commits are
// deployed, and each of them says so.
func TestGitHubDeveloperRebases(t *testing.T) {
	t.Parallel()
	h := begun(t, githubtest.Options{}, map[string]string{"web.yml": "port: 80\nhost: a\n", "queue.yml": "length: 20\n"})
	const web, queue = "environments/prod/file/web.yml", "environments/prod/file/queue.yml"
	number, head := h.propose("topic", map[string]string{"web.yml": "port: 8080\nhost: a\n"})
	h.pass()
	require.Equal(t, "success", h.checks(head)["driftback/plan (prod)"])
	require.NotContains(t, h.checks(head), "driftback/radar (prod)", "nobody was touched yet")

	h.edit("web.yml", "port: 9090\nhost: a\n")
	h.pass()
	drift := h.open()[0]
	require.Equal(t, "driftback[bot]", drift.User.Login)
	require.Equal(t, "failure", h.checks(head)["driftback/radar (prod)"])
	told := h.remarks(number)
	require.Contains(t, told, "was changed under you")
	require.Contains(t, told, fmt.Sprintf("proposed to Git in #%d: merge that first", drift.Number))
	h.pass()
	require.Contains(t, h.open()[0].Body, fmt.Sprintf("- #%d: `file/web.yml`\n", number), "the drift tells of it")
	h.stays()

	h.mergeBy(drift.Number, "squash")
	h.pass()
	require.Equal(t, "failure", h.checks(head)["driftback/plan (prod)"], "it does not merge any more")
	require.Contains(t, h.remarks(number), "it does not merge cleanly")

	// The developer rebases, in two commits.
	h.repo.PushAs(t, hubAnn, "topic", map[string]string{web: "port: 8080\nhost: a\n"}, h.repo.Tip(t, "main"))
	head = h.repo.PushAs(t, hubAnn, "topic", map[string]string{queue: "length: 50\n"}, h.repo.Tip(t, "topic"))
	h.pass()
	checks := h.checks(head)
	require.Equal(t, "success", checks["driftback/plan (prod)"])
	require.Equal(t, "success", checks["driftback/radar (prod)"], "it clears itself")
	told = h.remarks(number)
	require.Contains(t, told, "agree again")
	require.NotContains(t, told, "was changed under you")
	require.Contains(t, told, "Merging this would deploy 2 objects: 2 changed.")
	h.stays()

	before := h.repo.Tip(t, "main")
	deployments := len(h.deployed())
	h.mergeBy(number, "rebase")
	h.pass()
	require.Equal(t, "port: 8080\nhost: a\n", h.read(h.liveFile("web.yml")))
	require.Equal(t, "length: 50\n", h.read(h.liveFile("queue.yml")))
	commits := strings.Fields(h.git("", "--git-dir", h.bare, "rev-list", before+"..main"))
	require.Len(t, commits, 2)
	for _, c := range commits {
		require.Equal(t, "success", h.checks(c)["driftback/prod"], "each commit of the range says so")
	}
	states := h.deployed()
	require.Len(t, states, deployments+1)
	require.Equal(t, "success", states[0])
	for _, s := range states[1:] {
		require.Equal(t, "inactive", s)
	}
	log := h.server.URL + "/acme/config/commits/live/prod"
	var newest []struct{ ID int }
	h.call("GET", "/deployments?environment=prod", nil, &newest)
	var states2 []struct {
		LogURL string `json:"log_url"`
	}
	h.call("GET", fmt.Sprintf("/deployments/%d/statuses", newest[0].ID), nil, &states2)
	for _, s := range states2 {
		require.Equal(t, log, s.LogURL, "a link to the log")
	}
	require.Contains(t, h.remarks(number), "2 objects deployed and verified")
	h.still()
	h.fsck()
}

// Outside the windows of an environment what is merged waits, and GitHub is told; a comment lets it go.
func TestGitHubWindows(t *testing.T) {
	t.Parallel()
	h := begun(t, githubtest.Options{}, map[string]string{"web.yml": "port: 80\n"})
	hour := time.Now().UTC().Add(12 * time.Hour).Hour()
	h.configured("    mode: sync\n", fmt.Sprintf("    mode: sync\n    windows: [{allow: \"0 %d * * *\", for: 1h}]\n", hour))
	number, head := h.propose("topic", map[string]string{"web.yml": "port: 8080\n"})
	h.pass()
	require.Contains(t, h.remarks(number), fmt.Sprintf("Deployed within windows only: 0 %d * * * for 1h (UTC).", hour))
	require.Equal(t, "success", h.checks(head)["driftback/plan (prod)"])
	h.mergeBy(number, "squash")
	h.goes()
	require.Equal(t, "port: 80\n", h.read(h.liveFile("web.yml")))
	require.Contains(t, h.remarks(number), "outside the deployment windows; the next one opens on ")
	require.Equal(t, "queued", h.deployed()[0])
	h.stays()
	require.Contains(t, h.ask(number, "/apply"), "may pass in `prod`, once.")
	require.Equal(t, "port: 8080\n", h.read(h.liveFile("web.yml")))
	require.Contains(t, h.remarks(number), "### Deployed to `prod`")
	h.still()
}

// A rollback to where nothing changed since is told, and proposes nothing.
func TestGitHubRollbackOfNothing(t *testing.T) {
	t.Parallel()
	h := begun(t, githubtest.Options{}, map[string]string{"web.yml": "port: 80\n"})
	old := h.repo.Tip(t, "main")
	number, _ := h.propose("topic", map[string]string{"topic.yml": "value: 1\n"})
	h.repo.PushAs(t, hubAnn, "main", map[string]string{"README.md": "More about our platforms.\n"}, old)
	h.edit("web.yml", "port: 90\n")
	h.pass()
	drift := h.open()[0].Number
	require.Contains(t, h.ask(drift, "/drift accept"), "Accepted into Git")
	h.pass()
	for command, told := range map[string]string{
		"/rollback " + old[:10]:              "nothing was committed that changes `prod` and can be taken back",
		"/rollback " + h.repo.Tip(t, "main"): "there is nothing to take back",
	} {
		require.Contains(t, h.ask(number, command), told, command)
		require.ElementsMatch(t, []string{"confused"}, h.reactions(number), command)
	}
	require.Contains(t, h.ask(number, "/rollback 0123456789"), "is none of the last")
	require.Len(t, h.open(), 1, "nothing is proposed")
	h.stays()
}
