package genesyscloud

import "github.com/driftback/driftback/vendors/rest"

// basicKinds are those that nearly everything refers to.
func basicKinds() []rest.Kind {
	divisions := crud(rest.Kind{
		Kind:   division,
		Fields: all(volatile("homeDivision", "objectCounts"), empty("description")),
	}, "/api/v2/authorization/divisions", "PUT")
	divisions.Create.Requires, divisions.Update.Requires = []string{"description"}, []string{"description"}

	// A skill has its name for ever: what can be changed is its division (the body of the update has nothing else).
	skills := crud(rest.Kind{
		Kind:   skill,
		Find:   byItsName("/api/v2/routing/skills"), // those that begin so
		Gone:   deleted,
		Name:   rest.Name{Fixed: true},
		Fields: all(with(ref("division", division), sentAs("divisionId")), volatile("state")),
	}, "/api/v2/routing/skills", "PATCH")
	skills.Listings[0].Paging, skills.Find.Paging = large(500), large(500)
	skills.Update.Only = []string{"divisionId"}
	skills.Create.Only = []string{"name", "divisionId"}

	languages := crud(rest.Kind{
		Kind:   language,
		Gone:   deleted,
		Name:   rest.Name{Fixed: true},
		Fields: volatile("state"),
	}, "/api/v2/routing/languages", "")
	languages.Update = rest.Operation{}

	wrapupcodes := crud(rest.Kind{
		Kind:   wrapupcode,
		Find:   byItsName("/api/v2/routing/wrapupcodes"),
		Fields: all(with(ref("division", division), func(f *rest.Field) { f.Literals = []string{"*"} }), empty("description")),
	}, "/api/v2/routing/wrapupcodes", "PUT")
	return []rest.Kind{divisions, skills, languages, wrapupcodes}
}

// byItsName is a listing that the platform narrows down by the name. A name that means more there finds more.
func byItsName(path string) *rest.Listing {
	return &rest.Listing{Path: path, Query: map[string]string{"name": "{name}"}}
}

// sentAs says that a reference at the top is sent as a plain id under another name.
func sentAs(name string) func(*rest.Field) {
	return func(f *rest.Field) {
		f.Create, f.Update = rest.Sent{As: name, Form: rest.ID}, rest.Sent{As: name, Form: rest.ID}
	}
}

// scheduleKinds are times.
func scheduleKinds() []rest.Kind {
	schedules := versioned(crud(rest.Kind{
		Kind: schedule, Gone: deleted,
		Fields: all(ref("division", division), volatile("state"), empty("description", "rrule")),
	}, "/api/v2/architect/schedules", "PUT"))
	groups := versioned(crud(rest.Kind{
		Kind: schedulegroup, Gone: deleted,
		Fields: all(
			ref("division", division), volatile("state"), empty("description"),
			refs("openSchedules", schedule), refs("closedSchedules", schedule), refs("holidaySchedules", schedule),
			none("openSchedules", "closedSchedules", "holidaySchedules"),
		),
	}, "/api/v2/architect/schedulegroups", "PUT"))
	return []rest.Kind{schedules, groups}
}

// responseKinds are texts that agents send.
func responseKinds() []rest.Kind {
	libraries := versioned(crud(rest.Kind{
		Kind:   responselibrary,
		Fields: all(ref("division", division), immutable("responseType")),
	}, "/api/v2/responsemanagement/libraries", "PUT"))
	// A response is listed under each library that it is in, and is named after the first of them.
	responses := versioned(crud(rest.Kind{
		Kind:     response,
		Listings: []rest.Listing{{Path: "/api/v2/responsemanagement/responses", Query: map[string]string{"libraryId": "{parent}"}}},
		Name:     rest.Name{Fields: []string{"libraries", "name"}},
		Parent:   rest.Parent{Kind: responselibrary},
		Fields: all(
			refs("libraries", responselibrary), keyed("substitutions", "id"), none("substitutions", "assets"),
			volatile("assets[].selfUri", "assets[].contentLocation", "substitutionsSchema.id"),
		),
	}, "/api/v2/responsemanagement/responses", "PUT"))
	return []rest.Kind{libraries, responses}
}
