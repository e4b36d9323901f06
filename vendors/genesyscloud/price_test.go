package genesyscloud

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// A price is what one change of an object costs in requests: more than a pass in which nothing happened where a person makes it, and at all where
// driftback does.
type price struct {
	what     string // the change, where the kind alone does not say
	e        example
	from, to func(*testing.T) resource.Spec
}

// dearer are the changes that cost more than three requests (two where a version guards the object): when a person makes them, and
// when driftback does; 0 is no more than that. docs/genesyscloud.md says why.
var dearer = map[string][2]int{
	"codes of queue":         {0, 4}, // queue and codes are read, and the codes once more
	"members of queue":       {5, 4}, // the codes are read with it, and both once more a minute later
	"integration":            {4, 0}, // nothing in it tells when it changed: it is read twice, with its configuration
	"title of user":          {8, 0}, // the same, with three parts
	"skills of user":         {8, 4},
	"roles of user":          {8, 4},
	"dataaction":             {6, 5},  // its two templates are kept in files, nothing tells when it changed, and what is answered lacks the contract
	"contract of dataaction": {6, 10}, // through a draft, which is read, made, written and published, and has templates too
	"flow":                   {4, 6},  // the text is exported and published by jobs
	"webdeployment":          {0, 4},  // the newest version of its configuration is looked up
	"evaluationform":         {0, 4},  // it is written and published
}

func prices(t *testing.T) []price {
	t.Helper()
	var out []price
	example := func(k string) example {
		i := slices.IndexFunc(slices.Concat(examples, parted), func(e example) bool { return e.key == k })
		return slices.Concat(examples, parted)[i]
	}
	for _, e := range examples {
		if e.values == 1 || e.key == "flow/INBOUNDCALL/Main" || e.key == "dataaction/CRM/Find" || e.key == "prompt/Welcome" {
			continue
		}
		other := 2
		if e.values == 2 {
			other = 1
		}
		out = append(out, price{"", e, func(t *testing.T) resource.Spec { return e.spec(t, 0) }, func(t *testing.T) resource.Spec { return e.spec(t, other) }})
	}
	edited := func(what, k string, edit func(resource.Spec)) {
		e := example(k)
		from := func(t *testing.T) resource.Spec { return e.spec(t, 0) }
		out = append(out, price{what, e, from, func(t *testing.T) resource.Spec {
			s := from(t).Clone()
			edit(s)
			return s
		}})
	}
	edited("codes of queue", "queue/Support", func(s resource.Spec) { delete(s, "wrapUpCodes") })
	edited("members of queue", "queue/Team", func(s resource.Spec) { s["members"] = s["members"].([]any)[1:] })
	edited("skills of user", "user/dan@example.org", func(s resource.Spec) { s["skills"] = s["skills"].([]any)[:1] })
	edited("roles of user", "user/dan@example.org", func(s resource.Spec) { s["roles"] = []any{resource.Ref{Key: key("role/Operator")}} })
	edited("title of user", "user/dan@example.org", func(s resource.Spec) { s["title"] = "Lead" })
	edited("", "flow/INBOUNDCALL/Main", func(s resource.Spec) { s["content"] = strings.Replace(s["content"].(string), "here", "there", 1) })
	edited("contract of dataaction", "dataaction/CRM/Find", func(s resource.Spec) { s["contract"] = example("dataaction/CRM/Find").spec(t, 1)["contract"] })
	edited("", "dataaction/CRM/Find", func(s resource.Spec) { s["config"] = example("dataaction/CRM/Find").spec(t, 1)["config"] })
	edited("prompt", "prompt/Welcome", func(s resource.Spec) { s["description"] = "Another" })
	edited("text of prompt", "prompt/Welcome", func(s resource.Spec) { s["resources"] = example("prompt/Welcome").spec(t, 1)["resources"] })
	return out
}

