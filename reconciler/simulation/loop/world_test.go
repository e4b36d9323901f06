package loop

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"log/slog"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

const (
	envName  = "prod"
	liveRef  = "refs/heads/live/prod"
	stateRef = "refs/driftback/state/prod"
	mainRef  = "refs/heads/main"
	claimFor = 2 * time.Minute
	timeout  = 20 * time.Second
	kind     = resource.Kind("thing")
)

// parameters vary from history to history, so that rare mixtures occur.
type parameters struct {
	Daemons               int
	Fault, Crash, Late    int // permille per effect
	Human                 int // permille per step
	Steps                 int
	Versions, IDs, Atomic bool
	Enforce               bool
	Partial               int // permille per observation
}

// world is everything outside of the daemons: Git, the platform, people, time.
type world struct {
	t        *tape
	p        parameters
	now      time.Time
	remote   *gitstore.MemoryRemote
	platform *mem.Platform
	store    *gitstore.Store // of the people
	forge    *local.Forge    // of the people
	tasks    []*task
	quiet    bool
	values   int
	check    *checker
	failure  error
	trace    []string
	keep     bool
	hash     uint64
	stat     map[string]int
	births   int
	reviewed map[string]time.Time // when people edited a file in a pull request of ours
	ours     *local.Forge         // of the daemons: a forge is a server and outlives them
	trees    map[treeKey]map[resource.Key]string
	blobs    map[gitstore.ID]string
}

// task is one daemon process: a coroutine that runs until it waits for something outside.
type task struct {
	name string
	next func() (struct{}, bool)
	stop func()
	wake time.Time
	r    *reconciler.Reconciler
	err  error // of the last pass
}

// crash unwinds a process that is gone.
type crash struct{}

func (w *world) logf(format string, args ...any) {
	line := w.now.Format("15:04:05 ") + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	fmt.Fprintf(h, "%x%s", w.hash, line)
	w.hash = h.Sum64()
	if w.keep {
		w.trace = append(w.trace, line)
	}
}

// fail notes the first broken promise.
func (w *world) fail(promise, format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf("%s: %s", promise, fmt.Sprintf(format, args...))
		w.logf("VIOLATION %v", w.failure)
	}
}

func newWorld(t *tape, keep bool) *world {
	w := &world{t: t, keep: keep, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), stat: map[string]int{}, trees: map[treeKey]map[resource.Key]string{}, blobs: map[gitstore.ID]string{}, reviewed: map[string]time.Time{}}
	w.p = parameters{
		Daemons: []int{1, 1, 2}[t.pick(3)], Fault: []int{0, 20, 60}[t.pick(3)], Crash: []int{0, 10, 40}[t.pick(3)],
		Late: []int{0, 30}[t.pick(2)], Human: []int{40, 100, 20}[t.pick(3)], Steps: []int{400, 800}[t.pick(2)],
		Versions: t.pick(2) == 0, IDs: t.pick(2) == 0, Atomic: t.pick(4) != 3, Enforce: t.pick(8) == 7, Partial: []int{0, 0, 30}[t.pick(3)],
	}
	w.remote = gitstore.NewMemoryRemote()
	w.remote.SetAtomic(w.p.Atomic)
	w.platform = mem.New(mem.Options{
		Kinds:    []resource.KindInfo{{Kind: kind, Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, Guard: true, StableID: true}}},
		Now:      func() time.Time { return w.now },
		Versions: w.p.Versions, IDs: w.p.IDs, Audit: true,
	})
	w.check = newChecker(w)
	w.store = w.open(w.remote)
	var err error
	if w.forge, err = local.Open(w.store, local.Options{Now: w.clock, User: "ann <ann@example.invalid>"}); err != nil {
		panic(err)
	}
	if w.ours, err = local.Open(w.open(w.remote), local.Options{Now: w.clock, User: "driftback <driftback@example.invalid>"}); err != nil {
		panic(err)
	}
	w.logf("parameters %+v", w.p)
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) open(r gitstore.Remote) *gitstore.Store {
	s, err := gitstore.Open(context.Background(), gitstore.Options{Remote: r, Now: w.clock, Committer: gitstore.Signature{Name: "driftback", Email: "driftback@example.invalid"}})
	if err != nil {
		panic(err)
	}
	return s
}

// start begins a daemon process, in place of the one of that name if there is one.
func (w *world) start(name string) {
	tk := &task{name: name, wake: w.now}
	w.births++
	owner := fmt.Sprintf("%s%d", name, w.births)
	tk.next, tk.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(crash); !ok {
					panic(r)
				}
			}
		}()
		e := &effects{w: w, task: tk, owner: owner, yield: yield}
		w.daemon(e, tk, owner)
	})
	for i, old := range w.tasks {
		if old.name == name {
			w.tasks[i] = tk
			return
		}
	}
	w.tasks = append(w.tasks, tk)
}

