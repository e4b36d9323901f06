package simulator

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample returns the body of a new object of each kind; ids are those of objects that exist.
func sample(kind, name string, ids map[string]string) value {
	ref := func(kind string) value { return value{"id": ids[kind]} }
	b := value{"name": name}
	switch kind {
	case "queue":
		b["queueFlow"], b["onHoldPrompt"] = ref("flow"), ref("prompt")
		b["bullseye"] = value{"rings": []any{value{"actions": value{"skillsToRemove": []any{ref("skill")}}}}}
		b["memberGroups"] = []any{value{"id": ids["group"], "type": "GROUP"}}
	case "skillgroup":
		b["skillConditions"] = []any{value{"routingSkillConditions": []any{value{"routingSkill": "Base skill", "comparator": "GreaterThan", "proficiency": 2}}, "languageSkillConditions": []any{}, "operation": "And"}}
	case "schedule":
		b["start"], b["end"], b["rrule"] = "2026-01-01T08:00:00.000000", "2026-01-01T18:00:00.000000", "FREQ=WEEKLY;BYDAY=MO,TU"
	case "schedulegroup":
		b["timeZone"], b["openSchedules"] = "Europe/Zurich", []any{ref("schedule")}
	case "ivr":
		b["openHoursFlow"], b["scheduleGroup"], b["dnis"] = ref("flow"), ref("schedulegroup"), []any{"+41445550100"}
	case "emergencygroup":
		b["emergencyCallFlows"] = []any{value{"emergencyFlow": ref("flow"), "ivrs": []any{ref("ivr")}}}
	case "prompt":
		b["name"] = strings.ReplaceAll(name, " ", "_")
	case "datatable":
		b["schema"] = value{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": []any{"key"}, "properties": value{
			"key":  value{"title": "key", "type": "string", "$id": "/properties/key", "displayOrder": 0},
			"open": value{"title": "open", "type": "boolean", "$id": "/properties/open", "displayOrder": 1, "default": true}}}
	case "flow":
		b["type"] = "INBOUNDCALL"
	case "division":
		b["description"] = "For tests"
	case "role":
		b["permissionPolicies"] = []any{value{"domain": "routing", "entityName": "queue", "actionSet": []any{"view"}, "allowConditions": false}}
	case "user":
		b["email"], b["divisionId"] = slug(name)+"@example.org", ids["division"]
	case "group":
		b["type"], b["rulesVisible"], b["visibility"], b["ownerIds"] = "official", true, "public", []any{ids["user"]}
	case "location":
		b["address"], b["contactUser"] = value{"city": "Bern", "country": "CH", "street1": "Bahnhofplatz 1", "zipcode": "3000"}, ids["user"]
	case "contactlist":
		b["columnNames"], b["phoneColumns"], b["attemptLimits"] = []any{"name", "phone"}, []any{value{"columnName": "phone", "type": "cell"}}, ref("attemptlimits")
	case "dnclist":
		b["dncSourceType"] = "rds"
	case "callabletimeset":
		b["callableTimes"] = []any{value{"timeZoneId": "Europe/Zurich", "timeSlots": []any{value{"startTime": "08:00:00", "stopTime": "18:00:00", "day": 1}}}}
	case "ruleset":
		b["contactList"], b["queue"] = ref("contactlist"), ref("queue")
		b["rules"] = []any{value{"name": "Once", "category": "DIALER_WRAPUP", "conditions": []any{value{"type": "wrapupCondition", "codes": []any{ids["wrapupcode"]}}}, "actions": []any{}}}
	case "campaign":
		maps.Copy(b, value{"contactList": ref("contactlist"), "queue": ref("queue"), "dialingMode": "preview", "phoneColumns": []any{value{"columnName": "phone", "type": "cell"}},
			"callerName": "Acme", "callerAddress": "+41445550100", "ruleSets": []any{ref("ruleset")}, "dncLists": []any{ref("dnclist")}, "callableTimeSet": ref("callabletimeset")})
	case "response":
		b["libraries"], b["texts"] = []any{ref("responselibrary")}, []any{value{"content": "Good morning", "contentType": "text/plain"}}
	case "integration":
		b["integrationType"] = value{"id": "custom-rest-actions"}
	case "dataaction":
		schema := value{"type": "object", "properties": value{"id": value{"type": "string"}}}
		maps.Copy(b, value{"category": "CRM", "integrationId": ids["integration"], "secure": false,
			"contract": value{"input": value{"inputSchema": schema}, "output": value{"successSchema": schema}},
			"config":   value{"request": value{"requestUrlTemplate": "https://crm.example.org/${input.id}", "requestType": "GET"}, "response": value{}}})
	case "credential":
		b["type"], b["credentialFields"] = value{"name": "basicAuth"}, value{"userName": "driftback", "password": "not to be seen"}
	case "webconfiguration":
		b["messenger"] = value{"enabled": true}
	case "webdeployment":
		b["configuration"], b["flow"] = value{"id": ids["webconfiguration"], "version": "1"}, ref("flow")
	case "evaluationform":
		b["questionGroups"] = []any{value{"name": "Opening", "questions": []any{value{"text": "Did the agent greet?", "answerOptions": []any{value{"text": "Yes", "value": 1}}}}}}
	case "trigger":
		b["topicName"], b["enabled"], b["target"] = "v2.detail.events.conversation.{id}.customer.end", true, value{"type": "Workflow", "id": ids["flow"]}
	}
	return b
}

