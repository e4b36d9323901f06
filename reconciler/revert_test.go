package reconciler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// refusing is a platform that refuses some writes for good.
type refusing struct {
	reconciler.Platform
	refuses func(resource.Change) bool
}

func (r *refusing) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if r.refuses(c) {
		return resource.Resource{}, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), vendors.ErrInvalid)
	}
	return r.Platform.Apply(ctx, c)
}

// refuse makes the platform refuse every value "bad" of a, and reverts are proposed.
func (l *loop) refuse(push bool) {
	l.Helper()
	l.env.Platform = &refusing{l.env.Platform, func(c resource.Change) bool { return c.After != nil && c.After.Spec["a"] == "vbad" }}
	l.env.Rollback = reconciler.Rollback{Auto: true, Push: push}
	l.restart()
}

// A plan of 50 changes whose 37th is refused: promise 7 and the story that the issue tells.
func TestRefusedDeploymentIsUndoneAndItsRevertProposed(t *testing.T) {
	t.Parallel()
	var queues []string
	name := func(i int) string { return fmt.Sprintf("Q%02d", i) }
	for i := range 43 {
		queues = append(queues, name(i)+": a=1 b=1")
	}
	l := newLoop(t, mem.Options{}, append(queues, "Z: a=1")...)
	l.refuse(false)
	before := l.platform.State()
	ids := map[string]string{}
	for i := range 43 {
		ids[name(i)] = l.platform.ID(key(name(i)))
	}

	// Six commits make one plan of 50 changes: 7 creations, 30 updates, 13 deletions. The update of Q30 comes 37th.
	change := func(from, to int, fields string) map[string]string {
		m := map[string]string{}
		for i := from; i < to; i++ {
			m[name(i)] = fields
		}
		return m
	}
	l.commit(change(0, 10, "a=2 b=1"))
	atFault := []gitstore.ID{l.commit(map[string]string{"Q30": "a=2 b=1", "Q12": "a=2 b=1"})}
	l.commit(change(13, 29, "a=2 b=1"))
	atFault = append(atFault, l.commit(map[string]string{"Q30": "a=bad b=1"}))
	news := map[string]string{"Q10": "a=3 b=1", "Q11": "a=3 b=1"}
	for i := range 7 {
		news[fmt.Sprintf("N%d", i)] = "a=1"
	}
	l.commit(news)
	gone := change(31, 43, "")
	gone["Q29"] = ""
	l.commit(gone)
	l.env.Guard = plan.Limits{Deletes: -1, Share: -1}
	l.restart()
	l.pass()

	require.Len(t, l.last.Deployments, 1)
	d := l.last.Deployments[0]
	require.True(t, d.Undone)
	require.Equal(t, 50, d.Changes)
	require.Equal(t, before, l.platform.State(), "as before")
	for i := range 43 {
		if id := l.platform.ID(key(name(i))); id != ids[name(i)] {
			require.Equal(t, id, d.NewIDs[key(name(i))], "a new id is told")
		}
	}

	p := l.pull()
	require.Equal(t, "driftback/revert/prod-"+d.ID, p.Head)
	require.Equal(t, []string{"env/prod", "revert"}, p.Labels)
	require.Contains(t, p.Body, "queue/Q30")
	require.Contains(t, p.Body, "refused by the platform")
	var reverted []string
	require.NoError(t, l.git.Log(l.refs()["refs/heads/"+p.Head], []gitstore.ID{l.refs()[mainRef]}, func(c gitstore.Commit) error {
		_, id, _ := strings.Cut(c.Message, "This reverts commit ")
		reverted = append(reverted, id[:40])
		return nil
	}))
	require.Equal(t, []string{atFault[0].String(), atFault[1].String()}, reverted, "exactly the commits at fault, newest first")

	l.pass() // what has nothing to do with it goes on
	l.live("Q30", "a=1 b=1")
	l.live("Q12", "a=1 b=1") // changed by a commit at fault
	l.live("Q00", "a=2 b=1")
	l.live("N6", "a=1")
	l.live("Q39", "")
	l.commit(map[string]string{"Z": "a=9"})
	l.pass()
	l.live("Z", "a=9")
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateFailed: 2}, l.last.HeldBy())
	l.quiet()
	require.Equal(t, p.Number, l.pull().Number, "found again")

	l.merge(local.ByMerge)
	l.pass()
	l.inGit("Q30", "a=1 b=1")
	l.live("Q30", "a=1 b=1")
	require.Empty(t, l.last.Held)
	require.Empty(t, l.pulls())
	require.NotContains(t, l.refs(), "refs/heads/"+p.Head)
	l.quiet()
}

