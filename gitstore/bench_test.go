//go:build unix

package gitstore

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The benchmarks do each thing twice, here and with native git, and report both and the ratio. CPU is user and
// system time of this process and of those it started, in milliseconds; it includes the server where there is one. Repositories
// have 1,000 and 10,000 files, half of them in one folder; DRIFTBACK_BENCH_FILES=100000 adds larger ones.

func sizes(b *testing.B) []int {
	b.Helper()
	out := []int{1000, 10_000}
	if s := os.Getenv("DRIFTBACK_BENCH_FILES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(b, err)
		if n > 10_000 {
			out = append(out, n)
		}
	}
	return out
}

// A cost is what something took. own is the part of cpu that this process took.
type cost struct{ cpu, own, wall time.Duration }

func (c *cost) add(d cost) { c.cpu, c.own, c.wall = c.cpu+d.cpu, c.own+d.own, c.wall+d.wall }

// measure runs f.
func measure(f func()) cost {
	cpu := func(who int) time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return 0
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	own, others, t := cpu(syscall.RUSAGE_SELF), cpu(syscall.RUSAGE_CHILDREN), time.Now()
	f()
	own = cpu(syscall.RUSAGE_SELF) - own
	return cost{own + cpu(syscall.RUSAGE_CHILDREN) - others, own, time.Since(t)}
}

// report writes ours, native and the ratio.
func report(b *testing.B, ours, native cost) {
	b.Helper()
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(ours.cpu), "cpu-ms")
	b.ReportMetric(per(native.cpu), "native-cpu-ms")
	b.ReportMetric(float64(ours.cpu)/float64(native.cpu), "cpu-x-native")
	b.ReportMetric(per(ours.wall), "wall-ms")
	b.ReportMetric(per(native.wall), "native-wall-ms")
	b.ReportMetric(float64(ours.wall)/float64(native.wall), "wall-x-native")
}

// benchPath names file i of n: half of them share a folder.
func benchPath(i int) string {
	if i%2 == 0 {
		return fmt.Sprintf("environments/prod/queue/queue-%06d.yaml", i)
	}
	return fmt.Sprintf("environments/prod/user/%02x/user-%06d.yaml", i/2%256, i)
}

func benchContent(i, version int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "name: queue-%06d\nversion: %d\n", i, version)
	for k := range 20 {
		fmt.Fprintf(&b, "setting%02d: value %d of object %d\n", k, k*i%97, i)
	}
	return b.Bytes()
}

// A bench is a repository of n files, a mirror of it in a Store and a native clone.
type bench struct {
	n            int
	bare, native string
	url          string
	sent         atomic.Int64 // bytes of pushes
	store        *Store
	head         ID
	version      int
}

func newBench(b *testing.B, n int) *bench {
	b.Helper()
	f := &bench{n: n, bare: newBare(b)}
	git(b, f.bare, "config", "receive.fsckObjects", "false")
	local := open(b, Options{URL: f.bare})
	e := make(Edit, n)
	for i := range n {
		e[benchPath(i)] = benchContent(i, 0)
	}
	c, err := local.Commit(b.Context(), mainRef, ID{}, e, ann, "import")
	require.NoError(b, err)
	f.head = c.ID
	git(b, f.bare, "gc", "-q")
	f.url = serve(b, f.bare, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					b.Error(err)
				}
				f.sent.Add(int64(len(body)))
				r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil // CGI knows no chunks
			}
			h.ServeHTTP(w, r)
		})
	})
	f.native = filepath.Join(b.TempDir(), "native.git")
	git(b, b.TempDir(), "clone", "-q", "--bare", f.bare, f.native)
	git(b, f.native, "config", "gc.auto", "0")
	f.store = open(b, Options{URL: f.url, Auth: token(goodToken), Dir: filepath.Join(b.TempDir(), "mirror")})
	_, err = f.store.Sync(b.Context())
	require.NoError(b, err)
	return f
}

// edit changes some files.
func (f *bench) edit(changes int) Edit {
	f.version++
	e := Edit{}
	for k := range changes {
		i := (f.version*7919 + k*104_729) % f.n
		e[benchPath(i)] = benchContent(i, f.version)
	}
	return e
}

