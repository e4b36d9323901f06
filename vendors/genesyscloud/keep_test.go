package genesyscloud

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// An update that replaces the object sends back what is no part of the spec and would be gone otherwise: the peer of a queue, how a form is
// scored, and the credentials of a list, as long as the operator's configuration says nothing of them.
func TestUpdatesKeepWhatIsNoPartOfTheSpec(t *testing.T) {
	t.Parallel()
	for k, c := range map[string]struct {
		body map[string]any
		keep string
		edit func(resource.Spec)
	}{
		"queue/Support":       {map[string]any{"name": "Support", "peerId": "other"}, "peerId", func(s resource.Spec) { s["description"] = "new" }},
		"dnclist/Nobody":      {map[string]any{"name": "Nobody", "dncSourceType": "gryphon", "licenseId": "L-17"}, "licenseId", func(s resource.Spec) { s["contactMethod"] = "Phone" }},
		"evaluationform/Form": {map[string]any{"name": "Form", "questionGroups": []any{}, "aiScoring": map[string]any{"questionGroupSettings": []any{}}}, "aiScoring", func(s resource.Spec) { s["dialect"] = "en-US" }},
	} {
		t.Run(k, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Rate: -1})
			org := w.Org("Acme")
			kind := key(k).Kind
			id, err := org.By("Ann Lee").Create(string(kind), c.body)
			require.NoError(t, err)
			d := w.open(t, org, nil, kind, division)
			before, err := observe(t, d).Resource(key(k))
			require.NoError(t, err)
			require.NotContains(t, before.Spec, c.keep)
			after := before.Spec.Clone()
			c.edit(after)
			_, err = d.Apply(t.Context(), resource.Change{Before: before, After: &resource.Resource{Key: key(k), Spec: after}})
			require.NoError(t, err)
			require.Equal(t, c.body[c.keep], org.Body(string(kind), id)[c.keep])
			if kind != dnclist {
				return
			}
			// What the operator's configuration says is written.
			before.Spec = after
			after = after.Clone()
			after["licenseId"] = "L-18"
			_, err = d.Apply(t.Context(), resource.Change{Before: before, After: &resource.Resource{Key: key(k), Spec: after}})
			require.NoError(t, err)
			require.Equal(t, "L-18", org.Body(string(kind), id)["licenseId"])
		})
	}
}

// computed are the fields at the top that an update takes by the contract's models and that are the platform's all the same: their absence
// is no wish.
var computed = map[resource.Kind][]string{
	division: {"homeDivision", "objectCounts"}, group: {"email", "images", "state"}, schedule: {"state"}, schedulegroup: {"state"}, ivr: {"state"},
	emergencygroup: {"state"}, prompt: {"currentOperation"}, flowoutcome: {"currentOperation"}, queue: {"joinedMemberCount", "memberCount", "userMemberCount"},
	contactlist: {"dateExpiration", "importStatus", "size"}, dnclist: {"importStatus", "size"}, campaign: {"errors"},
	webconfiguration: {"createdUser", "datePublished", "lastModifiedUser", "publishedUser", "status"}, webdeployment: {"lastModifiedUser", "snippet"},
	evaluationform: {"contextId", "latestVersionFormName", "modifiedDate", "publishedVersions"},
}

// TestWhatUpdatesDropIsComputed holds the list above against the contract.
func TestWhatUpdatesDropIsComputed(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	for _, k := range platform(hooks{}).Kinds {
		op := c.byOp[shape(k.Update.Method, k.Update.Path)]
		if k.ReferenceOnly || op == nil || k.Style != rest.Put || k.Kind == flow { // a flow's fields are written one by one
			continue
		}
		var found []string
		for _, f := range k.Fields {
			if _, taken := c.Models[model(op.Body)][f.Path]; taken && (f.Volatile || f.Secret) && !slices.Contains(k.Update.Echo, f.Path) {
				found = append(found, f.Path)
			}
		}
		slices.Sort(found)
		assert.Equal(t, computed[k.Kind], found, "%s", k.Kind)
	}
}

// The default answer of a question is told by an id that differs from form to form. A spec has that there is one, and an update leaves it what it
// is, as long as the answer is there.
func TestDefaultAnswersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, evaluationform, division)
	e := examples[slices.IndexFunc(examples, func(e example) bool { return key(e.key).Kind == evaluationform })]
	fill(t, d, []resource.Resource{{Key: key(e.key), Spec: e.spec(t, 0)}})
	id := org.Find("evaluationform", "Politeness")
	question := func() map[string]any {
		return org.Body("evaluationform", id)["questionGroups"].([]any)[0].(map[string]any)["questions"].([]any)[0].(map[string]any)
	}
	yes := question()["answerOptions"].([]any)[0].(map[string]any)["id"]
	require.NotEmpty(t, yes)
	require.NoError(t, org.By("Ann Lee").Edit("evaluationform", id, func(body map[string]any) {
		q := body["questionGroups"].([]any)[0].(map[string]any)["questions"].([]any)[0].(map[string]any)
		q["defaultAnswer"] = map[string]any{"id": yes}
	}))
	before, err := observe(t, d).Resource(key(e.key))
	require.NoError(t, err)
	after := before.Spec.Clone()
	asked := func(s resource.Spec) map[string]any {
		return s["questionGroups"].([]any)[0].(map[string]any)["questions"].([]any)[0].(map[string]any)
	}
	require.Equal(t, map[string]any{}, asked(after)["defaultAnswer"])
	asked(after)["text"] = "Really friendly?"
	_, err = d.Apply(t.Context(), resource.Change{Before: before, After: &resource.Resource{Key: key(e.key), Spec: after}})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"id": yes}, question()["defaultAnswer"])
	require.Equal(t, after.Hash(), observe(t, d).Hash(key(e.key)))
}
