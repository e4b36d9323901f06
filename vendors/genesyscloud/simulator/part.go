package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// promptRoutes are the texts of a prompt in its languages.
func (s *Server) promptRoutes(m *http.ServeMux) {
	path := s.kinds["prompt"].path + "/{id}/resources"
	const permission = "architect:userPrompt:"
	s.handle(m, "GET "+path, permission+"view", func(c *call) (answer, *problem) {
		x, links, p := c.links("prompt", "resources")
		if p != nil {
			return answer{}, p
		}
		return page(c, byPage, chunk, links, func(l link) any { return c.resource(x, l) })
	})
	s.handle(m, "GET "+path+"/{language}", permission+"view", func(c *call) (answer, *problem) {
		x, l, p := c.theResource()
		if p != nil {
			return answer{}, p
		}
		return ok(c.resource(x, l))
	})
	s.handle(m, "POST "+path, permission+"edit", func(c *call) (answer, *problem) {
		body, p := c.object()
		if p != nil {
			return answer{}, p
		}
		language := text(body, "language")
		if language == "" {
			return answer{}, bad("language is required")
		}
		return c.putResource(language, body, true)
	})
	s.handle(m, "PUT "+path+"/{language}", permission+"edit", func(c *call) (answer, *problem) {
		body, p := c.object()
		if p != nil {
			return answer{}, p
		}
		return c.putResource(c.r.PathValue("language"), body, false)
	})
	s.handle(m, "DELETE "+path+"/{language}", permission+"edit", func(c *call) (answer, *problem) {
		return c.unlink("prompt", "resources", []string{c.r.PathValue("language")})
	})
}

func (c *call) resources(x *object) []any {
	out := []any{}
	for _, l := range x.Links["resources"] {
		out = append(out, c.resource(x, l))
	}
	return out
}

func (c *call) resource(x *object, l link) map[string]any {
	m := cloneMap(l.Value)
	m["id"], m["promptId"], m["language"] = l.ID, x.ID, l.ID
	m["uploadStatus"], m["languageDefault"] = "created", false
	m["uploadUri"] = c.base + "/uploads/" + x.ID + "/" + l.ID // audio is not taken
	m["selfUri"] = c.org.uri(x) + "/resources/" + l.ID
	return m
}

func (c *call) theResource() (*object, link, *problem) {
	x, links, p := c.links("prompt", "resources")
	if p != nil {
		return nil, link{}, p
	}
	language := c.r.PathValue("language")
	i := slices.IndexFunc(links, func(l link) bool { return l.ID == language })
	if i < 0 {
		return nil, link{}, notFound("resource", language)
	}
	return x, links[i], nil
}

