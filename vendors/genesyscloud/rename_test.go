package genesyscloud

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// A renamed object is told under its new name by whatever refers to it, also where no listing shows that it does, as with the wrap-up
// codes of a queue, the divisions of a skill group, and the text of a flow; and by the reading that tells the rename.
func TestRenamesAreFollowedWhereNoListingShows(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]time.Duration{"listings": 0, "audit": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Rate: -1})
			org := w.Org("Acme")
			objects := centre(t)
			for i, r := range objects {
				switch r.Key {
				case key("skillgroup/Experts"):
					objects[i].Spec["memberDivisions"] = []any{resource.Ref{Key: key("division/D2")}}
				case key("flow/INBOUNDCALL/Main"):
					objects[i].Spec["content"] = "inboundCall:\n  startUpRef: here\n  tasks:\n    - transferToAcd:\n        targetQueue:\n          lit:\n            name: Support\n"
				}
			}
			fill(t, w.open(t, org, everything), objects)
			require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Minute))
			d := w.open(t, org, func(c *Config) {
				*c.Full, *c.Parts = Duration(full), Duration(24*time.Hour)
			})
			known := observe(t, d)
			for from, to := range map[resource.Key]string{key("wrapupcode/Sold"): "Sold again", key("division/D2"): "D two", key("queue/Support"): "First line"} {
				require.NoError(t, org.By("Ann Lee").Edit(string(from.Kind), org.Find(string(from.Kind), from.Name), func(body map[string]any) { body["name"] = to }))
			}
			require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
			now, err := d.Observe(t.Context(), vendors.Request{Known: known})
			require.NoError(t, err)
			fresh := observe(t, w.open(t, org, nil))
			for _, k := range []resource.Key{key("queue/First line"), key("skillgroup/Experts"), key("flow/INBOUNDCALL/Main")} {
				require.Equal(t, fresh.Hash(k), now.Hash(k), "%s", k)
			}
			spec, err := now.Spec(key("flow/INBOUNDCALL/Main"))
			require.NoError(t, err)
			require.Contains(t, spec["content"], "First line")
			for k, h := range hashes(fresh) {
				require.Equal(t, h, now.Hash(k), "%s", k)
			}
		})
	}
}

// Renaming a queue that a flow's text names is one write: Architect exports the new name, and a text in Git that says it too is what is
// live. Nothing is published.
func TestTextsOfFlowsFollowARename(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	d := w.open(t, w.Org("Acme"), func(c *Config) { *c.Full, *c.Parts = Duration(time.Hour), Duration(24*time.Hour) }, queue, flow, division)
	text := func(name string) resource.Spec {
		s := spec(t, `{"division": {"$ref": "division/Home"}}`)
		s["content"] = "inboundCall:\n  startUpRef: here\n  tasks:\n    - transferToAcd:\n        targetQueue:\n          lit:\n            name: " + name + "\n"
		return s
	}
	support, main := key("queue/Support"), key("flow/INBOUNDCALL/Main")
	fill(t, d, []resource.Resource{{Key: support, Spec: spec(t, `{"division": {"$ref": "division/Home"}}`)}, {Key: main, Spec: text("Support")}})
	before := observe(t, d)
	queueBefore, err := before.Resource(support)
	require.NoError(t, err)
	flowBefore, err := before.Resource(main)
	require.NoError(t, err)
	for _, name := range []string{"First line", "Line: 1", "Ünïcode"} {
		renamed := key("queue/" + name)
		_, err = d.Apply(t.Context(), resource.Change{Before: queueBefore, After: &resource.Resource{Key: renamed, Spec: queueBefore.Spec}})
		require.NoError(t, err)
		queueBefore = &resource.Resource{Key: renamed, Spec: queueBefore.Spec, Origin: queueBefore.Origin}
		after := text(name)
		if name == "Line: 1" {
			after = text(`"Line: 1"`)
		}
		_, err = d.Apply(t.Context(), resource.Change{Before: flowBefore, After: &resource.Resource{Key: main, Spec: after}})
		require.NoError(t, err)
		flowBefore = &resource.Resource{Key: main, Spec: after, Origin: flowBefore.Origin}
		now, err := d.Observe(t.Context(), vendors.Request{Known: before})
		require.NoError(t, err)
		require.Equal(t, after.Hash(), now.Hash(main))
		require.True(t, before.Hash(main) != now.Hash(main))
	}
	made := writing(w.Calls())
	delete(made, "POST /api/v2/flows/export/jobs")
	require.Equal(t, map[string]int{"POST /api/v2/routing/queues": 1, "POST /api/v2/flows/jobs": 1, "PUT /api/v2/routing/queues/{id}": 3}, made)
}

// An integration is renamed by its configuration, together with what else of that changes: it stays the same, and so does what belongs to it.
func TestAnIntegrationIsRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, integration, dataaction)
	value := func(name, notes string) *resource.Resource {
		return &resource.Resource{Key: key("integration/" + name), Spec: spec(t, `{"integrationType": {"id": "custom-rest-actions"}, "intendedState": "DISABLED",
			"configuration": {"notes": "`+notes+`", "properties": {}, "advanced": {}, "credentials": {}}}`)}
	}
	e := examples[slices.IndexFunc(examples, func(e example) bool { return e.key == "dataaction/CRM/Find" })]
	fill(t, d, []resource.Resource{*value("Web", "a"), {Key: key(e.key), Spec: e.spec(t, 0)}})
	before := idsOf(observe(t, d))
	got, err := d.Apply(t.Context(), resource.Change{Before: value("Web", "a"), After: value("Shop", "b")})
	require.NoError(t, err)
	require.Equal(t, value("Shop", "b").Spec, got.Spec)
	after := observe(t, d)
	require.Equal(t, before[key("integration/Web")], idsOf(after)[key("integration/Shop")])
	live, err := after.Spec(key(e.key))
	require.NoError(t, err)
	require.Equal(t, resource.Ref{Key: key("integration/Shop")}, live["integrationId"])
}
