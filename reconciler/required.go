package reconciler

import (
	"context"
	"maps"
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
)

// checkOurs gives the open pull requests of driftback the status that branch protection may require of all. Other environments
// give theirs too.
func (p *pass) checkOurs(ctx context.Context, open []forge.Pull) error {
	is := map[int]bool{}
	for _, pull := range open {
		if !p.ours(pull) {
			continue
		}
		is[pull.Number] = true
		if err := p.check(ctx, pull); err != nil {
			return err
		}
	}
	gone := func(n int) bool { return !is[n] }
	maps.DeleteFunc(p.st.seen.Checked, func(n int, _ told) bool { return gone(n) })
	maps.DeleteFunc(p.checkedAt, func(n int, _ string) bool { return gone(n) })
	return nil
}

// forgetChecks forgets the statuses of pull requests of which somebody asked for them again.
func (p *pass) forgetChecks() {
	p.againMu.Lock()
	heads := p.again
	p.again = nil
	p.againMu.Unlock()
	for n, t := range p.st.seen.Told {
		if slices.Contains(heads, t.Head.String()) {
			t.Check, t.RadarCheck = "", ""
			p.setTold(n, t)
			delete(p.previewed, n)
		}
	}
	for n, t := range p.st.seen.Checked {
		if slices.Contains(heads, t.Head.String()) {
			delete(p.st.seen.Checked, n)
			delete(p.checkedAt, n)
		}
	}
}

// check gives a pull request of driftback the status of its plan, where the operator says that it is required
// (Announce.Untouched). There is no comment: what it says stands in its text. It is called before such a one is merged, too,
// which the forge would refuse without.
func (p *pass) check(ctx context.Context, pull forge.Pull) error {
	if !p.Announce.Untouched || p.Announce.Off {
		return nil
	}
	if tip := p.git["refs/heads/"+pull.Head]; !tip.IsZero() {
		pull.HeadID = tip.String() // the forge may not have seen our push yet
	}
	head, err := gitstore.ParseID(pull.HeadID)
	inputs := p.inputs(pull)
	if err != nil || p.checkedAt[pull.Number] == inputs {
		return nil
	}
	v, err := p.preview(pull)
	if err != nil {
		return p.later(ctx, "plan", pull.Number, err)
	}
	t := p.st.seen.Checked[pull.Number]
	if t.Head != head {
		t = told{Head: head}
	}
	a := p.planAnnouncement(v, &t)
	a.body = ""
	done, err := p.tell(ctx, pull.Number, head, a)
	if err != nil || !done {
		return err
	}
	if p.st.seen.Checked == nil {
		p.st.seen.Checked = map[int]told{}
	}
	if p.checkedAt == nil {
		p.checkedAt = map[int]string{}
	}
	p.st.seen.Checked[pull.Number], p.checkedAt[pull.Number] = t, inputs
	return nil
}
