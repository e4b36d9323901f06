package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// This file is about platforms where what runs can be read and need not be what is stored. Activating makes all of what is
// stored run, whoever stored it, and what ran before is gone.

// runningDir is the folder of the live branch that keeps what ran otherwise than it was stored, from before an activation until it is
// over.
const runningDir = "running"

// gateRunning looks at what runs before a plan is carried out, as its activation will replace that. A plan that would also make
// run what somebody stored and did not activate is held, unless Git says the same; so is one by which something would be lost that
// Git cannot keep.
func (p *pass) gateRunning(ctx context.Context, g gated) (gated, error) {
	p.running = nil
	runner, ok := p.Platform.Runner()
	if !ok || len(g.plan.Steps) == 0 {
		return g, nil
	}
	runs, err := runner.Running(ctx, vendors.Request{Known: p.seen})
	if err != nil {
		p.trouble = append(p.trouble, Trouble{Reason: err.Error()})
	}
	if runs == nil {
		p.holdPlan(g.plan, "what runs could not be read, and its activation would replace that", "")
		return gated{}, nil
	}
	stored := p.lastStored()
	if err := p.takeRunning(stored, runs); err != nil {
		return gated{}, err
	}
	if why := p.wouldLose(); why != "" {
		p.holdPlan(g.plan, why, "")
		return gated{}, nil
	}
	others := p.notActivated(g.plan, stored, runs)
	if id := othersID(g.plan, others); len(others) > 0 && !p.overridden(id) {
		id = p.asWell(id)
		p.report.Overrides = append(p.report.Overrides, id)
		p.holdPlan(g.plan, p.othersStored(others, id), id)
		return gated{}, nil
	}
	return g, nil
}

// othersID names a plan together with what else its activation would make run: who let the plan pass before somebody stored that
// did not speak of it.
func othersID(pl plan.Plan, others resource.Overlay) string {
	all := []string{planID(pl)}
	for _, k := range sortedResourceKeys(others) {
		all = append(all, k.String(), hashAt(others[k], k).String())
	}
	return digest(all...)
}

func (p *pass) holdPlan(pl plan.Plan, why, id string) {
	for _, s := range pl.Steps {
		p.waits(s.Object, GateRunning, why, id)
	}
}

// takeRunning notes what runs otherwise than it is stored, without secrets.
func (p *pass) takeRunning(stored, runs *resource.Snapshot) error {
	p.running = resource.Overlay{}
	for k, h := range differing(stored, stored, runs) {
		if !p.sees(k) && stored.Hash(k).IsZero() || h.live.IsZero() && !runs.Covers(k) {
			continue // one of the two is not known
		}
		if h.live.IsZero() {
			p.running[k] = nil
			continue
		}
		plain, err := runs.Spec(k)
		if err != nil {
			return fmt.Errorf("what runs of %s: %w", k, err)
		}
		model, err := p.maskOf(k)
		if err != nil {
			return fmt.Errorf("what runs of %s: %w", k, err)
		}
		spec, _ := mask(p.schemas[k.Kind], plain, model)
		if spec.Hash() != stored.Hash(k) {
			p.running[k] = &resource.Resource{Key: k, Spec: spec}
		}
	}
	return nil
}

// lastStored is what was observed, also where Git does not get it, and of what this reading could not see what was recorded last.
func (p *pass) lastStored() *resource.Snapshot {
	over := maps.Clone(p.unkept)
	recorded := p.live.snapshot()
	for k, h := range differing(p.seen, p.seen, recorded) {
		if _, read := over[k]; read || h.live.IsZero() || p.sees(k) {
			continue
		}
		if r, err := recorded.Resource(k); err == nil {
			over[k] = r
		}
	}
	return p.seen.With(over)
}

// wouldLose says what runs by now and cannot be kept in Git, so that an activation would lose it; empty where there is nothing.
func (p *pass) wouldLose() string {
	for _, k := range sortedResourceKeys(p.running) {
		r := p.running[k]
		if r == nil {
			continue
		}
		if _, _, err := files.Encode(p.kindOf(k.Kind), *r); err != nil {
			return fmt.Sprintf("%s runs otherwise than it is stored, and what runs cannot be kept in Git before it is replaced: %v", k, err)
		}
		if h := r.Spec.Hash(); h == p.base.snapshot().Hash(k) || h == p.want.snapshot().Hash(k) || h == p.live.snapshot().Hash(k) {
			continue // Git has it already
		}
		if found := p.credentials(k, r.Spec); len(found) > 0 {
			return fmt.Sprintf("%s runs otherwise than it is stored, and what runs looks like a credential (%s), so that it is not kept in Git before it is replaced: activate what is stored by hand", k, found[0])
		}
	}
	return ""
}

// notActivated are the objects that a plan's activation would make run as Git does not say: what somebody stored, and runs otherwise.
func (p *pass) notActivated(pl plan.Plan, before, runs *resource.Snapshot) resource.Overlay {
	after := resource.Overlay{}
	for _, s := range pl.Steps {
		if b := s.Change.Before; b != nil {
			after[b.Key] = nil
		}
		if a := s.Change.After; a != nil {
			after[a.Key] = a
		}
	}
	stored, want := before.With(after), p.want.snapshot()
	out := resource.Overlay{}
	for k := range p.running {
		if h := stored.Hash(k); h == want.Hash(k) || h == runs.Hash(k) {
			continue
		}
		r, err := before.Resource(k)
		if err != nil {
			r = nil // only who it was is not known then
		}
		out[k] = r
	}
	return out
}

