package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

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
	require.Contains(t, l.pull().Title, "import prod")
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
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Logger = logger })
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
	l.restartWith(local.Options{}, func(c *reconciler.Config) { c.Environments = append(c.Environments, test) })
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
	_, err := l.git.Commit(ctx, "refs/heads/next", gitstore.ID{}, gitstore.Edit{path("Q"): []byte("a: v7\n")}, gitstore.Signature{Name: "ann"}, "x")
	require.NoError(t, err)
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
