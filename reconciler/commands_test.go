package reconciler_test

import (
	"context"
	"errors"
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

func TestAcceptSomeInACommentAndRevertTheRest(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "A: a=1", "B: a=1", "C: a=1", "D: a=1", "E: a=1")
	for _, q := range []string{"A", "B", "C", "D", "E"} {
		l.hand(q, "a=9")
	}
	l.pass()
	n := l.drift().Number
	l.comment(n, "These two are right.\n/drift accept queue/A `queue/B`\n")
	l.pass()
	require.Equal(t, []string{forge.Eyes, forge.Rocket}, l.reactions(n))
	require.Regexp(t, `Accepted into Git: #\d+ is merged`, l.answer(n))
	require.Contains(t, l.answer(n), "- `queue/A`\n- `queue/B`\n")
	l.pass()
	l.inGit("A", "a=9")
	l.inGit("B", "a=9")
	l.inGit("C", "a=1")
	rest := l.drift()
	require.Contains(t, rest.Title, "3 objects")
	l.quiet()
	l.comment(rest.Number, "/drift revert")
	l.pass()
	l.live("C", "a=1")
	l.live("D", "a=1")
	l.live("A", "a=9")
	require.Empty(t, l.pulls())
	l.quiet()
}

func TestACommandNamesTheValueThatWasSeen(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.hand("R", "a=2")
	l.pass()
	n := l.drift().Number
	l.comment(n, "/drift revert")
	l.hand("Q", "a=3") // after the comment, before the pass
	l.pass()
	l.live("Q", "a=3")
	l.live("R", "a=1")
	require.Contains(t, l.answer(n), "- `queue/Q`: changed again since: please look at it once more")
	l.quiet()
}

func TestIgnoreUntil(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	n := l.drift().Number
	l.comment(n, "/drift ignore until 2026-05-06")
	l.pass()
	require.Empty(t, l.pulls())
	require.Contains(t, l.answer(n), "Left as it is until 2026-05-06 23:59 UTC")
	require.Contains(t, l.said(n)["closed"], "Closed: somebody said to leave `prod` as it is here")
	l.quiet()
	l.now = time.Date(2026, 5, 7, 0, 1, 0, 0, time.UTC)
	l.pass()
	require.Len(t, l.pulls(), 1)
}

func TestWhoMayCommand(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.env.Announce.Teams = map[string][]string{"drift revert": {"ops"}, "drift": {"ops", "dev"}}
	l.restartWith(local.Options{Teams: map[string][]string{"dev": {"ann"}}}, func(*reconciler.Config) {})
	l.hand("Q", "a=2")
	l.pass()
	n := l.drift().Number
	l.comment(n, "/drift revert")
	l.pass()
	l.live("Q", "a=2")
	require.Equal(t, []string{forge.Confused}, l.reactions(n))
	require.Contains(t, l.answer(n), "teams that the operator named for `/drift revert`")
	l.quiet()
	l.comment(n, "/drift accept")
	l.pass()
	l.pass()
	l.inGit("Q", "a=2")
}

// readOnly is a forge whose commands come from people who may only read.
type readOnly struct{ forge.Forge }

func (f readOnly) Commands(ctx context.Context, cursor string) ([]forge.Command, string, error) {
	cs, next, err := f.Forge.Commands(ctx, cursor)
	for i := range cs {
		cs[i].Write = false
	}
	return cs, next, err
}

func TestReadersAreNotObeyed(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Forge = readOnly{c.Forge} })
	l.hand("Q", "a=2")
	l.pass()
	n := l.drift().Number
	l.comment(n, "/drift revert\n/drfit accept\n/lgtm")
	l.pass()
	l.live("Q", "a=2")
	require.Contains(t, l.answer(n), "permission to write")
	require.Equal(t, []string{forge.Confused}, l.reactions(n))
	l.quiet()

	before := len(l.said(n))
	l.comment(n, strings.Repeat("/drift revert\n/help\n", 100))
	l.pass()
	require.Len(t, l.said(n), before+1, "one comment of a stranger is worth one answer")
	l.comment(n, "/help")
	l.pass()
	require.Len(t, l.said(n), before+2)
	l.quiet()
}

