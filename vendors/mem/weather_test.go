package mem_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/mem"
	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/vendortest"
)

// clock is time that passes only by waiting.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	return ctx.Err()
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)} }

// dice are chance from a seed.
func dice(seed uint64) func(int) int {
	r := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
}

const settle = 20 * time.Second

// slow are the default kinds of a platform that takes its time.
func slow() []resource.KindInfo {
	kinds := mem.Kinds()
	for i := range kinds {
		kinds[i].Settle = settle
	}
	return kinds
}

// patient is a driver of an owner who waits: for what settles, and for a listing that is whole.
type patient struct {
	*vendors.Target
	vendors.Watcher
	clock *clock
}

func (d patient) Observe(ctx context.Context, r vendors.Request) (s *resource.Snapshot, err error) {
	_ = d.clock.Sleep(ctx, settle)
	for range 20 {
		s, err = d.Target.Observe(ctx, r)
		if err == nil || s != nil && len(s.Scope().Unknown) > 0 || ctx.Err() != nil {
			break
		}
	}
	return s, err
}

func (d patient) Read(ctx context.Context, keys []resource.Key) (*resource.Snapshot, error) {
	_ = d.clock.Sleep(ctx, settle)
	return d.Target.Read(ctx, keys)
}

// Apply tries again as the next pass would: twice is once.
func (d patient) Apply(ctx context.Context, c resource.Change) (r resource.Resource, err error) {
	for range 20 {
		if r, err = d.Target.Apply(ctx, c); err == nil || ctx.Err() != nil {
			break
		}
		for _, class := range []error{vendors.ErrConflict, vendors.ErrInvalid, vendors.ErrUnsupported} {
			if errors.Is(err, class) {
				return r, err
			}
		}
		_ = d.clock.Sleep(ctx, settle)
	}
	return r, err
}

// The suite passes in bad weather too, once the driver stands behind a Target and what settles is waited for.
func TestDriverInWeather(t *testing.T) {
	for name, w := range map[string]mem.Weather{
		"refusals":     {Busy: 30, Throttled: 30, Broken: 30},
		"lost answers": {Lost: 300},
		"late writes":  {Late: 300, Lateness: settle - time.Second},
		"stale":        {Stale: 500},
		"all": {Busy: 10, Throttled: 10, Broken: 10, Lost: 30, Late: 30, Lateness: settle - time.Second, Stale: 100,
			Partial: 10},
	} {
		for _, versions := range []bool{false, true} {
			if versions && w.Lost+w.Late > 0 {
				continue // racers cannot count what they won when the news of it is lost
			}
			t.Run(name, func(t *testing.T) {
				c := newClock()
				w.Chance = dice(7)
				open := platform(mem.Options{Kinds: slow(), Now: c.Now, Weather: w, IDs: true, Versions: versions, Page: 2})
				vendortest.Run(t, vendortest.Fixture{Objects: objects(), Open: func(t *testing.T) vendortest.Platform {
					p := open(t)
					target := func(d vendors.Driver) vendors.Driver {
						return patient{vendors.NewTarget(d, vendors.TargetOptions{Clock: c, MaxTries: 12, MaxTime: 10000 * time.Hour}), d.(vendors.Watcher), c}
					}
					again := p.Again
					p.Driver, p.Again = target(p.Driver), func() vendors.Driver { return target(again()) }
					return p
				}})
			})
		}
	}
}

// always makes one thing happen each time; the rest of chance is the last possibility.
func always(w mem.Weather) mem.Weather {
	w.Chance = func(n int) int { return n - 1 }
	return w
}

func thing(n int) resource.Spec { return spec(map[string]any{"n": n}) }

func things(o mem.Options) *mem.Platform {
	o.Kinds = []resource.KindInfo{{Kind: "thing", Settle: settle, Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true}}}
	return mem.New(o)
}

