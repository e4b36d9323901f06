package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/driftback/driftback/vendors/resource"
)

// manage is one entry of what is deployed although it is operational: fields of the
// objects that match, or all of theirs.
type manage struct {
	ignore           // which objects; its fields are not used
	paths  []managed // none means every operational field
}

// managed is one field of an entry, and where it stands.
type managed struct {
	path string
	at   *token.Token
}

func (m manage) asks(path string) bool {
	return len(m.paths) == 0 || slices.ContainsFunc(m.paths, func(p managed) bool { return p.holds(path) })
}

// holds reports whether the field is the path, or what it is a part of.
func (p managed) holds(path string) bool {
	return path == p.path || strings.HasPrefix(path, p.path+".") || strings.HasPrefix(path, p.path+"[]")
}

// mayMatch reports whether the entry can be about an object of the kind.
func (m manage) mayMatch(k resource.Kind) bool {
	if len(m.kinds) > 0 && !slices.Contains(m.kinds, k) {
		return false
	}
	return len(m.objects) == 0 || slices.ContainsFunc(m.objects, func(glob string) bool {
		first, _, _ := strings.Cut(glob, "/")
		return strings.Contains(first, "**") || resource.Match(first, string(k))
	})
}

// WithOperational returns rules that leave the kinds' operational fields alone, but for
// those that the rules file lists under manage: Strip and Restore treat them as ignored
// fields, with one difference. What is created gets the platform's own value, so that
// Restore leaves them out where there is nothing live.
//
// A field under manage that is operational for none of the kinds that its entry can be about is an *Error with line and
// column; kinds that are not among these belong to other environments. A descriptor whose operational path cannot be is an
// error too. The rules that are returned with an error leave alone all operational fields that could be.
func (r Rules) WithOperational(kinds []resource.KindInfo) (Rules, error) {
	r.operational = map[resource.Kind][]string{}
	var bad error
	for _, k := range kinds {
		for _, f := range k.Fields {
			if !f.Operational {
				continue
			}
			if err := (&fields{}).add(f.Path); err != nil {
				bad = fmt.Errorf("descriptor of %s: operational %w", k.Kind, err)
				continue
			}
			r.operational[k.Kind] = append(r.operational[k.Kind], f.Path)
		}
	}
	if bad == nil {
		bad = r.checkManaged(kinds)
	}
	return r, bad
}

// checkManaged finds the first field under manage that nothing has as an operational one.
func (r Rules) checkManaged(kinds []resource.KindInfo) error {
	for _, m := range r.manage {
		for _, p := range m.paths {
			var about []string
			found := false
			for _, k := range kinds {
				if m.mayMatch(k.Kind) {
					about = append(about, string(k.Kind))
					found = found || slices.ContainsFunc(r.operational[k.Kind], p.holds)
				}
			}
			if len(about) > 0 && !found {
				return at(p.at, fmt.Sprintf("field %q is not operational (of %s): only such fields need to be managed", p.path, strings.Join(about, ", ")))
			}
		}
	}
	return nil
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
		_ = out.add(path) // it was tried before
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
