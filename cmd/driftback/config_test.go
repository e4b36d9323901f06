package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	schema "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler/plan"
)

const smallest = `
repository: {url: /srv/git/config.git}
forge: {local: {}}
environments:
  prod:
    vendor: directory
    directory: {root: /etc/prometheus}
`

func TestSmallestConfig(t *testing.T) {
	t.Parallel()
	c, err := parseConfig("driftback.yaml", []byte(smallest))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9650", c.Listen)
	prod := c.Environments["prod"]
	require.Equal(t, "observe", prod.Mode, "without a word, nothing is ever written to the platform")
	require.Equal(t, "main", prod.Branch)
	require.Equal(t, "name", prod.Attribution)
	require.Equal(t, time.Minute, time.Duration(prod.Every))

	var part struct {
		Root string `yaml:"root"`
	}
	require.NoError(t, prod.decodeVendor(&part, nil))
	require.Equal(t, "/etc/prometheus", part.Root)
}

func TestGuards(t *testing.T) {
	t.Parallel()
	for guard, want := range map[string]plan.Limits{
		"{}":                           plan.DefaultLimits,
		"{deletes: 0, changes: 2.5%}":  {Deletes: 0, Share: 0.025, MinShare: 10},
		"{deletes: off, changes: off}": {Deletes: -1, Share: -1, MinShare: 10},
	} {
		c, err := parseConfig("driftback.yaml", []byte(smallest+"    guard: "+guard+"\n"))
		require.NoError(t, err)
		require.Equal(t, want, c.Environments["prod"].limits())
	}
}