func TestRevertIsClosedWhenMendedForward(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.refuse(false)
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	p := l.pull()
	l.commit(map[string]string{"Q": "a=3"})
	l.pass()
	l.live("Q", "a=3")
	require.Empty(t, l.pulls())
	all, err := l.forge.Pulls(ctx, forge.Filter{Head: p.Head})
	require.NoError(t, err)
	require.Equal(t, forge.Closed, all[0].State)
	l.quiet()
}

func TestRevertClosedByAPersonStaysClosed(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.refuse(false)
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	_, err := l.forge.Close(ctx, l.pull().Number)
	require.NoError(t, err)
	l.pass()
	l.quiet()
	require.Empty(t, l.pulls())
	l.commit(map[string]string{"R": "a=bad"})
	l.pass()
	require.Len(t, l.pulls(), 1, "another failure is another question")
}

func TestRevertThatAPersonPushedToIsTheirs(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.refuse(false)
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	p := l.pull()
	tip := l.edit("refs/heads/"+p.Head, gitstore.Edit{path("R"): []byte(yaml(spec("a=5")))})
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.quiet()
	require.Equal(t, tip, l.refs()["refs/heads/"+p.Head])
}

func TestRevertSparesDriftThatWasAccepted(t *testing.T) {
	t.Parallel()
	for _, how := range []local.Method{local.ByMerge, local.BySquash} {
		l := newLoop(t, mem.Options{}, "Q: a=1 c=1 d=1 e=1 z=1")
		l.refuse(false)
		l.hand("Q", "a=1 c=1 d=1 e=1 z=2")
		l.pass()
		bad := l.commit(map[string]string{"Q": "a=bad c=1 d=1 e=1 z=1"})
		accept := l.merge(how)
		l.pass()
		require.Len(t, l.last.Deployments, 1)
		p := l.pull()
		require.Contains(t, p.Head, "/revert/")
		require.Contains(t, p.Body, bad.String()[:10])
		require.NotContains(t, p.Body, accept.String()[:10], "what was accepted stays")
		l.merge(local.ByMerge)
		l.pass()
		l.live("Q", "a=1 c=1 d=1 e=1 z=2")
		l.inGit("Q", "a=1 c=1 d=1 e=1 z=2")
		l.quiet()
	}
}

func TestPushPushesTheRevertUnlessOthersAreConcerned(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.refuse(true)
	bad := l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	l.pass()
	l.inGit("Q", "a=1")
	require.Empty(t, l.last.Held)
	l.quiet()
	all, err := l.forge.Pulls(ctx, forge.Filter{})
	require.NoError(t, err)
	require.Empty(t, all, "it was pushed, not proposed")
	c, err := l.git.CommitAt(l.refs()[mainRef])
	require.NoError(t, err)
	require.Contains(t, c.Message, "This reverts commit "+bad.String())

	// A shared object concerns every environment.
	l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: v1\n"), "environments/test/queue/T.yaml": []byte("a: v1\n")})
	l.pass()
	l.live("S", "a=1")
	l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: vbad\n")})
	l.pass()
	l.pass()
	p := l.pull()
	require.Contains(t, p.Body, "Other environments")
	require.Contains(t, p.Body, "`test`: `queue/S`")
	require.Contains(t, p.Body, "environments/prod/queue/S.yaml", "the file that keeps this environment alone as it was")
	l.quiet()
}

func TestProtectedBranchIsLeftForAReviewer(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.refuse(true)
	l.restartWith(local.Options{Protect: []string{"main"}}, func(*reconciler.Config) {})
	l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	l.pass()
	p := l.pull()
	comments, err := l.forge.Comments(ctx, p.Number)
	require.NoError(t, err)
	require.Len(t, comments, 1)
	require.Contains(t, comments[0].Body, "reviewer")
	l.inGit("Q", "a=bad")
	l.quiet()
}

// Where reverting is in conflict with what came later, this environment is kept as it was by a file of its own.
func TestRevertInConflictKeepsTheEnvironment(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.refuse(false)
	l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: v1\nb: v1\n")})
	l.pass()
	// The later commit changes the same line and nothing of the object: the earlier one cannot be taken back any more.
	l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: vbad\nb: v1\n")})
	l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: vbad # for good\nb: v1\n")})
	l.pass()
	p := l.pull()
	require.Contains(t, p.Title, "keep prod as it was")
	l.merge(local.ByMerge)
	l.pass()
	l.live("S", "a=1 b=1")
	require.Empty(t, l.last.Held)
	l.quiet()
}

