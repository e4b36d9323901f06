// Package report writes texts for people and programs: the drift pull request, commit
// messages with their trailers, and differences, plans and states as plain text, Markdown,
// JSON and YAML.
//
// Everything that comes from a platform or a repository is taken as hostile here: no name
// and no value can become a link, a mention, a heading, a trailer, a control sequence or
// the end of the code that quotes it. The package knows changes and their fields; it must
// not know who is right, forges or Git. The same input gives the same bytes.
package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/merge"
	"github.com/driftback/driftback/vendors/resource"
)

// An Object is one object that differs, with what is known about why.
type Object struct {
	// Change leads from what is compared with to what is shown: from Git to live in a drift, from live
	// to want in a plan. At least one side is there.
	Change resource.Change
	Schema *resource.Schema // of the object's kind; may be nil
	// Who changed it, when, and the platform's record of it. What is zero is called unknown.
	Who, Email string
	When       time.Time
	AuditID    string
	// Application is what they worked with, in the platform's own words; empty where it does not tell.
	Application string
	// Conflicts, if any, freeze the object until people decide.
	Conflicts []merge.Conflict
	// Note is a remark such as "filled in by the platform", on one line.
	Note string
	// Withheld, if set, says why no content is shown of the object, on one line, and holds none itself.
	Withheld string
}

// Key returns the object's key, the new one of a rename.
func (o Object) Key() resource.Key {
	if o.Change.After != nil {
		return o.Change.After.Key
	}
	return o.Change.Key()
}

// Fields returns the difference, field by field; of an object that is created or deleted, all its fields;
// of one that is withheld, none.
func (o Object) Fields() []diff.Field {
	if o.Withheld != "" {
		return nil
	}
	before, after := o.sides()
	return diff.Fields(o.Schema, before, after)
}

// shownConflicts are the conflicts of which the values are shown: none where content is withheld.
func (o Object) shownConflicts() []merge.Conflict {
	if o.Withheld != "" {
		return nil
	}
	return o.Conflicts
}

// sides returns the specs; the empty one stands for an absent object.
func (o Object) sides() (before, after resource.Spec) {
	before, after = resource.Spec{}, resource.Spec{}
	if o.Change.Before != nil && o.Change.Before.Spec != nil {
		before = o.Change.Before.Spec
	}
	if o.Change.After != nil && o.Change.After.Spec != nil {
		after = o.Change.After.Spec
	}
	return before, after
}

// verb says what happened to the object, in the past.
func (o Object) verb() string {
	return map[resource.Action]string{
		resource.Create: "added", resource.Update: "changed", resource.Delete: "deleted", resource.Rename: "renamed",
	}[o.Change.Action()]
}

// who is the person as shown, sanitised for one line of text.
func (o Object) who() string {
	name, email := person(o.Who), address(o.Email)
	switch {
	case name == "" && email == "":
		return unknown
	case email == "" || name == email:
		return name
	case name == "":
		return email
	}
	return name + " <" + email + ">"
}

// with names the application for one line of text; empty where it is not known.
func (o Object) with() string { return clip(subject(o.Application), maxName) }

// unknown is what a text says for what nobody told.
const unknown = "unknown"

func (o Object) when() string {
	if o.When.IsZero() {
		return unknown
	}
	return o.When.UTC().Format("2006-01-02 15:04 UTC")
}

// counts are how many objects were added, changed and so on.
type counts struct {
	Added     int `json:"added"`
	Changed   int `json:"changed"`
	Renamed   int `json:"renamed"`
	Deleted   int `json:"deleted"`
	Conflicts int `json:"conflicts"`
}

func count(os []Object) counts {
	var c counts
	for _, o := range os {
		switch o.Change.Action() {
		case resource.Create:
			c.Added++
		case resource.Update:
			c.Changed++
		case resource.Rename:
			c.Renamed++
		case resource.Delete:
			c.Deleted++
		}
		if len(o.Conflicts) > 0 {
			c.Conflicts++
		}
	}
	return c
}

// String lists what there is: 1 added, 2 changed, of which 1 in conflict.
func (c counts) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{c.Added, "added"}, {c.Changed, "changed"}, {c.Renamed, "renamed"}, {c.Deleted, "deleted"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return "no difference"
	}
	out := strings.Join(parts, ", ")
	if c.Conflicts > 0 {
		out += fmt.Sprintf(", of which %d in conflict", c.Conflicts)
	}
	return out
}

// objects is a number with its noun.
func objects(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}
