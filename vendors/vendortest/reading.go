package vendortest

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// kinds: constant, each once, and no kind before those that it refers to, itself excepted.
func kinds(t *testing.T, f Fixture) {
	d := f.Open(t).Driver
	defer func() { require.NoError(t, d.Close()) }()
	list := d.Kinds()
	require.NotEmpty(t, list)
	require.Equal(t, list, d.Kinds(), "Kinds is not constant")
	seen := map[resource.Kind]bool{}
	for _, k := range list {
		require.False(t, seen[k.Kind], "%s is declared twice", k.Kind)
		seen[k.Kind] = true
		for _, field := range k.Fields {
			require.True(t, field.Ref == "" || seen[field.Ref], "%s.%s refers to %s, which comes later", k.Kind, field.Path, field.Ref)
		}
		require.False(t, k.ReferenceOnly && k.Can != resource.Capabilities{} && (k.Can.Create || k.Can.Update || k.Can.Delete || k.Can.Rename),
			"%s is only referred to, and cannot be written", k.Kind)
	}
}

// empty: every managed kind is covered, none that is only referred to; the tenant has an identity, the same for every driver.
func empty(t *testing.T, f Fixture) {
	p := f.Open(t)
	defer func() { require.NoError(t, p.Driver.Close()) }()
	snap, err := p.Driver.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.NotEmpty(t, snap.Tenant())
	for _, k := range p.Driver.Kinds() {
		_, covered := snap.Scope().Kinds[k.Kind]
		require.Equal(t, !k.ReferenceOnly, covered, k.Kind)
	}
	if p.Again == nil {
		return
	}
	again := p.Again()
	defer func() { require.NoError(t, again.Close()) }()
	other, err := again.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.Equal(t, snap.Tenant(), other.Tenant())
}

// names: hard names come back as they are, or are refused for good.
func names(t *testing.T, f Fixture) {
	for _, name := range f.Names {
		t.Run("", func(t *testing.T) {
			s := start(t, f, f.Objects[0])
			r := s.named(name, 0)
			_, err := s.Driver.Apply(s.ctx, resource.Change{After: r})
			if errors.Is(err, vendors.ErrInvalid) {
				for e := range s.observe().Entries() {
					require.NotEqual(t, r.Key, e.Key, "refused, and still there")
				}
				return
			}
			require.NoError(t, err, "%q", name)
			s.is(r.Key, 0)
		})
	}
}

// observes: what was put is listed and read, under its key, with a hash that is its spec's.
func observes(s *session) {
	s.have(0)
	snap := s.observe()
	entry, listed := snap.Entry(s.o.Key)
	require.True(s, listed)
	require.Equal(s, s.o.Vary(0).Hash(), entry.Hash)
	s.is(s.o.Key, 0)
	if s.info.Can.StableID {
		require.NotNil(s, entry.Origin)
		require.NotEmpty(s, entry.Origin.ID, "StableID is declared, and there is no id")
	}
	missing := resource.Key{Kind: s.o.Key.Kind, Name: s.o.Key.Name + "-missing"}
	require.Nil(s, s.live(missing))
}

// knows: what is known need not be sent again; what differs from it must be.
func knows(s *session) {
	s.have(0)
	first := s.observe()
	second, err := s.Driver.Observe(s.ctx, vendors.Request{Known: first})
	require.NoError(s, err)
	require.Equal(s, first.Hash(s.o.Key), second.Hash(s.o.Key))
	require.Equal(s, first.Len(), second.Len())
	old := resource.SnapshotOf(resource.Options{}, *s.value(1))
	third, err := s.Driver.Observe(s.ctx, vendors.Request{Known: old})
	require.NoError(s, err)
	spec, err := third.Spec(s.o.Key)
	require.NoError(s, err, "the hash differs from what is known, and there is no body")
	require.Equal(s, s.o.Vary(0), spec)
}

