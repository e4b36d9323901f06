package simulation

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

const (
	mainRef  = "refs/heads/main"
	claimFor = 2 * time.Minute
	timeout  = 20 * time.Second
	settling = 15 * time.Second
	// lateness is how long after its time-out a write may still land.
	lateness = 10 * time.Second

	thingKind = resource.Kind("thing")
	skillKind = resource.Kind("skill")
)

// parameters vary from history to history, so that rare mixtures occur.
type parameters struct {
	Envs, Daemons         int
	Fault, Crash, Late    int // permille per effect
	Pause                 int // permille per effect
	Human                 int // permille per step
	Steps                 int
	Atomic, Pages, Hectic bool
}

// envParameters are those of one environment.
type envParameters struct {
	Mode                              reconciler.Mode
	Versions, IDs, Activation, Shared bool
	Guard                             plan.Limits
	OnClose                           string
	Push                              bool
	Windows                           bool
	Required                          bool // the status of the plan, by branch protection
	AuditLag                          time.Duration
	Weather                           int // permille of each trouble
	Settle                            time.Duration
}

// noGuard lets everything pass; tightGuard does not.
var (
	noGuard    = plan.Limits{Deletes: -1, Share: -1, MinShare: 1000}
	tightGuard = plan.Limits{Deletes: 1, Share: -1, MinShare: 1000}
)

// env is one environment: a platform, and what is checked of it.
type env struct {
	w        *world
	name     string
	p        envParameters
	platform *mem.Platform
	weather  mem.Weather
	cover    map[resource.Kind]resource.Cover // what the daemons are configured to look at
	check    *checker
	switched time.Time                  // when the daemons' version last changed
	aged     time.Time                  // when the daemons last were brought to an older version
	learnt   time.Time                  // when the daemons last were brought to the newest version
	old      bool                       // the daemons are of a version that does not know field c
	poked    map[resource.Key]poked     // what somebody last changed it to in memory alone
	twinned  map[resource.Key]time.Time // when somebody last made a second object of the name
	retried  int                        // how often people asked in peace for what failed to be tried again
}

func (e *env) liveRef() string  { return "refs/heads/live/" + e.name }
func (e *env) stateRef() string { return "refs/driftback/state/" + e.name }
func (e *env) folder() string   { return "environments/" + e.name }

// world is everything outside of the daemons: Git, the platforms, people, time.
type world struct {
	t      *tape
	p      parameters
	now    time.Time
	remote *gitstore.MemoryRemote
	envs   []*env
	store  *gitstore.Store // of the people and of the checks
	forge  *local.Forge    // of the people
	ours   *local.Forge    // of the daemons: a forge is a server and outlives them
	server *gitstore.Store // on which it stands
	tasks  []*task
	events []event
	quiet  bool
	values int
	births int
	// limited is until when the forge refuses everything, and guarded whether it lets nobody but people merge.
	limited time.Time
	guarded bool
	ignored []time.Time // when what people said to ignore for a while ends
	// reverts counts the pull requests of reverts that people merged in peace.
	reverts int
	// branches counts those of developers.
	branches int
	mains    []mainTip // every tip of main, oldest first
	merges   []mergedPull
	closed   []closedPull
	rewrote  []time.Time
	renamed  map[resource.Key]bool // in Git or by hand, one of them the other's former name

	// lists are what the forge answered last to each question.
	lists  map[forge.Filter]listing
	lagged time.Time // when it last answered so again

	git     reader
	failure error
	trace   []string
	keep    bool
	hash    uint64
	stat    map[string]int
}

// mainTip is where main was from a moment on.
type mainTip struct {
	id    gitstore.ID
	since time.Time
}

// event is something that is already on its way.
type event struct {
	due  time.Time
	what string
	do   func()
}

func (w *world) after(d time.Duration, what string, do func()) {
	w.events = append(w.events, event{w.now.Add(d), what, do})
}

func (w *world) logf(format string, args ...any) {
	line := w.now.Format("15:04:05 ") + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	fmt.Fprintf(h, "%x%s", w.hash, line)
	w.hash = h.Sum64()
	if w.keep {
		w.trace = append(w.trace, line)
	}
}

// note counts what a history reached.
func (w *world) note(what string) { w.stat[what]++ }

// fail notes the first broken promise.
func (w *world) fail(promise, format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf("%s: %s", promise, fmt.Sprintf(format, args...))
		w.logf("VIOLATION %v", w.failure)
	}
}

func newWorld(t *tape, keep bool) *world {
	w := &world{t: t, keep: keep, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), stat: map[string]int{}, git: newReader(), lists: map[forge.Filter]listing{}, renamed: map[resource.Key]bool{}}
	w.p = parameters{
		Envs: []int{1, 1, 2}[t.pick(3)], Daemons: []int{1, 1, 2}[t.pick(3)],
		Fault: []int{0, 20, 60}[t.pick(3)], Crash: []int{0, 10, 40}[t.pick(3)], Late: []int{0, 30}[t.pick(2)], Pause: []int{0, 0, 10}[t.pick(3)],
		Human: []int{40, 100, 20}[t.pick(3)], Steps: []int{300, 600}[t.pick(2)],
		Atomic: t.pick(4) != 3, Pages: t.pick(4) == 3, Hectic: t.pick(4) == 3,
	}
	w.remote = gitstore.NewMemoryRemote()
	w.remote.SetAtomic(w.p.Atomic)
	w.store = w.open(w.remote)
	w.forge = w.serve(w.store, "ann <ann@example.invalid>")
	w.server = w.open(w.remote)
	w.ours = w.serve(w.server, "driftback <driftback@example.invalid>")
	w.logf("parameters %+v", w.p)
	for i := range w.p.Envs {
		w.envs = append(w.envs, w.newEnv([]string{"prod", "test"}[i]))
	}
	return w
}

