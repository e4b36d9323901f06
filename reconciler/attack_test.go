package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/credential"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// ask files a request about queues with the live values that they have.
func (l *loop) ask(do string, names ...string) {
	l.Helper()
	l.now = l.now.Add(time.Second)
	q := reconciler.Request{Do: do, By: "ann", Keys: map[resource.Key]resource.Hash{}}
	for _, n := range names {
		h := resource.Hash{}
		if s, there := l.platform.Get(key(n)); there {
			h = s.Hash()
		}
		q.Keys[key(n)] = h
	}
	require.NoError(l, l.r.File(ctx, "prod", q))
}

// protect makes the forge refuse merges into main by driftback.
func (l *loop) protect() {
	l.Helper()
	l.now = l.now.Add(2 * time.Minute)
	store := l.open()
	f, err := local.Open(store, local.Options{Now: l.Now, User: "driftback <driftback@example.invalid>", Protect: []string{"main"}})
	require.NoError(l, err)
	l.r, err = reconciler.New(reconciler.Config{Store: store, Forge: f, Clock: l, Environments: []reconciler.Environment{l.env}, Jitter: func() float64 { return 0 }})
	require.NoError(l, err)
}

func TestRevertingAMergeByFieldRestores(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1")
	l.hand("Q", "a=1 b=2")
	id := l.commit(map[string]string{"Q": "a=2 b=1"})
	l.pass()
	l.live("Q", "a=2 b=2")
	l.revert(id)
	l.pass()
	l.live("Q", "a=1 b=2")
	require.Equal(t, reconciler.Record, l.verdict("Q"))
	l.quiet()
}

func TestRevertingRestoresWhereThePlatformFillsIn(t *testing.T) {
	t.Parallel()
	fill := false
	o := mem.Options{Fill: func(_ resource.Key, s resource.Spec) resource.Spec {
		if !fill {
			return s
		}
		s = s.Clone()
		s["x"] = "filled"
		return s
	}}
	l := newLoop(t, o, "Q: a=1")
	fill = true
	id := l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.revert(id)
	l.pass()
	got, _ := l.platform.Get(key("Q"))
	require.Equal(t, "v1", got["a"])
	l.quiet()
}

func TestAcceptAllMerges(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.ask(reconciler.DoAccept, "Q")
	l.pass()
	l.pass()
	l.inGit("Q", "a=2")
	require.Empty(t, l.pulls())
	l.quiet()
}

func TestAcceptOneWhileAnotherDrifts(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.hand("R", "a=2")
	l.ask(reconciler.DoAccept, "Q")
	l.pass()
	l.pass()
	l.inGit("Q", "a=2")
	l.inGit("R", "a=1")
	require.Contains(t, l.pull().Title, "queue/R")
	l.quiet()
}

func TestAcceptPartUnderProtection(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.protect()
	l.hand("Q", "a=2")
	l.hand("R", "a=2")
	l.pass()
	l.ask(reconciler.DoAccept, "Q")
	l.pass()
	l.pass()
	require.Len(t, l.pulls(), 2)
	l.inGit("Q", "a=1")
	l.quiet()
	for _, p := range l.pulls() {
		if strings.Contains(p.Title, "queue/Q") {
			_, err := l.forge.MergeWith(ctx, p.Number, local.MergeOptions{})
			require.NoError(t, err)
		}
	}
	l.pass()
	l.inGit("Q", "a=2")
	require.Contains(t, l.pull().Title, "queue/R")
	l.quiet()
}

func TestAPartialReadingLeavesThePullRequestOpen(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	before, refs := l.pull(), l.refs()
	l.platform.Fail("queue", errors.New("down"))
	l.pass()
	l.pass()
	require.Equal(t, before, l.pull())
	l.platform.Fail("queue", nil)
	l.pass()
	require.Equal(t, before, l.pull())
	require.Equal(t, refs["refs/heads/driftback/drift/prod"], l.refs()["refs/heads/driftback/drift/prod"])
	l.platform.Hide(key("Q"), "locked")
	l.pass()
	require.Equal(t, before, l.pull())
	l.quiet()
}

