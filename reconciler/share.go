package reconciler

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// A share is what one pull request of ours is to propose.
type share struct {
	slot   int // which of the proposals in the state
	items  []Item
	accept bool // people accepted it
}

// shares divides drift among our pull requests. What people accepted narrows the pull request that proposes it to just that, and the rest
// moves to another one. Where each object stands is all that this goes by, so that a pass that is cut off in between is continued.
func (p *pass) shares(drift []Item, theirs map[resource.Key]resource.Hash) []share {
	accepted, rest := p.splitAccepted(drift, theirs)
	var out []share
	taken := map[int]bool{}
	for _, it := range accepted {
		slot := p.slotOf(it.Key)
		i := slices.IndexFunc(out, func(s share) bool { return s.slot == slot })
		if i < 0 {
			i, out = len(out), append(out, share{slot: slot, accept: true})
			taken[slot] = true
		}
		out[i].items = append(out[i].items, it)
	}
	if len(rest) > 0 {
		out = append(out, share{slot: p.slotOfRest(taken), items: rest})
	}
	return out
}

// splitAccepted leaves out what stands on branches that people pushed to: those are theirs.
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

// noSlot is that of a share for which a proposal is to be added.
const noSlot = -1

// slotOf is the proposal of ours that has an object, with whatever value.
func (p *pass) slotOf(k resource.Key) int {
	return slices.IndexFunc(p.st.seen.Proposals, func(pr proposal) bool { _, ok := pr.Keys[k]; return ok && pr.keptByUs() })
}

// slotOfRest is the first proposal of ours that nobody accepted anything of; else one of which nothing is accepted any more.
func (p *pass) slotOfRest(taken map[int]bool) int {
	last := noSlot
	for i, pr := range p.st.seen.Proposals {
		switch {
		case !pr.keptByUs() || taken[i]:
		case !pr.Accepted:
			return i
		case last == noSlot:
			last = i
		}
	}
	return last
}

// keptByUs reports whether a proposal is open and ours to rebuild.
func (pr *proposal) keptByUs() bool { return !pr.Foreign && !pr.Closed }

// ensure makes one pull request propose a share.
func (p *pass) ensure(ctx context.Context, s *share) error {
	if s.slot == noSlot {
		s.slot = p.addProposal()
	}
	pr := p.st.seen.Proposals[s.slot]
	pr.Accepted = s.accept
	p.st.seen.Proposals[s.slot] = pr
	fresh, err := p.upToDate(pr, s.items)
	if err != nil {
		return err
	}
	if fresh && pr.Number+p.numbers[pr.Head] != 0 && slices.ContainsFunc(s.items, func(it Item) bool { return !p.sees(it.Key) }) {
		return nil // it stays as it is until all of it is seen again
	}
	if !fresh {
		if pr, err = p.rebuild(ctx, *s); err != nil || pr.Head.IsZero() {
			return err
		}
	}
	return p.ensurePull(ctx, pr, s.items, fresh)
}

// addProposal adds one with a free branch name.
func (p *pass) addProposal() int {
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
	p.st.seen.Proposals = append(p.st.seen.Proposals, proposal{Branch: branch})
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

// askAgain ends the silence about what a proposal said that somebody opened again, in any of its versions, but for what moved to another
// one that is closed.
func (p *pass) askAgain(pr proposal) {
	for _, v := range pr.versions() {
		keys := maps.Clone(v.Keys)
		maps.DeleteFunc(keys, func(k resource.Key, h resource.Hash) bool {
			return slices.ContainsFunc(p.st.seen.Proposals, func(other proposal) bool {
				was, in := other.Keys[k]
				return other.Branch != pr.Branch && other.Closed && in && was == h
			})
		})
		p.unsilence(keys)
	}
}
