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

// maxHistory bounds how many commits of a branch one pass looks back over.
const maxHistory = 500

// baseNow is base as this pass has moved it so far, under the scope of the reading that gave it.
func (p *pass) baseNow() *resource.Snapshot {
	return p.base.snapshot().With(p.baseUp).WithOptions(resource.Options{Scope: p.st.seen.Scope})
}

// setBase makes the value base of k; nil is absence.
func (p *pass) setBase(k resource.Key, r *resource.Resource) {
	if r != nil {
		r = &resource.Resource{Key: k, Spec: r.Spec}
	}
	p.baseUp[k] = r
	delete(p.st.seen.Born, k)
	delete(p.st.decisions.Reverted, k)
}

// setBaseNow is setBase with a value that live may never have had: what live was until now is
// older than it.
func (p *pass) setBaseNow(k resource.Key, r *resource.Resource) {
	p.setBase(k, r)
	if p.seen.Hash(k) == hashAt(r, k) {
		return
	}
	if p.st.seen.Born == nil {
		p.st.seen.Born = map[resource.Key]gitstore.ID{}
	}
	p.st.seen.Born[k] = p.live.commit
}

// moveBase applies what people decided since the last pass: requests, the fate of our
// pull requests (rules 3 and 5), and commits by which Git caught up with live (rule 4).
func (p *pass) moveBase(ctx context.Context) error {
	if err := p.heldMerges(ctx); err != nil {
		return err
	}
	p.cameIn = map[resource.Key]gitstore.ID{}
	inside, err := p.proposalsDecided(ctx)
	if err != nil {
		return err
	}
	// After the pull requests: who asks to revert what live says now has the last word on it.
	if err := p.answerRequests(); err != nil {
		return err
	}
	if err := p.caughtUp(inside); err != nil {
		return fmt.Errorf("history of %s: %w", p.Branch, err)
	}
	// These commits are decided on together with the proposals that came in by them: a state that has
	// one without the other would take a pull request's own commits for decisions.
	if p.st.seen.Head != p.head && p.atRest == p.st.seen.Head {
		p.st.seen.Good = p.st.seen.Head
	}
	if p.st.seen.Head != p.head {
		p.decided = p.st.seen.Head
	}
	p.st.seen.Head, p.st.seen.Branch, p.st.seen.Path = p.head, p.Branch, p.Path
	p.expire()
	return nil
}

// proposalsDecided looks after our pull requests. It returns the commits that were made
// inside of those that were merged: they are no decisions about the tracked branch.
func (p *pass) proposalsDecided(ctx context.Context) (inside map[gitstore.ID]bool, err error) {
	inside = map[gitstore.ID]bool{}
	p.wereOpen = map[string]bool{}
	var left []proposal
	for _, pr := range p.st.seen.Proposals {
		pull, err := p.pullOf(ctx, pr, inside)
		if err != nil {
			return nil, err
		}
		as := pr
		p.wereOpen[pr.Branch] = pull != nil && pull.State == forge.Open
		if pull != nil { // also one that is open: Git may say that it was merged, before the forge does
			if as, err = p.asDecided(pr, pull.HeadID); err != nil {
				return nil, fmt.Errorf("pull request %s: %w", pr.Branch, err)
			}
		}
		m, merged, err := p.mergeOf(ctx, as, pull)
		if err != nil {
			return nil, fmt.Errorf("pull request %s: %w", pr.Branch, err)
		}
		switch {
		case merged:
			if err := p.accepted(as, m); err != nil {
				return nil, fmt.Errorf("pull request %s: %w", pr.Branch, err)
			}
			maps.Copy(inside, m.inside)
			continue
		case pull != nil && pull.State == forge.Closed && !pr.Closed:
			ours, err := p.closedByUs(ctx, *pull)
			if err != nil {
				return nil, fmt.Errorf("pull request %s: %w", pr.Branch, err)
			}
			if ours {
				continue // it was withdrawn, and that was cut off
			}
			if err := p.rejected(as); err != nil {
				return nil, err
			}
			pr.Closed = true // all its versions are kept: the newest may be merged from another pull request of its branch
		case pull != nil && pull.State == forge.Open && pr.Closed:
			p.askAgain(pr)
			pr.Closed = false
		}
		left = append(left, pr)
	}
	p.st.seen.Proposals = left
	return inside, nil
}

