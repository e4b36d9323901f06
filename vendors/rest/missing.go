package rest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// unreadable notes an object that is there and cannot be read. One without a name fails its kind.
func (p *pass) unreadable(ctx context.Context, it item, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var of resource.Spec
	if f := it.k.Parent.Field; f != "" {
		of = resource.Spec{f: resource.Ref{Key: resource.Key{Kind: it.k.Parent.Kind, Name: it.parent.name}}}
	}
	name, err := it.k.nameOf(it.o, of)
	d := p.d
	d.x.mu.Lock()
	t := d.x.tables[it.k.Kind.Kind]
	i := t.find(it.ident)
	if i >= 0 && name == "" {
		name = t.entries[i].name
	}
	if i >= 0 {
		t.entries[i].digest, t.entries[i].pass = 0, it.pass
	}
	t.unread[it.ident] = it.id
	d.x.mu.Unlock()
	if name == "" {
		return fmt.Errorf("%s: %w", it.id, errors.Join(cause, err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unknown[resource.Key{Kind: it.k.Kind.Kind, Name: name}] = cause.Error()
	p.troubles[it.k.Kind.Kind] = append(p.troubles[it.k.Kind.Kind], name+": "+cause.Error())
	return nil
}

// lacks reports whether objects are resident that the listings since first did not show.
func (p *pass) lacks(t *table, first uint32) bool {
	p.d.x.mu.Lock()
	defer p.d.x.mu.Unlock()
	for i := range t.entries {
		if e := &t.entries[i]; e.live && !e.gone && e.pass < first {
			return true
		}
	}
	return false
}

// missing asks by id for the objects that were there and were not listed: a page that moves while others
// are read is no deletion. What is really gone is forgotten.
func (p *pass) missing(ctx context.Context, k *kind, first uint32) error {
	d := p.d
	t := d.x.tables[k.Kind.Kind]
	var ask []item
	d.x.mu.Lock()
	for i := range t.entries {
		e := &t.entries[i]
		switch {
		case !e.live || e.pass >= first:
		case e.gone || k.Get.Path == "":
			t.remove(int32(i))
		default:
			ask = append(ask, item{k: k, id: e.origin.ID, ident: e.id, complete: true, again: false, pass: first})
		}
	}
	d.x.mu.Unlock()
	over := len(ask) - d.o.MaxMissing
	if over > 0 {
		ask = ask[:d.o.MaxMissing]
	}
	err := d.each(ctx, len(ask), func(ctx context.Context, i int) error { return p.ask(ctx, ask[i]) })
	if err == nil && over > 0 {
		err = fmt.Errorf("%d objects more are missing in the listing than are asked for at once", over)
	}
	return err
}

// ask reads an object that was not listed, by its id. One that may not be seen is unknown, and fails nothing else.
func (p *pass) ask(ctx context.Context, it item) error {
	f, err := p.d.get(ctx, it.k, it.id)
	p.count(0)
	if errors.Is(err, ErrMissing) {
		p.forget(it.k, it.ident)
		return nil
	}
	if errors.Is(err, vendors.ErrDenied) {
		return p.unreadable(ctx, it, fmt.Errorf("it is not listed, and %w", err))
	}
	if err != nil {
		name, _ := p.d.x.name(it.k.Kind.Kind, it.id)
		return fmt.Errorf("%s (%s), which was not listed: %w", name, it.id, err)
	}
	it.o, it.etag = f.o, f.etag
	if f.digest != 0 {
		it.digest = f.digest
	}
	if parent, _, ok := strings.Cut(it.id, "/"); ok && it.k.inParent {
		it.parent.id = parent
		it.parent.name, _ = p.d.x.name(it.k.Parent.Kind, parent)
	}
	return p.take(ctx, it)
}

func (p *pass) forget(k *kind, id ident) {
	p.d.x.mu.Lock()
	defer p.d.x.mu.Unlock()
	t := p.d.x.tables[k.Kind.Kind]
	if i, ok := t.byID[id]; ok {
		t.remove(i)
	}
}
