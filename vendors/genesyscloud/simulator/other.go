package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// otherRoutes are the paths of single kinds and of the organisation itself.
func (s *Server) otherRoutes(m *http.ServeMux) {
	s.handle(m, "GET /api/v2/organizations/me", "", func(c *call) (answer, *problem) {
		return ok(map[string]any{
			"id": c.org.ID, "name": c.org.Name, "version": 1, "state": "active", "defaultLanguage": "en-US", "defaultCountryCode": "US",
			"domain": slug(c.org.Name), "selfUri": "/api/v2/organizations/me",
		})
	})
	s.handle(m, "GET /api/v2/tokens/me", "", func(c *call) (answer, *problem) {
		org := map[string]any{"id": c.org.ID, "name": c.org.Name}
		return ok(map[string]any{"organization": org, "homeOrganization": org, "authorizedScope": []any{}, "OAuthClient": map[string]any{"id": c.app.ID, "name": c.app.Name}})
	})
	s.settingRoutes(m, "/api/v2/routing/settings", "routing:settings", map[string]any{"resetAgentScoreOnPresenceChange": false}, "resetAgentScoreOnPresenceChange")
	s.settingRoutes(m, "/api/v2/routing/utilization", "routing:utilization", utilization(), "utilization labelUtilizations maxInboundCalls")
	s.userRoutes(m)
	s.promptRoutes(m)
	s.tableRoutes(m)
	s.integrationRoutes(m)
	s.webRoutes(m)
	s.handle(m, "POST /api/v2/quality/publishedforms/evaluations", "quality:evaluationForm:add", (*call).publishForm)
	s.handle(m, "POST /api/v2/authorization/divisions/{id}/objects/{type}", "authorization:division:edit", (*call).moveToDivision)
}

func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
}

func utilization() map[string]any {
	of := func(capacity int, media ...any) map[string]any {
		if media == nil {
			media = []any{}
		}
		return map[string]any{"maximumCapacity": capacity, "interruptableMediaTypes": media, "includeNonAcd": false}
	}
	return map[string]any{
		"utilization":       map[string]any{"call": of(1), "callback": of(1), "chat": of(4), "email": of(1, "call", "callback", "chat"), "message": of(4), "workitem": of(1)},
		"labelUtilizations": map[string]any{},
	}
}

// settingRoutes are those of a singleton: DELETE brings back what a new organisation has.
func (s *Server) settingRoutes(m *http.ServeMux, path, permission string, initial map[string]any, writable string) {
	get := func(c *call) map[string]any {
		if v := c.org.Settings[path]; v != nil {
			return v
		}
		return initial
	}
	put := func(c *call, v map[string]any) {
		before := get(c)
		if v == nil {
			delete(c.org.Settings, path)
		} else {
			c.org.Settings[path] = v
		}
		c.org.logSetting(c.by, path, before, get(c))
	}
	s.handle(m, "GET "+path, permission+":view", func(c *call) (answer, *problem) { return ok(get(c)) })
	s.handle(m, "PUT "+path, permission+":edit", func(c *call) (answer, *problem) {
		body, p := c.object()
		if p != nil {
			return answer{}, p
		}
		for f := range body {
			if !slices.Contains(strings.Fields(writable), f) {
				return answer{}, bad("Unrecognized field %q", f)
			}
		}
		fill(body, initial)
		put(c, body)
		return ok(body)
	})
	s.handle(m, "DELETE "+path, permission+":edit", func(c *call) (answer, *problem) {
		put(c, nil)
		return none()
	})
}

