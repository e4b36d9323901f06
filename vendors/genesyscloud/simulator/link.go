package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// chunk is how many elements one request may add to a sub-collection, or remove from it.
const chunk = 100

// linkRoutes are the sub-collections that are written separately.
func (s *Server) linkRoutes(m *http.ServeMux) {
	queues := s.kinds["queue"].path + "/{id}"
	s.handle(m, "GET "+queues+"/members", "routing:queue:view", (*call).queueMembers)
	s.handle(m, "POST "+queues+"/members", "routing:queue:edit", (*call).editQueueMembers)
	s.handle(m, "PATCH "+queues+"/members", "routing:queue:edit", (*call).patchQueueMembers)
	s.handle(m, "PATCH "+queues+"/members/{member}", "routing:queue:edit", (*call).patchQueueMember)
	s.handle(m, "DELETE "+queues+"/members/{member}", "routing:queue:edit", func(c *call) (answer, *problem) {
		return c.unlink("queue", "members", []string{c.r.PathValue("member")})
	})
	s.handle(m, "GET "+queues+"/wrapupcodes", "routing:queue:view", (*call).queueCodes)
	s.handle(m, "POST "+queues+"/wrapupcodes", "routing:queue:edit", (*call).addQueueCodes)
	s.handle(m, "DELETE "+queues+"/wrapupcodes/{code}", "routing:queue:edit", func(c *call) (answer, *problem) {
		return c.unlink("queue", "wrapupcodes", []string{c.r.PathValue("code")})
	})
	divisions := s.kinds["skillgroup"].path + "/{id}/members/divisions"
	s.handle(m, "GET "+divisions, "routing:skillGroup:view", (*call).memberDivisions)
	s.handle(m, "POST "+divisions, "routing:skillGroup:edit", (*call).editMemberDivisions)
	s.handle(m, "GET /api/v2/routing/email/domains/{id}/routes", "", func(c *call) (answer, *problem) {
		return page(c, byPage, chunk, []link{}, func(link) any { return nil })
	})
	for kind, permission := range map[string]string{"group": "directory:group", "team": "groups:team"} {
		path := s.kinds[kind].path + "/{id}/members"
		s.handle(m, "GET "+path, permission+":view", func(c *call) (answer, *problem) { return c.members(kind) })
		s.handle(m, "POST "+path, permission+":edit", func(c *call) (answer, *problem) { return c.addMembers(kind) })
		s.handle(m, "DELETE "+path, permission+":edit", func(c *call) (answer, *problem) { return c.removeMembers(kind) })
	}
}

// links are the elements of a sub-collection of the object in the path.
func (c *call) links(kind, name string) (*object, []link, *problem) {
	e, p := c.find(c.s.kinds[kind], c.r.PathValue("id"))
	if p != nil {
		return nil, nil, p
	}
	return e.o, e.o.Links[name], nil
}

// relink replaces a sub-collection, and logs that it changed.
func (c *call) relink(x *object, name string, links []link) {
	old := x.Links[name]
	x.Links[name] = links
	if !c.s.o.StillParts {
		x.Modified, x.LastBy = c.s.o.Now(), c.by
	}
	c.org.touch(x)
	c.org.logLinks(c.by, x, name, old, links)
}

// add puts an element into a sub-collection, in place of one with the same id.
func add(links []link, l link) []link {
	out := slices.Clone(links)
	if i := slices.IndexFunc(out, func(o link) bool { return o.ID == l.ID }); i >= 0 {
		out[i] = l
		return out
	}
	return append(out, l)
}

