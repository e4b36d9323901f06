package rest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// world is a server with things on it, and a driver.
func world(t *testing.T, o Options) (*server, hand, *Driver) {
	s := newServer(t)
	seed(s)
	h := hand{s}
	for n := range 7 {
		require.NoError(t, h.put(resource.Key{Kind: "skill", Name: fmt.Sprint("skill", n)}, resource.Spec{"level": number(n)}))
	}
	for n := range 9 {
		require.NoError(t, h.put(resource.Key{Kind: "queue", Name: fmt.Sprint("queue", n)}, resource.Spec{"skills": []any{ref("skill", fmt.Sprint("skill", n%3))}}))
	}
	return s, h, open(t, s, o)
}

func observe(t *testing.T, d *Driver, known *resource.Snapshot) *resource.Snapshot {
	t.Helper()
	s, err := d.Observe(t.Context(), vendors.Request{Known: known})
	require.NoError(t, err)
	return s
}

func spec(t *testing.T, s *resource.Snapshot, kind resource.Kind, name string) resource.Spec {
	t.Helper()
	out, err := s.Spec(resource.Key{Kind: kind, Name: name})
	require.NoError(t, err)
	return out
}

// bodies counts the objects that a snapshot has a body of.
func bodies(s *resource.Snapshot) (n int) {
	for e := range s.Entries() {
		if _, err := s.Spec(e.Key); err == nil {
			n++
		}
	}
	return n
}

func (s *server) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.requests {
		n += m
	}
	return n
}

func TestQuietPassMakesNoBodies(t *testing.T) {
	s, _, d := world(t, Options{})
	first := observe(t, d, nil)
	require.Equal(t, first.Len(), bodies(first))
	pages := s.total()
	second := observe(t, d, first)
	require.Zero(t, bodies(second))
	require.Equal(t, first.Len(), second.Len())
	// Nine queues come with their members the first time only; the tenant and the users' names are known.
	require.Equal(t, pages-9-1-3, s.total()-pages)
	third := observe(t, d, nil)
	require.Equal(t, first.Len(), bodies(third), "nothing is known to the caller, and there are bodies missing")
}

func TestRenameIsOneRename(t *testing.T) {
	_, h, d := world(t, Options{})
	first := observe(t, d, nil)
	require.NoError(t, h.rename(resource.Key{Kind: "skill", Name: "skill1"}, resource.Key{Kind: "skill", Name: "billing"}))
	second := observe(t, d, first)
	require.Equal(t, ref("skill", "billing"), spec(t, second, "queue", "queue1")["skills"].([]any)[0])
	changed := 0
	for e := range second.Entries() {
		if first.Hash(e.Key) != e.Hash {
			changed++
		}
	}
	require.Equal(t, 1+3, changed, "the skill, and the queues that have it")
}

// A queue may refer to one that is listed after it, or that is renamed in the same pass.
func TestReferencesToWhatIsListedLater(t *testing.T) {
	s, h, d := world(t, Options{})
	s.mu.Lock()
	s.objects["queues"][0]["overflow"] = map[string]any{"id": h.id(resource.Key{Kind: "queue", Name: "queue8"})}
	s.mu.Unlock()
	first := observe(t, d, nil)
	require.Equal(t, ref("queue", "queue8"), spec(t, first, "queue", "queue0")["overflow"])
	require.NoError(t, h.rename(resource.Key{Kind: "queue", Name: "queue8"}, resource.Key{Kind: "queue", Name: "last"}))
	second := observe(t, d, first)
	require.Equal(t, ref("queue", "last"), spec(t, second, "queue", "queue0")["overflow"])
	require.NoError(t, h.delete(resource.Key{Kind: "queue", Name: "last"}))
	third := observe(t, d, second)
	require.Equal(t, ref("queue", resource.Unresolved), spec(t, third, "queue", "queue0")["overflow"])
}

// An object that moves to a page that was read already is no deletion.
func TestShiftedPage(t *testing.T) {
	s, _, d := world(t, Options{})
	first := observe(t, d, nil)
	moved := 0
	s.shift = func(r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/skills") && r.URL.Query().Get("pageNumber") == "2" && moved < 2 {
			moved++
			s.mu.Lock()
			defer s.mu.Unlock()
			list := s.objects["skills"]
			last := list[len(list)-1]
			s.objects["skills"] = append([]map[string]any{last}, list[:len(list)-1]...)
		}
	}
	second, err := d.Observe(t.Context(), vendors.Request{Known: first})
	require.Equal(t, 2, moved)
	if err != nil { // the totals never agreed: the kind says nothing
		require.ErrorContains(t, err, "skill")
		require.False(t, second.Covers(resource.Key{Kind: "skill", Name: "skill6"}))
		return
	}
	require.Equal(t, first.Len(), second.Len())
}

