package reconciler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
)

// messages returns those of a ref's commits, newest first.
func (l *loop) messages(ref string) []string {
	l.Helper()
	refs, err := l.git.Sync(ctx)
	require.NoError(l, err)
	var out []string
	for id := refs[ref]; !id.IsZero(); {
		c, err := l.git.CommitAt(id)
		require.NoError(l, err)
		out = append(out, c.Message)
		id = gitstore.ID{}
		if len(c.Parents) > 0 {
			id = c.Parents[0]
		}
	}
	return out
}

// The state as a branch, which rules can protect, and commits that no CI is to build: of the live branch and the
// state, and not of what is proposed.
func TestStateBranchAndSkippedCI(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{})
	l.adjust = func(c *reconciler.Config) { c.StateBranch, c.SkipCI = true, true }
	l.restart()
	l.hand("Q", "a=1")
	l.pass()
	l.merge(local.ByMerge)
	l.pass()
	l.quiet()
	l.hand("Q", "a=2")
	l.pass()
	refs, err := l.git.Sync(ctx)
	require.NoError(t, err)
	require.Zero(t, refs[stateRef])
	const branch = "refs/heads/driftback/state/prod"
	for _, ref := range []string{branch, liveRef} {
		for _, m := range l.messages(ref) {
			subject, rest, _ := strings.Cut(m, "\n")
			require.NotEmpty(t, subject)
			require.True(t, strings.HasPrefix(rest, "\n[skip ci]\n"), "%s: %q", ref, m)
		}
	}
	live := l.messages(liveRef)[0]
	require.Regexp(t, `(?s)\n\n(Changed-by: bob\n|[A-Z][A-Za-z-]+: [^\n]*\n)+$`, live, "trailers stay last")
	require.NotContains(t, l.messages("refs/heads/driftback/drift/prod")[0], "[skip ci]", "a proposal is looked at by everybody's checks")
	l.merge(local.ByMerge)
	l.pass()
	l.quiet()
	l.restart()
	l.pass()
	require.Empty(t, l.last.Held, "the state is found again")
	events, err := reconciler.History(l.git, reconciler.HistoryOptions{Environment: "prod", Kinds: kinds, StateBranch: true})
	require.NoError(t, err)
	require.NotEmpty(t, events)
}
