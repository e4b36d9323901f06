package genesyscloud

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// The columns of a table are people's: what they call as the platform calls what it computes is theirs too. One that is called as the
// reference to the table cannot be told from it: the row is left alone, and so is nothing else.
func TestRowsMayHaveAnyColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, everything, datatable, datatablerow, division)
	fill(t, d, []resource.Resource{{Key: key("datatable/Shops"), Spec: spec(t, `{"schema": {"type": "object", "required": ["key"], "properties": {
		"key": {"type": "string"}, "version": {"type": "string"}, "id": {"type": "string"}, "name": {"type": "string"}, "dateModified": {"type": "string"},
		"createdBy": {"type": "string"}, "datatable": {"type": "string"}}}, `+home+`}`)}})
	r := resource.Resource{Key: key("datatablerow/Shops/17"), Spec: spec(t, `{"datatable": {"$ref": "datatable/Shops"}, "version": "3", "id": "x17", "name": "Bern", "dateModified": "May", "createdBy": "Eve"}`)}
	got, err := d.Apply(t.Context(), resource.Change{After: &r})
	require.NoError(t, err)
	require.Equal(t, r.Spec, got.Spec)
	after := r.Spec.Clone()
	after["name"] = "Basel"
	_, err = d.Apply(t.Context(), resource.Change{Before: &r, After: &resource.Resource{Key: r.Key, Spec: after}})
	require.NoError(t, err)
	live, err := observe(t, d).Spec(r.Key)
	require.NoError(t, err)
	require.Equal(t, after, live)

	_, err = org.By("Ann Lee").Request("POST", "/api/v2/flows/datatables/"+org.Find("datatable", "Shops")+"/rows", map[string]any{"key": "18", "datatable": "mine"})
	require.NoError(t, err)
	s, err := d.Observe(t.Context(), vendors.Request{})
	require.ErrorContains(t, err, "has a field of its own that is called datatable")
	require.Equal(t, after.Hash(), s.Hash(r.Key))
	require.False(t, s.Scope().Covers(key("datatablerow/Shops/18")))
}