// daemon is what a process does: passes, with pauses between them.
func (w *world) daemon(e *effects, tk *task, owner string) {
	store := w.open(&faultyRemote{e: e, remote: w.remote})
	var err error
	mode := reconciler.Sync
	if w.p.Enforce {
		mode = reconciler.Enforce
	}
	var out io.Writer = io.Discard
	if w.keep {
		out = traceWriter{w, tk.name}
	}
	tk.r, err = reconciler.New(reconciler.Config{
		Store: store, Forge: &faultyForge{e: e, Forge: w.ours}, Clock: e, Owner: owner, ClaimFor: claimFor, RequestTimeout: timeout,
		Jitter: func() float64 { return 0 }, Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: noTime})),
		Environments: []reconciler.Environment{{Name: envName, Platform: &faultyPlatform{e: e, driver: w.platform.Driver()}, Mode: mode, Guard: noGuard}},
	})
	if err != nil {
		panic(err)
	}
	for {
		report, err := tk.r.Once(context.Background(), envName)
		tk.err = err
		if err != nil {
			w.logf("%s: pass: %v", tk.name, err)
			w.stat["failed passes"]++
		} else {
			w.logf("%s: pass: %d drifted, %d held, %d unknown", tk.name, report.Drifted, len(report.Held), len(report.Unknown))
			w.stat["passes"]++
		}
		w.check.afterPass(report, err)
		if e.Sleep(context.Background(), 30*time.Second) != nil {
			return
		}
	}
}

type traceWriter struct {
	w    *world
	name string
}

func (t traceWriter) Write(b []byte) (int, error) {
	t.w.logf("%s| %s", t.name, b[:len(b)-1])
	return len(b), nil
}

func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// step lets one process go on, or time pass.
func (w *world) step() {
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
		w.now = next
		return
	}
	t := ready[w.t.pick(len(ready))]
	if _, ok := t.next(); !ok {
		t.stop()
		w.logf("%s CRASHED", t.name)
		w.stat["crashes"]++
		w.start(t.name)
		for _, n := range w.tasks {
			if n.name == t.name {
				n.wake = w.now.Add(time.Duration(1+w.t.pick(60)) * time.Second)
			}
		}
	}
}

// effects is the outside world as one daemon process meets it: every call may be
// slow, fail before or after it happened, or be the last thing the process does.
type effects struct {
	w     *world
	task  *task
	owner string
	yield func(struct{}) bool
}

var errFault = errors.New("connection reset")

// Now and Sleep make effects the daemon's clock.
func (e *effects) Now() time.Time { return e.w.now }

func (e *effects) Sleep(_ context.Context, d time.Duration) error {
	e.task.wake = e.w.now.Add(d)
	e.wait()
	return nil
}

func (e *effects) wait() {
	if !e.yield(struct{}{}) {
		panic(crash{})
	}
}

// do is one effect. done says what to return when the answer is lost.
func (e *effects) do(what string, write bool, f func() error) error {
	w := e.w
	e.task.wake = w.now.Add(time.Duration(w.t.pick(3)) * time.Second)
	e.wait()
	if !w.quiet {
		switch {
		case w.t.flip(w.p.Crash):
			w.logf("%s dies before %s", e.task.name, what)
			panic(crash{})
		case w.t.flip(w.p.Fault):
			w.logf("%s: %s fails", e.task.name, what)
			w.stat["faults"]++
			return errFault
		}
	}
	err := f()
	if write {
		w.logf("%s: %s: %v", e.task.name, what, err)
	}
	if w.quiet || !write {
		return err
	}
	switch {
	case w.t.flip(w.p.Crash):
		w.logf("%s dies after %s", e.task.name, what)
		panic(crash{})
	case err == nil && w.t.flip(w.p.Late):
		w.logf("%s: the answer to %s is lost", e.task.name, what)
		w.stat["lost answers"]++
		return errFault
	}
	return err
}

type faultyRemote struct {
	e      *effects
	remote *gitstore.MemoryRemote
}

func (r *faultyRemote) String() string { return "simulated" }

func (r *faultyRemote) Refs(ctx context.Context) (refs gitstore.Refs, atomic bool, err error) {
	err = r.e.do("refs", false, func() (err error) {
		refs, atomic, err = r.remote.Refs(ctx)
		return err
	})
	return refs, atomic, err
}

func (r *faultyRemote) Fetch(ctx context.Context, into gitstore.Sink, want, have []gitstore.ID) error {
	return r.e.do("fetch", false, func() error { return r.remote.Fetch(ctx, into, want, have) })
}

func (r *faultyRemote) Push(ctx context.Context, ups []gitstore.Update, out *gitstore.Outgoing) error {
	what := "push"
	for _, u := range ups {
		what += fmt.Sprintf(" %s %.7s→%.7s", u.Ref, u.Old, u.New)
	}
	return r.e.do(what, true, func() error {
		err := r.remote.Push(ctx, ups, out)
		if err == nil {
			r.e.w.check.pushed(r.e.owner, ups)
		}
		return err
	})
}

type faultyPlatform struct {
	e      *effects
	driver vendors.Driver
}

func (p *faultyPlatform) Kinds() []resource.KindInfo { return p.driver.Kinds() }

