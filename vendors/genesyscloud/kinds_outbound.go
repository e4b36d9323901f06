package genesyscloud

import "github.com/driftback/driftback/vendors/rest"

// outboundKinds are what calls people.
func outboundKinds() []rest.Kind {
	limits := versioned(crud(rest.Kind{Kind: attemptlimit}, "/api/v2/outbound/attemptlimits", "PUT"))

	lists := versioned(crud(rest.Kind{
		Kind: contactlist,
		Fields: all(
			ref("division", division), ref("attemptLimits", attemptlimit), immutable("columnNames"), volatile("importStatus", "size"),
			keyed("phoneColumns", "columnName"), keyed("emailColumns", "columnName"), keyed("whatsAppColumns", "columnName"),
			keyed("columnDataTypeSpecifications", "columnName"), set("previewModeAcceptedValues"),
			none("phoneColumns", "emailColumns", "whatsAppColumns", "columnDataTypeSpecifications", "previewModeAcceptedValues"),
			off("automaticTimeZoneMapping", "trimWhitespace"), volatile("dateExpiration"),
		),
	}, "/api/v2/outbound/contactlists", "PUT"))

	// loginId and licenseId are a provider's credentials.
	dnc := versioned(crud(rest.Kind{
		Kind: dnclist,
		Fields: all(
			ref("division", division), immutable("dncSourceType"), volatile("importStatus", "size"), set("dncCodes"), none("dncCodes"),
			secret("loginId", "licenseId"), local("campaignId"),
		),
	}, "/api/v2/outbound/dnclists", "PUT"))
	dnc.Update.Echo = []string{"loginId", "licenseId"}

	rules := versioned(crud(rest.Kind{
		Kind: ruleset,
		Fields: all(
			ref("contactList", contactlist), ref("queue", queue), none("rules"), volatile("rules[].id"),
			ref("rules[].conditions[].dataAction", dataaction), ids("rules[].conditions[].codes", wrapupcode),
			ref("rules[].actions[].dataAction", dataaction), none("rules[].conditions[].codes", "rules[].actions"),
			texts("rules[].actions[].properties.skills"), ids("rules[].actions[].properties.skills", skill), // a list in a text
		),
	}, "/api/v2/outbound/rulesets", "PUT"))
	rules.Create.Requires, rules.Update.Requires = []string{"rules"}, []string{"rules"}

	times := versioned(crud(rest.Kind{
		Kind:   callabletimeset,
		Fields: keyed("callableTimes", "timeZoneId"),
	}, "/api/v2/outbound/callabletimesets", "PUT"))

	// Whether a campaign is dialling now is the operators' business.
	campaigns := versioned(crud(rest.Kind{
		Kind: campaign,
		Fields: all(
			ref("division", division), ref("contactList", contactlist), ref("queue", queue), with(ref("script", script), mine),
			with(ref("edgeGroup", edgegroup), mine), with(ref("site", site), mine), operational("campaignStatus"),
			refs("dncLists", dnclist), ref("callableTimeSet", callabletimeset), ref("callAnalysisResponseSet", callanalysisset),
			ref("ruleSets[]", ruleset), refs("contactListFilters", contactlistfilter), volatile("errors"), local("callerAddress", "callerName"),
			none("dncLists", "ruleSets", "contactListFilters", "skillColumns", "contactSorts"), off("alwaysRunning", "skipPreviewDisabled"),
		),
	}, "/api/v2/outbound/campaigns", "PUT"))
	return []rest.Kind{limits, lists, dnc, rules, times, campaigns}
}

// secret is never read, and written from the operator's configuration.
func secret(paths ...string) fields {
	return each(paths, func(f *rest.Field) { f.Secret = true })
}
