package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// read answers one object.
func (c *call) read(k *kind) (answer, *problem) {
	e, p := c.find(k, c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	return ok(c.render(e, false))
}

// find is an object as reads show it.
func (c *call) find(k *kind, id string) (entry, *problem) {
	e, ok := c.org.get(k, id)
	if !ok {
		return entry{}, notFound(k.name, id)
	}
	if !c.sees(id) {
		return entry{}, unseen(k, id)
	}
	return e, nil
}

func unseen(k *kind, id string) *problem {
	return &problem{status: http.StatusForbidden, code: "missing.division.permission", message: fmt.Sprintf("You may not see the %s %s: %s:view is missing in its division", k.name, id, k.permission)}
}

// current is an object as it is, which is what writes see.
func (c *call) current(kindName, id string) (*object, *problem) {
	x := c.org.Objects[id]
	if x == nil || x.Kind != kindName {
		return nil, notFound(kindName, id)
	}
	return x, nil
}

// create makes an object.
func (c *call) create(k *kind) (answer, *problem) {
	sent, p := c.object()
	if p != nil {
		return answer{}, p
	}
	body, p := c.accept(k, cloneMap(sent), nil, false)
	if p != nil {
		return answer{}, p
	}
	if k.soft {
		if old := c.org.names[c.org.unique(k, body)]; old != "" && c.org.Objects[old].Gone {
			return answer{}, conflict("A deleted %s with this %s exists: %s", k.name, strings.Join(k.unique, " and "), old)
		}
	}
	x := c.org.put(k, body, c.by)
	c.created(x, sent)
	c.org.log(c.by, "Create", x, nil, body)
	return ok(c.render(entry{o: x, body: x.Body, ver: x.Version}, false))
}

// update changes an object: a patch keeps the fields that were not sent, otherwise they fall back to what
// a new object has.
func (c *call) update(k *kind, patch bool) (answer, *problem) {
	x, p := c.current(k.name, c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	sent, p := c.object()
	if p != nil {
		return answer{}, p
	}
	if k.guard != 0 {
		if v, ok := number(sent["version"]); !ok {
			return answer{}, bad("version is required")
		} else if int(v) != x.Version {
			return answer{}, mismatch(k.guard, int(v), x.Version)
		}
	}
	c.updating(x, sent)
	body, p := c.accept(k, sent, x, patch)
	if p != nil {
		return answer{}, p
	}
	old := x.Body
	c.org.set(x, body, c.by)
	c.org.log(c.by, "Update", x, old, body)
	return ok(c.render(entry{o: x, body: x.Body, ver: x.Version}, false))
}

// accept makes what was sent into what is kept, or says why not. x is what it shall replace, nil for a new object.
func (c *call) accept(k *kind, sent map[string]any, x *object, patch bool) (map[string]any, *problem) {
	body := sent
	for f := range body {
		if k.ignored[f] {
			delete(body, f)
		} else if !c.s.fields.writable(k, f) && !slices.ContainsFunc(k.alias, func(a [2]string) bool { return a[1] == f }) {
			return nil, bad("Unrecognized field %q", f)
		}
	}
	for _, a := range k.alias {
		if v, ok := body[a[0]]; ok {
			delete(body, a[0])
			body[a[1]] = asRefs(v)
		}
	}
	if patch {
		whole := cloneMap(x.Body)
		for f, v := range body {
			whole[f] = v
		}
		body = whole
	}
	for _, r := range k.refs {
		if r.path[0] == "division" && body["division"] == nil {
			body["division"] = map[string]any{"id": c.org.Home}
			if x != nil && x.Body["division"] != nil {
				body["division"] = clone(x.Body["division"])
			}
		}
	}
	if x != nil {
		for _, f := range k.immutable {
			if v, ok := body[f]; !ok {
				body[f] = clone(x.Body[f])
			} else if !equal(v, x.Body[f]) {
				return nil, bad("%s cannot be changed", f)
			}
		}
	}
	for _, f := range k.required {
		if v, ok := body[f]; !ok || v == "" || v == nil {
			return nil, bad("%s is required", f)
		}
	}
	fill(body, k.defaults)
	if p := c.refer(k, body); p != nil {
		return nil, p
	}
	if k.check != nil {
		if why := k.check(body); why != "" {
			return nil, bad("%s", why)
		}
	}
	if u := c.org.unique(k, body); u != "" {
		if id := c.org.names[u]; id != "" && (x == nil || x.ID != id) && !c.org.Objects[id].Gone {
			return nil, conflict("A %s with this %s exists already: %s", k.name, strings.Join(k.unique, " and "), text(body, k.unique[len(k.unique)-1]))
		}
	}
	return body, nil
}

func asRefs(v any) any {
	switch v := v.(type) {
	case string:
		return map[string]any{"id": v}
	case []any:
		for i, e := range v {
			v[i] = asRefs(e)
		}
	}
	return v
}

// refer refuses references to what is not there, and reduces the others to what is kept of them.
func (c *call) refer(k *kind, body map[string]any) (p *problem) {
	for _, r := range k.refs {
		visit(body, r.path, func(v any) any {
			to, id := r.to(v), refID(v)
			x := c.org.Objects[id]
			if id == "" || x == nil || x.Kind != to || x.Gone {
				if p == nil {
					p = bad("%s: %s %q does not exist", strings.Join(r.path, "."), to, id)
				}
				return v
			}
			if m := asMap(v); m != nil {
				for _, f := range []string{"name", "selfUri", "memberCount"} {
					delete(m, f)
				}
			}
			return v
		})
	}
	return p
}

// to is the kind of the object that a value refers to.
func (r reference) to(v any) string {
	if r.kind != "@type" {
		return r.kind
	}
	return map[string]string{"GROUP": "group", "TEAM": "team", "SKILLGROUP": "skillgroup"}[text(asMap(v), "type")]
}

// delete removes an object, unless others refer to it and its kind does not cascade.
func (c *call) delete(k *kind) (answer, *problem) {
	x, p := c.current(k.name, c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	if x.ID == c.org.Home || x.Extra["default"] == true {
		return answer{}, bad("The %s %q cannot be deleted", k.name, c.org.name(x))
	}
	if k.name == "campaign" && text(x.Body, "campaignStatus") == "on" {
		return answer{}, bad("The campaign %q is on", c.org.name(x))
	}
	if by := c.org.referrers(x); len(by) > 0 && !k.cascades {
		if c.query.Get("force") != "true" && c.query.Get("forceDelete") != "true" {
			return answer{}, &problem{
				status: http.StatusConflict, code: "object.in.use",
				message: fmt.Sprintf("The %s %q is used by %s %q", k.name, c.org.name(x), by[0].Kind, c.org.name(by[0])),
			}
		}
	}
	c.org.strip(x)
	if k.soft {
		x.Gone = true
		body := cloneMap(x.Body)
		body["state"] = "deleted"
		c.org.set(x, body, c.by)
	} else {
		c.org.remove(x)
	}
	c.org.log(c.by, "Delete", x, x.Body, nil)
	return none()
}

// referrers are the objects that refer to x, in order of their ids; links do not count.
func (o *Org) referrers(x *object) []*object {
	var out []*object
	for _, y := range o.Objects {
		if y == x {
			continue
		}
		found := false
		o.refersTo(y, y.Body, func(to string, v any) any {
			found = found || to == x.Kind && refID(v) == x.ID
			return v
		})
		if found {
			out = append(out, y)
		}
	}
	slices.SortFunc(out, func(a, b *object) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (o *Org) refersTo(y *object, body map[string]any, f func(to string, v any) any) {
	for _, r := range o.s.kinds[y.Kind].refs {
		visit(body, r.path, func(v any) any { return f(r.to(v), v) })
	}
}

// strip takes every reference to x, and every link to it, out of the others. Neither their versions nor
// their dates move.
func (o *Org) strip(x *object) {
	for _, y := range o.referrers(x) {
		body := cloneMap(y.Body)
		o.refersTo(y, body, func(to string, v any) any {
			if to == x.Kind && refID(v) == x.ID {
				return nil
			}
			return v
		})
		y.Body = body
		o.touch(y)
	}
	for _, y := range o.Objects {
		for name, links := range y.Links {
			n := len(links)
			y.Links[name] = slices.DeleteFunc(links, func(l link) bool { return l.ID == x.ID })
			if len(y.Links[name]) != n {
				o.touch(y)
			}
		}
	}
}
