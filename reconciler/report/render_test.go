package report_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/driftback/driftback/reconciler/diff"
	"github.com/driftback/driftback/reconciler/merge"
	"github.com/driftback/driftback/reconciler/report"
	"github.com/driftback/driftback/vendors/resource"
)

// A page is what a renderer of GitHub's dialect makes of a text.
type page struct {
	headings, rows, fences, cells, code int
	foreign                             []string // nodes that no text of ours has
	prose                               string   // text outside code
	inCode                              []string // content of code spans
}

// ourHTML is all the HTML that texts of ours have: what folds, and marks that nobody sees.
var ourHTML = regexp.MustCompile(`^(<details>\n<summary>[A-Z0-9][a-z0-9 ]+</summary>\n|</details>\n|<!-- driftback (plan|radar): [0-9a-f]+ -->\n)$`)

func render(t testing.TB, markdown string) page {
	t.Helper()
	source := []byte(markdown)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	var p page
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			p.headings++
		case *extast.TableRow:
			p.rows++
		case *extast.TableCell:
			p.cells++
		case *ast.FencedCodeBlock:
			p.fences++
			return ast.WalkSkipChildren, nil
		case *ast.CodeSpan:
			p.code++
			var b strings.Builder
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if s, ok := c.(*ast.Text); ok {
					b.Write(s.Segment.Value(source))
				}
			}
			p.inCode = append(p.inCode, b.String())
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			p.prose += string(n.Segment.Value(source)) + "\n"
		case *ast.Document, *ast.Paragraph, *ast.List, *ast.ListItem, *ast.TextBlock, *ast.String, *extast.Table, *extast.TableHeader:
		case *ast.HTMLBlock:
			var b strings.Builder
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				b.Write(line.Value(source))
			}
			if block := b.String(); !ourHTML.MatchString(block) {
				p.foreign = append(p.foreign, block)
			}
		case *ast.Emphasis:
			if n.Level != 2 {
				p.foreign = append(p.foreign, "emphasis")
			}
		default:
			p.foreign = append(p.foreign, n.Kind().String())
		}
		return ast.WalkContinue, nil
	})
	require.NoError(t, err)
	return p
}

