package simulator

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// An actor is on whose behalf something is done: a person in the administrator's
// pages, or an OAuth client.
type actor struct {
	ID     string
	Name   string
	Person bool
}

// A client may log in.
type client struct {
	ID, Secret, Name string
	Permissions      []string // domain:entity:verb, * for any part; nil means everything
}

// An Org is one organisation. The server's mutex owns it.
type Org struct {
	s *Server

	ID, Name string
	Home     string // id of the home division
	Clients  map[string]*client
	Objects  map[string]*object
	Settings map[string]map[string]any // singletons, by path
	Audits   []*audit
	jobs     map[string]*job

	names map[string]string // what is unique, to ids
	lists map[string]*listing
	past  []*object // deleted, but still shown by stale caches

	hidden map[string]bool // ids of what clients may not see
}

// An object is one configuration object with what belongs to it.
type object struct {
	ID                string
	Kind              string
	Body              map[string]any // as written: references are ids, nothing computed
	Version           int
	Created, Modified time.Time
	By, LastBy        actor
	Gone              bool              // a user marked as deleted
	Links             map[string][]link `json:",omitempty"` // members, rows, resources …
	Extra             map[string]any    `json:",omitempty"` // what a kind keeps besides

	old               []old     // newest last
	listedAt, readAt  time.Time // from when listings and reads show what is
	removed           bool
	unlisted, missing bool // not there before it was created
}

// A link is an element of a sub-collection: another object's id or a name, and what is said about it.
type link struct {
	ID    string
	Value map[string]any `json:",omitempty"`
}

// An old value of an object, which stale caches show.
type old struct {
	body     map[string]any
	version  int
	modified time.Time
	// published is the number of a flow's version.
	published any
}

// A listing is a kind's objects in the order in which they are listed.
type listing struct {
	entries []entry
	until   time.Time // when a stale cache catches up; zero: never
}

// An entry shows an object as it is, or an old value of it.
type entry struct {
	o    *object
	body map[string]any
	ver  int
	sort string
	at   time.Time // when it was modified; zero: as the object says
}

// Org returns the organisation with the name, and makes it if it is not there: with a home
// division, the roles that every organisation has, and one client, whose id and secret are
// what ClientID and Secret return.
func (s *Server) Org(name string) *Org {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orgs[name]; o != nil {
		return o
	}
	o := &Org{s: s, Name: name, ID: s.uuid(), Clients: map[string]*client{}, Objects: map[string]*object{}, Settings: map[string]map[string]any{}}
	o.ready()
	s.orgs[name] = o
	c := &client{ID: s.uuid(), Secret: s.uuid(), Name: "Automation"}
	o.Clients[c.ID] = c
	system := actor{ID: o.ID, Name: "System"}
	home := o.put(s.kinds["division"], map[string]any{"name": "Home", "description": "Home division"}, system)
	o.Home, home.Extra = home.ID, map[string]any{"home": true}
	for _, r := range []string{"admin", "employee", "supervisor"} {
		role := o.put(s.kinds["role"], map[string]any{
			"name": r, "description": "Default role", "defaultRoleId": r, "permissions": []any{}, "permissionPolicies": []any{},
		}, system)
		role.Extra = map[string]any{"default": true}
	}
	o.Audits = nil
	return o
}

func (o *Org) ready() {
	o.jobs, o.names, o.lists, o.hidden = map[string]*job{}, map[string]string{}, map[string]*listing{}, map[string]bool{}
}

// ClientID and Secret are those of the client that every organisation has.
func (o *Org) ClientID() string { return o.first().ID }

// Secret is the secret that belongs to ClientID.
func (o *Org) Secret() string { return o.first().Secret }

func (o *Org) first() *client {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	for _, c := range o.Clients {
		if c.Name == "Automation" {
			return c
		}
	}
	return &client{}
}

// Writes is how many changes the organisation has recorded.
func (o *Org) Writes() int {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	return len(o.Audits)
}

// Age moves everything that has been done so far into the past.
func (o *Org) Age(by time.Duration) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	for _, x := range o.Objects {
		x.Created, x.Modified = x.Created.Add(-by), x.Modified.Add(-by)
		x.listedAt, x.readAt = x.listedAt.Add(-by), x.readAt.Add(-by)
	}
	for _, a := range o.Audits {
		a.At = a.At.Add(-by)
	}
	o.lists = map[string]*listing{}
}

// AddClient adds an OAuth client, or returns the one that has the name. Permissions are domain:entity:verb with * for any part; none means everything.
func (o *Org) AddClient(name string, permissions ...string) (id, secret string) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	for _, c := range o.Clients {
		if c.Name == name {
			return c.ID, c.Secret
		}
	}
	c := &client{ID: o.s.uuid(), Secret: o.s.uuid(), Name: name, Permissions: permissions}
	o.Clients[c.ID] = c
	return c.ID, c.Secret
}

