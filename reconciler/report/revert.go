package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// A Revert is the pull request that takes commits back: because they could not be deployed to an environment, or
// because somebody asked for it.
type Revert struct {
	Environment string
	// Deployment is the one that failed and was undone, with its cause; both are empty for a rollback on request.
	Deployment, Cause string
	// By asked for it, with a reason, and To is the commit that is gone back to. They are empty after a failure.
	By, Reason, To string
	At             time.Time
	// Failed are the objects that could not be deployed, With those that wait with them.
	Failed, With []resource.Key
	// NewIDs are the platform's ids of objects that undoing had to create anew, Left what it could not put back.
	NewIDs map[resource.Key]string
	Left   []resource.Key
	// Commits are what is taken back, newest first. There are none where the pull request keeps the environment as it
	// is by files of its own.
	Commits []Reverted
	// Spared are commits within the range that are not taken back: they brought in what people changed by hand.
	Spared []Reverted
	// Others are the other environments that Git then wants something else of, with the objects.
	Others map[string][]resource.Key
	// Keep are the files that would keep this environment as it was without touching any other, by path. Nil deletes.
	Keep map[string][]byte
	// Objects are the environment's differences: from what Git says to what it would say.
	Objects []Object
	// Pushed says that it is merged at once if the forge's rules permit it.
	Pushed bool
}

// Reverted is a commit that is taken back.
type Reverted struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	Author  string    `json:"author"`
	When    time.Time `json:"when"`
}

// Title returns one line, as Pull.Title does.
func (r Revert) Title() string {
	env := clip(subject(r.Environment), 40)
	switch {
	case r.Deployment == "" && len(r.Commits) == 0:
		return fmt.Sprintf("rollback: %s to what Git said at %s", env, short(r.To))
	case r.Deployment == "":
		return fmt.Sprintf("rollback: revert %s in %s", commits(len(r.Commits)), env)
	case len(r.Commits) == 0:
		return "revert: keep " + env + " as it was, after a deployment that failed"
	case len(r.Commits) == 1:
		end := " (failed in " + env + ")"
		return clip("revert: "+subject(r.Commits[0].Subject), maxTitle-len(end)) + end
	}
	return fmt.Sprintf("revert: %s that failed in %s", commits(len(r.Commits)), env)
}

func commits(n int) string { return plural(n, "1 commit", "commits") }

func short(id string) string { return id[:min(len(id), 10)] }

// Body returns Markdown of at most limit bytes, DefaultLimit where limit is not positive, in which no name, value, cause
// or message means anything to a renderer or a forge.
func (r Revert) Body(limit int) string {
	if limit <= 0 {
		limit = DefaultLimit
	}
	head := r.lead() + r.commits("## What is reverted\n\n", r.Commits) + r.commits("## What is left in\n\nThese commits brought in what people had changed by hand, and stay:\n\n", r.Spared) + r.others()
	tail := r.next()
	b := body{limit: limit - len(head) - len(tail)}
	if b.limit < 0 {
		return clipText(r.lead(), limit)
	}
	if len(r.Objects) > 0 {
		b.rows("## What Git then says of "+code(clip(r.Environment, maxName))+"\n\n| object | change | who | when |\n|---|---|---|---|\n", r.Objects, row, b.limit/4)
		b.sections("### Differences\n\n", r.Objects, section)
	}
	r.keep(&b)
	return head + b.String() + tail
}

