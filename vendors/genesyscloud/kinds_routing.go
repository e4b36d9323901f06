package genesyscloud

import (
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// routingKinds are the queues and what shares the work among people.
func routingKinds() []rest.Kind {
	return []rest.Kind{skillgroups(), queues(), singleton(routingsettings, "/api/v2/routing/settings", nil), singleton(utilization, "/api/v2/routing/utilization", all(
		fields{{Field: resource.Field{Path: "labelUtilizations", Ref: utilizationlabel}, Form: rest.IDKeys}},
		ids("labelUtilizations[].value.interruptingLabelIds", utilizationlabel), volatile("labelUtilizations[].value.labelName"),
		set("utilization.*.interruptableMediaTypes"),
	))}
}

// singletonName is how what there is one of is called.
const singletonName = "settings"

// singleton is what an organisation has exactly one of.
func singleton(kind resource.Kind, path string, fs fields) rest.Kind {
	return rest.Kind{
		Kind: kind, Name: rest.Name{Singleton: singletonName}, Fields: fs,
		Get:    rest.Operation{Path: path},
		Update: rest.Operation{Method: "PUT", Path: path},
	}
}

// skillgroups: listings leave out the conditions, and the divisions of the members stand apart.
func skillgroups() rest.Kind {
	fs := all(
		ref("division", division), ids("memberDivisions", division), none("memberDivisions", "skillConditions"), empty("description"),
		volatile("memberCount", "status"),
	)
	// Conditions name skills and languages, and nest; three levels are what the platform takes.
	at := "skillConditions[]."
	for range 3 {
		fs = append(fs, all(
			byName(at+"routingSkillConditions[].routingSkill", skill), byName(at+"languageSkillConditions[].languageSkill", language),
		)...)
		at += "routingSkillConditions[].childConditions[]."
	}
	k := crud(rest.Kind{
		Kind: skillgroup, Detail: true, Moved: []string{"dateModified"}, Fields: fs,
		Parts: []rest.Part{{
			Field: "memberDivisions", Bare: true, Write: writeMemberDivisions,
			List: &rest.Listing{Path: "/api/v2/routing/skillgroups/{id}/members/divisions", Paging: &rest.Paging{Style: rest.OnePage, Entities: "entities"}},
		}},
	}, "/api/v2/routing/skillgroups", "PATCH")
	k.Create.Requires, k.Update.Requires = []string{"skillConditions"}, []string{"name", "skillConditions"}
	k.Listings[0].Paging = &cursor
	return k
}

// byName is where the platform itself writes a name.
func byName(path string, to resource.Kind) fields {
	return fields{{Field: resource.Field{Path: path, Ref: to}, Form: rest.ByName}}
}

// memberGroups are groups of three kinds in one list.
func memberGroups(path string) fields {
	return append(all(set(path)), rest.Field{
		Field: resource.Field{Path: path + "[]"}, By: "type",
		Kinds: map[string]resource.Kind{"GROUP": group, "TEAM": team, "SKILLGROUP": skillgroup},
	})
}

// queues are listed twice, with and without a peer: without the question the listing leaves those out that have one
// (MyPureCloud/terraform-provider-genesyscloud, routing_queue). Members are another's by default: of a workforce tool, of people.
func queues() rest.Kind {
	k := crud(rest.Kind{
		Kind: queue,
		Listings: []rest.Listing{
			{Path: "/api/v2/routing/queues", Query: map[string]string{"hasPeer": "false"}, Paging: large(500)},
			{Path: "/api/v2/routing/queues", Query: map[string]string{"hasPeer": "true"}, Paging: large(500)},
		},
		Fields: all(
			ref("division", division), empty("description", "callingPartyName"), local("callingPartyNumber", "outboundMessagingAddresses"),
			volatile("memberCount", "userMemberCount", "joinedMemberCount", "peerId"),
			memberGroups("memberGroups"), none("memberGroups"),
			memberGroups("conditionalGroupRouting.rules[].groups"), ref("conditionalGroupRouting.rules[].queue", queue),
			memberGroups("conditionalGroupActivation.rules[].groups"),
			ref("conditionalGroupActivation.rules[].conditions[].simpleMetric.queue", queue),
			ref("conditionalGroupActivation.pilotRule.conditions[].simpleMetric.queue", queue),
			memberGroups("bullseye.rings[].memberGroups"), refs("bullseye.rings[].actions.skillsToRemove", skill),
			ref("queueFlow", flow), ref("emailInQueueFlow", flow), ref("messageInQueueFlow", flow),
			ref("mediaSettings.callback.liveVoiceFlow", flow), ref("mediaSettings.callback.answeringMachineFlow", flow),
			with(ref("mediaSettings.callback.edgeGroup", edgegroup), mine), with(ref("mediaSettings.callback.site", site), mine),
			ref("mediaSettings.message.inactivityTimeoutSettings.flowId", flow),
			ref("whisperPrompt", prompt), ref("onHoldPrompt", prompt), ref("defaultScripts.*", script),
			ids("cannedResponseLibraries.libraryIds", responselibrary), id("directRouting.backupQueueId", queue),
			with(ref("outboundEmailAddress.domain", emaildomain), mine), with(ref("outboundEmailAddress.route", emailroute), mine),
			set("mediaSettings.email.allOutboundEmailAddresses"), local("mediaSettings.email.allOutboundEmailAddresses"),
			ref("mediaSettings.email.allOutboundEmailAddresses[].domain", emaildomain),
			ref("mediaSettings.email.allOutboundEmailAddresses[].route", emailroute),
			refs("wrapUpCodes", wrapupcode), none("wrapUpCodes", "members"),
			keyed("members", "id"), id("members[].id", user),
			volatile("members[].name", "members[].user", "members[].joined", "members[].memberBy", "members[].routingStatus", "members[].selfUri"),
			fields{{Field: resource.Field{Path: "members[].ringNumber", Default: number("1")}}},
		),
		Parts: []rest.Part{
			{
				Field: "wrapUpCodes", Item: "id", Chunk: 100, List: &rest.Listing{Path: "/api/v2/routing/queues/{id}/wrapupcodes"},
				Add:    rest.Operation{Method: "POST", Path: "/api/v2/routing/queues/{id}/wrapupcodes"},
				Remove: rest.Operation{Method: "DELETE", Path: "/api/v2/routing/queues/{id}/wrapupcodes/{item}"},
			},
			{
				Field: "members", OptIn: true, Item: "id", Chunk: 100, AddIDs: true, Hints: []string{"memberCount", "userMemberCount"},
				List:   &rest.Listing{Path: "/api/v2/routing/queues/{id}/members", Query: map[string]string{"memberBy": "user"}, Paging: &memberPages},
				Add:    rest.Operation{Method: "POST", Path: "/api/v2/routing/queues/{id}/members"},
				Remove: rest.Operation{Method: "POST", Path: "/api/v2/routing/queues/{id}/members", Query: map[string]string{"delete": "true"}},
				Change: rest.Operation{Method: "PATCH", Path: "/api/v2/routing/queues/{id}/members"},
			},
		},
	}, "/api/v2/routing/queues", "PUT")
	k.Update.Echo, k.Hooks.Read = []string{"peerId"}, readQueue
	return k
}
