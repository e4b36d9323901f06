package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The stories of a Prometheus server whose configuration directory is edited by
// hand, with the real binary and a repository behind git's own HTTP backend. Each is told from
// outside: by what people do with editors, git and the command line.

const alerts = `groups:
  - name: support
    rules:
      - alert: QueueLong
        expr: queue_length > 20
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: the queue is long
      - alert: AgentsAway
        expr: agents_ready < 2
        for: 10m
        labels:
          severity: critical
`

// A promWorld is a world whose platform is a running Prometheus.
type promWorld struct {
	*world
	api string // http://host:port
}

// newPromWorld starts Prometheus on a directory, connects it, and merges the first import.
func newPromWorld(t *testing.T) *promWorld {
	t.Helper()
	t.Parallel()
	exe := tool(t, "prometheus")
	w := newWorld(t)
	w.edit("prometheus.yml", "global: {evaluation_interval: 1s}\nrule_files: [rules/*.yml]\n")
	w.edit("rules/alerts.yml", alerts)
	addr := freePort(t)
	cmd := exec.Command(exe, "--config.file="+w.liveFile("prometheus.yml"), "--storage.tsdb.path="+filepath.Join(w.dir, "tsdb"),
		"--web.listen-address="+addr, "--web.enable-lifecycle", "--log.level=warn")
	log, err := os.Create(filepath.Join(w.dir, "prometheus.log"))
	require.NoError(t, err)
	cmd.Stderr, cmd.Stdout = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})
	p := &promWorld{world: w, api: "http://" + addr}
	eventually(t, "Prometheus to be ready", func() bool {
		r, err := http.Get(p.api + "/-/ready")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	w.configure(fmt.Sprintf(`{root: %q, include: ["**/*.yml"], settle: 100ms, reload: {http: {url: %q}}}`, w.live, p.api+"/-/reload"), "")
	w.driftback(exitDone, "init", "prod")
	w.driftback(exitDone, "pulls", "merge", "1")
	w.pass()
	require.Equal(t, noPulls, w.openPulls())
	w.pull()
	require.Equal(t, alerts, w.read(w.in("rules/alerts.yml")))
	return p
}

// running returns what the server says it runs, rule by rule: name and duration in seconds.
func (p *promWorld) running() map[string]float64 {
	p.t.Helper()
	r, err := http.Get(p.api + "/api/v1/rules")
	require.NoError(p.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(p.t, err)
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name     string
					Duration float64
				}
			}
		}
	}
	require.NoError(p.t, json.Unmarshal(b, &answer))
	out := map[string]float64{}
	for _, g := range answer.Data.Groups {
		for _, rule := range g.Rules {
			out[rule.Name] = rule.Duration
		}
	}
	return out
}

// replaced returns alerts with old, which must be there, replaced.
func replaced(t *testing.T, content, old, new string) string {
	t.Helper()
	require.Contains(t, content, old)
	return strings.Replace(content, old, new, 1)
}

func TestE2EHandEditComesBackAsPullRequest(t *testing.T) {
	p := newPromWorld(t)
	edited := replaced(t, alerts, "queue_length > 20", "queue_length > 50")
	p.edit("rules/alerts.yml", edited)
	p.pass()
	require.Contains(t, p.openPulls(), "#2")
	shown := p.driftback(exitDone, "pulls", "show", "2")
	require.Contains(t, shown, "-        expr: queue_length > 20\n+        expr: queue_length > 50\n")
	require.Equal(t, 1, strings.Count(shown, "\ndiff --git "), "nothing else is proposed:\n%s", shown)
	require.Equal(t, edited, p.inGit("live/prod", "file/rules/alerts.yml"), "what was seen is in history")

	p.driftback(exitDone, "pulls", "merge", "2")
	p.pass()
	p.quiet()
	require.Equal(t, noPulls, p.openPulls())
	require.Equal(t, edited, p.inGit("main", "environments/prod/file/rules/alerts.yml"))
	require.Equal(t, edited, p.read(p.liveFile("rules/alerts.yml")))
}

