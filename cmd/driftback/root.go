package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
)

// run executes one command line and returns the exit code. The result goes to
// stdout; logs, progress and errors go to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &cli{stdout: stdout, stderr: stderr, redact: new(redactor)}
	root := c.rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	switch {
	case code == exitInterrupted:
		fmt.Fprintln(stderr, "driftback: interrupted")
	case err != nil && !silent(err):
		fmt.Fprintln(stderr, "driftback: "+c.redact.text(err.Error()))
	}
	return code
}

// A cli is what the subcommands share: the streams and the global flags.
type cli struct {
	stdout, stderr io.Writer
	redact         *redactor
	configPath     string
	format         format
	logLevel       string
	logFormat      string
	onReport       func(reconciler.Report) // hears of the daemon's passes; nil: nobody does
}

const rootExample = `  driftback demo --story                what it does, played through without an account
  driftback doctor                      is everything reachable, and permitted?
  driftback init prod                   propose what runs in prod as the first pull request
  driftback run                         keep all environments in agreement with Git
  driftback plan prod                   what would be deployed to prod now
  driftback diff live:test live:prod    how two environments differ`

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "driftback",
		Short: "Keep a Git repository and live configuration in agreement, both ways",
		Long: `driftback keeps a Git repository and the live configuration of platforms in
agreement, in both directions. What people change by hand in production comes
back to Git as a pull request; what is merged is deployed; git revert is the way back.

Exit codes: 0 done or no difference, 1 error, 2 there are differences (diff, and
plan with --exit-code), 3 held by a gate, 130 interrupted.`,
		Example:           rootExample,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE:              groupHelp,
	}
	f := root.PersistentFlags()
	f.StringVarP(&c.configPath, "config", "c", "", "configuration file (default $DRIFTBACK_CONFIG, ./driftback.yaml, /etc/driftback/driftback.yaml)")
	f.VarP(&c.format, "output", "o", "format of the result: text, json, yaml or markdown")
	f.StringVar(&c.logLevel, "log-level", "", "least level to log: debug, info, warn or error (default info for run, warn for other commands)")
	f.StringVar(&c.logFormat, "log-format", "", "text or json (default text on a terminal, json elsewhere)")
	root.SetFlagErrorFunc(suggestFlag)
	root.AddGroup(
		&cobra.Group{ID: "loop", Title: "The loop:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "act", Title: "Act:"},
		&cobra.Group{ID: "other", Title: "Other:"},
	)
	root.SetHelpCommandGroupID("other")
	root.AddCommand(c.commands()...)
	completeOutputs(root)
	return root
}

func (c *cli) commands() []*cobra.Command {
	return []*cobra.Command{
		c.demoCommand(),
		c.initCommand(),
		c.runCommand(),
		c.doctorCommand(),
		c.validateCommand(),
		c.fmtCommand(),
		c.planCommand(),
		c.diffCommand(),
		c.historyCommand(),
		c.driftCommand(),
		c.pullsCommand(),
		c.rollbackCommand(),
		c.suspendCommand(),
		c.resumeCommand(),
		c.schemaCommand(),
		c.completionCommand(),
		c.versionCommand(),
	}
}

func completeOutputs(root *cobra.Command) {
	// The only failure is an unknown flag, which the tests would show at once.
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// groupHelp is what a command does that only groups others: help without an
// argument, an error with suggestions for an unknown one.
func groupHelp(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	msg := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if cmd.SuggestionsMinimumDistance == 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		msg += "; did you mean " + strings.Join(s, " or ") + "?"
	}
	return errors.New(msg + "\nRun '" + cmd.CommandPath() + " --help' for the list of commands.")
}

// suggestFlag adds to an error about an unknown flag the known one that is nearest.
func suggestFlag(cmd *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return fmt.Errorf("%s: %w", cmd.CommandPath(), err)
	}
	var known []string
	for _, line := range strings.Fields(cmd.Flags().FlagUsages() + " " + cmd.InheritedFlags().FlagUsages()) {
		if flag, ok := strings.CutPrefix(line, "--"); ok {
			known = append(known, flag)
		}
	}
	if near := nearest(name, known); near != "" {
		return fmt.Errorf("%s: unknown flag --%s; did you mean --%s?", cmd.CommandPath(), name, near)
	}
	return fmt.Errorf("%s: unknown flag --%s; '%[1]s --help' lists them", cmd.CommandPath(), name)
}

// nearest returns the candidate with the fewest edits from s, if no more than a
// third of its letters would have to change, or two (which swap letters) of four.
func nearest(s string, candidates []string) string {
	best, least := "", max(1, len(s)/3, min(2, len(s)/2))+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := editDistance(s, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