// scopes: what was not asked for is not covered, by either reading.
func scopes(s *session) {
	s.have(0)
	snap, err := s.Driver.Observe(s.ctx, vendors.Request{Kinds: []resource.Kind{}})
	require.NoError(s, err)
	require.False(s, snap.Covers(s.o.Key))
	snap, err = s.Driver.Observe(s.ctx, vendors.Request{Kinds: []resource.Kind{s.o.Key.Kind}})
	require.NoError(s, err)
	require.True(s, snap.Covers(s.o.Key))
	for kind := range snap.Scope().Kinds {
		require.Equal(s, s.o.Key.Kind, kind)
	}
	other := resource.Key{Kind: s.o.Key.Kind, Name: s.o.Key.Name + "-other"}
	snap, err = s.Driver.Read(s.ctx, []resource.Key{other})
	require.NoError(s, err)
	require.True(s, snap.Covers(other))
	require.False(s, snap.Covers(s.o.Key), "Read says something about what it was not asked for")
}

// foreign: what a person edits is seen, and what was decided before it is refused.
func foreign(s *session) {
	require.NoError(s, s.Hand.Put(s.o.Key, s.o.Vary(0)))
	s.is(s.o.Key, 0)
	require.NoError(s, s.Hand.Put(s.o.Key, s.o.Vary(1)))
	s.is(s.o.Key, 1)
	if s.info.Can.Update && (s.o.Values == 0 || s.o.Values > 2) {
		s.refuse(vendors.ErrConflict, s.value(0), s.value(2))
		s.is(s.o.Key, 1)
	}
}

// foreignRename: what a person gives another name is seen under that, with the same id.
func foreignRename(s *session) {
	require.NoError(s, s.Hand.Put(s.o.Key, s.o.Vary(0)))
	s.is(s.o.Key, 0)
	before, _ := s.observe().Entry(s.o.Key)
	to := resource.Key{Kind: s.o.Key.Kind, Name: s.o.Key.Name + "-renamed"}
	require.NoError(s, s.Hand.Rename(s.o.Key, to))
	s.is(s.o.Key, -1)
	s.is(to, 0)
	if after, _ := s.observe().Entry(to); s.info.Can.StableID {
		require.Equal(s, before.Origin.ID, after.Origin.ID, "the id does not survive a rename")
	}
	require.NoError(s, s.Hand.Rename(to, s.o.Key))
	s.is(s.o.Key, 0)
}

// foreignDelete: what a person deletes is gone, and can be made again.
func foreignDelete(s *session) {
	require.NoError(s, s.Hand.Put(s.o.Key, s.o.Vary(0)))
	s.is(s.o.Key, 0)
	require.NoError(s, s.Hand.Delete(s.o.Key))
	s.is(s.o.Key, -1)
	s.apply(nil, s.value(0))
	s.is(s.o.Key, 0)
}

// hidden: an object that cannot be read is not one that is not there.
func hidden(s *session) {
	s.have(0)
	require.NoError(s, s.Hand.Hide(s.o.Key))
	snap, err := s.Driver.Observe(s.ctx, vendors.Request{})
	require.NotNil(s, snap)
	s.absentUnknown(snap)
	if err != nil {
		require.ErrorContains(s, err, s.o.Key.Name, "the error does not name it")
	}
	if snap, _ = s.Driver.Read(s.ctx, []resource.Key{s.o.Key}); snap != nil {
		s.absentUnknown(snap)
	}
}

// failing: a kind that cannot be listed is not one that is empty.
func failing(s *session) {
	s.have(0)
	require.NoError(s, s.Hand.Fail(s.o.Key.Kind))
	snap, err := s.Driver.Observe(s.ctx, vendors.Request{})
	require.Error(s, err)
	if snap != nil {
		s.absentUnknown(snap)
	}
}

// absentUnknown checks that the reading says nothing about the object, neither that it is there nor that it is not.
func (s *session) absentUnknown(snap *resource.Snapshot) {
	s.Helper()
	require.False(s, snap.Covers(s.o.Key), "%s could not be read, and not being listed would mean its absence", s.o.Key)
	keys := []resource.Key{}
	for e := range snap.Entries() {
		keys = append(keys, e.Key)
	}
	require.False(s, slices.Contains(keys, s.o.Key))
}
