package mem

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Options choose what kind of platform it is. The zero value is one without ids,
// versions, audit log or activation.
type Options struct {
	// Kinds that the platform has, referenced ones first; nil means Kinds().
	Kinds []resource.KindInfo
	// Now is the platform's clock; nil means time.Now.
	Now func() time.Time
	// Versions gives every object a version, by which the platform refuses stale writes. Without it the driver
	// reads before and after it writes, and Window lies between.
	Versions bool
	// IDs gives objects ids that survive renames. References follow a rename then, as they are kept by id.
	IDs bool
	// Audit keeps an audit log, which the drivers offer as vendors.Auditor.
	Audit bool
	// Activation keeps what runs apart from what is stored; the drivers offer vendors.Activator.
	Activation bool
	// Check refuses an activation of what is stored by an error. It implies Activation.
	Check func(stored map[resource.Key]resource.Spec) error
	// Tenant identifies the tenant; empty means "mem".
	Tenant string
	// Account is whom the platform names for writes by drivers; empty means "driftback".
	Account string
	// Page is how many objects one request of a listing returns, for Counts; 0 means 100.
	Page int
	// Loose accepts references to what is not there, and deletions of what is referred to.
	Loose bool
	// Fill stands for a platform that completes what is written to it. Nil leaves specs as they are.
	Fill func(resource.Key, resource.Spec) resource.Spec
	// Weather is what goes wrong. It may be changed while nobody uses the platform, by SetWeather.
	Weather Weather
	// AuditLag is how long a record takes to appear in the audit log.
	AuditLag time.Duration
	// Shared names: the platform creates what is there already a second time, instead of refusing.
	Shared bool
	// Window is called by Apply after it has compared live with the change and before it writes, on the
	// caller's goroutine. It is where somebody else's edit may fall.
	Window func(resource.Change)
}

// A Platform is one tenant of the live system.
type Platform struct {
	o       Options
	kinds   []resource.KindInfo
	info    map[resource.Kind]resource.KindInfo
	schemas map[resource.Kind]*resource.Schema

	mu         sync.Mutex
	objects    map[resource.Key]*object
	running    map[resource.Key]resource.Spec
	history    map[resource.Key][]Value
	audit      []vendors.AuditEntry
	failing    map[resource.Kind]error
	unreadable map[resource.Key]string
	watchers   map[int]func(...resource.Key)
	twins      map[resource.Key]int // how many more objects there are of that name
	late       []lateWrite
	serial     int // of ids, versions, audit records and watchers alike
	counts     Counts
}

// An object is never modified: a write puts a new one.
type object struct {
	spec    resource.Spec     // canonical, without secrets
	secrets map[string]string // by path
	origin  resource.Origin
}

// A Value is what an object was from a moment on. A nil Spec says that it was not there.
type Value struct {
	Spec resource.Spec
	Hash resource.Hash
	Who  string
	When time.Time

	object *object // nil where Spec is
}

// Counts says what the platform has been asked for.
type Counts struct {
	Requests int // of all kinds: pages of listings, reads, writes, activations
	Writes   int // that changed something, by drivers
	Edits    int // that changed something, by hand
	Activations,
	Refusals int
}

