package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/merge"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

func res(k string, s resource.Spec) *resource.Resource {
	key, err := resource.ParseKey(k)
	if err != nil {
		panic(err)
	}
	return &resource.Resource{Key: key, Spec: s}
}

func raw(s string) resource.Spec { return resource.RawSpec([]byte(s)) }

var noon = time.Date(2026, 1, 2, 13, 4, 5, 0, time.FixedZone("CET", 3600))

// samples are one object of each sort.
func samples() []report.Object {
	return []report.Object{
		{
			Change: resource.Change{
				Before: res("queue/Support", resource.Spec{"timeout": json.Number("20"), "skill": resource.Ref{Key: key("skill", "Billing")}, "greeting": "Hello\nand\nwelcome\n"}),
				After:  res("queue/Support", resource.Spec{"timeout": json.Number("30"), "password": resource.Secret{Name: "DB"}, "greeting": "Hello\nand\ngoodbye\n"}),
			},
			Who: "Ann", Email: "ann@example.com", When: noon, AuditID: "a-1",
		},
		{Change: resource.Change{After: res("queue/New", resource.Spec{"timeout": json.Number("20")})}, Note: "filled in by the platform"},
		{Change: resource.Change{Before: res("file/a.yml", raw("a: 1\n"))}},
		{Change: resource.Change{Before: res("file/b.yml", raw("a: 1\nb: 2\n")), After: res("file/c.yml", raw("a: 1\nb: 3"))}},
		{
			Change: resource.Change{Before: res("file/bin", raw("a\x00")), After: res("file/bin", raw("abc"))},
			Conflicts: []merge.Conflict{
				{Path: diff.Path{diff.Name("x")}, Base: json.Number("1"), Ours: "a|b", Reason: "both changed it"},
				{Base: raw("abc"), Ours: resource.Spec(nil), Theirs: map[string]any{"a": "b"}, Reason: "deleted on one side and changed on the other"},
			},
		},
	}
}

func ExampleText() {
	_ = report.Text(os.Stdout, samples(), report.TextOptions{})
	// Output:
	// ~ queue/Support  (Ann <ann@example.com>, 2026-01-02 12:04 UTC)
	//       greeting: |
	//     @ line 1
	//       Hello
	//       and
	//     - welcome
	//     + goodbye
	//     + password: {$secret: DB}
	//     - skill: {$ref: skill/Billing}
	//     - timeout: 20
	//     + timeout: 30
	// + queue/New  filled in by the platform
	//     + timeout: 20
	// - file/a.yml
	//     @ line 1
	//     - a: 1
	// > file/b.yml → file/c.yml
	//     @ line 1
	//       a: 1
	//     - b: 2
	//     + b: 3
	//     @ no newline at the end
	// ~ file/bin  in conflict
	//   ! conflict: x: both changed it
	//       base  1
	//       Git   "a|b"
	//       live  absent
	//   ! conflict: whole object: deleted on one side and changed on the other
	//       base  3 bytes
	//       Git   absent
	//       live  present
	//     @ binary, 2 bytes → 3 bytes
	// 1 added, 2 changed, 1 renamed, 1 deleted, of which 1 in conflict
}

func ExampleCommitMessage() {
	fmt.Print(report.CommitMessage("prod", samples()[:1]))
	// Output:
	// prod: change queue/Support
	//
	// - changed queue/Support
	//
	// Changed-by: Ann <ann@example.com>
	// Changed-at: 2026-01-02T12:04:05Z
	// Audit-id: a-1
	// Driftback-Environment: prod
}

func ExamplePull_Body() {
	p := report.Pull{Environment: "prod", Objects: samples()[:1]}
	fmt.Println(p.Title())
	fmt.Println(strings.ReplaceAll(p.Body(0), "```", "'''"))
	// Output:
	// drift: queue/Support changed in prod
	// On `prod`, 1 object is no longer what Git says: 1 changed.
	//
	// | object | change | who | when |
	// |---|---|---|---|
	// | `queue/Support` | changed | `Ann <ann@example.com>` | 2026-01-02 12:04 UTC |
	//
	// ## Differences
	//
	// ### `queue/Support`
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
	// ## What to do
	//
	// - **Merge** to accept: Git then says what the platform has. Edit the branch before, if another value shall hold: it is deployed.
	// - **Close** to keep Git as it is and hear no more of these values. A new change asks again.
	// - **Revert** to put the platform back to what Git says: `driftback drift revert prod`.
}

