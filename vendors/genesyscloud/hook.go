package genesyscloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// hooks do what the table cannot say. They need what the client does not have: addresses that the
// platform hands out for one transfer lead to another host, and are asked without the token.
type hooks struct {
	transfer *http.Client
	clock    vendors.Clock
	// mayTransfer says whether an address that the platform handed out may be followed.
	mayTransfer func(*url.URL) error
	// poll is how long to wait between two looks at a job; timeout, how long a job may take.
	poll, timeout time.Duration
}

// get reads an object.
func get(ctx context.Context, c *rest.Client, path string, query url.Values) (rest.Object, error) {
	a, err := c.Do(ctx, rest.Request{Operation: "get", Path: path, Query: query})
	if err != nil {
		return nil, err
	}
	return object(a)
}

// soon reads an object that was just created: the platform may not show it at once.
func (h hooks) soon(ctx context.Context, c *rest.Client, path string) (rest.Object, error) {
	for begun, wait := h.clock.Now(), time.Second; ; wait *= 2 {
		o, err := get(ctx, c, path, nil)
		if !errors.Is(err, rest.ErrMissing) || h.clock.Now().Sub(begun) >= settle {
			return o, err
		}
		if err := h.clock.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// send writes, once: a lost answer is not asked for again.
func send(ctx context.Context, c *rest.Client, method, path string, body any) (rest.Object, error) {
	a, err := c.Do(ctx, rest.Request{Method: method, Path: path, Body: body})
	if err != nil {
		return nil, err
	}
	return object(a)
}

// again writes what may be written twice, so that a lost answer costs nothing.
func again(ctx context.Context, c *rest.Client, method, path string, body any) (rest.Object, error) {
	a, err := c.Do(ctx, rest.Request{Method: method, Path: path, Body: body, Repeat: true})
	if err != nil {
		return nil, err
	}
	return object(a)
}

// object decodes an answer that is an object or nothing.
func object(a *rest.Answer) (rest.Object, error) {
	if len(a.Body) == 0 || a.Status == http.StatusNoContent {
		return nil, nil
	}
	var o rest.Object
	if err := a.JSON(&o); err != nil {
		return nil, err
	}
	return o, nil
}

// text is a field that is a text; "" where it is none.
func text(o rest.Object, field string) string {
	s, _ := o[field].(string)
	return s
}

// list is a field's elements that are objects.
func list(o rest.Object, field string) []rest.Object {
	l, _ := o[field].([]any)
	var out []rest.Object
	for _, e := range l {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// sub is a field that is an object; nil where it is none.
func sub(o rest.Object, field string) rest.Object {
	m, _ := o[field].(map[string]any)
	return m
}

// only returns the fields named, where they are there.
func only(o rest.Object, fields ...string) rest.Object {
	out := rest.Object{}
	for _, f := range fields {
		if v, ok := o[f]; ok && v != nil {
			out[f] = v
		}
	}
	return out
}

// without returns the object without the fields named.
func without(o rest.Object, fields ...string) rest.Object {
	out := rest.Object{}
	for k, v := range o {
		out[k] = v
	}
	for _, f := range fields {
		delete(out, f)
	}
	return out
}

// put writes a whole object, with the fields of live that are named, as they were read.
func one(base, id string) string { return base + "/" + url.PathEscape(id) }

// restoreUser brings a deleted user of this address back: the platform keeps them, and refuses to create another one.
func (h hooks) restoreUser(ctx context.Context, c *rest.Client, email string, _ rest.Object) (string, error) {
	a, err := c.Do(ctx, rest.Request{Method: http.MethodPost, Path: "/api/v2/users/search", Repeat: true, Operation: "search", Body: rest.Object{
		"pageSize": 25,
		"query": []any{
			rest.Object{"type": "EXACT", "fields": []any{"email"}, "value": email},
			rest.Object{"type": "EXACT", "fields": []any{"state"}, "values": []any{"deleted"}},
		},
	}})
	if err != nil {
		return "", err
	}
	found, err := object(a)
	if err != nil {
		return "", err
	}
	for _, u := range list(found, "results") {
		id := text(u, "id")
		if id == "" {
			continue
		}
		live, err := get(ctx, c, one("/api/v2/users", id), url.Values{"state": {"deleted"}})
		if err != nil {
			return "", err
		}
		if _, err := send(ctx, c, http.MethodPatch, one("/api/v2/users", id), rest.Object{"state": "active", "version": live["version"]}); err != nil {
			return "", err
		}
		return id, nil
	}
	return "", nil
}

// readQueue leaves out that the first rule of conditional group routing is about the queue itself: the platform says so, and refuses to be
// told (MyPureCloud/terraform-provider-genesyscloud, routing_queue).
func readQueue(_ context.Context, _ *rest.Client, _ string, o rest.Object) error {
	if rules := list(sub(o, "conditionalGroupRouting"), "rules"); len(rules) > 0 {
		delete(rules[0], "queue")
	}
	return nil
}

// writeMemberDivisions writes the divisions whose people a skill group looks at.
func writeMemberDivisions(ctx context.Context, c *rest.Client, id string, add, remove []string) error {
	_, err := again(ctx, c, http.MethodPost, one("/api/v2/routing/skillgroups", id)+"/members/divisions",
		rest.Object{"addDivisionIds": append([]string{}, add...), "removeDivisionIds": append([]string{}, remove...)})
	return err
}

// createIntegration creates an integration, and names it by its configuration where the platform named it after its type.
func (h hooks) createIntegration(ctx context.Context, c *rest.Client, body rest.Object) (string, error) {
	made, err := send(ctx, c, http.MethodPost, "/api/v2/integrations", body)
	if err != nil {
		return "", err
	}
	id := text(made, "id")
	if text(made, "name") == text(body, "name") {
		return id, nil
	}
	at := one("/api/v2/integrations", id) + "/config/current"
	config, err := h.soon(ctx, c, at)
	if err != nil {
		return id, err
	}
	config["name"] = body["name"]
	_, err = again(ctx, c, http.MethodPut, at, without(config, "id", "selfUri"))
	return id, err
}

// updateIntegration writes the state of an integration, and its name, which is one of its configuration.
func updateIntegration(ctx context.Context, c *rest.Client, id string, live, body rest.Object) (rest.Object, error) {
	path := one("/api/v2/integrations", id)
	if state := only(body, "intendedState"); len(state) > 0 {
		if _, err := again(ctx, c, http.MethodPatch, path, state); err != nil {
			return nil, err
		}
	}
	if name := text(body, "name"); name != "" && name != text(live, "name") {
		config := without(sub(live, "configuration"), "id", "selfUri")
		config["name"] = name
		written, err := again(ctx, c, http.MethodPut, path+"/config/current", config)
		if err != nil {
			return nil, err
		}
		live["configuration"] = written // what else of it changes is written next, on this version
	}
	return nil, nil
}

// canonical is a value for comparing; what has no canonical form is nil.
func canonical(v any) any {
	if v == nil {
		return nil
	}
	out, err := resource.Canonical(v)
	if err != nil {
		return nil
	}
	return out
}

// publishWebConfiguration publishes the draft that was just written. The answer is what is published.
func publishWebConfiguration(ctx context.Context, c *rest.Client, id string, a resource.Action) (rest.Object, error) {
	if a == resource.Delete {
		return nil, nil
	}
	return send(ctx, c, http.MethodPost, one("/api/v2/webdeployments/configurations", id)+"/versions/draft/publish", nil)
}

// A web deployment shows one version of its configuration: the newest that is published.
func (h hooks) createWebDeployment(ctx context.Context, c *rest.Client, body rest.Object) (string, error) {
	if err := h.pinVersion(ctx, c, body); err != nil {
		return "", err
	}
	made, err := send(ctx, c, http.MethodPost, "/api/v2/webdeployments/deployments", body)
	return text(made, "id"), err
}

func (h hooks) updateWebDeployment(ctx context.Context, c *rest.Client, id string, _, body rest.Object) (rest.Object, error) {
	if err := h.pinVersion(ctx, c, body); err != nil {
		return nil, err
	}
	_, err := send(ctx, c, http.MethodPut, one("/api/v2/webdeployments/deployments", id), body)
	return nil, err
}

func (h hooks) pinVersion(ctx context.Context, c *rest.Client, body rest.Object) error {
	of := sub(body, "configuration")
	id := text(of, "id")
	if id == "" {
		return fmt.Errorf("configuration: missing: %w", vendors.ErrInvalid)
	}
	versions, err := h.soon(ctx, c, one("/api/v2/webdeployments/configurations", id)+"/versions")
	if err != nil {
		return err
	}
	newest := 0
	for _, v := range list(versions, "entities") {
		var n int
		if _, err := fmt.Sscan(text(v, "version"), &n); err == nil && n > newest {
			newest = n
		}
	}
	if newest == 0 {
		return fmt.Errorf("configuration %s: no version of it is published: %w", id, vendors.ErrInvalid)
	}
	body["configuration"] = rest.Object{"id": id, "version": fmt.Sprint(newest)}
	return nil
}