func TestAFirstPassThatReadsNothingAdoptsNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.commit(map[string]string{"Q": "a=1", "R": "a=1"})
	require.NoError(t, l.platform.Put(key("S"), spec("a=9"), "bob"))
	l.platform.Fail("queue", errors.New("down"))
	l.pass()
	l.platform.Fail("queue", nil)
	l.pass()
	l.pass()
	l.live("Q", "")
	require.Contains(t, l.pull().Title, "")
}

func TestIgnoringTheFirstImportAdoptsNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.commit(map[string]string{"Q": "a=1"})
	require.NoError(t, l.platform.Put(key("S"), spec("a=9"), "bob"))
	l.pass()
	l.ask(reconciler.DoIgnore, "S")
	l.pass()
	l.pass()
	l.pass()
	l.live("Q", "")
}

func TestTheLastWordWins(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.ask(reconciler.DoSuspend)
	l.ask(reconciler.DoResume)
	l.pass()
	require.False(t, l.last.Suspended)
}

func TestAnOpenDeploymentIsNotFinishedInObserveMode(t *testing.T) {
	t.Parallel()
	var cut bool
	o := mem.Options{}
	l := newLoop(t, o, "Q: a=1", "R: a=1")
	p := &cutOff{Target: l.env.Platform.(*vendors.Target), cut: &cut}
	l.env.Platform = p
	l.restart()
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	cut = true
	l.now = l.now.Add(30 * time.Second)
	_, err := l.r.Once(ctx, "prod")
	require.Error(t, err)
	cut = false
	l.env.Mode = reconciler.Observe
	l.restart()
	w := l.platform.Counts().Writes
	l.pass()
	require.Equal(t, w, l.platform.Counts().Writes)
	l.quiet()
	l.env.Mode = reconciler.Sync
	l.restart()
	l.pass()
	l.live("Q", "a=2")
	l.live("R", "a=2")
	l.quiet()
}

// cutOff fails the second write.
type cutOff struct {
	*vendors.Target
	cut *bool
	n   int
}

func (c *cutOff) Apply(ctx0 context.Context, ch resource.Change) (resource.Resource, error) {
	if *c.cut {
		if c.n++; c.n > 1 {
			return resource.Resource{}, errors.New("connection lost")
		}
	}
	return c.Target.Apply(ctx0, ch)
}

func TestForcePushWhileADeploymentIsOpen(t *testing.T) {
	t.Parallel()
	var cut bool
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.env.Platform = &cutOff{Target: l.env.Platform.(*vendors.Target), cut: &cut}
	l.restart()
	old := l.refs()[mainRef]
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	cut = true
	_, err := l.r.Once(ctx, "prod")
	require.Error(t, err)
	cut = false
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: l.refs()[mainRef], New: old}))
	rep, err := l.r.Once(ctx, "prod")
	if errors.Is(err, reconciler.ErrHalted) {
		require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoResume, Detail: rep.Halt.Detail}))
	}
	l.pass()
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=1")
	l.quiet()
}

func TestAPersonsBranchOutlivesTheState(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	head := "refs/heads/" + l.pull().Head
	theirs := l.edit(head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
	refs := l.refs()
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: stateRef, Old: refs[stateRef]}))
	l.restart()
	_, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	_, err = l.r.Rebuild(ctx, "prod")
	require.NoError(t, err)
	l.pass()
	require.Equal(t, theirs, l.refs()[head])
	l.quiet()
}

