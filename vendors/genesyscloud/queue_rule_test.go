package genesyscloud

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// The first rule of a queue's conditional group routing is about the queue itself: the platform says so with its answer, and refuses to be
// told. So no spec has it: a queue with such rules can be changed, and be made in another organisation, where it is not there yet.
func TestTheFirstRuleIsAboutTheQueueItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org, other := w.Org("Acme"), w.Org("Acme test")
	rule := func(of ...string) map[string]any {
		out := map[string]any{"metric": "EstimatedWaitTime", "operator": "GreaterThan", "conditionValue": 10, "waitSeconds": 30, "groups": []any{}}
		for _, id := range of {
			out["queue"] = map[string]any{"id": id}
		}
		return out
	}
	ann := org.By("Ann Lee")
	sales, err := ann.Create("queue", map[string]any{"name": "Sales"})
	require.NoError(t, err)
	_, err = ann.Create("queue", map[string]any{"name": "Support", "conditionalGroupRouting": map[string]any{"rules": []any{rule(), rule(sales)}}})
	require.NoError(t, err)
	d, e := w.open(t, org, nil, queue, division), w.open(t, other, nil, queue, division)
	before, err := observe(t, d).Resource(key("queue/Support"))
	require.NoError(t, err)
	rules := before.Spec["conditionalGroupRouting"].(map[string]any)["rules"].([]any)
	require.NotContains(t, rules[0], "queue")
	require.Equal(t, resource.Ref{Key: key("queue/Sales")}, rules[1].(map[string]any)["queue"])

	after := resource.Resource{Key: before.Key, Spec: before.Spec.Clone()}
	after.Spec["description"] = "new"
	got, err := d.Apply(t.Context(), resource.Change{Before: before, After: &after})
	require.NoError(t, err)
	require.Equal(t, after.Spec, got.Spec)

	_, err = other.By("Ann Lee").Create("queue", map[string]any{"name": "Sales"})
	require.NoError(t, err)
	got, err = e.Apply(t.Context(), resource.Change{After: &after})
	require.NoError(t, err)
	require.Equal(t, after.Spec, got.Spec)
	require.Equal(t, after.Spec.Hash(), observe(t, e).Hash(after.Key))
}
