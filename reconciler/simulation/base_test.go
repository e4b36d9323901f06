package simulation

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

// This file checks the five rules by which base moves: that each is followed where it applies, and that
// nothing else moves base.

// stateMoved checks what a daemon wrote down.
func (c *checker) stateMoved(from, to gitstore.ID) {
	old, now := c.stateOf(from), c.stateOf(to)
	c.state = now
	c.noteDeployment(old, now)
	if now.seen.Descriptors[thingKind] != old.seen.Descriptors[thingKind] && c.e.old {
		c.unknowing = c.w.now
	}
	was, is := c.w.tree(from, "base"), c.w.tree(to, "base")
	live := c.w.tree(c.ownLive(), "")
	want := c.w.want(now.seen.Head, c.e)
	for _, k := range union(was.spec, is.spec) {
		if was.text[k] == is.text[k] {
			continue
		}
		why := c.explain(old, now, k, is, want, live)
		if why == "" {
			c.w.fail("base moves by the five rules only", "base of %s becomes %q, from %q; Git says %q and live %q", k, is.text[k], was.text[k], want.text[k], live.text[k])
		}
		c.w.note(why)
	}
	c.mustHaveMoved(old, now, was, is, want, live)
	c.noteBase(is)
	for _, t := range []*tree{is, want} {
		for _, s := range t.spec {
			if s["c"] != nil {
				c.named = c.w.now
			}
		}
	}
	if n := len(c.heads); n == 0 || c.heads[n-1].id != now.seen.Head {
		c.heads = append(c.heads, mainTip{now.seen.Head, c.w.now})
		c.knew = append(c.knew, liveAt{c.ownLive(), now.seen.Born})
	}
}

// stateRebuilt takes a state for what it is that an operator rebuilt, on an older live branch.
func (c *checker) stateRebuilt(live gitstore.ID) {
	c.lost = append(c.lost, c.w.now) // up to now it knew nothing
	c.state = stateAt{}
	c.liveMoved(live, c.w.refs()[c.e.liveRef()])
	c.noteBase(c.w.tree(c.now().id, "base"))
}

// noteBase takes note of the values that base has.
func (c *checker) noteBase(base *tree) {
	for k, v := range base.text {
		if c.had[k] == nil {
			c.had[k] = map[string]time.Time{}
		}
		if _, ok := c.had[k][v]; !ok {
			c.had[k][v] = c.w.now
		}
	}
}

// noteDeployment takes note of when deployments are under way, and checks those that begin.
func (c *checker) noteDeployment(old, now stateAt) {
	last := len(c.busy) - 1
	open := last >= 0 && c.busy[last].to.IsZero()
	switch {
	case now.journal.Phase != "" && !open:
		c.busy = append(c.busy, span{from: c.w.now})
		c.begins(old, now)
	case now.journal.Phase == "" && open:
		c.busy[last].to = c.w.now
		if old.journal.Phase == "undo" {
			c.w.note("deployments undone")
		} else {
			c.w.note("deployments")
		}
	}
}

// ownLive is the newest commit of the live branch that driftback made.
func (c *checker) ownLive() gitstore.ID {
	at := c.w.refs()[c.e.liveRef()]
	for !at.IsZero() {
		x, err := c.w.store.CommitAt(at)
		must(err)
		if x.Author.Name != "bob" {
			break
		}
		at = gitstore.ID{}
		if len(x.Parents) > 0 {
			at = x.Parents[0]
		}
	}
	return at
}

