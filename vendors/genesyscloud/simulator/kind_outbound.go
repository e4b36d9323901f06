package simulator

// dialed is what outbound dialing keeps of every object.
const dialed = "version=version dateCreated=created dateModified=modified"

// outboundKinds are what is needed to call people.
func outboundKinds() []row {
	return []row{
		{
			name: "attemptlimits", entity: "AttemptLimits", service: "Outbound", path: "/api/v2/outbound/attemptlimits", permission: "outbound:attemptLimits",
			update: "PUT", guard: 400, required: "name", computed: dialed,
		},
		{
			name: "contactlist", entity: "ContactList", service: "Outbound", path: "/api/v2/outbound/contactlists", permission: "outbound:contactList",
			update: "PUT", guard: 400, required: "name columnNames", immutable: "columnNames", computed: dialed + " importStatus=none size=0",
			defaults: `{"phoneColumns": [], "automaticTimeZoneMapping": false, "trimWhitespace": false}`, refs: "division=division attemptLimits=attemptlimits",
		},
		{
			name: "dnclist", entity: "DNCList", service: "Outbound", path: "/api/v2/outbound/dnclists", permission: "outbound:dncList",
			update: "PUT", guard: 400, required: "name dncSourceType", immutable: "dncSourceType", computed: dialed + " importStatus=none size=0", refs: "division=division",
		},
		{
			name: "callabletimeset", entity: "CallableTimeSet", service: "Outbound", path: "/api/v2/outbound/callabletimesets", permission: "outbound:callableTimeSet",
			update: "PUT", guard: 400, required: "name callableTimes", computed: dialed, check: checkCallableTimes,
		},
		{
			name: "ruleset", entity: "RuleSet", service: "Outbound", path: "/api/v2/outbound/rulesets", permission: "outbound:ruleSet",
			update: "PUT", guard: 400, required: "name rules", computed: dialed,
			refs: "contactList=contactlist queue=queue rules.[].conditions.[].dataAction=dataaction rules.[].conditions.[].codes.[]=wrapupcode rules.[].actions.[].dataAction=dataaction",
		},
		{
			name: "campaign", entity: "Campaign", service: "Outbound", path: "/api/v2/outbound/campaigns", permission: "outbound:campaign",
			update: "PUT PATCH", guard: 400, required: "name contactList dialingMode phoneColumns callerName callerAddress", computed: dialed + " errors=none",
			defaults: `{"campaignStatus": "off", "skipPreviewDisabled": false, "previewTimeOutSeconds": 0, "alwaysRunning": false, "noAnswerTimeout": 30, "priority": 5, "dncLists": [], "ruleSets": [], "contactListFilters": []}`,
			refs:     "division=division contactList=contactlist queue=queue dncLists.[]=dnclist callableTimeSet=callabletimeset ruleSets.[]=ruleset", check: checkCampaign,
		},
	}
}
