package rules

import (
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// manage is one entry of what is deployed although it is operational: fields of the
// objects that match, or all of theirs.
type manage struct {
	ignore          // which objects; its fields are not used
	paths  []string // none means every operational field
}

func (m manage) asks(path string) bool {
	return len(m.paths) == 0 || slices.ContainsFunc(m.paths, func(p string) bool {
		return path == p || strings.HasPrefix(path, p+".") || strings.HasPrefix(path, p+"[]")
	})
}

// WithOperational returns rules that leave the kinds' operational fields alone, but for
// those that the rules file lists under manage: Strip and Restore treat them as ignored
// fields, with one difference. What is created gets the platform's own value, so that
// Restore leaves them out where there is nothing live.
func (r Rules) WithOperational(kinds []resource.KindInfo) Rules {
	r.operational = map[resource.Kind][]string{}
	for _, k := range kinds {
		for _, f := range k.Fields {
			if f.Operational {
				r.operational[k.Kind] = append(r.operational[k.Kind], f.Path)
			}
		}
	}
	return r
}

// operationalOf returns the operational fields of k that nobody asked to deploy; nil for none.
func (r Rules) operationalOf(k resource.Key) *fields {
	var out *fields
	for _, path := range r.operational[k.Kind] {
		if slices.ContainsFunc(r.manage, func(m manage) bool { return m.asks(path) && m.matches(k) }) {
			continue
		}
		if out == nil {
			out = &fields{}
		}
		if err := out.add(path); err != nil {
			panic("rules: descriptor of " + string(k.Kind) + ": " + err.Error()) // descriptors are code
		}
	}
	return out
}

// Observed returns want with the operational fields that nobody asked to deploy as they
// stand in live: how it differs from want is what is only observed. Absent objects, and
// those that are ignored as a whole, are returned as they are.
func (r Rules) Observed(k resource.Key, want, live resource.Spec) resource.Spec {
	f := r.operationalOf(k)
	if f == nil || want == nil || live == nil || r.Ignored(k) {
		return want
	}
	return r.restore(k, f, want, live)
}