func TestTitles(t *testing.T) {
	t.Parallel()
	all := samples()
	for want, p := range map[string]report.Pull{
		"drift: 5 objects changed in prod, 1 in conflict": {Objects: all},
		"drift: 2 objects changed in prod":                {Objects: all[:2]},
		"drift: queue/New added in prod":                  {Objects: all[1:2]},
		"drift: file/a.yml deleted in prod":               {Objects: all[2:3]},
		"drift: file/c.yml renamed in prod":               {Objects: all[3:4]},
		"drift: file/bin in conflict in prod":             {Objects: all[4:]},
		"drift: 0 objects changed in prod":                {},
		"init: import prod (5 objects)":                   {Init: true, Objects: all},
		"init: import prod (1 object)":                    {Init: true, Objects: all[:1]},
	} {
		p.Environment = "prod"
		require.Equal(t, want, p.Title())
	}
	for name, want := range map[string]string{
		"@admin": "at admin", "ann@example.com": "ann at example.com", "Queue #3": "Queue 3", "fixes #3": "fixes_3", "[skip ci]": "(skip ci)", "GH-3": "GH_3", "a\nb": `a\nb`, "https://x/y": "https:/ /x/y",
	} {
		p := report.Pull{Environment: "prod", Objects: []report.Object{{Change: resource.Change{After: res("queue/"+name, resource.Spec{})}}}}
		require.Contains(t, []string{"drift: queue/" + want + " added in prod", "drift: queue/ " + want + " added in prod", "drift: queue/" + " " + want + " added in prod"}, p.Title())
	}
}

func TestBodyTellsEverything(t *testing.T) {
	t.Parallel()
	p := report.Pull{
		Environment: "prod", Objects: samples(), Omitted: 2, Guard: []string{"deletes: 12, at most 10"},
		Withheld: map[resource.Key]string{key("file", "b"): "looks like a credential", key("file", "a"): "also"}, Unknown: map[resource.Key]string{key("file", "c"): "permission denied"},
	}
	body := p.Body(0)
	for _, want := range []string{
		"5 objects are no longer what Git says: 1 added, 2 changed, 1 renamed, 1 deleted, of which 1 in conflict. 2 more are not in this pull request.",
		"**A draft, because a guard was breached**, until somebody calls it ready.", "- deletes: 12, at most 10\n", "| `file/c.yml` | renamed from `b.yml` | unknown | unknown |", "| `queue/New` | added, filled in by the platform |",
		"| `file/bin` | changed, **conflict** |", "| `x` | `1` | `\"a\\|b\"` | absent | both changed it |", "| whole object | 3 bytes | absent | present | deleted on one side",
		"@@ binary, 2 bytes → 3 bytes @@", "## Kept out of Git\n\n- `file/a`: also\n- `file/b`: looks like a credential\n", "## Not readable\n\n- `file/c`: permission denied\n", "Objects in **conflict** are left alone",
	} {
		require.Contains(t, body, want)
	}
	require.Equal(t, body, p.Body(0), "deterministic")
	p = report.Pull{Environment: "prod", Init: true, Objects: samples()}
	require.Contains(t, p.Body(0), "| `file` | 3 |\n| `queue` | 2 |\n")
	require.Contains(t, p.Body(0), "**Merge** to make this what Git says")
	require.NotContains(t, p.Body(0), "```")
}

