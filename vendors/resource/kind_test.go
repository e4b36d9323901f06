package resource

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var rich = KindInfo{Kind: "queue", Fields: []Field{
	{Path: "on", Default: true}, {Path: "version", Volatile: true}, {Path: "tags", Set: true},
	{Path: "members", ListKey: "user"}, {Path: "members[].role", Default: "agent"}, {Path: "by.*.on", Default: true},
	{Path: "by.special.on", Default: false}, {Path: "skills[]", Ref: "skill"}, {Path: "nested", Default: map[string]any{}}, {Path: "nested.x", Default: json.Number("1")},
	{Path: "sets", Set: true, ListKey: "id"}, {Path: "sets[].inner", Set: true},
}}

func TestNormalize(t *testing.T) {
	t.Parallel()
	in := Spec{
		"on": true, "version": json.Number("7"), "tags": []any{"b", "a", "b"}, "other": []any{"b", "a", "b"},
		"members": []any{map[string]any{"user": "z", "role": "agent"}, map[string]any{"user": "a", "role": "boss"}, "odd"},
		"by":      map[string]any{"x": map[string]any{"on": true}, "special": map[string]any{"on": true}, "y": map[string]any{"on": false}},
		"nested":  map[string]any{"x": json.Number("1")},
		"sets":    []any{map[string]any{"id": "2", "inner": []any{"y", "x"}}, map[string]any{"id": "2", "inner": []any{"x", "y"}}, map[string]any{"id": "1"}},
	}
	before := in.Clone()
	want := Spec{
		"tags": []any{"a", "b"}, "other": []any{"b", "a", "b"},
		"members": []any{map[string]any{"user": "a", "role": "boss"}, map[string]any{"user": "z"}, "odd"},
		"by":      map[string]any{"x": map[string]any{}, "special": map[string]any{"on": true}, "y": map[string]any{"on": false}},
		"sets":    []any{map[string]any{"id": "1"}, map[string]any{"id": "2", "inner": []any{"x", "y"}}},
	}
	got := rich.Schema().Normalize(in)
	require.ElementsMatch(t, want["members"], got["members"])
	delete(want, "members")
	require.Equal(t, before, in, "the input is left alone")
	delete(got, "members")
	require.Equal(t, want, got)
	require.Equal(t, before, (*Schema)(nil).Normalize(before))
	require.Equal(t, before, KindInfo{}.Schema().Normalize(before))
	require.Nil(t, rich.Schema().Normalize(nil))
}

func TestSchemaPlaces(t *testing.T) {
	t.Parallel()
	root := rich.Schema().Root()
	require.Equal(t, Kind("skill"), root.Key("skills").Elem().Field().Ref)
	require.Equal(t, true, root.Key("by").Key("anything").Key("on").Field().Default)
	require.Equal(t, false, root.Key("by").Key("special").Key("on").Field().Default)
	require.Zero(t, root.Key("nowhere").Key("deeper").Elem().Field())
	require.Zero(t, (*Schema)(nil).Root().Key("a").Field())
}

// randomRich is a spec that meets the fields of rich often.
func randomRich(r *rand.Rand) Spec {
	out := Spec{}
	for range r.IntN(8) {
		list := func() any {
			l := make([]any, r.IntN(4))
			for i := range l {
				l[i] = randomValue(r, 1)
				if r.IntN(2) == 0 {
					l[i] = map[string]any{"user": randomValue(r, 0), "id": randomValue(r, 0), "role": []any{"agent", "boss"}[r.IntN(2)], "inner": []any{randomValue(r, 0), randomValue(r, 0)}}
				}
			}
			return l
		}
		switch r.IntN(7) {
		case 0:
			out["on"] = r.IntN(2) == 0
		case 1:
			out["version"] = randomValue(r, 1)
		case 2:
			out[[]string{"tags", "members", "sets", "skills"}[r.IntN(4)]] = list()
		case 3:
			out["by"] = map[string]any{[]string{"special", "x"}[r.IntN(2)]: map[string]any{"on": r.IntN(2) == 0}}
		case 4:
			out["nested"] = map[string]any{"x": json.Number([]string{"1", "2"}[r.IntN(2)])}
		default:
			out[[]string{"tags", "on", "by", "nested", "z"}[r.IntN(5)]] = randomValue(r, 2)
		}
	}
	return out
}

// shuffled is the same spec with its sets and keyed lists in another order.
func shuffled(r *rand.Rand, s Spec) Spec {
	out := s.Clone()
	for _, k := range []string{"tags", "members", "sets"} {
		if l, ok := out[k].([]any); ok {
			r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
		}
	}
	return out
}

func checkNormalize(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	schema := rich.Schema()
	s := randomRich(r)
	before := s.Clone()
	once := schema.Normalize(s)
	require.True(t, Equal(s, before), "seed %d: the input was changed", seed)
	require.True(t, Equal(once, schema.Normalize(once)), "seed %d: %s\n%s", seed, Text(once), Text(schema.Normalize(once)))
	require.True(t, Equal(once, schema.Normalize(shuffled(r, s))), "seed %d: order counts in %s", seed, Text(s))
}

func TestNormalizeTwiceIsOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5000) {
		checkNormalize(t, seed)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(checkNormalizeFuzz)
}

func checkNormalizeFuzz(t *testing.T, seed uint64) { checkNormalize(t, seed) }
