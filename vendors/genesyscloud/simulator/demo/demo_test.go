package demo

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
)

func TestSeed(t *testing.T) {
	t.Parallel()
	s := simulator.New(simulator.Options{Seed: 1})
	queue := map[string]string{}
	for _, env := range Environments() {
		org, err := Seed(s, env)
		require.NoError(t, err)
		n := org.Count("")
		require.Greater(t, n, 360, env)
		require.Less(t, n, 440, env)
		queue[env] = org.Find("queue", "Claims Motor")
		require.NotEmpty(t, queue[env])
		t.Logf("%s: %d objects", env, n)
	}
	require.NotEqual(t, queue["test"], queue["prod"], "ids differ")
}