// Each broken file names the key and the place, so that nobody has to search.
func TestBrokenConfigs(t *testing.T) {
	t.Parallel()
	env := smallest + "    "
	for _, c := range []struct {
		name, src string
		want      []string
	}{
		{"unknown key", "lisen: x\n", []string{"driftback.yaml:1:1: unknown key lisen", "1 | lisen: …", "^"}},
		{"unknown key of an environment", env + "mod: sync\n", []string{"driftback.yaml:8:5: unknown key mod"}},
		{"duplicate key", env + "mode: sync\n    mode: sync\n", []string{"driftback.yaml:9:", "already defined"}},
		{"syntax", "a: [1\nb: 2\n", []string{"driftback.yaml:"}},
		{"two documents", smallest + "---\na: 1\n", []string{"want one YAML document, found 2"}},
		{"empty", "", []string{"configuration driftback.yaml: empty"}},
		{"comments only", "# nothing\n", []string{"configuration driftback.yaml: empty"}},
		{"unknown vendor", strings.Replace(smallest, "vendor: directory", "vendor: directori", 1), []string{"driftback.yaml:6:13: vendor: no vendor is called \"directori\"; did you mean directory?"}},
		{"wrong type", strings.Replace(smallest, "{url: /srv/git/config.git}", "{url: [1]}", 1), []string{"driftback.yaml:2:", "want a text"}},
		{"duration", env + "every: soon\n", []string{"driftback.yaml:8:12: every: want a duration such as 90s"}},
		{"too often", env + "every: 10ms\n", []string{"driftback.yaml:8:", "environments.prod.every: 10ms: want between 1s and 24h"}},
		{"mode", env + "mode: synch\n", []string{`environments.prod.mode: "synch": want observe, sync, enforce`}},
		{"share", env + "guard: {changes: 20}\n", []string{`guard changes "20": want a percentage such as 20%`}},
		{"share above all", env + "guard: {changes: 101%}\n", []string{`guard changes "101%"`}},
		{"negative guard", env + "guard: {deletes: -1}\n", []string{`guard deletes "-1": want a number`}},
		{"windows", env + "windows: [{allow: \"0 22 * * 1-5\", for: 6h}, {allow: \"0 25 * * *\", for: 6h}]\n", []string{"windows[1]: \"0 25 * * *\": end of range (25)"}},
		{"zone of a window", env + "windows: [{allow: \"0 22 * * *\", for: 6h, timeZone: Mars}]\n", []string{"time zone \"Mars\": want a name such as Europe/Zurich"}},
		{"empty guard", env + "guard: {deletes: ''}\n", []string{"driftback.yaml:8:", "want a value"}},
		{"a command that is none", env + "pulls: {commands: {aply: [sre]}}\n", []string{`pulls.commands: no command is called "aply"`, "apply"}},
		{"closing", env + "onClose: delete\n", []string{`onClose: "delete": want silence, revert`}},
		{"merge", env + "merge: maybe\n", []string{`merge: "maybe": want ask, auto`}},
		{"attribution", env + "attribution: email\n", []string{`attribution: "email"`}},
		{"glob", env + "allow: ['a[']\n", []string{`environments.prod.allow: allow "a[": want a glob over kind/name`}},
		{"unknown rule", env + "allow: [{object: file/a, rule: x}]\n", []string{`no rule is called "x"`}},
		{"kind", env + "kinds: {include: ['a[']}\n", []string{`environments.prod.kinds.include: "a[": not a valid glob`}},
		{"path outside", env + "path: ../other\n", []string{`environments.prod.path: "../other": want a folder of the repository`}},
		{"branch of ours", env + "branch: live/prod\n", []string{`environments.prod.branch: "live/prod"`}},
		{"environment's name", strings.Replace(smallest, "prod:", "Prod Zone:", 1), []string{"want a name of at most 63 small letters"}},
		{"no vendor", strings.Replace(smallest, "vendor: directory", "mode: sync", 1), []string{"unknown key directory"}},
		{"two in one folder", env + "path: e\n  test:\n    vendor: directory\n    path: e/environments/prod\n", []string{"environments.test.path: e/environments/prod/ and e/environments/prod/environments/test/ lie in each other"}},
		{"no environment", "repository: {url: x}\nforge: {local: {}}\nenvironments: {}\n", []string{"environments: want at least one"}},
		{"no repository", "forge: {local: {}}\nenvironments: {a: {vendor: directory}}\n", []string{"repository.url: missing"}},
		{"no forge", "repository: {url: x}\nenvironments: {a: {vendor: directory}}\n", []string{"forge: want local: {}"}},
		{"credentials in the URL", strings.Replace(smallest, "/srv/git/config.git", "https://u:p@h/x.git", 1), []string{"repository.url: holds credentials"}},
		{"claim", "claim: {for: 10s, request: 6s}\n" + smallest, []string{"claim.request: want at most half of claim.for, which is 10s"}},
		{"short claim", "claim: {for: 1ms}\n" + smallest, []string{"claim.for: want 1s to 1h"}},
		{"listen", "listen: nowhere\n" + smallest, []string{"listen: \"nowhere\": want host:port or off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseConfig("driftback.yaml", []byte(c.src))
			require.Error(t, err)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parseConfig("driftback.yaml", []byte(smallest+"    mode: x\n    onClose: y\n"))
	require.ErrorContains(t, err, "mode")
	require.ErrorContains(t, err, "onClose")
}

// A secret that was written into the file by mistake is in no message.
func TestLiteralSecretIsNotShown(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"fingerprintKey: hunter2hunter2\n" + smallest,
		"fingerprintKey: hunter2hunter2\nfingerprintKey: hunter2hunter2\n" + smallest,
		"fingerprnt: hunter2hunter2\n" + smallest,
		strings.Replace(smallest, "config.git}", "config.git, auth: {token: hunter2hunter2}}", 1),
		strings.Replace(smallest, "config.git}", "config.git, auth: {tken: hunter2hunter2}}", 1),
		strings.Replace(smallest, "config.git}", "config.git, auth: {token: [hunter2hunter2]}}", 1),
		strings.Replace(smallest, "config.git}", "config.git, auth: {token: {cmd: hunter2hunter2}}}", 1),
		"secrets:\n  DB:\n    hunter2hunter2\n" + smallest,
		"secrets: {DB: 'hunter2hunter2}\n" + smallest,
		strings.Replace(smallest, "/srv/git/config.git", "https://u:hunter2hunter2@h/x.git", 1),
	} {
		_, err := parseConfig("driftback.yaml", []byte(src))
		require.Error(t, err, src)
		require.NotContains(t, err.Error(), "hunter2", src)
	}
}

func TestVendorPartIsStrict(t *testing.T) {
	t.Parallel()
	c, err := parseConfig("driftback.yaml", []byte(smallest))
	require.NoError(t, err)
	var part struct {
		Other string `yaml:"other"`
	}
	err = c.Environments["prod"].decodeVendor(&part, nil)
	require.Error(t, err)
	require.ErrorContains(t, at("driftback.yaml", []byte(smallest), err), "driftback.yaml:7:17: unknown key root")
}

func TestVendorPartMayHoldSecretSources(t *testing.T) {
	t.Parallel()
	c, err := parseConfig("driftback.yaml", []byte(strings.Replace(smallest, "{root: /etc/prometheus}",
		`{root: /etc, header: "env:X", list: [a, "cmd:get it"], url: "file:///x", "env:Y": k}`, 1)))
	require.NoError(t, err)
	values := 0
	decode := func() (part map[string]any) {
		require.NoError(t, c.Environments["prod"].decodeVendor(&part, func(s secretSource) (string, error) {
			values++
			return fmt.Sprintf("%s=%d", s, values), nil
		}))
		return part
	}
	require.Equal(t, map[string]any{"root": "/etc", "header": "env:X=1", "list": []any{"a", "cmd:get=2"}, "url": "file:///x", "env:Y": "k"}, decode())
	require.Equal(t, "env:X=3", decode()["header"], "each opening asks again")
	err = c.Environments["prod"].decodeVendor(new(any), func(secretSource) (string, error) { return "", io.EOF })
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "env:X=5", decode()["header"])
}

func TestFindConfig(t *testing.T) {
	t.Setenv("DRIFTBACK_CONFIG", "")
	t.Chdir(t.TempDir())
	if _, err := os.Stat("/etc/driftback/driftback.yaml"); err == nil {
		t.Fatal("this machine has a configuration of its own, which this test would find")
	}
	_, err := findConfig("")
	require.ErrorContains(t, err, "neither driftback.yaml nor /etc/driftback/driftback.yaml is there")
	require.NoError(t, os.WriteFile("driftback.yaml", []byte(smallest), 0o600))
	p, err := findConfig("")
	require.NoError(t, err)
	require.Equal(t, "driftback.yaml", p)
	t.Setenv("DRIFTBACK_CONFIG", "other.yaml")
	p, err = findConfig("")
	require.NoError(t, err)
	require.Equal(t, "other.yaml", p)
	p, err = findConfig("flag.yaml")
	require.NoError(t, err)
	require.Equal(t, "flag.yaml", p)
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"config.git":            "/etc/x/config.git",
		"../config.git":         "/etc/config.git",
		"/srv/config.git":       "/srv/config.git",
		"https://h/config.git":  "https://h/config.git",
		"git@h:team/config.git": "git@h:team/config.git",
	} {
		c := config{Repository: repositoryConfig{URL: url, Mirror: "m"}}
		c.rebase("/etc/x")
		require.Equal(t, want, c.Repository.URL)
		require.Equal(t, "/etc/x/m", c.Repository.Mirror)
	}
}

