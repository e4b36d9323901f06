package genesyscloud

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// What the contract calls required is sent: where a spec leaves it out because it is the default, and where a patch does because it stays.
func TestRequiredFieldsAreSent(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	for _, k := range platform(hooks{}).Kinds {
		for what, o := range map[string]rest.Operation{"Create": k.Create, "Update": k.Update} {
			op := c.byOp[shape(o.Method, o.Path)]
			if k.ReferenceOnly || op == nil || o.Path == "" || k.Hooks.Update != nil && what == "Update" && k.Kind == integration { // one field, or none
				continue
			}
			patch := what == "Update" && k.Style == rest.Patch
			for field, typ := range c.Models[model(op.Body)] {
				named := field == "name" || slices.Contains(k.Name.Fields, field)
				byDefault := slices.ContainsFunc(k.Fields, func(f rest.Field) bool { return f.Path == field && f.Default != nil })
				if strings.HasPrefix(typ, "!") && field != k.Guard.Body && (patch || !named && byDefault) {
					assert.Contains(t, o.Requires, field, "%s of %s", what, k.Kind)
				}
			}
		}
	}
}

func TestWhatIsDefaultIsSentWhereItIsRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, division, skillgroup)
	sales := resource.Resource{Key: key("division/Sales"), Spec: resource.Spec{}}
	experts := resource.Resource{Key: key("skillgroup/Experts"), Spec: spec(t, `{`+home+`}`)}
	fill(t, d, []resource.Resource{sales, experts})
	require.Equal(t, "", org.Body("division", org.Find("division", "Sales"))["description"])
	require.Equal(t, []any{}, org.Body("skillgroup", org.Find("skillgroup", "Experts"))["skillConditions"])
	after := resource.Resource{Key: experts.Key, Spec: spec(t, `{"description": "new", `+home+`}`)}
	got, err := d.Apply(t.Context(), resource.Change{Before: &experts, After: &after})
	require.NoError(t, err)
	require.Equal(t, after.Spec, got.Spec)
}
