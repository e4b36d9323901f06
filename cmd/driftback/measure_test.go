package main

import (
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/metrics"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// What a failed pass does not know stays as it was; what it did is counted all the same.
func TestFailedPassKeepsWhatWasKnown(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	drift := reconciler.Item{Key: resource.Key{Kind: "file", Name: "a"}, Verdict: reconciler.Record, Base: resource.Hash{1}, Live: resource.Hash{2}}
	observeReport(m, reconciler.Report{Environment: "prod", Started: time.Unix(100, 0), Items: []reconciler.Item{drift}, Operational: []reconciler.Operational{{Key: drift.Key}}})
	series := func(name string) int {
		n, err := testutil.GatherAndCount(reg, name)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, 1, series("driftback_drifted_objects"))
	require.Equal(t, 1, series("driftback_operational_objects"))
	require.Zero(t, series("driftback_deployments_total"))
	observeReport(m, reconciler.Report{Environment: "prod", Err: io.EOF, Deployments: []reconciler.Deployment{{ID: "1", Commit: "c"}}})
	require.Equal(t, 1, series("driftback_drifted_objects"))
	require.Equal(t, 1, series("driftback_deployments_total"))
	observeReport(m, reconciler.Report{Environment: "prod"})
	require.Zero(t, series("driftback_operational_objects"))
	require.Zero(t, series("driftback_drifted_objects"))
}

func TestHowPassesEnd(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]reconciler.Report{
		"success": {},
		"error":   {Err: io.EOF},
		"stale":   {Err: errors.Join(gitstore.ErrStale)},
		"standby": {Err: reconciler.ErrStandBack, StandBack: true},
		"held":    {Held: []reconciler.Trouble{{Reason: "guard"}}},
	} {
		require.Equal(t, want, ending(r))
	}
	require.Equal(t, "held", ending(reconciler.Report{Err: reconciler.ErrHalted, Halt: &reconciler.Halt{}}))
	require.Equal(t, "held", ending(reconciler.Report{Deployments: []reconciler.Deployment{{Undone: true}}}))
}

func TestDriftIsNamed(t *testing.T) {
	t.Parallel()
	one := resource.Hash{1}
	require.Equal(t, "create", driftChange(reconciler.Item{Live: one}))
	require.Equal(t, "delete", driftChange(reconciler.Item{Base: one}))
	require.Equal(t, "update", driftChange(reconciler.Item{Base: one, Live: resource.Hash{2}}))
	require.Equal(t, "rename", driftChange(reconciler.Item{Base: one, Partner: resource.Key{Kind: "file", Name: "b"}}))
}

// A target that only observes refuses to write, whatever asks it to.
func TestObservingTargetIsReadOnly(t *testing.T) {
	t.Parallel()
	w := &workspace{config: &config{Environments: map[string]environment{}}, log: slog.New(slog.DiscardHandler), secrets: resolver{new(redactor)}}
	part, err := parseConfig("x", []byte("repository: {url: x}\nforge: {local: {}}\nenvironments:\n  prod: {vendor: directory, directory: {root: "+t.TempDir()+"}}\n"))
	require.NoError(t, err)
	w.config = part
	p, err := w.openTarget(t.Context(), "prod", nil)
	require.NoError(t, err)
	_, err = p.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: resource.Key{Kind: "file", Name: "a"}, Spec: resource.RawSpec([]byte("x"))}})
	require.ErrorIs(t, err, vendors.ErrReadOnly)
	require.NoError(t, w.close())
}

// What a pull request holds cannot write to the terminal by itself.
func TestShownPullIsPrintable(t *testing.T) {
	t.Parallel()
	r := pullDetails(local.Details{
		Pull:     forge.Pull{Title: "t\x1b[1m", Body: "b\x1b[2m"},
		Diff:     "+c\x1b[3m\n",
		Comments: []forge.Comment{{Author: "ann", Body: "d\x1b[4m\u202e"}},
	})
	for _, show := range []func(io.Writer){r.text, r.markdown} {
		var out safeBuffer
		show(&out)
		for _, escaped := range []string{`t\x1b[1m`, `b\x1b[2m`, "+c\\x1b[3m\n", `d\x1b[4m\u202e`} {
			require.Contains(t, out.String(), escaped)
		}
	}
}