// othersStored says whose change keeps a plan from being activated.
func (p *pass) othersStored(others resource.Overlay, id string) string {
	k := sortedResourceKeys(others)[0]
	who := p.whoChanged(resource.Overlay{k: others[k]})[k].Who
	var b strings.Builder
	fmt.Fprintf(&b, "its activation would also make run what %s stored of %s and did not activate", orUnknown(who), k)
	if n := len(others) - 1; n > 0 {
		fmt.Fprintf(&b, " (and %d more objects)", n)
	}
	fmt.Fprintf(&b, ": activate it, take it back, or merge it. `driftback resume %s --plan %s` lets exactly this plan pass", p.Name, id)
	return b.String()
}

// errWaits is why a deployment that was cut off is not activated yet. It is no failure, however long it lasts.
var errWaits = errors.New("its activation waits")

// keepRunning does for a deployment that was cut off what gateRunning does before one begins: what was put into memory meanwhile
// is kept, too. What others stored meanwhile is activated with it: half a deployment is no state to wait in.
func (p *pass) keepRunning(ctx context.Context) error {
	runner, ok := p.Platform.Runner()
	if !ok {
		return nil
	}
	j := p.st.journal
	runs, err := runner.Running(ctx, vendors.Request{Known: p.seen})
	switch {
	case runs == nil && !p.lasting(ctx, err, patience):
		return fmt.Errorf("what runs could not be read before it is replaced: %w", err)
	case err != nil:
		p.trouble = append(p.trouble, Trouble{Reason: err.Error()})
	}
	if runs == nil {
		return nil // what was done in part is finished all the same
	}
	if err := p.takeRunning(p.lastStored(), runs); err != nil {
		return err
	}
	for _, s := range j.Steps { // what ran before it began is known
		if r := p.running[s.Before]; r != nil && r.Spec.Hash() == s.From {
			delete(p.running, s.Before)
		}
		if r := p.running[s.After]; r != nil && r.Spec.Hash() == s.To {
			delete(p.running, s.After)
		}
	}
	if why := p.wouldLose(); why != "" {
		p.unready = fmt.Errorf("deployment %s: %w: %s", j.ID, errWaits, why)
		if err := p.flush(ctx); err != nil || p.storedAsBefore(j) {
			return errors.Join(p.unready, err)
		}
		return nil // what is stored is brought in order, so that a person can activate it
	}
	ups, live, err := p.runningUpdate()
	if err != nil || len(ups) == 0 {
		return err
	}
	if err := p.push(ctx, "deployment "+j.ID+" goes on", nil, ups...); err != nil {
		return err
	}
	p.live = live
	return nil
}

// storedAsBefore reports whether all that a deployment changed is stored as it was before it. It is looked at in each pass: a write that
// was lost may land late.
func (p *pass) storedAsBefore(j journal) bool {
	for _, s := range j.Steps {
		if !s.Before.IsZero() && p.seen.Hash(s.Before) != s.From || !s.After.IsZero() && s.After != s.Before && !p.seen.Hash(s.After).IsZero() {
			return false
		}
	}
	return j.Phase == phaseUndo
}

// runningUpdate commits to the live branch what runs otherwise than it is stored, before that is replaced.
func (p *pass) runningUpdate() ([]gitstore.Update, treeAt, error) {
	e, err := p.runningEdit(p.running)
	if err != nil || len(e) == 0 {
		return nil, p.live, err
	}
	message := fmt.Sprintf("%s: keep what runs otherwise than it is stored (%d), before that is activated\n\n%s\n", p.Name, len(p.running), report.Trailers(p.Name))
	c, err := p.writeCommit(p.live.commit, e, gitstore.Signature{}, p.r.unbuilt(message))
	if err != nil {
		return nil, p.live, err
	}
	at, err := p.live.at(p.store, c.ID)
	return []gitstore.Update{{Ref: p.refs.live, Old: p.live.commit, New: c.ID}}, at, err
}

// runningGone takes away what was kept of what ran, once all that is stored runs.
func (p *pass) runningGone() (gitstore.Edit, error) {
	if !p.activated {
		return nil, nil
	}
	return p.runningEdit(nil)
}

// runningEdit makes the folder say this and nothing else.
func (p *pass) runningEdit(runs resource.Overlay) (gitstore.Edit, error) {
	if _, ok := p.Platform.Runner(); !ok {
		return nil, nil
	}
	kept := treeAt{layout: files.Layout{Root: runningDir, Kinds: p.kinds}}
	if err := kept.move(p.store, p.live.commit); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", runningDir, p.refs.live, err)
	}
	over := resource.Overlay{}
	for e := range kept.snapshot().Entries() {
		over[e.Key] = nil
	}
	maps.Copy(over, runs)
	e, err := kept.tree.Write(over)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", runningDir, p.refs.live, err)
	}
	return e, nil
}
