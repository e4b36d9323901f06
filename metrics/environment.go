package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Drift is a class of drifted objects: their kind, and whether they were
// created, updated, deleted or renamed by hand.
type Drift struct{ Kind, Change string }

// Drifted sets how many objects have drifted, by class, and since when the
// oldest has. Classes that are not named any more disappear.
func (m *Metrics) Drifted(env string, objects map[Drift]int, oldest time.Time) {
	if m == nil {
		return
	}
	replace(m.drifted, env, func(set func(float64, ...string)) {
		for d, n := range objects {
			set(float64(n), d.Kind, d.Change)
		}
	})
	if oldest.IsZero() {
		m.oldestDrift.DeleteLabelValues(env)
		return
	}
	m.oldestDrift.WithLabelValues(env).Set(seconds(oldest))
}

// Reconciled counts a pass by how it ended: success, held, standby (another daemon works on it), stale
// (another one was faster) or error. The first two also set when.
func (m *Metrics) Reconciled(env, result string, at time.Time) {
	if m == nil {
		return
	}
	m.reconciles.WithLabelValues(env, result).Inc()
	if result == "success" || result == "held" {
		m.lastReconcile.WithLabelValues(env).Set(seconds(at))
	}
}

// Phase observes how long a phase of a pass took: sync, observe, remember, decide, deploy, propose or announce.
func (m *Metrics) Phase(env, phase string, took time.Duration) {
	if m == nil {
		return
	}
	m.phaseSeconds.WithLabelValues(env, phase).Observe(took.Seconds())
}

// Deployed counts a deployment by how it ended and what caused it: merge, enforce, revert.
func (m *Metrics) Deployed(env, result, trigger string) {
	if m == nil {
		return
	}
	m.deployments.WithLabelValues(env, result, trigger).Inc()
}

// RolledBack counts a deployment that was undone.
func (m *Metrics) RolledBack(env, cause string) {
	if m == nil {
		return
	}
	m.rollbacks.WithLabelValues(env, cause).Inc()
}

// Pulls sets how many drift pull requests there are by state. States that are not named disappear.
func (m *Metrics) Pulls(env string, byState map[string]int) {
	if m == nil {
		return
	}
	replace(m.pulls, env, counted(byState))
}

// Conflicts sets how many objects are frozen.
func (m *Metrics) Conflicts(env string, n int) {
	if m == nil {
		return
	}
	m.conflicts.WithLabelValues(env).Set(float64(n))
}

// Held sets how many objects wait, by the gate that holds them. Gates that are not named disappear.
func (m *Metrics) Held(env string, byGate map[string]int) {
	if m == nil {
		return
	}
	replace(m.held, env, counted(byGate))
}

// Fights sets how many objects are left alone because somebody else keeps changing them back.
func (m *Metrics) Fights(env string, n int) {
	if m == nil {
		return
	}
	m.fights.WithLabelValues(env).Set(float64(n))
}

// Operational sets how many objects run otherwise than Git says, by kind. Kinds that are not named disappear.
func (m *Metrics) Operational(env string, byKind map[string]int) {
	if m == nil {
		return
	}
	replace(m.operational, env, counted(byKind))
}

// Suspended sets whether the environment is suspended.
func (m *Metrics) Suspended(env string, suspended bool) {
	if m == nil {
		return
	}
	m.suspended.WithLabelValues(env).Set(number(suspended))
}

// Window sets whether a window of the environment is open.
func (m *Metrics) Window(env string, open bool) {
	if m == nil {
		return
	}
	m.window.WithLabelValues(env).Set(number(open))
}

// Pending sets how many commits of the tracked branch are not deployed yet.
func (m *Metrics) Pending(env string, commits int) {
	if m == nil {
		return
	}
	m.pending.WithLabelValues(env).Set(float64(commits))
}

// Applied names the commit that was last brought into agreement; empty for none.
func (m *Metrics) Applied(env, commit string) {
	if m == nil {
		return
	}
	replace(m.applied, env, func(set func(float64, ...string)) {
		if commit != "" {
			set(1, commit)
		}
	})
}

// Forget removes every series of an environment that is no longer configured.
func (m *Metrics) Forget(env string) {
	if m == nil {
		return
	}
	labels := prometheus.Labels{"environment": env}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		m.drifted, m.oldestDrift, m.lastReconcile, m.phaseSeconds, m.reconciles, m.deployments, m.rollbacks,
		m.pulls, m.conflicts, m.held, m.fights, m.operational, m.suspended, m.window, m.pending, m.applied,
	} {
		v.DeletePartialMatch(labels)
	}
	m.vendorLeft.set(env, nil)
}

// replace makes the environment's series of v exactly those that fill sets. A
// scrape in between may miss some for a moment, and never sees a stale one.
func replace(v *prometheus.GaugeVec, env string, fill func(set func(value float64, labels ...string))) {
	v.DeletePartialMatch(prometheus.Labels{"environment": env})
	fill(func(value float64, labels ...string) {
		v.WithLabelValues(append([]string{env}, labels...)...).Set(value)
	})
}

func counted(by map[string]int) func(func(float64, ...string)) {
	return func(set func(float64, ...string)) {
		for label, n := range by {
			set(float64(n), label)
		}
	}
}
