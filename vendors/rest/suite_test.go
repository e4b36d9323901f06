package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/vendortest"
)

func op(method, path string) Operation { return Operation{Method: method, Path: path} }

func field(path string) resource.Field { return resource.Field{Path: path} }

// crud fills in the operations of a collection.
func crud(k Kind, collection, update string) Kind {
	path := "/api/" + collection
	k.Listings = append(k.Listings, Listing{Path: path})
	k.Get = Operation{Path: path + "/{id}"}
	k.Create, k.Delete = op("POST", path), op("DELETE", path+"/{id}")
	if update != "" {
		k.Update = op(update, path+"/{id}")
	}
	return k
}

var byCursor = &Paging{Style: ByCursor, Entities: "entities", SizeParam: "pageSize", Size: 2, CursorParam: "after", Next: "nextUri"}

// table describes the test's server.
func smallPlatform() Platform {
	schedule := crud(Kind{Kind: "schedule", Guard: Guard{Body: "version"}, When: "dateModified"}, "schedules", "PUT")
	schedule.Listings[0].Paging = byCursor
	table := crud(Kind{Kind: "table", Guard: Guard{Header: "If-Match"}, Style: Patch, Detail: true, Moved: []string{"dateModified"}}, "tables", "PATCH")
	table.Listings[0].Paging = byCursor
	rule := crud(Kind{Kind: "rule", Fields: []Field{
		{Field: resource.Field{Path: "config"}, Form: Text},
		{Field: resource.Field{Path: "config.queueId", Ref: "queue"}, Form: ID},
		{Field: resource.Field{Path: "weights", Ref: "skill"}, Form: IDKeys, Literals: []string{"*"}},
		{Field: field("groups[]"), By: "type", Kinds: map[string]resource.Kind{"QUEUE": "queue", "SKILL": "skill"}},
		{Field: resource.Field{Path: "groups", Set: true}},
		{Field: resource.Field{Path: "token", Secret: true}},
	}}, "rules", "PUT")
	rule.Listings[0].Paging = byCursor
	queue := crud(Kind{
		Kind: "queue", Moved: []string{"dateModified"},
		Find: &Listing{Path: "/api/queues", Query: map[string]string{"name": "{name}"}},
		Gone: []Match{{Path: "state", Values: []string{"deleted"}}},
		Fields: []Field{
			{Field: resource.Field{Path: "skills", Set: true}}, {Field: resource.Field{Path: "skills[]", Ref: "skill"}},
			{Field: resource.Field{Path: "overflow", Ref: "queue"}},
			{Field: resource.Field{Path: "timeout", Default: json.Number("30")}},
			{Field: resource.Field{Path: "peer", Volatile: true}},
			{Field: resource.Field{Path: "members", ListKey: "id"}},
			{Field: resource.Field{Path: "members[].id", Ref: "user"}, Form: ID},
			{Field: resource.Field{Path: "members[].name", Volatile: true}},
			{Field: resource.Field{Path: "members[].joined", Volatile: true}},
			{Field: resource.Field{Path: "members[].ringNumber", Default: json.Number("1")}},
		},
		Parts: []Part{{
			Field: "members", List: &Listing{Path: "/api/queues/{id}/members", Paging: &Paging{Entities: "entities"}},
			Add:    op("POST", "/api/queues/{id}/members"),
			Remove: Operation{Method: "POST", Path: "/api/queues/{id}/members", Query: map[string]string{"delete": "true"}},
			Change: op("PATCH", "/api/queues/{id}/members/{item}"), Chunk: 3, Item: "id", Moved: []string{"memberCount"},
		}},
	}, "queues", "PUT")
	queue.Listings = []Listing{
		{Path: "/api/queues", Query: map[string]string{"hasPeer": "false"}}, {Path: "/api/queues", Query: map[string]string{"hasPeer": "true"}},
	}
	row := Kind{
		Kind: "row", Parent: Parent{Kind: "table", Field: "table"}, ID: "key", Name: Name{Fields: []string{"table", "key"}, Fixed: true},
		Listings: []Listing{{Path: "/api/tables/{parent}/rows"}},
		Get:      Operation{Path: "/api/tables/{parent}/rows/{id}"},
		Create:   op("POST", "/api/tables/{parent}/rows"), Delete: op("DELETE", "/api/tables/{parent}/rows/{id}"),
		Update: Operation{Method: "PUT", Path: "/api/tables/{parent}/rows/{id}"},
	}
	user := Kind{Kind: "user", ReferenceOnly: true, Listings: []Listing{{Path: "/api/users", Paging: byCursor}}, Get: Operation{Path: "/api/users/{id}"}}
	return Platform{
		Name: "test", Tenant: Tenant{Path: "/api/org", Field: "id"},
		Paging: Paging{
			Style: ByNumber, Entities: "entities", SizeParam: "pageSize", Size: 2, PageParam: "pageNumber", Total: "total", Pages: "pageCount",
		},
		Volatile: []string{"id", "selfUri", "dateModified", "state", "etag", "memberCount"},
		Errors:   Errors{Message: "message", Conflict: []string{"does not match the current version"}},
		Kinds: []Kind{
			user,
			crud(Kind{Kind: "skill", Style: Replace}, "skills", ""),
			queue, schedule, table, row, rule,
			{Kind: "settings", Name: Name{Singleton: "settings"}, Get: Operation{Path: "/api/settings"}, Update: op("PUT", "/api/settings"), Guard: Guard{Body: "version"}},
		},
	}
}