// begins checks that a deployment may begin.
func (c *checker) begins(old, now stateAt) {
	if old.decisions.Suspended != nil && !c.askedFor(reconciler.DoResume) {
		c.w.fail("suspended is suspended", "deployment %s begins", now.journal.ID)
	}
	c.othersStored(old, now)
	c.withinWindows(now)
	deletes := 0
	base, commit := c.w.tree(now.id, "base"), mustParse(now.journal.Commit)
	want := c.w.want(commit, c.e)
	live := c.w.tree(c.w.refs()[c.e.liveRef()], "")
	for _, s := range now.journal.Steps {
		k := s.After
		if k.Name == "" {
			k = s.Before
			deletes++
		}
		switch b, w, l := base.text[k], want.text[k], live.text[k]; {
		case s.Before.Name != "" && s.After.Name != "" && s.Before != s.After:
			c.w.note("row: deploy a rename")
		case w == b:
			c.w.note("row: enforce what base says")
		case b == "" && l == "":
			c.w.note("row: deploy, only Git (create)")
		case w == "" && b == l:
			c.w.note("row: deploy a deletion")
		case b == l:
			c.w.note("row: deploy")
		case c.e.p.Mode == reconciler.Enforce:
			c.w.note("row: enforce what Git says")
		default:
			c.w.note("row: merge by field")
		}
	}
	if g := c.e.p.Guard; g.Deletes >= 0 && deletes > g.Deletes && !c.askedFor(reconciler.DoOverride) {
		c.w.fail("guards hold", "%d deletions are deployed, and nobody let them pass", deletes)
	}
}

func mustParse(s string) gitstore.ID {
	id, err := gitstore.ParseID(s)
	must(err)
	return id
}

// explain names the rule by which base of k moved; empty if there is none.
func (c *checker) explain(old, now stateAt, k resource.Key, base, want, live *tree) string {
	b := base.text[k]
	switch {
	case c.deployed(old, now, k):
		if commit := mustParse(old.journal.Commit); c.w.want(commit, c.e).text[k] == b {
			if live.text[k] != b {
				return "rule 2: after a merge by field base is want"
			}
			return "rule 1: written, or undone"
		}
		return ""
	case c.requested(old, now, k, reconciler.DoRevert) && b == live.text[k]:
		return "rule 5: reverted by request"
	case c.requested(old, now, k, reconciler.DoTrustGit) && b == live.text[k]:
		return "trust Git"
	case c.closedToRevert(old, now, k) && b == live.text[k]:
		return "rule 5: reverted by closing"
	case c.mergedValue(old, now, k, b):
		return "rule 3: the pull request was merged"
	case want.text[k] == b && (live.text[k] == b || !c.inScope(now, k) && b != ""):
		return "rule 1: both sides agree"
	case want.text[k] == b && c.alike(now.seen.Head, k, want, live):
		return "rule 1: both sides agree but for what rules ignore"
	case c.caughtUp(old, now, k, b):
		return "rule 4: Git caught up with live"
	case c.lostSince(old.id, now):
		return "rebuilt"
	}
	return ""
}

// deployed reports whether this push ends a deployment that changed k.
func (c *checker) deployed(old, now stateAt, k resource.Key) bool {
	if old.journal.Phase == "" || now.journal.Phase != "" {
		return false
	}
	for _, s := range old.journal.Steps {
		if s.Before == k || s.After == k {
			return true
		}
	}
	return false
}

// requested reports whether this push carries out a request about k.
func (c *checker) requested(old, now stateAt, k resource.Key, do string) bool {
	for name, q := range old.requests {
		if _, left := now.requests[name]; q.Do != do || left && len(q.Keys) == 0 {
			continue // one whose objects were seen in part is asked for again
		}
		if do == reconciler.DoTrustGit || len(q.Keys) == 0 {
			return true
		}
		if _, ok := q.Keys[k]; ok || len(q.Keys) > 0 && c.e.p.IDs {
			return true // the other half of a rename goes with it
		}
	}
	from, _ := strconv.Atoi(old.seen.Cursor)
	to, _ := strconv.Atoi(now.seen.Cursor)
	return slices.ContainsFunc(c.asked, func(a asking) bool { return a.q.Do == do && a.event > from && a.event <= to })
}

func (c *checker) closedToRevert(old, _ stateAt, k resource.Key) bool {
	if c.e.p.OnClose != "revert" {
		return false
	}
	for _, p := range c.w.closed {
		if envOfBranch(p.pull.Head) == c.e.name {
			return true
		}
	}
	return false
}

// proposedIn is what a pull request says that live is: the newest commit of ours in its head, against what it was built on.
func (c *checker) proposedIn(head gitstore.ID) (value *tree, base gitstore.ID, ok bool) {
	for at := head; ; {
		x, err := c.w.store.CommitAt(at)
		if err != nil || len(x.Parents) == 0 {
			return nil, base, false
		}
		if x.Author.Name == "driftback" {
			return c.w.want(at, c.e), c.builtOn(at), true
		}
		at = x.Parents[0]
	}
}

