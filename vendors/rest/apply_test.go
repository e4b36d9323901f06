package rest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

func apply(t *testing.T, d *Driver, before, after *resource.Resource) (resource.Resource, error) {
	t.Helper()
	return d.Apply(t.Context(), resource.Change{Before: before, After: after})
}

func thing(kind resource.Kind, name string, spec resource.Spec) *resource.Resource {
	return &resource.Resource{Key: resource.Key{Kind: kind, Name: name}, Spec: spec}
}

func TestMissingReferenceNamesBothEnds(t *testing.T) {
	s, _, d := world(t, Options{})
	for _, name := range []string{"nobody", resource.Unresolved} {
		_, err := apply(t, d, nil, thing("queue", "new", resource.Spec{"skills": []any{ref("skill", name)}, "members": []any{}}))
		require.ErrorIs(t, err, vendors.ErrInvalid)
		require.ErrorContains(t, err, "create queue/new: refers to skill/"+name)
	}
	require.Zero(t, s.requests["POST /queues"], "something was written before")
}

// A reference where the platform has none would be sent as nonsense.
func TestReferenceOutOfPlace(t *testing.T) {
	s, _, d := world(t, Options{})
	_, err := apply(t, d, nil, thing("queue", "new", resource.Spec{"acw": ref("skill", "skill0"), "members": []any{}}))
	require.ErrorIs(t, err, vendors.ErrInvalid)
	require.Zero(t, s.requests["POST /queues"])
}

func TestRequestsOfAChange(t *testing.T) {
	s, h, d := world(t, Options{})
	require.NoError(t, h.put(resource.Key{Kind: "schedule", Name: "s"}, resource.Spec{"n": number(1)}))
	observe(t, d, nil)
	n := s.total()
	_, err := apply(t, d, thing("schedule", "s", resource.Spec{"n": number(1)}), thing("schedule", "s", resource.Spec{"n": number(2)}))
	require.NoError(t, err)
	require.Equal(t, 2, s.total()-n, "where a version guards, read and write")
	n = s.total()
	_, err = apply(t, d, thing("schedule", "s", resource.Spec{"n": number(2)}), thing("schedule", "s", resource.Spec{"n": number(2)}))
	require.NoError(t, err)
	require.Equal(t, 1, s.total()-n, "nothing to do")
	n = s.total()
	_, err = apply(t, d, thing("skill", "skill6", resource.Spec{"level": number(6)}), nil)
	require.NoError(t, err)
	require.Equal(t, 2, s.total()-n)
}

func TestLostCreationIsAdopted(t *testing.T) {
	s, _, d := world(t, Options{})
	lose := 1
	s.fault = func(r *http.Request, after bool) (int, http.Header) {
		if after && r.Method == "POST" && lose > 0 {
			lose--
			return -1, nil
		}
		return 0, nil
	}
	got, err := apply(t, d, nil, thing("skill", "new", resource.Spec{"level": number(1)}))
	require.NoError(t, err)
	require.NotEmpty(t, got.Origin.ID)
	require.Equal(t, 1, s.requests["POST /skills"])
	// Two of the name: nobody knows which one is ours.
	lose = 1
	s.shift = func(r *http.Request) {
		if r.Method == "POST" {
			s.mu.Lock()
			defer s.mu.Unlock()
			list := s.objects["skills"]
			twin := maps.Clone(list[len(list)-1])
			twin["id"] = "dddddddd-0000-4000-8000-000000000000"
			s.objects["skills"] = append(list, twin)
		}
	}
	_, err = apply(t, d, nil, thing("skill", "newer", resource.Spec{"level": number(1)}))
	require.ErrorContains(t, err, "2 objects have this name")
	require.Equal(t, 2, s.requests["POST /skills"])
}

// A creation that is answered with a time-out, though it was carried out, is neither a conflict nor made twice.
func TestTimedOutCreationIsAdopted(t *testing.T) {
	s, _, d := world(t, Options{})
	once := true
	s.fault = func(r *http.Request, after bool) (int, http.Header) {
		if after && r.Method == "POST" && once {
			once = false
			return 408, nil
		}
		return 0, nil
	}
	got, err := apply(t, d, nil, thing("skill", "new", resource.Spec{"level": number(1)}))
	require.NoError(t, err)
	require.NotEmpty(t, got.Origin.ID)
	require.Equal(t, 1, s.requests["POST /skills"])
}

