package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

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
	l.restartWith(local.Options{Protect: []string{"main"}}, func(*reconciler.Config) {})
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
	require.Contains(t, l.said(first.Number)["theirs/prod"], "Somebody else pushed to `driftback/drift/prod`, so it is theirs")
	require.Contains(t, l.said(first.Number)["theirs/prod"], fmt.Sprintf("What was changed by hand since is proposed in #%d.", l.pulls()[0].Number))
	l.quiet()
	l.hand("Q", "a=1")
	l.hand("R", "a=1")
	l.pass()
	require.Equal(t, first.Head, l.pull().Head, "never closed by us")
	require.Equal(t, theirs, l.refs()[head])
	require.Contains(t, l.said(first.Number)["theirs/prod"], "will be proposed in another one")
	l.quiet()
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	names := []string{"../../etc/passwd", "..", ".", "-rf", "a\nb\n\nDriftback-Environment: prod", "x\x00y", "\xff\xfe", "CON", "con", "Con", "aux.yaml", ".git", "%2e", strings.Repeat("ü", 200), " lead", "trail ", "@ann fixes #1 [x](http://evil)", "$absent", "a/b/../c", "\u202eevil", "<script>alert(1)</script>", "/drift accept queue/Q"}
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
	require.NotZero(t, ok)
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

func TestClosedByUsAndCutOff(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.OnClose = "revert"
	l.restart()
	l.hand("Q", "a=2")
	l.pass()
	l.ask(reconciler.DoIgnore, "Q")
	broken := true
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = &lostAnswer{c.Forge, &broken} })
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

// busy is a platform on which somebody does something right before each reading of single objects.
type busy struct {
	reconciler.Platform
	before func()
}

func (b *busy) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	b.before()
	return b.Platform.Read(ctx, keys)
}

// What a deployment wrote over is not proposed on while nobody knows what is there by now, whatever else it recorded; and the pull
// request says why it is closed.
func TestWrittenOverTogetherWithOthers(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 b=1", "R: a=1")
	b := &busy{l.env.Platform, func() {}}
	l.env.Platform = b
	l.restart()
	l.hand("Q", "a=9 b=1")
	l.pass()
	first := l.drift()
	l.commit(map[string]string{"Q": "a=1 b=2", "R": "a=2"})
	b.before = func() { l.hand("Q", "a=5 b=5") }
	l.pass()
	require.Empty(t, l.pulls(), "it would take back what Git says of b")
	require.Contains(t, l.said(first.Number)["closed"], "Closed: what this proposes was deployed over.")
	b.before = func() {}
	l.pass()
	require.Contains(t, l.drift().Body, "v5")
	l.quiet()
}

// The answer does not say that something was done for an object of which the old name was given, and nothing was.
func TestAcceptOfAnOldName(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"accept", "ignore", "revert"} {
		l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
		require.NoError(t, l.platform.Rename(key("Q"), key("Z"), "bob"))
		l.hand("Z", "a=2")
		l.hand("R", "a=9")
		l.pass()
		n := l.pull().Number
		l.comment(n, "/drift "+do+" queue/Q")
		l.pass()
		require.Contains(t, l.answer(n), "Nothing was done.")
		require.Contains(t, l.answer(n), "`queue/Q`: it has another name by now: say this of that one")
		require.Contains(t, l.reactions(n), forge.Confused)
		l.quiet()
		l.comment(n, "/why queue/Q")
		l.pass()
		require.Contains(t, l.answer(n), "### `queue/Q`", "what is only asked is answered")
		l.comment(n, "/drift "+do+" queue/Q queue/R")
		l.pass()
		require.Contains(t, l.answer(n), "- `queue/R`")
		require.NotContains(t, l.answer(n), "Nothing was done.")
		l.live("Z", "a=2")
		l.pass()
		l.quiet()
	}
}

// Of accepting, ignoring and closing, the last word counts: what was left for a reviewer is not merged on the strength of an older one.
func TestTheLastWordOnAnAcceptCounts(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(l *loop, first forge.Pull){
		"closed and opened again": func(l *loop, first forge.Pull) {
			_, err := l.forge.Close(ctx, first.Number)
			require.NoError(l, err)
			l.pass()
			l.quiet()
			_, err = l.forge.Reopen(ctx, first.Number)
			require.NoError(l, err)
		},
		"ignored for an hour": func(l *loop, _ forge.Pull) {
			h := spec("a=9").Hash()
			require.NoError(l, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoIgnore, Until: l.now.Add(time.Hour), Keys: map[resource.Key]resource.Hash{key("A"): h, key("B"): h}}))
			l.pass()
			require.NotContains(l, l.drift().Body, "queue/A")
			l.now = l.now.Add(2 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, first := drifted(t, local.Options{Protect: []string{"main"}})
			l.comment(first.Number, "/drift accept queue/A queue/B")
			l.pass()
			l.commit(map[string]string{"Z": "a=1"}) // what is refused is tried again then
			do(l, first)
			l.restartWith(local.Options{}, func(*reconciler.Config) {})
			l.pass()
			l.pass()
			l.inGit("A", "a=1")
			l.proposes(l.drift(), "A", "B", "C", "D", "E")
			l.quiet()
			l.ask(reconciler.DoIgnore, "A")
			l.pass()
			l.ask(reconciler.DoAccept, "A")
			l.pass()
			l.pass()
			l.inGit("A", "a=9")
			l.quiet()
		})
	}
}
