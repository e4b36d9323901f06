package metrics_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/metrics"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// everything calls each method once, so that each instrument has a series.
func everything(m *metrics.Metrics, env string) {
	m.Drifted(env, map[metrics.Drift]int{{Kind: "queue", Change: "update"}: 2}, noon)
	m.Reconciled(env, "success", noon)
	m.Phase(env, "observe", 42*time.Millisecond)
	m.Deployed(env, "success", "merge")
	m.RolledBack(env, "verification")
	m.Pulls(env, map[string]int{"open": 1})
	m.Conflicts(env, 1)
	m.Held(env, map[string]int{"guard": 3})
	m.Fights(env, 1)
	m.Operational(env, map[string]int{"campaign": 1})
	m.Suspended(env, true)
	m.Window(env, true)
	m.Pending(env, 4)
	m.Applied(env, "0123abcd")
	m.Request("directory", "observe", "ok")
	m.RateLimit(env, func() (int, bool) { return 240, true })
	m.GitHubRequest("GET", 200)
	m.GitHubRequest("GET", 0)
	m.GitHubLimit("core", 4999)
	m.Webhook("push", "accepted")
	m.Reloaded(true, noon)
	m.Build("1.0.0", "0123abcd", "go1.26")
}

func TestNamesAreGoodPractice(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	everything(metrics.New(reg), "prod")
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
	families, err := reg.Gather()
	require.NoError(t, err)
	require.Len(t, families, 24, "an instrument without a series in this test is not linted")
}

func TestNilMetricsDoNothing(t *testing.T) {
	t.Parallel()
	require.NotPanics(t, func() {
		everything(nil, "prod")
		(*metrics.Metrics)(nil).Forget("prod")
	})
	// everything must stay complete: each exported method, called on nil with zero arguments, returns.
	nilMetrics := reflect.ValueOf((*metrics.Metrics)(nil))
	for i := range nilMetrics.NumMethod() {
		method := nilMetrics.Method(i)
		args := make([]reflect.Value, method.Type().NumIn())
		for j := range args {
			args[j] = reflect.Zero(method.Type().In(j))
		}
		require.NotPanics(t, func() { method.Call(args) }, nilMetrics.Type().Method(i).Name)
	}
}

func TestStaleSeriesDisappear(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	everything(m, "prod")
	everything(m, "test")

	m.Drifted("prod", map[metrics.Drift]int{{Kind: "skill", Change: "delete"}: 1}, time.Time{})
	m.Applied("prod", "4567")
	m.Pulls("prod", nil)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP driftback_applied_commit_info The commit that was last brought into agreement, as a label.
# TYPE driftback_applied_commit_info gauge
driftback_applied_commit_info{commit="4567",environment="prod"} 1
driftback_applied_commit_info{commit="0123abcd",environment="test"} 1
# HELP driftback_drifted_objects Objects whose live value is not what Git and the platform last agreed on.
# TYPE driftback_drifted_objects gauge
driftback_drifted_objects{change="delete",environment="prod",kind="skill"} 1
driftback_drifted_objects{change="update",environment="test",kind="queue"} 2
# HELP driftback_oldest_drift_timestamp_seconds When the oldest present drift was first seen; absent without drift.
# TYPE driftback_oldest_drift_timestamp_seconds gauge
driftback_oldest_drift_timestamp_seconds{environment="test"} 1.7723664e+09
# HELP driftback_pull_requests Drift pull requests by state.
# TYPE driftback_pull_requests gauge
driftback_pull_requests{environment="test",state="open"} 1
`), "driftback_applied_commit_info", "driftback_drifted_objects", "driftback_oldest_drift_timestamp_seconds", "driftback_pull_requests"))

	left := 7
	m.RateLimit("prod", func() (int, bool) { return left, true })
	m.RateLimit("test", func() (int, bool) { return 0, false })
	for ; left > 5; left-- {
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(`
# HELP driftback_vendor_api_rate_limit_remaining Requests that may be sent to the platform now without waiting; absent where nothing bounds them.
# TYPE driftback_vendor_api_rate_limit_remaining gauge
driftback_vendor_api_rate_limit_remaining{environment="prod"} %d
`, left)), "driftback_vendor_api_rate_limit_remaining"))
	}

	m.Forget("prod")
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, series := range f.GetMetric() {
			require.NotContains(t, series.String(), `"prod"`, f.GetName())
		}
	}
}

func TestFailedPassIsNoSuccess(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	m.Reconciled("prod", "error", noon)
	n, err := testutil.GatherAndCount(reg, "driftback_last_successful_reconcile_timestamp_seconds")
	require.NoError(t, err)
	require.Zero(t, n)
	m.Reconciled("prod", "held", noon)
	n, err = testutil.GatherAndCount(reg, "driftback_last_successful_reconcile_timestamp_seconds")
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestFailedReloadKeepsTheTime(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg)
	m.Reloaded(true, noon)
	m.Reloaded(false, noon.Add(time.Hour))
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP driftback_config_last_reload_success_timestamp_seconds When the configuration file was last taken over.
# TYPE driftback_config_last_reload_success_timestamp_seconds gauge
driftback_config_last_reload_success_timestamp_seconds 1.7723664e+09
# HELP driftback_config_last_reload_successful 1 if the configuration file in use is the one on disk.
# TYPE driftback_config_last_reload_successful gauge
driftback_config_last_reload_successful 0
`), "driftback_config_last_reload_successful", "driftback_config_last_reload_success_timestamp_seconds"))
}

// BenchmarkScrape shows that a scrape costs the same however many objects an
// environment has: compare ns/op and bytes/scrape of the two cases.
func BenchmarkScrape(b *testing.B) {
	for _, objects := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("objects=%d", objects), func(b *testing.B) {
			reg := prometheus.NewRegistry()
			m := metrics.New(reg)
			everything(m, "prod")
			for range objects {
				m.Request("directory", "observe", "ok")
			}
			m.Drifted("prod", map[metrics.Drift]int{{Kind: "queue", Change: "update"}: objects, {Kind: "queue", Change: "create"}: objects}, noon)
			h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
			var size int64
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
				size, _ = io.Copy(io.Discard, w.Body)
			}
			b.ReportMetric(float64(size), "bytes/scrape")
		})
	}
}
