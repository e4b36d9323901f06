package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge/github/githubtest"
)

// remarks are the comments on a pull request.
func (h *hub) remarks(n int) (all string) {
	h.t.Helper()
	var out []struct{ Body string }
	h.call("GET", fmt.Sprintf("/issues/%d/comments?per_page=100", n), nil, &out)
	for _, c := range out {
		all += c.Body + "\n\n"
	}
	return all
}

// runs are the check runs of a commit: name → conclusion, or status while there is none.
func (h *hub) runs(commit string) map[string]string {
	h.t.Helper()
	var out struct {
		CheckRuns []struct{ Name, Status, Conclusion string } `json:"check_runs"`
	}
	h.call("GET", "/commits/"+commit+"/check-runs?per_page=100", nil, &out)
	runs := map[string]string{}
	for _, r := range out.CheckRuns {
		if runs[r.Name] = r.Conclusion; r.Conclusion == "" {
			runs[r.Name] = r.Status
		}
	}
	return runs
}

func (h *hub) says(n int, text string) {
	h.t.Helper()
	h.call("POST", fmt.Sprintf("/issues/%d/comments", n), map[string]string{"body": text}, nil)
}

// A developer's pull request on GitHub: it is planned, hears of a change by hand that conflicts, and of its being put back by
// a comment; it is merged, deployed, and told so.
func TestGitHubTellsDevelopers(t *testing.T) {
	t.Parallel()
	h := newHub(t, githubtest.Options{})
	h.edit("web.yml", "port: 80\n")
	h.driftback(exitDone, "init", "prod")
	h.mergeBy(1, "merge")
	h.pass()
	ann := githubtest.Person{Login: "ann", Name: "Ann Lee", Email: "ann@example.org"}
	head := h.repo.PushAs(t, ann, "topic", map[string]string{"environments/prod/file/web.yml": "port: 8080\n"}, h.repo.Tip(t, "main"))
	h.call("POST", "/pulls", map[string]string{"title": "Another port", "head": "topic", "base": "main"}, nil)
	h.pass()
	require.Contains(t, h.remarks(2), "Merging this would deploy 1 object: 1 changed.")
	require.Equal(t, "success", h.runs(head)["driftback/plan (prod)"])

	h.edit("web.yml", "port: 9090\n")
	h.pass()
	require.Contains(t, h.remarks(2), "was changed under you")
	require.Equal(t, "failure", h.runs(head)["driftback/radar (prod)"])

	h.says(3, "Not on my watch.\n/drift revert")
	h.says(2, "/plna")
	h.pass()
	h.pass()
	require.Equal(t, "port: 80\n", h.read(h.liveFile("web.yml")))
	require.Contains(t, h.remarks(3), "Git is right")
	require.Contains(t, h.remarks(2), "Did you mean `/plan`?")
	require.Contains(t, h.remarks(2), "agree again")
	require.Equal(t, "success", h.runs(head)["driftback/radar (prod)"])

	h.mergeBy(2, "squash")
	h.pass()
	require.Equal(t, "port: 8080\n", h.read(h.liveFile("web.yml")))
	require.Contains(t, h.remarks(2), "### Deployed to `prod`")
	var deployments []struct{ ID int }
	h.call("GET", "/deployments?environment=prod", nil, &deployments)
	require.Len(t, deployments, 2)
	states := map[string]bool{}
	var statuses []struct{ State string }
	h.call("GET", fmt.Sprintf("/deployments/%d/statuses", deployments[0].ID), nil, &statuses)
	for _, s := range statuses {
		states[s.State] = true
	}
	require.True(t, states["in_progress"] && states["success"], "%v", states)
	h.still()
}
