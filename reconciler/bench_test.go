package reconciler_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

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
	l.platform = mem.New(mem.Options{Now: l.Now, IDs: true, Kinds: kinds, Page: 500})
	l.git = l.open()
	var err error
	l.forge, err = local.Open(l.git, local.Options{Now: l.Now, User: "ann <ann@example.invalid>"})
	require.NoError(b, err)
	e := gitstore.Edit{}
	for i := range n {
		name := fmt.Sprintf("Queue %06d", i)
		s := big(i, 0)
		require.NoError(b, l.platform.Put(key(name), s, "bob"))
		e[path(name)] = []byte(yaml(s))
	}
	_, err = l.git.Commit(ctx, mainRef, gitstore.ID{}, e, gitstore.Signature{Name: "ann"}, "begin")
	require.NoError(b, err)
	l.env = reconciler.Environment{Name: "prod", Platform: vendors.NewTarget(l.platform.Driver(), vendors.TargetOptions{Clock: l}), Mode: reconciler.Sync}
	l.restart()
	l.pass()
	l.pass()
	return l
}

func big(i, rev int) resource.Spec {
	s := resource.Spec{"name": fmt.Sprint("v", i), "revision": fmt.Sprint("v", rev)}
	for f := range 18 {
		s[fmt.Sprint("field", f)] = fmt.Sprintf("v%d of a value that is about as long as they are", i*f)
	}
	return s
}

// BenchmarkPassNothingNew is a whole pass over an environment at rest.
func BenchmarkPassNothingNew(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := crowd(b, n)
			for b.Loop() {
				l.pass()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/object")
		})
	}
}

// BenchmarkOneChange is a whole pass that deploys one merged change; the observation is part of it.
func BenchmarkOneChange(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := crowd(b, n)
			rev := 0
			for b.Loop() {
				b.StopTimer()
				rev++
				l.edit(mainRef, gitstore.Edit{path(fmt.Sprintf("Queue %06d", rev%n)): []byte(yaml(big(rev%n, rev)))})
				b.StartTimer()
				l.pass()
				require.Len(b, l.last.Deployments, 1)
			}
		})
	}
}

// BenchmarkResidentObject tells the live heap per object that a reconciler at rest keeps, platform excluded.
func BenchmarkResidentObject(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := crowd(b, n)
			raw := len(yaml(big(1, 0)))
			full := heap()
			l.r = nil
			freed := full - heap()
			for b.Loop() {
			}
			b.ReportMetric(float64(freed)/float64(n), "B/object")
			b.ReportMetric(float64(freed)/float64(n)/float64(raw), "x-raw")
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
