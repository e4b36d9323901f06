package mem

import (
	"context"
	"errors"
	"fmt"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// driver is a connection to a platform; it holds no state of its own.
type driver struct{ p *Platform }

var (
	_ vendors.Driver  = (*driver)(nil)
	_ vendors.Watcher = (*driver)(nil)
)

func (d *driver) Kinds() []resource.KindInfo { return d.p.kinds }

func (d *driver) Close() error { return nil }

// Observe lists the kinds asked for. Failing kinds are left out of the scope, hidden objects are Unknown.
func (d *driver) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	p := d.p
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	scope := p.scope()
	for _, k := range p.asked(r.Kinds) {
		if err := p.failing[k]; err != nil {
			errs = append(errs, fmt.Errorf("observe %s: %w", k, err))
			continue
		}
		scope.Kinds[k] = resource.Cover{Partition: p.o.Tenant}
	}
	var b resource.Builder
	listed := map[resource.Kind]int{}
	for _, k := range p.keys() {
		if _, covered := scope.Kinds[k.Kind]; !covered {
			continue
		}
		listed[k.Kind]++
		if reason, hidden := p.unreadable[k]; hidden {
			scope.Unknown[k] = reason
			errs = append(errs, fmt.Errorf("observe %s: %s", k, reason))
			continue
		}
		o := p.objects[k]
		if h := o.spec.Hash(); r.Known.Hash(k) == h {
			b.Known(resource.Entry{Key: k, Hash: h, Origin: o.known()})
		} else {
			b.Add(resource.Resource{Key: k, Spec: o.spec, Origin: o.known()})
		}
	}
	for k := range scope.Kinds {
		p.counts.Requests += max(1, (listed[k]+p.o.Page-1)/p.o.Page)
	}
	s, _ := b.Snapshot(resource.Options{Scope: scope, Tenant: p.o.Tenant})
	return s, errors.Join(errs...)
}

// Read returns the objects named. Those that cannot be read are Unknown and named in the error.
func (d *driver) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	p := d.p
	p.mu.Lock()
	defer p.mu.Unlock()
	var b resource.Builder
	var errs []error
	scope := p.scope()
	seen := map[resource.Key]bool{}
	for _, k := range keys {
		if _, known := p.info[k.Kind]; seen[k] || !known {
			continue
		}
		seen[k] = true
		p.counts.Requests++
		reason := p.unreadable[k]
		if err := p.failing[k.Kind]; err != nil {
			reason = err.Error()
			errs = append(errs, fmt.Errorf("read %s: %w", k, err))
		} else if reason != "" {
			errs = append(errs, fmt.Errorf("read %s: %s", k, reason))
		}
		if reason != "" {
			scope.Unknown[k] = reason
			continue
		}
		c := scope.Kinds[k.Kind]
		c.Include, c.Partition = append(c.Include, resource.QuoteGlob(k.Name)), p.o.Tenant
		scope.Kinds[k.Kind] = c
		if o := p.objects[k]; o != nil {
			b.Add(resource.Resource{Key: k, Spec: o.spec, Origin: o.known()})
		}
	}
	s, _ := b.Snapshot(resource.Options{Scope: scope, Tenant: p.o.Tenant})
	return s, errors.Join(errs...)
}

func (p *Platform) scope() resource.Scope {
	return resource.Scope{Kinds: map[resource.Kind]resource.Cover{}, Unknown: map[resource.Key]string{}}
}

// asked returns the managed kinds among those asked for, each once.
func (p *Platform) asked(kinds []resource.Kind) []resource.Kind {
	want := map[resource.Kind]bool{}
	for _, k := range kinds {
		want[k] = true
	}
	var out []resource.Kind
	for _, i := range p.kinds {
		if !i.ReferenceOnly && (kinds == nil || want[i.Kind]) {
			out = append(out, i.Kind)
		}
	}
	return out
}

func (o *object) known() *resource.Origin {
	c := o.origin
	return &c
}