// pullOf finds the pull request of a proposal, which may not exist yet. Where there are two,
// because one was decided while the other was made, the decided one counts; open is closed then.
func (p *pass) pullOf(ctx context.Context, pr proposal, inside map[gitstore.ID]bool) (*forge.Pull, error) {
	pulls, err := p.r.c.Forge.Pulls(ctx, forge.Filter{Head: pr.Branch})
	if err != nil {
		return nil, fmt.Errorf("pull requests of %s: %w", pr.Branch, err)
	}
	var best *forge.Pull
	for i, pull := range pulls {
		ours, err := p.proposedBy(pr, pull)
		if err != nil {
			return nil, err
		}
		if !ours {
			continue
		}
		if best != nil && best.State == forge.Merged && pull.State == forge.Merged {
			if err := p.twinMerged(ctx, pr, pull, inside); err != nil {
				return nil, err
			}
		}
		if best == nil || pull.State == forge.Merged && best.State != forge.Merged {
			if best != nil && best.State == forge.Open {
				p.st.seen.Orphans = append(p.st.seen.Orphans, pr.Branch)
			}
			best = &pulls[i]
		}
	}
	return best, nil
}

// twinMerged is the fate of a second merged pull request of one proposal: it was opened while the first was being merged, and
// both came in.
func (p *pass) twinMerged(ctx context.Context, pr proposal, pull forge.Pull, inside map[gitstore.ID]bool) error {
	as, err := p.asDecided(pr, pull.HeadID)
	if err != nil {
		return err
	}
	m, merged, err := p.mergeOf(ctx, as, &pull)
	if err != nil || !merged {
		return err
	}
	maps.Copy(inside, m.inside)
	return p.accepted(as, m)
}

// proposedBy reports whether a pull request is that of the proposal: by its number, or because its head
// is a version of ours or built on it.
func (p *pass) proposedBy(pr proposal, pull forge.Pull) (bool, error) {
	if pr.Number != 0 && pull.Number == pr.Number {
		return true, nil
	}
	head, err := gitstore.ParseID(pull.HeadID)
	if err != nil {
		return false, nil // a head that is gone is nobody's
	}
	if pr.made(head) {
		return true, nil
	}
	for _, v := range pr.versions() {
		if v.Head.IsZero() {
			continue
		}
		ours, err := p.store.IsAncestor(v.Head, head)
		if ours || err != nil && !errors.Is(err, gitstore.ErrMissing) {
			return ours, err
		}
	}
	return false, nil
}

// asDecided returns the proposal as it was when people decided about it: they may have
// merged or closed it while this or another pass was rebuilding its branch. Where that cannot be
// told, because the head is gone, only what all versions have in common was decided.
func (p *pass) asDecided(pr proposal, head string) (proposal, error) {
	id, err := gitstore.ParseID(head)
	if err != nil {
		return pr, nil
	}
	for _, v := range slices.Backward(pr.versions()) {
		within := v.Head == id
		if !within {
			if within, err = p.store.IsAncestor(v.Head, id); err != nil && !errors.Is(err, gitstore.ErrMissing) {
				return pr, err
			}
		}
		if within {
			pr.Base, pr.Keys = v.Base, v.Keys
			if v.Head != pr.Head {
				pr.Foreign = false
			}
			return pr, nil
		}
	}
	pr.Keys = pr.common()
	return pr, nil
}

// accepted is rule 3: where the merge changed an object that the pull request proposed,
// base becomes the proposed value, also when people edited it before merging.
func (p *pass) accepted(pr proposal, m merged) error {
	if m.after.IsZero() {
		return nil
	}
	before, err := p.want.at(p.store, m.before)
	if err != nil {
		return err
	}
	after, err := p.want.at(p.store, m.after)
	if err != nil {
		return err
	}
	p.st.seen.noteAccept(m.after)
	history := liveHistory{p: p}
	for _, k := range slices.SortedFunc(maps.Keys(pr.Keys), resource.Key.Compare) {
		if before.snapshot().Hash(k) == after.snapshot().Hash(k) {
			continue // dropped from the pull request: it stays drift
		}
		r, known, err := history.value(k, pr.Keys[k])
		if err != nil {
			return err
		}
		if !known {
			p.log.Warn("the proposed value is no longer in the live branch's history", "key", k.String())
			continue
		}
		p.setBase(k, r)
		p.cameIn[k] = m.after
		delete(p.st.decisions.Accepted, k)
	}
	if pr.Init {
		p.st.seen.Adopted = true
	}
	if ref := "refs/heads/" + pr.Branch; p.git[ref] == pr.Head {
		p.pending = append(p.pending, gitstore.Update{Ref: ref, Old: pr.Head}) // its work is done
	}
	p.log.Info("pull request merged", "branch", pr.Branch, "objects", len(pr.Keys), "commit", m.after.String())
	return nil
}

