package simulator

import (
	"fmt"
	"net/http"
	"net/url"
)

// Hand is a person who works in the administrator's pages: everything is audited under their name.
type Hand struct {
	o  *Org
	by actor
}

// By returns the hand of the person with that name; a user who has it is that person.
func (o *Org) By(name string) Hand {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	return Hand{o, o.person1(name)}
}

// person1 is the actor with the name; people who are no users get an id that is made of their name. s.mu is held.
func (o *Org) person1(name string) actor {
	id := o.named("user", name)
	if id == "" {
		id = "person-" + slug(name)
	}
	return actor{ID: id, Name: name, Person: true}
}

// do runs a handler as if the person had sent a request, without its permissions and limits.
func (h Hand) do(body map[string]any, id string, f func(*call) (answer, *problem)) (map[string]any, error) {
	s := h.o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &http.Request{URL: &url.URL{}, Header: http.Header{}}
	r.SetPathValue("id", id)
	c := &call{s: s, org: h.o, by: h.by, app: &client{}, r: r, query: url.Values{}}
	if body != nil {
		c.body = plain(body)
	}
	a, p := f(c)
	if p != nil {
		return nil, fmt.Errorf("%d %s: %s", p.status, p.code, p.message)
	}
	return asMap(a.body), nil
}

// Request sends what the person's browser sends to the public API, without permissions, limits and faults. It returns
// the decoded answer, nil where there is none.
func (h Hand) Request(method, target string, body any) (any, error) {
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	s := h.o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{s: s, org: h.o, by: h.by, app: &client{}, query: r.URL.Query()}
	if body != nil {
		c.body = plain(body)
	}
	w := &recorder{header: http.Header{}, code: http.StatusOK}
	s.api.ServeHTTP(w, r.WithContext(withCall(r.Context(), c)))
	var out any
	if w.body.Len() > 0 {
		if err := decode(w.body.Bytes(), &out); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, target, err)
		}
	}
	if w.code > 299 {
		return nil, fmt.Errorf("%s %s: %d %s", method, target, w.code, text(asMap(out), "message"))
	}
	return out, nil
}

// Create makes an object as a request would, and returns its id.
func (h Hand) Create(kind string, body map[string]any) (string, error) {
	k := h.o.s.kinds[kind]
	if k == nil {
		return "", fmt.Errorf("create %s: no such kind", kind)
	}
	m, err := h.do(body, "", func(c *call) (answer, *problem) { return c.create(k) })
	if err != nil {
		return "", fmt.Errorf("create %s %v: %w", kind, body["name"], err)
	}
	return text(m, "id"), nil
}

// Edit changes an object: edit gets its body as it is kept, with references as objects with an id.
func (h Hand) Edit(kind, id string, edit func(body map[string]any)) error {
	k := h.o.s.kinds[kind]
	if k == nil {
		return fmt.Errorf("edit %s: no such kind", kind)
	}
	_, err := h.do(nil, id, func(c *call) (answer, *problem) {
		x, p := c.current(kind, id)
		if p != nil {
			return answer{}, p
		}
		body := cloneMap(x.Body)
		edit(body)
		c.body = plain(body)
		if k.guard != 0 {
			c.body.(map[string]any)["version"] = x.Version
		}
		return c.update(k, false)
	})
	if err != nil {
		return fmt.Errorf("edit %s %s: %w", kind, id, err)
	}
	return nil
}

// Delete removes an object as a request would.
func (h Hand) Delete(kind, id string) error {
	k := h.o.s.kinds[kind]
	if k == nil {
		return fmt.Errorf("delete %s: no such kind", kind)
	}
	if _, err := h.do(nil, id, func(c *call) (answer, *problem) { return c.delete(k) }); err != nil {
		return fmt.Errorf("delete %s %s: %w", kind, id, err)
	}
	return nil
}

// Publish makes a flow of its text, or another version of it, and returns the flow's id.
func (h Hand) Publish(flow string) (string, error) {
	s := h.o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &job{org: h.o, by: h.by}
	if why := s.publish(j, flow); why != "" {
		return "", fmt.Errorf("publish flow: %s", why)
	}
	return j.flow, nil
}

// Link writes elements of a sub-collection: members and wrapupcodes of a queue, members of groups and teams, skill,
// language and roles of a user, resources of a prompt, rows of a data table. It replaces an element with the same id.
func (h Hand) Link(kind, id, collection, element string, value map[string]any) error {
	_, err := h.do(nil, id, func(c *call) (answer, *problem) {
		x, p := c.current(kind, id)
		if p != nil {
			return answer{}, p
		}
		var v map[string]any
		if value != nil {
			v = plain(value).(map[string]any)
		}
		c.relink(x, collection, add(x.Links[collection], link{ID: element, Value: v}))
		return none()
	})
	if err != nil {
		return fmt.Errorf("link %s %s: %w", kind, id, err)
	}
	return nil
}

// Find is the id of the object with the name, "" where there is none.
func (o *Org) Find(kind, name string) string {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	return o.named(kind, name)
}

// Hide takes an object out of the sight of clients, as a division does that they may not see: it is not listed, and reading it
// is refused. A row of a data table is named TABLE/KEY. The administrator's pages go on showing it.
func (o *Org) Hide(id string) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	o.hidden[id] = true
}

// sees reports whether the caller may see the object with the id.
func (c *call) sees(id string) bool { return c.by.Person || !c.org.hidden[id] }

// Body is a copy of an object as it is kept: references as ids, nothing that the platform computes. It is nil where
// there is no such object.
func (o *Org) Body(kind, id string) map[string]any {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	if x := o.Objects[id]; x != nil && x.Kind == kind && !x.Gone {
		return cloneMap(x.Body)
	}
	return nil
}

// Count is how many objects of a kind there are; "" counts all.
func (o *Org) Count(kind string) int {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	n := 0
	for _, x := range o.Objects {
		if (kind == "" || x.Kind == kind) && !x.Gone {
			n++
		}
	}
	return n
}
