package simulation

import (
	"context"
	"time"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/window"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// This file is about what runs beside what is stored, and about the times at which it may be deployed.

// running is an activating driver of a platform that tells what runs.
type running struct{ activating }

// Running is a reading like others.
func (d running) Running(ctx context.Context, r vendors.Request) (s *resource.Snapshot, err error) {
	fault := d.e.do("running", reads, func() error {
		s, err = d.Driver.(vendors.Runner).Running(ctx, r)
		s = d.asKnown(s)
		return nil
	})
	if fault != nil {
		return nil, fault
	}
	return s, err
}

func (d running) Activate(ctx context.Context) error {
	return d.e.do(d.env.name+": activate", writes, func() error {
		d.env.check.activated(d.e.task.owner)
		before := d.env.platform.Running()
		err := d.Driver.(vendors.Activator).Activate(ctx)
		if err == nil {
			d.env.check.replaced(before)
		}
		return err
	})
}

// tellsRunning reports whether the platform tells what runs, which it did not in histories of former generations.
func (e *env) tellsRunning() bool { return e.p.Activation && e.w.t.generation > 2 }

// activate is what people do after they changed something, most of the time.
func (w *world) activate(e *env) bool {
	if !e.tellsRunning() {
		return false
	}
	err := e.platform.Activate()
	w.logf("%s: bob activates what is stored: %v", e.name, err)
	return err == nil
}

// poked is a value that somebody put into memory.
type poked struct {
	at   time.Time
	text string
}

// poke changes what runs in memory alone.
func (w *world) poke(e *env) bool {
	if !e.tellsRunning() {
		return false
	}
	k, s, ok := e.some()
	if !ok || s["password"] != nil {
		return false
	}
	s = s.Clone()
	s["a"] = w.fresh()
	w.logf("%s: bob changes %s in memory: %s", e.name, k, resource.Text(s))
	e.platform.Poke(k, s)
	e.poked[k] = poked{w.now, textOf(s)}
	return true
}

// othersStored checks that a deployment that begins does not make run what somebody stored and did not activate before it was decided on.
func (c *checker) othersStored(old, now stateAt) {
	if !c.e.tellsRunning() || c.askedFor(reconciler.DoOverride) || !c.e.switched.IsZero() {
		return
	}
	stored, runs := c.e.platform.State(), c.e.platform.Running()
	want, live := c.w.want(mustParse(now.journal.Commit), c.e), c.w.tree(c.w.refs()[c.e.liveRef()], "")
	steps := map[resource.Key]resource.Hash{}
	for _, s := range now.journal.Steps {
		steps[s.Before] = resource.Hash{}
	}
	for _, s := range now.journal.Steps {
		steps[s.After] = s.To
	}
	for k, spec := range stored {
		if textOf(spec) == textOf(runs[k]) || live.text[k] != textOf(spec) || want.unknown[k] {
			continue // it runs, or no daemon has seen it
		}
		after, ok := steps[k]
		if !ok {
			after = spec.Hash()
		}
		if after == want.spec[k].Hash() || after == runs[k].Hash() {
			continue
		}
		if !c.e.poked[k].at.Before(now.journal.Started) {
			continue // changed in memory since
		}
		if who, at := c.last(k); who != "driftback" && at.Before(now.journal.Started) && !c.since[k].After(now.journal.Started) {
			c.w.fail("nobody's stored change is activated", "%s = %s, stored by %s at %s, does not run, and deployment %s would make it", k, resource.Text(spec), who, at.Format("15:04:05"), now.journal.ID)
		}
	}
}

// last tells who gave the object the value that is stored, and when.
func (c *checker) last(k resource.Key) (who string, at time.Time) {
	if h := c.e.platform.History(k); len(h) > 0 {
		who, at = h[len(h)-1].Who, h[len(h)-1].When
	}
	return who, at
}

// replaced checks that what ran before an activation is in Git: it was stored once and recorded, or kept as what ran.
func (c *checker) replaced(before map[resource.Key]resource.Spec) {
	j := c.now().journal
	if j.Phase == "" {
		return // told by activated
	}
	kept, live := c.w.tree(c.w.refs()[c.e.liveRef()], "running"), c.w.tree(c.w.refs()[c.e.liveRef()], "")
	for k, ran := range before {
		text := textOf(ran)
		if now, _ := c.e.platform.Get(k); textOf(now) == text {
			continue
		}
		if put := c.e.poked[k]; put.text != text || !put.at.Before(j.Started) || live.text[k] == "" || ran["password"] != nil || ran["c"] != nil && !c.e.switched.IsZero() {
			continue // it is not what was put into memory, or that was after it was decided; or no daemon looks at the object
		}
		if kept.text[k] != text && !c.inLive[k][text] && !c.inGit(k, text) {
			c.w.fail("1 nothing seen is lost", "%s = %s, put into memory at %s, no longer runs and is not in Git", k, text, c.e.poked[k].at.Format("15:04:05"))
		}
	}
	c.w.note("activations")
}

// windows are open for six minutes of each quarter of an hour, where the environment has any.
func (e *env) windows() window.Windows {
	if !e.p.Windows {
		return nil
	}
	return window.Windows{quarterly}
}

var quarterly = func() window.Window {
	w, err := window.Parse("*/15 * * * *", 6*time.Minute, "")
	must(err)
	return w
}()

// withinWindows checks that a deployment begins while a window is open.
func (c *checker) withinWindows(now stateAt) {
	if !c.e.p.Windows || c.askedFor(reconciler.DoOverride) {
		return
	}
	if open, _ := c.e.windows().At(now.journal.Started); !open {
		c.w.fail("deployed in windows only", "deployment %s begins at %s", now.journal.ID, now.journal.Started.Format("15:04:05"))
	}
	c.w.note("deployments in windows")
}
