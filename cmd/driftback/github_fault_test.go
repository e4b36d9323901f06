package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// despite makes passes, which may fail, until something is so.
func (h *hub) despite(what string, ok func() bool) {
	h.t.Helper()
	var errs []string
	for range 30 {
		code, out, err := h.try("run", "--once", "prod")
		if code == exitDone && ok() {
			return
		}
		errs = append(errs, out+err)
	}
	h.t.Fatalf("no %s:\n%s", what, strings.Join(errs, "\n"))
}

var keyOfComment = regexp.MustCompile(`<!-- driftback:key (\S+) -->`)

// keyed are the keys of driftback's comments on a pull request, sorted.
func (h *hub) keyed(n int) (keys []string) {
	h.t.Helper()
	for _, m := range keyOfComment.FindAllStringSubmatch(h.remarks(n), -1) {
		keys = append(keys, m[1])
	}
	slices.Sort(keys)
	return keys
}

// one requires that there is one of each: of the three pull requests, of what each was told, of the deployment.
func (h *hub) one(topic int, head string) {
	h.t.Helper()
	var pulls []hubPull
	h.call("GET", "/pulls?state=all&per_page=100", nil, &pulls)
	require.Len(h.t, pulls, 3, "the import, the developer's, the drift")
	for _, p := range pulls {
		keys := h.keyed(p.Number)
		require.Equal(h.t, slices.Compact(slices.Clone(keys)), keys, "comments on #%d", p.Number)
	}
	require.Len(h.t, h.keyed(topic), 2, "the plan and the outcome: %s", h.remarks(topic))
	require.Equal(h.t, []string{"success"}, h.deployed())
	var runs struct {
		CheckRuns []struct{ Name string } `json:"check_runs"`
	}
	h.call("GET", "/commits/"+head+"/check-runs?filter=all&per_page=100", nil, &runs)
	names := map[string]bool{}
	for _, r := range runs.CheckRuns {
		require.False(h.t, names[r.Name], "check %s was made twice", r.Name)
		names[r.Name] = true
	}
}

// gitHubFaults are the ways in which GitHub fails, each at a request.
var gitHubFaults = map[string]func(githubtest.Fault, *hub) githubtest.Fault{
	"500":                func(f githubtest.Fault, _ *hub) githubtest.Fault { f.Status = 500; return f },
	"the answer is lost": func(f githubtest.Fault, _ *hub) githubtest.Fault { f.Late = true; return f },
	"limits": func(f githubtest.Fault, _ *hub) githubtest.Fault {
		limit := githubtest.SecondaryLimit(map[bool]int{true: 403, false: 429}[len(f.Op)%2 == 0], time.Second)
		limit.Op = f.Op
		return limit
	},
	"the token ends": func(f githubtest.Fault, h *hub) githubtest.Fault {
		f.Pass, f.Before = true, func() { h.server.Revoke("") }
		return f
	},
}

// The whole story while GitHub fails in each of its ways, at each kind of request: there is one pull request, one comment of a
// kind and one deployment, as if nothing had happened, and then it is quiet.
func TestGitHubFaults(t *testing.T) {
	t.Parallel()
	before := []string{"git", "pulls/list", "pulls/create", "issues/add-labels", "issues/list-comments", "issues/create-comment", "checks/create", "git"}
	after := []string{"git", "pulls/list", "repos/create-deployment", "repos/create-deployment-status", "issues/create-comment", "checks/create", "git"}
	for name, fault := range gitHubFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := begun(t, githubtest.Options{}, map[string]string{"web.yml": "port: 80\n", "queue.yml": "length: 20\n"})
			fail := func(ops []string) {
				for _, op := range ops {
					h.server.Fail(fault(githubtest.Fault{Op: op}, h))
				}
			}
			topic, head := h.propose("topic", map[string]string{"queue.yml": "length: 50\n"})
			h.edit("web.yml", "port: 81\n")
			fail(before)
			h.despite("pull request with its plan", func() bool {
				return len(h.open()) == 2 && h.checks(head)["driftback/plan (prod)"] == "success" && len(h.keyed(topic)) == 1
			})
			require.Zero(t, h.server.Heal(), "every fault happened")

			h.mergeBy(topic, "squash")
			for _, p := range h.open() {
				h.mergeBy(p.Number, "squash")
			}
			fail(after)
			h.despite("deployment that is told", func() bool {
				return h.read(h.liveFile("queue.yml")) == "length: 50\n" && len(h.keyed(topic)) == 2
			})
			h.despite("end", func() bool { return slices.Equal(h.deployed(), []string{"success"}) })
			require.Zero(t, h.server.Heal(), "every fault happened")
			h.one(topic, head)
			h.still()
			h.fsck()
		})
	}
}

// posted delivers to the daemon and returns the status of its answer.
func (r *running) posted(t *testing.T, guid, secret string, body []byte) int {
	t.Helper()
	req, err := githubtest.NewDelivery(r.url+webhookPath, "push", guid, secret, body)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, res.Body)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

