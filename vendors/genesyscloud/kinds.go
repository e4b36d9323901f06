package genesyscloud

import (
	"time"

	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// The kinds, by the words that the field uses. The paths behind them stand in the tables of kinds_*.go.
const (
	division        resource.Kind = "division"
	skill           resource.Kind = "skill"
	language        resource.Kind = "language"
	wrapupcode      resource.Kind = "wrapupcode"
	skillgroup      resource.Kind = "skillgroup"
	queue           resource.Kind = "queue"
	utilization     resource.Kind = "utilization"
	routingsettings resource.Kind = "routingsettings"

	user     resource.Kind = "user"
	group    resource.Kind = "group"
	team     resource.Kind = "team"
	role     resource.Kind = "role"
	location resource.Kind = "location"

	schedule       resource.Kind = "schedule"
	schedulegroup  resource.Kind = "schedulegroup"
	ivr            resource.Kind = "ivr"
	emergencygroup resource.Kind = "emergencygroup"
	prompt         resource.Kind = "prompt"
	datatable      resource.Kind = "datatable"
	datatablerow   resource.Kind = "datatablerow"
	flow           resource.Kind = "flow"
	flowoutcome    resource.Kind = "flowoutcome"
	flowmilestone  resource.Kind = "flowmilestone"

	integration resource.Kind = "integration"
	dataaction  resource.Kind = "dataaction"
	trigger     resource.Kind = "trigger"

	contactlist     resource.Kind = "contactlist"
	attemptlimit    resource.Kind = "attemptlimit"
	dnclist         resource.Kind = "dnclist"
	ruleset         resource.Kind = "ruleset"
	callabletimeset resource.Kind = "callabletimeset"
	campaign        resource.Kind = "campaign"

	responselibrary  resource.Kind = "responselibrary"
	response         resource.Kind = "response"
	webconfiguration resource.Kind = "webconfiguration"
	webdeployment    resource.Kind = "webdeployment"
	evaluationform   resource.Kind = "evaluationform"

	// Referred to, and not managed.
	credential        resource.Kind = "credential"
	emaildomain       resource.Kind = "emaildomain"
	emailroute        resource.Kind = "emailroute"
	site              resource.Kind = "site"
	edgegroup         resource.Kind = "edgegroup"
	script            resource.Kind = "script"
	contactlistfilter resource.Kind = "contactlistfilter"
	callanalysisset   resource.Kind = "callanalysisresponseset"
	supportedcontent  resource.Kind = "supportedcontent"
	knowledgebase     resource.Kind = "knowledgebase"
	utilizationlabel  resource.Kind = "utilizationlabel"
)

// settle is how long the platform may show what was there before a write: a queue that was deleted comes back out of
// a cache for about a minute (MyPureCloud/terraform-provider-genesyscloud, routing_queue).
const settle = 60 * time.Second

// perMinute is how many requests the platform permits one token of client credentials in a minute, as its community has it. What it
// really is, the engine learns from refusals.
const perMinute = 300

// The pages of the platform: by number up to a size, or by a cursor in nextUri.
var (
	pages  = rest.Paging{Style: rest.ByNumber, Entities: "entities", PageParam: "pageNumber", SizeParam: "pageSize", Size: 100, Pages: "pageCount", Total: "total"}
	cursor = rest.Paging{Style: rest.ByCursor, Entities: "entities", CursorParam: "after", Next: "nextUri", SizeParam: "pageSize", Size: 100}
	// Members are listed by number, and the answer does not tell how many there are.
	memberPages = rest.Paging{Style: rest.ByNumber, Entities: "entities", PageParam: "pageNumber", SizeParam: "pageSize", Size: 100}
)

// large returns the paging of a listing that gives more than 100 a page (the sizes are those of MyPureCloud/terraform-provider-genesyscloud).
func large(size int) *rest.Paging {
	p := pages
	p.Size = size
	return &p
}

// deleted are objects that are listed though they are deleted.
var deleted = []rest.Match{{Path: "state", Values: []string{"deleted", "DELETED"}}}

// platform is the table. The hooks need more than the client: where a presigned address leads is asked without the token.
func platform(h hooks) rest.Platform {
	return rest.Platform{
		Name:   "genesyscloud",
		Tenant: rest.Tenant{Path: "/api/v2/organizations/me", Field: "id"},
		Paging: pages,
		Volatile: []string{
			"id", "selfUri", "version", "dateCreated", "dateModified", "createdBy", "modifiedBy", "createdByApp", "modifiedByApp",
		},
		Errors: rest.Errors{
			Message:   "message",
			Conflict:  []string{"does not match the current version", "version mismatch"},
			Throttled: []string{"rate limit exceeded"},
		},
		Rate:  rest.Rate{PerMinute: perMinute, Concurrency: 4},
		Kinds: rows(h),
	}
}

// rows are the kinds, those that are referred to first, as far as there is such an order: queues and flows refer to each other.
func rows(h hooks) []rest.Kind {
	var out []rest.Kind
	for _, area := range [][]rest.Kind{
		referenceKinds(), basicKinds(), peopleKinds(h), responseKinds(), scheduleKinds(), integrationKinds(h), promptKinds(h),
		routingKinds(), flowKinds(h), outboundKinds(), webKinds(h), qualityKinds(h),
	} {
		out = append(out, area...)
	}
	for i := range out {
		if out[i].When == "" && !out[i].Verbatim {
			out[i].When = "dateModified"
		}
		if !out[i].ReferenceOnly {
			out[i].Settle = settle
		}
	}
	return out
}

// referenceKinds are looked up by name and never managed.
func referenceKinds() []rest.Kind {
	scripts := reference(script, "/api/v2/scripts")
	scripts.Listings[0].Paging = large(500)
	knowledge := reference(knowledgebase, "/api/v2/knowledge/knowledgebases")
	knowledge.Listings[0].Paging = &cursor
	domain := reference(emaildomain, "/api/v2/routing/email/domains")
	domain.Name.Fields = []string{"id"}
	route := reference(emailroute, "/api/v2/routing/email/domains/{parent}/routes")
	route.Parent, route.Get = rest.Parent{Kind: emaildomain, Field: "domain"}, rest.Operation{} // what refers to it does not name its domain in every place
	route.Name.Fields = []string{"domain", "pattern"}
	return []rest.Kind{
		domain, route,
		reference(site, "/api/v2/telephony/providers/edges/sites"),
		reference(edgegroup, "/api/v2/telephony/providers/edges/edgegroups"),
		scripts,
		reference(credential, "/api/v2/integrations/credentials"),
		reference(callanalysisset, "/api/v2/outbound/callanalysisresponsesets"),
		reference(contactlistfilter, "/api/v2/outbound/contactlistfilters"),
		reference(supportedcontent, "/api/v2/conversations/messaging/supportedcontent"),
		knowledge,
		reference(utilizationlabel, "/api/v2/routing/utilization/labels"),
	}
}
