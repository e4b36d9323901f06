package simulator

import "fmt"

// complete adds to an answer what a row cannot say.
func (c *call) complete(e entry, body map[string]any) {
	x := e.o
	switch x.Kind {
	case "user":
		c.completeUser(x, body)
	case "queue":
		if first := firstRule(body); first != nil {
			first["queue"] = map[string]any{"id": x.ID, "name": c.org.name(x), "selfUri": c.org.uri(x)}
		}
	case "flowoutcome":
		if text(body, "description") == "" {
			body["description"] = " "
		}
	case "prompt":
		body["resources"] = c.resources(x)
	case "flow":
		c.completeFlow(e, body)
	case "integration":
		if _, ok := body["name"]; !ok {
			body["name"] = refID(body["integrationType"])
		}
		body["config"] = map[string]any{"current": integrationConfig(x)}
	case "dataaction":
		if contract := asMap(body["contract"]); contract != nil {
			body["contract"] = actionContract(contract)
		}
		apart(asMap(body["config"]), c.org.uri(x))
	case "evaluationform":
		completeForm(x, body)
	case "webconfiguration":
		completeConfiguration(x, body)
	case "trigger":
		if t := asMap(body["target"]); t != nil {
			delete(t, "name")
			delete(t, "selfUri")
		}
	case "group":
		owners, _ := body["owners"].([]any)
		if owners == nil {
			body["owners"] = []any{}
		}
	}
}

// firstRule is the first one of a queue's conditional group routing, which is about the queue itself; nil where there is none.
func firstRule(queue map[string]any) map[string]any {
	rules, _ := asMap(queue["conditionalGroupRouting"])["rules"].([]any)
	if len(rules) == 0 {
		return nil
	}
	return asMap(rules[0])
}

// created does what the creation of some kinds does besides.
func (c *call) created(x *object, sent map[string]any) {
	switch x.Kind {
	case "integration":
		name := text(sent, "name")
		if name == "" {
			name = refID(x.Body["integrationType"])
		}
		x.Extra = map[string]any{"name": name, "notes": "", "properties": map[string]any{}, "advanced": map[string]any{}, "credentials": map[string]any{}, "configVersion": 1}
		delete(x.Body, "name")
	case "webconfiguration":
		x.Extra = map[string]any{"version": "draft", "published": 0}
	case "evaluationform":
		c.createdForm(x)
	case "flow":
		x.Extra = map[string]any{}
	case "group":
		delete(x.Body, "description") // updates alone take it
	}
}

// updating does what an update of some kinds does before.
func (c *call) updating(x *object, sent map[string]any) {
	if x.Kind != "user" {
		return
	}
	switch state := text(sent, "state"); {
	case x.Gone && state == "active": // how a deleted user is restored
		x.Gone = false
		body := cloneMap(x.Body)
		body["state"] = "active"
		x.Body = body
		c.org.names[c.org.unique(c.s.kinds["user"], body)] = x.ID
	case state == "deleted":
		x.Gone = true
	}
}

// actionContract is the shape in which a data action's contract is answered: schemas inside of what was sent.
func actionContract(contract map[string]any) map[string]any { return contract }

// createdForm gives a form and its questions the ids that stay when it is published.
func (c *call) createdForm(x *object) {
	x.Extra = map[string]any{"contextId": c.s.uuid(), "published": false}
	c.identify(x.Body["questionGroups"])
}

// identify gives every element of lists of objects that are part of a form an id.
func (c *call) identify(v any) {
	l, _ := v.([]any)
	for _, e := range l {
		m := asMap(e)
		if m == nil {
			continue
		}
		for _, f := range []string{"id", "contextId"} {
			if text(m, f) == "" {
				m[f] = c.s.uuid()
			}
		}
		c.identify(m["questions"])
		c.identify(m["answerOptions"])
	}
}

func completeForm(x *object, body map[string]any) {
	body["contextId"], body["published"] = x.Extra["contextId"], x.Extra["published"]
	body["latestVersionFormName"] = body["name"]
	published := []any{}
	for _, l := range x.Links["published"] {
		published = append(published, map[string]any{"id": l.ID, "name": text(body, "name"), "published": true, "contextId": x.Extra["contextId"], "questionGroups": []any{}})
	}
	body["publishedVersions"] = map[string]any{"entities": published, "pageSize": len(published), "pageNumber": 1, "total": len(published), "pageCount": 1}
}

// publishForm makes the present form the published one; each publication has an id of its own.
func (c *call) publishForm() (answer, *problem) {
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	x, p := c.current("evaluationform", text(body, "id"))
	if p != nil {
		return answer{}, p
	}
	x.Links["published"] = append(x.Links["published"], link{ID: c.s.uuid()})
	x.Extra["published"] = true
	c.org.touch(x)
	c.org.log(c.by, "Publish", x, x.Body, x.Body)
	return ok(c.render(entry{o: x, body: x.Body}, false))
}

func completeConfiguration(x *object, body map[string]any) {
	body["version"] = fmt.Sprint(x.Extra["version"])
	body["status"] = "Pending"
	if body["version"] != "draft" {
		body["status"] = "Active"
	}
	if by := asMap(body["lastModifiedUser"]); by != nil {
		delete(by, "name")
	}
	if by := asMap(body["createdUser"]); by != nil {
		delete(by, "name")
	}
}
