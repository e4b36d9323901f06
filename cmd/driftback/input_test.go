package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Bad input, each with a clear error and everything else undisturbed.

// newDirWorld connects a plain directory with these files and merges the first import.
func newDirWorld(t *testing.T, files map[string]string) *world {
	t.Helper()
	t.Parallel()
	w := newWorld(t)
	for name, content := range files {
		w.edit(name, content)
	}
	w.connect("")
	w.driftback(exitDone, "init", "prod")
	w.driftback(exitDone, "pulls", "merge", "1")
	w.pass()
	w.pull()
	return w
}

// connect writes the configuration; more is added to the vendor's part.
func (w *world) connect(more string) {
	w.t.Helper()
	w.configure(fmt.Sprintf("{root: %q, settle: 50ms%s}", w.live, more), "")
}

var twoFiles = map[string]string{"a.yml": "a: 1\n", "b.yml": "b: 1\n"}

// bystander changes b in Git and requires that it is deployed all the same.
func (w *world) bystander(code int) string {
	w.t.Helper()
	w.pull()
	content := w.read(w.in("b.yml")) + "more: 1\n"
	w.write(w.in("b.yml"), content)
	w.commit("Something else")
	out := w.driftback(code, "run", "--once", "prod")
	require.Equal(w.t, content, w.read(w.liveFile("b.yml")), "unrelated work goes on")
	return out
}

func TestInputPasswordIsWithheld(t *testing.T) {
	const password = "s3cr3t-Tr0ub4dor-9x"
	w := newDirWorld(t, twoFiles)
	w.edit("web.yml", "basic_auth:\n  username: ann\n  password: "+password+"\n")
	out := w.pass()
	require.Contains(t, out, "web.yml")
	require.Contains(t, out, "looks like a credential")
	require.NotContains(t, out, password)
	require.Equal(t, noPulls, w.openPulls())
	require.NotContains(t, w.everything(), password)
	require.Contains(t, w.bystander(exitDone), "web.yml")
	require.Contains(t, w.driftback(exitDone, "doctor"), "ok")
	require.NotContains(t, w.everything(), password)

	// Listed under allow, it is committed like anything else.
	w.configure(fmt.Sprintf("{root: %q, settle: 50ms}", w.live), "    allow: [file/web.yml]\n")
	w.pass()
	require.Contains(t, w.openPulls(), "web.yml")
}

// What a pass keeps out of Git, diff keeps off the screen, in every format; what Git has, or the operator
// allows, is shown.
func TestInputDiffWithholdsCredentials(t *testing.T) {
	const password = "s3cr3t-Tr0ub4dor-9x"
	w := newDirWorld(t, twoFiles)
	w.edit("b.yml", "b: 1\npassword: "+password+"\n")
	w.pass() // waits until it is settled
	for _, f := range formats {
		for _, args := range [][]string{{"git:prod", "live:prod"}, {"live:prod", "git:prod"}} {
			out := w.driftback(exitDifferent, "diff", args[0], args[1], "-o", f)
			require.Contains(t, out, "looks like a credential (assignment at 2:")
			require.NotContains(t, out, password)
		}
	}
	w.write(w.in("b.yml"), "b: 1\npassword: "+password+"\n")
	w.commit("The password is in Git")
	require.Contains(t, w.driftback(exitDifferent, "diff", "git:prod@HEAD~1", "live:prod"), password)
	w.edit("b.yml", "b: 2\npassword: "+password+"\n")
	w.pass()
	require.NotContains(t, w.driftback(exitDifferent, "diff", "git:prod@HEAD~1", "live:prod"), password)
	w.configure(fmt.Sprintf("{root: %q, settle: 50ms}", w.live), "    allow: [file/b.yml]\n")
	require.Contains(t, w.driftback(exitDifferent, "diff", "git:prod@HEAD~1", "live:prod"), password)
}

