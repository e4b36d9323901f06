package simulation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

// This file has the developers: pull requests of their own, and what people ask for in comments.

// maxFeatures bounds how many pull requests of developers are open.
const maxFeatures = 3

func isFeature(branch string) bool { return strings.HasPrefix(branch, "feature/") }

// features are the developers' open pull requests.
func (w *world) features() []forge.Pull {
	pulls, err := w.forge.Pulls(ctx, forge.Filter{State: forge.Open})
	must(err)
	return slices.DeleteFunc(pulls, func(p forge.Pull) bool { return !isFeature(p.Head) })
}

// proposal is an edit as developers propose it: of an object of one environment, or of one that all share.
func (w *world) proposal(e *env, at gitstore.ID) (edit gitstore.Edit, what string) {
	k := w.someName()
	if w.t.pick(4) == 3 {
		s := w.vary(k, w.tree(at, "shared").spec[k])
		return gitstore.Edit{sharedPath(k): yamlOf(s)}, fmt.Sprintf("shared %s %s", k, resource.Text(s))
	}
	s := w.vary(k, w.want(at, e).spec[k])
	return gitstore.Edit{e.path(k): yamlOf(s)}, fmt.Sprintf("%s: %s %s", e.name, k, resource.Text(s))
}

func (w *world) openPull(e *env) bool {
	if len(w.features()) >= maxFeatures {
		return false
	}
	w.branches++
	branch, head := fmt.Sprint("feature/", w.branches), w.head()
	edit, what := w.proposal(e, head)
	c := w.commitOnto(head, edit, what)
	must(w.store.Push(ctx, gitstore.Update{Ref: "refs/heads/" + branch, New: c}))
	p, err := w.forge.EnsurePull(ctx, forge.Pull{Head: branch, Base: "main", Title: what, State: forge.Open})
	must(err)
	w.logf("ann: opens #%d: %s → %.7s", p.Number, what, c)
	return true
}

func (w *world) commitOnto(head gitstore.ID, edit gitstore.Edit, what string) gitstore.ID {
	c, err := w.store.Write(head, []gitstore.ID{head}, edit, gitstore.Signature{Name: "ann", When: w.now}, what)
	must(err)
	return c.ID
}

// pushPull adds a commit to a developer's pull request.
func (w *world) pushPull(e *env) bool {
	open := w.features()
	if len(open) == 0 {
		return false
	}
	p := choose(w, open...)
	ref := "refs/heads/" + p.Head
	tip := w.refs()[ref]
	edit, what := w.proposal(e, tip)
	c := w.commitOnto(tip, edit, what)
	must(w.store.Push(ctx, gitstore.Update{Ref: ref, Old: tip, New: c}))
	w.logf("ann: pushes to #%d: %s → %.7s", p.Number, what, c)
	return true
}

// rebasePull puts what a developer's pull request changes on top of main, as a force-push.
func (w *world) rebasePull(*env) bool {
	open := w.features()
	if len(open) == 0 {
		return false
	}
	p := choose(w, open...)
	refs := w.refs()
	ref := "refs/heads/" + p.Head
	tip, head := refs[ref], refs[mainRef]
	base, err := w.store.MergeBase(head, tip)
	must(err)
	edit := gitstore.Edit{}
	must(w.store.Diff(base, tip, "", func(d gitstore.Delta) error {
		edit[d.Path] = nil
		if d.New.ID.IsZero() {
			return nil
		}
		b, err := w.store.Blob(d.New.ID, 0)
		edit[d.Path] = b
		return err
	}))
	c := w.commitOnto(head, edit, p.Title)
	must(w.store.Push(ctx, gitstore.Update{Ref: ref, Old: tip, New: c}))
	w.logf("ann: rebases #%d → %.7s", p.Number, c)
	return true
}

