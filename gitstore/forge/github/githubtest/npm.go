package githubtest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

//go:embed testdata/octokit/*.json testdata/octokit/*.mjs
var npmFiles embed.FS

// installed is the folder that holds node_modules with octokit and its examples, filled by npm ci once for each lock file.
var installed = sync.OnceValues(func() (string, error) {
	lock, err := npmFiles.ReadFile("testdata/octokit/package-lock.json")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "driftback-test", "octokit-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// Others may do this at the same time: it is made beside and moved, and who comes second throws theirs away.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := npmFiles.ReadFile("testdata/octokit/" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(temp, name), content, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	cmd.Dir = temp
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, out)
	}
	if err := os.Rename(temp, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", err
		}
	}
	return dir, nil
})

// npm returns the folder with node_modules. Where it cannot be had the test is skipped, in CI it fails.
func npm(t testing.TB) string {
	t.Helper()
	dir, err := installed()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return dir
}

// An Example is a payload as GitHub sends it.
type Example struct {
	Event   string // X-GitHub-Event
	Payload []byte // JSON, of one line
}

// Examples returns the payloads of @octokit/webhooks-examples (MIT), some of every event. NewDelivery makes requests of
// them, Sign the signature.
func Examples(t testing.TB) []Example {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(npm(t), "node_modules/@octokit/webhooks-examples/api.github.com/index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var events []struct {
		Name     string
		Examples []json.RawMessage
	}
	if err := json.Unmarshal(raw, &events); err != nil {
		t.Fatal(err)
	}
	var all []Example
	for _, e := range events {
		for _, payload := range e.Examples {
			all = append(all, Example{e.Name, encode(payload)})
		}
	}
	return all
}
