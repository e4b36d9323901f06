package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// Rollback says what becomes of commits that could not be deployed.
type Rollback struct {
	// Auto proposes their revert.
	Auto bool
	// Push puts such a revert, and one that was asked for, on the tracked branch without waiting for people, where it concerns
	// this environment alone. Where the branch is protected, it is proposed, and merged if the forge's rules permit that.
	Push bool
}

// A revertion is a pull request of ours that takes something back: what could not be deployed, or what somebody asked for.
type revertion struct {
	ID     string      `json:"id"` // of the deployment that failed, or of the request
	Branch string      `json:"branch"`
	Base   gitstore.ID `json:"base,omitzero"` // commit of the tracked branch that it was built on
	Head   gitstore.ID `json:"head,omitzero"` // commit that we put on the branch; zero before it is built
	// To is the commit that a rollback on request goes back to, By and Reason who asked and why; they are zero after a failure.
	To     gitstore.ID `json:"to,omitzero"`
	By     string      `json:"by,omitempty"`
	Reason string      `json:"reason,omitempty"`
	// Closed is set when a person closed it, Foreign when one pushed to it: it is theirs then.
	Closed  bool `json:"closed,omitempty"`
	Foreign bool `json:"foreign,omitempty"`
	// Left is where the tracked branch was when the forge refused to merge it, or when nothing could be built.
	Left gitstore.ID `json:"left,omitzero"`
}

// proposeReverts makes a pull request for every deployment whose failure still holds objects, and for every rollback that was
// asked for; it closes those that are moot.
func (p *pass) proposeReverts(ctx context.Context) error {
	if p.dry || p.st.decisions.Suspended != nil {
		return nil
	}
	for _, h := range p.st.decisions.Holds {
		if p.Rollback.Auto && !slices.ContainsFunc(p.st.seen.Reverts, func(r revertion) bool { return r.ID == h.Deployment }) {
			p.st.seen.Reverts = append(p.st.seen.Reverts, revertion{ID: h.Deployment, Branch: p.refs.revert + "-" + h.Deployment})
		}
	}
	var left []revertion
	for _, r := range p.st.seen.Reverts {
		keep, err := p.proposeRevert(ctx, &r)
		if err != nil {
			return fmt.Errorf("revert %s: %w", r.ID, err)
		}
		if keep {
			left = append(left, r)
		}
	}
	p.st.seen.Reverts = left
	return nil
}

// proposeRevert looks after one revert, and reports whether it is still wanted.
func (p *pass) proposeRevert(ctx context.Context, r *revertion) (keep bool, err error) {
	pull, err := p.revertPull(ctx, *r)
	if err != nil {
		return false, err
	}
	if pull != nil && pull.State == forge.Merged {
		p.log.Info("revert merged", "pull", pull.Number, "branch", r.Branch)
		p.dropBranch(*r)
		return false, nil
	}
	if pull != nil && pull.State == forge.Closed {
		r.Closed = true
	}
	moot, err := p.moot(*r)
	if err != nil {
		return false, err
	}
	if moot {
		return false, p.closeRevert(ctx, *r, pull)
	}
	tip := p.git["refs/heads/"+r.Branch]
	if r.Foreign = r.Foreign || !r.Head.IsZero() && !tip.IsZero() && tip != r.Head; r.Foreign || r.Closed {
		return true, nil
	}
	if r.Left == p.head && r.Head.IsZero() {
		return true, nil // nothing could be built on this commit
	}
	if p.git[p.refs.tracked] != p.head {
		return true, nil // another revert was pushed just now: the next pass builds on it
	}
	t, pushed, err := p.buildRevert(ctx, r)
	if err != nil || t == nil {
		return err == nil && !pushed, err
	}
	return true, p.ensureRevert(ctx, r, *t, pull)
}

// revertPull finds the pull request of a revert: its branch has a name that no other has.
func (p *pass) revertPull(ctx context.Context, r revertion) (*forge.Pull, error) {
	if r.Head.IsZero() {
		return nil, nil
	}
	pulls, err := p.r.c.Forge.Pulls(ctx, forge.Filter{Head: r.Branch})
	if err != nil || len(pulls) == 0 {
		return nil, err
	}
	return &pulls[0], nil
}

// moot reports whether there is nothing left to take back: Git wants something else by now.
func (p *pass) moot(r revertion) (bool, error) {
	if r.To.IsZero() {
		_, held := p.st.decisions.hold(r.ID)
		return !held, nil
	}
	was, err := p.wantChanged(r.To, p.head)
	if errors.Is(err, gitstore.ErrMissing) {
		return true, nil
	}
	return len(was) == 0, err
}

