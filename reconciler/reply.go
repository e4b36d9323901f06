package reconciler

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// replyTo says what became of a request that was asked for in a comment, and does what is only asked for there.
func (p *pass) replyTo(q Request) error {
	if q.From == nil {
		return nil
	}
	env, done := report.Value(p.Name), sortedResourceKeys(q.Keys)
	a := report.Answer{Done: done, Not: q.Not}
	if len(done) == 0 && len(q.Not) > 0 {
		p.reply(*q.From, forge.Confused, report.Answer{Text: "Nothing was done.", Not: q.Not}.Body())
		return nil
	}
	switch q.Do {
	case DoAccept:
		p.noteReply(reply{To: *q.From, Reaction: forge.Rocket, Body: a.Body(), Accepted: q.Keys})
		return nil
	case DoRevert:
		a.Text = "Git is right: " + env + " is put back to what Git says, through the ordinary gates."
	case DoIgnore:
		a.Text = "Left as it is, until it is changed again."
		if !q.Until.IsZero() {
			a.Text = "Left as it is until " + q.Until.UTC().Format("2006-01-02 15:04 UTC") + ", or until it is changed again."
		}
	case DoOverride:
		a.Text = "Exactly the plan " + report.Value(q.Detail) + " may pass in " + env + ", once."
		if !q.After.IsZero() {
			a.Text += " It waits until " + q.After.UTC().Format("2006-01-02 15:04 UTC") + "; `/cancel` takes this back."
		}
	case DoRollback:
		a.Text = "A pull request proposes to take back what was committed since " + report.Value(q.Detail[:min(12, len(q.Detail))]) + "."
	case doHold:
		if n, _ := strconv.Atoi(q.Detail); p.isOurNumber(n) {
			a.Text = env + " is suspended: nothing is deployed, and nothing is proposed. `/cancel` or `driftback resume` ends that."
			break
		}
		a.Text = "What this changes is not deployed to " + env + " until somebody says `/cancel` here."
	case doCancel:
		a.Text = p.cancel(q)
	case doPlan:
		n, _ := strconv.Atoi(q.Detail)
		delete(p.previewed, n)
		if t, ok := p.st.seen.Told[n]; ok {
			t.Plan, t.Check, t.Radar, t.RadarCheck = "", "", "", ""
			p.setTold(n, t)
		}
		a.Text = "Planned anew for " + env + "."
	case doWhy:
		return p.why(q)
	default:
		return nil
	}
	p.reply(*q.From, forge.Rocket, a.Body())
	return nil
}

// howAccepted says how far accepting objects came: merged, or left for a reviewer, and where; and where the rest went.
func (p *pass) howAccepted(keys map[resource.Key]resource.Hash) string {
	said, rest := "Accepted into Git, as far as the rules of this repository permit; else it is left for a reviewer.", ""
	for _, pr := range p.st.seen.Proposals {
		one := slices.ContainsFunc(sortedResourceKeys(keys), func(k resource.Key) bool { _, in := pr.Keys[k]; return in })
		n := cmp.Or(pr.Number, p.numbers[pr.Head])
		switch {
		case n == 0 || pr.Closed:
		case pr.Foreign && one:
			said = fmt.Sprintf("Somebody else pushed to #%d, so it is theirs: merging it accepts what it then says.", n)
		case pr.Foreign:
		case !pr.Accepted:
			rest = fmt.Sprintf(" What was changed by hand besides these is proposed in #%d.", n)
		case one && p.mergedNow[pr.Branch]:
			said = fmt.Sprintf("Accepted into Git: #%d is merged.", n)
		case one && pr.Left == p.head:
			said = fmt.Sprintf("Accepted, and left for a reviewer: the rules of this repository do not let driftback merge #%d.", n)
		}
	}
	return said + rest + "\n"
}

// merging reports whether merging what was accepted is to be asked for again soon: what came of it is told then.
func (p *pass) merging(keys map[resource.Key]resource.Hash) bool {
	return slices.ContainsFunc(p.st.seen.Proposals, func(pr proposal) bool {
		merged, tried := p.mergedNow[pr.Branch]
		return tried && !merged && slices.ContainsFunc(sortedResourceKeys(keys), func(k resource.Key) bool { _, in := pr.Keys[k]; return in })
	})
}

