package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
	"github.com/driftback/driftback/vendors/resource"
)

func (c *cli) runCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "run [--once [ENVIRONMENT…]]",
		Short: "Keep the environments in agreement with Git",
		Long: `Keep the environments in agreement with Git until told to stop: by a timer, by the
platform's own hints and whenever driftback.yaml changes. With --once, make one pass over each
environment (all of them if none is named) and exit: for cron, scripts and tests.

SIGINT or SIGTERM end the daemon between two changes, with exit code 0. With --once the exit code is
3 if something is held by a gate or was undone, and 1 if a pass failed.`,
		Example: `  driftback run
  driftback run --once prod -o json`,
		GroupID:           "loop",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if once {
				return c.pass(cmd.Context(), args, (*reconciler.Reconciler).Once)
			}
			if len(args) > 0 {
				return fmt.Errorf("run %s: the daemon keeps all environments; name some with --once only", args[0])
			}
			return c.runDaemon(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "make one pass over each environment and exit")
	return cmd
}

// pass makes one pass over each environment, in order; all of them where none is named. One's failure does not keep
// the others from theirs.
func (c *cli) pass(ctx context.Context, envs []string, once func(*reconciler.Reconciler, context.Context, string) (reconciler.Report, error)) (err error) {
	w, err := c.open(ctx, useOnce)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r, closed, err := w.reconciler(ctx, envs, setup{settled: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	if len(envs) == 0 {
		envs = sortedKeys(w.config.Environments)
	}
	reports := []reconciler.Report{}
	var errs []error
	held := false
	for _, env := range envs {
		if err := closed[env]; err != nil {
			errs = append(errs, err)
			reports = append(reports, reconciler.Report{Environment: env, Err: err})
			continue
		}
		report, err := once(r, ctx, env)
		report.Environment = env
		if report.Err == nil {
			report.Err = err
		}
		reports = append(reports, report)
		held = held || waits(report)
		if err != nil && !errors.Is(err, reconciler.ErrHalted) {
			errs = append(errs, fmt.Errorf("%s: %w", env, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := c.print(passResult(reports)); err != nil {
		return err
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if held {
		return errHeld
	}
	return nil
}

// waits reports whether something waits for people after a pass.
func waits(r reconciler.Report) bool {
	return r.Halt != nil || len(r.Held) > 0 || slices.ContainsFunc(r.Deployments, func(d reconciler.Deployment) bool { return d.Undone })
}

func passResult(reports []reconciler.Report) result {
	return result{
		value: map[string]any{"passes": passViews(reports)},
		text: func(w io.Writer) {
			for _, r := range reports {
				writePass(w, r)
			}
		},
	}
}

// A passView is a pass as programs see it.
type passView struct {
	reconciler.Report
	Took        *struct{} `json:"took,omitempty"` // in nanoseconds: told as TookSeconds instead
	TookSeconds float64   `json:"tookSeconds"`
	Error       string    `json:"error,omitempty"` // why the pass did not end
}

func passViews(reports []reconciler.Report) []passView {
	out := make([]passView, len(reports))
	for i, r := range reports {
		out[i] = passView{Report: r, TookSeconds: r.Took.Seconds()}
		if r.Err != nil {
			out[i].Error = printable(r.Err.Error())
		}
	}
	return out
}

// writePass tells a pass to people: what it found and did, then what waits for them.
func writePass(w io.Writer, r reconciler.Report) {
	fmt.Fprintf(w, "%s: %s\n", r.Environment, summary(r))
	for _, d := range r.Deployments {
		verb := "deployed"
		if d.Undone {
			verb = "undone"
		}
		fmt.Fprintf(w, "  %s %s of %s", verb, plural(d.Changes, "change"), d.ID)
		if d.Cause != "" {
			fmt.Fprintf(w, ": %s", printable(d.Cause))
		}
		fmt.Fprintln(w)
		for _, k := range slices.SortedFunc(maps.Keys(d.NewIDs), resource.Key.Compare) {
			fmt.Fprintf(w, "    %s was created anew, with the id %s\n", printable(k.String()), printable(d.NewIDs[k]))
		}
		for _, k := range d.Left {
			fmt.Fprintf(w, "    %s was not put back\n", printable(k.String()))
		}
	}
	for _, p := range r.Pulls {
		fmt.Fprintf(w, "  pull request #%d: %s\n", p.Number, printable(p.Title))
	}
	writeOperational(w, r.Operational)
	writeTroubles(w, "held", r.Held)
	writeTroubles(w, "unknown", r.Unknown)
	if r.Halt != nil {
		fmt.Fprintf(w, "  halted: %s\n", printable(r.Halt.Reason))
	}
}

// writeOperational tells what runs otherwise than Git says: fields that driftback observes and does not deploy.
func writeOperational(w io.Writer, all []reconciler.Operational) {
	const most = 10
	for _, o := range all[:min(len(all), most)] {
		for _, f := range o.Fields {
			fmt.Fprintf(w, "  operational %s: %s\n", printable(o.Key.String()), printable(f.String()))
		}
	}
	if n := len(all) - most; n > 0 {
		fmt.Fprintf(w, "  operational fields of %s more\n", plural(n, "object"))
	}
}

func summary(r reconciler.Report) string {
	switch {
	case r.StandBack:
		return "another driftback holds this environment"
	case r.Err != nil && r.Halt == nil:
		return "the pass did not end"
	case r.Suspended:
		return "suspended; " + counts(r)
	}
	return counts(r)
}

func counts(r reconciler.Report) string {
	s := plural(r.Observed, "object")
	if r.Drifted == 0 && r.Conflicts == 0 {
		return s + ", no drift"
	}
	s += fmt.Sprintf(", %d drifted", r.Drifted)
	if r.Conflicts > 0 {
		s += fmt.Sprintf(", %s", plural(r.Conflicts, "conflict"))
	}
	return s
}

// writeTroubles writes each trouble once, and those of many objects that have one reason on one line.
func writeTroubles(w io.Writer, what string, ts []reconciler.Trouble) {
	const many = 3
	seen := map[string]bool{}
	groups := map[string][]reconciler.Trouble{}
	for _, t := range ts {
		if text := troubleText(t); !seen[text] {
			seen[text] = true
			groups[t.Reason] = append(groups[t.Reason], t)
		}
	}
	for _, t := range ts {
		g := groups[t.Reason]
		delete(groups, t.Reason)
		if len(g) > many {
			fmt.Fprintf(w, "  %s %s such as %s\n", what, plural(len(g), "object"), troubleText(g[0]))
			continue
		}
		for _, t := range g {
			fmt.Fprintf(w, "  %s %s\n", what, troubleText(t))
		}
	}
}

// troubleText names the object or file, the place in it, and the reason.
func troubleText(t reconciler.Trouble) string { return printable(trouble(t)) }

func trouble(t reconciler.Trouble) string {
	name := t.Path
	switch {
	case name != "" && t.Line > 0:
		name = fmt.Sprintf("%s:%d:%d", t.Path, t.Line, t.Column)
	case name == "" && !t.Key.IsZero():
		name = t.Key.String()
	case name == "":
		name = string(t.Kind)
	}
	if name == "" {
		return t.Reason
	}
	return name + ": " + t.Reason
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// completeEnvironments offers the configured names to shells.
func (c *cli) completeEnvironments(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	w, err := c.load(useCommand)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return sortedKeys(w.config.Environments), cobra.ShellCompDirectiveNoFileComp
}
