package genesyscloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// permissions are the platform's names for what may be done to a kind: DOMAIN:ENTITY, to which the verb is added. They are those of
// the vendor's documentation; what a refusal names counts for more.
var permissions = map[resource.Kind]string{
	division: "authorization:division", role: "authorization:role", user: "directory:user", group: "directory:group", team: "groups:team",
	location: "directory:location", skill: "routing:skill", language: "routing:language", wrapupcode: "routing:wrapupCode", skillgroup: "routing:skillGroup",
	queue: "routing:queue", routingsettings: "routing:settings", utilization: "routing:utilization", schedule: "routing:schedule",
	schedulegroup: "routing:scheduleGroup", ivr: "routing:callRoute", emergencygroup: "routing:emergencyGroup", prompt: "architect:userPrompt",
	datatable: "architect:datatable", datatablerow: "architect:datatableRow", flow: "architect:flow", flowoutcome: "architect:flowOutcome",
	flowmilestone: "architect:flowMilestone", integration: "integrations:integration", dataaction: "integrations:action",
	trigger: "processautomation:trigger", contactlist: "outbound:contactList", attemptlimit: "outbound:attemptLimits", dnclist: "outbound:dncList",
	ruleset: "outbound:ruleSet", callabletimeset: "outbound:callableTimeSet", campaign: "outbound:campaign", responselibrary: "responses:library",
	response: "responses:response", webconfiguration: "webDeployments:configuration", webdeployment: "webDeployments:deployment",
	evaluationform: "quality:evaluationForm",
}

// permission is how the platform writes one.
var permission = regexp.MustCompile(`[A-Za-z]+:[A-Za-z*]+:[A-Za-z*]+`)

// Examine tells which organisation answers, and which permissions the client lacks: those to read by trying, those to write by what it
// was granted.
func (d *Driver) Examine(ctx context.Context) []vendors.Finding {
	var out []vendors.Finding
	c := d.Client()
	org, err := get(ctx, c, "/api/v2/organizations/me", nil)
	if err != nil {
		return append(out, vendors.Finding{Subject: "organisation", Err: err})
	}
	out = append(out, vendors.Finding{Subject: "organisation", Detail: fmt.Sprintf("%s answers", text(org, "name"))})
	granted, known := d.grants(ctx)
	for _, k := range rows(hooks{}) {
		if slices.Contains(d.managed(), k.Kind) {
			out = append(out, d.examine(ctx, k, granted, known)...)
		}
	}
	if !known {
		out = append(out, vendors.Finding{Subject: "permissions", Note: true, Detail: "the platform does not tell what the client may write: it shows at the first write"})
	}
	return append(out, d.examineAudit(ctx))
}

// examine tries to read a kind, and looks up whether it could be written.
func (d *Driver) examine(ctx context.Context, k rest.Kind, granted grants, known bool) []vendors.Finding {
	subject := string(k.Kind)
	path, query := k.Get.Path, url.Values{}
	if len(k.Listings) > 0 {
		path = k.Listings[0].Path
		query.Set("pageSize", "1")
		for name, v := range k.Listings[0].Query {
			query.Set(name, v)
		}
	}
	if k.Parent.Kind == "" {
		if _, err := get(ctx, d.Client(), path, query); err != nil {
			return []vendors.Finding{{Subject: subject, Err: unreadable(k.Kind, err)}}
		}
	}
	if !known {
		return []vendors.Finding{{Subject: subject, Detail: "can be read"}}
	}
	var missing []string
	for verb, can := range map[string]bool{"add": k.Create.Path != "", "edit": k.Update.Path != "", "delete": k.Delete.Path != ""} {
		if p := permissions[k.Kind] + ":" + verb; can && !granted.permit(p) {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return []vendors.Finding{{Subject: subject, Detail: "can be read and written"}}
	}
	slices.Sort(missing)
	return []vendors.Finding{{Subject: subject, Note: true, Detail: "can be read; to write it the client lacks " + strings.Join(missing, ", ")}}
}

// unreadable says what is missing to read a kind.
func unreadable(k resource.Kind, err error) error {
	if !errors.Is(err, vendors.ErrDenied) {
		return err
	}
	missing := permission.FindAllString(err.Error(), -1)
	if len(missing) == 0 {
		missing = []string{permissions[k] + ":view"}
	}
	return fmt.Errorf("the client lacks %s: grant it, or exclude the kind: %w", strings.Join(slices.Compact(missing), " or "), vendors.ErrDenied)
}

// examineAudit tells what is lost without the audit.
func (d *Driver) examineAudit(ctx context.Context) vendors.Finding {
	now := d.o.Clock.Now()
	_, err := d.feed.realtime(ctx, d.Client(), now.Add(-lag), now)
	switch {
	case err == nil, errors.Is(err, errTooMuch):
		return vendors.Finding{Subject: "audit", Detail: "can be read: changes carry names, and a quiet minute costs a few requests"}
	case errors.Is(err, vendors.ErrDenied):
		return vendors.Finding{Subject: "audit", Note: true, Detail: "the client lacks audits:audit:view: changes carry no names, and every pass reads everything"}
	}
	return vendors.Finding{Subject: "audit", Err: err}
}

// grants are permissions as policies: domain, entity, actions.
type grants []grant

type grant struct {
	domain, entity string
	actions        []string
}

// grants asks what the client was granted, in any division.
func (d *Driver) grants(ctx context.Context) (grants, bool) {
	a, err := d.Client().Do(ctx, rest.Request{Method: http.MethodGet, Path: "/api/v2/authorization/subjects/me"})
	if err != nil {
		return nil, false
	}
	var got struct {
		Grants []struct {
			Role struct {
				Policies []struct {
					Domain  string   `json:"domain"`
					Entity  string   `json:"entityName"`
					Actions []string `json:"actions"`
				} `json:"policies"`
			} `json:"role"`
		} `json:"grants"`
	}
	if a.JSON(&got) != nil {
		return nil, false
	}
	var out grants
	for _, g := range got.Grants {
		for _, p := range g.Role.Policies {
			out = append(out, grant{p.Domain, p.Entity, p.Actions})
		}
	}
	return out, len(out) > 0
}

// permit reports whether a permission was granted. * stands for anything.
func (g grants) permit(p string) bool {
	parts := strings.Split(p, ":")
	is := func(granted, wanted string) bool { return granted == "*" || strings.EqualFold(granted, wanted) }
	return slices.ContainsFunc(g, func(g grant) bool {
		return is(g.domain, parts[0]) && is(g.entity, parts[1]) && slices.ContainsFunc(g.actions, func(a string) bool { return is(a, parts[2]) })
	})
}
