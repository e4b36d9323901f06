package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{TokenTTL: time.Minute})
	w.ok("GET", "/api/v2/organizations/me", nil)
	w.clock.pass(time.Minute)
	w.refused(http.StatusUnauthorized, "GET", "/api/v2/organizations/me", nil)
	w.token = w.login(w.org.ClientID(), w.org.Secret())
	require.Equal(t, "Acme", w.ok("GET", "/api/v2/organizations/me", nil)["name"])
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.token = w.login(w.org.AddClient("Reader", "routing:*:view"))
	require.Empty(t, w.names("/api/v2/routing/queues"))
	require.Contains(t, w.refused(http.StatusForbidden, "POST", "/api/v2/routing/queues", value{"name": "A"}), "routing:queue:add")
	require.Contains(t, w.refused(http.StatusForbidden, "GET", "/api/v2/flows", nil), "architect:flow:view")
	policies := asMap(asMap(w.ok("GET", "/api/v2/authorization/subjects/me", nil)["grants"].([]any)[0])["role"])["policies"]
	require.True(t, equal(plain([]any{value{"domain": "routing", "entityName": "*", "actions": []any{"view"}}}), policies), "%v", policies)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	for range 300 {
		w.ok("GET", "/api/v2/organizations/me", nil)
	}
	w.clock.pass(20 * time.Second)
	status, header, _ := w.raw("GET", "/api/v2/organizations/me", nil)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "40", header.Get("Retry-After"))
	w.clock.pass(40 * time.Second)
	w.ok("GET", "/api/v2/organizations/me", nil)
	require.Equal(t, 300, w.s.Peak(w.org.ClientID()))
}

func TestPaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	for i := range 57 {
		_, err := w.org.By("Someone").Create("skill", value{"name": fmt.Sprintf("Skill %02d", i)})
		require.NoError(t, err)
	}
	first := w.ok("GET", "/api/v2/routing/skills?pageSize=25", nil)
	require.True(t, equal(57, first["total"]) && equal(3, first["pageCount"]), "%v", first)
	require.Len(t, w.names(text(first, "nextUri")), 25)
	require.Len(t, w.names("/api/v2/routing/skills?pageSize=25&pageNumber=3"), 7)
	require.Empty(t, w.names("/api/v2/routing/skills?pageSize=25&pageNumber=4"))
	w.refused(http.StatusBadRequest, "GET", "/api/v2/routing/skills?pageSize=501", nil)
	require.Equal(t, []string{"Skill 05"}, w.names("/api/v2/routing/skills?name=skill+05"))

	stop := w.s.Fail(Fault{Path: "/api/v2/routing/skills", Shift: 1})
	require.Equal(t, "Skill 26", w.names("/api/v2/routing/skills?pageSize=25&pageNumber=2")[0], "one object is between the pages")
	stop()

	for i := range 30 {
		_, err := w.org.By("Someone").Create("team", value{"name": fmt.Sprintf("Team %02d", i)})
		require.NoError(t, err)
	}
	var all []string
	for next := "/api/v2/teams?pageSize=12"; next != ""; {
		all = append(all, w.names(next)...)
		next = text(w.ok("GET", next, nil), "nextUri")
	}
	require.Len(t, all, 30)
	w.refused(http.StatusBadRequest, "GET", "/api/v2/teams?after=nonsense", nil)
}

func TestReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Rate: -1})
	ids := populate(w)
	for _, c := range []struct{ kind, by string }{{"flow", ""}, {"schedule", "schedulegroup"}, {"contactlist", ""}, {"responselibrary", "response"}, {"division", "user"}} {
		message := w.refused(http.StatusConflict, "DELETE", w.s.kinds[c.kind].path+"/"+ids[c.kind], nil)
		require.Contains(t, message, "is used by "+c.by)
	}
	queue := w.s.kinds["queue"].path + "/" + ids["queue"]
	before := w.ok("GET", queue, nil)
	w.ok("DELETE", w.s.kinds["skill"].path+"/"+ids["skill"], nil)
	w.ok("DELETE", w.s.kinds["group"].path+"/"+ids["group"], nil)
	after := w.ok("GET", queue, nil)
	require.Empty(t, after["memberGroups"])
	require.NotEqual(t, before["bullseye"], after["bullseye"])
	require.Equal(t, before["dateModified"], after["dateModified"], "what the platform strips is no change of the queue")
}

func TestQueueMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Rate: -1})
	ids := populate(w)
	path := w.s.kinds["queue"].path + "/" + ids["queue"]
	var people []any
	for i := range 120 {
		id, err := w.org.By("Someone").Create("user", value{"name": fmt.Sprintf("Agent %03d", i), "email": fmt.Sprintf("a%d@example.org", i), "divisionId": ids["division"]})
		require.NoError(t, err)
		people = append(people, value{"id": id})
	}
	require.Contains(t, w.refused(http.StatusBadRequest, "POST", path+"/members", people), "at most 100")
	w.ok("POST", path+"/members", people[:100])
	w.ok("POST", path+"/members", people[90:])
	require.True(t, equal(120, w.ok("GET", path, nil)["memberCount"]))
	require.Len(t, w.names(path+"/members?pageSize=100&pageNumber=2"), 20)
	w.ok("POST", path+"/members?delete=true", people[:100])
	w.ok("PATCH", path+"/members/"+refID(people[110]), value{"ringNumber": 3})
	w.refused(http.StatusNotFound, "PATCH", path+"/members/"+refID(people[0]), value{"ringNumber": 3})
	require.Len(t, w.names(path+"/members?pageSize=100"), 20)
	w.ok("DELETE", w.s.kinds["user"].path+"/"+refID(people[110]), nil)
	require.Len(t, w.names(path+"/members?pageSize=100"), 19, "a deleted user is a member of nothing")
	w.ok("POST", path+"/wrapupcodes", []any{value{"id": ids["wrapupcode"]}})
	require.Equal(t, []string{"Base wrapupcode"}, w.names(path+"/wrapupcodes"))
	w.ok("DELETE", path+"/wrapupcodes/"+ids["wrapupcode"], nil)
	require.Empty(t, w.names(path+"/wrapupcodes"))
}

func TestDeletedUserIsRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	body := value{"name": "Ada", "email": "ada@example.org", "divisionId": w.org.Home}
	u := w.ok("POST", "/api/v2/users", body)
	item := "/api/v2/users/" + text(u, "id")
	w.ok("DELETE", item, nil)
	require.Empty(t, w.names("/api/v2/users"))
	require.Equal(t, []string{"Ada"}, w.names("/api/v2/users?state=deleted"))
	require.Contains(t, w.refused(http.StatusConflict, "POST", "/api/v2/users", body), text(u, "id"))
	gone := w.ok("GET", item, nil)
	w.ok("PATCH", item, value{"state": "active", "version": gone["version"]})
	require.Equal(t, []string{"Ada"}, w.names("/api/v2/users"))
}

func TestStaleCaches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{ListLag: time.Minute, ReadLag: 10 * time.Second, Seed: 3})
	made := w.ok("POST", "/api/v2/routing/queues", value{"name": "New"})
	item := "/api/v2/routing/queues/" + text(made, "id")
	require.Empty(t, w.names("/api/v2/routing/queues"), "a new queue is not listed at once")
	w.refused(http.StatusNotFound, "GET", item, nil)
	w.clock.pass(time.Minute)
	require.Equal(t, []string{"New"}, w.names("/api/v2/routing/queues"))
	w.ok("PUT", item, value{"name": "Newer"})
	require.Equal(t, []string{"New"}, w.names("/api/v2/routing/queues"))
	w.clock.pass(time.Minute)
	require.Equal(t, []string{"Newer"}, w.names("/api/v2/routing/queues"))
	w.ok("DELETE", item, nil)
	require.Equal(t, []string{"Newer"}, w.names("/api/v2/routing/queues"), "a deleted queue is still listed")
	w.refused(http.StatusNotFound, "DELETE", item, nil)
	w.clock.pass(time.Minute)
	require.Empty(t, w.names("/api/v2/routing/queues"))
	w.refused(http.StatusNotFound, "GET", item, nil)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.s.Fail(Fault{Method: "POST", Path: "/api/v2/routing/*", Times: 1, Lost: true})
	_, err := w.send("POST", "/api/v2/routing/queues", value{"name": "Lost"})
	require.Error(t, err)
	require.Equal(t, []string{"Lost"}, w.names("/api/v2/routing/queues"), "the answer was lost, not the write")
	w.s.Fail(Fault{Method: "POST", Path: "/api/v2/**", Times: 1, Cut: true})
	_, err = w.send("POST", "/api/v2/routing/queues", value{"name": "Cut"})
	require.Error(t, err)
	require.Equal(t, []string{"Lost"}, w.names("/api/v2/routing/queues"))
	w.s.Fail(Fault{Skip: 1, Times: 2, Status: 503, RetryAfter: 3})
	w.ok("GET", "/api/v2/routing/queues", nil)
	status, header, _ := w.raw("GET", "/api/v2/routing/queues", nil)
	require.Equal(t, 503, status)
	require.Equal(t, "3", header.Get("Retry-After"))
	w.s.Heal()
	w.ok("GET", "/api/v2/routing/queues", nil)
}