func TestLateWriteLandsAfterItsTimeout(t *testing.T) {
	for _, versions := range []bool{true, false} {
		c := newClock()
		p := things(mem.Options{Now: c.Now, Versions: versions})
		k := key("thing/a")
		require.NoError(t, p.Put(k, thing(1), "ann"))
		p.SetWeather(always(mem.Weather{Late: 1000, Lateness: 10 * time.Second}))
		before := resource.Resource{Key: k, Spec: thing(1)}
		_, err := p.Driver().Apply(t.Context(), resource.Change{Before: &before, After: &resource.Resource{Key: k, Spec: thing(2)}})
		require.ErrorContains(t, err, "time-out")
		now, _ := p.Get(k)
		require.Equal(t, thing(1), now)
		require.NoError(t, p.Put(k, thing(3), "ann"))
		_ = c.Sleep(t.Context(), 10*time.Second)
		landed := p.Land()
		require.Len(t, landed, 1)
		now, _ = p.Get(k)
		if versions {
			require.ErrorIs(t, landed[0].Err, vendors.ErrConflict, "a version guards against what came between")
			require.Equal(t, thing(3), now)
		} else {
			require.Equal(t, thing(2), now, "without versions it is overwritten")
		}
		require.Empty(t, p.Land())
	}
}

func TestLostAnswerOfWhatWasDone(t *testing.T) {
	p := things(mem.Options{Weather: always(mem.Weather{Lost: 1000})})
	k := key("thing/a")
	_, err := p.Driver().Apply(t.Context(), resource.Change{After: &resource.Resource{Key: k, Spec: thing(1)}})
	require.ErrorContains(t, err, "reset by peer")
	now, there := p.Get(k)
	require.True(t, there)
	require.Equal(t, thing(1), now)
}

func TestStaleReadingsAreNoOlderThanSettle(t *testing.T) {
	c := newClock()
	p := things(mem.Options{Now: c.Now, Weather: always(mem.Weather{Stale: 1000})})
	k, d := key("thing/a"), p.Driver()
	require.NoError(t, p.Put(k, thing(1), "ann"))
	see := func() (listed, read resource.Spec) {
		l, err := d.Observe(t.Context(), vendors.Request{})
		require.NoError(t, err)
		r, err := d.Read(t.Context(), []resource.Key{k})
		require.NoError(t, err)
		listed, _ = l.Spec(k)
		read, _ = r.Spec(k)
		return listed, read
	}
	listed, read := see()
	require.Nil(t, listed)
	require.Nil(t, read)
	_ = c.Sleep(t.Context(), settle)
	require.NoError(t, p.Put(k, thing(2), "ann"))
	listed, read = see()
	require.Equal(t, thing(1), listed)
	require.Equal(t, thing(1), read)
	_ = c.Sleep(t.Context(), settle)
	listed, read = see()
	require.Equal(t, thing(2), listed)
	require.Equal(t, thing(2), read)
}

// Pages that move while they are read must not make an object vanish.
func TestPagesThatMove(t *testing.T) {
	p := things(mem.Options{Page: 2})
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, n := range names {
		require.NoError(t, p.Put(resource.Key{Kind: "thing", Name: n}, thing(1), "ann"))
	}
	moves := 0
	d := p.DriverWith(mem.DriverOptions{Between: func() {
		if moves++; moves == 1 {
			require.NoError(t, p.Delete(key("thing/a"), "ann"))
		}
	}})
	s, err := d.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	for _, n := range names[1:] {
		require.False(t, s.Hash(resource.Key{Kind: "thing", Name: n}).IsZero(), n)
	}
	require.True(t, s.Hash(key("thing/a")).IsZero())

	n := 0
	d = p.DriverWith(mem.DriverOptions{Between: func() { // they never come to rest
		n++
		require.NoError(t, errors.Join(p.Delete(key("thing/b"), "ann"), p.Put(key("thing/a"), thing(n), "ann")))
		require.NoError(t, p.Put(key("thing/b"), thing(n), "ann"))
		require.NoError(t, p.Delete(key("thing/a"), "ann"))
		if n%2 == 0 {
			require.NoError(t, p.Put(key("thing/a"), thing(n), "ann"))
		}
	}})
	s, err = d.Observe(t.Context(), vendors.Request{})
	require.ErrorContains(t, err, "pages moved")
	require.False(t, s.Covers(key("thing/c")), "a kind that could not be read is out of the scope")
}