// everything returns the content of every object in the repository, reachable or not.
func (w *world) everything() string {
	w.t.Helper()
	out := w.git("", "--git-dir", w.bare, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
	var b strings.Builder
	for line := range strings.Lines(out) {
		id, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind != "tree" {
			b.WriteString(w.git("", "--git-dir", w.bare, "cat-file", kind, id))
		}
	}
	return b.String()
}

func TestInputHugeFiles(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	huge := strings.Repeat("x: 1234567\n", 5<<20) // 55 MB
	w.edit("huge.yml", huge)
	require.Contains(t, w.pass(), "huge.yml")
	require.Equal(t, noPulls, w.openPulls())
	require.NoError(t, os.Remove(w.liveFile("huge.yml")))

	w.write(w.in("enormous.yml"), huge)
	w.commit("A mistake")
	out := w.bystander(exitDone)
	require.Contains(t, out, "environments/prod/file/enormous.yml")
	require.NoFileExists(t, w.liveFile("enormous.yml"))
}

func TestInputSymlinks(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	secret := filepath.Join(w.dir, "outside")
	w.write(secret, "out: of bounds\n")
	require.NoError(t, os.Symlink(secret, w.liveFile("link.yml")))
	require.NoError(t, os.Symlink(w.dir, w.liveFile("up")))
	w.pass()
	require.Equal(t, noPulls, w.openPulls(), "a link of the platform is not followed")
	require.NoError(t, os.Symlink("/etc/passwd", w.in("passwd.yml")))
	w.commit("A link")
	out := w.bystander(exitDone)
	require.Contains(t, out, "environments/prod/file/passwd.yml")
	require.NoFileExists(t, w.liveFile("passwd.yml"))
	require.NotContains(t, w.everything(), "out: of bounds")
}

// A tree with a name that no checkout could hold is told and leads nowhere.
func TestInputPathsThatLeaveTheFolder(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	blob := w.git("", "--git-dir", w.bare, "rev-parse", "main:environments/prod/file/a.yml")
	raw, err := os.CreateTemp(w.dir, "tree")
	require.NoError(t, err)
	_, err = fmt.Fprintf(raw, "100644 ..\x00%s", unhex(t, blob))
	require.NoError(t, err)
	require.NoError(t, raw.Close())
	evil := w.git("", "--git-dir", w.bare, "hash-object", "-t", "tree", "-w", "--literally", raw.Name())
	w.deepCommit("environments/prod/file/deep", evil)
	out := w.driftback(exitDone, "run", "--once", "prod")
	require.Contains(t, out, "environments/prod/file/deep")
	require.NoFileExists(t, filepath.Join(w.dir, "deep"))
	files, err := os.ReadDir(w.live)
	require.NoError(t, err)
	require.Len(t, files, 2)
}

// deepCommit puts a tree at a path of main, without a checkout.
func (w *world) deepCommit(path, tree string) {
	w.t.Helper()
	for dir := path; dir != "."; dir = filepath.Dir(dir) {
		parent := filepath.Dir(dir)
		spec := "main^{tree}"
		if parent != "." {
			spec = "main:" + parent
		}
		list := w.git("", "--git-dir", w.bare, "ls-tree", spec)
		var lines []string
		for line := range strings.Lines(list) {
			if line = strings.TrimSuffix(line, "\n"); !strings.HasSuffix(line, "\t"+filepath.Base(dir)) {
				lines = append(lines, line)
			}
		}
		lines = append(lines, "040000 tree "+tree+"\t"+filepath.Base(dir))
		in := filepath.Join(w.dir, "ls-tree")
		w.write(in, strings.Join(lines, "\n")+"\n")
		tree = w.mktree(in)
	}
	commit := w.git("", "--git-dir", w.bare, "commit-tree", "-p", "main", "-m", "Mischief", tree)
	w.git("", "--git-dir", w.bare, "update-ref", "refs/heads/main", commit)
}

// mktree writes the tree that a listing describes.
func (w *world) mktree(listing string) string {
	w.t.Helper()
	in, err := os.Open(listing)
	require.NoError(w.t, err)
	defer in.Close()
	cmd := exec.Command("git", "--git-dir", w.bare, "mktree")
	cmd.Stdin = in
	out, err := cmd.Output()
	require.NoError(w.t, err)
	return strings.TrimSpace(string(out))
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestInputNames(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	names := []string{"caffè 😀.yml", "with space and %41.yml", "Case.yml", "case.yml", "a/b/c/d.yml", "-rf", "$(id).yml"}
	for _, n := range names {
		w.edit(n, "name: "+fmt.Sprintf("%q", n)+"\n")
	}
	long, lines := strings.Repeat("l", 240)+".yml", "new\nline \x1b[31m.yml"
	w.edit(long, "x: 1\n")
	w.edit(lines, "x: 1\n")
	out := w.pass()
	require.Contains(t, out, "llll.yml: a part of the name is longer than 200 bytes")
	require.Contains(t, out, `unknown file/new\nline \x1b[31m.yml: the name has a control character`, "and no name writes to the terminal by itself")
	w.driftback(exitDone, "pulls", "merge", "2")
	w.pass()
	w.fsck()
	w.pull()

	// Every one comes back when it is deleted by hand and the deletion is refused.
	for _, n := range names {
		require.NoError(t, os.Remove(w.liveFile(n)))
	}
	w.pass()
	w.driftback(exitDone, "drift", "revert", "prod")
	w.pass()
	for _, n := range names {
		require.Equal(t, "name: "+fmt.Sprintf("%q", n)+"\n", w.read(w.liveFile(n)))
	}
	require.FileExists(t, w.liveFile(long))
	require.FileExists(t, w.liveFile(lines))
	w.pass()
	w.quiet()
}

// A name that Git's trees take and other systems do not is told, and everything else goes on.
func TestInputBackslashInGit(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	w.write(w.in(`odd\name.yml`), "x: 1\n")
	w.commit("A name that Windows cannot have")
	require.Contains(t, w.bystander(exitDone), `odd\name.yml: the name holds a backslash`)
	w.quiet()
}

// Trusting Git needs no pass before it: it makes the first one itself.
func TestInputTrustGitAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("")
	w.edit("a.yml", "a: live\n")
	w.write(w.in("a.yml"), "a: git\n")
	w.commit("What is right")
	w.driftback(exitDone, "init", "prod", "--trust-git")
	w.pass()
	require.Equal(t, "a: git\n", w.read(w.liveFile("a.yml")))
}

// A draft is merged by whoever says so.
func TestInputDraftMerged(t *testing.T) {
	files := map[string]string{}
	for i := range 12 {
		files[fmt.Sprintf("f%02d.yml", i)] = fmt.Sprintf("f: %d\n", i)
	}
	w := newDirWorld(t, files)
	for name := range files {
		if name != "f00.yml" {
			require.NoError(t, os.Remove(w.liveFile(name)))
		}
	}
	w.pass()
	require.Contains(t, w.openPulls(), "draft")
	w.driftback(exitDone, "pulls", "merge", "2", "--draft")
	require.Empty(t, w.inGit("main", "environments/prod/file/f07.yml"))
}

func TestInputPlanShowsConflicts(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	w.edit("a.yml", "a: live\n")
	w.write(w.in("a.yml"), "a: git\n")
	w.commit("At the same place")
	w.pass()
	require.Contains(t, w.driftback(exitHeld, "plan", "prod", "--exit-code"), "1 conflict for people to decide; driftback drift show prod")
	require.Contains(t, w.driftback(exitHeld, "plan", "prod", "--exit-code", "-o", "json"), `"conflicts": 1`)
}

// Paths in the configuration are relative to its folder, wherever the command is run.
func TestInputRelativeRoot(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	w.configure(`{root: ./live, settle: 50ms}`, "")
	require.Equal(t, "no difference\n", w.driftback(exitDone, "diff", "git:prod", "live:prod"))
	w.configure(`{root: live, settle: 50ms}`, "")
	w.bystander(exitDone)
}

func TestInputDirectoryGone(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	require.NoError(t, os.Rename(w.live, w.live+".away"))
	before := w.git("", "--git-dir", w.bare, "for-each-ref")
	code, _, stderr := w.try("run", "--once", "prod")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, w.live)
	_, passes, _ := w.try("run", "--once", "prod", "-o", "json")
	require.Contains(t, passes, `"environment": "prod"`)
	require.Contains(t, passes, `"error": "environment prod: open directory: `)
	require.Contains(t, passes, `"tookSeconds": 0`)
	require.NotContains(t, passes, `"took"`)
	require.Contains(t, w.driftback(exitDone, "validate", w.work), "2 objects, no problem", "which reads no platform")
	require.Equal(t, before, w.git("", "--git-dir", w.bare, "for-each-ref"), "absence of all is not deletion")
	require.NoError(t, os.Rename(w.live+".away", w.live))
	w.pass()
	w.quiet()
}

