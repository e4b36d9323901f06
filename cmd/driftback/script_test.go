package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain lets the stories run the program by its name, and fails when a goroutine outlives the tests.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"driftback": main})
}

// leakChecked are tests whose goroutines must have ended when they have.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// The stories in testdata/script. Those that begin with "readme" run the README's
// commands as they stand there.
func TestScripts(t *testing.T) {
	t.Parallel()
	tool(t, "git")
	tool(t, "make")
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir: root + "/testdata/script",
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN", "GOROOT"} {
				out, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return err
				}
				e.Setenv(name, strings.TrimSpace(string(out)))
			}
			e.Setenv("SOURCE", root)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".cache"))
			for _, who := range []string{"AUTHOR", "COMMITTER"} {
				e.Setenv("GIT_"+who+"_NAME", "Ann Lee")
				e.Setenv("GIT_"+who+"_EMAIL", "ann@example.org")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"world":   makeWorld,
			"readme":  readmeCommands,
			"told":    told,
			"publish": publish,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

var block = regexp.MustCompile("(?sm)^```(sh|text)\n(.*?)^```$")

// readmeCommands writes what the README's section of this title tells people to type to
// section.sh, and what it says they will see to section.txt. The section reaches to the
// next heading of its level.
func readmeCommands(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: readme TITLE")
	}
	b, err := os.ReadFile(filepath.Join(ts.Getenv("SOURCE"), "README.md"))
	ts.Check(err)
	_, section, ok := strings.Cut(string(b), "\n## "+args[0]+"\n")
	if !ok {
		ts.Fatalf("the README has no section %s", args[0])
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var commands, seen strings.Builder
	for _, m := range block.FindAllStringSubmatch(section, -1) {
		if m[1] == "sh" {
			commands.WriteString(m[2])
		} else {
			seen.WriteString(m[2])
		}
	}
	if commands.Len() == 0 || seen.Len() == 0 {
		ts.Fatalf("section %s has nothing to type or nothing to see", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs("section.sh"), []byte(commands.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("section.txt"), []byte(seen.String()), 0o600))
}

// told checks that standard output has every line of section.txt, in this order.
func told(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: told")
	}
	out := strings.Split(ts.ReadFile("stdout"), "\n")
	for line := range strings.Lines(ts.ReadFile("section.txt")) {
		line = strings.TrimSuffix(line, "\n")
		i := 0
		for i < len(out) && out[i] != line {
			i++
		}
		if i == len(out) {
			ts.Fatalf("the README says that this is shown next, and it is not: %q", line)
		}
		out = out[i+1:]
	}
}

// makeWorld makes config.git with a first commit and clone, a clone of it.
func makeWorld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: world")
	}
	for _, args := range [][]string{
		{"init", "-q", "--bare", "-b", "main", "config.git"},
		{"-c", "init.defaultBranch=main", "clone", "-q", "config.git", "clone"},
		{"-C", "clone", "commit", "-q", "--allow-empty", "-m", "First commit"},
		{"-C", "clone", "push", "-q", "origin", "HEAD:main"},
	} {
		ts.Check(ts.Exec("git", args...))
	}
}

// publish makes a Git repository of the sources as they are on disk, as a fresh
// clone of them would have it: tracked files and new ones that are not ignored.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: publish DIRECTORY")
	}
	source, dir := ts.Getenv("SOURCE"), ts.MkAbs(args[0])
	list, err := exec.Command("git", "-c", "safe.directory=*", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	ts.Check(err)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(source, name))
		if os.IsNotExist(err) {
			continue // deleted and not yet committed
		}
		ts.Check(err)
		b, err := os.ReadFile(filepath.Join(source, name))
		ts.Check(err)
		ts.Check(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		ts.Check(os.WriteFile(filepath.Join(dir, name), b, info.Mode()))
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "Sources"}} {
		ts.Check(ts.Exec("git", append([]string{"-C", dir}, args...)...))
	}
}