// comment asks for something in a comment on a pull request.
func (w *world) comment(e *env) bool {
	p, ok := w.somePull()
	if !ok {
		return false
	}
	object := w.someName().String()
	ask := choose(w, "/drift accept", "/drift revert", "/drift accept "+object, "/drift revert "+object, "/drift ignore "+object+" until 1h", "/why "+object)
	if isFeature(p.Head) {
		ask = choose(w, "/plan", "/hold until bob is back", "/cancel", "/apply", "/why "+object, "/help", "/rolback")
	}
	if w.t.pick(8) == 7 {
		ask = fmt.Sprintf("/rollback %.10s", choose(w, w.mains...).id)
	}
	return w.say(p, ask)
}

func (w *world) say(p forge.Pull, ask string) bool {
	said, err := w.forge.Comment(ctx, p.Number, ask)
	must(err)
	event, err := strconv.Atoi(said.ID)
	must(err)
	w.logf("ann: says %s on #%d", ask, p.Number)
	if strings.HasSuffix(ask, "until 1h") {
		w.ignored = append(w.ignored, w.now.Add(time.Hour))
	}
	for verb, do := range map[string]string{
		"/drift accept": reconciler.DoAccept, "/drift revert": reconciler.DoRevert, "/drift ignore": reconciler.DoIgnore,
		"/apply": reconciler.DoOverride, "/rollback": reconciler.DoRollback,
	} {
		if strings.HasPrefix(ask, verb) {
			for _, e := range w.envs {
				a := asking{at: w.now, q: reconciler.Request{Do: do}, event: event}
				if envOfBranch(p.Head) == e.name {
					a.head = p.HeadID
				}
				e.check.asked = append(e.check.asked, a)
			}
		}
	}
	return true
}

// robot is somebody else's machine, which makes an object what it thinks it should be, again and again.
func (w *world) robot(e *env) bool {
	k, s, ok := e.some()
	if !ok || s["password"] != nil {
		return false
	}
	a := w.fresh()
	w.logf("%s: a robot begins to keep %s at %s", e.name, k, a)
	for i := range 4 + w.t.pick(30) {
		w.after(time.Duration(i*40)*time.Second, e.name+": the robot looks at "+k.String(), func() {
			s, there := e.platform.Get(k)
			if w.quiet || !there || s["a"] == a {
				return
			}
			s = s.Clone()
			s["a"] = a
			_ = w.hand(e, e.platform.Put(k, s, "robot"), "keeps %s: %s, by a robot,", k, resource.Text(s))
		})
	}
	return true
}

// fought checks that driftback does not go on and on against somebody else.
func (c *checker) fought(k resource.Key, before resource.Spec) {
	if who := c.writer(k, before); before == nil || who == "driftback" {
		return
	}
	since := c.w.now.Add(-20 * time.Minute)
	if c.lostAfter(since) {
		return
	}
	if c.over[k] == nil {
		c.over[k] = map[string]time.Time{}
	}
	c.over[k][c.now().journal.ID] = c.w.now // one that is cut off writes again
	n := 0
	for _, t := range c.over[k] {
		if t.After(since) && !c.askedSince(t) {
			n++
		}
	}
	if n > 7 {
		c.w.fail("fights end", "%s was written %d times over somebody else's changes within 20 minutes", k, n)
	}
}

// shown checks a text that goes to the forge.
func (w *world) shown(where string, texts ...string) {
	for _, t := range texts {
		if strings.Contains(t, canary) {
			w.fail("8 no secret", "%s shows what was typed as a password", where)
		}
	}
}

// told checks, when all is quiet, that the forge says how everything ended.
func (w *world) told() {
	for _, e := range w.envs {
		if len(e.check.lost) > 0 {
			continue // with the state went what was still to be said
		}
		deployments, err := w.forge.Deployments(context.Background(), e.name)
		must(err)
		for _, d := range deployments {
			if d.State == "in_progress" || d.State == "queued" {
				w.fail("the forge is told how it ended", "deployment %s of %s is still %s", d.ID, e.name, d.State)
			}
		}
	}
}
