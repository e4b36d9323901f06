package rest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// An object is what is live under a key.
type object struct {
	fetched
	reading
}

// Read implements vendors.Driver: by id where one is known, else by a look-up of the name.
func (d *Driver) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	tenant, err := d.identity(ctx)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	scope := resource.Scope{Kinds: map[resource.Kind]resource.Cover{}, Unknown: map[resource.Key]string{}}
	var b resource.Builder
	var errs []error
	byKind := map[resource.Kind][]resource.Key{}
	for _, key := range keys {
		if k := d.by[key.Kind]; k != nil && k.managed && !slices.Contains(byKind[key.Kind], key) {
			byKind[key.Kind] = append(byKind[key.Kind], key)
		}
	}
	for _, k := range d.kinds {
		kind := k.Kind.Kind
		if len(byKind[kind]) == 0 {
			continue
		}
		found, failed, err := d.readKind(ctx, k, byKind[kind])
		if ctx.Err() != nil {
			return nil, fmt.Errorf("read: %w", ctx.Err())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", kind, err))
			continue
		}
		cover := resource.Cover{Partition: d.partition(tenant)}
		for _, key := range byKind[kind] {
			if cause := failed[key.Name]; cause != nil {
				scope.Unknown[key] = cause.Error()
				errs = append(errs, fmt.Errorf("read %s: %w", key, cause))
				continue
			}
			cover.Include = append(cover.Include, resource.QuoteGlob(key.Name))
			if o := found[key.Name]; o != nil {
				b.Add(resource.Resource{Key: key, Spec: o.spec, Origin: k.origin(o.o, o.fetched.id, o.etag, d.resident)})
			}
		}
		if len(cover.Include) > 0 {
			scope.Kinds[kind] = cover
		}
	}
	s, _ := b.Snapshot(resource.Options{Scope: scope, Tenant: tenant})
	return s, errors.Join(errs...)
}

// readKind reads objects of one kind by name. What is in neither map is not there. An error is one of all.
func (d *Driver) readKind(ctx context.Context, k *kind, keys []resource.Key) (found map[string]*object, failed map[string]error, err error) {
	if err := d.prepare(ctx, k); err != nil {
		return nil, nil, err
	}
	found, failed = map[string]*object{}, map[string]error{}
	results := make([]*object, len(keys))
	causes := make([]error, len(keys))
	err = d.each(ctx, len(keys), func(ctx context.Context, i int) error {
		results[i], causes[i] = d.byID(ctx, k, keys[i].Name, nil)
		return nil
	})
	var search []string
	for i, key := range keys {
		_, told := d.idOf(k, key.Name)
		switch {
		case causes[i] != nil:
			failed[key.Name] = causes[i]
		case results[i] != nil:
			found[key.Name] = results[i]
		case k.Name.Singleton == "" && !told:
			search = append(search, key.Name)
		}
	}
	if err != nil || len(search) == 0 {
		return found, failed, err
	}
	listed, err := d.searchAll(ctx, k, search)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range search {
		o, err := d.only(ctx, k, name, listed[name], nil)
		if err != nil {
			failed[name] = err
		} else if o != nil {
			found[name] = o
		}
	}
	return found, failed, nil
}

// byID reads the object that bears the name as far as is known; nil where none is known, or it bears another by now.
func (d *Driver) byID(ctx context.Context, k *kind, name string, but *spare) (*object, error) {
	id := k.Name.Singleton
	if id != "" && name != id {
		return nil, nil
	}
	if id == "" {
		var ok bool
		if id, ok = d.x.id(resource.Key{Kind: k.Kind.Kind, Name: name}); !ok {
			if id, ok = d.idOf(k, name); !ok {
				return nil, nil
			}
		}
	}
	o, err := d.objectBut(ctx, k, id, but)
	if err != nil || o == nil || o.name != name {
		return nil, err
	}
	return o, nil
}

// idOf returns the engine's id of an object whose name says it, so that no listing has to be searched; false where names do not.
func (d *Driver) idOf(k *kind, name string) (id string, ok bool) {
	if k.Get.Path == "" || !slices.Contains(k.names, k.id) {
		return "", false
	}
	parts, ok := splitName(name, len(k.names))
	if !ok {
		return "", false
	}
	of := ""
	if k.inParent {
		i := slices.Index(k.names, k.Parent.Field)
		if i < 0 {
			return "", false
		}
		if of, ok = d.x.id(resource.Key{Kind: k.Parent.Kind, Name: parts[i]}); !ok {
			return "", false
		}
	}
	return k.compose(of, parts[slices.Index(k.names, k.id)]), true
}

