package genesyscloud

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// What a creation does not take is written by an update after it: the platform has fields that only an update has, and one that a creation
// says to take and drops. What was made in part before the answer was lost is finished.
func TestCreationsThatTakeLess(t *testing.T) {
	t.Parallel()
	needs := []resource.Resource{{Key: key("user/eve@example.org"), Spec: spec(t, `{"name": "Eve", "state": "active", `+home+`}`)}}
	for k, text := range map[string]string{
		"user/ann@example.org": `{"name": "Ann Lee", "state": "active", "acdAutoAnswer": true, "manager": {"$ref": "user/eve@example.org"}, ` + home + `}`,
		"integration/Web":      `{"integrationType": {"id": "custom-rest-actions"}, "intendedState": "ENABLED", "configuration": {"notes": "n", "properties": {}, "advanced": {}, "credentials": {}}}`,
		"group/Agents":         `{"description": "All", "type": "official", "rulesVisible": true, "visibility": "public", "rolesEnabled": false, "includeOwners": true, "callsEnabled": false}`,
	} {
		item := simulator.Fault{Method: "PATCH", Path: "/api/v2/" + places[key(k).Kind].path + "/*", Times: 1}
		if key(k).Kind == group {
			item.Method = "PUT"
		}
		lost, busy := item, item
		lost.Lost, busy.Status = true, 503
		for name, f := range map[string]simulator.Fault{
			"answered":      {Path: "/none"},
			"creation lost": {Method: "POST", Path: "/api/v2/" + places[key(k).Kind].path, Times: 1, Lost: true},
			"update lost":   lost,
			"update busy":   busy,
		} {
			if name == "creation lost" && key(k).Kind == integration {
				continue // the state that the platform gave it may be somebody else's wish
			}
			t.Run(k+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, simulator.Options{Rate: -1})
				org := w.Org("Acme")
				d := w.open(t, org, everything, user, division, integration, group)
				fill(t, d, needs)
				w.Fail(f)
				want := spec(t, text)
				got, err := d.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: key(k), Spec: want}})
				require.NoError(t, err)
				require.Equal(t, want, got.Spec)
				stored, err := observe(t, d).Spec(key(k))
				require.NoError(t, err)
				require.Equal(t, want, stored)
			})
		}
	}
}

// A user who is brought back is made what is wanted, also of what a creation does not take.
func TestARestoredUserIsWhatIsWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, everything, user, division)
	r := resource.Resource{Key: key("user/ann@example.org"), Spec: spec(t, `{"name": "Ann Lee", "state": "active", `+home+`}`)}
	fill(t, d, []resource.Resource{r})
	_, err := d.Apply(t.Context(), resource.Change{Before: &r})
	require.NoError(t, err)
	r.Spec = spec(t, `{"name": "Ann Lee-Roth", "state": "active", "acdAutoAnswer": true, `+home+`}`)
	got, err := d.Apply(t.Context(), resource.Change{After: &r})
	require.NoError(t, err)
	require.Equal(t, r.Spec, got.Spec)
}

// What the platform makes of no description is none.
func TestAnOutcomeWithoutADescription(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	d := w.open(t, w.Org("Acme"), nil, flowoutcome, division)
	r := resource.Resource{Key: key("flowoutcome/Booked"), Spec: spec(t, `{`+home+`}`)}
	got, err := d.Apply(t.Context(), resource.Change{After: &r})
	require.NoError(t, err)
	require.Equal(t, r.Spec, got.Spec)
	require.Equal(t, r.Spec.Hash(), observe(t, d).Hash(r.Key))
}
