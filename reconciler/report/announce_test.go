package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// announced are all the texts that pull requests are told, with s wherever somebody else's text can stand.
func announced(s string) map[string]string {
	os := hostilePull(s).Objects
	k := key("queue", s)
	preview := report.Preview{
		Environment: s, Bound: "00ff", Held: []report.Reason{{Why: s, Objects: 2}}, Problems: []report.Place{{Path: s, Line: 1, Column: 2, Why: s}},
		Notes: []string{s}, Incomplete: s, References: [][2]resource.Key{{k, key("user", s)}},
	}
	radar := report.Radar{Environment: s, Bound: "00ff", Proposal: 7}
	for _, o := range os {
		preview.Objects = append(preview.Objects, report.Planned{Object: o, Users: []resource.Key{k, k, k, k}})
		radar.Touched = append(radar.Touched, report.Touched{Object: o, By: k, Merged: []diff.Field{{Path: diff.Path{diff.Name(s)}, Before: s, After: []any{s}}}})
	}
	preview.Objects[0].Instead = s
	refused := preview
	refused.Refused = s
	reasons := []report.Reason{{Why: s, Objects: 1}}
	return map[string]string{
		"plan": preview.Body(0), "no plan": refused.Body(0), "radar": radar.Body(0), "radar cleared": report.Radar{Environment: s, Bound: "00ff"}.Body(0),
		"deployed": report.Result{Environment: s, Commit: s, Deployment: s, Objects: 2}.Body(),
		"failed":   report.Result{Environment: s, Deployment: s, Failed: s, Revert: 3, Names: []resource.Key{k}}.Body(),
		"waiting":  report.Result{Environment: s, Held: reasons, Names: []resource.Key{k}, Plan: s}.Body(),
		"replaced": report.Result{Environment: s, Replaced: true}.Body(),
		"nothing":  report.Result{Environment: s}.Body(),
		"help":     report.HelpText(), "what": report.NotUnderstood(s, s),
		"answer": report.Answer{Text: "Done.", Done: []resource.Key{k}, Not: map[resource.Key]string{k: s}}.Body(),
		"why":    report.Story{Environment: s, Key: k, State: "Both agree.", Live: []report.Event{{Who: s, Commit: s, Subject: s, AuditID: s}}}.Body(),
		"values": report.Value(s) + " " + report.Listed([]resource.Key{k, k, k, k, k, k, k}),
	}
}

func TestNothingHostileGetsOutOfWhatIsAnnounced(t *testing.T) {
	t.Parallel()
	plain := map[string]page{}
	for name, text := range announced("evil, it is!") {
		plain[name] = render(t, text)
	}
	for _, s := range hostile {
		for name, text := range announced(s) {
			got := render(t, text)
			want := plain[name]
			require.Empty(t, got.foreign, "%s of %q:\n%s", name, s, text)
			require.NotContains(t, got.prose, "evil", "%s of %q:\n%s", name, s, text)
			require.NotContains(t, got.prose, "@")
			require.Equal(t, [4]int{want.headings, want.rows, want.cells, want.fences}, [4]int{got.headings, got.rows, got.cells, got.fences}, "%s of %q:\n%s", name, s, text)
			require.Zero(t, strings.IndexFunc(text, func(r rune) bool {
				return r != '\n' && r != '\t' && (r < ' ' || r >= 0x202a && r <= 0x202e || r == 0x2028 || r == 0x200b)
			})+1, "%s of %q", name, text)
			require.LessOrEqual(t, len(text), 60_000)
		}
		requirePlain(t, report.Preview{Refused: s}.Title())
		requirePlain(t, report.Preview{Incomplete: s}.Title())
	}
}

// requirePlain checks a status' text, which forges show as it is.
func requirePlain(t *testing.T, s string) {
	t.Helper()
	require.NotContains(t, s, "\n")
	require.NotContains(t, s, "`")
	require.NotContains(t, s, "\x1b")
	require.NotContains(t, s, "\u202e")
}