func (p *faultyPlatform) Observe(ctx context.Context, r vendors.Request) (s *resource.Snapshot, err error) {
	fault := p.e.do("observe", false, func() error {
		if w := p.e.w; !w.quiet && w.t.flip(w.p.Partial) {
			w.stat["partial listings"]++
			if w.t.pick(2) == 0 {
				w.platform.Fail(kind, errFault)
				defer w.platform.Fail(kind, nil)
			} else if ks := sortedKeys(w.platform.State()); len(ks) > 0 {
				k := ks[w.t.pick(len(ks))]
				w.platform.Hide(k, "hidden")
				defer w.platform.Hide(k, "")
			}
		}
		s, err = p.driver.Observe(ctx, r)
		p.lie(&s)
		return nil
	})
	if fault != nil {
		return nil, fault
	}
	return s, err
}

// lie lets a listing miss an object that is there, as pages do that move while they are read.
func (p *faultyPlatform) lie(s **resource.Snapshot) {
	w := p.e.w
	if w.quiet || (*s).Len() == 0 || !w.t.flip(w.p.Partial) {
		return
	}
	k := (*s).At(w.t.pick((*s).Len())).Key
	*s = (*s).With(resource.Overlay{k: nil})
	w.stat["lying listings"]++
	w.logf("the listing misses %s", k)
}

func (p *faultyPlatform) Read(ctx context.Context, keys []resource.Key) (s *resource.Snapshot, err error) {
	err = p.e.do("read", false, func() (err error) {
		s, err = p.driver.Read(ctx, keys)
		return err
	})
	if err != nil {
		s = nil
	}
	return s, err
}

func (p *faultyPlatform) Apply(ctx context.Context, c resource.Change) (got resource.Resource, err error) {
	err = p.e.do(fmt.Sprintf("%s %s → %s", c.Action(), show(c.Before), show(c.After)), true, func() (err error) {
		before := p.e.w.platform.State()
		got, err = p.driver.Apply(ctx, c)
		p.e.w.check.applied(p.e.owner, c, before, err)
		return err
	})
	return got, err
}

func (p *faultyPlatform) Activator() (vendors.Activator, bool) { return nil, false }
func (p *faultyPlatform) Runner() (vendors.Runner, bool)       { return nil, false }
func (p *faultyPlatform) Watcher() (vendors.Watcher, bool)     { return nil, false }
func (p *faultyPlatform) Settler() (vendors.Settler, bool)     { return nil, false }
func (p *faultyPlatform) Auditor() (vendors.Auditor, bool) {
	a, ok := p.driver.(vendors.Auditor)
	return a, ok
}

func show(r *resource.Resource) string {
	if r == nil {
		return "∅"
	}
	return r.Key.Name + resource.Text(r.Spec)
}

// faultyForge is the forge with the weather of a network.
type faultyForge struct {
	e *effects
	forge.Forge
}

func (f *faultyForge) EnsurePull(ctx context.Context, p forge.Pull) (got forge.Pull, err error) {
	err = f.e.do("ensure pull "+p.Head+" "+string(p.State)+": "+p.Title, true, func() (err error) {
		f.e.w.check.forgeWrite(f.e.owner)
		got, err = f.Forge.EnsurePull(ctx, p)
		return err
	})
	return got, err
}

func (f *faultyForge) Pulls(ctx context.Context, q forge.Filter) (got []forge.Pull, err error) {
	err = f.e.do("pulls", false, func() (err error) {
		got, err = f.Forge.Pulls(ctx, q)
		return err
	})
	return got, err
}

func (f *faultyForge) EnsureComment(ctx context.Context, n int, key, body string) error {
	return f.e.do("comment", true, func() error {
		f.e.w.check.forgeWrite(f.e.owner)
		return f.Forge.EnsureComment(ctx, n, key, body)
	})
}

func (f *faultyForge) Answer(ctx context.Context, c forge.Command, reaction, body string) error {
	return f.e.do("answer "+reaction, true, func() error {
		f.e.w.check.forgeWrite(f.e.owner)
		return f.Forge.Answer(ctx, c, reaction, body)
	})
}

func (f *faultyForge) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	return f.e.do("status "+s.State, true, func() error {
		f.e.w.check.forgeWrite(f.e.owner)
		return f.Forge.SetStatus(ctx, commit, s)
	})
}

func (f *faultyForge) EnsureDeployment(ctx context.Context, d forge.Deployment) error {
	return f.e.do("deployment "+d.State, true, func() error {
		f.e.w.check.forgeWrite(f.e.owner)
		return f.Forge.EnsureDeployment(ctx, d)
	})
}

func (f *faultyForge) Merge(ctx context.Context, n int, head, message string) (got forge.Pull, err error) {
	err = f.e.do(fmt.Sprintf("merge %d", n), true, func() (err error) {
		f.e.w.check.forgeWrite(f.e.owner)
		got, err = f.Forge.Merge(ctx, n, head, message)
		return err
	})
	return got, err
}