// fastImport writes the edit with native git on the given ref of the clone.
func (f *bench) fastImport(b *testing.B, ref string, e Edit) cost {
	b.Helper()
	var in bytes.Buffer
	fmt.Fprintf(&in, "commit %s\ncommitter a <a@x> %d +0000\ndata 1\nx\nfrom %s^0\n", ref, 1_772_000_000+f.version, f.head)
	for p, content := range e {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", p, len(content), content)
	}
	cmd := gitCommand(f.native, "fast-import", "--quiet", "--force")
	cmd.Stdin = &in
	return measure(func() { require.NoError(b, cmd.Run()) })
}

// commitLoose writes the edit with native git as git commit does, and returns the commit. It is not measured.
func (f *bench) commitLoose(b *testing.B, e Edit) string {
	b.Helper()
	run := func(in io.Reader, args ...string) string {
		cmd := gitCommand(f.native, args...)
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+f.native+"/index")
		cmd.Stdin = in
		out, err := cmd.Output()
		require.NoError(b, err)
		return strings.TrimSpace(string(out))
	}
	run(nil, "read-tree", f.head.String())
	var lines bytes.Buffer
	for p, content := range e {
		fmt.Fprintf(&lines, "100644 %s\t%s\n", run(bytes.NewReader(content), "hash-object", "-w", "--stdin"), p)
	}
	run(&lines, "update-index", "--index-info")
	return run(nil, "commit-tree", "-p", f.head.String(), "-m", "x", run(nil, "write-tree"))
}

// Commit of 10 changes against git fast-import: kept in memory, as it is until it is pushed, and written to disk as a pack.
func BenchmarkCommit10(b *testing.B) {
	for _, n := range sizes(b) {
		for _, disk := range []bool{false, true} {
			b.Run(fmt.Sprintf("files=%d/disk=%v", n, disk), func(b *testing.B) {
				f := newBench(b, n)
				var ours, native cost
				for b.Loop() {
					e := f.edit(10)
					f.store.disk.recent = newCache(48 << 20) // as cold as the process that it is compared with
					ours.add(measure(func() {
						_, err := f.store.Write(f.head, []ID{f.head}, e, ann, "x")
						require.NoError(b, err)
						if disk {
							require.NoError(b, f.store.flush())
						}
					}))
					native.add(f.fastImport(b, "refs/heads/tmp", e))
				}
				report(b, ours, native)
			})
		}
	}
}

// Push of a commit over http against git push, and their bytes.
func BenchmarkPush(b *testing.B) {
	for _, n := range sizes(b) {
		for _, changes := range []int{1, 10} {
			b.Run(fmt.Sprintf("files=%d/changes=%d", n, changes), func(b *testing.B) {
				f := newBench(b, n)
				login := strings.Replace(f.url, "http://", "http://x:"+goodToken+"@", 1)
				var ours, native cost
				var bytes, nativeBytes int64
				for b.Loop() {
					c, err := f.store.Write(f.head, []ID{f.head}, f.edit(changes), ann, "x")
					require.NoError(b, err)
					f.sent.Store(0)
					ref := fmt.Sprint("refs/heads/ours-", f.version)
					ours.add(measure(func() { require.NoError(b, f.store.Push(b.Context(), Update{ref, ID{}, c.ID})) }))
					bytes += f.sent.Load()
					id := f.commitLoose(b, f.edit(changes))
					f.sent.Store(0)
					cmd := gitCommand(f.native, "push", "-q", login, fmt.Sprint(id, ":refs/heads/native-", f.version))
					native.add(measure(func() { require.NoError(b, cmd.Run()) }))
					nativeBytes += f.sent.Load()
				}
				report(b, ours, native)
				b.ReportMetric(float64(bytes)/float64(b.N), "bytes")
				b.ReportMetric(float64(nativeBytes)/float64(b.N), "native-bytes")
			})
		}
	}
}

