package rest

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// A disagreement is a listing that does not hold as many objects as it says.
type disagreement struct{ listed, total int }

func (d *disagreement) Error() string {
	return fmt.Sprintf("%d objects were listed and the platform says there are %d", d.listed, d.total)
}

// listings goes through all listings of a kind once, and returns the first of the passes that they had.
func (p *pass) listings(ctx context.Context, k *kind, moved map[target]string) (first uint32, err error) {
	parents, err := p.d.parents(k)
	if err != nil {
		return 0, err
	}
	if failed := p.failed[k.Parent.Kind]; failed != nil {
		return 0, fmt.Errorf("%s: %w", k.Parent.Kind, failed)
	}
	first = p.d.nextPass()
	requests := 0
	for _, l := range k.Listings {
		for _, parent := range parents {
			n, err := p.listing(ctx, k, l, parent, moved)
			requests += n
			if err != nil && !(k.Parent.Kind != "" && errors.Is(err, ErrMissing)) {
				return first, err
			}
		}
	}
	p.d.x.mu.Lock()
	p.d.x.tables[k.Kind.Kind].pages = requests
	p.d.x.mu.Unlock()
	return first, nil
}

// listing goes through one listing.
func (p *pass) listing(ctx context.Context, k *kind, l Listing, of parent, moved map[target]string) (requests int, err error) {
	w := &walker{k: k, seeds: p.d.seeds, moved: moved}
	g := &gathering{p: p, w: w, of: of, pass: p.d.nextPass(), moved: p.d.seeds.marks(moved)}
	_, g.elsewhere = moved[target{k.Parent.Kind, identOf([]byte(of.id))}]
	total, listed := -1, 0
	err = p.d.walkPages(ctx, l, vars{parent: of.id}, func(pg Paging, b []byte) (page, error) {
		requests++
		out, err := g.page(pg, b)
		if err != nil {
			return out, err
		}
		listed += out.found - g.double
		if out.total >= 0 {
			total = out.total
		}
		p.tell(k, requests, out, len(g.items))
		p.count(out.found)
		return out, p.takeAll(ctx, g.items)
	})
	if err == nil && total >= 0 && total != listed {
		err = &disagreement{listed, total}
	}
	return requests, err
}

// A gathering goes over the pages of one listing and picks what is not as it was.
type gathering struct {
	p    *pass
	w    *walker
	of   parent
	pass uint32
	next int32 // where the object is expected that comes next
	// moved are the objects that bear another name now.
	moved map[mark]struct{}
	// elsewhere says that the parent does, whose name is a part of theirs.
	elsewhere bool
	// Of the last page:
	items  []item
	double int // objects that an earlier page showed too
}

// page goes over a page. What it picks is valid as long as b is.
func (g *gathering) page(pg Paging, b []byte) (page, error) {
	g.items, g.double = g.items[:0], 0
	d := g.p.d
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	t := d.x.tables[g.w.k.Kind.Kind]
	return pg.read(b, &g.w.s, func() error {
		g.w.s.peek()
		begin := g.w.s.i
		digest, err := g.w.object()
		if err != nil {
			return err
		}
		if len(g.w.id) == 0 {
			return errors.New("an object without an id")
		}
		g.entity(t, digest, b[begin:g.w.s.i])
		return nil
	})
}

// unmoved reports whether the listing says of an object that was read alone last, as of a kind that has more than listings show, that it is
// still at the version of then. A hook's fields can stay while others move: its kinds are read once more, unless a guard says that nothing did.
func (g *gathering) unmoved(t *table, i int32, raw []byte) bool {
	guarded := g.w.k.Guard.Body != "" && slices.Contains(g.w.k.Moved, g.w.k.Guard.Body)
	if !g.w.k.Detail || g.w.k.Derived != nil && !guarded || int(i) >= len(t.versions) || t.versions[i] == 0 {
		return false
	}
	o, err := decode(raw)
	return err == nil && t.versions[i] == g.p.d.versionOf(g.w.k, o)
}

// entity looks at one object that was walked over.
func (g *gathering) entity(t *table, digest digest, raw []byte) {
	w := g.w
	if w.k.inParent {
		w.id = append(append([]byte(g.of.id), '/'), w.id...)
	}
	id := identOf(w.id)
	i := g.next
	if int(i) >= len(t.entries) || t.entries[i].id != id || !t.entries[i].live {
		var known bool
		if i, known = t.byID[id]; !known {
			i = -1
		}
	}
	g.next = i + 1
	for _, to := range w.open {
		g.p.refs = append(g.p.refs, openRef{to, id, w.k})
	}
	if i >= 0 {
		e := &t.entries[i]
		if e.digest == 0 && g.unmoved(t, i, raw) {
			e.digest = digest // of what shows that it is as it was read alone
		}
		if e.pass == g.pass {
			g.double++
			return
		}
		same := e.digest == digest && digest != 0 && !w.hit && !g.elsewhere && !t.follows(i, g.moved) && (!w.k.always || e.gone || g.p.d.o.PartsEvery > 0)
		if same && (e.gone || !w.k.managed || (e.same || g.p.brief) && !e.hash.IsZero()) && !g.p.d.settling(w.k, id) {
			e.pass = g.pass
			return
		}
	}
	g.items = append(g.items, item{
		k: w.k, raw: raw, id: string(w.id), ident: id, digest: digest, parent: g.of, pass: g.pass,
	})
}
