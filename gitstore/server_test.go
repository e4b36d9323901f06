package gitstore

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
	"testing"

	"github.com/stretchr/testify/require"
)

// gitCommand returns a git command that no configuration of the machine touches.
func gitCommand(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Native", "GIT_AUTHOR_EMAIL=native@example.com", "GIT_AUTHOR_DATE=1772000000 +0000",
		"GIT_COMMITTER_NAME=Native", "GIT_COMMITTER_EMAIL=native@example.com", "GIT_COMMITTER_DATE=1772000000 +0000")
	return cmd
}

// git runs native git and returns what it prints.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := gitCommand(dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "git %s: %s", strings.Join(args, " "), stderr.String())
	return strings.TrimSpace(string(out))
}

// newBare makes an empty bare repository.
func newBare(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "r.git")
	git(t, filepath.Dir(dir), "init", "-q", "--bare", "-b", "main", dir)
	git(t, dir, "config", "http.receivepack", "true")
	git(t, dir, "config", "gc.auto", "0")
	git(t, dir, "config", "receive.fsckObjects", "true")
	return dir
}

const goodToken = "s3cret"

// serve offers the repository by git http-backend to those who have the token, through the given wrapper.
func serve(t testing.TB, bare string, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	backend := filepath.Join(git(t, bare, "--exec-path"), "git-http-backend")
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != goodToken {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		(&cgi.Handler{
			Path: backend, Dir: filepath.Dir(bare),
			Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(bare), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ann",
				"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"},
		}).ServeHTTP(w, r)
	})
	if wrap != nil {
		h = wrap(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL + "/" + filepath.Base(bare)
}

// token returns an Auth with a token.
func token(s string) Auth {
	return Auth{Token: func(context.Context) (string, error) { return s, nil }}
}

// open opens a Store that is closed with the test.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Now == nil {
		o.Now = clock()
	}
	if o.Committer.Name == "" {
		o.Committer = Signature{Name: "driftback", Email: "driftback@example.com"}
	}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// fsck fails unless native git finds everything in order.
func fsck(t testing.TB, dir string) {
	t.Helper()
	out, err := gitCommand(dir, "fsck", "--strict", "--full", "--no-dangling").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		require.False(t, strings.HasPrefix(line, "error") || strings.HasPrefix(line, "warning") || strings.HasPrefix(line, "missing"), line)
	}
}

// A place is a way to reach a repository.
type place struct {
	name string
	open func(t testing.TB, bare string) *Store
}

// places are all the ways.
func places() []place {
	return []place{
		{"path", func(t testing.TB, bare string) *Store { return open(t, Options{URL: bare}) }},
		{"http on disk", func(t testing.TB, bare string) *Store {
			return open(t, Options{URL: serve(t, bare, nil), Auth: token(goodToken), Dir: filepath.Join(t.TempDir(), "mirror")})
		}},
		{"http in memory", func(t testing.TB, bare string) *Store {
			return open(t, Options{URL: serve(t, bare, nil), Auth: token(goodToken)})
		}},
	}
}