// hand changes the server past the driver.
type hand struct{ s *server }

var collections = map[resource.Kind]string{
	"user": "users", "skill": "skills", "queue": "queues", "schedule": "schedules", "table": "tables", "rule": "rules",
}

// id returns the id of what has the key. The lock is held.
func (h hand) id(k resource.Key) string {
	for _, o := range h.s.objects[collections[k.Kind]] {
		if o["name"] == k.Name {
			return o["id"].(string)
		}
	}
	return ""
}

func (h hand) put(k resource.Key, spec resource.Spec) error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	raw := h.raw(k.Kind, map[string]any(spec), "").(map[string]any)
	if k.Kind == "settings" {
		h.s.now++
		raw["version"] = number(h.s.now)
		h.s.settings = raw
		return nil
	}
	c, id := collections[k.Kind], h.id(k)
	if k.Kind == "row" {
		parts, _ := splitName(k.Name, 2)
		c, raw["key"] = "tables/"+h.id(resource.Key{Kind: "table", Name: parts[0]})+"/rows", parts[1]
		if h.s.find(c, parts[1]) != nil {
			id = parts[1]
		}
	} else {
		raw["name"] = k.Name
	}
	members, _ := raw["members"].([]any)
	delete(raw, "members")
	delete(raw, "table")
	o, err := h.s.put(c, id, raw)
	if err != nil {
		return err
	}
	if k.Kind == "queue" {
		id := o["id"].(string)
		h.s.members[id] = nil
		for _, m := range members {
			m := maps.Clone(m.(map[string]any))
			if m["joined"] = true; m["ringNumber"] == nil {
				m["ringNumber"] = json.Number("1")
			}
			h.s.members[id] = append(h.s.members[id], m)
		}
		o["memberCount"] = len(members)
	}
	return nil
}

// raw turns a spec into what the server stores.
func (h hand) raw(kind resource.Kind, v any, at string) any {
	switch v := v.(type) {
	case resource.Ref:
		id := h.id(v.Key)
		switch at {
		case ".config.queueId", ".members[].id":
			return id
		case ".groups[]":
			return map[string]any{"id": id, "type": map[resource.Kind]string{"queue": "QUEUE", "skill": "SKILL"}[v.Kind]}
		}
		return map[string]any{"id": id, "name": "whatever"}
	case map[string]any:
		out := map[string]any{}
		for key, x := range v {
			out[key] = h.raw(kind, x, at+"."+key)
		}
		if at == ".config" {
			b, _ := json.Marshal(out)
			return string(b)
		}
		return out
	case []any:
		if at == ".weights" {
			out := map[string]any{}
			for _, e := range v {
				key := "*"
				if r, ok := e.(map[string]any)["key"].(resource.Ref); ok {
					key = h.id(r.Key)
				}
				out[key] = e.(map[string]any)["value"]
			}
			return out
		}
		out := []any{}
		for _, x := range v {
			out = append(out, h.raw(kind, x, at+"[]"))
		}
		return out
	}
	return v
}

