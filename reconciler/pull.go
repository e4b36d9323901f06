package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/plan"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// whoChanged tells who gave the objects the values that they have: from the platform's word,
// else from the live branch's trailers.
func (p *pass) whoChanged(over resource.Overlay) map[resource.Key]attribution {
	out := make(map[resource.Key]attribution, len(over))
	open := map[resource.Key]bool{}
	for k, r := range over {
		a := attribution{}
		if r != nil && r.Origin != nil && p.Attribution != "none" {
			a = attribution{Who: r.Origin.Who, Email: r.Origin.Email, When: r.Origin.When, AuditID: r.Origin.AuditID}
		}
		out[k] = a
		open[k] = a.Who == "" || a.When.IsZero()
	}
	p.fromHistory(out, open)
	return out
}

// fromHistory completes attributions from the commits of the live branch that made the values.
// It is a courtesy: what cannot be found stays unknown.
func (p *pass) fromHistory(out map[resource.Key]attribution, open map[resource.Key]bool) {
	history := liveHistory{p: p}
	for _, k := range slices.SortedFunc(maps.Keys(open), resource.Key.Compare) {
		if !open[k] {
			continue
		}
		find := func() (gitstore.Commit, bool, error) { return history.change(k) }
		if was := p.asWas[k]; was != nil {
			find = func() (gitstore.Commit, bool, error) { return history.changeTo(k, was.Spec.Hash()) }
		}
		c, ok, err := find()
		if err != nil {
			return
		}
		if !ok {
			continue
		}
		t, a := report.ParseTrailers(c.Message), out[k]
		if a.Who == "" {
			a.Who, a.Email, a.AuditID, a.With = t.Who, t.Email, t.AuditID, t.Application
		}
		if a.When.IsZero() {
			a.When = t.When
		}
		out[k] = a
	}
}

// ensurePull makes the forge show the proposal, and merges it where people accepted it. fresh says that it was not built anew.
func (p *pass) ensurePull(ctx context.Context, pr proposal, items []Item, fresh bool) error {
	have, err := p.openPull(ctx, pr)
	if err != nil {
		return err
	}
	text, err := p.pullText(pr, items)
	if err != nil {
		return err
	}
	if have == nil || have.Draft { // what people take for ready stays so
		text.Unread = p.unread()
	}
	ready := fresh && have != nil && calledReady(*have)
	want := forge.Pull{
		Head: pr.Branch, Base: p.Branch, State: forge.Open, Title: p.conceal(text.Title()), Body: p.conceal(text.Body(maxBody)),
		Draft: len(text.Guard)+len(text.Unread) > 0 && !pr.Accepted && !ready, Labels: []string{"drift", p.label()},
	}
	if len(text.Guard) > 0 {
		want.Labels = append(want.Labels, "guard")
	}
	want.Reviewers = p.reviewers(pr, text)
	if have != nil && pr.Number+p.numbers[pr.Head] == 0 {
		if err := p.reopened(ctx, *have); err != nil {
			return err
		}
	}
	if have == nil || !samePull(*have, want) {
		if err := p.effect(ctx); err != nil {
			return err
		}
		got, err := p.r.c.Forge.EnsurePull(ctx, want)
		if err != nil {
			return err
		}
		if have == nil {
			p.log.Info("proposed what was changed on the platform", "pull", got.Number, "objects", len(items))
		}
		have = &got
	}
	if len(p.numbers) > 100 {
		clear(p.numbers)
	}
	p.numbers[pr.Head] = have.Number
	p.report.Pulls = append(p.report.Pulls, *have)
	if !pr.Accepted {
		return nil
	}
	if err := p.check(ctx, *have); err != nil {
		return err
	}
	return p.mergeAccepted(ctx, pr, have.Number)
}

// label is that of the environment. Forges take no label of more than 50 characters.
func (p *pass) label() string {
	l := "env/" + p.Name // which is ASCII
	return l[:min(len(l), 50)]
}

// calledReady reports whether somebody called ready what a guard had made a draft, or the forge has no drafts. What is proposed
// anew after that is looked at anew.
func calledReady(have forge.Pull) bool { return !have.Draft && hasLabel(have.Labels, "guard") }

func (p *pass) openPull(ctx context.Context, pr proposal) (*forge.Pull, error) {
	pulls, err := p.r.c.Forge.Pulls(ctx, forge.Filter{Head: pr.Branch, State: forge.Open})
	if err != nil || len(pulls) == 0 {
		return nil, err
	}
	return &pulls[0], nil
}

