package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

var hubAnn = githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}

// configured changes driftback.yaml.
func (h *hub) configured(old, now string) {
	h.t.Helper()
	conf := h.read(h.conf)
	require.Contains(h.t, conf, old)
	h.write(h.conf, strings.Replace(conf, old, now, 1))
}

// begun is a hub whose platform has these files and agrees with Git.
func begun(t *testing.T, o githubtest.Options, files map[string]string) *hub {
	t.Helper()
	h := newHub(t, o)
	for name, content := range files {
		h.edit(name, content)
	}
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	h.pass()
	return h
}

// propose makes a branch of ann's off main with these files of the environment, and a pull request of it. An empty content
// deletes the file.
func (h *hub) propose(branch string, files map[string]string) (number int, head string) {
	h.t.Helper()
	in := map[string]string{}
	for name, content := range files {
		in["environments/prod/file/"+name] = content
	}
	head = h.repo.PushAs(h.t, hubAnn, branch, in, h.repo.Tip(h.t, "main"))
	var made hubPull
	h.call("POST", "/pulls", map[string]string{"title": "Work on " + branch, "head": branch, "base": "main"}, &made)
	return made.Number, head
}

// deployed are the newest states of the deployments to prod, newest deployment first.
func (h *hub) deployed() (states []string) {
	h.t.Helper()
	var all []struct{ ID int }
	h.call("GET", "/deployments?environment=prod&per_page=100", nil, &all)
	for _, d := range all {
		var statuses []struct{ State string }
		h.call("GET", fmt.Sprintf("/deployments/%d/statuses", d.ID), nil, &statuses)
		require.NotEmpty(h.t, statuses)
		states = append(states, statuses[0].State)
	}
	return states
}

// reactions are those to the newest comment of ann's on a pull request.
func (h *hub) reactions(n int) (all []string) {
	h.t.Helper()
	var list []struct {
		ID   int64
		User struct{ Login string }
	}
	h.call("GET", fmt.Sprintf("/issues/%d/comments?per_page=100", n), nil, &list)
	newest := int64(0)
	for _, c := range list {
		if c.User.Login == "ann" {
			newest = c.ID
		}
	}
	var reactions []struct{ Content string }
	h.call("GET", fmt.Sprintf("/issues/comments/%d/reactions", newest), nil, &reactions)
	for _, r := range reactions {
		all = append(all, r.Content)
	}
	return all
}

// goes makes a pass that may leave something held.
func (h *hub) goes() {
	h.t.Helper()
	code, out, errs := h.try("run", "--once", "prod")
	require.Contains(h.t, []int{exitDone, exitHeld}, code, "%s\n%s", out, errs)
}

// ask says a command on a pull request and has it carried out. It returns what was answered.
func (h *hub) ask(n int, command string) string {
	h.t.Helper()
	h.comment(n, command)
	h.goes()
	h.goes()
	all := h.remarks(n)
	require.Contains(h.t, all, command)
	return all[strings.Index(all, command):]
}

// A deployment that fails, on GitHub: what was changed is undone, the deployment and its commit are marked, a pull request takes
// the commits back, and the pull request at fault is told which; merging that one makes it quiet again.
func TestGitHubFailureAndItsRevert(t *testing.T) {
	t.Parallel()
	h := begun(t, githubtest.Options{}, map[string]string{"web.yml": "port: 80\n", "queue.yml": "length: 20\n"})
	// The server takes over what is stored, unless it says no.
	h.configured("directory: {root: "+h.live+"}",
		fmt.Sprintf("directory: {root: %s, reload: {command: [/bin/sh, -c, '! grep -q broken *.yml']}}", h.live))
	h.pass()

	number, head := h.propose("topic", map[string]string{"web.yml": "port: broken\n"})
	h.pass()
	require.Equal(t, "success", h.checks(head)["driftback/plan (prod)"])
	h.mergeBy(number, "squash")
	h.goes()
	require.Equal(t, "port: 80\n", h.read(h.liveFile("web.yml")), "it was undone")
	h.goes()

	merged := h.repo.Tip(t, "main")
	require.Equal(t, "failure", h.checks(merged)["driftback/prod"])
	require.Equal(t, "failure", h.deployed()[0])
	pulls := h.open()
	require.Len(t, pulls, 1)
	revert := pulls[0]
	require.Equal(t, "driftback[bot]", revert.User.Login)
	require.True(t, strings.HasPrefix(revert.Head.Ref, "driftback/revert/"), revert.Head.Ref)
	require.Contains(t, revert.Body, merged[:7], "the commit at fault is named")
	told := h.remarks(number)
	require.Contains(t, told, "### Not deployed to `prod`")
	require.Contains(t, told, "- `file/web.yml`\n")
	require.Contains(t, told, fmt.Sprintf("#%d takes it back in Git.", revert.Number))
	require.Equal(t, 1, strings.Count(told, "### Not deployed"), "it is told once")

	h.mergeBy(revert.Number, "rebase")
	h.pass()
	require.Equal(t, "port: 80\n", h.inGit("main", "environments/prod/file/web.yml"))
	h.still()
	h.fsck()
}

