package genesyscloud

import (
	"strings"

	"github.com/driftback/driftback/vendors/rest"
)

// webKinds are what customers meet on web pages, and what starts workflows.
func webKinds(h hooks) []rest.Kind {
	// A configuration has a draft, which is read and written, and versions, which are published.
	configurations := crud(rest.Kind{
		Kind: webconfiguration, Detail: true, Moved: []string{"version", "dateModified", "datePublished"},
		Listings: []rest.Listing{{Path: "/api/v2/webdeployments/configurations", Query: map[string]string{"showOnlyPublished": "false"}, Paging: &cursor}},
		Fields: all(
			volatile("datePublished", "lastModifiedUser", "createdUser", "publishedUser", "status"), empty("description"),
			set("languages"), keyed("customI18nLabels", "language"), none("customI18nLabels"),
			id("authenticationSettings.integrationId", integration), ref("messenger.apps.knowledge.knowledgeBase", knowledgebase),
			ref("supportCenter.knowledgeBase", knowledgebase),
		),
		Hooks: rest.Hooks{Written: publishWebConfiguration},
	}, "/api/v2/webdeployments/configurations", "PUT")
	configurations.Get.Path = "/api/v2/webdeployments/configurations/{id}/versions/draft"
	configurations.Update.Path = configurations.Get.Path

	deployments := crud(rest.Kind{
		Kind:     webdeployment,
		Listings: []rest.Listing{{Path: "/api/v2/webdeployments/deployments", Paging: &cursor}},
		Fields: all(
			volatile("snippet", "lastModifiedUser"), operational("status"), empty("description"), set("allowedDomains"), none("allowedDomains", "pushIntegrations"),
			local("allowedDomains"), id("configuration.id", webconfiguration), ref("flow", flow), ref("supportedContent", supportedcontent),
			volatile("configuration.name", "configuration.version", "configuration.selfUri"),
			set("pushIntegrations"), id("pushIntegrations[].id", integration),
		),
		Hooks: rest.Hooks{Create: h.createWebDeployment, Update: h.updateWebDeployment},
	}, "/api/v2/webdeployments/deployments", "PUT")

	triggers := versioned(crud(rest.Kind{
		Kind:     trigger,
		Listings: []rest.Listing{{Path: "/api/v2/processautomation/triggers", Paging: &cursor}},
		Fields:   all(id("target.id", flow), immutable("topicName"), empty("description"), none("matchCriteria")),
	}, "/api/v2/processautomation/triggers", "PUT"))
	return []rest.Kind{configurations, deployments, triggers}
}

// qualityKinds are what people are measured by.
func qualityKinds(h hooks) []rest.Kind {
	// A form is edited under one id, and every publication makes a copy under another.
	fs := all(
		with(ref("division", division), func(f *rest.Field) { f.Literals = []string{"*"} }), off("published"),
		volatile("modifiedDate", "contextId", "publishedVersions", "latestVersionFormName", "aiScoring", "weightMode"),
	)
	question := "questionGroups[]"
	fs = append(fs, volatile(question+".id", question+".contextId")...)
	// The default answer is told by the id of an answer, which is the platform's: it stays what it is there.
	for q := question + ".questions[]"; strings.Count(q, "Option") < 3; q += ".multipleSelectOptionQuestions[]" {
		fs = append(fs, volatile(q+".id", q+".contextId", q+".answerOptions[].id", q+".answerOptions[].contextId", q+".defaultAnswer.id")...)
	}
	fs = append(fs, ref("evaluationSettings.disputesAssignees[].user", user)...)
	forms := crud(rest.Kind{
		Kind: evaluationform, When: "modifiedDate", Detail: true, Moved: []string{"modifiedDate"},
		Listings: []rest.Listing{{Path: "/api/v2/quality/forms/evaluations", Query: map[string]string{"expand": "publishHistory"}}},
		Fields:   fs,
		Hooks:    rest.Hooks{Read: readForm, Create: createForm, Update: updateForm},
	}, "/api/v2/quality/forms/evaluations", "PUT")
	forms.Update.Echo = []string{"aiScoring"}
	return []rest.Kind{forms}
}
