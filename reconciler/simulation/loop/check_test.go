package loop

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors/resource"
)

var noGuard = plan.Limits{Deletes: -1, Share: -1, MinShare: 1000}

// checker holds the promises against what happens outside of the daemons. It reads
// Git and the platform by itself and shares no code with what it checks but the
// object store.
type checker struct {
	w      *world
	inLive map[resource.Key]map[string]bool // every value that was ever pushed to the live branch
	shown  map[resource.Key]time.Time       // when the live branch last said that the object is there
	reject map[string]int
	heads  []mainTip                             // what the daemons decided on, with when that was written down
	mains  []mainTip                             // every tip of main, oldest first
	asked  []time.Time                           // when people asked by command for something
	had    map[resource.Key]map[string]time.Time // values that base has had, with when it first did
	busy   [][2]time.Time                        // when a deployment was under way; the last one may have no end yet
}

type mainTip struct {
	id    gitstore.ID
	since time.Time
}

func newChecker(w *world) *checker {
	return &checker{w: w, inLive: map[resource.Key]map[string]bool{}, shown: map[resource.Key]time.Time{}, reject: map[string]int{}, had: map[resource.Key]map[string]time.Time{}}
}

type treeKey struct {
	commit gitstore.ID
	folder string
}

// tree reads the things below a folder of a commit, each as the text of its value. Nobody may change what it returns.
func (w *world) tree(commit gitstore.ID, folder string) map[resource.Key]string {
	if commit.IsZero() {
		return nil
	}
	at := treeKey{commit, folder}
	if out, ok := w.trees[at]; ok {
		return out
	}
	out := map[resource.Key]string{}
	w.trees[at] = out
	err := w.store.Files(commit, strings.TrimPrefix(folder+"/"+string(kind), "/"), func(f gitstore.File) error {
		out[keyOf(f.Path)] = w.value(f.ID)
		return nil
	})
	if err != nil {
		panic(err)
	}
	return out
}

func keyOf(p string) resource.Key {
	return resource.Key{Kind: kind, Name: strings.TrimSuffix(path.Base(p), ".yaml")}
}

// value decodes a file with a YAML library of its own.
func (w *world) value(id gitstore.ID) string {
	if v, ok := w.blobs[id]; ok {
		return v
	}
	b, err := w.store.Blob(id, 0)
	if err != nil {
		panic(err)
	}
	var m map[string]any
	if err := yaml.Unmarshal(b, &m); err != nil {
		panic(err)
	}
	delete(m, "$renamedFrom")
	w.blobs[id] = resource.Text(resource.Spec(m))
	return w.blobs[id]
}

func (w *world) refs() gitstore.Refs {
	r, err := w.store.Sync(context.Background())
	if err != nil {
		panic(err)
	}
	if m := w.check.mains; !r[mainRef].IsZero() && (len(m) == 0 || m[len(m)-1].id != r[mainRef]) {
		w.check.mains = append(m, mainTip{r[mainRef], w.now})
	}
	return r
}

// claim reads who holds the environment.
func (c *checker) claim() (owner string, deadline time.Time, phase, commit string) {
	var j struct {
		Owner, Phase, Commit string
		Deadline             time.Time
	}
	c.readState("deployment.json", &j)
	return j.Owner, j.Deadline, j.Phase, j.Commit
}

func (c *checker) holds(owner, what string) {
	got, deadline, _, _ := c.claim()
	if got != owner || c.w.now.After(deadline) {
		c.w.fail("5 one writer", "%s by %s while %q holds the environment until %s", what, owner, got, deadline.Format("15:04:05"))
	}
}

func (c *checker) forgeWrite(owner string) { c.holds(owner, "forge write") }

// pushed checks what a daemon has just pushed.
func (c *checker) pushed(owner string, ups []gitstore.Update) {
	for _, u := range ups {
		if u.Ref != stateRef {
			c.holds(owner, "push of "+u.Ref)
		}
		if u.Ref == liveRef {
			c.liveMoved(u.Old, u.New)
		}
		if strings.HasPrefix(u.Ref, "refs/heads/driftback/drift/") {
			c.proposed(u.New)
		}
		if u.Ref == stateRef {
			c.noteDeployment()
			c.noteBase(u.New)
			c.noteHead()
		}
		if u.Ref == mainRef {
			c.w.fail("never pushes to a protected branch", "%s pushed %s", owner, u.Ref)
		}
	}
}

func (c *checker) noteBase(state gitstore.ID) {
	for k, v := range c.w.tree(state, "base") {
		if c.had[k] == nil {
			c.had[k] = map[string]time.Time{}
		}
		if _, ok := c.had[k][v]; !ok {
			c.had[k][v] = c.w.now
		}
	}
}

