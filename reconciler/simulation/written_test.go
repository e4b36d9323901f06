package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// applied checks what a daemon has just written to the platform.
func (c *checker) applied(owner string, ch resource.Change, before map[resource.Key]resource.Spec, err error) {
	if !c.changed(before) {
		return
	}
	if err != nil && !isLost(err) {
		c.w.fail("2 compare and set", "%s %s was refused (%v) and yet done", ch.Action(), ch.Key(), err)
	}
	c.holds(owner, "write of "+ch.Key().String(), true)
	c.w.note("writes")
	if c.e.p.Mode == reconciler.Observe {
		c.w.fail("observe never writes", "%s %s", ch.Action(), ch.Key())
	}
	c.overwritten(ch, before)
	c.permitted(ch)
	c.decided(ch, before)
	c.written(ch, before)
	if ch.Before != nil {
		c.fought(ch.Before.Key, before[ch.Before.Key])
	}
}

func isLost(err error) bool { return strings.Contains(err.Error(), "reset by peer") }

func (c *checker) changed(before map[resource.Key]resource.Spec) bool {
	after := c.e.platform.State()
	if len(before) != len(after) {
		return true
	}
	for k, s := range before {
		if now, there := after[k]; !there || !resource.Equal(s, now) {
			return true
		}
	}
	return false
}

// landed checks a write that was done after its time-out. Where the platform has no versions, nothing guards it.
func (c *checker) landed(l mem.Landing, before map[resource.Key]resource.Spec) {
	if l.Err == nil && c.e.p.Versions {
		c.overwritten(l.Change, before)
	}
}

// overwritten checks promises 1 and 2.
func (c *checker) overwritten(ch resource.Change, before map[resource.Key]resource.Spec) {
	after := c.e.platform.State()
	for k, spec := range before {
		if now, there := after[k]; there && resource.Equal(spec, now) {
			continue
		}
		if k != ch.Key() && c.follows(ch, k, spec, after[k]) {
			continue
		}
		if ch.Before == nil || ch.Before.Key != k || !resource.Equal(ch.Before.Spec, spec) {
			c.w.fail("2 nothing unseen is overwritten", "%s was %s, not what was decided on", k, resource.Text(spec))
		}
		if who := c.writer(k, spec); who != "driftback" && !c.inLive[k][textOf(spec)] && !c.inGit(k, textOf(spec)) {
			c.w.fail("1 nothing seen is lost", "%s = %s, typed by %s, is overwritten and not in Git", k, resource.Text(spec), who)
		}
	}
}

// inGit reports whether main ever said this of the object.
func (c *checker) inGit(k resource.Key, text string) bool {
	return slices.ContainsFunc(c.w.mains, func(m mainTip) bool { return c.w.want(m.id, c.e).text[k] == text })
}

// follows reports whether an object changed only in its references to what was renamed or deleted, as platforms see to.
func (c *checker) follows(ch resource.Change, k resource.Key, was, is resource.Spec) bool {
	if ch.Key().Kind != skillKind || k.Kind != thingKind || is == nil {
		return false
	}
	for _, f := range []string{"a", "b", "password"} {
		if was[f] != is[f] {
			return false
		}
	}
	return true
}

// twinned checks that driftback does not make a second object of a name, where names need not be unique.
func (c *checker) twinned(ch resource.Change) {
	c.w.fail("4 twice is once", "%s %s made a second one", ch.Action(), ch.Key())
}

// activated checks that an activation belongs to a deployment.
func (c *checker) activated(owner string) {
	c.holds(owner, "activation", true)
	if p := c.now().journal.Phase; !c.taken() && p != "intent" && p != "undo" {
		c.w.fail("6 one path to production", "activation without a journalled intent")
	}
}

// permitted checks that nothing is written before the first import is over, while writing is suspended, to what
// is protected, nor after history was rewritten until somebody resumes.
func (c *checker) permitted(ch resource.Change) {
	s := c.now()
	if s.id.IsZero() {
		return // lost since
	}
	if !s.seen.Adopted {
		c.w.fail("the first pass never writes", "%s %s before the first import was merged", ch.Action(), ch.Key())
	}
	commit, err := gitstore.ParseID(s.journal.Commit)
	if err != nil {
		return // told by written
	}
	last := c.decidedOn(s.journal.Started)
	if last.id.IsZero() || c.askedSince(last.since) || c.lostAfter(last.since) {
		return
	}
	if ok, err := c.w.store.IsAncestor(last.id, commit); err == nil && !ok {
		c.w.fail("rewritten history holds", "%s %s: %.7s does not descend from %.7s, which was decided on before", ch.Action(), ch.Key(), commit, last.id)
	}
}

// askedFor reports whether people ever asked for it.
func (c *checker) askedFor(do string) bool {
	return slices.ContainsFunc(c.asked, func(a asking) bool { return a.q.Do == do })
}

// askedSince reports whether people asked for anything by command since.
func (c *checker) askedSince(t time.Time) bool {
	return slices.ContainsFunc(c.asked, func(a asking) bool { return !a.at.Before(t) })
}

// writer tells who gave the object this value.
func (c *checker) writer(k resource.Key, spec resource.Spec) string {
	for _, v := range slices.Backward(c.e.platform.History(k)) {
		if v.Spec != nil && resource.Equal(v.Spec, spec) {
			return v.Who
		}
	}
	return "nobody"
}

