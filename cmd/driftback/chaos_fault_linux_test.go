package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var chaosEpisodes = flag.Int("episodes", 6, "how many changes TestChaosFaultyNetwork makes")

// Between the daemon and both servers, two in ten requests are delayed, cut off before or after the server has answered, or sent
// twice. Every change still comes to the end that it comes to on a good day, once.
func TestChaosFaultyNetwork(t *testing.T) {
	s := seed(t)
	w := newChaosWorld(t, s)
	r := w.route("faulty", s)
	p := startProcess(t, r.conf)
	for range *chaosEpisodes {
		for _, proxy := range []*faultProxy{r.git, r.reload} {
			proxy.faulty(0.2)
		}
		finish := w.act([]string{"hand", "git", "both"}[w.random.IntN(3)])
		finish()
	}
	for _, proxy := range []*faultProxy{r.git, r.reload} {
		proxy.faulty(0)
		t.Logf("%s: %v", proxy.server, proxy.counts)
	}
	p.end()
	w.pass()
	w.recorded()
	w.clean()
	w.quiet()
	require.Empty(t, w.pulls("open", ""))
}

// small mounts a file system of a megabyte at dir, which only root may.
func small(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	unmount, err := mountSmall(dir)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("only root may mount a small file system: %v", err)
	}
	require.NoError(t, err, "CI skips nothing")
	t.Cleanup(func() { require.NoError(t, unmount()) })
}

// fill writes a file until nothing more fits, and returns what makes room again.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, ".ballast")
	f, err := os.Create(name)
	require.NoError(t, err)
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

// A platform whose disk is full keeps what it has, whole; what was merged is deployed once there is room.
func TestFullDiskOfThePlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	small(t, w.live)
	w.edit("a.yml", "a: 1\n")
	w.edit("b.yml", "b: 1\n")
	w.connect(`, exclude: [".ballast"]`)
	w.driftback(exitDone, "init", "prod")
	w.driftback(exitDone, "pulls", "merge", "1")
	w.pass()
	w.pull()
	free := fill(t, w.live)
	large := "a: " + strings.Repeat("x", 64<<10) + "\n"
	w.write(w.in("a.yml"), large)
	w.commit("A large one")
	code, _, stderr := w.try("run", "--once", "prod")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "file/a.yml")
	require.Contains(t, stderr, "no space left on device")
	require.Equal(t, "a: 1\n", w.read(w.liveFile("a.yml")), "what was there is whole")
	free()
	w.pass()
	require.Equal(t, large, w.read(w.liveFile("a.yml")))
	w.quiet()
}

// The local copy of the repository is disposable: a full disk below it stops the work with a clear error, and loses nothing.
func TestFullDiskOfTheMirror(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	small(t, filepath.Join(w.dir, "disk"))
	w.edit("a.yml", "a: 1\n")
	w.connect("")
	text := strings.Replace(w.read(w.conf), filepath.Join(w.dir, "mirror"), filepath.Join(w.dir, "disk", "mirror"), 1)
	w.write(w.conf, text)
	w.driftback(exitDone, "init", "prod")
	w.driftback(exitDone, "pulls", "merge", "1")
	w.pass()
	free := fill(t, filepath.Join(w.dir, "disk"))
	w.edit("a.yml", "a: "+strings.Repeat("y", 64<<10)+"\n")
	code, _, stderr := w.try("run", "--once", "prod")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "no space left on device")
	free()
	w.pass()
	require.Contains(t, w.openPulls(), "#2")
	w.driftback(exitDone, "pulls", "merge", "2")
	w.pass()
	w.quiet()
}

// mountSmall mounts a file system of one megabyte in memory.
func mountSmall(dir string) (unmount func() error, err error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return nil, err
	}
	return func() error { return unix.Unmount(dir, unix.MNT_DETACH) }, nil
}
