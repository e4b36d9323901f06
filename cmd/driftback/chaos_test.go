package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
)

// The daemon as a process, killed, stopped and cut off from its servers at random moments, between a real
// Prometheus and git's own HTTP server. `make chaos` runs these for longer. A run is reproduced, as far as processes can be,
// by its seed.
var (
	chaosKills = flag.Int("kills", 6, "how often TestChaosKills kills the daemon")
	chaosPair  = flag.Duration("pair", 15*time.Second, "how long TestChaosTwoDaemons runs two of them")
	chaosSeed  = flag.Uint64("chaos-seed", 0, "seed of the chaos tests (0: a new one)")
)

func seed(t *testing.T) uint64 {
	t.Helper()
	s := *chaosSeed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed: -chaos-seed=%d", s)
	return s
}

// A chaosWorld is a Prometheus, a repository, and proxies between a daemon and both.
type chaosWorld struct {
	*promWorld
	random   *rand.Rand
	broken   int
	edits    []string
	episodes int
}

// A route is how one daemon reaches its servers.
type route struct {
	git, reload *faultProxy
	conf        string
}

func newChaosWorld(t *testing.T, seed uint64) *chaosWorld {
	p := newPromWorld(t)
	return &chaosWorld{promWorld: p, random: rand.New(rand.NewPCG(seed, 2))}
}

// route writes a configuration whose servers are reached through proxies of their own.
func (w *chaosWorld) route(name string, seed uint64) *route {
	w.t.Helper()
	r := &route{
		git:    newFaultProxy(w.t, w.url, seed),
		reload: newFaultProxy(w.t, w.api, seed+1),
		conf:   filepath.Join(w.dir, name+".yaml"),
	}
	text := w.read(w.conf)
	for old, new := range map[string]string{
		w.url:                          r.git.url,
		w.api:                          r.reload.url,
		filepath.Join(w.dir, "mirror"): filepath.Join(w.dir, "mirror-"+name),
		"repository:\n":                "claim: {for: 4s, request: 1s}\nrepository:\n",
	} {
		require.Contains(w.t, text, old)
		text = strings.Replace(text, old, new, 1)
	}
	w.write(r.conf, text)
	return r
}

// eventually waits longer than eventually does elsewhere: after each killing the claim of who was killed must end first, and
// the machine may be busy.
func (w *chaosWorld) eventually(what string, ok func() bool) {
	w.t.Helper()
	waitFor(w.t, 3*time.Minute, what, ok)
}

// handEdit changes a file by hand to a value that never was before.
func (w *chaosWorld) handEdit() {
	w.episodes++
	content := fmt.Sprintf("groups:\n  - name: hand\n    rules:\n      - alert: Hand\n        expr: by_hand > %d\n", w.episodes)
	w.edits = append(w.edits, content)
	w.replaceFile("rules/hand.yml", content)
}

// replaceFile writes a live file as careful editors do, so that no reader meets it half-written.
func (w *chaosWorld) replaceFile(name, content string) {
	w.t.Helper()
	tmp := w.liveFile(name) + ".swp"
	w.write(tmp, content)
	require.NoError(w.t, os.Rename(tmp, w.liveFile(name)))
}

// merge commits a change of a file to the tracked branch.
func (w *chaosWorld) merge(name, content, message string) {
	w.t.Helper()
	w.pull()
	w.write(w.in(name), content)
	w.commit(message)
}

func (w *chaosWorld) gitEdit() string {
	w.episodes++
	content := fmt.Sprintf("groups:\n  - name: git\n    rules:\n      - alert: Git\n        expr: by_git > %d\n", w.episodes)
	w.merge("rules/git.yml", content, "A merged change")
	return content
}

// A pulled is a pull request as the command line tells it.
type pulled struct {
	Number int    `json:"number"`
	Head   string `json:"head"`
	State  string `json:"state"`
}

// pulls returns pull requests of a state whose branch begins with head.
func (w *chaosWorld) pulls(state, head string) (out []pulled) {
	w.t.Helper()
	var all struct {
		Pulls []pulled `json:"pulls"`
	}
	require.NoError(w.t, json.Unmarshal([]byte(w.driftback(exitDone, "pulls", "list", "--state", state, "-o", "json")), &all))
	for _, p := range all.Pulls {
		if strings.HasPrefix(p.Head, head) {
			out = append(out, p)
		}
	}
	return out
}

