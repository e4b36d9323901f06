package mem

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Apply makes one change: compare, the window, then the write. With versions the
// platform compares once more and refuses; without, what fell into the window is overwritten.
func (d *driver) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if c.Before == nil && c.After == nil {
		return resource.Resource{}, fmt.Errorf("apply: a change from nothing to nothing: %w", vendors.ErrInvalid)
	}
	r, err := d.p.apply(ctx, c)
	if err != nil {
		return resource.Resource{}, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), err)
	}
	return r, nil
}

func (p *Platform) apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if err := ctx.Err(); err != nil {
		return resource.Resource{}, err
	}
	by := author{who: p.o.Account, when: p.o.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.land()
	p.counts.Requests++ // the reading
	if err := p.allowed(c); err != nil {
		return resource.Resource{}, err
	}
	if err := p.fault(true); err != nil {
		return resource.Resource{}, err
	}
	after, secrets, err := p.target(c)
	if err != nil {
		return resource.Resource{}, err
	}
	if done, err := p.compare(c, after, secrets != nil); done || err != nil {
		return p.stored(c), err
	}
	seen := p.objects[c.Key()]
	if p.o.Window != nil {
		p.unlocked(func() { p.o.Window(c) })
	}
	p.counts.Requests++ // the write
	if !p.o.Versions {
		p.counts.Requests++ // and the reading after it
	}
	if err := vendors.Leased(ctx); err != nil {
		return resource.Resource{}, err
	}
	if err := p.sent(c, seen, by); err != nil {
		return resource.Resource{}, err
	}
	return p.stored(c), nil
}

// allowed reports what the platform cannot do. p.mu is held.
func (p *Platform) allowed(c resource.Change) error {
	info, ok := p.info[c.Key().Kind]
	can := map[resource.Action]bool{
		resource.Create: info.Can.Create, resource.Update: info.Can.Update,
		resource.Delete: info.Can.Delete, resource.Rename: info.Can.Rename,
	}
	if !ok || info.ReferenceOnly || !can[c.Action()] {
		return vendors.ErrUnsupported
	}
	if err := p.failing[c.Key().Kind]; err != nil {
		return err
	}
	for _, r := range []*resource.Resource{c.Before, c.After} {
		if r != nil && p.twins[r.Key] > 0 {
			return fmt.Errorf("%s: %w", p.hidden(r.Key), vendors.ErrConflict)
		}
	}
	if c.Action() == resource.Rename && c.Before.Key.Kind != c.After.Key.Kind {
		return fmt.Errorf("%s is of another kind: %w", c.After.Key, vendors.ErrUnsupported)
	}
	return nil
}

// target returns what the platform would store after the change, and its secrets. p.mu is held.
func (p *Platform) target(c resource.Change) (resource.Spec, map[string]string, error) {
	if c.After == nil {
		return nil, nil, nil
	}
	after, secrets, err := p.split(c.After.Key, c.After.Spec)
	if err != nil {
		return nil, nil, err
	}
	return p.schemas[c.After.Key.Kind].Normalize(after), secrets, nil
}

// compare reports whether live is already what the change makes; ErrConflict where it is
// neither that nor what the change was decided on. Secrets cannot be compared, so they are written again. p.mu is held.
func (p *Platform) compare(c resource.Change, after resource.Spec, secret bool) (done bool, err error) {
	from := p.objects[c.Key()]
	renames := c.Action() == resource.Rename
	if renames {
		if to := p.objects[c.After.Key]; to != nil {
			if from == nil && p.same(to, c.After.Key, after) {
				return true, nil
			}
			return false, vendors.ErrConflict
		}
	}
	if !renames && !secret && (c.After == nil && from == nil || c.After != nil && from != nil && p.same(from, c.After.Key, after)) {
		return true, nil
	}
	if c.Before == nil {
		if from != nil && !p.same(from, c.Key(), after) {
			return false, vendors.ErrConflict
		}
		return false, nil
	}
	if from == nil {
		return false, vendors.ErrConflict
	}
	before, _, err := p.split(c.Key(), c.Before.Spec)
	if err != nil {
		return false, err
	}
	if !resource.Equal(from.spec, p.schemas[c.Key().Kind].Normalize(before)) && !(secret && !renames && p.same(from, c.After.Key, after)) {
		return false, vendors.ErrConflict
	}
	return false, nil
}

// same reports whether writing spec to the object would change nothing that can be read.
func (p *Platform) same(o *object, k resource.Key, spec resource.Spec) bool {
	if resource.Equal(o.spec, spec) {
		return true
	}
	return p.o.Fill != nil && resource.Equal(o.spec, p.schemas[k.Kind].Normalize(p.o.Fill(k, spec.Clone())))
}

// write carries the change out on whatever is there now. p.mu is held.
func (p *Platform) write(c resource.Change, by author) error {
	if c.After == nil {
		if p.objects[c.Key()] == nil {
			return nil // somebody deleted it in the window
		}
		return p.delete(c.Key(), by)
	}
	k := c.After.Key
	spec, secrets, err := p.accept(k, c.After.Spec)
	if err != nil {
		return err
	}
	if c.Before != nil && p.objects[c.Before.Key] == nil || k != c.Key() && p.objects[k] != nil {
		return vendors.ErrConflict
	}
	if c.Before == nil {
		if o := p.objects[k]; o != nil && p.o.Shared {
			p.twins[k]++
			return nil
		} else if o != nil && !resource.Equal(o.spec, spec) {
			return vendors.ErrConflict // names are unique on the platform
		}
		p.put(k, spec, secrets, by)
		return nil
	}
	old := p.objects[c.Before.Key]
	if f := changedImmutable(p.schemas[k.Kind].Root(), old.spec, spec); f != "" {
		return fmt.Errorf("%s can be set on creation only: %w", f, vendors.ErrInvalid)
	}
	if k != c.Before.Key {
		p.move(c.Before.Key, k, spec, secrets, by)
		return nil
	}
	p.put(k, spec, secrets, by)
	return nil
}

// stored returns the object as it is after the change. p.mu is held.
func (p *Platform) stored(c resource.Change) resource.Resource {
	if c.After == nil || p.objects[c.After.Key] == nil {
		return resource.Resource{}
	}
	o := p.objects[c.After.Key]
	return resource.Resource{Key: c.After.Key, Spec: o.spec, Origin: o.known()}
}

// changedImmutable returns the path of a field that may not change and does; empty if there is none.
func changedImmutable(at resource.At, before, after map[string]any) string {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, after)
	for _, f := range slices.Sorted(maps.Keys(names)) {
		sub := at.Key(f)
		if sub.Field().Immutable && !resource.Equal(before[f], after[f]) {
			return f
		}
		b, _ := before[f].(map[string]any)
		a, _ := after[f].(map[string]any)
		if b != nil && a != nil {
			if in := changedImmutable(sub, b, a); in != "" {
				return f + "." + in
			}
		}
	}
	return ""
}
