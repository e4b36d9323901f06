package reconciler

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/credential"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// takenBack is a revert with its evidence.
type takenBack struct {
	text  report.Revert
	steps []revertStep // commits to be made, one on top of the other
	head  gitstore.ID  // the last of them, once made
}

type revertStep struct {
	tree    gitstore.ID
	message string
}

// takeBack finds out what is to be taken back on top of a commit, and what that does; nil where it cannot be done.
func (p *pass) takeBack(r revertion, onto gitstore.ID) (*takenBack, error) {
	t := &takenBack{text: report.Revert{Environment: p.Name, By: r.By, Reason: r.Reason, To: r.To.String()}}
	var err error
	var done bool
	if r.To.IsZero() {
		done, err = p.takeBackFailure(r, onto, t)
	} else {
		done, err = p.takeBackSince(r, onto, t)
	}
	if err != nil || !done {
		return nil, err
	}
	// What is no revert but files that keep this environment as it was is a decision of its own, which people make.
	t.text.Pushed = p.Rollback.Push && len(t.text.Others) == 0 && (len(t.text.Commits) > 0 || !r.To.IsZero())
	return t, nil
}

// takeBackFailure reverts the commits at fault for a deployment that failed: one by one, else with the merges that brought them
// in. Where neither restores what was there, this environment is kept as it was by files of its own.
func (p *pass) takeBackFailure(r revertion, onto gitstore.ID, t *takenBack) (bool, error) {
	h, ok := p.st.decisions.hold(r.ID)
	if !ok {
		return false, nil
	}
	t.text.Deployment, t.text.Cause, t.text.At = h.Deployment, h.Reason, h.At
	t.text.Failed, t.text.With = sortedResourceKeys(h.Keys), sortedResourceKeys(h.With)
	t.text.NewIDs, t.text.Left = h.NewIDs, h.Left
	base := p.baseNow()
	from, err := p.want.at(p.store, onto)
	if err != nil {
		return false, err
	}
	// All that it changes must come to what was good: what leads to another value would be deployed next, and might fail and be
	// taken back in its turn, for ever.
	restored := func(at *resource.Snapshot) bool {
		for k := range differing(from.snapshot(), from.snapshot(), at) {
			if at.Hash(k) != base.Hash(k) {
				return false
			}
		}
		return !slices.ContainsFunc(t.text.Failed, func(k resource.Key) bool { return at.Hash(k) != base.Hash(k) })
	}
	keep := map[resource.Key]*resource.Resource{}
	for _, k := range append(slices.Clone(t.text.Failed), t.text.With...) {
		var err error
		if keep[k], err = base.Resource(k); err != nil {
			return false, err
		}
	}
	for _, mainline := range []bool{false, true} {
		f, err := p.atFault(onto, t.text.Failed, mainline)
		if err != nil {
			return false, err
		}
		done, err := p.revertCommits(onto, f.commits, "Deployment "+h.Deployment+" to "+p.Name+" failed and was undone.", t, restored)
		if done || err != nil {
			return done, errors.Join(err, p.offerKeep(onto, keep, t))
		}
	}
	return p.keepAsItWas(onto, keep, "Deployment "+h.Deployment+" to "+p.Name+" failed and was undone.", t)
}

