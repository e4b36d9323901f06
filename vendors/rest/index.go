package rest

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// An index is what is resident of a tenant: of every object its id, name, origin, the digest of
// what was listed last and the hash of what that says. No bodies.
type index struct {
	mu     sync.Mutex
	tables map[resource.Kind]*table
}

// A table is the index of one kind. The index's mutex guards it.
type table struct {
	k        *kind
	x        *index
	entries  []entry
	looks    []look   // at the parts of entries, where there are such; may be shorter
	versions []digest // at which entries were read, of kinds that say so; may be shorter
	hidden   [][]mark // of what entries refer to where no listing shows it; may be shorter
	free     []int32
	byID     map[ident]int32
	aliases  map[ident]int32
	order    []int32   // by name, then by place; read it through sorted
	mixed    bool      // order is to be made anew
	inserts  int       // since it was
	listed   time.Time // the last complete listing, or of names; zero is never
	pages    int       // that it took
	failed   bool      // the last listing was not complete
	// unread are the objects that could not be read when they were listed last, by id.
	unread map[ident]string
	// lost are ids that others refer to and that lead nowhere.
	lost map[ident]struct{}
	// moved are objects that this kind may refer to, and whose name is another than when it was read last.
	// With each stands the name that it bore then.
	moved map[target]string
	// touched are names whose objects are not what the snapshot of the index says any more; twice are
	// those that several objects bear.
	touched map[string]struct{}
	twice   map[string]struct{}
}

// An entry is one object. A zero hash says that only its name is known.
type entry struct {
	id     ident
	name   string
	origin *resource.Origin // ID is as the platform writes it; of an object in its parent PARENT/ID
	digest digest
	hash   resource.Hash
	pass   uint32 // the last one that listed it
	live   bool   // else the place is free
	gone   bool   // it is listed, but deleted or none of ours
	same   bool   // the caller of this pass knows it by this hash
}

func newIndex(kinds []*kind) *index {
	x := &index{tables: map[resource.Kind]*table{}}
	for _, k := range kinds {
		x.tables[k.Kind.Kind] = &table{
			k: k, x: x, byID: map[ident]int32{}, aliases: map[ident]int32{}, lost: map[ident]struct{}{}, unread: map[ident]string{},
			moved: map[target]string{}, touched: map[string]struct{}{}, twice: map[string]struct{}{},
		}
	}
	return x
}

// find returns the place of the object with the id, also by an alias; -1 where there is none.
func (t *table) find(id ident) int32 {
	if i, ok := t.byID[id]; ok {
		return i
	}
	if i, ok := t.aliases[id]; ok {
		return i
	}
	return -1
}

// sorted returns the places of all objects by name.
func (t *table) sorted() []int32 {
	if !t.mixed {
		return t.order
	}
	t.order = t.order[:0]
	for i := range t.entries {
		if e := &t.entries[i]; e.live && !e.gone {
			t.order = append(t.order, int32(i))
		}
	}
	slices.SortFunc(t.order, func(a, b int32) int {
		if c := strings.Compare(t.entries[a].name, t.entries[b].name); c != 0 {
			return c
		}
		return int(a - b)
	})
	t.mixed, t.inserts = false, 0
	return t.order
}

// search returns where in order a name is or would be.
func (t *table) search(name string, i int32) int {
	order := t.sorted()
	return sort.Search(len(order), func(at int) bool {
		o := order[at]
		if c := strings.Compare(t.entries[o].name, name); c != 0 {
			return c > 0
		}
		return o >= i
	})
}

// named returns the places of the objects with the name.
func (t *table) named(name string) []int32 {
	at := t.search(name, -1)
	end := at
	for end < len(t.order) && t.entries[t.order[end]].name == name {
		end++
	}
	return t.order[at:end]
}

// few is how many changes to the order are made one by one.
const few = 50

func (t *table) name(i int32) {
	t.touched[t.entries[i].name] = struct{}{}
	if t.inserts++; t.mixed || t.inserts > few {
		t.mixed = true
		return
	}
	t.order = slices.Insert(t.order, t.search(t.entries[i].name, i), i)
}

func (t *table) unname(i int32) {
	name := t.entries[i].name
	t.touched[name] = struct{}{}
	if t.inserts++; t.mixed || t.inserts > few {
		t.mixed = true
		return
	}
	if at := t.search(name, i); at < len(t.order) && t.order[at] == i {
		t.order = slices.Delete(t.order, at, at+1)
	}
}

