package report

import (
	"fmt"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// A Radar tells a pull request what was changed by hand, in an environment, of the objects that it changes or that these
// hang together with.
type Radar struct {
	Environment string
	Bound       string // see Preview
	Touched     []Touched
	// Proposal is the number of the pull request that proposes the changes to Git; zero where there is none.
	Proposal int
}

// A Touched is an object that was changed by hand. Its change leads from what Git says, or had when both agreed, to live.
type Touched struct {
	Object
	// By is the object of the pull request that refers to this one or is referred to by it; the same key where it is
	// this very object.
	By resource.Key
	// Merged leads from live to what merging the pull request would make of it, where both sides changed the object and it
	// can be merged.
	Merged []diff.Field
}

// Conflicts reports how many objects cannot be merged.
func (r Radar) Conflicts() int {
	n := 0
	for _, t := range r.Touched {
		if len(t.Object.Conflicts) > 0 {
			n++
		}
	}
	return n
}

// State is the verdict: failure where something conflicts.
func (r Radar) State() string {
	if r.Conflicts() > 0 {
		return "failure"
	}
	return "success"
}

// Title says it in a few words without any name, for a status.
func (r Radar) Title() string {
	if len(r.Touched) == 0 {
		return "nothing was changed by hand here"
	}
	out := plural(len(r.Touched), "1 object was", "objects were") + " changed by hand"
	if n := r.Conflicts(); n > 0 {
		return out + ", " + plural(n, "1 conflicts", "conflict")
	}
	return out + ", nothing conflicts"
}

// Body returns Markdown of at most limit bytes, DefaultLimit where limit is not positive, cut between objects.
func (r Radar) Body(limit int) string {
	if limit <= 0 {
		limit = DefaultLimit
	}
	env := code(clip(r.Environment, maxName))
	if len(r.Touched) == 0 {
		return "### " + env + " and this pull request agree again\n\nNothing that was changed by hand is in the way of this any more.\n\n" + bound("radar", r.Bound)
	}
	head := "### " + env + " was changed under you\n\n" + r.lead()
	tail := bound("radar", r.Bound)
	b := body{limit: limit - len(head) - len(tail)}
	if b.limit < 0 {
		return clipText(head, limit)
	}
	rows, merged := map[resource.Key]string{}, map[resource.Key][]diff.Field{}
	var os []Object
	for _, t := range r.Touched {
		rows[t.Key()], merged[t.Key()] = t.row(), t.Merged
		os = append(os, t.Object)
	}
	b.rows("| object | by hand | who | when | here |\n|---|---|---|---|---|\n", os, func(o Object) string { return rows[o.Key()] }, b.limit/2)
	b.sections("#### Conflicts\n\n", Pull{Objects: os}.inConflict(), lower(conflict))
	if len(os) > maxUnfolded {
		b.folded("What was changed by hand", os, lower(section))
	} else {
		b.sections("#### What was changed by hand\n\n", os, lower(foldedSection))
	}
	var both []Object
	for _, o := range os {
		if len(merged[o.Key()]) > 0 {
			both = append(both, o)
		}
	}
	b.sections("#### What merging this would make of it\n\n", both, lower(func(o Object) string { return fieldSection(o, merged[o.Key()]) }))
	return head + b.String() + tail
}

func (r Radar) lead() string {
	same := 0
	for _, t := range r.Touched {
		if t.By == t.Key() {
			same++
		}
	}
	out := ""
	switch {
	case same == 0:
		out = "Objects were changed by hand that hang together with what this pull request changes."
	default:
		out = plural(same, "1 object", "objects") + " of this pull request " + map[bool]string{true: "was", false: "were"}[same == 1] + " changed by hand on the platform."
	}
	switch n := r.Conflicts(); {
	case n == 1 && len(r.Touched) == 1:
		out += " **It conflicts**: after merging it would be left alone until somebody decides."
	case n > 0:
		out += " **" + plural(n, "1 object conflicts", "objects conflict") + "**: after merging, what conflicts would be left alone until somebody decides."
	default:
		out += " Nothing conflicts: merging keeps both."
	}
	if r.Proposal > 0 {
		out += fmt.Sprintf(" The change by hand is proposed to Git in #%d: merge that first, and bring this branch up to date.", r.Proposal)
	}
	return out + "\n\n"
}

func (t Touched) row() string {
	here := "changed here too"
	switch {
	case len(t.Conflicts) > 0:
		here = "**conflict**"
	case t.By != t.Key():
		here = "hangs together with " + cell(clip(t.By.String(), maxCell))
	case len(t.Merged) > 0:
		here = "changed here too, can be merged"
	}
	who := t.who()
	if who != unknown {
		who = cell(clip(who, maxCell))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", cell(clip(t.Key().String(), maxCell)), t.verb(), who, t.when(), here)
}

// fieldSection shows fields of an object under its name.
func fieldSection(o Object, fields []diff.Field) string {
	text := ""
	for i, f := range fields {
		for _, l := range fieldLines(f) {
			text += string(l.mark) + " " + clip(visible(l.text, true), maxLine) + "\n"
		}
		if len(text) > maxLines*80 {
			text += fmt.Sprintf("@@ … %d more fields @@\n", len(fields)-i-1)
			break
		}
	}
	return "### " + code(clip(o.Key().String(), maxName)) + "\n\n" + fence("diff", text) + "\n"
}
