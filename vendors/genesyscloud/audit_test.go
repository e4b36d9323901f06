package genesyscloud

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// incremental is a driver that reads what the audit names.
func (w *world) incremental(t *testing.T, org *simulator.Org, counted *int, kinds ...resource.Kind) *Driver {
	t.Helper()
	c := w.config(org)
	c.Full, c.Parts = nil, nil // an hour, and six
	var mu sync.Mutex
	d, err := New(c, Options{
		Kinds: kinds, Clock: w.clock, Jitter: func() float64 { return 0.5 },
		OnRequest: func(operation string, _ int, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if operation != "token" {
				*counted++
			}
		},
	})
	require.NoError(t, err)
	return d
}

// entries are what the audit says since a moment.
func entries(t *testing.T, d *Driver, since time.Time) []vendors.AuditEntry {
	t.Helper()
	var out []vendors.AuditEntry
	for e, err := range d.Audit(t.Context(), since) {
		require.NoError(t, err)
		if n := len(out); n > 0 {
			require.False(t, e.When.Before(out[n-1].When), "not oldest first")
		}
		out = append(out, e)
	}
	return out
}

// edit changes an object's description as a person does.
func edit(t *testing.T, org *simulator.Org, by string, k resource.Key, description string) {
	t.Helper()
	require.NoError(t, org.By(by).Edit(string(k.Kind), org.Find(string(k.Kind), k.Name), func(body map[string]any) { body["description"] = description }))
}

func TestAuditTellsWho(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*world){
		"realtime": func(*world) {},
		"by jobs": func(w *world) { // as where the realtime query does not take a question without a service
			w.Fail(simulator.Fault{Method: "POST", Path: "/api/v2/audits/query/realtime", Status: 400, Body: `{"message":"serviceName is required","code":"bad.request","status":400}`})
		},
		"long ago": func(w *world) { require.NoError(t, w.clock.Sleep(t.Context(), 20*24*time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Rate: -1, JobTime: 5 * time.Second})
			org := w.Org("Acme")
			d := w.open(t, org, everything, user, division, wrapupcode, schedule)
			support, hours := key("wrapupcode/Sold"), key("schedule/Weekdays")
			for _, e := range examples {
				switch e.key {
				case "user/ann@example.org", support.String(), hours.String():
					fill(t, d, []resource.Resource{{Key: key(e.key), Spec: e.spec(t, 0)}})
				}
			}
			require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
			begun := w.clock.Now()
			edit(t, org, "Ann Lee", support, "By hand")
			require.NoError(t, w.clock.Sleep(t.Context(), time.Second))
			edit(t, org, "Bob Who Is No User", hours, "Also")
			s := observe(t, d)
			was, err := s.Resource(support)
			require.NoError(t, err)
			after := was.Spec.Clone()
			after["description"] = "By driftback"
			_, err = d.Apply(t.Context(), resource.Change{Before: was, After: &resource.Resource{Key: support, Spec: after}})
			require.NoError(t, err)
			prepare(w)
			got := entries(t, d, begun)
			require.Len(t, got, 2, "our own change is not told apart")
			require.Equal(t, support, got[0].Key)
			require.Equal(t, "Ann Lee", got[0].Who)
			require.Equal(t, "ann@example.org", got[0].Email)
			require.Equal(t, "Admin UI", got[0].Application)
			require.Contains(t, got[0].Changed, "description")
			require.NotEmpty(t, got[0].ID)
			require.Equal(t, begun, got[0].When)
			require.Equal(t, hours, got[1].Key)
			require.Equal(t, "Bob Who Is No User", got[1].Who)
			require.Empty(t, got[1].Email)
			require.NoError(t, w.clock.Sleep(t.Context(), time.Second))
			require.Empty(t, entries(t, d, w.clock.Now()))
		})
	}
}

func TestAuditThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	id, secret := org.AddClient("Reader", "routing:*:*", "authorization:*:*")
	d := w.open(t, org, func(c *Config) { c.ClientID, c.ClientSecret = id, secret }, wrapupcode, division)
	for _, err := range d.Audit(t.Context(), w.clock.Now().Add(-time.Hour)) {
		require.ErrorIs(t, err, vendors.ErrDenied)
		require.ErrorContains(t, err, "audits:audit:view")
	}
}

// With the audit a minute in which nothing happens costs a handful of requests, and what happens is seen at the
// price of its objects.
func TestQuietMinutesAreCheap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	fill(t, w.open(t, org, nil), centre(t)[:20])
	fill(t, w.open(t, org, everything), centre(t))
	requests := 0
	d := w.incremental(t, org, &requests)
	known := observe(t, d)
	full := requests
	require.Greater(t, full, 40)
	pass := func() int {
		t.Helper()
		require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
		requests = 0
		s, err := d.Observe(t.Context(), vendors.Request{Known: known})
		require.NoError(t, err)
		known = s
		return requests
	}
	pass() // what was written at first is on record
	pass()
	want := hashes(known)
	for range 5 {
		require.LessOrEqual(t, pass(), 8, "a quiet minute")
		require.Equal(t, want, hashes(known))
	}

	// An edit, a creation, a rename, a deletion.
	edit(t, org, "Ann Lee", key("wrapupcode/Sold"), "By hand")
	require.LessOrEqual(t, pass(), 8+2)
	require.NotEqual(t, want[key("wrapupcode/Sold")], known.Hash(key("wrapupcode/Sold")))
	id, err := org.By("Ann Lee").Create("wrapupcode", map[string]any{"name": "New", "description": "x"})
	require.NoError(t, err)
	pass()
	require.False(t, known.Hash(key("wrapupcode/New")).IsZero(), "what was created is not seen")
	require.NoError(t, org.By("Ann Lee").Edit("wrapupcode", id, func(body map[string]any) { body["name"] = "Newer" }))
	pass()
	require.True(t, known.Hash(key("wrapupcode/New")).IsZero())
	require.False(t, known.Hash(key("wrapupcode/Newer")).IsZero(), "what was renamed is not seen")
	require.NoError(t, org.By("Ann Lee").Delete("wrapupcode", id))
	pass()
	require.True(t, known.Hash(key("wrapupcode/Newer")).IsZero(), "what was deleted is not seen")
	require.True(t, known.Covers(key("wrapupcode/Newer")))

	// What referrers say follows a rename, though nobody touched them.
	require.NoError(t, org.By("Ann Lee").Edit("schedule", org.Find("schedule", "Weekdays"), func(body map[string]any) { body["name"] = "Mondays" }))
	pass()
	spec, err := known.Spec(key("schedulegroup/Hours"))
	require.NoError(t, err)
	require.Equal(t, []any{resource.Ref{Key: key("schedule/Mondays")}}, spec["openSchedules"])

	// What the audit does not tell is found by the next full reading.
	require.NoError(t, w.clock.Sleep(t.Context(), time.Hour))
	require.Greater(t, pass(), 40, "no full reading after an hour")
	fresh := w.open(t, org, nil)
	require.Equal(t, hashes(observe(t, fresh)), hashes(known))
}

// Passes each second over an organisation in which something changed read the object a few times, not with every pass, and
// find the change also where reading lags behind.
func TestAChangeIsNotReadWithEveryPass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lag  time.Duration
		most int // readings in two minutes, each of the object and of its codes
	}{{"at once", 0, 2 * 2}, {"late", 40 * time.Second, 2 * 5}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{Rate: -1, Seed: 5, ReadLag: c.lag})
			org := w.Org("Acme")
			d := w.open(t, org, everything)
			observe(t, d)
			require.NoError(t, w.clock.Sleep(t.Context(), 3*time.Minute))
			fill(t, d, centre(t))
			require.NoError(t, w.clock.Sleep(t.Context(), 30*time.Minute))
			requests := 0
			d = w.incremental(t, org, &requests)
			known := observe(t, d)
			edit(t, org, "Ann Lee", key("queue/Support"), "By hand")
			requests = 0
			for range 120 {
				require.NoError(t, w.clock.Sleep(t.Context(), time.Second))
				s, err := d.Observe(t.Context(), vendors.Request{Known: known})
				require.NoError(t, err)
				known = s
			}
			asked := requests
			is := observe(t, w.open(t, org, nil))
			got, err := is.Spec(key("queue/Support"))
			require.NoError(t, err)
			require.Equal(t, "By hand", got["description"])
			require.Equal(t, got.Hash(), known.Hash(key("queue/Support")))
			require.LessOrEqual(t, asked, 120+c.most+1, "besides the question of each pass")
		})
	}
}

