package genesyscloud

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// A credential need have no name on the platform (MyPureCloud/terraform-provider-genesyscloud, integration_credential). Nobody can refer to
// that one by name; all others can be referred to.
func TestWhatHasNoNameStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, integration)
	basic := map[string]any{"name": "basicAuth"}
	_, err := org.By("Ann Lee").Create("credential", map[string]any{"name": "CRM", "type": basic})
	require.NoError(t, err)
	none, err := org.By("Ann Lee").Create("credential", map[string]any{"type": basic})
	require.NoError(t, err)
	want := resource.Resource{Key: key("integration/Web"), Spec: spec(t, `{"integrationType": {"id": "custom-rest-actions"}, "intendedState": "DISABLED",
		"configuration": {"notes": "n", "properties": {}, "advanced": {}, "credentials": {"basicAuth": {"$ref": "credential/CRM"}}}}`)}
	got, err := d.Apply(t.Context(), resource.Change{After: &want})
	require.NoError(t, err)
	require.Equal(t, want.Spec, got.Spec)
	live, err := observe(t, d).Spec(want.Key)
	require.NoError(t, err)
	require.Equal(t, want.Spec, live)

	// Who uses it is told, and leads nowhere that could be deployed.
	id := got.Origin.ID
	config, err := org.By("Ann Lee").Request("GET", "/api/v2/integrations/"+id+"/config/current", nil)
	require.NoError(t, err)
	config.(map[string]any)["credentials"] = map[string]any{"basicAuth": map[string]any{"id": none}}
	_, err = org.By("Ann Lee").Request("PUT", "/api/v2/integrations/"+id+"/config/current", config)
	require.NoError(t, err)
	live, err = observe(t, d).Spec(want.Key)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"basicAuth": resource.Ref{Key: key("credential/" + resource.Unresolved)}}, live["configuration"].(map[string]any)["credentials"])
}

// Names of what is only looked up are listed from time to time. What a person makes and uses in between is asked for by its id: it would
// come as a reference to nothing, and again under its name later.
func TestWhatIsNewIsLookedUpByItsID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	requests := 0
	d := w.incremental(t, org, &requests, queue, division)
	id, err := org.By("Ann Lee").Create("queue", map[string]any{"name": "Support"})
	require.NoError(t, err)
	require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Minute))
	observe(t, d)
	require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
	script, err := org.By("Ann Lee").Create("script", map[string]any{"name": "Sales talk"})
	require.NoError(t, err)
	require.NoError(t, org.By("Ann Lee").Edit("queue", id, func(body map[string]any) {
		body["defaultScripts"] = map[string]any{"CALL": map[string]any{"id": script}}
	}))
	require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
	live, err := observe(t, d).Spec(key("queue/Support"))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"CALL": resource.Ref{Key: key("script/Sales talk")}}, live["defaultScripts"])
}

// An action of a rule set has the skills that it sets as a list of ids in a text (MyPureCloud/terraform-provider-genesyscloud, outbound_ruleset).
func TestSkillsInATextAreReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org, other := w.Org("Acme"), w.Org("Acme test")
	d, e := w.open(t, org, nil, ruleset, skill, division), w.open(t, other, nil, ruleset, skill, division)
	home := spec(t, `{"division": {"$ref": "division/Home"}}`)
	skills := []resource.Resource{{Key: key("skill/Billing"), Spec: home}, {Key: key("skill/Claims"), Spec: home}}
	fill(t, d, skills)
	fill(t, e, skills)
	ids := fmt.Sprintf("[%q,%q]", org.Find("skill", "Claims"), org.Find("skill", "Billing"))
	_, err := org.By("Ann Lee").Create("ruleset", map[string]any{"name": "Rules", "rules": []any{map[string]any{
		"name": "Rule", "order": 0, "category": "DIALER_PRECALL", "conditions": []any{},
		"actions": []any{map[string]any{"type": "Action", "actionTypeName": "SET_SKILLS", "properties": map[string]any{"skills": ids}}},
	}}})
	require.NoError(t, err)
	here, err := observe(t, d).Resource(key("ruleset/Rules"))
	require.NoError(t, err)
	action := here.Spec["rules"].([]any)[0].(map[string]any)["actions"].([]any)[0].(map[string]any)
	require.Equal(t, []any{resource.Ref{Key: key("skill/Billing")}, resource.Ref{Key: key("skill/Claims")}}, action["properties"].(map[string]any)["skills"])
	_, err = e.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: here.Key, Spec: here.Spec}})
	require.NoError(t, err)
	require.Equal(t, here.Spec.Hash(), observe(t, e).Hash(here.Key))
	stored := other.Body("ruleset", other.Find("ruleset", "Rules"))["rules"].([]any)[0].(map[string]any)["actions"].([]any)[0].(map[string]any)
	require.Equal(t, fmt.Sprintf("[%q,%q]", other.Find("skill", "Billing"), other.Find("skill", "Claims")), stored["properties"].(map[string]any)["skills"])
}
