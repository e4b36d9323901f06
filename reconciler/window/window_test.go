package window_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/window"
)

func parse(t testing.TB, allow, length, zone string) window.Window {
	t.Helper()
	d, err := time.ParseDuration(length)
	require.NoError(t, err)
	w, err := window.Parse(allow, d, zone)
	require.NoError(t, err)
	return w
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return when
}

func TestAt(t *testing.T) {
	t.Parallel()
	const zurich = "Europe/Zurich"
	for _, x := range []struct {
		name, allow, length, zone string
		at                        string
		open                      bool
		change                    string
	}{
		{"weekday night, before", "0 22 * * 1-5", "6h", zurich, "2026-01-05T20:59:59Z", false, "2026-01-05T21:00:00Z"},
		{"it opens", "0 22 * * 1-5", "6h", zurich, "2026-01-05T21:00:00Z", true, "2026-01-06T03:00:00Z"},
		{"past midnight", "0 22 * * 1-5", "6h", zurich, "2026-01-06T02:59:59Z", true, "2026-01-06T03:00:00Z"},
		{"it closes", "0 22 * * 1-5", "6h", zurich, "2026-01-06T03:00:00Z", false, "2026-01-06T21:00:00Z"},
		{"Friday night into Saturday", "0 22 * * 1-5", "6h", zurich, "2026-01-10T02:00:00Z", true, "2026-01-10T03:00:00Z"},
		{"over the weekend", "0 22 * * 1-5", "6h", zurich, "2026-01-10T12:00:00Z", false, "2026-01-12T21:00:00Z"},
		{"summer", "0 22 * * 1-5", "6h", zurich, "2026-07-06T20:00:00Z", true, "2026-07-07T02:00:00Z"},

		// On 29 March 2026 clocks go from 02:00 to 03:00 at 01:00 UTC; on 25 October from 03:00 to 02:00 at 01:00 UTC.
		{"a minute that is skipped, before", "30 2 * * *", "30m", zurich, "2026-03-29T00:59:59Z", false, "2026-03-29T01:00:00Z"},
		{"a minute that is skipped opens at the skip", "30 2 * * *", "30m", zurich, "2026-03-29T01:00:00Z", true, "2026-03-29T01:30:00Z"},
		{"and closes after its length", "30 2 * * *", "30m", zurich, "2026-03-29T01:30:00Z", false, "2026-03-30T00:30:00Z"},
		{"a minute that comes twice opens the first time", "30 2 * * *", "30m", zurich, "2026-10-25T00:30:00Z", true, "2026-10-25T01:00:00Z"},
		{"and not the second", "30 2 * * *", "30m", zurich, "2026-10-25T01:30:00Z", false, "2026-10-26T01:30:00Z"},
		{"a night in which clocks go forward has its length", "0 22 * * *", "6h", zurich, "2026-03-29T02:59:59Z", true, "2026-03-29T03:00:00Z"},
		{"half an hour of Lord Howe", "15 2 * * *", "1h", "Australia/Lord_Howe", "2026-10-03T15:30:00Z", true, "2026-10-03T16:30:00Z"},

		{"day of the month or of the week", "0 0 1 * 1", "1h", "", "2026-01-01T00:30:00Z", true, "2026-01-01T01:00:00Z"},
		{"the other of the two", "0 0 1 * 1", "1h", "", "2026-01-05T00:30:00Z", true, "2026-01-05T01:00:00Z"},
		{"a leap day", "0 0 29 2 *", "1h", "", "2026-01-01T00:00:00Z", false, "2028-02-29T00:00:00Z"},
		{"across the year", "0 23 31 12 *", "2h", "", "2027-01-01T00:30:00Z", true, "2027-01-01T01:00:00Z"},
		{"windows that overlap", "0 * * * *", "90m", "", "2026-01-01T10:10:00Z", true, "2026-01-01T11:30:00Z"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			open, change := window.Windows{parse(t, x.allow, x.length, x.zone)}.At(at(t, x.at))
			require.Equal(t, x.open, open)
			require.Equal(t, x.change, change.UTC().Format(time.RFC3339))
		})
	}
}

func TestSeveral(t *testing.T) {
	t.Parallel()
	open, change := window.Windows(nil).At(at(t, "2026-01-01T00:00:00Z"))
	require.True(t, open, "without windows it is always open")
	require.True(t, change.IsZero())
	ws := window.Windows{parse(t, "0 8 * * *", "1h", ""), parse(t, "30 8 * * *", "2h", ""), parse(t, "0 20 * * *", "1h", "")}
	open, change = ws.At(at(t, "2026-01-01T08:40:00Z"))
	require.True(t, open)
	require.Equal(t, at(t, "2026-01-01T10:30:00Z"), change.UTC())
	open, change = ws.At(at(t, "2026-01-01T12:00:00Z"))
	require.False(t, open)
	require.Equal(t, at(t, "2026-01-01T20:00:00Z"), change.UTC())
	require.Equal(t, "0 8 * * * for 1h (UTC); 30 8 * * * for 2h (UTC); 0 20 * * * for 1h (UTC)", ws.String())
	require.Equal(t, "5 4 * * 0 for 1h30m (UTC)", window.Windows{parse(t, " 5  4 * * 0", "90m", "")}.String())
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string][3]string{
		"words": {"at night", "1h", ""}, "four fields": {"0 22 * *", "1h", ""}, "seconds": {"0 0 22 * * *", "1h", ""}, "a shorthand": {"@daily", "1h", ""},
		"a zone inside": {"TZ=UTC 0 22 * * *", "1h", ""}, "half a zone": {"TZ=0", "1h", ""}, "out of range": {"60 22 * * *", "1h", ""}, "no such day": {"0 0 30 2 *", "1h", ""},
		"too short": {"0 22 * * *", "59s", ""}, "too long": {"0 22 * * *", "169h", ""}, "no zone": {"0 22 * * *", "1h", "Mars/Olympus"}, "the machine's zone": {"0 22 * * *", "1h", "Local"},
	} {
		d, err := time.ParseDuration(bad[1])
		require.NoError(t, err)
		_, err = window.Parse(bad[0], d, bad[2])
		require.Error(t, err, name)
	}
}

// Whatever the window: what it says of the next change is so, and nothing changes before.
func FuzzAt(f *testing.F) {
	f.Add("30 2 * * *", int64(1774745999), uint16(30), "Europe/Zurich")
	f.Add("*/7 1-3 * 3,10 0", int64(1792890000), uint16(600), "America/New_York")
	f.Fuzz(func(t *testing.T, allow string, sec int64, minutes uint16, zone string) {
		w, err := window.Parse(allow, time.Duration(minutes)*time.Minute, zone)
		if err != nil || sec < 0 || sec > 4e9 {
			return // no window: see the tests of Parse
		}
		ws, now := window.Windows{w}, time.Unix(sec, 0)
		open, change := ws.At(now)
		if change.IsZero() {
			return // beyond the horizon
		}
		require.True(t, change.After(now))
		before, _ := ws.At(change.Add(-time.Second))
		require.Equal(t, open, before)
		if !open {
			then, _ := ws.At(change)
			require.True(t, then)
		}
	})
}
