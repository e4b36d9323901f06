package reconciler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/vendors/mem"
)

// The owners of what was changed are asked to look, by the tracked branch's CODEOWNERS and nobody else's.
func TestOwnersAreAskedToReview(t *testing.T) {
	t.Parallel()
	l := newLoop(t, mem.Options{}, "Q: a=1", "R: a=1", "S: a=1")
	l.edit(mainRef, gitstore.Edit{".github/CODEOWNERS": []byte("* @everyone\n/environments/prod/queue/Q.yaml @acme/queues ann@example.org\n/environments/prod/queue/S.yaml @nobody-here\n")})
	l.pass()
	l.hand("Q", "a=2")
	l.hand("R", "a=2")
	l.pass()
	require.Equal(t, []string{"acme/queues", "ann@example.org", "everyone"}, l.pull().Reviewers)
	l.quiet()
	l.edit("refs/heads/driftback/drift/prod", gitstore.Edit{".github/CODEOWNERS": []byte("* @mallory\n")})
	l.pass()
	require.NotContains(t, l.pull().Reviewers, "mallory")
}
