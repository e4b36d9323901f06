package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/driftback/driftback/reconciler"
)

func (c *cli) planCommand() *cobra.Command {
	var exit bool
	cmd := &cobra.Command{
		Use:   "plan ENVIRONMENT",
		Short: "Show what would be deployed now, in order, and what is held",
		Long: `Show what the next pass would deploy to an environment, in order, and what it would hold and why. Nothing
is changed anywhere. With --exit-code the exit code is 2 if something would be deployed, 3 if something
is held or in conflict, or the environment is halted.`,
		Example: `  driftback plan prod
  driftback plan prod -o markdown --exit-code`,
		GroupID:           "look",
		Args:              c.takes(1, 1),
		ValidArgsFunction: c.completeEnvironments,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.look(cmd.Context(), args[0], func(_ *reconciler.Reconciler, r reconciler.Report) error {
				if err := c.printPlan(r); err != nil {
					return err
				}
				if exit {
					return planExit(r)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&exit, "exit-code", false, "tell by the exit code: 2 there is something to deploy, 3 something is held or in conflict")
	return cmd
}

func planExit(r reconciler.Report) error {
	switch {
	case len(r.Held) > 0 || r.Halt != nil || r.Conflicts > 0:
		return errHeld
	case len(r.Plan.Steps) > 0:
		return errDifferent
	}
	return nil
}

func (c *cli) printPlan(r reconciler.Report) error {
	more := map[string]any{"environment": r.Environment, "commit": r.Commit, "planId": r.PlanID, "overrides": append([]string{}, r.Overrides...), "held": heldRows(r), "conflicts": r.Conflicts}
	if r.Halt != nil {
		more["halt"] = r.Halt
	}
	if len(r.Operational) > 0 {
		more["operational"] = r.Operational
	}
	if len(r.Unknown) > 0 {
		more["unknown"] = r.Unknown
	}
	return c.differences(planObjects(r), more, func(w io.Writer) {
		if r.Conflicts > 0 {
			fmt.Fprintf(w, "  %s for people to decide; driftback drift show %s shows them\n", plural(r.Conflicts, "conflict"), r.Environment)
		}
		writeOperational(w, r.Operational)
		writeTroubles(w, "held", r.Held)
		writeTroubles(w, "unknown", r.Unknown)
		if r.Halt != nil {
			fmt.Fprintf(w, "  halted: %s\n", printable(r.Halt.Reason))
		}
	})
}
