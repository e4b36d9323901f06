package main

import (
	"context"
	"slices"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A platform is a target of which some kinds only are managed. The others are
// looked up by name where something refers to them.
type platform struct {
	*vendors.Target
	kinds   []resource.KindInfo
	managed []resource.Kind // nil: all
}

// narrow puts the kinds that are to be left alone out of management. A kind is managed if
// it matches an include, where there is one, and no exclude.
func narrow(t *vendors.Target, c kindsConfig) *platform {
	p := &platform{Target: t}
	if len(c.Include)+len(c.Exclude) > 0 {
		p.managed = []resource.Kind{}
	}
	cover := resource.Cover{Include: c.Include, Exclude: c.Exclude}
	for _, k := range t.Kinds() {
		if !cover.Covers(string(k.Kind)) {
			k.ReferenceOnly = true
		} else if p.managed != nil && !k.ReferenceOnly {
			p.managed = append(p.managed, k.Kind)
		}
		p.kinds = append(p.kinds, k)
	}
	return p
}

// Kinds describes all kinds; those that are left alone are for reference only.
func (p *platform) Kinds() []resource.KindInfo { return p.kinds }

// Observe reads managed kinds only.
func (p *platform) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	if p.managed != nil {
		asked := r.Kinds
		if asked == nil {
			asked = p.managed
		}
		r.Kinds = slices.DeleteFunc(slices.Clone(asked), func(k resource.Kind) bool { return !slices.Contains(p.managed, k) })
	}
	return p.Target.Observe(ctx, r)
}