func (r Revert) lead() string {
	env := code(clip(r.Environment, maxName))
	if r.Deployment == "" {
		out := fmt.Sprintf("%s asked to roll %s back to what Git said of it at %s.", code(clip(or(person(r.By), "somebody"), maxName)), env, code(short(r.To)))
		if r.Reason != "" {
			out += " The reason: " + remark(r.Reason) + "."
		}
		return out + "\n\n"
	}
	out := fmt.Sprintf("Deployment %s to %s failed and was undone", code(clip(r.Deployment, maxName)), env)
	if !r.At.IsZero() {
		out += " at " + r.At.UTC().Format("2006-01-02 15:04 UTC")
	}
	out += ":\n\n" + fence("", clip(visible(clip(r.Cause, 4000), false), 2000)) + "\n" + keyList("It could not be deployed:", r.Failed)
	out += keyList("Changed by the same commits, and waiting with it:", r.With)
	out += keyList("Not put back, because somebody changed it meanwhile or the platform refused:", r.Left)
	if len(r.NewIDs) > 0 {
		out += "Undoing had to create these anew, with new ids:\n\n"
		for i, k := range slices.SortedFunc(maps.Keys(r.NewIDs), resource.Key.Compare) {
			if i == maxAside {
				out += fmt.Sprintf("- and %d more\n", len(r.NewIDs)-i)
				break
			}
			out += "- " + code(clip(k.String(), maxName)) + ": " + code(clip(r.NewIDs[k], maxName)) + "\n"
		}
		out += "\n"
	}
	return out
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// keyList lists keys below a line; nothing where there are none.
func keyList(title string, keys []resource.Key) string {
	if len(keys) == 0 {
		return ""
	}
	out := title + "\n\n"
	for i, k := range keys {
		if i == maxAside {
			out += fmt.Sprintf("- and %d more\n", len(keys)-i)
			break
		}
		out += "- " + code(clip(k.String(), maxName)) + "\n"
	}
	return out + "\n"
}

func (r Revert) commits(title string, cs []Reverted) string {
	if len(cs) == 0 {
		return ""
	}
	out := title + "| commit | by | when | message |\n|---|---|---|---|\n"
	for i, c := range cs {
		if i == maxAside {
			out += fmt.Sprintf("| %d more | | | |\n", len(cs)-i)
			break
		}
		when := unknown
		if !c.When.IsZero() {
			when = c.When.UTC().Format("2006-01-02 15:04 UTC")
		}
		out += fmt.Sprintf("| %s | %s | %s | %s |\n", cell(short(c.ID)), cell(clip(or(person(c.Author), unknown), maxName)), when, cell(clip(c.Subject, maxName)))
	}
	return out + "\n"
}

func (r Revert) others() string {
	if len(r.Others) == 0 {
		return ""
	}
	out := "## Other environments\n\n**Merging this changes what Git wants of other environments too:**\n\n"
	for i, env := range slices.Sorted(maps.Keys(r.Others)) {
		if i == maxAside {
			out += fmt.Sprintf("- and %d more\n", len(r.Others)-i)
			break
		}
		keys := r.Others[env]
		var names []string
		for _, k := range keys[:min(len(keys), 5)] {
			names = append(names, code(clip(k.String(), maxName)))
		}
		if more := len(keys) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		out += "- " + code(clip(env, maxName)) + ": " + strings.Join(names, ", ") + "\n"
	}
	return out + "\n"
}

// keep shows the files by which this environment alone stays as it was.
func (r Revert) keep(b *body) {
	if len(r.Keep) == 0 || len(r.Commits) == 0 {
		return
	}
	head := fmt.Sprintf("## Or keep %s alone as it was\n\nWith these files instead, no other environment changes:\n\n", code(clip(r.Environment, maxName)))
	if !b.put(head, "") {
		return
	}
	for _, path := range slices.Sorted(maps.Keys(r.Keep)) {
		part := "- " + code(clip(path, 2*maxName)) + " is deleted\n\n"
		if content := r.Keep[path]; content != nil {
			part = "- " + code(clip(path, 2*maxName)) + "\n\n" + fence("yaml", shown(string(content))) + "\n"
		}
		b.put(part, "")
	}
}

// shown is the text of a file, line by line as it can be shown.
func shown(s string) string {
	var out []string
	for l := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		if len(out) == maxLines {
			out = append(out, "…")
			break
		}
		out = append(out, clip(visible(l, true), maxLine))
	}
	return strings.Join(out, "\n")
}

func (r Revert) next() string {
	env := code(clip(r.Environment, maxName))
	out := "## What to do\n\n- **Merge** to take it back: it is then deployed like every other commit.\n"
	if r.Pushed {
		out = "## What to do\n\n- It is merged at once where the rules permit that, and then deployed like every other commit.\n"
	}
	if r.Deployment == "" {
		return out + "- **Close** to leave things as they are.\n"
	}
	return out + "- **Close** to keep what Git says. " + env + " goes on holding these objects, and everything else is deployed.\n" +
		"- **Mend it** with a new commit: as soon as Git wants something else of one of these objects, it is tried again, and this is closed.\n" +
		"- **Try again** as it is: " + code("driftback resume "+clip(r.Environment, maxName)) + ".\n"
}

// RevertMessage is the message of a commit that takes another back, as git revert writes it, with the reason.
func RevertMessage(c Reverted, env, reason string) string {
	out := clip("Revert \""+subject(c.Subject)+"\"", maxSubject) + "\n\nThis reverts commit " + c.ID + ".\n"
	if reason != "" {
		out += "\n" + clip(subject(reason), 1000) + "\n"
	}
	return out + "\n" + trailerReverted + ": " + clip(subject(env), maxName) + "\n"
}

// KeepMessage is the message of a commit by which an environment alone stays, or becomes again, what it was.
func KeepMessage(env, reason string, os []Object) string {
	var b strings.Builder
	b.WriteString(clip("Keep "+clip(subject(env), 24)+" as it was: "+objects(len(os)), maxSubject) + "\n\n")
	for i, o := range os {
		if i == maxListed {
			fmt.Fprintf(&b, "- and %d more\n", len(os)-i)
			break
		}
		b.WriteString("- " + listed(o) + "\n")
	}
	if reason != "" {
		b.WriteString("\n" + clip(subject(reason), 1000) + "\n")
	}
	return b.String() + "\n" + trailerReverted + ": " + clip(subject(env), maxName) + "\n"
}

// trailerReverted names the environment for which something was taken back. It is not that of commits of drift.
const trailerReverted = "Driftback-Reverted-For"
