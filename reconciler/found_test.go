package reconciler_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// What the wider simulation found, one test for each.

func TestRejectingTheFirstImportDeploysNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.env.OnClose = "revert"
	l.restart()
	l.hand("Q", "a=1")
	l.commit(map[string]string{"R": "a=1"})
	l.pass()
	_, err := l.forge.Close(ctx, l.pull().Number)
	require.NoError(t, err)
	l.pass()
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "")
	l.quiet()
}

func TestOldCommitsDecideNothingAfterAForcePush(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	fork := l.refs()[mainRef]
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.hand("Q", "a=2")
	l.pass()
	const other = "refs/heads/other"
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: other, New: fork}))
	l.edit(other, gitstore.Edit{path("Q"): []byte("a: v2\n")}) // what live has by chance, and was taken back long ago
	tip := l.edit(other, gitstore.Edit{path("Q"): []byte("a: v1\n")})
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: l.refs()[mainRef], New: tip}))
	rep, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoResume, Detail: rep.Halt.Detail}))
	l.pass()
	l.live("Q", "a=2")
	l.live("R", "a=1")
	require.Equal(t, reconciler.Record, l.verdict("Q"))
}

func TestWhatVanishedBesideANarrowerScopeIsProposed(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	look := func(c map[resource.Kind]resource.Cover) {
		l.env.Platform = vendors.NewTarget(l.platform.DriverWith(mem.DriverOptions{Cover: c}), vendors.TargetOptions{Clock: l})
		l.restart()
	}
	look(map[resource.Kind]resource.Cover{"queue": {Include: []string{"R"}}})
	l.pass()
	l.hand("Q", "")
	l.pass()
	require.Empty(t, l.pulls(), "outside the scope nothing is known")
	look(nil)
	l.pass()
	l.pass()
	require.Contains(t, l.pull().Title, "queue/Q")
	l.live("Q", "")
}

func TestARequestWaitsForWhatCannotBeSeen(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.platform.Hide(key("Q"), "locked")
	l.ask(reconciler.DoRevert, "Q")
	l.pass()
	l.live("Q", "a=2")
	l.platform.Hide(key("Q"), "")
	l.pass()
	l.live("Q", "a=1")
	require.Empty(t, l.pulls())
	l.quiet()
}

func TestARequestDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.platform.Hide(key("Q"), "locked")
	l.ask(reconciler.DoRevert, "Q")
	l.now = l.now.Add(2 * time.Hour)
	l.pass()
	l.platform.Hide(key("Q"), "")
	l.pass()
	l.live("Q", "a=2")
	require.Len(t, l.pulls(), 1)
}

func TestAProposalEndsWithGitsDecisionAlsoUnseen(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.pull()
	l.platform.Hide(key("Q"), "locked")
	l.commit(map[string]string{"Q": "a=2"})
	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	require.Empty(t, l.pulls(), "Git had the value and wants another")
	l.platform.Hide(key("Q"), "")
	l.pass()
	l.live("Q", "a=3")
	l.quiet()
}

func TestAForeignStateNamesTheWayBack(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.edit(stateRef, gitstore.Edit{"note.txt": []byte("hello\n")})
	_, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	require.ErrorContains(t, err, "`driftback init prod --rebuild`")
}

// settling is a platform whose listings may be two minutes behind.
func settling(t *testing.T, queues ...string) *loop {
	ks := append([]resource.KindInfo{}, kinds...)
	ks[0].Settle = 2 * time.Minute
	return newLoop(t, mem.Options{Kinds: ks}, queues...)
}

func TestAStaleReadingIsNeitherDriftNorFailure(t *testing.T) {
	t.Parallel()
	l := settling(t, "Q: a=1", "R: a=1")
	l.commit(map[string]string{"Q": "a=2", "R": "", "S": "a=1"})
	l.pass()
	l.live("Q", "a=2")
	refs, writes := l.refs(), l.platform.Counts().Writes
	l.platform.SetWeather(mem.Weather{Stale: 1000, Chance: func(n int) int { return n - 1 }})
	l.pass()
	require.Empty(t, l.pulls())
	require.Len(t, l.last.Unknown, 3)
	require.Equal(t, refs, l.refs())
	require.Equal(t, writes, l.platform.Counts().Writes)
	l.platform.SetWeather(mem.Weather{})
	l.hand("Q", "a=1") // back to what we replaced, by hand: a reading after the settle time counts
	l.now = l.now.Add(2 * time.Minute)
	l.pass()
	require.Contains(t, l.pull().Title, "queue/Q")
	l.live("Q", "a=1")
}

