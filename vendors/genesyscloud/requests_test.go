package genesyscloud

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// large makes an organisation of so many pages, with some queues and other objects of which parts are kept apart.
func (w *world) large(t *testing.T, queues int) *simulator.Org {
	t.Helper()
	org := w.Org("Acme")
	setup := org.By("Setup")
	home := map[string]any{"id": org.Find("division", "Home")}
	for n := range 6000 {
		_, err := setup.Create("wrapupcode", map[string]any{"name": fmt.Sprintf("Code %04d", n), "division": home})
		require.NoError(t, err)
	}
	code := org.Find("wrapupcode", "Code 0000")
	for n := range queues {
		id, err := setup.Create("queue", map[string]any{"name": fmt.Sprintf("Queue %03d", n), "division": home})
		require.NoError(t, err)
		require.NoError(t, setup.Link("queue", id, "wrapupcodes", code, nil))
	}
	for n := range 10 {
		_, err := setup.Create("skillgroup", map[string]any{"name": fmt.Sprintf("Group %02d", n), "skillConditions": []any{}, "division": home})
		require.NoError(t, err)
		_, err = setup.Create("integration", map[string]any{"name": fmt.Sprintf("Integration %02d", n), "integrationType": map[string]any{"id": "custom-rest-actions"}})
		require.NoError(t, err)
	}
	return org
}

// asked counts the requests of what f does: the pages of listings, and all.
func (w *world) asked(f func()) (pages, all int) {
	before := w.Calls()
	f()
	for call, n := range w.Calls() {
		method, path, ok := strings.Cut(call, " ")
		n -= before[call]
		if !ok || method == "status" {
			continue
		}
		all += n
		if method == "GET" && !strings.Contains(path, "{") && !strings.HasSuffix(path, "/me") {
			pages += n
		}
	}
	return pages, all
}

// A reading of everything costs its pages and no more than a fiftieth besides, but the first one, which knows nothing yet. What is kept
// apart from objects, and of which neither they nor an audit show that it changed, is still found, within the time that is set for it.
func TestFullReadingsCostTheirPages(t *testing.T) {
	t.Parallel()
	const queues = 20
	w := newLargeWorld(t, simulator.Options{Rate: -1, StillParts: true})
	org := w.large(t, queues)
	d := w.open(t, org, func(c *Config) { c.Parts = new(Duration); *c.Parts = Duration(40 * time.Minute) })
	var known *resource.Snapshot
	pass := func() {
		s, err := d.Observe(t.Context(), vendors.Request{Known: known})
		require.NoError(t, err)
		known = s
	}
	pages, all := w.asked(pass)
	require.Greater(t, pages, 100)
	require.Greater(t, all, pages+queues+20, "the first reading asks for every queue's codes, skill group's divisions and integration's configuration")
	group, changed := key("skillgroup/Group 07"), key("queue/Queue 013")
	was := known.Hash(changed)
	require.NoError(t, w.clock.Sleep(t.Context(), time.Second))
	_, err := org.By("Ann Lee").Request("POST", "/api/v2/routing/skillgroups/"+org.Find("skillgroup", "Group 07")+"/members/divisions",
		map[string]any{"addDivisionIds": []any{org.Find("division", "Home")}, "removeDivisionIds": []any{}})
	require.NoError(t, err)
	require.NoError(t, org.By("Ann Lee").Link("queue", org.Find("queue", "Queue 013"), "wrapupcodes", org.Find("wrapupcode", "Code 0042"), nil))
	found := 0
	for n := 1; n <= 45; n++ {
		require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
		pages, all := w.asked(pass)
		require.Greater(t, pages, 90)
		extra := 0
		if known.Hash(changed) != was && found == 0 {
			found, extra = n, 2 // a change: the queue and its codes
			spec, err := known.Spec(changed)
			require.NoError(t, err)
			require.Len(t, spec["wrapUpCodes"], 2)
		}
		if n == 1 {
			spec, err := known.Spec(group)
			require.NoError(t, err)
			require.Len(t, spec["memberDivisions"], 1, "its dateModified shows that")
			extra = 2
		}
		require.LessOrEqual(t, float64(all-extra), 1.02*float64(pages), "pass %d: %d requests for %d pages", n, all, pages)
	}
	require.Greater(t, found, 1, "what does not show that it changed is found at once, so that this proves nothing")
	require.LessOrEqual(t, found, 41)
}

// What there may be very many of is listed 500 a page, as the platform permits there.
func TestManyAreListedInLargePages(t *testing.T) {
	t.Parallel()
	w := newLargeWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	for i := range 600 {
		body := map[string]any{"name": fmt.Sprint("N ", i), "email": fmt.Sprintf("n%d@example.org", i), "divisionId": org.Find("division", "Home")}
		_, err := org.By("Ann Lee").Create("user", body)
		require.NoError(t, err)
		_, err = org.By("Ann Lee").Create("skill", map[string]any{"name": fmt.Sprint("N ", i)})
		require.NoError(t, err)
	}
	d := w.open(t, org, everything, user, skill, division)
	pages, _ := w.asked(func() { require.Len(t, hashes(observe(t, d)), 1201) })
	require.Equal(t, 2+2+3, pages, "and one for divisions, roles and languages each")
}
