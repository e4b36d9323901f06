package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

// checker holds the promises of one environment against what happens outside of the daemons. It reads
// Git and the platform by itself and shares no code with what it checks but the object store.
type checker struct {
	w      *world
	e      *env
	inLive map[resource.Key]map[string]bool      // every value that was ever pushed to the live branch
	shown  map[resource.Key]time.Time            // when the live branch last said something of the object
	since  map[resource.Key]time.Time            // since when it says the same of it
	heads  []mainTip                             // what the daemons decided on, with when that was written down
	knew   []liveAt                              // for each of these, what live was to them
	full   time.Time                             // when the last pass began that ended well
	asked  []asking                              // what people asked for by command
	had    map[resource.Key]map[string]time.Time // values that base has had, with when it first did
	over   map[resource.Key]map[string]time.Time // deployments that wrote over what somebody else had made of the object
	busy   []span                                // when a deployment was under way
	dark   []span                                // outages
	lost   []time.Time                           // when the state was lost
	// foreign is when somebody else pushed to the live branch.
	foreign []time.Time
	// unknowing is when a version that does not know field c last wrote down that it had read the platform.
	unknowing time.Time
	// named is when base or Git last had field c of anything, as a daemon wrote down.
	named time.Time
	held  int // objects that the last pass held back
	state stateAt
}

type asking struct {
	at    time.Time
	q     reconciler.Request
	event int    // the forge's number of the comment that says so; 0 for the command line
	head  string // of our pull request that the comment is on
}

// span is a stretch of time; one that has no end yet goes on.
type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && (s.to.IsZero() || !t.After(s.to)) }

// mergedPull is a pull request that came in, with where main was before and after.
type mergedPull struct {
	pull          forge.Pull
	before, after gitstore.ID
	at            time.Time
}

// closedPull is one that a person closed.
type closedPull struct {
	pull forge.Pull
	at   time.Time
}

func newChecker(e *env) *checker {
	return &checker{
		w: e.w, e: e, inLive: map[resource.Key]map[string]bool{}, shown: map[resource.Key]time.Time{}, since: map[resource.Key]time.Time{},
		had: map[resource.Key]map[string]time.Time{}, over: map[resource.Key]map[string]time.Time{},
	}
}

// stateAt is what a commit of the state ref says, as far as the checks need it.
type stateAt struct {
	id   gitstore.ID
	seen struct {
		Head      gitstore.ID
		Adopted   bool
		Scope     resource.Scope
		Cursor    string
		Proposals []proposalAt
		// Descriptors are digests of what the version that wrote it knows of each kind.
		Descriptors map[resource.Kind]string
		// Born are the objects whose base is younger than a commit of the live branch.
		Born map[resource.Key]gitstore.ID
	}
	journal struct {
		Owner, Phase, ID, Commit, Cause string
		Deadline, Started               time.Time
		Steps                           []stepAt
	}
	decisions struct {
		Suspended *struct{}
		Override  *struct{ Plan string }
		Holds     []struct {
			Keys map[resource.Key]resource.Hash
		}
	}
	requests map[string]reconciler.Request
}

type stepAt struct {
	Before, After resource.Key
	From, To      resource.Hash
}

// liveAt is what live was to a pass.
type liveAt struct {
	commit gitstore.ID
	born   map[resource.Key]gitstore.ID
}

type proposalAt struct {
	Branch     string
	Base, Head gitstore.ID
	Former     []struct{ Base, Head gitstore.ID }
	Number     int
	Closed     bool
}

// stateOf reads a commit of the state ref.
func (c *checker) stateOf(id gitstore.ID) stateAt {
	s := stateAt{id: id, requests: map[string]reconciler.Request{}}
	if id.IsZero() {
		return s
	}
	read := func(f gitstore.File, into any) {
		b, err := c.w.store.Blob(f.ID, 0)
		must(err)
		must(json.Unmarshal(b, into))
	}
	for name, into := range map[string]any{"seen.json": &s.seen, "deployment.json": &s.journal, "decisions.json": &s.decisions} {
		if f, ok, err := c.w.store.File(id, name); err == nil && ok {
			read(f, into)
		}
	}
	must(c.w.store.Files(id, "requests", func(f gitstore.File) error {
		var q reconciler.Request
		read(f, &q)
		s.requests[f.Path] = q
		return nil
	}))
	return s
}

// now is the state as it stands.
func (c *checker) now() *stateAt {
	if tip := c.w.refs()[c.e.stateRef()]; c.state.id != tip {
		c.state = c.stateOf(tip)
	}
	return &c.state
}

// taken reports whether the state was taken from under the feet of one who held a claim; it may be rebuilt by now.
func (c *checker) taken() bool {
	return c.lostAfter(c.w.now.Add(-claimFor)) || c.now().id.IsZero() && len(c.lost) > 0
}

