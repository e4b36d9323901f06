package rest

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

// everything is a kind with every meaning that a field can have.
func everything() *kind {
	p := Platform{Name: "x", Volatile: []string{"selfUri"}, Kinds: []Kind{
		{Kind: "skill", Listings: []Listing{{Path: "/skills"}}},
		{
			Kind: "thing", Listings: []Listing{{Path: "/things"}}, Moved: []string{"moved"}, When: "when",
			Gone: []Match{{Path: "state", Values: []string{"deleted"}}},
			Fields: []Field{
				{Field: resource.Field{Path: "computed", Volatile: true}},
				{Field: resource.Field{Path: "deep.computed", Volatile: true}},
				{Field: resource.Field{Path: "set", Set: true}},
				{Field: resource.Field{Path: "keyed", ListKey: "k"}},
				{Field: resource.Field{Path: "ref", Ref: "skill"}},
				{Field: resource.Field{Path: "refs", Set: true}}, {Field: resource.Field{Path: "refs[]", Ref: "skill"}, Form: ID},
				{Field: resource.Field{Path: "any.*.ref", Ref: "skill"}},
				{Field: resource.Field{Path: "by"}, By: "type", Kinds: map[string]resource.Kind{"S": "skill", "T": "thing"}},
				{Field: resource.Field{Path: "map", Ref: "skill"}, Form: IDKeys},
				{Field: resource.Field{Path: "map[].value.ref", Ref: "skill"}},
				{Field: resource.Field{Path: "text"}, Form: Text}, {Field: resource.Field{Path: "text.ref", Ref: "skill"}, Form: ID},
				{Field: resource.Field{Path: "default", Default: json.Number("3")}},
			},
		},
	}}
	if err := Check(p); err != nil {
		panic(err)
	}
	return compile(&p, Options{})[1]
}

func byID(_ resource.Kind, id string) (string, bool, bool, error) { return "n:" + id, true, false, nil }

// walkOver returns what the walk says of an object.
func walkOver(w *walker, raw []byte) (digest, string, error) {
	w.s = scanner{b: raw}
	d, err := w.object()
	return d, string(w.id), err
}

// written returns the JSON of a value with its keys in an order of chance.
func written(v any, rnd *rand.Rand) string {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		var parts []string
		for _, k := range keys {
			name, _ := json.Marshal(k)
			parts = append(parts, string(name)+[]string{":", " :\n"}[rnd.IntN(2)]+written(v[k], rnd))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, written(x, rnd))
		}
		return "[" + strings.Join(parts, " ,") + "]"
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// changed returns a copy of a value in which one thing is another.
func changed(v any, rnd *rand.Rand) any {
	values := []any{"other", json.Number("7"), true, nil, []any{}, map[string]any{"id": "x"}, "S", "1"}
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 || rnd.IntN(4) == 0 {
			names := []string{"name", "ref", "computed", "set", "type", "id", "k", "new", "deep", "state"}
			out[names[rnd.IntN(len(names))]] = values[rnd.IntN(len(values))]
			return out
		}
		k := keys[rnd.IntN(len(keys))]
		if rnd.IntN(6) == 0 {
			delete(out, k)
		} else {
			out[k] = changed(v[k], rnd)
		}
		return out
	case []any:
		out := slices.Clone(v)
		switch {
		case len(out) > 1 && rnd.IntN(3) == 0:
			rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		case len(out) > 0:
			i := rnd.IntN(len(out))
			out[i] = changed(out[i], rnd)
		default:
			out = append(out, values[rnd.IntN(len(values))])
		}
		return out
	}
	return values[rnd.IntN(len(values))]
}

var walkSeeds = []string{
	`{"id":"1","name":"a","computed":1,"deep":{"computed":2,"x":[1,2.50,1e3,-0]},"set":["a","b","a"],"keyed":[{"k":"2"},{"k":"1","v":null}]}`,
	`{"id":5,"name":"a\"\\\u0041é","ref":{"id":"s","name":"whatever","selfUri":"/x"},"refs":["1","2"],"any":{"p":{"ref":{"id":"q"}}}}`,
	`{"id":"1","name":"a","by":{"id":"1","type":"S"},"map":{"s1":{"ref":{"id":"2"}},"s2":3},"text":"{\"ref\":\"s\",\"n\":[1]}","default":3}`,
	`{"id":"1","name":"a","moved":1,"when":"2026-01-01T00:00:00Z","state":"deleted","selfUri":"/x","ref":null,"refs":[null],"by":{}}`,
	`{"id":"\u0061b","name":"\\","x":"\\\\","y":"\\\"","z":""}`,
	`{"name":"a","ref":7,"refs":[1,"1",{"id":"1"}],"set":[[2,1],[1,2]],"text":"no json","map":[]}`,
}

