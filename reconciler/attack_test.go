package reconciler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
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

// restartWith is restart with other surroundings.

func (l *loop) restartWith(o local.Options, change func(*reconciler.Config)) {
	l.Helper()
	l.now = l.now.Add(2 * time.Minute)
	store := l.open()
	o.Now, o.User = l.Now, "driftback <driftback@example.invalid>"
	f, err := local.Open(store, o)
	require.NoError(l, err)
	c := reconciler.Config{Store: store, Forge: f, Clock: l, Environments: []reconciler.Environment{l.env}, Jitter: func() float64 { return 0 }}
	change(&c)
	l.r, err = reconciler.New(c)
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
			require.NoError(t, l.platform.Activate())
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
