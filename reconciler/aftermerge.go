package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// deployed is a deployment that ended, as the forge is told of it.
type deployed struct {
	ID     string      `json:"id"`
	Commit gitstore.ID `json:"commit"`
	// Since is the commit of the last one before that did not fail; of the first, the one decided on before it.
	Since  gitstore.ID `json:"since,omitzero"`
	Failed bool        `json:"failed,omitempty"`
	Text   string      `json:"text,omitempty"` // of a status
	Said   string      `json:"said,omitempty"` // the state that the forge was told last
}

const (
	maxDeployed = 10   // deployments that are remembered
	maxStatuses = 50   // commits of a range that get a status
	maxResult   = 2000 // objects of a merged pull request that are looked after
)

// noteDeployed remembers the journal's deployment, which ended, in the working state: the forge is told at the end of the pass.
func (p *pass) noteDeployed(cause string) {
	j := p.st.journal
	d := deployed{ID: j.ID, Commit: j.Commit, Since: j.Since, Text: "deployed and verified"}
	if cause != "" {
		d.Failed, d.Text = true, forge.CleanDescription("undone: "+firstLine(cause))
	}
	for _, before := range p.st.seen.Deployed {
		if !before.Failed {
			d.Since = before.Commit
		}
	}
	all := append(slices.Clone(p.st.seen.Deployed), d)
	p.st.seen.Deployed = all[max(0, len(all)-maxDeployed):]
}

// underWay tells the forge that a deployment has begun to change the platform. It is a courtesy, said after the first change.
func (p *pass) underWay(ctx context.Context) {
	if p.Announce.Off || p.effect(ctx) != nil {
		return
	}
	j := p.st.journal
	err := p.r.c.Forge.EnsureDeployment(ctx, forge.Deployment{ID: j.ID, Environment: p.Name, Commit: j.Commit.String(), State: "in_progress",
		Description: fmt.Sprintf("%d changes", len(j.Steps)), URL: p.logURL()})
	if err != nil {
		p.log.Warn("announce", "deployment", j.ID, "error", err)
	}
}

// logURL is the page of what a deployment did: the history of the live branch tells each with its outcome. Empty where there is none.
func (p *pass) logURL() string {
	branch, ok := strings.CutPrefix(p.refs.live, "refs/heads/")
	if !ok {
		return ""
	}
	return branchURL(p.r.c.Forge, branch)
}

// announceDeployments tells the forge how deployments ended, and what waits to be deployed. Each is told as it is by now, so
// that telling it again after a crash changes nothing.
func (p *pass) announceDeployments(ctx context.Context) error {
	all := slices.Clone(p.st.seen.Deployed)
	newer := false // one after it did well
	told := map[gitstore.ID]bool{}
	for i, d := range slices.Backward(all) {
		state := "success"
		switch {
		case d.Failed:
			state = "failure"
		case newer:
			state = "inactive"
		}
		newer = newer || !d.Failed
		if d.Said != state {
			done, err := p.announceDeployed(ctx, d, state, told)
			if err != nil {
				return err
			}
			if done {
				all[i].Said = state
				p.st.seen.Deployed = all
			}
		}
		told[d.Commit] = true
	}
	return p.announceQueued(ctx)
}

// announceDeployed tells of one deployment, and of its commits but for those of which a later one has told.
func (p *pass) announceDeployed(ctx context.Context, d deployed, state string, told map[gitstore.ID]bool) (bool, error) {
	all, err := p.ensureDeployment(ctx, d, state)
	if err != nil || state == "inactive" && d.Said != "" {
		return all, err
	}
	ids, err := p.deployedCommits(d)
	if err != nil {
		return false, p.later(ctx, "commits of a deployment", 0, err)
	}
	status := forge.Status{Context: "driftback/" + p.Name, State: "success", Description: d.Text, URL: p.logURL()}
	if d.Failed {
		status.State = "failure"
	}
	for _, id := range ids {
		if told[id] {
			continue
		}
		done, err := p.say(ctx, "status", 0, func() error { return p.r.c.Forge.SetStatus(ctx, id.String(), status) })
		if err != nil {
			return false, err
		}
		told[id] = true
		all = all && done
	}
	return all, nil
}

