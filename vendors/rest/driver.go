package rest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A Driver talks to one tenant of a platform that a table describes. It holds, of every object, its
// id, name, origin and hashes, and no bodies.
type Driver struct {
	p     *Platform
	o     Options
	c     *Client
	kinds []*kind
	by    map[resource.Kind]*kind
	infos []resource.KindInfo
	seeds seeds
	x     *index

	observing chan struct{} // holds one while somebody lists
	writing   chan struct{} // holds one while a change is made

	mu     sync.Mutex
	tenant string
	pass   uint32
	bare   *resource.Snapshot // of the index
	full   time.Time          // when a reading of everything began last
	until  time.Time          // up to when changes are known
	wrote  map[target]time.Time
	swept  time.Time // when parts were looked at in turn last
	turns  float64   // requests for that which are saved up
	// doubtful are creations whose answer was lost.
	doubtful map[resource.Key]doubt
}

var (
	_ vendors.Driver = (*Driver)(nil)
	_ IDs            = (*Driver)(nil)

	_ vendors.Doubter = (*Driver)(nil)
	_ vendors.Metered = (*Driver)(nil)
)

// New opens a driver. Nothing is sent yet.
func New(p Platform, o Options) (*Driver, error) {
	if err := Check(p); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	c, err := newClient(&p, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	o = c.o
	o.NamesEvery = cmp.Or(o.NamesEvery, 15*time.Minute)
	o.MaxMissing = cmp.Or(o.MaxMissing, 100)
	d := &Driver{
		p: &p, o: o, c: c, kinds: compile(&p, o), by: map[resource.Kind]*kind{}, seeds: newSeeds(),
		observing: make(chan struct{}, 1), writing: make(chan struct{}, 1), wrote: map[target]time.Time{}, doubtful: map[resource.Key]doubt{}, bare: resource.SnapshotOf(resource.Options{}),
	}
	for _, k := range d.kinds {
		d.by[k.Kind.Kind] = k
		d.infos = append(d.infos, k.info)
	}
	d.x = newIndex(d.kinds)
	return d, nil
}

// Vendor returns the driver with the optional interfaces that the platform's hooks make.
func (d *Driver) Vendor() vendors.Driver {
	a, w := auditor{d}, watcher{d}
	switch h := d.p.Hooks; {
	case h.Audit != nil && h.Watch != nil:
		return struct {
			*Driver
			auditor
			watcher
		}{d, a, w}
	case h.Audit != nil:
		return struct {
			*Driver
			auditor
		}{d, a}
	case h.Watch != nil:
		return struct {
			*Driver
			watcher
		}{d, w}
	}
	return d
}

type auditor struct{ driver *Driver }

// Audit implements vendors.Auditor.
func (a auditor) Audit(ctx context.Context, t time.Time) iter.Seq2[vendors.AuditEntry, error] {
	return a.driver.p.Hooks.Audit(ctx, a.driver.c, a.driver, t)
}

type watcher struct{ driver *Driver }

// Watch implements vendors.Watcher.
func (w watcher) Watch(ctx context.Context, changed func(...resource.Key)) error {
	return w.driver.p.Hooks.Watch(ctx, w.driver.c, w.driver, changed)
}

// Kinds describes the managed kinds and those that they refer to.
func (d *Driver) Kinds() []resource.KindInfo { return d.infos }

// Close ends idle connections.
func (d *Driver) Close() error {
	d.c.close()
	return nil
}

// Client returns the client, for what is asked of the platform outside of kinds.
func (d *Driver) Client() *Client { return d.c }

// Remaining implements vendors.Metered: what is left of the minute's budget.
func (d *Driver) Remaining() (requests int, bounded bool) { return d.c.budget.remaining() }

// Key implements IDs.
func (d *Driver) Key(k resource.Kind, id string) (resource.Key, bool) {
	name, ok := d.x.name(k, id)
	return resource.Key{Kind: k, Name: name}, ok
}

// ID implements IDs.
func (d *Driver) ID(k resource.Key) (string, bool) { return d.x.id(k) }

// When implements IDs.
func (d *Driver) When(k resource.Kind, id string) time.Time {
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	t := d.x.tables[k]
	if t == nil {
		return time.Time{}
	}
	i := t.find(identOf([]byte(id)))
	if i < 0 || t.entries[i].origin == nil {
		return time.Time{}
	}
	return t.entries[i].origin.When
}

// identity returns what tells the tenant from others.
func (d *Driver) identity(ctx context.Context) (string, error) {
	d.mu.Lock()
	known := d.tenant
	d.mu.Unlock()
	if known != "" {
		return known, nil
	}
	out := d.p.Name + ":" + d.c.base.String()
	if d.p.Tenant.Path != "" {
		a, err := d.c.Do(ctx, Request{Operation: "get", Path: d.p.Tenant.Path})
		if err != nil {
			return "", fmt.Errorf("tenant: %w", err)
		}
		var o Object
		if err := a.JSON(&o); err != nil {
			return "", fmt.Errorf("tenant: %w", err)
		}
		v, _ := at(o, d.p.Tenant.Field)
		id, ok := idText(v)
		if !ok || id == "" {
			return "", fmt.Errorf("tenant: the answer has no %s", d.p.Tenant.Field)
		}
		out = d.p.Name + ":" + id
	}
	d.mu.Lock()
	d.tenant = out
	d.mu.Unlock()
	return out, nil
}

// nextPass numbers readings of listings.
func (d *Driver) nextPass() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pass++
	return d.pass
}

// settling reports whether a listing may still show the object as it was before we wrote it.
func (d *Driver) settling(k *kind, id ident) bool {
	if k.Settle == 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.o.Clock.Now().Before(d.wrote[target{k.Kind.Kind, id}])
}

// written notes that we wrote the object.
func (d *Driver) written(k *kind, id string) {
	if k.Settle == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Clock.Now()
	for t, end := range d.wrote {
		if now.After(end) {
			delete(d.wrote, t)
		}
	}
	d.wrote[target{k.Kind.Kind, identOf([]byte(id))}] = now.Add(k.Settle)
}

// each calls f for 0 to n-1, some at once, until one fails, and returns the first failure.
func (d *Driver) each(ctx context.Context, n int, f func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan int)
	var all sync.WaitGroup
	for range min(n, cap(d.c.flying)) {
		all.Go(func() {
			for i := range work {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		work <- i
	}
	close(work)
	all.Wait()
	return context.Cause(ctx)
}