func TestInputDirectoryEmptiedAtOnce(t *testing.T) {
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("f%02d.yml", i)] = fmt.Sprintf("f: %d\n", i)
	}
	w := newDirWorld(t, files)
	for name := range files {
		require.NoError(t, os.Remove(w.liveFile(name)))
	}
	w.pass()
	require.Contains(t, w.openPulls(), "draft", "people look first")
	shown := w.driftback(exitDone, "pulls", "show", "2", "-o", "json")
	require.Contains(t, shown, `"guard"`)
	code, _, stderr := w.try("pulls", "merge", "2")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "driftback drift accept prod, or driftback pulls merge 2 --draft")
	require.Equal(t, "f: 7\n", w.inGit("main", "environments/prod/file/f07.yml"))
	w.quiet()
}

func TestInputNarrowedInclude(t *testing.T) {
	w := newDirWorld(t, map[string]string{"a.yml": "a: 1\n", "b.yml": "b: 1\n", "c.txt": "c\n"})
	w.connect(`, include: ["*.yml"]`)
	w.pass()
	require.Equal(t, noPulls, w.openPulls(), "what is not looked at is not deleted")
	require.Equal(t, "c\n", w.read(w.liveFile("c.txt")))
	require.Equal(t, "c\n", w.inGit("main", "environments/prod/file/c.txt"))
	w.edit("c.txt", "changed\n")
	w.bystander(exitDone)
	require.Equal(t, "changed\n", w.read(w.liveFile("c.txt")))
	w.connect("")
	w.pass()
	require.Contains(t, w.openPulls(), "c.txt", "looked at again, it is drift")
}

