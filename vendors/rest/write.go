package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

func (w *change) writer() *writer { return &writer{k: w.k, ids: w.d.x.id} }

// create makes the object, whose name is free. Where the answer was lost, the next look finds out what came of it.
func (w *change) create(ctx context.Context) error {
	d, k := w.d, w.k
	body, err := w.writer().body(resource.Create, *w.After, nil, nil)
	if err != nil {
		return err
	}
	if id, restored, err := w.restore(ctx, body); err != nil || restored {
		if err == nil {
			err = w.overwrite(ctx, id)
		}
		return err
	}
	id, err := w.post(ctx, body)
	if lost(err) || err == nil { // also where it is made and lacks its parts: listings may not show it when it is tried again
		d.doubts(w.After.Key, id)
	}
	if err != nil {
		return err
	}
	d.written(k, id)
	if err := w.rest(ctx, id, Object{}, nil, nil); err != nil {
		return err
	}
	return w.complete(ctx)
}

// complete updates a new object with what its creation does not take.
func (w *change) complete(ctx context.Context) error {
	k := w.k
	if w.live == nil || !k.updates() || k.Style == Replace {
		return nil
	}
	for field, want := range w.after {
		if k.later(field) && !resource.Equal(w.live.spec[field], want) {
			if err := w.update(ctx); err != nil {
				return fmt.Errorf("%w, without %s: %w", errHalf, field, err)
			}
			return nil
		}
	}
	return nil
}

// later reports whether a field at the top is written by an update after the creation.
func (k *kind) later(field string) bool {
	if k.isPart(field) || field == k.Parent.Field {
		return false
	}
	sent, as := Sent{}, field
	if n := k.root.step(field); n != nil {
		sent = n.field.Create
		as = cmp.Or(sent.As, field)
	}
	return sent.Omit || k.Create.Only != nil && !slices.Contains(k.Create.Only, as) || slices.Contains(k.Later, field)
}

// post sends a creation and returns the engine's id of what it made.
func (w *change) post(ctx context.Context, body Object) (string, error) {
	d, k := w.d, w.k
	v := vars{name: w.After.Key.Name}
	if k.Parent.Kind != "" {
		parent, err := w.parent()
		if err != nil {
			return "", err
		}
		var ok bool
		if v.parent, ok = d.x.id(parent); !ok {
			return "", errMissing([]resource.Key{parent})
		}
	}
	if k.Hooks.Create != nil {
		id, err := k.Hooks.Create(ctx, d.c, body)
		if id == "" {
			return "", err
		}
		return k.compose(v.parent, id), err
	}
	a, err := d.c.Do(ctx, k.Create.request("create", v, body))
	if err != nil {
		return "", err
	}
	var o Object
	if len(a.Body) > 0 {
		if err := a.JSON(&o); err != nil {
			return "", err
		}
	}
	if id, ok := idText(o[k.id]); ok && id != "" {
		return k.compose(v.parent, id), nil
	}
	return "", errors.New("the answer names no id") // it is looked for by its name
}

// parent returns the key of the parent that a new object is to have.
func (w *change) parent() (resource.Key, error) {
	if r, ok := w.After.Spec[w.k.Parent.Field].(resource.Ref); ok {
		return r.Key, nil
	}
	parts, ok := splitName(w.After.Key.Name, len(w.k.names))
	if !ok || len(parts) < 2 {
		return resource.Key{}, fmt.Errorf("its %s is not told: %w", w.k.Parent.Kind, vendors.ErrInvalid)
	}
	return resource.Key{Kind: w.k.Parent.Kind, Name: parts[0]}, nil
}

// restore brings back a deleted object that has the name.
func (w *change) restore(ctx context.Context, body Object) (id string, restored bool, err error) {
	if w.k.Hooks.Restore == nil {
		return "", false, nil
	}
	id, err = w.k.Hooks.Restore(ctx, w.d.c, w.After.Key.Name, body)
	return id, id != "", err
}

