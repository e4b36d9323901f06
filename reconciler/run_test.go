package reconciler_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// daemon is a reconciler in a bubble of virtual time, with the moments of its passes.
type daemon struct {
	*reconciler.Reconciler
	remote *gitstore.MemoryRemote
	mu     sync.Mutex
	passes map[string][]time.Duration // since the start, by environment
	errs   map[string]error
}

func newDaemon(t *testing.T, envs ...reconciler.Environment) *daemon {
	d := &daemon{remote: gitstore.NewMemoryRemote(), passes: map[string][]time.Duration{}, errs: map[string]error{}}
	store, err := gitstore.Open(ctx, gitstore.Options{Remote: d.remote, Committer: gitstore.Signature{Name: "driftback", Email: "d@example.invalid"}})
	require.NoError(t, err)
	_, err = store.Commit(ctx, mainRef, gitstore.ID{}, gitstore.Edit{"README.md": []byte("x\n")}, gitstore.Signature{}, "begin")
	require.NoError(t, err)
	f, err := local.Open(store, local.Options{User: "driftback <d@example.invalid>"})
	require.NoError(t, err)
	start := time.Now()
	d.Reconciler, err = reconciler.New(reconciler.Config{
		Store: store, Forge: f, Environments: envs, Jitter: func() float64 { return 0 },
		OnReport: func(r reconciler.Report) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.passes[r.Environment] = append(d.passes[r.Environment], r.Started.Sub(start).Round(time.Second))
			d.errs[r.Environment] = r.Err
		},
	})
	require.NoError(t, err)
	return d
}

// during runs the daemon for so long.
func (d *daemon) during(t *testing.T, long time.Duration, meanwhile func()) {
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- d.Run(run) }()
	if meanwhile != nil {
		meanwhile()
	}
	require.NoError(t, pause(long))
	stop()
	require.NoError(t, <-done)
}

func (d *daemon) moments(env string) []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.passes[env])
}

// broken is a platform that cannot be observed.
type broken struct {
	*vendors.Target
	observe func(context.Context) error
}

func (b broken) Observe(ctx context.Context, _ vendors.Request) (*resource.Snapshot, error) {
	return nil, b.observe(ctx)
}

func target() *vendors.Target {
	return vendors.NewTarget(mem.New(mem.Options{Kinds: kinds}).Driver(), vendors.TargetOptions{})
}

func TestRunByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, reconciler.Environment{Name: "prod", Platform: target(), Every: time.Minute})
		d.during(t, 5*time.Minute+time.Second, nil)
		require.Equal(t, []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute}, d.moments("prod"))
	})
}

func TestRunBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, reconciler.Environment{Name: "prod", Every: time.Hour,
			Platform: broken{target(), func(context.Context) error { return errors.New("connection refused") }}})
		d.during(t, 4*time.Minute, nil)
		s := time.Second
		require.Equal(t, []time.Duration{0, s, 3 * s, 7 * s, 15 * s, 31 * s, 63 * s, 123 * s, 183 * s}, d.moments("prod"), "1 s, doubled, at most 60 s")
	})
}

func TestRunOneEnvironmentDoesNotDelayAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		d := newDaemon(t,
			reconciler.Environment{Name: "stuck", Platform: broken{target(), stuck}, Every: time.Minute},
			reconciler.Environment{Name: "prod", Platform: target(), Every: time.Minute})
		d.during(t, 3*time.Minute+time.Second, nil)
		require.Len(t, d.moments("prod"), 4)
		require.Len(t, d.moments("stuck"), 1)
	})
}

func TestRunPokesBecomeOnePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, reconciler.Environment{Name: "prod", Platform: target(), Every: time.Hour})
		d.during(t, 10*time.Second, func() {
			require.NoError(t, pause(2*time.Second))
			for range 1000 {
				d.Poke("prod")
			}
		})
		got := d.moments("prod")
		require.GreaterOrEqual(t, len(got), 2)
		require.LessOrEqual(t, len(got), 3, "a thousand hints are one pass, and one more for those that came during it")
	})
}

func TestRunGivesItsClaimUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mem.New(mem.Options{Kinds: kinds})
		require.NoError(t, p.Put(key("Q"), spec("a=1"), "bob"))
		d := newDaemon(t, reconciler.Environment{Name: "prod", Platform: vendors.NewTarget(p.Driver(), vendors.TargetOptions{}), Every: time.Minute})
		d.during(t, 10*time.Second, nil)
		store, err := gitstore.Open(ctx, gitstore.Options{Remote: d.remote})
		require.NoError(t, err)
		refs, err := store.Sync(ctx)
		require.NoError(t, err)
		require.False(t, refs[stateRef].IsZero())
		f, ok, err := store.File(refs[stateRef], "deployment.json")
		require.NoError(t, err)
		if ok {
			b, err := store.Blob(f.ID, 0)
			require.NoError(t, err)
			require.False(t, strings.Contains(string(b), "owner"), "still claimed: %s", b)
		}
	})
}

// pause lets virtual time pass: the bubble's clock jumps when everybody waits.
func pause(d time.Duration) error { return vendors.SystemClock{}.Sleep(ctx, d) }
