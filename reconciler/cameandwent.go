package reconciler

import (
	"context"
	"errors"
	"fmt"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// maxNewest bounds how many pull requests are looked at that were merged lately.
const maxNewest = 50

// findMerges finds the pull requests of people that were opened and merged between two passes: no pass saw them open, and they
// are to hear what became of them like any other. The forge is asked only where the tracked branch moved.
func (p *pass) findMerges(ctx context.Context) error {
	since := p.st.seen.Looked
	if since == p.head {
		return nil
	}
	if since.IsZero() { // what was merged before is no news
		p.st.seen.Looked = p.head
		return nil
	}
	pulls, err := p.r.c.Forge.Pulls(ctx, forge.Filter{State: forge.Merged, Base: p.Branch, Newest: maxNewest})
	if err != nil {
		return p.later(ctx, "list what was merged", 0, err)
	}
	for _, pull := range pulls {
		if _, known := p.st.seen.Told[pull.Number]; known || p.ours(pull) || pull.Fork && !p.Announce.Forks {
			continue
		}
		if err := p.findMerged(pull, since); err != nil {
			return p.later(ctx, "what it changed", pull.Number, err)
		}
	}
	p.st.seen.Looked = p.head
	return nil
}

// findMerged notes a pull request that came in since a commit and changed something of this environment.
func (p *pass) findMerged(pull forge.Pull, since gitstore.ID) error {
	at, err := gitstore.ParseID(pull.MergeCommit)
	if err != nil {
		return nil // the forge does not say by which
	}
	before, err := p.isIn(at, since)
	if err != nil || before {
		return err
	}
	now, err := p.isIn(at, p.head)
	if err != nil || !now {
		return err
	}
	t := told{Branch: pull.Head, Fork: pull.Fork}
	if head, err := gitstore.ParseID(pull.HeadID); err == nil {
		t.Head = head
	}
	if _, err := p.ended([]forge.Pull{pull}, pull.Number, &t); err != nil {
		return fmt.Errorf("pull request %d: %w", pull.Number, err)
	}
	if len(t.Keys) > 0 {
		p.setTold(pull.Number, t)
	}
	return nil
}

// isIn reports whether a commit is reachable from another; one that is not there is not.
func (p *pass) isIn(c, from gitstore.ID) (bool, error) {
	in, err := p.store.IsAncestor(c, from)
	if errors.Is(err, gitstore.ErrMissing) {
		return false, nil
	}
	return in, err
}
