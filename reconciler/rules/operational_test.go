package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/rules"
	"github.com/driftback/driftback/vendors/resource"
)

func TestOperationalFields(t *testing.T) {
	t.Parallel()
	kinds := []resource.KindInfo{
		{Kind: "queue", Fields: []resource.Field{{Path: "m", Set: true, ListKey: "u"}, {Path: "m[].on", Operational: true}, {Path: "open", Operational: true}, {Path: "s.x", Operational: true}}},
		{Kind: "skill", Fields: []resource.Field{{Path: "open"}}},
	}
	schemas := map[resource.Kind]*resource.Schema{"queue": kinds[0].Schema()}
	want := spec(t, `{"a":1,"open":true,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`)
	live := spec(t, `{"a":2,"open":false,"s":{"x":2,"y":2},"m":[{"u":"A","on":2},{"u":"B","on":2}]}`)
	for name, c := range map[string]struct{ rules, stripped, restored, created, observed string }{
		"without rules": {
			``, `{"a":1,"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":1,"open":false,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C"}]}`, `{"a":1,"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":1,"open":false,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C","on":1}]}`,
		},
		"one is managed": {
			`manage: [{kinds: [queue], fields: [open]}]`, `{"a":1,"open":true,"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":1,"open":true,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C"}]}`, `{"a":1,"open":true,"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":1,"open":true,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C","on":1}]}`,
		},
		"below a managed one": {
			`manage: [{objects: ["queue/S*"], fields: [s, m]}]`, `{"a":1,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`,
			`{"a":1,"open":false,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`, `{"a":1,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`,
			`{"a":1,"open":false,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`,
		},
		"all are managed": {
			`manage: [{objects: ["**"]}]`, `{"a":1,"open":true,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`,
			`{"a":1,"open":true,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`, `{"a":1,"open":true,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`,
			`{"a":1,"open":true,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`,
		},
		"others are managed": {
			`manage: [{objects: ["queue/Sales"]}, {kinds: [skill]}]`, `{"a":1,"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":1,"open":false,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C"}]}`, `{"a":1,"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":1,"open":false,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C","on":1}]}`,
		},
		"ignored fields besides are written on creation": {
			`ignore: [{kinds: [queue], fields: [a]}]`, `{"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":2,"open":false,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C"}]}`, `{"a":1,"s":{"y":1},"m":[{"u":"A"},{"u":"C"}]}`,
			`{"a":1,"open":false,"s":{"x":2,"y":1},"m":[{"u":"A","on":2},{"u":"C","on":1}]}`,
		},
	} {
		r, err := parse(t, c.rules).WithSchemas(schemas).WithOperational(kinds)
		require.NoError(t, err, name)
		before := want.Clone()
		require.Equal(t, spec(t, c.stripped), r.Strip(support, want), name)
		require.Equal(t, spec(t, c.restored), r.Restore(support, want, live), name)
		require.Equal(t, spec(t, c.created), r.Restore(support, want, nil), name)
		require.Equal(t, spec(t, c.observed), r.Observed(support, want, live), name)
		require.Equal(t, name != "all are managed", r.Touches(support), name)
		require.Equal(t, r.Strip(support, want), r.Strip(support, r.Restore(support, want, live)), name)
		require.Equal(t, before, want, name)
	}
	r, err := parse(t, "").WithOperational(kinds)
	require.NoError(t, err)
	require.True(t, r.Empty(), "of the file")
	require.False(t, parse(t, `manage: [{objects: ["**"]}]`).Empty())
	skill := resource.Key{Kind: "skill", Name: "A"}
	require.False(t, r.Touches(skill))
	require.Equal(t, live, r.Strip(skill, live))
	require.Nil(t, r.Restore(support, nil, live))
	require.Equal(t, want, r.Observed(support, want, nil))
	whole, err := parse(t, `ignore: [{kinds: [queue]}]`).WithOperational(kinds)
	require.NoError(t, err)
	require.Equal(t, live, whole.Restore(support, want, live))
	require.Equal(t, want, whole.Observed(support, want, live))
}

// What is listed under manage and is not operational is an error that says where it stands; what belongs to other environments is none.
func TestManagedFieldsAreOperational(t *testing.T) {
	t.Parallel()
	kinds := []resource.KindInfo{
		{Kind: "queue", Fields: []resource.Field{{Path: "open", Operational: true}, {Path: "members[].on", Operational: true}, {Path: "a"}}},
		{Kind: "skill"},
	}
	for text, want := range map[string]string{
		"manage:\n  - kinds: [queue]\n    fields: [open, a]":          `3:20: field "a" is not operational (of queue)`,
		"manage:\n  - kinds: [queue]\n    fields: [ope]":              `3:14: field "ope" is not operational`,
		"manage:\n  - kinds: [skill]\n    fields: [open]":             `3:14: field "open" is not operational (of skill)`,
		"manage:\n  - objects: ['s*/**']\n    fields: [open]":         `3:14: field "open" is not operational (of skill)`,
		"manage:\n  - objects: ['**']\n    fields: [x]":               `3:14: field "x" is not operational (of queue, skill)`,
		"manage:\n  - kinds: [queue]\n    fields: ['members[].on.x']": `3:14: field "members[].on.x" is not operational`,
		"manage:\n  - kinds: [queue, skill]\n    fields: [open]":      "",
		"manage:\n  - objects: ['**']\n    fields: [members]":         "",
		"manage:\n  - kinds: [campaign]\n    fields: [x]":             "",
		"manage:\n  - objects: ['camp*/x']\n    fields: [x]":          "",
		"manage:\n  - kinds: [skill]":                                 "",
	} {
		_, err := parse(t, text).WithOperational(kinds)
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
		var e *rules.Error
		require.ErrorAs(t, err, &e)
	}
}

// A descriptor with a path that cannot be is an error that names it, and takes the others' rules from nobody.
func TestOperationalPathsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "a..b", "a[0]", "tags[]", "[]"} {
		r, err := parse(t, "").WithOperational([]resource.KindInfo{{Kind: "queue", Fields: []resource.Field{{Path: path, Operational: true}, {Path: "open", Operational: true}}}})
		require.ErrorContains(t, err, "descriptor of queue: operational ", path)
		require.Equal(t, resource.Spec{"b": "1"}, r.Strip(support, resource.Spec{"open": true, "b": "1"}))
	}
}