// inOrder are the kinds so that what is referred to comes first.
var inOrder = strings.Fields("division skill language wrapupcode role user group team location schedule schedulegroup flow ivr emergencygroup prompt skillgroup queue datatable " +
	"flowoutcome flowmilestone attemptlimits contactlist dnclist callabletimeset ruleset campaign responselibrary response integration dataaction credential webconfiguration webdeployment evaluationform trigger")

// populate makes one object of each kind.
func populate(w *world) map[string]string {
	w.t.Helper()
	ids := map[string]string{}
	for _, name := range inOrder {
		k := w.s.kinds[name]
		require.NotNil(w.t, k, name)
		out := w.ok("POST", k.path, sample(name, "Base "+name, ids))
		ids[name] = text(out, "id")
		require.NotEmpty(w.t, ids[name], name)
	}
	return ids
}

func listPath(k *kind, ids map[string]string) string {
	if k.name == "response" {
		return k.path + "?libraryId=" + ids["responselibrary"]
	}
	return k.path
}

// TestKinds makes, reads, lists, changes and deletes an object of every kind, and meets the refusals on its way.
func TestKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Rate: -1})
	ids := populate(w)
	managed := slices.DeleteFunc(slices.Clone(w.s.order), func(k *kind) bool { return k.lookup })
	require.Len(t, inOrder, len(managed), "a kind has no sample")
	for _, k := range managed {
		t.Run(k.name, func(t *testing.T) {
			w := *w
			w.t = t
			body := sample(k.name, "Second "+k.name, ids)
			made := w.ok("POST", k.path, body)
			id := text(made, "id")
			item := k.path + "/" + id
			if k.name == "webconfiguration" {
				item += "/versions/draft"
			}
			require.Equal(t, k.path+"/"+id, strings.Split(text(made, "selfUri"), "/versions")[0])
			require.Contains(t, w.names(listPath(k, ids)), text(made, "name"))
			read := w.ok("GET", item, nil)
			require.Equal(t, made["name"], read["name"])
			require.Equal(t, body["name"], read["name"])
			refusals(&w, k, body, ids)
			if k.update != "" {
				alter(&w, k, item, read)
			}
			remove(&w, k, k.path+"/"+id)
		})
	}
}

func refusals(w *world, k *kind, body value, ids map[string]string) {
	if k.unique[0] != "-" {
		w.refused(http.StatusConflict, "POST", k.path, body)
	}
	for _, f := range k.required {
		if f == "division" {
			continue
		}
		without := maps.Clone(body)
		delete(without, f)
		require.Contains(w.t, w.refused(http.StatusBadRequest, "POST", k.path, without), f)
	}
	more := sample(k.name, "Third "+k.name, ids)
	more["colour"] = "blue"
	require.Contains(w.t, w.refused(http.StatusBadRequest, "POST", k.path, more), `"colour"`)
	for _, r := range k.refs {
		if r.path[0] == "division" && len(r.path) == 1 && k.alias == nil {
			wrong := sample(k.name, "Fourth "+k.name, ids)
			wrong["division"] = value{"id": "nowhere"}
			require.Contains(w.t, w.refused(http.StatusBadRequest, "POST", k.path, wrong), "does not exist")
		}
	}
	w.refused(http.StatusNotFound, "GET", strings.Replace(k.path+"/none", "/configurations/none", "/configurations/none/versions/draft", 1), nil)
}

// alter updates an object by what was read of it.
func alter(w *world, k *kind, item string, read value) {
	method := strings.Fields(k.update)[0]
	body := maps.Clone(read)
	for f := range body {
		if !w.s.fields.writable(k, f) || k.alias != nil && f != "name" && f != "version" && f != "state" {
			delete(body, f)
		}
	}
	switch k.name {
	case "skill":
		body = value{"divisionId": w.org.Home}
	case "prompt", "integration", "dataaction":
		if k.name == "integration" {
			body = value{"intendedState": "ENABLED"}
		}
	case "datatable":
		body["name"], body["schema"] = "Changed datatable", w.ok("GET", item+"?expand=schema", nil)["schema"]
	case "group":
		body = value{"rulesVisible": true, "visibility": "public", "name": "Changed group", "version": read["version"], "ownerIds": []any{}}
	default:
		body["name"] = "Changed " + k.name
	}
	if k.guard != 0 {
		old := maps.Clone(body)
		old["version"] = 99
		require.Contains(w.t, w.refused(k.guard, method, item, old), "does not match the current version")
		delete(old, "version")
		w.refused(http.StatusBadRequest, method, item, old)
		body["version"] = read["version"]
	}
	out := w.ok(method, item, body)
	if k.guard != 0 {
		require.True(w.t, equal(out["version"], add1(read["version"])), "version %v after %v", out["version"], read["version"])
	}
	if body["name"] != nil {
		require.Equal(w.t, body["name"], w.ok("GET", item, nil)["name"])
	}
}

func add1(v any) any {
	n, _ := number(v)
	return n + 1
}

func remove(w *world, k *kind, item string) {
	if k.noDelete {
		w.refused(http.StatusNotFound, "DELETE", item, nil)
		return
	}
	w.ok("DELETE", item, nil)
	if k.soft {
		require.Equal(w.t, "deleted", w.ok("GET", item, nil)["state"])
		return
	}
	if k.name == "webconfiguration" {
		item += "/versions/draft"
	}
	w.refused(http.StatusNotFound, "GET", item, nil)
}

func TestLookupKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	for _, k := range w.s.order {
		if !k.lookup {
			continue
		}
		id, err := w.org.By("Setup").Create(k.name, value{"name": "Set up elsewhere"})
		require.NoError(t, err)
		require.Equal(t, []string{"Set up elsewhere"}, w.names(k.path))
		require.Equal(t, id, w.ok("GET", k.path+"/"+id, nil)["id"])
	}
}
