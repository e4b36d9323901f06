package rest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A doubt is a creation that has not come to its end: its answer was lost, so that nobody knows whether the object is there, or
// a part of it could not be written. Listings may not show it yet. It outlives the call of Apply, as the next one may come before the platform has settled.
type doubt struct {
	sent time.Time // when it was asked for last
	id   string    // of what was made, once it is known
}

// maxDoubts bounds how many are remembered; beyond it the oldest is forgotten.
const maxDoubts = 10_000

// doubts notes that nobody knows whether there is an object with the key.
func (d *Driver) doubts(key resource.Key, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.doubtful[key]; !known && len(d.doubtful) >= maxDoubts {
		oldest := key
		for k, x := range d.doubtful {
			if o, ok := d.doubtful[oldest]; !ok || x.sent.Before(o.sent) {
				oldest = k
			}
		}
		delete(d.doubtful, oldest)
	}
	d.doubtful[key] = doubt{d.o.Clock.Now(), id}
}

// Doubt implements vendors.Doubter. What this process knows itself counts for more.
func (d *Driver) Doubt(keys []resource.Key, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		if _, known := d.doubtful[key]; !known && len(d.doubtful) < maxDoubts {
			d.doubtful[key] = doubt{sent: until}
		}
	}
}

// sure notes that it is known what is there.
func (d *Driver) sure(key resource.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.doubtful, key)
}

func (d *Driver) doubted(key resource.Key) (doubt, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.doubtful[key]
	return x, ok
}

// Twins are objects of one name, of which nobody knows which is meant. Their number.
type twins int

func (n twins) Error() string { return fmt.Sprintf("%d objects have this name", int(n)) }

// seek looks for what a creation has made whose answer was lost. That nothing is listed means that nothing is there only
// once the kind's settle time is over: until then it waits. One object of the name is taken for what was made, several
// stop the change, and nil says that it may be asked for again.
func (w *change) seek(ctx context.Context, x doubt) (*object, error) {
	d, k, key := w.d, w.k, w.After.Key
	for {
		left := max(k.Settle, minWait) - d.o.Clock.Now().Sub(x.sent)
		o, listed, err := w.sought(ctx, x.id)
		switch {
		case err != nil || o != nil:
			return o, err
		case left > 0:
			if err := d.wait(ctx, left); err != nil {
				return nil, err
			}
		case listed:
			return nil, fmt.Errorf("an object of this name is listed and cannot be read: %w", vendors.ErrConflict)
		default:
			d.sure(key)
			return nil, nil
		}
	}
}

// sought is the object with the id, or else the one with the name. listed says that one is listed, be it readable or not.
func (w *change) sought(ctx context.Context, id string) (o *object, listed bool, err error) {
	d, k, name := w.d, w.k, w.After.Key.Name
	if id != "" {
		if o, err = d.object(ctx, k, id); err != nil || o != nil && o.name == name {
			return o, true, err
		}
	}
	if id, told := d.idOf(k, name); told {
		o, err = d.object(ctx, k, id)
		return o, o != nil, err
	}
	all, err := d.search(ctx, k, name)
	if err != nil {
		return nil, false, err
	}
	var found []fetched
	for _, f := range all {
		if !d.settling(k, identOf([]byte(f.id))) || f.id == id { // else we have deleted it ourselves
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return nil, false, nil
	}
	o, err = d.only(ctx, k, name, found, nil)
	return o, true, err
}

// wait lets time pass under a claim that holds before and after.
func (d *Driver) wait(ctx context.Context, t time.Duration) error {
	if err := vendors.Leased(ctx); err != nil {
		return err
	}
	if err := d.o.Clock.Sleep(ctx, t); err != nil {
		return err
	}
	return vendors.Leased(ctx)
}

// adopt finishes what a creation has begun whose answer was lost: its parts and, where it takes several steps, the rest of
// them. What is not known by its id to be ours, and is not what was sent, was made by somebody else: it is left alone.
func (w *change) adopt(ctx context.Context) error {
	k, live := w.k, w.live
	steps := k.Hooks.Create != nil
	if x, _ := w.d.doubted(w.After.Key); !(steps && x.id == live.fetched.id) && !k.begun(live.spec, w.after, steps) {
		return fmt.Errorf("an object of this name was made meanwhile: %w", vendors.ErrConflict)
	}
	w.d.doubts(w.After.Key, live.fetched.id)
	w.d.written(k, live.fetched.id)
	if w.secret || steps {
		return w.update(ctx)
	}
	if err := w.rest(ctx, live.fetched.id, live.o, live.spec, nil); err != nil {
		return err
	}
	return w.complete(ctx)
}

// begun reports whether what is live can be what the creation of a spec has begun: what is written at once is the same, and what is
// written after it says nothing that was not sent. So nothing that somebody else set is overwritten.
func (k *kind) begun(live, sent resource.Spec, steps bool) bool {
	for _, spec := range []resource.Spec{live, sent} {
		for f := range spec {
			later := steps || k.isPart(f) || k.later(f)
			if later && !within(live[f], sent[f]) || !later && !resource.Equal(live[f], sent[f]) {
				return false
			}
		}
	}
	return true
}

// within reports whether a value says nothing that another one does not say: of maps each field, of lists each element.
func within(live, sent any) bool {
	switch live := live.(type) {
	case nil:
		return true
	case string:
		return live == "" || live == sent
	case map[string]any:
		of, _ := sent.(map[string]any)
		for f, v := range live {
			if !within(v, of[f]) {
				return false
			}
		}
		return true
	case []any:
		of, _ := sent.([]any)
		return !slices.ContainsFunc(live, func(x any) bool {
			return !slices.ContainsFunc(of, func(y any) bool { return resource.Equal(x, y) })
		})
	}
	return resource.Equal(live, sent)
}