// slow is a remote whose pushes of a ref take long.
type slow struct {
	gitstore.Remote
	after func(ref string)
}

func (s *slow) Push(ctx context.Context, ups []gitstore.Update, out *gitstore.Outgoing) error {
	err := s.Remote.Push(ctx, ups, out)
	for _, u := range ups {
		s.after(u.Ref)
	}
	return err
}

// Where pushes are not atomic, the claim may have ended before the branches follow: then somebody else may be at it.
func TestABranchIsPushedUnderAClaimOnly(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.remote.SetAtomic(false)
	dawdle := time.Hour
	l.watch = &counted{Remote: &slow{l.remote, func(ref string) {
		if ref == stateRef {
			l.now, dawdle = l.now.Add(dawdle), 0
		}
	}}}
	l.restart()
	l.hand("Q", "a=2")
	before := l.refs()
	_, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, vendors.ErrLease)
	require.Equal(t, before[liveRef], l.refs()[liveRef])
	l.now = l.now.Add(time.Hour)
	l.pass()
	require.NotEqual(t, before[liveRef], l.refs()[liveRef])
	l.pull()
}

// dawdling is a forge whose comments take an hour, and that notes whether a claim stood in Git at the next effect.
type dawdling struct {
	forge.Forge
	l       *loop
	effects func()
}

func (d *dawdling) EnsureComment(ctx context.Context, pull int, key, body string) error {
	d.effects()
	err := d.Forge.EnsureComment(ctx, pull, key, body)
	d.l.now = d.l.now.Add(time.Hour)
	return err
}

func (d *dawdling) EnsurePull(ctx context.Context, p forge.Pull) (forge.Pull, error) {
	d.effects()
	return d.Forge.EnsurePull(ctx, p)
}

// Closing a pull request is two effects, and the claim may end between them.
func TestEachEffectOnTheForgeNeedsTheClaim(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	n := 0
	d := &dawdling{l: l, effects: func() {
		n++
		require.True(t, l.deadline().After(l.now), "effect %d after the claim", n)
	}}
	l.restartWith(local.Options{}, func(c *reconciler.Config) { d.Forge, c.Forge = c.Forge, d })
	l.hand("Q", "a=2")
	l.pass()
	l.pull()
	l.hand("Q", "a=1")
	n = 0
	l.pass()
	require.Empty(t, l.pulls())
	require.GreaterOrEqual(t, n, 2)
}

// deadline is the end of the claim that stands in Git.
func (l *loop) deadline() time.Time {
	l.Helper()
	f, ok, err := l.git.File(l.refs()[stateRef], "deployment.json")
	require.NoError(l, err)
	if !ok {
		return time.Time{}
	}
	b, err := l.git.Blob(f.ID, 0)
	require.NoError(l, err)
	var j struct{ Deadline time.Time }
	require.NoError(l, json.Unmarshal(b, &j))
	return j.Deadline
}

// Rule 4, commit by commit: what Git goes back to is deployed, also where live has had that, too, on the way.
func TestRule4GoesBackPastAValueThatLiveHad(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	for _, v := range []string{"a=2", "a=3"} {
		l.hand("Q", v)
		l.pass()
	}
	l.commit(map[string]string{"Q": "a=3"})
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.live("Q", "a=2")
	require.Empty(t, l.pulls())
	l.quiet()
}

// A proposal that reaches the tracked branch in another way than by its pull request, and is taken back there, does not undo what it
// proposed: nobody decided that.
func TestOurOwnProposalIsNoDecision(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	head, err := gitstore.ParseID(l.pull().HeadID)
	require.NoError(t, err)
	proposed, err := l.git.CommitAt(head)
	require.NoError(t, err)
	_, err = l.git.Commit(ctx, mainRef, l.refs()[mainRef], gitstore.Edit{path("Q"): []byte(yaml(spec("a=2")))}, gitstore.Signature{Name: "ann"}, proposed.Message)
	require.NoError(t, err)
	l.commit(map[string]string{"Q": "a=1"})
	l.pass()
	l.live("Q", "a=2")
	require.Len(t, l.pulls(), 1)
}

