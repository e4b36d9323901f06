package simulator

// otherKinds are responses, integrations, web messaging, quality and automation.
func otherKinds() []row {
	return []row{
		{
			name: "responselibrary", entity: "ResponseLibrary", service: "ContactCenter", path: "/api/v2/responsemanagement/libraries", permission: "responses:library",
			update: "PUT", guard: 409, required: "name", computed: "version=version dateCreated=created createdBy=byRef", refs: "division=division",
		},
		{
			name: "response", entity: "Response", service: "ContactCenter", path: "/api/v2/responsemanagement/responses", permission: "responses:response",
			update: "PUT", guard: 409, required: "name libraries texts", unique: "-", computed: "version=version dateCreated=created createdBy=byRef",
			refs: "libraries.[]=responselibrary", check: checkResponse,
		},
		{
			name: "integration", entity: "Integration", service: "Integrations", path: "/api/v2/integrations", permission: "integrations:integration",
			update: "PATCH", required: "integrationType", unique: "-", immutable: "integrationType",
			computed: "name=configName notes=configNotes config=none reportedState=reported attributes=none", brief: "config?config.current", defaults: `{"intendedState": "DISABLED"}`,
		},
		{
			name: "dataaction", entity: "Action", service: "Integrations", path: "/api/v2/integrations/actions", permission: "integrations:action",
			update: "PATCH", guard: 409, required: "name category integrationId contract config", immutable: "contract secure integrationId", unique: "category name",
			computed: "version=version", brief: "contract?contract config?config", defaults: `{"secure": false, "config": {"timeoutSeconds": 0}}`, refs: "integrationId=integration",
		},
		{
			name: "credential", entity: "Credential", service: "Integrations", path: "/api/v2/integrations/credentials", permission: "integrations:credential",
			update: "PUT", required: "type", unique: "-", computed: "createdDate=created modifiedDate=modified credentialFields=secret",
		},
		{
			name: "webconfiguration", entity: "WebDeploymentConfiguration", service: "WebDeployments", path: "/api/v2/webdeployments/configurations", permission: "webDeployments:configuration",
			paging: byCursor, required: "name",
			computed: "version=configVersion dateCreated=created dateModified=modified datePublished=none lastModifiedUser=lastByRef createdUser=byRef publishedUser=none status=none",
		},
		{
			name: "webdeployment", entity: "WebDeployment", service: "WebDeployments", path: "/api/v2/webdeployments/deployments", permission: "webDeployments:deployment",
			paging: byCursor, update: "PUT", required: "name configuration",
			computed: "dateCreated=created dateModified=modified lastModifiedUser=lastByRef snippet=snippet", defaults: `{"status": "Active", "allowAllDomains": true}`,
			refs: "configuration=webconfiguration flow=flow",
		},
		{
			name: "evaluationform", entity: "EvaluationForm", service: "Quality", path: "/api/v2/quality/forms/evaluations", permission: "quality:evaluationForm",
			update: "PUT", required: "name questionGroups", computed: "modifiedDate=modified published=none publishedVersions=none contextId=none latestVersionFormName=none",
			ignored: "redacted", refs: "division=division",
		},
		{
			name: "trigger", entity: "Trigger", service: "ProcessAutomation", path: "/api/v2/processautomation/triggers", permission: "processautomation:trigger",
			paging: byCursor, update: "PUT", guard: 409, required: "name topicName target enabled", immutable: "topicName", computed: "version=version",
			defaults: `{"matchCriteria": []}`, refs: "target=flow", check: checkTrigger,
		},
	}
}

// lookupKinds are what other kinds may refer to and what is set up elsewhere.
func lookupKinds() []row {
	of := func(name, path string, paging paging) row {
		return row{name: name, entity: name, service: "Other", path: "/api/v2/" + path, paging: paging, lookup: true, required: "name", cascades: true}
	}
	return []row{
		of("emaildomain", "routing/email/domains", byPage),
		of("site", "telephony/providers/edges/sites", byPage),
		of("edgegroup", "telephony/providers/edges/edgegroups", byPage),
		{name: "script", entity: "script", service: "Other", path: "/api/v2/scripts", max: 500, lookup: true, required: "name", cascades: true},
		of("callanalysisresponseset", "outbound/callanalysisresponsesets", byPage),
		of("contactlistfilter", "outbound/contactlistfilters", byPage),
		of("supportedcontent", "conversations/messaging/supportedcontent", byPage),
		of("knowledgebase", "knowledge/knowledgebases", byCursor),
		of("utilizationlabel", "routing/utilization/labels", byPage),
	}
}
