package githubtest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOctokit lets GitHub's own client for JavaScript work on the server: what only our own reading of GitHub would
// agree with fails here.
func TestOctokit(t *testing.T) {
	t.Parallel()
	x := newSite(t, Options{})
	head := x.repo.Push(t, "topic", map[string]string{"topic.txt": "t\n"}, x.root)
	require.Equal(t, "done\n", runNode(t, "drive.mjs", obj{
		"api": x.URL + "/api/v3", "token": x.ann.token, "appId": x.app.ID, "key": string(x.app.Key()), "installation": x.app.installs[0].ID, "head": head,
	}))
	CheckGraphQL(t, x.Documents())
}

func TestExamples(t *testing.T) {
	t.Parallel()
	n := map[string]int{}
	for _, e := range Examples(t) {
		require.True(t, json.Valid(e.Payload), e.Event)
		n[e.Event]++
	}
	for _, event := range []string{"push", "pull_request", "pull_request_review", "issue_comment", "check_run", "deployment", "ping"} {
		require.Positive(t, n[event], event)
	}
	require.Greater(t, len(n), 50)
}