func (p *pass) ensureDeployment(ctx context.Context, d deployed, state string) (done bool, err error) {
	return p.say(ctx, "deployment", 0, func() error {
		return p.r.c.Forge.EnsureDeployment(ctx, forge.Deployment{ID: d.ID, Environment: p.Name, Commit: d.Commit.String(), State: state, Description: d.Text, URL: p.logURL()})
	})
}

// deployedCommits are the commits of which a deployment's outcome is that of each: the one deployed, and where it did well
// those since the last one that did, but for those that changed what is held.
func (p *pass) deployedCommits(d deployed) ([]gitstore.ID, error) {
	ids := []gitstore.ID{d.Commit}
	if d.Failed || d.Since.IsZero() || d.Since == d.Commit {
		return ids, nil
	}
	held := map[resource.Key]bool{}
	for _, h := range p.st.decisions.Holds {
		for k := range h.all() {
			held[k] = true
		}
	}
	err := p.store.Log(d.Commit, []gitstore.ID{d.Since}, func(c gitstore.Commit) error {
		if c.ID == d.Commit {
			return nil
		}
		if len(ids) == maxStatuses {
			return gitstore.ErrStop
		}
		if len(held) > 0 && len(c.Parents) > 0 {
			changed, err := p.wantChanged(c.Parents[0], c.ID)
			if err != nil {
				return err
			}
			for k := range changed {
				if held[k] {
					return nil
				}
			}
		}
		ids = append(ids, c.ID)
		return nil
	})
	if errors.Is(err, gitstore.ErrMissing) {
		return ids, nil // history was rewritten since
	}
	return ids, err
}

