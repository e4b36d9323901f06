package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/driftback/driftback"

// A row says what a package may import of ours. Rows stand in the order of the
// layers: a row names only rows below it, so that there is no cycle.
type row struct {
	pkg   string
	may   string   // space-separated patterns of path.Match
	tests string   // what its tests may import besides
	never []string // prefixes of import paths that neither may appear
}

// pure is what a function of snapshots has no use for: time is an argument.
var pure = []string{"context", "os", "net", "log", "math/rand", "syscall", "unsafe", "embed", "io/fs", "testing"}

const (
	goGit    = "github.com/go-git"
	promPath = "github.com/prometheus"
)

// rows is the dependency table of the architecture. Everything that is not in
// it is refused, also a package that has no row.
var rows = []row{
	{pkg: "cmd/driftback", may: "reconciler reconciler/* gitstore gitstore/forge gitstore/forge/* metrics vendors vendors/all vendors/resource vendors/genesyscloud/simulator vendors/genesyscloud/simulator/demo", tests: "gitstore/forge/github/githubtest", never: []string{goGit}},
	{pkg: "reconciler/simulation/loop", may: "reconciler reconciler/* gitstore gitstore/forge gitstore/forge/local vendors vendors/mem vendors/resource"},
	{pkg: "reconciler/simulation", may: "reconciler reconciler/* gitstore gitstore/forge gitstore/forge/local vendors vendors/mem vendors/resource"},
	{pkg: "reconciler", may: "reconciler/report reconciler/plan reconciler/merge reconciler/files reconciler/diff reconciler/credential reconciler/rules reconciler/command reconciler/window gitstore gitstore/forge metrics vendors vendors/resource",
		tests: "vendors/mem gitstore/forge/local gitstore/forge/forgetest", never: []string{"net/http", goGit, promPath}},
	{pkg: "reconciler/report", may: "reconciler/plan reconciler/merge reconciler/files reconciler/diff vendors/resource", never: pure},
	{pkg: "reconciler/plan", may: "reconciler/diff vendors/resource", never: pure},
	{pkg: "reconciler/merge", may: "reconciler/diff gitstore/diff3 vendors/resource", never: pure},
	{pkg: "reconciler/files", may: "reconciler/diff vendors/resource", never: pure},
	{pkg: "reconciler/diff", may: "vendors/resource", never: pure},
	{pkg: "reconciler/credential", may: "vendors/resource", never: pure},
	{pkg: "reconciler/rules", may: "vendors/resource", never: pure},
	{pkg: "reconciler/command", may: "vendors/resource", never: pure},
	{pkg: "reconciler/window", never: pure},
	{pkg: "metrics"},
	{pkg: "gitstore/forge/github", may: "gitstore/forge", tests: "gitstore/forge/forgetest gitstore/forge/github/githubtest", never: []string{goGit, promPath}},
	{pkg: "gitstore/forge/github/githubtest", tests: "gitstore/forge/forgetest", never: []string{goGit}},
	{pkg: "gitstore/forge/local", may: "gitstore gitstore/forge", tests: "gitstore/forge/forgetest", never: []string{goGit}},
	{pkg: "gitstore/forge/forgetest", may: "gitstore/forge", never: []string{goGit}},
	{pkg: "gitstore/forge", never: []string{goGit}},
	{pkg: "gitstore", may: "gitstore/diff3", never: []string{promPath}},
	{pkg: "gitstore/diff3", never: pure},
	{pkg: "vendors/all", may: "vendors vendors/*", never: []string{goGit, promPath}},
	{pkg: "vendors/mem", may: "vendors vendors/resource", tests: "vendors/vendortest", never: []string{goGit, promPath}},
	{pkg: "vendors/directory", may: "vendors vendors/resource", tests: "vendors/vendortest", never: []string{goGit, promPath}},
	{pkg: "vendors/genesyscloud", may: "vendors vendors/rest vendors/resource", tests: "vendors/vendortest vendors/genesyscloud/simulator vendors/genesyscloud/simulator/contracttest", never: []string{goGit, promPath}},
	{pkg: "vendors/rest", may: "vendors vendors/resource", tests: "vendors/vendortest", never: []string{goGit, promPath}},
	{pkg: "vendors/genesyscloud/simulator/demo", may: "vendors/genesyscloud/simulator", never: []string{goGit, promPath}},
	{pkg: "vendors/genesyscloud/simulator/contracttest", never: []string{goGit, promPath}},
	{pkg: "vendors/genesyscloud/simulator", tests: "vendors/genesyscloud/simulator/contracttest", never: []string{goGit, promPath}},
	{pkg: "vendors/vendortest", may: "vendors vendors/resource", never: []string{goGit, promPath}},
	{pkg: "vendors", may: "vendors/resource", never: []string{goGit, promPath}},
	{pkg: "vendors/resource", never: []string{"context", "os", "net", "log", "math/rand", "github.com", "golang.org", "gopkg.in", "go.yaml.in", "go.uber.org"}},
}

