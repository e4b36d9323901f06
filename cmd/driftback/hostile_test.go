package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/lmittmann/tint"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// hostileTexts are names and values that would lead a terminal, a log or a table astray.
var hostileTexts = []string{
	"\x1b]0;evil\x07", "\x1b[2Jevil", "\x1b[31mevil", "evil\revil", "evil\nheld everything", "evil\x00", "evil\xff", "\u202eevil", "\u2028evil", "\x9b2Jevil", "evil\x08\x08", "\tevil",
	"| evil |", "```\nevil", "<script>evil</script>", "[evil](http://evil.example)", strings.Repeat("evil", 1<<18),
}

// What people see on a terminal has no control characters of somebody else's, and no line that somebody else began.
func TestNothingHostileReachesATerminal(t *testing.T) {
	t.Parallel()
	lines := -1
	for _, s := range append([]string{"plain"}, hostileTexts...) {
		k := resource.Key{Kind: "queue", Name: s}
		r := reconciler.Report{
			Environment: "prod", Observed: 1, Drifted: 1, Conflicts: 1,
			Held:        []reconciler.Trouble{{Key: k, Kind: "queue", Gate: reconciler.GateFailed, Reason: s}},
			Unknown:     []reconciler.Trouble{{Path: s, Line: 1, Column: 1, Reason: s}},
			Deployments: []reconciler.Deployment{{ID: "20260504", Commit: "0a", Undone: true, Cause: s, NewIDs: map[resource.Key]string{k: s}, Left: []resource.Key{k}}},
			Halt:        &reconciler.Halt{Reason: s},
		}
		events := []reconciler.Event{{When: time.Unix(0, 0), What: reconciler.EventEdited, Who: s, Objects: []resource.Key{k}, Reason: s}}
		back := report.Revert{
			Commits: []report.Reverted{{ID: strings.Repeat("0a", 20), Subject: s}}, Spared: []report.Reverted{{ID: strings.Repeat("0b", 20), Subject: s}},
			Objects: []report.Object{{Change: resource.Change{Before: &resource.Resource{Key: k, Spec: resource.Spec{"a": strings.ReplaceAll(s, "\n", " ")}}, After: &resource.Resource{Key: k, Spec: resource.Spec{"a": "x"}}}}},
		}
		var out bytes.Buffer
		writePass(&out, r)
		c := &cli{stdout: &out, redact: new(redactor)}
		require.NoError(t, c.print(historyResult("prod", events)))
		require.NoError(t, c.printRollback("prod", strings.Repeat("0a", 20), back, true))
		for _, ch := range out.String() {
			require.True(t, ch == '\n' || unicode.IsPrint(ch), "%.100q writes %U", s, ch)
		}
		if lines < 0 {
			lines = strings.Count(out.String(), "\n")
		}
		require.Equal(t, lines, strings.Count(out.String(), "\n"), "%.100q", s)
	}
}

func TestNothingHostileReachesALog(t *testing.T) {
	t.Parallel()
	for _, s := range hostileTexts[:len(hostileTexts)-1] {
		for _, text := range []bool{true, false} {
			var out bytes.Buffer
			var h slog.Handler = slog.NewJSONHandler(&out, nil)
			if text {
				h = tint.NewTextHandler(&out, &tint.Options{NoColor: true})
			}
			log := slog.New(redactHandler{h, new(redactor)})
			log.With("env", s).ErrorContext(context.Background(), "deployment failed", "key", s, "error", errors.New(s), "group", slog.GroupValue(slog.String("cause", s)))
			require.Equal(t, 1, strings.Count(out.String(), "\n"), "%q: %q", s, out.String())
			for _, ch := range out.String() {
				require.True(t, ch == '\n' || !unicode.IsControl(ch) && ch != '\u202e' && ch != '\u2028', "%q: %q", s, out.String())
			}
		}
	}
}
