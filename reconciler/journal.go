package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// work is a deployment with the bodies that it needs. They are journalled, because the commit
// that it deploys may be gone from the repository when it is finished.
type work struct {
	changes []resource.Change
	want    map[resource.Key]*resource.Resource // what Git says of the changed keys, which base becomes
	refused map[int]bool                        // steps that could not be undone, for all that the platform said
}

func deploymentID(head gitstore.ID, at time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", head, at.UnixNano()))
	return at.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(sum[:3])
}

func (p *pass) stepLayout(i int, side string) files.Layout {
	return files.Layout{Root: fmt.Sprintf("%s/%d/%s", deploymentDir, i, side), Kinds: p.kinds}
}

// journalBodies puts both sides of a change, and what Git says, where recovery finds them.
func (p *pass) journalBodies(e gitstore.Edit, i int, w work) error {
	c := w.changes[i]
	sides := map[string][]*resource.Resource{"before": {c.Before}, "after": {c.After}}
	for _, k := range touched([]resource.Change{c}) {
		sides["want"] = append(sides["want"], w.want[k])
	}
	for side, rs := range sides {
		over := resource.Overlay{}
		for _, r := range rs {
			if r != nil {
				over[r.Key] = &resource.Resource{Key: r.Key, Spec: r.Spec}
			}
		}
		t, err := p.stepLayout(i, side).Load(nil, nil, nil)
		if err != nil {
			return err
		}
		files, err := t.Write(over)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Key(), err)
		}
		maps.Copy(e, files)
	}
	return nil
}

// resume finishes an open deployment with its own plan: both Apply and its reverse do
// nothing where they are already done, and touch nothing that a person changed.
func (p *pass) resume(ctx context.Context) error {
	j := p.st.journal
	p.log.Info("finishing a deployment that was cut off", "deployment", j.ID, "phase", string(j.Phase))
	w := work{changes: make([]resource.Change, len(j.Steps)), want: map[resource.Key]*resource.Resource{}}
	for i, s := range j.Steps {
		c := &w.changes[i]
		for _, err := range []error{
			p.journalled(i, "before", s.Before, true, &c.Before),
			p.journalled(i, "after", s.After, true, &c.After),
		} {
			if err != nil {
				return fmt.Errorf("deployment %s: %w", j.ID, err)
			}
		}
		for _, k := range touched([]resource.Change{*c}) {
			var r *resource.Resource
			if err := p.journalled(i, "want", k, false, &r); err != nil {
				return fmt.Errorf("deployment %s: %w", j.ID, err)
			}
			w.want[k] = r
		}
	}
	p.doubt(w)
	if err := p.keepRunning(ctx); err != nil {
		return err
	}
	if p.unready != nil && j.Phase == phaseIntent {
		// Nobody knows whether the platform would activate it: what was before is what a person can activate.
		if err := p.effect(ctx); err != nil {
			return err
		}
		p.st.journal.Phase, p.st.journal.Cause = phaseUndo, p.unready.Error()
		if err := p.push(ctx, "deployment "+j.ID+" is taken back", nil); err != nil {
			return err
		}
	}
	if p.st.journal.Phase == phaseUndo {
		return p.undo(ctx, w)
	}
	return p.carryOut(ctx, w)
}

// doubt tells the platform which creations of a deployment another process may have sent, before it ended: listings need not show yet
// what they made, and nobody here knows of them.
func (p *pass) doubt(w work) {
	d, can := p.Platform.(vendors.Doubter)
	j := p.st.journal
	if !can || j.Owner == p.r.c.Owner {
		return
	}
	until := p.r.c.Clock.Now() // where the claim was given up
	if j.Owner != "" {
		until = j.Deadline.Add(-p.r.c.RequestTimeout) // later than that nothing was begun
	}
	var made []resource.Key
	for _, c := range w.changes {
		switch {
		case j.Phase != phaseUndo && c.Before == nil:
			made = append(made, c.After.Key)
		case j.Phase == phaseUndo && c.After == nil:
			made = append(made, c.Before.Key)
		}
	}
	d.Doubt(made, until)
}

// abandon ends an open deployment where it stands, in an environment that must not be written to any
// more: what was done is agreement, and what was not is pending.
func (p *pass) abandon(ctx context.Context) error {
	if err := p.claim(); err != nil {
		return err
	}
	j := &p.st.journal
	p.log.Warn("a deployment that was cut off stays as it is: mode is observe", "deployment", j.ID)
	old, err := p.deploymentFiles()
	if err != nil {
		return err
	}
	id := j.ID
	*j = journal{Owner: j.Owner, Deadline: j.Deadline}
	return p.push(ctx, "deployment "+id+" is left as it stands", old)
}

// journalled reads one body back from the journal.
func (p *pass) journalled(i int, side string, k resource.Key, must bool, into **resource.Resource) error {
	if k.IsZero() {
		return nil
	}
	t := treeAt{layout: p.stepLayout(i, side)}
	if err := t.move(p.store, p.st.tip); err != nil {
		return err
	}
	r, err := t.snapshot().Resource(k)
	if err == nil && r == nil && must {
		err = gitstore.ErrMissing
	}
	if err != nil {
		return fmt.Errorf("step %d of %s cannot be read from the journal: %w", i+1, k, err)
	}
	*into = r
	return nil
}