// Whoever waits for what came of a creation, and loses the claim meanwhile, writes nothing more.
func TestLostCreationUnderALostClaim(t *testing.T) {
	s, _, d := world(t, Options{})
	held := true
	s.fault = func(r *http.Request, after bool) (int, http.Header) {
		if !after && r.Method == "POST" {
			held = false
			return -1, nil
		}
		return 0, nil
	}
	ctx := vendors.WithLease(t.Context(), func() bool { return held })
	_, err := d.Apply(ctx, resource.Change{After: thing("skill", "new", resource.Spec{"level": number(1)})})
	require.ErrorIs(t, err, vendors.ErrLease)
	require.Equal(t, 1, s.requests["POST /skills"])
}

func TestDeletionInUseIsNoConflict(t *testing.T) {
	_, _, d := world(t, Options{})
	_, err := apply(t, d, thing("skill", "skill0", resource.Spec{"level": number(0)}), nil)
	require.ErrorIs(t, err, vendors.ErrInvalid)
	require.NotErrorIs(t, err, vendors.ErrConflict)
	require.ErrorContains(t, err, "in use")
}

// A deletion that meets somebody's write is tried once more, as the object is what it was (MyPureCloud/terraform-provider-genesyscloud:
// "Directory occasionally returns version errors on deletes if an object was updated at the same time").
func TestDeletionMeetsAWrite(t *testing.T) {
	s, _, d := world(t, Options{})
	refused := 0
	s.fault = func(r *http.Request, _ bool) (int, http.Header) {
		if r.Method == http.MethodDelete && refused == 0 {
			refused++
			return http.StatusConflict, nil
		}
		return 0, nil
	}
	_, err := apply(t, d, thing("skill", "skill6", resource.Spec{"level": number(6)}), nil)
	require.NoError(t, err)
	require.Equal(t, 1, refused)
}

func TestReplaceThatFailsIsTakenBack(t *testing.T) {
	s, _, d := world(t, Options{})
	s.fault = func(r *http.Request, after bool) (int, http.Header) {
		if !after && r.Method == "POST" && s.requests["POST /skills"] == 1 {
			return 400, nil
		}
		return 0, nil
	}
	_, err := apply(t, d, thing("skill", "skill6", resource.Spec{"level": number(6)}), thing("skill", "skill6", resource.Spec{"level": number(7)}))
	require.ErrorIs(t, err, vendors.ErrInvalid)
	require.ErrorContains(t, err, "made again as it was")
	seen := observe(t, d, nil)
	require.Equal(t, number(6), spec(t, seen, "skill", "skill6")["level"])
}

func TestMembersInChunks(t *testing.T) {
	s, _, d := world(t, Options{})
	member := func(n, ring int) any {
		m := map[string]any{"id": ref("user", fmt.Sprint("user", n))}
		if ring != 1 {
			m["ringNumber"] = number(ring)
		}
		return m
	}
	all := resource.Spec{"members": []any{member(0, 1), member(1, 1), member(2, 1), member(3, 2), member(4, 1)}}
	_, err := apply(t, d, nil, thing("queue", "big", all))
	require.NoError(t, err)
	require.Equal(t, 1+2, s.requests["POST /queues"], "five members in chunks of three")
	some := resource.Spec{"members": []any{member(1, 3), member(3, 2)}}
	got, err := apply(t, d, thing("queue", "big", all), thing("queue", "big", some))
	require.NoError(t, err)
	require.Equal(t, some, got.Spec)
	require.Equal(t, 1+2+1, s.requests["POST /queues"], "three are removed at once")
	require.Equal(t, 1, s.requests["PATCH /queues"], "one is changed")
	// Half of it fails: the error says so.
	s.fault = func(r *http.Request, after bool) (int, http.Header) {
		if !after && strings.HasSuffix(r.URL.Path, "/members") && r.Method == "POST" {
			return 400, nil
		}
		return 0, nil
	}
	_, err = apply(t, d, thing("queue", "big", some), thing("queue", "big", all))
	require.ErrorContains(t, err, "written in part, without members")
}