// Cursors tell no totals: what is missing is asked for by id.
func TestMissingIsAskedFor(t *testing.T) {
	s, h, d := world(t, Options{MaxMissing: 3})
	for n := range 12 {
		require.NoError(t, h.put(resource.Key{Kind: "schedule", Name: fmt.Sprintf("s%02d", n)}, resource.Spec{"n": number(n)}))
	}
	first := observe(t, d, nil)
	hide := 2
	s.shift = func(r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path != "/api/schedules" || hide == 0 {
			return
		}
		list := s.objects["schedules"] // the end of the list comes to its beginning, while it is read
		s.objects["schedules"] = append(append([]map[string]any{}, list[len(list)-hide:]...), list[:len(list)-hide]...)
		hide = 0
	}
	second := observe(t, d, first)
	require.Equal(t, first.Len(), second.Len())
	s.shift = nil
	// Many that are really gone are learnt in several passes; until then the kind says nothing.
	for n := range 8 {
		require.NoError(t, h.delete(resource.Key{Kind: "schedule", Name: fmt.Sprintf("s%02d", n)}))
	}
	for range 2 {
		third, err := d.Observe(t.Context(), vendors.Request{Known: first})
		require.ErrorContains(t, err, "observe schedule")
		require.False(t, third.Covers(resource.Key{Kind: "schedule", Name: "s00"}))
	}
	fourth := observe(t, d, first)
	require.True(t, fourth.Covers(resource.Key{Kind: "schedule", Name: "s00"}))
	require.Equal(t, first.Len()-8, fourth.Len())
}

func TestTwoOfOneName(t *testing.T) {
	s, _, d := world(t, Options{})
	first := observe(t, d, nil)
	s.mu.Lock()
	twin := maps.Clone(s.objects["skills"][0])
	twin["id"] = "ffffffff-0000-4000-8000-000000000000"
	s.objects["skills"] = append(s.objects["skills"], twin)
	s.mu.Unlock()
	key := resource.Key{Kind: "skill", Name: "skill0"}
	second := observe(t, d, first)
	require.False(t, second.Covers(key))
	require.NotEmpty(t, second.Scope().Unknown[key])
	require.True(t, second.Hash(key).IsZero())
	_, err := d.Apply(t.Context(), resource.Change{After: &resource.Resource{
		Key: resource.Key{Kind: "queue", Name: "new"}, Spec: resource.Spec{"skills": []any{ref("skill", "skill0")}, "members": []any{}},
	}})
	require.ErrorIs(t, err, vendors.ErrInvalid, "nobody knows which of the two is meant")
	s.mu.Lock()
	s.objects["skills"] = s.objects["skills"][:len(s.objects["skills"])-1]
	s.mu.Unlock()
	third := observe(t, d, first)
	require.True(t, third.Covers(key))
	require.Equal(t, first.Hash(key), third.Hash(key))
}

func TestReferencesThatLeadNowhere(t *testing.T) {
	s, h, d := world(t, Options{})
	s.mu.Lock()
	s.objects["queues"][0]["skills"] = []any{map[string]any{"id": "eeeeeeee-0000-4000-8000-000000000000"}}
	s.mu.Unlock()
	first := observe(t, d, nil)
	require.Equal(t, []any{ref("skill", resource.Unresolved)}, spec(t, first, "queue", "queue0")["skills"])
	n := s.requests["GET /skills"]
	second := observe(t, d, first)
	require.Equal(t, 4, s.requests["GET /skills"]-n, "it is asked for again with each pass")
	// It is there by now: the queue is looked at again, though its listing is as before.
	require.NoError(t, h.put(resource.Key{Kind: "skill", Name: "late"}, resource.Spec{}))
	s.mu.Lock()
	list := s.objects["skills"]
	list[len(list)-1]["id"] = "eeeeeeee-0000-4000-8000-000000000000"
	s.mu.Unlock()
	third := observe(t, d, second)
	require.Equal(t, []any{ref("skill", "late")}, spec(t, third, "queue", "queue0")["skills"])
}

func TestDeniedKindIsUnknown(t *testing.T) {
	s, _, d := world(t, Options{})
	first := observe(t, d, nil)
	s.denied["schedules"] = true
	second, err := d.Observe(t.Context(), vendors.Request{Known: first})
	require.ErrorIs(t, err, vendors.ErrDenied)
	require.ErrorContains(t, err, "missing permission: schedules:view")
	require.False(t, second.Covers(resource.Key{Kind: "schedule", Name: "x"}))
	require.True(t, second.Covers(resource.Key{Kind: "queue", Name: "queue0"}))
	// Without the skills' names nothing can be said of what refers to one that is not known.
	fresh := open(t, s, Options{})
	s.denied["skills"] = true
	third, err := fresh.Observe(t.Context(), vendors.Request{})
	require.Error(t, err)
	require.False(t, third.Covers(resource.Key{Kind: "queue", Name: "queue0"}))
}

