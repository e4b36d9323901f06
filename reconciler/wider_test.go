package reconciler_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
)

// What the simulation found once developers, comments and pushed reverts were in it, one test for each.

func TestACommandNamesTheValueThatWasSeenAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	n := l.drift().Number
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = &deafToCommands{Forge: c.Forge} })
	l.comment(n, "/drift revert")
	l.hand("Q", "a=3")
	l.pass() // the proposal is rebuilt, and what it was is no branch any more
	l.restartWith(local.Options{}, func(*reconciler.Config) {})
	l.pass()
	l.live("Q", "a=3")
	require.Contains(t, l.answer(n), "- `queue/Q`: changed again since")
}

// failed is an environment in which queue Q could not be deployed and was undone.
func failed(t *testing.T) *loop {
	l := newLoop(t, mem.Options{}, "R: a=1")
	l.refuse(false)
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	return l
}

func TestARevertOfARevertIsNotTheWayBack(t *testing.T) {
	t.Parallel()
	l := failed(t)
	l.commit(map[string]string{"Q": "", "P": "a=bad"}) // the same mistake under another name
	l.pass()
	l.pass()
	pulls := l.pulls()
	require.Len(t, pulls, 1)
	_, err := l.forge.MergeWith(ctx, pulls[0].Number, local.MergeOptions{Method: local.ByMerge})
	require.NoError(t, err)
	l.pass()
	l.inGit("P", "")
	l.inGit("Q", "")
	require.Empty(t, l.pulls())
	l.quiet()
}

func TestFilesThatKeepAnEnvironmentAreProposedAndNeverPushed(t *testing.T) {
	t.Parallel()
	l := failed(t)
	l.env.Rollback.Push = true
	l.restart()
	head := l.commit(map[string]string{"Q": "", "P": "a=bad"})
	l.pass()
	l.pass()
	require.Equal(t, head, l.refs()[mainRef])
	require.Len(t, l.pulls(), 1)
	l.quiet()
}

func TestWhatWaitsIsWrittenDownBeforeTheForgeIsTold(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.ask(reconciler.DoSuspend)
	l.pass()
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = &dyingForge{Forge: c.Forge} })
	l.commit(map[string]string{"Q": "a=2"})
	require.Panics(t, func() { _, _ = l.r.Once(ctx, "prod") })
	l.restartWith(local.Options{}, func(*reconciler.Config) {})
	l.commit(map[string]string{"Q": "a=3"}) // what waits is something else by now
	l.pass()
	l.ask(reconciler.DoResume)
	l.pass()
	l.pass()
	all, err := l.forge.Deployments(ctx, "prod")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, d := range all {
		require.NotContains(t, []string{"queued", "in_progress"}, d.State, d.ID)
	}
	l.quiet()
}

// DESIGN §4: a deployment makes two state commits. What the forge was told of it is a third one, made at the end of the pass: without
// it, every restart would say it all again.
func TestADeploymentMakesTwoStateCommits(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{true, false} {
		l := newLoop(t, mem.Options{}, "Q: a=1")
		l.env.Announce.Off = off
		l.restart()
		l.pass()
		const ref = "refs/driftback/state/prod"
		before := l.refs()[ref]
		l.commit(map[string]string{"Q": "a=2"})
		l.pass()
		l.live("Q", "a=2")
		var subjects []string
		require.NoError(t, l.git.Log(l.refs()[ref], []gitstore.ID{before}, func(c gitstore.Commit) error {
			subjects = append(subjects, strings.TrimSpace(c.Message))
			return nil
		}))
		if !off {
			require.Equal(t, "driftback state: pass", subjects[0])
			subjects = subjects[1:]
		}
		require.Len(t, subjects, 2)
		require.Regexp(t, "deployment .* ends: success$", subjects[0])
		require.Regexp(t, "deployment .* begins$", subjects[1])
		l.restart()
		l.quiet()
	}
}

// deafToCommands is a forge whose comments do not get through.
type deafToCommands struct{ forge.Forge }

func (deafToCommands) Commands(_ context.Context, cursor string) ([]forge.Command, string, error) {
	return nil, cursor, errForge
}

// dyingForge is told of a deployment, and the process dies before it knows.
type dyingForge struct{ forge.Forge }

func (f *dyingForge) EnsureDeployment(ctx context.Context, d forge.Deployment) error {
	if err := f.Forge.EnsureDeployment(ctx, d); err != nil {
		return err
	}
	panic("killed")
}
