package genesyscloud

import (
	"context"
	"slices"
	"time"

	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// coverEvery is how long it is taken for true what the audit answers for.
const coverEvery = 24 * time.Hour

// changes tells what the audit has recorded since a moment, so that a reading asks for no more than that: in a quiet minute
// it is one request. Kinds of which the audit keeps no records are listed as ever. What our own client did is told too, as a write
// may have done more than was asked for.
//
// A record may come late. Each question reaches back by lag, and what was told before is not told again: a change costs one
// reading of its object, and one that is recorded later than that is found by the next full reading.
func (f *feed) changes(ctx context.Context, c *rest.Client, _ rest.IDs, since time.Time) (rest.Changes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.confirm(since)
	now := f.clock.Now()
	if f.cover == nil || now.Sub(f.asked) > coverEvery {
		cover, err := mapping(ctx, c, realtimePath)
		if err != nil {
			return rest.Changes{}, err
		}
		f.cover, f.asked = cover, now
	}
	rs, err := f.realtime(ctx, c, since.Add(-lag), now.Add(time.Second))
	if err != nil {
		return rest.Changes{}, err
	}
	out := rest.Changes{IDs: map[resource.Kind][]string{}, Until: now}
	whole := map[resource.Kind]bool{}
	for _, k := range f.managed() {
		whole[k] = !f.cover.covers(k)
	}
	f.told, f.until = nil, now
	for _, r := range rs {
		if _, before := f.handled[r.ID]; before {
			continue
		}
		f.told = append(f.told, r)
		f.tell(r, &out, whole)
	}
	for _, k := range f.managed() {
		if whole[k] {
			out.Whole = append(out.Whole, k)
			delete(out.IDs, k)
		}
	}
	return out, nil
}

// tell adds what a record is about.
func (f *feed) tell(r record, out *rest.Changes, whole map[resource.Kind]bool) {
	a, known := kindOf(r.EntityType)
	switch {
	case !known:
		for _, k := range kindsOf(r.Service) {
			whole[k] = true
		}
	case a.whole || r.Entity.ID == "":
		whole[a.kind] = true
	default:
		if !slices.Contains(out.IDs[a.kind], r.Entity.ID) {
			out.IDs[a.kind] = append(out.IDs[a.kind], r.Entity.ID)
		}
	}
}

// confirm notes what the last reading was told, if it came to its end: this one begins where that one ended.
func (f *feed) confirm(since time.Time) {
	if f.handled == nil {
		f.handled = map[string]time.Time{}
	}
	if !since.Before(f.until) {
		for _, r := range f.told {
			// What was read so soon after may have been the value before: it is read once more.
			if f.until.Sub(r.when()) >= settle {
				f.handled[r.ID] = r.when()
			}
		}
	}
	f.told = nil
	for id, t := range f.handled {
		if t.Before(since.Add(-2 * lag)) {
			delete(f.handled, id)
		}
	}
}
