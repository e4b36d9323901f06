package vendortest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// A Fixture is what the suite needs to know of a vendor.
type Fixture struct {
	// Open returns a platform of the test's own, with nothing in it but what the kinds that are only referred to need.
	Open func(t *testing.T) Platform
	// Objects are examples, at least one of every managed kind that the suite shall try.
	Objects []Object
	// Names are hard ones for the first object's kind. Each must come back as it is or be refused with vendors.ErrInvalid.
	Names []string
}

// A Platform is a live system and the ways to it.
type Platform struct {
	Driver vendors.Driver
	// Again opens another driver on the same platform.
	Again func() vendors.Driver
	Hand  Hand
}

// Hand is a person who changes the platform past the driver. What is nil is not tried.
type Hand struct {
	Put    func(resource.Key, resource.Spec) error
	Delete func(resource.Key) error
	Rename func(from, to resource.Key) error
	// Hide makes the object unreadable until the test ends.
	Hide func(resource.Key) error
	// Fail makes the listing of the kind fail until the test ends.
	Fail func(resource.Kind) error
}

// An Object is an example that can be had in many values.
type Object struct {
	Key resource.Key
	// Vary returns the n-th value, in canonical form; different n give different values.
	Vary func(n int) resource.Spec
	// Single says that there is one value only, as the kind is nothing but names. What takes two is not tried.
	Single bool
	// Needs are put before, in this order, as the object refers to them.
	Needs []resource.Resource
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {
	require.NotEmpty(t, f.Objects, "a fixture without objects tests nothing")
	t.Run("Kinds", func(t *testing.T) { kinds(t, f) })
	t.Run("Empty", func(t *testing.T) { empty(t, f) })
	t.Run("Names", func(t *testing.T) { names(t, f) })
	for _, o := range f.Objects {
		t.Run(string(o.Key.Kind), func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					s := start(t, f, o)
					if c.can != nil && !c.can(s.info.Can) || c.varies && o.Single {
						t.Skip("the kind does not declare this capability")
					}
					c.run(s)
				})
			}
		})
	}
	t.Run("Optional", func(t *testing.T) { optional(t, f) })
}

// A testCase is one rule of vendors.Driver, tried on every object whose kind can.
type testCase struct {
	name   string
	can    func(resource.Capabilities) bool
	run    func(*session)
	varies bool // it takes more than one value
}

var cases = []testCase{
	{"Observe", creates, observes, false},
	{"Known", creates, knows, true},
	{"Scope", creates, scopes, false},
	{"Create", creates, creation, false},
	{"Update", updates, updating, false},
	{"Delete", deletes, deletion, false},
	{"Rename", renames, renaming, false},
	{"Settled", updates, settled, false},
	{"Twice", creates, twice, false},
	{"Unsupported", nil, unsupported, false},
	{"Conflict", creates, conflicts, true},
	{"Cancelled", creates, cancelled, false},
	{"Untouched", updates, untouched, false},
	{"Foreign", creates, foreign, true},
	{"Hidden", creates, hidden, false},
	{"Failing", creates, failing, false},
	{"Lost", guards, lost, true},
	{"Race", guards, race, true},
}

func creates(c resource.Capabilities) bool { return c.Create }
func updates(c resource.Capabilities) bool { return c.Create && c.Update }
func deletes(c resource.Capabilities) bool { return c.Create && c.Delete }
func renames(c resource.Capabilities) bool { return c.Create && c.Rename }
func guards(c resource.Capabilities) bool  { return c.Create && c.Update && c.Guard }

// A session is one case under way.
type session struct {
	*testing.T
	Platform
	o    Object
	info resource.KindInfo
	ctx  context.Context
}

// start opens a platform with what the object needs.
func start(t *testing.T, f Fixture, o Object) *session {
	t.Helper()
	s := &session{T: t, Platform: f.Open(t), o: o, ctx: t.Context()}
	t.Cleanup(func() { require.NoError(t, s.Driver.Close()) })
	for _, k := range s.Driver.Kinds() {
		if k.Kind == o.Key.Kind {
			s.info = k
		}
	}
	require.Equal(t, o.Key.Kind, s.info.Kind, "the driver does not declare the kind")
	for _, r := range o.Needs {
		if s.Hand.Put != nil {
			require.NoError(t, s.Hand.Put(r.Key, r.Spec))
			continue
		}
		s.apply(nil, &r)
	}
	return s
}

// value is the object with its n-th value.
func (s *session) value(n int) *resource.Resource {
	return &resource.Resource{Key: s.o.Key, Spec: s.o.Vary(n)}
}

// named is the object with its n-th value under another name.
func (s *session) named(name string, n int) *resource.Resource {
	r := s.value(n)
	r.Key.Name = name
	return r
}

// apply makes a change that must succeed.
func (s *session) apply(before, after *resource.Resource) resource.Resource {
	s.Helper()
	r, err := s.Driver.Apply(s.ctx, resource.Change{Before: before, After: after})
	require.NoError(s, err)
	return r
}

// refuse makes a change that must fail with the error.
func (s *session) refuse(want error, before, after *resource.Resource) {
	s.Helper()
	_, err := s.Driver.Apply(s.ctx, resource.Change{Before: before, After: after})
	require.ErrorIs(s, err, want)
}

// observe lists everything, which must succeed.
func (s *session) observe() *resource.Snapshot {
	s.Helper()
	snap, err := s.Driver.Observe(s.ctx, vendors.Request{})
	require.NoError(s, err)
	return snap
}

// live reads the object, which must be readable; nil where it is not there.
func (s *session) live(k resource.Key) *resource.Resource {
	s.Helper()
	snap, err := s.Driver.Read(s.ctx, []resource.Key{k})
	require.NoError(s, err)
	require.True(s, snap.Covers(k), "%s: Read says nothing about it", k)
	r, err := snap.Resource(k)
	require.NoError(s, err)
	return r
}

// is checks by reading and by listing that the object has the n-th value; a negative n that it is not there.
func (s *session) is(k resource.Key, n int) {
	s.Helper()
	read, snap := s.live(k), s.observe()
	require.True(s, snap.Covers(k), "%s: Observe says nothing about it", k)
	if n < 0 {
		require.Nil(s, read, "Read")
		require.True(s, snap.Hash(k).IsZero(), "Observe lists %s", k)
		return
	}
	want := s.o.Vary(n)
	require.NotNil(s, read, "%s: Read does not find it", k)
	require.Equal(s, want, read.Spec, "Read")
	listed, err := snap.Spec(k)
	require.NoError(s, err)
	require.Equal(s, want, listed, "Observe")
}
