package simulation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

// peace ends faults and edits. People answer what they are asked until nothing is open,
// and then ten more minutes of passes must change nothing.
func (w *world) peace() {
	w.quiet = true
	w.logf("--- peace")
	for len(w.events) > 0 { // what is on its way arrives
		ev := w.events[0]
		w.events = w.events[1:]
		w.logf("%s", ev.what)
		ev.do()
	}
	for _, e := range w.envs {
		e.tidy()
	}
	w.restart()
	settled := false
	for round := 0; round < 24 && w.failure == nil && !settled; round++ {
		w.pass(3 * 60)
		open := false
		for _, e := range w.envs {
			if !maps.EqualFunc(e.platform.Running(), e.platform.State(), func(a, b resource.Spec) bool { return resource.Equal(a, b) }) {
				if e.tellsRunning() && !w.activate(e) { // a deployment may wait for that
					e.mend()
				}
			}
			open = w.answer(e) || open
		}
		settled = !open && w.unsettled() == "" && !w.wakes()
		w.refs()
	}
	if w.failure != nil {
		return
	}
	if why := w.unsettled(); why != "" {
		w.fail("converged", "after long peace %s", why)
		return
	}
	w.rest()
}

// rest is promise 9: passes that find agreement change nothing anywhere.
func (w *world) rest() {
	w.pass(2 * 60) // what is under way comes to its end
	refs, writes := w.refs(), w.writes()
	w.pass(5 * 60)
	for ref, id := range w.refs() {
		if refs[ref] != id {
			w.fail("9 quiet when nothing happens", "%s moved from %.7s to %.7s", ref, refs[ref], id)
		}
	}
	if n := w.writes() - writes; n != 0 {
		w.fail("9 quiet when nothing happens", "%d writes to the platforms", n)
	}
	w.told()
}

// wakes reports whether something that people ignored for a while is drift again soon.
func (w *world) wakes() bool {
	return slices.ContainsFunc(w.ignored, func(t time.Time) bool {
		return t.After(w.now.Add(-3*time.Minute)) && t.Before(w.now.Add(15*time.Minute))
	})
}

func (w *world) writes() (n int) {
	for _, e := range w.envs {
		c := e.platform.Counts()
		n += c.Writes + c.Activations
	}
	return n
}

func (w *world) pass(seconds int) {
	for end := w.now.Unix() + int64(seconds); w.now.Unix() < end && w.failure == nil; {
		w.step()
	}
}

// tidy is the operator's and bob's part in peace: everything is looked at, permissions are back, one object a
// name, no passwords in configuration, and an environment that was only observed is kept in agreement.
func (e *env) tidy() {
	if e.old {
		e.switched, e.learnt = e.w.now, e.w.now
	}
	e.cover, e.old = nil, false
	if e.p.Mode == reconciler.Observe {
		e.p.Mode = reconciler.Sync
	}
	e.platform.SetWeather(e.weather)
	for i, s := range e.check.dark {
		if s.to.After(e.w.now) {
			e.check.dark[i].to = e.w.now
		}
	}
	for _, k := range []resource.Kind{thingKind, skillKind} {
		e.platform.Fail(k, nil)
	}
	for _, k := range e.platform.Twins() {
		e.platform.Untwin(k)
	}
	for _, k := range sortedKeys(e.platform.State()) {
		s, _ := e.platform.Get(k)
		if s["password"] == nil {
			continue
		}
		s = s.Clone()
		delete(s, "password")
		if e.platform.Put(k, s, "bob") != nil { // it refers to what is there no more
			delete(s, "skill")
			delete(s, "skills")
			must(e.platform.Put(k, s, "bob"))
		}
	}
	e.w.activate(e)
}

// mend takes what the platform refuses to activate out of what is stored, where somebody edited it since, so that no undo does.
func (e *env) mend() {
	for _, k := range sortedKeys(e.platform.State()) {
		s, _ := e.platform.Get(k)
		if a, _ := s["a"].(string); strings.HasPrefix(a, "bad") {
			s = s.Clone()
			s["a"] = e.w.fresh()
			e.w.logf("%s: bob mends %s by hand", e.name, k)
			_ = e.platform.Put(k, s, "bob") // it may refer to what is there no more
		}
	}
}

