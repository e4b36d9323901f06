package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// A Preview tells a pull request what merging it would do to one environment.
type Preview struct {
	Environment string
	// Bound names what the plan was made of, so that it is seen whether it still holds; hexadecimal digits.
	Bound string
	// Objects that the pull request changes, in the order of the plan, then those of which nothing is deployed.
	Objects []Planned
	// Held are the reasons for which objects would not be deployed, with their number.
	Held []Reason
	// Problems are places in files that cannot be used.
	Problems []Place
	// Notes are remarks on the whole, each a sentence.
	Notes []string
	// Incomplete says why the plan is not complete, as the end of a sentence; empty where it is.
	Incomplete string
	// Refused says why there can be no plan, as the end of a sentence; empty where there is one.
	Refused string
	// References among the changed objects and those that refer to them or are referred to.
	References [][2]resource.Key
}

// A Planned is one object of a preview; its change leads from live to what would be deployed.
type Planned struct {
	Object
	// Instead says what becomes of the object where nothing is deployed, such as "is so already"; empty where its change is.
	Instead string
	// Users are the objects that refer to it.
	Users []resource.Key
}

// A Reason is why a number of objects is not deployed.
type Reason struct {
	Why     string
	Objects int
}

// why is the reason for a comment, where the command line's way to let a plan pass is of no use: its own is told beside it.
func (r Reason) why() string {
	text, _, _ := strings.Cut(r.Why, " `driftback resume ")
	return remark(text)
}

// A Place is a problem in a file; Line and Column are zero where the whole file is meant.
type Place struct {
	Path         string
	Line, Column int
	Why          string
}

// maxUsers is how many referrers are named beside an object.
const maxUsers = 3

// State is the verdict: pending, success or failure. Nothing to do is a success only where the plan is complete.
func (p Preview) State() string {
	switch {
	case p.Refused != "" || len(p.Problems) > 0 || count(p.all()).Conflicts > 0:
		return "failure"
	case p.Incomplete != "":
		return "pending"
	}
	return "success"
}

// Title says it in a few words without any name, for a status.
func (p Preview) Title() string {
	switch {
	case p.Refused != "":
		return "no plan: " + clip(plain(p.Refused), maxTitle)
	case len(p.Problems) > 0:
		return plural(len(p.Problems), "1 error", "errors") + " in files"
	case p.Incomplete != "":
		return "plan is not complete: " + clip(plain(p.Incomplete), maxTitle)
	}
	out := "nothing to deploy"
	if c := count(p.deployed()); c != (counts{}) {
		out = "would deploy: " + c.String()
	}
	if n := count(p.all()).Conflicts; n > 0 {
		out += ", " + plural(n, "1 conflict", "conflicts")
	}
	held := 0
	for _, r := range p.Held {
		held += r.Objects
	}
	if held > 0 {
		out += fmt.Sprintf(", %d held", held)
	}
	return out
}

func (p Preview) all() []Object {
	var out []Object
	for _, o := range p.Objects {
		out = append(out, o.Object)
	}
	return out
}

func (p Preview) deployed() []Object {
	var out []Object
	for _, o := range p.Objects {
		if o.Instead == "" {
			out = append(out, o.Object)
		}
	}
	return out
}

// Body returns Markdown of at most limit bytes, DefaultLimit where limit is not positive, cut between objects.
func (p Preview) Body(limit int) string {
	if limit <= 0 {
		limit = DefaultLimit
	}
	head := "### Plan for " + code(clip(p.Environment, maxName)) + "\n\n" + p.lead() + p.problems() + p.held()
	tail := graph(p.keys(), p.References) + bound("plan", p.Bound)
	b := body{limit: limit - len(head) - len(tail)}
	if b.limit < 0 {
		return clipText(head, limit)
	}
	if len(p.Objects) > 0 {
		rowOf := map[resource.Key]string{}
		for _, o := range p.Objects {
			rowOf[o.Key()] = o.row()
		}
		b.rows("| object | would be | used by |\n|---|---|---|\n", p.all(), func(o Object) string { return rowOf[o.Key()] }, b.limit/2)
		b.sections("#### Conflicts\n\n", Pull{Objects: p.all()}.inConflict(), lower(conflict))
		b.folded("Differences", p.all(), lower(section))
	}
	return head + b.String() + tail
}

