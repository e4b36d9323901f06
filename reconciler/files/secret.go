package files

import (
	"maps"
	"slices"

	"github.com/driftback/driftback/vendors/resource"
)

// literalSecret finds a field that the descriptor calls secret and that holds a value instead of the name of one. The fault
// names the field and shows nothing of it.
func (k *kind) literalSecret(body map[string]any) *fault {
	if path := literalSecret(body, k.schema.Root(), ""); path != "" {
		return faultAt(0, 0, "%s is secret: write {%s: NAME}, and keep its value out of Git", path, dirSecret)
	}
	return nil
}

func literalSecret(v any, at resource.At, path string) string {
	if at.Field().Secret {
		if _, named := v.(resource.Secret); named || v == nil {
			return ""
		}
		return path
	}
	switch v := v.(type) {
	case map[string]any:
		for _, f := range slices.Sorted(maps.Keys(v)) {
			sub := f
			if path != "" {
				sub = path + "." + f
			}
			if found := literalSecret(v[f], at.Key(f), sub); found != "" {
				return found
			}
		}
	case []any:
		for _, x := range v {
			if found := literalSecret(x, at.Elem(), path+"[]"); found != "" {
				return found
			}
		}
	}
	return ""
}
