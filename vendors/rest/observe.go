package rest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A pass is one reading of listings. Its goroutine owns it; what is under mu is shared with those that it
// starts to read several objects at once.
type pass struct {
	d       *Driver
	known   *resource.Snapshot
	asked   []*kind
	pending map[resource.Kind]bool // still to be listed
	begun   time.Time
	until   time.Time // up to when the platform's record of changes was read; zero where it was not
	brief   bool      // no bodies are wanted

	telling  sync.Mutex // held while progress is told, before mu
	mu       sync.Mutex
	bodies   resource.Overlay // of what the caller does not know by its hash
	unknown  map[resource.Key]string
	troubles map[resource.Kind][]string // names of objects that could not be read, with the first reason
	failed   map[resource.Kind]error
	deferred []item // objects that refer to what was still to be listed
	refs     []openRef
	requests int
	objects  int
	current  resource.Kind         // being listed
	expected map[resource.Kind]int // requests for those to be listed, as far as is known
}

// An item is an object as a listing or an answer shows it.
type item struct {
	k        *kind
	raw      []byte // or o
	o        Object
	etag     string
	id       string
	ident    ident
	digest   digest
	parent   parent
	complete bool // parts and all
	again    bool // names are to be resolved now
	pass     uint32
}

// An openRef is a reference to an object of a kind that was not listed before the one that refers.
type openRef struct {
	to   target
	from ident
	k    *kind
}

// Observe implements vendors.Driver: it lists, and makes bodies of what the caller does not know by its hash.
func (d *Driver) Observe(ctx context.Context, r vendors.Request) (*resource.Snapshot, error) {
	select {
	case d.observing <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("observe: %w", ctx.Err())
	}
	defer func() { <-d.observing }()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	tenant, err := d.identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	p := d.newPass(r.Known)
	d.x.mu.Lock()
	d.x.compare(r.Known)
	d.x.mu.Unlock()
	kinds := p.choose(r.Kinds)
	if r.Kinds == nil {
		kinds = p.narrow(ctx, kinds)
	}
	if err := p.listAll(ctx, kinds); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	if r.Kinds == nil {
		p.remember()
	}
	return p.snapshot(tenant)
}

func (d *Driver) newPass(known *resource.Snapshot) *pass {
	return &pass{
		d: d, known: known, pending: map[resource.Kind]bool{}, begun: d.o.Clock.Now(), bodies: resource.Overlay{},
		expected: map[resource.Kind]int{}, unknown: map[resource.Key]string{}, troubles: map[resource.Kind][]string{}, failed: map[resource.Kind]error{},
	}
}

// choose returns what is to be listed, in order: the kinds asked for, and others for their names. It fills asked and pending.
func (p *pass) choose(kinds []resource.Kind) []*kind {
	d := p.d
	needed := map[resource.Kind]bool{}
	for _, k := range d.kinds {
		if k.managed && (kinds == nil || slices.Contains(kinds, k.Kind.Kind)) {
			p.asked = append(p.asked, k)
			for r := range k.refs {
				needed[r] = true
			}
			needed[k.WhoKind] = true
		}
	}
	now := d.o.Clock.Now()
	var out []*kind
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	// The kinds that names of needed ones are made of come before those.
	for i := len(d.kinds) - 1; i >= 0; i-- {
		k := d.kinds[i]
		t := d.x.tables[k.Kind.Kind]
		stale := t.listed.IsZero() || !k.managed && now.Sub(t.listed) >= d.o.NamesEvery
		if slices.Contains(p.asked, k) || needed[k.Kind.Kind] && stale {
			out = append(out, k)
			p.pending[k.Kind.Kind] = true
			if !k.managed {
				for r := range k.refs {
					needed[r] = true
				}
			}
		}
	}
	slices.Reverse(out)
	return out
}

