package simulator

import (
	_ "embed"
	"encoding/json"
	"slices"
	"sync"
)

// contractFields are the fields that the vendor's own models have, by request. They are generated from the vendor's
// client by testdata/client/extract.mjs.
//
//go:embed fields.json
var contractFields []byte

// fieldTable says which fields requests may have, by "METHOD path".
type fieldTable map[string][]string

// readFields decodes it, once: nobody changes it.
var readFields = sync.OnceValue(func() fieldTable {
	var t fieldTable
	if err := json.Unmarshal(contractFields, &t); err != nil {
		panic("simulator: fields.json: " + err.Error()) // embedded, and decoded in every test
	}
	return t
})

// writable says whether creations or updates of the kind may have the field. Where the contract has no model for
// either, any is permitted.
func (t fieldTable) writable(k *kind, field string) bool {
	known := false
	for _, request := range []string{"POST " + k.path, "PUT " + k.path + "/{id}", "PATCH " + k.path + "/{id}"} {
		f, ok := t[request]
		if slices.Contains(f, field) {
			return true
		}
		known = known || ok
	}
	return !known
}
