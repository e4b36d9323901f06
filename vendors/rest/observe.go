package rest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	spared  []*kind                // of those asked, as the platform's own record tells of them
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
	expected map[resource.Kind]int // requests for those to be listed, as far as is known
	// For who listens: the client's count of requests as the listings began; and of the kind that is being listed its name, the count as that began, its pages and
	// objects so far, and of how many (below zero where nobody says).
	onProgress    func(vendors.Progress)
	first, before int64
	current       resource.Kind
	pages, heard  int // heard are those that its listings said to have
	shown, of     int
	still         int // of those shown are to be looked at
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
	p.onProgress, p.first = r.OnProgress, d.c.sent.Load()
	d.x.mu.Lock()
	d.x.compare(r.Known)
	d.x.mu.Unlock()
	kinds := p.choose(r.Kinds)
	if r.Kinds == nil {
		kinds = p.narrow(ctx, kinds)
	}
	for more := true; more; more = len(kinds) > 0 {
		if err := p.listAll(ctx, kinds); err != nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
		kinds = p.behind()
	}
	if r.Kinds == nil {
		if err := p.sweep(ctx); err != nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
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
		p.begin(k)
		err := p.list(ctx, k)
		p.end(k)
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
	return p.d.each(ctx, len(items), func(ctx context.Context, i int) error {
		defer p.looked()
		return p.take(ctx, items[i])
	})
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
		p.bury(it)
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
		if errors.Is(err, errNameless) { // nobody can refer to it by name, and the others can be
			p.bury(it)
			return nil
		}
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

// bury notes an object that is none for us, so that it is not looked at again as long as it is listed as it is.
func (p *pass) bury(it item) {
	p.d.x.mu.Lock()
	defer p.d.x.mu.Unlock()
	t := p.d.x.tables[it.k.Kind.Kind]
	t.entries[t.bury(it.ident, it.id, it.digest)].pass = it.pass
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
		f, err := p.d.getBut(ctx, it.k, it.id, p.knows(it))
		it.o, it.etag = f.o, f.etag
		p.count(0)
		return err
	}
	if !it.k.reads {
		return nil
	}
	p.count(0)
	return p.d.complete(ctx, it.k, it.id, it.o, nil)
}

// knows is what the caller knows of an object of which a hook reads more: that is not read again as long as its version is the same.
func (p *pass) knows(it *item) *spare {
	if len(it.k.Derived) == 0 || p.known == nil {
		return nil
	}
	name, _ := p.d.x.name(it.k.Kind.Kind, it.id)
	spec, err := p.known.Spec(resource.Key{Kind: it.k.Kind.Kind, Name: name})
	if err != nil || spec == nil {
		return nil
	}
	return &spare{before: spec}
}

// note puts an object into the index, and keeps its body if the caller does not know it.
func (p *pass) note(it item, r reading) {
	d, k := p.d, it.k
	hash := r.spec.Hash()
	o := k.origin(it.o, it.id, it.etag, d.resident)
	var seen look
	if k.managed && k.always {
		seen = look{d.partsOf(k, it.o), p.begun.Unix()}
	}
	key, hidden := resource.Key{Kind: k.Kind.Kind, Name: r.name}, d.hidden(k, it.o, r.spec)
	d.x.mu.Lock()
	t := d.x.tables[k.Kind.Kind]
	i := t.put(it.ident, r.name, o, it.digest, hash)
	e := &t.entries[i]
	if it.pass != 0 {
		e.pass = it.pass
	}
	if seen.at != 0 {
		t.looked(i, seen)
	}
	t.hides(i, hidden)
	t.versioned(i, d.versionOf(k, it.o))
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