const driftBranch, revertBranch = "driftback/drift/prod", "driftback/revert/prod"

// proposed waits until the last hand edit is in history and proposed by exactly one pull request more than
// before, and merges that.
func (w *chaosWorld) proposed() {
	w.t.Helper()
	want := w.edits[len(w.edits)-1]
	w.eventually("the hand edit to be recorded", func() bool { return w.inGit("live/prod", "file/rules/hand.yml") == want })
	w.eventually("the hand edit to be proposed", func() bool {
		return w.inGit(driftBranch, "environments/prod/file/rules/hand.yml") == want && len(w.pulls("open", driftBranch)) > 0
	})
	open := w.pulls("open", driftBranch)
	require.Len(w.t, open, 1, "one edit, one pull request")
	w.eventually("the pull request to be merged", func() bool {
		code, _, _ := w.try("pulls", "merge", fmt.Sprint(open[0].Number))
		return code == exitDone
	})
	require.Len(w.t, w.pulls("all", driftBranch), len(w.edits)+1, "one each, and the first import")
	require.Equal(w.t, want, w.inGit("main", "environments/prod/file/rules/hand.yml"))
}

// deployed waits until the platform has the content and the state says that the deployment is over.
func (w *chaosWorld) deployed(name, content string) {
	w.t.Helper()
	w.eventually("the deployment", func() bool {
		b, err := os.ReadFile(w.liveFile(name))
		return err == nil && string(b) == content && !strings.Contains(w.inGit("refs/driftback/state/prod", "deployment.json"), `"phase"`)
	})
}

// clean requires that nothing half-done lies about on the platform.
func (w *chaosWorld) clean() {
	w.t.Helper()
	require.NoError(w.t, filepath.WalkDir(w.live, func(p string, d fs.DirEntry, err error) error {
		require.NoError(w.t, err)
		require.False(w.t, strings.HasPrefix(d.Name(), ".driftback"), "%s was left behind", p)
		return nil
	}))
}

// recorded requires that every hand edit is in the live branch's history.
func (w *chaosWorld) recorded() {
	w.t.Helper()
	log := w.git("", "--git-dir", w.bare, "log", "-p", "--format=", "live/prod", "--", "file/rules/hand.yml")
	for _, e := range w.edits {
		line := "+" + strings.TrimSpace(e[strings.LastIndex(e, "expr"):])
		require.Contains(w.t, strings.ReplaceAll(log, "+        expr", "+expr"), line, "a change made by hand is not in history")
	}
}

// A killing is one way to kill the daemon while something happens.
type killing struct {
	what string // hand, git, both, broken
	when string // time, push before, push after, reload before, reload after, file
	n    int
}

// killings returns n of them: every combination before one comes again.
func killings(random *rand.Rand, n int) []killing {
	all := []killing{{what: "hand", when: "time"}, {what: "hand", when: "push before"}, {what: "hand", when: "push after"}}
	for _, what := range []string{"git", "both", "broken"} { // these write to the platform
		for _, when := range []string{"time", "push before", "push after", "reload before", "reload after", "file"} {
			all = append(all, killing{what: what, when: when})
		}
	}
	var out []killing
	for len(out) < n {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		out = append(out, all...)
	}
	for i, k := range out {
		out[i].n = 1
		switch {
		case k.when == "file", strings.HasPrefix(k.when, "push"):
			out[i].n += random.IntN(2)
		case k.what == "broken":
			out[i].n += random.IntN(2) // the second reload follows the undo
		}
	}
	return out[:n]
}

