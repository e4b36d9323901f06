package vendortest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

func creation(s *session) {
	got := s.apply(nil, s.value(0))
	require.Equal(s, s.o.Key, got.Key)
	require.Equal(s, s.o.Vary(0), got.Spec)
	s.is(s.o.Key, 0)
}

func updating(s *session) {
	made := s.have(0)
	got := s.apply(s.value(0), s.value(1))
	require.Equal(s, s.o.Vary(1), got.Spec)
	s.is(s.o.Key, 1)
	if s.info.Can.StableID {
		require.Equal(s, made.Origin.ID, got.Origin.ID, "the id does not survive an edit")
	}
}

func deletion(s *session) {
	s.apply(nil, s.value(0))
	got := s.apply(s.value(0), nil)
	require.Equal(s, resource.Resource{}, got)
	s.is(s.o.Key, -1)
	s.apply(nil, s.value(1)) // the name is free again
	s.is(s.o.Key, 1)
}

// renaming: with and without a new value; the id survives.
func renaming(s *session) {
	made := s.apply(nil, s.value(0))
	second := s.named(s.o.Key.Name+"-second", 0)
	got := s.apply(s.value(0), second)
	require.Equal(s, second.Key, got.Key)
	s.is(s.o.Key, -1)
	s.is(second.Key, 0)
	if s.info.Can.StableID {
		require.Equal(s, made.Origin.ID, got.Origin.ID, "the id does not survive a rename")
	}
	if s.info.Can.Update {
		third := s.named(s.o.Key.Name+"-third", 1)
		s.apply(second, third)
		s.is(second.Key, -1)
		s.is(third.Key, 1)
	}
}

// settled: after a write, a listing finds exactly what was written, and so does the next one.
func settled(s *session) {
	s.have(0)
	s.apply(s.value(0), s.value(1))
	first := s.observe()
	spec, err := first.Spec(s.o.Key)
	require.NoError(s, err)
	require.Equal(s, s.o.Vary(1), spec)
	second, err := s.Driver.Observe(s.ctx, vendors.Request{Known: first})
	require.NoError(s, err)
	require.Equal(s, first.Len(), second.Len())
	for e := range first.Entries() {
		require.Equal(s, e.Hash, second.Hash(e.Key), e.Key)
	}
}

// twice: a change whose answer was lost may be made again.
func twice(s *session) {
	both := func(before, after *resource.Resource) {
		s.Helper()
		first, second := s.apply(before, after), s.apply(before, after)
		require.Equal(s, first.Spec, second.Spec)
		if first.Origin != nil {
			require.NotNil(s, second.Origin)
			require.Equal(s, first.Origin.ID, second.Origin.ID, "another object was made")
			require.Equal(s, first.Origin.Version, second.Origin.Version, "it was written again")
		}
	}
	if !s.info.Can.Create {
		s.have(0)
		count := s.observe().Len()
		both(s.value(0), s.value(1))
		s.is(s.o.Key, 1)
		require.Equal(s, count, s.observe().Len())
		return
	}
	count := s.observe().Len()
	both(nil, s.value(0))
	require.Equal(s, count+1, s.observe().Len())
	n := 0
	if s.info.Can.Update {
		both(s.value(0), s.value(1))
		n = 1
	}
	s.is(s.o.Key, n)
	key := s.o.Key
	if s.info.Can.Rename {
		to := s.named(s.o.Key.Name+"-second", n)
		both(s.value(n), to)
		key = to.Key
	}
	if s.info.Can.Delete {
		both(&resource.Resource{Key: key, Spec: s.o.Vary(n)}, nil)
		s.is(key, -1)
	}
	require.LessOrEqual(s, s.observe().Len(), count+1)
}

// unsupported: what is not declared is refused for good.
func unsupported(s *session) {
	if !s.info.Can.Create {
		s.refuse(vendors.ErrUnsupported, nil, s.value(0))
	} else {
		s.apply(nil, s.value(0))
	}
	if !s.info.Can.Update {
		s.refuse(vendors.ErrUnsupported, s.value(0), s.value(1))
	}
	if !s.info.Can.Rename {
		s.refuse(vendors.ErrUnsupported, s.value(0), s.named(s.o.Key.Name+"-second", 0))
	}
	if !s.info.Can.Delete {
		s.refuse(vendors.ErrUnsupported, s.value(0), nil)
	}
	no := resource.Key{Kind: "no-such-kind", Name: "x"}
	s.refuse(vendors.ErrUnsupported, nil, &resource.Resource{Key: no, Spec: s.o.Vary(0)})
}

// conflicts: a change decided on something else than what is live does nothing.
func conflicts(s *session) {
	can := s.info.Can
	other := s.o.Key.Name + "-second"
	if can.Create {
		if can.Update { // nothing there
			s.refuse(vendors.ErrConflict, s.value(0), s.value(1))
		}
		if can.Rename {
			s.refuse(vendors.ErrConflict, s.value(0), s.named(other, 0))
		}
		s.is(s.o.Key, -1)
	}
	s.have(2) // something else there
	if can.Create {
		s.refuse(vendors.ErrConflict, nil, s.value(0))
	}
	if can.Update {
		s.refuse(vendors.ErrConflict, s.value(0), s.value(1))
	}
	if can.Delete {
		s.refuse(vendors.ErrConflict, s.value(0), nil)
	}
	if can.Rename {
		s.refuse(vendors.ErrConflict, s.value(0), s.named(other, 0))
		s.refuse(vendors.ErrConflict, s.value(0), s.named(other, 2))
		s.is(resource.Key{Kind: s.o.Key.Kind, Name: other}, -1)
		s.apply(nil, s.named(other, 3)) // the new name taken
		s.refuse(vendors.ErrConflict, s.value(2), s.named(other, 2))
		s.is(resource.Key{Kind: s.o.Key.Kind, Name: other}, 3)
	}
	s.is(s.o.Key, 2)
}

// cancelled: a context that has ended stops everything, and nothing is done.
func cancelled(s *session) {
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	change, was := resource.Change{After: s.value(0)}, -1
	if !s.info.Can.Create {
		s.have(1)
		change, was = resource.Change{Before: s.value(1), After: s.value(0)}, 1
	}
	_, err := s.Driver.Apply(ended, change)
	require.ErrorIs(s, err, context.Canceled)
	s.is(s.o.Key, was)
	_, err = s.Driver.Observe(ended, vendors.Request{})
	require.ErrorIs(s, err, context.Canceled)
	_, err = s.Driver.Read(ended, []resource.Key{s.o.Key})
	require.ErrorIs(s, err, context.Canceled)
}

// untouched: the change that is handed in belongs to the caller, also afterwards.
func untouched(s *session) {
	s.have(0)
	before, after := s.value(0), s.value(1)
	got := s.apply(before, after)
	require.Equal(s, s.value(0), before)
	require.Equal(s, s.value(1), after)
	for k := range after.Spec {
		delete(after.Spec, k)
	}
	require.NotEmpty(s, got.Spec)
	s.is(s.o.Key, 1)
}