// lostAfter reports whether the state was lost since: what it said of older things is gone with it.
func (c *checker) lostAfter(t time.Time) bool { return after(c.lost, t) }

func after(times []time.Time, t time.Time) bool {
	return slices.ContainsFunc(times, func(x time.Time) bool { return !x.Before(t) })
}

// holds checks promise 5.
func (c *checker) holds(owner, what string, deadline bool) {
	j := c.now().journal
	if c.taken() {
		return
	}
	if j.Owner != owner || deadline && c.w.now.After(j.Deadline) {
		c.w.fail("5 one writer", "%s by %s while %q holds %s until %s", what, owner, j.Owner, c.e.name, j.Deadline.Format("15:04:05"))
	}
}

// envOfBranch is the environment of a drift branch.
func envOfBranch(branch string) string {
	name, ok := strings.CutPrefix(branch, "driftback/drift/")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "-")
	return name
}

// forgeWrite checks that one who writes to the forge holds the environment that it is about, or at least one.
func (w *world) forgeWrite(owner, env, what string) {
	holder := false
	for _, e := range w.envs {
		if env == e.name {
			e.check.holds(owner, "forge write "+what, true)
		}
		j := e.check.now().journal
		holder = holder || e.check.taken() || j.Owner == owner && !w.now.After(j.Deadline)
	}
	if !holder {
		w.fail("5 one writer", "%s by %s, who holds nothing", what, owner)
	}
}

// noteMerge takes note of a pull request that driftback merged because somebody accepted it.
func (w *world) noteMerge(p forge.Pull) {
	head := w.head()
	if n := len(w.mains); n > 1 {
		w.merges = append(w.merges, mergedPull{pull: p, before: w.mains[n-2].id, after: head, at: w.now})
	}
	asked := false
	for _, e := range w.envs {
		for _, a := range e.check.asked {
			asked = asked || a.q.Do == reconciler.DoAccept
		}
	}
	asked = asked || strings.HasPrefix(p.Head, "driftback/revert/") && slices.ContainsFunc(w.envs, func(e *env) bool { return e.p.Push })
	if !asked || isFeature(p.Head) {
		w.fail("6 one path to production", "#%d is merged and nobody asked for it", p.Number)
	}
}

// pushed checks what a daemon has just pushed.
func (w *world) pushed(owner string, began time.Time, ups []gitstore.Update, out *gitstore.Outgoing) {
	w.refs()
	for _, id := range out.IDs {
		o, err := out.Object(id)
		must(err)
		if bytes.Contains(o.Data, []byte(canary)) {
			w.fail("8 no secret", "a %s that %s pushes holds what was typed as a password", o.Kind, owner)
		}
	}
	for _, u := range ups {
		w.mayPush(owner, u)
		for _, e := range w.envs {
			e.check.pushed(owner, began, u)
		}
	}
}

// mayPush checks that a ref is driftback's own, or that what comes onto main takes something back, and may.
func (w *world) mayPush(owner string, u gitstore.Update) {
	branch, isBranch := strings.CutPrefix(u.Ref, "refs/heads/")
	switch {
	case u.Ref == mainRef && slices.ContainsFunc(w.envs, func(e *env) bool { return e.p.Push }):
		w.note("reverts pushed")
		w.tookBack(u)
	case isBranch && !strings.HasPrefix(branch, "live/") && !strings.HasPrefix(branch, "driftback/"):
		w.fail("never pushes to a protected branch", "%s pushed %s", owner, u.Ref)
	}
}

// tookBack checks that what was pushed onto main gives objects values that they have in main's history, or that base has: what was
// typed by hand and accepted may have come in by one of the commits that are taken back. A rollback leaves accepted drift as it is.
func (w *world) tookBack(u gitstore.Update) {
	for _, e := range w.envs {
		was, is, base := w.want(u.Old, e), w.want(u.New, e), w.tree(e.check.now().id, "base")
		c, err := w.store.CommitAt(u.New)
		must(err)
		rollback := strings.Contains(c.Message, "Rolled back to")
		for _, k := range union(was.spec, is.spec) {
			v := is.text[k]
			if was.text[k] == v {
				continue
			}
			had := base.text[k] == v || rollback && e.check.mergedSince(k, time.Time{}) || slices.ContainsFunc(w.mains, func(m mainTip) bool { return m.id != u.New && w.want(m.id, e).text[k] == v })
			must(w.store.Log(u.Old, nil, func(x gitstore.Commit) error { // also within what was merged
				had = had || w.want(x.ID, e).text[k] == v
				return nil
			}))
			if !had {
				w.fail("a pushed revert only takes back", "%s of %s becomes %q on main, which it never was", k, e.name, v)
			}
		}
	}
}

