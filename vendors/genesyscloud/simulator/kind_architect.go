package simulator

// configured is what Architect and telephony keep of every object.
const configured = "version=version dateCreated=created dateModified=modified createdBy=by modifiedBy=lastBy createdByApp=app modifiedByApp=lastApp state=state"

// architectKinds are what happens to a call before a person answers.
func architectKinds() []row {
	return []row{
		{
			name: "schedule", entity: "Schedule", service: "Architect", path: "/api/v2/architect/schedules", permission: "routing:schedule",
			update: "PUT", guard: 409, required: "name start end", computed: configured, refs: "division=division", check: checkSchedule,
		},
		{
			name: "schedulegroup", entity: "ScheduleGroup", service: "Architect", path: "/api/v2/architect/schedulegroups", permission: "routing:scheduleGroup",
			update: "PUT", guard: 409, required: "name", computed: configured, check: checkScheduleGroup,
			refs: "division=division openSchedules.[]=schedule closedSchedules.[]=schedule holidaySchedules.[]=schedule",
		},
		{
			name: "ivr", entity: "IVRConfig", service: "Architect", path: "/api/v2/architect/ivrs", permission: "routing:callRoute",
			update: "PUT", guard: 409, required: "name", computed: configured,
			refs: "division=division openHoursFlow=flow closedHoursFlow=flow holidayHoursFlow=flow scheduleGroup=schedulegroup",
		},
		{
			name: "emergencygroup", entity: "EmergencyGroup", service: "Architect", path: "/api/v2/architect/emergencygroups", permission: "routing:emergencyGroup",
			update: "PUT", guard: 409, required: "name", computed: configured, defaults: `{"enabled": false}`,
			refs: "division=division emergencyCallFlows.[].emergencyFlow=flow emergencyCallFlows.[].ivrs.[]=ivr",
		},
		{
			name: "prompt", entity: "Prompt", service: "Architect", path: "/api/v2/architect/prompts", permission: "architect:userPrompt",
			update: "PUT", required: "name", immutable: "name", computed: "resources=none currentOperation=none", brief: "resources?resources",
			refs: "division=division", check: checkPrompt,
		},
		{
			name: "datatable", entity: "DataTable", service: "Architect", path: "/api/v2/flows/datatables", permission: "architect:datatable",
			update: "PUT", required: "name schema", brief: "schema?schema", refs: "division=division", check: checkDataTable,
		},
		{
			name: "flow", entity: "Flow", service: "Architect", path: "/api/v2/flows", permission: "architect:flow",
			max: 500, update: "PUT", required: "name type", immutable: "type", unique: "type name",
			computed: "active=true system=false deleted=false lockedUser=none lockedClient=none publishedVersion=none savedVersion=none checkedInVersion=none debugVersion=none publishedBy=none currentOperation=none nluInfo=none supportedLanguages=none compatibleFlowTypes=none inputSchema=none outputSchema=none",
			refs:     "division=division",
		},
		{
			name: "flowoutcome", entity: "FlowOutcome", service: "Architect", path: "/api/v2/flows/outcomes", permission: "architect:flowOutcome",
			update: "PUT", noDelete: true, required: "name", computed: "currentOperation=none", refs: "division=division",
		},
		{
			name: "flowmilestone", entity: "FlowMilestone", service: "Architect", path: "/api/v2/flows/milestones", permission: "architect:flowMilestone",
			update: "PUT", required: "name", refs: "division=division",
		},
	}
}
