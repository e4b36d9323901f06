package vendortest

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// optional tries the optional interfaces that the driver has.
func optional(t *testing.T, f Fixture) {
	o := f.Objects[0]
	t.Run("Watch", func(t *testing.T) {
		f.excused(t, "Watch")
		s := start(t, f, o)
		w, ok := s.Driver.(vendors.Watcher)
		if !ok {
			t.Skip(undeclared)
		}
		require.NotNil(t, s.Hand.Put, "the hand cannot, and the fixture does not say why")
		watching(s, w)
	})
	t.Run("Audit", func(t *testing.T) {
		f.excused(t, "Audit")
		s := start(t, f, o)
		a, ok := s.Driver.(vendors.Auditor)
		if !ok {
			t.Skip(undeclared)
		}
		require.NotNil(t, s.Hand.Put, "the hand cannot, and the fixture does not say why")
		auditing(s, a)
	})
	t.Run("Activate", func(t *testing.T) {
		s := start(t, f, o)
		a, ok := s.Driver.(vendors.Activator)
		if !ok {
			t.Skip(undeclared)
		}
		require.NoError(t, a.Activate(t.Context()))
		require.NoError(t, a.Activate(t.Context()), "activating twice")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, a.Activate(ended), context.Canceled)
	})
	t.Run("Running", func(t *testing.T) {
		s := start(t, f, o)
		r, ok := s.Driver.(vendors.Runner)
		if !ok {
			t.Skip(undeclared)
		}
		require.NoError(t, s.Driver.(vendors.Activator).Activate(t.Context()))
		stored, err := s.Driver.Observe(t.Context(), vendors.Request{})
		require.NoError(t, err)
		runs, err := r.Running(t.Context(), vendors.Request{Known: stored})
		require.NoError(t, err)
		require.Empty(t, maps.Collect(resource.Differing(stored, stored, runs)), "all that is stored runs after an activation")
		for e := range stored.Entries() {
			require.True(t, runs.Covers(e.Key), e.Key)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = r.Running(ended, vendors.Request{})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// watching: an edit gives a hint that names the object, or none at all; the watch ends with its context.
func watching(s *session, w vendors.Watcher) {
	ctx, cancel := context.WithCancel(s.ctx)
	hints, ended := make(chan []resource.Key, 1000), make(chan error, 1)
	go func() {
		ended <- w.Watch(ctx, func(keys ...resource.Key) {
			select {
			case hints <- keys:
			default: // enough of them
			}
		})
	}()
	// The watch begins some time after the call; edits go on until one is noticed, ever more slowly: what is made and deleted
	// again stays long enough to be watched, on a slow machine too.
	limit, wait := time.After(10*time.Second), 10*time.Millisecond
	for n, noticed := 0, false; !noticed; n++ {
		value := n
		if s.o.Values == 1 && n%2 == 1 { // there is nothing else to edit
			require.NoError(s, s.Hand.Delete(s.o.Key))
		} else {
			if s.o.Values > 0 {
				value = n % s.o.Values
			}
			require.NoError(s, s.Hand.Put(s.o.Key, s.o.Vary(value)))
		}
		select {
		case keys := <-hints:
			for _, k := range keys {
				require.Equal(s, s.o.Key, k)
				noticed = true
			}
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		case <-limit:
			require.Fail(s, "no edit was noticed")
		}
	}
	cancel()
	require.True(s, errors.Is(<-ended, context.Canceled))
}

// auditing: an edit is on record under the object's key, with its time, and not before its time.
func auditing(s *session, a vendors.Auditor) {
	require.NoError(s, s.Hand.Put(s.o.Key, s.o.Vary(0)))
	s.observe() // as the loop does before it asks who it was
	var when time.Time
	told := false
	for e, err := range a.Audit(s.ctx, time.Time{}) {
		require.NoError(s, err)
		require.NotEmpty(s, e.ID)
		require.False(s, e.When.Before(when), "not oldest first")
		when = e.When
		if e.Key != s.o.Key {
			continue
		}
		told = true
		if !e.Hash.IsZero() {
			require.Equal(s, s.o.Vary(0).Hash(), e.Hash)
		}
	}
	require.True(s, told, "the edit is not on record")
	for e, err := range a.Audit(s.ctx, when.Add(time.Nanosecond)) {
		require.NoError(s, err)
		require.NotEqual(s, s.o.Key, e.Key)
	}
}