// A source is one file's imports.
type source struct {
	name    string // slash-separated, relative to the module
	imports []string
}

// violations returns every import that the table does not permit.
func violations(rows []row, files []source) []string {
	byPkg := map[string]row{}
	for _, r := range rows {
		byPkg[r.pkg] = r
	}
	var out []string
	for _, f := range files {
		pkg := path.Dir(f.name)
		r, ok := byPkg[pkg]
		if !ok {
			out = append(out, f.name+": package has no row in the table")
			continue
		}
		test := strings.HasSuffix(f.name, "_test.go")
		for _, imp := range f.imports {
			ours, ok := strings.CutPrefix(imp, module+"/")
			switch {
			case !ok && !test && within(imp, r.never):
				out = append(out, fmt.Sprintf("%s: imports %s, which %s must not know", f.name, imp, pkg))
			case !ok || ours == pkg:
			case matches(ours, r.may):
			case test && (matches(ours, r.tests) || within(ours, []string{pkg})):
			default:
				out = append(out, fmt.Sprintf("%s: no arrow from %s to %s", f.name, pkg, ours))
			}
		}
	}
	return out
}

func within(imp string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return imp == p || strings.HasPrefix(imp, p+"/") })
}

func matches(pkg, patterns string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(p string) bool {
		ok, err := path.Match(p, pkg)
		return ok && err == nil
	})
}

// parse reads the imports of one file; src may be nil to read it from disk.
func parse(t *testing.T, name, file string, src any) source {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
	require.NoError(t, err)
	s := source{name: name}
	for _, i := range f.Imports {
		imp, err := strconv.Unquote(i.Path.Value)
		require.NoError(t, err)
		s.imports = append(s.imports, imp)
	}
	return s
}

// TestDependencies parses the sources itself: a test that asks go list is served
// from the test cache and misses changes.
func TestDependencies(t *testing.T) {
	t.Parallel()
	const root = "../.."
	var files []source
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin"):
			return fs.SkipDir
		case strings.HasSuffix(name, ".go"):
			files = append(files, parse(t, name, root+"/"+name, nil))
		}
		return nil
	}))
	require.Greater(t, len(files), 20, "the sources were not found")
	require.Empty(t, violations(rows, files))
}

func TestTablePointsDown(t *testing.T) {
	t.Parallel()
	for i, r := range rows {
		for _, above := range rows[:i] {
			require.False(t, matches(above.pkg, r.may), "the row of %s names %s, which stands above it", r.pkg, above.pkg)
		}
	}
}

func TestForbiddenArrowsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, src, want string }{
		{"gitstore/x.go", `package gitstore; import _ "` + module + `/vendors/resource"`, "no arrow from gitstore to vendors/resource"},
		{"vendors/resource/x.go", `package resource; import _ "` + module + `/vendors"`, "no arrow from vendors/resource to vendors"},
		{"reconciler/plan/x.go", `package plan; import _ "os"`, "imports os, which reconciler/plan must not know"},
		{"reconciler/plan/x.go", `package plan; import _ "net/http"`, "imports net/http, which"},
		{"reconciler/files/x.go", `package files; import _ "log/slog"`, "imports log/slog, which"},
		{"reconciler/diff/x.go", `package diff; import _ "context"`, "imports context, which"},
		{"reconciler/merge/x.go", `package merge; import _ "math/rand/v2"`, "imports math/rand/v2, which"},
		{"reconciler/x.go", `package reconciler; import _ "github.com/go-git/go-git/v5"`, "imports github.com/go-git/go-git/v5, which"},
		{"reconciler/x.go", `package reconciler; import _ "` + module + `/vendors/mem"`, "no arrow from reconciler to vendors/mem"},
		{"vendors/directory/x.go", `package directory; import _ "` + module + `/vendors/mem"`, "no arrow from vendors/directory to vendors/mem"},
		{"util/x.go", `package util`, "package has no row"},
	} {
		found := violations(rows, []source{parse(t, c.name, c.name, c.src)})
		require.Len(t, found, 1, c.src)
		require.Contains(t, found[0], c.want)
	}
	// What tests may import, the code may not, and the other way round nothing changes.
	require.Empty(t, violations(rows, []source{parse(t, "reconciler/x_test.go", "x_test.go", `package reconciler; import (_ "os"; _ "`+module+`/vendors/mem")`)}))
}
