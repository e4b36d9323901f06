package reconciler_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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

var ctx = context.Background()

// loop is one environment with everything around it: a platform, a repository, its pull requests.
type loop struct {
	testing.TB
	now      time.Time
	remote   *gitstore.MemoryRemote
	git      *gitstore.Store
	forge    *local.Forge
	platform *mem.Platform
	env      reconciler.Environment
	r        *reconciler.Reconciler
	last     reconciler.Report
	watch    *counted // between the reconciler and the remote; nil for none
	url      string   // of a repository on disk, instead of remote
	cache    reconciler.Cache
	adjust   func(*reconciler.Config) // of what restart makes; nil for nothing
}

const (
	mainRef  = "refs/heads/main"
	liveRef  = "refs/heads/live/prod"
	stateRef = "refs/driftback/state/prod"
)

var kinds = []resource.KindInfo{
	{Kind: "queue", Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, Guard: true, StableID: true}},
	{Kind: "file", Raw: true, Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, Guard: true, StableID: true}},
}

var morning = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func (l *loop) Now() time.Time { return l.now }

func (l *loop) Sleep(_ context.Context, d time.Duration) error {
	l.now = l.now.Add(d)
	return nil
}

// newLoop begins with the queues on the platform and the same in Git, adopted and at rest.
func newLoop(t *testing.T, o mem.Options, queues ...string) *loop {
	l := &loop{TB: t, now: morning, remote: gitstore.NewMemoryRemote()}
	o.Now, o.IDs, o.Audit = l.Now, true, true
	if o.Kinds == nil {
		o.Kinds = kinds
	}
	l.platform = mem.New(o)
	l.git = l.open()
	var err error
	l.forge, err = local.Open(l.git, local.Options{Now: l.Now, User: "ann <ann@example.invalid>"})
	require.NoError(t, err)
	e := gitstore.Edit{"README.md": []byte("hello\n")}
	for _, q := range queues {
		name, fields, _ := strings.Cut(q, ": ")
		require.NoError(t, l.platform.Put(key(name), spec(fields), "bob"))
		e[path(name)] = []byte(yaml(spec(fields)))
	}
	_, err = l.git.Commit(ctx, mainRef, gitstore.ID{}, e, gitstore.Signature{Name: "ann"}, "begin")
	require.NoError(t, err)
	l.env = reconciler.Environment{Name: "prod", Platform: vendors.NewTarget(l.platform.Driver(), vendors.TargetOptions{Clock: l}), Mode: reconciler.Sync}
	l.restart()
	if len(queues) > 0 {
		l.pass()
		l.quiet()
	}
	return l
}

func (l *loop) open() *gitstore.Store {
	o := gitstore.Options{URL: l.url, Now: l.Now, Committer: gitstore.Signature{Name: "driftback", Email: "driftback@example.invalid"}}
	switch {
	case l.watch != nil:
		o.Remote = l.watch
	case l.url == "":
		o.Remote = l.remote
	}
	s, err := gitstore.Open(ctx, o)
	require.NoError(l, err)
	return s
}

// restart is a new process; the old one's claim has run out.
func (l *loop) restart() {
	l.now = l.now.Add(2 * time.Minute)
	store := l.open()
	f, err := local.Open(store, local.Options{Now: l.Now, User: "driftback <driftback@example.invalid>"})
	require.NoError(l, err)
	c := reconciler.Config{Store: store, Forge: f, Clock: l, Environments: []reconciler.Environment{l.env}, Jitter: func() float64 { return 0 }, Cache: l.cache}
	if l.adjust != nil {
		l.adjust(&c)
	}
	l.r, err = reconciler.New(c)
	require.NoError(l, err)
}

func key(name string) resource.Key {
	if strings.Contains(name, "/") {
		k, err := resource.ParseKey(name)
		if err != nil {
			panic(err)
		}
		return k
	}
	return resource.Key{Kind: "queue", Name: name}
}

func path(name string) string { return "environments/prod/queue/" + name + ".yaml" }

