package reconciler

import (
	"fmt"
	"slices"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// An Operational is an object whose operational fields run otherwise than Git says.
// Nothing is deployed or proposed because of it: people are told, by metric and status.
type Operational struct {
	Key    resource.Key `json:"key"`
	Fields []diff.Field `json:"fields"` // from what Git says to what is live
}

// noteOperational lists what only runs otherwise, in key order. Of fields that Git does not name, nothing
// is expected. Bodies are loaded of objects that differ, of kinds that have such fields.
func (p *pass) noteOperational() error {
	p.report.Operational = nil
	has := map[resource.Kind]bool{}
	for _, k := range p.kinds {
		has[k.Kind] = slices.ContainsFunc(k.Fields, func(f resource.Field) bool { return f.Operational })
	}
	want := p.want.snapshot()
	for k, h := range differing(want, want, p.seen) {
		if !has[k.Kind] || h.want.IsZero() || h.live.IsZero() {
			continue
		}
		git, err := want.Spec(k)
		if err != nil {
			return fmt.Errorf("operational fields of %s: %w", k, err)
		}
		live, err := p.seen.Spec(k)
		if err != nil {
			return fmt.Errorf("operational fields of %s: %w", k, err)
		}
		fields := diff.Fields(p.schemas[k.Kind], git, p.rules.Observed(k, git, live))
		fields = slices.DeleteFunc(fields, func(f diff.Field) bool { return f.Op == diff.Added })
		if len(fields) > 0 {
			p.report.Operational = append(p.report.Operational, Operational{Key: k, Fields: fields})
		}
	}
	return nil
}

// alike reports whether two snapshots say the same of an object, but for what is left alone of it. What
// cannot be loaded is not alike.
func (p *pass) alike(k resource.Key, a, b *resource.Snapshot) bool {
	return p.same(k, a, b, func(x, y resource.Spec) bool { return p.rules.Strip(k, x).Hash() == p.rules.Strip(k, y).Hash() })
}

// equal is alike, but for its operational fields only: what rules ignore is compared.
func (p *pass) equal(k resource.Key, a, b *resource.Snapshot) bool {
	return p.same(k, a, b, func(x, y resource.Spec) bool {
		return !a.Hash(k).IsZero() && !b.Hash(k).IsZero() && p.rules.Observed(k, x, y).Hash() == y.Hash()
	})
}

// same compares an object in two snapshots. Bodies are loaded where they differ and something is left alone of it.
func (p *pass) same(k resource.Key, a, b *resource.Snapshot, but func(x, y resource.Spec) bool) bool {
	if a.Hash(k) == b.Hash(k) {
		return true
	}
	if !p.rules.Touches(k) {
		return false
	}
	x, err := a.Spec(k)
	if err != nil {
		return false
	}
	y, err := b.Spec(k)
	return err == nil && but(x, y)
}

// stillAs reports whether live is what it was when people saw it with the hash h, but for what is left alone of it.
func (p *pass) stillAs(k resource.Key, h resource.Hash) bool {
	now := p.seen.Hash(k)
	if now == h {
		return true
	}
	if now.IsZero() || h.IsZero() || !p.rules.Touches(k) {
		return false
	}
	history := liveHistory{p: p}
	was, known, err := history.value(k, h)
	if err != nil || !known {
		return false
	}
	live, err := p.seen.Spec(k)
	return err == nil && p.rules.Strip(k, was.Spec).Hash() == p.rules.Strip(k, live).Hash()
}

// followSilent lets what people said of a value go on for the one that differs from it in what is left alone only. What live has
// lost since is out of these decisions already.
func (p *pass) followSilent() {
	d := &p.st.decisions
	for k := range d.Silenced {
		if now := p.seen.Hash(k); !now.IsZero() {
			d.Silenced[k] = now
		}
	}
	for k, i := range d.Ignored {
		if now := p.seen.Hash(k); !now.IsZero() {
			i.Hash = now
			d.Ignored[k] = i
		}
	}
}

// asCreated reports whether an object is as a change created it, with operational fields of the platform's own.
func (p *pass) asCreated(r *resource.Resource, changes []resource.Change) bool {
	return r != nil && slices.ContainsFunc(changes, func(c resource.Change) bool {
		return c.Before == nil && c.After != nil && c.After.Key == r.Key && p.rules.Restore(r.Key, r.Spec, nil).Hash() == c.After.Spec.Hash()
	})
}
