package forge_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

// Git itself says which names branches may have.
func TestValidBranch(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"main", "driftback/drift/prod-2", "a.b", "a@b", "grüße/世界", "a-", "a=b", "a%20b", "x.lockx", "{}", "a@", "\u202e",
		"", "a..b", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\nb", "a\x7fb", "a\x00b", "/a", "a/", "a//b",
		".a", "a/.b", "a.lock", "a.lock/b", "a.", "a/b.", "a@{b", "@{",
	} {
		want := !strings.Contains(name, "\x00") &&
			exec.CommandContext(t.Context(), "git", "check-ref-format", "refs/heads/"+name).Run() == nil
		require.Equal(t, want, forge.ValidBranch(name), "%q", name)
	}
	for _, name := range []string{"-a", "@", "a\xff", strings.Repeat("x", 245)} {
		require.False(t, forge.ValidBranch(name), "%q: git takes it, we do not", name)
	}
}

func TestPullClean(t *testing.T) {
	t.Parallel()
	got, err := forge.Pull{Head: "a", Title: " one\ntwo ", Body: "x\xff\r\n", Labels: []string{"z", "a\tb", "z"}}.Clean()
	require.NoError(t, err)
	require.Equal(t, forge.Pull{Head: "a", Title: "one two", Body: "x\uFFFD\r\n", Labels: []string{"a b", "z"}}, got)
	again, err := got.Clean()
	require.NoError(t, err)
	require.Equal(t, got, again, "cleaning twice is cleaning once")
	closing := forge.Pull{Head: "a", State: forge.Closed}
	got, err = closing.Clean()
	require.NoError(t, err)
	require.Equal(t, closing, got)
	_, err = forge.Pull{Head: "a b", State: forge.Closed}.Clean()
	require.ErrorIs(t, err, forge.ErrInvalid)
}
