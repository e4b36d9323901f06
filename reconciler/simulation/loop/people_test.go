package loop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/gitstore/forge/local"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

var ctx = context.Background()

func (w *world) fresh() string { w.values++; return fmt.Sprint("v", w.values) }

func thing(n int) resource.Key { return resource.Key{Kind: kind, Name: fmt.Sprint("o", n)} }

// begin fills the platform, and Git with an empty commit or with the same.
func (w *world) begin() {
	n := []int{3, 1, 5}[w.t.pick(3)]
	e := gitstore.Edit{"README.md": []byte("configuration\n")}
	inGit := w.t.pick(2) == 1
	for i := range n {
		s := resource.Spec{"a": w.fresh(), "b": w.fresh()}
		must(w.platform.Put(thing(i), s, "bob"))
		if inGit {
			e[gitPath(thing(i))] = text(s)
		}
	}
	c, err := w.store.Commit(ctx, mainRef, gitstore.ID{}, e, gitstore.Signature{Name: "ann", When: w.now}, "begin")
	must(err)
	w.logf("ann: main begins at %.7s with %d of %d objects", c.ID, len(e)-1, n)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func gitPath(k resource.Key) string {
	return "environments/" + envName + "/" + string(k.Kind) + "/" + k.Name + ".yaml"
}

func text(s resource.Spec) []byte {
	var b strings.Builder
	for _, f := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s: %s\n", f, s[f])
	}
	return []byte(b.String())
}

// human is one move of a person.
func (w *world) human() {
	switch w.t.pick(12) {
	case 0, 1:
		w.handEdit()
	case 2:
		w.handMake()
	case 3:
		w.handDelete()
	case 4:
		w.handRename()
	case 5, 6:
		w.commitEdit()
	case 7:
		w.commitOther()
	case 8, 9:
		w.review()
	case 10:
		w.revertHead()
	case 11:
		w.rare()
	}
	w.refs() // the checker takes note of main
}

func (w *world) some() (resource.Key, resource.Spec, bool) {
	state := w.platform.State()
	ks := sortedKeys(state)
	if len(ks) == 0 {
		return resource.Key{}, nil, false
	}
	k := ks[w.t.pick(len(ks))]
	return k, state[k], true
}

func (w *world) handEdit() {
	k, s, ok := w.some()
	if !ok {
		return
	}
	s = s.Clone()
	s[[]string{"a", "b"}[w.t.pick(2)]] = w.fresh()
	must(w.platform.Put(k, s, "bob"))
	w.stat["hand edits"]++
	w.logf("bob: edits %s by hand: %s", k, resource.Text(s))
}

func (w *world) handMake() {
	k := thing(w.t.pick(8))
	if _, there := w.platform.Get(k); there {
		return
	}
	must(w.platform.Put(k, resource.Spec{"a": w.fresh()}, "bob"))
	w.stat["hand edits"]++
	w.logf("bob: makes %s by hand", k)
}

func (w *world) handDelete() {
	if k, _, ok := w.some(); ok {
		must(w.platform.Delete(k, "bob"))
		w.stat["hand edits"]++
		w.logf("bob: deletes %s by hand", k)
	}
}

func (w *world) handRename() {
	k, _, ok := w.some()
	to := thing(w.t.pick(8))
	if _, there := w.platform.Get(to); !ok || there {
		return
	}
	must(w.platform.Rename(k, to, "bob"))
	w.stat["hand edits"]++
	w.logf("bob: renames %s to %s by hand", k, to)
}

func (w *world) commit(e gitstore.Edit, msg string) {
	head := w.refs()[mainRef]
	c, err := w.store.Commit(ctx, mainRef, head, e, gitstore.Signature{Name: "ann", When: w.now}, msg)
	must(err)
	w.stat["commits"]++
	w.logf("ann: %s → %.7s", msg, c.ID)
}

func (w *world) commitEdit() {
	k := thing(w.t.pick(8))
	head := w.refs()[mainRef]
	s := resource.Spec{}
	if f, ok, err := w.store.File(head, gitPath(k)); err == nil && ok {
		s = w.spec(f.ID)
	}
	s[[]string{"a", "b"}[w.t.pick(2)]] = w.fresh()
	w.commit(gitstore.Edit{gitPath(k): text(s)}, fmt.Sprintf("set %s %s", k, resource.Text(s)))
}

func (w *world) spec(blob gitstore.ID) resource.Spec {
	b, err := w.store.Blob(blob, 0)
	must(err)
	s := resource.Spec{}
	for line := range strings.Lines(string(b)) {
		if f, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			s[f] = v
		}
	}
	return s
}

func (w *world) commitOther() {
	head := w.refs()[mainRef]
	have := sortedKeys(w.tree(head, "environments/"+envName))
	switch {
	case w.t.pick(3) == 0 || len(have) == 0:
		w.commit(gitstore.Edit{"README.md": []byte(w.fresh())}, "write about it")
	case w.t.pick(2) == 0:
		k := have[w.t.pick(len(have))]
		w.commit(gitstore.Edit{gitPath(k): nil}, "remove "+k.String())
	default:
		k, to := have[w.t.pick(len(have))], thing(w.t.pick(8))
		if slices.Contains(have, to) {
			return
		}
		f, _, err := w.store.File(head, gitPath(k))
		must(err)
		w.commit(gitstore.Edit{gitPath(k): nil, gitPath(to): text(w.spec(f.ID))}, fmt.Sprintf("rename %s to %s", k, to))
	}
}