const flowText = `inboundCall:
  name: Welcome
  description: The first flow
  startUpRef: ./menus/menu[mainMenu]
  menus:
    - menu:
        name: Main
        refId: mainMenu
        choices:
          - menuTransferToAcd:
              name: Support
              targetQueue:
                lit:
                  name: Support
`

func (w *world) publish(text string) value {
	w.t.Helper()
	job := w.ok("POST", "/api/v2/flows/jobs", value{})
	r, err := http.NewRequest(http.MethodPut, job["presignedUrl"].(string), strings.NewReader(text))
	require.NoError(w.t, err)
	for k, v := range asMap(job["headers"]) {
		r.Header.Set(k, v.(string))
	}
	a, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	require.NoError(w.t, a.Body.Close())
	require.Equal(w.t, http.StatusOK, a.StatusCode)
	state := w.ok("GET", "/api/v2/flows/jobs/"+job["id"].(string), nil)
	require.Equal(w.t, "Started", state["status"])
	w.clock.pass(time.Minute)
	return w.ok("GET", "/api/v2/flows/jobs/"+job["id"].(string), nil)
}

func TestFlowJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{JobTime: 30 * time.Second})
	state := w.publish(flowText)
	require.Equal(t, "Failure", state["status"])
	require.Contains(t, fmt.Sprint(state["messages"]), `queue "Support" does not exist`)
	w.ok("POST", "/api/v2/routing/queues", value{"name": "Support"})
	state = w.publish(flowText)
	require.Equal(t, "Success", state["status"])
	id := refID(state["flow"])
	flow := w.ok("GET", "/api/v2/flows/"+id, nil)
	require.Equal(t, "INBOUNDCALL", flow["type"])
	require.Equal(t, "1.0", asMap(flow["publishedVersion"])["id"])

	export := w.ok("POST", "/api/v2/flows/export/jobs", value{"flows": []any{value{"flow": value{"id": id}}}})
	w.clock.pass(time.Minute)
	done := w.ok("GET", "/api/v2/flows/export/jobs/"+text(export, "id"), nil)
	a, err := http.Get(text(done, "downloadUrl"))
	require.NoError(t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	require.Equal(t, flowText, string(b))

	w.ok("PUT", "/api/v2/flows/"+id, value{"name": "Welcome: all", "type": "INBOUNDCALL"})
	export = w.ok("POST", "/api/v2/flows/export/jobs", value{"flows": []any{value{"flow": value{"id": id}}}})
	w.clock.pass(time.Minute)
	a, err = http.Get(text(w.ok("GET", "/api/v2/flows/export/jobs/"+text(export, "id"), nil), "downloadUrl"))
	require.NoError(t, err)
	defer a.Body.Close()
	b, err = io.ReadAll(a.Body)
	require.NoError(t, err)
	require.Equal(t, strings.Replace(flowText, "Welcome", `"Welcome: all"`, 1), string(b))
	w.ok("PUT", "/api/v2/flows/"+id, value{"name": "Welcome", "type": "INBOUNDCALL"})

	require.NoError(t, w.org.By("Ada").lock(id))
	require.Contains(t, fmt.Sprint(w.publish(flowText)["messages"]), "locked by Ada")
	w.ok("POST", "/api/v2/flows/actions/unlock?flow="+id, nil)
	require.Equal(t, "Success", w.publish(flowText)["status"])
}