// answer lets people decide what is open; it reports whether anything was.
func (w *world) answer(e *env) bool {
	if w.resume(e) {
		return true
	}
	if _, there, err := w.store.File(w.head(), rulesPath); err == nil && there {
		return w.commit(gitstore.Edit{rulesPath: nil}, "no rules any more")
	}
	if _, there, err := w.store.File(w.head(), e.broken()); err == nil && there {
		return w.commit(gitstore.Edit{e.broken(): nil}, "mend")
	}
	pulls, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	must(err)
	open := false
	for _, p := range pulls {
		if of := envOfBranch(p.Head); of != e.name && (of != "" || w.t.generation == 1) {
			continue
		}
		open = true
		e.judged(p)
		if strings.HasPrefix(p.Head, "driftback/revert/") {
			w.reverts++
		}
		if w.reverts > 6 || !w.merge(p) { // two environments whose way back is the other's failure need a person's own commit
			w.close(p)
		}
	}
	return open || w.unsilence(e)
}

// judged checks that a pull request has the status that branch protection requires.
func (e *env) judged(p forge.Pull) {
	head, err := e.w.store.CommitAt(mustParse(p.HeadID))
	must(err)
	if full := e.check.full; !e.p.Required || !full.After(p.Created) || !full.After(head.Committer.When) {
		return // it was not there yet, or not like that, when the last pass that ended well began
	}
	list, err := e.w.forge.Statuses(ctx, p.HeadID)
	must(err)
	if !slices.ContainsFunc(list, func(s forge.Status) bool { return s.Context == "driftback/plan ("+e.name+")" }) {
		e.w.fail("what can be merged has its statuses", "#%d %s has %v", p.Number, p.Head, list)
	}
}

// unsilence asks for Git's value where a closed pull request left drift behind.
func (w *world) unsilence(e *env) bool {
	seen, err := w.operator().Look(ctx, e.name)
	if err != nil {
		return false
	}
	if w.mendFiles(e, seen) {
		return true
	}
	keys := map[resource.Key]resource.Hash{}
	for _, it := range seen.Items {
		if it.Verdict == reconciler.Record || it.Verdict == reconciler.Conflict {
			keys[it.Key] = it.Live
		}
	}
	if len(keys) == 0 {
		return w.release(e)
	}
	return w.file(e, reconciler.Request{Do: reconciler.DoRevert, Keys: keys})
}

// mendFiles writes files of the environment that say nothing, such as an overlay whose shared object is gone, as it is live.
func (w *world) mendFiles(e *env, seen reconciler.Report) bool {
	edit := gitstore.Edit{}
	for _, t := range seen.Unknown {
		if _, there := e.platform.Get(t.Key); !there && strings.Contains(t.Reason, "nobody saw whether it was deleted") {
			maps.Copy(edit, w.without(e, t.Key))
			continue
		}
		if t.Path == "" || t.Key.IsZero() || !strings.HasPrefix(t.Path, e.folder()) {
			continue
		}
		edit[t.Path] = nil
		if live, there := e.platform.Get(t.Key); there {
			edit[t.Path] = yamlOf(live)
		}
	}
	return len(edit) > 0 && w.commit(edit, "%s: mended: %v", e.name, seen.Unknown[0].Reason)
}

