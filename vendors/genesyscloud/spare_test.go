package genesyscloud

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// A part that a change leaves alone is neither read nor written for it: what a person does to it meanwhile stays, and is told by the next
// reading. A part that it changes is compared.
func TestPartsThatAChangeLeavesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, queue, wrapupcode, division)
	code := func(name string) any { return resource.Ref{Key: key("wrapupcode/" + name)} }
	value := func(text string, codes ...any) *resource.Resource {
		s := spec(t, `{"division": {"$ref": "division/Home"}, `+queueDefaults+`}`)
		if s["description"] = text; len(codes) > 0 {
			s["wrapUpCodes"] = codes
		}
		return &resource.Resource{Key: key("queue/Support"), Spec: s}
	}
	home := spec(t, `{"division": {"$ref": "division/Home"}}`)
	fill(t, d, []resource.Resource{{Key: key("wrapupcode/Sold"), Spec: home}, {Key: key("wrapupcode/Other"), Spec: home}, *value("a", code("Sold"))})
	observe(t, d)
	require.NoError(t, w.clock.Sleep(t.Context(), 2*time.Minute))
	require.NoError(t, org.By("Ann Lee").Link("queue", org.Find("queue", "Support"), "wrapupcodes", org.Find("wrapupcode", "Other"), nil))
	const codes = "/api/v2/routing/queues/{id}/wrapupcodes"
	before := w.Calls()
	got, err := d.Apply(t.Context(), resource.Change{Before: value("a", code("Sold")), After: value("b", code("Sold"))})
	require.NoError(t, err)
	require.Equal(t, value("b", code("Sold")).Spec, got.Spec)
	require.Equal(t, before["GET "+codes], w.Calls()["GET "+codes])
	require.Equal(t, before["POST "+codes], w.Calls()["POST "+codes])
	live, err := observe(t, d).Spec(key("queue/Support"))
	require.NoError(t, err)
	require.ElementsMatch(t, []any{code("Sold"), code("Other")}, live["wrapUpCodes"], "what Ann added is gone, or not told")

	_, err = d.Apply(t.Context(), resource.Change{Before: value("b", code("Sold")), After: value("b")})
	require.ErrorIs(t, err, vendors.ErrConflict)
	_, err = d.Apply(t.Context(), resource.Change{Before: value("b", code("Other"), code("Sold")), After: value("b", code("Sold"))})
	require.NoError(t, err)
	require.Equal(t, before["PUT /api/v2/routing/queues/{id}"]+1, w.Calls()["PUT /api/v2/routing/queues/{id}"], "the queue itself is written though its codes alone changed")
	live, err = observe(t, d).Spec(key("queue/Support"))
	require.NoError(t, err)
	require.Equal(t, value("b", code("Sold")).Spec, live)
}

// The text of a flow is not exported to be compared where its version says that it is what was observed; it is where somebody published since.
func TestTextsAreComparedByTheVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, flow, division)
	value := func(text string) *resource.Resource {
		s := spec(t, `{"division": {"$ref": "division/Home"}}`)
		s["content"] = "inboundCall:\n  startUpRef: " + text + "\n"
		return &resource.Resource{Key: key("flow/INBOUNDCALL/Main"), Spec: s}
	}
	fill(t, d, []resource.Resource{*value("a")})
	observe(t, d)
	exports := func() int { return w.Calls()["POST /api/v2/flows/export/jobs"] }
	n := exports()
	_, err := d.Apply(t.Context(), resource.Change{Before: value("a"), After: value("b")})
	require.NoError(t, err)
	require.Equal(t, n+1, exports(), "once, to see what came of it")
	_, err = org.By("Ann Lee").Publish("inboundCall:\n  name: Main\n  startUpRef: c\n")
	require.NoError(t, err)
	_, err = d.Apply(t.Context(), resource.Change{Before: value("b"), After: value("d")})
	require.ErrorIs(t, err, vendors.ErrConflict)
	_, err = d.Apply(t.Context(), resource.Change{Before: value("b"), After: value("c")})
	require.NoError(t, err, "it is that already")
	require.Equal(t, value("c").Spec.Hash(), observe(t, d).Hash(key("flow/INBOUNDCALL/Main")))
}

// What the audit named was read alone, and no listing was compared with it: the next one tells by the version whether it is still that.
func TestWhatWasReadAloneIsComparedByTheVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	requests := 0
	d := w.incremental(t, org, &requests, skillgroup, division)
	id, err := org.By("Ann Lee").Create("skillgroup", map[string]any{"name": "Experts", "skillConditions": []any{}, "division": map[string]any{"id": org.Find("division", "Home")}})
	require.NoError(t, err)
	require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Minute))
	known := observe(t, d)
	pass := func(after time.Duration) map[string]int {
		t.Helper()
		require.NoError(t, w.clock.Sleep(t.Context(), after))
		before := w.Calls()["GET /api/v2/routing/skillgroups/{id}"]
		s, err := d.Observe(t.Context(), vendors.Request{Known: known})
		require.NoError(t, err)
		known = s
		return map[string]int{"read": w.Calls()["GET /api/v2/routing/skillgroups/{id}"] - before}
	}
	pass(time.Minute)
	for _, text := range []string{"one", "two"} {
		edit(t, org, "Ann Lee", key("skillgroup/Experts"), text)
		require.Equal(t, 1, pass(2 * time.Minute)["read"])
		spec, err := known.Spec(key("skillgroup/Experts"))
		require.NoError(t, err)
		require.Equal(t, text, spec["description"])
	}
	require.Equal(t, 0, pass(2 * time.Hour)["read"], "it is as it was")
	edit(t, org, "Ann Lee", key("skillgroup/Experts"), "three")
	pass(2 * time.Minute)
	edit(t, org, "Ann Lee", key("skillgroup/Experts"), "four")
	require.Equal(t, 1, pass(2 * time.Hour)["read"], "a listing of everything asks no audit")
	spec, err := known.Spec(key("skillgroup/Experts"))
	require.NoError(t, err)
	require.Equal(t, "four", spec["description"], id)
}