func (h Hand) lock(id string) error {
	_, err := h.do(nil, id, func(c *call) (answer, *problem) {
		c.query.Set("flow", id)
		return c.lockFlow("checkout")
	})
	return err
}

func TestAudits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{AuditLag: 5 * time.Second, JobTime: time.Second})
	ada, err := w.org.By("Someone").Create("user", value{"name": "Ada Example", "email": "ada@example.org", "divisionId": w.org.Home})
	require.NoError(t, err)
	id := text(w.ok("POST", "/api/v2/routing/queues", value{"name": "Support"}), "id")
	w.clock.pass(time.Minute)
	require.NoError(t, w.org.By("Ada Example").Edit("queue", id, func(b map[string]any) { b["description"] = "Night shift" }))
	interval := stamp(w.clock.Now().Add(-time.Second)) + "/" + stamp(w.clock.Now().Add(time.Hour))
	query := value{"interval": interval, "serviceName": "ContactCenter", "filters": []any{value{"property": "EntityType", "value": "Queue"}}}
	require.Empty(t, w.ok("POST", "/api/v2/audits/query/realtime", query)["entities"])
	w.clock.pass(5 * time.Second)
	found := w.ok("POST", "/api/v2/audits/query/realtime", query)["entities"].([]any)
	require.Len(t, found, 1)
	record := asMap(found[0])
	require.Equal(t, ada, refID(record["user"]))
	require.Equal(t, id, refID(record["entity"]))
	require.True(t, equal(plain([]any{value{"property": "description", "oldValues": []any{}, "newValues": []any{"Night shift"}}}), record["propertyChanges"]), "%v", record)

	w.refused(http.StatusBadRequest, "POST", "/api/v2/audits/query/realtime", value{"interval": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"})
	started := w.ok("POST", "/api/v2/audits/query", query)
	path := "/api/v2/audits/query/" + text(started, "id")
	require.Equal(t, "Running", w.ok("GET", path, nil)["state"])
	w.clock.pass(time.Second)
	require.Equal(t, "Succeeded", w.ok("GET", path, nil)["state"])
	require.Len(t, w.ok("GET", path+"/results", nil)["entities"], 1)
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Rate: -1, Seed: 7})
	populate(w)
	name := t.TempDir() + "/state.json"
	require.NoError(t, w.s.SaveFile(name))
	other := newWorld(t, Options{Rate: -1, Seed: 7})
	require.NoError(t, other.s.LoadFile(name))
	other.org = other.s.Org("Acme")
	other.token = other.login(w.org.ClientID(), w.org.Secret())
	for _, k := range w.s.order {
		if k.name == "response" {
			continue
		}
		a, err := json.Marshal(w.ok("GET", k.path, nil))
		require.NoError(t, err)
		b, err := json.Marshal(other.ok("GET", k.path, nil))
		require.NoError(t, err)
		require.JSONEq(t, string(a), string(b), k.name)
	}
	other.refused(http.StatusConflict, "POST", "/api/v2/routing/skills", value{"name": "Base skill"})
	require.NotEmpty(t, text(other.ok("POST", "/api/v2/routing/skills", value{"name": "After"}), "id"))
}

func TestFlowsLeadToEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	flow := func(name, to string) string {
		return "inboundCall:\n  name: " + name + "\n  tasks:\n    - transferToFlow:\n        targetFlow:\n          lit:\n            name: " + to + "\n"
	}
	publish := func(text string, stubs bool) value {
		job := w.ok("POST", "/api/v2/flows/jobs", value{"createStubs": stubs})
		r, err := http.NewRequest(http.MethodPut, job["presignedUrl"].(string), strings.NewReader(text))
		require.NoError(t, err)
		for k, v := range asMap(job["headers"]) {
			r.Header.Set(k, v.(string))
		}
		a, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, a.Body.Close())
		return w.ok("GET", "/api/v2/flows/jobs/"+job["id"].(string), nil)
	}
	require.Equal(t, "Failure", publish(flow("Day", "Night"), false)["status"])
	require.Equal(t, "Success", publish(flow("Day", "Night"), true)["status"])
	require.Equal(t, []string{"Day", "Night"}, w.names("/api/v2/flows"))
	night := w.org.Find("flow", "Night")
	require.Nil(t, w.ok("GET", "/api/v2/flows/"+night, nil)["publishedVersion"])
	done := publish(flow("Night", "Day"), true)
	require.Equal(t, night, refID(done["flow"]), "the stub becomes the flow")
}

func TestSkillGroupDivisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	ids := populate(w)
	path := "/api/v2/routing/skillgroups/" + ids["skillgroup"] + "/members/divisions"
	w.ok("POST", path, value{"addDivisionIds": []any{ids["division"], w.org.Home}})
	w.ok("POST", path, value{"removeDivisionIds": []any{w.org.Home}})
	require.Equal(t, []string{"Base division"}, w.names(path))
	w.refused(http.StatusBadRequest, "POST", path, value{"addDivisionIds": []any{"nowhere"}})
}

func TestSearchUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	u := w.ok("POST", "/api/v2/users", value{"name": "Ada", "email": "ada@example.org", "divisionId": w.org.Home})
	find := func(query ...any) []any {
		return w.ok("POST", "/api/v2/users/search", value{"query": query})["results"].([]any)
	}
	email := value{"type": "EXACT", "fields": []any{"email"}, "value": "Ada@example.org"}
	deleted := value{"type": "EXACT", "fields": []any{"state"}, "values": []any{"deleted"}}
	require.Len(t, find(email), 1)
	require.Empty(t, find(email, deleted))
	w.ok("DELETE", "/api/v2/users/"+text(u, "id"), nil)
	require.Empty(t, find(email))
	require.Len(t, find(email, deleted), 1)
}

// TestReferencesFollowRenames: what is kept is an id, and answers tell the present name of what has it.
func TestReferencesFollowRenames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Rate: -1})
	ids := populate(w)
	queue := w.s.kinds["queue"].path + "/" + ids["queue"]
	before := w.ok("GET", queue, nil)
	require.Equal(t, "Base flow", text(asMap(before["queueFlow"]), "name"))
	w.ok("PUT", "/api/v2/flows/"+ids["flow"], value{"name": "Renamed", "type": "INBOUNDCALL"})
	after := w.ok("GET", queue, nil)
	require.Equal(t, value{"id": ids["flow"], "name": "Renamed", "selfUri": "/api/v2/flows/" + ids["flow"]}, after["queueFlow"])
	require.Equal(t, before["dateModified"], after["dateModified"])
}

func TestGroupMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Rate: -1})
	ids := populate(w)
	for _, kind := range []string{"group", "team"} {
		path := w.s.kinds[kind].path + "/" + ids[kind]
		version := w.ok("GET", path, nil)["version"]
		many := make([]any, 101)
		for i := range many {
			many[i] = ids["user"]
		}
		w.refused(http.StatusBadRequest, "POST", path+"/members", value{"memberIds": many, "version": version})
		w.refused(http.StatusBadRequest, "POST", path+"/members", value{"memberIds": []any{"nobody"}, "version": version})
		w.ok("POST", path+"/members", value{"memberIds": []any{ids["user"]}, "version": version})
		require.Equal(t, []string{"Base user"}, w.names(path+"/members"))
		require.True(t, equal(1, w.ok("GET", path, nil)["memberCount"]))
		if kind == "group" {
			w.refused(http.StatusConflict, "POST", path+"/members", value{"memberIds": []any{ids["user"]}, "version": version})
		}
		w.ok("DELETE", path+"/members?id="+ids["user"]+"&ids="+ids["user"], nil)
		require.Empty(t, w.names(path+"/members"))
	}
}
