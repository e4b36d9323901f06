package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// vars fill the templates of paths and queries.
type vars struct{ id, parent, item, name string }

// path fills a path; what is filled in is escaped.
func (v vars) path(template string) string {
	if !strings.Contains(template, "{") {
		return template
	}
	return strings.NewReplacer(
		"{id}", url.PathEscape(v.id), "{parent}", url.PathEscape(v.parent),
		"{item}", url.PathEscape(v.item), "{name}", url.PathEscape(v.name),
	).Replace(template)
}

func (v vars) query(templates map[string]string) url.Values {
	q := make(url.Values, len(templates)+2)
	r := strings.NewReplacer("{id}", v.id, "{parent}", v.parent, "{item}", v.item, "{name}", v.name)
	for key, t := range templates {
		q.Set(key, r.Replace(t))
	}
	return q
}

// vars returns those of an object by the engine's id.
func (k *kind) vars(id string) vars {
	if k.inParent {
		parent, own, _ := strings.Cut(id, "/")
		return vars{id: own, parent: parent}
	}
	return vars{id: id}
}

// compose returns the engine's id of an object in a parent.
func (k *kind) compose(parent, id string) string {
	if k.inParent {
		return parent + "/" + id
	}
	return id
}

// request is what an operation asks.
func (o Operation) request(name string, v vars, body any) Request {
	return Request{Operation: name, Method: o.Method, Path: v.path(o.Path), Query: v.query(o.Query), Body: body}
}

// walkPages asks for the pages of a listing, one after the other. page goes over an answer, which it may keep no part of.
func (d *Driver) walkPages(ctx context.Context, l Listing, v vars, page func(Paging, []byte) (page, error)) error {
	pg := d.p.Paging
	if l.Paging != nil {
		pg = *l.Paging
	}
	c := cursor{Paging: pg, number: 1}
	var b bytes.Buffer
	for n := 0; ; n++ {
		if n == maxPages {
			return fmt.Errorf("more than %d pages", maxPages)
		}
		q := v.query(l.Query)
		c.query(q)
		a, err := d.c.Do(ctx, Request{Operation: "list", Path: v.path(l.Path), Query: q, buffer: &b})
		if err != nil {
			return err
		}
		p, err := page(pg, a.Body)
		if err != nil {
			return err
		}
		more, err := c.advance(p)
		if err != nil || !more {
			return err
		}
	}
}

// listing calls f with every object of a listing.
func (d *Driver) listing(ctx context.Context, l Listing, v vars, f func(Object) error) error {
	return d.walkPages(ctx, l, v, func(pg Paging, b []byte) (page, error) {
		var s scanner
		return pg.read(b, &s, func() error {
			s.peek()
			begin := s.i
			if err := s.skip(0); err != nil {
				return err
			}
			o, err := decode(s.b[begin:s.i])
			if err != nil {
				return err
			}
			return f(o)
		})
	})
}

// A fetched object is one with its parts.
type fetched struct {
	id   string // the engine's
	o    Object
	etag string
	// digest is that of a listing which shows the same; 0 where listings show less than what was read.
	digest digest
}

// get reads one object with its parts by the engine's id. ErrMissing: there is none.
func (d *Driver) get(ctx context.Context, k *kind, id string) (fetched, error) {
	return d.getBut(ctx, k, id, nil)
}

// getBut is get without what the spare says.
func (d *Driver) getBut(ctx context.Context, k *kind, id string, but *spare) (fetched, error) {
	if k.Get.Path == "" {
		return d.getListed(ctx, k, id)
	}
	a, err := d.c.Do(ctx, k.Get.request("get", k.vars(id), nil))
	if err != nil {
		return fetched{}, err
	}
	out := fetched{id: id, etag: a.Header.Get("ETag")}
	if err := a.JSON(&out.o); err != nil {
		return fetched{}, err
	}
	if out.o == nil || k.isGone(out.o) {
		return fetched{}, ErrMissing
	}
	if !k.Detail {
		w := &walker{k: k, seeds: d.seeds, s: scanner{b: a.Body}}
		if out.digest, err = w.object(); err != nil {
			out.digest = 0 // the next listing looks at it anew
		}
	}
	return out, d.complete(ctx, k, id, out.o, but)
}

