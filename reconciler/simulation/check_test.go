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
	"github.com/driftback/driftback/vendors/mem"
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
	asked  []asking                              // what people asked for by command
	had    map[resource.Key]map[string]time.Time // values that base has had, with when it first did
	busy   []span                                // when a deployment was under way
	dark   []span                                // outages
	lost   []time.Time                           // when the state was lost
	// foreign is when somebody else pushed to the live branch.
	foreign []time.Time
	state   stateAt
}

type asking struct {
	at time.Time
	q  reconciler.Request
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
		had: map[resource.Key]map[string]time.Time{},
	}
}

// stateAt is what a commit of the state ref says, as far as the checks need it.
type stateAt struct {
	id   gitstore.ID
	seen struct {
		Head      gitstore.ID
		Adopted   bool
		Scope     resource.Scope
		Proposals []proposalAt
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

// gone reports whether the state is lost at this moment, and not rebuilt.
func (c *checker) gone() bool { return c.now().id.IsZero() && len(c.lost) > 0 }

// lostAfter reports whether the state was lost since: what it said of older things is gone with it.
func (c *checker) lostAfter(t time.Time) bool { return after(c.lost, t) }

func after(times []time.Time, t time.Time) bool {
	return slices.ContainsFunc(times, func(x time.Time) bool { return !x.Before(t) })
}

// holds checks promise 5.
func (c *checker) holds(owner, what string, deadline bool) {
	j := c.now().journal
	if c.gone() {
		return // taken from under the owner's feet
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
		holder = holder || e.check.gone() || j.Owner == owner && !w.now.After(j.Deadline)
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
	if !asked {
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
		if u.Ref == mainRef {
			w.fail("never pushes to a protected branch", "%s pushed %s", owner, u.Ref)
		}
		for _, e := range w.envs {
			e.check.pushed(owner, began, u)
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
			got = resource.Text(v.Spec)
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
		if who := c.writer(k, spec); who != "driftback" && !c.inLive[k][resource.Text(spec)] && !c.inGit(k, resource.Text(spec)) {
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
	if p := c.now().journal.Phase; !c.gone() && p != "intent" && p != "undo" {
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
	var last mainTip
	for _, h := range c.heads {
		if h.since.Before(s.journal.Started) {
			last = h
		}
	}
	if last.id.IsZero() || c.askedSince(last.since) || c.lostAfter(last.since) {
		return
	}
	if ok, err := c.w.store.IsAncestor(last.id, commit); err == nil && !ok {
		c.w.fail("rewritten history holds", "%s %s: %.7s does not descend from %.7s, which was decided on before", ch.Action(), ch.Key(), commit, last.id)
	}
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
	if c.gone() {
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
	if _, broken, err := c.w.store.File(id, c.e.broken()); err == nil && broken && ch.After == nil && ch.Key().Kind == thingKind {
		c.w.fail("3 absence is not deletion", "%s is deleted while a file of its kind cannot be read", ch.Key())
	}
	c.ruled(ch, id)
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
	f, ok, err := c.w.store.File(commit, rulesPath)
	if err != nil || !ok {
		return
	}
	b, err := c.w.store.Blob(f.ID, 0)
	must(err)
	rules := string(b)
	for _, r := range []*resource.Resource{ch.Before, ch.After} {
		switch {
		case r == nil:
		case strings.HasPrefix(rules, "protect") && r.Key == thing(1):
			c.w.fail("protected objects are left alone", "%s %s", ch.Action(), ch.Key())
		case strings.Contains(rules, "thing/o3") && r.Key == thing(3):
			c.w.fail("ignored objects are left alone", "%s %s", ch.Action(), ch.Key())
		}
	}
	if strings.Contains(rules, "fields: [b]") && ch.Before != nil && ch.After != nil && ch.Before.Key == thing(2) && ch.After.Key == thing(2) && ch.Before.Spec["b"] != ch.After.Spec["b"] {
		c.w.fail("ignored fields are left alone", "%s: %v becomes %v", ch.Key(), ch.Before.Spec["b"], ch.After.Spec["b"])
	}
}

// afterPass checks what must hold between passes.
func (c *checker) afterPass(report reconciler.Report, err error) {
	c.w.reached(report)
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
