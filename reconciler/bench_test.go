package reconciler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// sizes are the numbers of objects; the largest only where DRIFTBACK_BENCH_FILES asks for it.
func sizes() []int {
	out := []int{1000, 10_000}
	if n, err := strconv.Atoi(os.Getenv("DRIFTBACK_BENCH_FILES")); err == nil && n > 10_000 {
		out = append(out, n)
	}
	return out
}

// crowd is an adopted environment of n queues.
func crowd(b *testing.B, n int) *loop {
	l := &loop{TB: b, now: morning, remote: gitstore.NewMemoryRemote()}
	l.fill(n)
	l.watch = &counted{Remote: l.remote}
	l.adopt()
	return l
}

// crowdOnDisk is a crowd with a repository on disk.
func crowdOnDisk(b *testing.B, n int) *loop {
	l := &loop{TB: b, now: morning, url: b.TempDir(), cache: kept{}}
	require.NoError(b, exec.Command("git", "init", "-q", "--bare", "-b", "main", l.url).Run())
	l.fill(n)
	l.adopt()
	return l
}

// adopt brings the environment to rest.
func (l *loop) adopt() {
	l.restart()
	l.pass()
	l.pass()
}

// fill makes n queues on the platform and in Git.
func (l *loop) fill(n int) {
	l.platform = mem.New(mem.Options{Now: l.Now, IDs: true, Kinds: kinds, Page: 500})
	l.git = l.open()
	var err error
	l.forge, err = local.Open(l.git, local.Options{Now: l.Now, User: "ann <ann@example.invalid>"})
	require.NoError(l, err)
	e := gitstore.Edit{}
	for i := range n {
		name := fmt.Sprintf("Queue %06d", i)
		s := big(i, 0)
		require.NoError(l, l.platform.Put(key(name), s, "bob"))
		e[path(name)] = []byte(yaml(s))
	}
	_, err = l.git.Commit(ctx, mainRef, gitstore.ID{}, e, gitstore.Signature{Name: "ann"}, "begin")
	require.NoError(l, err)
	target := vendors.NewTarget(l.platform.Driver(), vendors.TargetOptions{Clock: l})
	l.env = reconciler.Environment{Name: "prod", Platform: &watched{Target: target}, Mode: reconciler.Sync}
}

// watched is a platform that tells observations from the rest of a pass: it takes the CPU time that they
// need, or leaves them out by answering with the last one and what was applied since.
type watched struct {
	*vendors.Target
	still bool // observe nothing
	last  *resource.Snapshot
	spent time.Duration // CPU time of observations
}

func (w *watched) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	if w.still && w.last != nil {
		return w.last, nil
	}
	begun := cpu()
	s, err := w.Target.Observe(ctx, r)
	w.spent += cpu() - begun
	w.last = s
	return s, err
}

func (w *watched) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	got, err := w.Target.Apply(ctx, c)
	if err == nil && c.After != nil {
		w.last = w.last.With(resource.Overlay{got.Key: &got})
	}
	return got, err
}

// cpu is the CPU time of this process so far, the collector's included.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

func big(i, rev int) resource.Spec {
	s := resource.Spec{"name": fmt.Sprint("v", i), "revision": fmt.Sprint("v", rev)}
	for f := range 18 {
		s[fmt.Sprint("field", f)] = fmt.Sprintf("v%d of a value that is about as long as they are", i*f)
	}
	return s
}

// BenchmarkPassNothingNew is a whole pass over an environment at rest; x-observing is its CPU time
// against that of the observation in it.
func BenchmarkPassNothingNew(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := crowd(b, n)
			w := l.env.Platform.(*watched)
			runtime.GC()
			w.spent = 0
			begun := cpu()
			for b.Loop() {
				l.pass()
			}
			whole := cpu() - begun
			b.ReportMetric(float64(whole)/float64(w.spent), "x-observing")
			b.ReportMetric(float64(whole-w.spent)/1e6/float64(b.N), "cpu-ms-rest/op")
		})
	}
}

// BenchmarkOneChange is a pass that deploys one merged change, the observation and the remote's own
// work left out, and the collector too: most of what it would mark here is the platform's. Medians of CPU time; x-smallest is that against the same among the fewest objects.
func BenchmarkOneChange(b *testing.B) {
	var smallest time.Duration
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := crowd(b, n)
			l.env.Platform.(*watched).still = true
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			var took []time.Duration
			rev := 0
			for b.Loop() {
				b.StopTimer()
				if rev++; rev%8 == 0 {
					runtime.GC()
				}
				l.edit(mainRef, gitstore.Edit{path(fmt.Sprintf("Queue %06d", rev%n)): []byte(yaml(big(rev%n, rev)))})
				b.StartTimer()
				begun, theirs := cpu(), l.watch.spent
				l.pass()
				took = append(took, cpu()-begun-(l.watch.spent-theirs))
				require.Len(b, l.last.Deployments, 1)
			}
			m := median(took)
			if smallest == 0 {
				smallest = m
			}
			b.ReportMetric(float64(m)/1e6, "cpu-ms/op")
			b.ReportMetric(float64(m)/float64(smallest), "x-smallest")
		})
	}
}

// BenchmarkColdStart is the first pass of a process with what was parsed kept, without the observation, on
// a repository on disk; x-ls-tree is its CPU time against git's listing of the three trees.
func BenchmarkColdStart(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := crowdOnDisk(b, n)
			require.NoError(b, l.r.Close(ctx))
			require.NoError(b, exec.Command("git", "-C", l.url, "gc", "-q").Run())
			l.env.Platform.(*watched).still = true
			var ours, native []time.Duration
			for b.Loop() {
				begun := cpu()
				l.restart()
				l.pass()
				ours = append(ours, cpu()-begun)
				var listing time.Duration
				for _, ref := range []string{mainRef, liveRef, stateRef} {
					git := exec.Command("git", "-C", l.url, "ls-tree", "-r", ref)
					require.NoError(b, git.Run())
					listing += git.ProcessState.UserTime() + git.ProcessState.SystemTime()
				}
				native = append(native, listing)
			}
			b.ReportMetric(float64(median(ours))/1e6, "cpu-ms/op")
			b.ReportMetric(float64(median(ours))/float64(median(native)), "x-ls-tree")
		})
	}
}

// kept is a Cache in memory.
type kept map[string][]byte

func (k kept) Load(name string) []byte { return k[name] }

func (k kept) Save(name string, b []byte) error {
	k[name] = b
	return nil
}

// BenchmarkResidentObject tells the live heap per object that a reconciler at rest keeps, platform excluded.
// x-raw is that against the object as JSON.
func BenchmarkResidentObject(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := crowdOnDisk(b, n)
			l.restart() // what the adoption itself left behind is not at rest
			l.pass()
			raw, err := json.Marshal(big(1, 0))
			require.NoError(b, err)
			l.git, l.forge, l.last, l.env.Platform.(*watched).last = nil, nil, reconciler.Report{}, nil
			full := heap()
			l.r, l.env.Platform = nil, nil
			freed := full - heap()
			for b.Loop() {
			}
			b.ReportMetric(float64(freed)/float64(n), "B/object")
			b.ReportMetric(float64(freed)/float64(n)/float64(len(raw)), "x-raw")
			runtime.KeepAlive(l)
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