// release answers what is held: the first import, a guard, what failed, and what Git can never have.
func (w *world) release(e *env) bool {
	s := e.check.now()
	seen, err := w.lookWriting(e)
	if err != nil || len(seen.Held) == 0 {
		return false
	}
	if !s.seen.Adopted {
		return w.file(e, reconciler.Request{Do: reconciler.DoTrustGit})
	}
	has := func(part string) bool {
		return slices.ContainsFunc(seen.Held, func(t reconciler.Trouble) bool { return strings.Contains(t.Reason, part) })
	}
	switch {
	case has("guard:"):
		return w.file(e, reconciler.Request{Do: reconciler.DoOverride, Detail: seen.PlanID})
	case has("suspended"), has("somebody else keeps changing it back"):
		return w.file(e, reconciler.Request{Do: reconciler.DoResume})
	case has("failed in deployment") && e.retried < 2 && !w.anyBad(e):
		e.retried++ // what keeps failing is then given up
		return w.file(e, reconciler.Request{Do: reconciler.DoResume})
	}
	if n := slices.IndexFunc(seen.Held, func(t reconciler.Trouble) bool { return strings.Contains(t.Reason, "held by ann: until bob is back") }); n >= 0 {
		return w.endHolds()
	}
	edit := gitstore.Edit{}
	for _, t := range seen.Held {
		k := t.Key
		if live, there := e.platform.Get(k); there {
			edit[e.path(k)] = yamlOf(live)
		} else {
			maps.Copy(edit, w.without(e, k))
		}
	}
	return w.commit(edit, "%s: as it is live, because it is held: %v", e.name, seen.Held[0].Reason)
}

// endHolds cancels what holds pull requests that are merged by now.
func (w *world) endHolds() bool {
	merged, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Merged})
	must(err)
	for _, p := range merged {
		if isFeature(p.Head) {
			w.say(p, "/cancel")
		}
	}
	return true
}

func (w *world) anyBad(e *env) bool {
	for _, s := range w.want(w.head(), e).spec {
		if bad(s) {
			return true
		}
	}
	return false
}

// lookWriting is what a pass in the environment's own mode would hold.
func (w *world) lookWriting(e *env) (reconciler.Report, error) {
	r := w.operatorIn(e.p.Mode)
	return r.Look(ctx, e.name)
}

// resume answers a halt after looking, and a lost state by rebuilding it.
func (w *world) resume(e *env) bool {
	r := w.operator()
	seen, err := r.Look(ctx, e.name)
	if !errors.Is(err, reconciler.ErrHalted) || seen.Halt == nil {
		return false
	}
	if seen.Halt.Cause == "state" {
		live := w.refs()[e.liveRef()]
		_, err := r.Rebuild(ctx, e.name)
		w.logf("%s: ann rebuilds the state: %v", e.name, err)
		if err == nil {
			e.check.stateRebuilt(live)
			w.note("states rebuilt")
		}
		return err == nil
	}
	return w.file(e, reconciler.Request{Do: reconciler.DoResume, Detail: seen.Halt.Detail})
}

// unsettled says in what the three sides do not agree; empty when they do.
func (w *world) unsettled() string {
	for _, e := range w.envs {
		if why := e.unsettled(); why != "" {
			return e.name + ": " + why
		}
	}
	pulls, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	must(err)
	if len(pulls) > 0 {
		return fmt.Sprintf("pull request #%d is still open", pulls[0].Number)
	}
	return ""
}

func (e *env) unsettled() string {
	w, refs := e.w, e.w.refs()
	live := newTree()
	for k, s := range e.platform.State() {
		live.set(k, s)
	}
	for _, side := range []struct {
		name string
		tree *tree
	}{
		{"Git", w.want(refs[mainRef], e)},
		{"the live branch", w.tree(refs[e.liveRef()], "")},
		{"base", w.tree(refs[e.stateRef()], "base")},
	} {
		if !maps.Equal(side.tree.text, live.text) {
			return fmt.Sprintf("%s says %v and the platform %v", side.name, side.tree.text, live.text)
		}
	}
	for k, s := range w.want(refs[mainRef], e).spec {
		if s["c"] != nil && live.spec[k]["c"] != s["c"] { // which texts leave out
			return fmt.Sprintf("Git says c = %v of %s and the platform %v", s["c"], k, live.spec[k]["c"])
		}
	}
	if e.p.Windows && e.check.held > 0 {
		return "something waits for a window"
	}
	if e.check.now().journal.Phase != "" {
		return "a deployment is still open"
	}
	return ""
}
