// Package simulation runs the reconciler whole, in virtual time, through random histories of people, platforms, servers and
// crashes, and checks the promises from outside. Package loop below it does so in a narrower world.
package simulation

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	histories = flag.Int("histories", 200, "how many random histories to run")
	from      = flag.Uint64("from", 1, "the first seed")
	equal     = flag.Int("equal", 20, "how many seeds must tell the same story twice")
	first     = flag.Bool("first", false, "stop at the first history that breaks a promise, and tell which one it was: see mutants/")
	noShrink  = flag.Bool("raw", false, "with -seed: print the whole story instead of the shrunk one")
	seed      = flag.Uint64("seed", 0, "run this seed alone, shrink it if it fails, and print its trace")
)

// TestMain lets garbage lie: histories are short, and all that they leave goes at once.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// mustReach is what some of a few thousand histories come to: every row of the decision table, every rule of base, every kind of
// fault, and the moves.
var mustReach = []string{
	"row: conflict", "row: conflict, changed in Git and deleted live", "row: conflict, deleted in Git and changed live", "row: deploy",
	"row: deploy a deletion", "row: deploy a rename", "row: deploy, only Git (create)", "row: enforce what Git says", "row: enforce what base says",
	"row: merge by field", "row: record", "row: record, no base and both differ", "row: record, only live (adoption)",
	"rule 1: both sides agree", "rule 1: written, or undone", "rule 2: after a merge by field base is want",
	"rule 3: the pull request was merged", "rule 4: Git caught up with live", "rule 5: reverted by closing", "rule 5: reverted by request",
	"crashes", "deployments undone", "disk full", "faults", "late landings", "late pushes", "lost answers", "pauses", "states rebuilt",
	"merged by merge", "merged by rebase", "merged by squash",
	"move: accept and revert at once", "move: broken file in Git", "move: broken value in Git", "move: change in Git", "move: change of a shared file",
	"move: close", "move: copy live to Git by hand", "move: create by hand", "move: delete by hand", "move: edit by hand", "move: edit of a pull request",
	"move: force-push", "move: foreign commit on live", "move: foreign commit on state", "move: hand back what Git says", "move: merge", "move: outage",
	"move: permission lost", "move: removal in Git", "move: rename by hand", "move: rename in Git", "move: request to accept", "move: request to revert",
	"move: restart", "move: resume", "move: revert of a commit", "move: rules", "move: scope", "move: secret typed", "move: state ref lost", "move: suspend",
	"move: twin", "move: unrelated commit", "move: another version", "move: command in a comment", "move: developer's next commit",
	"move: developer's pull request", "move: developer's rebase", "move: fight", "reverts pushed",
	"activations", "deployments in windows", "move: activation by hand", "move: change in memory",
	"move: forge refuses all", "move: main is protected", "forge refusals", "merges left for a reviewer",
}

// run makes one history, and then waits for peace.
func run(t *tape, keep bool) *world {
	w := newWorld(t, keep)
	w.begin()
	w.refs()
	for i := range w.p.Daemons {
		w.start(string(rune('A' + i)))
	}
	for i := 0; i < w.p.Steps && w.failure == nil; i++ {
		if t.flip(w.p.Human) {
			w.human()
		}
		w.step()
	}
	w.peace()
	for _, tk := range w.tasks {
		tk.stop()
	}
	return w
}

// TestHistories runs random histories and fails with the seed and the shrunk tape of the first that breaks a promise.
func TestHistories(t *testing.T) {
	if *seed != 0 {
		tell(t, *seed)
		return
	}
	seeds := make(chan uint64)
	var mu sync.Mutex
	stat, broken, told, over := map[string]int{}, map[uint64]error{}, 0, false
	done := func() bool { mu.Lock(); defer mu.Unlock(); return over }
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for s := range seeds {
				w := attempt(s)
				mu.Lock()
				over = over || *first && w.failure != nil
				for k, n := range w.stat {
					stat[k] += n
				}
				if w.failure != nil {
					broken[s] = w.failure
					t.Logf("seed %d: %v", s, w.failure)
				}
				if told++; told%5000 == 0 {
					t.Logf("%d of %d histories, %d complaints", told, *histories, len(broken))
				}
				mu.Unlock()
			}
		})
	}
	for i := 0; i < *histories && !done(); i++ {
		seeds <- *from + uint64(i)
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d histories from seed %d: %v", *histories, *from, stat)
	if *first {
		if all := slices.Sorted(maps.Keys(broken)); len(all) > 0 { // every seed before it has run to its end
			t.Fatalf("caught by history %d: %v", all[0]-*from+1, broken[all[0]])
		}
		return
	}
	if *histories >= 2000 {
		for _, what := range mustReach {
			require.NotZero(t, stat[what], "no history reached %q: what they do not do, they do not prove", what)
		}
	}
	for _, s := range slices.Sorted(maps.Keys(broken)) {
		t.Errorf("seed %d: %v\n  reproduce: go test ./reconciler/simulation -run TestHistories -seed %d", s, broken[s], s)
	}
}

// attempt runs one seed. With -first, a program that panics has broken a promise too.
func attempt(seed uint64) (w *world) {
	if *first {
		defer func() {
			if r := recover(); r != nil {
				w = &world{failure: fmt.Errorf("it panics: %v", r)}
			}
		}()
	}
	return run(newTape(seed), false)
}

// tell runs one seed, and shrinks and prints its story if it fails.
func tell(t *testing.T, s uint64) {
	tp := newTape(s)
	w := run(tp, true)
	if w.failure == nil {
		t.Logf("seed %d keeps all promises", s)
		return
	}
	promise := promiseOf(w.failure)
	if *noShrink {
		t.Fatalf("seed %d: %v\n%s", s, w.failure, strings.Join(w.trace, "\n"))
	}
	small := shrink(tp.used, 800, func(in []uint16) ([]uint16, bool) {
		r := replay(in)
		v := run(r, false)
		return r.used, v.failure != nil && promiseOf(v.failure) == promise
	})
	w = run(replay(small), true)
	b, err := json.Marshal(small)
	require.NoError(t, err)
	t.Fatalf("seed %d: %v\n%s\ntape: %s", s, w.failure, strings.Join(w.trace, "\n"), b)
}

func promiseOf(err error) string {
	name, _, _ := strings.Cut(err.Error(), ":")
	return name
}

// TestTapes replays the histories that once broke a promise.
func TestTapes(t *testing.T) {
	paths, err := filepath.Glob("testdata/*/*.json")
	require.NoError(t, err)
	for _, p := range paths {
		of, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		require.NoError(t, err)
		t.Run(strings.TrimSuffix(filepath.Base(p), ".json"), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(p)
			require.NoError(t, err)
			var in []uint16
			require.NoError(t, json.Unmarshal(b, &in))
			tp := replay(in)
			tp.generation = of
			w := run(tp, testing.Verbose())
			require.NoError(t, w.failure, strings.Join(w.trace, "\n"))
		})
	}
}

// TestDeterminism: a seed tells the same story twice, else its failures could not be looked into.
func TestDeterminism(t *testing.T) {
	for s := range uint64(*equal) {
		require.Equal(t, run(newTape(s+1), false).hash, run(newTape(s+1), false).hash, "seed %d", s+1)
	}
}