// announceQueued tells the forge of a plan that waits for people or for a window, once.
func (p *pass) announceQueued(ctx context.Context) error {
	id, text := "", ""
	var waiting []string
	for _, t := range p.report.Held {
		switch t.Gate {
		case GateMode, GateImport, GateFailed, GateOrder, GateBroken:
		default:
			text = forge.CleanDescription(t.Reason)
			waiting = append(waiting, t.Key.String(), p.want.snapshot().Hash(t.Key).String())
		}
	}
	if len(waiting) > 0 {
		id = "waits-" + digest(waiting...)
	}
	was := p.st.seen.Queued
	if was != nil && was.ID != id {
		done, err := p.ensureDeployment(ctx, *was, "inactive")
		if err != nil || !done {
			return err
		}
		p.st.seen.Queued, was = nil, nil
	}
	if id == "" || was != nil && was.Said == "queued" {
		return nil
	}
	if was == nil {
		was = &deployed{ID: id, Commit: p.head, Text: text}
		p.st.seen.Queued = was
		// It is written down before it is told: whoever comes next knows what is to be taken back.
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	done, err := p.ensureDeployment(ctx, *was, "queued")
	if done {
		told := *was
		told.Said = "queued"
		p.st.seen.Queued = &told
	}
	return err
}

// announceMerges looks after the pull requests that were told something and are no longer open: those that were merged are told
// what became of them.
func (p *pass) announceMerges(ctx context.Context, open []forge.Pull, d Decision) error {
	isOpen := map[int]bool{}
	for _, pull := range open {
		isOpen[pull.Number] = true
	}
	for _, n := range sortedKeys(p.st.seen.Told) {
		t := p.st.seen.Told[n]
		if isOpen[n] && t.Merged.IsZero() {
			continue
		}
		if t.Merged.IsZero() {
			keep, err := p.closedOrMerged(ctx, n, &t)
			if err != nil {
				return err
			}
			if !keep {
				delete(p.st.seen.Told, n)
				delete(p.st.decisions.Waits, n)
				continue
			}
			p.setTold(n, t)
		}
		if t.Merged.IsZero() {
			continue
		}
		if err := p.announceResult(ctx, n, t, d); err != nil {
			return err
		}
	}
	return nil
}

// lookFor selects pull requests among which one is that was told something: those of its branch. By the branches of forks no
// forge selects: one of theirs is among the newest that were merged, or over.
func (p *pass) lookFor(t told) forge.Filter {
	if t.Fork {
		return forge.Filter{State: forge.Merged, Base: p.Branch, Newest: maxNewest}
	}
	return forge.Filter{Head: t.Branch}
}

// closedOrMerged finds out what became of a pull request, and reports whether it is still to be looked after.
func (p *pass) closedOrMerged(ctx context.Context, n int, t *told) (keep bool, err error) {
	pulls, err := p.r.c.Forge.Pulls(forge.Recent(ctx), p.lookFor(*t))
	if err != nil {
		return true, p.later(ctx, "what became of it", n, err)
	}
	keep, err = p.ended(pulls, n, t)
	if err != nil {
		return true, p.later(ctx, "what it changed", n, err)
	}
	return keep, nil
}

// ended looks in pulls for what became of pull request n.
func (p *pass) ended(pulls []forge.Pull, n int, t *told) (keep bool, err error) {
	i := slices.IndexFunc(pulls, func(pull forge.Pull) bool { return pull.Number == n })
	if i < 0 || pulls[i].Base != p.Branch || pulls[i].State == forge.Closed {
		return false, nil
	}
	at, err := gitstore.ParseID(pulls[i].MergeCommit)
	if pulls[i].State != forge.Merged || err != nil {
		return pulls[i].State == forge.Open, nil // opened again while we looked
	}
	if in, err := p.store.IsAncestor(at, p.head); err != nil || !in {
		return true, nil // it came in while this pass was under way
	}
	if t.Keys, err = p.broughtIn(at, t.Head); err != nil {
		return true, err
	}
	t.Merged = at
	if w, ok := p.st.decisions.Waits[n]; ok {
		w.Keys = t.Keys
		p.st.decisions.Waits[n] = w
	}
	return true, nil
}

// broughtIn are the objects that a merged pull request changed, with what Git wanted of them then. at is the last commit by
// which it came in; of a rebase there are several.
func (p *pass) broughtIn(at, head gitstore.ID) (map[resource.Key]resource.Hash, error) {
	c, err := p.store.CommitAt(at)
	if err != nil {
		return nil, err
	}
	if len(c.Parents) == 0 {
		return nil, nil
	}
	before := c.Parents[0]
	if len(c.Parents) == 1 && !p.Announce.Off { // squashed or rebased: as many commits as have the same messages
		m, err := p.mergeRange(proposal{Head: head, Base: p.forkPoint(before, head)}, head, at)
		if err != nil {
			return nil, err
		}
		before = m.before
	}
	keys, err := p.wantChanged(before, at)
	if err != nil {
		return nil, err
	}
	for _, k := range sortedResourceKeys(keys)[min(len(keys), maxResult):] {
		delete(keys, k)
	}
	return keys, nil
}

// forkPoint is where a branch left another; zero where that is not known.
func (p *pass) forkPoint(onto, head gitstore.ID) gitstore.ID {
	base, err := p.store.MergeBase(onto, head)
	if err != nil {
		return gitstore.ID{}
	}
	return base
}

// announceResult tells a merged pull request what became of it, and forgets it when nothing more is to come.
func (p *pass) announceResult(ctx context.Context, n int, t told, d Decision) error {
	r, ready := p.resultOf(t, d)
	if !ready {
		return nil
	}
	if r.Replaced && t.Failed {
		delete(p.st.seen.Told, n) // what was said stays true
		delete(p.st.decisions.Waits, n)
		return nil
	}
	body := p.conceal(r.Body())
	if len(t.Keys) == 0 {
		body = "" // it changed no object
	}
	if said := digest(body); said != t.Result && body != "" {
		done, err := p.say(ctx, "result", n, func() error { return p.r.c.Forge.EnsureComment(ctx, n, "result/"+p.Name, body) })
		if err != nil || !done {
			return err
		}
		t.Result = said
	}
	if r.Done() {
		delete(p.st.seen.Told, n)
		delete(p.st.decisions.Waits, n)
		return nil
	}
	t.Failed, t.PlanID = r.Failed != "", r.Plan
	p.setTold(n, t)
	return nil
}

// resultOf says what became of a merged pull request; it is not ready while that is not decided.
func (p *pass) resultOf(t told, d Decision) (report.Result, bool) {
	r := report.Result{Environment: p.Name, Commit: t.Merged.String(), Objects: len(t.Keys)}
	items, held, why := map[resource.Key]Item{}, map[resource.Key]Trouble{}, map[string]int{}
	for _, it := range d.Items {
		items[it.Key] = it
	}
	for _, h := range p.report.Held {
		held[h.Key] = h
	}
	replaced, ready, waits := 0, true, map[resource.Key]bool{}
	want := p.want.snapshot()
	for _, k := range sortedResourceKeys(t.Keys) {
		it, differs := items[k]
		switch h, failed := p.failedHold(k, t.Keys[k]); {
		case want.Hash(k) != t.Keys[k]:
			replaced++
		case failed:
			r.Failed, r.Deployment = h.Reason, h.Deployment
			r.Names = append(r.Names, k)
		case !differs:
		case it.Verdict == Conflict:
			why["both sides changed it, and somebody has to decide"]++
			r.Names = append(r.Names, k)
		case held[k].Reason != "":
			why[held[k].Reason]++
			waits[k] = true
			r.Names = append(r.Names, k)
		case it.Verdict == Deploy, it.Verdict == Merge:
			ready = false
		}
	}
	r.Plan = p.report.override(waits)
	if r.Failed != "" {
		r.Revert = p.revertOf(r.Deployment)
		return r, true
	}
	for _, w := range sortedKeys(why) {
		r.Held = append(r.Held, report.Reason{Why: w, Objects: why[w]})
	}
	slices.SortStableFunc(r.Held, func(a, b report.Reason) int { return cmp.Compare(b.Objects, a.Objects) })
	r.Replaced = replaced > 0 && replaced == len(t.Keys)
	if len(r.Held) == 0 && !r.Replaced {
		r.Deployment = p.deployedIn(t.Merged)
	}
	return r, ready
}

// failedHold returns the hold of an object with this value that failed, or that belongs to what did.
func (p *pass) failedHold(k resource.Key, want resource.Hash) (Hold, bool) {
	for _, h := range p.st.decisions.Holds {
		if was, ok := h.all()[k]; ok && was == want {
			return h, true
		}
	}
	return Hold{}, false
}

// revertOf is the number of the open pull request that takes back what failed in a deployment; zero where there is none.
func (p *pass) revertOf(deployment string) int {
	for _, r := range p.st.seen.Reverts {
		if r.ID != deployment {
			continue
		}
		for _, pull := range p.report.Pulls {
			if pull.Head == r.Branch {
				return pull.Number
			}
		}
	}
	return 0
}

// deployedIn is the first deployment that had the commit and did well; empty where there was none.
func (p *pass) deployedIn(commit gitstore.ID) string {
	for _, d := range p.st.seen.Deployed {
		if d.Failed {
			continue
		}
		if in, err := p.store.IsAncestor(commit, d.Commit); err == nil && in {
			return d.ID
		}
	}
	return ""
}

// heldMerges finds out, before anything is deployed, whether a pull request came in of which somebody said that it is to
// wait. It asks the forge only where there is one that is still open.
func (p *pass) heldMerges(ctx context.Context) error {
	if p.st.seen.Head == p.head || p.dry {
		return nil
	}
	for _, n := range sortedKeys(p.st.decisions.Waits) {
		t, ok := p.st.seen.Told[n]
		if !ok || !t.Merged.IsZero() {
			continue
		}
		pulls, err := p.r.c.Forge.Pulls(ctx, p.lookFor(t))
		if err != nil {
			return fmt.Errorf("pull request %d, which is to wait: %w", n, err)
		}
		if _, err := p.ended(pulls, n, &t); err != nil {
			return fmt.Errorf("pull request %d, which is to wait: %w", n, err)
		}
		p.setTold(n, t)
	}
	return nil
}
