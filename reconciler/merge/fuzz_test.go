package merge

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/vendors/resource"
)

// A tape draws edits from a fuzzer's bytes.
type tape struct{ bytes []byte }

func (t *tape) n(below int) int {
	if len(t.bytes) == 0 {
		return 0
	}
	b := t.bytes[0]
	t.bytes = t.bytes[1:]
	return int(b) % below
}

func (t *tape) value() any {
	switch t.n(7) {
	case 0:
		return "x"
	case 1:
		return json.Number([]string{"1", "2", "3"}[t.n(3)])
	case 2:
		return list{"a", t.value()}
	case 3:
		return object{"a": t.value(), "b": "x"}
	case 4:
		return t.text()
	case 5:
		return list{}
	}
	return resource.Ref{Key: resource.Key{Kind: "user", Name: "Ann"}}
}

func (t *tape) text() string {
	text := ""
	for range t.n(8) {
		text += []string{"a\n", "b\n", "c\n", "\n", "d"}[t.n(5)]
	}
	return text
}

func (t *tape) set() any {
	out := list{}
	for range t.n(4) {
		out = append(out, []any{"a", "b", "c", "d", object{"x": "y"}}[t.n(5)])
	}
	return out
}

func (t *tape) members() any {
	out := list{}
	for range t.n(4) {
		m := object{"user": []string{"Ann", "Bob", "Cid"}[t.n(3)], "x": t.value()}
		if t.n(3) == 1 {
			m["skills"] = t.set()
		}
		out = append(out, m)
	}
	return out
}

// edit returns the spec with some fields changed; nil now and then.
func (t *tape) edit(s resource.Spec) resource.Spec {
	if t.n(16) == 15 {
		return nil
	}
	out := s.Clone()
	if out == nil {
		out = resource.Spec{}
	}
	for range t.n(5) {
		name := []string{"tags", "pauses", "members", "ring", "media", "text", "a", "b"}[t.n(8)]
		switch {
		case t.n(5) == 4:
			delete(out, name)
		case name == "tags" || name == "pauses":
			out[name] = t.set()
		case name == "members":
			out[name] = t.members()
		case name == "text":
			out[name] = t.text()
		case name == "media":
			m, _ := out[name].(object)
			if m == nil {
				m = object{}
			}
			m[[]string{"ring", "a", "b"}[t.n(3)]] = t.value()
			out[name] = m
		default:
			out[name] = t.value()
		}
	}
	return kinds.Schema().Normalize(out)
}

func FuzzSpecs(f *testing.F) {
	f.Add([]byte(""), []byte(""), []byte(""))
	f.Add([]byte("\x01\x04\x00\x00\x00\x03\x00\x01\x02"), []byte("\x01\x01\x00\x00\x01"), []byte("\x01\x01\x00\x00\x02"))
	f.Add([]byte("\x01\x02\x02\x00\x03\x00\x01\x01"), []byte("\x01\x02\x02\x00\x02\x00\x01"), []byte("\x01\x02\x02\x00\x01\x02"))
	f.Add([]byte("\x01\x02\x05\x00\x07\x00\x01\x02\x00\x01\x02"), []byte("\x01\x02\x05\x00\x06"), []byte("\x01\x02\x05\x00\x05"))
	f.Add([]byte("\x0f"), []byte("\x01\x03"), []byte("\x0f"))
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		s := kinds.Schema()
		base := (&tape{one}).edit(resource.Spec{})
		ours, theirs := (&tape{two}).edit(base), (&tape{three}).edit(base)
		was := [3]resource.Spec{base.Clone(), ours.Clone(), theirs.Clone()}

		require.Equal(t, Result{Spec: ours}, Specs(s, base, ours, ours))
		require.Equal(t, Result{Spec: ours}, Specs(s, base, base, ours))
		require.Equal(t, Result{Spec: ours}, Specs(s, base, ours, base))

		r, back := Specs(s, base, ours, theirs), Specs(s, base, theirs, ours)
		for i := range back.Conflicts {
			c := &back.Conflicts[i]
			c.Ours, c.Theirs = c.Theirs, c.Ours
		}
		require.Equal(t, r, back)
		require.Equal(t, was, [3]resource.Spec{base, ours, theirs})
		if len(r.Conflicts) > 0 {
			require.Nil(t, r.Spec)
			return
		}
		require.Equal(t, s.Normalize(r.Spec), r.Spec)
		keeps(t, s, base, ours, theirs, r.Spec)
		keeps(t, s, base, theirs, ours, r.Spec)
	})
}

// keeps checks that what ours changed and theirs did not reads in the merge as in ours.
func keeps(t *testing.T, s *resource.Schema, base, ours, theirs, merged resource.Spec) {
	t.Helper()
	others := diff.Fields(s, base, theirs)
	for _, f := range diff.Fields(s, base, ours) {
		alone := true
		for _, o := range others {
			alone = alone && !o.Path.HasPrefix(f.Path) && !f.Path.HasPrefix(o.Path)
		}
		if !alone {
			continue
		}
		got, _ := f.Path.In(merged)
		require.Equal(t, f.After, got, "%s", f.Path)
	}
}