func TestSecretsAreWrittenAndNeverRead(t *testing.T) {
	s, _, d := world(t, Options{})
	after := thing("rule", "r", resource.Spec{"token": "hush", "n": number(1)})
	got, err := apply(t, d, nil, after)
	require.NoError(t, err)
	require.NotContains(t, got.Spec, "token")
	require.Equal(t, "hush", s.objects["rules"][0]["token"])
	require.NotContains(t, spec(t, observe(t, d, nil), "rule", "r"), "token")
	after.Spec["token"] = "hush again"
	_, err = apply(t, d, thing("rule", "r", resource.Spec{"n": number(1)}), after)
	require.NoError(t, err)
	require.Equal(t, "hush again", s.objects["rules"][0]["token"], "a secret cannot be compared: it is written again")
}

// A field with a default is sent when it goes back to it, as absence is no wish to a platform that merges.
func TestDefaultsAreSent(t *testing.T) {
	s, h, d := world(t, Options{})
	require.NoError(t, h.put(resource.Key{Kind: "queue", Name: "q"}, resource.Spec{"timeout": number(60)}))
	_, err := apply(t, d, thing("queue", "q", resource.Spec{"timeout": number(60), "members": []any{}}), thing("queue", "q", resource.Spec{"members": []any{}}))
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(t, number(30), s.find("queues", h.id(resource.Key{Kind: "queue", Name: "q"}))["timeout"])
}

func TestPatchSendsWhatDiffers(t *testing.T) {
	s, h, d := world(t, Options{})
	require.NoError(t, h.put(resource.Key{Kind: "table", Name: "t"}, resource.Spec{"a": "1", "b": "2", "c": map[string]any{"x": "y"}}))
	var sent map[string]any
	s.fault = func(r *http.Request, after bool) (int, http.Header) {
		if r.Method == "PATCH" && !after {
			sent = nil
			_ = json.Unmarshal([]byte(readAll(r)), &sent)
		}
		return 0, nil
	}
	_, err := apply(t, d, thing("table", "t", resource.Spec{"a": "1", "b": "2", "c": map[string]any{"x": "y"}}),
		thing("table", "t", resource.Spec{"a": "1", "b": "3"}))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"b": "3", "c": nil}, sent)
	_, err = apply(t, d, thing("table", "t", resource.Spec{"a": "1", "b": "3"}), thing("table", "renamed", resource.Spec{"a": "1", "b": "3"}))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"name": "renamed"}, sent)
}

// Our own write may not show in listings yet. The object is asked for then.
func TestStaleListing(t *testing.T) {
	p := smallPlatform()
	for i := range p.Kinds {
		if p.Kinds[i].Kind == "skill" || p.Kinds[i].Kind == "schedule" {
			p.Kinds[i].Settle = window
		}
	}
	s, h, _ := world(t, Options{})
	require.NoError(t, h.put(resource.Key{Kind: "schedule", Name: "s"}, resource.Spec{"n": number(1)}))
	d, err := New(p, Options{BaseURL: s.URL})
	require.NoError(t, err)
	first := observe(t, d, nil)
	before := map[string][]map[string]any{}
	for _, c := range []string{"skills", "schedules"} {
		for _, o := range s.objects[c] {
			before[c] = append(before[c], maps.Clone(o))
		}
	}
	_, err = apply(t, d, nil, thing("skill", "new", resource.Spec{"level": number(1)}))
	require.NoError(t, err)
	_, err = apply(t, d, thing("skill", "skill6", resource.Spec{"level": number(6)}), nil)
	require.NoError(t, err)
	_, err = apply(t, d, thing("schedule", "s", resource.Spec{"n": number(1)}), thing("schedule", "s", resource.Spec{"n": number(2)}))
	require.NoError(t, err)
	s.stale = before
	second := observe(t, d, first)
	require.False(t, second.Hash(resource.Key{Kind: "skill", Name: "new"}).IsZero(), "what we have made is not listed yet, and gone")
	require.True(t, second.Hash(resource.Key{Kind: "skill", Name: "skill6"}).IsZero(), "what we have deleted is back")
	require.Equal(t, number(2), spec(t, second, "schedule", "s")["n"], "what we have written is undone")
}

func TestRoundTripIsExact(t *testing.T) {
	_, _, d := world(t, Options{})
	want := resource.Spec{"big": json.Number("12345678901234567890.123"), "text": "<&>\u2028é\"\\", "deep": map[string]any{"list": []any{[]any{}, map[string]any{}, false, ""}}, "members": []any{}}
	got, err := apply(t, d, nil, thing("queue", "exact", want))
	require.NoError(t, err)
	require.Equal(t, want, got.Spec)
	require.Equal(t, want, spec(t, observe(t, d, nil), "queue", "exact"))
}
