package plan

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func some(updates, deletes int) []resource.Change {
	var out []resource.Change
	for i := range updates {
		out = append(out, change(fmt.Sprintf("queue/u%d n=1 > queue/u%d n=2", i, i)))
	}
	for i := range deletes {
		out = append(out, change(fmt.Sprintf("queue/d%d > -", i)))
	}
	return out
}

func TestCheck(t *testing.T) {
	t.Parallel()
	off := Limits{Deletes: -1, Share: -1}
	tests := []struct {
		limits           Limits
		updates, deletes int
		total            int
		want             []string
	}{
		{DefaultLimits, 0, 0, 0, nil},
		{DefaultLimits, 0, 10, 1000, nil},
		{DefaultLimits, 0, 11, 1000, []string{"11 objects would be deleted; the guard allows 10."}},
		{DefaultLimits, 10, 0, 10, nil},
		{DefaultLimits, 11, 0, 55, nil},
		{DefaultLimits, 11, 0, 54, []string{"11 objects would change, and that is 20.4% of 54; the guard allows 20%."}},
		{DefaultLimits, 11, 0, 0, []string{"11 objects would change, and there are none yet; the guard allows 20%."}},
		{DefaultLimits, 5, 12, 20, []string{"12 objects would be deleted; the guard allows 10.", "17 objects would change, and that is 85% of 20; the guard allows 20%."}},
		{Limits{Deletes: 100, Share: 0.29}, 29, 0, 100, nil},
		{Limits{Deletes: 100, Share: 0.29}, 30, 0, 100, []string{"30 objects would change, and that is 30% of 100; the guard allows 29%."}},
		{Limits{}, 0, 1, 9, []string{"1 object would be deleted; the guard allows 0.", "1 object would change, and that is 11.1% of 9; the guard allows 0%."}},
		{off, 100, 100, 10, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, b := range tt.limits.Check(some(tt.updates, tt.deletes), tt.total) {
			got = append(got, b.String())
		}
		require.Equal(t, tt.want, got, "%+v", tt)
	}
	b, err := json.Marshal(DefaultLimits.Check(some(0, 11), 100))
	require.NoError(t, err)
	require.JSONEq(t, `[{"limit":"deletes","count":11,"total":100,"allowed":{"deletes":10,"share":0.2,"minShare":10}}]`, string(b))
}

func TestRenamesAreNoDeletions(t *testing.T) {
	t.Parallel()
	var changes []resource.Change
	for i := range 11 {
		changes = append(changes, change(fmt.Sprintf("queue/a%d > queue/b%d", i, i)))
	}
	require.Empty(t, DefaultLimits.Check(changes, 100))
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		deletes, changes string
		want             Limits
	}{
		{"", "", DefaultLimits},
		{"0", "0%", Limits{0, 0, 10}},
		{"25", "12.5%", Limits{25, 0.125, 10}},
		{"off", "off", Limits{-1, -1, 10}},
		{"", "100%", Limits{10, 1, 10}},
	} {
		got, err := ParseLimits(tt.deletes, tt.changes)
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
	}
	for _, bad := range []string{"-1", "1.5", "ten", "10%"} {
		_, err := ParseLimits(bad, "")
		require.EqualError(t, err, fmt.Sprintf(`guard deletes %q: want a number such as 10, or "off"`, bad))
	}
	for _, bad := range []string{"20", "%", "-1%", "101%", "NaN%", "0.2", "20 %"} {
		_, err := ParseLimits("", bad)
		require.EqualError(t, err, fmt.Sprintf(`guard changes %q: want a percentage such as 20%%, or "off"`, bad))
	}
}
