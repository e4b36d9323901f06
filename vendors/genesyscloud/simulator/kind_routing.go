package simulator

// routingKinds are who can be routed to, and by what.
func routingKinds() []row {
	return []row{
		{
			name: "queue", entity: "Queue", service: "ContactCenter", path: "/api/v2/routing/queues", permission: "routing:queue",
			max: 500, update: "PUT", required: "name",
			defaults: `{
				"mediaSettings": {
					"call": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 8, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}},
					"callback": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 30, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}},
					"chat": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 30, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}},
					"email": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 300, "serviceLevel": {"percentage": 0.8, "durationMs": 86400000}},
					"message": {"enableAutoAnswer": false, "alertingTimeoutSeconds": 30, "serviceLevel": {"percentage": 0.8, "durationMs": 20000}}
				},
				"acwSettings": {"wrapupPrompt": "MANDATORY_TIMEOUT", "timeoutMs": 300000},
				"scoringMethod": "TimestampAndPriority", "skillEvaluationMethod": "ALL", "autoAnswerOnly": true,
				"enableTranscription": false, "enableAudioMonitoring": false, "enableManualAssignment": false,
				"suppressInQueueCallRecording": true
			}`,
			computed: "dateCreated=created dateModified=modified createdBy=by modifiedBy=lastBy memberCount=#members userMemberCount=#members joinedMemberCount=#members",
			ignored:  "sourceQueueId",
			refs: "division=division queueFlow=flow emailInQueueFlow=flow messageInQueueFlow=flow whisperPrompt=prompt onHoldPrompt=prompt memberGroups.[]=@type " +
				"bullseye.rings.[].actions.skillsToRemove.[]=skill bullseye.rings.[].memberGroups.[]=@type conditionalGroupRouting.rules.[].queue=queue " +
				"conditionalGroupRouting.rules.[].groups.[]=@type cannedResponseLibraries.libraryIds.[]=responselibrary directRouting.backupQueueId=queue",
			check: checkQueue,
		},
		{
			name: "skill", entity: "Skill", service: "Routing", path: "/api/v2/routing/skills", permission: "routing:skill",
			max: 500, update: "PATCH", required: "name", immutable: "name", computed: "dateModified=modified state=state version=versionText",
			alias: "divisionId=division", refs: "division=division", cascades: true,
		},
		{
			name: "skillgroup", entity: "SkillGroup", service: "Routing", path: "/api/v2/routing/skillgroups", permission: "routing:skillGroup",
			paging: byCursor, update: "PATCH", required: "name skillConditions",
			computed: "dateCreated=created dateModified=modified memberCount=0 status=complete", brief: "skillConditions status memberDivisions",
			refs: "division=division memberDivisions.[]=division", cascades: true,
		},
		{
			name: "language", entity: "Language", service: "Routing", path: "/api/v2/routing/languages", permission: "routing:language",
			required: "name", computed: "dateModified=modified state=state version=versionText", cascades: true,
		},
		{
			name: "wrapupcode", entity: "WrapupCode", service: "Routing", path: "/api/v2/routing/wrapupcodes", permission: "routing:wrapupCode",
			update: "PUT", required: "name", unique: "name division", cascades: true,
			computed: "dateCreated=created dateModified=modified createdBy=by modifiedBy=lastBy", refs: "division=division",
		},
	}
}