func (h hand) delete(k resource.Key) error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, id := collections[k.Kind], h.id(k)
	if k.Kind == "row" {
		parts, _ := splitName(k.Name, 2)
		c, id = "tables/"+h.id(resource.Key{Kind: "table", Name: parts[0]})+"/rows", parts[1]
	}
	h.s.objects[c] = slices.DeleteFunc(slices.Clone(h.s.objects[c]), func(o map[string]any) bool { return o["id"] == id })
	return nil
}

func (h hand) rename(from, to resource.Key) error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if from.Kind == "row" {
		parts, _ := splitName(from.Name, 2)
		c := "tables/" + h.id(resource.Key{Kind: "table", Name: parts[0]}) + "/rows"
		o := h.s.find(c, parts[1])
		parts, _ = splitName(to.Name, 2)
		o["id"], o["key"] = parts[1], parts[1]
		return nil
	}
	o := h.s.find(collections[from.Kind], h.id(from))
	_, err := h.s.put(collections[from.Kind], o["id"].(string), func() map[string]any {
		o := maps.Clone(o)
		o["name"] = to.Name
		return o
	}())
	return err
}

func (h hand) hide(k resource.Key) error {
	if k.Kind == "settings" {
		return h.fail(k.Kind)
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	id := h.id(k)
	if k.Kind == "row" {
		parts, _ := splitName(k.Name, 2)
		id = parts[1]
	}
	h.s.hidden[id] = true
	return nil
}

func (h hand) fail(k resource.Kind) error {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c := collections[k]
	switch k {
	case "row":
		c = "tables"
	case "settings":
		c = "settings"
	}
	h.s.denied[c] = true
	return nil
}

func open(t testing.TB, s *server, o Options) *Driver {
	o.BaseURL = s.URL
	if o.Clock == nil {
		o.Clock = quickClock{new(atomic.Int64)}
	}
	d, err := New(smallPlatform(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// quickClock passes when it is waited for.
type quickClock struct{ waited *atomic.Int64 }

func (c quickClock) Now() time.Time { return time.Now().Add(time.Duration(c.waited.Load())) }

func (c quickClock) Sleep(ctx context.Context, d time.Duration) error {
	c.waited.Add(int64(d))
	return ctx.Err()
}

func ref(kind resource.Kind, name string) resource.Ref {
	return resource.Ref{Key: resource.Key{Kind: kind, Name: name}}
}

func number(n int) json.Number { return json.Number(fmt.Sprint(n)) }

func seed(s *server) {
	h := hand{s}
	for n := range 5 {
		_ = h.put(resource.Key{Kind: "user", Name: fmt.Sprint("user", n)}, resource.Spec{})
	}
}

func needs(kind resource.Kind, name string, spec resource.Spec) resource.Resource {
	return resource.Resource{Key: resource.Key{Kind: kind, Name: name}, Spec: spec}
}

var objects = []vendortest.Object{
	{Key: resource.Key{Kind: "skill", Name: "Billing"}, Vary: func(n int) resource.Spec { return resource.Spec{"level": number(n)} }},
	{
		Key: resource.Key{Kind: "queue", Name: "Support"},
		Vary: func(n int) resource.Spec {
			out := resource.Spec{
				"acw": map[string]any{"seconds": number(n)}, "skills": []any{ref("skill", "Billing")}, "overflow": ref("queue", "Overflow"),
			}
			var members []any
			for i := range n%5 + 1 {
				m := map[string]any{"id": ref("user", fmt.Sprint("user", i))}
				if n%3 > 0 {
					m["ringNumber"] = number(n%3 + 1)
				}
				members = append(members, m)
			}
			out["members"] = members
			return out
		},
		Needs: []resource.Resource{needs("skill", "Billing", resource.Spec{"level": number(1)}), needs("queue", "Overflow", resource.Spec{"members": []any{}})},
	},
	{Key: resource.Key{Kind: "schedule", Name: "Christmas"}, Vary: func(n int) resource.Spec {
		return resource.Spec{"start": fmt.Sprintf("2026-12-%02d", n), "rrule": "FREQ=YEARLY"}
	}},
	{Key: resource.Key{Kind: "table", Name: "Holidays"}, Vary: func(n int) resource.Spec {
		out := resource.Spec{"schema": map[string]any{"columns": []any{number(n), "b"}}}
		if n%2 == 0 {
			out["description"] = fmt.Sprint("even ", n)
		}
		return out
	}},
	{
		Key: resource.Key{Kind: "row", Name: "Holidays/new%2Fyear"},
		Vary: func(n int) resource.Spec {
			return resource.Spec{"table": ref("table", "Holidays"), "open": n%2 == 0, "n": number(n)}
		},
		Needs: []resource.Resource{needs("table", "Holidays", resource.Spec{"schema": map[string]any{}})},
	},
	{
		Key: resource.Key{Kind: "rule", Name: "Route"},
		Vary: func(n int) resource.Spec {
			return resource.Spec{
				"config":  map[string]any{"queueId": ref("queue", "Overflow"), "n": number(n), "html": "<b>&</b>"},
				"weights": []any{map[string]any{"key": "*", "value": number(n)}, map[string]any{"key": ref("skill", "Billing"), "value": map[string]any{"w": number(2)}}},
				"groups":  []any{ref("queue", "Overflow"), ref("skill", "Billing")},
			}
		},
		Needs: []resource.Resource{needs("skill", "Billing", resource.Spec{"level": number(1)}), needs("queue", "Overflow", resource.Spec{"members": []any{}})},
	},
	{Key: resource.Key{Kind: "settings", Name: "settings"}, Vary: func(n int) resource.Spec { return resource.Spec{"greeting": fmt.Sprint("hello ", n)} }},
}

func TestDriver(t *testing.T) {
	vendortest.Run(t, vendortest.Fixture{
		Open:    func(t *testing.T) vendortest.Platform { return platform(t, nil) },
		Objects: objects,
		Names:   []string{"Ünïcode 日本", "with/slash", "a%2Fb", "quote\"s", "*?[x]", " lead", "über & <b>"},
	})
}

// guarded are the objects with a version, for which the suite counts steps.
var guarded = regexp.MustCompile("^/api/(schedules|tables)/[^/]+$")

// TestDriverWithFaults is the suite on a platform that refuses a tenth of all requests as too many, fails another and
// loses a third one's answer.
func TestDriverWithFaults(t *testing.T) {
	vendortest.Run(t, vendortest.Fixture{
		Open: func(t *testing.T) vendortest.Platform {
			var mu sync.Mutex
			rnd := rand.New(rand.NewPCG(1, uint64(len(t.Name()))))
			return platform(t, func(r *http.Request, after bool) (int, http.Header) {
				mu.Lock()
				defer mu.Unlock()
				switch n := rnd.IntN(10); {
				case !after && n == 0:
					return 429, http.Header{"Retry-After": {"1"}}
				case !after && n == 1:
					return 503, nil
				case after && n == 0 && !(r.Method[0] == 'P' && guarded.MatchString(r.URL.Path)):
					// Where several write at once, nobody can tell afterwards whose step it was that got lost.
					return -1, nil
				}
				return 0, nil
			})
		},
		Objects: objects,
	})
}

func platform(t *testing.T, fault func(*http.Request, bool) (int, http.Header)) vendortest.Platform {
	s := newServer(t)
	seed(s)
	s.fault = fault
	h := hand{s}
	return vendortest.Platform{
		Driver: open(t, s, Options{MaxTries: 20}).Vendor(),
		Again:  func() vendors.Driver { return open(t, s, Options{MaxTries: 20}).Vendor() },
		Hand:   vendortest.Hand{Put: h.put, Delete: h.delete, Rename: h.rename, Hide: h.hide, Fail: h.fail},
	}
}