// revertHead is git revert of the newest commit.
func (w *world) revertHead() {
	head := w.refs()[mainRef]
	c, err := w.store.CommitAt(head)
	must(err)
	if len(c.Parents) == 0 {
		return
	}
	m, err := w.store.Revert(head, head, min(len(c.Parents)-1, 1))
	must(err)
	if len(m.Conflicts) == 0 && len(m.Edit) > 0 {
		w.stat["reverts"]++
		w.commit(m.Edit, fmt.Sprintf("revert %.7s", head))
	}
}

// review is what a reviewer does with an open pull request.
func (w *world) review() {
	pulls, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	must(err)
	if len(pulls) == 0 {
		return
	}
	p := pulls[w.t.pick(len(pulls))]
	switch w.t.pick(6) {
	default:
		w.merge(p)
	case 3:
		_, err := w.forge.Close(ctx, p.Number)
		must(err)
		w.stat["rejections"]++
		w.logf("ann: closes #%d", p.Number)
	case 4, 5:
		w.editPull(p)
	}
}

func (w *world) merge(p forge.Pull) bool {
	how := []local.Method{local.ByMerge, local.BySquash, local.ByRebase}[w.t.pick(3)]
	_, err := w.forge.MergeWith(ctx, p.Number, local.MergeOptions{Method: how})
	w.logf("ann: merges #%d (%s): %v", p.Number, how, err)
	w.stat["merges"]++
	return err == nil
}

// editPull pushes a commit onto the drift branch: another value for an object, or the one that main has.
func (w *world) editPull(p forge.Pull) {
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
		return
	}
	at := paths[w.t.pick(len(paths))]
	e := gitstore.Edit{at: text(resource.Spec{"a": w.fresh()})}
	if w.t.pick(2) == 1 {
		e = gitstore.Edit{at: nil}
		if f, ok, err := w.store.File(refs[mainRef], at); err == nil && ok {
			b, err := w.store.Blob(f.ID, 0)
			must(err)
			e[at] = b
		}
	}
	c, err := w.store.Commit(ctx, ref, tip, e, gitstore.Signature{Name: "ann", When: w.now}, "reviewed")
	must(err)
	w.stat["edited pulls"]++
	w.reviewed[at] = w.now
	w.logf("ann: edits %s in #%d → %.7s", at, p.Number, c.ID)
	if w.t.pick(2) == 0 {
		w.merge(p)
	}
}

func (w *world) rare() {
	switch w.t.pick(4) {
	case 0:
		w.request(reconciler.DoRevert)
	case 1:
		w.request(reconciler.DoAccept)
	case 2:
		w.rewrite()
	case 3:
		w.resume()
	}
}

// operator is the command line: it files requests like any other process.
func (w *world) operator() *reconciler.Reconciler {
	r, err := reconciler.New(reconciler.Config{
		Store: w.store, Forge: w.forge, Clock: steady{w}, Owner: "cli", Jitter: func() float64 { return 0 },
		Environments: []reconciler.Environment{{Name: envName, Platform: &plainPlatform{w.platform.Driver()}, Mode: reconciler.Observe}},
	})
	must(err)
	return r
}

// steady is a clock that does not wait.
type steady struct{ w *world }

func (s steady) Now() time.Time                             { return s.w.now }
func (s steady) Sleep(context.Context, time.Duration) error { return nil }

// request asks to accept or revert one drifted object, as it is at this moment.
func (w *world) request(do string) {
	r := w.operator()
	seen, err := r.Look(ctx, envName)
	if err != nil {
		return
	}
	var drift []reconciler.Item
	for _, it := range seen.Items {
		if it.Verdict == reconciler.Record || it.Verdict == reconciler.Conflict {
			drift = append(drift, it)
		}
	}
	if len(drift) == 0 {
		return
	}
	it := drift[w.t.pick(len(drift))]
	keys := map[resource.Key]resource.Hash{it.Key: it.Live}
	if !it.Partner.IsZero() {
		for _, other := range drift {
			if other.Key == it.Partner {
				keys[other.Key] = other.Live
			}
		}
	}
	if err := r.File(ctx, envName, reconciler.Request{Do: do, Keys: keys, By: "ann"}); err != nil {
		return // nothing was ever observed yet
	}
	w.stat["requests"]++
	w.check.asked = append(w.check.asked, w.now)
	w.logf("ann: asks to %s %v", do, sortedKeys(keys))
}

// rewrite is a force-push of main to its parent.
func (w *world) rewrite() {
	head := w.refs()[mainRef]
	c, err := w.store.CommitAt(head)
	must(err)
	if len(c.Parents) == 0 {
		return
	}
	must(w.store.Push(ctx, gitstore.Update{Ref: mainRef, Old: head, New: c.Parents[0]}))
	w.check.reject["rewrites"]++
	w.stat["rewrites"]++
	w.logf("ann: FORCE-PUSHES main to %.7s", c.Parents[0])
}

// resume answers a halt after looking.
func (w *world) resume() bool {
	r := w.operator()
	seen, err := r.Look(ctx, envName)
	if !errors.Is(err, reconciler.ErrHalted) || seen.Halt == nil {
		return false
	}
	must(r.File(ctx, envName, reconciler.Request{Do: reconciler.DoResume, Detail: seen.Halt.Detail, By: "ann"}))
	w.check.asked = append(w.check.asked, w.now)
	w.logf("ann: resumes: %s", seen.Halt.Reason)
	return true
}
