package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// undo applies the reverse of every change in reverse order, compare-and-set against what
// was written. What a person changed meanwhile is left as it is.
func (p *pass) undo(ctx context.Context, w work) error {
	foreign, refused := map[int]bool{}, map[int]bool{}
	newIDs := map[resource.Key]string{}
	for i, c := range slices.Backward(w.changes) {
		if err := p.effect(ctx); err != nil {
			return err
		}
		got, err := p.apply(ctx, resource.Change{Before: c.After, After: c.Before})
		switch {
		case errors.Is(err, vendors.ErrConflict):
			foreign[i] = true
		case err != nil && p.lasting(ctx, err, 2*patience) && p.isAsBefore(ctx, c):
			// what refuses to be undone was never done
		case err != nil && p.lasting(ctx, err, 2*patience):
			foreign[i], refused[i] = true, true
			p.trouble = append(p.trouble, Trouble{Key: c.Key(), Kind: c.Key().Kind, Reason: "could not be undone: " + p.r.c.Redact(err.Error())})
		case err != nil:
			return fmt.Errorf("undo %s: %w", c.Key(), err)
		case c.After == nil && got.Origin != nil && got.Origin.ID != "" && got.Origin.ID != p.st.journal.Steps[i].ID:
			newIDs[c.Before.Key] = got.Origin.ID
		}
	}
	p.noteUndone(w, newIDs, foreign)
	if err := p.effect(ctx); err != nil {
		return err
	}
	if err := p.activate(ctx); err != nil {
		if !p.lasting(ctx, err, 2*patience) {
			return err
		}
		p.trouble = append(p.trouble, Trouble{Reason: "after undoing: " + p.r.c.Redact(err.Error())})
	}
	p.failing = failing{}
	w.refused = refused
	return p.outcome(ctx, w, foreign, p.st.journal.Cause)
}

// isAsBefore reports whether everything that a change touches is as it was before it.
func (p *pass) isAsBefore(ctx context.Context, c resource.Change) bool {
	keys := touched([]resource.Change{c})
	now, err := p.Platform.Read(ctx, keys)
	if now == nil || err != nil {
		return false
	}
	for _, k := range keys {
		r, err := now.Resource(k)
		if err != nil || r == nil && !now.Covers(k) || hashAt(p.likeSide(r, resource.Change{Before: c.Before}), k) != hashAt(c.Before, k) {
			return false
		}
	}
	return true
}

// noteUndone writes down with the hold what undoing did not bring back as it was.
func (p *pass) noteUndone(w work, newIDs map[resource.Key]string, left map[int]bool) {
	for i := range p.st.decisions.Holds {
		h := &p.st.decisions.Holds[i]
		if h.Deployment != p.st.journal.ID {
			continue
		}
		if len(newIDs) > 0 {
			h.NewIDs = newIDs
		}
		h.Left = nil
		for n := range w.changes {
			if left[n] {
				h.Left = append(h.Left, touched(w.changes[n:n+1])...)
			}
		}
		slices.SortFunc(h.Left, resource.Key.Compare)
		h.Left = slices.Compact(h.Left)
	}
}

// hold returns what a deployment left held, if anything.
func (d decisions) hold(deployment string) (Hold, bool) {
	i := slices.IndexFunc(d.Holds, func(h Hold) bool { return h.Deployment == deployment })
	if i < 0 {
		return Hold{}, false
	}
	return d.Holds[i], true
}
