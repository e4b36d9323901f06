package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
)

// A queue that a flow's text names is renamed, by hand and in Git, there together with another edit of the flow: it is one rename, the text
// follows, and nothing is published but the edit.
func TestARenameIsFollowedInTextsOfFlows(t *testing.T) {
	t.Parallel()
	i := install(t, "")
	queue := i.create("queue", map[string]any{"name": "Support", "division": map[string]any{"id": i.org.Find("division", "Home")}})
	_, err := i.ann.Publish("inboundCall:\n  name: Main\n  startUpRef: here\n  tasks:\n    - transferToAcd:\n        targetQueue:\n          lit:\n            name: Support\n")
	require.NoError(t, err)
	i.importAll()
	flow := "environments/prod/flow/INBOUNDCALL%2FMain.yaml"
	require.Contains(t, i.file(flow), "name: Support\n")

	// By hand: the pull request has the queue under its new name and the flow that says it.
	require.NoError(t, i.ann.Edit("queue", queue, func(body map[string]any) { body["name"] = "First line" }))
	require.Contains(t, i.run("run", "--once"), "drifted")
	shown := i.run("pulls", "show", "2")
	require.Contains(t, shown, "First line")
	i.run("pulls", "merge", "2")
	require.Contains(t, i.run("run", "--once"), "no drift")
	text := i.file(flow)
	require.Contains(t, text, "name: First line\n")

	// In Git, with another edit of the flow in the same commit.
	renamed := "$renamedFrom: First line\n" + i.file("environments/prod/queue/First line.yaml")
	refs, err := i.store.Sync(t.Context())
	require.NoError(t, err)
	_, err = i.store.Commit(t.Context(), "refs/heads/main", refs["refs/heads/main"], gitstore.Edit{
		"environments/prod/queue/First line.yaml": nil, "environments/prod/queue/Second line.yaml": []byte(renamed),
		flow: []byte(strings.Replace(strings.Replace(text, "name: First line", "name: Second line", 1), "startUpRef: here", "startUpRef: there", 1)),
	}, gitstore.Signature{}, "rename and edit")
	require.NoError(t, err)
	calls := i.platform.Calls()
	require.Contains(t, i.run("run", "--once"), "deployed 2 changes")
	after := i.platform.Calls()
	for call, n := range map[string]int{"PUT /api/v2/routing/queues/{id}": 1, "POST /api/v2/flows/jobs": 1, "POST /api/v2/routing/queues": 0, "PUT /api/v2/flows/{id}": 0} {
		require.Equal(t, n, after[call]-calls[call], call)
	}
	require.Equal(t, queue, i.org.Find("queue", "Second line"))
	require.Contains(t, i.run("run", "--once"), "no drift")
	require.Contains(t, i.file(flow), "name: Second line\n")
}