func TestAClosedForeignBranchIsNotOverwritten(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	n := l.pull().Number
	head := "refs/heads/" + l.pull().Head
	theirs := l.edit(head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
	l.pass()
	_, err := l.forge.Close(ctx, n)
	require.NoError(t, err)
	l.pass()
	l.hand("Q", "a=5")
	l.pass()
	l.pull()
	require.Equal(t, theirs, l.refs()[head])
	l.quiet()
}

func TestForeignBranchThenLiveChangesAgain(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.hand("R", "a=2")
	l.pass()
	first := l.pull()
	head := "refs/heads/" + first.Head
	theirs := l.edit(head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
	l.hand("Q", "a=4")
	l.pass()
	require.Len(t, l.pulls(), 2)
	require.Equal(t, theirs, l.refs()[head])
	l.quiet()
	l.hand("Q", "a=1")
	l.hand("R", "a=1")
	l.pass()
	require.Equal(t, first.Head, l.pull().Head, "never closed by us")
	require.Equal(t, theirs, l.refs()[head])
	l.quiet()
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	names := []string{"../../etc/passwd", "..", ".", "-rf", "a\nb\n\nDriftback-Environment: prod", "x\x00y", "\xff\xfe", "CON", "con", "Con", "aux.yaml", ".git", "%2e", strings.Repeat("ü", 200), " lead", "trail ", "@ann fixes #1 [x](http://evil)", "$absent", "a/b/../c", "‮evil", "<script>alert(1)</script>", "/drift accept queue/Q"}
	ok := 0
	for _, n := range names {
		if err := l.platform.Put(resource.Key{Kind: "queue", Name: n}, spec("a=1"), "mallory\nChanged-by: root"); err == nil {
			ok++
		}
	}
	l.pass()
	l.quiet()
	draft := l.pull()
	draft.Draft = false
	_, err := l.forge.EnsurePull(ctx, draft)
	require.NoError(t, err)
	l.merge(local.BySquash)
	l.pass()
	require.Empty(t, l.pulls())
	l.quiet()
	t.Log(ok, l.last.Unknown, l.last.Held)
}

// inNoObject requires that no commit of any ref, and no file in it, holds the text.
func (l *loop) inNoObject(text string) {
	l.Helper()
	for ref, tip := range l.refs() {
		require.NoError(l, l.git.Log(tip, nil, func(c gitstore.Commit) error {
			require.NotContains(l, c.Message, text, ref)
			return l.git.Files(c.ID, "", func(f gitstore.File) error {
				b, err := l.git.Blob(f.ID, 0)
				require.NotContains(l, string(b), text, "%s of %s", f.Path, ref)
				return err
			})
		}))
	}
}

func TestACredentialReachesNothing(t *testing.T) {
	t.Parallel()
	const secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l.wrapLog(logger)
	require.NoError(t, l.platform.Put(key("Q"), resource.Spec{"a": "v1", "token": secret}, "bob"))
	require.NoError(t, l.platform.Put(key("file/app.conf"), resource.Spec{"content": "password = " + secret + "\n"}, "bob"))
	l.hand("R", "a=2")
	l.pass()
	l.quiet()
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.pass()
	got, _ := l.platform.Get(key("Q"))
	require.Equal(t, secret, got["token"], "what is withheld is not overwritten")
	l.inNoObject(secret)
	require.NotContains(t, log.String(), secret)
	require.NotContains(t, fmt.Sprintf("%+v", l.last.Unknown), secret)
	require.NotContains(t, fmt.Sprintf("%+v", l.last.Held), secret)
	l.env.Allow = credential.Allow{{Object: "**"}}
	l.restart()
	l.pass()
	require.Contains(t, l.pull().Body, "queue/Q")
	l.quiet()
}

func TestTwoEnvironmentsOfOneSharedFile(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	other := mem.New(mem.Options{Now: l.Now, IDs: true, Kinds: kinds})
	require.NoError(t, l.platform.Put(key("Q"), spec("a=1 b=1 c=long_enough_for_an_overlay"), "bob"))
	require.NoError(t, other.Put(key("Q"), spec("a=1 b=1 c=long_enough_for_an_overlay"), "bob"))
	l.edit(mainRef, gitstore.Edit{"shared/queue/Q.yaml": []byte("a: v1\nb: v1\nc: vlong_enough_for_an_overlay\n")})
	test := l.env
	test.Name, test.Platform = "test", vendors.NewTarget(other.Driver(), vendors.TargetOptions{Clock: l})
	l.now = l.now.Add(2 * time.Minute)
	store := l.open()
	f, err := local.Open(store, local.Options{Now: l.Now, User: "driftback <driftback@example.invalid>"})
	require.NoError(t, err)
	l.r, err = reconciler.New(reconciler.Config{Store: store, Forge: f, Clock: l, Environments: []reconciler.Environment{l.env, test}, Jitter: func() float64 { return 0 }})
	require.NoError(t, err)
	both := func() {
		l.pass()
		_, err := l.r.Once(ctx, "test")
		require.NoError(t, err)
	}
	both()
	both()
	l.hand("Q", "a=1 b=2 c=long_enough_for_an_overlay")
	both()
	require.Contains(t, l.pull().Head, "prod")
	l.merge(local.BySquash)
	both()
	both()
	got, _ := other.Get(key("Q"))
	require.Equal(t, spec("a=1 b=1 c=long_enough_for_an_overlay"), got, "prod's drift stays in prod")
	id := l.edit(mainRef, gitstore.Edit{"shared/queue/Q.yaml": []byte("a: v9\nb: v1\nc: vlong_enough_for_an_overlay\n")})
	both()
	got, _ = other.Get(key("Q"))
	require.Equal(t, spec("a=9 b=1 c=long_enough_for_an_overlay"), got)
	l.live("Q", "a=9 b=2 c=long_enough_for_an_overlay")
	l.revert(id)
	both()
	got, _ = other.Get(key("Q"))
	require.Equal(t, spec("a=1 b=1 c=long_enough_for_an_overlay"), got)
	l.live("Q", "a=1 b=2 c=long_enough_for_an_overlay")
	l.quiet()
}

func TestIgnoredFieldsStayOutOfTheWay(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1 x=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("ignore:\n  - kinds: [queue]\n    fields: [x]\n")})
	l.pass()
	l.hand("Q", "a=1 b=1 x=2")
	l.pass()
	require.Empty(t, l.pulls())
	l.quiet()
	id := l.commit(map[string]string{"Q": "a=2 b=1 x=1"})
	l.pass()
	l.live("Q", "a=2 b=1 x=2")
	l.quiet()
	l.revert(id)
	l.pass()
	l.live("Q", "a=1 b=1 x=2")
	l.quiet()
}

func TestAnotherTenantHaltsUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	o := mem.Options{Tenant: "other", Now: l.Now, IDs: true, Kinds: kinds}
	l.platform = mem.New(o)
	l.env.Platform = vendors.NewTarget(l.platform.Driver(), vendors.TargetOptions{Clock: l})
	l.restart()
	live := l.refs()[liveRef]
	rep, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	_, err = l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	require.Equal(t, live, l.refs()[liveRef])
	require.Zero(t, l.platform.Counts().Writes)
	require.Len(t, l.pulls(), 1)
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoResume, Detail: rep.Halt.Detail}))
	l.pass()
	l.quiet()
}

func TestAnotherBranchHaltsUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	refs := l.refs()
	c, err := l.git.Commit(ctx, "refs/heads/next", gitstore.ID{}, gitstore.Edit{path("Q"): []byte("a: v7\n")}, gitstore.Signature{Name: "ann"}, "x")
	require.NoError(t, err)
	_, _ = refs, c
	l.env.Branch = "next"
	l.restart()
	rep, err := l.r.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrHalted)
	l.live("Q", "a=1")
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoResume, Detail: rep.Halt.Detail}))
	l.pass()
	l.live("Q", "a=7")
	l.quiet()
}

func TestForeignCommitsOnTheLiveBranch(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	theirs := l.edit(liveRef, gitstore.Edit{"queue/Q.yaml": []byte("a: [broken\n"), "queue/R.yaml": nil, "queue/X.yaml": []byte("a: v1\n")})
	l.pass()
	ok, err := l.git.IsAncestor(theirs, l.refs()[liveRef])
	require.NoError(t, err)
	require.True(t, ok)
	l.live("Q", "a=1")
	l.live("X", "")
	require.Empty(t, l.pulls())
	l.quiet()
	l.hand("Q", "a=2")
	require.NoError(t, l.platform.Put(key("file/a"), resource.Spec{"content": "x\n"}, "bob"))
	l.pass()
	l.merge(local.ByMerge)
	l.pass()
	l.quiet()
}

func TestABrokenFileDeletesNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{path("Q"): []byte("a: [\n"), path("R"): nil})
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.live("Q", "a=2")
	l.quiet()
	l.edit(mainRef, gitstore.Edit{path("Q"): []byte("a: v1\n")})
	l.pass()
	l.live("R", "")
	l.live("Q", "a=2")
	l.quiet()
}

func TestRenamedInGitAndBack(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	id := l.platform.ID(key("Q"))
	rev := l.edit(mainRef, gitstore.Edit{path("Q"): nil, path("N"): []byte("$renamedFrom: Q\na: v2\n")})
	l.pass()
	l.live("Q", "")
	l.live("N", "a=2")
	require.Equal(t, id, l.platform.ID(key("N")))
	l.quiet()
	l.revert(rev)
	l.pass()
	l.live("N", "")
	l.live("Q", "a=1")
	require.Equal(t, id, l.platform.ID(key("Q")))
	l.quiet()
}

func TestRenamedByHandAcceptedAndReverted(t *testing.T) {
	t.Parallel()
	for _, how := range methods {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
			id := l.platform.ID(key("Q"))
			require.NoError(t, l.platform.Rename(key("Q"), key("N"), "bob"))
			l.hand("N", "a=2")
			l.pass()
			l.quiet()
			m := l.merge(how)
			l.pass()
			l.live("N", "a=2")
			l.quiet()
			if how == local.ByRebase {
				return
			}
			l.revert(m)
			l.pass()
			l.live("N", "")
			l.live("Q", "a=1")
			require.Equal(t, id, l.platform.ID(key("Q")))
			l.quiet()
		})
	}
}

func TestRenamedHereAndEditedThere(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{path("Q"): nil, path("N"): []byte("$renamedFrom: Q\na: v1\nb: v1\n")})
	l.hand("Q", "a=1 b=2")
	l.pass()
	l.live("Q", "a=1 b=2")
	l.live("N", "")
	l.quiet()
	l.merge(local.ByMerge)
	l.pass()
	l.live("Q", "a=1 b=2")
	l.quiet()
}

func TestIgnoredUntil(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.hand("R", "a=2")
	l.pass()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoIgnore, Keys: map[resource.Key]resource.Hash{key("Q"): spec("a=2").Hash()}, Until: l.now.Add(time.Hour)}))
	l.pass()
	require.NotContains(t, l.pull().Title, "queue/Q")
	l.quiet()
	l.now = l.now.Add(2 * time.Hour)
	l.pass()
	require.Contains(t, l.pull().Body, "queue/Q")
	l.quiet()
}

func TestSilencedThenReverted(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.hand("R", "")
	l.pass()
	n := l.pull().Number
	_, err := l.forge.Close(ctx, n)
	require.NoError(t, err)
	l.pass()
	l.quiet()
	l.ask(reconciler.DoRevert, "Q", "R")
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=1")
	l.quiet()
	require.Empty(t, l.pulls())
}

func TestReopened(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	n := l.pull().Number
	_, err := l.forge.Close(ctx, n)
	require.NoError(t, err)
	l.pass()
	_, err = l.forge.Reopen(ctx, n)
	require.NoError(t, err)
	l.pass()
	require.Equal(t, n, l.pull().Number)
	l.quiet()
	l.merge(local.ByMerge)
	l.pass()
	l.inGit("Q", "a=2")
	l.quiet()
}

func TestOneRefAtATime(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.remote.SetAtomic(false)
	l.restart()
	l.hand("Q", "a=2")
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.live("R", "a=2")
	l.quiet()
	l.merge(local.BySquash)
	l.pass()
	l.inGit("Q", "a=2")
	l.quiet()
}

