package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// task is one daemon process: a coroutine that runs until it waits for something outside.
type task struct {
	name  string
	owner string
	next  func() (struct{}, bool)
	stop  func()
	wake  time.Time
	began time.Time // of the pass under way
}

// crash unwinds a process that is gone.
type crash struct{}

// start begins a daemon process, in place of the one of that name if there is one.
func (w *world) start(name string) {
	w.births++
	tk := &task{name: name, owner: fmt.Sprintf("%s%d", name, w.births), wake: w.now}
	tk.next, tk.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(crash); !ok {
					panic(r)
				}
			}
		}()
		w.daemon(&effects{w: w, task: tk, yield: yield})
	})
	for i, old := range w.tasks {
		if old.name == name {
			w.tasks[i] = tk
			return
		}
	}
	w.tasks = append(w.tasks, tk)
}

// restart ends all processes and begins them anew, as after a change of their configuration.
func (w *world) restart() {
	for _, t := range w.tasks {
		t.stop()
		w.start(t.name)
	}
}

// daemon is what a process does: passes over its environments, with pauses between them.
func (w *world) daemon(e *effects) {
	r := w.reconciler(e)
	for {
		for _, env := range w.envs {
			e.task.began = w.now
			report, err := r.Once(context.Background(), env.name)
			if err != nil {
				w.logf("%s: %s: pass: %v", e.task.name, env.name, err)
				w.note("failed passes")
			} else {
				w.logf("%s: %s: pass: %d drifted, %d held, %d unknown %v", e.task.name, env.name, report.Drifted, len(report.Held), len(report.Unknown), report.Unknown)
				w.note("passes")
			}
			env.check.afterPass(report, err)
		}
		if e.Sleep(context.Background(), 30*time.Second) != nil {
			return
		}
	}
}

func (w *world) reconciler(e *effects) *reconciler.Reconciler {
	var out io.Writer = io.Discard
	if w.keep {
		out = traceWriter{w, e.task.name}
	}
	c := reconciler.Config{
		Store: w.open(&faultyRemote{e: e, remote: w.remote}), Forge: &faultyForge{e: e, Forge: w.ours}, Clock: e,
		Owner: e.task.owner, ClaimFor: claimFor, RequestTimeout: timeout, Jitter: half, Cache: &fullDisk{e: e},
		Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: noTime})),
	}
	for _, env := range w.envs {
		d := &faultyDriver{e: e, env: env, old: env.old, Driver: env.platform.DriverWith(mem.DriverOptions{Cover: env.cover, Between: e.between()})}
		var driver vendors.Driver = d
		if env.p.Activation {
			driver = activating{d}
		}
		if env.tellsRunning() {
			driver = running{activating{d}}
		}
		c.Environments = append(c.Environments, reconciler.Environment{
			Name: env.name, Mode: env.p.Mode, Guard: env.p.Guard, OnClose: env.p.OnClose, Rollback: env.rollback(), Windows: env.windows(),
			Announce: reconciler.Announce{Untouched: env.p.Required},
			Platform: vendors.NewTarget(driver, vendors.TargetOptions{Clock: e, Jitter: half, MaxTries: 3, MaxTime: time.Minute, ReadOnly: env.p.Mode == reconciler.Observe}),
		})
	}
	r, err := reconciler.New(c)
	must(err)
	return r
}

// rollback proposes reverts of what failed, which was not asked for in histories of the first generation.
func (e *env) rollback() reconciler.Rollback {
	return reconciler.Rollback{Auto: e.w.t.generation > 1, Push: e.p.Push}
}

func half() float64 { return 0.5 }

type traceWriter struct {
	w    *world
	name string
}

func (t traceWriter) Write(b []byte) (int, error) {
	t.w.trace = append(t.w.trace, fmt.Sprintf("         %s| %s", t.name, b[:len(b)-1]))
	return len(b), nil
}