// only reads the object that a look-up has found; nil where it found none.
func (d *Driver) only(ctx context.Context, k *kind, name string, listed []fetched, but *spare) (*object, error) {
	switch {
	case len(listed) == 0:
		return nil, nil
	case len(listed) > 1:
		return nil, twins(len(listed))
	}
	o, err := d.objectBut(ctx, k, listed[0].id, but)
	if err != nil || o == nil || o.name != name {
		return nil, err
	}
	return o, nil
}

// object reads an object by id and notes it in the index; nil where there is none.
func (d *Driver) object(ctx context.Context, k *kind, id string) (*object, error) {
	return d.objectBut(ctx, k, id, nil)
}

// objectBut is object without what the spare says, of which the object has what that has.
func (d *Driver) objectBut(ctx context.Context, k *kind, id string, but *spare) (*object, error) {
	f, err := d.getBut(ctx, k, id, but)
	if errors.Is(err, ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return d.spec(ctx, k, f, but)
}

// spec turns a fetched object into an object, and notes it in the index.
func (d *Driver) spec(ctx context.Context, k *kind, f fetched, but *spare) (*object, error) {
	parentName := ""
	if k.inParent {
		parentName, _ = d.x.name(k.Parent.Kind, k.vars(f.id).parent)
	}
	r, err := k.read(f.o, parentName, d.namer(ctx, nil))
	if err != nil {
		return nil, err
	}
	o := &object{f, r}
	o.spec = but.fill(o.spec)
	d.note(k, o, but.some())
	return o, nil
}

// note puts what is known of an object into the index. The next listing looks at it anew. Of an object that was read in part the index
// goes on saying what it does of the rest.
func (d *Driver) note(k *kind, o *object, inPart bool) {
	hash := o.spec.Hash()
	origin := k.origin(o.o, o.fetched.id, o.etag, d.resident)
	var seen look
	if k.managed && k.always && !inPart {
		seen = look{d.partsOf(k, o.o), d.o.Clock.Now().Unix()}
	}
	hidden := d.hidden(k, o.o, o.spec)
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	t := d.x.tables[k.Kind.Kind]
	id := identOf([]byte(o.fetched.id))
	keep := o.digest
	if i, ok := t.byID[id]; ok && t.entries[i].hash == hash && t.entries[i].name == o.name {
		keep = t.entries[i].digest
	}
	i := t.put(id, o.name, origin, keep, hash)
	if seen.at != 0 {
		t.looked(i, seen)
	}
	if inPart && int(i) < len(t.hidden) {
		hidden = union(hidden, t.hidden[i])
	}
	t.hides(i, hidden)
	t.versioned(i, d.versionOf(k, o.o))
}

// forget removes an object from the index.
func (d *Driver) forget(k *kind, id string) {
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	t := d.x.tables[k.Kind.Kind]
	if i, ok := t.byID[identOf([]byte(id))]; ok {
		t.remove(i)
	}
}

// prepare sees to it that what a kind refers to has been listed once, so that names and ids are known.
func (d *Driver) prepare(ctx context.Context, k *kind) error {
	needed := map[resource.Kind]bool{}
	d.x.mu.Lock()
	d.unlisted(k, needed)
	d.x.mu.Unlock()
	// What cannot be listed is missed only if something that is there refers to it.
	_ = d.relist(ctx, needed)
	return ctx.Err()
}

// unlisted adds the kinds that k refers to, near and far, and that were never listed. d.x.mu is held.
func (d *Driver) unlisted(k *kind, needed map[resource.Kind]bool) {
	for r := range k.refs {
		if t := d.x.tables[r]; t != nil && t.listed.IsZero() && !needed[r] {
			needed[r] = true
			d.unlisted(t.k, needed)
		}
	}
}

// relist lists the kinds for their names.
func (d *Driver) relist(ctx context.Context, kinds map[resource.Kind]bool) error {
	if len(kinds) == 0 {
		return nil
	}
	select {
	case d.observing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.observing }()
	p := d.newPass(nil)
	p.brief = true
	for _, k := range d.kinds {
		if kinds[k.Kind.Kind] {
			p.asked = append(p.asked, k)
			p.pending[k.Kind.Kind] = true
		}
	}
	if err := p.listAll(ctx, p.asked); err != nil {
		return err
	}
	for _, k := range p.asked {
		if err := p.failed[k.Kind.Kind]; err != nil {
			return fmt.Errorf("%s: %w", k.Kind.Kind, err)
		}
	}
	return nil
}
