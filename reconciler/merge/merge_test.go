package merge

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

var kinds = resource.KindInfo{Kind: "queue", Fields: []resource.Field{
	{Path: "tags", Set: true},
	{Path: "pauses", Set: true, Default: []any{}},
	{Path: "members", ListKey: "user"},
	{Path: "members[].skills", Set: true},
	{Path: "ring", Default: json.Number("3")},
	{Path: "media.ring", Default: json.Number("3")},
}}

type (
	list   = []any
	object = map[string]any
)

func member(user, ring string) object { return object{"user": user, "ring": json.Number(ring)} }

func TestSpecs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		base, ours, theirs resource.Spec
		want               resource.Spec
		conflicts          []string
		text               bool
	}{
		{name: "nothing changed", base: resource.Spec{"a": "x"}, ours: resource.Spec{"a": "x"}, theirs: resource.Spec{"a": "x"}, want: resource.Spec{"a": "x"}},
		{name: "different fields", base: resource.Spec{"a": "x", "b": "x", "c": "x"}, ours: resource.Spec{"a": "y", "b": "x"},
			theirs: resource.Spec{"a": "x", "b": "z", "c": "x", "d": "n"}, want: resource.Spec{"a": "y", "b": "z", "d": "n"}},
		{name: "the same change on both sides", base: resource.Spec{"a": "x", "b": "x"}, ours: resource.Spec{"a": "y", "b": "x"},
			theirs: resource.Spec{"a": "y", "b": "z"}, want: resource.Spec{"a": "y", "b": "z"}},
		{name: "the same field", base: resource.Spec{"a": "x", "b": "x"}, ours: resource.Spec{"a": "y", "b": "y"}, theirs: resource.Spec{"a": "z", "b": "x"},
			conflicts: []string{"a: changed on both sides to different values"}},
		{name: "removed and changed", base: resource.Spec{"a": object{"x": "1", "y": "1"}}, ours: resource.Spec{}, theirs: resource.Spec{"a": object{"x": "2", "y": "1"}},
			conflicts: []string{"a: removed on one side and changed on the other"}},
		{name: "added differently", base: resource.Spec{}, ours: resource.Spec{"a": "x"}, theirs: resource.Spec{"a": "y"},
			conflicts: []string{"a: added on both sides with different values"}},
		{name: "maps inside maps", base: resource.Spec{"m": object{"n": object{"a": "1", "b": "1"}}}, ours: resource.Spec{"m": object{"n": object{"a": "2", "b": "1"}}},
			theirs: resource.Spec{"m": object{"n": object{"a": "1", "b": "2"}}}, want: resource.Spec{"m": object{"n": object{"a": "2", "b": "2"}}}},
		{name: "maps that both added", base: resource.Spec{}, ours: resource.Spec{"m": object{"a": "1", "c": "1"}}, theirs: resource.Spec{"m": object{"b": "1", "c": "2"}},
			conflicts: []string{"m.c: added on both sides with different values"}},
		{name: "a value of another type", base: resource.Spec{"a": "x"}, ours: resource.Spec{"a": object{}}, theirs: resource.Spec{"a": list{}},
			conflicts: []string{"a: changed on both sides to different values"}},

		{name: "sets by element", base: resource.Spec{"tags": list{"a", "b", "c"}}, ours: resource.Spec{"tags": list{"b", "c", "d"}},
			theirs: resource.Spec{"tags": list{"a", "c", "e"}}, want: resource.Spec{"tags": list{"c", "d", "e"}}},
		{name: "sets that both added", base: resource.Spec{}, ours: resource.Spec{"tags": list{"b"}}, theirs: resource.Spec{"tags": list{"a"}}, want: resource.Spec{"tags": list{"a", "b"}}},
		{name: "an empty set that stays", base: resource.Spec{"tags": list{"a", "b"}}, ours: resource.Spec{"tags": list{"b"}}, theirs: resource.Spec{"tags": list{"a"}}, want: resource.Spec{"tags": list{}}},
		{name: "a set whose default is empty", base: resource.Spec{"pauses": list{"a"}}, ours: resource.Spec{}, theirs: resource.Spec{"pauses": list{"a", "b"}}, want: resource.Spec{"pauses": list{"b"}}},
		{name: "a set that comes back to its default", base: resource.Spec{"pauses": list{"a", "b"}}, ours: resource.Spec{"pauses": list{"a"}}, theirs: resource.Spec{"pauses": list{"b"}}, want: resource.Spec{}},
		{name: "a set without default removed", base: resource.Spec{"tags": list{"a"}}, ours: resource.Spec{}, theirs: resource.Spec{"tags": list{"a", "b"}},
			conflicts: []string{"tags: removed on one side and changed on the other"}},
		{name: "a set that is not one", base: resource.Spec{"tags": list{"b", "a"}}, ours: resource.Spec{"tags": list{"a"}}, theirs: resource.Spec{"tags": list{"b"}},
			conflicts: []string{"tags: changed on both sides to different values"}},

		{name: "keyed lists by key and field", base: resource.Spec{"members": list{member("Ann", "1"), member("Bob", "1"), member("Cid", "1")}},
			ours:   resource.Spec{"members": list{member("Ann", "2"), member("Bob", "1"), member("Dan", "1")}},
			theirs: resource.Spec{"members": list{object{"user": "Ann", "ring": json.Number("1"), "skills": list{"x"}}, member("Bea", "1"), member("Cid", "1")}},
			want: resource.Spec{"members": list{
				object{"user": "Ann", "ring": json.Number("2"), "skills": list{"x"}}, member("Bea", "1"), member("Dan", "1"),
			}}},
		{name: "a keyed element in conflict", base: resource.Spec{"members": list{member("Ann", "1"), member("Bob", "1")}},
			ours: resource.Spec{"members": list{member("Ann", "2")}}, theirs: resource.Spec{"members": list{member("Ann", "3"), member("Bob", "2")}},
			conflicts: []string{"members[user=Ann].ring: changed on both sides to different values", "members[user=Bob]: removed on one side and changed on the other"}},
		{name: "keyed elements that both added", base: resource.Spec{"members": list{}}, ours: resource.Spec{"members": list{object{"user": "Ann", "a": "1"}}},
			theirs: resource.Spec{"members": list{object{"user": "Ann", "b": "1"}}}, want: resource.Spec{"members": list{object{"user": "Ann", "a": "1", "b": "1"}}}},

		{name: "a list without key as a whole", base: resource.Spec{"l": list{"a", "b"}}, ours: resource.Spec{"l": list{"x", "b"}}, theirs: resource.Spec{"l": list{"a", "y"}},
			conflicts: []string{"l: changed on both sides to different values"}},
		{name: "a list without key on one side", base: resource.Spec{"l": list{"a"}, "m": "x"}, ours: resource.Spec{"l": list{"b"}, "m": "x"}, theirs: resource.Spec{"l": list{"a"}, "m": "y"},
			want: resource.Spec{"l": list{"b"}, "m": "y"}},

		{name: "a default on one side", base: resource.Spec{"ring": json.Number("5"), "a": "x"}, ours: resource.Spec{"a": "x"}, theirs: resource.Spec{"ring": json.Number("5"), "a": "y"},
			want: resource.Spec{"a": "y"}},
		{name: "a default in a map", base: resource.Spec{"media": object{"ring": json.Number("5"), "a": "x"}}, ours: resource.Spec{"media": object{"a": "x"}},
			theirs: resource.Spec{"media": object{"ring": json.Number("5"), "a": "y"}}, want: resource.Spec{"media": object{"a": "y"}}},
		{name: "a default against a value", base: resource.Spec{"ring": json.Number("5")}, ours: resource.Spec{}, theirs: resource.Spec{"ring": json.Number("6")},
			conflicts: []string{"ring: changed on both sides to different values"}},

		{name: "text line by line", base: resource.Spec{"t": "1\n2\n3\n4\n5\n"}, ours: resource.Spec{"t": "one\n2\n3\n4\n5\n"}, theirs: resource.Spec{"t": "1\n2\n3\n4\nfive\n"},
			want: resource.Spec{"t": "one\n2\n3\n4\nfive\n"}, text: true},
		{name: "raw content", base: resource.RawSpec([]byte("1\n2\n3\n")), ours: resource.RawSpec([]byte("0\n1\n2\n3\n")), theirs: resource.RawSpec([]byte("1\n2\n3\n4")),
			want: resource.RawSpec([]byte("0\n1\n2\n3\n4")), text: true},
		{name: "text in the same line", base: resource.Spec{"t": "1\n2\n"}, ours: resource.Spec{"t": "1\nx\n"}, theirs: resource.Spec{"t": "1\ny\n"},
			conflicts: []string{"t: changed on both sides in the same lines"}},
		{name: "text of one line", base: resource.Spec{"t": "1"}, ours: resource.Spec{"t": "1\n2\n"}, theirs: resource.Spec{"t": "0\n1"},
			conflicts: []string{"t: changed on both sides to different values"}},
		{name: "bytes that are no text", base: resource.RawSpec([]byte("1\n2\n3\n\xff")), ours: resource.RawSpec([]byte("0\n2\n3\n\xff")), theirs: resource.RawSpec([]byte("1\n2\n3\n4\n\xff")),
			conflicts: []string{"content: changed on both sides to different values"}},
		{name: "text with a NUL", base: resource.RawSpec([]byte("1\n2\n3\n")), ours: resource.RawSpec([]byte("0\n2\n3\n")), theirs: resource.RawSpec([]byte("1\n2\n3\n4\n\x00")),
			conflicts: []string{"content: changed on both sides to different values"}},

		{name: "deleted on both sides", base: resource.Spec{"a": "x"}},
		{name: "deleted on one side", base: resource.Spec{"a": "x"}, theirs: resource.Spec{"a": "x"}},
		{name: "created on one side", ours: resource.Spec{"a": "x"}, want: resource.Spec{"a": "x"}},
		{name: "created alike", ours: resource.Spec{}, theirs: resource.Spec{}, want: resource.Spec{}},
		{name: "deleted and changed", base: resource.Spec{"a": "x"}, theirs: resource.Spec{"a": "y"}, conflicts: []string{": deleted on one side and changed on the other"}},
		{name: "deleted and emptied", base: resource.Spec{"a": "x"}, theirs: resource.Spec{}, conflicts: []string{": deleted on one side and changed on the other"}},
		{name: "created differently", ours: resource.Spec{"a": "x"}, theirs: resource.Spec{"b": "x"}, conflicts: []string{": created on both sides with different values"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := kinds.Schema()
			for _, r := range []Result{Specs(s, tt.base, tt.ours, tt.theirs), Specs(s, tt.base, tt.theirs, tt.ours)} {
				var conflicts []string
				for _, c := range r.Conflicts {
					conflicts = append(conflicts, c.Path.String()+": "+c.Reason)
				}
				require.Equal(t, tt.conflicts, conflicts)
				require.Equal(t, tt.want, r.Spec)
				require.Equal(t, tt.text, r.Text)
			}
		})
	}
}