// written checks that the new value is what the commit under deployment says, field by field;
// fields of live's own may stay.
func (c *checker) written(ch resource.Change, before map[resource.Key]resource.Spec) {
	j := c.now().journal
	if c.taken() {
		return
	}
	if j.Phase != "intent" && j.Phase != "undo" {
		c.w.fail("6 one path to production", "write of %s without a journalled intent", ch.Key())
		return
	}
	id, err := gitstore.ParseID(j.Commit)
	if err != nil {
		c.w.fail("6 one path to production", "the journal names no commit: %v", err)
		return
	}
	if !c.w.ancestor(id, c.w.head()) && len(c.w.rewrote) == 0 {
		c.w.fail("6 one path to production", "deployed commit %.7s is not of the tracked branch", j.Commit)
	}
	if j.Phase == "undo" {
		return
	}
	want := c.w.want(id, c.e)
	if ch.After == nil || ch.Action() == resource.Rename {
		if v, there := want.text[ch.Before.Key]; there || want.unknown[ch.Before.Key] {
			c.w.fail("3 absence is not deletion", "%s is deleted while Git says %s", ch.Before.Key, v)
		}
	}
	if c.w.isBroken(id, c.e) && ch.After == nil && ch.Key().Kind == thingKind {
		c.w.fail("3 absence is not deletion", "%s is deleted while a file of its kind cannot be read", ch.Key())
	}
	c.ruled(ch, id)
	c.left(ch, before, want)
	if ch.After == nil {
		return
	}
	git := want.spec[ch.After.Key]
	var was resource.Spec
	if ch.Before != nil {
		was = before[ch.Before.Key]
	}
	for f, v := range ch.After.Spec {
		if !resource.Equal(git[f], v) && (was == nil || !resource.Equal(was[f], v) && !mergedSet(git[f], was[f], v)) {
			c.w.fail("6 one path to production", "%s.%s = %v stands neither in Git nor on the platform", ch.After.Key, f, v)
		}
	}
}

// left checks that operational fields are left alone, and fields that an older version of the program did not know until Git names them.
// A kind of which anything in Git or base has the field is known to have it.
func (c *checker) left(ch resource.Change, before map[resource.Key]resource.Spec, want *tree) {
	if ch.Before == nil || ch.After == nil {
		return
	}
	was, git := before[ch.Before.Key], want.spec[ch.After.Key]
	if !resource.Equal(was["busy"], ch.After.Spec["busy"]) {
		c.w.fail("operational fields are left alone", "%s: %v becomes %v", ch.Key(), was["busy"], ch.After.Spec["busy"])
	}
	base := c.w.tree(c.now().id, "base").spec[ch.Before.Key]
	_, typed, _ := c.typed(ch.Before.Key, "c")
	for _, s := range []map[resource.Key]resource.Spec{want.spec, c.w.tree(c.now().id, "base").spec} {
		for _, other := range s {
			if other["c"] != nil {
				return // what a kind is known to have is no news
			}
		}
	}
	if !c.named.Before(c.unknowing) {
		return // nor is what it was known to have when the older version ended
	}
	if was["c"] != nil && git["c"] == nil && base["c"] == nil && ch.After.Spec["c"] != was["c"] && typed.Before(c.e.learnt) && typed.After(c.e.aged) && c.unknowing.After(c.e.aged) && !c.lostAfter(c.e.learnt) {
		c.w.fail("what an older version did not know is left alone", "%s.c: %v becomes %v", ch.Key(), was["c"], ch.After.Spec["c"])
	}
}

// mergedSet reports whether a value is a set of which each element stands on one of the sides, as sets are merged.
func mergedSet(git, live, v any) bool {
	set, ok := v.([]any)
	if !ok {
		return false
	}
	a, _ := git.([]any)
	b, _ := live.([]any)
	for _, x := range set {
		is := func(y any) bool { return resource.Equal(x, y) }
		if !slices.ContainsFunc(a, is) && !slices.ContainsFunc(b, is) {
			return false
		}
	}
	return true
}

// ruled checks that what the rules protect or ignore is left alone.
func (c *checker) ruled(ch resource.Change, commit gitstore.ID) {
	rules := c.w.rules(commit)
	for _, r := range []*resource.Resource{ch.Before, ch.After} {
		switch {
		case r == nil:
		case strings.HasPrefix(rules, "protect") && r.Key == thing(1) && !c.askedFor(reconciler.DoOverride):
			c.w.fail("protected objects are left alone", "%s %s", ch.Action(), ch.Key())
		case strings.Contains(rules, "thing/o3") && r.Key == thing(3):
			c.w.fail("ignored objects are left alone", "%s %s", ch.Action(), ch.Key())
		}
	}
	if ch.Before != nil && ch.After != nil && ch.Before.Key == ch.After.Key && c.ignoresB(commit, ch.Key()) && ch.Before.Spec["b"] != ch.After.Spec["b"] {
		c.w.fail("ignored fields are left alone", "%s: %v becomes %v", ch.Key(), ch.Before.Spec["b"], ch.After.Spec["b"])
	}
}
