package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// hostileRevert has the text everywhere where somebody else's text can stand.
func hostileRevert(s string) report.Revert {
	k := key("queue", s)
	c := report.Reverted{ID: strings.Repeat("0a", 20), Subject: s, Author: s, When: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)}
	return report.Revert{
		Environment: s, Deployment: "20260504-090000-abc", Cause: s, By: s, Reason: s, To: c.ID, At: c.When,
		Failed: []resource.Key{k}, With: []resource.Key{k}, NewIDs: map[resource.Key]string{k: s}, Left: []resource.Key{k},
		Commits: []report.Reverted{c, c}, Spared: []report.Reverted{c}, Others: map[string][]resource.Key{s: {k}},
		Keep: map[string][]byte{"environments/" + s: []byte("```\n" + s + "\n"), s: nil}, Objects: hostilePull(s[:min(len(s), 1000)]).Objects,
	}
}

func TestNothingHostileGetsOutOfReverts(t *testing.T) {
	t.Parallel()
	for _, deployment := range []string{"20260504-090000-abc", ""} {
		r := hostileRevert("evil, it is!")
		r.Deployment = deployment
		plain := render(t, r.Body(0))
		require.NotZero(t, plain.fences*plain.headings*plain.rows*plain.cells)
		for _, s := range append(hostile, strings.Repeat("evil ", 1<<20/5)) {
			r := hostileRevert(s)
			r.Deployment = deployment
			body := r.Body(0)
			require.LessOrEqual(t, len(body), report.DefaultLimit)
			got := render(t, body)
			require.Empty(t, got.foreign, "%.300q:\n%.9000s", s, body)
			require.NotContains(t, strings.ReplaceAll(got.prose, "evil, it is!", ""), "@", "%.300q", s)
			require.NotContains(t, got.prose, "#")
			require.Equal(t, [3]int{plain.headings, plain.rows, plain.cells}, [3]int{got.headings, got.rows, got.cells}, "%.300q:\n%.9000s", s, body)
			require.Zero(t, strings.IndexFunc(body, func(r rune) bool {
				return r != '\n' && r != '\t' && (r < ' ' || r >= 0x202a && r <= 0x202e || r == 0x2028 || r == 0x200b)
			})+1, "%.300q", body)
			requireLine(t, r.Title())
			for _, message := range []string{report.RevertMessage(r.Commits[0], s, s), report.KeepMessage(s, s, r.Objects)} {
				subject, rest, _ := strings.Cut(message, "\n")
				require.LessOrEqual(t, len(subject), 72)
				require.NotContains(t, message, "@")
				require.NotContains(t, message, "\x1b")
				require.Equal(t, 1, strings.Count(rest, "\nDriftback-Reverted-For: "), "%.300q", message)
				require.Zero(t, report.ParseTrailers(message), "it is no commit of drift: %.300q", message)
			}
		}
	}
}

func TestRevertTellsWhatItDoes(t *testing.T) {
	t.Parallel()
	r := report.Revert{
		Environment: "prod", Deployment: "20260504-090000-abc", Cause: "update queue/Q: refused by the platform",
		Failed:  []resource.Key{key("queue", "Q")},
		Commits: []report.Reverted{{ID: strings.Repeat("0a", 20), Subject: "Longer hours", Author: "Ann Lee"}},
	}
	require.Equal(t, "revert: Longer hours (failed in prod)", r.Title())
	body := r.Body(0)
	for _, part := range []string{"Deployment `20260504-090000-abc` to `prod` failed and was undone", "refused by the platform", "`queue/Q`", "Longer hours", "Ann Lee", "`driftback resume prod`"} {
		require.Contains(t, body, part)
	}
	r.Commits = nil
	require.Equal(t, "revert: keep prod as it was, after a deployment that failed", r.Title())
	r.Deployment, r.To = "", strings.Repeat("0b", 20)
	require.Equal(t, "rollback: prod to what Git said at 0b0b0b0b0b", r.Title())
	require.Less(t, len(hostileRevert("x").Body(3000)), 3001)
}
