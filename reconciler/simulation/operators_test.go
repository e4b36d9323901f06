package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// operator is the command line: it files requests like any other process.
func (w *world) operator() *reconciler.Reconciler { return w.operatorIn(reconciler.Observe) }

func (w *world) operatorIn(mode reconciler.Mode) *reconciler.Reconciler {
	c := reconciler.Config{Store: w.store, Forge: w.forge, Clock: steady{w}, Owner: "cli", Jitter: half}
	for _, e := range w.envs {
		c.Environments = append(c.Environments, reconciler.Environment{
			Name: e.name, Mode: mode, Guard: e.p.Guard,
			Platform: vendors.NewTarget(e.platform.DriverWith(mem.DriverOptions{Cover: e.cover}), vendors.TargetOptions{Clock: steady{w}, Jitter: half, ReadOnly: true}),
		})
	}
	r, err := reconciler.New(c)
	must(err)
	return r
}

// steady is a clock that does not wait.
type steady struct{ w *world }

func (s steady) Now() time.Time                             { return s.w.now }
func (s steady) Sleep(context.Context, time.Duration) error { return nil }

// file asks for something by command.
func (w *world) file(e *env, q reconciler.Request) bool {
	q.By = "ann"
	if err := w.operator().File(ctx, e.name, q); err != nil {
		w.logf("%s: ann cannot ask to %s: %v", e.name, q.Do, err)
		return false // nothing was ever observed yet, or the state is damaged
	}
	e.check.asked = append(e.check.asked, asking{at: w.now, q: q})
	w.logf("%s: ann asks to %s %v %s", e.name, q.Do, sortedKeys(q.Keys), q.Detail)
	return true
}

// drifted are the objects about which people may decide.
func (w *world) drifted(e *env) []reconciler.Item {
	seen, err := w.operator().Look(ctx, e.name)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(seen.Items), func(it reconciler.Item) bool {
		return it.Verdict != reconciler.Record && it.Verdict != reconciler.Conflict
	})
}

// request asks to accept or revert one drifted object, as it is at this moment.
func (w *world) request(e *env, do string) bool {
	drift := w.drifted(e)
	if len(drift) == 0 {
		return false
	}
	it := choose(w, drift...)
	keys := map[resource.Key]resource.Hash{it.Key: it.Live}
	if !it.Partner.IsZero() {
		for _, other := range drift {
			if other.Key == it.Partner {
				keys[other.Key] = other.Live
			}
		}
	}
	return w.file(e, reconciler.Request{Do: do, Keys: keys})
}

// rewrite is a force-push of main to its parent.
func (w *world) rewrite(*env) bool {
	head := w.head()
	c, err := w.store.CommitAt(head)
	must(err)
	if len(c.Parents) == 0 {
		return false
	}
	must(w.store.Push(ctx, gitstore.Update{Ref: mainRef, Old: head, New: c.Parents[0]}))
	w.rewrote = append(w.rewrote, w.now)
	w.logf("ann: FORCE-PUSHES main to %.7s", c.Parents[0])
	return true
}

// suspend stops writing, for some minutes.
func (w *world) suspend(e *env) bool {
	if !w.file(e, reconciler.Request{Do: reconciler.DoSuspend, Reason: "maintenance"}) {
		return false
	}
	w.after(4*time.Minute, e.name+": maintenance is over", func() { w.file(e, reconciler.Request{Do: reconciler.DoResume}) })
	return true
}

// changeRules writes rules, or removes them.
func (w *world) changeRules(*env) bool {
	rules := choose(w, "protect: [\"thing/o1\"]\n", "ignore: [{objects: [\"thing/o2\"], fields: [b]}]\n", "ignore: [{objects: [\"thing/o3\"]}]\n", "")
	edit := gitstore.Edit{rulesPath: []byte(rules)}
	if rules == "" {
		edit[rulesPath] = nil
	}
	return w.commit(edit, "rules: %s", rules)
}

const rulesPath = "driftback.rules.yaml"

// changeScope has the daemons look at less, or at everything again.
func (w *world) changeScope(e *env) bool {
	e.cover = choose(w, map[resource.Kind]resource.Cover{thingKind: {Exclude: []string{"o0"}}}, map[resource.Kind]resource.Cover{thingKind: {Include: []string{"o?"}, Exclude: []string{"o1", "o2"}}}, nil)
	w.logf("%s: the operator has %v looked at", e.name, e.cover)
	w.restart()
	return true
}

// changeVersion has the daemons run a version that knows less of the platform, or the newest again.
func (w *world) changeVersion(e *env) bool {
	e.switched = w.now
	if e.old = !e.old; e.old {
		e.aged = w.now
	} else {
		e.learnt = w.now
	}
	w.logf("%s: another version of the program; an older one: %v", e.name, e.old)
	w.restart()
	return true
}

