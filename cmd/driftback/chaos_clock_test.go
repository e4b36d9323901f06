package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var chaosJumps = flag.Int("jumps", 3, "how often TestChaosClock sets the daemon's clock while it works")

// jumping is what the standard library's clock does in that program: the wall clock is set, the monotonic one is not, as when an
// administrator or a time server sets the clock of a machine.
const jumping = `package time

import (
	"sync"
	"syscall"
)

var jumps struct {
	once sync.Once
	at   []int64 // nanoseconds since the program began
	by   []int64 // seconds
}

// jumped is by how many seconds the clock has been set by then.
func jumped(mono int64) (sec int64) {
	jumps.once.Do(func() {
		s, _ := syscall.Getenv("CHAOS_CLOCK")
		for s != "" {
			var one, at, by string
			one, s = cutAt(s, ',')
			at, by = cutAt(one, '=')
			x, err := ParseDuration(at)
			if err != nil {
				panic(err)
			}
			y, err := ParseDuration(by)
			if err != nil {
				panic(err)
			}
			jumps.at, jumps.by = append(jumps.at, int64(x)), append(jumps.by, int64(y/Second))
		}
	})
	for i, at := range jumps.at {
		if mono >= at {
			sec += jumps.by[i]
		}
	}
	return sec
}

func cutAt(s string, sep byte) (before, after string) {
	for i := range len(s) {
		if s[i] == sep {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
`

// buildJumping builds the program with a standard library whose clock is set as CHAOS_CLOCK says.
func buildJumping(t *testing.T) string {
	t.Helper()
	const before = "\tmono -= startNano\n\tsec += unixToInternal - minWall\n"
	dir := t.TempDir()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	clock, err := os.ReadFile(filepath.Join(std, "time.go"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(clock), before), "this version of Go reads its clock in another way")
	set := strings.Replace(string(clock), before, "\tmono -= startNano\n\tsec += jumped(mono)\n\tsec += unixToInternal - minWall\n", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "time.go"), []byte(set), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jump.go"), []byte(jumping), 0o600))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(std, "time.go"): filepath.Join(dir, "time.go"),
		filepath.Join(std, "jump.go"): filepath.Join(dir, "jump.go"),
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	out := filepath.Join(dir, "driftback-with-a-clock-that-jumps")
	b, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, ".").CombinedOutput()
	require.NoError(t, err, "%s", b)
	return out
}

// The real daemon works while its clock is set forth and back, by seconds and by days: what people change comes back, what they
// merge is deployed, nothing is done twice, and the next daemon, whose clock is right, goes on.
func TestChaosClock(t *testing.T) {
	s := seed(t)
	w := newChaosWorld(t, s)
	const each = 4 * time.Second
	var jumps []string
	for i := range *chaosJumps {
		by := time.Duration(1+w.random.IntN(1<<[]int{3, 8, 12, 17}[w.random.IntN(4)])) * time.Second // up to a day and a half
		if w.random.IntN(2) == 0 {
			by = -by
		}
		jumps = append(jumps, fmt.Sprintf("%s=%s", time.Duration(i+2)*each, by))
	}
	r := w.route("jumping", s)
	p := newProcess(t, r.conf)
	p.program, p.env = buildJumping(t), []string{"CHAOS_CLOCK=" + strings.Join(jumps, ",")}
	p.start()
	began := time.Now()
	for time.Since(began) < time.Duration(*chaosJumps+3)*each {
		w.handEdit()
		w.proposed()
		w.deployed("rules/git.yml", w.gitEdit())
	}
	require.True(t, p.running(), "it goes on")
	p.end()
	p.program, p.env = "driftback", nil
	p.start()
	w.handEdit()
	w.proposed()
	w.deployed("rules/git.yml", w.gitEdit())
	p.end()
	w.unclaimed()
	w.recorded()
	w.clean()
	w.quiet()
	t.Logf("%d times the clock was set, %s; %d hand edits came back and were merged", *chaosJumps, strings.Join(jumps, ","), len(w.edits))
}