// FuzzWalk holds the walk in one pass against the slow reading into maps: equal digests are equal objects, and what
// differs in the order of keys, in white space and in computed fields only has one digest.
func FuzzWalk(f *testing.F) {
	for i, s := range walkSeeds {
		f.Add([]byte(s), uint64(i))
	}
	k := everything()
	w := &walker{k: k, seeds: newSeeds()}
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		got, id, err := walkOver(w, raw)
		o, bad := decode(raw)
		if bad != nil || !json.Valid(raw) {
			return // whoever is asked for the object will say so
		}
		if err != nil {
			require.ErrorContains(t, err, "nested", "%s", raw)
			return
		}
		if want, ok := idText(o["id"]); ok && strings.Count(string(raw), `"id"`) == 1 && !strings.Contains(string(raw), `\u`) {
			require.Equal(t, want, id)
		}
		_ = got
		rnd := rand.New(rand.NewPCG(seed, 1))
		a, _, err := walkOver(w, []byte(written(o, rnd)))
		require.NoError(t, err)
		noise := maps.Clone(o)
		noise["computed"], noise["selfUri"] = rnd.IntN(100), "/y"
		if deep, ok := noise["deep"].(map[string]any); ok {
			deep = maps.Clone(deep)
			deep["computed"] = map[string]any{"n": []any{rnd.IntN(100)}}
			noise["deep"] = deep
		}
		if set, ok := noise["set"].([]any); ok {
			set = slices.Clone(set)
			slices.Reverse(set)
			noise["set"] = set
		}
		b, _, err := walkOver(w, []byte(written(noise, rnd)))
		require.NoError(t, err)
		require.Equal(t, a, b, "%s and %s", written(o, rnd), written(noise, rnd))

		other := changed(o, rnd).(map[string]any)
		c, _, err := walkOver(w, []byte(written(other, rnd)))
		require.NoError(t, err)
		if a != c {
			return
		}
		one, err1 := k.read(o, "", byID)
		two, err2 := k.read(other, "", byID)
		require.Equal(t, err1 == nil, err2 == nil)
		require.Equal(t, one.name, two.name, "%s and %s", written(o, rnd), written(other, rnd))
		require.Equal(t, one.spec, two.spec, "%s and %s", written(o, rnd), written(other, rnd))
		require.Equal(t, k.isGone(o), k.isGone(other))
		require.Equal(t, k.origin(o, "", "", byID), k.origin(other, "", "", byID))
	})
}

func TestWalkIsStrict(t *testing.T) {
	w := &walker{k: everything(), seeds: newSeeds()}
	for _, bad := range []string{
		``, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":tru}`, `{"a":nul}`, `{"a":"x}`, `{"a":"x\"}`, `[]`, `"x"`,
		strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200), `{"ref":{"id":}}`, `{"map":{"a"}}`,
	} {
		_, _, err := walkOver(w, []byte(bad))
		require.Error(t, err, bad)
	}
}

func TestIdents(t *testing.T) {
	require.NotEqual(t, identOf([]byte("00000001-0000-4000-8000-000000000000")), identOf([]byte("00000001-0000-4000-8000-000000000001")))
	require.NotEqual(t, identOf([]byte("ABCDEF01-0000-4000-8000-000000000000")), identOf([]byte("abcdef01-0000-4000-8000-000000000000")))
	require.NotEqual(t, identOf([]byte("a")), identOf([]byte("b")))
	require.NotEqual(t, identOf([]byte("0000000g-0000-4000-8000-000000000000")), identOf([]byte("00000000-0000-4000-8000-000000000000")))
}

// FuzzPage: whatever comes as a page, it is gone through or refused.
func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"entities":[{"id":"1"},{"id":"2"}],"total":2,"pageCount":1,"nextUri":"/x?after=1"}`))
	f.Add([]byte(`{"entities":null,"total":0}`))
	f.Add([]byte(`{}`))
	pg := Paging{Style: ByCursor, Entities: "entities", Total: "total", Pages: "pageCount", Next: "nextUri", CursorParam: "after", SizeParam: "pageSize"}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s scanner
		n := 0
		p, err := pg.read(b, &s, func() error { n++; return s.skip(0) })
		if err == nil {
			require.Equal(t, n, p.found)
		}
		var listing struct {
			Entities []json.RawMessage `json:"entities"`
		}
		if json.Unmarshal(b, &listing) == nil && err == nil && strings.Count(strings.ToLower(string(b)), `entities`) == 1 && !strings.Contains(string(b), `\`) {
			require.Len(t, listing.Entities, n)
		}
	})
}