// A change costs three requests at most, and two where a version guards the object, but for those that are dearer: where a person makes it, from
// the pass that hears of it up to the next reading of everything and with that, with passes at the worst of times; and where driftback makes it.
// The whole list is printed.
func TestPriceOfAChange(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var table []string
	t.Run("kinds", func(t *testing.T) {
		for _, p := range prices(t) {
			what := p.what
			if what == "" {
				what = string(key(p.e.key).Kind)
			}
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				guard, seen, made := p.measure(t)
				mu.Lock()
				table = append(table, fmt.Sprintf("%-24s %-6s %9d %9d", what, map[bool]string{true: "yes"}[guard], seen, made))
				mu.Unlock()
				most := [2]int{3, 3}
				if guard {
					most = [2]int{2, 2}
				}
				for i, n := range dearer[what] {
					most[i] = max(most[i], n)
				}
				for i, n := range []int{seen, made} {
					require.LessOrEqual(t, n, most[i], "by %s", []string{"hand", "driftback"}[i])
					require.False(t, dearer[what][i] > 0 && n < dearer[what][i], "it is cheaper than said")
				}
				require.True(t, seen > 0 || p.e.key == "datatablerow/Shops/17", "rows alone are listed in each pass")
			})
		}
	})
	slices.Sort(table)
	t.Logf("\n%-24s %-6s %9s %9s\n%s", "change", "guard", "by hand", "by us", strings.Join(table, "\n"))
}

func (p price) measure(t *testing.T) (guard bool, seen, made int) {
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	h, k := w.hands(org), key(p.e.key)
	for _, r := range p.e.object(t).Needs {
		require.NoError(t, h.Put(r.Key, r.Spec))
	}
	require.NoError(t, h.Put(k, p.from(t)))
	require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Minute))
	c := w.config(org)
	c.Full, c.Parts, c.Include = nil, new(Duration), []string{"user", "datatablerow"}
	if p.e.include != nil {
		c.Include = p.e.include
	}
	*c.Parts = Duration(24 * time.Hour)
	d, err := New(c, Options{Clock: w.clock, Jitter: func() float64 { return 0.5 }})
	require.NoError(t, err)
	for _, info := range d.Kinds() {
		guard = guard || info.Kind == k.Kind && info.Can.Guard
	}
	known := vendors.Request{}
	waits := []time.Duration{20 * time.Second, 40 * time.Second} // then minutes, and then not so often, as nothing is open by then
	waits = slices.Concat(waits, slices.Repeat([]time.Duration{time.Minute}, 9), slices.Repeat([]time.Duration{5 * time.Minute}, 9), []time.Duration{6 * time.Minute})
	hour := func() int {
		_, all := w.asked(func() {
			for _, wait := range waits {
				require.NoError(t, w.clock.Sleep(t.Context(), wait))
				s, err := d.Observe(t.Context(), known)
				require.NoError(t, err)
				known.Known = remember(t, known.Known, s)
			}
		})
		return all
	}
	hour() // with the first reading
	hour()
	quiet := hour()
	before := hashes(known.Known)
	require.NoError(t, h.Put(k, p.to(t)))
	seen = hour() - quiet
	require.NotEqual(t, before, hashes(known.Known), "the change was not seen")
	hour()
	_, made = w.asked(func() {
		got, err := d.Apply(t.Context(), resource.Change{Before: &resource.Resource{Key: k, Spec: p.to(t)}, After: &resource.Resource{Key: k, Spec: p.from(t)}})
		require.NoError(t, err)
		require.Equal(t, p.from(t), got.Spec)
	})
	return guard, seen, made
}

// remember is what a caller knows after a reading: it has the bodies, as those who ask the driver have them from Git.
func remember(t *testing.T, known, s *resource.Snapshot) *resource.Snapshot {
	t.Helper()
	var b resource.Builder
	for e := range s.Entries() {
		r, err := s.Resource(e.Key)
		if err != nil {
			r, err = known.Resource(e.Key)
		}
		require.NoError(t, err)
		b.Add(*r)
	}
	out, troubles := b.Snapshot(resource.Options{Scope: s.Scope(), Tenant: s.Tenant()})
	require.Empty(t, troubles)
	return out
}
