package local

import (
	"fmt"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// index is what one commit of the forge's ref says of pull requests. It is not
// changed once built.
type index struct {
	commit gitstore.ID
	head   header
	pulls  []*entry // by number
	open   []*entry // those that are open as far as their records know, by number
}

type entry struct {
	record
	blob gitstore.ID // that holds the record
}

func byNumber(e *entry, n int) int { return e.Number - n }

// entry returns pull request n.
func (x *index) entry(n int) (*entry, error) {
	i, ok := slices.BinarySearchFunc(x.pulls, n, byNumber)
	if !ok {
		return nil, fmt.Errorf("pull request #%d: %w", n, forge.ErrNotFound)
	}
	return x.pulls[i], nil
}

// view is an index seen together with where the branches are.
type view struct {
	f    *Forge
	refs gitstore.Refs
	idx  *index
}

// derivation is what Git says of an open pull request as long as nothing it rests on changes.
type derivation struct {
	blob, base, head gitstore.ID
	pull             forge.Pull
}

func (f *Forge) view(refs gitstore.Refs) (*view, error) {
	idx, err := f.indexAt(refs[f.ref])
	if err != nil {
		return nil, err
	}
	return &view{f: f, refs: refs, idx: idx}, nil
}

// indexAt returns the index of a commit. From the one before it only what differs is read.
func (f *Forge) indexAt(commit gitstore.ID) (*index, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.cached
	if old.commit == commit {
		return old, nil
	}
	idx := &index{commit: commit}
	if _, err := f.readJSON(commit, headerPath, &idx.head); err != nil {
		return nil, err
	}
	if idx.head.Version > layoutVersion {
		return nil, fmt.Errorf("%s was written by a newer version of this program (layout %d, known %d)", f.ref, idx.head.Version, layoutVersion)
	}
	changed, err := f.changedPulls(old.commit, commit)
	if err != nil {
		return nil, err
	}
	idx.pulls, idx.open = old.pulls, old.open
	if len(changed) > 0 {
		idx.pulls = slices.DeleteFunc(slices.Clone(old.pulls), func(e *entry) bool { _, ok := changed[e.Number]; return ok })
		for _, e := range changed {
			if e != nil {
				idx.pulls = append(idx.pulls, e)
			}
		}
		slices.SortFunc(idx.pulls, func(a, b *entry) int { return byNumber(a, b.Number) })
		idx.open = slices.DeleteFunc(slices.Clone(idx.pulls), func(e *entry) bool { return e.State != forge.Open })
	}
	for n := range f.derived { // of what is closed by now nothing is derived any more
		if i, ok := slices.BinarySearchFunc(idx.open, n, byNumber); !ok || idx.open[i].blob != f.derived[n].blob {
			delete(f.derived, n)
		}
	}
	f.cached = idx
	return idx, nil
}

// changedPulls reads the pull requests that differ between two commits; nil are those that are gone.
func (f *Forge) changedPulls(old, now gitstore.ID) (map[int]*entry, error) {
	changed := map[int]*entry{}
	err := f.store.Diff(old, now, pullsFolder, func(d gitstore.Delta) error {
		n := pullNumber(d.Path)
		if n == 0 {
			return nil
		}
		if changed[n] = nil; d.New.ID.IsZero() {
			return nil
		}
		e := &entry{blob: d.New.ID}
		if err := f.readBlob(d.New, &e.record); err != nil {
			return err
		}
		if e.Number != n {
			return fmt.Errorf("%s in %s: says it is pull request #%d", d.Path, f.ref, e.Number)
		}
		changed[n] = e
		return nil
	})
	return changed, err
}

// pull returns pull request n as it is now; ErrNotFound. Its Labels are shared.
func (v *view) pull(n int) (forge.Pull, error) {
	e, err := v.idx.entry(n)
	if err != nil {
		return forge.Pull{}, err
	}
	return v.now(e)
}

// now returns a pull request as it is now.
func (v *view) now(e *entry) (forge.Pull, error) {
	if e.State != forge.Open {
		return e.Pull, nil
	}
	now := derivation{blob: e.blob, base: v.refs[branchRef(e.Base)], head: v.refs[branchRef(e.Head)]}
	v.f.mu.Lock()
	known, ok := v.f.derived[e.Number]
	v.f.mu.Unlock()
	if ok && known.blob == now.blob && known.base == now.base && known.head == now.head {
		return known.pull, nil
	}
	var err error
	if now.pull, err = v.f.derive(e.record, now.base, now.head); err != nil {
		return forge.Pull{}, fmt.Errorf("pull request #%d: %w", e.Number, err)
	}
	v.f.mu.Lock()
	v.f.derived[e.Number] = now
	v.f.mu.Unlock()
	return now.pull, nil
}

// shown returns a pull request as it is handed out, with what is never written down: where its branches are.
func (v *view) shown(p forge.Pull) forge.Pull {
	p.Labels, p.Reviewers = slices.Clone(p.Labels), slices.Clone(p.Reviewers)
	if p.Number == 0 {
		return p
	}
	p.HeadRef = branchRef(p.Head)
	if p.State == forge.Open {
		p.BaseID = v.refs[branchRef(p.Base)].String()
	}
	return p
}

// ofHead returns the open pull request with this head branch.
func (v *view) ofHead(head string) (forge.Pull, bool, error) {
	for _, e := range slices.Backward(v.idx.open) {
		if e.Head != head {
			continue
		}
		p, err := v.now(e)
		if err != nil {
			return forge.Pull{}, false, err
		}
		if p.State == forge.Open {
			return p, true, nil
		}
	}
	return forge.Pull{}, false, nil
}

// derive returns an open pull request as Git has it: it is merged once the base
// branch gained, since the record was written, the commit of a merge that was
// begun here or the head: the one recorded or the one that the branch is at
// now. Else its head is where the branch is, if there is one.
func (f *Forge) derive(rec record, base, head gitstore.ID) (forge.Pull, error) {
	p := rec.Pull
	if l := rec.Landing; l != nil {
		_, landed, err := f.arrival(base, rec.BaseID, l.Commit)
		if err != nil {
			return p, err
		}
		if landed {
			p.State, p.HeadID, p.MergeCommit, p.ClosedBy, p.Updated = forge.Merged, l.Head.String(), l.Commit.String(), l.By, l.At
			return p, nil
		}
	}
	recorded, err := gitstore.ParseID(rec.HeadID)
	if err != nil {
		return p, err
	}
	for _, h := range []gitstore.ID{head, recorded} {
		by, merged, err := f.arrival(base, rec.BaseID, h)
		if err != nil {
			return p, err
		}
		if !merged {
			continue
		}
		p.State, p.HeadID, p.MergeCommit, p.Updated = forge.Merged, h.String(), by.ID.String(), by.Committer.When.UTC()
		if by.ID != h { // a fast-forward does not say who made it
			p.ClosedBy = by.Author.Name
		}
		return p, nil
	}
	if !head.IsZero() {
		p.HeadID = head.String()
	}
	return p, nil
}

// arrival reports whether a branch gained a commit since it was at an earlier
// one, and by which commit of its own line (first parents). A commit that the
// mirror has not is in no branch.
func (f *Forge) arrival(branch, since, commit gitstore.ID) (by gitstore.Commit, gained bool, err error) {
	if branch.IsZero() || commit.IsZero() || branch == since {
		return by, false, nil
	}
	line := map[gitstore.ID]gitstore.Commit{} // what has the commit
	var commits []gitstore.Commit
	err = f.store.Log(branch, []gitstore.ID{since}, func(c gitstore.Commit) error {
		commits = append(commits, c)
		return nil
	})
	if err != nil {
		return by, false, err
	}
	for _, c := range slices.Backward(commits) { // parents first
		has := c.ID == commit
		for _, p := range c.Parents {
			_, inherits := line[p]
			has = has || inherits
		}
		if has {
			line[c.ID] = c
		}
	}
	for by, gained = line[branch]; len(by.Parents) > 0; {
		older, ok := line[by.Parents[0]]
		if !ok {
			break
		}
		by = older
	}
	return by, gained, nil
}

// empty reports whether base has all of head.
func (f *Forge) empty(base, head gitstore.ID) (bool, error) {
	empty := true
	err := f.store.Log(head, []gitstore.ID{base}, func(gitstore.Commit) error {
		empty = false
		return gitstore.ErrStop
	})
	return empty, err
}
