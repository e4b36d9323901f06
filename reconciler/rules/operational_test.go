package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
			`manage: [{objects: ["queue/S*"], fields: [s, m, ope]}]`, `{"a":1,"s":{"x":1,"y":1},"m":[{"u":"A","on":1},{"u":"C","on":1}]}`,
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
		r := parse(t, c.rules).WithSchemas(schemas).WithOperational(kinds)
		before := want.Clone()
		require.Equal(t, spec(t, c.stripped), r.Strip(support, want), name)
		require.Equal(t, spec(t, c.restored), r.Restore(support, want, live), name)
		require.Equal(t, spec(t, c.created), r.Restore(support, want, nil), name)
		require.Equal(t, spec(t, c.observed), r.Observed(support, want, live), name)
		require.Equal(t, name != "all are managed", r.Touches(support), name)
		require.Equal(t, r.Strip(support, want), r.Strip(support, r.Restore(support, want, live)), name)
		require.Equal(t, before, want, name)
	}
	r := parse(t, "").WithOperational(kinds)
	require.True(t, r.Empty(), "of the file")
	require.False(t, parse(t, `manage: [{objects: ["**"]}]`).Empty())
	skill := resource.Key{Kind: "skill", Name: "A"}
	require.False(t, r.Touches(skill))
	require.Equal(t, live, r.Strip(skill, live))
	require.Nil(t, r.Restore(support, nil, live))
	require.Equal(t, want, r.Observed(support, want, nil))
	whole := parse(t, `ignore: [{kinds: [queue]}]`).WithOperational(kinds)
	require.Equal(t, live, whole.Restore(support, want, live))
	require.Equal(t, want, whole.Observed(support, want, live))
}
