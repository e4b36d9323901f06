package command_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/command"
	"github.com/driftback/driftback/vendors/resource"
)

var now = time.Date(2026, 5, 4, 20, 30, 15, 99, time.FixedZone("CEST", 7200)) // 18:30:15 UTC

func Example() {
	for _, line := range []string{"/drift accept queue/Support `queue/Front Desk`", "/apply prod at 22:00", "/drfit revert queue/Support", "/lgtm"} {
		c, err := command.Parse(line, now)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(c)
	}
	// Output:
	// /drift accept queue/Support "queue/Front Desk"
	// /apply prod at 2026-05-04T22:00:00Z
	// there is no command /drfit: did you mean /drift revert queue/Support?
	// no command of driftback
}

func key(kind resource.Kind, name string) resource.Key { return resource.Key{Kind: kind, Name: name} }

func utc(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]command.Command{
		"/drift accept":                                      {Verb: command.Accept},
		"  /Drift\tACCEPT  ":                                 {Verb: command.Accept},
		"/drift accept file/rules/a.yml":                     {Verb: command.Accept, Keys: []resource.Key{key("file", "rules/a.yml")}},
		"/drift revert queue/a queue/b":                      {Verb: command.Revert, Keys: []resource.Key{key("queue", "a"), key("queue", "b")}},
		"/drift accept \"queue/a b\"":                        {Verb: command.Accept, Keys: []resource.Key{key("queue", "a b")}},
		"/drift accept `queue/a \"b\"`":                      {Verb: command.Accept, Keys: []resource.Key{key("queue", `a "b"`)}},
		"/drift accept `` queue/a`b ``":                      {Verb: command.Accept, Keys: []resource.Key{key("queue", "a`b")}},
		"/drift ignore until 2026-05-04":                     {Verb: command.Ignore, Until: utc("2026-05-04T23:59:59Z")},
		"/drift ignore queue/a UNTIL 2026-06-01T10:00+02:00": {Verb: command.Ignore, Keys: []resource.Key{key("queue", "a")}, Until: utc("2026-06-01T08:00:00Z")},
		"/drift ignore until 30d":                            {Verb: command.Ignore, Until: utc("2026-06-03T18:30:15Z")},
		"/drift ignore until 2026-06-01 10:00":               {Verb: command.Ignore, Until: utc("2026-06-01T10:00:00Z")},
		"/drift accept `queue/until`":                        {Verb: command.Accept, Keys: []resource.Key{key("queue", "until")}},
		"/plan":                                              {Verb: command.Plan},
		"/plan prod":                                         {Verb: command.Plan, Env: "prod"},
		"/apply":                                             {Verb: command.Apply},
		"/apply at 18:30":                                    {Verb: command.Apply, At: utc("2026-05-05T18:30:00Z")},
		"/apply prod at 18:31":                               {Verb: command.Apply, Env: "prod", At: utc("2026-05-04T18:31:00Z")},
		"/apply at 2h":                                       {Verb: command.Apply, At: utc("2026-05-04T20:30:15Z")},
		"/cancel":                                            {Verb: command.Cancel},
		"/hold":                                              {Verb: command.Hold},
		"/hold  until\x1bthe  fair is over":                  {Verb: command.Hold, Reason: "until the fair is over"},
		"/rollback 1F9120C":                                  {Verb: command.Rollback, Commit: "1f9120c"},
		"/why queue/Support":                                 {Verb: command.Why, Keys: []resource.Key{key("queue", "Support")}},
		"/help":                                              {Verb: command.Help},
	} {
		got, err := command.Parse(line, now)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
}

func TestNotUnderstood(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"/drift":                          "accept, revert or ignore",
		"/drift acept queue/a":            "did you mean /drift accept queue/a?",
		"/drift everything":               "accept, revert or ignore",
		"/accept queue/a":                 "did you mean /drift accept queue/a?",
		"/rvert `queue/a b`":              "",
		"/plna prod":                      "did you mean /plan prod?",
		"/aply":                           "did you mean /apply?",
		"/unlock":                         "did you mean /cancel?",
		"/rolback 1f9120c":                "did you mean /rollback 1f9120c?",
		"/drift accept Support":           "kind/name",
		"/drift accept queue/Front Desk":  "in quotes",
		"/drift accept queue/a until 30d": "only /drift ignore",
		"/drift ignore until":             "is no date",
		"/drift ignore until tomorrow":    "is no date",
		"/drift ignore until 2026-05-03":  "over already",
		"/drift ignore until 2126-05-03":  "ten years",
		"/drift ignore until 0d":          "is no date",
		"/drift accept \"queue/a":         "not closed",
		"/apply at":                       "is no time",
		"/apply at 2026-05-05":            "is no time",
		"/apply at 2026-05-04T18:00Z":     "over already",
		"/apply at 2026-07-04T18:00Z":     "31 days",
		"/apply prod now":                 "did you mean /apply prod?",
		"/plan a/b":                       "no environment",
		"/cancel it":                      "did you mean /cancel?",
		"/rollback":                       "name the commit",
		"/rollback HEAD~1":                "no commit",
		"/why":                            "name one object",
		"/why queue/a queue/b":            "name one object",
		"/why a":                          "kind/name",
		"/plan \xff":                      "UTF-8",
		"/drift accept " + strings.Repeat("q/a ", 201):       "at most 200",
		"/drift accept " + strings.Repeat("q/aaaaaaa", 1000): "longer than",
	} {
		_, err := command.Parse(line, now)
		var e *command.Error
		require.True(t, errors.As(err, &e), "%s: %v", line, err)
		require.ErrorContains(t, err, want, line)
	}
}

// What is meant for other programs is not answered.
func TestForeign(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "hello", "/", "/lgtm", "/approve", "/retest", "/assign @ann", "/etc/passwd", "/usr/bin/plan", "`/plan`", "/" + strings.Repeat("a", 5000), "/close", "/test all", "/kind bug", "//plan",
	} {
		_, err := command.Parse(line, now)
		require.ErrorIs(t, err, command.ErrForeign, line)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/drift accept `queue/a b` until 3d", "/apply prod at 22:00", "/hold \"a `b`\" c", "/rollback 1f9120c", "/why `a/\"`", "/drift  \u2003accept"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := command.Parse(line, now)
		if err != nil {
			var e *command.Error
			require.True(t, errors.Is(err, command.ErrForeign) || errors.As(err, &e))
			require.Less(t, len(err.Error()), 20_000)
			return
		}
		for _, k := range c.Keys {
			if strings.Contains(k.String(), "`") && strings.Contains(k.String(), `"`) {
				return // cannot be written between either
			}
		}
		if strings.Contains(c.Reason, "`") && strings.Contains(c.Reason, `"`) || strings.ContainsAny(c.Env, "`\"") {
			return
		}
		again, err := command.Parse(c.String(), now)
		require.NoError(t, err, c.String())
		require.Equal(t, c, again, c.String())
	})
}