// getListed reads one object of a kind that can be listed only.
func (d *Driver) getListed(ctx context.Context, k *kind, id string) (fetched, error) {
	out := fetched{}
	err := d.every(ctx, k, func(parent string, o Object) error {
		if own, _ := idText(o[k.id]); out.o == nil && k.compose(parent, own) == id {
			out = fetched{id: id, o: o}
		}
		return nil
	})
	if err == nil && out.o == nil {
		err = ErrMissing
	}
	if err != nil {
		return fetched{}, err
	}
	return out, d.complete(ctx, k, id, out.o, nil)
}

// every calls f with every object of the kind that is not gone, listed anew. parent is the id of its parent.
func (d *Driver) every(ctx context.Context, k *kind, f func(parent string, o Object) error) error {
	parents, err := d.parents(k)
	if err != nil {
		return err
	}
	for _, l := range k.Listings {
		for _, parent := range parents {
			err := d.listing(ctx, l, vars{parent: parent.id}, func(o Object) error {
				if k.isGone(o) {
					return nil
				}
				return f(parent.id, o)
			})
			if k.Parent.Kind != "" && errors.Is(err, ErrMissing) {
				continue // the parent is gone
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// A parent is an object whose children are listed.
type parent struct{ id, name string }

// parents returns those of a kind by what is resident; a kind without has one that is empty.
func (d *Driver) parents(k *kind) ([]parent, error) {
	if k.Parent.Kind == "" {
		return []parent{{}}, nil
	}
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	t := d.x.tables[k.Parent.Kind]
	if t.listed.IsZero() {
		return nil, fmt.Errorf("%s were not read yet", k.Parent.Kind)
	}
	var out []parent
	for _, i := range t.sorted() {
		out = append(out, parent{t.entries[i].origin.ID, t.entries[i].name})
	}
	return out, nil
}

// complete reads what an object's own answer does not show, but for what the spare says.
func (d *Driver) complete(ctx context.Context, k *kind, id string, o Object, but *spare) error {
	v := k.vars(id)
	for _, part := range k.Parts {
		if but.has(part.Field) {
			continue
		}
		if doc, written := but.raw(part.Field); written {
			o[part.Field] = doc
			continue
		}
		if err := d.readPart(ctx, part, v, o); err != nil {
			return fmt.Errorf("%s: %w", part.Field, err)
		}
	}
	if k.Hooks.Read == nil || d.asBefore(k, id, o, but) {
		return nil
	}
	return k.Hooks.Read(ctx, d.c, id, o)
}

func (d *Driver) readPart(ctx context.Context, part Part, v vars, o Object) error {
	if part.Get != nil {
		a, err := d.c.Do(ctx, part.Get.request("get", v, nil))
		if errors.Is(err, ErrMissing) {
			delete(o, part.Field)
			return nil
		}
		if err != nil {
			return err
		}
		var doc any
		if err := a.JSON(&doc); err != nil {
			return err
		}
		o[part.Field] = doc
		return nil
	}
	list := []any{}
	err := d.listing(ctx, *part.List, v, func(e Object) error {
		list = append(list, e)
		return nil
	})
	o[part.Field] = list
	return err
}

// search looks for the objects with a name, on the platform.
func (d *Driver) search(ctx context.Context, k *kind, name string) ([]fetched, error) {
	found, err := d.searchAll(ctx, k, []string{name})
	return found[name], err
}

// searchAll looks for the objects with the names, on the platform, with as few requests as can be.
func (d *Driver) searchAll(ctx context.Context, k *kind, names []string) (map[string][]fetched, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	out := map[string][]fetched{}
	seen := map[string]bool{}
	take := func(parent string, o Object) error {
		own, ok := idText(o[k.id])
		if id := k.compose(parent, own); ok && !seen[id] && !k.isGone(o) {
			seen[id] = true
			name, err := d.nameOf(ctx, k, parent, o)
			if err == nil && wanted[name] {
				out[name] = append(out[name], fetched{id: id, o: o})
			}
		}
		return nil
	}
	wild := func(name string) bool { return strings.ContainsAny(name, "*?") } // may mean something else to the platform
	if k.Find == nil || len(names) > 10 || slices.ContainsFunc(names, wild) {
		return out, d.every(ctx, k, take)
	}
	for _, name := range names {
		parts, ok := splitName(name, max(1, len(k.names)))
		if !ok {
			continue
		}
		v := vars{name: parts[len(parts)-1]}
		if k.Parent.Kind != "" {
			if v.parent, ok = d.x.id(resource.Key{Kind: k.Parent.Kind, Name: parts[0]}); !ok {
				continue // no parent, no child
			}
		}
		if err := d.listing(ctx, *k.Find, v, func(o Object) error { return take(v.parent, o) }); err != nil {
			return out, err
		}
	}
	return out, nil
}

// nameOf returns the name of an object that was listed.
func (d *Driver) nameOf(ctx context.Context, k *kind, parentID string, o Object) (string, error) {
	parentName, _ := d.x.name(k.Parent.Kind, parentID)
	r, err := k.read(o, parentName, d.namer(ctx, nil))
	if r.name != "" {
		return r.name, nil
	}
	if name, plain := k.nameOf(o, nil); plain == nil {
		return name, nil // its name can be read though it cannot
	}
	return "", err
}

// namer returns what tells names by ids: what is resident, and else the platform. Kinds in pending are still to be listed.
func (d *Driver) namer(ctx context.Context, pending map[resource.Kind]bool) namer {
	return func(kind resource.Kind, id string) (string, bool, bool, error) {
		if name, ok := d.x.name(kind, id); ok {
			return name, true, false, nil
		}
		if pending[kind] {
			return "", false, true, nil
		}
		name, err := d.learn(ctx, kind, id)
		if errors.Is(err, ErrMissing) {
			return "", false, false, nil
		}
		return name, err == nil, false, err
	}
}

// resident tells names by what is resident only.
func (d *Driver) resident(kind resource.Kind, id string) (string, bool, bool, error) {
	name, ok := d.x.name(kind, id)
	return name, ok, false, nil
}

// maxLost bounds how many ids that lead nowhere are remembered of a kind.
const maxLost = 10_000

// learn asks the platform for the name of an object that no listing has shown. ErrMissing: there is none, which is
// remembered until a listing shows it.
func (d *Driver) learn(ctx context.Context, kind resource.Kind, id string) (string, error) {
	k := d.by[kind]
	key := identOf([]byte(id))
	d.x.mu.Lock()
	var lost bool
	if k != nil {
		_, lost = d.x.tables[kind].lost[key]
	}
	d.x.mu.Unlock()
	if k == nil || lost {
		return "", ErrMissing
	}
	f, err := fetched{}, error(ErrMissing)
	if k.Get.Path != "" && (!k.inParent || strings.Contains(id, "/")) {
		var a *Answer
		if a, err = d.c.Do(ctx, k.Get.request("get", k.vars(id), nil)); err == nil {
			f = fetched{id: id}
			err = a.JSON(&f.o)
		}
		if refused := (*Refusal)(nil); errors.As(err, &refused) && refused.Status == 400 {
			err = ErrMissing // no id of this platform at all
		}
		if err == nil && (k.isGone(f.o) || k.nameless(f.o)) {
			err = ErrMissing
		}
	}
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	t := d.x.tables[kind]
	if errors.Is(err, ErrMissing) {
		if len(t.lost) >= maxLost {
			clear(t.lost)
		}
		t.lost[key] = struct{}{}
		return "", ErrMissing
	}
	if err != nil {
		return "", fmt.Errorf("refers to a %s that cannot be read: %w", kind, err)
	}
	name, err := k.nameOf(f.o, nil)
	if err != nil {
		return "", fmt.Errorf("refers to a %s: %w", kind, err)
	}
	t.learnt(key, id, name, f.o)
	return name, nil
}

// learnt notes an object that was asked for by an id, which may be an alias.
func (t *table) learnt(key ident, id, name string, o Object) {
	real := id
	if own, ok := idText(o[t.k.id]); ok && !t.k.inParent {
		real = own
	}
	if real == id {
		t.put(key, name, &resource.Origin{ID: id}, 0, resource.Hash{})
		return
	}
	i := t.find(identOf([]byte(real)))
	if i < 0 {
		i = t.put(identOf([]byte(real)), name, &resource.Origin{ID: real}, 0, resource.Hash{})
	}
	t.aliases[key] = i
}