// wait keeps what a pull request changes from being deployed; on one of ours, the environment is suspended.
func (p *pass) wait(q Request) {
	n, err := strconv.Atoi(q.Detail)
	if err != nil {
		return
	}
	if p.isOurNumber(n) {
		p.st.decisions.Suspended = &suspension{By: q.By, Reason: orText(q.Reason, "asked for on pull request "+q.Detail), At: q.At}
		return
	}
	w := wait{By: q.By, Reason: q.Reason, At: q.At, Keys: p.st.seen.Told[n].Keys}
	if p.st.decisions.Waits == nil {
		p.st.decisions.Waits = map[int]wait{}
	}
	p.st.decisions.Waits[n] = w
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// isOurNumber reports whether a pull request is one of our proposals.
func (p *pass) isOurNumber(n int) bool {
	return slices.ContainsFunc(p.st.seen.Proposals, func(pr proposal) bool { return pr.Number == n || p.numbers[pr.Head] == n })
}

// cancel takes back what was said on a pull request, and says what that was.
func (p *pass) cancel(q Request) string {
	n, _ := strconv.Atoi(q.Detail)
	d := &p.st.decisions
	text := ""
	if _, ok := d.Waits[n]; ok {
		delete(d.Waits, n)
		text += " It is no longer held."
	}
	if o := d.Override; o != nil && strings.HasPrefix(p.st.seen.Told[n].PlanID+idAnd, o.Plan+idAnd) {
		d.Override = nil
		text += " The plan " + report.Value(o.Plan) + " may not pass any more."
	}
	for _, pr := range p.st.seen.Proposals {
		if pr.Number != n && p.numbers[pr.Head] != n {
			continue
		}
		for _, k := range sortedResourceKeys(pr.Keys) {
			if _, ok := d.Accepted[k]; ok {
				delete(d.Accepted, k)
				text += " " + report.Value(k.String()) + " is no longer accepted."
			}
		}
		if d.Suspended != nil {
			d.Suspended = nil
			text += " " + report.Value(p.Name) + " is no longer suspended."
		}
	}
	if text == "" {
		return "There was nothing to take back here in " + report.Value(p.Name) + "."
	}
	return "Taken back." + text
}

// maxStory is how many commits of the tracked branch are looked through for the story of one object.
const maxStory = 300

// why tells how an object came to be as it is, from both histories.
func (p *pass) why(q Request) error {
	k := sortedResourceKeys(q.Keys)[0]
	s := report.Story{Environment: p.Name, Key: k, State: p.stateOf(k)}
	history := liveHistory{p: p}
	for i := 0; len(s.Live) < 5; i++ {
		at, ok, err := history.at(i)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		before, ok, err := history.at(i + 1)
		if err != nil {
			return err
		}
		if was := (resource.Hash{}); ok {
			was = before.seen.Hash(k)
			if was == at.seen.Hash(k) {
				continue
			}
		} else if at.seen.Hash(k).IsZero() {
			break
		}
		t := report.ParseTrailers(at.commit.Message)
		when := t.When
		if when.IsZero() {
			when = at.commit.Author.When
		}
		s.Live = append(s.Live, report.Event{When: when, Who: t.Who, Commit: at.commit.ID.String(), Subject: firstLine(at.commit.Message), AuditID: t.AuditID})
	}
	err := p.gitEvents(k, &s)
	if err != nil {
		return err
	}
	p.reply(*q.From, forge.Rocket, s.Body())
	return nil
}

// gitEvents adds the commits of the tracked branch's own line that changed the files of an object.
func (p *pass) gitEvents(k resource.Key, s *report.Story) error {
	paths := p.want.tree.Paths(k)
	if file, _, err := files.Encode(p.kindOf(k.Kind), resource.Resource{Key: k, Spec: resource.Spec{}}); err == nil {
		for _, prefix := range p.want.layout.Prefixes() {
			paths = append(paths, prefix+"/"+file)
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	n := 0
	return p.line(p.head, gitstore.ID{}, func(c gitstore.Commit) error {
		if n++; n > maxStory || len(s.Git) == 5 {
			return gitstore.ErrStop
		}
		var parent gitstore.ID
		if len(c.Parents) > 0 {
			parent = c.Parents[0]
		}
		for _, path := range paths {
			is, _, err := p.store.File(c.ID, path)
			if err != nil {
				return err
			}
			was, _, err := p.store.File(parent, path)
			if err != nil {
				return err
			}
			if is.ID != was.ID {
				s.Git = append(s.Git, report.Event{When: c.Author.When, Who: c.Author.Name, Commit: c.ID.String(), Subject: firstLine(c.Message)})
				return nil
			}
		}
		return nil
	})
}

// stateOf says what the sides say of an object, in a sentence.
func (p *pass) stateOf(k resource.Key) string {
	env := report.Value(p.Name)
	base, want, live := p.baseNow().Hash(k), p.want.snapshot().Hash(k), p.seen.Hash(k)
	switch {
	case want.IsZero() && live.IsZero():
		return "Neither Git nor " + env + " has it."
	case !p.sees(k):
		return "It could not be read from " + env + "."
	case want == live:
		return "Git and " + env + " agree on it."
	case p.rules.Ignored(k):
		return "The rules say that it is ignored."
	case p.silent(k, live):
		return "It was changed by hand, and somebody said to leave that so."
	case live == base:
		if h, failed := p.failedHold(k, want); failed {
			return "Git wants something else, which failed in deployment " + report.Value(h.Deployment) + " and is held."
		}
		return "Git wants something else, which is to be deployed."
	case want == base:
		if n := p.proposalOf(k); n > 0 {
			return fmt.Sprintf("It was changed by hand, which #%d proposes to Git.", n)
		}
		return "It was changed by hand."
	}
	return "Both Git and " + env + " changed it."
}

// wakeForOverride asks for a pass at the time from which an override counts.
func (p *pass) wakeForOverride() {
	o := p.st.decisions.Override
	if o == nil || !p.start.Before(o.After) {
		return
	}
	p.wakeAt(o.After)
}