func TestBodyIsCutBetweenObjects(t *testing.T) {
	t.Parallel()
	p := report.Pull{Environment: "prod"}
	for i := range 1000 {
		name := fmt.Sprintf("file/%04d", i)
		p.Objects = append(p.Objects, report.Object{Change: resource.Change{Before: res(name, raw("a\nb\n")), After: res(name, raw("a\nc\n"))}})
	}
	for _, limit := range []int{0, 60_000, 10_000, 3000, 1500, 1000, 700, 500, 100, 10, 1} {
		body := p.Body(limit)
		if limit == 0 {
			limit = report.DefaultLimit
		}
		require.LessOrEqual(t, len(body), limit)
		got := render(t, body)
		require.Empty(t, got.foreign)
		require.Equal(t, strings.Count(body, "```diff"), got.fences, "no fence stays open")
		if limit >= 1500 {
			require.Contains(t, body, "What to do")
			require.Contains(t, body, fmt.Sprintf("%d more objects are not listed here", 1000-got.rows), limit)
		}
		if limit >= 3000 {
			require.Positive(t, got.fences)
			require.Contains(t, body, fmt.Sprintf("%d objects are left out here", 1000-got.fences))
		}
	}
	// One enormous object does not hide the small ones after it.
	p.Objects = p.Objects[:2]
	p.Objects[0].Change.After.Spec = raw(strings.Repeat(strings.Repeat("x", 300)+"\n", 1000))
	body := p.Body(30_000)
	require.Contains(t, body, "### `file/0001`")
	require.NotContains(t, body, "### `file/0000`")
	require.Contains(t, body, "1 object is left out here")
	require.Contains(t, p.Body(1<<20), "more lines @@")
}

func TestLimitsOfAnObject(t *testing.T) {
	t.Parallel()
	text := func(before, after resource.Spec) string {
		var b strings.Builder
		require.NoError(t, report.Text(&b, []report.Object{{Change: resource.Change{Before: res("file/x", before), After: res("file/x", after)}}}, report.TextOptions{}))
		return b.String()
	}
	big := strings.Repeat("x\n", 1<<20)
	require.Contains(t, text(raw("a\n"), raw(big)), "@ text, 2 bytes → 2097152 bytes, too large to show")
	require.Contains(t, text(raw("a\n"), raw(strings.Repeat("y", 5000)+"\n")), "…\n")
	require.Less(t, len(text(raw("a\n"), raw(strings.Repeat("yy\n", 5000)))), 3000)
	require.Contains(t, text(raw("a\r\n"), raw("a\n")), `- a\r`)
	require.Contains(t, text(raw("a\n"), raw("\x1b[31m\u202e\n")), `+ \u001b[31m\u202e`)
	require.Contains(t, text(raw("\xff"), raw("a")), "@ binary, 1 bytes → 1 bytes")
	long := strings.Repeat("word ", 30)
	got := text(resource.Spec{}, resource.Spec{
		"list": []any{long, map[string]any{"b": true, "a": long + "x"}}, "map": map[string]any{"k": long + "\ny\n", "n": []any{}, "odd key:": long},
		"words": []any{"true", "12", "", "a b", " a", "a: b", "absent", "a\"b\\", "a\nb"},
	})
	for _, want := range []string{"+ list:\n", "+   - \"" + long + "\"\n", "+   -\n    +     a: " + long + "x\n    +     b: true\n", "+   k: |\n", "+     y\n", "+   n: []\n", "+   \"odd key:\": ", `["true", "12", "", a b, " a", "a: b", "absent", "a\"b\\", "a\nb"]`} {
		require.Contains(t, got, want)
	}
}

func TestBrief(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, report.Text(&b, samples(), report.TextOptions{Brief: true}))
	require.Equal(t, `~ queue/Support  (Ann <ann@example.com>, 2026-01-02 12:04 UTC)
+ queue/New  filled in by the platform
- file/a.yml
> file/b.yml → file/c.yml
~ file/bin  in conflict
1 added, 2 changed, 1 renamed, 1 deleted, of which 1 in conflict
`, b.String())
}

func BenchmarkLargeText(b *testing.B) {
	var before, after strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&before, "line %d of the one\n", i)
		fmt.Fprintf(&after, "row %d of the other\n", i)
	}
	os := []report.Object{{Change: resource.Change{Before: res("file/x", raw(before.String())), After: res("file/x", raw(after.String()))}}}
	for b.Loop() {
		report.Pull{Environment: "prod", Objects: os}.Body(0)
	}
}

