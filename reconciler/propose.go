package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// maxBody is how long the text of a pull request may get, in bytes; GitHub takes 65,536.
const maxBody = 60_000

// propose makes the drift pull request say exactly what live says, and closes it when
// nothing is left. What people accepted goes first; branches that people pushed to are theirs.
func (p *pass) propose(ctx context.Context, d Decision) error {
	drift := p.drift(d)
	if p.dry || p.st.decisions.Suspended != nil {
		return nil
	}
	if !p.st.seen.Adopted && p.report.Drifted == 0 && p.sawKinds() && len(p.st.seen.Proposals) == 0 {
		p.st.seen.Adopted = true // both sides agree, or Git has only what is yet to be created
	}
	drift, err := p.writable(drift)
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	theirs, err := p.foreignBranches()
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	shares := p.shares(drift, theirs)
	for i := range shares {
		if err := p.ensure(ctx, &shares[i]); err != nil {
			return fmt.Errorf("propose: %w", err)
		}
	}
	return p.withdraw(ctx, shares)
}

// sawKinds reports whether every kind was read.
func (p *pass) sawKinds() bool {
	return len(p.unread()) == 0
}

// unread are the kinds that this reading says nothing about, sorted.
func (p *pass) unread() (kinds []resource.Kind) {
	read := p.seen.Scope().Kinds
	for _, k := range p.kinds {
		if _, ok := read[k.Kind]; !ok && !k.ReferenceOnly {
			kinds = append(kinds, k.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// drift is what there is to propose, in key order; it also counts what is silenced.
func (p *pass) drift(d Decision) []Item {
	var out []Item
	p.report.Drifted, p.report.Conflicts = 0, 0
	for _, it := range d.Items {
		if it.Verdict != Record && it.Verdict != Conflict {
			continue
		}
		p.report.Drifted++
		if it.Verdict == Conflict {
			p.report.Conflicts++
		}
		if p.silent(it.Key, it.Live) {
			continue
		}
		out = append(out, p.asProposed(it))
	}
	out = append(out, p.lastKnown()...)
	slices.SortFunc(out, func(a, b Item) int { return a.Key.Compare(b.Key) })
	return out
}

// lastKnown is what stays proposed although this reading says nothing about it: not being seen
// is no reason to withdraw what people are looking at.
func (p *pass) lastKnown() []Item {
	var out []Item
	base := p.baseNow()
	for _, pr := range p.st.seen.Proposals {
		if pr.Closed || pr.Foreign {
			continue
		}
		for k, h := range pr.Keys {
			if p.sees(k) || p.live.snapshot().Hash(k) != h || p.equal(k, p.want.snapshot(), p.live.snapshot()) || p.silent(k, h) || p.rules.Ignored(k) {
				continue
			}
			if p.equal(k, base, p.live.snapshot()) || p.overtaken(k, h) {
				continue // Git decided about it
			}
			out = append(out, Item{Key: k, Verdict: Record, Live: h})
		}
	}
	return out
}

// overtaken reports whether the value that the live branch has is older than what was written in its place: whatever somebody made
// of that since, it is not this.
func (p *pass) overtaken(k resource.Key, h resource.Hash) bool {
	born, is := p.st.seen.Born[k]
	if !is {
		return false
	}
	history := liveHistory{p: p}
	for i := 0; ; i++ {
		s, ok, err := history.at(i)
		switch {
		case err != nil || !ok || s.seen.Hash(k) != h:
			return false
		case s.commit.ID == born:
			return true // also where other objects were recorded since
		}
	}
}

// sees reports whether this reading says anything about the object.
func (p *pass) sees(k resource.Key) bool {
	_, there := p.seen.Entry(k)
	return there || p.seen.Covers(k)
}

// asProposed returns the item with the value that a pull request of ours proposes already, where live differs from that in ignored
// fields only: nobody is told again of what nobody wants to know.
func (p *pass) asProposed(it Item) Item {
	if it.Live.IsZero() || !p.rules.Touches(it.Key) {
		return it
	}
	live, err := p.seen.Spec(it.Key)
	if err != nil {
		return it
	}
	history := liveHistory{p: p}
	for _, pr := range p.st.seen.Proposals {
		h := pr.Keys[it.Key]
		if pr.Closed || h.IsZero() || h == it.Live {
			continue
		}
		was, known, err := history.value(it.Key, h)
		if err != nil || !known || p.rules.Strip(it.Key, was.Spec).Hash() != p.rules.Strip(it.Key, live).Hash() {
			continue
		}
		if p.asWas == nil {
			p.asWas = map[resource.Key]*resource.Resource{}
		}
		it.Live, p.asWas[it.Key] = h, was
	}
	return it
}

// lastSeen is the object as it is proposed: as this reading has it, else as it was seen last.
func (p *pass) lastSeen(k resource.Key) (*resource.Resource, error) {
	if r, ok := p.asWas[k]; ok {
		return r, nil
	}
	if p.sees(k) {
		return p.seen.Resource(k)
	}
	return p.live.snapshot().Resource(k)
}

// writable leaves out what cannot stand in Git, such as an object whose path is taken by a
// symbolic link there. It is asked once for each head and live value, as asking costs as much as writing.
func (p *pass) writable(drift []Item) ([]Item, error) {
	if p.refusedAt != p.head {
		p.refusedAt, p.refused = p.head, map[resource.Key]refusal{}
	}
	over := resource.Overlay{}
	for _, it := range drift {
		if r, ok := p.refused[it.Key]; ok && r.live == it.Live {
			continue
		}
		r, err := p.lastSeen(it.Key)
		if err != nil {
			return nil, err
		}
		over[it.Key] = r
	}
	if !p.proposedAlready(over) {
		_, err := p.want.tree.Write(over)
		for _, bad := range keyErrors(err) {
			p.refused[bad.Key] = refusal{hashAt(over[bad.Key], bad.Key), bad.Err.Error()}
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(drift, func(it Item) bool {
		r, ok := p.refused[it.Key]
		if ok = ok && r.live == it.Live; ok {
			p.trouble = append(p.trouble, Trouble{Key: it.Key, Kind: it.Key.Kind, Reason: r.reason})
		}
		return ok
	}), nil
}

// refusal is why a live value cannot be written to Git.
type refusal struct {
	live   resource.Hash
	reason string
}

// keyErrors are the objects that a Write left out.
func keyErrors(err error) []*files.KeyError {
	if one := (*files.KeyError)(nil); err != nil && errors.As(err, &one) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			var out []*files.KeyError
			for _, e := range many.Unwrap() {
				out = append(out, keyErrors(e)...)
			}
			return out
		}
		return []*files.KeyError{one}
	}
	return nil
}

// proposedAlready reports whether all of it stands on branches of ours with this very value.
func (p *pass) proposedAlready(over resource.Overlay) bool {
	for k, r := range over {
		if !slices.ContainsFunc(p.st.seen.Proposals, func(pr proposal) bool {
			h, ok := pr.Keys[k]
			return ok && h == hashAt(r, k)
		}) {
			return false
		}
	}
	return true
}

// foreignBranches finds our branches that a person pushed to. They stay as they are, with
// the values that they propose.
func (p *pass) foreignBranches() (map[resource.Key]resource.Hash, error) {
	theirs := map[resource.Key]resource.Hash{}
	for i := range p.st.seen.Proposals {
		pr := &p.st.seen.Proposals[i]
		if tip := p.git["refs/heads/"+pr.Branch]; !tip.IsZero() && pr.keptByUs() && !pr.made(tip) {
			if err := p.takenOver(pr, tip); err != nil {
				return nil, err
			}
		}
		if pr.Foreign && !pr.Closed {
			maps.Copy(theirs, pr.Keys)
		}
	}
	return theirs, nil
}

// takenOver makes a proposal that of the person who pushed tip, as it was where they built on it: a later version may have been
// written down and never have reached the branch.
func (p *pass) takenOver(pr *proposal, tip gitstore.ID) error {
	pr.Foreign = true
	all := pr.versions()
	for i, v := range slices.Backward(all) {
		if v.Head.IsZero() {
			continue
		}
		within, err := p.store.IsAncestor(v.Head, tip)
		if err != nil && !errors.Is(err, gitstore.ErrMissing) {
			return err
		}
		if within {
			pr.Base, pr.Head, pr.At, pr.Keys, pr.Former = v.Base, v.Head, v.At, v.Keys, all[:i]
			return nil
		}
	}
	return nil // they wrote it anew
}

// upToDate reports whether the branch says what live says, and still merges cleanly.
func (p *pass) upToDate(pr proposal, items []Item) (bool, error) {
	if pr.Head.IsZero() || !maps.Equal(pr.Keys, keysOf(items)) || p.git["refs/heads/"+pr.Branch] != pr.Head {
		return false, nil
	}
	if pr.Base == p.head {
		return true, nil
	}
	m, err := p.store.Merge(p.head, pr.Head)
	if err != nil {
		return false, err
	}
	if len(m.Conflicts) > 0 {
		return false, nil
	}
	// It must also still come out as live is: somebody may have changed the shared object below an overlay.
	c, err := p.store.Write(p.head, []gitstore.ID{p.head}, m.Edit, gitstore.Signature{When: p.start}, "merge preview")
	if err != nil {
		return false, err
	}
	at, err := p.want.at(p.store, c.ID)
	if err != nil {
		return false, err
	}
	for k, h := range pr.Keys {
		if at.snapshot().Hash(k) != h {
			return false, nil
		}
	}
	return true, nil
}

// rebuild writes the branch anew on the tracked branch's head: a commit per person and cluster.
func (p *pass) rebuild(ctx context.Context, s share) (proposal, error) {
	over := resource.Overlay{}
	for _, it := range s.items {
		r, err := p.lastSeen(it.Key)
		if err != nil {
			return proposal{}, err
		}
		over[it.Key] = r
	}
	who := p.whoChanged(over)
	at := p.want
	for _, g := range clusters(over, who) {
		objects, err := p.changesOf(&at, g)
		if err != nil {
			return proposal{}, err
		}
		e, err := at.tree.Write(g.overlay)
		if err != nil {
			return proposal{}, err
		}
		if len(e) == 0 {
			continue
		}
		author := p.author(g.by)
		author.When = g.by.When
		c, err := p.writeCommit(at.commit, e, author, report.CommitMessage(p.Name, objects))
		if err != nil {
			return proposal{}, err
		}
		if at, err = at.at(p.store, c.ID); err != nil {
			return proposal{}, err
		}
	}
	pr := &p.st.seen.Proposals[s.slot]
	old := p.git["refs/heads/"+pr.Branch]
	if at.commit == p.head {
		return proposal{}, nil // live is what Git says after all: nothing to propose
	}
	number := pr.Number
	if pr.Closed {
		number = 0
	}
	former := pr.Former
	if !pr.Head.IsZero() && !pr.Closed {
		former = pr.versions()
		former = former[max(0, len(former)-maxVersions):]
	}
	*pr = proposal{Branch: pr.Branch, Former: former, Base: p.head, Head: at.commit, At: p.r.c.Clock.Now().UTC(), Keys: keysOf(s.items), Init: !p.st.seen.Adopted, Accepted: s.accept, Number: number}
	if old == at.commit {
		return *pr, nil
	}
	next := *pr
	return next, p.push(ctx, "propose", nil, gitstore.Update{Ref: "refs/heads/" + pr.Branch, Old: old, New: at.commit})
}