// mergedValue reports whether a merged pull request proposed the value, and its merge changed the object.
func (c *checker) mergedValue(_, now stateAt, k resource.Key, value string) bool {
	for _, m := range c.w.merges {
		if envOfBranch(m.pull.Head) != c.e.name || !c.w.ancestor(m.after, now.seen.Head) {
			continue
		}
		proposed, _, ok := c.proposedIn(mustParse(m.pull.HeadID))
		if ok && proposed.text[k] == value {
			return true
		}
	}
	return false
}

// caughtUp reports whether a commit since the last one decided on said the value, and live has had it.
func (c *checker) caughtUp(old, now stateAt, k resource.Key, value string) bool {
	if value != "" && !c.inLive[k][value] {
		return false
	}
	found := false
	err := c.w.store.Log(now.seen.Head, []gitstore.ID{old.seen.Head}, func(x gitstore.Commit) error {
		found = found || c.w.want(x.ID, c.e).text[k] == value
		return nil
	})
	return err == nil && found
}

// inScope reports whether the last reading could have seen k.
func (c *checker) inScope(s stateAt, k resource.Key) bool { return s.seen.Scope.Covers(k) }

// lostSince reports whether the state was lost, so that this is a new beginning.
func (c *checker) lostSince(old gitstore.ID, _ stateAt) bool { return old.IsZero() && len(c.lost) > 0 }

// mustHaveMoved checks that rules are followed where they apply.
func (c *checker) mustHaveMoved(old, now stateAt, was, is, want, live *tree) {
	if old.journal.Phase == "intent" && now.journal.Phase == "" && c.e.p.Mode != reconciler.Observe {
		commit := c.w.want(mustParse(old.journal.Commit), c.e)
		for _, s := range old.journal.Steps {
			if !c.done(s, live, old.journal.Started) || c.e.switched.After(old.journal.Started) {
				continue
			}
			for _, k := range []resource.Key{s.Before, s.After} {
				if k.Name != "" && is.text[k] != commit.text[k] {
					c.w.fail("base after a write is what Git says", "base of %s is %q after a deployment of %q", k, is.text[k], commit.text[k])
				}
			}
		}
	}
	for name, q := range old.requests {
		if _, left := now.requests[name]; left || q.Do != reconciler.DoRevert {
			continue
		}
		for k, h := range q.Keys {
			if s, there := live.spec[k]; there && s["c"] == nil && s.Hash() == h && is.text[k] != live.text[k] && is.text[k] != want.text[k] {
				c.w.fail("a request to revert moves base", "base of %s is %q, and live was %q as asked", k, is.text[k], live.text[k])
			}
		}
	}
	c.mergedMoves(old, now, was, is, want, live)
}

// done reports whether all that a step of a deployment that began then changes is as it says, on the platform and in the live branch, and
// driftback did it. Of an object that had a double since, it could not know.
func (c *checker) done(s stepAt, live *tree, began time.Time) bool {
	for _, k := range []resource.Key{s.Before, s.After} {
		h := live.spec[k].Hash()
		if k.Name != "" && (slices.Contains(c.e.platform.Twins(), k) || c.e.twinned[k].After(began) || !c.stands(k, h) || k == s.After && h != s.To || k != s.After && !h.IsZero()) {
			return false
		}
	}
	return true
}

// stands reports whether the platform has this value at this moment, and driftback was the last to change it.
func (c *checker) stands(k resource.Key, h resource.Hash) bool {
	history := c.e.platform.History(k)
	return len(history) > 0 && history[len(history)-1].Hash == h && history[len(history)-1].Who == "driftback"
}

