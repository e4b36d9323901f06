package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/metrics"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b)
}

func TestProbes(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics.New(reg).Build("1.2.3", "abc", "go1.26")
	ready := &readiness{}
	ready.expect([]string{"prod", "test"}, func(string) bool { return false })
	addr, stop, err := serve("127.0.0.1:0", handler(reg, ready), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer stop()
	url := "http://" + addr.String()

	code, body := get(t, url+"/metrics")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, `driftback_build_info{goversion="go1.26",revision="abc",version="1.2.3"} 1`)
	code, _ = get(t, url+"/livez")
	require.Equal(t, http.StatusOK, code, "a daemon that waits for its platform is alive")

	want := func(code int, p probe) {
		t.Helper()
		got, body := get(t, url+"/readyz")
		require.Equal(t, code, got)
		var answered probe
		require.NoError(t, json.Unmarshal([]byte(body), &answered))
		require.Equal(t, p, answered)
	}
	want(http.StatusServiceUnavailable, probe{Status: "waiting", Reasons: map[string]string{"prod": notYet, "test": notYet}})
	ready.passed("prod", "")
	ready.passed("test", "permission denied")
	want(http.StatusServiceUnavailable, probe{Status: "waiting", Reasons: map[string]string{"test": "permission denied"}})
	ready.passed("test", "")
	want(http.StatusOK, probe{Status: "ok"})
	ready.passed("prod", "gone")
	want(http.StatusOK, probe{Status: "ok"})
	ready.expect([]string{"prod", "dev"}, func(env string) bool { return env == "prod" })
	want(http.StatusServiceUnavailable, probe{Status: "waiting", Reasons: map[string]string{"dev": notYet}})

	code, _ = get(t, url+"/elsewhere")
	require.Equal(t, http.StatusNotFound, code)
	r, err := http.Post(url+"/metrics", "", strings.NewReader("x"))
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
}

func TestServerEnds(t *testing.T) {
	t.Parallel()
	addr, stop, err := serve("127.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	stop()
	_, err = http.Get("http://" + addr.String())
	require.Error(t, err)
	_, _, err = serve(addr.String()+"0000", nil, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "listen on "+addr.String())
	_, stop, err = serve("off", nil, nil)
	require.NoError(t, err)
	stop()
}
