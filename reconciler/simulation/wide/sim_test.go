package wide

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	histories = flag.Int("histories", 120, "how many random histories to run")
	from      = flag.Uint64("from", 1, "the first seed")
	noShrink  = flag.Bool("raw", false, "with -seed: print the whole story instead of the shrunk one")
	seed      = flag.Uint64("seed", 0, "run this seed alone, shrink it if it fails, and print its trace")
)

// TestMain lets garbage lie: histories are short, and all that they leave goes at once.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
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
		t.Errorf("seed %d: %v\n  reproduce: go test ./reconciler/simulation/wide -run TestHistories -seed %d", s, broken[s], s)
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
