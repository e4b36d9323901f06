package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/driftback/driftback/reconciler/merge"
	"github.com/driftback/driftback/vendors/resource"
)

// A Pull is the drift pull request of an environment: it proposes to Git what live says.
type Pull struct {
	Environment string
	// Init says that this is the first import of the environment.
	Init bool
	// Objects in the order in which they are shown.
	Objects []Object
	// Withheld are objects that are kept out of Git, with the reason; neither holds any content.
	Withheld map[resource.Key]string
	// Unknown are objects about which the platform could not be read, with the reason.
	Unknown map[resource.Key]string
	// Held are objects that Git wants to be otherwise and that are not deployed, with the reason.
	Held map[resource.Key]string
	// Guard lists the guards that this breaches; any makes it a draft.
	Guard []string
	// Unread are kinds that could not be read in full while this was made; any makes it a draft.
	Unread []resource.Kind
	// Commands says that commands in comments are heard.
	Commands bool
	// Others are open pull requests of people that change some of the same objects.
	Others []Other
	// Omitted is how many further objects differ that this pull request does not hold.
	Omitted int
}

// An Other is an open pull request that changes objects which this one changes too.
type Other struct {
	Number int
	Keys   []resource.Key
}

// DefaultLimit is the size of a Body in bytes where none is asked for. Forges accept 65,536 characters.
const DefaultLimit = 60_000

const (
	maxTitle = 120 // bytes
	maxCell  = 50  // of a name in a table, which grows as wide as its longest cell; the files have it in full
)

// Title returns one line without anything that a forge takes for an order, a mention or a reference.
func (p Pull) Title() string {
	env := clip(subject(p.Environment), 40)
	if p.Init {
		return fmt.Sprintf("init: import %s (%s)", env, objects(len(p.Objects)))
	}
	if len(p.Objects) == 1 {
		o := p.Objects[0]
		state := o.verb()
		if len(o.Conflicts) > 0 {
			state = "in conflict"
		}
		end := " " + state + " in " + env
		return "drift: " + clip(subject(o.Key().String()), maxTitle-len("drift: ")-len(end)) + end
	}
	out := fmt.Sprintf("drift: %s changed in %s", objects(len(p.Objects)), env)
	if c := count(p.Objects).Conflicts; c > 0 {
		out += fmt.Sprintf(", %d in conflict", c)
	}
	return out
}

// Body returns Markdown of at most limit bytes, DefaultLimit where limit is not positive. It is
// cut between objects and says how many are left out. Names and values stand in code only, so that
// none of them means anything to a renderer or a forge.
func (p Pull) Body(limit int) string {
	if limit <= 0 {
		limit = DefaultLimit
	}
	head := p.lead() + p.guard()
	tail := p.others() + p.next() + p.aside("Not deployed", p.Held) + p.aside("Kept out of Git", p.Withheld) + p.aside("Not readable", p.Unknown)
	b := body{limit: limit - len(head) - len(tail)}
	if b.limit < 0 { // there is room for the most important only
		return clipText(p.lead(), limit)
	}
	if p.Init {
		b.put(p.kinds(), "")
		return head + b.String() + tail
	}
	b.rows("| object | change | who | when |\n|---|---|---|---|\n", p.Objects, row, b.limit/2)
	b.sections("## Conflicts\n\n", p.inConflict(), conflict)
	if len(p.Objects) > maxUnfolded {
		b.folded("Differences", p.Objects, section)
	} else {
		b.sections("## Differences\n\n", p.Objects, foldedSection)
	}
	return head + b.String() + tail
}

// others lists the pull requests of people that change the same objects.
func (p Pull) others() string {
	if len(p.Others) == 0 {
		return ""
	}
	out := "## Others at work here\n\n" + plural(len(p.Others), "An open pull request changes", "open pull requests change") +
		" some of these objects too. Best merge this first: who works on them was told, and can build on it.\n\n"
	for i, o := range p.Others {
		if i == maxAside {
			out += fmt.Sprintf("- and %d more\n", len(p.Others)-i)
			break
		}
		out += fmt.Sprintf("- #%d: %s\n", o.Number, Listed(o.Keys))
	}
	return out + "\n"
}

// clipText keeps whole lines of at most limit bytes.
func clipText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:strings.LastIndexByte(s[:limit], '\n')+1]
}

func (p Pull) lead() string {
	env := code(clip(p.Environment, maxName))
	if p.Init {
		return fmt.Sprintf("This is the first import of %s: %s as the platform has them now. Nothing is written to the platform before this is merged.\n\n",
			env, objects(len(p.Objects)))
	}
	out := fmt.Sprintf("On %s, %s no longer what Git says: %s.", env, plural(len(p.Objects), "1 object is", "objects are"), count(p.Objects))
	if p.Omitted > 0 {
		out += fmt.Sprintf(" %s not in this pull request.", plural(p.Omitted, "1 more is", "more are"))
	}
	return out + "\n\n"
}

