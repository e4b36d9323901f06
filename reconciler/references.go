package reconciler

import (
	"slices"

	"github.com/driftback/driftback/gitstore"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// A referenceIndex says which live objects refer to which, of the kinds whose descriptors declare references.
type referenceIndex struct {
	of    gitstore.ID // commit of the live branch that it was made at
	users map[resource.Key][]resource.Key
}

// references returns the index of live as it was recorded last. It is made once for each state of the live branch, and only
// where somebody asks.
func (p *pass) references() referenceIndex {
	if p.referred.users != nil && p.referred.of == p.live.commit {
		return p.referred
	}
	idx := referenceIndex{of: p.live.commit, users: map[resource.Key][]resource.Key{}}
	for _, info := range p.kinds {
		if !slices.ContainsFunc(info.Fields, func(f resource.Field) bool { return f.Ref != "" }) {
			continue
		}
		for e := range p.seen.Entries() {
			if e.Key.Kind != info.Kind {
				continue
			}
			spec, err := p.seen.Spec(e.Key)
			if err != nil {
				continue // a courtesy: what cannot be read is not drawn
			}
			for _, to := range refsOf(spec) {
				idx.users[to] = append(idx.users[to], e.Key)
			}
		}
	}
	p.referred = idx
	return idx
}

// refsOf are the keys that a spec refers to, in order, each once.
func refsOf(s resource.Spec) []resource.Key {
	var out []resource.Key
	s.Refs(func(r resource.Ref) { out = append(out, r.Key) })
	slices.SortFunc(out, resource.Key.Compare)
	return slices.Compact(out)
}

// maxReferences bounds how many references a text is given to draw.
const maxReferences = 200

// hangsTogether notes who refers to the objects of a plan, and what they refer to.
func (p *pass) hangsTogether(v *preview) error {
	if len(v.text.Objects) == 0 {
		return nil
	}
	users := p.references().users
	add := func(from, to resource.Key) {
		pair := [2]resource.Key{from, to}
		if len(v.text.References) < maxReferences && !slices.Contains(v.text.References, pair) {
			v.text.References = append(v.text.References, pair)
		}
	}
	for i := range v.text.Objects {
		o := &v.text.Objects[i]
		k := o.Key()
		if b := o.Change.Before; b != nil {
			k = b.Key // who refers to it does so by the name that it has now
		}
		o.Users = users[k]
		for _, u := range o.Users {
			add(u, k)
		}
		for _, r := range []*resource.Resource{o.Change.Before, o.Change.After} {
			if r != nil {
				for _, to := range refsOf(r.Spec) {
					add(k, to)
				}
			}
		}
	}
	return nil
}

// neighbour returns an object of the preview that refers to k or is referred to by it, before or after.
func (p *pass) neighbour(objects []report.Planned, k resource.Key) (resource.Key, bool) {
	var refs []resource.Key
	for _, side := range []func(resource.Key) (*resource.Resource, error){p.lastSeen, p.baseNow().Resource} {
		if r, err := side(k); err == nil && r != nil {
			refs = append(refs, refsOf(r.Spec)...)
		}
	}
	for _, o := range objects {
		if slices.Contains(refs, o.Key()) || slices.Contains(o.Users, k) {
			return o.Key(), true
		}
		for _, r := range []*resource.Resource{o.Change.Before, o.Change.After} {
			if r != nil && slices.Contains(refsOf(r.Spec), k) {
				return o.Key(), true
			}
		}
	}
	return resource.Key{}, false
}