func TestNearMissesAndWhatIsNotForUs(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	other := l.developFiles("docs", gitstore.Edit{"docs/x": []byte("x")})
	l.pass()
	l.comment(pull.Number, "/lgtm\n/plna")
	l.pass()
	require.Contains(t, l.answer(pull.Number), "Did you mean `/plan`?")
	require.Equal(t, []string{forge.Confused}, l.reactions(pull.Number))
	l.comment(pull.Number, "/plan test")
	l.comment(other.Number, "/plan")
	l.quietAfter()
	require.Empty(t, l.reactions(other.Number), "it changes nothing of this environment")
	require.Empty(t, l.reactions(pull.Number), "of an environment of somebody else")
	for said, meant := range map[string]string{"/plan prdo": "/plan prod", "/apply PROD at 2h": "/apply prod at "} {
		l.comment(pull.Number, said)
		l.pass()
		require.Contains(t, l.answer(pull.Number), "Did you mean `"+meant)
	}
	l.edit(mainRef, gitstore.Edit{"environments/pros/queue/x.yaml": []byte("a: b\n")})
	l.comment(pull.Number, "/plan pros")
	l.comment(other.Number, "/plan prdo")
	l.pass()
	require.Empty(t, l.reactions(pull.Number), "others look after that")
	require.Empty(t, l.reactions(other.Number))
	l.comment(pull.Number, "/drift accept")
	l.pass()
	require.Contains(t, l.answer(pull.Number), "Say this on the pull request of the drift of `prod`")
	l.comment(pull.Number, "/help")
	l.pass()
	require.Contains(t, l.answer(pull.Number), "| `/rollback COMMIT` |")
	l.comment(pull.Number, "/rollback 1234567")
	l.pass()
	require.Contains(t, l.answer(pull.Number), "`1234567` is none of the last 500 commits of `main`")
	l.comment(pull.Number, "/cancel")
	l.pass()
	require.Contains(t, l.answer(pull.Number), "nothing to take back")
	l.quiet()
}

// quietAfter makes a pass and requires quiet from then on.
func (l *loop) quietAfter() {
	l.Helper()
	l.pass()
	l.quiet()
}

func TestPlanAnew(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	require.NoError(t, l.forge.EnsureComment(ctx, pull.Number, "plan/prod", "somebody edited it"))
	l.quiet()
	l.comment(pull.Number, "/plan")
	l.pass()
	require.Contains(t, l.said(pull.Number)["plan/prod"], "Merging this would deploy 1 object")
	require.Equal(t, []string{forge.Eyes, forge.Rocket}, l.reactions(pull.Number))
	require.Contains(t, l.said(pull.Number)["answer/"+commandID(t, l, pull.Number)+"/prod"], "Planned anew for `prod`.")
	l.quiet()
}

// commandID is the id of the only command on a pull request.
func commandID(t *testing.T, l *loop, n int) string {
	t.Helper()
	cs, _, err := l.forge.Commands(ctx, "0")
	require.NoError(t, err)
	for _, c := range cs {
		if c.Pull == n {
			return c.ID
		}
	}
	return ""
}

func TestHoldAndCancel(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	l.comment(pull.Number, "/hold the fair is not over")
	l.pass()
	require.Equal(t, "failure", l.checks(pull.HeadID)[planCheck])
	require.Contains(t, l.said(pull.Number)["plan/prod"], "held by ann: the fair is not over")
	l.quiet()
	l.mergePull(pull.Number)
	l.commit(map[string]string{"R": "a=2"})
	l.pass()
	l.live("Q", "a=1")
	l.live("R", "a=2")
	require.Contains(t, l.said(pull.Number)["result/prod"], "held by ann: the fair is not over")
	l.quiet()
	l.comment(pull.Number, "/apply")
	l.pass()
	l.live("Q", "a=1")
	l.comment(pull.Number, "/cancel")
	l.pass()
	l.live("Q", "a=2")
	require.Contains(t, l.said(pull.Number)["result/prod"], "### Deployed to `prod`")
	l.quiet()
}

func TestCommandsAreTakenOnce(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	l.comment(l.drift().Number, "/hold")
	l.pass()
	require.True(t, l.last.Suspended)
	require.Contains(t, l.answer(l.drift().Number), "`prod` is suspended: nothing is deployed")
	l.ask(reconciler.DoResume)
	l.pass()
	require.False(t, l.last.Suspended)
	l.restart()
	l.pass()
	require.False(t, l.last.Suspended, "not again by the next process")
	l.quiet()
}

func TestHoldOfAPullThatCameInByGitAlone(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	l.comment(pull.Number, "/hold")
	l.pass()
	refs := l.refs()
	require.NoError(t, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: refs[mainRef], New: refs["refs/heads/topic"]}))
	l.pass()
	l.live("Q", "a=1")
	l.quiet()
}

func TestApplyAtATime(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.edit(mainRef, gitstore.Edit{"driftback.rules.yaml": []byte("protect:\n  - queue/Q\n")})
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.pass()
	l.mergePull(pull.Number)
	l.pass()
	l.live("Q", "a=1")
	l.comment(pull.Number, "/apply prod at 22:00")
	l.pass()
	require.Contains(t, l.answer(pull.Number), "It waits until 2026-05-04 22:00 UTC")
	require.Positive(t, l.last.Again)
	l.quiet()
	l.live("Q", "a=1")
	l.now = time.Date(2026, 5, 4, 22, 0, 1, 0, time.UTC)
	l.pass()
	l.live("Q", "a=2")
	l.quiet()
}

func TestWhy(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	pull := l.develop("topic", map[string]string{"Q": "a=2"})
	l.commit(map[string]string{"Q": "a=5"})
	l.pass()
	l.hand("Q", "a=9")
	l.pass()
	l.comment(pull.Number, "/why queue/Q")
	l.pass()
	why := l.said(pull.Number)["answer/"+commandID(t, l, pull.Number)+"/prod"]
	require.Contains(t, why, "### `queue/Q` in `prod`\n\nIt was changed by hand, which #")
	require.Contains(t, why, "| `bob` |")
	require.Contains(t, why, "| 2026-05-04")
	require.Contains(t, why, "`by ann`")
	l.quiet()
}