// Promise 4, on the real thing: whatever the daemon was doing when it was killed, the next one ends where an
// undisturbed one ends. Nothing is proposed twice, nothing by hand is unrecorded, and nothing half-done is left.
func TestChaosKills(t *testing.T) {
	const worlds = 4
	base := seed(t)
	killed := map[string]int{}
	var mu sync.Mutex
	t.Run("worlds", func(t *testing.T) {
		for i := range worlds {
			if i*2 >= *chaosKills {
				break
			}
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				w := newChaosWorld(t, base+uint64(i))
				for when, n := range w.killings((*chaosKills + worlds - 1) / worlds) {
					mu.Lock()
					killed[when] += n
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("killed: %v", killed)
}

func (w *chaosWorld) killings(n int) map[string]int {
	r := w.route("killed", w.random.Uint64())
	p := startProcess(w.t, r.conf)
	hit := map[string]int{}
	for _, k := range killings(w.random, n) {
		w.t.Logf("killing while %s: %s %d", k.what, k.when, k.n)
		done := w.arm(p, r, k)
		finish := w.act(k.what)
		if done() {
			hit[k.when]++
		}
		p.start()
		finish()
		require.True(w.t, p.running(), "the daemon ended by itself")
	}
	p.end()
	w.unclaimed()
	w.recorded()
	w.clean()
	w.quiet()
	require.Empty(w.t, w.pulls("open", ""))
	require.LessOrEqual(w.t, len(w.pulls("all", revertBranch)), w.broken, "one revert at most is proposed of what is broken")
	return hit
}

// unclaimed makes a pass once no claim of a dead daemon stands in the way: until then passes stand back, as they must.
func (w *chaosWorld) unclaimed() {
	w.t.Helper()
	w.eventually("the claim of a dead daemon to end", func() bool {
		code, stdout, stderr := w.try("run", "--once", "prod")
		if strings.Contains(stderr, "another driftback holds this environment") {
			return false
		}
		require.Equal(w.t, exitDone, code, "%s\n%s", stdout, stderr)
		return true
	})
}

// act makes the change, and returns what waits until it came to the end that an undisturbed daemon comes to.
func (w *chaosWorld) act(what string) (finish func()) {
	w.t.Helper()
	switch what {
	case "hand":
		w.handEdit()
		return func() { w.proposed() }
	case "git":
		content := w.gitEdit()
		return func() { w.deployed("rules/git.yml", content) }
	case "both":
		w.handEdit()
		content := w.gitEdit()
		return func() {
			w.deployed("rules/git.yml", content)
			w.proposed()
		}
	}
	w.episodes++
	w.broken++
	content := fmt.Sprintf("groups:\n  - name: bad\n    rules:\n      - alert: Bad\n        expr: by_git >>> %d\n", w.episodes)
	was, _ := os.ReadFile(w.liveFile("rules/bad.yml"))
	w.merge("rules/bad.yml", content, "A broken change")
	return func() {
		w.eventually("the broken change to be undone and held", func() bool {
			now, _ := os.ReadFile(w.liveFile("rules/bad.yml"))
			return string(now) == string(was) && strings.Contains(w.inGit("refs/driftback/state/prod", "decisions.json"), `"holds"`) &&
				!strings.Contains(w.inGit("refs/driftback/state/prod", "deployment.json"), `"phase"`)
		})
		mended := strings.Replace(content, ">>>", ">", 1)
		w.merge("rules/bad.yml", mended, "Mended")
		w.deployed("rules/bad.yml", mended)
	}
}

// arm prepares the killing. What it returns waits until the daemon is dead, and reports whether it
// died at the moment that was meant: where that never came, it is killed after a while.
func (w *chaosWorld) arm(p *process, r *route, k killing) (done func() bool) {
	var once sync.Once
	struck := make(chan struct{})
	strike := func() { once.Do(func() { p.kill(); close(struck) }) }
	at := func(n int) {
		if n == k.n {
			strike()
		}
	}
	wait := 4 * time.Second
	stop := func() {}
	switch k.when {
	case "time":
		timer := time.AfterFunc(time.Duration(w.random.IntN(1500))*time.Millisecond, strike)
		stop = func() { timer.Stop() }
	case "push before":
		r.git.onWrite(at, nil)
	case "push after":
		r.git.onWrite(nil, at)
	case "reload before":
		r.reload.onWrite(at, nil)
	case "reload after":
		r.reload.onWrite(nil, at)
	case "file":
		stop = w.onFile(k.n, strike)
	}
	return func() bool {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		hit := true
		select {
		case <-struck:
		case <-timer.C:
			hit = false
			strike()
		}
		<-struck
		stop()
		r.git.onWrite(nil, nil)
		r.reload.onWrite(nil, nil)
		return hit
	}
}

// onFile calls f at the n-th thing that the daemon does to a file of its own on the platform.
func (w *chaosWorld) onFile(n int, f func()) (stop func()) {
	w.t.Helper()
	watcher, err := fsnotify.NewWatcher()
	require.NoError(w.t, err)
	require.NoError(w.t, watcher.Add(filepath.Join(w.live, "rules")))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e := range watcher.Events {
			if strings.HasPrefix(filepath.Base(e.Name), ".driftback") {
				if n--; n == 0 {
					f()
				}
			}
		}
	}()
	return func() {
		_ = watcher.Close()
		<-ended
	}
}
