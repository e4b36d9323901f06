package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// A Method says how a pull request is merged.
type Method string

// The methods, as other forges have them.
const (
	ByMerge  Method = "merge"  // a merge commit with base and head as its parents
	BySquash Method = "squash" // one commit on the base
	ByRebase Method = "rebase" // the commits again, one by one, on the base; merge commits are left out
)

// MergeOptions of MergeWith. The zero value makes a merge commit of whatever the head is.
type MergeOptions struct {
	Method  Method // default ByMerge
	HeadID  string // the head that was reviewed; "" for any
	Message string // body of the commit; default none, for a squash the messages of its commits. A rebase keeps its own.
	Draft   bool   // merge a draft, too
}

// A ConflictError names what does not merge. It is a forge.ErrConflict.
type ConflictError struct {
	Commit    string // that does not apply, when rebasing
	Conflicts []gitstore.MergeConflict
}

// Error names up to ten paths.
func (e *ConflictError) Error() string {
	var b strings.Builder
	if e.Commit != "" {
		fmt.Fprintf(&b, "commit %.10s: ", e.Commit)
	}
	for i, c := range e.Conflicts {
		if i == 10 {
			fmt.Fprintf(&b, "and %d more, ", len(e.Conflicts)-i)
			break
		}
		fmt.Fprintf(&b, "%s (%s), ", showPath(c.Path), c.Reason)
	}
	return strings.TrimSuffix(b.String(), ", ") + ": " + forge.ErrConflict.Error()
}

// Unwrap returns forge.ErrConflict.
func (e *ConflictError) Unwrap() error { return forge.ErrConflict }

// Merge implements forge.Forge.
func (f *Forge) Merge(ctx context.Context, n int, headID, message string) (forge.Pull, error) {
	if headID == "" {
		return forge.Pull{}, fmt.Errorf("merge pull request #%d: no head given: %w", n, forge.ErrMoved)
	}
	return f.MergeWith(ctx, n, MergeOptions{HeadID: headID, Message: message})
}

// MergeWith merges pull request n: ErrMoved, ErrConflict (a *ConflictError
// where it has paths), ErrNotFound if a branch is gone, ErrNotAllowed for a
// draft that was not asked for as one, what is closed, a protected base or a server that refuses the push.
// Merging what is merged returns it.
//
// Base branch and forge move together where the remote can do that. Elsewhere
// the forge notes first what is about to land; whoever reads it then sees from
// the base branch whether it did.
func (f *Forge) MergeWith(ctx context.Context, n int, o MergeOptions) (forge.Pull, error) {
	var err error
	if o.Message, err = forge.CleanBody(o.Message); err != nil {
		return forge.Pull{}, fmt.Errorf("merge pull request #%d: %w", n, err)
	}
	got, err := f.merge(ctx, n, o)
	if errors.Is(err, gitstore.ErrRefused) {
		err = fmt.Errorf("%w: %w", forge.ErrNotAllowed, err)
	}
	if err != nil {
		return forge.Pull{}, fmt.Errorf("merge pull request #%d: %w", n, err)
	}
	return got, nil
}

func (f *Forge) merge(ctx context.Context, n int, o MergeOptions) (forge.Pull, error) {
	for lost := 0; ; lost++ {
		var got forge.Pull
		var land gitstore.Update // the base branch's, if still to be pushed
		err := f.update(ctx, fresh, func(c *change) (err error) {
			got, land, err = c.merge(n, o)
			got = c.shown(got)
			return err
		})
		if err != nil || land.New.IsZero() {
			return got, err
		}
		pushed := f.store.Push(ctx, land)
		if errors.Is(pushed, gitstore.ErrStale) && lost < attempts {
			continue
		}
		if pushed != nil && !errors.Is(pushed, gitstore.ErrUnknownOutcome) {
			return got, pushed
		}
		seen, err := f.settlePull(ctx, n)
		switch {
		case err == nil && seen.State == forge.Merged:
			return seen, nil
		case pushed == nil: // it landed; that the forge says so can wait
			f.log.DebugContext(ctx, "merge not written down yet", "pull", n, "error", err)
			return got, nil
		}
		return got, errors.Join(pushed, err)
	}
}

