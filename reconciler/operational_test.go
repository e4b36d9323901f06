package reconciler_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// withOpen are the queues of these tests, with an operational field.
func withOpen() mem.Options {
	all := resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, Guard: true, StableID: true}
	return mem.Options{Kinds: []resource.KindInfo{{Kind: "queue", Can: all, Fields: []resource.Field{{Path: "open", Operational: true}}}}}
}

// runs is what the last pass told of operational fields.
func (l *loop) runs() []string {
	out := []string{}
	for _, o := range l.last.Operational {
		for _, f := range o.Fields {
			out = append(out, o.Key.Name+" "+f.String())
		}
	}
	return out
}

func TestOperationalFieldsAreObservedOnly(t *testing.T) {
	t.Parallel()
	for _, mode := range []reconciler.Mode{reconciler.Sync, reconciler.Enforce} {
		l := newLoop(t, withOpen(), "Q: a=1 open=1", "R: a=1")
		l.env.Mode = mode
		l.restart()
		l.hand("Q", "a=1 open=2")
		l.hand("R", "a=1 open=2") // Git says nothing about it
		l.pass()
		require.Empty(t, l.pulls(), "no drift")
		require.Zero(t, l.last.Drifted)
		require.Equal(t, []string{"Q open: v1 → v2"}, l.runs())
		l.live("Q", "a=1 open=2")
		l.quiet()
		l.commit(map[string]string{"Q": "a=1 open=3"})
		l.pass()
		l.live("Q", "a=1 open=2") // Git alone changed it: not deployed
		require.Empty(t, l.last.Held)
		require.Equal(t, []string{"Q open: v3 → v2"}, l.runs())
		id := l.commit(map[string]string{"Q": "a=2 open=4"})
		l.pass()
		l.live("Q", "a=2 open=2") // with another field: what is live stays
		require.Len(t, l.last.Deployments, 1)
		l.hand("Q", "a=2 open=5")
		l.revert(id)
		l.pass()
		l.live("Q", "a=1 open=5")
		l.hand("Q", "a=1 open=3")
		l.pass()
		require.Empty(t, l.runs())
		l.quiet()
	}
}

func TestOperationalFieldsOfWhatIsCreatedAreThePlatforms(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1 open=1")
	l.commit(map[string]string{"N": "a=1 open=1"})
	l.pass()
	l.live("N", "a=1")
	require.Len(t, l.last.Deployments, 1)
	require.False(t, l.last.Deployments[0].Undone)
	l.quiet()
	require.Equal(t, []string{"N open: - v1"}, l.runs())
}

// The platform fills in its own value: that is no edit of somebody's, and no reason for a second deployment.
func TestOperationalFieldsThatThePlatformFillsInAreOurs(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1")
	l.muted(0, nil).fills = l.platform
	l.commit(map[string]string{"N": "a=1 open=1"})
	l.pass()
	l.live("N", "a=1 open=7")
	require.Empty(t, l.last.Unknown)
	require.Len(t, l.last.Deployments, 1)
	c, err := l.git.CommitAt(l.refs()[liveRef])
	require.NoError(t, err)
	require.Contains(t, c.Message, "deployment", "recorded as driftback's own, not as somebody's")
	require.Equal(t, []string{"N open: v1 → v7"}, l.runs())
	l.quiet()
}

func TestOperationalFieldsStayThroughARename(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1 b=1 open=1")
	l.hand("Q", "a=1 b=1 open=2")
	l.pass()
	l.edit(mainRef, gitstore.Edit{path("Q"): nil, path("N"): []byte("$renamedFrom: Q\na: v2\nb: v1\nopen: v1\n")})
	id := l.platform.ID(key("Q"))
	l.pass()
	l.live("Q", "")
	l.live("N", "a=2 b=1 open=2")
	require.Equal(t, id, l.platform.ID(key("N")))
	l.quiet()
}

func TestOperationalFieldsAreDeployedWhereTheRulesAsk(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1 open=1", "R: a=1 open=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("manage:\n  - objects: [queue/Q, queue/N]\n    fields: [open]\n")})
	l.pass()
	l.commit(map[string]string{"Q": "a=1 open=2", "R": "a=1 open=2", "N": "a=1 open=2", "M": "a=1 open=2"})
	l.pass()
	l.live("Q", "a=1 open=2")
	l.live("R", "a=1 open=1")
	l.live("N", "a=1 open=2")
	l.live("M", "a=1")
	require.Equal(t, []string{"M open: - v2", "R open: v2 → v1"}, l.runs())
	l.hand("Q", "a=1 open=3")
	l.pass()
	require.Contains(t, l.pull().Body, "open")
}