// closeRevert withdraws a pull request that has become moot, and its branch if that is ours.
func (p *pass) closeRevert(ctx context.Context, r revertion, pull *forge.Pull) error {
	if pull != nil && pull.State == forge.Open && !r.Foreign {
		if err := p.effect(ctx); err != nil {
			return err
		}
		if err := p.r.c.Forge.EnsureComment(ctx, pull.Number, closedComment, "Closed: Git wants something else by now, so there is nothing left to take back here."); err != nil {
			return err
		}
		if err := p.effect(ctx); err != nil {
			return err
		}
		pull.State = forge.Closed
		if _, err := p.r.c.Forge.EnsurePull(ctx, *pull); err != nil {
			return err
		}
	}
	p.dropBranch(r)
	return nil
}

// dropBranch deletes the branch of a revert that is over, unless a person pushed to it.
func (p *pass) dropBranch(r revertion) {
	if ref := "refs/heads/" + r.Branch; !r.Head.IsZero() && p.git[ref] == r.Head {
		p.pending = append(p.pending, gitstore.Update{Ref: ref, Old: r.Head})
	}
}

// buildRevert writes the branch, unless it stands there and still merges cleanly, and returns what there is to say of it; nil
// where nothing can be taken back, or where it was pushed onto the tracked branch itself.
func (p *pass) buildRevert(ctx context.Context, r *revertion) (said *takenBack, pushed bool, err error) {
	ref := "refs/heads/" + r.Branch
	stays, err := p.revertStays(*r)
	if err != nil {
		return nil, false, err
	}
	onto := p.head
	if stays {
		onto = r.Base
		if t, ok := p.takenBack[r.ID]; ok && t.head == r.Head {
			return &t, false, nil
		}
	}
	t, err := p.takeBack(*r, onto)
	if err != nil {
		return nil, false, err
	}
	if t == nil {
		p.log.Warn("nothing can be taken back", "deployment", r.ID)
		r.Left = p.head
		return nil, false, nil
	}
	if !stays {
		at := onto
		for _, s := range t.steps {
			c, err := p.store.CommitTree(s.tree, []gitstore.ID{at}, gitstore.Signature{When: p.start}, s.message)
			if err != nil {
				return nil, false, err
			}
			at = c.ID
		}
		if t.text.Pushed && r.Head.IsZero() {
			if pushed, err := p.pushRevert(ctx, *r, at); pushed || err != nil {
				return nil, pushed, err
			}
		}
		r.Base, r.Head, r.Left = onto, at, gitstore.ID{}
		p.replaceRevert(*r)
		if err := p.push(ctx, "propose a revert", nil, gitstore.Update{Ref: ref, Old: p.git[ref], New: at}); err != nil {
			return nil, false, err
		}
	}
	t.head = r.Head
	if p.takenBack == nil || len(p.takenBack) > 20 {
		p.takenBack = map[string]takenBack{}
	}
	p.takenBack[r.ID] = *t
	return t, false, nil
}

// pushRevert puts a revert that was built on the tracked branch's head onto that branch, if no rules stand before it, and reports
// whether it is there. Where the server refuses, for rules that the forge does not tell of, it is proposed like any other.
func (p *pass) pushRevert(ctx context.Context, r revertion, tip gitstore.ID) (bool, error) {
	if same, err := p.sameTree(p.head, tip); same || err != nil {
		return same, err // it was pushed, and that was cut off before it was written down
	}
	held, err := protected(ctx, p.r.c.Forge, p.Branch)
	if held || err != nil {
		return false, err
	}
	if err := p.effect(ctx); err != nil {
		return false, err
	}
	err = p.moveClaimed(ctx, gitstore.Update{Ref: p.refs.tracked, Old: p.head, New: tip})
	switch {
	case errors.Is(err, gitstore.ErrRefused), errors.Is(err, gitstore.ErrAuth):
		p.log.Warn("a revert may not be pushed: it is proposed", "branch", p.Branch, "error", err)
		return false, nil
	case err != nil:
		return false, err
	}
	p.log.Info("took back what could not stay", "branch", p.Branch, "commit", tip.String(), "deployment", r.ID)
	p.report.Again = 1 // it is a commit that the next pass decides on
	return true, nil
}

// sameTree reports whether two commits hold the same files.
func (p *pass) sameTree(a, b gitstore.ID) (bool, error) {
	one, err := p.store.CommitAt(a)
	if err != nil {
		return false, err
	}
	other, err := p.store.CommitAt(b)
	return one.Tree == other.Tree, err
}

