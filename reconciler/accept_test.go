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
)

// drifted begins with queues A, B, C, D and E that somebody changed by hand, and the pull request that proposes them.
func drifted(t *testing.T, o local.Options) (*loop, forge.Pull) {
	l := newLoop(t, mem.Options{}, "A: a=1", "B: a=1", "C: a=1", "D: a=1", "E: a=1")
	l.restartWith(o, func(*reconciler.Config) {})
	for _, q := range []string{"A", "B", "C", "D", "E"} {
		l.hand(q, "a=9")
	}
	l.pass()
	return l, l.pull()
}

// proposes requires that a branch says of exactly these queues what live says, and of others what main says.
func (l *loop) proposes(pull forge.Pull, queues ...string) {
	l.Helper()
	refs := l.refs()
	base, err := l.git.MergeBase(refs[mainRef], refs["refs/heads/"+pull.Head])
	require.NoError(l, err)
	var changed []string
	require.NoError(l, l.git.Diff(base, refs["refs/heads/"+pull.Head], "", func(d gitstore.Delta) error {
		changed = append(changed, d.Path)
		return nil
	}))
	var want []string
	for _, q := range queues {
		want = append(want, path(q))
	}
	require.ElementsMatch(l, want, changed, pull.Head)
}

// byNumber is a pull request, whatever became of it.
func (l *loop) byNumber(n int) forge.Pull {
	l.Helper()
	all, err := l.forge.Pulls(ctx, forge.Filter{})
	require.NoError(l, err)
	for _, p := range all {
		if p.Number == n {
			return p
		}
	}
	require.Fail(l, "no such pull request")
	return forge.Pull{}
}

// Accepting some narrows the pull request that it is said on, which is merged, and the rest moves to a second one.
func TestAcceptNarrowsThePullRequest(t *testing.T) {
	t.Parallel()
	l, first := drifted(t, local.Options{})
	l.comment(first.Number, "/drift accept queue/A queue/B")
	l.pass()
	require.Equal(t, forge.Merged, l.byNumber(first.Number).State)
	require.Contains(t, l.byNumber(first.Number).Title, "2 objects")
	rest := l.pull()
	require.Equal(t, first.Head+"-2", rest.Head)
	require.Contains(t, l.answer(first.Number), fmt.Sprintf("Accepted into Git: #%d is merged. What was changed by hand besides these is proposed in #%d.", first.Number, rest.Number))
	l.proposes(rest, "C", "D", "E")
	l.pass()
	l.inGit("B", "a=9")
	l.inGit("C", "a=1")
	l.quiet()
	l.merge(local.BySquash)
	l.pass()
	l.inGit("E", "a=9")
	require.Empty(t, l.pulls())
	l.quiet()
}

// Where the rules want a review, each that was narrowed waits for a reviewer of its own; /cancel takes that back.
func TestAcceptedInTurnIsLeftForReviewers(t *testing.T) {
	t.Parallel()
	l, first := drifted(t, local.Options{Protect: []string{"main"}})
	l.comment(first.Number, "/drift accept queue/A queue/B")
	l.pass()
	require.Len(t, l.pulls(), 2)
	second := l.pulls()[0]
	require.Contains(t, l.answer(first.Number), fmt.Sprintf("do not let driftback merge #%d. What was changed by hand besides these is proposed in #%d.", first.Number, second.Number))
	l.proposes(first, "A", "B")
	l.proposes(second, "C", "D", "E")
	l.quiet()
	narrowed := l.byNumber(first.Number)

	l.ask(reconciler.DoAccept, "C") // the command line does not say where
	l.pass()
	require.Len(t, l.pulls(), 3)
	third := l.pulls()[0]
	require.Equal(t, narrowed, l.byNumber(first.Number), "what a reviewer looks at stays as it is")
	l.proposes(second, "C")
	l.proposes(third, "D", "E")
	l.quiet()

	l.comment(second.Number, "/cancel")
	l.pass()
	require.Contains(t, l.answer(second.Number), "`queue/C` is no longer accepted.")
	require.Len(t, l.pulls(), 2)
	l.proposes(first, "A", "B")
	l.proposes(third, "C", "D", "E")
	require.Contains(t, l.said(second.Number)["closed"], fmt.Sprintf("Closed: what is left of this is proposed in #%d.", third.Number))
	l.quiet()

	l.mergePull(first.Number)
	l.pass()
	l.comment(third.Number, "/drift revert")
	l.pass()
	l.live("A", "a=9")
	l.live("D", "a=1")
	require.Empty(t, l.pulls())
	l.quiet()
}

