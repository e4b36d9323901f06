package reconciler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/window"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// nightly lets the environment be deployed to from 22:00 to 04:00 of UTC on weekdays. The tests begin on a Monday at 09:00.
func (l *loop) nightly() {
	l.Helper()
	w, err := window.Parse("0 22 * * 1-5", 6*time.Hour, "")
	require.NoError(l, err)
	l.env.Windows = window.Windows{w}
	l.restart()
}

var night = time.Date(2026, 5, 4, 22, 0, 0, 0, time.UTC)

// What is merged outside the windows is held until the next one opens, and its pull request says until when; in the window it is
// deployed, and drift is told at any time.
func TestWindows(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.nightly()
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	require.Contains(t, l.said(pull.Number)["plan/prod"], "`Deployed within windows only: 0 22 * * 1-5 for 6h (UTC).`")
	require.Contains(t, l.said(pull.Number)["plan/prod"], "Merging this would deploy 1 object: 1 changed.")
	require.NotContains(t, l.said(pull.Number)["plan/prod"], "the next one opens", "nobody knows when it is merged")
	require.Equal(t, "success", l.checks(pull.HeadID)[planCheck])
	l.quiet()
	l.mergePull(pull.Number)
	l.pass()
	l.live("Q", "a=1")
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateWindow: 1}, l.last.HeldBy())
	require.Equal(t, &reconciler.WindowState{Change: night}, l.last.Window)
	require.Equal(t, night.Sub(l.now), l.last.Again, "it looks again when the window opens")
	told := l.said(pull.Number)["result/prod"]
	require.Contains(t, told, "### Waiting to be deployed to `prod`")
	require.Contains(t, told, "outside the deployment windows; the next one opens on 2026-05-04 22:00 UTC")
	require.Contains(t, told, "`/apply prod` lets exactly this plan pass")
	require.Equal(t, []string{"queued"}, l.deployments())
	l.quiet()
	refs := l.refs()
	l.restart()
	l.pass()
	require.Equal(t, refs, l.refs(), "a new process has nothing to say either")

	l.hand("R", "a=7")
	l.pass()
	require.Contains(t, l.drift().Body, "queue/R")
	require.NotContains(t, l.drift().Body, "22:00")

	l.now = night.Add(-2 * time.Minute)
	l.pass()
	l.live("Q", "a=1")
	l.now = night
	l.pass()
	l.live("Q", "a=2")
	require.Equal(t, &reconciler.WindowState{Open: true, Change: night.Add(6 * time.Hour)}, l.last.Window)
	require.Contains(t, l.said(pull.Number)["result/prod"], "### Deployed to `prod`")
	require.Equal(t, []string{"inactive", "success"}, l.deployments())
	l.quiet()

	// One path to production: what people put back waits like what they merge.
	l.now = night.Add(6 * time.Hour)
	drift := l.drift().Number
	l.ask(reconciler.DoRevert, "R")
	l.pass()
	l.live("R", "a=7")
	require.Contains(t, l.said(drift)["closed"], "Closed: somebody said that Git is right, and `prod` is to be put back")
	l.now = night.Add(24 * time.Hour)
	l.pass()
	l.live("R", "a=1")
	l.quiet()
}

// A comment lets a plan that waits for a window go now, or at a time; the next one waits again.
func TestApplyOutsideWindows(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.nightly()
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	l.mergePull(pull.Number)
	l.pass()
	l.comment(pull.Number, "/apply")
	l.pass()
	l.live("Q", "a=2")
	require.Contains(t, l.said(pull.Number)["result/prod"], "### Deployed to `prod`")
	l.quiet()

	next := l.develop("next", map[string]string{"R": "a=3"})
	l.pass()
	l.mergePull(next.Number)
	l.pass()
	l.live("R", "a=1")
	l.comment(next.Number, "/apply at 18:00")
	l.pass()
	require.Contains(t, l.answer(next.Number), "It waits until 2026-05-04 18:00 UTC")
	l.live("R", "a=1")
	six := time.Date(2026, 5, 4, 18, 0, 0, 0, time.UTC)
	require.Equal(t, six.Sub(l.now), l.last.Again)
	l.now = six.Add(-2 * time.Minute)
	l.pass()
	l.live("R", "a=1")
	l.now = six
	l.pass()
	l.live("R", "a=3")
	l.quiet()
}

// What fails in a window is undone at once; what puts it right waits for the next.
func TestFailureInAWindow(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.refuse(false)
	l.nightly()
	l.now = night.Add(6*time.Hour - 2*time.Minute)
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	l.live("Q", "a=1")
	require.Len(t, l.last.Deployments, 1)
	require.True(t, l.last.Deployments[0].Undone)
	l.now = night.Add(7 * time.Hour)
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.live("Q", "a=1")
	l.now = night.Add(24 * time.Hour)
	l.pass()
	l.live("Q", "a=2")
}

// lasting is a platform whose writes take their time.
type lasting struct {
	reconciler.Platform
	l    *loop
	took time.Duration
	meet func(n int) // after the n-th write; nil for nothing
	n    int
}

func (s *lasting) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	got, err := s.Platform.Apply(ctx, c)
	s.l.now = s.l.now.Add(s.took)
	if s.n++; s.meet != nil {
		s.meet(s.n)
	}
	return got, err
}

// A window that closes while a deployment runs does not stop it half-way: all of it is written and verified, also by the process after
// one that died in between, or all of it is undone. What is merged meanwhile waits for the next window.
func TestWindowClosesDuringADeployment(t *testing.T) {
	t.Parallel()
	closes := night.Add(6 * time.Hour)
	for name, c := range map[string]struct{ last, becomes string }{"carried out": {"a=2", "a=2"}, "undone": {"a=bad", "a=1"}, "cut off": {"a=2", "a=2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1", "S: a=1", "T: a=1")
			l.refuse(false)
			s := &lasting{Platform: l.env.Platform, l: l, took: 20 * time.Second}
			l.env.Platform = s
			var late time.Time
			s.meet = func(n int) {
				if n > 1 {
					return
				}
				late = l.now
				l.commit(map[string]string{"T": "a=2"})
				if name == "cut off" {
					panic("killed")
				}
			}
			l.nightly()
			l.now = closes.Add(-35 * time.Second)
			l.commit(map[string]string{"Q": "a=2", "R": "a=2", "S": c.last})
			func() {
				defer func() {
					if recover() != nil {
						l.restart()
					}
				}()
				l.pass() // begins some seconds before the window closes
			}()
			require.True(t, late.After(closes), "the window closed after the first of the writes")
			l.pass()
			for _, q := range []string{"Q", "R", "S"} {
				l.live(q, c.becomes)
			}
			l.live("T", "a=1")
			require.Equal(t, 1, l.last.HeldBy()[reconciler.GateWindow])
			l.quiet()
			l.now = night.Add(24 * time.Hour)
			l.pass()
			l.live("T", "a=2")
		})
	}
}