var hostile = []string{
	"evil`x`", "``evil``", "evil```\n# evil\n```", "~~~\nevil", "<b>evil</b>", "<!-- evil", "[evil](http://evil.example)", "![evil](x)", "https://evil.example/evil",
	"www.evil.example", "@evil", "#1 evil", "fixes #1 evil", "evil | evil", `evil \| evil`, `evil\`, `\\|evil`, "evil\n\nChanged-by: evil", "evil\r\nx", "# evil", "- evil", "> evil", "evil\n---",
	"*evil*", "__evil__", "\u202eevil\u202c", "evil\u2028evil", "\x1b[31mevil", "evil\x00", "evil\xff", "&lt;evil&gt;", "<evil@evil.example>", "[skip ci] evil", " evil ", "`evil", "evil`", "`", "```", "evil|`|`|", "$evil$",
	"👩‍💻 evil", strings.Repeat("evil", 100), strings.Repeat("`", 500) + "evil", "|", "||evil||", "\tevil", "    evil", "1. evil", "+ evil", "evil  \nevil", "```diff\nevil", "</details>evil", "::evil::", "evil\u200bevil",
}

func key(kind, name string) resource.Key {
	return resource.Key{Kind: resource.Kind(kind), Name: name}
}

// hostilePull has the text everywhere where somebody else's text can stand.
func hostilePull(s string) report.Pull {
	spec := resource.Spec{"a": s, s + "k": "v", "list": []any{s, map[string]any{s: s}}, "long": strings.Repeat(s+"\n", 5)}
	return report.Pull{
		Environment: s,
		Objects: []report.Object{
			{Change: resource.Change{After: &resource.Resource{Key: key("queue", s), Spec: spec}}, Who: s, Email: s, AuditID: s, Note: s},
			{
				Change: resource.Change{
					Before: &resource.Resource{Key: key("file", s+"1"), Spec: resource.RawSpec([]byte("```\n~~~~\n" + strings.Repeat("`", 9) + "\nx\n" + s))},
					After:  &resource.Resource{Key: key("file", s), Spec: resource.RawSpec([]byte("```\n~~~~\n" + strings.Repeat("`", 9) + "\n" + s + "\ny"))},
				},
				Conflicts: []merge.Conflict{{Path: diff.Path{diff.Name(s)}, Base: s, Ours: []any{s}, Theirs: map[string]any{s: s}, Reason: s}},
			},
		},
		Others:   []report.Other{{Number: 12, Keys: []resource.Key{key("queue", s), key("file", s)}}},
		Withheld: map[resource.Key]string{key("file", s): s}, Unknown: map[resource.Key]string{key("file", s): s}, Guard: []string{s}, Unread: []resource.Kind{resource.Kind(s)},
	}
}

func TestNothingHostileGetsOutOfCode(t *testing.T) {
	t.Parallel()
	plain := render(t, hostilePull("evil, it is!").Body(0))
	require.NotZero(t, plain.fences*plain.headings*plain.rows*plain.cells)
	for _, s := range hostile {
		p := hostilePull(s)
		body := p.Body(0)
		got := render(t, body)
		require.Empty(t, got.foreign, "%q:\n%s", s, body)
		require.NotContains(t, got.prose, "evil", "%q:\n%s", s, body)
		require.NotContains(t, got.prose, "@")
		require.NotContains(t, strings.Replace(got.prose, "#12: ", "", 1), "#", "but for the other pull request")
		require.Equal(t, [4]int{plain.headings, plain.rows, plain.cells, plain.fences}, [4]int{got.headings, got.rows, got.cells, got.fences}, "%q:\n%s", s, body)
		require.Zero(t, strings.IndexFunc(body, func(r rune) bool {
			return r != '\n' && r != '\t' && (r < ' ' || r >= 0x202a && r <= 0x202e || r == 0x2028 || r == 0x200b)
		})+1, "%q", body)
		requireLine(t, p.Title())
		requireMessage(t, s, p.Objects)
	}
}

// requireLine checks a title or a subject.
func requireLine(t testing.TB, s string) {
	t.Helper()
	for _, bad := range []string{"@", "#", "[", "]", "`", "\n", "\r", "\x1b", "\u202e", "://", "<", ">"} {
		require.NotContains(t, s, bad)
	}
	require.NotRegexp(t, `(?i)(fixes|closes|gh)[ -]\d`, s)
	require.LessOrEqual(t, len(s), 130)
}

func requireMessage(t testing.TB, env string, os []report.Object) {
	t.Helper()
	message := report.CommitMessage(env, os)
	subject, rest, _ := strings.Cut(message, "\n")
	requireLine(t, subject)
	require.LessOrEqual(t, len(subject), 72)
	paragraphs := strings.Split(strings.TrimSuffix(rest, "\n"), "\n\n")
	require.Len(t, paragraphs, 2, "%q", message)
	require.Len(t, strings.Split(strings.TrimPrefix(paragraphs[0], "\n"), "\n"), len(os))
	for l := range strings.SplitSeq(strings.TrimPrefix(paragraphs[0], "\n"), "\n") {
		require.Regexp(t, `^- (added|changed|renamed|deleted) `, l)
		require.NotContains(t, l, "@")
		require.NotContains(t, l, "#")
	}
	for l := range strings.SplitSeq(paragraphs[1], "\n") {
		require.Regexp(t, `^(Changed-by|Changed-at|Changed-with|Audit-id|Driftback-Environment): `, l)
	}
	require.Equal(t, 1, strings.Count(paragraphs[1], "Driftback-Environment:"))
	report.ParseTrailers(message)
}

func FuzzBody(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 60_000)
	}
	plain := render(f, hostilePull("evil, it is!").Body(0))
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if s == "" || strings.Contains(hostilePull(s).Body(0), "left out here") {
			t.Skip()
		}
		p := hostilePull(s)
		requireLine(t, p.Title())
		body := p.Body(0)
		got := render(t, body)
		require.Empty(t, got.foreign, "%s", body)
		require.Equal(t, [3]int{plain.headings, plain.rows, plain.cells}, [3]int{got.headings, got.rows, got.cells}, "%s", body)
		if limit > 0 {
			require.LessOrEqual(t, len(p.Body(limit)), limit)
		}
		requireMessage(t, s, p.Objects)
	})
}