// What was left for a reviewer is tried again once the tracked branch moved, here by the rest that was accepted too.
func TestAllThatWasAcceptedIsMerged(t *testing.T) {
	t.Parallel()
	l, first := drifted(t, local.Options{Protect: []string{"main"}})
	l.ask(reconciler.DoAccept, "A", "B")
	l.pass()
	l.restartWith(local.Options{}, func(*reconciler.Config) {})
	l.ask(reconciler.DoAccept, "A", "B", "C", "D", "E")
	l.pass()
	require.Equal(t, first.Number, l.pull().Number, "the rest is merged")
	l.pass()
	l.pass()
	require.Empty(t, l.pulls())
	for _, q := range []string{"A", "B", "C", "D", "E"} {
		l.inGit(q, "a=9")
		l.live(q, "a=9")
	}
	l.quiet()
}

// What a guard made a draft is accepted all the same, and what is left of it is a draft where it still breaches the guard.
func TestAcceptOfADraft(t *testing.T) {
	t.Parallel()
	var queues []string
	for i := range 14 {
		queues = append(queues, fmt.Sprintf("Q%02d: a=1", i))
	}
	l := newLoop(t, mem.Options{}, queues...)
	for i := range 14 {
		l.hand(fmt.Sprintf("Q%02d", i), "")
	}
	l.pass()
	first := l.pull()
	require.True(t, first.Draft)
	l.comment(first.Number, "/drift accept queue/Q00 queue/Q01")
	l.pass()
	require.Equal(t, forge.Merged, l.byNumber(first.Number).State)
	rest := l.pull()
	require.True(t, rest.Draft, "12 deletions")
	l.comment(rest.Number, "/drift accept")
	l.pass()
	l.pass()
	require.Equal(t, forge.Merged, l.byNumber(rest.Number).State)
	l.inGit("Q13", "")
	require.Empty(t, l.pulls())
	l.quiet()
}

// What a narrowed pull request said before is asked by another one: opening the one again does not ask for what the other was closed on.
func TestNarrowedClosedAndOpenedAgain(t *testing.T) {
	t.Parallel()
	l, first := drifted(t, local.Options{Protect: []string{"main"}})
	l.comment(first.Number, "/drift accept queue/A queue/B")
	l.pass()
	for _, pull := range l.pulls() {
		_, err := l.forge.Close(ctx, pull.Number)
		require.NoError(t, err)
	}
	l.pass()
	require.Empty(t, l.pulls())
	l.quiet()
	_, err := l.forge.Reopen(ctx, first.Number)
	require.NoError(t, err)
	l.pass()
	require.Equal(t, first.Number, l.pull().Number)
	l.proposes(first, "A", "B")
	l.quiet()
}

// What changes again after it was accepted is no longer that: it is asked anew, in the pull request of the rest.
func TestAcceptedAndChangedAgain(t *testing.T) {
	t.Parallel()
	l, first := drifted(t, local.Options{Protect: []string{"main"}})
	l.comment(first.Number, "/drift accept queue/A queue/B")
	l.pass()
	second := l.pulls()[0]
	l.hand("A", "a=10")
	l.pass()
	l.proposes(first, "B")
	l.proposes(second, "A", "C", "D", "E")
	l.quiet()
	l.hand("B", "a=1") // and nothing is left of it
	l.pass()
	require.Equal(t, second.Number, l.pull().Number)
	l.quiet()
	l.ask(reconciler.DoAccept, "A", "C", "D", "E")
	l.pass()
	require.Contains(t, l.said(second.Number)["accept"], "left for a reviewer")
	l.hand("A", "a=11")
	l.ask(reconciler.DoRevert, "C", "D", "E")
	l.pass()
	require.Equal(t, second.Number, l.pull().Number, "it is not opened anew for that")
	l.proposes(second, "A")
	l.quiet()
}

// Accepting all is about what the pull request proposed when that was said: what came to it since moves to another one.
func TestAcceptOfWhatWasProposedThen(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	first := l.pull()
	l.comment(first.Number, "/drift accept")
	l.hand("R", "a=2")
	l.pass() // builds it anew with both, and reads the comment then
	require.Equal(t, forge.Merged, l.byNumber(first.Number).State)
	require.Contains(t, l.pull().Title, "queue/R")
	l.pass()
	l.inGit("Q", "a=2")
	l.inGit("R", "a=1")
	l.quiet()
}

