package rest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Apply implements vendors.Driver. What is live is read, compared, and written under the platform's guard; where it has
// none, the object is read again afterwards. One change is made at a time.
func (d *Driver) Apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	if c.Before == nil && c.After == nil {
		return resource.Resource{}, fmt.Errorf("apply: a change from nothing to nothing: %w", vendors.ErrInvalid)
	}
	out, err := d.apply(ctx, c)
	if err != nil {
		return resource.Resource{}, fmt.Errorf("%s %s: %w", c.Action(), c.Key(), err)
	}
	return out, nil
}

func (d *Driver) apply(ctx context.Context, c resource.Change) (resource.Resource, error) {
	k := d.by[c.Key().Kind]
	if k == nil || !k.can(c) {
		return resource.Resource{}, vendors.ErrUnsupported
	}
	select {
	case d.writing <- struct{}{}:
	case <-ctx.Done():
		return resource.Resource{}, ctx.Err()
	}
	defer func() { <-d.writing }()
	if err := ctx.Err(); err != nil {
		return resource.Resource{}, err
	}
	if err := d.prepare(ctx, k); err != nil {
		return resource.Resource{}, err
	}
	w := &change{d: d, k: k, Change: c, but: k.spares(c)}
	if c.After != nil {
		w.after = k.schema.Normalize(k.readable(c.After.Spec))
		w.secret = w.after.Hash() != k.schema.Normalize(c.After.Spec).Hash()
		if err := d.resolvable(ctx, k, c.After.Spec); err != nil {
			return resource.Resource{}, err
		}
	}
	if c.Action() != resource.Create {
		d.sure(c.Key())
	}
	err := w.make(ctx)
	for try := 1; try < maxApply && lost(err) && ctx.Err() == nil; try++ {
		// Nobody knows whether it was written. It is looked at again, once a stale reading is no longer to be feared.
		// A creation waits when it looks, and no longer than it must.
		if _, doubted := d.doubted(w.Key()); !doubted {
			if ended := d.wait(ctx, max(k.Settle, d.c.backoff(try))); ended != nil {
				return resource.Resource{}, errors.Join(err, ended)
			}
		}
		again := w.make(ctx)
		if errors.Is(again, vendors.ErrConflict) && errors.Is(err, errHalf) {
			break // with what we have written ourselves
		}
		err = again
	}
	if err != nil {
		return resource.Resource{}, err
	}
	d.sure(c.Key())
	return w.stored(), nil
}

// maxApply is how often a change is begun whose answer was lost.
const maxApply = 3

// make compares and writes.
func (w *change) make(ctx context.Context) error {
	w.live, w.adopted, w.now = nil, false, nil
	if w.but != nil {
		clear(w.but.written)
	}
	done, err := w.compare(ctx)
	if err != nil || done {
		return err
	}
	return w.write(ctx)
}

// can reports whether the platform can make the change.
func (k *kind) can(c resource.Change) bool {
	switch can := k.info.Can; c.Action() {
	case resource.Create:
		return can.Create
	case resource.Update:
		return can.Update
	case resource.Delete:
		return can.Delete
	default:
		return can.Rename && c.Before.Key.Kind == c.After.Key.Kind
	}
}

// resolvable checks that everything that the spec refers to is there, before anything is written. What is not known is
// listed once more.
func (d *Driver) resolvable(ctx context.Context, k *kind, spec resource.Spec) error {
	lost := d.lacking(k, spec)
	if len(lost) == 0 {
		return nil
	}
	asked := map[resource.Kind]bool{}
	for _, r := range lost {
		asked[r.Kind] = true
		if r.Name == resource.Unresolved || !k.refs[r.Kind] {
			return errMissing(lost)
		}
	}
	if err := d.relist(ctx, asked); err != nil {
		return err
	}
	if lost = d.lacking(k, spec); len(lost) > 0 {
		return errMissing(lost)
	}
	return nil
}

// lacking are the objects that a spec refers to and that are not known to be there, sorted.
func (d *Driver) lacking(k *kind, spec resource.Spec) []resource.Key {
	lost := missing(spec, d.x.id)
	if k.Mentions == nil {
		return lost
	}
	for _, key := range k.Mentions.In(spec) {
		if !d.x.has(key) {
			lost = append(lost, key)
		}
	}
	slices.SortFunc(lost, resource.Key.Compare)
	return slices.Compact(lost)
}

// readable returns the spec without the fields that cannot be read. It shares what it can.
func (k *kind) readable(spec resource.Spec) resource.Spec {
	if spec == nil {
		return nil
	}
	v, _ := withoutSecrets(map[string]any(spec), k.root).(map[string]any)
	return v
}

func withoutSecrets(v any, n *node) any {
	if n == nil {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			at := n.step(key)
			if at == nil || !at.field.Secret {
				out[key] = withoutSecrets(x, at)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = withoutSecrets(x, n.element())
		}
		return out
	}
	return v
}

// A change is one under way.
type change struct {
	resource.Change
	d      *Driver
	k      *kind
	after  resource.Spec // normal, without secrets
	secret bool          // After has some
	live   *object       // under Change.Key; after a write, what came out
	but    *spare        // what of the object the change leaves alone
	now    Object        // what it is after the last write, as far as the platform has told; nil where it is to be asked
	// adopted says that live is what a creation has made whose answer was lost.
	adopted bool
}

