package reconciler

import (
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// idMap remembers which object bears which name, per kind and opaque platform
// id, so that a rename is told from a deletion and a creation.
type idMap map[resource.Kind]map[string]idEntry

type idEntry struct {
	Name   string   `json:"name"`
	Former []string `json:"former,omitempty"` // newest last
}

// maxFormer bounds how many former names are remembered of one object.
const maxFormer = 10

func (m idMap) clone() idMap {
	c := make(idMap, len(m))
	for k, byID := range m {
		c[k] = maps.Clone(byID)
	}
	return c
}

// idOf returns the id that bears the name.
func (m idMap) idOf(k resource.Key) (string, bool) {
	for id, e := range m[k.Kind] {
		if e.Name == k.Name {
			return id, true
		}
	}
	return "", false
}

// observe returns the map with what a reading says of names and ids; m itself if that is
// nothing new. An id that was seen under another name keeps that name as a former one.
func (m idMap) observe(live []resource.Entry) (next idMap, moved bool) {
	next = m
	for _, e := range live {
		if e.Origin == nil || e.Origin.ID == "" {
			continue
		}
		old, ok := next[e.Key.Kind][e.Origin.ID]
		if ok && old.Name == e.Key.Name {
			continue
		}
		if !moved {
			next, moved = m.clone(), true
		}
		if next[e.Key.Kind] == nil {
			next[e.Key.Kind] = map[string]idEntry{}
		}
		entry := idEntry{Name: e.Key.Name}
		if ok {
			entry.Former = append(slices.DeleteFunc(slices.Clone(old.Former), func(n string) bool { return n == e.Key.Name }), old.Name)
			if over := len(entry.Former) - maxFormer; over > 0 {
				entry.Former = entry.Former[over:]
			}
		}
		next[e.Key.Kind][e.Origin.ID] = entry
	}
	return next, moved
}

// forget returns the map without the ids whose object is gone for good, or whose name another
// object bears now; m itself if there are none.
func (m idMap) forget(live, base *resource.Snapshot) (next idMap, moved bool) {
	if next = m; m.size() == borne(live) {
		return m, false // each is borne by one object
	}
	for _, kind := range sortedKeys(m) {
		for id, e := range m[kind] {
			k := resource.Key{Kind: kind, Name: e.Name}
			now, isLive := live.Entry(k)
			taken := isLive && now.Origin != nil && now.Origin.ID != "" && now.Origin.ID != id
			if !taken && (isLive || !live.Covers(k) || !base.Hash(k).IsZero()) {
				continue
			}
			if !moved {
				next, moved = m.clone(), true
			}
			delete(next[kind], id)
		}
	}
	return next, moved
}

func (m idMap) size() int {
	n := 0
	for _, byID := range m {
		n += len(byID)
	}
	return n
}

// borne counts the objects of a reading that have an id.
func borne(live *resource.Snapshot) int {
	n := 0
	for e := range live.Entries() {
		if e.Origin != nil && e.Origin.ID != "" {
			n++
		}
	}
	return n
}

// tidied is what the map of ids was last looked through for. What is the same since cannot have
// made an id superfluous.
type tidied struct{ live, base *resource.Snapshot }

func (t tidied) still(live, base *resource.Snapshot) bool {
	return t.live != nil && sameKeys(t.live, live) && sameKeys(t.base, base) && t.live.Scope().Equal(live.Scope())
}

// sameKeys reports whether two indexes list the same objects.
func sameKeys(a, b *resource.Snapshot) bool {
	for _, h := range differing(a, b, b) {
		if h.base.IsZero() || h.want.IsZero() {
			return false
		}
	}
	return true
}

// renames finds, on one side, which key that appeared since base is the new name
// of which key that vanished.
type renames struct {
	base, side *resource.Snapshot
	appeared   []resource.Key
	vanished   map[resource.Key]bool
	out        map[resource.Key]resource.Key
}

func findAppeared(base, side *resource.Snapshot) *renames {
	r := &renames{base: base, side: side, vanished: map[resource.Key]bool{}, out: map[resource.Key]resource.Key{}}
	for k, h := range differing(base, side, side) {
		switch {
		case h.base.IsZero():
			r.appeared = append(r.appeared, k)
		case h.want.IsZero() && side.Covers(k):
			r.vanished[k] = true
		}
	}
	return r
}

func (r *renames) take(appeared, vanished resource.Key) {
	if _, done := r.out[appeared]; !done && r.vanished[vanished] {
		r.out[appeared] = vanished
		delete(r.vanished, vanished)
	}
}

// byContent pairs what is left by equal content, where that is unambiguous and
// the kind has no ids that would tell: a moved file.
func (r *renames) byContent(raw func(resource.Kind) bool) {
	gone := map[resource.Hash][]resource.Key{}
	for k := range r.vanished {
		if raw(k.Kind) {
			gone[r.base.Hash(k)] = append(gone[r.base.Hash(k)], k)
		}
	}
	if len(gone) == 0 {
		return
	}
	came := map[resource.Hash][]resource.Key{}
	for _, k := range r.appeared {
		if _, done := r.out[k]; !done && raw(k.Kind) {
			came[r.side.Hash(k)] = append(came[r.side.Hash(k)], k)
		}
	}
	for h, from := range gone {
		if to := came[h]; len(from) == 1 && len(to) == 1 {
			r.take(to[0], from[0])
		}
	}
}

// liveRenames returns, for each key that appeared on the platform, the key it had in base.
func liveRenames(base, live *resource.Snapshot, ids idMap, raw func(resource.Kind) bool) map[resource.Key]resource.Key {
	r := findAppeared(base, live)
	if len(r.appeared) == 0 || len(r.vanished) == 0 {
		return nil
	}
	for _, k := range r.appeared {
		e, _ := live.Entry(k)
		if e.Origin == nil || e.Origin.ID == "" {
			continue
		}
		id, ok := ids[k.Kind][e.Origin.ID]
		if !ok {
			continue
		}
		for _, name := range append(slices.Clone(id.Former), id.Name) {
			r.take(k, resource.Key{Kind: k.Kind, Name: name})
		}
	}
	r.byContent(raw)
	return r.out
}

// wantRenames returns, for each key that appeared in Git, the key it had in base:
// by the map where the appeared name is a former one of the vanished object, else
// by the hint that the file gives.
func wantRenames(base, want *resource.Snapshot, ids idMap, hints map[resource.Key]resource.Key, raw func(resource.Kind) bool) map[resource.Key]resource.Key {
	r := findAppeared(base, want)
	if len(r.appeared) == 0 || len(r.vanished) == 0 {
		return nil
	}
	appeared := map[resource.Key]bool{}
	for _, k := range r.appeared {
		appeared[k] = true
	}
	for _, v := range slices.SortedFunc(maps.Keys(r.vanished), resource.Key.Compare) {
		id, ok := ids.idOf(v)
		if !ok {
			continue
		}
		for _, name := range slices.Backward(ids[v.Kind][id].Former) {
			if k := (resource.Key{Kind: v.Kind, Name: name}); appeared[k] {
				r.take(k, v)
				break
			}
		}
	}
	for _, k := range r.appeared {
		if v, ok := hints[k]; ok {
			r.take(k, v)
		}
	}
	r.byContent(raw)
	return r.out
}