// mergedMoves is rule 3: base of what a pull request proposed, and its merge changed, is no longer what it was.
func (c *checker) mergedMoves(old, now stateAt, was, is, want, live *tree) {
	if len(c.w.rewrote) > 0 || !c.e.switched.IsZero() {
		return // the merge may be no part of history any more; what was proposed may read otherwise in another version
	}
	for _, pr := range old.seen.Proposals {
		if slices.ContainsFunc(now.seen.Proposals, func(p proposalAt) bool { return p.Branch == pr.Branch && p.Head == pr.Head }) {
			continue
		}
		for _, m := range c.w.merges {
			if !c.w.lagged.Before(m.at) {
				continue // it was still listed as open: a later pass hears of the merge
			}
			if m.pull.Head != pr.Branch || pr.Number != 0 && m.pull.Number != pr.Number || !c.w.ancestor(m.after, now.seen.Head) || c.w.ancestor(m.after, old.seen.Head) {
				continue
			}
			proposed, base, ok := c.proposedIn(mustParse(m.pull.HeadID))
			if !ok || c.lostAfter(m.pull.Created) {
				continue // a state that was rebuilt since knows nothing of it
			}
			built, before, after := c.w.want(base, c.e), c.w.want(m.before, c.e), c.w.want(m.after, c.e)
			for _, k := range union(built.spec, proposed.spec) {
				l := proposed.text[k]
				if built.text[k] == l || before.text[k] == after.text[k] || is.text[k] != was.text[k] || before.unknown[k] || after.unknown[k] {
					continue
				}
				if is.text[k] == "" && len(c.dark) > 0 {
					continue // live may have said that it was gone, and Git as well
				}
				if b := is.text[k]; b != l && b != want.text[k] && b != live.text[k] && !c.caughtUp(old, now, k, b) {
					c.w.fail("a merged pull request moves base", "base of %s stays %q though #%d, which proposed %q, was merged", k, b, m.pull.Number, l)
				}
			}
		}
	}
}

// agreedIsBase is rule 1: what both sides say is base after a pass that read everything.
func (c *checker) agreedIsBase(report reconciler.Report) {
	c.held = len(report.Held)
	s := c.now()
	if !c.w.lagged.Before(report.Started) {
		return // that a pull request was merged is heard of later
	}
	if len(report.Unknown) > 0 || report.Halt != nil || s.journal.Phase != "" || after(c.foreign, report.Started) {
		return
	}
	head := s.seen.Head
	want, live, base := c.w.want(head, c.e), c.w.tree(c.w.refs()[c.e.liveRef()], ""), c.w.tree(s.id, "base")
	for k, v := range want.text {
		if live.text[k] == v && live.spec[k]["c"] == want.spec[k]["c"] && base.text[k] != v && c.inScope(*s, k) && c.since[k].Before(report.Started) && !strings.HasPrefix(c.w.rules(head), "ignore") {
			c.w.fail("what both sides agree on is base", "both say %s = %q, and base is %q", k, v, base.text[k])
		}
	}
}

// mergedSince reports whether one of our pull requests came in since and changed the object: Git says what that said, by rule 3.
func (c *checker) mergedSince(k resource.Key, t time.Time) bool {
	return slices.ContainsFunc(c.w.merges, func(m mergedPull) bool {
		return !m.at.Before(t) && envOfBranch(m.pull.Head) == c.e.name && c.w.want(m.before, c.e).text[k] != c.w.want(m.after, c.e).text[k]
	})
}

// decidedOn is the commit that the daemons had decided on last at a moment, with when that was written down.
func (c *checker) decidedOn(at time.Time) (last mainTip) {
	for _, h := range c.heads {
		if h.since.Before(at) {
			last = h
		}
	}
	return last
}

// knewWhenDecided reports whether the pass that decided first on what Git said at m, if there was one yet, knew that live says v: it may
// not have been able to read the object, and what live said before base was born is no answer.
func (c *checker) knewWhenDecided(k resource.Key, v string, m mainTip) bool {
	i := slices.IndexFunc(c.heads, func(h mainTip) bool { return h.since.After(m.since) && c.w.ancestor(m.id, h.id) })
	if i < 0 {
		return true
	}
	live := c.knew[i]
	return live.born[k] != live.commit && c.w.tree(live.commit, "").text[k] == v
}