// A pull request that somebody pushed to is theirs: accepting does not narrow it, and says what does.
func TestAcceptOnTheirBranch(t *testing.T) {
	t.Parallel()
	l, first := drifted(t, local.Options{})
	theirs := l.edit("refs/heads/"+first.Head, gitstore.Edit{path("A"): []byte("a: v10\n")})
	l.comment(first.Number, "/drift accept queue/A queue/B")
	l.pass()
	require.Equal(t, []string{forge.Confused}, l.reactions(first.Number))
	require.Contains(t, l.answer(first.Number), "it is theirs: merging it accepts what it then says")
	require.Equal(t, theirs, l.refs()["refs/heads/"+first.Head])
	require.Equal(t, first.Number, l.pull().Number)
	l.quiet()
	l.hand("B", "a=11")
	l.ask(reconciler.DoAccept, "B")
	l.pass()
	l.pass()
	l.inGit("B", "a=11")
	require.Equal(t, theirs, l.refs()["refs/heads/"+first.Head], "what came later is accepted beside it")
	l.quiet()
	_, err := l.forge.MergeWith(ctx, first.Number, local.MergeOptions{})
	require.ErrorContains(t, err, "B.yaml")
}

// between is a remote that lets something happen just before a push of a drift branch, or that is cut off there.
type between struct {
	gitstore.Remote
	left   int // pushes until then
	after  bool
	single bool // takes one update at a time
	do     func(ups []gitstore.Update) error
}

func (b *between) Refs(ctx context.Context) (gitstore.Refs, bool, error) {
	refs, atomic, err := b.Remote.Refs(ctx)
	return refs, atomic && !b.single, err
}

func (b *between) Push(ctx context.Context, ups []gitstore.Update, out *gitstore.Outgoing) error {
	if b.left--; b.left != 0 {
		return b.Remote.Push(ctx, ups, out)
	}
	if b.after {
		if err := b.Remote.Push(ctx, ups, out); err != nil {
			return err
		}
		return b.do(ups)
	}
	if err := b.do(ups); err != nil {
		return err
	}
	return b.Remote.Push(ctx, ups, out)
}

// A commit that somebody pushes while the pull request is being narrowed is not lost, and makes it theirs.
func TestPushedToWhileItIsNarrowed(t *testing.T) {
	t.Parallel()
	for _, single := range []bool{false, true} {
		l, first := drifted(t, local.Options{})
		ref := "refs/heads/" + first.Head
		var theirs gitstore.ID
		b := &between{Remote: l.remote, single: single}
		b.do = func(ups []gitstore.Update) error {
			b.left = 1
			for _, u := range ups {
				if u.Ref == ref {
					b.left = 0
					theirs = l.edit(ref, gitstore.Edit{path("A"): []byte("a: v10\n")})
				}
			}
			return nil
		}
		b.left = 1
		l.watch = &counted{Remote: b}
		l.restart()
		l.comment(first.Number, "/drift accept queue/A queue/B")
		_, err := l.r.Once(ctx, "prod")
		require.ErrorIs(t, err, gitstore.ErrStale)
		require.NotZero(t, theirs)
		l.pass()
		require.Equal(t, theirs, l.refs()[ref])
		require.Equal(t, first.Number, l.pull().Number, "its objects stay with it")
		require.Contains(t, l.answer(first.Number), "it is theirs: merging it accepts what it then says")
		l.quiet()
		l.mergePull(first.Number)
		l.pass()
		l.live("A", "a=10")
		l.inGit("E", "a=9")
		l.quiet()
	}
}

// Everything that a pass does goes to the repository, the built-in forge's records too: cut off at each push, before and after it, by
// a lost answer or by dying, the passes after it come to the same end.
func TestAcceptIsCutOffAnywhere(t *testing.T) {
	t.Parallel()
	cut := errors.New("connection lost")
	for _, mode := range []struct{ die, after, single bool }{{}, {after: true}, {die: true}, {die: true, after: true}, {die: true, single: true}, {die: true, after: true, single: true}} {
		n := 1
		for ; ; n++ {
			l, first := drifted(t, local.Options{})
			b := &between{Remote: l.remote, after: mode.after, single: mode.single, do: func([]gitstore.Update) error {
				if mode.die {
					panic("killed")
				}
				return cut
			}}
			l.watch = &counted{Remote: b}
			l.restart()
			l.comment(first.Number, "/drift accept queue/A queue/B")
			b.left = n
			func() {
				defer func() {
					if recover() != nil {
						l.restart()
					}
				}()
				_, err := l.r.Once(ctx, "prod")
				if err != nil {
					require.ErrorIs(t, err, cut)
				}
			}()
			met := b.left <= 0
			b.left = 0
			l.pass()
			l.pass()
			all, err := l.forge.Pulls(ctx, forge.Filter{})
			require.NoError(t, err)
			require.Len(t, all, 2, "%+v %d", mode, n)
			require.Equal(t, forge.Merged, l.byNumber(first.Number).State)
			l.proposes(l.pull(), "C", "D", "E")
			l.inGit("A", "a=9")
			l.inGit("C", "a=1")
			require.Contains(t, l.answer(first.Number), "Accepted into Git")
			require.Equal(t, 1, strings.Count(fmt.Sprint(l.said(first.Number)), "Accepted into Git"))
			l.quiet()
			if !met {
				break
			}
		}
		require.Greater(t, n, 5, "several pushes were tried")
	}
}