// userRoutes are what is said of a user separately: skills and languages with a proficiency, and roles in divisions.
func (s *Server) userRoutes(m *http.ServeMux) {
	users := s.kinds["user"].path + "/{id}"
	for name, kind := range map[string]string{"routingskills": "skill", "routinglanguages": "language"} {
		path := users + "/" + name
		s.handle(m, "GET "+path, "directory:user:view", func(c *call) (answer, *problem) {
			_, links, p := c.links("user", kind)
			if p != nil {
				return answer{}, p
			}
			return page(c, byPage, chunk, links, func(l link) any { return c.proficiency(l) })
		})
		edit := func(replace bool) handler {
			return func(c *call) (answer, *problem) { return c.editProficiencies(kind, replace) }
		}
		s.handle(m, "PATCH "+path+"/bulk", "directory:user:edit", edit(false))
		if kind == "skill" {
			s.handle(m, "PUT "+path+"/bulk", "directory:user:edit", edit(true))
		}
		s.handle(m, "POST "+path, "directory:user:edit", func(c *call) (answer, *problem) {
			c.body = []any{c.body}
			a, p := c.editProficiencies(kind, false)
			if p != nil {
				return a, p
			}
			return ok(c.proficiency(link{ID: refID(c.body.([]any)[0]), Value: asMap(c.body.([]any)[0])}))
		})
		s.handle(m, "DELETE "+path+"/{other}", "directory:user:edit", func(c *call) (answer, *problem) {
			return c.unlink("user", kind, []string{c.r.PathValue("other")})
		})
	}
	s.handle(m, "POST /api/v2/users/search", "directory:user:view", (*call).searchUsers)
	s.handle(m, "GET "+users+"/roles", "authorization:grant:view", func(c *call) (answer, *problem) {
		x, links, p := c.links("user", "roles")
		if p != nil {
			return answer{}, p
		}
		return ok(c.authorization(x, links))
	})
	s.handle(m, "PUT "+users+"/roles", "authorization:grant:add", (*call).putRoles)
	s.handle(m, "GET /api/v2/authorization/subjects/me", "", func(c *call) (answer, *problem) {
		c.r.SetPathValue("id", c.app.ID)
		return c.subject()
	})
	s.handle(m, "GET /api/v2/authorization/subjects/{id}", "authorization:grant:view", (*call).subject)
	s.handle(m, "POST /api/v2/authorization/subjects/{id}/bulkadd", "authorization:grant:add", func(c *call) (answer, *problem) { return c.grant(false) })
	s.handle(m, "POST /api/v2/authorization/subjects/{id}/bulkreplace", "authorization:grant:add", func(c *call) (answer, *problem) { return c.grant(true) })
	s.handle(m, "POST /api/v2/authorization/subjects/{id}/bulkremove", "authorization:grant:delete", (*call).revoke)
}

func (c *call) completeUser(x *object, body map[string]any) {
	if x.Gone {
		body["state"] = "deleted"
	}
	show := func(word, kind string) {
		if !c.expands(word) {
			return
		}
		out := []any{}
		for _, l := range x.Links[kind] {
			out = append(out, c.proficiency(l))
		}
		body[word] = out
	}
	show("skills", "skill")
	show("languages", "language")
	if c.expands("authorization") {
		body["authorization"] = c.authorization(x, x.Links["roles"])
	}
}

func (c *call) proficiency(l link) map[string]any {
	x := c.org.Objects[l.ID]
	return map[string]any{"id": l.ID, "name": c.org.name(x), "proficiency": l.Value["proficiency"], "state": "active", "selfUri": c.org.uri(x)}
}