func (c *call) putResource(language string, body map[string]any, create bool) (answer, *problem) {
	x, p := c.current("prompt", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	have := slices.ContainsFunc(x.Links["resources"], func(l link) bool { return l.ID == language })
	if have && create {
		return answer{}, conflict("A resource for %s exists already", language)
	}
	if !have && !create {
		return answer{}, notFound("resource", language)
	}
	l := link{ID: language, Value: map[string]any{}}
	for _, f := range []string{"ttsString", "text", "tags"} {
		if v, ok := body[f]; ok {
			l.Value[f] = v
		}
	}
	c.relink(x, "resources", add(x.Links["resources"], l))
	return ok(c.resource(x, l))
}

// tableRoutes are the rows of a data table. A row's id is its key.
func (s *Server) tableRoutes(m *http.ServeMux) {
	path := s.kinds["datatable"].path + "/{id}/rows"
	const permission = "architect:datatableRow:"
	s.handle(m, "GET "+path, permission+"view", func(c *call) (answer, *problem) {
		x, links, p := c.links("datatable", "rows")
		if p != nil {
			return answer{}, p
		}
		links = slices.DeleteFunc(slices.Clone(links), func(l link) bool { return !c.sees(x.ID + "/" + l.ID) })
		return page(c, byPage, chunk, links, func(l link) any { return c.row(l) })
	})
	s.handle(m, "GET "+path+"/{row}", permission+"view", func(c *call) (answer, *problem) {
		x, links, p := c.links("datatable", "rows")
		if p != nil {
			return answer{}, p
		}
		if id := x.ID + "/" + c.r.PathValue("row"); !c.sees(id) {
			return answer{}, unseen(s.kinds["datatable"], id)
		}
		i := slices.IndexFunc(links, func(l link) bool { return l.ID == c.r.PathValue("row") })
		if i < 0 {
			return answer{}, notFound("row", c.r.PathValue("row"))
		}
		return ok(c.row(links[i]))
	})
	s.handle(m, "POST "+path, permission+"add", func(c *call) (answer, *problem) { return c.putRow("") })
	s.handle(m, "PUT "+path+"/{row}", permission+"edit", func(c *call) (answer, *problem) { return c.putRow(c.r.PathValue("row")) })
	s.handle(m, "DELETE "+path+"/{row}", permission+"delete", func(c *call) (answer, *problem) {
		return c.unlink("datatable", "rows", []string{c.r.PathValue("row")})
	})
}

// row shows a row: with showbrief, which is the default, its key only.
func (c *call) row(l link) map[string]any {
	if c.query.Get("showbrief") != "false" {
		return map[string]any{"key": l.ID}
	}
	m := cloneMap(l.Value)
	m["key"] = l.ID
	return m
}

// putRow writes a row; key "" is a new one.
func (c *call) putRow(key string) (answer, *problem) {
	x, p := c.current("datatable", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	have := slices.ContainsFunc(x.Links["rows"], func(l link) bool { return l.ID == text(body, "key") })
	if key == "" {
		if key = text(body, "key"); key == "" {
			return answer{}, bad("KEY is required")
		}
		if have {
			return answer{}, conflict("A row with the key %q exists already", key)
		}
	} else if !have || text(body, "key") != key {
		return answer{}, notFound("row", key)
	}
	props := asMap(asMap(x.Body["schema"])["properties"])
	for _, f := range slices.Sorted(maps.Keys(props)) {
		if _, ok := body[f]; !ok && asMap(props[f])["default"] != nil {
			body[f] = asMap(props[f])["default"]
		}
	}
	for f := range body {
		if props[f] == nil {
			return answer{}, bad("The table has no column %q", f)
		}
	}
	delete(body, "key")
	l := link{ID: key, Value: body}
	c.relink(x, "rows", add(x.Links["rows"], l))
	c.query.Set("showbrief", "false")
	return ok(c.row(l))
}

// integrationRoutes are the configuration of integrations, and the drafts of data actions.
func (s *Server) integrationRoutes(m *http.ServeMux) {
	config := s.kinds["integration"].path + "/{id}/config/current"
	s.handle(m, "GET "+config, "integrations:integration:view", func(c *call) (answer, *problem) {
		e, p := c.find(s.kinds["integration"], c.r.PathValue("id"))
		if p != nil {
			return answer{}, p
		}
		return ok(integrationConfig(e.o))
	})
	s.handle(m, "PUT "+config, "integrations:integration:edit", (*call).configureIntegration)
	actions := s.kinds["dataaction"].path
	const permission = "integrations:action:"
	s.handle(m, "GET "+actions+"/{id}/templates/{file}", permission+"view", func(c *call) (answer, *problem) { return c.template(false) })
	s.handle(m, "GET "+actions+"/{id}/draft/templates/{file}", permission+"view", func(c *call) (answer, *problem) { return c.template(true) })
	s.handle(m, "POST "+actions+"/drafts", permission+"add", (*call).createDraft)
	s.handle(m, "POST "+actions+"/{id}/draft", permission+"edit", func(c *call) (answer, *problem) { return c.draft(true) })
	s.handle(m, "GET "+actions+"/{id}/draft", permission+"view", func(c *call) (answer, *problem) { return c.draft(false) })
	s.handle(m, "PATCH "+actions+"/{id}/draft", permission+"edit", (*call).editDraft)
	s.handle(m, "POST "+actions+"/{id}/draft/publish", permission+"edit", (*call).publishDraft)
	s.handle(m, "DELETE "+actions+"/{id}/draft", permission+"edit", func(c *call) (answer, *problem) {
		x, p := c.current("dataaction", c.r.PathValue("id"))
		if p != nil {
			return answer{}, p
		}
		delete(x.Extra, "draft")
		return none()
	})
}

// actionTemplates are what a data action's configuration answers with an address only: part of it, field, and file.
var actionTemplates = [][3]string{{"request", "requestTemplate", "requesttemplate.vm"}, {"response", "successTemplate", "successtemplate.vm"}}

// apart puts addresses in the place of templates; at is that of the action or its draft.
func apart(config map[string]any, at string) {
	for _, t := range actionTemplates {
		if of := asMap(config[t[0]]); of != nil {
			delete(of, t[1])
			of[t[1]+"Uri"] = at + "/templates/" + t[2]
		}
	}
}

// template answers one of them, which is empty where none was sent.
func (c *call) template(draft bool) (answer, *problem) {
	e, p := c.find(c.s.kinds["dataaction"], c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	body := e.body
	if draft {
		if body = asMap(e.o.Extra["draft"]); body == nil {
			return answer{}, notFound("draft of action", e.o.ID)
		}
	}
	for _, t := range actionTemplates {
		if t[2] == c.r.PathValue("file") {
			return ok(plainText(text(asMap(asMap(body["config"])[t[0]]), t[1])))
		}
	}
	return answer{}, notFound("template", c.r.PathValue("file"))
}

func integrationConfig(x *object) map[string]any {
	m := map[string]any{"id": x.ID, "selfUri": "/api/v2/integrations/" + x.ID + "/config/current"}
	for _, f := range []string{"name", "notes", "properties", "advanced", "credentials"} {
		m[f] = clone(x.Extra[f])
	}
	m["version"] = x.Extra["configVersion"]
	return m
}

// configureIntegration replaces the configuration of an integration, which has a version of its own.
func (c *call) configureIntegration() (answer, *problem) {
	x, p := c.current("integration", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	for _, f := range []string{"name", "version", "properties", "advanced", "notes", "credentials"} {
		if _, ok := body[f]; !ok {
			return answer{}, bad("%s is required", f)
		}
	}
	have, _ := number(x.Extra["configVersion"])
	if v, _ := number(body["version"]); v != have {
		return answer{}, mismatch(http.StatusConflict, body["version"], x.Extra["configVersion"])
	}
	before := integrationConfig(x)
	x.Extra = maps.Clone(x.Extra)
	for _, f := range []string{"name", "properties", "advanced", "notes", "credentials"} {
		x.Extra[f] = body[f]
	}
	x.Extra["configVersion"] = int(have) + 1
	x.Modified, x.LastBy = c.s.o.Now(), c.by
	c.org.touch(x)
	c.org.log(c.by, "Update", x, before, integrationConfig(x))
	return ok(integrationConfig(x))
}

// createDraft makes an action that is not published yet: it is not listed, and its version is 0.
func (c *call) createDraft() (answer, *problem) {
	k := c.s.kinds["dataaction"]
	sent, p := c.object()
	if p != nil {
		return answer{}, p
	}
	body, p := c.accept(k, sent, nil, false)
	if p != nil {
		return answer{}, p
	}
	x := c.org.put(k, body, c.by)
	x.redraft(body)
	c.org.log(c.by, "Create", x, nil, body)
	return ok(c.showDraft(x))
}

// redraft gives an action a draft, or another value of it. Its versions count on, also from one draft to the next.
func (x *object) redraft(body any) {
	n, _ := number(x.Extra["drafts"])
	x.Extra = map[string]any{"draft": clone(body), "drafts": int(n) + 1}
}

func (c *call) showDraft(x *object) map[string]any {
	m := cloneMap(asMap(x.Extra["draft"]))
	delete(m, "configVersion")
	m["id"], m["version"], m["selfUri"] = x.ID, x.Extra["drafts"], c.org.uri(x)+"/draft"
	apart(asMap(m["config"]), c.org.uri(x)+"/draft")
	return m
}

// draft shows the draft of an action; with make it is taken from what is published.
func (c *call) draft(create bool) (answer, *problem) {
	x, p := c.current("dataaction", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	if create && x.Extra["draft"] != nil {
		return answer{}, conflict("Action %s has a draft already", x.ID)
	}
	if create {
		x.redraft(x.Body)
	}
	if x.Extra["draft"] == nil {
		return answer{}, notFound("draft of action", x.ID)
	}
	return ok(c.showDraft(x))
}

func (c *call) editDraft() (answer, *problem) {
	x, p := c.current("dataaction", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	draft := cloneMap(asMap(x.Extra["draft"]))
	if x.Extra["draft"] == nil {
		return answer{}, notFound("draft of action", x.ID)
	}
	if v, ok := number(body["version"]); !ok || !equal(v, x.Extra["drafts"]) {
		return answer{}, mismatch(http.StatusConflict, body["version"], x.Extra["drafts"])
	}
	for _, f := range []string{"category", "name", "config", "contract", "secure"} {
		if v, ok := body[f]; ok {
			draft[f] = v
		}
	}
	x.redraft(draft)
	return ok(c.showDraft(x))
}

func (c *call) publishDraft() (answer, *problem) {
	x, p := c.current("dataaction", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	draft := asMap(x.Extra["draft"])
	if draft == nil {
		return answer{}, notFound("draft of action", x.ID)
	}
	if v, ok := number(body["version"]); !ok || !equal(v, x.Extra["drafts"]) {
		return answer{}, mismatch(http.StatusConflict, body["version"], x.Extra["drafts"])
	}
	old := x.Body
	delete(x.Extra, "draft")
	c.org.set(x, cloneMap(draft), c.by)
	c.org.log(c.by, "Publish", x, old, x.Body)
	return ok(c.render(entry{o: x, body: x.Body, ver: x.Version}, false))
}

// webRoutes are the versions of the configurations of web messaging: one draft, and what was published of it.
func (s *Server) webRoutes(m *http.ServeMux) {
	versions := s.kinds["webconfiguration"].path + "/{id}/versions"
	const permission = "webDeployments:configuration:"
	s.handle(m, "GET "+versions, permission+"view", func(c *call) (answer, *problem) {
		x, links, p := c.links("webconfiguration", "versions")
		if p != nil {
			return answer{}, p
		}
		return page(c, byCursor, chunk, links, func(l link) any { return c.configuration(present(x), l.ID, l.Value) })
	})
	s.handle(m, "GET "+versions+"/{version}", permission+"view", (*call).readConfiguration)
	s.handle(m, "GET "+versions+"/draft", permission+"view", func(c *call) (answer, *problem) {
		c.r.SetPathValue("version", "draft")
		return c.readConfiguration()
	})
	s.handle(m, "PUT "+versions+"/draft", permission+"edit", (*call).writeConfiguration)
	s.handle(m, "POST "+versions+"/draft/publish", permission+"edit", (*call).publishConfiguration)
}

// present is an object as it is.
func present(x *object) entry { return entry{o: x, body: x.Body, ver: x.Version, at: x.Modified} }

// configuration is a version of what e shows.
func (c *call) configuration(e entry, version string, body map[string]any) map[string]any {
	x := e.o
	e.body = body
	m := c.render(e, false)
	m["version"], m["status"] = version, "Active"
	if version == "draft" {
		m["status"] = "Pending"
	}
	m["selfUri"] = c.org.uri(x) + "/versions/" + strings.ToLower(version)
	return m
}

func (c *call) readConfiguration() (answer, *problem) {
	e, p := c.find(c.s.kinds["webconfiguration"], c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	version := c.r.PathValue("version")
	if version == "draft" {
		return ok(c.configuration(e, "draft", e.body))
	}
	for _, l := range e.o.Links["versions"] {
		if l.ID == version {
			return ok(c.configuration(e, version, l.Value))
		}
	}
	return answer{}, notFound("version of the configuration", version)
}

func (c *call) writeConfiguration() (answer, *problem) {
	k := c.s.kinds["webconfiguration"]
	x, p := c.current(k.name, c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	sent, p := c.object()
	if p != nil {
		return answer{}, p
	}
	body, p := c.accept(k, sent, x, false)
	if p != nil {
		return answer{}, p
	}
	old := x.Body
	c.org.set(x, body, c.by)
	c.org.log(c.by, "Update", x, old, body)
	return ok(c.configuration(present(x), "draft", x.Body))
}

func (c *call) publishConfiguration() (answer, *problem) {
	x, p := c.current("webconfiguration", c.r.PathValue("id"))
	if p != nil {
		return answer{}, p
	}
	version := fmt.Sprint(len(x.Links["versions"]) + 1)
	x.Links["versions"] = append(x.Links["versions"], link{ID: version, Value: cloneMap(x.Body)})
	c.org.touch(x)
	c.org.log(c.by, "Publish", x, x.Body, x.Body)
	return ok(c.configuration(present(x), version, x.Body))
}
