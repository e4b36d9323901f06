package genesyscloud

import (
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// An audited is how the platform's audit calls a kind.
type audited struct {
	kind resource.Kind
	// services that keep the records. What such a service records of an entity that the table does not know may be anything of
	// its kinds.
	services string
	// entities, in small letters and without anything else.
	entities string
	// whole kinds are listed anew, as the record's id does not lead to the object.
	whole bool
	// single kinds have one object, and the record's id is the organisation's.
	single bool
}

// audits is by what the contract leaves open: the names are those that the platform's own pages and its community show. What is not
// in it is found by the next full reading.
var audits = []audited{
	{kind: division, services: "PeoplePermissions Directory", entities: "division"},
	{kind: skill, services: "Routing ContactCenter", entities: "skill acdskill routingskill"},
	{kind: language, services: "Routing ContactCenter", entities: "language acdlanguage routinglanguage"},
	{kind: skillgroup, services: "Routing ContactCenter", entities: "skillgroup"},
	{kind: wrapupcode, services: "Routing ContactCenter", entities: "wrapupcode"},
	{kind: queue, services: "Routing ContactCenter", entities: "queue"},
	{kind: routingsettings, services: "Routing ContactCenter", entities: "routingsettings", whole: true, single: true},
	{kind: utilization, services: "Routing ContactCenter", entities: "utilization routingutilization", whole: true, single: true},
	{kind: user, services: "PeoplePermissions Directory", entities: "user"},
	{kind: group, services: "Groups Directory", entities: "group"},
	{kind: team, services: "Groups Directory", entities: "team"},
	{kind: role, services: "PeoplePermissions", entities: "role"},
	{kind: location, services: "Directory", entities: "location"},
	{kind: schedule, services: "Architect", entities: "schedule"},
	{kind: schedulegroup, services: "Architect", entities: "schedulegroup"},
	{kind: ivr, services: "Architect", entities: "ivr ivrconfig ivrconfiguration callroute"},
	{kind: emergencygroup, services: "Architect", entities: "emergencygroup"},
	{kind: prompt, services: "Architect", entities: "prompt userprompt"},
	{kind: datatable, services: "Architect Datatables", entities: "datatable"},
	{kind: datatablerow, services: "Architect Datatables", entities: "datatablerow row", whole: true},
	{kind: flow, services: "Architect", entities: "flow"},
	{kind: flowoutcome, services: "Architect", entities: "flowoutcome"},
	{kind: flowmilestone, services: "Architect", entities: "flowmilestone"},
	{kind: integration, services: "Integrations", entities: "integration integrationconfiguration"},
	{kind: dataaction, services: "Integrations", entities: "action dataaction integrationaction"},
	{kind: trigger, services: "ProcessAutomation Triggers", entities: "trigger"},
	{kind: contactlist, services: "Outbound", entities: "contactlist"},
	{kind: attemptlimit, services: "Outbound", entities: "attemptlimits attemptlimit"},
	{kind: dnclist, services: "Outbound", entities: "dnclist"},
	{kind: ruleset, services: "Outbound", entities: "ruleset"},
	{kind: callabletimeset, services: "Outbound", entities: "callabletimeset"},
	{kind: campaign, services: "Outbound", entities: "campaign"},
	{kind: responselibrary, services: "ResponseManagement ContactCenter", entities: "responselibrary library"},
	{kind: response, services: "ResponseManagement ContactCenter", entities: "response"},
	{kind: webconfiguration, services: "WebDeployments", entities: "webdeploymentconfiguration configuration webdeploymentsconfiguration"},
	{kind: webdeployment, services: "WebDeployments", entities: "webdeployment deployment webdeploymentsdeployment"},
	{kind: evaluationform, services: "Quality", entities: "evaluationform"},
}

// letters is a name as the table has it.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// kindOf finds what a record is about.
func kindOf(entityType string) (audited, bool) {
	name := letters(entityType)
	for _, a := range audits {
		if slices.Contains(strings.Fields(a.entities), name) {
			return a, true
		}
	}
	return audited{}, false
}

// kindsOf returns the kinds of which a service keeps records.
func kindsOf(service string) []resource.Kind {
	var out []resource.Kind
	for _, a := range audits {
		if slices.Contains(strings.Fields(a.services), service) {
			out = append(out, a.kind)
		}
	}
	return out
}

// A coverage is which services and entities an audit query answers for.
type coverage map[string]map[string]bool // entities in letters, by service

// covers reports whether changes of the kind would be on record.
func (c coverage) covers(k resource.Kind) bool {
	for _, a := range audits {
		if a.kind != k {
			continue
		}
		for _, entities := range c {
			for _, e := range strings.Fields(a.entities) {
				if entities[e] {
					return true
				}
			}
		}
	}
	return false
}

// services are those that keep records of what is ours, sorted.
func (c coverage) services() []string {
	var out []string
	for s := range c {
		if len(kindsOf(s)) > 0 {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}