func BenchmarkManyObjects(b *testing.B) {
	var os []report.Object
	for range 20_000 {
		os = append(os, samples()[:4]...)
	}
	for b.Loop() {
		report.Pull{Environment: "prod", Objects: os}.Body(0)
	}
}

func TestColor(t *testing.T) {
	t.Parallel()
	var plain, color strings.Builder
	require.NoError(t, report.Text(&plain, samples(), report.TextOptions{}))
	require.NoError(t, report.Text(&color, samples(), report.TextOptions{Color: true}))
	require.NotContains(t, plain.String(), "\x1b")
	require.Contains(t, color.String(), "\x1b[32m    + timeout: 30\x1b[0m\n")
	stripped := color.String()
	for _, c := range []string{"\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[1;31m", "\x1b[36m", "\x1b[0m"} {
		stripped = strings.ReplaceAll(stripped, c, "")
	}
	require.Equal(t, plain.String(), stripped)
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	var j, y strings.Builder
	require.NoError(t, report.JSON(&j, samples()))
	require.NoError(t, report.YAML(&y, samples()))
	var fromJSON, fromYAML any
	require.NoError(t, json.Unmarshal([]byte(j.String()), &fromJSON))
	var m any
	require.NoError(t, yaml.Unmarshal([]byte(y.String()), &m))
	b, err := json.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &fromYAML))
	require.Equal(t, fromJSON, fromYAML, "both say the same")
	for _, want := range []string{
		`"schemaVersion": 1`, `"deleted": 1`, `"key": "queue/Support"`, `"when": "2026-01-02T12:04:05Z"`, `"auditId": "a-1"`, `"$secret": "DB"`, `"from": "file/b.yml"`,
		`"$ref": "skill/Billing"`, `"lines": [`, `"+b: 3"`, `"git": "a|b"`, `"path": "timeout"`, `"before": 20`,
	} {
		require.Contains(t, j.String(), want)
	}
	require.NotContains(t, j.String(), "0001-01-01")
	j.Reset()
	require.NoError(t, report.JSON(&j, nil))
	require.Contains(t, j.String(), `"objects": []`)
	j.Reset()
	require.NoError(t, report.JSON(&j, []report.Object{{Change: resource.Change{After: res("queue/x", resource.Spec{"t": "<b>"})}, Note: "<i>"}}))
	require.Contains(t, j.String(), `"after": "<b>"`)
	require.Contains(t, j.String(), `"note": "<i>"`)
	y.Reset()
	exact := []report.Object{{Change: resource.Change{After: res("queue/x", resource.Spec{"n": json.Number("12345678901234567890.5"), "s": "12", "b": true, "o": "no", "t": "<b>"})}}}
	require.NoError(t, report.YAML(&y, exact))
	for _, want := range []string{"after: 12345678901234567890.5\n", "after: \"12\"\n", "after: true\n", "after: \"no\"\n"} {
		require.Contains(t, y.String(), want)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, report.Markdown(&b, samples()))
	got := render(t, b.String())
	require.Empty(t, got.foreign)
	require.Equal(t, 5, got.fences)
	require.Contains(t, got.prose, "1 added, 2 changed")
	b.Reset()
	require.NoError(t, report.Markdown(&b, nil))
	require.Equal(t, "no difference\n", b.String())
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, report.Text(full{}, samples(), report.TextOptions{}), errFull)
	require.ErrorIs(t, report.JSON(full{}, samples()), errFull)
	require.ErrorIs(t, report.Markdown(full{}, samples()), errFull)
	require.Error(t, report.YAML(full{}, samples()))
	odd := []report.Object{{Change: resource.Change{Before: res("queue/x", resource.Spec{}), After: res("queue/x", resource.Spec{"a": map[string]any{"\xff": true}})}}}
	require.ErrorContains(t, report.JSON(&strings.Builder{}, odd), "valid UTF-8")
	odd = []report.Object{{Change: resource.Change{Before: res("queue/x", resource.Spec{})}, Conflicts: []merge.Conflict{{Base: map[string]any{"\xff": true}}}}}
	require.ErrorContains(t, report.YAML(&strings.Builder{}, odd), "report queue/x: ")
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Driftback-Environment: prod", report.Trailers("prod"))
	o := samples()[0]
	a := report.ParseTrailers(report.CommitMessage("prod", []report.Object{o}))
	require.Equal(t, report.Attribution{Who: "Ann", Email: "ann@example.com", When: noon.UTC(), AuditID: "a-1", Environment: "prod"}, a)
	unknown := report.Object{Change: o.Change}
	require.Contains(t, report.CommitMessage("prod", []report.Object{unknown}), "Changed-by: unknown\nChanged-at: unknown\n")
	require.Equal(t, report.Attribution{Environment: "prod"}, report.ParseTrailers(report.CommitMessage("prod", []report.Object{unknown})))
	for _, c := range []struct{ who, email, trailer string }{
		{"", "ann@example.com", "ann@example.com"}, {"ann@example.com", "", "ann@example.com"}, {"ann@example.com", "ann@example.com", "ann@example.com"}, {"Ann", "not an address", "Ann"},
		{"Ann <x>\nAudit-id: evil", "", "Ann (x)\\nAudit-id: evil"}, {"@admin", "", "at admin"},
	} {
		require.Contains(t, report.Trailers("prod", report.Object{Change: o.Change, Who: c.who, Email: c.email}), "Changed-by: "+c.trailer+"\n")
	}
	who, email := "Ann", "ann@example.com"
	later := report.Object{Change: o.Change, Who: who, Email: email, When: noon.Add(time.Hour), AuditID: "a-2"}
	require.Equal(t, "Changed-by: Ann <ann@example.com>\nChanged-at: 2026-01-02T13:04:05Z\nAudit-id: a-1\nAudit-id: a-2\nDriftback-Environment: prod", report.Trailers("prod", o, later))
	require.Equal(t, "a-1", report.ParseTrailers(report.Trailers("prod", o, later)).AuditID)
	later.Application = "Admin UI\nAudit-id: evil"
	require.Contains(t, report.Trailers("prod", o, later), "Changed-at: 2026-01-02T13:04:05Z\nChanged-with: Admin UI\\nAudit-id: evil\nAudit-id: a-1\n")
	later.Application = "Admin UI"
	require.Equal(t, "Admin UI", report.ParseTrailers(report.Trailers("prod", later, later)).Application)
	require.Contains(t, report.Pull{Environment: "prod", Objects: []report.Object{later}}.Body(0), " with `Admin UI` |")
	for _, other := range []string{"", "no trailers", "Changed-by: Ann\n\nin the middle", "Changed-by Ann"} {
		require.Equal(t, report.Attribution{}, report.ParseTrailers(other))
	}
	require.Equal(t, "Ann", report.ParseTrailers("x\r\n\r\nChanged-by: Ann\r\n").Who)
}

func TestCommitMessageOfMany(t *testing.T) {
	t.Parallel()
	var many []report.Object
	for range 150 {
		many = append(many, samples()...)
	}
	message := report.CommitMessage("a-very-long-name-of-an-environment", many)
	subject, _, _ := strings.Cut(message, "\n")
	require.LessOrEqual(t, len(subject), 72)
	require.Equal(t, "a-very-long-name-of-a…: 750 objects differ", subject)
	require.Contains(t, message, "- and 650 more\n")
	require.Contains(t, message, "- renamed file/b.yml to file/c.yml\n")
	require.Contains(t, report.CommitMessage("prod", samples()[:2]), "prod: 2 objects: 1 added, 1 changed\n")
	require.Contains(t, report.CommitMessage("prod", samples()[3:4]), "prod: rename file/b.yml to file/c.yml\n")
	require.Contains(t, report.CommitMessage("prod", samples()[1:2]), "- added queue/New (filled in by the platform)\n")
}
