package reconciler_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

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

func (c *cutOff) Apply(ctx context.Context, ch resource.Change) (resource.Resource, error) {
	if *c.cut {
		if c.n++; c.n > 1 {
			return resource.Resource{}, errors.New("connection lost")
		}
	}
	return c.Target.Apply(ctx, ch)
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

func TestIgnoredFieldsStayOutOfTheWay(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1 x=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("ignore:\n  - kinds: [queue]\n    fields: [x]\n")})
	l.pass()
	l.hand("Q", "a=1 b=1 x=2")
	l.pass()
	require.Empty(t, l.pulls())
	l.quiet()
	id := l.commit(map[string]string{"Q": "a=2 b=1 x=1"})
	l.pass()
	l.live("Q", "a=2 b=1 x=2")
	l.quiet()
	l.revert(id)
	l.pass()
	l.live("Q", "a=1 b=1 x=2")
	l.quiet()
}

func TestEnforceUndoesAndSaysSo(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1", "R: a=1", "S: a=1")
	l.env.Mode = reconciler.Enforce
	l.restart()
	l.hand("Q", "a=2 b=1")
	l.hand("R", "")
	require.NoError(t, l.platform.Rename(key("S"), key("T"), "bob"))
	l.hand("U", "a=1")
	l.pass()
	l.live("Q", "a=1 b=1")
	l.live("R", "a=1")
	l.live("S", "a=1")
	l.live("T", "")
	l.pass()
	l.live("U", "a=1")
	require.Contains(t, l.pull().Title, "queue/U")
	l.quiet()
	l.hand("Q", "a=1 b=7")
	l.commit(map[string]string{"Q": "a=3 b=1"})
	l.pass()
	l.live("Q", "a=3 b=1")
	l.quiet()
}

func TestASecondReconcilerTakesOver(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	var cut bool
	whole := l.env.Platform
	l.env.Platform = &cutOff{Target: whole.(*vendors.Target), cut: &cut}
	l.restart()
	a := l.r
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	cut = true
	_, err := a.Once(ctx, "prod")
	require.Error(t, err)
	l.env.Platform = whole
	l.now = l.now.Add(-2 * time.Minute)
	l.restart() // at once
	b := l.r
	_, err = b.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrStandBack)
	l.hand("R", "a=7")
	l.now = l.now.Add(2 * time.Minute)
	cut = false
	l.r = b
	l.pass()
	l.live("Q", "a=2")
	l.live("R", "a=7")
	l.now = l.now.Add(time.Second)
	_, err = a.Once(ctx, "prod")
	require.True(t, err == nil || errors.Is(err, reconciler.ErrStandBack), "%v", err)
	l.pass()
	require.Equal(t, reconciler.Conflict, l.verdict("R"))
	l.quiet()
}

func TestSuspendedWritesNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.ask(reconciler.DoSuspend)
	l.pass()
	l.quiet()
	l.hand("Q", "a=2")
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.live("R", "a=1")
	l.quiet()
	l.ask(reconciler.DoResume)
	l.pass()
	l.live("R", "a=2")
	l.pull()
	l.quiet()
}

func TestProtectedIsHeld(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect:\n  - queue/Q\n")})
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=2")
	l.quiet()
	l.hand("Q", "a=3")
	l.pass()
	l.live("Q", "a=3")
	l.quiet()
}

func TestEnforceDoesNotFightThePlatform(t *testing.T) {
	t.Parallel()
	fill := false
	l := newLoop(t, mem.Options{Fill: func(_ resource.Key, s resource.Spec) resource.Spec {
		if !fill {
			return s
		}
		s = s.Clone()
		s["x"] = "filled"
		return s
	}}, "Q: a=1")
	l.env.Mode = reconciler.Enforce
	l.restart()
	fill = true
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.pass()
	l.pass()
	l.quiet()
}

func TestObserveNeverWrites(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.env.Mode = reconciler.Observe
	l.restart()
	l.hand("Q", "a=2")
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	w := l.platform.Counts().Writes
	l.quiet()
	l.ask(reconciler.DoRevert, "Q")
	l.pass()
	require.Equal(t, w, l.platform.Counts().Writes)
	l.quiet()
}

// Letting something pass in a comment is about what that pull request waits for, not about what waits besides: neither once it is
// merged nor before.
func TestApplyIsAboutItsPullRequest(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{false, true} {
		l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1", "S: a=1")
		l.env.Guard = plan.Limits{Deletes: 1}
		l.restart()
		l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect: [queue/S]\n")})
		many := l.develop("many", map[string]string{"Q": "", "R": ""})
		one := l.develop("one", map[string]string{"S": "a=2"})
		l.pass()
		l.mergePull(many.Number)
		if !before {
			l.mergePull(one.Number)
		}
		l.pass()
		require.Len(t, l.last.Overrides, map[bool]int{false: 2, true: 1}[before])
		l.comment(one.Number, "/apply")
		l.pass()
		if before {
			l.mergePull(one.Number)
			l.pass()
		}
		l.live("Q", "a=1")
		l.live("R", "a=1")
		l.live("S", "a=2")
		require.Contains(t, l.said(one.Number)["result/prod"], "### Deployed to `prod`")
		require.Equal(t, map[reconciler.Gate]int{reconciler.GateGuard: 2}, l.last.HeldBy())
		l.quiet()
		l.comment(many.Number, "/apply")
		l.pass()
		l.live("Q", "")
		l.live("R", "")
		l.pass()
		l.quiet()
	}
}
