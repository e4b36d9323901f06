package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// HelpText lists the commands that comments can hold.
func HelpText() string {
	return "A comment can hold these commands, one on a line:\n\n" +
		"| command | what it does |\n|---|---|\n" +
		"| `/drift accept [OBJECT…]` | merges what was changed by hand into Git; without objects, all of this pull request |\n" +
		"| `/drift revert [OBJECT…]` | puts the platform back to what Git says |\n" +
		"| `/drift ignore [OBJECT…] [until DATE]` | leaves it as it is and asks no more, until the date or a new change |\n" +
		"| `/plan [ENV]` | plans this pull request anew |\n" +
		"| `/apply [ENV] [at TIME]` | lets exactly the plan pass that is held back |\n" +
		"| `/hold [REASON]` | keeps what this pull request changes from being deployed |\n" +
		"| `/cancel` | takes back what was said here by `/apply`, `/hold` or `/drift accept` |\n" +
		"| `/rollback COMMIT` | proposes to take back what was committed since |\n" +
		"| `/why OBJECT` | says how an object came to be as it is |\n" +
		"| `/help` | this |\n\n" +
		"Objects are written `kind/name`, in quotes where the name has blanks in it. Dates are days of UTC.\n"
}

// NotUnderstood answers a line that is near to a command.
func NotUnderstood(reason, suggestion string) string {
	out := "Not understood: " + remark(reason) + "."
	if suggestion != "" {
		out += " Did you mean " + code(clip(suggestion, maxRemark)) + "?"
	}
	return out + " " + code("/help") + " lists the commands.\n"
}

// An Answer says what became of a command: a sentence, and the objects that it was about.
type Answer struct {
	Text string // of ours, in Markdown
	Done []resource.Key
	// Not are objects for which it was not done, with the reason.
	Not map[resource.Key]string
}

// Body returns Markdown.
func (a Answer) Body() string {
	out := a.Text + "\n"
	if len(a.Done) > 0 {
		out += "\n" + Result{Names: a.Done}.names()
	}
	if len(a.Not) > 0 {
		out += "\n" + Pull{}.aside("Not done", a.Not)
	}
	return strings.TrimRight(out, "\n") + "\n"
}

// A Story is how an object came to be as it is.
type Story struct {
	Environment string
	Key         resource.Key
	// State is what the sides say now, as a sentence.
	State string
	// Live are the changes on the platform and Git those of the tracked branch, newest first.
	Live, Git []Event
}

// An Event is one change in a story.
type Event struct {
	When    time.Time
	Who     string
	Commit  string // hexadecimal digits
	Subject string
	AuditID string
}

const maxEvents = 5

// Body returns Markdown.
func (s Story) Body() string {
	out := "### " + code(clip(s.Key.String(), maxName)) + " in " + code(clip(s.Environment, maxName)) + "\n\n" + s.State + "\n\n"
	for _, part := range []struct {
		title  string
		events []Event
	}{{"On the platform", s.Live}, {"In Git", s.Git}} {
		if len(part.events) == 0 {
			continue
		}
		out += "#### " + part.title + "\n\n| when | who | commit | what |\n|---|---|---|---|\n"
		for _, e := range part.events[:min(len(part.events), maxEvents)] {
			out += e.row()
		}
		out += "\n"
	}
	return out
}

func (e Event) row() string {
	o := Object{Who: e.Who, When: e.When}
	who := o.who()
	if who != unknown {
		who = cell(who)
	}
	what := ""
	if e.Subject != "" {
		what = cell(clip(e.Subject, maxName))
	}
	if e.AuditID != "" {
		what += " audit " + cell(clip(e.AuditID, maxName))
	}
	return fmt.Sprintf("| %s | %s | %s | %s |\n", o.when(), who, cell(short(e.Commit)), what)
}

// Value shows a part of an answer that others wrote, as code.
func Value(s string) string { return code(clip(s, maxName)) }

// Listed shows keys, as code, at most five of them.
func Listed(keys []resource.Key) string {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, resource.Key.Compare)
	var out []string
	for _, k := range keys[:min(len(keys), 5)] {
		out = append(out, code(clip(k.String(), maxName)))
	}
	text := strings.Join(out, ", ")
	if n := len(keys) - 5; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