// spec reads "a=1 b=2".
func spec(fields string) resource.Spec {
	s := resource.Spec{}
	for _, f := range strings.Fields(fields) {
		k, v, _ := strings.Cut(f, "=")
		s[k] = "v" + v
	}
	return s
}

func yaml(s resource.Spec) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s: %s\n", k, s[k])
	}
	return b.String()
}

// pass makes one pass, which must succeed.
func (l *loop) pass() reconciler.Report {
	l.Helper()
	l.now = l.now.Add(30 * time.Second)
	var err error
	l.last, err = l.r.Once(ctx, "prod")
	require.NoError(l, err)
	return l.last
}

// hand edits by hand on the platform; "" deletes.
func (l *loop) hand(name, fields string) {
	l.Helper()
	l.now = l.now.Add(time.Second)
	if fields == "" {
		require.NoError(l, l.platform.Delete(key(name), "bob"))
		return
	}
	require.NoError(l, l.platform.Put(key(name), spec(fields), "bob"))
}

func (l *loop) refs() gitstore.Refs {
	refs, err := l.git.Sync(ctx)
	require.NoError(l, err)
	return refs
}

// commit changes queues in Git; "" removes.
func (l *loop) commit(changes map[string]string) gitstore.ID {
	l.Helper()
	e := gitstore.Edit{}
	for name, fields := range changes {
		e[path(name)] = nil
		if fields != "" {
			e[path(name)] = []byte(yaml(spec(fields)))
		}
	}
	return l.edit(mainRef, e)
}

func (l *loop) edit(ref string, e gitstore.Edit) gitstore.ID {
	l.Helper()
	l.now = l.now.Add(time.Second)
	c, err := l.git.Commit(ctx, ref, l.refs()[ref], e, gitstore.Signature{Name: "ann"}, "by ann")
	require.NoError(l, err)
	return c.ID
}

// revert is git revert of a commit of main.
func (l *loop) revert(id gitstore.ID) {
	l.Helper()
	c, err := l.git.CommitAt(id)
	require.NoError(l, err)
	m, err := l.git.Revert(l.refs()[mainRef], id, min(1, len(c.Parents)-1))
	require.NoError(l, err)
	require.Empty(l, m.Conflicts)
	l.edit(mainRef, m.Edit)
}

func (l *loop) pulls() []forge.Pull {
	l.Helper()
	ps, err := l.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	require.NoError(l, err)
	return ps
}

// pull is the one open pull request.
func (l *loop) pull() forge.Pull {
	l.Helper()
	ps := l.pulls()
	require.Len(l, ps, 1)
	return ps[0]
}

func (l *loop) merge(how local.Method) gitstore.ID {
	l.Helper()
	p, err := l.forge.MergeWith(ctx, l.pull().Number, local.MergeOptions{Method: how})
	require.NoError(l, err)
	id, err := gitstore.ParseID(p.MergeCommit)
	require.NoError(l, err)
	return id
}

func (l *loop) live(name, fields string) {
	l.Helper()
	got, there := l.platform.Get(key(name))
	if fields == "" {
		require.False(l, there, "%s is %v", name, got)
		return
	}
	require.Equal(l, spec(fields), got, name)
}

func (l *loop) inGit(name, fields string) {
	l.Helper()
	f, ok, err := l.git.File(l.refs()[mainRef], path(name))
	require.NoError(l, err)
	if fields == "" {
		require.False(l, ok)
		return
	}
	require.True(l, ok, name)
	b, err := l.git.Blob(f.ID, 0)
	require.NoError(l, err)
	require.Equal(l, yaml(spec(fields)), string(b))
}

// quiet requires that ten more passes change nothing anywhere.
func (l *loop) quiet() {
	l.Helper()
	refs, counts := l.refs(), l.platform.Counts().Writes
	for range 10 {
		l.pass()
	}
	require.Equal(l, refs, l.refs(), "promise 9: quiet when nothing happens")
	require.Equal(l, counts, l.platform.Counts().Writes)
}

func (l *loop) verdict(name string) reconciler.Verdict {
	for _, it := range l.last.Items {
		if it.Key == key(name) {
			return it.Verdict
		}
	}
	return ""
}