// unique is the name of an object in o.names, "" where its kind has none.
func (o *Org) unique(k *kind, body map[string]any) string {
	if k.unique[0] == "-" {
		return ""
	}
	parts := []string{k.name}
	for _, f := range k.unique {
		switch v := body[f].(type) {
		case string:
			parts = append(parts, strings.ToLower(v))
		case []any:
			for _, e := range v {
				parts = append(parts, refID(e))
			}
		default:
			parts = append(parts, refID(v))
		}
	}
	return strings.Join(parts, "\x00")
}

// put makes an object, unconditionally.
func (o *Org) put(k *kind, body map[string]any, by actor) *object {
	now := o.s.o.Now()
	n := &object{ID: o.s.uuid(), Kind: k.name, Body: body, Version: 1, Created: now, Modified: now, By: by, LastBy: by, Links: map[string][]link{}}
	n.listedAt, n.readAt = now.Add(o.s.within(o.s.o.ListLag)), now.Add(o.s.within(o.s.o.ReadLag))
	n.unlisted, n.missing = true, true
	o.Objects[n.ID] = n
	if u := o.unique(k, body); u != "" {
		o.names[u] = n.ID
	}
	delete(o.lists, k.name)
	return n
}

// set replaces an object's body.
func (o *Org) set(x *object, body map[string]any, by actor) {
	k, now := o.s.kinds[x.Kind], o.s.o.Now()
	o.unname(k, x)
	x.settle(now)
	x.old = append(x.old, old{x.Body, x.Version, x.Modified, x.Extra["published"]})
	x.Body, x.Modified, x.LastBy = body, now, by
	x.Version++
	if u := o.unique(k, body); u != "" {
		o.names[u] = x.ID
	}
	o.delay(x)
}

// touch says that something besides the body changed.
func (o *Org) touch(x *object) { delete(o.lists, x.Kind) }

// delay lets caches be stale for a while. An object never goes back to an older value than was shown.
func (o *Org) delay(x *object) {
	now := o.s.o.Now()
	x.listedAt = later(x.listedAt, now.Add(o.s.within(o.s.o.ListLag)))
	x.readAt = later(x.readAt, now.Add(o.s.within(o.s.o.ReadLag)))
	delete(o.lists, x.Kind)
}

// settle forgets what no cache shows any more.
func (x *object) settle(now time.Time) {
	if !now.Before(x.listedAt) && !now.Before(x.readAt) {
		x.old, x.unlisted, x.missing = nil, false, false
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (o *Org) unname(k *kind, x *object) {
	if u := o.unique(k, x.Body); u != "" && o.names[u] == x.ID {
		delete(o.names, u)
	}
}

// remove takes an object away.
func (o *Org) remove(x *object) {
	o.unname(o.s.kinds[x.Kind], x)
	x.settle(o.s.o.Now())
	delete(o.Objects, x.ID)
	x.removed = true
	o.delay(x)
	if o.s.o.ListLag > 0 || o.s.o.ReadLag > 0 {
		o.past = append(o.past, x)
	}
}

// show is what a cache that is fresh from at shows of an object; ok is false where it shows nothing.
func (x *object) show(now, at time.Time, hidden bool) (e entry, ok bool) {
	is := entry{o: x, body: x.Body, ver: x.Version, at: x.Modified}
	if !now.Before(at) {
		return is, !x.removed
	}
	if len(x.old) > 0 {
		is.body, is.ver, is.at = x.old[0].body, x.old[0].version, x.old[0].modified
	}
	return is, !hidden
}

// get is what reading by id shows now.
func (o *Org) get(k *kind, id string) (e entry, ok bool) {
	x := o.Objects[id]
	if x == nil {
		for _, p := range o.past {
			if p.ID == id {
				x = p
			}
		}
	}
	if x == nil || x.Kind != k.name {
		return entry{}, false
	}
	return x.show(o.s.o.Now(), x.readAt, x.missing)
}

// list is what listings show now, in their order: by name, then by id.
func (o *Org) list(k *kind) []entry {
	now := o.s.o.Now()
	if l := o.lists[k.name]; l != nil && (l.until.IsZero() || now.Before(l.until)) {
		return l.entries
	}
	l := &listing{}
	add := func(x *object) {
		if x.Kind != k.name {
			return
		}
		if now.Before(x.listedAt) && (l.until.IsZero() || x.listedAt.Before(l.until)) {
			l.until = x.listedAt
		}
		if e, ok := x.show(now, x.listedAt, x.unlisted); ok {
			e.sort = strings.ToLower(text(e.body, "name"))
			l.entries = append(l.entries, e)
		}
	}
	for _, x := range o.Objects {
		add(x)
	}
	o.past = slices.DeleteFunc(o.past, func(x *object) bool { return !now.Before(x.listedAt) && !now.Before(x.readAt) })
	for _, x := range o.past {
		add(x)
	}
	slices.SortFunc(l.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.sort, b.sort), cmp.Compare(a.o.ID, b.o.ID))
	})
	o.lists[k.name] = l
	return l.entries
}
