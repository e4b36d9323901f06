package mem

import (
	"context"
	"errors"
	"fmt"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// driver is a connection to a platform; it holds no state of its own.
type driver struct {
	p *Platform
	o DriverOptions
}

var (
	_ vendors.Driver  = (*driver)(nil)
	_ vendors.Watcher = (*driver)(nil)
)

func (d *driver) Kinds() []resource.KindInfo { return d.p.kinds }

func (d *driver) Close() error { return nil }

// Observe lists the kinds asked for. Failing kinds are left out of the scope, hidden objects are Unknown.
func (d *driver) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	p := d.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.land()
	l := listing{driver: d, known: r.Known, scope: p.scope()}
	for _, k := range p.asked(r.Kinds) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
		if err := l.kind(k); err != nil {
			l.errs = append(l.errs, fmt.Errorf("observe %s: %w", k, err))
		}
	}
	s, _ := l.b.Snapshot(resource.Options{Scope: l.scope, Tenant: p.o.Tenant})
	return s, errors.Join(l.errs...)
}

// listing is an observation under way.
type listing struct {
	*driver
	known *resource.Snapshot
	scope resource.Scope
	b     resource.Builder
	errs  []error
}

// kind lists one kind. On an error nothing is said about it. p.mu is held.
func (l *listing) kind(k resource.Kind) error {
	p, w := l.p, l.p.o.Weather
	err := p.failing[k]
	if err == nil {
		err = p.fault(false)
	}
	if err != nil {
		p.counts.Requests++
		return err
	}
	cover := l.cover(k)
	objects, err := l.pages(k)
	if err != nil {
		return err
	}
	if w.Dark || w.strikes(w.Empty) {
		objects = nil
	}
	l.scope.Kinds[k] = cover
	for _, o := range objects {
		if cover.Covers(o.key.Name) {
			l.add(o)
		}
	}
	return nil
}

func (l *listing) add(o listed) {
	if reason := l.p.hidden(o.key); reason != "" {
		l.scope.Unknown[o.key] = reason
		l.errs = append(l.errs, fmt.Errorf("observe %s: %s", o.key, reason))
		return
	}
	if h := o.spec.Hash(); l.known.Hash(o.key) == h {
		l.b.Known(resource.Entry{Key: o.key, Hash: h, Origin: o.known()})
	} else {
		l.b.Add(resource.Resource{Key: o.key, Spec: o.spec, Origin: o.known()})
	}
}

// listed is an object as a page shows it.
type listed struct {
	key resource.Key
	*object
}

// pages reads a kind page by page. Each page begins with the last object of the one before, so that it
// is noticed when they move; then they are read again. p.mu is held, but not between pages.
func (l *listing) pages(k resource.Kind) ([]listed, error) {
	for range 3 {
		objects, whole, err := l.onePass(k)
		if whole || err != nil {
			return objects, err
		}
	}
	return nil, errShifted
}

func (l *listing) onePass(k resource.Kind) (out []listed, whole bool, err error) {
	p, w := l.p, l.p.o.Weather
	age := p.age(k) // one server answers all pages
	keys := p.keysOf(k, age)
	for {
		p.counts.Requests++
		from := max(0, len(out)-1)
		if len(out) > 0 && (from >= len(keys) || keys[from] != out[from].key) {
			return nil, false, nil
		}
		out = out[:from]
		for _, key := range keys[from:min(len(keys), from+p.o.Page)] {
			out = append(out, listed{key, p.was(key, age)})
		}
		if w.strikes(w.Partial) {
			return nil, false, errPartial
		}
		if len(out) >= len(keys) {
			return out, true, nil
		}
		if l.o.Between != nil {
			p.unlocked(l.o.Between)
			keys = p.keysOf(k, age)
		}
	}
}

// cover is what this driver looks at of a kind.
func (d *driver) cover(k resource.Kind) resource.Cover {
	c := d.o.Cover[k]
	c.Partition = d.p.o.Tenant
	return c
}

// Read returns the objects named. Those that cannot be read are Unknown and named in the error.
func (d *driver) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	p := d.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.land()
	if err := p.fault(false); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	var b resource.Builder
	var errs []error
	scope := p.scope()
	seen := map[resource.Key]bool{}
	for _, k := range keys {
		if _, known := p.info[k.Kind]; seen[k] || !known || !d.cover(k.Kind).Covers(k.Name) {
			continue
		}
		seen[k] = true
		p.counts.Requests++
		reason := p.hidden(k)
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
		if o := p.was(k, p.age(k.Kind)); o != nil && !p.o.Weather.Dark {
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