// A record that comes late, or a reading that was cut off, loses nothing.
func TestLateRecordsAreNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1, AuditLag: 3 * time.Minute})
	org := w.Org("Acme")
	requests := 0
	d := w.incremental(t, org, &requests, wrapupcode, division)
	id, err := org.By("Ann Lee").Create("wrapupcode", map[string]any{"name": "Sold", "description": "x"})
	require.NoError(t, err)
	known := observe(t, d)
	require.NoError(t, org.By("Ann Lee").Edit("wrapupcode", id, func(body map[string]any) { body["description"] = "late" }))
	seen := false
	for minute := range 8 {
		require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
		if minute == 3 { // a reading that fails after the audit was asked
			stop := w.Fail(simulator.Fault{Method: "GET", Path: "/api/v2/routing/wrapupcodes/**", Status: 500})
			_, _ = d.Observe(t.Context(), vendors.Request{Known: known})
			stop()
			continue
		}
		s, err := d.Observe(t.Context(), vendors.Request{Known: known})
		require.NoError(t, err)
		known = s
		if spec, err := s.Spec(key("wrapupcode/Sold")); err == nil && spec["description"] == "late" {
			seen = true
			break
		}
	}
	require.True(t, seen)
}

// Where an operator leaves kinds alone, the audit tells of the others as ever, what stands apart is looked at in turn, and names of what
// is left alone are followed.
func TestNarrowedToSomeKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1, StillParts: true})
	org := w.Org("Acme")
	fill(t, w.open(t, org, everything), centre(t))
	_, err := org.By("Setup").Create("wrapupcode", map[string]any{"name": "Other"})
	require.NoError(t, err)
	require.NoError(t, w.clock.Sleep(t.Context(), 20*time.Minute))
	requests := 0
	d := w.incremental(t, org, &requests)
	require.NoError(t, d.Narrow([]resource.Kind{queue}))
	require.Equal(t, []resource.Kind{queue}, d.managed())
	known := observe(t, d)
	require.Positive(t, known.Len())
	for k := range hashes(known) {
		require.Equal(t, queue, k.Kind)
	}
	var told resource.Spec // of the queue, the last time that a reading found it changed
	pass := func() int {
		t.Helper()
		require.NoError(t, w.clock.Sleep(t.Context(), time.Minute))
		requests = 0
		s, err := d.Observe(t.Context(), vendors.Request{Known: known})
		require.NoError(t, err)
		known = s
		if spec, err := s.Spec(key("queue/Support")); err == nil {
			told = spec
		}
		return requests
	}
	for range 4 {
		require.LessOrEqual(t, pass(), 2, "a quiet minute")
	}
	edit(t, org, "Ann Lee", key("queue/Support"), "By hand")
	pass()
	require.Equal(t, "By hand", told["description"])
	require.NoError(t, org.By("Ann Lee").Link("queue", org.Find("queue", "Support"), "wrapupcodes", org.Find("wrapupcode", "Other"), nil))
	require.NoError(t, org.By("Ann Lee").Edit("wrapupcode", org.Find("wrapupcode", "Sold"), func(body map[string]any) { body["name"] = "Sold again" }))
	for range 20 {
		pass()
	}
	require.ElementsMatch(t, []any{resource.Ref{Key: key("wrapupcode/Sold again")}, resource.Ref{Key: key("wrapupcode/Other")}}, told["wrapUpCodes"])
}
