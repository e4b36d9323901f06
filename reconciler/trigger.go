package reconciler

import (
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// A Trigger is what a deployment was made for.
type Trigger string

// The triggers. A deployment that was made for several has the first of them.
const (
	// TriggerMerge: commits of the tracked branch, also those that revert others.
	TriggerMerge Trigger = "merge"
	// TriggerRevert: people asked to take back what was changed by hand, or closed the pull request that proposed it where that
	// means the same.
	TriggerRevert Trigger = "revert"
	// TriggerEnforce: the mode takes back what was changed by hand.
	TriggerEnforce Trigger = "enforce"
)

// trigger is what the changes of a plan are made for.
func (p *pass) trigger(d Decision, changes []resource.Change) Trigger {
	out := TriggerEnforce
	for _, k := range touched(changes) {
		i, decided := slices.BinarySearchFunc(d.Items, k, func(it Item, k resource.Key) int { return it.Key.Compare(k) })
		switch {
		case decided && d.Items[i].Enforced:
		case decided && p.reverting(k, d.Items[i].Want):
			out = TriggerRevert
		default:
			return TriggerMerge // also where both sides agree, and only a secret is written
		}
	}
	return out
}

// reverting reports whether people asked to take back what live has of an object, for what Git wants of it now.
func (p *pass) reverting(k resource.Key, want resource.Hash) bool {
	h, asked := p.st.decisions.Reverted[k]
	return asked && h == want
}

// noteReverted remembers that people asked to take back what live has of an object, until what Git wants is written.
func (p *pass) noteReverted(k resource.Key) {
	want := p.want.snapshot().Hash(k)
	if want == p.seen.Hash(k) {
		return
	}
	if p.st.decisions.Reverted == nil {
		p.st.decisions.Reverted = map[resource.Key]resource.Hash{}
	}
	p.st.decisions.Reverted[k] = want
}
