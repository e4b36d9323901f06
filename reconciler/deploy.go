package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// deploy carries a plan out: intent, change by change, activation, verification,
// outcome. Intent and outcome are one push each; whatever happens between them is
// found again by reading.
func (p *pass) deploy(ctx context.Context, g gated, d Decision) error {
	w := work{changes: stepChanges(g.plan), want: map[resource.Key]*resource.Resource{}}
	for _, k := range touched(w.changes) {
		r, err := p.want.snapshot().Resource(k)
		if err != nil {
			return fmt.Errorf("deploy %s: %w", k, err)
		}
		w.want[k] = r
	}
	j := &p.st.journal
	j.ID, j.Phase, j.Commit, j.Started = deploymentID(p.head, p.start), phaseIntent, p.head, p.start.UTC()
	j.Trigger, j.Cause, j.Steps = p.trigger(d, w.changes), "", nil
	p.st.decisions.Override = nil // it was for this plan, once
	bodies := gitstore.Edit{}
	for i, c := range w.changes {
		s := journalStep{}
		if c.Before != nil {
			s.Before, s.From = c.Before.Key, c.Before.Spec.Hash()
			if c.Before.Origin != nil {
				s.ID = c.Before.Origin.ID
			}
		}
		if c.After != nil {
			s.After, s.To = c.After.Key, c.After.Spec.Hash()
		}
		j.Steps = append(j.Steps, s)
		if err := p.journalBodies(bodies, i, w); err != nil {
			return fmt.Errorf("deploy: %w", err)
		}
	}
	j.Since = p.decided
	p.journalPrints(w.changes)
	p.noteFights(w.changes)
	if err := p.claim(); err != nil {
		return err
	}
	ups, live, err := p.runningUpdate()
	if err != nil {
		return err
	}
	if err := p.push(ctx, "deployment "+j.ID+" begins", bodies, ups...); err != nil {
		return err
	}
	p.live = live
	p.log.Info("deploying", "deployment", j.ID, "changes", len(w.changes), "commit", p.head.String())
	return p.carryOut(ctx, w)
}

// permanent reports whether trying again would fail in the same way.
func permanent(err error) bool {
	return errors.Is(err, vendors.ErrInvalid) || errors.Is(err, vendors.ErrDenied) || errors.Is(err, vendors.ErrUnsupported) ||
		errors.Is(err, vendors.ErrRefused) || errors.Is(err, vendors.ErrReadOnly)
}

// patience is how long a deployment may go on failing in passing ways, such as a full disk or a
// server that does not answer, before it counts as failed; undoing it gets twice as long.
const patience = 3 * time.Minute

// failing notes since when a deployment fails, in this process.
type failing struct {
	deployment string
	since      time.Time
}

// lasting reports whether an error of the platform is permanent, or has lasted too long.
func (p *pass) lasting(ctx context.Context, err error, patience time.Duration) bool {
	if permanent(err) {
		return true
	}
	if ctx.Err() != nil || errors.Is(err, errWaits) {
		return false // it is us who end, or a person is waited for
	}
	now := p.r.c.Clock.Now()
	if p.failing.deployment != p.st.journal.ID {
		p.failing = failing{p.st.journal.ID, now}
	}
	return now.Sub(p.failing.since) > patience
}

// carryOut applies the changes and judges the outcome.
func (p *pass) carryOut(ctx context.Context, w work) error {
	changes := w.changes
	foreign := map[int]bool{} // steps that met somebody else's change
	p.activated = false
	for i, c := range changes {
		if err := p.effect(ctx); err != nil {
			return err
		}
		got, err := p.apply(ctx, c)
		switch {
		case errors.Is(err, vendors.ErrConflict):
			p.log.Info("changed meanwhile on the platform, left alone", "key", c.Key().String())
			foreign[i] = true
		case err != nil && p.lasting(ctx, err, patience):
			return p.fail(ctx, w, []resource.Change{c}, fmt.Sprintf("%s %s: %v", c.Action(), c.Key(), err))
		case err != nil:
			return fmt.Errorf("apply %s: %w", c.Key(), err) // the journal stays open: the next pass goes on
		default:
			if why := p.verify(c, got); why != "" {
				return p.fail(ctx, w, []resource.Change{c}, why)
			}
		}
		if i == 0 {
			p.underWay(ctx)
		}
	}
	if len(foreign) < len(changes) {
		if err := p.effect(ctx); err != nil {
			return err
		}
		switch err := p.activate(ctx); {
		case err != nil && p.lasting(ctx, err, patience):
			return p.fail(ctx, w, changes, err.Error())
		case err != nil:
			return err
		}
	}
	p.failing = failing{}
	return p.outcome(ctx, w, foreign, "")
}