// alike reports whether two sides agree but for a field that the rules of a commit ignore.
func (c *checker) alike(commit gitstore.ID, k resource.Key, a, b *tree) bool {
	if !c.ignoresB(commit, k) || a.spec[k] == nil || b.spec[k] == nil {
		return false
	}
	x, y := a.spec[k].Clone(), b.spec[k].Clone()
	delete(x, "b")
	delete(y, "b")
	return textOf(x) == textOf(y)
}

// ignoresB reports whether the rules of a commit ignore field b of the object: see changeRules.
func (c *checker) ignoresB(commit gitstore.ID, k resource.Key) bool {
	return k == thing(2) && strings.Contains(c.w.rules(commit), "fields: [b]")
}

// builtOn walks a drift branch back to the commit of main, present or former, on which it was made: what was merged is a part of main later.
func (c *checker) builtOn(head gitstore.ID) gitstore.ID {
	for at := head; ; {
		x, err := c.w.store.CommitAt(at)
		must(err)
		at = x.Parents[0]
		for _, m := range c.w.mains {
			if !m.since.Truncate(time.Second).After(x.Committer.When) && c.w.ancestor(at, m.id) {
				return at
			}
		}
	}
}

// proposed checks that a drift branch says exactly what the live branch says of what it changes, and nothing
// that Git decided on or that people silenced.
func (c *checker) proposed(head gitstore.ID, began time.Time) {
	refs := c.w.refs()
	base := c.builtOn(head)
	live := c.w.tree(refs[c.e.liveRef()], "")
	was, is := c.w.want(base, c.e), c.w.want(head, c.e)
	for _, k := range union(was.spec, is.spec) {
		v := is.text[k]
		if was.text[k] == v {
			continue
		}
		if v != live.text[k] && !c.alike(base, k, is, live) && !slices.ContainsFunc(c.foreign, func(t time.Time) bool { return !t.Before(began) }) {
			c.w.fail("3 only what live says is proposed", "%s = %q is proposed and the live branch says %q", k, v, live.text[k])
			return
		}
		c.notDecided(k, v, is.spec[k]["c"], began)
	}
	for _, other := range c.w.envs {
		a, b := c.w.want(base, other), c.w.want(head, other)
		if other == c.e {
			continue
		}
		for _, k := range union(a.spec, b.spec) {
			if a.text[k] != b.text[k] {
				c.w.fail("a proposal is about one environment", "what %s says live is would make %s of %s %q", c.e.name, k, other.name, b.text[k])
			}
		}
	}
}

// notDecided is rule 4: a live value that Git has had since live has it, and moved on from, is not proposed again. field is its field c,
// which texts leave out.
func (c *checker) notDecided(k resource.Key, v string, field any, began time.Time) {
	since := c.since[k]
	for _, h := range c.e.platform.History(k) {
		if h.When.After(since) && (h.Spec == nil && v == "" || h.Spec != nil && textOf(h.Spec) == v) {
			since = h.When // typed anew
		}
	}
	if c.lostAfter(since) || after(c.foreign, since) || after(c.w.rewrote, since) || c.wasDark(began) {
		return
	}
	if c.w.renamed[k] {
		return // renamed, and a rename has one fate: what live says of the other name may be new
	}
	for i, m := range c.w.mains {
		if i == 0 || !m.since.After(since) || !m.since.Before(began) || c.w.want(m.id, c.e).text[k] != v || c.w.want(m.id, c.e).spec[k]["c"] != field || c.w.want(c.w.mains[i-1].id, c.e).text[k] == v {
			continue
		}
		if last := c.decidedOn(m.since).id; last.IsZero() || !c.w.ancestor(last, m.id) {
			continue // before anything was decided on, or of a rewritten history, that people had to look at first
		}
		if !c.knewWhenDecided(k, v, m) {
			continue // nobody can tell whether live had the value before Git said it
		}
		if field != nil && c.e.switched.After(m.since) {
			continue // a version that did not know the field took the value for another one
		}
		if c.mergedSince(k, m.since) {
			continue // Git decided anew, on what an older pull request said
		}
		c.w.fail("what Git decided is not proposed again", "%s = %q is proposed, which Git said at %s and then no more; live says so since %s", k, v, m.since.Format("15:04:05"), since.Format("15:04:05"))
	}
}
