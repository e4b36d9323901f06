package local_test

import (
	"testing"

	"github.com/driftback/driftback/gitstore/forge/forgetest"
)

func TestForge(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) site{
		"memory":                    func(t *testing.T) site { return memory(t, true) },
		"memory, one ref at a time": func(t *testing.T) site { return memory(t, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forgetest.Run(t, func(t *testing.T) forgetest.Fixture { return open(t).fixture(t) })
		})
	}
}
