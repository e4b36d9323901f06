package githubtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Repo is a repository: a bare one on disk, and what GitHub keeps beside it. Its methods with a *testing.T are
// what a person with git does, and fail that test.
type Repo struct {
	Owner, Name string
	Dir         string // the bare repository
	Private     bool

	s           *Server
	id          int64
	def         string // default branch
	fork        *Repo  // of which this is a fork
	people      map[string]string
	refs        map[string]string // as known since the last push
	protection  map[string]Protection
	noMethod    map[string]bool // merge methods that are not allowed
	deleteHeads bool
	created     time.Time

	memo sync.Map // of fixed: arguments to output

	lastNumber  int64
	pulls       []*pull
	comments    []*comment
	labels      []*label
	statuses    []*status
	runs        []*checkRun
	deployments []*deployment
	hooks       []*Hook
}

// Protection is what a branch demands.
type Protection struct {
	Approvals int      // reviews before a pull request may be merged
	Checks    []string // statuses or check runs that must be successful
	Strict    bool     // the head must hold all of the branch
	// Signed demands signed commits, NoPush pull requests. Patterns are as git's refs: "live/*" matches one level.
	Signed, NoPush bool
	// Ruleset shows the protection as a ruleset (rules/branches) rather than a classic one (branches/BRANCH/protection).
	Ruleset bool
}

// Repo adds an empty private repository OWNER/NAME, whose default branch is main. Owners that are not known become persons.
func (s *Server) Repo(full string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addRepo(full)
}

func (s *Server) addRepo(full string) *Repo {
	owner, name, _ := strings.Cut(full, "/")
	r := &Repo{
		Owner: owner, Name: name, Dir: filepath.Join(s.dir, "git", owner, name+".git"), Private: true, s: s, id: s.id(), def: "main",
		people: map[string]string{}, refs: map[string]string{}, protection: map[string]Protection{}, noMethod: map[string]bool{}, created: s.now(),
	}
	s.addUser(owner, owner, "", "User")
	err := os.MkdirAll(filepath.Dir(r.Dir), 0o755)
	if err == nil {
		_, err = run(gitCommand("", "init", "-q", "--bare", "--template=", "-b", "main", r.Dir), "")
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(r.Dir, "config"), []byte(gitConfig), 0o644)
	}
	if err == nil {
		err = r.writeHook()
	}
	if err != nil {
		s.t.Fatalf("repository %s: %v", full, err)
	}
	s.repos[strings.ToLower(full)] = r
	return r
}

// gitConfig lets clients push and fetch as GitHub does, and checks what they push.
const gitConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
[http]
	receivepack = true
[gc]
	auto = 0
[receive]
	fsckObjects = true
	advertisePushOptions = true
[uploadpack]
	allowReachableSHA1InWant = true
	allowFilter = true
`

// Full is OWNER/NAME.
func (r *Repo) Full() string { return r.Owner + "/" + r.Name }

// GitURL is where it is cloned from over HTTP.
func (r *Repo) GitURL() string { return r.s.URL + "/" + r.Full() + ".git" }

// Grant gives a person a role: read, triage, write, maintain or admin.
func (r *Repo) Grant(login, role string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.people[r.s.addUser(login, login, "", "User").Login] = role
}

// GrantTeam gives a team of the owner a role.
func (r *Repo) GrantTeam(slug, role string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.orgs[r.Owner].teams[slug].repos[r.Full()] = role
}

// Forbid turns merge methods off: merge, squash, rebase.
func (r *Repo) Forbid(methods ...string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for _, m := range methods {
		r.noMethod[m] = true
	}
}

// DeleteHeads makes merging delete the head branch.
func (r *Repo) DeleteHeads() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.deleteHeads = true
}

// Protect sets what the branches of a pattern demand; the zero Protection takes it back.
func (r *Repo) Protect(pattern string, p Protection) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.protection[pattern] = p
	if p.Approvals == 0 && !p.NoPush && !p.Signed && len(p.Checks) == 0 {
		delete(r.protection, pattern)
	}
	var lines []string
	for _, pattern := range slices.Sorted(maps.Keys(r.protection)) {
		p := r.protection[pattern]
		if p.NoPush || p.Approvals > 0 || len(p.Checks) > 0 {
			lines = append(lines, "push refs/heads/"+pattern)
		}
		if p.Signed {
			lines = append(lines, "sign refs/heads/"+pattern)
		}
	}
	if err := os.WriteFile(filepath.Join(r.Dir, "protected"), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		r.s.t.Errorf("protect %s: %v", r.Full(), err)
	}
}

// writeHook installs the hook that refuses pushes onto protected branches, with GitHub's words.
func (r *Repo) writeHook() error {
	const hook = `#!/bin/sh