func TestARevertCutOffIsFinished(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.refuse(false)
	l.commit(map[string]string{"Q": "a=bad"})
	f := &deafForge{}
	l.restartWith(local.Options{}, func(c *reconciler.Config) { f.Forge = c.Forge; c.Forge = f })
	l.now = l.now.Add(30e9)
	_, err := l.r.Once(ctx, "prod")
	require.Error(t, err)
	require.Empty(t, l.pulls())
	l.restart()
	l.pass()
	require.Len(t, l.pulls(), 1)
	l.quiet()
}

// deafForge opens no pull requests.
type deafForge struct{ forge.Forge }

func (f *deafForge) EnsurePull(context.Context, forge.Pull) (forge.Pull, error) {
	return forge.Pull{}, context.DeadlineExceeded
}

func TestProtectedObjectsPassOnlyByAWordOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1", "S: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect: [queue/Q]\n")})
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	l.hand("S", "a=5")
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=2")
	require.Equal(t, map[reconciler.Gate]int{reconciler.GateProtected: 1}, l.last.HeldBy())
	require.Len(t, l.last.Overrides, 1)
	require.Contains(t, l.last.Held[0].Reason, "--plan "+l.last.Overrides[0])
	require.Contains(t, l.pull().Body, "## Not deployed", "the pull request says why, too")
	l.quiet()

	id := l.last.Overrides[0]
	l.commit(map[string]string{"Q": "a=3"})
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoOverride, Detail: id, By: "ann"}))
	l.pass()
	l.live("Q", "a=1") // another change is another decision
	require.NotEqual(t, id, l.last.Overrides[0])
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoOverride, Detail: l.last.Overrides[0], By: "ann"}))
	l.commit(map[string]string{"R": "a=4"})
	l.pass()
	l.live("Q", "a=3")
	l.live("R", "a=4")
	require.Empty(t, l.last.Held)
	l.quiet()
}

// A rules file that a pull request proposes protects nothing and frees nothing: only the tracked branch counts.
func TestRulesOfABranchDoNotCount(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect: [queue/Q]\n")})
	l.hand("Q", "a=5")
	l.pass()
	l.edit("refs/heads/"+l.pull().Head, gitstore.Edit{"driftback.rules.yaml": nil})
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.live("Q", "a=5")
	require.Equal(t, reconciler.Conflict, l.verdict("Q"))
}

// Where neither the write nor its undoing is permitted, nothing was done, and that is no drift.
func TestDeniedWriteIsNoDrift(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.Platform = &refusing{l.env.Platform, func(c resource.Change) bool { return true }}
	l.restart()
	l.commit(map[string]string{"Q": "a=2", "N": "a=1"})
	l.pass()
	require.True(t, l.last.Deployments[0].Undone)
	require.Empty(t, l.last.Deployments[0].Left)
	require.Zero(t, l.last.Drifted)
	require.Empty(t, l.pulls())
	l.quiet()
}

// A change of an ignored field is no reason to build a pull request anew.
func TestIgnoredFieldDoesNotRebuildAProposal(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 x=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("ignore: [{objects: [queue/Q], fields: [x]}]\n")})
	l.hand("Q", "a=2 x=1")
	l.pass()
	p := l.pull()
	l.quiet()
	l.hand("Q", "a=2 x=7")
	l.pass()
	require.Equal(t, p.HeadID, l.pull().HeadID)
	require.Equal(t, p.Body, l.pull().Body)
	l.quiet()
	l.hand("Q", "a=3 x=7")
	l.pass()
	require.NotEqual(t, p.HeadID, l.pull().HeadID)
	l.hand("Q", "a=3 x=8")
	l.pass()
	l.merge(local.ByMerge)
	l.pass()
	require.Empty(t, l.pulls())
	require.Zero(t, l.last.Drifted)
	l.quiet()
}

// Of commits that changed an object and put it back before it was deployed, none is at fault, whatever else is older.
func TestWhatWasPutBackBeforeIsNotAtFault(t *testing.T) {
	t.Parallel()
	o := mem.Options{Check: func(stored map[resource.Key]resource.Spec) error {
		if stored[key("Q")]["a"] == "vbad" && stored[key("R")]["a"] == "vbad" {
			return errBroken{}
		}
		return nil
	}}
	l := newLoop(t, o, "Q: a=1", "R: a=1")
	l.env.Rollback.Auto = true
	l.restart()
	older := l.commit(map[string]string{"R": "a=bad"})
	there := l.commit(map[string]string{"Q": "a=2"})
	back := l.commit(map[string]string{"Q": "a=1"})
	newer := l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	p := l.pull()
	for id, at := range map[gitstore.ID]bool{older: true, there: false, back: false, newer: true} {
		require.Equal(t, at, strings.Contains(p.Body, id.String()[:10]), p.Body)
	}
	l.merge(local.ByMerge)
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=1")
	require.Empty(t, l.last.Held)
	l.quiet()
}
