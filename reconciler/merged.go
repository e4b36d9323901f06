package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/report"
)

// merged says where on the tracked branch a pull request came in.
type merged struct {
	before, after gitstore.ID
	inside        map[gitstore.ID]bool // its own commits
}

// mergeOf reports whether the pull request is merged: the forge says so, or its head is
// reachable from the tracked branch.
func (p *pass) mergeOf(ctx context.Context, pr proposal, pull *forge.Pull) (merged, bool, error) {
	head := pr.Head
	if pull != nil {
		if id, err := gitstore.ParseID(pull.HeadID); err == nil {
			head = id
		}
		if pull.State == forge.Merged {
			if id, err := gitstore.ParseID(pull.MergeCommit); err == nil {
				return p.forgeMerged(ctx, pr, head, id)
			}
		}
	}
	reachable, err := p.store.IsAncestor(head, p.head)
	if errors.Is(err, gitstore.ErrMissing) {
		return merged{}, false, nil
	}
	if err != nil || !reachable || head == pr.Base {
		return merged{}, false, err
	}
	// The oldest commit of the tracked branch's own line from which the head is reachable.
	at := p.head
	for range maxHistory {
		c, err := p.store.CommitAt(at)
		if err != nil {
			return merged{}, false, err
		}
		if len(c.Parents) == 0 {
			break
		}
		still, err := p.store.IsAncestor(head, c.Parents[0])
		if err != nil {
			return merged{}, false, err
		}
		if !still {
			break
		}
		at = c.Parents[0]
	}
	m, err := p.mergeRange(pr, head, at)
	return m, true, err
}

// forgeMerged is a merge that the forge tells of. Where history was rewritten since, so that the
// merge is no longer part of it, nothing was decided: the proposal is over, and drift is proposed anew.
func (p *pass) forgeMerged(ctx context.Context, pr proposal, head, at gitstore.ID) (merged, bool, error) {
	ok, err := p.store.IsAncestor(at, p.head)
	if err != nil && !errors.Is(err, gitstore.ErrMissing) {
		return merged{}, false, err
	}
	if err == nil && ok {
		m, err := p.mergeRange(pr, head, at)
		return m, true, err
	}
	now, err := p.store.Sync(ctx)
	if err != nil {
		return merged{}, false, fmt.Errorf("sync: %w", err)
	}
	if now[p.refs.tracked] != p.head {
		return merged{}, false, fmt.Errorf("%s moved while this pass was under way: %w", p.Branch, gitstore.ErrStale)
	}
	return merged{}, true, nil
}

// mergeRange finds what the tracked branch was before: the first parent of a merge commit and of a squashed one; for
// rebased commits, as far back as they bear the messages of the branch, in its order. Messages may be everybody's ("Update
// queue.yaml"), so each stands for one commit. Where the branch is gone, ours are told by their trailers.
func (p *pass) mergeRange(pr proposal, head, at gitstore.ID) (merged, error) {
	m := merged{after: at, inside: map[gitstore.ID]bool{}}
	var own []string // messages of the branch that were not met yet, newest first
	err := p.store.Log(head, []gitstore.ID{pr.Base}, func(c gitstore.Commit) error {
		own = append(own, c.Message)
		m.inside[c.ID] = true
		if len(m.inside) >= maxHistory {
			return gitstore.ErrStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, gitstore.ErrMissing) {
		return m, err // the branch may be gone after a squash
	}
	gone := len(own) == 0
	ours := func(c gitstore.Commit) bool {
		i := slices.Index(own, c.Message)
		own = own[i+1:]
		return i >= 0 || gone && report.ParseTrailers(c.Message).Environment == p.Name
	}
	c, err := p.store.CommitAt(at)
	if err != nil {
		return m, err
	}
	delete(m.inside, at)
	rebased := ours(c) || gone
	for {
		if len(c.Parents) == 0 {
			m.before = gitstore.ID{}
			return m, nil
		}
		m.before = c.Parents[0]
		if len(c.Parents) > 1 || !rebased || m.before == pr.Base {
			return m, nil
		}
		if c, err = p.store.CommitAt(m.before); err != nil {
			return m, err
		}
		if !ours(c) {
			return m, nil
		}
		m.inside[m.before] = true
	}
}