// backToBase reports whether a person's edit only brought back what base had in this field: then
// nothing of theirs is left in it.
func (c *checker) backToBase(k resource.Key, f string, was any, at time.Time) bool {
	for v, since := range c.had[k] {
		var fields map[string]any
		if since.Before(at) && json.Unmarshal([]byte(v), &fields) == nil && fields[f] == was {
			return true
		}
	}
	return false
}

func (c *checker) noteDeployment() {
	_, _, phase, _ := c.claim()
	last := len(c.busy) - 1
	open := last >= 0 && c.busy[last][1].IsZero()
	switch {
	case phase != "" && !open:
		c.busy = append(c.busy, [2]time.Time{c.w.now})
	case phase == "" && open:
		c.busy[last][1] = c.w.now
	}
}

// duringDeployment reports whether an edit fell into a deployment: then nobody can tell afterwards
// whether it came before or after the write, and Git's change may count as not done.
func (c *checker) duringDeployment(at time.Time) bool {
	return slices.ContainsFunc(c.busy, func(b [2]time.Time) bool {
		return !at.Before(b[0]) && (b[1].IsZero() || !at.After(b[1]))
	})
}

// proposed checks that a drift branch says exactly what the live branch says of what it changes.
func (c *checker) proposed(head gitstore.ID) {
	refs := c.w.refs()
	base := c.builtOn(head)
	live := c.w.tree(refs[liveRef], "")
	err := c.w.store.Diff(base, head, "environments/"+envName, func(d gitstore.Delta) error {
		got := ""
		if !d.New.ID.IsZero() {
			got = c.w.value(d.New.ID)
		}
		if k := keyOf(d.Path); got != live[k] {
			c.w.fail("3 only what live says is proposed", "%s = %q is proposed and the live branch says %q", k, got, live[k])
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// builtOn walks a drift branch back to the commit of main, present or former, below it.
func (c *checker) builtOn(head gitstore.ID) gitstore.ID {
	for at := head; ; {
		for _, m := range c.mains {
			if ok, err := c.w.store.IsAncestor(at, m.id); err == nil && ok {
				return at
			}
		}
		x, err := c.w.store.CommitAt(at)
		if err != nil {
			panic(err)
		}
		at = x.Parents[0]
	}
}

// liveMoved checks promise 3 and "no phantom": what the live branch says was true.
func (c *checker) liveMoved(old, now gitstore.ID) {
	c.w.refs()
	var commits []gitstore.Commit
	err := c.w.store.Log(now, []gitstore.ID{old}, func(x gitstore.Commit) error {
		commits = append(commits, x)
		return nil
	})
	if err != nil {
		panic(err)
	}
	for _, x := range slices.Backward(commits) {
		var parent gitstore.ID
		if len(x.Parents) > 0 {
			parent = x.Parents[0]
		}
		err := c.w.store.Diff(parent, x.ID, string(kind), func(d gitstore.Delta) error {
			c.said(keyOf(d.Path), d.New.ID)
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
}

func (c *checker) said(k resource.Key, blob gitstore.ID) {
	want := ""
	if !blob.IsZero() {
		want = c.w.value(blob)
		if c.inLive[k] == nil {
			c.inLive[k] = map[string]bool{}
		}
		c.inLive[k][want] = true
	}
	history := c.w.platform.History(k)
	ok := want == "" && len(history) == 0
	for i, v := range history {
		got := ""
		if v.Spec != nil {
			got = resource.Text(v.Spec)
		}
		until := c.w.now
		if i+1 < len(history) {
			until = history[i+1].When
		}
		if got == want && !until.Before(c.shown[k]) {
			ok = true
		}
	}
	if !ok {
		c.w.fail("3 absence is not deletion, and no phantom", "the live branch says %s = %q; since %s it never was", k, want, c.shown[k].Format("15:04:05"))
	}
	c.shown[k] = c.w.now
}

// applied checks what a daemon has just written to the platform.
func (c *checker) applied(owner string, ch resource.Change, before map[resource.Key]resource.Spec, err error) {
	after := c.w.platform.State()
	if maps.EqualFunc(before, after, func(a, b resource.Spec) bool { return resource.Equal(a, b) }) {
		return
	}
	if err != nil {
		c.w.fail("2 compare and set", "%s %s was refused (%v) and yet done", ch.Action(), ch.Key(), err)
	}
	c.holds(owner, "write of "+ch.Key().String())
	c.w.stat["writes"]++
	for k, spec := range before {
		if resource.Equal(spec, after[k]) && after[k] != nil {
			continue
		}
		if ch.Before == nil || ch.Before.Key != k || !resource.Equal(ch.Before.Spec, spec) {
			c.w.fail("2 nothing unseen is overwritten", "%s was %s, not what %s decided on", k, resource.Text(spec), owner)
		}
		if who := c.writer(k, spec); who != "driftback" && !c.inLive[k][resource.Text(spec)] {
			c.w.fail("1 nothing seen is lost", "%s = %s, typed by %s, is overwritten and not in Git", k, resource.Text(spec), who)
		}
	}
	c.permitted(ch)
	c.decided(before, after)
	c.written(ch)
}

// seen reads what the daemons decided on last.
func (c *checker) seen() (head gitstore.ID, adopted bool) {
	var s struct {
		Head    gitstore.ID
		Adopted bool
	}
	c.readState("seen.json", &s)
	return s.Head, s.Adopted
}

func (c *checker) readState(name string, into any) {
	tip := c.w.refs()[stateRef]
	if f, ok, err := c.w.store.File(tip, name); !tip.IsZero() && err == nil && ok {
		b, err := c.w.store.Blob(f.ID, 0)
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			panic(err)
		}
	}
}

// permitted checks that nothing is written before the first import is over, nor after history
// was rewritten until somebody resumes.
func (c *checker) permitted(ch resource.Change) {
	if _, adopted := c.seen(); !adopted {
		c.w.fail("the first pass never writes", "%s %s before the first import was merged", ch.Action(), ch.Key())
	}
	var j struct {
		Started time.Time
		Commit  string
	}
	c.readState("deployment.json", &j)
	commit, err := gitstore.ParseID(j.Commit)
	var last mainTip
	for _, h := range c.heads {
		if h.since.Before(j.Started) {
			last = h
		}
	}
	resumed := slices.ContainsFunc(c.asked, func(t time.Time) bool { return !t.Before(last.since) })
	if err != nil || last.id.IsZero() || resumed {
		return
	}
	if ok, err := c.w.store.IsAncestor(last.id, commit); err == nil && !ok {
		c.w.fail("rewritten history holds", "%s %s: %.7s does not descend from %.7s, which was decided on before", ch.Action(), ch.Key(), commit, last.id)
	}
}

// noteHead takes note of what was decided on.
func (c *checker) noteHead() {
	head, _ := c.seen()
	if n := len(c.heads); n == 0 || c.heads[n-1].id != head {
		c.heads = append(c.heads, mainTip{head, c.w.now})
	}
}

// writer tells who gave the object this value.
func (c *checker) writer(k resource.Key, spec resource.Spec) string {
	for _, v := range slices.Backward(c.w.platform.History(k)) {
		if resource.Equal(v.Spec, spec) {
			return v.Who
		}
	}
	return "nobody"
}

// written checks that the new value is what the commit under deployment says, field by field;
// fields of live's own may stay.
func (c *checker) written(ch resource.Change) {
	_, _, phase, commit := c.claim()
	if phase != "intent" && phase != "undo" {
		c.w.fail("6 one path to production", "write of %s without a journalled intent", ch.Key())
		return
	}
	id, err := gitstore.ParseID(commit)
	if err != nil {
		c.w.fail("6 one path to production", "the journal names no commit: %v", err)
		return
	}
	if ok, err := c.w.store.IsAncestor(id, c.w.refs()[mainRef]); err != nil || !ok && c.reject["rewrites"] == 0 {
		c.w.fail("6 one path to production", "deployed commit %.7s is not of the tracked branch", commit)
	}
	if phase == "undo" {
		return
	}
	want := c.w.tree(id, "environments/"+envName)
	if ch.After == nil || ch.Action() == resource.Rename {
		if v, there := want[ch.Before.Key]; there {
			c.w.fail("3 absence is not deletion", "%s is deleted while Git says %s", ch.Before.Key, v)
		}
	}
	if ch.After == nil {
		return
	}
	var git map[string]any
	if json.Unmarshal([]byte(cmp.Or(want[ch.After.Key], "{}")), &git) != nil {
		panic("value of " + ch.After.Key.String())
	}
	for f, v := range ch.After.Spec {
		if git[f] != v && (ch.Before == nil || ch.Before.Spec[f] != v) {
			c.w.fail("6 one path to production", "%s.%s = %v stands neither in Git nor on the platform", ch.After.Key, f, v)
		}
	}
}

// afterPass checks what must hold between passes.
func (c *checker) afterPass(reconciler.Report, error) {
	pulls, err := c.w.forge.Pulls(context.Background(), forge.Filter{State: forge.Open})
	if err != nil {
		panic(err)
	}
	heads := map[string]int{}
	for _, p := range pulls {
		if p.Author != "ann" {
			heads[p.Head]++
		}
	}
	for head, n := range heads {
		if n > 1 {
			c.w.fail("4 twice is once", "%d open pull requests of %s", n, head)
		}
	}
}

func sortedKeys[V any](m map[resource.Key]V) []resource.Key {
	return slices.SortedFunc(maps.Keys(m), resource.Key.Compare)
}
