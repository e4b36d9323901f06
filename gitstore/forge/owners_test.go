package forge_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/gitstore/forge"
)

// The cases are those of GitHub's own page about code owners.
func TestOwners(t *testing.T) {
	t.Parallel()
	o := forge.ParseOwners([]byte(`# comment
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @loggers
/apps/github
shared/queue/S\ u.yaml @spaces
!nothing @never
[x] @never
/environments/prod/**/*.yaml @prod
`))
	for path, want := range map[string][]string{
		"x":                               {"global-owner1", "global-owner2"},
		"a/b/c.js":                        {"js-owner"},
		"main.go":                         {"docs@example.com"},
		"deep/er/x.txt":                   {"octo-org/octocats"},
		"build/logs/a/b.js":               {"loggers"},
		"docs/getting-started.md":         {"doctocat"},
		"docs/build-app/troubleshoot.md":  {"doctocat"},
		"sub/docs/a.md":                   {"global-owner1", "global-owner2"},
		"apps/x":                          {"octocat"},
		"in/apps/x/y":                     {"octocat"},
		"apps":                            {"global-owner1", "global-owner2"},
		"scripts/artifacts/value.js":      {"doctocat", "octocat"},
		"deeply/nested/logs/x":            {"loggers"},
		"apps/github":                     nil,
		"apps/github/x":                   nil,
		"shared/queue/S u.yaml":           {"spaces"},
		"environments/prod/queue/a.yaml":  {"prod"},
		"environments/prod/a.yaml":        {"prod"},
		"environments/prod/q/deep/a.yaml": {"prod"},
		"environments/test/queue/a.yaml":  {"global-owner1", "global-owner2"},
	} {
		require.Equal(t, want, o.Of(path), path)
	}
	require.Equal(t, []string{"js-owner", "loggers"}, o.OfAll([]string{"b.js", "a.js", "logs", "apps/github"}))

	star := forge.ParseOwners([]byte("docs/* @d\r\n"))
	require.Equal(t, []string{"d"}, star.Of("docs/a.md"))
	require.Nil(t, star.Of("docs/deep/a.md"), "a star is one level")
	require.Nil(t, forge.Owners{}.Of("x"))
	require.Nil(t, forge.ParseOwners([]byte(strings.Repeat("* @a\n", forge.MaxOwners))).Of("x"))
}