func (c *checker) pushed(owner string, began time.Time, u gitstore.Update) {
	branch, _ := strings.CutPrefix(u.Ref, "refs/heads/")
	switch {
	case u.Ref == c.e.liveRef():
		c.holds(owner, "push of "+u.Ref, false)
		c.liveMoved(u.Old, u.New)
	case envOfBranch(branch) == c.e.name:
		c.holds(owner, "push of "+u.Ref, false)
		if !u.New.IsZero() {
			c.proposed(u.New, began)
		}
	case u.Ref == c.e.stateRef():
		c.stateMoved(u.Old, u.New)
	}
}

// liveMoved checks promise 3 and "no phantom": what the live branch says was true.
func (c *checker) liveMoved(old, now gitstore.ID) {
	var commits []gitstore.Commit
	must(c.w.store.Log(now, []gitstore.ID{old}, func(x gitstore.Commit) error {
		commits = append(commits, x)
		return nil
	}))
	for _, x := range slices.Backward(commits) {
		var parent gitstore.ID
		if len(x.Parents) > 0 {
			parent = x.Parents[0]
		}
		if !parent.IsZero() && c.w.tree(parent, "") == c.w.tree(x.ID, "") {
			continue
		}
		was, is := c.w.tree(parent, ""), c.w.tree(x.ID, "")
		for _, k := range union(was.spec, is.spec) {
			if was.text[k] != is.text[k] {
				c.said(k, is.text[k])
			}
		}
	}
}

func union(ms ...map[resource.Key]resource.Spec) []resource.Key {
	all := map[resource.Key]bool{}
	for _, m := range ms {
		for k := range m {
			all[k] = true
		}
	}
	return sortedKeys(all)
}

// said checks one claim of the live branch: it was true at some moment since the branch last said something
// of the object, but for what a platform may still have shown then.
func (c *checker) said(k resource.Key, want string) {
	if want != "" {
		if c.inLive[k] == nil {
			c.inLive[k] = map[string]bool{}
		}
		c.inLive[k][want] = true
	}
	from := c.shown[k].Add(-c.e.p.Settle)
	history := c.e.platform.History(k)
	ok := want == "" && (len(history) == 0 || history[0].When.After(from) || c.wasDark(from))
	for i, v := range history {
		got := ""
		if v.Spec != nil {
			got = textOf(v.Spec)
		}
		until := c.w.now
		if i+1 < len(history) {
			until = history[i+1].When
		}
		if got == want && !until.Before(from) {
			ok = true
		}
	}
	if !ok && !after(c.foreign, from) {
		c.w.fail("3 absence is not deletion, and no phantom", "the live branch says %s = %q; since %s it never was", k, want, from.Format("15:04:05"))
	}
	c.shown[k], c.since[k] = c.w.now, c.w.now
}

// wasDark reports whether there was an outage since.
func (c *checker) wasDark(since time.Time) bool {
	return slices.ContainsFunc(c.dark, func(s span) bool { return s.to.After(since) })
}

// afterPass checks what must hold between passes.
func (c *checker) afterPass(report reconciler.Report, err error) {
	c.w.reached(report)
	if err == nil {
		c.full = report.Started
	}
	pulls, perr := c.w.forge.Pulls(context.Background(), forge.Filter{State: forge.Open})
	must(perr)
	heads := map[string]int{}
	for _, p := range pulls {
		if p.Author != "ann" {
			heads[p.Head]++
		}
		if strings.Contains(p.Title+p.Body, canary) {
			c.w.fail("8 no secret", "pull request #%d shows what was typed as a password", p.Number)
		}
	}
	for head, n := range heads {
		if n > 1 {
			c.w.fail("4 twice is once", "%d open pull requests of %s", n, head)
		}
	}
	if err == nil {
		c.agreedIsBase(report)
	}
}

// reached counts the rows of the decision table that a pass ended in.
func (w *world) reached(report reconciler.Report) {
	for _, it := range report.Items {
		switch {
		case it.Verdict == reconciler.Conflict && it.Want.IsZero():
			w.note("row: conflict, deleted in Git and changed live")
		case it.Verdict == reconciler.Conflict && it.Live.IsZero():
			w.note("row: conflict, changed in Git and deleted live")
		case it.Verdict == reconciler.Conflict:
			w.note("row: conflict")
		case it.Verdict == reconciler.Record && it.Base.IsZero() && it.Want.IsZero():
			w.note("row: record, only live (adoption)")
		case it.Verdict == reconciler.Record && it.Base.IsZero():
			w.note("row: record, no base and both differ")
		case it.Verdict == reconciler.Record:
			w.note("row: record")
		}
	}
}
