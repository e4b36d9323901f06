package reconciler_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

func TestFirstPassProposesAndWritesNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.hand("Q", "a=1")
	l.commit(map[string]string{"R": "a=1", "Q": "a=9"})
	l.pass()
	require.True(t, strings.HasPrefix(l.pull().Title, "init:"))
	l.live("Q", "a=1")
	l.live("R", "")
	l.quiet()
	l.merge(local.ByMerge)
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=1")
	l.quiet()
}

func TestTrustGitEndsTheFirstImport(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.hand("Q", "a=1")
	l.hand("S", "a=5")
	l.commit(map[string]string{"R": "a=1", "Q": "a=9"})
	l.pass()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoTrustGit}))
	l.pass()
	l.live("Q", "a=9")
	l.live("R", "a=1")
	l.live("S", "a=5")
	require.Contains(t, l.pull().Body, "queue/S", "what Git does not know is still proposed")
}

func TestGuardHoldsAndOnePlanMayPass(t *testing.T) {
	t.Parallel()
	var queues []string
	removed := map[string]string{}
	for i := range 12 {
		name := "Q" + string(rune('a'+i))
		queues = append(queues, name+": a=1")
		removed[name] = ""
	}
	l := newLoop(t, mem.Options{}, queues...)
	l.commit(removed)
	l.pass()
	l.live("Qa", "a=1")
	require.Len(t, l.last.Held, 12)
	require.Contains(t, l.last.Held[0].Reason, l.last.PlanID)
	l.quiet()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoOverride, Detail: l.last.PlanID, By: "ann"}))
	l.pass()
	l.live("Qa", "")
	require.Empty(t, l.last.Held)
	l.quiet()
}

func TestAnOverrideMeansOnePlanOnly(t *testing.T) {
	t.Parallel()
	var queues []string
	removed := map[string]string{}
	for i := range 12 {
		name := "Q" + string(rune('a'+i))
		queues = append(queues, name+": a=1")
		removed[name] = ""
	}
	l := newLoop(t, mem.Options{}, append(queues, "Z: a=1")...)
	l.commit(removed)
	l.pass()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoOverride, Detail: l.last.PlanID, By: "ann"}))
	l.commit(map[string]string{"Z": ""})
	l.pass()
	l.live("Qa", "a=1")
	require.NotEmpty(t, l.last.Held, "another plan is another decision")
	l.now = l.now.Add(2 * time.Hour)
	l.pass()
	l.live("Qa", "a=1")
}

func TestMassDeletionByHandIsADraft(t *testing.T) {
	t.Parallel()
	var queues []string
	for i := range 12 {
		queues = append(queues, "Q"+string(rune('a'+i))+": a=1")
	}
	l := newLoop(t, mem.Options{}, queues...)
	for i := range 12 {
		l.hand("Q"+string(rune('a'+i)), "")
	}
	l.pass()
	require.True(t, l.pull().Draft)
	require.Contains(t, l.pull().Labels, "guard")
	require.Contains(t, l.pull().Body, "**A draft, because a guard was breached**, until somebody calls it ready.")
	l.quiet()

	p := l.pull()
	p.Draft = false
	_, err := l.forge.EnsurePull(ctx, forge.Pull{Head: p.Head, Title: p.Title, Body: p.Body, Labels: p.Labels})
	require.NoError(t, err)
	l.pass()
	require.False(t, l.pull().Draft, "somebody called it ready")
	l.quiet()
	l.hand("Qa", "a=2")
	l.pass()
	require.True(t, l.pull().Draft, "what is proposed anew is looked at anew")
	l.quiet()
}

// A draftless is a forge without drafts, as GitHub is for private repositories of some plans.
type draftless struct{ forge.Forge }

func (f draftless) EnsurePull(ctx context.Context, p forge.Pull) (forge.Pull, error) {
	p.Draft = false
	return f.Forge.EnsurePull(ctx, p)
}

func TestGuardWhereThereAreNoDrafts(t *testing.T) {
	t.Parallel()
	var queues []string
	for i := range 12 {
		queues = append(queues, "Q"+string(rune('a'+i))+": a=1")
	}
	l := newLoop(t, mem.Options{}, queues...)
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = draftless{c.Forge} })
	for i := range 12 {
		l.hand("Q"+string(rune('a'+i)), "")
	}
	l.pass()
	require.Contains(t, l.pull().Labels, "guard")
	l.quiet()
}

func TestRewrittenHistoryHoldsUntilResume(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	old := l.refs()[mainRef]
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.live("Q", "a=2")
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: l.refs()[mainRef], New: old}))
	_, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	l.hand("Q", "a=7")
	seen, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	l.live("Q", "a=7")
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoResume, Detail: seen.Halt.Detail}))
	l.pass()
	require.Equal(t, reconciler.Conflict, l.verdict("Q"))
}

func TestLostStateHoldsUntilRebuilt(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.commit(map[string]string{"R": "a=2"})
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: stateRef, Old: l.refs()[stateRef]}))
	_, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	require.ErrorContains(t, err, "--rebuild")
	require.True(t, l.refs()[stateRef].IsZero())
	_, err = l.r.Rebuild(ctx, "prod")
	require.NoError(t, err)
	l.pass()
	l.live("R", "a=2")
	l.live("Q", "a=2")
	require.Equal(t, reconciler.Record, l.verdict("Q"), "base is the newest value of both histories")
	l.merge(local.ByMerge)
	l.pass()
	l.quiet()
}

// dying is a platform whose caller dies at the n-th write, before or after it was done.
type dying struct {
	reconciler.Platform
	left  int
	after bool
}

func (d *dying) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	d.left--
	if d.left == 0 && !d.after {
		panic("killed")
	}
	got, err := d.Platform.Apply(ctx, c)
	if d.left == 0 {
		panic("killed")
	}
	return got, err
}

func TestCrashDuringADeploymentIsFinished(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 2; n++ {
		for _, after := range []bool{false, true} {
			l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
			whole := l.env.Platform
			l.env.Platform = &dying{Platform: whole, left: n, after: after}
			l.restart()
			l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
			require.Panics(t, func() { l.pass() })
			l.env.Platform = whole
			l.restart()
			l.hand("S", "a=3")
			l.pass()
			l.live("Q", "a=2")
			l.live("R", "a=2")
			require.Equal(t, reconciler.Record, l.verdict("S"))
			l.merge(local.ByMerge)
			l.pass()
			l.quiet()
		}
	}
}

func TestAnotherOwnerStandsBackUntilTheDeadline(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.commit(map[string]string{"Q": "a=2"})
	l.pass() // claims
	l.hand("Q", "a=3")
	first, at := l.r, l.now
	l.restart() // a second process
	l.now = at
	_, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrStandBack)
	require.Empty(t, l.pulls())
	require.NoError(t, first.Close(ctx))
	l.pass()
	require.Len(t, l.pulls(), 1, "a claim that was given up need not run out")
}
