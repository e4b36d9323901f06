// Package loop is the simulation of the loop alone: one environment without references, fair weather but for failing and lost
// requests. It is narrower than the package above it, and every history of it must keep its promises.
package loop

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

var (
	histories = flag.Int("histories", 200, "how many random histories to run")
	from      = flag.Uint64("from", 1, "the first seed")
	noShrink  = flag.Bool("raw", false, "with -seed: print the whole story instead of the shrunk one")
	seed      = flag.Uint64("seed", 0, "run this seed alone, shrink it if it fails, and print its trace")
)

// TestMain lets garbage lie: histories are short, and all that they leave goes at once.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// plainPlatform is the platform without weather.
type plainPlatform struct{ vendors.Driver }

func (plainPlatform) Activator() (vendors.Activator, bool) { return nil, false }
func (plainPlatform) Runner() (vendors.Runner, bool)       { return nil, false }
func (plainPlatform) Watcher() (vendors.Watcher, bool)     { return nil, false }
func (plainPlatform) Settler() (vendors.Settler, bool)     { return nil, false }
func (plainPlatform) Auditor() (vendors.Auditor, bool)     { return nil, false }

// run makes one history, and then waits for peace.
func run(t *tape, keep bool) *world {
	w := newWorld(t, keep)
	w.begin()
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

// peace ends faults and edits. People answer what they are asked until nothing is open,
// and then ten more minutes of passes must change nothing.
func (w *world) peace() {
	w.quiet = true
	w.logf("--- peace")
	settled := false
	for round := 0; round < 20 && w.failure == nil && !settled; round++ {
		w.pass(4 * 60)
		settled = !w.answer() && w.unsettled() == ""
		w.refs()
	}
	if w.failure != nil {
		return
	}
	if why := w.unsettled(); why != "" {
		w.fail("converged", "after long peace %s", why)
		return
	}
	refs, counts := w.refs(), w.platform.Counts()
	w.pass(10 * 60)
	for ref, id := range w.refs() {
		if refs[ref] != id {
			w.fail("9 quiet when nothing happens", "%s moved from %.7s to %.7s", ref, refs[ref], id)
		}
	}
	if now := w.platform.Counts(); now.Writes != counts.Writes {
		w.fail("9 quiet when nothing happens", "%d writes to the platform", now.Writes-counts.Writes)
	}
}

func (w *world) pass(seconds int) {
	for end := w.now.Unix() + int64(seconds); w.now.Unix() < end && w.failure == nil; {
		w.step()
	}
}

// answer lets people decide what is open; it reports whether anything was.
func (w *world) answer() bool {
	if w.resume() {
		return true
	}
	pulls, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	must(err)
	for _, p := range pulls {
		if !w.merge(p) {
			_, err := w.forge.Close(ctx, p.Number)
			must(err)
		}
	}
	if len(pulls) > 0 {
		return true
	}
	return w.unsilence()
}

// unsilence asks for Git's value where a closed pull request left drift behind.
func (w *world) unsilence() bool {
	r := w.operator()
	seen, err := r.Look(ctx, envName)
	if err != nil {
		return false
	}
	keys := map[resource.Key]resource.Hash{}
	for _, it := range seen.Items {
		if it.Verdict == reconciler.Record || it.Verdict == reconciler.Conflict {
			keys[it.Key] = it.Live
		}
	}
	if len(keys) == 0 {
		return w.trustGit(r, seen) || w.tryAgain(r, seen)
	}
	must(r.File(ctx, envName, reconciler.Request{Do: reconciler.DoRevert, Keys: keys, By: "ann"}))
	w.check.asked = append(w.check.asked, w.now)
	w.logf("ann: asks to revert what is left: %v", sortedKeys(keys))
	return true
}

// trustGit answers a first import that was rejected.
func (w *world) trustGit(r *reconciler.Reconciler, seen reconciler.Report) bool {
	tip := w.refs()[stateRef]
	f, ok, err := w.store.File(tip, "seen.json")
	must(err)
	b, err := w.store.Blob(f.ID, 0)
	must(err)
	if !ok || strings.Contains(string(b), `"adopted": true`) || len(seen.Held) == 0 {
		return false
	}
	must(r.File(ctx, envName, reconciler.Request{Do: reconciler.DoTrustGit, By: "ann"}))
	w.check.asked = append(w.check.asked, w.now)
	w.logf("ann: says that Git is right")
	return true
}

// tryAgain resumes after deployments that failed for too long.
func (w *world) tryAgain(r *reconciler.Reconciler, seen reconciler.Report) bool {
	held := slices.ContainsFunc(seen.Held, func(t reconciler.Trouble) bool { return strings.Contains(t.Reason, "failed in deployment") })
	if held {
		must(r.File(ctx, envName, reconciler.Request{Do: reconciler.DoResume, By: "ann"}))
		w.logf("ann: has it tried again")
	}
	return held
}

// unsettled says in what the three sides do not agree; empty when they do.
func (w *world) unsettled() string {
	refs := w.refs()
	live := map[resource.Key]string{}
	for k, s := range w.platform.State() {
		live[k] = resource.Text(s)
	}
	for _, side := range []struct {
		name string
		tree map[resource.Key]string
	}{
		{"Git", w.tree(refs[mainRef], "environments/"+envName)},
		{"the live branch", w.tree(refs[liveRef], "")},
		{"base", w.tree(refs[stateRef], "base")},
	} {
		if !maps.Equal(side.tree, live) {
			return fmt.Sprintf("%s says %v and the platform %v", side.name, side.tree, live)
		}
	}
	if _, _, phase, _ := w.check.claim(); phase != "" {
		return "a deployment is still open"
	}
	pulls, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	must(err)
	if len(pulls) > 0 {
		return fmt.Sprintf("pull request #%d is still open", pulls[0].Number)
	}
	return ""
}

// TestHistories runs random histories and fails with the seed and the shrunk tape of the first that breaks a promise.
func TestHistories(t *testing.T) {
	if *seed != 0 {
		tell(t, *seed)
		return
	}
	seeds := make(chan uint64)
	var mu sync.Mutex
	stat, broken := map[string]int{}, map[uint64]error{}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for s := range seeds {
				w := run(newTape(s), false)
				mu.Lock()
				for k, n := range w.stat {
					stat[k] += n
				}
				if w.failure != nil {
					broken[s] = w.failure
				}
				mu.Unlock()
			}
		})
	}
	for i := range *histories {
		seeds <- *from + uint64(i)
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d histories: %v", *histories, stat)
	for _, s := range slices.Sorted(maps.Keys(broken)) {
		t.Errorf("seed %d: %v\n  reproduce: go test ./reconciler/simulation/loop -run TestHistories -seed %d", s, broken[s], s)
	}
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
	paths, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	for _, p := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(p), ".json"), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(p)
			require.NoError(t, err)
			var in []uint16
			require.NoError(t, json.Unmarshal(b, &in))
			w := run(replay(in), testing.Verbose())
			require.NoError(t, w.failure, strings.Join(w.trace, "\n"))
		})
	}
}

// TestDeterminism: a seed tells the same story twice, else its failures could not be looked into.
func TestDeterminism(t *testing.T) {
	for s := range uint64(20) {
		require.Equal(t, run(newTape(s+1), false).hash, run(newTape(s+1), false).hash, "seed %d", s+1)
	}
}
