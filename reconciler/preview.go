package reconciler

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/files"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// A preview is what merging a pull request would do to this environment. It is made by the functions that
// decide after a merge, on what the merge would come to, so that it cannot say anything else than they do.
type preview struct {
	pull    forge.Pull
	touches bool // it changes files of the environment; else the rest is empty
	paths   map[string]bool
	text    report.Preview
	// keys are the objects of which Git would want something else, with what.
	keys    map[resource.Key]resource.Hash
	items   map[resource.Key]Item // what would be decided of all objects
	merged  *pass                 // as if it were merged; nil where it cannot be
	planID  string                // of what somebody would have to let pass; empty where nothing waits
	remarks []forge.Annotation
}

// preview plans a pull request as it would be merged now.
func (p *pass) preview(pull forge.Pull) (*preview, error) {
	v := &preview{pull: pull, paths: map[string]bool{}, keys: map[resource.Key]resource.Hash{}, items: map[resource.Key]Item{}}
	v.text.Environment = p.Name
	head, err := gitstore.ParseID(pull.HeadID)
	if err != nil {
		return v, nil // its branch is gone
	}
	from, err := p.store.MergeBase(p.head, head)
	if errors.Is(err, gitstore.ErrMissing) {
		return v, nil // its head could not be fetched
	}
	if err != nil {
		return nil, err
	}
	if err := p.touched(v, from, head); err != nil || len(v.paths) == 0 {
		return v, err
	}
	v.touches = true
	if from.IsZero() {
		v.text.Refused = "its history has nothing in common with the tracked branch"
		return v, nil
	}
	at, err := p.mergedAt(v, from, head)
	if err != nil || at.IsZero() {
		return v, err
	}
	want, err := p.want.at(p.store, at)
	if err != nil {
		return nil, err
	}
	v.merged = p.asIf(want)
	return v, p.plan(v)
}

