package genesyscloud

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// centre are the examples as one organisation: each once, what is referred to first.
func centre(t *testing.T) []resource.Resource {
	var out []resource.Resource
	done := map[string]bool{}
	var put func(k string)
	put = func(k string) {
		if done[k] {
			return
		}
		done[k] = true
		for _, e := range append(others, examples...) {
			if e.key != k {
				continue
			}
			for _, need := range e.needs {
				put(need)
			}
			out = append(out, resource.Resource{Key: key(k), Spec: e.spec(t, 0)})
		}
	}
	for _, e := range append(others, examples...) {
		put(e.key)
	}
	return out
}

// fill writes objects into an organisation. What refers to something that comes later is tried again.
func fill(t *testing.T, d *Driver, objects []resource.Resource) {
	t.Helper()
	for len(objects) > 0 {
		var later []resource.Resource
		var last error
		for _, r := range objects {
			c := resource.Change{After: &r}
			if r.Key.Kind == routingsettings || r.Key.Kind == utilization { // it is there already
				live, err := d.Read(t.Context(), []resource.Key{r.Key})
				require.NoError(t, err)
				c.Before, err = live.Resource(r.Key)
				require.NoError(t, err)
			}
			_, err := d.Apply(t.Context(), c)
			if errors.Is(err, vendors.ErrInvalid) {
				later, last = append(later, r), err
				continue
			}
			require.NoError(t, err)
		}
		require.Less(t, len(later), len(objects), "nothing more can be written: %v", last)
		objects = later
	}
}

// observe lists everything, which must succeed.
func observe(t *testing.T, d *Driver) *resource.Snapshot {
	t.Helper()
	s, err := d.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	return s
}

// hashes are what a snapshot says of each object.
func hashes(s *resource.Snapshot) map[resource.Key]resource.Hash {
	out := map[resource.Key]resource.Hash{}
	for e := range s.Entries() {
		out[e.Key] = e.Hash
	}
	return out
}

// ids of all objects of a snapshot, by key.
func idsOf(s *resource.Snapshot) map[resource.Key]string {
	out := map[resource.Key]string{}
	for e := range s.Entries() {
		if e.Origin != nil {
			out[e.Key] = e.Origin.ID
		}
	}
	return out
}

// Three organisations that have the same by name and nothing in common by id are the same.
func TestOrganisationsAreEqualByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	var all []*resource.Snapshot
	for i, name := range []string{"dev", "test", "prod"} {
		objects := centre(t)
		if i == 1 {
			slices.Reverse(objects) // another order makes other ids
		}
		d := w.open(t, w.Org(name), everything)
		fill(t, d, objects)
		all = append(all, observe(t, d))
	}
	require.Greater(t, all[0].Len(), 40)
	require.Equal(t, hashes(all[0]), hashes(all[1]))
	require.Equal(t, hashes(all[0]), hashes(all[2]))
	for k, id := range idsOf(all[0]) {
		// Who gives the ids decides whether they differ; singletons and rows have none of their own.
		if k.Kind != datatablerow && k.Kind != routingsettings && k.Kind != utilization {
			require.NotEqual(t, id, idsOf(all[1])[k], k)
		}
	}
	for e := range all[0].Entries() {
		s, err := all[0].Spec(e.Key)
		require.NoError(t, err)
		for _, other := range idsOf(all[0]) {
			if len(other) == 36 { // a uuid
				require.NotContains(t, resource.Text(map[string]any(s)), other, "%s holds an id", e.Key)
			}
		}
	}
}

// What is exported from one organisation and imported into an empty one is the same there.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	from, to := w.open(t, w.Org("prod"), everything), w.open(t, w.Org("new"), everything)
	fill(t, from, centre(t))
	exported := observe(t, from)
	empty := observe(t, to)
	var objects []resource.Resource
	for e := range exported.Entries() {
		if empty.Hash(e.Key) == e.Hash {
			continue // the home division, the roles that every organisation has
		}
		r, err := exported.Resource(e.Key)
		require.NoError(t, err)
		objects = append(objects, resource.Resource{Key: r.Key, Spec: r.Spec})
	}
	fill(t, to, objects)
	require.Equal(t, hashes(exported), hashes(observe(t, to)))
}

// A name that fifty queues refer to, also in a rule, is changed once: nothing else is written, and everything follows.
func TestARenameIsOneChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, func(c *Config) { *c.Parts = defaultParts }, wrapupcode, queue, division, group)
	var support example
	for _, e := range examples {
		switch e.key {
		case "queue/Support":
			support = e
		case "wrapupcode/Sold", "group/Agents":
			fill(t, d, []resource.Resource{{Key: key(e.key), Spec: e.spec(t, 0)}})
		}
	}
	body := support.spec(t, 0)
	rule := map[string]any{
		"metric": "EstimatedWaitTime", "operator": "GreaterThan", "conditionValue": number("60"), "waitSeconds": number("20"),
		"groups": []any{resource.Ref{Key: key("group/Agents")}},
	}
	second := maps.Clone(rule)
	second["queue"] = resource.Ref{Key: key("queue/Support 00")}
	body["conditionalGroupRouting"] = map[string]any{"rules": []any{rule, second}}
	for i := range 50 {
		r := resource.Resource{Key: resource.Key{Kind: queue, Name: fmt.Sprintf("Support %02d", i)}, Spec: body.Clone()}
		if i == 0 {
			delete(r.Spec, "conditionalGroupRouting")
		}
		fill(t, d, []resource.Resource{r})
	}
	before := observe(t, d)
	rename := func(from, to resource.Key) {
		t.Helper()
		was, err := before.Resource(from)
		require.NoError(t, err)
		writes := len(writing(w.Calls()))
		count := total(writing(w.Calls()))
		_, err = d.Apply(t.Context(), resource.Change{Before: was, After: &resource.Resource{Key: to, Spec: was.Spec}})
		require.NoError(t, err)
		require.Equal(t, count+1, total(writing(w.Calls())), "more than one write (%d kinds of them before)", writes)
		after := observe(t, d)
		require.Equal(t, idsOf(before)[from], idsOf(after)[to], "another object was made")
		// Everything that refers to it says so under the new name, and is otherwise what it was.
		n := 0
		for e := range after.Entries() {
			spec, err := after.Spec(e.Key)
			require.NoError(t, err)
			spec.Refs(func(r resource.Ref) {
				require.NotEqual(t, from, r.Key)
				if r.Key == to {
					n++
				}
			})
		}
		require.GreaterOrEqual(t, n, 49)
		before = after
	}
	rename(key("wrapupcode/Sold"), key("wrapupcode/Sold again"))
	rename(key("group/Agents"), key("group/Advisors"))
	rename(key("queue/Support 00"), key("queue/First line"))
}

