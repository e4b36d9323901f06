package files

import (
	"encoding/json"

	"github.com/driftback/driftback/vendors/resource"
)

// patched returns the JSON Merge Patch (RFC 7396) laid over target; nil in the
// patch deletes. The result shares unchanged parts with both and neither is modified.
func patched(target any, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, _ := target.(map[string]any)
	out := make(map[string]any, len(t)+len(p))
	for k, v := range t {
		out[k] = v
	}
	for k, v := range p {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = patched(t[k], v)
	}
	return out
}

// smallest returns the least merge patch that turns shared into live: every field
// that differs and no other. Both are canonical, so that there is one for any pair.
func smallest(shared, live map[string]any) map[string]any {
	patch := map[string]any{}
	for k, v := range live {
		old, there := shared[k]
		if !there {
			patch[k] = v
			continue
		}
		a, aMap := old.(map[string]any)
		b, bMap := v.(map[string]any)
		if aMap && bMap {
			if sub := smallest(a, b); len(sub) > 0 {
				patch[k] = sub
			}
			continue
		}
		if !resource.Equal(old, v) {
			patch[k] = v
		}
	}
	for k := range shared {
		if _, kept := live[k]; !kept {
			patch[k] = nil
		}
	}
	return patch
}

// version is a text that changes when files of the kind would be read differently.
func version(k resource.KindInfo) string {
	type field struct {
		Path, ListKey, Default string
		Set, Volatile          bool
	}
	out := struct {
		Format  int
		Kind    resource.Kind
		Raw     bool
		MaxSize int64
		Fields  []field
	}{Format: 1, Kind: k.Kind, Raw: k.Raw, MaxSize: maxSize(k)}
	for _, f := range k.Fields {
		d := ""
		if f.Default != nil {
			d = resource.Text(f.Default)
		}
		out.Fields = append(out.Fields, field{Path: f.Path, ListKey: f.ListKey, Default: d, Set: f.Set, Volatile: f.Volatile})
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic("files: " + err.Error()) // texts and numbers always marshal
	}
	return string(b)
}