// apply makes one change under the claim.
func (p *pass) apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	ctx, cancel := p.leased(ctx)
	defer cancel()
	got, err := p.Platform.Apply(ctx, p.sent(c))
	if err == nil && c.After != nil {
		got.Spec = masked(p.schemas[c.After.Key.Kind], got.Spec, c.After.Spec)
	}
	return got, err
}

// activate makes what is stored run, where the platform has that step.
func (p *pass) activate(ctx context.Context) error {
	a, ok := p.Platform.Activator()
	if !ok {
		return nil
	}
	if p.unready != nil {
		return p.unready
	}
	ctx, cancel := p.leased(ctx)
	defer cancel()
	if err := a.Activate(ctx); err != nil {
		if strings.HasPrefix(err.Error(), "activate") {
			return err // it says so itself
		}
		return fmt.Errorf("activate: %w", err)
	}
	p.activated = true
	return nil
}

// verify compares what the change set with what is stored; empty means verified. Fields
// that the platform filled in are drift, not failure.
func (p *pass) verify(c resource.Change, got resource.Resource) string {
	if c.After == nil {
		return ""
	}
	s := p.schemas[c.After.Key.Kind]
	wrong := diff.Fields(s, c.After.Spec, got.Spec)
	if len(wrong) == 0 {
		return ""
	}
	var before resource.Spec
	if c.Before != nil {
		before = c.Before.Spec
	}
	for _, set := range diff.Fields(s, before, c.After.Spec) {
		for _, w := range wrong {
			if (set.Path.HasPrefix(w.Path) || w.Path.HasPrefix(set.Path)) && (before != nil || w.Op != diff.Added) {
				return fmt.Sprintf("verify %s: the platform stored something else at %s", c.After.Key, w.Path)
			}
		}
	}
	return ""
}

// fail undoes a deployment and holds what failed. The undo is journalled before it begins.
func (p *pass) fail(ctx context.Context, w work, failed []resource.Change, cause string) error {
	j := &p.st.journal
	cause = p.r.c.Redact(cause)
	p.log.Error("deployment failed, undoing it", "deployment", j.ID, "cause", cause)
	h := Hold{Deployment: j.ID, Keys: map[resource.Key]resource.Hash{}, Reason: cause, At: p.r.c.Clock.Now().UTC()}
	for _, c := range failed {
		for _, r := range []*resource.Resource{c.Before, c.After} {
			if r != nil {
				h.Keys[r.Key] = hashAt(w.want[r.Key], r.Key)
			}
		}
	}
	h.With = p.together(w, h.Keys)
	p.st.decisions.Holds = append(p.st.decisions.Holds, h)
	j.Phase, j.Cause = phaseUndo, cause
	if err := p.push(ctx, "deployment "+j.ID+" failed", nil); err != nil {
		return err
	}
	return p.undo(ctx, w)
}

// outcome reads the changed objects again, and writes in one push what live says now and what
// base becomes. A non-empty cause says that the deployment was undone.
func (p *pass) outcome(ctx context.Context, w work, foreign map[int]bool, cause string) error {
	j, changes := &p.st.journal, w.changes
	now, err := p.Platform.Read(ctx, touched(changes))
	if now == nil {
		return fmt.Errorf("verify: %w", err)
	}
	now = p.settled(now, changes, foreign, cause != "")
	p.noteWrites(changes, foreign, cause != "")
	p.takeRead(now, changes)
	p.moveWritten(w, foreign, cause)
	if cause == "" {
		p.wroteSecrets(w, foreign)
	}
	state := "success"
	if cause != "" {
		state = "failure"
	}
	id, commit, steps, trigger := j.ID, j.Commit, len(changes), cmp.Or(j.Trigger, TriggerMerge)
	p.noteDeployed(cause)
	*j = journal{Owner: j.Owner, Deadline: j.Deadline}
	ups, live, err := p.liveUpdate(fmt.Sprintf("deployment %s of %.10s: %s", id, commit, state))
	if err != nil {
		return err
	}
	old, err := p.deploymentFiles()
	if err != nil {
		return err
	}
	if err := p.push(ctx, "deployment "+id+" ends: "+state, old, ups...); err != nil {
		return err
	}
	p.live = live
	h, _ := p.st.decisions.hold(id)
	p.report.Deployments = append(p.report.Deployments, Deployment{ID: id, Commit: commit.String(), Trigger: trigger, Changes: steps, Undone: cause != "", Cause: cause, NewIDs: h.NewIDs, Left: h.Left})
	return nil
}

