package github_test

import (
	"context"
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

type contextContext = context.Context

// token is a token that does not change.
func token(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

// edit changes a comment of ann's.
func (s *site) edit(t *testing.T, id int64, body string) {
	t.Helper()
	s.person(t, "PATCH", fmt.Sprintf("/issues/comments/%d", id), map[string]string{"body": body}, nil)
}

// git runs native git in the bare repository.
func (s *site) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"--git-dir", s.repo.Dir}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