// revertStays reports whether the branch stands as we built it, and still merges cleanly.
func (p *pass) revertStays(r revertion) (bool, error) {
	if r.Head.IsZero() || p.git["refs/heads/"+r.Branch] != r.Head {
		return false, nil
	}
	if r.Base == p.head {
		return true, nil
	}
	m, err := p.store.Merge(p.head, r.Head)
	if errors.Is(err, gitstore.ErrUnrelated) || errors.Is(err, gitstore.ErrMissing) {
		return false, nil
	}
	return len(m.Conflicts) == 0, err
}

// replaceRevert puts what was just built into the working state, so that it travels with the branch.
func (p *pass) replaceRevert(r revertion) {
	for i := range p.st.seen.Reverts {
		if p.st.seen.Reverts[i].ID == r.ID {
			p.st.seen.Reverts[i] = r
		}
	}
}

// ensureRevert makes the forge show the revert, and merges it where the operator wants that.
func (p *pass) ensureRevert(ctx context.Context, r *revertion, t takenBack, have *forge.Pull) error {
	want := forge.Pull{
		Head: r.Branch, Base: p.Branch, State: forge.Open, Title: p.conceal(t.text.Title()), Body: p.conceal(t.text.Body(maxBody)),
		Labels: []string{p.label(), "revert"},
	}
	if have == nil || !samePull(*have, want) {
		if err := p.effect(ctx); err != nil {
			return err
		}
		got, err := p.r.c.Forge.EnsurePull(ctx, want)
		if err != nil {
			return err
		}
		if have == nil {
			p.log.Info("proposed to take back what could not stay", "pull", got.Number, "commits", len(t.text.Commits))
		}
		have = &got
	}
	p.report.Pulls = append(p.report.Pulls, *have)
	if !t.text.Pushed || r.Left == p.head {
		return nil
	}
	if err := p.check(ctx, *have); err != nil {
		return err
	}
	if err := p.effect(ctx); err != nil {
		return err
	}
	_, err := p.r.c.Forge.Merge(ctx, have.Number, r.Head.String(), "")
	switch {
	case err == nil:
		p.report.Again = 1
		return nil
	case errors.Is(err, forge.ErrMoved):
		return nil
	case !isRefusal(err):
		return err
	}
	r.Left = p.head
	if err := p.effect(ctx); err != nil {
		return err
	}
	return p.r.c.Forge.EnsureComment(ctx, have.Number, "push", "Left for a reviewer to merge: "+report.Value(p.conceal(err.Error()))+".")
}

// conceal takes what must not be shown out of a text that goes to a forge.
func (p *pass) conceal(s string) string { return p.r.c.Conceal(s) }

// sortedResourceKeys are the keys of a map in order.
func sortedResourceKeys[V any](m map[resource.Key]V) []resource.Key {
	return slices.SortedFunc(maps.Keys(m), resource.Key.Compare)
}

// requestRollback takes up what somebody asked for.
func (p *pass) requestRollback(q Request) error {
	to, err := gitstore.ParseID(q.Detail)
	if err != nil {
		p.log.Warn("a rollback to what is no commit is dropped", "commit", q.Detail)
		return nil
	}
	for _, r := range p.st.seen.Reverts {
		if r.To == to && !r.Closed {
			return nil // it is proposed
		}
	}
	id := to.String()[:10] + q.At.UTC().Format("-20060102-150405")
	p.st.seen.Reverts = append(p.st.seen.Reverts, revertion{ID: id, Branch: p.refs.revert + "-" + id, To: to, By: q.By, Reason: q.Reason})
	return nil
}

// PreviewRollback tells what a rollback of the environment to a commit of its tracked branch would take back, and what Git would
// then say: nothing where it says that already, or where what is left is drift that was accepted. Nothing is changed anywhere.
func (r *Reconciler) PreviewRollback(ctx context.Context, env string, to gitstore.ID) (report.Revert, error) {
	e, ok := r.envs[env]
	if !ok {
		return report.Revert{}, fmt.Errorf("environment %s: not configured", env)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &pass{environment: e, store: r.c.Store, start: r.c.Clock.Now(), dry: true}
	if err := p.sync(ctx); err != nil {
		return report.Revert{}, err
	}
	if ok, err := p.store.IsAncestor(to, p.head); err != nil || !ok {
		return report.Revert{}, errors.Join(err, fmt.Errorf("roll back %s: %.10s is no commit of %s", env, to, p.Branch))
	}
	t, err := p.takeBack(revertion{To: to}, p.head)
	if err != nil || t == nil {
		return report.Revert{Environment: env, To: to.String()}, err
	}
	return t.text, nil
}