func TestConflictValues(t *testing.T) {
	t.Parallel()
	r := Specs(kinds.Schema(), resource.Spec{"ring": json.Number("5")}, resource.Spec{}, resource.Spec{"ring": json.Number("6"), "a": "x"})
	require.Len(t, r.Conflicts, 1)
	c := r.Conflicts[0]
	require.Equal(t, list{json.Number("5"), json.Number("3"), json.Number("6")}, list{c.Base, c.Ours, c.Theirs})

	r = Specs(nil, resource.Spec{"a": "x"}, nil, resource.Spec{"a": "y"})
	require.Nil(t, r.Conflicts[0].Ours)
	require.Equal(t, object{"a": "y"}, r.Conflicts[0].Theirs)
}

func TestConflictsComeInPathOrder(t *testing.T) {
	t.Parallel()
	r := Specs(kinds.Schema(),
		resource.Spec{"z": "1", "a": "1", "members": list{member("Ann", "1"), member("Bob", "1")}},
		resource.Spec{"z": "2", "a": "2", "members": list{member("Ann", "2"), member("Bob", "2")}},
		resource.Spec{"z": "3", "a": "3", "members": list{member("Ann", "3"), member("Bob", "3")}})
	var paths []string
	for _, c := range r.Conflicts {
		paths = append(paths, c.Path.String())
	}
	require.Equal(t, []string{"a", "members[user=Ann].ring", "members[user=Bob].ring", "z"}, paths)
	require.Nil(t, r.Spec)
}
