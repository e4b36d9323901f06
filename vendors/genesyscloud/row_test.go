package genesyscloud

import (
	"fmt"
	"strings"
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

// Where there are many of a kind, one is made without a listing of all: rows are looked for by their key, which is their id, skills and wrap-up
// codes by the platform's own search.
func TestOneOfManyIsMadeWithoutListings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, everything, datatable, datatablerow, division, skill, wrapupcode)
	fill(t, d, []resource.Resource{{Key: key("datatable/Shops"), Spec: spec(t, `{"schema": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}, "a": {"type": "string"}}}, `+home+`}`)}})
	observe(t, d)
	for range 250 {
		for _, kind := range []resource.Kind{skill, wrapupcode} {
			_, err := org.By("Ann Lee").Create(string(kind), map[string]any{"name": fmt.Sprint("N", w.Calls()[""], len(kind), org.Count(string(kind)))})
			require.NoError(t, err)
		}
	}
	for _, k := range []string{"skill/New", "wrapupcode/New", "wrapupcode/N*"} {
		_, n := w.asked(func() {
			_, err := d.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: key(k), Spec: spec(t, `{`+home+`}`)}})
			require.NoError(t, err)
		})
		require.Equal(t, n <= 3, !strings.Contains(k, "*"), "%s: %d requests", k, n)
	}
	for _, name := range []string{"17", "a b", "b%2Fc", "Zürich"} {
		r := resource.Resource{Key: key("datatablerow/Shops/" + name), Spec: spec(t, `{"datatable": {"$ref": "datatable/Shops"}, "a": "x"}`)}
		apply := func(c resource.Change) (n int, err error) {
			_, n = w.asked(func() { _, err = d.Apply(t.Context(), c) })
			return n, err
		}
		n, err := apply(resource.Change{After: &r})
		require.NoError(t, err)
		require.LessOrEqual(t, n, 3)
		_, err = apply(resource.Change{After: &resource.Resource{Key: r.Key, Spec: spec(t, `{"datatable": {"$ref": "datatable/Shops"}, "a": "y"}`)}})
		require.ErrorIs(t, err, vendors.ErrConflict, "it is there")
		_, err = apply(resource.Change{Before: &r})
		require.NoError(t, err)
		w.Fail(simulator.Fault{Method: "POST", Path: "/api/v2/flows/datatables/*/rows", Times: 1, Lost: true})
		_, err = apply(resource.Change{After: &r})
		require.NoError(t, err)
	}
	rows := 0
	for k := range hashes(observe(t, d)) {
		if k.Kind == datatablerow {
			rows++
		}
	}
	require.Equal(t, 4, rows)
}
