package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/metrics"
	"github.com/driftback/driftback/reconciler"
)

// observeReport puts what a pass reported into the metrics.
func observeReport(m *metrics.Metrics, r reconciler.Report) {
	env := r.Environment
	m.Reconciled(env, ending(r), r.Started.Add(r.Took))
	m.Phase(env, "pass", r.Took)
	for _, d := range r.Deployments { // also of a pass that did not end
		outcome := "success"
		if d.Undone {
			outcome = "undone"
			m.RolledBack(env, "failure")
		}
		m.Deployed(env, outcome, string(d.Trigger))
	}
	if r.Halt != nil {
		m.Held(env, map[string]int{"halt": r.Observed})
	}
	if r.Err != nil {
		return // what was known stays known
	}
	drift := map[metrics.Drift]int{}
	for _, it := range drifted(r) {
		drift[metrics.Drift{Kind: string(it.Key.Kind), Change: driftChange(it)}]++
	}
	m.Drifted(env, drift, r.OldestDrift)
	m.Conflicts(env, r.Conflicts)
	operational := map[string]int{}
	for _, o := range r.Operational {
		operational[string(o.Key.Kind)]++
	}
	m.Operational(env, operational)
	if r.Halt == nil {
		m.Held(env, heldBy(r))
		m.Fights(env, r.Fights)
	}
	m.Suspended(env, r.Suspended)
	if r.Window != nil {
		m.Window(env, r.Window.Open)
	}
	m.Applied(env, r.Commit)
	pulls := map[string]int{}
	for _, p := range r.Pulls {
		pulls[pullState(p)]++
	}
	m.Pulls(env, pulls)
}

// heldBy counts what is held by its gate, as a metric's label.
func heldBy(r reconciler.Report) map[string]int {
	out := map[string]int{}
	for gate, n := range r.HeldBy() {
		out[string(gate)] = n
	}
	return out
}

// ending is how a pass ended, as a metric's label.
func ending(r reconciler.Report) string {
	switch {
	case r.StandBack:
		return "standby"
	case errors.Is(r.Err, gitstore.ErrStale):
		return "stale"
	case r.Halt != nil || r.Err == nil && waits(r):
		return "held"
	case r.Err != nil:
		return "error"
	}
	return "success"
}

// driftChange names what was done by hand, judged against what both sides last had.
func driftChange(it reconciler.Item) string {
	switch {
	case it.Partner.Name != "":
		return "rename"
	case it.Base.IsZero():
		return "create"
	case it.Live.IsZero():
		return "delete"
	}
	return "update"
}

// logReport is the one line that a pass which did something leaves in the log.
func logReport(log *slog.Logger, r reconciler.Report) {
	if r.Remembered == 0 && len(r.Deployments) == 0 && len(r.Held) == 0 && len(r.Unknown) == 0 {
		return
	}
	log.Info("pass", "env", r.Environment, "took", r.Took.Round(time.Millisecond), "commit", r.Commit,
		"remembered", r.Remembered, "drifted", r.Drifted, "conflicts", r.Conflicts, "deployments", len(r.Deployments), "held", len(r.Held))
}
