package genesyscloud

import (
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// promptKinds are what callers hear, and the tables that flows look things up in.
func promptKinds(h hooks) []rest.Kind {
	// A prompt's texts are configuration. Its recordings are named by their length and not stored: they are uploaded by people.
	prompts := crud(rest.Kind{
		Kind: prompt, Name: rest.Name{Fixed: true},
		Listings: []rest.Listing{{
			Path: "/api/v2/architect/prompts", Query: map[string]string{"includeResources": "true", "includeMediaUris": "true"},
		}},
		Fields: all(
			with(ref("division", division), func(f *rest.Field) { f.Literals = []string{"*"} }), empty("description"), volatile("currentOperation"),
			keyed("resources", "language"), none("resources"), empty("resources[].text", "resources[].ttsString"), operational("resources[].audio"),
			local("resources[].audio"),
			volatile(
				"resources[].id", "resources[].name", "resources[].promptId", "resources[].mediaUri", "resources[].audioFormat", "resources[].uploadStatus",
				"resources[].uploadUri", "resources[].languageDefault", "resources[].durationSeconds", "resources[].selfUri",
			),
		),
		Hooks: rest.Hooks{Read: readPrompt, Create: createPrompt, Update: updatePrompt},
	}, "/api/v2/architect/prompts", "PUT")
	prompts.Get.Query = map[string]string{"includeResources": "true", "includeMediaUris": "true"}
	prompts.Delete.Query = map[string]string{"allResources": "true"}

	tables := crud(rest.Kind{
		Kind:     datatable,
		Listings: []rest.Listing{{Path: "/api/v2/flows/datatables", Query: map[string]string{"expand": "schema"}}},
		Fields:   all(ref("division", division), empty("description"), set("schema.required"), volatile("schema.id")),
	}, "/api/v2/flows/datatables", "PUT")
	tables.Get.Query = map[string]string{"expand": "schema"}
	tables.Update.Query = map[string]string{"expand": "schema"}

	// Rows are data as often as configuration, and many: opt-in.
	rowsOf := "/api/v2/flows/datatables/{parent}/rows"
	tableRows := crud(rest.Kind{
		Kind: datatablerow, OptIn: true, ID: "key", Verbatim: true, // columns may be called id or version
		Parent:   rest.Parent{Kind: datatable, Field: "datatable"},
		Listings: []rest.Listing{{Path: rowsOf, Query: map[string]string{"showbrief": "false"}}},
		Name:     rest.Name{Fields: []string{"datatable", "key"}, Fixed: true},
		Fields:   all(ref("datatable", datatable), immutable("datatable")),
	}, rowsOf, "PUT")
	tableRows.Get.Query = map[string]string{"showbrief": "false"}
	return []rest.Kind{prompts, tables, tableRows}
}

// flowKinds are the call flows, what they count, and what leads to them.
func flowKinds(h hooks) []rest.Kind {
	// A flow's content is exported and published by jobs. What was never saved is a stub that another flow's publication left
	// behind, and not there yet.
	flows := crud(rest.Kind{
		Kind: flow, When: "publishedVersion.datePublished", Detail: true, Moved: []string{"savedVersion", "publishedVersion", "checkedInVersion"},
		Listings: []rest.Listing{{Path: "/api/v2/flows", Query: map[string]string{"deleted": "false"}, Paging: large(500)}},
		Gone: []rest.Match{
			{Path: "deleted", Values: []string{"true"}}, {Path: "system", Values: []string{"true"}}, {Path: "savedVersion.id", Values: []string{""}},
		},
		Name: rest.Name{Fields: []string{"type", "name"}},
		Fields: all(
			ref("division", division), empty("description"),
			volatile(
				"lockedUser", "lockedClient", "active", "system", "deleted", "debugVersion", "publishedBy", "currentOperation", "nluInfo",
				"supportedLanguages", "compatibleFlowTypes", "inputSchema", "outputSchema", "worktypeId", "virtualAgentEnabled",
				"savedVersion", "publishedVersion", "checkedInVersion",
			),
		),
		Names: slices.Compact(slices.Sorted(maps.Values(flowNames))), Mentions: flowTexts{}, Derived: []string{"content"},
		Hooks: rest.Hooks{Read: h.readFlow, Create: h.createFlow, Update: h.updateFlow},
	}, "/api/v2/flows", "PUT")

	outcomes := crud(rest.Kind{
		Kind:   flowoutcome,
		Fields: all(ref("division", division), empty("description"), volatile("currentOperation")),
		Hooks:  rest.Hooks{Read: readOutcome},
	}, "/api/v2/flows/outcomes", "PUT")
	outcomes.Delete = rest.Operation{} // the platform has none

	milestones := crud(rest.Kind{
		Kind:   flowmilestone,
		Fields: all(ref("division", division), empty("description")),
	}, "/api/v2/flows/milestones", "PUT")

	ivrs := versioned(crud(rest.Kind{
		Kind: ivr, Gone: deleted,
		Fields: all(
			ref("division", division), volatile("state"), empty("description"), set("dnis"), none("dnis"), local("dnis"),
			ref("openHoursFlow", flow), ref("closedHoursFlow", flow), ref("holidayHoursFlow", flow), ref("scheduleGroup", schedulegroup),
		),
	}, "/api/v2/architect/ivrs", "PUT"))

	emergency := versioned(crud(rest.Kind{
		Kind: emergencygroup, Gone: deleted,
		Fields: all(
			ref("division", division), volatile("state"), empty("description"), operational("enabled"), off("enabled"),
			set("emergencyCallFlows"), none("emergencyCallFlows"), ref("emergencyCallFlows[].emergencyFlow", flow),
			refs("emergencyCallFlows[].ivrs", ivr),
		),
	}, "/api/v2/architect/emergencygroups", "PUT"))
	return []rest.Kind{flows, outcomes, milestones, ivrs, emergency}
}

// integrationKinds are what connects the platform with others.
func integrationKinds(h hooks) []rest.Kind {
	// An integration's configuration is a document of its own; its credentials are named, and kept by people.
	integrations := crud(rest.Kind{
		Kind: integration,
		Fields: all(
			operational("intendedState"), volatile("config", "reportedState", "attributes", "notes"), immutable("integrationType"),
			volatile(everythingOf("integrationType")...),
			ref("configuration.credentials.*", credential), volatile("configuration.id", "configuration.name", "configuration.version", "configuration.selfUri"),
			local("configuration.credentials"), empty("configuration.notes"),
		),
		Parts: []rest.Part{{
			Field: "configuration", Guard: rest.Guard{Body: "version"},
			Get: &rest.Operation{Method: "GET", Path: "/api/v2/integrations/{id}/config/current"},
			Put: rest.Operation{Method: "PUT", Path: "/api/v2/integrations/{id}/config/current", Echo: []string{"name"}},
		}},
		Hooks: rest.Hooks{Create: h.createIntegration, Update: updateIntegration},
	}, "/api/v2/integrations", "PATCH")
	integrations.Create.Only = []string{"name", "integrationType"}
	integrations.Update.Only = []string{"name", "intendedState"}

	// A data action that is changed gets a draft, which is then published.
	actions := versioned(crud(rest.Kind{
		Kind: dataaction, Detail: true, Moved: []string{"version"},
		Listings: []rest.Listing{{Path: "/api/v2/integrations/actions", Query: map[string]string{"includeAuthActions": "false"}}},
		Name:     rest.Name{Fields: []string{"category", "name"}},
		Gone:     []rest.Match{{Path: "id", Prefixes: []string{"static"}}}, // the platform's own
		Fields: all(
			id("integrationId", integration), immutable("integrationId", "secure"), off("secure"),
			set("contract.input.inputSchema.required", "contract.output.successSchema.required"),
			volatile(
				"contract.input.inputSchemaFlattened", "contract.input.inputSchemaUri", "contract.output.successSchemaUri", "contract.output.errorSchema",
				"contract.output.errorSchemaUri", "contract.input.inputSchema.id", "contract.output.successSchema.id", "contract.output.successSchemaFlattened", "contract.output.errorSchemaFlattened",
				"config.request.requestTemplateUri", "config.response.successTemplateUri",
			),
			local("config.request.requestUrlTemplate"), empty("config.request.requestTemplate", "config.response.successTemplate"),
		),
		Derived: []string{"config"}, // pieces of it are read apart
		Hooks:   rest.Hooks{Read: readAction, Update: updateAction},
	}, "/api/v2/integrations/actions", "PATCH"))
	actions.Get.Query = map[string]string{"expand": "contract", "includeConfig": "true"}
	return []rest.Kind{integrations, actions}
}

// everythingOf an integration's type is the platform's, but its id, which is the same everywhere.
func everythingOf(at string) []string {
	var out []string
	for _, f := range []string{
		"name", "description", "provider", "category", "images", "configPropertiesSchemaUri", "configAdvancedSchemaUri", "helpUri", "termsOfServiceUri",
		"vendorName", "vendorWebsiteUri", "marketplaceUri", "faqUri", "privacyPolicyUri", "supportContactUri", "salesContactUri", "helpLinks", "credentials",
		"nonInstallable", "maxInstances", "userPermissions", "vendorOAuthClientIds", "selfUri",
	} {
		out = append(out, at+"."+f)
	}
	return out
}

// number is a canonical number.
func number(s string) any {
	v, err := resource.CanonicalNumber(s)
	if err != nil {
		panic("genesyscloud: " + err.Error()) // a constant of this package
	}
	return v
}
