package rest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// What is kept apart from an object, as the members of a queue, can change without the object's showing it. Where Options.PartsEvery
// is set, it is read with the object, when the object moved, and when the platform's own record names it; and else in turn: in every
// reading a few objects, those first that were read longest ago, so often that each has its turn in that time.

// A look is what was read of an object's parts last: their digest, and when (Unix seconds).
type look struct {
	digest digest
	at     int64
}

// partsOf returns the digest of an object's parts, as they were read.
func (d *Driver) partsOf(k *kind, o Object) digest {
	parts := Object{}
	for _, p := range k.Parts {
		if v, ok := o[p.Field]; ok {
			parts[p.Field] = v
		}
	}
	b, err := json.Marshal(parts)
	if err != nil {
		return 0
	}
	w := &walker{k: k, seeds: d.seeds, s: scanner{b: b}}
	v, err := w.fields(k.root, 0)
	if err != nil {
		return 0
	}
	return digest(v)
}

// looked notes what was read of the parts of the object at the place. The index's mutex is held.
func (t *table) looked(i int32, l look) {
	if n := len(t.entries) - len(t.looks); n > 0 {
		t.looks = append(t.looks, make([]look, n)...)
	}
	t.looks[i] = l
}

// lookAt reads the parts of an object that is resident. Where they are not as they were, the object is read with them.
func (p *pass) lookAt(ctx context.Context, k *kind, id string) error {
	d, ident := p.d, identOf([]byte(id))
	it := item{k: k, id: id, ident: ident, complete: true, again: true, pass: d.nextPass()}
	o := Object{}
	for _, part := range k.Parts {
		err := d.readPart(ctx, part, k.vars(id), o)
		p.count(0)
		if errors.Is(err, ErrMissing) {
			return p.ask(ctx, it)
		}
		if err != nil {
			return p.unreadable(ctx, it, err)
		}
	}
	is := d.partsOf(k, o)
	d.x.mu.Lock()
	t := d.x.tables[k.Kind.Kind]
	i, there := t.byID[ident]
	same := there && int(i) < len(t.looks) && t.looks[i].digest == is && is != 0
	if same {
		t.looks[i].at = p.begun.Unix()
	}
	d.x.mu.Unlock()
	if same {
		return nil
	}
	return p.ask(ctx, it)
}

// mostLooks is how many requests of a reading that lists nothing may be spent on looking at parts in turn. One that lists
// everything spends a fiftieth of its requests, and at least one.
const (
	mostLooks = 10
	lookShare = 50
)

// sweep looks at the parts whose turn it is.
func (p *pass) sweep(ctx context.Context) error {
	if p.d.o.PartsEvery <= 0 {
		return nil
	}
	due, all := p.oldest(mostLooks + p.requests/lookShare)
	most := mostLooks
	if p.until.IsZero() {
		most = max(1, p.requests/lookShare)
	}
	may, spent := p.d.allowance(p.begun, all, most), 0
	for _, e := range due {
		if spent >= may {
			break
		}
		spent += len(e.k.Parts)
		if err := p.lookAt(ctx, e.k, e.id); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			p.failed[e.k.Kind.Kind] = err
		}
	}
	p.d.spent(spent)
	return nil
}

// A turn is an object whose parts are looked at.
type turn struct {
	k  *kind
	id string
	at int64
}

// oldest returns at most n of the objects whose parts were read longest ago, and how many requests looking at all would be.
func (p *pass) oldest(n int) (due []turn, all int) {
	p.d.x.mu.Lock()
	defer p.d.x.mu.Unlock()
	for _, k := range p.asked {
		if !k.always || p.failed[k.Kind.Kind] != nil {
			continue
		}
		t := p.d.x.tables[k.Kind.Kind]
		for i := range t.looks {
			e := &t.entries[i]
			if !e.live || e.gone || e.hash.IsZero() {
				continue
			}
			all += len(k.Parts)
			at := t.looks[i].at
			if at >= p.begun.Unix() || len(due) == n && at >= due[n-1].at {
				continue
			}
			where, _ := slices.BinarySearchFunc(due, at, func(a turn, at int64) int {
				if a.at <= at {
					return -1
				}
				return 1
			})
			if len(due) == n {
				due = due[:n-1]
			}
			due = slices.Insert(due, where, turn{k, e.origin.ID, at})
		}
	}
	return due, all
}

// allowance is how many of all requests a reading may make, so that each is made once in Options.PartsEvery, and no more than
// most at once. What is left over is for the next reading.
func (d *Driver) allowance(now time.Time, all, most int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.swept.IsZero() {
		d.turns += float64(all) * float64(now.Sub(d.swept)) / float64(d.o.PartsEvery)
	}
	d.swept = now
	d.turns = min(d.turns, float64(all))
	return min(int(max(0, d.turns)), most)
}

// spent says how many were made.
func (d *Driver) spent(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turns -= float64(n)
}

// lookAll looks at the parts of the objects that the platform's own record named before.
func (p *pass) lookAll(ctx context.Context, k *kind, ids []string, except map[string]bool) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return except[id] })
	if len(k.Parts) == 0 {
		return nil
	}
	return p.d.each(ctx, len(ids), func(ctx context.Context, i int) error { return p.lookAt(ctx, k, ids[i]) })
}