// Some of the drift is accepted while GitHub fails: the pull request is narrowed, merged and answered once, and there is one other for
// the rest.
func TestGitHubAcceptDespiteFaults(t *testing.T) {
	t.Parallel()
	ops := []string{"git", "issues/list-comments-for-repo", "reactions/create-for-issue-comment", "git", "pulls/update", "pulls/merge", "pulls/create", "issues/add-labels", "issues/create-comment"}
	for name, fault := range gitHubFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := begun(t, githubtest.Options{}, map[string]string{"a.yml": "value: 1\n", "b.yml": "value: 1\n", "c.yml": "value: 1\n"})
			for _, n := range []string{"a.yml", "b.yml", "c.yml"} {
				h.edit(n, "value: 2\n")
			}
			h.pass()
			drift := h.open()[0].Number
			h.comment(drift, "/drift accept file/a.yml file/b.yml")
			for _, op := range ops {
				h.server.Fail(fault(githubtest.Fault{Op: op}, h))
			}
			h.despite("merge of what was accepted", func() bool {
				return h.inGit("main", "environments/prod/file/b.yml") == "value: 2\n" && len(h.open()) == 1 && len(h.keyed(drift)) > 0
			})
			require.Zero(t, h.server.Heal(), "every fault happened")
			var pulls []hubPull
			h.call("GET", "/pulls?state=all&per_page=100", nil, &pulls)
			require.Len(t, pulls, 3, "the import, what was accepted, the rest")
			require.Len(t, h.keyed(drift), 1, "one answer: %s", h.remarks(drift))
			require.Contains(t, h.remarks(drift), "Accepted into Git")
			rest := h.open()[0]
			require.Equal(t, []string{"environments/prod/file/c.yml"}, h.changes(rest.Number))
			require.ElementsMatch(t, []string{"eyes", "rocket"}, h.reactions(drift))
			require.Contains(t, h.ask(rest.Number, "/drift revert"), "Git is right")
			require.Equal(t, "value: 1\n", h.read(h.liveFile("c.yml")))
			h.still()
			h.fsck()
		})
	}
}

// Deliveries that are lost, doubled, replayed, forged, too large and in any order reach a daemon that looks by itself once an hour
// only: there is one pull request, one comment of a kind and one deployment all the same.
func TestGitHubDeliveriesGoWrong(t *testing.T) {
	t.Parallel()
	h := begun(t, githubtest.Options{}, map[string]string{"web.yml": "port: 80\n", "queue.yml": "length: 20\n"})
	r, hook := h.startHub()
	hook.SetFate(githubtest.Twice)
	h.poked(r, "before")
	topic, head := h.propose("topic", map[string]string{"queue.yml": "length: 50\n"})
	eventually(t, "the plan", func() bool { return h.checks(head)["driftback/plan (prod)"] == "success" })
	h.edit("web.yml", "port: 81\n")
	eventually(t, "the drift", func() bool { return len(h.open()) == 2 })

	hook.SetFate(githubtest.Hold)
	h.mergeBy(topic, "squash")
	for _, p := range h.open() {
		h.mergeBy(p.Number, "squash")
	}
	hook.Release() // the last first
	eventually(t, "the deployment", func() bool {
		return h.read(h.liveFile("queue.yml")) == "length: 50\n" && len(h.keyed(topic)) == 2
	})
	h.server.Flush()
	list := hook.Deliveries()
	for _, d := range list[max(0, len(list)-5):] {
		hook.Replay(d)
	}
	require.Equal(t, 401, r.posted(t, "forged", "a guess", []byte(`{"ref":"refs/heads/main"}`)))
	require.Equal(t, 413, r.posted(t, "large", hookSecret, bytes.Repeat([]byte(" "), 10<<20)))

	// What is lost costs time only.
	hook.SetFate(githubtest.Lose)
	tip := h.repo.PushAs(t, hubAnn, "main", map[string]string{"README.md": "Nothing that is deployed.\n"}, h.repo.Tip(t, "main"))
	hook.SetFate(githubtest.Send)
	h.server.Flush()
	h.poked(r, "after")
	eventually(t, "the last word on the deployment", func() bool { return slices.Equal(h.deployed(), []string{"success"}) })
	require.Equal(t, tip, h.repo.Tip(t, "main"))
	h.poked(r, "at rest")
	writes := h.server.Writes()
	for i := range 3 {
		h.poked(r, fmt.Sprint("quiet ", i))
	}
	require.Equal(t, writes, h.server.Writes())
	h.one(topic, head)
	_, metrics := r.tryGet("/metrics")
	for _, result := range []string{"accepted", "duplicate", "forged", "too_large"} {
		require.Contains(t, metrics, `result="`+result+`"`)
	}
	r.end()
}
