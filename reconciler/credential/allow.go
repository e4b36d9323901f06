package credential

import (
	"fmt"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// Allow is the operator's list of what may go to Git although it looks like a
// credential. The zero Allow lets nothing through.
type Allow []Exception

// An Exception lets through what was found in the objects that match. In YAML it
// is a mapping, or the glob alone.
type Exception struct {
	// Object is a glob over keys, such as file/rules/*.yml or queue/**.
	Object string `yaml:"object" json:"object"`
	// Rule restricts the exception to findings of one rule; empty means any.
	Rule string `yaml:"rule,omitempty" json:"rule,omitempty"`
}

// UnmarshalYAML reads a glob, or a mapping with object and rule.
func (e *Exception) UnmarshalYAML(unmarshal func(any) error) error {
	var glob string
	if unmarshal(&glob) == nil {
		*e = Exception{Object: glob}
		return nil
	}
	type exception Exception // without this method
	return unmarshal((*exception)(e))
}

// Validate returns what is wrong with the list, nil when nothing is.
func (a Allow) Validate() error {
	for _, e := range a {
		if !strings.Contains(e.Object, "/") && e.Object != "**" || !resource.ValidGlob(e.Object) {
			return fmt.Errorf("allow %q: want a glob over kind/name, such as file/prometheus.yml", e.Object)
		}
		if e.Rule != "" && !slices.Contains(Rules(), e.Rule) {
			return fmt.Errorf("allow %s: no rule is called %q; there are %s", e.Object, e.Rule, strings.Join(Rules(), ", "))
		}
	}
	return nil
}

// Filter returns the findings in object k that no exception lets through. It does not modify fs.
func (a Allow) Filter(k resource.Key, fs []Finding) []Finding {
	if len(fs) == 0 || len(a) == 0 {
		return fs
	}
	var out []Finding
	for _, f := range fs {
		if !a.lets(k, f.Rule) {
			out = append(out, f)
		}
	}
	return out
}

func (a Allow) lets(k resource.Key, rule string) bool {
	return slices.ContainsFunc(a, func(e Exception) bool {
		return (e.Rule == "" || e.Rule == rule) && resource.Match(e.Object, k.String())
	})
}
