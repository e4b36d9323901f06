package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

var ctx = context.Background()

func (w *world) fresh() string { w.values++; return fmt.Sprint("v", w.values) }

// choose takes one of several; the first is the simplest.
func choose[T any](w *world, of ...T) T { return of[w.t.pick(len(of))] }

func thing(n int) resource.Key { return resource.Key{Kind: thingKind, Name: fmt.Sprint("o", n)} }
func skill(n int) resource.Key { return resource.Key{Kind: skillKind, Name: fmt.Sprint("s", n)} }

// someName is a key that may or may not be there.
func (w *world) someName() resource.Key {
	if w.t.pick(4) == 3 {
		return skill(w.t.pick(3))
	}
	return thing(w.t.pick(6))
}

// begin fills the platforms, and Git with an empty commit or with the same.
func (w *world) begin() {
	n := choose(w, 3, 1, 5)
	edit := gitstore.Edit{"README.md": []byte("configuration\n")}
	inGit := w.t.pick(2) == 1
	for _, e := range w.envs {
		must(e.platform.Put(skill(0), resource.Spec{"a": w.fresh()}, "bob"))
		for i := range n {
			s := resource.Spec{"a": w.fresh(), "b": w.fresh()}
			if i%2 == 1 {
				s["skill"] = resource.Ref{Key: skill(0)}
			}
			must(e.platform.Put(thing(i), s, "bob"))
		}
		for k, s := range e.platform.State() {
			if inGit {
				edit[e.path(k)] = yamlOf(s)
			}
		}
	}
	c, err := w.store.Commit(ctx, mainRef, gitstore.ID{}, edit, gitstore.Signature{Name: "ann", When: w.now}, "begin")
	must(err)
	w.logf("ann: main begins at %.7s with %d files", c.ID, len(edit))
}

// moves are what people, operators and the weather may do, the simplest first. The number says how often.
var moves = []struct {
	name  string
	often int
	do    func(*world, *env) bool
}{
	{"edit by hand", 6, (*world).handEdit},
	{"create by hand", 2, (*world).handMake},
	{"delete by hand", 2, (*world).handDelete},
	{"rename by hand", 2, (*world).handRename},
	{"change in Git", 6, (*world).commitEdit},
	{"change of a shared file", 2, (*world).commitShared},
	{"removal in Git", 2, (*world).commitRemoval},
	{"rename in Git", 1, (*world).commitRename},
	{"unrelated commit", 1, (*world).commitOther},
	{"hand back what Git says", 1, (*world).handBack},
	{"copy live to Git by hand", 1, (*world).copyLive},
	{"merge", 5, (*world).mergeSome},
	{"close", 2, (*world).closeSome},
	{"edit of a pull request", 2, (*world).editSome},
	{"revert of a commit", 2, (*world).revert},
	{"accept and revert at once", 1, (*world).acceptAndRevert},
	{"request to revert", 1, func(w *world, e *env) bool { return w.request(e, reconciler.DoRevert) }},
	{"request to accept", 1, func(w *world, e *env) bool { return w.request(e, reconciler.DoAccept) }},
	{"force-push", 1, (*world).rewrite},
	{"resume", 1, (*world).resume},
	{"suspend", 1, (*world).suspend},
	{"rules", 1, (*world).changeRules},
	{"scope", 1, (*world).changeScope},
	{"restart", 1, func(w *world, _ *env) bool { w.restart(); return true }},
	{"state ref lost", 1, (*world).loseState},
	{"foreign commit on live", 1, (*world).foreignLive},
	{"foreign commit on state", 1, (*world).foreignState},
	{"outage", 1, (*world).blackout},
	{"permission lost", 1, (*world).deny},
	{"twin", 1, (*world).twin},
	{"secret typed", 1, (*world).typeSecret},
	{"broken value in Git", 1, (*world).commitBad},
	{"broken file in Git", 1, (*world).commitBroken},
}

// human is one move.
func (w *world) human() {
	total := 0
	for _, m := range moves {
		total += m.often
	}
	n := w.t.pick(total)
	e := choose(w, w.envs...)
	for _, m := range moves {
		if n -= m.often; n < 0 {
			if m.do(w, e) {
				w.note("move: " + m.name)
			}
			break
		}
	}
	w.refs() // the checks take note of main
}

func (e *env) some() (resource.Key, resource.Spec, bool) {
	state := e.platform.State()
	ks := sortedKeys(state)
	if len(ks) == 0 {
		return resource.Key{}, nil, false
	}
	k := ks[e.w.t.pick(len(ks))]
	return k, state[k], true
}

// vary changes one field.
func (w *world) vary(k resource.Key, s resource.Spec) resource.Spec {
	s = s.Clone()
	if s == nil {
		s = resource.Spec{}
	}
	n := 4
	if k.Kind == skillKind {
		n = 2
	}
	switch w.t.pick(n) {
	case 0:
		s["a"] = w.fresh()
	case 1:
		s["b"] = w.fresh()
	case 2:
		s["skill"] = resource.Ref{Key: skill(w.t.pick(3))}
	case 3:
		s["skills"] = []any{resource.Ref{Key: skill(w.t.pick(3))}}
	}
	return s
}

