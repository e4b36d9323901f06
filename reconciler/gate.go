package reconciler

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/vendors/resource"
)

// gated is what may be deployed now.
type gated struct {
	plan plan.Plan
}

// decide compares the three sides as they stand in this pass.
func (p *pass) decide() (Decision, error) {
	base, want := p.baseNow(), p.want.snapshot()
	d, err := Decide(base, want, p.seen, Options{
		Schemas:     p.schemas,
		Rules:       p.rules,
		Enforce:     p.Mode == Enforce,
		MergeText:   p.MergeText && p.checksActivation(),
		LiveRenames: liveRenames(base, p.seen, p.st.ids, p.isRaw),
		WantRenames: wantRenames(base, want, p.st.ids, p.want.tree.Renames(), p.isRaw),
	})
	if err != nil {
		return Decision{}, err
	}
	// Rule 1: where both sides agree, base is that value.
	d.Items = slices.DeleteFunc(d.Items, func(it Item) bool {
		if it.Verdict != Agree {
			return false
		}
		var r *resource.Resource
		if r, err = p.want.snapshot().Resource(it.Key); err == nil {
			p.setBaseNow(it.Key, r)
		}
		return true
	})
	return d, err
}

func (p *pass) checksActivation() bool {
	a, ok := p.Platform.Activator()
	return ok && a.Checks()
}

// gate holds back what must not be deployed, says why, and orders the rest. The report's plan
// is all that Git wants, held or not.
func (p *pass) gate(d Decision) (gated, error) {
	p.report.Held = nil
	var free, all []Item
	for _, it := range d.Items {
		if it.Verdict != Deploy && it.Verdict != Merge {
			continue
		}
		all = append(all, it)
		if why := p.heldBecause(it); why != "" {
			p.hold(it.Key, why)
			continue
		}
		free = append(free, it)
	}
	ordered, changes, err := p.order(free, p.hold)
	if err != nil {
		return gated{}, err
	}
	p.report.Plan, p.report.PlanID = ordered, planID(ordered)
	if len(all) > len(free) {
		if p.report.Plan, _, err = p.order(all, func(resource.Key, string) {}); err != nil {
			return gated{}, err
		}
	}
	breaches := p.Guard.Check(changes, p.seen.Len())
	if o := p.st.decisions.Override; len(breaches) > 0 && (o == nil || o.Plan != p.report.PlanID) {
		for _, s := range ordered.Steps {
			p.hold(s.Object, fmt.Sprintf("guard: %s `driftback resume %s --plan %s` lets exactly this plan pass", breaches[0], p.Name, p.report.PlanID))
		}
		return gated{}, nil
	}
	return gated{plan: ordered}, nil
}

// order plans the items; what cannot be planned is held. It also returns the changes that were planned.
func (p *pass) order(items []Item, hold func(resource.Key, string)) (plan.Plan, []resource.Change, error) {
	changes, err := p.changes(items)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	ordered, problems := plan.Order(changes, plan.Options{Kinds: p.kinds, Exists: p.exists, Referrers: p.referrers})
	bad := map[resource.Key]bool{}
	for _, pr := range problems {
		hold(pr.Key, pr.Err.Error())
		bad[pr.Key] = true
	}
	return ordered, slices.DeleteFunc(changes, func(c resource.Change) bool {
		return c.Before != nil && bad[c.Before.Key] || c.After != nil && bad[c.After.Key]
	}), nil
}

// planID names a plan by what it changes from what to what, so that an override means nothing else.
func planID(pl plan.Plan) string {
	h := sha256.New()
	for _, s := range pl.Steps {
		for _, r := range []*resource.Resource{s.Change.Before, s.Change.After} {
			if r == nil {
				fmt.Fprint(h, "-\n")
				continue
			}
			fmt.Fprintf(h, "%q %s\n", r.Key.String(), r.Spec.Hash())
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

func stepChanges(pl plan.Plan) []resource.Change {
	var out []resource.Change
	for _, s := range pl.Steps {
		out = append(out, s.Change)
	}
	return out
}

func (p *pass) hold(k resource.Key, why string) {
	p.report.Held = append(p.report.Held, Trouble{Key: k, Kind: k.Kind, Reason: why})
}

// heldBecause says why an object must not be deployed now; empty where it may.
func (p *pass) heldBecause(it Item) string {
	d := p.st.decisions
	switch {
	case p.Mode == Observe:
		return "mode is observe: nothing is written to the platform"
	case d.Suspended != nil:
		return fmt.Sprintf("suspended by %s: %s", orUnknown(d.Suspended.By), d.Suspended.Reason)
	case !p.st.seen.Adopted:
		return fmt.Sprintf("the first import is not merged yet, and until then nothing is written to the platform; `driftback init %s --trust-git` says that Git is right", p.Name)
	case p.rules.Protected(it.Key):
		return "protected by " + rulesFile
	case it.After == nil && p.want.tree.Broken(it.Key.Kind):
		return fmt.Sprintf("a file of kind %s cannot be read, so that nothing of that kind is deleted", it.Key.Kind)
	}
	for _, h := range d.Holds {
		if want, ok := h.Keys[it.Key]; ok && want == it.Want {
			return fmt.Sprintf("failed in deployment %s: %s", h.Deployment, h.Reason)
		}
	}
	return ""
}

func orUnknown(s string) string {
	if s == "" {
		return "somebody"
	}
	return s
}

// referrers are the live objects that refer to k. Only kinds whose descriptors declare references are looked at.
func (p *pass) referrers(k resource.Key) []resource.Key {
	var out []resource.Key
	for _, info := range p.kinds {
		if !slices.ContainsFunc(info.Fields, func(f resource.Field) bool { return f.Ref == k.Kind }) {
			continue
		}
		for e := range p.seen.Entries() {
			if e.Key.Kind != info.Kind {
				continue
			}
			spec, err := p.seen.Spec(e.Key)
			if err != nil {
				continue // what cannot be read now is found by the platform's own refusal
			}
			found := false
			spec.Refs(func(r resource.Ref) { found = found || r.Key == k })
			if found {
				out = append(out, e.Key)
			}
		}
	}
	return out
}

// exists tells the planner which objects can be referred to.
func (p *pass) exists(k resource.Key) bool {
	_, ok := p.seen.Entry(k)
	return ok
}

// changes turns decisions into changes: what was observed becomes what it is to be. The two
// halves of a rename are one change, and go together or not at all.
func (p *pass) changes(items []Item) ([]resource.Change, error) {
	byKey := make(map[resource.Key]Item, len(items))
	for _, it := range items {
		byKey[it.Key] = it
	}
	var out []resource.Change
	for _, it := range items {
		var after *resource.Resource
		if it.After != nil {
			after = &resource.Resource{Key: it.Key, Spec: it.After}
		}
		from := it.Key
		if !it.Partner.IsZero() {
			partner, ok := byKey[it.Partner]
			if !ok {
				p.hold(it.Key, fmt.Sprintf("its other name %s is held", it.Partner.Name))
				continue
			}
			if it.After == nil && partner.After != nil {
				continue // told by the key that appears
			}
			from = it.Partner
		}
		before, err := p.seen.Resource(from)
		if err != nil {
			return nil, fmt.Errorf("plan %s: %w", it.Key, err)
		}
		out = append(out, resource.Change{Before: before, After: after})
	}
	return out, nil
}
