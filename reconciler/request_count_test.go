package reconciler_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// counted is a remote that counts what is asked of it, and the CPU time that it takes.
type counted struct {
	gitstore.Remote
	lists, fetches, pushes int
	forge                  int // of the pushes, those without the environment's state
	spent                  time.Duration
}

func (c *counted) Refs(ctx context.Context) (gitstore.Refs, bool, error) {
	c.lists++
	return c.Remote.Refs(ctx)
}

func (c *counted) Fetch(ctx context.Context, into gitstore.Sink, want, have []gitstore.ID) error {
	c.fetches++
	begun := cpu()
	defer func() { c.spent += cpu() - begun }()
	return c.Remote.Fetch(ctx, into, want, have)
}

func (c *counted) Push(ctx context.Context, ups []gitstore.Update, out *gitstore.Outgoing) error {
	c.pushes++
	if !slices.ContainsFunc(ups, func(u gitstore.Update) bool { return strings.HasPrefix(u.Ref, "refs/driftback/state/") }) {
		c.forge++ // the built-in forge keeps what it knows in refs of its own
	}
	begun := cpu()
	defer func() { c.spent += cpu() - begun }()
	return c.Remote.Push(ctx, ups, out)
}

// firstWrite notes what had been asked of the remote when the first change reached the platform.
type firstWrite struct {
	*vendors.Target
	remote *counted
	before *counted
}

func (f *firstWrite) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if f.before == nil {
		at := *f.remote
		f.before = &at
	}
	return f.Target.Apply(ctx, c)
}

func TestRequestsToGit(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Sales: a=1", "Support: a=1")
	l.watch = &counted{Remote: l.remote}
	platform := &firstWrite{Target: l.env.Platform.(*vendors.Target), remote: l.watch}
	l.env.Platform = platform
	l.restart()
	l.pass()

	*l.watch = counted{Remote: l.remote}
	l.pass()
	require.Equal(t, []int{1, 0, 0}, []int{l.watch.lists, l.watch.fetches, l.watch.pushes}, "at rest")

	l.edit(mainRef, gitstore.Edit{path("Sales"): []byte("a: v2\n")})
	*l.watch = counted{Remote: l.remote}
	l.pass()
	require.Len(t, l.last.Deployments, 1)
	require.NotNil(t, platform.before)
	require.LessOrEqual(t, platform.before.fetches, 1, "from the merge to the first write")
	require.LessOrEqual(t, platform.before.pushes, 1, "from the merge to the first write")
	require.LessOrEqual(t, l.watch.pushes-l.watch.forge, 3, "a whole deployment: intent, outcome, and that the forge was told")

	l.now = l.now.Add(5 * time.Minute) // our claim ran out
	l.hand("Support", "a=3")
	*l.watch = counted{Remote: l.remote}
	l.pass()
	require.Len(t, l.last.Pulls, 1)
	t.Log("drift to pull request:", l.watch.lists, l.watch.fetches, l.watch.pushes, l.watch.forge)
	require.LessOrEqual(t, l.watch.fetches, 1)
	require.LessOrEqual(t, l.watch.pushes-l.watch.forge, 1, "from the drift to the pull request")
}