// plural returns one where n is 1, else the number and many.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (p Pull) guard() string {
	out := ""
	if n := len(p.Unread); n > 0 {
		var kinds []string
		for _, k := range p.Unread[:min(n, maxAside)] {
			kinds = append(kinds, code(clip(string(k), maxName)))
		}
		out = "**A draft, because it is not complete.** " + plural(n, "One kind could", "kinds could") + " not be read in full: " + strings.Join(kinds, ", ") +
			". It is ready once everything is read, or somebody says so.\n\n"
	}
	if len(p.Guard) == 0 {
		return out
	}
	out += "**A draft, because a guard was breached**, until somebody calls it ready. Please look whether so much was meant to change:\n\n"
	for _, g := range p.Guard[:min(len(p.Guard), maxAside)] {
		out += "- " + remark(g) + "\n"
	}
	return out + "\n"
}

// kinds counts the objects of a first import.
func (p Pull) kinds() string {
	n := map[resource.Kind]int{}
	for _, o := range p.Objects {
		n[o.Key().Kind]++
	}
	out := "| kind | objects |\n|---|---|\n"
	for i, k := range slices.Sorted(maps.Keys(n)) {
		if i == maxListed {
			out += fmt.Sprintf("| %d more | |\n", len(n)-i)
			break
		}
		out += fmt.Sprintf("| %s | %d |\n", cell(clip(string(k), maxName)), n[k])
	}
	return out + "\n"
}

func row(o Object) string {
	change := o.verb()
	if o.Change.Action() == resource.Rename {
		change += " from " + cell(clip(o.Change.Before.Key.Name, maxCell))
	}
	if len(o.Conflicts) > 0 {
		change += ", **conflict**"
	}
	if o.Note != "" {
		change += ", " + unpiped(remark(o.Note))
	}
	who := o.who()
	if who != unknown {
		who = cell(clip(who, maxCell))
	}
	if with := o.with(); with != "" {
		who += " with " + cell(clip(with, maxCell))
	}
	return fmt.Sprintf("| %s | %s | %s | %s |\n", cell(clip(o.Key().String(), maxCell)), change, who, o.when())
}

const (
	maxUnfolded = 10 // objects whose differences stand open, one below the other
	maxOpen     = 25 // lines of one that stands open
	maxRows     = 30 // rows of a table that stand open
)

// foldedSection is a section whose lines are opened by a click where they are many.
func foldedSection(o Object) string {
	text := section(o)
	if n := len(o.difference()); n > maxOpen {
		name, lines, _ := strings.Cut(text, "\n\n")
		return name + "\n\n" + fold(fmt.Sprintf("%d lines", n), lines)
	}
	return text
}

// fold is a text that is opened by a click on the title, which is ours.
func fold(title, text string) string {
	return "<details>\n<summary>" + title + "</summary>\n\n" + strings.TrimRight(text, "\n") + "\n\n</details>\n\n"
}

func section(o Object) string {
	lines := o.difference()
	if len(lines) == 0 {
		return ""
	}
	var b strings.Builder
	for _, l := range lines {
		if l.mark == '@' {
			b.WriteString("@@ " + l.text + " @@\n")
			continue
		}
		b.WriteString(string(l.mark) + " " + l.text + "\n")
	}
	return "### " + code(clip(o.Key().String(), maxName)) + "\n\n" + fence("diff", b.String()) + "\n"
}

// lower is a section of a comment, where headings are smaller than in the text of a pull request.
func lower(section func(Object) string) func(Object) string {
	return func(o Object) string {
		text := section(o)
		if strings.HasPrefix(text, "### ") {
			text = "##" + text
		}
		return text
	}
}

