//go:build unix

package directory_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
	"github.com/driftback/driftback/vendors/resource"
)

// watch runs a watch and hands every hint to the channel, which may stall it. The first hint
// says that the watch has begun.
func watch(t *testing.T, d vendors.Driver) (hints chan []resource.Key, ended chan error, cancel func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	hints, ended = make(chan []resource.Key), make(chan error, 1)
	go func() {
		ended <- d.(vendors.Watcher).Watch(ctx, func(keys ...resource.Key) {
			select {
			case hints <- keys:
			case <-ctx.Done():
			}
		})
	}()
	require.Empty(t, <-hints)
	return hints, ended, cancel
}

// await waits for a hint that names the file, or for one without names if name is empty.
func await(t *testing.T, hints chan []resource.Key, name string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case keys := <-hints:
			if name == "" && len(keys) == 0 || name != "" && slices.Contains(keys, file(name)) {
				return
			}
		case <-limit:
			require.Fail(t, "no hint", "%q", name)
		}
	}
}

func TestWatchSeesEveryKindOfEdit(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("a", "a")
	r.write("sub/b", "b")
	r.write("skipped/c", "c")
	d := r.open(func(c *directory.Config) { c.Exclude = []string{"skipped/**"} })
	hints, ended, cancel := watch(t, d)
	r.write("a", "changed")
	await(t, hints, "a")
	require.NoError(t, os.Rename(r.path("sub/b"), r.path("sub/c")))
	await(t, hints, "sub/c")
	require.NoError(t, os.Remove(r.path("sub/c")))
	await(t, hints, "sub/c")
	r.write("new/deep/d", "d") // folders that appear are watched, and what was in them already is not missed
	await(t, hints, "")
	require.Eventually(t, func() bool {
		r.write("new/deep/d", "changed")
		select {
		case keys := <-hints:
			return slices.Contains(keys, file("new/deep/d"))
		case <-time.After(10 * time.Millisecond):
			return false
		}
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, os.Rename(r.path("new"), r.path("old")))
	await(t, hints, "")
	cancel()
	for {
		select {
		case <-hints:
			continue
		case err := <-ended:
			require.ErrorIs(t, err, context.Canceled)
			return
		}
	}
}

func TestWatchEndsWithItsRoot(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	hints, ended, _ := watch(t, r.open())
	require.NoError(t, os.RemoveAll(r.root))
	for {
		select {
		case <-hints:
		case err := <-ended:
			require.ErrorIs(t, err, os.ErrNotExist)
			return
		}
	}
}

// More edits than the kernel's queue holds, while nobody reads it: the hint says that it does not know, and the
// scan after it has them all.
func TestBurstPastTheQueue(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes 12,000 files")
	}
	const n = 12000 // of two events each
	r := newTree(t)
	d := r.open()
	known := observe(t, d, nil)
	hints, _, _ := watch(t, d)
	for i := range n { // the watch stalls on the first hint
		r.write(fmt.Sprint("f", i), "x")
	}
	await(t, hints, "")
	require.Equal(t, n, observe(t, d, known).Len())
}