func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// effects is the outside world as one daemon process meets it: every call may be
// slow, fail before or after it happened, or be the last thing the process does.
type effects struct {
	w     *world
	task  *task
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

// between is what happens between two pages of a listing: the world moves on.
func (e *effects) between() func() {
	if !e.w.p.Pages {
		return nil
	}
	return func() {
		if !e.w.quiet {
			e.task.wake = e.w.now.Add(time.Duration(e.w.t.pick(2)) * time.Second)
			e.wait()
		}
	}
}

// What an effect is. Writes may end in any way, and fenced ones are refused by whom they reach when they come too late.
type effectKind int

const (
	reads effectKind = iota
	writes
	fenced
)

// do is one effect.
func (e *effects) do(what string, kind effectKind, f func() error) error {
	w := e.w
	wait := time.Duration(w.t.pick(3)) * time.Second
	if kind != writes {
		wait += e.pause("before", what)
	}
	e.task.wake = w.now.Add(wait)
	e.wait()
	if !w.quiet {
		switch {
		case w.t.flip(w.p.Crash):
			w.logf("%s dies before %s", e.task.name, what)
			panic(crash{})
		case w.t.flip(w.p.Fault):
			w.logf("%s: %s fails", e.task.name, what)
			w.note("faults")
			return errFault
		}
	}
	err := f()
	if kind != reads {
		w.logf("%s: %s: %v", e.task.name, what, err)
	}
	if w.quiet || kind == reads {
		return err
	}
	switch {
	case w.t.flip(w.p.Crash):
		w.logf("%s dies after %s", e.task.name, what)
		panic(crash{})
	case err == nil && w.t.flip(w.p.Late):
		w.logf("%s: the answer to %s is lost", e.task.name, what)
		w.note("lost answers")
		return errFault
	}
	if d := e.pause("after", what); d > 0 {
		e.task.wake = w.now.Add(d)
		e.wait()
	}
	return err
}

// pause is how long the process stands still, as when it is stopped or its machine sleeps.
func (e *effects) pause(when, what string) time.Duration {
	if e.w.quiet || !e.w.t.flip(e.w.p.Pause) {
		return 0
	}
	d := time.Duration(60+e.w.t.pick(370)) * time.Second
	e.w.note("pauses")
	e.w.logf("%s stands still for %s %s %s", e.task.name, d, when, what)
	return d
}

// fullDisk is a cache that often cannot be written.
type fullDisk struct{ e *effects }

func (*fullDisk) Load(string) []byte { return nil }

func (c *fullDisk) Save(string, []byte) error {
	if !c.e.w.quiet && c.e.w.t.flip(c.e.w.p.Fault) {
		c.e.w.note("disk full")
		return errors.New("no space left on device")
	}
	return nil
}

type faultyRemote struct {
	e      *effects
	remote *gitstore.MemoryRemote
}

func (r *faultyRemote) String() string { return "simulated" }

func (r *faultyRemote) Refs(ctx context.Context) (refs gitstore.Refs, atomic bool, err error) {
	err = r.e.do("refs", reads, func() (err error) {
		if refs, atomic, err = r.remote.Refs(ctx); err != nil {
			return err
		}
		_, err = r.e.w.server.Sync(ctx) // both stand on one store where the forge is built in
		return err
	})
	return refs, atomic, err
}

func (r *faultyRemote) Fetch(ctx context.Context, into gitstore.Sink, want, have []gitstore.ID) error {
	return r.e.do("fetch", reads, func() error { return r.remote.Fetch(ctx, into, want, have) })
}

func (r *faultyRemote) Push(ctx context.Context, ups []gitstore.Update, out *gitstore.Outgoing) error {
	what := "push"
	for _, u := range ups {
		what += fmt.Sprintf(" %s %.7s→%.7s", u.Ref, u.Old, u.New)
	}
	w, began := r.e.w, r.e.task.began
	push := func() error {
		err := r.remote.Push(ctx, ups, out)
		if err == nil {
			w.pushed(r.e.task.owner, began, ups, out)
		}
		return err
	}
	return r.e.do(what, writes, func() error {
		if !w.quiet && w.t.flip(w.p.Late) {
			w.note("late pushes")
			w.after(time.Duration(1+w.t.pick(10))*time.Second, r.e.task.name+": a late push lands: "+what, func() { _ = push() })
			return errFault
		}
		return push()
	})
}

type faultyDriver struct {
	e   *effects
	env *env
	old bool // it does not know field c
	vendors.Driver
}

func (d *faultyDriver) Kinds() []resource.KindInfo {
	all := slices.Clone(d.Driver.Kinds())
	for i, k := range all {
		if d.old && k.Kind == thingKind {
			all[i].Fields = append(slices.Clone(k.Fields), resource.Field{Path: "c", Volatile: true})
		}
	}
	return all
}

// asKnown takes what the driver does not know out of what it reads.
func (d *faultyDriver) asKnown(s *resource.Snapshot) *resource.Snapshot {
	if !d.old || s == nil {
		return s
	}
	over := resource.Overlay{}
	for en := range s.Entries() {
		if r, err := s.Resource(en.Key); err == nil && r != nil && r.Spec["c"] != nil {
			spec := r.Spec.Clone()
			delete(spec, "c")
			over[en.Key] = &resource.Resource{Key: en.Key, Spec: spec, Origin: r.Origin}
		}
	}
	return s.With(over)
}

// whole puts what the driver does not know back into what it writes, as drivers do that read before they write.
func (d *faultyDriver) whole(c resource.Change) resource.Change {
	if !d.old || c.Before == nil {
		return c
	}
	now, _ := d.env.platform.Get(c.Before.Key)
	with := func(r *resource.Resource) *resource.Resource {
		if r == nil || now["c"] == nil {
			return r
		}
		out := *r
		out.Spec = r.Spec.Clone()
		out.Spec["c"] = now["c"]
		return &out
	}
	return resource.Change{Before: with(c.Before), After: with(c.After)}
}

func (d *faultyDriver) Observe(ctx context.Context, r vendors.Request) (s *resource.Snapshot, err error) {
	fault := d.e.do("observe", reads, func() error {
		d.env.land()
		s, err = d.Driver.Observe(ctx, r)
		s = d.asKnown(s)
		return nil
	})
	if fault != nil {
		return nil, fault
	}
	return s, err
}

func (d *faultyDriver) Read(ctx context.Context, keys []resource.Key) (s *resource.Snapshot, err error) {
	fault := d.e.do("read", reads, func() error {
		d.env.land()
		s, err = d.Driver.Read(ctx, keys)
		s = d.asKnown(s)
		return nil
	})
	if fault != nil {
		return nil, fault
	}
	return s, err
}

func (d *faultyDriver) Apply(ctx context.Context, c resource.Change) (got resource.Resource, err error) {
	err = d.e.do(fmt.Sprintf("%s: %s %s → %s", d.env.name, c.Action(), show(c.Before), show(c.After)), fenced, func() (err error) {
		d.env.land()
		c := d.whole(c)
		before := d.env.platform.State()
		twins := len(d.env.platform.Twins())
		if got, err = d.Driver.Apply(ctx, c); d.old && got.Spec["c"] != nil {
			got.Spec = got.Spec.Clone()
			delete(got.Spec, "c")
		}
		d.env.check.applied(d.e.task.owner, c, before, err)
		if len(d.env.platform.Twins()) > twins {
			d.env.check.twinned(c)
		}
		return err
	})
	return got, err
}

func (d *faultyDriver) Audit(ctx context.Context, t time.Time) iter.Seq2[vendors.AuditEntry, error] {
	return d.Driver.(vendors.Auditor).Audit(ctx, t)
}

// activating is a faultyDriver of a platform where what is stored must be reloaded to run.
type activating struct{ *faultyDriver }

func (d activating) Activate(ctx context.Context) error {
	return d.e.do(d.env.name+": activate", writes, func() error {
		d.env.check.activated(d.e.task.owner)
		return d.Driver.(vendors.Activator).Activate(ctx)
	})
}

func (d activating) Checks() bool { return true }

func show(r *resource.Resource) string {
	if r == nil {
		return "∅"
	}
	return r.Key.String() + resource.Text(r.Spec)
}