func TestE2EReviewerEditsTheValue(t *testing.T) {
	p := newPromWorld(t)
	p.edit("rules/alerts.yml", replaced(t, alerts, "queue_length > 20", "queue_length > 50"))
	p.pass()
	p.git(p.work, "fetch", "-q", "origin")
	p.git(p.work, "checkout", "-q", "-B", "driftback/drift/prod", "origin/driftback/drift/prod")
	reviewed := replaced(t, alerts, "queue_length > 20", "queue_length > 30")
	p.write(p.in("rules/alerts.yml"), reviewed)
	p.commit("Thirty is enough")
	p.driftback(exitDone, "pulls", "merge", "2")
	p.pass()
	require.Equal(t, reviewed, p.read(p.liveFile("rules/alerts.yml")), "what was merged is deployed")
	p.quiet()
	require.Equal(t, noPulls, p.openPulls())
}

func TestE2EAcceptThenRevertBeforeTheNextPass(t *testing.T) {
	p := newPromWorld(t)
	p.edit("rules/alerts.yml", replaced(t, alerts, "queue_length > 20", "queue_length > 50"))
	p.pass()
	p.driftback(exitDone, "pulls", "merge", "2", "--method", "squash")
	p.pull()
	p.git(p.work, "revert", "--no-edit", "HEAD")
	p.git(p.work, "push", "-q", "origin", "HEAD:main")
	require.Equal(t, alerts, p.inGit("main", "environments/prod/file/rules/alerts.yml"))
	p.pass()
	require.Equal(t, alerts, p.read(p.liveFile("rules/alerts.yml")), "the revert is deployed, not proposed again")
	p.quiet()
	require.Equal(t, noPulls, p.openPulls())
}

func TestE2EMergedChangeIsDeployedAndRuns(t *testing.T) {
	p := newPromWorld(t)
	require.EqualValues(t, 300, p.running()["QueueLong"])
	p.write(p.in("rules/alerts.yml"), replaced(t, alerts, "for: 5m", "for: 7m"))
	p.write(p.in("rules/more.yml"), "groups:\n  - name: more\n    rules:\n      - alert: Silence\n        expr: calls == 0\n        for: 1m\n")
	p.commit("Wait a little longer, and notice silence")
	require.Contains(t, p.driftback(exitDone, "plan", "prod"), "rules/more.yml")
	require.EqualValues(t, 300, p.running()["QueueLong"], "a plan changes nothing")
	p.pass()
	require.Equal(t, map[string]float64{"QueueLong": 420, "AgentsAway": 600, "Silence": 60}, p.running())
	p.quiet()
	require.Equal(t, noPulls, p.openPulls())
}

func TestE2EBothChangedInDifferentPlaces(t *testing.T) {
	p := newPromWorld(t)
	p.edit("rules/alerts.yml", replaced(t, alerts, "queue_length > 20", "queue_length > 50"))
	p.write(p.in("rules/alerts.yml"), replaced(t, alerts, "agents_ready < 2", "agents_ready < 4"))
	p.commit("Four agents at least")
	p.pass()
	both := replaced(t, replaced(t, alerts, "queue_length > 20", "queue_length > 50"), "agents_ready < 2", "agents_ready < 4")
	require.Equal(t, both, p.read(p.liveFile("rules/alerts.yml")), "Git's change is deployed, the hand's is kept")
	require.Contains(t, p.openPulls(), "#2", "the hand's change is proposed")
	p.driftback(exitDone, "pulls", "merge", "2")
	p.pass()
	require.Equal(t, both, p.inGit("main", "environments/prod/file/rules/alerts.yml"))
	p.quiet()
	require.Equal(t, noPulls, p.openPulls())
}

