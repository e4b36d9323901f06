package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// The trailers of commits that driftback makes.
const (
	trailerBy          = "Changed-by"
	trailerAt          = "Changed-at"
	trailerWith        = "Changed-with"
	trailerAudit       = "Audit-id"
	trailerEnvironment = "Driftback-Environment"
)

const (
	maxSubject = 72 // bytes
	maxListed  = 100
	maxName    = 200 // bytes of a key in a list
)

// CommitMessage returns the message for a commit of what changed in an
// environment: a subject of at most 72 bytes, one line an object, and the trailers that
// name who changed it. It ends with a newline. No name can add a line or a trailer.
func CommitMessage(env string, os []Object) string {
	var b strings.Builder
	b.WriteString(commitSubject(env, os) + "\n\n")
	for i, o := range os {
		if i == maxListed {
			fmt.Fprintf(&b, "- and %d more\n", len(os)-i)
			break
		}
		b.WriteString("- " + o.verb() + " " + listed(o) + "\n")
	}
	if len(os) > 0 {
		b.WriteString("\n")
	}
	b.WriteString(Trailers(env, os...) + "\n")
	return b.String()
}

func listed(o Object) string {
	out := clip(subject(o.Key().String()), maxName)
	if o.Change.Action() == resource.Rename {
		out = clip(subject(o.Change.Before.Key.String()), maxName) + " to " + out
	}
	if note := subject(clip(o.Note, maxName)); note != "" {
		out += " (" + note + ")"
	}
	return out
}

func commitSubject(env string, os []Object) string {
	env = clip(subject(env), 24)
	if len(os) != 1 {
		c := count(os)
		c.Conflicts = 0
		if out := fmt.Sprintf("%s: %s: %s", env, objects(len(os)), c); len(out) <= maxSubject {
			return out
		}
		return fmt.Sprintf("%s: %s differ", env, objects(len(os)))
	}
	verb := map[resource.Action]string{
		resource.Create: "add", resource.Update: "change", resource.Delete: "delete", resource.Rename: "rename",
	}[os[0].Change.Action()]
	out := env + ": " + verb + " "
	if os[0].Change.Action() == resource.Rename {
		out += clip(subject(os[0].Change.Before.Key.String()), 24) + " to "
	}
	return clip(out+subject(os[0].Key().String()), maxSubject)
}

// Trailers returns the lines that end a commit message, without a newline at their end: who
// changed the objects, when the last of them was changed, with which applications, the audit
// records, and the environment. Without objects, the environment alone. Each is written once.
func Trailers(env string, os ...Object) string {
	var by, with, audit []string
	var last time.Time
	for _, o := range os {
		if w := o.who(); !slices.Contains(by, w) && len(by) < maxListed {
			by = append(by, w)
		}
		if w := o.with(); w != "" && !slices.Contains(with, w) && len(with) < maxListed {
			with = append(with, w)
		}
		if id := clip(subject(o.AuditID), maxName); id != "" && !slices.Contains(audit, id) && len(audit) < maxListed {
			audit = append(audit, id)
		}
		if o.When.After(last) {
			last = o.When
		}
	}
	var lines []string
	for _, w := range by {
		lines = append(lines, trailerBy+": "+w)
	}
	switch {
	case !last.IsZero():
		lines = append(lines, trailerAt+": "+last.UTC().Format(time.RFC3339))
	case len(os) > 0:
		lines = append(lines, trailerAt+": "+unknown)
	}
	for _, w := range with {
		lines = append(lines, trailerWith+": "+w)
	}
	for _, id := range audit {
		lines = append(lines, trailerAudit+": "+id)
	}
	return strings.Join(append(lines, trailerEnvironment+": "+clip(subject(env), maxName)), "\n")
}

// An Attribution is what the trailers of a commit say. What they do not tell is zero.
type Attribution struct {
	Who, Email  string // the first one named
	When        time.Time
	AuditID     string // the first one named
	Application string // the first one named
	Environment string
}

// ParseTrailers reads the last paragraph of a commit message. Only what Trailers
// writes is understood; a message without it gives the zero Attribution.
func ParseTrailers(message string) Attribution {
	message = strings.TrimRight(strings.ReplaceAll(message, "\r\n", "\n"), "\n ")
	if i := strings.LastIndex(message, "\n\n"); i >= 0 {
		message = message[i+2:]
	}
	var a Attribution
	named := false
	for l := range strings.SplitSeq(message, "\n") {
		name, value, ok := strings.Cut(l, ": ")
		if !ok {
			continue
		}
		switch name {
		case trailerBy:
			if !named {
				a.Who, a.Email = parsePerson(value)
				named = true
			}
		case trailerAt:
			a.When, _ = time.Parse(time.RFC3339, value)
		case trailerAudit:
			if a.AuditID == "" {
				a.AuditID = value
			}
		case trailerWith:
			if a.Application == "" {
				a.Application = value
			}
		case trailerEnvironment:
			a.Environment = value
		}
	}
	return a
}

func parsePerson(s string) (who, email string) {
	if s == unknown {
		return "", ""
	}
	if name, rest, ok := strings.Cut(s, " <"); ok {
		return name, address(strings.TrimSuffix(rest, ">"))
	}
	return s, address(s)
}