func TestRawTextsMergedByLine(t *testing.T) {
	t.Parallel()
	for _, checked := range []bool{false, true} {
		t.Run(fmt.Sprint(checked), func(t *testing.T) {
			t.Parallel()
			o := mem.Options{}
			if checked {
				o.Check = func(map[resource.Key]resource.Spec) error { return nil }
			}
			l := newLoop(t, o, "Q: a=1")
			l.env.MergeText = true
			l.restart()
			const at = "environments/prod/file/a.conf"
			put := func(s string) {
				require.NoError(t, l.platform.Put(key("file/a.conf"), resource.Spec{"content": s}, "bob"))
			}
			put("1\n2\n3\n4\n5\n")
			l.edit(mainRef, gitstore.Edit{at: []byte("1\n2\n3\n4\n5\n")})
			l.pass()
			l.quiet()
			put("1\n2\n3\n4\nfive\n")
			l.edit(mainRef, gitstore.Edit{at: []byte("one\n2\n3\n4\n5\n")})
			l.pass()
			got, _ := l.platform.Get(key("file/a.conf"))
			if checked {
				require.Equal(t, "one\n2\n3\n4\nfive\n", got["content"])
			} else {
				require.Equal(t, "1\n2\n3\n4\nfive\n", got["content"])
			}
			l.quiet()
			l.pull()
		})
	}
}

func TestClosedByUsAndCutOff(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.OnClose = "revert"
	l.restart()
	l.hand("Q", "a=2")
	l.pass()
	l.ask(reconciler.DoIgnore, "Q")
	broken := true
	l.wrapForge(func(f forge.Forge) forge.Forge { return &lostAnswer{f, &broken} })
	l.now = l.now.Add(time.Minute)
	_, err := l.r.Once(ctx, "prod")
	require.Error(t, err)
	broken = false
	l.pass()
	l.pass()
	l.live("Q", "a=2")
	l.quiet()
}

// lostAnswer closes pull requests and loses the answer.
type lostAnswer struct {
	forge.Forge
	broken *bool
}

func (f *lostAnswer) EnsurePull(ctx context.Context, p forge.Pull) (forge.Pull, error) {
	got, err := f.Forge.EnsurePull(ctx, p)
	if *f.broken && p.State == forge.Closed {
		return forge.Pull{}, errors.New("connection lost")
	}
	return got, err
}

// wrapForge restarts with another view of the forge.
func (l *loop) wrapForge(wrap func(forge.Forge) forge.Forge) {
	l.Helper()
	l.now = l.now.Add(2 * time.Minute)
	store := l.open()
	f, err := local.Open(store, local.Options{Now: l.Now, User: "driftback <driftback@example.invalid>"})
	require.NoError(l, err)
	l.r, err = reconciler.New(reconciler.Config{Store: store, Forge: wrap(f), Clock: l, Environments: []reconciler.Environment{l.env}, Jitter: func() float64 { return 0 }})
	require.NoError(l, err)
}

// wrapLog restarts with a log.
func (l *loop) wrapLog(log *slog.Logger) {
	l.Helper()
	l.now = l.now.Add(2 * time.Minute)
	store := l.open()
	f, err := local.Open(store, local.Options{Now: l.Now, User: "driftback <driftback@example.invalid>"})
	require.NoError(l, err)
	l.r, err = reconciler.New(reconciler.Config{Store: store, Forge: f, Clock: l, Logger: log, Environments: []reconciler.Environment{l.env}, Jitter: func() float64 { return 0 }})
	require.NoError(l, err)
}

func TestClosedByUsThenReopenedAndClosedByAPerson(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	n := l.pull().Number
	l.hand("Q", "a=1")
	l.pass()
	require.Empty(t, l.pulls())
	_, err := l.forge.Reopen(ctx, n)
	require.NoError(t, err)
	l.hand("Q", "a=2")
	l.pass()
	require.Equal(t, n, l.pull().Number)
	l.quiet()
	_, err = l.forge.Close(ctx, n)
	require.NoError(t, err)
	l.pass()
	require.Empty(t, l.pulls(), "closed by a person is silenced")
	l.quiet()
}