// compare finds what is live and reports whether that is the change's outcome already; ErrConflict where it is neither that
// nor what the change was decided on.
func (w *change) compare(ctx context.Context) (done bool, err error) {
	if w.Action() == resource.Rename {
		return w.compareRename(ctx)
	}
	if x, doubted := w.d.doubted(w.Key()); doubted && w.Action() == resource.Create {
		if w.live, err = w.seek(ctx, x); err != nil || w.live == nil {
			return false, err
		}
		if w.adopted = true; w.is(w.live) && !w.secret {
			w.d.sure(w.Key())
			w.d.written(w.k, w.live.fetched.id)
			return true, nil
		}
		return false, nil
	}
	if w.live, err = w.d.find(ctx, w.k, w.Key(), w.Before, w.but); err != nil {
		return false, err
	}
	isAfter := w.is(w.live)
	switch {
	case isAfter && !(w.secret && w.live != nil):
		return true, nil
	case w.Before == nil && w.live == nil:
		return false, nil
	case w.Before == nil && isAfter: // only its secrets are to be written
		return false, nil
	case w.Before == nil || w.live == nil:
		return false, vendors.ErrConflict
	case !isAfter && !w.was(w.live):
		return false, vendors.ErrConflict
	}
	return false, nil
}

// compareRename looks under both names.
func (w *change) compareRename(ctx context.Context) (done bool, err error) {
	k, d := w.k, w.d
	from := (*object)(nil)
	if id, ok := d.x.id(w.Before.Key); ok {
		if from, err = d.objectBut(ctx, k, id, w.but); err != nil {
			return false, err
		}
	}
	if from != nil && from.name == w.After.Key.Name { // it was renamed already
		w.live = from
		if w.is(from) {
			return true, nil
		}
		return false, vendors.ErrConflict
	}
	if from == nil || from.name != w.Before.Key.Name {
		if from, err = d.find(ctx, k, w.Before.Key, w.Before, w.but); err != nil {
			return false, err
		}
	}
	to, err := d.find(ctx, k, w.After.Key, nil, nil)
	switch {
	case err != nil:
		return false, err
	case to != nil && from == nil && w.is(to):
		w.live = to
		return true, nil
	case to != nil || from == nil || !w.was(from):
		return false, vendors.ErrConflict
	}
	w.live = from
	return false, nil
}

// is reports whether the object is what the change makes, as far as it can be read.
func (w *change) is(o *object) bool {
	if o == nil || w.After == nil {
		return o == nil && w.After == nil
	}
	return resource.Equal(o.spec, w.after)
}

// was reports whether the object is what the change was decided on.
func (w *change) was(o *object) bool {
	return resource.Equal(o.spec, w.k.schema.Normalize(w.k.readable(w.Before.Spec)))
}

// find reads what is live under a key: by the id that is resident, by the one that was observed, and by the name. nil
// where nothing is.
func (d *Driver) find(ctx context.Context, k *kind, key resource.Key, before *resource.Resource, but *spare) (*object, error) {
	o, err := d.byID(ctx, k, key.Name, but)
	if _, told := d.idOf(k, key.Name); err != nil || o != nil || told || k.Name.Singleton != "" {
		return o, err
	}
	listed, err := d.search(ctx, k, key.Name)
	if err != nil {
		return nil, err
	}
	if o, err = d.only(ctx, k, key.Name, listed, but); err != nil || o != nil {
		return o, err
	}
	// The listing may not show yet what was made a moment ago.
	if before == nil || before.Origin == nil || before.Origin.ID == "" {
		return nil, nil
	}
	if o, err = d.objectBut(ctx, k, before.Origin.ID, but); err != nil || o == nil || o.name != key.Name {
		return nil, err
	}
	return o, nil
}

// stored is what the change has left.
func (w *change) stored() resource.Resource {
	if w.After == nil || w.live == nil {
		return resource.Resource{}
	}
	return resource.Resource{
		Key: resource.Key{Kind: w.k.Kind.Kind, Name: w.live.name}, Spec: w.live.spec,
		Origin: w.k.origin(w.live.o, w.live.fetched.id, w.live.etag, w.d.resident),
	}
}

// write makes the change on what was compared.
func (w *change) write(ctx context.Context) error {
	switch {
	case w.After == nil:
		return w.delete(ctx)
	case w.adopted:
		return w.adopt(ctx)
	case w.live == nil:
		return w.create(ctx)
	case w.k.Style == Replace:
		return w.replace(ctx)
	}
	return w.update(ctx)
}

// replace deletes the object and makes it anew. Where that fails, what was there is made again.
func (w *change) replace(ctx context.Context) error {
	old := w.live
	if err := w.delete(ctx); err != nil {
		return err
	}
	w.live = nil
	err := w.create(ctx)
	if x, doubted := w.d.doubted(w.After.Key); doubted && lost(err) {
		made, looked := w.seek(ctx, x)
		if looked != nil {
			return fmt.Errorf("deleted, and nobody knows whether it was made anew: %w: %w", err, looked)
		}
		if w.live = made; made != nil {
			return w.rest(ctx, made.fetched.id, made.o, made.spec, nil)
		}
	}
	if err == nil {
		return nil
	}
	before := resource.Resource{Key: w.Before.Key, Spec: old.spec}
	back := &change{d: w.d, k: w.k, Change: resource.Change{After: &before}, after: old.spec}
	if again := back.create(ctx); again != nil {
		return fmt.Errorf("deleted, and not made anew: %w; nor as it was: %w", err, again)
	}
	return fmt.Errorf("made again as it was, with another id: %w", err)
}

// lost reports whether nobody knows what became of a write.
func lost(err error) bool {
	for _, class := range []error{vendors.ErrConflict, vendors.ErrBusy, vendors.ErrDenied, vendors.ErrInvalid, vendors.ErrUnsupported, vendors.ErrLease, ErrMissing, errThrottled} {
		if errors.Is(err, class) {
			return false
		}
	}
	var many twins
	return err != nil && !errors.As(err, &many)
}
