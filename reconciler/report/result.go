package report

import (
	"fmt"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// A Result tells a merged pull request what became of it in one environment.
type Result struct {
	Environment string
	Commit      string // of the tracked branch, in hexadecimal digits
	// Deployment is the id of the one that carried it out; empty where none did.
	Deployment string
	// Objects is how many objects the pull request changed.
	Objects int
	// Failed is why it was undone, empty where it was not.
	Failed string
	// Revert is the number of the pull request that takes it back; zero where there is none.
	Revert int
	// Held are the reasons for which objects wait; none when nothing does.
	Held []Reason
	// Names are the objects that failed or wait, sorted.
	Names []resource.Key
	// Plan is what lets the plan pass that waits; empty where nothing can.
	Plan string
	// Replaced says that Git wants something else by now.
	Replaced bool
}

// Done reports whether there is nothing more to come.
func (r Result) Done() bool { return r.Replaced || r.Failed == "" && len(r.Held) == 0 }

// Body returns Markdown.
func (r Result) Body() string {
	env := code(clip(r.Environment, maxName))
	in := ""
	if r.Deployment != "" {
		in = " in deployment " + code(clip(r.Deployment, maxName))
	}
	at := ""
	if r.Commit != "" {
		at = " Commit " + code(short(r.Commit)) + "."
	}
	switch {
	case r.Failed != "":
		out := "### Not deployed to " + env + "\n\nIt failed" + in + " and was undone: " + remark(r.Failed) + "." + at + "\n\n" + r.names()
		if r.Revert > 0 {
			out += fmt.Sprintf("#%d takes it back in Git. Until then, or until Git wants something else, these objects stay as they were.\n", r.Revert)
		} else {
			out += "These objects stay as they were until Git wants something else of them.\n"
		}
		return out
	case len(r.Held) > 0:
		out := "### Waiting to be deployed to " + env + "\n\n"
		for i, h := range r.Held {
			if i == maxAside {
				out += fmt.Sprintf("- and %d more reasons\n", len(r.Held)-i)
				break
			}
			out += "- " + objects(h.Objects) + ": " + h.why() + "\n"
		}
		out += "\n" + r.names()
		if r.Plan != "" {
			out += "A comment " + code("/apply "+clip(r.Environment, maxName)) + " lets exactly this plan pass (" + code(clip(r.Plan, maxName)) + ").\n"
		}
		return out
	case r.Replaced:
		return "### Replaced in " + env + "\n\nGit wants something else of these objects by now." + at + "\n"
	case r.Deployment == "":
		return "### Nothing to deploy to " + env + "\n\n" + env + " has had it already: " + objects(r.Objects) + "." + at + "\n"
	}
	return "### Deployed to " + env + "\n\n" + objects(r.Objects) + " deployed and verified" + in + "." + at + "\n"
}

func (r Result) names() string {
	if len(r.Names) == 0 {
		return ""
	}
	out := ""
	names := slices.Clone(r.Names)
	slices.SortFunc(names, resource.Key.Compare)
	for i, k := range names {
		if i == maxAside {
			out += fmt.Sprintf("- and %d more\n", len(names)-i)
			break
		}
		out += "- " + code(clip(k.String(), maxName)) + "\n"
	}
	return out + "\n"
}
