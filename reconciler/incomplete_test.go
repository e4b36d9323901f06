package reconciler_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/vendors/mem"
)

// What is proposed while a kind cannot be read is a draft, until everything is read or somebody calls it ready; what was ready
// once does not become a draft again.
func TestDraftWhileIncomplete(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1")
	l.platform.Fail("file", errors.New("permission denied"))
	l.hand("Q", "a=2")
	l.pass()
	require.True(t, l.pull().Draft)
	require.Contains(t, l.pull().Body, "**A draft, because it is not complete.** One kind could not be read in full: `file`.")
	l.quiet()
	l.platform.Fail("file", nil)
	l.pass()
	require.False(t, l.pull().Draft)
	require.NotContains(t, l.pull().Body, "not complete")
	l.quiet()
	l.platform.Fail("file", errors.New("permission denied"))
	l.pass()
	require.False(t, l.pull().Draft)
	l.quiet()

	l.hand("Q", "a=1")
	l.pass()
	l.hand("Q", "a=3")
	l.pass()
	p := l.pull()
	require.True(t, p.Draft)
	p.Draft = false
	_, err := l.forge.EnsurePull(ctx, forge.Pull{Head: p.Head, Title: p.Title, Body: p.Body, Labels: p.Labels})
	require.NoError(t, err)
	l.pass()
	require.False(t, l.pull().Draft, "somebody called it ready")
	l.quiet()
}
