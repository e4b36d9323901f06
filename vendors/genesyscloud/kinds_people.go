package genesyscloud

import "github.com/driftback/driftback/vendors/rest"

// peopleKinds are users, where they belong and what they may do.
func peopleKinds(h hooks) []rest.Kind {
	locations := versioned(crud(rest.Kind{
		Kind: location, Gone: deleted,
		Fields: all(
			id("path[]", location), none("path"), with(ref("contactUser", user), sentAs("contactUser")), empty("notes"), local("emergencyNumber"),
			volatile("state", "addressVerified", "addressStored", "addressVerificationDetails", "images", "profileImage", "floorplanImage"),
		),
	}, "/api/v2/locations", "PATCH"))
	locations.Update.Requires = []string{"name"}

	// A creation drops the description (MyPureCloud/terraform-provider-genesyscloud, group).
	groups := versioned(crud(rest.Kind{
		Kind: group, Gone: deleted, Later: []string{"description"},
		Fields: all(
			immutable("type"), with(refs("owners", user), ownerIDs), none("owners"), empty("description"),
			volatile("memberCount", "state", "images", "email"), keyed("addresses", "type"), none("addresses"), local("addresses"),
		),
		Moved: []string{"memberCount"},
	}, "/api/v2/groups", "PUT"))
	groups.Listings[0].Paging = large(500)

	teams := crud(rest.Kind{
		Kind:   team,
		Fields: all(ref("division", division), volatile("memberCount"), empty("description")),
	}, "/api/v2/teams", "PATCH")
	teams.Listings[0].Paging, teams.Update.Requires = &cursor, []string{"name"}

	return []rest.Kind{users(h), locations, groups, teams, roles()}
}

// ownerIDs: owners are read as users and written as their ids.
func ownerIDs(f *rest.Field) {
	if f.Path == "owners" {
		f.Create, f.Update = rest.Sent{As: "ownerIds", Form: rest.ID}, rest.Sent{As: "ownerIds", Form: rest.ID}
	}
}

// users are looked up by e-mail, and managed only where the configuration says so: they come from a directory as a rule.
func users(h hooks) rest.Kind {
	k := versioned(crud(rest.Kind{
		Kind: user, OptIn: true, Gone: deleted,
		Listings: []rest.Listing{{Path: "/api/v2/users", Query: map[string]string{"state": "any"}, Paging: large(500)}},
		Name:     rest.Name{Fields: []string{"email"}},
		Fields: all(
			with(ref("division", division), func(f *rest.Field) {
				f.Create, f.Update, f.Immutable = rest.Sent{As: "divisionId", Form: rest.ID}, rest.Sent{Omit: true}, true
			}),
			with(ref("manager", user), func(f *rest.Field) {
				f.Create, f.Update = rest.Sent{Omit: true}, rest.Sent{As: "manager", Form: rest.ID}
			}),
			set("profileSkills", "certifications"), none("profileSkills", "certifications", "addresses", "skills", "languages", "roles"), off("acdAutoAnswer"),
			operational("state"),
			volatile(
				"chat", "username", "primaryContactInfo", "images", "biography", "employerInfo", "preferredName", "routingStatus", "presence",
				"integrationPresence", "conversationSummary", "outOfOffice", "geolocation", "station", "authorization", "locations", "groups", "team",
				"workPlanBidRanks", "languagePreference", "lastTokenIssued", "dateLastLogin", "dateWelcomeSent",
			),
			keyed("skills", "id"), id("skills[].id", skill), volatile("skills[].name", "skills[].state", "skills[].skillUri", "skills[].selfUri"),
			keyed("languages", "id"), id("languages[].id", language),
			volatile("languages[].name", "languages[].state", "languages[].languageUri", "languages[].selfUri"),
			ids("roles", role),
		),
		Parts: []rest.Part{
			{
				// Replacing all of them at once would be one request, and takes no more than fifty.
				Field: "skills", OptIn: true, Item: "id", List: &rest.Listing{Path: "/api/v2/users/{id}/routingskills"}, Chunk: 50,
				Add:    rest.Operation{Method: "PATCH", Path: "/api/v2/users/{id}/routingskills/bulk"},
				Change: rest.Operation{Method: "PATCH", Path: "/api/v2/users/{id}/routingskills/bulk"},
				Remove: rest.Operation{Method: "DELETE", Path: "/api/v2/users/{id}/routingskills/{item}"},
			},
			{
				Field: "languages", OptIn: true, Item: "id", List: &rest.Listing{Path: "/api/v2/users/{id}/routinglanguages"}, Chunk: 50,
				Add:    rest.Operation{Method: "PATCH", Path: "/api/v2/users/{id}/routinglanguages/bulk"},
				Change: rest.Operation{Method: "PATCH", Path: "/api/v2/users/{id}/routinglanguages/bulk"},
				Remove: rest.Operation{Method: "DELETE", Path: "/api/v2/users/{id}/routinglanguages/{item}"},
			},
			{
				Field: "roles", OptIn: true, Item: "id", Bare: true,
				List: &rest.Listing{Path: "/api/v2/users/{id}/roles", Paging: &rest.Paging{Style: rest.OnePage, Entities: "roles"}},
				Put:  rest.Operation{Method: "PUT", Path: "/api/v2/users/{id}/roles"},
			},
		},
		Hooks: rest.Hooks{Restore: h.restoreUser},
	}, "/api/v2/users", "PATCH"))
	k.Create.Only = []string{"name", "email", "department", "addresses", "title", "divisionId", "state"}
	return k
}

// roles: those that the platform brings along are named like the others; what they are made from cannot be changed.
func roles() rest.Kind {
	fs := all(
		immutable("defaultRoleId"), set("permissions"), empty("description", "defaultRoleId"), none("permissions", "permissionPolicies"),
		set("permissionPolicies", "permissionPolicies[].actionSet", "permissionPolicies[].namedResources"), none("permissionPolicies[].namedResources"),
		off("permissionPolicies[].allowConditions"),
		volatile(
			"unusedPermissions", "userCount", "roleNeedsUpdate", "baseLicense", "addonLicenses", "dateLicenseLastUpdated", "default", "base",
			"permissionPolicies[].policyName", "permissionPolicies[].policyDescription",
		),
	)
	// Conditions nest; three levels are more than the platform's own page can make.
	node := "permissionPolicies[].resourceConditionNode"
	for range 3 {
		fs = append(fs, all(
			ref(node+".operands[].user", user), ref(node+".operands[].queue", queue), ref(node+".operands[].team", team),
		)...)
		node += ".terms[]"
	}
	k := crud(rest.Kind{Kind: role, Fields: fs}, "/api/v2/authorization/roles", "PUT")
	k.Update.Only = []string{"name", "description", "permissions", "permissionPolicies"}
	return k
}