func TestEnforceUndoesAndSaysSo(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1", "R: a=1", "S: a=1")
	l.env.Mode = reconciler.Enforce
	l.restart()
	l.hand("Q", "a=2 b=1")
	l.hand("R", "")
	require.NoError(t, l.platform.Rename(key("S"), key("T"), "bob"))
	l.hand("U", "a=1")
	l.pass()
	l.live("Q", "a=1 b=1")
	l.live("R", "a=1")
	l.live("S", "a=1")
	l.live("T", "")
	l.pass()
	l.live("U", "a=1")
	require.Contains(t, l.pull().Title, "queue/U")
	l.quiet()
	l.hand("Q", "a=1 b=7")
	l.commit(map[string]string{"Q": "a=3 b=1"})
	l.pass()
	l.live("Q", "a=3 b=1")
	l.quiet()
}

func TestScopeNarrowedAndWidened(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	full := l.env.Platform
	narrow := &narrowed{Platform: full, cover: resource.Cover{Exclude: []string{"Q"}}}
	l.env.Platform = narrow
	l.restart()
	l.pass()
	l.quiet()
	l.hand("Q", "")
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.live("R", "a=2")
	require.Empty(t, l.pulls(), "outside the scope nothing is known")
	l.commit(map[string]string{"Q": ""})
	l.pass()
	l.commit(map[string]string{"Q": "a=5"})
	l.pass()
	l.live("Q", "")
	l.env.Platform = full
	l.restart()
	l.pass()
	l.live("Q", "")
	l.quiet()
}

func TestScopeOfAnotherPartition(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	full := l.env.Platform
	l.env.Platform = &narrowed{Platform: full, cover: resource.Cover{Partition: "west"}, hide: "Q"}
	l.restart()
	l.pass()
	require.Empty(t, l.pulls())
	l.live("Q", "a=1")
	l.quiet()
	l.env.Platform = full
	l.restart()
	l.pass()
	require.Empty(t, l.pulls())
	l.quiet()
	l.hand("Q", "")
	l.pass()
	require.Contains(t, l.pull().Title, "queue/Q", "seen again, then deleted")
}

// narrowed is a platform of which less is seen.
type narrowed struct {
	reconciler.Platform
	cover resource.Cover
	hide  string
}

func (n *narrowed) trim(s *resource.Snapshot) *resource.Snapshot {
	scope := s.Scope()
	scope.Kinds = maps.Clone(scope.Kinds)
	scope.Kinds["queue"] = n.cover
	over := resource.Overlay{}
	for e := range s.Entries() {
		if !scope.Covers(e.Key) || e.Key.Name == n.hide {
			over[e.Key] = nil
		}
	}
	return s.With(over).WithOptions(resource.Options{Scope: scope, Tenant: s.Tenant(), Load: func(e resource.Entry) (resource.Spec, error) { return s.Spec(e.Key) }})
}

func (n *narrowed) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	s, err := n.Platform.Observe(ctx, r)
	return n.trim(s), err
}

func (n *narrowed) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	s, err := n.Platform.Read(ctx, keys)
	return n.trim(s), err
}

func TestASecondReconcilerTakesOver(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	var cut bool
	whole := l.env.Platform
	l.env.Platform = &cutOff{Target: whole.(*vendors.Target), cut: &cut}
	l.restart()
	a := l.r
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	cut = true
	_, err := a.Once(ctx, "prod")
	require.Error(t, err)
	l.env.Platform = whole
	l.now = l.now.Add(-2 * time.Minute)
	l.restart() // at once
	b := l.r
	_, err = b.Once(ctx, "prod")
	require.ErrorIs(t, err, reconciler.ErrStandBack)
	l.hand("R", "a=7")
	l.now = l.now.Add(2 * time.Minute)
	cut = false
	l.r = b
	l.pass()
	l.live("Q", "a=2")
	l.live("R", "a=7")
	l.now = l.now.Add(time.Second)
	_, err = a.Once(ctx, "prod")
	require.True(t, err == nil || errors.Is(err, reconciler.ErrStandBack), "%v", err)
	l.pass()
	require.Equal(t, reconciler.Conflict, l.verdict("R"))
	l.quiet()
}

func TestSuspendedWritesNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.ask(reconciler.DoSuspend)
	l.pass()
	l.quiet()
	l.hand("Q", "a=2")
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.live("R", "a=1")
	l.quiet()
	l.ask(reconciler.DoResume)
	l.pass()
	l.live("R", "a=2")
	l.pull()
	l.quiet()
}

func TestProtectedIsHeld(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect:\n  - queue/Q\n")})
	l.commit(map[string]string{"Q": "a=2", "R": "a=2"})
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=2")
	l.quiet()
	l.hand("Q", "a=3")
	l.pass()
	l.live("Q", "a=3")
	l.quiet()
}

func TestReferencesAreOrderedAndHeld(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	o := mem.Options{Now: l.Now, IDs: true}
	l.platform = mem.New(o)
	l.env.Platform = vendors.NewTarget(l.platform.Driver(), vendors.TargetOptions{Clock: l})
	l.env.Name = "call"
	once := func() reconciler.Report {
		l.now = l.now.Add(30 * time.Second)
		r, err := l.r.Once(ctx, "call")
		require.NoError(t, err)
		return r
	}
	l.restart()
	once()
	once()
	e := gitstore.Edit{}
	for p, s := range map[string]string{"skill/Billing": "{}\n", "queue/Support": "skills:\n  - $ref: skill/Billing\n", "queue/Bad": "skills:\n  - $ref: skill/Nowhere\n"} {
		e["environments/call/"+p+".yaml"] = []byte(s)
	}
	id := l.edit(mainRef, e)
	r := once()
	_, there := l.platform.Get(key("queue/Support"))
	require.True(t, there, "%+v %+v", r.Held, r.Unknown)
	require.NotEmpty(t, r.Held)
	l.revert(id)
	once()
	require.Empty(t, l.platform.State())
}

func TestHalfARenameIsARename(t *testing.T) {
	t.Parallel()
	for _, half := range []string{"Q", "N"} {
		t.Run("revert "+half, func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
			id := l.platform.ID(key("Q"))
			require.NoError(t, l.platform.Rename(key("Q"), key("N"), "bob"))
			l.pass()
			l.ask(reconciler.DoRevert, half)
			l.pass()
			l.live("N", "")
			l.live("Q", "a=1")
			require.Equal(t, id, l.platform.ID(key("Q")))
			l.quiet()
		})
		t.Run("accept "+half, func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
			require.NoError(t, l.platform.Rename(key("Q"), key("N"), "bob"))
			l.pass()
			l.ask(reconciler.DoAccept, half)
			l.pass()
			l.pass()
			l.inGit("Q", "")
			l.inGit("N", "a=1")
			require.Empty(t, l.pulls())
			l.quiet()
		})
	}
}

func TestEnforceDoesNotFightThePlatform(t *testing.T) {
	t.Parallel()
	fill := false
	l := newLoop(t, mem.Options{Fill: func(_ resource.Key, s resource.Spec) resource.Spec {
		if !fill {
			return s
		}
		s = s.Clone()
		s["x"] = "filled"
		return s
	}}, "Q: a=1")
	l.env.Mode = reconciler.Enforce
	l.restart()
	fill = true
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.pass()
	l.pass()
	l.quiet()
}

func TestObserveNeverWrites(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.env.Mode = reconciler.Observe
	l.restart()
	l.hand("Q", "a=2")
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	w := l.platform.Counts().Writes
	l.quiet()
	l.ask(reconciler.DoRevert, "Q")
	l.pass()
	require.Equal(t, w, l.platform.Counts().Writes)
	l.quiet()
}