// takeBackSince reverts what was committed since a commit and changed this environment, but for drift that was accepted. Where
// that does not come out clean or concerns others, this environment alone gets what Git said then.
func (p *pass) takeBackSince(r revertion, onto gitstore.ID, t *takenBack) (bool, error) {
	changed, err := p.wantChanged(r.To, onto)
	if err != nil || len(changed) == 0 {
		return false, err
	}
	var commits []gitstore.Commit
	spared := map[resource.Key]bool{}
	n := 0
	err = p.store.Log(onto, []gitstore.ID{r.To}, func(c gitstore.Commit) error {
		if n++; n > maxHistory {
			return gitstore.ErrStop
		}
		if len(c.Parents) != 1 {
			return nil
		}
		keys, err := p.wantChanged(c.Parents[0], c.ID)
		switch {
		case err != nil || len(keys) == 0:
			return err
		case p.isAccept(c):
			t.text.Spared = append(t.text.Spared, reverted(c))
			for k := range keys {
				spared[k] = true
			}
		default:
			commits = append(commits, c)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	then, err := p.want.at(p.store, r.To)
	if err != nil {
		return false, err
	}
	keep := map[resource.Key]*resource.Resource{}
	for _, k := range sortedResourceKeys(changed) {
		if spared[k] {
			continue
		}
		if keep[k], err = then.snapshot().Resource(k); err != nil {
			return false, err
		}
	}
	from, err := p.want.at(p.store, onto)
	if err != nil {
		return false, err
	}
	// Nothing may come to a value that it had neither then nor now; of what is spared, that is no simple question.
	restored := func(at *resource.Snapshot) bool {
		for k := range differing(from.snapshot(), from.snapshot(), at) {
			if !spared[k] && at.Hash(k) != then.snapshot().Hash(k) {
				return false
			}
		}
		for k := range keep {
			if at.Hash(k) != then.snapshot().Hash(k) {
				return false
			}
		}
		return true
	}
	reason := fmt.Sprintf("Rolled back to %.10s by %s: %s", r.To, orUnknown(r.By), r.Reason)
	done, err := p.revertCommits(onto, commits, reason, t, restored)
	if err != nil || done && len(t.text.Others) == 0 {
		return done, err
	}
	t.text.Commits, t.text.Others, t.steps = nil, nil, nil
	return p.keepAsItWas(onto, keep, reason, t)
}

// revertCommits reverts the commits on top of another, and reports whether that is clean and leads to what was to be restored.
func (p *pass) revertCommits(onto gitstore.ID, commits []gitstore.Commit, reason string, t *takenBack, restored func(*resource.Snapshot) bool) (bool, error) {
	if len(commits) == 0 {
		return false, nil
	}
	var ids []gitstore.ID
	for _, c := range commits {
		ids = append(ids, c.ID)
	}
	res, err := p.store.RevertAll(onto, ids, 1)
	if err != nil || len(res.Conflicts) > 0 {
		return false, err
	}
	var done []report.Reverted
	var steps []revertStep
	tree := gitstore.ID{}
	for i, s := range res.Steps {
		if len(s.Edit) == 0 && s.Tree == tree {
			continue
		}
		c := reverted(commits[i])
		tree, done = s.Tree, append(done, c)
		steps = append(steps, revertStep{s.Tree, report.RevertMessage(c, p.Name, reason)})
	}
	ok, err := p.weigh(onto, tree, t, restored)
	if ok && err == nil {
		t.text.Commits, t.steps = done, steps
	}
	return ok, err
}

// weigh looks at what a tree makes of this environment and of the others.
func (p *pass) weigh(onto, tree gitstore.ID, t *takenBack, restored func(*resource.Snapshot) bool) (bool, error) {
	c, err := p.store.CommitTree(tree, []gitstore.ID{onto}, gitstore.Signature{When: p.start}, "preview")
	if err != nil {
		return false, err
	}
	at, err := p.want.at(p.store, c.ID)
	if err != nil || !restored(at.snapshot()) {
		return false, err
	}
	if t.text.Objects, err = p.wantObjects(onto, c.ID); err != nil {
		return false, err
	}
	t.text.Others, err = p.othersChanged(onto, c.ID)
	return err == nil, err
}

// keepAsItWas gives objects of this environment values by files of its own.
func (p *pass) keepAsItWas(onto gitstore.ID, keep map[resource.Key]*resource.Resource, reason string, t *takenBack) (bool, error) {
	e, err := p.keepFiles(onto, keep)
	if err != nil || len(e) == 0 {
		return false, err
	}
	c, err := p.store.Write(onto, []gitstore.ID{onto}, e, gitstore.Signature{When: p.start}, "preview")
	if err != nil {
		return false, err
	}
	ok, err := p.weigh(onto, c.Tree, t, func(at *resource.Snapshot) bool {
		for k, r := range keep {
			if at.Hash(k) != hashAt(r, k) {
				return false
			}
		}
		return true
	})
	if ok {
		t.steps = []revertStep{{c.Tree, report.KeepMessage(p.Name, reason, t.text.Objects)}}
		t.text.Keep = e
	}
	return ok, err
}

func (p *pass) keepFiles(onto gitstore.ID, keep map[resource.Key]*resource.Resource) (gitstore.Edit, error) {
	at, err := p.want.at(p.store, onto)
	if err != nil {
		return nil, err
	}
	over := resource.Overlay{}
	for k, r := range keep {
		if at.snapshot().Hash(k) != hashAt(r, k) {
			over[k] = r
		}
	}
	e, err := at.tree.Write(over)
	if len(keyErrors(err)) > 0 {
		err = nil // what no file can say is told apart by what the tree then renders to
	}
	return e, err
}

// offerKeep adds the files that would keep this environment as it was, where a revert changes others.
func (p *pass) offerKeep(onto gitstore.ID, keep map[resource.Key]*resource.Resource, t *takenBack) (err error) {
	if len(t.text.Others) > 0 {
		t.text.Keep, err = p.keepFiles(onto, keep)
	}
	return err
}

// wantObjects describes how Git's word on this environment differs between two commits.
func (p *pass) wantObjects(from, to gitstore.ID) ([]report.Object, error) {
	changed, err := p.wantChanged(from, to)
	if err != nil {
		return nil, err
	}
	before, err := p.want.at(p.store, from)
	if err != nil {
		return nil, err
	}
	after, err := p.want.at(p.store, to)
	if err != nil {
		return nil, err
	}
	var out []report.Object
	for _, k := range sortedResourceKeys(changed) {
		o := report.Object{Schema: p.schemas[k.Kind]}
		if o.Change.Before, err = before.snapshot().Resource(k); err != nil {
			return nil, err
		}
		if o.Change.After, err = after.snapshot().Resource(k); err != nil {
			return nil, err
		}
		for _, r := range []*resource.Resource{o.Change.Before, o.Change.After} {
			if r == nil {
				continue
			}
			if found := p.Allow.Filter(k, credential.Find(k, r.Spec, p.isRaw(k.Kind))); len(found) > 0 {
				o.Withheld = credential.Reason(found)
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// othersChanged names the other environments of which Git says something else at one commit than at another: those that are
// configured, and those that have a folder beside ours.
func (p *pass) othersChanged(from, to gitstore.ID) (map[string][]resource.Key, error) {
	layouts := map[string]files.Layout{}
	beside := path.Join(p.Path, "environments")
	err := p.store.Files(to, beside, func(f gitstore.File) error {
		name, _, folder := strings.Cut(strings.TrimPrefix(f.Path, beside+"/"), "/")
		if _, known := layouts[name]; folder && !known {
			layouts[name] = files.Layout{Root: beside + "/" + name, Shared: path.Join(p.Path, "shared"), Kinds: p.kinds}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name, e := range p.r.envs {
		if e.Branch == p.Branch {
			layouts[name] = e.want.layout
		}
	}
	delete(layouts, p.Name)
	out := map[string][]resource.Key{}
	for _, name := range slices.Sorted(maps.Keys(layouts)) {
		keys, err := p.changedUnder(layouts[name], from, to)
		if err != nil {
			return nil, err
		}
		if len(keys) > 0 {
			out[name] = keys
		}
	}
	return out, nil
}

// changedUnder are the objects of another environment that differ between two commits.
func (p *pass) changedUnder(l files.Layout, from, to gitstore.ID) ([]resource.Key, error) {
	touched := false
	for _, prefix := range l.Prefixes() {
		if err := p.store.Diff(from, to, prefix, func(gitstore.Delta) error { touched = true; return gitstore.ErrStop }); err != nil {
			return nil, err
		}
	}
	if !touched {
		return nil, nil
	}
	t := treeAt{layout: l}
	before, err := t.at(p.store, from)
	if err != nil {
		return nil, err
	}
	after, err := before.at(p.store, to)
	if err != nil {
		return nil, err
	}
	var out []resource.Key
	for k := range differing(before.snapshot(), before.snapshot(), after.snapshot()) {
		out = append(out, k)
	}
	return out, nil
}

func reverted(c gitstore.Commit) report.Reverted {
	return report.Reverted{ID: c.ID.String(), Subject: firstLine(c.Message), Author: c.Author.Name, When: c.Author.When}
}
