// Package metrics holds the instruments by which driftback is watched.
//
// It knows their names, labels and meaning; it must not decide anything, keep
// global state or know where its numbers come from. No label holds the name of an
// object or a person, so that what a scrape costs does not grow with a platform's
// configuration. Methods of a nil *Metrics do nothing, so that who is measured
// need not ask whether anybody measures. All methods may be called concurrently.
package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const namespace = "driftback"

// A Metrics is one set of instruments.
type Metrics struct {
	drifted        *prometheus.GaugeVec
	oldestDrift    *prometheus.GaugeVec
	lastReconcile  *prometheus.GaugeVec
	phaseSeconds   *prometheus.HistogramVec
	reconciles     *prometheus.CounterVec
	deployments    *prometheus.CounterVec
	rollbacks      *prometheus.CounterVec
	pulls          *prometheus.GaugeVec
	conflicts      *prometheus.GaugeVec
	held           *prometheus.GaugeVec
	fights         *prometheus.GaugeVec
	vendorRequests *prometheus.CounterVec
	vendorLeft     *remaining
	githubRequests *prometheus.CounterVec
	githubLeft     *prometheus.GaugeVec
	webhooks       *prometheus.CounterVec
	operational    *prometheus.GaugeVec
	suspended      *prometheus.GaugeVec
	window         *prometheus.GaugeVec
	pending        *prometheus.GaugeVec
	applied        *prometheus.GaugeVec
	reloadGood     prometheus.Gauge
	reloadSeconds  prometheus.Gauge
	build          *prometheus.GaugeVec
}

// New registers a set of instruments. It panics when reg already has one, which is a programming error.
func New(reg prometheus.Registerer) *Metrics {
	f := factory{reg}
	const env = "environment"
	return &Metrics{
		drifted:        f.gauges("drifted_objects", "Objects whose live value is not what Git and the platform last agreed on.", env, "kind", "change"),
		oldestDrift:    f.gauges("oldest_drift_timestamp_seconds", "When the oldest present drift was first seen; absent without drift.", env),
		lastReconcile:  f.gauges("last_successful_reconcile_timestamp_seconds", "When a pass last ended well.", env),
		phaseSeconds:   f.seconds("reconcile_duration_seconds", "Duration of the phases of a pass.", env, "phase"),
		reconciles:     f.counters("reconciles_total", "Passes by how they ended.", env, "result"),
		deployments:    f.counters("deployments_total", "Deployments by how they ended and what caused them.", env, "result", "trigger"),
		rollbacks:      f.counters("rollbacks_total", "Deployments that were undone, by cause.", env, "cause"),
		pulls:          f.gauges("pull_requests", "Drift pull requests by state.", env, "state"),
		conflicts:      f.gauges("conflicts", "Objects frozen until people decide.", env),
		held:           f.gauges("held_objects", "Objects whose deployment waits for people, by what holds it.", env, "gate"),
		fights:         f.gauges("fights", "Objects that are left alone because somebody else keeps changing them back.", env),
		operational:    f.gauges("operational_objects", "Objects whose operational fields run otherwise than Git says: told, and not deployed.", env, "kind"),
		vendorRequests: f.counters("vendor_api_requests_total", "Requests to platforms.", "vendor", "operation", "code"),
		vendorLeft:     f.remaining("vendor_api_rate_limit_remaining", "Requests that may be sent to the platform now without waiting; absent where nothing bounds them.", env),
		githubRequests: f.counters("github_api_requests_total", "Requests to GitHub.", "method", "code"),
		githubLeft:     f.gauges("github_rate_limit_remaining", "Requests that GitHub still takes until the quota is renewed.", "resource"),
		webhooks:       f.counters("webhook_deliveries_total", "Webhook deliveries by what became of them.", "event", "result"),
		suspended:      f.gauges("suspended", "1 while the environment is suspended.", env),
		window:         f.gauges("window_open", "1 while a window of the environment is open, of those that have any.", env),
		pending:        f.gauges("pending_commits", "Commits of the tracked branch that are not deployed yet.", env),
		applied:        f.gauges("applied_commit_info", "The commit that was last brought into agreement, as a label.", env, "commit"),
		reloadGood:     f.gauge("config_last_reload_successful", "1 if the configuration file in use is the one on disk."),
		reloadSeconds:  f.gauge("config_last_reload_success_timestamp_seconds", "When the configuration file was last taken over."),
		build:          f.gauges("build_info", "What is running, as labels.", "version", "revision", "goversion"),
	}
}

// A factory makes instruments that are registered from the start.
type factory struct{ reg prometheus.Registerer }

func (f factory) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	f.reg.MustRegister(v)
	return v
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	f.reg.MustRegister(g)
	return g
}

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	f.reg.MustRegister(v)
	return v
}

func (f factory) seconds(name, help string, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		// From a pass over a small directory to a large organisation behind a rate limit.
		Buckets:                         []float64{.005, .025, .1, .5, 1, 5, 15, 60, 300, 1200},
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}, labels)
	f.reg.MustRegister(v)
	return v
}

// Build tells what is running.
func (m *Metrics) Build(version, revision, goversion string) {
	if m == nil {
		return
	}
	m.build.Reset()
	m.build.WithLabelValues(version, revision, goversion).Set(1)
}

// Reloaded tells whether the configuration file on disk could be taken over.
func (m *Metrics) Reloaded(good bool, at time.Time) {
	if m == nil {
		return
	}
	m.reloadGood.Set(number(good))
	if good {
		m.reloadSeconds.Set(seconds(at))
	}
}

// Request counts one request to a platform. code is a status in the platform's
// own words or "error" where none came back.
func (m *Metrics) Request(vendor, operation, code string) {
	if m == nil {
		return
	}
	m.vendorRequests.WithLabelValues(vendor, operation, code).Inc()
}

// RateLimit makes every scrape ask how many requests may be sent to an environment's platform. ask may be called
// concurrently, until Forget or the next RateLimit of the environment.
func (m *Metrics) RateLimit(env string, ask func() (requests int, bounded bool)) {
	if m == nil {
		return
	}
	m.vendorLeft.set(env, ask)
}

// GitHubRequest counts one request to GitHub. code is the HTTP status, 0 where no answer came.
func (m *Metrics) GitHubRequest(method string, code int) {
	if m == nil {
		return
	}
	label := "error"
	if code != 0 {
		label = strconv.Itoa(code)
	}
	m.githubRequests.WithLabelValues(method, label).Inc()
}

// GitHubLimit tells what is left of a quota of GitHub.
func (m *Metrics) GitHubLimit(resource string, remaining int) {
	if m == nil {
		return
	}
	m.githubLeft.WithLabelValues(resource).Set(float64(remaining))
}

// Webhook counts one delivery. event is one of a known few, or other.
func (m *Metrics) Webhook(event, result string) {
	if m == nil {
		return
	}
	m.webhooks.WithLabelValues(event, result).Inc()
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is t since the epoch, to the millisecond.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
