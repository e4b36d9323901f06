package githubtest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOctokit lets GitHub's own client for JavaScript work on the server: what only our own reading of GitHub would
// agree with fails here.
func TestOctokit(t *testing.T) {
	t.Parallel()
	modules := filepath.Join(npm(t), "node_modules")
	x := newSite(t, Options{})
	head := x.repo.Push(t, "topic", map[string]string{"topic.txt": "t\n"}, x.root)
	script, err := os.ReadFile("testdata/octokit/drive.mjs")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "drive.mjs"), script, 0o644))
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	args, err := json.Marshal(obj{
		"api": x.URL + "/api/v3", "token": x.ann.token, "appId": x.app.ID, "key": string(x.app.Key()), "installation": x.app.installs[0].ID, "head": head,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "drive.mjs", string(args))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "done\n", string(out))
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
