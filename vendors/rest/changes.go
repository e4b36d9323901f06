package rest

import (
	"context"
	"errors"
	"slices"
	"time"
)

// skew is by how much the platform's clock may differ from ours, and by how much its record may
// come later than what a listing showed.
const skew = 2 * time.Minute

// narrow reads what the platform's own record says has changed, and returns what is still to be listed. Where there is no
// record, or everything was not listed for too long, that is all of it.
func (p *pass) narrow(ctx context.Context, kinds []*kind) []*kind {
	d := p.d
	d.mu.Lock()
	full, since := d.full, d.until
	d.mu.Unlock()
	if d.p.Hooks.Changes == nil || d.o.FullEvery <= 0 || full.IsZero() || p.begun.Sub(full) >= d.o.FullEvery {
		return kinds
	}
	c, err := d.p.Hooks.Changes(ctx, d.c, d, since)
	if err != nil {
		d.o.Logger.Info("the platform's record of changes cannot be read: everything is listed", "error", err)
		return kinds
	}
	p.until = c.Until
	whole := map[*kind]bool{}
	for _, k := range p.asked {
		if err := p.named(ctx, k, c); err != nil {
			d.o.Logger.Debug("listing instead of asking", "kind", k.Kind.Kind, "reason", err)
			whole[k] = true
			d.x.mu.Lock()
			d.x.tables[k.Kind.Kind].distrust(c.IDs[k.Kind.Kind], c.Parts[k.Kind.Kind])
			d.x.mu.Unlock()
		}
	}
	// What refers to something that has another name now is found by listing.
	d.x.mu.Lock()
	for _, k := range p.asked {
		whole[k] = whole[k] || len(d.x.tables[k.Kind.Kind].moved) > 0
	}
	d.x.mu.Unlock()
	return slices.DeleteFunc(kinds, func(k *kind) bool {
		spared := !whole[k] && slices.Contains(p.asked, k)
		if spared {
			delete(p.pending, k.Kind.Kind)
			p.spared = append(p.spared, k)
		}
		return spared
	})
}

// distrust sees to it that a listing reads the objects though they are listed as they were: what was read of them alone may have been
// what was before. The index's mutex is held.
func (t *table) distrust(ids ...[]string) {
	for _, id := range slices.Concat(ids...) {
		if i, there := t.byID[identOf([]byte(id))]; there {
			t.entries[i].digest = 0
			if int(i) < len(t.versions) {
				t.versions[i] = 0
			}
		}
	}
}

// behind returns the kinds that were not to be listed, and that refer to what has another name since: they are to be listed too, as
// a reading that tells a rename tells it of whatever refers to it. Each comes once.
func (p *pass) behind() (out []*kind) {
	p.d.x.mu.Lock()
	defer p.d.x.mu.Unlock()
	p.spared = slices.DeleteFunc(p.spared, func(k *kind) bool {
		if len(p.d.x.tables[k.Kind.Kind].moved) == 0 {
			return false
		}
		out = append(out, k)
		return true
	})
	return out
}

// named asks for those objects of a kind that the record names, and for those of which the caller or
// the index does not know enough. An error says why the kind has to be listed.
func (p *pass) named(ctx context.Context, k *kind, c Changes) error {
	kind := k.Kind.Kind
	ids := c.IDs[kind]
	if slices.Contains(c.Whole, kind) || len(ids) > 0 && (k.Name.Singleton != "" || k.Get.Path == "") {
		return errors.New("the record says no more")
	}
	t := p.d.x.tables[kind]
	ask := map[string]bool{}
	for _, id := range ids {
		ask[id] = true
	}
	p.d.x.mu.Lock()
	for _, id := range t.unread {
		ask[id] = true
	}
	for i := range t.entries {
		if e := &t.entries[i]; e.live && !e.gone && !e.same && (!e.hash.IsZero() || k.Get.Path != "") {
			ask[e.origin.ID] = true
		}
	}
	known := !t.listed.IsZero() && !t.failed && len(t.moved) == 0
	many := len(ask) > max(t.pages, 10)
	p.d.x.mu.Unlock()
	switch {
	case !known:
		return errors.New("not all is known")
	case many || len(ask) > 0 && k.Get.Path == "":
		return errors.New("too many to ask for")
	}
	if err := p.lookAll(ctx, k, c.Parts[kind], ask); err != nil {
		return err
	}
	var items []item
	for id := range ask {
		items = append(items, item{k: k, id: id, ident: identOf([]byte(id)), complete: true, pass: p.d.nextPass()})
	}
	return p.d.each(ctx, len(items), func(ctx context.Context, i int) error { return p.ask(ctx, items[i]) })
}

// remember notes up to when everything is known.
func (p *pass) remember() {
	d := p.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if !p.until.IsZero() {
		d.until = p.until
		return
	}
	d.full, d.until = p.begun, p.begun.Add(-skew)
}