// samePull reports whether a pull request is as it is wanted. Labels and reviewers that people added are theirs.
func samePull(have, want forge.Pull) bool {
	return have.Title == want.Title && forge.SameText(have.Body, want.Body) && have.Draft == want.Draft && have.Base == want.Base &&
		hasLabels(have.Labels, want.Labels) && hasLabel(have.Labels, "guard") == hasLabel(want.Labels, "guard")
}

func hasLabels(have, want []string) bool {
	return !slices.ContainsFunc(want, func(l string) bool { return !hasLabel(have, l) })
}

func hasLabel(labels []string, l string) bool {
	return slices.ContainsFunc(labels, func(has string) bool { return strings.EqualFold(has, l) })
}

// mergeAgain is how soon a merge is asked for again where the forge knows another head: GitHub takes a moment to see what was pushed.
const mergeAgain = 5 * time.Second

// mergeAccepted merges exactly what was proposed. What the forge refuses is left for a reviewer, and
// not asked for again before the tracked branch moves.
func (p *pass) mergeAccepted(ctx context.Context, pr proposal, number int) error {
	if pr.Left == p.head {
		return nil
	}
	if err := p.effect(ctx); err != nil {
		return err
	}
	_, err := p.r.c.Forge.Merge(ctx, number, pr.Head.String(), "")
	if p.mergedNow == nil {
		p.mergedNow = map[string]bool{}
	}
	switch {
	case err == nil:
		p.report.Again = 1 // the merge is a commit that the next pass decides on
		p.mergedNow[pr.Branch] = true
		return nil
	case errors.Is(err, forge.ErrMoved):
		p.mergedNow[pr.Branch] = false
		p.wakeAt(p.r.c.Clock.Now().Add(mergeAgain)) // a person pushed to it just now, or the forge has not seen our push yet
		return nil
	case !isRefusal(err):
		return err
	}
	for i := range p.st.seen.Proposals {
		if mine := &p.st.seen.Proposals[i]; mine.Branch == pr.Branch && mine.Head == pr.Head {
			mine.Left = p.head
		}
	}
	if err := p.effect(ctx); err != nil {
		return err
	}
	return p.r.c.Forge.EnsureComment(ctx, number, "accept", "Accepted, and left for a reviewer to merge: "+report.Value(p.conceal(err.Error()))+".")
}

func (p *pass) pullText(pr proposal, items []Item) (report.Pull, error) {
	text := report.Pull{Environment: p.Name, Init: pr.Init, Commands: !p.Announce.Off, Withheld: p.withheld, Held: p.heldForPeople(), Others: p.othersAtWork(items)}
	over := resource.Overlay{}
	for _, it := range items {
		r, err := p.lastSeen(it.Key)
		if err != nil {
			return text, err
		}
		over[it.Key] = r
	}
	who := p.whoChanged(over)
	var changes []resource.Change
	for _, it := range items {
		before, err := p.want.snapshot().Resource(it.Key)
		if err != nil {
			return text, err
		}
		a := who[it.Key]
		o := report.Object{
			Change: resource.Change{Before: before, After: over[it.Key]}, Schema: p.schemas[it.Key.Kind],
			Who: a.Who, Email: a.Email, When: a.When, AuditID: a.AuditID, Application: a.With, Conflicts: it.Conflicts,
		}
		if !it.Partner.IsZero() {
			if over[it.Key] == nil {
				o.Note = "renamed to " + it.Partner.Name
			} else {
				o.Note = "renamed from " + it.Partner.Name
			}
		}
		if o.Change.Before == nil && o.Change.After == nil {
			continue // gone on both sides: a conflict with base only
		}
		changes = append(changes, o.Change)
		text.Objects = append(text.Objects, o)
	}
	if !pr.Init {
		text.Guard = breachTexts(p.Guard.Check(changes, p.want.snapshot().Len()))
	}
	return text, nil
}

func breachTexts(bs []plan.Breach) []string {
	var out []string
	for _, b := range bs {
		out = append(out, b.String())
	}
	return out
}