# $1 ref, $2 old, $3 new
case $1 in refs/pull/*) echo "deny updating a hidden ref" >&2; exit 1;; esac
[ -f protected ] || exit 0
while read -r kind pattern; do
	case $1 in $pattern) ;; *) continue ;; esac
	if [ "$kind" = push ]; then
		echo "error: GH006: Protected branch update failed for $1." >&2
		echo "error: Changes must be made through a pull request." >&2
		exit 1
	fi
	if [ "$kind" = sign ] && git rev-list "$3" --not --all | while read -r c; do git cat-file commit "$c" | grep -q '^gpgsig' || echo "$c"; done | grep -q .; then
		echo "error: GH006: Protected branch update failed for $1." >&2
		echo "error: Commits must have verified signatures." >&2
		exit 1
	fi
done <protected
exit 0
`
	if err := os.MkdirAll(filepath.Join(r.Dir, "hooks"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.Dir, "hooks", "update"), []byte(hook), 0o755)
}

// protectionOf returns what a branch demands, the zero Protection for nothing.
func (r *Repo) protectionOf(branch string) Protection {
	for pattern, p := range r.protection {
		if ok, _ := filepath.Match(pattern, branch); ok {
			return p
		}
	}
	return Protection{}
}

func (r *Repo) branch(name string) string { return r.refs["refs/heads/"+name] }

// Push makes branch, by force, a new commit with these files changed (an empty content deletes) on top of the
// commits on: the first one's files are changed, several make a merge. It returns the commit.
func (r *Repo) Push(t *testing.T, branch string, files map[string]string, on ...string) string {
	t.Helper()
	return r.PushAs(t, Person{Name: "Dora", Email: "dora@example.org"}, branch, files, on...)
}

// A Person commits. Login is who pushes; "": the repository's owner.
type Person struct{ Login, Name, Email string }

// PushAs is Push by somebody.
func (r *Repo) PushAs(t *testing.T, by Person, branch string, files map[string]string, on ...string) string {
	t.Helper()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	who := signature{by.Name, by.Email, r.s.now()}
	tree, err := r.editTree(files, on)
	if err != nil {
		t.Fatalf("push %s: %v", branch, err)
	}
	message := fmt.Sprintf("Change %s\n", strings.Join(slices.Sorted(maps.Keys(files)), ", "))
	id, err := r.commit(tree, message, who, who, on...)
	if err == nil {
		_, err = r.git("", "update-ref", "refs/heads/"+branch, id)
	}
	if err != nil {
		t.Fatalf("push %s: %v", branch, err)
	}
	r.sync(r.pusher(by.Login))
	return id
}

func (r *Repo) pusher(login string) *Account {
	if login == "" {
		login = r.Owner
	}
	return r.s.addUser(login, login, "", "User")
}

// editTree returns the tree of the first commit with files changed.
func (r *Repo) editTree(files map[string]string, on []string) (string, error) {
	index := filepath.Join(r.s.dir, fmt.Sprintf("index-%d", r.s.id()))
	defer os.Remove(index)
	do := func(input string, args ...string) (string, error) {
		cmd := gitCommand(r.Dir, args...)
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+index)
		out, err := run(cmd, input)
		return strings.TrimSpace(out), err
	}
	from := "--empty"
	if len(on) > 0 && on[0] != "" {
		from = on[0]
	}
	if _, err := do("", "read-tree", from); err != nil {
		return "", err
	}
	var edit strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if files[name] == "" {
			fmt.Fprintf(&edit, "0 0000000000000000000000000000000000000000\t%s\x00", name)
			continue
		}
		blob, err := do(files[name], "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&edit, "100644 %s\t%s\x00", blob, name)
	}
	if _, err := do(edit.String(), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	return do("", "write-tree")
}

// Set makes branch be at commit, by force; "" deletes it.
func (r *Repo) Set(t *testing.T, branch, commit string) {
	t.Helper()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	args := []string{"update-ref", "refs/heads/" + branch, commit}
	if commit == "" {
		args = []string{"update-ref", "-d", "refs/heads/" + branch}
	}
	if _, err := r.git("", args...); err != nil {
		t.Fatalf("set %s: %v", branch, err)
	}
	r.sync(r.pusher(""))
}

// Tip returns where a branch is, "" if there is none.
func (r *Repo) Tip(t *testing.T, branch string) string {
	t.Helper()
	return r.line("rev-parse", "--verify", "--quiet", "refs/heads/"+branch)
}

// Parents returns a commit's parents.
func (r *Repo) Parents(t *testing.T, commit string) []string {
	t.Helper()
	return strings.Fields(r.line("log", "-1", "--format=%P", commit))
}

// Message returns a commit's message.
func (r *Repo) Message(t *testing.T, commit string) string {
	t.Helper()
	out, err := r.git("", "log", "-1", "--format=%B", commit)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out, "\n")
}

// File returns the content of a file of a commit, "" if there is none.
func (r *Repo) File(t *testing.T, commit, path string) string {
	t.Helper()
	out, err := r.git("", "cat-file", "blob", commit+":"+path)
	if err != nil {
		return ""
	}
	return out
}

// sync learns what was pushed: pull requests follow their branches, and hooks are told.
func (r *Repo) sync(by *Account) {
	now := map[string]string{}
	out, err := r.git("", "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
	if err != nil {
		r.s.t.Errorf("refs of %s: %v", r.Full(), err)
		return
	}
	for line := range strings.Lines(out) {
		ref, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		now[ref] = id
	}
	before := r.refs
	r.refs = now
	names := maps.Clone(before)
	maps.Copy(names, now)
	for _, ref := range slices.Sorted(maps.Keys(names)) {
		if before[ref] == now[ref] {
			continue
		}
		r.emitPush(ref, before[ref], now[ref], by)
		if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			r.headMoved(branch, now[ref], by)
			r.baseMoved(branch, now[ref], by)
		}
	}
}
