package simulation

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
)

// decided checks that in mode sync what a person typed gives way only to what people decided
// since: another value of that very field in Git, or a command.
func (c *checker) decided(ch resource.Change, before map[resource.Key]resource.Spec) {
	if c.e.p.Mode != reconciler.Sync {
		return
	}
	after := c.e.platform.State()
	base := c.w.tree(c.now().id, "base")
	undoing := c.now().journal.Phase == "undo"
	commit, err := gitstore.ParseID(c.now().journal.Commit)
	if err != nil {
		return // told by written, unless the state is gone
	}
	for _, k := range union(before, after) {
		if _, known := base.text[k]; !known {
			continue // a creation of Git's own, whatever was there before the environment was adopted
		}
		for _, f := range []string{"a", "b"} {
			was, is := before[k][f], after[k][f]
			if was == is {
				continue
			}
			who, at, gone := c.typed(k, f)
			if gone && before[k] != nil {
				continue // the object under this name is another one since
			}
			if undoing && c.w.want(commit, c.e).spec[k][f] == was {
				continue // just what the deployment wrote: nobody can tell them apart
			}
			if f == "b" && c.ignoresB(commit, k) {
				continue // nobody's, by the rules
			}
			if who == "driftback" || who == "" || c.duringDeployment(at) || before[k] != nil && c.backToBase(k, f, was, at) || c.askedSince(at) || c.closedSince(at) || c.takenBackAs(k, f, was, at) || c.gitSaid(k, f, was, at) || c.halfAsked(at) || c.lostAfter(at) {
				continue
			}
			if !c.mainMoved(k, f, at) {
				c.w.fail("sync never undoes a hand edit by itself", "%s.%s: %v, typed by %s at %s, becomes %v while Git says as before", k, f, was, who, at.Format("15:04:05"), is)
			}
		}
	}
}

// closedSince reports whether people closed a pull request since, where that asks for what Git says.
func (c *checker) closedSince(t time.Time) bool {
	return c.e.p.OnClose == "revert" && slices.ContainsFunc(c.w.closed, func(p closedPull) bool {
		return envOfBranch(p.pull.Head) == c.e.name && !p.at.Before(t)
	})
}

// takenBackAs reports whether the edit brought back, before that was noticed, just the value of a pull request that people had closed, where
// that asks for what Git says, or asked to revert.
func (c *checker) takenBackAs(k resource.Key, f string, was any, at time.Time) bool {
	asks := func(head string, when time.Time) bool {
		if head == "" || when.After(at) {
			return false
		}
		proposed, _, ok := c.proposedIn(mustParse(head))
		if !ok || proposed.spec[k][f] != was {
			return false
		}
		noticed, ok := c.had[k][proposed.text[k]]
		return !ok || !noticed.Before(at)
	}
	return c.e.p.OnClose == "revert" && slices.ContainsFunc(c.w.closed, func(p closedPull) bool {
		return envOfBranch(p.pull.Head) == c.e.name && asks(p.pull.HeadID, p.at)
	}) || slices.ContainsFunc(c.asked, func(a asking) bool {
		return a.q.Do == reconciler.DoRevert && asks(a.head, a.at)
	})
}

// gitSaid reports whether the edit only brought about what main had said, and that was not decided on yet: then what main says next is
// pending (rule 4).
func (c *checker) gitSaid(k resource.Key, f string, was any, at time.Time) bool {
	last := c.decidedOn(at).id
	return !last.IsZero() && slices.ContainsFunc(c.w.mains, func(m mainTip) bool {
		return !m.since.After(at) && !c.w.ancestor(m.id, last) && c.w.want(m.id, c.e).spec[k][f] == was
	})
}

// halfAsked reports whether the edit was a rename of something that people had asked to have back as gone, in the belief that it was: a
// rename has one fate.
func (c *checker) halfAsked(at time.Time) bool {
	return slices.ContainsFunc(c.asked, func(a asking) bool {
		for k, h := range a.q.Keys {
			went := slices.ContainsFunc(c.e.platform.History(k), func(v mem.Value) bool { return v.Spec == nil && v.When.Equal(at) })
			if a.q.Do == reconciler.DoRevert && h.IsZero() && went {
				return true
			}
		}
		return false
	})
}

// typed tells who last changed a field, and when; a deletion changes all of them.
func (c *checker) typed(k resource.Key, f string) (who string, at time.Time, gone bool) {
	var value any
	for i, v := range c.e.platform.History(k) {
		if v.Who == "driftback" && !v.When.Before(c.w.now) {
			break // the write that is being checked
		}
		if i == 0 || v.Spec[f] != value {
			who, at, value, gone = v.Who, v.When, v.Spec[f], v.Spec == nil
		}
	}
	return who, at, gone
}

// mainMoved reports whether main said something else of the field in between; of a field that
// Git never named, whether it said something else of the object.
func (c *checker) mainMoved(k resource.Key, f string, since time.Time) bool {
	ids := []gitstore.ID{c.w.mainAt(since.Add(-1))} // of two things at one moment nobody knows which came first
	for _, m := range c.w.mains {
		if !m.since.Before(since) {
			ids = append(ids, m.id)
		}
	}
	values, objects := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		want := c.w.want(id, c.e)
		v, _ := want.spec[k][f].(string)
		values[v], objects[want.text[k]] = true, true
	}
	return len(values) > 1 || values[""] && len(objects) > 1
}

// backToBase reports whether a person's edit only brought back what base had in this field, or what people had accepted in a pull
// request or asked to take back by then: nothing of theirs is left in it.
func (c *checker) backToBase(k resource.Key, f string, was any, at time.Time) bool {
	for v, since := range c.had[k] {
		var fields map[string]any
		if since.Before(at) && json.Unmarshal([]byte(v), &fields) == nil && fields[f] == was {
			return true
		}
	}
	for _, v := range c.e.platform.History(k) {
		if v.Spec[f] == was && slices.ContainsFunc(c.asked, func(a asking) bool {
			return a.q.Do == reconciler.DoRevert && a.q.Keys[k] == v.Hash && !a.at.After(at)
		}) {
			return true
		}
	}
	return slices.ContainsFunc(c.w.merges, func(m mergedPull) bool {
		if envOfBranch(m.pull.Head) != c.e.name || m.at.After(at) {
			return false
		}
		proposed, base, ok := c.proposedIn(mustParse(m.pull.HeadID))
		return ok && proposed.text[k] != c.w.want(base, c.e).text[k] && proposed.spec[k][f] == was
	})
}

// duringDeployment reports whether an edit fell into a deployment: then nobody can tell afterwards
// whether it came before or after the write, and Git's change may count as not done.
func (c *checker) duringDeployment(at time.Time) bool {
	return slices.ContainsFunc(c.busy, func(s span) bool { return s.holds(at) })
}
