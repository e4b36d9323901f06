package simulator

// peopleKinds are people, what they may do, and where they are.
func peopleKinds() []row {
	return []row{
		{
			name: "division", entity: "Division", service: "PeoplePermissions", path: "/api/v2/authorization/divisions", permission: "authorization:division",
			update: "PUT", required: "name", computed: "homeDivision=home objectCounts=none",
		},
		{
			name: "role", entity: "Role", service: "PeoplePermissions", path: "/api/v2/authorization/roles", permission: "authorization:role",
			update: "PUT PATCH", required: "name", immutable: "defaultRoleId", computed: "userCount=0 unusedPermissions=none roleNeedsUpdate=false dateLicenseLastUpdated=none default=default base=false",
			defaults: `{"permissions": [], "permissionPolicies": []}`,
		},
		{
			name: "user", entity: "User", service: "PeoplePermissions", path: "/api/v2/users", permission: "directory:user",
			max: 500, update: "PATCH", guard: 409, required: "name email division", alias: "divisionId=division manager=manager", unique: "email", soft: true,
			computed: "version=version username=email skills=none languages=none authorization=none presence=none routingStatus=none station=none geolocation=none conversationSummary=none outOfOffice=none dateLastLogin=none lastTokenIssued=none groups=none team=none locations=none primaryContactInfo=none profileSkills=none workPlanBidRanks=none integrationPresence=none languagePreference=none dateWelcomeSent=none biography=none employerInfo=none",
			ignored:  "password", defaults: `{"state": "active", "acdAutoAnswer": false}`, refs: "division=division manager=user", cascades: true,
		},
		{
			name: "group", entity: "Group", service: "Groups", path: "/api/v2/groups", permission: "directory:group",
			max: 500, update: "PUT", guard: 409, required: "name type rulesVisible visibility", immutable: "type",
			computed: "version=version dateModified=modified memberCount=#members state=state",
			defaults: `{"rulesVisible": true, "visibility": "public", "rolesEnabled": false, "includeOwners": true, "callsEnabled": false}`,
			alias:    "ownerIds=owners", refs: "owners.[]=user", cascades: true,
		},
		{
			name: "team", entity: "Team", service: "Groups", path: "/api/v2/teams", permission: "groups:team",
			paging: byCursor, update: "PATCH", required: "name", computed: "dateCreated=created dateModified=modified memberCount=#members",
			refs: "division=division", cascades: true,
		},
		{
			name: "location", entity: "Location", service: "Directory", path: "/api/v2/locations", permission: "directory:location",
			update: "PATCH", guard: 409, required: "name", alias: "contactUser=contactUser", unique: "path name", computed: "version=version addressVerified=false addressStored=false profileImage=none floorplanImage=none addressVerificationDetails=none",
			defaults: `{"state": "active", "path": []}`, refs: "contactUser=user path.[]=location",
		},
	}
}
