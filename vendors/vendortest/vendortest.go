package vendortest

import (
	"context"
	"slices"
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
	// Without names cases that cannot be tried here, each with the reason: "Hidden": "everybody sees everything". What the
	// Hand cannot do and Without does not excuse is a failure.
	Without map[string]string
}

// A Platform is a live system and the ways to it.
type Platform struct {
	Driver vendors.Driver
	// Again opens another driver on the same platform.
	Again func() vendors.Driver
	Hand  Hand
}

// Hand is a person who changes the platform past the driver. It may lack what Fixture.Without excuses.
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
	// Values is how many different values there are: 1 where the kind is nothing but names, 2 for a switch. 0 is any number.
	// What takes more is not tried.
	Values int
	// Needs are put before, in this order, as the object refers to them.
	Needs []resource.Resource
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {
	require.NotEmpty(t, f.Objects, "a fixture without objects tests nothing")
	for name := range f.Without {
		require.True(t, slices.ContainsFunc(cases, func(c testCase) bool { return c.name == name }) || name == "Watch" || name == "Audit", "there is no case %s", name)
	}
	t.Run("Kinds", func(t *testing.T) { kinds(t, f) })
	t.Run("Empty", func(t *testing.T) { empty(t, f) })
	if len(f.Names) > 0 {
		t.Run("Names", func(t *testing.T) { names(t, f) })
	}
	for _, o := range f.Objects {
		info := infoOf(t, f, o.Key.Kind)
		t.Run(string(o.Key.Kind), func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					f.excused(t, c.name)
					if !c.can(info.Can) || o.Values != 0 && o.Values < c.values {
						t.Skip(undeclared)
					}
					s := start(t, f, o)
					require.True(t, c.hand == nil || c.hand(s.Hand), "the hand cannot, and the fixture does not say why")
					c.run(s)
				})
			}
		})
	}
	t.Run("Optional", func(t *testing.T) { optional(t, f) })
}

// undeclared is why a case is skipped that the kind's capabilities rule out.
const undeclared = "the kind does not declare this capability"

// excused skips a case that the fixture cannot try.
func (f Fixture) excused(t *testing.T, name string) {
	t.Helper()
	if why, ok := f.Without[name]; ok {
		t.Skipf("not tried: %s", why)
	}
}

// infoOf asks a driver of its own what the kind can.
func infoOf(t *testing.T, f Fixture, kind resource.Kind) resource.KindInfo {
	t.Helper()
	d := f.Open(t).Driver
	defer func() { require.NoError(t, d.Close()) }()
	for _, k := range d.Kinds() {
		if k.Kind == kind {
			return k
		}
	}
	require.Fail(t, "the driver does not declare the kind", kind)
	return resource.KindInfo{}
}

// A testCase is one rule of vendors.Driver, tried on every object whose kind can.
type testCase struct {
	name   string
	can    func(resource.Capabilities) bool
	run    func(*session)
	values int             // so many different values it takes
	hand   func(Hand) bool // what it asks of the hand; nil is nothing
}

var cases = []testCase{
	{"Observe", writes, observes, 1, nil},
	{"Known", writes, knows, 2, nil},
	{"Scope", writes, scopes, 1, nil},
	{"Create", creates, creation, 1, nil},
	{"Update", updates, updating, 2, nil},
	{"Delete", deletes, deletion, 1, nil},
	{"Rename", renames, renaming, 1, nil},
	{"Settled", updates, settled, 2, nil},
	{"Twice", writes, twice, 1, nil},
	{"Unsupported", always, unsupported, 1, nil},
	{"Conflict", writes, conflicts, 3, nil},
	{"Cancelled", writes, cancelled, 2, nil},
	{"Untouched", updates, untouched, 2, nil},
	{"Foreign", writes, foreign, 2, func(h Hand) bool { return h.Put != nil }},
	{"ForeignRename", creates, foreignRename, 1, func(h Hand) bool { return h.Rename != nil && h.Put != nil }},
	{"ForeignDelete", creates, foreignDelete, 1, func(h Hand) bool { return h.Delete != nil && h.Put != nil }},
	{"Hidden", writes, hidden, 1, func(h Hand) bool { return h.Hide != nil }},
	{"Failing", writes, failing, 1, func(h Hand) bool { return h.Fail != nil }},
	{"Lost", guards, lost, 3, nil},
	{"Race", guards, race, 3, func(h Hand) bool { return h.Put != nil }},
}

func always(resource.Capabilities) bool    { return true }
func writes(c resource.Capabilities) bool  { return c.Create || c.Update }
func creates(c resource.Capabilities) bool { return c.Create }
func updates(c resource.Capabilities) bool { return c.Update }
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

// have makes the object have its n-th value: it is created, or changed where the platform has exactly one.
func (s *session) have(n int) resource.Resource {
	s.Helper()
	if s.info.Can.Create {
		return s.apply(nil, s.value(n))
	}
	live := s.live(s.o.Key)
	require.NotNil(s, live, "%s can neither be created nor is it there", s.o.Key)
	return s.apply(live, s.value(n))
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
