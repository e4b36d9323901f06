package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

var methods = []local.Method{local.ByMerge, local.BySquash, local.ByRebase}

func TestRule1AgreementMovesBase(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	require.Empty(t, l.pulls(), "both sides say the same")
	l.hand("Q", "a=1")
	l.pass()
	require.Equal(t, reconciler.Record, l.verdict("Q"), "base is a=2, so going back by hand is drift")
}

func TestRule1WrittenMovesBase(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.live("Q", "a=2")
	l.hand("Q", "a=1")
	l.pass()
	l.live("Q", "a=1")
	require.Equal(t, reconciler.Record, l.verdict("Q"))
}

func TestRule1UndoneKeepsBase(t *testing.T) {
	t.Parallel()
	broken := errBroken{}
	o := mem.Options{Check: func(stored map[resource.Key]resource.Spec) error {
		if stored[key("Q")]["a"] == "vbad" {
			return broken
		}
		return nil
	}}
	l := newLoop(t, o, "Q: a=1", "R: a=1")
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	l.live("Q", "a=1")
	require.Len(t, l.last.Deployments, 1)
	require.True(t, l.last.Deployments[0].Undone)
	l.quiet()
	require.NotEmpty(t, l.last.Held, "held with the hash that failed")

	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.live("R", "a=2")
	l.live("Q", "a=1")
	require.Len(t, l.last.Deployments, 1, "an unrelated commit does not try it again")

	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	l.live("Q", "a=3")
	require.Empty(t, l.last.Held)
}

type errBroken struct{}

func (errBroken) Error() string { return "line 1: broken" }

func TestRule2AfterAMergeByFieldBaseIsWant(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1")
	l.hand("Q", "a=1 b=2")
	l.commit(map[string]string{"Q": "a=2 b=1"})
	l.pass()
	l.live("Q", "a=2 b=2")
	require.Equal(t, reconciler.Record, l.verdict("Q"), "the recorded field is still drift")
	l.merge(local.ByMerge)
	l.pass()
	l.inGit("Q", "a=2 b=2")
	l.quiet()
}

func TestRule3MergedEditedByHowever(t *testing.T) {
	t.Parallel()
	for _, how := range methods {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
			l.hand("Q", "a=2")
			l.hand("R", "a=2")
			l.pass()
			l.edit("refs/heads/"+l.pull().Head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
			l.merge(how)
			l.pass()
			l.live("Q", "a=3")
			l.live("R", "a=2")
			require.Empty(t, l.pulls())
			l.quiet()
		})
	}
}

func TestRule3DroppedStaysDrift(t *testing.T) {
	t.Parallel()
	for _, how := range methods {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
			l.hand("Q", "a=2")
			l.hand("R", "a=2")
			l.pass()
			l.edit("refs/heads/"+l.pull().Head, gitstore.Edit{path("Q"): []byte("a: v1\n")})
			l.merge(how)
			l.pass()
			l.live("Q", "a=2")
			require.Equal(t, reconciler.Record, l.verdict("Q"))
			require.Contains(t, l.pull().Title, "queue/Q")
		})
	}
}

func TestRule3MergedByNativeGit(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	refs := l.refs()
	head := refs["refs/heads/"+l.pull().Head]
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: refs[mainRef], New: head}))
	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	l.live("Q", "a=3")
	l.quiet()
}

func TestRule4AcceptedAndRevertedAtOnce(t *testing.T) {
	t.Parallel()
	for _, how := range methods {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: a=1")
			l.hand("Q", "a=2")
			l.pass()
			l.revert(l.merge(how))
			l.pass()
			l.live("Q", "a=1")
			l.quiet()
		})
	}
}

func TestRule4DeveloperCaughtUp(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.commit(map[string]string{"Q": "a=2"})
	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	l.live("Q", "a=3")
	l.quiet()
}

func TestRule4NeverWithoutLivesValue(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.commit(map[string]string{"Q": "a=7"})
	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	l.live("Q", "a=2")
	require.Equal(t, reconciler.Conflict, l.verdict("Q"))
}

func TestRule5RevertMakesWantPending(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	h := spec("a=2").Hash()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRevert, Keys: map[resource.Key]resource.Hash{key("Q"): h}}))
	l.pass()
	l.live("Q", "a=1")
	require.Empty(t, l.pulls())
	l.quiet()
}

func TestRule5RevertMeansTheValueThatWasSeen(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRevert, Keys: map[resource.Key]resource.Hash{key("Q"): spec("a=2").Hash()}}))
	l.hand("Q", "a=3")
	l.pass()
	l.live("Q", "a=3")
}

func TestClosingSilencesUntilANewValue(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	_, err := l.forge.Close(ctx, l.pull().Number)
	require.NoError(t, err)
	l.pass()
	require.Empty(t, l.pulls())
	require.Equal(t, 1, l.last.Drifted, "the metrics keep counting")
	l.quiet()
	l.live("Q", "a=2")
	l.hand("Q", "a=3")
	l.pass()
	require.Equal(t, forge.Open, l.pull().State, "a new live value asks again")
}

func TestOnCloseRevert(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.OnClose = "revert"
	l.restart()
	l.hand("Q", "a=2")
	l.pass()
	_, err := l.forge.Close(ctx, l.pull().Number)
	require.NoError(t, err)
	l.pass()
	l.live("Q", "a=1")
	l.quiet()
}

func TestAConflictEndsByMergingNotByAnUnrelatedPush(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	require.Equal(t, reconciler.Conflict, l.verdict("Q"))
	require.Contains(t, l.pull().Body, "v3")
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.live("R", "a=2")
	l.live("Q", "a=2")
	require.Equal(t, reconciler.Conflict, l.verdict("Q"))
	l.merge(local.ByMerge)
	l.pass()
	l.inGit("Q", "a=2")
	l.live("Q", "a=2")
	l.quiet()
}

