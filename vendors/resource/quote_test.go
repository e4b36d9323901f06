package resource_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestQuotedGlobMatchesItsNameAlone(t *testing.T) {
	t.Parallel()
	names := []string{"a", "a/b", "*", "**", "a/**", "?", "[x]", "x", `\`, `a\*`, "a//b", " ", "ü", "[", "]"}
	for _, n := range names {
		for _, other := range names {
			require.Equal(t, n == other, resource.Match(resource.QuoteGlob(n), other), "%q against %q", n, other)
		}
	}
}
