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
	managed []resource.Kind // nil: all that the driver manages
}

// narrow leaves alone what the configuration says.
func narrow(t *vendors.Target, c kindsConfig) (*platform, error) {
	p := &platform{Target: t}
	p.kinds, p.managed = c.narrow(t.Kinds())
	if n, can := t.Narrower(); can && p.managed != nil {
		if err := n.Narrow(p.managed); err != nil {
			return nil, err
		}
		p.managed = nil
	}
	return p, nil
}

// narrow puts the kinds that are to be left alone out of management. A kind is managed if
// it matches an include, where there is one, and no exclude. managed is nil where all are.
func (c kindsConfig) narrow(all []resource.KindInfo) (kinds []resource.KindInfo, managed []resource.Kind) {
	if len(c.Include)+len(c.Exclude) > 0 {
		managed = []resource.Kind{}
	}
	cover := resource.Cover{Include: c.Include, Exclude: c.Exclude}
	for _, k := range all {
		if !cover.Covers(string(k.Kind)) {
			k.ReferenceOnly = true
		} else if managed != nil && !k.ReferenceOnly {
			managed = append(managed, k.Kind)
		}
		kinds = append(kinds, k)
	}
	return kinds, managed
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