// New returns an empty platform.
func New(o Options) *Platform {
	if o.Kinds == nil {
		o.Kinds = Kinds()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Tenant = cmp.Or(o.Tenant, "mem")
	o.Account = cmp.Or(o.Account, "driftback")
	o.Page = cmp.Or(o.Page, 100)
	o.Activation = o.Activation || o.Check != nil
	p := &Platform{
		o: o, kinds: describe(o.Kinds, o),
		info:       map[resource.Kind]resource.KindInfo{},
		schemas:    map[resource.Kind]*resource.Schema{},
		objects:    map[resource.Key]*object{},
		running:    map[resource.Key]resource.Spec{},
		history:    map[resource.Key][]Value{},
		failing:    map[resource.Kind]error{},
		unreadable: map[resource.Key]string{},
		watchers:   map[int]func(...resource.Key){},
		twins:      map[resource.Key]int{},
	}
	for _, k := range p.kinds {
		p.info[k.Kind], p.schemas[k.Kind] = k, k.Schema()
	}
	return p
}

// SetWeather changes the weather.
func (p *Platform) SetWeather(w Weather) {
	p.mu.Lock()
	p.o.Weather = w
	p.mu.Unlock()
}

// DriverOptions tune one driver. The zero value looks at everything.
type DriverOptions struct {
	// Cover narrows what the driver looks at, by kind. A kind that is not named is looked at whole.
	Cover map[resource.Kind]resource.Cover
	// Between is called between two pages of a listing, on the caller's goroutine. It is where the world may move on.
	Between func()
}

// Driver opens a driver on the platform. All drivers see the same state.
func (p *Platform) Driver() vendors.Driver { return p.DriverWith(DriverOptions{}) }

// DriverWith opens a driver with options.
func (p *Platform) DriverWith(o DriverOptions) vendors.Driver {
	d := &driver{p, o}
	switch {
	case p.o.Audit && p.o.Activation:
		return struct {
			*driver
			auditor
			activator
		}{d, auditor{p}, activator{p}}
	case p.o.Audit:
		return struct {
			*driver
			auditor
		}{d, auditor{p}}
	case p.o.Activation:
		return struct {
			*driver
			activator
		}{d, activator{p}}
	}
	return d
}

// put stores an object, with everything that a platform does besides. p.mu is held.
func (p *Platform) put(k resource.Key, spec resource.Spec, secrets map[string]string, by author) *object {
	old := p.objects[k]
	n := &object{spec: spec, secrets: secrets, origin: resource.Origin{Who: by.who, When: by.when}}
	p.serial++
	if p.o.Versions {
		n.origin.Version = fmt.Sprint("v", p.serial)
	}
	switch {
	case by.id != "":
		n.origin.ID = by.id
	case old != nil:
		n.origin.ID = old.origin.ID
	case p.o.IDs:
		n.origin.ID = fmt.Sprintf("%s-%06d", k.Kind, p.serial)
	}
	if old != nil && secrets == nil {
		n.secrets = old.secrets // what is not sent stays
	}
	n.origin.AuditID = p.log(k, n, by)
	p.objects[k] = n
	return n
}

// remove deletes an object. p.mu is held.
func (p *Platform) remove(k resource.Key, by author) {
	p.serial++
	delete(p.objects, k)
	p.log(k, nil, by)
}

// log remembers the value and who gave it, and returns the audit record's id.
func (p *Platform) log(k resource.Key, o *object, by author) string {
	h := p.note(k, o, by)
	if !p.o.Audit {
		return ""
	}
	id := fmt.Sprint("audit-", len(p.audit)+1)
	p.audit = append(p.audit, vendors.AuditEntry{Key: k, ID: id, Who: by.who, When: by.when, Hash: h})
	return id
}

// note adds a value to the history; a nil object is absence.
func (p *Platform) note(k resource.Key, o *object, by author) resource.Hash {
	v := Value{Who: by.who, When: by.when, object: o}
	if o != nil {
		v.Spec, v.Hash = o.spec, o.spec.Hash()
	}
	p.history[k] = append(p.history[k], v)
	return v.Hash
}

// author is who writes, and when; the id is that of an object that moves.
type author struct {
	who  string
	when time.Time
	id   string
}

// move stores the object from under the key to, with references following where they are kept by id. p.mu is held.
func (p *Platform) move(from, to resource.Key, spec resource.Spec, secrets map[string]string, by author) *object {
	old := p.objects[from]
	by.id = old.origin.ID
	if secrets == nil {
		secrets = old.secrets
	}
	p.remove(from, by)
	n := p.put(to, spec, secrets, by)
	if !p.o.IDs {
		return n
	}
	for _, k := range p.keys() {
		o := p.objects[k]
		spec, changed := replaceRef(o.spec, from, to)
		if !changed {
			continue
		}
		// The referrer itself was not written: it keeps version and author, and only its text is another.
		c := *o
		c.spec = p.schemas[k.Kind].Normalize(spec)
		p.objects[k] = &c
		p.note(k, &c, by)
	}
	return p.objects[to]
}

// keys returns all keys in order. p.mu is held.
func (p *Platform) keys() []resource.Key {
	return slices.SortedFunc(maps.Keys(p.objects), resource.Key.Compare)
}

// referrers returns the keys of what refers to k, other than itself, in order. p.mu is held.
func (p *Platform) referrers(k resource.Key) []resource.Key {
	var out []resource.Key
	for _, r := range p.keys() {
		if r != k && refersTo(p.objects[r].spec, k) {
			out = append(out, r)
		}
	}
	return out
}