// rejected: closing without a word silences the values, or reverts them where the operator configured that. Of the
// first import it silences them always: nothing may be written to the platform before that is merged, so rejecting it is no
// word that what Git does not have is to go.
func (p *pass) rejected(pr proposal) error {
	p.log.Info("pull request closed by a person", "branch", pr.Branch, "objects", len(pr.Keys))
	if p.OnClose == "revert" && !pr.Init {
		return p.revert(pr.Keys)
	}
	if p.st.decisions.Silenced == nil {
		p.st.decisions.Silenced = map[resource.Key]resource.Hash{}
	}
	maps.Copy(p.st.decisions.Silenced, pr.Keys)
	for k := range pr.Keys { // also where it was left for a reviewer: who opens it again asks again
		delete(p.st.decisions.Accepted, k)
	}
	return nil
}

func (p *pass) unsilence(keys map[resource.Key]resource.Hash) {
	for k, h := range keys {
		if p.st.decisions.Silenced[k] == h {
			delete(p.st.decisions.Silenced, k)
		}
	}
}

// revert is rule 5: base moves to live's value, so that want is pending deployment. What is no
// longer as the person saw it is left alone.
func (p *pass) revert(keys map[resource.Key]resource.Hash) error {
	for _, k := range slices.SortedFunc(maps.Keys(keys), resource.Key.Compare) {
		if !p.stillAs(k, keys[k]) || keys[k].IsZero() && !p.seen.Covers(k) {
			continue
		}
		r, err := p.seen.Resource(k)
		if err != nil {
			return fmt.Errorf("revert %s: %w", k, err)
		}
		p.setBase(k, r)
		p.noteReverted(k)
		delete(p.st.decisions.Silenced, k)
		delete(p.st.decisions.Accepted, k)
	}
	return nil
}

// caughtUp is rule 4: for every commit since the last pass in which want of an object
// equalled a value that live has had since base, base becomes that value; the newest wins. Our own proposals are no
// decisions: what people did with them is, and a pull request that came in twice may bring one along that was edited since.
func (p *pass) caughtUp(inside map[gitstore.ID]bool) error {
	if p.st.seen.Head.IsZero() || p.st.seen.Head == p.head {
		return nil
	}
	// Where history was rewritten and somebody accepted that, no commit tells that it came after live's value: the
	// same decision may have been made long ago. The values are drift until people decide again.
	if since, err := p.store.IsAncestor(p.st.seen.Head, p.head); err != nil && !errors.Is(err, gitstore.ErrMissing) {
		return err
	} else if err != nil || !since {
		return nil
	}
	var commits []gitstore.Commit // oldest first
	err := p.store.Log(p.head, []gitstore.ID{p.st.seen.Head}, func(c gitstore.Commit) error {
		if !inside[c.ID] && report.ParseTrailers(c.Message).Environment != p.Name {
			commits = append(commits, c)
		}
		if len(commits) >= maxHistory {
			return gitstore.ErrStop
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(commits)
	had := liveHistory{p: p, born: maps.Clone(p.st.seen.Born)}
	for _, c := range commits {
		if err := p.commitCaughtUp(c, &had); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) commitCaughtUp(c gitstore.Commit, had *liveHistory) error {
	base := p.baseNow() // as the commits before this one moved it: what live had before that is older than Git's word
	after, err := p.want.at(p.store, c.ID)
	if err != nil {
		return err
	}
	before := treeAt{layout: p.want.layout, cache: p.want.cache}
	if len(c.Parents) > 0 {
		if before, err = p.want.at(p.store, c.Parents[0]); err != nil {
			return err
		}
	}
	for k, h := range differing(before.snapshot(), before.snapshot(), after.snapshot()) {
		if p.equal(k, base, after.snapshot()) || !after.snapshot().Covers(k) && h.live.IsZero() {
			continue
		}
		if at, merged := p.cameIn[k]; merged {
			if older, err := p.store.IsAncestor(c.ID, at); err != nil || older {
				continue // base is of a later merge
			}
		}
		if lived, err := had.had(k, after.snapshot(), base); err != nil {
			return err
		} else if !lived {
			continue
		}
		r, err := after.snapshot().Resource(k)
		if err != nil {
			return err
		}
		p.setBase(k, r)
	}
	return nil
}