// settlePull writes down that pull request n is merged, if so, and returns it.
func (f *Forge) settlePull(ctx context.Context, n int) (got forge.Pull, err error) {
	err = f.update(ctx, fresh, func(c *change) (err error) {
		defer func() { got = c.shown(got) }()
		e, err := c.idx.entry(n)
		if err != nil {
			return err
		}
		if got, err = c.now(e); err != nil || got.State != forge.Merged || e.State == forge.Merged {
			return err
		}
		c.what = fmt.Sprintf("#%d merged: %s", n, got.Title)
		return c.setPull(got)
	})
	return got, err
}

// merge merges pull request n and returns it as it is then. Where the remote
// cannot move two refs together it returns the base branch's update, to be
// pushed after the change.
func (c *change) merge(n int, o MergeOptions) (forge.Pull, gitstore.Update, error) {
	none := gitstore.Update{}
	p, err := c.pull(n)
	if err != nil || p.State == forge.Merged {
		return p, none, err
	}
	if err := c.mayMerge(p, o); err != nil {
		return p, none, err
	}
	head, err := c.tips(p)
	if err != nil {
		return p, none, err
	}
	base := c.refs[branchRef(p.Base)]
	tip, err := c.combine(p, base, head, o)
	if err != nil {
		return p, none, err
	}
	up := gitstore.Update{Ref: branchRef(p.Base), Old: base, New: tip}
	merged := p
	merged.State, merged.HeadID, merged.MergeCommit = forge.Merged, head.String(), tip.String()
	merged.ClosedBy, merged.Updated = c.f.user, c.f.today()
	rec := record{Pull: merged, BaseID: base}
	if c.f.store.Atomic() {
		c.also = []gitstore.Update{up}
		c.what = fmt.Sprintf("#%d merged: %s", n, p.Title)
		return merged, none, c.put(pullPath(n), rec)
	}
	rec.Pull = p
	rec.Landing = &landing{Commit: tip, Head: head, By: c.f.user, At: merged.Updated}
	c.what = fmt.Sprintf("#%d about to be merged: %s", n, p.Title)
	return merged, up, c.put(pullPath(n), rec)
}

// mayMerge applies the rules.
func (c *change) mayMerge(p forge.Pull, o MergeOptions) error {
	switch {
	case p.State == forge.Closed:
		return fmt.Errorf("is closed: %w", forge.ErrNotAllowed)
	case o.HeadID != "" && o.HeadID != p.HeadID:
		return fmt.Errorf("head is %s, not %.40s: %w", p.HeadID, o.HeadID, forge.ErrMoved)
	case p.Draft && !o.Draft:
		return fmt.Errorf("is a draft: %w", forge.ErrNotAllowed)
	case slices.Contains(c.f.protect, p.Base):
		return fmt.Errorf("branch %s is protected: %w", p.Base, forge.ErrNotAllowed)
	}
	return nil
}

// combine writes the commits that merging adds to base, and returns the last one.
func (c *change) combine(p forge.Pull, base, head gitstore.ID, o MergeOptions) (gitstore.ID, error) {
	switch o.Method {
	case ByRebase:
		return c.f.rebase(base, head)
	case BySquash, ByMerge, "":
	default:
		return gitstore.ID{}, fmt.Errorf("method %.20q: %w", o.Method, forge.ErrInvalid)
	}
	tree, err := c.f.mergeTrees(base, head, "")
	if err != nil {
		return gitstore.ID{}, err
	}
	parents := []gitstore.ID{base, head}
	author, subject, body := c.f.signature(), fmt.Sprintf("Merge pull request #%d: %s", p.Number, p.Title), o.Message
	if o.Method == BySquash {
		parents, subject = parents[:1], fmt.Sprintf("%s (#%d)", p.Title, p.Number)
		var own string
		if author, own, err = c.f.squashed(base, head); err != nil {
			return gitstore.ID{}, err
		}
		body = cmp.Or(body, own)
	}
	commit, err := c.f.store.CommitTree(tree, parents, author, strings.TrimRight(subject+"\n\n"+body, "\n")+"\n")
	return commit.ID, err
}

