package diff

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func user(name string) resource.Ref {
	return resource.Ref{Key: resource.Key{Kind: "user", Name: name}}
}

func member(name string, ring int) map[string]any {
	return map[string]any{"user": user(name), "ring": json.Number(fmt.Sprint(ring))}
}

func TestFields(t *testing.T) {
	t.Parallel()
	type list = []any
	hour := func(open string) any { return map[string]any{"open": open, "close": "17:00"} }
	tests := []struct {
		name          string
		before, after resource.Spec
		want          []string
	}{
		{"both absent", nil, nil, nil},
		{"created", nil, resource.Spec{"a": "b"}, []string{": + {a: b}"}},
		{"created empty", nil, resource.Spec{}, []string{": + {}"}},
		{"deleted", resource.Spec{}, nil, []string{": - {}"}},
		{"equal", resource.Spec{"tags": list{"a"}}, resource.Spec{"tags": list{"a"}}, nil},
		{"a field in a map", resource.Spec{"call": map[string]any{"timeout": json.Number("20"), "x": true}},
			resource.Spec{"call": map[string]any{"timeout": json.Number("30"), "x": true}}, []string{"call.timeout: 20 → 30"}},
		{"another type", resource.Spec{"a": "1", "b": map[string]any{}}, resource.Spec{"a": json.Number("1"), "b": list{}},
			[]string{`a: "1" → 1`, "b: {} → []"}},
		{"fields come in order", resource.Spec{"c": "x", "b": "x"}, resource.Spec{"a": "x", "c": "y"},
			[]string{"a: + x", "b: - x", "c: x → y"}},
		{"a set by element", resource.Spec{"tags": list{"a", "b", "c"}}, resource.Spec{"tags": list{"b", "d"}},
			[]string{"tags[=a]: - a", "tags[=c]: - c", "tags[=d]: + d"}},
		{"a set emptied is not a set gone", resource.Spec{"tags": list{"a"}}, resource.Spec{"tags": list{}}, []string{"tags[=a]: - a"}},
		{"a set gone", resource.Spec{"tags": list{"a"}}, resource.Spec{}, []string{"tags: - [a]"}},
		{"a set out of order is a value", resource.Spec{"tags": list{"b", "a"}}, resource.Spec{"tags": list{"a", "b"}},
			[]string{"tags: [b, a] → [a, b]"}},
		{"a keyed list by key, then by field", resource.Spec{"members": list{member("Ann", 1), member("Bob", 2)}},
			resource.Spec{"members": list{member("Ann", 3), member("Cid", 1)}},
			[]string{"members[user=user/Ann].ring: 1 → 3", "members[user=user/Bob]: - {ring: 2, user: user/Bob}",
				"members[user=user/Cid]: + {ring: 1, user: user/Cid}"}},
		{"a set inside a keyed list", resource.Spec{"members": list{map[string]any{"user": user("Ann"), "skills": list{"x"}}}},
			resource.Spec{"members": list{map[string]any{"user": user("Ann"), "skills": list{"x", "y"}}}},
			[]string{"members[user=user/Ann].skills[=y]: + y"}},
		{"a key used twice is a value", resource.Spec{"levels": list{map[string]any{"n": "1"}}},
			resource.Spec{"levels": list{map[string]any{"n": "1"}, map[string]any{"n": "1"}}},
			[]string{`levels: [{n: "1"}] → [{n: "1"}, {n: "1"}]`}},
		{"a list by index where it keeps its length", resource.Spec{"hours": list{hour("8"), hour("9")}},
			resource.Spec{"hours": list{hour("8"), hour("10")}}, []string{`hours[1].open: "9" → "10"`}},
		{"a list as one where its length changes", resource.Spec{"l": list{"a"}}, resource.Spec{"l": list{"a", "b"}},
			[]string{"l: [a] → [a, b]"}},
		{"a list as one where elements moved", resource.Spec{"l": list{"a", "b", "c"}}, resource.Spec{"l": list{"c", "a", "b"}},
			[]string{"l: [a, b, c] → [c, a, b]"}},
		{"raw content", resource.RawSpec([]byte("a\n")), resource.RawSpec([]byte("b\n")), []string{`content: "a\n" → "b\n"`}},
		{"odd names", resource.Spec{"odd.key": map[string]any{"[": "x"}}, resource.Spec{"odd.key": map[string]any{"[": "y"}},
			[]string{`"odd.key"."[": x → y`}},
		{"secrets by name", resource.Spec{"password": resource.Secret{Name: "A"}}, resource.Spec{"password": resource.Secret{Name: "B"}},
			[]string{"password: $A → $B"}},
	}
	s := kinds.Schema()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fs := Fields(s, tt.before, tt.after)
			var got []string
			for _, f := range fs {
				got = append(got, f.String())
			}
			require.Equal(t, tt.want, got)

			was := tt.before.Clone()
			after, err := Apply(s, tt.before, fs)
			require.NoError(t, err)
			require.Equal(t, tt.after, after)
			require.Equal(t, was, tt.before)
		})
	}
}

