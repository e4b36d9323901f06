package gitstore

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "config.git")
	require.NoError(t, Init(dir, "trunk"))
	s, err := Open(t.Context(), Options{URL: dir, Committer: Signature{Name: "driftback", Email: "driftback@localhost"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	c, err := s.Commit(t.Context(), "refs/heads/trunk", ID{}, Edit{"README.md": []byte("Hello\n")}, Signature{}, "First")
	require.NoError(t, err)
	require.NoError(t, Init(dir, "other"), "what is there stays")
	head, err := os.ReadFile(filepath.Join(dir, "HEAD"))
	require.NoError(t, err)
	require.Equal(t, "ref: refs/heads/trunk\n", string(head))
	if git, err := exec.LookPath("git"); err == nil {
		out, err := exec.Command(git, "--git-dir", dir, "rev-parse", "HEAD").CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, c.ID.String()+"\n", string(out))
		out, err = exec.Command(git, "--git-dir", dir, "fsck", "--strict").CombinedOutput()
		require.NoError(t, err, string(out))
	}
}
