package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/vendors/resource"
)

func TestCanonicalFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"environments/prod/queue/styled.yaml":     "{b: 1, a: 2}   # why\n",
		"environments/prod/queue/canonical.yaml":  "a: 2\nb: 1\n",
		"environments/prod/queue/overlay.yaml":    "{ $overlay: true, b: 1 }\n",
		"environments/prod/queue/broken.yaml":     "a: [\n",
		"environments/prod/queue/.driftback.yaml": "{}   \n",
		"environments/prod/file/raw.yaml":         "{b: 1, a: 2}\n",
		"environments/test/queue/other.yaml":      "{b: 1}\n",
		"elsewhere/queue/x.yaml":                  "{b: 1}\n",
	} {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(content), 0o600))
	}
	require.NoError(t, os.Symlink("styled.yaml", filepath.Join(dir, "environments/prod/queue/link.yaml")))
	c, err := readClone(dir)
	require.NoError(t, err)
	edits := map[string][]byte{}
	require.NoError(t, c.canonical(files.Layout{Root: "environments/prod", Kinds: []resource.KindInfo{{Kind: "queue"}, {Kind: "file", Raw: true}}}, edits))
	require.Equal(t, map[string][]byte{
		"environments/prod/queue/styled.yaml":  []byte("a: 2\nb: 1\n"),
		"environments/prod/queue/overlay.yaml": []byte("$overlay: true\nb: 1\n"),
	}, edits)
}
