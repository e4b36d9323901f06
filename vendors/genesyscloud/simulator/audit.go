package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An audit is one record of the audit log.
type audit struct {
	ID, Service, Entity, EntityID, Name, Action string
	By                                          actor
	At                                          time.Time
	Changes                                     []change
}

type change struct {
	Property string
	Old, New []string
}

// log records what somebody did to an object.
func (o *Org) log(by actor, action string, x *object, before, after map[string]any) {
	var changes []change
	for _, f := range slices.Sorted(maps.Keys(merged(before, after))) {
		if action != "Publish" && !equal(before[f], after[f]) {
			changes = append(changes, change{f, values1(before[f]), values1(after[f])})
		}
	}
	o.record(by, action, x, changes)
}

func (o *Org) logLinks(by actor, x *object, name string, before, after []link) {
	list := func(links []link) []string {
		out := []string{}
		for _, l := range links {
			out = append(out, l.ID)
		}
		return out
	}
	if b, a := list(before), list(after); !slices.Equal(b, a) {
		o.record(by, "Update", x, []change{{name, b, a}})
	}
}

func (o *Org) record(by actor, action string, x *object, changes []change) {
	k := o.s.kinds[x.Kind]
	a := &audit{ID: o.s.uuid(), Service: k.service, Entity: k.entity, EntityID: x.ID, Name: o.name(x), Action: action, By: by, At: o.s.o.Now(), Changes: changes}
	o.Audits = append(o.Audits, a)
	o.s.announce(o, a)
}

func merged(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, b)
	return out
}

// values1 is a value as audits write it: as a list of texts.
func values1(v any) []string {
	switch v := v.(type) {
	case nil:
		return []string{}
	case string:
		return []string{v}
	case []any:
		out := []string{}
		for _, e := range v {
			out = append(out, values1(e)...)
		}
		return out
	}
	b, err := json.Marshal(v)
	if err != nil {
		return []string{fmt.Sprint(v)}
	}
	return []string{string(b)}
}

func (s *Server) auditRoutes(m *http.ServeMux) {
	s.handle(m, "POST /api/v2/audits/query/realtime", "audits:audit:view", (*call).auditsNow)
	s.handle(m, "POST /api/v2/audits/query", "audits:audit:view", (*call).auditsLater)
	s.handle(m, "GET /api/v2/audits/query/{transaction}", "audits:audit:view", (*call).auditState)
	s.handle(m, "GET /api/v2/audits/query/{transaction}/results", "audits:audit:view", (*call).auditResults)
	services := func(c *call) (answer, *problem) { return ok(map[string]any{"services": s.services()}) }
	s.handle(m, "GET /api/v2/audits/query/servicemapping", "audits:audit:view", services)
	s.handle(m, "GET /api/v2/audits/query/realtime/servicemapping", "audits:audit:view", services)
}

// services are what is audited, by service.
func (s *Server) services() []any {
	entities := map[string][]any{}
	for _, k := range s.order {
		if k.lookup {
			continue
		}
		entities[k.service] = append(entities[k.service], map[string]any{"name": k.entity, "actions": []any{"Create", "Update", "Delete", "Publish"}})
	}
	for _, n := range []string{"RoutingSettings", "Utilization"} {
		entities["Routing"] = append(entities["Routing"], map[string]any{"name": n, "actions": []any{"Update"}})
	}
	var out []any
	for _, n := range slices.Sorted(maps.Keys(entities)) {
		out = append(out, map[string]any{"name": n, "entities": entities[n]})
	}
	return out
}

// realtimeDays is how far back the realtime query reaches.
const realtimeDays = 14

// search finds the records that a query's body asks for, newest first unless it says otherwise.
func (c *call) search(body map[string]any, reach time.Duration) ([]*audit, *problem) {
	from, to, ok := strings.Cut(text(body, "interval"), "/")
	start, err := time.Parse(time.RFC3339Nano, from)
	end, err2 := time.Parse(time.RFC3339Nano, to)
	if !ok || err != nil || err2 != nil || !end.After(start) {
		return nil, bad("interval must be two times of RFC 3339 with / between them, the second one later")
	}
	now := c.s.o.Now()
	if reach > 0 && now.Sub(start) > reach {
		return nil, bad("interval must begin within the last %d days", int(reach/(24*time.Hour)))
	}
	if end.Sub(start) > 30*24*time.Hour {
		return nil, bad("interval must not be longer than 30 days")
	}
	var found []*audit
	for _, a := range c.org.Audits {
		if s := text(body, "serviceName"); s != "" && s != a.Service {
			continue
		}
		if a.At.Before(start) || !a.At.Before(end) || now.Sub(a.At) < c.s.o.AuditLag || !matches(a, body["filters"]) {
			continue
		}
		found = append(found, a)
	}
	if l, _ := body["sort"].([]any); len(l) == 0 || text(asMap(l[0]), "sortOrder") != "ascending" {
		slices.Reverse(found)
	}
	return found, nil
}

func matches(a *audit, filters any) bool {
	l, _ := filters.([]any)
	for _, f := range l {
		want := text(asMap(f), "value")
		var is string
		switch text(asMap(f), "property") {
		case "UserId", "ClientId":
			is = a.By.ID
		case "Action":
			is = a.Action
		case "EntityType":
			is = a.Entity
		case "EntityId":
			is = a.EntityID
		}
		if is != want {
			return false
		}
	}
	return true
}