// withdraw closes those of our pull requests that propose nothing any more: live agrees with Git again, people said to leave it, or
// what they proposed stands in another one.
func (p *pass) withdraw(ctx context.Context, shares []share) error {
	var left, over []proposal
	for i, pr := range p.st.seen.Proposals {
		needed := slices.ContainsFunc(shares, func(s share) bool { return s.slot == i && maps.Equal(pr.Keys, keysOf(s.items)) })
		if needed || pr.Foreign && !pr.Closed || pr.Closed && p.stillSilenced(pr) {
			left = append(left, pr)
			continue
		}
		over = append(over, pr)
	}
	for _, pr := range over {
		open, err := p.closePull(ctx, pr, p.whyWithdrawn(pr, left))
		if err != nil {
			return fmt.Errorf("withdraw %s: %w", pr.Branch, err)
		}
		if p.wereOpen[pr.Branch] && !open {
			left = append(left, pr) // people decided about it, and the forge listed it as it was before: the next pass hears of that
			p.wakeAt(p.r.c.Clock.Now().Add(mergeAgain))
		}
	}
	p.st.seen.Proposals = left
	for _, branch := range p.st.seen.Orphans {
		if slices.ContainsFunc(left, func(pr proposal) bool { return pr.Branch == branch && !pr.Closed }) {
			continue
		}
		pr := proposal{Branch: branch}
		if _, err := p.closePull(ctx, pr, p.whyWithdrawn(pr, left)); err != nil {
			return fmt.Errorf("withdraw %s: %w", branch, err)
		}
	}
	p.st.seen.Orphans = nil
	return nil
}

// whyWithdrawn says why a proposal is over, while others are left.
func (p *pass) whyWithdrawn(pr proposal, left []proposal) string {
	silent, reverted, over := false, false, false
	for _, k := range sortedResourceKeys(pr.Keys) {
		for _, other := range left {
			n := cmp.Or(other.Number, p.numbers[other.Head])
			if _, ok := other.Keys[k]; ok && !other.Closed && n != 0 {
				return fmt.Sprintf("Closed: what is left of this is proposed in #%d.", n)
			}
		}
		_, back := p.st.decisions.Reverted[k]
		silent, reverted = silent || p.silent(k, pr.Keys[k]), reverted || back
		over = over || !p.sees(k) && p.overtaken(k, pr.Keys[k])
	}
	switch {
	case over:
		return fmt.Sprintf("Closed: what this proposes was deployed over. What `%s` has by now was not read yet, and is proposed anew where it is not what Git says.", p.Name)
	case silent:
		return fmt.Sprintf("Closed: somebody said to leave `%s` as it is here, so there is nothing left to decide.", p.Name)
	case reverted:
		return fmt.Sprintf("Closed: somebody said that Git is right, and `%s` is to be put back, so there is nothing left to decide here.", p.Name)
	}
	return fmt.Sprintf("Closed: `%s` and Git agree on these objects again, so there is nothing left to decide here.", p.Name)
}

// stillSilenced reports whether anything that a version of the proposal says is silenced.
func (p *pass) stillSilenced(pr proposal) bool {
	for _, v := range pr.versions() {
		for k, h := range v.Keys {
			if was, ok := p.st.decisions.Silenced[k]; ok && was == h {
				return true
			}
		}
	}
	return false
}

// closedComment is the key of the comment by which we tell our own closing from a person's.
const closedComment = "closed"

// closedByUs reports whether a pull request that is closed was withdrawn by us.
func (p *pass) closedByUs(ctx context.Context, pull forge.Pull) (bool, error) {
	comments, err := p.r.c.Forge.Comments(ctx, pull.Number)
	return slices.ContainsFunc(comments, func(c forge.Comment) bool { return c.Key == closedComment }), err
}

// reopened takes back the word of our closing from a pull request that is open after all, so that the
// next closing is a person's.
func (p *pass) reopened(ctx context.Context, pull forge.Pull) error {
	if ours, err := p.closedByUs(ctx, pull); err != nil || !ours {
		return err
	}
	if err := p.effect(ctx); err != nil {
		return err
	}
	return p.r.c.Forge.EnsureComment(ctx, pull.Number, closedComment, "")
}

// closePull closes the pull request of a proposal, and reports whether it was open.
func (p *pass) closePull(ctx context.Context, pr proposal, why string) (open bool, err error) {
	if pr.Closed {
		return false, nil
	}
	have, err := p.openPull(ctx, pr)
	if err != nil || have == nil {
		return false, err
	}
	if err := p.effect(ctx); err != nil {
		return false, err
	}
	if err := p.r.c.Forge.EnsureComment(ctx, have.Number, closedComment, why); err != nil {
		return false, err
	}
	if err := p.effect(ctx); err != nil {
		return false, err
	}
	have.State = forge.Closed
	got, err := p.r.c.Forge.EnsurePull(ctx, *have)
	return got.State == forge.Closed, err
}
