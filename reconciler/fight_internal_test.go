package reconciler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFightCountsTheLastHour(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	run := func(writes int, every time.Duration) (f fight, now time.Time) {
		now = begin
		for range writes {
			now = now.Add(every)
			f = f.wrote(now)
		}
		return f, now
	}
	for _, c := range []struct {
		writes int
		every  time.Duration
		held   bool
	}{
		{5, time.Minute, false},
		{6, time.Minute, true},
		{6, 10 * time.Second, true},
		{100, time.Hour, false},
		{100, 20 * time.Minute, false},
		{100, 10 * time.Minute, true},
	} {
		f, now := run(c.writes, c.every)
		require.Equal(t, c.held, f.held(now), "%d writes, one every %s: %.2f", c.writes, c.every, f.Count)
	}
	f, now := run(6, time.Minute)
	require.True(t, f.held(f.calm().Add(-time.Second)))
	require.False(t, f.held(f.calm()), "released when calm")
	require.Less(t, f.calm().Sub(now), time.Hour)
	require.Zero(t, fight{}.count(now))
	require.False(t, fight{}.held(now))
	require.InDelta(t, f.Count, f.count(now.Add(-time.Minute)), 0, "a clock that went back")
}