// touched notes which files of the environment the pull request changes.
func (p *pass) touched(v *preview, from, head gitstore.ID) error {
	for _, prefix := range append(p.want.layout.Prefixes(), path.Join(p.Path, rulesFile)) {
		err := p.store.Diff(from, head, prefix, func(d gitstore.Delta) error { v.paths[d.Path] = true; return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// mergedAt returns a commit that is what merging would come to; zero where it does not merge.
func (p *pass) mergedAt(v *preview, from, head gitstore.ID) (gitstore.ID, error) {
	if from == p.head {
		return head, nil
	}
	m, err := p.store.Merge(p.head, head)
	if err != nil {
		return gitstore.ID{}, err
	}
	var ours []string
	for _, c := range m.Conflicts {
		if v.paths[c.Path] {
			ours = append(ours, c.Path)
		}
	}
	if len(ours) > 0 {
		v.text.Refused = fmt.Sprintf("it does not merge cleanly: %s", strings.Join(ours[:min(len(ours), 5)], ", "))
		return gitstore.ID{}, nil
	}
	parents, author := []gitstore.ID{p.head, head}, gitstore.Signature{When: p.start}
	if len(m.Conflicts) == 0 {
		c, err := p.store.CommitTree(m.Tree, parents, author, "merge preview")
		return c.ID, err
	}
	c, err := p.store.Write(p.head, parents, m.Edit, author, "merge preview")
	return c.ID, err
}

// asIf is a pass that decides as this one would if Git wanted something else. It must change nothing outside itself.
func (p *pass) asIf(want treeAt) *pass {
	e := &environment{
		Environment: p.Environment, r: p.r, log: slog.New(slog.DiscardHandler), kinds: p.kinds, schemas: p.schemas, raw: p.raw, refs: p.refs,
		want: want, base: p.base, live: p.live, state: p.environment.state, numbers: map[gitstore.ID]int{},
	}
	e.Windows = nil // when it is merged is not known: the plan names the windows
	return &pass{
		environment: e, store: p.store, start: p.start, dry: true, git: maps.Clone(p.git), head: want.commit, st: p.st.clone(),
		rules: p.rules, baseUp: maps.Clone(p.baseUp), seen: p.seen, withheld: p.withheld,
	}
}

// plan fills in what would be decided, held and deployed.
func (p *pass) plan(v *preview) error {
	q := v.merged
	for k, h := range differing(p.want.snapshot(), p.want.snapshot(), q.want.snapshot()) {
		if !h.live.IsZero() || q.want.snapshot().Covers(k) {
			v.keys[k] = h.live
		}
	}
	if err := p.asAccepted(v); err != nil {
		return err
	}
	d, err := q.decide()
	if err != nil {
		return err
	}
	if p.drifts(v, d) { // people may have accepted by hand what is merged in between
		if err := q.caughtUp(nil); err != nil {
			return err
		}
		if d, err = q.decide(); err != nil {
			return err
		}
	}
	for _, it := range d.Items {
		v.items[it.Key] = it
	}
	if _, err := q.gate(d); err != nil {
		return err
	}
	ours := make(map[resource.Key]bool, len(v.keys))
	for k := range v.keys {
		ours[k] = true
	}
	v.planID = q.report.override(ours)
	if err := p.planned(v); err != nil {
		return err
	}
	v.held()
	p.problems(v)
	p.notes(v)
	v.text.Bound = v.bound(p)
	return nil
}

// asAccepted moves base as merging a proposal of ours will, also one that people edited.
func (p *pass) asAccepted(v *preview) error {
	if !p.ours(v.pull) {
		return nil
	}
	i := slices.IndexFunc(p.st.seen.Proposals, func(pr proposal) bool { return pr.Branch == v.pull.Head && !pr.Closed })
	if i < 0 {
		return nil
	}
	as, err := p.asDecided(p.st.seen.Proposals[i], v.pull.HeadID)
	if err != nil {
		return err
	}
	v.merged.cameIn = map[resource.Key]gitstore.ID{}
	return v.merged.accepted(as, merged{before: p.head, after: v.merged.head})
}

// drifts reports whether the decision on an object of the pull request depends on what was changed by hand.
func (p *pass) drifts(v *preview, d Decision) bool {
	return slices.ContainsFunc(d.Items, func(it Item) bool {
		_, ours := v.keys[it.Key]
		return ours && it.Verdict != Deploy
	})
}

// planned lists the objects: those of the plan in its order, then the others by key.
func (p *pass) planned(v *preview) error {
	var order []resource.Key
	for _, s := range v.merged.report.Plan.Steps {
		order = append(order, s.Object)
	}
	order = append(order, sortedResourceKeys(v.keys)...)
	done := map[resource.Key]bool{}
	for _, k := range order {
		if _, ours := v.keys[k]; !ours || done[k] {
			continue
		}
		done[k] = true
		it := v.items[k]
		if !it.Partner.IsZero() && it.After == nil && v.items[it.Partner].After != nil {
			continue // told by the name that appears
		}
		o, err := p.plannedObject(v, k, it)
		if err != nil {
			return fmt.Errorf("plan %s: %w", k, err)
		}
		if o.Change.Before == nil && o.Change.After == nil {
			continue
		}
		v.text.Objects = append(v.text.Objects, o)
	}
	return p.hangsTogether(v)
}

func (p *pass) plannedObject(v *preview, k resource.Key, it Item) (report.Planned, error) {
	o := report.Planned{Object: report.Object{Schema: p.schemas[k.Kind]}}
	from := k
	if !it.Partner.IsZero() {
		from = it.Partner
	}
	before, err := p.seen.Resource(from)
	if err != nil {
		return o, err
	}
	want, err := v.merged.want.snapshot().Resource(k)
	if err != nil {
		return o, err
	}
	o.Change = resource.Change{Before: before, After: want}
	if o.Change.Before == nil && o.Change.After == nil { // gone on both sides: what is shown is what goes from Git
		if o.Change.Before, err = p.want.snapshot().Resource(k); err != nil {
			return o, err
		}
	}
	switch {
	case it.Verdict == Deploy || it.Verdict == Merge:
		o.Change.After = nil
		if it.After != nil {
			o.Change.After = &resource.Resource{Key: k, Spec: it.After}
		}
		if it.Verdict == Merge {
			o.Note = "what was changed by hand in other fields stays"
		}
	case it.Verdict == Conflict:
		o.Conflicts, o.Instead = it.Conflicts, "left alone"
	case it.Verdict == Record:
		o.Instead = "left as the platform has it until somebody decides"
	case !p.sees(k):
		o.Instead = "not known"
		v.text.Incomplete = "not everything that this changes could be read from the platform"
	case p.rules.Ignored(k):
		o.Instead = "ignored by " + rulesFile
	case hashAt(before, k) != hashAt(want, k):
		o.Instead = "left alone: these fields are operational, or ignored by " + rulesFile
	default:
		o.Instead = "is so already"
	}
	return o, nil
}

// held groups what would be held by reason, the most frequent first.
func (v *preview) held() {
	n := map[string]map[resource.Key]bool{}
	for _, t := range v.merged.report.Held {
		if _, ours := v.keys[t.Key]; ours {
			if n[t.Reason] == nil {
				n[t.Reason] = map[resource.Key]bool{}
			}
			n[t.Reason][t.Key] = true
		}
	}
	for _, why := range sortedKeys(n) {
		v.text.Held = append(v.text.Held, report.Reason{Why: why, Objects: len(n[why])})
	}
	slices.SortStableFunc(v.text.Held, func(a, b report.Reason) int { return cmp.Compare(b.Objects, a.Objects) })
}

// problems are those of the pull request's files, and those that it makes elsewhere.
func (p *pass) problems(v *preview) {
	had := map[string]bool{}
	for _, pr := range p.want.tree.Problems() {
		had[pr.Error()] = true
	}
	for _, pr := range v.merged.want.tree.Problems() {
		if !v.paths[pr.Path] && had[pr.Error()] {
			continue
		}
		v.text.Problems = append(v.text.Problems, report.Place{Path: pr.Path, Line: pr.Line, Column: pr.Column, Why: p.conceal(pr.Err.Error())})
		if v.paths[pr.Path] {
			v.remarks = append(v.remarks, annotation(pr, p.conceal(pr.Err.Error())))
		}
	}
}

func annotation(pr files.Problem, why string) forge.Annotation {
	return forge.Annotation{Path: pr.Path, Line: max(1, pr.Line), EndLine: max(1, pr.Line), Level: "failure", Message: why}
}

// notes are remarks on files of which the edit does not simply arrive, and on when it does.
func (p *pass) notes(v *preview) {
	if len(p.Windows) > 0 && len(v.merged.report.Plan.Steps) > 0 {
		v.text.Notes = append(v.text.Notes, "Deployed within windows only: "+p.Windows.String()+".")
	}
	for _, f := range slices.Sorted(maps.Keys(v.paths)) {
		if f == path.Join(p.Path, rulesFile) {
			v.text.Notes = append(v.text.Notes, "This changes "+rulesFile+", and the plan goes by the rules as they are now.")
			continue
		}
		for _, k := range v.merged.want.tree.Masked(f) {
			v.text.Notes = append(v.text.Notes, fmt.Sprintf("%s is covered by this environment's own file of %s, in whole or in part.", f, k))
		}
	}
}

// bound names what the plan was made of, as far as it matters: of the objects what Git would want, what is live and what both had.
func (v *preview) bound(p *pass) string {
	base := p.baseNow()
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", p.Name, v.pull.HeadID)
	for _, k := range sortedResourceKeys(v.keys) {
		fmt.Fprintf(h, "%q %s %s %s\n", k.String(), v.keys[k], p.seen.Hash(k), base.Hash(k))
	}
	return hex.EncodeToString(h.Sum(nil)[:10])
}
