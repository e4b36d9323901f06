package reconciler

import (
	"fmt"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// A Gate is a class of reasons for which an object is not deployed.
type Gate string

// The gates.
const (
	GateMode      Gate = "mode"      // the mode is observe
	GateSuspended Gate = "suspended" // somebody suspended the environment
	GateImport    Gate = "import"    // the first import is not merged
	GateProtected Gate = "protected" // the rules protect the object
	GateBroken    Gate = "broken"    // a file of the kind cannot be read, so that nothing of it is deleted
	GateFailed    Gate = "failed"    // it failed before, or belongs to what did
	GateGuard     Gate = "guard"     // the plan is too large to go unseen
	GateWindow    Gate = "window"    // no window of the environment is open
	GateRunning   Gate = "running"   // its activation would also make run what somebody stored and did not activate
	GateFight     Gate = "fight"     // somebody else keeps changing it back
	GateSecret    Gate = "secret"    // it would overwrite a secret that may be another one by now
	GateWait      Gate = "wait"      // somebody said so on the pull request that it came in by
	GateOrder     Gate = "order"     // it cannot be planned, as when it refers to what is not there
)

// hold notes that an object is not deployed, and why.
func (p *pass) hold(k resource.Key, gate Gate, why string) {
	p.report.Held = append(p.report.Held, Trouble{Key: k, Kind: k.Kind, Gate: gate, Reason: why})
}

// waits notes that an object is not deployed before somebody lets a plan pass, which the reason names.
func (p *pass) waits(k resource.Key, gate Gate, why, plan string) {
	p.report.Held = append(p.report.Held, Trouble{Key: k, Kind: k.Kind, Gate: gate, Plan: plan, Reason: why})
}

// override is the plan that somebody is to let pass first for any of some objects that are held; empty where there is none.
func (r Report) override(objects map[resource.Key]bool) string {
	i := slices.IndexFunc(r.Overrides, func(id string) bool {
		return slices.ContainsFunc(r.Held, func(t Trouble) bool { return t.Plan == id && objects[t.Key] })
	})
	if i < 0 {
		return ""
	}
	return r.Overrides[i]
}

// heldBecause says why an object must not be deployed now; no gate where it may.
func (p *pass) heldBecause(it Item) (Gate, string) {
	d := p.st.decisions
	switch {
	case p.Mode == Observe:
		return GateMode, "mode is observe: nothing is written to the platform"
	case d.Suspended != nil:
		return GateSuspended, fmt.Sprintf("suspended by %s: %s", orUnknown(d.Suspended.By), d.Suspended.Reason)
	case !p.st.seen.Adopted:
		return GateImport, fmt.Sprintf("the first import is not merged yet, and until then nothing is written to the platform; `driftback init %s --trust-git` says that Git is right", p.Name)
	case it.After == nil && p.want.tree.Broken(it.Key.Kind):
		return GateBroken, fmt.Sprintf("a file of kind %s cannot be read, so that nothing of that kind is deleted", it.Key.Kind)
	}
	for _, h := range d.Holds {
		if want, ok := h.Keys[it.Key]; ok && want == it.Want {
			return GateFailed, fmt.Sprintf("failed in deployment %s: %s", h.Deployment, h.Reason)
		}
		if want, ok := h.With[it.Key]; ok && want == it.Want {
			return GateFailed, fmt.Sprintf("changed by a commit that failed in deployment %s", h.Deployment)
		}
	}
	if why := p.fighting(it); why != "" {
		return GateFight, why
	}
	if p.resends(it) && !p.writesSecrets(it.Key) {
		return GateSecret, fmt.Sprintf("the platform wants the secret with every write, and it may be another one there by now: `driftback resume %s --secrets %s` writes the operator's", p.Name, it.Key)
	}
	for _, n := range sortedKeys(d.Waits) {
		if want, ok := d.Waits[n].Keys[it.Key]; ok && want == it.Want {
			return GateWait, fmt.Sprintf("%s, on pull request %d", d.Waits[n].because(), n)
		}
	}
	if p.rules.Protected(it.Key) {
		return GateProtected, "protected by " + rulesFile
	}
	return "", ""
}

// withoutReferrers holds what refers to an object that failed.
func (p *pass) withoutReferrers(items []Item) []Item {
	failed := map[resource.Key]bool{}
	for _, t := range p.report.Held {
		if t.Gate == GateFailed {
			failed[t.Key] = true
		}
	}
	if len(failed) == 0 {
		return items
	}
	for {
		var free []Item
		for _, it := range items {
			var to resource.Key
			it.After.Refs(func(r resource.Ref) {
				if failed[r.Key] && (to.IsZero() || r.Key.Compare(to) < 0) {
					to = r.Key
				}
			})
			if to.IsZero() {
				free = append(free, it)
				continue
			}
			p.hold(it.Key, GateFailed, fmt.Sprintf("refers to %s, which failed", to))
			failed[it.Key] = true
		}
		if len(free) == len(items) {
			return free
		}
		items = free
	}
}

// withoutUnrecordable holds files that the live branch could not hold beside what is there, such as one where the platform has a
// folder: nothing is written that could not be remembered.
func (p *pass) withoutUnrecordable(items []Item) ([]Item, error) {
	over := resource.Overlay{}
	for _, it := range items {
		if !p.isRaw(it.Key.Kind) {
			continue
		}
		if over[it.Key] = nil; it.After != nil {
			over[it.Key] = &resource.Resource{Key: it.Key, Spec: it.After}
		}
	}
	if len(over) == 0 || p.live.tree == nil {
		return items, nil
	}
	_, err := p.live.tree.Write(over)
	bad := map[resource.Key]string{}
	for _, e := range keyErrors(err) {
		bad[e.Key], err = e.Err.Error(), nil
	}
	if err != nil || len(bad) == 0 {
		return items, err
	}
	var free []Item
	for _, it := range items {
		switch why, is := bad[it.Key]; {
		case is:
			p.hold(it.Key, GateOrder, why)
		case bad[it.Partner] != "":
			p.hold(it.Key, GateOrder, fmt.Sprintf("its other name %s is held", it.Partner.Name))
		default:
			free = append(free, it)
		}
	}
	return free, nil
}

// HeldBy counts what is held, by gate.
func (r Report) HeldBy() map[Gate]int {
	out, seen := map[Gate]int{}, map[resource.Key]bool{}
	for _, t := range r.Held {
		if !seen[t.Key] {
			seen[t.Key] = true
			out[t.Gate]++
		}
	}
	return out
}

// heldForPeople is what a pull request tells of the objects that are held: not what the mode or the first import holds, which
// is nothing that anybody has to look at.
func (p *pass) heldForPeople() map[resource.Key]string {
	out := map[resource.Key]string{}
	for _, t := range p.report.Held {
		if _, told := out[t.Key]; !told && t.Gate != GateMode && t.Gate != GateImport && t.Gate != GateWindow {
			out[t.Key] = t.Reason
		}
	}
	return out
}

func orUnknown(s string) string {
	if s == "" {
		return "somebody"
	}
	return s
}

// together finds which of the changed objects were changed by the commits at fault for others that failed: they share their fate.
func (p *pass) together(w work, failed map[resource.Key]resource.Hash) map[resource.Key]resource.Hash {
	f, err := p.atFault(p.st.journal.Commit, sortedResourceKeys(failed), false)
	if err != nil {
		p.log.Warn("find the commits at fault", "error", err)
		return nil
	}
	out := map[resource.Key]resource.Hash{}
	for k, r := range w.want {
		if _, is := failed[k]; !is && f.keys[k] {
			out[k] = hashAt(r, k)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