// listAll lists the kinds. Only the end of ctx is an error; a kind that cannot be read fails alone.
func (p *pass) listAll(ctx context.Context, kinds []*kind) error {
	for _, k := range kinds {
		p.expect(k)
	}
	for _, k := range kinds {
		p.mu.Lock()
		p.current = k.Kind.Kind
		p.mu.Unlock()
		err := p.list(ctx, k)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			p.failed[k.Kind.Kind] = err
		}
		p.d.x.mu.Lock()
		p.d.x.tables[k.Kind.Kind].failed = err != nil
		p.d.x.mu.Unlock()
		delete(p.pending, k.Kind.Kind)
	}
	return p.finish(ctx)
}

// list lists one kind completely.
func (p *pass) list(ctx context.Context, k *kind) error {
	if k.Name.Singleton != "" {
		return p.single(ctx, k)
	}
	d := p.d
	t := d.x.tables[k.Kind.Kind]
	d.x.mu.Lock()
	moved := maps.Clone(t.moved)
	d.x.mu.Unlock()
	var first uint32
	var err error
	for try := range 2 {
		first, err = p.listings(ctx, k, moved)
		var odd *disagreement
		if !errors.As(err, &odd) && (err != nil || try > 0 || k.Get.Path != "" || !p.lacks(t, first)) {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := p.missing(ctx, k, first); err != nil {
		return err
	}
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	t.listed = d.o.Clock.Now()
	for m := range moved {
		delete(t.moved, m)
	}
	return nil
}

// single reads the only object of a kind.
func (p *pass) single(ctx context.Context, k *kind) error {
	f, err := p.d.get(ctx, k, k.Name.Singleton)
	p.count(0)
	if err != nil {
		return err
	}
	err = p.take(ctx, item{k: k, o: f.o, etag: f.etag, id: f.id, ident: identOf([]byte(f.id)), complete: true, pass: p.d.nextPass()})
	if err == nil {
		p.d.x.mu.Lock()
		p.d.x.tables[k.Kind.Kind].listed = p.d.o.Clock.Now()
		p.d.x.mu.Unlock()
	}
	return err
}

// A disagreement is a listing that does not hold as many objects as it says.
type disagreement struct{ listed, total int }

func (d *disagreement) Error() string {
	return fmt.Sprintf("%d objects were listed and the platform says there are %d", d.listed, d.total)
}

// listings goes through all listings of a kind once, and returns the first of the passes that they had.
func (p *pass) listings(ctx context.Context, k *kind, moved map[target]struct{}) (first uint32, err error) {
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
func (p *pass) listing(ctx context.Context, k *kind, l Listing, of parent, moved map[target]struct{}) (requests int, err error) {
	w := &walker{k: k, seeds: p.d.seeds, moved: moved}
	g := &gathering{p: p, w: w, of: of, pass: p.d.nextPass()}
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
		p.tell(k, requests, out)
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
		if e.pass == g.pass {
			g.double++
			return
		}
		same := e.digest == digest && digest != 0 && !w.hit && (!w.k.always || e.gone)
		if same && (e.gone || !w.k.managed || (e.same || g.p.brief) && !e.hash.IsZero()) && !g.p.d.settling(w.k, id) {
			e.pass = g.pass
			return
		}
	}
	g.items = append(g.items, item{
		k: w.k, raw: raw, id: string(w.id), ident: id, digest: digest, parent: g.of, pass: g.pass,
	})
}

// takeAll takes what a page showed to be new.
func (p *pass) takeAll(ctx context.Context, items []item) error {
	if len(items) == 0 {
		return nil
	}
	if !items[0].k.reads && items[0].k.Settle == 0 {
		for i := range items {
			if err := p.take(ctx, items[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return p.d.each(ctx, len(items), func(ctx context.Context, i int) error { return p.take(ctx, items[i]) })
}

// take makes name and spec of an object and notes them. Only what concerns the whole kind is an error.
func (p *pass) take(ctx context.Context, it item) error {
	d, k := p.d, it.k
	if it.o == nil {
		o, err := decode(it.raw)
		if err != nil {
			return err
		}
		it.o = o
	}
	if k.isGone(it.o) {
		d.x.mu.Lock()
		defer d.x.mu.Unlock()
		t := d.x.tables[k.Kind.Kind]
		t.entries[t.bury(it.ident, it.id, it.digest)].pass = it.pass
		return nil
	}
	if k.managed && !it.complete {
		if err := p.completeItem(ctx, &it); err != nil {
			if errors.Is(err, ErrMissing) {
				return nil // it went meanwhile; nobody marks it as listed
			}
			return p.unreadable(ctx, it, err)
		}
	}
	if !k.managed {
		name, err := d.nameOf(ctx, k, it.parent.id, it.o)
		if err != nil {
			return fmt.Errorf("%s: %w", it.id, err)
		}
		p.note(it, reading{name: name})
		return nil
	}
	r, err := k.read(it.o, it.parent.name, p.namer(ctx, it.again))
	if err != nil {
		return p.unreadable(ctx, it, err)
	}
	if r.pending {
		it.raw = nil
		p.mu.Lock()
		p.deferred = append(p.deferred, it)
		p.mu.Unlock()
		// Its name may be asked for before its spec is known.
		d.x.mu.Lock()
		defer d.x.mu.Unlock()
		t := d.x.tables[k.Kind.Kind]
		if i := t.find(it.ident); i < 0 {
			i = t.put(it.ident, r.name, &resource.Origin{ID: it.id}, 0, resource.Hash{})
			t.entries[i].pass = it.pass
		} else {
			t.entries[i].pass = it.pass
		}
		return nil
	}
	p.note(it, r)
	return nil
}

// namer returns what tells names in this pass. What could not be listed is not asked for one by one.
func (p *pass) namer(ctx context.Context, again bool) namer {
	pending := p.pending
	if again {
		pending = nil
	}
	tell := p.d.namer(ctx, pending)
	return func(kind resource.Kind, id string) (string, bool, bool, error) {
		if failed := p.failed[kind]; failed != nil {
			if name, ok := p.d.x.name(kind, id); ok {
				return name, true, false, nil
			}
			return "", false, false, fmt.Errorf("refers to a %s, and they cannot be read: %w", kind, failed)
		}
		return tell(kind, id)
	}
}

// completeItem reads what the listing does not show, and the object itself where the listing may be stale.
func (p *pass) completeItem(ctx context.Context, it *item) error {
	it.complete = true
	if it.k.Get.Path != "" && (it.k.Detail || p.d.settling(it.k, it.ident)) {
		f, err := p.d.get(ctx, it.k, it.id)
		it.o, it.etag = f.o, f.etag
		p.count(0)
		return err
	}
	if !it.k.reads {
		return nil
	}
	p.count(0)
	return p.d.complete(ctx, it.k, it.id, it.o)
}

// note puts an object into the index, and keeps its body if the caller does not know it.
func (p *pass) note(it item, r reading) {
	d, k := p.d, it.k
	hash := r.spec.Hash()
	o := k.origin(it.o, it.id, it.etag, d.resident)
	key := resource.Key{Kind: k.Kind.Kind, Name: r.name}
	d.x.mu.Lock()
	t := d.x.tables[k.Kind.Kind]
	i := t.put(it.ident, r.name, o, it.digest, hash)
	e := &t.entries[i]
	if it.pass != 0 {
		e.pass = it.pass
	}
	for _, path := range k.Aliases {
		if v, ok := at(it.o, path); ok {
			if id, isID := idText(v); isID {
				t.aliases[identOf([]byte(id))] = i
			}
		}
	}
	key.Name = e.name
	d.x.mu.Unlock()
	if !k.managed || p.brief || p.known.Hash(key) == hash {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bodies[key] = &resource.Resource{Key: key, Spec: r.spec, Origin: o}
}

// unreadable notes an object that is there and cannot be read. One without a name fails its kind.
func (p *pass) unreadable(ctx context.Context, it item, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name, err := it.k.nameOf(it.o, nil)
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

// ask reads an object that was not listed, by its id.
func (p *pass) ask(ctx context.Context, it item) error {
	f, err := p.d.get(ctx, it.k, it.id)
	p.count(0)
	if errors.Is(err, ErrMissing) {
		p.forget(it.k, it.ident)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s, which was not listed: %w", it.id, err)
	}
	it.o, it.etag = f.o, f.etag
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