func TestCodeShowsTheName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Support": "Support", "a`b": "a`b", "a``b`": "a``b`", "a|b": "a|b", " a ": " a ", "a\nb": `a\nb`, "Ünïcode 👩‍💻": "Ünïcode 👩‍💻", "\u202eabc": `\u202eabc`, "\xff": `\xff`, "\U000e0041": `\U000e0041`,
	} {
		p := report.Pull{Environment: "prod", Objects: []report.Object{{Change: resource.Change{After: &resource.Resource{Key: key("queue", name), Spec: resource.Spec{}}}}}}
		got := render(t, p.Body(0))
		shown := strings.ReplaceAll(got.inCode[1], `\|`, "|")
		require.Equal(t, "queue/"+want, shown, fmt.Sprintf("%q", name))
	}
}

// However many objects there are, what stands open is little, all the rest is opened by a click, and nothing is lost without a word.
func TestManyObjectsAreFolded(t *testing.T) {
	t.Parallel()
	p := report.Pull{Environment: "prod"}
	for i := range 300 {
		change := resource.Change{After: &resource.Resource{Key: key("queue", fmt.Sprintf("%s %03d", hostile[i%len(hostile)], i)), Spec: resource.Spec{"a": "1"}}}
		p.Objects = append(p.Objects, report.Object{Change: change})
	}
	body := p.Body(0)
	got := render(t, body)
	require.Empty(t, got.foreign)
	rows, fences, folded := map[bool]int{}, map[bool]int{}, false
	for l := range strings.Lines(body) {
		switch {
		case l == "<details>\n", l == "</details>\n":
			folded = l[1] == 'd'
		case strings.HasPrefix(l, "| `"):
			rows[folded]++
		case strings.HasPrefix(l, "```"):
			fences[folded]++
		}
	}
	require.Equal(t, map[bool]int{false: 30, true: 270}, rows)
	require.Contains(t, body, "<summary>270 more objects</summary>")
	require.Zero(t, fences[false])
	require.NotZero(t, fences[true])

	long := report.Object{Change: resource.Change{After: &resource.Resource{Key: key("file", "long"), Spec: resource.RawSpec([]byte(strings.Repeat("```\n</details>\n", 40)))}}}
	p.Objects = []report.Object{long}
	require.Contains(t, p.Body(0), "<details>\n<summary>81 lines</summary>\n\n````diff\n")
	require.Empty(t, render(t, p.Body(0)).foreign)
}

// A drawing has at most 40 objects, whose names mean nothing in it; what is larger is said in a sentence.
func TestGraphIsSmall(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 39, 40, 300} {
		p := report.Preview{Environment: "prod"}
		for i := range n {
			name := fmt.Sprintf("%s %d", hostile[i%len(hostile)], i)
			p.References = append(p.References, [2]resource.Key{key("flow", "Main\"]\nclick n0 \"javascript:evil\""), key("queue", name)})
		}
		body := p.Body(0)
		_, drawn, there := strings.Cut(body, "```mermaid\n")
		if n+1 > 40 {
			require.False(t, there, n)
			require.Contains(t, body, fmt.Sprintf("%d objects hang together here", n+1))
			continue
		}
		drawn, _, _ = strings.Cut(drawn, "```")
		lines := strings.Split(strings.TrimSpace(drawn), "\n")
		require.Equal(t, "graph LR", lines[0])
		require.Len(t, lines, 1+n+1+n)
		for _, l := range lines[1:] {
			require.Regexp(t, `^\s*n\d+(\[{1,2}"[\pL\pN /._·-]*"\]{1,2}| --> n\d+)$`, l)
		}
	}
}

// A table is as wide as its widest cell: on a page, a name of hundreds of characters pushes all else out of sight.
func TestRowsStayNarrow(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 100)
	for line := range strings.Lines(hostilePull(long).Body(0)) {
		if strings.HasPrefix(line, "| `file/") || strings.HasPrefix(line, "| `queue/") {
			require.Less(t, len(strings.Split(line, " | ")[0]), 100, line)
			require.Less(t, len(strings.Split(line, " | ")[2]), 100, line)
		}
	}
}
