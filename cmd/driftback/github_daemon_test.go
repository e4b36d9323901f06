package main

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

const hookSecret = "secret-of-the-webhook"

// startHub runs the daemon, whose clock comes once an hour, and has GitHub's events sent to it.
func (h *hub) startHub() (*running, *githubtest.Hook) {
	h.t.Helper()
	h.write(h.dir+"/hook", hookSecret)
	h.setUp("", "    webhookSecret: \"file:"+h.dir+"/hook\"\n")
	h.write(h.conf, strings.Replace(h.read(h.conf), "every: 1s", "every: 1h", 1))
	r := h.start()
	return r, h.app.SetHook(githubtest.Hook{URL: r.url + webhookPath, Secret: hookSecret, Events: []string{"*"}})
}

var passedAt = regexp.MustCompile(`driftback_reconciles_total\{environment="prod",result="success"\} (\d+)`)

// passes is how many passes ended well.
func (r *running) passes() int {
	_, body := r.tryGet("/metrics")
	m := passedAt.FindStringSubmatch(body)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits, by the expression
	return n
}

// poked delivers a push of main, which is not one, and waits for the pass that it causes.
func (h *hub) poked(r *running, guid string) {
	h.t.Helper()
	before := r.passes()
	req, err := githubtest.NewDelivery(r.url+webhookPath, "push", guid, hookSecret, []byte(`{"ref":"refs/heads/main","repository":{"full_name":"acme/config"},"sender":{"login":"ann"}}`))
	require.NoError(h.t, err)
	begun := time.Now()
	res, err := http.DefaultClient.Do(req)
	require.NoError(h.t, err)
	require.NoError(h.t, res.Body.Close())
	require.Equal(h.t, http.StatusAccepted, res.StatusCode)
	require.Less(h.t, time.Since(begun), 10*time.Second)
	eventually(h.t, "a pass after the webhook", func() bool { return r.passes() != before })
}

// Webhooks wake the daemon, whose own clock would not look for an hour; forged ones do not. And what a pass costs in
// requests to GitHub is known.
func TestWebhooksWakeTheDaemon(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.edit("web.yml", "port: 80\n")
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "squash")
	r, hook := h.startHub()

	h.repo.PushAs(t, githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}, "main",
		map[string]string{"environments/prod/file/web.yml": "port: 8080\n"}, h.repo.Tip(t, "main"))
	eventually(t, "the deployment of what was pushed", func() bool { return h.read(h.liveFile("web.yml")) == "port: 8080\n" })
	h.server.Flush()
	h.poked(r, "settle") // what was deployed is at rest

	// A quiet pass: nothing is written, and what is read costs no quota. A pass of before may still go on when counting
	// begins, and one more when it ends.
	h.poked(r, "warm")
	before, passed := len(h.server.Requests()), r.passes()
	for i := range 5 {
		h.poked(r, fmt.Sprint("quiet-", i))
	}
	passed = r.passes() - passed + 1
	asked := h.asked(before)
	t.Logf("at most %d quiet passes: %v", passed, asked)
	for op, n := range asked {
		if op == "git" {
			require.LessOrEqual(t, n, passed, "requests of git")
			continue
		}
		require.True(t, strings.HasSuffix(op, " 304"), "%s is asked for in full, %d times", op, n)
		require.LessOrEqual(t, n, passed, op)
	}

	// A drift, from the hand's edit to the pull request. The edit may be seen twice, empty and as it then is.
	before, passed = len(h.server.Requests()), r.passes()
	h.edit("web.yml", "port: 9090\n")
	eventually(t, "the pull request", func() bool { return h.asked(before)["pulls/create"] == 1 })
	h.server.Flush()
	h.poked(r, "after the drift")
	require.Len(t, h.open(), 1)
	passed = r.passes() - passed + 1
	asked = h.asked(before)
	t.Logf("a drift, and the quiet pass after it, in at most %d passes: %v", passed, asked)
	require.Equal(t, 1, asked["pulls/create"])
	require.Equal(t, 1, asked["issues/add-labels"])
	require.LessOrEqual(t, asked["pulls/get"], 1)
	require.Empty(t, slices.DeleteFunc(slices.Sorted(maps.Keys(asked)), func(op string) bool {
		return slices.Contains([]string{"git", "issues/add-labels", "issues/list-comments-for-repo 304", "pulls/create", "pulls/get", "pulls/list", "pulls/list 304"}, op)
	}), "nothing else is asked")
	require.LessOrEqual(t, asked["pulls/list"]+asked["pulls/list 304"], 2*passed+2, "the open ones once a pass, its own once a pass, and before and after it is made")
	require.LessOrEqual(t, asked["git"], 2*passed+2)

	req, err := githubtest.NewDelivery(r.url+webhookPath, "push", "forged", "a guess", []byte(`{}`))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusUnauthorized, res.StatusCode)
	_, metrics := r.tryGet("/metrics")
	require.Contains(t, metrics, `driftback_webhook_deliveries_total{event="push",result="forged"} 1`)
	require.Contains(t, metrics, `driftback_github_rate_limit_remaining{resource="core"}`)
	require.Contains(t, metrics, `driftback_github_api_requests_total{code="201",method="POST"}`)

	// What people do on GitHub arrives by itself.
	h.mergeBy(h.open()[0].Number, "rebase")
	eventually(t, "the merge to be noticed", func() bool {
		_, metrics := r.tryGet("/metrics")
		return !strings.Contains(metrics, "driftback_drifted_objects{")
	})
	for _, d := range hook.Deliveries() {
		require.Less(t, d.Status, 300, "%s %s", d.Event, d.Action)
	}
	require.NotContains(t, r.out.String(), hookSecret)
	require.NotContains(t, r.out.String(), "ghs_")
	r.end()
}

// asked counts what driftback asked of GitHub since the first so many requests, by operation. What was answered by
// "not modified", which costs no quota, is counted apart.
func (h *hub) asked(since int) map[string]int {
	out := map[string]int{}
	for _, r := range h.server.Requests()[since:] {
		switch {
		case r.Who == "ann":
		case r.Status == http.StatusNotModified:
			out[r.Op+" 304"]++
		default:
			out[r.Op]++
		}
	}
	return out
}