func (c *call) editProficiencies(kind string, replace bool) (answer, *problem) {
	x, p := c.current("user", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	list, p := c.array(50)
	if p != nil {
		return answer{}, p
	}
	ids, p := c.ids(list, kind)
	if p != nil {
		return answer{}, p
	}
	links := x.Links[kind]
	if replace {
		links = nil
	}
	for i, id := range ids {
		n, isNumber := number(asMap(list[i])["proficiency"])
		if !isNumber || n < 0 || n > 5 {
			return answer{}, bad("proficiency must be from 0 to 5")
		}
		links = add(links, link{ID: id, Value: map[string]any{"proficiency": asMap(list[i])["proficiency"]}})
	}
	c.relink(x, kind, links)
	return page(c, byPage, chunk, x.Links[kind], func(l link) any { return c.proficiency(l) })
}

// authorization shows the roles of a user. Links of roles have the id ROLE@DIVISION.
func (c *call) authorization(x *object, links []link) map[string]any {
	roles := []any{}
	seen := map[string]bool{}
	for _, l := range links {
		id, _, _ := strings.Cut(l.ID, "@")
		if r := c.org.Objects[id]; r != nil && !seen[id] {
			seen[id] = true
			roles = append(roles, map[string]any{"id": id, "name": c.org.name(r), "selfUri": c.org.uri(r)})
		}
	}
	return map[string]any{"roles": roles, "unusedRoles": []any{}, "permissions": []any{}, "permissionPolicies": []any{}}
}

// putRoles replaces the roles of a user, all of them in the home division.
func (c *call) putRoles() (answer, *problem) {
	x, p := c.current("user", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	list, p := c.array(chunk)
	if p != nil {
		return answer{}, p
	}
	ids, p := c.ids(list, "role")
	if p != nil {
		return answer{}, p
	}
	var links []link
	for _, id := range ids {
		links = add(links, link{ID: id + "@" + c.org.Home})
	}
	c.relink(x, "roles", links)
	return ok(c.authorization(x, links))
}

// subject shows what somebody is permitted: a user by granted roles, the client itself by its own permissions.
func (c *call) subject() (answer, *problem) {
	id := c.r.PathValue("id")
	if cl := c.org.Clients[id]; cl != nil {
		return ok(map[string]any{"id": id, "name": cl.Name, "version": 1, "grants": []any{c.clientGrant(cl)}, "selfUri": "/api/v2/authorization/subjects/" + id})
	}
	x, p := c.current("user", id)
	if p != nil {
		return answer{}, p
	}
	grants := []any{}
	for _, l := range x.Links["roles"] {
		roleID, division, _ := strings.Cut(l.ID, "@")
		r, d := c.org.Objects[roleID], c.org.Objects[division]
		if r == nil || d == nil {
			continue
		}
		grants = append(grants, map[string]any{
			"subjectId": id, "division": map[string]any{"id": division, "name": c.org.name(d), "description": text(d.Body, "description")},
			"role": map[string]any{"id": roleID, "name": c.org.name(r), "policies": []any{}}, "grantMadeAt": stamp(x.Modified),
		})
	}
	return ok(map[string]any{"id": id, "name": c.org.name(x), "version": x.Version, "grants": grants, "selfUri": "/api/v2/authorization/subjects/" + id})
}

func (c *call) clientGrant(cl *client) map[string]any {
	permissions := cl.Permissions
	if permissions == nil {
		permissions = []string{"*:*:*"}
	}
	policies := []any{}
	for _, p := range permissions {
		parts := append(strings.Split(p, ":"), "*", "*")
		policies = append(policies, map[string]any{"domain": parts[0], "entityName": parts[1], "actions": []any{parts[2]}})
	}
	return map[string]any{
		"subjectId": cl.ID, "division": map[string]any{"id": c.org.Home, "name": "Home", "description": "Home division"},
		"role": map[string]any{"id": cl.ID, "name": cl.Name, "policies": policies},
	}
}

// grant adds pairs of role and division to a user.
func (c *call) grant(replace bool) (answer, *problem) {
	x, links, p := c.grants()
	if p != nil {
		return answer{}, p
	}
	all := x.Links["roles"]
	if replace {
		all = nil
	}
	for _, l := range links {
		all = add(all, l)
	}
	c.relink(x, "roles", all)
	return none()
}

func (c *call) revoke() (answer, *problem) {
	_, links, p := c.grants()
	if p != nil {
		return answer{}, p
	}
	var ids []string
	for _, l := range links {
		ids = append(ids, l.ID)
	}
	return c.unlink("user", "roles", ids)
}

func (c *call) grants() (*object, []link, *problem) {
	x, p := c.current("user", c.r.PathValue("id"))
	if p != nil {
		return nil, nil, p
	}
	body, p := c.object()
	if p != nil {
		return nil, nil, p
	}
	list, _ := body["grants"].([]any)
	if len(list) > chunk {
		return nil, nil, bad("grants has %d elements, at most %d are permitted", len(list), chunk)
	}
	var links []link
	for _, g := range list {
		role, division := text(asMap(g), "roleId"), text(asMap(g), "divisionId")
		if _, p := c.current("role", role); p != nil {
			return nil, nil, bad("role %q does not exist", role)
		}
		if _, p := c.current("division", division); p != nil {
			return nil, nil, bad("division %q does not exist", division)
		}
		links = append(links, link{ID: role + "@" + division})
	}
	return x, links, nil
}

// moveToDivision puts objects into a division, whatever their kind.
func (c *call) moveToDivision() (answer, *problem) {
	if _, p := c.current("division", c.r.PathValue("id")); p != nil {
		return answer{}, p
	}
	list, p := c.array(chunk)
	if p != nil {
		return answer{}, p
	}
	for _, e := range list {
		id := fmt.Sprint(e)
		x := c.org.Objects[id]
		if x == nil {
			return answer{}, notFound("object", id)
		}
		old, body := x.Body, cloneMap(x.Body)
		body["division"] = map[string]any{"id": c.r.PathValue("id")}
		c.org.set(x, body, c.by)
		c.org.log(c.by, "Update", x, old, body)
	}
	return none()
}

// searchUsers finds users by exact values of fields; those who are deleted only where the state is asked for.
func (c *call) searchUsers() (answer, *problem) {
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	query, _ := body["query"].([]any)
	var found []any
	for _, e := range c.org.list(c.s.kinds["user"]) {
		shown := c.render(e, false)
		fits := !e.o.Gone
		for _, q := range query {
			want := map[string]bool{strings.ToLower(text(asMap(q), "value")): true}
			list, _ := asMap(q)["values"].([]any)
			for _, v := range list {
				want[strings.ToLower(fmt.Sprint(v))] = true
			}
			names, _ := asMap(q)["fields"].([]any)
			for _, f := range names {
				if f == "state" {
					fits = true
				}
			}
			for _, f := range names {
				fits = fits && want[strings.ToLower(fmt.Sprint(shown[fmt.Sprint(f)]))]
			}
		}
		if fits {
			found = append(found, shown)
		}
	}
	size, n := 25, 1
	if v, ok := number(body["pageSize"]); ok {
		size = min(max(int(v), 1), chunk)
	}
	if v, ok := number(body["pageNumber"]); ok {
		n = max(int(v), 1)
	}
	return ok(map[string]any{
		"total": len(found), "pageSize": size, "pageNumber": n, "pageCount": (len(found) + size - 1) / size, "types": []any{"users"},
		"results": shown(found, (n-1)*size, size, func(v any) any { return v }),
	})
}
