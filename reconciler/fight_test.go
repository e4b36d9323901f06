package reconciler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
)

func TestFightIsHeldAndReleasedWhenCalm(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.env.Mode = reconciler.Enforce
	l.restart()
	for i := range 6 {
		l.hand("Q", fmt.Sprintf("a=%d", i+2))
		l.pass()
		l.live("Q", "a=1")
	}
	l.hand("Q", "a=9")
	l.pass()
	l.live("Q", "a=9")
	require.Equal(t, 1, l.last.Fights)
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateFight: 1}, l.last.HeldBy())
	l.hand("R", "a=2")
	l.pass()
	l.live("R", "a=1") // the others go on
	l.quiet()
	l.restart()
	l.pass()
	l.live("Q", "a=9") // it is not forgotten by a restart
	l.now = l.now.Add(time.Hour)
	l.pass()
	l.live("Q", "a=1")
	require.Zero(t, l.last.Fights)
	l.quiet()
}

func TestResumeEndsAFight(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.Mode = reconciler.Enforce
	l.restart()
	for i := range 7 {
		l.hand("Q", fmt.Sprintf("a=%d", i+2))
		l.pass()
	}
	l.live("Q", "a=8")
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoResume, By: "ann"}))
	l.pass()
	l.live("Q", "a=1")
}