func TestE2EBothChangedInTheSamePlace(t *testing.T) {
	p := newPromWorld(t)
	byHand := replaced(t, alerts, "queue_length > 20", "queue_length > 50")
	inGit := replaced(t, alerts, "queue_length > 20", "queue_length > 10")
	p.edit("rules/alerts.yml", byHand)
	p.write(p.in("rules/alerts.yml"), inGit)
	p.commit("Ten is long")
	out := p.pass()
	require.Contains(t, out, "1 conflict")
	require.Equal(t, byHand, p.read(p.liveFile("rules/alerts.yml")), "nothing is overwritten on the platform")
	require.Equal(t, inGit, p.inGit("main", "environments/prod/file/rules/alerts.yml"), "nor in Git")
	shown := p.driftback(exitDone, "pulls", "show", "2")
	require.Contains(t, strings.ToLower(shown), "conflict")
	p.quiet()
	p.write(p.in("unrelated.yml"), "a: 1\n")
	p.commit("Something else")
	p.pass()
	require.Equal(t, byHand, p.read(p.liveFile("rules/alerts.yml")), "an unrelated push does not end a conflict")

	// The reviewer decides in the pull request: 30, by merging its branch with main.
	p.git(p.work, "fetch", "-q", "origin")
	p.git(p.work, "checkout", "-q", "-B", "driftback/drift/prod", "origin/driftback/drift/prod")
	_, _ = p.tryGit(p.work, "merge", "-q", "origin/main") // may conflict: that is for the reviewer to solve
	decided := replaced(t, alerts, "queue_length > 20", "queue_length > 30")
	p.write(p.in("rules/alerts.yml"), decided)
	p.commit("Thirty, then")
	p.driftback(exitDone, "pulls", "merge", "2")
	p.pass()
	require.Equal(t, decided, p.read(p.liveFile("rules/alerts.yml")), "merging ends the conflict")
	p.pass()
	p.quiet()
	require.Equal(t, noPulls, p.openPulls())
}

func TestE2EFileDeletedByHand(t *testing.T) {
	p := newPromWorld(t)
	require.NoError(t, os.Remove(p.liveFile("rules/alerts.yml")))
	p.pass()
	shown := p.driftback(exitDone, "pulls", "show", "2")
	require.Contains(t, shown, "deleted file mode")
	p.driftback(exitDone, "pulls", "merge", "2")
	p.pass()
	require.Empty(t, p.inGit("main", "environments/prod/file/rules/alerts.yml"))
	p.quiet()
	require.NoFileExists(t, p.liveFile("rules/alerts.yml"))
	require.Equal(t, noPulls, p.openPulls())
}

func TestE2ERenameByHandAndItsRevert(t *testing.T) {
	p := newPromWorld(t)
	require.NoError(t, os.Rename(p.liveFile("rules/alerts.yml"), p.liveFile("rules/support.yml")))
	p.pass()
	require.Contains(t, p.driftback(exitDone, "drift", "list", "prod"), "rename")
	shown := p.driftback(exitDone, "pulls", "show", "2")
	require.Contains(t, shown, "renamed")
	p.driftback(exitDone, "pulls", "merge", "2", "--method", "squash")
	p.pass()
	require.Equal(t, alerts, p.inGit("main", "environments/prod/file/rules/support.yml"))
	require.Empty(t, p.inGit("main", "environments/prod/file/rules/alerts.yml"))
	p.quiet()

	p.pull()
	p.git(p.work, "revert", "--no-edit", "HEAD")
	p.git(p.work, "push", "-q", "origin", "HEAD:main")
	p.pass()
	require.Equal(t, alerts, p.read(p.liveFile("rules/alerts.yml")))
	require.NoFileExists(t, p.liveFile("rules/support.yml"))
	p.quiet()
	require.Equal(t, noPulls, p.openPulls())
}

func TestE2EBrokenRuleIsRefusedAndHeld(t *testing.T) {
	p := newPromWorld(t)
	p.write(p.in("rules/alerts.yml"), replaced(t, alerts, "queue_length > 20", "queue_length >>> 20"))
	p.commit("A typing error")
	p.driftback(exitHeld, "run", "--once", "prod")
	require.Equal(t, alerts, p.read(p.liveFile("rules/alerts.yml")), "what was stored before is restored")
	require.EqualValues(t, 300, p.running()["QueueLong"], "and runs")
	require.Contains(t, p.driftback(exitHeld, "plan", "prod", "--exit-code"), "rules/alerts.yml")

	p.write(p.in("rules/more.yml"), "groups: []\n")
	p.commit("Something else")
	p.driftback(exitHeld, "run", "--once", "prod")
	require.FileExists(t, p.liveFile("rules/more.yml"), "unrelated work goes on")
	require.Equal(t, alerts, p.read(p.liveFile("rules/alerts.yml")), "what failed is not tried again")
	before := p.picture()
	for range 10 {
		p.driftback(exitHeld, "run", "--once", "prod")
	}
	require.Equal(t, before, p.picture(), "held is quiet")

	p.write(p.in("rules/alerts.yml"), replaced(t, alerts, "queue_length > 20", "queue_length > 25"))
	p.commit("Mended")
	p.pass()
	require.Contains(t, p.read(p.liveFile("rules/alerts.yml")), "queue_length > 25")
	p.quiet()
}