// put makes or changes the entry of an object. Others that refer to it hear of a new name.
func (t *table) put(id ident, name string, o *resource.Origin, d digest, h resource.Hash) int32 {
	i, ok := t.byID[id]
	if !ok {
		if n := len(t.free); n > 0 {
			i, t.free = t.free[n-1], t.free[:n-1]
		} else {
			i = int32(len(t.entries)) // #nosec G115 -- memory ends long before two thousand million objects
			t.entries = append(t.entries, entry{})
		}
		t.entries[i] = entry{id: id, live: true}
		t.byID[id] = i
		if _, asked := t.lost[id]; asked {
			delete(t.lost, id)
			t.tell(id, "")
		}
	}
	e := &t.entries[i]
	if !ok || e.gone || e.name != name {
		if ok && !e.gone {
			t.unname(i)
			t.tell(id, e.name)
		}
		e.name, e.gone = strings.Clone(name), false
		t.name(i)
	}
	if e.hash != h || e.origin == nil || *e.origin != *o {
		t.touched[e.name] = struct{}{}
		e.origin = o
	}
	e.hash, e.digest = h, d
	delete(t.unread, id)
	return i
}

// bury notes an object that is listed and is none.
func (t *table) bury(id ident, platformID string, d digest) int32 {
	i, ok := t.byID[id]
	if !ok {
		i = t.put(id, "", &resource.Origin{ID: platformID}, d, resource.Hash{})
	}
	e := &t.entries[i]
	if !e.gone {
		t.unname(i)
		t.tell(id, e.name)
		e.gone, e.name, e.hash = true, "", resource.Hash{}
	}
	e.digest = d
	return i
}

// remove forgets an object that is gone.
func (t *table) remove(i int32) {
	e := &t.entries[i]
	if !e.gone {
		t.unname(i)
	}
	t.tell(e.id, e.name)
	delete(t.byID, e.id)
	delete(t.unread, e.id)
	for id, to := range t.aliases { // few kinds have any
		if to == i {
			delete(t.aliases, id)
		}
	}
	*e = entry{}
	if int(i) < len(t.looks) {
		t.looks[i] = look{}
	}
	t.hides(i, nil)
	if int(i) < len(t.versions) {
		t.versions[i] = 0
	}
	t.free = append(t.free, i)
}

// tell notes for all kinds that may refer to the object that its name is another now, or
// that there is none. former is the name that it bore, "" where none is known.
func (t *table) tell(id ident, former string) {
	for _, k := range t.k.referrers {
		if !k.managed {
			continue
		}
		moved, to := t.x.tables[k.Kind.Kind].moved, target{t.k.Kind.Kind, id}
		if _, already := moved[to]; !already { // whoever refers to it was read under the first of its names
			moved[to] = former
		}
	}
}

// settled returns what the snapshot of the index has to learn of the touched names.
func (t *table) settled() []resource.Entry {
	var out []resource.Entry
	for name := range t.touched {
		key := resource.Key{Kind: t.k.Kind.Kind, Name: name}
		found := resource.Entry{Key: key}
		n := 0
		for _, i := range t.named(name) {
			if e := &t.entries[i]; !e.hash.IsZero() {
				found.Key.Name, found.Hash, found.Origin = e.name, e.hash, e.origin
				n++
			}
		}
		delete(t.twice, name)
		if n > 1 {
			t.twice[found.Key.Name] = struct{}{}
			found = resource.Entry{Key: key}
		}
		out = append(out, found)
	}
	clear(t.touched)
	return out
}

// compare notes which entries the snapshot knows by their hash.
func (x *index) compare(known *resource.Snapshot) {
	for _, t := range x.tables {
		for i := range t.entries {
			t.entries[i].same = false
		}
	}
	var t *table
	kind, at := resource.Kind(""), 0
	for e := range known.Entries() {
		if e.Key.Kind != kind {
			kind, at = e.Key.Kind, 0
			t = x.tables[kind]
		}
		if t == nil {
			continue
		}
		order := t.sorted()
		for at < len(order) && t.entries[order[at]].name < e.Key.Name {
			at++
		}
		for ; at < len(order) && t.entries[order[at]].name == e.Key.Name; at++ {
			mine := &t.entries[order[at]]
			mine.same = mine.hash == e.Hash
		}
	}
}

// name returns the name of the object with the id.
func (x *index) name(k resource.Kind, id string) (string, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.tables[k]
	if t == nil {
		return "", false
	}
	i := t.find(identOf([]byte(id)))
	if i < 0 || t.entries[i].gone {
		return "", false
	}
	return t.entries[i].name, true
}

// id returns the id of the only object with the key.
func (x *index) id(k resource.Key) (string, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.tables[k.Kind]
	if t == nil {
		return "", false
	}
	is := t.named(k.Name)
	if len(is) != 1 {
		return "", false
	}
	return t.entries[is[0]].origin.ID, true
}

// has reports whether any object has the name, or one that differs from it in case only.
func (x *index) has(k resource.Key) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.tables[k.Kind]
	if t == nil || len(t.named(k.Name)) > 0 {
		return t != nil
	}
	return slices.ContainsFunc(t.entries, func(e entry) bool { return e.live && !e.gone && strings.EqualFold(e.name, k.Name) })
}