func (w *world) serve(s *gitstore.Store, user string) *local.Forge {
	f, err := local.Open(s, local.Options{Now: w.clock, User: user})
	must(err)
	return f
}

func (w *world) newEnv(name string) *env {
	t := w.t
	e := &env{w: w, name: name, twinned: map[resource.Key]time.Time{}, poked: map[resource.Key]poked{}}
	e.p = envParameters{
		Mode:     []reconciler.Mode{reconciler.Sync, reconciler.Sync, reconciler.Sync, reconciler.Sync, reconciler.Enforce, reconciler.Observe}[t.pick(6)],
		Versions: t.pick(2) == 0, IDs: t.pick(2) == 0, Activation: t.pick(3) == 2, Shared: t.pick(6) == 5,
		Guard: noGuard, AuditLag: []time.Duration{0, 90 * time.Second}[t.pick(2)], Weather: []int{0, 10, 30}[t.pick(3)],
		Settle: []time.Duration{0, 0, settling}[t.pick(3)],
	}
	if t.pick(4) == 3 {
		e.p.Guard = tightGuard
	}
	if t.pick(4) == 3 {
		e.p.OnClose = "revert"
	}
	if t.generation > 1 {
		e.p.Push = t.pick(4) == 3
	}
	if t.generation > 2 {
		e.p.Windows = t.pick(6) == 5
	}
	if t.generation > 3 {
		e.p.Required = t.pick(4) == 3
	}
	o := mem.Options{
		Kinds: kinds(e.p.Settle, t.generation), Now: w.clock, Tenant: name, Page: 100,
		Versions: e.p.Versions, IDs: e.p.IDs, Audit: true, AuditLag: e.p.AuditLag, Shared: e.p.Shared,
	}
	if w.p.Pages {
		o.Page = 2
	}
	if e.p.Activation {
		o.Check = refuseBad
	}
	e.platform = mem.New(o)
	n := e.p.Weather
	e.weather = mem.Weather{Chance: w.fate, Busy: n, Throttled: n, Broken: n / 2, Lost: n, Partial: n / 2, Empty: n, Stale: n * 4}
	if e.p.Settle > 0 {
		e.weather.Late, e.weather.Lateness = n, lateness // where writes may land late, the kind says so
	}
	e.platform.SetWeather(e.weather)
	e.check = newChecker(e)
	w.logf("%s: %+v", name, e.p)
	return e
}

// fate is chance as the platforms meet it: in peace the weather is fair.
func (w *world) fate(n int) int {
	if w.quiet {
		return 0
	}
	return w.t.pick(n)
}

// kinds are two, of which one refers to the other in two ways.
func kinds(settle time.Duration, generation int) []resource.KindInfo {
	can := resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true}
	fields := []resource.Field{{Path: "skill", Ref: skillKind}, {Path: "skills", Set: true}, {Path: "skills[]", Ref: skillKind}}
	if generation > 1 {
		fields = append(fields, resource.Field{Path: "busy", Operational: true})
	}
	return []resource.KindInfo{
		{Kind: skillKind, Can: can, Settle: settle, Cascades: []resource.Cascade{{Kind: thingKind, Path: "skills"}}},
		{Kind: thingKind, Can: can, Settle: settle, Fields: fields},
	}
}

// refuseBad is an activation that notices a broken configuration.
func refuseBad(stored map[resource.Key]resource.Spec) error {
	for _, k := range sortedKeys(stored) {
		if s, _ := stored[k]["a"].(string); strings.HasPrefix(s, "bad") {
			return fmt.Errorf("%s: %s does not parse", k, s)
		}
	}
	return nil
}

func (w *world) clock() time.Time { return w.now }

func (w *world) open(r gitstore.Remote) *gitstore.Store {
	s, err := gitstore.Open(context.Background(), gitstore.Options{Remote: r, Now: w.clock, Committer: gitstore.Signature{Name: "driftback", Email: "driftback@example.invalid"}})
	must(err)
	return s
}

// step lets one process go on, or time pass.
func (w *world) step() {
	w.happen()
	var ready []*task
	next := w.now.Add(time.Hour)
	for _, t := range w.tasks {
		if !t.wake.After(w.now) {
			ready = append(ready, t)
		} else if t.wake.Before(next) {
			next = t.wake
		}
	}
	if len(ready) == 0 {
		for _, ev := range w.events {
			if ev.due.Before(next) {
				next = ev.due
			}
		}
		w.now = next
		return
	}
	t := ready[w.t.pick(len(ready))]
	if _, ok := t.next(); !ok {
		t.stop()
		w.logf("%s CRASHED", t.name)
		w.note("crashes")
		w.start(t.name)
		w.taskOf(t.name).wake = w.now.Add(time.Duration(1+w.t.pick(60)) * time.Second)
	}
}

func (w *world) taskOf(name string) *task {
	i := slices.IndexFunc(w.tasks, func(t *task) bool { return t.name == name })
	return w.tasks[i]
}

// happen lets everything land that is due.
func (w *world) happen() {
	slices.SortStableFunc(w.events, func(a, b event) int { return a.due.Compare(b.due) })
	for len(w.events) > 0 && !w.events[0].due.After(w.now) {
		ev := w.events[0]
		w.events = w.events[1:]
		w.logf("%s", ev.what)
		ev.do()
	}
	for _, e := range w.envs {
		e.land()
	}
}

// land lets late writes land, one at a time.
func (e *env) land() {
	before := e.platform.State()
	for _, l := range e.platform.Land() {
		e.w.logf("%s: %s %s lands late: %v", e.name, l.Change.Action(), l.Change.Key(), l.Err)
		e.w.note("late landings")
		e.check.landed(l, before)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
