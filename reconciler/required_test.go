package reconciler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/mem"
)

// Where branch protection requires the status of the plan, the pull requests of driftback have it too: of what is proposed, of what
// people made of it, and of what takes back.
func TestOurPullsHaveTheRequiredStatus(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.hand("Q", "a=2")
	l.pass()
	require.Empty(t, l.checks(l.pull().HeadID), "it is not required")
	l.env.Announce.Untouched = true
	l.restart()
	l.pass()
	require.Equal(t, map[string]string{planCheck: "success"}, l.checks(l.pull().HeadID))
	require.Empty(t, l.said(l.pull().Number))
	l.quiet()
	first := l.pull().HeadID
	l.hand("R", "a=2")
	l.pass()
	require.NotEqual(t, first, l.pull().HeadID)
	require.Equal(t, map[string]string{planCheck: "success"}, l.checks(l.pull().HeadID))
	l.quiet()

	head := "refs/heads/" + l.pull().Head
	l.edit(head, gitstore.Edit{path("Q"): []byte("a: [\n")})
	l.pass()
	require.Equal(t, "failure", l.checks(l.refs()[head].String())[planCheck], "somebody broke it")
	l.edit(head, gitstore.Edit{path("Q"): []byte("a: v3\n")})
	l.pass()
	all, err := l.forge.Statuses(ctx, l.refs()[head].String())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, []string{"success", "would deploy: 1 changed"}, []string{all[0].State, all[0].Description}, "as merging it will")
	require.Contains(t, all[0].Summary, "| `queue/R` | is so already |")
	l.quiet()
	l.mergePull(l.pull().Number)
	l.pass()
	l.live("Q", "a=3")
	l.quiet()

	before := l.refs()[mainRef]
	l.commit(map[string]string{"Q": "a=4"})
	l.pass()
	l.comment(l.develop("topic", map[string]string{"R": "a=7"}).Number, "/rollback "+before.String())
	l.pass()
	l.pass()
	require.Equal(t, map[string]string{planCheck: "success"}, l.checks(l.drift().HeadID))
	l.quiet()
}