func TestHugeConfigIsRefused(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "driftback.yaml")
	require.NoError(t, os.WriteFile(p, make([]byte, maxConfig+1), 0o600))
	_, err := readConfig(p)
	require.ErrorContains(t, err, "more than the 1048576")
}

// The schema agrees with the decoder: what it accepts decodes, and what it refuses does not.
func TestSchemaAgreesWithTheDecoder(t *testing.T) {
	t.Parallel()
	doc, err := json.Marshal(configSchema())
	require.NoError(t, err)
	parsed, err := schema.UnmarshalJSON(strings.NewReader(string(doc)))
	require.NoError(t, err)
	compiler := schema.NewCompiler()
	require.NoError(t, compiler.AddResource("driftback.schema.json", parsed))
	compiled, err := compiler.Compile("driftback.schema.json")
	require.NoError(t, err)
	valid := func(src []byte) error {
		j, err := yaml.YAMLToJSON(src)
		require.NoError(t, err)
		v, err := schema.UnmarshalJSON(strings.NewReader(string(j)))
		require.NoError(t, err)
		return compiled.Validate(v)
	}

	samples, err := filepath.Glob("../../testdata/config/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, samples)
	for _, p := range samples {
		src, err := os.ReadFile(p)
		require.NoError(t, err)
		_, err = parseConfig(p, src)
		require.NoError(t, err)
		require.NoError(t, valid(src), p)
	}
	for _, src := range []string{
		"lisen: x\n" + smallest,
		smallest + "    mode: synch\n",
		smallest + "    every: soon\n",
		smallest + "    guard: {changes: 20}\n",
		smallest + "    allow: [{objekt: x}]\n",
		"fingerprintKey: hunter2\n" + smallest,
		"forge: {local: {}}\nenvironments: {a: {vendor: directory}}\n",
	} {
		_, err := parseConfig("x", []byte(src))
		require.Error(t, err, src)
		require.Error(t, valid([]byte(src)), src)
	}
}
