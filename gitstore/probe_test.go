package gitstore

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readerOf(s string) io.Reader { return strings.NewReader(s) }

// hook makes a server-side hook of a shell script.
func hook(t *testing.T, bare, name, script string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(bare, "hooks", name), []byte("#!/bin/sh\n"+script), 0o755)) //nolint:gosec // a hook runs
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ hook, script, says string }{
		"taken": {},
		"a rule of all refs": {"pre-receive", `while read old new ref; do case $ref in refs/heads/live/*) echo "GH013: Repository rule violations found for $ref" >&2; exit 1;; esac; done`,
			"GH013: Repository rule violations found for refs/heads/live/driftback-probe"},
		"a rule of one ref": {"update", `case $1 in refs/heads/live/*probe) echo "Cannot create ref due to creations being restricted." >&2; exit 1;; esac`,
			"Cannot create ref due to creations being restricted."},
		"a rule that another ref breaks": {"update", `case $1 in refs/heads/other/*) exit 1;; esac`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			bare := newBare(t)
			tree := git(t, bare, "hash-object", "-t", "tree", "-w", "/dev/null")
			git(t, bare, "update-ref", mainRef, git(t, bare, "commit-tree", "-m", "first", tree))
			if c.hook != "" {
				hook(t, bare, c.hook, c.script)
			}
			before := git(t, bare, "for-each-ref")
			s := open(t, Options{URL: serve(t, bare, nil), Auth: token(goodToken)})
			refs, err := s.Sync(ctx)
			require.NoError(t, err)
			err = s.Probe(ctx, "refs/heads/live/driftback-probe", refs[mainRef])
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrRefused)
				require.ErrorContains(t, err, c.says)
			}
			require.Equal(t, before, git(t, bare, "for-each-ref"), "no trace is left")
			require.Equal(t, refs, s.Refs())
		})
	}
}

func TestProbeCannotOrMayNot(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	local := open(t, Options{URL: bare})
	c, err := local.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1")}, ann, "m")
	require.NoError(t, err)
	require.ErrorIs(t, local.Probe(ctx, "refs/heads/live/x", c.ID), ErrUntried)

	denied := false
	s := open(t, Options{Auth: token(goodToken), URL: serve(t, bare, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if denied && strings.Contains(r.URL.String(), "receive-pack") {
				http.Error(w, "Write access to repository not granted.", http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})
	})})
	_, err = s.Sync(ctx)
	require.NoError(t, err)
	denied = true
	require.ErrorIs(t, s.Probe(ctx, "refs/heads/live/x", c.ID), ErrAuth)

	git(t, bare, "config", "receive.advertiseAtomic", "false")
	denied = false
	s = open(t, Options{Auth: token(goodToken), URL: serve(t, bare, nil)})
	_, err = s.Sync(ctx)
	require.NoError(t, err)
	require.ErrorIs(t, s.Probe(ctx, "refs/heads/live/x", c.ID), ErrUntried)
}
