package simulator

import (
	"encoding/json"
	"fmt"
	"strings"
)

// paging is how a kind is listed.
type paging int

const (
	byPage   paging = iota // pageNumber and pageSize
	byCursor               // after, and nextUri in the answer
)

// A row describes one kind of object. Strings that list something are separated
// by spaces.
type row struct {
	name       string // ours, as in references of other rows
	entity     string // what audits call it
	service    string // which service audits it
	path       string // of the collection
	permission string // domain:entity; the verb is added
	paging     paging
	max        int    // largest page; 0 means 100
	update     string // methods that update; "" means that the kind is immutable
	noDelete   bool
	lookup     bool // can only be read here; Hand.Create makes them

	required  string // fields that a new object must have
	defaults  string // JSON, for fields that were not sent, at any depth
	computed  string // field=source: what the platform fills in; not writable
	alias     string // written=kept: ids in writes that are kept, and answered, as objects with an id
	ignored   string // further fields that are accepted in writes and mean nothing
	immutable string // fields that updates may not change
	brief     string // fields that listings leave out; field?word leaves it out unless expand has the word
	refs      string // path=kind, see visit
	unique    string // fields that together are unique; "" means name, "-" nothing

	guard    int  // status when the version in an update is not the current one; 0: no guard
	cascades bool // what refers to a deleted object loses the reference; otherwise the deletion is refused
	soft     bool // deleted objects stay and can be restored

	// check refuses what the platform's own rules refuse, with a message.
	check func(body map[string]any) string
}

// A kind is a row made ready for use.
type kind struct {
	row
	required, brief []string
	ignored         map[string]bool
	immutable       []string
	unique          []string
	computed        []computed
	alias           [][2]string
	refs            []reference
	defaults        map[string]any
}

// A computed field and where its value comes from, see (*org).compute.
type computed struct{ field, source string }

// A reference is a path of fields to ids of a kind. Where the value is a string it
// is the id, where it is an object its id field is.
type reference struct {
	path []string
	kind string
}

// compile makes a row ready. An error is one of the tables.
func compile(r row) (*kind, error) {
	k := &kind{row: r, ignored: map[string]bool{}, defaults: map[string]any{}}
	k.required, k.brief, k.immutable = strings.Fields(r.required), strings.Fields(r.brief), strings.Fields(r.immutable)
	for _, f := range strings.Fields(r.ignored + " id selfUri") {
		k.ignored[f] = true
	}
	if k.unique = strings.Fields(r.unique); r.unique == "" {
		k.unique = []string{"name"}
	}
	if k.max == 0 {
		k.max = 100
	}
	for _, c := range strings.Fields(r.computed) {
		field, source, ok := strings.Cut(c, "=")
		if !ok {
			return nil, fmt.Errorf("kind %s: computed %q has no source", r.name, c)
		}
		k.computed = append(k.computed, computed{field, source})
		k.ignored[field] = true
	}
	for _, c := range strings.Fields(r.alias) {
		from, to, _ := strings.Cut(c, "=")
		k.alias = append(k.alias, [2]string{from, to})
	}
	for _, c := range strings.Fields(r.refs) {
		path, to, ok := strings.Cut(c, "=")
		if !ok {
			return nil, fmt.Errorf("kind %s: reference %q has no kind", r.name, c)
		}
		k.refs = append(k.refs, reference{strings.Split(path, "."), to})
	}
	if r.defaults != "" {
		if err := decode([]byte(r.defaults), &k.defaults); err != nil {
			return nil, fmt.Errorf("kind %s: defaults: %w", r.name, err)
		}
	}
	return k, nil
}

// kinds returns the tables, made ready, by name and in order.
func kinds() (map[string]*kind, []*kind) {
	out, order := map[string]*kind{}, []*kind(nil)
	for _, table := range [][]row{routingKinds(), architectKinds(), peopleKinds(), outboundKinds(), otherKinds(), lookupKinds()} {
		for _, r := range table {
			k, err := compile(r)
			if err != nil {
				panic(err) // the tables are constants of this package; its tests compile them
			}
			out[k.name], order = k, append(order, k)
		}
	}
	return out, order
}

// decode reads JSON with numbers as they were written.
func decode(b []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("more than one JSON value")
	}
	return nil
}