// overwrite makes an object that was brought back what the change asks for.
func (w *change) overwrite(ctx context.Context, id string) error {
	live, err := w.d.object(ctx, w.k, id)
	if err == nil && live == nil {
		err = ErrMissing
	}
	if err != nil {
		return fmt.Errorf("restored %s: %w", id, err)
	}
	w.live = live
	return w.update(ctx)
}

// update writes the object as it shall be over what is live.
func (w *change) update(ctx context.Context) error {
	d, k, live := w.d, w.k, w.live
	a := w.Action()
	if a == resource.Create {
		a = resource.Update // there it is, and its creation does not take everything
	}
	body, err := w.writer().body(a, *w.After, live.o, live.spec)
	if err != nil {
		return err
	}
	var answer *Answer
	if w.needed(body) {
		answer, w.now, err = w.send(ctx, body)
		if errors.Is(err, ErrMissing) {
			err = fmt.Errorf("%w: %w", vendors.ErrConflict, err) // deleted meanwhile
		}
		if errors.Is(err, vendors.ErrConflict) || lost(err) && ctx.Err() == nil {
			// An earlier try may have done it, though its answer was lost.
			now, looked := d.object(ctx, k, live.fetched.id)
			if looked == nil && w.is(now) && now.name == w.After.Key.Name {
				w.live, err = now, nil
			}
		}
		if err != nil {
			return err
		}
	}
	d.written(k, live.fetched.id)
	return w.rest(ctx, live.fetched.id, live.o, live.spec, answer)
}

// needed reports whether an update has anything to say besides the guard and constants.
func (w *change) needed(body Object) bool {
	if !w.own() {
		return false
	}
	if w.k.Style != Patch || w.k.Hooks.Update != nil {
		return true
	}
	for key := range body {
		if _, constant := w.k.Update.Add[key]; key != w.k.Guard.Body && !constant {
			return true
		}
	}
	return false
}

func (w *change) send(ctx context.Context, body Object) (answer *Answer, now Object, err error) {
	d, k, live := w.d, w.k, w.live
	if k.Hooks.Update != nil {
		now, err = k.Hooks.Update(ctx, d.c, live.fetched.id, live.o, body)
		return nil, now, err
	}
	r := k.Update.request("update", k.vars(live.fetched.id), body)
	r.Repeat = k.Guard != Guard{}
	if k.Guard.Header != "" && live.etag != "" {
		r.Header = map[string][]string{k.Guard.Header: {live.etag}}
	}
	answer, err = d.c.Do(ctx, r)
	return answer, nil, err
}

// rest writes the parts of an object that was written, and finds out what is stored. live is what was there before.
func (w *change) rest(ctx context.Context, id string, live Object, liveSpec resource.Spec, answer *Answer) error {
	d, k := w.d, w.k
	for _, part := range k.Parts {
		if err := w.part(ctx, part, id, live, liveSpec); err != nil {
			return fmt.Errorf("%w, without %s: %w", errHalf, part.Field, err)
		}
	}
	if k.Hooks.Written != nil {
		var err error
		if w.now, err = k.Hooks.Written(ctx, d.c, id, w.Action()); err != nil {
			return fmt.Errorf("%w: %w", errHalf, err)
		}
	}
	if w.now == nil && live != nil && !w.own() {
		w.now = maps.Clone(live) // as it was read, and was not written
	}
	now, err := w.came(ctx, id, answer)
	if err != nil {
		return fmt.Errorf("written, and not read again: %w", err)
	}
	w.live = now
	return nil
}

