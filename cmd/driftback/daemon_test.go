package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A running daemon is `driftback run` in this process.
type running struct {
	w    *world
	url  string
	stop context.CancelFunc
	done chan int
	out  *safeBuffer
}

// A safeBuffer may be written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs the daemon, listening on a free port, until it is ready.
func (w *world) start() *running {
	w.t.Helper()
	r := w.launch()
	eventually(w.t, "the daemon to be ready", func() bool {
		code, _ := r.tryGet("/readyz")
		return code == http.StatusOK
	})
	return r
}

// launch runs the daemon, listening on a free port, until it answers.
func (w *world) launch() *running {
	w.t.Helper()
	addr := freePort(w.t)
	w.write(w.conf, strings.Replace(w.read(w.conf), `listen: "off"`, "listen: "+addr, 1))
	ctx, stop := context.WithCancel(w.t.Context())
	r := &running{w: w, url: "http://" + addr, stop: stop, done: make(chan int, 1), out: &safeBuffer{}}
	go func() { r.done <- run(ctx, []string{"--config", w.conf, "run"}, r.out, r.out) }()
	w.t.Cleanup(func() {
		if w.t.Failed() {
			_, body := r.tryGet("/metrics")
			w.t.Log(body)
			w.t.Log(r.out.String())
		}
		stop()
	})
	eventually(w.t, "the daemon to answer", func() bool {
		code, _ := r.tryGet("/livez")
		return code == http.StatusOK
	})
	return r
}

// tryGet returns nothing where the daemon does not answer.
func (r *running) tryGet(path string) (int, string) {
	res, err := http.Get(r.url + path)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	return res.StatusCode, string(b)
}

// metric reports whether /metrics has the line.
func (r *running) metric(line string) bool {
	r.w.t.Helper()
	_, body := get(r.w.t, r.url+"/metrics")
	return strings.Contains("\n"+body, "\n"+line+"\n")
}

// end stops the daemon as a service manager does.
func (r *running) end() {
	r.w.t.Helper()
	r.stop()
	require.Equal(r.w.t, exitDone, <-r.done, r.out.String())
	require.NotContains(r.w.t, r.out.String(), gitToken, "a secret is never logged")
	for line := range strings.Lines(r.out.String()) {
		require.True(r.w.t, json.Valid([]byte(line)), "a log line elsewhere than on a terminal is JSON: %s", line)
	}
}

func TestDaemon(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	d := w.start()
	require.True(t, d.metric(`driftback_suspended{environment="prod"} 0`))
	require.True(t, d.metric(`driftback_config_last_reload_successful 1`))

	// A change by hand is noticed, proposed, counted, and gone once it is merged.
	w.edit("a.yml", "a: 2\n")
	eventually(t, "the drift to be counted", func() bool {
		return d.metric(`driftback_drifted_objects{change="update",environment="prod",kind="file"} 1`) && d.metric(`driftback_pull_requests{environment="prod",state="open"} 1`)
	})
	w.driftback(exitDone, "pulls", "merge", "2")
	eventually(t, "the drift to be gone", func() bool {
		_, body := get(t, d.url+"/metrics")
		return !strings.Contains(body, "driftback_drifted_objects{") && !strings.Contains(body, "driftback_oldest_drift_timestamp_seconds{")
	})

	// What is merged is deployed.
	w.pull()
	w.write(w.in("b.yml"), "b: 2\n")
	w.commit("Two")
	eventually(t, "the deployment", func() bool { return w.read(w.liveFile("b.yml")) == "b: 2\n" })
	eventually(t, "the deployment to be counted", func() bool {
		return d.metric(`driftback_deployments_total{environment="prod",result="success",trigger="merge"} 1`)
	})
	d.end()
	require.Contains(t, d.out.String(), `"msg":"stopped"`)
	_, err := http.Get(d.url + "/livez")
	require.Error(t, err, "the listener is closed")
	w.fsck()
}