func TestPartsAreSeen(t *testing.T) {
	s, h, d := world(t, Options{})
	first := observe(t, d, nil)
	key := resource.Key{Kind: "queue", Name: "queue1"}
	s.mu.Lock()
	id := h.id(key)
	s.members[id] = []map[string]any{{"id": s.objects["users"][2]["id"], "ringNumber": 1, "joined": true}}
	s.find("queues", id)["memberCount"] = 1
	s.mu.Unlock()
	second := observe(t, d, first)
	require.Equal(t, []any{map[string]any{"id": ref("user", "user2")}}, spec(t, second, "queue", "queue1")["members"])
	require.Equal(t, 1, bodies(second))
}

func TestProgress(t *testing.T) {
	var told []vendors.Progress
	_, _, d := world(t, Options{PerMinute: 10_000})
	first := observe(t, d, nil)
	_, err := d.Observe(t.Context(), vendors.Request{Known: first, OnProgress: func(p vendors.Progress) { told = append(told, p) }})
	require.NoError(t, err)
	require.NotEmpty(t, told)
	for i, p := range told {
		require.LessOrEqual(t, p.Done, p.Total)
		require.Equal(t, i+1, p.Done)
	}
	last := told[len(told)-1]
	require.Equal(t, last.Done, last.Total)
	require.Equal(t, last.Total, told[0].Total, "the second pass knows how many there are from the first")
}

func TestChangesInsteadOfListings(t *testing.T) {
	s, h, _ := world(t, Options{})
	p := smallPlatform()
	var changed map[resource.Kind][]string
	var failing error
	p.Hooks.Changes = func(_ context.Context, c *Client, ids IDs, since time.Time) (Changes, error) {
		return Changes{IDs: changed, Whole: []resource.Kind{"row"}, Until: time.Now()}, failing
	}
	d, err := New(p, Options{BaseURL: s.URL, FullEvery: time.Hour})
	require.NoError(t, err)
	first := observe(t, d, nil)
	n := s.total()
	second := observe(t, d, first)
	require.Zero(t, s.total()-n, "nothing changed, and there is no table to list rows of")
	require.True(t, second.Scope().Equal(first.Scope()))
	require.Equal(t, first.Len(), second.Len())

	require.NoError(t, h.put(resource.Key{Kind: "skill", Name: "skill6"}, resource.Spec{"level": number(60)}))
	require.NoError(t, h.put(resource.Key{Kind: "skill", Name: "new"}, resource.Spec{}))
	s.mu.Lock()
	gone := h.id(resource.Key{Kind: "skill", Name: "skill5"})
	changed = map[resource.Kind][]string{"skill": {h.id(resource.Key{Kind: "skill", Name: "skill6"}), h.id(resource.Key{Kind: "skill", Name: "new"})}}
	s.mu.Unlock()
	n = s.total()
	third := observe(t, d, second)
	require.Equal(t, 2, s.total()-n)
	require.Equal(t, number(60), spec(t, third, "skill", "skill6")["level"])
	require.NoError(t, h.delete(resource.Key{Kind: "skill", Name: "skill5"}))
	changed = map[resource.Kind][]string{"skill": {gone}}
	third = observe(t, d, third)
	require.True(t, third.Hash(resource.Key{Kind: "skill", Name: "skill5"}).IsZero())
	require.False(t, third.Hash(resource.Key{Kind: "skill", Name: "new"}).IsZero())

	// A rename shows in what refers to it, which the record does not name.
	require.NoError(t, h.rename(resource.Key{Kind: "skill", Name: "skill1"}, resource.Key{Kind: "skill", Name: "billing"}))
	s.mu.Lock()
	changed = map[resource.Kind][]string{"skill": {h.id(resource.Key{Kind: "skill", Name: "billing"})}}
	s.mu.Unlock()
	fourth := observe(t, d, third)
	require.Equal(t, ref("skill", "billing"), spec(t, fourth, "queue", "queue1")["skills"].([]any)[0])

	failing = vendors.ErrDenied
	n = s.total()
	observe(t, d, fourth)
	require.Greater(t, s.total()-n, 5, "without a record everything is listed")
}

func TestOptIn(t *testing.T) {
	p := smallPlatform()
	for i := range p.Kinds {
		switch p.Kinds[i].Kind {
		case "skill":
			p.Kinds[i].OptIn = true
		case "queue":
			p.Kinds[i].Parts[0].OptIn = true
		}
	}
	s, _, _ := world(t, Options{})
	d, err := New(p, Options{BaseURL: s.URL})
	require.NoError(t, err)
	seen := observe(t, d, nil)
	require.False(t, seen.Covers(resource.Key{Kind: "skill", Name: "skill0"}))
	require.NotContains(t, spec(t, seen, "queue", "queue0"), "members")
	require.Equal(t, ref("skill", "skill0"), spec(t, seen, "queue", "queue0")["skills"].([]any)[0], "it is referred to by name nonetheless")
	d, err = New(p, Options{BaseURL: s.URL, Kinds: []resource.Kind{"queue"}, OptIn: []string{"queue.members"}})
	require.NoError(t, err)
	seen = observe(t, d, nil)
	require.Contains(t, spec(t, seen, "queue", "queue0"), "members")
	require.False(t, seen.Covers(resource.Key{Kind: "schedule", Name: "x"}))
}