func (c *call) auditsNow() (answer, *problem) {
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	found, p := c.search(body, realtimeDays*24*time.Hour)
	if p != nil {
		return answer{}, p
	}
	for _, f := range []string{"pageSize", "pageNumber"} { // in the body here
		if n, ok := number(body[f]); ok {
			c.query.Set(f, itoa(int(n)))
		}
	}
	a, p := page(c, byPage, 500, found, func(a *audit) any { return c.org.message(a) })
	if p != nil {
		return answer{}, p
	}
	for _, f := range []string{"selfUri", "firstUri", "lastUri", "nextUri", "previousUri"} {
		delete(asMap(a.body), f)
	}
	return a, nil
}

// message is a record as answers show it.
func (o *Org) message(a *audit) map[string]any {
	changes := []any{}
	for _, ch := range a.Changes {
		changes = append(changes, map[string]any{"property": ch.Property, "oldValues": ch.Old, "newValues": ch.New})
	}
	m := map[string]any{
		"id": a.ID, "userHomeOrgId": o.ID, "serviceName": a.Service, "level": "USER", "eventDate": stamp(a.At), "action": a.Action,
		"entity": map[string]any{"id": a.EntityID, "name": a.Name}, "entityType": a.Entity, "status": "SUCCESS", "remoteIp": []any{"127.0.0.1"},
		"propertyChanges": changes, "transactionInitiator": true,
		"message": map[string]any{"message": a.By.Name + ": " + a.Action + " " + a.Entity + " " + a.Name},
	}
	if a.By.Person {
		m["user"] = map[string]any{"id": a.By.ID, "name": a.By.Name, "selfUri": "/api/v2/users/" + a.By.ID}
		m["client"] = map[string]any{"id": adminClient, "selfUri": "/api/v2/oauth/clients/" + adminClient}
		m["application"] = "Admin UI"
	} else {
		m["client"] = map[string]any{"id": a.By.ID, "selfUri": "/api/v2/oauth/clients/" + a.By.ID}
		m["application"] = a.By.Name
	}
	return m
}

// adminClient is the client by which the administrator's pages log in.
const adminClient = "00000000-0000-4000-8000-0000000000ad"

// auditsLater starts the query that is not limited to the last days.
func (c *call) auditsLater() (answer, *problem) {
	body, p := c.object()
	if p != nil {
		return answer{}, p
	}
	if text(body, "serviceName") == "" {
		return answer{}, bad("serviceName is required")
	}
	found, p := c.search(body, 0)
	if p != nil {
		return answer{}, p
	}
	j := c.org.start("audit", c.s)
	j.audits, j.body = found, body
	return answer{http.StatusAccepted, j.audit(c)}, nil
}

func (j *job) audit(c *call) map[string]any {
	m := map[string]any{"id": j.id, "state": "Running", "startDate": stamp(j.started), "interval": j.body["interval"], "serviceName": j.body["serviceName"]}
	if j.done(c) {
		m["state"] = "Succeeded"
	}
	return m
}

func (c *call) auditState() (answer, *problem) {
	j := c.org.jobs["audit "+c.r.PathValue("transaction")]
	if j == nil {
		return answer{}, notFound("transaction", c.r.PathValue("transaction"))
	}
	return ok(j.audit(c))
}

func (c *call) auditResults() (answer, *problem) {
	j := c.org.jobs["audit "+c.r.PathValue("transaction")]
	if j == nil || !j.done(c) {
		return answer{}, notFound("result of transaction", c.r.PathValue("transaction"))
	}
	size, p := c.number("pageSize", 25, 1, 500)
	if p != nil {
		return answer{}, p
	}
	from := 0
	if cur := c.query.Get("cursor"); cur != "" {
		from = slices.IndexFunc(j.audits, func(a *audit) bool { return a.ID == cur })
		if from < 0 {
			return answer{}, bad("cursor is not one of this query")
		}
	}
	out := map[string]any{"id": j.id, "pageSize": size, "entities": shown(j.audits, from, size, func(a *audit) any { return c.org.message(a) })}
	if next := from + size; next < len(j.audits) {
		out["cursor"] = j.audits[next].ID
	}
	return ok(out)
}

// logSetting records a change of what every organisation has exactly one of.
func (o *Org) logSetting(by actor, path string, before, after map[string]any) {
	var changes []change
	for _, f := range slices.Sorted(maps.Keys(merged(before, after))) {
		if !equal(before[f], after[f]) {
			changes = append(changes, change{f, values1(before[f]), values1(after[f])})
		}
	}
	if len(changes) == 0 {
		return
	}
	name := path[strings.LastIndex(path, "/")+1:]
	entity := map[string]string{"settings": "RoutingSettings", "utilization": "Utilization"}[name]
	a := &audit{ID: o.s.uuid(), Service: "Routing", Entity: entity, EntityID: o.ID, Name: entity, Action: "Update", By: by, At: o.s.o.Now(), Changes: changes}
	o.Audits = append(o.Audits, a)
	o.s.announce(o, a)
}
