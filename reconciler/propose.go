package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

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
	theirs := p.foreignBranches()
	accepted, rest := p.splitAccepted(drift, theirs)
	wanted := [][]Item{}
	for _, group := range [][]Item{accepted, rest} {
		if len(group) > 0 {
			wanted = append(wanted, group)
		}
	}
	for i, group := range wanted {
		if err := p.ensure(ctx, group, i == 0 && len(accepted) > 0); err != nil {
			return fmt.Errorf("propose: %w", err)
		}
	}
	return p.withdraw(ctx, wanted)
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
			if base.Hash(k) == h || p.overtaken(k, h) {
				continue // Git decided about it
			}
			if p.sees(k) || p.live.snapshot().Hash(k) != h || p.want.snapshot().Hash(k) == h || p.silent(k, h) || p.rules.Ignored(k) {
				continue
			}
			out = append(out, Item{Key: k, Verdict: Record, Live: h})
		}
	}
	return out
}

// overtaken reports whether a value that live had is older than what was written in its place: whatever somebody made of that
// since, it is not this.
func (p *pass) overtaken(k resource.Key, h resource.Hash) bool {
	if _, born := p.st.seen.Born[k]; !born {
		return false
	}
	history := liveHistory{p: p, born: p.st.seen.Born}
	values, err := history.since(k, p.baseNow().Hash(k))
	return err == nil && !values[h]
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
func (p *pass) foreignBranches() map[resource.Key]resource.Hash {
	theirs := map[resource.Key]resource.Hash{}
	for i := range p.st.seen.Proposals {
		pr := &p.st.seen.Proposals[i]
		if tip := p.git["refs/heads/"+pr.Branch]; !tip.IsZero() && !pr.Closed && !pr.made(tip) {
			pr.Foreign = true
		}
		if pr.Foreign && !pr.Closed {
			maps.Copy(theirs, pr.Keys)
		}
	}
	return theirs
}

func (p *pass) splitAccepted(drift []Item, theirs map[resource.Key]resource.Hash) (accepted, rest []Item) {
	for _, it := range drift {
		if h, ok := theirs[it.Key]; ok && h == it.Live {
			continue
		}
		if h, ok := p.st.decisions.Accepted[it.Key]; ok && (h == it.Live || p.stillAs(it.Key, h)) {
			accepted = append(accepted, it)
			continue
		}
		rest = append(rest, it)
	}
	return accepted, rest
}

func keysOf(items []Item) map[resource.Key]resource.Hash {
	out := make(map[resource.Key]resource.Hash, len(items))
	for _, it := range items {
		out[it.Key] = it.Live
	}
	return out
}

// ensure makes one pull request propose these objects.
func (p *pass) ensure(ctx context.Context, items []Item, accept bool) error {
	i := p.slotFor(items, accept)
	pr := p.st.seen.Proposals[i]
	fresh, err := p.upToDate(pr, items)
	if err != nil {
		return err
	}
	if fresh && pr.Number+p.numbers[pr.Head] != 0 && slices.ContainsFunc(items, func(it Item) bool { return !p.sees(it.Key) }) {
		return nil // it stays as it is until all of it is seen again
	}
	if !fresh {
		if pr, err = p.rebuild(ctx, i, items, accept); err != nil || pr.Head.IsZero() {
			return err
		}
	}
	return p.ensurePull(ctx, pr, items)
}

// slotFor finds the proposal that these objects belong to, or adds one with a free branch name.
func (p *pass) slotFor(items []Item, accept bool) int {
	keys := keysOf(items)
	best := -1
	for i, pr := range p.st.seen.Proposals {
		if pr.Foreign || pr.Closed {
			continue
		}
		if maps.Equal(pr.Keys, keys) {
			p.st.seen.Proposals[i].Accepted = accept
			return i
		}
		if pr.Accepted == accept && best < 0 {
			best = i
		}
	}
	if best >= 0 {
		return best
	}
	taken := map[string]bool{}
	for _, pr := range p.st.seen.Proposals {
		if !pr.Closed {
			taken[pr.Branch] = true
		}
	}
	branch := p.refs.drift
	for n := 2; taken[branch] || p.somebodys(branch); n++ {
		branch = p.refs.drift + "-" + strconv.Itoa(n)
	}
	p.st.seen.Proposals = append(p.st.seen.Proposals, proposal{Branch: branch, Accepted: accept})
	return len(p.st.seen.Proposals) - 1
}

// somebodys reports whether a branch of one of our names, that no proposal of ours has, ends in a commit
// of somebody else: one that a person pushed to and closed, or that outlived the state.
func (p *pass) somebodys(branch string) bool {
	tip, there := p.git["refs/heads/"+branch]
	if !there {
		return false
	}
	c, err := p.store.CommitAt(tip)
	return err != nil || report.ParseTrailers(c.Message).Environment != p.Name
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
func (p *pass) rebuild(ctx context.Context, i int, items []Item, accept bool) (proposal, error) {
	over := resource.Overlay{}
	for _, it := range items {
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
	pr := &p.st.seen.Proposals[i]
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
	*pr = proposal{Branch: pr.Branch, Former: former, Base: p.head, Head: at.commit, At: p.r.c.Clock.Now().UTC(), Keys: keysOf(items), Init: !p.st.seen.Adopted, Accepted: accept, Number: number}
	if old == at.commit {
		return *pr, nil
	}
	next := *pr
	return next, p.push(ctx, "propose", nil, gitstore.Update{Ref: "refs/heads/" + pr.Branch, Old: old, New: at.commit})
}