func touched(changes []resource.Change) []resource.Key {
	var keys []resource.Key
	for _, c := range changes {
		for _, r := range []*resource.Resource{c.Before, c.After} {
			if r != nil {
				keys = append(keys, r.Key)
			}
		}
	}
	slices.SortFunc(keys, resource.Key.Compare)
	return slices.Compact(keys)
}

// moveWritten is rule 1 for writes and undos: base becomes what was written, as Git has it;
// an undone object keeps its base, unless a person changed it meanwhile: then what was written stays base.
// Of what refused to be undone nobody knows whether it was ever written.
func (p *pass) moveWritten(w work, foreign map[int]bool, cause string) {
	for i, c := range w.changes {
		if foreign[i] == (cause == "") || w.refused[i] {
			continue
		}
		for _, k := range touched([]resource.Change{c}) {
			p.setBaseNow(k, w.want[k])
		}
	}
}

// takeRead lays what was read of the changed objects over what was observed. A value that is
// neither side of its change is somebody's newer edit: it is left to the next pass, which
// remembers it under their name before anything else happens to it.
func (p *pass) takeRead(now *resource.Snapshot, changes []resource.Change) {
	ours, of := map[resource.Key]map[resource.Hash]bool{}, map[resource.Key][]resource.Change{}
	for _, c := range changes {
		for _, k := range touched([]resource.Change{c}) {
			if ours[k] == nil {
				ours[k] = map[resource.Hash]bool{}
			}
			of[k] = append(of[k], c)
			ours[k][hashAt(c.Before, k)] = true
			ours[k][hashAt(c.After, k)] = true
		}
	}
	over := resource.Overlay{}
	for _, k := range touched(changes) {
		r, err := now.Resource(k)
		r = p.likeSide(r, of[k]...)
		if err != nil || r == nil && !now.Covers(k) || !ours[k][hashAt(r, k)] && !p.asCreated(r, of[k]) {
			p.unknown(k, "changed while it was being deployed")
			p.report.Again = time.Millisecond
			continue
		}
		over[k] = r
	}
	p.seen = p.seen.With(over)
	p.takeIDs(slices.Collect(now.Entries()))
}

func hashAt(r *resource.Resource, k resource.Key) resource.Hash {
	if r == nil || r.Key != k {
		return resource.Hash{}
	}
	return r.Spec.Hash()
}

// liveUpdate commits to the live branch what is not there yet, as made by driftback.
func (p *pass) liveUpdate(message string) ([]gitstore.Update, treeAt, error) {
	changed := p.unrecorded()
	e, err := p.live.tree.Write(changed)
	for _, bad := range keyErrors(err) {
		p.unrecordable(bad.Key, changed[bad.Key], bad.Err)
		err = nil
	}
	if err != nil {
		return nil, p.live, err
	}
	runs, err := p.runningGone()
	if err != nil {
		return nil, p.live, err
	}
	if maps.Copy(e, runs); len(e) == 0 {
		return nil, p.live, nil
	}
	c, err := p.writeCommit(p.live.commit, e, gitstore.Signature{}, p.r.unbuilt(message+"\n\n"+report.Trailers(p.Name)+"\n"))
	if err != nil {
		return nil, p.live, err
	}
	at, err := p.live.at(p.store, c.ID)
	return []gitstore.Update{{Ref: p.refs.live, Old: p.live.commit, New: c.ID}}, at, err
}

// deploymentFiles deletes the journal's bodies.
func (p *pass) deploymentFiles() (gitstore.Edit, error) {
	e := gitstore.Edit{}
	err := p.store.Files(p.st.tip, deploymentDir, func(f gitstore.File) error {
		e[f.Path] = nil
		return nil
	})
	return e, err
}