func (p Preview) keys() []resource.Key {
	var out []resource.Key
	for _, o := range p.Objects {
		out = append(out, o.Key())
	}
	return out
}

func (p Preview) lead() string {
	out := ""
	switch c := count(p.deployed()); {
	case p.Refused != "":
		return "There is no plan: " + remark(p.Refused) + ".\n\n"
	case c != (counts{}):
		n := len(p.deployed())
		out = fmt.Sprintf("Merging this would deploy %s: %s.", objects(n), c)
	default:
		out = "Merging this would deploy nothing."
	}
	if p.Incomplete != "" {
		out += " **Not complete yet**: " + remark(p.Incomplete) + "."
	}
	out += "\n\n"
	for _, n := range p.Notes[:min(len(p.Notes), maxAside)] {
		out += "- " + remark(n) + "\n"
	}
	if len(p.Notes) > 0 {
		out += "\n"
	}
	return out
}

func (p Preview) problems() string {
	if len(p.Problems) == 0 {
		return ""
	}
	out := "#### Errors\n\n"
	for i, pl := range p.Problems {
		if i == maxAside {
			out += fmt.Sprintf("- and %d more\n", len(p.Problems)-i)
			break
		}
		at := pl.Path
		if pl.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", pl.Path, pl.Line, max(1, pl.Column))
		}
		out += "- " + code(clip(at, maxName)) + ": " + remark(pl.Why) + "\n"
	}
	return out + "\n"
}

func (p Preview) held() string {
	if len(p.Held) == 0 {
		return ""
	}
	out := "#### Would not be deployed yet\n\n"
	for i, r := range p.Held {
		if i == maxAside {
			out += fmt.Sprintf("- and %d more reasons\n", len(p.Held)-i)
			break
		}
		out += "- " + objects(r.Objects) + ": " + r.why() + "\n"
	}
	return out + "\n"
}

// row is the object's line in the table.
func (o Planned) row() string {
	would := o.verb()
	if o.Change.Action() == resource.Rename {
		would += " from " + cell(clip(o.Change.Before.Key.Name, maxCell))
	}
	switch {
	case len(o.Conflicts) > 0:
		would = "left alone: **conflict**"
	case o.Instead != "":
		would = unpiped(remark(o.Instead))
	}
	if o.Note != "" {
		would += ", " + unpiped(remark(o.Note))
	}
	var users []string
	for _, k := range o.Users[:min(len(o.Users), maxUsers)] {
		users = append(users, cell(clip(k.String(), maxCell)))
	}
	used := strings.Join(users, ", ")
	if n := len(o.Users) - maxUsers; n > 0 {
		used += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("| %s | %s | %s |\n", cell(clip(o.Key().String(), maxCell)), would, used)
}

// folded is sections that are opened by a click.
func (b *body) folded(title string, os []Object, section func(Object) string) {
	inner := body{limit: b.limit - b.Len() - len(fold(title, ""))}
	inner.sections("", slices.DeleteFunc(slices.Clone(os), func(o Object) bool { return len(o.difference()) == 0 }), section)
	if inner.Len() > 0 {
		b.put(fold(title, inner.String()), "")
	}
}

// bound ends a text with what it was made of, where people do not see it.
func bound(what, hash string) string {
	if strings.Trim(hash, "0123456789abcdef") != "" || hash == "" {
		return ""
	}
	return "<!-- driftback " + what + ": " + hash + " -->\n"
}

// plain is a text for a status: one line, without what could be taken for code.
func plain(s string) string { return strings.ReplaceAll(visible(s, false), "`", "'") }
