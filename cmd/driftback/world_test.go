package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tool returns the path of a program. Without it the test is skipped, except in
// CI, where nothing may be skipped.
func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err == nil {
		return p
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI skips nothing", name)
	}
	t.Skipf("%s is not installed: 'make test' installs it", name)
	return ""
}

// A world is a repository behind a git server, a live directory and a
// configuration that connects them, seen from outside: by native git, on disk and
// through the command line.
type world struct {
	t    *testing.T
	dir  string
	bare string // the repository on disk
	url  string // and as the server has it
	live string // the platform's directory
	conf string // driftback.yaml
	work string // a person's clone
}

const (
	gitToken = "token-of-the-git-server"
	admin    = "Ann Lee <ann@example.org>"
)

// newWorld makes a repository with one commit, served over HTTP with a token, and an
// empty live directory. environment is the YAML of environment prod below its vendor's root.
func newWorld(t *testing.T) *world {
	t.Helper()
	tool(t, "git")
	dir := t.TempDir()
	w := &world{
		t: t, dir: dir,
		bare: filepath.Join(dir, "srv", "config.git"),
		live: filepath.Join(dir, "live"),
		conf: filepath.Join(dir, "driftback.yaml"),
		work: filepath.Join(dir, "work"),
	}
	require.NoError(t, os.MkdirAll(w.live, 0o755))
	w.git("", "init", "-q", "--bare", "-b", "main", w.bare)
	w.git("", "--git-dir", w.bare, "config", "http.receivepack", "true")
	w.git("", "--git-dir", w.bare, "config", "receive.fsckObjects", "true")
	w.url = gitServer(t, filepath.Dir(w.bare)) + "/config.git"
	w.git("", "clone", "-q", w.bare, w.work)
	w.write(filepath.Join(w.work, "README.md"), "Configuration of our platforms.\n")
	w.commit("First commit")
	return w
}

// gitServer serves the repositories below root by git's own HTTP backend to who has the token.
func gitServer(t *testing.T, root string) string {
	t.Helper()
	exe, err := exec.Command("git", "--exec-path").Output()
	require.NoError(t, err)
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(exe)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=driftback"},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); !ok || password != gitToken {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// configure writes driftback.yaml with environment prod, to which extra is added, indented by four spaces.
func (w *world) configure(vendorPart, extra string) {
	w.t.Helper()
	token := filepath.Join(w.dir, "token")
	w.write(token, gitToken+"\n")
	w.write(w.conf, fmt.Sprintf(`listen: "off"
repository:
  url: %s
  mirror: %s
  auth: {token: "file:%s"}
forge: {local: {}}
environments:
  prod:
    vendor: directory
    directory: %s
    mode: sync
    every: 1s
%s`, w.url, filepath.Join(w.dir, "mirror"), token, vendorPart, extra))
}

// git runs native git in dir and returns its output without the last newline.
func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.tryGit(dir, args...)
	require.NoError(w.t, err, "git %v: %s", args, out)
	return out
}

func (w *world) tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ann Lee", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_COMMITTER_NAME=Ann Lee", "GIT_COMMITTER_EMAIL=ann@example.org")
	out, err := cmd.CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// commit commits and pushes everything in the person's clone.
func (w *world) commit(message string) {
	w.t.Helper()
	w.git(w.work, "add", "-A")
	w.git(w.work, "commit", "-q", "-m", message)
	w.git(w.work, "push", "-q", "origin", "HEAD")
}

// pull brings the person's clone to the remote's main.
func (w *world) pull() {
	w.t.Helper()
	w.git(w.work, "fetch", "-q", "--prune", "origin")
	w.git(w.work, "checkout", "-q", "-B", "main", "origin/main")
}

// inGit returns a file of a branch; empty if it is not there.
func (w *world) inGit(ref, path string) string {
	w.t.Helper()
	out, err := w.tryGit("", "--git-dir", w.bare, "show", ref+":"+path)
	if err != nil {
		return ""
	}
	return out + "\n"
}

// liveFile returns the path of a file of the platform.
func (w *world) liveFile(name string) string { return filepath.Join(w.live, name) }

// edit writes a file of the platform by hand, as an editor does.
func (w *world) edit(name, content string) {
	w.t.Helper()
	w.write(w.liveFile(name), content)
}

// in returns the path of an object's file in the person's clone.
func (w *world) in(name string) string {
	return filepath.Join(w.work, "environments", "prod", "file", name)
}

func (w *world) write(path, content string) {
	w.t.Helper()
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(content), 0o644))
}

func (w *world) read(path string) string {
	w.t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(w.t, err)
	return string(b)
}

// driftback runs a command line in this process. It must end with code.
func (w *world) driftback(code int, args ...string) (stdout string) {
	w.t.Helper()
	got, stdout, stderr := w.try(args...)
	require.Equal(w.t, code, got, "driftback %v\n%s\n%s", args, stdout, stderr)
	return stdout
}

func (w *world) try(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(w.t.Context(), append([]string{"--config", w.conf}, args...), &out, &errs)
	require.NotContains(w.t, out.String()+errs.String(), gitToken, "a secret is never shown")
	return code, out.String(), errs.String()
}

// pass makes one pass over prod, which must end with exit code 0.
func (w *world) pass() string {
	w.t.Helper()
	return w.driftback(exitDone, "run", "--once", "prod")
}

// picture is everything that a pass could leave behind: refs and files.
func (w *world) picture() string {
	w.t.Helper()
	var out []string
	require.NoError(w.t, filepath.WalkDir(w.live, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %s", p, info.Mode())
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %s %x", info.ModTime(), sha256.Sum256(b))
		}
		out = append(out, line)
		return nil
	}))
	sort.Strings(out)
	return w.git("", "--git-dir", w.bare, "for-each-ref") + "\n" + strings.Join(out, "\n")
}

// quiet requires that ten more passes change no ref, no file and no comment
// (comments of the built-in forge are in a ref).
func (w *world) quiet() {
	w.t.Helper()
	before := w.picture()
	for i := range 10 {
		w.pass()
		require.Equal(w.t, before, w.picture(), "pass %d was not quiet", i+1)
	}
	w.fsck()
}

// fsck requires that native git finds nothing wrong with anything in the repository.
func (w *world) fsck() {
	w.t.Helper()
	require.Empty(w.t, w.git("", "--git-dir", w.bare, "fsck", "--strict", "--no-dangling", "--no-progress"))
}

// openPulls returns the numbers and titles of open pull requests, as listed.
func (w *world) openPulls() string {
	w.t.Helper()
	return w.driftback(exitDone, "pulls", "list")
}

const noPulls = "no pull requests\n"

// eventually waits for what another process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	waitFor(t, 30*time.Second, what, ok)
}

func waitFor(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s", limit, what)
		case <-tick.C:
		}
	}
}

// freePort returns a port of the loopback interface that nobody listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
