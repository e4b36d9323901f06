package genesyscloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

const actionPath = "/api/v2/integrations/actions"

// actionTemplates are pieces of a data action's configuration that the platform answers with an address, and keeps in files: the part
// of it, the field, and the file (MyPureCloud/terraform-provider-genesyscloud, integration_action).
var actionTemplates = []struct{ part, field, file string }{
	{"request", "requestTemplate", "requesttemplate.vm"}, {"response", "successTemplate", "successtemplate.vm"},
}

// readAction adds the templates.
func readAction(ctx context.Context, c *rest.Client, id string, o rest.Object) error {
	return withTemplates(ctx, c, one(actionPath, id), o)
}

// withTemplates adds the templates to an action or a draft of one, which stands at the path.
func withTemplates(ctx context.Context, c *rest.Client, at string, o rest.Object) error {
	for _, t := range actionTemplates {
		of := sub(sub(o, "config"), t.part)
		if of == nil || of[t.field] != nil || text(of, t.field+"Uri") == "" {
			continue
		}
		a, err := c.Do(ctx, rest.Request{Operation: "get", Path: at + "/templates/" + t.file, Header: http.Header{"Accept": {"text/plain, */*"}}})
		if errors.Is(err, rest.ErrMissing) {
			continue // it has none
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.field, err)
		}
		of[t.field] = string(a.Body)
	}
	return nil
}

// getDraft reads a draft, with its templates.
func getDraft(ctx context.Context, c *rest.Client, at string) (rest.Object, error) {
	draft, err := get(ctx, c, at, url.Values{"includeConfig": {"true"}, "expand": {"contract"}})
	if err != nil {
		return nil, err
	}
	return draft, withTemplates(ctx, c, at, draft)
}

// updateAction changes a data action. What belongs to its contract goes through a draft, which is then published; the rest is
// written at once. What somebody else has in the draft, unpublished, is left alone.
func updateAction(ctx context.Context, c *rest.Client, id string, live, body rest.Object) (rest.Object, error) {
	path := one(actionPath, id)
	body["version"] = live["version"]
	if resource.Equal(canonical(live["contract"]), canonical(body["contract"])) || body["contract"] == nil {
		_, err := send(ctx, c, http.MethodPatch, path, only(body, "category", "name", "config", "version"))
		return nil, err
	}
	change := only(body, drafted...)
	draft, err := getDraft(ctx, c, path+"/draft")
	other := fmt.Errorf("somebody has a draft of it that is not published: %w", vendors.ErrBusy)
	if errors.Is(err, rest.ErrMissing) {
		if draft, err = send(ctx, c, http.MethodPost, path+"/draft", nil); err == nil {
			err = withTemplates(ctx, c, path+"/draft", draft)
		}
		other = vendors.ErrConflict // it is made of what was published meanwhile
	}
	if err == nil && !sameIn(draft, live, drafted...) && !sameIn(draft, change, drafted...) { // nor is it one of ours that was cut off
		err = other
	}
	if err != nil {
		return nil, err
	}
	change["version"] = draft["version"]
	if draft, err = send(ctx, c, http.MethodPatch, path+"/draft", change); err != nil {
		return nil, err
	}
	made, err := send(ctx, c, http.MethodPost, path+"/draft/publish", rest.Object{"version": draft["version"]})
	if err == nil && made["contract"] != nil && !sameIn(made, body, "contract") {
		err = fmt.Errorf("another draft was published: %w", vendors.ErrConflict)
	}
	return nil, err
}

// drafted are the fields of a data action that its draft has.
var drafted = []string{"category", "name", "config", "contract", "secure"}

// sameIn reports whether the fields that b has are the same in a, but for what the platform may have filled in.
func sameIn(a, b rest.Object, fields ...string) bool {
	for _, f := range fields {
		if b[f] != nil && !contains(canonical(a[f]), canonical(b[f])) {
			return false
		}
	}
	return true
}

// contains reports whether whole says everything that part says, and maps of it may say more.
func contains(whole, part any) bool {
	of, isMap := whole.(map[string]any)
	m, both := part.(map[string]any)
	if !isMap || !both {
		return resource.Equal(whole, part)
	}
	for key, v := range m {
		if !contains(of[key], v) {
			return false
		}
	}
	return true
}
