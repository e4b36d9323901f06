package mem

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// auditor offers the platform's audit log.
type auditor struct{ p *Platform }

func (a auditor) Audit(ctx context.Context, t time.Time) iter.Seq2[vendors.AuditEntry, error] {
	return func(yield func(vendors.AuditEntry, error) bool) {
		a.p.mu.Lock()
		a.p.counts.Requests++
		log, visible := slices.Clone(a.p.audit), a.p.o.Now().Add(-a.p.o.AuditLag)
		a.p.mu.Unlock()
		for _, e := range log {
			if err := ctx.Err(); err != nil {
				yield(vendors.AuditEntry{}, fmt.Errorf("audit: %w", err))
				return
			}
			if !e.When.Before(t) && !e.When.After(visible) && !yield(e, nil) {
				return
			}
		}
	}
}

// activator makes what is stored run.
type activator struct{ p *Platform }

func (a activator) Activate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("activate: %w", err)
	}
	p := a.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Requests++
	stored := p.state()
	if p.o.Check != nil {
		if err := p.o.Check(maps.Clone(stored)); err != nil {
			p.counts.Refusals++
			return fmt.Errorf("activate: %w: %w", vendors.ErrRefused, err)
		}
	}
	p.counts.Activations++
	p.running = stored
	return nil
}

// Running is what an activation last made of what was stored, or what somebody put into memory since. It covers all kinds.
func (a activator) Running(ctx context.Context, _ vendors.Request) (*resource.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("running: %w", err)
	}
	p := a.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Requests++
	scope := p.scope()
	for k := range p.info {
		scope.Kinds[k] = resource.Cover{Partition: p.o.Tenant}
	}
	var b resource.Builder
	for k, spec := range p.running {
		b.Add(resource.Resource{Key: k, Spec: spec})
	}
	s, _ := b.Snapshot(resource.Options{Scope: scope, Tenant: p.o.Tenant})
	return s, nil
}

func (a activator) Checks() bool { return a.p.o.Check != nil }

// Watch passes on the keys of every edit by hand until ctx ends. The callback
// runs on the goroutine of the edit.
func (d *driver) Watch(ctx context.Context, changed func(keys ...resource.Key)) error {
	d.p.mu.Lock()
	d.p.serial++
	n := d.p.serial
	d.p.watchers[n] = changed
	d.p.mu.Unlock()
	<-ctx.Done()
	d.p.mu.Lock()
	delete(d.p.watchers, n)
	d.p.mu.Unlock()
	return ctx.Err()
}

// hint tells the watchers, in the order in which they began.
func (p *Platform) hint(keys ...resource.Key) {
	p.mu.Lock()
	var tell []func(...resource.Key)
	for _, n := range slices.Sorted(maps.Keys(p.watchers)) {
		tell = append(tell, p.watchers[n])
	}
	p.mu.Unlock()
	for _, f := range tell {
		f(keys...)
	}
}
