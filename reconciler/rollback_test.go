package reconciler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

func TestRollbackTakesBackWhatWasCommittedSince(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1 c=1 d=1 z=1", "R: a=1")
	to := l.commit(map[string]string{"Q": "a=2 c=1 d=1 z=1"})
	l.pass()
	l.hand("Q", "a=2 c=1 d=1 z=2")
	l.pass()
	l.merge(local.ByMerge) // accepted drift stays
	l.pass()
	l.commit(map[string]string{"R": "a=3"})
	l.edit(mainRef, gitstore.Edit{"README.md": []byte("elsewhere\n")})
	last := l.commit(map[string]string{"Q": "a=3 c=1 d=1 z=2", "S": "a=1"})
	l.pass()
	l.live("S", "a=1")

	back, err := l.r.PreviewRollback(ctx, "prod", to)
	require.NoError(t, err)
	require.Len(t, back.Commits, 2, "not the one that changed nothing of this environment")
	require.Equal(t, last.String(), back.Commits[0].ID)
	require.Len(t, back.Spared, 1)
	require.Len(t, back.Objects, 3)
	refs := l.refs()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRollback, Detail: to.String(), Reason: "callers hear silence", By: "ann"}))
	l.pass()
	require.Equal(t, refs[mainRef], l.refs()[mainRef])
	p := l.pull()
	require.Contains(t, p.Body, "callers hear silence")
	l.quiet()
	l.live("Q", "a=3 c=1 d=1 z=2") // nothing goes to the platform before it is merged
	l.merge(local.ByMerge)
	l.pass()
	l.live("Q", "a=2 c=1 d=1 z=2")
	l.live("R", "a=1")
	l.live("S", "")
	require.Empty(t, l.pulls())
	l.quiet()
	again, err := l.r.PreviewRollback(ctx, "prod", to)
	require.NoError(t, err)
	require.Empty(t, again.Objects)
}

func TestRollbackLeavesOtherEnvironmentsAlone(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	to := l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: v1\n"), "environments/test/queue/T.yaml": []byte("a: v1\n")})
	l.pass()
	l.edit(mainRef, gitstore.Edit{"shared/queue/S.yaml": []byte("a: v2\n")})
	l.pass()
	l.live("S", "a=2")
	l.env.Rollback.Push = true
	l.restart()
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRollback, Detail: to.String(), Reason: "x", By: "ann"}))
	l.pass()
	l.pass()
	l.live("S", "a=1")
	require.Empty(t, l.pulls(), "merged at once")
	f, ok, err := l.git.File(l.refs()[mainRef], "shared/queue/S.yaml")
	require.NoError(t, err)
	require.True(t, ok)
	b, err := l.git.Blob(f.ID, 0)
	require.NoError(t, err)
	require.Equal(t, "a: v2\n", string(b), "the shared object is as it was")
	l.quiet()
}

func TestRollbackToNoCommitOfTheBranch(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1")
	_, err := l.r.PreviewRollback(ctx, "prod", l.refs()[liveRef])
	require.ErrorContains(t, err, "is no commit of main")
	require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRollback, Detail: "nonsense"}))
	l.pass()
	l.quiet()
}

func TestHistoryIsToldFromGitAlone(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.refuse(false)
	good := l.commit(map[string]string{"Q": "a=2"})
	l.pass()
	l.hand("R", "a=7")
	l.pass()
	bad := l.commit(map[string]string{"Q": "a=bad"})
	l.pass()
	_, err := l.git.Sync(ctx)
	require.NoError(t, err)
	tell := func(k string) (out []string) {
		o := reconciler.HistoryOptions{Environment: "prod", Kinds: kinds}
		if k != "" {
			o.Key = key(k)
		}
		events, err := reconciler.History(l.git, o)
		require.NoError(t, err)
		for i, e := range events {
			if i > 0 {
				require.False(t, e.When.After(events[i-1].When))
			}
			who := e.Who
			if e.Commit != "" {
				who = map[string]string{good.String(): "good", bad.String(): "bad"}[e.Commit]
			}
			line := e.What + " " + who
			for _, k := range e.Objects {
				line += " " + k.Name
			}
			out = append(out, line)
		}
		return out
	}
	require.Equal(t, []string{"undone bad Q", "held bad Q", "edited bob R", "deployed good Q", "edited bob Q R"}, tell(""))
	require.Equal(t, []string{"edited bob R", "edited bob Q R"}, tell("R"))
	events, err := reconciler.History(l.git, reconciler.HistoryOptions{Environment: "prod", Kinds: kinds, Key: resource.Key{Kind: "queue", Name: "Q"}})
	require.NoError(t, err)
	require.Equal(t, 1, events[2].Number)
	require.Contains(t, events[1].Reason, "refused by the platform")
}

// joined puts a merge onto main of a branch that makes an edit, with more of whoever merged it.
func (l *loop) joined(branch, more gitstore.Edit) {
	l.Helper()
	main := l.refs()[mainRef]
	side, err := l.git.Write(main, []gitstore.ID{main}, branch, gitstore.Signature{Name: "dev", When: l.now}, "a branch")
	require.NoError(l, err)
	c, err := l.git.Write(side.ID, []gitstore.ID{main, side.ID}, more, gitstore.Signature{Name: "ann", When: l.now}, "merge, and more")
	require.NoError(l, err)
	require.NoError(l, l.git.Push(ctx, gitstore.Update{Ref: mainRef, Old: main, New: c.ID}))
}

// Reverting commits cleanly may lead elsewhere, where a merge changed more than it brought in: a rollback leads to what Git said then,
// and touches nothing that Git says again as it did then.
func TestRollbackLeadsToWhatWasThen(t *testing.T) {
	t.Parallel()
	long := func(a, z string) string { return "a=" + a + " f=1 g=1 h=1 i=1 z=" + z }
	of := func(name, fields string) gitstore.Edit { return gitstore.Edit{path(name): []byte(yaml(spec(fields)))} }
	for name, c := range map[string]func(*loop){
		"the same object": func(l *loop) { l.joined(of("Q", long("2", "1")), of("Q", long("2", "5"))) },
		"another object":  func(l *loop) { l.joined(of("Q", long("2", "1")), of("R", "a=5")) },
		"one that is as it was": func(l *loop) {
			l.joined(of("Q", long("2", "1")), of("R", "a=5"))
			l.commit(map[string]string{"R": "a=1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLoop(t, mem.Options{}, "Q: "+long("1", "1"), "R: a=1")
			to := l.refs()[mainRef]
			c(l)
			l.pass()
			require.NoError(t, l.r.File(ctx, "prod", reconciler.Request{Do: reconciler.DoRollback, Detail: to.String(), Reason: "x", By: "ann"}))
			l.pass()
			l.merge(local.ByMerge)
			l.pass()
			l.live("Q", long("1", "1"))
			l.live("R", "a=1")
			l.inGit("R", "a=1")
			l.quiet()
		})
	}
}