// Where undoing is refused and nothing can be read, nobody knows whether there was anything to undo: the old value is no hand edit.
func TestWhatCannotBeUndoneKeepsItsBase(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	refused := true
	l.env.Platform = &refusing{l.env.Platform, func(resource.Change) bool {
		if refused {
			l.platform.Fail("queue", vendors.ErrDenied)
		}
		return refused
	}}
	l.restart()
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	require.True(t, l.last.Deployments[0].Undone)
	refused = false
	l.platform.Fail("queue", nil)
	l.pass()
	l.pass()
	require.Empty(t, l.pulls(), "nobody changed anything by hand")
	require.Len(t, l.last.Held, 1)
	l.live("Q", "a=1")
}

// deadly is a platform that stores a change and whose caller dies then, once.
type deadly struct {
	reconciler.Platform
	spent bool
}

func (d *deadly) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	got, err := d.Platform.Apply(ctx, c)
	if !d.spent {
		d.spent = true
		panic("killed")
	}
	return got, err
}

// What an earlier, cut-off try has written counts as written: base moves, and it is made to run.
func TestWhatAnEarlierTryWroteIsActivated(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{Check: func(map[resource.Key]resource.Spec) error { return nil }}, "Q: a=1")
	l.env.Platform = &deadly{Platform: l.env.Platform}
	l.restart()
	l.edit(mainRef, gitstore.Edit{path("Q"): nil, path("R"): []byte("$renamedFrom: Q\na: v1\n")})
	before := l.platform.Counts().Activations
	require.Panics(t, func() { l.pass() })
	l.restart()
	l.pass()
	l.live("Q", "")
	l.live("R", "a=1")
	require.Len(t, l.last.Deployments, 1)
	require.Equal(t, before+1, l.platform.Counts().Activations)
	l.quiet()
}

// Who asks to revert what live says now has the last word on it, also where a pull request came in just before.
func TestARequestOutlivesAMergeInTheSamePass(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.revert(l.merge(local.ByMerge))
	l.hand("Q", "a=3")
	l.ask(reconciler.DoRevert, "Q")
	l.pass()
	l.live("Q", "a=1")
	require.Empty(t, l.pulls())
	l.quiet()
}

// What is gone after its cover changed, and was never seen under it, is told, and people can let it go and have it made again.
func TestWhatNobodySawDeletedIsTold(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "R: a=1")
	look := func(c map[resource.Kind]resource.Cover) {
		l.env.Platform = vendors.NewTarget(l.platform.DriverWith(mem.DriverOptions{Cover: c}), vendors.TargetOptions{Clock: l})
		l.restart()
	}
	l.hand("Q", "a=1")
	l.pass()
	look(map[resource.Kind]resource.Cover{"queue": {Exclude: []string{"Q"}}})
	l.merge(local.ByMerge)
	l.pass()
	l.platform.Hide(key("Q"), "locked")
	look(nil)
	l.pass()
	l.platform.Hide(key("Q"), "")
	l.hand("Q", "")
	l.pass()
	require.Len(t, l.last.Unknown, 1)
	require.Contains(t, l.last.Unknown[0].Reason, "nobody saw whether it was deleted")
	gone := l.commit(map[string]string{"Q": ""})
	l.pass()
	require.Empty(t, l.last.Unknown)
	l.revert(gone)
	l.pass()
	l.live("Q", "a=1")
	l.quiet()
}

// Who asks to revert a name that vanished has seen that it is called otherwise now, and no more.
func TestARequestMeansNoEditOfTheNewName(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	require.NoError(t, l.platform.Rename(key("Q"), key("P"), "bob"))
	l.pass()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRevert, Keys: map[resource.Key]resource.Hash{key("Q"): {}}}))
	l.hand("P", "a=2")
	l.pass()
	l.live("P", "a=2")
	require.Len(t, l.pulls(), 1)
}