func TestFieldsWithoutSchema(t *testing.T) {
	t.Parallel()
	fs := Fields(nil, resource.Spec{"tags": []any{"a"}}, resource.Spec{"tags": []any{"b"}})
	require.Len(t, fs, 1)
	require.Equal(t, "tags[0]", fs[0].Path.String())
}

func TestFieldOps(t *testing.T) {
	t.Parallel()
	fs := Fields(nil, resource.Spec{"a": "x", "b": "x"}, resource.Spec{"b": "y", "c": "x"})
	require.Equal(t, []Op{Removed, Changed, Added}, []Op{fs[0].Op, fs[1].Op, fs[2].Op})
	require.Nil(t, fs[0].After)
	require.Nil(t, fs[2].Before)
	require.Equal(t, Added, fs[0].Invert().Op)
	require.Equal(t, fs, []Field{fs[0].Invert().Invert(), fs[1].Invert().Invert(), fs[2].Invert().Invert()})
}

func TestApplyRefusesAnotherBefore(t *testing.T) {
	t.Parallel()
	path := func(s string) Path {
		p, err := ParsePath(s)
		require.NoError(t, err)
		return p
	}
	spec := resource.Spec{
		"timeout": json.Number("20"), "tags": []any{"a"}, "members": []any{member("Ann", 1)}, "hours": []any{"8"},
	}
	tests := []struct {
		field Field
		want  string
	}{
		{Field{Path: path("timeout"), Op: Changed, Before: "x", After: "y"}, "apply timeout: is 20, want x"},
		{Field{Path: path("gone"), Op: Removed, Before: "x"}, "apply gone: is absent, want x"},
		{Field{Path: path("timeout"), Op: Added, After: "x"}, "apply timeout: is 20, want absent"},
		{Field{Path: path("timeout.x"), Op: Added, After: "x"}, "apply timeout.x: no x in 20"},
		{Field{Path: path("tags[=b]"), Op: Removed, Before: "b"}, "apply tags[=b]: is absent, want b"},
		{Field{Path: path("tags.b"), Op: Added, After: "b"}, "apply tags.b: no b in [a]"},
		{Field{Path: path("members[user=user/Bob].ring"), Op: Added, After: "b"}, "apply members[user=user/Bob].ring: no ring in absent"},
		{Field{Path: path("hours[1]"), Op: Changed, Before: "b", After: "c"}, "apply hours[1]: is absent, want b"},
		{Field{Path: path("[0]"), Op: Added, After: "b"}, "apply [0]: no [0] in {hours"},
		{Field{Op: Removed, Before: map[string]any{}}, "apply : is {hours"},
		{Field{Op: Changed, Before: map[string]any(spec), After: "x"}, "apply: the object became x"},
	}
	for _, tt := range tests {
		before := spec.Clone()
		_, err := Apply(kinds.Schema(), before, []Field{tt.field})
		require.ErrorContains(t, err, tt.want)
		require.Equal(t, spec, before)
	}
}

