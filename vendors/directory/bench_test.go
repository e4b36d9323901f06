//go:build unix

package directory_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
	"github.com/driftback/driftback/vendors/resource"
)

// fill makes a tree of n small files, half of them in one folder, all changed long enough ago.
func fill(b *testing.B, n int) string {
	b.Helper()
	root := b.TempDir()
	for i := range n {
		name := fmt.Sprintf("one/f%d.yml", i)
		if i%2 == 0 {
			name = fmt.Sprintf("d%d/f%d.yml", i/200, i)
		}
		p := filepath.Join(root, name)
		if i < 2 || i%200 == 0 {
			require.NoError(b, os.MkdirAll(filepath.Dir(p), 0o755))
		}
		require.NoError(b, os.WriteFile(p, fmt.Appendf(nil, "groups:\n- name: g%d\n  rules: []\n", i), 0o644))
	}
	return root
}

func open(b *testing.B, root string) vendors.Driver {
	b.Helper()
	var none directory.Duration
	d, err := directory.New(b.Context(), directory.Config{Root: root, Settle: &none})
	require.NoError(b, err)
	b.Cleanup(func() { _ = d.Close() })
	return d
}

func list(b *testing.B, d vendors.Driver, known *resource.Snapshot) *resource.Snapshot {
	b.Helper()
	s, err := d.Observe(b.Context(), vendors.Request{Known: known})
	require.NoError(b, err)
	return s
}

// walk is the reference: readdir and lstat of everything.
func walk(b *testing.B, root string) {
	b.Helper()
	require.NoError(b, filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err == nil {
			_, err = e.Info()
		}
		return err
	}))
}

// cpu is the processor time that this process has had: on a machine that others use, too, it tells more than the clock.
func cpu() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reference times a walk with lstat of the same tree.
func reference(b *testing.B, root string) float64 {
	b.Helper()
	begun, n := cpu(), 0
	for ; n < 3 || cpu()-begun < 300*time.Millisecond; n++ {
		walk(b, root)
	}
	return float64(cpu()-begun) / float64(n)
}

// BenchmarkObserve lists a tree in which nothing changed. ratio is the processor's time to that of a walk with lstat of the
// same tree, cold-ms is the first listing, which reads every file.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			root := fill(b, n)
			d := open(b, root)
			time.Sleep(2100 * time.Millisecond) // until the file system's clock tells every later change
			begun := time.Now()
			known := list(b, d, nil)
			cold := time.Since(begun)
			before := cpu()
			for b.Loop() {
				list(b, d, known)
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N)/reference(b, root), "ratio")
			b.ReportMetric(float64(cold.Milliseconds()), "cold-ms")
		})
	}
}

// BenchmarkBurst lists a tree of 10,000 files after all of them were edited at once.
func BenchmarkBurst(b *testing.B) {
	const n = 10_000
	root := fill(b, n)
	d := open(b, root)
	known := list(b, d, nil)
	round, spent := 0, time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		round++
		require.NoError(b, filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			return os.WriteFile(p, fmt.Appendf(nil, "edited %d\n", round), 0o644)
		}))
		b.StartTimer()
		before := cpu()
		s := list(b, d, known)
		spent += cpu() - before
		changed := 0
		for e := range s.Entries() {
			if known.Hash(e.Key) != e.Hash {
				changed++
			}
		}
		require.Equal(b, n, changed, "edits were missed")
		known = s
	}
	b.ReportMetric(float64(spent)/float64(b.N)/reference(b, root), "ratio")
}