// hand is a person's edit; the platform may refuse it.
func (w *world) hand(e *env, err error, format string, args ...any) bool {
	if err == nil {
		w.logf("%s: bob %s by hand", e.name, fmt.Sprintf(format, args...))
	}
	return err == nil
}

func (w *world) handEdit(e *env) bool {
	k, s, ok := e.some()
	if !ok {
		return false
	}
	s = w.vary(k, s)
	delete(s, "password")
	return w.hand(e, e.platform.Put(k, s, "bob"), "edits %s: %s", k, resource.Text(s))
}

func (w *world) handMake(e *env) bool {
	k := w.someName()
	if _, there := e.platform.Get(k); there {
		return false
	}
	return w.hand(e, e.platform.Put(k, resource.Spec{"a": w.fresh()}, "bob"), "makes %s", k)
}

func (w *world) handDelete(e *env) bool {
	k, _, ok := e.some()
	return ok && w.hand(e, e.platform.Delete(k, "bob"), "deletes %s", k)
}

func (w *world) handRename(e *env) bool {
	k, _, ok := e.some()
	to := w.someName()
	if !ok || to.Kind != k.Kind {
		return false
	}
	return w.hand(e, e.platform.Rename(k, to, "bob"), "renames %s to %s", k, to)
}

// handBack is what Git says, typed in by hand.
func (w *world) handBack(e *env) bool {
	want := w.want(w.head(), e)
	ks := sortedKeys(want.spec)
	if len(ks) == 0 {
		return false
	}
	k := choose(w, ks...)
	if bad(want.spec[k]) {
		return false
	}
	return w.hand(e, e.platform.Put(k, want.spec[k].Clone(), "bob"), "types in what Git says of %s", k)
}

func bad(s resource.Spec) bool { a, _ := s["a"].(string); return len(a) > 3 && a[:3] == "bad" }

func (w *world) typeSecret(e *env) bool {
	k, s, ok := e.some()
	if !ok {
		return false
	}
	s = s.Clone()
	s["password"] = fmt.Sprintf("%s-%d", canary, w.t.pick(9))
	return w.hand(e, e.platform.Put(k, s, "bob"), "types a password into %s", k)
}

// canary begins every secret that is typed anywhere.
const canary = "Xk3vLq9ZtR7pWm2c4N4ry"

func (w *world) commit(edit gitstore.Edit, format string, args ...any) bool {
	msg := fmt.Sprintf(format, args...)
	c, err := w.store.Commit(ctx, mainRef, w.head(), edit, gitstore.Signature{Name: "ann", When: w.now}, msg)
	must(err)
	w.logf("ann: %s → %.7s", msg, c.ID)
	return true
}

func (w *world) commitEdit(e *env) bool {
	k := w.someName()
	s := w.vary(k, w.want(w.head(), e).spec[k])
	return w.commit(gitstore.Edit{e.path(k): yamlOf(s)}, "%s: set %s %s", e.name, k, resource.Text(s))
}

func (w *world) commitBad(e *env) bool {
	if !e.p.Activation {
		return false
	}
	k := thing(w.t.pick(6))
	s := w.want(w.head(), e).spec[k].Clone()
	if s == nil {
		s = resource.Spec{}
	}
	s["a"] = "bad" + w.fresh()
	return w.commit(gitstore.Edit{e.path(k): yamlOf(s)}, "%s: set %s %s", e.name, k, resource.Text(s))
}

// commitBroken leaves a file that does not parse, until somebody mends it.
func (w *world) commitBroken(e *env) bool {
	at := e.broken()
	w.after(3*time.Minute, "ann mends what does not parse", func() {
		if _, there, err := w.store.File(w.head(), at); err == nil && there {
			w.commit(gitstore.Edit{at: nil}, "mend")
		}
	})
	return w.commit(gitstore.Edit{at: []byte("a: [\n")}, "%s: a file that does not parse", e.name)
}

func (e *env) broken() string { return e.folder() + "/thing/broken.yaml" }

func (w *world) commitShared(*env) bool {
	k := w.someName()
	s := w.vary(k, w.tree(w.head(), "shared").spec[k])
	return w.commit(gitstore.Edit{sharedPath(k): yamlOf(s)}, "set shared %s %s", k, resource.Text(s))
}

// without is the edit by which Git says that the environment has no such object.
func (w *world) without(e *env, k resource.Key) gitstore.Edit {
	edit := gitstore.Edit{e.path(k): nil}
	if w.tree(w.head(), "shared").spec[k] != nil {
		edit[e.path(k)] = []byte("$absent: true\n")
	}
	return edit
}

func (w *world) commitRemoval(e *env) bool {
	have := sortedKeys(w.want(w.head(), e).spec)
	if len(have) == 0 {
		return false
	}
	k := choose(w, have...)
	return w.commit(w.without(e, k), "%s: remove %s", e.name, k)
}

