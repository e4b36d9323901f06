package reconciler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
)

func TestADeploymentSaysWhatItWasMadeFor(t *testing.T) {
	t.Parallel()
	made := func(l *loop, want reconciler.Trigger) {
		t.Helper()
		l.pass()
		require.Len(t, l.last.Deployments, 1)
		require.Equal(t, want, l.last.Deployments[0].Trigger)
		l.quiet()
	}
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	id := l.commit(map[string]string{"Q": "a=2"})
	made(l, reconciler.TriggerMerge)
	l.revert(id)
	made(l, reconciler.TriggerMerge)

	l.hand("Q", "a=3")
	l.pass()
	l.ask(reconciler.DoRevert, "Q")
	made(l, reconciler.TriggerRevert)
	l.hand("Q", "a=3")
	l.pass()
	l.ask(reconciler.DoRevert, "Q")
	l.commit(map[string]string{"R": "a=2"})
	made(l, reconciler.TriggerMerge) // for both

	l.hand("Q", "") // asked for now, done when the environment is resumed
	l.pass()
	l.ask(reconciler.DoRevert, "Q")
	l.ask(reconciler.DoSuspend)
	l.pass()
	l.live("Q", "")
	l.ask(reconciler.DoResume)
	made(l, reconciler.TriggerRevert)

	l.env.Mode = reconciler.Enforce
	l.restart()
	l.hand("Q", "a=3")
	made(l, reconciler.TriggerEnforce)
	l.commit(map[string]string{"Q": "a=4"})
	made(l, reconciler.TriggerMerge)
	l.hand("Q", "a=5")
	l.commit(map[string]string{"R": "a=3"})
	made(l, reconciler.TriggerMerge)
}
