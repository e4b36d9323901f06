package resource

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// However an index came about, its chunks are those of one built in one go; Differing
// tells what three maps would, and sharing changes nothing but memory.
func TestChunksAgainstMaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		var sides [3]*Snapshot
		var models [3]map[Key]Hash
		for i := range sides {
			sides[i], models[i] = SnapshotOf(Options{}), map[Key]Hash{}
		}
		for range 30 {
			at, es := r.IntN(3), map[Key]Entry{}
			for range r.IntN(200) {
				k := Key{Kind(fmt.Sprint("k", r.IntN(2))), fmt.Sprint("name ", r.IntN(1500))}
				es[k] = Entry{Key: k, Hash: Spec{"v": fmt.Sprint(r.IntN(2))}.Hash()}
				if r.IntN(3) == 0 {
					es[k] = Entry{Key: k}
				}
			}
			for to := at; to < 3 && (to == at || r.IntN(4) > 0); to++ {
				sides[to] = sides[to].WithKnown(slices.Collect(maps.Values(es)))
				for k, e := range es {
					if models[to][k] = e.Hash; e.Hash.IsZero() {
						delete(models[to], k)
					}
				}
			}
			requireChunks(t, sides[at], models[at])
		}
		want := map[Key][3]Hash{}
		for _, m := range models {
			for k := range m {
				if h := [3]Hash{models[0][k], models[1][k], models[2][k]}; h[0] != h[1] || h[1] != h[2] {
					want[k] = h
				}
			}
		}
		require.Equal(t, want, maps.Collect(Differing(sides[0], sides[1], sides[2])), "seed %d", seed)
		shared := sides[1].Sharing(sides[0])
		requireChunks(t, shared, models[1])
		require.Equal(t, want, maps.Collect(Differing(sides[0], shared, sides[2])), "seed %d", seed)
	}
}

func requireChunks(t *testing.T, s *Snapshot, model map[Key]Hash) {
	t.Helper()
	var b Builder
	for k, h := range model {
		b.Known(Entry{Key: k, Hash: h})
	}
	whole, _ := b.Snapshot(Options{})
	require.Equal(t, len(model), s.Len())
	require.Equal(t, slices.Collect(whole.Entries()), slices.Collect(s.Entries()))
	require.Len(t, s.chunks, len(whole.chunks))
	for i := range s.chunks {
		require.Equal(t, whole.chunks[i].sum, s.chunks[i].sum)
	}
	if s.Len() > 0 {
		require.Equal(t, whole.At(s.Len()-1), s.At(s.Len()-1))
	}
}

func TestSharing(t *testing.T) {
	t.Parallel()
	build := func(origin *Origin) *Snapshot {
		var b Builder
		for i := range 1000 {
			b.Known(Entry{Key: Key{"q", fmt.Sprint(i)}, Hash: Spec{"v": "1"}.Hash(), Origin: origin})
		}
		s, _ := b.Snapshot(Options{})
		return s
	}
	a := build(nil)
	b := build(nil).WithKnown([]Entry{{Key: Key{"q", "500"}, Hash: Spec{"v": "2"}.Hash()}})
	same := 0
	shared := b.Sharing(a)
	for i, c := range shared.chunks {
		if c == a.chunks[i] {
			same++
		}
	}
	require.Equal(t, len(a.chunks)-1, same)
	require.Same(t, shared, shared.Sharing(a))
	seen := build(&Origin{ID: "1"})
	require.Same(t, seen, seen.Sharing(a), "origins would be lost")
	require.Same(t, a, a.Sharing(seen))
	plain := seen.Plain(b)
	require.Equal(t, slices.Collect(a.Entries()), slices.Collect(plain.Entries()))
	same = 0
	for i, c := range plain.chunks {
		if c == b.chunks[i] {
			same++
		}
	}
	require.Equal(t, len(a.chunks)-1, same)
	require.Nil(t, (*Snapshot)(nil).Plain(a))
	require.Same(t, a, a.Sharing(nil))
	require.Nil(t, (*Snapshot)(nil).Sharing(a))
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	var rs []Resource
	for i := range 1000 {
		rs = append(rs, res(fmt.Sprint(i), "1"))
	}
	s := SnapshotOf(Options{}, rs...)
	seen, fresh := s.Identities(nil)
	require.Equal(t, slices.Collect(s.Entries()), fresh)
	again, fresh := SnapshotOf(Options{}, rs...).Identities(seen)
	require.Empty(t, fresh)
	require.Equal(t, seen, again)
	rs[7].Origin = &Origin{ID: "other"}
	_, fresh = SnapshotOf(Options{}, rs...).Identities(seen)
	require.True(t, slices.ContainsFunc(fresh, func(e Entry) bool { return e.Origin.ID == "other" }))
	require.Less(t, len(fresh), 1000)
	none, fresh := s.Plain(nil).Identities(seen)
	require.Empty(t, none)
	require.Empty(t, fresh)
}