func TestListingsThatBreakOffAndThatLie(t *testing.T) {
	p := things(mem.Options{})
	k := key("thing/a")
	require.NoError(t, p.Put(k, thing(1), "ann"))
	d := p.Driver()
	p.SetWeather(always(mem.Weather{Partial: 1000}))
	s, err := d.Observe(t.Context(), vendors.Request{})
	require.Error(t, err)
	require.False(t, s.Covers(k))
	p.SetWeather(always(mem.Weather{Empty: 1000}))
	s, err = d.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.True(t, s.Covers(k))
	require.Zero(t, s.Len(), "a lie that no driver could tell from the truth")
	s, err = d.Read(t.Context(), []resource.Key{k})
	require.NoError(t, err)
	require.Equal(t, 1, s.Len(), "asking by name tells")

	p.SetWeather(mem.Weather{Dark: true})
	s, err = d.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.Zero(t, s.Len())
	s, err = d.Read(t.Context(), []resource.Key{k})
	require.NoError(t, err)
	require.True(t, s.Covers(k))
	require.Zero(t, s.Len(), "an outage in which nothing is there")
	_, err = d.Apply(t.Context(), resource.Change{After: &resource.Resource{Key: k, Spec: thing(2)}})
	require.ErrorContains(t, err, "503")
}

func TestTwinsAreNotToldAbout(t *testing.T) {
	p := things(mem.Options{Shared: true})
	k := key("thing/a")
	require.NoError(t, p.Put(k, thing(1), "ann"))
	p.Twin(k)
	d := p.Driver()
	s, err := d.Observe(t.Context(), vendors.Request{})
	require.ErrorContains(t, err, "2 objects have this name")
	require.False(t, s.Covers(k))
	_, err = d.Apply(t.Context(), resource.Change{Before: &resource.Resource{Key: k, Spec: thing(1)}, After: &resource.Resource{Key: k, Spec: thing(2)}})
	require.ErrorIs(t, err, vendors.ErrConflict)
	require.Equal(t, []resource.Key{k}, p.Twins())
	p.Untwin(k)
	s, err = d.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.Equal(t, 1, s.Len())
}

// A create whose time-out is taken for a failure makes a second object, once the first one lands.
func TestSharedNamesAreCreatedTwice(t *testing.T) {
	c := newClock()
	p := things(mem.Options{Now: c.Now, Shared: true})
	k := key("thing/a")
	create := resource.Change{After: &resource.Resource{Key: k, Spec: thing(1)}}
	p.SetWeather(always(mem.Weather{Late: 1000, Lateness: 10 * time.Second}))
	_, err := p.Driver().Apply(t.Context(), create)
	require.Error(t, err)
	p.SetWeather(mem.Weather{})
	_, err = p.Driver().Apply(t.Context(), create)
	require.NoError(t, err)
	_ = c.Sleep(t.Context(), 10*time.Second)
	p.Land()
	require.Equal(t, []resource.Key{k}, p.Twins())
}

func TestAuditThatLags(t *testing.T) {
	c := newClock()
	p := things(mem.Options{Now: c.Now, Audit: true, AuditLag: time.Minute})
	require.NoError(t, p.Put(key("thing/a"), thing(1), "ann"))
	count := func() (n int) {
		for range p.Driver().(vendors.Auditor).Audit(t.Context(), time.Time{}) {
			n++
		}
		return n
	}
	require.Zero(t, count())
	_ = c.Sleep(t.Context(), time.Minute)
	require.Equal(t, 1, count())
}

func TestDriverThatLooksAtLess(t *testing.T) {
	p := things(mem.Options{})
	for _, n := range []string{"a", "b"} {
		require.NoError(t, p.Put(resource.Key{Kind: "thing", Name: n}, thing(1), "ann"))
	}
	d := p.DriverWith(mem.DriverOptions{Cover: map[resource.Kind]resource.Cover{"thing": {Exclude: []string{"b"}}}})
	s, err := d.Observe(t.Context(), vendors.Request{})
	require.NoError(t, err)
	require.Equal(t, 1, s.Len())
	require.False(t, s.Covers(key("thing/b")))
	s, err = d.Read(t.Context(), []resource.Key{key("thing/b")})
	require.NoError(t, err)
	require.False(t, s.Covers(key("thing/b")))
}
