package genesyscloud

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/vendortest"
)

// A hand is a person at the platform's own pages, which send requests to the public API as these do. It knows the API by
// itself: nothing here reads the driver's table, so that no error of that is made twice.
type hand struct {
	w      *world
	org    *simulator.Org
	person string
}

// A place is where a kind stands in the API.
type place struct {
	path    string
	version string // of the item: /versions/draft
	patch   bool   // updates are PATCH
}

var places = map[resource.Kind]place{
	division: {path: "authorization/divisions"}, skill: {path: "routing/skills", patch: true}, language: {path: "routing/languages"},
	wrapupcode: {path: "routing/wrapupcodes"}, skillgroup: {path: "routing/skillgroups", patch: true}, queue: {path: "routing/queues"},
	routingsettings: {path: "routing/settings"}, utilization: {path: "routing/utilization"},
	user: {path: "users", patch: true}, group: {path: "groups"}, team: {path: "teams", patch: true}, role: {path: "authorization/roles"},
	location: {path: "locations", patch: true}, schedule: {path: "architect/schedules"}, schedulegroup: {path: "architect/schedulegroups"},
	ivr: {path: "architect/ivrs"}, emergencygroup: {path: "architect/emergencygroups"}, prompt: {path: "architect/prompts"},
	datatable: {path: "flows/datatables"}, flow: {path: "flows"}, flowoutcome: {path: "flows/outcomes"}, flowmilestone: {path: "flows/milestones"},
	integration: {path: "integrations", patch: true}, dataaction: {path: "integrations/actions", patch: true}, trigger: {path: "processautomation/triggers"},
	contactlist: {path: "outbound/contactlists"}, attemptlimit: {path: "outbound/attemptlimits"}, dnclist: {path: "outbound/dnclists"},
	ruleset: {path: "outbound/rulesets"}, callabletimeset: {path: "outbound/callabletimesets"}, campaign: {path: "outbound/campaigns"},
	responselibrary: {path: "responsemanagement/libraries"}, response: {path: "responsemanagement/responses"},
	webconfiguration: {path: "webdeployments/configurations", version: "/versions/draft"}, webdeployment: {path: "webdeployments/deployments"},
	evaluationform: {path: "quality/forms/evaluations"},
}

// asIDs are the places at which the API has an id alone, asNames those at which it has a name; at all others it has an object.
var (
	asIDs = []string{
		"dataaction.integrationId", "trigger.target.id", "webdeployment.configuration.id", "ruleset.rules.conditions.codes", "skillgroup.memberDivisions",
		"queue.members.id", "user.skills.id", "user.languages.id", "user.roles", "skill.divisionId", "user.divisionId",
	}
	asNames = []string{
		"skillgroup.skillConditions.routingSkillConditions.routingSkill", "skillgroup.skillConditions.languageSkillConditions.languageSkill",
	}
)

func (h hand) ask(method, path string, body any) (map[string]any, error) {
	out, err := h.org.By(h.person).Request(method, "/api/v2/"+path, body)
	m, _ := out.(map[string]any)
	return m, err
}

// entities lists what stands at a path.
func (h hand) entities(path string) ([]map[string]any, error) {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	m, err := h.ask("GET", path+sep+"pageSize=100", nil)
	var out []map[string]any
	for _, field := range []string{"entities", "roles"} {
		l, _ := m[field].([]any)
		for _, e := range l {
			out = append(out, e.(map[string]any))
		}
	}
	return out, err
}

// id finds an object by its name; "" where there is none.
func (h hand) id(k resource.Key) (string, error) {
	name, want, at := k.Name, map[string]string{}, places[k.Kind].path
	cut := func(field string) {
		first, rest, _ := strings.Cut(name, "/")
		want[field], name = first, rest
	}
	switch k.Kind {
	case user:
		at += "?state=any"
		want["email"], name = name, ""
	case flow:
		cut("type")
	case dataaction:
		cut("category")
	case response:
		library, rest, _ := strings.Cut(name, "/")
		of, err := h.id(resource.Key{Kind: responselibrary, Name: library})
		if err != nil || of == "" {
			return "", err
		}
		name, at = rest, at+"?libraryId="+of
	}
	if name != "" {
		want["name"] = name
	}
	all, err := h.entities(at)
	for _, o := range all {
		fits := o["state"] != "deleted"
		for f, v := range want {
			fits = fits && o[f] == v
		}
		if fits {
			return o["id"].(string), nil
		}
	}
	return "", err
}

