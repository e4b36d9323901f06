package local

import (
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// index is what one commit of the forge's ref says of pull requests. It is not
// changed once built.
type index struct {
	commit  gitstore.ID
	head    header
	pulls   map[int]entry
	numbers []int // ascending
}

type entry struct {
	record
	blob gitstore.ID // that holds the record
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
	if old == nil {
		old = &index{}
	}
	if old.pulls != nil && old.commit == commit {
		return old, nil
	}
	idx := &index{commit: commit, pulls: maps.Clone(old.pulls)}
	if idx.pulls == nil {
		idx.pulls = map[int]entry{}
	}
	if _, err := f.readJSON(commit, headerPath, &idx.head); err != nil {
		return nil, err
	}
	if idx.head.Version > layoutVersion {
		return nil, fmt.Errorf("%s was written by a newer version of this program (layout %d, known %d)", f.ref, idx.head.Version, layoutVersion)
	}
	err := f.store.Diff(old.commit, commit, pullsFolder, func(d gitstore.Delta) error {
		n := pullNumber(d.Path)
		if n == 0 {
			return nil
		}
		if d.New.ID.IsZero() {
			delete(idx.pulls, n)
			return nil
		}
		var rec record
		if err := f.readBlob(gitstore.File{Path: d.Path, ID: d.New.ID}, &rec); err != nil {
			return err
		}
		if rec.Number != n {
			return fmt.Errorf("%s in %s: says it is pull request #%d", d.Path, f.ref, rec.Number)
		}
		idx.pulls[n] = entry{rec, d.New.ID}
		return nil
	})
	if err != nil {
		return nil, err
	}
	idx.numbers = slices.Sorted(maps.Keys(idx.pulls))
	f.cached = idx
	return idx, nil
}

// pull returns pull request n as it is now; ErrNotFound. Its Labels are shared.
func (v *view) pull(n int) (forge.Pull, error) {
	rec, ok := v.idx.pulls[n]
	if !ok {
		return forge.Pull{}, fmt.Errorf("pull request #%d: %w", n, forge.ErrNotFound)
	}
	if rec.State != forge.Open {
		return rec.Pull, nil
	}
	now := derivation{blob: rec.blob, base: v.refs[branchRef(rec.Base)], head: v.refs[branchRef(rec.Head)]}
	v.f.mu.Lock()
	known, ok := v.f.derived[n]
	v.f.mu.Unlock()
	if ok && known.blob == now.blob && known.base == now.base && known.head == now.head {
		return known.pull, nil
	}
	var err error
	if now.pull, err = v.f.derive(rec.record, now.base, now.head); err != nil {
		return forge.Pull{}, fmt.Errorf("pull request #%d: %w", n, err)
	}
	v.f.mu.Lock()
	v.f.derived[n] = now
	v.f.mu.Unlock()
	return now.pull, nil
}

// open returns the open pull request with this head branch.
func (v *view) open(head string) (forge.Pull, bool, error) {
	for _, n := range slices.Backward(v.idx.numbers) {
		if rec := v.idx.pulls[n]; rec.State != forge.Open || rec.Head != head {
			continue
		}
		p, err := v.pull(n)
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
