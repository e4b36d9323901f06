package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

func textOf(s string) func(io.Writer) { return func(w io.Writer) { fmt.Fprint(w, s) } }

// call runs a command line and returns its exit code and both streams.
func call(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestUnknownWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want string
	}{
		{"verson", `unknown command "verson" for "driftback"; did you mean version?`},
		{"nonsense", `unknown command "nonsense" for "driftback"` + "\nRun"},
		{"version --outptu json", "unknown flag --outptu; did you mean --output?"},
		{"version --nonsense", "unknown flag --nonsense; 'driftback version --help' lists them"},
		{"version -o xml", "want one of text, json, yaml, markdown"},
		{"version extra", "unknown command"},
		{"completion tcsh", "one of bash, zsh"},
	} {
		code, stdout, stderr := call(t.Context(), strings.Fields(c.args)...)
		require.Equal(t, exitError, code, c.args)
		require.Empty(t, stdout, "an error is no result")
		require.Contains(t, stderr, c.want)
	}
}

func TestVersionInEveryFormat(t *testing.T) {
	t.Parallel()
	code, out, _ := call(t.Context(), "version")
	require.Zero(t, code)
	require.True(t, strings.HasPrefix(out, "driftback devel (go"), out)
	_, out, _ = call(t.Context(), "version", "-o", "json")
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.EqualValues(t, schemaVersion, v["schemaVersion"])
	_, out, _ = call(t.Context(), "version", "-o", "yaml")
	require.Contains(t, out, "schemaVersion: 1\nversion: devel\n")
	_, out, _ = call(t.Context(), "version", "-o", "markdown")
	require.True(t, strings.HasPrefix(out, "```\ndriftback devel"), out)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {io.EOF, 1}, {context.Canceled, 1}, {fmt.Errorf("x: %w", errDifferent), 2}, {errHeld, 3}, {errReported, 1},
	} {
		require.Equal(t, c.want, exitCode(ctx, c.err), "%v", c.err)
	}
	cancel()
	require.Equal(t, exitInterrupted, exitCode(ctx, fmt.Errorf("fetch: %w", context.Canceled)))
	require.Equal(t, exitError, exitCode(ctx, io.EOF), "an error of its own is not the interruption")
	require.Equal(t, exitDone, exitCode(ctx, nil))
}

func TestTroublesAreToldOnce(t *testing.T) {
	t.Parallel()
	var ts []reconciler.Trouble
	for _, name := range []string{"a", "b", "c", "d"} {
		ts = append(ts, reconciler.Trouble{Key: resource.Key{Kind: "file", Name: name}, Reason: "too much at once"})
	}
	other := reconciler.Trouble{Key: resource.Key{Kind: "file", Name: "x"}, Reason: "permission denied"}
	var b strings.Builder
	writeTroubles(&b, "held", append(ts, other, other))
	require.Equal(t, "  held 4 objects such as file/a: too much at once\n  held file/x: permission denied\n", b.String())
}

func TestFenceCannotBeClosed(t *testing.T) {
	t.Parallel()
	require.Equal(t, "```", fenceFor("a `b` c"))
	require.Equal(t, "`````", fenceFor("````\nx"))
}

// Every command says in one line what it does, and shows how it is used.
func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	c := &cli{redact: new(redactor)}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			require.NotEmpty(t, sub.Short, sub.CommandPath())
			require.False(t, strings.HasSuffix(sub.Short, "."), sub.CommandPath())
			if cmd == cmd.Root() {
				require.NotEmpty(t, sub.GroupID, sub.CommandPath())
			}
			require.NotNil(t, sub.RunE, sub.CommandPath())
			require.NotNil(t, sub.Args, sub.CommandPath())
			walk(sub)
		}
	}
	walk(c.rootCommand())
}

// What is missing on a command line is named, with what could stand there.
func TestMissingArguments(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "driftback.yaml")
	require.NoError(t, os.WriteFile(conf, []byte("repository: {url: ./x.git}\nforge: {local: {}}\nenvironments: {prod: {vendor: directory, directory: {root: .}}}\n"), 0o600))
	for line, want := range map[string]string{
		"drift list":      "driftback: drift list: name the environment (one of: prod)\n",
		"plan":            "driftback: plan: name the environment (one of: prod)\n",
		"plan a b":        "driftback: plan: \"b\" is too much: driftback plan ENVIRONMENT\n",
		"diff a":          "driftback: diff: something is missing: driftback diff A B\n",
		"pulls merge":     "driftback: pulls merge: something is missing: driftback pulls merge NUMBER\n",
		"completion tcsh": "driftback: completion: name the shell, one of bash, zsh, fish, powershell\n",
		"completion":      "driftback: completion: name the shell, one of bash, zsh, fish, powershell\n",
		"drift accept":    "driftback: drift accept: name the environment (one of: prod)\n",
	} {
		code, _, stderr := call(t.Context(), append(strings.Fields(line), "-c", conf)...)
		require.Equal(t, exitError, code)
		require.Equal(t, want, stderr)
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, out, _ := call(t.Context(), "completion", shell)
		require.Zero(t, code)
		require.Contains(t, out, "driftback", shell)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word string
		from []string
		want string
	}{
		{"prd", []string{"pad", "prod", "test"}, "pad"},
		{"prod-eu", []string{"prod-us", "prod-eu1", "test"}, "prod-eu1"},
		{"production", []string{"test"}, ""},
		{"ab", []string{"xy"}, ""},
		{"a", nil, ""},
	} {
		require.Equal(t, c.want, nearest(c.word, c.from), c.word)
	}
}
