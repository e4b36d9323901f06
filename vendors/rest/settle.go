package rest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// finish reads again what refers to objects that were listed later, or got another name meanwhile.
func (p *pass) finish(ctx context.Context) error {
	deferred := p.deferred
	p.deferred = nil
	for _, it := range deferred {
		it.again = true
		if err := p.take(ctx, it); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			p.failed[it.k.Kind.Kind] = err
		}
	}
	for _, k := range p.asked {
		if len(k.open) == 0 || p.failed[k.Kind.Kind] != nil {
			continue
		}
		if err := p.renew(ctx, k); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			p.failed[k.Kind.Kind] = err
		}
	}
	return nil
}

// renew reads the objects of a kind that refer to something whose name moved after they were listed.
func (p *pass) renew(ctx context.Context, k *kind) error {
	d := p.d
	t := d.x.tables[k.Kind.Kind]
	var ask []item
	d.x.mu.Lock()
	again := map[ident]bool{}
	for _, r := range p.refs {
		if _, moved := t.moved[r.to]; moved && r.k == k {
			again[r.from] = true
		}
	}
	late := maps.Clone(t.moved) // of kinds that are listed later
	maps.DeleteFunc(late, func(to target, _ string) bool { return !k.open[to.kind] })
	marks := d.seeds.marks(late)
	for i := range t.entries {
		if e := &t.entries[i]; e.live && (again[e.id] || t.follows(int32(i), marks)) { // #nosec G115 -- memory ends long before
			ask = append(ask, item{k: k, id: e.origin.ID, ident: e.id, digest: e.digest, complete: true, again: true, pass: e.pass})
		}
	}
	for to := range late {
		delete(t.moved, to) // what is left is for the next listing
	}
	d.x.mu.Unlock()
	return d.each(ctx, len(ask), func(ctx context.Context, i int) error { return p.ask(ctx, ask[i]) })
}

// snapshot returns what the pass has read, and what it has not.
func (p *pass) snapshot(tenant string) (*resource.Snapshot, error) {
	d := p.d
	scope := resource.Scope{Kinds: map[resource.Kind]resource.Cover{}, Unknown: p.unknown}
	var errs []error
	for _, k := range p.asked {
		kind := k.Kind.Kind
		if err := p.failed[kind]; err != nil {
			errs = append(errs, fmt.Errorf("observe %s: %w", kind, err))
			continue
		}
		scope.Kinds[kind] = resource.Cover{Partition: d.partition(tenant)}
		if err := trouble(kind, p.troubles[kind]); err != nil {
			errs = append(errs, err)
		}
	}
	for k, err := range p.failed { // what refers to it and cannot do without has been told
		if !slices.ContainsFunc(p.asked, func(a *kind) bool { return a.Kind.Kind == k }) {
			d.o.Logger.Debug("names cannot be read", "kind", k, "error", err)
		}
	}
	bare := d.settle(scope)
	bare = p.within(bare, scope)
	for key := range p.bodies {
		if _, listed := bare.Entry(key); !listed {
			delete(p.bodies, key)
		}
	}
	out := bare.With(p.bodies).WithOptions(resource.Options{Scope: scope, Tenant: tenant})
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return out, errors.Join(errs...)
}

func (d *Driver) partition(tenant string) string {
	if d.o.Partition == "" {
		return tenant
	}
	return tenant + " " + d.o.Partition
}

// maxTroubles bounds how many objects of a kind are named in an error.
const maxTroubles = 10

// trouble tells of the objects of a kind that could not be read; nil where there are none.
func trouble(kind resource.Kind, names []string) error {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	more := ""
	if n := len(names) - maxTroubles; n > 0 {
		names, more = names[:maxTroubles], fmt.Sprintf("; and %d more", n)
	}
	return fmt.Errorf("observe %s/%s%s", kind, strings.Join(names, "; "), more)
}

// settle brings the snapshot of the index up to date and returns it. What is known to be unknown of all kinds goes into
// the scope.
func (d *Driver) settle(scope resource.Scope) *resource.Snapshot {
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	var learnt []resource.Entry
	for kind, t := range d.x.tables {
		if !t.k.managed {
			clear(t.touched)
			continue
		}
		learnt = append(learnt, t.settled()...)
		if _, covered := scope.Kinds[kind]; covered {
			for name := range t.twice {
				scope.Unknown[resource.Key{Kind: kind, Name: name}] = "several objects have this name"
			}
		}
	}
	d.bare = d.bare.WithKnown(learnt)
	return d.bare
}

// within leaves out what the scope does not cover.
func (p *pass) within(s *resource.Snapshot, scope resource.Scope) *resource.Snapshot {
	all := true
	for _, k := range p.d.kinds {
		_, covered := scope.Kinds[k.Kind.Kind]
		all = all && (covered || !k.managed)
	}
	if all {
		var hidden []resource.Entry
		for key := range scope.Unknown {
			hidden = append(hidden, resource.Entry{Key: key})
		}
		return s.WithKnown(hidden)
	}
	var b resource.Builder
	for e := range s.Entries() {
		if scope.Covers(e.Key) {
			b.Known(e)
		}
	}
	out, _ := b.Snapshot(resource.Options{})
	return out
}
