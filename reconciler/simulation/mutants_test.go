package simulation

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMutantsApply: every mutant (see .ci/mutants) still breaks the program that there is, and each promise and each
// rule of base is broken by one.
func TestMutantsApply(t *testing.T) {
	const root = "../.."
	paths, err := filepath.Glob("mutants/*.patch")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), 25)
	var broken []string
	for _, p := range paths {
		b, err := os.ReadFile(p)
		require.NoError(t, err)
		m := parseMutant(t, string(b))
		broken = append(broken, m.breaks)
		require.NotEmpty(t, m.files, p)
		for name, hunks := range m.files {
			src, err := os.ReadFile(filepath.Join(root, name))
			require.NoError(t, err, p)
			rest := string(src)
			for _, h := range hunks {
				require.Equal(t, 1, strings.Count(string(src), h.old), "%s: %s has not this exactly once:\n%s", p, name, h.old)
				require.NotEqual(t, h.old, h.now, p)
				_, after, found := strings.Cut(rest, h.old)
				require.True(t, found, "%s: %s: out of order", p, name)
				rest = after
			}
		}
		for _, c := range m.caughtBy {
			requireTest(t, filepath.Join(root, c[0]), c[1])
		}
	}
	for _, what := range []string{
		"promise 1", "promise 2", "promise 3", "promise 4", "promise 5", "promise 6", "promise 7", "promise 8", "promise 9",
		"base rule 1", "base rule 2", "base rule 3", "base rule 4", "base rule 5",
	} {
		require.Contains(t, broken, what)
	}
}

// A mutant is a patch with what it breaks, and the tests that catch it where the simulation does not reach it.
type mutant struct {
	breaks   string
	caughtBy [][2]string // package, test
	files    map[string][]hunk
}

// hunk replaces some lines by others.
type hunk struct{ old, now string }

func parseMutant(t *testing.T, patch string) mutant {
	t.Helper()
	m := mutant{files: map[string][]hunk{}}
	name := ""
	for line := range strings.Lines(patch) {
		hunks := m.files[name]
		switch text := line[1:]; {
		case strings.HasPrefix(line, "# breaks: "):
			m.breaks = strings.TrimSpace(line[len("# breaks: "):])
		case strings.HasPrefix(line, "# caught-by: "):
			pkg, test, ok := strings.Cut(strings.TrimSpace(line[len("# caught-by: "):]), " ")
			require.True(t, ok, line)
			m.caughtBy = append(m.caughtBy, [2]string{pkg, test})
		case strings.HasPrefix(line, "# "), strings.HasPrefix(line, "--- a/"):
		case strings.HasPrefix(line, "+++ b/"):
			name = strings.TrimSpace(line[len("+++ b/"):])
		case strings.HasPrefix(line, "@@ "):
			m.files[name] = append(hunks, hunk{})
		case line[0] == ' ':
			hunks[len(hunks)-1].old += text
			hunks[len(hunks)-1].now += text
		case line[0] == '-':
			hunks[len(hunks)-1].old += text
		case line[0] == '+':
			hunks[len(hunks)-1].now += text
		default:
			t.Fatalf("no line of a patch: %q", line)
		}
	}
	return m
}

// requireTest fails where a folder has no test of this name.
func requireTest(t *testing.T, dir, name string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	re := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`)
	require.True(t, slices.ContainsFunc(paths, func(p string) bool {
		b, err := os.ReadFile(p)
		return err == nil && re.Match(b)
	}), "%s has no %s", dir, name)
}
