package genesyscloud

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// special are the kinds that take more than one request, or another.
func (h hand) special() map[resource.Kind]func(k resource.Key, id string, body map[string]any) error {
	return map[resource.Kind]func(resource.Key, string, map[string]any) error{
		queue: h.queue, prompt: h.prompt, integration: h.integration, flow: h.flow, webconfiguration: h.configuration, webdeployment: h.deployment,
		evaluationform: h.form, user: h.user, dataaction: h.action, skillgroup: h.skillGroup,
	}
}

func (h hand) queue(k resource.Key, id string, body map[string]any) error {
	codes, members := take(body, "wrapUpCodes"), take(body, "members")
	h.name(k, body)
	id, err := h.send(queue, id, body)
	if err != nil {
		return err
	}
	at := "routing/queues/" + id
	err = h.members(at+"/wrapupcodes", id, codes, func(e any) (string, string, any) {
		return "POST", at + "/wrapupcodes", []any{map[string]any{"id": e.(map[string]any)["id"]}}
	})
	if err != nil {
		return err
	}
	if err := h.members(at+"/members", id, members, func(e any) (string, string, any) {
		return "POST", at + "/members", []any{map[string]any{"id": e.(map[string]any)["id"]}}
	}); err != nil {
		return err
	}
	for _, e := range members {
		m := e.(map[string]any)
		ring := cmp.Or(fmt.Sprint(m["ringNumber"]), "1")
		if m["ringNumber"] == nil {
			ring = "1"
		}
		if _, err := h.ask("PATCH", at+"/members/"+m["id"].(string), map[string]any{"id": m["id"], "ringNumber": json.Number(ring)}); err != nil {
			return err
		}
	}
	return nil
}

func (h hand) skillGroup(k resource.Key, id string, body map[string]any) error {
	divisions := take(body, "memberDivisions")
	h.name(k, body)
	id, err := h.send(skillgroup, id, body)
	if err != nil {
		return err
	}
	at := "routing/skillgroups/" + id + "/members/divisions"
	is, err := h.entities(at)
	if err != nil {
		return err
	}
	remove := []any{}
	for _, e := range is {
		if !slices.Contains(divisions, e["id"]) {
			remove = append(remove, e["id"])
		}
	}
	if len(divisions)+len(remove) == 0 {
		return nil
	}
	_, err = h.ask("POST", at, map[string]any{"addDivisionIds": append([]any{}, divisions...), "removeDivisionIds": remove})
	return err
}

func (h hand) prompt(k resource.Key, id string, body map[string]any) error {
	texts := take(body, "resources")
	h.name(k, body)
	id, err := h.send(prompt, id, body)
	if err != nil {
		return err
	}
	at := "architect/prompts/" + id + "/resources"
	is, err := h.entities(at)
	if err != nil {
		return err
	}
	for _, e := range is {
		if _, err := h.ask("DELETE", at+"/"+e["language"].(string), nil); err != nil {
			return err
		}
	}
	for _, e := range texts {
		if _, err := h.ask("POST", at, e); err != nil {
			return err
		}
	}
	return nil
}

func (h hand) integration(k resource.Key, id string, body map[string]any) error {
	config, _ := body["configuration"].(map[string]any)
	if id == "" {
		m, err := h.ask("POST", "integrations", map[string]any{"integrationType": body["integrationType"], "name": k.Name})
		if err != nil {
			return err
		}
		id = m["id"].(string)
	}
	at := "integrations/" + id
	now, err := h.ask("GET", at+"/config/current", nil)
	if err != nil {
		return err
	}
	config["name"], config["version"] = k.Name, now["version"]
	if _, err := h.ask("PUT", at+"/config/current", config); err != nil {
		return err
	}
	is, err := h.ask("GET", at, nil)
	if err == nil && is["intendedState"] != body["intendedState"] { // a page writes what was changed
		_, err = h.ask("PATCH", at, map[string]any{"intendedState": body["intendedState"]})
	}
	return err
}

// flow publishes as Architect does.
func (h hand) flow(k resource.Key, _ string, body map[string]any) error {
	_, name, _ := strings.Cut(k.Name, "/")
	head, rest, _ := strings.Cut(body["content"].(string), "\n")
	_, err := h.org.By(h.person).Publish(head + "\n  name: " + name + "\n" + rest)
	return err
}

func (h hand) configuration(k resource.Key, id string, body map[string]any) error {
	h.name(k, body)
	id, err := h.send(webconfiguration, id, body)
	if err != nil {
		return err
	}
	_, err = h.ask("POST", "webdeployments/configurations/"+id+"/versions/draft/publish", nil)
	return err
}

func (h hand) deployment(k resource.Key, id string, body map[string]any) error {
	of := body["configuration"].(map[string]any)
	versions, err := h.entities("webdeployments/configurations/" + of["id"].(string) + "/versions")
	if err != nil {
		return err
	}
	of["version"] = fmt.Sprint(len(versions))
	h.name(k, body)
	_, err = h.send(webdeployment, id, body)
	return err
}

func (h hand) form(k resource.Key, id string, body map[string]any) error {
	published := body["published"]
	delete(body, "published")
	h.name(k, body)
	id, err := h.send(evaluationform, id, body)
	if err != nil || published != true {
		return err
	}
	_, err = h.ask("POST", "quality/publishedforms/evaluations", map[string]any{"id": id, "published": true})
	return err
}

func (h hand) user(k resource.Key, id string, body map[string]any) error {
	skills, languages, roles := take(body, "skills"), take(body, "languages"), take(body, "roles")
	h.name(k, body)
	same := id != ""
	if same {
		delete(body, "divisionId") // it is set once
		is, err := h.ask("GET", "users/"+id, nil)
		if err != nil {
			return err
		}
		for f, v := range body { // a page writes what was changed
			same = same && fmt.Sprint(is[f]) == fmt.Sprint(v)
		}
	}
	var err error
	if !same {
		id, err = h.send(user, id, body)
	}
	if err != nil {
		return err
	}
	at := "users/" + url.PathEscape(id)
	for path, want := range map[string][]any{"/routingskills": skills, "/routinglanguages": languages} {
		if err := h.members(at+path, id, want, func(e any) (string, string, any) { return "POST", at + path, e }); err != nil {
			return err
		}
	}
	is, err := h.entities(at + "/roles")
	if err == nil && len(is) == len(roles) && !slices.ContainsFunc(is, func(e map[string]any) bool { return !slices.Contains(roles, e["id"]) }) {
		return nil
	}
	_, err = h.org.By(h.person).Request("PUT", "/api/v2/"+at+"/roles", append([]any{}, roles...))
	return err
}

// action changes a data action as its page does: by a draft, which is published.
func (h hand) action(k resource.Key, id string, body map[string]any) error {
	h.name(k, body)
	if id == "" {
		_, err := h.send(dataaction, id, body)
		return err
	}
	at := "integrations/actions/" + id + "/draft"
	_, _ = h.ask("DELETE", at, nil) // who wants to edit what is published discards the draft that is there
	draft, err := h.ask("POST", at, nil)
	if err != nil {
		return err
	}
	delete(body, "integrationId")
	body["version"] = draft["version"]
	if draft, err = h.ask("PATCH", at, body); err != nil {
		return err
	}
	_, err = h.ask("POST", at+"/publish", map[string]any{"version": draft["version"]})
	return err
}
