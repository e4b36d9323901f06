//go:build unix

package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/directory"
)

// decodeYAML decodes as the program does.
func decodeYAML(src string) func(any) error {
	return func(v any) error { return yaml.UnmarshalWithOptions([]byte(src), v, yaml.Strict()) }
}

func TestConfigIsReadAsOperatorsWriteIt(t *testing.T) {
	t.Parallel()
	var c directory.Config
	require.NoError(t, decodeYAML(`
root: /etc/prometheus
include: ["**/*.yml"]
exclude: [secret/**]
settle: 250ms
fileMode: 0640
maxFileSize: 2MiB
reload:
  http: {url: "http://127.0.0.1:9090/-/reload", method: POST, headers: {X-Who: driftback}}
  check: {command: [promtool, check, config, prometheus.yml]}
  timeout: 5s
`)(&c))
	require.Equal(t, "/etc/prometheus", c.Root)
	require.Equal(t, 250*time.Millisecond, time.Duration(*c.Settle))
	require.Equal(t, directory.FileMode(0o640), c.FileMode)
	for _, mode := range []string{"640", "'0640'", `"0640"`, "0o640"} {
		var again directory.Config
		require.NoError(t, decodeYAML("root: /\nfileMode: "+mode+" # octal")(&again), mode)
		require.Equal(t, c.FileMode, again.FileMode, mode)
	}
	require.Equal(t, directory.Size(2<<20), c.MaxFileSize)
	require.Equal(t, 5*time.Second, time.Duration(*c.Reload.Timeout))
	require.Equal(t, "driftback", c.Reload.HTTP.Headers["X-Who"])
	require.Equal(t, []string{"promtool", "check", "config", "prometheus.yml"}, c.Reload.Check.Command)
}

func TestBrokenConfigIsRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for src, want := range map[string]string{
		"root: /no/such/folder":                                                             "root",
		"{}":                                                                                "root",
		"root: " + root + "\nfoo: 1":                                                        "foo",
		"root: " + root + "\ninclude: ['[']":                                                "include",
		"root: " + root + "\nexclude: [/etc/x]":                                             "exclude",
		"root: " + root + "\nsettle: fast":                                                  "duration",
		"root: " + root + "\nfileMode: 9":                                                   "permissions",
		"root: " + root + "\nmaxFileSize: 1MB":                                              "size",
		"root: " + root + "\nreload: {}":                                                    "either http or command",
		"root: " + root + "\nreload: {http: {url: ftp://x}}":                                "url",
		"root: " + root + "\nreload: {command: [/no/such/program]}":                         "command",
		"root: " + root + "\nreload: {command: ['true'], http: {url: http://x}}":            "either http or command",
		"root: " + root + "\nreload: {command: ['true'], check: {}}":                        "check",
		"root: " + root + "\nreload: {command: ['true'], check: {command: [/no/such/one]}}": "check",
	} {
		_, err := directory.Open(context.Background(), decodeYAML(src))
		require.ErrorContains(t, err, want, src)
	}
	file := root + "/file"
	newTree(t).write("x", "")
	tree{t, root}.write("file", "")
	_, err := directory.Open(t.Context(), decodeYAML("root: "+file))
	require.Error(t, err)
}