func ExamplePreview_Body() {
	all := samples()
	p := report.Preview{
		Environment: "prod", Bound: "c0ffee",
		Objects: []report.Planned{
			{Object: report.Object{Change: all[0].Change}, Users: []resource.Key{key("user", "a"), key("user", "b"), key("user", "c"), key("user", "d")}},
			{Object: report.Object{Change: all[2].Change}, Instead: "is so already"},
		},
		Held:       []report.Reason{{Why: "the mode is observe", Objects: 1}},
		References: [][2]resource.Key{{key("user", "a"), key("queue", "Support")}},
	}
	fmt.Println(p.State()+":", p.Title())
	fmt.Print(strings.ReplaceAll(p.Body(0), "```", "'''"))
	// Output:
	// success: would deploy: 1 changed, 1 held
	// ### Plan for `prod`
	//
	// Merging this would deploy 1 object: 1 changed.
	//
	// #### Would not be deployed yet
	//
	// - 1 object: the mode is observe
	//
	// | object | would be | used by |
	// |---|---|---|
	// | `queue/Support` | changed | `user/a`, `user/b`, `user/c` and 1 more |
	// | `file/a.yml` | is so already |  |
	//
	// <details>
	// <summary>Differences</summary>
	//
	// ##### `queue/Support`
	//
	// '''diff
	//   greeting: |
	// @@ line 1 @@
	//   Hello
	//   and
	// - welcome
	// + goodbye
	// + password: {$secret: DB}
	// - skill: {$ref: skill/Billing}
	// - timeout: 20
	// + timeout: 30
	// '''
	//
	// ##### `file/a.yml`
	//
	// '''diff
	// @@ line 1 @@
	// - a: 1
	// '''
	//
	// </details>
	//
	// <details>
	// <summary>What hangs together</summary>
	//
	// '''mermaid
	// graph LR
	//   n0["user/a"]
	//   n1[["queue/Support"]]
	//   n0 --> n1
	// '''
	//
	// </details>
	//
	// <!-- driftback plan: c0ffee -->
}

func TestPreviewStates(t *testing.T) {
	t.Parallel()
	one := []report.Planned{{Object: report.Object{Change: samples()[0].Change}}}
	conflict := []report.Planned{{Object: samples()[4], Instead: "left alone"}}
	for want, p := range map[string]report.Preview{
		"success: nothing to deploy":                          {},
		"success: would deploy: 1 changed":                    {Objects: one},
		"pending: plan is not complete: queue cannot be read": {Incomplete: "queue cannot be read"},
		"failure: 2 errors in files":                          {Problems: make([]report.Place, 2), Incomplete: "x"},
		"failure: no plan: it does not merge":                 {Refused: "it does not merge"},
		"failure: nothing to deploy, 1 conflict":              {Objects: conflict},
		"success: would deploy: 1 changed, 3 held":            {Objects: one, Held: []report.Reason{{Objects: 2}, {Objects: 1}}},
	} {
		require.Equal(t, want, p.State()+": "+p.Title())
	}
}

func TestAnnouncedIsCutBetweenObjects(t *testing.T) {
	t.Parallel()
	p, r := report.Preview{Environment: "prod", Bound: "1f"}, report.Radar{Environment: "prod", Bound: "1f"}
	for i := range 1000 {
		name := fmt.Sprintf("file/%04d", i)
		o := report.Object{Change: resource.Change{Before: res(name, raw("a\nb\n")), After: res(name, raw("a\nc\n"))}}
		p.Objects = append(p.Objects, report.Planned{Object: o})
		r.Touched = append(r.Touched, report.Touched{Object: o, By: o.Key()})
	}
	for _, limit := range []int{0, 60_000, 10_000, 3000, 1000, 300, 10} {
		for _, body := range []string{p.Body(limit), r.Body(limit)} {
			if limit == 0 {
				limit = report.DefaultLimit
			}
			require.LessOrEqual(t, len(body), limit)
			got := render(t, body)
			require.Empty(t, got.foreign)
			require.Equal(t, strings.Count(body, "```diff"), got.fences, "no fence stays open")
			require.Equal(t, strings.Count(body, "<details>"), strings.Count(body, "</details>"))
			if limit >= 3000 {
				require.Equal(t, got.rows < 1000, strings.Contains(body, "more objects are not listed here"))
				require.True(t, strings.Contains(body, "are left out here"))
				require.True(t, strings.HasSuffix(body, ": 1f -->\n"))
			}
		}
	}
}

func TestGraphOfManyIsNotDrawn(t *testing.T) {
	t.Parallel()
	p := report.Preview{Environment: "prod"}
	for i := range 20 {
		p.References = append(p.References, [2]resource.Key{key("user", fmt.Sprint(i)), key("queue", fmt.Sprint(i))})
	}
	require.Contains(t, p.Body(0), "```mermaid\ngraph LR\n")
	p.References = append(p.References, [2]resource.Key{key("user", "one more"), key("queue", "0")})
	require.NotContains(t, p.Body(0), "mermaid")
	require.Contains(t, p.Body(0), "41 objects hang together here")
}