func (w *world) commitRename(e *env) bool {
	want := w.want(w.head(), e)
	have := sortedKeys(want.spec)
	if len(have) == 0 {
		return false
	}
	k, to := choose(w, have...), w.someName()
	if to.Kind != k.Kind || want.spec[to] != nil {
		return false
	}
	edit := w.without(e, k)
	w.renamed[k], w.renamed[to] = true, true
	edit[e.path(to)] = append([]byte("$renamedFrom: "+k.Name+"\n"), yamlOf(want.spec[k])...)
	return w.commit(edit, "%s: rename %s to %s", e.name, k, to)
}

func (w *world) commitOther(*env) bool {
	return w.commit(gitstore.Edit{"README.md": []byte(w.fresh() + "\n")}, "write about it")
}

// copyLive is live, typed into Git by a person.
func (w *world) copyLive(e *env) bool {
	k, s, ok := e.some()
	if !ok || s["password"] != nil {
		return false
	}
	return w.commit(gitstore.Edit{e.path(k): yamlOf(s)}, "%s: as it is live: %s", e.name, k)
}

// revert is git revert of one of the newest commits.
func (w *world) revert(*env) bool {
	head := w.head()
	at := head
	for range w.t.pick(3) {
		if c, err := w.store.CommitAt(at); err == nil && len(c.Parents) > 0 {
			at = c.Parents[0]
		}
	}
	return w.revertCommit(head, at)
}

func (w *world) revertCommit(head, at gitstore.ID) bool {
	c, err := w.store.CommitAt(at)
	must(err)
	if len(c.Parents) == 0 {
		return false
	}
	m, err := w.store.Revert(head, at, min(len(c.Parents)-1, 1))
	must(err)
	if len(m.Conflicts) > 0 || len(m.Edit) == 0 {
		return false
	}
	return w.commit(m.Edit, "revert %.7s", at)
}

// acceptAndRevert merges and reverts before any daemon looks.
func (w *world) acceptAndRevert(e *env) bool {
	if !w.mergeSome(e) {
		return false
	}
	head := w.head()
	return w.revertCommit(head, head)
}

// somePull is one that is open.
func (w *world) somePull() (forge.Pull, bool) {
	pulls, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	must(err)
	if len(pulls) == 0 {
		return forge.Pull{}, false
	}
	return choose(w, pulls...), true
}

func (w *world) mergeSome(*env) bool { p, ok := w.somePull(); return ok && w.merge(p) }

func (w *world) merge(p forge.Pull) bool {
	before := w.head()
	how := choose(w, local.ByMerge, local.BySquash, local.ByRebase)
	got, err := w.forge.MergeWith(ctx, p.Number, local.MergeOptions{Method: how})
	w.logf("ann: merges #%d (%s): %v", p.Number, how, err)
	if err != nil {
		return false
	}
	w.note("merged by " + string(how))
	w.merges = append(w.merges, mergedPull{pull: got, before: before, after: w.head(), at: w.now})
	return true
}

func (w *world) closeSome(*env) bool {
	p, ok := w.somePull()
	if ok {
		w.close(p)
	}
	return ok
}

func (w *world) close(p forge.Pull) {
	_, err := w.forge.Close(ctx, p.Number)
	must(err)
	w.logf("ann: closes #%d", p.Number)
	w.closed = append(w.closed, closedPull{p, w.now})
}

// editSome pushes a commit onto a drift branch: another value for an object, or the one that main has.
func (w *world) editSome(*env) bool {
	p, ok := w.somePull()
	if !ok {
		return false
	}
	refs := w.refs()
	ref := "refs/heads/" + p.Head
	tip := refs[ref]
	var paths []string
	base, err := w.store.MergeBase(refs[mainRef], tip)
	must(err)
	must(w.store.Diff(base, tip, "environments", func(d gitstore.Delta) error {
		paths = append(paths, d.Path)
		return nil
	}))
	if len(paths) == 0 {
		return false
	}
	at := choose(w, paths...)
	edit := gitstore.Edit{at: yamlOf(resource.Spec{"a": w.fresh()})}
	if w.t.pick(2) == 1 {
		edit = gitstore.Edit{at: nil}
		if f, ok, err := w.store.File(refs[mainRef], at); err == nil && ok {
			b, err := w.store.Blob(f.ID, 0)
			must(err)
			edit[at] = b
		}
	}
	c, err := w.store.Commit(ctx, ref, tip, edit, gitstore.Signature{Name: "ann", When: w.now}, "reviewed")
	must(err)
	w.logf("ann: edits %s in #%d → %.7s", at, p.Number, c.ID)
	if w.t.pick(2) == 0 {
		w.merge(p)
	}
	return true
}

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
	e.check.asked = append(e.check.asked, asking{w.now, q})
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
	w.after(3*time.Minute, fmt.Sprintf("%s: bob removes the second %s", e.name, k), func() { e.platform.Untwin(k) })
	return true
}

func sortedKeys[V any](m map[resource.Key]V) []resource.Key {
	return slices.SortedFunc(maps.Keys(m), resource.Key.Compare)
}
