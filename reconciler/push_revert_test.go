package reconciler_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
)

// guardedBranch is a remote with a rule that the forge does not tell of.
type guardedBranch struct {
	gitstore.Remote
	refuse bool
}

func (g *guardedBranch) Push(ctx context.Context, ups []gitstore.Update, out *gitstore.Outgoing) error {
	for _, u := range ups {
		if g.refuse && u.Ref == mainRef {
			return fmt.Errorf("%s: %w", u.Ref, gitstore.ErrRefused)
		}
	}
	return g.Remote.Push(ctx, ups, out)
}

func TestARevertThatTheServerRefusesIsProposed(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	g := &guardedBranch{Remote: l.remote}
	l.watch = &counted{Remote: g}
	l.refuse(true)
	l.commit(map[string]string{"Q": "a=bad"})
	g.refuse = true
	l.hand("R", "a=2")
	l.pass()
	l.pass()
	require.Len(t, l.pulls(), 2, "the revert, and what was changed by hand")
	l.inGit("Q", "a=bad")
	l.quiet()
}

// Where the forge does not tell whether the branch is protected, it counts as protected.
func TestARevertIsMergedWhereTheForgeTellsOfNoRules(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.refuse(true)
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = readOnly{c.Forge} })
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	l.pass()
	l.inGit("Q", "a=1")
	all, err := l.forge.Pulls(ctx, forge.Filter{State: forge.Merged})
	require.NoError(t, err)
	require.Len(t, all, 1)
	l.quiet()
}

func TestTwoRevertsArePushedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.refuse(true)
	l.env.Rollback.Auto = false
	l.restart()
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	l.commit(map[string]string{"R": "a=bad"})
	l.pass()
	l.env.Rollback.Auto = true
	l.restart()
	l.pass()
	l.pass()
	l.pass()
	l.inGit("Q", "a=1")
	l.inGit("R", "a=1")
	require.Empty(t, l.last.Held)
	l.quiet()
}

// Killed right after the push, the next process finds that it was done, also where drift that was accepted stays in.
func TestAPushedRevertThatWasCutOffIsPushedOnce(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.env.Rollback.Push = true
	dies := false
	l.watch = &counted{Remote: &slow{l.remote, func(ref string) {
		if dies && ref == mainRef {
			panic("killed")
		}
	}}}
	l.restart()
	to := l.refs()[mainRef]
	l.commit(map[string]string{"Q": "a=2"})
	l.hand("R", "a=2")
	l.pass()
	l.merge(local.ByMerge)
	l.pass()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRollback, Detail: to.String(), Reason: "x", By: "ann"}))
	dies = true
	require.Panics(t, func() { l.pass() })
	dies = false
	pushed := l.refs()[mainRef]
	l.inGit("Q", "a=1")
	l.inGit("R", "a=2")
	l.restart()
	l.pass()
	l.live("Q", "a=1")
	l.pass()
	require.Equal(t, pushed, l.refs()[mainRef])
	require.Empty(t, l.pulls())
	l.quiet()
}
