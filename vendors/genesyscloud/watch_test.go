package genesyscloud

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/genesyscloud/simulator"
	"github.com/driftback/driftback/vendors/resource"
)

// A watch names what a person changes, also what was created after it had begun, and ends with its context.
func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	c := w.config(org)
	d, err := New(c, Options{Kinds: []resource.Kind{wrapupcode, division}, Jitter: func() float64 { return 0.5 }, Clock: w.clock, Resubscribe: 20 * time.Millisecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints, ended := make(chan resource.Key, 1000), make(chan error, 1)
	go func() {
		ended <- d.Watch(ctx, func(keys ...resource.Key) {
			for _, k := range keys {
				select {
				case hints <- k:
				default:
				}
			}
		})
	}()
	id, err := org.By("Ann Lee").Create("wrapupcode", map[string]any{"name": "Sold", "description": "x"})
	require.NoError(t, err)
	limit, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for noticed, n := false, 0; !noticed; n++ {
		require.NoError(t, org.By("Ann Lee").Edit("wrapupcode", id, func(body map[string]any) { body["description"] = time.Duration(n).String() }))
		select {
		case k := <-hints:
			require.Equal(t, key("wrapupcode/Sold"), k)
			noticed = true
		case <-tick.C:
		case <-limit:
			require.Fail(t, "no edit was noticed")
		}
	}
	cancel()
	require.True(t, errors.Is(<-ended, context.Canceled))
}

// Channels that break are opened again; that they may not be opened at all ends the watch.
func TestWatchThatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{Rate: -1})
	org := w.Org("Acme")
	d := w.open(t, org, nil, wrapupcode, division)
	observe(t, d)
	w.Fail(simulator.Fault{Method: "POST", Path: "/api/v2/notifications/channels", Status: 403})
	require.ErrorIs(t, d.Watch(t.Context(), func(...resource.Key) {}), vendors.ErrDenied)
}

// A channel takes a thousand topics, and those that matter most come first.
func TestTopicsAreBounded(t *testing.T) {
	t.Parallel()
	var b resource.Builder
	for i := range 700 {
		for _, k := range []resource.Kind{queue, role, user} {
			name := resource.Key{Kind: k, Name: time.Duration(i).String()}
			b.Add(resource.Resource{Key: name, Spec: resource.Spec{}, Origin: &resource.Origin{ID: name.String()}})
		}
	}
	s, err := b.Snapshot(resource.Options{})
	_ = err
	seen := newSeen()
	seen.note(s)
	topics, fresh := seen.topics()
	require.True(t, fresh)
	require.Len(t, topics, maxTopics)
	byKind := map[resource.Kind]int{}
	for _, k := range topics {
		byKind[k.Kind]++
	}
	require.Equal(t, map[resource.Kind]int{queue: 700, role: 300}, byKind)
	_, fresh = seen.topics()
	require.False(t, fresh)
}