// Every command over GitHub, from the comment to its reaction and answer.
func TestGitHubCommands(t *testing.T) {
	t.Parallel()
	files := map[string]string{"web.yml": "port: 80\n", "queue.yml": "length: 20\n"}
	for i := range 12 {
		files[fmt.Sprintf("old/%02d.yml", i)] = "value: 1\n"
	}
	h := begun(t, githubtest.Options{}, files)

	// A pull request that is held and let go, and goes by what Git says of it.
	number, head := h.propose("port", map[string]string{"web.yml": "port: 8080\n"})
	h.pass()
	require.Contains(t, h.ask(number, "/help"), "/rollback")
	require.ElementsMatch(t, []string{"rocket"}, h.reactions(number))
	require.Contains(t, h.ask(number, "/plan"), "Planned anew for `prod`.")
	require.ElementsMatch(t, []string{"eyes", "rocket"}, h.reactions(number))
	require.Contains(t, h.ask(number, "/why file/web.yml"), "Git and `prod` agree on it.")
	require.Contains(t, h.ask(number, "/hold until the audit is over"), "until somebody says `/cancel` here")
	require.Equal(t, "failure", h.checks(head)["driftback/plan (prod)"])
	h.mergeBy(number, "merge")
	h.goes()
	require.Equal(t, "port: 80\n", h.read(h.liveFile("web.yml")), "it is held")
	require.Contains(t, h.remarks(number), "### Waiting to be deployed to `prod`")
	require.Equal(t, "queued", h.deployed()[0])
	require.Contains(t, h.ask(number, "/cancel"), "It is no longer held.")
	require.Equal(t, "port: 8080\n", h.read(h.liveFile("web.yml")))
	require.Contains(t, h.remarks(number), "### Deployed to `prod`")

	// One that a guard holds, and that somebody lets pass.
	gone := map[string]string{}
	for i := range 12 {
		gone[fmt.Sprintf("old/%02d.yml", i)] = ""
	}
	number, _ = h.propose("cleaning", gone)
	h.pass()
	require.Contains(t, h.remarks(number), "12 objects would be deleted; the guard allows 10.")
	h.mergeBy(number, "merge")
	h.goes()
	require.FileExists(t, h.liveFile("old/03.yml"))
	require.Contains(t, h.ask(number, "/apply at 2h"), "`/cancel` takes this back.")
	require.FileExists(t, h.liveFile("old/03.yml"), "it is not yet time")
	require.Contains(t, h.ask(number, "/cancel"), "may not pass any more")
	require.Contains(t, h.ask(number, "/apply"), "may pass in `prod`, once.")
	require.NoFileExists(t, h.liveFile("old/03.yml"))

	cleaned := h.repo.Tip(t, "main")

	// Drift that is left as it is, until it changes again; and an environment that stands still.
	h.edit("queue.yml", "length: 30\n")
	h.pass()
	drift := h.open()[0].Number
	require.Contains(t, h.ask(drift, "/drift ignore until "+time.Now().AddDate(0, 1, 0).UTC().Format(time.DateOnly)), "Left as it is until ")
	require.Empty(t, h.open())
	h.still()
	h.edit("queue.yml", "length: 40\n")
	h.pass()
	drift = h.open()[0].Number
	require.Contains(t, h.ask(drift, "/hold"), "`prod` is suspended")
	require.Contains(t, h.ask(drift, "/cancel"), "`prod` is no longer suspended.")
	require.Contains(t, h.ask(drift, "/drift accept file/queue.yml"), "Accepted into Git: #")
	require.Equal(t, "length: 40\n", h.inGit("main", "environments/prod/file/queue.yml"))
	h.pass()

	// Back to before that.
	number, _ = h.propose("later", map[string]string{"later.yml": "value: 1\n"})
	h.mergeBy(number, "squash")
	h.pass()
	require.FileExists(t, h.liveFile("later.yml"))
	require.Contains(t, h.remarks(number), "### Deployed to `prod`", "no pass saw it open")
	number, _ = h.propose("topic", map[string]string{"topic.yml": "value: 1\n"})
	h.pass()
	require.Contains(t, h.ask(number, "/rollback "+cleaned[:10]), "proposes to take back what was committed since")
	var back hubPull
	for _, p := range h.open() {
		if p.User.Login == "driftback[bot]" {
			back = p
		}
	}
	require.NotZero(t, back.Number)
	h.call("PATCH", fmt.Sprintf("/pulls/%d", number), map[string]string{"state": "closed"}, nil)
	h.mergeBy(back.Number, "merge")
	h.pass()
	require.NoFileExists(t, h.liveFile("later.yml"))
	require.Equal(t, "length: 40\n", h.read(h.liveFile("queue.yml")), "what was accepted stays")
	h.pass()
	h.still()
	h.fsck()
}
