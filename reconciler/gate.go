package reconciler

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

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
		Fresh:       p.st.seen.Fresh,
		MergeText:   p.MergeText && p.checksActivation(),
		LiveRenames: liveRenames(base, p.seen, p.st.ids, p.isRaw),
		WantRenames: wantRenames(base, want, p.st.ids, p.want.tree.Renames(), p.isRaw),
	})
	if err != nil {
		return Decision{}, err
	}
	if d, err = p.rewrites(d); err != nil {
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
	p.report.Held, p.report.Overrides, p.report.Fights, p.letPass = nil, nil, 0, nil
	var free, protected, all []Item
	for _, it := range d.Items {
		if it.Verdict != Deploy && it.Verdict != Merge {
			continue
		}
		all = append(all, it)
		switch gate, why := p.heldBecause(it); gate {
		case "":
			free = append(free, it)
		case GateProtected:
			protected = append(protected, it)
		default:
			p.hold(it.Key, gate, why)
		}
	}
	free, err := p.withoutUnrecordable(p.withoutReferrers(free))
	if err != nil {
		return gated{}, err
	}
	ordered, changes, err := p.order(free, p.hold)
	if err != nil {
		return gated{}, err
	}
	p.report.Plan, p.report.PlanID = ordered, planID(ordered)
	breaches := p.Guard.Check(changes, p.seen.Len())
	if len(all) > len(free) {
		if p.report.Plan, _, err = p.order(all, unheld); err != nil {
			return gated{}, err
		}
	}
	if len(breaches) > 0 && !p.overridden(p.report.PlanID) {
		p.report.Overrides = append(p.report.Overrides, p.report.PlanID)
		for _, s := range ordered.Steps {
			p.waits(s.Object, GateGuard, fmt.Sprintf("guard: %s `driftback resume %s --plan %s` lets exactly this plan pass", breaches[0], p.Name, p.report.PlanID), p.report.PlanID)
		}
		ordered = plan.Plan{}
	}
	if p.report.Window = p.window(); len(ordered.Steps) > 0 && p.report.Window.closed() && !p.overridden(p.report.PlanID) {
		p.outsideWindows(ordered)
		ordered = plan.Plan{}
	}
	return p.gateProtected(gated{ordered}, free, protected)
}

// gateProtected holds protected objects, unless somebody let exactly these changes of them pass: they are then
// deployed with the rest, or without it where that waits for something else.
func (p *pass) gateProtected(g gated, free, protected []Item) (gated, error) {
	if len(protected) == 0 {
		return g, nil
	}
	alone, _, err := p.order(protected, unheld)
	if err != nil {
		return gated{}, err
	}
	id := planID(alone)
	if p.overridden(id) { // also outside the windows: somebody named these very changes
		if len(g.plan.Steps) == 0 {
			free = nil
		}
		g.plan, _, err = p.order(append(slices.Clone(free), protected...), p.hold)
		return g, err
	}
	p.report.Overrides = append(p.report.Overrides, id)
	for _, it := range protected {
		p.waits(it.Key, GateProtected, fmt.Sprintf("protected by %s: `driftback resume %s --plan %s` lets exactly this change pass", rulesFile, p.Name, id), id)
	}
	return g, nil
}

// overridden reports whether somebody said that the plan may pass.
func (p *pass) overridden(id string) bool {
	o := p.st.decisions.Override
	if o == nil || !slices.Contains(strings.Split(o.Plan, idAnd), id) || p.start.Before(o.After) {
		return false
	}
	if !slices.Contains(p.letPass, id) {
		p.letPass = append(p.letPass, id)
	}
	return true
}

// idAnd joins the names of all that an override lets pass.
const idAnd = "+"

// asWell is the name by which to let something pass besides what is let pass already: there is one override at a time.
func (p *pass) asWell(id string) string {
	return strings.Join(append(slices.Clone(p.letPass), id), idAnd)
}

// unheld is a hold that is not told.
func unheld(resource.Key, Gate, string) {}

// order plans the items; what cannot be planned is held. It also returns the changes that were planned.
func (p *pass) order(items []Item, hold func(resource.Key, Gate, string)) (plan.Plan, []resource.Change, error) {
	changes, err := p.changes(items)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	ordered, problems := plan.Order(changes, plan.Options{Kinds: p.kinds, Exists: p.exists, Referrers: p.referrers})
	bad := map[resource.Key]bool{}
	for _, pr := range problems {
		hold(pr.Key, GateOrder, pr.Err.Error())
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

// exists tells the planner which objects can be referred to. What is only looked up by name is not observed: whether it is there
// shows when the platform is asked for it, before anything is written.
func (p *pass) exists(k resource.Key) bool {
	_, ok := p.seen.Entry(k)
	return ok || slices.ContainsFunc(p.kinds, func(i resource.KindInfo) bool { return i.Kind == k.Kind && i.ReferenceOnly })
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
				p.hold(it.Key, GateOrder, fmt.Sprintf("its other name %s is held", it.Partner.Name))
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
		if before != nil && after != nil && from != it.Key { // what is left alone stands under the old name
			after.Spec = p.rules.Restore(it.Key, after.Spec, before.Spec)
			if after.Spec, err = p.withFresh(from, before.Spec, after.Spec); err != nil {
				return nil, fmt.Errorf("plan %s: %w", it.Key, err)
			}
		}
		out = append(out, resource.Change{Before: before, After: after})
	}
	return out, nil
}