// Merging seven times within the hour is no fight with the people who open and close the queue.
func TestOperationalFieldsAreNoFight(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1 open=1")
	for i := range 8 {
		l.hand("Q", fmt.Sprintf("a=%d open=%d", i+1, i+2))
		l.pass()
		l.commit(map[string]string{"Q": fmt.Sprintf("a=%d open=1", i+2)})
		l.pass()
		l.live("Q", fmt.Sprintf("a=%d open=%d", i+2, i+2))
	}
	require.Zero(t, l.last.Fights)
}

func TestPreviewSaysThatOperationalFieldsStay(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1 open=1")
	pull := l.develop("topic", map[string]string{"Q": "a=1 open=2"})
	l.pass()
	require.Contains(t, l.said(pull.Number)["plan/prod"], "left alone: these fields are operational")
}

// What people said about a drifted value stays said while the queue is opened and closed.
func TestDecisionsOutliveOperationalChanges(t *testing.T) {
	t.Parallel()
	begin := func() *loop {
		l := newLoop(t, withOpen(), "Q: a=1 open=1", "R: a=1")
		l.hand("Q", "a=2 open=2")
		l.pass()
		l.hand("Q", "a=2 open=3")
		l.pass()
		return l
	}
	toggled := func(l *loop) {
		for i := range 3 {
			l.hand("Q", fmt.Sprintf("a=2 open=%d", i+4))
			l.pass()
			require.Empty(t, l.pulls())
		}
		l.quiet()
		l.live("Q", "a=2 open=6")
	}
	t.Run("closed", func(t *testing.T) {
		l := begin()
		_, err := l.forge.Close(ctx, l.pull().Number)
		require.NoError(t, err)
		l.pass()
		toggled(l)
		l.hand("Q", "a=3 open=6")
		l.pass()
		require.Len(t, l.pulls(), 1, "another value is told")
	})
	t.Run("ignored", func(t *testing.T) {
		l := begin()
		l.comment(l.pull().Number, "/drift ignore")
		l.pass()
		l.pass()
		toggled(l)
	})
	t.Run("reverted", func(t *testing.T) {
		l := begin()
		l.comment(l.pull().Number, "/drift revert")
		l.pass()
		l.pass()
		l.live("Q", "a=1 open=3")
		l.quiet()
	})
	merged := func(l *loop) {
		require.Empty(t, l.pulls())
		f, ok, err := l.git.File(l.refs()[mainRef], path("Q"))
		require.NoError(t, err)
		require.True(t, ok)
		b, err := l.git.Blob(f.ID, 0)
		require.NoError(t, err)
		require.Contains(t, string(b), "a: v2")
		l.quiet()
	}
	t.Run("accepted", func(t *testing.T) {
		l := begin()
		l.comment(l.pull().Number, "/drift accept")
		l.hand("Q", "a=2 open=4")
		l.pass()
		l.pass()
		merged(l)
	})
	t.Run("accepted after it was closed", func(t *testing.T) {
		l := begin()
		_, err := l.forge.Close(ctx, l.pull().Number)
		require.NoError(t, err)
		l.pass()
		live, there := l.platform.Get(key("Q"))
		require.True(t, there)
		require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoAccept, Keys: map[resource.Key]resource.Hash{key("Q"): live.Hash()}}))
		l.hand("Q", "a=2 open=4")
		l.pass()
		l.pass()
		merged(l)
	})
}

// Somebody copies live into Git and reverts that between two passes, while what is operational goes on changing: that decides
// about the rest by rule 4, and nothing is proposed again.
func TestOperationalFieldsDoNotHideThatGitCaughtUp(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1 open=1")
	l.hand("Q", "a=2 open=2")
	l.pass()
	require.Len(t, l.pulls(), 1)
	id := l.commit(map[string]string{"Q": "a=2 open=3"})
	l.revert(id)
	l.hand("Q", "a=2 open=4")
	l.pass()
	require.Empty(t, l.pulls(), "decided")
	l.live("Q", "a=1 open=4")
	l.quiet()
}

// The same of an object that cannot be read in the pass that decides: it does not stay proposed.
func TestOperationalFieldsDoNotKeepProposedWhatGitDecided(t *testing.T) {
	t.Parallel()
	l := newLoop(t, withOpen(), "Q: a=1 open=1")
	l.hand("Q", "a=2 open=2")
	l.pass()
	require.Len(t, l.pulls(), 1)
	l.platform.Hide(key("Q"), "not today")
	l.commit(map[string]string{"Q": "a=2 open=3"})
	l.commit(map[string]string{"Q": "a=9 open=3"})
	l.pass()
	require.NotEmpty(t, l.last.Unknown)
	require.Empty(t, l.pulls(), "decided")
	l.platform.Hide(key("Q"), "")
	l.pass()
	l.live("Q", "a=9 open=2")
	l.quiet()
}