// body writes a value of a spec as the API has it.
func (h hand) body(v any, at string) (any, error) {
	switch v := v.(type) {
	case resource.Ref:
		if slices.Contains(asNames, at) {
			return v.Name, nil
		}
		id, err := h.id(v.Key)
		if err == nil && id == "" {
			err = fmt.Errorf("%s is not there", v)
		}
		out := map[string]any{"id": id}
		switch {
		case err != nil || slices.Contains(asIDs, at):
			return id, err
		case at == "queue.memberGroups":
			out["type"] = map[resource.Kind]string{group: "GROUP", team: "TEAM", skillgroup: "SKILLGROUP"}[v.Kind]
		}
		return out, nil
	case map[string]any:
		out := map[string]any{}
		for key, x := range v {
			var err error
			if out[key], err = h.body(x, at+"."+key); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			var err error
			if out[i], err = h.body(x, at); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// take removes a field and returns it as a list.
func take(o map[string]any, field string) []any {
	l, _ := o[field].([]any)
	delete(o, field)
	return l
}

// put makes an object what the spec says, as a person does who looks again where somebody else was faster.
func (h hand) put(k resource.Key, spec resource.Spec) error {
	for try := 0; ; try++ {
		err := h.write(k, spec)
		faster := err != nil && slices.ContainsFunc([]string{"does not match the current version", "has a draft already", "draft of action"}, func(s string) bool {
			return strings.Contains(err.Error(), s)
		})
		if !faster || try == 100 {
			return err
		}
	}
}

func (h hand) write(k resource.Key, spec resource.Spec) error {
	spec = spec.Clone()
	switch k.Kind {
	case routingsettings, utilization:
		if l, ok := spec["labelUtilizations"].([]any); ok && len(l) == 0 {
			spec["labelUtilizations"] = map[string]any{} // a map of labels, which nobody has here
		}
		_, err := h.ask("PUT", places[k.Kind].path, map[string]any(spec))
		return err
	case datatablerow:
		return h.row(k, spec)
	case skill, user: // the division is named by its id
		if d, ok := spec["division"]; ok {
			spec["divisionId"] = d
			delete(spec, "division")
		}
	}
	v, err := h.body(map[string]any(spec), string(k.Kind))
	if err != nil {
		return err
	}
	body := v.(map[string]any)
	id, err := h.id(k)
	if err != nil {
		return err
	}
	if write := h.special()[k.Kind]; write != nil {
		return write(k, id, body)
	}
	h.name(k, body)
	_, err = h.send(k.Kind, id, body)
	return err
}

// name puts the fields that make the name.
func (h hand) name(k resource.Key, body map[string]any) {
	name := k.Name
	switch k.Kind {
	case user:
		body["email"] = name
		return
	case flow:
		body["type"], name, _ = strings.Cut(name, "/")
	case dataaction:
		body["category"], name, _ = strings.Cut(name, "/")
	case response:
		_, name, _ = strings.Cut(name, "/")
	}
	body["name"] = name
}

// send creates an object, or updates the one with the id on the version that it has.
func (h hand) send(k resource.Kind, id string, body map[string]any) (string, error) {
	at := places[k]
	if id == "" {
		m, err := h.ask("POST", at.path, body)
		made, _ := m["id"].(string)
		if err != nil || k != group || body["description"] == nil {
			return made, err
		}
		id = made // an update alone takes the description
	}
	item, method := at.path+"/"+id+at.version, "PUT"
	if at.patch {
		method = "PATCH"
	}
	now, err := h.ask("GET", item, nil)
	if err != nil {
		return "", err
	}
	if v, ok := now["version"].(json.Number); ok {
		body["version"] = v
	}
	_, err = h.ask(method, item, body)
	return id, err
}

// members makes a sub-collection what is wanted: what is new is added, what is too much removed.
func (h hand) members(path, id string, want []any, add func(e any) (method, path string, body any)) error {
	is, err := h.entities(path)
	if err != nil {
		return err
	}
	idOf := func(e any) string {
		if m, ok := e.(map[string]any); ok {
			e = m["id"]
		}
		return e.(string)
	}
	for _, e := range is {
		if !slices.ContainsFunc(want, func(w any) bool { return idOf(w) == e["id"] }) {
			if _, err := h.ask("DELETE", path+"/"+e["id"].(string), nil); err != nil {
				return err
			}
		}
	}
	for _, e := range want {
		if method, path, body := add(e); method != "" {
			if _, err := h.org.By(h.person).Request(method, "/api/v2/"+path, body); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h hand) row(k resource.Key, spec resource.Spec) error {
	table, key, _ := strings.Cut(k.Name, "/")
	id, err := h.id(resource.Key{Kind: datatable, Name: table})
	if err != nil {
		return err
	}
	delete(spec, "datatable")
	spec["key"] = key
	at := "flows/datatables/" + id + "/rows"
	if _, err := h.ask("PUT", at+"/"+key, map[string]any(spec)); err == nil {
		return nil
	}
	_, err = h.ask("POST", at, map[string]any(spec))
	return err
}

func (h hand) delete(k resource.Key) error {
	if k.Kind == datatablerow {
		table, key, _ := strings.Cut(k.Name, "/")
		id, err := h.id(resource.Key{Kind: datatable, Name: table})
		if err != nil {
			return err
		}
		_, err = h.ask("DELETE", "flows/datatables/"+id+"/rows/"+key, nil)
		return err
	}
	id, err := h.id(k)
	if err != nil {
		return err
	}
	_, err = h.ask("DELETE", places[k.Kind].path+"/"+id, nil)
	return err
}

// rename writes the whole object back under another name.
func (h hand) rename(from, to resource.Key) error {
	at := places[from.Kind]
	id, err := h.id(from)
	if err != nil {
		return err
	}
	item := at.path + "/" + id + at.version
	if from.Kind == integration {
		item += "/config/current"
	}
	query := ""
	switch from.Kind {
	case datatable:
		query = "?expand=schema"
	case dataaction:
		query = "?expand=contract&includeConfig=true"
	}
	now, err := h.ask("GET", item+query, nil)
	if err != nil {
		return err
	}
	body, method := now, "PUT"
	if at.patch && from.Kind != integration {
		method, body = "PATCH", map[string]any{}
		if v, ok := now["version"].(json.Number); ok {
			body["version"] = v
		}
	}
	for _, computed := range []string{"owners", "publishedVersions"} {
		delete(body, computed)
	}
	h.name(to, body)
	_, err = h.ask(method, item+query, body)
	return err
}

// hide takes the object out of the driver's sight.
func (h hand) hide(k resource.Key) error {
	if k.Kind == routingsettings || k.Kind == utilization {
		h.w.Fail(simulator.Fault{
			Org: h.org.Name, Method: "GET", Path: "/api/v2/" + places[k.Kind].path, Status: 403,
			Body: fmt.Sprintf(`{"message": "You may not see the %s", "code": "missing.permissions", "status": 403}`, k.Name),
		})
		return nil
	}
	name, row := k, ""
	if k.Kind == datatablerow {
		table, key, _ := strings.Cut(k.Name, "/")
		name, row = resource.Key{Kind: datatable, Name: table}, "/"+key
	}
	id, err := h.id(name)
	h.org.Hide(id + row)
	return err
}

// fail makes the listing of a kind fail.
func (h hand) fail(k resource.Kind) error {
	path := "/api/v2/" + cmp.Or(places[k].path, "flows/datatables/*/rows")
	h.w.Fail(simulator.Fault{Org: h.org.Name, Method: "GET", Path: path, Status: 502})
	return nil
}

// hands is what the suite may do past the driver, in an organisation.
func (w *world) hands(org *simulator.Org) vendortest.Hand {
	h := hand{w, org, "Ann Lee"}
	return vendortest.Hand{Put: h.put, Delete: h.delete, Rename: h.rename, Hide: h.hide, Fail: h.fail}
}
