package reconciler

import (
	"fmt"
	"slices"

	"github.com/driftback/driftback/gitstore/forge"
	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// radar finds what was changed by hand of the objects that a pull request changes, or that these hang together with. drift is
// what is decided now, without the pull request.
func (p *pass) radar(v *preview, drift []Item) (report.Radar, error) {
	r := report.Radar{Environment: p.Name, Bound: v.text.Bound}
	if v.merged == nil {
		return r, nil
	}
	var near []Item
	by, over := map[resource.Key]resource.Key{}, resource.Overlay{}
	for _, it := range drift {
		k := it.Key
		if after, pending := v.items[k]; !pending || after.Verdict == Deploy {
			continue // merging accepts it
		}
		if _, same := v.keys[k]; same {
			by[k] = k
		} else if n, ok := p.neighbour(v.text.Objects, k); ok {
			by[k] = n
		} else {
			continue
		}
		live, err := p.lastSeen(k)
		if err != nil {
			return r, err
		}
		over[k] = live
		near = append(near, it)
	}
	if len(near) == 0 {
		return r, nil
	}
	who := p.whoChanged(over)
	for _, it := range near {
		t, err := p.touchedByHand(v, it, over[it.Key])
		if err != nil {
			return r, fmt.Errorf("radar %s: %w", it.Key, err)
		}
		a := who[it.Key]
		t.Who, t.Email, t.When, t.AuditID, t.By = a.Who, a.Email, a.When, a.AuditID, by[it.Key]
		if t.Change.Before == nil && t.Change.After == nil {
			continue
		}
		r.Touched = append(r.Touched, t)
		if r.Proposal == 0 {
			r.Proposal = p.proposalOf(it.Key)
		}
	}
	return r, nil
}

// maxTouches bounds what is remembered of a pull request that changes what drifted.
const maxTouches = 50

// touching are the objects of a pull request that drifted, sorted.
func (v *preview) touching(drift []Item) (keys []resource.Key) {
	for _, it := range drift {
		if _, same := v.keys[it.Key]; same {
			keys = append(keys, it.Key)
		}
	}
	slices.SortFunc(keys, resource.Key.Compare)
	return keys[:min(len(keys), maxTouches)]
}

// proposes reports whether an open pull request of ours proposes one of the objects.
func (p *pass) proposes(keys []resource.Key) bool {
	return slices.ContainsFunc(keys, func(k resource.Key) bool {
		return slices.ContainsFunc(p.st.seen.Proposals, func(pr proposal) bool { _, in := pr.Keys[k]; return in && !pr.Closed })
	})
}

// othersAtWork are the open pull requests of people that change some of these objects.
func (p *pass) othersAtWork(items []Item) (others []report.Other) {
	ours := keysOf(items)
	for _, n := range sortedKeys(p.st.seen.Told) {
		o := report.Other{Number: n}
		for _, k := range p.st.seen.Told[n].Touches {
			if _, in := ours[k]; in {
				o.Keys = append(o.Keys, k)
			}
		}
		if len(o.Keys) > 0 && p.st.seen.Told[n].Merged.IsZero() {
			others = append(others, o)
		}
	}
	return others
}

// radarAnnouncement is the radar's comment and status. Nothing is said before there was something to say once; what was
// said clears itself.
func (p *pass) radarAnnouncement(v *preview, r report.Radar, t *told) announcement {
	a := announcement{key: "radar/" + p.Name, said: &t.Radar, check: &t.RadarCheck}
	if a.silent = len(r.Touched) == 0 && t.Radar == ""; a.silent {
		return a
	}
	if v.merged == nil && v.touches && t.Radar != "" {
		a.silent = true // what merging would come to is not known: what was said stays
		return a
	}
	a.body = p.conceal(r.Body(maxBody))
	a.status = forge.Status{Context: "driftback/radar (" + p.Name + ")", State: r.State(), Description: r.Title(), Title: r.Title(), Summary: a.body}
	return a
}

// touchedByHand describes one object: what was done by hand to it, and what merging would make of it.
func (p *pass) touchedByHand(v *preview, it Item, live *resource.Resource) (report.Touched, error) {
	t := report.Touched{}
	before, err := p.baseNow().Resource(it.Key)
	if err == nil && before == nil {
		before, err = p.want.snapshot().Resource(it.Key)
	}
	if err != nil {
		return t, err
	}
	t.Object = report.Object{Change: resource.Change{Before: before, After: live}, Schema: p.schemas[it.Key.Kind]}
	after := v.items[it.Key]
	switch after.Verdict {
	case Conflict:
		if _, same := v.keys[it.Key]; same {
			t.Conflicts = after.Conflicts
		}
	case Merge:
		if live != nil {
			t.Merged = diff.Fields(t.Schema, live.Spec, after.After)
		}
	}
	return t, nil
}

// proposalOf is the number of the open pull request of ours that proposes what live says of k; zero where there is none.
func (p *pass) proposalOf(k resource.Key) int {
	i := slices.IndexFunc(p.st.seen.Proposals, func(pr proposal) bool { _, ok := pr.Keys[k]; return ok && !pr.Closed })
	if i < 0 {
		return 0
	}
	if pr := p.st.seen.Proposals[i]; pr.Number != 0 {
		return pr.Number
	}
	return p.numbers[p.st.seen.Proposals[i].Head]
}
