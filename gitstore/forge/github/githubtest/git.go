package githubtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// gitCommand returns a git command that no configuration of the machine touches.
func gitCommand(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), gitEnv...)
	return cmd
}

var gitEnv = []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}

// A gitError is what git said when it failed.
type gitError struct {
	args   []string
	code   int
	stderr string
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: %s", strings.Join(e.args, " "), e.stderr)
}

// git runs git in the repository with input, and returns what it prints.
func (r *Repo) git(input string, args ...string) (string, error) {
	return run(gitCommand(r.Dir, args...), input)
}

func run(cmd *exec.Cmd, input string) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), &gitError{cmd.Args[1:], exit.ExitCode(), strings.TrimSpace(stderr.String())}
	}
	return "", err
}

// line is git's answer of one line; "" where git fails.
func (r *Repo) line(args ...string) string {
	out, err := r.git("", args...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// fixed is git with arguments that are ids of objects and nothing that changes: what it said once it says again.
func (r *Repo) fixed(args ...string) (string, error) {
	key := strings.Join(args, "\x00")
	if out, ok := r.memo.Load(key); ok {
		return out.(string), nil
	}
	out, err := r.git("", args...)
	if err == nil {
		r.memo.Store(key, out)
	}
	return out, err
}

// commits returns the commits of to that from has not, the newest first.
func (r *Repo) commits(from, to string) []string {
	out, err := r.fixed("rev-list", "--topo-order", to, "^"+from)
	if err != nil {
		r.s.t.Errorf("commits %s..%s: %v", from, to, err)
	}
	return strings.Fields(out)
}

// resolve returns the commit that a name means: a branch, a tag, a full ref, or an id of at least seven digits. "" for none.
func (r *Repo) resolve(name string) string {
	if r.has(name) {
		return name
	}
	if id := r.branch(name); id != "" {
		return id
	}
	for _, prefix := range []string{"refs/tags/", "refs/"} {
		if id := r.line("rev-parse", "--verify", "--quiet", "--end-of-options", prefix+name+"^{commit}"); id != "" {
			return id
		}
	}
	if isID(name) {
		return r.line("rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	}
	return ""
}

func isID(s string) bool {
	return len(s) >= 7 && len(s) <= 40 && strings.Trim(s, "0123456789abcdef") == ""
}

func (r *Repo) has(commit string) bool {
	if len(commit) != 40 || !isID(commit) {
		return false
	}
	kind, err := r.fixed("cat-file", "-t", commit)
	return err == nil && strings.TrimSpace(kind) == "commit"
}

// A person signs commits.
type signature struct {
	name, email string
	at          time.Time
}

func (p signature) env(role string) []string {
	return []string{
		"GIT_" + role + "_NAME=" + p.name, "GIT_" + role + "_EMAIL=" + p.email,
		fmt.Sprintf("GIT_%s_DATE=%d +0000", role, p.at.Unix()),
	}
}

// commit writes a commit object.
func (r *Repo) commit(tree, message string, author, committer signature, parents ...string) (string, error) {
	args := []string{"commit-tree", tree}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	cmd := gitCommand(r.Dir, args...)
	cmd.Env = append(cmd.Env, append(author.env("AUTHOR"), committer.env("COMMITTER")...)...)
	out, err := run(cmd, message)
	return strings.TrimSpace(out), err
}

// errConflict says that two sides do not merge.
var errConflict = errors.New("merge conflict")

// mergeTree merges two commits and returns the tree.
func (r *Repo) mergeTree(ours, theirs string) (string, error) {
	out, err := r.git("", "merge-tree", "--write-tree", "--allow-unrelated-histories", ours, theirs)
	var failed *gitError
	if errors.As(err, &failed) && failed.code == 1 {
		return "", errConflict
	}
	tree, _, _ := strings.Cut(out, "\n")
	return tree, err
}

// replay puts the commits of base..head on top of base, as a rebase does, and returns the last one.
func (r *Repo) replay(base, head string, committer signature) (string, error) {
	dir := filepath.Join(r.s.dir, fmt.Sprintf("rebase-%d", r.s.id()))
	if _, err := r.git("", "worktree", "add", "-q", "--detach", dir, head); err != nil {
		return "", err
	}
	defer func() { _, _ = r.git("", "worktree", "remove", "--force", dir) }()
	cmd := gitCommand(dir, "-c", "core.hooksPath=/dev/null", "rebase", "-q", "--force-rebase", base)
	cmd.Env = append(cmd.Env, committer.env("COMMITTER")...)
	if _, err := run(cmd, ""); err != nil {
		return "", errConflict
	}
	out, err := run(gitCommand(dir, "rev-parse", "HEAD"), "")
	return strings.TrimSpace(out), err
}

// setRef moves a ref from old to new, each "" for absent. An error if it is not at old.
func (r *Repo) setRef(ref, old, id string) error {
	const zero = "0000000000000000000000000000000000000000"
	if old == "" {
		old = zero
	}
	if id == "" {
		id = zero
	}
	_, err := r.git(fmt.Sprintf("update %s\x00%s\x00%s\x00", ref, id, old), "update-ref", "--stdin", "-z")
	return err
}

// contains reports whether commit is descendant or one of its ancestors.
func (r *Repo) contains(descendant, commit string) bool {
	if descendant == "" || commit == "" {
		return false
	}
	out, err := r.fixed("rev-list", "-n", "1", commit, "^"+descendant)
	return err == nil && out == ""
}

// serveGit offers the repositories to those who may read them, by git's own backend. Without a token that is good, all
// are refused, as GitHub does with private ones.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	if len(parts) < 3 {
		http.NotFound(w, r)
		return
	}
	push := parts[2] == "git-receive-pack" || r.URL.Query().Get("service") == "git-receive-pack"
	f := s.fault("git")
	spoilt := f.wait()
	if spoilt && !f.Late {
		s.answerGit(w, r, "", f.reply())
		return
	}
	s.mu.Lock()
	repo := s.repos[strings.ToLower(parts[0]+"/"+strings.TrimSuffix(parts[1], ".git"))]
	who, err := s.authenticate(r)
	status := gitAccess(repo, who, err, push)
	s.mu.Unlock()
	if status != http.StatusOK {
		h := http.Header{}
		if status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Basic realm="GitHub"`)
		}
		s.answerGit(w, r, who.login(), reply{status: status, header: h, body: []byte(http.StatusText(status))})
		return
	}
	r.URL.Path = "/" + repo.Full() + ".git/" + parts[2]
	backend := &cgi.Handler{Path: s.backend, Dir: repo.Dir, Env: append([]string{
		"GIT_PROJECT_ROOT=" + filepath.Dir(filepath.Dir(repo.Dir)), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + who.login(),
	}, gitEnv...)}
	if parts[2] != "git-receive-pack" {
		s.note(Request{Method: r.Method, Path: r.URL.Path, Op: "git", Status: status, Who: who.login()})
		backend.ServeHTTP(w, r)
		return
	}
	// What was pushed is known everywhere before the client hears that it is.
	answer := httptest.NewRecorder()
	backend.ServeHTTP(answer, r)
	s.mu.Lock()
	repo.sync(who.account)
	s.mu.Unlock()
	out := reply{status: answer.Code, header: answer.Header(), body: answer.Body.Bytes()}
	if spoilt {
		out = f.reply()
	}
	s.answerGit(w, r, who.login(), out)
}

func (s *Server) answerGit(w http.ResponseWriter, r *http.Request, login string, a reply) {
	s.note(Request{Method: r.Method, Path: r.URL.Path, Op: "git", Status: a.status, Who: login})
	if a.status == 0 {
		drop(w)
		return
	}
	write(w, a)
}

// gitAccess returns 200 or the status of a refusal.
func gitAccess(repo *Repo, who *credential, err error, push bool) int {
	switch {
	case err != nil, who == nil:
		return http.StatusUnauthorized
	case who.jwt, repo == nil, !who.sees(repo):
		return http.StatusNotFound
	case !push:
		return http.StatusOK
	}
	if who.fine != nil && who.fine["contents"] != "write" || who.app == nil && !atLeast(repo.role(who.account.Login), "write") {
		return http.StatusForbidden
	}
	return http.StatusOK
}
