package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
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
		if e.tellsRunning() {
			must(e.platform.Activate())
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

// A move is something that people, operators or the weather may do. often says how much more than others.
type move struct {
	name  string
	often int
	do    func(*world, *env) bool
}

// moves are all of them by generation, the simplest first.
var moves = [][]move{{
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
}, {
	{"developer's pull request", 3, (*world).openPull},
	{"developer's next commit", 1, (*world).pushPull},
	{"developer's rebase", 1, (*world).rebasePull},
	{"command in a comment", 3, (*world).comment},
	{"fight", 1, (*world).robot},
	{"another version", 1, (*world).changeVersion},
	{"forge refuses all", 1, (*world).limitForge},
	{"main is protected", 1, (*world).protectMain},
}, {
	{"activation by hand", 1, (*world).activate},
	{"change in memory", 3, (*world).poke},
}}

// human is one move.
func (w *world) human() {
	all, total := slices.Concat(moves[:min(w.t.generation, len(moves))]...), 0
	for _, m := range all {
		total += m.often
	}
	n := w.t.pick(total)
	e := choose(w, w.envs...)
	for _, m := range all {
		if n -= m.often; n < 0 {
			if m.do(w, e) {
				w.note("move: " + m.name)
			}
			break
		}
	}
	if e.tellsRunning() && w.t.pick(3) < 2 {
		w.activate(e)
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
	switch {
	case k.Kind == skillKind:
		n = 2
	case w.t.generation > 1:
		n = 6
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
	case 4:
		s["busy"] = w.fresh()
	case 5:
		s["c"] = w.fresh()
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
	done := w.hand(e, e.platform.Rename(k, to, "bob"), "renames %s to %s", k, to)
	if done && e.p.IDs {
		w.renamed[k], w.renamed[to] = true, true
	}
	return done
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
	return w.commit(gitstore.Edit{at: []byte(unparsable)}, "%s: a file that does not parse", e.name)
}

const unparsable = "a: [\n"

// isBroken reports whether the file is there, and nobody has made another one of it since.
func (w *world) isBroken(commit gitstore.ID, e *env) bool {
	f, there, err := w.store.File(commit, e.broken())
	if err != nil || !there {
		return false
	}
	b, err := w.store.Blob(f.ID, 0)
	return err == nil && string(b) == unparsable
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