func TestApplyAddsWhereItBelongs(t *testing.T) {
	t.Parallel()
	s := kinds.Schema()
	before := resource.Spec{"members": []any{member("Bob", 1)}}
	after := resource.Spec{"members": []any{member("Ann", 1), member("Bob", 1), member("Cid", 1)}}
	got, err := Apply(s, before, Fields(s, before, after))
	require.NoError(t, err)
	require.Equal(t, after, got)
	require.Len(t, before["members"], 1)
}

func FuzzFields(f *testing.F) {
	for _, seed := range []string{"", "\x01", "\x03\x05\x02\x01\x01\x03\x02\x02\x01\x01\x01\x03\x01\x01\x02\x03", "one more spec, said in bytes", "aaaaabbbbbcccccdddddeeeee"} {
		f.Add([]byte(seed), []byte("another"))
		f.Add([]byte(seed), []byte(seed))
	}
	s := kinds.Schema()
	f.Fuzz(func(t *testing.T, one, two []byte) {
		a, b := (&tape{one}).spec(), (&tape{two}).spec()
		if len(one) > 3 && one[0] == one[1] {
			b = mutate(a, two)
		}
		require.Empty(t, Fields(s, a, a.Clone()))
		fs := Fields(s, a, b)
		require.Equal(t, resource.Equal(a, b), len(fs) == 0)

		was := a.Clone()
		got, err := Apply(s, a, fs)
		require.NoError(t, err)
		require.Equal(t, b, got)
		require.Equal(t, was, a)

		require.True(t, slices.IsSortedFunc(fs, func(x, y Field) int { return x.Path.Compare(y.Path) }))
		var back []Field
		for _, f := range fs {
			checkField(t, f, a, b)
			back = append(back, f.Invert())
		}
		require.Equal(t, Fields(s, b, a), back)
	})
}

// mutate changes a few fields of the spec.
func mutate(s resource.Spec, by []byte) resource.Spec {
	t := &tape{by}
	out := s.Clone()
	for k, v := range t.spec() {
		if t.n(2) == 1 {
			out[k] = v
		}
	}
	return kinds.Schema().Normalize(out)
}

func checkField(t *testing.T, f Field, a, b resource.Spec) {
	t.Helper()
	parsed, err := ParsePath(f.Path.String())
	require.NoError(t, err)
	require.Zero(t, parsed.Compare(f.Path), "%s", f.Path)

	before, _ := f.Path.In(a)
	after, _ := f.Path.In(b)
	require.Equal(t, before, f.Before)
	require.Equal(t, after, f.After)

	text, err := json.Marshal(f)
	require.NoError(t, err)
	var restored Field
	require.NoError(t, json.Unmarshal(text, &restored))
	require.Zero(t, restored.Path.Compare(f.Path))
	restored.Path = f.Path
	require.Equal(t, f, restored)
}

// large is a spec of about 1.2 KB.
func large() resource.Spec {
	var members []any
	for i := range 14 {
		members = append(members, map[string]any{"user": user(fmt.Sprintf("agent-%02d@example.com", i)), "ring": json.Number("1"), "skills": []any{"a", "b"}})
	}
	return kinds.Schema().Normalize(resource.Spec{
		"members": members, "tags": []any{"gold", "silver"}, "division": resource.Ref{Key: resource.Key{Kind: "division", Name: "Home"}},
		"media": map[string]any{"call": map[string]any{"alerting": json.Number("30"), "level": "0.8"}, "chat": map[string]any{"alerting": json.Number("60")}},
	})
}

func BenchmarkEqualSpecs(b *testing.B) {
	s, one, two := kinds.Schema(), large(), large()
	b.Run("Fields", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if Fields(s, one, two) != nil {
				b.Fatal("differ")
			}
		}
	})
	b.Run("DeepEqual", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !reflect.DeepEqual(one, two) {
				b.Fatal("differ")
			}
		}
	})
}

func BenchmarkOneFieldDiffers(b *testing.B) {
	s, one, two := kinds.Schema(), large(), large()
	two["members"].([]any)[7].(map[string]any)["ring"] = json.Number("2")
	b.ReportAllocs()
	for b.Loop() {
		if len(Fields(s, one, two)) != 1 {
			b.Fatal("not one")
		}
	}
}
