package rest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// Parts of which nothing shows that they moved are looked at in turn: each once in the time that is set, and no burst
// after a pause.
func TestPartsAreLookedAtInTurn(t *testing.T) {
	s, h, _ := world(t, Options{}) // nine queues
	p := smallPlatform()
	i := slices.IndexFunc(p.Kinds, func(k Kind) bool { return k.Kind == "queue" })
	p.Kinds[i].Parts = slices.Clone(p.Kinds[i].Parts)
	p.Kinds[i].Parts[0].Moved = nil
	clock := quickClock{new(atomic.Int64)}
	d, err := New(p, Options{BaseURL: s.URL, Clock: clock, PartsEvery: 9 * time.Minute})
	require.NoError(t, err)
	var mu sync.Mutex
	var looked []string
	broken := ""
	s.fault = func(r *http.Request, after bool) (int, http.Header) {
		mu.Lock()
		defer mu.Unlock()
		if id, ok := strings.CutSuffix(r.URL.Path, "/members"); ok && r.Method == "GET" && !after {
			id = strings.TrimPrefix(id, "/api/queues/")
			if id == broken {
				return 403, nil
			}
			looked = append(looked, id)
		}
		return 0, nil
	}
	var known *resource.Snapshot
	pass := func(wait time.Duration) []string {
		require.NoError(t, clock.Sleep(t.Context(), wait))
		looked = nil
		s, err := d.Observe(t.Context(), vendors.Request{Known: known})
		if broken == "" {
			require.NoError(t, err)
		} else if err != nil {
			require.ErrorContains(t, err, "queue8")
		}
		known = s
		return looked
	}
	require.Len(t, pass(0), 9, "the first reading knows nothing")
	turns := map[string]int{}
	for range 20 {
		for _, id := range pass(time.Minute + time.Second) {
			turns[id]++
		}
	}
	require.Len(t, turns, 9)
	for _, n := range turns {
		require.InDelta(t, 2, n, 1)
	}
	require.LessOrEqual(t, len(pass(3*time.Hour)), 1, "a burst after a pause")

	// Somebody is exchanged for somebody else, which the queue's count does not show.
	key := resource.Key{Kind: "queue", Name: "queue4"}
	was := known.Hash(key)
	s.mu.Lock()
	id := h.id(key)
	s.members[id] = []map[string]any{{"id": h.id(resource.Key{Kind: "user", Name: "user3"}), "ringNumber": number(1), "joined": true}}
	s.mu.Unlock()
	for n := 0; known.Hash(key) == was; n++ {
		require.Less(t, n, 10, "it is not found in time")
		pass(time.Minute + time.Second)
	}
	require.Equal(t, []any{map[string]any{"id": ref("user", "user3")}}, spec(t, known, "queue", "queue4")["members"])

	// One that cannot be read is unknown, and known again as soon as it can.
	key.Name = "queue8"
	s.mu.Lock()
	broken = h.id(key)
	s.mu.Unlock()
	for n := 0; known.Covers(key); n++ {
		require.Less(t, n, 12, "it is not looked at")
		pass(time.Minute + time.Second)
	}
	require.True(t, known.Covers(resource.Key{Kind: "queue", Name: "queue1"}))
	broken = ""
	pass(time.Minute)
	require.True(t, known.Covers(key))
}
