package reconciler

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// maxFresh bounds how many fields of a kind are remembered as learnt.
const maxFresh = 200

// descriptorsOf are digests of what the program knows of each kind.
func descriptorsOf(kinds []resource.KindInfo) map[resource.Kind]string {
	out := map[resource.Kind]string{}
	for _, k := range kinds {
		if k.ReferenceOnly {
			continue
		}
		b, err := json.Marshal(k)
		if err != nil {
			panic("reconciler: " + err.Error()) // plain data always marshals
		}
		out[k.Kind] = digest(string(b))
	}
	return out
}

// noteDescriptors notices that the program reads a kind in another way than the one that wrote base. Fields that live has and no
// object of the kind has in base or Git were there before, and nobody but the program has learnt of them: they may be recorded, and are
// not taken away until Git names them. A kind that was not read in full is looked at by a later pass.
func (p *pass) noteDescriptors() error {
	for k, now := range p.descriptors {
		was := p.st.seen.Descriptors[k]
		if _, read := p.seen.Scope().Kinds[k]; was == now || !read {
			continue
		}
		if was != "" {
			hidden := p.hides(k)
			if p.stillHidden(k, hidden) {
				continue
			}
			fresh, err := p.learnt(k)
			if err != nil {
				return err
			}
			if known := p.takeFresh(k, fresh); known && !p.dry {
				p.hidden[k] = hidden
			}
			if len(hidden) > 0 {
				continue // there may be more to learn
			}
		}
		p.st.seen.Descriptors = maps.Clone(p.st.seen.Descriptors)
		if p.st.seen.Descriptors == nil {
			p.st.seen.Descriptors = map[resource.Kind]string{}
		}
		p.st.seen.Descriptors[k] = now
	}
	return nil
}

// hides are the objects of the kind that could not be read, and those that are said to be gone while nobody decided about that: a
// platform in trouble shows nothing, too.
func (p *pass) hides(kind resource.Kind) map[resource.Key]bool {
	out := map[resource.Key]bool{}
	for k := range p.seen.Scope().Unknown {
		if k.Kind == kind {
			out[k] = true
		}
	}
	for e := range p.baseNow().Entries() {
		if _, there := p.seen.Entry(e.Key); e.Key.Kind == kind && !there {
			out[e.Key] = true
		}
	}
	return out
}

// stillHidden reports whether this process has learnt all from the kind, which is written down, and cannot read more of it now than
// then: the kind is not looked through again in each pass.
func (p *pass) stillHidden(kind resource.Kind, hidden map[resource.Key]bool) bool {
	for k := range p.hidden[kind] {
		if !hidden[k] {
			return false
		}
	}
	return len(p.hidden[kind]) > 0
}

// takeFresh remembers fields as learnt, and reports whether they were already.
func (p *pass) takeFresh(k resource.Kind, fresh []string) bool {
	all := slices.Concat(p.st.seen.Fresh[k], fresh)
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == len(p.st.seen.Fresh[k]) {
		return true
	}
	p.log.Info("this version reads fields that the one before did not know: they are left as they are until Git names them", "kind", string(k), "fields", fresh)
	p.st.seen.Fresh = maps.Clone(p.st.seen.Fresh)
	if p.st.seen.Fresh == nil {
		p.st.seen.Fresh = map[resource.Kind][]string{}
	}
	p.st.seen.Fresh[k] = all[:min(len(all), maxFresh)]
	return false
}

// learnt are the names of fields that objects of a kind have live, and none has in base or in Git. Where base has no such object,
// nobody knows what was known.
func (p *pass) learnt(kind resource.Kind) ([]string, error) {
	var names [3]map[string]bool
	for i, s := range []*resource.Snapshot{p.seen, p.baseNow(), p.want.snapshot()} {
		var err error
		if names[i], err = fieldNames(s, kind); err != nil {
			return nil, err
		}
	}
	has, base, want := names[0], names[1], names[2]
	if len(base) == 0 { // not adopted yet: what the live branch says until now
		var err error
		if base, err = fieldNames(p.live.snapshot(), kind); err != nil || len(base) == 0 {
			return nil, err
		}
	}
	maps.DeleteFunc(has, func(name string, _ bool) bool { return base[name] || want[name] })
	return sortedKeys(has), nil
}

// withFresh is what an object becomes under its new name, with the fields of live that an older version of the program did not know
// and that neither Git nor base names.
func (p *pass) withFresh(from resource.Key, live, want resource.Spec) (resource.Spec, error) {
	base, err := p.baseNow().Spec(from)
	if err != nil {
		return nil, err
	}
	out := want.Clone() // which may be shared
	for _, name := range p.st.seen.Fresh[from.Kind] {
		if live[name] != nil && want[name] == nil && base[name] == nil {
			out[name] = live[name]
		}
	}
	return out, nil
}

// fieldNames are the names at the top of the objects of a kind.
func fieldNames(s *resource.Snapshot, kind resource.Kind) (map[string]bool, error) {
	out := map[string]bool{}
	for e := range s.Entries() {
		if e.Key.Kind != kind {
			continue
		}
		spec, err := s.Spec(e.Key)
		if err != nil {
			return nil, err
		}
		for name := range spec {
			out[name] = true
		}
	}
	return out, nil
}
