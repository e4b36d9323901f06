package genesyscloud

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// Reading 20,000 objects on the budget of 300 requests a minute takes minutes: it tells how long, and how far it has come, and never
// exceeds the budget.
func TestALongReadingTellsHowLongItTakes(t *testing.T) {
	t.Parallel()
	const codes, queues = 18_500, 1_500
	w := newLargeWorld(t, simulator.Options{Rate: 300})
	org := w.Org("Acme")
	setup, home := org.By("Setup"), map[string]any{"id": org.Find("division", "Home")}
	for n := range codes {
		_, err := setup.Create("wrapupcode", map[string]any{"name": fmt.Sprintf("Code %05d", n), "division": home})
		require.NoError(t, err)
	}
	for n := range queues {
		_, err := setup.Create("queue", map[string]any{"name": fmt.Sprintf("Queue %04d", n), "division": home})
		require.NoError(t, err)
	}
	c := w.config(org)
	*c.Parts = Duration(24 * time.Hour)
	d, err := New(c, Options{Clock: w.clock, Jitter: func() float64 { return 0.5 }})
	require.NoError(t, err)

	var told []vendors.Progress
	var known *resource.Snapshot
	read := func(r vendors.Request) time.Duration {
		t.Helper()
		told = nil
		r.OnProgress = func(p vendors.Progress) { told = append(told, p) }
		begun := w.clock.Now()
		s, err := d.Observe(t.Context(), r)
		require.NoError(t, err)
		require.Greater(t, s.Len(), codes+queues)
		known = s
		return w.clock.Now().Sub(begun)
	}
	// Of the first reading it is not known at once that each queue takes a request of its own; it is, once some were read.
	took := read(vendors.Request{})
	require.Greater(t, took, 4*time.Minute)
	right := 0
	for i, p := range told {
		require.LessOrEqual(t, p.Done, p.Total)
		require.False(t, i > 0 && p.Done < told[i-1].Done)
		if p.Kind == queue && p.Done > codes/100+200 {
			right++
			require.InDelta(t, took, p.Taken+p.Left, float64(took)/10, "%+v", p)
		}
	}
	require.Greater(t, right, queues/2)
	last := told[len(told)-1]
	require.Equal(t, last.Total, last.Done)
	require.Zero(t, last.Left)
	require.Equal(t, codes+queues, last.Objects/100*100)

	// The next one takes its pages, which are known from the beginning.
	require.NoError(t, w.clock.Sleep(t.Context(), 10*time.Minute))
	took = read(vendors.Request{Known: known})
	for _, p := range told {
		require.InDelta(t, told[len(told)-1].Done, p.Total, 6, "%+v", p)
		require.LessOrEqual(t, p.Taken+p.Left, took+time.Second)
	}

	// Whoever runs driftback reads it in the log. A budget is one of a process.
	require.NoError(t, w.clock.Sleep(t.Context(), 2*time.Minute))
	var log bytes.Buffer
	fresh, err := New(w.config(org), Options{Clock: w.clock, Jitter: func() float64 { return 0.5 }})
	require.NoError(t, err)
	target := vendors.NewTarget(fresh, vendors.TargetOptions{Clock: w.clock, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err = target.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.Regexp(t, `msg="still reading" kind=queue objects=\d+ requests="\d+ of about 1[78]\d\d" taken=\S+ left=\S*[1-9]\S*s`, log.String())
	require.LessOrEqual(t, bytes.Count(log.Bytes(), []byte("\n")), 20)
	require.LessOrEqual(t, w.Peak(org.ClientID()), 300)
	require.Greater(t, w.Peak(org.ClientID()), 250, "nothing was counted")
}