// writing are the calls that are no reading.
func writing(calls map[string]int) map[string]int {
	out := map[string]int{}
	for c, n := range calls {
		method, _, isCall := strings.Cut(c, " ")
		if isCall && method != "GET" && method != "status" && !strings.Contains(c, "/oauth/") && !strings.Contains(c, "/audits/") {
			out[c] = n
		}
	}
	return out
}

func total(calls map[string]int) int {
	n := 0
	for _, c := range calls {
		n += c
	}
	return n
}

// Two flows that lead to each other can be created, one after the other.
func TestFlowsInACircle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	d := w.open(t, w.Org("Acme"), nil, flow, division)
	for _, pair := range [][2]string{{"Day", "Night"}, {"Night", "Day"}} {
		body := spec(t, `{"division": {"$ref": "division/Home"}}`)
		body["content"] = "inboundCall:\n  startUpRef: here\n  tasks:\n    - transferToFlow:\n        targetFlow:\n          lit:\n            name: " + pair[1] + "\n"
		k := resource.Key{Kind: flow, Name: "INBOUNDCALL/" + pair[0]}
		_, err := d.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: k, Spec: body}})
		require.NoError(t, err)
		s := observe(t, d)
		got, err := s.Spec(k)
		require.NoError(t, err)
		require.Equal(t, body, got)
		if pair[0] == "Day" {
			require.True(t, s.Hash(key("flow/INBOUNDCALL/Night")).IsZero(), "a stub is taken for a flow")
		}
	}
}

// A reference that leads nowhere is an error that names both ends, and nothing is written.
func TestDanglingReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	d := w.open(t, w.Org("Acme"), everything)
	observe(t, d)
	before := total(writing(w.Calls()))
	for _, c := range []struct{ key, json, names string }{
		{"queue/Support", `{"wrapUpCodes": [{"$ref": "wrapupcode/Lost"}], "division": {"$ref": "division/Home"}}`, "wrapupcode/Lost"},
		{"queue/Support", `{"division": {"$ref": "division/Nowhere"}}`, "division/Nowhere"},
		{"queue/Support", `{"whisperPrompt": {"$ref": "prompt/?"}, "division": {"$ref": "division/Home"}}`, "prompt/?"},
		{"ivr/Hotline", `{"openHoursFlow": {"$ref": "flow/INBOUNDCALL/Lost"}, "division": {"$ref": "division/Home"}}`, "flow/INBOUNDCALL/Lost"},
		{"skillgroup/Experts", `{"skillConditions": [{"routingSkillConditions": [{"routingSkill": {"$ref": "skill/Lost"}, "comparator": "GreaterThan", "proficiency": 1, "childConditions": []}], "languageSkillConditions": [], "operation": "And"}], "division": {"$ref": "division/Home"}}`, "skill/Lost"},
		{"flow/INBOUNDCALL/Main", `{"content": "inboundCall:\n  startUpRef: here\n  tasks:\n    - transferToAcd:\n        targetQueue:\n          lit:\n            name: Lost\n", "division": {"$ref": "division/Home"}}`, "queue/Lost"},
	} {
		_, err := d.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: key(c.key), Spec: spec(t, c.json)}})
		require.ErrorIs(t, err, vendors.ErrInvalid)
		require.ErrorContains(t, err, c.key)
		require.ErrorContains(t, err, c.names)
	}
	require.Equal(t, before, total(writing(w.Calls())), "something was written")
}

// Passes that find no change are quiet, also where listings and reads lag behind. What was written a moment ago does not come
// back as a change.
func TestQuietPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1, Seed: 7, ListLag: 30 * time.Second, ReadLag: 5 * time.Second})
	d := w.open(t, w.Org("Acme"), everything)
	fill(t, d, centre(t))
	first := observe(t, d)
	known := first
	for range 10 {
		require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Second))
		next, err := d.Observe(t.Context(), vendors.Request{Known: known})
		require.NoError(t, err)
		require.Equal(t, hashes(first), hashes(next))
		known = next
	}
	for _, r := range centre(t) {
		require.Equal(t, r.Spec.Hash(), first.Hash(r.Key), "%s is not what was written", r.Key)
	}
}

// The budget of a token is kept in any 60 seconds, whatever is asked for, and learnt where the platform permits less.
func TestBudgetIsKept(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{300, 120} {
		w := newWorld(t, simulator.Options{Rate: rate})
		org := w.Org("Acme")
		d := w.open(t, org, everything)
		fill(t, d, centre(t))
		for range 5 {
			observe(t, d)
		}
		require.LessOrEqual(t, w.Peak(org.ClientID()), 300)
		if rate == 300 {
			require.Greater(t, w.Peak(org.ClientID()), 100, "nothing was counted")
		}
	}
}