// A broken configuration keeps the one before, says so, and is mended without a restart.
func TestDaemonReloadsItsConfiguration(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	d := w.start()
	good := w.read(w.conf)
	people := *w // who have a configuration of their own
	people.conf = filepath.Join(w.dir, "people.yaml")
	people.write(people.conf, good)
	for i, broken := range []string{
		good + "nonsense: true\n",
		strings.Replace(good, "settle: 50ms", "setle: 50ms", 1),
		strings.Replace(good, "vendor: directory", "vendor: directori", 1),
		"",
	} {
		w.write(w.conf, broken)
		eventually(t, "the complaint", func() bool {
			return strings.Count(d.out.String(), "configuration not taken over") == i+1 && d.metric("driftback_config_last_reload_successful 0")
		})
	}
	require.Contains(t, d.out.String(), "unknown key nonsense")
	require.Contains(t, d.out.String(), "unknown key setle")
	require.Contains(t, d.out.String(), "did you mean directory?")
	w.edit("a.yml", "a: 2\n")
	eventually(t, "the one before to be in use", func() bool { return strings.Contains(people.openPulls(), "a.yml") })

	// A second environment is taken up, by a rename as editors do it, and given up again.
	other := filepath.Join(w.dir, "other")
	w.write(filepath.Join(other, "z.yml"), "z: 1\n")
	more := good + fmt.Sprintf("  test:\n    vendor: directory\n    directory: {root: %q, settle: 50ms}\n    every: 1s\n", other)
	w.write(w.conf+".new", more)
	require.NoError(t, os.Rename(w.conf+".new", w.conf))
	eventually(t, "the second environment", func() bool {
		return d.metric("driftback_config_last_reload_successful 1") && d.metric(`driftback_suspended{environment="test"} 0`)
	})
	eventually(t, "its first import", func() bool { return strings.Contains(people.openPulls(), "import test") })
	w.write(w.conf, good)
	eventually(t, "it to be given up", func() bool {
		_, body := get(t, d.url+"/metrics")
		return !strings.Contains(body, `environment="test"`)
	})
	d.end()
}

// An environment that cannot be opened keeps nobody else waiting, and is taken up once it can be.
func TestDaemonWithOneEnvironmentAway(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	other := filepath.Join(w.dir, "other")
	w.write(w.conf, w.read(w.conf)+fmt.Sprintf("  test:\n    vendor: directory\n    directory: {root: %q, settle: 50ms}\n    every: 1s\n", other))
	code, stdout, stderr := w.try("run", "--once")
	require.Equal(t, exitError, code)
	require.Contains(t, stdout, "prod: 2 objects, no drift")
	require.Contains(t, stderr, "environment test: ")

	d := w.launch()
	w.edit("a.yml", "a: 2\n")
	eventually(t, "the drift to be counted", func() bool {
		return d.metric(`driftback_drifted_objects{change="update",environment="prod",kind="file"} 1`)
	})
	code, body := d.tryGet("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, other)
	w.write(filepath.Join(other, "z.yml"), "z: 1\n")
	eventually(t, "the daemon to be ready", func() bool { code, _ := d.tryGet("/readyz"); return code == http.StatusOK })
	d.end()
}

// Two daemons on one repository do everything once.
func TestTwoDaemons(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	d := w.start()
	second := *w
	second.conf = filepath.Join(w.dir, "second.yaml")
	text := strings.Replace(w.read(w.conf), "listen: "+strings.TrimPrefix(d.url, "http://"), `listen: "off"`, 1)
	second.write(second.conf, strings.Replace(text, filepath.Join(w.dir, "mirror"), filepath.Join(w.dir, "mirror2"), 1))
	e := second.start()
	w.edit("a.yml", "a: 2\n")
	eventually(t, "the proposal", func() bool { return strings.Contains(w.openPulls(), "a.yml") })
	w.driftback(exitDone, "pulls", "merge", "2")
	w.pull()
	w.write(w.in("b.yml"), "b: 2\n")
	w.commit("Two")
	const deployed = `driftback_deployments_total{environment="prod",result="success",trigger="merge"} 1`
	eventually(t, "the deployment", func() bool { return d.metric(deployed) || e.metric(deployed) })
	require.Equal(t, "b: 2\n", w.read(w.liveFile("b.yml")))
	require.False(t, d.metric(deployed) && e.metric(deployed), "it is deployed once")
	d.end()
	e.end()
	require.Equal(t, 2, strings.Count(w.driftback(exitDone, "pulls", "list", "--state", "all"), "\n"))
	w.pass()
	w.quiet()
}
