package local_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/forgetest"
)

// These sites are bare repositories on disk, and the person working on them has git itself. What was
// written there in the end must pass git fsck.

const token = "let-me-in"

// onPath is a bare repository opened by its path.
func onPath(t *testing.T) site {
	t.Helper()
	dir := bare(t)
	return site{git: &nativeGit{dir: dir}, store: opener(gitstore.Options{URL: dir})}
}

// onServer is one behind git http-backend, which wants a token.
func onServer(t *testing.T) site {
	t.Helper()
	dir := bare(t)
	native(t, dir, nil, "config", "http.receivepack", "true")
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(native(t, dir, nil, "--exec-path")), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return site{git: &nativeGit{dir: dir}, store: opener(gitstore.Options{
		URL:  server.URL + "/" + filepath.Base(dir),
		Auth: gitstore.Auth{Token: func(context.Context) (string, error) { return token, nil }},
	})}
}

func opener(o gitstore.Options) func(t *testing.T) *gitstore.Store {
	o.Committer = gitstore.Signature{Name: "driftback", Email: "driftback@example.org"}
	return func(t *testing.T) *gitstore.Store {
		t.Helper()
		s, err := gitstore.Open(context.Background(), o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
}

// bare makes a repository that git checks when the test is over.
func bare(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "config.git")
	native(t, ".", nil, "init", "-q", "--bare", "-b", forgetest.Main, dir)
	t.Cleanup(func() {
		out := native(t, dir, nil, "fsck", "--strict", "--no-dangling", "--no-progress")
		require.Empty(t, out, "git fsck")
	})
	return dir
}

// native runs git in a repository and returns what it says.
func native(t *testing.T, dir string, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "git", args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_INDEX_FILE="+filepath.Join(dir, "test-index"),
		"GIT_AUTHOR_NAME=Ben", "GIT_AUTHOR_EMAIL=ben@example.org", "GIT_COMMITTER_NAME=Ben", "GIT_COMMITTER_EMAIL=ben@example.org")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return string(out)
}

// nativeGit is forgetest.Git by git's own commands.
type nativeGit struct {
	dir string
	mu  sync.Mutex // of the one index
}

func (g *nativeGit) git(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSuffix(native(t, g.dir, nil, args...), "\n")
}

func (g *nativeGit) Push(t *testing.T, branch string, files map[string]string, on ...string) string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(on) > 0 {
		g.git(t, "read-tree", on[0])
	} else {
		g.git(t, "read-tree", "--empty")
	}
	for path, content := range files {
		if content == "" {
			g.git(t, "update-index", "--force-remove", path)
			continue
		}
		blob := strings.TrimSpace(native(t, g.dir, []byte(content), "hash-object", "-w", "--stdin"))
		g.git(t, "update-index", "--add", "--cacheinfo", "100644,"+blob+","+path)
	}
	args := []string{"commit-tree", g.git(t, "write-tree"), "-m", "Change " + branch}
	for _, p := range on {
		args = append(args, "-p", p)
	}
	commit := g.git(t, args...)
	g.git(t, "update-ref", "refs/heads/"+branch, commit)
	return commit
}

func (g *nativeGit) Set(t *testing.T, branch, commit string) {
	t.Helper()
	if commit == "" {
		g.git(t, "update-ref", "-d", "refs/heads/"+branch)
		return
	}
	g.git(t, "update-ref", "refs/heads/"+branch, commit)
}

func (g *nativeGit) Tip(t *testing.T, branch string) string {
	t.Helper()
	return g.git(t, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
}

func (g *nativeGit) Parents(t *testing.T, commit string) []string {
	t.Helper()
	if parents := g.git(t, "log", "-1", "--format=%P", commit); parents != "" {
		return strings.Split(parents, " ")
	}
	return nil
}

func (g *nativeGit) Message(t *testing.T, commit string) string {
	t.Helper()
	return g.git(t, "log", "-1", "--format=%B", commit)
}

func (g *nativeGit) File(t *testing.T, commit, path string) string {
	t.Helper()
	if g.git(t, "ls-tree", commit, path) == "" {
		return ""
	}
	return native(t, g.dir, nil, "cat-file", "blob", commit+":"+path)
}