// Changed paths between two commits, ten changes apart, against git diff-tree: with both read lately; with the second one just
// fetched, as in a pass; and with nothing read, as at a start.
func BenchmarkDiff(b *testing.B) {
	for _, n := range sizes(b) {
		for _, state := range []string{"resident", "fetched", "cold"} {
			b.Run(fmt.Sprintf("files=%d/%s", n, state), func(b *testing.B) {
				f := newBench(b, n)
				local := open(b, Options{URL: f.bare})
				_, err := local.Sync(b.Context())
				require.NoError(b, err)
				diff := func(to ID) {
					count := 0
					require.NoError(b, f.store.Diff(f.head, to, "", func(Delta) error { count++; return nil }))
					require.Equal(b, 10, count)
				}
				var ours, native cost
				for b.Loop() {
					c, err := local.Commit(b.Context(), mainRef, f.head, f.edit(10), ann, "x")
					require.NoError(b, err)
					_, err = f.store.Sync(b.Context())
					require.NoError(b, err)
					git(b, f.native, "fetch", "-q", f.bare, "+main:new")
					require.NoError(b, f.store.Files(f.head, "", func(File) error { return nil }))
					switch state {
					case "resident":
						diff(c.ID)
					case "cold":
						f.store.disk.recent = newCache(48 << 20)
						f.store.disk.refresh()
					}
					ours.add(measure(func() { diff(c.ID) }))
					cmd := gitCommand(f.native, "diff-tree", "-r", "--raw", f.head.String(), c.ID.String())
					native.add(measure(func() { require.NoError(b, cmd.Run()) }))
					f.head = c.ID
				}
				report(b, ours, native)
			})
		}
	}
}

// List of all paths and blob ids against git ls-tree.
func BenchmarkFiles(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run(fmt.Sprintf("files=%d", n), func(b *testing.B) {
			f := newBench(b, n)
			var ours, native cost
			for b.Loop() {
				ours.add(measure(func() {
					f.store.disk.recent = newCache(48 << 20)
					f.store.disk.refresh()
					count := 0
					require.NoError(b, f.store.Files(f.head, "", func(File) error { count++; return nil }))
					require.Equal(b, n, count)
				}))
				cmd := gitCommand(f.native, "ls-tree", "-r", f.head.String())
				native.add(measure(func() { require.NoError(b, cmd.Run()) }))
			}
			report(b, ours, native)
		})
	}
}

// One change, from reading the base to the answer of the server, in the largest repository against the smallest. What the server
// takes of it is the same for git push.
func BenchmarkOneChange(b *testing.B) {
	all := sizes(b)
	small, large := newBench(b, all[0]), newBench(b, all[len(all)-1])
	change := func(f *bench) (write, push cost) {
		e := f.edit(1)
		var c Commit
		write = measure(func() {
			var err error
			c, err = f.store.Write(f.head, []ID{f.head}, e, ann, "x")
			require.NoError(b, err)
		})
		push = measure(func() { require.NoError(b, f.store.Push(b.Context(), Update{mainRef, f.head, c.ID})) })
		f.head = c.ID
		return write, push
	}
	var writeSmall, writeLarge, pushSmall, pushLarge cost
	for b.Loop() {
		w, p := change(small)
		writeSmall.add(w)
		pushSmall.add(p)
		w, p = change(large)
		writeLarge.add(w)
		pushLarge.add(p)
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(writeSmall.wall), "small-write-ms")
	b.ReportMetric(ms(writeLarge.wall), "large-write-ms")
	b.ReportMetric(ms(pushSmall.wall), "small-push-ms")
	b.ReportMetric(ms(pushLarge.wall), "large-push-ms")
	b.ReportMetric(float64(writeLarge.wall+pushLarge.wall)/float64(writeSmall.wall+pushSmall.wall), "wall-x-small")
	b.ReportMetric(float64(writeLarge.cpu+pushLarge.cpu)/float64(writeSmall.cpu+pushSmall.cpu), "cpu-x-small")
	b.ReportMetric(ms(writeSmall.own+pushSmall.own), "small-own-cpu-ms")
	b.ReportMetric(ms(writeLarge.own+pushLarge.own), "large-own-cpu-ms")
	b.ReportMetric(ms(pushSmall.cpu-pushSmall.own), "small-server-cpu-ms")
	b.ReportMetric(ms(pushLarge.cpu-pushLarge.own), "large-server-cpu-ms")
}
