package resource

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func res(name string, v any) Resource {
	return Resource{Key: Key{"q", name}, Spec: Spec{"v": v}, Origin: &Origin{ID: "id-" + name}}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := SnapshotOf(Options{Scope: Scope{Kinds: map[Kind]Cover{"q": {}}}, Tenant: "acme"}, res("b", "2"), res("a", "1"))
	require.Equal(t, 2, s.Len())
	require.Equal(t, "acme", s.Tenant())
	var names []string
	for e := range s.Entries() {
		names = append(names, e.Key.Name)
	}
	require.Equal(t, []string{"a", "b"}, names)
	for range s.Entries() {
		break // may stop early
	}
	require.Equal(t, Key{"q", "b"}, s.At(1).Key)
	r, err := s.Resource(Key{"q", "a"})
	require.NoError(t, err)
	want := res("a", "1")
	require.Equal(t, &want, r)
	r, err = s.Resource(Key{"q", "none"})
	require.NoError(t, err)
	require.Nil(t, r)
	require.Equal(t, Spec{"v": "1"}.Hash(), s.Hash(Key{"q", "a"}))
	require.True(t, s.Hash(Key{"q", "none"}).IsZero())
	require.True(t, s.Covers(Key{"q", "none"}))
	require.False(t, s.Covers(Key{"x", "none"}))
	require.Panics(t, func() { SnapshotOf(Options{}, res("a", "1"), res("a", "2")) })
}

func TestNilSnapshotHasSeenNothing(t *testing.T) {
	t.Parallel()
	var s *Snapshot
	require.Zero(t, s.Len())
	require.Zero(t, s.Scope())
	require.Empty(t, s.Tenant())
	require.False(t, s.Covers(Key{"q", "a"}))
	for range s.Entries() {
		require.Fail(t, "an entry")
	}
	_, ok := s.Entry(Key{"q", "a"})
	require.False(t, ok)
	spec, err := s.Spec(Key{"q", "a"})
	require.NoError(t, err)
	require.Nil(t, spec)
	r := res("a", "1")
	require.Equal(t, 1, s.With(Overlay{r.Key: &r}).Len())
	require.Equal(t, "acme", s.WithOptions(Options{Tenant: "acme"}).Tenant())
	require.Nil(t, s.With(nil))
	require.Nil(t, s.WithKnown(nil))
}

func TestBodiesOnDemand(t *testing.T) {
	t.Parallel()
	var b Builder
	b.Known(Entry{Key: Key{"q", "a"}, Hash: Spec{"v": "1"}.Hash()})
	b.Known(Entry{Key: Key{"q", "twice"}})
	b.Add(res("twice", "x"))
	s, twice := b.Snapshot(Options{})
	require.Equal(t, []Key{{"q", "twice"}}, twice)
	require.Equal(t, 1, s.Len())
	_, err := s.Spec(Key{"q", "a"})
	require.ErrorIs(t, err, ErrNoBody)
	_, err = s.Resource(Key{"q", "a"})
	require.EqualError(t, err, "q/a: body not available")

	broken := errors.New("broken")
	s = s.WithOptions(Options{Scope: Scope{Kinds: map[Kind]Cover{}}, Load: func(e Entry) (Spec, error) {
		if e.Hash.IsZero() {
			return nil, broken
		}
		return Spec{"v": "1"}, nil
	}})
	spec, err := s.Spec(Key{"q", "a"})
	require.NoError(t, err)
	require.Equal(t, Spec{"v": "1"}, spec)
	require.NotNil(t, s.Scope().Kinds)
}

// With and WithKnown do what a map would, leave the original alone and keep order.
func TestWithAgainstMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		model := map[Key]Spec{}
		known := map[Key]bool{} // by hash alone
		s := SnapshotOf(Options{Tenant: "t", Scope: Scope{Kinds: map[Kind]Cover{"q": {}}}})
		for range 8 {
			before := slices.Collect(s.Entries())
			o := Overlay{}
			var es []Entry
			byHash := r.IntN(2) == 0
			for range r.IntN(5) {
				k := Key{"q", fmt.Sprint(r.IntN(10))}
				if r.IntN(3) == 0 {
					o[k] = nil
				} else {
					o[k] = &Resource{Key: k, Spec: Spec{"v": fmt.Sprint(r.IntN(5))}, Origin: &Origin{ID: fmt.Sprint(r.IntN(5))}}
				}
			}
			for k, v := range o {
				e := Entry{Key: k}
				if delete(model, k); v != nil {
					model[k] = v.Spec
					e.Hash, e.Origin = v.Spec.Hash(), v.Origin
				}
				known[k] = byHash
				es = append(es, e)
			}
			next := s.With(o)
			if byHash {
				next = s.WithKnown(es)
			}
			require.Equal(t, before, slices.Collect(s.Entries()), "seed %d: the original changed", seed)
			s = next
			require.Equal(t, "t", s.Tenant())
			require.True(t, s.Covers(Key{"q", "x"}))
			keys := slices.SortedFunc(maps.Keys(model), Key.Compare)
			var got []Key
			for e := range s.Entries() {
				got = append(got, e.Key)
				require.Equal(t, model[e.Key].Hash(), e.Hash, "seed %d", seed)
				require.NotNil(t, e.Origin)
				spec, err := s.Spec(e.Key)
				if known[e.Key] {
					require.ErrorIs(t, err, ErrNoBody)
				} else {
					require.Equal(t, model[e.Key], spec)
				}
			}
			require.Equal(t, keys, got, "seed %d", seed)
		}
	}
}
