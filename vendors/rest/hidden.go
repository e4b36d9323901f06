package rest

import (
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/driftback/driftback/vendors/resource"
)

// What no listing shows of an object may refer to others too: its parts, and what is read of it alone. So that it is read again when one
// of those bears another name, the index keeps whom such an object refers to.

// A mark stands for an object that is referred to, by its id or by its name, in this process only. Two that are equal by chance
// cost a reading.
type mark uint32

// byID is the mark of a reference by id.
func (s *seeds) byID(to target) mark {
	return mark(s.fold(maphash.String(s.text, string(to.kind)), maphash.Bytes(s.text, to.id[:]))) // #nosec G115 -- cut off on purpose
}

// byName is the mark of a reference by name, in which case plays no part.
func (s *seeds) byName(k resource.Key) mark {
	return mark(s.fold(maphash.String(s.text, string(k.Kind)), ^maphash.String(s.text, strings.ToLower(k.Name)))) // #nosec G115 -- cut off on purpose
}

// marks are those of objects that bear other names than before, by their former names and their ids.
func (s *seeds) marks(moved map[target]string) map[mark]struct{} {
	if len(moved) == 0 {
		return nil
	}
	out := make(map[mark]struct{}, 2*len(moved))
	for to, former := range moved {
		out[s.byID(to)] = struct{}{}
		if former != "" {
			out[s.byName(resource.Key{Kind: to.kind, Name: former})] = struct{}{}
		}
	}
	return out
}

// hidden are the marks of what an object refers to that was read whole; nil where listings show as much.
func (d *Driver) hidden(k *kind, o Object, spec resource.Spec) []mark {
	if !k.managed || !k.reads {
		return nil
	}
	var out []mark
	if k.Mentions != nil {
		for _, key := range k.Mentions.In(spec) {
			out = append(out, d.seeds.byName(key))
		}
	}
	if b, err := json.Marshal(o); err == nil {
		w := &walker{k: k, seeds: d.seeds, s: scanner{b: b}, each: func(to target) { out = append(out, d.seeds.byID(to)) }}
		_, _ = w.object() // what it cannot walk over was not read either
	}
	slices.Sort(out)
	return slices.Clip(slices.Compact(out))
}

// hides notes what the object at the place refers to. The index's mutex is held.
func (t *table) hides(i int32, marks []mark) {
	if n := len(t.entries) - len(t.hidden); n > 0 && len(marks) > 0 {
		t.hidden = append(t.hidden, make([][]mark, n)...)
	}
	if int(i) < len(t.hidden) {
		t.hidden[i] = marks
	}
}

// follows reports whether the object at the place refers to one of those, where no listing shows it. The index's mutex is held.
func (t *table) follows(i int32, moved map[mark]struct{}) bool {
	if len(moved) == 0 || int(i) >= len(t.hidden) {
		return false
	}
	return slices.ContainsFunc(t.hidden[i], func(m mark) bool {
		_, is := moved[m]
		return is
	})
}