func (p Pull) inConflict() []Object {
	var out []Object
	for _, o := range p.Objects {
		if len(o.shownConflicts()) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// conflict shows what the three sides say, field by field.
func conflict(o Object) string {
	out := "### " + code(clip(o.Key().String(), maxName)) + "\n\n| field | base | Git | live | why |\n|---|---|---|---|---|\n"
	for i, c := range o.Conflicts {
		if i == maxAside {
			out += fmt.Sprintf("| %d more | | | | |\n", len(o.Conflicts)-i)
			break
		}
		out += conflictRow(c)
	}
	return out + "\n"
}

func conflictRow(c merge.Conflict) string {
	field := "whole object"
	if len(c.Path) > 0 {
		field = cell(clip(c.Path.String(), maxName))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", field, side(c, c.Base), side(c, c.Ours), side(c, c.Theirs), unpiped(remark(c.Reason)))
}

// side shows a value of a conflict in a table.
func side(c merge.Conflict, v any) string {
	text, value := sideText(c, v)
	if !value {
		return text
	}
	return cell(clip(text, maxName))
}

// sideText shows a value of a conflict, and whether it is one rather than a
// description: of a whole object it says only whether it is there.
func sideText(c merge.Conflict, v any) (string, bool) {
	if s, ok := v.(resource.Spec); ok {
		if v = nil; s != nil {
			v = map[string]any(s)
		}
	}
	m, isMap := v.(map[string]any)
	switch {
	case v == nil:
		return "absent", false
	case len(c.Path) == 0 && isMap && len(m) > 0 && isRaw(m):
		s, _ := m[resource.Content].(string)
		return fmt.Sprintf("%d bytes", len(s)), false
	case len(c.Path) == 0 && isMap:
		return "present", false
	}
	return inline(v), true
}

func (p Pull) next() string {
	env := code(clip(p.Environment, maxName))
	out := "## What to do\n\n"
	if p.Init {
		return out + "- **Merge** to make this what Git says. From then on, changes go both ways.\n" +
			"- **Close** to leave Git as it is. The platform stays as it is too.\n\n"
	}
	out += "- **Merge** to accept: Git then says what the platform has. Edit the branch before, if another value shall hold: it is deployed.\n" +
		"- **Close** to keep Git as it is and hear no more of these values. A new change asks again.\n" +
		"- **Revert** to put the platform back to what Git says: " + code("driftback drift revert "+clip(p.Environment, maxName)) + ".\n"
	if p.Commands {
		out += "- **In a comment**, for all or for some: " + code("/drift accept queue/Support") + ", " + code("/drift revert") + ", " + code("/drift ignore until 2030-01-31") + "; " + code("/help") + " tells more.\n"
	}
	if count(p.Objects).Conflicts > 0 {
		out += "- Objects in **conflict** are left alone on both sides until this is merged or reverted, or " + env + " and Git agree again.\n"
	}
	return out + "\n"
}

const maxAside = 50

// aside lists keys with reasons.
func (p Pull) aside(title string, m map[resource.Key]string) string {
	if len(m) == 0 {
		return ""
	}
	out := "## " + title + "\n\n"
	for i, k := range slices.SortedFunc(maps.Keys(m), resource.Key.Compare) {
		if i == maxAside {
			out += fmt.Sprintf("- and %d more\n", len(m)-i)
			break
		}
		out += "- " + code(clip(k.String(), maxName)) + ": " + remark(m[k]) + "\n"
	}
	return out + "\n"
}

// A body collects parts while there is room.
type body struct {
	strings.Builder
	limit int
}

// put adds a part if it leaves room for the reserve, which says that something was left out.
func (b *body) put(part, reserve string) bool {
	if b.Len()+len(part)+len(reserve) > b.limit {
		return false
	}
	_, _ = b.WriteString(part) // to memory
	return true
}

// rows adds a table whose rows end before the body has budget bytes. Those after the first maxRows are opened by a click.
func (b *body) rows(head string, os []Object, row func(Object) string, budget int) {
	whole := b.limit
	b.limit = min(whole, b.Len()+budget)
	defer func() { b.limit = whole }()
	first := body{limit: b.limit - b.Len() - 500} // which is enough for a fold with nothing but a sentence in it
	if len(os) <= maxRows+maxRows/2 || !first.table(head, os[:maxRows], row) {
		b.table(head, os, row)
		return
	}
	b.put(first.String(), "")
	title := fmt.Sprintf("%d more objects", len(os)-maxRows)
	inner := body{limit: b.limit - b.Len() - len(fold(title, ""))}
	inner.table(head, os[maxRows:], row)
	b.put(fold(title, inner.String()), "")
}

// table adds a table, as far as there is room, and reports whether that was enough.
func (b *body) table(head string, os []Object, row func(Object) string) bool {
	left := func(n int) string {
		return fmt.Sprintf("\n%s not listed here.\n\n", plural(n, "1 more object is", "more objects are"))
	}
	if !b.put(head, left(len(os))) {
		b.put(left(len(os)), "")
		return false
	}
	for i, o := range os {
		if !b.put(row(o), left(len(os)-i)) {
			b.put(left(len(os)-i), "")
			return false
		}
	}
	return b.put("\n", "")
}

// sections adds one section an object, as far as there is room.
func (b *body) sections(head string, os []Object, section func(Object) string) {
	left := func(n int) string {
		return fmt.Sprintf("%s left out here for want of room; the files of this pull request have them.\n\n", plural(n, "1 object is", "objects are"))
	}
	if len(os) == 0 || !b.put(head, left(len(os))) {
		return
	}
	omitted := 0
	for i, o := range os {
		if !b.put(section(o), left(len(os))) {
			omitted++
			if b.limit-b.Len() < 1000 { // hardly any other will fit
				omitted += len(os) - i - 1
				break
			}
		}
	}
	if omitted > 0 {
		b.put(left(omitted), "")
	}
}