// came returns what is stored after a write: what the platform answered where a guard makes sure that nobody came between,
// else what it says when it is asked. Where it shows what was there before, it is asked again until the settle time is over.
func (w *change) came(ctx context.Context, id string, answer *Answer) (*object, error) {
	d, k := w.d, w.k
	said := w.said(ctx, id, answer)
	if said != nil && k.Guard != (Guard{}) && !k.reads {
		d.note(k, said, false)
		return said, nil
	}
	if said != nil && k.Guard != (Guard{}) && !k.Detail && k.Hooks.Read == nil && w.now == nil {
		w.now = said.o // its parts are still to be read
	}
	answered := said != nil && !k.reads
	for begun, try := d.o.Clock.Now(), 0; ; try++ {
		now, err := w.look(ctx, id)
		if err != nil {
			return nil, err
		}
		stale := now == nil || w.live != nil && !w.is(now) && resource.Equal(now.spec, w.live.spec)
		switch over := d.o.Clock.Now().Sub(begun) >= k.Settle; {
		case !stale, over && !answered && now != nil:
			return now, nil
		case answered:
			d.note(k, said, false)
			return said, nil
		case over:
			return nil, ErrMissing
		}
		if err := d.o.Clock.Sleep(ctx, d.c.backoff(try)); err != nil {
			return nil, err
		}
	}
}

// look reads what the change has made, or takes what it was told of that after the last write, once.
func (w *change) look(ctx context.Context, id string) (*object, error) {
	d, k, told := w.d, w.k, w.now
	if w.now = nil; told == nil {
		return d.objectBut(ctx, k, id, w.but)
	}
	if err := d.complete(ctx, k, id, told, w.but); errors.Is(err, ErrMissing) {
		return nil, nil // what belongs to a new object may not be shown yet
	} else if err != nil {
		return nil, err
	}
	return d.spec(ctx, k, fetched{id: id, o: told}, w.but)
}

// said is the object as the answer to an update shows it; nil where it does not.
func (w *change) said(ctx context.Context, id string, answer *Answer) *object {
	if answer == nil || len(answer.Body) == 0 {
		return nil
	}
	f := fetched{id: id, etag: answer.Header.Get("ETag")}
	if answer.JSON(&f.o) != nil || f.o == nil {
		return nil
	}
	own, ok := idText(f.o[w.k.id])
	if w.k.Name.Singleton == "" && (!ok || w.k.compose(w.k.vars(id).parent, own) != id) {
		return nil
	}
	if w.k.Guard.Body != "" {
		if _, ok := at(f.o, w.k.Guard.Body); !ok {
			return nil
		}
	}
	r, err := w.k.read(f.o, w.parentName(id), w.d.namer(ctx, nil))
	if err != nil {
		return nil
	}
	return &object{f, r}
}

func (w *change) parentName(id string) string {
	if !w.k.inParent {
		return ""
	}
	name, _ := w.d.x.name(w.k.Parent.Kind, w.k.vars(id).parent)
	return name
}

// delete deletes the object. One that is not there any more is deleted.
func (w *change) delete(ctx context.Context) error {
	d, k := w.d, w.k
	id := w.live.fetched.id
	err := w.remove(ctx, id)
	for try := 0; errors.Is(err, vendors.ErrConflict); try++ {
		// Nothing guards a deletion: a conflict is one with what refers to the object, unless it did change, or with a write of
		// somebody else's that is over by now.
		now, looked := d.object(ctx, k, id)
		if looked != nil || w.Before == nil || now != nil && !w.was(now) {
			break
		}
		if now == nil {
			err = nil
			break
		}
		if try > 0 {
			err = fmt.Errorf("%w: %s", vendors.ErrInvalid, err)
			break
		}
		if ended := d.wait(ctx, d.c.backoff(try)); ended != nil {
			return errors.Join(err, ended)
		}
		err = w.remove(ctx, id)
	}
	if err != nil && !errors.Is(err, ErrMissing) {
		return err
	}
	d.forget(k, id)
	d.written(k, id)
	return nil
}

// remove asks for the deletion.
func (w *change) remove(ctx context.Context, id string) error {
	if w.k.Hooks.Delete != nil {
		return w.k.Hooks.Delete(ctx, w.d.c, id, w.live.o)
	}
	r := w.k.Delete.request("delete", w.k.vars(id), nil)
	r.Repeat = true
	_, err := w.d.c.Do(ctx, r)
	return err
}
