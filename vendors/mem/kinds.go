package mem

import (
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// Kinds returns the descriptors of the contact centre that a Platform has by
// default: skills and prompts, which nothing precedes; schedules; queues, which
// refer to skills and have a keyed list of members; routes, which tie queues and schedules;
// connectors, which hold a credential; and users, which are looked up and never managed.
// The capabilities that Options decide (Guard, StableID) are set by New.
func Kinds() []resource.KindInfo {
	full := resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true}
	noRename := resource.Capabilities{Create: true, Update: true, Delete: true}
	return []resource.KindInfo{
		{Kind: "user", ReferenceOnly: true},
		{Kind: "skill", Can: full, Fields: []resource.Field{
			{Path: "modified", Volatile: true},
			{Path: "description", Default: ""},
		}, Cascades: []resource.Cascade{{Kind: "queue", Path: "optionalSkills"}}},
		{Kind: "schedule", Can: full, Fields: []resource.Field{
			{Path: "hours", ListKey: "day"},
			{Path: "timeZone", Default: "UTC"},
		}},
		{Kind: "queue", Can: full, Fields: []resource.Field{
			{Path: "skills", Set: true},
			{Path: "skills[]", Ref: "skill"},
			{Path: "optionalSkills", Set: true},
			{Path: "optionalSkills[]", Ref: "skill"},
			{Path: "members", ListKey: "user"},
			{Path: "members[].user", Ref: "user"},
			{Path: "members[].ring", Default: true},
			{Path: "overflow", Ref: "queue"},
			{Path: "media", Immutable: true},
			{Path: "open", Operational: true},
			{Path: "waiting", Volatile: true},
		}},
		{Kind: "route", Can: noRename, Fields: []resource.Field{
			{Path: "queue", Ref: "queue"},
			{Path: "schedule", Ref: "schedule"},
			{Path: "number", EnvironmentSpecific: true},
		}},
		{Kind: "connector", Can: noRename, Fields: []resource.Field{
			{Path: "url", EnvironmentSpecific: true},
			{Path: "password", Secret: true},
		}},
	}
}

// File is the descriptor of a raw kind, for platforms whose objects are files.
func File() resource.KindInfo {
	return resource.KindInfo{
		Kind: "file", Raw: true,
		Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true},
	}
}

// describe completes the descriptors with what the options decide.
func describe(kinds []resource.KindInfo, o Options) []resource.KindInfo {
	kinds = slices.Clone(kinds)
	for i := range kinds {
		kinds[i].Can.Guard = o.Versions
		kinds[i].Can.StableID = o.IDs
	}
	return kinds
}