func TestInputAnotherTenant(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	first := w.live
	w.live = filepath.Join(w.dir, "other")
	w.edit("a.yml", "somebody: else's\n")
	w.connect("")
	out := w.driftback(exitHeld, "run", "--once", "prod")
	require.Contains(t, out, "driftback resume prod")
	require.Equal(t, "somebody: else's\n", w.read(w.liveFile("a.yml")))
	require.Equal(t, noPulls, w.openPulls())
	require.Equal(t, "a: 1\n", w.inGit("live/prod", "file/a.yml"), "history is of one tenant")
	w.live = first
	w.connect("")
	w.driftback(exitDone, "resume", "prod")
	w.pass()
	w.quiet()
}

func TestInputRemoteGone(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	require.NoError(t, os.Rename(w.bare, w.bare+".away"))
	w.edit("a.yml", "a: 2\n")
	code, _, stderr := w.try("run", "--once", "prod")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "config.git")
	require.Equal(t, "a: 2\n", w.read(w.liveFile("a.yml")))
	require.NoError(t, os.Rename(w.bare+".away", w.bare))
	w.pass()
	require.Contains(t, w.openPulls(), "a.yml", "nothing was lost meanwhile")
}

func TestInputRewrittenHistory(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	w.bystander(exitDone)
	w.pull()
	w.git(w.work, "reset", "-q", "--hard", "HEAD~1")
	w.write(w.in("a.yml"), "a: forced\n")
	w.git(w.work, "add", "-A")
	w.git(w.work, "commit", "-q", "-m", "Forced")
	w.git(w.work, "push", "-q", "--force", "origin", "main")
	before := w.read(w.liveFile("b.yml"))
	out := w.driftback(exitHeld, "run", "--once", "prod")
	require.Contains(t, out, "driftback resume prod")
	w.driftback(exitHeld, "run", "--once", "prod")
	require.Equal(t, "a: 1\n", w.read(w.liveFile("a.yml")), "held: nothing is deployed")
	require.Equal(t, before, w.read(w.liveFile("b.yml")))
	w.driftback(exitDone, "resume", "prod")
	w.pass()
	require.Equal(t, "a: forced\n", w.read(w.liveFile("a.yml")))
	w.pass()
	w.quiet()
}

func TestInputStateDeleted(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	w.git("", "--git-dir", w.bare, "update-ref", "-d", "refs/driftback/state/prod")
	w.write(w.in("a.yml"), "a: 2\n")
	w.commit("Two")
	out := w.driftback(exitHeld, "run", "--once", "prod")
	require.Contains(t, out, "driftback init prod --rebuild")
	require.Equal(t, "a: 1\n", w.read(w.liveFile("a.yml")))
	w.driftback(exitDone, "init", "prod", "--rebuild")
	w.pass()
	require.Equal(t, "a: 2\n", w.read(w.liveFile("a.yml")), "base was found again: this is a deployment")
	w.pass()
	w.quiet()
}

func TestInputWrongToken(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	w.write(filepath.Join(w.dir, "token"), "not-the-token-at-all\n")
	code, _, stderr := w.try("run", "--once", "prod")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "authentication refused")
	require.NotContains(t, stderr, "not-the-token")
	code, stdout, _ := w.try("doctor")
	require.Equal(t, exitError, code)
	require.Contains(t, stdout, "fail  repository: ")
	require.Contains(t, stdout, "ok    environment prod: ")
	require.NoError(t, os.Remove(filepath.Join(w.dir, "token")))
	code, _, stderr = w.try("pulls", "list")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "no such file")
}

func TestInputBrokenRulesAndSidecar(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	w.write(filepath.Join(w.work, rulesFile), "ignore:\n  - objects: [file/a.yml\n")
	w.commit("Broken rules")
	before := w.picture()
	code, _, stderr := w.try("run", "--once", "prod")
	require.Equal(t, exitError, code, "without the rules nobody knows what may be touched")
	require.Contains(t, stderr, rulesFile+": 2:14: ")
	require.Equal(t, before, w.picture())
	code, stdout, _ := w.try("validate", w.work)
	require.Equal(t, exitError, code)
	require.Contains(t, stdout, rulesFile+":")
	w.write(filepath.Join(w.work, rulesFile), "ignore: []\n")
	w.write(w.in(".driftback.yaml"), "a: 1\na: 2\n")
	w.commit("A broken sidecar")
	require.Contains(t, w.bystander(exitDone), ".driftback.yaml:")
	code, stdout, _ = w.try("validate", w.work)
	require.Equal(t, exitError, code)
	require.Contains(t, stdout, "environments/prod/file/.driftback.yaml:2:")
}
