package main

import (
	"slices"

	"github.com/driftback/driftback/reconciler"
	said "github.com/driftback/driftback/reconciler/command"
)

// localConfig is the built-in forge.
type localConfig struct {
	Teams map[string][]string `yaml:"teams,omitempty" jsonschema_description:"Members of teams by name, for who may ask for what in comments."`
}

// pullsConfig says what pull requests are told of an environment, and who may ask for what there.
type pullsConfig struct {
	Tell      *bool               `yaml:"tell,omitempty" jsonschema:"default=true" jsonschema_description:"Whether pull requests are told what merging them would do, what was changed by hand meanwhile and what became of them, and commands in comments are heard."`
	Forks     bool                `yaml:"forks,omitempty" jsonschema:"default=false" jsonschema_description:"Also plan pull requests from other repositories; commands on them are not heard."`
	Untouched bool                `yaml:"untouched,omitempty" jsonschema:"default=false" jsonschema_description:"Also set the status of the plan on pull requests that change nothing of the environment and on those of driftback, for branch protection that requires it."`
	Commands  map[string][]string `yaml:"commands,omitempty" jsonschema_description:"Teams that may ask for a command in a comment, by its name (apply, drift accept, drift, …) or * for those not named (default whoever may write to the repository)."`
}

// announce is the part of an environment that the reconciler needs.
func (c pullsConfig) announce() reconciler.Announce {
	return reconciler.Announce{Off: c.Tell != nil && !*c.Tell, Forks: c.Forks, Untouched: c.Untouched, Teams: c.Commands}
}

// pulls checks the names of commands.
func (k *checker) pulls(at string, c pullsConfig, github bool) {
	known := []string{"*", "drift"}
	for _, v := range said.Verbs() {
		known = append(known, string(v))
	}
	for _, name := range sortedKeys(c.Commands) {
		if !slices.Contains(known, name) {
			k.wrong(at+"pulls.commands", "no command is called %q; %s", name, suggestion(name, known))
		}
		for _, team := range c.Commands[name] {
			if github && !teamName.MatchString(team) {
				k.wrong(at+"pulls.commands", "%q: want ORGANISATION/TEAM, the team as in its address", team)
			}
		}
	}
}

// commandTeams are the teams that are permitted anything by name, in any environment.
func (c *config) commandTeams() []string {
	var out []string
	for _, e := range c.Environments {
		for _, teams := range e.Pulls.Commands {
			out = append(out, teams...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// union is what is in either list, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