// mergeTrees returns the tree of theirs merged into ours; commit is what a conflict names.
func (f *Forge) mergeTrees(ours, theirs gitstore.ID, commit string) (gitstore.ID, error) {
	res, err := f.store.Merge(ours, theirs)
	switch {
	case errors.Is(err, gitstore.ErrUnrelated):
		return gitstore.ID{}, fmt.Errorf("%w: %w", forge.ErrConflict, err)
	case err != nil:
		return gitstore.ID{}, err
	case len(res.Conflicts) > 0:
		return gitstore.ID{}, &ConflictError{Commit: commit, Conflicts: res.Conflicts}
	}
	return res.Tree, nil
}

// squashed returns the author and the message of a squash: the newest commit's author, and what the
// commits say. People named in trailers must not get lost.
func (f *Forge) squashed(base, head gitstore.ID) (gitstore.Signature, string, error) {
	tip, err := f.store.CommitAt(head)
	if err != nil {
		return gitstore.Signature{}, "", err
	}
	var said []string
	size := 0
	err = f.store.Log(head, []gitstore.ID{base}, func(c gitstore.Commit) error {
		text := strings.TrimSpace(strings.ToValidUTF8(c.Message, "\uFFFD"))
		if size += len(text) + len("\n\n"); size > forge.MaxBody {
			return gitstore.ErrStop
		}
		if len(c.Parents) < 2 {
			said = append(said, text)
		}
		return nil
	})
	slices.Reverse(said)
	return tip.Author, strings.Join(said, "\n\n"), err
}

// rebase writes the commits of head that base has not once more on top of base
// and returns the last one. Those that change nothing there are left out;
// ErrEmpty if that leaves none.
func (f *Forge) rebase(base, head gitstore.ID) (gitstore.ID, error) {
	var commits []gitstore.Commit
	err := f.store.Log(head, []gitstore.ID{base}, func(c gitstore.Commit) error {
		if len(c.Parents) < 2 {
			commits = append(commits, c)
		}
		return nil
	})
	if err != nil {
		return gitstore.ID{}, err
	}
	tip := base
	for _, c := range slices.Backward(commits) {
		if tip, err = f.pick(tip, c); err != nil {
			return gitstore.ID{}, err
		}
	}
	if tip == base {
		return gitstore.ID{}, fmt.Errorf("no commit changes anything: %w", forge.ErrEmpty)
	}
	return tip, nil
}

// pick writes on top of onto what commit changed, and returns onto if that is nothing.
func (f *Forge) pick(onto gitstore.ID, commit gitstore.Commit) (gitstore.ID, error) {
	ours, err := f.store.CommitAt(onto)
	if err != nil {
		return gitstore.ID{}, err
	}
	// A commit with onto's files beside the one to pick has the merge base that is wanted: its parent. It is never pushed.
	beside, err := f.store.CommitTree(ours.Tree, commit.Parents, commit.Author, "beside\n")
	if err != nil {
		return gitstore.ID{}, err
	}
	tree, err := f.mergeTrees(beside.ID, commit.ID, commit.ID.String())
	if err != nil || tree == ours.Tree {
		return onto, err
	}
	picked, err := f.store.CommitTree(tree, []gitstore.ID{onto}, commit.Author, commit.Message)
	return picked.ID, err
}

// showPath returns a path as it may be shown: quoted if it could lead a terminal astray.
func showPath(p string) string {
	if utf8.ValidString(p) && forge.CleanTitle(p) == p {
		return p
	}
	return fmt.Sprintf("%q", p)
}

// Protected reports whether the branch is among Options.Protect. It returns no error.
func (f *Forge) Protected(_ context.Context, branch string) (bool, error) {
	return slices.Contains(f.protect, branch), nil
}