func TestRollbackInAComment(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	good := l.refs()[mainRef].String()
	pull := l.develop("topic", map[string]string{"R": "a=2"})
	l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.comment(pull.Number, "/rollback "+good[:8])
	l.pass()
	require.True(t, strings.HasPrefix(l.drift().Head, "driftback/revert/prod"))
	l.mergePull(l.drift().Number)
	l.pass()
	l.live("Q", "a=1")
}

// failing is a forge of which the n-th call fails, before or after it was done.
type failing struct {
	forge.Forge
	left  int
	after bool
	die   bool
}

var errForge = errors.New("forge: connection lost")

func (f *failing) do(call func() error) error {
	f.left--
	if f.left != 0 {
		return call()
	}
	if f.after {
		if err := call(); err != nil {
			return err
		}
	}
	if f.die {
		panic("killed")
	}
	return errForge
}

func (f *failing) Pulls(ctx context.Context, q forge.Filter) (got []forge.Pull, err error) {
	err = f.do(func() error { got, err = f.Forge.Pulls(ctx, q); return err })
	return got, err
}

func (f *failing) Commands(ctx context.Context, c string) (got []forge.Command, next string, err error) {
	err = f.do(func() error { got, next, err = f.Forge.Commands(ctx, c); return err })
	return got, next, err
}

func (f *failing) EnsureComment(ctx context.Context, n int, key, body string) error {
	return f.do(func() error { return f.Forge.EnsureComment(ctx, n, key, body) })
}

func (f *failing) Answer(ctx context.Context, c forge.Command, reaction, body string) error {
	return f.do(func() error { return f.Forge.Answer(ctx, c, reaction, body) })
}

func (f *failing) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	return f.do(func() error { return f.Forge.SetStatus(ctx, commit, s) })
}

func (f *failing) EnsureDeployment(ctx context.Context, d forge.Deployment) error {
	return f.do(func() error { return f.Forge.EnsureDeployment(ctx, d) })
}

// What was cut off anywhere is said once in the end, all the same.
func TestAnnouncingSurvivesEveryFault(t *testing.T) {
	t.Parallel()
	for _, mode := range []failing{{}, {after: true}, {die: true}, {die: true, after: true}} {
		for n := 1; n <= 200; n++ {
			l := newLoop(t, mem.Options{}, "Q: a=1 b=1", "R: a=1")
			f := mode
			f.left = n
			l.restartWith(local.Options{}, func(c *reconciler.Config) { f.Forge, c.Forge = c.Forge, &f })
			pull := l.develop("topic", map[string]string{"Q": "a=2 b=1"})
			l.attempt()
			l.hand("Q", "a=1 b=3")
			l.attempt()
			l.comment(pull.Number, "/why queue/Q\n/plan")
			l.attempt()
			for range 3 {
				l.attempt()
			}
			l.hand("Q", "a=1 b=1")
			for range 3 {
				l.attempt()
			}
			l.mergePull(pull.Number)
			for range 5 {
				l.attempt()
			}
			l.live("Q", "a=2 b=1")
			said := l.said(pull.Number)
			require.Len(t, said, 5, "plan, radar, outcome, two answers")
			require.Contains(t, said["result/prod"], "### Deployed to `prod`", "%+v", f)
			require.Contains(t, said["radar/prod"], "agree again")
			require.Equal(t, []string{forge.Eyes, forge.Rocket}, l.reactions(pull.Number))
			require.Equal(t, map[string]string{planCheck: "success", radarCheck: "success", "driftback/prod": "success"}, l.checks(pull.HeadID))
			require.Equal(t, []string{"success"}, l.deployments())
			require.Equal(t, "success", l.checks(l.refs()[mainRef].String())["driftback/prod"])
			met := f.left <= 0
			f.left = 0 // from now on nothing fails
			l.quiet()
			if !met {
				require.Greater(t, n, 50, "every call was tried")
				break
			}
		}
	}
}

// attempt is a pass that may fail, or whose process may die.
func (l *loop) attempt() {
	l.Helper()
	l.now = l.now.Add(30 * time.Second)
	defer func() {
		if why := recover(); why != nil {
			l.restart()
		}
	}()
	_, err := l.r.Once(ctx, "prod")
	if err != nil {
		require.ErrorIs(l, err, errForge)
	}
}

// Who closed the pull request of the drift and asks for something there gets an answer.
func TestCommandOnAClosedProposal(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	l.hand("Q", "a=2")
	l.pass()
	n := l.drift().Number
	_, err := l.forge.Close(ctx, n)
	require.NoError(t, err)
	l.pass()
	l.comment(n, "/drift revert")
	l.pass()
	l.live("Q", "a=2")
	require.Equal(t, []string{forge.Confused}, l.reactions(n))
	require.Contains(t, l.answer(n), "This is closed: open it again")
	l.comment(n, "/why queue/Q")
	l.pass()
	require.Contains(t, l.answer(n), "somebody said to leave that so")
	l.quiet()
}
