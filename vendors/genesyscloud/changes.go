package genesyscloud

import (
	"context"
	"slices"
	"strings"
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
// reading of its object where that shows it, and some more where it may not (see confirm). One that is recorded later than lag is found by
// the next full reading.
func (f *feed) changes(ctx context.Context, c *rest.Client, ids rest.IDs, since time.Time) (rest.Changes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.confirm(since, ids)
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
	out := rest.Changes{IDs: map[resource.Kind][]string{}, Parts: map[resource.Kind][]string{}, Until: now}
	whole := map[resource.Kind]bool{}
	for _, k := range f.managed() {
		whole[k] = !f.cover.covers(k)
	}
	f.told, f.until = nil, now
	for _, r := range rs {
		if _, before := f.handled[r.ID]; before {
			continue
		}
		again, before := f.open[r.ID]
		if before && now.Before(again.from) {
			continue
		}
		f.told = append(f.told, r)
		f.tell(r, &out, whole, before && again.parts)
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
func (f *feed) tell(r record, out *rest.Changes, whole map[resource.Kind]bool, parts bool) {
	a, known := kindOf(r.EntityType)
	switch {
	case !known:
		for _, k := range kindsOf(r.Service) {
			whole[k] = true
		}
	case a.whole || r.Entity.ID == "":
		whole[a.kind] = true
	default:
		ids := out.IDs
		if parts {
			ids = out.Parts
		}
		if !slices.Contains(ids[a.kind], r.Entity.ID) {
			ids[a.kind] = append(ids[a.kind], r.Entity.ID)
		}
	}
}

// patience is by how much longer than the last time a record is left alone before its object is read once more.
const patience = 4

// confirm notes what the last reading was told, if it came to its end: this one begins where that one ended. A record is done with
// once its object was read and says that it was changed then or later, or when the platform had time to settle. Until then a reading may
// have shown what was before: it is made again when the record is four times as old. What stands apart from the object says nothing of
// its time, and is read once more at the end.
func (f *feed) confirm(since time.Time, ids rest.IDs) {
	if f.handled == nil {
		f.handled, f.open = map[string]time.Time{}, map[string]reopened{}
	}
	if !since.Before(f.until) {
		for _, r := range f.told {
			age := f.until.Sub(r.when())
			a, known := kindOf(r.EntityType)
			shown := known && !a.whole && shows(ids, a.kind, r)
			switch {
			case age >= settle, shown && !f.apart[a.kind]:
				f.handled[r.ID] = r.when()
				delete(f.open, r.ID)
			case shown:
				f.open[r.ID] = reopened{r.when().Add(settle), true}
			default:
				f.open[r.ID] = reopened{r.when().Add(min(settle, patience*max(age, time.Second/patience))), false}
			}
		}
	}
	f.told = nil
	for id, t := range f.handled {
		if t.Before(since.Add(-2 * lag)) {
			delete(f.handled, id)
		}
	}
	for id, o := range f.open {
		if o.from.Before(since.Add(-2 * lag)) {
			delete(f.open, id)
		}
	}
}

// shows reports whether what was read of a record's object shows what is on record.
func shows(ids rest.IDs, k resource.Kind, r record) bool {
	if _, there := ids.Key(k, r.Entity.ID); !there {
		return strings.EqualFold(r.Action, "delete")
	}
	return !ids.When(k, r.Entity.ID).Before(r.when())
}

// A reopened record is one whose object is read once more: from when that is worth it, and whether what stands apart from the
// object is all that is still in doubt.
type reopened struct {
	from  time.Time
	parts bool
}

// apart returns the kinds of whose objects something is kept apart from them. A flow's text is none of it: it is that of the version
// that the flow shows.
func apart(rows []rest.Kind) map[resource.Kind]bool {
	out := map[resource.Kind]bool{}
	for _, k := range rows {
		out[k.Kind] = len(k.Parts) > 0
	}
	return out
}
