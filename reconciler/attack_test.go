package reconciler_test

import (
	"context"
	"errors"
	"strings"
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

func TestRevertingAMergeByFieldRestores(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1")
	l.hand("Q", "a=1 b=2")
	id := l.commit(map[string]string{"Q": "a=2 b=1"})
	l.pass()
	l.live("Q", "a=2 b=2")
	l.revert(id)
	l.pass()
	l.live("Q", "a=1 b=2")
	require.Equal(t, reconciler.Record, l.verdict("Q"))
	l.quiet()
}

func TestRevertingRestoresWhereThePlatformFillsIn(t *testing.T) {
	t.Parallel()
	fill := false
	o := mem.Options{Fill: func(_ resource.Key, s resource.Spec) resource.Spec {
		if !fill {
			return s
		}
		s = s.Clone()
		s["x"] = "filled"
		return s
	}}
	l := newLoop(t, o, "Q: a=1")
	fill = true
	id := l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.revert(id)
	l.pass()
	got, _ := l.platform.Get(key("Q"))
	require.Equal(t, "v1", got["a"])
	l.quiet()
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

func TestAcceptPartUnderProtection(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.protect()
	l.hand("Q", "a=2")
	l.hand("R", "a=2")
	l.pass()
	l.ask(reconciler.DoAccept, "Q")
	l.pass()
	l.pass()
	require.Len(t, l.pulls(), 2)
	l.inGit("Q", "a=1")
	l.quiet()
	for _, p := range l.pulls() {
		if strings.Contains(p.Title, "queue/Q") {
			_, err := l.forge.MergeWith(ctx, p.Number, local.MergeOptions{})
			require.NoError(t, err)
		}
	}
	l.pass()
	l.inGit("Q", "a=2")
	require.Contains(t, l.pull().Title, "queue/R")
	l.quiet()
}

func TestAPartialReadingLeavesThePullRequestOpen(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	before, refs := l.pull(), l.refs()
	l.platform.Fail("queue", errors.New("down"))
	l.pass()
	l.pass()
	require.Equal(t, before, l.pull())
	l.platform.Fail("queue", nil)
	l.pass()
	require.Equal(t, before, l.pull())
	require.Equal(t, refs["refs/heads/driftback/drift/prod"], l.refs()["refs/heads/driftback/drift/prod"])
	l.platform.Hide(key("Q"), "locked")
	l.pass()
	require.Equal(t, before, l.pull())
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

func TestTheLastWordWins(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.ask(reconciler.DoSuspend)
	l.ask(reconciler.DoResume)
	l.pass()
	require.False(t, l.last.Suspended)
}

func TestAnOpenDeploymentIsNotFinishedInObserveMode(t *testing.T) {
	t.Parallel()
	var cut bool
	o := mem.Options{}
	l := newLoop(t, o, "Q: a=1", "R: a=1")
	p := &cutOff{Target: l.env.Platform.(*vendors.Target), cut: &cut}
	l.env.Platform = p
	l.restart()
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	cut = true
	l.now = l.now.Add(30 * time.Second)
	_, err := l.r.Once(ctx, "prod")
	require.Error(t, err)
	cut = false
	l.env.Mode = reconciler.Observe
	l.restart()
	w := l.platform.Counts().Writes
	l.pass()
	require.Equal(t, w, l.platform.Counts().Writes)
	l.quiet()
	l.env.Mode = reconciler.Sync
	l.restart()
	l.pass()
	l.live("Q", "a=2")
	l.live("R", "a=2")
	l.quiet()
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

func TestAPersonsBranchOutlivesTheState(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	head := "refs/heads/" + l.pull().Head
	theirs := l.edit(head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
	refs := l.refs()
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: stateRef, Old: refs[stateRef]}))
	l.restart()
	_, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	_, err = l.r.Rebuild(ctx, "prod")
	require.NoError(t, err)
	l.pass()
	require.Equal(t, theirs, l.refs()[head])
	l.quiet()
}

func TestAClosedForeignBranchIsNotOverwritten(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	n := l.pull().Number
	head := "refs/heads/" + l.pull().Head
	theirs := l.edit(head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
	l.pass()
	_, err := l.forge.Close(ctx, n)
	require.NoError(t, err)
	l.pass()
	l.hand("Q", "a=5")
	l.pass()
	l.pull()
	require.Equal(t, theirs, l.refs()[head])
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

func TestHostileNames(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	names := []string{"../../etc/passwd", "..", ".", "-rf", "a\nb\n\nDriftback-Environment: prod", "x\x00y", "\xff\xfe", "CON", "con", "Con", "aux.yaml", ".git", "%2e", strings.Repeat("ü", 200), " lead", "trail ", "@ann fixes #1 [x](http://evil)", "$absent", "a/b/../c", "‮evil", "<script>alert(1)</script>", "/drift accept queue/Q"}
	ok := 0
	for _, n := range names {
		if err := l.platform.Put(resource.Key{Kind: "queue", Name: n}, spec("a=1"), "mallory\nChanged-by: root"); err == nil {
			ok++
		}
	}
	l.pass()
	l.quiet()
	draft := l.pull()
	draft.Draft = false
	_, err := l.forge.EnsurePull(ctx, draft)
	require.NoError(t, err)
	l.merge(local.BySquash)
	l.pass()
	require.Empty(t, l.pulls())
	l.quiet()
	t.Log(ok, l.last.Unknown, l.last.Held)
}