// limitForge has the forge refuse the daemons everything for some minutes, as one does that counts requests.
func (w *world) limitForge(*env) bool {
	d := time.Duration(10+w.t.pick(290)) * time.Second
	w.limited = w.now.Add(d)
	w.logf("the forge refuses everything for %s", d)
	return true
}

// protectMain leaves merging to people for some minutes.
func (w *world) protectMain(*env) bool {
	w.guarded = true
	w.logf("main is protected")
	w.after(time.Duration(60+w.t.pick(300))*time.Second, "main is protected no longer", func() { w.guarded = false })
	return true
}

// loseState deletes the state ref.
func (w *world) loseState(e *env) bool {
	tip, there := w.refs()[e.stateRef()]
	if !there {
		return false
	}
	must(w.store.Push(ctx, gitstore.Update{Ref: e.stateRef(), Old: tip}))
	w.logf("%s: STATE LOST", e.name)
	e.check.lost = append(e.check.lost, w.now)
	return true
}

// foreignLive puts a commit onto the live branch that driftback did not make.
func (w *world) foreignLive(e *env) bool {
	tip, there := w.refs()[e.liveRef()]
	if !there {
		return false
	}
	k := w.someName()
	_, err := w.store.Commit(ctx, e.liveRef(), tip, gitstore.Edit{string(k.Kind) + "/" + k.Name + ".yaml": yamlOf(resource.Spec{"a": w.fresh()})}, gitstore.Signature{Name: "bob", When: w.now}, "by mistake")
	must(err)
	e.check.foreign = append(e.check.foreign, w.now)
	w.logf("%s: bob pushes a commit about %s onto the live branch", e.name, k)
	return true
}

// foreignState puts a commit onto the state ref that driftback did not make, until somebody puts it back.
func (w *world) foreignState(e *env) bool {
	tip, there := w.refs()[e.stateRef()]
	if !there {
		return false
	}
	c, err := w.store.Commit(ctx, e.stateRef(), tip, gitstore.Edit{"note": []byte(w.fresh())}, gitstore.Signature{Name: "bob", When: w.now}, "by mistake")
	must(err)
	w.logf("%s: bob pushes a commit onto the state ref", e.name)
	w.after(2*time.Minute, e.name+": the operator puts the state ref back", func() {
		now := w.refs()[e.stateRef()]
		at := now
		for !at.IsZero() {
			x, err := w.store.CommitAt(at)
			must(err)
			if x.Author.Name != "bob" {
				break
			}
			at = x.Parents[0]
		}
		if at != now {
			must(w.store.Push(ctx, gitstore.Update{Ref: e.stateRef(), Old: now, New: at}))
		}
		if w.ancestor(c.ID, at) {
			w.fail("a foreign tip on state holds", "%s moved on to %.7s", e.stateRef(), at)
		}
	})
	return true
}

// blackout is an outage, of which daemons may meet the edges.
func (w *world) blackout(e *env) bool {
	dark := e.weather
	dark.Dark = true
	e.platform.SetWeather(dark)
	d := time.Duration(1+w.t.pick(choose(w, 20, 200))) * time.Second
	w.logf("%s: OUTAGE for %s", e.name, d)
	e.check.dark = append(e.check.dark, span{w.now, w.now.Add(d)})
	w.after(d, e.name+": the outage is over", func() { e.platform.SetWeather(e.weather) })
	return true
}

// deny takes the permission to read and write a kind away.
func (w *world) deny(e *env) bool {
	kind := choose(w, thingKind, skillKind)
	e.platform.Fail(kind, vendors.ErrDenied)
	w.logf("%s: permission for %s is lost", e.name, kind)
	w.after(time.Duration(1+w.t.pick(300))*time.Second, fmt.Sprintf("%s: permission for %s is back", e.name, kind), func() { e.platform.Fail(kind, nil) })
	return true
}

// twin makes a second object of one name.
func (w *world) twin(e *env) bool {
	k, _, ok := e.some()
	if !ok || !e.p.Shared {
		return false
	}
	e.platform.Twin(k)
	w.logf("%s: bob makes a second %s", e.name, k)
	e.twinned[k] = w.now
	w.after(3*time.Minute, fmt.Sprintf("%s: bob removes the second %s", e.name, k), func() { e.platform.Untwin(k) })
	return true
}

func sortedKeys[V any](m map[resource.Key]V) []resource.Key {
	return slices.SortedFunc(maps.Keys(m), resource.Key.Compare)
}