func TestBrokenRulesStopEverythingButRemembering(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("ignore: 7\n"), path("R"): []byte("a: v2\n")})
	l.hand("Q", "a=2")
	before := l.refs()[liveRef]
	_, err := l.r.Once(ctx, "prod")
	require.ErrorContains(t, err, "driftback.rules.yaml")
	require.NotEqual(t, before, l.refs()[liveRef], "what bob changed is in Git")
	l.live("R", "a=1")
	require.Empty(t, l.pulls())
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect: [\"queue/Z\"]\n")})
	l.pass()
	l.live("R", "a=2")
	require.Equal(t, reconciler.Record, l.verdict("Q"))
}

// meddled is a platform on which somebody does something right after each write.
type meddled struct {
	reconciler.Platform
	then func(resource.Change)
}

func (m meddled) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	got, err := m.Platform.Apply(ctx, c)
	m.then(c)
	return got, err
}

func TestUndoLeavesWhatAPersonChangedMeanwhile(t *testing.T) {
	t.Parallel()
	o := mem.Options{Check: func(stored map[resource.Key]resource.Spec) error {
		if stored[key("Q")]["a"] == "vbad" {
			return errBroken{}
		}
		return nil
	}}
	l := newLoop(t, o, "Q: a=1", "R: a=1")
	var order []resource.Key
	l.env.Platform = meddled{l.env.Platform, func(c resource.Change) {
		order = append(order, c.Key())
		if c.Key() == key("R") && c.After.Spec["a"] == "v2" {
			l.hand("R", "a=mine")
		}
	}}
	l.restart()
	l.commit(map[string]string{"Q": "a=bad", "R": "a=2"})
	l.pass()
	require.True(t, l.last.Deployments[0].Undone)
	require.Equal(t, []resource.Key{key("R")}, l.last.Deployments[0].Left)
	l.live("Q", "a=1")
	l.live("R", "a=mine")
	done, undone := order[:2], slices.Clone(order[2:])
	slices.Reverse(undone)
	require.Equal(t, done, undone, "what refers to something else goes first when it was made last")
}

// lagging is a forge that lists what was, while it holds a list.
type lagging struct {
	forge.Forge
	was   []forge.Pull
	after func() // happens once it has answered; nil for nothing
}

func withLagging(t *testing.T) (*loop, *lagging) {
	t.Helper()
	l, f := newLoop(t, mem.Options{}, "Q: a=1"), &lagging{}
	l.adjust = func(c *reconciler.Config) { f.Forge, c.Forge = c.Forge, f }
	l.restart()
	return l, f
}

func (f *lagging) Pulls(ctx context.Context, q forge.Filter) ([]forge.Pull, error) {
	if f.was != nil && q.State == "" {
		return f.was, nil
	}
	got, err := f.Forge.Pulls(ctx, q)
	if f.after != nil {
		f.after()
		f.after = nil
	}
	return got, err
}

// The merge is in Git already and the forge still lists the pull request as open: that it was merged is heard of later.
func TestRule3MergedAndStillListedAsOpen(t *testing.T) {
	t.Parallel()
	for _, how := range methods {
		l, f := withLagging(t)
		l.hand("Q", "a=2")
		l.pass()
		f.was = l.pulls()
		require.Len(t, f.was, 1)
		l.merge(how)
		l.platform.Fail("queue", errors.New("not today"))
		l.pass()
		require.NotEmpty(t, l.last.Unknown)
		f.was = nil
		l.platform.Fail("queue", nil)
		l.hand("Q", "a=3")
		l.pass()
		require.Equal(t, reconciler.Record, l.verdict("Q"), "%s: drift from what was merged", how)
		require.NotContains(t, fmt.Sprint(l.said(1)), "Closed:")
		l.merge(how)
		l.pass()
		l.quiet()
	}
}

// The same, and the proposal was rebuilt while people merged: what they merged is decided, and what came later is not.
func TestRule3MergedWhileItWasRebuiltAndStillListedAsOpen(t *testing.T) {
	t.Parallel()
	l, f := withLagging(t)
	l.hand("Q", "a=2")
	l.pass()
	was := l.pulls()
	l.hand("Q", "a=3")
	f.after = func() { l.merge(local.ByMerge) }
	l.pass()
	f.was = was
	l.pass()
	l.live("Q", "a=3")
	require.Equal(t, reconciler.Record, l.verdict("Q"), "nobody decided about it")
	f.was = nil
	l.pass()
	l.merge(local.ByMerge)
	l.pass()
	l.live("Q", "a=3")
	l.quiet()
}

// Commit messages are not unique. What a developer committed right before a rebase is not taken for a part of it because the
// reviewer of the pull request wrote the same message.
func TestRule3RebasedBehindAnEqualMessage(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("N", "a=4")
	l.pass()
	branch := "refs/heads/" + l.pull().Head
	_, err := l.git.Commit(ctx, mainRef, l.refs()[mainRef], gitstore.Edit{path("N"): []byte("a: v5\n")}, gitstore.Signature{Name: "ann"}, "another")
	require.NoError(t, err)
	l.edit(mainRef, gitstore.Edit{path("N"): nil})
	l.edit(branch, gitstore.Edit{path("N"): nil}) // dropped: it stays drift
	l.merge(local.ByRebase)
	l.pass()
	l.live("N", "a=4")
	require.Equal(t, reconciler.Record, l.verdict("N"))
}
