package simulator

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOfficialClient lets the vendor's own JavaScript client work against the simulator, every answer being validated
// besides, and holds the committed contract against what is extracted from that client.
func TestOfficialClient(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed, and CI skips nothing", tool)
			}
			t.Skipf("%s is not installed: 'make test' installs it", tool)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "extract.mjs", "exercise.cjs"} {
		b, err := os.ReadFile(filepath.Join("testdata", "client", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
		return string(out)
	}
	run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")

	here, err := filepath.Abs("testdata/routes.txt")
	require.NoError(t, err)
	require.Contains(t, run("node", "extract.mjs", "node_modules/purecloud-platform-client-v2", here, "openapi.json", "fields.json"), "not in the contract: nothing")
	for made, kept := range map[string]string{"openapi.json": "testdata/openapi.json", "fields.json": "fields.json"} {
		a, err := os.ReadFile(filepath.Join(dir, made))
		require.NoError(t, err)
		b, err := os.ReadFile(kept)
		require.NoError(t, err)
		require.Equal(t, string(b), string(a), "%s is not what the client says: run testdata/client/extract.mjs", kept)
	}

	w := newWorld(t, Options{Now: time.Now})
	u, err := url.Parse(w.http.URL)
	require.NoError(t, err)
	t.Log(run("node", "exercise.cjs", u.Port(), w.org.ClientID(), w.org.Secret()))
}