// unlink takes elements out of a sub-collection; those that are not in it are no error.
func (c *call) unlink(kind, name string, ids []string) (answer, *problem) {
	x, p := c.current(kind, c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	kept := slices.DeleteFunc(slices.Clone(x.Links[name]), func(l link) bool { return slices.Contains(ids, l.ID) })
	c.relink(x, name, kept)
	return none()
}

// ids reads a list of {id} or of ids, all of which must be of the kind.
func (c *call) ids(list []any, kind string) ([]string, *problem) {
	var out []string
	for _, e := range list {
		id := refID(e)
		x := c.org.Objects[id]
		if x == nil || x.Kind != kind || x.Gone {
			return nil, bad("%s %q does not exist", kind, id)
		}
		out = append(out, id)
	}
	return out, nil
}

func (c *call) queueMembers() (answer, *problem) {
	_, links, p := c.links("queue", "members")
	if p != nil {
		return answer{}, p
	}
	if c.query.Get("memberBy") == "group" {
		links = nil
	}
	return page(c, byPage, chunk, links, func(l link) any {
		m := c.member(l)
		m["ringNumber"], m["joined"], m["memberBy"] = l.Value["ringNumber"], true, "user"
		return m
	})
}

// member shows a user as a member of something.
func (c *call) member(l link) map[string]any {
	u := c.org.Objects[l.ID]
	return map[string]any{
		"id": l.ID, "name": c.org.name(u), "selfUri": c.org.uri(u),
		"user": map[string]any{"id": l.ID, "name": c.org.name(u), "selfUri": c.org.uri(u), "version": u.Version},
	}
}

func (c *call) editQueueMembers() (answer, *problem) {
	x, p := c.current("queue", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	list, p := c.array(chunk)
	if p != nil {
		return answer{}, p
	}
	if c.query.Get("delete") == "true" {
		var ids []string
		for _, e := range list {
			ids = append(ids, refID(e))
		}
		return c.unlink("queue", "members", ids)
	}
	ids, p := c.ids(list, "user")
	if p != nil {
		return answer{}, p
	}
	links := x.Links["members"]
	for _, id := range ids {
		if !slices.ContainsFunc(links, func(l link) bool { return l.ID == id }) {
			links = add(links, link{ID: id, Value: map[string]any{"ringNumber": 1}})
		}
	}
	c.relink(x, "members", links)
	return none()
}

func (c *call) patchQueueMember() (answer, *problem) {
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	body["id"] = c.r.PathValue("member")
	return c.ring([]any{body})
}

func (c *call) patchQueueMembers() (answer, *problem) {
	list, p := c.array(chunk)
	if p != nil {
		return answer{}, p
	}
	return c.ring(list)
}

// ring gives members their ring numbers.
func (c *call) ring(list []any) (answer, *problem) {
	x, p := c.current("queue", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	links := x.Links["members"]
	for _, e := range list {
		id := refID(e)
		if !slices.ContainsFunc(links, func(l link) bool { return l.ID == id }) {
			return answer{}, notFound("member", id)
		}
		ring, isNumber := number(asMap(e)["ringNumber"])
		if !isNumber || ring < 1 || ring > 6 {
			return answer{}, bad("ringNumber must be from 1 to 6")
		}
		links = add(links, link{ID: id, Value: map[string]any{"ringNumber": int(ring)}})
	}
	c.relink(x, "members", links)
	return answer{http.StatusAccepted, nil}, nil
}

// memberDivisions are the divisions whose people a skill group looks at.
func (c *call) memberDivisions() (answer, *problem) {
	e, p := c.find(c.s.kinds["skillgroup"], c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	list, _ := e.body["memberDivisions"].([]any)
	out := []any{}
	for _, d := range list {
		if x := c.org.Objects[refID(d)]; x != nil {
			out = append(out, map[string]any{"id": x.ID, "name": c.org.name(x), "selfUri": c.org.uri(x)})
		}
	}
	return ok(map[string]any{"entities": out})
}

func (c *call) editMemberDivisions() (answer, *problem) {
	x, p := c.current("skillgroup", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	more, _ := body["addDivisionIds"].([]any)
	fewer, _ := body["removeDivisionIds"].([]any)
	if _, p := c.ids(more, "division"); p != nil {
		return answer{}, p
	}
	old, changed := x.Body, cloneMap(x.Body)
	list, _ := changed["memberDivisions"].([]any)
	list = slices.DeleteFunc(list, func(d any) bool { return slices.Contains(fewer, d) || slices.Contains(more, d) })
	changed["memberDivisions"] = append(list, more...)
	c.org.set(x, changed, c.by)
	c.org.log(c.by, "Update", x, old, changed)
	return none()
}

func (c *call) queueCodes() (answer, *problem) {
	_, links, p := c.links("queue", "wrapupcodes")
	if p != nil {
		return answer{}, p
	}
	return page(c, byPage, chunk, links, func(l link) any { return c.linked(l) })
}

// linked shows the object that a link leads to.
func (c *call) linked(l link) map[string]any {
	x := c.org.Objects[l.ID]
	return c.render(entry{o: x, body: x.Body, ver: x.Version}, true)
}

func (c *call) addQueueCodes() (answer, *problem) {
	x, p := c.current("queue", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	list, p := c.array(chunk)
	if p != nil {
		return answer{}, p
	}
	ids, p := c.ids(list, "wrapupcode")
	if p != nil {
		return answer{}, p
	}
	links, shown := x.Links["wrapupcodes"], []any{}
	for _, id := range ids {
		links = add(links, link{ID: id})
		shown = append(shown, c.linked(link{ID: id}))
	}
	c.relink(x, "wrapupcodes", links)
	return ok(shown)
}

func (c *call) members(kind string) (answer, *problem) {
	_, links, p := c.links(kind, "members")
	if p != nil {
		return answer{}, p
	}
	if kind == "team" {
		return page(c, byCursor, chunk, links, func(l link) any {
			m := c.member(l)
			return map[string]any{"id": m["id"], "name": m["name"], "selfUri": m["selfUri"]}
		})
	}
	return page(c, byPage, chunk, links, func(l link) any { return c.linked(l) })
}

// addMembers adds people to a group or a team. A group has a version, which the request must name.
func (c *call) addMembers(kind string) (answer, *problem) {
	x, p := c.current(kind, c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	if v, ok := number(body["version"]); kind == "group" && (!ok || int(v) != x.Version) {
		return answer{}, mismatch(http.StatusConflict, body["version"], x.Version)
	}
	list, _ := body["memberIds"].([]any)
	if len(list) == 0 || len(list) > chunk {
		return answer{}, bad("memberIds must have from 1 to %d elements", chunk)
	}
	ids, p := c.ids(list, "user")
	if p != nil {
		return answer{}, p
	}
	links := x.Links["members"]
	for _, id := range ids {
		links = add(links, link{ID: id})
	}
	c.relink(x, "members", links)
	x.Version++
	if kind == "team" {
		return ok(map[string]any{"failures": []any{}})
	}
	return answer{http.StatusAccepted, map[string]any{}}, nil
}

func (c *call) removeMembers(kind string) (answer, *problem) {
	param := "ids"
	if kind == "team" {
		param = "id"
	}
	ids := strings.Split(strings.Join(c.query[param], ","), ",")
	if len(ids) > chunk {
		return answer{}, bad("%s has %d elements, at most %d are permitted", param, len(ids), chunk)
	}
	if x := c.org.Objects[c.r.PathValue("id")]; x != nil && x.Kind == kind {
		x.Version++
	}
	if _, p := c.unlink(kind, "members", ids); p != nil {
		return answer{}, p
	}
	if kind == "team" {
		return none()
	}
	return answer{http.StatusAccepted, map[string]any{}}, nil
}
