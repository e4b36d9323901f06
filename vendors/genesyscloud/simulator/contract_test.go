package simulator

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/routes.txt")

// TestRoutes holds the list from which the contract is extracted.
func TestRoutes(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	routes := slices.Clone(s.patterns)
	slices.Sort(routes)
	text := strings.Join(routes, "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile("testdata/routes.txt", []byte(text), 0o644))
	}
	want, err := os.ReadFile("testdata/routes.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), text, "run go test -run TestRoutes -update, then testdata/client/extract.mjs")
}