// hourly is a forge that takes an hour for everything that is written to it, and requires that a claim stands in Git before.
type hourly struct {
	forge.Forge
	l    *loop
	done []string
}

func (h *hourly) write(what string) func() {
	require.True(h.l, h.l.deadline().After(h.l.now), "%s after the claim had ended: %v", what, h.done)
	h.done = append(h.done, what)
	return func() { h.l.now = h.l.now.Add(time.Hour) }
}

func (h *hourly) EnsurePull(ctx context.Context, p forge.Pull) (forge.Pull, error) {
	defer h.write("pull " + string(p.State))()
	return h.Forge.EnsurePull(ctx, p)
}

func (h *hourly) Merge(ctx context.Context, n int, head, message string) (forge.Pull, error) {
	defer h.write("merge")()
	return h.Forge.Merge(ctx, n, head, message)
}

func (h *hourly) EnsureComment(ctx context.Context, n int, key, body string) error {
	defer h.write("comment " + key)()
	return h.Forge.EnsureComment(ctx, n, key, body)
}

func (h *hourly) Answer(ctx context.Context, c forge.Command, reaction, body string) error {
	defer h.write("answer " + reaction)()
	return h.Forge.Answer(ctx, c, reaction, body)
}

// Narrowing, merging and telling a reviewer are effects of their own, and the claim may end before each of them.
func TestAcceptUnderTheClaim(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		protect []string
		done    []string
	}{
		"merged":              {nil, []string{"pull open", "merge", "pull open"}},
		"left for a reviewer": {[]string{"main"}, []string{"pull open", "merge", "comment accept", "pull open"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, first := drifted(t, local.Options{})
			h := &hourly{l: l}
			l.restartWith(local.Options{Protect: c.protect}, func(c *reconciler.Config) { h.Forge, c.Forge = c.Forge, h })
			l.ask(reconciler.DoAccept, "A", "B")
			l.pass()
			require.Equal(t, c.done, h.done)
			require.Equal(t, c.protect == nil, l.byNumber(first.Number).State == forge.Merged)
		})
	}
}

// late is a forge that does not know yet what was pushed, as GitHub for a moment.
type late struct {
	forge.Forge
	left int
}

func (f *late) Merge(ctx context.Context, n int, head, message string) (forge.Pull, error) {
	if f.left--; f.left >= 0 {
		return forge.Pull{}, forge.ErrMoved
	}
	return f.Forge.Merge(ctx, n, head, message)
}

// A merge for which the forge is too slow is asked for again soon, not with the next regular pass.
func TestAMergeIsAskedForAgain(t *testing.T) {
	t.Parallel()
	l, first := drifted(t, local.Options{})
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = &late{c.Forge, 2} })
	l.comment(first.Number, "/drift accept queue/A")
	for range 2 {
		l.pass()
		require.Equal(t, 5*time.Second, l.last.Again)
		require.Empty(t, l.answer(first.Number), "what came of it is told then")
	}
	l.pass()
	require.Equal(t, forge.Merged, l.byNumber(first.Number).State)
	require.Contains(t, l.answer(first.Number), "is merged.")
	l.pass()
	l.quiet()
	require.Zero(t, l.last.Again)
}

// So is answering in a comment of one's own: the reaction and the text.
func TestAnswersUnderTheClaim(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	h := &hourly{l: l}
	l.restartWith(local.Options{}, func(c *reconciler.Config) { h.Forge, c.Forge = c.Forge, h })
	l.comment(pull.Number, "/why queue/Q")
	l.pass()
	require.Contains(t, strings.Join(h.done, ", "), "answer rocket, comment answer/")
}
