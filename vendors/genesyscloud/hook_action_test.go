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

// The templates of a data action, which the platform keeps in files, are a part of it: an edit of one by hand is seen, one in Git is written,
// a change of something else leaves them, and a draft in which somebody else changed one is left alone.
func TestTemplatesOfDataActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	requests := 0
	d := w.incremental(t, org, &requests, dataaction, integration)
	e := examples[slices.IndexFunc(examples, func(e example) bool { return e.key == "dataaction/CRM/Find" })]
	fill(t, d, e.object(t).Needs)
	value := func(n int, template string) *resource.Resource {
		s := e.spec(t, n)
		s["config"].(map[string]any)["request"].(map[string]any)["requestTemplate"] = template
		return &resource.Resource{Key: key(e.key), Spec: s}
	}
	fill(t, d, []resource.Resource{*value(0, "${input.rawRequest}")})
	require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Minute))
	known := observe(t, d)
	require.Equal(t, value(0, "${input.rawRequest}").Spec.Hash(), known.Hash(key(e.key)))

	id := org.Find("dataaction", "Find")
	require.NoError(t, org.By("Ann Lee").Edit("dataaction", id, func(body map[string]any) {
		body["config"].(map[string]any)["request"].(map[string]any)["requestTemplate"] = "by hand"
	}))
	require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
	s, err := d.Observe(t.Context(), vendors.Request{Known: known})
	require.NoError(t, err)
	live, err := s.Spec(key(e.key))
	require.NoError(t, err)
	require.Equal(t, value(0, "by hand").Spec, live)

	apply := func(from, to *resource.Resource) error {
		got, err := d.Apply(t.Context(), resource.Change{Before: from, After: to})
		if err == nil {
			require.Equal(t, to.Spec, got.Spec)
		}
		return err
	}
	require.ErrorIs(t, apply(value(0, "${input.rawRequest}"), value(0, "from Git")), vendors.ErrConflict)
	require.NoError(t, apply(value(0, "by hand"), value(0, "from Git")))
	require.NoError(t, apply(value(0, "from Git"), value(1, "from Git")), "by a draft")

	draft, err := org.By("Ann Lee").Request("POST", actionPath+"/"+id+"/draft", nil)
	require.NoError(t, err)
	config := value(1, "half done").Spec["config"]
	_, err = org.By("Ann Lee").Request("PATCH", actionPath+"/"+id+"/draft", map[string]any{"config": config, "version": draft.(map[string]any)["version"]})
	require.NoError(t, err)
	require.ErrorIs(t, apply(value(1, "from Git"), value(2, "from Git")), vendors.ErrBusy)
}
