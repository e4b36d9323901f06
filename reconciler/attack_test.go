package reconciler_test

import (
	"context"
	"errors"
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

// ask files a request about queues with the live values that they have.
func (l *loop) ask(do string, names ...string) {
	l.Helper()
	l.now = l.now.Add(time.Second)
	q := reconciler.Request{Do: do, By: "ann", Keys: map[resource.Key]resource.Hash{}}
	for _, n := range names {
		h := resource.Hash{}
		if s, there := l.platform.Get(key(n)); there {
			h = s.Hash()
		}
		q.Keys[key(n)] = h
	}
	require.NoError(l, l.r.File(ctx, "prod", q))
}

// protect makes the forge refuse merges into main by driftback.
func (l *loop) protect() {
	l.Helper()
	l.now = l.now.Add(2 * time.Minute)
	store := l.open()
	f, err := local.Open(store, local.Options{Now: l.Now, User: "driftback <driftback@example.invalid>", Protect: []string{"main"}})
	require.NoError(l, err)
	l.r, err = reconciler.New(reconciler.Config{Store: store, Forge: f, Clock: l, Environments: []reconciler.Environment{l.env}, Jitter: func() float64 { return 0 }})
	require.NoError(l, err)
}

func TestAcceptAllMerges(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.ask(reconciler.DoAccept, "Q")
	l.pass()
	l.pass()
	l.inGit("Q", "a=2")
	require.Empty(t, l.pulls())
	l.quiet()
}

func TestAcceptOneWhileAnotherDrifts(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.hand("R", "a=2")
	l.ask(reconciler.DoAccept, "Q")
	l.pass()
	l.pass()
	l.inGit("Q", "a=2")
	l.inGit("R", "a=1")
	require.Contains(t, l.pull().Title, "queue/R")
	l.quiet()
}

func TestAFirstPassThatReadsNothingAdoptsNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.commit(map[string]string{"Q": "a=1", "R": "a=1"})
	require.NoError(t, l.platform.Put(key("S"), spec("a=9"), "bob"))
	l.platform.Fail("queue", errors.New("down"))
	l.pass()
	l.platform.Fail("queue", nil)
	l.pass()
	l.pass()
	l.live("Q", "")
	require.Contains(t, l.pull().Title, "")
}

func TestIgnoringTheFirstImportAdoptsNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.commit(map[string]string{"Q": "a=1"})
	require.NoError(t, l.platform.Put(key("S"), spec("a=9"), "bob"))
	l.pass()
	l.ask(reconciler.DoIgnore, "S")
	l.pass()
	l.pass()
	l.pass()
	l.live("Q", "")
}

// cutOff fails the second write.
type cutOff struct {
	*vendors.Target
	cut *bool
	n   int
}

func (c *cutOff) Apply(ctx0 context.Context, ch resource.Change) (resource.Resource, error) {
	if *c.cut {
		if c.n++; c.n > 1 {
			return resource.Resource{}, errors.New("connection lost")
		}
	}
	return c.Target.Apply(ctx0, ch)
}

func TestForcePushWhileADeploymentIsOpen(t *testing.T) {
	t.Parallel()
	var cut bool
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.env.Platform = &cutOff{Target: l.env.Platform.(*vendors.Target), cut: &cut}
	l.restart()
	old := l.refs()[mainRef]
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	cut = true
	_, err := l.r.Once(ctx, "prod")
	require.Error(t, err)
	cut = false
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: l.refs()[mainRef], New: old}))
	rep, err := l.r.Once(ctx, "prod")
	if errors.Is(err, reconciler.ErrHalted) {
		require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoResume, Detail: rep.Halt.Detail}))
	}
	l.pass()
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=1")
	l.quiet()
}

func TestForeignBranchThenLiveChangesAgain(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.hand("R", "a=2")
	l.pass()
	first := l.pull()
	head := "refs/heads/" + first.Head
	theirs := l.edit(head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
	l.hand("Q", "a=4")
	l.pass()
	require.Len(t, l.pulls(), 2)
	require.Equal(t, theirs, l.refs()[head])
	l.quiet()
	l.hand("Q", "a=1")
	l.hand("R", "a=1")
	l.pass()
	require.Equal(t, first.Head, l.pull().Head, "never closed by us")
	require.Equal(t, theirs, l.refs()[head])
	l.quiet()
}
