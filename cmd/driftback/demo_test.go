package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDemoStory plays the whole story, and then starts again where it ended.
func TestDemoStory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"demo", "--story", "--dir", dir}, &out, &errs)
	log, _ := os.ReadFile(filepath.Join(dir, "driftback.log"))
	require.Equal(t, exitDone, code, "%s%s\n%s", out.String(), errs.String(), log)
	for _, proof := range []string{
		`names Nora Keller and has the difference`, "-  timeoutMs: 30000", "+  timeoutMs: 90000",
		`schedule "Sales weekdays" ends at 2026-01-05T20:00:00`, "must be from 1000 to 86400000", "the platform is byte for byte as before",
		"proposes the way back", "prod in Git is byte for byte as before the change", "Every step held",
	} {
		require.Contains(t, out.String(), proof)
	}
	require.NotContains(t, out.String(), "NOT SO")
	require.Empty(t, errs.String())
	demoGoesOn(t, dir)
}

// demoGoesOn starts the demo on what was kept: nothing is imported anew, and what it tells to try works.
func demoGoesOn(t *testing.T, dir string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &demoOutput{}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"demo", "--dir", dir, "--listen", "127.0.0.1:0"}, out, out) }()
	eventually(t, "the demo's guide", func() bool { return strings.Contains(out.String(), "Stop with Ctrl-C") })
	var pulls bytes.Buffer
	require.Equal(t, exitDone, run(t.Context(), []string{"-c", filepath.Join(dir, "driftback.yaml"), "pulls", "list"}, &pulls, &pulls))
	require.Equal(t, "no pull requests\n", pulls.String(), "the first imports are not proposed again")
	stop()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the demo does not end")
	}
	require.Contains(t, out.String(), "goes on from here")
}

// A demoOutput is read while it is written.
type demoOutput struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *demoOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *demoOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func TestDemoListensOnThisMachineOnly(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	require.Equal(t, exitError, run(t.Context(), []string{"demo", "--listen", "0.0.0.0:9651"}, &out, &errs))
	require.Contains(t, errs.String(), "want an address of this machine")
}
